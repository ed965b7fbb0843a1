//! The solver against closed forms, its own conservation laws, and a second implementation.

use std::f64::consts::TAU;
use std::ops::ControlFlow;

use rustfft::num_complex::Complex64;

use super::*;

fn params(n: usize, dt: f64) -> Params {
    Params {
        n,
        dt,
        ..Params::preset("vorticity-64").unwrap()
    }
}

fn unforced(n: usize, dt: f64) -> Params {
    Params {
        forcing: Forcing::None,
        ..params(n, dt)
    }
}

/// Samples `f(x, y)` on the grid, row-major (y, x).
fn sample(n: usize, f: impl Fn(f64, f64) -> f64) -> Vec<f64> {
    let at = |i: usize| TAU * i as f64 / n as f64;
    (0..n * n).map(|c| f(at(c % n), at(c / n))).collect()
}

fn largest_difference(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter()
        .zip(b)
        .map(|(x, y)| (x - y).abs())
        .fold(0.0, f64::max)
}

#[test]
fn tendency_has_the_right_sign_and_axes() {
    // psi = cos x + cos 2y: omega = -cos x - 4 cos 2y, u = 2 sin 2y, v = -sin x, -u . grad omega = 6 sin x sin 2y.
    let n = 16;
    let mut solver = Solver::new(&unforced(n, 0.01)).unwrap();
    let state = solver
        .state_from_f64(&sample(n, |x, y| -x.cos() - 4.0 * (2.0 * y).cos()))
        .unwrap();
    let mut slope = state.clone();
    solver.slope(&state.spectrum, &[], &mut slope.spectrum);
    let expected = sample(n, |x, y| 6.0 * x.sin() * (2.0 * y).sin());
    assert!(largest_difference(&solver.field_f64(&slope), &expected) < 1e-12);
}

#[test]
fn taylor_green_decays_as_in_closed_form() {
    // Any sum of modes with one |k| is steady for the Euler equations: only drag and hyperviscosity act.
    let n = 32;
    let p = Params {
        nu: 1e-4,
        ..unforced(n, 0.02)
    };
    let mut solver = Solver::new(&p).unwrap();
    let start = sample(n, |x, y| {
        3.0 * (5.0 * x).cos() * 0.5 + (3.0 * x + 4.0 * y + 0.3).sin() * 2.0
            - (4.0 * x - 3.0 * y).cos()
            + (5.0 * y + 1.0).cos()
    });
    let mut state = solver.state_from_f64(&start).unwrap();
    for _ in 0..200 {
        solver.step_unforced(&mut state);
    }
    let factor = (-(1e-4 * 625.0 + 0.1) * 4.0_f64).exp();
    let expected: Vec<f64> = start.iter().map(|v| v * factor).collect();
    let error = largest_difference(&solver.field_f64(&state), &expected);
    assert!(error < 1e-11, "{error}");
}

#[test]
fn kolmogorov_flow_reaches_its_laminar_profile() {
    // Forcing F cos(4 y) from rest: omega = F / lambda (1 - exp(-lambda t)) cos(4 y), lambda = mu + nu 4^4.
    let n = 32;
    let mut solver = Solver::new(&unforced(n, 0.032)).unwrap();
    let forcing = solver
        .state_from_f64(&sample(n, |_, y| 0.2 * (4.0 * y).cos()))
        .unwrap();
    let mut state = solver.state_from_f64(&vec![0.0; n * n]).unwrap();
    let steps = 400;
    for _ in 0..steps {
        solver.runge_kutta(&mut state.spectrum, &forcing.spectrum);
    }
    let lambda: f64 = 0.1 + 6e-5 * 256.0;
    let amplitude = 0.2 / lambda * (1.0 - (-lambda * 0.032 * f64::from(steps)).exp());
    let expected = sample(n, |_, y| amplitude * (4.0 * y).cos());
    let error = largest_difference(&solver.field_f64(&state), &expected);
    assert!(error < 1e-9 * amplitude, "{error}");
}

#[test]
fn converges_with_order_four() {
    let n = 32;
    let run = |dt: f64, steps: usize| {
        let mut solver = Solver::new(&unforced(n, dt)).unwrap();
        let mut state = solver.random_state(3, 0);
        for _ in 0..steps {
            solver.step_unforced(&mut state);
        }
        solver.field_f64(&state)
    };
    let exact = run(0.001, 2048);
    let errors: Vec<f64> = [(0.064, 32), (0.032, 64), (0.016, 128)]
        .iter()
        .map(|&(dt, steps)| largest_difference(&run(dt, steps), &exact))
        .collect();
    for pair in errors.windows(2) {
        let order = (pair[0] / pair[1]).log2();
        println!("order of convergence {order:.3}, errors {pair:?}");
        assert!((3.7..4.4).contains(&order), "{order} from {errors:?}");
    }
}

