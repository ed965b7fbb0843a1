//! The colour bar: one for all lanes.

use egui::{Align2, Color32, Mesh, Rect, Sense, Shape, Stroke, Ui, pos2, vec2};

use crate::render::{Look, ticks};

use super::super::theme::{self, palette};

/// Width it takes, points.
pub const WIDTH: f32 = 52.0;

/// Draws it into `rect`; `value` is marked if given.
pub fn show(ui: &mut Ui, rect: Rect, look: &Look, quantity: &str, units: &str, value: Option<f32>) {
    let p = palette(ui);
    // Dry cells have a colour of their own, below the others.
    let dry = if look.rain.is_some() { 22.0 } else { 0.0 };
    let bar = Rect::from_min_size(rect.min, vec2(12.0, rect.height() - dry));
    let painter = ui.painter();
    if let Some(rain) = &look.rain {
        let patch = Rect::from_min_max(
            pos2(bar.left(), rect.bottom() - 12.0),
            pos2(bar.right(), rect.bottom()),
        );
        let [r, g, b] = rain.dry;
        painter.rect_filled(patch, 0, Color32::from_rgb(r, g, b));
        painter.rect_stroke(
            patch,
            0,
            Stroke::new(1.0, p.weak.gamma_multiply(0.6)),
            egui::StrokeKind::Inside,
        );
        painter.text(
            pos2(bar.right() + 7.0, patch.center().y),
            Align2::LEFT_CENTER,
            "dry",
            theme::small(),
            p.weak,
        );
    }
    let mut mesh = Mesh::default();
    for i in 0..=255u8 {
        let [r, g, b] = look.color_at(f32::from(i) / 255.0);
        let y = bar.bottom() - bar.height() * f32::from(i) / 255.0;
        let at = mesh.vertices.len() as u32;
        mesh.colored_vertex(pos2(bar.left(), y), Color32::from_rgb(r, g, b));
        mesh.colored_vertex(pos2(bar.right(), y), Color32::from_rgb(r, g, b));
        if i > 0 {
            mesh.add_triangle(at - 2, at - 1, at);
            mesh.add_triangle(at - 1, at, at + 1);
        }
    }
    painter.add(Shape::mesh(mesh));
    for (t, label) in ticks::of(look) {
        let y = bar.bottom() - t * bar.height();
        painter.hline(bar.right()..=bar.right() + 4.0, y, Stroke::new(1.0, p.weak));
        let align = if t < 0.01 {
            Align2::LEFT_BOTTOM
        } else if t > 0.99 {
            Align2::LEFT_TOP
        } else {
            Align2::LEFT_CENTER
        };
        painter.text(
            pos2(bar.right() + 7.0, y),
            align,
            label,
            theme::small(),
            p.weak,
        );
    }
    let unit_at = pos2(rect.left(), rect.top() - 8.0);
    painter.text(unit_at, Align2::LEFT_BOTTOM, units, theme::small(), p.weak);
    if let Some(value) = value.filter(|v| v.is_finite()) {
        let y = match &look.rain {
            Some(rain) if value < rain.dry_below => rect.bottom() - 6.0,
            _ => bar.bottom() - look.place(value) * bar.height(),
        };
        let tip = pos2(bar.right() + 1.0, y);
        painter.add(Shape::convex_polygon(
            vec![tip, tip + vec2(6.0, -4.0), tip + vec2(6.0, 4.0)],
            p.text,
            Stroke::NONE,
        ));
    }
    let response = ui.interact(bar, ui.scope_id().with("colour bar"), Sense::hover());
    let mut tip = format!("{quantity} in {units}: the same colours in all lanes and at all times");
    if let Some(rain) = &look.rain {
        tip.push_str(&format!("; dry is below {} {units}", rain.dry_below));
    }
    response.on_hover_text(tip);
}
