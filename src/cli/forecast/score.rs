//! Scores of the ensembles of one start, and their means over starts.

use serde::{Deserialize, Serialize};

use crate::metrics::{SpreadSkill, Weights, weighted_crps};

/// Where an ensemble comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// The image model guided by the discriminator.
    Guided,
    /// The forecast of the two-tower discriminator plus noise, without the image model.
    Forecaster,
    /// The image model alone.
    Unconditional,
    /// Days of other years at the same time of the year.
    Climatology,
    /// The start day, unchanged.
    Persistence,
}

impl Method {
    /// All, in the order of the table.
    pub const ALL: [Self; 5] = [
        Self::Guided,
        Self::Forecaster,
        Self::Unconditional,
        Self::Climatology,
        Self::Persistence,
    ];

    /// Name in the table.
    pub fn label(self) -> &'static str {
        match self {
            Self::Guided => "guided",
            Self::Forecaster => "forecaster",
            Self::Unconditional => "unconditional",
            Self::Climatology => "climatology",
            Self::Persistence => "persistence",
        }
    }
}

/// Score of one ensemble on one day, area-weighted means.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// Lead, days from 1.
    pub lead: usize,
    /// Where the ensemble comes from.
    pub method: Method,
    /// Members.
    pub members: usize,
    /// Fair CRPS, mm/day; of a single member its mean absolute error.
    pub crps: f64,
    /// Mean variance among members, (mm/day)^2; none of a single member.
    pub spread2: Option<f64>,
    /// Mean square error of the ensemble mean, (mm/day)^2; with a single member its own.
    pub skill2: f64,
}

impl Score {
    /// Scores an ensemble. `None` where a member does not fit truth, or a value is not finite.
    pub fn of(
        lead: usize,
        method: Method,
        members: &[&[f32]],
        truth: &[f32],
        weights: Weights,
    ) -> Option<Self> {
        let crps = weighted_crps(members, truth, weights)?;
        let mut both = SpreadSkill::default();
        let (spread2, skill2) = match members {
            [one] => (
                None,
                crate::metrics::weighted_rmse(&[truth], &[*one], weights)?.powi(2),
            ),
            _ => {
                both.push_weighted(members, truth, weights).then_some(())?;
                (Some(both.spread()?.powi(2)), both.skill()?.powi(2))
            }
        };
        Some(Self {
            lead,
            method,
            members: members.len(),
            crps: crps.fair.unwrap_or(crps.biased),
            spread2,
            skill2,
        })
    }
}

/// All scores of one start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Start {
    /// Number of the start, from 0.
    pub start: usize,
    /// Its date.
    pub date: String,
    /// The scores.
    pub scores: Vec<Score>,
    /// Why the forecast ended before the last lead, where it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blow_up: Option<String>,
}

/// Means over starts of one method at one lead.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mean {
    /// Starts that entered.
    pub starts: usize,
    /// Mean CRPS, mm/day.
    pub crps: f64,
    /// Root of the mean variance among members, mm/day; NaN of single members.
    pub spread: f64,
    /// Root mean square error of the ensemble mean, mm/day.
    pub rmse: f64,
    /// Spread-skill ratio `sqrt((B + 1) / B) spread / rmse`, both averaged over starts before the root.
    pub ratio: f64,
}

/// The scores of a method at a lead, with the number of their start.
fn scores(starts: &[Start], method: Method, lead: usize) -> Vec<(usize, Score)> {
    starts
        .iter()
        .flat_map(|s| s.scores.iter().map(|score| (s.start, *score)))
        .filter(|(_, s)| s.method == method && s.lead == lead)
        .collect()
}

/// Means over starts; `None` where there is no score.
pub fn mean(starts: &[Start], method: Method, lead: usize) -> Option<Mean> {
    let all = scores(starts, method, lead);
    let members = all.first()?.1.members as f64;
    let n = all.len() as f64;
    let over = |of: &dyn Fn(&Score) -> f64| all.iter().map(|(_, s)| of(s)).sum::<f64>() / n;
    let spread = over(&|s| s.spread2.unwrap_or(f64::NAN)).sqrt();
    let rmse = over(&|s| s.skill2).sqrt();
    Some(Mean {
        starts: all.len(),
        crps: over(&|s| s.crps),
        spread,
        rmse,
        ratio: ((members + 1.0) / members).sqrt() * spread / rmse,
    })
}

/// Mean over common starts of the CRPS of `a` minus that of `b`, with the standard error of that mean. `None` without a
/// common start.
pub fn advantage(starts: &[Start], a: Method, b: Method, lead: usize) -> Option<(f64, f64)> {
    let of_b = scores(starts, b, lead);
    let differences: Vec<f64> = scores(starts, a, lead)
        .iter()
        .filter_map(|(start, s)| {
            let other = of_b.iter().find(|(k, _)| k == start)?;
            Some(s.crps - other.1.crps)
        })
        .collect();
    if differences.is_empty() {
        return None;
    }
    let n = differences.len() as f64;
    let scatter = crate::metrics::rain::spread(&differences).unwrap_or(f64::NAN);
    Some((differences.iter().sum::<f64>() / n, scatter / n.sqrt()))
}
