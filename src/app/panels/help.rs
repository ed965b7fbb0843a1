//! A few words for the first visit, and the sheet of keys.

use egui::{Key, KeyboardShortcut, Label, Modifiers, Rect, RichText, ScrollArea, Ui, pos2, vec2};

use super::super::commands::{COMMANDS, Group, key_text};
use super::super::state::State;
use super::super::theme::{self, GRID, palette};

const TRY: [(&str, &str); 3] = [
    (
        "Drag λ to 0",
        "Every frame is a good picture, but unrelated to the last: it flickers.",
    ),
    (
        "Drag it back to 1",
        "The vortices move like a fluid. Only the discriminator's gradient was added.",
    ),
    (
        "Point, click, wheel",
        "Read a value, follow a cell over time, zoom all lanes together.",
    ),
];

/// On the globe.
const TRY_RAIN: [(&str, &str); 3] = [
    (
        "Drag λ to 0",
        "Every day is a good weather map, but unrelated to the day before.",
    ),
    (
        "Drag it back to 1",
        "Fronts travel and the rain of the tropics lives on. Only the discriminator's gradient was added.",
    ),
    (
        "Point, click, wheel, drag",
        "Read a value, follow a cell over time, zoom all lanes together, turn the globe.",
    ),
];

/// In a world with known answers.
const TRY_KNOWN: [(&str, &str); 3] = [
    (
        "Drag λ to 0",
        "Every frame is a perfect sample, but unrelated to the last: it flickers.",
    ),
    (
        "Drag it back to 1",
        "The gradient of the exact discriminator makes each frame follow from the last.",
    ),
    (
        "Let D be mistaken",
        "Under Discriminator: you see what it believes, not what is true.",
    ),
];

/// What to try in the model on screen.
fn tips(state: &State) -> [(&'static str, &'static str); 3] {
    match (state.globe().is_some(), state.world_asked().is_some()) {
        (true, _) => TRY_RAIN,
        (_, true) => TRY_KNOWN,
        _ => TRY,
    }
}

fn words(ui: &mut Ui, state: &State, most: usize) {
    let p = palette(ui);
    ui.spacing_mut().item_spacing.y = 2.0;
    for (what, why) in tips(state).into_iter().take(most) {
        ui.add(egui::Label::new(RichText::new(what).color(p.text)).wrap());
        ui.add(egui::Label::new(RichText::new(why).weak()).wrap());
        ui.add_space(2.0 * GRID);
    }
}

/// Number of hints that have room above the button, in a tile of that size.
fn that_fit(ui: &Ui, state: &State, size: egui::Vec2) -> usize {
    let lines = |text: &str| {
        let (text, font) = (text.to_owned(), theme::body());
        let galley = ui
            .painter()
            .layout(text, font, egui::Color32::WHITE, size.x);
        galley.size().y
    };
    // Heading and button with what is between them.
    let mut used = 76.0;
    let mut count = 0;
    for (what, why) in tips(state) {
        used += lines(what) + lines(why) + 2.0 * GRID + 4.0;
        count += usize::from(used <= size.y);
    }
    count
}

/// In the free tile.
pub fn first_words(ui: &mut Ui, state: &mut State) {
    let most = that_fit(ui, state, ui.available_size());
    hints(ui, state, most);
}

fn hints(ui: &mut Ui, state: &mut State, most: usize) {
    ui.label(RichText::new("What to try").heading());
    ui.add_space(GRID);
    words(ui, state, most);
    ui.add_space(GRID);
    ui.horizontal(|ui| {
        if ui.button("Got it").clicked() {
            state.prefs.tips_dismissed = true;
        }
        ui.label(RichText::new("? brings it back").small().weak());
    });
}

/// Over the viewport, where no tile is free.
pub fn card_over(ui: &Ui, state: &mut State, whole: Rect) {
    if state.prefs.tips_dismissed || state.archive.frames.is_empty() {
        return;
    }
    egui::Area::new(egui::Id::unique("first words"))
        .fixed_pos(pos2(whole.left() + 16.0, whole.bottom() - 16.0))
        .pivot(egui::Align2::LEFT_BOTTOM)
        .show(ui.ctx(), |ui| {
            egui::Frame::popup(ui.style())
                .inner_margin(16)
                .show(ui, |ui| {
                    ui.set_width(320.0);
                    hints(ui, state, usize::MAX);
                });
        });
}

