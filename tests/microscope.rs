//! A frame is made again from its recipe, and comes out as the worker kept it.

// Helpers outside of a #[test] function may unwrap here too.
#![allow(clippy::unwrap_used)]

#[path = "support/globe.rs"]
mod globe;
#[path = "support/ringing.rs"]
mod ringing;

use std::sync::Arc;

use eddyscope::data::Calendar;
use eddyscope::device::DeviceRequest;
use eddyscope::rollout::microscope::{
    Agreement, Answer, Aside, AsideOptions, Denoising, Job, Question, Refusal, Specimen, Verdict,
};
use eddyscope::rollout::protocol::{Archive, Command};
use eddyscope::rollout::settings::{LaneKind, RolloutSpec, Settings, Solver};
use eddyscope::rollout::worker::{Worker, WorkerOptions};
use ringing::Ringing;

const GUIDED: usize = LaneKind::Guided as usize;

fn rollout(
    model: Option<String>,
    settings: &Settings,
    spec: &RolloutSpec,
    frames: usize,
) -> Archive {
    let options = WorkerOptions {
        model,
        device: DeviceRequest::Cpu,
        ..Default::default()
    };
    let w = Ringing::new(
        |w: &Worker| format!("{:?}", w.progress()),
        |wake| Worker::spawn(options, settings.clone(), spec.clone(), wake),
    );
    assert!(w.send(Command::Step(frames)));
    w.wait(|w| Some(w.archive()).filter(|a| a.frames.len() == 4 + frames))
}

fn aside(model: Option<String>) -> Ringing<Aside> {
    let options = AsideOptions {
        model,
        device: DeviceRequest::Cpu,
        closed_form: None,
    };
    let says = |aside: &Aside| format!("{:?}", aside.progress());
    Ringing::new(says, |wake| Aside::spawn(options, wake))
}

fn ask(aside: &Ringing<Aside>, job: Job) -> Answer {
    let id = aside.ask(job);
    let (of, answer) = aside.wait(Aside::take);
    assert_eq!(of, id);
    answer.unwrap()
}

fn look(aside: &Ringing<Aside>, specimen: Specimen) -> Arc<Denoising> {
    match ask(aside, Job::Denoise(Arc::new(specimen))) {
        Answer::Denoising(d) => d,
        Answer::Verdict(_) => panic!("not asked"),
    }
}

/// With members, several lanes and stochastic steps in the batch, a frame made alone is the same bit for bit on the CPU.
#[test]
fn a_frame_is_made_again_bit_for_bit() {
    let mut settings = Settings {
        lanes: [true, true, true, true, false, false],
        ..Settings::default()
    };
    settings.sampler.solver = Solver::Heun;
    settings.sampler.steps = 6;
    settings.sampler.sigma_max = 20.0;
    settings.sampler.churn = 1.0;
    let spec = RolloutSpec {
        seed: 3,
        members: 2,
        ..Default::default()
    };
    let archive = rollout(None, &settings, &spec, 2);
    let aside = aside(None);
    for lane in [LaneKind::Guided, LaneKind::Unconditional] {
        let s = Specimen::of(&archive, 5, lane, 1, 3, None).unwrap();
        let d = look(&aside, s);
        assert_eq!(d.agreement, Agreement::Equal, "{lane:?}");
        assert_eq!(d.stops.len(), 11, "two evaluations a step, one in the last");
        assert_eq!(d.traces[1].sigma.len(), 11);
        if lane == LaneKind::Guided {
            // Both rows begin at the same noise; only one is guided.
            let first = &d.stops[0];
            assert_eq!(first.rows[0].x, first.rows[1].x);
            assert!(first.rows[0].shift.iter().all(|v| *v == 0.0));
            assert!(first.rows[1].shift.iter().any(|v| *v != 0.0));
            // The last guided estimate is the frame.
            let last = d.stops.last().unwrap();
            let worst = last.rows[1]
                .guided
                .iter()
                .zip(d.specimen.kept.iter())
                .map(|(a, b)| (a - b).abs())
                .fold(0.0, f32::max);
            assert!(worst < 1e-2, "{worst}");
            // Guidance raises D at the end of the denoising.
            let end = |row: usize| *d.traces[row].logit.last().unwrap();
            assert!(end(1) > end(0), "{} {}", end(1), end(0));
            // Noise of that level fills all wavenumbers alike at the start.
            let s2 = (first.sigma * f64::from(d.unit.factor)).powi(2);
            let power = first.rows[1].spectra[0][10];
            assert!((0.5..2.0).contains(&(power / s2)), "{}", power / s2);
        }
    }
    // A slider moved while the frame was made.
    let mut stronger = settings.clone();
    stronger.guidance.strength = 0.4;
    let mut moved = Specimen::of(&archive, 5, LaneKind::Guided, 1, 3, None).unwrap();
    moved.settings.push((2, Arc::new(stronger)));
    let d = look(&aside, moved);
    assert!(matches!(d.agreement, Agreement::Differs(_)));
    // Another seed is another frame, and that is said.
    let other = Specimen::of(&archive, 5, LaneKind::Guided, 1, 4, None).unwrap();
    let d = look(&aside, other);
    assert!(matches!(d.agreement, Agreement::Differs(rms) if rms > 0.1));
}

