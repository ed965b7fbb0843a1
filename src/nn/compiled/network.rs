//! The blocks of a U-Net one after another, and the whole of it.

use super::build::{Active, Builder, Joined, Step};
use super::plan::{Add, Op, Pieces, Plan, State};
use super::simd::LANES;
use crate::nn::config::Skips;

impl Builder<'_> {
    /// A residual block. Its inputs stay.
    fn block(&mut self, name: &str, inputs: &Joined) -> State {
        let times = |d: bool| if d { 2 } else { 1 };
        let size = [
            inputs[0].0.height * times(inputs[0].1),
            inputs[0].0.width * times(inputs[0].1),
        ];
        let (norm1, norm2) = (format!("{name}.norm1"), format!("{name}.norm2"));
        let Active {
            at: a,
            groups,
            norm: first,
        } = self.activate(Some((&norm1, None)), inputs, true, true);
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
            let plain = inputs.len() == 1 && !inputs[0].1;
            assert!(plain, "{name} adds what has another size");
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
        let Active {
            at: b,
            groups,
            norm: second,
        } = self.activate(Some((&norm2, film)), &vec![(h, false)], true, true);
        self.release(&h);
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
        if let Some(tape) = &mut self.tape {
            tape.push(Step::Block {
                name: name.to_owned(),
                x: inputs[0].0,
                h,
                norms: [first, second],
            });
        }
        out
    }

    /// Attention, added to its input; the input's place is given back.
    fn attention(&mut self, name: &str, x: State) -> State {
        let size = [x.height, x.width];
        let norm = format!("{name}.norm");
        let Active {
            at: a,
            groups,
            norm: kept,
        } = self.activate(Some((&norm, None)), &vec![(x, false)], false, false);
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
        let heads = self.config().heads;
        let depth = x.channels / heads;
        self.memory.count(&[4, points, points, x.channels]);
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
        self.release(&wide);
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
        self.release(&x);
        if let Some(tape) = &mut self.tape {
            tape.push(Step::Attention {
                name: name.to_owned(),
                x,
                qkv: wide,
                norm: kept,
            });
        }
        to
    }

    /// The way down: the state that each level begins with and those after its blocks. Nothing but the states is in use.
    pub fn trunk(&mut self, prefix: &str, [ny, nx]: [usize; 2]) -> Vec<Vec<State>> {
        let c = self.config();
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
            width: size[1],
            pieces: Pieces::new(size[0], size[1], 1),
        }]);
        let mut states = Vec::new();
        let mut x: Option<State> = None;
        for level in 0..c.channels.len() {
            let enters = if level == 0 { 1 } else { 2 };
            let adds = self.position(prefix, level, c.channels[level], size.map(|n| n / enters));
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
                    let Active { at: a, groups, .. } =
                        self.activate(None, &vec![(above, false)], false, true);
                    let enter = format!("{prefix}levels.{level}.enter");
                    let input = (a, above.channels, size);
                    let conv = self.convolution(&enter, input, [3, 2], groups.clone(), adds, true);
                    let state = conv.to;
                    self.phases.push(vec![Op::Conv(conv)]);
                    self.drop_active(a, &groups, size, true);
                    if let Some(tape) = &mut self.tape {
                        tape.push(Step::Enter {
                            name: format!("{prefix}levels.{level}.enter"),
                            from: above,
                        });
                    }
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
    fn position(
        &mut self,
        prefix: &str,
        level: usize,
        channels: usize,
        [height, width]: [usize; 2],
    ) -> Vec<Add> {
        let name = format!("{prefix}positions.{level}");
        let Some(values) = self.weights.get(&name) else {
            return Vec::new();
        };
        let pixels = height * width;
        assert_eq!(
            values.len(),
            channels * pixels,
            "{name} is for other fields"
        );
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
        let c = self.config();
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
        let Active { at: a, groups, .. } =
            self.activate(Some(("norm", None)), &vec![(x, false)], true, true);
        let input = (a, x.channels, size);
        let conv = self.convolution("output", input, [3, 1], groups, vec![], false);
        let from = conv.to;
        self.phases.push(vec![Op::Conv(conv)]);
        self.phases.push(vec![Op::Store { from }]);
        self.finish(field, "trunk.")
    }
}
