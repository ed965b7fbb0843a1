//! D, the guidance's share and spectra, with a mark at the evaluation shown.

use egui::{Color32, Rect, Ui, UiBuilder, pos2, vec2};

use crate::rollout::frame::DenoisingTrace;
use crate::rollout::microscope::{Denoising, Stop, Verdict};

use super::super::plots::chart::{Chart, Curve, range_of};
use super::super::plots::time::curve;
use super::super::state::State;
use super::super::theme::{GRID, palette};
use super::super::widgets::segmented_of_width;

/// Width from which three charts stand side by side, points.
const THREE: f32 = 640.0;

/// All charts.
pub fn show(ui: &mut Ui, state: &mut State) {
    let Some((result, stop)) = state.microscope.shown() else {
        return;
    };
    let (result, stop) = (std::sync::Arc::clone(result), stop.clone());
    let area = ui.max_rect();
    let count = if area.width() >= THREE { 3 } else { 2 };
    let gap = 3.0 * GRID;
    let each = (area.width() - gap * (count as f32 - 1.0)) / count as f32;
    let cell = |i: usize| {
        Rect::from_min_size(
            pos2(area.left() + i as f32 * (each + gap), area.top()),
            vec2(each, area.height()),
        )
    };
    let mark = Some(-stop.sigma.log10());
    // Titles, axis numbers and the choice above the curves take the rest.
    let height = (area.height() - 62.0).max(50.0);
    let m = &mut state.microscope;
    let spectra_only = count == 2 && m.spectra;
    ui.scope_builder(UiBuilder::new().max_rect(cell(0)), |ui| {
        let choices = [
            (false, "D", "The probability that the candidate follows"),
            (
                true,
                "logit",
                "log(D / (1 − D)): what guides; it still has a slope where D is sure",
            ),
        ];
        segmented_of_width(ui, "D curve", &mut m.logit, &choices, 104.0);
        answer(ui, &result, m.logit, mark, height);
    });
    ui.scope_builder(UiBuilder::new().max_rect(cell(1)), |ui| {
        if count == 2 {
            let choices = [
                (
                    false,
                    "guidance",
                    "How hard the discriminator pulls, by noise level",
                ),
                (true, "spectra", "Power by wavenumber at this noise level"),
            ];
            segmented_of_width(ui, "Second curve", &mut m.spectra, &choices, 152.0);
        } else {
            ui.add_space(24.0 + ui.spacing().item_spacing.y);
        }
        match spectra_only {
            true => spectrum(ui, &result, &stop, height),
            false => share(ui, &result, mark, height),
        }
    });
    if count == 3 {
        ui.scope_builder(UiBuilder::new().max_rect(cell(2)), |ui| {
            ui.add_space(24.0 + ui.spacing().item_spacing.y);
            spectrum(ui, &result, &stop, height);
        });
    }
}

/// One line a row, over -log10 of the noise level, ascending.
fn lines(
    ui: &Ui,
    result: &Denoising,
    value: impl Fn(&DenoisingTrace, usize) -> Option<f64>,
) -> Vec<Curve> {
    result
        .kinds
        .iter()
        .zip(&result.traces)
        .map(|(kind, trace)| {
            let mut points: Vec<[f64; 2]> = trace
                .sigma
                .iter()
                .enumerate()
                .filter(|(_, s)| **s > 0.0)
                .filter_map(|(i, s)| Some([-f64::from(*s).log10(), value(trace, i)?]))
                .filter(|p| p[1].is_finite())
                .collect();
            // Heun goes back up a little before each step.
            points.sort_by(|a, b| a[0].total_cmp(&b[0]));
            let few = points.len() <= 60;
            curve(ui, *kind, points, few)
        })
        .collect()
}

fn span(curves: &[Curve]) -> (f64, f64) {
    let x = curves.iter().flat_map(|c| &c.points).map(|p| p[0]);
    let (lo, hi) = x.fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), x| {
        (lo.min(x), hi.max(x))
    });
    if lo < hi { (lo, hi) } else { (-2.0, 2.0) }
}

