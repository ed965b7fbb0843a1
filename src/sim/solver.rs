//! One member's solver: plans, scratch, and the time step.

use std::sync::Arc;

use rustfft::num_complex::Complex64;

use super::budget::Invariants;
use super::fft::Fft2;
use super::forcing::RingNoise;
use super::modes::Modes;
use super::params::{Forcing, Params, Ring};
use super::square::Square;
use crate::error::{Result, UserError};
use crate::random::{NoiseKey, Stream};

/// The state of one member. Continuing from a clone of it gives the bits of an uninterrupted run.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// Coefficients of the vorticity, `[kx][ky]` for `0 <= kx <= kmax`; `omega = sum_k c_k exp(i k x)`.
    pub(super) spectrum: Vec<Complex64>,
    /// Present value of Ornstein-Uhlenbeck forcing; empty before the first forced step and for other forcing.
    pub(super) forcing: Vec<Complex64>,
    /// Steps made so far, spin-up included: names the noise of the next one.
    step: u32,
}

impl State {
    /// Steps made so far, spin-up included.
    pub fn step(&self) -> u32 {
        self.step
    }
}

/// What is the same for all members: wavenumbers, damping, forcing.
#[derive(Debug)]
struct Tables {
    modes: Modes,
    /// Decay over a whole and over half a step; 0 for the mean and for modes that are not resolved.
    decay: Vec<f64>,
    half_decay: Vec<f64>,
    /// Unit-energy noise on the ring of the forcing, or of the default ring where there is none (first states).
    noise: RingNoise,
    initial_energy: f64,
}

/// Plan and scratch of one member; `Send`, and cheap to clone for another member.
#[derive(Clone)]
pub struct Solver {
    params: Params,
    tables: Arc<Tables>,
    fft: Fft2,
    /// Velocity, and its square.
    square: Square,
    /// Of the slopes of a step: their weighted sum, and the second one.
    sum: Vec<Complex64>,
    second: Vec<Complex64>,
    before: Vec<Complex64>,
}

impl Solver {
    /// Plans the transforms.
    ///
    /// # Errors
    /// A parameter out of range.
    pub fn new(params: &Params) -> Result<Self> {
        params.validate()?;
        let modes = Modes::new(params.n, params.length);
        let rate = |k2: f64| params.nu * k2.powi(params.nu_order as i32) + params.mu;
        let decay = |dt: f64| -> Vec<f64> {
            (0..modes.len())
                .map(|m| match modes.inverse_k2[m] {
                    0.0 => 0.0,
                    _ => (-rate(modes.k2[m]) * dt).exp(),
                })
                .collect()
        };
        let ring = params.forcing.ring().unwrap_or(Ring {
            wavenumber: 5.0 * std::f64::consts::TAU / params.length,
            bandwidth: 1.5 * std::f64::consts::TAU / params.length,
            energy_input: 0.1,
        });
        let noise = RingNoise::of_unit_energy(ring, &modes);
        // Half of what forcing and drag alone would settle at, so that the spin-up is short.
        let initial_energy = if params.mu > 0.0 && ring.energy_input > 0.0 {
            0.25 * ring.energy_input / params.mu
        } else {
            0.25
        };
        let size = modes.len();
        let zeros = vec![Complex64::ZERO; size];
        Ok(Self {
            fft: Fft2::new(params.n, modes.kmax),
            square: Square::new(params.n, modes.kmax),
            sum: zeros.clone(),
            second: zeros.clone(),
            before: zeros,
            tables: Arc::new(Tables {
                decay: decay(params.dt),
                half_decay: decay(0.5 * params.dt),
                noise,
                initial_energy,
                modes,
            }),
            params: params.clone(),
        })
    }

    /// What it was made with.
    pub fn params(&self) -> &Params {
        &self.params
    }

    pub(super) fn modes(&self) -> &Modes {
        &self.tables.modes
    }

