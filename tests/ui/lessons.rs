//! Lessons taken as a learner takes them, on worlds with known answers and a real worker; presenter mode.

use std::sync::Arc;
use std::time::{Duration, Instant};

use eddyscope::app::{
    EddyApp, GpuErrors, Guess, Launch, Phase, Prefs, RolloutSource, Stage, State, paint,
};
use eddyscope::closed_form::{ClosedForm, Way};
use eddyscope::device::DeviceRequest;
use eddyscope::rollout::frame::FrameSet;
use eddyscope::rollout::protocol::Command;
use eddyscope::rollout::worker::{Worker, WorkerOptions};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;
use egui_kittest::wgpu::{WgpuTestRenderer, create_render_state, default_wgpu_setup};

use super::support::script;
use super::{Setup, has_adapter, key, state, window};

type Window<'a> = Harness<'a, Option<EddyApp>>;

/// The window with a real worker; `None` without an adapter.
fn live<'a>(prefs: Prefs) -> Option<Window<'a>> {
    if !has_adapter() {
        eprintln!("skipped: there is no graphics adapter, not even a software one");
        return None;
    }
    let render_state = create_render_state(
        default_wgpu_setup(),
        egui_wgpu::RendererOptions::PREDICTABLE,
    );
    paint::install(&render_state);
    let harness = Harness::builder()
        .with_size([1280.0, 800.0])
        .with_step_dt(1.0 / 60.0)
        .renderer(WgpuTestRenderer::from_render_state(render_state))
        .build_ui_state(
            move |ui, app: &mut Option<EddyApp>| {
                let app = app.get_or_insert_with(|| {
                    let launch: Launch = Box::new(|start| {
                        let options = WorkerOptions {
                            model: start.model,
                            device: DeviceRequest::Cpu,
                            suggest: start.suggest,
                            resume: start.resume,
                            ..WorkerOptions::default()
                        };
                        let worker =
                            Worker::spawn(options, start.settings, start.spec, Arc::new(|| {}));
                        Box::new(worker) as Box<dyn RolloutSource>
                    });
                    let state = State::new(launch, prefs.clone(), true, None);
                    EddyApp::new(ui.ctx(), state, None, GpuErrors::default())
                });
                let whole = ui.ctx().content_rect();
                ui.set_clip_rect(whole);
                ui.scope_builder(egui::UiBuilder::new().max_rect(whole), |ui| app.show(ui));
            },
            None,
        );
    Some(harness)
}

/// Goes on until something holds; fails after three minutes.
fn until(harness: &mut Window<'_>, what: &str, holds: impl Fn(&mut State) -> bool) {
    let began = Instant::now();
    loop {
        harness.run_steps(1);
        if holds(state(harness)) {
            harness.run_steps(2);
            return;
        }
        if began.elapsed() > Duration::from_secs(180) {
            let s = state(harness);
            let figure = |name| s.lessons.tour.as_ref().map(|t| t.figures.get(name));
            panic!(
                "waited too long for {what}: strength {}, guided.r1 {:?}, frames {:?}, {}, {:?}",
                s.prefs.settings.guidance.strength,
                figure("guided.r1"),
                figure("frames"),
                s.progress.activity,
                s.blow_ups
            );
        }
        std::thread::sleep(Duration::from_millis(30));
    }
}

fn phase(state: &State) -> Option<Phase> {
    state.lessons.tour.as_ref().map(|t| t.phase)
}

fn click(harness: &mut Window<'_>, label: &str) {
    harness.get_by_label(label).click();
    harness.run_steps(3);
}

/// The learner's own window: the wave, with settings of their own.
fn own() -> Prefs {
    let mut prefs = Prefs::default();
    prefs.dark = Some(true);
    prefs.switch("travelling-wave");
    prefs.settings.guidance.strength = 0.35;
    prefs.settings.guidance.history = 2;
    prefs.spec.seed = 7;
    prefs.tips_dismissed = true;
    prefs
}

