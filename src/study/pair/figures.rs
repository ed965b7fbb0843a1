//! What a rollout of two variables is judged by.

use serde::{Deserialize, Serialize};

use super::{PairData, StirredFlow, tensor};
use crate::diffusion::basis::{Shells, SpectralBasis};
use crate::diffusion::to_vec;
use crate::metrics::{Dynamics, mean_absolute_error, pooled_acf, spectrum_error};
use crate::sim::StirredSolver;
use crate::study::law::undefined;
use crate::study::roll::Ensemble;
use crate::study::{Lab, Outcome};

/// Frames that are transformed together.
const BATCH: usize = 32;

/// Figures of an ensemble; pairs are vorticity and tracer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PairFigures {
    /// Autocorrelation by lag.
    pub acf: [Vec<Option<f64>>; 2],
    /// Standard deviation about zero, normalised units.
    pub std: [Option<f64>; 2],
    /// Mean power of a coefficient by wavenumber, as far as resolved.
    pub power: [Vec<f64>; 2],
    /// Correlation of vorticity and tracer by wavenumber: `Re <w t*> / sqrt(<|w|^2> <|t|^2>)`.
    pub correlation: Vec<Option<f64>>,
    /// The same of all cells, the vorticity at a frame and the tracer so many frames later.
    pub lagged: Vec<Option<f64>>,
    /// Share of the tracer's variance that a linear map of the vorticity, wavenumber by wavenumber, tells.
    #[serde(with = "undefined")]
    pub told: f64,
    /// Dynamics skill.
    pub skill: [Option<f64>; 2],
    /// Frame at which it left the data.
    pub blow_up: Option<usize>,
}

fn known(v: f64) -> Option<f64> {
    Some(v).filter(|v| v.is_finite())
}

impl PairFigures {
    /// Figures of `[member][frame][variable, cell]`.
    ///
    /// # Errors
    /// A stop, or a solver that cannot be made.
    pub fn of(
        lab: &Lab,
        members: &Ensemble,
        data: &PairData,
        flow: &StirredFlow,
        lags: usize,
        blow_up: Option<usize>,
    ) -> Outcome<Self> {
        let n = data.side();
        let cells = n * n;
        let of = |v: usize| -> Vec<Vec<&[f32]>> {
            members
                .iter()
                .map(|m| {
                    m.iter()
                        .filter_map(|f| f.get(v * cells..(v + 1) * cells))
                        .collect()
                })
                .collect()
        };
        let views = [of(0), of(1)];
        let acf = [0, 1].map(|v| {
            let acf = pooled_acf(&views[v], lags).unwrap_or_default();
            acf.into_iter().map(known).collect()
        });
        let sums = shell_sums(lab, members, n);
        let resolved = (n - 1) / 3;
        let power = [0, 1].map(|v| {
            (0..=resolved)
                .map(|k| sums.products[k][v] / sums.count[k].max(1.0))
                .collect()
        });
        let correlation = (0..=resolved)
            .map(|k| {
                let [ww, tt, wt] = sums.products[k];
                known(wt / (ww * tt).sqrt())
            })
            .collect();
        let (mut explained, mut all) = (0.0, 0.0);
        for [ww, tt, wt] in &sums.products {
            explained += if *ww > 0.0 { wt * wt / ww } else { 0.0 };
            all += tt;
        }
        Ok(Self {
            acf,
            std: [0, 1].map(|v| {
                let total: f64 = sums.products.iter().map(|p| p[v]).sum();
                known((total / sums.count.iter().sum::<f64>()).sqrt())
            }),
            power,
            correlation,
            lagged: lagged(&views, lags),
            told: explained / all,
            skill: skills(members, data, flow)?,
            blow_up,
        })
    }

    /// Mean error of a variable's autocorrelation, lags 1 to the last.
    pub fn acf_error(&self, truth: &Self, v: usize) -> f64 {
        errors(&self.acf[v], &truth.acf[v])
    }

    /// Mean error of the lagged correlation, lags 1 to the last.
    pub fn lagged_error(&self, truth: &Self) -> f64 {
        errors(&self.lagged, &truth.lagged)
    }

    /// Mean error of the correlation by wavenumber, from 1 to the last resolved one.
    pub fn correlation_error(&self, truth: &Self) -> f64 {
        errors(&self.correlation, &truth.correlation)
    }

