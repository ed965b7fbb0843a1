//! What the worker makes: frames of all lanes, with the settings that made them and the figures read off them.

use std::sync::Arc;

use super::settings::{LANES, LaneKind, Settings};
use super::signatures::Sign;
use crate::data::Date;
use crate::metrics::Reliability;

/// D seen along the denoising of one frame (figure 2 of the paper), for one member.
#[derive(Debug, Clone, Default)]
pub struct DenoisingTrace {
    /// Noise levels, descending, in normalised units.
    pub sigma: Vec<f32>,
    /// Raw logit of the discriminator at each of them.
    pub logit: Vec<f32>,
    /// Norm of the guidance divided by the norm of the score at each of them: `|lambda d| / |s|`.
    pub guidance_ratio: Vec<f32>,
}

/// Figures read off one frame of one lane (mean over members).
#[derive(Debug, Clone, Copy, Default)]
pub struct LaneStats {
    /// Spatial mean, physical units.
    pub mean: f64,
    /// Spatial standard deviation, physical units.
    pub std: f64,
    /// Root mean square difference from the previous frame, physical units; NaN for the first.
    pub rmse_to_previous: f64,
    /// Dynamics skill of this one step (metrics.md): `1 - <(x_{n+1} - G(x_n))^2> / <(x_{n+1} - x_n)^2>`; NaN for the first.
    pub dynamics_skill: f64,
    /// Kinetic energy per unit area, box only.
    pub energy: f64,
    /// Enstrophy per unit area, box only.
    pub enstrophy: f64,
    /// Mean of log10(power / truth's) over the fine scales.
    pub fine: f64,
    /// Fair CRPS of the members against truth, physical units; NaN without an ensemble from one start.
    pub crps: f64,
    /// Root of the mean variance among members; NaN as `crps`.
    pub spread: f64,
    /// Rms error of the members' mean; NaN as `crps`.
    pub skill: f64,
}

impl LaneStats {
    /// Nothing is known.
    pub const UNKNOWN: Self = Self {
        mean: f64::NAN,
        std: f64::NAN,
        rmse_to_previous: f64::NAN,
        dynamics_skill: f64::NAN,
        energy: f64::NAN,
        enstrophy: f64::NAN,
        fine: f64::NAN,
        crps: f64::NAN,
        spread: f64::NAN,
        skill: f64::NAN,
    };
}

/// Figures read off one day of one lane on the globe (mean over members; means are area-weighted).
#[derive(Debug, Clone, Default)]
pub struct RainStats {
    /// Global mean, mm/day.
    pub global_mean: f64,
    /// Share of the area with at least 0.1 mm/day.
    pub wet_fraction: f64,
    /// 75th, 90th, 95th, 99th and 99.9th percentile over cells, mm/day.
    pub percentiles: [f64; 5],
    /// Zonal mean of member 0, mm/day, south to north.
    pub zonal_mean: Vec<f32>,
    /// Cells held at their cap, all members together.
    pub capped: usize,
}

/// Frames of one lane at one time.
#[derive(Debug, Clone)]
pub struct LaneFrame {
    /// One row-major `(y, x)` array per member, physical units.
    pub members: Vec<Arc<[f32]>>,
    /// Hovmoeller row of member 0: mean over the 10 central rows (y), on the globe over 10S-10N; one value per x, physical
    /// units.
    pub hovmoeller: Arc<[f32]>,
    /// Figures.
    pub stats: LaneStats,
    /// Figures of rain, on the globe.
    pub rain: Option<Arc<RainStats>>,
    /// Day that the recording shows here (truth lane on the globe).
    pub recorded: Option<Date>,
    /// How the discriminator saw the sampling of member 0 (empty for lanes without a sampler).
    pub trace: Arc<DenoisingTrace>,
}

/// Everything made for one frame number.
#[derive(Debug, Clone, Default)]
pub struct FrameSet {
    /// Frame number: 0..=3 are the start frames, 4 the first generated one.
    pub index: usize,
    /// Time in the solver's unit (days on the globe), 0 at the last start frame.
    pub time: f64,
    /// Date of the frame, on the globe.
    pub date: Option<Date>,
    /// By [`super::settings::LaneKind::index`]; `None` where the lane was off.
    pub lanes: [Option<LaneFrame>; LANES],
    /// The settings that made it. A slider may have moved during the frame: these are those in force at its last step.
    pub settings: Arc<Settings>,
    /// Where settings changed while it was made: each of them with the first solver step that it acted on, beginning with
    /// step 0. Empty where one and the same settings made the whole frame.
    pub steps: Vec<(usize, Arc<Settings>)>,
    /// Lanes whose picture was edited by hand after it was made.
    pub edited: [bool; LANES],
    /// Generation number of those settings.
    pub generation: u64,
    /// Wall-clock seconds the frame took.
    pub seconds: f64,
}

