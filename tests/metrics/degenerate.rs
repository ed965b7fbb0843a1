//! Constant fields, one member, one frame, no rain, nothing at all: a figure or `None`, never a panic.

use eddyscope::metrics::*;
use eddyscope::sim::{Params, Solver};

use super::support::*;

const NONE: [&[f32]; 0] = [];

#[test]
fn constant_fields() {
    let rows = cos();
    let w = Weights::rows(&rows, NX);
    let constant = vec![vec![0.1_f32; NY * NX]; 20];
    let x = views(&constant);
    assert_eq!(eofs(&x, w, 3), None);
    let mut stream = EofStream::new(w, NY * NX, 5).unwrap();
    assert!(x.iter().all(|f| stream.push(f)));
    assert_eq!(stream.eofs(3), None);
    assert_eq!(anomaly_acf(&x, &[0; 20], 3, w), None);
    let mut acf = StreamingAcf::new(3);
    x.iter().for_each(|f| acf.push(f));
    assert_eq!((acf.weighted_acf(w), acf.masked()), (None, NY * NX));
    assert!(acf.maps().unwrap().iter().flatten().all(|v| v.is_nan()));
    let mut moments = MapMoments::default();
    assert!(x.iter().all(|f| moments.push(f)));
    assert!(moments.variance().unwrap().iter().all(|v| *v == 0.0));
    assert_eq!(moments.overall(w).map(|o| o.std < 1e-15), Some(true));
    assert_eq!(moments.absolute_bias(&moments, w), Some(0.0));
    let threshold = local_percentile(&x, 95.0).unwrap();
    assert!(threshold.iter().all(|t| *t == f64::from(0.1_f32)));
    let mut waiting = WaitingTimes::new(threshold);
    assert!(x.iter().all(|f| waiting.push(f)));
    assert_eq!((waiting.total(), waiting.mean()), (0, None));
    assert_eq!(
        Drift::of(&[1.0; 5], &[1.0; 5]).map(|d| d.holds()),
        Some(true)
    );
    assert_eq!(independent_samples(&[1.0; 9]), None);
    let spectrum = radial_spectrum(&[0.0; 64], 8).unwrap();
    assert!(spectrum.energy.iter().all(|e| *e == 0.0));
    for form in W1Form::ALL {
        let same = form.distance(&constant[0], &constant[0]);
        assert!(same.unwrap() < 1e-15);
    }
}

#[test]
fn one_frame_or_one_member() {
    let rows = cos();
    let w = Weights::rows(&rows, NX);
    let (truth, model) = truth_and_model();
    let (y, x) = (views(&truth[..1]), views(&model[..1]));
    assert_eq!(eofs(&x, w, 3), None);
    assert_eq!(anomaly_acf(&x, &[0], 3, w), None);
    assert!(weighted_rmse(&y, &x, w).unwrap() > 0.0);
    assert_eq!(local_percentile(&x, 95.0).unwrap()[5], f64::from(7.25_f32));
    let score = weighted_crps(&x, y[0], w).unwrap();
    let direct = {
        let error = |c: usize| f64::from((x[0][c] - y[0][c]).abs());
        let sum: f64 = (0..NY * NX).map(|c| w.of(c) * error(c)).sum();
        sum / (0..NY * NX).map(|c| w.of(c)).sum::<f64>()
    };
    assert!((score.biased - direct).abs() < 1e-6 * direct && score.fair.is_none());
    let mut pair = SpreadSkill::default();
    assert!(!pair.push(&x, y[0]) && pair.merge(&SpreadSkill::default()));
    assert_eq!(
        (pair.spread(), pair.skill(), pair.ratio()),
        (None, None, None)
    );
    assert_eq!(rank_histogram(&x, x[0]).unwrap(), [24.0, 24.0]);
    // Two frames have one direction.
    let two = eofs(&views(&model[..2]), w, 3).unwrap();
    assert_eq!(two.eigenvalues.len(), 1);
    assert!((two.fractions[0] - 1.0).abs() < 1e-9);
    let band = Bootstrap::default().band(1, |_| Some(2.0)).unwrap();
    assert_eq!((band.low, band.estimate, band.high), (2.0, 2.0, 2.0));
    let mut blocks = BlockMoments::new(2);
    assert!(blocks.push(x[0], w) && blocks.blocks().is_empty());
    assert_eq!(Drift::of(&[1.0], &[1.0, 2.0]), None);
    assert_eq!(
        principal_cosines(&two.patterns, &two.patterns).map(|c| c.len()),
        Some(1)
    );
    let mut top = TopValues::new(NY * NX, 95.0, 1);
    assert!(top.push(x[0]) && !top.push(x[0]), "one frame was announced");
}

