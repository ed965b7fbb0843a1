//! Controls on the left: what a first visitor needs is open, the rest folds away.

use egui::{DragValue, RichText, ScrollArea, Ui, UiBuilder};

use crate::rollout::settings::{DiscriminatorKind, LaneKind};

use super::super::spotlight;
use super::super::state::State;
use super::super::theme::{GRID, palette};
use super::super::widgets::{note, row, section, segmented};
use super::super::words;
use super::{compare, known_world, options, rain_options, strength};

/// The whole panel.
pub fn show(ui: &mut Ui, state: &mut State) {
    // The scroll bar lies in the margin, beside what it scrolls.
    let (mut area, width) = (ui.max_rect(), ui.available_width());
    area.max.x += 3.0 * GRID;
    ui.scope_builder(UiBuilder::new().max_rect(area), |ui| {
        sections(ui, state, width);
    });
}

fn sections(ui: &mut Ui, state: &mut State, width: f32) {
    ScrollArea::vertical()
        .auto_shrink([false, false])
        .show(ui, |ui| {
            ui.set_max_width(width);
            ui.add_space(2.0 * GRID);
            guidance(ui, state);
            known_world::show(ui, state);
            let mut folds = state.prefs.folds.clone();
            let sampler = &state.prefs.settings.sampler;
            let summary = format!(
                "{} · {} steps",
                words::solver(sampler.solver),
                sampler.steps
            );
            let top = ui.cursor().min;
            section(ui, "Sampler", &mut folds.sampler, &summary, |ui| {
                options::sampler(ui, state);
            });
            mark(ui, state, "sampler", top);
            let spec = state.spec();
            let members = if spec.members == 1 {
                "1 member".to_owned()
            } else {
                format!("{} members", spec.members)
            };
            let summary = format!("seed {} · {members}", spec.seed);
            let top = ui.cursor().min;
            section(ui, "Rollout", &mut folds.rollout, &summary, |ui| {
                options::rollout(ui, state);
            });
            mark(ui, state, "rollout", top);
            let summary = format!("{} shown", state.lanes().len());
            let top = ui.cursor().min;
            section(ui, "Lanes", &mut folds.lanes, &summary, |ui| {
                lanes(ui, state)
            });
            mark(ui, state, "lanes", top);
            let dark = ui.visuals().dark_mode;
            let summary = match state.globe() {
                Some(_) => state.prefs.rain_map().label(),
                None => state.prefs.map(dark).label(),
            };
            section(ui, "Picture", &mut folds.picture, summary, |ui| {
                options::picture(ui, state);
            });
            state.prefs.folds = folds;
            follow_focus(ui, state);
        });
}

/// Brings the control that the keyboard has just come to into sight.
fn follow_focus(ui: &Ui, state: &mut State) {
    let focused = ui.memory(|m| m.focused());
    if std::mem::replace(&mut state.focused, focused) == focused {
        return;
    }
    let response = focused.and_then(|id| ui.ctx().read_response(id));
    if let Some(response) = response
        && ui.min_rect().x_range().contains(response.rect.center().x)
        && ui.min_rect().contains_rect(response.rect)
    {
        ui.scroll_to_rect(response.rect.expand(GRID), None);
    }
}

/// Names what was drawn since `top`, so that it can be pointed at.
pub fn mark(ui: &mut Ui, state: &mut State, name: &'static str, top: egui::Pos2) {
    let end = egui::pos2(ui.max_rect().right(), ui.cursor().top());
    let rect = egui::Rect::from_min_max(top, end);
    state.marks.set(name, rect);
    if state.lessons.scroll_to == Some(name) {
        state.lessons.scroll_to = None;
        ui.scroll_to_rect(rect.expand(2.0 * GRID), None);
    }
    spotlight::ring(ui, state, name, rect);
}