/// Integrates every term of the budget over a forced run and compares with what the content did; returns the residuals
/// relative to the input.
fn budget_residual(p: &Params, steps: usize) -> (f64, f64, Invariants) {
    let mut solver = Solver::new(p).unwrap();
    let mut state = solver.random_state(1, 0);
    solver.spin_up(&mut state, 1, 0);
    let first = solver.budget(&state).content;
    let mut work = Invariants::default();
    let mut losses = Invariants::default();
    let rate = |solver: &Solver, state: &State| {
        let b = solver.budget(state);
        b.drag + b.hyperviscosity
    };
    for _ in 0..steps {
        let before = rate(&solver, &state);
        // White forcing kicks at the end of the step: the losses act before it.
        let mut coasting = state.clone();
        let done = solver.step(&mut state, 1, 0);
        let after = if matches!(p.forcing, Forcing::White(_)) {
            solver.step_unforced(&mut coasting);
            rate(&solver, &coasting)
        } else {
            rate(&solver, &state)
        };
        work = work + done;
        losses = losses + (before + after) * (0.5 * p.dt);
    }
    let last = solver.budget(&state).content;
    let residual = last + first * -1.0 + work * -1.0 + losses * -1.0;
    (
        (residual.energy / work.energy).abs(),
        (residual.enstrophy / work.enstrophy).abs(),
        work * (1.0 / (steps as f64 * p.dt)),
    )
}

#[test]
fn budget_closes_with_white_forcing() {
    let p = params(64, 0.008);
    let (energy, enstrophy, input) = budget_residual(&p, 4000);
    println!("budget residual: energy {energy:.2e}, enstrophy {enstrophy:.2e}, input {input:?}");
    assert!(energy < 0.01 && enstrophy < 0.01, "{energy} {enstrophy}");
    // 32 time units: the mean input is known to some 15 %.
    assert!((input.energy - 0.1).abs() < 0.025, "{input:?}");
}

#[test]
fn budget_closes_with_ornstein_uhlenbeck_forcing() {
    let Forcing::White(ring) = params(64, 0.008).forcing else {
        unreachable!("the preset is forced by white noise");
    };
    let p = Params {
        forcing: Forcing::OrnsteinUhlenbeck {
            ring,
            correlation_time: 0.1,
        },
        ..params(64, 0.008)
    };
    let (energy, enstrophy, input) = budget_residual(&p, 4000);
    println!("budget residual: energy {energy:.2e}, enstrophy {enstrophy:.2e}, input {input:?}");
    assert!(energy < 0.01 && enstrophy < 0.01, "{energy} {enstrophy}");
    // A finite correlation time puts in less than the nominal value.
    assert!((0.03..0.13).contains(&input.energy), "{input:?}");
}

#[test]
fn mean_and_unresolved_modes_stay_zero() {
    let mut solver = Solver::new(&params(64, 0.032)).unwrap();
    let mut state = solver.random_state(5, 2);
    for _ in 0..50 {
        solver.step(&mut state, 5, 2);
    }
    let field = solver.field_f64(&state);
    let mean = field.iter().sum::<f64>() / field.len() as f64;
    assert!(mean.abs() < 1e-14, "{mean}");
    let n = 64;
    let direct = |kx: f64, ky: f64| {
        (0..n * n)
            .map(|c| {
                let phase = TAU * (kx * (c % n) as f64 + ky * (c / n) as f64) / n as f64;
                Complex64::from_polar(field[c], -phase)
            })
            .sum::<Complex64>()
            .norm()
            / (n * n) as f64
    };
    assert!(direct(5.0, 1.0) > 1e-4);
    for (kx, ky) in [
        (22.0, 0.0),
        (0.0, 22.0),
        (30.0, 5.0),
        (4.0, 31.0),
        (32.0, 32.0),
    ] {
        let amplitude = direct(kx, ky);
        assert!(amplitude < 1e-14, "({kx}, {ky}): {amplitude}");
    }
}

