//! The whole window, place by place: names for a screen reader, text that fits.

use eddyscope::app::{Guess, Phase, Stage};
use eddyscope::export::Format;
use egui::accesskit::Role;

use super::files::until;
use super::*;

type Window<'a> = Harness<'a, Option<EddyApp>>;

/// Opens every panel, stage, lesson and window in turn; the number of places looked at.
fn everywhere(mut look: impl FnMut(&str, &mut Window<'_>), size: [f32; 2]) -> usize {
    let mut places = 0;
    for globe in [false, true] {
        let tabs: Vec<Tab> = match globe {
            true => Tab::GLOBE.iter().map(|t| t.0).collect(),
            false => Tab::FLAT.iter().map(|t| t.0).collect(),
        };
        let mut setup = Setup::new(if globe { rain(40) } else { script(40) });
        // The scripted vortices at full strength are too fast for the solver of the twin.
        setup.script.vigour = 0.3;
        setup.script.figures = true;
        setup.script.members = 3;
        setup.prefs.spec.members = 3;
        setup.prefs.spec.one_start = true;
        setup.prefs.dark = Some(globe);
        setup.size = size;
        let Some((mut harness, _)) = setup.open() else {
            return 0;
        };
        let world = if globe { "globe" } else { "box" };
        let mut look = |place: &str, harness: &mut Window<'_>| {
            places += 1;
            harness.run_steps(3);
            look(&format!("{world}, {place}"), harness);
        };
        look("first words", &mut harness);
        state(&mut harness).prefs.tips_dismissed = true;
        state(&mut harness).pin = Some((9, 9));
        for tab in tabs {
            state(&mut harness).prefs.tab = tab;
            look(&format!("{tab:?}"), &mut harness);
        }
        let folds = &mut state(&mut harness).prefs.folds;
        (folds.guidance, folds.sampler, folds.rollout, folds.picture) = (true, true, true, true);
        look("all controls", &mut harness);
        for (format, name) in Format::ALL {
            state(&mut harness).open_export(format);
            look(&format!("export {name}"), &mut harness);
        }
        key(&mut harness, egui::Key::Escape);
        for (name, open) in [
            ("help", "Help"),
            ("open", "Open…"),
            ("palette", "All commands…"),
            ("model folder", "Open a model folder…"),
            ("warnings", "List of warnings"),
            ("lessons", "Lessons"),
        ] {
            command(&mut harness, open);
            look(name, &mut harness);
            key(&mut harness, egui::Key::Escape);
            harness.run_steps(2);
        }
        stages(&mut harness, globe, &mut look);
        command(&mut harness, "Presenter mode, for a projector");
        look("presenter", &mut harness);
        key(&mut harness, egui::Key::A);
        look("presenter with its plot", &mut harness);
        key(&mut harness, egui::Key::Escape);
        let last = state(&mut harness).last();
        let _ = state(&mut harness).play.go_to(12, last);
        harness.run_steps(2);
        command(&mut harness, "Branch from the frame shown");
        harness.run_steps(3);
        state(&mut harness).compare_with(Some(0));
        state(&mut harness).prefs.tab = Tab::Time;
        look("a branch beside another", &mut harness);
        state(&mut harness).compare_with(None);
        if !globe {
            lessons(&mut harness, &mut look);
        }
    }
    places
}

