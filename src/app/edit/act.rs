//! What the stage does besides drawing: takes frames up, asks the discriminator, feeds a drawing, goes on.

use std::path::Path;
use std::sync::Arc;

use crate::data::drawing::{Drawing, Mapping};
use crate::error::UserError;
use crate::field::Globe;
use crate::field::edit::Sheet;
use crate::render::projection::half_turn;
use crate::rollout::branch::{EditedHistory, Members};
use crate::rollout::engine::HISTORY;
use crate::rollout::microscope::{Answer, Aside, AsideOptions, Job, Question};
use crate::rollout::protocol::Command;
use crate::rollout::settings::LaneKind;

use super::super::stage::Stage;
use super::super::state::State;
use super::history::History;
use super::{Editor, Fed};

/// Lets the thread end when the stage is not in use.
pub fn rest(state: &mut State) {
    if state.stage != Stage::Edit && state.edit.aside.is_some() {
        (state.edit.aside, state.edit.waiting) = (None, None);
        state.edit.asked.clear();
    }
}

/// The lane whose frames are edited: the guided one, or the one that stands for it.
fn lane(state: &State) -> Option<LaneKind> {
    let set = state.shown()?;
    [
        LaneKind::Guided,
        LaneKind::GuidedVideo,
        LaneKind::Video,
        LaneKind::Unconditional,
        LaneKind::Truth,
    ]
    .into_iter()
    .find(|k| set.lanes[k.index()].is_some())
}

/// The frames up to the one shown.
fn take_up(state: &State) -> Option<History> {
    let at = state.shown()?.index;
    let kind = lane(state)?;
    let frame = |index: usize| {
        let set = state.archive.load(index)?;
        let lane = set.lanes[kind.index()].as_ref()?;
        state.values(lane).cloned()
    };
    let mut frames: Vec<_> = (0..=at).rev().take(HISTORY).map_while(frame).collect();
    frames.reverse();
    if frames.is_empty() {
        return None;
    }
    let older = (at + 1).checked_sub(frames.len() + 1).and_then(frame);
    let mut history = History::new(at, frames, older);
    let date = state.shown()?.date;
    history.date = state.globe().map(|g| g.calendar).zip(date);
    Some(history)
}

/// The column of a map from 180° W to 180° E that lies over each column of the grid.
fn map_columns(grid: &Globe) -> Vec<usize> {
    let column = |i: usize| (half_turn(grid.lon(i)) + 180.0) / grid.dlon();
    let wrap = |c: f64| (c.floor().max(0.0) as usize) % grid.nx.max(1);
    (0..grid.nx).map(|i| wrap(column(i))).collect()
}

/// A field with its columns taken from others.
fn across(field: &[f32], columns: &[usize]) -> Vec<f32> {
    let rows = field.chunks_exact(columns.len().max(1));
    rows.flat_map(|row| columns.iter().filter_map(|c| row.get(*c).copied()))
        .collect()
}

/// Takes up the frame shown, hears the discriminator, asks it about what has changed.
pub fn poll(ctx: &egui::Context, state: &mut State) {
    if state.edit.amount == 0.0 {
        state.edit.amount = if state.globe().is_some() { 20.0 } else { 2.0 };
    }
    // What was changed by hand stays, whatever the timeline shows.
    if !state.edit.is_edited() && state.edit.stroke.is_empty() && !state.play.playing {
        let fresh = take_up(state);
        let same = match (&fresh, &state.edit.history) {
            (Some(new), Some(old)) => {
                new.at == old.at
                    && new.frames().len() == old.original().len()
                    && new
                        .frames()
                        .iter()
                        .zip(old.original())
                        .all(|(a, b)| Arc::ptr_eq(a, b))
            }
            (None, None) => true,
            _ => false,
        };
        if !same {
            state.edit.history = fresh;
            (state.edit.chosen, state.edit.fed) = (None, None);
        }
    }
    hear(&mut state.edit);
    ask(ctx, state);
}

fn hear(edit: &mut Editor) {
    let Some(aside) = &edit.aside else {
        return;
    };
    if let Some((id, answer)) = aside.take()
        && edit.waiting == Some(id)
    {
        edit.waiting = None;
        match answer {
            Ok(Answer::Verdict(verdict)) => {
                edit.verdict = Some(verdict);
                edit.error = None;
            }
            Ok(Answer::Denoising(_)) => {}
            Err(error) => edit.error = Some(error),
        }
    }
    if !aside.is_alive() {
        edit.aside = None;
    }
}

