//! Which model: the shipped ones, or a folder.

use std::path::{Path, PathBuf};

use egui::{Align, ComboBox, Layout, RichText, Ui};

use crate::closed_form::ClosedForm;
use crate::model::{CARD_FILE, Model};

use super::super::files::Purpose;
use super::super::state::State;
use super::super::theme::GRID;
use super::super::widgets;
use super::super::words;

/// The list in the top bar.
pub fn show(ui: &mut Ui, state: &mut State) {
    let now = state.prefs.model_name().to_owned();
    let shown = match &state.facts {
        Some(facts) => words::model(&facts.name).to_owned(),
        None => words::model(&short(&now)).to_owned(),
    };
    let mut wanted = None;
    let mut folder = false;
    let menu = ComboBox::from_id_salt("model")
        .selected_text(shown)
        .width(132.0)
        .show_ui(ui, |ui| {
            for name in Model::shipped_names() {
                if ui.selectable_label(*name == now, *name).clicked() {
                    wanted = Some((*name).to_owned());
                }
            }
            ui.separator();
            for name in ClosedForm::NAMES {
                let label = ui.selectable_label(name == now, words::model(name));
                let tip =
                    "No networks: score and discriminator are exact, with parameters to play with";
                if label.on_hover_text(tip).clicked() {
                    wanted = Some(name.to_owned());
                }
            }
            ui.separator();
            let folders = state.prefs.model_folders();
            for folder in folders.clone() {
                let chosen = folder == now;
                let label = ui.selectable_label(chosen, short(&folder));
                if label.on_hover_text(&folder).clicked() {
                    wanted = Some(folder);
                }
            }
            if !folders.is_empty() {
                ui.separator();
            }
            folder = ui.button("Open a model folder…").clicked();
        })
        .response;
    state.marks.set("model", menu.rect);
    menu.on_hover_text(
        "Model; another one starts a rollout of its own, with the settings that you left it with",
    );
    if let Some(name) = wanted {
        match Model::is_built_in(&name) {
            true => state.open_model(&name),
            false => state.open_folder(Path::new(&name)),
        }
    }
    if folder {
        state.files.model_open = true;
    }
}

/// Last part of a path.
fn short(name: &str) -> String {
    let path = Path::new(name);
    path.file_name()
        .map_or_else(|| name.to_owned(), |n| n.to_string_lossy().into_owned())
}

/// The window that asks for a folder.
pub fn window(ctx: &egui::Context, state: &mut State) {
    if !state.files.model_open {
        return;
    }
    let mut open = true;
    let mut go = false;
    let mut cancel = false;
    let shown = egui::Window::new("Open a model folder")
        .open(&mut open)
        .collapsible(false)
        .resizable(false)
        .anchor(egui::Align2::CENTER_CENTER, [0.0, -40.0])
        .show(ctx, |ui| {
            ui.set_width(440.0);
            let about = format!("A folder with {CARD_FILE} and the weights that it names.");
            ui.label(RichText::new(about).weak());
            ui.add_space(GRID);
            let label = ui.label("Folder");
            let edit = egui::TextEdit::singleline(&mut state.files.model_path)
                .desired_width(f32::INFINITY)
                .margin(egui::Margin::symmetric(8, 6));
            let response = ui.add(edit).labelled_by(label.id);
            let entered = response.lost_focus() && ui.input(|i| i.key_pressed(egui::Key::Enter));
            ui.add_space(GRID);
            ui.horizontal(|ui| {
                let browse = egui::Button::new("Browse…");
                if ui.add_enabled(!state.files.waiting(), browse).clicked() {
                    let near = PathBuf::from(&state.files.model_path);
                    state.files.open_dialog(ui.ctx(), Purpose::Model, &near);
                }
                ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                    let ready = !state.files.model_path.trim().is_empty();
                    let button = ui.add_enabled(ready, egui::Button::new("Open"));
                    go = button.clicked() || (entered && ready);
                    cancel = ui.button("Cancel").clicked();
                });
            });
        });
    widgets::modal(ctx, shown.as_ref());
    if go {
        let path = state.files.model_path.trim().to_owned();
        state.open_folder(Path::new(&path));
    }
    if go || cancel || !open {
        state.files.model_open = false;
    }
}
