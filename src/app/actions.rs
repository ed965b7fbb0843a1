//! What keys and menus have in common: closing, theme, scale, the visible focus.

use egui::{Key, Modifiers, Stroke, StrokeKind};

use super::commands;
use super::edit;
use super::microscope;
use super::presenter;
use super::stage::Stage;
use super::state::State;
use super::theme::Palette;

/// Handles the keyboard.
pub fn keyboard(ctx: &egui::Context, state: &mut State) {
    let escape =
        |ctx: &egui::Context| ctx.input_mut(|i| i.consume_key(Modifiers::NONE, Key::Escape));
    // An open list closes itself at Esc; a window closes even while a text in it has the keyboard.
    if !egui::Popup::is_any_open(ctx) {
        if state.has_window() {
            if escape(ctx) {
                state.close_windows();
            }
        } else if !ctx.egui_wants_keyboard_input() && escape(ctx) {
            state.pin = None;
        }
    }
    // "?" needs Shift on many keyboards.
    let question = !ctx.egui_wants_keyboard_input()
        && ctx.input_mut(|i| {
            i.consume_key(Modifiers::SHIFT, Key::Questionmark)
                || i.consume_key(Modifiers::SHIFT, Key::Slash)
        });
    if question {
        state.help_open = !state.help_open;
    }
    if !ctx.egui_wants_keyboard_input() && !state.has_window() {
        match state.stage {
            Stage::Microscope => microscope::keyboard(ctx, state),
            Stage::Edit => edit::keyboard(ctx, state),
            _ => {}
        }
        super::stage::keys(ctx, state);
    }
    commands::keyboard(ctx, state);
    let zoom = presenter::zoom(state);
    if ctx.zoom_factor() != zoom {
        ctx.set_zoom_factor(zoom);
    }
}

impl State {
    /// Whether a window lies over the panels.
    pub(super) fn has_window(&self) -> bool {
        self.has_modal()
            || self.help_open
            || self.palette.is_open()
            || self.notices.list_open
            || self.lessons.list_open
    }

    /// Whether a window is open that asks for something, so that nothing else is to be reached.
    pub(super) fn has_modal(&self) -> bool {
        self.files.save_open
            || self.files.model_open
            || self.files.open_open
            || self.rain.is_open()
            || self.restoring.found.is_some()
            || self.plots.save.is_open()
            || self.keeper.asks()
    }

    fn close_windows(&mut self) {
        self.help_open = false;
        self.files.save_open = false;
        self.files.model_open = false;
        self.files.open_open = false;
        self.rain.close();
        self.restoring.found = None;
        self.palette.close();
        self.notices.list_open = false;
        self.lessons.list_open = false;
        self.plots.save.close();
        self.keeper.withdraw();
    }

    /// Opens the window that asks for a file.
    pub fn ask_for_file(&mut self) {
        self.files.open_open = true;
        self.files.save_focus = true;
    }

    /// Guidance and sampler as the model suggests them, lanes as on the first day.
    pub fn reset_settings(&mut self) {
        self.prefs.settings = Default::default();
        if let Some(facts) = self.facts.clone() {
            self.take_suggestions(&facts);
        }
        self.publish();
    }
}

/// Moves the strength by steps, on its grid of steps.
pub fn nudge(state: &mut State, steps: f32) {
    let step = state.strength_limit() / 40.0;
    let now = state.prefs.settings.guidance.strength;
    let next = ((now + steps * step) / step).round() * step;
    // Two decimals are what the window shows; 0.05 is not exact in binary.
    let next = (next * 100.0).round() / 100.0;
    state.set_strength(next.clamp(0.0, state.strength_limit().max(now)));
}

/// Light to dark and back.
pub fn toggle_theme(ctx: &egui::Context, state: &mut State) {
    let dark = ctx.theme() == egui::Theme::Dark;
    state.prefs.dark = Some(!dark);
    apply_theme(ctx, state.prefs.dark);
}

/// Tells egui which theme; `None` follows the system.
pub fn apply_theme(ctx: &egui::Context, dark: Option<bool>) {
    ctx.set_theme(match dark {
        Some(true) => egui::ThemePreference::Dark,
        Some(false) => egui::ThemePreference::Light,
        None => egui::ThemePreference::System,
    });
}

/// A ring around the control that has the keyboard, whatever it is.
pub fn show_focus(ctx: &egui::Context) {
    let Some(id) = ctx.memory(|m| m.focused()) else {
        return;
    };
    let Some(response) = ctx.read_response(id) else {
        return;
    };
    let color = Palette::of(ctx.theme()).accent;
    let painter = ctx.layer_painter(response.layer_id);
    let ring = response.rect.expand(1.0).intersect(ctx.content_rect());
    painter.rect_stroke(ring, 5.0, Stroke::new(1.5, color), StrokeKind::Inside);
}
