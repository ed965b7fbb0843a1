//! Time series of the cell that is followed.

use egui::Ui;

use super::super::state::State;
use super::super::widgets::{note, number};
use super::chart::{Chart, range_of};
use super::time::{curve, time_range};

/// The tab.
pub fn show(ui: &mut Ui, state: &State) {
    let Some((column, row)) = state.pin else {
        note(
            ui,
            "Click a cell in any lane to follow its value over time. Click it again, or press Esc, to forget it.",
        );
        return;
    };
    let (nx, _) = state.size();
    let step = std::f64::consts::TAU / nx.max(1) as f64;
    let curves: Vec<_> = state
        .lanes()
        .into_iter()
        .map(|kind| {
            let points = state
                .archive
                .frames
                .iter()
                .filter_map(|frame| {
                    let lane = frame.lanes[kind.index()].as_ref()?;
                    let value = state.values(lane)?.get(row * nx + column)?;
                    Some([frame.time, f64::from(*value)])
                })
                .collect();
            curve(ui, kind, points, false)
        })
        .collect();
    let y = range_of(curves.iter().flat_map(|c| &c.points), (-1.0, 1.0));
    let facts = state.facts.as_deref();
    let title = format!(
        "{} [{}] at x {:.2}, y {:.2}",
        facts.map_or("value", |f| f.quantity.as_str()),
        facts.map_or("", |f| f.units.as_str()),
        column as f64 * step,
        row as f64 * step,
    );
    Chart {
        id: "probe",
        title: &title,
        about: "",
        x_name: "t",
        height: (ui.available_height() - 60.0).clamp(140.0, 360.0),
        x: time_range(state),
        y,
        decimals: 2,
        log_x: false,
        curves,
        band: None,
        mark: state.shown().map(|f| f.time),
        ..Default::default()
    }
    .show(ui);
    note(
        ui,
        format!(
            "Frame shown: t {}. The lanes start together; truth and model part because the forcing is random.",
            number(state.shown().map_or(f64::NAN, |f| f.time), 2)
        ),
    );
}
