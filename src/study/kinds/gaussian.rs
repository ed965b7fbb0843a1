//! The Gaussian world: everything is known in closed form, so that only the discriminator is learned, and its error is
//! its own. Is lambda = 1 right for the exact one, and what does a learned one need?

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::data::Dataset;
use crate::data::pairs::PairSettings;
use crate::diffusion::Discriminate;
use crate::diffusion::encoder::EncoderGuide;
use crate::diffusion::gaussian::GaussianWorld;
use crate::error::Result;
use crate::metrics::{mean_absolute_error, pooled_acf};
use crate::nn::HISTORY;
use crate::study::config::refuse;
use crate::study::law::{Gradient, LawError, best, gradients, law_errors, undefined};
use crate::study::results::{Curve, Plot, Results, Table, short};
use crate::study::roll::{Maker, starts, std, truth, views};
use crate::study::worlds::World;
use crate::study::{Lab, Outcome};

/// What is varied.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Study {
    /// Guidance strengths of every discriminator.
    pub strengths: Vec<f64>,
    /// Further ones of the encoder alone.
    pub encoder_strengths: Vec<f64>,
    /// Noise levels at which gradients are compared.
    pub sigmas: Vec<f64>,
    /// False successors that the encoder learns from.
    pub pairs: PairSettings,
    /// Histories and draws from each for the one-step law.
    pub histories: usize,
    /// See `histories`.
    pub draws: usize,
    /// Members and frames of a rollout.
    pub members: usize,
    /// See `members`.
    pub frames: usize,
}

/// A rollout in figures.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Rollout {
    #[serde(with = "undefined")]
    pub lag1: f64,
    #[serde(with = "undefined")]
    pub acf_error: f64,
    #[serde(with = "undefined")]
    pub std_ratio: f64,
    pub blow_up: Option<usize>,
}

/// Everything measured of one discriminator.
pub(super) struct Measured {
    pub name: String,
    pub laws: Vec<LawError>,
    pub gradients: Vec<Gradient>,
}

/// The world with its exact image model, and frames of it.
pub(super) struct Bench<'a> {
    pub lab: &'a Lab<'a>,
    pub world: &'a GaussianWorld,
    pub data: &'a Dataset,
    pub about: serde_json::Value,
    pub histories: usize,
    pub draws: usize,
}

impl Bench<'_> {
    /// One-step laws and gradients of a discriminator.
    pub fn measure(
        &self,
        name: &str,
        guide: &dyn Discriminate,
        strengths: &[f64],
        sigmas: &[f64],
    ) -> Outcome<Measured> {
        let lab = self.lab;
        let (rows, draws) = match lab.quick {
            true => (self.histories.min(8), 1),
            false => (self.histories, self.draws),
        };
        let recipe =
            json!({ "about": self.about, "strengths": strengths, "rows": rows, "draws": draws });
        let laws = lab.once(&format!("law-{name}"), &recipe, || {
            law_errors(lab, self.world, guide, self.data, strengths, (rows, draws))
        })?;
        let recipe = json!({ "about": self.about, "sigmas": sigmas, "rows": rows });
        let gradients = lab.once(&format!("gradient-{name}"), &recipe, || {
            gradients(lab, self.world, guide, self.data, sigmas, rows)
        })?;
        Ok(Measured {
            name: name.to_owned(),
            laws,
            gradients,
        })
    }

    /// A rollout against the validation runs.
    pub fn roll(
        &self,
        name: &str,
        guide: &dyn Discriminate,
        strength: f64,
        size: (usize, usize),
    ) -> Outcome<Rollout> {
        let lab = self.lab;
        let (members, frames) = lab.rollout(size.0, size.1);
        let recipe =
            json!({ "about": self.about, "strength": strength, "size": [members, frames] });
        lab.once(&format!("rollout-{name}"), &recipe, || {
            let maker = Maker::Sampled {
                denoiser: self.world,
                guide: Some((guide, strength as f32)),
            };
            let starts = starts(self.data, members, 0);
            let rolled = lab.roll(maker, &starts, HISTORY - 1, frames)?;
            let truth = truth(self.data);
            let exact = pooled_acf(&views(&truth), 10).unwrap_or_default();
            let found = pooled_acf(&views(&rolled.members), 10).unwrap_or_default();
            Ok(Rollout {
                lag1: found.get(1).copied().unwrap_or(f64::NAN),
                acf_error: mean_absolute_error(&found, &exact).unwrap_or(f64::NAN),
                std_ratio: std(&rolled.members) / std(&truth),
                blow_up: rolled.blow_up,
            })
        })
    }
}

