//! The fields of one evaluation: four columns, without guidance above, with guidance below.

use std::sync::Arc;

use egui::{
    Color32, CornerRadius, Rect, RichText, Role, Sense, Stroke, Ui, UiBuilder, WidgetInfo, pos2,
    vec2,
};

use crate::render::gpu::Drawing;
use crate::render::{ColorMap, Look, ValueRange};
use crate::rollout::microscope::{Denoising, Seen, Stop, Verdict};
use crate::rollout::settings::LaneKind;

use super::super::paint;
use super::super::state::State;
use super::super::theme::{self, GRID, palette};
use super::super::widgets::number;
use super::super::words;
use super::scrub::{figures, small};

const GAP: f32 = 2.0 * GRID;
/// Height of a column's title and of a row's.
const LINE: f32 = 5.0 * GRID;
/// First slot of the field painter used here.
const SLOT: usize = 64;

/// Where the pictures lie.
pub struct Layout {
    corner: egui::Pos2,
    wide: f32,
    high: f32,
}

impl Layout {
    /// Pictures of an aspect in an area, with so much height left below them.
    pub fn new(area: Rect, aspect: f32, below: f32) -> Self {
        let wide = (area.width() - 3.0 * GAP) / 4.0;
        let room = (area.height() - below - LINE * 3.0 - GAP) / 2.0;
        let wide = wide.min(room.max(40.0) * aspect).floor();
        let all = 4.0 * wide + 3.0 * GAP;
        Self {
            corner: pos2(area.center().x - all / 2.0, area.top()).round(),
            wide,
            high: (wide / aspect).round(),
        }
    }

    fn column(&self, i: usize) -> f32 {
        self.corner.x + i as f32 * (self.wide + GAP)
    }

    fn row(&self, i: usize) -> f32 {
        self.corner.y + LINE + i as f32 * (self.high + LINE + GAP)
    }

    fn cell(&self, column: usize, row: usize) -> Rect {
        Rect::from_min_size(
            pos2(self.column(column), self.row(row) + LINE),
            vec2(self.wide, self.high),
        )
    }

    /// Lower edge.
    pub fn bottom(&self) -> f32 {
        self.row(1) + LINE + self.high
    }
}

/// A column: what it shows and how.
struct Column {
    title: &'static str,
    about: &'static str,
    look: Look,
    /// Unit of its values.
    units: String,
    /// Its values in that unit, per value of the field.
    per: f64,
    field: fn(&Seen) -> &Arc<[f32]>,
}

/// The pictures, their titles, the pointer's values.
pub fn show(ui: &mut Ui, state: &mut State, layout: &Layout) {
    let Some((result, stop)) = state.microscope.shown() else {
        return;
    };
    let (result, stop) = (Arc::clone(result), stop.clone());
    let columns = columns(ui, state, &result, &stop);
    titles(ui, state, layout, &columns);
    let mut hover = None;
    for row in 0..2 {
        row_title(ui, layout, &result, &stop, row);
        for (i, column) in columns.iter().enumerate() {
            let rect = layout.cell(i, row);
            let name = format!("{} {}", column.title, words::lane(result.kinds[row]));
            let response = ui.interact(rect, ui.scope_id().with((i, row)), Sense::hover());
            response.widget_info(|| WidgetInfo::labeled(Role::Canvas, true, &name));
            let values = (column.field)(&stop.rows[row]);
            let slot = SLOT + 4 * row + i;
            picture(ui, state, rect, slot, values, column.look);
            if state.globe().is_some()
                && let Some(lines) = state.microscope.lines.get_mut(row)
            {
                lines.paint(ui, i, rect, &state.prefs.globe);
            }
            if let Some(at) = response.hover_pos() {
                hover = cell_at(state, rect, at);
            }
        }
    }
    state.microscope.hover = hover;
    if let Some(cell) = hover {
        for row in 0..2 {
            for (i, column) in columns.iter().enumerate() {
                let values = (column.field)(&stop.rows[row]);
                value_at(ui, state, layout.cell(i, row), values, column, cell);
            }
        }
    }
}