type Look<'l> = &'l mut dyn FnMut(&str, &mut Window<'_>);

/// Does what the palette does.
fn command(harness: &mut Window<'_>, name: &str) {
    let command = eddyscope::app::commands::named(name).expect("a command");
    let ctx = harness.ctx.clone();
    (command.run)(state(harness), &ctx);
    harness.run_steps(2);
}

/// Every stage, once it has something to show.
fn stages(harness: &mut Window<'_>, globe: bool, look: Look<'_>) {
    let heard = super::wall::Heard::default();
    state(harness).wall.launch = Some(super::wall::scripted(&heard, &Default::default()));
    for (stage, name, _) in Stage::ALL {
        match stage {
            Stage::Microscope => state(harness).open_microscope(None),
            Stage::Edit => state(harness).open_editor(),
            other => state(harness).stage = *other,
        }
        let twin = match globe {
            true => "Distance to the record",
            false => "Model on the twin",
        };
        until(harness, name, |h| match stage {
            Stage::Microscope => state(h).microscope.result().is_some(),
            Stage::Edit => state(h).edit.verdict().is_some(),
            Stage::Twin => h.query_by_label(twin).is_some(),
            Stage::Lanes | Stage::Wall => true,
        });
        look(&format!("stage {name}"), harness);
    }
    state(harness).stage = Stage::Lanes;
}

/// Every step of every lesson, before and after the prediction.
fn lessons(harness: &mut Window<'_>, look: Look<'_>) {
    for lesson in state(harness).lessons.all.clone() {
        state(harness).open_lesson(&lesson);
        let mut steps = 0;
        while let Some(tour) = &state(harness).lessons.tour {
            let (phase, at) = (
                tour.phase,
                format!("{}, step {}", lesson.title, tour.step + 1),
            );
            look(&format!("lesson {at}, {phase:?}"), harness);
            if phase == Phase::Ask {
                state(harness).lesson_guess(Guess::Choice(0));
                look(&format!("lesson {at}, guessed"), harness);
            }
            state(harness).lesson_next();
            harness.run_steps(2);
            steps += 1;
        }
        assert_eq!(steps, lesson.steps.len());
        key(harness, egui::Key::Escape);
    }
}

/// Places that are looked at, at least: a panel that is no longer opened shall be missed.
const PLACES: usize = 80;

#[test]
fn every_control_has_a_name() {
    if !has_adapter() {
        return;
    }
    let mut nameless = Vec::new();
    let mut fewest = (usize::MAX, String::new());
    let look = |place: &str, harness: &mut Window<'_>| {
        let mut seen = 0;
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
            seen += usize::from(interactive);
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
        if seen < fewest.0 {
            fewest = (seen, place.to_owned());
        }
    };
    let places = everywhere(look, [1280.0, 800.0]);
    nameless.sort();
    nameless.dedup();
    assert!(
        nameless.is_empty(),
        "without a name:\n{}",
        nameless.join("\n")
    );
    // In presenter mode there are the lanes alone.
    assert!(places >= PLACES && fewest.0 >= 3, "{places} {fewest:?}");
}

/// No text leaves the window or its panel to the left or right, or is shortened, where it does not mean to be.
#[test]
fn no_text_is_cut() {
    if !has_adapter() {
        return;
    }
    for size in [[1280.0, 800.0], [1024.0, 768.0], [960.0, 640.0]] {
        let mut cut = Vec::new();
        let mut fewest = (usize::MAX, String::new());
        let look = |place: &str, harness: &mut Window<'_>| {
            let mut texts = 0;
            for clipped in &harness.output().shapes {
                visit(&clipped.shape, &mut |text| {
                    texts += 1;
                    let rect = text.visual_bounding_rect();
                    let clip = clipped.clip_rect;
                    // What is scrolled out of sight is not cut.
                    let seen = rect.intersects(clip) && !rect.is_negative();
                    let over = clip.left() - rect.left() > 1.5 || rect.right() - clip.right() > 1.5;
                    let words = text.galley.job.text.as_str();
                    if seen && (over || text.galley.elided) {
                        let how = if over { "cut" } else { "shortened" };
                        cut.push(format!("{place}: {how} {words:?} {rect:?} in {clip:?}"));
                    }
                });
            }
            if texts < fewest.0 {
                fewest = (texts, place.to_owned());
            }
        };
        let places = everywhere(look, size);
        cut.sort();
        cut.dedup();
        assert!(cut.is_empty(), "at {size:?}:\n{}", cut.join("\n"));
        assert!(places >= PLACES && fewest.0 >= 10, "{places} {fewest:?}");
    }
}

fn visit(shape: &egui::Shape, look: &mut impl FnMut(&egui::epaint::TextShape)) {
    match shape {
        egui::Shape::Text(text) => look(text),
        egui::Shape::Vec(shapes) => shapes.iter().for_each(|s| visit(s, look)),
        _ => {}
    }
}
