//! What the middle of the window shows: the lanes, or one of the instruments built around them.

use egui::{Context, Rect, Ui, UiBuilder, pos2, vec2};

use super::edit;
use super::microscope;
use super::panels::{diagnostics, timeline, viewport};
use super::state::State;
use super::theme::{GRID, palette};
use super::twin;
use super::wall;
use super::widgets::segmented_of_width;

/// Height of the row in which the stage is chosen, points.
const BAR: f32 = 9.0 * GRID;

/// A stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Stage {
    /// The lanes side by side.
    #[default]
    Lanes,
    /// One frame's denoising, step by step.
    Microscope,
    /// The last frames, changed by hand.
    Edit,
    /// Linked rollouts with one setting varied.
    Wall,
    /// What the real world would have done from a frame of the model.
    Twin,
}

impl Stage {
    /// All stages, left to right, with their names and what they are for.
    pub const ALL: &'static [(Self, &'static str, &'static str)] = &[
        (Self::Lanes, "Lanes", "The methods side by side"),
        (
            Self::Microscope,
            "Microscope",
            "One frame's denoising, step by step, with and without guidance (X)",
        ),
        (
            Self::Edit,
            "Edit",
            "Change the last frames by hand; the model goes on from them (E)",
        ),
        (
            Self::Wall,
            "Wall",
            "Up to 16 rollouts from the same start and noise, with one setting varied. The lanes are paused meanwhile.",
        ),
        (
            Self::Twin,
            "Twin",
            "What the real world would have done from a frame of the model: the solver beside it, or the nearest recorded days",
        ),
    ];
}

impl State {
    /// Shows a stage. Those that look at a frame pause the rollout there.
    pub fn open_stage(&mut self, stage: Stage) {
        match stage {
            Stage::Microscope => self.open_microscope(None),
            Stage::Edit => self.open_editor(),
            Stage::Lanes | Stage::Wall | Stage::Twin => self.stage = stage,
        }
    }
}

/// The row of stages (where there is a choice) and the stage below it.
pub fn show(ui: &mut Ui, state: &mut State) {
    microscope::rest(state);
    edit::rest(state);
    let whole = ui.max_rect();
    let mut below = whole;
    if Stage::ALL.len() > 1 && !state.archive.frames.is_empty() {
        ui.painter().rect_filled(whole, 0.0, palette(ui).canvas);
        let bar = Rect::from_min_size(whole.min, vec2(whole.width(), BAR));
        below.min.y = bar.max.y - 2.0 * GRID;
        let width = 88.0 * Stage::ALL.len() as f32;
        let row = Rect::from_min_size(
            pos2(bar.center().x - width / 2.0, bar.min.y + GRID),
            vec2(width, BAR - 2.0 * GRID),
        );
        state.marks.set("stage", row);
        ui.scope_builder(UiBuilder::new().max_rect(row), |ui| {
            let mut chosen = state.stage;
            if segmented_of_width(ui, "Stage", &mut chosen, Stage::ALL, width) {
                state.open_stage(chosen);
            }
        });
    }
    ui.scope_builder(UiBuilder::new().max_rect(below), |ui| match state.stage {
        Stage::Lanes => viewport::show(ui, state),
        Stage::Microscope => microscope::show(ui, state),
        Stage::Edit => edit::show(ui, state),
        Stage::Wall => wall::show(ui, state),
        Stage::Twin => twin::show(ui, state),
    });
}

/// The panel on the right.
pub fn side(ui: &mut Ui, state: &mut State) {
    match state.stage {
        Stage::Wall if state.wall.is_open() => {
            state.source.watch_pairs(false);
            wall::side(ui, state);
        }
        Stage::Twin => {
            state.source.watch_pairs(false);
            twin::side(ui, state);
        }
        _ => diagnostics::show(ui, state),
    }
}

/// The bar below: play, step, scrub.
pub fn bottom(ui: &mut Ui, state: &mut State) {
    match state.stage {
        Stage::Wall if state.wall.is_open() => wall::bottom(ui, state),
        _ => timeline::show(ui, state),
    }
}

/// Keys that mean something else while a stage is shown.
pub fn keys(ctx: &Context, state: &mut State) {
    match state.stage {
        Stage::Wall if state.wall.is_open() => wall::keys(ctx, state),
        _ => {}
    }
}
