//! Figures of fields: sample strips, bias maps, EOFs.

use crate::metrics::EofMatch;
use crate::render::lines::coastlines;
use crate::render::{ColorMap, Look, RainLook, Tone, ValueRange, View, cpu, ticks};
use crate::report::axis::{plain, significant};
use crate::report::chart::Layer;
use crate::report::{Axis, Chart, ColorBar, Figure, Grid, Numbers, Stroke};
use crate::rollout::settings::LaneKind;

use super::{Evaluation, Plate, listed};
use crate::evaluate::measure::{MODES, Measured, merged};
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
fn diverging(limit: f64, smooth: bool) -> Look {
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
fn map(world: &World, values: &[f32], look: &Look, title: String, label: &str) -> Chart {
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

fn aspect(world: &World) -> f32 {
    world.shape[0] as f32 / world.shape[1].max(1) as f32
}

/// A short name for the side of a row of maps.
fn short(m: &Measured) -> String {
    m.method.label().replace("Forecaster + noise", "Forecaster")
}

pub(super) fn strips(e: &Evaluation<'_>) -> Option<Plate> {
    let globe = e.world.globe.is_some();
    let times: &[usize] = if globe {
        &[1, 2, 4, 8]
    } else {
        &[1, 2, 4, 8, 16, 32]
    };
    let look = look(e.world);
    let mut numbers = Numbers::default();
    let mut charts = Vec::new();
    for (row, m) in e.measured.iter().enumerate() {
        for (column, time) in times.iter().enumerate() {
            let title = if row == 0 {
                format!("{time} {}", e.world.step())
            } else {
                String::new()
            };
            let label = if column == 0 { short(m) } else { String::new() };
            let frame = m.first.get(time - 1).map_or(&[] as &[f32], |f| f);
            let what = format!("standard deviation of the frame, {}", e.world.units);
            numbers.push(
                m.method.label(),
                &what,
                Some(*time as f64),
                e.world.std(frame),
            );
            charts.push(map(
                e.world,
                frame,
                &look,
                title
                    .replace("1 frames", "1 frame")
                    .replace("1 days", "1 day"),
                &label,
            ));
        }
    }
    let change = |m: &Measured| {
        let (a, b) = (m.first.first()?, m.first.get(1)?);
        crate::metrics::rmse(&[&a[..]], &[&b[..]])
            .map(|v| v / (std::f64::consts::SQRT_2 * e.world.std))
    };
    let parts: Vec<String> = [
        LaneKind::Truth,
        LaneKind::Guided,
        LaneKind::Video,
        LaneKind::Unconditional,
    ]
    .into_iter()
    .filter_map(|k| {
        let v = change(e.of(k)?)?;
        numbers.push(
            k.label(),
            "change from frame 1 to 2, in units of unrelated frames",
            None,
            v,
        );
        Some(format!("{} {}", k.label().to_lowercase(), plain(v, 2)))
    })
    .collect();
    let moves = |k: LaneKind| change(e.of(k)?);
    let agrees = match (
        moves(LaneKind::Truth),
        moves(LaneKind::Guided),
        moves(LaneKind::Unconditional),
    ) {
        (Some(t), Some(g), Some(u)) => Some((g / t - 1.0).abs() < 0.25 && (globe || u > 2.0 * t)),
        _ => None,
    };
    Some(Plate {
        id: "strips",
        title: "Frames of one run of each method".into(),
        caption: format!(
            "The first run of each method; {}.",
            if globe {
                "days after the end of the runs' spin-up; truth from its first day"
            } else {
                "all from the same start, frames after it"
            }
        ),
        sentence: format!(
            "How much the picture changes from frame 1 to frame 2, where 1 is the difference of unrelated frames: {}.",
            listed(&parts)
        ),
        agrees,
        scene: Figure {
            charts,
            grid: Grid {
                columns: times.len(),
                aspect: aspect(e.world),
                gap: 3.0,
            },
            legend: Vec::new(),
            color_bar: Some(color_bar(
                &look,
                format!("{}, {}", e.world.quantity, e.world.units),
            )),
        }
        .scene(),
        numbers,
    })
}

pub(super) fn bias(e: &Evaluation<'_>) -> Option<Plate> {
    let truth = e.truth()?;
    let known = truth.moments();
    let weights = e.world.weights();
    let maps: Vec<(&Measured, Vec<f64>)> = e
        .models()
        .filter_map(|m| Some((m, m.moments().bias(&known)?)))
        .collect();
    let mut sizes: Vec<f64> = maps
        .iter()
        .flat_map(|(_, map)| map.iter().map(|v| v.abs()))
        .collect();
    sizes.sort_by(f64::total_cmp);
    let limit = sizes
        .get(sizes.len().saturating_sub(1) * 98 / 100)
        .copied()?;
    let look = diverging(limit, e.world.globe.is_none());
    let mut numbers = Numbers::default();
    let what = format!("mean absolute bias, {}", e.world.units);
    let mut charts = Vec::new();
    let mut found = Vec::new();
    for (m, values) in &maps {
        let band = m.over_units(e.plan.seed, |units| {
            Some(vec![merged(units).absolute_bias(&known, weights)?])
        })?;
        numbers.band(m.method.label(), &what, None, &band[0]);
        found.push((m.method, band[0].estimate));
        let values: Vec<f32> = values.iter().map(|v| *v as f32).collect();
        let title = format!("{}, {}", short(m), significant(band[0].estimate));
        charts.push(map(e.world, &values, &look, title, ""));
    }
    // Halves of truth against each other: what is left of no bias at this length.
    let half = truth.units.len() / 2;
    let split = |from: usize, upto: usize| {
        merged(
            &truth
                .units
                .iter()
                .skip(from)
                .take(upto - from)
                .collect::<Vec<_>>(),
        )
    };
    let own = split(0, half).absolute_bias(&split(half, truth.units.len()), weights);
    if let Some(own) = own {
        numbers.push(
            "Truth",
            &format!("{what}, half of truth against the other half"),
            None,
            own,
        );
    }
    let of = |k: LaneKind| {
        found
            .iter()
            .find(|(m, _)| m.label() == k.label())
            .map(|f| f.1)
    };
    let parts: Vec<String> = found
        .iter()
        .map(|(m, v)| format!("{} {}", m.label().to_lowercase(), significant(*v)))
        .collect();
    Some(Plate {
        id: "bias",
        title: "Bias of the mean".into(),
        caption: format!(
            "Mean of the model minus mean of truth, {}; in the titles the mean of its size over the {}.",
            e.world.units,
            if e.world.globe.is_some() {
                "area"
            } else {
                "box"
            }
        ),
        sentence: format!(
            "Mean absolute bias, {}: {}{}.",
            e.world.units,
            listed(&parts),
            own.map(|v| format!("; one half of truth against the other {}", significant(v)))
                .unwrap_or_default()
        ),
        agrees: of(LaneKind::Guided)
            .zip(of(LaneKind::Video))
            .map(|(g, v)| g <= v),
        scene: Figure {
            grid: Grid {
                columns: charts.len().clamp(1, 3),
                aspect: aspect(e.world),
                gap: 8.0,
            },
            charts,
            legend: Vec::new(),
            color_bar: Some(color_bar(&look, format!("bias, {}", e.world.units))),
        }
        .scene(),
        numbers,
    })
}

/// Pattern correlation that counts: of the mode itself, or of the space of the modes that cannot be told apart from it.
pub fn correlation(m: &EofMatch) -> f64 {
    if m.group.len() > 1 {
        m.subspace
    } else {
        m.single
    }
}

pub(super) fn eofs(e: &Evaluation<'_>) -> Option<Plate> {
    let truth = e.truth()?;
    let known = truth.eofs.as_ref()?;
    let limit = known.map(0)?.iter().fold(
        0.0f64,
        |m, v| if v.is_finite() { m.max(v.abs()) } else { m },
    );
    let look = diverging(limit, e.world.globe.is_none());
    let mut numbers = Numbers::default();
    let mut charts = Vec::new();
    for m in &e.measured {
        let Some(eofs) = &m.eofs else { continue };
        for mode in 0..MODES {
            let Some(mut values) = eofs.map(mode) else {
                continue;
            };
            let name = format!("EOF {}", mode + 1);
            if let Some(f) = eofs.fractions.get(mode) {
                numbers.push(
                    m.method.label(),
                    &format!("{name}, explained share"),
                    None,
                    *f,
                );
            }
            if let Some(band) = m.explained.as_ref().and_then(|b| b.get(mode)) {
                numbers.band(
                    m.method.label(),
                    &format!("share explained by truth's {name}"),
                    None,
                    band,
                );
            }
            // The sign of an EOF is free: that which fits truth's.
            let turned = known
                .patterns
                .get(mode)
                .zip(eofs.patterns.get(mode))
                .is_some_and(|(a, b)| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>() < 0.0);
            if turned {
                values.iter_mut().for_each(|v| *v = -*v);
            }
            let share = eofs
                .fractions
                .get(mode)
                .map_or(String::new(), |f| format!("{} %", plain(100.0 * f, 1)));
            let title = match m.matches.as_ref().and_then(|a| a.get(mode)) {
                Some(found) if m.method != truth.method => {
                    numbers.push(
                        m.method.label(),
                        &format!("{name}, pattern correlation"),
                        None,
                        found.single,
                    );
                    numbers.push(
                        m.method.label(),
                        &format!("{name}, correlation with the degenerate subspace"),
                        None,
                        found.subspace,
                    );
                    format!("{share}, r = {}", plain(correlation(found), 2))
                }
                _ => format!("{name}, {share}"),
            };
            let label = if mode == 0 { short(m) } else { String::new() };
            let values: Vec<f32> = values.iter().map(|v| *v as f32).collect();
            charts.push(map(e.world, &values, &look, title, &label));
        }
    }
    let worst = |k: LaneKind| {
        let matches = e.of(k)?.matches.as_ref()?;
        matches.iter().map(correlation).reduce(f64::min)
    };
    let parts: Vec<String> = LaneKind::ALL
        .into_iter()
        .filter(|k| *k != LaneKind::Truth)
        .filter_map(|k| {
            Some(format!(
                "{} {}",
                k.label().to_lowercase(),
                plain(worst(k)?, 2)
            ))
        })
        .collect();
    let groups = truth
        .matches
        .as_ref()
        .is_some_and(|m| m.iter().any(|m| m.group.len() > 1));
    let note = if groups {
        " Modes of truth that cannot be told apart at this length are compared as one space."
    } else {
        ""
    };
    Some(Plate {
        id: "eofs",
        title: "Empirical orthogonal functions".into(),
        caption: format!(
            "The first {MODES} EOFs of anomalies with the share of the variance that they explain, and their pattern correlation r with truth's.{note}"
        ),
        sentence: format!(
            "The lowest of the {MODES} pattern correlations with truth: {}.",
            listed(&parts)
        ),
        agrees: worst(LaneKind::Guided)
            .zip(worst(LaneKind::Video))
            .map(|(g, v)| g >= 0.95 && g >= v - 0.005),
        scene: Figure {
            charts,
            grid: Grid {
                columns: MODES,
                aspect: if e.world.globe.is_some() {
                    aspect(e.world)
                } else {
                    0.62
                },
                gap: 6.0,
            },
            legend: Vec::new(),
            color_bar: Some(color_bar(
                &look,
                format!("one standard deviation, {}", e.world.units),
            )),
        }
        .scene(),
        numbers,
    })
}
