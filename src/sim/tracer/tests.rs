use std::f64::consts::TAU;

use super::*;

fn params(n: usize, forcing: bool) -> Params {
    let preset = Params::preset("vorticity-64").unwrap();
    Params {
        n,
        forcing: match forcing {
            true => preset.forcing,
            false => Forcing::None,
        },
        ..preset
    }
}

fn sample(n: usize, f: impl Fn(f64, f64) -> f64) -> Vec<f64> {
    let at = |i: usize| TAU * i as f64 / n as f64;
    (0..n * n).map(|c| f(at(c % n), at(c / n))).collect()
}

fn difference(a: &[f64], b: &[f64]) -> f64 {
    let pairs = a.iter().zip(b);
    pairs.map(|(x, y)| (x - y).abs()).fold(0.0, f64::max)
}

/// At rest a mode decays as `exp(-(nu' k^4 + mu') t)`.
#[test]
fn pure_diffusion_is_exact() {
    let n = 32;
    let tracer = Tracer {
        nu: 3e-4,
        mu: 0.05,
        correlation: 0.0,
    };
    let mut solver = StirredSolver::new(&params(n, false), tracer).unwrap();
    let theta = sample(n, |x, y| (3.0 * x + 4.0 * y).sin() - 0.5 * (5.0 * x).cos());
    let mut state = solver.state(&vec![0.0; n * n], &theta).unwrap();
    for _ in 0..100 {
        solver.step_unforced(&mut state);
    }
    let factor = (-(3e-4 * 625.0 + 0.05) * 3.2_f64).exp();
    let expected: Vec<f64> = theta.iter().map(|v| v * factor).collect();
    let [omega, found] = solver.fields(&state);
    assert!(difference(&found, &expected) < 1e-12);
    assert!(omega.iter().all(|v| *v == 0.0));
}

/// In a steady shear `u = U sin y` a tracer without diffusion is carried along: `theta_0(x - U sin(y) t, y)`.
#[test]
fn a_shear_carries_the_tracer() {
    let n = 64;
    let p = Params {
        nu: 0.0,
        mu: 0.0,
        dt: 0.01,
        ..params(n, false)
    };
    let mut solver = StirredSolver::new(&p, Tracer::like(&p, 0.0)).unwrap();
    // omega = -du/dy.
    let omega = sample(n, |_, y| -0.8 * y.cos());
    let theta = |x: f64, y: f64| (x + 0.4).cos() + 0.3 * (x + y).sin();
    let mut state = solver.state(&omega, &sample(n, theta)).unwrap();
    for _ in 0..200 {
        solver.step_unforced(&mut state);
    }
    let expected = sample(n, |x, y| theta(x - 0.8 * y.sin() * 2.0, y));
    let [still, found] = solver.fields(&state);
    assert!(difference(&still, &omega) < 1e-12);
    let error = difference(&found, &expected);
    assert!(error < 1e-8, "{error}");
}

/// The vorticity does not feel the tracer, is the tracer of its own source, and mixes linearly with another one.
#[test]
fn the_tracer_is_linear_and_passive() {
    let n = 32;
    let p = Params {
        spinup_time: 0.0,
        ..params(n, true)
    };
    let run = |correlation: f64| {
        let tracer = Tracer::like(&p, correlation);
        let mut solver = StirredSolver::new(&p, tracer).unwrap();
        let mut state = solver.random_state(4, 2);
        for _ in 0..150 {
            solver.step(&mut state, 4, 2);
        }
        solver.fields(&state)
    };
    let [omega, same] = run(1.0);
    assert!(difference(&omega, &same) < 1e-9);
    let [_, own] = run(0.0);
    let [again, mixed] = run(0.6);
    assert_eq!(omega, again);
    let expected: Vec<f64> = omega
        .iter()
        .zip(&own)
        .map(|(a, b)| 0.6 * a + 0.8 * b)
        .collect();
    assert!(difference(&mixed, &expected) < 1e-9);
    assert!(difference(&mixed, &omega) > 0.5);

    let mut alone = Solver::new(&p).unwrap();
    let mut state = alone.random_state(4, 2);
    for _ in 0..150 {
        alone.step(&mut state, 4, 2);
    }
    assert_eq!(alone.field_f64(&state), omega);
}

#[test]
fn series_are_those_of_the_solver_and_bad_numbers_are_refused() {
    let p = Params {
        spinup_time: 0.5,
        ..params(32, true)
    };
    let tracer = Tracer::like(&p, 0.5);
    let go_on = || ControlFlow::Continue(());
    let [omega, theta] = simulate_stirred(&p, tracer, 4, 2, 3, &go_on).unwrap();
    let plain = super::super::simulate(&p, 4, 2, 3, &|_, _| ControlFlow::Continue(())).unwrap();
    assert_eq!(omega.values, plain.values);
    assert_ne!(theta.frame(0, 0), theta.frame(1, 0));
    assert!(simulate_stirred(&p, tracer, 4, 2, 3, &|| ControlFlow::Break(())).is_err());
    for bad in [
        Tracer { nu: -1.0, ..tracer },
        Tracer {
            correlation: 1.5,
            ..tracer
        },
        Tracer {
            mu: f64::NAN,
            ..tracer
        },
    ] {
        assert!(StirredSolver::new(&p, bad).is_err());
    }
}
