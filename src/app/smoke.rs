//! The window drives itself: a scripted run for continuous integration.
//!
//! Keys and pointer go in as raw input events, as from a person; the picture is saved through the same code as by the
//! save window. Every stage has to be reached within the time limit.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use egui::{Event, Key, Modifiers, PointerButton, Pos2, pos2};

use crate::device::usage;
use crate::error::{Result, UserError};

use super::stage::Stage as Shown;
use super::state::State;

/// What the scripted run is given.
#[derive(Debug, Clone)]
pub struct SmokePlan {
    /// Folder for `window.png`, `picture.png`, `smoke.json`; made if it does not exist.
    pub folder: PathBuf,
    /// The run fails if it is not done by then.
    pub timeout_secs: u64,
}

/// Tiles of the wall that the script opens.
const TILES: usize = 16;
/// How long the window is left alone, and how much of that, in its midst, the processor is watched: not the pictures at both
/// ends.
const IDLE: Duration = Duration::from_secs(4);
const WATCHED: Duration = Duration::from_secs(2);

/// What came of it; `None` while it runs.
pub type Outcome = Arc<Mutex<Option<Result<()>>>>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    GuidedFrames,
    StrengthZero,
    StrengthBack,
    Paused,
    Scrubbed,
    PictureSaved,
    Screenshot,
    Wall,
    Quiet,
    Idle,
    Done,
}

/// The script.
pub struct Smoke {
    plan: SmokePlan,
    /// Events to be put into the next input.
    pub events: Vec<Event>,
    outcome: Outcome,
    began: Instant,
    stage: Stage,
    entered: Instant,
    first_frame_secs: Option<f64>,
    first_guided_secs: Option<f64>,
    times_ms: Vec<f64>,
    /// Those with the lanes and those with the wall on screen.
    lanes_ms: Vec<f64>,
    wall_ms: Vec<f64>,
    /// Pictures drawn in the idle time.
    idle_frames: usize,
    /// Share of a core that the process used in it.
    idle_share: Arc<Mutex<Option<f64>>>,
    screenshot: Arc<Mutex<Option<Arc<egui::ColorImage>>>>,
}

impl Smoke {
    /// A script that has not begun.
    pub fn new(plan: SmokePlan, began: Instant, outcome: Outcome) -> Self {
        Self {
            plan,
            events: Vec::new(),
            outcome,
            began,
            stage: Stage::GuidedFrames,
            entered: Instant::now(),
            first_frame_secs: None,
            first_guided_secs: None,
            times_ms: Vec::new(),
            lanes_ms: Vec::new(),
            wall_ms: Vec::new(),
            idle_frames: 0,
            idle_share: Arc::default(),
            screenshot: Arc::default(),
        }
    }

    /// Notes how long the last frame of the window took.
    pub fn record(&mut self, cpu_usage_secs: Option<f32>) {
        if let Some(secs) = cpu_usage_secs {
            self.times_ms.push(f64::from(secs) * 1000.0);
        }
    }

    fn key(&mut self, key: Key) {
        for pressed in [true, false] {
            self.events.push(Event::Key {
                key,
                physical_key: None,
                pressed,
                repeat: false,
                modifiers: Modifiers::NONE,
            });
        }
    }

    fn click(&mut self, at: Pos2) {
        self.events.push(Event::PointerMoved(at));
        for pressed in [true, false] {
            self.events.push(Event::PointerButton {
                pos: at,
                button: PointerButton::Primary,
                pressed,
                modifiers: Modifiers::NONE,
            });
        }
    }

    fn go(&mut self, stage: Stage) {
        log::info!(
            "scripted run: {stage:?} after {:.1} s",
            self.began.elapsed().as_secs_f64()
        );
        self.stage = stage;
        self.entered = Instant::now();
    }

