//! What an evaluation is made with, and how large it is.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::data::rain::Choices;
use crate::rollout::engine::Engine;
use crate::rollout::settings::{LaneKind, RolloutSpec, Settings};

/// How much is made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sizes {
    /// Long runs of each method.
    pub series: usize,
    /// Frames of each.
    pub frames: usize,
    /// Starts of forecasts.
    pub starts: usize,
    /// Members of each forecast.
    pub members: usize,
    /// Frames ahead.
    pub leads: usize,
    /// Frames whose denoising is watched.
    pub watched: usize,
    /// Pairs by which the discriminator is judged, at each noise level.
    pub pairs: usize,
    /// Repeats of each timing.
    pub repeats: usize,
}

impl Sizes {
    /// Full size: as the paper's.
    pub const FULL: Self = Self {
        series: 4,
        frames: 10_000,
        starts: 100,
        members: 50,
        leads: 10,
        watched: 48,
        pairs: 256,
        repeats: 15,
    };

    /// About 8000 sampled frames: minutes. On the globe a year after the spin-up, so that the seasons are whole.
    pub const fn quick(globe: bool) -> Self {
        let (series, frames) = if globe { (3, 60 + 365) } else { (4, 240) };
        Self {
            series,
            frames,
            starts: 8,
            members: 16,
            leads: 10,
            watched: 12,
            pairs: 128,
            repeats: 7,
        }
    }

    /// Frames at the begin of a run that do not count: on the globe all members start from the same day.
    pub fn spin_up(&self, globe: bool) -> usize {
        if globe { (self.frames / 6).min(60) } else { 0 }
    }

    /// Frames in a block, the unit of the confidence intervals of long runs: long against the memory of the flow.
    pub fn block(&self, globe: bool) -> usize {
        let counted = self.frames - self.spin_up(globe);
        (counted / 6).clamp(20, 250).min(counted.max(1))
    }
}

/// Everything that an evaluation depends on.
#[derive(Debug, Clone)]
pub struct Plan {
    /// How much.
    pub sizes: Sizes,
    /// How frames are made.
    pub settings: Settings,
    /// Seed of all noise, and of the starts.
    pub seed: u64,
    /// Files of recorded days; empty for the recording that comes with the program.
    pub data: Vec<PathBuf>,
    /// How they are read.
    pub reading: Choices,
    /// Where everything is written.
    pub out: PathBuf,
    /// Where the ensembles are taken from instead of being made.
    pub runs: Option<PathBuf>,
}

impl Plan {
    /// Folder of the ensembles.
    pub fn runs_folder(&self) -> PathBuf {
        self.runs.clone().unwrap_or_else(|| self.out.join("runs"))
    }

    /// Start, seed and members of a run.
    pub fn spec(&self, members: usize) -> RolloutSpec {
        let mut files = self.data.iter().cloned();
        RolloutSpec {
            seed: self.seed,
            members,
            start_file: files.next(),
            more_files: files.collect(),
            reading: self.reading.clone(),
            ..RolloutSpec::default()
        }
    }

    /// What an ensemble of a lane is made with, but for its length: two of equal recipe are the same.
    pub fn recipe(
        &self,
        engine: &Engine,
        lane: Option<LaneKind>,
        what: &str,
        members: usize,
    ) -> Value {
        json!({
            "program": "eddyscope",
            "what": what,
            "model": engine.card.name,
            "model_hash": if lane == Some(LaneKind::Truth) { "" } else { &engine.model_hash },
            "preset": engine.card.data.preset,
            "lane": lane,
            "settings": if lane == Some(LaneKind::Truth) { None } else { Some(&self.settings) },
            "rollout": self.spec(members),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quick_size_is_quick() {
        let s = Sizes::quick(false);
        // Guided, video, guided video in long runs and forecasts, unconditional in long runs.
        let frames = s.series * s.frames * 4 + s.starts * s.members * s.leads * 3;
        assert!(frames < 8_500, "{frames}");
        for globe in [false, true] {
            for sizes in [Sizes::quick(globe), Sizes::FULL] {
                let counted = sizes.frames - sizes.spin_up(globe);
                let blocks = sizes.series * (counted / sizes.block(globe));
                assert!(blocks >= 18, "{blocks}");
            }
        }
        assert_eq!(
            Sizes::quick(true).frames - Sizes::quick(true).spin_up(true),
            365
        );
    }
}
