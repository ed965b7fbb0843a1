//! A first look at some of the values.

use super::RainFiles;
use super::index::Slot;
use crate::error::Result;
use crate::field::Globe;

/// What the look found.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Probed {
    /// Cells that are missing in all times looked at; `None` where there is none.
    pub missing: Option<Vec<bool>>,
    /// mm/day.
    pub first_mean: f64,
    /// Slightly negative values, and the lowest, mm/day.
    pub negatives: (u64, f64),
    pub times: usize,
}

/// Looks at the first, the middle and the last day, and at the last time of each file (which a truncated one lacks).
pub(super) fn look(files: &RainFiles) -> Result<Probed> {
    let index = &files.index;
    let n = index.slots.len();
    let mut slots = vec![index.slots[0], index.slots[n / 2], index.slots[n - 1]];
    slots.extend(last_of_each_file(files));
    slots.dedup();
    let mut probed = Probed {
        first_mean: f64::NAN,
        ..Probed::default()
    };
    let mut missing: Option<Vec<bool>> = None;
    for (k, slot) in slots.iter().enumerate() {
        let values = files.raw(*slot, 1)?;
        let factor = files.factors[slot.file as usize];
        if k == 0 {
            probed.first_mean = mean(&files.globe, &values) * factor;
        }
        for v in values.iter().map(|v| v * factor).filter(|v| *v < 0.0) {
            probed.negatives.0 += 1;
            probed.negatives.1 = probed.negatives.1.min(v);
        }
        probed.times += 1;
        let absent: Vec<bool> = values.iter().map(|v| v.is_nan()).collect();
        // A time that is missing whole says nothing of single cells.
        if absent.iter().all(|a| *a) {
            continue;
        }
        missing = Some(match missing {
            None => absent,
            Some(m) => m.iter().zip(absent).map(|(m, a)| *m && a).collect(),
        });
    }
    probed.missing = missing.filter(|m| m.contains(&true));
    Ok(probed)
}

fn last_of_each_file(files: &RainFiles) -> Vec<Slot> {
    let mut last: Vec<Option<Slot>> = vec![None; files.readings.len()];
    for slot in &files.index.slots {
        if let Some(entry) = last.get_mut(slot.file as usize)
            && entry.is_none_or(|e| e.at < slot.at)
        {
            *entry = Some(*slot);
        }
    }
    last.into_iter().flatten().collect()
}

/// Area-weighted mean of the cells that are there.
pub(super) fn mean(globe: &Globe, values: &[f64]) -> f64 {
    let (mut sum, mut weights) = (0.0, 0.0);
    for (row, w) in values.chunks_exact(globe.nx).zip(globe.row_weights()) {
        for v in row.iter().filter(|v| !v.is_nan()) {
            sum += w * v;
            weights += w;
        }
    }
    sum / weights
}
