//! The closed form against finite differences and against itself in f64.

use super::*;
use crate::diffusion::gaussian::GaussianWorld;
use crate::random::{NoiseKey, Stream};

const N: usize = 16;
const HISTORY: usize = 4;

fn noise(frame: u32, channels: usize, device: &Device) -> Tensor<4> {
    drawn(11, frame, [1, channels, N], device)
}

/// Standard normal noise `[rows, channels, n, n]`.
fn drawn(seed: u64, frame: u32, [rows, channels, n]: [usize; 3], device: &Device) -> Tensor<4> {
    let key = NoiseKey {
        seed,
        stream: Stream::Test,
        member: 0,
        frame,
        step: 0,
    };
    let values = key.normal_f32(rows * channels * n * n);
    Tensor::from_data(TensorData::new(values, [rows, channels, n, n]), device)
}

/// The logit is quadratic in x, so a central difference of any step is exact but for rounding.
#[test]
fn gradient_agrees_with_finite_differences() {
    let device = Device::flex();
    let world = GaussianWorld::new(N, &device);
    let discriminator = world.discriminator().unwrap();
    let conditioned = discriminator.condition(
        &noise(0, HISTORY, &device).mul_scalar(0.5),
        Context::history(3),
    );
    for sigma in [0.05, 0.5, 5.0] {
        let x = world.draw(noise(1, 1, &device)) + noise(2, 1, &device).mul_scalar(sigma as f32);
        let gradient = conditioned
            .judge(&x, sigma, &x)
            .shift
            .div_scalar((sigma * sigma) as f32);
        let along = noise(3, 1, &device);
        let h = 0.5 * sigma as f32;
        let logit = |sign: f32| {
            let moved = x.clone() + along.clone().mul_scalar(sign * h);
            f64::from(to_vec(conditioned.judge(&moved, sigma, &x).logit)[0])
        };
        let difference = (logit(1.0) - logit(-1.0)) / (2.0 * f64::from(h));
        let exact: f64 = to_vec(gradient * along).iter().map(|v| f64::from(*v)).sum();
        assert!(
            (difference - exact).abs() < 1e-3 * exact.abs().max(1.0),
            "sigma {sigma}: {difference} {exact}"
        );
    }
}

/// Values, and what an error of theirs is measured by.
type Measured = (Vec<f64>, f64);

/// Largest difference, relative to what it is measured by.
fn apart(found: &[f32], (expected, size): &Measured) -> f64 {
    assert_eq!(found.len(), expected.len());
    let pairs = found.iter().zip(expected);
    pairs.fold(0.0, |a: f64, (f, e)| a.max((f64::from(*f) - e).abs())) / size
}

/// The Hartley transform of one field in f64.
fn hartley(field: &[f32], n: usize) -> Vec<f64> {
    wide_hartley(&field.iter().map(|v| f64::from(*v)).collect::<Vec<_>>(), n)
}

fn wide_hartley(field: &[f64], n: usize) -> Vec<f64> {
    let cas = |k: usize, j: usize| {
        let angle = std::f64::consts::TAU * ((k * j) % n) as f64 / n as f64;
        (angle.cos() + angle.sin()) / (n as f64).sqrt()
    };
    let table: Vec<f64> = (0..n * n).map(|i| cas(i / n, i % n)).collect();
    // Along one axis, turned; twice that is the whole.
    let along = |f: &[f64]| -> Vec<f64> {
        let value = |k: usize, row: usize| -> f64 {
            (0..n).map(|j| table[k * n + j] * f[row * n + j]).sum()
        };
        (0..n * n).map(|i| value(i / n, i % n)).collect()
    };
    along(&along(field))
}

/// Logit, shift and correction of one row as the law says, in f64. Errors of the fields are measured by the larger of both,
/// since both are added to one estimate, the logit's by the sum of what it is the difference of.
fn exact(law: &Law, m: usize, sigma: f64, [x, denoised, forecast]: [&[f32]; 3]) -> [Measured; 3] {
    let (c, n) = (&law.calibration, law.calibration.n);
    let [x, d, mu] = [x, denoised, forecast].map(|f| hartley(f, n));
    let gain = c.gain_at(sigma);
    let (mut logit, mut terms) = (0.0, 0.0);
    let (mut shift, mut correction) = (Vec::new(), Vec::new());
    for (i, &g) in law.shells.groups().iter().enumerate() {
        let live = c.c[g] > DEAD_POWER;
        let [power, missed] = [c.c[g], c.s[m][g]].map(|v| f64::from(v.max(FLOOR)));
        let (marginal, conditional) = (power + sigma * sigma, missed + sigma * sigma);
        let mean = f64::from(c.beta[m][g]) * mu[i];
        let off = x[i] - mean;
        let (one, other) = (x[i] * x[i] / marginal, off * off / conditional);
        let logarithm = (marginal / conditional).ln();
        logit += 0.5 * (one - other + logarithm);
        terms += 0.5 * (one + other + logarithm.abs());
        let gaussian = power / marginal * x[i];
        shift.push(mean + missed / conditional * off - gaussian);
        let taken = 1.0 - f64::from(gain[g]);
        correction.push(if live {
            taken * (gaussian - d[i])
        } else {
            -d[i]
        });
    }
    let fields = [shift, correction].map(|spectrum| wide_hartley(&spectrum, n));
    let values = fields.iter().flatten();
    let largest = values.fold(1e-30, |a: f64, v| a.max(v.abs()));
    let [shift, correction] = fields.map(|field| (field, largest));
    [(vec![logit], terms), shift, correction]
}

