//! A few words for the first visit, and the sheet of keys.

use egui::{Rect, RichText, Ui, pos2};

use super::super::commands::{COMMANDS, Group, written};
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

/// Keys of some groups of commands.
fn keys(ui: &mut Ui, state: &State, groups: &[Group]) {
    egui::Grid::new(("keys", groups.len()))
        .num_columns(2)
        .spacing([12.0, 4.0])
        .min_row_height(18.0)
        .show(ui, |ui| {
            for group in groups {
                let there = COMMANDS
                    .iter()
                    .filter(|c| c.group == *group && !c.keys.is_empty());
                for command in there.filter(|c| (c.ready)(state)) {
                    let key = written(command, ui.ctx());
                    ui.label(RichText::new(key).monospace());
                    ui.label(
                        RichText::new(command.name.trim_end_matches('…'))
                            .small()
                            .weak(),
                    );
                    ui.end_row();
                }
            }
        });
}

/// The sheet behind `?`.
pub fn sheet(ctx: &egui::Context, state: &mut State) {
    if !state.help_open {
        return;
    }
    let mut open = true;
    let state_now = &*state;
    egui::Window::new("Help")
        .open(&mut open)
        .collapsible(false)
        .resizable(false)
        .anchor(egui::Align2::CENTER_CENTER, [0.0, 0.0])
        .show(ctx, |ui| {
            ui.set_width(640.0);
            let about = "An image diffusion model makes single frames. A discriminator that looks at the frames before pulls each \
                         new one, at every step of its denoising, towards what could come next: time appears.";
            ui.add(egui::Label::new(about).wrap());
            ui.add_space(2.0 * GRID);
            words(ui, state, usize::MAX);
            ui.add_space(GRID);
            ui.columns_const(|[left, right]| {
                keys(left, state_now, &[Group::Time, Group::Guidance]);
                keys(right, state_now, &[Group::File, Group::View, Group::Window]);
            });
            ui.add_space(2.0 * GRID);
            let paper = "Method: Hess et al. 2025, arXiv 2505.09089";
            ui.label(RichText::new(paper).small().weak());
        });
    state.help_open = open;
}