#[test]
fn a_learner_finishes_a_lesson_and_gets_the_own_settings_back() {
    let Some(mut harness) = live(own()) else {
        return;
    };
    until(&mut harness, "the first frames", |s| s.last() > 5);
    click(&mut harness, "Lessons");
    click(&mut harness, "Begin: Why frames flicker");
    until(&mut harness, "the lesson's world", |s| {
        s.facts
            .as_ref()
            .is_some_and(|f| f.name == "gaussian-process")
            && !s.archive.frames.is_empty()
    });
    assert_eq!(state(&mut harness).prefs.settings.guidance.strength, 0.0);
    assert_eq!(
        state(&mut harness)
            .prefs_to_keep()
            .settings
            .guidance
            .strength,
        0.35
    );
    harness.get_by_label("A world with known answers");
    click(&mut harness, "Next");

    // A prediction before anything else: Next does nothing.
    assert_eq!(phase(state(&mut harness)), Some(Phase::Ask));
    click(&mut harness, "Next");
    harness.get_by_label("How alike are neighbours?");
    click(&mut harness, "That is my guess");
    assert_eq!(phase(state(&mut harness)), Some(Phase::Act));
    until(&mut harness, "twelve frames", |s| {
        phase(s) == Some(Phase::Answer)
    });
    let tour = state(&mut harness).lessons.tour.as_ref().unwrap();
    let (free, truth) = (
        tour.figures.get("unconditional.r1"),
        tour.figures.get("truth.r1"),
    );
    assert!(free.abs() < 0.25 && truth > 0.85, "{free} {truth}");
    // The screen says it in numbers.
    harness.get_by_label_contains(&format!("truth has {truth:.2}"));
    click(&mut harness, "Next");

    harness.get_by_label("Turn time on");
    let ring = state(&mut harness)
        .marks
        .get("strength")
        .expect("the control pointed at");
    assert!(ring.width() > 100.0 && ring.height() > 40.0, "{ring:?}");
    click(&mut harness, "Near truth's");
    // The goal is not reached by waiting.
    for _ in 0..20 {
        harness.run_steps(1);
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(phase(state(&mut harness)), Some(Phase::Act));
    key(&mut harness, egui::Key::Num1);
    until(&mut harness, "a guided film", |s| {
        phase(s) == Some(Phase::Answer)
    });
    let guided = state(&mut harness)
        .lessons
        .tour
        .as_ref()
        .unwrap()
        .figures
        .get("guided.r1");
    assert!(guided > 0.8, "{guided}");
    harness.get_by_label("Your prediction was right: Near truth's");
    click(&mut harness, "Finish");

    let s = state(&mut harness);
    assert!(s.lessons.tour.is_none() && s.lessons.list_open);
    assert!(s.prefs.lessons["2-flicker"].done);
    assert_eq!(s.prefs.model_name(), "travelling-wave");
    let g = &s.prefs.settings.guidance;
    assert_eq!((g.strength, g.history, s.prefs.spec.seed), (0.35, 2, 7));
    harness.get_by_label("Again: Why frames flicker");
    until(&mut harness, "the own world", |s| {
        s.facts
            .as_ref()
            .is_some_and(|f| f.name == "travelling-wave")
            && s.last() > 3
    });
}

#[test]
fn a_lesson_left_in_the_middle_goes_on_there() {
    let Some(mut harness) = live(own()) else {
        return;
    };
    until(&mut harness, "the first frames", |s| s.last() > 3);
    key(&mut harness, egui::Key::F2);
    click(&mut harness, "Begin: Memory");
    // The same model: another world of it.
    until(&mut harness, "the lesson's wave", |s| {
        matches!(s.world_asked(), Some(ClosedForm::TravellingWave(w)) if w.way == Way::Either)
            && s.facts
                .as_ref()
                .is_some_and(|f| f.closed_form == s.world_asked())
    });
    click(&mut harness, "Stand still");
    until(&mut harness, "twenty frames", |s| {
        phase(s) == Some(Phase::Answer)
    });
    let figures = state(&mut harness)
        .lessons
        .tour
        .as_ref()
        .unwrap()
        .figures
        .clone();
    assert!((figures.get("guided.r1") - figures.get("truth.r1")).abs() < 0.03);
    assert!(figures.get("guided.r4") > figures.get("truth.r4") + 0.5);
    harness.get_by_label_contains("You said “Stand still”");
    click(&mut harness, "Next");
    click(&mut harness, "Leave");
    let s = state(&mut harness);
    assert_eq!(s.prefs.settings.guidance.strength, 0.35);
    assert_eq!(s.prefs.spec.closed_form, None);
    key(&mut harness, egui::Key::F2);
    click(&mut harness, "Go on: Memory");
    harness.get_by_label("One frame more");
    assert_eq!(state(&mut harness).prefs.settings.guidance.history, 0);
    harness.get_by_label_contains("2 of 3");
}

/// Through two lessons and out again: the rollout that was on screen is there, frame for frame.
#[test]
fn the_rollout_before_a_lesson_is_there_again() {
    let mut prefs = own();
    prefs.spec.seed = 77;
    let Some(mut harness) = live(prefs) else {
        return;
    };
    until(&mut harness, "frames", |s| s.last() >= 8);
    key(&mut harness, egui::Key::Space);
    until(&mut harness, "a pause", |s| !s.progress.running);
    let frames = |s: &State| -> Vec<Vec<f32>> {
        let of = |f: &Arc<FrameSet>| {
            f.lanes[2]
                .as_ref()
                .map(|l| l.members[0].to_vec())
                .unwrap_or_default()
        };
        s.archive.frames.iter().map(of).collect()
    };
    let before = frames(state(&mut harness));
    for name in ["Begin: Why frames flicker", "Begin: Memory"] {
        key(&mut harness, egui::Key::F2);
        click(&mut harness, name);
        until(&mut harness, "frames of the lesson", |s| {
            s.spec().seed != 77 && s.facts.is_some() && s.last() >= 6
        });
    }
    click(&mut harness, "Leave");
    until(&mut harness, "the frames from before", |s| {
        s.facts.is_some() && s.last() + 1 == before.len()
    });
    assert_eq!(state(&mut harness).spec().seed, 77);
    assert_eq!(frames(state(&mut harness)), before);
}

#[test]
fn a_world_changes_with_its_parameters_and_d_can_be_mistaken() {
    let mut prefs = own();
    prefs.folds.guidance = true;
    let Some(mut harness) = live(prefs) else {
        return;
    };
    until(&mut harness, "the first frames", |s| s.last() > 5);
    let epoch = state(&mut harness).archive.epoch;
    click(&mut harness, "Way backward");
    until(&mut harness, "a new rollout", |s| {
        s.archive.epoch > epoch && s.last() > 4
    });
    let facts = state(&mut harness).facts.clone().unwrap();
    assert!(
        matches!(&facts.closed_form, Some(ClosedForm::TravellingWave(w)) if w.way == Way::Backward)
    );
    // A belief acts on the next step and restarts nothing.
    let epoch = state(&mut harness).archive.epoch;
    click(&mut harness, "Discriminator mistaken");
    let belief = state(&mut harness).prefs.settings.guidance.belief;
    assert_eq!(belief.map(|b| b.velocity), Some(-1.0));
    until(&mut harness, "a frame of it", |s| {
        s.archive
            .frames
            .last()
            .is_some_and(|f| f.settings.guidance.belief.is_some())
    });
    assert_eq!(state(&mut harness).archive.epoch, epoch);
}

/// Lessons of one's own, and what is wrong with a file, stand in the list.
#[test]
fn lessons_of_a_folder_and_their_faults_are_listed() {
    let folder = tempfile::tempdir().unwrap();
    let good = "format = 1\ntitle = \"Mine\"\nabout = \"of my own\"\nminutes = 1\nmodel = \"vorticity\"\n\
                [[step]]\ntitle = \"One\"\ntext = \"Look\"\n";
    std::fs::write(folder.path().join("mine.toml"), good).unwrap();
    std::fs::write(folder.path().join("bad.toml"), good.replace("text", "txet")).unwrap();
    let Some((mut harness, _)) = Setup::new(script(20)).open() else {
        return;
    };
    state(&mut harness).lessons_given = Some(folder.path().to_owned());
    key(&mut harness, egui::Key::F2);
    harness.run_steps(3);
    harness.get_by_label("Begin: Mine");
    harness.get_by_label_contains("bad.toml");
    harness.get_by_label_contains("line 8");
    harness.get_by_label("Begin: What a diffusion model does");
}

#[test]
fn the_list_and_a_step() {
    let mut results = egui_kittest::SnapshotResults::new();
    let mut setup = Setup::new(script(20));
    setup.prefs.lessons.insert(
        "1-diffusion".into(),
        eddyscope::app::Taken {
            step: 0,
            done: true,
        },
    );
    let Some((mut harness, _)) = setup.open() else {
        return;
    };
    key(&mut harness, egui::Key::F2);
    harness.run_steps(3);
    harness.snapshot_options("lessons_list", &window());
    click(&mut harness, "Begin: When the picture lies");
    harness.run_steps(3);
    harness.snapshot_options("lesson_step", &window());
    results.extend_harness(&mut harness);
}

/// A lane that blew up makes no more frames, and a goal that waits for them is never reached: that is said, and the step
/// can begin again.
#[test]
fn a_lesson_whose_lane_blew_up_begins_its_step_again() {
    let mut script = script(30);
    script.blow_up = Some(28);
    let Some((mut harness, commands)) = Setup::new(script).open() else {
        return;
    };
    key(&mut harness, egui::Key::F2);
    click(&mut harness, "Begin: Why frames flicker");
    while phase(state(&mut harness)) != Some(Phase::Act) {
        match phase(state(&mut harness)) {
            Some(Phase::Ask) => state(&mut harness).lesson_guess(Guess::Choice(0)),
            _ => state(&mut harness).lesson_next(),
        }
        harness.run_steps(2);
    }
    let step = state(&mut harness).lessons.tour.as_ref().unwrap().step;
    let before = state(&mut harness).prefs.settings.clone();
    harness.get_by_label_contains("The guided lane blew up at frame 28");
    state(&mut harness).set_strength(1.7);
    commands.lock().unwrap().clear();
    click(&mut harness, "Begin the step again");
    let s = state(&mut harness);
    assert_eq!(s.lessons.tour.as_ref().unwrap().step, step);
    assert_eq!(s.prefs.settings, before);
    assert!(s.blow_ups.iter().all(Option::is_none));
    let heard = commands.lock().unwrap().clone();
    assert!(heard.iter().any(|c| matches!(c, Command::Restart(_))));
    assert!(harness.query_by_label("Begin the step again").is_none());
}

/// Who has everything larger has it larger still in presenter mode, and back afterwards.
#[test]
fn presenter_mode_enlarges_what_is_enlarged() {
    let mut setup = Setup::new(script(20));
    setup.prefs.scale = 1.5;
    let Some((mut harness, _)) = setup.open() else {
        return;
    };
    let zoom = |harness: &Window<'_>| (10.0 * harness.ctx.zoom_factor()).round() / 10.0;
    assert_eq!(zoom(&harness), 1.5);
    key(&mut harness, egui::Key::F11);
    harness.run_steps(2);
    assert_eq!(zoom(&harness), 2.1);
    harness.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::Num0);
    harness.run_steps(3);
    assert_eq!(zoom(&harness), 1.4);
    key(&mut harness, egui::Key::Escape);
    harness.run_steps(2);
    assert_eq!(zoom(&harness), 1.0);
}

