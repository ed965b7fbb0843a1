//! Worlds with known answers: their parameters, and what the discriminator is made to believe of them.

use egui::{DragValue, Slider, Ui, WidgetInfo};

use crate::closed_form::{Belief, ClosedForm, GaussianProcess, TravellingWave, Way};
use crate::rollout::settings::LaneKind;

use super::super::state::State;
use super::super::theme::GRID;
use super::super::widgets::{note, number, row, section, segmented};
use super::controls;

/// What was done to a parameter.
#[derive(Default)]
struct Edits {
    /// A value is another one.
    changed: bool,
    /// And the hand is off it.
    settled: bool,
}

/// One parameter: label, exact entry, slider.
fn parameter(
    ui: &mut Ui,
    edits: &mut Edits,
    (label, tip): (&str, &str),
    value: &mut f32,
    (lo, hi, decimals): (f32, f32, usize),
) {
    let mut take = |response: egui::Response| {
        edits.changed |= response.changed();
        edits.settled |= response.drag_stopped() || (response.changed() && !response.dragged());
    };
    row(ui, label, tip, |ui| {
        let entry = DragValue::new(value)
            .speed((hi - lo) / 400.0)
            .range(lo..=hi)
            .fixed_decimals(decimals)
            .update_while_editing(false);
        take(ui.add(entry));
    });
    ui.spacing_mut().slider_width = ui.available_width();
    let slider = ui.add(Slider::new(value, lo..=hi).show_value(false));
    let now = f64::from(*value);
    slider.widget_info(|| WidgetInfo::slider(true, now, label));
    take(slider);
}

/// The section of the world's parameters, where the model has them.
pub fn show(ui: &mut Ui, state: &mut State) {
    let Some(mut world) = state.world_asked() else {
        return;
    };
    let mut edits = Edits::default();
    let summary = match &world {
        ClosedForm::GaussianProcess(p) => {
            format!(
                "r {} · {} cells",
                number(p.correlation.into(), 2),
                number(p.length.into(), 1)
            )
        }
        ClosedForm::TravellingWave(p) => {
            format!(
                "{} × {} · {} cells/frame",
                p.across,
                p.up,
                number(p.speed.into(), 1)
            )
        }
    };
    let mut open = state.prefs.folds.world;
    let top = ui.cursor().min;
    section(ui, "World", &mut open, &summary, |ui| {
        match &mut world {
            ClosedForm::GaussianProcess(p) => gaussian(ui, p, &mut edits),
            ClosedForm::TravellingWave(p) => wave(ui, p, &mut edits),
        }
        ui.add_space(GRID);
        note(
            ui,
            "A change begins a new rollout. Score and D are exact for these values.",
        );
        if state.prefs.spec.closed_form.is_some() && ui.button("Usual values").clicked() {
            if let Some(usual) = ClosedForm::named(world.name()) {
                world = usual;
            }
            (edits.changed, edits.settled) = (true, true);
        }
    });
    state.prefs.folds.world = open;
    controls::mark(ui, state, "world", top);
    if edits.changed {
        state.prefs.spec.closed_form = Some(world);
    }
    if edits.settled {
        state.restart();
    }
}

fn gaussian(ui: &mut Ui, p: &mut GaussianProcess, edits: &mut Edits) {
    parameter(
        ui,
        edits,
        (
            "Correlation length, cells",
            "How far a blob reaches. Wavenumbers k beyond 1 / length fade, in the end as 1 / k^6.",
        ),
        &mut p.length,
        (2.0, 10.0, 1),
    );
    parameter(
        ui,
        edits,
        (
            "Lag-1 correlation",
            "How alike a frame and the next one are, seen by someone who moves with the drift; 1 would stand still",
        ),
        &mut p.correlation,
        (0.0, 0.995, 3),
    );
    parameter(
        ui,
        edits,
        (
            "Small scales forget faster",
            "0: all scales live equally long; 1: their lifetime falls with the wavenumber k; 2: with k²",
        ),
        &mut p.small_scales,
        (0.0, 2.0, 1),
    );
    parameter(
        ui,
        edits,
        (
            "Inertia",
            "0: the last frame tells all (AR(1)). Above 0 a change tends to go on, and the frame before tells where to \
             (AR(2), second root over the first): then the history length matters.",
        ),
        &mut p.inertia,
        (0.0, 0.9, 2),
    );
    parameter(
        ui,
        edits,
        ("Drift, cells/frame", "How fast the whole field moves"),
        &mut p.speed,
        (0.0, 6.0, 1),
    );
    parameter(
        ui,
        edits,
        ("Direction, °", "Where to: 0 = to the right, 90 = up"),
        &mut p.direction,
        (-180.0, 180.0, 0),
    );
}

