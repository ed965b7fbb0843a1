//! A passive tracer stirred by the flow.
//!
//! `d theta/dt + u . grad theta = -mu' theta - nu' (-lap)^p theta + F'`, with `u` and the order `p` of the vorticity's
//! equation, which does not feel the tracer. The source is correlated with the stirring: `F' = rho F + sqrt(1 - rho^2) G`,
//! `G` independent of F with the same law, so that the tracer is statistically stationary.
//!
//! The equation is linear in `theta`. With the damping of the vorticity (`nu' = nu`, `mu' = mu`) the vorticity itself solves
//! it for `rho = 1`; then for any `rho` the tracer is `rho omega + sqrt(1 - rho^2) theta'` with `theta'` a tracer of source
//! G, and since `-G` is as likely as `G` the cross-spectrum of tracer and vorticity is `rho` times the spectrum of the
//! vorticity, in every wavenumber: a known answer.

use std::ops::ControlFlow;
use std::sync::Arc;

use rayon::prelude::*;
use rustfft::num_complex::Complex64;

use super::fft::Fft2;
use super::forcing::RingNoise;
use super::modes::Modes;
use super::params::{Forcing, Params};
use super::solver::Solver;
use crate::data::Series;
use crate::error::{Result, UserError};
use crate::random::{NoiseKey, Stream};

/// Seed of the tracer's own source beside that of the vorticity.
const OWN: u64 = 0x7ac3_0000_0000_0001;

/// What the tracer does beside being carried.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tracer {
    /// Coefficient of its (hyper)diffusion, of the vorticity's order; not below 0.
    pub nu: f64,
    /// Linear damping, 1 / time; not below 0.
    pub mu: f64,
    /// Correlation of its source with the stirring, in [-1, 1].
    pub correlation: f64,
}

impl Tracer {
    /// Damped as the vorticity is.
    pub fn like(params: &Params, correlation: f64) -> Self {
        Self {
            nu: params.nu,
            mu: params.mu,
            correlation,
        }
    }

    fn validate(&self) -> Result<()> {
        let sound = |v: f64| v.is_finite() && v >= 0.0;
        if sound(self.nu) && sound(self.mu) && self.correlation.abs() <= 1.0 {
            return Ok(());
        }
        Err(UserError::new(
            "The tracer's numbers do not fit",
            format!("they are {self:?}"),
            "give a diffusion and a damping not below 0, and a correlation from -1 to 1",
        ))
    }
}

/// Vorticity and tracer of one member.
#[derive(Debug, Clone, PartialEq)]
pub struct Stirred {
    omega: Vec<Complex64>,
    theta: Vec<Complex64>,
    step: u32,
}

/// What is the same for all members.
#[derive(Debug)]
struct Tables {
    modes: Modes,
    noise: Option<(RingNoise, f64)>,
    /// Decay of vorticity and tracer over a whole and over half a step.
    decay: [Vec<f64>; 2],
    half_decay: [Vec<f64>; 2],
}

/// Steps vorticity and tracer together. The vorticity is that of [`Solver`], bit for bit.
#[derive(Clone)]
pub struct StirredSolver {
    solver: Solver,
    tracer: Tracer,
    tables: Arc<Tables>,
    fft: Fft2,
    u: Vec<f64>,
    v: Vec<f64>,
    carried: Vec<f64>,
    hat: Vec<Complex64>,
    hat_q: Vec<Complex64>,
}

impl StirredSolver {
    /// Plans the transforms.
    ///
    /// # Errors
    /// A number out of range, or forcing with a memory.
    pub fn new(params: &Params, tracer: Tracer) -> Result<Self> {
        tracer.validate()?;
        let solver = Solver::new(params)?;
        let modes = Modes::new(params.n, params.length);
        let noise = match params.forcing {
            Forcing::None => None,
            Forcing::White(ring) => Some((
                RingNoise::of_unit_energy(ring, &modes),
                (ring.energy_input * params.dt).sqrt(),
            )),
            Forcing::OrnsteinUhlenbeck { .. } => {
                return Err(UserError::new(
                    "A tracer cannot be stirred so",
                    "its source is correlated with the stirring step by step, and Ornstein-Uhlenbeck forcing has a memory",
                    "choose white forcing, or none",
                ));
            }
        };
        let decay = |dt: f64| {
            [(params.nu, params.mu), (tracer.nu, tracer.mu)].map(|(nu, mu)| {
                let rate = |k2: f64| nu * k2.powi(params.nu_order as i32) + mu;
                let of = |m: usize| match modes.inverse_k2[m] {
                    0.0 => 0.0,
                    _ => (-rate(modes.k2[m]) * dt).exp(),
                };
                (0..modes.len()).map(of).collect::<Vec<f64>>()
            })
        };
        let cells = params.n * params.n;
        let zeros = vec![Complex64::ZERO; modes.len()];
        Ok(Self {
            fft: Fft2::new(params.n, modes.kmax),
            u: vec![0.0; cells],
            v: vec![0.0; cells],
            carried: vec![0.0; cells],
            hat: zeros.clone(),
            hat_q: zeros,
            tables: Arc::new(Tables {
                decay: decay(params.dt),
                half_decay: decay(0.5 * params.dt),
                noise,
                modes,
            }),
            solver,
            tracer,
        })
    }

