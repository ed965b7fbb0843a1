//! The frame under the brush, and the strip of all frames below it.

use std::sync::Arc;

use egui::{Color32, Rect, RichText, Role, Sense, Stroke, Ui, UiBuilder, WidgetInfo, pos2, vec2};

use crate::field::edit::{Brush, Sheet};
use crate::render::gpu::Drawing;
use crate::render::{GlobeView, Projection, View};
use crate::rollout::settings::LaneKind;

use super::super::paint;
use super::super::panels::color_bar;
use super::super::prefs::GlobePrefs;
use super::super::state::State;
use super::super::theme::{self, GRID, palette};
use super::Tool;

/// First slot of the field painter used here.
const SLOT: usize = 80;
const LINE: f32 = 5.0 * GRID;
const GAP: f32 = 2.0 * GRID;

/// Canvas and strip.
pub fn show(ui: &mut Ui, state: &mut State, area: Rect) {
    let aspect = if state.globe().is_some() { 2.0 } else { 1.0 };
    let room = area.width() - color_bar::WIDTH - GAP;
    let small = (area.width() - 3.0 * GAP) / 4.0;
    let small = small.min(112.0 * aspect);
    let strip = LINE + small / aspect;
    let wide = room.min((area.height() - LINE - strip - 2.0 * GAP) * aspect);
    let wide = wide.floor().max(64.0);
    let picture = Rect::from_min_size(
        pos2(area.left(), area.top() + LINE + GAP),
        vec2(wide, (wide / aspect).round()),
    );
    heading(
        ui,
        state,
        Rect::from_min_size(area.min, vec2(area.width(), LINE)),
    );
    let frames = pointer(ui, state, picture);
    let shown = state.edit.history.as_ref().map_or(0, |h| h.shown);
    if let Some(values) = frames.get(shown) {
        field(ui, state, picture, SLOT, values);
        if state.globe().is_some() {
            let prefs = GlobePrefs {
                view: view(),
                ..state.prefs.globe.clone()
            };
            state.edit.lines.paint(ui, 0, picture, &prefs);
        }
    }
    brush_ring(ui, state, picture);
    let bar = Rect::from_min_max(
        pos2(picture.right() + GAP, picture.top() + LINE),
        pos2(picture.right() + GAP + color_bar::WIDTH, picture.bottom()),
    );
    let look = state.look(ui.visuals().dark_mode);
    if let Some(facts) = state.facts.clone() {
        color_bar::show(ui, bar, &look, &facts.quantity, &facts.units, None);
    }
    let top = picture.bottom() + GAP;
    for (i, values) in frames.iter().enumerate() {
        let at = pos2(area.left() + i as f32 * (small + GAP), top);
        thumb(
            ui,
            state,
            at,
            vec2(small, (small / aspect).round()),
            i,
            values,
        );
    }
}

fn heading(ui: &mut Ui, state: &State, rect: Rect) {
    let Some(history) = &state.edit.history else {
        return;
    };
    let first = history.at + 1 - history.frames().len();
    let text = format!(
        "The frames that frame {} follows from: {first} to {}",
        history.at + 1,
        history.at
    );
    ui.scope_builder(UiBuilder::new().max_rect(rect), |ui| {
        ui.horizontal_centered(|ui| {
            ui.label(text);
            if state.edit.is_edited() {
                ui.label(RichText::new("edited").color(palette(ui).accent));
            }
        });
    });
}

/// The whole globe as it lies in a plain map: the brush is round there.
fn view() -> GlobeView {
    GlobeView {
        projection: Projection::Equirectangular,
        ..GlobeView::default()
    }
}

fn field(ui: &Ui, state: &State, rect: Rect, slot: usize, values: &Arc<[f32]>) {
    let (nx, ny) = state.size();
    if values.len() != nx * ny || values.is_empty() {
        return;
    }
    let look = state.look(ui.visuals().dark_mode);
    let rows = state
        .rows
        .iter()
        .find(|r| r.projection == Projection::Equirectangular);
    let drawing = match rows.filter(|_| state.globe().is_some()) {
        Some(rows) => Drawing::on_globe(values.clone(), nx, rows.clone(), view(), look),
        None => {
            let (origin, span) = View::default().window(nx, ny);
            Drawing {
                rows: vec![(0, values.clone())],
                size: (nx as u32, ny as u32),
                origin,
                span,
                y_up: true,
                look,
                globe: None,
            }
        }
    };
    paint::field(ui, rect, slot, drawing);
}

