//! The figure of a sweep: curves over one setting, or a heat map of the score over two.

use crate::render::ColorMap;
use crate::report::chart::Layer;
use crate::report::style::{FRAME, INK, WEAK};
use crate::report::{Anchor, Axis as Scale, Chart, ColorBar, Figure, Grid, Stroke, Style};
use crate::rollout::settings::LaneKind;

use super::grid::Axis;
use super::judge::Finished;

/// The figure; `None` where no point is finished.
pub fn figure(points: &[Finished], axes: &[Axis], globe: bool) -> Option<Figure> {
    points.iter().find(|p| p.score.is_some())?;
    Some(match axes {
        [only] => curves(points, only, globe),
        [first, second, ..] => heat_map(points, first, second),
        [] => return None,
    })
}

/// Positions of the values of an axis: themselves where they are numbers, else their numbers in the list.
fn positions(axis: &Axis) -> (Vec<f64>, Scale) {
    let name = axis.knob.name();
    let numbers: Option<Vec<f64>> = axis.values.iter().map(|v| v.parse().ok()).collect();
    match numbers {
        Some(v) => {
            let scale = Scale::around(name, v.iter().copied());
            (v, scale)
        }
        None => {
            let at: Vec<f64> = (0..axis.values.len()).map(|i| i as f64).collect();
            let ticks = at.iter().copied().zip(axis.values.clone()).collect();
            let scale = Scale::around(name, at.iter().copied()).with_ticks(ticks);
            (at, scale)
        }
    }
}

