//! Branches with the real worker, in both worlds: a branch without a change gives its parent's frames bit for bit; leaving,
//! taking up again, editing, deleting; frames on disk; the tree after a restart of the thread.

// Helpers outside of a #[test] function may unwrap here too.
#![allow(clippy::unwrap_used)]

#[path = "support/globe.rs"]
mod globe;
#[path = "support/ringing.rs"]
mod ringing;

use std::path::Path;
use std::sync::Arc;

use eddyscope::data::Date;
use eddyscope::device::DeviceRequest;
use eddyscope::rollout::branch::EditedHistory;
use eddyscope::rollout::frame::FrameSet;
use eddyscope::rollout::protocol::{Archive, Command, Event};
use eddyscope::rollout::settings::{LANES, LaneKind, RolloutSpec, Settings};
use eddyscope::rollout::worker::{Worker, WorkerOptions};
use ringing::Ringing;

const GUIDED: usize = LaneKind::Guided as usize;
const TRUTH: usize = LaneKind::Truth as usize;

fn settings(steps: usize) -> Settings {
    let mut s = Settings::default();
    s.lanes[LaneKind::Forecaster as usize] = true;
    s.sampler.steps = steps;
    s
}

fn rain(folder: &Path) -> WorkerOptions {
    WorkerOptions {
        model: Some(globe::write(folder).display().to_string()),
        device: DeviceRequest::Cpu,
        disk_folder: Some(folder.to_path_buf()),
        ..Default::default()
    }
}

fn date() -> RolloutSpec {
    RolloutSpec {
        start_date: Some(Date {
            year: 2060,
            month: 2,
            day: 26,
        }),
        ..RolloutSpec::default()
    }
}

fn spawn(options: WorkerOptions, spec: RolloutSpec) -> Ringing<Worker> {
    let w = Ringing::new(
        |w: &Worker| format!("{:?}", w.progress()),
        |wake| Worker::spawn(options, settings(4), spec, wake),
    );
    wait(&w, |w| {
        w.progress().activity.starts_with("paused") && !w.archive().frames.is_empty()
    });
    w
}

fn wait(worker: &Ringing<Worker>, done: impl Fn(&Worker) -> bool) {
    worker.wait(|w| done(w).then_some(()));
}

/// Waits until the worker refuses something with these words in the headline; what else it says is passed over.
fn refused(worker: &Ringing<Worker>, words: &str) {
    worker.wait(|w| {
        let mut events = w.events.try_iter();
        let found = events.find(|e| match e {
            Event::Error { error, fatal } => !fatal && error.headline.contains(words),
            _ => false,
        });
        found.map(|_| ())
    });
}

/// Makes frames until the last one has number `last`, and the worker is paused again.
fn make(worker: &Ringing<Worker>, last: usize) -> Archive {
    let newest = |w: &Worker| w.archive().frames.last().unwrap().index;
    assert!(worker.send(Command::Step(last - newest(worker))));
    wait(worker, |w| newest(w) == last && !w.progress().running);
    worker.archive()
}

fn branch(worker: &Ringing<Worker>, at: usize, history: Option<EditedHistory>) -> Archive {
    let epoch = worker.archive().epoch;
    assert!(worker.send(Command::Branch {
        at,
        name: None,
        history: history.map(Box::new),
    }));
    wait(worker, |w| w.archive().epoch > epoch);
    worker.archive()
}

fn switch(worker: &Ringing<Worker>, id: usize) -> Archive {
    assert!(worker.send(Command::SwitchBranch(id)));
    wait(worker, |w| w.archive().active == id);
    worker.archive()
}

/// Everything in a frame but how long it took and the number of its settings.
fn made(set: &FrameSet) -> String {
    let same = FrameSet {
        seconds: 0.0,
        generation: 0,
        ..set.clone()
    };
    format!("{same:?}")
}

fn all_lanes(a: &Archive, index: usize) -> String {
    made(&a.load(index).unwrap())
}

fn load_from(a: &Archive, id: usize, index: usize) -> Option<Arc<FrameSet>> {
    a.of(id)?.load(index)
}

fn figures(a: &Archive) -> String {
    format!("{:?}", a.diagnostics)
}

