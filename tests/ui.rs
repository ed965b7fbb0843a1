//! The window, drawn off-screen from a scripted source: snapshots of its states, and what pointer and keyboard do.
//!
//! The pictures need a graphics adapter (a software one will do). Where there is none the tests say so and pass.
//! `UPDATE_SNAPSHOTS=true cargo test --release --test ui` writes them anew; look at them before committing.

mod support;

use std::sync::{Arc, Mutex};

use eddyscope::app::{EddyApp, GpuErrors, Launch, Prefs, RolloutSource, State, Tab, paint};
use eddyscope::render::Projection;
use eddyscope::rollout::protocol::Command;
use eddyscope::rollout::settings::LaneKind;
use egui_kittest::kittest::Queryable as _;
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

fn has_adapter() -> bool {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    !pollster::block_on(instance.enumerate_adapters(wgpu::Backends::all())).is_empty()
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

fn open_globe<'a>(
    change: impl FnOnce(&mut Setup),
) -> Option<(Harness<'a, Option<EddyApp>>, Commands)> {
    let mut setup = Setup::new(rain(78));
    setup.prefs.tips_dismissed = true;
    change(&mut setup);
    setup.open()
}

#[test]
fn globe_dark_with_first_words() {
    let Some((mut harness, _)) = open_globe(|s| s.prefs.tips_dismissed = false) else {
        return;
    };
    harness.snapshot_options("globe_dark", &window());
}

#[test]
fn globe_light_equal_earth_at_twice_the_scale() {
    let opened = open_globe(|s| {
        s.prefs.dark = Some(false);
        s.prefs.globe.view.projection = Projection::EqualEarth;
        s.prefs.globe.view.lon = 150.0;
        s.prefs.tab = Tab::Space;
        s.scale = 2.0;
    });
    let Some((mut harness, _)) = opened else {
        return;
    };
    harness.snapshot_options("globe_light_2x", &window());
}

#[test]
fn globe_diagnostics() {
    let mut results = egui_kittest::SnapshotResults::new();
    for (tab, name) in [
        (Tab::Hovmoeller, "globe_hovmoeller"),
        (Tab::Probe, "globe_probe"),
    ] {
        let opened = open_globe(|s| s.prefs.tab = tab);
        let Some((mut harness, _)) = opened else {
            return;
        };
        let grid = support::rain::grid();
        state(&mut harness).pin = Some((grid.column(12.5), grid.row(42.0)));
        harness.run_steps(3);
        harness.snapshot_options(name, &window());
        results.extend_harness(&mut harness);
    }
}

#[test]
fn globe_zoomed_with_all_controls() {
    let opened = open_globe(|s| {
        let folds = &mut s.prefs.folds;
        (folds.rollout, folds.picture) = (true, true);
        s.script.settings.lanes = [true, true, true, true, false, false];
        s.prefs.settings.lanes = [true, true, true, true, false, false];
        s.prefs.globe.view.zoom_at(5.0, 0.53, 0.74);
        s.size = [1280.0, 1100.0];
    });
    let Some((mut harness, _)) = opened else {
        return;
    };
    harness.snapshot_options("globe_zoomed", &window());
}

