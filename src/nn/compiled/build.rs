//! From a U-Net's sizes and weights to a plan.

use std::collections::BTreeMap;

use super::kernels::Kernels;
use super::memory::Aligned;
use super::norm::Place;
use super::plan::{Add, Convolution, Edge, Kept, Memory, Op, Pieces, Plan, Source, State, Term};
use super::simd::LANES;
use crate::nn::config::UNetConfig;

/// Weights by name, as [`crate::nn::weights::parameters`] names them.
pub(crate) type Weights = BTreeMap<String, Vec<f32>>;

/// Tensors that enter a block side by side; `true` = doubled in both directions.
pub(super) type Joined = Vec<(State, bool)>;

/// One step of the way down, for the way back.
pub(super) enum Step {
    Enter {
        name: String,
        from: State,
    },
    Block {
        name: String,
        x: State,
        h: State,
        norms: [Kept; 2],
    },
    Attention {
        name: String,
        x: State,
        qkv: State,
        norm: Kept,
    },
}

/// What [`Builder::activate`] makes.
pub(super) struct Active {
    pub at: usize,
    /// Channels of each group.
    pub groups: Vec<usize>,
    pub norm: Kept,
}

pub(super) struct Builder<'a> {
    config: &'a UNetConfig,
    pub weights: &'a Weights,
    pub memory: Memory,
    pub phases: Vec<Vec<Op>>,
    /// Outputs of the noise embedding so far: names of the modulations, and where they begin.
    pub film: Vec<(String, usize)>,
    pub film_len: usize,
    /// What the way back needs; `None` = there is none, and places are given back.
    pub tape: Option<Vec<Step>>,
}

impl<'a> Builder<'a> {
    pub fn new(config: &'a UNetConfig, weights: &'a Weights, kernels: &'static Kernels) -> Self {
        Self {
            config,
            weights,
            memory: Memory::new(kernels),
            phases: Vec::new(),
            film: Vec::new(),
            film_len: 0,
            tape: None,
        }
    }

