//! The export window: kind of file, frames, lanes, size, place; progress while it is written.

use std::path::{Path, PathBuf};

use egui::{Align, Button, Checkbox, DragValue, Layout, ProgressBar, RichText, Ui};

use crate::export::Format;

use super::super::files::Purpose;
use super::super::state::State;
use super::super::theme::{GRID, palette};
use super::super::widgets::{self, note, row, segmented};

const WIDTH: f32 = 488.0;

/// The window.
pub fn window(ctx: &egui::Context, state: &mut State) {
    if !state.files.save_open {
        return;
    }
    let mut open = true;
    let mut close = false;
    let shown = egui::Window::new("Export")
        .open(&mut open)
        .collapsible(false)
        .resizable(false)
        .anchor(egui::Align2::CENTER_CENTER, [0.0, -20.0])
        .show(ctx, |ui| {
            ui.set_width(WIDTH);
            let busy = state.files.is_writing();
            ui.add_enabled_ui(!busy, |ui| choices(ui, state));
            ui.add_space(2.0 * GRID);
            if busy {
                close = progress(ui, state);
            } else {
                close = place(ui, state);
            }
        });
    widgets::modal(ctx, shown.as_ref());
    if !open || close {
        state.files.save_open = false;
    }
}

fn about(format: Format) -> &'static str {
    match format {
        Format::Png => "The frame shown: all lanes with colour bar.",
        Format::Gif => "A film that plays everywhere, in at most 256 colours.",
        Format::WebP => "A film without loss; browsers and image viewers play it.",
        Format::Mp4 => "A film for slides and players; needs the program ffmpeg.",
        Format::NetCdf => "Values of all members, one variable a lane, CF conventions.",
        Format::Npy => "Values of all members as a numpy array; the recipe lies beside it.",
        Format::Csv => "Figures of each frame and lane as a table.",
        Format::Session => "Everything: frames, settings, marks. Open it to go on where you are.",
    }
}

fn choices(ui: &mut Ui, state: &mut State) {
    let kinds: Vec<(Format, &str, &str)> = Format::ALL
        .iter()
        .map(|(f, name)| (*f, *name, about(*f)))
        .collect();
    let mut format = state.files.choice.format;
    if segmented(ui, "Format", &mut format, &kinds) {
        state.files.choice.format = format;
        state.name_export();
    }
    ui.add_space(GRID);
    note(
        ui,
        format!(
            "{} Settings, seed and model go into the file.",
            about(format)
        ),
    );
    let (first, last) = (state.first(), state.last());
    if format.has_range() {
        ui.add_space(GRID);
        range(ui, state, first, last);
    }
    if format != Format::Session && format != Format::Csv || format.has_range() {
        ui.add_space(GRID);
        lanes(ui, state);
    }
    let choice = &mut state.files.choice;
    if format == Format::Png || format.is_film() {
        row(ui, "Width of a lane", "Of its picture, in pixels", |ui| {
            let side = DragValue::new(&mut choice.side);
            ui.add(side.speed(4.0).range(96..=2048).suffix(" px"));
        });
    }
    if format.is_film() {
        row(ui, "Speed", "Frames shown in a second", |ui| {
            let rate = DragValue::new(&mut choice.rate);
            ui.add(
                rate.speed(0.2)
                    .range(0.5..=60.0)
                    .max_decimals(1)
                    .suffix(" frames/s"),
            );
        });
    }
    if format.has_range() {
        let count = choice.last.saturating_sub(choice.first) / choice.every.max(1) + 1;
        let lasts = match format.is_film() {
            true => format!(", {:.1} s", count as f32 / choice.rate.max(0.1)),
            false => String::new(),
        };
        note(ui, format!("{count} frames{lasts}"));
    }
}

