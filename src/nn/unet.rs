//! The U-Net of the denoiser and of the history tower, and its encoder half.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};

use super::compiled::Cost;
use super::config::{Skips, UNetConfig};
use super::fast::Compiled;
use super::layers::{Attention, Block, Conv, Embedding, Init, Norm};
use super::ops;

/// One level: residual blocks with attention after block number `attend` of them.
#[derive(Module, Debug)]
pub(crate) struct Level {
    /// Strided convolution from the level above (absent at the finest level and on the way up).
    pub enter: Option<Conv>,
    pub blocks: Vec<Block>,
    pub attention: Option<Attention>,
    attend: usize,
}

impl Level {
    fn new(
        init: &mut Init,
        config: &UNetConfig,
        inputs: &[usize],
        channels: usize,
        attend: Option<usize>,
    ) -> Self {
        Self {
            enter: None,
            blocks: inputs
                .iter()
                .map(|&cin| Block::new(init, config, cin, channels))
                .collect(),
            attention: attend.map(|_| Attention::new(init, config, channels)),
            attend: attend.unwrap_or(0),
        }
    }

    /// Runs one block, and the attention if it stands behind this block.
    fn block(&self, i: usize, x: Tensor<4>, e: Option<&Tensor<2>>) -> Tensor<4> {
        let x = self.blocks[i].forward(x, e);
        match &self.attention {
            Some(attention) if self.attend == i + 1 => attention.forward(x),
            _ => x,
        }
    }
}

/// The way down.
#[derive(Module, Debug)]
pub(crate) struct Trunk {
    pub embedding: Option<Embedding>,
    pub stem: Conv,
    pub levels: Vec<Level>,
    /// Learned fields added to the first state of each level, `[1, channels, y, x]`; none without a fixed grid.
    pub positions: Vec<Param<Tensor<4>>>,
    patch: usize,
}

impl Trunk {
    pub fn new(init: &mut Init, config: &UNetConfig) -> Self {
        let embedding = (config.embedding > 0).then(|| Embedding::new(init, config.embedding));
        let folded = config.in_channels * config.patch * config.patch;
        let stem = Conv::new(init, folded, config.channels[0], 3, config.padding);
        let last = config.channels.len() - 1;
        let levels = (0..=last)
            .map(|i| {
                let (c, n) = (config.channels[i], config.blocks[i]);
                let attend = if i == last && config.skips == Skips::Level {
                    n.div_ceil(2)
                } else {
                    n
                };
                let enter = (i > 0).then(|| {
                    Conv::new(init, config.channels[i - 1], c, 3, config.padding).halving()
                });
                let attend = config.attention[i].then_some(attend);
                Level {
                    enter,
                    ..Level::new(init, config, &vec![c; n], c, attend)
                }
            })
            .collect();
        Self {
            embedding,
            stem,
            levels,
            positions: config.position.map_or_else(Vec::new, |[ny, nx]| {
                (0..=last)
                    .map(|i| {
                        let side = config.patch << i;
                        init.constant(0.0, [1, config.channels[i], ny / side, nx / side])
                    })
                    .collect()
            }),
            patch: config.patch,
        }
    }

    /// All states on the way down, grouped by level: the state a level begins with, then one for each block. Also the
    /// noise embedding.
    pub fn forward(
        &self,
        x: Tensor<4>,
        c_noise: Option<Tensor<1>>,
    ) -> (Vec<Vec<Tensor<4>>>, Option<Tensor<2>>) {
        let e = match (&self.embedding, c_noise) {
            (Some(embedding), Some(c)) => Some(embedding.forward(c)),
            _ => None,
        };
        let mut x = self.stem.forward(unshuffle(x, self.patch));
        let mut states = Vec::with_capacity(self.levels.len());
        for (i, level) in self.levels.iter().enumerate() {
            if let Some(enter) = &level.enter {
                x = enter.forward(x);
            }
            if let Some(position) = self.positions.get(i) {
                x = x + position.val();
            }
            let mut own = vec![x.clone()];
            for i in 0..level.blocks.len() {
                x = level.block(i, x, e.as_ref());
                own.push(x.clone());
            }
            states.push(own);
        }
        (states, e)
    }
}

/// Noise-conditioned U-Net; [`UNetConfig`] says how it is built.
#[derive(Module, Debug)]
pub struct UNet {
    pub(crate) trunk: Trunk,
    /// Two blocks at the bottom (with `skips = "block"` only).
    pub(crate) middle: Option<Level>,
    /// Levels on the way up, finest first.
    pub(crate) up: Vec<Level>,
    pub(crate) norm: Norm,
    pub(crate) output: Conv,
    patch: usize,
    #[module(skip)]
    compiled: Compiled,
}

