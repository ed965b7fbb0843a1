//! A picture of a stage: the field, the lines of the globe, and the pointer, linked with all others through the view.

use std::sync::Arc;

use egui::{
    Color32, CornerRadius, Rect, Response, Role, Sense, Stroke, Ui, WidgetInfo, pos2, vec2,
};

use crate::render::gpu::Drawing;
use crate::render::{Look, View};

use super::paint;
use super::state::State;
use super::theme;
use super::widgets::number;
use super::words;

/// First place on the screen (see [`paint::field`]) of the wall's tiles.
pub const WALL_SLOT: usize = 64;

/// First place of the twin's pictures.
pub const TWIN_SLOT: usize = 96;

/// The cell under the pointer, and the slot of its tile.
pub type Hover = Option<(usize, usize, usize)>;

/// A tile to be drawn.
pub struct Tile<'a> {
    /// Place on the screen; its own for each tile.
    pub slot: usize,
    /// Accessible name.
    pub name: String,
    /// Where the picture lies.
    pub rect: Rect,
    /// Values, `[ny * nx]`.
    pub values: &'a Arc<[f32]>,
    /// How values become colours.
    pub look: Look,
    /// Pale, as of something that has ended.
    pub pale: bool,
}

/// Draws a tile. Wheel and drag move the view of all tiles; the cell under the pointer is marked in all of them.
pub fn show(ui: &Ui, state: &mut State, hover: &mut Hover, tile: Tile<'_>) -> Response {
    let id = ui.scope_id().with(("tile", tile.slot));
    let response = ui.interact(tile.rect, id, Sense::click_and_drag());
    response.widget_info(|| WidgetInfo::labeled(Role::Canvas, true, tile.name.clone()));
    let (nx, ny) = state.size();
    if nx == 0 || tile.values.len() != nx * ny {
        return response;
    }
    let globe = state.globe().is_some();
    if globe {
        turn(ui, state, hover, &tile, &response);
    } else {
        zoom(ui, state, hover, &tile, &response);
    }
    let rect = if let (true, Some(rows)) = (globe, state.rows().cloned()) {
        let view = state.prefs.globe.view;
        let drawing = Drawing::on_globe(Arc::clone(tile.values), nx, rows, view, tile.look);
        let rect = paint::field(ui, tile.rect, tile.slot, drawing);
        state
            .globe_lines
            .paint(ui, tile.slot, rect, &state.prefs.globe);
        rect
    } else {
        let (origin, span) = state.view.window(nx, ny);
        let drawing = Drawing {
            rows: vec![(0, Arc::clone(tile.values))],
            size: (nx as u32, ny as u32),
            origin,
            span,
            y_up: true,
            look: tile.look,
            globe: None,
        };
        paint::field(ui, tile.rect, tile.slot, drawing)
    };
    if tile.pale {
        let veil = theme::palette(ui).panel.gamma_multiply(0.8);
        ui.painter().rect_filled(rect, CornerRadius::ZERO, veil);
    }
    response
}

/// Marks the cell under the pointer in a tile, with its value: after all tiles are drawn.
pub fn mark(ui: &Ui, state: &State, hover: Hover, slot: usize, rect: Rect, values: &[f32]) {
    let Some((hovered, column, row)) = hover else {
        return;
    };
    let (nx, ny) = state.size();
    let place = match (state.globe(), state.grid()) {
        (Some(_), Some(grid)) => {
            let lat = grid.lat.get(row).copied().unwrap_or_default();
            let [u, v] = state.prefs.globe.view.place(grid.lon(column), lat);
            let (u, v) = (u as f32, v as f32);
            ((0.0..1.0).contains(&u) && (0.0..1.0).contains(&v)).then_some((u, v))
        }
        _ => state.view.place_of(column, row, nx, ny),
    };
    let (Some((u, v)), Some(value)) = (place, values.get(row * nx + column)) else {
        return;
    };
    let centre = pos2(
        rect.left() + u * rect.width(),
        rect.bottom() - v * rect.height(),
    );
    let painter = ui.painter_at(rect);
    painter.circle_stroke(
        centre,
        4.5,
        Stroke::new(3.0, Color32::from_black_alpha(150)),
    );
    painter.circle_stroke(centre, 4.5, Stroke::new(1.2, Color32::WHITE));
    let value = f64::from(*value);
    let mut text = match state.globe() {
        Some(_) => words::amount(value),
        None => number(value, 2),
    };
    if let (true, Some(facts)) = (hovered == slot, &state.facts) {
        text = format!("{text} {}", facts.units);
    }
    let galley = painter.layout_no_wrap(text, theme::small(), Color32::WHITE);
    let size = galley.size() + vec2(8.0, 4.0);
    let mut corner = centre + vec2(8.0, -size.y - 4.0);
    if corner.x + size.x > rect.right() - 2.0 {
        corner.x = centre.x - 8.0 - size.x;
    }
    corner = pos2(
        corner.x.max(rect.left() + 2.0),
        corner.y.max(rect.top() + 2.0),
    );
    let back = Rect::from_min_size(corner, size);
    painter.rect_filled(back, CornerRadius::same(3), Color32::from_black_alpha(200));
    painter.galley(corner + vec2(4.0, 2.0), galley, Color32::WHITE);
}

/// Factor by which wheel and pinch zoom.
fn factor(ui: &Ui) -> f32 {
    let (wheel, pinch) = ui.input(|i| (i.smooth_scroll_delta.y, i.zoom_delta()));
    (wheel / 200.0).exp() * pinch
}

fn zoom(ui: &Ui, state: &mut State, hover: &mut Hover, tile: &Tile<'_>, response: &Response) {
    let (nx, ny) = state.size();
    let rect = tile.rect;
    if response.dragged() {
        let by = response.drag_delta();
        state.view.pan(by.x / rect.width(), -by.y / rect.height());
    }
    if response.secondary_clicked() {
        state.view = View::default();
    }
    if let Some(at) = response.hover_pos() {
        let u = ((at.x - rect.left()) / rect.width()).clamp(0.0, 0.999);
        let v = (1.0 - (at.y - rect.top()) / rect.height()).clamp(0.0, 0.999);
        let factor = factor(ui);
        if factor != 1.0 {
            state.view.zoom_at(factor, u, v);
        }
        let (column, row) = state.view.cell(u, v, nx, ny);
        *hover = Some((tile.slot, column, row));
    }
}

fn turn(ui: &Ui, state: &mut State, hover: &mut Hover, tile: &Tile<'_>, response: &Response) {
    let rect = tile.rect;
    let view = &mut state.prefs.globe.view;
    if response.dragged() {
        let by = response.drag_delta();
        let (du, dv) = (by.x / rect.width(), -by.y / rect.height());
        view.pan(f64::from(du), f64::from(dv));
    }
    if response.secondary_clicked() {
        *view = view.whole();
    }
    if let Some(at) = response.hover_pos() {
        let u = f64::from((at.x - rect.left()) / rect.width());
        let v = f64::from(1.0 - (at.y - rect.top()) / rect.height());
        let factor = f64::from(factor(ui));
        if factor != 1.0 {
            view.zoom_at(factor, u, v);
        }
        if let Some((lon, lat)) = state.prefs.globe.view.lon_lat(u, v)
            && let Some(grid) = state.grid()
        {
            *hover = Some((tile.slot, grid.column(lon), grid.row(lat)));
        }
    }
}
