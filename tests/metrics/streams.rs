//! Streams against batches, EOFs of sizes and spectra that are hard, bands against what theory says.

use eddyscope::metrics::*;

use super::support::*;

#[test]
fn streamed_eofs_are_exact_while_the_rank_suffices() {
    let rows = cos();
    let w = Weights::rows(&rows, NX);
    let (long, _) = long_and_short();
    let batch = eofs(&views(&long), w, 4).unwrap();
    // 48 cells: 48 directions are all there can be.
    let mut stream = EofStream::new(w, NY * NX, 48).unwrap();
    assert!(long.iter().all(|f| stream.push(f)));
    let got = stream.eofs(4).unwrap();
    assert_eq!(got.frames, 90);
    for i in 0..4 {
        let (a, b) = (batch.eigenvalues[i], got.eigenvalues[i]);
        assert!((a - b).abs() < 1e-9 * a, "{a} {b}");
        for (p, q) in batch.patterns[i].iter().zip(&got.patterns[i]) {
            assert!((p - q).abs() < 1e-7, "mode {i}: {p} {q}");
        }
    }
    assert!((got.total_variance - batch.total_variance).abs() < 1e-9 * batch.total_variance);
    assert!(got.residual < 1e-12);

    // Less than that: too small by at most the dropped share, and the leading pattern within a thousandth.
    let mut stream = EofStream::new(w, NY * NX, 24).unwrap();
    assert!(long.iter().all(|f| stream.push(f)));
    let got = stream.eofs(3).unwrap();
    let most = got.residual * got.total_variance;
    for (a, b) in batch.eigenvalues.iter().zip(&got.eigenvalues) {
        assert!(*b <= a * (1.0 + 1e-9) && a - b <= most, "{a} {b} {most}");
    }
    let found = match_eofs(&batch, &got, 1, 1e6).unwrap();
    assert!(found[0].single > 0.999, "{}", found[0].single);
}

/// Waves with equal variance: `amplitude (a cos kx + b sin kx)` with independent a and b.
fn waves(frames: usize, n: usize, seed: u32) -> Vec<Vec<f32>> {
    let mut numbers = Numbers::new(seed);
    (0..frames)
        .map(|_| {
            let draws = numbers.bell(8);
            (0..n * n)
                .map(|cell| {
                    let angle = |i: usize| std::f64::consts::TAU * i as f64 / n as f64;
                    let (x, y) = (angle(cell % n), angle(cell / n));
                    let value = 3.0 * (draws[0] * x.cos() + draws[1] * x.sin())
                        + 3.0 * (draws[2] * y.cos() + draws[3] * y.sin())
                        + draws[4] * (2.0 * x).cos()
                        + draws[5] * (2.0 * x).sin();
                    (value + 0.1 * draws[6]) as f32
                })
                .collect()
        })
        .collect()
}

#[test]
fn degenerate_modes_are_compared_as_spaces() {
    let (truth, model) = (waves(400, 16, 5), waves(400, 16, 6));
    let (a, b) = (
        eofs(&views(&truth), Weights::EVEN, 7).unwrap(),
        eofs(&views(&model), Weights::EVEN, 7).unwrap(),
    );
    let found = match_eofs(&a, &b, 3, 400.0).unwrap();
    for m in &found {
        // The four large waves have one variance: any mixture of them is as good.
        assert_eq!(m.group, 0..4, "{m:?}");
        assert!(m.subspace > 0.998 && m.cosines[3] > 0.998, "{m:?}");
        assert!(m.single <= m.subspace + 1e-12);
    }
    assert!(found.iter().any(|m| m.single < 0.95));
    // Frames of other waves do not match.
    let other = eofs(
        &views(&Numbers::new(7).series(400, 256, 0.0)),
        Weights::EVEN,
        7,
    );
    let found = match_eofs(&a, &other.unwrap(), 3, 400.0).unwrap();
    assert!(found.iter().all(|m| m.subspace < 0.5));
    assert_eq!(
        degenerate_groups(&[4.0, 3.9, 2.0, 1.0, 0.99], 200.0),
        [0..2, 2..3, 3..5]
    );
}

