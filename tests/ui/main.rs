//! The window, drawn off-screen from a scripted source: snapshots of its states, and what pointer and keyboard do.
//!
//! The pictures need a graphics adapter (a software one will do). Where there is none the tests say so and pass.
//! `UPDATE_SNAPSHOTS=true cargo test --release --test ui` writes them anew; look at them before committing.

mod diag;
mod edit;
mod everywhere;
mod files;
mod globe;
mod lessons;
mod micro;
mod slots;
#[path = "../support/mod.rs"]
mod support;
mod tree;
mod twin;
mod wall;

use std::sync::{Arc, Mutex};

use eddyscope::app::{EddyApp, GpuErrors, Launch, Prefs, RolloutSource, State, Tab, paint};
use eddyscope::render::Projection;
use eddyscope::rollout::protocol::Command;
use eddyscope::rollout::settings::LaneKind;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use egui_kittest::wgpu::{WgpuTestRenderer, create_render_state, default_wgpu_setup};
use egui_kittest::{Harness, SnapshotOptions};
use support::{Script, Synthetic, rain_script as rain, script};

/// The same machine: text and shapes may not move at all.
fn strict() -> SnapshotOptions {
    SnapshotOptions::new()
        .threshold(0.6)
        .max_failed_pixels(20usize)
}

/// Whole windows: another driver may shade a few edge pixels of the fields differently.
fn window() -> SnapshotOptions {
    SnapshotOptions::new()
        .threshold(1.0)
        .max_failed_pixels(600usize)
}

type Commands = Arc<Mutex<Vec<Command>>>;

struct Setup {
    script: Script,
    prefs: Prefs,
    size: [f32; 2],
    scale: f32,
}

impl Setup {
    fn new(script: Script) -> Self {
        let mut prefs = Prefs::default();
        prefs.dark = Some(true);
        prefs.settings = script.settings.clone();
        prefs.spec.members = script.members;
        prefs.model = script.globe.then(|| "precipitation".to_owned());
        Self {
            script,
            prefs,
            size: [1280.0, 800.0],
            scale: 1.0,
        }
    }

    /// The window, after some frames of its own; `None` without an adapter.
    fn open<'a>(self) -> Option<(Harness<'a, Option<EddyApp>>, Commands)> {
        if !has_adapter() {
            eprintln!("skipped: there is no graphics adapter, not even a software one");
            return None;
        }
        let render_state = create_render_state(
            default_wgpu_setup(),
            egui_wgpu::RendererOptions::PREDICTABLE,
        );
        paint::install(&render_state);
        let commands = Commands::default();
        let heard = Arc::clone(&commands);
        let Setup {
            script,
            prefs,
            size,
            scale,
        } = self;
        let mut harness = Harness::builder()
            .with_size(size)
            .with_pixels_per_point(scale)
            .with_step_dt(1.0 / 60.0)
            .renderer(WgpuTestRenderer::from_render_state(render_state))
            .build_ui_state(
                move |ui, app: &mut Option<EddyApp>| {
                    let app = app.get_or_insert_with(|| {
                        let (script, heard) = (script.clone(), Arc::clone(&heard));
                        let launch: Launch = Box::new(move |start| {
                            let globe = start.model.as_deref() == Some("precipitation");
                            let script = Script {
                                globe,
                                ..script.clone()
                            };
                            let mut source = Synthetic::new(&script);
                            source.commands = Arc::clone(&heard);
                            Box::new(source) as Box<dyn RolloutSource>
                        });
                        let state = State::new(launch, prefs.clone(), true, None);
                        EddyApp::new(ui.ctx(), state, None, GpuErrors::default())
                    });
                    // The whole window, without the margin of the test's own panel.
                    let whole = ui.ctx().content_rect();
                    ui.set_clip_rect(whole);
                    ui.scope_builder(egui::UiBuilder::new().max_rect(whole), |ui| app.show(ui));
                },
                None,
            );
        harness.run_steps(4);
        Some((harness, commands))
    }
}

/// Where an adapter is promised (`EDDYSCOPE_NEED_ADAPTER`, as in continuous integration), its absence is a failure: else
/// every test of the window would pass without having looked at one.
fn has_adapter() -> bool {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    let found = !pollster::block_on(instance.enumerate_adapters(wgpu::Backends::all())).is_empty();
    let promised = std::env::var_os("EDDYSCOPE_NEED_ADAPTER").is_some();
    assert!(found || !promised, "there is no graphics adapter");
    found
}

fn state<'h>(harness: &'h mut Harness<'_, Option<EddyApp>>) -> &'h mut State {
    &mut harness
        .state_mut()
        .as_mut()
        .expect("the window is open")
        .state
}

fn key(harness: &mut Harness<'_, Option<EddyApp>>, key: egui::Key) {
    harness.key_press(key);
    harness.run_steps(2);
}

