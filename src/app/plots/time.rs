//! Autocorrelation, frame-to-frame difference, spread.

use std::sync::Arc;

use egui::Ui;

use crate::rollout::settings::LaneKind;

use super::super::series::LaneSeries;
use super::super::state::State;
use super::super::theme::{GRID, palette};
use super::super::trace::Trace;
use super::super::widgets::note;
use super::super::words;
use super::chart::{Chart, Curve, XText, range_of};

/// The tab.
pub fn show(ui: &mut Ui, state: &State) {
    let Some(facts) = state.facts.as_deref() else {
        note(ui, "The model is being loaded.");
        return;
    };
    let (acf_height, other) = heights(ui, state);

    let lags: Vec<f64> = (0..facts.acf_truth.len()).map(|l| l as f64).collect();
    let mut curves = vec![Curve {
        name: "truth".into(),
        color: palette(ui).text,
        dashed: false,
        dots: false,
        points: lags
            .iter()
            .zip(&facts.acf_truth)
            .map(|(l, v)| [*l, *v])
            .collect(),
    }];
    for kind in state.lanes().into_iter().filter(|k| *k != LaneKind::Truth) {
        let acf = &state.archive.diagnostics[kind.index()].acf;
        let points: Vec<[f64; 2]> = acf
            .iter()
            .enumerate()
            .filter(|(_, v)| v.is_finite())
            .map(|(l, v)| [l as f64, *v])
            .collect();
        if points.len() > 1 {
            curves.push(curve(ui, kind, points, true));
        }
    }
    let whole = curves.len() > 1;
    let y = range_of(curves.iter().flat_map(|c| &c.points), (0.0, 1.0));
    Chart {
        id: "acf",
        title: "Autocorrelation, by lag in frames",
        about: "How much of a frame is still there some frames later. Of the frames since the settings of a lane changed last. The band holds 90 % of truth's runs of 100 frames.",
        x_name: "lag",
        height: acf_height,
        x: (0.0, lags.last().copied().unwrap_or(10.0).max(1.0)),
        y,
        decimals: 3,
        log_x: false,
        curves,
        band: Some((lags, facts.acf_lo.clone(), facts.acf_hi.clone())),
        mark: None,
        ..Default::default()
    }
    .show(ui);
    if !whole {
        note(ui, "The model's lines appear after some frames.");
    }
    ui.add_space(GRID);
    over_time(
        ui,
        state,
        Over {
            id: "rmse",
            title: &format!("Change from frame to frame [{}]", facts.units),
            about: "Root mean square difference from the frame before; the band is truth's (5 to 95 %).",
            height: other,
            band: Some(facts.rmse_band),
            decimals: 2,
            ..Default::default()
        },
        |s| &s.rmse,
    );
    ui.add_space(GRID);
    over_time(
        ui,
        state,
        Over {
            id: "std",
            title: &format!("Standard deviation [{}]", facts.units),
            about: "Of each frame, over all cells; the band is truth's (5 to 95 %).",
            height: other,
            band: Some(facts.std_band),
            decimals: 2,
            ..Default::default()
        },
        |s| &s.std,
    );
    difference(ui, state, other);
}

/// Heights of the autocorrelation and of each figure over time, which share the room.
pub fn heights(ui: &Ui, state: &State) -> (f32, f32) {
    let charts = if state.tree.difference.on { 3.0 } else { 2.0 };
    let room = ui.available_height() - (charts + 1.0) * 26.0 - 20.0;
    let acf = (room * if charts > 2.0 { 0.34 } else { 0.44 }).clamp(120.0, 300.0);
    (acf, ((room - acf) / charts).clamp(80.0, 220.0))
}

/// The rms difference of the two chosen pictures over time.
pub fn difference(ui: &mut Ui, state: &State, height: f32) {
    let d = &state.tree.difference;
    if !d.on {
        return;
    }
    ui.add_space(GRID);
    let units = state.facts.as_ref().map_or("", |f| f.units.as_str());
    let title = format!(
        "Rms of {} − {} [{units}]",
        state.side_short(d.a),
        state.side_short(d.b)
    );
    let columns = ui.available_width().max(60.0) as usize;
    let points = d.trace().map_or_else(Vec::new, |t| t.thinned(columns));
    let y = range_of(points.iter(), (0.0, 1e-3));
    Chart {
        id: "rms difference",
        title: &title,
        about: "Root mean square of the difference over cells and members, at the same frame number.",
        x_name: "t",
        height,
        x: time_range(state),
        y,
        decimals: 3,
        raw: d.trace().map(|t| &t[..]).into_iter().collect(),
        curves: vec![Curve {
            name: "A − B".into(),
            color: palette(ui).text,
            dashed: false,
            dots: false,
            points,
        }],
        mark: (!state.play.at_end())
            .then(|| state.shown().map(|f| f.time))
            .flatten(),
        x_text: date_text(state),
        ..Default::default()
    }
    .show(ui);
}

