//! The map of what was tried: strength along, history length up, colour by error, size by number of frames.

use egui::{
    Align2, Color32, CornerRadius, Mesh, Rect, RichText, Role, Sense, Shape, Stroke, Ui,
    WidgetInfo, pos2, vec2,
};

use super::super::state::State;
use super::super::theme::{self, GRID, palette};
use super::super::widgets::{note, number};
use super::explored::Cell;
use super::grid::{TINTS, tint, tint_at};
use super::{truth_acf, vary};

const HEIGHT: f32 = 148.0;

/// The map; a click on a cell uses its settings.
pub fn show(ui: &mut Ui, state: &mut State) {
    let Some(facts) = state.facts.clone() else {
        return;
    };
    let p = palette(ui);
    ui.label(RichText::new("Explored").strong()).on_hover_text(
        "What walls and lanes have shown in this session, under the present sampler, discriminator and interval. Colour is \
         the error of the autocorrelation, size the number of frames, the ring the settings in force. Click to use.",
    );
    let settings = state.prefs.settings.clone();
    let cells = state
        .wall
        .explored
        .cells(&facts.name, &settings, truth_acf(&facts));
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), HEIGHT), Sense::hover());
    let plot = Rect::from_min_max(rect.min + vec2(28.0, 6.0), rect.max - vec2(8.0, 30.0));
    let painter = ui.painter_at(rect);
    let suggested = facts.suggested_strength[settings.guidance.discriminator as usize];
    let widest = cells
        .iter()
        .map(|c| c.strength)
        .fold(2.0 * suggested, f32::max)
        .max(settings.guidance.strength);
    let x = |strength: f32| plot.left() + 8.0 + (plot.width() - 16.0) * strength / widest.max(1e-3);
    let y = |m: usize| plot.bottom() - plot.height() * (m as f32 + 0.5) / 4.0;
    for m in 0..4 {
        painter.hline(plot.x_range(), y(m), Stroke::new(1.0, p.line));
        let at = pos2(plot.left() - 6.0, y(m));
        painter.text(
            at,
            Align2::RIGHT_CENTER,
            m.to_string(),
            theme::small(),
            p.weak,
        );
    }
    let middle = pos2(rect.left() + 2.0, plot.center().y);
    painter.text(middle, Align2::LEFT_CENTER, "m", theme::small(), p.weak);
    painter.vline(x(suggested), plot.y_range(), Stroke::new(1.0, p.line));
    for (value, align) in [
        (0.0, Align2::CENTER_TOP),
        (suggested, Align2::CENTER_TOP),
        (widest, Align2::CENTER_TOP),
    ] {
        let at = pos2(x(value), plot.bottom() + 2.0);
        painter.text(at, align, short(value), theme::small(), p.weak);
    }
    painter.text(
        pos2((x(0.0) + x(suggested)) / 2.0, plot.bottom() + 2.0),
        Align2::CENTER_TOP,
        "λ",
        theme::small(),
        p.weak,
    );
    let mut used = None;
    for cell in &cells {
        let centre = pos2(x(cell.strength), y(cell.history.min(3)));
        let r = radius(cell.frames);
        let area = Rect::from_center_size(centre, vec2(2.0 * r, 2.0 * r).max(vec2(12.0, 12.0)));
        let id = ui
            .scope_id()
            .with(("explored", cell.strength.to_bits(), cell.history));
        let response = ui.interact(area, id, Sense::click());
        response.widget_info(|| WidgetInfo::labeled(Role::Button, true, name(cell)));
        let color = cell.error.map_or(p.raised, |e| tint(ui, e));
        draw(ui, centre, r, color, cell.stopped);
        if response.hovered() || response.has_focus() {
            painter.circle_stroke(centre, r + 2.0, Stroke::new(1.0, p.text));
        }
        if response.clicked() {
            used = Some((cell.strength, cell.history));
        }
        response.on_hover_text(about(cell));
    }
    let g = &settings.guidance;
    let here = pos2(x(g.strength), y(g.history.min(3)));
    painter.circle_stroke(here, 11.5, Stroke::new(1.5, p.accent));
    legend(
        ui,
        Rect::from_min_max(pos2(plot.left(), rect.bottom() - 11.0), rect.max),
    );
    if cells.is_empty() {
        painter.text(
            plot.center(),
            Align2::CENTER_CENTER,
            "fills with the first frames",
            theme::small(),
            p.weak,
        );
    }
    ui.add_space(GRID);
    let hidden = state.wall.explored.hidden(&facts.name, &settings);
    if hidden > 0 {
        note(
            ui,
            format!("{hidden} runs under other settings are not shown."),
        );
    }
    if let Some((strength, history)) = used {
        let guidance = &mut state.prefs.settings.guidance;
        (guidance.strength, guidance.history) = (strength, history);
        state.publish();
    }
}

