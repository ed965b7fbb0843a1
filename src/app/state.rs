//! Everything the panels read and change.

use std::path::PathBuf;
use std::sync::Arc;

use crate::device::DeviceRequest;
use crate::error::UserError;
use crate::render::globe::Rows;
use crate::render::{Projection, View};
use crate::rollout::frame::{FrameSet, LaneFrame};
use crate::rollout::protocol::{Archive, Command, Event, ModelFacts, Progress};
use crate::rollout::settings::{LANES, LaneKind, RolloutSpec};

use crate::rollout::worker::Wake;

use super::beginning::Asked;
use super::edit::Editor;
use super::files::Files;
use super::globe_lines::GlobeLines;
use super::keeping::Keeper;
use super::lessons::Lessons;
use super::lessons::marks::Marks;
use super::microscope::Microscope;
use super::notices::Notices;
use super::panels::palette::Palette;
use super::playback::{BASE_RATE, Order, Playback};
use super::prefs::Prefs;
use super::presenter::Presenter;
use super::rain_files::RainDialog;
use super::restoring::Restoring;
use super::series::Series;
use super::source::{Launch, RolloutSource, Start};
use super::stage::Stage;
use super::tree::Tree;
use super::twin::TwinStage;
use super::undo::Undo;
use super::wall::WallStage;

/// A lane that was stopped.
#[derive(Debug, Clone)]
pub struct BlowUp {
    /// First bad frame.
    pub frame: usize,
    /// What was seen.
    pub what: String,
}

/// State of the window.
pub struct State {
    pub(super) launch: Launch,
    pub(super) source: Box<dyn RolloutSource>,
    /// What persists.
    pub prefs: Prefs,
    /// Whether the settings come from an earlier run (then the model's suggestion does not overwrite them).
    pub(super) restored: bool,
    /// Facts about the model, once it is loaded.
    pub facts: Option<Arc<ModelFacts>>,
    /// Rows and columns of the globe in each projection, for the shader; shared, so that they are uploaded once.
    pub rows: Vec<Arc<Rows>>,
    /// Coastlines and graticule as they lie on the screen.
    pub globe_lines: GlobeLines,
    /// Frames.
    pub archive: Archive,
    pub(super) version: (u64, u64),
    /// The frame shown, if it lies on disk.
    from_disk: Option<Arc<FrameSet>>,
    /// The frame that could not be read last, with its epoch: it is not tried at every window frame.
    unread: Option<(u64, usize)>,
    /// What the worker does.
    pub progress: Progress,
    /// Generation of the settings published last.
    pub generation: u64,
    /// Lanes stopped, by lane index.
    pub blow_ups: [Option<BlowUp>; LANES],
    /// What the middle of the window shows.
    pub stage: Stage,
    /// The device asked for: threads beside the worker compute there too.
    pub device: DeviceRequest,
    /// One frame's denoising.
    pub microscope: Microscope,
    /// The history, edited by hand.
    pub edit: Editor,
    /// Asks for another frame of the window: for threads beside the worker.
    pub wake: Wake,
    /// The live truth twin.
    pub twin: TwinStage,
    /// The wall of linked rollouts.
    pub wall: WallStage,
    /// Which frame is shown.
    pub play: Playback,
    /// What the rollout on screen started from.
    pub(super) on_screen: RolloutSpec,
    /// A new rollout that was asked for and has not begun: where it fails, things are as they were.
    pub(super) asked: Option<Asked>,
    pub(super) ran: bool,
    /// Branches.
    pub tree: Tree,
    /// Undo and redo of settings.
    pub undo: Undo,
    /// What part of the box is seen, in all lanes.
    pub view: View,
    /// Cell under the pointer, and the lane it is in.
    pub hover: Option<(LaneKind, usize, usize)>,
    /// The control that the keyboard was at.
    pub(super) focused: Option<egui::Id>,
    /// Cell that is followed.
    pub pin: Option<(usize, usize)>,
    /// What the autocorrelation of rain is taken of.
    pub acf_of: super::plots::rain_time::Of,
    /// Member shown.
    pub member: usize,
    /// The control to look at.
    pub spotlight: super::spotlight::Spotlight,
    /// What the tabs of the diagnostics show.
    pub plots: super::plots::PlotState,
    /// Time series.
    pub series: Series,
    /// Errors and news.
    pub notices: Notices,
    /// Dialogs and typed paths.
    pub files: Files,
    /// A person's files of precipitation, before they are used.
    pub rain: RainDialog,
    /// Files being opened.
    pub restoring: Restoring,
    /// Kind of device of the run being restored.
    pub(super) recorded_on: String,
    /// The palette of commands.
    pub palette: Palette,
    /// A copy in case of a crash.
    pub(super) keeper: Keeper,
    /// Whether the help sheet is open.
    pub help_open: bool,
    /// The lanes alone, large.
    pub presenter: Presenter,
    /// Guided tours.
    pub lessons: Lessons,
    /// Folder of more lessons, from the command line.
    pub lessons_given: Option<PathBuf>,
    /// Where the named controls lie in this window frame.
    pub marks: Marks,
    /// Where the scrub bar lies, for the scripted run.
    pub scrub_rect: egui::Rect,
    /// Name of the adapter that draws, if it is a software one.
    pub software: Option<String>,
    /// A row without values, for lanes that were off; one array, so that it is uploaded once.
    pub blank: Arc<[f32]>,
    /// Seconds since an error during which the worker has not run; `None` when there is nothing to wait for.
    pub(super) idle_since_error: Option<f32>,
}

