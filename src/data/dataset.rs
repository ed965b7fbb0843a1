//! Runs for training: normalised, split by run, drawn in batches that depend on nothing but the seed and the step.

use std::ops::Range;

use super::augment::Symmetry;
use super::series::Series;
use crate::error::{Result, UserError};
use crate::field::Grid;
use crate::random::{NoiseKey, Stream};

/// Standard deviation of normalised data: EDM's `sigma_data`.
pub const NORMALISED_STD: f64 = 0.5;

/// Physical vorticity = normalised x scale.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Normalisation {
    /// Physical units per normalised unit.
    pub scale: f64,
}

impl Normalisation {
    /// The scale that gives these values a standard deviation of 0.5 (about zero: vorticity on a torus has no mean).
    /// `None` where they are all zero or there are none.
    pub fn of(values: &[f32]) -> Option<Self> {
        let square: f64 = values.iter().map(|&v| f64::from(v).powi(2)).sum();
        let std = (square / values.len() as f64).sqrt();
        (std.is_finite() && std > 0.0).then(|| Self {
            scale: std / NORMALISED_STD,
        })
    }
}

/// Which runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The first runs: for training.
    Training,
    /// The last runs, never trained on.
    Validation,
}

/// Which symmetries training draws from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Symmetries {
    /// Shifts, quarter turns and the mirror image with its change of sign.
    #[default]
    All,
    /// Shifts alone: a world with a direction.
    Shifts,
    /// None.
    None,
}

/// What a draw is for: the member number of its noise key. Trainers draw their own numbers with small ones.
#[derive(Debug, Clone, Copy)]
#[repr(u32)]
pub(super) enum Draw {
    Frames = 0x100,
    Windows = 0x101,
    Pairs = 0x102,
    PairLags = 0x103,
    Crops = 0x104,
}

/// Normalised frames of several runs.
#[derive(Debug, Clone)]
pub struct Dataset {
    /// `[run][frame][y][x]`, normalised.
    values: Vec<f32>,
    grid: Grid,
    runs: usize,
    frames: usize,
    validation: usize,
    seed: u64,
    normalisation: Normalisation,
    /// Where each frame stands in its year, `[run][frame]`; only on the globe, whose places are not alike: there is no
    /// symmetry to augment with, and no window reaches across a pole.
    seasons: Option<Vec<f32>>,
    /// Two harmonics of the year in every cell, `[4][ny][nx]`, over the training days; with `seasons` only.
    cycle: Vec<f32>,
    symmetries: Symmetries,
}

impl Dataset {
    /// Takes a series whose members are independent runs; the last `validation` of them are for validation. The scale
    /// comes from the training runs, or is given (`normalisation`) when a model already has one. `seed` fixes all draws.
    ///
    /// # Errors
    /// No run left to train on, or data that are all zero.
    pub fn new(
        series: Series,
        validation: usize,
        normalisation: Option<Normalisation>,
        seed: u64,
    ) -> Result<Self> {
        let runs = series.members;
        let headline = "Cannot train on these data";
        if validation >= runs || series.frames == 0 {
            return Err(UserError::new(
                headline,
                format!(
                    "they have {runs} run(s) of {} frame(s), and {validation} of the runs are kept for validation",
                    series.frames
                ),
                "Simulate more runs, or keep fewer for validation",
            ));
        }
        let size = series.frames * series.grid.len();
        let training = &series.values[..(runs - validation) * size];
        let normalisation = normalisation
            .or_else(|| Normalisation::of(training))
            .filter(|n| n.scale.is_finite() && n.scale > 0.0)
            .ok_or_else(|| {
                UserError::new(
                    headline,
                    "all their values are zero",
                    "Check the simulation that made them",
                )
            })?;
        let factor = (1.0 / normalisation.scale) as f32;
        let mut values = series.values;
        for v in &mut values {
            *v *= factor;
        }
        Ok(Self {
            values,
            grid: series.grid,
            runs,
            frames: series.frames,
            validation,
            seed,
            normalisation,
            seasons: None,
            cycle: Vec::new(),
            symmetries: Symmetries::All,
        })
    }