#[test]
fn what_cannot_be_looked_at_says_why() {
    let mut settings = Settings::default();
    settings.sampler.steps = 2;
    let archive = rollout(None, &settings, &RolloutSpec::default(), 1);
    let of = |frame, lane, member| Specimen::of(&archive, frame, lane, member, 0, None).map(|_| ());
    assert_eq!(of(4, LaneKind::Guided, 0), Ok(()));
    assert_eq!(of(4, LaneKind::Truth, 0), Err(Refusal::NotSampled));
    assert_eq!(of(3, LaneKind::Guided, 0), Err(Refusal::Given));
    assert_eq!(of(4, LaneKind::Video, 0), Err(Refusal::NoLane));
    assert_eq!(of(4, LaneKind::Guided, 7), Err(Refusal::NoLane));
    assert_eq!(of(99, LaneKind::Guided, 0), Err(Refusal::NotKept));

    // Cancelled, waiting or at work: nothing comes, and the next question is answered.
    let aside = aside(None);
    let s = Arc::new(Specimen::of(&archive, 4, LaneKind::Guided, 0, 0, None).unwrap());
    for at_work in [false, true] {
        aside.ask(Job::Denoise(Arc::clone(&s)));
        if at_work {
            aside.wait(|a| (a.progress().activity != "waiting").then_some(()));
        }
        aside.cancel();
        assert!(aside.take().is_none() && aside.progress().activity.is_empty());
    }

    // The discriminator: a frame follows from the frames before it; the same frames played backwards with another frame
    // at their end do not.
    let frame = |i: usize| archive.frames[i].lanes[GUIDED].as_ref().unwrap().members[0].clone();
    let original = vec![frame(3), frame(2), frame(1), frame(0)];
    let turned: Vec<f32> = frame(3).iter().map(|v| -v).collect();
    let question = Question {
        edited: vec![turned.into(), frame(2), frame(1), frame(0)],
        original,
        guidance: Settings::default().guidance,
        date: None,
        seed: 0,
    };
    let Answer::Verdict(v) = ask(&aside, Job::Judge(Arc::new(question.clone()))) else {
        panic!("not asked");
    };
    let (_, edited) = v.worst().unwrap();
    let (_, original) = v.worst_of_original().unwrap();
    assert!(edited < 0.01 && original > 0.4, "{v:?}");
    assert!(v.words().contains("implausible"), "{}", v.words());
    assert_eq!(v.far, 0);

    // Nothing edited: the same answer twice. Too much: it is told.
    let mut same = question.clone();
    same.edited = same.original.clone();
    same.edited[1] = same.edited[1].iter().map(|v| v * 20.0).collect();
    same.guidance.history = 0;
    let Answer::Verdict(v) = ask(&aside, Job::Judge(Arc::new(same))) else {
        panic!("not asked");
    };
    assert!(v.far > 0 && v.extreme > 6.0);
    assert_eq!(v.sigma.len(), 8);
    assert!((Verdict::chance(0.0) - 0.5).abs() < 1e-12);
}

/// On the globe the discriminator is told the date, which the microscope takes from the frame.
#[test]
fn a_day_is_made_again_with_its_date() {
    let folder = tempfile::tempdir().unwrap();
    let model = globe::write(folder.path()).display().to_string();
    let mut settings = Settings {
        lanes: [true, true, true, false, true, true],
        ..Settings::default()
    };
    settings.sampler.steps = 4;
    settings.guidance.season = true;
    let archive = rollout(Some(model.clone()), &settings, &RolloutSpec::default(), 3);
    let aside = aside(Some(model));
    for lane in [LaneKind::Guided, LaneKind::Video] {
        let s = Specimen::of(&archive, 6, lane, 0, 0, Some(Calendar::NoLeap)).unwrap();
        let mut late = s.clone();
        let d = look(&aside, s);
        assert_eq!(d.agreement, Agreement::Equal, "{lane:?}");
        assert!(!d.unit.physical && d.stops[0].rows[1].spectra[0].len() > 8);
        if lane == LaneKind::Video {
            let (calendar, mut date) = late.date.unwrap();
            date.month = if date.month > 6 { 1 } else { 7 };
            late.date = Some((calendar, date));
            let d = look(&aside, late);
            assert!(
                matches!(d.agreement, Agreement::Differs(_)),
                "the season is told"
            );
        }
    }
}
