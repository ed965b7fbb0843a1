//! Random input: every figure within 1e-6 of the library that the field uses for it.

use eddyscope::metrics::*;
use eddyscope::sim::{Forcing, Params, Solver};

use super::support::*;

#[test]
fn pointwise_and_autocorrelation() {
    let rows = cos();
    let w = Weights::rows(&rows, NX);
    let (truth, model) = truth_and_model();
    let (y, x) = (views(&truth), views(&model));
    let r = Family::load("pointwise");
    r.check("rmse", weighted_rmse(&y, &x, w));
    r.check("rmse_even", rmse(&y, &x));
    r.check_all("bias", &bias_map(&y, &x).unwrap());
    r.check("absolute_bias", weighted_absolute_bias(&y, &x, w));

    let (mut a, mut b) = (MapMoments::default(), MapMoments::default());
    assert!(x.iter().all(|f| a.push(f)) && y.iter().all(|f| b.push(f)));
    r.check_all("bias", &a.bias(&b).unwrap());
    r.check("absolute_bias", a.absolute_bias(&b, w));
    r.check_all("variance", &a.variance().unwrap());
    r.check("mean", a.overall(w).map(|o| o.mean));
    r.check("std", a.overall(w).map(|o| o.std));

    let r = Family::load("acf");
    let mut stream = StreamingAcf::new(10);
    x.iter().for_each(|f| stream.push(f));
    let maps = stream.maps().unwrap();
    let of_cell = |cell: usize| maps.iter().map(|m| m[cell]).collect::<Vec<_>>();
    r.check_all("cell_3", &of_cell(3));
    r.check_all("cell_47", &of_cell(47));
    assert!(of_cell(5).iter().all(|v| v.is_nan()));
    assert_eq!(stream.masked(), 1);
    r.check_all("even", &acf(&x, 10).unwrap());
    r.check_all("weighted", &stream.weighted_acf(w).unwrap());
    let months: Vec<usize> = (0..60).map(|n| n / 5 % 12).collect();
    let even = anomaly_acf(&x, &months, 10, w).unwrap();
    r.check_all("anomalies", &even);
}

#[test]
fn ensembles() {
    let r = Family::load("ensemble");
    let rows = cos();
    let w = Weights::rows(&rows, NX);
    let members: Vec<Vec<Vec<f32>>> = (0..7)
        .map(|b| {
            let mut starts = Numbers::new(10 + b).series(3, NY * NX, 0.5);
            starts.extend(Numbers::new(30 + b).rain(1, NY * NX));
            starts
        })
        .collect();
    let mut target = Numbers::new(20).series(3, NY * NX, 0.5);
    target.extend(Numbers::new(40).rain(1, NY * NX));
    let (mut biased, mut fair, mut single) = (Vec::new(), Vec::new(), Vec::new());
    let (mut all, mut ranks) = (SpreadSkill::default(), vec![0.0; 8]);
    for (start, y) in target.iter().enumerate() {
        let x: Vec<&[f32]> = members.iter().map(|m| &m[start][..]).collect();
        let score = weighted_crps(&x, y, w).unwrap();
        biased.push(score.biased);
        fair.push(score.fair.unwrap());
        let one = weighted_crps(&x[..1], y, w).unwrap();
        assert_eq!(one.fair, None);
        single.push(one.biased);
        let mut of_start = SpreadSkill::default();
        assert!(of_start.push_weighted(&x, y, w) && all.merge(&of_start));
        for (sum, count) in ranks.iter_mut().zip(rank_histogram(&x, y).unwrap()) {
            *sum += count;
        }
    }
    r.check_all("biased", &biased);
    r.check_all("fair", &fair);
    r.check_all("single", &single);
    r.check("spread", all.spread());
    r.check("skill", all.skill());
    r.check("ratio", all.ratio());
    r.check_all("ranks", &ranks);
}

