//! Networks of drawn sizes with drawn weights, made without burn.

use crate::nn::compiled::Weights;
use crate::nn::config::{FREQUENCIES, Padding, Skips, UNetConfig};
use crate::random::{NoiseKey, Stream};

/// Standard normal values.
pub(in crate::nn) fn values(n: usize, frame: u32) -> Vec<f32> {
    key(5, frame).normal_f32(n)
}

fn key(seed: u64, frame: u32) -> NoiseKey {
    NoiseKey {
        seed,
        stream: Stream::Test,
        member: 0,
        frame,
        step: 0,
    }
}

/// A network, a field that it fits, and a number of rows.
#[derive(Debug)]
pub(in crate::nn) struct Drawn {
    pub config: UNetConfig,
    pub field: [usize; 2],
    pub rows: usize,
}

/// Number `seed` of the networks: every size that a card may have is drawn.
pub(in crate::nn) fn drawn(seed: u64) -> Drawn {
    let mut numbers = key(seed, 1).uniform(64).into_iter();
    let mut below = |n: usize| {
        let u = numbers.next().expect("enough numbers");
        ((u * n as f64) as usize).min(n - 1)
    };
    let levels = 1 + below(3);
    let (groups, heads) = (1 << below(3), 1 << below(3));
    let unit = groups.max(heads);
    let skips = [Skips::Level, Skips::Block][below(2)];
    let list = |f: &mut dyn FnMut() -> usize| (0..levels).map(|_| f()).collect::<Vec<_>>();
    let channels = list(&mut || unit * (1 + below(36 / unit)));
    let blocks = list(&mut || 1 + below(2));
    let attention = list(&mut || below(2));
    let up_blocks = list(&mut || 1 + below(2));
    let patch = [1, 2, 4][below(3)];
    let divisor = patch << (levels - 1);
    let field = [divisor * (2 + below(3)), divisor * (2 + below(4))];
    let beyond = [
        Padding::Circular,
        Padding::Zeros,
        Padding::Replicate,
        Padding::Pole,
    ];
    let config = UNetConfig {
        in_channels: 1 + below(3),
        out_channels: 1 + below(3),
        patch,
        channels,
        blocks,
        up_blocks: up_blocks[1..].to_vec(),
        attention: attention.into_iter().map(|n| n == 1).collect(),
        heads,
        groups,
        embedding: [0, 20, 32][below(3)],
        padding: [beyond[below(4)], beyond[below(3)]],
        skips,
        position: (below(2) == 1).then_some(field),
    };
    Drawn {
        config,
        field,
        rows: 1 + below(5),
    }
}

/// Number `seed` of the trunks of encoders: no position, and paddings with a compiled way back.
pub(in crate::nn) fn drawn_trunk(seed: u64) -> Drawn {
    let mut drawn = drawn(seed);
    let back = |p| match p {
        Padding::Circular | Padding::Pole => Padding::Circular,
        Padding::Zeros | Padding::Replicate => Padding::Zeros,
    };
    drawn.config.position = None;
    drawn.config.skips = Skips::Level;
    drawn.config.padding = drawn.config.padding.map(back);
    drawn.config.embedding = drawn.config.embedding.max(8);
    drawn
}

/// Names, lengths and inputs of a unit's sum (0 = a factor that begins at 1).
struct Names(Vec<(String, usize, usize)>);

impl Names {
    fn layer(&mut self, name: &str, inputs: usize, outputs: usize) {
        self.0
            .push((format!("{name}.weight"), inputs * outputs, inputs));
        self.0.push((format!("{name}.bias"), outputs, inputs));
    }

    fn norm(&mut self, name: &str, channels: usize) {
        self.0.push((format!("{name}.scale"), channels, 0));
        self.0.push((format!("{name}.shift"), channels, 1));
    }

