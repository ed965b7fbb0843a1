//! What the keyboard does.

use egui::{Key, Modifiers};

use crate::render::Projection;

use super::edit;
use super::microscope;
use super::stage::Stage;
use super::state::State;

/// Keys that only the globe has.
pub const GLOBE_KEYS: &str = "C  G  P";

/// Keys and what they do, as the help sheet shows them.
pub const KEYS: &[(&str, &str)] = &[
    ("Space", "play or pause"),
    ("← →", "one frame back or forward; at the end, make one"),
    ("Home  End", "first and newest frame"),
    ("B", "branch from the frame shown"),
    ("I  O  L", "a loop begins here, ends here; loop on or off"),
    ("↑ ↓  or  ] [", "guidance strength λ by 0.05"),
    ("0", "λ = 0, the image model alone"),
    ("1", "λ at the value suggested for this model"),
    ("M", "next history length"),
    ("S", "save the picture"),
    (GLOBE_KEYS, "coastlines, graticule, projection"),
    (
        "X",
        "microscope: the denoising of the frame shown, and back",
    ),
    ("E", "edit the last frames by hand, and back"),
    ("T", "light or dark"),
    ("F2", "lessons"),
    ("F11  Shift+P", "presenter mode, for a projector"),
    ("Ctrl+Z  Ctrl+Y", "undo and redo of settings"),
    ("Esc", "close what is open; forget the followed cell"),
    ("F1  ?", "this help"),
];

/// Handles the keyboard; nothing while a text field has it.
pub fn keyboard(ctx: &egui::Context, state: &mut State) {
    if ctx.egui_wants_keyboard_input() {
        return;
    }
    match state.stage {
        Stage::Microscope => microscope::keyboard(ctx, state),
        Stage::Edit => edit::keyboard(ctx, state),
        _ => {}
    }
    tree_keys(ctx, state);
    super::stage::keys(ctx, state);
    let pressed = |key: Key| ctx.input_mut(|i| i.consume_key(Modifiers::NONE, key));
    let (first, last) = (state.first(), state.last());
    if pressed(Key::Space) {
        let order = state.play.toggle();
        state.obey(order);
    }
    if pressed(Key::ArrowLeft) {
        let order = state.play.step(false, first, last);
        state.obey(order);
    }
    if pressed(Key::ArrowRight) {
        let order = state.play.step(true, first, last);
        state.obey(order);
    }
    if pressed(Key::Home) {
        let order = state.play.go_to(first, last);
        state.obey(order);
    }
    if pressed(Key::End) {
        let order = state.play.go_to_end();
        state.obey(order);
    }
    let step = state.strength_limit() / 40.0;
    if pressed(Key::ArrowUp) || pressed(Key::CloseBracket) {
        nudge(state, step);
    }
    if pressed(Key::ArrowDown) || pressed(Key::OpenBracket) {
        nudge(state, -step);
    }
    if pressed(Key::Num0) {
        state.set_strength(0.0);
    }
    if pressed(Key::Num1) {
        let (suggested, _) = state.strength_marks();
        state.set_strength(suggested);
    }
    if pressed(Key::M) {
        let history = &mut state.prefs.settings.guidance.history;
        *history = (*history + 1) % 4;
        state.publish();
    }
    if pressed(Key::S) {
        state.open_save();
    }
    if state.globe().is_some() {
        let globe = &mut state.prefs.globe;
        globe.coast ^= pressed(Key::C);
        globe.graticule ^= pressed(Key::G);
        if pressed(Key::P) {
            globe.view.projection = match globe.view.projection {
                Projection::Equirectangular => Projection::EqualEarth,
                Projection::EqualEarth => Projection::Equirectangular,
            };
        }
    }
    if pressed(Key::X) && !state.archive.frames.is_empty() {
        match state.stage {
            Stage::Microscope => state.stage = Stage::Lanes,
            _ => state.open_microscope(None),
        }
    }
    if pressed(Key::F2) {
        state.lessons.list_open = !state.lessons.list_open;
    }
    if pressed(Key::E) && !state.archive.frames.is_empty() {
        match state.stage {
            Stage::Edit => state.stage = Stage::Lanes,
            _ => state.open_editor(),
        }
    }
    if pressed(Key::T) {
        toggle_theme(ctx, state);
    }
    // "?" needs Shift on many keyboards.
    let question = ctx.input_mut(|i| {
        i.consume_key(Modifiers::SHIFT, Key::Questionmark)
            || i.consume_key(Modifiers::SHIFT, Key::Slash)
    });
    if pressed(Key::F1) || pressed(Key::Questionmark) || question {
        state.help_open = !state.help_open;
    }
    // An open list closes itself at Esc.
    if !egui::Popup::is_any_open(ctx) && pressed(Key::Escape) {
        if state.lessons.list_open {
            state.lessons.list_open = false;
        } else if state.help_open
            || state.files.save_open
            || state.files.model_open
            || state.plots.save.is_open()
            || state.rain.is_open()
            || state.notices.list_open
        {
            state.help_open = false;
            state.files.save_open = false;
            state.files.model_open = false;
            state.plots.save.close();
            state.rain.close();
            state.notices.list_open = false;
        } else {
            state.pin = None;
        }
    }
}

/// Undo and redo, branches, the loop.
fn tree_keys(ctx: &egui::Context, state: &mut State) {
    let with = |modifiers, key| ctx.input_mut(|i| i.consume_key(modifiers, key));
    let both = Modifiers::COMMAND | Modifiers::SHIFT;
    // The one with more modifiers first: the other would take it too.
    if with(both, Key::Z) || with(Modifiers::COMMAND, Key::Y) {
        state.redo();
    } else if with(Modifiers::COMMAND, Key::Z) {
        state.undo();
    }
    if state.archive.frames.is_empty() {
        return;
    }
    let pressed = |key: Key| with(Modifiers::NONE, key);
    let (first, last) = (state.first(), state.last());
    let shown = state.play.shown(first, last);
    if pressed(Key::B) {
        state.branch_here();
    }
    if pressed(Key::I) {
        state.play.loop_from(shown, last);
    }
    if pressed(Key::O) {
        state.play.loop_to(shown, first);
    }
    if pressed(Key::L) {
        state.toggle_loop();
    }
}

/// One step of the strength, on its grid of steps.
fn nudge(state: &mut State, by: f32) {
    let step = by.abs();
    let now = state.prefs.settings.guidance.strength;
    let next = ((now + by) / step).round() * step;
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
