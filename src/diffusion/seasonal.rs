//! The year's cycle of every cell, in normalised units: what a tower that is told the date measures anomalies from.

use burn::tensor::{Device, Tensor, TensorData};

/// Coefficients of the cycle: cosine and sine of the year's turn, cosine and sine of twice that.
pub const HARMONICS: usize = 4;

/// The values of the harmonics at a fraction of the year.
pub fn harmonics(season: f64) -> [f32; HARMONICS] {
    let turn = std::f64::consts::TAU * season;
    [
        turn.cos() as f32,
        turn.sin() as f32,
        (2.0 * turn).cos() as f32,
        (2.0 * turn).sin() as f32,
    ]
}

/// Two harmonics of the year in every cell, `[1, 4, ny, nx]`.
#[derive(Debug, Clone)]
pub struct SeasonalCycle {
    maps: Tensor<4>,
}

impl SeasonalCycle {
    /// From `[4][ny][nx]` values. `None` where their number does not fit.
    pub fn new(values: &[f32], [ny, nx]: [usize; 2], device: &Device) -> Option<Self> {
        (values.len() == HARMONICS * ny * nx).then(|| Self {
            maps: Tensor::from_data(
                TensorData::new(values.to_vec(), [1, HARMONICS, ny, nx]),
                device,
            ),
        })
    }

    /// The cycle at the season of each row, `[rows, 1, ny, nx]`; nothing where it is not told.
    pub fn at(&self, seasons: &[Option<f64>]) -> Tensor<4> {
        let rows = seasons.len();
        let weights: Vec<f32> = seasons
            .iter()
            .flat_map(|s| s.map_or([0.0; HARMONICS], harmonics))
            .collect();
        let shape = [rows, HARMONICS, 1, 1];
        let weights = Tensor::<4>::from_data(TensorData::new(weights, shape), &self.maps.device());
        (self.maps.clone() * weights).sum_dim(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diffusion::to_vec;

    #[test]
    fn the_cycle_follows_the_year_and_is_silent_where_it_is_not_told() {
        let values: Vec<f32> = (0..HARMONICS * 6).map(|i| (i / 6) as f32 + 1.0).collect();
        let cycle = SeasonalCycle::new(&values, [2, 3], &Device::flex()).unwrap();
        let at = to_vec(cycle.at(&[Some(0.0), Some(0.25), None]));
        // cos and cos of twice the turn at the year's begin; sin, and minus cos of twice the turn, a quarter later.
        for (row, expected) in [1.0 + 3.0, 2.0 - 3.0, 0.0].into_iter().enumerate() {
            for v in &at[row * 6..(row + 1) * 6] {
                assert!((v - expected).abs() < 1e-5, "row {row}: {v}");
            }
        }
        assert!(SeasonalCycle::new(&values[1..], [2, 3], &Device::flex()).is_none());
    }
}
