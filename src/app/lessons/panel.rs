//! The lesson on the screen: a strip below the lanes, a ring around the control, the list.

use egui::{
    Align, Button, Color32, CornerRadius, Frame, Layout, Margin, Panel, Rect, RichText, ScrollArea,
    Slider, Stroke, StrokeKind, Ui, vec2,
};

use super::super::presenter;
use super::super::state::State;
use super::super::theme::{self, GRID, palette};
use super::super::widgets::{number, paint_check, that_fits};
use super::super::words;
use super::figures::{filled, shown};
use super::format::How;
use super::{Guess, Phase};

/// Height of the strip, points.
const HEIGHT: f32 = 196.0;

/// What the learner did in the strip.
enum Act {
    Next,
    Back,
    Leave,
    Again,
    Guess(Guess),
    Slide(f64),
}

/// The strip, where a lesson is taken.
pub fn strip(ui: &mut Ui, state: &mut State) {
    if state.lessons.tour.is_none() {
        return;
    }
    let fill = palette(ui).panel;
    let frame = Frame::new()
        .fill(fill)
        .inner_margin(Margin::symmetric(16, 12));
    let mut act = None;
    Panel::bottom("lesson")
        .exact_size(HEIGHT)
        .resizable(false)
        .show_separator_line(false)
        .frame(frame)
        .show(ui, |ui| act = contents(ui, state));
    match act {
        Some(Act::Next) => state.lesson_next(),
        Some(Act::Back) => state.lesson_back(),
        Some(Act::Leave) => state.leave_lesson(),
        Some(Act::Again) => state.lesson_again(),
        Some(Act::Guess(guess)) => state.lesson_guess(guess),
        Some(Act::Slide(value)) => {
            if let Some(tour) = &mut state.lessons.tour {
                tour.slider = value;
            }
        }
        None => {}
    }
}

fn contents(ui: &mut Ui, state: &State) -> Option<Act> {
    let tour = state.lessons.tour.as_ref()?;
    let step = tour.now()?;
    let p = palette(ui);
    let mut act = None;
    ui.horizontal(|ui| {
        ui.label(RichText::new(&step.title).heading());
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            ui.spacing_mut().item_spacing.x = 8.0;
            if ui
                .button("Leave")
                .on_hover_text("Back to your own settings; the lesson goes on here next time")
                .clicked()
            {
                act = Some(Act::Leave);
            }
            let short = format!("{} of {}", tour.step + 1, tour.lesson.steps.len());
            let at = format!("{} · {short}", tour.lesson.title);
            let text = that_fits(ui, &[&at, &short], &theme::small());
            ui.label(RichText::new(text).small().weak())
                .on_hover_text(&at);
        });
    });
    let foot = 32.0;
    let body = vec2(ui.available_width(), ui.available_height() - foot);
    ui.allocate_ui(body, |ui| {
        ScrollArea::vertical()
            .id_salt(("lesson", tour.step, tour.phase as u8))
            .auto_shrink([false, false])
            .show(ui, |ui| {
                let said = |ui: &mut Ui, text: &str| {
                    ui.add(egui::Label::new(filled(text.trim(), &tour.figures)).wrap());
                };
                match tour.phase {
                    Phase::Ask => {
                        said(ui, &step.text);
                        if let Some(ask) = &step.ask {
                            ui.add_space(GRID);
                            ui.add(egui::Label::new(RichText::new(&ask.question).strong()).wrap());
                            act = guesses(ui, tour.slider, &ask.how).or(act.take());
                        }
                    }
                    Phase::Act => {
                        if step.ask.is_none() {
                            said(ui, &step.text);
                            ui.add_space(GRID);
                        }
                        if let Some(goal) = &step.goal {
                            let text = filled(goal.trim(), &tour.figures);
                            ui.add(egui::Label::new(RichText::new(text).color(p.accent)).wrap());
                        }
                        let mut now: Vec<String> =
                            step.goals.iter().map(|g| g.now(&tour.figures)).collect();
                        // A range is two goals of one figure.
                        now.dedup();
                        let now = RichText::new(format!("now {}", now.join(", "))).weak();
                        ui.add(egui::Label::new(now).wrap());
                        if let Some((kind, blow_up)) = state.lesson_stopped() {
                            let text = format!(
                                "The {} lane blew up at frame {} and makes no more frames: go back in it, or begin the step again.",
                                kind.label().to_lowercase(),
                                blow_up.frame
                            );
                            let text = RichText::new(text).color(p.alarm);
                            ui.add(egui::Label::new(text).wrap());
                        }
                    }
                    Phase::Answer => {
                        if let Some(right) = tour.was_right() {
                            verdict(ui, state, right);
                        }
                        match &step.answer {
                            Some(answer) => said(ui, answer),
                            None => said(ui, &step.text),
                        }
                    }
                }
            });
    });
    ui.with_layout(Layout::right_to_left(Align::BOTTOM), |ui| {
        let last = tour.step + 1 == tour.lesson.steps.len();
        let ready = tour.phase == Phase::Answer;
        let name = if last { "Finish" } else { "Next" };
        let text = RichText::new(name).color(if ready { p.canvas } else { p.weak });
        let fill = if ready { p.accent } else { p.raised };
        let button = Button::new(text).fill(fill).min_size(vec2(88.0, 28.0));
        let next = ui.add_enabled(ready, button);
        if next
            .on_disabled_hover_text(match tour.phase {
                Phase::Ask => "Make your prediction first",
                _ => "Reach the goal first",
            })
            .clicked()
        {
            act = Some(Act::Next);
        }
        let back = Button::new("Back").min_size(vec2(64.0, 28.0));
        if ui.add_enabled(tour.step > 0, back).clicked() {
            act = Some(Act::Back);
        }
        if state.lesson_stopped().is_some() {
            let again = Button::new("Begin the step again").min_size(vec2(64.0, 28.0));
            let tip = "A new rollout with the settings that the step begins with";
            if ui.add(again).on_hover_text(tip).clicked() {
                act = Some(Act::Again);
            }
        }
        if tour.phase == Phase::Act {
            let skip = Button::new(RichText::new("Skip").weak()).frame(false);
            if ui
                .add(skip.min_size(vec2(48.0, 28.0)))
                .on_hover_text("On without reaching the goal")
                .clicked()
            {
                act = Some(Act::Next);
            }
        }
    });
    act
}