/// Radius of a cell, points: 4 at few frames, 9 at some hundreds.
fn radius(frames: usize) -> f32 {
    (3.0 + 2.4 * (1.0 + frames as f32).log10()).clamp(4.0, 10.0)
}

fn short(value: f32) -> String {
    match value {
        0.0 => "0".to_owned(),
        v if v >= 10.0 => format!("{v:.0}"),
        v => format!("{v:.1}"),
    }
}

fn draw(ui: &Ui, centre: egui::Pos2, r: f32, color: Color32, stopped: bool) {
    let p = palette(ui);
    ui.painter().circle_filled(centre, r, color);
    ui.painter()
        .circle_stroke(centre, r, Stroke::new(1.0, p.weak.gamma_multiply(0.7)));
    if stopped {
        let d = r * 0.6;
        let stroke = Stroke::new(1.6, p.alarm);
        let line = |a, b| ui.painter().line_segment([centre + a, centre + b], stroke);
        line(vec2(-d, -d), vec2(d, d));
        line(vec2(-d, d), vec2(d, -d));
    }
}

fn name(cell: &Cell) -> String {
    format!(
        "Use λ {}, m {}",
        vary::strength(cell.strength),
        cell.history
    )
}

fn about(cell: &Cell) -> String {
    let error = match cell.error {
        Some(e) => format!("ACF error {}", number(e, 3)),
        None => "too few frames for an error".to_owned(),
    };
    let end = if cell.stopped { "\nblew up" } else { "" };
    format!(
        "λ {}, m {}\n{error}\n{} frames{end}",
        vary::strength(cell.strength),
        cell.history,
        cell.frames
    )
}

/// What the colours mean.
fn legend(ui: &Ui, rect: Rect) {
    let p = palette(ui);
    let dark = ui.visuals().dark_mode;
    let painter = ui.painter();
    let label = painter.layout_no_wrap("ACF error".to_owned(), theme::small(), p.weak);
    let middle = rect.center().y;
    let at = pos2(rect.left(), middle - label.size().y / 2.0);
    let mut left = rect.left() + label.size().x + 8.0;
    painter.galley(at, label, p.weak);
    let low = painter.layout_no_wrap(number(TINTS.0, 2), theme::small(), p.weak);
    painter.galley(pos2(left, middle - low.size().y / 2.0), low.clone(), p.weak);
    left += low.size().x + 6.0;
    let bar = Rect::from_min_max(pos2(left, middle - 4.0), pos2(left + 84.0, middle + 4.0));
    let mut mesh = Mesh::default();
    for i in 0..=32u32 {
        let t = i as f32 / 32.0;
        let x = bar.left() + bar.width() * t;
        let color = tint_at(t, dark);
        let n = mesh.vertices.len() as u32;
        mesh.colored_vertex(pos2(x, bar.top()), color);
        mesh.colored_vertex(pos2(x, bar.bottom()), color);
        if i > 0 {
            mesh.add_triangle(n - 2, n - 1, n);
            mesh.add_triangle(n - 1, n, n + 1);
        }
    }
    painter.add(Shape::mesh(mesh));
    let edge = Stroke::new(1.0, p.line);
    painter.rect_stroke(bar, CornerRadius::ZERO, edge, egui::StrokeKind::Outside);
    let high = pos2(bar.right() + 6.0, middle);
    painter.text(
        high,
        Align2::LEFT_CENTER,
        number(TINTS.1, 2),
        theme::small(),
        p.weak,
    );
}