fn thumb(
    ui: &mut Ui,
    state: &mut State,
    at: egui::Pos2,
    size: egui::Vec2,
    i: usize,
    values: &Arc<[f32]>,
) {
    let p = palette(ui);
    let Some(history) = &mut state.edit.history else {
        return;
    };
    let count = history.frames().len();
    let back = count - 1 - i.min(count - 1);
    let name = match back {
        0 => "last".to_owned(),
        n => format!("−{n}"),
    };
    let changed = history.frames().get(i).zip(history.original().get(i));
    let changed = changed.is_some_and(|(a, b)| !Arc::ptr_eq(a, b));
    let chosen = history.shown == i;
    let rect = Rect::from_min_size(at + vec2(0.0, LINE), size);
    let response = ui.interact(
        rect.union(Rect::from_min_size(at, vec2(size.x, LINE))),
        ui.scope_id().with(("history frame", i)),
        Sense::click(),
    );
    response.widget_info(|| {
        WidgetInfo::selected(
            Role::RadioButton,
            true,
            chosen,
            format!("History frame {name}"),
        )
    });
    if response.clicked() {
        history.shown = i;
    }
    let color = if chosen { p.accent } else { p.weak };
    let text = match changed {
        true => format!("{name}, edited"),
        false => name,
    };
    ui.painter().text(
        pos2(rect.left(), at.y + LINE / 2.0),
        egui::Align2::LEFT_CENTER,
        text,
        theme::small(),
        color,
    );
    field(ui, state, rect, SLOT + 1 + i, values);
    if chosen || response.has_focus() {
        ui.painter().rect_stroke(
            rect,
            0,
            Stroke::new(2.0, p.accent),
            egui::StrokeKind::Outside,
        );
    }
    response.on_hover_text("Show this frame; with “This frame” chosen, edit it alone");
}

/// Place of a point of the picture, in cells.
fn place(state: &State, sheet: &Sheet, rect: Rect, at: egui::Pos2) -> [f32; 2] {
    let (u, v) = (
        ((at.x - rect.left()) / rect.width()).clamp(0.0, 1.0),
        (1.0 - (at.y - rect.top()) / rect.height()).clamp(0.0, 1.0),
    );
    match state.grid() {
        Some(grid) => {
            let (lon, lat) = view()
                .lon_lat(f64::from(u), f64::from(v))
                .unwrap_or_default();
            let column = (lon - grid.lon0).rem_euclid(360.0) / grid.dlon();
            [column as f32, grid.row(lat) as f32]
        }
        None => [u * sheet.nx as f32 - 0.5, v * sheet.ny as f32 - 0.5],
    }
}

/// Reads the pointer; returns the frames to be shown (with the stroke in progress).
fn pointer(ui: &Ui, state: &mut State, rect: Rect) -> Vec<Arc<[f32]>> {
    let response = ui.interact(rect, ui.scope_id().with("canvas"), Sense::click_and_drag());
    response.widget_info(|| WidgetInfo::labeled(Role::Canvas, true, "Frame being edited"));
    let sheet = state.sheet();
    if sheet.is_empty() {
        return Vec::new();
    }
    if let Some(at) = response.hover_pos()
        && response.hovered()
    {
        let wheel = ui.input(|i| i.smooth_scroll_delta.y);
        if wheel != 0.0 {
            let radius = state.edit.brush.radius * (wheel / 300.0).exp();
            state.edit.brush.radius = radius.clamp(1.0, sheet.ny as f32 / 2.0);
        }
        let (x, y) = (
            place(state, &sheet, rect, at)[0],
            place(state, &sheet, rect, at)[1],
        );
        let column = (x.round() as i64).rem_euclid(sheet.nx as i64) as usize;
        let row = (y.round().max(0.0) as usize).min(sheet.ny - 1);
        state.hover = Some((LaneKind::Guided, column, row));
    }
    let held = response.is_pointer_button_down_on();
    let over = response.interact_pointer_pos();
    if held && let Some(at) = over {
        let here = place(state, &sheet, rect, at);
        let edit = &mut state.edit;
        if edit.stroke.is_empty() {
            edit.fed = None;
        }
        let far = edit.stroke.last().is_none_or(|last| {
            let [x, y] = sheet.between(*last, here);
            x.hypot(y) > 0.2 * edit.brush.radius.max(1.0)
        });
        match edit.tool {
            Tool::Erase | Tool::Paint if far => edit.stroke.push(here),
            Tool::Erase | Tool::Paint => {}
            Tool::Move => {
                edit.stroke.truncate(1);
                edit.stroke.push(here);
            }
            Tool::Select | Tool::Paste => edit.stroke = vec![here],
        }
    }
    let Some(history) = &state.edit.history else {
        return Vec::new();
    };
    if state.edit.stroke.is_empty() {
        return history.frames().to_vec();
    }
    let frames = stroked(state, &sheet);
    if held {
        return frames.unwrap_or_else(|| history.frames().to_vec());
    }
    // The button was let go: the stroke is done.
    let edit = &mut state.edit;
    let stroke = std::mem::take(&mut edit.stroke);
    if edit.tool == Tool::Select {
        edit.chosen = stroke.last().copied();
    }
    let Some(history) = &mut edit.history else {
        return Vec::new();
    };
    if let Some(frames) = frames {
        history.set(frames);
    }
    history.frames().to_vec()
}

