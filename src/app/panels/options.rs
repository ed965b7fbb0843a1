//! The sections that fold away: sampler, rollout, picture.

use std::path::PathBuf;

use egui::{ComboBox, DragValue, Slider, Ui};

use crate::render::{ColorMap, View};
use crate::rollout::settings::{Schedule, Solver, Start};

use super::super::files::Purpose;
use super::super::state::State;
use super::super::theme::{GRID, palette};
use super::super::widgets::{Icon, icon_button, note, row, segmented};
use super::super::words;
use super::{controls, quality, rain_options};

/// Steps, solver, churn, start.
pub fn sampler(ui: &mut Ui, state: &mut State) {
    let mut s = state.prefs.settings.sampler.clone();
    quality::show(ui, state, &mut s);
    let choices = [
        (
            Solver::Flow,
            "flow",
            "Follows the two-tower discriminator's Gaussian law exactly, and what the networks know beyond it by a rule of second \
             order: few evaluations are enough at every λ",
        ),
        (
            Solver::Dpm,
            "dpm",
            "DPM-Solver++(2M): deterministic, one network evaluation a step",
        ),
        (
            Solver::Dpm3,
            "dpm3",
            "DPM-Solver++ of third order: looks at two earlier estimates",
        ),
        (
            Solver::UniPc,
            "unipc",
            "Predictor and corrector, as in UniPC: each state is corrected once its own estimate is known, one evaluation a step",
        ),
        (
            Solver::Heun,
            "heun",
            "Stochastic Heun of second order, two evaluations a step",
        ),
        (
            Solver::AsPrinted,
            "as printed",
            "The update as printed in the paper: total guidance 1.5 λ",
        ),
    ];
    let tip = "How a frame is led from noise to a picture";
    row(ui, "Solver", tip, |ui| {
        ComboBox::from_id_salt("solver")
            .selected_text(words::solver(s.solver))
            .show_ui(ui, |ui| {
                for (solver, name, about) in choices {
                    let before = s.solver;
                    if ui
                        .selectable_value(&mut s.solver, solver, name)
                        .on_hover_text(about)
                        .clicked()
                        && s.steps == before.usual_steps()
                    {
                        s.steps = solver.usual_steps();
                    }
                }
            });
    });
    row(
        ui,
        "Steps",
        "Noise levels at which the networks are asked on the way from noise to a frame; flow is good from about 4, dpm from 8",
        |ui| {
            ui.add(DragValue::new(&mut s.steps).speed(0.2).range(2..=200));
        },
    );
    let choices = [
        (
            Schedule::Geometric,
            "geometric",
            "Noise levels in equal ratios: best at few steps",
        ),
        (
            Schedule::Karras,
            "Karras",
            "The paper's noise levels, ρ = 7: more of them at low noise",
        ),
    ];
    segmented(ui, "Noise levels", &mut s.schedule, &choices);
    if s.solver == Solver::Flow {
        let tip = "Noise level σ at which the networks are asked first (the data's σ is 0.5). From pure noise to there the law alone \
                   is followed.";
        row(ui, "First at σ", tip, |ui| {
            ui.add(
                DragValue::new(&mut s.sigma_first)
                    .speed(0.05)
                    .range(1.0..=100.0)
                    .max_decimals(1),
            );
        });
        if !state.has_law() {
            let dpm = s.without_law();
            note(
                ui,
                format!(
                    "this discriminator has no Gaussian law to follow: dpm with {} steps makes the frames",
                    dpm.steps
                ),
            );
        }
    }
    let saturation = s.churn_saturation();
    ui.add_enabled_ui(s.solver.is_stochastic(), |ui| {
        let tip = "Fresh noise at every step, S_churn. Above steps × (√2 − 1) more changes nothing: the slider ends there.";
        row(ui, "Churn", tip, |ui| {
            s.churn = s.churn.min(saturation);
            ui.add(DragValue::new(&mut s.churn).speed(0.05).range(0.0..=saturation).fixed_decimals(1));
        });
        ui.spacing_mut().slider_width = ui.available_width();
        ui.add(Slider::new(&mut s.churn, 0.0..=saturation).show_value(false).text(""))
            .on_hover_text(tip);
        note(ui, format!("saturates at {saturation:.1} for {} steps", s.steps));
    });
    if !s.solver.is_stochastic() {
        note(ui, "this solver is deterministic: churn does nothing in it");
    }
    ui.add_space(GRID);
    let top = ui.cursor().min;
    ui.label("Start of each frame");
    let mut warm = matches!(s.start, Start::Warm { .. });
    let choices = [
        (false, "noise", "Every frame begins from pure noise"),
        (true, "warm", "Begins from the last frame plus noise"),
    ];
    if segmented(ui, "Start of each frame", &mut warm, &choices) {
        s.start = if warm {
            Start::Warm { sigma: 3.0 }
        } else {
            Start::Noise
        };
    }
    if let Start::Warm { sigma } = &mut s.start {
        let (lo, hi) = (s.sigma_min, s.sigma_max);
        row(ui, "Noise σ", "Noise added to the last frame", |ui| {
            ui.add(
                DragValue::new(sigma)
                    .speed(0.02)
                    .range(lo..=hi)
                    .max_decimals(2),
            );
        });
        let mut warning = "A warm start fakes autocorrelation: the picture can freeze and jitter and still have the right one. \
                           Judge it by the dynamics skill.";
        if state.globe().is_some() {
            warning = "A warm start fakes autocorrelation: the picture can freeze and jitter and still have the right one. \
                       Look at the Hovmöller diagram.";
        }
        let color = palette(ui).alarm;
        ui.label(egui::RichText::new(warning).small().color(color));
    }
    controls::mark(ui, state, "start", top);
    if s != state.prefs.settings.sampler {
        state.prefs.settings.sampler = s;
        state.publish();
    }
}