    /// Takes days on the globe that are already normalised, `[run][frame][y][x]`, each with its place in the year; the last
    /// `validation` runs are for validation.
    ///
    /// # Errors
    /// No run left to train on, or numbers that do not fit together.
    pub fn on_globe(
        (ny, nx): (usize, usize),
        frames: usize,
        values: Vec<f32>,
        seasons: Vec<f32>,
        validation: usize,
        seed: u64,
    ) -> Result<Self> {
        let grid = Grid {
            ny,
            nx,
            ..Grid::periodic(nx)
        };
        let runs = seasons.len() / frames.max(1);
        if frames == 0 || validation >= runs || values.len() != runs * frames * grid.len() {
            return Err(UserError::new(
                "Cannot train on these days",
                format!(
                    "they give {runs} stretches of {frames} days without a gap, and {validation} of them are kept for \
                     validation"
                ),
                "give more days, or keep fewer for validation (validation_days in the training file)",
            ));
        }
        let cycle = cycle(
            &values,
            &seasons[..(runs - validation) * frames],
            grid.len(),
        );
        Ok(Self {
            values,
            grid,
            runs,
            frames,
            validation,
            seed,
            normalisation: Normalisation { scale: 1.0 },
            seasons: Some(seasons),
            cycle,
            symmetries: Symmetries::None,
        })
    }

    /// The same data with other symmetries.
    #[must_use]
    pub fn with_symmetries(mut self, symmetries: Symmetries) -> Self {
        self.symmetries = symmetries;
        self
    }

    /// Two harmonics of the year in every cell over the training days, `[4][ny][nx]`, normalised
    /// ([`crate::diffusion::seasonal`]); `None` in a world without seasons.
    pub fn seasonal_cycle(&self) -> Option<&[f32]> {
        self.seasons.as_ref().map(|_| &self.cycle[..])
    }

    /// Whether the frames stand on the globe.
    pub fn is_globe(&self) -> bool {
        self.seasons.is_some()
    }

    /// Where a frame stands in its year, in `[0, 1)`; `None` in a world without seasons.
    pub fn season(&self, run: usize, frame: usize) -> Option<f64> {
        let at = run * self.frames + frame;
        self.seasons.as_ref()?.get(at).map(|&s| f64::from(s))
    }

    /// Seasons of the newest frames of [`Self::batch_windows`] with the same step, batch and past.
    pub fn window_seasons(&self, step: u32, batch: usize, past: usize) -> Vec<Option<f64>> {
        if past + 1 > self.frames {
            return Vec::new();
        }
        let runs = self.runs(Part::Training);
        self.draw(Draw::Windows, step, 6 * batch)
            .chunks_exact(6)
            .map(|u| self.season(pick(u[0], runs.clone()), pick(u[1], past..self.frames)))
            .collect()
    }

    /// Seasons of the newest frames of [`Self::validation_windows`] with the same count and past.
    pub fn validation_seasons(&self, count: usize, past: usize) -> Vec<Option<f64>> {
        let runs = self.runs(Part::Validation);
        if runs.is_empty() || past + 1 > self.frames {
            return Vec::new();
        }
        (0..count)
            .map(|i| {
                let newest = pick((i as f64 + 0.5) / count as f64, past..self.frames);
                self.season(runs.start + i % runs.len(), newest)
            })
            .collect()
    }

    /// The grid.
    pub fn grid(&self) -> Grid {
        self.grid
    }

    pub(super) fn seed(&self) -> u64 {
        self.seed
    }

    /// The scale.
    pub fn normalisation(&self) -> Normalisation {
        self.normalisation
    }

    /// Frames in each run.
    pub fn frames(&self) -> usize {
        self.frames
    }

    /// Numbers of the runs of one part.
    pub fn runs(&self, part: Part) -> Range<usize> {
        let split = self.runs - self.validation;
        match part {
            Part::Training => 0..split,
            Part::Validation => split..self.runs,
        }
    }

    /// One frame, normalised, row-major `(y, x)`; `None` out of range.
    pub fn frame(&self, run: usize, frame: usize) -> Option<&[f32]> {
        if run >= self.runs || frame >= self.frames {
            return None;
        }
        Some(self.at(run, frame))
    }

    pub(super) fn at(&self, run: usize, frame: usize) -> &[f32] {
        let cells = self.grid.len();
        &self.values[(run * self.frames + frame) * cells..][..cells]
    }