/// A law with dead coefficients, gains and a calibrated forecast.
fn told_much(n: usize, device: &Device) -> TwoTower<impl Forecast + use<>> {
    let world = GaussianWorld::new(n, device);
    let mut calibration = world.discriminator().unwrap().law.calibration.clone();
    let groups = calibration.c.len();
    for g in groups * 3 / 4..groups {
        calibration.c[g] = 0.0;
    }
    for m in 0..4 {
        for g in 0..groups {
            calibration.beta[m][g] = 1.0 / (1.0 + 0.1 * (g + m) as f32);
            calibration.s[m][g] = calibration.c[g] * (0.3 + 0.1 * m as f32);
        }
    }
    calibration.gain = [0.2, 0.9].map(|g| vec![g; groups]).to_vec();
    let tower = world.discriminator().unwrap().tower;
    TwoTower::new(tower, calibration, device).unwrap()
}

/// A step whose estimate is guided on the way is the one that takes a judgement and then follows the law: with and without
/// guidance, a remainder before, an estimate, and at the end.
#[test]
fn one_pass_does_what_judging_and_following_do() {
    let device = Device::flex();
    let (n, rows) = (32, 4);
    let law = told_much(n, &device);
    let draw = |frame, channels| drawn(13, frame, [rows, channels, n], &device);
    let by_row = |v: Vec<f32>| -> Tensor<4> {
        Tensor::from_data(TensorData::new(v, [rows, 1, 1, 1]), &device)
    };
    let guidance = [0.0f32, 0.5, 1.0, 1.7];
    // The last row is a video model's: its law is the next frame's, guided or not.
    let (known, strengths) = ([0.0f32, 0.0, 0.0, 1.0], [0.0f32, 0.5, 1.0, 1.7]);
    let prepared = law.prepare(&draw(0, HISTORY).mul_scalar(0.5), 2);
    let (before, usable) = (draw(4, 1).mul_scalar(0.1), [true, true, false, true]);
    let mut worst = 0.0f32;
    for (from, to) in [(2.0, 0.8), (0.3, 0.08), (0.05, 0.0), (400.0, 60.0)] {
        let x = draw(1, 1) + draw(2, 1).mul_scalar(from as f32);
        let own = draw(3, 1).mul_scalar(0.5);
        for (estimated, remembers) in [(true, true), (true, false), (false, false)] {
            if !estimated && to == 0.0 {
                continue;
            }
            let step = Advance {
                before: remembers.then_some((&before, 2.0 * from)),
                usable: &usable,
                ..Advance::law(&x, from, to, &strengths)
            };
            let guide = Guide {
                strengths: &guidance,
                known: &known,
            };
            let given = Advance {
                estimate: estimated.then_some(&own),
                ..step
            };
            let by_hand = prepared.advance_judged(&given, &guide).unwrap();
            let mean = Some(prepared.mean());
            let composed = law.law.advance_composed(&given, Some(&guide), 2, mean);
            let denoised = match estimated {
                true => own.clone(),
                false => prepared.advance(&Advance::law(&x, from, 0.0, &known)).0,
            };
            let said = prepared.judge(&x, from, &denoised);
            let added = said.shift * by_row(guidance.to_vec())
                + said.correction.unwrap() * by_row(guidance.map(|s| s.min(1.0)).to_vec());
            let guided = denoised.clone() + added.clone();
            let (next, beyond) = match (estimated, to == 0.0) {
                (true, true) => (guided, None),
                (true, false) => prepared.advance(&Advance {
                    estimate: Some(&guided),
                    ..step
                }),
                (false, _) => prepared.advance(&step),
            };
            let norm = |t: Tensor<4>, row: usize| {
                let v = to_vec(t);
                let v = v[row * n * n..][..n * n].iter();
                v.map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt()
            };
            for (row, judged) in (0..rows).flat_map(|row| [(row, &by_hand), (row, &composed)]) {
                let [logit, ratio] = [&judged.logit, &judged.ratio].map(|t| to_vec(t.clone()));
                let one = to_vec(said.logit.clone())[row];
                let apart = (logit[row] - one).abs() / one.abs().max(100.0);
                assert!(apart < 1e-5, "logit {from} {row}: {} {one}", logit[row]);
                let expected = norm(added.clone(), row) / norm(denoised.clone() - x.clone(), row);
                let apart = (f64::from(ratio[row]) - expected).abs() / expected.max(1e-3);
                assert!(
                    apart < 1e-4,
                    "ratio {from} {row}: {} {expected}",
                    ratio[row]
                );
            }
            let mut same = |name: &str, a: Tensor<4>, b: Tensor<4>| {
                let (a, b) = (to_vec(a), to_vec(b));
                let size = b.iter().fold(0.0f32, |m, v| m.max(v.abs()));
                let pairs = a.iter().zip(&b);
                let apart = pairs.fold(0.0f32, |m, (a, b)| m.max((a - b).abs())) / size;
                worst = worst.max(apart);
                assert!(apart < 2e-5, "{name} {from} to {to}, {estimated}: {apart}");
            };
            same("state", by_hand.x.clone(), next.clone());
            if let Some(beyond) = beyond {
                same("beyond", by_hand.beyond.clone().unwrap(), beyond);
            }
            if to == 0.0 {
                let first = |t: &Tensor<4>| to_vec(t.clone().narrow(0, 0, 1));
                assert_eq!(first(&by_hand.x), first(&own), "without guidance");
            }
            // The remainder before is in another basis there.
            if !remembers {
                same("state, composed", composed.x, next);
                let moved = law
                    .law
                    .advance_composed(&step, None, 2, Some(prepared.mean()));
                same(
                    "the law alone, composed",
                    moved.x,
                    prepared.advance(&step).0,
                );
            }
        }
    }
    println!("largest difference: {worst:.1e}");
}

