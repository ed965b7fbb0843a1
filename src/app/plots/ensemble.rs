//! The members against truth: is the spread among them as large as their error?

use egui::{RichText, Ui};

use crate::rollout::frame::EnsembleFigures;
use crate::rollout::settings::LaneKind;

use super::super::state::State;
use super::super::theme::{GRID, palette};
use super::super::widgets::{note, number, segmented};
use super::super::words;
use super::chart::{Chart, Curve, range_of};
use super::members;
use super::time::{Over, curve, over_time};

/// Members that the button starts.
const MEMBERS: usize = 8;

/// What the tab shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Page {
    /// CRPS, spread and error over time, ranks.
    #[default]
    Scores,
    /// The members of one lane: spaghetti and map of spread.
    Members,
}

/// What is chosen in the tab.
#[derive(Debug, Clone, Copy, Default)]
pub struct View {
    /// The page.
    pub page: Page,
    /// Lane whose members are shown; `None` = the first that is sampled.
    pub lane: Option<LaneKind>,
}

/// The tab.
pub fn show(ui: &mut Ui, state: &mut State) {
    let members = state.spec().members;
    let globe = state.globe().is_some();
    if members < 2 {
        note(
            ui,
            "An ensemble needs 2 or more members that begin from one start. Their spread should be as large as their error.",
        );
        ui.add_space(GRID);
        start(ui, state, &format!("Start {MEMBERS} members"), MEMBERS);
        return;
    }
    let lanes: Vec<(LaneKind, &EnsembleFigures)> = state
        .lanes()
        .into_iter()
        .filter_map(|kind| {
            let d = &state.archive.diagnostics[kind.index()];
            Some((kind, d.ensemble.as_deref()?))
        })
        .collect();
    if lanes.is_empty() {
        let generated = state.last() > 3;
        if !globe && !state.spec().one_start && state.spec().start_file.is_none() {
            note(
                ui,
                "The members begin from frames of their own: runs under one law, no forecast of one future. \
                 From one start they are an ensemble that truth can be held against.",
            );
            ui.add_space(GRID);
            start(ui, state, "Start all from one frame", members);
        } else if generated {
            note(
                ui,
                "The members begin from frames of their own, as the file has them: runs under one law, no forecast of one future. \
                 An ensemble needs one start: a file with one member, or no file.",
            );
        } else {
            note(ui, "The figures appear with the first generated frame.");
        }
        return;
    }
    table(ui, state, &lanes);
    ui.add_space(GRID);
    let ranks = lanes
        .iter()
        .map(|(kind, e)| (*kind, e.ranks.clone()))
        .collect();
    let choices = [
        (Page::Scores, "scores", "CRPS, spread and error, ranks"),
        (
            Page::Members,
            "members",
            "Every member of a lane, and where they differ",
        ),
    ];
    let mut page = state.plots.ensemble.page;
    segmented(ui, "Ensemble", &mut page, &choices);
    state.plots.ensemble.page = page;
    ui.add_space(GRID);
    match page {
        Page::Scores => scores(ui, state, ranks),
        Page::Members => members::show(ui, state),
    }
}

/// A button that starts an ensemble.
fn start(ui: &mut Ui, state: &mut State, text: &str, members: usize) {
    let button = ui.button(text).on_hover_text(
        "A new rollout: all members from the first one's frames, each with noise of its own",
    );
    if button.clicked() {
        state.prefs.spec.members = members;
        state.prefs.spec.one_start = true;
        state.restart();
    }
}

