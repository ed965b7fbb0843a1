//! The tiles of the wall, truth among them.

use std::sync::Arc;

use egui::{Align2, Color32, CornerRadius, Rect, Stroke, StrokeKind, Ui, pos2, vec2};

use crate::render::ColorMap;
use crate::rollout::wall::TileFigures;

use super::super::panels::color_bar;
use super::super::state::State;
use super::super::theme::{self, GRID, palette};
use super::super::tile::{self, Tile, WALL_SLOT};
use super::super::widgets::number;
use super::{take, truth_acf};

const GAP: f32 = 2.0 * GRID;
const MARGIN: f32 = 3.0 * GRID;
/// Height of a title: what differs, figures, band.
const TITLE: f32 = 38.0;
/// Height of the band that is tinted by the error.
const BAND: f32 = 4.0;

/// Errors between which the tint changes; equal ratios.
pub(super) const TINTS: (f64, f64) = (0.01, 0.4);

/// Where an error lies between the ends of the tint, 0 = small.
pub(super) fn place(error: f64) -> f32 {
    let (lo, hi) = TINTS;
    (((error.max(1e-9) / lo).ln() / (hi / lo).ln()).clamp(0.0, 1.0)) as f32
}

/// Colour of a place of the tint: small errors stand out from the canvas, in the dark and in the light.
pub(super) fn tint_at(t: f32, dark: bool) -> Color32 {
    let t = if dark { 1.0 - t } else { t };
    let [r, g, b] = ColorMap::Batlow.entry((20.0 + 225.0 * t) as u8);
    Color32::from_rgb(r, g, b)
}

/// Colour of an error.
pub(super) fn tint(ui: &Ui, error: f64) -> Color32 {
    tint_at(place(error), ui.visuals().dark_mode)
}

/// Columns, rows, and width of a picture, for `count` pictures of that aspect in `room`.
fn tiling(count: usize, columns: Option<usize>, room: egui::Vec2, aspect: f32) -> (usize, f32) {
    let width = |columns: usize| {
        let rows = count.max(1).div_ceil(columns) as f32;
        let c = columns as f32;
        let wide = (room.x - (c - 1.0) * GAP) / c;
        let high = (room.y - (rows - 1.0) * GAP) / rows - TITLE;
        wide.min(high * aspect).floor().max(16.0)
    };
    match columns {
        Some(columns) => (columns, width(columns)),
        None => (1..=count.max(1))
            .map(|c| (c, width(c)))
            .max_by(|a, b| a.1.total_cmp(&b.1))
            .unwrap_or((1, 16.0)),
    }
}

/// What stands in each place, row by row: truth, or a tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Truth,
    Tile(usize),
    Empty,
}

/// Places where two quantities differ: truth before the first row, so that columns mean strengths and rows lengths.
fn places(count: usize, columns: Option<usize>) -> (Vec<Place>, Option<usize>) {
    match columns {
        Some(c) => {
            let mut out = Vec::new();
            for i in 0..count {
                if i % c == 0 {
                    out.push(if i == 0 { Place::Truth } else { Place::Empty });
                }
                out.push(Place::Tile(i));
            }
            (out, Some(c + 1))
        }
        None => {
            let tiles = (0..count).map(Place::Tile);
            (std::iter::once(Place::Truth).chain(tiles).collect(), None)
        }
    }
}

/// Columns of tiles on the screen, for the keyboard.
pub(super) fn columns(state: &State) -> usize {
    let plan = state.wall.plan.as_ref();
    match plan.and_then(|p| p.columns) {
        Some(c) => c,
        None => state.wall.columns_shown,
    }
}

