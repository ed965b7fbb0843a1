//! The line at the bottom: what the worker does now.

use egui::{Align, Button, Layout, RichText, Sense, Ui, vec2};

use super::super::state::State;
use super::super::theme::palette;

/// The line.
pub fn show(ui: &mut Ui, state: &mut State) {
    ui.horizontal_centered(|ui| {
        let p = palette(ui);
        ui.spacing_mut().item_spacing.x = 16.0;
        let weak = |text: String| RichText::new(text).small().weak();
        let progress = &state.progress;
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = 8.0;
            let (dot, _) = ui.allocate_exact_size(vec2(8.0, 8.0), Sense::hover());
            let color = if progress.running { p.accent } else { p.raised };
            ui.painter().circle_filled(dot.center(), 3.5, color);
            let activity = match (progress.activity.as_str(), progress.running) {
                ("", true) => "sampling",
                ("", false) => "paused",
                (text, _) => text,
            };
            // A fixed width, so that what follows does not jump.
            let label = egui::Label::new(weak(activity.to_owned())).truncate();
            ui.add_sized_left(180.0, label);
        });
        let (step, steps) = progress.step;
        let text = if steps > 0 {
            format!("step {step:>2} / {steps}")
        } else {
            String::new()
        };
        ui.add_sized_left(72.0, egui::Label::new(weak(text)));
        let strength = state.shown().map(|f| f.settings.guidance.strength);
        if let Some(strength) = strength.filter(|_| !state.archive.frames.is_empty()) {
            let text = if state.applied() {
                format!("applied λ {:.2}", state.prefs.settings.guidance.strength)
            } else {
                format!(
                    "λ {:.2} pending, frame shown λ {strength:.2}",
                    state.prefs.settings.guidance.strength
                )
            };
            ui.label(weak(text));
        }
        let (nx, ny) = state.size();
        if nx > 0 {
            ui.label(weak(format!("{nx} × {ny}")));
            let mib = state.memory() as f64 / (1024.0 * 1024.0);
            let on_disk = match state.first_in_memory() - state.first() {
                0 => String::new(),
                n => format!(", {n} more on disk"),
            };
            ui.label(weak(format!(
                "{} frames kept, {mib:.0} MiB{on_disk}",
                state.archive.frames.len()
            )));
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            if let Some(name) = &state.software {
                let text = weak("drawn in software".to_owned());
                ui.label(text).on_hover_text(format!(
                    "{name} draws the window: there is no graphics adapter, so it is drawn less often"
                ));
            }
            if let Some(writing) = state.files.writing().filter(|_| !state.files.save_open) {
                let stop = Button::new(weak("stop".to_owned())).frame(false);
                if ui.add(stop).on_hover_text("Stop the export; no file is written").clicked() {
                    writing.watch.cancel();
                }
                let (done, all) = writing.watch.progress();
                let name = writing.path.file_name().unwrap_or_default();
                let text = weak(format!("writing {}  {done} / {all}", name.to_string_lossy()));
                ui.label(text).on_hover_text(writing.path.display().to_string());
            }
            reading(ui, state);
            let count = state.notices.count();
            if count > 0 {
                let text = if count == 1 {
                    "1 warning".to_owned()
                } else {
                    format!("{count} warnings")
                };
                let button = Button::new(RichText::new(text).small().color(p.alarm)).frame(false);
                if ui.add(button).clicked() {
                    state.notices.list_open = !state.notices.list_open;
                }
            }
        });
    });
}

/// A file that is being read.
fn reading(ui: &mut Ui, state: &mut State) {
    let Some(opening) = state.restoring.reading() else {
        return;
    };
    let weak = |text: String| RichText::new(text).small().weak();
    let (done, all) = opening.watch.progress();
    let far = match all {
        0 => String::new(),
        _ => format!("  {done} / {all} MiB"),
    };
    let name = opening.path.file_name().unwrap_or_default();
    let text = weak(format!("reading {}{far}", name.to_string_lossy()));
    let whole = opening.path.display().to_string();
    let stop = Button::new(weak("stop".to_owned())).frame(false);
    let stopped = ui
        .add(stop)
        .on_hover_text("Read it no further; the rollout stays as it is")
        .clicked();
    ui.label(text).on_hover_text(whole);
    if stopped {
        state.restoring.stop_reading();
    }
}

trait FixedWidth {
    fn add_sized_left(&mut self, width: f32, label: egui::Label);
}

impl FixedWidth for Ui {
    /// A label in a cell of fixed width, left-aligned.
    fn add_sized_left(&mut self, width: f32, label: egui::Label) {
        let size = vec2(width, 16.0);
        self.allocate_ui_with_layout(size, Layout::left_to_right(Align::Center), |ui| {
            ui.set_min_size(size);
            ui.add(label);
        });
    }
}
