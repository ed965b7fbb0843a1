//! Space-time diagrams: one row a frame, growing as the frames come.

use std::sync::Arc;

use egui::{Align2, CornerRadius, Rect, Sense, Stroke, Ui, pos2, vec2};

use crate::render::gpu::Drawing;
use crate::render::{Look, RainLook, Tone, ValueRange};
use crate::rollout::settings::LaneKind;

use super::super::paint;
use super::super::state::State;
use super::super::theme::{self, palette};
use super::super::widgets::{note, number};
use super::super::words;
use super::save;

/// Rows of the ring texture: the diagram shows at most so many frames.
const RING: usize = 512;
/// Height of one frame's row, points.
const ROW: f32 = 2.5;
/// First slot of the field painter used here (the lanes have 0..4).
const SLOT: usize = 8;

/// The tab.
pub fn show(ui: &mut Ui, state: &State) {
    let globe = state.globe().is_some();
    note(
        ui,
        if globe {
            "Mean over 10° S to 10° N by longitude, one line a day, time downwards; colours from 0 to 15 mm/day in equal steps. \
             Slanted streaks are rain that travels."
        } else {
            "Mean over the central rows, along x, one line a frame, time downwards. Slanted streaks are things that move."
        },
    );
    let p = palette(ui);
    let lanes = state.lanes();
    let axis = if globe { 44.0 } else { 34.0 };
    let gap = 8.0;
    let (rect, _) = ui.allocate_exact_size(ui.available_size() - vec2(0.0, 8.0), Sense::hover());
    let top = rect.top() + 20.0;
    // Longitudes stand below.
    let height = rect.bottom() - top - if globe { 18.0 } else { 0.0 };
    let width =
        ((rect.width() - axis - gap * (lanes.len() as f32 - 1.0)) / lanes.len() as f32).floor();
    // Days are few at first: they may be higher then.
    let kept = state.last() - state.first_in_memory() + 1;
    let row_height = if globe && kept as f32 * 2.0 * ROW <= height {
        2.0 * ROW
    } else {
        ROW
    };
    let rows = ((height / row_height) as usize).clamp(1, RING);
    let (nx, _) = state.size();
    let Some((start, end)) = window(state, rows) else {
        return;
    };
    let look = state.look(ui.visuals().dark_mode);
    // A mean over rows varies less than a cell.
    let look = match look.rain {
        Some(rain) => Look {
            rain: Some(RainLook {
                tone: Tone::linear(ValueRange { lo: 0.0, hi: 15.0 }),
                ..rain
            }),
            ..look
        },
        None => Look {
            range: half_range(look),
            ..look
        },
    };
    // The globe is cut where the maps are cut.
    let west = state.prefs.globe.view.lon - 180.0;
    let first_cell = state
        .rows()
        .map_or(0.0, |r| r.place(west as f32, 0.0, false)[0]);
    let count = end - start + 1;
    for (i, kind) in lanes.iter().enumerate() {
        let left = rect.left() + axis + i as f32 * (width + gap);
        let name = pos2(left, rect.top() + 8.0);
        ui.painter().text(
            name,
            Align2::LEFT_CENTER,
            words::lane(*kind),
            theme::small(),
            p.lane(*kind),
        );
        let whole = Rect::from_min_size(pos2(left, top), vec2(width, rows as f32 * row_height));
        ui.painter()
            .rect_filled(whole, CornerRadius::ZERO, p.canvas);
        let strip = Rect::from_min_size(whole.min, vec2(width, count as f32 * row_height));
        let drawing = Drawing {
            rows: ring_rows(state, *kind, start, end, nx),
            size: (nx as u32, RING as u32),
            origin: [first_cell, (start % RING) as f32],
            span: [nx as f32, count as f32],
            y_up: false,
            look,
            globe: None,
        };
        paint::field(ui, strip, SLOT + kind.index(), drawing);
        if globe {
            longitudes(ui, whole, west);
        }
    }
    let place =
        Rect::from_center_size(pos2(rect.right() - 9.0, rect.top() + 8.0), vec2(18.0, 18.0));
    save::menu(ui, place, "space-time diagrams", || save::Saved {
        name: "hovmoeller".to_owned(),
        title: "Space-time diagrams".to_owned(),
        maps: lanes
            .iter()
            .map(|kind| save::SavedMap {
                name: words::lane(*kind).to_owned(),
                rows: state
                    .archive
                    .frames
                    .iter()
                    .filter_map(|f| {
                        let lane = f.lanes[kind.index()].as_ref()?;
                        Some((f.time, Arc::clone(&lane.hovmoeller)))
                    })
                    .collect(),
                look,
            })
            .collect(),
        ..Default::default()
    });
    let y_of = |index: usize| top + (index - start) as f32 * row_height;
    for index in start..=end {
        let Some(frame) = state.frame(index) else {
            continue;
        };
        let text = match frame.date {
            Some(date) if date.day == 1 && date.month == 1 => date.year.to_string(),
            Some(date) if date.day == 1 => words::month_short(date.month).to_owned(),
            None if index % 50 == 0 => number(frame.time, 0),
            _ => continue,
        };
        let y = y_of(index) + row_height / 2.0;
        let at = pos2(rect.left() + axis - 6.0, y.max(top + 5.0));
        ui.painter()
            .text(at, Align2::RIGHT_CENTER, text, theme::small(), p.weak);
    }
    ui.painter().text(
        pos2(rect.left(), rect.top() + 8.0),
        Align2::LEFT_CENTER,
        if globe { "date" } else { "t" },
        theme::small(),
        p.weak,
    );
    let shown = state.play.shown(state.first(), state.last());
    if !state.play.at_end() && (start..=end).contains(&shown) {
        let y = y_of(shown) + row_height / 2.0;
        let x = (rect.left() + axis)..=rect.right();
        ui.painter().hline(x, y, Stroke::new(1.0, p.accent));
    }
}