/// The stage.
pub fn show(ui: &mut Ui, state: &mut State) {
    let whole = ui.max_rect();
    let p = palette(ui);
    ui.painter()
        .rect_filled(whole, CornerRadius::ZERO, p.canvas);
    let value = state.wall.value.clone();
    let Some(plan) = state.wall.plan.clone() else {
        return words(ui, whole, "starting");
    };
    let frame = value.frame(state.wall.shown()).cloned();
    let Some(frame) = frame.filter(|_| value.plan == plan.number) else {
        return words(ui, whole, &value.activity);
    };
    let area = whole.shrink(MARGIN);
    let room = vec2(area.width() - color_bar::WIDTH - GAP, area.height());
    let aspect = state.aspect();
    let (places, fixed) = places(plan.tiles.len(), plan.columns);
    let (columns, side) = tiling(places.len(), fixed, room, aspect);
    state.wall.columns_shown = columns;
    let high = (side / aspect).round();
    let rows = places.len().div_ceil(columns);
    let size = |n: usize, each: f32| n as f32 * each + (n as f32 - 1.0) * GAP;
    let grid = vec2(size(columns, side), size(rows, high + TITLE));
    let all = vec2(grid.x + GAP + color_bar::WIDTH, grid.y);
    let corner = (area.center() - all / 2.0).round();
    let look = state.look(ui.visuals().dark_mode);
    let Some(facts) = state.facts.clone() else {
        return;
    };
    let truth_acf = truth_acf(&facts);

    let before = state.wall.hover;
    let mut hover = None;
    let mut taken = None;
    let mut drawn: Vec<(usize, Rect, Arc<[f32]>)> = Vec::new();
    for (i, at) in places.iter().enumerate() {
        let (column, row) = ((i % columns) as f32, (i / columns) as f32);
        let min = corner + vec2(column * (side + GAP), row * (high + TITLE + GAP));
        let picture = Rect::from_min_size(min + vec2(0.0, TITLE), vec2(side, high));
        let title = Rect::from_min_size(min, vec2(side, TITLE));
        let (slot, name, values, figures, stopped) = match at {
            Place::Empty => continue,
            Place::Truth => {
                let values = Some(Arc::clone(&frame.truth));
                (
                    WALL_SLOT,
                    "Truth".to_owned(),
                    values,
                    Some(&value.truth),
                    None,
                )
            }
            Place::Tile(t) => {
                let name = plan
                    .tiles
                    .get(*t)
                    .map_or(String::new(), |t| t.label.clone());
                let stopped = value.stopped.get(*t).and_then(Option::as_ref);
                let shown = frame.tiles.get(*t).and_then(Option::as_ref);
                // A tile that was stopped shows its last frame.
                let last = stopped
                    .and_then(|s| value.frame(s.frame.min(frame.index)))
                    .and_then(|f| f.tiles.get(*t)?.as_ref());
                let values = shown.or(last).cloned();
                (
                    WALL_SLOT + 1 + t,
                    name,
                    values,
                    value.tiles.get(*t),
                    stopped,
                )
            }
        };
        let chosen = *at == Place::Tile(state.wall.chosen);
        write_title(
            ui,
            title,
            &name,
            figures,
            truth_acf,
            chosen,
            *at == Place::Truth,
        );
        let over = stopped.is_some_and(|s| frame.index >= s.frame);
        let Some(values) = values else {
            ui.painter()
                .rect_filled(picture, CornerRadius::ZERO, p.panel);
            note(ui, picture, "stopped");
            continue;
        };
        let accessible = match at {
            Place::Truth => "Truth on the wall".to_owned(),
            _ => format!("Tile {name}"),
        };
        let tile = Tile {
            slot,
            name: accessible,
            rect: picture,
            values: &values,
            look,
            pale: over,
        };
        let response = tile::show(ui, state, &mut hover, tile);
        if chosen {
            ui.painter().rect_stroke(
                picture,
                CornerRadius::ZERO,
                Stroke::new(2.0, p.text),
                StrokeKind::Outside,
            );
        }
        if let (true, Some(s)) = (over, stopped) {
            note(ui, picture, &format!("blew up at frame {}", s.frame));
        }
        if let Place::Tile(t) = at {
            if response.clicked() {
                taken = Some(*t);
            }
            let tip = tip(&name, figures, truth_acf, stopped.map(|s| s.what.as_str()));
            response.on_hover_text_at_pointer(tip);
        }
        drawn.push((slot, picture, values));
    }
    for (slot, rect, values) in &drawn {
        tile::mark(ui, state, hover.or(before), *slot, *rect, values);
    }
    let hovered = hover.and_then(|(slot, column, row)| {
        let (_, _, values) = drawn.iter().find(|d| d.0 == slot)?;
        values.get(row * state.size().0 + column).copied()
    });
    state.wall.hover = hover;
    let bar = Rect::from_min_max(
        pos2(corner.x + grid.x + GAP, corner.y + TITLE),
        pos2(corner.x + all.x, corner.y + all.y),
    );
    color_bar::show(ui, bar, &look, &facts.quantity, &facts.units, hovered);
    if let Some(t) = taken {
        take(state, t);
    }
}

