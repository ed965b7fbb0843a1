//! Files and the manners of the desktop: what is dropped, what is exported, the palette, the keyboard.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use eddyscope::export::{Carried, Format, Reading, Recipe, Watch, read};
use eddyscope::render::ColorMap;
use eddyscope::rollout::settings::LANES;

use super::*;

#[derive(Debug)]
struct Dropped(PathBuf);

impl egui::DroppedFile for Dropped {
    fn path(&self) -> &Path {
        &self.0
    }

    fn bytes(&self) -> Result<Vec<u8>, String> {
        std::fs::read(&self.0).map_err(|e| e.to_string())
    }
}

type Window<'a> = Harness<'a, Option<EddyApp>>;

fn drop_file(harness: &mut Window<'_>, path: &Path) {
    let file: egui::DroppedFileHandle = Arc::new(Dropped(path.to_owned()));
    harness.input_mut().dropped_files.push(file);
    harness.run_steps(1);
}

/// Draws until something is so.
pub fn until(harness: &mut Window<'_>, what: &str, done: impl Fn(&mut Window<'_>) -> bool) {
    let began = Instant::now();
    while !done(harness) {
        assert!(began.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(5));
        harness.run_steps(1);
    }
}

fn with_ctrl(harness: &mut Window<'_>, key: egui::Key) {
    harness.key_press_modifiers(egui::Modifiers::COMMAND, key);
    harness.run_steps(3);
}

/// Writes what the window shows.
fn written(harness: &mut Window<'_>, path: &Path, format: Format) {
    let state = state(harness);
    state.files.choice.format = format;
    let plan = state.plan(true, path.to_owned()).expect("a plan");
    plan.run(&Watch::default()).expect("written");
}

