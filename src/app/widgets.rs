//! Small widgets that egui has not: vector icons, segmented choice, foldable section, labelled row.

use egui::{
    Align, Align2, Color32, CornerRadius, Layout, Pos2, Rect, Response, Role, Sense, Shape, Stroke,
    Ui, WidgetInfo, pos2, vec2,
};

use super::theme::{self, GRID, palette};

/// Icons drawn as shapes, so that they are sharp at any scale and need no font.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Icon {
    /// Jump to the start.
    First,
    /// One frame back.
    Back,
    /// Play.
    Play,
    /// Pause.
    Pause,
    /// One frame forward.
    Forward,
    /// Jump to the end.
    Last,
    /// Save.
    Save,
    /// Sun: the light theme.
    Sun,
    /// Moon: the dark theme.
    Moon,
    /// Close.
    Cross,
    /// Dice.
    Dice,
    /// Back to what was set before.
    Undo,
    /// Forward again.
    Redo,
    /// A stretch again and again.
    Loop,
    /// A branch.
    Branch,
}

/// A square button with an icon; `name` is its accessible name and tooltip.
pub fn icon_button(ui: &mut Ui, icon: Icon, side: f32, name: &str) -> Response {
    let (rect, response) = ui.allocate_exact_size(vec2(side, side), Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Button, ui.is_enabled(), name));
    if ui.is_rect_visible(rect) {
        let visuals = ui.style().interact(&response);
        if response.hovered() || response.has_focus() {
            ui.painter()
                .rect_filled(rect, CornerRadius::same(5), visuals.bg_fill);
        }
        let color = if ui.is_enabled() {
            visuals.fg_stroke.color
        } else {
            palette(ui).weak
        };
        paint_icon(ui, icon, rect.center(), side * 0.27, color);
    }
    response.on_hover_text(name)
}