#[test]
fn globe_turns_zooms_and_shows_its_lines() {
    let Some((mut harness, _)) = open_globe(|_| ()) else {
        return;
    };
    let lane = harness.get_by_label("Guided lane").rect();
    // Rome in the equirectangular map of the whole globe.
    let rome = egui::pos2(
        lane.left() + lane.width() * (12.5 + 180.0) / 360.0,
        lane.top() + lane.height() * (90.0 - 42.0) / 180.0,
    );
    harness.hover_at(rome);
    harness.run_steps(2);
    let grid = support::rain::grid();
    let cell = (grid.column(12.5), grid.row(42.0));
    assert_eq!(
        state(&mut harness).hover,
        Some((LaneKind::Guided, cell.0, cell.1))
    );
    harness.event(egui::Event::MouseWheel {
        unit: egui::MouseWheelUnit::Point,
        delta: egui::vec2(0.0, 150.0),
        modifiers: egui::Modifiers::NONE,
        phase: egui::TouchPhase::Move,
        source: egui::MouseWheelSource::Wheel,
    });
    harness.run_steps(20);
    let view = state(&mut harness).prefs.globe.view;
    assert!(view.zoom > 1.5);
    assert_eq!(
        state(&mut harness).hover,
        Some((LaneKind::Guided, cell.0, cell.1)),
        "the cell under the pointer stays there"
    );
    let before = state(&mut harness).prefs.globe.clone();
    for k in [egui::Key::C, egui::Key::G, egui::Key::P] {
        key(&mut harness, k);
    }
    let after = state(&mut harness).prefs.globe.clone();
    assert!(before.coast && before.graticule && !after.coast && !after.graticule);
    assert_eq!(after.view.projection, Projection::EqualEarth);
}

#[test]
fn models_switch_there_and_back_with_settings_of_their_own() {
    let Some((mut harness, commands)) = Setup::new(script(20)).open() else {
        return;
    };
    state(&mut harness).set_strength(0.35);
    state(&mut harness).prefs.smooth = true;
    state(&mut harness).open_model("precipitation");
    harness.run_steps(4);
    let globe = state(&mut harness);
    assert!(globe.globe().is_some() && globe.aspect() == 2.0);
    assert_eq!(globe.prefs.settings.guidance.strength, 1.0);
    assert!(!globe.prefs.smooth && globe.look(true).rain.is_some());
    assert!(globe.play.playing, "the new rollout runs");
    globe.set_strength(1.25);
    assert!(matches!(
        commands.lock().unwrap().last(),
        Some(Command::Run)
    ));
    state(&mut harness).open_model("vorticity");
    harness.run_steps(4);
    let flat = state(&mut harness);
    assert!(flat.globe().is_none() && flat.look(true).rain.is_none());
    assert_eq!(flat.prefs.settings.guidance.strength, 0.35);
    assert!(flat.prefs.smooth);
    state(&mut harness).open_model("precipitation");
    harness.run_steps(4);
    assert_eq!(state(&mut harness).prefs.settings.guidance.strength, 1.25);
}

#[test]
fn picture_of_the_globe_carries_its_date_and_its_lines() {
    let Some((mut harness, _)) = open_globe(|_| ()) else {
        return;
    };
    let (picture, recipe) = state(&mut harness).picture(false).expect("a picture");
    let globe = recipe.globe.expect("the globe's part of the recipe");
    assert_eq!(globe.date, state(&mut harness).shown().and_then(|f| f.date));
    assert!(picture.caption.contains("2059-09-27") && picture.units == "mm/day");
    let with_lines = picture.draw();
    let mut plain = picture.clone();
    if let Some(globe) = &mut plain.globe {
        (globe.coast, globe.graticule) = (false, false);
    }
    let plain = plain.draw();
    assert_eq!(with_lines.width, plain.width);
    assert!(with_lines.height > 3 * 480);
    let differ = with_lines
        .pixels
        .chunks_exact(4)
        .zip(plain.pixels.chunks_exact(4))
        .filter(|(a, b)| a != b)
        .count();
    assert!((20_000..400_000).contains(&differ), "{differ}");
}

#[test]
fn menus_of_the_top_bar_open() {
    let Some((mut harness, _)) = open_globe(|_| ()) else {
        return;
    };
    harness.get_by_label("View").click();
    harness.run_steps(4);
    assert!(harness.query_by_label("Graticule").is_some());
    harness.snapshot_options("globe_view_menu", &window());
    harness.key_press(egui::Key::Escape);
    harness.run_steps(3);
    assert!(harness.query_by_label("Graticule").is_none());
    harness.get_by_value("precipitation").click();
    harness.run_steps(4);
    assert!(harness.query_by_label("Open a model folder…").is_some());
}
