//! Maps of the globe: north up, a central longitude that can be turned, zoom.
//!
//! A place on the map is `(x, y)` with `x` from -1 to 1 between the map's left and right end on the equator and `y` from -1
//! (south pole) to 1 (north pole). The shader does the same arithmetic in f32 (`shaders/field.wgsl`).

use serde::{Deserialize, Serialize};

/// How the globe becomes flat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Projection {
    /// Longitude and latitude as they are, 2 to 1.
    #[default]
    Equirectangular,
    /// Equal Earth (Šavrič, Patterson and Jenny 2019, doi:10.1080/13658816.2018.1504949): areas are true.
    EqualEarth,
}

/// Coefficients of Equal Earth.
const A: [f64; 4] = [1.340_264, -0.081_106, 0.000_893, 0.003_796];
/// `sqrt(3) / 2`.
const M: f64 = 0.866_025_403_784_438_6;
/// Newton steps of the inverse, more than f64 needs; the shader does as many.
const STEPS: usize = 6;

impl Projection {
    /// All, in the order in which they are offered.
    pub const ALL: [Self; 2] = [Self::Equirectangular, Self::EqualEarth];

    /// Name in the window and in files.
    pub fn label(self) -> &'static str {
        match self {
            Self::Equirectangular => "equirectangular",
            Self::EqualEarth => "Equal Earth",
        }
    }

    /// Width of the map divided by its height.
    pub fn aspect(self) -> f64 {
        match self {
            Self::Equirectangular => 2.0,
            Self::EqualEarth => x_end() / y_end(),
        }
    }

    /// Place on the map of a longitude relative to the central one (-180..=180 degrees) and a latitude (degrees north).
    pub fn forward(self, lon: f64, lat: f64) -> (f64, f64) {
        match self {
            Self::Equirectangular => (lon / 180.0, lat / 90.0),
            Self::EqualEarth => {
                let theta = (M * lat.to_radians().sin()).asin();
                let x = lon.to_radians() * theta.cos() / (M * slope(theta));
                (x / x_end(), height(theta) / y_end())
            }
        }
    }

    /// Longitude relative to the central one and latitude of a place on the map; `None` beside the globe.
    pub fn inverse(self, x: f64, y: f64) -> Option<(f64, f64)> {
        if !(x.is_finite() && y.is_finite() && y.abs() <= 1.0) {
            return None;
        }
        let (lon, lat) = match self {
            Self::Equirectangular => (180.0 * x, 90.0 * y),
            Self::EqualEarth => {
                let goal = y * y_end();
                let mut theta = goal / A[0];
                for _ in 0..STEPS {
                    theta -= (height(theta) - goal) / slope(theta);
                }
                let lat = (theta.sin() / M).clamp(-1.0, 1.0).asin().to_degrees();
                let lon = x * x_end() * M * slope(theta) / theta.cos();
                (lon.to_degrees(), lat)
            }
        };
        (lon.abs() <= 180.0).then_some((lon, lat))
    }
}

/// `y` of Equal Earth.
fn height(theta: f64) -> f64 {
    let t2 = theta * theta;
    let t6 = t2 * t2 * t2;
    theta * (A[0] + A[1] * t2 + t6 * (A[2] + A[3] * t2))
}

/// Derivative of [`height`].
fn slope(theta: f64) -> f64 {
    let t2 = theta * theta;
    let t6 = t2 * t2 * t2;
    A[0] + 3.0 * A[1] * t2 + t6 * (7.0 * A[2] + 9.0 * A[3] * t2)
}

/// `x` of Equal Earth at the end of the equator.
fn x_end() -> f64 {
    std::f64::consts::PI / (M * A[0])
}

/// `y` of Equal Earth at the pole.
fn y_end() -> f64 {
    height(M.asin())
}

/// The window through which the globe is seen; the same for all lanes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct GlobeView {
    /// Projection.
    pub projection: Projection,
    /// Longitude in the middle of the map, degrees east, -180..180.
    pub lon: f64,
    /// `y` of the middle of what is seen, -1..1.
    pub y: f64,
    /// Magnification, 1..=[`GlobeView::MAX_ZOOM`].
    pub zoom: f64,
}

impl Default for GlobeView {
    fn default() -> Self {
        Self {
            projection: Projection::default(),
            lon: 0.0,
            y: 0.0,
            zoom: 1.0,
        }
    }
}

/// An angle in -180..180 degrees.
pub fn half_turn(degrees: f64) -> f64 {
    (degrees + 180.0).rem_euclid(360.0) - 180.0
}

impl GlobeView {
    /// Largest magnification.
    pub const MAX_ZOOM: f64 = 12.0;

    /// Whether this is the whole globe, not turned.
    pub fn is_whole(&self) -> bool {
        self.lon == 0.0 && self.zoom == 1.0
    }

    /// The whole globe, not turned, in the same projection.
    pub fn whole(&self) -> Self {
        Self {
            projection: self.projection,
            ..Self::default()
        }
    }

    /// Checks numbers that come from a file.
    pub fn is_valid(&self) -> bool {
        (-180.0..=180.0).contains(&self.lon)
            && (-1.0..=1.0).contains(&self.y)
            && (1.0..=Self::MAX_ZOOM).contains(&self.zoom)
    }

