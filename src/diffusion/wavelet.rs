//! The wavelet basis of the closed form on the globe: orthonormal Daubechies wavelets of two vanishing moments (db2).
//!
//! Where variance depends on place and state, a diagonal law in Fourier space is the wrong one; a wavelet coefficient has
//! a place and a scale. The transform is the usual pyramid: each level splits the coarse part of the level before into
//! four bands of half its sides. It wraps around in both directions, also from pole to pole: that keeps it orthonormal,
//! and of the coefficients at the poles only one in a row reaches across.

use burn::tensor::{Device, Tensor, TensorData};

/// Scaling filter of db2 (Daubechies 1988): orthonormal, sum sqrt 2.
const SCALING: [f64; 4] = [
    0.482_962_913_144_690_25,
    0.836_516_303_737_469,
    0.224_143_868_041_857_35,
    -0.129_409_522_550_921_45,
];

/// Most levels of the pyramid.
const MAX_LEVELS: usize = 4;

/// Orthonormal wavelet basis of an `ny` x `nx` grid.
///
/// Coefficients lie as the pyramid is usually drawn: the coarsest part in the corner of row 0, column 0; level `l`
/// (0 the finest) fills the rest of the `ny >> l` x `nx >> l` corner with its three bands. Band 0 is the coarsest part;
/// level `l` has the bands `3 l + 1` (fine in x), `3 l + 2` (fine in y), `3 l + 3` (fine in both).
#[derive(Debug, Clone)]
pub struct WaveletBasis {
    ny: usize,
    nx: usize,
    /// For each level the matrices along y and x: `[1, 1, n, n]`.
    matrices: Vec<[Tensor<4>; 2]>,
}

/// One step along an axis of `n` points, row-major `[n, n]`: the first half of the rows smooths, the second differs.
fn step_matrix(n: usize) -> Vec<f32> {
    let detail = [SCALING[3], -SCALING[2], SCALING[1], -SCALING[0]];
    let mut a = vec![0.0; n * n];
    for i in 0..n / 2 {
        for j in 0..4 {
            let column = (2 * i + j) % n;
            a[i * n + column] += SCALING[j] as f32;
            a[(n / 2 + i) * n + column] += detail[j] as f32;
        }
    }
    a
}

/// Levels that an `ny` x `nx` grid has: while both sides are even and at least 6, at most four.
pub fn levels(ny: usize, nx: usize) -> usize {
    (0..MAX_LEVELS)
        .take_while(|l| {
            let fits = |n: usize| n.is_multiple_of(2 << l) && n >> l >= 6;
            fits(ny) && fits(nx)
        })
        .count()
}

/// Number of bands of an `ny` x `nx` grid.
pub fn band_count(ny: usize, nx: usize) -> usize {
    3 * levels(ny, nx) + 1
}

/// Band of each coefficient, row-major.
pub fn bands(ny: usize, nx: usize) -> Vec<usize> {
    let mut out = vec![0; ny * nx];
    for l in 0..levels(ny, nx) {
        let (h, w) = (ny >> l, nx >> l);
        for y in 0..h {
            for x in 0..w {
                let fine = usize::from(x >= w / 2) + 2 * usize::from(y >= h / 2);
                if fine > 0 {
                    out[y * nx + x] = 3 * l + fine;
                }
            }
        }
    }
    out
}

impl WaveletBasis {
    /// The basis on `device`. A grid with odd sides has no level: the basis is then the cells themselves.
    pub fn new(ny: usize, nx: usize, device: &Device) -> Self {
        let matrix =
            |n: usize| Tensor::from_data(TensorData::new(step_matrix(n), [1, 1, n, n]), device);
        let matrices = (0..levels(ny, nx))
            .map(|l| [matrix(ny >> l), matrix(nx >> l)])
            .collect();
        Self { ny, nx, matrices }
    }

    /// Number of bands.
    pub fn band_count(&self) -> usize {
        3 * self.matrices.len() + 1
    }

    /// Cells `[rows, channels, ny, nx]` to coefficients of the same shape.
    pub fn transform(&self, x: Tensor<4>) -> Tensor<4> {
        self.down(x, 0)
    }

    fn down(&self, x: Tensor<4>, level: usize) -> Tensor<4> {
        let Some([a, b]) = self.matrices.get(level) else {
            return x;
        };
        let y = a.clone().matmul(x).matmul(b.clone().transpose());
        let [_, _, h, w] = y.dims();
        let quarter = |i: usize, j: usize| {
            y.clone()
                .narrow(2, i * h / 2, h / 2)
                .narrow(3, j * w / 2, w / 2)
        };
        let coarse = self.down(quarter(0, 0), level + 1);
        together([coarse, quarter(0, 1), quarter(1, 0), quarter(1, 1)])
    }

    /// Coefficients to cells: the inverse (and the transpose) of [`Self::transform`].
    pub fn inverse(&self, x: Tensor<4>) -> Tensor<4> {
        self.up(x, 0)
    }

