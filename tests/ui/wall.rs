//! The lambda wall as a user drives it, over a scripted thread: plan, tiles, keys, taking one, the map.

// Helpers outside of a #[test] function may unwrap here too.
#![allow(clippy::unwrap_used)]

use super::*;

use std::sync::atomic::{AtomicBool, Ordering};

use eddyscope::app::Stage;
use eddyscope::app::wall::{Vary, WallLaunch, WallSource};
use eddyscope::rollout::settings::Settings;
use eddyscope::rollout::wall::{Stopped, TileFigures, WallCommand, WallFrame, WallPlan, WallState};

pub type Heard = Arc<Mutex<Vec<WallCommand>>>;

/// Frames of the scripted worker instead of sampled ones; figures that are best at λ = 1.
struct ScriptedWall {
    heard: Heard,
    globe: bool,
    value: WallState,
    version: u64,
    alive: Arc<AtomicBool>,
}

impl ScriptedWall {
    fn make(&mut self, plan: &WallPlan) {
        let script = if self.globe { rain(24) } else { script(24) };
        let archive = Synthetic::new(&script).archive();
        let truth: Vec<f64> = match self.globe {
            true => support::rain::facts()
                .globe
                .unwrap()
                .truth
                .tropics_acf
                .clone(),
            false => support::facts().acf_truth,
        };
        let lane = |f: &eddyscope::rollout::frame::FrameSet, kind: LaneKind| {
            f.lanes[kind.index()].as_ref().map(|l| l.members[0].clone())
        };
        let strength = |s: &Settings| s.guidance.strength;
        let frames = archive.frames.iter().map(|f| {
            let tile = |s: &Settings| {
                let kind = match strength(s) {
                    v if v < 0.4 => LaneKind::Unconditional,
                    _ => LaneKind::Guided,
                };
                lane(f, kind).filter(|_| strength(s) < 1.9 || f.index <= 20)
            };
            Arc::new(WallFrame {
                index: f.index,
                time: f.time,
                date: f.date,
                truth: lane(f, LaneKind::Truth).unwrap(),
                tiles: plan.tiles.iter().map(tile).collect(),
            })
        });
        let figures = |s: &Settings| {
            let off = f64::from((strength(s) - 1.0).abs() + 0.02 * (3 - s.guidance.history) as f32);
            TileFigures {
                frames: 20,
                acf: truth.iter().map(|v| v - 0.3 * off - 0.008).collect(),
                dynamics_skill: if self.globe {
                    f64::NAN
                } else {
                    0.55 - 0.4 * off
                },
                std_ratio: 0.99,
                global_mean: self.globe.then_some(2.6 + off),
            }
        };
        let stopped = |s: &Settings| {
            (strength(s) >= 1.9).then(|| Stopped {
                frame: 20,
                what: "its std is 2.3 times the data's".into(),
            })
        };
        self.value = WallState {
            plan: plan.number,
            activity: "sampling frame 24".into(),
            step: (4, 10),
            batches: 1,
            running: true,
            frame_seconds: 0.9,
            start_frames: 4,
            frames: frames.collect(),
            truth: TileFigures {
                frames: 20,
                acf: truth.iter().map(|v| v - 0.012).collect(),
                dynamics_skill: if self.globe { f64::NAN } else { 0.56 },
                std_ratio: 1.0,
                global_mean: self.globe.then_some(2.64),
            },
            tiles: plan.tiles.iter().map(figures).collect(),
            stopped: plan.tiles.iter().map(stopped).collect(),
            error: None,
        };
    }
}

impl WallSource for ScriptedWall {
    fn send(&mut self, command: WallCommand) {
        match &command {
            WallCommand::Plan(plan) => self.make(plan),
            WallCommand::Run => self.value.running = true,
            WallCommand::Pause => self.value.running = false,
            WallCommand::Step(_) => {}
        }
        self.version += 1;
        self.heard.lock().unwrap().push(command);
    }

    fn value(&self) -> WallState {
        self.value.clone()
    }

    fn version(&self) -> u64 {
        self.version
    }

    fn is_alive(&self) -> bool {
        self.alive.load(Ordering::Relaxed)
    }
}

