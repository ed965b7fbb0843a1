//! What truth looks like: the figures of the data that rollouts are compared with.

use std::sync::Arc;

use crate::data::Dataset;
use crate::data::dataset::Part;
use crate::error::{Result, UserError};
use crate::metrics::{kurtosis, shell_power};
use crate::model::card::TruthCard;
use crate::rollout::diagnostics::{LaneStream, MAX_LAG};
use crate::sim::Solver;

/// Frames of the runs over which the bands are taken.
const BAND_FRAMES: usize = 100;
/// Frames between two used for the spectrum.
const SPECTRUM_STRIDE: usize = 5;

/// Measures the validation runs, physical units.
///
/// # Errors
/// Runs shorter than the bands need.
pub fn measure(
    data: &Dataset,
    solver: &mut Solver,
    progress: &dyn Fn(usize, usize),
) -> Result<TruthCard> {
    let scale = data.normalisation().scale as f32;
    let runs = data.runs(Part::Validation);
    if data.frames() < BAND_FRAMES + 1 || runs.is_empty() {
        return Err(UserError::new(
            "Cannot measure what truth looks like",
            format!(
                "there are {} validation runs of {} frames; bands need runs of more than {BAND_FRAMES}",
                runs.len(),
                data.frames()
            ),
            "use longer runs, and at least one for validation",
        ));
    }
    let frame = |run: usize, f: usize| -> Arc<[f32]> {
        data.frame(run, f)
            .unwrap_or(&[])
            .iter()
            .map(|v| v * scale)
            .collect()
    };
    let mut all = LaneStream::default();
    let (mut windows, mut stds, mut rmses) = (Vec::new(), Vec::new(), Vec::new());
    let mut kept: Vec<Arc<[f32]>> = Vec::new();
    let total = runs.len() * data.frames();
    for (number, run) in runs.clone().enumerate() {
        // Each run stands alone: no lag reaches over its ends.
        let mut stream = LaneStream::default();
        let mut window = LaneStream::default();
        for f in 0..data.frames() {
            let now = frame(run, f);
            let stats = if f == 0 {
                stream.push_start(std::slice::from_ref(&now));
                None
            } else {
                let g = solver.unforced_frame(&frame(run, f - 1));
                Some(stream.push(std::slice::from_ref(&now), &[g]))
            };
            if let Some(s) = stats {
                stds.push(s.std);
                rmses.push(s.rmse_to_previous);
            }
            window.push(std::slice::from_ref(&now), &[]);
            if (f + 1) % BAND_FRAMES == 0 {
                windows.push(window.figures(1.0).acf);
                window = LaneStream::default();
            }
            if f % SPECTRUM_STRIDE == 0 {
                kept.push(now);
            }
            progress(number * data.frames() + f + 1, total);
        }
        all.join(&stream);
    }
    let views: Vec<&[f32]> = kept.iter().map(|f| &f[..]).collect();
    let std = all.figures(1.0).std_ratio;
    let figures = all.figures(std);
    let band = |part: f64| -> Vec<f64> {
        (0..=MAX_LAG)
            .map(|j| quantile(windows.iter().map(|w| w[j]).collect(), part))
            .collect()
    };
    Ok(TruthCard {
        acf: figures.acf,
        acf_lo: band(0.05),
        acf_hi: band(0.95),
        std,
        std_band: [quantile(stds.clone(), 0.05), quantile(stds, 0.95)],
        rmse_band: [quantile(rmses.clone(), 0.05), quantile(rmses, 0.95)],
        dynamics_skill: figures.dynamics_skill,
        a: figures.a,
        residual: figures.residual,
        kurtosis: kurtosis(&views).unwrap_or(f64::NAN),
        // The shells beyond the resolved modes have no power to compare.
        spectrum: shell_power(&views, data.grid().nx)
            .unwrap_or_default()
            .into_iter()
            .take_while(|p| p.is_finite())
            .collect(),
        rain: None,
    })
}

/// Quantile with linear interpolation between order statistics.
pub(super) fn quantile(mut values: Vec<f64>, part: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let Some(last) = values.len().checked_sub(1) else {
        return f64::NAN;
    };
    let at = part * last as f64;
    let low = at.floor() as usize;
    let high = (low + 1).min(last);
    values[low] + (at - low as f64) * (values[high] - values[low])
}

#[cfg(test)]
mod tests {
    use super::quantile;

    #[test]
    fn quantiles_interpolate() {
        let v = vec![4.0, 1.0, 3.0, 2.0];
        assert_eq!(quantile(v.clone(), 0.0), 1.0);
        assert_eq!(quantile(v.clone(), 1.0), 4.0);
        assert_eq!(quantile(v, 0.5), 2.5);
        assert!(quantile(Vec::new(), 0.5).is_nan());
    }
}
