//! The middle: lanes as tiles, as large as they fit, with one colour bar.

use egui::{Align2, CornerRadius, Rect, RichText, Ui, UiBuilder, pos2, vec2};

use crate::data::Date;
use crate::rollout::frame::FrameSet;
use crate::rollout::protocol::GlobeFacts;
use crate::rollout::settings::LaneKind;

use super::super::state::State;
use super::super::theme::{GRID, palette};
use super::super::tree::Tile;
use super::super::widgets::{number, segmented_of_width};
use super::super::words;
use super::{color_bar, compare, help, lane};

const GAP: f32 = 3.0 * GRID;
const MARGIN: f32 = 3.0 * GRID;

/// Width beside the lanes from which words stand there, points.
const SIDE: f32 = 200.0;

/// Columns and width of the tiles for `count` lanes of that aspect (width divided by height) in `room`.
pub fn tiling(count: usize, room: egui::Vec2, aspect: f32) -> (usize, f32) {
    (1..=count.max(1))
        .map(|columns| {
            let rows = count.max(1).div_ceil(columns) as f32;
            let c = columns as f32;
            let wide = (room.x - (c - 1.0) * GAP) / c;
            let high = (room.y - (rows - 1.0) * GAP) / rows - lane::TITLE;
            (columns, wide.min(high * aspect).floor().max(16.0))
        })
        .max_by(|a, b| a.1.total_cmp(&b.1))
        .unwrap_or((1, 16.0))
}

/// Lanes, colour bar, and in a free tile the first words of help or the pointer's values.
pub fn show(ui: &mut Ui, state: &mut State) {
    let whole = ui.max_rect();
    ui.painter()
        .rect_filled(whole, CornerRadius::ZERO, palette(ui).canvas);
    state.hover = None;
    if state.archive.frames.is_empty() {
        loading(ui, state, whole);
        return;
    }
    let tiles = state.tiles();
    let area = whole.shrink(MARGIN);
    let room = vec2(area.width() - color_bar::WIDTH - GAP, area.height());
    let aspect = state.aspect();
    let (columns, side) = tiling(tiles.len(), room, aspect);
    let high = (side / aspect).round();
    let rows = tiles.len().div_ceil(columns);
    let size = |n: usize, each: f32| n as f32 * each + (n as f32 - 1.0) * GAP;
    let grid = vec2(size(columns, side), size(rows, high + lane::TITLE));
    let full = tiles.len() == rows * columns;
    // Wide pictures one below the other leave room beside them.
    let beside = (room.x - grid.x - 2.0 * GAP).min(300.0);
    let beside = if full && beside >= SIDE { beside } else { 0.0 };
    let extra = if beside > 0.0 {
        beside + 2.0 * GAP
    } else {
        0.0
    };
    let all = vec2(grid.x + GAP + color_bar::WIDTH, grid.y);
    let corner = (area.center() - (all + vec2(extra, 0.0)) / 2.0).round();
    let tile = |i: usize| {
        let (column, row) = ((i % columns) as f32, (i / columns) as f32);
        Rect::from_min_size(
            pos2(
                corner.x + column * (side + GAP),
                corner.y + row * (high + lane::TITLE + GAP),
            ),
            vec2(side, high + lane::TITLE),
        )
    };
    for (i, one) in tiles.iter().enumerate() {
        match one {
            Tile::Lane(kind) => lane::show(ui, state, *kind, tile(i)),
            _ => compare::show(ui, state, *one, tile(i)),
        }
    }
    let bar_top = corner.y + lane::TITLE;
    let members = state.shown().map_or(1, |f| {
        f.lanes
            .iter()
            .flatten()
            .map(|l| l.members.len())
            .max()
            .unwrap_or(1)
    });
    let chooser = if members > 1 { 60.0 } else { 0.0 };
    let bar = Rect::from_min_max(
        pos2(corner.x + grid.x + GAP, bar_top),
        pos2(corner.x + all.x, corner.y + all.y - chooser),
    );
    let look = state.look(ui.visuals().dark_mode);
    if let Some(facts) = state.facts.clone() {
        let value = hovered_value(state);
        color_bar::show(ui, bar, &look, &facts.quantity, &facts.units, value);
    }
    if members > 1 {
        member_chooser(
            ui,
            state,
            members,
            Rect::from_min_max(bar.left_bottom(), corner + all),
        );
    }
    if !full {
        free_tile(ui, state, tile(tiles.len()));
    } else if beside > 0.0 {
        let left = corner.x + all.x + 2.0 * GAP;
        let rect = Rect::from_min_max(pos2(left, corner.y), pos2(left + beside, corner.y + all.y));
        free_tile(ui, state, rect);
    } else {
        help::card_over(ui, state, whole);
    }
}

fn hovered_value(state: &State) -> Option<f32> {
    let (kind, column, row) = state.hover?;
    let lane = state.shown()?.lanes[kind.index()].as_ref()?;
    state
        .values(lane)?
        .get(row * state.size().0 + column)
        .copied()
}

fn member_chooser(ui: &mut Ui, state: &mut State, members: usize, rect: Rect) {
    ui.scope_builder(UiBuilder::new().max_rect(rect), |ui| {
        ui.spacing_mut().item_spacing.y = 2.0;
        ui.add_space(GRID);
        ui.label(RichText::new("member").small().weak());
        let names = ["1", "2", "3", "4"];
        for pair in (0..members.min(4)).collect::<Vec<_>>().chunks(2) {
            let choices: Vec<_> = pair.iter().map(|i| (*i, names[*i], "")).collect();
            let width = 22.0 * choices.len() as f32;
            segmented_of_width(ui, "Member", &mut state.member, &choices, width);
        }
    });
}