/// Groups of commands in the left and in the right column of the sheet.
const COLUMNS: [&[Group]; 2] = [
    &[Group::Time, Group::Guidance],
    &[Group::File, Group::View, Group::Window],
];

/// Keys that no command has: a stage, a mode or a control hears them.
struct Heard {
    place: &'static str,
    keys: &'static [KeyboardShortcut],
    what: &'static str,
}

const fn heard(
    place: &'static str,
    keys: &'static [KeyboardShortcut],
    what: &'static str,
) -> Heard {
    Heard { place, keys, what }
}

const fn key(key: Key) -> KeyboardShortcut {
    KeyboardShortcut::new(Modifiers::NONE, key)
}

const SIDEWAYS: [KeyboardShortcut; 2] = [key(Key::ArrowLeft), key(Key::ArrowRight)];
const UP_DOWN: [KeyboardShortcut; 2] = [key(Key::ArrowUp), key(Key::ArrowDown)];
const ENDS: [KeyboardShortcut; 2] = [key(Key::Home), key(Key::End)];
const CTRL_SHIFT_Z: KeyboardShortcut =
    KeyboardShortcut::new(Modifiers::COMMAND.plus(Modifiers::SHIFT), Key::Z);

static ELSEWHERE: [Heard; 20] = [
    heard(
        "Everywhere",
        &[key(Key::Escape)],
        "Close the windows; without one, forget the cell that is followed",
    ),
    heard(
        "Presenter mode",
        &[
            key(Key::F11),
            KeyboardShortcut::new(Modifiers::SHIFT, Key::P),
        ],
        "Begin it, and leave it",
    ),
    heard("Presenter mode", &[key(Key::A)], "Plot beside the lanes"),
    heard("Presenter mode", &[key(Key::Escape)], "Leave it"),
    heard("Microscope", &SIDEWAYS, "One noise level back or forward"),
    heard("Microscope", &ENDS, "Pure noise, and the finished frame"),
    heard("Microscope", &[key(Key::Space)], "Play the denoising"),
    heard(
        "Edit",
        &[KeyboardShortcut::new(Modifiers::COMMAND, Key::Z)],
        "Undo a stroke",
    ),
    heard(
        "Edit",
        &[
            CTRL_SHIFT_Z,
            KeyboardShortcut::new(Modifiers::COMMAND, Key::Y),
        ],
        "Redo it",
    ),
    heard("Wall", &SIDEWAYS, "The tile to the left or right"),
    heard("Wall", &UP_DOWN, "The tile above or below"),
    heard(
        "Wall",
        &[key(Key::Enter)],
        "Make the chosen tile the rollout of the lanes",
    ),
    heard("Wall", &[key(Key::Space)], "Play or pause the wall"),
    heard("Wall", &ENDS, "Its first frame, and its newest"),
    heard("Branch in the tree", &[key(Key::C)], "Compare with it"),
    heard("Branch in the tree", &[key(Key::R)], "Rename it"),
    heard("Branch in the tree", &[key(Key::Delete)], "Delete it"),
    heard(
        "Branch in the tree",
        &[key(Key::Escape)],
        "Leave its name as it was",
    ),
    heard("λ slider", &SIDEWAYS, "Weaker or stronger by one step"),
    heard(
        "All commands",
        &[key(Key::ArrowUp), key(Key::ArrowDown), key(Key::Enter)],
        "Choose a command, and do it",
    ),
];

/// A line of the sheet: keys, and what they do.
fn line(ui: &mut Ui, keys: &[KeyboardShortcut], what: &str) {
    const KEYS: f32 = 104.0;
    let texts: Vec<String> = keys.iter().map(|k| key_text(k, ui.ctx())).collect();
    ui.horizontal_top(|ui| {
        ui.spacing_mut().item_spacing.x = 8.0;
        ui.allocate_ui(vec2(KEYS, 0.0), |ui| {
            ui.set_width(KEYS);
            let text = RichText::new(texts.join(" ")).monospace();
            ui.add(Label::new(text).wrap());
        });
        let text = what.trim_end_matches('…');
        ui.add(Label::new(RichText::new(text).small().weak()).wrap());
    });
}

