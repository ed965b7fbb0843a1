//! Budgets: energy and enstrophy of the box, the water of the globe, and what each frame adds.

use egui::Ui;

use crate::rollout::settings::LaneKind;

use super::super::series::LaneSeries;
use super::super::state::State;
use super::super::theme::GRID;
use super::super::trace::Trace;
use super::super::widgets::note;
use super::time::{Over, over_time};

/// A chart of the tab: name, title, what it says, decimals.
type Row = (
    &'static str,
    &'static str,
    &'static str,
    usize,
    fn(&LaneSeries) -> &Trace,
);

const BOX: [Row; 4] = [
    (
        "energy",
        "Energy per unit area [L²/T²]",
        "Kinetic energy of the flow that belongs to the vorticity, mean over members.",
        3,
        |s| &s.energy,
    ),
    (
        "energy change",
        "Change of energy from frame to frame [L²/T²]",
        "What forcing, drag and viscosity together do in a frame's time; frames that do not follow each other jump about.",
        3,
        |s| &s.energy_change,
    ),
    (
        "enstrophy",
        "Enstrophy per unit area [1/T²]",
        "Half the mean square of vorticity, mean over members.",
        2,
        |s| &s.enstrophy,
    ),
    (
        "enstrophy change",
        "Change of enstrophy from frame to frame [1/T²]",
        "As for energy.",
        2,
        |s| &s.enstrophy_change,
    ),
];

const GLOBE: [Row; 3] = [
    (
        "global mean",
        "Global mean [mm/day]",
        "Area-weighted; the band is truth's (5 to 95 % of days).",
        2,
        |s| &s.global_mean,
    ),
    (
        "global mean change",
        "Daily change of the global mean [mm/day]",
        "The band holds 90 % of the truth lane's days so far.",
        2,
        |s| &s.global_mean_change,
    ),
    (
        "wet share",
        "Area with at least 0.1 mm/day [%]",
        "Share of the globe where it rains; the band is truth's (5 to 95 % of days).",
        1,
        |s| &s.wet,
    ),
];

/// The tab.
pub fn show(ui: &mut Ui, state: &State) {
    let globe = state.globe().map(|g| &g.truth);
    let rows: &[Row] = if globe.is_some() { &GLOBE } else { &BOX };
    let words = 34.0;
    let room = ui.available_height() - 30.0 - rows.len() as f32 * words;
    let height = (room / rows.len() as f32).clamp(72.0, 220.0);
    for (id, title, about, decimals, pick) in rows {
        let own = pick(&state.series.lanes[LaneKind::Truth.index()]).band();
        let band = match (globe, *id) {
            (Some(truth), "global mean") => Some(truth.global_mean_band.into()),
            (Some(truth), "wet share") => {
                let [lo, hi] = truth.wet_fraction_band;
                Some((100.0 * lo, 100.0 * hi))
            }
            _ => own,
        };
        let over = Over {
            id,
            title,
            about,
            height,
            band,
            decimals: *decimals,
            ..Default::default()
        };
        over_time(ui, state, over, pick);
        ui.add_space(GRID);
    }
    note(
        ui,
        if globe.is_some() {
            "Bands are those of truth: of the model card where it has them, or of the truth lane so far."
        } else {
            "Bands hold 90 % of the truth lane's frames so far."
        },
    );
}
