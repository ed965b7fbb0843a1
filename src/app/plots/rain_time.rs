//! Rain over time: autocorrelation of anomalies, change from day to day, spread.

use egui::Ui;

use crate::rollout::settings::LaneKind;

use super::super::state::State;
use super::super::theme::{GRID, palette};
use super::super::widgets::{note, segmented};
use super::chart::{Chart, Curve, range_of};
use super::time::{Over, curve, difference, heights, over_time};

/// What the autocorrelation is taken of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Of {
    /// Each cell, mean over the globe.
    #[default]
    Cells,
    /// Each cell, mean over 20S-20N.
    Tropics,
    /// The global mean.
    Mean,
}

/// The tab.
pub fn show(ui: &mut Ui, state: &mut State) {
    let choices = [
        (
            Of::Cells,
            "cells",
            "Autocorrelation of each cell's anomalies, mean over the globe",
        ),
        (
            Of::Tropics,
            "20° S–20° N",
            "The same, mean over the tropics",
        ),
        (
            Of::Mean,
            "global mean",
            "Autocorrelation of the global mean",
        ),
    ];
    let mut of = state.acf_of;
    segmented(ui, "Autocorrelation of", &mut of, &choices);
    state.acf_of = of;
    let state = &*state;
    let (Some(facts), Some(globe)) = (state.facts.as_deref(), state.globe()) else {
        return;
    };
    let (acf_height, other) = heights(ui, state);

    let truth = match of {
        Of::Cells => &facts.acf_truth,
        Of::Tropics => &globe.truth.tropics_acf,
        Of::Mean => &globe.truth.global_acf,
    };
    let points = |values: &[f64]| -> Vec<[f64; 2]> {
        let with_lag = values.iter().enumerate().map(|(lag, v)| [lag as f64, *v]);
        with_lag.filter(|p| p[1].is_finite()).collect()
    };
    let mut curves = vec![Curve {
        name: "truth".into(),
        color: palette(ui).text,
        dashed: false,
        dots: false,
        points: points(truth),
    }];
    for kind in state.lanes().into_iter().filter(|k| *k != LaneKind::Truth) {
        let d = &state.archive.diagnostics[kind.index()];
        let acf = match (of, &d.rain) {
            (Of::Cells, _) => &d.acf,
            (Of::Tropics, Some(rain)) => &rain.tropics_acf,
            (Of::Mean, Some(rain)) => &rain.global_acf,
            (_, None) => continue,
        };
        let points = points(acf);
        if points.len() > 1 {
            curves.push(curve(ui, kind, points, true));
        }
    }
    let whole = curves.len() > 1;
    let lags: Vec<f64> = (0..truth.len()).map(|l| l as f64).collect();
    let y = range_of(curves.iter().flat_map(|c| &c.points), (-0.1, 1.0));
    Chart {
        id: "rain acf",
        title: "Anomaly autocorrelation, by lag in days",
        about: "How much of a day's departure from the usual weather of its month is still there some days later. \
                The band holds 90 % of truth's runs of 100 days.",
        x_name: "lag",
        height: acf_height,
        x: (0.0, lags.last().copied().unwrap_or(10.0).max(1.0)),
        y,
        decimals: 3,
        curves,
        band: (of == Of::Cells && facts.acf_lo.len() == lags.len())
            .then(|| (lags, facts.acf_lo.clone(), facts.acf_hi.clone())),
        ..Default::default()
    }
    .show(ui);
    if !whole {
        note(ui, "The model's lines appear after some days.");
    }
    ui.add_space(GRID);
    let change = facts.rmse_band;
    over_time(
        ui,
        state,
        Over {
            id: "change",
            title: "Change from day to day [mm/day]",
            about: "Root mean square difference from the day before, area-weighted; the band is truth's (5 to 95 %).",
            height: other,
            band: Some(change),
            decimals: 2,
            ..Default::default()
        },
        |s| &s.rmse,
    );
    ui.add_space(GRID);
    over_time(
        ui,
        state,
        Over {
            id: "std",
            title: "Standard deviation [mm/day]",
            about: "Over the globe, of each day, area-weighted; the band is truth's (5 to 95 %).",
            height: other,
            band: Some(facts.std_band),
            decimals: 2,
            ..Default::default()
        },
        |s| &s.std,
    );
    difference(ui, state, other);
}