fn guesses(ui: &mut Ui, slider: f64, how: &How) -> Option<Act> {
    let mut act = None;
    match how {
        How::Choices(choices, _) => {
            ui.horizontal_wrapped(|ui| {
                for (i, choice) in choices.iter().enumerate() {
                    if ui.button(choice).clicked() {
                        act = Some(Act::Guess(Guess::Choice(i)));
                    }
                }
            });
        }
        How::Slider { range, .. } => {
            ui.horizontal_wrapped(|ui| {
                let mut value = slider;
                ui.spacing_mut().slider_width = 240.0;
                let response =
                    ui.add(Slider::new(&mut value, range[0]..=range[1]).fixed_decimals(2));
                ui.ctx()
                    .accesskit_node_builder(response.id, |n| n.set_label("Your guess"));
                if response.changed() {
                    act = Some(Act::Slide(value));
                }
                if ui.button("That is my guess").clicked() {
                    act = Some(Act::Guess(Guess::Number(value)));
                }
            });
        }
    }
    act
}

/// Prediction beside what came.
fn verdict(ui: &mut Ui, state: &State, right: bool) {
    let Some(tour) = &state.lessons.tour else {
        return;
    };
    let Some(ask) = tour.now().and_then(|s| s.ask.as_ref()) else {
        return;
    };
    let text = match (&ask.how, tour.guess) {
        (How::Choices(choices, wanted), Some(Guess::Choice(n))) => {
            let of = |n: usize| choices.get(n).map_or("", String::as_str);
            match right {
                true => format!("Your prediction was right: {}", of(n)),
                false => format!("You said “{}”; it is “{}”", of(n), of(*wanted)),
            }
        }
        (How::Slider { right: figure, .. }, Some(Guess::Number(n))) => {
            let is = shown(figure, tour.figures.get(figure));
            format!("You said {}; it is {is}", number(n, 2))
        }
        _ => return,
    };
    let p = palette(ui);
    let color = if right { p.video } else { p.alarm };
    ui.add(egui::Label::new(RichText::new(text).color(color)).wrap());
}

/// A ring around the control that the step points at.
pub fn ring(ctx: &egui::Context, state: &State) {
    let Some(tour) = &state.lessons.tour else {
        return;
    };
    let Some(rect) = tour
        .now()
        .and_then(|s| s.highlight)
        .and_then(|name| state.marks.get(name))
    else {
        return;
    };
    let screen = ctx.content_rect();
    let rect = rect.expand(5.0).intersect(screen.shrink(2.0));
    let accent = theme::Palette::of(ctx.theme()).accent;
    let layer = egui::LayerId::new(egui::Order::Foreground, egui::Id::unique("lesson ring"));
    let painter = ctx.layer_painter(layer);
    let around = |rect: Rect, width: f32, color: Color32| {
        let stroke = Stroke::new(width, color);
        painter.rect_stroke(rect, CornerRadius::same(8), stroke, StrokeKind::Middle);
    };
    around(rect, 7.0, accent.gamma_multiply(0.25));
    around(rect, 2.0, accent);
}

