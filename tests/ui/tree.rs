//! Branches, comparing, loop, undo: as a person does it.

use super::*;

type Window<'a> = Harness<'a, Option<EddyApp>>;

fn open<'a>(frames: usize) -> Option<(Window<'a>, Commands)> {
    let mut setup = Setup::new(script(frames));
    setup.prefs.tips_dismissed = true;
    setup.open()
}

fn with(harness: &mut Window<'_>, modifiers: egui::Modifiers, key: egui::Key) {
    harness.key_press_modifiers(modifiers, key);
    harness.run_steps(2);
}

fn strength(harness: &mut Window<'_>) -> f32 {
    state(harness).prefs.settings.guidance.strength
}

/// Back to a frame, another strength there, and on from it.
fn branch_at(harness: &mut Window<'_>, frame: usize, key_of_strength: egui::Key) {
    let state = state(harness);
    let last = state.last();
    let _ = state.play.go_to(frame, last);
    harness.run_steps(2);
    key(harness, key_of_strength);
    harness.get_by_label_contains("Branch from here").click();
    harness.run_steps(3);
}

#[test]
fn a_branch_begins_in_the_past_and_both_can_be_gone_on_with() {
    let Some((mut harness, commands)) = open(24) else {
        return;
    };
    assert!(
        harness
            .query_by_label_contains("Branch from here")
            .is_none()
    );
    branch_at(&mut harness, 12, egui::Key::Num0);
    let heard = commands.lock().unwrap().clone();
    assert!(
        heard
            .iter()
            .any(|c| matches!(c, Command::Branch { at: 12, .. }))
    );
    assert!(matches!(heard.last(), Some(Command::Run)), "{heard:?}");
    let s = state(&mut harness);
    assert_eq!((s.archive.active, s.last()), (1, 15));
    assert!(s.play.at_end() && s.play.playing);
    assert_eq!(s.branch_words(1), "λ 0.00");
    // Nothing is offered at the newest frame.
    assert!(
        harness
            .query_by_label_contains("Branch from here")
            .is_none()
    );

    // Back to the other one, at the frame under the pointer, with its settings.
    harness.get_by_label("Branch main").click();
    harness.run_steps(3);
    assert_eq!(strength(&mut harness), 1.0);
    let s = state(&mut harness);
    assert_eq!((s.archive.active, s.last()), (0, 23));
    assert!(!s.play.playing, "nothing is sampled until asked");
    assert!(s.undo.undoes().is_none_or(|what| what.starts_with("λ")));

    // Another name.
    state(&mut harness).tree.renaming = Some((1, "no guidance".into()));
    harness.run_steps(2);
    key(&mut harness, egui::Key::Enter);
    assert!(harness.query_by_label("Branch no guidance").is_some());

    // And away with it.
    harness.get_by_label("Branch no guidance").click_secondary();
    harness.run_steps(2);
    harness.get_by_label_contains("Delete").click();
    harness.run_steps(2);
    harness.get_by_label("Forget its 3 frames").click();
    harness.run_steps(2);
    let heard = commands.lock().unwrap().clone();
    assert!(matches!(heard.last(), Some(Command::DeleteBranch(1))));
    assert!(
        harness.query_by_label("Branch main").is_none(),
        "one is no tree"
    );

    // Or not.
    let name = "Undo the deletion of no guidance (Ctrl+Z)";
    harness.get_by_label(name).click();
    harness.run_steps(2);
    let heard = commands.lock().unwrap().clone();
    assert!(matches!(heard.last(), Some(Command::RecallBranch(1))));
    assert!(harness.query_by_label("Branch no guidance").is_some());
}

#[test]
fn two_branches_side_by_side_and_their_difference() {
    let Some((mut harness, _)) = open(40) else {
        return;
    };
    branch_at(&mut harness, 20, egui::Key::ArrowDown);
    harness.get_by_label("Branch main").click_secondary();
    harness.run_steps(2);
    harness.get_by_label("Compare with this").click();
    harness.run_steps(3);
    let s = state(&mut harness);
    assert_eq!(s.beside().map(|f| f.index), Some(23));
    let (values, rms) = s.tree.difference.values().expect("two frames");
    assert!(rms > 0.1 && values.len() == 64 * 64);
    assert!(harness.query_by_label("Difference lane").is_some());
    assert!(harness.query_by_label("main Guided lane").is_some());
    // Equal up to the fork, different from there on.
    let points = state(&mut harness)
        .tree
        .difference
        .trace()
        .expect("it was read")
        .to_vec();
    assert_eq!(points.len(), 24);
    assert!(points[..21].iter().all(|p| p[1] == 0.0) && points[21][1] > 0.0);
    harness.snapshot_options("tree_compare", &window());
}