    /// One look at the window: goes on to the next stage when this one is reached.
    pub fn drive(&mut self, ctx: &egui::Context, state: &mut State) {
        if self.stage == Stage::Done {
            return;
        }
        self.note_first_frames(state);
        if let Some(error) = &state.notices.fatal {
            let error = error.clone();
            return self.finish(ctx, Err(error));
        }
        if self.began.elapsed().as_secs() > self.plan.timeout_secs {
            let error = UserError::new(
                format!("The scripted run did not get past {:?}", self.stage),
                format!(
                    "{} s were over; the worker says: {}",
                    self.plan.timeout_secs, state.progress.activity
                ),
                "Look at the log (RUST_LOG=info) or give it more time",
            );
            return self.finish(ctx, Err(error));
        }
        match self.step(ctx, state) {
            // Idle, the window has to draw by itself what there is to draw.
            Ok(()) if self.stage == Stage::Idle => {
                let left = IDLE.saturating_sub(self.entered.elapsed());
                ctx.request_repaint_after(left + Duration::from_millis(1));
            }
            Ok(()) => ctx.request_repaint_after(Duration::from_millis(50)),
            Err(error) => self.finish(ctx, Err(error)),
        }
    }

    fn note_first_frames(&mut self, state: &State) {
        let now = self.began.elapsed().as_secs_f64();
        if self.first_frame_secs.is_none() && !state.archive.frames.is_empty() {
            self.first_frame_secs = Some(now);
        }
        if self.first_guided_secs.is_none() && guided(state).next().is_some() {
            self.first_guided_secs = Some(now);
        }
    }

    fn step(&mut self, ctx: &egui::Context, state: &mut State) -> Result<()> {
        let newest = |strength: f32| {
            guided(state)
                .next_back()
                .is_some_and(|f| f.settings.guidance.strength == strength)
        };
        match self.stage {
            Stage::GuidedFrames => {
                if guided(state).count() >= 10 {
                    self.key(Key::Num0);
                    self.go(Stage::StrengthZero);
                }
            }
            Stage::StrengthZero => {
                if newest(0.0) {
                    self.key(Key::Num1);
                    self.go(Stage::StrengthBack);
                }
            }
            Stage::StrengthBack => {
                if newest(state.strength_marks().0) {
                    self.key(Key::Space);
                    self.go(Stage::Paused);
                }
            }
            Stage::Paused => {
                if !state.play.playing && !state.progress.running {
                    let span = (state.last() - state.first()).max(40) as f32;
                    let rect = state.scrub_rect;
                    let x = rect.left() + rect.width() * (5 - state.first().min(5)) as f32 / span;
                    self.click(pos2(x, rect.center().y));
                    self.go(Stage::Scrubbed);
                }
            }
            Stage::Scrubbed => {
                if state.shown().is_some_and(|f| f.index == 5) {
                    std::fs::create_dir_all(&self.plan.folder)
                        .map_err(|e| self.cannot_write(&e))?;
                    self.key(Key::End);
                    state.save_to(ctx, self.plan.folder.join("picture.png"));
                    self.go(Stage::PictureSaved);
                }
            }
            Stage::PictureSaved => {
                let path = self.plan.folder.join("picture.png");
                if !state.files.is_writing() && path.exists() {
                    crate::export::read(&path)?;
                    let slot = Arc::clone(&self.screenshot);
                    let wake = ctx.clone();
                    ctx.request_screenshot(move |image| {
                        *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(image);
                        wake.request_repaint();
                    });
                    self.go(Stage::Screenshot);
                }
            }
            Stage::Screenshot => {
                let image = self
                    .screenshot
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .take();
                if let Some(image) = image {
                    self.write_screenshot(&image)?;
                    self.lanes_ms = std::mem::take(&mut self.times_ms);
                    state.wall.ask.count = TILES;
                    state.stage = Shown::Wall;
                    self.go(Stage::Wall);
                }
            }
            Stage::Wall => {
                if state.wall.tiles().len() == TILES && state.wall.value().generated() >= 5 {
                    self.wall_ms = std::mem::take(&mut self.times_ms);
                    state.stage = Shown::Lanes;
                    self.go(Stage::Quiet);
                }
            }
            Stage::Quiet => {
                // The wall ends its step, and what still moves after a change of the stage comes to rest.
                let rested = self.entered.elapsed() > Duration::from_secs(2);
                if rested && !state.progress.running {
                    self.times_ms.clear();
                    self.watch_idle()?;
                    self.go(Stage::Idle);
                }
            }
            Stage::Idle => {
                if self.entered.elapsed() >= IDLE {
                    self.idle_frames = self.times_ms.len();
                    self.write_figures(state)?;
                    self.finish(ctx, Ok(()));
                }
            }
            Stage::Done => {}
        }
        Ok(())
    }

