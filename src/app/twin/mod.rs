//! The live truth twin: what the real world would have done from a frame of the model's own.
//!
//! | file | what is in it |
//! |---|---|
//! | `flow` | in the box: model, solver, their difference; how the two part |
//! | `rain` | on the globe: the nearest recorded days and what followed them |

mod flow;
mod rain;

use std::sync::Arc;

use egui::{Align2, CornerRadius, DragValue, Rect, RichText, Ui, vec2};

use crate::rollout::settings::LaneKind;
use crate::rollout::twin::{
    self as thread, Analogues, AnaloguesAsk, FlowStart, Twin, TwinCommand, TwinState,
};

use super::stage::Stage;
use super::state::State;
use super::theme::{self, GRID, palette};
use super::tile::Hover;
use super::widgets::{Icon, icon_button, note, row, segmented};

/// Frames before the newest at which a first twin begins: so that there is something to see at once.
const BACK: usize = 16;

/// Frames that the solver goes on for at least.
const AT_LEAST: usize = 24;

/// Where a twin comes from: its thread, or a scripted stand-in in the tests.
pub trait TwinSource: Send {
    /// Sends a command; never blocks.
    fn send(&mut self, command: TwinCommand);
    /// What was found so far (shared, not copied).
    fn value(&self) -> TwinState;
    /// Changes whenever [`Self::value`] would.
    fn version(&self) -> u64;
}

impl TwinSource for Twin {
    fn send(&mut self, command: TwinCommand) {
        if !Twin::send(self, command) {
            log::warn!("the twin did not take a command");
        }
    }

    fn value(&self) -> TwinState {
        Twin::value(self)
    }

    fn version(&self) -> u64 {
        Twin::version(self)
    }
}

/// Starts a source for a model (name or folder).
pub type TwinLaunch = Box<dyn Fn(Option<String>) -> Box<dyn TwinSource>>;

/// The frame that the twin began from.
#[derive(Debug, Clone)]
pub struct Origin {
    /// Its number.
    pub frame: usize,
    /// Its values.
    pub values: Arc<[f32]>,
}

/// State of the stage.
pub struct TwinStage {
    /// Lane whose frames are followed.
    pub lane: LaneKind,
    /// Seed of the solver's forcing.
    pub seed: u64,
    /// Starts the thread; `None` = the real one. For tests of the window.
    pub launch: Option<TwinLaunch>,
    source: Option<Box<dyn TwinSource>>,
    version: u64,
    value: TwinState,
    number: u64,
    origin: Option<Origin>,
    begun_with: Option<(LaneKind, u64)>,
    sent: usize,
    asked: Option<(LaneKind, usize, usize)>,
    growth: flow::Growth,
    differences: flow::Differences,
    hover: Hover,
}

impl Default for TwinStage {
    fn default() -> Self {
        Self {
            lane: LaneKind::Guided,
            seed: 1,
            launch: None,
            source: None,
            version: 0,
            value: TwinState::default(),
            number: 0,
            origin: None,
            begun_with: None,
            sent: 0,
            asked: None,
            growth: flow::Growth::default(),
            differences: flow::Differences::default(),
            hover: None,
        }
    }
}

impl TwinStage {
    /// The frame that the twin began from.
    pub fn origin(&self) -> Option<&Origin> {
        self.origin.as_ref()
    }

    /// Frames that the solver has made after the first.
    pub fn frames(&self) -> usize {
        self.value.flow.as_ref().map_or(0, |f| f.frames())
    }

    /// Whether the solver could not go on.
    pub fn broke(&self) -> bool {
        self.value.flow.as_ref().is_some_and(|f| f.broke)
    }

    /// Rms difference of model and forced solver divided by the data's std, by frames after the start.
    pub fn growth(&self) -> Vec<f64> {
        self.growth.forced().to_vec()
    }

    /// The recorded days found for the day shown.
    pub fn analogues(&self) -> Option<Arc<Analogues>> {
        let found = self.value.analogues.as_ref()?;
        (self.value.number == self.number).then(|| Arc::clone(found))
    }

    fn send(&mut self, command: TwinCommand) {
        if let Some(source) = &mut self.source {
            source.send(command);
        }
    }

    pub(super) fn close(&mut self) {
        *self = Self {
            lane: self.lane,
            seed: self.seed,
            launch: self.launch.take(),
            ..Self::default()
        };
    }
}