fn range(ui: &mut Ui, state: &mut State, first: usize, last: usize) {
    let choice = &mut state.files.choice;
    choice.first = choice.first.clamp(first, last);
    choice.last = choice.last.clamp(choice.first, last);
    let tip = format!("Frames that go into the file; {first} to {last} are kept");
    row(ui, "Frames", &tip, |ui| {
        // From right to left.
        let every = DragValue::new(&mut choice.every).range(1..=100).speed(0.1);
        ui.add(every).on_hover_text("Every so many frames");
        ui.label("every");
        ui.add_space(2.0 * GRID);
        let to = DragValue::new(&mut choice.last).range(choice.first..=last);
        ui.add(to);
        ui.label("to");
        let from = DragValue::new(&mut choice.first).range(first..=choice.last);
        ui.add(from);
    });
}

fn lanes(ui: &mut Ui, state: &mut State) {
    let shown = state.lanes();
    let p = palette(ui);
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing.x = 4.0 * GRID;
        ui.label("Lanes");
        for kind in &shown {
            let on = &mut state.files.choice.lanes[kind.index()];
            let name = RichText::new(kind.label()).color(p.lane(*kind));
            ui.add(Checkbox::new(on, name));
        }
        let format = state.files.choice.format;
        if state.tree.difference.on && (format == Format::Png || format.is_film()) {
            ui.checkbox(&mut state.files.choice.difference, "Difference");
        }
    });
    // A file without lanes holds nothing.
    let chosen = &mut state.files.choice.lanes;
    if !shown.iter().any(|k| chosen[k.index()])
        && let Some(first) = shown.first()
    {
        chosen[first.index()] = true;
    }
}

/// Name and buttons. Returns whether the window is to be closed.
fn place(ui: &mut Ui, state: &mut State) -> bool {
    let mut close = false;
    state.refresh_name();
    let label = ui.label("File");
    let edit = egui::TextEdit::singleline(&mut state.files.picture_path)
        .desired_width(f32::INFINITY)
        .margin(egui::Margin::symmetric(8, 6));
    let response = ui.add(edit).labelled_by(label.id);
    if std::mem::take(&mut state.files.save_focus) {
        response.request_focus();
    }
    let entered = response.lost_focus() && ui.input(|i| i.key_pressed(egui::Key::Enter));
    let path = PathBuf::from(state.files.picture_path.trim());
    let there = path.is_file();
    if there {
        note(ui, "A file of that name is there: it will be replaced.");
    }
    ui.add_space(GRID);
    ui.horizontal(|ui| {
        let browse = Button::new("Browse…");
        if ui.add_enabled(!state.files.waiting(), browse).clicked() {
            let purpose = Purpose::Export(state.files.choice.format);
            state.files.open_dialog(ui.ctx(), purpose, &path);
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let ready = !state.files.picture_path.trim().is_empty();
            let save = ui.add_enabled(ready, Button::new("Save"));
            if save.clicked() || (entered && ready) {
                state.save_to(ui.ctx(), path);
            }
            close = ui.button("Cancel").clicked();
        });
    });
    close
}

/// While it is written. Returns whether the window is to be closed.
fn progress(ui: &mut Ui, state: &mut State) -> bool {
    let Some(writing) = state.files.writing() else {
        return false;
    };
    let (done, all) = writing.watch.progress();
    let share = done as f32 / all.max(1) as f32;
    let name = Path::new(&writing.path).file_name();
    let name = name.map(|n| n.to_string_lossy().into_owned());
    ui.label(format!("Writing {}", name.unwrap_or_default()));
    ui.add(ProgressBar::new(share).text(format!("{done} of {all}")));
    ui.ctx()
        .request_repaint_after(std::time::Duration::from_millis(100));
    ui.add_space(GRID);
    let mut close = false;
    ui.horizontal(|ui| {
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            close = ui
                .button("Go on in the background")
                .on_hover_text("The line at the bottom shows how far it is")
                .clicked();
            if ui
                .button("Stop")
                .on_hover_text("No file is written")
                .clicked()
            {
                writing.watch.cancel();
            }
        });
    });
    close
}