    /// Mean `|log10|` of the ratio of a variable's spectra.
    pub fn spectrum_error(&self, truth: &Self, v: usize) -> f64 {
        spectrum_error(&self.power[v], &truth.power[v]).unwrap_or(f64::NAN)
    }

    /// Standard deviation of a variable over truth's.
    pub fn std_ratio(&self, truth: &Self, v: usize) -> f64 {
        self.std[v]
            .zip(truth.std[v])
            .map_or(f64::NAN, |(a, b)| a / b)
    }

    /// Autocorrelation of a variable at a lag.
    pub fn lag(&self, v: usize, lag: usize) -> f64 {
        self.acf[v].get(lag).copied().flatten().unwrap_or(f64::NAN)
    }
}

/// Mean absolute difference from the second entry on.
fn errors(a: &[Option<f64>], b: &[Option<f64>]) -> f64 {
    let plain = |v: &[Option<f64>]| v.iter().map(|v| v.unwrap_or(f64::NAN)).collect::<Vec<_>>();
    mean_absolute_error(&plain(a), &plain(b)).unwrap_or(f64::NAN)
}

/// Sums over coefficients by wavenumber: `w w`, `t t`, `w t`, and how many.
struct Sums {
    products: Vec<[f64; 3]>,
    count: Vec<f64>,
}

fn shell_sums(lab: &Lab, members: &Ensemble, n: usize) -> Sums {
    let cells = n * n;
    // All coefficients in shells of |k|, none kept apart.
    let shells = Shells::new(n, n);
    let basis = SpectralBasis::new(n, lab.device());
    let mut sums = Sums {
        products: vec![[0.0; 3]; shells.count()],
        count: vec![0.0; shells.count()],
    };
    let frames: Vec<&Vec<f32>> = members.iter().flatten().collect();
    for chunk in frames.chunks(BATCH) {
        let values: Vec<f32> = chunk.iter().flat_map(|f| f.iter().copied()).collect();
        let x = to_vec(basis.transform(tensor(values, [chunk.len(), 2, n, n], lab.device())));
        for frame in x.chunks_exact(2 * cells) {
            let (w, t) = frame.split_at(cells);
            for ((&w, &t), &g) in w.iter().zip(t).zip(shells.groups()) {
                let (w, t) = (f64::from(w), f64::from(t));
                let [ww, tt, wt] = &mut sums.products[g];
                *ww += w * w;
                *tt += t * t;
                *wt += w * t;
                sums.count[g] += 1.0;
            }
        }
    }
    sums
}

/// Correlation of the vorticity with the tracer 0, 1, ... frames later, over all members and cells.
fn lagged(views: &[Vec<Vec<&[f32]>>; 2], lags: usize) -> Vec<Option<f64>> {
    let [omega, theta] = views;
    let dot = |a: &[f32], b: &[f32]| -> f64 {
        let pairs = a.iter().zip(b);
        pairs.map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
    };
    (0..=lags)
        .map(|lag| {
            let (mut ab, mut aa, mut bb) = (0.0, 0.0, 0.0);
            for (omega, theta) in omega.iter().zip(theta) {
                for (a, b) in omega.iter().zip(theta.iter().skip(lag)) {
                    ab += dot(a, b);
                    aa += dot(a, a);
                    bb += dot(b, b);
                }
            }
            known(ab / (aa * bb).sqrt())
        })
        .collect()
}

/// Dynamics skills; a frame that the solver cannot take has none.
fn skills(members: &Ensemble, data: &PairData, flow: &StirredFlow) -> Outcome<[Option<f64>; 2]> {
    let n = data.side();
    let (params, tracer) = flow.params(n);
    let mut solver = StirredSolver::new(&params, tracer)?;
    let mut sums = [Dynamics::default(); 2];
    for member in members {
        let physical = |frame: &Vec<f32>| {
            [0, 1].map(|v| {
                let scale = data.of[v].normalisation().scale as f32;
                let own = frame.iter().skip(v * n * n).take(n * n);
                own.map(|x| x * scale).collect::<Vec<f32>>()
            })
        };
        for pair in member.windows(2) {
            let (now, next) = (physical(&pair[0]), physical(&pair[1]));
            let unforced = solver.unforced_frame(&now[0], &now[1])?;
            for v in 0..2 {
                sums[v].push(&now[v], &next[v], &unforced[v]);
            }
        }
    }
    Ok(sums.map(|s| s.skill()))
}