#[test]
fn no_rain_at_all() {
    let dry = vec![vec![0.0_f32; NY * NX]; 30];
    let x = views(&dry);
    let mut rows = RowDistances::default();
    x.iter().for_each(|f| rows.push(&f[..NX]));
    for form in W1Form::ALL {
        assert_eq!((rows.mean(form), rows.undefined(form)), (None, 29));
    }
    let score = crps(&x[..5], x[0]).unwrap();
    assert_eq!((score.biased, score.fair), (0.0, Some(0.0)));
    assert!(
        rank_histogram(&x[..5], x[0])
            .unwrap()
            .iter()
            .all(|c| (*c - 8.0).abs() < 1e-9)
    );
    let mut counts = ValueCounts::default();
    x.iter().for_each(|f| counts.add(f));
    assert_eq!(counts.quantile(0.99), Some(0.0));
    let e = exceedances(&counts, &counts, &[99.0]).unwrap()[0];
    assert!(e.truth == 0.0 && e.frequency_ratio.is_nan() && e.amount_ratio.is_nan());
    let mut waiting = WaitingTimes::new(local_percentile(&x, 95.0).unwrap());
    assert!(x.iter().all(|f| waiting.push(f)));
    assert_eq!((waiting.mean(), waiting.share_longer(3)), (None, None));
    assert_eq!(waiting.w1(&waiting.clone()), None);
    let mut years = BlockMaxima::new(10);
    assert!(x.iter().all(|f| years.push(f)));
    let levels = years.return_levels(&[2.0, 100.0], Weights::EVEN);
    assert!(levels[0] == 0.0 && levels[1].is_nan());
}

#[test]
fn nothing_at_all() {
    let w = Weights::EVEN;
    assert_eq!(eofs(&NONE, w, 3), None);
    assert_eq!(eofs(&[&[]], w, 3), None);
    assert_eq!(eofs(&[&[1.0], &[2.0]], w, 0), None);
    assert!(EofStream::new(w, 0, 3).is_none() && EofStream::new(w, 3, 0).is_none());
    assert_eq!(EofStream::new(w, 3, 2).unwrap().eofs(1), None);
    assert_eq!(anomaly_acf(&NONE, &[], 3, w), None);
    assert_eq!(StreamingAcf::new(3).maps(), None);
    let empty = MapMoments::default();
    assert_eq!(
        (empty.mean(), empty.variance(), empty.overall(w)),
        (None, None, None)
    );
    assert_eq!(
        (running_mean(&[], 1), running_mean(&[1.0], 0)),
        (None, None)
    );
    assert_eq!(Drift::of(&[], &[]), None);
    assert_eq!(
        (wasserstein(&[], &[1.0]), wasserstein(&[f64::NAN], &[1.0])),
        (None, None)
    );
    assert_eq!(wasserstein_weighted(&[1.0], &[0.0], &[1.0], &[1.0]), None);
    assert!(Histogram::new(1.0, 1.0, 4).is_none() && Histogram::new(0.0, 1.0, 0).is_none());
    let counts = ValueCounts::default();
    assert_eq!(
        (counts.quantile(0.5), counts.mean(), counts.w1(&counts)),
        (None, None, None)
    );
    assert_eq!(exceedances(&counts, &counts, &[90.0]), None);
    assert!(return_levels(&[], &[2.0])[0].is_nan());
    assert!(return_levels(&[1.0, 2.0], &[f64::NAN])[0].is_nan());
    assert_eq!(local_percentile(&NONE, 95.0), None);
    assert_eq!(WaitingTimes::new(Vec::new()).mean(), None);
    let unseen = Reliability::new(5);
    assert_eq!(
        (unseen.ece(), unseen.brier(), unseen.bins().len()),
        (None, None, 0)
    );
    let mut by_noise = ReliabilityByNoise::new(&[0.1, 1.0], 5);
    assert!(!by_noise.push(2, 0.5, true) && !by_noise.push(0, f64::NAN, true));
    assert!(by_noise.push(1, 1.0, true));
    assert_eq!(by_noise.levels()[1].1.ece(), Some(0.0));
    assert_eq!(Bootstrap::default().band(0, |_| Some(1.0)), None);
    assert_eq!(Bootstrap::default().band(3, |_| None), None);
    assert_eq!(Bootstrap::default().block_band(3, 0, |_| Some(1.0)), None);
    let bands = Bootstrap::default().bands(3, |_| Some(vec![1.0, f64::NAN]));
    assert!(bands.unwrap()[1].low.is_nan());
    assert_eq!(principal_cosines(&[], &[]), None);
    assert_eq!(
        principal_cosines(&[vec![0.0, 0.0]], &[vec![1.0, 0.0]]),
        None
    );
    assert!(hovmoeller_column(&[1.0; 5], 2, 3).is_empty());
    assert_eq!(hovmoeller_column(&[1.0, 3.0, 5.0, 7.0], 2, 2), [2.0, 6.0]);
    assert!(SpectrumStream::new(5).is_none());
    assert_eq!(SpectrumStream::new(4).unwrap().mean(), None);
    let solver = Solver::new(&Params::preset("vorticity-64").unwrap()).unwrap();
    assert_eq!(BudgetStream::new(solver).figures(), None);
}