fn columns(ui: &Ui, state: &State, result: &Denoising, stop: &Stop) -> [Column; 4] {
    let dark = ui.visuals().dark_mode;
    let m = &state.microscope;
    let physical = state
        .facts
        .as_ref()
        .map_or(String::new(), |f| f.units.clone());
    let units = match result.unit.physical {
        true => physical.clone(),
        false => "std".to_owned(),
    };
    let per_unit = match units.strip_prefix("1/") {
        Some(inverse) => inverse.to_owned(),
        None => format!("per {units}"),
    };
    let factor = f64::from(result.unit.factor);
    let data = match result.unit.physical {
        true => state.facts.as_ref().map_or(1.0, |f| f.data_std),
        false => 1.0,
    };
    let map = match state.globe() {
        None => state.prefs.map(dark),
        Some(_) if dark => ColorMap::Berlin,
        Some(_) => ColorMap::Vik,
    };
    let plain = |std: f64| Look::plain(map, ValueRange::for_std(std), state.prefs.smooth);
    let noised = (stop.sigma * factor).hypot(data);
    let both = |field: fn(&Seen) -> &Arc<[f32]>| {
        stop.rows.iter().map(|r| rms(field(r))).fold(0.0, f64::max)
    };
    let per = 1.0 / (stop.sigma * stop.sigma * factor * factor);
    [
        Column {
            title: "Noised x",
            about: "What the solver holds at this noise level: the frame on its way, plus noise. Colours follow σ, so that it stays visible.",
            look: plain(noised),
            units: units.clone(),
            per: 1.0,
            field: |s| &s.x,
        },
        Column {
            title: if m.guided_estimate {
                "Estimate + guidance"
            } else {
                "Clean estimate"
            },
            about: "D(x; σ): what the image model expects the clean frame to be. Blurred while there is much noise. Click to add the guidance to it.",
            look: state.look(dark),
            units: physical,
            per: 1.0,
            field: if m.guided_estimate {
                |s| &s.guided
            } else {
                |s| &s.estimate
            },
        },
        Column {
            title: if m.gradient {
                "Guidance λd"
            } else {
                "Guidance λσ²d"
            },
            about: "Where the discriminator pulls: d is the gradient of its logit. As it is added to the clean estimate (times σ²) or to the score; click to change. With the two-tower discriminator it also holds what is taken back of the estimate.",
            look: plain(both(|s| &s.shift)),
            units: if m.gradient {
                per_unit.clone()
            } else {
                units.clone()
            },
            per: if m.gradient { per } else { 1.0 },
            field: |s| &s.shift,
        },
        Column {
            title: "Score s",
            about: "(D(x; σ) − x) / σ²: the direction in which the image model finds frames more likely. At high noise it mostly points away from the noise.",
            look: plain(both(|s| &s.score)),
            units: per_unit.clone(),
            per: 1.0,
            field: |s| &s.score,
        },
    ]
}

fn rms(values: &[f32]) -> f64 {
    let squares: f64 = values.iter().map(|v| f64::from(*v) * f64::from(*v)).sum();
    (squares / values.len().max(1) as f64).sqrt()
}

/// Name and range of each column; some change what they show when clicked.
fn titles(ui: &mut Ui, state: &mut State, layout: &Layout, columns: &[Column; 4]) {
    let p = palette(ui);
    for (i, column) in columns.iter().enumerate() {
        let rect = Rect::from_min_size(
            pos2(layout.column(i), layout.corner.y),
            vec2(layout.wide, LINE),
        );
        let toggles = matches!(i, 1 | 2);
        let response = ui.interact(
            rect,
            ui.scope_id().with(("column", i)),
            if toggles {
                Sense::click()
            } else {
                Sense::hover()
            },
        );
        let role = if toggles { Role::Button } else { Role::Label };
        response.widget_info(|| WidgetInfo::labeled(role, true, column.title));
        if response.clicked() {
            match i {
                1 => state.microscope.guided_estimate ^= true,
                _ => state.microscope.gradient ^= true,
            }
        }
        let color = if toggles && (response.hovered() || response.has_focus()) {
            p.accent
        } else {
            p.text
        };
        let painter = ui.painter_at(rect);
        let name = painter.layout_no_wrap(column.title.into(), theme::small(), color);
        let end = rect.left() + name.size().x;
        painter.galley(
            pos2(rect.left(), rect.center().y - name.size().y / 2.0),
            name,
            color,
        );
        let range = match &column.look.rain {
            Some(rain) => format!(
                "{}–{} {}",
                rain.dry_below, column.look.range.hi, column.units
            ),
            None => format!(
                "±{} {}",
                compact(f64::from(column.look.range.hi) * column.per),
                column.units
            ),
        };
        let range = painter.layout_no_wrap(range, theme::small(), p.weak);
        if range.size().x < rect.right() - end - 6.0 {
            let at = pos2(
                rect.right() - range.size().x,
                rect.center().y - range.size().y / 2.0,
            );
            painter.galley(at, range, p.weak);
        }
        response.on_hover_text(format!(
            "{}\nRange of the colours in {}, the same in both rows.",
            column.about, column.units
        ));
    }
}

/// A number of any size in little room.
fn compact(value: f64) -> String {
    match value.abs() {
        v if v >= 1e4 || (v > 0.0 && v < 1e-3) => format!("{value:.0e}"),
        _ => {
            let text = figures(value);
            match text.contains('.') {
                true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
                false => text,
            }
        }
    }
}