impl State {
    /// Starts the source and lets it make frames.
    pub fn new(launch: Launch, prefs: Prefs, restored: bool, start: Option<PathBuf>) -> Self {
        let mut prefs = prefs;
        if start.is_some() {
            prefs.spec.start_file = start;
        }
        let mut source = launch(Start {
            model: prefs.model.clone(),
            settings: prefs.settings.clone(),
            spec: prefs.spec.clone(),
            suggest: !restored,
            resume: None,
        });
        source.send(Command::Run);
        let mut play = Playback::default();
        play.restart();
        let files = Files::new(&prefs);
        Self {
            launch,
            source,
            on_screen: prefs.spec.clone(),
            asked: None,
            prefs,
            restored,
            facts: None,
            rows: Vec::new(),
            globe_lines: GlobeLines::default(),
            archive: Archive::default(),
            version: (u64::MAX, u64::MAX),
            from_disk: None,
            unread: None,
            progress: Progress::default(),
            generation: 0,
            blow_ups: Default::default(),
            stage: Stage::default(),
            device: DeviceRequest::default(),
            microscope: Microscope::default(),
            edit: Editor::default(),
            wake: Arc::new(|| {}),
            twin: TwinStage::default(),
            wall: WallStage::default(),
            play,
            ran: false,
            tree: Tree::default(),
            undo: Undo::default(),
            view: View::default(),
            hover: None,
            focused: None,
            pin: None,
            acf_of: Default::default(),
            member: 0,
            spotlight: Default::default(),
            plots: Default::default(),
            series: Series::default(),
            notices: Notices::default(),
            files,
            rain: RainDialog::default(),
            restoring: Restoring::default(),
            recorded_on: String::new(),
            palette: Palette::default(),
            keeper: Keeper::default(),
            help_open: false,
            presenter: Presenter::default(),
            lessons: Lessons::default(),
            lessons_given: None,
            marks: Marks::default(),
            scrub_rect: egui::Rect::NOTHING,
            software: None,
            blank: Vec::new().into(),
            idle_since_error: None,
        }
    }