#[test]
fn what_does_not_fit_is_refused() {
    let rows = cos();
    let w = Weights::rows(&rows, NX);
    let bad = [1.0, f32::NAN];
    let two: [&[f32]; 2] = [&[1.0, 2.0], &[2.0, 1.0]];
    assert_eq!(eofs(&two, w, 1), None);
    assert_eq!(eofs(&[&[1.0, 2.0], &bad], Weights::EVEN, 1), None);
    assert_eq!(eofs(&[&[1.0, 2.0], &[1.0]], Weights::EVEN, 1), None);
    assert_eq!(anomaly_acf(&two, &[0, 12], 1, Weights::EVEN), None);
    assert_eq!(anomaly_acf(&two, &[0], 1, Weights::EVEN), None);
    assert_eq!(anomaly_acf(&two, &[0, 0], 1, w), None);
    let mut moments = MapMoments::default();
    assert!(!moments.push(&[]) && !moments.push(&bad) && moments.push(two[0]));
    assert!(!moments.push(&[1.0]));
    assert_eq!(moments.overall(w), None);
    let mut other = MapMoments::default();
    assert!(other.push(&[1.0]) && !moments.merge(&other) && moments.bias(&other).is_none());
    let mut stream = EofStream::new(Weights::EVEN, 2, 2).unwrap();
    assert!(!stream.push(&bad) && !stream.push(&[1.0]) && stream.frames() == 0);
    let mut top = TopValues::new(2, 50.0, 3);
    assert!(!top.push(&bad) && !top.push(&[1.0]));
    let mut waiting = WaitingTimes::new(vec![1.0, f64::NAN]);
    assert!(!waiting.push(&[1.0]) && waiting.push(&[2.0, 2.0]) && waiting.push(&[2.0, 2.0]));
    assert_eq!(waiting.counts(), [0, 1]);
    let mut counts = ValueCounts::default();
    assert!(!counts.push(f64::INFINITY) && counts.push(-1e30) && counts.push(1e-30));
    assert_eq!(counts.histogram(&[]), [0_u64; 0]);
    assert!(!Reliability::new(5).push(1.5, true));
    assert!(!Reliability::new(5).merge(&Reliability::new(4)));
    let mut maxima = BlockMaxima::new(1);
    assert!(!maxima.push(&bad) && maxima.push(&[1.0]) && !maxima.push(&[1.0, 2.0]));
    let mut pair = SpreadSkill::default();
    let mut triple = SpreadSkill::default();
    assert!(pair.push(&two, two[0]) && triple.push(&[two[0]; 3], two[1]));
    assert!(!pair.merge(&triple));
}
