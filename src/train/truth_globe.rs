//! What truth looks like on the globe: the figures of the validation days that rollouts are compared with.

use super::config::GlobeData;
use super::globe::Days;
use super::truth::quantile;
use crate::error::{Result, UserError};
use crate::metrics::rain::RainStream;
use crate::model::card::{RainTruth, TruthCard};

/// Days of the stretches over which the bands of the autocorrelation are taken.
const BAND_DAYS: usize = 120;

/// Measures the validation days against the climatology of the training days (`[12][cells]`, mm/day). The figures of
/// dynamics are 0: there is no solver to ask.
///
/// # Errors
/// Too few validation days, or a month that the training days do not have.
pub fn measure(
    days: &Days,
    climatology: &[Vec<f32>],
    config: &GlobeData,
    progress: &dyn Fn(usize, usize),
) -> Result<TruthCard> {
    let range = days.split(config)..days.dates.len();
    let unfit = |cause: String| {
        UserError::new(
            "Cannot measure what truth looks like",
            cause,
            "keep more days for validation (validation_days in the training file), and train on all months",
        )
    };
    if range.len() < 2 * BAND_DAYS {
        return Err(unfit(format!(
            "{} days are kept for validation, at least {} are needed",
            range.len(),
            2 * BAND_DAYS
        )));
    }
    let stream = || {
        RainStream::with_climatology(&days.grid, climatology)
            .ok_or_else(|| unfit("the climatology does not fit the grid".into()))
    };
    let (mut all, mut window, mut windows) = (stream()?, stream()?, Vec::new());
    let rows = days.grid.row_weights();
    let nx = days.grid.nx;
    let weighted = |f: &dyn Fn(usize) -> f64| -> f64 {
        (0..days.grid.len())
            .map(|c| rows[c / nx] * f(c))
            .sum::<f64>()
            / days.grid.len() as f64
    };
    let (mut means, mut wets, mut stds, mut steps) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut sum, mut square) = (0.0, 0.0);
    for (done, i) in range.clone().enumerate() {
        let day = days.day(i);
        let date = days.dates[i];
        let follows = i > range.start
            && days.calendar.days_from_date(date)
                == days.calendar.days_from_date(days.dates[i - 1]) + 1;
        if !follows {
            all.end_series();
            window.end_series();
        }
        let month0 = usize::from(date.month) - 1;
        if !all.push(&[day], month0) || !window.push(&[day], month0) {
            return Err(unfit(format!(
                "{date} cannot be compared with the training days"
            )));
        }
        if window.days() == BAND_DAYS {
            windows.push(window.figures().acf);
            window = stream()?;
        }
        let value = |c: usize| f64::from(day[c]);
        let mean = weighted(&value);
        let power = weighted(&|c| value(c).powi(2));
        means.push(mean);
        stds.push((power - mean * mean).max(0.0).sqrt());
        wets.push(all.grid().wet(day).0);
        sum += mean;
        square += power;
        if follows {
            let before = days.day(i - 1);
            let change = weighted(&|c| (value(c) - f64::from(before[c])).powi(2));
            steps.push(change.sqrt());
        }
        progress(done + 1, range.len());
    }
    let n = range.len() as f64;
    let figures = all.figures();
    let band = |v: &[f64]| [quantile(v.to_vec(), 0.05), quantile(v.to_vec(), 0.95)];
    let edge = |part: f64| -> Vec<f64> {
        (0..figures.acf.len())
            .map(|lag| quantile(windows.iter().map(|w| w[lag]).collect(), part))
            .collect()
    };
    Ok(TruthCard {
        acf_lo: edge(0.05),
        acf_hi: edge(0.95),
        acf: figures.acf,
        std: (square / n - (sum / n).powi(2)).sqrt(),
        std_band: band(&stds),
        rmse_band: band(&steps),
        spectrum: figures.spectrum,
        rain: Some(RainTruth {
            global_mean: figures.global_mean,
            global_mean_band: band(&means),
            wet_fraction: figures.wet_fraction,
            wet_fraction_band: band(&wets),
            percentiles: figures.percentiles,
            tropics_acf: figures.tropics_acf,
            global_acf: figures.global_acf,
            zonal_mean: figures.zonal_mean,
        }),
        ..TruthCard::default()
    })
}
