//! Which frame, which lane, which evaluation.

use egui::{Align, Layout, ProgressBar, RichText, Slider, Ui, vec2};

use crate::rollout::microscope::Agreement;
use crate::rollout::settings::LaneKind;

use super::super::state::State;
use super::super::theme::{self, GRID, palette};
use super::super::widgets::{Icon, icon_button, number, segmented_of_width, that_fits};
use super::super::words;

/// Lanes of the frame shown that a sampler makes.
pub fn lanes(state: &State) -> Vec<LaneKind> {
    let Some(set) = state.shown() else {
        return Vec::new();
    };
    LaneKind::SAMPLED
        .into_iter()
        .filter(|k| set.lanes[k.index()].is_some())
        .collect()
}

/// Above the pictures: lane, frame, and whether it came out as it was kept.
pub fn head(ui: &mut Ui, state: &mut State) {
    let lanes = lanes(state);
    ui.horizontal_centered(|ui| {
        let choices: Vec<_> = lanes
            .iter()
            .map(|k| (*k, words::lane(*k), "The lane whose frame is made again"))
            .collect();
        if choices.len() > 1 {
            let width = 84.0 * choices.len() as f32;
            segmented_of_width(ui, "Microscope lane", &mut state.microscope.lane, &choices, width);
            ui.add_space(GRID);
        }
        let frame = state.shown().map_or(0, |f| f.index);
        let m = &state.microscope;
        let specimen = m.result.as_ref().map(|r| &r.specimen);
        let frame = specimen.map_or(frame, |s| s.frame);
        let members = if state.spec().members > 1 {
            let first = state.spec().first_member;
            let member = specimen.map_or(state.member, |s| (s.member as usize).saturating_sub(first));
            format!(", member {}", member + 1)
        } else {
            String::new()
        };
        ui.label(format!("Frame {frame}{members}"));
        if m.answers.is_waiting() {
            progress(ui, state);
            return;
        }
        if let Some(result) = &m.result {
            let (text, tip) = match result.agreement {
                Agreement::Equal => (
                    [
                        "recomputed, equal bit for bit".to_owned(),
                        "equal bit for bit".to_owned(),
                        "equal".to_owned(),
                    ],
                    "Made again from the seed, the frame's number, its settings and the frames before it; nothing was stored. It is the kept frame, bit for bit.",
                ),
                Agreement::Differs(rms) => {
                    let units = state.facts.as_ref().map_or("", |f| f.units.as_str());
                    let by = format!("differs by {} {units} rms", small(rms));
                    (
                        [
                            format!("recomputed, {by}"),
                            by,
                            "differs".to_owned(),
                        ],
                        "Made again from its recipe. The device adds in another order when fewer frames go through the networks together, so the last bits can differ; a large difference means that the frame was not made from this recipe.",
                    )
                }
            };
            let texts = text.each_ref().map(String::as_str);
            let said = that_fits(ui, &texts, &theme::body());
            let response = ui.label(RichText::new(said).weak());
            response.on_hover_text(format!("{}. {tip}", texts[0]));
        }
    });
}

fn progress(ui: &mut Ui, state: &mut State) {
    let m = &mut state.microscope;
    let Some(progress) = m.answers.progress() else {
        return;
    };
    let (done, of) = progress.step;
    let share = if of > 0 { done as f32 / of as f32 } else { 0.0 };
    ui.add(
        ProgressBar::new(share)
            .desired_width(120.0)
            .desired_height(6.0)
            .fill(palette(ui).accent),
    );
    ui.label(RichText::new(progress.activity).small().weak());
    if ui
        .button("Cancel")
        .on_hover_text("Stops after the step in progress")
        .clicked()
    {
        m.answers.cancel();
        m.cancelled = m.result.is_none();
    }
}

/// Below the pictures: the evaluation shown.
pub fn bar(ui: &mut Ui, state: &mut State) {
    let factor = match state.microscope.shown() {
        Some((r, _)) if r.unit.physical => Some(r.unit.factor),
        _ => None,
    };
    let units = state
        .facts
        .as_ref()
        .map_or(String::new(), |f| f.units.clone());
    let m = &mut state.microscope;
    let last = m.last();
    ui.horizontal_centered(|ui| {
        ui.spacing_mut().item_spacing.x = 2.0;
        if icon_button(ui, Icon::First, 26.0, "First evaluation: pure noise (Home)").clicked() {
            m.go(0);
        }
        if icon_button(ui, Icon::Back, 26.0, "One evaluation back (←)").clicked() {
            m.go(m.stop.saturating_sub(1));
        }
        let (icon, name) = match m.playing {
            true => (Icon::Pause, "Pause the denoising (Space)"),
            false => (Icon::Play, "Play the denoising (Space)"),
        };
        if icon_button(ui, icon, 30.0, name).clicked() {
            m.toggle();
        }
        if icon_button(ui, Icon::Forward, 26.0, "One evaluation forward (→)").clicked() {
            m.go(m.stop + 1);
        }
        if icon_button(ui, Icon::Last, 26.0, "Last evaluation: the clean frame (End)").clicked() {
            m.go(usize::MAX);
        }
        ui.add_space(2.0 * GRID);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            if let Some((result, stop)) = m.shown() {
                let sigma = match factor {
                    Some(f) => format!(
                        "noise σ {} = {} {units}",
                        figures(stop.sigma),
                        figures(stop.sigma * f64::from(f))
                    ),
                    None => format!("noise σ {}", figures(stop.sigma)),
                };
                let all = result.traces[0].sigma.len();
                let heun = result
                    .specimen
                    .settings_at(0)
                    .is_some_and(|s| s.sampler.solver.is_stochastic());
                let tip = if heun {
                    "Heun asks the networks twice a step: at the noise level where the step begins, and at the one where it ends"
                } else {
                    "The solver asks the networks once a step"
                };
                let text = format!("evaluation {} of {all}   {sigma}", stop.evaluation + 1);
                ui.allocate_ui_with_layout(
                    vec2(268.0, 24.0),
                    Layout::right_to_left(Align::Center),
                    |ui| {
                        ui.set_min_width(268.0);
                        ui.label(RichText::new(text).small()).on_hover_text(tip);
                    },
                );
            }
            ui.spacing_mut().slider_width = (ui.available_width() - 2.0 * GRID).max(40.0);
            let mut at = m.stop.min(last);
            let slider = ui
                .add_enabled(last > 0, Slider::new(&mut at, 0..=last.max(1)).show_value(false))
                .on_hover_text("From pure noise (left) to the clean frame (right)");
            slider.widget_info(|| egui::WidgetInfo::slider(last > 0, at as f64, "Evaluation shown"));
            if slider.changed() {
                m.go(at);
            }
        });
    });
}

/// Three figures, or a power of ten where that would be too long.
pub fn small(value: f64) -> String {
    match value.abs() {
        v if v >= 1e4 || (v > 0.0 && v < 1e-3) => format!("{value:.1e}").replace('-', "−"),
        _ => figures(value),
    }
}

/// Three figures.
pub fn figures(value: f64) -> String {
    let decimals = match value.abs() {
        v if v >= 99.95 => 0,
        v if v >= 9.995 => 1,
        v if v >= 0.9995 => 2,
        _ => 3,
    };
    number(value, decimals)
}
