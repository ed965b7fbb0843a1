//! `train.toml`: everything a training depends on besides the seed and the number of steps given on the command line.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::data::{PairSettings, Transform};
use crate::diffusion::wavelet_tower::Keep;
use crate::error::{Result, UserError};
use crate::nn::{EncoderConfig, HistoryTower, UNetConfig, VideoDenoiser};

/// The whole file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// What to train on.
    pub data: DataConfig,
    /// What the model's card says.
    #[serde(default)]
    pub model: ModelText,
    /// How the weights move.
    #[serde(default)]
    pub optimizer: OptimizerConfig,
    /// The image model.
    pub denoiser: DenoiserTraining,
    /// The history tower of the two-tower discriminator.
    pub tower: TowerTraining,
    /// The paper's encoder discriminator.
    pub encoder: EncoderTraining,
    /// The video model; without this section as the denoiser, with the history as further channels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub video: Option<VideoTraining>,
}

/// Words of the model's card.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelText {
    /// Short name.
    pub name: String,
    /// A sentence for people.
    pub description: String,
    /// What the field is called.
    pub quantity: String,
    /// Unit of the field.
    pub units: String,
    /// Licence of the weights.
    pub licence: String,
    /// Where the data come from.
    pub source: String,
    /// Terms of the data.
    pub terms: String,
}

impl Default for ModelText {
    fn default() -> Self {
        Self {
            name: "vorticity".into(),
            description: "two-dimensional turbulence, 64 x 64, one frame every 0.16 time units"
                .into(),
            quantity: "vorticity".into(),
            units: "1 / time unit".into(),
            licence: "MIT OR Apache-2.0".into(),
            source: "simulated by eddyscope's own Navier-Stokes solver".into(),
            terms: String::new(),
        }
    }
}

/// What to train on: simulated on the fly, the runs of a file (one run = one member), or days on the globe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataConfig {
    /// Preset of the solver.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub preset: String,
    /// Number of runs.
    #[serde(default)]
    pub runs: usize,
    /// The last so many runs are kept for validation.
    #[serde(default)]
    pub validation_runs: usize,
    /// Frames of each run.
    #[serde(default)]
    pub frames: usize,
    /// Seed of the simulation.
    pub seed: u64,
    /// Days on the globe instead of a simulation; `--data` names the files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub globe: Option<GlobeData>,
}

/// How days of precipitation become training data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GlobeData {
    /// The last so many days are kept for validation.
    pub validation_days: usize,
    /// Rows and columns of the model's grid (cell-centred); without it the grid of the files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grid: Option<[usize; 2]>,
    /// How amounts become values with a milder tail.
    pub transform: Transform,
    /// Amounts below this are written as no rain, mm/day.
    #[serde(default = "dry")]
    pub dry: f32,
    /// Smallest standard deviation of a cell, in transformed units.
    #[serde(default = "std_floor")]
    pub std_floor: f32,
    /// A cell shows at most `cap_factor` times this quantile of its training values, in transformed units.
    #[serde(default = "cap_quantile")]
    pub cap_quantile: f64,
    /// See `cap_quantile`.
    #[serde(default = "cap_factor")]
    pub cap_factor: f32,
    /// Whether the marginal law of the amounts is corrected when the model is put together ([`super::adjust`]), and
    /// whether the tower is told the day of the year in the rollout that it is taken from.
    #[serde(default)]
    pub adjust: Adjust,
}

/// Correction of the marginal law.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Adjust {
    /// None.
    #[default]
    Off,
    /// From a rollout whose tower is not told the day of the year.
    Untold,
    /// From a rollout whose tower is told.
    Told,
}

fn dry() -> f32 {
    0.001
}
fn std_floor() -> f32 {
    0.1
}
fn cap_quantile() -> f64 {
    0.9995
}
fn cap_factor() -> f32 {
    1.05
}

/// AdamW with warm-up, a flat part and a cosine to zero.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OptimizerConfig {
    /// Largest learning rate.
    pub learning_rate: f64,
    /// Steps of linear warm-up.
    pub warm_up: usize,
    /// Fraction of all steps after which the cosine begins.
    pub flat: f64,
    /// Decay of the first and second moment.
    pub betas: [f64; 2],
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// Largest norm of the whole gradient.
    pub clip: f64,
    /// The moving average of the weights keeps `(1 - 1/t)^power` of itself at step t.
    pub average_power: i32,
}

impl Default for OptimizerConfig {
    fn default() -> Self {
        Self {
            learning_rate: 1e-3,
            warm_up: 200,
            flat: 0.3,
            betas: [0.9, 0.99],
            weight_decay: 0.01,
            clip: 1.0,
            average_power: 13,
        }
    }
}