fn guidance(ui: &mut Ui, state: &mut State) {
    ui.label(RichText::new("Guidance").strong());
    ui.add_space(GRID);
    let top = ui.cursor().min;
    strength::show(ui, state);
    mark(ui, state, "strength", top);
    ui.add_space(GRID);

    let mut g = state.prefs.settings.guidance.clone();
    let globe = state.globe().is_some();
    let top = ui.cursor().min;
    ui.label("History").on_hover_text(if globe {
        "How many days before the last one the discriminator sees. Rain hides the wind that moves it: earlier days tell \
         where it is going."
    } else {
        "How many frames before the last one the discriminator sees. On vorticity the last frame holds the \
         whole state, so little changes: that is physics, not a fault."
    });
    let choices = [
        (0, "0", "the last frame only"),
        (1, "1", "one frame before the last"),
        (2, "2", "two frames before the last"),
        (3, "3", "three frames before the last"),
    ];
    segmented(ui, "History length", &mut g.history, &choices);
    mark(ui, state, "history", top);
    if g != state.prefs.settings.guidance {
        state.prefs.settings.guidance = g;
        state.publish();
    }
    ui.add_space(GRID);
    rain_options::season(ui, state);

    let mut g = state.prefs.settings.guidance.clone();
    let known = state.world_asked().is_some();
    let kind = match known {
        true => State::believes(g.belief),
        false => words::discriminator(g.discriminator),
    };
    let everywhere = g.sigma_lo <= 0.0 && g.sigma_hi >= state.prefs.settings.sampler.sigma_max;
    let summary = if everywhere {
        kind.to_owned()
    } else {
        format!("{kind} · σ interval")
    };
    let mut open = state.prefs.folds.guidance;
    let top = ui.cursor().min;
    section(ui, "Discriminator", &mut open, &summary, |ui| {
        let choices = [
            (
                DiscriminatorKind::TwoTower,
                "two-tower",
                "A tower that looks at the history, compared with the candidate in closed form",
            ),
            (
                DiscriminatorKind::Encoder,
                "encoder",
                "The paper's: a noise-conditioned U-Net encoder; it needs a much larger λ",
            ),
        ];
        if known {
            known_world::belief(ui, state);
            g.belief = state.prefs.settings.guidance.belief;
        } else if segmented(ui, "Discriminator", &mut g.discriminator, &choices) {
            // Each has a strength and a history length of its own.
            if let Some(facts) = &state.facts {
                g.strength = facts.suggested_strength[g.discriminator as usize];
                g.history = facts.suggested_history[g.discriminator as usize];
            }
        }
        let tip = "Guidance acts only at noise levels σ in this interval (the data's σ is 0.5)";
        row(ui, "Acts for σ from", tip, |ui| {
            let hi = g.sigma_hi;
            ui.add(
                DragValue::new(&mut g.sigma_lo)
                    .speed(0.01)
                    .range(0.0..=hi)
                    .max_decimals(3),
            );
        });
        row(ui, "to", tip, |ui| {
            let lo = g.sigma_lo;
            ui.add(
                DragValue::new(&mut g.sigma_hi)
                    .speed(0.5)
                    .range(lo..=1000.0)
                    .max_decimals(3),
            );
        });
    });
    state.prefs.folds.guidance = open;
    mark(ui, state, "discriminator", top);
    if g != state.prefs.settings.guidance {
        state.prefs.settings.guidance = g;
        state.publish();
    }
}

/// The strength of the guided video lane: its own, since the video model knows the history already.
fn video_strength(ui: &mut Ui, state: &mut State) {
    let before = state.prefs.settings.guidance.video_strength;
    let slot = &mut state.prefs.settings.guidance.video_strength;
    let tip = "Guidance strength of the guided video lane. The video model sees the history already, and the discriminator \
               counts it again: small values correct it, 1 counts it twice.";
    row(ui, "λ of guided video", tip, |ui| {
        ui.add(
            DragValue::new(slot)
                .speed(0.01)
                .range(0.0..=2.0)
                .max_decimals(2),
        );
    });
    if before != state.prefs.settings.guidance.video_strength {
        state.publish();
    }
}

fn lanes(ui: &mut Ui, state: &mut State) {
    let globe = state.globe().is_some();
    let known = state.world_asked().is_some();
    let about = |kind| match kind {
        LaneKind::Truth if globe => "recorded days, from the same start",
        LaneKind::Truth if known => "draws from the known law, from the same start",
        LaneKind::Video if known => {
            "the exact law of the next frame: what a D that is right comes to"
        }
        LaneKind::GuidedVideo if known => {
            "the same with D's gradient on top: the past counts twice"
        }
        LaneKind::Forecaster if known => "draws from the law that D believes in, no diffusion",
        LaneKind::Truth => "the solver, from the same start",
        LaneKind::Unconditional => "the image model alone, λ = 0",
        LaneKind::Guided => "the image model, guided",
        LaneKind::Forecaster => "history tower + Gaussian noise, no diffusion: the control to beat",
        LaneKind::Video => "a diffusion model that sees the last frames itself: the baseline",
        LaneKind::GuidedVideo => "the video model with the discriminator's gradient on top",
    };
    let mut lanes = state.prefs.settings.lanes;
    let video = state.facts.as_ref().is_none_or(|f| f.video);
    for kind in LaneKind::ALL {
        let on = &mut lanes[kind.index()];
        let color = palette(ui).lane(kind);
        ui.spacing_mut().item_spacing.y = 0.0;
        let there = video || !kind.is_video();
        let name = RichText::new(kind.label()).color(color);
        ui.add_enabled(there, egui::Checkbox::new(on, name))
            .on_disabled_hover_text(
                "This model has no video model; eddyscope train video makes one",
            );
        ui.horizontal(|ui| {
            ui.spacing_mut().interact_size.y = 0.0;
            ui.add_space(16.0);
            note(ui, about(kind));
        });
        if kind == LaneKind::GuidedVideo && lanes[kind.index()] {
            video_strength(ui, state);
        }
        ui.add_space(1.5 * GRID);
    }
    state.set_lanes(lanes);
    compare::controls(ui, state);
}
