//! Image model, discriminator and truth of the travelling wave.
//!
//! On the two orthonormal functions that a wave is made of a frame is a vector `y = a (cos t, sin t) + noise`, on all
//! others it is noise. With noise of variance `s = e^2 + sigma^2` on it, the phase of a noised frame alone has a von Mises
//! law of vector `a y / s`; the last frames add `sum_j (a / e^2) R^(j+1) y_j` for each way `R` that the wave may go, and the
//! ways themselves the weight `I0` of its length. The mean wave under these laws, with and without the past, is all
//! that score and discriminator need:
//!
//! `logit = ln sum_d w_d I0(|v_d|) / I0(k_d) - ln I0(a |y| / s)`, `sigma^2 grad logit = (sigma^2 / s) (W - W_0)`.

use burn::tensor::{Device, Tensor, TensorData};

use super::circle::{ln_bessel0, quantile, resultant};
use super::travelling_wave::TravellingWave;
use super::{Belief, Exact, Process, SIDE};
use crate::diffusion::{Conditioned, Context, Control, Denoise, Discriminate, Judgement, to_vec};
use crate::random::{NoiseKey, Stream};

type Vector = [f64; 2];

/// The three on a device.
pub(super) fn exact(world: &TravellingWave, device: &Device) -> Exact {
    let law = Law {
        world: world.clone(),
        plane: Plane::new(world, device),
    };
    Exact {
        denoiser: Box::new(law.clone()),
        discriminator: Box::new(law),
        process: Box::new(WaveTruth {
            world: world.clone(),
            functions: world.functions(),
        }),
    }
}

/// The plane of the two functions.
#[derive(Clone)]
struct Plane {
    /// `[SIDE^2, 2]`.
    functions: Tensor<2>,
    device: Device,
}

impl Plane {
    fn new(world: &TravellingWave, device: &Device) -> Self {
        let values: Vec<f32> = world.functions().concat();
        let rows = Tensor::<2>::from_data(TensorData::new(values, [2, SIDE * SIDE]), device);
        Self {
            functions: rows.transpose(),
            device: device.clone(),
        }
    }

    /// Vectors of frames `[rows, channels, n, n]`, row by row and channel by channel.
    fn vectors(&self, x: &Tensor<4>) -> Vec<Vector> {
        let [rows, channels, h, w] = x.dims();
        let flat = x.clone().reshape([rows * channels, h * w]);
        to_vec(flat.matmul(self.functions.clone()))
            .chunks_exact(2)
            .map(|v| [f64::from(v[0]), f64::from(v[1])])
            .collect()
    }

    /// Frames of vectors, `[rows, 1, n, n]`.
    fn frames(&self, vectors: &[Vector]) -> Tensor<4> {
        let values: Vec<f32> = vectors.iter().flatten().map(|v| *v as f32).collect();
        let rows = vectors.len();
        Tensor::<2>::from_data(TensorData::new(values, [rows, 2]), &self.device)
            .matmul(self.functions.clone().transpose())
            .reshape([rows, 1, SIDE, SIDE])
    }
}

fn length(v: Vector) -> f64 {
    v[0].hypot(v[1])
}

fn rotated([x, y]: Vector, angle: f64) -> Vector {
    let (sin, cos) = angle.sin_cos();
    [cos * x - sin * y, sin * x + cos * y]
}

/// The mean wave under a von Mises law of vector `v`.
fn mean_wave(v: Vector) -> Vector {
    let kappa = length(v);
    if kappa == 0.0 {
        return [0.0; 2];
    }
    let reach = TravellingWave::radius() * resultant(kappa) / kappa;
    v.map(|c| c * reach)
}

/// Sharpness that a wave of known noise gives its phase: `v = sharpness x y`.
fn sharpness(variance: f64) -> f64 {
    TravellingWave::radius() / variance
}

/// What the last frames say of the next one: a vector and a weight (natural logarithm) for each way.
#[derive(Debug, Clone)]
struct Told {
    ways: Vec<(f64, Vector)>,
}

