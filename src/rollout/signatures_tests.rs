use std::rc::Rc;
use std::sync::{Arc, OnceLock};

use super::*;
use crate::data::recording::{Clip, Recording as _, shipped_clip};
use crate::model::Model;
use crate::random::{NoiseKey, Stream};
use crate::rollout::figures::{Frame, LaneFigures};
use crate::rollout::frame::{DenoisingTrace, LaneStats};
use crate::rollout::settings::LaneKind;
use crate::rollout::yardstick::Yardstick;
use crate::sim;

type Field = Arc<[f32]>;

/// A lane of frames, read as the recorder reads them.
struct Lane {
    figures: LaneFigures,
    last: Option<Field>,
    frame: usize,
    trace: DenoisingTrace,
    largest: [f64; Signature::ALL.len()],
    named: Vec<(Signature, usize)>,
}

impl Lane {
    fn new(yardstick: &Rc<Yardstick>) -> Self {
        Self {
            figures: LaneFigures::new(LaneKind::Guided, yardstick),
            last: None,
            frame: 4,
            trace: DenoisingTrace::default(),
            largest: [0.0; Signature::ALL.len()],
            named: Vec::new(),
        }
    }

    fn push(&mut self, values: Field, rows: Option<&[f64]>) {
        let weight = |i: usize| rows.map_or(1.0, |w| w[i / (values.len() / w.len())]);
        let mean_of = |f: &dyn Fn(usize) -> f64| {
            (0..values.len()).map(|i| weight(i) * f(i)).sum::<f64>() / values.len() as f64
        };
        let mean = mean_of(&|i| f64::from(values[i]));
        let square = mean_of(&|i| f64::from(values[i]).powi(2));
        let change = self.last.as_ref().map_or(f64::NAN, |last| {
            mean_of(&|i| (f64::from(values[i]) - f64::from(last[i])).powi(2)).sqrt()
        });
        let mut stats = LaneStats {
            mean,
            std: (square - mean * mean).sqrt(),
            rmse_to_previous: change,
            ..LaneStats::UNKNOWN
        };
        let frame = Frame {
            index: self.frame,
            members: std::slice::from_ref(&values),
            truth: None,
            trace: &self.trace,
        };
        self.figures.push(frame, &mut stats);
        for (i, what) in Signature::ALL.into_iter().enumerate() {
            self.largest[i] = self.largest[i].max(self.figures.detector().excess(what));
        }
        for sign in self.figures.detector().signs() {
            if !self.named.iter().any(|n| n.0 == sign.what) {
                self.named.push((sign.what, self.frame));
            }
        }
        self.last = Some(values);
        self.frame += 1;
    }

    fn sees(&self, what: Signature) -> bool {
        self.named.iter().any(|n| n.0 == what)
    }
}

fn square() -> Rc<Yardstick> {
    let card = Model::open("vorticity").unwrap().card;
    Rc::new(Yardstick::square(64, card.truth))
}

/// Truth of the box from a seed.
fn solver_frames(seed: u64, count: usize, mut take: impl FnMut(Field)) {
    let mut solver = sim::Solver::new(&sim::Params::preset("vorticity-64").unwrap()).unwrap();
    let mut state = solver.random_state(seed, 0);
    solver.spin_up(&mut state, seed, 0);
    for _ in 0..count {
        take(solver.field(&state).into());
        solver.advance_frame(&mut state, seed, 0);
    }
}

/// No false alarm on the solver, over seeds and thousands of frames; nothing even comes near what names it.
#[test]
fn truth_of_the_box_is_never_named() {
    let yardstick = square();
    for seed in 0..4 {
        let mut lane = Lane::new(&yardstick);
        solver_frames(seed, 1000, |f| lane.push(f, None));
        eprintln!("seed {seed}: {:.2?}", lane.largest);
        assert!(lane.named.is_empty(), "seed {seed}: {:?}", lane.named);
        assert!(lane.largest.iter().all(|l| *l < 0.95), "{:?}", lane.largest);
    }
}

/// Some frames of truth, made once.
fn frames() -> &'static [Field] {
    static FRAMES: OnceLock<Vec<Field>> = OnceLock::new();
    FRAMES.get_or_init(|| {
        let mut out = Vec::new();
        solver_frames(11, 120, |f| out.push(f));
        out
    })
}

/// The same frames changed, and what is named then.
fn changed(change: impl Fn(usize, &Field) -> Field) -> Lane {
    let mut lane = Lane::new(&square());
    for (i, frame) in frames().iter().enumerate() {
        lane.push(change(i, frame), None);
    }
    lane
}

fn noise(frame: usize, amplitude: f32, n: usize) -> Vec<f32> {
    let key = NoiseKey {
        seed: 5,
        stream: Stream::Test,
        member: 0,
        frame: frame as u32,
        step: 0,
    };
    key.normal_f32(n).iter().map(|z| amplitude * z).collect()
}

fn only(lane: &Lane, what: Signature) {
    let names: Vec<_> = lane.named.iter().map(|n| n.0).collect();
    assert_eq!(names, [what], "{:.2?}", lane.largest);
}

