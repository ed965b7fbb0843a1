//! The twin on the globe: the model's day and those after it, above the nearest recorded days and what followed them.

use std::sync::Arc;

use egui::{Rect, Ui, pos2, vec2};

use crate::rollout::twin::{Analogues, FOLLOWING, NEAREST};

use super::super::panels::color_bar;
use super::super::plots::chart::{Chart, Curve};
use super::super::state::State;
use super::super::theme::{GRID, palette};
use super::super::tile::{self, TWIN_SLOT, Tile};
use super::super::widgets::{note, number, picture_title};
use super::{empty, values, waiting};

const GAP: f32 = 2.0 * GRID;
const TITLE: f32 = 22.0;

/// The table: a row for the model, one for each analogue; a column a day.
pub(super) fn show(ui: &mut Ui, state: &mut State, whole: Rect) {
    let (Some(origin), Some(facts)) = (state.twin.origin.clone(), state.facts.clone()) else {
        return waiting(ui, state, whole);
    };
    let found = state
        .twin
        .analogues()
        .or_else(|| state.twin.value.analogues.clone());
    let area = whole.shrink(3.0 * GRID);
    let (columns, rows) = (FOLLOWING + 1, NEAREST + 1);
    let room = vec2(area.width() - color_bar::WIDTH - GAP, area.height());
    let aspect = state.aspect();
    let wide = (room.x - (columns as f32 - 1.0) * GAP) / columns as f32;
    let high = (room.y - (rows as f32 - 1.0) * GAP) / rows as f32 - TITLE;
    let side = wide.min(high * aspect).floor().max(16.0);
    let tall = (side / aspect).round();
    let grid = vec2(
        columns as f32 * (side + GAP) - GAP,
        rows as f32 * (tall + TITLE + GAP) - GAP,
    );
    let all = grid + vec2(GAP + color_bar::WIDTH, 0.0);
    let corner = (area.center() - all / 2.0).round();
    let p = palette(ui);
    let look = state.look(ui.visuals().dark_mode);
    let before = state.twin.hover;
    let mut hover = None;
    let mut drawn = Vec::new();
    for row in 0..rows {
        let analogue = row
            .checked_sub(1)
            .and_then(|i| found.as_ref()?.nearest.get(i));
        for column in 0..columns {
            let min = corner
                + vec2(
                    column as f32 * (side + GAP),
                    row as f32 * (tall + TITLE + GAP),
                );
            let head = Rect::from_min_size(min, vec2(side, TITLE));
            let picture = Rect::from_min_size(min + vec2(0.0, TITLE), vec2(side, tall));
            let frame = origin.frame + column;
            let (name, color, date, shown) = match row {
                0 => {
                    let date = state.frame(frame).and_then(|f| f.date);
                    let lane = state.twin.lane;
                    let name = match column {
                        0 => lane.label().to_owned(),
                        n => format!("+{n}"),
                    };
                    (name, p.lane(lane), date, values(state, lane, frame))
                }
                _ => {
                    let day = analogue.and_then(|a| a.days.get(column));
                    let name = match column {
                        0 => format!("Nearest {row}"),
                        n => format!("+{n}"),
                    };
                    (
                        name,
                        p.text,
                        day.map(|d| d.0),
                        day.map(|d| Arc::clone(&d.1)),
                    )
                }
            };
            let date = date.map_or(String::new(), |d| d.to_string());
            picture_title(ui, head, &name, color, &date);
            let Some(shown) = shown else {
                let why = match (row, found.is_some()) {
                    (0, _) => "not made yet",
                    (_, true) => "not recorded",
                    (_, false) => "searching",
                };
                empty(ui, picture, why);
                continue;
            };
            let slot = TWIN_SLOT + row * columns + column;
            let tile = Tile {
                slot,
                name: format!("{name} {date}"),
                rect: picture,
                values: &shown,
                look,
                pale: false,
            };
            let _ = tile::show(ui, state, &mut hover, tile);
            drawn.push((slot, picture, shown));
        }
    }
    for (slot, rect, values) in &drawn {
        tile::mark(ui, state, hover.or(before), *slot, *rect, values);
    }
    let hovered = hover.and_then(|(slot, column, row)| {
        let (_, _, values) = drawn.iter().find(|d| d.0 == slot)?;
        values.get(row * state.size().0 + column).copied()
    });
    state.twin.hover = hover;
    let bar = Rect::from_min_max(
        pos2(corner.x + grid.x + GAP, corner.y + TITLE),
        pos2(corner.x + all.x, corner.y + grid.y),
    );
    color_bar::show(ui, bar, &look, &facts.quantity, &facts.units, hovered);
}

