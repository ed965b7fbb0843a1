//! Figures of ensembles: B members against one truth.

use super::weights::Weights;

/// Continuous ranked probability score, mean over cells.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Crps {
    /// `mean_b |x_b - y| - 1/(2 B^2) sum_b sum_b' |x_b - x_b'|`.
    pub biased: f64,
    /// The same with `1/(2 B (B - 1))`: unbiased for a finite ensemble. `None` for one member.
    pub fair: Option<f64>,
}

/// CRPS in `O(B log B)` a cell. `None` without members or cells, where sizes differ, or where a value is not finite.
pub fn crps(members: &[&[f32]], truth: &[f32]) -> Option<Crps> {
    weighted_crps(members, truth, Weights::EVEN)
}

/// [`crps`] with weights; `None` also where they do not fit the cells.
pub fn weighted_crps(members: &[&[f32]], truth: &[f32], weights: Weights) -> Option<Crps> {
    let b = members.len() as f64;
    let (mut error, mut spread, mut cells) = (0.0, 0.0, 0.0);
    for_each_cell(members, truth, weights, |x, y, weight| {
        x.sort_by(f64::total_cmp);
        error += weight * x.iter().map(|v| (v - y).abs()).sum::<f64>() / b;
        // sum_b sum_b' |x_b - x_b'| = 2 sum_i (2 i + 1 - B) x_(i), i from 0, sorted.
        spread += weight
            * x.iter()
                .enumerate()
                .map(|(i, v)| 2.0 * (2.0 * i as f64 + 1.0 - b) * v)
                .sum::<f64>();
        cells += weight;
    })?;
    Some(Crps {
        biased: (error - spread / (2.0 * b * b)) / cells,
        fair: (members.len() > 1).then(|| (error - spread / (2.0 * b * (b - 1.0))) / cells),
    })
}

/// Spread and skill over start dates: both are averaged before the root.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct SpreadSkill {
    spread2: f64,
    skill2: f64,
    cells: f64,
    members: usize,
}

impl SpreadSkill {
    /// Adds one start date. Ignored, and `false`, where [`crps`] would be undefined, with fewer than two members, or with
    /// another number of members than before.
    pub fn push(&mut self, members: &[&[f32]], truth: &[f32]) -> bool {
        self.push_weighted(members, truth, Weights::EVEN)
    }

    /// [`SpreadSkill::push`] with weights; ignored also where they do not fit the cells.
    pub fn push_weighted(&mut self, members: &[&[f32]], truth: &[f32], weights: Weights) -> bool {
        let b = members.len();
        if b < 2 || (self.members != 0 && self.members != b) {
            return false;
        }
        let (mut spread2, mut skill2, mut cells) = (0.0, 0.0, 0.0);
        let done = for_each_cell(members, truth, weights, |x, y, weight| {
            let mean = x.iter().sum::<f64>() / b as f64;
            spread2 +=
                weight * x.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (b as f64 - 1.0);
            skill2 += weight * (y - mean).powi(2);
            cells += weight;
        });
        if done.is_none() {
            return false;
        }
        self.spread2 += spread2;
        self.skill2 += skill2;
        self.cells += cells;
        self.members = b;
        true
    }

    /// Adds the start dates of another. `false`, and nothing done, where the numbers of members differ.
    pub fn merge(&mut self, other: &Self) -> bool {
        if other.members == 0 {
            return true;
        }
        if self.members != 0 && self.members != other.members {
            return false;
        }
        self.spread2 += other.spread2;
        self.skill2 += other.skill2;
        self.cells += other.cells;
        self.members = other.members;
        true
    }

    /// Root of the mean variance among members; `None` before the first start date.
    pub fn spread(&self) -> Option<f64> {
        (self.cells > 0.0).then(|| (self.spread2 / self.cells).sqrt())
    }

    /// Rms error of the ensemble mean; `None` before the first start date.
    pub fn skill(&self) -> Option<f64> {
        (self.cells > 0.0).then(|| (self.skill2 / self.cells).sqrt())
    }

    /// Spread-skill ratio `sqrt((B + 1) / B) spread / skill`, 1 for a reliable ensemble; `None` where the skill is 0.
    pub fn ratio(&self) -> Option<f64> {
        let (spread, skill) = (self.spread()?, self.skill()?);
        let b = self.members as f64;
        (skill > 0.0).then(|| ((b + 1.0) / b).sqrt() * spread / skill)
    }
}

/// How often truth has 0, 1, …, B members below it. A truth that equals t members counts `1 / (t + 1)` in each of the
/// ranks it could have, so that a field of ties (no rain anywhere) is flat. `None` as in [`crps`].
pub fn rank_histogram(members: &[&[f32]], truth: &[f32]) -> Option<Vec<f64>> {
    let mut counts = vec![0.0; members.len() + 1];
    for_each_cell(members, truth, Weights::EVEN, |x, y, _| {
        let below = x.iter().filter(|&&v| v < y).count();
        let ties = x.iter().filter(|&&v| v == y).count();
        for count in &mut counts[below..=below + ties] {
            *count += 1.0 / (ties as f64 + 1.0);
        }
    })?;
    Some(counts)
}

/// Calls `visit(members' values, truth, weight)` for every cell.
fn for_each_cell(
    members: &[&[f32]],
    truth: &[f32],
    weights: Weights,
    mut visit: impl FnMut(&mut [f64], f64, f64),
) -> Option<()> {
    let unfit = |m: &&[f32]| m.len() != truth.len() || m.iter().any(|v| !v.is_finite());
    if members.is_empty()
        || truth.is_empty()
        || !weights.fit(truth.len())
        || truth.iter().any(|v| !v.is_finite())
        || members.iter().any(unfit)
    {
        return None;
    }
    let mut values = vec![0.0; members.len()];
    for (cell, &y) in truth.iter().enumerate() {
        for (value, member) in values.iter_mut().zip(members) {
            *value = f64::from(member[cell]);
        }
        visit(&mut values, f64::from(y), weights.of(cell));
    }
    Some(())
}
