//! Exports of a rollout whose older frames lie on disk.

use std::sync::Arc;

use eddyscope::export::{Carried, Format, Watch, read};
use eddyscope::rollout::branch::Branch;
use eddyscope::rollout::frame::FrameSet;
use eddyscope::rollout::protocol::Archive;
use eddyscope::rollout::settings::LaneKind;
use eddyscope::rollout::spill::{Budget, OnDisk};

use super::{plan, synthetic, whole};

/// A rollout of 30 frames, the first 26 of them on disk, and a branch that left it at frame 10.
fn tree(folder: &std::path::Path) -> Archive {
    let made = synthetic(30).frames;
    let mut on_disk = OnDisk::create(folder, &Budget::new(1 << 30)).unwrap();
    for frame in &made[..26] {
        on_disk.push(frame).unwrap();
    }
    let settings = made[0].settings.clone();
    let mut common = on_disk.share();
    common.truncate(11);
    let own = |frame: &Arc<FrameSet>| Arc::new(FrameSet::clone(frame));
    let branch = Branch {
        id: 1,
        parent: Some(0),
        fork: 10,
        rest: Some(Arc::new(Archive {
            frames: made[11..15].iter().map(own).collect(),
            on_disk: common,
            ..Archive::default()
        })),
        ..Branch::main(settings.clone())
    };
    Archive {
        frames: made[26..].to_vec(),
        on_disk,
        branches: vec![Branch::main(settings), branch],
        ..Archive::default()
    }
}

#[test]
fn a_session_stores_what_branches_share_once() {
    let folder = tempfile::tempdir().unwrap();
    let archive = tree(folder.path());
    let path = folder.path().join("run.eddyscope");
    plan(Format::Session, path.clone(), &archive, &[LaneKind::Guided])
        .run(&Watch::default())
        .unwrap();
    let Carried::Session(back) = read(&path).unwrap() else {
        panic!("it is a session");
    };
    let (main, branch) = (&back.archive, back.archive.of(1).unwrap());
    assert_eq!((main.frames.len(), branch.frames.len()), (30, 15));
    for (index, frame) in branch.frames.iter().enumerate() {
        assert_eq!(frame.index, index);
        let one = Arc::ptr_eq(frame, &main.frames[index]);
        assert_eq!(one, index <= 10, "frame {index}");
    }
    // One frame more than a second time would be seen in the size.
    let one = std::fs::metadata(&path).unwrap().len() / (30 + 4);
    let values = main.frames[0].lanes.iter().flatten();
    let values: usize = values
        .map(|l| l.members.iter().map(|m| 4 * m.len()).sum::<usize>())
        .sum();
    assert!(
        one < values as u64 * 3 / 2,
        "{one} bytes a frame, of {values}"
    );
}

#[test]
fn the_settings_of_frames_on_disk_are_in_the_recipe() {
    let folder = tempfile::tempdir().unwrap();
    let archive = tree(folder.path());
    let path = folder.path().join("run.csv");
    let mut plan = plan(Format::Csv, path.clone(), &archive, &[LaneKind::Guided]);
    plan.first = 28;
    plan.run(&Watch::default()).unwrap();
    // They change at frame 24.
    let changes = whole(&path).changes;
    assert_eq!(
        (changes.len(), changes[0].frame, changes[1].frame),
        (2, 0, 24)
    );
}