fn same_settings_same_frames(w: &Ringing<Worker>) {
    let main = make(w, 8);
    let fork = branch(w, 5, None);
    assert_eq!((fork.active, fork.frames.len()), (1, 6));
    assert_eq!(fork.branches[1].parent, Some(0));
    assert_eq!(
        (fork.branches[1].name.as_str(), fork.branches[1].fork),
        ("branch 2", 5)
    );
    // Shared, not copied; counted once.
    assert!((0..6).all(|i| Arc::ptr_eq(&fork.frames[i], &main.frames[i])));
    assert_eq!(fork.in_memory(), 9);
    let again = make(w, 8);
    for i in 6..9 {
        assert!(!Arc::ptr_eq(&again.frames[i], &main.frames[i]));
        assert_eq!(all_lanes(&again, i), all_lanes(&main, i), "frame {i}");
    }
    // And back to the parent, which goes on from where it was left.
    let ahead = make(w, 9);
    let back = switch(w, 0);
    assert!(Arc::ptr_eq(&back.frames[8], &main.frames[8]) && back.frames.len() == 9);
    assert_eq!(figures(&back), figures(&main));
    let on = make(w, 9);
    assert_eq!(all_lanes(&on, 9), all_lanes(&ahead, 9));
    assert!(load_from(&on, 1, 9).is_some() && load_from(&on, 7, 9).is_none());
}

#[test]
fn a_branch_of_vorticity_without_a_change_gives_its_parents_frames() {
    let options = WorkerOptions {
        device: DeviceRequest::Cpu,
        ..Default::default()
    };
    let w = spawn(options, RolloutSpec::default());
    same_settings_same_frames(&w);
}

#[test]
fn a_branch_of_rain_without_a_change_gives_its_parents_frames() {
    let dir = tempfile::tempdir().unwrap();
    let w = spawn(rain(dir.path()), date());
    same_settings_same_frames(&w);
}

#[test]
fn each_branch_goes_on_with_its_own_settings() {
    let dir = tempfile::tempdir().unwrap();
    let w = spawn(rain(dir.path()), date());
    let main = make(&w, 8);
    let mut weak = settings(4);
    weak.guidance.strength = 0.25;
    w.set_settings(weak.clone());
    branch(&w, 5, None);
    let other = make(&w, 7);
    assert_eq!(*other.frames[7].settings, weak);
    assert_eq!(*other.branches[1].settings, weak);
    let lane = |a: &Archive, i: usize| a.frames[i].lanes[GUIDED].as_ref().unwrap().members.clone();
    assert_ne!(lane(&other, 6), lane(&main, 6));
    switch(&w, 0);
    let on = make(&w, 9);
    assert_eq!(*on.frames[9].settings, settings(4));
    switch(&w, 1);
    let on = make(&w, 8);
    assert_eq!(*on.frames[8].settings, weak);
    // A branch of a branch, and the first one forgotten.
    let third = branch(&w, 7, None);
    assert_eq!((third.active, third.branches[2].parent), (2, Some(1)));
    assert!(w.send(Command::RenameBranch(2, "  weak again ".into())));
    assert!(w.send(Command::DeleteBranch(1)));
    wait(&w, |w| w.archive().branches.len() == 2);
    let left = w.archive();
    assert_eq!(left.branches[1].name, "weak again");
    assert_eq!(
        (left.branches[1].parent, left.branches[1].fork),
        (Some(0), 5)
    );
    // The one on screen stays, and so does a branch that is not there.
    assert!(w.send(Command::DeleteBranch(2)));
    assert!(w.send(Command::SwitchBranch(1)));
    refused(&w, "cannot be deleted");
    assert!(w.send(Command::Branch {
        at: 77,
        name: None,
        history: None
    }));
    refused(&w, "frame 77");
    assert_eq!(w.archive().active, 2);
    make(&w, 8);
    // What was deleted comes back with its frames, and goes on.
    assert!(w.send(Command::RecallBranch(1)));
    wait(&w, |w| w.archive().branches.len() == 3);
    let back = w.archive();
    let ties: Vec<_> = back
        .branches
        .iter()
        .map(|b| (b.id, b.parent, b.fork))
        .collect();
    assert_eq!(ties, [(0, None, 0), (1, Some(0), 5), (2, Some(1), 7)]);
    switch(&w, 1);
    let again = make(&w, 9);
    assert_eq!(lane(&again, 8), lane(&on, 8));
    assert_eq!(*again.frames[9].settings, weak);
    assert!(w.send(Command::RecallBranch(1)));
    refused(&w, "cannot be brought back");
}