/// Ticks and names of longitudes below a diagram that begins at `west`.
fn longitudes(ui: &Ui, whole: Rect, west: f64) {
    let p = palette(ui);
    let wide = whole.width() > 150.0;
    for lon in (-180..180).step_by(if wide { 60 } else { 90 }) {
        let turn = (f64::from(lon) - west).rem_euclid(360.0) / 360.0;
        let x = whole.left() + turn as f32 * whole.width();
        let y = whole.bottom();
        ui.painter().vline(x, y..=y + 3.0, Stroke::new(1.0, p.weak));
        // A name at the cut would stand over that of the neighbour; narrow diagrams have room for every other one.
        if (0.12..0.88).contains(&turn) && (wide || lon % 180 != 0) {
            let text = match lon {
                0 => "0".to_owned(),
                -180 => "180".to_owned(),
                l if l < 0 => format!("{}W", -l),
                l => format!("{l}E"),
            };
            let at = pos2(x, y + 10.0);
            ui.painter()
                .text(at, Align2::CENTER_CENTER, text, theme::small(), p.weak);
        }
    }
}

/// First and last frame in the diagram: the newest ones, or those around the frame shown.
fn window(state: &State, rows: usize) -> Option<(usize, usize)> {
    if state.archive.frames.is_empty() {
        return None;
    }
    let (first, last) = (state.first_in_memory(), state.last());
    let shown = state.play.shown(first, last);
    let end = (shown + rows / 2).max(first + rows - 1).min(last);
    Some((end.saturating_sub(rows - 1).max(first), end))
}

fn ring_rows(
    state: &State,
    kind: LaneKind,
    start: usize,
    end: usize,
    nx: usize,
) -> Vec<(u32, Arc<[f32]>)> {
    (start..=end)
        .filter_map(|index| {
            let frame = state.frame(index)?;
            let row = frame.lanes[kind.index()]
                .as_ref()
                .map(|l| &l.hovmoeller)
                .filter(|h| h.len() == nx)
                .unwrap_or(&state.blank);
            Some(((index % RING) as u32, Arc::clone(row)))
        })
        .collect()
}

fn half_range(look: Look) -> ValueRange {
    ValueRange {
        lo: look.range.lo * 0.6,
        hi: look.range.hi * 0.6,
    }
}
