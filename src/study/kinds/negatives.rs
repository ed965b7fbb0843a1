//! Which false successors should a discriminator learn from? Step width of those near in time, and share of random ones.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::gaussian::{Bench, Measured, plots, tables};
use crate::data::pairs::PairSettings;
use crate::diffusion::encoder::EncoderGuide;
use crate::diffusion::gaussian::GaussianWorld;
use crate::error::Result;
use crate::study::config::refuse;
use crate::study::law::best;
use crate::study::results::{Cell, Results, Table, short};
use crate::study::worlds::World;
use crate::study::{Lab, Outcome};

/// What is varied.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Study {
    /// Step widths, without random frames (the paper's law of false successors; its width is 2).
    pub sigma_steps: Vec<f64>,
    /// Shares of random frames, at the step width `sigma_step`.
    pub random_shares: Vec<f64>,
    /// See `random_shares`.
    pub sigma_step: f64,
    /// Guidance strengths.
    pub strengths: Vec<f64>,
    /// Noise levels at which gradients are compared.
    pub sigmas: Vec<f64>,
    /// Histories and draws from each for the one-step law.
    pub histories: usize,
    /// See `histories`.
    pub draws: usize,
}

impl Study {
    pub(super) fn validate(&self) -> Result<()> {
        refuse(
            self.sigma_steps
                .iter()
                .chain([&self.sigma_step])
                .all(|s| (0.1..=100.0).contains(s)),
            "study.sigma_steps lie between 0.1 and 100",
        )?;
        refuse(
            self.random_shares.iter().all(|s| (0.0..=1.0).contains(s)),
            "study.random_shares lie between 0 and 1",
        )?;
        refuse(
            self.strengths.iter().all(|s| s.is_finite() && *s >= 0.0)
                && self.sigmas.iter().all(|s| s.is_finite() && *s > 0.0),
            "study.strengths are not below 0, study.sigmas above",
        )?;
        refuse(
            (1..=512).contains(&self.histories) && (1..=64).contains(&self.draws),
            "study.histories lies between 1 and 512, study.draws between 1 and 64",
        )
    }

    fn variants(&self) -> Vec<PairSettings> {
        let pairs = |sigma_step: f64, random_share: f64| PairSettings {
            sigma_step,
            random_share,
            ..PairSettings::default()
        };
        let mut all: Vec<PairSettings> = self.sigma_steps.iter().map(|s| pairs(*s, 0.0)).collect();
        for share in &self.random_shares {
            let one = pairs(self.sigma_step, *share);
            if !all.contains(&one) {
                all.push(one);
            }
        }
        all
    }