    /// The values of a parameter; a missing one is a fault of the program.
    pub fn get(&self, name: &str) -> &'a [f32] {
        self.weights
            .get(name)
            .unwrap_or_else(|| unreachable!("the network has a parameter {name}"))
    }

    pub fn config(&self) -> &'a UNetConfig {
        self.config
    }

    /// From now on everything that a way back needs is kept.
    pub fn keep_tape(&mut self) {
        self.tape = Some(Vec::new());
    }

    pub fn take_tape(&mut self) -> Vec<Step> {
        self.tape.replace(Vec::new()).unwrap_or_default()
    }

    /// Norm and SiLU of a tensor: where the result lies, and what the norm keeps.
    pub fn plain(&mut self, norm: &str, state: State) -> (usize, Kept) {
        let active = self.activate(Some((norm, None)), &vec![(state, false)], true, false);
        (active.at, active.norm)
    }

    /// A copy of a tensor with a rim.
    pub fn rimmed(&mut self, state: State) -> usize {
        self.activate(None, &vec![(state, false)], false, true).at
    }

    pub fn has(&self, name: &str) -> bool {
        self.weights.contains_key(name)
    }

    /// A convolution of the rimmed or plain input at `at`.
    pub fn term(
        &mut self,
        name: &str,
        input: (usize, usize, [usize; 2]),
        first: usize,
        [side, stride]: [usize; 2],
        groups: Vec<usize>,
        tiles: &[(usize, usize)],
    ) -> Term {
        let (at, total, [height, width]) = input;
        let weight = self.get(&format!("{name}.weight"));
        let cout = self.get(&format!("{name}.bias")).len();
        self.term_of(
            weight,
            cout,
            (at, total, [height, width]),
            first,
            [side, stride],
            groups,
            tiles,
        )
    }

    /// The same with weights `[cout, total, side, side]`.
    #[expect(clippy::too_many_arguments, reason = "the sizes of one convolution")]
    pub fn term_of(
        &mut self,
        weight: &[f32],
        cout: usize,
        (at, total, [height, width]): (usize, usize, [usize; 2]),
        first: usize,
        [side, stride]: [usize; 2],
        groups: Vec<usize>,
        tiles: &[(usize, usize)],
    ) -> Term {
        assert_eq!(weight.len(), cout * total * side * side, "weights");
        let rim = if side == 3 { 2 } else { 0 };
        let cin: usize = groups.iter().sum();
        let pixels = height / stride * (width / stride);
        self.memory.count(&[2, pixels, cout * cin, side * side]);
        Term {
            at,
            plane: (height + rim) * (width + rim) * LANES,
            pitch: (width + rim) * LANES,
            side,
            stride,
            weights: self
                .memory
                .pack(weight, [cout, total, side], first, &groups, tiles),
            channels: groups,
        }
    }

    /// A convolution with one 3x3 or 1x1 term.
    pub fn convolution(
        &mut self,
        name: &str,
        input: (usize, usize, [usize; 2]),
        [side, stride]: [usize; 2],
        groups: Vec<usize>,
        adds: Vec<Add>,
        measured: bool,
    ) -> Convolution {
        let bias = self.get(&format!("{name}.bias"));
        let [height, width] = input.2.map(|n| n / stride);
        let tiles = self.memory.tiles(bias.len().div_ceil(LANES));
        let pieces = Pieces::new(height, width, tiles.len());
        let to = self
            .memory
            .state(bias.len(), [height, width], measured.then_some(pieces));
        let term = self.term(name, input, 0, [side, stride], groups, &tiles);
        Convolution {
            terms: vec![term],
            bias: self.memory.keep_padded(bias),
            to,
            tiles,
            adds,
            pieces,
        }
    }

    /// Norm (if named), SiLU and rim of tensors side by side; returns where the result lies, and the channels of its
    /// groups. The caller gives it back by [`Self::drop_active`].
    pub fn activate(
        &mut self,
        norm: Option<(&str, Option<&str>)>,
        inputs: &Joined,
        silu: bool,
        rim: bool,
    ) -> Active {
        let doubled = |d: bool| if d { 2 } else { 1 };
        let (first, d) = inputs[0];
        let (height, width) = (first.height * doubled(d), first.width * doubled(d));
        let same = |(s, d): &(State, bool)| {
            [s.height * doubled(*d), s.width * doubled(*d)] == [height, width]
        };
        assert!(
            inputs.iter().all(same),
            "tensors side by side differ in size"
        );
        let mut sources = Vec::new();
        let mut groups = Vec::new();
        let mut places = Vec::new();
        for (tensor, (state, d)) in inputs.iter().enumerate() {
            for group in 0..state.groups() {
                for lane in 0..state.within(group) {
                    places.push(Place {
                        tensor,
                        group,
                        lane,
                        slot: groups.len() * LANES + lane,
                    });
                }
                groups.push(state.within(group));
                sources.push(Source {
                    at: state.at + group * state.plane(),
                    doubled: *d,
                });
            }
        }
        let slots = groups.len() * LANES;
        let scaled = norm.map(|(norm, modulation)| {
            let spread = |values: &[f32]| {
                let mut out = vec![0.0; slots];
                for (place, v) in places.iter().zip(values) {
                    out[place.slot] = *v;
                }
                out
            };
            let gain = spread(self.get(&format!("{norm}.scale")));
            let offset = spread(self.get(&format!("{norm}.shift")));
            let (gain, offset) = (self.memory.keep(&gain), self.memory.keep(&offset));
            let film = modulation.map(|name| {
                let at = self.film_len;
                self.film.push((name.to_owned(), at));
                self.film_len += 2 * slots;
                [at, at + slots]
            });
            let scale = self.memory.places.take(slots);
            let shift = self.memory.places.take(slots);
            let kept = self.tape.is_some().then(|| {
                let rstd = self.memory.places.take(slots);
                [rstd, self.memory.places.take(slots)]
            });
            let per = places.len() / self.config.groups;
            self.phases.push(vec![Op::Coefficients {
                measured: inputs.clone(),
                places,
                per,
                gain,
                offset,
                film,
                scale,
                shift,
                kept,
            }]);
            let [rstd, mean] = kept.unwrap_or_default();
            Kept {
                scale,
                shift,
                rstd,
                mean,
            }
        });
        let len = Self::active_len(slots, [height, width], rim);
        let to = self.memory.places.take(len);
        self.phases.push(vec![Op::Activate {
            pieces: Pieces::new(height, width, sources.len()),
            sources,
            scaled: scaled.map(|s| [s.scale, s.shift]),
            silu,
            rim,
            to,
            width,
        }]);
        if let Some(s) = scaled.filter(|_| self.tape.is_none()) {
            self.memory.places.give(s.scale, slots);
            self.memory.places.give(s.shift, slots);
        }
        Active {
            at: to,
            groups,
            norm: scaled.unwrap_or_default(),
        }
    }

    /// Gives a state's place back, unless the way back needs it.
    pub fn release(&mut self, state: &State) {
        if self.tape.is_none() {
            self.memory.drop(state);
        }
    }

    pub fn active_len(slots: usize, [height, width]: [usize; 2], rim: bool) -> usize {
        let rim = if rim { 2 } else { 0 };
        slots * (height + rim) * (width + rim)
    }

    pub fn drop_active(&mut self, at: usize, groups: &[usize], size: [usize; 2], rim: bool) {
        let len = Self::active_len(groups.len() * LANES, size, rim);
        self.memory.places.give(at, len);
    }

    /// The plan of what has been built.
    pub fn finish(mut self, field: [usize; 2], prefix: &str) -> Plan {
        let noise = self.noise(prefix);
        let c = self.config;
        let common = noise.as_ref().map_or(0, |n| n.hidden() + n.film.outputs);
        Plan {
            kernels: self.memory.kernels,
            phases: self.phases,
            weights: self.memory.constants.len() * size_of::<f32>(),
            constants: Aligned::new(&self.memory.constants),
            noise,
            // An odd number of lines, so that images do not meet in the same sets of the cache.
            image: ((self.memory.places.total / LANES) | 1) * LANES,
            common,
            edges: c.padding.map(Edge::from),
            patch: c.patch,
            in_channels: c.in_channels,
            out_channels: c.out_channels,
            logit: None,
            field,
            flops: self.memory.flops,
        }
    }
}
