//! Whether the steps of a plan stay in their places.
//!
//! Kernels are given bare pointers. What they will touch is computed here from each step alone, whatever the builder
//! thought of, and compared with the memory that there is: every place lies inside, no step writes what it or another
//! step of its phase reads or writes, and tiles and pieces divide an output without remainder or overlap. Checked once
//! for a plan, before anything of it runs; [`UNetConfig::validate`](crate::nn::config::UNetConfig::validate) and
//! [`UNetConfig::fits`](crate::nn::config::UNetConfig::fits) bound the sizes, so that no sum or product here overflows.

use super::kernels::Kernels;
use super::norm::Place;
use super::plan::{Add, Convolution, Kept, Linear, Moments, Op, Pieces, Plan, State};
use super::simd::LANES;
use crate::nn::config::FREQUENCIES;

// The bounds of sizes are made for this.
const _: () = assert!(usize::BITS == 64);

/// What a step touches in the part of an image: start and length.
#[derive(Default)]
struct Touched {
    reads: Vec<(usize, usize)>,
    writes: Vec<(usize, usize)>,
}

impl Touched {
    fn read(&mut self, at: usize, len: usize) {
        self.reads.push((at, len));
    }

    fn write(&mut self, at: usize, len: usize) {
        self.writes.push((at, len));
    }

    /// Whether this writes nothing that `other` touches.
    fn spares(&self, other: &Self, reads_only: bool) -> bool {
        let writes = if reads_only { &[][..] } else { &other.writes };
        let mut theirs = other.reads.iter().chain(writes);
        theirs.all(|b| {
            self.writes
                .iter()
                .all(|a| a.0 + a.1 <= b.0 || b.0 + b.1 <= a.0)
        })
    }
}

impl Plan {
    /// Checks all steps.
    ///
    /// # Panics
    /// If one leaves its place: a fault of the program, found before it can do harm.
    pub fn check(&self) {
        assert!(self.image.is_multiple_of(LANES) && self.image > 0);
        for phase in &self.phases {
            let touched: Vec<Touched> = phase.iter().map(|op| self.touched(op)).collect();
            for (i, one) in touched.iter().enumerate() {
                for (at, len) in one.reads.iter().chain(&one.writes) {
                    assert!(at + len <= self.image, "a step leaves the image's part");
                }
                assert!(one.spares(one, true), "a step writes what it reads");
                for (j, other) in touched.iter().enumerate() {
                    assert!(i == j || one.spares(other, false), "steps of a phase meet");
                }
            }
        }
        if let Some(at) = self.logit {
            assert!(at < self.image, "the logit lies outside");
        }
        let Some(noise) = &self.noise else {
            return assert_eq!(self.common, 0);
        };
        assert_eq!(noise.linear1.inputs, 2 * FREQUENCIES, "features");
        let whole = |layer: &Linear| layer.inputs.next_multiple_of(LANES);
        assert_eq!(whole(&noise.linear2), noise.linear1.outputs, "embedding");
        assert_eq!(whole(&noise.film), noise.linear2.outputs, "modulations");
        assert_eq!(self.common, noise.hidden() + noise.film.outputs);
        for layer in [&noise.linear1, &noise.linear2, &noise.film] {
            self.linear(layer);
        }
    }

    fn linear(&self, layer: &Linear) {
        assert!(layer.outputs.is_multiple_of(LANES));
        self.constants(layer.bias, layer.outputs);
        for &(first, n, weights) in &layer.tiles {
            assert!(
                first + n <= layer.outputs / LANES,
                "a tile leaves its layer"
            );
            assert!(
                (1..=self.kernels.groups).contains(&n),
                "a tile has a kernel"
            );
            self.constants(weights, layer.inputs * n * LANES);
        }
    }

    fn constants(&self, at: usize, len: usize) {
        assert!(at + len <= self.constants.len(), "constants end before");
    }

    /// A tensor of the network, folded, fits the field.
    fn folded(&self, height: usize, width: usize) {
        let size = [height * self.patch, width * self.patch];
        assert_eq!(size, self.field, "a folded field");
    }