/// Two steps of which the second takes the remainder of the first, in one pass through Fourier space and composed, each with
/// its own remainder; one row may not take it.
#[test]
fn by_hand_and_composed_take_the_remainder_before() {
    let device = Device::flex();
    let (n, rows) = (32, 3);
    let law = told_much(n, &device);
    let draw = |frame, channels| drawn(14, frame, [rows, channels, n], &device);
    let prepared = law.prepare(&draw(0, HISTORY).mul_scalar(0.5), 2);
    let strengths = [0.0f32, 1.0, 1.7];
    let guide = Guide {
        strengths: &strengths,
        known: &[0.0; 3],
    };
    let mean = Some(prepared.mean());
    let usable = [true, false, true];
    let step = |way: [bool; 2], x: &Tensor<4>, d: &Tensor<4>, before: Option<&Tensor<4>>, to| {
        let from = if before.is_some() { 0.8 } else { 2.0 };
        let step = Advance {
            estimate: Some(d),
            before: before.map(|r| (r, 2.0)),
            usable: &usable,
            ..Advance::law(x, from, to, &strengths)
        };
        match way {
            [true, true] => {
                let judged = prepared.advance_judged(&step, &guide).unwrap();
                (judged.x, judged.beyond)
            }
            [true, false] => prepared.advance(&step),
            [false, judged] => {
                let guide = judged.then_some(&guide);
                let moved = law.law.advance_composed(&step, guide, 2, mean);
                (moved.x, moved.beyond)
            }
        }
    };
    let x = draw(1, 1) + draw(2, 1).mul_scalar(2.0);
    let estimates = [draw(3, 1).mul_scalar(0.5), draw(4, 1).mul_scalar(0.5)];
    for judged in [true, false] {
        let ends = [true, false].map(|by_hand| {
            let way = [by_hand, judged];
            let (x, beyond) = step(way, &x, &estimates[0], None, 0.8);
            to_vec(step(way, &x, &estimates[1], beyond.as_ref(), 0.3).0)
        });
        let size = ends[0].iter().fold(0.0f32, |m, v| m.max(v.abs()));
        let pairs = ends[0].iter().zip(&ends[1]);
        let apart = pairs.fold(0.0f32, |m, (a, b)| m.max((a - b).abs())) / size;
        assert!(apart < 2e-5, "judged: {judged}: {apart}");
    }
}

