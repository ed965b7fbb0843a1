//! AdamW (Loshchilov & Hutter 2019) over flat vectors, with the learning rate's schedule and the average of the weights.
//!
//! A network's parameters are one vector here, so that the whole state of a training is four vectors and a number:
//! small, clear, and saved without loss.

use rayon::prelude::*;

use super::config::OptimizerConfig;

/// Added to the root of the second moment.
const EPSILON: f64 = 1e-8;

/// Parameters that one task updates.
const PIECE: usize = 16_384;

/// State between two steps.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// Steps done.
    pub step: usize,
    /// Parameters, in the module's order.
    pub parameters: Vec<f32>,
    /// Their moving average: these are the weights that serve.
    pub average: Vec<f32>,
    /// First moment of the gradient.
    pub moment1: Vec<f32>,
    /// Second moment of the gradient.
    pub moment2: Vec<f32>,
}

impl State {
    /// The state before the first step.
    pub fn new(parameters: Vec<f32>) -> Self {
        let zeros = vec![0.0; parameters.len()];
        Self {
            step: 0,
            average: parameters.clone(),
            moment1: zeros.clone(),
            moment2: zeros,
            parameters,
        }
    }

    /// One step down the gradient, in a training of `steps` steps. Returns the gradient's norm before clipping; a
    /// gradient that is not finite changes nothing but the number of steps.
    pub fn update(&mut self, gradient: &[f32], config: &OptimizerConfig, steps: usize) -> f64 {
        let rate = learning_rate(self.step, steps, config);
        self.step += 1;
        // Pieces of a fixed size, added in order: the same on any number of threads.
        let squares: Vec<f64> = gradient
            .par_chunks(PIECE)
            .map(|g| g.iter().map(|&g| f64::from(g) * f64::from(g)).sum())
            .collect();
        let norm = squares.iter().sum::<f64>().sqrt();
        if !norm.is_finite() {
            return norm;
        }
        let scale = (config.clip / (norm + 1e-6)).min(1.0) as f32;
        let t = self.step as i32;
        let [b1, b2] = config.betas;
        let step_size = (rate / (1.0 - b1.powi(t))) as f32;
        let root2 = (1.0 - b2.powi(t)).sqrt() as f32;
        let decay = (1.0 - rate * config.weight_decay) as f32;
        let keep = (1.0 - 1.0 / f64::from(t)).powi(config.average_power) as f32;
        let (b1, b2, epsilon) = (b1 as f32, b2 as f32, EPSILON as f32);
        self.parameters
            .par_chunks_mut(PIECE)
            .zip(self.average.par_chunks_mut(PIECE))
            .zip(self.moment1.par_chunks_mut(PIECE))
            .zip(self.moment2.par_chunks_mut(PIECE))
            .zip(gradient.par_chunks(PIECE))
            .for_each(|((((p, a), m), v), g)| {
                for ((((p, a), m), v), g) in p.iter_mut().zip(a).zip(m).zip(v).zip(g) {
                    let g = g * scale;
                    *m = b1 * *m + (1.0 - b1) * g;
                    *v = b2 * *v + (1.0 - b2) * g * g;
                    *p = *p * decay - step_size * *m / (v.sqrt() / root2 + epsilon);
                    *a = keep * *a + (1.0 - keep) * *p;
                }
            });
        norm
    }
}

/// Learning rate of step `t` (from 0) of `steps`: linear warm-up, flat, cosine to zero.
pub fn learning_rate(t: usize, steps: usize, config: &OptimizerConfig) -> f64 {
    let peak = config.learning_rate;
    if t < config.warm_up {
        return peak * (t + 1) as f64 / config.warm_up as f64;
    }
    let begin = config.flat * steps as f64;
    if (t as f64) < begin {
        return peak;
    }
    let fraction = ((t as f64 - begin) / (steps as f64 - begin)).clamp(0.0, 1.0);
    peak * 0.5 * (1.0 + (std::f64::consts::PI * fraction).cos())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedule() {
        let c = OptimizerConfig::default();
        assert!((learning_rate(0, 1000, &c) - 5e-6).abs() < 1e-12);
        assert!((learning_rate(199, 1000, &c) - 1e-3).abs() < 1e-12);
        assert!((learning_rate(299, 1000, &c) - 1e-3).abs() < 1e-12);
        assert!((learning_rate(650, 1000, &c) - 5e-4).abs() < 1e-12);
        assert!(learning_rate(999, 1000, &c) < 1e-7);
    }

    #[test]
    fn finds_the_bottom_of_a_bowl() {
        let c = OptimizerConfig {
            learning_rate: 0.05,
            weight_decay: 0.0,
            warm_up: 1,
            ..OptimizerConfig::default()
        };
        let mut s = State::new(vec![3.0, -2.0]);
        for _ in 0..2000 {
            let g: Vec<f32> = s.parameters.iter().map(|p| p - 1.0).collect();
            s.update(&g, &c, 2000);
        }
        for p in s.parameters.iter().chain(&s.average) {
            assert!((p - 1.0).abs() < 1e-3, "{p}");
        }
    }

    #[test]
    fn first_step_has_the_size_of_the_learning_rate_and_clipping_holds() {
        let c = OptimizerConfig {
            warm_up: 1,
            weight_decay: 0.0,
            ..OptimizerConfig::default()
        };
        let mut s = State::new(vec![0.0, 0.0]);
        let norm = s.update(&[300.0, -400.0], &c, 10);
        assert!((norm - 500.0).abs() < 1e-9);
        assert!((s.parameters[0] + 1e-3).abs() < 1e-7 && (s.parameters[1] - 1e-3).abs() < 1e-7);
        assert!((s.moment1[0] - 0.06).abs() < 1e-6);
        let before = s.parameters.clone();
        s.update(&[f32::NAN, 0.0], &c, 10);
        assert_eq!((s.parameters, s.step), (before, 2));
    }
}