#[test]
fn frames_that_do_not_follow_each_other_flicker() {
    let lane = changed(|i, _| frames()[i * 37 % frames().len()].clone());
    only(&lane, Signature::Flicker);
    assert!(lane.named[0].1 < 4 + 2 * WINDOW, "{:?}", lane.named);
}

#[test]
fn repeated_frames_are_frozen() {
    only(&changed(|_, _| frames()[7].clone()), Signature::Frozen);
    // A warm start: the same frame, and a little noise that no one sees.
    let jitter = changed(|i, _| {
        let noise = noise(i, 1e-3, frames()[7].len());
        let frame = frames()[7].iter();
        frame.zip(noise).map(|(v, z)| v + z).collect()
    });
    assert!(jitter.sees(Signature::Frozen));
}

#[test]
fn blurred_frames_are_over_smoothed() {
    let n = 64;
    let lane = changed(|_, frame| {
        let at = |x: usize, y: usize| frame[y % n * n + x % n];
        (0..n * n)
            .map(|i| {
                let (x, y) = (i % n + n, i / n + n);
                let cross = at(x + 1, y) + at(x - 1, y) + at(x, y + 1) + at(x, y - 1);
                0.5 * at(x, y) + 0.125 * cross
            })
            .collect()
    });
    only(&lane, Signature::Smooth);
}

#[test]
fn white_noise_is_named() {
    let lane = changed(|i, frame| {
        let noise = noise(i, 0.4, frame.len());
        frame.iter().zip(noise).map(|(v, z)| v + z).collect()
    });
    only(&lane, Signature::Noise);
}

#[test]
fn a_slow_drift_is_named_when_it_has_left_truth() {
    let variance = changed(|i, f| f.iter().map(|v| v * (1.0 + 0.002 * i as f32)).collect());
    only(&variance, Signature::VarianceDrift);
    assert!(variance.named[0].1 > BLOCK, "{:?}", variance.named);
    let mean = changed(|i, f| f.iter().map(|v| v + 0.01 * i as f32).collect());
    only(&mean, Signature::MeanDrift);
    let growth = changed(|i, f| f.iter().map(|v| v * (1.0 + 0.01 * i as f32)).collect());
    assert!(growth.sees(Signature::BlowUp), "{:.2?}", growth.largest);
}

#[test]
fn a_discriminator_that_cannot_tell_is_named() {
    let with = |logit: f32| {
        let mut lane = Lane::new(&square());
        lane.trace.logit = vec![0.01, logit, -0.5 * logit];
        for frame in frames().iter().take(40) {
            lane.push(frame.clone(), None);
        }
        lane
    };
    only(&with(0.3), Signature::Undecided);
    assert!(with(2.0).named.is_empty());
}

/// A figure that wavers about its threshold is named once, not at every crossing.
#[test]
fn a_name_does_not_flutter() {
    let card = square().truth.clone();
    let mut detector = Detector::new(&card);
    let (mut before, mut switches) = (false, 0);
    for frame in 0..400 {
        let wave = 0.12 * (frame as f64 * 0.3).sin() + 0.06 * (frame as f64 * 2.1).cos();
        detector.push(Seen {
            change: card.rmse_band[1],
            mean: 0.0,
            std: card.std,
            fine: 0.0,
            finest: FINE * (1.0 + wave),
            decided: f64::NAN,
        });
        let now = detector.signs().iter().any(|s| s.what == Signature::Noise);
        switches += usize::from(now != before);
        before = now;
    }
    assert_eq!(switches, 1);
}

fn rain() -> (Clip, Rc<Yardstick>) {
    let clip = shipped_clip().unwrap();
    let card = Model::open("precipitation").unwrap().card;
    let yardstick = Rc::new(Yardstick::globe(clip.globe(), card.truth));
    (clip, yardstick)
}

/// No false alarm on the recorded days; days drawn at random flicker, a day again and again is frozen.
#[test]
fn recorded_rain_is_never_named_and_made_faults_are() {
    let (clip, yardstick) = rain();
    let rows = clip.globe().row_weights();
    let run = |count: usize, pick: &dyn Fn(usize) -> usize| {
        let mut lane = Lane::new(&yardstick);
        for i in 0..count {
            lane.push(clip.day(pick(i) % clip.days()).unwrap(), Some(&rows));
        }
        eprintln!("{:.2?} {:?}", lane.largest, lane.named);
        lane
    };
    let truth = run(clip.days(), &|i| i);
    assert!(truth.named.is_empty(), "{:?}", truth.named);
    let random = run(200, &|i| i * 211 + i * i % 97);
    assert!(random.sees(Signature::Flicker));
    assert!(run(40, &|_| 100).sees(Signature::Frozen));
    let mut smooth = Lane::new(&yardstick);
    let nx = clip.globe().nx;
    for i in 0..40 {
        let day = clip.day(i).unwrap();
        let blurred: Field = (0..day.len())
            .map(|c| {
                let row = c / nx * nx;
                let at = |d: usize| day[row + (c % nx + nx + d - 1) % nx];
                0.25 * at(0) + 0.5 * at(1) + 0.25 * at(2)
            })
            .collect();
        smooth.push(blurred, Some(&rows));
    }
    assert!(smooth.sees(Signature::Smooth), "{:.2?}", smooth.largest);
}
