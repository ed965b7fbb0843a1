//! The File menu: open, recent files, save, export.

use std::path::PathBuf;

use egui::containers::menu::MenuButton;
use egui::{Button, Ui};

use super::super::commands::{Command, named, written};
use super::super::state::State;

/// Commands of the menu; an empty name is a line between two groups.
const ITEMS: [&str; 11] = [
    "New rollout",
    "",
    "Open…",
    "Open a model folder…",
    "",
    "Save the session…",
    "Save the picture…",
    "Export…",
    "",
    "All commands…",
    "Quit",
];

/// The menu.
pub fn show(ui: &mut Ui, state: &mut State) {
    MenuButton::new("File").ui(ui, |ui| {
        ui.set_width(240.0);
        let mut run = None;
        for name in &ITEMS {
            match named(name) {
                Some(command) => {
                    if item(ui, state, command) {
                        run = Some(command);
                    }
                }
                None => {
                    ui.separator();
                }
            }
            if *name == "Open a model folder…" {
                recent(ui, state);
            }
        }
        if let Some(command) = run {
            let ctx = ui.ctx().clone();
            (command.run)(state, &ctx);
            ui.close();
        }
    });
}

fn item(ui: &mut Ui, state: &State, command: &Command) -> bool {
    let keys = written(command, ui.ctx());
    let button = Button::new(command.name).shortcut_text(keys);
    ui.add_enabled((command.ready)(state), button).clicked()
}

/// Files opened or saved last.
fn recent(ui: &mut Ui, state: &mut State) {
    if state.prefs.recent.is_empty() {
        ui.add_enabled(false, Button::new("Open recent"));
        return;
    }
    let mut wanted: Option<PathBuf> = None;
    let mut forget = false;
    ui.menu_button("Open recent", |ui| {
        ui.set_width(300.0);
        for path in &state.prefs.recent {
            let name = path.file_name().unwrap_or(path.as_os_str());
            let button = Button::new(name.to_string_lossy()).truncate();
            let response = ui.add_enabled(path.exists(), button);
            let whole = path.display().to_string();
            if response
                .on_hover_text(&whole)
                .on_disabled_hover_text(format!("{whole}\nis no longer there"))
                .clicked()
            {
                wanted = Some(path.clone());
            }
        }
        ui.separator();
        forget = ui.button("Forget them").clicked();
    });
    if forget {
        state.prefs.recent.clear();
    }
    if let Some(path) = wanted {
        let ctx = ui.ctx().clone();
        state.open_files(&ctx, vec![path]);
        ui.close();
    }
}
