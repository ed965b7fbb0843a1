//! The figures of rain against numpy and scipy (`tests/reference/rain.py`), going back, and what is undefined.

use std::sync::Arc;

use serde_json::Value;

use super::amounts::AmountCounts;
use super::day::{RainGrid, percentiles, zonal_spectrum_error};
use super::monthly::MonthlyMeans;
use super::season::{REGIONS, annual_cycle, region_mean};
use super::stream::{MAX_LAG, RainStream, RainSummary};
use super::trend::{spread, trend};
use crate::field::Globe;
use crate::metrics::{
    SpreadSkill, Weights, crps, weighted_absolute_bias, weighted_crps, weighted_rmse,
};

struct Reference {
    json: Value,
    globe: Globe,
    days: usize,
}

impl Reference {
    fn load() -> Self {
        let text = include_str!("../../../tests/reference/rain.json");
        let json: Value = serde_json::from_str(text).unwrap();
        let number = |name: &str| json[name].as_u64().unwrap() as usize;
        Self {
            globe: Globe::cell_centred(number("ny"), number("nx")).unwrap(),
            days: number("days"),
            json,
        }
    }

    /// Days of one member.
    fn run(&self, member: usize) -> Vec<Vec<f32>> {
        let cells = self.globe.len();
        let all: Vec<f32> = numbers(&self.json["runs"])
            .iter()
            .map(|v| *v as f32)
            .collect();
        let run = &all[member * self.days * cells..][..self.days * cells];
        run.chunks_exact(cells).map(<[f32]>::to_vec).collect()
    }

    fn months(&self) -> Vec<usize> {
        numbers(&self.json["months"])
            .iter()
            .map(|m| *m as usize)
            .collect()
    }

    fn climatology(&self) -> Vec<Vec<f32>> {
        let values: Vec<f32> = numbers(&self.json["climatology"])
            .iter()
            .map(|v| *v as f32)
            .collect();
        values
            .chunks_exact(self.globe.len())
            .map(<[f32]>::to_vec)
            .collect()
    }

    fn expected(&self, name: &str) -> Vec<f64> {
        let at = name
            .split('.')
            .fold(&self.json["expected"], |v, key| &v[key]);
        at.as_f64().map_or_else(|| numbers(at), |v| vec![v])
    }

    /// 1e-6 relative to the largest of the values.
    fn check(&self, name: &str, got: &[f64]) {
        let expected = self.expected(name);
        assert_eq!(got.len(), expected.len(), "{name}");
        let size = expected.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
        for (g, e) in got.iter().zip(&expected) {
            assert!((g - e).abs() <= 1e-6 * size, "{name}: {g} instead of {e}");
        }
    }

    fn stream(&self, days: usize) -> RainStream {
        let mut stream = RainStream::with_climatology(&self.globe, &self.climatology()).unwrap();
        let (a, b, months) = (self.run(0), self.run(1), self.months());
        for i in 0..days {
            assert!(stream.push(&[&a[i], &b[i]], months[i]));
        }
        stream
    }
}

fn numbers(value: &Value) -> Vec<f64> {
    let list = value.as_array().unwrap();
    list.iter()
        .map(|v| v.as_f64().unwrap_or(f64::NAN))
        .collect()
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&v| f64::from(v)).collect()
}

fn views(frames: &[Vec<f32>]) -> Vec<&[f32]> {
    frames.iter().map(|f| &f[..]).collect()
}

#[test]
fn a_day_agrees_with_numpy() {
    let r = Reference::load();
    let grid = RainGrid::new(&r.globe);
    r.check("row_weights", grid.row_weights());
    let run = r.run(0);
    let day = grid.day(&[&run[5]]).unwrap();
    r.check("day.global_mean", &[day.global_mean]);
    r.check("day.wet_fraction", &[day.wet_fraction]);
    r.check("day.wet_cells", &[day.wet_cells]);
    r.check("day.percentiles", &day.percentiles);
    r.check("day.zonal_mean", &wide(&day.zonal_mean));
    r.check("day.power", &grid.zonal_power(&run[5]).unwrap());
    r.check("day.hovmoeller", &wide(&grid.hovmoeller(&run[5])));
    let two = grid.day(&[&run[5], &run[5]]).unwrap();
    assert_eq!(two.percentiles, day.percentiles);
}

