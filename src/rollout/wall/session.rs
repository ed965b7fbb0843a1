//! What the thread of a wall does: take a plan, make frames of all tiles, keep the newest.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::Instant;

use crate::device::{self, DeviceRequest};
use crate::diffusion::Context;
use crate::error::{Result, UserError};
use crate::model::{DEFAULT_MODEL, Model};

use super::super::aside::Inside;
use super::super::engine::{Engine, HISTORY};
use super::super::lanes::Lanes;
use super::super::recorder::blow_up;
use super::super::settings::{LaneKind, RolloutSpec, Settings};
use super::batch::{Batch, Row, together};
use super::figures::Stream;
use super::{LONGEST, MEMORY, MOST_TILES, Stopped, WallCommand, WallFrame, WallPlan, WallState};

/// Weight of the newest frame in the shown time a frame.
const RATE_WEIGHT: f64 = 0.3;

/// Frames kept whatever the memory.
const KEPT_AT_LEAST: usize = 16;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Paused,
    Running,
    Steps(usize),
}

/// Runs until the window goes.
pub(super) fn run(
    inside: &Inside<WallState>,
    commands: &Receiver<WallCommand>,
    model: Option<&str>,
    device: DeviceRequest,
) -> Result<()> {
    inside.update(|s| s.activity = "loading the model".into());
    let model = Model::open(model.unwrap_or(DEFAULT_MODEL))?;
    let engine = Engine::new(&model, device::select(device)?)?;
    let mut session = Session {
        inside,
        engine,
        mode: Mode::Paused,
        run: None,
    };
    while !inside.quit() {
        if !session.take_commands(commands) {
            break;
        }
        if session.mode != Mode::Paused
            && let Err(error) = session.advance()
        {
            session.fail(error);
        }
    }
    Ok(())
}

struct Session<'a> {
    inside: &'a Inside<WallState>,
    engine: Engine,
    mode: Mode,
    run: Option<Run>,
}

/// The rollouts of a plan.
struct Run {
    plan: WallPlan,
    /// Truth, dates, number of the next frame.
    lanes: Lanes,
    truth: Stream,
    tiles: Vec<Tile>,
    /// The batches of the frame being made.
    current: Option<Vec<Batch>>,
    seconds: f64,
}

struct Tile {
    /// Last frames, newest first.
    history: VecDeque<Arc<[f32]>>,
    stream: Stream,
    stopped: Option<Stopped>,
}

