//! Play, step, scrub, loop; where settings changed; the tree of branches below.

use egui::{
    Align, Align2, ComboBox, CornerRadius, Layout, Rect, RichText, Sense, Shape, Stroke, Ui,
    UiBuilder, WidgetInfo, pos2, vec2,
};

use super::super::playback::SPEEDS;
use super::super::series::Change;
use super::super::state::State;
use super::super::theme::{self, palette};
use super::super::widgets::{Icon, icon_button, number};
use super::branches::{self, Axis};
use super::season;

/// Height of the bar itself, points.
const BAR: f32 = 52.0;

/// Height of the bar with the tree below it, points.
pub fn height(state: &State) -> f32 {
    BAR + branches::height(state)
}

/// The whole panel.
pub fn show(ui: &mut Ui, state: &mut State) {
    let whole = ui.max_rect();
    let above = Rect::from_min_size(whole.min, vec2(whole.width(), BAR));
    ui.scope_builder(UiBuilder::new().max_rect(above), |ui| bar(ui, state));
    let axis = axis(state);
    let below = Rect::from_min_max(pos2(whole.left(), above.bottom()), whole.max);
    branches::show(ui, state, below, axis);
    let shown = state.play.shown(state.first(), state.last());
    let at = pos2(axis.x(shown), whole.top() - 6.0);
    branches::offer(ui, state, at, state.scrub_rect);
}

/// Where frames lie on the rail, and in the tree below it.
fn axis(state: &State) -> Axis {
    let (first, last) = state.tree_span();
    Axis {
        left: state.scrub_rect.left(),
        right: state.scrub_rect.right(),
        first,
        // While only a few frames exist the bar fills from the left instead of stretching them.
        span: last.saturating_sub(first).max(40) as f32,
    }
}

fn bar(ui: &mut Ui, state: &mut State) {
    let (first, last) = (state.first(), state.last());
    ui.horizontal_centered(|ui| {
        ui.spacing_mut().item_spacing.x = 2.0;
        let ready = !state.archive.frames.is_empty() || state.play.playing;
        let play = ui.add_enabled_ui(ready, |ui| buttons(ui, state, first, last));
        state.marks.set("play", play.response.rect);
        ui.add_space(4.0);
        speed(ui, state);
        ui.add_space(4.0);
        let ready = !state.archive.frames.is_empty();
        ui.add_enabled_ui(ready, |ui| {
            let looped = state.play.looped().is_some();
            let name = match state.play.looped() {
                Some((from, to)) => format!("No loop any more: frames {from} to {to} (L)"),
                None => "Loop over the last frames (L); I and O set its ends".to_owned(),
            };
            let response = icon_button(ui, Icon::Loop, 28.0, &name);
            if looped {
                let under = response.rect.center_bottom() - vec2(0.0, 2.0);
                let line = Rect::from_center_size(under, vec2(14.0, 2.0));
                let accent = palette(ui).accent;
                ui.painter()
                    .rect_filled(line, CornerRadius::same(1), accent);
            }
            if response.clicked() {
                state.toggle_loop();
            }
            let name = "Branch from the frame shown, with the settings on screen (B)";
            if icon_button(ui, Icon::Branch, 28.0, name).clicked() {
                state.branch_here();
            }
        });
        ui.add_space(12.0);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let shown = state.play.shown(first, last);
            let time = state.shown().map_or(f64::NAN, |f| f.time);
            // Fixed widths: the scrub bar does not move while numbers grow.
            let when = match state.shown().and_then(|f| f.date) {
                Some(date) => date.to_string(),
                None => format!("t {}", number(time, 2)),
            };
            let (name, wide, narrow) = match state.globe() {
                Some(_) => ("day", 80.0, 108.0),
                None => ("frame", 72.0, 116.0),
            };
            let cells = [(wide, when), (narrow, format!("{name} {shown} / {last}"))];
            for (width, text) in cells {
                let (rect, _) = ui.allocate_exact_size(vec2(width, 24.0), Sense::hover());
                ui.painter().text(
                    rect.right_center(),
                    Align2::RIGHT_CENTER,
                    text,
                    theme::body(),
                    palette(ui).text,
                );
            }
            ui.add_space(12.0);
            let (rect, _) =
                ui.allocate_exact_size(vec2(ui.available_width(), 40.0), Sense::hover());
            scrub(ui, state, rect, last);
        });
    });
}

