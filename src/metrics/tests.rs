//! Every figure against numpy and scipy (`tests/reference/metrics.py`), and on input for which it is undefined.

use serde_json::Value;

use super::*;

struct Reference {
    json: Value,
    n: usize,
}

impl Reference {
    fn load() -> Self {
        let text = include_str!("../../tests/reference/metrics.json");
        let json: Value = serde_json::from_str(text).unwrap();
        let n = json["n"].as_u64().unwrap() as usize;
        Self { json, n }
    }

    fn frames(&self, name: &str) -> Vec<Vec<f32>> {
        let values: Vec<f32> = numbers(&self.json[name])
            .iter()
            .map(|&v| v as f32)
            .collect();
        values
            .chunks_exact(self.n * self.n)
            .map(<[f32]>::to_vec)
            .collect()
    }

    fn check(&self, name: &str, got: Option<f64>) {
        let mut expected = &self.json["expected"];
        for key in name.split('.') {
            expected = &expected[key];
        }
        close(name, &[got.unwrap()], &[expected.as_f64().unwrap()]);
    }

    fn check_all(&self, name: &str, got: &[f64]) {
        let mut expected = &self.json["expected"];
        for key in name.split('.') {
            expected = &expected[key];
        }
        close(name, got, &numbers(expected));
    }
}

fn numbers(value: &Value) -> Vec<f64> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v.as_f64().unwrap())
        .collect()
}

/// 1e-6 relative to the largest of the values.
fn close(name: &str, got: &[f64], expected: &[f64]) {
    assert_eq!(got.len(), expected.len(), "{name}");
    let size = expected.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
    for (g, e) in got.iter().zip(expected) {
        assert!((g - e).abs() <= 1e-6 * size, "{name}: {g} instead of {e}");
    }
}

fn views(frames: &[Vec<f32>]) -> Vec<&[f32]> {
    frames.iter().map(|f| &f[..]).collect()
}

#[test]
fn agrees_with_numpy_and_scipy() {
    let r = Reference::load();
    let (truth, model) = (r.frames("truth"), r.frames("model"));
    let (y, x) = (views(&truth), views(&model));
    r.check("rmse", rmse(&y, &x));
    r.check("bias", mean_absolute_bias(&y, &x));
    r.check("std_ratio", std_ratio(&y, &x));
    r.check("kurtosis", kurtosis(&x));
    r.check_all("acf", &acf(&x, 10).unwrap());
    r.check_all(
        "pooled_acf",
        &pooled_acf(std::slice::from_ref(&x), 10).unwrap(),
    );

    let radial = radial_spectrum(x[3], r.n).unwrap();
    r.check_all("radial.energy", &radial.energy);
    r.check_all("radial.enstrophy", &radial.enstrophy);
    let (px, py) = (shell_power(&x, r.n).unwrap(), shell_power(&y, r.n).unwrap());
    r.check_all("shell_power", &px[1..5]);
    r.check("spectrum_error", spectrum_error(&px[..5], &py[..5]));

    let n = r.n;
    let shifted = |f: &[f32]| -> Vec<f32> {
        (0..f.len())
            .map(|c| (0.9 * f64::from(f[c / n * n + (c % n + n - 1) % n])) as f32)
            .collect()
    };
    let dynamics = Dynamics::of(&x, shifted);
    r.check("skill", dynamics.skill());
    r.check("a", dynamics.a());
    r.check("residual", dynamics.residual());

    let rows: Vec<Vec<f32>> = [4, 5].iter().map(|&i| hovmoeller_row(x[i], n, n)).collect();
    let wide: Vec<f64> = rows[0].iter().map(|&v| f64::from(v)).collect();
    r.check_all("row", &wide);
    r.check("w1.mass", w1_mass(&rows[0], &rows[1]));
    r.check("w1.periodic", w1_mass_periodic(&rows[0], &rows[1]));
    r.check("w1.value", w1_value(&rows[0], &rows[1]));

    let (ensemble, target) = (r.frames("ensemble"), r.frames("target"));
    let members = views(&ensemble);
    let score = crps(&members, &target[0]).unwrap();
    r.check("crps.biased", Some(score.biased));
    r.check("crps.fair", score.fair);
    r.check_all("ranks", &rank_histogram(&members, &target[0]).unwrap());
    let mut both = SpreadSkill::default();
    for half in [0..6 * n, 6 * n..n * n] {
        let part: Vec<&[f32]> = members.iter().map(|m| &m[half.clone()]).collect();
        assert!(both.push(&part, &target[0][half]));
    }
    r.check("spread", both.spread());
    r.check("skill_rmse", both.skill());
    r.check("ratio", both.ratio());
}

#[test]
fn streaming_autocorrelation_is_the_batch_one_at_every_length() {
    let r = Reference::load();
    let model = r.frames("model");
    // Far from zero: the removed mean must not cost digits.
    let model: Vec<Vec<f32>> = model
        .iter()
        .map(|f| f.iter().map(|v| v + 1000.0).collect())
        .collect();
    let mut stream = StreamingAcf::new(10);
    for length in 1..=model.len() {
        stream.push(&model[length - 1]);
        let x = views(&model[..length]);
        let direct = |lag: usize| {
            let mut sum = 0.0;
            for cell in 0..r.n * r.n {
                let series: Vec<f64> = x.iter().map(|f| f64::from(f[cell])).collect();
                let mean = series.iter().sum::<f64>() / length as f64;
                let product = |a: &[f64], b: &[f64]| -> f64 {
                    a.iter().zip(b).map(|(p, q)| (p - mean) * (q - mean)).sum()
                };
                sum += product(&series[lag..], &series) / product(&series, &series);
            }
            sum / (r.n * r.n) as f64
        };
        match stream.acf() {
            None => assert_eq!(length, 1),
            Some(got) => {
                for (lag, &v) in got.iter().enumerate() {
                    if lag < length {
                        assert!((v - direct(lag)).abs() < 1e-9, "{length} {lag}");
                    } else {
                        assert!(v.is_nan());
                    }
                }
            }
        }
    }
}