/// What the stroke makes of the frames; `None` where it changes nothing.
fn stroked(state: &State, sheet: &Sheet) -> Option<Vec<Arc<[f32]>>> {
    let edit = &state.edit;
    let history = edit.history.as_ref()?;
    let (brush, stroke) = (edit.brush, &edit.stroke);
    let value = painted(state);
    let frames = match edit.tool {
        Tool::Erase => history.changed(edit.all, |f| sheet.erase(f, brush, stroke, edit.towards)),
        Tool::Paint => history.changed(edit.all, |f| sheet.paint(f, brush, stroke, value)),
        Tool::Move => {
            let (from, to) = (*stroke.first()?, *stroke.last()?);
            if sheet.between(from, to) == [0.0; 2] {
                return None;
            }
            history.changed(edit.all, |f| sheet.carry(f, brush, from, to))
        }
        Tool::Select => return None,
        Tool::Paste => {
            let (clip, to) = (edit.clip.as_ref()?, *stroke.last()?);
            history.changed(edit.all, |f| sheet.paste(f, clip, brush, to))
        }
    };
    Some(frames)
}

/// The value that is painted, physical units.
pub fn painted(state: &State) -> f32 {
    match state.globe() {
        Some(_) => state.edit.amount.max(0.0),
        None => state.edit.amount * state.facts.as_ref().map_or(1.0, |f| f.data_std) as f32,
    }
}

/// Where the brush acts, and the disc that was chosen.
fn brush_ring(ui: &Ui, state: &State, rect: Rect) {
    let sheet = state.sheet();
    if sheet.is_empty() {
        return;
    }
    let painter = ui.painter_at(rect);
    let cell = rect.width() / sheet.nx as f32;
    let Brush { radius, hardness } = state.edit.brush;
    let ring = |centre: egui::Pos2, strong: Color32| {
        for (r, width) in [(radius, 1.5), (radius * hardness, 0.8)] {
            let halo = Stroke::new(width + 2.0, Color32::from_black_alpha(120));
            painter.circle_stroke(centre, r * cell, halo);
            painter.circle_stroke(centre, r * cell, Stroke::new(width, strong));
        }
    };
    if let Some(chosen) = state
        .edit
        .chosen
        .filter(|_| state.edit.tool == Tool::Select)
    {
        ring(on_screen(state, &sheet, rect, chosen), palette(ui).accent);
    }
    if let Some(at) = ui.input(|i| i.pointer.hover_pos())
        && rect.contains(at)
    {
        ring(at, Color32::WHITE);
    }
}

fn on_screen(state: &State, sheet: &Sheet, rect: Rect, place: [f32; 2]) -> egui::Pos2 {
    let (u, v) = match state.grid() {
        Some(grid) => {
            let row = (place[1].max(0.0) as usize).min(grid.ny().saturating_sub(1));
            let lon = grid.lon0 + f64::from(place[0]) * grid.dlon();
            let [u, v] = view().place(lon, grid.lat.get(row).copied().unwrap_or(0.0));
            (u as f32, v as f32)
        }
        None => (
            (place[0] + 0.5) / sheet.nx as f32,
            (place[1] + 0.5) / sheet.ny as f32,
        ),
    };
    pos2(
        rect.left() + u * rect.width(),
        rect.bottom() - v * rect.height(),
    )
}
