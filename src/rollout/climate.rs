//! What a model on the globe knows of rain beside its networks: climatology, caps, what truth looks like.

use std::sync::Arc;

use crate::data::{Date, Normaliser};
use crate::error::Result;
use crate::field::Globe;
use crate::model::Fields;
use crate::model::card::RainTruth;

/// A day whose global mean exceeds truth's mean by this factor has left the data; truth's own days stay below 1.2.
pub const BLOW_UP_MEAN: f64 = 2.0;
/// A day whose global mean falls below this share of truth's mean has run dry; truth's own days stay above 0.85.
pub const RUN_DRY_MEAN: f64 = 0.4;
/// A day with more than this share of its cells at their caps has left the data; truth's own days stay below 0.01.
pub const BLOW_UP_CAPPED: f64 = 0.05;

/// Tables of amounts on the model's grid, mm/day.
#[derive(Debug, Clone)]
pub struct Climate {
    /// The grid.
    pub globe: Globe,
    /// Mean of each calendar month, `[12][ny * nx]`.
    pub mean: Vec<Arc<[f32]>>,
    /// 90th percentile of each calendar month, `[12][ny * nx]`.
    pub p90: Vec<Arc<[f32]>>,
    /// Largest amount that each cell can show.
    pub cap: Vec<f32>,
    /// What rain looks like.
    pub truth: RainTruth,
}

impl Climate {
    /// Takes the tables of a model.
    ///
    /// # Errors
    /// Tables that are not there or do not fit the grid.
    pub fn new(
        globe: &Globe,
        fields: &Fields,
        normaliser: &Normaliser,
        truth: RainTruth,
    ) -> Result<Self> {
        let shape = [12, globe.ny(), globe.nx];
        let months = |name: &str| -> Result<Vec<Arc<[f32]>>> {
            let all = fields.get(name, &shape)?;
            Ok(all.chunks_exact(globe.len()).map(Arc::from).collect())
        };
        let cap = match normaliser {
            Normaliser::Amounts(a) => a
                .cap
                .iter()
                .map(|&c| a.transform.inverse(f64::from(c)) as f32)
                .collect(),
            Normaliser::Scale(_) => Vec::new(),
        };
        Ok(Self {
            globe: globe.clone(),
            mean: months("climatology")?,
            p90: months("climatology_p90")?,
            cap,
            truth,
        })
    }

    /// Mean amount of each cell in the month of a date.
    pub fn month(&self, date: Date) -> &[f32] {
        let month = usize::from(date.month.clamp(1, 12)) - 1;
        self.mean.get(month).map_or(&[], |m| m)
    }

    /// Number of cells of a generated frame that are held at their cap. A capped cell shows its cap to the last bit, so
    /// that the count can also be read off a file.
    pub fn capped(&self, frame: &[f32]) -> usize {
        frame
            .iter()
            .zip(&self.cap)
            .filter(|&(&p, &cap)| p > 0.0 && p >= cap)
            .count()
    }

    /// Why a generated frame cannot be rain any more; `None` where it can.
    pub fn blow_up(&self, frame: &[f32]) -> Option<String> {
        if frame.iter().any(|v| !v.is_finite()) {
            return Some("values are no longer finite".into());
        }
        let mean = self.globe.mean(frame);
        let expected = self.truth.global_mean;
        if expected > 0.0 && mean > BLOW_UP_MEAN * expected {
            return Some(format!(
                "its global mean is {mean:.2} mm/day, {:.1} times truth's",
                mean / expected
            ));
        }
        if expected > 0.0 && mean < RUN_DRY_MEAN * expected {
            return Some(format!(
                "its global mean is {mean:.2} mm/day, {:.2} of truth's: it has run dry",
                mean / expected
            ));
        }
        let capped = self.capped(frame) as f64 / frame.len().max(1) as f64;
        (capped > BLOW_UP_CAPPED)
            .then(|| format!("{:.0} % of its cells are at their cap", 100.0 * capped))
    }
}
