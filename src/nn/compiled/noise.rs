//! The noise embedding and what the norms are told of it.

use super::build::Builder;
use super::plan::{Linear, Noise};
use super::simd::LANES;

impl Builder<'_> {
    pub fn noise(&mut self, prefix: &str) -> Option<Noise> {
        if !self.has(&format!("{prefix}embedding.linear1.weight")) {
            return None;
        }
        let whole = |b: &Self, name: &str| {
            let name = format!("{prefix}embedding.{name}");
            let bias = b.get(&format!("{name}.bias")).to_vec();
            (b.get(&format!("{name}.weight")).to_vec(), bias)
        };
        let (w1, b1) = whole(self, "linear1");
        let (w2, b2) = whole(self, "linear2");
        let width = b2.len();
        // All modulations as one layer; factors and addends of each begin at a whole group.
        let mut weight = vec![0.0; self.film_len * width];
        let mut bias = vec![0.0; self.film_len];
        for (name, at) in std::mem::take(&mut self.film) {
            let (w, b) = (
                self.get(&format!("{name}.weight")),
                self.get(&format!("{name}.bias")),
            );
            let channels = b.len() / 2;
            let slots = channels.next_multiple_of(LANES);
            for (row, value) in b.iter().enumerate() {
                let slot = at + row / channels * slots + row % channels;
                bias[slot] = *value;
                weight[slot * width..][..width].copy_from_slice(&w[row * width..][..width]);
            }
        }
        Some(Noise {
            linear1: self.linear(&w1, &b1),
            linear2: self.linear(&w2, &b2),
            film: self.linear(&weight, &bias),
        })
    }

    pub fn linear(&mut self, weight: &[f32], bias: &[f32]) -> Linear {
        let outputs = bias.len().next_multiple_of(LANES);
        let inputs = weight.len() / bias.len().max(1);
        let groups: Vec<usize> = (0..inputs.div_ceil(LANES))
            .map(|g| LANES.min(inputs - g * LANES))
            .collect();
        let tiles = self.memory.tiles(outputs / LANES);
        let at = self
            .memory
            .pack(weight, [bias.len(), inputs, 1], 0, &groups, &tiles);
        Linear {
            inputs,
            outputs,
            bias: self.memory.keep_padded(bias),
            tiles: tiles
                .into_iter()
                .zip(at)
                .map(|((first, n), at)| (first, n, at))
                .collect(),
        }
    }
}
