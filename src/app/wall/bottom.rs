//! The bar below the wall: run, pause, step, scrub.

use egui::{Align, Align2, CornerRadius, Layout, Rect, Sense, Ui, WidgetInfo, pos2, vec2};

use crate::rollout::wall::WallCommand;

use super::super::state::State;
use super::super::theme::{self, palette};
use super::super::widgets::{Icon, icon_button, number};

/// The bar.
pub fn bottom(ui: &mut Ui, state: &mut State) {
    ui.horizontal_centered(|ui| {
        ui.spacing_mut().item_spacing.x = 2.0;
        let wall = &mut state.wall;
        let (first, last) = (wall.value.first(), wall.value.last());
        let shown = wall.shown();
        let mut go = None;
        if icon_button(ui, Icon::First, 30.0, "First frame that is kept (Home)").clicked() {
            go = Some(first);
        }
        if icon_button(ui, Icon::Back, 30.0, "One frame back").clicked() {
            go = Some(shown.saturating_sub(1).max(first));
        }
        let (icon, name) = match wall.running {
            true => (Icon::Pause, "Pause the wall (Space)"),
            false => (Icon::Play, "Run the wall (Space)"),
        };
        if icon_button(ui, icon, 36.0, name).clicked() {
            wall.run(!wall.running);
        }
        if icon_button(
            ui,
            Icon::Forward,
            30.0,
            "One frame forward; at the end, make one",
        )
        .clicked()
        {
            if shown < last {
                go = Some(shown + 1);
            } else {
                wall.running = false;
                wall.past = None;
                wall.send(WallCommand::Step(1));
            }
        }
        if icon_button(ui, Icon::Last, 30.0, "Newest frame (End)").clicked() {
            wall.past = None;
        }
        if let Some(to) = go {
            if std::mem::take(&mut wall.running) {
                wall.send(WallCommand::Pause);
            }
            wall.past = (to < last).then_some(to);
        }
        ui.add_space(12.0);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let frame = state.wall.value.frame(shown);
            let when = match frame.and_then(|f| f.date) {
                Some(date) => date.to_string(),
                None => format!("t {}", number(frame.map_or(f64::NAN, |f| f.time), 2)),
            };
            let (done, all) = state.wall.value.step;
            let step = match all {
                0 => String::new(),
                _ => format!("step {done}/{all}"),
            };
            let name = if state.globe().is_some() {
                "day"
            } else {
                "frame"
            };
            for (width, text, weak) in [
                (84.0, when, false),
                (112.0, format!("{name} {shown} / {last}"), false),
                (92.0, step, true),
            ] {
                let (rect, _) = ui.allocate_exact_size(vec2(width, 24.0), Sense::hover());
                let p = palette(ui);
                let color = if weak { p.weak } else { p.text };
                let at = rect.right_center();
                ui.painter()
                    .text(at, Align2::RIGHT_CENTER, text, theme::body(), color);
            }
            ui.add_space(12.0);
            let room = vec2(ui.available_width(), 40.0);
            let (rect, _) = ui.allocate_exact_size(room, Sense::hover());
            scrub(ui, state, rect, shown);
        });
    });
}

fn scrub(ui: &Ui, state: &mut State, rect: Rect, shown: usize) {
    let p = palette(ui);
    let wall = &mut state.wall;
    let (first, last) = (wall.value.first(), wall.value.last());
    let inner = rect.shrink2(vec2(8.0, 0.0));
    let response = ui.interact(
        rect,
        ui.scope_id().with("wall scrub"),
        Sense::click_and_drag(),
    );
    response.widget_info(|| WidgetInfo::slider(true, shown as f64, "Frame of the wall shown"));
    let span = last.saturating_sub(first).max(40) as f32;
    let x_of = |f: usize| inner.left() + inner.width() * f.saturating_sub(first) as f32 / span;
    if (response.clicked() || response.dragged())
        && let Some(at) = response.interact_pointer_pos()
    {
        let t = ((at.x - inner.left()) / inner.width()).clamp(0.0, 1.0);
        let to = (first + (t * span).round() as usize).min(last);
        wall.past = (to < last).then_some(to);
        if std::mem::take(&mut wall.running) {
            wall.send(WallCommand::Pause);
        }
    }
    let y = rect.center().y;
    let rail = |from: f32, to: f32| Rect::from_min_max(pos2(from, y - 2.0), pos2(to, y + 2.0));
    let painter = ui.painter();
    let round = CornerRadius::same(2);
    painter.rect_filled(rail(inner.left(), inner.right()), round, p.raised);
    let made = p.weak.gamma_multiply(0.55);
    painter.rect_filled(rail(x_of(first), x_of(last)), round, made);
    painter.rect_filled(rail(x_of(first), x_of(shown)), round, p.accent);
    let grow = if response.hovered() { 1.0 } else { 0.0 };
    painter.circle_filled(pos2(x_of(shown), y), 6.0 + grow, p.accent);
}