#[test]
fn a_run_agrees_with_numpy() {
    let r = Reference::load();
    let stream = r.stream(r.days);
    let f = stream.figures();
    r.check("run.global_mean", &[f.global_mean]);
    r.check("run.wet_fraction", &[f.wet_fraction]);
    r.check("run.wet_cells", &[f.wet_cells]);
    r.check("run.zonal_mean", &f.zonal_mean);
    r.check("run.spectrum", &f.spectrum);
    r.check("run.acf", &f.acf);
    r.check("run.tropics_acf", &f.tropics_acf);
    r.check("run.global_acf", &f.global_acf);
    let exact = r.expected("run.percentiles");
    for (got, want) in f.percentiles.iter().zip(exact) {
        assert!((got / want - 1.0).abs() < 0.0025, "{got} instead of {want}");
    }
    let spectrum = |member: usize| {
        let mut s = RainStream::new(&r.globe);
        for day in r.run(member) {
            assert!(s.push(&[&day], 0));
        }
        let f = s.figures();
        assert!(f.acf.iter().chain(&f.global_acf).all(|v| v.is_nan()));
        f.spectrum
    };
    let error = zonal_spectrum_error(&spectrum(0), &spectrum(1)).unwrap();
    r.check("spectrum_error", &[error]);
}

#[test]
fn weights_trend_and_cycle_agree_with_numpy_and_scipy() {
    let r = Reference::load();
    let rows = r.globe.row_weights();
    let weights = Weights::rows(&rows, r.globe.nx);
    let (a, b) = (r.run(0), r.run(1));
    let (y, x) = (views(&a), views(&b));
    r.check("weighted.rmse", &[weighted_rmse(&y, &x, weights).unwrap()]);
    let bias = weighted_absolute_bias(&y, &x, weights).unwrap();
    r.check("weighted.bias", &[bias]);
    let score = weighted_crps(&x[..7], y[40], weights).unwrap();
    r.check("weighted.crps", &[score.biased]);
    r.check("weighted.crps_fair", &[score.fair.unwrap()]);
    let mut both = SpreadSkill::default();
    assert!(both.push_weighted(&x[..7], y[40], weights));
    r.check("weighted.ratio", &[both.ratio().unwrap()]);
    // Weights of another grid are refused, even ones change nothing.
    let other = Weights::rows(&rows[1..], r.globe.nx);
    assert_eq!(weighted_rmse(&y, &x, other), None);
    assert_eq!(weighted_absolute_bias(&y, &x, other), None);
    assert_eq!(weighted_crps(&x[..7], y[40], other), None);
    assert!(!both.push_weighted(&x[..7], y[40], other));
    let even = vec![1.0; r.globe.ny()];
    let even = weighted_crps(&x[..7], y[40], Weights::rows(&even, r.globe.nx));
    assert_eq!(even, crps(&x[..7], y[40]));

    let points: Vec<(f64, f64)> = numbers(&r.json["yearly"])
        .iter()
        .enumerate()
        .map(|(i, v)| (i as f64, *v))
        .collect();
    let line = trend(&points).unwrap();
    r.check("trend.slope", &[line.slope]);
    r.check("trend.standard_error", &[line.standard_error]);
    let months: [f64; 12] = numbers(&r.json["cycle"]).try_into().unwrap();
    let cycle = annual_cycle(&months).unwrap();
    r.check("cycle.mean", &[cycle.mean]);
    r.check("cycle.amplitude", &[cycle.amplitude]);
    r.check("cycle.peak", &[cycle.peak]);
}

fn assert_alike(a: &RainSummary, b: &RainSummary) {
    assert_eq!(a.days, b.days);
    let all = |f: &RainSummary| -> Vec<f64> {
        let single = [f.global_mean, f.wet_fraction, f.wet_cells];
        let lists = [
            &f.acf,
            &f.tropics_acf,
            &f.global_acf,
            &f.zonal_mean,
            &f.spectrum,
        ];
        single
            .into_iter()
            .chain(f.percentiles)
            .chain(lists.into_iter().flatten().copied())
            .collect()
    };
    for (x, y) in all(a).into_iter().zip(all(b)) {
        assert!(
            (x - y).abs() < 1e-9 || (x.is_nan() && y.is_nan()),
            "{x} {y}"
        );
    }
}

