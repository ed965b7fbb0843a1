//! Pictures beside the lanes: a lane of another branch, and the difference of two pictures; the controls that choose them.

use std::sync::Arc;

use egui::{
    Color32, ComboBox, CornerRadius, DragValue, Mesh, Rect, Role, Sense, Shape, Ui, WidgetInfo,
    pos2, vec2,
};

use crate::render::Look;
use crate::render::gpu::Drawing;
use crate::rollout::settings::{LANES, LaneKind};

use super::super::difference::Side;
use super::super::paint;
use super::super::state::State;
use super::super::theme::{self, GRID, palette};
use super::super::tree::Tile;
use super::super::widgets::{note, number, picture_title, row};
use super::super::words;
use super::lane::TITLE;
use super::{globe_lane, lane};

/// Draws a tile that is no lane of the branch on screen into `rect` (title and picture).
pub fn show(ui: &mut Ui, state: &mut State, tile: Tile, rect: Rect) {
    let square = Rect::from_min_max(pos2(rect.left(), rect.top() + TITLE), rect.max);
    let dark = ui.visuals().dark_mode;
    let kind = state.tree.compared_lane;
    let (slot, values, look, name) = match tile {
        Tile::Difference => {
            let values = state.tree.difference.values().map(|v| Arc::clone(v.0));
            difference_title(ui, state, rect);
            let look = state.difference_look(dark);
            (LANES + 1, values, look, "Difference lane".to_owned())
        }
        _ => {
            let lane = state.beside().and_then(|f| f.lanes[kind.index()].as_ref());
            let values = lane.and_then(|l| state.values(l)).cloned();
            compared_title(ui, state, rect);
            let branch = state.compared().map_or("", |id| state.branch_name(id));
            let name = format!("{branch} {} lane", kind.label());
            (LANES, values, state.look(dark), name)
        }
    };
    let response = ui.interact(square, ui.scope_id().with(slot), Sense::click_and_drag());
    response.widget_info(|| WidgetInfo::labeled(Role::Canvas, true, name.clone()));
    // The pointer is over the same cell in all lanes.
    match state.globe().is_some() {
        true => globe_lane::pointer(ui, state, kind, square, &response),
        false => lane::pointer(ui, state, kind, square, &response),
    }
    let (nx, ny) = state.size();
    match values.filter(|v| v.len() == nx * ny && !v.is_empty()) {
        Some(values) => picture(ui, state, square, slot, values, look),
        None => {
            let p = palette(ui);
            let painter = ui.painter();
            painter.rect_filled(square, CornerRadius::ZERO, p.panel);
            let text = match tile {
                Tile::Difference => "one of the two has no frame here",
                _ => "this branch has no frame here",
            };
            let center = egui::Align2::CENTER_CENTER;
            painter.text(square.center(), center, text, theme::body(), p.weak);
        }
    }
}

fn picture(ui: &Ui, state: &mut State, square: Rect, slot: usize, values: Arc<[f32]>, look: Look) {
    let (nx, ny) = state.size();
    if let Some(rows) = state.rows().cloned() {
        let view = state.prefs.globe.view;
        let drawing = Drawing::on_globe(Arc::clone(&values), nx, rows, view, look);
        let rect = paint::field(ui, square, slot, drawing);
        state.globe_lines.paint(ui, slot, rect, &state.prefs.globe);
        globe_lane::marks(ui, state, None, rect, &values);
        return;
    }
    let (origin, span) = state.view.window(nx, ny);
    let drawing = Drawing {
        rows: vec![(0, Arc::clone(&values))],
        size: (nx as u32, ny as u32),
        origin,
        span,
        y_up: true,
        look,
        globe: None,
    };
    paint::field(ui, square, slot, drawing);
    lane::marks(ui, state, None, square, &values, (nx, ny));
}

/// The line of the title.
fn head(rect: Rect) -> Rect {
    Rect::from_min_size(rect.min, vec2(rect.width(), TITLE))
}

fn compared_title(ui: &Ui, state: &State, rect: Rect) {
    let kind = state.tree.compared_lane;
    let Some(id) = state.compared() else { return };
    let made = state.beside().map(|f| state.made_by(kind, f));
    let about = format!("{} · {}", words::lane(kind), made.unwrap_or_default());
    let color = palette(ui).lane(kind);
    picture_title(ui, head(rect), state.branch_name(id), color, &about);
}

fn difference_title(ui: &Ui, state: &State, rect: Rect) {
    let p = palette(ui);
    let d = &state.tree.difference;
    let units = state.facts.as_ref().map_or("", |f| f.units.as_str());
    let rms = d.values().map_or(f64::NAN, |v| v.1);
    let look = state.difference_look(ui.visuals().dark_mode);
    // Its own colours: a bar in the title, with their end.
    let end = format!("±{}", plain(f64::from(look.range.hi)));
    let galley = ui.painter().layout_no_wrap(end, theme::small(), p.weak);
    let middle = rect.top() + TITLE / 2.0 - 1.0;
    let bar = Rect::from_min_size(
        pos2(rect.right() - galley.size().x - 34.0, middle - 3.5),
        vec2(28.0, 8.0),
    );
    let room = Rect::from_min_max(rect.min, pos2(bar.left() - 8.0, rect.bottom()));
    let rms = format!("rms {}", number(rms, 2));
    let with_unit = format!("{rms} {units}");
    let width = |text: &str, font| {
        let galley = ui.painter().layout_no_wrap(text.to_owned(), font, p.text);
        galley.size().x
    };
    let whole = width("Difference", theme::body());
    let taken = whole + 8.0 + width(&with_unit, theme::small());
    let about = if taken < room.width() { with_unit } else { rms };
    let name = if whole <= room.width() {
        "Difference"
    } else {
        "A − B"
    };
    picture_title(ui, head(room), name, p.text, &about);
    gradient(ui, bar, &look);
    let at = pos2(bar.right() + 6.0, middle - galley.size().y / 2.0 + 0.5);
    ui.painter().galley(at, galley, p.weak);
    let response = ui.interact(
        head(rect),
        ui.scope_id().with("difference title"),
        Sense::hover(),
    );
    response.on_hover_text(format!(
        "{} minus {}, at the same frame number, in {units}. Root mean square over the picture.",
        state.side_name(d.a),
        state.side_name(d.b)
    ));
}