/// A row without guidance has the bits of one that no discriminator saw.
#[test]
fn without_guidance_the_bits_are_those_of_the_law_of_any_frame() {
    let device = Device::flex();
    let law = told_much(N, &device);
    let prepared = law.prepare(&noise(0, HISTORY, &device).mul_scalar(0.5), 2);
    let plain = law.unconditional_flow().unwrap();
    let guide = Guide {
        strengths: &[0.0],
        known: &[0.0],
    };
    let (x, own) = (noise(1, 1, &device).mul_scalar(2.0), noise(2, 1, &device));
    let first = Advance {
        estimate: Some(&own),
        ..Advance::law(&x, 2.0, 0.8, &[0.0])
    };
    let (a, before) = plain.advance(&first);
    let before = before.unwrap();
    let b = prepared.advance_judged(&first, &guide).unwrap();
    assert_eq!(to_vec(a.clone()), to_vec(b.x));
    assert_eq!(to_vec(before.clone()), to_vec(b.beyond.unwrap()));
    let second = Advance {
        before: Some((&before, 2.0)),
        usable: &[true],
        x: &a,
        from: 0.8,
        to: 0.3,
        ..first
    };
    let b = prepared.advance_judged(&second, &guide).unwrap();
    assert_eq!(to_vec(plain.advance(&second).0), to_vec(b.x));
    let leap = Advance::law(&x, 400.0, 60.0, &[0.0]);
    let b = prepared.advance_judged(&leap, &guide).unwrap();
    assert_eq!(to_vec(plain.advance(&leap).0), to_vec(b.x));
}

/// Also with dead coefficients, with gains and a calibrated forecast, and where a side is not a power of two.
#[test]
fn in_fourier_space_and_composed_it_is_the_law() {
    let device = Device::flex();
    let mut worst = [[0.0f64; 3]; 2];
    for n in [16, 18, 64] {
        let law = told_much(n, &device);
        for rows in [1, 3] {
            let draw = |frame, channels| drawn(12, frame, [rows, channels, n], &device);
            for m in 0..4 {
                let prepared = law.prepare(&draw(0, HISTORY).mul_scalar(0.5), m);
                for sigma in [0.002, 0.05, 0.5, 5.0, 80.0] {
                    let x = draw(1, 1) + draw(2, 1).mul_scalar(sigma as f32);
                    let denoised = draw(3, 1).mul_scalar(0.5);
                    let a = prepared.judge_in_fourier_space(&x, sigma, &denoised);
                    let (a, b) = (a.unwrap(), prepared.judge_composed(&x, sigma, &denoised));
                    let forecast = to_vec(prepared.forecast.clone());
                    let (x, denoised) = (to_vec(x), to_vec(denoised));
                    let parts = [a, b].map(|j| {
                        let correction = j.correction.map(to_vec).unwrap();
                        [to_vec(j.logit), to_vec(j.shift), correction]
                    });
                    for row in 0..rows {
                        let of = |v: &[f32]| v[row * n * n..][..n * n].to_vec();
                        let [x, d, f] = [&x, &denoised, &forecast].map(|v| of(v));
                        let told = exact(&law.law, m, sigma, [&x, &d, &f]);
                        for (part, told) in told.iter().enumerate() {
                            let one = told.0.len();
                            let errors = [0, 1].map(|path: usize| {
                                apart(&parts[path][part][row * one..][..one], told)
                            });
                            for path in 0..2 {
                                worst[path][part] = worst[path][part].max(errors[path]);
                            }
                            assert!(
                                errors.iter().all(|e| *e < 1e-5),
                                "{n}, m {m}, sigma {sigma}, part {part}: {errors:?}"
                            );
                        }
                    }
                }
            }
        }
    }
    println!("largest relative errors of logit, shift, correction: {worst:?} (composed second)");
}

#[test]
fn cards_that_were_cut_short_are_refused() {
    let device = Device::flex();
    let world = GaussianWorld::new(N, &device);
    let good = world.discriminator().unwrap().law.calibration.clone();
    good.validate().unwrap();
    let broken: [fn(&mut Calibration); 5] = [
        |c| c.beta.truncate(3),
        |c| c.c.truncate(5),
        |c| c.s[2][3] = f32::NAN,
        |c| c.gain_log_sigma.reverse(),
        |c| c.gain.truncate(1),
    ];
    for b in broken {
        let mut c = good.clone();
        b(&mut c);
        assert!(c.validate().is_err());
    }
}

#[test]
fn the_gain_is_linear_between_its_levels_and_flat_beyond() {
    let c = Calibration {
        n: 2,
        resolved: 1,
        c: vec![1.0],
        beta: vec![vec![1.0]; 4],
        s: vec![vec![1.0]; 4],
        gain_log_sigma: vec![-1.0, 0.0, 2.0],
        gain: vec![vec![0.0], vec![1.0], vec![0.5]],
    };
    for (l, g) in [
        (-5.0, 0.0),
        (-1.0, 0.0),
        (-0.5, 0.5),
        (0.0, 1.0),
        (1.0, 0.75),
        (9.0, 0.5),
    ] {
        let found = c.gain_at(f64::exp(l))[0];
        assert!((found - g).abs() < 1e-5, "{l}: {found} {g}");
    }
}
