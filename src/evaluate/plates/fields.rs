//! Figures of fields: sample strips, bias maps.

use crate::report::axis::{plain, significant};
use crate::report::{Figure, Grid, Numbers};
use crate::rollout::settings::LaneKind;

use super::maps::{aspect, color_bar, diverging, look, map, short};
use super::{Evaluation, Plate, listed};
use crate::evaluate::measure::{Measured, merged};

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
        // On the box no place differs from another: the mean has no bias but that of a short run.
        agrees: of(LaneKind::Guided)
            .zip(of(LaneKind::Video))
            .filter(|_| e.world.globe.is_some())
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