fn table(ui: &mut Ui, state: &State, lanes: &[(LaneKind, &EnsembleFigures)]) {
    let units = state.facts.as_ref().map_or("", |f| f.units.as_str());
    let heads = [
        (
            "CRPS",
            "Fair continuous ranked probability score: distance of the members from truth, less half of that among them. \
             Smaller is better; a single forecast's is its mean error",
        ),
        ("spread", "Root of the mean variance among members"),
        ("error", "Rms error of the members' mean"),
        (
            "ratio",
            "Spread over error, corrected for the number of members: 1 where the ensemble knows how wrong it is, below 1 \
             where it is too sure",
        ),
        ("frames", "Frames that entered"),
    ];
    let each = (ui.available_width() - 62.0) / heads.len() as f32 - 6.0;
    egui::Grid::new("ensemble figures")
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
            ui.allocate_space(egui::vec2(62.0, 1.0));
            for (head, tip) in heads {
                right(ui, RichText::new(head).small().weak(), tip);
            }
            ui.end_row();
            for (kind, e) in lanes {
                let name = RichText::new(words::lane(*kind)).small();
                ui.label(name.color(palette(ui).lane(*kind)));
                for (value, decimals) in [(e.crps, 2), (e.spread, 2), (e.skill, 2), (e.ratio, 2)] {
                    right(ui, RichText::new(number(value, decimals)).small(), "");
                }
                right(ui, RichText::new(e.frames.to_string()).small(), "");
                ui.end_row();
            }
        });
    ui.add_space(GRID);
    if lanes.iter().any(|(kind, _)| *kind == LaneKind::Truth) {
        note(
            ui,
            format!(
                "In {units}. Truth's line: its other members, with other forcing, against its first: what is possible."
            ),
        );
    } else {
        note(ui, format!("In {units}, against the truth lane."));
    }
}

fn scores(ui: &mut Ui, state: &State, ranks: Vec<(LaneKind, Vec<f64>)>) {
    let room = ui.available_height() - 4.0 * 34.0;
    let height = (room / 4.0).clamp(80.0, 200.0);
    let units = state.facts.as_ref().map_or("", |f| f.units.as_str());
    type Pick = fn(&super::super::series::LaneSeries) -> &super::super::trace::Trace;
    let charts: [(&str, String, &str, Pick); 3] = [
        (
            "crps",
            format!("CRPS [{units}]"),
            "Fair CRPS of each frame, mean over cells.",
            |s| &s.crps,
        ),
        (
            "spread",
            format!("Spread among members [{units}]"),
            "Grows from the start until the members have forgotten it.",
            |s| &s.spread,
        ),
        (
            "error",
            format!("Error of the members' mean [{units}]"),
            "In a reliable ensemble as large as the spread.",
            |s| &s.skill_of_mean,
        ),
    ];
    for (id, title, about, pick) in charts {
        let over = Over {
            id,
            title: &title,
            about,
            height,
            from: (0.0, 0.1),
            decimals: 2,
            ..Default::default()
        };
        over_time(ui, state, over, pick);
        ui.add_space(GRID);
    }
    rank_chart(ui, &ranks, height);
}

fn rank_chart(ui: &mut Ui, lanes: &[(LaneKind, Vec<f64>)], height: f32) {
    let curves: Vec<Curve> = lanes
        .iter()
        .map(|(kind, ranks)| {
            let points = ranks.iter().enumerate();
            let points = points.map(|(i, share)| [i as f64, 100.0 * share]);
            curve(ui, *kind, points.collect(), true)
        })
        .collect();
    let bins = lanes.iter().map(|l| l.1.len()).max().unwrap_or(2);
    let flat = 100.0 / bins.max(1) as f64;
    let y = range_of(curves.iter().flat_map(|c| &c.points), (0.0, 1.5 * flat));
    Chart {
        id: "ranks",
        title: "Rank of truth among the members [% of cells]",
        about: "How often truth has so many members below it. Flat is right; a U says that the members are too much alike, a \
                hump that they differ too much, a slope that they are too low or too high.",
        x_name: "members below",
        height,
        x: (0.0, (bins - 1).max(1) as f64),
        y: (0.0, y.1),
        decimals: 1,
        curves,
        level: Some((flat, "flat")),
        ..Default::default()
    }
    .show(ui);
}