    fn block(&mut self, name: &str, cin: usize, cout: usize, embedding: usize) {
        self.norm(&format!("{name}.norm1"), cin);
        self.layer(&format!("{name}.conv1"), 9 * cin, cout);
        self.norm(&format!("{name}.norm2"), cout);
        self.layer(&format!("{name}.conv2"), 9 * cout, cout);
        if cin != cout {
            self.layer(&format!("{name}.skip"), cin, cout);
        }
        if embedding > 0 {
            self.layer(&format!("{name}.modulation"), embedding, 2 * cout);
        }
    }

    fn attention(&mut self, name: &str, channels: usize) {
        self.norm(&format!("{name}.norm"), channels);
        self.layer(&format!("{name}.qkv"), channels, 3 * channels);
        self.layer(&format!("{name}.out"), channels, channels);
    }

    fn trunk(&mut self, c: &UNetConfig) {
        if c.embedding > 0 {
            self.layer("trunk.embedding.linear1", 2 * FREQUENCIES, c.embedding);
            self.layer("trunk.embedding.linear2", c.embedding, c.embedding);
        }
        let folded = c.in_channels * c.patch * c.patch;
        self.layer("trunk.stem", 9 * folded, c.channels[0]);
        for (i, &channels) in c.channels.iter().enumerate() {
            let name = format!("trunk.levels.{i}");
            if i > 0 {
                self.layer(&format!("{name}.enter"), 9 * c.channels[i - 1], channels);
            }
            for block in 0..c.blocks[i] {
                let block = format!("{name}.blocks.{block}");
                self.block(&block, channels, channels, c.embedding);
            }
            if c.attention[i] {
                self.attention(&format!("{name}.attention"), channels);
            }
            if let Some(grid) = c.position {
                let [ny, nx] = grid.map(|n| n / (c.patch << i));
                self.0
                    .push((format!("trunk.positions.{i}"), channels * ny * nx, 1));
            }
        }
    }

    /// Values as a training may leave them.
    fn fill(self) -> Weights {
        let numbered = self.0.into_iter().enumerate();
        numbered
            .map(|(i, (name, len, inputs))| {
                let z = values(len, i as u32);
                let scale = 1.0 / (inputs.max(1) as f32).sqrt();
                let value = |z: f32| {
                    if inputs == 0 {
                        1.0 + 0.1 * z
                    } else {
                        0.5 * z * scale
                    }
                };
                (name, z.into_iter().map(value).collect())
            })
            .collect()
    }
}

/// Weights of a U-Net.
pub(in crate::nn) fn unet(c: &UNetConfig) -> Weights {
    let mut names = Names(Vec::new());
    names.trunk(c);
    let last = c.channels.len() - 1;
    let block = c.skips == Skips::Block;
    if block {
        let channels = c.channels[last];
        for i in 0..2 {
            names.block(
                &format!("middle.blocks.{i}"),
                channels,
                channels,
                c.embedding,
            );
        }
        names.attention("middle.attention", channels);
    }
    for i in 0..if block { last + 1 } else { last } {
        let channels = c.channels[i];
        let n = if block {
            c.blocks[i] + 1
        } else {
            c.up_blocks[i]
        };
        for j in 0..n {
            let joined = match (j, block) {
                (0, _) => c.channels[(i + 1).min(last)] + channels,
                (_, true) => 2 * channels,
                (_, false) => channels,
            };
            names.block(&format!("up.{i}.blocks.{j}"), joined, channels, c.embedding);
        }
        if c.attention[i] {
            names.attention(&format!("up.{i}.attention"), channels);
        }
    }
    names.norm("norm", c.channels[0]);
    let outputs = c.out_channels * c.patch * c.patch;
    names.layer("output", 9 * c.channels[0], outputs);
    names.fill()
}

/// Weights of an encoder with this trunk.
pub(in crate::nn) fn encoder(trunk: &UNetConfig, hidden: usize) -> Weights {
    let mut names = Names(Vec::new());
    names.trunk(trunk);
    let deepest = trunk.channels[trunk.channels.len() - 1];
    names.norm("norm", deepest);
    names.layer("hidden", deepest, hidden);
    names.layer("logit", hidden, 1);
    names.fill()
}