/// Seed, members, start file.
pub fn rollout(ui: &mut Ui, state: &mut State) {
    let mut restart = false;
    let mut spec = state.prefs.spec.clone();
    row(
        ui,
        "Seed",
        "All noise is a function of the seed: the same seed makes the same rollout",
        |ui| {
            if icon_button(ui, Icon::Dice, 24.0, "Random seed").clicked() {
                spec.seed = random_seed();
                restart = true;
            }
            let response = ui.add(
                DragValue::new(&mut spec.seed)
                    .speed(0.1)
                    .update_while_editing(false),
            );
            restart |= response.drag_stopped()
                || (response.lost_focus() && spec.seed != state.spec().seed);
        },
    );
    let tip = "Rollouts side by side under the same settings, each with noise of its own";
    row(ui, "Members", tip, |ui| {
        let response = ui.add(
            DragValue::new(&mut spec.members)
                .speed(0.1)
                .range(1..=64)
                .update_while_editing(false),
        );
        restart |= response.drag_stopped()
            || (response.lost_focus() && spec.members != state.spec().members);
    });
    let choices = [(1, "1", ""), (2, "2", ""), (4, "4", ""), (8, "8", "")];
    restart |= segmented(ui, "Members", &mut spec.members, &choices);
    if state.globe().is_none() && spec.members > 1 {
        let one = ui.checkbox(&mut spec.one_start, "All from one start");
        let one = one.on_hover_text(
            "An ensemble: all members begin with the first one's frames, so that truth can be held against them",
        );
        restart |= one.changed();
    }
    state.prefs.spec = spec;

    ui.add_space(GRID);
    restart |= rain_options::start_date(ui, state);
    let label = ui.label("Start from a file");
    let edit = egui::TextEdit::singleline(&mut state.files.start_path)
        .hint_text("path, or drop a file here")
        .desired_width(f32::INFINITY);
    let response = ui.add(edit).labelled_by(label.id);
    let entered = response.lost_focus() && ui.input(|i| i.key_pressed(egui::Key::Enter));
    ui.horizontal(|ui| {
        if ui
            .add_enabled(!state.files.waiting(), egui::Button::new("Open…"))
            .clicked()
        {
            let near = PathBuf::from(&state.files.start_path);
            state.files.open_dialog(ui.ctx(), Purpose::Start, &near);
        }
        if state.spec().start_file.is_some() && ui.button("Clear").clicked() {
            state.files.start_path.clear();
            state.files.start_date.clear();
            let spec = &mut state.prefs.spec;
            (spec.start_file, spec.start_date) = (None, None);
            (spec.more_files, spec.reading) = (Vec::new(), Default::default());
            restart = true;
        }
        restart |= ui
            .button("Restart")
            .on_hover_text("Begin a new rollout with this seed and start")
            .clicked();
    });
    if entered || restart {
        let typed = state.files.start_path.trim();
        let typed = (!typed.is_empty()).then(|| PathBuf::from(typed));
        match typed {
            // On the globe a file is looked into before it is used; one that is in use was.
            Some(path) if state.spec().start_file.as_ref() != Some(&path) => {
                state.start_from(ui.ctx(), vec![path]);
            }
            _ => {
                state.prefs.spec.start_file = typed;
                state.restart();
            }
        }
    }
    note(
        ui,
        "These begin a new rollout. Everything else acts on the one that runs.",
    );
}

/// A seed that a person can read out: up to five digits, from the clock.
fn random_seed() -> u64 {
    let nanos = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |d| d.as_nanos() as u64);
    // Fibonacci hashing spreads neighbouring times.
    (nanos.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) % 100_000
}

/// Colour map, range, smoothing, zoom.
pub fn picture(ui: &mut Ui, state: &mut State) {
    if state.globe().is_some() {
        return rain_options::picture(ui, state);
    }
    let dark = ui.visuals().dark_mode;
    row(ui, "Colours", "", |ui| {
        let chosen = state.prefs.color_map;
        let text = chosen.map_or("by theme", ColorMap::label);
        ComboBox::from_id_salt("colour map")
            .selected_text(text)
            .show_ui(ui, |ui| {
                ui.selectable_value(&mut state.prefs.color_map, None, "by theme");
                for map in ColorMap::ALL.into_iter().filter(|m| *m != ColorMap::Navia) {
                    ui.selectable_value(&mut state.prefs.color_map, Some(map), map.label())
                        .on_hover_text(map.about());
                }
            });
    });
    let mut limit = state.look(dark).range.hi;
    let tip = "The same for all lanes and all times, so that a colour always means the same value";
    let reset = row(ui, "Range ±", tip, |ui| {
        let response = ui.add(
            DragValue::new(&mut limit)
                .speed(0.05)
                .range(0.01..=1e4)
                .max_decimals(2),
        );
        if response.changed() {
            state.prefs.range_limit = Some(limit);
        }
        state.prefs.range_limit.is_some() && ui.small_button("Reset").clicked()
    });
    if reset {
        state.prefs.range_limit = None;
    }
    ui.checkbox(&mut state.prefs.smooth, "Smooth between cells");
    if !state.view.is_default() && ui.button("Whole box").clicked() {
        state.view = View::default();
    }
}
