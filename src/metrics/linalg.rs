//! Eigenvalues of small symmetric matrices, and vectors made orthonormal.

/// Eigenvalues, largest first, with their unit vectors.
#[derive(Debug, Clone)]
pub(super) struct Eigen {
    pub values: Vec<f64>,
    pub vectors: Vec<Vec<f64>>,
}

/// All eigenvalues of a symmetric matrix, row by row (only one triangle is read). `None` where a value is not finite or
/// it is not square.
///
/// Householder's reduction to a tridiagonal matrix, then QL with implicit shifts (Bowdler, Martin, Reinsch and Wilkinson
/// 1968, "The QR and QL algorithms for symmetric matrices"; the arrangement is EISPACK's tred2 and tql2).
pub(super) fn symmetric_eigen(mut matrix: Vec<Vec<f64>>) -> Option<Eigen> {
    let n = matrix.len();
    let values = || matrix.iter().flatten();
    if matrix.iter().any(|row| row.len() != n) || values().any(|v| !v.is_finite()) {
        return None;
    }
    let size = values().fold(0.0_f64, |m, v| m.max(v.abs()));
    if n == 0 {
        return Some(Eigen {
            values: Vec::new(),
            vectors: Vec::new(),
        });
    }
    if size > 0.0 {
        matrix.iter_mut().flatten().for_each(|v| *v /= size);
    }
    let (mut d, mut e) = tridiagonal(&mut matrix);
    ql(&mut matrix, &mut d, &mut e);
    let mut pairs: Vec<(f64, Vec<f64>)> = d.into_iter().zip(matrix).collect();
    pairs.sort_by(|a, b| b.0.total_cmp(&a.0));
    let (values, vectors) = pairs.into_iter().map(|(v, x)| (v * size, x)).unzip();
    Some(Eigen { values, vectors })
}

/// Diagonal and subdiagonal (from entry 1) of the tridiagonal form. `w` holds columns: on return the transformation,
/// column by column.
fn tridiagonal(w: &mut [Vec<f64>]) -> (Vec<f64>, Vec<f64>) {
    let n = w.len();
    let mut d: Vec<f64> = w.iter().map(|column| column[n - 1]).collect();
    let mut e = vec![0.0; n];
    for i in (1..n).rev() {
        let scale: f64 = d[..i].iter().map(|v| v.abs()).sum();
        let mut h = 0.0;
        if scale == 0.0 {
            e[i] = d[i - 1];
            for j in 0..i {
                d[j] = w[j][i - 1];
                w[j][i] = 0.0;
                w[i][j] = 0.0;
            }
        } else {
            for v in &mut d[..i] {
                *v /= scale;
                h += *v * *v;
            }
            let f = d[i - 1];
            let g = if f > 0.0 { -h.sqrt() } else { h.sqrt() };
            e[i] = scale * g;
            h -= f * g;
            d[i - 1] = f - g;
            e[..i].fill(0.0);
            for j in 0..i {
                let f = d[j];
                w[i][j] = f;
                let mut g = e[j] + w[j][j] * f;
                for k in j + 1..i {
                    g += w[j][k] * d[k];
                    e[k] += w[j][k] * f;
                }
                e[j] = g;
            }
            let mut f = 0.0;
            for j in 0..i {
                e[j] /= h;
                f += e[j] * d[j];
            }
            let half = f / (h + h);
            for j in 0..i {
                e[j] -= half * d[j];
            }
            for j in 0..i {
                let (f, g) = (d[j], e[j]);
                for k in j..i {
                    w[j][k] -= f * e[k] + g * d[k];
                }
                d[j] = w[j][i - 1];
                w[j][i] = 0.0;
            }
        }
        d[i] = h;
    }
    for i in 0..n - 1 {
        w[i][n - 1] = w[i][i];
        w[i][i] = 1.0;
        let h = d[i + 1];
        let (done, rest) = w.split_at_mut(i + 1);
        let next = &mut rest[0];
        if h != 0.0 {
            for k in 0..=i {
                d[k] = next[k] / h;
            }
            for column in done {
                let g: f64 = (0..=i).map(|k| next[k] * column[k]).sum();
                for k in 0..=i {
                    column[k] -= g * d[k];
                }
            }
        }
        next[..=i].fill(0.0);
    }
    for (column, d) in w.iter_mut().zip(&mut d) {
        *d = column[n - 1];
        column[n - 1] = 0.0;
    }
    w[n - 1][n - 1] = 1.0;
    e[0] = 0.0;
    (d, e)
}

