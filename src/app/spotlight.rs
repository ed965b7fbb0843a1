//! A ring around a control that somebody is to look at: the one that mends a fault, or the one that a lesson speaks of.

use egui::{CornerRadius, Rect, Stroke, StrokeKind, Ui};

use super::state::State;
use super::theme::palette;

/// Seconds that the ring stays.
const STAYS_SECS: f64 = 4.0;

/// A control on the left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// Guidance strength.
    Strength,
    /// History length.
    History,
    /// Which discriminator.
    Discriminator,
    /// The section of the sampler.
    Sampler,
    /// The section of the rollout: seed, members, start.
    Rollout,
    /// The section of the lanes.
    Lanes,
}

impl Control {
    /// Its name as the window writes it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Strength => "strength λ",
            Self::History => "history",
            Self::Discriminator => "discriminator",
            Self::Sampler => "sampler",
            Self::Rollout => "rollout",
            Self::Lanes => "lanes",
        }
    }
}

impl Control {
    /// Its name among the marks of the window.
    fn mark(self) -> &'static str {
        match self {
            Self::Strength => "strength",
            Self::History => "history",
            Self::Discriminator => "discriminator",
            Self::Sampler => "sampler",
            Self::Rollout => "rollout",
            Self::Lanes => "lanes",
        }
    }
}

/// The control in the ring.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Spotlight {
    control: Option<Control>,
    /// Time at which it goes; `None` until it is first drawn.
    until: Option<f64>,
}

impl Spotlight {
    /// Puts the ring around a control.
    pub fn on(control: Control) -> Self {
        Self {
            control: Some(control),
            until: None,
        }
    }

    /// The control in the ring, if there is one.
    pub fn control(&self) -> Option<Control> {
        self.control
    }
}

impl State {
    /// Puts the ring around a control, and opens the section it lies in.
    pub fn point_at(&mut self, control: Control) {
        let folds = &mut self.prefs.folds;
        match control {
            Control::Strength | Control::History => {}
            Control::Discriminator => folds.guidance = true,
            Control::Sampler => folds.sampler = true,
            Control::Rollout => folds.rollout = true,
            Control::Lanes => folds.lanes = true,
        }
        self.spotlight = Spotlight::on(control);
    }
}

/// Draws the ring where it is due: around the control of this name, which lies at `rect`.
pub fn ring(ui: &mut Ui, state: &mut State, name: &str, rect: Rect) {
    if state.spotlight.control.is_none_or(|c| c.mark() != name) {
        return;
    }
    let now = ui.input(|i| i.time);
    let new = state.spotlight.until.is_none();
    let until = *state.spotlight.until.get_or_insert(now + STAYS_SECS);
    if now >= until {
        state.spotlight = Spotlight::default();
        return;
    }
    let rect = rect.expand2(egui::vec2(6.0, 0.0));
    if new {
        ui.scroll_to_rect(rect, None);
    }
    ui.painter().rect_stroke(
        rect,
        CornerRadius::same(6),
        Stroke::new(1.5, palette(ui).accent),
        StrokeKind::Inside,
    );
    let wait = std::time::Duration::from_secs_f64((until - now).max(0.0));
    ui.ctx().request_repaint_after(wait);
}
