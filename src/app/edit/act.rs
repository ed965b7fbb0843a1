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
use crate::rollout::frame::FrameSet;
use crate::rollout::microscope::{Answer, AsideOptions, Job, Question};
use crate::rollout::settings::{GuidanceSettings, LaneKind};

use super::super::stage::Stage;
use super::super::state::State;
use super::history::History;
use super::{Editor, Fed};

/// What a history was taken from: where this is the same again, so is the history, wherever its frames lie.
pub struct Taken {
    set: Arc<FrameSet>,
    lane: LaneKind,
    member: usize,
    /// The archive in which it was last found.
    version: (u64, u64),
}

/// All that the discriminator's answer depends on.
pub struct Asked {
    frames: Vec<Arc<[f32]>>,
    guidance: GuidanceSettings,
    seed: u64,
    options: AsideOptions,
}

impl Asked {
    fn is(&self, other: &Self) -> bool {
        self.frames.len() == other.frames.len()
            && (self.frames.iter().zip(&other.frames)).all(|(a, b)| Arc::ptr_eq(a, b))
            && self.guidance == other.guidance
            && self.seed == other.seed
            && self.options == other.options
    }
}

/// Lets the thread end when the stage is not in use.
pub fn rest(state: &mut State) {
    if state.stage != Stage::Edit && state.edit.answers.is_open() {
        state.edit.answers.close();
        state.edit.asked = None;
    }
}

/// The frame shown, its lane whose frames are edited (the guided one, or the one that stands for it), and the member.
fn seen(state: &State) -> Option<Taken> {
    let set = state.shown()?;
    let lanes = [
        LaneKind::Guided,
        LaneKind::GuidedVideo,
        LaneKind::Video,
        LaneKind::Unconditional,
        LaneKind::Truth,
    ];
    Some(Taken {
        lane: lanes.into_iter().find(|k| set.lanes[k.index()].is_some())?,
        set: Arc::clone(set),
        member: state.member,
        version: state.version,
    })
}

/// A member's frame of a lane, if it is kept.
fn frame(state: &State, from: &Taken, index: usize) -> Option<Arc<[f32]>> {
    let set = state.archive.load(index)?;
    let lane = set.lanes[from.lane.index()].as_ref()?;
    let last = lane.members.len().checked_sub(1)?;
    lane.members.get(from.member.min(last)).cloned()
}

/// The frames up to the one that is taken from, oldest first.
fn frames(state: &State, from: &Taken) -> Vec<Arc<[f32]>> {
    let newest_first = (0..=from.set.index).rev().take(HISTORY);
    let mut frames: Vec<_> = newest_first
        .map_while(|index| frame(state, from, index))
        .collect();
    frames.reverse();
    frames
}

fn take_up(state: &State, from: &Taken) -> Option<History> {
    let at = from.set.index;
    let frames = frames(state, from);
    let older = (at + 1).checked_sub(frames.len() + 1);
    let older = older.and_then(|index| frame(state, from, index));
    if frames.is_empty() {
        return None;
    }
    let mut history = History::new(at, frames, older);
    history.date = state.globe().map(|g| g.calendar).zip(from.set.date);
    Some(history)
}

/// Whether the rollout on screen has the frames that the history was taken from. They are looked up only where the archive
/// is another one than when they were last found.
fn is_kept(state: &mut State) -> bool {
    let (Some(taken), Some(history)) = (&state.edit.taken, &state.edit.history) else {
        return false;
    };
    if taken.version == state.version {
        return true;
    }
    let now = frames(state, taken);
    let kept = history.original();
    let same = now.len() == kept.len()
        && now
            .iter()
            .zip(kept)
            .all(|(a, b)| Arc::ptr_eq(a, b) || a == b);
    let version = state.version;
    if let Some(taken) = state.edit.taken.as_mut().filter(|_| same) {
        taken.version = version;
    }
    same
}

/// Takes up the frame shown. What was changed by hand stays, whatever the timeline shows, as long as its rollout does.
fn follow(state: &mut State) {
    let kept = is_kept(state);
    if state.edit.is_edited() || !state.edit.stroke.is_empty() {
        if kept {
            return;
        }
        state.edit.clear();
        let gone = "The frames that were edited are of another rollout: the changes are dropped";
        state.notices.news(gone);
    }
    // While frames are being made the one that was opened stays.
    if kept && state.play.playing {
        return;
    }
    let Some(now) = seen(state) else {
        (state.edit.history, state.edit.taken) = (None, None);
        return;
    };
    let same = state.edit.taken.as_ref().is_some_and(|t| {
        let it = Arc::ptr_eq(&t.set, &now.set) && (t.lane, t.member) == (now.lane, now.member);
        it && (kept || t.version == now.version)
    });
    if !same {
        state.edit.history = take_up(state, &now);
        state.edit.taken = Some(now);
        (state.edit.chosen, state.edit.fed) = (None, None);
    }
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
    follow(state);
    hear(&mut state.edit);
    ask(ctx, state);
}

fn hear(edit: &mut Editor) {
    match edit.answers.hear() {
        Some(Ok(Answer::Verdict(verdict))) => {
            edit.verdict = Some(verdict);
            edit.error = None;
        }
        Some(Err(error)) => edit.error = Some(error),
        Some(Ok(Answer::Denoising(_))) | None => {}
    }
}

/// The guidance without what the answer does not depend on: a slider of those asks nothing.
fn of_the_answer(guidance: &GuidanceSettings) -> GuidanceSettings {
    GuidanceSettings {
        history: guidance.history,
        discriminator: guidance.discriminator,
        season: guidance.season,
        belief: guidance.belief,
        ..GuidanceSettings::default()
    }
}

fn ask(ctx: &egui::Context, state: &mut State) {
    let Some(history) = &state.edit.history else {
        return;
    };
    let asked = Asked {
        frames: history.frames().to_vec(),
        guidance: of_the_answer(&state.prefs.settings.guidance),
        seed: state.spec().seed,
        options: state.answers_with(),
    };
    let known = state.edit.asked.as_ref().is_some_and(|a| a.is(&asked));
    if known || asked.frames.len() < 2 {
        return;
    }
    // Newest first, and the frame before them, which nobody edits.
    let series = |frames: &[Arc<[f32]>]| {
        let newest = frames.iter().rev().cloned();
        newest.chain(history.older.clone()).collect::<Vec<_>>()
    };
    let question = Question {
        original: series(history.original()),
        edited: series(&asked.frames),
        guidance: asked.guidance.clone(),
        date: history.date,
        seed: asked.seed,
    };
    let edit = &mut state.edit;
    let job = Job::Judge(Arc::new(question));
    edit.answers.ask(ctx, asked.options.clone(), job);
    edit.asked = Some(asked);
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
        follow(self);
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
        self.branch_edited(at, edited);
    }
}
