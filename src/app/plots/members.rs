//! The members of one lane: their lines over time, and a map of where they differ.

use std::sync::Arc;

use egui::{ColorImage, Sense, TextureHandle, TextureOptions, Ui, vec2};

use crate::render::ColorMap;
use crate::rollout::frame::{FrameSet, LaneFrame};
use crate::rollout::settings::LaneKind;

use super::super::followed::Followed;
use super::super::state::State;
use super::super::theme::{GRID, palette};
use super::super::widgets::{note, number, segmented};
use super::super::words;
use super::chart::{Chart, Curve, range_of};
use super::time::date_text;

/// Frames that the lines reach back.
const FRAMES: usize = 160;
/// Members that are drawn: more lines hide each other.
const LINES: usize = 24;

/// Lines of the members of a lane, and of truth after them; of a cell, or of the global mean without one.
pub type Lines = Followed<(LaneKind, Option<usize>)>;

/// The map of spread as it was drawn last.
#[derive(Default)]
pub struct SpreadMap {
    /// What it shows: frame, lane, dark. A frame of another rollout may have the same number.
    of: Option<(Arc<FrameSet>, LaneKind, bool)>,
    texture: Option<TextureHandle>,
    values: Vec<f32>,
    largest: f32,
}

/// The page.
pub fn show(ui: &mut Ui, state: &mut State) {
    let lanes: Vec<LaneKind> = state
        .lanes()
        .into_iter()
        .filter(|k| *k != LaneKind::Truth || state.globe().is_none())
        .collect();
    let Some(first) = lanes
        .iter()
        .copied()
        .find(|k| *k == LaneKind::Guided)
        .or(lanes.first().copied())
    else {
        note(ui, "No lane is shown.");
        return;
    };
    let mut lane = state.plots.ensemble.lane.unwrap_or(first);
    if !lanes.contains(&lane) {
        lane = first;
    }
    let choices: Vec<_> = lanes
        .iter()
        .map(|k| (*k, words::lane(*k), k.label()))
        .collect();
    if choices.len() > 1 {
        segmented(ui, "Members of", &mut lane, &choices);
        ui.add_space(GRID);
    }
    state.plots.ensemble.lane = Some(lane);
    spaghetti(ui, state, lane);
    ui.add_space(GRID);
    map(ui, state, lane);
}

/// What is followed: the pinned cell, else the global mean, or in the box, where that is 0, the middle cell.
fn spaghetti(ui: &mut Ui, state: &mut State, lane: LaneKind) {
    let (nx, ny) = state.size();
    let globe = state.globe().cloned();
    let globe = globe.as_ref();
    let cell = match (state.pin, globe) {
        (Some((x, y)), _) => Some(y * nx + x),
        (None, None) => Some(ny / 2 * nx + nx / 2),
        (None, Some(_)) => None,
    };
    let value = |values: &[f32]| match (cell, globe) {
        (Some(cell), _) => values.get(cell).map(|v| f64::from(*v)),
        (None, Some(globe)) => Some(globe.grid.mean(values)),
        (None, None) => None,
    };
    let members = state.spec().members.min(LINES);
    let first = usize::from(lane == LaneKind::Truth);
    let count = members.saturating_sub(first) + 1;
    let mut followed = std::mem::take(&mut state.plots.members);
    let unread = followed.unread((lane, cell), count, &state.archive);
    for frame in &unread[unread.len().saturating_sub(FRAMES)..] {
        let of = |kind: LaneKind, member: usize| {
            let lane = frame.lanes[kind.index()].as_ref()?;
            value(lane.members.get(member)?)
        };
        let of = |kind, member| of(kind, member).unwrap_or(f64::NAN);
        let lines = (first..members).map(|member| of(lane, member));
        followed.took(frame, lines.chain([of(LaneKind::Truth, 0)]));
    }
    state.plots.members = followed;
    let frames = &state.archive.frames;
    let frames = &frames[frames.len().saturating_sub(FRAMES)..];
    let from = frames.first().map_or(0.0, |f| f.time);
    let lines = &state.plots.members.lines;
    let line = |n: usize| -> Vec<[f64; 2]> {
        let all = lines.get(n).map_or(&[][..], |l| &l[..]);
        all[all.partition_point(|p| p[0] < from)..].to_vec()
    };
    let p = palette(ui);
    let mut curves: Vec<Curve> = (first..members)
        .map(|member| Curve {
            // One name for all: at the end of the first.
            name: if member == first {
                words::lane(lane).to_owned()
            } else {
                String::new()
            },
            color: p
                .lane(lane)
                .gamma_multiply(if member == state.member { 1.0 } else { 0.4 }),
            dashed: false,
            dots: false,
            points: line(member - first),
        })
        .collect();
    curves.push(Curve {
        name: "truth".into(),
        color: p.text,
        dashed: false,
        dots: false,
        points: line(count - 1),
    });
    let y = range_of(
        curves.iter().flat_map(|c| &c.points),
        (f64::INFINITY, f64::NEG_INFINITY),
    );
    let units = state.facts.as_ref().map_or("", |f| f.units.as_str());
    let what = match (state.pin, globe) {
        (Some(_), _) => "the followed cell",
        (None, None) => "the middle cell",
        (None, Some(_)) => "global mean",
    };
    let title = format!("Members, {what} [{units}]");
    let x = (from, frames.last().map_or(1.0, |f| f.time));
    Chart {
        id: "members",
        title: &title,
        about: "Each member's line, the one shown in full colour. Click a cell in a lane to follow it.",
        x_name: "t",
        height: ((ui.available_height() - 80.0) * 0.45).clamp(110.0, 240.0),
        x: (x.0, x.1.max(x.0 + 1e-6)),
        y,
        decimals: 2,
        curves,
        x_text: date_text(state),
        ..Default::default()
    }
    .show(ui);
}

