//! Beside the canvas: tools, drawing, the discriminator's answer, and the way on.

use std::path::Path;

use egui::{Button, DragValue, RichText, Slider, TextEdit, Ui, vec2};

use crate::field::edit::{Brush, Towards};
use crate::rollout::microscope::{FAR, Verdict};

use super::super::plots::chart::{Chart, Curve};
use super::super::state::State;
use super::super::theme::{GRID, palette};
use super::super::widgets::{note, number, row, segmented};
use super::Tool;
use super::canvas::painted;

/// All of it.
pub fn show(ui: &mut Ui, state: &mut State) {
    tools(ui, state);
    ui.add_space(GRID);
    steps(ui, state);
    ui.add_space(2.0 * GRID);
    drawing(ui, state);
    ui.add_space(2.0 * GRID);
    answer(ui, state);
    ui.add_space(GRID);
    let p = palette(ui);
    let (edited, waiting) = (state.edit.is_edited(), state.tree.is_waiting());
    let button = Button::new(RichText::new("Go on from here").color(p.canvas)).fill(p.accent);
    let size = vec2(ui.available_width(), 28.0);
    let go = ui
        .add_enabled_ui(edited && !waiting, |ui| ui.add_sized(size, button))
        .inner
        .on_hover_text("A new branch begins here: all lanes and members go on from these frames (on the globe truth stays what was recorded). The branch you leave is kept.")
        .on_disabled_hover_text(match waiting {
            true => "The branch is being made",
            false => "Nothing is edited yet",
        });
    if go.clicked() {
        state.go_on_from_edit();
    }
}

fn tools(ui: &mut Ui, state: &mut State) {
    let choices = [
        (Tool::Erase, "Erase", "Fade what is under the brush"),
        (Tool::Paint, "Paint", "Paint a value"),
        (
            Tool::Move,
            "Move",
            "Drag a vortex or a band of rain elsewhere",
        ),
        (
            Tool::Select,
            "Select",
            "Choose a disc to turn, mirror or copy",
        ),
        (
            Tool::Paste,
            "Paste",
            "Put down what was copied: click where",
        ),
    ];
    segmented(ui, "Tool", &mut state.edit.tool, &choices);
    let most = state.size().1.max(4) as f32 / 2.0;
    let globe = state.globe().is_some();
    let value = painted(state);
    let units = state
        .facts
        .as_ref()
        .map_or(String::new(), |f| f.units.clone());
    let edit = &mut state.edit;
    let Brush { radius, hardness } = &mut edit.brush;
    row(
        ui,
        "Radius",
        "Radius of the brush, cells (mouse wheel on the frame)",
        |ui| {
            ui.add(Slider::new(radius, 1.0..=most).fixed_decimals(1));
        },
    );
    row(
        ui,
        "Hardness",
        "Share of the radius within which it acts in full",
        |ui| {
            ui.add(Slider::new(hardness, 0.0..=1.0).fixed_decimals(2));
        },
    );
    match edit.tool {
        Tool::Erase => {
            let choices = [
                (
                    Towards::Around,
                    "Around",
                    "Fade to the mean of what lies around",
                ),
                (Towards::Mean, "Mean", "Fade to the mean of the frame"),
                (Towards::Zero, "Zero", "Fade to zero"),
            ];
            segmented(ui, "Erase to", &mut edit.towards, &choices);
        }
        Tool::Paint if globe => {
            row(ui, "Rain", "Amount that is painted, mm/day", |ui| {
                ui.add(Slider::new(&mut edit.amount, 0.0..=80.0).fixed_decimals(0));
            });
        }
        Tool::Paint => {
            row(
                ui,
                "Vorticity",
                "In standard deviations of the data; positive turns anticlockwise",
                |ui| {
                    ui.add(Slider::new(&mut edit.amount, -4.0..=4.0).fixed_decimals(1));
                },
            );
            note(ui, format!("{} {units}", number(f64::from(value), 1)));
        }
        Tool::Move => {
            note(ui, "Press on a vortex or a band and drag it.");
        }
        Tool::Paste => {
            let text = match edit.clip {
                Some(_) => "Click where it goes.",
                None => "Nothing is copied yet: choose Select, click on the frame, then Copy.",
            };
            note(ui, text);
        }
        Tool::Select => {}
    }
    if state.edit.tool == Tool::Select {
        selection(ui, state, globe);
    }
    let choices = [
        (
            true,
            "All frames",
            "Every change is made to all frames of the history alike",
        ),
        (
            false,
            "This frame",
            "Every change is made to the frame shown alone",
        ),
    ];
    segmented(ui, "Change", &mut state.edit.all, &choices);
}

fn selection(ui: &mut Ui, state: &mut State, globe: bool) {
    let sheet = state.sheet();
    let edit = &mut state.edit;
    let (Some(middle), Some(history)) = (edit.chosen, &mut edit.history) else {
        note(ui, "Click on the frame to choose a disc.");
        return;
    };
    let (brush, all) = (edit.brush, edit.all);
    let mut changed = None;
    ui.horizontal(|ui| {
        if ui
            .button("Copy")
            .on_hover_text("Then choose Paste and click")
            .clicked()
            && let Some(frame) = history.frames().get(history.shown)
        {
            edit.clip = Some(sheet.copy(frame, middle, brush.radius));
        }
        if ui
            .button("Mirror")
            .on_hover_text("Left to right, about its middle")
            .clicked()
        {
            changed = Some(history.changed(all, |f| sheet.mirror(f, brush, middle)));
        }
        let flip = ui.add_enabled(!globe, Button::new("Flip sign"));
        let flip = flip
            .on_hover_text("The other sense of rotation. The mirror image of a flow has it too");
        if flip.clicked() {
            changed = Some(history.changed(all, |f| sheet.negate(f, brush, middle)));
        }
    });
    ui.horizontal(|ui| {
        if ui
            .button("Turn")
            .on_hover_text("Anticlockwise, about its middle")
            .clicked()
        {
            let degrees = edit.degrees;
            changed = Some(history.changed(all, |f| sheet.rotate(f, brush, middle, degrees)));
        }
        let angle = DragValue::new(&mut edit.degrees)
            .range(-360.0..=360.0)
            .suffix("°");
        ui.add(angle).on_hover_text("Angle");
    });
    if let Some(frames) = changed {
        history.set(frames);
    }
}