impl Told {
    /// `history` newest first.
    fn by(world: &TravellingWave, factor: f64, history: &[Vector]) -> Self {
        let sharp = sharpness(world.epsilon().powi(2));
        let omega = world.omega() * factor;
        let mut ways: Vec<(f64, Vector)> = world
            .way
            .signs()
            .iter()
            .map(|sign| {
                let mut sum = [0.0; 2];
                for (past, y) in history.iter().enumerate() {
                    let moved = rotated(*y, sign * omega * (past as f64 + 1.0));
                    sum = [sum[0] + sharp * moved[0], sum[1] + sharp * moved[1]];
                }
                (ln_bessel0(length(sum)), sum)
            })
            .collect();
        let all = ln_sum(ways.iter().map(|w| w.0));
        for way in &mut ways {
            way.0 -= all;
        }
        Self { ways }
    }

    /// Logit and mean wave of a frame seen with noise: `seen` is `a y / s`.
    fn judge(&self, seen: Vector) -> (f64, Vector) {
        let judged: Vec<(f64, Vector)> = self
            .ways
            .iter()
            .map(|(weight, told)| {
                let v = [told[0] + seen[0], told[1] + seen[1]];
                (
                    weight + ln_bessel0(length(v)) - ln_bessel0(length(*told)),
                    v,
                )
            })
            .collect();
        let all = ln_sum(judged.iter().map(|j| j.0));
        let mut mean = [0.0; 2];
        for (weight, v) in judged {
            let w = mean_wave(v);
            let share = (weight - all).exp();
            mean = [mean[0] + share * w[0], mean[1] + share * w[1]];
        }
        (all - ln_bessel0(length(seen)), mean)
    }
}

fn ln_sum(terms: impl Iterator<Item = f64> + Clone) -> f64 {
    let top = terms.clone().fold(f64::NEG_INFINITY, f64::max);
    top + terms.map(|t| (t - top).exp()).sum::<f64>().ln()
}

/// The law of frames.
#[derive(Clone)]
struct Law {
    world: TravellingWave,
    plane: Plane,
}

impl Law {
    fn told(&self, history: &Tensor<4>, context: Context) -> Vec<Told> {
        let past = history.dims()[1];
        let seen = (context.m + 1).min(past);
        let factor = context
            .belief
            .map_or(1.0, |b: Belief| f64::from(b.velocity));
        self.plane
            .vectors(history)
            .chunks_exact(past)
            .map(|row| Told::by(&self.world, factor, &row[..seen]))
            .collect()
    }
}

impl Denoise for Law {
    fn denoise(&self, x: &Tensor<4>, sigma: f64) -> Tensor<4> {
        let noise = self.world.epsilon().powi(2);
        let s = noise + sigma * sigma;
        let own = noise / s;
        // Noise is kept in proportion everywhere, and in the plane the wave takes its place.
        let waves: Vec<Vector> = self
            .plane
            .vectors(x)
            .into_iter()
            .map(|y| mean_wave(y.map(|c| c * sharpness(s))).map(|w| w * (1.0 - own)))
            .collect();
        x.clone().mul_scalar(own as f32) + self.plane.frames(&waves)
    }
}

impl Discriminate for Law {
    fn condition(&self, history: &Tensor<4>, context: Context) -> Box<dyn Conditioned> {
        Box::new(Prepared {
            told: self.told(history, context),
            law: self.clone(),
        })
    }
}

struct Prepared {
    law: Law,
    told: Vec<Told>,
}

