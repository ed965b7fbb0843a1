//! Running a plan: phase after phase, the tasks of each shared by the team.

use super::attention::Head;
use super::conv::{Addend, Rows};
use super::kernels::shape;
use super::memory::Aligned;
use super::norm::{Activation, Coefficients, Measured, coefficients};
use super::plan::{Add, Convolution, Linear, Noise, Op, Plan, State};
use super::simd::LANES;
use super::team::{Session, Team};
use crate::nn::config::{FREQUENCIES, frequencies};

/// Added to the variance, as everywhere.
const EPSILON: f32 = 1e-5;

/// Channels of the input: `[rows, channels, y, x]`, all times `scale`.
#[derive(Clone, Copy)]
pub(crate) struct Input<'a> {
    pub values: &'a [f32],
    pub channels: usize,
    pub scale: f32,
}

/// What becomes of the network's output F: `keep * first input channel + scale * F`.
#[derive(Clone, Copy)]
pub(crate) struct Output {
    pub keep: f32,
    pub scale: f32,
}

/// Memory in which tasks work side by side, each on its own part.
#[derive(Clone, Copy)]
pub(super) struct Arena {
    start: *mut f32,
    len: usize,
}

// SAFETY: the plan gives every task of a phase its own part to write, which no other task of the phase reads; phases
// follow each other with a barrier between them.
unsafe impl Sync for Arena {}

impl Arena {
    pub(super) fn at(&self, offset: usize) -> *mut f32 {
        debug_assert!(offset <= self.len);
        // SAFETY: inside the allocation, as the plan counts it and `check` has found.
        unsafe { self.start.add(offset) }
    }
}

/// A plan and the memory that it works in.
pub(super) struct Runner {
    pub plan: Plan,
    arena: Aligned,
    /// Images that are worked on at the same time at most.
    images: usize,
}

/// One pass over some images.
pub(super) struct Pass<'a> {
    pub(super) plan: &'a Plan,
    arena: Arena,
    constants: *const f32,
    images: usize,
    pub(super) inputs: &'a [Input<'a>],
    /// Number of the first image in the inputs and the output.
    pub(super) first: usize,
    pub(super) output: Arena,
    /// By output channel; one for all, or one for each.
    pub(super) finish: &'a [Output],
}

// SAFETY: as for `Arena`; constants are only read.
unsafe impl Sync for Pass<'_> {}

impl Runner {
    /// # Panics
    /// If a step of the plan would leave its place.
    pub fn new(plan: Plan, images: usize) -> Self {
        plan.check();
        let arena = Aligned::zeros(images * plan.image + plan.common);
        Self {
            plan,
            arena,
            images,
        }
    }

