//! The lambda wall: up to 16 linked rollouts with one setting varied, each judged live; and the map of what was tried.
//!
//! The wall runs on a thread of its own (`rollout::wall`), which begins when the stage is first shown and stays, paused,
//! until the model changes: the frames that it keeps are bounded. The lanes are paused while the wall is shown.
//!
//! | file | what is in it |
//! |---|---|
//! | `vary` | what differs between tiles, and the settings that follow |
//! | `grid` | the tiles |
//! | `side`, `bottom` | the panel on the right, the bar below |
//! | `map`, `explored` | the map of strength and history length, and its memory |

mod bottom;
mod explored;
mod grid;
mod map;
mod side;
mod vary;

use egui::{Context, Key, Modifiers};

use crate::rollout::protocol::ModelFacts;
use crate::rollout::settings::{LaneKind, RolloutSpec, Settings};
use crate::rollout::wall::{self as thread, Wall, WallCommand, WallPlan, WallState};

use super::stage::Stage;
use super::state::State;
use super::tile::Hover;

pub use bottom::bottom;
pub use explored::{Cell, Explored};
pub use grid::show;
pub use side::side;
pub use vary::{Ask, COUNTS, Planned, Vary};

/// Where a wall's frames come from: its thread, or a scripted stand-in in the tests.
pub trait WallSource: Send {
    /// Sends a command; never blocks.
    fn send(&mut self, command: WallCommand);
    /// What was made so far (shared, not copied).
    fn value(&self) -> WallState;
    /// Changes whenever [`Self::value`] would.
    fn version(&self) -> u64;
    /// Whether it still works.
    fn is_alive(&self) -> bool;
}

impl WallSource for Wall {
    fn send(&mut self, command: WallCommand) {
        if !Wall::send(self, command) {
            log::warn!("the wall did not take a command");
        }
    }

    fn value(&self) -> WallState {
        Wall::value(self)
    }

    fn version(&self) -> u64 {
        Wall::version(self)
    }

    fn is_alive(&self) -> bool {
        Wall::is_alive(self)
    }
}

/// Starts a source for a model (name or folder).
pub type WallLaunch = Box<dyn Fn(Option<String>) -> Box<dyn WallSource>>;

/// The plan in force.
#[derive(Debug, Clone)]
struct Plan {
    number: u64,
    spec: RolloutSpec,
    tiles: Vec<Planned>,
    /// Columns, where two quantities differ.
    columns: Option<usize>,
}

/// State of the stage.
#[derive(Default)]
pub struct WallStage {
    /// What is asked for.
    pub ask: Ask,
    /// Tile that the keyboard is at.
    pub chosen: usize,
    /// Whether frames are wanted.
    pub running: bool,
    /// What was tried in this session.
    pub explored: Explored,
    /// Starts the thread; `None` = the real one. For tests of the window.
    pub launch: Option<WallLaunch>,
    source: Option<Box<dyn WallSource>>,
    version: u64,
    value: WallState,
    plan: Option<Plan>,
    number: u64,
    /// Frame shown; `None` = the newest.
    past: Option<usize>,
    hover: Hover,
    /// Columns of tiles on the screen.
    columns_shown: usize,
    /// The lanes were running when the stage was opened.
    lanes_ran: bool,
    open: bool,
}

impl WallStage {
    /// Whether the wall has a thread, and so panels of its own.
    pub fn is_open(&self) -> bool {
        self.source.is_some()
    }

    /// What the thread made.
    pub fn value(&self) -> &WallState {
        &self.value
    }

    /// Tiles of the plan in force.
    pub fn tiles(&self) -> &[Planned] {
        self.plan.as_ref().map_or(&[], |p| &p.tiles)
    }

    fn shown(&self) -> usize {
        let (first, last) = (self.value.first(), self.value.last());
        self.past.unwrap_or(last).clamp(first, last)
    }

    fn send(&mut self, command: WallCommand) {
        if let Some(source) = &mut self.source {
            source.send(command);
        }
    }

    fn run(&mut self, on: bool) {
        self.running = on;
        self.past = None;
        self.send(if on {
            WallCommand::Run
        } else {
            WallCommand::Pause
        });
    }

    fn is_dead(&self) -> bool {
        self.source.as_ref().is_some_and(|s| !s.is_alive())
    }

    /// Gives up the thread and its frames; where the stage is shown it is entered anew.
    pub(super) fn close(&mut self) {
        self.source = None;
        self.plan = None;
        self.value = WallState::default();
        self.past = None;
        self.running = false;
        self.open = false;
    }
}

/// Truth's autocorrelation, as the tiles are held against it.
pub(super) fn truth_acf(facts: &ModelFacts) -> &[f64] {
    match &facts.globe {
        Some(globe) => &globe.truth.tropics_acf,
        None => &facts.acf_truth,
    }
}

/// Once a window frame: opens and leaves the stage, hears the thread, sends a new plan when what is asked for changed.
pub fn update(ctx: &Context, state: &mut State) {
    let Some(facts) = state.facts.clone() else {
        // Another model is being opened.
        return;
    };
    let State { wall, archive, .. } = state;
    wall.explored.listen(archive, &facts);
    let shown = state.stage == Stage::Wall;
    if !state.wall.open && state.wall.is_dead() {
        state.wall.close();
    }
    if shown != state.wall.open {
        state.wall.open = shown;
        if shown { enter(state) } else { leave(state) }
    }
    if !shown {
        return;
    }
    // Something started the lanes (another seed, say): the wall takes what is new in it, the lanes wait.
    if state.play.playing {
        state.wall.lanes_ran = true;
        let order = state.play.halt();
        state.obey(order);
    }
    let dead = state.wall.is_dead();
    hear(state, &facts);
    if dead {
        // Its last word was why. Opened again it begins anew.
        state.wall.close();
        leave(state);
        state.stage = Stage::Lanes;
        return;
    }
    plan(ctx, state, &facts);
}

