//! The slider of the guidance strength: its suggested value is a tick, what blows up is shaded.

use egui::{
    Align, Align2, CornerRadius, DragValue, Layout, Rect, RichText, Role, Sense, Stroke, Ui,
    WidgetInfo, pos2, vec2,
};

use crate::rollout::settings::DiscriminatorKind;

use super::super::state::State;
use super::super::theme::{self, palette};

/// Label, exact entry, slider, marks.
pub fn show(ui: &mut Ui, state: &mut State) {
    let value = state.prefs.settings.guidance.strength;
    let mut next = value;
    ui.horizontal(|ui| {
        let label = ui.label("Strength λ");
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            ui.add(
                DragValue::new(&mut next)
                    .speed(state.strength_limit() / 400.0)
                    .range(0.0..=1000.0)
                    .fixed_decimals(2),
            )
            .labelled_by(label.id)
            .on_hover_text("Drag, or click and type");
            if !state.applied() {
                ui.label(RichText::new("pending").small().weak());
            }
        });
    });
    if let Some(dragged) = slider(ui, next, state.strength_limit(), state.strength_marks()) {
        next = dragged;
    }
    if next != value {
        state.set_strength(next);
    }
}

/// Returns a new value when the slider (or its suggestion) was used.
fn slider(ui: &mut Ui, value: f32, limit: f32, (suggested, usable): (f32, f32)) -> Option<f32> {
    let p = palette(ui);
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), 44.0), Sense::hover());
    let band = Rect::from_min_size(rect.min, vec2(rect.width(), 24.0));
    let response = ui.interact(
        band,
        ui.scope_id().with("strength"),
        Sense::click_and_drag(),
    );
    response
        .widget_info(|| WidgetInfo::slider(ui.is_enabled(), f64::from(value), "Guidance strength"));
    let radius = 8.0;
    let (left, right) = (rect.left() + radius, rect.right() - radius);
    let x_of = |v: f32| left + (right - left) * (v / limit).clamp(0.0, 1.0);
    let y = band.center().y;
    let mut chosen = None;

    if (response.dragged() || response.clicked())
        && let Some(pointer) = response.interact_pointer_pos()
    {
        let raw = (pointer.x - left) / (right - left) * limit;
        let step = limit / 200.0;
        let stepped = ((raw / step).round() * step).clamp(0.0, limit);
        // The suggestion catches the handle.
        let caught = (pointer.x - x_of(suggested)).abs() < 3.5 && suggested <= limit;
        chosen = Some(if caught {
            suggested
        } else {
            (stepped * 100.0).round() / 100.0
        });
    }
    if response.has_focus() {
        let step = limit / 40.0;
        let (up, down) = ui.input(|i| {
            (
                i.num_presses(egui::Key::ArrowRight),
                i.num_presses(egui::Key::ArrowLeft),
            )
        });
        if up != down {
            chosen = Some((value + step * (up as f32 - down as f32)).clamp(0.0, limit));
        }
    }

    let painter = ui.painter();
    let rail = |from: f32, to: f32| Rect::from_min_max(pos2(from, y - 2.0), pos2(to, y + 2.0));
    painter.rect_filled(rail(left, right), CornerRadius::same(2), p.raised);
    let danger = (usable.is_finite() && usable < limit).then(|| x_of(usable));
    if let Some(start) = danger {
        // Shaded: still reachable, but named for what it does.
        painter.rect_filled(
            rail(start, right),
            CornerRadius::same(2),
            p.alarm.gamma_multiply(0.55),
        );
    }
    let at = x_of(value);
    painter.rect_filled(rail(left, at), CornerRadius::same(2), p.accent);
    if suggested <= limit {
        let x = x_of(suggested);
        painter.vline(x, (y - 9.0)..=(y + 9.0), Stroke::new(1.5, p.weak));
    }
    let fill = if value > usable { p.alarm } else { p.accent };
    let grow = if response.hovered() || response.dragged() {
        1.0
    } else {
        0.0
    };
    painter.circle_filled(pos2(at, y), radius - 1.0 + grow, fill);
    if response.has_focus() {
        painter.circle_stroke(pos2(at, y), radius + 3.0, Stroke::new(1.0, p.text));
    }

    // Marks under the rail.
    let base = rect.bottom() - 9.0;
    painter.text(
        pos2(rect.left(), base),
        Align2::LEFT_CENTER,
        "0",
        theme::small(),
        p.weak,
    );
    if danger.is_some() {
        let at = pos2(rect.right(), base);
        painter.text(
            at,
            Align2::RIGHT_CENTER,
            "blows up",
            theme::small(),
            p.alarm,
        );
    }
    if suggested <= limit {
        let text = format!("suggested {suggested:.2}");
        let galley = painter.layout_no_wrap(text, theme::small(), p.weak);
        let half = galley.size().x / 2.0;
        let x = x_of(suggested).min(rect.right() - 56.0 - half);
        let x = x.max(rect.left() + 14.0 + half);
        let area = Rect::from_center_size(pos2(x, base), galley.size() + vec2(6.0, 4.0));
        let back = ui.interact(area, ui.scope_id().with("suggested"), Sense::click());
        back.widget_info(|| {
            WidgetInfo::labeled(Role::Button, true, "Back to the suggested strength")
        });
        let away = (value - suggested).abs() > 1e-6;
        let color = match (away, back.hovered()) {
            (true, true) => p.accent,
            (true, false) => p.text,
            (false, _) => p.weak,
        };
        ui.painter().galley_with_override_text_color(
            area.center() - galley.size() / 2.0,
            galley,
            color,
        );
        if away && back.hovered() {
            ui.painter().hline(
                area.shrink(3.0).x_range(),
                area.bottom() - 2.0,
                Stroke::new(1.0, p.accent),
            );
        }
        if back
            .on_hover_text("Back to the suggested value (key 1)")
            .clicked()
        {
            chosen = Some(suggested);
        }
    }
    chosen.filter(|c| *c != value)
}

impl State {
    /// Suggested and usable strength of the discriminator in use.
    pub fn strength_marks(&self) -> (f32, f32) {
        let kind = self.prefs.settings.guidance.discriminator;
        self.facts.as_ref().map_or((1.0, f32::INFINITY), |f| {
            (
                f.suggested_strength[kind as usize],
                f.usable_strength[kind as usize],
            )
        })
    }

    /// Whether the discriminator in use has a Gaussian law that a solver can follow.
    pub fn has_law(&self) -> bool {
        let two_tower = self.prefs.settings.guidance.discriminator == DiscriminatorKind::TwoTower;
        two_tower && self.facts.as_ref().is_none_or(|f| f.law)
    }

    /// End of the strength slider.
    pub fn strength_limit(&self) -> f32 {
        match self.prefs.settings.guidance.discriminator {
            DiscriminatorKind::TwoTower => 2.0,
            DiscriminatorKind::Encoder => 100.0,
        }
    }

    /// Sets the strength, within the slider's range for steps, as typed otherwise.
    pub fn set_strength(&mut self, value: f32) {
        if value.is_finite() && value != self.prefs.settings.guidance.strength {
            self.prefs.settings.guidance.strength = value.clamp(0.0, 1000.0);
            self.publish();
        }
    }
}