    /// Runs the network on `rows` images.
    ///
    /// # Panics
    /// If the sizes of inputs, output or logits are not the plan's.
    #[expect(clippy::too_many_arguments, reason = "inputs and outputs of a network")]
    pub fn run(
        &mut self,
        team: &Team,
        inputs: &[Input<'_>],
        rows: usize,
        c_noise: Option<f32>,
        finish: &[Output],
        output: &mut [f32],
        mut logits: Option<&mut [f32]>,
    ) {
        let plan = &self.plan;
        let cells = plan.field[0] * plan.field[1];
        let channels: usize = inputs.iter().map(|i| i.channels).sum();
        assert_eq!(channels, plan.in_channels, "channels of the input");
        for input in inputs {
            assert_eq!(input.values.len(), rows * input.channels * cells, "input");
        }
        assert_eq!(output.len(), rows * plan.out_channels * cells, "output");
        assert_eq!(c_noise.is_some(), plan.noise.is_some(), "noise level");
        if let Some(logits) = &logits {
            assert_eq!(logits.len(), rows, "logits");
        }
        assert!(!finish.is_empty(), "what becomes of the output");
        let mut session = team.enter();
        let arena = Arena {
            len: self.arena.len(),
            start: self.arena.as_mut_ptr(),
        };
        if let Some(c) = c_noise {
            self.embed(arena, c);
        }
        let mut first = 0;
        while first < rows {
            let images = self.images.min(rows - first);
            let pass = Pass {
                plan,
                arena,
                constants: plan.constants.as_ptr(),
                images,
                inputs,
                first,
                output: Arena {
                    start: output.as_mut_ptr(),
                    len: output.len(),
                },
                finish,
            };
            for phase in &plan.phases {
                pass.phase(&mut session, phase);
            }
            if let (Some(at), Some(logits)) = (plan.logit, &mut logits) {
                for (image, logit) in logits[first..first + images].iter_mut().enumerate() {
                    // SAFETY: the place of the image's logit; no task runs now.
                    *logit = unsafe { *pass.place(image, at) };
                }
            }
            first += images;
        }
    }

    /// Noise level to factors and addends of the norms.
    fn embed(&self, arena: Arena, c_noise: f32) {
        let plan = &self.plan;
        let Some(noise) = &plan.noise else { return };
        let features = self.images * plan.image;
        let hidden1 = features + noise.linear1.inputs.next_multiple_of(LANES);
        let hidden2 = hidden1 + noise.linear1.outputs;
        for (i, frequency) in frequencies().into_iter().enumerate() {
            let (sin, cos) = (frequency * c_noise).sin_cos();
            // SAFETY: the embedding's part of the arena, used by nobody else now.
            unsafe {
                *arena.at(features + i) = sin;
                *arena.at(features + FREQUENCIES + i) = cos;
            }
        }
        let film = hidden2 + noise.linear2.outputs;
        for (layer, from, to, silu) in [
            (&noise.linear1, features, hidden1, true),
            (&noise.linear2, hidden1, hidden2, true),
            (&noise.film, hidden2, film, false),
        ] {
            // SAFETY: the embedding's part of the arena has room for all four vectors.
            unsafe { linear(plan, layer, arena.at(from), arena.at(to), silu) };
        }
    }
}

/// A linear layer of one point.
///
/// # Safety
/// Pointers are valid for the layer's sizes, and nobody else touches `to`.
unsafe fn linear(plan: &Plan, layer: &Linear, from: *const f32, to: *mut f32, silu: bool) {
    let constants = plan.constants.as_ptr();
    for &(first, n, weights) in &layer.tiles {
        // SAFETY: weights, bias and vectors as the plan lays them out; the kernels fit the processor.
        unsafe {
            (plan.kernels.rows[0][n - 1])(&Rows {
                input: from,
                pitch: 0,
                weights: constants.add(weights),
                // All inputs are one run of taps: weights of one point lie side by side.
                channels: layer.inputs,
                bias: constants.add(layer.bias + first * LANES),
                output: to.add(first * LANES),
                plane: LANES,
                rows: 1,
                width: 1,
            });
        }
    }
    if silu {
        // SAFETY: as above; in place, element by element.
        unsafe {
            (plan.kernels.activate)(&Activation {
                input: to,
                doubled: false,
                scale: std::ptr::null(),
                shift: std::ptr::null(),
                silu: true,
                output: to,
                edges: None,
                height: 1,
                width: layer.outputs / LANES,
                first: 0,
                end: 1,
            });
        }
    }
}

/// Tasks that a step has for each image.
fn tasks(op: &Op) -> usize {
    match op {
        Op::Store { .. } | Op::Coefficients { .. } => 1,
        Op::Load { pieces, .. } => pieces.count(),
        Op::Conv(c) => c.tiles.len() * c.pieces.count(),
        Op::Activate {
            sources, pieces, ..
        } => sources.len() * pieces.count(),
        Op::Attend { heads, .. } | Op::AttendBack { heads, .. } => *heads,
        Op::Slopes { state, pieces, .. } | Op::Combine { state, pieces, .. } => {
            state.groups() * pieces.count()
        }
        Op::Head { .. } | Op::NormBack { .. } => 1,
        Op::Dilate { from, .. } => from.groups(),
    }
}

impl Pass<'_> {
    fn phase(&self, session: &mut Session<'_>, phase: &[Op]) {
        let total: usize = phase.iter().map(tasks).sum();
        session.run(total * self.images, &|i| {
            // Images innermost: neighbours in time use the same weights.
            let (mut task, image) = (i / self.images, i % self.images);
            for op in phase {
                let n = tasks(op);
                if task < n {
                    self.task(op, task, image);
                    return;
                }
                task -= n;
            }
        });
    }

    pub(super) fn constant(&self, at: usize) -> *const f32 {
        debug_assert!(at <= self.plan.constants.len());
        // SAFETY: inside the constants, as the plan counts them and `check` has found.
        unsafe { self.constants.add(at) }
    }

    /// A place in the part of an image.
    pub(super) fn place(&self, image: usize, at: usize) -> *mut f32 {
        self.arena.at(image * self.plan.image + at)
    }

    fn film(&self, at: usize) -> *const f32 {
        let noise = self.plan.noise.as_ref();
        let before = noise.map_or(0, Noise::hidden);
        let images = (self.arena.len - self.plan.common) / self.plan.image;
        self.arena.at(images * self.plan.image + before + at)
    }

