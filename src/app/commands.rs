//! Everything that can be asked of the window by name: one list, which the keyboard, the File menu, the help sheet and the
//! palette (Ctrl+K) read.

use egui::{Context, Key, KeyboardShortcut, Modifiers, ViewportCommand};

use crate::export::Format;
use crate::render::Projection;

use super::actions;
use super::prefs::Prefs;
use super::presenter;
use super::stage::Stage;
use super::state::State;

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

const fn plain(key: Key) -> KeyboardShortcut {
    KeyboardShortcut::new(Modifiers::NONE, key)
}

const fn ctrl(key: Key) -> KeyboardShortcut {
    KeyboardShortcut::new(Modifiers::COMMAND, key)
}

fn always(_: &State) -> bool {
    true
}

fn with_frames(state: &State) -> bool {
    !state.archive.frames.is_empty()
}

fn on_globe(state: &State) -> bool {
    state.globe().is_some()
}

macro_rules! command {
    ($group:ident, $name:literal, [$($key:expr),*], $ready:expr, $run:expr) => {
        Command {
            name: $name,
            group: Group::$group,
            keys: &[$($key),*],
            ready: $ready,
            run: $run,
        }
    };
}

/// All commands.
pub static COMMANDS: &[Command] = &[
    command!(
        Time,
        "Play or pause",
        [plain(Key::Space)],
        always,
        |s, _| {
            let order = s.play.toggle();
            s.obey(order);
        }
    ),
    command!(
        Time,
        "One frame back",
        [plain(Key::ArrowLeft)],
        with_frames,
        |s, _| {
            let order = s.play.step(false, s.first(), s.last());
            s.obey(order);
        }
    ),
    command!(
        Time,
        "One frame forward; at the end, make one",
        [plain(Key::ArrowRight)],
        with_frames,
        |s, _| {
            let order = s.play.step(true, s.first(), s.last());
            s.obey(order);
        }
    ),
    command!(
        Time,
        "First frame",
        [plain(Key::Home)],
        with_frames,
        |s, _| {
            let order = s.play.go_to(s.first(), s.last());
            s.obey(order);
        }
    ),
    command!(
        Time,
        "Newest frame",
        [plain(Key::End)],
        with_frames,
        |s, _| {
            let order = s.play.go_to_end();
            s.obey(order);
        }
    ),
    command!(
        Time,
        "Branch from the frame shown",
        [plain(Key::B)],
        with_frames,
        |s, _| s.branch_here()
    ),
    command!(
        Time,
        "A loop begins here",
        [plain(Key::I)],
        with_frames,
        |s, _| {
            let shown = s.play.shown(s.first(), s.last());
            s.play.loop_from(shown, s.last());
        }
    ),
    command!(
        Time,
        "A loop ends here",
        [plain(Key::O)],
        with_frames,
        |s, _| {
            let shown = s.play.shown(s.first(), s.last());
            s.play.loop_to(shown, s.first());
        }
    ),
    command!(
        Time,
        "Loop on or off",
        [plain(Key::L)],
        with_frames,
        |s, _| s.toggle_loop()
    ),
    command!(Time, "New rollout", [ctrl(Key::N)], always, |s, _| s
        .restart()),
    command!(
        Guidance,
        "Stronger guidance λ by one step",
        [plain(Key::ArrowUp), plain(Key::CloseBracket)],
        always,
        |s, _| actions::nudge(s, 1.0)
    ),
    command!(
        Guidance,
        "Weaker guidance λ by one step",
        [plain(Key::ArrowDown), plain(Key::OpenBracket)],
        always,
        |s, _| actions::nudge(s, -1.0)
    ),
    command!(
        Guidance,
        "λ = 0, the image model alone",
        [plain(Key::Num0)],
        always,
        |s, _| s.set_strength(0.0)
    ),
    command!(
        Guidance,
        "λ at the value suggested for this model",
        [plain(Key::Num1)],
        always,
        |s, _| {
            let (suggested, _) = s.strength_marks();
            s.set_strength(suggested);
        }
    ),
    command!(
        Guidance,
        "Next history length m",
        [plain(Key::M)],
        always,
        |s, _| {
            let history = &mut s.prefs.settings.guidance.history;
            *history = (*history + 1) % 4;
            s.publish();
        }
    ),
    command!(
        Guidance,
        "Redo settings",
        [
            KeyboardShortcut::new(Modifiers::COMMAND.plus(Modifiers::SHIFT), Key::Z),
            ctrl(Key::Y)
        ],
        always,
        |s, _| s.redo()
    ),
    command!(Guidance, "Undo settings", [ctrl(Key::Z)], always, |s, _| s
        .undo()),
    command!(Guidance, "Reset settings", [], always, |s, _| s
        .reset_settings()),
    command!(File, "Open…", [ctrl(Key::O)], always, |s, _| s
        .ask_for_file()),
    command!(File, "Open a model folder…", [], always, |s, _| {
        s.files.model_open = true;
    }),
    command!(
        File,
        "Save the session…",
        [ctrl(Key::S)],
        with_frames,
        |s, _| {
            s.open_export(Format::Session);
        }
    ),
    command!(
        File,
        "Save the picture…",
        [plain(Key::S)],
        with_frames,
        |s, _| s.open_save()
    ),
    command!(File, "Export…", [ctrl(Key::E)], with_frames, |s, _| {
        let format = s.files.choice.format;
        s.open_export(format);
    }),
    command!(File, "Export a film…", [], with_frames, |s, _| {
        s.open_export(Format::WebP);
    }),
    command!(File, "Quit", [ctrl(Key::Q)], always, |_, ctx| {
        ctx.send_viewport_cmd(ViewportCommand::Close);
    }),
    command!(View, "Coastlines", [plain(Key::C)], on_globe, |s, _| {
        s.prefs.globe.coast ^= true;
    }),
    command!(View, "Graticule", [plain(Key::G)], on_globe, |s, _| {
        s.prefs.globe.graticule ^= true;
    }),
    command!(
        View,
        "Next projection",
        [plain(Key::P)],
        on_globe,
        |s, _| {
            let projection = &mut s.prefs.globe.view.projection;
            *projection = match projection {
                Projection::Equirectangular => Projection::EqualEarth,
                Projection::EqualEarth => Projection::Equirectangular,
            };
        }
    ),
    command!(View, "The whole field", [], always, |s, _| {
        s.view = Default::default();
        s.prefs.globe.view = s.prefs.globe.view.whole();
    }),
    command!(
        View,
        "Microscope: the denoising of the frame shown, and back",
        [plain(Key::X)],
        with_frames,
        |s, _| match s.stage {
            Stage::Microscope => s.stage = Stage::Lanes,
            _ => s.open_microscope(None),
        }
    ),
    command!(
        View,
        "Edit the last frames by hand, and back",
        [plain(Key::E)],
        with_frames,
        |s, _| match s.stage {
            Stage::Edit => s.stage = Stage::Lanes,
            _ => s.open_editor(),
        }
    ),
    command!(View, "Lambda wall, and back", [], with_frames, |s, _| {
        s.stage = match s.stage {
            Stage::Wall => Stage::Lanes,
            _ => Stage::Wall,
        };
    }),
    // The presenter mode hears its keys itself: it also leaves by them.
    command!(
        View,
        "Presenter mode, for a projector",
        [],
        always,
        |s, ctx| presenter::set(ctx, s, !s.presenter.on)
    ),
    command!(
        View,
        "Light or dark theme",
        [plain(Key::T)],
        always,
        |s, ctx| {
            actions::toggle_theme(ctx, s);
        }
    ),
    command!(
        View,
        "Everything larger",
        [ctrl(Key::Plus), ctrl(Key::Equals)],
        always,
        |s, _| scale(s, 1.0)
    ),
    command!(
        View,
        "Everything smaller",
        [ctrl(Key::Minus)],
        always,
        |s, _| {
            scale(s, -1.0);
        }
    ),
    command!(
        View,
        "Everything at its usual size",
        [ctrl(Key::Num0)],
        always,
        |s, _| {
            s.prefs.scale = 1.0;
        }
    ),
    command!(View, "Reset layout", [], always, |s, ctx| {
        reset_layout(&mut s.prefs);
        ctx.memory_mut(|m| m.data = Default::default());
        actions::apply_theme(ctx, None);
    }),
    command!(Window, "Lessons", [plain(Key::F2)], always, |s, _| {
        s.lessons.list_open = !s.lessons.list_open;
    }),
    command!(Window, "All commands…", [ctrl(Key::K)], always, |s, _| s
        .palette
        .toggle()),
    command!(
        Window,
        "Help",
        [plain(Key::F1), plain(Key::Questionmark)],
        always,
        |s, _| {
            s.help_open = !s.help_open;
        }
    ),
    command!(Window, "List of warnings", [], always, |s, _| {
        s.notices.list_open = !s.notices.list_open;
    }),
];

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