    /// Uniform numbers of one training step.
    pub(super) fn draw(&self, what: Draw, step: u32, count: usize) -> Vec<f64> {
        NoiseKey {
            seed: self.seed,
            stream: Stream::Training,
            member: what as u32,
            frame: step,
            step: 0,
        }
        .uniform(count)
    }

    /// Random training frames, `[batch, 1, y, x]`, normalised. A pure function of the seed and `step`.
    pub fn batch_frames(&self, step: u32, batch: usize, augment: bool) -> Vec<f32> {
        self.stacks(Draw::Frames, step, batch, 1, augment)
    }

    /// Random windows of consecutive training frames, `[batch, past + 1, y, x]`, normalised, newest first: channel 0 is
    /// `x_{n+1}`, channel 1 `x_n`, and so on. A pure function of the seed and `step`; empty where a run is shorter than
    /// a window.
    pub fn batch_windows(&self, step: u32, batch: usize, past: usize, augment: bool) -> Vec<f32> {
        self.stacks(Draw::Windows, step, batch, past + 1, augment)
    }

    fn stacks(
        &self,
        what: Draw,
        step: u32,
        batch: usize,
        length: usize,
        augment: bool,
    ) -> Vec<f32> {
        if length > self.frames {
            return Vec::new();
        }
        let runs = self.runs(Part::Training);
        let mut out = Vec::with_capacity(batch * length * self.grid.len());
        for u in self.draw(what, step, 6 * batch).chunks_exact(6) {
            let run = pick(u[0], runs.clone());
            let newest = pick(u[1], length - 1..self.frames);
            let symmetry = self.symmetry(augment, [u[2], u[3], u[4], u[5]]);
            for back in 0..length {
                self.append(run, newest - back, symmetry, &mut out);
            }
        }
        out
    }

    pub(super) fn symmetry(&self, augment: bool, u: [f64; 4]) -> Symmetry {
        if !augment {
            return Symmetry::default();
        }
        let all = Symmetry::from_uniform(u, self.grid.ny, self.grid.nx);
        match self.symmetries {
            Symmetries::All => all,
            Symmetries::Shifts => Symmetry {
                roll: all.roll,
                ..Symmetry::default()
            },
            Symmetries::None => Symmetry::default(),
        }
    }

    pub(super) fn append(&self, run: usize, frame: usize, by: Symmetry, out: &mut Vec<f32>) {
        by.append(self.at(run, frame), self.grid.ny, self.grid.nx, out);
    }

    /// `count` windows of the validation runs, `[count, past + 1, y, x]`, newest first, spread evenly over runs and times:
    /// the same at every call. Empty where there are none.
    pub fn validation_windows(&self, count: usize, past: usize) -> Vec<f32> {
        let runs = self.runs(Part::Validation);
        if runs.is_empty() || past + 1 > self.frames {
            return Vec::new();
        }
        let mut out = Vec::with_capacity(count * (past + 1) * self.grid.len());
        for i in 0..count {
            let run = runs.start + i % runs.len();
            let newest = pick((i as f64 + 0.5) / count as f64, past..self.frames);
            for back in 0..=past {
                out.extend_from_slice(self.at(run, newest - back));
            }
        }
        out
    }
}

/// Cosine and sine of the year's turn and of twice that, in every cell: twice the mean of each times the value, which is
/// least squares over whole years.
fn cycle(values: &[f32], seasons: &[f32], cells: usize) -> Vec<f32> {
    let mut sums = vec![0.0f64; 4 * cells];
    for (frame, &season) in values.chunks_exact(cells).zip(seasons) {
        let turn = std::f64::consts::TAU * f64::from(season);
        let waves = [
            turn.cos(),
            turn.sin(),
            (2.0 * turn).cos(),
            (2.0 * turn).sin(),
        ];
        for (sums, wave) in sums.chunks_exact_mut(cells).zip(waves) {
            for (sum, &value) in sums.iter_mut().zip(frame) {
                *sum += wave * f64::from(value);
            }
        }
    }
    let factor = 2.0 / seasons.len().max(1) as f64;
    sums.into_iter().map(|s| (s * factor) as f32).collect()
}

/// The element of a range at the fraction `u` of it.
pub(super) fn pick(u: f64, range: Range<usize>) -> usize {
    let offset = (u * range.len() as f64) as usize;
    range.start + offset.min(range.len().saturating_sub(1))
}
