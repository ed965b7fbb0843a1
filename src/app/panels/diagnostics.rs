//! Diagnostics on the right: what the rollout is judged by.

use egui::{Align2, CornerRadius, Rect, Role, Sense, Stroke, Ui, WidgetInfo, pos2, vec2};

use super::super::plots;
use super::super::prefs::Tab;
use super::super::state::State;
use super::super::theme::{self, GRID, palette};

/// Tabs and the chosen one.
pub fn show(ui: &mut Ui, state: &mut State) {
    let mut tab = state.tab();
    if tabs(ui, state.tabs(), &mut tab) {
        state.prefs.tab = tab;
    }
    ui.add_space(2.0 * GRID);
    match tab {
        Tab::Time if state.globe().is_some() => plots::rain_time::show(ui, state),
        Tab::Probe if state.globe().is_some() => plots::rain_probe::show(ui, state),
        Tab::Space => plots::space::show(ui, state),
        Tab::Time => plots::time::show(ui, state),
        Tab::Hovmoeller => plots::hovmoeller::show(ui, state),
        Tab::Discriminator => plots::discriminator::show(ui, state),
        Tab::Dynamics => plots::dynamics::show(ui, state),
        Tab::Probe => plots::probe::show(ui, state),
    }
}

/// Returns whether another tab was chosen.
fn tabs(ui: &mut Ui, all: &[(Tab, &str)], tab: &mut Tab) -> bool {
    let before = *tab;
    let p = palette(ui);
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), 32.0), Sense::hover());
    let mut x = rect.left();
    for (this, name) in all {
        let (this, name) = (*this, *name);
        let chosen = *tab == this;
        let galley = ui
            .painter()
            .layout_no_wrap(name.to_owned(), theme::body(), p.text);
        let area = Rect::from_min_size(pos2(x, rect.top()), vec2(galley.size().x, rect.height()));
        let response = ui.interact(
            area.expand2(vec2(8.0, 0.0)),
            ui.scope_id().with(name),
            Sense::click(),
        );
        response.widget_info(|| WidgetInfo::selected(Role::Tab, true, chosen, name));
        if response.clicked() {
            *tab = this;
        }
        let color = if chosen || response.hovered() {
            p.text
        } else {
            p.weak
        };
        ui.painter().text(
            area.left_center(),
            Align2::LEFT_CENTER,
            name,
            theme::body(),
            color,
        );
        if this == Tab::Discriminator {
            response
                .clone()
                .on_hover_text("D: what the discriminator says, against noise level");
        }
        if chosen {
            let line = Rect::from_min_max(
                pos2(area.left(), rect.bottom() - 3.0),
                pos2(area.right(), rect.bottom() - 1.0),
            );
            ui.painter()
                .rect_filled(line, CornerRadius::same(1), p.accent);
        }
        if response.has_focus() {
            ui.painter().rect_stroke(
                area.expand(3.0),
                CornerRadius::same(3),
                Stroke::new(1.0, p.weak),
                egui::StrokeKind::Inside,
            );
        }
        x += galley.size().x + 20.0;
    }
    *tab != before
}