/// Draws an icon of half-size `r` around `c`.
pub fn paint_icon(ui: &Ui, icon: Icon, c: Pos2, r: f32, color: Color32) {
    let painter = ui.painter();
    let at = |x: f32, y: f32| pos2(c.x + x * r, c.y + y * r);
    let polygon = |points: Vec<Pos2>| Shape::convex_polygon(points, color, Stroke::NONE);
    let bar = |x0: f32, x1: f32| {
        Shape::rect_filled(
            Rect::from_min_max(at(x0, -1.0), at(x1, 1.0)),
            CornerRadius::same(1),
            color,
        )
    };
    let right = |x: f32, w: f32| polygon(vec![at(x, -1.0), at(x + w, 0.0), at(x, 1.0)]);
    let left = |x: f32, w: f32| polygon(vec![at(x, -1.0), at(x, 1.0), at(x - w, 0.0)]);
    let thin = Stroke::new((r * 0.22).max(1.2), color);
    match icon {
        Icon::Play => {
            painter.add(right(-0.75, 1.75));
        }
        Icon::Pause => {
            painter.extend([bar(-0.8, -0.25), bar(0.25, 0.8)]);
        }
        Icon::Forward => {
            painter.extend([right(-0.7, 1.1), bar(0.5, 0.8)]);
        }
        Icon::Back => {
            painter.extend([left(0.7, 1.1), bar(-0.8, -0.5)]);
        }
        Icon::Last => {
            painter.extend([right(-1.1, 1.0), right(-0.2, 1.0), bar(0.85, 1.1)]);
        }
        Icon::First => {
            painter.extend([left(1.1, 1.0), left(0.2, 1.0), bar(-1.1, -0.85)]);
        }
        Icon::Save => {
            painter.line_segment([at(0.0, -1.1), at(0.0, 0.3)], thin);
            painter.line(vec![at(-0.55, -0.25), at(0.0, 0.35), at(0.55, -0.25)], thin);
            painter.line(
                vec![at(-1.0, 0.4), at(-1.0, 1.0), at(1.0, 1.0), at(1.0, 0.4)],
                thin,
            );
        }
        Icon::Sun => {
            painter.circle_stroke(c, r * 0.5, thin);
            for i in 0..8 {
                let (sin, cos) = (i as f32 * std::f32::consts::FRAC_PI_4).sin_cos();
                painter.line_segment([at(cos * 0.85, sin * 0.85), at(cos * 1.2, sin * 1.2)], thin);
            }
        }
        Icon::Moon => {
            // A crescent between two circles that meet at the same two points, turned a little.
            let arc = |radius: f32, shift: f32, from: f32, to: f32| {
                (0..=16).map(move |i| {
                    let angle = from + (to - from) * i as f32 / 16.0;
                    (shift + radius * angle.cos(), radius * angle.sin())
                })
            };
            let (sin, cos) = (-0.6f32).sin_cos();
            let points: Vec<Pos2> = arc(1.0, 0.0, 0.924, 5.359)
                .chain(arc(0.8, 0.55, 4.777, 1.506))
                .map(|(x, y)| at(x * cos - y * sin, x * sin + y * cos))
                .collect();
            painter.add(Shape::closed_line(points, thin));
        }
        Icon::Undo | Icon::Redo => {
            // Three quarters of a circle, with a head at the end of its upper left (or right).
            let side = if icon == Icon::Undo { 1.0 } else { -1.0 };
            let arc: Vec<Pos2> = (0..=16)
                .map(|i| {
                    let angle = -2.45 + 4.3 * i as f32 / 16.0;
                    at(side * 0.85 * angle.cos(), 0.1 + 0.85 * angle.sin())
                })
                .collect();
            painter.add(Shape::line(arc, thin));
            painter.add(polygon(vec![
                at(-side * 1.15, -0.05),
                at(-side * 1.0, -0.95),
                at(-side * 0.2, -0.5),
            ]));
        }
        Icon::Loop => {
            let arc = |from: f32| -> Vec<Pos2> {
                let angles = (0..=10).map(|i| from + 2.3 * i as f32 / 10.0);
                angles.map(|a| at(0.9 * a.cos(), 0.9 * a.sin())).collect()
            };
            painter.add(Shape::line(arc(-2.9), thin));
            painter.add(Shape::line(arc(0.24), thin));
            painter.add(polygon(vec![
                at(0.55, -0.75),
                at(1.2, -0.7),
                at(0.95, -0.05),
            ]));
            painter.add(polygon(vec![
                at(-0.55, 0.75),
                at(-1.2, 0.7),
                at(-0.95, 0.05),
            ]));
        }
        Icon::Branch => {
            painter.line_segment([at(-0.6, -0.6), at(-0.6, 0.6)], thin);
            painter.line(vec![at(-0.6, 0.35), at(0.6, -0.1), at(0.6, -0.5)], thin);
            for (x, y) in [(-0.6, -0.8), (-0.6, 0.8), (0.6, -0.75)] {
                painter.circle_filled(at(x, y), r * 0.3, color);
            }
        }
        Icon::Cross => {
            painter.line_segment([at(-0.7, -0.7), at(0.7, 0.7)], thin);
            painter.line_segment([at(-0.7, 0.7), at(0.7, -0.7)], thin);
        }
        Icon::Dice => {
            let square = Rect::from_center_size(c, vec2(2.0 * r, 2.0 * r));
            painter.rect_stroke(
                square,
                CornerRadius::same(3),
                thin,
                egui::StrokeKind::Middle,
            );
            for (x, y) in [(-0.45, -0.45), (0.0, 0.0), (0.45, 0.45)] {
                painter.circle_filled(at(x, y), r * 0.18, color);
            }
        }
    }
}

/// A row of exclusive choices that fills the width; returns whether the choice changed.
pub fn segmented<T: PartialEq + Copy>(
    ui: &mut Ui,
    name: &str,
    value: &mut T,
    choices: &[(T, &str, &str)],
) -> bool {
    let width = ui.available_width();
    segmented_of_width(ui, name, value, choices, width)
}

