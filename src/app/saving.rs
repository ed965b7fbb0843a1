//! Saving the picture on the screen.

use std::path::PathBuf;

use egui::{Align, Layout, RichText};

use crate::export::picture::{GlobePicture, Panel, Paper, Picture};
use crate::export::{GlobeRecipe, Recipe, save_picture};

use super::files::Purpose;
use super::state::State;
use super::theme::{GRID, Palette};
use super::widgets::number;

impl State {
    /// Opens the save window with a name for the frame shown.
    pub fn open_save(&mut self) {
        let Some(frame) = self.shown() else { return };
        let model = self.facts.as_ref().map_or("field", |f| f.name.as_str());
        let name = format!(
            "{model}-seed{}-frame{:04}.png",
            self.spec().seed,
            frame.index
        );
        let folder = self
            .prefs
            .save_folder
            .clone()
            .or_else(|| std::env::current_dir().ok())
            .unwrap_or_default();
        self.files.picture_path = folder.join(name).display().to_string();
        self.files.save_open = true;
        self.files.save_focus = true;
    }

    /// The picture on the screen with its recipe, if there is a frame.
    pub fn picture(&self, dark: bool) -> Option<(Picture, Recipe)> {
        let (frame, facts) = (self.shown()?, self.facts.as_ref()?);
        let look = self.look(dark);
        let prefs = &self.prefs.globe;
        let palette = Palette::of(if dark {
            egui::Theme::Dark
        } else {
            egui::Theme::Light
        });
        let panels = self
            .lanes()
            .into_iter()
            .filter_map(|kind| {
                let lane = frame.lanes[kind.index()].as_ref()?;
                let [r, g, b, _] = palette.lane(kind).to_array();
                Some(Panel {
                    title: kind.label().to_owned(),
                    made_by: self.made_by(kind, frame),
                    color: [r, g, b],
                    values: self.values(lane)?.clone(),
                    size: self.size(),
                })
            })
            .collect::<Vec<_>>();
        if panels.is_empty() {
            return None;
        }
        let when = match frame.date {
            Some(date) => format!("{date} · day {}", frame.index),
            None => format!("frame {} · t = {}", frame.index, number(frame.time, 2)),
        };
        let caption = format!(
            "{when} · seed {} · model {} · eddyscope {}",
            self.spec().seed,
            facts.name,
            env!("CARGO_PKG_VERSION"),
        );
        let recipe = Recipe {
            program: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            model: facts.name.clone(),
            model_hash: facts.model_hash.clone(),
            device: facts.device.clone(),
            settings: frame.settings.as_ref().clone(),
            rollout: self.spec().clone(),
            frame: frame.index,
            time: frame.time,
            member: self.member,
            color_map: look.map,
            range: look.range,
            view: self.view,
            globe: self.globe().map(|globe| GlobeRecipe {
                date: frame.date,
                recording: globe.recording.clone(),
                view: prefs.view,
                scale: prefs.scale,
                coast: prefs.coast,
                graticule: prefs.graticule,
                flipped: !dark,
            }),
        };
        let picture = Picture {
            panels,
            view: self.view,
            look,
            quantity: facts.quantity.clone(),
            units: facts.units.clone(),
            caption,
            paper: if dark { Paper::DARK } else { Paper::LIGHT },
            side: if self.globe().is_some() { 960 } else { 512 },
            globe: self.rows().map(|rows| GlobePicture {
                rows: rows.clone(),
                view: prefs.view,
                coast: prefs.coast,
                graticule: prefs.graticule,
                dark,
            }),
        };
        Some((picture, recipe))
    }

    /// Writes the picture on a thread of its own.
    pub fn save_to(&mut self, ctx: &egui::Context, path: PathBuf) {
        let dark = ctx.theme() == egui::Theme::Dark;
        let Some((picture, recipe)) = self.picture(dark) else {
            return;
        };
        let path = if path.extension().is_none() {
            path.with_extension("png")
        } else {
            path
        };
        self.prefs.save_folder = path.parent().map(std::path::Path::to_owned);
        self.files.write_aside(ctx, move || {
            save_picture(&path, &picture, &recipe).map(|()| path)
        });
    }

    /// Takes in what dialogs and writers have to say.
    pub fn poll_files(&mut self, ctx: &egui::Context) {
        match self.files.poll_dialog() {
            Some((Purpose::Start, path)) => self.start_from(ctx, vec![path]),
            Some((Purpose::Model, path)) => self.files.model_path = path.display().to_string(),
            Some((Purpose::Picture, path)) => self.files.picture_path = path.display().to_string(),
            Some((Purpose::Plot, path)) => self.plots.save.path = path.display().to_string(),
            None => {}
        }
        match self.files.poll_written() {
            Some(Ok(path)) => {
                self.files.save_open = false;
                self.plots.save.close();
                self.notices.news(format!("Saved {}", path.display()));
            }
            Some(Err(error)) => self.notices.warn(error),
            None => {}
        }
    }
}

/// The save window.
pub fn window(ctx: &egui::Context, state: &mut State) {
    if !state.files.save_open {
        return;
    }
    let mut open = true;
    egui::Window::new("Save the picture")
        .open(&mut open)
        .collapsible(false)
        .resizable(false)
        .anchor(egui::Align2::CENTER_CENTER, [0.0, -40.0])
        .show(ctx, |ui| {
            ui.set_width(440.0);
            ui.label(
                RichText::new(
                    "All lanes with colour bar, as PNG. Settings, seed and model go into the file.",
                )
                .weak(),
            );
            ui.add_space(GRID);
            let label = ui.label("File");
            let edit = egui::TextEdit::singleline(&mut state.files.picture_path)
                .desired_width(f32::INFINITY)
                .margin(egui::Margin::symmetric(8, 6));
            let response = ui.add(edit).labelled_by(label.id);
            if std::mem::take(&mut state.files.save_focus) {
                response.request_focus();
            }
            let entered = response.lost_focus() && ui.input(|i| i.key_pressed(egui::Key::Enter));
            ui.add_space(GRID);
            ui.horizontal(|ui| {
                let browse = egui::Button::new("Browse…");
                if ui.add_enabled(!state.files.waiting(), browse).clicked() {
                    let near = PathBuf::from(&state.files.picture_path);
                    state.files.open_dialog(ui.ctx(), Purpose::Picture, &near);
                }
                ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                    let ready =
                        !state.files.picture_path.trim().is_empty() && !state.files.is_writing();
                    let save = ui.add_enabled(ready, egui::Button::new("Save"));
                    if save.clicked() || (entered && ready) {
                        let path = PathBuf::from(state.files.picture_path.trim());
                        state.save_to(ui.ctx(), path);
                    }
                    if ui.button("Cancel").clicked() {
                        state.files.save_open = false;
                    }
                });
            });
        });
    if !open {
        state.files.save_open = false;
    }
}
