//! Latitudes and longitudes of a file to a [`Globe`].

use crate::field::Globe;

/// The kind of rows, as the latitudes tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rows {
    /// Roots of a Legendre polynomial, to 2 % of a row.
    Gaussian,
    /// Equal rows, the outer ones half a row from the poles.
    CellCentred,
    /// Equal rows, the outer ones at the poles.
    WithPoles,
    /// Others.
    Uneven,
}

impl std::fmt::Display for Rows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Gaussian => "Gaussian",
            Self::CellCentred => "equal rows, cell-centred",
            Self::WithPoles => "equal rows, poles included",
            Self::Uneven => "unequal rows",
        })
    }
}

/// A file's grid: the globe, and how the file's rows and columns lie on it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Placed {
    pub globe: Globe,
    pub rows: Rows,
    /// Rows run north to south in the file.
    pub flip_rows: bool,
    /// Columns run westwards in the file.
    pub flip_columns: bool,
    /// Columns in the file; one more than the globe's where the first is repeated at the end.
    pub file_columns: usize,
    /// Whether the edges of the rows are the file's own.
    pub own_bounds: bool,
}

/// Tolerance of latitudes and longitudes in units of the spacing (files hold them in single precision).
const UNEVEN: f64 = 2e-3;

/// Places latitudes and longitudes; the error says why they do not cover the globe.
pub(super) fn place(
    lat: &[f64],
    lat_bounds: Option<&[f64]>,
    lon: &[f64],
) -> Result<Placed, String> {
    if lat.len() < 2 || lon.len() < 2 {
        return Err(format!(
            "its grid has {} rows and {} columns; at least 2 of each are needed",
            lat.len(),
            lon.len()
        ));
    }
    if let Some(bad) = lat.iter().chain(lon).find(|v| !v.is_finite()) {
        return Err(format!("one of its latitudes or longitudes is {bad}"));
    }
    let (lat, flip_rows) = ascending(lat).ok_or("its latitudes neither ascend nor descend")?;
    if lat[0] < -90.001 || lat[lat.len() - 1] > 90.001 {
        return Err(format!(
            "its latitudes reach from {} to {}",
            lat[0],
            lat[lat.len() - 1]
        ));
    }
    let lat: Vec<f64> = lat.iter().map(|v| v.clamp(-90.0, 90.0)).collect();
    let bounds = lat_bounds.and_then(|b| row_edges(&lat, b, flip_rows));
    if bounds.is_none() {
        covers_poles(&lat)?;
    }
    let rows = kind(&lat);
    let own_bounds = bounds.is_some();

    let (lon0, nx, flip_columns) = columns(lon)?;
    let mut globe = Globe::new(lat, lon0, nx).map_err(|e| e.cause)?;
    if let Some(edges) = bounds {
        globe.lat_bounds = edges;
        globe.validate().map_err(|e| e.cause)?;
    }
    Ok(Placed {
        globe,
        rows,
        flip_rows,
        flip_columns,
        file_columns: lon.len(),
        own_bounds,
    })
}

/// The values ascending, and whether they were turned around.
fn ascending(values: &[f64]) -> Option<(Vec<f64>, bool)> {
    if values.windows(2).all(|w| w[0] < w[1]) {
        return Some((values.to_vec(), false));
    }
    values
        .windows(2)
        .all(|w| w[0] > w[1])
        .then(|| (values.iter().rev().copied().collect(), true))
}

