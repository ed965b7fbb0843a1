//! The inputs of `tests/reference/families.py`, made here again, and its values.

use serde_json::Value;

pub const NY: usize = 6;
pub const NX: usize = 8;

/// `cos lat` of each row.
pub fn cos() -> Vec<f64> {
    (0..NY)
        .map(|j| {
            let lat: f64 = -90.0 + (j as f64 + 0.5) * 180.0 / NY as f64;
            lat.to_radians().cos()
        })
        .collect()
}

/// A linear congruential generator: 24-bit numbers in [0, 1).
pub struct Numbers(u32);

impl Numbers {
    pub fn new(seed: u32) -> Self {
        Self(seed)
    }

    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f64::from(self.0 >> 8) / 16_777_216.0
    }

    pub fn uniform(&mut self, n: usize) -> Vec<f64> {
        (0..n).map(|_| self.unit()).collect()
    }

    pub fn bell(&mut self, n: usize) -> Vec<f64> {
        let u = self.uniform(4 * n);
        u.chunks_exact(4)
            .map(|u| u[0] + u[1] + u[2] + u[3] - 2.0)
            .collect()
    }

    pub fn series(&mut self, frames: usize, cells: usize, memory: f64) -> Vec<Vec<f32>> {
        let mut z = vec![0.0; cells];
        (0..frames)
            .map(|_| {
                for (z, e) in z.iter_mut().zip(self.bell(cells)) {
                    *z = memory * *z + e;
                }
                z.iter().map(|&v| v as f32).collect()
            })
            .collect()
    }

    pub fn rain(&mut self, frames: usize, cells: usize) -> Vec<Vec<f32>> {
        let mut rain = self.series(frames, cells, 0.5);
        for v in rain.iter_mut().flatten() {
            let z = f64::from(*v) - 0.3;
            *v = if z > 0.0 { (10.0 * z * z) as f32 } else { 0.0 };
        }
        rain
    }
}

/// The pair of series of the pointwise figures.
pub fn truth_and_model() -> (Vec<Vec<f32>>, Vec<Vec<f32>>) {
    let mut truth = Numbers::new(1).series(60, NY * NX, 0.8);
    let mut model = Numbers::new(2).series(60, NY * NX, 0.6);
    for (y, x) in truth.iter_mut().zip(&mut model) {
        for v in x.iter_mut() {
            *v = (f64::from(*v) * 1.25 + 0.125) as f32;
        }
        y[5] = 7.5;
        x[5] = 7.25;
    }
    (truth, model)
}

/// The two series of the EOFs: 90 frames about a mean of 100, and 20 frames.
pub fn long_and_short() -> (Vec<Vec<f32>>, Vec<Vec<f32>>) {
    let scaled = |seed: u32, frames: usize, mean: f64| {
        let mut series = Numbers::new(seed).series(frames, NY * NX, 0.9);
        for frame in &mut series {
            for (cell, v) in frame.iter_mut().enumerate() {
                let factor = 1.0 + 0.5 * (cell % 7) as f64;
                *v = (f64::from(*v) * factor + mean) as f32;
            }
        }
        series
    };
    (scaled(90, 90, 100.0), scaled(91, 20, 0.0))
}

pub fn views(frames: &[Vec<f32>]) -> Vec<&[f32]> {
    frames.iter().map(|f| &f[..]).collect()
}

/// One family of the reference values.
pub struct Family {
    name: &'static str,
    values: Value,
}

impl Family {
    pub fn load(name: &'static str) -> Self {
        let text = include_str!("../reference/families.json");
        let all: Value = serde_json::from_str(text).unwrap();
        Self {
            name,
            values: all[name].clone(),
        }
    }

    /// The numbers under a path of keys and indices, arrays flattened; null is NaN.
    pub fn numbers(&self, path: &str) -> Vec<f64> {
        let mut value = &self.values;
        for key in path.split('.') {
            value = &value[key];
        }
        let mut out = Vec::new();
        flatten(value, &mut out);
        assert!(!out.is_empty(), "{} has no {path}", self.name);
        out
    }

    pub fn check(&self, path: &str, got: Option<f64>) {
        self.check_all(path, &[got.unwrap()]);
    }

    /// 1e-6 relative to the largest of the values.
    pub fn check_all(&self, path: &str, got: &[f64]) {
        self.check_within(path, got, 1e-6);
    }

    pub fn check_within(&self, path: &str, got: &[f64], tolerance: f64) {
        let expected = self.numbers(path);
        let name = self.name;
        assert_eq!(got.len(), expected.len(), "{name} {path}");
        let size = expected.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
        for (g, e) in got.iter().zip(&expected) {
            assert!(
                (g - e).abs() <= tolerance * size,
                "{name} {path}: {g} instead of {e}"
            );
        }
    }
}

fn flatten(value: &Value, out: &mut Vec<f64>) {
    match value {
        Value::Array(values) => values.iter().for_each(|v| flatten(v, out)),
        other => out.push(other.as_f64().unwrap_or(f64::NAN)),
    }
}