    /// A state of these fields, row-major `(y, x)`; what the solver cannot carry is dropped.
    ///
    /// # Errors
    /// A wrong number of values, or values that are not finite.
    pub fn state(&mut self, omega: &[f64], theta: &[f64]) -> Result<Stirred> {
        Ok(Stirred {
            omega: self.solver.state_from_f64(omega)?.spectrum,
            theta: self.solver.state_from_f64(theta)?.spectrum,
            step: 0,
        })
    }

    /// A random first state: the solver's own, and a tracer correlated with it as its source is.
    pub fn random_state(&self, seed: u64, member: u32) -> Stirred {
        let omega = self.solver.random_state(seed, member).spectrum;
        let own = self.solver.random_state(seed ^ OWN, member).spectrum;
        let (shared, rest) = self.shares();
        let theta = omega.iter().zip(&own).map(|(a, b)| a * shared + b * rest);
        Stirred {
            theta: theta.collect(),
            omega,
            step: 0,
        }
    }

    /// `rho` and `sqrt(1 - rho^2)`.
    fn shares(&self) -> (f64, f64) {
        let rho = self.tracer.correlation;
        (rho, (1.0 - rho * rho).max(0.0).sqrt())
    }

    /// One step with sources.
    pub fn step(&mut self, state: &mut Stirred, seed: u64, member: u32) {
        let step = state.step;
        self.step_unforced(state);
        let Some((noise, scale)) = &self.tables.noise else {
            return;
        };
        let key = |seed| NoiseKey {
            seed,
            stream: Stream::Forcing,
            member,
            frame: step,
            step: 0,
        };
        let (shared, rest) = self.shares();
        let Stirred { omega, theta, .. } = state;
        noise.for_each(key(seed), *scale, |index, kick| {
            omega[index] += kick;
            theta[index] += kick * shared;
        });
        if rest > 0.0 {
            noise.for_each(key(seed ^ OWN), *scale, |index, kick| {
                theta[index] += kick * rest;
            });
        }
    }

    /// One step without sources: integrating-factor Runge-Kutta of fourth order for both.
    pub fn step_unforced(&mut self, state: &mut Stirred) {
        let tables = Arc::clone(&self.tables);
        let dt = self.solver.params().dt;
        let y = [&state.omega, &state.theta];
        let zeros =
            || std::array::from_fn::<_, 2, _>(|_| vec![Complex64::ZERO; tables.modes.len()]);
        let [mut k1, mut k2, mut k3, mut k4] = [zeros(), zeros(), zeros(), zeros()];
        let mut stage = zeros();
        self.slopes(y[0], y[1], &mut k1);
        for i in 0..2 {
            for m in 0..stage[i].len() {
                stage[i][m] = (y[i][m] + k1[i][m] * (0.5 * dt)) * tables.half_decay[i][m];
            }
        }
        self.slopes(&stage[0], &stage[1], &mut k2);
        for i in 0..2 {
            for m in 0..stage[i].len() {
                stage[i][m] = y[i][m] * tables.half_decay[i][m] + k2[i][m] * (0.5 * dt);
            }
        }
        self.slopes(&stage[0], &stage[1], &mut k3);
        for i in 0..2 {
            for m in 0..stage[i].len() {
                stage[i][m] =
                    y[i][m] * tables.decay[i][m] + k3[i][m] * (dt * tables.half_decay[i][m]);
            }
        }
        self.slopes(&stage[0], &stage[1], &mut k4);
        for (i, own) in [&mut state.omega, &mut state.theta].into_iter().enumerate() {
            for (m, c) in own.iter_mut().enumerate() {
                let (whole, half) = (tables.decay[i][m], tables.half_decay[i][m]);
                let sum = k1[i][m] * whole + (k2[i][m] + k3[i][m]) * (2.0 * half) + k4[i][m];
                *c = *c * whole + sum * (dt / 6.0);
            }
        }
        state.step = state.step.wrapping_add(1);
    }