type Reading = (&'static str, f64, fn(&Finished) -> Option<f64>);

fn curves(points: &[Finished], axis: &Axis, globe: bool) -> Figure {
    let third: Reading = match globe {
        true => ("wet share - truth's", 0.0, |p| p.figures.wet_difference),
        false => ("dynamics skill - truth's", 0.0, |p| {
            p.figures.skill_difference
        }),
    };
    let readings: [Reading; 4] = [
        ("ACF error, lags 1-10", 0.0, |p| p.figures.acf_error),
        ("std ratio", 1.0, |p| p.figures.std_ratio),
        third,
        ("score", 0.0, |p| p.score),
    ];
    let (at, scale) = positions(axis);
    let place = |p: &Finished| {
        let i = axis.values.iter().position(|v| *v == p.values[0].1)?;
        at.get(i).copied()
    };
    let charts = readings
        .into_iter()
        .map(|(name, target, read)| {
            let line: Vec<[f64; 2]> = points
                .iter()
                .filter(|p| p.blow_up.is_none())
                .filter_map(|p| Some([place(p)?, read(p)?]))
                .collect();
            let values = line.iter().map(|p| p[1]).chain([target]);
            let mut chart = Chart::new(name, scale.clone(), Scale::around("", values))
                .with(Layer::Level(target, Stroke::solid(FRAME, 1.0)));
            for p in points.iter().filter(|p| p.blow_up.is_some()) {
                if let Some(x) = place(p) {
                    chart = chart.with(Layer::Upright(x, Stroke::solid([0xb8, 0x32, 0x20], 1.0)));
                }
            }
            chart.with(Layer::Line {
                points: line,
                style: Style::lane(LaneKind::Guided),
                marks: true,
            })
        })
        .collect();
    let mut legend = vec![("Guided".to_owned(), Style::lane(LaneKind::Guided))];
    if points.iter().any(|p| p.blow_up.is_some()) {
        let mut red = Style::PERSISTENCE;
        (red.color, red.dash) = ([0xb8, 0x32, 0x20], &[]);
        legend.push(("blew up".to_owned(), red));
    }
    Figure {
        charts,
        grid: Grid {
            columns: 2,
            aspect: 0.5,
            gap: 18.0,
        },
        legend,
        color_bar: None,
    }
}

/// Colours of scores from 1 to 100, equal ratios: good ones are dark.
const LEAST: f64 = 1.0;
const MOST: f64 = 100.0;

fn color(score: f64) -> [u8; 3] {
    let share = (score.max(1e-9) / LEAST).ln() / (MOST / LEAST).ln();
    ColorMap::Batlow.entry((share.clamp(0.0, 1.0) * 255.0) as u8)
}

/// The score over two settings; with more settings the best of the others at each place.
fn heat_map(points: &[Finished], first: &Axis, second: &Axis) -> Figure {
    let (columns, rows) = (first.values.len(), second.values.len());
    let best = |i: usize, j: usize| -> (Option<f64>, bool) {
        let here = points.iter().filter(|p| {
            p.values.first().map(|v| &v.1) == first.values.get(i)
                && p.values.get(1).map(|v| &v.1) == second.values.get(j)
        });
        let score = here.clone().filter_map(|p| p.score).min_by(f64::total_cmp);
        (score, here.clone().count() > 0)
    };
    let named = |axis: &Axis| {
        let ticks = axis.values.iter().enumerate();
        let ticks = ticks.map(|(i, v)| (i as f64 + 0.5, v.clone())).collect();
        Scale::linear(axis.knob.name(), 0.0, axis.values.len() as f64).with_ticks(ticks)
    };
    let mut rgba = Vec::with_capacity(4 * columns * rows);
    let mut notes = Vec::new();
    // The picture runs from its top row down, the axis upwards.
    for j in (0..rows).rev() {
        for i in 0..columns {
            let (score, made) = best(i, j);
            let [r, g, b] = score.map_or([0xf2, 0xf2, 0xf0], color);
            rgba.extend([r, g, b, 0xff]);
            let light = 0.3 * f64::from(r) + 0.59 * f64::from(g) + 0.11 * f64::from(b) > 140.0;
            let (text, color) = match score {
                Some(s) if light => (format!("{s:.1}"), INK),
                Some(s) => (format!("{s:.1}"), [0xff; 3]),
                None if made => ("blew up".to_owned(), [0xb8, 0x32, 0x20]),
                None => ("-".to_owned(), WEAK),
            };
            notes.push(Layer::Note {
                at: [i as f64 + 0.5, j as f64 + 0.5],
                anchor: Anchor::Middle,
                text,
                color,
            });
        }
    }
    let mut chart = Chart::new("score, the smaller the better", named(first), named(second))
        .with(Layer::Pixels(columns, rows, rgba));
    for note in notes {
        chart = chart.with(note);
    }
    Figure {
        charts: vec![chart],
        grid: Grid {
            columns: 1,
            aspect: (rows as f32 / columns as f32).clamp(0.2, 0.8),
            gap: 0.0,
        },
        legend: Vec::new(),
        color_bar: Some(ColorBar {
            label: "score".into(),
            rgba: ColorMap::Batlow.rgba(),
            ticks: [1.0, 3.0, 10.0, 30.0, 100.0]
                .map(|v: f64| {
                    let place = (v / LEAST).ln() / (MOST / LEAST).ln();
                    (place as f32, v.to_string())
                })
                .into(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::super::judge::tests::point;
    use super::*;
    use crate::report::Item;

    #[test]
    fn curves_leave_blow_ups_out_and_maps_name_them() {
        let lambda: Axis = "lambda=0.5,1,2".parse().unwrap();
        let mut points = vec![
            point(0.5, 0.1, 0.9, -0.2, false),
            point(1.0, 0.003, 1.0, 0.01, false),
            point(2.0, 0.001, 1.0, 0.0, true),
        ];
        let one = figure(&points, std::slice::from_ref(&lambda), false).unwrap();
        assert_eq!(one.charts.len(), 4);
        for chart in &one.charts {
            let lines: Vec<usize> = chart
                .layers
                .iter()
                .filter_map(|l| match l {
                    Layer::Line { points, .. } => Some(points.len()),
                    _ => None,
                })
                .collect();
            assert_eq!(lines, [2]);
        }
        for p in &mut points {
            p.values.push(("m".into(), "3".into()));
        }
        let m: Axis = "m=0,3".parse().unwrap();
        let two = figure(&points, &[lambda, m], false).unwrap();
        let text = |scene: &crate::report::Scene, word: &str| {
            let found = scene.items.iter().filter(|i| match i {
                Item::Text(t) => t.text == word,
                _ => false,
            });
            found.count()
        };
        let scene = two.scene();
        // The row m = 0 was not made.
        assert_eq!((text(&scene, "blew up"), text(&scene, "-")), (1, 3));
        assert_eq!(text(&scene, "0.6"), 1, "score of lambda 1");
        assert!(figure(&points[2..], &["lambda=2".parse().unwrap()], false).is_none());
    }
}
