//! The wall: linked rollouts from one start, each with settings of its own, on a thread of their own.
//!
//! All tiles begin with the start of the rollout on screen (its spec, member 0) and draw the same noise, so that what
//! differs is the setting. Tiles with the same sampler go through the image model in one batch (`batch`); history lengths
//! and intervals of guidance may differ within it.
//!
//! | file | what is in it |
//! |---|---|
//! | `batch` | one frame of several tiles, step by step |
//! | `judge` | the discriminator of its rows |
//! | `figures` | autocorrelation and dynamics skill of a tile |
//! | `session` | the thread: plan, frames, pause |

mod batch;
pub mod figures;
mod judge;
mod session;

use std::sync::Arc;

use crate::data::Date;
use crate::device::DeviceRequest;
use crate::error::UserError;

use super::aside::{Aside, Latest};
use super::settings::{RolloutSpec, Settings};
use super::worker::Wake;

pub use figures::TileFigures;

/// Tiles that a wall may have.
pub const MOST_TILES: usize = 16;

/// A wall goes on by itself up to this frame.
pub const LONGEST: usize = 1000;

/// Memory of kept frames, bytes.
const MEMORY: usize = 64 * 1024 * 1024;

/// What is to be rolled out.
#[derive(Debug, Clone)]
pub struct WallPlan {
    /// Names the plan in [`WallState::plan`].
    pub number: u64,
    /// Where all tiles begin; of the members only the first.
    pub spec: RolloutSpec,
    /// Settings of each tile.
    pub tiles: Vec<Settings>,
}

/// What the window asks of the thread.
#[derive(Debug, Clone)]
pub enum WallCommand {
    /// Begin anew with this plan.
    Plan(Box<WallPlan>),
    /// Make frames until told otherwise.
    Run,
    /// Stop after the solver step in progress.
    Pause,
    /// Make so many frames, then pause.
    Step(usize),
}

/// One time of all tiles.
#[derive(Debug, Clone)]
pub struct WallFrame {
    /// Number of the frame, as in the rollout on screen.
    pub index: usize,
    /// Time, 0 at the last start frame.
    pub time: f64,
    /// Date, on the globe.
    pub date: Option<Date>,
    /// Truth, physical units.
    pub truth: Arc<[f32]>,
    /// Each tile, physical units; `None` once it was stopped.
    pub tiles: Vec<Option<Arc<[f32]>>>,
}

/// A tile that left the data and was stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stopped {
    /// First bad frame.
    pub frame: usize,
    /// What was seen ("its std is 2.3 times the data's").
    pub what: String,
}

/// What the thread has made and is doing.
#[derive(Debug, Clone, Default)]
pub struct WallState {
    /// Number of the plan in force; 0 before the first.
    pub plan: u64,
    /// One line on what is done now.
    pub activity: String,
    /// Solver step in progress and their number, over all batches of the frame.
    pub step: (usize, usize),
    /// Batches that a frame needs.
    pub batches: usize,
    /// Whether frames are being made.
    pub running: bool,
    /// Seconds that the last frames took each; 0 when unknown.
    pub frame_seconds: f64,
    /// Number of start frames.
    pub start_frames: usize,
    /// Kept frames, oldest first, without gap.
    pub frames: Vec<Arc<WallFrame>>,
    /// Figures of truth over the same frames.
    pub truth: TileFigures,
    /// Figures of each tile.
    pub tiles: Vec<TileFigures>,
    /// Tiles that were stopped.
    pub stopped: Vec<Option<Stopped>>,
    /// What went wrong last.
    pub error: Option<UserError>,
}

impl WallState {
    /// Number of the newest frame.
    pub fn last(&self) -> usize {
        self.frames.last().map_or(0, |f| f.index)
    }

    /// Number of the oldest frame kept.
    pub fn first(&self) -> usize {
        self.frames.first().map_or(0, |f| f.index)
    }

    /// A kept frame by its number.
    pub fn frame(&self, index: usize) -> Option<&Arc<WallFrame>> {
        self.frames.get(index.checked_sub(self.first())?)
    }

    /// Generated frames so far.
    pub fn generated(&self) -> usize {
        match self.frames.is_empty() {
            true => 0,
            false => (self.last() + 1).saturating_sub(self.start_frames),
        }
    }
}

impl Latest for WallState {
    fn failed(&mut self, error: UserError) {
        self.running = false;
        self.step = (0, 0);
        self.activity = "stopped".into();
        self.error = Some(error);
    }
}

/// The thread of a wall.
pub type Wall = Aside<WallCommand, WallState>;

/// Starts the thread; it loads the model (name or folder) on the device and waits for a plan.
pub fn spawn(model: Option<String>, device: DeviceRequest, wake: Wake) -> Wall {
    Aside::spawn(
        "eddyscope-wall",
        WallState {
            activity: "starting".into(),
            ..WallState::default()
        },
        wake,
        move |inside, commands| session::run(inside, commands, model.as_deref(), device),
    )
}