    /// Reads what the source has to say; cheap, once a window frame.
    pub fn poll(&mut self, dt_secs: f32) -> bool {
        let mut failed = false;
        while let Some(event) = self.source.poll_event() {
            failed |= matches!(event, Event::Error { .. });
            self.hear(event);
        }
        let version = self.source.archive_version();
        let news = version != self.version;
        if news {
            if version.0 != self.version.0 {
                self.from_disk = None;
                if let Some(asked) = self.asked.take_if(|a| a.epoch != version.0) {
                    self.on_screen = asked.spec;
                }
            }
            self.archive = self.source.archive();
            self.version = version;
            self.follow_branches();
        }
        if news || self.series.is_behind() {
            let lost = self.series.update(&self.archive);
            if let Some(index) = lost {
                self.warn_unread(index);
            }
        }
        self.progress = self.source.progress();
        self.follow_worker(failed, dt_secs);
        self.source.set_pace(BASE_RATE * self.prefs.speed);
        let (order, more) = self.play.advance(dt_secs, self.prefs.speed, self.last());
        self.obey(order);
        self.fetch_shown();
        self.poll_lesson();
        more || self.idle_since_error.is_some()
    }

    fn hear(&mut self, event: Event) {
        match event {
            Event::Started(facts) => {
                if self.facts.is_none() && !self.restored {
                    self.undo.start_from_here();
                    // What was set meanwhile stays.
                    if self.generation == 0 {
                        self.take_suggestions(&facts);
                    }
                }
                self.blank = vec![f32::NAN; facts.shape.1].into();
                self.rows = match &facts.globe {
                    Some(g) => Projection::ALL
                        .map(|p| Arc::new(Rows::of(&g.grid, p)))
                        .to_vec(),
                    None => Vec::new(),
                };
                self.facts = Some(facts);
                self.blow_ups = Default::default();
            }
            Event::BlowUp { lane, frame, what } => {
                self.blow_ups[lane.index()] = Some(BlowUp { frame, what });
            }
            Event::Error { error, fatal } => {
                if fatal {
                    log::error!("{error}");
                    self.notices.fatal = Some(error);
                    let _ = self.play.halt();
                } else {
                    self.tree.give_up();
                    self.notices.warn(error);
                    self.take_back_start();
                    if self.restoring.is_awaiting() {
                        // It would be another run.
                        self.restoring.forget();
                        let order = self.play.halt();
                        self.obey(order);
                        self.source.send(Command::Pause);
                    }
                }
            }
        }
    }

    /// The worker may pause by itself (all lanes stopped, an error): the play button then says so. After an error it may
    /// also go on (a start file that cannot be read), so it is given a moment. A worker that ended without a word is an
    /// error too.
    fn follow_worker(&mut self, failed: bool, dt_secs: f32) {
        const MOMENT_SECS: f32 = 0.5;
        if failed {
            self.idle_since_error = Some(0.0);
        }
        let paused = !self.progress.running && self.play.playing && self.play.at_end();
        if !paused {
            self.idle_since_error = None;
        }
        let waited = match &mut self.idle_since_error {
            // The time before the error does not count.
            Some(secs) => {
                *secs += if failed { 0.0 } else { dt_secs };
                *secs > MOMENT_SECS
            }
            None => false,
        };
        if paused && (self.ran || waited) {
            self.play.playing = false;
            self.idle_since_error = None;
        }
        self.ran = self.progress.running;
        if !self.source.is_alive() && self.notices.fatal.is_none() {
            self.notices.fatal = Some(UserError::new(
                "The worker has ended",
                "it did not say why",
                "Press Start again; if it happens again, start with --device cpu",
            ));
            let _ = self.play.halt();
        }
    }

    /// Tells the worker the settings. They act on its next solver step.
    pub fn publish(&mut self) {
        self.generation = self.source.set_settings(self.prefs.settings.clone());
    }

    /// Tells the worker what the playback asks for.
    pub fn obey(&mut self, order: Order) {
        match order {
            Order::None => {}
            Order::Run => {
                self.ran = false;
                self.source.send(Command::Run);
            }
            Order::Pause => self.source.send(Command::Pause),
            Order::StepOne => {
                self.ran = false;
                self.source.send(Command::Step(1));
            }
        }
    }

    /// Drops all frames after `index` and shows it.
    pub fn go_back_to(&mut self, index: usize) {
        self.source.send(Command::Pause);
        self.source.send(Command::TruncateTo(index));
        self.keeper.another_rollout();
        self.blow_ups = Default::default();
        self.play = Playback::default();
    }

    /// First and last kept frame; the first ones of a long run lie on disk.
    pub fn first(&self) -> usize {
        self.archive.oldest()
    }

