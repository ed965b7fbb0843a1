//! Several plots at the same time, what is asked before closing, the copy kept in case of a crash, windows that hold the
//! pointer and Tab.

use eddyscope::app::Tab;
use egui::ViewportEvent;

use super::files::until;
use super::*;

type Window<'a> = Harness<'a, Option<EddyApp>>;

fn tabs(harness: &mut Window<'_>) -> Vec<Tab> {
    state(harness).prefs.slots.tabs()
}

fn press(harness: &mut Window<'_>, name: &str) {
    harness.get_by_label(name).click();
    harness.run_steps(3);
}

#[test]
fn plots_stand_below_each_other_and_close_again() {
    let mut setup = Setup::new(script(78));
    setup.prefs.tips_dismissed = true;
    let Some((mut harness, _)) = setup.open() else {
        return;
    };
    assert!(harness.query_by_label("Close this plot").is_none());
    press(&mut harness, "Another plot below");
    assert_eq!(tabs(&mut harness), [Tab::Time, Tab::Space]);
    harness.get_by_label("Standard deviation [1/T]");
    harness.snapshot_options("two_plots", &window());

    // A tab of the second slot, by its own row of tabs.
    let both: Vec<_> = harness.get_all_by_label("Dynamics").collect();
    assert_eq!(both.len(), 2);
    both[1].click();
    harness.run_steps(3);
    assert_eq!(tabs(&mut harness), [Tab::Time, Tab::Dynamics]);
    assert_eq!(state(&mut harness).prefs.tab, Tab::Dynamics);
    // The first slot takes what the second one shows: they change places.
    let both: Vec<_> = harness.get_all_by_label("Dynamics").collect();
    both[0].click();
    harness.run_steps(3);
    assert_eq!(tabs(&mut harness), [Tab::Dynamics, Tab::Time]);

    let close: Vec<_> = harness.get_all_by_label("Close this plot").collect();
    close[1].click();
    harness.run_steps(3);
    assert_eq!(tabs(&mut harness), [Tab::Dynamics]);
    assert_eq!(state(&mut harness).prefs.tab, Tab::Dynamics);
}

/// The grip takes a plot to the side of another one.
#[test]
fn a_plot_is_dragged_beside_another() {
    let mut setup = Setup::new(script(78));
    setup.prefs.tips_dismissed = true;
    let Some((mut harness, _)) = setup.open() else {
        return;
    };
    press(&mut harness, "Another plot below");
    let grips: Vec<_> = harness.get_all_by_label("Move this plot").collect();
    let (from, panel) = (grips[1].rect().center(), grips[0].rect());
    drop(grips);
    // The right edge of the upper plot.
    let to = egui::pos2(panel.right() - 2.0, panel.bottom() + 120.0);
    harness.hover_at(from);
    harness.run_steps(2);
    harness.drag_at(from);
    harness.run_steps(2);
    for i in 1..=8 {
        harness.hover_at(from + (to - from) * (i as f32 / 8.0));
        harness.run_steps(1);
    }
    harness.drop_at(to);
    harness.run_steps(4);
    assert_eq!(tabs(&mut harness), [Tab::Time, Tab::Space]);
    let grips: Vec<_> = harness.get_all_by_label("Move this plot").collect();
    let (a, b) = (grips[0].rect().center(), grips[1].rect().center());
    assert!((a.y - b.y).abs() < 30.0 && b.x > a.x + 80.0, "{a} {b}");
}

fn ask_to_close(harness: &mut Window<'_>) {
    let id = egui::ViewportId::ROOT;
    let viewport = harness.input_mut().viewports.entry(id).or_default();
    viewport.events.push(ViewportEvent::Close);
    harness.run_steps(1);
    let viewport = harness.input_mut().viewports.entry(id).or_default();
    viewport.events.clear();
    harness.run_steps(2);
}

#[test]
fn a_rollout_with_branches_is_not_closed_without_a_question() {
    let Some((mut harness, _)) = Setup::new(script(60)).open() else {
        return;
    };
    // Sixty frames that their seed gives again are no loss.
    ask_to_close(&mut harness);
    assert!(harness.query_by_label("Close without saving").is_none());

    state(&mut harness).branch_here();
    harness.run_steps(4);
    ask_to_close(&mut harness);
    harness.get_by_label_contains("2 branches");
    harness.snapshot_options("close", &window());
    press(&mut harness, "Cancel");
    assert!(harness.query_by_label("Close without saving").is_none());

    // Saved, it closes without another question.
    ask_to_close(&mut harness);
    press(&mut harness, "Save the session…");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.eddyscope");
    state(&mut harness).files.picture_path = path.display().to_string();
    press(&mut harness, "Save");
    until(&mut harness, "the session", |_| path.is_file());
    until(&mut harness, "the end of writing", |h| {
        !state(h).files.is_writing()
    });
    harness.run_steps(3);
    assert!(harness.query_by_label("Close without saving").is_none());
    ask_to_close(&mut harness);
    assert!(harness.query_by_label("Close without saving").is_none());
}

/// A program that dies leaves its rollout; the next one offers it, and it goes on.
#[test]
fn what_a_crash_left_is_offered() {
    let folder = tempfile::tempdir().unwrap();
    let Some((mut harness, _)) = Setup::new(script(130)).open() else {
        return;
    };
    state(&mut harness).keep_copies_in(folder.path(), false);
    let copy = folder.path().join("kept-0.eddyscope");
    until(&mut harness, "the copy", |_| copy.is_file());
    // Without the end that a closed window has.
    drop(harness);
    let Some((mut harness, _)) = Setup::new(script(5)).open() else {
        return;
    };
    state(&mut harness).keep_copies_in(folder.path(), false);
    until(&mut harness, "the offer", |h| {
        h.query_by_label("Go on with it").is_some()
    });
    harness.get_by_label_contains("did not end as it should");
    press(&mut harness, "Go on with it");
    assert!(harness.query_by_label("Go on with it").is_none());
    let left = folder.path().join("recovered.eddyscope");
    match eddyscope::export::read(&left).expect("what was left") {
        eddyscope::export::Carried::Session(session) => {
            assert_eq!(session.archive.frames.last().unwrap().index, 129);
        }
        other => panic!("{other:?}"),
    }
}

/// While a window asks for something, neither the pointer nor Tab reaches what lies behind it.
#[test]
fn a_window_that_asks_holds_pointer_and_tab() {
    let Some((mut harness, _)) = Setup::new(script(30)).open() else {
        return;
    };
    state(&mut harness).ask_for_file();
    harness.run_steps(4);
    let before = state(&mut harness).prefs.tab;
    harness.get_by_label("Dynamics").click();
    harness.run_steps(3);
    assert_eq!(state(&mut harness).prefs.tab, before);
    for _ in 0..12 {
        harness.key_press(egui::Key::Tab);
        harness.run_steps(2);
        let inside = [
            "Browse…",
            "Open",
            "Cancel",
            "File or folder",
            "Close window",
        ];
        let focused = inside.iter().any(|name| {
            harness
                .query_all_by_label(name)
                .any(|node| node.is_focused())
        });
        assert!(focused, "Tab has left the window");
    }
    press(&mut harness, "Cancel");
    harness.get_by_label("Dynamics").click();
    harness.run_steps(3);
    assert_eq!(state(&mut harness).prefs.tab, Tab::Dynamics);
}