    /// Lower left corner of what is seen on the map, and its extent.
    pub fn window(&self) -> ([f64; 2], [f64; 2]) {
        let half = 1.0 / self.zoom;
        ([-half, self.y - half], [2.0 * half, 2.0 * half])
    }

    /// Longitude (degrees east, -180..180) and latitude under a point of the picture, `u` to the right and `v` upwards in
    /// 0..1; `None` beside the globe.
    pub fn lon_lat(&self, u: f64, v: f64) -> Option<(f64, f64)> {
        let (origin, span) = self.window();
        let (lon, lat) = self
            .projection
            .inverse(origin[0] + u * span[0], origin[1] + v * span[1])?;
        Some((half_turn(self.lon + lon), lat))
    }

    /// Point of the picture (as in [`Self::lon_lat`], also beyond 0..1) of a longitude relative to the central one.
    pub fn place_relative(&self, lon: f64, lat: f64) -> [f64; 2] {
        let (origin, span) = self.window();
        let (x, y) = self.projection.forward(lon, lat);
        [(x - origin[0]) / span[0], (y - origin[1]) / span[1]]
    }

    /// Point of the picture of a place on the globe.
    pub fn place(&self, lon: f64, lat: f64) -> [f64; 2] {
        self.place_relative(half_turn(lon - self.lon), lat)
    }

    /// Magnifies by `factor` so that the place under `(u, v)` stays where it is.
    pub fn zoom_at(&mut self, factor: f64, u: f64, v: f64) {
        let before = self.lon_lat(u, v);
        let zoom = (self.zoom * factor).clamp(1.0, Self::MAX_ZOOM);
        self.y += (2.0 * v - 1.0) * (1.0 / self.zoom - 1.0 / zoom);
        self.zoom = zoom;
        self.keep_inside();
        let after = self.lon_lat(u, v);
        if let (Some((a, _)), Some((b, _))) = (before, after) {
            self.lon = half_turn(self.lon + half_turn(a - b));
        }
    }

    /// Turns the globe and moves the picture by a fraction of it (to the right, upwards).
    pub fn pan(&mut self, du: f64, dv: f64) {
        self.lon = half_turn(self.lon - 360.0 * du / self.zoom);
        self.y -= 2.0 * dv / self.zoom;
        self.keep_inside();
    }

    fn keep_inside(&mut self) {
        let most = 1.0 - 1.0 / self.zoom;
        self.y = self.y.clamp(-most, most);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        for projection in Projection::ALL {
            for lat in (-90..=90).step_by(5) {
                for lon in (-180..=180).step_by(15) {
                    let (lon, lat) = (f64::from(lon) * 0.9999, f64::from(lat) * 0.9999);
                    let (x, y) = projection.forward(lon, lat);
                    assert!(x.abs() <= 1.0 && y.abs() <= 1.0, "{projection:?} {x} {y}");
                    let (back_lon, back_lat) = projection.inverse(x, y).unwrap();
                    assert!((back_lon - lon).abs() < 1e-6, "{projection:?} {lon} {lat}");
                    assert!((back_lat - lat).abs() < 1e-6, "{projection:?} {lon} {lat}");
                }
            }
        }
    }

    #[test]
    fn equal_earth_keeps_areas() {
        // The same share of the sphere takes the same share of the map, wherever it lies.
        let area = |lat: f64| {
            let d = 0.01;
            let p = |lon, lat| Projection::EqualEarth.forward(lon, lat);
            let ((x0, y0), (x1, _), (_, y1)) = (p(0.0, lat), p(d, lat), p(0.0, lat + d));
            (x1 - x0) * (y1 - y0) / (lat + d / 2.0).to_radians().cos()
        };
        for lat in [-80.0, -45.0, 20.0, 70.0, 85.0] {
            assert!((area(lat) / area(0.0) - 1.0).abs() < 1e-3, "{lat}");
        }
        assert!((Projection::EqualEarth.aspect() - 2.0546).abs() < 1e-3);
        assert!(Projection::EqualEarth.inverse(0.99, 0.9).is_none());
    }

    #[test]
    fn zoom_keeps_the_place_under_the_pointer() {
        for projection in Projection::ALL {
            let mut view = GlobeView {
                projection,
                lon: -150.0,
                ..GlobeView::default()
            };
            let (u, v) = (0.7, 0.62);
            let (lon, lat) = view.lon_lat(u, v).unwrap();
            view.zoom_at(3.0, u, v);
            let (lon2, lat2) = view.lon_lat(u, v).unwrap();
            assert!((lon - lon2).abs() < 1e-6 && (lat - lat2).abs() < 1e-6);
            let [pu, pv] = view.place(lon, lat);
            assert!((pu - u).abs() < 1e-9 && (pv - v).abs() < 1e-9);
            view.pan(0.0, -9.0);
            assert!(view.is_valid());
            view.zoom_at(1e-9, 0.5, 0.5);
            assert_eq!((view.zoom, view.y), (1.0, 0.0));
        }
    }
}
