//! Image model, discriminator and truth of the Gaussian process.

use std::cell::RefCell;
use std::rc::Rc;

use burn::tensor::{Device, Tensor, TensorData};

use super::gaussian_process::{GaussianProcess, ShellLaw};
use super::{Belief, Exact, Process, SIDE};
use crate::diffusion::basis::SpectralBasis;
use crate::diffusion::two_tower::{Calibration, Forecast, TwoTower};
use crate::diffusion::{Conditioned, Context, Control, Denoise, Discriminate, to_vec};
use crate::error::Result;
use crate::random::{NoiseKey, Stream};

const HISTORY: usize = 4;

/// The three on a device.
pub(super) fn exact(world: &GaussianProcess, device: &Device) -> Result<Exact> {
    let shells = GaussianProcess::shells();
    let laws = world.laws(&shells, f64::from(world.correlation));
    let power: Vec<f32> = laws.iter().map(|l| l.power as f32).collect();
    let c = shells.spread(&power, device);
    let basis = SpectralBasis::new(SIDE, device);
    let truth = Rc::new(tower(world, None, device)?);
    Ok(Exact {
        denoiser: Box::new(Wiener {
            basis: basis.clone(),
            c: c.clone(),
        }),
        process: Box::new(GaussianTruth {
            law: Rc::clone(&truth),
            basis,
            c,
            device: device.clone(),
        }),
        discriminator: Box::new(Guide {
            world: world.clone(),
            truth,
            believed: RefCell::new(None),
            device: device.clone(),
        }),
    })
}

/// The closed form over the exact forecaster: of the true world, or of one that is believed in.
fn tower(
    world: &GaussianProcess,
    belief: Option<Belief>,
    device: &Device,
) -> Result<TwoTower<Drifting>> {
    let shells = GaussianProcess::shells();
    let correlation = belief.map_or(world.correlation, |b| b.correlation);
    let factor = belief.map_or(1.0, |b| f64::from(b.velocity));
    let laws = world.laws(&shells, f64::from(correlation));
    let groups =
        |of: &dyn Fn(&ShellLaw) -> f64| -> Vec<f32> { laws.iter().map(|l| of(l) as f32).collect() };
    let ones = vec![1.0; laws.len()];
    let one = groups(&|l| l.unknown()[0]);
    let two = groups(&|l| l.unknown()[1]);
    let calibration = Calibration {
        n: SIDE,
        resolved: shells.resolved,
        c: groups(&|l| l.power),
        beta: vec![ones.clone(); HISTORY],
        s: vec![one, two.clone(), two.clone(), two],
        gain_log_sigma: vec![-10.0, 10.0],
        gain: vec![ones.clone(), ones],
    };
    let [vx, vy] = world.velocity().map(|v| v * factor);
    let spread = |of: &dyn Fn(&ShellLaw) -> f64| shells.spread(&groups(of), device);
    let forecaster = Drifting {
        basis: SpectralBasis::new(SIDE, device),
        once: [shift(vy, device), shift(vx, device)],
        twice: [shift(2.0 * vy, device), shift(2.0 * vx, device)],
        one: spread(&|l| l.rho(1)),
        phi: [spread(&|l| l.phi()[0]), spread(&|l| l.phi()[1])],
    };
    TwoTower::new(forecaster, calibration, device)
}

/// Moves a periodic row of values by a distance in cells: exact for all wavenumbers below Nyquist's. `[1, 1, n, n]`.
fn shift(by: f64, device: &Device) -> Tensor<4> {
    let n = SIDE as i32;
    let of = |distance: f64| -> f64 {
        let turn = std::f64::consts::TAU * distance / f64::from(n);
        (1..n / 2)
            .map(|k| 2.0 * (turn * f64::from(k)).cos())
            .sum::<f64>()
            + 1.0
    };
    let values: Vec<f32> = (0..n * n)
        .map(|i| (of(f64::from(i / n - i % n) - by) / f64::from(n)) as f32)
        .collect();
    Tensor::from_data(TensorData::new(values, [1, 1, SIDE, SIDE]), device)
}

/// `D(x; s) = C / (C + s^2) x`.
struct Wiener {
    basis: SpectralBasis,
    c: Tensor<4>,
}

impl Denoise for Wiener {
    fn denoise(&self, x: &Tensor<4>, sigma: f64) -> Tensor<4> {
        let w = self.c.clone() / (self.c.clone() + (sigma * sigma) as f32);
        self.basis.transform(self.basis.transform(x.clone()) * w)
    }
}

/// The exact forecaster: moves the last frames on with the drift and lets each shell forget.
struct Drifting {
    basis: SpectralBasis,
    /// Along y and along x, by one frame.
    once: [Tensor<4>; 2],
    /// By two frames.
    twice: [Tensor<4>; 2],
    one: Tensor<4>,
    phi: [Tensor<4>; 2],
}

