//! What each network learns. The draws of a step depend on (seed, step) alone.

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};

use super::config::{DenoiserTraining, NoiseLaw, TowerTraining};
use crate::data::Dataset;
use crate::diffusion::seasonal::SeasonalCycle;
use crate::diffusion::wavelet::{
    WaveletBasis, band_count, bands as wavelet_bands, levels as wavelet_levels,
};
use crate::diffusion::wavelet_tower::log_variance;
use crate::error::{Result, UserError};
use crate::field::Grid;
use crate::nn::{Denoiser, HISTORY, HistoryTower, UNetConfig};
use crate::random::{NoiseKey, Stream};

mod encoder;
mod video;

pub use encoder::EncoderObjective;
pub use video::VideoObjective;

/// Frames (windows, pairs) in the validation set.
pub(crate) const VALIDATION: usize = 64;
/// Seed and step of the draws of the validation set: the same in every training.
pub(crate) const VALIDATION_KEY: (u64, u32) = (0, u32::MAX);

/// One kind of training.
pub trait Objective {
    /// The network.
    type Network: Module;

    /// Short name: file name of the weights, first line of the log.
    fn name(&self) -> &'static str;

    /// Checks that the network can work on this grid (of a globe, if `globe`).
    ///
    /// # Errors
    /// Sizes in the training file that fit another grid.
    fn check(&self, grid: Grid, globe: bool) -> Result<()>;

    /// A network with first weights of `seed`.
    fn network(&self, seed: u64, device: &Device) -> Self::Network;

    /// The loss of the batch of one step.
    fn loss(
        &self,
        network: &Self::Network,
        data: &Dataset,
        seed: u64,
        step: u32,
        device: &Device,
    ) -> Tensor<1>;

    /// The loss on the fixed validation set.
    fn validation(&self, network: &Self::Network, data: &Dataset, device: &Device) -> f64;
}

/// What a draw is for: the member number of its noise key.
#[derive(Clone, Copy)]
enum Draw {
    Level = 1,
    Wide = 2,
    Noise = 3,
    History = 4,
    HistoryLevel = 5,
    Length = 6,
    Season = 7,
    Departure = 8,
    Shift = 9,
}

fn key(seed: u64, step: u32, what: Draw) -> NoiseKey {
    NoiseKey {
        seed,
        stream: Stream::Training,
        member: what as u32,
        frame: step,
        step: 0,
    }
}

fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values, shape), device)
}

fn noise(seed: u64, step: u32, what: Draw, shape: [usize; 4], device: &Device) -> Tensor<4> {
    let values = key(seed, step, what).normal_f32(shape.iter().product());
    tensor(values, shape, device)
}

/// A network with learned fields of position works on their grid alone.
fn check_position(section: &str, network: &UNetConfig, grid: Grid) -> Result<()> {
    match network.position {
        Some([ny, nx]) if (ny, nx) != (grid.ny, grid.nx) => Err(UserError::new(
            "The network does not fit these data",
            format!(
                "{section}.network.position is {ny} x {nx}, the fields are {} x {}",
                grid.ny, grid.nx
            ),
            format!(
                "write position = [{}, {}], or take the line out",
                grid.ny, grid.nx
            ),
        )),
        _ => Ok(()),
    }
}

/// Noise levels of `n` rows.
pub(crate) fn levels(law: &NoiseLaw, seed: u64, step: u32, n: usize) -> Vec<f32> {
    let mut normal = vec![0.0; n];
    key(seed, step, Draw::Level).normal_f64(&mut normal);
    let uniform = key(seed, step, Draw::Wide).uniform(2 * n);
    let [lo, hi] = law.wide.map(f64::ln);
    normal
        .iter()
        .zip(uniform.chunks_exact(2))
        .map(|(z, u)| {
            let ln = if u[0] < law.wide_share {
                lo + (hi - lo) * u[1]
            } else {
                law.mean + law.std * z
            };
            ln.exp() as f32
        })
        .collect()
}

/// History lengths of `n` rows.
pub(crate) fn lengths(seed: u64, step: u32, n: usize) -> Vec<usize> {
    key(seed, step, Draw::Length)
        .uniform(n)
        .into_iter()
        .map(|u| ((u * HISTORY as f64) as usize).min(HISTORY - 1))
        .collect()
}

/// Adds noise of a level uniform in `[0, largest]` by row to a history.
pub(crate) fn blurred(history: Tensor<4>, largest: f64, seed: u64, step: u32) -> Tensor<4> {
    if largest == 0.0 {
        return history;
    }
    let (shape, device) = (history.dims(), history.device());
    let level = key(seed, step, Draw::HistoryLevel)
        .uniform(shape[0])
        .into_iter()
        .map(|u| (u * largest) as f32)
        .collect();
    let level = tensor(level, [shape[0], 1, 1, 1], &device);
    history + noise(seed, step, Draw::History, shape, &device) * level
}

/// Denoising score matching with the weight `(s^2 + sd^2) / (s sd)^2` (Karras et al. 2022).
pub struct DenoiserObjective<'a>(pub &'a DenoiserTraining);

