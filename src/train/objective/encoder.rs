//! What the paper's discriminator learns.

use burn::tensor::{Device, Tensor};

use super::{
    Draw, Objective, VALIDATION, VALIDATION_KEY, blurred, in_batches, lengths, levels, noise,
    tensor,
};
use crate::data::Dataset;
use crate::error::Result;
use crate::field::Grid;
use crate::nn::{Encoder, HISTORY};
use crate::train::config::EncoderTraining;

/// Binary cross-entropy between true and false successors at equal noise (Hess et al. 2025).
pub struct EncoderObjective<'a>(pub &'a EncoderTraining);

impl EncoderObjective<'_> {
    /// Cross-entropy of `n` true candidates followed by their `n` false ones.
    fn cross_entropy(
        &self,
        net: &Encoder,
        candidates: Tensor<4>,
        history: Tensor<4>,
        m: &[usize],
        levels: &[f32],
    ) -> Tensor<1> {
        let (n, device) = (levels.len(), history.device());
        let twice = |v: &[f32]| [v, v].concat();
        let sigma = tensor(twice(levels), [2 * n], &device);
        let history = Tensor::cat(vec![history.clone(), history], 0);
        let logits = net.logits(candidates, history, &[m, m].concat(), sigma);
        // -ln D for the true ones, -ln(1 - D) for the false: softplus of the logit with the wrong sign.
        let sign = tensor([vec![-1.0; n], vec![1.0; n]].concat(), [2 * n], &device);
        let wrong = logits * sign;
        let rest = ((-wrong.clone().abs()).exp() + 1.0).log();
        (wrong.clamp_min(0.0) + rest).mean()
    }
}

impl Objective for EncoderObjective<'_> {
    type Network = Encoder;

    fn name(&self) -> &'static str {
        "encoder"
    }

    fn check(&self, _grid: Grid, _globe: bool) -> Result<()> {
        Ok(())
    }

    fn network(&self, seed: u64, device: &Device) -> Encoder {
        Encoder::seeded(&self.0.network, seed, device)
    }

    fn loss(
        &self,
        net: &Encoder,
        data: &Dataset,
        seed: u64,
        step: u32,
        device: &Device,
    ) -> Tensor<1> {
        let n = self.0.batch;
        let pairs = data.batch_pairs(step, n, HISTORY, &self.0.pairs, true);
        let (ny, nx) = pairs.shape;
        let history = tensor(pairs.history, [n, HISTORY, ny, nx], device);
        let history = blurred(history, self.0.history_noise, seed, step);
        let shape = [2 * n, 1, ny, nx];
        let clean = tensor([pairs.positive, pairs.negative].concat(), shape, device);
        let levels = levels(&self.0.noise, seed, step, n);
        let wide = tensor([&levels[..], &levels].concat(), [2 * n, 1, 1, 1], device);
        let noised = clean + noise(seed, step, Draw::Noise, shape, device) * wide;
        let m = lengths(seed, step, n);
        self.cross_entropy(net, noised, history, &m, &levels)
    }

    fn validation(&self, net: &Encoder, data: &Dataset, device: &Device) -> f64 {
        // False successors of the validation set: the frame two steps on, and frames of other windows.
        let (ny, nx) = (data.grid().ny, data.grid().nx);
        let (seed, step) = VALIDATION_KEY;
        let window = data.validation_windows(VALIDATION, HISTORY + 1);
        let shape = [VALIDATION, HISTORY + 2, ny, nx];
        let window = tensor(window, shape, device);
        let frame = |age: usize| window.clone().narrow(1, age, 1);
        let history = window.clone().narrow(1, 2, HISTORY);
        let half = VALIDATION / 2;
        let other = frame(1);
        let rolled = Tensor::cat(
            vec![
                other.clone().narrow(0, half, half),
                other.narrow(0, 0, half),
            ],
            0,
        );
        let falses = Tensor::cat(
            vec![frame(0).narrow(0, 0, half), rolled.narrow(0, half, half)],
            0,
        );
        let levels = levels(&self.0.noise, seed, step, VALIDATION);
        let wide = tensor(levels.clone(), [VALIDATION, 1, 1, 1], device);
        let noise = noise(seed, step, Draw::Noise, [2 * VALIDATION, 1, ny, nx], device);
        let trues = frame(1) + noise.clone().narrow(0, 0, VALIDATION) * wide.clone();
        let falses = falses + noise.narrow(0, VALIDATION, VALIDATION) * wide;
        in_batches(VALIDATION, self.0.batch, |rows| {
            let part = |t: &Tensor<4>| t.clone().slice([rows.clone()]);
            let m: Vec<usize> = rows.clone().map(|row| row / 6 % HISTORY).collect();
            let candidates = Tensor::cat(vec![part(&trues), part(&falses)], 0);
            self.cross_entropy(net, candidates, part(&history), &m, &levels[rows.clone()])
        })
    }
}