#[test]
fn presenter_mode_shows_the_lanes_alone_and_hears_the_keys() {
    let mut setup = Setup::new(script(60));
    setup.size = [1024.0, 768.0];
    setup.prefs.dark = Some(false);
    let Some((mut harness, _)) = setup.open() else {
        return;
    };
    key(&mut harness, egui::Key::F11);
    harness.run_steps(3);
    assert!(state(&mut harness).presenter.on);
    assert!(harness.query_by_label("Lessons").is_none());
    key(&mut harness, egui::Key::Num0);
    assert_eq!(state(&mut harness).prefs.settings.guidance.strength, 0.0);
    key(&mut harness, egui::Key::Num1);
    key(&mut harness, egui::Key::A);
    harness.run_steps(3);
    harness.snapshot_options("presenter", &window());
    key(&mut harness, egui::Key::Escape);
    harness.run_steps(3);
    assert!(!state(&mut harness).presenter.on);
    harness.get_by_label("Lessons");
    // The own theme is back.
    assert_eq!(harness.ctx.theme(), egui::Theme::Light);
}

#[test]
fn presenter_mode_shows_the_lanes_and_comes_back_to_the_stage() {
    let Some((mut harness, _)) = Setup::new(script(30)).open() else {
        return;
    };
    key(&mut harness, egui::Key::X);
    assert_eq!(state(&mut harness).stage, Stage::Microscope);
    key(&mut harness, egui::Key::F11);
    harness.run_steps(2);
    harness.get_by_label("Guided lane");
    // Keys mean the lanes.
    key(&mut harness, egui::Key::ArrowLeft);
    assert_eq!(state(&mut harness).shown().map(|f| f.index), Some(28));
    key(&mut harness, egui::Key::F11);
    let s = state(&mut harness);
    assert!(!s.presenter.on && s.stage == Stage::Microscope);
    // Another stage that is asked for takes the whole window.
    key(&mut harness, egui::Key::F11);
    key(&mut harness, egui::Key::E);
    let s = state(&mut harness);
    assert!(!s.presenter.on && s.stage == Stage::Edit);
    key(&mut harness, egui::Key::E);
    key(&mut harness, egui::Key::F11);
    let s = state(&mut harness);
    assert!(s.presenter.on && s.stage == Stage::Lanes);
}

