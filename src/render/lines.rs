//! Lines on the globe: coastlines, graticule, the edge of the map; and where they lie in a picture.
//!
//! Coastlines: Natural Earth, 1:110m (`assets/coastlines.md`).

use std::sync::OnceLock;

use super::GlobeView;
use super::projection::half_turn;

static COAST: &[u8] = include_bytes!("../../assets/coastlines-110m.bin");

/// Longitude (degrees east) and latitude (degrees north) of the points of a line.
pub type LonLat = [f32; 2];

/// Coastlines.
pub fn coastlines() -> &'static [Vec<LonLat>] {
    static LINES: OnceLock<Vec<Vec<LonLat>>> = OnceLock::new();
    LINES.get_or_init(|| decode(COAST))
}

/// What is left unread of a damaged asset is left out; a test reads the whole one.
fn decode(bytes: &[u8]) -> Vec<Vec<LonLat>> {
    let mut words = bytes
        .chunks_exact(2)
        .map(|b| u16::from_le_bytes([b[0], b[1]]));
    let mut next = || words.next();
    let count = next().unwrap_or(0);
    let mut lines = Vec::with_capacity(usize::from(count));
    for _ in 0..count {
        let points = next().unwrap_or(0);
        let line = (0..points).filter_map(|_| {
            let (lon, lat) = (next()? as i16, next()? as i16);
            Some([
                f32::from(lon) * (360.0 / 65536.0),
                f32::from(lat) * (180.0 / 65536.0),
            ])
        });
        lines.push(line.collect());
    }
    lines
}

/// Distance of the graticule's lines, degrees.
pub const GRATICULE: i32 = 30;

/// Meridians and parallels every 30 degrees; poles are left to [`edge`].
pub fn graticule() -> Vec<Vec<LonLat>> {
    let fine = |from: i32, to: i32| (from..=to).step_by(3).map(|v| v as f32);
    let step = GRATICULE as usize;
    let meridians = (-180..180)
        .step_by(step)
        .map(|lon| fine(-90, 90).map(|lat| [lon as f32, lat]).collect());
    let parallels = (GRATICULE - 90..90)
        .step_by(step)
        .map(|lat| fine(-180, 180).map(|lon| [lon, lat as f32]).collect());
    meridians.chain(parallels).collect()
}

/// A line and the halo that tells it from a ground of its own colour.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pen {
    /// Grey value of the line, sRGB.
    pub line: u8,
    /// Its opacity, 0..=255.
    pub alpha: u8,
    /// Its width, points.
    pub width: f32,
    /// Grey value, opacity and width of the halo.
    pub halo: (u8, u8, f32),
}

/// Pens of coastlines and of the graticule.
pub fn pens(dark: bool) -> (Pen, Pen) {
    let coast = Pen {
        line: if dark { 236 } else { 20 },
        alpha: 200,
        width: 1.0,
        halo: if dark { (0, 110, 2.6) } else { (255, 130, 2.6) },
    };
    let graticule = Pen {
        line: if dark { 200 } else { 60 },
        alpha: if dark { 46 } else { 60 },
        width: 0.7,
        halo: (0, 0, 0.0),
    };
    (coast, graticule)
}

/// A line in the picture: `u` to the right, `v` upwards, 0..1 within it.
pub type Path = Vec<[f32; 2]>;

/// The edge of the whole map.
pub fn edge(view: &GlobeView) -> Path {
    let at = |lon: f64, lat: i32| view.place_relative(lon, f64::from(lat)).map(|v| v as f32);
    let up = (-90..=90).step_by(2).map(|lat| at(180.0, lat));
    let down = (-90..=90).rev().step_by(2).map(|lat| at(-180.0, lat));
    let mut path: Path = up.chain(down).collect();
    path.extend(path.first().copied());
    path
}

/// Where lines lie in a picture of `width` x `height` pixels: cut at the edge of the map and outside of what is seen,
/// without points that are closer together than `apart` pixels.
pub fn in_picture(
    lines: &[Vec<LonLat>],
    view: &GlobeView,
    (width, height): (f32, f32),
    apart: f32,
) -> Vec<Path> {
    let mut paths = Vec::new();
    for line in lines {
        let mut path = Thinned::new((width, height), apart);
        let mut before: Option<(f64, f64)> = None;
        for [lon, lat] in line {
            let here = (half_turn(f64::from(*lon) - view.lon), f64::from(*lat));
            if let Some(last) = before
                && (here.0 - last.0).abs() > 180.0
            {
                // Over the edge of the map: to the edge, and on from the other side.
                let side = 180.0 * last.0.signum();
                let way = (here.0 + 2.0 * side) - last.0;
                let t = ((side - last.0) / way).clamp(0.0, 1.0);
                let lat = last.1 + t * (here.1 - last.1);
                path.push(view.place_relative(side, lat));
                path.end(&mut paths);
                path.push(view.place_relative(-side, lat));
            }
            path.push(view.place_relative(here.0, here.1));
            before = Some(here);
        }
        path.end(&mut paths);
    }
    paths
}

/// A path under way.
struct Thinned {
    size: (f32, f32),
    apart: f32,
    points: Path,
    /// The last point, whether kept or not: a line ends where it ends.
    last: Option<[f32; 2]>,
}

impl Thinned {
    fn new(size: (f32, f32), apart: f32) -> Self {
        Self {
            size,
            apart,
            points: Vec::new(),
            last: None,
        }
    }