/// Law of the noise level: `ln sigma ~ N(mean, std)`, and log-uniform in a wide range for a share of the rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoiseLaw {
    /// Mean of `ln sigma`.
    pub mean: f64,
    /// Standard deviation of `ln sigma`.
    pub std: f64,
    /// Share of rows whose level is log-uniform in `wide`.
    #[serde(default)]
    pub wide_share: f64,
    /// Range of those rows.
    #[serde(default = "wide")]
    pub wide: [f64; 2],
}

fn wide() -> [f64; 2] {
    [0.5, 80.0]
}

/// Training of the denoiser.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DenoiserTraining {
    /// Steps.
    pub steps: usize,
    /// Frames a step.
    pub batch: usize,
    /// Seed of weights and draws.
    pub seed: u64,
    /// Noise levels.
    pub noise: NoiseLaw,
    /// Sizes.
    pub network: UNetConfig,
}

/// Training of the video model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VideoTraining {
    /// Steps.
    pub steps: usize,
    /// Windows a step.
    pub batch: usize,
    /// Seed of weights and draws.
    pub seed: u64,
    /// Noise levels of the frame to be made.
    pub noise: NoiseLaw,
    /// Each row's history carries noise of a level uniform in `[0, history_noise]`.
    pub history_noise: f64,
    /// Share of rows that are told the day of the year (a network with the channels for it).
    #[serde(default)]
    pub season_share: f64,
    /// Sizes.
    pub network: UNetConfig,
}

/// Training of the history tower.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TowerTraining {
    /// Steps.
    pub steps: usize,
    /// Windows a step.
    pub batch: usize,
    /// Seed of weights and draws.
    pub seed: u64,
    /// Each row's history carries noise of a level uniform in `[0, history_noise]`.
    pub history_noise: f64,
    /// On the globe: each row's whole history carries one departure in the coarse wavelet bands (the coarsest part and the
    /// level above it), of a standard deviation uniform in `[0, departure]` for each coefficient. A rollout's own errors are
    /// such departures; a tower that never saw one takes it for weather and keeps it.
    #[serde(default)]
    pub departure: f64,
    /// Share of the rows told the day of the year whose history stands in another season, up to a quarter of a year away.
    #[serde(default)]
    pub season_shift: f64,
    /// Share of rows that are told the day of the year (a tower with the channels for it).
    #[serde(default)]
    pub season_share: f64,
    /// Whether a tower that is told the date forecasts anomalies from the year's cycle, out of anomalies.
    #[serde(default)]
    pub anomalies: bool,
    /// Share, by wavelet band, of a forecast's departure from what is usual that the discriminator keeps.
    #[serde(default)]
    pub keep: Keep,
    /// Share of the variance of the global mean's error that the discriminator's law leaves, on the globe
    /// (`diffusion::global_mean`); without it the share that calibration measures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub global_ratio: Option<f32>,
    /// Factor on the power of what the forecast misses, on the box. In a rollout every frame is a little smoother than truth's,
    /// and the next one is forecast from it; this gives the variance back. 1 is what calibration measures on truth's frames.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub missed_factor: f32,
    /// Weight of the likelihood of the spread beside the squared error (a tower with maps of its spread).
    #[serde(default = "tenth")]
    pub spread_weight: f64,
    /// Sizes.
    pub network: UNetConfig,
}

fn one() -> f32 {
    1.0
}

fn is_one(value: &f32) -> bool {
    *value == 1.0
}

fn tenth() -> f64 {
    0.1
}

/// Training of the encoder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EncoderTraining {
    /// Steps.
    pub steps: usize,
    /// Pairs a step; each has a true and a false candidate.
    pub batch: usize,
    /// Seed of weights and draws.
    pub seed: u64,
    /// Noise levels of the candidates.
    pub noise: NoiseLaw,
    /// As for the tower.
    pub history_noise: f64,
    /// Which frames are shown as false successors.
    pub pairs: PairSettings,
    /// Sizes.
    pub network: EncoderConfig,
}

impl TrainConfig {
    /// Reads a file.
    ///
    /// # Errors
    /// If it cannot be read, is not what it should be, or asks for a network that cannot be built.
    pub fn read(path: &Path) -> Result<Self> {
        let headline = || format!("Cannot read the training file {}", path.display());
        let remedy = "begin with a copy of models/vorticity/train.toml";
        let text =
            std::fs::read_to_string(path).map_err(|e| UserError::new(headline(), e, remedy))?;
        let config: Self =
            toml::from_str(&text).map_err(|e| UserError::new(headline(), e.message(), remedy))?;
        config.validate()?;
        Ok(config)
    }