/// Longitude of the first column eastwards, number of columns, and whether the file runs westwards.
fn columns(lon: &[f64]) -> Result<(f64, usize, bool), String> {
    let n = lon.len();
    // Differences the short way round, so that any cut of the circle will do.
    let turn = |d: f64| (d + 180.0).rem_euclid(360.0) - 180.0;
    let step = turn(lon[1] - lon[0]);
    if step == 0.0 {
        return Err("its first two longitudes are equal".into());
    }
    let even = lon
        .windows(2)
        .all(|w| (turn(w[1] - w[0]) - step).abs() <= UNEVEN * step.abs().max(0.05));
    if !even {
        return Err("its longitudes are not equally spaced".into());
    }
    let around = step.abs() * n as f64;
    let width = step.abs();
    // A column that repeats the first one at the end of the row is left out.
    let nx = if (around - 360.0).abs() <= 0.1 * width {
        n
    } else if n > 2 && (around - width - 360.0).abs() <= 0.1 * width {
        n - 1
    } else {
        return Err(format!(
            "its {n} longitudes from {} to {} do not go around the globe",
            lon[0],
            lon[n - 1]
        ));
    };
    let lon0 = if step > 0.0 { lon[0] } else { lon[nx - 1] };
    Ok((lon0.rem_euclid(360.0), nx, step < 0.0))
}

/// The outer rows must be as near to the poles as rows of a global grid are.
fn covers_poles(lat: &[f64]) -> Result<(), String> {
    let n = lat.len();
    let south = (lat[0] + 90.0) / (lat[1] - lat[0]);
    let north = (90.0 - lat[n - 1]) / (lat[n - 1] - lat[n - 2]);
    if south <= 0.9 && north <= 0.9 {
        return Ok(());
    }
    Err(format!(
        "its rows reach from {} to {} degrees north only; the whole globe is needed",
        lat[0],
        lat[n - 1]
    ))
}

/// Edges of ascending rows from CF bounds `(row, 2)`; `None` where they do not tile the globe.
fn row_edges(lat: &[f64], bounds: &[f64], flipped: bool) -> Option<Vec<f64>> {
    if bounds.len() != 2 * lat.len() {
        return None;
    }
    let mut pairs: Vec<(f64, f64)> = bounds
        .chunks_exact(2)
        .map(|b| (b[0].min(b[1]), b[0].max(b[1])))
        .collect();
    if flipped {
        pairs.reverse();
    }
    let close = |a: f64, b: f64| (a - b).abs() < 1e-3;
    let tiles = pairs.windows(2).all(|w| close(w[0].1, w[1].0))
        && close(pairs.first()?.0, -90.0)
        && close(pairs.last()?.1, 90.0);
    if !tiles {
        return None;
    }
    let mut edges = vec![-90.0];
    edges.extend(pairs.iter().map(|p| p.1));
    *edges.last_mut()? = 90.0;
    let inside = lat
        .iter()
        .zip(edges.windows(2))
        .all(|(l, e)| e[0] < e[1] && (e[0]..=e[1]).contains(l));
    inside.then_some(edges)
}

fn kind(lat: &[f64]) -> Rows {
    let n = lat.len();
    let near = |offset: f64, step: f64| {
        lat.iter().enumerate().all(|(j, l)| {
            (l - (-90.0 + offset + step * j as f64)).abs() <= UNEVEN.max(UNEVEN * step)
        })
    };
    let cell = 180.0 / n as f64;
    if near(0.5 * cell, cell) {
        return Rows::CellCentred;
    }
    if near(0.0, 180.0 / (n as f64 - 1.0)) {
        return Rows::WithPoles;
    }
    let close = lat
        .iter()
        .zip(gaussian_latitudes(n))
        .all(|(l, g)| (l - g).abs() <= 0.02 * cell);
    if close { Rows::Gaussian } else { Rows::Uneven }
}