#[test]
fn eight_branches_are_a_readable_tree() {
    let mut setup = Setup::new(script(60));
    setup.prefs.tips_dismissed = true;
    setup.prefs.dark = Some(false);
    setup.scale = 2.0;
    let Some((mut harness, _)) = setup.open() else {
        return;
    };
    for (i, at) in [50, 40, 42, 30, 31, 20, 10].into_iter().enumerate() {
        if i % 2 == 0 {
            state(&mut harness).switch_branch(0, None);
            harness.run_steps(3);
        }
        let s = state(&mut harness);
        let last = s.last();
        let _ = s.play.go_to(at.min(last), last);
        s.set_strength(0.25 * i as f32);
        s.branch_here();
        harness.run_steps(3);
    }
    assert_eq!(state(&mut harness).archive.branches.len(), 8);
    for i in 2..=8 {
        assert!(
            harness
                .query_by_label(&format!("Branch branch {i}"))
                .is_some()
        );
    }
    harness.snapshot_options("tree_eight_2x", &window());
}

#[test]
fn undo_and_redo_of_settings() {
    let Some((mut harness, _)) = open(20) else {
        return;
    };
    // One drag of the slider is one entry.
    let slider = harness.get_by_label("Guidance strength").rect();
    let at = |t: f32| egui::pos2(slider.left() + t * slider.width(), slider.center().y);
    harness.drag_at(at(0.5));
    harness.run_steps(2);
    for t in [0.45, 0.35, 0.25] {
        harness.hover_at(at(t));
        harness.run_steps(2);
    }
    harness.drop_at(at(0.25));
    harness.run_steps(2);
    let dragged = strength(&mut harness);
    assert!(dragged < 0.7, "{dragged}");
    harness.run_steps(60);
    key(&mut harness, egui::Key::M);
    let what = state(&mut harness).undo.undoes();
    assert_eq!(what.as_deref(), Some("m 3 → 0"));
    let command = egui::Modifiers::COMMAND;
    with(&mut harness, command, egui::Key::Z);
    assert_eq!(state(&mut harness).prefs.settings.guidance.history, 3);
    assert!(harness.query_by_label_contains("Redo m 3 → 0").is_some());
    harness.get_by_label_contains("Undo λ 1.00 → ").click();
    harness.run_steps(2);
    assert_eq!(strength(&mut harness), 1.0);
    with(&mut harness, command | egui::Modifiers::SHIFT, egui::Key::Z);
    assert_eq!(strength(&mut harness), dragged);
    with(&mut harness, command, egui::Key::Y);
    assert_eq!(state(&mut harness).prefs.settings.guidance.history, 0);
    assert!(state(&mut harness).undo.redoes().is_none());
}

#[test]
fn a_loop_between_two_frames() {
    let Some((mut harness, commands)) = open(40) else {
        return;
    };
    let s = state(&mut harness);
    let _ = s.play.go_to(10, 39);
    harness.run_steps(2);
    key(&mut harness, egui::Key::I);
    for _ in 0..4 {
        key(&mut harness, egui::Key::ArrowRight);
    }
    key(&mut harness, egui::Key::O);
    assert_eq!(state(&mut harness).play.looped(), Some((10, 14)));
    commands.lock().unwrap().clear();
    key(&mut harness, egui::Key::Space);
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..120 {
        harness.step();
        seen.insert(state(&mut harness).shown().unwrap().index);
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), [10, 11, 12, 13, 14]);
    assert!(commands.lock().unwrap().is_empty(), "no frame is asked for");
    key(&mut harness, egui::Key::Space);
    key(&mut harness, egui::Key::L);
    assert_eq!(state(&mut harness).play.looped(), None);
}

