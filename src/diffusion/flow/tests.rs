//! The weights of a step against the flow's differential equation, and the composed form against the one by hand.

use burn::tensor::Device;

use super::*;

/// Integrates `dx/ds = (x - G - r)/s` of one coefficient with many small steps of fourth order, `r` linear in `ln s` in units
/// of `s / sqrt(c + s^2)`.
fn integrated(
    (c, s, lambda): (f64, f64, f64),
    (from, to): (f64, f64),
    (x, m): (f64, f64),
    remainder: &dyn Fn(f64) -> f64,
) -> f64 {
    let slope = |l: f64, x: f64| {
        let sigma = l.exp();
        let s2 = sigma * sigma;
        let (w_c, w_s) = (c / (c + s2), s / (s + s2));
        let law = w_c * x + lambda * (m + w_s * (x - m) - w_c * x);
        x - law - remainder(l) * sigma / (c + s2).sqrt()
    };
    let steps = 20_000;
    let h = (to.ln() - from.ln()) / f64::from(steps);
    let mut y = x;
    for i in 0..steps {
        let l = from.ln() + f64::from(i) * h;
        let k1 = slope(l, y);
        let k2 = slope(l + 0.5 * h, y + 0.5 * h * k1);
        let k3 = slope(l + 0.5 * h, y + 0.5 * h * k2);
        let k4 = slope(l + h, y + h * k3);
        y += h / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4);
    }
    y
}

#[test]
fn a_step_solves_the_differential_equation() {
    let (x, m) = (1.3, 0.4);
    for (from, to) in [(400.0, 8.0), (8.0, 2.0), (0.9, 0.02)] {
        for c in [1e-5, 0.3, 9.0] {
            for s in [0.01 * c, 0.5 * c, c] {
                for lambda in [0.0, 0.3, 1.0, 2.5] {
                    let before = 4.0 * from;
                    let w = Span::new(from, to, Some(before)).weights(c, s, lambda);
                    // Values of the remainder at the present level and at the one before.
                    let (now, earlier) = (0.2, -0.1);
                    let line =
                        |l: f64| now + (earlier - now) * (l - from.ln()) / (before / from).ln();
                    let exact = integrated((c, s, lambda), (from, to), (x, m), &line);
                    let found = f64::from(w.keep) * x
                        + f64::from(w.mean) * m
                        + f64::from(w.now) * now
                        + f64::from(w.before) * earlier;
                    assert!(
                        (found - exact).abs() < 2e-4 * exact.abs().max(0.1),
                        "{from} to {to}, c {c}, s {s}, lambda {lambda}: {found} {exact}"
                    );
                }
            }
        }
    }
}

#[test]
fn at_full_strength_the_forecast_takes_what_the_state_loses() {
    // m = x stays where it is: the forecast is a fixed point of the law's flow.
    let w = Span::new(5.0, 0.3, None).weights(2.0, 0.1, 1.0);
    assert!((w.keep + w.mean - 1.0).abs() < 1e-5);
    assert_eq!(w.before, 0.0);
}

#[test]
fn levels_that_coincide_leave_everything_where_it_is() {
    let w = Span::new(1.0, 1.0, Some(1.0)).weights(2.0, 0.1, 0.7);
    assert_eq!((w.keep, w.mean, w.now, w.before), (1.0, 0.0, 0.0, 0.0));
}

#[test]
fn the_end_of_an_euler_step_to_zero_is_the_laws_estimate() {
    let (c, s, lambda, sigma2) = (2.0, 0.1, 0.7, 9.0);
    let w = Span::new(3.0, 0.0, None).weights(c, s, lambda);
    let (w_c, w_s) = (c / (c + sigma2), s / (s + sigma2));
    assert!((f64::from(w.keep) - (w_c + lambda * (w_s - w_c))).abs() < 1e-6);
    assert!((f64::from(w.mean) - lambda * (1.0 - w_s)).abs() < 1e-6);
    let device = Device::flex();
    let one = |v: f64| Tensor::<4>::full([1, 1, 1, 1], v as f32, &device);
    let (c_t, s_t, m_t, x_t) = (one(c), one(s), one(0.4), one(1.3));
    let composed = Composed {
        c: &c_t,
        s: &s_t,
        mean: Some(&m_t),
    };
    let strengths = [lambda as f32];
    let step = Advance::law(&x_t, 3.0, 0.0, &strengths);
    let (found, none) = composed.advance(&step, x_t.clone(), None);
    let expected = w.keep * 1.3 + w.mean * 0.4;
    assert!((crate::diffusion::to_vec(found)[0] - expected).abs() < 1e-6);
    assert!(none.is_none());
}

/// Rows of different strengths, one of which may not use the remainder before.
#[test]
fn composed_and_by_hand_agree() {
    let device = Device::flex();
    let tensor = |v: &[f32], rows: usize| {
        let data = TensorData::new(v.to_vec(), [rows, 1, 1, v.len() / rows]);
        Tensor::<4>::from_data(data, &device)
    };
    let (c, s) = ([4.0f32, 0.5, 1e-4], [0.2f32, 0.4, 1e-5]);
    let x = [1.0f32, -0.3, 0.2, 0.6, 0.1, -0.5];
    let estimate = [0.7f32, -0.2, 0.1, 0.5, 0.3, -0.1];
    let before = [0.1f32, -0.05, 0.2, 0.3, 0.0, -0.2];
    let mean = [0.8f32, -0.4, 0.05, 0.4, 0.2, -0.3];
    let (strengths, usable) = ([1.0, 0.4], [true, false]);
    let (x_t, e_t, b_t, m_t) = (
        tensor(&x, 2),
        tensor(&estimate, 2),
        tensor(&before, 2),
        tensor(&mean, 2),
    );
    let step = Advance {
        x: &x_t,
        estimate: Some(&e_t),
        before: Some((&b_t, 6.0)),
        usable: &usable,
        from: 2.0,
        to: 0.5,
        strengths: &strengths,
    };
    let composed = Composed {
        c: &tensor(&c, 1),
        s: &tensor(&s, 1),
        mean: Some(&m_t),
    };
    let (next, remainder) = composed.advance(&step, x_t.clone(), Some(e_t.clone()));
    let read = |t: Tensor<4>| crate::diffusion::to_vec(t);
    let (next, remainder) = (read(next), read(remainder.unwrap()));
    for (row, &strength) in strengths.iter().enumerate() {
        let span = Span::new(2.0, 0.5, step.before_of(row));
        for k in 0..3 {
            let w = span.weights(f64::from(c[k]), f64::from(s[k]), f64::from(strength));
            let i = 3 * row + k;
            let r = w.scale * (estimate[i] - w.law_x * x[i] - w.law_m * mean[i]);
            let to = w.keep * x[i] + w.mean * mean[i] + w.now * r + w.before * before[i];
            assert!(
                (remainder[i] - r).abs() < 1e-4,
                "row {row}, {k}: {} {r}",
                remainder[i]
            );
            assert!(
                (next[i] - to).abs() < 1e-4,
                "row {row}, {k}: {} {to}",
                next[i]
            );
        }
    }
}