    /// A state with this vorticity, row-major `(y, x)`, physical units. What the solver cannot carry is dropped: the
    /// mean, and modes above the 2/3 limit. The step counter starts at 0.
    ///
    /// # Errors
    /// A wrong number of values, or values that are not finite.
    pub fn state_from_field(&mut self, field: &[f32]) -> Result<State> {
        let wide: Vec<f64> = field.iter().map(|&v| f64::from(v)).collect();
        self.state_from_f64(&wide)
    }

    /// The same from f64.
    ///
    /// # Errors
    /// See [`Self::state_from_field`].
    pub fn state_from_f64(&mut self, field: &[f64]) -> Result<State> {
        let n = self.params.n;
        if field.len() != n * n {
            return Err(UserError::new(
                "The solver cannot start from this field",
                format!(
                    "it has {} values, the solver works on {n} x {n} cells",
                    field.len()
                ),
                "Give a field of the solver's size, or choose the preset that has the field's size",
            ));
        }
        if let Some(bad) = field.iter().position(|v| !v.is_finite()) {
            return Err(UserError::new(
                "The solver cannot start from this field",
                format!(
                    "the value in row {}, column {} is {}",
                    bad / n,
                    bad % n,
                    field[bad]
                ),
                "Give a field in which every value is a finite number",
            ));
        }
        Ok(self.project(field))
    }

    fn project(&mut self, field: &[f64]) -> State {
        let mut spectrum = vec![Complex64::ZERO; self.tables.modes.len()];
        self.fft.forward(field, &mut spectrum);
        self.tables.modes.project(&mut spectrum);
        State {
            spectrum,
            forcing: Vec::new(),
            step: 0,
        }
    }

    /// A random first state on the forcing's ring, with half of the energy at which forcing and drag would balance.
    pub fn random_state(&self, seed: u64, member: u32) -> State {
        let key = NoiseKey {
            seed,
            stream: Stream::InitialState,
            member,
            frame: 0,
            step: 0,
        };
        let mut spectrum = vec![Complex64::ZERO; self.tables.modes.len()];
        let scale = self.tables.initial_energy.sqrt();
        self.tables
            .noise
            .for_each(key, scale, |index, value| spectrum[index] += value);
        State {
            spectrum,
            forcing: Vec::new(),
            step: 0,
        }
    }

    /// Runs the spin-up from a fresh state.
    pub fn spin_up(&mut self, state: &mut State, seed: u64, member: u32) {
        for _ in 0..self.params.spinup_steps() {
            self.step(state, seed, member);
        }
    }

    /// One frame further, with forcing.
    pub fn advance_frame(&mut self, state: &mut State, seed: u64, member: u32) {
        for _ in 0..self.params.steps_per_frame {
            self.step(state, seed, member);
        }
    }

    /// One frame further, without forcing.
    pub fn advance_unforced(&mut self, state: &mut State) {
        for _ in 0..self.params.steps_per_frame {
            self.step_unforced(state);
        }
    }

    /// The vorticity of a state, row-major `(y, x)`, physical units.
    pub fn field(&mut self, state: &State) -> Vec<f32> {
        self.field_f64(state)
            .into_iter()
            .map(|v| v as f32)
            .collect()
    }

    /// The same in f64.
    pub fn field_f64(&mut self, state: &State) -> Vec<f64> {
        let mut field = vec![0.0; self.params.n * self.params.n];
        self.fft.inverse(&state.spectrum, &mut field);
        field
    }

    /// The field one frame later without forcing: the `G` of the dynamics skill. Not finite where the input is not.
    ///
    /// # Panics
    /// If `field` does not have `n * n` values.
    pub fn unforced_frame(&mut self, field: &[f32]) -> Vec<f32> {
        assert_eq!(field.len(), self.params.n * self.params.n);
        let wide: Vec<f64> = field.iter().map(|&v| f64::from(v)).collect();
        let mut state = self.project(&wide);
        self.advance_unforced(&mut state);
        self.field(&state)
    }

