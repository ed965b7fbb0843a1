//! Samplers from quick to good, with what each was measured to give.

use egui::Ui;

use super::super::state::State;
use super::super::theme::GRID;
use super::super::widgets::{note, segmented};
use super::super::words;
use crate::model::card::SamplerCard;
use crate::rollout::settings::SamplerSettings;

/// A choice of quality or speed; nothing for a model whose samplers were not measured.
pub fn show(ui: &mut Ui, state: &State, sampler: &mut SamplerSettings) {
    let Some(facts) = state.facts.as_ref().filter(|f| !f.samplers.is_empty()) else {
        return;
    };
    ui.label("Quality or speed").on_hover_text(
        "Samplers measured side by side: errors of rollouts with each of them, and network evaluations that a frame takes",
    );
    let tips: Vec<String> = facts.samplers.iter().map(told).collect();
    let choices: Vec<(Option<usize>, &str, &str)> = facts
        .samplers
        .iter()
        .zip(&tips)
        .enumerate()
        .map(|(i, (s, tip))| (Some(i), s.name.as_str(), tip.as_str()))
        .collect();
    let mut chosen = facts
        .samplers
        .iter()
        .position(|s| s.solver == sampler.solver && s.steps == sampler.steps);
    if segmented(ui, "Quality or speed", &mut chosen, &choices)
        && let Some(s) = chosen.and_then(|i| facts.samplers.get(i))
    {
        (sampler.solver, sampler.steps) = (s.solver, s.steps);
    }
    note(
        ui,
        match chosen.and_then(|i| tips.get(i)) {
            Some(tip) => tip.clone(),
            None => "a sampler of your own".into(),
        },
    );
    ui.add_space(GRID);
}

/// What a sampler is and what it was measured to give.
fn told(s: &SamplerCard) -> String {
    let evaluations = s.solver.evaluations(s.steps);
    let mut out = format!(
        "{} {}, {evaluations} evaluations a frame",
        words::solver(s.solver),
        s.steps
    );
    let f = &s.figures;
    let mut add = |what: &str, value: Option<f64>, digits: usize| {
        if let Some(v) = value {
            out.push_str(&format!(" · {what} {v:.digits$}"));
        }
    };
    add("ACF error", f.acf_error, 3);
    add("std ×", f.std_ratio, 3);
    add("skill minus truth's", f.skill_difference, 3);
    add("wet area minus truth's", f.wet_difference, 3);
    add("spectrum error", f.spectrum_error, 3);
    add("without guidance std ×", f.alone_std_ratio, 3);
    add("spectrum error", f.alone_spectrum_error, 3);
    out
}
