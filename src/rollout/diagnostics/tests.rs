//! Figures of known processes, and going back.

use super::*;
use crate::random::{NoiseKey, Stream};

fn series(n: usize, phi: f32) -> Vec<Vec<Arc<[f32]>>> {
    let mut x = vec![0.0f32; 256];
    (0..n)
        .map(|f| {
            let key = NoiseKey {
                seed: 3,
                stream: Stream::Test,
                member: 0,
                frame: f as u32,
                step: 0,
            };
            for (v, z) in x.iter_mut().zip(key.normal_f32(256)) {
                *v = phi * *v + (1.0 - phi * phi).sqrt() * z;
            }
            vec![Arc::from(x.as_slice())]
        })
        .collect()
}

fn run(frames: &[Vec<Arc<[f32]>>], phi: f32) -> LaneStream {
    let mut s = LaneStream::default();
    s.push_start(&frames[50]);
    for f in &frames[51..] {
        let g = forecast(s.last().unwrap(), phi);
        s.push(f, &g);
    }
    s
}

#[test]
fn ar1_figures() {
    let frames = series(400, 0.8);
    let d = run(&frames, 0.8).figures(1.0);
    assert!((d.acf[0] - 1.0).abs() < 1e-12);
    for (j, r) in d.acf.iter().enumerate() {
        assert!((r - 0.8f64.powi(j as i32)).abs() < 0.03, "lag {j}: {r}");
    }
    // The exact forecaster: a = 1, skill = 1 - (1 - phi^2) / (2 (1 - phi)) = 0.1, residual = sqrt(1 - phi^2).
    assert!((d.a - 1.0).abs() < 0.02, "{}", d.a);
    assert!(
        (d.dynamics_skill - 0.1).abs() < 0.01,
        "{}",
        d.dynamics_skill
    );
    assert!((d.residual - 0.6).abs() < 0.01, "{}", d.residual);
    assert!((d.std_ratio - 1.0).abs() < 0.02);
}

fn forecast(members: &[Arc<[f32]>], phi: f32) -> Vec<Vec<f32>> {
    let member = |m: &Arc<[f32]>| m.iter().map(|v| phi * v).collect();
    members.iter().map(member).collect()
}

/// Goes back to frame `next` of a lane that blew up where `blown` says so.
fn back(
    s: &mut RewindingStream,
    frames: &[Vec<Arc<[f32]>>],
    phi: f32,
    [changes, blown]: [&[usize]; 2],
    next: usize,
) {
    let lane = |f: usize| {
        let frame = frames.get(f)?;
        Some((!blown.contains(&f)).then(|| frame.clone()))
    };
    s.go_back(next, lane, |f, before| {
        let anew = changes.contains(&f);
        if blown.contains(&f) {
            return Again::Skip { anew };
        }
        Again::Enter {
            members: frames[f].clone(),
            unforced: before.map_or(Vec::new(), |b| forecast(b, phi)),
            anew,
        }
    });
}

#[test]
fn going_back_and_on_gives_the_same_figures() {
    let frames = series(3000, 0.5);
    let (changes, blown) = ([300, 301, 777, 2500], [700, 2500, 2600]);
    let made = |end: usize| {
        let mut s = RewindingStream::default();
        for f in &frames[..4] {
            s.push_start(f);
        }
        go_on(&mut s, &frames[..end], 4, &changes, &blown);
        s
    };
    let mut s = made(3000);
    let straight = s.figures(1.0);
    // To every kind of place: near the end, between sums that lie apart, where the figures began anew, behind a frame
    // that blew up, to the start; and on again.
    for next in [
        2999, 2900, 2601, 2600, 2501, 1003, 778, 777, 701, 640, 301, 300, 17, 5, 4,
    ] {
        let mut s = s.clone();
        back(&mut s, &frames, 0.5, [&changes, &blown], next);
        let there = s.figures(1.0);
        assert_eq!(
            format!("{there:?}"),
            format!("{:?}", made(next).figures(1.0)),
            "{next}"
        );
        go_on(&mut s, &frames, next, &changes, &blown);
        let again = s.figures(1.0);
        assert_eq!(format!("{straight:?}"), format!("{again:?}"), "{next}");
    }
    // Step by step, as somebody does who undoes frame after frame.
    for next in (2400..3000).rev() {
        back(&mut s, &frames, 0.5, [&changes, &blown], next);
    }
    let made = made(2400).figures(1.0);
    assert_eq!(format!("{:?}", s.figures(1.0)), format!("{made:?}"));
}

