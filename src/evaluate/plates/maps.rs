//! Fields as charts: colours, colour bars, coastlines.

use crate::render::lines::coastlines;
use crate::render::{ColorMap, Look, RainLook, Tone, ValueRange, View, cpu, ticks};
use crate::report::chart::Layer;
use crate::report::{Axis, Chart, ColorBar, Stroke};

use crate::evaluate::measure::Measured;
use crate::evaluate::sample::World;

/// Pixels of a field across.
const ACROSS: usize = 256;

/// How a field of the world is coloured.
pub(super) fn look(world: &World) -> Look {
    match &world.globe {
        None => Look::plain(ColorMap::Vik, ValueRange::for_std(world.std), true),
        Some(_) => {
            let range = ValueRange { lo: 0.1, hi: 50.0 };
            Look {
                rain: Some(RainLook {
                    tone: Tone::log(range),
                    dry_below: 0.1,
                    dry: [0xf4, 0xf4, 0xf0],
                    flip: true,
                }),
                ..Look::plain(ColorMap::Navia, range, false)
            }
        }
    }
}

/// A look of differences, or of anomalies.
pub(super) fn diverging(limit: f64, smooth: bool) -> Look {
    let limit = if limit.is_finite() && limit > 0.0 {
        limit
    } else {
        1.0
    };
    // A round limit gives round ticks.
    let decade = 10f64.powf(limit.log10().floor());
    let round = [1.0, 2.0, 4.0, 6.0, 8.0, 10.0]
        .iter()
        .map(|m| m * decade)
        .find(|l| *l >= limit);
    Look::plain(
        ColorMap::Vik,
        ValueRange::symmetric(round.unwrap_or(limit) as f32),
        smooth,
    )
}

/// The colour bar of a look.
pub(super) fn color_bar(look: &Look, label: String) -> ColorBar {
    let rgba = (0..256)
        .map(|i| look.color_at(i as f32 / 255.0))
        .flat_map(|[r, g, b]| [r, g, b, 255])
        .collect();
    ColorBar {
        label,
        rgba,
        ticks: ticks::of(look),
    }
}

/// A field as a chart without axes.
pub(super) fn map(world: &World, values: &[f32], look: &Look, title: String, label: &str) -> Chart {
    let [ny, nx] = world.shape;
    let size = (ACROSS, ACROSS * ny / nx.max(1));
    let pixels = cpu::rasterise(values, (nx, ny), &View::default(), look, size);
    let chart = Chart::new(title, Axis::bare(""), Axis::bare(label))
        .with(Layer::Pixels(size.0, size.1, pixels));
    match &world.globe {
        None => chart,
        Some(grid) => {
            let west = grid.globe().lon0 - 0.5 * grid.globe().dlon();
            let stroke = Stroke {
                alpha: 0.75,
                ..Stroke::solid([0x30, 0x30, 0x30], 0.6)
            };
            chart.with(Layer::Paths(coasts(west), stroke))
        }
    }
}

/// Coastlines on a map whose left edge is a meridian, cut where they leave it.
fn coasts(west: f64) -> Vec<Vec<[f32; 2]>> {
    let mut paths = Vec::new();
    for line in coastlines() {
        let mut path: Vec<[f32; 2]> = Vec::new();
        for [lon, lat] in line {
            let u = ((f64::from(*lon) - west).rem_euclid(360.0) / 360.0) as f32;
            if path.last().is_some_and(|p| (p[0] - u).abs() > 0.5) {
                paths.push(std::mem::take(&mut path));
            }
            path.push([u, (lat + 90.0) / 180.0]);
        }
        paths.push(path);
    }
    paths
}

pub(super) fn aspect(world: &World) -> f32 {
    world.shape[0] as f32 / world.shape[1].max(1) as f32
}

/// A short name for the side of a row of maps.
pub(super) fn short(m: &Measured) -> String {
    let name = m.method.label();
    name.replace("Forecaster + noise", "Forecaster")
        .replace("Video model", "Video")
}
