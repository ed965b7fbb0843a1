//! A latitude-longitude grid that covers the globe.

use serde::{Deserialize, Serialize};

use crate::error::{Result, UserError};

/// Rows of latitude, south to north, and columns of equal width that go once around.
///
/// Arrays on it are row-major: `values[j * nx + i]` is row `j` (row 0 is the southernmost), column `i`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Globe {
    /// Latitude of each row, degrees north, ascending.
    pub lat: Vec<f64>,
    /// Edges of the rows, degrees north, ascending, one more than rows: -90 first, 90 last.
    pub lat_bounds: Vec<f64>,
    /// Longitude of the middle of column 0, degrees east, in 0..360.
    pub lon0: f64,
    /// Number of columns.
    pub nx: usize,
}

impl Globe {
    /// A grid whose rows end half-way between their latitudes, the outer ones at the poles.
    ///
    /// # Errors
    /// Latitudes that do not ascend from -90 to 90, fewer than 2 rows or columns.
    pub fn new(lat: Vec<f64>, lon0: f64, nx: usize) -> Result<Self> {
        let mut bounds = Vec::with_capacity(lat.len() + 1);
        bounds.push(-90.0);
        bounds.extend(lat.windows(2).map(|w| 0.5 * (w[0] + w[1])));
        bounds.push(90.0);
        let globe = Self {
            lat,
            lat_bounds: bounds,
            lon0: lon0.rem_euclid(360.0),
            nx,
        };
        globe.validate()?;
        Ok(globe)
    }

    /// A grid of `ny` equal rows whose cells touch the poles (cell-centred), columns centred from half a width on.
    pub fn cell_centred(ny: usize, nx: usize) -> Result<Self> {
        let height = 180.0 / ny.max(1) as f64;
        let lat = (0..ny).map(|j| -90.0 + (j as f64 + 0.5) * height).collect();
        Self::new(lat, 180.0 / nx.max(1) as f64, nx)
    }

    /// Checks that the numbers describe a globe.
    ///
    /// # Errors
    /// Names what does not fit.
    pub fn validate(&self) -> Result<()> {
        let (lat, edges) = (&self.lat, &self.lat_bounds);
        let ascending = |v: &[f64]| v.windows(2).all(|w| w[0] < w[1]);
        let checks = [
            (
                lat.len() >= 2 && self.nx >= 2,
                "a globe needs at least 2 rows and 2 columns",
            ),
            (
                edges.len() == lat.len() + 1,
                "it needs one more row edge than rows",
            ),
            (
                lat.iter().chain(edges).all(|v| v.is_finite()),
                "a latitude is not a number",
            ),
            (ascending(lat) && ascending(edges), "latitudes must ascend"),
            (
                edges.first() == Some(&-90.0) && edges.last() == Some(&90.0),
                "the rows must reach from pole to pole",
            ),
            (
                lat.iter()
                    .zip(edges.windows(2))
                    .all(|(l, e)| (e[0]..=e[1]).contains(l)),
                "a row lies outside of its edges",
            ),
            (self.lon0.is_finite(), "the first longitude is not a number"),
        ];
        match checks.into_iter().find(|(fits, _)| !fits) {
            None => Ok(()),
            Some((_, what)) => Err(UserError::new(
                "The latitude-longitude grid cannot be used",
                what,
                "give a grid that covers the whole globe once",
            )),
        }
    }

    /// Whether another grid has the same cells, to the precision with which files hold coordinates (1e-4 degrees).
    pub fn same(&self, other: &Self) -> bool {
        let close = |a: &[f64], b: &[f64]| {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-4)
        };
        let turn = (self.lon0 - other.lon0 + 180.0).rem_euclid(360.0) - 180.0;
        self.nx == other.nx && turn.abs() < 1e-4 && close(&self.lat_bounds, &other.lat_bounds)
    }

    /// Number of rows.
    pub fn ny(&self) -> usize {
        self.lat.len()
    }

    /// Number of cells.
    pub fn len(&self) -> usize {
        self.ny() * self.nx
    }

    /// Whether the grid has no cell.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Width of a column, degrees.
    pub fn dlon(&self) -> f64 {
        360.0 / self.nx as f64
    }

    /// Longitude of the middle of column `i`, degrees east, in 0..360.
    pub fn lon(&self, i: usize) -> f64 {
        (self.lon0 + self.dlon() * i as f64).rem_euclid(360.0)
    }

    /// Weight of each row: the share of the sphere between its edges, divided by the mean (so that the mean over rows is
    /// 1): `sin` differences, which also serve rows at the poles.
    pub fn row_weights(&self) -> Vec<f64> {
        let share = |e: &[f64]| 0.5 * (e[1].to_radians().sin() - e[0].to_radians().sin());
        let ny = self.ny() as f64;
        self.lat_bounds.windows(2).map(|e| share(e) * ny).collect()
    }

    /// Row that holds a latitude (degrees north).
    pub fn row(&self, lat: f64) -> usize {
        let above = self.lat_bounds.partition_point(|&e| e <= lat);
        above.saturating_sub(1).min(self.ny() - 1)
    }

    /// Column that holds a longitude (degrees east, any turn).
    pub fn column(&self, lon: f64) -> usize {
        let west = self.lon0 - 0.5 * self.dlon();
        let at = (lon - west).rem_euclid(360.0) / self.dlon();
        (at as usize).min(self.nx - 1)
    }

    /// Area-weighted mean of one frame.
    pub fn mean(&self, values: &[f32]) -> f64 {
        let rows = self.row_weights();
        let sum: f64 = values
            .chunks_exact(self.nx)
            .zip(&rows)
            .map(|(row, w)| w * row.iter().map(|&v| f64::from(v)).sum::<f64>())
            .sum();
        sum / self.len() as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_and_places() {
        let g = Globe::cell_centred(18, 36).unwrap();
        let w = g.row_weights();
        assert!((w.iter().sum::<f64>() - 18.0).abs() < 1e-12);
        assert!((g.mean(&vec![2.5; g.len()]) - 2.5).abs() < 1e-12);
        assert_eq!((g.row(-90.0), g.row(90.0), g.row(0.5)), (0, 17, 9));
        assert_eq!((g.column(5.0), g.column(-1.0), g.column(361.0)), (0, 35, 0));
        // Rows at the poles: half a row high, their own weight.
        let p = Globe::new(vec![-90.0, 0.0, 90.0], 0.0, 4).unwrap();
        assert!((p.row_weights().iter().sum::<f64>() - 3.0).abs() < 1e-12);
        assert_eq!((p.column(-44.0), p.column(46.0)), (0, 1));
    }

    #[test]
    fn the_same_cells() {
        let g = Globe::cell_centred(18, 36).unwrap();
        let mut other = g.clone();
        other.lon0 += 360.0 - 1e-6;
        other.lat_bounds[3] += 1e-6;
        assert!(g.same(&other) && g != other);
        other.lon0 += 5.0;
        assert!(!g.same(&other) && !g.same(&Globe::cell_centred(18, 72).unwrap()));
    }

    #[test]
    fn unfit_grids_are_refused() {
        assert!(Globe::new(vec![10.0, 0.0], 0.0, 4).is_err());
        assert!(Globe::new(vec![0.0, f64::NAN], 0.0, 4).is_err());
        assert!(Globe::new(vec![-45.0, 45.0], f64::NAN, 4).is_err());
        assert!(Globe::new(vec![0.0], 0.0, 4).is_err());
        assert!(Globe::new(vec![-95.0, 45.0], 0.0, 4).is_err());
    }
}