/// Takes the frames from number `next` on.
fn go_on(
    s: &mut RewindingStream,
    frames: &[Vec<Arc<[f32]>>],
    next: usize,
    changes: &[usize],
    blown: &[usize],
) {
    for (index, f) in frames.iter().enumerate().skip(next) {
        let anew = changes.contains(&index);
        if blown.contains(&index) {
            s.skip(index, anew);
            continue;
        }
        let g = s.last().map_or(Vec::new(), |last| forecast(last, 0.5));
        s.push(index, f, &g, anew);
    }
}

#[test]
fn a_lane_that_began_late_goes_back_to_what_it_followed() {
    let frames = series(120, 0.5);
    let mut s = RewindingStream::begin(Some(&frames[49]));
    let mut figures = Vec::new();
    for (index, f) in frames.iter().enumerate().skip(50) {
        figures.push(s.figures(1.0));
        let g = forecast(s.last().unwrap(), 0.5);
        s.push(index, f, &g, false);
    }
    // Its own frames before it was switched off at 20.
    let own = |f: usize| (!(20..50).contains(&f)).then(|| Some(frames[f].clone()));
    let again = |f: usize, before: Option<&[Arc<[f32]>]>| Again::Enter {
        members: frames[f].clone(),
        unforced: forecast(before.unwrap(), 0.5),
        anew: false,
    };
    for next in [100, 60, 51, 50] {
        s.go_back(next, own, again);
        let there = format!("{:?}", s.figures(1.0));
        assert_eq!(there, format!("{:?}", figures[next - 50]), "{next}");
    }
    assert_eq!(s.last(), Some(&frames[49]));
    // Back to where it was on before; what it followed later has nothing to do with it then.
    s.go_back(17, own, again);
    assert_eq!((s.last(), s.figures(1.0).frames), (Some(&frames[16]), 0));
    for (index, f) in frames.iter().enumerate().take(25).skip(17) {
        let g = forecast(s.last().unwrap(), 0.5);
        s.push(index, f, &g, false);
    }
    let straight = s.figures(1.0);
    for next in [22, 17] {
        s.go_back(next, own, again);
    }
    assert_eq!(s.last(), Some(&frames[16]));
    go_on(&mut s, &frames[..25], 17, &[], &[]);
    assert_eq!(format!("{:?}", s.figures(1.0)), format!("{straight:?}"));
}

/// It blew up at 40 and was stopped; the others went on.
#[test]
fn going_back_where_a_lane_was_stopped_leaves_its_figures() {
    let frames = series(41, 0.5);
    let mut s = RewindingStream::default();
    s.push_start(&frames[3]);
    go_on(&mut s, &frames, 4, &[], &[40]);
    let before = s.figures(1.0);
    assert_eq!(before.frames, 36);
    for next in [100_000, 80, 41] {
        back(&mut s, &frames, 0.5, [&[], &[40]], next);
        let there = s.figures(1.0);
        assert_eq!(format!("{there:?}"), format!("{before:?}"), "{next}");
        assert_eq!(s.last(), None);
    }
}

#[test]
fn figures_begin_after_frames_that_are_lost() {
    let frames = series(3000, 0.5);
    let mut s = RewindingStream::default();
    s.push_start(&frames[3]);
    go_on(&mut s, &frames, 4, &[], &[]);
    // Between two sums that lie apart: as far from the first of them as there is.
    let distance = |next: usize| next - s.kept.clone().back(next).unwrap().0;
    let next = (2000..2100).max_by_key(|next| distance(*next)).unwrap();
    let apart = distance(next);
    assert!(apart >= 3, "{apart}");
    let lost = next - 1;
    s.go_back(
        next,
        |f| (f >= lost).then(|| Some(frames[f].clone())),
        |f, before| match before {
            _ if f < lost => Again::Lost,
            before => Again::Enter {
                members: frames[f].clone(),
                unforced: before.map_or(Vec::new(), |b| forecast(b, 0.5)),
                anew: false,
            },
        },
    );
    let d = s.figures(1.0);
    assert_eq!(d.frames, 1);
    assert!((d.acf[0] - 1.0).abs() < 1e-12 && d.acf[1].is_nan());
}

#[test]
fn the_sums_of_a_long_run_do_not_grow() {
    let frame = vec![Arc::from([1.0f32, -1.0].as_slice())];
    let mut s = RewindingStream::default();
    s.push_start(&frame);
    for index in 4..100_000 {
        s.push(index, &frame, &[], false);
    }
    assert!(s.kept.len() < 2 * PARTS + 300, "{}", s.kept.len());
}

#[test]
fn nothing_yet_is_nan_not_a_panic() {
    let d = LaneStream::default().figures(1.0);
    assert!(d.acf.iter().all(|v| v.is_nan()) && d.dynamics_skill.is_nan());
}
