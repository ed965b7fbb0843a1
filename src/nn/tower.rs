//! The history tower: forecasts the mean of the next frame from the last ones, and on the globe also how far it may be off.

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};

use super::compiled::Output;
use super::config::UNetConfig;
use super::on_cpu;
use super::unet::UNet;
use super::weights::tensor_values;

/// Frames that a discriminator sees at most: the last one and three before it.
pub const HISTORY: usize = 4;

/// Channels that tell the tower the day of the year: cosine, sine, and whether it is told at all.
pub const SEASON_CHANNELS: usize = 3;

/// Standard deviation of the increment between frames, in normalised units: the scale of the network's output.
const INCREMENT: f32 = 0.4;
/// Scale of the frames at the input: data of std 0.5 enter with std 1.
pub(super) const INPUT: f32 = 2.0;

/// `mu(h, m) = p x_n + 0.4 U(h, mask)`, one set of weights for every history length m.
///
/// A tower with one output keeps the last frame (p = 1) and adds an increment. A tower with more outputs stands where a
/// day's half is forgotten by the next (p = 0.5); its other outputs are maps from which the spread of every wavelet
/// coefficient is read.
#[derive(Module, Debug)]
pub struct HistoryTower {
    /// The network U: 4 frames, 3 masks and perhaps the season in, no noise embedding.
    pub unet: UNet,
    season: bool,
    maps: usize,
}

/// What a tower says.
pub struct TowerOutput {
    /// The forecast, `[batch, 1, y, x]`.
    pub mean: Tensor<4>,
    /// Maps of its spread, `[batch, bands, y, x]`; `None` for a tower with one output.
    pub maps: Option<Tensor<4>>,
}

impl HistoryTower {
    /// Input channels of a tower.
    pub fn in_channels(season: bool) -> usize {
        2 * HISTORY - 1 + if season { SEASON_CHANNELS } else { 0 }
    }

    /// A tower with first weights of seed 0.
    pub fn new(config: &UNetConfig, device: &Device) -> Self {
        Self::seeded(config, 0, device)
    }

    /// A tower with first weights of `seed`.
    pub fn seeded(config: &UNetConfig, seed: u64, device: &Device) -> Self {
        Self {
            unet: UNet::seeded(config, seed, device),
            season: config.in_channels == Self::in_channels(true),
            maps: config.out_channels - 1,
        }
    }

    /// Whether it can be told the day of the year.
    pub fn knows_season(&self) -> bool {
        self.season
    }

    /// `history` `[batch, 4, y, x]` (normalised units, newest first) and the history length 0..=3 of each row (or one
    /// for all) to the forecast `[batch, 1, y, x]`. Frames beyond a row's history length are not looked at.
    pub fn forward(&self, history: Tensor<4>, m: &[usize]) -> Tensor<4> {
        self.forecast(history, m, &[None], None).mean
    }

    /// The same with the season of the frame to be forecast, a fraction of the year for each row (or one for all), `None`
    /// where it is not told; and with the maps of the spread.
    ///
    /// `usual` `[batch or 1, 1, y, x]` is what is usual at that season: the tower then forecasts the anomaly from it out
    /// of the anomalies before. A rollout that has lost its season is called back, since a tower that is shown seasons and
    /// weather together takes the season of its history for given.
    pub fn forecast(
        &self,
        history: Tensor<4>,
        m: &[usize],
        season: &[Option<f64>],
        usual: Option<Tensor<4>>,
    ) -> TowerOutput {
        let history = match &usual {
            Some(usual) => history - usual.clone(),
            None => history,
        };
        let mut out = self.anomaly(history, m, season);
        if let Some(usual) = usual {
            out.mean = out.mean + usual;
        }
        out
    }

    /// `finish` of the network's output for channels side by side, each input times its factor.
    fn output(&self, inputs: Vec<(Tensor<4>, f32)>, finish: Output) -> Tensor<4> {
        let fast = inputs.first().and_then(|(x, _)| self.unet.fast(x));
        fast.and_then(|compiled| compiled.forward(inputs.clone(), None, finish))
            .unwrap_or_else(|| {
                let first = inputs[0].0.clone().narrow(1, 0, 1);
                let scaled = inputs.into_iter().map(|(x, scale)| match scale {
                    1.0 => x,
                    _ => x * scale,
                });
                let u = self.unet.forward(Tensor::cat(scaled.collect(), 1), None);
                match (finish.keep, finish.scale) {
                    (0.0, 1.0) => u,
                    _ => first * finish.keep + u * finish.scale,
                }
            })
    }