impl Session<'_> {
    /// Handles what is waiting; while there is nothing to do, waits without using the CPU. `false` when the window has gone.
    fn take_commands(&mut self, commands: &Receiver<WallCommand>) -> bool {
        loop {
            let idle = self.mode == Mode::Paused || self.run.is_none();
            let command = match idle {
                true => commands.recv().map_err(|_| TryRecvError::Disconnected),
                false => commands.try_recv(),
            };
            match command {
                Ok(WallCommand::Plan(plan)) => {
                    if let Err(error) = self.begin(*plan) {
                        self.run = None;
                        self.fail(error);
                    }
                }
                Ok(WallCommand::Run) => self.mode = Mode::Running,
                Ok(WallCommand::Pause) => self.mode = Mode::Paused,
                Ok(WallCommand::Step(0)) => {}
                Ok(WallCommand::Step(n)) => self.mode = Mode::Steps(n),
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            }
            if self.inside.quit() {
                return false;
            }
            self.say();
        }
    }

    /// Says what is done now.
    fn say(&self) {
        let running = self.mode != Mode::Paused && self.run.is_some();
        let next = self.run.as_ref().map(|r| r.lanes.next);
        self.inside.update(|s| {
            s.running = running;
            s.activity = match (next, running) {
                (Some(next), true) => format!("sampling frame {next}"),
                (Some(next), false) => format!("paused at frame {}", next.saturating_sub(1)),
                (None, _) => "ready".into(),
            };
            if !running {
                s.step = (0, 0);
            }
        });
    }

    fn fail(&mut self, error: UserError) {
        self.mode = Mode::Paused;
        if let Some(run) = &mut self.run {
            run.current = None;
        }
        self.inside.update(|s| s.error = Some(error));
        self.say();
    }

    fn begin(&mut self, plan: WallPlan) -> Result<()> {
        let number = plan.number;
        self.inside.update(|s| {
            *s = WallState {
                plan: number,
                activity: "making the start".into(),
                ..WallState::default()
            };
        });
        if !(1..=MOST_TILES).contains(&plan.tiles.len()) {
            return Err(UserError::new(
                format!("A wall cannot have {} tiles", plan.tiles.len()),
                format!("it has 1 to {MOST_TILES}"),
                "choose another number of tiles",
            ));
        }
        for tile in &plan.tiles {
            tile.validate()?;
        }
        let spec = RolloutSpec {
            members: 1,
            ..plan.spec.clone()
        };
        let lengths = plan.tiles.iter().map(|t| t.guidance.history);
        let lanes = Lanes::start(&mut self.engine, &spec, lengths.max().unwrap_or(0))?;
        let start: Vec<Arc<[f32]>> = lanes
            .start_history(LaneKind::Truth)
            .into_iter()
            .filter_map(|members| members.into_iter().next())
            .collect();
        let stream = |kind| {
            let mut stream = Stream::new(&self.engine, kind);
            start.iter().for_each(|frame| stream.start(frame));
            stream
        };
        let tile = |_: &Settings| Tile {
            history: start.iter().rev().take(HISTORY).cloned().collect(),
            stream: stream(LaneKind::Guided),
            stopped: None,
        };
        let tiles: Vec<Tile> = plan.tiles.iter().map(tile).collect();
        let truth = stream(LaneKind::Truth);
        let count = plan.tiles.len();
        let frame = |(index, values): (usize, &Arc<[f32]>)| {
            Arc::new(WallFrame {
                index,
                time: time(&self.engine, &lanes, index),
                date: lanes.date(index),
                truth: Arc::clone(values),
                tiles: vec![Some(Arc::clone(values)); count],
            })
        };
        let frames: Vec<_> = start.iter().enumerate().map(frame).collect();
        self.inside.update(|s| {
            s.start_frames = frames.len();
            s.frames = frames;
            s.tiles = vec![Default::default(); count];
            s.stopped = vec![None; count];
        });
        self.run = Some(Run {
            plan,
            lanes,
            truth,
            tiles,
            current: None,
            seconds: 0.0,
        });
        Ok(())
    }

    /// One solver step, or the end of a frame.
    fn advance(&mut self) -> Result<()> {
        let Some(run) = &mut self.run else {
            return Ok(());
        };
        let began = Instant::now();
        let mut current = match run.current.take() {
            Some(current) => current,
            None => {
                run.seconds = 0.0;
                run.begin_frame(&self.engine)?
            }
        };
        match current.iter_mut().find(|b| !b.is_done()) {
            Some(batch) => {
                batch.step(&self.engine);
                let (mut done, mut all) = (0, 0);
                for (d, n) in current.iter().map(Batch::progress) {
                    (done, all) = (done + d, all + n);
                }
                let batches = current.len();
                run.current = Some(current);
                run.seconds += began.elapsed().as_secs_f64();
                self.inside.update(|s| {
                    s.step = (done, all);
                    s.batches = batches;
                });
                Ok(())
            }
            None => {
                self.finish(current, began)?;
                self.say();
                Ok(())
            }
        }
    }

    fn finish(&mut self, current: Vec<Batch>, began: Instant) -> Result<()> {
        let (Some(run), engine) = (&mut self.run, &mut self.engine) else {
            return Ok(());
        };
        let index = run.lanes.next;
        let date = run.lanes.date(index);
        let before = run.lanes.last(LaneKind::Truth).and_then(|m| m.first());
        let before = before.cloned();
        let truth = run.lanes.next_truth(engine)?;
        let recorded = truth.recorded;
        let Some(true_frame) = truth.members.first().cloned() else {
            return Ok(());
        };
        run.truth.push(
            engine,
            before.as_ref(),
            &true_frame,
            index,
            recorded.or(date),
        );
        run.lanes.push(LaneKind::Truth, truth.members);
        let mut frame = WallFrame {
            index,
            time: time(engine, &run.lanes, index),
            date,
            truth: true_frame,
            tiles: vec![None; run.tiles.len()],
        };
        let made: Vec<_> = current.into_iter().flat_map(|b| b.finish(engine)).collect();
        for (i, values) in made {
            let Some(tile) = run.tiles.get_mut(i) else {
                continue;
            };
            match blow_up(engine, LaneKind::Guided, std::slice::from_ref(&values)) {
                Some(b) => {
                    tile.stopped = Some(Stopped {
                        frame: index,
                        what: b.what,
                    });
                }
                None => {
                    let before = tile.history.front().cloned();
                    tile.stream
                        .push(engine, before.as_ref(), &values, index, date);
                }
            }
            tile.history.push_front(Arc::clone(&values));
            tile.history.truncate(HISTORY);
            frame.tiles[i] = Some(values);
        }
        run.lanes.advance();
        let std = engine.card.truth.std;
        let truth = run.truth.figures(std);
        let tiles: Vec<_> = run.tiles.iter().map(|t| t.stream.figures(std)).collect();
        let stopped: Vec<_> = run.tiles.iter().map(|t| t.stopped.clone()).collect();
        let over = index + 1 >= LONGEST || stopped.iter().all(Option::is_some);
        self.mode = match self.mode {
            Mode::Steps(n) if n > 1 && !over => Mode::Steps(n - 1),
            Mode::Running if !over => Mode::Running,
            _ => Mode::Paused,
        };
        let bytes = size_of::<f32>() * engine.cells() * (run.tiles.len() + 1);
        let keep = (MEMORY / bytes.max(1)).max(KEPT_AT_LEAST);
        let seconds = run.seconds + began.elapsed().as_secs_f64();
        self.inside.update(|s| {
            s.frames.push(Arc::new(frame));
            let drop = s.frames.len().saturating_sub(keep);
            s.frames.drain(..drop);
            (s.truth, s.tiles, s.stopped) = (truth, tiles, stopped);
            s.frame_seconds = match s.frame_seconds > 0.0 {
                true => s.frame_seconds + RATE_WEIGHT * (seconds - s.frame_seconds),
                false => seconds,
            };
        });
        Ok(())
    }
}