/// The tile that has no lane: help at first, then the values under the pointer.
fn free_tile(ui: &mut Ui, state: &mut State, rect: Rect) {
    let inner = Rect::from_min_max(pos2(rect.left() + 4.0, rect.top() + lane::TITLE), rect.max);
    ui.scope_builder(UiBuilder::new().max_rect(inner), |ui| {
        if !state.prefs.tips_dismissed {
            help::first_words(ui, state);
        } else {
            readout(ui, state);
        }
    });
}

fn readout(ui: &mut Ui, state: &State) {
    let p = palette(ui);
    let Some((frame, cell)) = state
        .shown()
        .zip(state.hover.map(|h| (h.1, h.2)).or(state.pin))
    else {
        let drag = if state.globe().is_some() {
            "turn"
        } else {
            "pan"
        };
        let hint = format!(
            "Point at a frame to read its values.\nClick to follow that cell over time.\nWheel to zoom, drag to {drag}."
        );
        ui.label(RichText::new(hint).weak());
        return;
    };
    let (nx, _) = state.size();
    let globe = state.globe().cloned();
    let place = match &globe {
        Some(g) => {
            let lat = g.grid.lat.get(cell.1).copied().unwrap_or(f64::NAN);
            words::place(g.grid.lon(cell.0), lat)
        }
        None => {
            let step = std::f64::consts::TAU / nx.max(1) as f64;
            let (x, y) = (cell.0 as f64 * step, cell.1 as f64 * step);
            format!("x {x:.2}   y {y:.2}   t {}", number(frame.time, 2))
        }
    };
    ui.label(RichText::new(place).weak());
    if let Some(date) = frame.date {
        ui.label(RichText::new(date.to_string()).weak());
    }
    ui.add_space(GRID);
    let units = state.facts.as_ref().map_or("", |f| f.units.as_str());
    for tile in state.tiles() {
        let of = |set: &FrameSet, kind: LaneKind| {
            let lane = set.lanes[kind.index()].as_ref()?;
            state.values(lane).cloned()
        };
        let (name, color, values) = match tile {
            Tile::Lane(kind) => (kind.label(), p.lane(kind), of(frame, kind)),
            Tile::Compared => {
                let kind = state.tree.compared_lane;
                let name = state.compared().map_or("", |id| state.branch_name(id));
                let values = state.beside().and_then(|f| of(f, kind));
                (name, p.lane(kind), values)
            }
            Tile::Difference => {
                let values = state.tree.difference.values();
                ("Difference", p.text, values.map(|v| v.0.clone()))
            }
        };
        let value = values.and_then(|v| v.get(cell.1 * nx + cell.0).copied());
        ui.horizontal(|ui| {
            ui.set_width(ui.available_width().min(220.0));
            ui.label(RichText::new(name).color(color));
            ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                let text = match value.map(f64::from) {
                    Some(v) if globe.is_some() => words::amount(v),
                    Some(v) => number(v, 2),
                    None => "–".to_owned(),
                };
                ui.label(RichText::new(format!("{text} {units}")));
            });
        });
    }
    if let (Some(g), Some(date)) = (&globe, frame.date) {
        climate(ui, g, date, cell.1 * nx + cell.0);
    }
}

/// What the month usually brings to a cell.
fn climate(ui: &mut Ui, globe: &GlobeFacts, date: Date, cell: usize) {
    let month = usize::from(date.month.clamp(1, 12)) - 1;
    let of = |fields: &[std::sync::Arc<[f32]>]| {
        let value = fields.get(month).and_then(|f| f.get(cell));
        words::amount(value.map_or(f64::NAN, |v| f64::from(*v)))
    };
    ui.add_space(GRID);
    let text = format!(
        "Usual in {}: mean {}, 90 % of days below {} mm/day",
        words::MONTHS[month],
        of(&globe.climatology),
        of(&globe.climatology_p90)
    );
    ui.label(RichText::new(text).small().weak());
}

/// Before the first frame: what is being done.
fn loading(ui: &Ui, state: &State, whole: Rect) {
    let p = palette(ui);
    let activity = match state.progress.activity.as_str() {
        "" => "starting",
        text => text,
    };
    let c = whole.center() - vec2(0.0, 24.0);
    let line = |dy: f32, size: f32, color, text: &str| {
        let font = egui::FontId::proportional(size);
        ui.painter()
            .text(c + vec2(0.0, dy), Align2::CENTER_CENTER, text, font, color);
    };
    line(-20.0, 22.0, p.text, "eddyscope");
    line(10.0, 13.5, p.text, activity);
    line(32.0, 11.5, p.weak, "The first frames come within seconds.");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_lanes_are_large_enough_at_1280_by_800() {
        // What is left of 1280 x 800 beside the panels, without margins and colour bar.
        let room = vec2(
            1280.0 - 232.0 - 320.0 - 2.0 * MARGIN - color_bar::WIDTH - GAP,
            800.0 - 40.0 - 76.0 - 2.0 * MARGIN,
        );
        let (columns, side) = tiling(3, room, 1.0);
        assert_eq!(columns, 2);
        assert!(side >= 295.0, "{side}");
        let (columns, side) = tiling(3, vec2(1300.0, 600.0), 1.0);
        assert_eq!(columns, 3);
        assert!(side > 400.0, "{side}");
        // Globes lie one below the other, and are larger so than side by side.
        let (columns, side) = tiling(3, room, 2.0);
        assert_eq!(columns, 1);
        assert!(side >= 365.0 && side < room.x, "{side}");
    }
}