    /// Training of the video model: its section, or the denoiser's with the tower's history.
    pub fn video(&self) -> VideoTraining {
        self.video.clone().unwrap_or_else(|| {
            let d = &self.denoiser;
            let season = self.tower.network.in_channels == HistoryTower::in_channels(true);
            let mut network = d.network.clone();
            network.in_channels = VideoDenoiser::in_channels(season);
            VideoTraining {
                steps: d.steps,
                batch: d.batch,
                seed: d.seed + 3,
                noise: d.noise.clone(),
                history_noise: self.tower.history_noise,
                season_share: self.tower.season_share,
                network,
            }
        })
    }

    /// Checks every value against its range.
    ///
    /// # Errors
    /// Names the value.
    pub fn validate(&self) -> Result<()> {
        self.denoiser.network.validate()?;
        self.tower.network.validate()?;
        self.encoder.network.validate()?;
        let o = &self.optimizer;
        let positive = |v: f64| v.is_finite() && v > 0.0;
        let video = self.video();
        video.network.validate()?;
        let laws = [&self.denoiser.noise, &self.encoder.noise, &video.noise];
        let checks = [
            (
                [false, true]
                    .map(VideoDenoiser::in_channels)
                    .contains(&video.network.in_channels),
                "video.network.in_channels must be 8 (the noised frame, four frames, three masks) or 11 (and the season)",
            ),
            (
                video.network.out_channels == 1 && video.network.embedding > 0 && video.batch > 0,
                "video needs one output channel, an embedding of the noise level, and a batch of at least 1",
            ),
            (
                (0.0..=1.0).contains(&video.season_share)
                    && video.history_noise.is_finite()
                    && video.history_noise >= 0.0,
                "video.season_share lies between 0 and 1, history_noise not below 0",
            ),
            (
                self.denoiser.network.in_channels == 1,
                "denoiser.network.in_channels must be 1",
            ),
            (
                [false, true]
                    .map(HistoryTower::in_channels)
                    .contains(&self.tower.network.in_channels),
                "tower.network.in_channels must be 7 (four frames, three masks) or 10 (and the season)",
            ),
            (
                (0.0..=1.0).contains(&self.tower.season_share)
                    && self
                        .tower
                        .global_ratio
                        .is_none_or(|r| r > 0.0 && r.is_finite())
                    && self.tower.spread_weight.is_finite()
                    && self.tower.spread_weight >= 0.0,
                "tower.season_share lies between 0 and 1, global_ratio above 0, spread_weight not below 0",
            ),
            (
                (0.1..=10.0).contains(&self.tower.missed_factor),
                "tower.missed_factor lies between 0.1 and 10",
            ),
            (
                (0.0..=1.0).contains(&self.tower.season_shift)
                    && self.tower.departure.is_finite()
                    && self.tower.departure >= 0.0,
                "tower.season_shift lies between 0 and 1, departure not below 0",
            ),
            (
                self.tower.network.embedding == 0,
                "tower.network.embedding must be 0: the tower sees no noise level",
            ),
            (
                self.denoiser.network.out_channels == 1,
                "denoiser.network.out_channels must be 1",
            ),
            (
                self.data.globe.is_some() || self.tower.network.out_channels == 1,
                "tower.network.out_channels must be 1 on the box",
            ),
            (
                self.denoiser.network.embedding > 0 && self.encoder.network.embedding > 0,
                "embedding must be at least 1 for a network that sees noise",
            ),
            (
                self.encoder.network.hidden > 0,
                "encoder.network.hidden must be at least 1",
            ),
            (
                self.denoiser.batch > 0 && self.tower.batch > 0 && self.encoder.batch > 0,
                "batch must be at least 1",
            ),
            (
                positive(o.learning_rate) && positive(o.clip) && o.weight_decay >= 0.0,
                "learning_rate and clip must be above 0, weight_decay not below",
            ),
            (
                o.betas.iter().all(|b| (0.0..1.0).contains(b)) && (0.0..=1.0).contains(&o.flat),
                "betas and flat must lie between 0 and 1",
            ),
            (
                laws.iter().all(|n| {
                    n.mean.is_finite()
                        && positive(n.std)
                        && (0.0..=1.0).contains(&n.wide_share)
                        && positive(n.wide[0])
                        && n.wide[0] < n.wide[1]
                        && n.wide[1].is_finite()
                }),
                "noise needs a finite mean, std above 0, wide_share in 0..1 and an ascending range wide",
            ),
            (
                self.data.globe.is_some()
                    || (self.data.validation_runs > 0
                        && self.data.validation_runs < self.data.runs),
                "validation_runs must be at least 1 and leave runs to train on",
            ),
            (
                self.data.globe.is_some() || self.data.frames > 5,
                "frames must be above 5: a window needs 5",
            ),
        ];
        if let Some(g) = &self.data.globe {
            g.transform.validate()?;
        }
        for (fits, what) in checks {
            if !fits {
                return Err(UserError::new(
                    "The training file does not fit",
                    what,
                    "correct it, or begin with a copy of models/vorticity/train.toml",
                ));
            }
        }
        Ok(())
    }
}