/// Latitudes of the Gaussian grid of `n` rows, south to north: roots of the Legendre polynomial by Newton's method.
fn gaussian_latitudes(n: usize) -> Vec<f64> {
    (0..n)
        .map(|j| {
            let guess = std::f64::consts::PI * (j as f64 + 0.75) / (n as f64 + 0.5);
            let mut x = -guess.cos();
            for _ in 0..20 {
                let (mut p0, mut p1) = (1.0, x);
                for k in 2..=n {
                    let k = k as f64;
                    let p2 = ((2.0 * k - 1.0) * x * p1 - (k - 1.0) * p0) / k;
                    (p0, p1) = (p1, p2);
                }
                let slope = n as f64 * (x * p1 - p0) / (x * x - 1.0);
                let dx = p1 / slope;
                x -= dx;
                if dx.abs() < 1e-14 {
                    break;
                }
            }
            x.asin().to_degrees()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn even(first: f64, step: f64, n: usize) -> Vec<f64> {
        (0..n).map(|i| first + step * i as f64).collect()
    }

    #[test]
    fn grids_are_recognised() {
        let lon = even(0.0, 30.0, 12);
        let p = place(&even(90.0, -10.0, 19), None, &lon).unwrap();
        assert_eq!(
            (p.rows, p.flip_rows, p.flip_columns),
            (Rows::WithPoles, true, false)
        );
        assert_eq!((p.globe.ny(), p.globe.nx, p.globe.lon0), (19, 12, 0.0));
        let p = place(&even(-85.0, 10.0, 18), None, &even(-180.0, 30.0, 12)).unwrap();
        assert_eq!(
            (p.rows, p.flip_rows, p.globe.lon0),
            (Rows::CellCentred, false, 180.0)
        );
        // A cut inside of the row, columns westwards, and a repeated column.
        let mut cut = even(180.0, 30.0, 12);
        cut.iter_mut().for_each(|l| *l = l.rem_euclid(360.0));
        assert_eq!(
            place(&even(-85.0, 10.0, 18), None, &cut)
                .unwrap()
                .globe
                .lon0,
            180.0
        );
        let p = place(&even(-85.0, 10.0, 18), None, &even(330.0, -30.0, 12)).unwrap();
        assert_eq!((p.globe.lon0, p.flip_columns), (0.0, true));
        let p = place(&even(-85.0, 10.0, 18), None, &even(0.0, 30.0, 13)).unwrap();
        assert_eq!((p.globe.nx, p.file_columns), (12, 13));
        let g = gaussian_latitudes(48);
        assert!(
            (g[0] + 87.1591).abs() < 1e-4 && (g[24] - 1.8556).abs() < 1e-4,
            "{} {}",
            g[0],
            g[24]
        );
        assert_eq!(place(&g, None, &lon).unwrap().rows, Rows::Gaussian);
        assert_eq!(
            place(&gaussian_latitudes(4), None, &lon).unwrap().rows,
            Rows::Gaussian
        );
    }

    #[test]
    fn bounds_are_used_where_they_tile() {
        let lat = [-60.0, 0.0, 60.0];
        let good = [-90.0, -40.0, -40.0, 40.0, 40.0, 90.0];
        let p = place(&lat, Some(&good), &even(0.0, 90.0, 4)).unwrap();
        assert!(p.own_bounds);
        assert_eq!(p.globe.lat_bounds, [-90.0, -40.0, 40.0, 90.0]);
        let p = place(&lat, Some(&[0.0; 6]), &even(0.0, 90.0, 4)).unwrap();
        assert!(!p.own_bounds);
    }

    #[test]
    fn what_does_not_cover_the_globe() {
        let lat = even(-85.0, 10.0, 18);
        let lon = even(0.0, 30.0, 12);
        for (lat, lon, why) in [
            (even(-49.5, 1.0, 100), lon.clone(), "reach from -49.5"),
            (lat.clone(), even(0.0, 30.0, 6), "do not go around"),
            (lat.clone(), vec![0.0, 30.0, 61.0, 90.0], "equally spaced"),
            (vec![0.0, 10.0, 5.0], lon.clone(), "neither ascend"),
            (vec![f64::NAN, 10.0], lon.clone(), "is NaN"),
            (vec![0.0], lon.clone(), "at least 2"),
            (even(-95.0, 10.0, 20), lon.clone(), "reach from -95"),
            (lat.clone(), vec![1.0, 1.0], "equal"),
        ] {
            let error = place(&lat, None, &lon).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }
}
