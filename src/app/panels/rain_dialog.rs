//! The window that shows what was recognised in a person's files and asks what they leave open.

use egui::{Align, Button, ComboBox, Layout, RichText, ScrollArea};

use super::super::state::State;
use super::super::theme::{GRID, palette};
use super::super::widgets;

/// The window, while files wait.
pub fn window(ctx: &egui::Context, state: &mut State) {
    state.rain.poll();
    if !state.rain.is_open() {
        return;
    }
    let mut open = true;
    let (mut go, mut cancel) = (false, false);
    let mut answer = None;
    let shown = egui::Window::new("Start from recorded days")
        .open(&mut open)
        .collapsible(false)
        .resizable(false)
        .anchor(egui::Align2::CENTER_CENTER, [0.0, -20.0])
        .show(ctx, |ui| {
            ui.set_width(560.0);
            let rain = &state.rain;
            for path in rain.paths.iter().take(4) {
                ui.add(egui::Label::new(RichText::new(path.display().to_string()).weak()).truncate());
            }
            if rain.paths.len() > 4 {
                ui.label(RichText::new(format!("and {} more files", rain.paths.len() - 4)).weak());
            }
            ui.add_space(GRID);
            match &rain.found {
                None => {
                    ui.label("Looking into the files …");
                }
                Some(Err(error)) => {
                    ui.label(RichText::new(&error.headline).color(palette(ui).alarm));
                    ui.add(egui::Label::new(error.cause.as_str()).wrap());
                    ui.add(egui::Label::new(RichText::new(&error.remedy).weak()).wrap());
                }
                Some(Ok(found)) => {
                    ScrollArea::vertical().max_height(300.0).show(ui, |ui| {
                        facts(ui, &found.facts);
                    });
                }
            }
            for (question, chosen) in &rain.asked {
                ui.add_space(2.0 * GRID);
                ui.add(egui::Label::new(question.text.as_str()).wrap());
                ComboBox::from_id_salt(("question", question.topic.flag()))
                    .selected_text(chosen)
                    .width(280.0)
                    .show_ui(ui, |ui| {
                        for option in &question.options {
                            let text = match *option == question.guess {
                                true => format!("{option}  (likely)"),
                                false => option.clone(),
                            };
                            if ui.selectable_label(option == chosen, text).clicked() {
                                answer = Some((question.topic, option.clone()));
                            }
                        }
                    });
            }
            ui.add_space(3.0 * GRID);
            let about = "They are averaged onto the model's grid, areas kept: truth and the start come from them.";
            ui.label(RichText::new(about).small().weak());
            ui.add_space(GRID);
            ui.horizontal(|ui| {
              ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                let ready = matches!(rain.found, Some(Ok(_))) && !rain.is_looking();
                let label = if rain.asked.is_empty() {
                    "Start from them"
                } else {
                    "Start with these answers"
                };
                go = ui.add_enabled(ready, Button::new(label)).clicked();
                cancel = ui.button("Cancel").clicked();
              });
            });
        });
    widgets::modal(ctx, shown.as_ref());
    if let Some((topic, chosen)) = answer {
        state.rain.answer(ctx, topic, &chosen);
    }
    if go {
        state.start_from_rain();
    } else if cancel || !open {
        state.rain.close();
    }
}

/// Lines of name and value.
fn facts(ui: &mut egui::Ui, text: &str) {
    egui::Grid::new("facts of files")
        .num_columns(2)
        .spacing([12.0, 3.0])
        .min_row_height(16.0)
        .show(ui, |ui| {
            for line in text.lines() {
                // The names are padded to a column of their own.
                let at = line.char_indices().nth(12).map_or(line.len(), |(i, _)| i);
                let (name, value) = line.split_at(at);
                ui.label(RichText::new(name.trim()).weak());
                ui.add(egui::Label::new(value.trim()).wrap());
                ui.end_row();
            }
        });
}