#[test]
fn on_the_globe_too() {
    let mut setup = Setup::new(rain(40));
    setup.prefs.tips_dismissed = true;
    let Some((mut harness, _)) = setup.open() else {
        return;
    };
    branch_at(&mut harness, 20, egui::Key::ArrowDown);
    state(&mut harness).compare_with(Some(0));
    harness.run_steps(3);
    let (_, rms) = state(&mut harness)
        .tree
        .difference
        .values()
        .expect("two days");
    assert!(rms > 0.1);
    let lane = harness.get_by_label("Difference lane").rect();
    let timeline = harness.get_by_label("Branch main").rect();
    assert!(lane.bottom() < timeline.top() && lane.width() > 100.0);
}

#[test]
fn the_first_words_have_room_beside_five_lanes() {
    for globe in [false, true] {
        let mut setup = Setup::new(if globe { rain(40) } else { script(40) });
        setup.script.settings.lanes = [true, true, true, true, true, false];
        setup.prefs.settings.lanes = setup.script.settings.lanes;
        let Some((mut harness, _)) = setup.open() else {
            return;
        };
        harness.run_steps(2);
        let button = harness.get_by_label("Got it").rect();
        let below = harness.get_by_label("Frame shown").rect();
        assert!(button.bottom() < below.top() - 8.0, "{button:?} {below:?}");
        let lanes = ["Truth lane", "Guided lane", "Video model lane"];
        for lane in lanes.map(|name| harness.get_by_label(name).rect()) {
            assert!(!lane.intersects(button), "{button:?} {lane:?}");
        }
    }
}

#[test]
fn a_loop_ends_with_the_branch_that_it_lies_in() {
    let Some((mut harness, _)) = open(40) else {
        return;
    };
    branch_at(&mut harness, 12, egui::Key::ArrowDown);
    harness.get_by_label("Branch main").click();
    harness.run_steps(3);
    state(&mut harness).play.set_loop(30, 36);
    harness.run_steps(2);
    harness.get_by_label("Branch branch 2").click();
    harness.run_steps(3);
    let s = state(&mut harness);
    assert_eq!((s.last(), s.play.looped()), (15, None));
}

#[test]
fn the_difference_ends_with_the_branch_that_is_compared_with() {
    let Some((mut harness, _)) = open(40) else {
        return;
    };
    branch_at(&mut harness, 12, egui::Key::ArrowDown);
    let s = state(&mut harness);
    s.compare_with(Some(0));
    harness.run_steps(2);
    assert!(state(&mut harness).tree.difference.on);
    state(&mut harness).delete_branch(0);
    harness.run_steps(2);
    let s = state(&mut harness);
    assert!(s.compared().is_none() && !s.tree.difference.on);
    assert!(harness.query_by_label("Difference lane").is_none());
}

#[test]
fn what_was_set_in_another_branch_is_not_undone_here() {
    let Some((mut harness, _)) = open(24) else {
        return;
    };
    branch_at(&mut harness, 12, egui::Key::Num0);
    harness.run_steps(60);
    key(&mut harness, egui::Key::M);
    assert!(state(&mut harness).undo.undoes().is_some());
    harness.get_by_label("Branch main").click();
    harness.run_steps(3);
    assert!(state(&mut harness).undo.undoes().is_none());
    with(&mut harness, egui::Modifiers::COMMAND, egui::Key::Z);
    let guidance = state(&mut harness).prefs.settings.guidance.clone();
    assert_eq!((guidance.strength, guidance.history), (1.0, 3));
}

/// The time axis begins at the first frame, and so do the lines: those of a branch too, and those of frames on disk.
#[test]
fn the_series_of_a_branch_have_a_past() {
    let Some((mut harness, _)) = open(24) else {
        return;
    };
    let guided = LaneKind::Guided.index();
    let count = |h: &mut Window<'_>| state(h).series.lanes[guided].std.len();
    assert_eq!(count(&mut harness), 24);
    branch_at(&mut harness, 12, egui::Key::Num0);
    assert_eq!(count(&mut harness), 16);
    let mut setup = Setup::new(Script {
        on_disk: 100,
        ..script(120)
    });
    setup.prefs.tips_dismissed = true;
    let Some((mut harness, _)) = setup.open() else {
        return;
    };
    harness.run_steps(4);
    assert_eq!(count(&mut harness), 120);
}
