//! Name, model, device, speed; save, theme, help.

use egui::containers::menu::{MenuButton, MenuConfig};
use egui::{Align, Button, Layout, PopupCloseBehavior, RichText, Ui};

use super::super::actions;
use super::super::state::State;
use super::super::widgets::{Icon, icon_button};
use super::{file_menu, model_menu, rain_options};

/// The bar.
pub fn show(ui: &mut Ui, state: &mut State) {
    ui.horizontal_centered(|ui| {
        ui.spacing_mut().item_spacing.x = 16.0;
        ui.label(RichText::new("eddyscope").heading());
        file_menu::show(ui, state);
        model_menu::show(ui, state);
        if state.globe().is_some() {
            // It stays open while several things are switched.
            let stays = MenuConfig::new().close_behavior(PopupCloseBehavior::CloseOnClickOutside);
            MenuButton::new("View").config(stays).ui(ui, |ui| {
                ui.set_width(210.0);
                rain_options::map(ui, state);
            });
        }
        if let Some(facts) = &state.facts {
            let hash = facts.model_hash.get(..12).unwrap_or(&facts.model_hash);
            let (ny, nx) = facts.shape;
            ui.label(RichText::new(&facts.device).weak())
                .on_hover_text(format!(
                    "Where the networks run\nModel {} on {nx} × {ny} cells\nweights {hash}",
                    facts.name
                ));
        }
        let rate = state.progress.frames_per_second;
        if rate > 0.0 {
            let text = if rate >= 9.95 {
                format!("{rate:.0} frames/s")
            } else {
                format!("{rate:.1} frames/s")
            };
            ui.label(RichText::new(text).weak());
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            ui.spacing_mut().item_spacing.x = 4.0;
            let help = ui.add(
                Button::new("?")
                    .frame(false)
                    .min_size(egui::vec2(28.0, 28.0)),
            );
            state.marks.set("help", help.rect);
            if help.on_hover_text("Help (?)").clicked() {
                state.help_open = !state.help_open;
                state.prefs.tips_dismissed = false;
            }
            let dark = ui.visuals().dark_mode;
            let (icon, name) = if dark {
                (Icon::Sun, "Light theme (T)")
            } else {
                (Icon::Moon, "Dark theme (T)")
            };
            if icon_button(ui, icon, 28.0, name).clicked() {
                let ctx = ui.ctx().clone();
                actions::toggle_theme(&ctx, state);
            }
            let lessons = ui.add(
                Button::new("Lessons")
                    .frame(false)
                    .min_size(egui::vec2(60.0, 28.0)),
            );
            state.marks.set("lessons", lessons.rect);
            if lessons
                .on_hover_text("Guided tours: what guidance does, step by step (F2)")
                .clicked()
            {
                state.lessons.list_open = !state.lessons.list_open;
            }
            ui.add_enabled_ui(!state.archive.frames.is_empty(), |ui| {
                if icon_button(ui, Icon::Save, 28.0, "Save the picture… (S)").clicked() {
                    state.open_save();
                }
            });
            ui.add_space(8.0);
            undo_buttons(ui, state);
        });
    });
}

/// Redo and undo (from the right), each with what it would do.
fn undo_buttons(ui: &mut Ui, state: &mut State) {
    let said = |what: &Option<String>, verb: &str, key: &str| match what {
        Some(what) => format!("{verb} {what} ({key})"),
        None => format!("{verb} ({key})"),
    };
    let redoes = state.undo.redoes();
    let redo = ui.add_enabled_ui(redoes.is_some(), |ui| {
        let name = said(&redoes, "Redo", "Ctrl+Shift+Z");
        icon_button(ui, Icon::Redo, 28.0, &name).clicked()
    });
    let undoes = state.undo.undoes();
    let undo = ui.add_enabled_ui(undoes.is_some(), |ui| {
        let name = said(&undoes, "Undo", "Ctrl+Z");
        icon_button(ui, Icon::Undo, 28.0, &name).clicked()
    });
    if redo.inner {
        state.redo();
    }
    if undo.inner {
        state.undo();
    }
}