/// A curve in the colour of its method.
pub fn curve(ui: &Ui, kind: LaneKind, points: Vec<[f64; 2]>, dots: bool) -> Curve {
    Curve {
        name: words::lane(kind).to_owned(),
        color: palette(ui).lane(kind),
        dashed: matches!(
            kind,
            LaneKind::Unconditional | LaneKind::Forecaster | LaneKind::GuidedVideo
        ),
        dots,
        points,
    }
}

/// Dates at the times of the kept frames, for the axis of a chart.
pub fn date_text(state: &State) -> Option<XText> {
    let calendar = state.globe()?.calendar;
    let frame = state.archive.frames.first()?;
    let first = calendar.days_from_date(frame.date?) as f64 - frame.time;
    let (from, to) = time_range(state);
    let days = to - from;
    Some(Arc::new(move |time: f64| {
        let date = calendar.date_from_days((first + time).round() as i64);
        let month = words::month_short(date.month);
        if days < 200.0 {
            format!("{} {month}", date.day)
        } else if days < 3000.0 {
            format!("{month} {}", date.year)
        } else {
            date.year.to_string()
        }
    }))
}

/// Range of time of the kept frames, at least a few frames long.
pub fn time_range(state: &State) -> (f64, f64) {
    let step = state.facts.as_ref().map_or(1.0, |f| f.frame_interval);
    let first = state.time_of(state.first());
    let last = state.archive.frames.last().map_or(0.0, |f| f.time);
    (first, last.max(first + 20.0 * step))
}

/// Words and numbers of a chart over time.
#[derive(Default)]
pub struct Over<'a> {
    /// Unique name.
    pub id: &'a str,
    /// What is shown.
    pub title: &'a str,
    /// What it says, on hover.
    pub about: &'a str,
    /// Height, points.
    pub height: f32,
    /// Truth's range.
    pub band: Option<(f64, f64)>,
    /// Values that the axis holds in any case (the band too).
    pub from: (f64, f64),
    /// Decimals of values under the pointer.
    pub decimals: usize,
}

/// A figure of all lanes over time, with truth's band.
pub fn over_time(ui: &mut Ui, state: &State, over: Over<'_>, pick: impl Fn(&LaneSeries) -> &Trace) {
    let columns = ui.available_width().max(60.0) as usize;
    let lanes: Vec<(LaneKind, &Trace)> = state
        .lanes()
        .into_iter()
        .map(|kind| (kind, pick(&state.series.lanes[kind.index()])))
        .filter(|(_, trace)| !trace.is_empty())
        .collect();
    let curves: Vec<Curve> = lanes
        .iter()
        .map(|(kind, trace)| curve(ui, *kind, trace.thinned(columns), false))
        .collect();
    let x = time_range(state);
    let from = match (over.band, over.from) {
        (Some(band), (0.0, 0.0)) => band,
        (Some((lo, hi)), from) => (from.0.min(lo), from.1.max(hi)),
        (None, (0.0, 0.0)) => (f64::INFINITY, f64::NEG_INFINITY),
        (None, from) => from,
    };
    let y = range_of(curves.iter().flat_map(|c| &c.points), from);
    Chart {
        id: over.id,
        title: over.title,
        about: over.about,
        x_name: "t",
        height: over.height,
        x,
        y,
        decimals: over.decimals,
        raw: lanes.iter().map(|(_, trace)| &trace[..]).collect(),
        curves,
        band: over
            .band
            .map(|band| (vec![x.0, x.1], vec![band.0; 2], vec![band.1; 2])),
        mark: (!state.play.at_end())
            .then(|| state.shown().map(|f| f.time))
            .flatten(),
        x_text: date_text(state),
        ..Default::default()
    }
    .show(ui);
}