/// The list of lessons.
pub fn list(ctx: &egui::Context, state: &mut State) {
    if !state.lessons.list_open {
        return;
    }
    let given = state.lessons_given.clone();
    let folder = state.prefs.lessons_folder.clone();
    state
        .lessons
        .read(given.as_deref().or(folder.as_deref()), false);
    let mut open = true;
    let mut chosen = None;
    let mut again = false;
    let room = (ctx.content_rect().height() - 260.0).max(160.0);
    egui::Window::new("Lessons")
        .open(&mut open)
        .collapsible(false)
        .resizable(false)
        .anchor(egui::Align2::CENTER_CENTER, [0.0, 0.0])
        .show(ctx, |ui| {
            ui.set_width(520.0);
            let about = "Each points at a control, asks what you expect, lets you try, and says in figures what came of it. Your own \
                         settings come back when you leave.";
            ui.add(egui::Label::new(RichText::new(about).weak()).wrap());
            ui.add_space(GRID);
            ScrollArea::vertical().max_height(room).show(ui, |ui| {
                for lesson in &state.lessons.all {
                    let taken = state.prefs.lessons.get(&lesson.name).copied().unwrap_or_default();
                    ui.add_space(1.5 * GRID);
                    ui.horizontal(|ui| {
                        let (rect, _) = ui.allocate_exact_size(vec2(20.0, 36.0), egui::Sense::hover());
                        paint_check(ui, rect.center(), taken.done);
                        let width = ui.available_width() - 96.0;
                        ui.allocate_ui_with_layout(
                            vec2(width, 36.0),
                            Layout::top_down(Align::Min),
                            |ui| {
                                ui.set_width(width);
                                ui.spacing_mut().item_spacing.y = 1.0;
                                ui.label(&lesson.title);
                                let about = format!(
                                    "{} · {} · {} min",
                                    lesson.about,
                                    words::model(&lesson.model),
                                    lesson.minutes
                                );
                                ui.add(egui::Label::new(RichText::new(about).small().weak()).wrap());
                            },
                        );
                        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                            let name = match (taken.step, taken.done) {
                                (0, true) => "Again",
                                (0, false) => "Begin",
                                _ => "Go on",
                            };
                            let button = ui.add(Button::new(name).min_size(vec2(80.0, 28.0)));
                            let title = format!("{name}: {}", lesson.title);
                            button.widget_info(|| {
                                egui::WidgetInfo::labeled(egui::Role::Button, true, &title)
                            });
                            if button.clicked() {
                                chosen = Some(std::sync::Arc::clone(lesson));
                            }
                        });
                    });
                }
                for fault in &state.lessons.faults {
                    ui.add_space(2.0 * GRID);
                    let alarm = palette(ui).alarm;
                    ui.add(egui::Label::new(RichText::new(&fault.headline).color(alarm)).wrap());
                    ui.add(egui::Label::new(&fault.cause).wrap());
                    ui.add(egui::Label::new(RichText::new(&fault.remedy).weak()).wrap());
                }
            });
            ui.add_space(2.0 * GRID);
            ui.horizontal(|ui| {
                let label = ui.label(RichText::new("More from a folder").weak());
                ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                    again = ui.button("Read").on_hover_text("Read the lessons of this folder").clicked();
                    let edit = egui::TextEdit::singleline(&mut state.lessons.folder)
                        .hint_text("path of a folder")
                        .desired_width(f32::INFINITY);
                    let edit = ui.add(edit).labelled_by(label.id);
                    again |= edit.lost_focus() && ui.input(|i| i.key_pressed(egui::Key::Enter));
                });
            });
        });
    if again {
        let typed = state.lessons.folder.trim();
        let folder = (!typed.is_empty()).then(|| std::path::PathBuf::from(typed));
        state.prefs.lessons_folder.clone_from(&folder);
        state
            .lessons
            .read(folder.as_deref().or(given.as_deref()), true);
    }
    state.lessons.list_open &= open;
    if let Some(lesson) = chosen {
        // A lesson needs its strip.
        if state.presenter.on {
            presenter::set(ctx, state, false);
        }
        state.open_lesson(&lesson);
    }
}