impl UNet {
    /// A network with first weights of seed 0.
    ///
    /// # Panics
    /// If the sizes do not fit; ask [`UNetConfig::validate`] first.
    pub fn new(config: &UNetConfig, device: &Device) -> Self {
        Self::seeded(config, 0, device)
    }

    /// A network with first weights of `seed`.
    ///
    /// # Panics
    /// As [`Self::new`].
    pub fn seeded(config: &UNetConfig, seed: u64, device: &Device) -> Self {
        let init = &mut Init::new(seed, device);
        let trunk = Trunk::new(init, config);
        let c = &config.channels;
        let last = c.len() - 1;
        let attend = |i: usize, n: usize| config.attention[i].then_some(n);
        let (middle, up) = match config.skips {
            Skips::Level => {
                let up = (0..last).map(|i| {
                    let n = config.up_blocks[i];
                    let mut inputs = vec![c[i]; n];
                    inputs[0] = c[i + 1] + c[i];
                    Level::new(init, config, &inputs, c[i], attend(i, n))
                });
                (None, up.collect())
            }
            Skips::Block => {
                let middle = Level::new(init, config, &[c[last]; 2], c[last], Some(1));
                let up = (0..=last).map(|i| {
                    // Popped in reverse: the blocks' states, then the state that the level began with.
                    let n = config.blocks[i] + 1;
                    let mut inputs = vec![2 * c[i]; n];
                    inputs[0] = c[(i + 1).min(last)] + c[i];
                    Level::new(init, config, &inputs, c[i], attend(i, n))
                });
                let up = up.collect();
                (Some(middle), up)
            }
        };
        let outputs = config.out_channels * config.patch * config.patch;
        Self {
            trunk,
            middle,
            up,
            norm: Norm::new(init, c[0], config.groups),
            output: Conv::zero(init, c[0], outputs, 3, config.padding),
            patch: config.patch,
            compiled: Compiled::default(),
        }
    }

    /// The network with a compiled form of its present weights, if it lies on the CPU; `config` is what it was made from.
    /// For networks whose weights do not change any more.
    pub fn compiled(mut self, config: &UNetConfig) -> Self {
        if ops::is_flex(&self.output.weight.val().device()) {
            self.compiled = Compiled::unet(config, &self);
        }
        self
    }

    /// What one field costs in the compiled form.
    pub(crate) fn cost(&self, field: [usize; 2]) -> Option<Cost> {
        self.compiled.cost(field)
    }

    /// The compiled form, if there is one that takes `x`.
    pub(crate) fn fast(&self, x: &Tensor<4>) -> Option<&Compiled> {
        Some(&self.compiled).filter(|c| c.takes(x))
    }

    /// `x` `[batch, in_channels, y, x]` with sides divisible by [`UNetConfig::divisor`], `c_noise` `[batch]`, or `[1]` for
    /// one noise level shared by all rows, to `[batch, out_channels, y, x]`.
    pub fn forward(&self, x: Tensor<4>, c_noise: Option<Tensor<1>>) -> Tensor<4> {
        let (mut states, e) = self.trunk.forward(x, c_noise);
        let e = e.as_ref();
        let mut x = match &self.middle {
            None => states.pop().and_then(|mut own| own.pop()),
            Some(middle) => states.last().and_then(|own| own.last().cloned()).map(|x| {
                let x = middle.block(0, x, e);
                middle.block(1, x, e)
            }),
        }
        .unwrap_or_else(|| unreachable!("a trunk has at least one level"));
        for (level, mut own) in self.up.iter().zip(states).rev() {
            for i in 0..level.blocks.len() {
                if let Some(skip) = own.pop_if(|_| i == 0 || self.middle.is_some()) {
                    x = if x.dims()[2] == skip.dims()[2] {
                        Tensor::cat(vec![x, skip], 1)
                    } else {
                        ops::join(x, skip)
                    };
                }
                x = level.block(i, x, e);
            }
        }
        shuffle(self.output.forward(self.norm.forward(x, true)), self.patch)
    }
}

/// Folds squares of `p` x `p` pixels into channels: `[b, c, y, x]` to `[b, c p^2, y/p, x/p]`.
fn unshuffle(x: Tensor<4>, p: usize) -> Tensor<4> {
    if p == 1 {
        return x;
    }
    let [b, c, h, w] = x.dims();
    x.reshape([b, c, h / p, p, w / p, p])
        .permute([0, 1, 3, 5, 2, 4])
        .reshape([b, c * p * p, h / p, w / p])
}

/// The inverse of [`unshuffle`].
fn shuffle(x: Tensor<4>, p: usize) -> Tensor<4> {
    if p == 1 {
        return x;
    }
    let [b, c, h, w] = x.dims();
    let c = c / (p * p);
    x.reshape([b, c, p, p, h, w])
        .permute([0, 1, 4, 2, 5, 3])
        .reshape([b, c, h * p, w * p])
}