#[test]
fn window_dark() {
    let Some((mut harness, _)) = Setup::new(script(78)).open() else {
        return;
    };
    harness.snapshot_options("window_dark", &window());
}

#[test]
fn window_dark_at_twice_the_scale() {
    let mut setup = Setup::new(script(78));
    setup.scale = 2.0;
    let Some((mut harness, _)) = setup.open() else {
        return;
    };
    harness.snapshot_options("window_dark_2x", &window());
}

#[test]
fn window_light_with_four_lanes_and_members() {
    let mut script = script(78);
    script.settings.lanes = [true, true, true, true, false, false];
    script.members = 4;
    let mut setup = Setup::new(script);
    setup.prefs.dark = Some(false);
    setup.prefs.tips_dismissed = true;
    setup.prefs.tab = Tab::Dynamics;
    let Some((mut harness, _)) = setup.open() else {
        return;
    };
    harness.snapshot_options("window_light", &window());
}

/// Six lanes stand side by side, the guided video model with a strength of its own below its name; without a video model
/// its two lanes cannot be switched on.
#[test]
fn six_lanes_with_the_video_model() {
    let mut script = script(78);
    script.settings.lanes = [true; 6];
    let mut setup = Setup::new(script);
    setup.prefs.tips_dismissed = true;
    let Some((mut harness, _)) = setup.open() else {
        return;
    };
    harness.get_by_label("Video model lane");
    harness.get_by_label("Guided video lane");
    harness.snapshot_options("window_six_lanes", &window());
    // A model without a video model: its lanes are neither shown nor offered.
    let state = state(&mut harness);
    let mut facts = (**state.facts.as_ref().expect("facts")).clone();
    facts.video = false;
    state.facts = Some(Arc::new(facts));
    assert_eq!(state.lanes().len(), 4);
    harness.run_steps(2);
    assert!(harness.query_by_label("Guided video lane").is_none());
    assert!(
        harness
            .get_by_label("Guided video")
            .accesskit_node()
            .is_disabled()
    );
}

#[test]
fn diagnostics_tabs() {
    let mut results = egui_kittest::SnapshotResults::new();
    for (tab, name) in [
        (Tab::Hovmoeller, "tab_hovmoeller"),
        (Tab::Discriminator, "tab_discriminator"),
        (Tab::Probe, "tab_probe"),
    ] {
        let mut setup = Setup::new(script(78));
        setup.prefs.tab = tab;
        setup.prefs.tips_dismissed = true;
        let Some((mut harness, _)) = setup.open() else {
            return;
        };
        state(&mut harness).pin = Some((20, 30));
        harness.run_steps(3);
        harness.snapshot_options(name, &window());
        results.extend_harness(&mut harness);
    }
}

#[test]
fn all_controls_open() {
    let mut setup = Setup::new(script(12));
    let folds = &mut setup.prefs.folds;
    (folds.guidance, folds.sampler, folds.rollout, folds.picture) = (true, true, true, true);
    setup.size = [1280.0, 1100.0];
    setup.prefs.tips_dismissed = true;
    let Some((mut harness, _)) = setup.open() else {
        return;
    };
    harness.snapshot_options("controls_open", &window());
}

#[test]
fn loading() {
    let Some((mut harness, _)) = Setup::new(script(0)).open() else {
        return;
    };
    harness.snapshot_options("loading", &strict());
}

#[test]
fn blow_up_offers_the_way_back() {
    let mut script = script(30);
    script.blow_up = Some(28);
    script.settings.guidance.strength = 1.8;
    let Some((mut harness, commands)) = Setup::new(script).open() else {
        return;
    };
    harness.snapshot_options("blow_up", &window());
    harness.get_by_label("Back to frame 27 with λ 1.00").click();
    harness.run_steps(2);
    let heard = commands.lock().unwrap().clone();
    assert!(
        heard.iter().any(|c| matches!(c, Command::TruncateTo(27))),
        "{heard:?}"
    );
    assert_eq!(state(&mut harness).prefs.settings.guidance.strength, 1.0);
}

#[test]
fn a_start_that_cannot_be_read_leaves_everything_as_it_was() {
    let mut script = script(30);
    script.refuses = true;
    let Some((mut harness, commands)) = Setup::new(script).open() else {
        return;
    };
    let last = state(&mut harness).last();
    let _ = state(&mut harness).play.go_to(12, last);
    harness.run_steps(2);
    let ctx = harness.ctx.clone();
    state(&mut harness).start_from(&ctx, vec!["/nowhere/start.nc".into()]);
    assert!(state(&mut harness).spec().start_file.is_some());
    harness.run_steps(3);
    let s = state(&mut harness);
    assert_eq!(
        (s.spec().start_file.clone(), s.files.start_path.as_str()),
        (None, "")
    );
    assert!(!s.play.playing);
    assert_eq!(s.shown().map(|f| f.index), Some(12));
    assert!(s.undo.undoes().is_none(), "nothing was changed");
    let heard = commands.lock().unwrap().clone();
    assert!(matches!(heard.last(), Some(Command::Pause)), "{heard:?}");
    assert!(harness.query_by_label_contains("No branch today").is_some());
}