/// What made a row, and its numbers.
fn row_title(ui: &mut Ui, layout: &Layout, result: &Denoising, stop: &Stop, row: usize) {
    let p = palette(ui);
    let kind = result.kinds[row];
    let seen = &stop.rows[row];
    let rect = Rect::from_min_size(
        pos2(layout.corner.x, layout.row(row)),
        vec2(layout.column(3) + layout.wide - layout.corner.x, LINE),
    );
    let strength = result
        .specimen
        .settings_at(stop.step)
        .map_or(0.0, |s| match kind {
            LaneKind::Guided => s.guidance.strength,
            LaneKind::GuidedVideo => s.guidance.video_strength,
            _ => 0.0,
        });
    let ratio = f64::from(seen.guidance_norm) / f64::from(seen.score_norm);
    let numbers = format!(
        "D {}   logit {}   |λd| / |s| {}",
        number(Verdict::chance(f64::from(seen.logit)), 3),
        number(f64::from(seen.logit), 1),
        number(ratio, 3),
    );
    ui.scope_builder(UiBuilder::new().max_rect(rect), |ui| {
        ui.horizontal_centered(|ui| {
            let name = if row == 0 { "Without guidance" } else { "With guidance" };
            ui.label(RichText::new(name).color(p.lane(kind)).small());
            let how = match row {
                0 => "λ 0, the same noise".to_owned(),
                _ => format!("λ {strength:.2}"),
            };
            ui.label(RichText::new(how).small().weak());
            ui.add_space(GRID);
            ui.label(RichText::new(numbers).small()).on_hover_text(
                "D is the discriminator's probability that this candidate follows the frames before it; the logit is log(D / (1 − D)). \
                 |λd| / |s| is how hard it pulls compared with the image model.",
            );
        });
    });
}

fn picture(ui: &Ui, state: &State, rect: Rect, slot: usize, values: &Arc<[f32]>, look: Look) {
    let (nx, ny) = state.size();
    if values.len() != nx * ny || values.is_empty() {
        ui.painter()
            .rect_filled(rect, CornerRadius::ZERO, palette(ui).panel);
        return;
    }
    let drawing = match (state.globe(), state.rows()) {
        (Some(_), Some(rows)) => Drawing::on_globe(
            values.clone(),
            nx,
            rows.clone(),
            state.prefs.globe.view,
            look,
        ),
        _ => {
            let (origin, span) = state.view.window(nx, ny);
            Drawing {
                rows: vec![(0, values.clone())],
                size: (nx as u32, ny as u32),
                origin,
                span,
                y_up: true,
                look,
                globe: None,
            }
        }
    };
    paint::field(ui, rect, slot, drawing);
}

fn cell_at(state: &State, rect: Rect, at: egui::Pos2) -> Option<(usize, usize)> {
    let (u, v) = (
        (at.x - rect.left()) / rect.width(),
        1.0 - (at.y - rect.top()) / rect.height(),
    );
    match state.grid() {
        Some(grid) => {
            let (lon, lat) = state.prefs.globe.view.lon_lat(f64::from(u), f64::from(v))?;
            Some((grid.column(lon), grid.row(lat)))
        }
        None => {
            let (nx, ny) = state.size();
            let clamp = |t: f32| t.clamp(0.0, 0.999);
            (nx * ny > 0).then(|| state.view.cell(clamp(u), clamp(v), nx, ny))
        }
    }
}

/// Marks a cell in a picture and writes its value in the corner.
fn value_at(
    ui: &Ui,
    state: &State,
    rect: Rect,
    values: &[f32],
    column: &Column,
    (x, y): (usize, usize),
) {
    let (nx, ny) = state.size();
    let place = match state.grid() {
        Some(grid) => grid.lat.get(y).map(|lat| {
            let [u, v] = state.prefs.globe.view.place(grid.lon(x), *lat);
            (u as f32, v as f32)
        }),
        None => state.view.place_of(x, y, nx, ny),
    };
    let painter = ui.painter_at(rect);
    if let Some((u, v)) = place {
        let centre = pos2(
            rect.left() + u * rect.width(),
            rect.bottom() - v * rect.height(),
        );
        painter.circle_stroke(
            centre,
            4.0,
            Stroke::new(3.0, Color32::from_black_alpha(150)),
        );
        painter.circle_stroke(centre, 4.0, Stroke::new(1.2, Color32::WHITE));
    }
    let value = values.get(y * nx + x).copied().unwrap_or(f32::NAN);
    let text = match &column.look.rain {
        Some(_) => words::amount(f64::from(value)),
        None => small(f64::from(value) * column.per),
    };
    let galley = painter.layout_no_wrap(text, theme::small(), Color32::WHITE);
    let size = galley.size() + vec2(8.0, 4.0);
    let corner = rect.left_bottom() + vec2(3.0, -size.y - 3.0);
    painter.rect_filled(
        Rect::from_min_size(corner, size),
        CornerRadius::same(3),
        Color32::from_black_alpha(190),
    );
    painter.galley(corner + vec2(4.0, 2.0), galley, Color32::WHITE);
}
