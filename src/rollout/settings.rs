//! One settings struct for the window, the command line and the recipe of a saved run.

use serde::{Deserialize, Serialize};

use crate::closed_form::{Belief, ClosedForm};
use crate::data::rain::Choices;
use crate::error::{Result, UserError};

/// How a probability flow is integrated from noise to a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Solver {
    /// The flow of the two-tower discriminator's Gaussian law, followed exactly; what the networks know beyond it, by a
    /// multistep rule ([`crate::diffusion::flow`]). Deterministic, one network evaluation a step, and the first one at
    /// [`SamplerSettings::sigma_first`]. Without such a law: see [`SamplerSettings::without_law`].
    Flow,
    /// Stochastic Heun of second order (Karras et al. 2022, algorithm 2) with the guidance inside the slope.
    Heun,
    /// The update as printed in Hess et al. 2025, algorithm 1: total guidance 1.5 lambda.
    AsPrinted,
    /// DPM-Solver++(2M) (Lu et al. 2022), deterministic, one network evaluation a step.
    Dpm,
    /// The same of third order.
    Dpm3,
    /// Predictor of second order and a corrector that costs nothing more, as in UniPC (Zhao et al. 2023); deterministic, one
    /// network evaluation a step.
    #[serde(rename = "unipc")]
    #[value(name = "unipc")]
    UniPc,
}

impl Solver {
    /// Network evaluations of a frame.
    pub fn evaluations(self, steps: usize) -> usize {
        match self {
            // The last step is Euler's.
            Self::Heun | Self::AsPrinted => (2 * steps).saturating_sub(1),
            Self::Flow | Self::Dpm | Self::Dpm3 | Self::UniPc => steps,
        }
    }

    /// Steps that it is used with where nothing is said.
    pub fn usual_steps(self) -> usize {
        match self {
            Self::Flow => 6,
            Self::Heun | Self::AsPrinted | Self::Dpm | Self::Dpm3 | Self::UniPc => 10,
        }
    }

    /// Whether churn puts noise into it.
    pub fn is_stochastic(self) -> bool {
        matches!(self, Self::Heun | Self::AsPrinted)
    }
}

/// How the noise levels lie between the largest and the smallest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Schedule {
    /// Equal ratios. At few steps DPM-Solver++(2M) keeps the variance of a Gaussian law best so.
    Geometric,
    /// Karras et al. 2022, equation 5, with curvature `rho`: more levels at low noise.
    Karras,
    /// Equal steps of `arctan sigma`: the cosine schedule of variance-preserving diffusion (Nichol and Dhariwal 2021), in
    /// the noise levels used here. Nearly all levels lie around 1.
    Cosine,
}

/// Which discriminator guides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum DiscriminatorKind {
    /// History tower + closed form per Fourier mode + calibration (this project's).
    TwoTower,
    /// Noise-conditioned U-Net encoder (the paper's).
    Encoder,
}

/// Where the sampler of a frame begins.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Start {
    /// Pure noise of the largest noise level.
    Noise,
    /// The last frame plus noise of level `sigma`. Fakes autocorrelation: the picture can freeze and still have the
    /// right autocorrelation.
    Warm {
        /// Noise level of the start, in normalised units.
        sigma: f32,
    },
}

/// What the discriminator does to the score. Acts on the next solver step when changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GuidanceSettings {
    /// Guidance strength lambda; 0 is the unconditional model.
    pub strength: f32,
    /// History length m: the discriminator sees `m` frames before the last one (0..=3).
    pub history: usize,
    /// Guidance acts only at noise levels `sigma_lo <= sigma <= sigma_hi` (normalised units).
    pub sigma_lo: f32,
    /// See `sigma_lo`.
    pub sigma_hi: f32,
    /// Which discriminator.
    pub discriminator: DiscriminatorKind,
    /// Guidance strength of the guided video lane. The video model knows the history already: what the discriminator adds
    /// counts it again, so that less is needed than for the image model.
    pub video_strength: f32,
    /// Whether the discriminator (and the video model) is told the day of the year (on the globe, where it can be).
    pub season: bool,
    /// What the discriminator believes of a world with known answers; `None` = the truth.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub belief: Option<Belief>,
}

impl Default for GuidanceSettings {
    fn default() -> Self {
        Self {
            strength: 1.0,
            history: 3,
            sigma_lo: 0.0,
            sigma_hi: 1000.0,
            discriminator: DiscriminatorKind::TwoTower,
            video_strength: 0.25,
            season: false,
            belief: None,
        }
    }
}

