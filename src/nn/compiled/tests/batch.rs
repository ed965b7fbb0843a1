//! Convolutions of a batch and their gradients against the definition in f64.

use crate::nn::compiled::Convolution;
use crate::nn::compiled::kernels::available;

/// Numbers between -1 and 1 without a pattern.
fn draw(n: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(747_796_405).wrapping_add(1);
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..n).map(|_| next()).collect()
}

/// Calls `visit(input value, weight, output value)` with the indices of every product.
fn products(c: &Convolution, batch: usize, mut visit: impl FnMut(usize, usize, usize)) {
    let ([h, w], [ho, wo]) = (c.field, c.output());
    let before = c.side as isize / 2;
    let place = |at: usize, tap: usize, n: usize, circular: bool, before: isize| {
        let at = (at * c.stride + tap) as isize - before;
        let n = n as isize;
        if circular {
            Some(at.rem_euclid(n) as usize)
        } else {
            (0..n).contains(&at).then_some(at as usize)
        }
    };
    for (b, co, ci) in (0..batch * c.outputs * c.inputs).map(|i| {
        let (b, rest) = (i / (c.outputs * c.inputs), i % (c.outputs * c.inputs));
        (b, rest / c.inputs, rest % c.inputs)
    }) {
        for (y, x) in (0..ho * wo).map(|i| (i / wo, i % wo)) {
            for (ky, kx) in (0..c.side * c.side).map(|i| (i / c.side, i % c.side)) {
                let above = if c.halo { 0 } else { before };
                let line = place(y, ky, h, c.circular[0], above);
                let column = place(x, kx, w, c.circular[1], before);
                if let (Some(line), Some(column)) = (line, column) {
                    visit(
                        ((b * c.inputs + ci) * h + line) * w + column,
                        ((co * c.inputs + ci) * c.side + ky) * c.side + kx,
                        ((b * c.outputs + co) * ho + y) * wo + x,
                    );
                }
            }
        }
    }
}

fn assert_near(what: &str, found: &[f32], expected: &[f64]) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let largest = expected.iter().fold(1e-30, |a: f64, v| a.max(v.abs()));
    for (i, (f, e)) in found.iter().zip(expected).enumerate() {
        let error = (f64::from(*f) - e).abs() / largest;
        assert!(error < 1e-5, "{what}, value {i}: {f} {e}");
    }
}

#[test]
fn values_and_gradients_are_those_of_the_definition() {
    for (batch, inputs, outputs, field) in [
        (3, 4, 5, [6, 10]),
        (1, 35, 49, [4, 4]),
        (2, 16, 32, [5, 13]),
        (5, 3, 97, [4, 7]),
    ] {
        for (side, stride) in [(1, 1), (1, 2), (3, 1), (3, 2)] {
            for (circular, halo) in [
                ([true, true], false),
                ([false, false], false),
                ([false, true], false),
                ([false, true], true),
            ] {
                if halo && side == 1 {
                    continue;
                }
                let c = Convolution {
                    inputs,
                    outputs,
                    side,
                    stride,
                    field,
                    circular,
                    halo,
                };
                let [ho, wo] = c.output();
                let x = draw(batch * inputs * field[0] * field[1], 1);
                let weight = draw(outputs * inputs * side * side, 2);
                let bias = draw(outputs, 3);
                let gradient = draw(batch * outputs * ho * wo, 4);
                let mut out: Vec<f64> = (0..batch * outputs * ho * wo)
                    .map(|i| f64::from(bias[i / (ho * wo) % outputs]))
                    .collect();
                let mut to_input = vec![0.0f64; x.len()];
                let mut to_weights = vec![0.0f64; weight.len()];
                products(&c, batch, |i, k, o| {
                    let wide = |v: f32| f64::from(v);
                    out[o] += wide(x[i]) * wide(weight[k]);
                    to_input[i] += wide(gradient[o]) * wide(weight[k]);
                    to_weights[k] += wide(gradient[o]) * wide(x[i]);
                });
                for kernels in available() {
                    let what = format!("{}, {batch} x {c:?}", kernels.name);
                    let found = c.forward_by(kernels, &x, &weight, &bias);
                    assert_near(&what, &found, &out);
                    let found = c.back_to_input_by(kernels, &gradient, &weight);
                    assert_near(&what, &found, &to_input);
                    let found = c.back_to_weights_by(kernels, &x, &gradient);
                    assert_near(&what, &found, &to_weights);
                }
            }
        }
    }
}
