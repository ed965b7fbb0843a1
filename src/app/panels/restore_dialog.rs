//! What was found in a file, before the run in it takes the place of the one on screen; the window that asks for a file.

use std::path::PathBuf;

use egui::text::CCursorRange;
use egui::{Align, Button, Layout, RichText, Ui};

use super::super::files::Purpose;
use super::super::opening::{Found, What, can_start};
use super::super::state::State;
use super::super::theme::{GRID, palette};
use super::super::widgets;

/// The window of what was found.
pub fn window(ctx: &egui::Context, state: &mut State) {
    let Some(found) = &state.restoring.found else {
        return;
    };
    let mut open = true;
    let (mut go, mut start, mut cancel, mut discard) = (false, false, false, false);
    let left = state.keeper.has_recovered(&found.path);
    let shown = egui::Window::new("Restore the run")
        .open(&mut open)
        .collapsible(false)
        .resizable(false)
        .anchor(egui::Align2::CENTER_CENTER, [0.0, -40.0])
        .show(ctx, |ui| {
            ui.set_width(440.0);
            if left {
                let text = "The program did not end as it should last time. This copy of the rollout was kept:";
                ui.add(egui::Label::new(text).wrap());
                ui.add_space(GRID);
            }
            facts(ui, found);
            for text in &found.notes {
                ui.add_space(GRID);
                let text = RichText::new(text).color(palette(ui).alarm);
                ui.add(egui::Label::new(text).wrap());
            }
            ui.add_space(2.0 * GRID);
            let takes = "It takes the place of the rollout on screen.";
            ui.label(RichText::new(takes).small().weak());
            ui.add_space(GRID);
            ui.horizontal(|ui| {
                ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                    let restore = ui.button(label(found, state));
                    go = restore.clicked();
                    if ui.memory(|m| m.focused().is_none()) {
                        restore.request_focus();
                    }
                    if can_start(&found.path) {
                        start = ui
                            .button("Start from it")
                            .on_hover_text(
                                "A new rollout whose first frames are the last ones of the file",
                            )
                            .clicked();
                    }
                    cancel = ui.button("Cancel").clicked();
                    if left {
                        discard = ui
                            .button("Discard")
                            .on_hover_text("Delete the copy; otherwise it is offered again")
                            .clicked();
                    }
                });
            });
        });
    widgets::modal(ctx, shown.as_ref());
    if discard {
        state.keeper.discard();
    }
    if go {
        state.restore(ctx.theme() == egui::Theme::Dark);
    } else if start {
        state.start_from_found(ctx);
    } else if cancel || discard || !open {
        state.restoring.found = None;
    }
}

fn label(found: &Found, state: &State) -> String {
    match (&found.what, &found.model) {
        (What::Newer(_), _) | (_, None) => {
            format!("Use its settings with {}", state.prefs.model_name())
        }
        (What::Session(_), _) => "Go on with it".to_owned(),
        (What::Recipe(_), _) => "Restore".to_owned(),
    }
}

fn facts(ui: &mut Ui, found: &Found) {
    let name = found.path.file_name().unwrap_or_default();
    let mut lines = vec![
        ("File", name.to_string_lossy().into_owned()),
        ("Model", found.what.model().to_owned()),
    ];
    match &found.what {
        What::Newer(newer) => lines.push(("Seed", newer.rollout.seed.to_string())),
        What::Session(session) => {
            let last = session.recipe.frame;
            let frames = format!("{} to {last}, kept in the file", session.archive.oldest());
            lines.push(("Frames", frames));
            more(&mut lines, &session.recipe);
        }
        What::Recipe(recipe) => {
            lines.push(("Frames", format!("made again up to {}", recipe.frame)));
            more(&mut lines, recipe);
        }
    }
    egui::Grid::new("facts of the run")
        .num_columns(2)
        .spacing([16.0, 4.0])
        .show(ui, |ui| {
            for (name, value) in lines {
                ui.label(RichText::new(name).weak());
                ui.add(egui::Label::new(value).wrap());
                ui.end_row();
            }
        });
}

fn more(lines: &mut Vec<(&'static str, String)>, recipe: &crate::export::Recipe) {
    let members = match recipe.rollout.members {
        1 => "1 member".to_owned(),
        n => format!("{n} members"),
    };
    lines.push(("Start", format!("seed {}, {members}", recipe.rollout.seed)));
    let changes = match recipe.changes.len().saturating_sub(1) {
        0 => "the same throughout".to_owned(),
        1 => "changed once".to_owned(),
        n => format!("changed {n} times"),
    };
    lines.push(("Settings", changes));
    lines.push((
        "Made on",
        format!("{}, eddyscope {}", recipe.device, recipe.version),
    ));
}

/// The window that asks for a file to open.
pub fn ask(ctx: &egui::Context, state: &mut State) {
    if !state.files.open_open {
        return;
    }
    let mut open = true;
    let (mut go, mut cancel) = (false, false);
    let shown = egui::Window::new("Open")
        .open(&mut open)
        .collapsible(false)
        .resizable(false)
        .anchor(egui::Align2::CENTER_CENTER, [0.0, -40.0])
        .show(ctx, |ui| {
            ui.set_width(440.0);
            let about = "A session; a picture, film or data file saved by eddyscope, whose run is restored; NetCDF or npy \
                         frames to start from; a model folder. Dropping it on the window does the same.";
            ui.add(egui::Label::new(RichText::new(about).weak()).wrap());
            ui.add_space(GRID);
            let label = ui.label("File or folder");
            let edit = egui::TextEdit::singleline(&mut state.files.open_path)
                .desired_width(f32::INFINITY)
                .margin(egui::Margin::symmetric(8, 6));
            let mut output = edit.show(ui);
            let response = output.response.response.labelled_by(label.id);
            if std::mem::take(&mut state.files.save_focus) {
                response.request_focus();
                // The last path is there to be typed over.
                let whole = CCursorRange::select_all(&output.galley);
                output.state.cursor.set_char_range(Some(whole));
                output.state.store(ui.ctx(), response.id);
            }
            let entered = response.lost_focus() && ui.input(|i| i.key_pressed(egui::Key::Enter));
            ui.add_space(GRID);
            ui.horizontal(|ui| {
                if ui
                    .add_enabled(!state.files.waiting(), Button::new("Browse…"))
                    .clicked()
                {
                    let near = PathBuf::from(&state.files.open_path);
                    state.files.open_dialog(ui.ctx(), Purpose::Open, &near);
                }
                ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                    let ready = !state.files.open_path.trim().is_empty();
                    let button = ui.add_enabled(ready, Button::new("Open"));
                    go = button.clicked() || (entered && ready);
                    cancel = ui.button("Cancel").clicked();
                });
            });
        });
    widgets::modal(ctx, shown.as_ref());
    if go {
        let path = PathBuf::from(state.files.open_path.trim());
        state.open_files(ctx, vec![path]);
    }
    if go || cancel || !open {
        state.files.open_open = false;
    }
}