/// Once a window frame: opens and leaves the stage, hears the thread, asks what is new.
pub fn update(state: &mut State) {
    if state.stage != Stage::Twin || state.facts.is_none() {
        if state.twin.source.is_some() {
            // Its frames are made again within a second.
            state.twin.close();
        }
        return;
    }
    if state.twin.source.is_none() {
        let model = state.prefs.model.clone();
        state.twin.source = Some(match &state.twin.launch {
            Some(launch) => launch(model),
            None => Box::new(thread::spawn(model, Arc::clone(&state.wake))),
        });
    }
    if !state.lanes().contains(&state.twin.lane) {
        let lanes = state.lanes();
        let first = lanes.iter().find(|k| **k != LaneKind::Truth);
        state.twin.lane = first.copied().unwrap_or(LaneKind::Truth);
    }
    hear(state);
    if state.globe().is_some() {
        ask(state);
    } else {
        follow(state);
    }
}

fn hear(state: &mut State) {
    let twin = &mut state.twin;
    let Some(source) = &twin.source else {
        return;
    };
    let version = source.version();
    if version == twin.version {
        return;
    }
    twin.version = version;
    let value = source.value();
    let news = value
        .error
        .clone()
        .filter(|_| twin.value.error != value.error);
    twin.value = value;
    if let Some(error) = news {
        state.notices.warn(error);
    }
}

/// Values of the member shown, of a lane in a kept frame.
fn values(state: &State, lane: LaneKind, frame: usize) -> Option<Arc<[f32]>> {
    let set = state.frame(frame)?;
    let lane = set.lanes[lane.index()].as_ref()?;
    state.values(lane).cloned()
}

/// Begins from a frame of the lane.
fn begin(state: &mut State, frame: usize) {
    let Some(values) = values(state, state.twin.lane, frame) else {
        return;
    };
    let twin = &mut state.twin;
    twin.number += 1;
    twin.begun_with = Some((twin.lane, twin.seed));
    twin.origin = Some(Origin {
        frame,
        values: Arc::clone(&values),
    });
    twin.sent = 0;
    twin.growth = flow::Growth::default();
    let start = FlowStart {
        number: twin.number,
        field: values,
        seed: twin.seed,
    };
    twin.send(TwinCommand::Flow(Box::new(start)));
}

/// Lets the solver go on as far as the model has come.
fn follow(state: &mut State) {
    let first = state.first_in_memory();
    let last = state.last();
    if state.archive.frames.is_empty() {
        return;
    }
    let now = Some((state.twin.lane, state.twin.seed));
    let origin = state.twin.origin.as_ref().map(|o| o.frame);
    // Frames that were made anew: it began from one that is no more.
    let lost = state.twin.origin.as_ref().is_some_and(|o| {
        let same = |v: Arc<[f32]>| Arc::ptr_eq(&v, &o.values);
        state.twin.begun_with == now
            && o.frame >= first
            && !values(state, state.twin.lane, o.frame).is_some_and(same)
    });
    match origin {
        None => {
            let shown = state.play.shown(state.first(), last);
            let from = match state.play.at_end() {
                true => last.saturating_sub(BACK),
                false => shown,
            };
            begin(state, from.max(first));
        }
        Some(frame) if lost || state.twin.begun_with != now => {
            begin(state, frame.min(last).max(first));
        }
        Some(_) => {}
    }
    let Some(origin) = state.twin.origin.as_ref().map(|o| o.frame) else {
        return;
    };
    let wanted = last.saturating_sub(origin).clamp(AT_LEAST, thread::LONGEST);
    if wanted > state.twin.sent {
        state.twin.sent = wanted;
        state.twin.send(TwinCommand::Until(wanted));
    }
    flow::measure(state);
}