/// As [`segmented`], of a given width.
pub fn segmented_of_width<T: PartialEq + Copy>(
    ui: &mut Ui,
    name: &str,
    value: &mut T,
    choices: &[(T, &str, &str)],
    width: f32,
) -> bool {
    let p = palette(ui);
    let (rect, _) = ui.allocate_exact_size(vec2(width, 24.0), Sense::hover());
    ui.painter()
        .rect_filled(rect, CornerRadius::same(6), p.canvas);
    let each = rect.width() / choices.len().max(1) as f32;
    let mut changed = false;
    for (i, (choice, label, tip)) in choices.iter().enumerate() {
        let cell = Rect::from_min_size(
            pos2(rect.left() + i as f32 * each, rect.top()),
            vec2(each, rect.height()),
        );
        // By label: several rows of one choice stand in the same place.
        let id = ui.scope_id().with((name, *label));
        let response = ui.interact(cell, id, Sense::click());
        let chosen = *value == *choice;
        response.widget_info(|| {
            WidgetInfo::selected(
                Role::RadioButton,
                ui.is_enabled(),
                chosen,
                format!("{name} {label}"),
            )
        });
        if chosen || response.hovered() || response.has_focus() {
            let fill = if chosen {
                p.raised
            } else {
                p.raised.gamma_multiply(0.5)
            };
            ui.painter()
                .rect_filled(cell.shrink(2.0), CornerRadius::same(5), fill);
        }
        ui.painter().text(
            cell.center(),
            Align2::CENTER_CENTER,
            label,
            theme::body(),
            if chosen { p.text } else { p.weak },
        );
        if response.clicked() && !chosen {
            *value = *choice;
            changed = true;
        }
        if !tip.is_empty() {
            response.on_hover_text(*tip);
        }
    }
    changed
}

/// A label with its widget right-aligned in the same row.
pub fn row<R>(ui: &mut Ui, label: &str, tip: &str, add: impl FnOnce(&mut Ui) -> R) -> R {
    ui.horizontal(|ui| {
        let response = ui.label(label);
        let response_id = response.id;
        if !tip.is_empty() {
            response.on_hover_text(tip);
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            ui.label_inputs_by(response_id, add)
        })
        .inner
    })
    .inner
}

/// Small text of lesser weight, wrapped.
pub fn note(ui: &mut Ui, text: impl Into<String>) -> Response {
    ui.add(egui::Label::new(egui::RichText::new(text).small().weak()).wrap())
}

/// A section that folds; closed it says in a few words what is set in it.
pub fn section(
    ui: &mut Ui,
    title: &str,
    open: &mut bool,
    summary: &str,
    add: impl FnOnce(&mut Ui),
) {
    let p = palette(ui);
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), 28.0), Sense::click());
    response.widget_info(|| {
        WidgetInfo::selected(Role::DisclosureTriangle, ui.is_enabled(), *open, title)
    });
    if response.clicked() {
        *open = !*open;
    }
    let painter = ui.painter();
    let color = if response.hovered() { p.accent } else { p.text };
    let galley = painter.layout_no_wrap(title.to_owned(), theme::body(), color);
    let end = rect.left() + galley.size().x;
    painter.galley(
        pos2(rect.left(), rect.center().y - galley.size().y / 2.0),
        galley,
        color,
    );
    let tip = pos2(rect.right() - 4.0, rect.center().y);
    let chevron = if *open {
        vec![
            tip + vec2(-4.0, -2.0),
            tip + vec2(0.0, 2.0),
            tip + vec2(4.0, -2.0),
        ]
    } else {
        vec![
            tip + vec2(-2.0, -4.0),
            tip + vec2(2.0, 0.0),
            tip + vec2(-2.0, 4.0),
        ]
    };
    painter.line(chevron, Stroke::new(1.4, p.weak));
    if !*open {
        let room = rect.right() - 16.0 - end - 12.0;
        let galley = painter.layout_no_wrap(summary.to_owned(), theme::small(), p.weak);
        if galley.size().x <= room {
            let at = pos2(
                rect.right() - 16.0 - galley.size().x,
                rect.center().y - galley.size().y / 2.0,
            );
            painter.galley(at, galley, p.weak);
        }
    } else {
        ui.scope(|ui| {
            ui.set_width(rect.width());
            add(ui);
        });
        ui.add_space(2.0 * GRID);
    }
}

