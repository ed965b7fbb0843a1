//! Figures of one day.

use std::fmt;
use std::sync::Arc;

use realfft::{RealFftPlanner, RealToComplex};

use crate::field::Globe;

/// Amount from which a day counts as wet, mm/day.
pub const WET: f32 = 0.1;

/// The percentiles that are looked at.
pub const PERCENTILES: [f64; 5] = [75.0, 90.0, 95.0, 99.0, 99.9];

/// Northern edge of the tropics, and of the band of the Hovmoeller diagram, degrees.
const TROPICS: f64 = 20.0;
const HOVMOELLER: f64 = 10.0;

/// Figures of one day, mean over its members.
#[derive(Debug, Clone, PartialEq)]
pub struct RainDay {
    /// Global mean, mm/day.
    pub global_mean: f64,
    /// Share of the area with at least [`WET`].
    pub wet_fraction: f64,
    /// Share of the cells with at least [`WET`], each cell counting 1.
    pub wet_cells: f64,
    /// [`PERCENTILES`] over cells, mm/day.
    pub percentiles: [f64; 5],
    /// Zonal mean of member 0, mm/day, south to north.
    pub zonal_mean: Vec<f32>,
}

/// A grid with what the figures need of it.
#[derive(Clone)]
pub struct RainGrid {
    globe: Globe,
    rows: Vec<f64>,
    fft: Arc<dyn RealToComplex<f64>>,
}

impl fmt::Debug for RainGrid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RainGrid")
            .field("globe", &self.globe)
            .finish_non_exhaustive()
    }
}

impl RainGrid {
    /// For the frames of a grid.
    pub fn new(globe: &Globe) -> Self {
        Self {
            rows: globe.row_weights(),
            fft: RealFftPlanner::new().plan_fft_forward(globe.nx),
            globe: globe.clone(),
        }
    }

    /// The grid.
    pub fn globe(&self) -> &Globe {
        &self.globe
    }

    /// Weight of each row, mean 1.
    pub fn row_weights(&self) -> &[f64] {
        &self.rows
    }

    /// Weight of each row in means over 20S-20N: 0 outside. A row is in by its latitude.
    pub fn tropical_weights(&self) -> Vec<f64> {
        self.band(TROPICS)
    }

    fn band(&self, edge: f64) -> Vec<f64> {
        let inside = |lat: &f64| lat.abs() <= edge;
        self.globe
            .lat
            .iter()
            .zip(&self.rows)
            .map(|(lat, w)| if inside(lat) { *w } else { 0.0 })
            .collect()
    }

    /// Whether a frame has a finite value for each cell.
    pub fn fits(&self, frame: &[f32]) -> bool {
        frame.len() == self.globe.len() && frame.iter().all(|v| v.is_finite())
    }

    /// Area-weighted mean of values by cell; NaN where their number does not fit.
    pub fn mean(&self, values: &[f32]) -> f64 {
        if values.len() == self.globe.len() {
            self.globe.mean(values)
        } else {
            f64::NAN
        }
    }

    /// Figures of one day. `None` without members, or where a frame does not fit the grid or holds a value that is not
    /// finite.
    pub fn day(&self, members: &[&[f32]]) -> Option<RainDay> {
        if members.is_empty() || members.iter().any(|m| !self.fits(m)) {
            return None;
        }
        let mut sum = RainDay {
            global_mean: 0.0,
            wet_fraction: 0.0,
            wet_cells: 0.0,
            percentiles: [0.0; 5],
            zonal_mean: self
                .zonal_mean(members[0])
                .iter()
                .map(|&v| v as f32)
                .collect(),
        };
        for member in members {
            sum.global_mean += self.mean(member);
            let (area, cells) = self.wet(member);
            sum.wet_fraction += area;
            sum.wet_cells += cells;
            for (s, p) in sum.percentiles.iter_mut().zip(percentiles(member)) {
                *s += p;
            }
        }
        let n = members.len() as f64;
        for v in [
            &mut sum.global_mean,
            &mut sum.wet_fraction,
            &mut sum.wet_cells,
        ]
        .into_iter()
        .chain(&mut sum.percentiles)
        {
            *v /= n;
        }
        Some(sum)
    }