    /// `-u . grad` of both; the tracer's as `-div(u theta)`.
    fn slopes(&mut self, omega: &[Complex64], theta: &[Complex64], out: &mut [Vec<Complex64>; 2]) {
        let [of_omega, of_theta] = out;
        self.solver.slope(omega, &[], of_omega);
        let modes = &self.tables.modes;
        for (m, &value) in omega.iter().enumerate() {
            let q = value * modes.inverse_k2[m];
            let rotated = Complex64::new(-q.im, q.re);
            self.hat[m] = rotated * modes.ky[m];
            self.hat_q[m] = rotated * -modes.kx[m];
        }
        self.fft.inverse(&self.hat, &mut self.u);
        self.fft.inverse(&self.hat_q, &mut self.v);
        self.fft.inverse(theta, &mut self.carried);
        for ((u, v), theta) in self.u.iter_mut().zip(&mut self.v).zip(&self.carried) {
            (*u, *v) = (*u * theta, *v * theta);
        }
        self.fft.forward(&self.u, &mut self.hat);
        self.fft.forward(&self.v, &mut self.hat_q);
        for (m, slope) in of_theta.iter_mut().enumerate() {
            let flux = self.hat[m] * modes.kx[m] + self.hat_q[m] * modes.ky[m];
            *slope = match modes.inverse_k2[m] {
                0.0 => Complex64::ZERO,
                // -i flux.
                _ => Complex64::new(flux.im, -flux.re),
            };
        }
    }

    /// Vorticity and tracer, row-major `(y, x)`.
    pub fn fields(&mut self, state: &Stirred) -> [Vec<f64>; 2] {
        let cells = self.u.len();
        [&state.omega, &state.theta].map(|spectrum| {
            let mut field = vec![0.0; cells];
            self.fft.inverse(spectrum, &mut field);
            field
        })
    }

    /// Both fields one frame later without sources: the `G` of the dynamics skills.
    ///
    /// # Errors
    /// Wrong numbers of values, or values that are not finite.
    pub fn unforced_frame(&mut self, omega: &[f32], theta: &[f32]) -> Result<[Vec<f32>; 2]> {
        let wide = |v: &[f32]| v.iter().map(|v| f64::from(*v)).collect::<Vec<f64>>();
        let mut state = self.state(&wide(omega), &wide(theta))?;
        for _ in 0..self.solver.params().steps_per_frame {
            self.step_unforced(&mut state);
        }
        Ok(self.fields(&state).map(single))
    }
}

fn single(v: Vec<f64>) -> Vec<f32> {
    v.into_iter().map(|v| v as f32).collect()
}

/// `members` independent runs of vorticity and tracer after the spin-up: two series of the same shape. `go_on` is asked
/// before every frame.
///
/// # Errors
/// A number out of range, a run that blew up, or a stop.
pub fn simulate_stirred(
    params: &Params,
    tracer: Tracer,
    frames: usize,
    members: usize,
    seed: u64,
    go_on: &(dyn Fn() -> ControlFlow<()> + Sync),
) -> Result<[Series; 2]> {
    let solver = StirredSolver::new(params, tracer)?;
    let zeros = || Series::zeros(params.grid(), members, frames, params.frame_interval());
    let (mut omega, mut theta) = (zeros()?, zeros()?);
    let cells = params.n * params.n;
    let size = (frames * cells).max(1);
    omega
        .values
        .par_chunks_mut(size)
        .zip(theta.values.par_chunks_mut(size))
        .enumerate()
        .try_for_each_init(
            || solver.clone(),
            |solver, (member, (omega, theta))| {
                let member = member as u32;
                let mut state = solver.random_state(seed, member);
                for _ in 0..params.spinup_steps() {
                    solver.step(&mut state, seed, member);
                }
                let slots = omega
                    .chunks_exact_mut(cells)
                    .zip(theta.chunks_exact_mut(cells));
                for (frame, slots) in slots.enumerate() {
                    if go_on().is_break() {
                        return Err(UserError::new(
                            "The simulation was stopped",
                            "it was interrupted before the last frame",
                            "start it again: the same seed gives the same frames",
                        ));
                    }
                    for _ in 0..if frame > 0 { params.steps_per_frame } else { 0 } {
                        solver.step(&mut state, seed, member);
                    }
                    let [o, t] = solver.fields(&state).map(single);
                    if o.iter().chain(&t).any(|v| !v.is_finite()) {
                        return Err(UserError::new(
                            format!("The simulation blew up at frame {frame} of member {member}"),
                            format!("a time step of {} is too long for this flow", params.dt),
                            "use a shorter time step or weaker forcing",
                        ));
                    }
                    slots.0.copy_from_slice(&o);
                    slots.1.copy_from_slice(&t);
                }
                Ok(())
            },
        )?;
    Ok([omega, theta])
}

#[cfg(test)]
mod tests;