impl Conditioned for Prepared {
    fn judge(&self, x: &Tensor<4>, sigma: f64, _denoised: &Tensor<4>) -> Judgement {
        let s = self.law.world.epsilon().powi(2) + sigma * sigma;
        let share = sigma * sigma / s;
        let (mut logits, mut shifts) = (Vec::new(), Vec::new());
        for (y, told) in self.law.plane.vectors(x).into_iter().zip(&self.told) {
            let seen = y.map(|c| c * sharpness(s));
            let (logit, with) = told.judge(seen);
            let without = mean_wave(seen);
            logits.push(logit as f32);
            shifts.push([
                share * (with[0] - without[0]),
                share * (with[1] - without[1]),
            ]);
        }
        let rows = logits.len();
        Judgement {
            logit: Tensor::from_data(TensorData::new(logits, [rows]), &self.law.plane.device),
            shift: self.law.plane.frames(&shifts),
            correction: None,
        }
    }
}

impl Control for Law {
    /// Way and phase are chosen by angle and length of the noise in the plane, which are uniform; the noise outside of it
    /// is that of the cells.
    fn forecast_with_noise(
        &self,
        history: &Tensor<4>,
        context: Context,
        noise: Tensor<4>,
    ) -> Tensor<4> {
        let epsilon = self.world.epsilon();
        let drawn = self.plane.vectors(&noise);
        let waves: Vec<Vector> = self
            .told(history, context)
            .iter()
            .zip(&drawn)
            .map(|(told, z)| {
                let angle = z[1].atan2(z[0]) / std::f64::consts::TAU + 0.5;
                let chance = 1.0 - (-0.5 * (z[0] * z[0] + z[1] * z[1])).exp();
                let first = told.ways.first().map_or(1.0, |w| w.0.exp());
                let chosen = usize::from(chance > first).min(told.ways.len() - 1);
                let v = told.ways[chosen].1;
                let phase = v[1].atan2(v[0]) + quantile(length(v), angle);
                let (sin, cos) = phase.sin_cos();
                let a = TravellingWave::radius();
                [a * cos - epsilon * z[0], a * sin - epsilon * z[1]]
            })
            .collect();
        noise.mul_scalar(epsilon as f32) + self.plane.frames(&waves)
    }
}

/// Truth: the phase is a function of seed, member and frame.
struct WaveTruth {
    world: TravellingWave,
    functions: [Vec<f32>; 2],
}

impl Process for WaveTruth {
    fn start(&self, seed: u64, member: u32, count: usize) -> Vec<Vec<f32>> {
        (0..count)
            .map(|frame| self.next(seed, member, frame, &[]))
            .collect()
    }

    fn next(&self, seed: u64, member: u32, frame: usize, _history: &[Vec<f32>]) -> Vec<f32> {
        let key = |stream, frame| NoiseKey {
            seed,
            stream,
            member,
            frame,
            step: 0,
        };
        let drawn = key(Stream::InitialState, 0).uniform(2);
        let signs = self.world.way.signs();
        let chosen = usize::from(drawn[1] > 0.5).min(signs.len() - 1);
        let phase =
            std::f64::consts::TAU * drawn[0] + signs[chosen] * self.world.omega() * frame as f64;
        let (sin, cos) = phase.sin_cos();
        let a = TravellingWave::radius();
        let (cos, sin) = ((a * cos) as f32, (a * sin) as f32);
        let epsilon = self.world.epsilon() as f32;
        let noise = key(Stream::Forcing, frame as u32).normal_f32(SIDE * SIDE);
        let [c, s] = &self.functions;
        c.iter()
            .zip(s)
            .zip(noise)
            .map(|((c, s), z)| cos * c + sin * s + epsilon * z)
            .collect()
    }

    fn forecast(&self, last: &[f32]) -> Vec<f32> {
        let [c, s] = &self.functions;
        let dot = |f: &[f32]| -> f64 {
            f.iter()
                .zip(last)
                .map(|(f, x)| f64::from(*f) * f64::from(*x))
                .sum()
        };
        let told = Told::by(&self.world, 1.0, &[[dot(c), dot(s)]]);
        let (_, mean) = told.judge([0.0; 2]);
        c.iter()
            .zip(s)
            .map(|(c, s)| mean[0] as f32 * c + mean[1] as f32 * s)
            .collect()
    }

    fn goes_on_from_files(&self) -> bool {
        false
    }
}