#[test]
fn going_back_and_on_gives_the_same_figures() {
    let r = Reference::load();
    let (a, b, months) = (r.run(0), r.run(1), r.months());
    let day = |i: usize| {
        let members: Vec<Arc<[f32]>> = vec![a[i].as_slice().into(), b[i].as_slice().into()];
        Some((members, months[i]))
    };
    let straight = r.stream(r.days).figures();
    // Few days dropped, more than half dropped, into the first days, all.
    for kept in [88, 70, 50, 20, 5, 0] {
        let mut stream = r.stream(r.days);
        assert!(stream.truncate(kept, &day));
        assert_alike(&stream.figures(), &r.stream(kept).figures());
        for i in kept..r.days {
            assert!(stream.push(&[&a[i], &b[i]], months[i]));
        }
        assert_alike(&stream.figures(), &straight);
    }
    // Short series: the days before the dropped ones run out.
    let mut stream = r.stream(9);
    assert!(stream.truncate(7, &day));
    assert_alike(&stream.figures(), &r.stream(7).figures());
    // A day that is gone: begun anew.
    assert!(!stream.truncate(5, &|_| None));
    assert_eq!(stream.days(), 0);
    assert!(stream.push(&[&a[0]], months[0]));
}

#[test]
fn a_gap_is_not_correlated_across() {
    let r = Reference::load();
    let (a, months) = (r.run(0), r.months());
    // Two parts of one series: as two members of equal length would be, here of 60 and 30 days.
    let mut parts = RainStream::with_climatology(&r.globe, &r.climatology()).unwrap();
    for i in 0..r.days {
        if i == 60 {
            parts.end_series();
        }
        assert!(parts.push(&[&a[i]], months[i]));
    }
    let climatology = r.climatology();
    let grid = RainGrid::new(&r.globe);
    let series: Vec<f64> = (0..r.days)
        .map(|i| grid.mean(&a[i]) - grid.mean(&climatology[months[i]]))
        .collect();
    let mean = series.iter().sum::<f64>() / r.days as f64;
    let d: Vec<f64> = series.iter().map(|v| v - mean).collect();
    let square: f64 = d.iter().map(|v| v * v).sum();
    let figures = parts.figures();
    for lag in 1..=MAX_LAG {
        let within =
            |from: usize, to: usize| -> f64 { (from + lag..to).map(|n| d[n] * d[n - lag]).sum() };
        let want = (within(0, 60) + within(60, r.days)) / square;
        let got = figures.global_acf[lag];
        assert!((got - want).abs() < 1e-6, "{lag}: {got} {want}");
    }
    assert!(!parts.truncate(80, &|_| None) && parts.days() == 0);
}

#[test]
fn percentiles_of_counts_are_within_half_a_percent() {
    // From dry to torrential, evenly in the logarithm.
    let values: Vec<f32> = (0..20_000)
        .map(|i| (-7.0 + 13.0 * i as f32 / 20_000.0).exp())
        .collect();
    let mut counts = AmountCounts::default();
    counts.add(&values);
    let (exact, ranks) = (percentiles(&values), super::PERCENTILES);
    for (p, want) in ranks.into_iter().zip(exact) {
        let got = counts.percentile(p);
        assert!((got / want - 1.0).abs() < 0.003, "{p}: {got} {want}");
    }
    let mut twice = counts.clone();
    twice.merge(&counts);
    assert_eq!(twice.total(), 40_000);
    twice.remove(&values);
    assert_eq!(twice, counts);
    // Extremes have a bin.
    counts.add(&[0.0, -0.0, f32::MAX, f32::INFINITY, f32::NAN, -1.0, 1e-30]);
    assert_eq!(counts.percentile(0.0), 0.0);
    assert_eq!(counts.percentile(100.0), 4096.0);
    assert!(AmountCounts::default().percentile(50.0).is_nan());
    let mut one = AmountCounts::default();
    one.add(&[2.5]);
    assert_eq!((one.percentile(0.0), one.percentile(99.9)), (2.5, 2.5));
}