impl FrameSet {
    /// Whether it is of so many rows and columns and members, and has a truth lane, without which no rollout goes on.
    pub fn fits(&self, (ny, nx): (usize, usize), members: usize) -> bool {
        let fits = |lane: &LaneFrame| {
            lane.members.len() == members
                && lane
                    .members
                    .iter()
                    .all(|m| Some(m.len()) == ny.checked_mul(nx))
                && lane.hovmoeller.len() == nx
        };
        self.lanes[LaneKind::Truth.index()].is_some() && self.lanes.iter().flatten().all(fits)
    }
}

/// Streaming figures of one lane over the rollout so far.
#[derive(Debug, Clone, Default)]
pub struct LaneDiagnostics {
    /// Autocorrelation at lags 0..=10 (NaN until there are enough frames).
    pub acf: Vec<f64>,
    /// Dynamics skill over all steps.
    pub dynamics_skill: f64,
    /// Regression coefficient `a` of the frame increment on the solver's (truth: 1).
    pub a: f64,
    /// Rms of what the regression leaves, divided by the data's std.
    pub residual: f64,
    /// Standard deviation over all frames divided by the data's.
    pub std_ratio: f64,
    /// Number of generated frames that entered.
    pub frames: usize,
    /// Figures of rain over the rollout so far, on the globe.
    pub rain: Option<Arc<RainFigures>>,
    /// Spectrum and distribution of values.
    pub space: Option<Arc<SpaceFigures>>,
    /// The members against truth, where they are an ensemble from one start.
    pub ensemble: Option<Arc<EnsembleFigures>>,
    /// What goes wrong now, the gravest first.
    pub signs: Vec<Sign>,
    /// Truth lane only: what the discriminator says of pairs of frames, while it is asked.
    pub pairs: Option<Arc<PairFigures>>,
}

/// Spectrum and distribution of values over a rollout so far.
#[derive(Debug, Clone, Default)]
pub struct SpaceFigures {
    /// Mean power by wavenumber shell (zonal wavenumber on the globe), physical units squared, shell 0 first.
    pub power: Vec<f64>,
    /// Where 90 % of the lane's frames lie, lower edge; empty before two frames.
    pub power_lo: Vec<f64>,
    /// Upper edge.
    pub power_hi: Vec<f64>,
    /// Truth's, from the model's card; may be shorter.
    pub truth: Vec<f64>,
    /// Shells that count as fine.
    pub fine: std::ops::Range<usize>,
    /// Edges of the bins of the distribution: values in the box, log10 of mm/day on the globe.
    pub edges: Vec<f64>,
    /// Share of the cells in each bin, percent.
    pub shares: Vec<f64>,
    /// Where 90 % of the lane's frames lie, lower edge; empty before two frames.
    pub shares_lo: Vec<f64>,
    /// Upper edge.
    pub shares_hi: Vec<f64>,
}

/// An ensemble held against truth, over a rollout so far.
#[derive(Debug, Clone, Default)]
pub struct EnsembleFigures {
    /// Frames that entered.
    pub frames: usize,
    /// Mean fair CRPS, physical units.
    pub crps: f64,
    /// Root of the mean variance among members.
    pub spread: f64,
    /// Rms error of the members' mean.
    pub skill: f64,
    /// Spread-skill ratio with its correction for the number of members; 1 for a reliable ensemble.
    pub ratio: f64,
    /// Share of the cells in which truth has 0, 1, … members below it.
    pub ranks: Vec<f64>,
}

/// What the discriminator says of pairs of frames: such as follow each other (out of the truth lane), and such as do not.
#[derive(Debug, Clone, Default)]
pub struct PairFigures {
    /// Noise levels, normalised units, ascending.
    pub sigmas: Vec<f64>,
    /// Reliability diagram at each of them.
    pub levels: Vec<Reliability>,
}

/// Figures of rain over a rollout so far, each to be held against [`crate::model::card::RainTruth`].
#[derive(Debug, Clone, Default)]
pub struct RainFigures {
    /// Global mean, mm/day.
    pub global_mean: f64,
    /// Share of the area with at least 0.1 mm/day.
    pub wet_fraction: f64,
    /// 75th, 90th, 95th, 99th and 99.9th percentile over cells and days, mm/day.
    pub percentiles: [f64; 5],
    /// Autocorrelation of anomalies at lags 0..=10, mean over 20S-20N (NaN until there are enough frames).
    pub tropics_acf: Vec<f64>,
    /// Autocorrelation of the global mean at lags 0..=10.
    pub global_acf: Vec<f64>,
    /// Zonal mean, mm/day, south to north.
    pub zonal_mean: Vec<f64>,
    /// Share of cells held at their cap.
    pub capped: f64,
}