fn time(engine: &Engine, lanes: &Lanes, index: usize) -> f64 {
    (index as f64 + 1.0 - lanes.start_frames as f64) * engine.frame_interval()
}

impl Run {
    /// The next frame of the tiles that are left, in as few batches as their samplers allow.
    fn begin_frame(&self, engine: &Engine) -> Result<Vec<Batch>> {
        let mut groups: Vec<Vec<Row<'_>>> = Vec::new();
        for (tag, (tile, settings)) in self.tiles.iter().zip(&self.plan.tiles).enumerate() {
            if tile.stopped.is_some() {
                continue;
            }
            let season = engine
                .told_season(&settings.guidance)
                .then(|| self.lanes.days().map(|d| d.season(self.lanes.next)))
                .flatten();
            let row = Row {
                tag,
                history: &tile.history,
                member: 0,
                settings,
                context: Context {
                    m: self.lanes.history_length(settings.guidance.history),
                    season,
                    belief: settings.guidance.belief,
                },
            };
            let fits = |group: &&mut Vec<Row<'_>>| {
                group
                    .first()
                    .is_some_and(|first| together(first.settings, settings))
            };
            match groups.iter_mut().find(fits) {
                Some(group) => group.push(row),
                None => groups.push(vec![row]),
            }
        }
        let seed = self.plan.spec.seed;
        let frame = self.lanes.next;
        groups
            .into_iter()
            .map(|rows| Batch::begin(engine, rows, seed, frame))
            .collect()
    }
}