    fn touched(&self, op: &Op) -> Touched {
        let mut t = Touched::default();
        match op {
            Op::Load {
                to,
                channels,
                width,
                pieces,
            } => {
                let height = pieces.height;
                self.folded(height, *width);
                divided(*pieces, height, *width);
                assert_eq!(*channels, self.in_channels * self.patch * self.patch);
                t.write(*to, rimmed(channels.div_ceil(LANES), height, *width, true));
            }
            Op::Conv(c) => self.convolution(c, &mut t),
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
                assert!((1..=2).contains(&measured.len()) && *per > 0);
                let groups: Vec<usize> = measured.iter().map(|(s, _)| s.groups()).collect();
                let slots = slots(places, &groups);
                for (state, _) in measured {
                    assert!(state.moments.is_some(), "what a norm sees is measured");
                    t.reads.extend(state.moments.map(|m| moments(state, m)));
                }
                for at in [*gain, *offset] {
                    self.constants(at, slots);
                }
                let told = self.noise.as_ref().map_or(0, |n| n.film.outputs);
                for at in film.iter().flatten() {
                    assert!(at + slots <= told, "modulations end before");
                }
                for at in [scale, shift].into_iter().chain(kept.iter().flatten()) {
                    t.write(*at, slots);
                }
            }
            Op::Activate {
                sources,
                scaled,
                silu: _,
                rim,
                to,
                pieces,
                width,
            } => {
                let plane = pieces.height * width * LANES;
                for source in sources {
                    if source.doubled {
                        assert!(pieces.height.is_multiple_of(2) && width.is_multiple_of(2));
                        t.read(source.at, plane / 4);
                    } else {
                        t.read(source.at, plane);
                    }
                }
                for at in scaled.iter().flatten() {
                    t.read(*at, sources.len() * LANES);
                }
                divided(*pieces, pieces.height, *width);
                t.write(*to, rimmed(sources.len(), pieces.height, *width, *rim));
            }
            Op::Attend {
                qkv,
                to,
                points,
                channels,
                heads,
                scratch,
            } => {
                let per = super::attention::scratch(*points, whole(*channels, *heads));
                t.read(*qkv, plain(3 * channels, *points));
                t.write(*to, plain(*channels, *points));
                t.write(*scratch, heads * per.next_multiple_of(LANES));
            }
            Op::AttendBack {
                qkv,
                gradient,
                to,
                points,
                channels,
                heads,
                scratch,
            } => {
                let per = super::slopes::scratch(*points, whole(*channels, *heads));
                t.read(*qkv, plain(3 * channels, *points));
                t.read(*gradient, plain(*channels, *points));
                t.write(*to, plain(3 * channels, *points));
                t.write(*scratch, heads * per.next_multiple_of(LANES));
            }
            Op::Head {
                from,
                hidden,
                weights: [by_input, by_hidden, bias, weight, logit_bias],
                scratch,
                logit,
            } => {
                assert!(*hidden > 0);
                let inputs = from.channels;
                t.read(from.at, from.len());
                t.write(*scratch, 3 * inputs.max(*hidden).next_multiple_of(LANES));
                t.write(*logit, 1);
                for (at, len) in [
                    (by_input, hidden * inputs),
                    (by_hidden, hidden * inputs),
                    (bias, *hidden),
                    (weight, *hidden),
                    (logit_bias, 1),
                ] {
                    self.constants(*at, len);
                }
            }
            Op::Slopes {
                state,
                norm,
                silu: _,
                gradient,
                flat,
                to,
                sums,
                pieces,
            } => {
                divided(*pieces, state.height, state.width);
                let slots = state.groups() * LANES;
                t.read(state.at, state.len());
                let Kept { scale, shift, .. } = norm;
                t.read(*scale, slots);
                t.read(*shift, slots);
                t.read(*gradient, if *flat { slots } else { state.len() });
                t.write(*to, state.len());
                t.write(*sums, pieces.count() * 2 * slots);
            }
            Op::NormBack {
                state,
                places,
                per,
                norm,
                sums,
                pieces,
                k,
            } => {
                assert!(*per > 0);
                let slots = slots(places, &[state.groups()]);
                for at in [norm.scale, norm.rstd, norm.mean] {
                    t.read(at, slots);
                }
                t.read(*sums, pieces * state.groups() * 2 * LANES);
                for at in k {
                    t.write(*at, slots);
                }
            }
            Op::Combine {
                state,
                norm,
                du,
                k,
                add,
                rim,
                to,
                pieces,
            } => {
                divided(*pieces, state.height, state.width);
                for at in [state.at, *du].into_iter().chain(*add) {
                    t.read(at, state.len());
                }
                for at in [norm.scale].into_iter().chain(*k) {
                    t.read(at, state.groups() * LANES);
                }
                t.write(*to, rimmed(state.groups(), state.height, state.width, *rim));
            }
            Op::Dilate { from, to } => {
                let (height, width) = (2 * from.height, 2 * from.width);
                t.read(from.at, from.len());
                t.write(*to, rimmed(from.groups(), height, width, true));
            }
            Op::Store { from } => {
                self.folded(from.height, from.width);
                assert!(self.out_channels * self.patch * self.patch <= from.groups() * LANES);
                t.read(from.at, from.len());
            }
        }
        t
    }

    fn convolution(&self, c: &Convolution, t: &mut Touched) {
        let (to, plane) = (&c.to, c.to.plane());
        divided(c.pieces, to.height, to.width);
        tiled(&c.tiles, to.groups(), self.kernels);
        assert!(!c.terms.is_empty() && c.adds.len() <= 2);
        for term in &c.terms {
            let (side, stride) = (term.side, term.stride);
            assert!(
                matches!((side, stride), (1, 1) | (3, 1 | 2)),
                "no such kernel"
            );
            let reach = |n: usize| (n - 1) * stride + side;
            assert!(reach(to.width) * LANES <= term.pitch, "taps leave the row");
            assert!(
                reach(to.height) * term.pitch <= term.plane,
                "taps leave the plane"
            );
            assert!(term.channels.iter().all(|n| (1..=LANES).contains(n)));
            t.read(term.at, term.channels.len() * term.plane);
            assert_eq!(term.weights.len(), c.tiles.len());
            let taps = side * side * term.channels.iter().sum::<usize>();
            for (at, (_, n)) in term.weights.iter().zip(&c.tiles) {
                self.constants(*at, taps * n * LANES);
            }
        }
        self.constants(c.bias, to.groups() * LANES);
        for add in &c.adds {
            match *add {
                Add::State { at, doubled: false } => t.read(at, to.len()),
                Add::State { at, doubled: true } => {
                    assert!(to.height.is_multiple_of(2) && to.width.is_multiple_of(2));
                    t.read(at, to.groups() * (plane / 4));
                }
                Add::Field { at } => self.constants(at, to.len()),
            }
        }
        t.write(to.at, to.len());
        if let Some(m) = to.moments {
            assert_eq!(m.pieces, c.pieces.count());
            let (at, len) = moments(to, m);
            t.write(at, len);
        }
    }
}