fn gradient(ui: &Ui, bar: Rect, look: &Look) {
    let mut mesh = Mesh::default();
    for i in 0..=32u8 {
        let t = f32::from(i) / 32.0;
        let [r, g, b] = look.color_at(t);
        let x = bar.left() + bar.width() * t;
        let at = mesh.vertices.len() as u32;
        mesh.colored_vertex(pos2(x, bar.top()), Color32::from_rgb(r, g, b));
        mesh.colored_vertex(pos2(x, bar.bottom()), Color32::from_rgb(r, g, b));
        if i > 0 {
            mesh.add_triangle(at - 2, at - 1, at);
            mesh.add_triangle(at - 1, at, at + 1);
        }
    }
    ui.painter().add(Shape::mesh(mesh));
}

/// A number without needless zeros.
fn plain(value: f64) -> String {
    let text = number(value, 3);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// In the section of the lanes: the branch beside, the difference and its two pictures.
pub fn controls(ui: &mut Ui, state: &mut State) {
    branch_beside(ui, state);
    let before = state.tree.difference.on;
    ui.checkbox(&mut state.tree.difference.on, "Difference")
        .on_hover_text(
            "A minus B, cell by cell, at the same frame; zero is the middle of its colours",
        );
    if !before && !state.tree.difference.on {
        ui.horizontal(|ui| {
            ui.spacing_mut().interact_size.y = 0.0;
            ui.add_space(16.0);
            note(ui, "of any two, with its rms over time");
        });
        return;
    }
    let (mut a, mut b) = (state.tree.difference.a, state.tree.difference.b);
    side(ui, state, "A", &mut a);
    side(ui, state, "B", &mut b);
    let std = state.facts.as_ref().map_or(1.0, |f| f.data_std);
    let d = &mut state.tree.difference;
    (d.a, d.b) = (a, b);
    let mut limit = d.limit(std);
    let tip =
        "End of the difference's colours; on its own it holds three times the largest rms so far";
    row(ui, "Range ±", tip, |ui| {
        let value = DragValue::new(&mut limit)
            .speed(0.02)
            .range(0.001..=1e4)
            .max_decimals(3);
        let changed = ui.add(value).changed();
        if changed {
            d.range = Some(limit);
        }
        if d.range.is_some() && ui.small_button("Reset").clicked() {
            d.range = None;
        }
    });
}

fn branch_beside(ui: &mut Ui, state: &mut State) {
    if state.archive.branches.len() < 2 {
        return;
    }
    let chosen = state.compared();
    let mut next = chosen;
    let tip = "Shows a lane of another branch at the same frame number";
    row(ui, "Branch beside", tip, |ui| {
        ComboBox::from_id_salt("branch beside")
            .width(104.0)
            .truncate()
            .selected_text(chosen.map_or("none", |id| state.branch_name(id)))
            .show_ui(ui, |ui| {
                ui.selectable_value(&mut next, None, "none");
                for b in state.archive.branches.iter() {
                    if b.id != state.archive.active {
                        ui.selectable_value(&mut next, Some(b.id), &b.name);
                    }
                }
            });
    });
    if next != chosen {
        state.compare_with(next);
    }
    if next.is_some() {
        let mut lane = state.tree.compared_lane;
        row(ui, "its lane", "Which of its lanes", |ui| {
            ComboBox::from_id_salt("lane beside")
                .width(104.0)
                .truncate()
                .selected_text(lane.label())
                .show_ui(ui, |ui| {
                    for kind in LaneKind::ALL {
                        ui.selectable_value(&mut lane, kind, kind.label());
                    }
                });
        });
        state.tree.compared_lane = lane;
    }
    ui.add_space(1.5 * GRID);
}

fn side(ui: &mut Ui, state: &State, name: &str, side: &mut Side) {
    let mut choices: Vec<Side> = Vec::new();
    let of = |beside| move |lane| Side { beside, lane };
    choices.extend(state.lanes().into_iter().map(of(false)));
    if state.compared().is_some() {
        choices.extend(state.lanes().into_iter().map(of(true)));
    }
    let tip = match name {
        "A" => "What is subtracted from",
        _ => "What is subtracted",
    };
    row(ui, name, tip, |ui| {
        ComboBox::from_id_salt(("side", name))
            .width(152.0)
            .truncate()
            .selected_text(state.side_name(*side))
            .show_ui(ui, |ui| {
                for choice in choices {
                    ui.selectable_value(side, choice, state.side_name(choice));
                }
            });
    });
}
