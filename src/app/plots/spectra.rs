//! Spectrum and distribution of values, live beside truth.

use std::sync::Arc;

use egui::Ui;

use crate::rollout::frame::SpaceFigures;
use crate::rollout::settings::LaneKind;
use crate::rollout::signatures::FINE;

use super::super::state::State;
use super::super::theme::{GRID, palette};
use super::super::widgets::note;
use super::chart::{Chart, Curve, range_of};
use super::time::{Over, curve, over_time};

/// The three charts over the height that is left.
pub fn show(ui: &mut Ui, state: &State) {
    let all: Vec<(LaneKind, &SpaceFigures)> = state
        .lanes()
        .into_iter()
        .filter_map(|kind| Some((kind, figures(state, kind)?)))
        .collect();
    if all.is_empty() {
        note(
            ui,
            "Spectrum and distribution appear with the first generated frame.",
        );
        return;
    }
    let room = ui.available_height() - 3.0 * 34.0 - 20.0;
    spectrum(ui, state, &all, (room * 0.42).clamp(120.0, 320.0));
    ui.add_space(GRID);
    values(ui, state, &all, (room * 0.34).clamp(100.0, 260.0));
    ui.add_space(GRID);
    let factor = 10f64.powf(FINE);
    over_time(
        ui,
        state,
        Over {
            id: "fine scales",
            title: "Power at fine scales over truth's, frame by frame",
            about: "Mean over the upper quarter of the wavenumbers compared. Below the band the frames are too smooth, above it \
                    they are noisy; truth's own stay within.",
            height: (room * 0.24).clamp(80.0, 200.0),
            band: Some((1.0 / factor, factor)),
            from: (0.0, 1.5),
            decimals: 2,
        },
        |s| &s.fine,
    );
}

fn figures(state: &State, kind: LaneKind) -> Option<&SpaceFigures> {
    state.archive.diagnostics[kind.index()].space.as_deref()
}

fn log_points(x: impl Iterator<Item = f64>, values: &[f64], least: f64) -> Vec<[f64; 2]> {
    x.zip(values)
        .filter(|(_, v)| **v > least && v.is_finite())
        .map(|(x, v)| [x, v.log10()])
        .collect()
}

/// Shells of the spectrum that are shown, shell 0 counted; at least two, also of a spectrum that has none.
fn shells_shown(figures: &SpaceFigures) -> usize {
    let whole = figures.power.len();
    let end = match figures.fine.is_empty() {
        true => 3 * whole / 4,
        false => figures.fine.end,
    };
    // A little beyond what is compared: there noise and smoothing are seen best.
    (end + end / 4).min(whole).max(2)
}

fn spectrum(ui: &mut Ui, state: &State, all: &[(LaneKind, &SpaceFigures)], height: f32) {
    let globe = state.globe().is_some();
    let upto = shells_shown(all[0].1);
    let shells = || (1..upto).map(|k| k as f64);
    let of = |power: &[f64]| log_points(shells(), power.get(1..).unwrap_or_default(), 1e-12);
    let mut curves = Vec::new();
    let card = &all[0].1.truth;
    if card.len() > 2 {
        curves.push(Curve {
            name: "truth".into(),
            color: palette(ui).text,
            dashed: false,
            dots: false,
            points: of(card),
        });
    }
    for (kind, f) in all {
        if *kind != LaneKind::Truth || card.len() <= 2 {
            curves.push(curve(ui, *kind, of(&f.power), false));
        }
    }
    let band = figures(state, LaneKind::Truth).and_then(|t| {
        let lo = of(&t.power_lo);
        let hi = of(&t.power_hi);
        let x: Vec<f64> = lo.iter().map(|p| p[0]).collect();
        let of = |p: &[[f64; 2]]| p.iter().map(|p| p[1]).collect::<Vec<_>>();
        (!lo.is_empty() && lo.len() == hi.len()).then(|| (x, of(&lo), of(&hi)))
    });
    let truth = curves.first().map_or(&[][..], |c| &c.points);
    let y = range_of(truth.iter(), (f64::INFINITY, f64::NEG_INFINITY));
    Chart {
        id: "spectrum",
        title: if globe {
            "Power by zonal wavenumber [(mm/day)²]"
        } else {
            "Power by wavenumber [1/T²]"
        },
        about: "Mean over the rollout so far; truth is the model card's. The band holds 90 % of the truth lane's frames so far. \
                A line that falls too early is over-smoothing; one that flattens at the end is noise.",
        x_name: "wavenumber",
        height,
        x: (0.0, (upto - 1) as f64),
        y,
        log_y: true,
        curves,
        band,
        ..Default::default()
    }
    .show(ui);
}

fn values(ui: &mut Ui, state: &State, all: &[(LaneKind, &SpaceFigures)], height: f32) {
    let globe = state.globe().is_some();
    let edges = &all[0].1.edges;
    let middles: Vec<f64> = edges.windows(2).map(|e| 0.5 * (e[0] + e[1])).collect();
    let of = |shares: &[f64]| log_points(middles.iter().copied(), shares, 1e-4);
    let curves: Vec<Curve> = all
        .iter()
        .map(|(kind, f)| curve(ui, *kind, of(&f.shares), false))
        .collect();
    let band = figures(state, LaneKind::Truth).map(|t| {
        // The lower edge may be 0, which has no logarithm.
        let floor = |v: &Vec<f64>| v.iter().map(|v| v.max(1e-3).log10()).collect::<Vec<_>>();
        (middles.clone(), floor(&t.shares_lo), floor(&t.shares_hi))
    });
    let top = range_of(curves.iter().flat_map(|c| &c.points), (0.0, 1.0)).1;
    let units = state.facts.as_ref().map_or("", |f| f.units.as_str());
    let title = format!("Values, share of cells in each bin [%], by {units}");
    let (lo, hi) = match (edges.first(), edges.last()) {
        (Some(lo), Some(hi)) if lo < hi => (*lo, *hi),
        _ => (0.0, 1.0),
    };
    Chart {
        id: "values",
        title: &title,
        about: "Of all cells, members and frames of the rollout so far. The band holds 90 % of the truth lane's frames.",
        x_name: "value",
        height,
        x: (lo, hi),
        y: (-2.0, top),
        log_y: true,
        curves,
        band: band.filter(|b| b.0.len() == b.1.len() && b.0.len() == b.2.len()),
        x_text: globe.then(|| {
            Arc::new(|v: f64| super::axes::any_power_of_ten(v)) as super::chart::XText
        }),
        x_step: if globe { 1.0 } else { 0.0 },
        ..Default::default()
    }
    .show(ui);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spectrum_without_shells_or_power_has_no_points() {
        let mut figures = SpaceFigures::default();
        assert_eq!(shells_shown(&figures), 2);
        figures.power = vec![1.0];
        assert_eq!(shells_shown(&figures), 2);
        figures.power = vec![1.0; 33];
        figures.fine = 10..16;
        assert_eq!(shells_shown(&figures), 20);
        figures.fine = 10..30;
        assert_eq!(shells_shown(&figures), 33);
        let power = [0.0, f64::NAN, f64::INFINITY, 100.0, -1.0];
        let points = log_points((1..9).map(f64::from), &power, 1e-12);
        assert_eq!(points, [[4.0, 2.0]]);
    }
}
