//! What is on screen into a file: which frames, which lanes, how they look; sessions and recent files.

use std::path::{Path, PathBuf};

use crate::error::UserError;
use crate::export::picture::{GlobePicture, Paper, Picture};
use crate::export::{
    FORMAT, Format, GlobeRecipe, Plan, Recipe, Scene, SceneDifference, SceneLane, SceneSide, Watch,
    kind_of,
};
use crate::model::Model;
use crate::rollout::frame::FrameSet;

use super::difference::Side;
use super::files::Purpose;
use super::state::State;
use super::theme::Palette;
use super::widgets::number;

/// Recent files that are remembered.
const RECENT: usize = 8;

impl State {
    /// Opens the export window for a kind of file, with a name for what is on screen.
    pub fn open_export(&mut self, format: Format) {
        if self.archive.frames.is_empty() {
            return;
        }
        let (first, last, side) = (self.first(), self.last(), self.usual_side());
        let choice = &mut self.files.choice;
        choice.format = format;
        if !self.files.save_open {
            (choice.first, choice.last) = (first, last);
            choice.side = side;
            self.files.save_focus = true;
        }
        self.files.save_open = true;
        self.name_export();
    }

    /// Opens the export window for the picture.
    pub fn open_save(&mut self) {
        self.open_export(Format::Png);
    }

    /// A name for the file of the chosen kind.
    pub fn name_export(&mut self) {
        let format = self.files.choice.format;
        let model = self.facts.as_ref().map_or("field", |f| f.name.as_str());
        let seed = self.spec().seed;
        let ending = format.ending();
        let name = match (format, self.shown()) {
            (Format::Png, Some(frame)) => format!("{model}-seed{seed}-frame{:04}.png", frame.index),
            _ => format!("{model}-seed{seed}.{ending}"),
        };
        let folder = self
            .prefs
            .save_folder
            .clone()
            .or_else(|| std::env::current_dir().ok())
            .unwrap_or_default();
        self.files.picture_path = folder.join(name).display().to_string();
        self.files.proposed.clone_from(&self.files.picture_path);
    }

    /// A name that nobody has typed over goes with the frame on screen.
    pub fn refresh_name(&mut self) {
        if self.files.picture_path == self.files.proposed {
            self.name_export();
        }
    }

    fn usual_side(&self) -> usize {
        if self.globe().is_some() { 960 } else { 512 }
    }

    /// The picture of the frame shown with its recipe, without the settings over time.
    pub fn picture(&self, dark: bool) -> Option<(Picture, Recipe)> {
        let picture = self
            .scene(Format::Png, dark)?
            .picture(self.shown()?, self.beside().map(|f| &**f));
        Some((picture, self.recipe(dark)?))
    }

    /// How the lanes look, for pictures. `None` without a model or lanes.
    fn scene(&self, format: Format, dark: bool) -> Option<Scene> {
        let facts = self.facts.as_ref()?;
        let prefs = &self.prefs.globe;
        let palette = Palette::of(if dark {
            egui::Theme::Dark
        } else {
            egui::Theme::Light
        });
        let choice = &self.files.choice;
        let lanes: Vec<SceneLane> = self
            .lanes()
            .into_iter()
            // A session holds all lanes, whatever was chosen for the last film.
            .filter(|kind| format == Format::Session || choice.lanes[kind.index()])
            .map(|kind| {
                let [r, g, b, _] = palette.lane(kind).to_array();
                SceneLane {
                    kind,
                    color: [r, g, b],
                }
            })
            .collect();
        if lanes.is_empty() {
            return None;
        }
        let d = &self.tree.difference;
        let drawn = format == Format::Png || format.is_film();
        let difference = (d.on && choice.difference && drawn).then(|| {
            let side = |s: Side| SceneSide {
                beside: s.beside,
                kind: s.lane,
            };
            let [r, g, b, _] = palette.text.to_array();
            SceneDifference {
                sides: [side(d.a), side(d.b)],
                title: format!("{} − {}", self.side_short(d.a), self.side_short(d.b)),
                color: [r, g, b],
                look: self.difference_look(dark),
                globe: self.grid().cloned(),
            }
        });
        Some(Scene {
            lanes,
            difference,
            member: self.member,
            size: self.size(),
            view: self.view,
            look: self.look(dark),
            quantity: facts.quantity.clone(),
            units: facts.units.clone(),
            made_by: self.maker(),
            when,
            caption: format!(
                "seed {} · model {} · eddyscope {}",
                self.spec().seed,
                facts.name,
                env!("CARGO_PKG_VERSION"),
            ),
            paper: if dark { Paper::DARK } else { Paper::LIGHT },
            side: match choice.side {
                0 => self.usual_side(),
                side => side,
            },
            globe: self.rows().map(|rows| GlobePicture {
                rows: rows.clone(),
                view: prefs.view,
                coast: prefs.coast,
                graticule: prefs.graticule,
                dark,
            }),
        })
    }

