//! Diagnostics on the right: what goes wrong, and what the rollout is judged by.

use egui::{Align2, CornerRadius, Rect, Role, Sense, Stroke, Ui, WidgetInfo, pos2, vec2};

use super::super::plots;
use super::super::plots::discriminator::View;
use super::super::prefs::Tab;
use super::super::state::State;
use super::super::theme::{self, palette};
use super::slots::{self, Ask};

/// Height of a row of tabs, points.
const ROW: f32 = 26.0;
/// Distance between tabs, points.
const GAP: f32 = 20.0;

/// The slots with their tabs.
pub fn show(ui: &mut Ui, state: &mut State) {
    // Asked only while somebody looks: it costs two rows of the networks a frame.
    let reliability = state.plots.discriminator == View::Reliability;
    let looked_at = state.prefs.slots.tabs().contains(&Tab::Discriminator);
    state.source.watch_pairs(looked_at && reliability);
    slots::show(ui, state);
}

/// What a tab shows; the first slot also says what goes wrong.
pub fn plot(ui: &mut Ui, state: &mut State, tab: Tab, first: bool) {
    if first {
        plots::signs::show(ui, state);
    }
    match tab {
        Tab::Time if state.globe().is_some() => plots::rain_time::show(ui, state),
        Tab::Probe if state.globe().is_some() => plots::rain_probe::show(ui, state),
        Tab::Space => plots::space::show(ui, state),
        Tab::Time => plots::time::show(ui, state),
        Tab::Hovmoeller => plots::hovmoeller::show(ui, state),
        Tab::Discriminator => plots::discriminator::show(ui, state),
        Tab::Dynamics => plots::dynamics::show(ui, state),
        Tab::Ensemble => plots::ensemble::show(ui, state),
        Tab::Budget => plots::budget::show(ui, state),
        Tab::Probe => plots::probe::show(ui, state),
    }
}

/// What the head of a slot has beside its tabs.
#[derive(Debug, Clone, Copy)]
pub struct Head {
    /// There are several slots.
    pub many: bool,
    /// There is no room for another one.
    pub full: bool,
    /// A plot asked for by name comes here.
    pub used: bool,
}

/// Tabs of a slot, and its buttons: what is asked for, and whether the slot is being dragged. As many rows as the width
/// asks for.
pub fn head(ui: &mut Ui, all: &[(Tab, &str)], tab: Tab, head: Head) -> (Option<Ask>, bool) {
    let p = palette(ui);
    let width = ui.available_width();
    let galleys: Vec<_> = all
        .iter()
        .map(|(_, name)| {
            ui.painter()
                .layout_no_wrap((*name).to_owned(), theme::body(), p.text)
        })
        .collect();
    let mut places = Vec::with_capacity(all.len());
    let (mut x, mut row) = (0.0f32, 0);
    for galley in &galleys {
        if x > 0.0 && x + galley.size().x > width {
            (x, row) = (0.0, row + 1);
        }
        places.push((x, row));
        x += galley.size().x + GAP;
    }
    let buttons = 2.0 * f32::from(head.many) + f32::from(!head.full);
    if x + buttons * slots::BUTTON > width {
        row += 1;
    }
    let height = ROW * (row + 1) as f32 + 4.0;
    let (rect, _) = ui.allocate_exact_size(vec2(width, height), Sense::hover());
    let mut ask = None;
    for ((galley, (x, row)), (this, name)) in galleys.iter().zip(places).zip(all) {
        let (this, name) = (*this, *name);
        let chosen = tab == this;
        let corner = pos2(rect.left() + x, rect.top() + 2.0 + ROW * row as f32);
        let area = Rect::from_min_size(corner, vec2(galley.size().x, ROW));
        let response = ui.interact(
            area.expand2(vec2(8.0, 0.0)),
            ui.scope_id().with(name),
            Sense::click(),
        );
        response.widget_info(|| WidgetInfo::selected(Role::Tab, true, chosen, name));
        if response.clicked() {
            ask = Some(Ask::Choose(this));
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
        response.clone().on_hover_text(about(this));
        if chosen {
            let line = Rect::from_min_max(
                pos2(area.left(), area.bottom() - 3.0),
                pos2(area.right(), area.bottom() - 1.0),
            );
            let line_color = if head.many && !head.used {
                p.weak
            } else {
                p.accent
            };
            ui.painter()
                .rect_filled(line, CornerRadius::same(1), line_color);
        }
        if response.has_focus() {
            ui.painter().rect_stroke(
                area.expand(3.0),
                CornerRadius::same(3),
                Stroke::new(1.0, p.weak),
                egui::StrokeKind::Inside,
            );
        }
    }
    let row = Rect::from_min_max(
        pos2(rect.left(), rect.bottom() - 2.0 - ROW),
        pos2(rect.right(), rect.bottom() - 4.0),
    );
    let (asked, dragged) = slots::buttons(ui, row, head.many, head.full);
    (asked.or(ask), dragged)
}

fn about(tab: Tab) -> &'static str {
    match tab {
        Tab::Time => "Autocorrelation, change from frame to frame, spread",
        Tab::Space => "Spectrum and distribution of values",
        Tab::Hovmoeller => "Space-time diagrams",
        Tab::Discriminator => "D: what the discriminator says, and whether it means it",
        Tab::Dynamics => "Whether physics predicts the next frame",
        Tab::Ensemble => "The members against truth",
        Tab::Budget => "Energy and enstrophy, or the water of the globe",
        Tab::Probe => "One cell over time",
    }
}
