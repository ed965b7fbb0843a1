//! The live truth twin: what the real world would have done from a frame of the model's own.
//!
//! In the box the solver goes on from the frame, once without forcing and with several seeds of it ([`FlowTwin`]). On the
//! globe there is no solver: the nearest recorded days and what followed them stand in ([`Analogues`]). One thread does
//! both; it needs no network.
//!
//! | file | what is in it |
//! |---|---|
//! | `flow` | the solver from a frame |
//! | `analogues` | nearest recorded days, and how near true days are to one another |

mod analogues;
mod flow;

use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};

use crate::data::recording::Recording;
use crate::error::{Result, UserError};
use crate::field::Globe;
use crate::model::{DEFAULT_MODEL, Model};
use crate::sim;

use super::aside::{Aside, Inside, Latest};
use super::settings::RolloutSpec;
use super::worker::Wake;
use super::world::{files_as_recording, shipped_recording};

pub use analogues::{Analogue, Analogues, AnaloguesAsk, FOLLOWING, NEAREST, Scaling};
pub use flow::{FORCED, FlowStart, FlowTwin, LONGEST};

/// What the window asks of the thread.
#[derive(Debug, Clone)]
pub enum TwinCommand {
    /// Begin anew from a frame of the box.
    Flow(Box<FlowStart>),
    /// Go on to so many frames after the first.
    Until(usize),
    /// Look for the recorded days nearest to a day.
    Analogues(Box<AnaloguesAsk>),
}

/// What the thread has found.
#[derive(Debug, Clone, Default)]
pub struct TwinState {
    /// Number of the start or question that the answers belong to.
    pub number: u64,
    /// One line on what is done now; empty when idle.
    pub activity: String,
    /// The solver's frames, in the box.
    pub flow: Option<FlowTwin>,
    /// Recorded days, on the globe.
    pub analogues: Option<Arc<Analogues>>,
    /// What went wrong last.
    pub error: Option<UserError>,
}

impl Latest for TwinState {
    fn failed(&mut self, error: UserError) {
        self.activity.clear();
        self.error = Some(error);
    }
}

/// The thread of a twin.
pub type Twin = Aside<TwinCommand, TwinState>;

/// Starts the thread for a model (name or folder).
pub fn spawn(model: Option<String>, wake: Wake) -> Twin {
    Aside::spawn(
        "eddyscope-twin",
        TwinState::default(),
        wake,
        move |inside, commands| run(inside, commands, model.as_deref()),
    )
}

fn run(
    inside: &Inside<TwinState>,
    commands: &Receiver<TwinCommand>,
    model: Option<&str>,
) -> Result<()> {
    inside.update(|s| s.activity = "opening the model's world".into());
    let card = Model::open(model.unwrap_or(DEFAULT_MODEL))?.card;
    inside.update(|s| s.activity.clear());
    match &card.data.globe {
        Some(globe) => on_globe(inside, commands, &globe.grid),
        None => {
            let solver = sim::Solver::new(&sim::Params::preset(&card.data.preset)?)?;
            flow::run(inside, commands, solver)
        }
    }
}

/// The newest command that waits, or the next one. `None` when the window has gone.
fn newest<C>(commands: &Receiver<C>) -> Option<C> {
    let mut command = commands.recv().ok()?;
    loop {
        match commands.try_recv() {
            Ok(newer) => command = newer,
            Err(TryRecvError::Empty) => return Some(command),
            Err(TryRecvError::Disconnected) => return None,
        }
    }
}

fn on_globe(
    inside: &Inside<TwinState>,
    commands: &Receiver<TwinCommand>,
    grid: &Globe,
) -> Result<()> {
    let mut known: Option<(RolloutSpec, Rc<dyn Recording>)> = None;
    while let Some(command) = newest(commands) {
        let TwinCommand::Analogues(ask) = command else {
            continue;
        };
        if inside.quit() {
            break;
        }
        inside.update(|s| s.activity = "looking through the record".into());
        let same = |spec: &RolloutSpec| {
            spec.start_file == ask.spec.start_file
                && spec.more_files == ask.spec.more_files
                && spec.reading == ask.spec.reading
        };
        let recording = match &known {
            Some((spec, recording)) if same(spec) => Ok(Rc::clone(recording)),
            _ => open(&ask.spec, grid),
        };
        let found = recording.and_then(|recording| {
            known = Some((ask.spec.clone(), Rc::clone(&recording)));
            analogues::find(recording.as_ref(), &ask, &|| inside.quit())
        });
        inside.update(|s| {
            s.number = ask.number;
            s.activity.clear();
            match found {
                Ok(found) => (s.analogues, s.error) = (found.map(Arc::new), None),
                Err(error) => (s.analogues, s.error) = (None, Some(error)),
            }
        });
    }
    Ok(())
}

/// The recording that a rollout began with.
fn open(spec: &RolloutSpec, grid: &Globe) -> Result<Rc<dyn Recording>> {
    match &spec.start_file {
        None => shipped_recording(grid),
        Some(first) => {
            let rest = spec.more_files.iter();
            let paths: Vec<_> = std::iter::once(first).chain(rest).cloned().collect();
            files_as_recording(&paths, &spec.reading, grid)
        }
    }
}