    fn up(&self, x: Tensor<4>, level: usize) -> Tensor<4> {
        let Some([a, b]) = self.matrices.get(level) else {
            return x;
        };
        let [_, _, h, w] = x.dims();
        let quarter = |i: usize, j: usize| {
            x.clone()
                .narrow(2, i * h / 2, h / 2)
                .narrow(3, j * w / 2, w / 2)
        };
        let coarse = self.up(quarter(0, 0), level + 1);
        let y = together([coarse, quarter(0, 1), quarter(1, 0), quarter(1, 1)]);
        a.clone().transpose().matmul(y).matmul(b.clone())
    }

    /// One value for each coefficient from one map of cells for each band: `[rows, bands, ny, nx]` to
    /// `[rows, 1, ny, nx]`. Each map is averaged to its band's resolution.
    pub fn from_band_maps(&self, maps: Tensor<4>) -> Tensor<4> {
        self.gather(maps, 0)
    }

    fn gather(&self, maps: Tensor<4>, level: usize) -> Tensor<4> {
        if level == self.matrices.len() {
            return maps.narrow(1, 0, 1);
        }
        let [rows, bands, h, w] = maps.dims();
        let half = maps
            .reshape([rows, bands, h / 2, 2, w / 2, 2])
            .mean_dim(5)
            .mean_dim(3)
            .reshape([rows, bands, h / 2, w / 2]);
        let band = |i: usize| half.clone().narrow(1, 3 * level + i, 1);
        let fine = [band(1), band(2), band(3)];
        let [right, below, both] = fine;
        let coarse = self.gather(half, level + 1);
        together([coarse, right, below, both])
    }

    /// One value for each band as one for each coefficient, `[1, 1, ny, nx]`.
    pub fn spread(&self, by_band: &[f32], device: &Device) -> Tensor<4> {
        let values: Vec<f32> = bands(self.ny, self.nx)
            .into_iter()
            .map(|b| by_band.get(b).copied().unwrap_or(0.0))
            .collect();
        Tensor::from_data(TensorData::new(values, [1, 1, self.ny, self.nx]), device)
    }
}

/// Four quarters to one whole: (top left, top right, bottom left, bottom right).
fn together([a, b, c, d]: [Tensor<4>; 4]) -> Tensor<4> {
    let top = Tensor::cat(vec![a, b], 3);
    let bottom = Tensor::cat(vec![c, d], 3);
    Tensor::cat(vec![top, bottom], 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diffusion::to_vec;
    use crate::random::{NoiseKey, Stream};

    fn noise(frame: u32, shape: [usize; 4]) -> Tensor<4> {
        let key = NoiseKey {
            seed: 4,
            stream: Stream::Test,
            member: 0,
            frame,
            step: 0,
        };
        let values = key.normal_f32(shape.iter().product());
        Tensor::from_data(TensorData::new(values, shape), &Device::flex())
    }

    #[test]
    fn orthonormal_there_and_back() {
        for (ny, nx, expected) in [(48, 96, 4), (180, 360, 2), (32, 32, 3), (15, 30, 0)] {
            assert_eq!(levels(ny, nx), expected, "{ny} x {nx}");
            let basis = WaveletBasis::new(ny, nx, &Device::flex());
            let (x, y) = (noise(0, [2, 1, ny, nx]), noise(1, [2, 1, ny, nx]));
            let (fx, fy) = (basis.transform(x.clone()), basis.transform(y.clone()));
            let back = basis.inverse(fx.clone());
            let worst = to_vec((back - x.clone()).abs().max());
            assert!(worst[0] < 1e-5, "{ny} x {nx}: {worst:?}");
            let product = |a: Tensor<4>, b: Tensor<4>| f64::from(to_vec((a * b).sum())[0]);
            let (before, after) = (product(x, y), product(fx, fy));
            assert!((before - after).abs() < 2e-2, "{before} {after}");
        }
    }

    #[test]
    fn a_constant_lives_in_the_coarsest_band() {
        let basis = WaveletBasis::new(48, 96, &Device::flex());
        let x = Tensor::<4>::ones([1, 1, 48, 96], &Device::flex());
        let coefficients = to_vec(basis.transform(x));
        for (value, band) in coefficients.iter().zip(bands(48, 96)) {
            let expected = if band == 0 { 16.0 } else { 0.0 };
            assert!((value - expected).abs() < 1e-4, "band {band}: {value}");
        }
    }

    #[test]
    fn band_maps_land_in_their_bands() {
        let (ny, nx) = (48, 96);
        let basis = WaveletBasis::new(ny, nx, &Device::flex());
        let count = basis.band_count();
        let values: Vec<f32> = (0..count)
            .flat_map(|b| std::iter::repeat_n(b as f32, ny * nx))
            .collect();
        let maps = Tensor::from_data(TensorData::new(values, [1, count, ny, nx]), &Device::flex());
        let found = to_vec(basis.from_band_maps(maps));
        let by_band: Vec<f32> = (0..count).map(|b| b as f32).collect();
        assert_eq!(found, to_vec(basis.spread(&by_band, &Device::flex())));
        let expected: Vec<f32> = bands(ny, nx).into_iter().map(|b| b as f32).collect();
        assert_eq!(found, expected);
    }
}
