//! Sizes of the networks, as `train.toml` and the model card write them.

use serde::{Deserialize, Serialize};

use crate::error::{Result, UserError};

/// What lies beyond the edge of the grid along one axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Padding {
    /// The opposite edge: a periodic axis.
    Circular,
    /// Zeros.
    Zeros,
    /// The edge's own values once more.
    Replicate,
    /// What lies across a pole of the globe: the outermost row once more, turned by half the columns (rows only).
    Pole,
}

/// Where the way up takes the skip connections from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
pub enum Skips {
    /// One for each level, its last state on the way down; the deepest level has no way up.
    #[default]
    Level,
    /// One for each state on the way down (stem, blocks, downsamplings), as DDPM++ does: every level goes up with
    /// `blocks + 1` blocks, and two more blocks with the attention between them stand at the bottom.
    Block,
}

/// Sizes of a U-Net (or of its encoder half).
///
/// The field is folded by `patch` (pixel-unshuffle), then each level halves the resolution by a strided convolution. A
/// level is a chain of residual blocks (group norm, SiLU, 3x3 convolution, twice). Attention, where `attention` asks for
/// it, stands once in a level: in the middle of the deepest level's chain (after its first half, rounded up), and after
/// the last block of other levels, on the way down and again on the way up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UNetConfig {
    /// Channels of the input.
    pub in_channels: usize,
    /// Channels of the output.
    pub out_channels: usize,
    /// Pixels of one side folded into channels: 1, 2 or 4.
    #[serde(default = "two")]
    pub patch: usize,
    /// Channels of each level, finest first.
    pub channels: Vec<usize>,
    /// Residual blocks of each level on the way down.
    pub blocks: Vec<usize>,
    /// Residual blocks of each level but the deepest on the way up (ignored with `skips = "block"`).
    #[serde(default)]
    pub up_blocks: Vec<usize>,
    /// Whether each level has attention.
    pub attention: Vec<bool>,
    /// Heads of the attention.
    #[serde(default = "four")]
    pub heads: usize,
    /// Groups of the group norm; divides every number of channels.
    #[serde(default = "eight")]
    pub groups: usize,
    /// Width of the noise embedding; 0 = the network is not told a noise level.
    #[serde(default)]
    pub embedding: usize,
    /// What lies beyond the edges, by axis (y, x).
    #[serde(default = "circular")]
    pub padding: [Padding; 2],
    /// Where the way up takes its skip connections from.
    #[serde(default)]
    pub skips: Skips,
    /// Rows and columns of the one grid that the network works on: every level then has a learned field of its own size,
    /// added to its first state, so that the network knows where on the globe it is. `None` = it knows no place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<[usize; 2]>,
}

/// Sizes of the encoder discriminator.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EncoderConfig {
    /// Channels of each level, finest first.
    pub channels: Vec<usize>,
    /// Residual blocks of each level.
    pub blocks: Vec<usize>,
    /// Whether each level has attention.
    pub attention: Vec<bool>,
    /// Pixels of one side folded into channels.
    #[serde(default = "two")]
    pub patch: usize,
    /// Heads of the attention.
    #[serde(default = "four")]
    pub heads: usize,
    /// Groups of the group norm.
    #[serde(default = "eight")]
    pub groups: usize,
    /// Width of the noise embedding.
    pub embedding: usize,
    /// Width of the hidden layer of the head.
    pub hidden: usize,
    /// What lies beyond the edges, by axis (y, x).
    #[serde(default = "circular")]
    pub padding: [Padding; 2],
    /// Whether the increments `(x - x_n) / sqrt(sigma^2 + 0.2^2)` and `(x_n - x_{n-1}) / 0.2` enter as two more channels
    /// (an addition to the paper's network; it learns faster with them).
    #[serde(default)]
    pub increments: bool,
    /// Standard deviation of the data.
    #[serde(default = "half")]
    pub sigma_data: f32,
}

/// Channels, heads, widths and groups of a network at most. Together with the other bounds it keeps every product of
/// sizes below 2^64, so that whoever places tensors by them need not ask.
const MOST_CHANNELS: usize = 4096;
/// Levels at most, and residual blocks of one level.
const MOST_LEVELS: usize = 12;
const MOST_BLOCKS: usize = 64;
/// Rows or columns of a field at most.
const MOST_SIDE: usize = 1 << 14;