/// Noise: eigenvalues that hardly differ, the hardest case for an iteration, with a restart. Against the definition.
#[test]
fn a_flat_spectrum_is_resolved() {
    let frames = Numbers::new(8).series(500, 400, 0.0);
    let got = eofs(&views(&frames), Weights::EVEN, 6).unwrap();
    assert!(got.residual <= 1e-10, "{}", got.residual);
    for (i, pattern) in got.patterns.iter().enumerate() {
        let pcs: Vec<f64> = frames.iter().map(|f| got.project(f).unwrap()[i]).collect();
        let variance = pcs.iter().map(|v| v * v).sum::<f64>() / 499.0;
        let value = got.eigenvalues[i];
        assert!((variance - value).abs() < 1e-9 * value);
        // C p = lambda p.
        let mut image = vec![0.0; 400];
        for (frame, pc) in frames.iter().zip(&pcs) {
            for ((sum, &x), m) in image.iter_mut().zip(frame).zip(&got.mean) {
                *sum += (f64::from(x) - m) * pc / 499.0;
            }
        }
        for (c, p) in image.iter().zip(pattern) {
            assert!((c - value * p).abs() < 1e-8 * value, "mode {i}");
        }
    }
    // The largest eigenvalue of noise: near (1 + sqrt(400 / 500))^2 times the variance 1/3 (Marchenko and Pastur).
    let edge = (1.0 + 0.8_f64.sqrt()).powi(2) / 3.0;
    let share = got.eigenvalues[0] / edge;
    assert!((0.93..1.03).contains(&share), "{share}");
}

#[test]
fn merged_streams_are_one_stream() {
    let (_, model) = truth_and_model();
    let (mut all, mut a, mut b) = (
        MapMoments::default(),
        MapMoments::default(),
        MapMoments::default(),
    );
    for (n, frame) in model.iter().enumerate() {
        assert!(all.push(frame));
        assert!(if n < 23 { a.push(frame) } else { b.push(frame) });
    }
    assert!(a.merge(&b) && a.frames() == 60);
    for (p, q) in a.variance().unwrap().iter().zip(all.variance().unwrap()) {
        assert!((p - q).abs() < 1e-12);
    }
    for (p, q) in a.mean().unwrap().iter().zip(all.mean().unwrap()) {
        assert!((p - q).abs() < 1e-12);
    }

    let rain = Numbers::new(70).rain(100, NY * NX);
    let threshold = local_percentile(&views(&rain), 90.0).unwrap();
    let mut whole = WaitingTimes::new(threshold.clone());
    let mut halves = [
        WaitingTimes::new(threshold.clone()),
        WaitingTimes::new(threshold),
    ];
    for (n, frame) in rain.iter().enumerate() {
        if n == 50 {
            whole.end_series();
        }
        assert!(whole.push(frame) && halves[n / 50].push(frame));
    }
    let [mut first, second] = halves;
    first.merge(&second);
    assert_eq!(first.counts(), whole.counts());
    assert!(whole.total() > 0);

    let mut counts = [ValueCounts::default(), ValueCounts::default()];
    rain.iter()
        .enumerate()
        .for_each(|(n, f)| counts[n % 2].add(f));
    let [mut even, odd] = counts;
    let apart = even.w1(&odd).unwrap();
    even.merge(&odd);
    assert_eq!(even.total(), 100 * (NY * NX) as u64);
    assert!(apart > 0.0 && even.w1(&even.clone()) == Some(0.0));
    let edges = [0.0, 1e-9, 1.0, 1e9];
    let spread = even.histogram(&edges);
    let dry = rain.iter().flatten().filter(|v| **v == 0.0).count() as u64;
    assert!(spread[0] >= dry && spread.iter().sum::<u64>() == even.total());
}

