//! Editing the history as a person would: brush, undo, a dropped drawing, the discriminator's answer, going on.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use eddyscope::app::{EddyApp, Stage};
use eddyscope::rollout::protocol::Command;
use eddyscope::rollout::settings::LaneKind;
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;

use super::{Setup, key, rain, script, state};

type Window<'a> = Harness<'a, Option<EddyApp>>;

#[derive(Debug)]
struct File(PathBuf);

impl egui::DroppedFile for File {
    fn path(&self) -> &Path {
        &self.0
    }

    fn bytes(&self) -> Result<Vec<u8>, String> {
        std::fs::read(&self.0).map_err(|e| e.to_string())
    }
}

/// Presses on the frame at a place (shares of its width and height), drags, and lets go.
fn drag(harness: &mut Window<'_>, from: [f32; 2], to: [f32; 2]) {
    let rect = harness.get_by_label("Frame being edited").rect();
    let at = |p: [f32; 2]| rect.min + egui::vec2(p[0] * rect.width(), p[1] * rect.height());
    harness.hover_at(at(from));
    harness.run_steps(1);
    harness.drag_at(at(from));
    harness.run_steps(1);
    harness.hover_at(at(to));
    harness.run_steps(1);
    harness.drop_at(at(to));
    harness.run_steps(2);
}

