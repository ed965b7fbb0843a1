//! How the discriminator saw the denoising of the frame shown: D against noise level.

use egui::Ui;

use crate::rollout::frame::DenoisingTrace;
use crate::rollout::settings::LaneKind;

use super::super::state::State;
use super::super::theme::GRID;
use super::super::widgets::{note, number, segmented};
use super::chart::{Chart, Curve, range_of};
use super::reliability;
use super::time::curve;

/// What the tab shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum View {
    /// D along the denoising of the frame shown.
    #[default]
    Denoising,
    /// Reliability over pairs of truth's frames.
    Reliability,
}

/// The tab.
pub fn show(ui: &mut Ui, state: &mut State) {
    let choices = [
        (
            View::Denoising,
            "denoising",
            "D along the denoising of the frame shown",
        ),
        (
            View::Reliability,
            "reliability",
            "Whether D means what it says, on pairs of truth's frames",
        ),
    ];
    segmented(
        ui,
        "Discriminator plots",
        &mut state.plots.discriminator,
        &choices,
    );
    ui.add_space(GRID);
    if let Some(facts) = &state.facts {
        let kind = state.prefs.settings.guidance.discriminator as usize;
        let (suggested, why) = (facts.suggested_strength[kind], &facts.suggested_why[kind]);
        note(
            ui,
            format!("Suggested λ {}. {why}", number(f64::from(suggested), 2)),
        );
        ui.add_space(GRID);
    }
    match state.plots.discriminator {
        View::Denoising => denoising(ui, state),
        View::Reliability => reliability::show(ui, state),
    }
}

fn denoising(ui: &mut Ui, state: &State) {
    let traces: Vec<(LaneKind, &DenoisingTrace)> = [LaneKind::Unconditional, LaneKind::Guided]
        .into_iter()
        .filter_map(|kind| {
            let lane = state.shown()?.lanes[kind.index()].as_ref()?;
            (!lane.trace.sigma.is_empty()).then_some((kind, lane.trace.as_ref()))
        })
        .collect();
    if traces.is_empty() {
        note(
            ui,
            "Start frames were not denoised. Go to a generated frame.",
        );
        return;
    }
    let room = ui.available_height() - 150.0;
    let chance = pick(ui, &traces, |t, i| {
        t.logit.get(i).map(|l| sigmoid(f64::from(*l)))
    });
    let (lo, hi) = chance
        .iter()
        .flat_map(|c| &c.points)
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), p| {
            (lo.min(p[0]), hi.max(p[0]))
        });
    let x = if lo < hi { (lo, hi) } else { (-2.0, 2.0) };
    Chart {
        id: "chance",
        title: "D, probability of following in time, against noise σ",
        about: "Denoising runs from left (pure noise) to right. With guidance D rises towards 1, without it falls.",
        x_name: "σ",
        height: (room * 0.6).clamp(140.0, 320.0),
        x,
        y: (-0.04, 1.04),
        decimals: 3,
        log_x: true,
        curves: chance,
        band: None,
        mark: None,
        ..Default::default()
    }
    .show(ui);
    ui.add_space(GRID);
    let share: Vec<Curve> = pick(ui, &traces, |t, i| {
        t.guidance_ratio.get(i).map(|r| f64::from(*r))
    })
    .into_iter()
    .filter(|c| c.points.iter().any(|p| p[1] > 0.0))
    .collect();
    let y = range_of(share.iter().flat_map(|c| &c.points), (0.0, 0.2));
    Chart {
        id: "share",
        title: "Guidance to score |λd| / |s|",
        about: "How hard the discriminator pulls compared with the image model, at each noise level.",
        x_name: "σ",
        height: (room * 0.4).clamp(100.0, 220.0),
        x,
        y: (0.0, y.1),
        decimals: 3,
        log_x: true,
        curves: share,
        band: None,
        mark: None,
        ..Default::default()
    }
    .show(ui);
    note(
        ui,
        "Of the frame shown, member 1. D = 1 / (1 + exp(−logit)); the logit itself, not D, guides.",
    );
}

fn pick(
    ui: &Ui,
    traces: &[(LaneKind, &DenoisingTrace)],
    value: impl Fn(&DenoisingTrace, usize) -> Option<f64>,
) -> Vec<Curve> {
    traces
        .iter()
        .map(|(kind, trace)| {
            let points = trace
                .sigma
                .iter()
                .enumerate()
                .filter(|(_, s)| **s > 0.0)
                .filter_map(|(i, s)| Some([-f64::from(*s).log10(), value(trace, i)?]))
                .filter(|p| p[1].is_finite())
                .collect();
            curve(ui, *kind, points, true)
        })
        .collect()
}

fn sigmoid(logit: f64) -> f64 {
    1.0 / (1.0 + (-logit).exp())
}
