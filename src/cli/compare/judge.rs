//! The table: each figure of a run beside truth's, with what is asked of it.

use crate::field::Globe;
use crate::metrics::rain::season::region_mean;
use crate::metrics::rain::{
    AnnualCycle, MAX_LAG, PERCENTILES, REGIONS, RainSummary, YEAR_FIGURES, YearFigures,
    annual_cycle, spread, trend, zonal_spectrum_error,
};

use super::survey::Survey;

/// Years that a run must have for a verdict on its drift.
const YEARS_FOR_DRIFT: usize = 5;

/// Years of the blocks whose spread a drift is held against.
const BLOCK: usize = 12;

/// What is asked of a figure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bar {
    /// Within this of truth.
    Within(f64),
    /// Within this share of truth.
    Share(f64),
    /// The figure itself at most this.
    AtMost(f64),
}

/// A line of the table.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Heading under which it stands.
    pub group: &'static str,
    /// What it is, with its unit.
    pub name: String,
    /// The run's; NaN where it is undefined.
    pub run: f64,
    /// Truth's; NaN where there is none.
    pub truth: f64,
    /// What is compared with the bar.
    pub difference: f64,
    /// What is asked, if anything is.
    pub bar: Option<Bar>,
}

impl Row {
    fn new(
        group: &'static str,
        name: impl Into<String>,
        run: f64,
        truth: f64,
        bar: Option<Bar>,
    ) -> Self {
        let difference = match bar {
            Some(Bar::AtMost(_)) => run,
            _ => run - truth,
        };
        Self {
            group,
            name: name.into(),
            run,
            truth,
            difference,
            bar,
        }
    }

    /// Whether it holds; `None` where nothing is asked. A figure that is undefined does not hold.
    pub fn holds(&self) -> Option<bool> {
        self.bar.map(|bar| match bar {
            Bar::Within(d) => self.difference.abs() <= d,
            Bar::Share(s) => self.difference.abs() <= s * self.truth.abs(),
            Bar::AtMost(m) => self.difference.abs() <= m,
        })
    }
}

/// All lines.
pub fn table(run: &Survey, truth: &Survey, globe: &Globe) -> Vec<Row> {
    let mut rows = Vec::new();
    correlation(&run.summary, &truth.summary, &mut rows);
    amounts(&run.summary, &truth.summary, globe, &mut rows);
    seasons(run, truth, globe, &mut rows);
    drift(&run.years, &truth.years, &mut rows);
    rows
}

fn correlation(run: &RainSummary, truth: &RainSummary, rows: &mut Vec<Row>) {
    let group = "Autocorrelation of anomalies from the series' own monthly climatology";
    let at = |v: &[f64], lag: usize| v.get(lag).copied().unwrap_or(f64::NAN);
    let mut kind = |name: &str, x: &[f64], y: &[f64], bars: &[f64]| {
        for lag in 1..=MAX_LAG {
            let bar = bars.get(lag - 1).copied().map(Bar::Within);
            let name = format!("{name}, lag {lag}");
            rows.push(Row::new(group, name, at(x, lag), at(y, lag), bar));
        }
    };
    kind("mean over cells", &run.acf, &truth.acf, &[0.05; 3]);
    kind("20S-20N", &run.tropics_acf, &truth.tropics_acf, &[0.07]);
    kind("global mean", &run.global_acf, &truth.global_acf, &[0.1]);
}

fn amounts(run: &RainSummary, truth: &RainSummary, globe: &Globe, rows: &mut Vec<Row>) {
    let group = "Amounts";
    let mut row = |name: String, x: f64, y: f64, bar: Bar| {
        rows.push(Row::new(group, name, x, y, Some(bar)));
    };
    row(
        "global mean, mm/day".into(),
        run.global_mean,
        truth.global_mean,
        Bar::Share(0.03),
    );
    row(
        "wet share of the cells (0.1 mm/day)".into(),
        run.wet_cells,
        truth.wet_cells,
        Bar::Within(0.03),
    );
    row(
        "wet share of the area".into(),
        run.wet_fraction,
        truth.wet_fraction,
        Bar::Within(0.03),
    );
    for (i, p) in PERCENTILES.iter().enumerate() {
        let name = format!("{p}th percentile, mm/day");
        row(
            name,
            run.percentiles[i],
            truth.percentiles[i],
            Bar::Share(0.08),
        );
    }
    let rmse = zonal_rmse(&run.zonal_mean, &truth.zonal_mean, globe);
    row(
        "zonal mean, rms difference, mm/day".into(),
        rmse,
        f64::NAN,
        Bar::AtMost(0.25),
    );
    let error = zonal_spectrum_error(&run.spectrum, &truth.spectrum).unwrap_or(f64::NAN);
    row(
        "zonal spectrum, mean |log10|".into(),
        error,
        f64::NAN,
        Bar::AtMost(0.08),
    );
}