fn enter(state: &mut State) {
    state.wall.lanes_ran = state.play.playing;
    let order = state.play.halt();
    state.obey(order);
    if state.wall.source.is_none() {
        let model = state.prefs.model.clone();
        state.wall.source = Some(match &state.wall.launch {
            Some(launch) => launch(model),
            None => {
                let wake = std::sync::Arc::clone(&state.wake);
                Box::new(thread::spawn(model, state.device, wake))
            }
        });
        state.wall.version = 0;
        state.wall.running = true;
    } else if state.wall.running {
        state.wall.send(WallCommand::Run);
    }
}

fn leave(state: &mut State) {
    // It waits with its frames; `running` remembers that it goes on when it is shown again.
    state.wall.send(WallCommand::Pause);
    if std::mem::take(&mut state.wall.lanes_ran) && !state.play.playing && state.play.at_end() {
        let order = state.play.toggle();
        state.obey(order);
    }
}

fn hear(state: &mut State, facts: &ModelFacts) {
    let wall = &mut state.wall;
    let Some(source) = &wall.source else {
        return;
    };
    let version = source.version();
    if version == wall.version {
        return;
    }
    wall.version = version;
    let value = source.value();
    if let Some(plan) = wall.plan.as_ref().filter(|p| p.number == value.plan) {
        let was = wall.value.plan == value.plan && wall.value.last() == value.last();
        if !was {
            for (i, (tile, figures)) in plan.tiles.iter().zip(&value.tiles).enumerate() {
                let stopped = value.stopped.get(i).is_some_and(Option::is_some);
                let of = (plan.number, i);
                wall.explored
                    .wall(&facts.name, of, &tile.settings, figures, stopped);
            }
        }
        // It stopped by itself: at its end, or because of an error.
        if wall.value.running && !value.running {
            wall.running = false;
        }
    }
    let news = value
        .error
        .clone()
        .filter(|_| wall.value.error != value.error);
    wall.value = value;
    if let Some(error) = news {
        state.wall.running = false;
        state.notices.warn(error);
    }
}

/// Sends a plan when what is asked for differs from the one in force; not while a slider is being dragged.
fn plan(ctx: &Context, state: &mut State, facts: &ModelFacts) {
    let tiles = state.wall.ask.tiles(&state.prefs.settings, facts);
    let same = state
        .wall
        .plan
        .as_ref()
        .is_some_and(|p| p.tiles == tiles && p.spec == state.prefs.spec);
    let busy = ctx.input(|i| i.pointer.any_down()) || ctx.egui_wants_keyboard_input();
    if same || (busy && state.wall.plan.is_some()) {
        return;
    }
    let wall = &mut state.wall;
    wall.number += 1;
    let plan = WallPlan {
        number: wall.number,
        spec: state.prefs.spec.clone(),
        tiles: tiles.iter().map(|t| t.settings.clone()).collect(),
    };
    wall.plan = Some(Plan {
        number: wall.number,
        spec: state.prefs.spec.clone(),
        tiles,
        columns: wall.ask.table().map(|t| t.0),
    });
    wall.past = None;
    wall.chosen = wall.chosen.min(plan.tiles.len().saturating_sub(1));
    wall.send(WallCommand::Plan(Box::new(plan)));
    if wall.running {
        wall.send(WallCommand::Run);
    }
}

/// Makes a tile the main lane: its settings become the settings, and the rollout begins again from the same start.
pub fn take(state: &mut State, tile: usize) {
    let Some(planned) = state.wall.tiles().get(tile).cloned() else {
        return;
    };
    let now = &state.prefs.settings;
    let mut settings = Settings {
        lanes: now.lanes,
        ..planned.settings
    };
    settings.lanes[LaneKind::Guided.index()] = true;
    state.wall.chosen = tile;
    state.wall.lanes_ran = false;
    state.prefs.settings = settings;
    state.publish();
    state.stage = Stage::Lanes;
    state.wall.open = false;
    state.wall.send(WallCommand::Pause);
    state.restart();
}

/// Keys of the stage.
pub fn keys(ctx: &Context, state: &mut State) {
    let pressed = |key: Key| ctx.input_mut(|i| i.consume_key(Modifiers::NONE, key));
    let columns = grid::columns(state).max(1);
    let wall = &mut state.wall;
    if pressed(Key::Space) {
        wall.run(!wall.running);
    }
    let count = wall.tiles().len();
    let mut go = |by: isize| {
        let to = wall.chosen as isize + by;
        if (0..count as isize).contains(&to) {
            wall.chosen = to as usize;
        }
    };
    if pressed(Key::ArrowLeft) {
        go(-1);
    }
    if pressed(Key::ArrowRight) {
        go(1);
    }
    if pressed(Key::ArrowUp) {
        go(-(columns as isize));
    }
    if pressed(Key::ArrowDown) {
        go(columns as isize);
    }
    if pressed(Key::Home) {
        wall.past = Some(wall.value.first());
        if wall.running {
            wall.running = false;
            wall.send(WallCommand::Pause);
        }
    }
    if pressed(Key::End) {
        wall.past = None;
    }
    let chosen = wall.chosen;
    // A button that has the focus keeps its Enter.
    if ctx.memory(|m| m.focused()).is_none() && pressed(Key::Enter) {
        take(state, chosen);
    }
}