impl DenoiserObjective<'_> {
    fn weighted(
        &self,
        net: &Denoiser,
        x: Tensor<4>,
        levels: &[f32],
        noise: Tensor<4>,
    ) -> Tensor<1> {
        matching(x, levels, noise, net.sigma_data(), |x, sigma| {
            net.forward(x, sigma)
        })
    }
}

/// Mean of `(s^2 + sd^2) / (s sd)^2 |D - x|^2`, where `estimate(x + s noise, s)` is D and `data` is sd.
pub(crate) fn matching(
    x: Tensor<4>,
    levels: &[f32],
    noise: Tensor<4>,
    data: f32,
    estimate: impl FnOnce(Tensor<4>, Tensor<1>) -> Tensor<4>,
) -> Tensor<1> {
    let (n, device) = (levels.len(), x.device());
    let sigma = tensor(levels.to_vec(), [n], &device);
    let weight = levels
        .iter()
        .map(|s| (s * s + data * data) / (s * data).powi(2))
        .collect();
    let wide = sigma.clone().reshape([n, 1, 1, 1]);
    let estimate = estimate(x.clone() + noise * wide, sigma);
    ((estimate - x).square() * tensor(weight, [n, 1, 1, 1], &device)).mean()
}

impl Objective for DenoiserObjective<'_> {
    type Network = Denoiser;

    fn name(&self) -> &'static str {
        "denoiser"
    }

    fn check(&self, grid: Grid, _globe: bool) -> Result<()> {
        check_position("denoiser", &self.0.network, grid)
    }

    fn network(&self, seed: u64, device: &Device) -> Denoiser {
        let sigma_data = crate::data::dataset::NORMALISED_STD as f32;
        Denoiser::seeded(&self.0.network, sigma_data, seed, device)
    }

    fn loss(
        &self,
        net: &Denoiser,
        data: &Dataset,
        seed: u64,
        step: u32,
        device: &Device,
    ) -> Tensor<1> {
        let n = self.0.batch;
        let shape = [n, 1, data.grid().ny, data.grid().nx];
        let x = tensor(data.batch_frames(step, n, true), shape, device);
        let levels = levels(&self.0.noise, seed, step, n);
        self.weighted(
            net,
            x,
            &levels,
            noise(seed, step, Draw::Noise, shape, device),
        )
    }

    fn validation(&self, net: &Denoiser, data: &Dataset, device: &Device) -> f64 {
        let shape = [VALIDATION, 1, data.grid().ny, data.grid().nx];
        let (seed, step) = VALIDATION_KEY;
        let x = tensor(data.validation_windows(VALIDATION, 0), shape, device);
        let levels = levels(&self.0.noise, seed, step, VALIDATION);
        let noise = noise(seed, step, Draw::Noise, shape, device);
        in_batches(VALIDATION, self.0.batch, |rows| {
            let part = |t: &Tensor<4>| t.clone().slice([rows.clone()]);
            self.weighted(net, part(&x), &levels[rows.clone()], part(&noise))
        })
    }
}

/// Mean of a loss over a set, evaluated in pieces.
pub(crate) fn in_batches(
    total: usize,
    batch: usize,
    loss: impl Fn(std::ops::Range<usize>) -> Tensor<1>,
) -> f64 {
    let mut sum = 0.0;
    for start in (0..total).step_by(batch) {
        let rows = start..(start + batch).min(total);
        let weight = rows.len() as f64;
        sum += weight * f64::from(loss(rows).into_scalar::<f32>());
    }
    sum / total as f64
}

/// Mean squared error of the forecast: its minimum is the mean of the next frame given the history. A tower with maps of
/// its spread also learns, by likelihood, the variance of what the forecast misses in each wavelet coefficient; what it
/// misses is taken as given there, so that the mean stays the one of least squares.
pub struct TowerObjective<'a>(pub &'a TowerTraining);

impl TowerObjective<'_> {
    fn error(
        &self,
        net: &HistoryTower,
        history: Tensor<4>,
        next: Tensor<4>,
        m: &[usize],
        (season, cycle): (&[Option<f64>], Option<&[f32]>),
    ) -> Tensor<1> {
        let [_, _, ny, nx] = next.dims();
        let usual = cycle
            .filter(|_| net.knows_season() && self.0.anomalies)
            .and_then(|c| SeasonalCycle::new(c, [ny, nx], &next.device()))
            .map(|c| c.at(season));
        let out = net.forecast(history, m, season, usual);
        let missed = next - out.mean.clone();
        let squared = missed.clone().square().mean();
        let Some(maps) = out.maps else {
            return squared;
        };
        let basis = WaveletBasis::new(ny, nx, &missed.device());
        let variance = log_variance(Some(maps), &out.mean, &basis);
        let missed = basis.transform(missed.detach()).square();
        let likelihood = (variance.clone() + missed * variance.neg().exp()).mean() * 0.5;
        let data = crate::data::dataset::NORMALISED_STD.powi(2);
        squared / data + likelihood * self.0.spread_weight
    }
}