/// How each frame is sampled. Acts on the next frame when changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SamplerSettings {
    /// Integrator.
    pub solver: Solver,
    /// Number of noise levels N.
    pub steps: usize,
    /// Smallest noise level before 0 (normalised units).
    pub sigma_min: f32,
    /// Largest noise level (normalised units). A frame that starts from pure noise loses the share `sqrt(S) / sigma_max`
    /// of its forecast (S: power of what cannot be forecast), so it lies well above the paper's 80.
    pub sigma_max: f32,
    /// Noise level of the first network evaluation of [`Solver::Flow`] (normalised units): above it the law alone is followed,
    /// since there an image is hidden and every law with the right power says the same.
    pub sigma_first: f32,
    /// How the levels lie between them.
    pub schedule: Schedule,
    /// Curvature of [`Schedule::Karras`].
    pub rho: f32,
    /// S_churn of stochastic Heun; saturates at `steps * (sqrt 2 - 1)`. Ignored by DPM-Solver++.
    pub churn: f32,
    /// S_noise of stochastic Heun.
    pub s_noise: f32,
    /// Where a frame begins.
    pub start: Start,
}

impl Default for SamplerSettings {
    fn default() -> Self {
        Self {
            solver: Solver::Flow,
            steps: Solver::Flow.usual_steps(),
            sigma_min: 0.006,
            sigma_max: 400.0,
            sigma_first: 8.0,
            schedule: Schedule::Geometric,
            rho: 7.0,
            churn: 0.0,
            s_noise: 1.0,
            start: Start::Noise,
        }
    }
}

impl SamplerSettings {
    /// A solver with its usual steps.
    pub fn of(solver: Solver) -> Self {
        Self {
            solver,
            steps: solver.usual_steps(),
            ..Self::default()
        }
    }

    /// What makes a frame where no Gaussian law is known whose flow could be followed (another discriminator than the
    /// two-tower one, or none): DPM-Solver++(2M), with its usual steps at least.
    pub fn without_law(&self) -> Self {
        match self.solver {
            Solver::Flow => Self {
                solver: Solver::Dpm,
                steps: self.steps.max(Solver::Dpm.usual_steps()),
                ..self.clone()
            },
            _ => self.clone(),
        }
    }

    /// The value of `churn` above which more changes nothing: `steps * (sqrt 2 - 1)`.
    pub fn churn_saturation(&self) -> f32 {
        self.steps as f32 * (std::f32::consts::SQRT_2 - 1.0)
    }
}

/// Which lanes are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LaneKind {
    /// The real solver continued from the same start.
    Truth,
    /// The image model alone (lambda = 0).
    Unconditional,
    /// The image model guided by the discriminator.
    Guided,
    /// The history tower plus Gaussian noise, no diffusion: the honest control.
    Forecaster,
    /// The video model: an image model that sees the last frames as further channels.
    Video,
    /// The video model with the discriminator's gradient on top.
    GuidedVideo,
}

/// Number of lanes.
pub const LANES: usize = LaneKind::ALL.len();

impl LaneKind {
    /// All lanes, in the order in which they are shown.
    pub const ALL: [Self; 6] = [
        Self::Truth,
        Self::Unconditional,
        Self::Guided,
        Self::Forecaster,
        Self::Video,
        Self::GuidedVideo,
    ];

    /// Lanes that the sampler makes from noise, those of the image model first.
    pub const SAMPLED: [Self; 4] = [
        Self::Unconditional,
        Self::Guided,
        Self::Video,
        Self::GuidedVideo,
    ];

    /// Whether the video model makes it.
    pub fn is_video(self) -> bool {
        matches!(self, Self::Video | Self::GuidedVideo)
    }

    /// Position in [`Self::ALL`], the index used by every per-lane array.
    pub fn index(self) -> usize {
        self as usize
    }

    /// Name in the window and in files.
    pub fn label(self) -> &'static str {
        match self {
            Self::Truth => "Truth",
            Self::Unconditional => "Unconditional",
            Self::Guided => "Guided",
            Self::Forecaster => "Forecaster + noise",
            Self::Video => "Video model",
            Self::GuidedVideo => "Guided video",
        }
    }
}

/// Everything that a person can change while a rollout runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Guidance.
    pub guidance: GuidanceSettings,
    /// Sampler.
    pub sampler: SamplerSettings,
    /// Lanes computed, by [`LaneKind::index`]. Truth is always computed: the diagnostics need it.
    #[serde(deserialize_with = "lanes")]
    pub lanes: [bool; LANES],
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            guidance: GuidanceSettings::default(),
            sampler: SamplerSettings::default(),
            lanes: [true, true, true, false, false, false],
        }
    }
}

