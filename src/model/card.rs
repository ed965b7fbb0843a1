//! The model card `model.toml`: what the model is, what it was made from, how, and how good it is.

use serde::{Deserialize, Serialize};

use crate::closed_form::ClosedForm;
use crate::data::{Calendar, Transform};
use crate::diffusion::two_tower::Calibration;
use crate::diffusion::wavelet::band_count;
use crate::diffusion::wavelet_tower::WaveletCalibration;
use crate::error::{Result, UserError};
use crate::field::Globe;
use crate::nn::{EncoderConfig, HistoryTower, UNetConfig, VideoDenoiser};
use crate::rollout::settings::Solver;

/// Version of the card format.
pub const CARD_VERSION: u32 = 1;

/// The card.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelCard {
    /// Version of this format.
    pub version: u32,
    /// Short name ("vorticity").
    pub name: String,
    /// A sentence for people.
    pub description: String,
    /// What the field is called.
    pub quantity: String,
    /// Unit of the field, as shown.
    pub units: String,
    /// Licence of the weights.
    pub licence: String,
    /// What it was made from.
    pub data: DataCard,
    /// Parameters of a world whose answers are known: such a model has no networks. Only the built-in ones are so.
    #[serde(default, skip_deserializing, skip_serializing_if = "Option::is_none")]
    pub closed_form: Option<ClosedForm>,
    /// The image model.
    pub denoiser: DenoiserCard,
    /// The two-tower discriminator.
    pub two_tower: Option<TwoTowerCard>,
    /// The paper's discriminator.
    pub encoder: Option<EncoderCard>,
    /// The video model: the baseline beside the guided image model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub video: Option<VideoCard>,
    /// What truth looks like, measured on the validation runs.
    pub truth: TruthCard,
    /// Measured quality of rollouts; one entry a setting.
    #[serde(default)]
    pub quality: Vec<QualityCard>,
    /// Samplers from quick to good, measured side by side (`eddyscope sweep --write-card`).
    #[serde(default, rename = "sampler", skip_serializing_if = "Vec::is_empty")]
    pub samplers: Vec<SamplerCard>,
}

/// What the model was made from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DataCard {
    /// Where the data come from.
    pub source: String,
    /// Preset of the solver that made them (and that continues a rollout as truth); empty where there is none.
    #[serde(default)]
    pub preset: String,
    /// Seed of the data.
    pub seed: u64,
    /// Runs for training and for validation, frames a run.
    pub train_runs: usize,
    /// See `train_runs`.
    pub validation_runs: usize,
    /// See `train_runs`.
    pub frames: usize,
    /// Physical value = normalised value x scale (1 on the globe, where every cell has its own: see `globe`).
    pub scale: f64,
    /// The globe that the fields stand on; without it a doubly periodic box.
    #[serde(default)]
    pub globe: Option<GlobeCard>,
}

/// Daily precipitation on the globe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GlobeCard {
    /// Terms of the data.
    pub terms: String,
    /// First and last day trained on.
    pub training: [String; 2],
    /// First and last day that calibration and choices were made on.
    pub validation: [String; 2],
    /// Calendar of the data.
    pub calendar: Calendar,
    /// Amounts below this are written as no rain, mm/day.
    pub dry: f32,
    /// File of tables beside the card ([`crate::model::Fields`]).
    pub fields: String,
    /// Correction of the marginal law of the amounts ([`crate::data::Amounts`]): pairs of transformed amounts.
    #[serde(default)]
    pub adjust: Vec<[f32; 2]>,
    /// Correction of the mean of each row, south to north: factors.
    #[serde(default)]
    pub rows: Vec<f32>,
    /// How amounts become values with a milder tail.
    pub transform: Transform,
    /// The grid.
    pub grid: Globe,
}

/// How a network was trained.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TrainingCard {
    /// The command.
    pub command: String,
    /// Optimizer steps.
    pub steps: usize,
    /// Batch size.
    pub batch: usize,
    /// Seed.
    pub seed: u64,
    /// Device.
    pub device: String,
    /// Hours it took.
    pub hours: f64,
    /// Validation loss of the EMA weights at the end.
    pub validation_loss: f64,
}

