//! First-order conservative regridding between latitude-longitude grids of the globe.
//!
//! Each target cell is the mean of the source cells under it, weighted by the area shared: cells of latitude-longitude
//! grids are rectangles in (longitude, sine of latitude), so that the shared area is a product, and rows and columns are
//! done one after the other (Jones 1999, doi:10.1175/1520-0493(1999)127<2204:FASOCR>2.0.CO;2, first order).

use crate::field::Globe;

/// Source rows or columns under each target one, with their shares (sum 1).
type Shares = Vec<Vec<(usize, f64)>>;

/// A regridding from one globe to another.
#[derive(Debug, Clone, PartialEq)]
pub struct Regrid {
    from: (usize, usize),
    to: (usize, usize),
    rows: Shares,
    columns: Shares,
    /// The grids are equal to the precision of files (single): values are copied.
    same: bool,
}

impl Regrid {
    /// Prepares the regridding.
    pub fn new(from: &Globe, to: &Globe) -> Self {
        let sines =
            |g: &Globe| -> Vec<f64> { g.lat_bounds.iter().map(|b| b.to_radians().sin()).collect() };
        Self {
            from: (from.ny(), from.nx),
            to: (to.ny(), to.nx),
            rows: row_shares(&sines(from), &sines(to)),
            columns: column_shares(from, to),
            same: from.same(to),
        }
    }

    /// Whether the grids are equal, so that values pass unchanged.
    pub fn is_identity(&self) -> bool {
        self.same
    }

    /// Values on the target grid (rows south to north). A missing value makes those that it touches missing; values of
    /// another number than the source has cells give missing values throughout.
    pub fn apply(&self, values: &[f32]) -> Vec<f32> {
        let (ny, nx) = self.from;
        if values.len() != ny * nx {
            return vec![f32::NAN; self.to.0 * self.to.1];
        }
        if self.same {
            return values.to_vec();
        }
        let mut out = Vec::with_capacity(self.to.0 * self.to.1);
        let mut row = vec![0.0_f64; nx];
        for shares in &self.rows {
            row.fill(0.0);
            for &(j, share) in shares {
                for (sum, &v) in row.iter_mut().zip(&values[j * nx..(j + 1) * nx]) {
                    *sum += share * f64::from(v);
                }
            }
            out.extend(
                self.columns.iter().map(|shares| {
                    shares.iter().map(|&(i, share)| share * row[i]).sum::<f64>() as f32
                }),
            );
        }
        out
    }
}

/// Shares of source rows in each target row, from the sines of the edges.
fn row_shares(from: &[f64], to: &[f64]) -> Shares {
    to.windows(2)
        .map(|t| {
            let first = from.partition_point(|&e| e <= t[0]).saturating_sub(1);
            let mut shares = Vec::new();
            for (j, f) in from.windows(2).enumerate().skip(first) {
                if f[0] >= t[1] {
                    break;
                }
                shares.push((j, f[1].min(t[1]) - f[0].max(t[0])));
            }
            normalised(shares)
        })
        .collect()
}

/// Shares of source columns in each target column, once around.
fn column_shares(from: &Globe, to: &Globe) -> Shares {
    let (width, other) = (to.dlon(), from.dlon());
    let west = from.lon0 - 0.5 * other;
    (0..to.nx)
        .map(|i| {
            // Edges in units of source columns, counted from the source's western edge.
            let start = (to.lon0 + width * (i as f64 - 0.5) - west).rem_euclid(360.0) / other;
            let end = start + width / other;
            let shares = (start.floor() as usize..end.ceil() as usize)
                .map(|k| {
                    let shared = end.min(k as f64 + 1.0) - start.max(k as f64);
                    (k % from.nx, shared)
                })
                .collect();
            normalised(shares)
        })
        .collect()
}

