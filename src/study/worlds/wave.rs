//! The paper's sanity case: a sinusoidal wave that travels.
//!
//! `u(x, y, t) = sqrt 2 sin(k (x - v t) + phase)`, `k = 2 pi wavenumber / n`, the phase of each run uniform. Every frame
//! follows from the last one without error, and the picture alone does not tell which way it goes.

use serde::{Deserialize, Serialize};

use super::{check, uniform};
use crate::error::Result;

/// Which way the waves go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ways {
    /// All to the right: the last frame alone tells the next.
    One,
    /// Runs of even number to the right, of odd number to the left: only two frames tell the way.
    Both,
}

/// A travelling wave.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wave {
    /// Wave lengths in the box.
    pub wavenumber: usize,
    /// Cells a frame.
    pub speed: f64,
    /// Which way.
    pub ways: Ways,
}

impl Default for Wave {
    fn default() -> Self {
        Self {
            wavenumber: 2,
            speed: 1.5,
            ways: Ways::One,
        }
    }
}

impl Wave {
    pub(super) fn name(&self) -> &'static str {
        match self.ways {
            Ways::One => "one-way",
            Ways::Both => "both-ways",
        }
    }

    pub(super) fn validate(&self) -> Result<()> {
        check(
            (1..=4).contains(&self.wavenumber) && self.speed.is_finite() && self.speed > 0.0,
            "a wave needs a wavenumber from 1 to 4 and a speed above 0",
        )
    }

    /// Cells a frame of one run, above 0 to the right.
    pub fn velocity(&self, run: usize) -> f64 {
        match self.ways {
            Ways::Both if run % 2 == 1 => -self.speed,
            _ => self.speed,
        }
    }

    pub(super) fn fill(&self, values: &mut [f32], n: usize, seed: u64, run: u32) {
        let k = std::f64::consts::TAU * self.wavenumber as f64 / n as f64;
        let phase = std::f64::consts::TAU * uniform(seed, run, 0, 0, 1)[0];
        let velocity = self.velocity(run as usize);
        for (t, frame) in values.chunks_exact_mut(n * n).enumerate() {
            let shift = velocity * t as f64;
            for (i, v) in frame.iter_mut().enumerate() {
                let x = (i % n) as f64;
                *v = (std::f64::consts::SQRT_2 * (k * (x - shift) + phase).sin()) as f32;
            }
        }
    }
}

/// Amplitude and phase of the wave in a frame, as the complex number `2/n^2 sum u exp(-i k x)`; its phase falls by
/// `k v` a frame where the wave goes to the right. With it the share of the frame's power that is not in the wave.
pub fn coefficient(frame: &[f32], n: usize, wavenumber: usize) -> ([f64; 2], f64) {
    let k = std::f64::consts::TAU * wavenumber as f64 / n as f64;
    let (mut re, mut im, mut power) = (0.0, 0.0, 0.0);
    for (i, &v) in frame.iter().enumerate() {
        let (sin, cos) = (k * (i % n) as f64).sin_cos();
        re += f64::from(v) * cos;
        im -= f64::from(v) * sin;
        power += f64::from(v).powi(2);
    }
    let scale = 2.0 / frame.len().max(1) as f64;
    let (re, im) = (re * scale, im * scale);
    let wave = 0.5 * (re * re + im * im);
    let power = power / frame.len().max(1) as f64;
    let off = if power > 0.0 {
        1.0 - wave / power
    } else {
        f64::NAN
    };
    ([re, im], off.max(0.0))
}

/// How a series of frames travels.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Travel {
    /// Circular mean of the steps, cells a frame; to the right above 0.
    pub speed: f64,
    /// Length of the mean of `exp(i step)`: 1 where all steps are alike, about 0 where they are random.
    pub steadiness: f64,
    /// Share of the steps that go to the right.
    pub to_the_right: f64,
    /// Mean amplitude over that of the unit wave.
    pub amplitude: f64,
    /// Share of the power outside of the wave.
    pub off_wave: f64,
}

/// Figures of frames, oldest first; `None` with fewer than two.
pub fn travel(frames: &[Vec<f32>], n: usize, wavenumber: usize, unit: f64) -> Option<Travel> {
    if frames.len() < 2 {
        return None;
    }
    let k = std::f64::consts::TAU * wavenumber as f64 / n as f64;
    let all: Vec<_> = frames
        .iter()
        .map(|f| coefficient(f, n, wavenumber))
        .collect();
    let (mut cos, mut sin, mut right) = (0.0, 0.0, 0.0);
    for pair in all.windows(2) {
        let ([a, b], [c, d]) = (pair[0].0, pair[1].0);
        // next times conj(last)
        let step = (d * a - c * b).atan2(c * a + d * b);
        cos += step.cos();
        sin += step.sin();
        right += f64::from(u8::from(step < 0.0));
    }
    let steps = (all.len() - 1) as f64;
    let count = all.len() as f64;
    Some(Travel {
        speed: -sin.atan2(cos) / k,
        steadiness: (cos * cos + sin * sin).sqrt() / steps,
        to_the_right: right / steps,
        amplitude: all.iter().map(|(c, _)| c[0].hypot(c[1])).sum::<f64>() / count / unit,
        off_wave: all.iter().map(|(_, off)| off).sum::<f64>() / count,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speed_direction_and_amplitude_are_those_asked_for() {
        let n = 16;
        for (run, sign) in [(0u32, 1.0), (1, -1.0)] {
            let wave = Wave {
                wavenumber: 2,
                speed: 1.25,
                ways: Ways::Both,
            };
            let mut values = vec![0.0; 20 * n * n];
            wave.fill(&mut values, n, 7, run);
            let frames: Vec<Vec<f32>> = values.chunks_exact(n * n).map(<[f32]>::to_vec).collect();
            let t = travel(&frames, n, 2, std::f64::consts::SQRT_2).unwrap();
            assert!((t.speed - sign * 1.25).abs() < 1e-5, "{t:?}");
            assert!((t.steadiness - 1.0).abs() < 1e-9 && (t.amplitude - 1.0).abs() < 1e-5);
            assert!(t.off_wave < 1e-6);
            assert_eq!(t.to_the_right, if sign > 0.0 { 1.0 } else { 0.0 });
        }
    }

    #[test]
    fn a_field_without_the_wave_is_off_it() {
        let frame: Vec<f32> = (0..256)
            .map(|i| if i % 2 == 0 { 1.0 } else { -1.0 })
            .collect();
        let (c, off) = coefficient(&frame, 16, 2);
        assert!(c[0].abs() < 1e-9 && c[1].abs() < 1e-9 && (off - 1.0).abs() < 1e-9);
        assert!(travel(&[frame], 16, 2, 1.0).is_none());
    }
}
