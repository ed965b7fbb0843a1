//! Hovmoeller diagrams, and how far consecutive rows are apart.

/// Mean over the 10 central rows (y) of a frame: one value per column (x). All rows where there are fewer. Empty where
/// the frame does not have `ny * nx` values.
pub fn hovmoeller_row(frame: &[f32], ny: usize, nx: usize) -> Vec<f32> {
    if frame.len() != ny * nx || frame.is_empty() {
        return Vec::new();
    }
    let first = (ny / 2).saturating_sub(5);
    let last = (first + 10).min(ny);
    let count = (last - first) as f64;
    (0..nx)
        .map(|x| {
            let sum: f64 = (first..last).map(|y| f64::from(frame[y * nx + x])).sum();
            (sum / count) as f32
        })
        .collect()
}

/// Mean over the 10 central columns (x) of a frame: one value per row (y), the paper's diagram. All columns where there
/// are fewer. Empty where the frame does not have `ny * nx` values.
pub fn hovmoeller_column(frame: &[f32], ny: usize, nx: usize) -> Vec<f32> {
    if frame.len() != ny * nx || frame.is_empty() {
        return Vec::new();
    }
    let first = (nx / 2).saturating_sub(5);
    let last = (first + 10).min(nx);
    let mean = |row: &[f32]| {
        let sum: f64 = row[first..last].iter().map(|&v| f64::from(v)).sum();
        (sum / (last - first) as f64) as f32
    };
    frame.chunks_exact(nx).map(mean).collect()
}

/// W1 of two rows as distributions of mass over the row, `p = |h| / sum |h|`: `mean |F_p - F_q|` with the cumulative sums
/// F, in units of the row's length. `None` where the rows differ in length, are empty, or one is all zero.
pub fn w1_mass(p: &[f32], q: &[f32]) -> Option<f64> {
    let difference = cumulative_difference(p, q)?;
    Some(difference.iter().map(|d| d.abs()).sum::<f64>() / difference.len() as f64)
}

/// The same on a circle: the constant that the cut adds is removed, `mean |D - median D|`, `D = F_p - F_q`.
pub fn w1_mass_periodic(p: &[f32], q: &[f32]) -> Option<f64> {
    let difference = cumulative_difference(p, q)?;
    let mut sorted = difference.clone();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len();
    let median = 0.5 * (sorted[(n - 1) / 2] + sorted[n / 2]);
    Some(difference.iter().map(|d| (d - median).abs()).sum::<f64>() / n as f64)
}

/// W1 between the values of two rows, normalised as `|h| / sum |h|`, whatever their place: what the published axis fits.
/// `None` as in [`w1_mass`].
pub fn w1_value(p: &[f32], q: &[f32]) -> Option<f64> {
    if p.len() != q.len() {
        return None;
    }
    let (mut p, mut q) = (mass(p)?, mass(q)?);
    p.sort_by(f64::total_cmp);
    q.sort_by(f64::total_cmp);
    Some(p.iter().zip(&q).map(|(a, b)| (a - b).abs()).sum::<f64>() / p.len() as f64)
}

fn mass(row: &[f32]) -> Option<Vec<f64>> {
    let total: f64 = row.iter().map(|&v| f64::from(v).abs()).sum();
    (total.is_finite() && total > 0.0)
        .then(|| row.iter().map(|&v| f64::from(v).abs() / total).collect())
}

fn cumulative_difference(p: &[f32], q: &[f32]) -> Option<Vec<f64>> {
    if p.len() != q.len() {
        return None;
    }
    let mut sum = 0.0;
    Some(
        mass(p)?
            .iter()
            .zip(mass(q)?)
            .map(|(a, b)| {
                sum += a - b;
                sum
            })
            .collect(),
    )
}