/// The image model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DenoiserCard {
    /// File beside the card.
    pub weights: String,
    /// Number of parameters.
    pub parameters: usize,
    /// Standard deviation of the normalised data that the preconditioning assumes; 0.5 and true.
    pub sigma_data: f32,
    /// The network.
    pub network: UNetConfig,
    /// Training.
    pub training: TrainingCard,
}

fn three() -> usize {
    3
}

/// The two-tower discriminator.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TwoTowerCard {
    /// File beside the card.
    pub weights: String,
    /// Number of parameters of the tower.
    pub parameters: usize,
    /// Suggested guidance strength.
    pub suggested_strength: f32,
    /// Suggested history length m, 0..=3.
    #[serde(default = "three")]
    pub suggested_history: usize,
    /// Guidance strength above which rollouts blow up.
    pub usable_strength: f32,
    /// The history tower.
    pub network: UNetConfig,
    /// Training of the tower.
    pub training: TrainingCard,
    /// The closed form's numbers by wavenumber (on the doubly periodic box).
    pub calibration: Option<Calibration>,
    /// The closed form's numbers by wavelet band (on the globe).
    pub wavelet: Option<WaveletCalibration>,
    /// Whether the tower can be told the day of the year.
    #[serde(default)]
    pub season: bool,
    /// Whether a tower that is told the day forecasts anomalies from the year's cycle.
    #[serde(default)]
    pub anomalies: bool,
}

/// The paper's discriminator.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EncoderCard {
    /// File beside the card.
    pub weights: String,
    /// Number of parameters.
    pub parameters: usize,
    /// Suggested guidance strength.
    pub suggested_strength: f32,
    /// Guidance strength above which rollouts blow up.
    pub usable_strength: f32,
    /// The network.
    pub network: EncoderConfig,
    /// Training.
    pub training: TrainingCard,
}

/// The video model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VideoCard {
    /// File beside the card.
    pub weights: String,
    /// Number of parameters.
    pub parameters: usize,
    /// Suggested strength of the discriminator's gradient on top of it (lane "guided video").
    pub suggested_strength: f32,
    /// The network.
    pub network: UNetConfig,
    /// Training.
    pub training: TrainingCard,
}

/// What truth looks like.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TruthCard {
    /// Autocorrelation at lags 0..=10.
    pub acf: Vec<f64>,
    /// 5 % over runs of 100 frames.
    pub acf_lo: Vec<f64>,
    /// 95 % over runs of 100 frames.
    pub acf_hi: Vec<f64>,
    /// Standard deviation, physical units.
    pub std: f64,
    /// 5 and 95 % of the spatial std of single frames, physical units.
    pub std_band: [f64; 2],
    /// 5 and 95 % of the frame-to-frame rms difference, physical units.
    pub rmse_band: [f64; 2],
    /// Dynamics skill (metrics.md).
    pub dynamics_skill: f64,
    /// Regression of the increment on the solver's.
    pub a: f64,
    /// Rms of what that regression leaves, divided by std.
    pub residual: f64,
    /// Kurtosis.
    pub kurtosis: f64,
    /// Mean power of each wavenumber shell, physical units squared (shell 0 first); on the globe of each zonal wavenumber
    /// (area-weighted mean over rows).
    pub spectrum: Vec<f64>,
    /// What rain looks like, on the globe.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rain: Option<RainTruth>,
}

/// What rain looks like, measured on the validation days. Means are area-weighted.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RainTruth {
    /// Global mean, mm/day.
    pub global_mean: f64,
    /// 5 and 95 % of the global mean of single days, mm/day.
    pub global_mean_band: [f64; 2],
    /// Share of the area with at least 0.1 mm/day.
    pub wet_fraction: f64,
    /// 5 and 95 % of the wet share of single days.
    pub wet_fraction_band: [f64; 2],
    /// 75th, 90th, 95th, 99th and 99.9th percentile over cells and days, mm/day.
    pub percentiles: [f64; 5],
    /// Autocorrelation of anomalies at lags 0..=10, mean over 20S-20N.
    pub tropics_acf: Vec<f64>,
    /// Autocorrelation of the global mean at lags 0..=10.
    pub global_acf: Vec<f64>,
    /// Zonal mean, mm/day, south to north.
    pub zonal_mean: Vec<f64>,
}

