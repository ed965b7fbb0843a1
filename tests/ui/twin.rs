//! The live truth twin as a user drives it: over the real solver and the shipped record, beside a scripted model.

// Helpers outside of a #[test] function may unwrap here too.
#![allow(clippy::unwrap_used)]

use super::*;

use std::time::{Duration, Instant};

use eddyscope::app::Stage;

type Window<'a> = Harness<'a, Option<EddyApp>>;

/// Opens the stage and waits until the thread has answered.
fn open_twin<'a>(mut setup: Setup, done: &str) -> Option<(Window<'a>, Commands)> {
    setup.prefs.tips_dismissed = true;
    let (mut harness, commands) = setup.open()?;
    harness.get_by_label("Stage Twin").click();
    harness.run_steps(3);
    let began = Instant::now();
    while harness.query_by_label(done).is_none() {
        assert!(
            began.elapsed() < Duration::from_secs(120),
            "waited for {done}"
        );
        std::thread::sleep(Duration::from_millis(50));
        harness.run_steps(1);
    }
    Some((harness, commands))
}

#[test]
fn the_solver_goes_on_from_a_frame_of_the_model() {
    // The scripted vortices at full strength are too fast for the solver's time step.
    let slow = Script {
        vigour: 0.3,
        ..script(40)
    };
    let Some((mut harness, commands)) = open_twin(Setup::new(slow), "Model on the twin") else {
        return;
    };
    // It began some frames back, so that there is something to see; the lanes go on.
    assert_eq!(state(&mut harness).stage, Stage::Twin);
    assert_eq!(state(&mut harness).twin.origin().map(|o| o.frame), Some(23));
    assert!(!matches!(
        commands.lock().unwrap().last(),
        Some(Command::Pause)
    ));
    let began = Instant::now();
    while state(&mut harness).twin.frames() < 24 {
        assert!(began.elapsed() < Duration::from_secs(120));
        std::thread::sleep(Duration::from_millis(50));
        harness.run_steps(1);
    }
    harness.get_by_label("Model less solver with forcing");
    let growth = state(&mut harness).twin.growth();
    // Where it begins they are one, and they part.
    assert!(growth[0] < 0.2 && growth[16] > growth[0], "{growth:?}");
    assert_eq!(growth.len(), 17, "as far as the model has come");
    harness.snapshot_options("twin", &window());

    // Before its start there is nothing to compare; it can begin anew there.
    key(&mut harness, egui::Key::Space);
    for _ in 0..20 {
        key(&mut harness, egui::Key::ArrowLeft);
    }
    assert_eq!(state(&mut harness).shown().map(|f| f.index), Some(19));
    assert!(harness.query_by_label("Solver without forcing").is_none());
    harness.get_by_label("Begin at the frame shown").click();
    harness.run_steps(3);
    assert_eq!(state(&mut harness).twin.origin().map(|o| o.frame), Some(19));
}

/// A frame that the solver's time step cannot follow ends the twin with a word, not with a picture of noise.
#[test]
fn a_frame_that_is_too_fast_for_the_solver_is_said_to_be() {
    let opened = open_twin(Setup::new(script(40)), "Model on the twin");
    let Some((mut harness, _)) = opened else {
        return;
    };
    let began = Instant::now();
    while !state(&mut harness).twin.broke() {
        assert!(began.elapsed() < Duration::from_secs(120));
        std::thread::sleep(Duration::from_millis(50));
        harness.run_steps(1);
    }
    assert!(state(&mut harness).twin.frames() < 16);
    let growth = state(&mut harness).twin.growth();
    assert!(growth.iter().all(|v| v.is_finite()), "{growth:?}");
}

#[test]
fn the_nearest_recorded_days_stand_below_the_days_of_the_model() {
    let mut setup = Setup::new(rain(40));
    setup.prefs.dark = Some(false);
    let found = "Distance to the record";
    let Some((mut harness, _)) = open_twin(setup, found) else {
        return;
    };
    // Days with days after them.
    key(&mut harness, egui::Key::Space);
    for _ in 0..4 {
        key(&mut harness, egui::Key::ArrowLeft);
    }
    let began = Instant::now();
    harness.run_steps(2);
    while harness.query_by_label(found).is_none() {
        assert!(began.elapsed() < Duration::from_secs(120));
        std::thread::sleep(Duration::from_millis(50));
        harness.run_steps(1);
    }
    let analogues = state(&mut harness).twin.analogues().unwrap();
    assert_eq!(analogues.nearest.len(), 3);
    let date = analogues.nearest[0].days[0].0;
    harness.get_by_label(&format!("Nearest 1 {date}"));
    assert!(analogues.nearer_true_days().is_some());
    harness.snapshot_options("twin_globe", &window());
}