/// Asks for the analogues of the day shown.
fn ask(state: &mut State) {
    let shown = state.play.shown(state.first(), state.last());
    let key = (state.twin.lane, shown, state.member);
    let Some(day) = values(state, state.twin.lane, shown) else {
        return;
    };
    let Some(set) = state.frame(shown) else {
        return;
    };
    let (Some(date), truth) = (set.date, set.lanes[LaneKind::Truth.index()].as_ref()) else {
        return;
    };
    let beside = truth.and_then(|t| t.recorded);
    let known = state.twin.asked == Some(key);
    let same = state
        .twin
        .origin
        .as_ref()
        .is_some_and(|o| Arc::ptr_eq(&o.values, &day));
    if known && same {
        return;
    }
    let spec = state.prefs.spec.clone();
    let twin = &mut state.twin;
    twin.asked = Some(key);
    twin.number += 1;
    twin.origin = Some(Origin {
        frame: shown,
        values: Arc::clone(&day),
    });
    let ask = AnaloguesAsk {
        number: twin.number,
        spec,
        day,
        date,
        beside,
    };
    twin.send(TwinCommand::Analogues(Box::new(ask)));
}

/// The stage.
pub fn show(ui: &mut Ui, state: &mut State) {
    let whole = ui.max_rect();
    let canvas = palette(ui).canvas;
    ui.painter().rect_filled(whole, CornerRadius::ZERO, canvas);
    if state.globe().is_some() {
        rain::show(ui, state, whole);
    } else {
        flow::show(ui, state, whole);
    }
}

/// The panel on the right.
pub fn side(ui: &mut Ui, state: &mut State) {
    ui.add_space(2.0 * GRID);
    ui.label(RichText::new("Twin").strong());
    let globe = state.globe().is_some();
    note(
        ui,
        match globe {
            true => {
                "The recorded days nearest to the model's day shown, and what followed them: does the model's weather go on as \
                 the record's did?"
            }
            false => {
                "The real solver goes on from a frame of the model, without forcing and with it. The model was trained on \
                 forced flow."
            }
        },
    );
    ui.add_space(GRID);
    lanes(ui, state);
    if globe {
        rain::side(ui, state);
    } else {
        start(ui, state);
        flow::side(ui, state);
    }
}

fn lanes(ui: &mut Ui, state: &mut State) {
    let choices: Vec<_> = state
        .lanes()
        .into_iter()
        .filter(|k| *k != LaneKind::Truth)
        .map(|k| (k, super::words::lane(k), "Lane whose frames are followed"))
        .collect();
    if choices.len() > 1 {
        let mut lane = state.twin.lane;
        segmented(ui, "Twin of", &mut lane, &choices);
        state.twin.lane = lane;
        ui.add_space(GRID);
    }
}

/// Where it begins, and the seed.
fn start(ui: &mut Ui, state: &mut State) {
    let origin = state.twin.origin.as_ref().map_or(0, |o| o.frame);
    let shown = state.play.shown(state.first(), state.last());
    row(
        ui,
        "Begins at frame",
        "The model's frame that the solver went on from",
        |ui| {
            ui.label(origin.to_string());
        },
    );
    let tip =
        "Names the noise of the forcing. Another seed is another weather from the same state.";
    row(ui, "Seed of the forcing", tip, |ui| {
        ui.add(
            DragValue::new(&mut state.twin.seed)
                .range(0..=u64::from(u32::MAX))
                .speed(0.05),
        );
        if icon_button(ui, Icon::Dice, 24.0, "Another seed of the forcing").clicked() {
            state.twin.seed += 1;
        }
    });
    ui.add_space(GRID);
    let ready = values(state, state.twin.lane, shown).is_some() && shown != origin;
    let button = ui.add_enabled(ready, egui::Button::new("Begin at the frame shown"));
    let button = button.on_hover_text("The solver goes on from the frame that the timeline shows");
    if button.clicked() {
        begin(state, shown);
    }
    ui.add_space(2.0 * GRID);
}

/// A place without a picture, and why.
fn empty(ui: &Ui, rect: Rect, text: &str) {
    let p = palette(ui);
    ui.painter().rect_filled(rect, CornerRadius::ZERO, p.panel);
    let width = rect.width() - 16.0;
    let galley = ui
        .painter()
        .layout(text.to_owned(), theme::small(), p.weak, width.max(40.0));
    let at = rect.center() - galley.size() / 2.0;
    ui.painter().galley(at, galley, p.weak);
}

/// Before there is anything: what is being done.
fn waiting(ui: &Ui, state: &State, rect: Rect) {
    let p = palette(ui);
    let text = match state.twin.value.activity.as_str() {
        "" => "waits for a frame of the model",
        text => text,
    };
    let at = rect.center() - vec2(0.0, 12.0);
    ui.painter()
        .text(at, Align2::CENTER_CENTER, text, theme::body(), p.text);
}
