//! Real 2 x 2 matrices, row-major.

/// `[[a, b], [c, d]]`.
pub type Matrix = [[f64; 2]; 2];

/// The matrix without entries.
pub const ZERO: Matrix = [[0.0; 2]; 2];

/// A diagonal matrix.
pub fn diagonal(a: f64, d: f64) -> Matrix {
    [[a, 0.0], [0.0, d]]
}

/// `a b`.
pub fn product(a: Matrix, b: Matrix) -> Matrix {
    let at = |i: usize, j: usize| a[i][0] * b[0][j] + a[i][1] * b[1][j];
    [[at(0, 0), at(0, 1)], [at(1, 0), at(1, 1)]]
}

/// The transpose.
pub fn transpose(a: Matrix) -> Matrix {
    [[a[0][0], a[1][0]], [a[0][1], a[1][1]]]
}

/// `a + w b`.
pub fn sum(a: Matrix, w: f64, b: Matrix) -> Matrix {
    let at = |i: usize, j: usize| a[i][j] + w * b[i][j];
    [[at(0, 0), at(0, 1)], [at(1, 0), at(1, 1)]]
}

/// The determinant.
pub fn determinant(a: Matrix) -> f64 {
    a[0][0] * a[1][1] - a[0][1] * a[1][0]
}

/// The inverse; `None` where there is none.
pub fn inverse(a: Matrix) -> Option<Matrix> {
    let d = determinant(a);
    if !d.is_finite() || d.abs() < 1e-300 {
        return None;
    }
    Some([[a[1][1] / d, -a[0][1] / d], [-a[1][0] / d, a[0][0] / d]])
}

/// Lower triangular L with `L L^T = a`; `None` where `a` is not positive definite.
pub fn cholesky(a: Matrix) -> Option<Matrix> {
    let l = (a[0][0] > 0.0).then(|| a[0][0].sqrt())?;
    let m = a[1][0] / l;
    let rest = a[1][1] - m * m;
    Some([[l, 0.0], [m, (rest > 0.0).then(|| rest.sqrt())?]])
}

/// A symmetric matrix with its eigenvalues moved into a range.
pub fn clamp(a: Matrix, low: f64, high: f64) -> Matrix {
    let (mean, half) = (0.5 * (a[0][0] + a[1][1]), 0.5 * (a[0][0] - a[1][1]));
    let off = 0.5 * (a[0][1] + a[1][0]);
    let radius = half.hypot(off);
    let into = |v: f64| v.clamp(low, high);
    let (large, small) = (into(mean + radius), into(mean - radius));
    if radius <= 1e-300 {
        return diagonal(large, large);
    }
    // a = mean + radius R with R^2 = 1.
    let (mid, scale) = (0.5 * (large + small), 0.5 * (large - small) / radius);
    [
        [mid + scale * half, scale * off],
        [scale * off, mid - scale * half],
    ]
}

/// The largest singular value.
pub fn norm(a: Matrix) -> f64 {
    let g = product(transpose(a), a);
    let (mean, half) = (0.5 * (g[0][0] + g[1][1]), 0.5 * (g[0][0] - g[1][1]));
    (mean + half.hypot(g[0][1])).max(0.0).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(a: Matrix, b: Matrix) -> bool {
        (0..2).all(|i| (0..2).all(|j| (a[i][j] - b[i][j]).abs() < 1e-12))
    }

    #[test]
    fn identities_hold() {
        let a = [[2.0, 0.6], [0.6, 0.5]];
        assert!(near(product(a, inverse(a).unwrap()), diagonal(1.0, 1.0)));
        let l = cholesky(a).unwrap();
        assert!(near(product(l, transpose(l)), a));
        assert!(cholesky([[1.0, 2.0], [2.0, 1.0]]).is_none());
        assert!(inverse([[1.0, 2.0], [2.0, 4.0]]).is_none());
        assert!(near(clamp(a, 0.0, 9.0), a));
        let c = clamp(a, 0.0, 1.0);
        assert!((norm(c) - 1.0).abs() < 1e-12 && determinant(c) > 0.0);
        // The smaller eigenvalue stays.
        let small =
            |m: Matrix| 0.5 * (m[0][0] + m[1][1]) - (0.5 * (m[0][0] - m[1][1])).hypot(m[0][1]);
        assert!((small(c) - small(a)).abs() < 1e-12);
        assert!((norm([[3.0, 0.0], [4.0, 0.0]]) - 5.0).abs() < 1e-12);
    }
}
