//! One lane: title, picture, pointer, and what stopped it.

use egui::{
    Align2, CornerRadius, Rect, RichText, Role, Sense, Stroke, Ui, UiBuilder, WidgetInfo, pos2,
    vec2,
};

use crate::render::View;
use crate::render::gpu::Drawing;
use crate::rollout::frame::FrameSet;
use crate::rollout::settings::LaneKind;

use super::super::paint;
use super::super::state::State;
use super::super::theme::{self, GRID, palette};
use super::super::widgets::{number, picture_title};
use super::super::words;
use super::globe_lane;

/// Height of the title above the picture, points.
pub const TITLE: f32 = 24.0;

/// Draws a lane into `rect` (title and picture).
pub fn show(ui: &mut Ui, state: &mut State, kind: LaneKind, rect: Rect) {
    let square = Rect::from_min_max(pos2(rect.left(), rect.top() + TITLE), rect.max);
    let frame = state.shown().cloned();
    title(ui, state, kind, frame.as_deref(), rect);
    state.marks.set(words::mark(kind), rect);
    let p = palette(ui);
    let response = ui.interact(square, ui.scope_id().with(kind), Sense::click_and_drag());
    response
        .widget_info(|| WidgetInfo::labeled(Role::Canvas, true, format!("{} lane", kind.label())));
    menu(state, kind, &response);
    if state.globe().is_some() {
        globe_lane::pointer(ui, state, kind, square, &response);
    } else {
        pointer(ui, state, kind, square, &response);
    }

    let lane = frame.as_ref().and_then(|f| f.lanes[kind.index()].as_ref());
    let values = lane.and_then(|l| state.values(l)).cloned();
    let (nx, ny) = state.size();
    match values.filter(|v| v.len() == nx * ny && !v.is_empty()) {
        Some(values) if state.globe().is_some() => {
            globe_lane::show(ui, state, kind, square, &values);
        }
        Some(values) => {
            let (origin, span) = state.view.window(nx, ny);
            let drawing = Drawing {
                rows: vec![(0, values.clone())],
                size: (nx as u32, ny as u32),
                origin,
                span,
                y_up: true,
                look: state.look(ui.visuals().dark_mode),
                globe: None,
            };
            paint::field(ui, square, kind.index(), drawing);
            marks(ui, state, Some(kind), square, &values, (nx, ny));
        }
        None => {
            ui.painter()
                .rect_filled(square, CornerRadius::ZERO, p.panel);
            let text = if state.archive.frames.is_empty() {
                ""
            } else {
                "appears with the next frame"
            };
            ui.painter().text(
                square.center(),
                Align2::CENTER_CENTER,
                text,
                theme::body(),
                p.weak,
            );
        }
    }
    stopped(ui, state, kind, square);
}

/// What can be done with a frame of a lane.
fn menu(state: &mut State, kind: LaneKind, response: &egui::Response) {
    response.context_menu(|ui| {
        let sampled = LaneKind::SAMPLED.contains(&kind);
        let look = ui.add_enabled(sampled, egui::Button::new("Open in the microscope"));
        if look
            .on_hover_text("The denoising of this frame, step by step (X)")
            .on_disabled_hover_text("No sampler makes this lane's frames")
            .clicked()
        {
            state.open_microscope(Some(kind));
            ui.close();
        }
        let edit = ui.button("Edit the last frames");
        if edit
            .on_hover_text(
                "Change the frames up to this one by hand; the model goes on from them (E)",
            )
            .clicked()
        {
            state.open_editor();
            ui.close();
        }
    });
}