fn recipe_of(path: &Path) -> Recipe {
    match read(path).expect("a file that carries a recipe") {
        Carried::Recipe(Reading::Whole(recipe)) => *recipe,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_dropped_picture_restores_its_run() {
    let Some((mut harness, commands)) = Setup::new(script(30)).open() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("frame.png");
    written(&mut harness, &path, Format::Png);
    let recipe = recipe_of(&path);
    // The hash of the scripted model is not that of the shipped one: that is said.
    drop_file(&mut harness, &path);
    until(&mut harness, "the window of what was found", |h| {
        h.query_by_label("Restore").is_some()
    });
    assert!(harness.query_by_label_contains("other weights").is_some());
    harness.run_steps(3);
    harness.snapshot_options("restore", &window());
    commands.lock().unwrap().clear();
    harness.get_by_label("Restore").click();
    harness.run_steps(3);
    let heard = commands.lock().unwrap().clone();
    let Some(Command::Replay { script, until }) = heard.first() else {
        panic!("{heard:?}");
    };
    assert_eq!((script.as_slice(), *until), (recipe.changes.as_slice(), 29));
    assert_eq!(state(&mut harness).prefs.recent, [path]);
}

/// The look of a file comes back with it: colours, range, and in a session the frame that was shown.
#[test]
fn a_file_restores_how_it_looked_and_what_it_showed() {
    let folder = tempfile::tempdir().unwrap();
    for (format, name, button) in [
        (Format::Png, "frame.png", "Restore"),
        (Format::Session, "run.eddyscope", "Go on with it"),
    ] {
        let Some((mut harness, _)) = Setup::new(script(30)).open() else {
            return;
        };
        let path = folder.path().join(name);
        let s = state(&mut harness);
        s.prefs.color_map = Some(ColorMap::RdBu);
        s.prefs.range_limit = Some(7.0);
        let _ = s.play.go_to(12, 29);
        harness.run_steps(2);
        written(&mut harness, &path, format);
        let s = state(&mut harness);
        (s.prefs.color_map, s.prefs.range_limit) = (None, Some(2.0));
        let _ = s.play.go_to(3, 29);
        drop_file(&mut harness, &path);
        until(&mut harness, "what was found", |h| {
            h.query_by_label(button).is_some()
        });
        harness.run_steps(3);
        harness.get_by_label(button).click();
        harness.run_steps(4);
        let s = state(&mut harness);
        assert_eq!(s.prefs.color_map, Some(ColorMap::RdBu), "{name}");
        assert_eq!(s.prefs.range_limit, Some(7.0), "{name}");
        if format == Format::Session {
            assert_eq!(s.shown().map(|f| f.index), Some(12));
            assert!(!s.play.playing);
        }
        // What theme and data gave by themselves goes on following them.
        let s = state(&mut harness);
        (s.prefs.color_map, s.prefs.range_limit) = (None, None);
        let path = folder.path().join(format!("usual-{name}"));
        written(&mut harness, &path, format);
        state(&mut harness).prefs.range_limit = Some(2.0);
        drop_file(&mut harness, &path);
        until(&mut harness, "what was found", |h| {
            h.query_by_label(button).is_some()
        });
        harness.run_steps(3);
        harness.get_by_label(button).click();
        harness.run_steps(4);
        let s = state(&mut harness);
        assert_eq!((s.prefs.color_map, s.prefs.range_limit), (None, None));
    }
}

/// The lanes chosen for a film do not leave their mark on a session, even when none of them is on the screen any more.
#[test]
fn a_session_holds_all_lanes() {
    let Some((mut harness, _)) = Setup::new(script(12)).open() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("all.eddyscope");
    let s = state(&mut harness);
    s.files.choice.lanes = [false; LANES];
    s.files.choice.lanes[LaneKind::Guided.index()] = true;
    s.prefs.settings.lanes[LaneKind::Guided.index()] = false;
    harness.run_steps(2);
    with_ctrl(&mut harness, egui::Key::S);
    state(&mut harness).files.picture_path = path.display().to_string();
    harness.run_steps(2);
    harness.get_by_label("Save").click();
    harness.run_steps(1);
    until(&mut harness, "the session", |_| path.exists());
    let Carried::Session(session) = eddyscope::export::read(&path).unwrap() else {
        panic!("no session");
    };
    let made = state(&mut harness).archive.frames[11].clone();
    let kept = &session.archive.frames[11];
    for kind in LaneKind::ALL {
        let (a, b) = (&made.lanes[kind.index()], &kept.lanes[kind.index()]);
        assert_eq!(a.is_some(), b.is_some(), "{kind:?}");
    }
    assert!(kept.lanes[LaneKind::Guided.index()].is_some());
}

/// Where there is nothing to write, or a place that cannot be written, that is said.
#[test]
fn an_export_that_fails_is_said_to() {
    let Some((mut harness, _)) = Setup::new(script(12)).open() else {
        return;
    };
    let ctx = harness.ctx.clone();
    let folder = tempfile::tempdir().unwrap();
    for format in [Format::Csv, Format::Session, Format::NetCdf] {
        let before = state(&mut harness).notices.count();
        let s = state(&mut harness);
        s.files.choice.format = format;
        let path = folder.path().join("no such folder").join(format.ending());
        s.save_to(&ctx, path.with_extension(format.ending()));
        until(&mut harness, "a warning", |h| {
            state(h).notices.count() > before
        });
    }
    let before = state(&mut harness).notices.count();
    let s = state(&mut harness);
    s.files.choice.format = Format::Csv;
    s.files.choice.lanes = [false; LANES];
    s.save_to(&ctx, folder.path().join("none.csv"));
    assert_eq!(state(&mut harness).notices.count(), before + 1);
}

/// A folder that holds no model is said to hold none, and the rollout stays.
#[test]
fn a_folder_without_a_model_is_said_to_have_none() {
    let Some((mut harness, _)) = Setup::new(script(12)).open() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    drop_file(&mut harness, folder.path());
    until(&mut harness, "a warning", |h| state(h).notices.count() == 1);
    harness.run_steps(2);
    harness.get_by_label_contains("Cannot open the model folder");
    assert_eq!(state(&mut harness).last(), 11);
}

#[test]
fn newer_recipes_and_lost_models_are_said_and_their_settings_offered() {
    let Some((mut harness, commands)) = Setup::new(script(20)).open() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("frame.png");
    written(&mut harness, &path, Format::Png);
    let mut recipe = serde_json::to_value(recipe_of(&path)).unwrap();
    recipe["settings"]["guidance"]["strength"] = 0.4.into();
    recipe["rollout"]["seed"] = 9.into();
    for (key, value, said) in [
        ("format", serde_json::json!(7), "newer kind"),
        ("model", serde_json::json!("sea ice"), "is not here"),
    ] {
        let mut changed = recipe.clone();
        changed[key] = value;
        let path = folder.path().join(format!("{key}.json"));
        std::fs::write(&path, changed.to_string()).unwrap();
        state(&mut harness).set_strength(1.0);
        drop_file(&mut harness, &path);
        let label = "Use its settings with vorticity";
        until(&mut harness, said, |h| h.query_by_label(label).is_some());
        harness.run_steps(3);
        assert!(harness.query_by_label_contains(said).is_some());
        commands.lock().unwrap().clear();
        harness.get_by_label(label).click();
        harness.run_steps(3);
        let now = state(&mut harness);
        assert_eq!(now.prefs.settings.guidance.strength, 0.4);
        let heard = commands.lock().unwrap().clone();
        assert!(
            matches!(heard.first(), Some(Command::Restart(spec)) if spec.seed == 9),
            "{heard:?}"
        );
    }
}

#[test]
fn what_cannot_be_opened_is_said_and_the_rollout_stays() {
    let Some((mut harness, commands)) = Setup::new(script(20)).open() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("holiday.gif");
    std::fs::write(&path, b"GIF89a, and not much more").unwrap();
    commands.lock().unwrap().clear();
    drop_file(&mut harness, &path);
    until(&mut harness, "a warning", |h| state(h).notices.count() == 1);
    harness.run_steps(2);
    assert!(
        harness
            .query_by_label_contains("Cannot read a recipe")
            .is_some()
    );
    assert!(commands.lock().unwrap().is_empty());
    assert_eq!(state(&mut harness).last(), 19);
    // An array of one's own is a start.
    let path = folder.path().join("own.npy");
    std::fs::write(&path, b"\x93NUMPY").unwrap();
    drop_file(&mut harness, &path);
    until(&mut harness, "a start", |_| {
        !commands.lock().unwrap().is_empty()
    });
    let heard = commands.lock().unwrap().clone();
    assert!(matches!(&heard[0], Command::Restart(s) if s.start_file == Some(path.clone())));
}

#[test]
fn a_film_is_exported_from_the_window() {
    let Some((mut harness, _)) = Setup::new(script(12)).open() else {
        return;
    };
    with_ctrl(&mut harness, egui::Key::E);
    harness.get_by_label("Format WebP").click();
    harness.run_steps(2);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("film.webp");
    assert!(
        state(&mut harness)
            .files
            .picture_path
            .ends_with("vorticity-seed0.webp")
    );
    state(&mut harness).files.picture_path = "/home/you/vorticity-seed0.webp".into();
    harness.run_steps(3);
    harness.snapshot_options("export", &window());
    state(&mut harness).files.picture_path = path.display().to_string();
    state(&mut harness).files.choice.side = 96;
    harness.run_steps(1);
    harness.get_by_label("Save").click();
    harness.run_steps(1);
    until(&mut harness, "the film", |h| !state(h).files.is_writing());
    assert!(path.exists());
    assert!(!state(&mut harness).files.save_open);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn the_palette_finds_and_does() {
    let Some((mut harness, _)) = Setup::new(script(12)).open() else {
        return;
    };
    with_ctrl(&mut harness, egui::Key::K);
    assert!(state(&mut harness).palette.is_open());
    harness.snapshot_options("palette", &window());
    harness.event(egui::Event::Text("sess".into()));
    harness.run_steps(3);
    key(&mut harness, egui::Key::Enter);
    harness.run_steps(2);
    let now = state(&mut harness);
    assert!(!now.palette.is_open() && now.files.save_open);
    assert_eq!(now.files.choice.format, Format::Session);
    key(&mut harness, egui::Key::Escape);
    assert!(
        !state(&mut harness).files.save_open,
        "Esc closes it although a text has the keyboard"
    );
    // The click in the menu that opens it does not close it.
    harness.get_by_label("File").click();
    harness.run_steps(4);
    harness.get_by_label_contains("All commands").click();
    harness.run_steps(4);
    assert!(state(&mut harness).palette.is_open());
    // One beside it does.
    harness.hover_at(egui::pos2(40.0, 780.0));
    for pressed in [true, false] {
        harness.event(egui::Event::PointerButton {
            pos: egui::pos2(40.0, 780.0),
            button: egui::PointerButton::Primary,
            pressed,
            modifiers: egui::Modifiers::NONE,
        });
        harness.run_steps(2);
    }
    assert!(!state(&mut harness).palette.is_open());
    with_ctrl(&mut harness, egui::Key::Plus);
    assert_eq!(state(&mut harness).prefs.scale, 1.1);
    with_ctrl(&mut harness, egui::Key::Num0);
    assert_eq!(state(&mut harness).prefs.scale, 1.0);
}

#[test]
fn the_file_menu_shows_what_was_opened_last() {
    let Some((mut harness, _)) = Setup::new(script(12)).open() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("last.eddyscope");
    written(&mut harness, &path, Format::Session);
    state(&mut harness).remember(&path);
    harness.run_steps(1);
    harness.get_by_label("File").click();
    harness.run_steps(4);
    harness.get_by_label_contains("Open recent").hover();
    harness.run_steps(30);
    assert!(harness.query_by_label("last.eddyscope").is_some());
    assert!(
        harness
            .query_by_label_contains("Save the session")
            .is_some()
    );
}

/// Tab goes through the controls, the one that has the keyboard is marked, Space presses it.
#[test]
fn the_keyboard_alone_reaches_and_presses_controls() {
    let Some((mut harness, _)) = Setup::new(script(12)).open() else {
        return;
    };
    let focused = |h: &Window<'_>| {
        let name = |n: egui_kittest::Node<'_>| n.accesskit_node().label();
        h.root()
            .children_recursive()
            .find(|n| n.accesskit_node().is_focused())
            .and_then(name)
    };
    let mut seen = Vec::new();
    for _ in 0..90 {
        key(&mut harness, egui::Key::Tab);
        seen.extend(focused(&harness));
        if seen
            .last()
            .is_some_and(|n| n.starts_with("Dark theme") || n.starts_with("Light theme"))
        {
            break;
        }
    }
    let dark = state(&mut harness).prefs.dark;
    key(&mut harness, egui::Key::Space);
    assert_ne!(
        state(&mut harness).prefs.dark,
        dark,
        "Space pressed it; reached {seen:?}"
    );
    for name in ["Pause (Space)", "Sampler", "Frame shown"] {
        for _ in 0..120 {
            if seen.iter().any(|s| s == name) {
                break;
            }
            key(&mut harness, egui::Key::Tab);
            seen.extend(focused(&harness));
        }
        assert!(
            seen.iter().any(|s| s == name),
            "{name} is reached: {seen:?}"
        );
    }
}

#[test]
fn a_folder_that_holds_no_model_is_not_remembered() {
    let Some((mut harness, _)) = Setup::new(script(20)).open() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    drop_file(&mut harness, folder.path());
    until(&mut harness, "the warning", |h| {
        state(h).notices.count() == 1
    });
    assert!(state(&mut harness).prefs.recent.is_empty());
}

#[test]
fn a_file_that_is_restored_ends_the_lesson() {
    let Some((mut harness, commands)) = Setup::new(script(20)).open() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("frame.png");
    written(&mut harness, &path, Format::Png);
    state(&mut harness).set_strength(0.35);
    key(&mut harness, egui::Key::F2);
    harness.run_steps(3);
    harness.get_by_label("Begin: When the picture lies").click();
    harness.run_steps(3);
    assert!(state(&mut harness).lessons.tour.is_some());
    drop_file(&mut harness, &path);
    until(&mut harness, "the window of what was found", |h| {
        h.query_by_label("Restore").is_some()
    });
    commands.lock().unwrap().clear();
    harness.get_by_label("Restore").click();
    harness.run_steps(3);
    let s = state(&mut harness);
    assert!(s.lessons.tour.is_none());
    assert_eq!(s.prefs.settings.guidance.strength, 1.0, "the file's");
    let heard = commands.lock().unwrap().clone();
    assert!(
        matches!(heard.first(), Some(Command::Replay { .. })),
        "{heard:?}"
    );
}