#[test]
fn hovmoeller_and_distributions() {
    let r = Family::load("hovmoeller");
    let frames = Numbers::new(50).series(5, 12 * 14, 0.7);
    let rows: Vec<Vec<f32>> = frames
        .iter()
        .map(|f| hovmoeller_column(f, 12, 14))
        .collect();
    let wide: Vec<f64> = rows[2].iter().map(|&v| f64::from(v)).collect();
    r.check_all("row", &wide);
    let mut stream = RowDistances::default();
    rows.iter().for_each(|row| stream.push(row));
    for form in W1Form::ALL {
        let path = format!("w1.{}", form.name());
        let distances = row_distances(&rows, form);
        r.check_all(&path, &distances);
        let mean = distances.iter().sum::<f64>() / 4.0;
        assert!((stream.mean(form).unwrap() - mean).abs() < 1e-12);
        assert_eq!(stream.undefined(form), 0);
    }

    let r = Family::load("distributions");
    let u = Numbers::new(60).bell(37);
    let v: Vec<f64> = Numbers::new(61).bell(53).iter().map(|v| v + 0.25).collect();
    let (uw, vw) = (Numbers::new(62).uniform(37), Numbers::new(63).uniform(53));
    r.check("w1", wasserstein(&u, &v));
    r.check("w1_weighted", wasserstein_weighted(&u, &uw, &v, &vw));
    let mut histogram = Histogram::new(-1.0, 1.0, 8).unwrap();
    u.iter()
        .chain(&[1.0, -1.0, 0.5])
        .for_each(|v| histogram.push(*v));
    let counts: Vec<f64> = histogram.counts().iter().map(|&c| c as f64).collect();
    r.check_all("counts", &counts);
    r.check_all("edges", histogram.edges());
    r.check_all("density", &histogram.density());

    // Bins of 0.2 to 0.4 %: that is how close these come.
    let counted = |frames: &[Vec<f32>]| {
        let mut counts = ValueCounts::default();
        frames.iter().for_each(|f| counts.add(f));
        counts
    };
    let many = counted(&Numbers::new(64).rain(200, NY * NX));
    let other = counted(&Numbers::new(65).rain(150, NY * NX));
    let signed = counted(&truth_and_model().1);
    let quantiles = |c: &ValueCounts, q: &[f64]| -> Vec<f64> {
        q.iter().map(|&q| c.quantile(q).unwrap()).collect()
    };
    let got = quantiles(&many, &[0.5, 0.9, 0.99, 0.999]);
    r.check_within("quantiles", &got, 2e-3);
    let got = quantiles(&signed, &[0.01, 0.3, 0.5, 0.9]);
    r.check_within("signed_quantiles", &got, 2e-3);
    r.check("mean", many.mean());
    r.check_within("w1_counts", &[many.w1(&other).unwrap()], 0.02);
}

#[test]
fn waiting_times() {
    let r = Family::load("waiting");
    let truth = Numbers::new(70).rain(400, NY * NX);
    let run = Numbers::new(71).rain(300, NY * NX);
    let y = views(&truth);
    let threshold = local_percentile(&y, 95.0).unwrap();
    r.check_all("threshold", &threshold);
    r.check_all("threshold_60", &local_percentile(&y, 60.0).unwrap());
    let mut top = TopValues::new(NY * NX, 95.0, 1000);
    assert!(y.iter().all(|f| top.push(f)));
    r.check_all("threshold", &top.percentile().unwrap());

    let (mut a, mut b) = (
        WaitingTimes::new(threshold.clone()),
        WaitingTimes::new(threshold),
    );
    assert!(y.iter().all(|f| a.push(f)) && run.iter().all(|f| b.push(f)));
    let wide = |counts: &[u64]| counts.iter().map(|&c| c as f64).collect::<Vec<_>>();
    r.check_all("counts", &wide(a.counts()));
    r.check("mean", a.mean());
    r.check("longer_20", a.share_longer(20));
    r.check_all("histogram", &wide(&a.histogram(&[1, 2, 5, 20, 1000])));
    r.check("w1", a.w1(&b));
}

#[test]
fn spectra_and_budget() {
    let frames = Numbers::new(80).series(4, 256, 0.5);
    let mut stream = SpectrumStream::new(16).unwrap();
    assert!(frames.iter().all(|f| stream.push(f)));
    let mean = stream.mean().unwrap();
    let r = Family::load("spectra");
    r.check_all("energy", &mean.energy);
    r.check_all("enstrophy", &mean.enstrophy);
    let squares: f64 = frames.iter().flatten().map(|&v| f64::from(v).powi(2)).sum();
    let (total, direct) = (mean.enstrophy.iter().sum::<f64>(), 0.5 * squares / 1024.0);
    assert!((total - direct).abs() <= 1e-10 * direct, "Parseval");

    let params = Params {
        n: 16,
        nu: 1e-4,
        nu_order: 2,
        mu: 0.1,
        forcing: Forcing::None,
        dt: 1.0,
        steps_per_frame: 1,
        ..Params::preset("vorticity-64").unwrap()
    };
    let mut budget = BudgetStream::new(Solver::new(&params).unwrap());
    assert!(frames.iter().all(|f| budget.push(f)));
    let got = budget.figures().unwrap();
    let r = Family::load("budget");
    let pair = |i: eddyscope::sim::Invariants| [i.energy, i.enstrophy];
    r.check("energy", Some(got.content.energy));
    r.check("enstrophy", Some(got.content.enstrophy));
    r.check_all("drag", &pair(got.drag));
    r.check_all("hyperviscosity", &pair(got.hyperviscosity));
    r.check_all("stored", &pair(got.storage));
    let closed = got.storage.energy - got.drag.energy - got.hyperviscosity.energy;
    assert!((got.input.energy - closed).abs() < 1e-12);
}