fn title(ui: &mut Ui, state: &State, kind: LaneKind, frame: Option<&FrameSet>, rect: Rect) {
    let p = palette(ui);
    let rect = Rect::from_min_size(rect.min, vec2(rect.width(), TITLE));
    let painter = ui.painter_at(rect);
    let middle = rect.center().y - 1.0;
    let said = frame.map_or_else(String::new, |frame| state.made_by(kind, frame));
    let x = picture_title(ui, rect, kind.label(), p.lane(kind), &said);
    let pending = kind == LaneKind::Guided && !state.applied() && state.progress.running;
    let date = frame
        .and_then(|f| f.date)
        .filter(|_| kind != LaneKind::Truth && !pending);
    if let Some(date) = date {
        let text = painter.layout_no_wrap(date.to_string(), theme::small(), p.weak);
        let left = rect.right() - text.size().x;
        if left > x {
            painter.galley(pos2(left, middle - text.size().y / 2.0 + 0.5), text, p.weak);
        }
    }
    if pending {
        let g = &state.prefs.settings.guidance;
        let text = format!("λ {:.2} pending", g.strength);
        let text = painter.layout_no_wrap(text, theme::small(), p.accent);
        let left = (rect.right() - text.size().x).max(x);
        painter.galley(
            pos2(left, middle - text.size().y / 2.0 + 0.5),
            text,
            p.accent,
        );
    }
}

/// Zoom, pan, hover, pin.
pub(super) fn pointer(
    ui: &Ui,
    state: &mut State,
    kind: LaneKind,
    square: Rect,
    response: &egui::Response,
) {
    let (nx, ny) = state.size();
    if nx == 0 || ny == 0 {
        return;
    }
    let place = |at: egui::Pos2| {
        (
            (at.x - square.left()) / square.width(),
            1.0 - (at.y - square.top()) / square.height(),
        )
    };
    if response.double_clicked() {
        if state.view == View::default() && LaneKind::SAMPLED.contains(&kind) {
            state.open_microscope(Some(kind));
        }
        state.view = View::default();
    } else if response.clicked()
        && let Some(at) = response.interact_pointer_pos()
    {
        let (u, v) = place(at);
        let cell = state.view.cell(u, v, nx, ny);
        state.pin = (state.pin != Some(cell)).then_some(cell);
    }
    if response.dragged() {
        let by = response.drag_delta();
        state
            .view
            .pan(by.x / square.width(), -by.y / square.height());
    }
    if let Some(at) = response.hover_pos() {
        let (u, v) = place(at);
        let (wheel, pinch) = ui.input(|i| (i.smooth_scroll_delta.y, i.zoom_delta()));
        let factor = (wheel / 200.0).exp() * pinch;
        if factor != 1.0 {
            state.view.zoom_at(factor, u, v);
        }
        let (column, row) = state
            .view
            .cell(u.clamp(0.0, 0.999), v.clamp(0.0, 0.999), nx, ny);
        state.hover = Some((kind, column, row));
    }
}

/// The hovered and the followed cell, with their values; the place as well in the lane `kind` that the pointer is over.
pub(super) fn marks(
    ui: &Ui,
    state: &State,
    kind: Option<LaneKind>,
    square: Rect,
    values: &[f32],
    (nx, ny): (usize, usize),
) {
    let at = |column, row| {
        let (u, v) = state.view.place_of(column, row, nx, ny)?;
        Some(pos2(
            square.left() + u * square.width(),
            square.bottom() - v * square.height(),
        ))
    };
    let cell_side = square.width() * state.view.zoom / nx as f32;
    if let Some((column, row)) = state.pin
        && let Some(centre) = at(column, row)
    {
        ring(ui, square, centre, (cell_side * 0.5).max(5.0));
    }
    let Some((hovered, column, row)) = state.hover else {
        return;
    };
    let Some(centre) = at(column, row) else {
        return;
    };
    let painter = ui.painter_at(square);
    let cell = Rect::from_center_size(centre, vec2(cell_side, cell_side));
    painter.rect_stroke(
        cell.expand(1.5),
        CornerRadius::same(1),
        Stroke::new(3.0, egui::Color32::from_black_alpha(150)),
        egui::StrokeKind::Middle,
    );
    painter.rect_stroke(
        cell.expand(1.5),
        CornerRadius::same(1),
        Stroke::new(1.2, egui::Color32::WHITE),
        egui::StrokeKind::Middle,
    );
    let value = number(f64::from(values[row * nx + column]), 2);
    let text = if Some(hovered) == kind {
        let step = std::f64::consts::TAU / nx as f64;
        format!(
            "{value}   x {:.2}  y {:.2}",
            column as f64 * step,
            row as f64 * step
        )
    } else {
        value
    };
    let galley = painter.layout_no_wrap(text, theme::small(), egui::Color32::WHITE);
    let size = galley.size() + vec2(12.0, 6.0);
    // Beside the cell, on the side that has room.
    let mut corner = centre + vec2(cell_side / 2.0 + 8.0, -size.y - 4.0);
    if corner.x + size.x > square.right() - 2.0 {
        corner.x = centre.x - cell_side / 2.0 - 8.0 - size.x;
    }
    corner.y = corner.y.max(square.top() + 2.0);
    corner.x = corner.x.max(square.left() + 2.0);
    painter.rect_filled(
        Rect::from_min_size(corner, size),
        CornerRadius::same(4),
        egui::Color32::from_black_alpha(200),
    );
    painter.galley(corner + vec2(6.0, 3.0), galley, egui::Color32::WHITE);
}