/// Area-weighted root mean square difference of two zonal means; NaN where they do not fit.
pub fn zonal_rmse(run: &[f64], truth: &[f64], globe: &Globe) -> f64 {
    let weights = globe.row_weights();
    if run.len() != weights.len() || truth.len() != weights.len() {
        return f64::NAN;
    }
    let square: f64 = run
        .iter()
        .zip(truth)
        .zip(&weights)
        .map(|((x, y), w)| w * (x - y).powi(2))
        .sum();
    (square / weights.len() as f64).sqrt()
}

fn seasons(run: &Survey, truth: &Survey, globe: &Globe, rows: &mut Vec<Row>) {
    let group = "Annual harmonic by region (months from 1 = the middle of January; a peak within half a month counts as right)";
    for (k, region) in REGIONS.iter().enumerate() {
        let cells = region.cells(globe);
        let cycle = |monthly: &[Vec<f32>]| {
            let mean = |m: usize| monthly.get(m).map_or(f64::NAN, |v| region_mean(&cells, v));
            annual_cycle(&std::array::from_fn(mean))
        };
        let Some(true_cycle) = cycle(&truth.monthly) else {
            continue;
        };
        let whole = cycle(&run.monthly);
        push_cycle(group, region.name, whole, true_cycle, rows);
        // Does it keep running? The last quarter of a long run.
        let last = run.years.iter().map(|y| y.year + 1).max().unwrap_or(0);
        if last >= 2 * YEARS_FOR_DRIFT {
            let from = last - last / 4;
            let late = mean_months(run.years.iter().filter(|y| y.year >= from), k);
            let name = format!("{}, last {} years", region.name, last - from);
            push_cycle(group, &name, annual_cycle(&late), true_cycle, rows);
        }
    }
}

fn push_cycle(
    group: &'static str,
    name: &str,
    run: Option<AnnualCycle>,
    truth: AnnualCycle,
    rows: &mut Vec<Row>,
) {
    let amplitude = run.map_or(f64::NAN, |c| c.amplitude);
    let name_of = |what: &str| format!("{name}: {what}");
    rows.push(Row::new(
        group,
        name_of("amplitude, mm/day"),
        amplitude,
        truth.amplitude,
        None,
    ));
    // Months are counted from 1 = the middle of January.
    let mut peak = Row::new(
        group,
        name_of("peak, month"),
        run.map_or(f64::NAN, |c| c.peak + 1.0),
        truth.peak + 1.0,
        Some(Bar::Within(0.5)),
    );
    peak.difference = run.map_or(f64::NAN, |c| c.later_than(&truth));
    rows.push(peak);
}

/// Mean of the months of years in a region.
fn mean_months<'a>(years: impl Iterator<Item = &'a YearFigures>, region: usize) -> [f64; 12] {
    let (mut sum, mut n) = ([0.0; 12], 0.0);
    for year in years {
        for (s, v) in sum.iter_mut().zip(&year.regions[region]) {
            *s += v;
        }
        n += 1.0;
    }
    sum.map(|s| s / n)
}

/// Drift of each yearly figure over the run, held against twice the larger of what truth's 12-year blocks scatter and what
/// the slope of trendless years, as variable as truth's, would scatter in a run of this length.
fn drift(run: &[YearFigures], truth: &[YearFigures], rows: &mut Vec<Row>) {
    let group = "Drift over the run, from whole years (bar: see --help)";
    let length = run.iter().map(|y| y.year + 1).max().unwrap_or(0);
    if length < YEARS_FOR_DRIFT {
        return;
    }
    let span = length as f64;
    let times: Vec<f64> = run.iter().map(|y| y.year as f64).collect();
    let mean_time = times.iter().sum::<f64>() / times.len() as f64;
    let leverage: f64 = times.iter().map(|t| (t - mean_time).powi(2)).sum();
    for (i, name) in YEAR_FIGURES.iter().enumerate() {
        let over = |years: &[YearFigures]| {
            let points: Vec<(f64, f64)> =
                years.iter().map(|y| (y.year as f64, y.values[i])).collect();
            trend(&points).map_or(f64::NAN, |t| t.slope * span)
        };
        let yearly: Vec<f64> = truth.iter().map(|y| y.values[i]).collect();
        let bar = spread(&yearly).map(|scatter| {
            let blocks: Vec<f64> = yearly
                .chunks_exact(BLOCK)
                .map(|b| b.iter().sum::<f64>() / BLOCK as f64)
                .collect();
            let of_blocks = match spread(&blocks) {
                Some(s) if blocks.len() >= 3 => s,
                _ => scatter / (BLOCK as f64).sqrt(),
            };
            Bar::AtMost(2.0 * of_blocks.max(scatter * span / leverage.sqrt()))
        });
        let unit = if i == 1 { "" } else { ", mm/day" };
        let name = format!("{name}{unit}, {length} years");
        rows.push(Row::new(group, name, over(run), over(truth), bar));
    }
}