/// Turns diagonal and subdiagonal into eigenvalues, and the columns `w` into their vectors.
fn ql(w: &mut [Vec<f64>], d: &mut [f64], e: &mut [f64]) {
    let n = w.len();
    e.rotate_left(1);
    e[n - 1] = 0.0;
    let (mut shift, mut largest) = (0.0, 0.0_f64);
    for l in 0..n {
        largest = largest.max(d[l].abs() + e[l].abs());
        let small = f64::EPSILON * largest;
        let m = (l..n).find(|&m| e[m].abs() <= small).unwrap_or(n - 1);
        // A few steps each are enough; the bound is for what cannot happen.
        for _ in 0..60 {
            if m == l || e[l].abs() <= small {
                break;
            }
            let before = d[l];
            let p = (d[l + 1] - before) / (2.0 * e[l]);
            let r = if p < 0.0 { -p.hypot(1.0) } else { p.hypot(1.0) };
            d[l] = e[l] / (p + r);
            d[l + 1] = e[l] * (p + r);
            let (next, moved) = (d[l + 1], before - d[l]);
            d[l + 2..].iter_mut().for_each(|v| *v -= moved);
            shift += moved;
            let mut p = d[m];
            let (mut c, mut c2, mut c3) = (1.0, 1.0, 1.0);
            let (mut s, mut s2) = (0.0, 0.0);
            let second = e[l + 1];
            for i in (l..m).rev() {
                (c3, c2, s2) = (c2, c, s);
                let (g, h) = (c * e[i], c * p);
                let r = p.hypot(e[i]);
                e[i + 1] = s * r;
                s = e[i] / r;
                c = p / r;
                p = c * d[i] - s * g;
                d[i + 1] = h + s * (c * g + s * d[i]);
                let (left, right) = w.split_at_mut(i + 1);
                for (a, b) in left[i].iter_mut().zip(&mut right[0]) {
                    (*a, *b) = (c * *a - s * *b, s * *a + c * *b);
                }
            }
            p = -s * s2 * c3 * second * e[l] / next;
            e[l] = s * p;
            d[l] = c * p;
        }
        d[l] += shift;
        e[l] = 0.0;
    }
}

/// Scalar product.
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    // Four sums, so that they go on side by side.
    let mut sums = [0.0; 4];
    let (a4, b4) = (a.chunks_exact(4), b.chunks_exact(4));
    let rest = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
    let tail = rest(a4.remainder(), b4.remainder());
    for (x, y) in a4.zip(b4) {
        for k in 0..4 {
            sums[k] += x[k] * y[k];
        }
    }
    sums.iter().sum::<f64>() + tail
}

/// `y += factor x`.
pub(super) fn add_scaled(y: &mut [f64], factor: f64, x: &[f64]) {
    for (y, x) in y.iter_mut().zip(x) {
        *y += factor * x;
    }
}

/// Takes out of `vector` its parts along an orthonormal `basis`, and returns these. Twice, so that rounding leaves
/// nothing.
pub(super) fn orthogonalise(vector: &mut [f64], basis: &[Vec<f64>]) -> Vec<f64> {
    let mut parts = vec![0.0; basis.len()];
    for _ in 0..2 {
        for (part, direction) in parts.iter_mut().zip(basis) {
            let along = dot(vector, direction);
            add_scaled(vector, -along, direction);
            *part += along;
        }
    }
    parts
}