    /// With a compiled form of the present weights; see [`UNet::compiled`].
    pub fn compiled(mut self, config: &UNetConfig) -> Self {
        self.unet = self.unet.compiled(config);
        self
    }

    fn anomaly(&self, history: Tensor<4>, m: &[usize], season: &[Option<f64>]) -> TowerOutput {
        let [_, _, h, w] = history.dims();
        let last = history.clone().narrow(1, 0, 1);
        let device = history.device();
        let rows = history.dims()[0];
        let (frames, masks) = masked(history, m);
        let mut inputs = vec![(frames, INPUT), (masks, 1.0)];
        if self.season {
            inputs.push((season_maps(season, [rows, h, w], &device), 1.0));
        }
        if self.maps == 0 {
            // The first channel is the last frame, which is always looked at.
            let increment = Output {
                keep: 1.0,
                scale: INCREMENT,
            };
            return TowerOutput {
                mean: self.output(inputs, increment),
                maps: None,
            };
        }
        let plain = Output {
            keep: 0.0,
            scale: 1.0,
        };
        let u = self.output(inputs, plain);
        TowerOutput {
            mean: last * 0.5 + u.clone().narrow(1, 0, 1) * INCREMENT,
            maps: Some(u.narrow(1, 1, self.maps)),
        }
    }
}

/// The value of a row in a list of one for each row or one for all.
fn at(season: &[Option<f64>], row: usize) -> Option<f64> {
    let i = if season.len() == 1 { 0 } else { row };
    season.get(i).copied().flatten()
}

/// The season as channels `[rows, 3, y, x]`, constant in space.
pub(super) fn season_maps(
    season: &[Option<f64>],
    [rows, h, w]: [usize; 3],
    device: &Device,
) -> Tensor<4> {
    let values: Vec<f32> = (0..rows)
        .flat_map(|row| season_channels(at(season, row)))
        .collect();
    let told = TensorData::new(values, [rows, SEASON_CHANNELS, 1, 1]);
    Tensor::<4>::from_data(told, device).expand([rows, SEASON_CHANNELS, h, w])
}

/// Cosine and sine of the year's turn, and that it is told.
fn season_channels(season: Option<f64>) -> [f32; SEASON_CHANNELS] {
    match season {
        None => [0.0; SEASON_CHANNELS],
        Some(fraction) => {
            let (sin, cos) = (std::f64::consts::TAU * fraction).sin_cos();
            [cos as f32, sin as f32, 1.0]
        }
    }
}

/// `history` with the frames beyond each row's history length set to zero, and the three masks `[batch, 3, y, x]` that say
/// which of the older frames are there.
pub(crate) fn masked(history: Tensor<4>, m: &[usize]) -> (Tensor<4>, Tensor<4>) {
    let [batch, frames, h, w] = history.dims();
    let device = history.device();
    let length = |row: usize| if m.len() == 1 { m[0] } else { m[row] };
    if on_cpu(&history) {
        // Without products: on a small field they take as long as some layers.
        let cells = h * w;
        let mut values = tensor_values(history);
        let mut masks = vec![1.0; batch * (frames - 1) * cells];
        for row in 0..batch {
            for age in (length(row) + 1).max(1)..frames {
                values[(row * frames + age) * cells..][..cells].fill(0.0);
                masks[(row * (frames - 1) + age - 1) * cells..][..cells].fill(0.0);
            }
        }
        let tensor = |values: Vec<f32>, channels: usize| {
            Tensor::from_data(TensorData::new(values, [batch, channels, h, w]), &device)
        };
        return (tensor(values, frames), tensor(masks, frames - 1));
    }
    let flags: Vec<f32> = (0..batch)
        .flat_map(|row| (0..frames).map(move |age| (row, age)))
        .map(|(row, age)| if age <= length(row) { 1.0 } else { 0.0 })
        .collect();
    let flags = Tensor::<4>::from_data(TensorData::new(flags, [batch, frames, 1, 1]), &device);
    let masks = flags
        .clone()
        .narrow(1, 1, frames - 1)
        .expand([batch, frames - 1, h, w]);
    (history * flags, masks)
}