/// Floats of `groups` planes, with a rim or without.
fn rimmed(groups: usize, height: usize, width: usize, rim: bool) -> usize {
    let around = if rim { 2 } else { 0 };
    groups * (height + around) * (width + around) * LANES
}

/// Floats of `channels` at so many points.
fn plain(channels: usize, points: usize) -> usize {
    channels.div_ceil(LANES) * points * LANES
}

/// Channels of one head.
fn whole(channels: usize, heads: usize) -> usize {
    assert!(heads > 0 && channels > 0 && channels.is_multiple_of(heads));
    channels / heads
}

/// Where a tensor's moments lie.
fn moments(state: &State, m: Moments) -> (usize, usize) {
    (m.at, m.pieces * state.groups() * 2 * LANES)
}

/// Pieces divide a tensor's rows; an even number each, so that doubled rows are not cut.
fn divided(pieces: Pieces, height: usize, width: usize) {
    assert!(height > 0 && width > 0);
    assert_eq!(pieces.height, height);
    assert!(pieces.rows > 0 && pieces.rows.is_multiple_of(2));
}

/// Tiles follow each other and there are kernels of their sizes.
fn tiled(tiles: &[(usize, usize)], groups: usize, kernels: &Kernels) {
    let mut next = 0;
    for &(first, n) in tiles {
        assert!(first == next && (1..=kernels.groups).contains(&n), "tiles");
        next += n;
    }
    assert_eq!(next, groups, "tiles");
}

/// Slots that places reach, whose tensors have so many groups.
fn slots(places: &[Place], groups: &[usize]) -> usize {
    for p in places {
        assert!(
            p.group < groups[p.tensor] && p.lane < LANES,
            "a channel's place"
        );
    }
    places.iter().map(|p| p.slot + 1).max().unwrap_or(0)
}
