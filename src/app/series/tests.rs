use super::*;
use crate::rollout::frame::{LaneFrame, LaneStats};
use crate::rollout::spill::{Budget, OnDisk};

/// Frames of a lane whose std is `value` plus the number of the frame.
fn frames(range: std::ops::Range<usize>, value: f64) -> Vec<Arc<FrameSet>> {
    let settings = Arc::new(Settings::default());
    let frame = |index: usize| {
        let mut set = FrameSet {
            index,
            time: index as f64,
            settings: Arc::clone(&settings),
            generation: 1,
            seconds: 0.1,
            ..FrameSet::default()
        };
        set.lanes[0] = Some(LaneFrame {
            members: Vec::new(),
            hovmoeller: Vec::new().into(),
            stats: LaneStats {
                std: value + index as f64,
                ..LaneStats::UNKNOWN
            },
            rain: None,
            recorded: None,
            trace: Arc::default(),
        });
        Arc::new(set)
    };
    range.map(frame).collect()
}

fn archive(frames: &[Arc<FrameSet>]) -> Archive {
    Archive {
        frames: frames.to_vec(),
        ..Archive::default()
    }
}

/// Numbers of the frames that have points, and the value of the last one.
fn points(series: &Series) -> (Vec<usize>, f64) {
    let std = &series.lanes[0].std;
    let at = std.iter().map(|p| p[0] as usize).collect();
    (at, std.last().map_or(f64::NAN, |p| p[1]))
}

#[test]
fn points_of_frames_that_left_the_memory_stay() {
    let all = frames(0..30, 0.0);
    let mut series = Series::default();
    series.update(&archive(&all[..20]));
    series.update(&archive(&all[8..25]));
    assert_eq!(points(&series), ((0..25).collect(), 24.0));
    // A new rollout begins from nothing.
    series.update(&archive(&frames(0..3, 50.0)));
    assert_eq!(points(&series), ((0..3).collect(), 52.0));
    series.update(&Archive::default());
    assert!(points(&series).0.is_empty());
}

#[test]
fn what_branches_have_in_common_stays() {
    let all = frames(0..30, 0.0);
    let mut series = Series::default();
    series.update(&archive(&all[..20]));
    series.update(&archive(&all[8..25]));
    // Another branch left at frame 11: the frames before the memory are its own too.
    let mut branch = all[8..12].to_vec();
    branch.extend(frames(12..15, 0.5));
    series.update(&archive(&branch));
    assert_eq!(points(&series), ((0..15).collect(), 14.5));
    // And back, and back in time, where other frames are made.
    series.update(&archive(&all[8..25]));
    assert_eq!(points(&series), ((0..25).collect(), 24.0));
    series.update(&archive(&all[8..14]));
    assert_eq!(points(&series), ((0..14).collect(), 13.0));
}

#[test]
fn frames_on_disk_are_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let all = frames(0..120, 0.0);
    let spilled = |from: &[Arc<FrameSet>]| {
        let mut disk = OnDisk::create(folder.path(), &Budget::new(1 << 24)).unwrap();
        for set in from {
            disk.push(set).unwrap();
        }
        disk
    };
    let mut series = Series::default();
    let whole = Archive {
        frames: all[100..].to_vec(),
        on_disk: spilled(&all[..100]),
        ..Archive::default()
    };
    // Some at a time; those in memory come when they have their turn.
    let mut looks = 0;
    while looks == 0 || series.is_behind() {
        assert_eq!(series.update(&whole), None);
        looks += 1;
        assert!(looks < 10);
    }
    assert!(looks > 1);
    assert_eq!(points(&series), ((0..120).collect(), 119.0));
    // Another branch that has nothing in memory in common: it left at frame 59.
    let mut other = all[..60].to_vec();
    other.extend(frames(60..110, 0.5));
    let branch = Archive {
        frames: other[100..].to_vec(),
        on_disk: spilled(&other[..100]),
        ..Archive::default()
    };
    series.update(&branch);
    assert!(!series.is_behind(), "only what it has of its own is read");
    assert_eq!(points(&series), ((0..110).collect(), 109.5));
    assert_eq!(series.lanes[0].std[59][1], 59.0);
    assert_eq!(series.lanes[0].std[60][1], 60.5);
}

#[test]
fn a_lane_that_is_off_interrupts_its_lines() {
    let mut all = frames(0..6, 0.0);
    for frame in &mut all[2..4] {
        let mut off = FrameSet::clone(frame);
        off.lanes[0] = None;
        *frame = Arc::new(off);
    }
    let mut series = Series::default();
    series.update(&archive(&all));
    let lines: Vec<_> = pieces(&series.lanes[0].std).collect();
    assert_eq!(lines, [[[0.0, 0.0], [1.0, 1.0]], [[4.0, 4.0], [5.0, 5.0]]]);
    assert!(series.lanes[1].std.is_empty());
}

#[test]
fn decimation_keeps_extremes() {
    let mut points: Vec<[f64; 2]> = (0..10_000).map(|i| [i as f64, 0.0]).collect();
    points[4321][1] = 7.0;
    points[8765][1] = -3.0;
    let few = decimate(&points, 100);
    assert!(few.len() <= 200);
    assert!(few.contains(&[4321.0, 7.0]) && few.contains(&[8765.0, -3.0]));
    assert!(few.windows(2).all(|w| w[0][0] <= w[1][0]));
}