fn write_title(
    ui: &Ui,
    rect: Rect,
    name: &str,
    figures: Option<&TileFigures>,
    truth: &[f64],
    chosen: bool,
    is_truth: bool,
) {
    let p = palette(ui);
    let painter = ui.painter_at(rect.expand2(vec2(1.0, 0.0)));
    let color = match (is_truth, chosen) {
        (true, _) => p.text,
        (false, true) => p.accent,
        (false, false) => p.text,
    };
    painter.text(
        rect.left_top() + vec2(0.0, 1.0),
        Align2::LEFT_TOP,
        name,
        theme::body(),
        color,
    );
    let error = figures.and_then(|f| f.acf_error(truth));
    let skill = figures.map_or(f64::NAN, |f| f.dynamics_skill);
    let second = match figures.and_then(|f| f.global_mean) {
        Some(mean) => format!("mean {}", number(mean, 2)),
        None => format!("skill {}", number(skill, 2)),
    };
    let first = format!("ACF {}", number(error.unwrap_or(f64::NAN), 3));
    let y = rect.top() + 18.0;
    let left = painter.layout_no_wrap(first, theme::small(), p.weak);
    let right = painter.layout_no_wrap(second, theme::small(), p.weak);
    let fits = left.size().x + right.size().x + 6.0 <= rect.width();
    painter.galley(pos2(rect.left(), y), left, p.weak);
    if fits {
        painter.galley(pos2(rect.right() - right.size().x, y), right, p.weak);
    }
    let band = Rect::from_min_max(
        pos2(rect.left(), rect.bottom() - BAND),
        pos2(rect.right(), rect.bottom()),
    );
    let fill = error.map_or(p.raised, |e| tint(ui, e));
    painter.rect_filled(band, CornerRadius::ZERO, fill);
}

fn tip(name: &str, figures: Option<&TileFigures>, truth: &[f64], stopped: Option<&str>) -> String {
    let mut text = format!("{name}\n");
    if let Some(f) = figures {
        match f.acf_error(truth) {
            Some(e) => {
                let lags = f.acf.iter().skip(1).take_while(|v| v.is_finite()).count();
                text += &format!(
                    "ACF error {} (mean over lags 1 to {lags}, {} frames)\n",
                    number(e, 3),
                    f.frames
                );
            }
            None => text += "ACF error after three frames\n",
        }
        if f.dynamics_skill.is_finite() {
            text += &format!("dynamics skill {}\n", number(f.dynamics_skill, 3));
        }
        if f.std_ratio.is_finite() {
            text += &format!("std {} of the data's\n", number(f.std_ratio, 2));
        }
    }
    if let Some(what) = stopped {
        text += &format!("stopped: {what}\n");
    }
    text + "Click (or Enter) makes it the main lane"
}

fn note(ui: &Ui, rect: Rect, text: &str) {
    let p = palette(ui);
    let galley = ui
        .painter()
        .layout(text.to_owned(), theme::small(), p.text, rect.width() - 8.0);
    let at = rect.center() - galley.size() / 2.0;
    ui.painter().galley(at, galley, p.text);
}

/// Before the first frame: what is being done.
fn words(ui: &Ui, rect: Rect, text: &str) {
    let p = palette(ui);
    let line = |dy: f32, font, color, text: &str| {
        let at = rect.center() + vec2(0.0, dy);
        ui.painter()
            .text(at, Align2::CENTER_CENTER, text, font, color);
    };
    line(-12.0, theme::body(), p.text, text);
    line(
        10.0,
        theme::small(),
        p.weak,
        "The wall loads the model once more, on a thread of its own.",
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seventeen_pictures_fit_and_tables_keep_their_columns() {
        let room = vec2(
            728.0 - 2.0 * MARGIN - color_bar::WIDTH - GAP,
            648.0 - 2.0 * MARGIN,
        );
        let (columns, side) = tiling(17, None, room, 1.0);
        assert!(columns >= 4 && side >= 110.0, "{columns} {side}");
        let (columns, side) = tiling(17, None, room, 2.0);
        assert!(side >= 150.0, "{columns} {side}");
        let (places, columns) = places(6, Some(3));
        assert_eq!(columns, Some(4));
        assert_eq!((places[0], places[4]), (Place::Truth, Place::Empty));
        assert_eq!(places[5], Place::Tile(3));
    }

    #[test]
    fn the_tint_is_monotone_in_lightness_and_small_errors_stand_out() {
        let light = |c: Color32| u32::from(c.r()) + u32::from(c.g()) + u32::from(c.b());
        for dark in [true, false] {
            let steps: Vec<u32> = (0..=8)
                .map(|i| light(tint_at(i as f32 / 8.0, dark)))
                .collect();
            let falls = steps
                .windows(2)
                .all(|w| if dark { w[1] < w[0] } else { w[1] > w[0] });
            assert!(falls, "{steps:?}");
        }
        assert_eq!((place(0.001), place(9.0)), (0.0, 1.0));
    }
}