#[test]
fn budget_of_a_forced_simulation_closes() {
    let params = Params {
        n: 32,
        dt: 0.008,
        spinup_time: 4.0,
        ..Params::preset("vorticity-64").unwrap()
    };
    let mut solver = Solver::new(&params).unwrap();
    let mut state = solver.random_state(3, 0);
    solver.spin_up(&mut state, 3, 0);
    let budget = forced_budget(&mut solver, &mut state, 1500, 3, 0).unwrap();
    let residual = budget.residual;
    println!("{budget:?}");
    assert!(residual.energy < 0.01 && residual.enstrophy < 0.01);
    // 12 time units of noise that puts in 0.1 on average.
    assert!((0.04..0.16).contains(&budget.input.energy));
    assert!(budget.drag.energy < 0.0 && budget.hyperviscosity.enstrophy < 0.0);
    assert_eq!(forced_budget(&mut solver, &mut state, 0, 3, 0), None);
}

#[test]
fn orthogonal_functions() {
    let r = Family::load("eof");
    let rows = cos();
    let w = Weights::rows(&rows, NX);
    let (long, short) = long_and_short();
    let found = [("long", &long), ("short", &short)].map(|(name, frames)| {
        let got = eofs(&views(frames), w, 4).unwrap();
        r.check_all(&format!("{name}.eigenvalues"), &got.eigenvalues);
        r.check_all(&format!("{name}.fractions"), &got.fractions);
        r.check(&format!("{name}.total"), Some(got.total_variance));
        r.check_all(&format!("{name}.patterns"), &got.patterns.concat());
        r.check_all(&format!("{name}.pcs"), &got.project(&frames[7]).unwrap());
        assert!(got.residual <= 1e-10, "{}", got.residual);
        got
    });
    let [a, b] = &found;
    r.check_all(
        "cosines",
        &principal_cosines(&a.patterns, &b.patterns).unwrap(),
    );
}

#[test]
fn reliability_and_series() {
    let r = Family::load("reliability");
    let mut probability = Numbers::new(95).uniform(400);
    probability.extend((0..11).map(|i| f64::from(i) * (1.0 / 10.0)));
    let mut draw = Numbers::new(96).uniform(400);
    draw.extend([0.5; 11]);
    let mut diagram = Reliability::new(10);
    for (p, u) in probability.iter().zip(&draw) {
        assert!(diagram.push(*p, *u < p * p));
    }
    let bins = diagram.bins();
    let column = |f: fn(&ReliabilityBin) -> f64| bins.iter().map(f).collect::<Vec<_>>();
    r.check_all("observed", &column(|b| b.observed));
    r.check_all("predicted", &column(|b| b.predicted));
    r.check("ece", diagram.ece());
    r.check("brier", diagram.brier());

    let r = Family::load("series");
    let line: Vec<f64> = (0..40_i32)
        .zip(Numbers::new(97).bell(40))
        .map(|(i, v)| v + 0.03 * f64::from(i))
        .collect();
    r.check_all("running", &running_mean(&line, 7).unwrap());
    let mut stream = RunningMean::new(7);
    let streamed: Vec<f64> = line.iter().filter_map(|v| stream.push(*v)).collect();
    r.check_all("running", &streamed);
    let drift = Drift::of(&line, &Numbers::new(98).bell(12)).unwrap();
    r.check("change", Some(drift.change));
    r.check("error", Some(drift.standard_error));
    r.check("spread", Some(drift.spread));
    r.check("offset", Some(drift.offset));
    assert_eq!(drift.holds(), drift.change.abs() <= drift.spread);

    let maxima: Vec<f64> = Numbers::new(99)
        .uniform(30)
        .iter()
        .map(|v| f64::from((v * 50.0) as f32))
        .collect();
    let periods = [1.5, 2.0, 10.0, 25.0, 31.0];
    r.check_all("levels", &return_levels(&maxima, &periods));
    let mut of_cell = BlockMaxima::new(1);
    for m in &maxima {
        assert!(of_cell.push(&[*m as f32]));
    }
    r.check_all("levels", &of_cell.return_levels(&periods, Weights::EVEN));

    let mut blocks = BlockMoments::new(10);
    for frame in truth_and_model().1 {
        assert!(blocks.push(&frame, Weights::EVEN));
    }
    let column = |f: fn(&Overall) -> f64| blocks.blocks().iter().map(f).collect::<Vec<_>>();
    r.check_all("block_mean", &column(|b| b.mean));
    r.check_all("block_std", &column(|b| b.std));
}
