//! A study's file: the question, the sizes of the laboratory, and what is varied.

use serde::{Deserialize, Serialize};

use super::kinds::Kind;
use super::pair::PairTower;
use super::worlds::Amount;
use crate::data::pairs::PairSettings;
use crate::error::{Result, UserError};
use crate::nn::{EncoderConfig, HistoryTower, Padding, Skips, UNetConfig};
use crate::rollout::settings::{SamplerSettings, Solver};
use crate::train::config::{DenoiserTraining, EncoderTraining, NoiseLaw, TowerTraining};

/// The whole file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StudyConfig {
    /// Headline of the page.
    pub title: String,
    /// What is asked, in a sentence or two.
    pub question: String,
    /// Seed of everything.
    pub seed: u64,
    /// Sizes of what is trained; a study of a shipped model has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lab: Option<LabConfig>,
    /// What is varied and measured.
    pub study: Kind,
}

/// Sizes of networks, trainings and samplers: small, so that a study takes minutes on a processor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabConfig {
    /// Cells a side of the square grid.
    pub side: usize,
    /// Frames to train on.
    pub data: Amount,
    /// Channels of each level of every network.
    pub channels: Vec<usize>,
    /// Pixels of one side folded into channels.
    pub patch: usize,
    /// Width of the noise embedding.
    pub embedding: usize,
    /// Largest learning rate.
    pub learning_rate: f64,
    /// Frames (windows, pairs) a training step.
    pub batch: usize,
    /// Training steps of an image model.
    pub denoiser_steps: usize,
    /// Training steps of a history tower.
    pub tower_steps: usize,
    /// Training steps of an encoder.
    pub encoder_steps: usize,
    /// Steps of the sampler a frame.
    pub sampler_steps: usize,
}

impl Default for LabConfig {
    /// The sizes that most studies share.
    fn default() -> Self {
        Self {
            side: 32,
            data: Amount {
                runs: 18,
                validation_runs: 6,
                frames: 120,
            },
            channels: vec![24, 48],
            patch: 2,
            embedding: 32,
            learning_rate: 2e-3,
            batch: 16,
            denoiser_steps: 900,
            tower_steps: 600,
            encoder_steps: 800,
            sampler_steps: 10,
        }
    }
}

impl LabConfig {
    fn network(&self, [in_channels, out_channels]: [usize; 2], embedding: usize) -> UNetConfig {
        let levels = self.channels.len();
        UNetConfig {
            in_channels,
            out_channels,
            patch: self.patch,
            channels: self.channels.clone(),
            blocks: vec![1; levels],
            up_blocks: vec![1; levels.saturating_sub(1)],
            attention: vec![false; levels],
            heads: 4,
            groups: 8,
            embedding,
            padding: [Padding::Circular; 2],
            skips: Skips::Level,
            position: None,
        }
    }

    /// Training of an image model.
    pub fn denoiser(&self, seed: u64) -> DenoiserTraining {
        DenoiserTraining {
            steps: self.denoiser_steps,
            batch: self.batch,
            seed,
            noise: NoiseLaw {
                mean: -1.2,
                std: 1.2,
                wide_share: 0.2,
                wide: [0.5, 80.0],
            },
            network: self.network([1, 1], self.embedding),
        }
    }

    /// Training of a history tower.
    pub fn tower(&self, seed: u64) -> TowerTraining {
        TowerTraining {
            steps: self.tower_steps,
            batch: self.batch,
            seed: seed + 1,
            history_noise: 0.03,
            season_share: 0.0,
            anomalies: false,
            keep: Default::default(),
            global_ratio: None,
            missed_factor: 1.0,
            spread_weight: 0.1,
            departure: Default::default(),
            season_shift: Default::default(),
            network: self.network([HistoryTower::in_channels(false), 1], 0),
        }
    }