/// A sampler, and what rollouts with it were like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SamplerCard {
    /// Short name ("draft", "fast", "fine").
    pub name: String,
    /// Integrator.
    pub solver: Solver,
    /// Noise levels.
    pub steps: usize,
    /// Members and frames of the rollout that it was measured in.
    pub members: usize,
    /// See `members`.
    pub frames: usize,
    /// What the rollout was judged by.
    pub figures: SamplerFigures,
    /// The score of `eddyscope sweep`; smaller is better.
    pub score: f64,
}

/// Errors of a rollout; what the model's world does not have is left out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SamplerFigures {
    /// Mean absolute error of the autocorrelation, lags 1-10.
    pub acf_error: Option<f64>,
    /// Standard deviation divided by the data's.
    pub std_ratio: Option<f64>,
    /// Spectrum error.
    pub spectrum_error: Option<f64>,
    /// Dynamics skill minus truth's (turbulence).
    pub skill_difference: Option<f64>,
    /// Wet share of the area minus truth's (precipitation).
    pub wet_difference: Option<f64>,
    /// Standard deviation divided by the data's of frames without guidance.
    pub alone_std_ratio: Option<f64>,
    /// Their spectrum error.
    pub alone_spectrum_error: Option<f64>,
}

/// Measured quality of a rollout.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct QualityCard {
    /// What was run.
    pub setting: String,
    /// The command that makes it again.
    pub command: String,
    /// Mean absolute error of the autocorrelation, lags 1..=10.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acf_mae: Option<f64>,
    /// Standard deviation divided by truth's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub std_ratio: Option<f64>,
    /// Mean |log10| of the ratio of the spectra, shells 1..=20.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spectrum_error: Option<f64>,
    /// Dynamics skill.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dynamics_skill: Option<f64>,
    /// Regression of the increment on the solver's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub a: Option<f64>,
    /// Rms of what that regression leaves, divided by the data's std.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub residual: Option<f64>,
    /// Figures of rain, on the globe, where the ones above are not there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub figures: Vec<FigureCard>,
}

/// A figure of a run beside truth's (`eddyscope compare`).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct FigureCard {
    /// What it is, with its unit.
    pub name: String,
    /// The run's.
    pub run: f64,
    /// Truth's.
    pub truth: f64,
    /// Whether what is asked of it holds, if anything is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holds: Option<bool>,
}

