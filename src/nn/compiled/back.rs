//! The encoder discriminator with its way back: the logit, and its gradient with respect to the input.
//!
//! Paddings that wrap and paddings of zeros are their own way back: there the gradient of a convolution is a convolution
//! with the mirrored kernel and the same padding. Other paddings are left to automatic differentiation.

use super::build::{Builder, Step};
use super::norm::Place;
use super::plan::{Convolution, Edge, Kept, Op, Pieces, Plan, State};
use super::simd::LANES;
use crate::nn::config::UNetConfig;

/// Whether the way back can be compiled.
pub(super) fn possible(config: &UNetConfig) -> bool {
    let edges = config.padding.map(Edge::from);
    edges.iter().all(|e| matches!(e, Edge::Wrap | Edge::Zero))
}

impl Builder<'_> {
    /// Trunk, head, and the way back to the first `channels` channels of the input.
    pub fn encoder(mut self, field: [usize; 2], channels: usize) -> Plan {
        self.keep_tape();
        let states = self.trunk("trunk.", field);
        let last = states.last().and_then(|own| own.last().copied());
        let last = last.unwrap_or_else(|| unreachable!("a trunk has at least one level"));
        let active = self.plain("norm", last);
        let (hidden_w, hidden_b) = (self.get("hidden.weight"), self.get("hidden.bias"));
        let (inputs, hidden) = (last.channels, hidden_b.len());
        let mut by_input = vec![0.0; hidden * inputs];
        for (i, row) in hidden_w.chunks_exact(inputs).enumerate() {
            for (j, v) in row.iter().enumerate() {
                by_input[j * hidden + i] = *v;
            }
        }
        let weights = [
            self.memory.keep(&by_input),
            self.memory.keep(hidden_w),
            self.memory.keep(hidden_b),
            self.memory.keep(self.get("logit.weight")),
            self.memory.keep(self.get("logit.bias")),
        ];
        let wide = inputs.max(hidden).next_multiple_of(LANES);
        let scratch = self.memory.places.take(3 * wide);
        let logit = self.memory.places.take(LANES);
        self.phases.push(vec![Op::Head {
            from: State {
                at: active.0,
                ..last
            },
            hidden,
            weights,
            scratch,
            logit,
        }]);
        let mut g = self.through_norm(last, active.1, true, (scratch, true), None, false);
        for step in self.take_tape().into_iter().rev() {
            g = match step {
                Step::Block { name, x, h, norms } => self.block_back(&name, x, h, norms, g),
                Step::Attention { name, x, qkv, norm } => {
                    self.attention_back(&name, x, qkv, norm, g)
                }
                Step::Enter { name, from } => self.enter_back(&name, from, g),
            };
        }
        let first = self.state_of(&states[0][0], g);
        let folded = channels * self.config().patch * self.config().patch;
        let rimmed = self.rimmed(first);
        let from = self.transposed("trunk.stem", rimmed, first, folded, [3, 1]);
        self.phases.push(vec![Op::Store { from }]);
        let mut plan = self.finish(field, "trunk.");
        plan.out_channels = channels;
        plan.logit = Some(logit);
        plan
    }

    /// A tensor of the shape of `like` elsewhere.
    fn state_of(&self, like: &State, at: usize) -> State {
        State {
            at,
            moments: None,
            ..*like
        }
    }

    /// The gradient with respect to the input of a convolution, given that of its output at `at`, rimmed if the kernel's
    /// side is 3, of the size of `like`.
    fn transposed(
        &mut self,
        name: &str,
        at: usize,
        like: State,
        channels: usize,
        [side, stride]: [usize; 2],
    ) -> State {
        let weight = self.get(&format!("{name}.weight"));
        let cout = self.get(&format!("{name}.bias")).len();
        let taps = side * side;
        let cin = weight.len() / (cout * taps);
        let mut mirrored = vec![0.0; channels * cout * taps];
        for co in 0..cout {
            for ci in 0..channels {
                for tap in 0..taps {
                    mirrored[(ci * cout + co) * taps + taps - 1 - tap] =
                        weight[(co * cin + ci) * taps + tap];
                }
            }
        }
        let size = [like.height * stride, like.width * stride];
        let to = self.memory.state(channels, size, None);
        let tiles = self.memory.tiles(to.groups());
        let pieces = Pieces::new(size[0], size[1], tiles.len());
        let groups: Vec<usize> = (0..cout.div_ceil(LANES))
            .map(|g| LANES.min(cout - g * LANES))
            .collect();
        let term = self.term_of(
            &mirrored,
            channels,
            (at, cout, size),
            0,
            [side, 1],
            groups,
            &tiles,
        );
        let bias = self.memory.keep(&vec![0.0; to.groups() * LANES]);
        self.phases.push(vec![Op::Conv(Convolution {
            terms: vec![term],
            bias,
            to,
            tiles,
            adds: vec![],
            pieces,
        })]);
        to
    }

    /// Back through a norm (and SiLU): `gradient` lies plain, or is one value for each channel. Returns where the result
    /// lies; `add` is added, and there is a rim if asked.
    fn through_norm(
        &mut self,
        state: State,
        norm: Kept,
        silu: bool,
        (gradient, flat): (usize, bool),
        add: Option<usize>,
        rim: bool,
    ) -> usize {
        let slots = state.groups() * LANES;
        let pieces = Pieces::new(state.height, state.width, state.groups());
        let du = self
            .memory
            .state(state.channels, [state.height, state.width], None)
            .at;
        let sums = self.memory.places.take(pieces.count() * 2 * slots);
        let k = [(); 2].map(|()| self.memory.places.take(slots));
        self.phases.push(vec![Op::Slopes {
            state,
            norm,
            silu,
            gradient,
            flat,
            to: du,
            sums,
            pieces,
        }]);
        let places: Vec<Place> = (0..state.channels)
            .map(|c| Place {
                tensor: 0,
                group: c / LANES,
                lane: c % LANES,
                slot: c,
            })
            .collect();
        self.phases.push(vec![Op::NormBack {
            state,
            per: places.len() / self.config().groups,
            places,
            norm,
            sums,
            pieces: pieces.count(),
            k,
        }]);
        let around = if rim { 2 } else { 0 };
        let to = self
            .memory
            .places
            .take(slots * (state.height + around) * (state.width + around));
        self.phases.push(vec![Op::Combine {
            state,
            norm,
            du,
            k,
            add,
            rim,
            to,
            pieces,
        }]);
        to
    }

    fn block_back(&mut self, name: &str, x: State, h: State, norms: [Kept; 2], g: usize) -> usize {
        let out = self.state_of(&h, g);
        let rimmed = self.rimmed(out);
        let conv2 = format!("{name}.conv2");
        let da = self.transposed(&conv2, rimmed, out, h.channels, [3, 1]);
        let dh = self.through_norm(h, norms[1], true, (da.at, false), None, true);
        let conv1 = format!("{name}.conv1");
        let da = self.transposed(&conv1, dh, h, x.channels, [3, 1]);
        self.through_norm(x, norms[0], true, (da.at, false), Some(g), false)
    }

    fn enter_back(&mut self, name: &str, from: State, g: usize) -> usize {
        let (height, width) = (from.height / 2, from.width / 2);
        let cout = self.get(&format!("{name}.bias")).len();
        let coarse = State {
            at: g,
            channels: cout,
            height,
            width,
            moments: None,
        };
        let len = coarse.groups() * LANES * (from.height + 2) * (from.width + 2);
        let to = self.memory.places.take(len);
        self.phases.push(vec![Op::Dilate { from: coarse, to }]);
        self.transposed(name, to, coarse, from.channels, [3, 2]).at
    }

    fn attention_back(&mut self, name: &str, x: State, qkv: State, norm: Kept, g: usize) -> usize {
        let out = self.state_of(&x, g);
        let mixed = self.transposed(&format!("{name}.out"), g, out, x.channels, [1, 1]);
        let points = x.height * x.width;
        let heads = self.config().heads;
        let len = super::slopes::scratch(points, x.channels / heads).next_multiple_of(LANES);
        let scratch = self.memory.places.take(heads * len);
        let dqkv = self.memory.state(qkv.channels, [x.height, x.width], None);
        self.phases.push(vec![Op::AttendBack {
            qkv: qkv.at,
            gradient: mixed.at,
            to: dqkv.at,
            points,
            channels: x.channels,
            heads,
            scratch,
        }]);
        let dn = self.transposed(&format!("{name}.qkv"), dqkv.at, dqkv, x.channels, [1, 1]);
        self.through_norm(x, norm, false, (dn.at, false), Some(g), false)
    }
}