fn open_wall<'a>(setup: Setup) -> Option<(Harness<'a, Option<EddyApp>>, Commands, Heard)> {
    open_mortal_wall(setup, &Arc::default())
}

/// A scripted wall in place of the thread; the last one is alive as long as `alive` says so.
pub fn scripted(heard: &Heard, alive: &Arc<AtomicBool>) -> WallLaunch {
    let (heard, alive) = (Arc::clone(heard), Arc::clone(alive));
    Box::new(move |model| {
        alive.store(true, Ordering::Relaxed);
        Box::new(ScriptedWall {
            heard: Arc::clone(&heard),
            globe: model.as_deref() == Some("precipitation"),
            value: WallState::default(),
            version: 1,
            alive: Arc::clone(&alive),
        })
    })
}

/// As [`open_wall`]; its last thread is alive as long as `alive` says so.
fn open_mortal_wall<'a>(
    mut setup: Setup,
    alive: &Arc<AtomicBool>,
) -> Option<(Harness<'a, Option<EddyApp>>, Commands, Heard)> {
    setup.prefs.tips_dismissed = true;
    let (mut harness, commands) = setup.open()?;
    let heard = Heard::default();
    state(&mut harness).wall.launch = Some(scripted(&heard, alive));
    harness.get_by_label("Stage Wall").click();
    harness.run_steps(4);
    Some((harness, commands, heard))
}

fn plans(heard: &Heard) -> Vec<WallPlan> {
    let plan = |c: &WallCommand| match c {
        WallCommand::Plan(plan) => Some((**plan).clone()),
        _ => None,
    };
    heard.lock().unwrap().iter().filter_map(plan).collect()
}

#[test]
fn opening_the_wall_pauses_the_lanes_and_begins_linked_rollouts() {
    let mut setup = Setup::new(script(40));
    setup.prefs.spec.seed = 17;
    let Some((mut harness, commands, heard)) = open_wall(setup) else {
        return;
    };
    assert!(matches!(
        commands.lock().unwrap().last(),
        Some(Command::Pause)
    ));
    let made = plans(&heard);
    assert_eq!(made.len(), 1, "one plan, not one a window frame");
    assert_eq!((made[0].spec.seed, made[0].tiles.len()), (17, 9));
    let strengths: Vec<f32> = made[0].tiles.iter().map(|t| t.guidance.strength).collect();
    assert!(strengths.contains(&0.0) && strengths.contains(&1.0) && strengths.contains(&2.0));
    assert!(matches!(
        heard.lock().unwrap().last(),
        Some(WallCommand::Run)
    ));
    harness.get_by_label("Truth on the wall");
    harness.get_by_label("Tile λ 0.75");
    harness.snapshot_options("wall", &window());

    // More tiles are another plan; a history length on the left too.
    harness.get_by_label("Tiles 16").click();
    harness.run_steps(3);
    assert_eq!(plans(&heard).last().unwrap().tiles.len(), 16);
    key(&mut harness, egui::Key::M);
    harness.run_steps(2);
    let last = plans(&heard).last().unwrap().clone();
    assert!(last.tiles.iter().all(|t| t.guidance.history == 0));

    // Leaving: the wall waits, the lanes go on.
    harness.get_by_label("Stage Lanes").click();
    harness.run_steps(3);
    assert!(matches!(
        heard.lock().unwrap().last(),
        Some(WallCommand::Pause)
    ));
    assert!(matches!(
        commands.lock().unwrap().last(),
        Some(Command::Run)
    ));
}

#[test]
fn keys_move_between_tiles_and_enter_makes_one_the_main_lane() {
    let Some((mut harness, commands, heard)) = open_wall(Setup::new(script(40))) else {
        return;
    };
    for _ in 0..3 {
        key(&mut harness, egui::Key::ArrowRight);
    }
    assert_eq!(state(&mut harness).wall.chosen, 3);
    key(&mut harness, egui::Key::ArrowLeft);
    key(&mut harness, egui::Key::Space);
    assert!(matches!(
        heard.lock().unwrap().last(),
        Some(WallCommand::Pause)
    ));
    key(&mut harness, egui::Key::Enter);
    harness.run_steps(3);
    let s = state(&mut harness);
    assert_eq!(s.stage, Stage::Lanes);
    assert_eq!(s.prefs.settings.guidance.strength, 0.5);
    let heard = commands.lock().unwrap().clone();
    assert!(heard.iter().any(|c| matches!(c, Command::Restart(_))));
    assert!(matches!(heard.last(), Some(Command::Run)));
}