#[test]
fn parseval() {
    let r = Reference::load();
    for frame in r.frames("truth") {
        let spectrum = radial_spectrum(&frame, r.n).unwrap();
        let direct =
            0.5 * frame.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>() / frame.len() as f64;
        let total: f64 = spectrum.enstrophy.iter().sum();
        assert!((total - direct).abs() <= 1e-10 * direct, "{total} {direct}");
    }
}

#[test]
fn unrelated_and_frozen_frames_have_no_dynamics() {
    let r = Reference::load();
    let frames = r.frames("truth");
    let x = views(&frames);
    let frozen = vec![x[0]; 5];
    let decay = |f: &[f32]| -> Vec<f32> { f.iter().map(|v| 0.9 * v).collect() };
    let figures = Dynamics::of(&frozen, decay);
    assert_eq!(figures.skill(), None);
    assert_eq!(figures.a(), Some(0.0));
    let mut both = Dynamics::of(&x[..7], decay);
    both.merge(&Dynamics::of(&x[6..], decay));
    let whole = Dynamics::of(&x, decay);
    let (a, b) = (both.skill().unwrap(), whole.skill().unwrap());
    assert!((a - b).abs() < 1e-12);
}

#[test]
fn undefined_cases_say_so() {
    let none: [&[f32]; 0] = [];
    let zero = vec![0.0_f32; 16];
    let constant = [2.5_f32; 16];
    let flat: Vec<&[f32]> = vec![&constant; 4];
    let zeros: Vec<&[f32]> = vec![&zero; 4];
    assert_eq!(rmse(&none, &none), None);
    assert_eq!(rmse(&flat, &flat[..3]), None);
    assert_eq!(rmse(&flat, &flat), Some(0.0));
    assert_eq!(bias_map(&none, &flat), None);
    assert_eq!(mean_absolute_bias(&flat, &flat), Some(0.0));
    assert_eq!(
        (std(&none), std(&[&[]]), std(&flat)),
        (None, None, Some(0.0))
    );
    assert_eq!(std_ratio(&flat, &zeros), None);
    assert_eq!((kurtosis(&zeros), kurtosis(&flat)), (None, Some(1.0)));

    assert_eq!(
        (acf(&none, 3), acf(&flat, 3), acf(&flat[..1], 3)),
        (None, None, None)
    );
    assert_eq!(acf(&[&[1.0], &[1.0, 2.0]], 3), None);
    assert_eq!(StreamingAcf::new(3).acf(), None);
    let two = acf(&[&[1.0, 7.0], &[2.0, 7.0]], 3).unwrap();
    assert_eq!(two[..2], [1.0, -0.5]);
    assert!(two[2].is_nan());
    assert_eq!(pooled_acf(&[], 3), None);
    assert_eq!(pooled_acf(std::slice::from_ref(&zeros), 3), None);
    assert!(pooled_acf(std::slice::from_ref(&flat), 4).unwrap()[4].is_nan());
    assert_eq!(mean_absolute_error(&[1.0], &[1.0]), None);
    assert_eq!(mean_absolute_error(&[1.0, f64::NAN], &[1.0, 0.5]), None);
    let error = mean_absolute_error(&[1.0, 0.5, 0.25], &[1.0, 0.75, 0.25]);
    assert_eq!(error, Some(0.125));

    assert_eq!(radial_spectrum(&zero, 5), None);
    assert_eq!(radial_spectrum(&zero, 3), None);
    assert_eq!(radial_spectrum(&[f32::NAN; 16], 4), None);
    assert_eq!(shell_power(&none, 4), None);
    assert_eq!(spectrum_error(&[1.0, 0.0], &[1.0, 1.0]), None);
    assert_eq!(spectrum_error(&[], &[]), None);

    assert_eq!(Dynamics::default().skill(), None);
    assert_eq!(Dynamics::default().residual(), None);
    assert!(hovmoeller_row(&zero, 3, 4).is_empty());
    assert_eq!(hovmoeller_row(&constant, 4, 4), [2.5; 4]);
    for w1 in [w1_mass, w1_mass_periodic, w1_value] {
        assert_eq!(w1(&[0.0, 0.0], &[1.0, 1.0]), None);
        assert_eq!(w1(&[1.0], &[1.0, 1.0]), None);
        assert_eq!(w1(&[], &[]), None);
        assert_eq!(w1(&[1.0, 3.0], &[1.0, 3.0]), Some(0.0));
    }

    assert_eq!(crps(&none, &zero), None);
    assert_eq!(crps(&[&zero[..3]], &zero), None);
    assert_eq!(crps(&[&[f32::NAN]], &[0.0]), None);
    let one = crps(&flat[..1], &zero).unwrap();
    assert_eq!((one.biased, one.fair), (2.5, None));
    let mut pair = SpreadSkill::default();
    assert!(!pair.push(&flat[..1], &zero));
    assert_eq!((pair.spread(), pair.ratio()), (None, None));
    assert!(pair.push(&flat[..2], &constant));
    assert_eq!((pair.spread(), pair.ratio()), (Some(0.0), None));
    assert!(!pair.push(&flat[..3], &constant));
    assert_eq!(rank_histogram(&none, &zero), None);
    // No rain anywhere: flat.
    let dry = rank_histogram(&zeros[..3], &zero).unwrap();
    assert_eq!(dry, [4.0; 4]);
}