#[test]
fn edited_frames_are_the_history_of_the_new_branch_only() {
    let dir = tempfile::tempdir().unwrap();
    let w = spawn(rain(dir.path()), date());
    let main = make(&w, 8);
    let last = |a: &Archive, n: usize, f: &dyn Fn(f32) -> f32| -> Vec<Vec<Arc<[f32]>>> {
        (7 - n..7)
            .map(|i| {
                let lane = a.frames[i].lanes[GUIDED].as_ref().unwrap();
                let one = |m: &Arc<[f32]>| m.iter().map(|v| f(*v)).collect();
                lane.members.iter().map(one).collect()
            })
            .collect()
    };
    // The frames as they are: nothing changes but that they are said to be edited.
    let mut same: [_; LANES] = Default::default();
    same[GUIDED] = Some(last(&main, 4, &|v| v));
    let history = EditedHistory { lanes: same };
    let fork = branch(&w, 6, Some(history));
    assert_eq!((fork.branches[1].edited, fork.frames.len()), (4, 7));
    let a = make(&w, 8);
    let lane = |a: &Archive, kind: usize, i: usize| {
        a.frames[i].lanes[kind].as_ref().unwrap().members.clone()
    };
    for i in 3..9 {
        assert_eq!(lane(&a, GUIDED, i), lane(&main, GUIDED, i));
        assert_eq!(a.frames[i].edited[GUIDED], i < 7);
    }
    assert_eq!(
        format!("{:?}", a.diagnostics[TRUTH]),
        format!("{:?}", main.diagnostics[TRUTH])
    );
    switch(&w, 0);
    // Other frames: another future, and the frames of the parent stay.
    let history = EditedHistory::all(&last(&main, 2, &|v| 0.5 * v));
    let fork = branch(&w, 6, Some(history));
    assert_ne!(lane(&fork, GUIDED, 6), lane(&main, GUIDED, 6));
    assert_eq!(lane(&fork, GUIDED, 6), lane(&fork, TRUTH, 6));
    assert_eq!(lane(&fork, GUIDED, 4), lane(&main, GUIDED, 4));
    let a = make(&w, 7);
    assert_ne!(lane(&a, GUIDED, 7), lane(&main, GUIDED, 7));
    assert_eq!(made(&load_from(&a, 0, 6).unwrap()), made(&main.frames[6]));
    // What does not fit is refused, and the rollout goes on.
    let short: Vec<Arc<[f32]>> = vec![Arc::from([1.0f32; 3])];
    assert!(w.send(Command::Branch {
        at: 6,
        name: None,
        history: Some(Box::new(EditedHistory::all(&[short])))
    }));
    refused(&w, "cannot be used");
    assert_eq!(w.archive().branches.len(), 3);
    make(&w, 8);
}

/// After a restart of the thread both branches go on as they would have: one whose truth began anew from an edited frame and
/// that has just got a further lane, and the one that it left.
#[test]
fn a_tree_of_vorticity_is_taken_up_bit_for_bit() {
    let options = WorkerOptions {
        device: DeviceRequest::Cpu,
        ..Default::default()
    };
    let w = spawn(options.clone(), RolloutSpec::default());
    let main = make(&w, 7);
    let weaker = |i: usize| -> Vec<Arc<[f32]>> {
        let lane = main.frames[i].lanes[GUIDED].as_ref().unwrap();
        let one = |m: &Arc<[f32]>| m.iter().map(|v| 0.9 * v).collect();
        lane.members.iter().map(one).collect()
    };
    branch(&w, 6, Some(EditedHistory::all(&[weaker(5), weaker(6)])));
    make(&w, 7);
    let mut more = settings(4);
    more.lanes[LaneKind::Video as usize] = true;
    w.set_settings(more.clone());
    let kept = make(&w, 8);
    assert_eq!(kept.branches[1].truth_from, Some(6));
    let edited = make(&w, 9);
    switch(&w, 0);
    let straight = make(&w, 9);
    drop(w);
    let taken = WorkerOptions {
        resume: Some(kept),
        ..options
    };
    let w = spawn(taken, RolloutSpec::default());
    w.set_settings(more);
    assert_eq!(all_lanes(&make(&w, 9), 9), all_lanes(&edited, 9));
    switch(&w, 0);
    let again = make(&w, 9);
    for i in 8..10 {
        assert_eq!(all_lanes(&again, i), all_lanes(&straight, i), "frame {i}");
    }
}

