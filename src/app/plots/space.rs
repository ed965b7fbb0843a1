//! What frames look like in space: spectrum and distribution; for rain also zonal mean and percentiles.

use std::sync::Arc;

use egui::{RichText, Ui};

use crate::rollout::frame::RainFigures;
use crate::rollout::settings::LaneKind;

use super::super::state::State;
use super::super::theme::{GRID, palette};
use super::super::widgets::{note, number, segmented};
use super::super::words;
use super::chart::{Chart, Curve, range_of};
use super::spectra;
use super::time::curve;

/// What the tab shows of rain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum View {
    /// Zonal mean and percentiles.
    #[default]
    Means,
    /// Spectrum and distribution.
    Spectra,
}

/// The tab.
pub fn show(ui: &mut Ui, state: &mut State) {
    if state.globe().is_some() {
        let choices = [
            (View::Means, "means", "Zonal mean and percentiles"),
            (
                View::Spectra,
                "spectrum and values",
                "Power by zonal wavenumber, and how often each amount falls",
            ),
        ];
        segmented(ui, "Space", &mut state.plots.space, &choices);
        ui.add_space(GRID);
    }
    if state.globe().is_some() && state.plots.space == View::Means {
        means(ui, state);
    } else {
        spectra::show(ui, state);
    }
}

fn means(ui: &mut Ui, state: &State) {
    let Some(globe) = state.globe() else {
        return;
    };
    let figures: Vec<(LaneKind, &RainFigures, usize)> = state
        .lanes()
        .into_iter()
        .filter_map(|kind| {
            let d = &state.archive.diagnostics[kind.index()];
            Some((kind, d.rain.as_deref()?, d.frames))
        })
        .collect();
    let lat = &globe.grid.lat;
    let by_lat = |values: &[f64]| -> Vec<[f64; 2]> {
        lat.iter().zip(values).map(|(l, v)| [*l, *v]).collect()
    };
    let mut curves = vec![Curve {
        name: "all years".into(),
        color: palette(ui).weak,
        dashed: true,
        dots: false,
        points: by_lat(&globe.truth.zonal_mean),
    }];
    curves.extend(
        figures
            .iter()
            .map(|(kind, rain, _)| curve(ui, *kind, by_lat(&rain.zonal_mean), false)),
    );
    let y = range_of(curves.iter().flat_map(|c| &c.points), (0.0, 6.0));
    Chart {
        id: "zonal mean",
        title: "Zonal mean by latitude [mm/day]",
        about: "Mean over longitude and over the days since the settings of a lane changed last. Truth is the recording's same days; \
                the dashed line is truth's mean of all years and seasons.",
        x_name: "latitude",
        height: (ui.available_height() - 330.0).clamp(140.0, 280.0),
        x: (-90.0, 90.0),
        y,
        decimals: 2,
        curves,
        x_text: Some(Arc::new(latitude)),
        x_step: 30.0,
        ..Default::default()
    }
    .show(ui);
    ui.add_space(2.0 * GRID);
    table(
        ui,
        "rain means",
        &[
            ("mean", "Global mean, mm/day"),
            ("wet area", "Share of the area with at least 0.1 mm/day"),
            ("days", "Days that entered"),
        ],
        std::iter::once((
            None,
            vec![
                number(globe.truth.global_mean, 2),
                percent(globe.truth.wet_fraction),
                String::new(),
            ],
        ))
        .chain(figures.iter().map(|(kind, rain, frames)| {
            let cells = vec![
                number(rain.global_mean, 2),
                percent(rain.wet_fraction),
                frames.to_string(),
            ];
            (Some(*kind), cells)
        })),
    );
    ui.add_space(2.0 * GRID);
    ui.label(RichText::new("Percentiles over cells and days [mm/day]").small());
    table(
        ui,
        "rain percentiles",
        &[
            ("75", "75 % of all values lie below"),
            ("90", "90 % of all values lie below"),
            ("95", "95 % of all values lie below"),
            ("99", "99 % of all values lie below"),
            ("99.9", "99.9 % of all values lie below"),
        ],
        std::iter::once((None, globe.truth.percentiles))
            .chain(figures.iter().map(|f| (Some(f.0), f.1.percentiles)))
            .map(|(kind, values)| (kind, values.map(words::amount).to_vec())),
    );
    for (kind, rain, _) in figures.iter().filter(|f| f.1.capped > 0.0) {
        let share = 100.0 * rain.capped;
        let digits = if share < 0.01 { 4 } else { 2 };
        note(
            ui,
            format!(
                "{}: {} % of cells were held at their cap, the largest amount that truth has there.",
                kind.label(),
                number(share, digits)
            ),
        );
    }
    if figures.iter().all(|f| f.2 < 365) {
        note(
            ui,
            "Until a year is over the figures are those of its seasons: compare the lanes with the truth lane, not with all years.",
        );
    }
}

fn percent(share: f64) -> String {
    format!("{} %", number(100.0 * share, 1))
}

fn latitude(value: f64) -> String {
    match value.round() as i64 {
        0 => "0".to_owned(),
        v if v < 0 => format!("{}S", -v),
        v => format!("{v}N"),
    }
}

/// Rows of figures, truth of all years first.
fn table(
    ui: &mut Ui,
    id: &str,
    heads: &[(&str, &str)],
    rows: impl Iterator<Item = (Option<LaneKind>, Vec<String>)>,
) {
    let p = palette(ui);
    let name = 62.0;
    let each = (ui.available_width() - name) / heads.len() as f32 - 6.0;
    egui::Grid::new(id)
        .num_columns(heads.len() + 1)
        .spacing([6.0, 2.0])
        .min_row_height(16.0)
        .show(ui, |ui| {
            let right = |ui: &mut Ui, text: RichText, tip: &str| {
                let size = egui::vec2(each, 16.0);
                let layout = egui::Layout::right_to_left(egui::Align::Center);
                ui.allocate_ui_with_layout(size, layout, |ui| {
                    ui.set_min_size(size);
                    let label = ui.label(text);
                    if !tip.is_empty() {
                        label.on_hover_text(tip);
                    }
                });
            };
            ui.allocate_space(egui::vec2(name, 1.0));
            for (head, tip) in heads {
                right(ui, RichText::new(*head).small().weak(), tip);
            }
            ui.end_row();
            for (kind, cells) in rows {
                let text = match kind {
                    Some(kind) => RichText::new(words::lane(kind)).color(p.lane(kind)),
                    None => RichText::new("all years").color(p.weak),
                };
                ui.label(text.small());
                for cell in cells {
                    right(ui, RichText::new(cell).small(), "");
                }
                ui.end_row();
            }
        });
}
