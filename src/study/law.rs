//! How far samples and gradients are from the exact ones of the Gaussian world.
//!
//! The exact law of the next frame is `N(phi x_n, S)` in every coefficient, `S = C (1 - phi^2)`. Samples are compared
//! with it by the slope of their regression on the last frame and by what is left of it, in each shell; the error is the
//! distance of the two Gaussian laws (Wasserstein-2, coefficients apart), relative to the spread of the exact one:
//! `sqrt( sum_k [(slope - phi)^2 C + (sqrt V - sqrt S)^2] / sum_k S )`.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::roll::{noise, sample, tensor};
use super::{Lab, Outcome};
use crate::data::Dataset;
use crate::diffusion::gaussian::GaussianWorld;
use crate::diffusion::{Context, Denoise, Discriminate, to_vec};
use crate::nn::HISTORY;

/// Coefficients of less power than this do not count.
const DEAD: f32 = 1e-7;
/// Noise level in the seed of the draws, so that they are not those of a rollout.
const DRAWS: u64 = 0x5eed;

/// One-step law of samples against the exact one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LawError {
    /// Guidance strength.
    pub strength: f64,
    /// The error; NaN where the samples are not finite.
    #[serde(with = "undefined")]
    pub error: f64,
    /// Mean slope over the exact one, weighted by power: 1 is right, 0 forgets the last frame.
    #[serde(with = "undefined")]
    pub slope: f64,
    /// Power of what the last frame does not tell over the exact one.
    #[serde(with = "undefined")]
    pub spread: f64,
}

/// A discriminator's gradient against the exact one at one noise level.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Gradient {
    /// Noise level.
    pub sigma: f64,
    /// Cosine of the angle between the two.
    #[serde(with = "undefined")]
    pub cosine: f64,
    /// The strength by which the learned gradient comes nearest to the exact one, by least squares.
    #[serde(with = "undefined")]
    pub strength: f64,
    /// Share of the exact gradient's power that is missed at that strength.
    #[serde(with = "undefined")]
    pub missed: f64,
}

/// JSON has no NaN: `null` stands for it.
pub mod undefined {
    use serde::{Deserialize, Deserializer, Serializer};

    /// Writes NaN as `null`.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn serialize<S: Serializer>(value: &f64, to: S) -> Result<S::Ok, S::Error> {
        match value.is_finite() {
            true => to.serialize_f64(*value),
            false => to.serialize_none(),
        }
    }

    /// Reads `null` as NaN.
    ///
    /// # Errors
    /// Those of the reader.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
        Ok(Option::<f64>::deserialize(from)?.unwrap_or(f64::NAN))
    }
}

/// Histories of validation runs, `[rows, 4, n, n]`, and the frames that follow them, `[rows, 1, n, n]`.
pub fn windows(lab: &Lab, data: &Dataset, rows: usize) -> (Tensor<4>, Tensor<4>) {
    let n = lab.config.side;
    let all = tensor(
        data.validation_windows(rows, HISTORY),
        HISTORY + 1,
        n,
        lab.device(),
    );
    (all.clone().narrow(1, 1, HISTORY), all.narrow(1, 0, 1))
}

/// The law of samples at each strength. Each of `rows` histories gets one sample, `batches` times.
///
/// # Errors
/// A stop.
pub fn law_errors(
    lab: &Lab,
    world: &GaussianWorld,
    guide: &dyn Discriminate,
    data: &Dataset,
    strengths: &[f64],
    (rows, batches): (usize, usize),
) -> Outcome<Vec<LawError>> {
    let (history, _) = windows(lab, data, rows);
    let last = to_vec(world.transform(history.clone().narrow(1, 0, 1)));
    let settings = lab.config.sampler();
    let mut out = Vec::new();
    for (i, &strength) in strengths.iter().enumerate() {
        let mut sums = Sums::new(world);
        for batch in 0..batches {
            lab.check()?;
            (lab.progress)("one-step law", i as f64 / strengths.len().max(1) as f64);
            let guide = Some((guide, strength as f32));
            let seed = lab.seed ^ DRAWS;
            let x = sample(world, guide, &history, HISTORY - 1, &settings, seed, batch);
            sums.add(world, &to_vec(world.transform(x)), &last);
        }
        out.push(sums.error(world, strength));
    }
    Ok(out)
}