    /// Share of the area, and of the cells, that is wet. NaN for an empty frame.
    pub fn wet(&self, frame: &[f32]) -> (f64, f64) {
        let (mut area, mut cells) = (0.0, 0.0);
        for (row, weight) in frame.chunks_exact(self.globe.nx).zip(&self.rows) {
            let wet = row.iter().filter(|v| **v >= WET).count() as f64;
            area += weight * wet;
            cells += wet;
        }
        let n = frame.len() as f64;
        (area / n, cells / n)
    }

    /// Mean over each row, south to north.
    pub fn zonal_mean(&self, frame: &[f32]) -> Vec<f64> {
        let mean = |row: &[f32]| row.iter().map(|&v| f64::from(v)).sum::<f64>() / row.len() as f64;
        frame.chunks_exact(self.globe.nx).map(mean).collect()
    }

    /// Power of each zonal wavenumber `0..=nx/2`: `|c_k|^2` with `c_k = 1/nx sum_i x_i e^{-2 pi i k / nx}`, area-weighted
    /// mean over rows, (mm/day)^2. `None` where the frame does not fit or holds a value that is not finite.
    pub fn zonal_power(&self, frame: &[f32]) -> Option<Vec<f64>> {
        if !self.fits(frame) {
            return None;
        }
        let nx = self.globe.nx;
        let mut input = self.fft.make_input_vec();
        let mut output = self.fft.make_output_vec();
        let mut scratch = self.fft.make_scratch_vec();
        let mut power = vec![0.0; output.len()];
        let factor = 1.0 / (self.rows.len() as f64 * (nx as f64).powi(2));
        for (row, weight) in frame.chunks_exact(nx).zip(&self.rows) {
            for (i, &v) in input.iter_mut().zip(row) {
                *i = f64::from(v);
            }
            self.fft
                .process_with_scratch(&mut input, &mut output, &mut scratch)
                .ok()?;
            for (p, c) in power.iter_mut().zip(&output) {
                *p += weight * factor * c.norm_sqr();
            }
        }
        Some(power)
    }

    /// Hovmoeller row: area-weighted mean over 10S-10N (rows by their latitude), one value per column; the row nearest to
    /// the equator where no row lies within. Empty where the frame does not fit.
    pub fn hovmoeller(&self, frame: &[f32]) -> Vec<f32> {
        if frame.len() != self.globe.len() {
            return Vec::new();
        }
        let mut weights = self.band(HOVMOELLER);
        if weights.iter().all(|w| *w == 0.0) {
            let lat = &self.globe.lat;
            let nearest = (0..lat.len()).min_by(|&a, &b| lat[a].abs().total_cmp(&lat[b].abs()));
            if let Some(w) = nearest.and_then(|row| weights.get_mut(row)) {
                *w = 1.0;
            }
        }
        let total: f64 = weights.iter().sum();
        let mut sum = vec![0.0; self.globe.nx];
        for (row, weight) in frame.chunks_exact(self.globe.nx).zip(&weights) {
            if *weight > 0.0 {
                for (s, &v) in sum.iter_mut().zip(row) {
                    *s += weight * f64::from(v);
                }
            }
        }
        sum.iter().map(|s| (s / total) as f32).collect()
    }
}

/// [`PERCENTILES`] of values, linear between order statistics as numpy's; NaN without values.
pub fn percentiles(values: &[f32]) -> [f64; 5] {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f32::total_cmp);
    PERCENTILES.map(|p| {
        let Some(last) = sorted.len().checked_sub(1) else {
            return f64::NAN;
        };
        let rank = p / 100.0 * last as f64;
        let (low, share) = (rank.floor() as usize, rank.fract());
        let at = |i: usize| f64::from(sorted[i.min(last)]);
        at(low) + share * (at(low + 1) - at(low))
    })
}

/// `mean |log10(model / truth)|` of two zonal spectra over wavenumbers 1..=40 (or up to five sixths of the largest, where
/// there are fewer than 48: beyond it a grid's own noise counts). `None` where one has no power there.
pub fn zonal_spectrum_error(model: &[f64], truth: &[f64]) -> Option<f64> {
    let largest = model.len().min(truth.len()).checked_sub(1)?;
    let upto = (largest * 5 / 6).min(40);
    let logs = (1..=upto).map(|k| (model[k] / truth[k]).log10().abs());
    let mean = logs.sum::<f64>() / upto as f64;
    mean.is_finite().then_some(mean)
}