#[test]
fn same_bits_on_any_number_of_threads_and_when_continued() {
    let p = Params {
        spinup_time: 0.5,
        ..params(32, 0.032)
    };
    let run = |threads: usize| {
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap()
            .install(|| simulate(&p, 6, 3, 9, &|_, _| ControlFlow::Continue(())).unwrap())
    };
    let one = run(1);
    let two = run(2);
    assert_eq!(one.values, two.values);
    assert_ne!(one.frame(0, 0), one.frame(1, 0), "members differ");

    // Member 1 alone, interrupted: the state carries everything.
    let mut solver = Solver::new(&p).unwrap();
    let mut state = solver.random_state(9, 1);
    solver.spin_up(&mut state, 9, 1);
    for frame in 0..6 {
        assert_eq!(Some(&solver.field(&state)[..]), one.frame(1, frame));
        let mut other = Solver::new(&p).unwrap();
        let mut copy = state.clone();
        other.advance_frame(&mut copy, 9, 1);
        state = copy;
    }
}

#[test]
fn a_stop_is_an_error_and_bad_input_is_refused() {
    let p = Params {
        spinup_time: 0.0,
        ..params(32, 0.032)
    };
    let stopped = simulate(&p, 4, 1, 0, &|_, _| ControlFlow::Break(())).unwrap_err();
    assert!(stopped.headline.contains("stopped"), "{stopped}");
    let mut solver = Solver::new(&p).unwrap();
    assert!(solver.state_from_field(&[0.0; 7]).is_err());
    let mut field = vec![0.0; 32 * 32];
    field[40] = f32::NAN;
    let error = solver.state_from_field(&field).unwrap_err();
    assert!(error.cause.contains("row 1, column 8"), "{error}");
    assert!(Params::preset("vorticity").is_err());
    assert!(Solver::new(&params(33, 0.032)).is_err());
    assert!(Solver::new(&params(32, 0.0)).is_err());
    let fast = params(32, 50.0);
    let error = simulate(&fast, 4, 1, 0, &|_, _| ControlFlow::Continue(())).unwrap_err();
    assert!(error.headline.contains("blew up"), "{error}");
}

/// One frame without forcing against an independent implementation: `vorticity/check.safetensors` in the folder that
/// `EDDYSCOPE_REFERENCE` names holds `history` (newest first) and `unforced_next`, arrays (x, y), and
/// `weights.safetensors` the scale in its metadata.
#[test]
fn agrees_with_the_reference_implementation() {
    let Ok(folder) = std::env::var("EDDYSCOPE_REFERENCE") else {
        println!("skipped: EDDYSCOPE_REFERENCE is not set");
        return;
    };
    let folder = std::path::Path::new(&folder).join("vorticity");
    let (header, _) = safetensors(&folder.join("weights.safetensors"));
    let scale: f64 = header["__metadata__"]["scale"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    let (header, data) = safetensors(&folder.join("check.safetensors"));
    let tensor = |name: &str| -> Vec<f64> {
        let [from, to] = [0, 1].map(|i| header[name]["data_offsets"][i].as_u64().unwrap() as usize);
        data[from..to]
            .chunks_exact(4)
            .map(|b| f64::from(f32::from_le_bytes([b[0], b[1], b[2], b[3]])))
            .collect()
    };
    let n = 64;
    let transposed = |a: &[f64]| -> Vec<f64> { (0..n * n).map(|c| a[c % n * n + c / n]).collect() };
    let (history, next) = (tensor("history"), tensor("unforced_next"));
    let mut solver = Solver::new(&Params::preset("vorticity-64").unwrap()).unwrap();
    for sample in 0..2 {
        let now = &history[sample * 4 * n * n..][..n * n];
        let now: Vec<f32> = transposed(now).iter().map(|v| (v * scale) as f32).collect();
        let got: Vec<f64> = solver
            .unforced_frame(&now)
            .iter()
            .map(|&v| f64::from(v))
            .collect();
        let expected = transposed(&next[sample * n * n..][..n * n]);
        let expected: Vec<f64> = expected.iter().map(|v| v * scale).collect();
        let error = largest_difference(&got, &expected);
        println!("largest difference from the reference: {error:.2e}");
        // Both are rounded to f32 at values up to 16.
        assert!(error < 3e-6, "{error}");
    }
}

/// Header and data of a safetensors file.
fn safetensors(path: &std::path::Path) -> (serde_json::Value, Vec<u8>) {
    let bytes = std::fs::read(path).unwrap();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    (header, bytes[8 + length..].to_vec())
}
