//! Editing the history: the last frames up to the frame shown, changed by hand; the discriminator's answer before anything
//! is sampled; then the model goes on from them, as a branch.
//!
//! | file | what is in it |
//! |---|---|
//! | `history` | the frames being edited, undo and redo |
//! | `canvas` | the frame under the brush, and the strip of all of them |
//! | `side` | tools, drawing, the discriminator's answer |
//! | `act` | what the stage does: takes up frames, asks, goes on |

mod act;
mod canvas;
mod history;
mod side;

use std::path::PathBuf;
use std::sync::Arc;

use egui::{CornerRadius, Key, Modifiers, Rect, RichText, Ui, UiBuilder, pos2, vec2};

use crate::data::drawing::Drawing;
use crate::error::UserError;
use crate::field::edit::{Brush, Clip, Towards};
use crate::rollout::microscope::Verdict;

use super::answers::Answers;
use super::globe_lines::GlobeLines;
use super::opening::is_picture;
use super::state::State;
use super::theme::{GRID, palette};
use history::History;

pub use act::rest;

/// What the pointer does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tool {
    /// Fades what is there.
    #[default]
    Erase,
    /// Paints a value.
    Paint,
    /// Drags a disc elsewhere.
    Move,
    /// Chooses a disc to turn, mirror or copy.
    Select,
    /// Puts a copied disc down.
    Paste,
}

/// A drawing that is being fed.
struct Fed {
    drawing: Arc<Drawing>,
    name: String,
    /// Multiple of the data's spread, or the largest amount of rain (mm/day).
    size: f32,
    /// What is dark has the high values.
    dark: bool,
    /// The frames before it came.
    before: Vec<Arc<[f32]>>,
}

/// State of the stage.
pub struct Editor {
    history: Option<History>,
    /// What the history was taken from.
    taken: Option<act::Taken>,
    /// Which tool.
    pub tool: Tool,
    brush: Brush,
    towards: Towards,
    /// Value that is painted: multiples of the data's spread, or mm/day.
    amount: f32,
    /// Whether all frames are changed alike.
    pub all: bool,
    degrees: f32,
    stroke: Vec<[f32; 2]>,
    chosen: Option<[f32; 2]>,
    clip: Option<Clip>,
    fed: Option<Fed>,
    /// Typed path of a drawing.
    pub path: String,
    answers: Answers,
    /// What the discriminator was asked.
    asked: Option<act::Asked>,
    verdict: Option<Arc<Verdict>>,
    error: Option<UserError>,
    lines: GlobeLines,
}

impl Default for Editor {
    fn default() -> Self {
        Self {
            history: None,
            taken: None,
            tool: Tool::default(),
            brush: Brush {
                radius: 8.0,
                hardness: 0.5,
            },
            towards: Towards::default(),
            amount: 0.0,
            all: true,
            degrees: 90.0,
            stroke: Vec::new(),
            chosen: None,
            clip: None,
            fed: None,
            path: String::new(),
            answers: Answers::default(),
            asked: None,
            verdict: None,
            error: None,
            lines: GlobeLines::default(),
        }
    }
}

impl Editor {
    /// The frames as they are now, oldest first.
    pub fn frames(&self) -> &[Arc<[f32]>] {
        self.history.as_ref().map_or(&[], |h| h.frames())
    }

    /// Whether anything was changed.
    pub fn is_edited(&self) -> bool {
        self.history.as_ref().is_some_and(History::is_edited)
    }

    /// Gives up the frames and the thread; the tools stay as they are.
    pub fn clear(&mut self) {
        *self = Self {
            tool: self.tool,
            brush: self.brush,
            towards: self.towards,
            all: self.all,
            degrees: self.degrees,
            ..Self::default()
        };
    }

    /// The discriminator's answer.
    pub fn verdict(&self) -> Option<&Arc<Verdict>> {
        self.verdict.as_ref()
    }
}

/// Keys of this stage: undo and redo.
pub fn keyboard(ctx: &egui::Context, state: &mut State) {
    let redo = ctx.input_mut(|i| {
        i.consume_key(Modifiers::COMMAND | Modifiers::SHIFT, Key::Z)
            || i.consume_key(Modifiers::COMMAND, Key::Y)
    });
    let undo = ctx.input_mut(|i| i.consume_key(Modifiers::COMMAND, Key::Z));
    if let Some(history) = &mut state.edit.history {
        if redo {
            history.redo();
        } else if undo {
            history.undo();
        }
        if undo || redo {
            state.edit.fed = None;
        }
    }
}

/// Whether files that were dropped are a drawing for this stage: a picture that this program saved is its recipe elsewhere.
pub fn takes(state: &State, files: &[PathBuf]) -> bool {
    let [file] = files else {
        return false;
    };
    is_picture(file) && !state.archive.frames.is_empty() && state.stage == super::Stage::Edit
}

/// The stage.
pub fn show(ui: &mut Ui, state: &mut State) {
    let whole = ui.max_rect();
    ui.painter()
        .rect_filled(whole, CornerRadius::ZERO, palette(ui).canvas);
    act::poll(ui.ctx(), state);
    let area = whole.shrink2(vec2(4.0 * GRID, 2.0 * GRID));
    if state.edit.history.is_none() {
        ui.scope_builder(UiBuilder::new().max_rect(area), |ui| {
            ui.vertical_centered(|ui| {
                ui.add_space(ui.available_height() * 0.35);
                ui.label(RichText::new("No frames to edit").heading());
                ui.label(RichText::new("The frames before this one are no longer kept.").weak());
            });
        });
        return;
    }
    const SIDE: f32 = 248.0;
    let left = Rect::from_min_max(
        area.min,
        pos2(area.right() - SIDE - 4.0 * GRID, area.bottom()),
    );
    let right = Rect::from_min_max(pos2(area.right() - SIDE, area.top()), area.max);
    canvas::show(ui, state, left);
    ui.scope_builder(UiBuilder::new().max_rect(right), |ui| {
        egui::ScrollArea::vertical()
            .auto_shrink([false, false])
            .show(ui, |ui| side::show(ui, state));
    });
}
