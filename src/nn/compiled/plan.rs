//! A network as a list of phases: what is computed from where to where, fixed once for one size of field.

use super::kernels::Kernels;
use super::memory::{Aligned, Places};
use super::norm::Place;
use super::simd::LANES;
use crate::nn::config::Padding;

/// What lies beyond an edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Edge {
    /// The other side.
    Wrap,
    /// Nothing.
    Zero,
    /// The edge itself.
    Repeat,
    /// The edge itself, turned by half a row.
    Pole,
}

impl From<Padding> for Edge {
    fn from(padding: Padding) -> Self {
        match padding {
            Padding::Circular => Self::Wrap,
            Padding::Zeros => Self::Zero,
            Padding::Replicate => Self::Repeat,
            Padding::Pole => Self::Pole,
        }
    }
}

/// Pixels of a piece at most and at least, and tasks of a step that keep a few threads busy alike.
const PIXELS: usize = 256;
const LEAST: usize = 32;
const TASKS: usize = 8;

/// Rows of a tensor that one task makes: small enough for two or more threads, large enough to serve the weights well.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pieces {
    pub height: usize,
    pub rows: usize,
}

impl Pieces {
    /// For a step whose tasks make so many tiles of groups from each piece: about [`PIXELS`] a piece, fewer where that would
    /// leave less than [`TASKS`] tasks, but no less than [`LEAST`]. An even number of rows.
    pub fn new(height: usize, width: usize, tiles: usize) -> Self {
        let pieces = TASKS.div_ceil(tiles.max(1));
        let pixels = (height * width / pieces).clamp(LEAST, PIXELS);
        let rows = pixels.div_ceil(width).next_multiple_of(2);
        Self {
            height,
            rows: rows.min(height.next_multiple_of(2)),
        }
    }

    pub fn count(&self) -> usize {
        self.height.div_ceil(self.rows)
    }

    /// First row and the one after the last.
    pub fn range(&self, i: usize) -> (usize, usize) {
        (i * self.rows, ((i + 1) * self.rows).min(self.height))
    }
}

/// Where the moments of a tensor's groups lie, `[piece][group][2][16]`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moments {
    pub at: usize,
    pub pieces: usize,
    /// Pixels of the first pieces and of the last.
    pub pixels: [usize; 2],
}

/// A tensor of one image, `[group][y][x][16]`; `at` counts floats in the image's part of the arena.
#[derive(Clone, Copy, Debug)]
pub(super) struct State {
    pub at: usize,
    pub channels: usize,
    pub height: usize,
    pub width: usize,
    pub moments: Option<Moments>,
}

impl State {
    pub fn groups(&self) -> usize {
        self.channels.div_ceil(LANES)
    }

    pub fn plane(&self) -> usize {
        self.height * self.width * LANES
    }

    /// Channels of group `g` that are no pads.
    pub fn within(&self, g: usize) -> usize {
        LANES.min(self.channels - g * LANES)
    }

    pub fn len(&self) -> usize {
        self.groups() * self.plane()
    }
}

/// An input of a convolution and its weights.
pub(super) struct Term {
    pub at: usize,
    pub plane: usize,
    pub pitch: usize,
    pub side: usize,
    pub stride: usize,
    /// Channels of each input group.
    pub channels: Vec<usize>,
    /// Where the weights begin, for each tile of output groups.
    pub weights: Vec<usize>,
}

/// Something to add to what a convolution makes.
#[derive(Clone, Copy)]
pub(super) enum Add {
    /// A tensor of the image.
    State { at: usize, doubled: bool },
    /// Constants.
    Field { at: usize },
}

/// Convolution, sums of convolutions, additions and moments.
pub(super) struct Convolution {
    pub terms: Vec<Term>,
    pub bias: usize,
    pub to: State,
    /// First output group and number of groups of each tile.
    pub tiles: Vec<(usize, usize)>,
    pub adds: Vec<Add>,
    pub pieces: Pieces,
}

/// One group of channels on its way into the input of a convolution.
pub(super) struct Source {
    pub at: usize,
    pub doubled: bool,
}