    /// One step with forcing. Returns the work that the forcing did, in Stratonovich form: `sum Re(conj(c) f) / k^2`
    /// with `c` halfway between the values before and after.
    pub fn step(&mut self, state: &mut State, seed: u64, member: u32) -> Invariants {
        match self.params.forcing {
            Forcing::None => {
                self.step_unforced(state);
                Invariants::default()
            }
            Forcing::White(ring) => {
                let frame = state.step;
                self.step_unforced(state);
                self.kick(state, ring, forcing_key(seed, member, frame))
            }
            Forcing::OrnsteinUhlenbeck {
                ring,
                correlation_time,
            } => self.step_ou(state, ring, correlation_time, seed, member),
        }
    }

    /// One step without forcing.
    pub fn step_unforced(&mut self, state: &mut State) {
        self.runge_kutta(&mut state.spectrum, &[]);
        state.step = state.step.wrapping_add(1);
    }

    /// White forcing over one step: a kick of energy `energy_input * dt` on average.
    fn kick(&self, state: &mut State, ring: Ring, key: NoiseKey) -> Invariants {
        let modes = &self.tables.modes;
        let scale = (ring.energy_input * self.params.dt).sqrt();
        let mut work = Invariants::default();
        self.tables.noise.for_each(key, scale, |index, kick| {
            let c = &mut state.spectrum[index];
            let halfway = *c + 0.5 * kick;
            *c += kick;
            let done = modes.weight[index] * (halfway.conj() * kick).re;
            work.enstrophy += done;
            work.energy += done * modes.inverse_k2[index];
        });
        work
    }

    fn step_ou(
        &mut self,
        state: &mut State,
        ring: Ring,
        correlation_time: f64,
        seed: u64,
        member: u32,
    ) -> Invariants {
        // With <|f_k|^2> = V_k the work is sum V_k tau / k^2: the unit-energy noise has sum V_k / k^2 = 2.
        let rms = (ring.energy_input / (2.0 * correlation_time)).sqrt();
        let key = forcing_key(seed, member, state.step);
        let (memory, fresh) = if state.forcing.is_empty() {
            state.forcing = vec![Complex64::ZERO; self.tables.modes.len()];
            (0.0, 1.0)
        } else {
            let memory = (-self.params.dt / correlation_time).exp();
            (memory, (1.0 - memory * memory).sqrt())
        };
        let forcing = &mut state.forcing;
        self.tables
            .noise
            .for_each(key, fresh * rms, |index, value| {
                forcing[index] = memory * forcing[index] + value;
            });
        let mut before = std::mem::take(&mut self.before);
        before.copy_from_slice(&state.spectrum);
        self.runge_kutta(&mut state.spectrum, &state.forcing);
        state.step = state.step.wrapping_add(1);
        let modes = &self.tables.modes;
        let mut work = Invariants::default();
        for (index, f) in state.forcing.iter().enumerate() {
            let halfway = 0.5 * (before[index] + state.spectrum[index]);
            let done = self.params.dt * modes.weight[index] * (halfway.conj() * f).re;
            work.enstrophy += done;
            work.energy += done * modes.inverse_k2[index];
        }
        self.before = before;
        work
    }