fn ring(ui: &Ui, square: Rect, centre: egui::Pos2, radius: f32) {
    let painter = ui.painter_at(square);
    painter.circle_stroke(
        centre,
        radius,
        Stroke::new(3.5, egui::Color32::from_black_alpha(160)),
    );
    painter.circle_stroke(centre, radius, Stroke::new(1.5, egui::Color32::WHITE));
}

/// Says why a lane was stopped and offers the way back.
fn stopped(ui: &mut Ui, state: &mut State, kind: LaneKind, square: Rect) {
    let Some(blow_up) = state.blow_ups[kind.index()].clone() else {
        return;
    };
    let shown = state.play.shown(state.first(), state.last());
    if shown + 1 < blow_up.frame {
        return;
    }
    ui.painter().rect_filled(
        square,
        CornerRadius::ZERO,
        palette(ui).panel.gamma_multiply(0.88),
    );
    let inner = Rect::from_center_size(
        square.center(),
        vec2(square.width() - 32.0, square.height().min(190.0)),
    );
    let good = last_sound(state, kind, blow_up.frame);
    let (suggested, usable) = state.strength_marks();
    let strength = state.prefs.settings.guidance.strength;
    let (mut back, mut calm, mut anew) = (false, false, false);
    ui.scope_builder(UiBuilder::new().max_rect(inner), |ui| {
        ui.vertical_centered(|ui| {
            let alarm = palette(ui).alarm;
            ui.label(
                RichText::new(format!("Stopped at frame {}", blow_up.frame))
                    .heading()
                    .color(alarm),
            );
            ui.label(&blow_up.what);
            if kind == LaneKind::Guided && strength > usable {
                ui.label(
                    RichText::new(format!("Beyond λ {usable:.2} this model blows up.")).weak(),
                );
            }
            ui.add_space(2.0 * GRID);
            if kind == LaneKind::Guided && strength != suggested {
                calm = ui
                    .button(format!("Back to frame {good} with λ {suggested:.2}"))
                    .clicked();
            }
            back = ui.button(format!("Back to frame {good}")).clicked();
            anew = ui.button("New start").clicked();
        });
    });
    if calm {
        state.set_strength(suggested);
    }
    if calm || back {
        state.go_back_to(good);
    } else if anew {
        state.restart();
    }
}

/// The newest frame of a lane before frame `before` that is spread as truth's frames are: the last ones before a blow-up have
/// left the data already, and lead there again. Where none is, the one before.
fn last_sound(state: &State, kind: LaneKind, before: usize) -> usize {
    let usual = state
        .facts
        .as_ref()
        .map_or(f64::NAN, |f| 1.05 * f.std_band.1);
    let mut frames = state.archive.frames.iter().rev();
    let sound = frames.find(|f| {
        let lane = f.lanes[kind.index()].as_ref();
        f.index < before && lane.is_some_and(|l| l.stats.std <= usual)
    });
    sound.map_or(before.saturating_sub(1), |f| f.index)
}
