//! Counter-based noise: every number is a pure function of (seed, stream, member, frame, step, index), so that any
//! frame can be made again alone, on any number of threads, and a branch of a rollout is bit-exact.
//!
//! Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3") from the crate `rand_philox`,
//! pinned to its published test vectors below; normal numbers by Box-Muller.

use rand_philox::Philox;

/// What a noise is for. Different streams never share numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Stream {
    /// The initial noise of a frame and the noise added by churn.
    Sampler = 1,
    /// Forcing of the Navier-Stokes solver.
    Forcing = 2,
    /// First state of a simulation.
    InitialState = 3,
    /// Draws of training: batches, augmentation, noise levels.
    Training = 4,
    /// The "forecaster + noise" control.
    Forecaster = 5,
    /// Calibration of a discriminator.
    Calibration = 7,
    /// Days drawn for a climatological ensemble.
    Climatology = 8,
    /// Draws of a confidence band.
    Bootstrap = 9,
    /// First directions of an eigenvalue iteration.
    Directions = 10,
    /// What a candidate is given before a discriminator is asked about it.
    Question = 11,
    /// Anything in a test.
    Test = 6,
}

/// Names one block of noise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoiseKey {
    /// The user's seed.
    pub seed: u64,
    /// What it is for.
    pub stream: Stream,
    /// Ensemble member (or run).
    pub member: u32,
    /// Frame number in the rollout (or solver step).
    pub frame: u32,
    /// Step within the frame: 0 for the initial noise of a sampler, i + 1 for the churn of step i.
    pub step: u16,
}

impl NoiseKey {
    /// The first `n` random words of this block of noise.
    fn words(&self, n: usize) -> Vec<u32> {
        let key = [self.seed as u32, (self.seed >> 32) as u32];
        let tag = ((self.stream as u32) << 16) | u32::from(self.step);
        let counter = (u128::from(tag) << 96)
            | (u128::from(self.member) << 64)
            | (u128::from(self.frame) << 32);
        let mut words = vec![0; n];
        Philox::new(key, counter).fill_u32(&mut words);
        words
    }

    /// Fills `out` with independent standard normal numbers.
    pub fn normal_f64(&self, out: &mut [f64]) {
        let words = self.words(out.len().next_multiple_of(2));
        for (pair, w) in out.chunks_mut(2).zip(words.chunks_exact(2)) {
            let (a, b) = box_muller(w[0], w[1]);
            for (slot, value) in pair.iter_mut().zip([a, b]) {
                *slot = value;
            }
        }
    }

    /// `n` independent standard normal numbers, the same values as [`Self::normal_f64`] rounded to f32.
    pub fn normal_f32(&self, n: usize) -> Vec<f32> {
        let mut wide = vec![0.0; n];
        self.normal_f64(&mut wide);
        wide.into_iter().map(|v| v as f32).collect()
    }

    /// `n` independent numbers uniform in (0, 1).
    pub fn uniform(&self, n: usize) -> Vec<f64> {
        self.words(n).into_iter().map(unit).collect()
    }
}

/// A word as a number in (0, 1), never 0 nor 1.
fn unit(word: u32) -> f64 {
    (f64::from(word) + 0.5) / 4_294_967_296.0
}

/// Two normal numbers from two words. With 32-bit words the tail ends at 6.7 standard deviations.
fn box_muller(u: u32, v: u32) -> (f64, f64) {
    let r = (-2.0 * unit(u).ln()).sqrt();
    let (sin, cos) = (std::f64::consts::TAU * unit(v)).sin_cos();
    (r * cos, r * sin)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_vectors() {
        // Random123's kat_vectors for philox4x32, 10 rounds.
        let block = |counter: u128, key: [u32; 2]| {
            let mut words = [0; 4];
            Philox::new(key, counter).fill_u32(&mut words);
            words
        };
        assert_eq!(
            block(0, [0; 2]),
            [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]
        );
        assert_eq!(
            block(u128::MAX, [u32::MAX; 2]),
            [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]
        );
        assert_eq!(
            block(
                0x0370_7344_1319_8a2e_85a3_08d3_243f_6a88,
                [0xa409_3822, 0x299f_31d0]
            ),
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
        );
    }

    #[test]
    fn moments_and_independence_of_keys() {
        let key = NoiseKey {
            seed: 7,
            stream: Stream::Test,
            member: 0,
            frame: 0,
            step: 0,
        };
        let mut a = vec![0.0; 100_000];
        key.normal_f64(&mut a);
        let n = a.len() as f64;
        let mean = a.iter().sum::<f64>() / n;
        let var = a.iter().map(|v| v * v).sum::<f64>() / n;
        assert!(mean.abs() < 4.0 / n.sqrt(), "{mean}");
        assert!((var - 1.0).abs() < 4.0 * (2.0 / n).sqrt(), "{var}");
        for other in [
            NoiseKey { member: 1, ..key },
            NoiseKey { frame: 1, ..key },
            NoiseKey { step: 1, ..key },
            NoiseKey { seed: 8, ..key },
            NoiseKey {
                stream: Stream::Sampler,
                ..key
            },
        ] {
            let mut b = vec![0.0; a.len()];
            other.normal_f64(&mut b);
            let r = a.iter().zip(&b).map(|(x, y)| x * y).sum::<f64>() / n;
            assert!(r.abs() < 5.0 / n.sqrt(), "{other:?} {r}");
        }
    }

    #[test]
    fn prefix_property() {
        let key = NoiseKey {
            seed: 1,
            stream: Stream::Test,
            member: 2,
            frame: 3,
            step: 4,
        };
        assert_eq!(key.normal_f32(10)[..7], key.normal_f32(7)[..]);
    }
}
