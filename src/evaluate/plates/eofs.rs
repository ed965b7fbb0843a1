//! The figure of the EOFs.

use crate::metrics::EofMatch;
use crate::render::Look;
use crate::report::axis::plain;
use crate::report::{Chart, Figure, Grid, Numbers};
use crate::rollout::settings::LaneKind;

use super::maps::{aspect, color_bar, diverging, map, short};
use super::{Evaluation, Plate, listed};
use crate::evaluate::measure::{MODES, Measured};
use crate::evaluate::method::Method;

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
    let globe = e.world.globe.is_some();
    let sizes = e
        .measured
        .iter()
        .filter_map(|m| m.eofs.as_ref()?.map(0))
        .map(|map| {
            let mut all: Vec<f64> = map
                .iter()
                .map(|v| v.abs())
                .filter(|v| v.is_finite())
                .collect();
            all.sort_by(f64::total_cmp);
            all.get(all.len().saturating_sub(1) * 98 / 100)
                .copied()
                .unwrap_or(0.0)
        });
    let look = diverging(sizes.fold(0.0, f64::max), !globe);
    let mut numbers = Numbers::default();
    let mut cells: Vec<Vec<Chart>> = Vec::new();
    for m in &e.measured {
        let Some(eofs) = &m.eofs else { continue };
        let mut row = Vec::new();
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
            if let Some(found) = m.matches.as_ref().and_then(|a| a.get(mode)) {
                let other = if m.method == truth.method {
                    "the other half of truth"
                } else {
                    "truth"
                };
                let group = format!("{name}, correlation with its space in {other}");
                numbers.push(
                    m.method.label(),
                    &format!("{name}, correlation with {other}"),
                    None,
                    found.single,
                );
                numbers.push(m.method.label(), &group, None, found.subspace);
            }
            // The sign of an EOF is free: that which fits truth's.
            let along = known.patterns.get(mode).zip(eofs.patterns.get(mode));
            if along.is_some_and(|(a, b)| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>() < 0.0) {
                values.iter_mut().for_each(|v| *v = -*v);
            }
            let values: Vec<f32> = values.iter().map(|v| *v as f32).collect();
            row.push(eof_map(e, m, mode, &values, &look));
        }
        cells.push(row);
    }
    // On the globe a method is a row; squares fit better one beside the other.
    let columns = if globe { MODES } else { cells.len().max(1) };
    let charts: Vec<Chart> = if globe {
        cells.into_iter().flatten().collect()
    } else {
        let modes =
            (0..MODES).map(|mode| cells.iter().filter_map(move |row| row.get(mode).cloned()));
        modes.flatten().collect()
    };
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
    let own = worst(LaneKind::Truth)
        .map(|v| format!("; one half of truth with the other {}", plain(v, 2)));
    Some(Plate {
        id: "eofs",
        title: "Empirical orthogonal functions".into(),
        caption: format!(
            "The first {MODES} EOFs of anomalies with the share of the variance that they explain, and their pattern correlation \
             r with truth's (of truth: of its two halves). Modes whose eigenvalues cannot be told apart at this length may mix: \
             there r is the correlation with the space that they span."
        ),
        sentence: format!(
            "The lowest of the {MODES} pattern correlations with truth: {}{}.",
            listed(&parts),
            own.unwrap_or_default()
        ),
        agrees: worst(LaneKind::Guided)
            .zip(worst(LaneKind::Video))
            .map(|(g, v)| g >= 0.95 && g >= v - 0.005),
        scene: Figure {
            charts,
            grid: Grid {
                columns,
                aspect: aspect(e.world),
                gap: 5.0,
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

/// An EOF of a method with its share and its likeness to truth's.
fn eof_map(e: &Evaluation<'_>, m: &Measured, mode: usize, values: &[f32], look: &Look) -> Chart {
    let share = m.eofs.as_ref().and_then(|f| f.fractions.get(mode).copied());
    let share = share.map_or(String::new(), |f| format!("{} %", plain(100.0 * f, 1)));
    let r = m
        .matches
        .as_ref()
        .and_then(|a| a.get(mode))
        .map(correlation);
    let figures = match r {
        Some(r) => format!("{share}, r {}", plain(r, 2)),
        None => share,
    };
    let name = format!("EOF {}", mode + 1);
    let is_truth = m.method == Method::TRUTH;
    if e.world.globe.is_some() {
        let title = if is_truth {
            format!("{name}, {figures}")
        } else {
            figures
        };
        return map(
            e.world,
            values,
            look,
            title,
            &if mode == 0 { short(m) } else { String::new() },
        );
    }
    let title = if mode == 0 { short(m) } else { String::new() };
    let mut chart = map(
        e.world,
        values,
        look,
        title,
        if is_truth { &name } else { "" },
    );
    chart.x.label = figures;
    chart
}
