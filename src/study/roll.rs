//! Rollouts outside of the engine: any image model, any discriminator, frames in normalised units.

use burn::tensor::{Device, Tensor, TensorData};

use super::{Lab, Outcome};
use crate::data::Dataset;
use crate::data::dataset::Part;
use crate::diffusion::sampler::{Sampler, StepContext, Wanted};
use crate::diffusion::{Context, Control, Denoise, Discriminate, to_vec};
use crate::nn::HISTORY;
use crate::random::{NoiseKey, Stream};
use crate::rollout::settings::{GuidanceSettings, SamplerSettings};

/// A frame whose rms exceeds this many times the data's has blown up.
const BLOW_UP: f64 = 4.0;

/// Frames of several members, `[member][frame][cell]`, normalised.
pub type Ensemble = Vec<Vec<Vec<f32>>>;

/// Where a member starts: run and frame of its last frame, and the last frames, newest first.
pub type Start = ((usize, usize), Vec<Vec<f32>>);

/// What makes the frames.
#[derive(Clone, Copy)]
pub enum Maker<'a> {
    /// The image model, guided if there is a discriminator.
    Sampled {
        /// The image model.
        denoiser: &'a dyn Denoise,
        /// The discriminator, and the guidance strength.
        guide: Option<(&'a dyn Discriminate, f32)>,
    },
    /// A tower and Gaussian noise, without diffusion.
    Forecaster(&'a dyn Control),
}

/// A rollout.
pub struct Rolled {
    /// Its frames; those of a rollout that blew up end before that.
    pub members: Ensemble,
    /// The frame at which it blew up.
    pub blow_up: Option<usize>,
    /// Seconds that it took.
    pub seconds: f64,
}

/// Last frames of `members` windows of the validation runs, newest first, and where each ends (run, frame).
pub fn starts(data: &Dataset, members: usize, horizon: usize) -> Vec<Start> {
    let runs = data.runs(Part::Validation);
    let last = data.frames().saturating_sub(horizon + 1).max(HISTORY - 1);
    (0..members)
        .map(|i| {
            let run = runs.start + i % runs.len().max(1);
            let lap = i / runs.len().max(1);
            let laps = members.div_ceil(runs.len().max(1)).max(1);
            let end = HISTORY - 1 + (last - (HISTORY - 1)) * lap / laps;
            let past = (0..HISTORY)
                .map(|back| data.frame(run, end - back).unwrap_or(&[]).to_vec())
                .collect();
            ((run, end), past)
        })
        .collect()
}

/// `[rows, channels, n, n]`.
pub fn tensor(values: Vec<f32>, channels: usize, n: usize, device: &Device) -> Tensor<4> {
    let rows = values.len() / (channels * n * n).max(1);
    Tensor::from_data(TensorData::new(values, [rows, channels, n, n]), device)
}

/// Standard normal noise of rows, `[rows, 1, n, n]`; the same for the same seed, frame and step.
pub fn noise(
    seed: u64,
    rows: usize,
    frame: usize,
    step: usize,
    n: usize,
    device: &Device,
) -> Tensor<4> {
    noise_of(1, seed, rows, frame, step, n, device)
}

/// The same for several variables, `[rows, channels, n, n]`.
#[allow(clippy::too_many_arguments)]
pub fn noise_of(
    channels: usize,
    seed: u64,
    rows: usize,
    frame: usize,
    step: usize,
    n: usize,
    device: &Device,
) -> Tensor<4> {
    let values = (0..rows as u32)
        .flat_map(|member| {
            NoiseKey {
                seed,
                stream: Stream::Sampler,
                member,
                frame: frame as u32,
                step: step as u16,
            }
            .normal_f32(channels * n * n)
        })
        .collect();
    tensor(values, channels, n, device)
}

/// One frame for every row from pure noise, `[rows, c, n, n]`; `history` holds c variables of each past frame,
/// `[rows, 4 c, n, n]`.
#[allow(clippy::too_many_arguments)]
pub fn sample(
    denoiser: &dyn Denoise,
    guide: Option<(&dyn Discriminate, f32)>,
    history: &Tensor<4>,
    m: usize,
    settings: &SamplerSettings,
    seed: u64,
    frame: usize,
) -> Tensor<4> {
    let [rows, all, n, _] = history.dims();
    let channels = all / HISTORY;
    let device = history.device();
    let conditioned = guide.map(|(d, _)| d.condition(history, Context::history(m)));
    let strength = guide.map_or(0.0, |(_, strength)| strength);
    let guidance = GuidanceSettings {
        strength,
        history: m,
        ..GuidanceSettings::default()
    };
    let strengths = vec![strength; rows];
    let fresh = |step| noise_of(channels, seed, rows, frame, step, n, &device);
    let mut sampler = Sampler::new(settings, fresh(0), None);
    while !sampler.is_done() {
        sampler.step(&StepContext {
            denoiser,
            discriminator: conditioned.as_deref(),
            guidance: &guidance,
            strengths: &strengths,
            flow: None,
            noise: &|i| fresh(i + 1),
            wanted: Wanted::Nothing,
        });
    }
    sampler.state().clone()
}

impl Lab<'_> {
    /// Rolls out from these histories (newest first).
    ///
    /// # Errors
    /// A stop.
    pub fn roll(&self, maker: Maker, starts: &[Start], m: usize, frames: usize) -> Outcome<Rolled> {
        self.roll_with(maker, starts, m, frames, &self.config.sampler())
    }

    /// As [`Self::roll`], with another sampler.
    ///
    /// # Errors
    /// A stop.
    pub fn roll_with(
        &self,
        maker: Maker,
        starts: &[Start],
        m: usize,
        frames: usize,
        settings: &SamplerSettings,
    ) -> Outcome<Rolled> {
        let begin = std::time::Instant::now();
        let n = self.config.side;
        // A frame holds one variable or several, one after another.
        let cells = starts
            .first()
            .and_then(|(_, past)| past.first())
            .map_or(n * n, Vec::len);
        let channels = (cells / (n * n)).max(1);
        let mut history: Vec<Vec<Vec<f32>>> = starts.iter().map(|(_, past)| past.clone()).collect();
        let mut members: Ensemble = vec![Vec::new(); starts.len()];
        let mut blow_up = None;
        for frame in 0..frames {
            self.check()?;
            (self.progress)("rollout", frame as f64 / frames.max(1) as f64);
            let past = history.iter().flatten().flatten().copied().collect();
            let past = tensor(past, HISTORY * channels, n, self.device());
            let made = to_vec(match maker {
                Maker::Sampled { denoiser, guide } => {
                    sample(denoiser, guide, &past, m, settings, self.seed, frame)
                }
                Maker::Forecaster(control) => control.forecast_with_noise(
                    &past,
                    Context::history(m),
                    noise_of(
                        channels,
                        self.seed,
                        starts.len(),
                        frame,
                        0,
                        n,
                        self.device(),
                    ),
                ),
            });
            let rms = |f: &[f32]| {
                let sum: f64 = f.iter().map(|v| f64::from(*v).powi(2)).sum();
                (sum / f.len().max(1) as f64).sqrt()
            };
            // The negation also catches what is not a number.
            let fits = |f: &[f32]| rms(f) <= BLOW_UP * crate::data::dataset::NORMALISED_STD;
            if !made.chunks_exact(cells).all(fits) {
                blow_up = Some(frame);
                break;
            }
            let rows = made.chunks_exact(cells).zip(&mut history).zip(&mut members);
            for ((values, history), member) in rows {
                history.insert(0, values.to_vec());
                history.truncate(HISTORY);
                member.push(values.to_vec());
            }
        }
        Ok(Rolled {
            members,
            blow_up,
            seconds: begin.elapsed().as_secs_f64(),
        })
    }
}

/// Views of an ensemble, as the metrics take them.
pub fn views(members: &Ensemble) -> Vec<Vec<&[f32]>> {
    members
        .iter()
        .map(|m| m.iter().map(|f| &f[..]).collect())
        .collect()
}

/// The validation runs as an ensemble.
pub fn truth(data: &Dataset) -> Ensemble {
    data.runs(Part::Validation)
        .map(|run| {
            (0..data.frames())
                .filter_map(|f| data.frame(run, f).map(<[f32]>::to_vec))
                .collect()
        })
        .collect()
}

/// Standard deviation about zero of all values.
pub fn std(members: &Ensemble) -> f64 {
    let all = members.iter().flatten().flatten();
    let count = all.clone().count().max(1) as f64;
    (all.map(|v| f64::from(*v).powi(2)).sum::<f64>() / count).sqrt()
}