fn ask(ctx: &egui::Context, state: &mut State) {
    let Some(history) = &state.edit.history else {
        return;
    };
    let now = history.frames();
    let asked = &state.edit.asked;
    let known = asked.len() == now.len() && asked.iter().zip(now).all(|(a, b)| Arc::ptr_eq(a, b));
    if known || now.len() < 2 {
        return;
    }
    // Newest first, and the frame before them, which nobody edits.
    let series = |frames: &[Arc<[f32]>]| {
        let newest = frames.iter().rev().cloned();
        newest.chain(history.older.clone()).collect::<Vec<_>>()
    };
    let question = Question {
        original: series(history.original()),
        edited: series(now),
        guidance: state.prefs.settings.guidance.clone(),
        date: history.date,
        seed: state.spec().seed,
    };
    let options = AsideOptions {
        model: state.prefs.model.clone(),
        device: state.device,
        closed_form: state.prefs.spec.closed_form.clone(),
    };
    let now = now.to_vec();
    let edit = &mut state.edit;
    edit.asked = now;
    let ctx = ctx.clone();
    let aside = edit
        .aside
        .get_or_insert_with(|| Aside::spawn(options, Arc::new(move || ctx.request_repaint())));
    edit.waiting = Some(aside.ask(Job::Judge(Arc::new(question))));
}

impl State {
    /// Opens the editor on the frames up to the one shown; the rollout pauses.
    pub fn open_editor(&mut self) {
        let order = self.play.halt();
        self.obey(order);
        self.stage = Stage::Edit;
    }

    /// The sheet that the model's fields are drawn on.
    pub(super) fn sheet(&self) -> Sheet {
        let (nx, ny) = self.size();
        Sheet {
            nx,
            ny,
            wrap_y: self.globe().is_none(),
        }
    }

    /// Feeds a drawing that was read as the last frame.
    pub(in crate::app) fn feed_drawing(&mut self, path: &Path, drawing: Drawing) {
        self.open_editor();
        if self.edit.history.is_none() {
            self.edit.history = take_up(self);
        }
        let rain = self.globe().is_some();
        let Some(history) = &mut self.edit.history else {
            return self.notices.warn(UserError::new(
                "There is no frame that the drawing could replace",
                "nothing has been made yet",
                "wait for the first frames",
            ));
        };
        history.shown = history.frames().len().saturating_sub(1);
        let before = history.frames().to_vec();
        history.set(before.clone());
        self.edit.path = path.display().to_string();
        self.edit.fed = Some(Fed {
            drawing: Arc::new(drawing),
            name: path
                .file_name()
                .map_or_else(String::new, |n| n.to_string_lossy().into_owned()),
            size: if rain { 30.0 } else { 1.0 },
            dark: true,
            before,
        });
        self.refeed();
    }

    /// The drawing with the values that are set.
    pub(super) fn refeed(&mut self) {
        let sheet = self.sheet();
        let std = self.facts.as_ref().map_or(1.0, |f| f.data_std) as f32;
        let columns = self.grid().map(map_columns);
        let rain = self.globe().is_some();
        let edit = &mut self.edit;
        let (Some(fed), Some(history)) = (&edit.fed, &mut edit.history) else {
            return;
        };
        let mapping = match rain {
            true => Mapping::Range {
                lo: 0.0,
                hi: fed.size,
            },
            false => Mapping::Spread {
                std: fed.size * std,
            },
        };
        let field = fed.drawing.field(sheet.nx, sheet.ny, mapping, fed.dark);
        let field = match columns {
            Some(columns) => across(&field, &columns),
            None => field,
        };
        let mut frames = fed.before.clone();
        if let Some(last) = frames.last_mut() {
            *last = field.into();
        }
        history.revise(frames);
    }

    /// The model goes on from the frames as they are now, in a branch of its own.
    pub fn go_on_from_edit(&mut self) {
        let Some(history) = &self.edit.history else {
            return;
        };
        let at = history.at;
        let members = self.spec().members.max(1);
        let frames: Vec<Members> = history
            .frames()
            .iter()
            .map(|frame| vec![Arc::clone(frame); members])
            .collect();
        let mut edited = EditedHistory::all(&frames);
        if self.globe().is_some() {
            // Recorded days stay what was recorded.
            edited.lanes[LaneKind::Truth.index()] = None;
        }
        self.source.send(Command::Pause);
        self.source.send(Command::Branch {
            at,
            name: Some(format!("edited {at}")),
            history: Some(Box::new(edited)),
        });
        self.blow_ups = Default::default();
        self.play.restart();
        self.source.send(Command::Run);
        self.edit = Editor {
            tool: self.edit.tool,
            brush: self.edit.brush,
            all: self.edit.all,
            ..Editor::default()
        };
        self.stage = Stage::Lanes;
    }
}