fn buttons(ui: &mut Ui, state: &mut State, first: usize, last: usize) {
    let side = 30.0;
    let mut order = None;
    if icon_button(ui, Icon::First, side, "First frame (Home)").clicked() {
        order = Some(state.play.go_to(first, last));
    }
    if icon_button(ui, Icon::Back, side, "One frame back (←)").clicked() {
        order = Some(state.play.step(false, first, last));
    }
    let (icon, name) = if state.play.playing {
        (Icon::Pause, "Pause (Space)")
    } else {
        (Icon::Play, "Play (Space)")
    };
    if icon_button(ui, icon, 36.0, name).clicked() {
        order = Some(state.play.toggle());
    }
    let forward = if state.play.at_end() {
        "Make one frame (→)"
    } else {
        "One frame forward (→)"
    };
    if icon_button(ui, Icon::Forward, side, forward).clicked() {
        order = Some(state.play.step(true, first, last));
    }
    if icon_button(ui, Icon::Last, side, "Newest frame (End)").clicked() {
        order = Some(state.play.go_to_end());
    }
    if let Some(order) = order {
        state.obey(order);
    }
}

fn speed(ui: &mut Ui, state: &mut State) {
    let name = SPEEDS
        .iter()
        .find(|(s, _)| *s == state.prefs.speed)
        .map_or("1×", |(_, n)| n);
    let response = ComboBox::from_id_salt("speed")
        .width(52.0)
        .selected_text(name)
        .show_ui(ui, |ui| {
            for (speed, name) in SPEEDS {
                ui.selectable_value(&mut state.prefs.speed, speed, name);
            }
        })
        .response;
    response
        .on_hover_text("Speed at which kept frames are played, and worlds with known answers go on; a model's new frames come as fast as they are made");
}

fn scrub(ui: &mut Ui, state: &mut State, rect: Rect, last: usize) {
    let p = palette(ui);
    let inner = rect.shrink2(vec2(8.0, 0.0));
    state.scrub_rect = inner;
    let response = ui.interact(rect, ui.scope_id().with("scrub"), Sense::click_and_drag());
    let axis = axis(state);
    let (first, span) = (axis.first, axis.span);
    let shown = state.play.shown(state.first(), last);
    response.widget_info(|| WidgetInfo::slider(true, shown as f64, "Frame shown"));
    let x_of = |frame: usize| axis.x(frame);
    let oldest = state.first();
    let frame_at = |x: f32| axis.frame(x).clamp(oldest.min(last), last);
    if (response.clicked() || response.dragged())
        && let Some(at) = response.interact_pointer_pos()
        && !state.archive.frames.is_empty()
    {
        let target = frame_at(at.x);
        if target != shown || state.play.playing {
            let order = state.play.go_to(target, last);
            state.obey(order);
        }
    }
    // On the globe the months stand below the rail.
    let start = state.globe().map(|g| g.calendar).and_then(|calendar| {
        let frame = state.archive.frames.first()?;
        let before = frame.index.saturating_sub(first) as i64;
        Some((calendar, calendar.days_from_date(frame.date?) - before))
    });
    let y = rect.center().y + if start.is_some() { -1.0 } else { 5.0 };
    let painter = ui.painter_at(rect.expand2(vec2(8.0, 4.0)));
    let rail = |from: f32, to: f32| Rect::from_min_max(pos2(from, y - 2.0), pos2(to, y + 2.0));
    painter.rect_filled(
        rail(inner.left(), inner.right()),
        CornerRadius::same(2),
        p.raised,
    );
    if state.archive.frames.is_empty() {
        return;
    }
    painter.rect_filled(
        rail(x_of(oldest), x_of(last)),
        CornerRadius::same(2),
        p.weak.gamma_multiply(0.55),
    );
    let here = x_of(shown);
    painter.rect_filled(rail(x_of(oldest), here), CornerRadius::same(2), p.accent);
    loop_ends(ui, state, y, &axis, last);

    if let Some((calendar, day)) = start {
        let months = season::Span {
            calendar,
            first: day,
            days: span,
            left: inner.left(),
            width: inner.width(),
        };
        months.paint(&painter, y + 4.0, p);
    }
    // Where settings changed: a tick and, where there is room, what is new.
    // Of several close together the last one is told: what a drag came to.
    let mut free = f32::INFINITY;
    let changes = state.series.changes.iter().rev();
    for change in changes.filter(|c| c.frame >= first) {
        let x = x_of(change.frame);
        painter.vline(x, (y - 8.0)..=(y - 3.0), Stroke::new(1.2, p.accent));
        let galley = painter.layout_no_wrap(change.what.clone(), theme::small(), p.weak);
        let end = x + galley.size().x;
        if end + 8.0 < free && end < rect.right() + 8.0 {
            free = x;
            painter.galley(pos2(x - 2.0, y - 9.0 - galley.size().y), galley, p.weak);
        }
    }
    for (index, blow_up) in state.blow_ups.iter().enumerate() {
        if let Some(b) = blow_up {
            let c = pos2(x_of(b.frame.min(last)), y + 8.0 + index as f32);
            painter.add(Shape::convex_polygon(
                vec![c + vec2(0.0, -4.0), c + vec2(4.0, 3.0), c + vec2(-4.0, 3.0)],
                p.alarm,
                Stroke::NONE,
            ));
        }
    }
    let grow = if response.hovered() || response.dragged() {
        1.0
    } else {
        0.0
    };
    painter.circle_filled(pos2(here, y), 6.0 + grow, p.accent);
    if let Some(at) = response.hover_pos() {
        let frame = frame_at(at.x);
        let mut text = describe(state, frame);
        let near = |c: &&Change| (x_of(c.frame) - at.x).abs() < 5.0;
        if let Some(change) = state.series.changes.iter().find(near) {
            text = format!(
                "{text}\nchanged at frame {}: {}",
                change.frame, change.detail
            );
        }
        response.on_hover_ui_at_pointer(|ui| {
            ui.label(RichText::new(text).small());
        });
    }
}