fn steps(ui: &mut Ui, state: &mut State) {
    let edit = &mut state.edit;
    let edited = edit.is_edited();
    let Some(history) = &mut edit.history else {
        return;
    };
    let (back, forward) = history.can();
    let mut stepped = false;
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing.x = GRID;
        if ui
            .add_enabled(back, Button::new("Undo"))
            .on_hover_text("Ctrl Z")
            .clicked()
        {
            history.undo();
            stepped = true;
        }
        if ui
            .add_enabled(forward, Button::new("Redo"))
            .on_hover_text("Ctrl Shift Z")
            .clicked()
        {
            history.redo();
            stepped = true;
        }
        if ui
            .add_enabled(edited, Button::new("Reset"))
            .on_hover_text("Back to the frames as they were kept")
            .clicked()
        {
            history.reset();
            stepped = true;
        }
        if ui
            .button("Backwards")
            .on_hover_text("The frames in the other order: as if time ran backwards")
            .clicked()
        {
            history.reverse();
            stepped = true;
        }
    });
    if stepped {
        edit.fed = None;
    }
}

fn drawing(ui: &mut Ui, state: &mut State) {
    let mut feed = false;
    ui.horizontal(|ui| {
        let typed = TextEdit::singleline(&mut state.edit.path)
            .hint_text("drawing.png, or drop one")
            .desired_width(ui.available_width() - 60.0);
        let typed = ui.add(typed);
        typed.widget_info(|| {
            egui::WidgetInfo::labeled(egui::Role::TextInput, true, "Path of a drawing")
        });
        let enter = typed.lost_focus() && ui.input(|i| i.key_pressed(egui::Key::Enter));
        let button = ui.add_enabled(!state.edit.path.trim().is_empty(), Button::new("Feed"));
        feed = button
            .on_hover_text("The picture becomes the last frame, resampled to the grid")
            .clicked()
            || (enter && !state.edit.path.trim().is_empty());
    });
    if feed {
        let path = state.edit.path.trim().to_owned();
        state.feed(Path::new(&path));
    }
    let globe = state.globe().is_some();
    let mut again = false;
    if let Some(fed) = &mut state.edit.fed {
        let (w, h) = fed.drawing.size();
        note(
            ui,
            format!("{}, {w} × {h} pixels, is the last frame", fed.name),
        );
        let (label, tip, range) = match globe {
            true => (
                "Most rain",
                "Amount at the strongest tone, mm/day",
                1.0..=150.0,
            ),
            false => (
                "Spread",
                "Standard deviation, as a multiple of the data's",
                0.1..=3.0,
            ),
        };
        row(ui, label, tip, |ui| {
            again |= ui
                .add(Slider::new(&mut fed.size, range).fixed_decimals(1))
                .changed();
        });
        let choices = [
            (true, "Dark is high", "What is dark has the high values"),
            (false, "Light is high", "What is light has the high values"),
        ];
        again |= segmented(ui, "Sense of the drawing", &mut fed.dark, &choices);
    }
    if again {
        state.refeed();
    }
}

fn answer(ui: &mut Ui, state: &State) {
    let p = palette(ui);
    if let Some(error) = &state.edit.error {
        ui.label(RichText::new(&error.headline).color(p.alarm));
        note(ui, format!("{} {}", error.cause, error.remedy));
        return;
    }
    let Some(verdict) = &state.edit.verdict else {
        note(ui, "Asking the discriminator…");
        return;
    };
    let line = |name: &str, color, dashed, logits: &[f64]| Curve {
        name: name.into(),
        color,
        dashed,
        dots: true,
        points: verdict
            .sigma
            .iter()
            .zip(logits)
            .map(|(s, l)| [-s.log10(), Verdict::chance(*l)])
            .collect(),
    };
    let span = |s: Option<&f64>| s.map_or(0.0, |s| -s.log10());
    Chart {
        id: "edit answer",
        title: "D of the last frame against noise σ",
        about: "How likely the discriminator finds it that the last frame follows from those before it, when noise of level σ is added to it. Nothing is sampled for this.",
        x_name: "σ",
        height: 96.0,
        x: (span(verdict.sigma.first()), span(verdict.sigma.last())),
        y: (-0.04, 1.04),
        decimals: 3,
        log_x: true,
        curves: vec![
            line("original", p.weak, true, &verdict.original),
            line("edited", p.accent, false, &verdict.edited),
        ],
        ..Default::default()
    }
    .show(ui);
    ui.add(egui::Label::new(RichText::new(verdict.words()).small()).wrap());
    if verdict.far > 0 {
        let cells = if verdict.far == 1 {
            "value lies"
        } else {
            "values lie"
        };
        let text = format!(
            "{} edited {cells} more than {FAR:.0} standard deviations from the mean: outside of what the model knows.",
            verdict.far
        );
        ui.add(egui::Label::new(RichText::new(text).small().color(p.alarm)).wrap());
    }
}
