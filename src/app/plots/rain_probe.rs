//! Time series of the followed cell beside what is usual there.

use std::sync::Arc;

use egui::Ui;

use crate::rollout::protocol::GlobeFacts;
use crate::rollout::settings::LANES;

use super::super::state::State;
use super::super::theme::{GRID, palette};
use super::super::trace::Trace;
use super::super::widgets::note;
use super::super::words;
use super::chart::{Chart, Curve, range_of};
use super::probe::{lines, read};
use super::time::{curve, date_text, time_range};

/// What is usual in a cell in a month: the mean, or (`high`) what 90 % of days stay below, mm/day.
pub fn usual(globe: &GlobeFacts, high: bool, month: u8, cell: usize) -> f64 {
    let fields = match high {
        true => &globe.climatology_p90,
        false => &globe.climatology,
    };
    let field = fields.get(usize::from(month.clamp(1, 12)) - 1);
    field
        .and_then(|f| f.get(cell))
        .map_or(f64::NAN, |v| f64::from(*v))
}

/// The tab.
pub fn show(ui: &mut Ui, state: &mut State) {
    let (Some(globe), Some(shown)) = (state.globe().cloned(), state.shown().cloned()) else {
        return;
    };
    let Some((column, row)) = state.pin else {
        note(
            ui,
            "Click a cell in any lane to follow its rain over time. Click it again, or press Esc, to forget it.",
        );
        return;
    };
    let cell = row * globe.grid.nx + column;
    read(state, cell);
    let state = &*state;
    let p = palette(ui);
    let line = |name: &str, dashed: bool, points: Vec<[f64; 2]>| Curve {
        name: name.to_owned(),
        color: p.weak,
        dashed,
        dots: false,
        points,
    };
    let columns = ui.available_width().max(60.0) as usize;
    let mut traces: Vec<&Trace> = state.plots.cell.lines.iter().skip(LANES).collect();
    let names = [("mean", false), ("90 %", true)].into_iter();
    let mut curves: Vec<Curve> = names
        .zip(&traces)
        .map(|((name, dashed), t)| line(name, dashed, t.thinned(columns)))
        .collect();
    for (kind, trace) in lines(state) {
        curves.push(curve(ui, kind, trace.thinned(columns), false));
        traces.push(trace);
    }
    let y = range_of(curves.iter().flat_map(|c| &c.points), (0.0, 5.0));
    let lat = globe.grid.lat.get(row).copied().unwrap_or(f64::NAN);
    let title = format!(
        "Precipitation [mm/day] at {}",
        words::place(globe.grid.lon(column), lat)
    );
    let room = ui.available_height() - 130.0;
    Chart {
        id: "rain probe",
        title: &title,
        about: "The lanes, and what is usual in the cell in the month of the date: mean, and what 90 % of days stay below.",
        x_name: "date",
        height: (room * 0.6).clamp(140.0, 320.0),
        x: time_range(state),
        y,
        decimals: 2,
        raw: traces.iter().map(|t| &t[..]).collect(),
        curves,
        mark: Some(shown.time),
        x_text: date_text(state),
        ..Default::default()
    }
    .show(ui);
    ui.add_space(GRID);
    let by_month = |high: bool| -> Vec<[f64; 2]> {
        (1..=12u8)
            .map(|m| [f64::from(m), usual(&globe, high, m, cell)])
            .collect()
    };
    let curves = vec![
        line("mean", false, by_month(false)),
        line("90 %", true, by_month(true)),
    ];
    let y = range_of(curves.iter().flat_map(|c| &c.points), (0.0, 1.0));
    let month = shown.date.map(|d| {
        let length = globe.calendar.month_length(d.year, d.month);
        f64::from(d.month) - 0.5 + (f64::from(d.day) - 0.5) / f64::from(length)
    });
    Chart {
        id: "season",
        title: "Usual by month [mm/day]",
        about: "Truth's mean of each month in this cell, and the amount that 90 % of its days stay below.",
        x_name: "month",
        height: (room * 0.4).clamp(90.0, 200.0),
        x: (0.5, 12.5),
        y,
        decimals: 2,
        curves,
        mark: month,
        x_text: Some(Arc::new(|m: f64| {
            words::month_short(m.round().clamp(1.0, 12.0) as u8).to_owned()
        })),
        x_step: 2.0,
        ..Default::default()
    }
    .show(ui);
    let month = shown.date.map_or(1, |d| d.month);
    note(
        ui,
        format!(
            "In {} this cell has {} mm/day in the mean; 90 % of days stay below {}.",
            words::MONTHS[usize::from(month.clamp(1, 12)) - 1],
            words::amount(usual(&globe, false, month, cell)),
            words::amount(usual(&globe, true, month, cell)),
        ),
    );
}