#[test]
fn windows_and_keys_in_presenter_mode() {
    let mut setup = Setup::new(script(30));
    setup.prefs.dark = Some(false);
    let Some((mut harness, _)) = setup.open() else {
        return;
    };
    key(&mut harness, egui::Key::F11);
    // Esc closes what is open, then leaves.
    for open in [egui::Key::F1, egui::Key::F2] {
        key(&mut harness, open);
        let s = state(&mut harness);
        assert!(s.help_open || s.lessons.list_open);
        harness.run_steps(2);
        key(&mut harness, egui::Key::Escape);
        let s = state(&mut harness);
        assert!(s.presenter.on && !s.help_open && !s.lessons.list_open);
    }
    // Letters that are typed do nothing else.
    harness.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::K);
    harness.run_steps(3);
    assert!(state(&mut harness).palette.is_open());
    key(&mut harness, egui::Key::A);
    assert!(!state(&mut harness).presenter.plot);
    key(&mut harness, egui::Key::Escape);
    assert!(state(&mut harness).presenter.on && !state(&mut harness).palette.is_open());
    key(&mut harness, egui::Key::A);
    assert!(state(&mut harness).presenter.plot);
    // The theme changes here too, and stays.
    assert_eq!(harness.ctx.theme(), egui::Theme::Dark);
    key(&mut harness, egui::Key::T);
    assert_eq!(harness.ctx.theme(), egui::Theme::Light);
    // What is set can be undone.
    key(&mut harness, egui::Key::Num0);
    let undoes = state(&mut harness).undo.undoes();
    assert_eq!(undoes.as_deref(), Some("λ 1.00 → 0.00"));
    harness.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::Z);
    harness.run_steps(2);
    assert_eq!(state(&mut harness).prefs.settings.guidance.strength, 1.0);
    key(&mut harness, egui::Key::Escape);
    assert!(!state(&mut harness).presenter.on);
    assert_eq!(harness.ctx.theme(), egui::Theme::Light);
    // A lesson needs its strip.
    key(&mut harness, egui::Key::F11);
    key(&mut harness, egui::Key::F2);
    harness.run_steps(2);
    click(&mut harness, "Begin: When the picture lies");
    let s = state(&mut harness);
    assert!(!s.presenter.on && s.lessons.tour.is_some());
}

#[test]
fn another_model_ends_the_lesson() {
    let mut setup = Setup::new(script(20));
    setup.prefs.settings.guidance.strength = 0.35;
    let Some((mut harness, _)) = setup.open() else {
        return;
    };
    key(&mut harness, egui::Key::M);
    key(&mut harness, egui::Key::F2);
    harness.run_steps(3);
    click(&mut harness, "Begin: When the picture lies");
    let s = state(&mut harness);
    assert!(s.lessons.tour.is_some() && s.undo.undoes().is_none());
    // What is the window's own stays.
    s.prefs.scale = 1.1;
    s.remember(std::path::Path::new("/tmp/a.nc"));
    s.open_model("precipitation");
    harness.run_steps(3);
    let s = state(&mut harness);
    assert!(s.lessons.tour.is_none() && s.globe().is_some());
    assert_eq!((s.prefs.scale, s.prefs.recent.len()), (1.1, 1));
    s.open_model("vorticity");
    harness.run_steps(3);
    let s = state(&mut harness);
    let guidance = &s.prefs.settings.guidance;
    assert_eq!((guidance.strength, guidance.history), (0.35, 0));
}