/// One step; steps of one phase do not touch each other.
pub(super) enum Op {
    /// The input, folded, with a rim.
    Load {
        to: usize,
        channels: usize,
        width: usize,
        pieces: Pieces,
    },
    Conv(Convolution),
    /// Factors and addends of a norm.
    Coefficients {
        measured: Vec<(State, bool)>,
        places: Vec<Place>,
        per: usize,
        gain: usize,
        offset: usize,
        /// Where in what the embedding says.
        film: Option<[usize; 2]>,
        scale: usize,
        shift: usize,
        /// Reciprocal standard deviation and mean, where the way back needs them.
        kept: Option<[usize; 2]>,
    },
    Activate {
        sources: Vec<Source>,
        /// Factors and addends of all groups.
        scaled: Option<[usize; 2]>,
        silu: bool,
        rim: bool,
        to: usize,
        pieces: Pieces,
        width: usize,
    },
    Attend {
        qkv: usize,
        to: usize,
        points: usize,
        channels: usize,
        heads: usize,
        scratch: usize,
    },
    /// The head of the encoder discriminator: mean over points, two layers; and the gradient by channel of its input.
    Head {
        from: State,
        hidden: usize,
        /// `[inputs][hidden]`, `[hidden][inputs]`, bias, weights of the logit and its bias.
        weights: [usize; 5],
        /// Three vectors: means (and later their gradient), hidden layer, its slopes.
        scratch: usize,
        logit: usize,
    },
    /// Back through SiLU: gradient of the norm's output, and sums.
    Slopes {
        state: State,
        norm: Kept,
        silu: bool,
        /// Where the gradient with respect to what came out lies; `flat`: one value for each channel.
        gradient: usize,
        flat: bool,
        to: usize,
        sums: usize,
        pieces: Pieces,
    },
    /// From the sums to the norm's gradient.
    NormBack {
        state: State,
        places: Vec<Place>,
        per: usize,
        norm: Kept,
        sums: usize,
        pieces: usize,
        k: [usize; 2],
    },
    /// The norm's gradient, and perhaps what comes along the other branch.
    Combine {
        state: State,
        norm: Kept,
        du: usize,
        k: [usize; 2],
        add: Option<usize>,
        rim: bool,
        to: usize,
        pieces: Pieces,
    },
    /// Twice as many rows and columns, zeros between, with a rim.
    Dilate {
        from: State,
        to: usize,
    },
    AttendBack {
        qkv: usize,
        gradient: usize,
        to: usize,
        points: usize,
        channels: usize,
        heads: usize,
        scratch: usize,
    },
    /// The output, unfolded.
    Store {
        from: State,
    },
}

/// What a norm keeps for the way back; places by slot.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Kept {
    pub scale: usize,
    pub shift: usize,
    pub rstd: usize,
    pub mean: usize,
}

/// A linear layer of one point: tiles of output groups and their weights.
pub(super) struct Linear {
    pub inputs: usize,
    pub outputs: usize,
    pub bias: usize,
    /// First output group, number of groups, weights.
    pub tiles: Vec<(usize, usize, usize)>,
}

/// From the noise level to what the norms make of it.
pub(super) struct Noise {
    pub linear1: Linear,
    pub linear2: Linear,
    pub film: Linear,
}

impl Noise {
    /// Floats of the input and of the two hidden layers.
    pub fn hidden(&self) -> usize {
        self.linear1.inputs.next_multiple_of(LANES) + self.linear1.outputs + self.linear2.outputs
    }
}

/// Everything about a network but its state.
pub(super) struct Plan {
    pub kernels: &'static Kernels,
    pub phases: Vec<Vec<Op>>,
    pub constants: Aligned,
    pub noise: Option<Noise>,
    /// Floats of each image in the arena.
    pub image: usize,
    /// Floats that all images share: input, two hidden layers and output of the noise embedding.
    pub common: usize,
    pub edges: [Edge; 2],
    pub patch: usize,
    pub in_channels: usize,
    pub out_channels: usize,
    /// Where the logit of an image lies, in a plan with a head.
    pub logit: Option<usize>,
    /// Rows and columns of the field.
    pub field: [usize; 2],
    /// Multiplications and additions of one image.
    pub flops: u64,
    /// Bytes of weights.
    pub weights: usize,
}