impl Study {
    pub(super) fn validate(&self) -> Result<()> {
        let all = self.strengths.iter().chain(&self.encoder_strengths);
        refuse(
            all.clone().all(|s| s.is_finite() && *s >= 0.0) && self.strengths.contains(&1.0),
            "study.strengths are not below 0, and 1 is one of them",
        )?;
        refuse(
            self.sigmas.iter().all(|s| s.is_finite() && *s > 0.0),
            "study.sigmas are above 0",
        )?;
        refuse(
            (1..=512).contains(&self.histories) && (1..=64).contains(&self.draws),
            "study.histories lies between 1 and 512, study.draws between 1 and 64",
        )?;
        refuse(
            (1..=64).contains(&self.members) && self.frames >= 12,
            "study.members lies between 1 and 64, study.frames is at least 12",
        )
    }

    pub(super) fn run(&self, lab: &Lab, results: &mut Results) -> Outcome<()> {
        let side = lab.config.side;
        let exact_world = GaussianWorld::new(side, lab.device());
        let data = lab.data(&World::Gaussian)?;
        let about = json!({ "world": World::Gaussian, "amount": lab.config.data });
        let tower = lab.tower("tower", &data, &about)?;
        let encoder = lab.encoder("encoder", &data, self.pairs, None, &about)?;
        results.trained(&tower.facts);
        results.trained(&encoder.facts);
        let exact = exact_world.discriminator()?;
        let two_tower = lab.two_tower(tower.net, &exact_world, &data, side / 2)?;
        let encoder = EncoderGuide::new(encoder.net);
        let bench = Bench {
            lab,
            world: &exact_world,
            data: &data,
            about,
            histories: self.histories,
            draws: self.draws,
        };
        let wide: Vec<f64> = self
            .strengths
            .iter()
            .chain(&self.encoder_strengths)
            .copied()
            .collect();
        let guides: [(&str, &dyn Discriminate, &[f64]); 3] = [
            ("exact", &exact, &self.strengths),
            ("two-tower", &two_tower, &self.strengths),
            ("encoder", &encoder, &wide),
        ];
        let mut all = Vec::new();
        let mut rollouts = Table::new(
            "rollouts",
            &format!(
                "Rollouts of {:?} (members, frames), m = 3, at the strength of the smallest one-step error and at 1.",
                lab.rollout(self.members, self.frames)
            ),
            &[
                "discriminator",
                "lambda",
                "autocorrelation at lag 1",
                "its error, lags 1-10",
                "std ratio",
                "blew up at frame",
            ],
        );
        let truth = truth(&data);
        let exact_acf = pooled_acf(&views(&truth), 10).unwrap_or_default();
        rollouts.row(vec![
            "truth".into(),
            "-".into(),
            exact_acf.get(1).copied().into(),
            0.0.into(),
            1.0.into(),
            "-".into(),
        ]);
        for (name, guide, strengths) in guides {
            let measured = bench.measure(name, guide, strengths, &self.sigmas)?;
            let mut at = vec![1.0];
            at.extend(
                best(&measured.laws)
                    .map(|b| b.strength)
                    .filter(|s| *s != 1.0),
            );
            for strength in at {
                let r = bench.roll(
                    &format!("{name}-{strength}"),
                    guide,
                    strength,
                    (self.members, self.frames),
                )?;
                rollouts.row(vec![
                    name.into(),
                    strength.into(),
                    r.lag1.into(),
                    r.acf_error.into(),
                    r.std_ratio.into(),
                    r.blow_up
                        .map_or_else(|| "-".to_owned(), |f| (f + 1).to_string())
                        .into(),
                ]);
            }
            all.push(measured);
        }
        let mut words = Vec::new();
        for m in &all {
            words.extend(self.sentence(m));
        }
        results.findings = words;
        results.tables.extend(tables(&all));
        results.tables.push(rollouts);
        results.plots.extend(plots(&all));
        Ok(())
    }

