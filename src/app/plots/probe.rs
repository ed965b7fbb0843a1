//! Time series of the cell that is followed.

use egui::Ui;

use crate::rollout::settings::{LANES, LaneKind};

use super::super::followed::Followed;
use super::super::state::State;
use super::super::trace::Trace;
use super::super::widgets::{note, number};
use super::chart::{Chart, range_of};
use super::time::{curve, time_range};

/// Values of one cell of one member: by lane, and what is usual there (on the globe), mean and 90 %.
pub type Cell = Followed<(usize, usize)>;

/// Reads the cell off the frames that are new. Lines by [`LaneKind::index`], then the usual mean and 90 %.
pub fn read(state: &mut State, cell: usize) {
    let mut followed = std::mem::take(&mut state.plots.cell);
    let globe = state.globe();
    let unread = followed.unread((cell, state.member), LANES + 2, &state.archive);
    for frame in unread {
        let lanes = LaneKind::ALL.into_iter().map(|kind| {
            let lane = frame.lanes[kind.index()].as_ref();
            let value = lane.and_then(|l| state.values(l)?.get(cell));
            value.map_or(f64::NAN, |v| f64::from(*v))
        });
        let usual = [false, true].into_iter().map(|high| match globe {
            Some(globe) => frame.date.map_or(f64::NAN, |d| {
                super::rain_probe::usual(globe, high, d.month, cell)
            }),
            None => f64::NAN,
        });
        followed.took(frame, lanes.chain(usual));
    }
    state.plots.cell = followed;
}

/// The lanes that are shown, with what was read of them.
pub fn lines(state: &State) -> Vec<(LaneKind, &Trace)> {
    let lines = &state.plots.cell.lines;
    let lanes = state.lanes().into_iter();
    lanes
        .filter_map(|kind| Some((kind, lines.get(kind.index())?)))
        .collect()
}

/// The tab.
pub fn show(ui: &mut Ui, state: &mut State) {
    let Some((column, row)) = state.pin else {
        note(
            ui,
            "Click a cell in any lane to follow its value over time. Click it again, or press Esc, to forget it.",
        );
        return;
    };
    let (nx, _) = state.size();
    let step = std::f64::consts::TAU / nx.max(1) as f64;
    read(state, row * nx + column);
    let state = &*state;
    let lines = lines(state);
    let columns = ui.available_width().max(60.0) as usize;
    let curves: Vec<_> = lines
        .iter()
        .map(|(kind, line)| curve(ui, *kind, line.thinned(columns), false))
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
        raw: lines.iter().map(|(_, line)| &line[..]).collect(),
        curves,
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
