//! The lanes of the video model: made beside the image model's in one pass, and refused where there is none.

// Helpers outside of a #[test] function may unwrap here too.
#![allow(clippy::unwrap_used)]

#[path = "support/globe.rs"]
mod globe;

use std::sync::Arc;

use eddyscope::model::Model;
use eddyscope::rollout::engine::Engine;
use eddyscope::rollout::headless::{self, Job};
use eddyscope::rollout::lanes::Lanes;
use eddyscope::rollout::sampled::FrameInProgress;
use eddyscope::rollout::settings::{LaneKind, RolloutSpec, Settings};

fn settings() -> Settings {
    let mut settings = Settings::default();
    settings.sampler.steps = 4;
    settings
}

type Made = Vec<(LaneKind, Vec<Arc<[f32]>>)>;

fn frame(
    engine: &Engine,
    lanes: &Lanes,
    kinds: &[LaneKind],
    settings: &Settings,
    watch: bool,
) -> Made {
    let mut frame = FrameInProgress::begin(engine, lanes, kinds, settings, watch).unwrap();
    while !frame.is_done() {
        frame.step(engine, lanes, settings).unwrap();
    }
    let made = frame.finish(engine);
    made.into_iter().map(|l| (l.kind, l.members)).collect()
}

/// Every sampled lane has the same bits alone and beside the others, watched and not; guidance at 0 leaves image model and
/// video model as they are; the video model is another model than the image model.
#[test]
fn lanes_do_not_touch_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let globe = Model::from_folder(&globe::write(folder.path())).unwrap();
    for model in [globe, Model::open("vorticity").unwrap()] {
        do_not_touch_each_other(&model);
    }
}

fn do_not_touch_each_other(model: &Model) {
    let mut engine = Engine::new(model, eddyscope::device::cpu()).unwrap();
    let spec = RolloutSpec {
        members: 2,
        ..RolloutSpec::default()
    };
    let settings = settings();
    let lanes = Lanes::start(&mut engine, &spec, 3).unwrap();
    let together = frame(&engine, &lanes, &LaneKind::SAMPLED, &settings, true);
    assert_eq!(together.len(), 4);
    for (kind, members) in &together {
        for watch in [false, true] {
            let alone = frame(&engine, &lanes, &[*kind], &settings, watch);
            assert_eq!(&alone[0].1, members, "{kind:?}, watched: {watch}");
        }
    }
    let of = |made: &Made, kind| made.iter().find(|(k, _)| *k == kind).unwrap().1.clone();
    let [plain, video] = [LaneKind::Unconditional, LaneKind::Video].map(|k| of(&together, k));
    assert_ne!(video, plain);
    assert_ne!(video, of(&together, LaneKind::GuidedVideo));
    assert_ne!(plain, of(&together, LaneKind::Guided));
    let mut off = settings.clone();
    (off.guidance.strength, off.guidance.video_strength) = (0.0, 0.0);
    for watch in [false, true] {
        let of = |kind| frame(&engine, &lanes, &[kind], &off, watch).remove(0).1;
        assert_eq!(of(LaneKind::Guided), plain, "watched: {watch}");
        assert_eq!(of(LaneKind::GuidedVideo), video, "watched: {watch}");
    }
    // The history counts: with m = 0 the video model sees less.
    let mut short = settings.clone();
    short.guidance.history = 0;
    let short = frame(&engine, &lanes, &[LaneKind::Video], &short, false);
    assert_ne!(short[0].1, video);
}

/// A model without a video model says so before anything is made.
#[test]
fn a_model_without_it_says_so() {
    let mut model = Model::open("vorticity").unwrap();
    model.card.video = None;
    model.video = None;
    let mut engine = Engine::new(&model, eddyscope::device::cpu()).unwrap();
    let (spec, settings) = (RolloutSpec::default(), settings());
    for lane in [LaneKind::Video, LaneKind::GuidedVideo] {
        let job = Job {
            spec: &spec,
            settings: &settings,
            lane,
            frames: 1,
        };
        let mut go_on = |_| std::ops::ControlFlow::Continue(());
        let error = headless::run_lane(&mut engine, &job, &mut go_on)
            .err()
            .unwrap();
        assert!(error.headline.contains("no video model"), "{error}");
        assert!(error.remedy.contains("train video"), "{error}");
    }
}

/// Recipes of versions that knew four lanes are read; those of later versions are refused.
#[test]
fn settings_of_four_lanes_are_read() {
    let old = r#"{"guidance":{"strength":0.5},"lanes":[true,false,true,true]}"#;
    let settings: Settings = serde_json::from_str(old).unwrap();
    assert_eq!(settings.lanes, [true, false, true, true, false, false]);
    let later = r#"{"lanes":[true,true,true,true,true,true,true]}"#;
    let error = serde_json::from_str::<Settings>(later)
        .unwrap_err()
        .to_string();
    assert!(error.contains("7 lanes"), "{error}");
}
