//! What a frame is measured with: how it is read (spectrum, distribution, energy), and what truth's card says of each.

use std::sync::Arc;

use crate::field::Globe;
use crate::metrics::{Histogram, RainGrid, SpectrumStream, Weights};
use crate::model::card::TruthCard;

/// Bins of the distribution of values.
const BINS: usize = 50;
/// Shells of the box that spectra are compared over (beyond it the solver's own power is next to nothing).
const SHELLS: usize = 21;

/// How the frames of a model are read.
pub struct Yardstick {
    field: Field,
    /// What truth looks like.
    pub truth: TruthCard,
    /// Shells (zonal wavenumbers on the globe) that count as fine: the upper quarter of those compared.
    pub fine: std::ops::Range<usize>,
    /// The upper half of them: noise shows first where the spectrum is lowest.
    pub finest: std::ops::Range<usize>,
    /// Edges of the distribution: values in the box, log10 of mm/day on the globe.
    pub edges: Vec<f64>,
    bins: Option<Histogram>,
}

enum Field {
    /// A square box; a stream without frames.
    Box(Option<SpectrumStream>),
    /// The globe.
    Globe(Box<RainGrid>),
}

/// What one frame of a lane says of itself, mean over members.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reading {
    /// Power by shell (zonal wavenumber), physical units squared.
    pub power: Vec<f64>,
    /// Share of the cells in each bin of [`Yardstick::edges`], percent.
    pub shares: Vec<f64>,
    /// Kinetic energy per unit area, box only.
    pub energy: f64,
    /// Enstrophy per unit area, box only.
    pub enstrophy: f64,
    /// Mean of log10(power / truth's) over the fine shells.
    pub fine: f64,
    /// The same over the finest.
    pub finest: f64,
}

impl Yardstick {
    /// For a box of `n x n` cells.
    pub fn square(n: usize, truth: TruthCard) -> Self {
        let compared = truth.spectrum.len().min(SHELLS);
        let reach = 5.0 * truth.std;
        let bins = Histogram::new(-reach, reach, BINS);
        Self::of(Field::Box(SpectrumStream::new(n)), truth, compared, bins)
    }

    /// For rain on the globe.
    pub fn globe(globe: &Globe, truth: TruthCard) -> Self {
        let largest = truth.spectrum.len().saturating_sub(1);
        let compared = (largest * 5 / 6).min(40) + 1;
        let grid = RainGrid::new(globe);
        let bins = Histogram::new(-1.0, 2.5, BINS);
        Self::of(Field::Globe(Box::new(grid)), truth, compared, bins)
    }

    fn of(field: Field, truth: TruthCard, compared: usize, bins: Option<Histogram>) -> Self {
        Self {
            field,
            fine: compared * 3 / 4..compared,
            finest: compared * 7 / 8..compared,
            edges: bins.as_ref().map_or(Vec::new(), |b| b.edges().to_vec()),
            bins,
            truth,
        }
    }

    /// Whether it is the globe's.
    pub fn is_globe(&self) -> bool {
        matches!(self.field, Field::Globe(_))
    }

    /// Weights of the cells in means over a frame of `nx` columns.
    pub fn weights(&self) -> Weights<'_> {
        match &self.field {
            Field::Box(_) => Weights::EVEN,
            Field::Globe(grid) => Weights::rows(grid.row_weights(), grid.globe().nx),
        }
    }

    /// Reads a frame, one array a member. `None` without members, or where a value is not finite.
    pub fn read(&self, members: &[Arc<[f32]>]) -> Option<Reading> {
        let mut out = Reading::default();
        let mut bins = self.bins.clone()?;
        let count = members.len() as f64;
        match &self.field {
            Field::Box(empty) => {
                let mut stream = empty.clone()?;
                for m in members {
                    if !stream.push(m) {
                        return None;
                    }
                    m.iter().for_each(|v| bins.push(f64::from(*v)));
                }
                out.power = stream.shell_power()?;
                let mean = stream.mean()?;
                (out.energy, out.enstrophy) =
                    (mean.energy.iter().sum(), mean.enstrophy.iter().sum());
            }
            Field::Globe(grid) => {
                (out.energy, out.enstrophy) = (f64::NAN, f64::NAN);
                for m in members {
                    let power = grid.zonal_power(m)?;
                    out.power.resize(power.len(), 0.0);
                    for (sum, p) in out.power.iter_mut().zip(power) {
                        *sum += p / count;
                    }
                    m.iter().for_each(|v| bins.push(f64::from(*v).log10()));
                }
            }
        }
        let cells: usize = members.iter().map(|m| m.len()).sum();
        out.shares = bins
            .counts()
            .iter()
            .map(|c| 100.0 * *c as f64 / cells.max(1) as f64)
            .collect();
        out.fine = self.over_truth(&out.power, &self.fine);
        out.finest = self.over_truth(&out.power, &self.finest);
        Some(out)
    }

    /// Mean of log10(power / truth's) over shells; NaN where the card has no spectrum.
    fn over_truth(&self, power: &[f64], shells: &std::ops::Range<usize>) -> f64 {
        let pairs = power.iter().zip(&self.truth.spectrum);
        let logs: Vec<f64> = pairs
            .skip(shells.start)
            .take(shells.len())
            .map(|(x, y)| (x.max(1e-30) / y).log10())
            .collect();
        logs.iter().sum::<f64>() / logs.len() as f64
    }
}

/// Mean and spread of a list of figures over frames.
#[derive(Debug, Clone, Default)]
pub struct Profile {
    frames: f64,
    sum: Vec<f64>,
    square: Vec<f64>,
}

impl Profile {
    /// Takes a frame's figures.
    pub fn push(&mut self, values: impl ExactSizeIterator<Item = f64>) {
        self.sum.resize(values.len(), 0.0);
        self.square.resize(values.len(), 0.0);
        for ((sum, square), v) in self.sum.iter_mut().zip(&mut self.square).zip(values) {
            *sum += v;
            *square += v * v;
        }
        self.frames += 1.0;
    }

    /// Mean of each.
    pub fn mean(&self) -> Vec<f64> {
        self.sum.iter().map(|s| s / self.frames).collect()
    }

    /// Where 90 % of the frames lie if the figures are normal: mean minus and plus 1.645 standard deviations; empty before
    /// two frames.
    pub fn band(&self) -> (Vec<f64>, Vec<f64>) {
        if self.frames < 2.0 {
            return Default::default();
        }
        let edge = |sign: f64| {
            self.sum
                .iter()
                .zip(&self.square)
                .map(|(sum, square)| {
                    let mean = sum / self.frames;
                    let var = (square / self.frames - mean * mean).max(0.0);
                    mean + sign * 1.645 * var.sqrt()
                })
                .collect()
        };
        (edge(-1.0), edge(1.0))
    }
}
