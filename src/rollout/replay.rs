//! Frames made again under the settings that a recipe lists: which settings are in force at which solver step.

use std::sync::Arc;

use crate::error::Result;

use super::frame::FrameSet;
use super::protocol::{Scripted, Versioned};
use super::settings::Settings;

/// A recipe being followed.
pub(super) struct Replay {
    /// First frame and step of each, in order.
    script: Vec<((usize, usize), Arc<Settings>)>,
    /// Number of the last frame.
    pub(super) until: usize,
    /// Generation of the window's settings when it began: other ones end it.
    generation: u64,
}

impl Replay {
    /// Begins to follow a list.
    ///
    /// # Errors
    /// Settings out of their range.
    pub(super) fn new(script: &[Scripted], until: usize, generation: u64) -> Result<Self> {
        let mut script = script
            .iter()
            .map(|s| {
                s.settings.validate()?;
                Ok(((s.frame, s.step), Arc::new(s.settings.clone())))
            })
            .collect::<Result<Vec<_>>>()?;
        script.sort_by_key(|s| s.0);
        Ok(Self {
            script,
            until,
            generation,
        })
    }

    /// What is in force at a step of a frame, `now` being the window's settings; `None` when the list is at its end.
    pub(super) fn at(&self, frame: usize, step: usize, now: &Versioned) -> Option<Arc<Settings>> {
        if frame > self.until || now.generation != self.generation {
            return None;
        }
        let after = self.script.partition_point(|s| s.0 <= (frame, step));
        let entry = after.checked_sub(1).and_then(|i| self.script.get(i));
        Some(match entry.or(self.script.first()) {
            Some((_, settings)) => Arc::clone(settings),
            None => Arc::clone(&now.settings),
        })
    }
}

/// The settings of frames that follow each other, each named where it begins to differ from the one before.
#[derive(Debug, Clone, Default)]
pub struct Script(pub Vec<Scripted>);

impl Script {
    /// Adds what made a frame.
    pub fn push(&mut self, frame: &FrameSet) {
        let whole = [(0, Arc::clone(&frame.settings))];
        let steps = match frame.steps.is_empty() {
            true => whole.as_slice(),
            false => frame.steps.as_slice(),
        };
        for (step, settings) in steps {
            if self.0.last().is_none_or(|l| l.settings != **settings) {
                self.0.push(Scripted {
                    frame: frame.index,
                    step: *step,
                    settings: settings.as_ref().clone(),
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(strength: f32) -> Settings {
        let mut settings = Settings::default();
        settings.guidance.strength = strength;
        settings
    }

    #[test]
    fn each_step_has_the_settings_that_began_before_it() {
        let entry = |frame, step, strength| Scripted {
            frame,
            step,
            settings: with(strength),
        };
        let script = [entry(4, 0, 1.0), entry(6, 3, 0.5), entry(8, 10, 0.0)];
        let replay = Replay::new(&script, 9, 2).unwrap();
        let now = Versioned {
            generation: 2,
            settings: Arc::new(with(7.0)),
        };
        let at = |frame, step| {
            let settings = replay.at(frame, step, &now)?;
            Some(settings.guidance.strength)
        };
        assert_eq!(
            (at(3, 0), at(4, 0), at(6, 2)),
            (Some(1.0), Some(1.0), Some(1.0))
        );
        assert_eq!((at(6, 3), at(8, 9)), (Some(0.5), Some(0.5)));
        assert_eq!(
            (at(8, 10), at(9, 0), at(10, 0)),
            (Some(0.0), Some(0.0), None)
        );
        let newer = Versioned {
            generation: 3,
            ..now.clone()
        };
        assert!(replay.at(5, 0, &newer).is_none());
        assert!(Replay::new(&[entry(4, 0, -1.0)], 9, 2).is_err());
    }
}
