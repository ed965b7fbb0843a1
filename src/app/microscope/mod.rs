//! The microscope: one frame's denoising, evaluation by evaluation, with and without guidance from the same noise.
//!
//! The frame shown is made again by a thread of its own ([`crate::rollout::microscope`]); the window only shows what came
//! back. The thread lives while the stage is in use.
//!
//! | file | what is in it |
//! |---|---|
//! | `pictures` | the two rows of fields, their colours, the values under the pointer |
//! | `curves` | D, the guidance's share and spectra by noise level |
//! | `scrub` | the frame and lane looked at, the evaluation shown |

mod curves;
mod pictures;
mod scrub;

use std::sync::Arc;

use egui::{CornerRadius, Key, Modifiers, Rect, RichText, Ui, UiBuilder, pos2, vec2};

use crate::error::UserError;
use crate::rollout::microscope::{Answer, Denoising, Job, Refusal, Specimen, Stop};
use crate::rollout::settings::LaneKind;

use super::answers::Answers;
use super::globe_lines::GlobeLines;
use super::stage::Stage;
use super::state::State;
use super::theme::{GRID, palette};

/// Evaluations shown a second while it plays.
const RATE: f32 = 4.0;

/// What is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Sight {
    epoch: u64,
    frame: usize,
    lane: LaneKind,
    member: usize,
    seed: u64,
    /// Where the kept frame lies in memory: another branch has another one.
    kept: usize,
}

/// State of the stage.
pub struct Microscope {
    /// The lane that is looked at.
    pub lane: LaneKind,
    /// Which evaluation is shown.
    pub stop: usize,
    /// Whether the evaluations follow one another.
    pub playing: bool,
    /// The guidance as it is added to the score, not to the clean estimate.
    gradient: bool,
    /// The clean estimate with the guidance in it.
    guided_estimate: bool,
    /// The logit instead of D.
    logit: bool,
    /// Spectra instead of the guidance's share, where there is no room for both.
    spectra: bool,
    fraction: f32,
    answers: Answers,
    asked: Option<Sight>,
    result: Option<Arc<Denoising>>,
    refusal: Option<Refusal>,
    error: Option<UserError>,
    cancelled: bool,
    hover: Option<(usize, usize)>,
    lines: [GlobeLines; 2],
}

impl Default for Microscope {
    fn default() -> Self {
        Self {
            lane: LaneKind::Guided,
            stop: 0,
            playing: false,
            gradient: false,
            guided_estimate: false,
            logit: false,
            spectra: false,
            fraction: 0.0,
            answers: Answers::default(),
            asked: None,
            result: None,
            refusal: None,
            error: None,
            cancelled: false,
            hover: None,
            lines: Default::default(),
        }
    }
}

impl Microscope {
    /// The denoising on screen.
    pub fn result(&self) -> Option<&Arc<Denoising>> {
        self.result.as_ref()
    }

    /// The evaluation on screen.
    fn shown(&self) -> Option<(&Arc<Denoising>, &Stop)> {
        let result = self.result.as_ref()?;
        let stop = result
            .stops
            .get(self.stop.min(result.stops.len().saturating_sub(1)))?;
        Some((result, stop))
    }

    /// Gives up what is looked at and the thread; what the columns show stays as it is.
    pub fn clear(&mut self) {
        *self = Self {
            lane: self.lane,
            gradient: self.gradient,
            guided_estimate: self.guided_estimate,
            logit: self.logit,
            spectra: self.spectra,
            ..Self::default()
        };
    }

    fn last(&self) -> usize {
        let stops = self.result.as_ref().map_or(0, |r| r.stops.len());
        stops.saturating_sub(1)
    }

    fn go(&mut self, stop: usize) {
        self.stop = stop.min(self.last());
        self.playing = false;
    }

    /// Plays from the start when it stands at the end.
    fn toggle(&mut self) {
        self.playing = !self.playing;
        self.fraction = 0.0;
        if self.playing && self.stop >= self.last() {
            self.stop = 0;
        }
    }
}

impl State {
    /// Opens the microscope on the frame shown of a lane; the rollout pauses.
    pub fn open_microscope(&mut self, lane: Option<LaneKind>) {
        if let Some(lane) = lane {
            self.microscope.lane = lane;
        }
        let order = self.play.halt();
        self.obey(order);
        self.microscope.cancelled = false;
        self.stage = Stage::Microscope;
    }
}

/// Lets the thread end when the stage is not in use.
pub fn rest(state: &mut State) {
    if state.stage != Stage::Microscope && state.microscope.answers.is_open() {
        let m = &mut state.microscope;
        m.answers.close();
        m.playing = false;
        if m.result.is_none() {
            m.asked = None;
        }
    }
}

/// What the keyboard does here, before it does what it does elsewhere.
pub fn keyboard(ctx: &egui::Context, state: &mut State) {
    let pressed = |key: Key| ctx.input_mut(|i| i.consume_key(Modifiers::NONE, key));
    let m = &mut state.microscope;
    if pressed(Key::ArrowLeft) {
        m.go(m.stop.saturating_sub(1));
    }
    if pressed(Key::ArrowRight) {
        m.go(m.stop + 1);
    }
    if pressed(Key::Home) {
        m.go(0);
    }
    if pressed(Key::End) {
        m.go(usize::MAX);
    }
    if pressed(Key::Space) {
        m.toggle();
    }
}