    fn task(&self, op: &Op, task: usize, image: usize) {
        match op {
            Op::Load {
                to, width, pieces, ..
            } => {
                let size = [pieces.height, *width];
                self.load(self.place(image, *to), size, pieces.range(task), image);
            }
            Op::Conv(c) => self.convolution(c, task, image),
            Op::Coefficients {
                measured,
                places,
                per,
                gain,
                offset,
                film,
                scale,
                shift,
                kept,
            } => {
                // A block has one or two inputs.
                let mut list = [self.measured(&measured[0], image); 2];
                for (slot, m) in list.iter_mut().zip(measured) {
                    *slot = self.measured(m, image);
                }
                let film = film.map_or([std::ptr::null(); 2], |f| f.map(|at| self.film(at)));
                // SAFETY: tables of the plan; this image's coefficients are this task's alone.
                unsafe {
                    coefficients(
                        &list,
                        places,
                        *per,
                        EPSILON,
                        &Coefficients {
                            gain: self.constant(*gain),
                            offset: self.constant(*offset),
                            film,
                            scale: self.place(image, *scale),
                            shift: self.place(image, *shift),
                            kept: kept.map_or([std::ptr::null_mut(); 2], |kept| {
                                kept.map(|at| self.place(image, at))
                            }),
                        },
                    );
                }
            }
            Op::Activate {
                sources,
                scaled,
                silu,
                rim,
                to,
                pieces,
                width,
            } => {
                // Piece by piece, as the convolutions take them.
                let (group, piece) = (task % sources.len(), task / sources.len());
                let (first, end) = pieces.range(piece);
                let source = &sources[group];
                let around = if *rim { 2 } else { 0 };
                let plane = (pieces.height + around) * (width + around) * LANES;
                let coefficients = scaled.map_or([std::ptr::null(); 2], |s| {
                    s.map(|at| self.place(image, at + group * LANES).cast_const())
                });
                // SAFETY: rows `first..end` of this group are this task's alone; sizes are the plan's.
                unsafe {
                    (self.plan.kernels.activate)(&Activation {
                        input: self.place(image, source.at),
                        doubled: source.doubled,
                        scale: coefficients[0],
                        shift: coefficients[1],
                        silu: *silu,
                        output: self.place(image, to + group * plane),
                        edges: rim.then_some(self.plan.edges),
                        height: pieces.height,
                        width: *width,
                        first,
                        end,
                    });
                }
            }
            Op::Attend {
                qkv,
                to,
                points,
                channels,
                heads,
                scratch,
            } => {
                let depth = channels / heads;
                let len = super::attention::scratch(*points, depth).next_multiple_of(LANES);
                // SAFETY: this head's channels and scratch are this task's alone.
                unsafe {
                    (self.plan.kernels.attend)(&Head {
                        qkv: self.place(image, *qkv),
                        output: self.place(image, *to),
                        points: *points,
                        channels: *channels,
                        depth,
                        head: task,
                        scratch: self.place(image, scratch + task * len),
                    });
                }
            }
            Op::Store { from } => self.store(from, image),
            Op::Head { .. }
            | Op::Slopes { .. }
            | Op::NormBack { .. }
            | Op::Combine { .. }
            | Op::Dilate { .. }
            | Op::AttendBack { .. } => self.back(op, task, image),
        }
    }

    fn measured(&self, (state, doubled): &(State, bool), image: usize) -> Measured {
        let m = state
            .moments
            .unwrap_or_else(|| unreachable!("what a norm sees is measured"));
        Measured {
            moments: self.place(image, m.at),
            pieces: m.pieces,
            groups: state.groups(),
            pixels: m.pixels,
            times: if *doubled { 4 } else { 1 },
        }
    }

    fn convolution(&self, c: &Convolution, task: usize, image: usize) {
        let (tile, piece) = (task % c.tiles.len(), task / c.tiles.len());
        let (group, n) = c.tiles[tile];
        let (first, end) = c.pieces.range(piece);
        let (width, plane) = (c.to.width, c.to.plane());
        let output = self.place(image, c.to.at + group * plane + first * width * LANES);
        let mut bias = self.constant(c.bias + group * LANES);
        for term in &c.terms {
            let kernel = self.plan.kernels.rows[shape(term.side, term.stride)][n - 1];
            let mut weights = self.constant(term.weights[tile]);
            for (g, &channels) in term.channels.iter().enumerate() {
                let input = term.at + g * term.plane + first * term.stride * term.pitch;
                // SAFETY: the input has the rows that the kernel's taps reach (a rim where the side is 3); the output's
                // rows of these groups are this task's alone; weights as packed.
                unsafe {
                    kernel(&Rows {
                        input: self.place(image, input),
                        pitch: term.pitch,
                        weights,
                        channels,
                        bias,
                        output,
                        plane,
                        rows: end - first,
                        width,
                    });
                    weights = weights.add(term.side * term.side * channels * n * LANES);
                }
                bias = std::ptr::null();
            }
        }
        for g in group..group + n {
            let mut addends = [Addend {
                from: std::ptr::null(),
                doubled: false,
            }; 2];
            for (slot, add) in addends.iter_mut().zip(&c.adds) {
                let row = |doubled: bool| {
                    let d = usize::from(doubled);
                    g * (plane >> (2 * d)) + (first >> d) * (width >> d) * LANES
                };
                *slot = match *add {
                    Add::State { at, doubled } => Addend {
                        from: self.place(image, at + row(doubled)),
                        doubled,
                    },
                    Add::Field { at } => Addend {
                        from: self.constant(at + row(false)),
                        doubled: false,
                    },
                };
            }
            let moments = c.to.moments.map_or(std::ptr::null_mut(), |m| {
                self.place(image, m.at + (piece * c.to.groups() + g) * 2 * LANES)
            });
            if c.adds.is_empty() && moments.is_null() {
                continue;
            }
            // SAFETY: the same rows as above, and this piece's moments.
            unsafe {
                (self.plan.kernels.finish)(
                    self.place(image, c.to.at + g * plane + first * width * LANES),
                    end - first,
                    width,
                    &addends[..c.adds.len().min(2)],
                    moments,
                );
            }
        }
    }
}