#[test]
fn keys_do_not_act_behind_a_window() {
    let Some((mut harness, _)) = Setup::new(script(20)).open() else {
        return;
    };
    let strength = state(&mut harness).prefs.settings.guidance.strength;
    key(&mut harness, egui::Key::F1);
    harness.run_steps(2);
    for pressed in [egui::Key::ArrowDown, egui::Key::Num0, egui::Key::M] {
        key(&mut harness, pressed);
    }
    let guidance = &state(&mut harness).prefs.settings.guidance;
    assert_eq!((guidance.strength, guidance.history), (strength, 3));
    key(&mut harness, egui::Key::F1);
    assert!(
        !state(&mut harness).help_open,
        "the key that opened it closes it"
    );
    key(&mut harness, egui::Key::Num0);
    assert_eq!(state(&mut harness).prefs.settings.guidance.strength, 0.0);
}

#[test]
fn help_and_save_windows() {
    let Some((mut harness, _)) = Setup::new(script(20)).open() else {
        return;
    };
    key(&mut harness, egui::Key::F1);
    harness.run_steps(3);
    harness.snapshot_options("help", &window());
    key(&mut harness, egui::Key::Escape);
    key(&mut harness, egui::Key::S);
    state(&mut harness).files.picture_path = "/home/you/vorticity-seed0-frame0019.png".into();
    harness.run_steps(3);
    harness.snapshot_options("save", &window());
}

#[test]
fn keyboard_moves_strength_history_and_frames() {
    let Some((mut harness, commands)) = Setup::new(script(20)).open() else {
        return;
    };
    key(&mut harness, egui::Key::Num0);
    assert_eq!(state(&mut harness).prefs.settings.guidance.strength, 0.0);
    key(&mut harness, egui::Key::ArrowUp);
    assert_eq!(state(&mut harness).prefs.settings.guidance.strength, 0.05);
    key(&mut harness, egui::Key::Num1);
    assert_eq!(state(&mut harness).prefs.settings.guidance.strength, 1.0);
    let before = state(&mut harness).prefs.settings.guidance.history;
    key(&mut harness, egui::Key::M);
    assert_eq!(
        state(&mut harness).prefs.settings.guidance.history,
        (before + 1) % 4
    );

    key(&mut harness, egui::Key::Space);
    assert!(matches!(
        commands.lock().unwrap().last(),
        Some(Command::Pause)
    ));
    key(&mut harness, egui::Key::ArrowLeft);
    assert_eq!(state(&mut harness).shown().map(|f| f.index), Some(18));
    key(&mut harness, egui::Key::Home);
    assert_eq!(state(&mut harness).shown().map(|f| f.index), Some(0));
    key(&mut harness, egui::Key::End);
    key(&mut harness, egui::Key::ArrowRight);
    assert!(matches!(
        commands.lock().unwrap().last(),
        Some(Command::Step(1))
    ));
}

#[test]
fn pointer_follows_a_cell_and_zooms_all_lanes() {
    let Some((mut harness, _)) = Setup::new(script(20)).open() else {
        return;
    };
    let lane = harness.get_by_label("Guided lane").rect();
    harness.hover_at(lane.center());
    harness.run_steps(2);
    let (kind, column, row) = state(&mut harness)
        .hover
        .expect("a cell is under the pointer");
    assert_eq!(kind, LaneKind::Guided);
    assert!(column.abs_diff(32) <= 1 && row.abs_diff(32) <= 1);
    harness.get_by_label("Guided lane").click();
    harness.run_steps(2);
    assert_eq!(state(&mut harness).pin, Some((column, row)));
    harness.event(egui::Event::MouseWheel {
        unit: egui::MouseWheelUnit::Point,
        delta: egui::vec2(0.0, 120.0),
        modifiers: egui::Modifiers::NONE,
        phase: egui::TouchPhase::Move,
        source: egui::MouseWheelSource::Wheel,
    });
    harness.run_steps(20);
    assert!(state(&mut harness).view.zoom > 1.2);
}

#[test]
fn an_idle_window_asks_for_no_further_frame() {
    let Some((mut harness, _)) = Setup::new(script(20)).open() else {
        return;
    };
    key(&mut harness, egui::Key::Space);
    // Settles within a few frames; `run` panics if it never does.
    let steps = harness.run();
    assert!(steps < 10, "{steps}");
}