/// Asks for the frame shown, hears the answer, lets time pass.
fn poll(ctx: &egui::Context, state: &mut State) {
    let lanes = scrub::lanes(state);
    if !lanes.contains(&state.microscope.lane)
        && let Some(lane) = lanes.last()
    {
        state.microscope.lane = *lane;
    }
    let lane = state.microscope.lane;
    let found = state.shown().and_then(|set| {
        let made = set.lanes[lane.index()].as_ref()?;
        let member = state.member.min(made.members.len().saturating_sub(1));
        let kept = made.members.get(member)?;
        Some(Sight {
            epoch: state.archive.epoch,
            frame: set.index,
            lane,
            member,
            seed: state.spec().seed,
            kept: Arc::as_ptr(kept).cast::<f32>() as usize,
        })
    });
    // While frames are being made the one that was opened stays, if there is anything to look at in it.
    let m = &state.microscope;
    let follow = !state.play.playing || m.asked.is_none() || m.refusal.is_some();
    if follow && found != state.microscope.asked {
        state.microscope.cancelled = false;
        ask(ctx, state, found);
    }
    let m = &mut state.microscope;
    match m.answers.hear() {
        Some(Ok(Answer::Denoising(d))) => {
            // Where it stood, as far as there are as many evaluations.
            let fresh = m
                .result
                .as_ref()
                .is_none_or(|r| r.stops.len() != d.stops.len());
            if fresh {
                m.stop = d.stops.len().saturating_sub(1) / 2;
            }
            m.result = Some(d);
        }
        Some(Err(error)) => {
            // What is on screen is another frame: the error takes its place.
            m.result = None;
            m.error = Some(error);
        }
        Some(Ok(Answer::Verdict(_))) | None => {}
    }
    if m.playing {
        m.fraction += ctx.input(|i| i.stable_dt).min(0.25) * RATE;
        let whole = m.fraction.floor();
        m.fraction -= whole;
        m.stop = (m.stop + whole as usize).min(m.last());
        m.playing = m.stop < m.last();
        ctx.request_repaint_after(std::time::Duration::from_secs_f32(0.5 / RATE));
    }
}

fn ask(ctx: &egui::Context, state: &mut State, found: Option<Sight>) {
    let options = state.answers_with();
    let calendar = state.globe().map(|g| g.calendar);
    let specimen = found
        .ok_or(Refusal::NoLane)
        .and_then(|k| Specimen::of(&state.archive, k.frame, k.lane, k.member, k.seed, calendar));
    let number = state.spec().number(found.map_or(0, |k| k.member));
    let m = &mut state.microscope;
    m.asked = found;
    (m.error, m.refusal) = (None, None);
    match specimen {
        Ok(mut specimen) => {
            // Its noise was drawn with its number in the whole ensemble.
            specimen.member = number;
            let job = Job::Denoise(Arc::new(specimen));
            m.answers.ask(ctx, options, job);
        }
        Err(refusal) => {
            m.answers.cancel();
            m.result = None;
            m.refusal = Some(refusal);
        }
    }
}

/// The stage.
pub fn show(ui: &mut Ui, state: &mut State) {
    let whole = ui.max_rect();
    ui.painter()
        .rect_filled(whole, CornerRadius::ZERO, palette(ui).canvas);
    poll(ui.ctx(), state);
    let area = whole.shrink2(vec2(4.0 * GRID, 2.0 * GRID));
    let head = Rect::from_min_size(area.min, vec2(area.width(), 6.0 * GRID));
    ui.scope_builder(UiBuilder::new().max_rect(head), |ui| scrub::head(ui, state));
    let below = Rect::from_min_max(pos2(area.left(), head.bottom() + 2.0 * GRID), area.max);
    if state.microscope.result.is_none() {
        ui.scope_builder(UiBuilder::new().max_rect(below), |ui| empty(ui, state));
        return;
    }
    // Curves as high as they need to be, pictures as large as the rest allows.
    let bar = 8.0 * GRID;
    let grid = pictures::Layout::new(below, state.aspect(), bar + 150.0);
    pictures::show(ui, state, &grid);
    let slider = Rect::from_min_size(
        pos2(area.left(), grid.bottom() + GRID),
        vec2(area.width(), bar),
    );
    ui.scope_builder(UiBuilder::new().max_rect(slider), |ui| {
        scrub::bar(ui, state)
    });
    let rest = Rect::from_min_max(pos2(area.left(), slider.bottom() + GRID), area.max);
    ui.scope_builder(UiBuilder::new().max_rect(rest), |ui| {
        curves::show(ui, state)
    });
}

/// Nothing to look at yet, or at all.
fn empty(ui: &mut Ui, state: &mut State) {
    let m = &state.microscope;
    let busy = m.answers.is_waiting();
    let error = m.error.clone();
    let refusal = m.refusal;
    let cancelled = m.cancelled;
    let mut again = false;
    ui.vertical_centered(|ui| {
        ui.add_space((ui.available_height() * 0.35).max(0.0));
        if let Some(error) = error {
            ui.label(RichText::new(&error.headline).heading().color(palette(ui).alarm));
            ui.label(&error.cause);
            ui.label(RichText::new(&error.remedy).weak());
            again = ui.button("Look again").clicked();
        } else if let Some(refusal) = refusal {
            ui.label(RichText::new("Nothing to look at here").heading());
            ui.label(RichText::new(refusal.words()).weak());
        } else if cancelled {
            ui.label(RichText::new("Stopped").heading());
            again = ui.button("Look again").clicked();
        } else if busy {
            ui.label(RichText::new("Making the frame again").heading());
            ui.label(
                RichText::new("from its recipe: seed, member, frame number, settings and the frames before it")
                    .weak(),
            );
        }
    });
    if again {
        state.microscope.asked = None;
        state.microscope.cancelled = false;
    }
}
