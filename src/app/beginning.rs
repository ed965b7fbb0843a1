//! How a rollout begins: anew, again after an error, and what is taken back where it cannot.

use crate::rollout::protocol::{Command, ModelFacts};
use crate::rollout::settings::RolloutSpec;

use super::playback::Playback;
use super::state::State;

/// A new rollout that was asked for, and what was on screen then.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    /// What it starts from.
    pub spec: RolloutSpec,
    /// Epoch of the rollout on screen.
    pub epoch: u64,
    pub play: Playback,
}

impl State {
    /// A new worker with the same settings and frames, after a fatal error.
    pub fn start_again(&mut self) {
        let kept = (!self.archive.frames.is_empty()).then(|| self.archive.clone());
        self.launch_source(kept);
    }

    pub(super) fn begin(&mut self) {
        self.blow_ups = Default::default();
        self.tree.forget();
        self.keeper.another_rollout();
        self.undo.forget_branches();
        self.play.restart();
        self.member = self.member.min(self.prefs.spec.members.saturating_sub(1));
    }

    /// Starts a new rollout with the seed, members and start file that are set.
    pub fn restart(&mut self) {
        self.restoring.forget();
        let play = match &self.asked {
            Some(asked) => asked.play.clone(),
            None => self.play.clone(),
        };
        self.asked = Some(Asked {
            spec: self.prefs.spec.clone(),
            epoch: self.version.0,
            play,
        });
        self.begin();
        self.ran = false;
        self.source.send(Command::Restart(self.prefs.spec.clone()));
        self.source.send(Command::Run);
    }

    /// A new rollout could not begin: the one on screen is there still, with what it started from, and it goes on or waits as
    /// before.
    pub(super) fn take_back_start(&mut self) {
        let Some(asked) = self.asked.take() else {
            return;
        };
        self.prefs.spec = self.on_screen.clone();
        self.files.show_start(&self.prefs.spec);
        self.play = asked.play;
        if !self.play.playing {
            self.source.send(Command::Pause);
        }
    }

    /// Strengths and history length as the model suggests them.
    pub(super) fn take_suggestions(&mut self, facts: &ModelFacts) {
        let before = self.prefs.settings.guidance.clone();
        let guidance = &mut self.prefs.settings.guidance;
        let kind = guidance.discriminator as usize;
        guidance.strength = facts.suggested_strength[kind];
        guidance.history = facts.suggested_history[kind];
        guidance.video_strength = facts.video_strength;
        if *guidance != before {
            self.publish();
        }
    }
}