    /// Reads the processor's time aside, without a picture.
    fn watch_idle(&self) -> Result<()> {
        let share = Arc::clone(&self.idle_share);
        let watch = move || {
            std::thread::sleep((IDLE - WATCHED) / 2);
            let before = usage::processor_seconds();
            std::thread::sleep(WATCHED);
            let used = usage::processor_seconds().zip(before).map(|(b, a)| b - a);
            *share.lock().unwrap_or_else(PoisonError::into_inner) =
                used.map(|secs| secs / WATCHED.as_secs_f64());
        };
        let thread = std::thread::Builder::new().name("idle-watch".into());
        thread
            .spawn(watch)
            .map(|_| ())
            .map_err(|e| UserError::new("Cannot watch the idle window", e, "Close other programs"))
    }

    fn cannot_write(&self, cause: &dyn std::fmt::Display) -> UserError {
        UserError::new(
            format!("Cannot write into {}", self.plan.folder.display()),
            cause,
            "Choose a folder that you may write to",
        )
    }

    fn write_screenshot(&self, image: &egui::ColorImage) -> Result<()> {
        let [width, height] = image.size;
        let bytes: Vec<u8> = image.pixels.iter().flat_map(|p| p.to_array()).collect();
        let path = self.plan.folder.join("window.png");
        image::save_buffer(
            &path,
            &bytes,
            width as u32,
            height as u32,
            image::ColorType::Rgba8,
        )
        .map_err(|e| self.cannot_write(&e))
    }

    fn write_figures(&self, state: &State) -> Result<()> {
        let quantile = |times: &[f64], q: f64| {
            let mut times = times.to_owned();
            times.sort_by(f64::total_cmp);
            let at = (q * (times.len().max(1) - 1) as f64).round() as usize;
            times.get(at).copied()
        };
        let used = *self
            .idle_share
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let figures = serde_json::json!({
            "first_frame_secs": self.first_frame_secs,
            "first_guided_frame_secs": self.first_guided_secs,
            "ui_frame_ms_p50": quantile(&self.lanes_ms, 0.5),
            "ui_frame_ms_p99": quantile(&self.lanes_ms, 0.99),
            "ui_frames": self.lanes_ms.len(),
            "wall_tiles": TILES,
            "wall_ui_frame_ms_p50": quantile(&self.wall_ms, 0.5),
            "wall_ui_frame_ms_p99": quantile(&self.wall_ms, 0.99),
            "wall_ui_frames": self.wall_ms.len(),
            "wall_frame_secs": state.wall.value().frame_seconds,
            "idle_secs": WATCHED.as_secs_f64(),
            "idle_ui_frames": self.idle_frames,
            "idle_share_of_a_core": used,
            "frames_made": state.archive.frames.len(),
            "frames_per_second": state.progress.frames_per_second,
            "device": state.facts.as_ref().map(|f| f.device.clone()),
            "warnings": state.notices.count(),
            "total_secs": self.began.elapsed().as_secs_f64(),
        });
        let text = format!("{figures:#}\n");
        std::fs::write(self.plan.folder.join("smoke.json"), text).map_err(|e| self.cannot_write(&e))
    }

    fn finish(&mut self, ctx: &egui::Context, result: Result<()>) {
        self.go(Stage::Done);
        *self.outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
        ctx.send_viewport_cmd(egui::ViewportCommand::Close);
    }
}

/// Generated frames of the guided lane, oldest first.
fn guided(state: &State) -> impl DoubleEndedIterator<Item = &Arc<crate::rollout::frame::FrameSet>> {
    let lane = crate::rollout::settings::LaneKind::Guided.index();
    state
        .archive
        .frames
        .iter()
        .filter(move |f| f.index > 3 && f.lanes[lane].is_some())
}