/// Keys of some groups of commands.
fn keys(ui: &mut Ui, state: &State, groups: &[Group]) {
    for group in groups {
        let there = COMMANDS
            .iter()
            .filter(|c| c.group == *group && !c.keys.is_empty());
        for command in there.filter(|c| (c.ready)(state)) {
            line(ui, command.keys, command.name);
        }
    }
}

/// Keys that no command has, by where they are heard.
fn elsewhere(ui: &mut Ui, part: &[Heard]) {
    let mut place = "";
    for heard in part {
        if heard.place != place {
            place = heard.place;
            ui.add_space(GRID);
            ui.label(RichText::new(place).small());
        }
        line(ui, heard.keys, heard.what);
    }
}

/// The sheet behind `?`.
pub fn sheet(ctx: &egui::Context, state: &mut State) {
    if !state.help_open {
        return;
    }
    let mut open = true;
    let state_now = &*state;
    let room = ctx.content_rect().size() - vec2(72.0, 112.0);
    egui::Window::new("Help")
        .open(&mut open)
        .collapsible(false)
        .resizable(false)
        .anchor(egui::Align2::CENTER_CENTER, [0.0, 0.0])
        .show(ctx, |ui| {
            let width = room.x.min(720.0);
            ui.set_width(width);
            ScrollArea::vertical()
                .max_height(room.y.max(120.0))
                .show(ui, |ui| {
                    ui.set_width(width - 12.0);
                    ui.spacing_mut().item_spacing.y = 2.0;
                    let about = "An image diffusion model makes single frames. A discriminator that looks at the frames before \
                                 pulls each new one, at every step of its denoising, towards what could come next: time appears.";
                    ui.add(Label::new(about).wrap());
                    ui.add_space(2.0 * GRID);
                    words(ui, state_now, usize::MAX);
                    ui.add_space(GRID);
                    ui.columns_const(|[left, right]| {
                        keys(left, state_now, COLUMNS[0]);
                        keys(right, state_now, COLUMNS[1]);
                    });
                    ui.add_space(2.0 * GRID);
                    ui.label("Keys with another meaning where they are heard first");
                    let (first, second) = ELSEWHERE.split_at(9);
                    ui.columns_const(|[left, right]| {
                        elsewhere(left, first);
                        elsewhere(right, second);
                    });
                    ui.add_space(2.0 * GRID);
                    let paper = "Method: Hess et al. 2025, arXiv 2505.09089";
                    ui.label(RichText::new(paper).small().weak());
                });
        });
    state.help_open = open;
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Every group of commands has its place, so that every key of a command stands in the sheet.
    #[test]
    fn the_sheet_has_room_for_every_command() {
        for command in COMMANDS {
            assert!(COLUMNS.iter().any(|c| c.contains(&command.group)));
        }
    }

    /// The keys that the stages hear are those that the sheet tells, no more and no fewer.
    #[test]
    fn the_sheet_tells_every_key_that_is_heard() {
        let sources = [
            ("Everywhere", include_str!("../actions.rs")),
            ("Presenter mode", include_str!("../presenter.rs")),
            ("Microscope", include_str!("../microscope/mod.rs")),
            ("Edit", include_str!("../edit/mod.rs")),
            ("Wall", include_str!("../wall/mod.rs")),
            ("Branch in the tree", include_str!("branches.rs")),
            ("λ slider", include_str!("strength.rs")),
            ("All commands", include_str!("palette.rs")),
        ];
        for (place, source) in sources {
            let code = source.split("#[cfg(test)]").next().unwrap_or_default();
            let names = code.split("Key::").skip(1).map(|rest| {
                let end = rest.find(|c: char| !c.is_alphanumeric());
                rest[..end.unwrap_or(rest.len())].to_owned()
            });
            // "?" is the key of the command Help.
            let help = ["Questionmark", "Slash"];
            let heard: BTreeSet<String> = names.filter(|n| !help.contains(&n.as_str())).collect();
            let told: BTreeSet<String> = ELSEWHERE
                .iter()
                .filter(|h| h.place == place)
                .flat_map(|h| h.keys)
                .map(|k| format!("{:?}", k.logical_key))
                .collect();
            assert_eq!(heard, told, "{place}");
        }
        let places = ELSEWHERE.iter().map(|h| h.place).collect::<BTreeSet<_>>();
        assert_eq!(places.len(), sources.len());
    }
}
