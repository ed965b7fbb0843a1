//! The microscope, driven as a person would. The frames come from the script, the networks are the shipped model's: what is
//! made again from the script's recipe is another frame than the kept one, and the window says so.

use std::time::{Duration, Instant};

use eddyscope::app::{EddyApp, Stage};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;

use super::{Setup, key, rain, script, state, window};

/// Waits for the thread's answer.
fn answered(harness: &mut Harness<'_, Option<EddyApp>>) {
    let began = Instant::now();
    loop {
        harness.run_steps(2);
        if state(harness).microscope.result().is_some() {
            harness.run_steps(2);
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(120), "no answer");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_frame_is_opened_and_scrubbed() {
    let Some((mut harness, _)) = Setup::new(script(20)).open() else {
        return;
    };
    key(&mut harness, egui::Key::X);
    assert_eq!(state(&mut harness).stage, Stage::Microscope);
    harness.get_by_label("Making the frame again");
    answered(&mut harness);
    harness.get_by_label_contains("recomputed, differs by");
    harness.get_by_label("Frame 19");
    harness.get_by_label_contains("evaluation 5 of 9");
    key(&mut harness, egui::Key::ArrowRight);
    harness.get_by_label_contains("evaluation 6 of 9");
    // The frame shown is still the same: the arrows moved through its denoising.
    assert_eq!(state(&mut harness).shown().map(|f| f.index), Some(19));
    key(&mut harness, egui::Key::Home);
    harness.get_by_label_contains("evaluation 1 of 9");
    harness.get_by_label_contains("noise σ 400");
    harness
        .get_by_label("Last evaluation: the clean frame (End)")
        .click();
    harness.run_steps(2);
    harness.get_by_label_contains("evaluation 9 of 9");
    // It plays from the start and stops at the end.
    key(&mut harness, egui::Key::Space);
    harness.get_by_label_contains("evaluation 1 of 9");
    harness.run_steps(300);
    harness.get_by_label_contains("evaluation 9 of 9");
    // What the columns show can be changed.
    harness.get_by_label("Guidance λσ²d").click();
    harness.run_steps(2);
    harness.get_by_label("Guidance λd");
    let picture = harness.get_by_label("Noised x guided").rect();
    harness.hover_at(picture.center());
    harness.run_steps(2);
    // Another lane is another frame, made again too.
    let before = state(&mut harness)
        .microscope
        .result()
        .cloned()
        .expect("there");
    harness.get_by_label("Microscope lane uncond.").click();
    let began = Instant::now();
    loop {
        harness.run_steps(2);
        let now = state(&mut harness).microscope.result().cloned();
        if now.is_some_and(|n| !std::sync::Arc::ptr_eq(&n, &before)) {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(120), "no answer");
        std::thread::sleep(Duration::from_millis(20));
    }
    key(&mut harness, egui::Key::X);
    assert_eq!(state(&mut harness).stage, Stage::Lanes);
}

#[test]
fn the_microscope_looks_as_it_should() {
    let mut results = egui_kittest::SnapshotResults::new();
    for (globe, name) in [(false, "microscope"), (true, "microscope_globe")] {
        let mut setup = Setup::new(if globe { rain(20) } else { script(20) });
        setup.prefs.tips_dismissed = true;
        setup.prefs.dark = Some(!globe);
        let Some((mut harness, _)) = setup.open() else {
            return;
        };
        key(&mut harness, egui::Key::X);
        answered(&mut harness);
        let chosen = if globe { 6 } else { 5 };
        state(&mut harness).microscope.stop = chosen;
        harness.run_steps(2);
        harness.snapshot_options(name, &window());
        results.extend_harness(&mut harness);
    }
}

#[test]
fn start_frames_say_that_there_is_nothing_to_look_at() {
    let Some((mut harness, _)) = Setup::new(script(20)).open() else {
        return;
    };
    key(&mut harness, egui::Key::Home);
    key(&mut harness, egui::Key::X);
    harness.run_steps(2);
    harness.get_by_label_contains("was given, not sampled");
}
