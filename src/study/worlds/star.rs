//! A rotating star with spots that grow and decay: quasi-periodic.
//!
//! The box is the star's surface, longitude to the right. Dark spots of Gaussian shape turn with the star,
//! `period` frames a turn; a spot's depth is `sin^2(pi age / life)`, its life uniform in `[life, 2 life]`, and where one
//! ends another begins elsewhere. At a fixed place the brightness comes back after each turn, by as much as the spots
//! have lived on: the autocorrelation has its peaks at multiples of the period, ever lower.

use serde::{Deserialize, Serialize};

use super::{check, uniform};
use crate::error::Result;

/// A star.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Star {
    /// Frames a turn.
    pub period: f64,
    /// Spots at any time.
    pub spots: usize,
    /// Shortest life of a spot, frames; the longest is twice that.
    pub life: f64,
    /// Width of a spot (standard deviation), cells.
    pub width: f64,
}

impl Default for Star {
    fn default() -> Self {
        Self {
            period: 16.0,
            spots: 6,
            life: 40.0,
            width: 2.5,
        }
    }
}

/// A spot.
struct Spot {
    born: f64,
    life: f64,
    longitude: f64,
    latitude: f64,
}

impl Star {
    pub(super) fn validate(&self) -> Result<()> {
        let positive = |v: f64| v.is_finite() && v > 0.0;
        check(
            positive(self.period)
                && self.life.is_finite()
                && self.life >= 2.0
                && positive(self.width)
                && (1..=100).contains(&self.spots),
            "a star needs a period and a width above 0, a life of at least 2 frames, and 1 to 100 spots",
        )
    }

    pub(super) fn fill(&self, values: &mut [f32], n: usize, seed: u64, run: u32) {
        let side = n as f64;
        for place in 0..self.spots {
            let mut number = 0u32;
            let mut next = |born: Option<f64>| {
                let u = uniform(seed, run, number, place as u16, 4);
                number += 1;
                let life = self.life * (1.0 + u[0]);
                Spot {
                    // The first spot of a place is somewhere in its life.
                    born: born.unwrap_or(-u[3] * life),
                    life,
                    longitude: side * u[1],
                    latitude: side * u[2],
                }
            };
            let mut spot = next(None);
            for (t, frame) in values.chunks_exact_mut(n * n).enumerate() {
                let t = t as f64;
                while t >= spot.born + spot.life {
                    spot = next(Some(spot.born + spot.life));
                }
                let age = (t - spot.born) / spot.life;
                let depth = (std::f64::consts::PI * age).sin().powi(2);
                let x0 = spot.longitude + side * t / self.period;
                let shape = |at: f64, centre: f64| {
                    let off = (at - centre).rem_euclid(side);
                    let off = off.min(side - off) / self.width;
                    (-0.5 * off * off).exp()
                };
                let columns: Vec<f64> = (0..n).map(|x| shape(x as f64, x0)).collect();
                for (y, row) in frame.chunks_exact_mut(n).enumerate() {
                    let across = depth * shape(y as f64, spot.latitude);
                    for (v, column) in row.iter_mut().zip(&columns) {
                        *v -= (across * column) as f32;
                    }
                }
            }
        }
        // Brightness about its mean: the mean depth is 1/2, the mean of a shape its area.
        let area = std::f64::consts::TAU * self.width * self.width / (side * side);
        let mean = (0.5 * self.spots as f64 * area) as f32;
        for v in values {
            *v += mean;
        }
    }
}

/// Lag in `from..=to` at which an autocorrelation is largest.
pub fn peak(acf: &[f64], from: usize, to: usize) -> Option<(usize, f64)> {
    (from..=to)
        .filter_map(|lag| Some((lag, *acf.get(lag)?)))
        .filter(|(_, v)| v.is_finite())
        .max_by(|a, b| a.1.total_cmp(&b.1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::pooled_acf;
    use crate::study::worlds::{Amount, World, tests::members};

    #[test]
    fn brightness_comes_back_after_a_turn_and_is_forgotten_over_a_life() {
        let star = Star {
            period: 8.0,
            life: 24.0,
            ..Star::default()
        };
        let amount = Amount {
            runs: 12,
            validation_runs: 0,
            frames: 240,
        };
        let series = World::Star(star).series(24, amount, 5, &|| false).unwrap();
        let acf = pooled_acf(&members(&series), 40).unwrap();
        let (first, high) = peak(&acf, 5, 12).unwrap();
        let (second, lower) = peak(&acf, 13, 20).unwrap();
        assert_eq!((first, second), (8, 16), "{acf:?}");
        assert!(high > 0.5 && lower < high - 0.1 && acf[4] < 0.1, "{acf:?}");
        // Nearly all spots have gone after 1.5 times the longest life.
        assert!(acf[40].abs() < 0.2, "{acf:?}");
        let mean = series.values.iter().map(|v| f64::from(*v)).sum::<f64>();
        assert!((mean / series.values.len() as f64).abs() < 0.02);
    }
}