/// Waits for an answer of the discriminator about other frames than before.
fn answered(
    harness: &mut Window<'_>,
    known: Option<&Arc<eddyscope::rollout::microscope::Verdict>>,
) {
    let began = Instant::now();
    loop {
        harness.run_steps(2);
        let now = state(harness).edit.verdict().cloned();
        if now.is_some_and(|n| known.is_none_or(|k| !Arc::ptr_eq(&n, k))) {
            harness.run_steps(2);
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(120), "no answer");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn modified(harness: &mut Window<'_>, modifiers: egui::Modifiers, key: egui::Key) {
    harness.key_press_modifiers(modifiers, key);
    harness.run_steps(2);
}

#[test]
fn a_vortex_is_erased_and_the_model_goes_on() {
    let Some((mut harness, commands)) = Setup::new(script(20)).open() else {
        return;
    };
    key(&mut harness, egui::Key::E);
    assert_eq!(state(&mut harness).stage, Stage::Edit);
    harness.get_by_label("The frames that frame 20 follows from: 16 to 19");
    answered(&mut harness, None);
    let plain = state(&mut harness).edit.verdict().cloned().expect("there");
    assert_eq!(plain.original, plain.edited, "nothing is edited yet");
    let before = state(&mut harness).edit.frames().to_vec();
    assert_eq!(before.len(), 4);

    // Erase, in all frames alike; undo; redo.
    drag(&mut harness, [0.3, 0.4], [0.6, 0.5]);
    assert!(state(&mut harness).edit.is_edited());
    let erased = state(&mut harness).edit.frames().to_vec();
    assert!(before.iter().zip(&erased).all(|(a, b)| a != b));
    modified(&mut harness, egui::Modifiers::COMMAND, egui::Key::Z);
    assert_eq!(state(&mut harness).edit.frames(), before);
    let shift = egui::Modifiers::COMMAND | egui::Modifiers::SHIFT;
    modified(&mut harness, shift, egui::Key::Z);
    assert_eq!(state(&mut harness).edit.frames(), erased);

    // The last frame alone: the discriminator finds that it does not follow.
    harness.get_by_label("Reset").click();
    harness.run_steps(2);
    harness.get_by_label("Change This frame").click();
    harness.run_steps(2);
    answered(&mut harness, Some(&plain));
    let known = state(&mut harness).edit.verdict().cloned();
    harness.get_by_label("Tool Paint").click();
    harness.run_steps(2);
    drag(&mut harness, [0.2, 0.2], [0.8, 0.8]);
    let frames = state(&mut harness).edit.frames().to_vec();
    assert_eq!(frames[..3], before[..3]);
    assert_ne!(frames[3], before[3]);
    answered(&mut harness, known.as_ref());
    harness.get_by_label_contains("As a next frame D finds this implausible");

    // On from there: a branch with these frames.
    harness.get_by_label("Go on from here").click();
    harness.run_steps(2);
    assert_eq!(state(&mut harness).stage, Stage::Lanes);
    let heard = commands.lock().expect("not poisoned").clone();
    let branch = heard.iter().find_map(|c| match c {
        Command::Branch { at, history, .. } => Some((*at, history.clone()?)),
        _ => None,
    });
    let (at, history) = branch.expect("a branch");
    assert_eq!((at, history.len()), (19, 4));
    let last = history
        .frame(LaneKind::Guided, 19, 19)
        .expect("the last frame");
    assert_eq!(last[0], frames[3]);
    assert!(matches!(heard.last(), Some(Command::Run)));
}

#[test]
fn a_dropped_drawing_becomes_the_last_frame() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ring.png");
    let picture = image::GrayImage::from_fn(200, 120, |x, y| {
        let r = (f32::from(x as u16) - 100.0).hypot(f32::from(y as u16) - 60.0);
        image::Luma([if (30.0..45.0).contains(&r) { 0 } else { 255 }])
    });
    picture.save(&path).expect("written");
    for globe in [false, true] {
        let mut setup = Setup::new(if globe { rain(20) } else { script(20) });
        setup.prefs.dark = Some(!globe);
        setup.prefs.tips_dismissed = true;
        let Some((mut harness, _)) = setup.open() else {
            return;
        };
        let file: egui::DroppedFileHandle = Arc::new(File(path.clone()));
        harness.input_mut().dropped_files.push(file);
        // It is read on a thread of its own.
        let began = std::time::Instant::now();
        while state(&mut harness).stage != Stage::Edit {
            assert!(began.elapsed() < std::time::Duration::from_secs(60));
            std::thread::sleep(std::time::Duration::from_millis(5));
            harness.run_steps(1);
        }
        harness.run_steps(3);
        harness.get_by_label_contains("ring.png, 200 × 120 pixels");
        answered(&mut harness, None);
        harness.get_by_label_contains("As a next frame D finds this implausible");
        let frames = state(&mut harness).edit.frames().to_vec();
        let (low, high) = frames[3]
            .iter()
            .fold((f32::MAX, f32::MIN), |(l, h), v| (l.min(*v), h.max(*v)));
        if let Some(facts) = state(&mut harness)
            .facts
            .as_ref()
            .and_then(|f| f.globe.clone())
        {
            // The middle of the drawing lies over Greenwich, as on the map that it is dropped on.
            let at =
                |lon: f64| frames[3][facts.grid.row(0.0) * facts.grid.nx + facts.grid.column(lon)];
            assert!(at(65.0) > 20.0 && at(295.0) > 20.0);
            assert!(at(0.0) < 1.0 && at(180.0) < 1.0);
        }
        match globe {
            true => assert!(low >= 0.0 && (20.0..=30.0).contains(&high), "{low} {high}"),
            false => assert!(low < 0.0 && high > 0.0, "{low} {high}"),
        }
        // One step back: the drawing is gone.
        harness.get_by_label("Undo").click();
        harness.run_steps(2);
        assert!(!state(&mut harness).edit.is_edited());
    }
}

/// Opens the editor and changes all frames of the history.
fn edited(harness: &mut Window<'_>) {
    key(harness, egui::Key::E);
    drag(harness, [0.3, 0.4], [0.6, 0.5]);
    assert!(state(harness).edit.is_edited());
}

#[test]
fn the_row_of_stages_opens_the_editor_while_frames_are_made() {
    let Some((mut harness, commands)) = Setup::new(script(20)).open() else {
        return;
    };
    assert!(state(&mut harness).play.playing);
    harness.get_by_label("Stage Edit").click();
    harness.run_steps(2);
    harness.get_by_label("Frame being edited");
    assert_eq!(state(&mut harness).edit.frames().len(), 4);
    let heard = commands.lock().expect("not poisoned").clone();
    assert!(matches!(heard.last(), Some(Command::Pause)), "{heard:?}");
    harness.get_by_label("Stage Lanes").click();
    harness.run_steps(2);
    key(&mut harness, egui::Key::Space);
    assert!(state(&mut harness).play.playing);
    harness.get_by_label("Stage Microscope").click();
    harness.run_steps(2);
    assert!(!state(&mut harness).play.playing);
}

#[test]
fn frames_on_disk_are_taken_up_once() {
    let script = super::Script {
        on_disk: 30,
        ..script(40)
    };
    let Some((mut harness, _)) = Setup::new(script).open() else {
        return;
    };
    let s = state(&mut harness);
    assert_eq!((s.first(), s.first_in_memory()), (0, 30));
    let order = s.play.go_to(12, 39);
    s.obey(order);
    key(&mut harness, egui::Key::E);
    answered(&mut harness, None);
    let before = state(&mut harness).edit.frames().to_vec();
    assert_eq!(before.len(), 4);
    let steps = harness.run();
    assert!(steps < 10, "{steps}");
    let after = state(&mut harness).edit.frames().to_vec();
    assert!(before.iter().zip(&after).all(|(a, b)| Arc::ptr_eq(a, b)));
}

#[test]
fn another_history_length_is_another_question() {
    let Some((mut harness, _)) = Setup::new(script(20)).open() else {
        return;
    };
    key(&mut harness, egui::Key::E);
    answered(&mut harness, None);
    let known = state(&mut harness).edit.verdict().cloned();
    // The strength is not D's.
    key(&mut harness, egui::Key::Num0);
    let steps = harness.run();
    assert!(steps < 10, "{steps}");
    let same = state(&mut harness).edit.verdict().cloned();
    assert!(known.iter().zip(&same).all(|(a, b)| Arc::ptr_eq(a, b)));
    key(&mut harness, egui::Key::M);
    answered(&mut harness, known.as_ref());
    let now = state(&mut harness).edit.verdict().cloned();
    assert_ne!(now, known);
}

#[test]
fn a_branch_that_is_refused_leaves_the_edit_as_it_was() {
    let script = super::Script {
        refuses: true,
        ..script(20)
    };
    let Some((mut harness, commands)) = Setup::new(script).open() else {
        return;
    };
    edited(&mut harness);
    commands.lock().expect("not poisoned").clear();
    harness.get_by_label("Go on from here").click();
    harness.run_steps(3);
    let s = state(&mut harness);
    assert_eq!((s.stage, s.notices.count()), (Stage::Edit, 1));
    assert!(s.edit.is_edited() && !s.tree.is_waiting());
    let heard = commands.lock().expect("not poisoned").clone();
    assert!(
        !heard.iter().any(|c| matches!(c, Command::Run)),
        "{heard:?}"
    );
}

#[test]
fn going_on_keeps_what_stopped_the_branch_that_is_left() {
    let mut script = script(30);
    script.blow_up = Some(28);
    let Some((mut harness, _)) = Setup::new(script).open() else {
        return;
    };
    let s = state(&mut harness);
    let order = s.play.go_to(20, 29);
    s.obey(order);
    edited(&mut harness);
    harness.get_by_label("Go on from here").click();
    harness.run_steps(3);
    let guided = LaneKind::Guided.index();
    let s = state(&mut harness);
    assert_eq!((s.archive.active, s.stage), (1, Stage::Lanes));
    assert!(s.blow_ups[guided].is_none() && s.play.playing && !s.edit.is_edited());
    s.switch_branch(0, None);
    harness.run_steps(3);
    let stopped = state(&mut harness).blow_ups[guided].clone();
    assert_eq!(stopped.map(|b| b.frame), Some(28));
}

#[test]
fn an_edit_does_not_outlive_its_frames() {
    let Some((mut harness, _)) = Setup::new(script(20)).open() else {
        return;
    };
    edited(&mut harness);
    // A branch that has the same frames keeps it.
    let s = state(&mut harness);
    s.branch_here();
    harness.run_steps(3);
    assert!(state(&mut harness).edit.is_edited());
    // One that left before them does not.
    let s = state(&mut harness);
    let order = s.play.go_to(5, s.last());
    s.obey(order);
    s.branch_here();
    harness.run_steps(3);
    assert_eq!(state(&mut harness).last(), 8);
    assert!(!state(&mut harness).edit.is_edited());
    // Nor does it outlive its model.
    let order = state(&mut harness).play.halt();
    state(&mut harness).obey(order);
    harness.run_steps(2);
    drag(&mut harness, [0.3, 0.4], [0.6, 0.5]);
    assert!(state(&mut harness).edit.is_edited());
    state(&mut harness).open_model("precipitation");
    harness.run_steps(3);
    let s = state(&mut harness);
    assert!(!s.edit.is_edited());
    let (nx, ny) = s.size();
    assert!(s.edit.frames().iter().all(|f| f.len() == nx * ny));
}