/// Standard deviation among members in each cell.
fn spread(frame: &LaneFrame, first: usize) -> Vec<f32> {
    let members = frame.members.get(first..).unwrap_or_default();
    let n = members.len() as f32;
    let cells = members.first().map_or(0, |m| m.len());
    (0..cells)
        .map(|cell| {
            let values = || members.iter().filter_map(|m| m.get(cell).copied());
            let mean = values().sum::<f32>() / n;
            (values().map(|v| (v - mean).powi(2)).sum::<f32>() / (n - 1.0).max(1.0)).sqrt()
        })
        .collect()
}

fn map(ui: &mut Ui, state: &mut State, lane: LaneKind) {
    let dark = ui.visuals().dark_mode;
    let Some(shown) = state.shown().cloned() else {
        return;
    };
    let (nx, ny) = state.size();
    let known = state.plots.spread_map.of.as_ref();
    let same = known.is_some_and(|(f, l, d)| Arc::ptr_eq(f, &shown) && (*l, *d) == (lane, dark));
    if !same {
        let Some(frame) = &shown.lanes[lane.index()] else {
            note(ui, "The lane has no frame here.");
            return;
        };
        let values = spread(frame, usize::from(lane == LaneKind::Truth));
        if values.len() != nx * ny || nx == 0 {
            return;
        }
        let largest = values.iter().copied().fold(0.0, f32::max);
        let color = |v: f32| {
            let share = if largest > 0.0 { v / largest } else { 0.0 };
            let index = (255.0 * share) as u8;
            let [r, g, b] = ColorMap::Navia.entry(if dark { index } else { 255 - index });
            egui::Color32::from_rgb(r, g, b)
        };
        // Rows go upwards (northwards).
        let pixels = values
            .chunks_exact(nx)
            .rev()
            .flatten()
            .map(|v| color(*v))
            .collect();
        let image = ColorImage::new([nx, ny], pixels);
        let texture = ui
            .ctx()
            .load_texture("spread among members", image, TextureOptions::NEAREST);
        state.plots.spread_map = SpreadMap {
            of: Some((Arc::clone(&shown), lane, dark)),
            texture: Some(texture),
            values,
            largest,
        };
    }
    let map = &state.plots.spread_map;
    let Some(texture) = &map.texture else { return };
    let units = state.facts.as_ref().map_or("", |f| f.units.as_str());
    let when = match shown.date {
        Some(date) => date.to_string(),
        None => format!("t {}", number(shown.time, 2)),
    };
    note(
        ui,
        format!(
            "Spread among members, {when}; brightest {} {units}.",
            number(f64::from(map.largest), 2)
        ),
    );
    let aspect = ny as f32 / nx as f32;
    let width = ui
        .available_width()
        .min((ui.available_height() - 8.0).max(60.0) / aspect);
    let (rect, response) = ui.allocate_exact_size(vec2(width, width * aspect), Sense::hover());
    response.widget_info(|| {
        egui::WidgetInfo::labeled(egui::Role::Image, true, "Map of spread among members")
    });
    let whole = egui::Rect::from_min_max(egui::pos2(0.0, 0.0), egui::pos2(1.0, 1.0));
    ui.painter()
        .image(texture.id(), rect, whole, egui::Color32::WHITE);
    if let Some(at) = response.hover_pos() {
        let column = ((at.x - rect.left()) / rect.width() * nx as f32) as usize;
        let row = ((rect.bottom() - at.y) / rect.height() * ny as f32) as usize;
        let cell = row.min(ny - 1) * nx + column.min(nx - 1);
        if let Some(v) = map.values.get(cell) {
            response.on_hover_text_at_pointer(format!("{} {units}", number(f64::from(*v), 2)));
        }
    }
}