#[test]
fn a_click_takes_a_tile_and_the_map_fills() {
    let mut setup = Setup::new(script(40));
    setup.prefs.dark = Some(false);
    setup.scale = 2.0;
    let Some((mut harness, _, _)) = open_wall(setup) else {
        return;
    };
    state(&mut harness).wall.ask.vary = Vary::StrengthAndHistory;
    state(&mut harness).wall.ask.count = 12;
    harness.run_steps(4);
    // The lanes' own stretches and both walls are on the map: strengths of the two plans, four history lengths.
    harness.run_steps(8);
    harness.get_by_label("Use λ 1.00, m 1");
    harness.get_by_label("Use λ 0.25, m 3");
    harness.snapshot_options("wall_light_2x", &window());
    harness.get_by_label("Use λ 0.25, m 3").click();
    harness.run_steps(3);
    let g = state(&mut harness).prefs.settings.guidance.clone();
    assert_eq!((g.strength, g.history), (0.25, 3));
    assert_eq!(state(&mut harness).stage, Stage::Wall);

    let tile = harness.get_by_label("Tile λ 1.00  m 1").rect();
    harness.hover_at(tile.center());
    harness.run_steps(2);
    harness.get_by_label("Tile λ 1.00  m 1").click();
    harness.run_steps(3);
    let s = state(&mut harness);
    let g = &s.prefs.settings.guidance;
    assert_eq!((g.strength, g.history, s.stage), (1.0, 1, Stage::Lanes));
    assert!(s.play.playing);
}

#[test]
fn the_wall_of_the_globe() {
    let Some((mut harness, _, _)) = open_wall(Setup::new(rain(40))) else {
        return;
    };
    state(&mut harness).wall.ask.count = 16;
    harness.run_steps(4);
    harness.get_by_label("Tile λ 1.00");
    harness.snapshot_options("wall_globe", &window());
}

#[test]
fn an_idle_wall_asks_for_no_further_frame() {
    let Some((mut harness, _, _)) = open_wall(Setup::new(script(40))) else {
        return;
    };
    let steps = harness.run();
    assert!(steps < 10, "{steps}");
}

#[test]
fn another_model_has_a_wall_of_its_own() {
    let Some((mut harness, commands, heard)) = open_wall(Setup::new(script(40))) else {
        return;
    };
    assert_eq!(plans(&heard).len(), 1);
    state(&mut harness).open_model("precipitation");
    harness.run_steps(4);
    let s = state(&mut harness);
    assert!(s.wall.is_open() && s.wall.running && s.globe().is_some());
    assert_eq!(plans(&heard).len(), 2);
    assert!(matches!(
        commands.lock().unwrap().last(),
        Some(Command::Pause)
    ));
    harness.get_by_label("Truth on the wall");
}

#[test]
fn a_wall_whose_thread_ended_makes_way_for_the_lanes() {
    let alive = Arc::new(AtomicBool::new(true));
    let opened = open_mortal_wall(Setup::new(script(40)), &alive);
    let Some((mut harness, commands, heard)) = opened else {
        return;
    };
    alive.store(false, Ordering::Relaxed);
    harness.run_steps(3);
    let s = state(&mut harness);
    assert!(s.stage == Stage::Lanes && !s.wall.is_open());
    assert!(matches!(
        commands.lock().unwrap().last(),
        Some(Command::Run)
    ));
    // Opened again it begins anew; one that ends while it rests does too.
    for begun in [2, 3] {
        harness.get_by_label("Stage Wall").click();
        harness.run_steps(4);
        assert!(state(&mut harness).wall.is_open());
        assert_eq!(plans(&heard).len(), begun);
        harness.get_by_label("Stage Lanes").click();
        harness.run_steps(3);
        alive.store(false, Ordering::Relaxed);
    }
}
