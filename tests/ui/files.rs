//! Files and the manners of the desktop: what is dropped, what is exported, the palette, the keyboard, names for a screen
//! reader, text that fits.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use eddyscope::export::{Format, Watch, read_recipe};
use egui::accesskit::Role;

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
fn until(harness: &mut Window<'_>, what: &str, done: impl Fn(&mut Window<'_>) -> bool) {
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

#[test]
fn a_dropped_picture_restores_its_run() {
    let Some((mut harness, commands)) = Setup::new(script(30)).open() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("frame.png");
    written(&mut harness, &path, Format::Png);
    let recipe = read_recipe(&path).unwrap();
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

#[test]
fn newer_recipes_and_lost_models_are_said_and_their_settings_offered() {
    let Some((mut harness, commands)) = Setup::new(script(20)).open() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("frame.png");
    written(&mut harness, &path, Format::Png);
    let mut recipe = serde_json::to_value(read_recipe(&path).unwrap()).unwrap();
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

/// Opens every panel and window in turn.
fn everywhere(mut look: impl FnMut(&str, &mut Window<'_>), size: [f32; 2]) {
    for globe in [false, true] {
        let tabs: Vec<Tab> = match globe {
            true => Tab::GLOBE.iter().map(|t| t.0).collect(),
            false => Tab::FLAT.iter().map(|t| t.0).collect(),
        };
        let mut setup = Setup::new(if globe { rain(40) } else { script(40) });
        setup.size = size;
        let Some((mut harness, _)) = setup.open() else {
            return;
        };
        let world = if globe { "globe" } else { "box" };
        look(&format!("{world}, first words"), &mut harness);
        state(&mut harness).prefs.tips_dismissed = true;
        state(&mut harness).pin = Some((9, 9));
        for tab in tabs {
            state(&mut harness).prefs.tab = tab;
            harness.run_steps(3);
            look(&format!("{world}, {tab:?}"), &mut harness);
        }
        let folds = &mut state(&mut harness).prefs.folds;
        (folds.guidance, folds.sampler, folds.rollout, folds.picture) = (true, true, true, true);
        harness.run_steps(3);
        look(&format!("{world}, all controls"), &mut harness);
        for (format, name) in Format::ALL {
            state(&mut harness).open_export(format);
            harness.run_steps(3);
            look(&format!("{world}, export {name}"), &mut harness);
        }
        key(&mut harness, egui::Key::Escape);
        for (name, open) in [
            ("help", "Help"),
            ("open", "Open…"),
            ("palette", "All commands…"),
            ("model folder", "Open a model folder…"),
            ("warnings", "List of warnings"),
        ] {
            let command = eddyscope::app::commands::named(open).expect("a command");
            let ctx = harness.ctx.clone();
            (command.run)(state(&mut harness), &ctx);
            harness.run_steps(3);
            look(&format!("{world}, {name}"), &mut harness);
            key(&mut harness, egui::Key::Escape);
            harness.run_steps(2);
        }
    }
}

#[test]
fn every_control_has_a_name() {
    let mut nameless = Vec::new();
    let look = |place: &str, harness: &mut Window<'_>| {
        for node in harness.root().children_recursive() {
            let n = node.accesskit_node();
            let interactive = matches!(
                n.role(),
                Role::Button
                    | Role::CheckBox
                    | Role::RadioButton
                    | Role::Slider
                    | Role::SpinButton
                    | Role::ComboBox
                    | Role::TextInput
                    | Role::MultilineTextInput
                    | Role::DisclosureTriangle
                    | Role::Link
                    | Role::Canvas
                    | Role::Tab
            );
            let labelled = n.labelled_by().count() > 0;
            let named = n.label().is_some_and(|l| !l.trim().is_empty()) || labelled;
            if interactive && !named {
                nameless.push(format!(
                    "{place}: {:?} {:?} at {:?}",
                    n.role(),
                    n.value(),
                    node.rect()
                ));
            }
        }
    };
    everywhere(look, [1280.0, 800.0]);
    nameless.sort();
    nameless.dedup();
    assert!(
        nameless.is_empty(),
        "without a name:\n{}",
        nameless.join("\n")
    );
}

/// No text leaves the window or its panel to the left or right, or is shortened, where it does not mean to be.
#[test]
fn no_text_is_cut() {
    for size in [[1280.0, 800.0], [1024.0, 768.0], [960.0, 640.0]] {
        let mut cut = Vec::new();
        let look = |place: &str, harness: &mut Window<'_>| {
            for clipped in &harness.output().shapes {
                visit(&clipped.shape, &mut |text| {
                    let rect = text.visual_bounding_rect();
                    let clip = clipped.clip_rect;
                    // What is scrolled out of sight is not cut.
                    let seen = rect.intersects(clip) && !rect.is_negative();
                    let over = clip.left() - rect.left() > 1.5 || rect.right() - clip.right() > 1.5;
                    if seen && over {
                        let words = text.galley.job.text.clone();
                        cut.push(format!("{place}: {words:?} {rect:?} in {clip:?}"));
                    }
                });
            }
        };
        everywhere(look, size);
        cut.sort();
        cut.dedup();
        assert!(cut.is_empty(), "at {size:?}:\n{}", cut.join("\n"));
    }
}

fn visit(shape: &egui::Shape, look: &mut impl FnMut(&egui::epaint::TextShape)) {
    match shape {
        egui::Shape::Text(text) => look(text),
        egui::Shape::Vec(shapes) => shapes.iter().for_each(|s| visit(s, look)),
        _ => {}
    }
}

#[test]
fn a_folder_that_holds_no_model_is_not_remembered() {
    let Some((mut harness, _)) = Setup::new(script(20)).open() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    drop_file(&mut harness, folder.path());
    let s = state(&mut harness);
    assert_eq!(s.notices.count(), 1);
    assert!(s.prefs.recent.is_empty());
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