/// Lanes that a recipe of an earlier version does not know are off.
fn lanes<'de, D: serde::Deserializer<'de>>(
    from: D,
) -> std::result::Result<[bool; LANES], D::Error> {
    let known = Vec::<bool>::deserialize(from)?;
    if known.len() > LANES {
        let what = format!("{} lanes, and this version knows {LANES}", known.len());
        return Err(serde::de::Error::custom(what));
    }
    let mut out = [false; LANES];
    out[..known.len()].copy_from_slice(&known);
    Ok(out)
}

/// What a rollout starts from. Changing it starts a new rollout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RolloutSpec {
    /// Seed of all noise: sampler, forcing and start.
    pub seed: u64,
    /// Ensemble members, 1..=64.
    pub members: usize,
    /// Number of the first member: what a member becomes depends on the seed and its number alone, so that an ensemble can be
    /// made in parts, by several processes or machines.
    #[serde(skip_serializing_if = "is_default")]
    pub first_member: usize,
    /// File with start frames; without it the solver makes a start from the seed. On the globe a file of daily
    /// precipitation: the recording that gives the start and goes on as truth, instead of the shipped one.
    pub start_file: Option<std::path::PathBuf>,
    /// More files that belong to the same recording (on the globe).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub more_files: Vec<std::path::PathBuf>,
    /// How the files are to be read (on the globe): answers to the questions that they leave open.
    #[serde(skip_serializing_if = "is_default")]
    pub reading: Choices,
    /// Date of the last start frame (on the globe); without it the seed chooses a day of the recording.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_date: Option<crate::data::Date>,
    /// Parameters of a world with known answers; `None` = its usual ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed_form: Option<ClosedForm>,
    /// Whether all members start from the first one's frames, as an ensemble, where the solver makes the start (otherwise
    /// each member has a start of its own). Recorded days are always the same for all.
    #[serde(skip_serializing_if = "is_default")]
    pub one_start: bool,
}

impl RolloutSpec {
    /// The number that the noise of a member is drawn with; `member` counts from 0 within this rollout.
    pub fn number(&self, member: usize) -> u32 {
        (self.first_member + member) as u32
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Default for RolloutSpec {
    fn default() -> Self {
        Self {
            seed: 0,
            members: 1,
            first_member: 0,
            start_file: None,
            more_files: Vec::new(),
            reading: Choices::default(),
            start_date: None,
            closed_form: None,
            one_start: false,
        }
    }
}

impl Settings {
    /// Checks every value against its range.
    ///
    /// # Errors
    /// Names the value, its range and what to use instead.
    pub fn validate(&self) -> Result<()> {
        let range = |name: &str, value: f32, lo: f32, hi: f32| {
            if value.is_finite() && (lo..=hi).contains(&value) {
                Ok(())
            } else {
                Err(UserError::new(
                    format!("{name} cannot be {value}"),
                    format!("it must be a number from {lo} to {hi}"),
                    format!("give {name} a value in that range"),
                ))
            }
        };
        let g = &self.guidance;
        range("guidance strength", g.strength, 0.0, 1000.0)?;
        let name = "guidance strength of the video model";
        range(name, g.video_strength, 0.0, 1000.0)?;
        if g.history > 3 {
            return Err(UserError::new(
                format!("history length cannot be {}", g.history),
                "the discriminators were trained for 0, 1, 2 or 3 frames before the last one",
                "use a history length from 0 to 3",
            ));
        }
        range("lower end of the guidance interval", g.sigma_lo, 0.0, 1e6)?;
        range("upper end of the guidance interval", g.sigma_hi, 0.0, 1e6)?;
        if let Some(belief) = g.belief {
            belief.validate()?;
        }
        let s = &self.sampler;
        if !(2..=1000).contains(&s.steps) {
            return Err(UserError::new(
                format!("steps cannot be {}", s.steps),
                "a sampler needs at least 2 noise levels, and more than 1000 bring nothing",
                "use 6 for solver flow, 10 for the others, 50 for the paper's setting",
            ));
        }
        range("smallest noise level", s.sigma_min, 1e-4, 1.0)?;
        range("largest noise level", s.sigma_max, 1.0, 1e4)?;
        range(
            "noise level of the first evaluation",
            s.sigma_first,
            1.0,
            1e4,
        )?;
        range("rho", s.rho, 1.0, 20.0)?;
        range("churn", s.churn, 0.0, 1e4)?;
        range("noise factor of churn", s.s_noise, 0.5, 2.0)?;
        if let Start::Warm { sigma } = s.start {
            range(
                "noise level of the warm start",
                sigma,
                s.sigma_min,
                s.sigma_max,
            )?;
        }
        Ok(())
    }
}