    fn push(&mut self, at: [f64; 2]) {
        let at = at.map(|v| v as f32);
        self.last = Some(at);
        let far = self.points.last().is_none_or(|p| {
            let (dx, dy) = ((at[0] - p[0]) * self.size.0, (at[1] - p[1]) * self.size.1);
            dx * dx + dy * dy >= self.apart * self.apart
        });
        if far {
            self.points.push(at);
        }
    }

    /// Closes the path; what is nowhere near the picture is left out.
    fn end(&mut self, paths: &mut Vec<Path>) {
        if let (Some(last), Some(kept)) = (self.last, self.points.last())
            && last != *kept
        {
            self.points.push(last);
        }
        let near = |p: &[f32; 2]| p.iter().all(|v| (-0.1..=1.1).contains(v));
        let points = std::mem::take(&mut self.points);
        self.last = None;
        let mut part = Path::new();
        for pair in points.windows(2) {
            if near(&pair[0]) || near(&pair[1]) {
                if part.is_empty() {
                    part.push(pair[0]);
                }
                part.push(pair[1]);
            } else if !part.is_empty() {
                paths.push(std::mem::take(&mut part));
            }
        }
        if !part.is_empty() {
            paths.push(part);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::Projection;

    /// Whether a place is on land: odd number of coasts to its north (even-odd rule along its meridian). Antarctica's line
    /// goes once around the pole, so the count from the north pole down tells land for it too.
    fn is_land(lon: f64, lat: f64) -> bool {
        let mut crossings = 0;
        for line in coastlines() {
            for pair in line.windows(2) {
                let x = pair[0][0] as f64 - lon;
                let dx = half_turn(pair[1][0] as f64 - pair[0][0] as f64);
                let x0 = half_turn(x);
                let x1 = x0 + dx;
                if (x0 <= 0.0) != (x1 <= 0.0) && x0.abs() < 90.0 {
                    let y = pair[0][1] as f64 + (pair[1][1] - pair[0][1]) as f64 * (-x0 / dx);
                    crossings += usize::from(y > lat);
                }
            }
        }
        crossings % 2 == 1
    }

    #[test]
    fn the_asset_is_whole_and_land_is_where_it_should_be() {
        let lines = coastlines();
        assert_eq!(lines.len(), 130);
        assert_eq!(lines.iter().map(Vec::len).sum::<usize>(), 5129);
        assert!(COAST.len() < 30_000);
        for (name, lon, lat, land) in [
            ("Rome", 12.9, 42.0, true),
            ("the Adriatic", 15.0, 43.2, false),
            ("the Tyrrhenian Sea", 11.5, 40.0, false),
            ("the Pacific", -160.0, 0.0, false),
            ("the Sahara", 10.0, 23.0, true),
            ("Alice Springs", 133.9, -23.7, true),
            ("the South Pole", 40.0, -88.0, true),
            ("Kansas", -98.0, 39.0, true),
            ("Chukotka", 179.0, 68.0, true),
            ("the Caspian Sea", 51.0, 41.0, false),
        ] {
            assert_eq!(is_land(lon, lat), land, "{name}");
        }
    }

    #[test]
    fn lines_are_cut_at_the_edge_of_the_map() {
        for projection in Projection::ALL {
            let view = GlobeView {
                projection,
                lon: 10.0,
                ..GlobeView::default()
            };
            let paths = in_picture(coastlines(), &view, (720.0, 360.0), 0.5);
            for path in &paths {
                for pair in path.windows(2) {
                    // No line runs across the whole map.
                    assert!((pair[0][0] - pair[1][0]).abs() < 0.12, "{pair:?}");
                    assert!(pair[0].iter().all(|v| (-1e-4..=1.0001).contains(v)));
                }
            }
            assert!(paths.len() > lines_crossed(&view));
        }
    }

    #[test]
    fn a_coast_lies_in_the_picture_of_its_cell() {
        use crate::field::Globe;
        let grid = Globe::cell_centred(48, 96).unwrap();
        for projection in Projection::ALL {
            let view = GlobeView {
                projection,
                lon: 25.0,
                ..GlobeView::default()
            };
            for [lon, lat] in coastlines().iter().flatten() {
                let (lon, lat) = (f64::from(*lon), f64::from(*lat));
                let [u, v] = view.place(lon, lat);
                let (back_lon, back_lat) = view.lon_lat(u, v).unwrap();
                // A point on the edge of a cell may go either way.
                let edge = |x: f64| (x / 3.75 - (x / 3.75).round()).abs() < 1e-6;
                if !edge(lon) && !edge(lat) {
                    assert_eq!(grid.column(lon), grid.column(back_lon));
                    assert_eq!(grid.row(lat), grid.row(back_lat));
                }
            }
        }
    }

    fn lines_crossed(view: &GlobeView) -> usize {
        coastlines()
            .iter()
            .filter(|l| {
                l.windows(2).any(|p| {
                    let x = |q: LonLat| half_turn(f64::from(q[0]) - view.lon);
                    (x(p[0]) - x(p[1])).abs() > 180.0
                })
            })
            .count()
    }

    #[test]
    fn a_zoomed_picture_holds_only_what_is_near() {
        let mut view = GlobeView::default();
        view.zoom_at(8.0, 0.53, 0.73);
        let all = in_picture(coastlines(), &GlobeView::default(), (800.0, 400.0), 0.0);
        let near = in_picture(coastlines(), &view, (800.0, 400.0), 0.0);
        let points = |paths: &[Path]| paths.iter().map(Vec::len).sum::<usize>();
        assert!(points(&near) * 4 < points(&all) && points(&near) > 50);
    }

    #[test]
    fn graticule_has_its_lines() {
        assert_eq!(graticule().len(), 12 + 5);
    }
}