impl TowerObjective<'_> {
    /// What the histories of a step carry beside the weather, one field for all frames of a row, `[n, 1, y, x]`: a
    /// departure in the coarse bands, and for some rows that are told the date the difference to another season.
    fn departure(
        &self,
        [n, _, ny, nx]: [usize; 4],
        (season, cycle): (&[Option<f64>], Option<&[f32]>),
        seed: u64,
        step: u32,
        device: &Device,
    ) -> Tensor<4> {
        let shape = [n, 1, ny, nx];
        let mut out = Tensor::<4>::zeros(shape, device);
        let levels = wavelet_levels(ny, nx);
        if self.0.departure > 0.0 && levels > 1 {
            let coarse = |band: usize| {
                if band == 0 || band > 3 * (levels - 1) {
                    1.0
                } else {
                    0.0
                }
            };
            let mask: Vec<f32> = wavelet_bands(ny, nx).into_iter().map(coarse).collect();
            let mask = tensor(mask, [1, 1, ny, nx], device);
            let level = key(seed, step, Draw::Departure)
                .uniform(n)
                .into_iter()
                .map(|u| (u * self.0.departure) as f32)
                .collect();
            let level = tensor(level, [n, 1, 1, 1], device);
            let noise = noise(seed, step, Draw::Shift, shape, device);
            out = out + WaveletBasis::new(ny, nx, device).inverse(noise * level * mask);
        }
        let cycle = cycle.and_then(|c| SeasonalCycle::new(c, [ny, nx], device));
        if let Some(cycle) = cycle.filter(|_| self.0.season_shift > 0.0) {
            // The first n draws of this key say which rows are told.
            let u = key(seed, step, Draw::Season).uniform(3 * n);
            let moved: Vec<Option<f64>> = season
                .iter()
                .zip(u[n..].chunks_exact(2))
                .map(|(s, u)| {
                    let far = if u[0] < self.0.season_shift {
                        0.5 * (u[1] - 0.5)
                    } else {
                        0.0
                    };
                    s.map(|s| (s + far).rem_euclid(1.0))
                })
                .collect();
            out = out + cycle.at(&moved) - cycle.at(season);
        }
        out
    }
}

/// Seasons of `n` rows, kept for a share of them.
fn told(seasons: Vec<Option<f64>>, share: f64, seed: u64, step: u32) -> Vec<Option<f64>> {
    let u = key(seed, step, Draw::Season).uniform(seasons.len());
    seasons
        .into_iter()
        .zip(u)
        .map(|(s, u)| s.filter(|_| u < share))
        .collect()
}

impl Objective for TowerObjective<'_> {
    type Network = HistoryTower;

    fn name(&self) -> &'static str {
        "tower"
    }

    fn check(&self, grid: Grid, globe: bool) -> Result<()> {
        let maps = if globe {
            band_count(grid.ny, grid.nx)
        } else {
            0
        };
        if self.0.network.out_channels != maps + 1 {
            return Err(UserError::new(
                "The tower does not fit these data",
                format!(
                    "tower.network.out_channels is {}; a forecast and a map of its spread for each of {maps} wavelet \
                     bands are needed",
                    self.0.network.out_channels
                ),
                format!("write out_channels = {}", maps + 1),
            ));
        }
        check_position("tower", &self.0.network, grid)
    }

    fn network(&self, seed: u64, device: &Device) -> HistoryTower {
        HistoryTower::seeded(&self.0.network, seed, device)
    }

    fn loss(
        &self,
        net: &HistoryTower,
        data: &Dataset,
        seed: u64,
        step: u32,
        device: &Device,
    ) -> Tensor<1> {
        let n = self.0.batch;
        let shape = [n, HISTORY + 1, data.grid().ny, data.grid().nx];
        let window = tensor(data.batch_windows(step, n, HISTORY, true), shape, device);
        let next = window.clone().narrow(1, 0, 1);
        let history = blurred(
            window.narrow(1, 1, HISTORY),
            self.0.history_noise,
            seed,
            step,
        );
        let m = lengths(seed, step, n);
        let season = data.window_seasons(step, n, HISTORY);
        let season = told(season, self.0.season_share, seed, step);
        let history =
            history + self.departure(shape, (&season, data.seasonal_cycle()), seed, step, device);
        self.error(net, history, next, &m, (&season, data.seasonal_cycle()))
    }

    fn validation(&self, net: &HistoryTower, data: &Dataset, device: &Device) -> f64 {
        let shape = [VALIDATION, HISTORY + 1, data.grid().ny, data.grid().nx];
        let window = tensor(data.validation_windows(VALIDATION, HISTORY), shape, device);
        let (seed, step) = VALIDATION_KEY;
        let season = data.validation_seasons(VALIDATION, HISTORY);
        let season = told(season, self.0.season_share, seed, step);
        in_batches(VALIDATION, self.0.batch, |rows| {
            let m: Vec<usize> = rows.clone().map(|row| row / 6 % HISTORY).collect();
            let season = &season[rows.clone()];
            let window = window.clone().slice([rows]);
            let next = window.clone().narrow(1, 0, 1);
            self.error(
                net,
                window.narrow(1, 1, HISTORY),
                next,
                &m,
                (season, data.seasonal_cycle()),
            )
        })
    }
}