/// Number of frequencies of the noise embedding.
pub(super) const FREQUENCIES: usize = 32;

/// The frequencies, from 0.5 to 16 radians per unit of `ln(sigma) / 4`, in equal ratios.
pub(super) fn frequencies() -> [f32; FREQUENCIES] {
    const LOWEST: f64 = 0.5;
    const HIGHEST: f64 = 16.0;
    let step = (HIGHEST / LOWEST).ln() / (FREQUENCIES - 1) as f64;
    std::array::from_fn(|i| (LOWEST.ln() + step * i as f64).exp() as f32)
}

fn two() -> usize {
    2
}
fn four() -> usize {
    4
}
fn eight() -> usize {
    8
}
fn half() -> f32 {
    0.5
}
fn circular() -> [Padding; 2] {
    [Padding::Circular; 2]
}

impl UNetConfig {
    /// The network of the shipped vorticity model: 0.88 M parameters at 64x64.
    ///
    /// With `in_channels` 1 and `embedding` 128 it is the denoiser's, with 7 and 0 the history tower's.
    pub fn vorticity(in_channels: usize, embedding: usize) -> Self {
        Self {
            in_channels,
            out_channels: 1,
            patch: 2,
            channels: vec![32, 64, 96],
            blocks: vec![1, 1, 2],
            up_blocks: vec![1, 1],
            attention: vec![false, false, true],
            heads: 4,
            groups: 8,
            embedding,
            padding: circular(),
            skips: Skips::Level,
            position: None,
        }
    }

    /// The paper's denoiser: DDPM++ of 128 channels times (1, 2, 2), `blocks` residual blocks a level (3 for vorticity
    /// at 256x256, 2 for precipitation at 180x360), attention at the factors 4 and 8 where they exist (here 4).
    /// 34.7 M and 26.5 M parameters; the paper gives 33.8 M and 25.7 M, 3 % less (its embedding only shifts the second
    /// norm, ours also scales it; its blocks change the resolution, ours leave that to a convolution).
    pub fn paper(blocks: usize, padding: [Padding; 2]) -> Self {
        Self {
            in_channels: 1,
            out_channels: 1,
            patch: 1,
            channels: vec![128, 256, 256],
            blocks: vec![blocks; 3],
            up_blocks: vec![],
            attention: vec![false, false, true],
            heads: 4,
            groups: 32,
            embedding: 512,
            padding,
            skips: Skips::Block,
            position: None,
        }
    }

