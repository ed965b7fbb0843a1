//! What a tile is judged by: the same streams as the lanes of a rollout.

use std::sync::Arc;

use crate::data::Date;

use super::super::diagnostics::LaneStream;
use super::super::engine::Engine;
use super::super::frame::LaneDiagnostics;
use super::super::rain::RainLane;
use super::super::recorder::unforced;
use super::super::settings::LaneKind;

/// Figures of one tile over its frames so far.
#[derive(Debug, Clone, Default)]
pub struct TileFigures {
    /// Generated frames that entered.
    pub frames: usize,
    /// Autocorrelation at lags 0..=10; on the globe of anomalies over 20S-20N. NaN where there are too few frames.
    pub acf: Vec<f64>,
    /// Dynamics skill over all steps; NaN where truth has no solver.
    pub dynamics_skill: f64,
    /// Standard deviation divided by the data's.
    pub std_ratio: f64,
    /// Global mean of rain, mm/day, on the globe.
    pub global_mean: Option<f64>,
}

impl TileFigures {
    fn of(d: LaneDiagnostics) -> Self {
        let (acf, global_mean) = match &d.rain {
            Some(rain) => (rain.tropics_acf.clone(), Some(rain.global_mean)),
            None => (d.acf, None),
        };
        Self {
            frames: d.frames,
            acf,
            dynamics_skill: d.dynamics_skill,
            std_ratio: d.std_ratio,
            global_mean,
        }
    }

    /// Mean absolute error of the autocorrelation: see [`acf_error`].
    pub fn acf_error(&self, truth: &[f64]) -> Option<f64> {
        acf_error(&self.acf, truth)
    }
}

/// Mean of `|acf - truth|` over lags 1 to 10, or over as many as there are frames for (two at least).
pub fn acf_error(acf: &[f64], truth: &[f64]) -> Option<f64> {
    let known: Vec<f64> = acf
        .iter()
        .zip(truth)
        .skip(1)
        .take(10)
        .map(|(a, t)| (a - t).abs())
        .take_while(|d| d.is_finite())
        .collect();
    (known.len() >= 2).then(|| known.iter().sum::<f64>() / known.len() as f64)
}

/// The sums that the figures follow from.
pub(super) enum Stream {
    Flow(Box<LaneStream>),
    Rain(Box<RainLane>),
}

impl Stream {
    pub fn new(engine: &Engine, kind: LaneKind) -> Self {
        match &engine.climate {
            Some(climate) => Self::Rain(Box::new(RainLane::new(climate, kind))),
            None => Self::Flow(Box::default()),
        }
    }

    /// Takes a start frame.
    pub fn start(&mut self, frame: &Arc<[f32]>) {
        let members = std::slice::from_ref(frame);
        match self {
            Self::Flow(s) => s.push_start(members),
            Self::Rain(s) => {
                s.push_start(members);
            }
        }
    }

    /// Takes frame number `index`, made from `before`.
    pub fn push(
        &mut self,
        engine: &mut Engine,
        before: Option<&Arc<[f32]>>,
        frame: &Arc<[f32]>,
        index: usize,
        date: Option<Date>,
    ) {
        let members = std::slice::from_ref(frame);
        match (self, date) {
            (Self::Flow(s), _) => {
                let before = before.map(std::slice::from_ref).unwrap_or_default();
                let answers = unforced(engine, before);
                s.push(members, &answers);
            }
            (Self::Rain(s), Some(date)) => s.add(members, index, date),
            (Self::Rain(_), None) => {}
        }
    }

    pub fn figures(&self, data_std: f64) -> TileFigures {
        TileFigures::of(match self {
            Self::Flow(s) => s.figures(data_std),
            Self::Rain(s) => s.figures(data_std),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_grows_with_the_lags_that_are_known() {
        let truth: Vec<f64> = (0..=10).map(|j| 0.9f64.powi(j)).collect();
        let mut acf: Vec<f64> = truth.iter().map(|v| v + 0.1).collect();
        assert!((acf_error(&acf, &truth).unwrap() - 0.1).abs() < 1e-12);
        acf[3..].fill(f64::NAN);
        assert!((acf_error(&acf, &truth).unwrap() - 0.1).abs() < 1e-12);
        acf[2] = f64::NAN;
        assert_eq!(acf_error(&acf, &truth), None);
        assert_eq!(acf_error(&[], &truth), None);
    }
}