    /// How the frame shown was made; the settings over time are added when the file is written.
    pub(super) fn recipe(&self, dark: bool) -> Option<Recipe> {
        let (frame, facts) = (self.shown()?, self.facts.as_ref()?);
        let look = self.look(dark);
        let prefs = &self.prefs.globe;
        let model = self.prefs.model_name();
        let shipped = Model::is_built_in(model);
        Some(Recipe {
            format: FORMAT,
            program: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            model: facts.name.clone(),
            model_folder: (!shipped).then(|| PathBuf::from(model)),
            model_hash: facts.model_hash.clone(),
            device_kind: kind_of(&facts.device).to_owned(),
            device: facts.device.clone(),
            settings: frame.settings.as_ref().clone(),
            changes: Vec::new(),
            incomplete: false,
            edited: None,
            rollout: self.spec().clone(),
            frame: frame.index,
            frames: None,
            frame_hash: None,
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
        })
    }

    /// What the export window asks for. `None` where there is nothing to write.
    pub fn plan(&self, dark: bool, path: PathBuf) -> Option<Plan> {
        self.plan_as(self.files.choice.format, dark, path)
    }

    /// The same as another kind of file.
    pub(super) fn plan_as(&self, format: Format, dark: bool, path: PathBuf) -> Option<Plan> {
        let choice = &self.files.choice;
        let scene = self.scene(format, dark)?;
        let (oldest, newest) = (self.first(), self.last());
        let (first, last, every) = match format {
            Format::Png => {
                let shown = self.shown()?.index;
                (shown, shown, 1)
            }
            Format::Session => (oldest, newest, 1),
            _ => {
                let first = choice.first.clamp(oldest, newest);
                let last = choice.last.clamp(first, newest);
                (first, last, choice.every.max(1))
            }
        };
        // The last frame in the file is the one that the recipe leads to.
        let last = first + (last - first) / every * every;
        Some(Plan {
            format,
            path,
            archive: self.archive.clone(),
            beside: self.compared(),
            first,
            last,
            every,
            lanes: scene.lanes.iter().map(|l| l.kind).collect(),
            scene,
            rate: choice.rate,
            recipe: self.recipe(dark)?,
            facts: self.facts.clone()?,
            extra: self.session_extra(),
        })
    }

    /// Writes what the export window asks for on a thread of its own.
    pub fn save_to(&mut self, ctx: &egui::Context, path: PathBuf) {
        if self.files.is_writing() {
            return;
        }
        let dark = ctx.theme() == egui::Theme::Dark;
        let path = match path.extension() {
            Some(_) => path,
            None => path.with_extension(self.files.choice.format.ending()),
        };
        let Some(plan) = self.plan(dark, path.clone()) else {
            return self.nothing_to_write(&path);
        };
        self.prefs.save_folder = path.parent().map(Path::to_owned);
        if plan.format == Format::Session {
            self.note_saving();
        }
        self.write_aside(ctx, path, move |watch| plan.run(watch));
    }

    /// Writes a file on a thread of its own; what comes of it is told.
    pub(super) fn write_aside(
        &mut self,
        ctx: &egui::Context,
        path: PathBuf,
        write: impl FnOnce(&Watch) -> Result<(), UserError> + Send + 'static,
    ) {
        if let Err(error) = self.files.write_aside(ctx, path, write) {
            self.notices.warn(error);
        }
    }

    /// Says that a file was not written, and why.
    pub(super) fn nothing_to_write(&mut self, path: &Path) {
        self.notices.warn(UserError::new(
            format!("Cannot write {}", path.display()),
            "no lane that was chosen is on the screen, or there is no frame yet",
            "Switch a lane on, and wait for the first frame",
        ));
    }

    /// Puts a file at the head of the recent ones.
    pub fn remember(&mut self, path: &Path) {
        let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let recent = &mut self.prefs.recent;
        recent.retain(|p| *p != whole);
        recent.insert(0, whole);
        recent.truncate(RECENT);
    }

    /// Takes in what dialogs and writers have to say.
    pub fn poll_files(&mut self, ctx: &egui::Context) {
        match self.files.poll_dialog() {
            Some((Purpose::Start, path)) => self.start_from(ctx, vec![path]),
            Some((Purpose::Open, path)) => {
                self.files.open_open = false;
                self.open_files(ctx, vec![path]);
            }
            Some((Purpose::Model, path)) => self.files.model_path = path.display().to_string(),
            Some((Purpose::Export(_), path)) => {
                self.files.picture_path = path.display().to_string();
            }
            Some((Purpose::Plot, path)) => self.plots.save.path = path.display().to_string(),
            None => {}
        }
        for error in self.files.poll_failed() {
            self.notices.warn(error);
        }
        let Some(written) = self.files.poll_written() else {
            if self.files.is_writing() {
                // The line at the bottom counts.
                ctx.request_repaint_after(std::time::Duration::from_millis(200));
            }
            return;
        };
        match written.result {
            Ok(()) => {
                self.files.save_open = false;
                self.plots.save.close();
                self.remember(&written.path);
                self.keeper.wrote_session(true);
                self.notices
                    .news(format!("Saved {}", written.path.display()));
            }
            Err(error) => {
                self.keeper.wrote_session(false);
                match written.cancelled {
                    true => self.notices.news("The export was cancelled"),
                    false => self.notices.warn(error),
                }
            }
        }
    }
}

/// Which frame a picture shows.
fn when(frame: &FrameSet) -> String {
    match frame.date {
        Some(date) => format!("{date} · day {}", frame.index),
        None => format!("frame {} · t = {}", frame.index, number(frame.time, 2)),
    }
}