    /// Training of an image model of two variables.
    pub fn pair_denoiser(&self, seed: u64) -> DenoiserTraining {
        DenoiserTraining {
            network: self.network([2, 2], self.embedding),
            ..self.denoiser(seed)
        }
    }

    /// Training of a history tower that sees two variables and forecasts both.
    pub fn pair_tower(&self, seed: u64) -> TowerTraining {
        TowerTraining {
            network: self.network([PairTower::IN_CHANNELS, 2], 0),
            ..self.tower(seed)
        }
    }

    /// Training of an encoder with these false successors.
    pub fn encoder(&self, pairs: PairSettings, seed: u64) -> EncoderTraining {
        let levels = self.channels.len();
        EncoderTraining {
            steps: self.encoder_steps,
            batch: self.batch,
            seed: seed + 2,
            noise: NoiseLaw {
                mean: -0.4,
                std: 1.4,
                wide_share: 0.0,
                wide: [0.5, 80.0],
            },
            history_noise: 0.01,
            pairs,
            network: EncoderConfig {
                channels: self.channels.clone(),
                blocks: vec![1; levels],
                attention: vec![false; levels],
                patch: self.patch,
                heads: 4,
                groups: 8,
                embedding: self.embedding,
                hidden: self.embedding,
                padding: [Padding::Circular; 2],
                increments: true,
                sigma_data: 0.5,
            },
        }
    }

    /// The sampler of a frame.
    pub fn sampler(&self) -> SamplerSettings {
        SamplerSettings {
            steps: self.sampler_steps,
            ..SamplerSettings::of(Solver::Dpm)
        }
    }

    fn validate(&self) -> Result<()> {
        let divisor = self.patch << self.channels.len().saturating_sub(1);
        let d = self.data;
        let fits = [
            (
                (8..=128).contains(&self.side) && self.side.is_multiple_of(divisor.max(1)),
                "lab.side lies between 8 and 128, and the networks can halve it often enough",
            ),
            (
                d.validation_runs > 0 && d.validation_runs < d.runs && d.frames >= 12,
                "lab.data needs at least 12 frames a run, and runs to train on beside those for validation",
            ),
            (
                self.batch > 0 && self.embedding > 0,
                "lab.batch and lab.embedding are at least 1",
            ),
            (
                [self.denoiser_steps, self.tower_steps, self.encoder_steps]
                    .iter()
                    .all(|s| *s > 0)
                    && (2..=1000).contains(&self.sampler_steps),
                "trainings have at least one step, the sampler from 2 to 1000",
            ),
            (
                self.learning_rate.is_finite() && self.learning_rate > 0.0,
                "lab.learning_rate is above 0",
            ),
        ];
        for (fits, what) in fits {
            refuse(fits, what)?;
        }
        self.network([1, 1], self.embedding).validate()
    }
}

/// Refuses a file that does not fit.
pub(super) fn refuse(fits: bool, what: &str) -> Result<()> {
    if fits {
        return Ok(());
    }
    Err(UserError::new(
        "The study's file does not fit",
        what,
        "correct it, or begin with a copy of a file in models/studies",
    ))
}

impl StudyConfig {
    /// Reads a study's text; `name` is what it is called in an error.
    ///
    /// # Errors
    /// Text that is not what it should be, or values out of their range.
    pub fn parse(text: &str, name: &str) -> Result<Self> {
        let config: Self = toml::from_str(text).map_err(|e| {
            UserError::new(
                format!("Cannot read the study {name}"),
                e.message(),
                "correct it, or begin with a copy of a file in models/studies",
            )
        })?;
        config.validate()?;
        Ok(config)
    }

    /// Checks every value against its range.
    ///
    /// # Errors
    /// Names the value.
    pub fn validate(&self) -> Result<()> {
        match &self.lab {
            Some(lab) => lab.validate()?,
            None => refuse(!self.study.trains(), "a study that trains needs its [lab]")?,
        }
        self.study.validate()
    }
}