fn answer(ui: &mut Ui, result: &Denoising, logit: bool, mark: Option<f64>, height: f32) {
    let curves = lines(ui, result, |t, i| {
        let l = f64::from(*t.logit.get(i)?);
        Some(if logit { l } else { Verdict::chance(l) })
    });
    let y = match logit {
        true => range_of(curves.iter().flat_map(|c| &c.points), (-1.0, 1.0)),
        false => (-0.04, 1.04),
    };
    Chart {
        id: "scope answer",
        title: if logit { "Logit of D against noise σ" } else { "D against noise σ" },
        about: "Both candidates began at the same noise and are judged by the same frames before them. \
                With guidance D rises towards 1; without it falls once details appear that do not follow.",
        x_name: "σ",
        height,
        x: span(&curves),
        y,
        decimals: if logit { 1 } else { 3 },
        log_x: true,
        curves,
        mark,
        ..Default::default()
    }
    .show(ui);
}

fn share(ui: &mut Ui, result: &Denoising, mark: Option<f64>, height: f32) {
    let curves = lines(ui, result, |t, i| {
        t.guidance_ratio.get(i).map(|r| f64::from(*r))
    });
    let x = span(&curves);
    let curves: Vec<Curve> = curves
        .into_iter()
        .filter(|c| c.points.iter().any(|p| p[1] > 0.0))
        .collect();
    let y = range_of(curves.iter().flat_map(|c| &c.points), (0.0, 0.2));
    Chart {
        id: "scope share",
        title: "Guidance to score |λd| / |s|",
        about: "How hard the discriminator pulls compared with the image model, at each noise level.",
        x_name: "σ",
        height,
        x,
        y: (0.0, y.1),
        decimals: 3,
        log_x: true,
        curves,
        mark,
        ..Default::default()
    }
    .show(ui);
}

fn spectrum(ui: &mut Ui, result: &Denoising, stop: &Stop, height: f32) {
    let p = palette(ui);
    let line = |name: &str, color: Color32, dashed: bool, power: &[f64]| Curve {
        name: name.into(),
        color,
        dashed,
        dots: false,
        points: power
            .iter()
            .enumerate()
            .skip(1)
            .filter(|(_, v)| v.is_finite() && **v > 0.0)
            .map(|(k, v)| [k as f64, v.log10()])
            .collect(),
    };
    let [without, with] = [0, 1].map(|row| &stop.rows[row].spectra);
    let curves = vec![
        line("noised", p.weak, false, &with[0]),
        line("frame", p.text, false, &result.spectra[1]),
        line("λ 0", p.lane(result.kinds[0]), true, &without[1]),
        line("estimate", p.lane(result.kinds[1]), false, &with[2]),
    ];
    let end = result.spectra[1].len().saturating_sub(1).max(2) as f64;
    let last = curves
        .iter()
        .flat_map(|c| c.points.last())
        .map(|p| p[0])
        .fold(2.0, f64::max);
    // From the frame's weakest wavenumber to the strongest of all: an empty estimate does not stretch the axis.
    let floor = curves[1]
        .points
        .iter()
        .map(|p| p[1])
        .fold(f64::INFINITY, f64::min)
        - 0.5;
    let top = curves
        .iter()
        .flat_map(|c| &c.points)
        .map(|p| p[1])
        .fold(f64::NEG_INFINITY, f64::max);
    let (floor, top) = match floor < top {
        true => (floor, top),
        false => (-1.0, 1.0),
    };
    Chart {
        id: "scope spectrum",
        title: "Power by wavenumber k, log10",
        about: "Noise fills all wavenumbers alike. Where the noised spectrum lies far above the frame's, the model can only guess: \
                the estimate with guidance (solid) keeps what the discriminator knows of the frames before, the one without (dashed) does not.",
        x_name: "k",
        height,
        x: (1.0, last.min(end)),
        y: (floor, top + 0.06 * (top - floor)),
        decimals: 2,
        curves,
        ..Default::default()
    }
    .show(ui);
}