/// Distances, how near true days are, and how analogues part.
pub(super) fn side(ui: &mut Ui, state: &mut State) {
    let Some(found) = state.twin.analogues() else {
        note(ui, "Looking through the record…");
        return;
    };
    let p = palette(ui);
    ui.label("Distance to the record").on_hover_text(
        "Amounts become ln(1 + p), p in mm/day; each cell is divided by its standard deviation over the recorded days within \
         30 days of the season; area-weighted rms of the difference. Unrelated days lie about √2 apart. Days within 5 days of \
         the recorded day beside it do not count.",
    );
    ui.add_space(GRID);
    for (i, a) in found.nearest.iter().enumerate() {
        let date = a.days.first().map_or(String::new(), |d| d.0.to_string());
        ui.horizontal(|ui| {
            ui.label(format!("{}   {date}", i + 1));
            ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                ui.label(number(a.distance, 3));
            });
        });
    }
    ui.add_space(GRID);
    let at = |share: f64| {
        let last = found.of_truth.len().saturating_sub(1) as f64;
        let value = found.of_truth.get((share * last).round() as usize);
        number(value.copied().unwrap_or(f64::NAN), 3)
    };
    note(
        ui,
        format!(
            "True days of the season lie {} to {} from their nearest (5 to 95 %).",
            at(0.05),
            at(0.95)
        ),
    );
    if let Some(share) = found.nearer_true_days() {
        let verdict = match share {
            s if s < 0.5 => "it is nearer to the record than true days are, as a copy would be.",
            s if s <= 95.0 => "this day is as near to the record as a true day is.",
            _ => "this day is farther from the record than nearly all true days.",
        };
        note(
            ui,
            format!("{share:.0} % of true days have a nearer one: {verdict}"),
        );
    }
    note(
        ui,
        format!(
            "{} recorded days searched, within 30 days of the season.",
            found.searched
        ),
    );
    ui.add_space(2.0 * GRID);
    growth(ui, state, &found, p);
}

fn growth(ui: &mut Ui, state: &State, found: &Analogues, p: &super::super::theme::Palette) {
    let Some(origin) = &state.twin.origin else {
        return;
    };
    let mut model = Vec::new();
    for k in 0..=FOLLOWING {
        let Some(day) = values(state, state.twin.lane, origin.frame + k) else {
            break;
        };
        let pairs = found.nearest.iter().filter_map(|a| a.days.get(k));
        let off: Vec<f64> = pairs.map(|d| found.scaling.distance(&day, &d.1)).collect();
        if off.is_empty() {
            break;
        }
        model.push([k as f64, off.iter().sum::<f64>() / off.len() as f64]);
    }
    let truth = found.growth_of_truth.iter().enumerate();
    let truth: Vec<[f64; 2]> = truth
        .map(|(k, v)| [k as f64, *v])
        .filter(|v| v[1].is_finite())
        .collect();
    let limit = std::f64::consts::SQRT_2;
    let curve = |name: &str, color, dashed, points| Curve {
        name: name.to_owned(),
        color,
        dashed,
        dots: true,
        points,
    };
    let last = FOLLOWING as f64;
    Chart {
        id: "analogue growth",
        title: "How analogues part, by days",
        about: "Distance of the model's days from its analogues' (mean of three), and of true days from their nearest one. Where \
                the model goes on as the record did, its line rises no faster than truth's.",
        x_name: "days after",
        height: 170.0,
        x: (0.0, last),
        y: (0.6, 1.5),
        decimals: 3,
        curves: vec![
            curve(
                "√2",
                p.weak.gamma_multiply(0.7),
                true,
                vec![[0.0, limit], [last, limit]],
            ),
            curve("truth", p.text, false, truth),
            curve("model", p.lane(state.twin.lane), false, model),
        ],
        x_step: 1.0,
        ..Default::default()
    }
    .show(ui);
}