impl ModelCard {
    /// Reads a card; `origin` names it in errors.
    ///
    /// # Errors
    /// Not TOML, a missing or unknown-typed field (with its line), a newer version, unusable numbers.
    pub fn parse(text: &str, origin: &str) -> Result<Self> {
        let card: Self = toml::from_str(text).map_err(|e| {
            UserError::new(
                format!("Cannot understand the model card {origin}"),
                e.message().to_string()
                    + &e.span().map_or(String::new(), |s| {
                        let line = text.get(..s.start).map_or(0, |t| t.lines().count());
                        format!(" (line {line})")
                    }),
                "compare it with the card of the shipped model: eddyscope models --card vorticity",
            )
        })?;
        let fail = |cause: String| {
            Err(UserError::new(
                format!("The model card {origin} cannot be used"),
                cause,
                "open the model with the version of eddyscope that made it, or train it again",
            ))
        };
        if card.version > CARD_VERSION {
            return fail(format!(
                "it has version {}; this program knows up to {CARD_VERSION}",
                card.version
            ));
        }
        if !(card.data.scale.is_finite() && card.data.scale > 0.0) {
            return fail(format!("data.scale is {}", card.data.scale));
        }
        if !(card.truth.std.is_finite() && card.truth.std > 0.0) {
            return fail(format!("truth.std is {}", card.truth.std));
        }
        if [&card.truth.acf, &card.truth.acf_lo, &card.truth.acf_hi]
            .iter()
            .any(|a| a.len() != 11)
        {
            return fail("truth.acf, acf_lo and acf_hi must have 11 entries".into());
        }
        if let Some(s) = card.samplers.iter().find(|s| !(2..=200).contains(&s.steps)) {
            return fail(format!("the sampler {} has {} steps", s.name, s.steps));
        }
        for (what, told, trunk) in card.networks() {
            if let Err(e) = trunk.validate() {
                return fail(format!("{what}: {}", e.cause));
            }
            if told != (trunk.embedding > 0) {
                let is = if told { "is" } else { "is not" };
                return fail(format!(
                    "{what}: it {is} told the noise level, but embedding is {}",
                    trunk.embedding
                ));
            }
        }
        if let Some(e) = &card.encoder {
            e.network.validate()?;
        }
        let takes = |network: &UNetConfig, of: &dyn Fn(bool) -> usize| {
            [false, true].map(of).contains(&network.in_channels)
        };
        if card.denoiser.network.in_channels != 1
            || card.denoiser.network.out_channels != 1
            || !card
                .two_tower
                .as_ref()
                .is_none_or(|t| takes(&t.network, &HistoryTower::in_channels))
            || !card.video.as_ref().is_none_or(|v| {
                v.network.out_channels == 1 && takes(&v.network, &VideoDenoiser::in_channels)
            })
        {
            return fail("a network has other inputs or outputs than its task has".into());
        }
        if let Some(t) = &card.two_tower {
            if t.suggested_history > 3 {
                return fail(format!(
                    "two_tower.suggested_history is {}, it goes from 0 to 3",
                    t.suggested_history
                ));
            }
            match (&t.calibration, &t.wavelet, &card.data.globe) {
                (Some(c), None, None) => c.validate()?,
                (None, Some(w), Some(_)) => w.validate()?,
                _ => {
                    return fail(
                        "two_tower needs a calibration on the box, a wavelet calibration on the globe".into(),
                    );
                }
            }
        }
        if let Some(g) = &card.data.globe {
            g.grid.validate()?;
            g.transform.validate()?;
            let shape = [g.grid.ny(), g.grid.nx];
            card.check_grid(shape)?;
            if let Some(t) = &card.two_tower {
                let maps = band_count(shape[0], shape[1]);
                if t.network.out_channels != maps + 1
                    || t.wavelet.as_ref().is_some_and(|w| w.shape != shape)
                {
                    return fail(format!(
                        "two_tower does not fit a grid of {shape:?}, which has {maps} wavelet bands"
                    ));
                }
            }
        }
        Ok(card)
    }

    /// The networks by name: whether each is told a noise level, and its sizes (an encoder's trunk).
    fn networks(&self) -> Vec<(&'static str, bool, UNetConfig)> {
        let mut all = vec![("denoiser", true, self.denoiser.network.clone())];
        all.extend((self.two_tower.iter()).map(|t| ("two_tower", false, t.network.clone())));
        all.extend((self.encoder.iter()).map(|e| ("encoder", true, e.network.trunk())));
        all.extend((self.video.iter()).map(|v| ("video", true, v.network.clone())));
        all
    }

    /// Checks that every network can work on the grid of `[rows, columns]` that the model's world has.
    ///
    /// # Errors
    /// Names the network that cannot.
    pub fn check_grid(&self, shape @ [ny, nx]: [usize; 2]) -> Result<()> {
        match self.networks().iter().find(|n| !n.2.fits(shape)) {
            None => Ok(()),
            Some((what, _, network)) => Err(UserError::new(
                format!("The model {} cannot be used", self.name),
                match network.position {
                    Some([rows, columns]) => format!(
                        "its {what} knows the places of a grid of {rows} x {columns}, the grid is {ny} x {nx}"
                    ),
                    None => format!(
                        "its {what} needs sides that are multiples of {}, the grid is {ny} x {nx}",
                        network.divisor()
                    ),
                },
                "train the model again for this grid",
            )),
        }
    }

    /// The card as TOML.
    ///
    /// # Errors
    /// A number that TOML cannot hold.
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string(self).map_err(|e| {
            UserError::new(
                "Cannot write the model card",
                e,
                "this is a fault of the program; please report it",
            )
        })
    }
}
