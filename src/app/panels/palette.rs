//! The command palette: type a few letters, Enter does it.

use egui::{Align2, Key, Modifiers, Rect, RichText, Role, ScrollArea, Sense, Ui, WidgetInfo, vec2};

use super::super::commands::{COMMANDS, Command, fit, written};
use super::super::state::State;
use super::super::theme::{self, GRID, palette};

/// State of the palette.
#[derive(Debug, Default)]
pub struct Palette {
    open: bool,
    /// Opened in this frame of the window: a click that did it, in a menu, is no click beside it.
    fresh: bool,
    typed: String,
    chosen: usize,
}

impl Palette {
    /// Whether it is open.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Opens or closes it.
    pub fn toggle(&mut self) {
        *self = Self {
            open: !self.open,
            fresh: true,
            ..Self::default()
        };
    }

    /// Closes it.
    pub fn close(&mut self) {
        *self = Self::default();
    }
}

/// Commands that fit what was typed, the best first; without letters in their order.
fn fitting(state: &State, typed: &str) -> Vec<&'static Command> {
    let ready = COMMANDS.iter().filter(|c| (c.ready)(state));
    let mut found: Vec<_> = ready
        .filter_map(|c| Some((fit(typed, c.name)?, c)))
        .collect();
    if !typed.trim().is_empty() {
        found.sort_by_key(|(score, _)| -score);
    }
    found.into_iter().map(|(_, c)| c).collect()
}

/// The window.
pub fn window(ctx: &egui::Context, state: &mut State) {
    if !state.palette.open {
        return;
    }
    let key = |key: Key| ctx.input_mut(|i| i.consume_key(Modifiers::NONE, key));
    let (down, up, enter) = (key(Key::ArrowDown), key(Key::ArrowUp), key(Key::Enter));
    let found = fitting(state, &state.palette.typed);
    let last = found.len().saturating_sub(1);
    let chosen = &mut state.palette.chosen;
    *chosen = match (down, up) {
        (true, _) => (*chosen + 1).min(last),
        (_, true) => chosen.saturating_sub(1),
        _ => (*chosen).min(last),
    };
    let mut run = enter.then(|| found.get(*chosen).copied()).flatten();
    let moved = down || up;
    let shown = egui::Window::new("Commands")
        .title_bar(false)
        .resizable(false)
        .anchor(Align2::CENTER_TOP, [0.0, 72.0])
        .show(ctx, |ui| {
            ui.set_width(420.0);
            let edit = egui::TextEdit::singleline(&mut state.palette.typed)
                .hint_text("Type a few letters of a command")
                .desired_width(f32::INFINITY)
                .margin(egui::Margin::symmetric(8, 6));
            let response = ui.add(edit);
            let id = response.id;
            ui.ctx()
                .accesskit_node_builder(id, |node| node.set_label("Command"));
            response.request_focus();
            if response.changed() {
                state.palette.chosen = 0;
            }
            ui.add_space(GRID);
            ScrollArea::vertical().max_height(360.0).show(ui, |ui| {
                ui.spacing_mut().item_spacing.y = 0.0;
                for (i, command) in found.iter().enumerate() {
                    let here = i == state.palette.chosen;
                    let response = line(ui, command, here);
                    if here && moved {
                        response.scroll_to_me(None);
                    }
                    if response.clicked() {
                        run = Some(command);
                    }
                }
                if found.is_empty() {
                    ui.label(RichText::new("No command fits").weak());
                }
            });
        });
    let fresh = std::mem::take(&mut state.palette.fresh);
    let outside = !fresh && shown.is_some_and(|s| s.response.clicked_elsewhere());
    if let Some(command) = run {
        state.palette.close();
        (command.run)(state, ctx);
    } else if outside {
        state.palette.close();
    }
}

/// A command with its key.
fn line(ui: &mut Ui, command: &Command, chosen: bool) -> egui::Response {
    let p = palette(ui);
    let size = vec2(ui.available_width(), 28.0);
    let (rect, response) = ui.allocate_exact_size(size, Sense::click());
    response.widget_info(|| WidgetInfo::selected(Role::Button, true, chosen, command.name));
    if chosen || response.hovered() {
        let fill = if chosen {
            p.raised
        } else {
            p.raised.gamma_multiply(0.5)
        };
        ui.painter().rect_filled(rect, 5.0, fill);
    }
    let inner: Rect = rect.shrink2(vec2(2.0 * GRID, 0.0));
    let painter = ui.painter();
    painter.text(
        inner.left_center(),
        Align2::LEFT_CENTER,
        command.name,
        theme::body(),
        p.text,
    );
    painter.text(
        inner.right_center(),
        Align2::RIGHT_CENTER,
        written(command, ui.ctx()),
        // Arrows are only in this one.
        egui::FontId::monospace(11.5),
        p.weak,
    );
    response
}
