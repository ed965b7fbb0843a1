//! Curves of a study as one figure.

use std::collections::BTreeMap;

use super::results::{Plot, Results};
use crate::export::canvas::Rgb;
use crate::report::style::{INK, Marker, WEAK};
use crate::report::svg::svg as vector;
use crate::report::{Axis, Chart, Figure, Grid, Layer, Stroke, Style};

/// Colours and marks of curves in the order of their names' first appearance; truth is black.
const LOOKS: [(Rgb, &[f32], Marker); 6] = [
    ([0xb8, 0x62, 0x00], &[], Marker::Disc),
    ([0x4f, 0x70, 0x92], &[5.0, 3.0], Marker::Square),
    ([0x00, 0x7a, 0x62], &[8.0, 2.5], Marker::Up),
    ([0x7a, 0x42, 0xb4], &[8.0, 2.5, 2.0, 2.5], Marker::Diamond),
    ([0x76, 0x6a, 0x00], &[2.0, 2.0], Marker::Down),
    ([0x8a, 0x6f, 0x5a], &[1.5, 2.5], Marker::Disc),
];

/// The figure of a study as SVG; `None` without curves.
pub fn svg(name: &str, results: &Results) -> Option<String> {
    if results.plots.is_empty() {
        return None;
    }
    let mut styles: BTreeMap<&str, Style> = BTreeMap::new();
    let mut legend = Vec::new();
    for curve in results.plots.iter().flat_map(|p| &p.curves) {
        if styles.contains_key(curve.name.as_str()) {
            continue;
        }
        let made = legend
            .iter()
            .filter(|(_, s): &&(String, Style)| s.color != INK)
            .count();
        let (color, dash, marker) = match curve.truth {
            true => (INK, &[][..], Marker::None),
            false => LOOKS[made % LOOKS.len()],
        };
        let style = Style {
            color,
            dash,
            marker,
            width: 1.6,
        };
        styles.insert(&curve.name, style);
        legend.push((curve.name.clone(), style));
    }
    let figure = Figure {
        charts: results.plots.iter().map(|p| chart(p, &styles)).collect(),
        grid: Grid {
            columns: results.plots.len().min(2),
            aspect: if results.plots.len() == 1 { 0.45 } else { 0.7 },
            gap: 18.0,
        },
        legend,
        color_bar: None,
    };
    Some(vector(&figure.scene(), name, &results.title))
}

fn chart(plot: &Plot, styles: &BTreeMap<&str, Style>) -> Chart {
    let points = || plot.curves.iter().flat_map(|c| &c.points);
    let axis = |label: &str, log: bool, values: Vec<f64>| match log {
        true => Axis::log_around(label, values),
        false => Axis::around(label, values),
    };
    let x = axis(&plot.x, plot.log[0], points().map(|p| p[0]).collect());
    let y = match plot.range {
        Some([low, high]) if plot.log[1] => Axis::log(&plot.y, low, high),
        Some([low, high]) => Axis::linear(&plot.y, low, high),
        None => axis(&plot.y, plot.log[1], points().map(|p| p[1]).collect()),
    };
    let mut chart = Chart::new(&plot.title, x, y);
    if let Some(at) = plot.upright {
        chart = chart.with(Layer::Upright(at, Stroke::solid(WEAK, 0.8)));
    }
    for curve in &plot.curves {
        let Some(style) = styles.get(curve.name.as_str()) else {
            continue;
        };
        let points = curve
            .points
            .iter()
            .copied()
            .filter(|p| p.iter().all(|v| v.is_finite()));
        chart = chart.with(Layer::Line {
            points: points.collect(),
            style: *style,
            marks: !curve.truth,
        });
    }
    chart
}