/// The ends of the stretch that is played again and again: two brackets that can be dragged.
fn loop_ends(ui: &mut Ui, state: &mut State, y: f32, axis: &Axis, last: usize) {
    let Some((from, to)) = state.play.looped() else {
        return;
    };
    let p = palette(ui);
    let stroke = Stroke::new(1.6, p.text);
    let ends = [
        (from, 1.0, "Begin of the loop"),
        (to, -1.0, "End of the loop"),
    ];
    for (frame, inwards, name) in ends {
        let x = axis.x(frame);
        let area = Rect::from_center_size(pos2(x, y), vec2(12.0, 28.0));
        let response = ui.interact(area, ui.scope_id().with(name), Sense::drag());
        response.widget_info(|| WidgetInfo::slider(true, frame as f64, name));
        let (top, bottom) = (y - 9.0, y + 9.0);
        let points = vec![
            pos2(x + 4.0 * inwards, top),
            pos2(x, top),
            pos2(x, bottom),
            pos2(x + 4.0 * inwards, bottom),
        ];
        ui.painter().add(Shape::line(points, stroke));
        if response.dragged()
            && let Some(at) = response.interact_pointer_pos()
        {
            let target = axis.frame(at.x).min(last);
            match inwards > 0.0 {
                true if target < to => state.play.set_loop(target, to),
                false if target > from => state.play.set_loop(from, target),
                _ => {}
            }
        }
        response.on_hover_text(format!("{name}, frame {frame}: drag it (keys I and O)"));
    }
    let fill = p.text.gamma_multiply(0.10);
    let stretch = Rect::from_min_max(pos2(axis.x(from), y - 9.0), pos2(axis.x(to), y + 9.0));
    ui.painter().rect_filled(stretch, CornerRadius::ZERO, fill);
}

fn describe(state: &State, frame: usize) -> String {
    let Some(set) = state.frame(frame) else {
        return format!("frame {frame}");
    };
    let what = if frame <= 3 {
        "start frame".to_owned()
    } else {
        let g = &set.settings.guidance;
        format!("λ {:.2}, m {}", g.strength, g.history)
    };
    match set.date {
        Some(date) => format!("day {frame}   {date}, {}   {what}", season::name(date)),
        None => format!("frame {frame}   t {}   {what}", number(set.time, 2)),
    }
}
