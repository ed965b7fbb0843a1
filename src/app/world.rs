//! The model in use: switching to another, and how its values become colours.

use std::path::PathBuf;
use std::sync::Arc;

use crate::field::Globe;
use crate::render::globe::Rows;
use crate::render::{Look, RainLook, Scale, Tone, View};
use crate::rollout::protocol::{Archive, Command, GlobeFacts, Progress};

use super::prefs::{DRY, Tab};
use super::series::Series;
use super::source::Start;
use super::state::State;

/// Colour of dry cells in dark and in light surroundings: neutral, told from the canvas.
const DRY_COLORS: ([u8; 3], [u8; 3]) = ([0x1f, 0x21, 0x25], [0xf6, 0xf6, 0xf4]);

impl State {
    /// Starts a source with the settings in force, in place of the present one.
    pub(super) fn launch_source(&mut self, resume: Option<Archive>) {
        self.restoring = Default::default();
        self.launch_with(resume, Some(Command::Run));
    }

    /// As [`Self::launch_source`], with the first command.
    pub(super) fn launch_with(&mut self, resume: Option<Archive>, first: Option<Command>) {
        let source = (self.launch)(Start {
            model: self.prefs.model.clone(),
            settings: self.prefs.settings.clone(),
            spec: self.prefs.spec.clone(),
            suggest: self.facts.is_none() && !self.restored,
            resume,
        });
        let old = std::mem::replace(&mut self.source, source);
        // A worker ends after the solver step in progress: the window does not wait for it.
        let aside = std::thread::Builder::new().name("old-worker".into());
        if let Err(error) = aside.spawn(move || drop(old)) {
            log::warn!("cannot end the old worker aside: {error}");
        }
        self.notices.fatal = None;
        self.version = (u64::MAX, u64::MAX);
        self.generation = 0;
        self.ran = false;
        self.idle_since_error = None;
        self.on_screen = self.prefs.spec.clone();
        self.asked = None;
        self.begin();
        if let Some(first) = first {
            self.source.send(first);
        }
    }

    /// Opens another model (name or folder) with the settings that it was left with.
    pub fn open_model(&mut self, model: &str) {
        if model == self.prefs.model_name() && self.notices.fatal.is_none() {
            return;
        }
        self.end_lesson();
        if model != self.prefs.model_name() {
            self.restored = self.prefs.switch(model);
        }
        self.begin_model();
    }

    /// Starts a source for the model in force, with nothing of the last one.
    pub(super) fn begin_model(&mut self) {
        self.forget_model();
        self.view = View::default();
        self.launch_source(None);
    }

    /// Nothing of the last model stays: no frames, no thread beside the rollout that has its networks.
    pub(super) fn forget_model(&mut self) {
        self.facts = None;
        self.rows.clear();
        self.archive = Archive::default();
        self.series = Series::default();
        self.progress = Progress::default();
        (self.hover, self.pin) = (None, None);
        self.compare_with(None);
        self.undo.start_from_here();
        self.microscope.clear();
        self.edit.clear();
        self.wall.close();
        self.twin.close();
        self.files.show_start(&self.prefs.spec);
    }

    /// Starts a new rollout from files: at once in a box; on the globe after a look into them.
    pub fn start_from(&mut self, ctx: &egui::Context, paths: Vec<PathBuf>) {
        if self.globe().is_some() {
            self.rain.ask(ctx, paths);
        } else if let Some(path) = paths.into_iter().next() {
            self.prefs.spec.start_file = Some(path);
            self.files.show_start(&self.prefs.spec);
            self.restart();
        }
    }

    /// Starts a new rollout from the files that were looked into, with the answers on screen.
    pub fn start_from_rain(&mut self) {
        let choices = self.rain.confirmed();
        let mut paths = std::mem::take(&mut self.rain.paths).into_iter();
        self.rain.close();
        let spec = &mut self.prefs.spec;
        spec.start_file = paths.next();
        spec.more_files = paths.collect();
        spec.reading = choices;
        // A date of another recording would only be refused.
        spec.start_date = None;
        self.files.show_start(spec);
        self.restart();
    }

    /// The globe, if the model's world is one.
    pub fn globe(&self) -> Option<&Arc<GlobeFacts>> {
        self.facts.as_ref()?.globe.as_ref()
    }

    /// Its grid.
    pub fn grid(&self) -> Option<&Globe> {
        self.globe().map(|g| &g.grid)
    }

    /// Rows and columns of the globe in the projection in force.
    pub fn rows(&self) -> Option<&Arc<Rows>> {
        let projection = self.prefs.globe.view.projection;
        self.rows.iter().find(|r| r.projection == projection)
    }

    /// Width of a lane's picture divided by its height.
    pub fn aspect(&self) -> f32 {
        match self.globe() {
            Some(_) => self.prefs.globe.view.projection.aspect() as f32,
            None => 1.0,
        }
    }

    /// The tabs of the diagnostics that have a meaning for the model.
    pub fn tabs(&self) -> &'static [(Tab, &'static str)] {
        match self.globe() {
            Some(_) => &Tab::GLOBE,
            None => &Tab::FLAT,
        }
    }

    /// The tab shown: the first one where the chosen one has no meaning.
    pub fn tab(&self) -> Tab {
        let chosen = self.prefs.tab;
        match self.tabs().iter().any(|(tab, _)| *tab == chosen) {
            true => chosen,
            false => Tab::Time,
        }
    }

    /// How values become colours.
    pub fn look(&self, dark: bool) -> Look {
        let prefs = &self.prefs;
        let Some(globe) = self.globe() else {
            let std = self.facts.as_ref().map_or(1.0, |f| f.data_std);
            return Look::plain(prefs.map(dark), prefs.range(std), prefs.smooth);
        };
        let range = prefs.rain_range();
        let truth = &globe.truth;
        let tone = match prefs.globe.scale {
            Scale::Log => Tone::log(range),
            Scale::Linear => Tone::linear(crate::render::ValueRange { lo: 0.0, ..range }),
            Scale::Quantile => {
                let shares = [0.75, 0.9, 0.95, 0.99, 0.999];
                let known: Vec<_> = shares.into_iter().zip(truth.percentiles).collect();
                Tone::quantiles(range, truth.wet_fraction, &known)
            }
        };
        let rain = RainLook {
            tone,
            dry_below: DRY,
            dry: if dark { DRY_COLORS.0 } else { DRY_COLORS.1 },
            flip: !dark,
        };
        Look {
            rain: Some(rain),
            ..Look::plain(prefs.rain_map(), range, prefs.smooth)
        }
    }
}