impl Drifting {
    fn moved(&self, frame: Tensor<4>, [y, x]: &[Tensor<4>; 2]) -> Tensor<4> {
        let [rows, channels, n, _] = frame.dims();
        let shape = [rows, channels, n, n];
        let along_x = x.clone().transpose().expand(shape);
        self.basis
            .transform(y.clone().expand(shape).matmul(frame).matmul(along_x))
    }
}

impl Forecast for Drifting {
    fn forecast(&self, history: &Tensor<4>, m: usize) -> Tensor<4> {
        let last = self.moved(history.clone().narrow(1, 0, 1), &self.once);
        let mean = if m == 0 {
            last * self.one.clone()
        } else {
            let before = self.moved(history.clone().narrow(1, 1, 1), &self.twice);
            last * self.phi[0].clone() + before * self.phi[1].clone()
        };
        self.basis.transform(mean)
    }
}

/// The discriminator: exact, or of what it is told to believe.
struct Guide {
    world: GaussianProcess,
    truth: Rc<TwoTower<Drifting>>,
    believed: RefCell<Option<(Belief, Rc<TwoTower<Drifting>>)>>,
    device: Device,
}

impl Guide {
    fn of(&self, belief: Option<Belief>) -> Rc<TwoTower<Drifting>> {
        let Some(wanted) = belief else {
            return Rc::clone(&self.truth);
        };
        if let Some((belief, tower)) = &*self.believed.borrow()
            && *belief == wanted
        {
            return Rc::clone(tower);
        }
        match tower(&self.world, belief, &self.device) {
            Ok(tower) => {
                let tower = Rc::new(tower);
                *self.believed.borrow_mut() = Some((wanted, Rc::clone(&tower)));
                tower
            }
            // Beliefs are checked with the settings.
            Err(error) => {
                log::error!("{error}");
                Rc::clone(&self.truth)
            }
        }
    }
}

impl Discriminate for Guide {
    fn condition(&self, history: &Tensor<4>, context: Context) -> Box<dyn Conditioned> {
        self.of(context.belief).condition(history, context)
    }
}

impl Control for Guide {
    fn forecast_with_noise(
        &self,
        history: &Tensor<4>,
        context: Context,
        noise: Tensor<4>,
    ) -> Tensor<4> {
        self.of(context.belief)
            .forecast_with_noise(history, context, noise)
    }
}

/// Truth: draws from the exact law of the next frame.
struct GaussianTruth {
    law: Rc<TwoTower<Drifting>>,
    basis: SpectralBasis,
    c: Tensor<4>,
    device: Device,
}

impl GaussianTruth {
    fn noise(&self, seed: u64, stream: Stream, member: u32, frame: usize) -> Tensor<4> {
        let key = NoiseKey {
            seed,
            stream,
            member,
            frame: frame as u32,
            step: 0,
        };
        self.tensor(key.normal_f32(SIDE * SIDE), 1)
    }

    fn tensor(&self, values: Vec<f32>, channels: usize) -> Tensor<4> {
        Tensor::from_data(
            TensorData::new(values, [1, channels, SIDE, SIDE]),
            &self.device,
        )
    }

    /// Newest first, as many as the discriminators look at; what is not there is empty and not looked at.
    fn history(&self, frames: &[Vec<f32>]) -> Tensor<4> {
        let mut values: Vec<f32> = frames.iter().take(HISTORY).flatten().copied().collect();
        values.resize(HISTORY * SIDE * SIDE, 0.0);
        self.tensor(values, HISTORY)
    }
}

impl Process for GaussianTruth {
    fn start(&self, seed: u64, member: u32, count: usize) -> Vec<Vec<f32>> {
        let z = self.noise(seed, Stream::InitialState, member, 0);
        let mut newest_first = vec![to_vec(self.basis.transform(z * self.c.clone().sqrt()))];
        for frame in 1..count {
            newest_first.insert(0, self.next(seed, member, frame, &newest_first));
        }
        newest_first.reverse();
        newest_first
    }

    fn next(&self, seed: u64, member: u32, frame: usize, history: &[Vec<f32>]) -> Vec<f32> {
        let context = Context::history(history.len().saturating_sub(1).min(HISTORY - 1));
        let z = self.noise(seed, Stream::Forcing, member, frame);
        to_vec(
            self.law
                .forecast_with_noise(&self.history(history), context, z),
        )
    }

    fn forecast(&self, last: &[f32]) -> Vec<f32> {
        let history = self.history(&[last.to_vec()]);
        to_vec(self.law.tower().forecast(&history, 0))
    }

    fn goes_on_from_files(&self) -> bool {
        true
    }
}