#[test]
fn undefined_cases_say_so() {
    let r = Reference::load();
    let grid = RainGrid::new(&r.globe);
    let cells = r.globe.len();
    let (dry, wet) = (vec![0.0; cells], vec![2.5; cells]);
    let broken = {
        let mut f = dry.clone();
        f[3] = f32::NAN;
        f
    };
    assert_eq!(grid.day(&[]), None);
    assert_eq!(grid.day(&[&dry[1..]]), None);
    assert_eq!(grid.day(&[&broken]), None);
    assert_eq!(grid.zonal_power(&broken), None);
    assert!(grid.hovmoeller(&dry[1..]).is_empty());
    assert!(grid.mean(&dry[1..]).is_nan());
    assert!(percentiles(&[])[0].is_nan());
    let day = grid.day(&[&dry]).unwrap();
    assert_eq!((day.wet_fraction, day.percentiles), (0.0, [0.0; 5]));
    assert_eq!(zonal_spectrum_error(&[], &[1.0]), None);
    assert_eq!(zonal_spectrum_error(&[1.0; 5], &[0.0; 5]), None);

    let none = RainStream::new(&r.globe).figures();
    assert!(none.global_mean.is_nan() && none.percentiles[0].is_nan());
    assert!(RainStream::with_climatology(&r.globe, &[&dry[..]]).is_none());
    // All dry and constant days, one day: no variance, no correlation.
    for frame in [&dry, &wet] {
        let mut months = MonthlyMeans::new(cells);
        (0..30).for_each(|_| assert!(months.push(frame, 4)));
        assert!(months.means()[5][0].is_nan());
        let mut stream = RainStream::with_climatology(&r.globe, &months.means()).unwrap();
        // A month that the climatology lacks is refused, and so are frames that do not fit.
        assert!(!stream.push(&[frame], 5) && !stream.push(&[frame], 12));
        assert!(!stream.push(&[&broken], 4) && !stream.push(&[], 4));
        (0..30).for_each(|_| assert!(stream.push(&[frame], 4)));
        assert!(!stream.push(&[frame, frame], 4));
        let f = stream.figures();
        assert!(f.acf.iter().all(|v| v.is_nan()) && f.global_acf[0].is_nan());
        assert_eq!(f.percentiles, [f64::from(frame[0]); 5]);
    }
    let one = r.stream(1).figures();
    // Two members on one day vary, but there is no pair of days.
    assert!((one.acf[0] - 1.0).abs() < 1e-6 && one.acf[1].is_nan());

    assert_eq!((trend(&[]), trend(&[(1.0, 2.0)])), (None, None));
    assert!(
        trend(&[(0.0, 1.0), (1.0, 3.0)])
            .unwrap()
            .standard_error
            .is_nan()
    );
    assert_eq!((spread(&[1.0]), spread(&[1.0, f64::NAN])), (None, None));
    assert_eq!(spread(&[1.0, 1.0]), Some(0.0));
    assert_eq!(annual_cycle(&[1.5; 12]), None);
    assert_eq!(annual_cycle(&[f64::NAN; 12]), None);
}

#[test]
fn regions_lie_where_they_should() {
    let globe = Globe::cell_centred(48, 96).unwrap();
    for region in &REGIONS {
        let cells = region.cells(&globe);
        assert!((cells.iter().map(|c| c.1).sum::<f64>() - 1.0).abs() < 1e-12);
        assert!(cells.len() >= 9, "{}", region.name);
        assert!((region_mean(&cells, &vec![1.5; globe.len()]) - 1.5).abs() < 1e-12);
        assert!(region_mean(&cells, &[]).is_nan());
    }
    // Across the meridian of Greenwich, and nowhere where the grid is too coarse.
    let sahel = REGIONS[0].cells(&globe);
    assert!(sahel.iter().any(|c| c.0 % 96 == 0) && sahel.iter().any(|c| c.0 % 96 == 94));
    assert!(
        REGIONS[0]
            .cells(&Globe::cell_centred(3, 4).unwrap())
            .is_empty()
    );
    assert!(region_mean(&[], &[1.0]).is_nan());
    let cycle = |peak: f64| {
        let month = |m: usize| 2.0 + (std::f64::consts::TAU * (m as f64 - peak) / 12.0).cos();
        annual_cycle(&std::array::from_fn(month)).unwrap()
    };
    assert!((cycle(11.5).later_than(&cycle(0.25)) + 0.75).abs() < 1e-9);
    assert_eq!((cycle(11.7).month(), cycle(6.4).month()), (0, 6));
}