/// Where a builder puts things.
pub(super) struct Memory {
    pub kernels: &'static Kernels,
    pub constants: Vec<f32>,
    pub places: Places,
    pub flops: u64,
}

impl Memory {
    pub fn new(kernels: &'static Kernels) -> Self {
        Self {
            kernels,
            constants: Vec::new(),
            places: Places::default(),
            flops: 0,
        }
    }

    /// Counts multiplications and additions, a product of sizes. A count that says how dear a network is: one that does
    /// not fit stays the largest.
    pub fn count(&mut self, sizes: &[usize]) {
        let product = sizes
            .iter()
            .fold(1u64, |n, size| n.saturating_mul(*size as u64));
        self.flops = self.flops.saturating_add(product);
    }

    /// Keeps constants; on a line of the cache.
    pub fn keep(&mut self, values: &[f32]) -> usize {
        let at = self.constants.len();
        self.constants.extend_from_slice(values);
        self.constants
            .resize(self.constants.len().next_multiple_of(LANES), 0.0);
        at
    }

    /// A place for a tensor; with moments measured over `pieces` if asked.
    pub fn state(
        &mut self,
        channels: usize,
        [height, width]: [usize; 2],
        pieces: Option<Pieces>,
    ) -> State {
        let mut state = State {
            at: 0,
            channels,
            height,
            width,
            moments: None,
        };
        state.at = self.places.take(state.len());
        if let Some(pieces) = pieces {
            let n = pieces.count();
            let (first, end) = pieces.range(n - 1);
            state.moments = Some(Moments {
                at: self.places.take(n * state.groups() * 2 * LANES),
                pieces: n,
                pixels: [pieces.rows * width, (end - first) * width],
            });
        }
        state
    }

    /// Gives a tensor's place back.
    pub fn drop(&mut self, state: &State) {
        self.places.give(state.at, state.len());
        if let Some(m) = state.moments {
            self.places
                .give(m.at, m.pieces * state.groups() * 2 * LANES);
        }
    }

    /// Tiles of output groups: first group and number of groups.
    pub fn tiles(&self, groups: usize) -> Vec<(usize, usize)> {
        // Two groups of twelve or eight pixels keep the multipliers busy; three where that leaves no single one.
        let most = self
            .kernels
            .groups
            .min(if groups.is_multiple_of(2) { 2 } else { 3 });
        let mut out = Vec::new();
        let mut first = 0;
        while first < groups {
            let n = most.min(groups - first);
            let n = if most == 3 && groups - first == 4 {
                2
            } else {
                n
            };
            out.push((first, n));
            first += n;
        }
        out
    }

    /// Packs a convolution's weights `[cout, cin, k, k]`, whose input channels `first..` come in groups of the given
    /// sizes: `[tile][input group][ky][kx][channel][group of the tile][16]`.
    pub fn pack(
        &mut self,
        weight: &[f32],
        [cout, cin, k]: [usize; 3],
        first: usize,
        groups: &[usize],
        tiles: &[(usize, usize)],
    ) -> Vec<usize> {
        let mut out = Vec::with_capacity(tiles.len());
        for &(group, n) in tiles {
            let mut packed = Vec::new();
            let mut start = first;
            for &channels in groups {
                for tap in 0..k * k {
                    for ci in start..start + channels {
                        for co in group * LANES..(group + n) * LANES {
                            packed.push(if co < cout {
                                weight[(co * cin + ci) * k * k + tap]
                            } else {
                                0.0
                            });
                        }
                    }
                }
                start += channels;
            }
            out.push(self.keep(&packed));
        }
        out
    }

    /// Values by channel, with zeros for the pads.
    pub fn keep_padded(&mut self, values: &[f32]) -> usize {
        let mut padded = values.to_vec();
        padded.resize(values.len().next_multiple_of(LANES), 0.0);
        self.keep(&padded)
    }
}