    /// Fourth-order Runge-Kutta for `exp(-L t) c`: the linear damping L is exact (integrating factor). `forcing` is
    /// constant over the step, or empty.
    pub(super) fn runge_kutta(&mut self, c: &mut [Complex64], forcing: &[Complex64]) {
        let tables = Arc::clone(&self.tables);
        let (whole, half) = (&tables.decay, &tables.half_decay);
        let dt = self.params.dt;
        let mut sum = std::mem::take(&mut self.sum);
        let mut second = std::mem::take(&mut self.second);
        // Each pass over the modes makes a slope, adds it to the sum and leaves the next stage's velocity in its place.
        self.velocity(c);
        self.square.square();
        self.slopes(forcing, |m, k1| {
            sum[m] = k1 * whole[m];
            (c[m] + k1 * (0.5 * dt)) * half[m]
        });
        self.square.square();
        self.slopes(forcing, |m, k2| {
            second[m] = k2;
            c[m] * half[m] + k2 * (0.5 * dt)
        });
        self.square.square();
        self.slopes(forcing, |m, k3| {
            sum[m] += (second[m] + k3) * (2.0 * half[m]);
            c[m] * whole[m] + k3 * (dt * half[m])
        });
        self.square.square();
        self.slopes(forcing, |m, k4| {
            c[m] = c[m] * whole[m] + (sum[m] + k4) * (dt / 6.0);
            Complex64::ZERO
        });
        self.sum = sum;
        self.second = second;
    }

    /// `-u . grad omega + forcing`, one for each mode of `out`.
    pub(super) fn slope(&mut self, c: &[Complex64], forcing: &[Complex64], out: &mut [Complex64]) {
        out.fill(Complex64::ZERO);
        self.velocity(c);
        self.square.square();
        self.slopes(forcing, |m, slope| {
            out[m] = slope;
            Complex64::ZERO
        });
    }

    /// Puts the coefficients of the complex velocity `w = u + i v` of the vorticity `c` in place. With
    /// `psi = -c / k^2`, `u = -d_y psi` and `v = d_x psi` they are `(kx + i ky) c_k / k^2`.
    fn velocity(&mut self, c: &[Complex64]) {
        let modes = &self.tables.modes;
        let n = modes.n;
        for (i, c) in c.chunks_exact(n).enumerate() {
            let kx = modes.kx[i * n];
            let inverse_k2 = &modes.inverse_k2[i * n..][..n];
            let mut column = self.square.pair(i);
            for j in modes.resolved_rows().into_iter().flatten() {
                column.put(j, kx, modes.ky[j], c[j] * inverse_k2[j]);
            }
        }
    }

    /// From the squared velocity the slope of each resolved mode, which `next` is told with the mode's index; the velocity
    /// of the vorticity that it answers goes in the place of what was read.
    ///
    /// In flux form the slope is `-(d_xx - d_yy)(uv) - d_xy(v^2 - u^2)`: on the resolved modes the same as the advective
    /// form (both are free of aliasing), and both products stand in `w^2 = u^2 - v^2 + 2 i u v`.
    fn slopes(
        &mut self,
        forcing: &[Complex64],
        mut next: impl FnMut(usize, Complex64) -> Complex64,
    ) {
        let modes = &self.tables.modes;
        let n = modes.n;
        let scale = 1.0 / (n * n) as f64;
        let ky = &modes.ky[..n];
        for i in 0..=modes.kmax {
            let kx = modes.kx[i * n];
            let inverse_k2 = &modes.inverse_k2[i * n..][..n];
            let mut column = self.square.pair(i);
            for rows in modes.resolved_rows() {
                for j in rows {
                    let ky = ky[j];
                    let (here, mirror) = column.get(j);
                    // The real field u^2 - v^2 has the even part of the coefficients, 2 u v the odd part over i.
                    let (even, odd) = (here + mirror, here - mirror);
                    let p = 0.25 * scale * (kx * kx - ky * ky);
                    let q = 0.5 * scale * (kx * ky);
                    let mut slope =
                        Complex64::new(p * odd.im - q * even.re, -p * odd.re - q * even.im);
                    if let Some(f) = forcing.get(i * n + j) {
                        slope += f;
                    }
                    column.put(j, kx, ky, next(i * n + j, slope) * inverse_k2[j]);
                }
            }
        }
    }
}

fn forcing_key(seed: u64, member: u32, step: u32) -> NoiseKey {
    NoiseKey {
        seed,
        stream: Stream::Forcing,
        member,
        frame: step,
        step: 0,
    }
}