/// A tick where something is done, an empty ring where not.
pub fn paint_check(ui: &Ui, c: Pos2, done: bool) {
    let p = palette(ui);
    let painter = ui.painter();
    if done {
        painter.circle_filled(c, 8.0, p.accent);
        let points = vec![
            c + vec2(-3.5, 0.0),
            c + vec2(-1.0, 3.0),
            c + vec2(4.0, -3.0),
        ];
        painter.line(points, Stroke::new(1.8, p.canvas));
    } else {
        painter.circle_stroke(c, 7.5, Stroke::new(1.2, p.weak));
    }
}

/// A title over a picture. Of `more`, parts joined by " · ", as many are written as there is room for: what is less
/// important stays away whole, instead of being cut. Returns where the next text may begin.
pub fn picture_title(ui: &Ui, rect: Rect, name: &str, color: Color32, more: &str) -> f32 {
    let painter = ui.painter_at(rect);
    let middle = rect.center().y - 1.0;
    let name = painter.layout_no_wrap(name.to_owned(), theme::body(), color);
    let x = rect.left() + name.size().x + 8.0;
    let y = middle - name.size().y / 2.0;
    painter.galley(pos2(rect.left(), y), name, color);
    let weak = palette(ui).weak;
    let mut said = more;
    while !said.is_empty() {
        let text = painter.layout_no_wrap(said.to_owned(), theme::small(), weak);
        let (width, height) = (text.size().x, text.size().y);
        if x + width <= rect.right() {
            painter.galley(pos2(x, middle - height / 2.0 + 0.5), text, weak);
            return x + width + 8.0;
        }
        said = said.rfind(" · ").map_or("", |end| &said[..end]);
    }
    x
}

/// The first of some texts, from long to short, that has room in what is left of the line; the last one otherwise.
pub fn that_fits<'a>(ui: &Ui, texts: &[&'a str], font: &egui::FontId) -> &'a str {
    let width = |text: &str| {
        let galley = ui
            .painter()
            .layout_no_wrap(text.to_owned(), font.clone(), Color32::WHITE);
        galley.size().x
    };
    let room = ui.available_width();
    let fits = texts.iter().find(|t| width(t) <= room);
    fits.or(texts.last()).copied().unwrap_or_default()
}

/// A number with a true minus sign and a fixed number of decimals.
pub fn number(value: f64, decimals: usize) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    let digits = format!("{:.decimals$}", value.abs());
    let zero = !digits.bytes().any(|b| (b'1'..=b'9').contains(&b));
    let sign = if value < 0.0 && !zero { "−" } else { "" };
    format!("{sign}{digits}")
}

/// Makes a window that is shown the only one that the pointer and Tab reach; call it each time that it is drawn.
pub fn modal<R>(ctx: &egui::Context, shown: Option<&egui::InnerResponse<R>>) {
    let Some(shown) = shown else { return };
    let layer = shown.response.layer_id;
    let whole = ctx.content_rect();
    egui::Area::new(egui::Id::unique("behind the window"))
        .order(layer.order)
        .fixed_pos(whole.min)
        .constrain(false)
        .fade_in(false)
        .show(ctx, |ui| {
            ui.allocate_rect(whole, Sense::click_and_drag());
            let shade = egui::Color32::from_black_alpha(50);
            ui.painter().rect_filled(whole, 0.0, shade);
        });
    // A click beside the window raises what it hits.
    ctx.move_to_top(layer);
    ctx.memory_mut(|m| m.set_modal_layer(layer));
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn numbers() {
        assert_eq!(number(-1.249, 2), "−1.25");
        assert_eq!(number(-0.001, 2), "0.00");
        assert_eq!(number(f64::NAN, 2), "–");
    }
}