/// Frames with numbers that the solver takes days to: the window is closed all the same.
#[test]
fn taking_up_ends_when_the_window_goes() {
    let options = WorkerOptions {
        device: DeviceRequest::Cpu,
        ..Default::default()
    };
    let w = spawn(options.clone(), RolloutSpec::default());
    let mut far = w.archive();
    for set in &mut far.frames {
        let mut moved = FrameSet::clone(set);
        moved.index += 10_000_000;
        *set = Arc::new(moved);
    }
    let taken = WorkerOptions {
        resume: Some(far),
        ..options
    };
    let w = Ringing::new(
        |w: &Worker| format!("{:?}", w.progress()),
        |wake| Worker::spawn(taken, settings(4), RolloutSpec::default(), wake),
    );
    wait(&w, |w| w.progress().activity.starts_with("taking up"));
    let (gone, went) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        drop(w);
        let _ = gone.send(());
    });
    let limit = std::time::Duration::from_secs(60);
    assert!(went.recv_timeout(limit).is_ok(), "it still works");
}

#[test]
fn branches_share_what_lies_on_disk_and_survive_the_thread() {
    let dir = tempfile::tempdir().unwrap();
    let options = WorkerOptions {
        frames_in_memory: Some(16),
        ..rain(dir.path())
    };
    let w = spawn(options.clone(), date());
    let main = make(&w, 40);
    assert_eq!((main.frames.len(), main.on_disk.range()), (16, 0..25));
    let all: Vec<String> = (0..41).map(|i| all_lanes(&main, i)).collect();
    // Begun at a frame that lies on disk.
    let fork = branch(&w, 10, None);
    assert_eq!((fork.oldest(), fork.frames.len()), (0, 11));
    let a = make(&w, 38);
    assert_eq!(a.oldest(), 0);
    for (i, expected) in all.iter().enumerate().take(39) {
        assert_eq!(&all_lanes(&a, i), expected, "frame {i}");
        assert_eq!(&made(&load_from(&a, 0, i).unwrap()), expected, "main, {i}");
    }
    // Two lists of what must stay in memory, no more.
    assert!(a.in_memory() <= 32, "{}", a.in_memory());
    // A third one from frames in memory; going back in it leaves the others' frames alone.
    branch(&w, 36, None);
    make(&w, 60);
    assert!(w.send(Command::TruncateTo(20)));
    wait(&w, |w| w.archive().frames.last().unwrap().index == 20);
    let again = make(&w, 44);
    for (i, expected) in all.iter().enumerate() {
        assert_eq!(&all_lanes(&again, i), expected, "third, {i}");
        assert_eq!(&made(&load_from(&again, 0, i).unwrap()), expected);
        assert_eq!(load_from(&again, 1, i).is_some(), i < 39, "second, {i}");
    }
    drop(w);
    // Another thread takes up the tree: the branch on screen and, when asked, the one that rests.
    let taken = WorkerOptions {
        resume: Some(again.clone()),
        ..options
    };
    let w = spawn(taken, date());
    assert_eq!((w.archive().active, w.archive().branches.len()), (2, 3));
    let next = make(&w, 45);
    switch(&w, 1);
    let b = make(&w, 45);
    assert_eq!(b.active, 1);
    assert_eq!(all_lanes(&b, 45), all_lanes(&next, 45));
    assert_eq!(b.oldest(), 0);
    assert!(w.send(Command::DeleteBranch(0)));
    wait(&w, |w| w.archive().branches.len() == 2);
    assert_eq!(&all_lanes(&w.archive(), 3), &all[3]);
}