/// Shares that sum to 1; slivers from rounding are dropped.
fn normalised(mut shares: Vec<(usize, f64)>) -> Vec<(usize, f64)> {
    let total: f64 = shares.iter().map(|s| s.1).sum();
    shares.retain(|s| s.1 > 1e-9 * total);
    let total: f64 = shares.iter().map(|s| s.1).sum();
    shares.iter_mut().for_each(|s| s.1 /= total);
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers in 0..1 from a linear congruential generator.
    fn noise(seed: u64) -> impl FnMut() -> f64 {
        let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        move || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / (1u64 << 53) as f64
        }
    }

    fn random_globe(seed: u64) -> Globe {
        let mut next = noise(seed);
        let ny = 2 + (next() * 40.0) as usize;
        let mut lat: Vec<f64> = (0..ny).map(|_| -90.0 + 180.0 * next()).collect();
        lat.sort_by(f64::total_cmp);
        lat.dedup();
        if next() < 0.3 {
            lat[0] = -90.0;
            *lat.last_mut().unwrap() = 90.0;
        }
        let nx = 2 + (next() * 60.0) as usize;
        Globe::new(lat, 400.0 * next(), nx).unwrap()
    }

    fn field(globe: &Globe, seed: u64) -> Vec<f32> {
        let mut next = noise(seed);
        (0..globe.len())
            .map(|_| (next() * 30.0).powi(2) as f32 / 30.0)
            .collect()
    }

    #[test]
    fn area_means_are_preserved() {
        let mut grids: Vec<Globe> = (0..60).map(random_globe).collect();
        let pole = |n: usize, nx: usize| {
            Globe::new(
                (0..n)
                    .map(|j| -90.0 + 180.0 / (n as f64 - 1.0) * j as f64)
                    .collect(),
                0.0,
                nx,
            )
            .unwrap()
        };
        grids.extend([
            pole(181, 360),
            pole(19, 36),
            Globe::cell_centred(48, 96).unwrap(),
            Globe::cell_centred(180, 360).unwrap(),
        ]);
        let mut turned = Globe::cell_centred(90, 144).unwrap();
        turned.lon0 = 181.25;
        grids.push(turned);
        for (k, from) in grids.iter().enumerate() {
            let values = field(from, k as u64);
            let mean = from.mean(&values);
            for to in [
                &grids[(k + 1) % grids.len()],
                &grids[(k + 17) % grids.len()],
            ] {
                let there = Regrid::new(from, to).apply(&values);
                assert!(
                    (to.mean(&there) / mean - 1.0).abs() < 1e-6,
                    "{k} {} {mean}",
                    to.mean(&there)
                );
                let (low, high) = values
                    .iter()
                    .fold((f32::MAX, 0.0_f32), |(l, h), &v| (l.min(v), h.max(v)));
                assert!(
                    there.iter().all(|&v| v >= low - 1e-4 && v <= high + 1e-4),
                    "within the source's range"
                );
            }
        }
    }

    #[test]
    fn equal_grids_pass_unchanged_and_turned_ones_turn() {
        let a = Globe::cell_centred(6, 12).unwrap();
        let values = field(&a, 1);
        assert!(Regrid::new(&a, &a).is_identity());
        assert_eq!(Regrid::new(&a, &a).apply(&values), values);
        let mut b = a.clone();
        b.lon0 += 90.0;
        let turned = Regrid::new(&a, &b);
        assert!(!turned.is_identity());
        let there = turned.apply(&values);
        for j in 0..6 {
            for i in 0..12 {
                assert!((there[j * 12 + i] - values[j * 12 + (i + 3) % 12]).abs() < 1e-5);
            }
        }
    }

    #[test]
    fn known_means_and_missing_values() {
        let fine = Globe::cell_centred(4, 8).unwrap();
        let coarse = Globe::cell_centred(2, 4).unwrap();
        let mut values: Vec<f32> = vec![0.0; 32];
        values[0] = 8.0;
        let w = fine.row_weights();
        let there = Regrid::new(&fine, &coarse).apply(&values);
        let expected = 8.0 * 0.5 * w[0] / (w[0] + w[1]);
        assert!(
            (f64::from(there[0]) - expected).abs() < 1e-6,
            "{} {expected}",
            there[0]
        );
        assert!(there[1..].iter().all(|&v| v == 0.0));
        values[0] = f32::NAN;
        let there = Regrid::new(&fine, &coarse).apply(&values);
        assert!(there[0].is_nan() && there[1] == 0.0 && there[4] == 0.0);
        assert!(
            Regrid::new(&fine, &coarse)
                .apply(&values[..5])
                .iter()
                .all(|v| v.is_nan())
        );
    }
}
