//! A lane on the globe: its picture, its lines, pointer and marks.

use std::sync::Arc;

use egui::{Color32, CornerRadius, Rect, Shape, Stroke, Ui, pos2, vec2};

use crate::field::Globe;
use crate::render::GlobeView;
use crate::render::gpu::Drawing;
use crate::render::lines::{self, LonLat};
use crate::rollout::settings::LaneKind;

use super::super::globe_lines::on_screen;
use super::super::paint;
use super::super::state::State;
use super::super::theme;
use super::super::words;

/// Draws the values and what lies over them.
pub fn show(ui: &Ui, state: &mut State, kind: LaneKind, rect: Rect, values: &Arc<[f32]>) {
    let Some(rows) = state.rows().cloned() else {
        return;
    };
    let look = state.look(ui.visuals().dark_mode);
    let (nx, _) = state.size();
    let drawing = Drawing::on_globe(values.clone(), nx, rows, state.prefs.globe.view, look);
    let rect = paint::field(ui, rect, kind.index(), drawing);
    state
        .globe_lines
        .paint(ui, kind.index(), rect, &state.prefs.globe);
    marks(ui, state, Some(kind), rect, values);
}

/// Zoom, turn, hover, pin.
pub fn pointer(ui: &Ui, state: &mut State, kind: LaneKind, rect: Rect, response: &egui::Response) {
    let place = |at: egui::Pos2| {
        (
            f64::from((at.x - rect.left()) / rect.width()),
            f64::from(1.0 - (at.y - rect.top()) / rect.height()),
        )
    };
    let cell = |state: &State, at: egui::Pos2| {
        let (u, v) = place(at);
        let (lon, lat) = state.prefs.globe.view.lon_lat(u, v)?;
        let grid = state.grid()?;
        Some((grid.column(lon), grid.row(lat)))
    };
    if response.double_clicked() {
        if state.prefs.globe.view.is_whole() && LaneKind::SAMPLED.contains(&kind) {
            state.open_microscope(Some(kind));
        }
        state.prefs.globe.view = state.prefs.globe.view.whole();
    } else if response.clicked()
        && let Some(at) = response.interact_pointer_pos()
        && let Some(cell) = cell(state, at)
    {
        state.pin = (state.pin != Some(cell)).then_some(cell);
    }
    if response.dragged() {
        let by = response.drag_delta();
        let (du, dv) = (by.x / rect.width(), -by.y / rect.height());
        state.prefs.globe.view.pan(f64::from(du), f64::from(dv));
    }
    if let Some(at) = response.hover_pos() {
        let (wheel, pinch) = ui.input(|i| (i.smooth_scroll_delta.y, i.zoom_delta()));
        let factor = f64::from((wheel / 200.0).exp() * pinch);
        if factor != 1.0 {
            let (u, v) = place(at);
            state.prefs.globe.view.zoom_at(factor, u, v);
        }
        if let Some((column, row)) = cell(state, at) {
            state.hover = Some((kind, column, row));
        }
    }
}

/// The hovered and the followed cell, with their values.
pub(super) fn marks(ui: &Ui, state: &State, kind: Option<LaneKind>, rect: Rect, values: &[f32]) {
    let (Some(grid), view) = (state.grid(), state.prefs.globe.view) else {
        return;
    };
    let painter = ui.painter_at(rect);
    let outline = |cell, color: Color32| {
        for path in cell_outline(grid, &view, cell, rect) {
            let points: Vec<_> = path.iter().map(|p| on_screen(rect, *p)).collect();
            let halo = Stroke::new(3.5, Color32::from_black_alpha(150));
            painter.add(Shape::line(points.clone(), halo));
            painter.add(Shape::line(points, Stroke::new(1.4, color)));
        }
    };
    if let Some(cell) = state.pin {
        outline(cell, theme::palette(ui).accent);
    }
    let Some((hovered, column, row)) = state.hover else {
        return;
    };
    outline((column, row), Color32::WHITE);
    let (lon, lat) = (grid.lon(column), grid.lat[row]);
    let [u, v] = view.place(lon, lat);
    let centre = on_screen(rect, [u as f32, v as f32]);
    let value = values.get(row * grid.nx + column).copied();
    let amount = words::amount(value.map_or(f64::NAN, f64::from));
    let text = if Some(hovered) == kind {
        format!("{amount} mm/day   {}", words::place(lon, lat))
    } else {
        amount
    };
    let galley = painter.layout_no_wrap(text, theme::small(), Color32::WHITE);
    let size = galley.size() + vec2(12.0, 6.0);
    let half = rect.width() * view.zoom as f32 / grid.nx as f32 / 2.0;
    // Beside the cell, on the side that has room.
    let mut corner = centre + vec2(half + 8.0, -size.y - 4.0);
    if corner.x + size.x > rect.right() - 2.0 {
        corner.x = centre.x - half - 8.0 - size.x;
    }
    corner.y = corner.y.max(rect.top() + 2.0);
    corner.x = corner.x.max(rect.left() + 2.0);
    painter.rect_filled(
        Rect::from_min_size(corner, size),
        CornerRadius::same(4),
        Color32::from_black_alpha(200),
    );
    painter.galley(corner + vec2(6.0, 3.0), galley, Color32::WHITE);
}

/// The edge of a cell as it lies in the picture.
fn cell_outline(
    grid: &Globe,
    view: &GlobeView,
    (column, row): (usize, usize),
    rect: Rect,
) -> Vec<lines::Path> {
    let half = grid.dlon() / 2.0;
    let (west, east) = (grid.lon(column) - half, grid.lon(column) + half);
    let (Some(south), Some(north)) = (grid.lat_bounds.get(row), grid.lat_bounds.get(row + 1))
    else {
        return Vec::new();
    };
    let corners = [
        (west, *south),
        (east, *south),
        (east, *north),
        (west, *north),
        (west, *south),
    ];
    let mut line: Vec<LonLat> = Vec::new();
    for pair in corners.windows(2) {
        for i in 0..4 {
            let t = f64::from(i) / 4.0;
            let mix = |a: f64, b: f64| (a + t * (b - a)) as f32;
            line.push([mix(pair[0].0, pair[1].0), mix(pair[0].1, pair[1].1)]);
        }
    }
    line.extend(line.first().copied());
    let size = (rect.width(), rect.height());
    // Tiny cells are marked by a square that can be seen.
    let mut paths = lines::in_picture(&[line], view, size, 0.0);
    if rect.width() * view.zoom as f32 / (grid.nx as f32) < 5.0 {
        let [u, v] = view
            .place(grid.lon(column), grid.lat[row])
            .map(|c| c as f32);
        let at = pos2(u, v);
        let (dx, dy) = (4.0 / rect.width(), 4.0 / rect.height());
        let square = [(-dx, -dy), (dx, -dy), (dx, dy), (-dx, dy), (-dx, -dy)];
        paths = vec![square.iter().map(|(x, y)| [at.x + x, at.y + y]).collect()];
    }
    paths
}