    /// First frame in memory.
    pub fn first_in_memory(&self) -> usize {
        self.archive.frames.first().map_or(0, |f| f.index)
    }

    /// See [`Self::first`].
    pub fn last(&self) -> usize {
        self.archive.frames.last().map_or(0, |f| f.index)
    }

    /// The frame shown.
    pub fn shown(&self) -> Option<&Arc<FrameSet>> {
        let index = self.play.shown(self.first(), self.last());
        let on_disk = self.from_disk.as_ref();
        self.frame(index)
            .or(on_disk.filter(|f| f.index == index && index < self.first_in_memory()))
    }

    /// Reads the frame that is to be shown, if it lies on disk: after everything that moves through time.
    pub fn fetch_shown(&mut self) {
        let index = self.play.shown(self.first(), self.last());
        let unread = Some((self.version.0, index));
        if index >= self.first_in_memory() {
            self.from_disk = None;
        } else if self.from_disk.as_ref().is_none_or(|f| f.index != index) && self.unread != unread
        {
            self.from_disk = self.archive.load(index);
            if self.from_disk.is_none() {
                self.unread = unread;
                self.warn_unread(index);
            }
        }
        self.fetch_beside();
    }

    fn warn_unread(&mut self, index: usize) {
        self.notices.warn(UserError::new(
            format!("Frame {index} cannot be read back from disk"),
            "the file that holds it is gone or damaged (the log says more)",
            "Go to another frame; frames in memory are not affected",
        ));
    }

    /// A frame in memory by its number.
    pub fn frame(&self, index: usize) -> Option<&Arc<FrameSet>> {
        let at = index.checked_sub(self.first_in_memory())?;
        self.archive.frames.get(at)
    }

    /// Time of a frame, kept or not.
    pub fn time_of(&self, index: usize) -> f64 {
        let step = self.facts.as_ref().map_or(1.0, |f| f.frame_interval);
        let known = self.archive.frames.first();
        known.map_or(0.0, |f| f.time + (index as f64 - f.index as f64) * step)
    }

    /// Values of the member shown, in a lane of a frame.
    pub fn values<'a>(&self, lane: &'a LaneFrame) -> Option<&'a Arc<[f32]>> {
        lane.members
            .get(self.member.min(lane.members.len().saturating_sub(1)))
    }

    /// Lanes that are switched on, and that the model can make.
    pub fn lanes(&self) -> Vec<LaneKind> {
        let video = self.facts.as_ref().is_none_or(|f| f.video);
        LaneKind::ALL
            .into_iter()
            .filter(|k| self.prefs.settings.lanes[k.index()] && (video || !k.is_video()))
            .collect()
    }

    /// Switches lanes on and off. The last one stays: an empty window explains nothing.
    pub fn set_lanes(&mut self, lanes: [bool; LANES]) {
        if lanes.contains(&true) && lanes != self.prefs.settings.lanes {
            self.prefs.settings.lanes = lanes;
            self.publish();
        }
    }

    /// Columns and rows of the field.
    pub fn size(&self) -> (usize, usize) {
        self.facts
            .as_ref()
            .map_or((0, 0), |f| (f.shape.1, f.shape.0))
    }

    /// Whether the settings on screen have reached the sampler.
    pub fn applied(&self) -> bool {
        self.progress.applied_generation >= self.generation
    }

    /// Memory of the kept frames, bytes.
    pub fn memory(&self) -> usize {
        self.archive.in_memory() * self.memory_of_a_frame()
    }

    /// Memory of one frame of all lanes and members, bytes.
    pub(super) fn memory_of_a_frame(&self) -> usize {
        let per = |lane: &LaneFrame| {
            lane.members.iter().map(|m| m.len()).sum::<usize>() + lane.hovmoeller.len()
        };
        // All frames of a rollout are alike.
        self.archive
            .frames
            .last()
            .map_or(0, |f| 4 * f.lanes.iter().flatten().map(per).sum::<usize>())
    }

    /// What the rollout starts from.
    pub fn spec(&self) -> &RolloutSpec {
        &self.prefs.spec
    }
}
