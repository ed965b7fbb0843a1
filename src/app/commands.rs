//! Everything that can be asked of the window by name: one list, which the keyboard, the File menu, the help sheet and the
//! palette (Ctrl+K) read.

use egui::{Context, Key, KeyboardShortcut};

use super::prefs::Prefs;
use super::state::State;

mod list;

pub use list::COMMANDS;

/// Smallest and largest size of everything in the window, and the step between two.
const SCALES: (f32, f32, f32) = (0.7, 2.5, 0.1);

/// A command.
pub struct Command {
    /// What it does, in the words of the palette.
    pub name: &'static str,
    /// Where it stands in the help sheet.
    pub group: Group,
    /// Keys that do it.
    pub keys: &'static [KeyboardShortcut],
    /// Whether it can be done now.
    pub ready: fn(&State) -> bool,
    /// Does it.
    pub run: fn(&mut State, &Context),
}

/// Groups of the help sheet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// Frames and their order.
    Time,
    /// What acts on the next frame.
    Guidance,
    /// Files.
    File,
    /// How it looks.
    View,
    /// The window.
    Window,
}

/// A step of the size of everything.
fn scale(state: &mut State, steps: f32) {
    let (least, most, step) = SCALES;
    let next = ((state.prefs.scale + steps * step) / step).round() * step;
    state.prefs.scale = next.clamp(least, most);
}

/// Theme, colours, folds, size: as on the first day. Settings, models and files stay.
fn reset_layout(prefs: &mut Prefs) {
    let fresh = Prefs::default();
    prefs.dark = fresh.dark;
    prefs.color_map = fresh.color_map;
    prefs.range_limit = fresh.range_limit;
    prefs.smooth = fresh.smooth;
    prefs.tab = fresh.tab;
    prefs.slots = fresh.slots;
    prefs.folds = fresh.folds;
    prefs.globe = fresh.globe;
    prefs.speed = fresh.speed;
    prefs.scale = fresh.scale;
}

/// The command of that name.
pub fn named(name: &str) -> Option<&'static Command> {
    COMMANDS.iter().find(|c| c.name == name)
}

/// A key as it is written ("Ctrl+S", "←").
pub fn key_text(key: &KeyboardShortcut, ctx: &Context) -> String {
    match (key.modifiers.is_none(), key.logical_key) {
        (true, Key::ArrowLeft) => "←".to_owned(),
        (true, Key::ArrowRight) => "→".to_owned(),
        (true, Key::ArrowUp) => "↑".to_owned(),
        (true, Key::ArrowDown) => "↓".to_owned(),
        (true, Key::OpenBracket) => "[".to_owned(),
        (true, Key::CloseBracket) => "]".to_owned(),
        (true, Key::Questionmark) => "?".to_owned(),
        _ => ctx.format_shortcut(key),
    }
}

/// The keys of a command as they are written, the first of them where it has several.
pub fn written(command: &Command, ctx: &Context) -> String {
    command
        .keys
        .first()
        .map(|k| key_text(k, ctx))
        .unwrap_or_default()
}

/// Does what the keyboard asks for. Where a text or a control has the keyboard, only commands with Ctrl are heard, and
/// not those that a text has too.
pub fn keyboard(ctx: &Context, state: &mut State) {
    if state.has_modal() {
        return;
    }
    // Behind a window only keys act that are held with Ctrl, and function keys.
    let window = state.has_window();
    let taken = ctx.egui_wants_keyboard_input();
    for command in COMMANDS {
        let pressed = command.keys.iter().any(|key| {
            let edits = matches!(key.logical_key, Key::Z | Key::Y);
            let function =
                key.logical_key.name().len() > 1 && key.logical_key.name().starts_with('F');
            (!taken || key.modifiers.command && !edits)
                && (!window || key.modifiers.command || function)
                && ctx.input_mut(|i| i.consume_shortcut(key))
        });
        if pressed && (command.ready)(state) {
            (command.run)(state, ctx);
        }
    }
}

/// How well a command fits what was typed: the letters must come in this order; runs of letters and beginnings of words
/// count more. `None` where it does not fit.
pub fn fit(typed: &str, name: &str) -> Option<i32> {
    let lower = |text: &str| -> Vec<char> { text.chars().flat_map(char::to_lowercase).collect() };
    let letters = lower(name);
    let mut wanted = lower(typed);
    wanted.retain(|c| !c.is_whitespace());
    let Some(first) = wanted.first() else {
        return Some(0);
    };
    let starts = (0..letters.len()).filter(|i| letters.get(*i) == Some(first));
    let best = starts
        .filter_map(|at| fit_from(&wanted, &letters, at))
        .max()?;
    // Shorter names first among equals.
    Some(best * 8 - (letters.len() / 8) as i32)
}

/// As [`fit`], with the first letter at a given place.
fn fit_from(wanted: &[char], letters: &[char], start: usize) -> Option<i32> {
    let (mut at, mut score, mut last) = (start, 0, None);
    for letter in wanted {
        let found = letters.iter().skip(at).position(|c| c == letter)? + at;
        let begins = found == 0 || letters.get(found - 1).is_some_and(|c| !c.is_alphanumeric());
        score += match (last, begins) {
            (Some(l), _) if l + 1 == found => 6,
            (_, true) => 5,
            _ => 1,
        };
        score -= (found - at).min(4) as i32;
        last = Some(found);
        at = found + 1;
    }
    Some(score)
}

#[cfg(test)]
mod tests;