    pub(super) fn run(&self, lab: &Lab, results: &mut Results) -> Outcome<()> {
        let world = GaussianWorld::new(lab.config.side, lab.device());
        let data = lab.data(&World::Gaussian)?;
        let about = json!({ "world": World::Gaussian, "amount": lab.config.data });
        let mut summary = Table::new(
            "summary",
            "Encoders that learned from different false successors, guiding the exact image model: the strength of the \
             smallest one-step error, and how the gradient stands to the exact one over all noise levels.",
            &[
                "step width",
                "share of random frames",
                "best lambda",
                "error there",
                "error without guidance",
                "error at lambda 1",
                "mean cosine",
                "lambda that fits, smallest",
                "largest",
            ],
        );
        let mut all: Vec<(PairSettings, Measured)> = Vec::new();
        for pairs in self.variants() {
            let name = format!("step {}, random {}", pairs.sigma_step, pairs.random_share);
            let file = format!("encoder-{}-{}", pairs.sigma_step, pairs.random_share);
            let trained = lab.encoder(&file, &data, pairs, None, &about)?;
            results.trained(&trained.facts);
            let bench = Bench {
                lab,
                world: &world,
                data: &data,
                about: json!({ "data": about, "pairs": pairs }),
                histories: self.histories,
                draws: self.draws,
            };
            let guide = EncoderGuide::new(trained.net);
            let mut m = bench.measure(&file, &guide, &self.strengths, &self.sigmas)?;
            m.name = name;
            let at = |strength: f64| {
                m.laws
                    .iter()
                    .find(|l| l.strength == strength)
                    .map(|l| l.error)
            };
            let cosine =
                m.gradients.iter().map(|g| g.cosine).sum::<f64>() / m.gradients.len() as f64;
            let fits = m.gradients.iter().map(|g| g.strength);
            let top = best(&m.laws);
            let row: Vec<Cell> = vec![
                pairs.sigma_step.into(),
                pairs.random_share.into(),
                top.map(|b| b.strength).into(),
                top.map(|b| b.error).into(),
                at(0.0).into(),
                at(1.0).into(),
                cosine.into(),
                fits.clone().fold(f64::INFINITY, f64::min).into(),
                fits.fold(f64::NEG_INFINITY, f64::max).into(),
            ];
            summary.row(row);
            all.push((pairs, m));
        }
        results.findings = words(&all);
        let measured: Vec<Measured> = all.into_iter().map(|(_, m)| m).collect();
        results.plots.extend(plots(&measured));
        results.tables.push(summary);
        results.tables.extend(tables(&measured));
        Ok(())
    }
}

fn words(all: &[(PairSettings, Measured)]) -> Vec<String> {
    let error = |m: &Measured| best(&m.laws).map_or(f64::INFINITY, |b| b.error);
    let mut out = Vec::new();
    let mut compare =
        |of: &dyn Fn(&PairSettings) -> bool, what: &str, number: &dyn Fn(&PairSettings) -> f64| {
            let mine: Vec<_> = all.iter().filter(|(p, _)| of(p)).collect();
            let Some((p, m)) = mine
                .iter()
                .min_by(|a, b| error(&a.1).total_cmp(&error(&b.1)))
            else {
                return;
            };
            let each: Vec<String> = mine
                .iter()
                .filter_map(|(p, m)| {
                    let b = best(&m.laws)?;
                    Some(format!(
                        "{} {} at lambda {}",
                        number(p),
                        short(b.error),
                        short(b.strength)
                    ))
                })
                .collect();
            let strength = best(&m.laws).map_or(f64::NAN, |b| b.strength);
            out.push(format!(
                "Of the {what}, {} has the smallest one-step error, {} at lambda {} ({}).",
                number(p),
                short(error(m)),
                short(strength),
                each.join("; ")
            ));
        };
    compare(
        &|p| p.random_share == 0.0,
        "step widths without random frames",
        &|p| p.sigma_step,
    );
    let width = all.last().map_or(0.0, |(p, _)| p.sigma_step);
    compare(
        &|p| p.sigma_step == width,
        "shares of random frames",
        &|p| p.random_share,
    );
    let none = all
        .first()
        .and_then(|(_, m)| m.laws.iter().find(|l| l.strength == 0.0));
    if let Some(none) = none {
        out.push(format!(
            "Without guidance the error is {}.",
            short(none.error)
        ));
    }
    for (p, m) in all
        .iter()
        .filter(|(p, _)| p.random_share == 1.0 || p.sigma_step == width && p.random_share == 0.0)
    {
        let fits: Vec<f64> = m.gradients.iter().map(|g| g.strength).collect();
        let cosine =
            m.gradients.iter().map(|g| g.cosine).sum::<f64>() / m.gradients.len().max(1) as f64;
        out.push(format!(
            "With a share of {} random frames (step width {}) the strength that fits the exact gradient goes from {} to {} over \
             the noise levels, the mean cosine is {}.",
            p.random_share,
            p.sigma_step,
            short(fits.iter().copied().fold(f64::INFINITY, f64::min)),
            short(fits.iter().copied().fold(f64::NEG_INFINITY, f64::max)),
            short(cosine)
        ));
    }
    out
}