    fn sentence(&self, m: &Measured) -> Vec<String> {
        let mut out = Vec::new();
        let at_one = m.laws.iter().find(|l| l.strength == 1.0);
        if let (Some(b), Some(one)) = (best(&m.laws), at_one) {
            out.push(format!(
                "With the {} discriminator the error of the one-step law is smallest at lambda {} ({}; at 1 it is {}).",
                m.name,
                short(b.strength),
                short(b.error),
                short(one.error)
            ));
        }
        if m.name != "exact" {
            let ends = (m.gradients.first(), m.gradients.last());
            if let (Some(low), Some(high)) = ends {
                out.push(format!(
                    "The {} gradient needs a strength of {} at noise level {} and of {} at {} to come nearest to the exact \
                     one; the cosine between the two is {} and {} there.",
                    m.name,
                    short(low.strength),
                    low.sigma,
                    short(high.strength),
                    high.sigma,
                    short(low.cosine),
                    short(high.cosine)
                ));
            }
        }
        out
    }
}

/// Tables of laws and gradients.
pub(super) fn tables(all: &[Measured]) -> [Table; 2] {
    let mut laws = Table::new(
        "law",
        "Law of the next frame given the last against the exact one: distance relative to the exact spread, slope and \
         spread relative to the exact ones.",
        &["discriminator", "lambda", "error", "slope", "spread"],
    );
    let mut slopes = Table::new(
        "gradient",
        "Gradient of the logit against the exact one at true next frames with noise.",
        &[
            "discriminator",
            "noise level",
            "cosine",
            "strength that fits best",
            "power missed at that strength",
        ],
    );
    for m in all {
        for l in &m.laws {
            laws.row(vec![
                m.name.clone().into(),
                l.strength.into(),
                l.error.into(),
                l.slope.into(),
                l.spread.into(),
            ]);
        }
        for g in &m.gradients {
            slopes.row(vec![
                m.name.clone().into(),
                g.sigma.into(),
                g.cosine.into(),
                g.strength.into(),
                g.missed.into(),
            ]);
        }
    }
    [laws, slopes]
}

/// Error against strength, and the strength that fits best against noise level.
pub(super) fn plots(all: &[Measured]) -> [Plot; 2] {
    let curve = |m: &Measured, points: Vec<[f64; 2]>| Curve {
        name: m.name.clone(),
        points,
        truth: m.name == "exact",
    };
    [
        Plot {
            title: "(a) error of the one-step law".into(),
            x: "guidance strength lambda".into(),
            y: "error, exact spreads".into(),
            log: [false, true],
            range: None,
            curves: all
                .iter()
                .map(|m| {
                    let points = m.laws.iter().map(|l| [l.strength, l.error]);
                    curve(m, points.filter(|p| p[0] <= 2.0).collect())
                })
                .collect(),
            upright: Some(1.0),
        },
        Plot {
            title: "(b) strength that fits the exact gradient best".into(),
            x: "noise level".into(),
            y: "lambda".into(),
            log: [true, true],
            range: None,
            curves: all
                .iter()
                .map(|m| {
                    let points = m.gradients.iter().map(|g| [g.sigma, g.strength]);
                    curve(m, points.filter(|p| p[1] > 0.0).collect())
                })
                .collect(),
            upright: None,
        },
    ]
}
