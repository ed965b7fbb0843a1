//! The list of all commands.

use egui::{Key, KeyboardShortcut, Modifiers, ViewportCommand};

use crate::export::Format;
use crate::render::Projection;
use crate::rollout::settings::LaneKind;

use super::super::actions;
use super::super::panels::slots;
use super::super::prefs::Tab;
use super::super::presenter;
use super::super::stage::Stage;
use super::super::state::State;
use super::{Command, Group, reset_layout, scale};

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

fn with_members(state: &State) -> bool {
    state.spec().members > 1
}

/// A tab of the diagnostics, where the model has it.
macro_rules! tab {
    ($name:literal, $tab:ident) => {
        command!(
            View,
            $name,
            [],
            |s| s.tabs().iter().any(|(tab, _)| *tab == Tab::$tab),
            |s, _| s.prefs.tab = Tab::$tab
        )
    };
}

/// A lane, where the model can make it.
macro_rules! lane {
    ($name:literal, $kind:ident) => {
        command!(
            View,
            $name,
            [],
            |s| !LaneKind::$kind.is_video() || s.facts.as_ref().is_none_or(|f| f.video),
            |s, _| {
                let mut lanes = s.prefs.settings.lanes;
                lanes[LaneKind::$kind.index()] ^= true;
                s.set_lanes(lanes);
            }
        )
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
    tab!("Plots: time", Time),
    tab!("Plots: space", Space),
    tab!("Plots: Hovmöller", Hovmoeller),
    tab!("Plots: discriminator", Discriminator),
    tab!("Plots: dynamics", Dynamics),
    tab!("Plots: ensemble", Ensemble),
    tab!("Plots: budget", Budget),
    tab!("Plots: probe", Probe),
    command!(
        View,
        "Plots: another one below",
        [],
        |s| s.prefs.slots.tabs().len() < slots::MOST,
        |s, _| {
            let tab = s.tab();
            slots::split(s, tab);
        }
    ),
    command!(
        View,
        "Plots: close the one used last",
        [],
        |s| s.prefs.slots.tabs().len() > 1,
        |s, _| {
            let tab = s.tab();
            slots::close(s, tab);
        }
    ),
    lane!("Lane on or off: truth", Truth),
    lane!("Lane on or off: unconditional", Unconditional),
    lane!("Lane on or off: guided", Guided),
    lane!("Lane on or off: forecaster", Forecaster),
    lane!("Lane on or off: video model", Video),
    lane!("Lane on or off: guided video", GuidedVideo),
    command!(View, "Next member", [], with_members, |s, _| {
        s.member = (s.member + 1) % s.spec().members;
    }),
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