/// Sums over samples `x` and last frames `h`, by shell group.
struct Sums {
    xh: Vec<f64>,
    hh: Vec<f64>,
    xx: Vec<f64>,
    count: Vec<f64>,
}

impl Sums {
    fn new(world: &GaussianWorld) -> Self {
        let zeros = vec![0.0; world.shells.count()];
        Self {
            xh: zeros.clone(),
            hh: zeros.clone(),
            xx: zeros.clone(),
            count: zeros,
        }
    }

    fn add(&mut self, world: &GaussianWorld, x: &[f32], last: &[f32]) {
        let groups = world.shells.groups().iter().cycle();
        for ((&x, &h), &g) in x.iter().zip(last).zip(groups) {
            let (x, h) = (f64::from(x), f64::from(h));
            self.xh[g] += x * h;
            self.hh[g] += h * h;
            self.xx[g] += x * x;
            self.count[g] += 1.0;
        }
    }

    fn error(&self, world: &GaussianWorld, strength: f64) -> LawError {
        let spare = world.innovation();
        let (mut error, mut exact, mut slopes, mut powers, mut spread) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for (g, s) in spare.into_iter().enumerate() {
            let (c, phi, s) = (world.power[g], f64::from(world.phi[g]), f64::from(s));
            if c <= DEAD || self.hh[g] <= 0.0 {
                continue;
            }
            let (c, n) = (f64::from(c), self.count[g]);
            let slope = self.xh[g] / self.hh[g];
            let left = ((self.xx[g] - slope * self.xh[g]) / n).max(0.0);
            error += n * ((slope - phi).powi(2) * c + (left.sqrt() - s.sqrt()).powi(2));
            exact += n * s;
            spread += n * left;
            slopes += n * c * slope;
            powers += n * c * phi;
        }
        LawError {
            strength,
            error: (error / exact).sqrt(),
            slope: slopes / powers,
            spread: spread / exact,
        }
    }
}

/// The gradient of a discriminator beside the exact one, at the true next frames with noise of each level.
///
/// # Errors
/// A stop.
pub fn gradients(
    lab: &Lab,
    world: &GaussianWorld,
    guide: &dyn Discriminate,
    data: &Dataset,
    sigmas: &[f64],
    rows: usize,
) -> Outcome<Vec<Gradient>> {
    let (history, next) = windows(lab, data, rows);
    let exact = world.discriminator()?;
    let context = Context::history(HISTORY - 1);
    let (exact, learned) = (
        exact.condition(&history, context),
        guide.condition(&history, context),
    );
    let mut out = Vec::new();
    for (i, &sigma) in sigmas.iter().enumerate() {
        lab.check()?;
        (lab.progress)("gradients", i as f64 / sigmas.len().max(1) as f64);
        let z = noise(
            lab.seed ^ DRAWS,
            rows,
            0x100 + i,
            0,
            lab.config.side,
            lab.device(),
        );
        let x = next.clone() + z.mul_scalar(sigma as f32);
        let denoised = world.denoise(&x, sigma);
        let e = to_vec(exact.judge(&x, sigma, &denoised).shift);
        let judged = learned.judge(&x, sigma, &denoised);
        let l = to_vec(match judged.correction {
            Some(correction) => judged.shift + correction,
            None => judged.shift,
        });
        let dot = |a: &[f32], b: &[f32]| -> f64 {
            a.iter()
                .zip(b)
                .map(|(a, b)| f64::from(*a) * f64::from(*b))
                .sum()
        };
        let (el, ee, ll) = (dot(&e, &l), dot(&e, &e), dot(&l, &l));
        let cosine = el / (ee * ll).sqrt();
        out.push(Gradient {
            sigma,
            cosine,
            strength: el / ll,
            missed: 1.0 - cosine * cosine,
        });
    }
    Ok(out)
}

/// The strength of the smallest error, the two beside it weighed in (a parabola through three points).
pub fn best(errors: &[LawError]) -> Option<LawError> {
    errors
        .iter()
        .filter(|e| e.error.is_finite())
        .min_by(|a, b| a.error.total_cmp(&b.error))
        .copied()
}
