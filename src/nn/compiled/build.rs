//! From a U-Net's sizes and weights to a plan.

use std::collections::BTreeMap;

use super::kernels::Kernels;
use super::memory::Aligned;
use super::norm::Place;
use super::plan::{
    Add, Convolution, Edge, Linear, Memory, Noise, Op, Pieces, Plan, Source, State, Term,
};
use super::simd::LANES;
use crate::nn::config::{Skips, UNetConfig};

/// Weights by name, as [`crate::nn::weights::parameters`] names them.
pub(crate) type Weights = BTreeMap<String, Vec<f32>>;

/// Pixels of one task.
const PIECE: usize = 256;

/// Tensors that enter a block side by side; `true` = doubled in both directions.
type Joined = Vec<(State, bool)>;

pub(super) struct Builder<'a> {
    config: &'a UNetConfig,
    weights: &'a Weights,
    pub memory: Memory,
    pub phases: Vec<Vec<Op>>,
    /// Outputs of the noise embedding so far: names of the modulations, and where they begin.
    film: Vec<(String, usize)>,
    film_len: usize,
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
        }
    }

    /// The values of a parameter; a missing one is a fault of the program.
    fn get(&self, name: &str) -> &'a [f32] {
        self.weights
            .get(name)
            .unwrap_or_else(|| unreachable!("the network has a parameter {name}"))
    }

    fn has(&self, name: &str) -> bool {
        self.weights.contains_key(name)
    }

    /// A convolution of the rimmed or plain input at `at`.
    fn term(
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
        let rim = if side == 3 { 2 } else { 0 };
        let pixels = (height / stride * (width / stride)) as u64;
        let cin: usize = groups.iter().sum();
        self.memory.flops += 2 * pixels * (cout * cin * side * side) as u64;
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
    fn convolution(
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
        let pieces = Pieces::new(height, width, PIECE);
        let to = self
            .memory
            .state(bias.len(), [height, width], measured.then_some(pieces));
        let tiles = self.memory.tiles(to.groups());
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
    fn activate(
        &mut self,
        norm: Option<(&str, Option<&str>)>,
        inputs: &Joined,
        silu: bool,
        rim: bool,
    ) -> (usize, Vec<usize>) {
        let doubled = |d: bool| if d { 2 } else { 1 };
        let (first, d) = inputs[0];
        let (height, width) = (first.height * doubled(d), first.width * doubled(d));
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
            }]);
            [scale, shift]
        });
        let len = Self::active_len(slots, [height, width], rim);
        let to = self.memory.places.take(len);
        self.phases.push(vec![Op::Activate {
            sources,
            scaled,
            silu,
            rim,
            to,
            pieces: Pieces::new(height, width, PIECE),
            width,
        }]);
        if let Some([scale, shift]) = scaled {
            self.memory.places.give(scale, slots);
            self.memory.places.give(shift, slots);
        }
        (to, groups)
    }

    fn active_len(slots: usize, [height, width]: [usize; 2], rim: bool) -> usize {
        let rim = if rim { 2 } else { 0 };
        slots * (height + rim) * (width + rim)
    }

    fn drop_active(&mut self, at: usize, groups: &[usize], size: [usize; 2], rim: bool) {
        let len = Self::active_len(groups.len() * LANES, size, rim);
        self.memory.places.give(at, len);
    }

    /// A residual block. Its inputs stay.
    fn block(&mut self, name: &str, inputs: &Joined) -> State {
        let times = |d: bool| if d { 2 } else { 1 };
        let size = [
            inputs[0].0.height * times(inputs[0].1),
            inputs[0].0.width * times(inputs[0].1),
        ];
        let (norm1, norm2) = (format!("{name}.norm1"), format!("{name}.norm2"));
        let (a, groups) = self.activate(Some((&norm1, None)), inputs, true, true);
        let cin = groups.iter().sum();
        let conv1 = self.convolution(
            &format!("{name}.conv1"),
            (a, cin, size),
            [3, 1],
            groups.clone(),
            vec![],
            true,
        );
        let h = conv1.to;
        let mut phase = vec![Op::Conv(conv1)];
        let mut adds = Vec::new();
        let mut coarse = None;
        let skip = format!("{name}.skip");
        let bends = self.has(&format!("{skip}.weight"));
        if !bends {
            adds.push(Add::State {
                at: inputs[0].0.at,
                doubled: false,
            });
        } else if inputs[0].1 {
            // A 1x1 convolution of a doubled tensor is the doubled convolution.
            let state = inputs[0].0;
            let own: Vec<usize> = (0..state.groups()).map(|g| state.within(g)).collect();
            let mut conv = self.convolution(
                &skip,
                (state.at, cin, [state.height, state.width]),
                [1, 1],
                own,
                vec![],
                false,
            );
            // The bias is added with the other part.
            conv.bias = self.memory.keep(&vec![0.0; conv.to.groups() * LANES]);
            adds.push(Add::State {
                at: conv.to.at,
                doubled: true,
            });
            coarse = Some(conv.to);
            phase.push(Op::Conv(conv));
        }
        self.phases.push(phase);
        self.drop_active(a, &groups, size, true);

        let modulation = format!("{name}.modulation");
        let film = self
            .has(&format!("{modulation}.weight"))
            .then_some(modulation.as_str());
        let (b, groups) = self.activate(Some((&norm2, film)), &vec![(h, false)], true, true);
        self.memory.drop(&h);
        let cout = h.channels;
        let mut conv2 = self.convolution(
            &format!("{name}.conv2"),
            (b, cout, size),
            [3, 1],
            groups.clone(),
            adds,
            true,
        );
        if bends {
            let mut first = 0;
            for (state, d) in inputs {
                if !d {
                    let own = (0..state.groups()).map(|g| state.within(g)).collect();
                    let term = self.term(
                        &skip,
                        (state.at, cin, size),
                        first,
                        [1, 1],
                        own,
                        &conv2.tiles.clone(),
                    );
                    conv2.terms.push(term);
                }
                first += state.channels;
            }
            let both: Vec<f32> = self
                .get(&format!("{name}.conv2.bias"))
                .iter()
                .zip(self.get(&format!("{skip}.bias")))
                .map(|(a, b)| a + b)
                .collect();
            conv2.bias = self.memory.keep_padded(&both);
        }
        let out = conv2.to;
        self.phases.push(vec![Op::Conv(conv2)]);
        self.drop_active(b, &groups, size, true);
        if let Some(state) = coarse {
            self.memory.drop(&state);
        }
        out
    }

    /// Attention, added to its input; the input's place is given back.
    fn attention(&mut self, name: &str, x: State) -> State {
        let size = [x.height, x.width];
        let norm = format!("{name}.norm");
        let (a, groups) = self.activate(Some((&norm, None)), &vec![(x, false)], false, false);
        let qkv = self.convolution(
            &format!("{name}.qkv"),
            (a, x.channels, size),
            [1, 1],
            groups.clone(),
            vec![],
            false,
        );
        let wide = qkv.to;
        self.phases.push(vec![Op::Conv(qkv)]);
        self.drop_active(a, &groups, size, false);
        let points = x.height * x.width;
        let heads = self.config.heads;
        let depth = x.channels / heads;
        self.memory.flops += 4 * (points * points * x.channels) as u64;
        let len = super::attention::scratch(points, depth).next_multiple_of(LANES);
        let scratch = self.memory.places.take(heads * len);
        let mixed = self.memory.state(x.channels, size, None);
        self.phases.push(vec![Op::Attend {
            qkv: wide.at,
            to: mixed.at,
            points,
            channels: x.channels,
            heads,
            scratch,
        }]);
        self.memory.places.give(scratch, heads * len);
        self.memory.drop(&wide);
        let own = (0..x.groups()).map(|g| x.within(g)).collect();
        let out = self.convolution(
            &format!("{name}.out"),
            (mixed.at, x.channels, size),
            [1, 1],
            own,
            vec![Add::State {
                at: x.at,
                doubled: false,
            }],
            true,
        );
        let to = out.to;
        self.phases.push(vec![Op::Conv(out)]);
        self.memory.drop(&mixed);
        self.memory.drop(&x);
        to
    }

    /// The way down: the state that each level begins with and those after its blocks. Nothing but the states is in use.
    pub fn trunk(&mut self, prefix: &str, [ny, nx]: [usize; 2]) -> Vec<Vec<State>> {
        let c = self.config;
        let mut size = [ny / c.patch, nx / c.patch];
        let folded = c.in_channels * c.patch * c.patch;
        let groups: Vec<usize> = (0..folded.div_ceil(LANES))
            .map(|g| LANES.min(folded - g * LANES))
            .collect();
        let len = Self::active_len(groups.len() * LANES, size, true);
        let to = self.memory.places.take(len);
        self.phases.push(vec![Op::Load {
            to,
            channels: folded,
            height: size[0],
            width: size[1],
        }]);
        let mut states = Vec::new();
        let mut x: Option<State> = None;
        for level in 0..c.channels.len() {
            let adds = self.position(prefix, level, c.channels[level]);
            let begin = match x {
                None => {
                    let stem = format!("{prefix}stem");
                    let conv = self.convolution(
                        &stem,
                        (to, folded, size),
                        [3, 1],
                        groups.clone(),
                        adds,
                        true,
                    );
                    let state = conv.to;
                    self.phases.push(vec![Op::Conv(conv)]);
                    self.drop_active(to, &groups, size, true);
                    state
                }
                Some(above) => {
                    let (a, groups) = self.activate(None, &vec![(above, false)], false, true);
                    let enter = format!("{prefix}levels.{level}.enter");
                    let input = (a, above.channels, size);
                    let conv = self.convolution(&enter, input, [3, 2], groups.clone(), adds, true);
                    let state = conv.to;
                    self.phases.push(vec![Op::Conv(conv)]);
                    self.drop_active(a, &groups, size, true);
                    size = size.map(|n| n / 2);
                    state
                }
            };
            let mut own = vec![begin];
            let last = level + 1 == c.channels.len();
            let attend = if last && c.skips == Skips::Level {
                c.blocks[level].div_ceil(2)
            } else {
                c.blocks[level]
            };
            let mut now = begin;
            for i in 0..c.blocks[level] {
                let name = format!("{prefix}levels.{level}");
                now = self.block(&format!("{name}.blocks.{i}"), &vec![(now, false)]);
                if c.attention[level] && attend == i + 1 {
                    now = self.attention(&format!("{name}.attention"), now);
                }
                own.push(now);
            }
            states.push(own);
            x = Some(now);
        }
        states
    }

    /// The learned field of a level, as something to add.
    fn position(&mut self, prefix: &str, level: usize, channels: usize) -> Vec<Add> {
        let name = format!("{prefix}positions.{level}");
        let Some(values) = self.weights.get(&name) else {
            return Vec::new();
        };
        let pixels = values.len() / channels;
        let mut grouped = vec![0.0; channels.next_multiple_of(LANES) * pixels];
        for (channel, plane) in values.chunks_exact(pixels).enumerate() {
            for (pixel, v) in plane.iter().enumerate() {
                grouped[(channel / LANES * pixels + pixel) * LANES + channel % LANES] = *v;
            }
        }
        vec![Add::Field {
            at: self.memory.keep(&grouped),
        }]
    }

    /// The whole network.
    pub fn unet(mut self, field: [usize; 2]) -> Plan {
        let c = self.config;
        let mut states = self.trunk("trunk.", field);
        let block_skips = c.skips == Skips::Block;
        let deepest = states.last().and_then(|own| own.last().copied());
        let mut x = deepest.unwrap_or_else(|| unreachable!("a trunk has at least one level"));
        // Whether `x` is nobody's skip connection and its place can be given back after use.
        let mut ours = false;
        if block_skips {
            x = self.block("middle.blocks.0", &vec![(x, false)]);
            x = self.attention("middle.attention", x);
            let next = self.block("middle.blocks.1", &vec![(x, false)]);
            self.memory.drop(&x);
            (x, ours) = (next, true);
        } else {
            states.pop();
        }
        for level in (0..states.len()).rev() {
            let mut own = std::mem::take(&mut states[level]);
            let n = if block_skips {
                c.blocks[level] + 1
            } else {
                c.up_blocks[level]
            };
            for i in 0..n {
                let skip = if i == 0 || block_skips {
                    own.pop()
                } else {
                    None
                };
                let inputs = match skip {
                    Some(skip) => vec![(x, x.height != skip.height), (skip, false)],
                    None => vec![(x, false)],
                };
                let mut next = self.block(&format!("up.{level}.blocks.{i}"), &inputs);
                if ours {
                    self.memory.drop(&x);
                }
                if let Some(skip) = skip {
                    self.memory.drop(&skip);
                }
                if c.attention[level] && i + 1 == n {
                    next = self.attention(&format!("up.{level}.attention"), next);
                }
                (x, ours) = (next, true);
            }
        }
        let size = [x.height, x.width];
        let (a, groups) = self.activate(Some(("norm", None)), &vec![(x, false)], true, true);
        let input = (a, x.channels, size);
        let conv = self.convolution("output", input, [3, 1], groups, vec![], false);
        let from = conv.to;
        self.phases.push(vec![Op::Conv(conv)]);
        self.phases.push(vec![Op::Store { from }]);
        self.finish(field, "trunk.")
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
            field,
            flops: self.memory.flops,
        }
    }

    fn noise(&mut self, prefix: &str) -> Option<Noise> {
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
