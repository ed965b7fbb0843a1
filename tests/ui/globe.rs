//! The window with the globe: lanes, diagnostics, menus, pictures.

use super::*;

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
