//! The year's cycle of rain by region.

use std::f64::consts::TAU;

use crate::field::Globe;

/// A region between parallels and meridians.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Region {
    /// Name for people.
    pub name: &'static str,
    /// Southern and northern edge, degrees north.
    pub lat: [f64; 2],
    /// Western and eastern edge, degrees east; the region goes eastwards from the first to the second.
    pub lon: [f64; 2],
}

/// Monsoon regions. With the 48 x 96 grid they hold 0.01 (December to February) and 5.1 (June to August), 4.8 and 0.5,
/// 1.7 and 5.7 mm/day of the SPEEDY data.
pub const REGIONS: [Region; 3] = [
    Region {
        name: "Sahel (10-15N, 12W-28E)",
        lat: [10.0, 15.0],
        lon: [-12.0, 28.0],
    },
    Region {
        name: "N Australia (8-18S, 120-150E)",
        lat: [-18.0, -8.0],
        lon: [120.0, 150.0],
    },
    Region {
        name: "E Asia (25-40N, 105-125E)",
        lat: [25.0, 40.0],
        lon: [105.0, 125.0],
    },
];

impl Region {
    /// Cells whose middle lies within, with their share of the region's area (sum 1). Empty where a grid is too coarse.
    pub fn cells(&self, globe: &Globe) -> Vec<(usize, f64)> {
        let width = (self.lon[1] - self.lon[0]).rem_euclid(360.0);
        let rows = globe.row_weights();
        let mut cells = Vec::new();
        for (j, (lat, weight)) in globe.lat.iter().zip(&rows).enumerate() {
            if !(self.lat[0]..=self.lat[1]).contains(lat) {
                continue;
            }
            for i in 0..globe.nx {
                if (globe.lon(i) - self.lon[0]).rem_euclid(360.0) <= width {
                    cells.push((j * globe.nx + i, *weight));
                }
            }
        }
        let total: f64 = cells.iter().map(|c| c.1).sum();
        for cell in &mut cells {
            cell.1 /= total;
        }
        cells
    }
}

/// Mean of a frame over cells of [`Region::cells`]; NaN without cells, or where the frame has too few.
pub fn region_mean(cells: &[(usize, f64)], frame: &[f32]) -> f64 {
    if cells.is_empty() {
        return f64::NAN;
    }
    cells
        .iter()
        .map(|&(cell, share)| share * frame.get(cell).map_or(f64::NAN, |&v| f64::from(v)))
        .sum()
}

/// The first harmonic of twelve monthly means: `mean + amplitude cos(2 pi (t - peak) / 12)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AnnualCycle {
    /// Mean of the months, mm/day.
    pub mean: f64,
    /// Half of the difference between the highest and the lowest value of the harmonic, mm/day.
    pub amplitude: f64,
    /// When it is highest: months after the middle of January, in `[0, 12)`.
    pub peak: f64,
}

/// The annual harmonic of monthly means, January first. `None` where a month is not finite or none differs.
pub fn annual_cycle(months: &[f64; 12]) -> Option<AnnualCycle> {
    if months.iter().any(|m| !m.is_finite()) {
        return None;
    }
    let (mut sin, mut cos) = (0.0, 0.0);
    for (k, m) in months.iter().enumerate() {
        let angle = TAU * k as f64 / 12.0;
        sin += m * angle.sin() / 6.0;
        cos += m * angle.cos() / 6.0;
    }
    let mean = months.iter().sum::<f64>() / 12.0;
    let amplitude = sin.hypot(cos);
    (amplitude > 1e-12 * mean.abs()).then(|| AnnualCycle {
        mean,
        amplitude,
        peak: (12.0 * sin.atan2(cos) / TAU).rem_euclid(12.0),
    })
}

impl AnnualCycle {
    /// Months that this cycle peaks later than another, in `[-6, 6)`.
    pub fn later_than(&self, other: &Self) -> f64 {
        (self.peak - other.peak + 6.0).rem_euclid(12.0) - 6.0
    }

    /// Month of the peak, 0 for January.
    pub fn month(&self) -> usize {
        (self.peak + 0.5) as usize % 12
    }
}