#[test]
fn extremes_of_a_run_that_rains_twice_as_much() {
    let rain = Numbers::new(64).rain(300, NY * NX);
    let (mut truth, mut run) = (ValueCounts::default(), ValueCounts::default());
    for frame in &rain {
        truth.add(frame);
        run.add(&frame.iter().map(|v| 2.0 * v).collect::<Vec<_>>());
    }
    let same = exceedances(&truth, &truth, &[90.0, 99.0]).unwrap();
    assert!(
        same.iter()
            .all(|e| e.frequency_ratio == 1.0 && e.amount_ratio == 1.0)
    );
    for e in exceedances(&truth, &run, &[90.0, 99.0]).unwrap() {
        assert!((e.run / e.truth - 2.0).abs() < 0.01, "{e:?}");
        let above = |factor: f32| {
            let all = rain.iter().flatten();
            all.filter(|v| f64::from(**v * factor) > e.truth).count() as f64
        };
        let expected = above(2.0) / above(1.0);
        assert!((e.frequency_ratio / expected - 1.0).abs() < 0.02, "{e:?}");
    }
}

#[test]
fn bands_are_as_wide_as_theory_says() {
    let values = Numbers::new(11).bell(400);
    let mean = |pick: &[usize]| {
        let sum: f64 = pick.iter().map(|&i| values[i]).sum();
        Some(sum / pick.len() as f64)
    };
    let draws = Bootstrap {
        resamples: 4000,
        ..Bootstrap::default()
    };
    let band = draws.band(400, mean).unwrap();
    // Standard error of the mean, times 1.96 on both sides; the std of the numbers is 1 / sqrt 3.
    let expected = 2.0 * 1.96 * (1.0 / 3.0_f64).sqrt() / 20.0;
    let width = band.high - band.low;
    assert!((width / expected - 1.0).abs() < 0.1, "{width} {expected}");
    assert!(band.low < band.estimate && band.estimate < band.high);
    assert_eq!(draws.band(400, mean), Some(band), "the same seed");
    assert_ne!(Bootstrap { seed: 2, ..draws }.band(400, mean), Some(band));

    // A series with memory r: the variance of its mean is (1 + r) / (1 - r) times that of independent values.
    let series: Vec<f64> = Numbers::new(12)
        .series(4000, 1, 0.8)
        .iter()
        .map(|f| f64::from(f[0]))
        .collect();
    let mean = |pick: &[usize]| {
        let sum: f64 = pick.iter().map(|&i| series[i]).sum();
        Some(sum / pick.len() as f64)
    };
    let width = |b: Band| b.high - b.low;
    let naive = width(Bootstrap::default().band(4000, mean).unwrap());
    let blocks = width(Bootstrap::default().block_band(4000, 50, mean).unwrap());
    let ratio = blocks / naive;
    assert!((2.3..3.4).contains(&ratio), "{ratio}, 3 in theory");
    let samples = independent_samples(&series).unwrap() / 4000.0;
    // (1 - 0.64) / (1 + 0.64)
    assert!((samples - 0.2195).abs() < 0.03, "{samples}");
}

#[test]
fn anomalies_do_not_know_of_the_seasons() {
    let months: Vec<usize> = (0..720).map(|n| n / 30 % 12).collect();
    let mut frames = Numbers::new(13).series(720, 6, 0.0);
    for (frame, m) in frames.iter_mut().zip(&months) {
        frame.iter_mut().for_each(|v| *v += 10.0 * *m as f32);
    }
    let x = views(&frames);
    let plain = acf(&x, 1).unwrap()[1];
    let anomalies = anomaly_acf(&x, &months, 1, Weights::EVEN).unwrap()[1];
    assert!(plain > 0.9 && anomalies.abs() < 0.06, "{plain} {anomalies}");
}