    /// Checks that a network can be built from these sizes.
    ///
    /// # Errors
    /// Names the size that does not fit.
    pub fn validate(&self) -> Result<()> {
        let levels = self.channels.len();
        let wrong = |cause: String| {
            Err(UserError::new(
                "The network's sizes do not fit together",
                cause,
                "correct the network section of the training file",
            ))
        };
        if levels == 0 || self.in_channels == 0 || self.out_channels == 0 {
            return wrong("a network needs channels and at least one level".into());
        }
        if levels > MOST_LEVELS {
            return wrong(format!("{levels} levels are more than {MOST_LEVELS}"));
        }
        let counts = [self.in_channels, self.out_channels, self.embedding];
        if let Some(n) = counts
            .iter()
            .chain(&self.channels)
            .find(|n| **n > MOST_CHANNELS)
        {
            return wrong(format!("{n} channels are more than {MOST_CHANNELS}"));
        }
        let blocks = self.blocks.iter().chain(&self.up_blocks);
        if let Some(n) = blocks.max().filter(|n| **n > MOST_BLOCKS) {
            return wrong(format!("{n} blocks of a level are more than {MOST_BLOCKS}"));
        }
        if ![1, 2, 4].contains(&self.patch) {
            return wrong(format!("patch is {}, it can be 1, 2 or 4", self.patch));
        }
        if self.blocks.len() != levels || self.attention.len() != levels {
            return wrong(format!(
                "channels has {levels} levels, blocks {} and attention {}",
                self.blocks.len(),
                self.attention.len()
            ));
        }
        if self.skips == Skips::Level && self.up_blocks.len() + 1 != levels {
            return wrong(format!(
                "up_blocks needs {} numbers (every level but the deepest), it has {}",
                levels - 1,
                self.up_blocks.len()
            ));
        }
        if self.blocks.contains(&0) || (self.skips == Skips::Level && self.up_blocks.contains(&0)) {
            return wrong("a level without a block is of no use".into());
        }
        let groups = self.groups.max(1);
        if let Some(c) = self.channels.iter().find(|&&c| c == 0 || c % groups != 0) {
            return wrong(format!(
                "{c} channels cannot be split into {} groups",
                self.groups
            ));
        }
        if self.padding[1] == Padding::Pole {
            return wrong(
                "a pole lies beyond rows, not beyond columns: padding is [rows, columns]".into(),
            );
        }
        if let Some(field @ [ny, nx]) = self.position
            && !self.fits(field)
        {
            return wrong(format!(
                "the sides of position ({ny} x {nx}) must be multiples of {}, {MOST_SIDE} at most",
                self.divisor()
            ));
        }
        if self.groups == 0 || self.heads == 0 {
            return wrong("groups and heads must be at least 1".into());
        }
        // With skips from every block there is attention at the bottom in any case.
        for (i, (c, a)) in self.channels.iter().zip(&self.attention).enumerate() {
            let bottom = self.skips == Skips::Block && i + 1 == levels;
            if (*a || bottom) && c % self.heads != 0 {
                return wrong(format!(
                    "{c} channels cannot be split into {} heads",
                    self.heads
                ));
            }
        }
        Ok(())
    }

    /// The number that height and width of a field must be divisible by.
    pub fn divisor(&self) -> usize {
        self.patch << (self.channels.len() - 1)
    }

    /// Whether a network of [valid](Self::validate) sizes can work on fields of `[rows, columns]`.
    pub fn fits(&self, field: [usize; 2]) -> bool {
        let divisor = self.divisor();
        field
            .iter()
            .all(|n| (1..=MOST_SIDE).contains(n) && n.is_multiple_of(divisor))
            && self.position.is_none_or(|own| own == field)
    }
}

impl EncoderConfig {
    /// The encoder of the shipped vorticity model.
    pub fn vorticity() -> Self {
        Self {
            channels: vec![32, 64, 96],
            blocks: vec![1, 1, 2],
            attention: vec![false, false, true],
            patch: 2,
            heads: 4,
            groups: 8,
            embedding: 128,
            hidden: 128,
            padding: circular(),
            increments: true,
            sigma_data: 0.5,
        }
    }

    /// Checks that a network can be built from these sizes.
    ///
    /// # Errors
    /// Names the size that does not fit.
    pub fn validate(&self) -> Result<()> {
        let wrong = |cause: String| {
            Err(UserError::new(
                "The encoder's sizes do not fit together",
                cause,
                "correct the encoder's network section",
            ))
        };
        if !(1..=MOST_CHANNELS).contains(&self.hidden) {
            return wrong(format!(
                "hidden is {}, it can be 1 to {MOST_CHANNELS}",
                self.hidden
            ));
        }
        if self.embedding == 0 {
            return wrong("embedding is 0, but the encoder is told the noise level".into());
        }
        self.trunk().validate()
    }

    /// Input channels: candidate, four frames, three masks, and the two increments if asked for.
    pub fn in_channels(&self) -> usize {
        8 + if self.increments { 2 } else { 0 }
    }

    /// The encoder half as a U-Net configuration.
    pub fn trunk(&self) -> UNetConfig {
        UNetConfig {
            in_channels: self.in_channels(),
            out_channels: 1,
            patch: self.patch,
            channels: self.channels.clone(),
            blocks: self.blocks.clone(),
            up_blocks: vec![1; self.channels.len().saturating_sub(1)],
            attention: self.attention.clone(),
            heads: self.heads,
            groups: self.groups,
            embedding: self.embedding,
            padding: self.padding,
            skips: Skips::Level,
            position: None,
        }
    }
}