fn wave(ui: &mut Ui, p: &mut TravellingWave, edits: &mut Edits) {
    let mut counts = [p.across, p.up];
    let names = [
        (
            "Wave lengths across",
            "How many fit into the width of the box",
        ),
        ("Wave lengths up", "How many fit into its height"),
    ];
    for (count, (label, tip)) in counts.iter_mut().zip(names) {
        let mut value = *count as f32;
        parameter(
            ui,
            edits,
            (label, tip),
            &mut value,
            (0.0, TravellingWave::MOST as f32, 0),
        );
        *count = value.round() as u32;
    }
    // A wave without crests is none.
    if counts != [0, 0] {
        [p.across, p.up] = counts;
    }
    parameter(
        ui,
        edits,
        (
            "Speed, cells/frame",
            "How far a crest moves from frame to frame",
        ),
        &mut p.speed,
        (0.0, 6.0, 1),
    );
    ui.label("Way");
    let choices = [
        (
            Way::Forward,
            "forward",
            "Along its wave vector: the last frame tells the next",
        ),
        (Way::Backward, "backward", "Against it"),
        (
            Way::Either,
            "either",
            "One way for a whole run, but which is not known: only two frames tell. Needs a history length of 1 or more.",
        ),
    ];
    if segmented(ui, "Way", &mut p.way, &choices) {
        (edits.changed, edits.settled) = (true, true);
    }
    parameter(
        ui,
        edits,
        (
            "Noise of the cells",
            "Standard deviation over the wave's amplitude, fresh in every frame",
        ),
        &mut p.noise,
        (0.02, 1.0, 2),
    );
}

/// What D believes, in place of the choice of networks.
pub fn belief(ui: &mut Ui, state: &mut State) {
    let Some(world) = state.world_asked() else {
        return;
    };
    let before = state.prefs.settings.guidance.belief;
    let mut mistaken = before.is_some();
    let choices = [
        (
            false,
            "exact",
            "The discriminator of the world as it is: log p(x | past) − log p(x)",
        ),
        (
            true,
            "mistaken",
            "A discriminator that is just as sure of itself, and believes something false of the world",
        ),
    ];
    segmented(ui, "Discriminator", &mut mistaken, &choices);
    let mut belief = mistaken.then(|| before.unwrap_or(false_belief(&world)));
    if let Some(b) = &mut belief {
        let mut edits = Edits::default();
        if let ClosedForm::GaussianProcess(p) = &world {
            parameter(
                ui,
                &mut edits,
                (
                    "Believes in lag-1",
                    "The lag-1 correlation that D takes for true",
                ),
                &mut b.correlation,
                (0.0, 0.995, 3),
            );
            note(ui, format!("true is {}", number(p.correlation.into(), 3)));
        }
        parameter(
            ui,
            &mut edits,
            (
                "Believes in speed ×",
                "The velocity that D takes for true, as a multiple of the true one; below 0 the other way",
            ),
            &mut b.velocity,
            (-2.0, 2.0, 2),
        );
        let speed = world_speed(&world);
        note(
            ui,
            format!(
                "{} cells/frame, true is {}",
                number(f64::from(b.velocity * speed), 1),
                number(speed.into(), 1)
            ),
        );
    }
    let beside = state.prefs.settings.lanes[LaneKind::Video.index()];
    if mistaken && before.is_some() && !beside {
        let show = ui.button("Show the right one beside").on_hover_text(
            "Switches on the lane of the exact law of the next frame, from the same noise",
        );
        if show.clicked() {
            let mut lanes = state.prefs.settings.lanes;
            lanes[LaneKind::Video.index()] = true;
            state.set_lanes(lanes);
        }
    }
    if belief != before {
        state.prefs.settings.guidance.belief = belief;
        state.publish();
    }
}

/// One false thing to begin with: that it moves the other way.
fn false_belief(world: &ClosedForm) -> Belief {
    Belief {
        correlation: match world {
            ClosedForm::GaussianProcess(p) => p.correlation,
            ClosedForm::TravellingWave(_) => Belief::default().correlation,
        },
        velocity: -1.0,
    }
}

fn world_speed(world: &ClosedForm) -> f32 {
    match world {
        ClosedForm::GaussianProcess(p) => p.speed,
        ClosedForm::TravellingWave(p) => p.speed,
    }
}

impl State {
    /// The world with known answers, if the model is one: as it was asked for, applied or not.
    pub fn world_asked(&self) -> Option<ClosedForm> {
        let facts = self.facts.as_ref()?;
        let applied = facts.closed_form.as_ref()?;
        let asked = self.prefs.spec.closed_form.clone();
        asked
            .filter(|a| a.name() == applied.name())
            .or_else(|| ClosedForm::named(applied.name()))
    }

    /// What D is said to be in one word, for worlds with known answers.
    pub(in crate::app) fn believes(belief: Option<Belief>) -> &'static str {
        match belief {
            None => "exact",
            Some(_) => "mistaken",
        }
    }
}
