//! Does the discriminator learn its frames by heart, and what does that do to a rollout? Accuracy on the frames it was
//! trained on against accuracy on others, by noise level, for few and for many training frames.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::gaussian::Bench;
use crate::data::pairs::PairSettings;
use crate::data::{Dataset, Symmetries};
use crate::diffusion::encoder::EncoderGuide;
use crate::diffusion::gaussian::GaussianWorld;
use crate::diffusion::{Context, Discriminate, to_vec};
use crate::error::Result;
use crate::nn::HISTORY;
use crate::study::config::refuse;
use crate::study::law::{best, undefined};
use crate::study::results::{Curve, Plot, Results, Table, short};
use crate::study::roll::{noise, tensor};
use crate::study::worlds::{Amount, World};
use crate::study::{Lab, Outcome};

/// What is varied.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Study {
    /// Runs and frames of each that the encoder is trained on, without augmentation; the fewest first.
    pub amounts: Vec<[usize; 2]>,
    /// False successors.
    pub pairs: PairSettings,
    /// Guidance strengths.
    pub strengths: Vec<f64>,
    /// Noise levels.
    pub sigmas: Vec<f64>,
    /// Pairs for an accuracy.
    pub accuracy_pairs: usize,
    /// Histories and draws from each for the one-step law.
    pub histories: usize,
    /// See `histories`.
    pub draws: usize,
    /// Members and frames of a rollout.
    pub members: usize,
    /// See `members`.
    pub frames: usize,
}

/// Share of right judgements and the cross-entropy at a noise level.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Score {
    sigma: f64,
    #[serde(with = "undefined")]
    accuracy: f64,
    #[serde(with = "undefined")]
    loss: f64,
}

impl Study {
    pub(super) fn validate(&self) -> Result<()> {
        refuse(
            self.amounts.len() >= 2 && self.amounts.iter().all(|[r, f]| *r > 0 && *f > HISTORY + 1),
            "study.amounts holds at least two pairs of runs and frames, with more than 5 frames a run",
        )?;
        refuse(
            self.strengths.iter().all(|s| s.is_finite() && *s >= 0.0)
                && self.sigmas.iter().all(|s| s.is_finite() && *s > 0.0),
            "study.strengths are not below 0, study.sigmas above",
        )?;
        refuse(
            (1..=512).contains(&self.histories)
                && (1..=64).contains(&self.draws)
                && (1..=64).contains(&self.members)
                && self.frames >= 12
                && (4..=4096).contains(&self.accuracy_pairs),
            "study.histories, draws, members, frames (at least 12) and accuracy_pairs (at least 4) are sizes of measurements",
        )
    }

    pub(super) fn run(&self, lab: &Lab, results: &mut Results) -> Outcome<()> {
        let world = GaussianWorld::new(lab.config.side, lab.device());
        let data = lab.data(&World::Gaussian)?;
        let other = Amount {
            runs: 8,
            validation_runs: 0,
            frames: lab.config.data.frames,
        };
        let unseen = lab.data_of(&World::Gaussian, other, lab.seed + 1000, None)?;
        let mut accuracy = Table::new(
            "accuracy",
            "Share of right judgements and cross-entropy on pairs out of the frames that the encoder was trained on, and on \
             pairs out of others.",
            &[
                "training frames",
                "noise level",
                "accuracy, trained on",
                "accuracy, others",
                "cross-entropy, trained on",
                "cross-entropy, others",
            ],
        );
        let mut guidance = Table::new(
            "guidance",
            "What such an encoder does to samples and rollouts of the exact image model, at the strength of its smallest \
             one-step error.",
            &[
                "training frames",
                "best lambda",
                "one-step error there",
                "without guidance",
                "mean cosine with the exact gradient",
                "autocorrelation error, lags 1-10",
                "std ratio",
                "blew up at frame",
            ],
        );
        let mut curves = Vec::new();
        for [runs, frames] in &self.amounts {
            let total = runs * frames;
            let about = json!({ "world": World::Gaussian, "runs": runs, "frames": frames });
            let amount = Amount {
                runs: *runs + 1,
                validation_runs: 1,
                frames: *frames,
            };
            let few = lab
                .data_of(&World::Gaussian, amount, lab.seed, None)?
                .with_symmetries(Symmetries::None);
            let name = format!("encoder-{total}");
            let trained = lab.encoder(&name, &few, self.pairs, None, &about)?;
            results.trained(&trained.facts);
            let guide = EncoderGuide::new(trained.net);
            let recipe =
                json!({ "about": about, "sigmas": self.sigmas, "pairs": self.accuracy_pairs });
            let seen: Vec<Score> = lab.once(&format!("seen-{total}"), &recipe, || {
                self.accuracy(lab, &guide, &few)
            })?;
            let fresh: Vec<Score> = lab.once(&format!("unseen-{total}"), &recipe, || {
                self.accuracy(lab, &guide, &unseen)
            })?;
            for (a, b) in seen.iter().zip(&fresh) {
                accuracy.row(vec![
                    (total as f64).into(),
                    a.sigma.into(),
                    a.accuracy.into(),
                    b.accuracy.into(),
                    a.loss.into(),
                    b.loss.into(),
                ]);
            }
            let bench = Bench {
                lab,
                world: &world,
                data: &data,
                about,
                histories: self.histories,
                draws: self.draws,
            };
            let m = bench.measure(&name, &guide, &self.strengths, &self.sigmas)?;
            let Some(top) = best(&m.laws) else { continue };
            let size = (self.members, self.frames);
            let r = bench.roll(&name, &guide, top.strength, size)?;
            let none = m.laws.iter().find(|l| l.strength == 0.0).map(|l| l.error);
            let cosine =
                m.gradients.iter().map(|g| g.cosine).sum::<f64>() / m.gradients.len() as f64;
            guidance.row(vec![
                (total as f64).into(),
                top.strength.into(),
                top.error.into(),
                none.into(),
                cosine.into(),
                r.acf_error.into(),
                r.std_ratio.into(),
                r.blow_up
                    .map_or_else(|| "-".to_owned(), |f| (f + 1).to_string())
                    .into(),
            ]);
            let gap =
                |all: &[Score]| all.iter().map(|s| s.accuracy).sum::<f64>() / all.len() as f64;
            results.findings.push(format!(
                "With {total} training frames the encoder is right in {:.0} % of the pairs it was trained on and in {:.0} % of \
                 others (mean over noise levels); guiding at its best strength, {}, the one-step error is {} (without guidance \
                 {}) and a rollout's autocorrelation is off by {}.",
                100.0 * gap(&seen),
                100.0 * gap(&fresh),
                short(top.strength),
                short(top.error),
                short(none.unwrap_or(f64::NAN)),
                short(r.acf_error)
            ));
            let line = |all: &[Score]| all.iter().map(|s| [s.sigma, s.accuracy]).collect();
            curves.push((total, line(&seen), line(&fresh)));
        }
        for (i, (total, seen, fresh)) in curves.into_iter().enumerate() {
            let letter = char::from(b'a' + (i % 26) as u8);
            results.plots.push(Plot {
                title: format!("({letter}) {total} training frames"),
                x: "noise level".into(),
                y: "share of right judgements".into(),
                log: [true, false],
                range: Some([0.4, 1.02]),
                curves: vec![
                    Curve::made("frames trained on", seen),
                    Curve::made("other frames", fresh),
                ],
                upright: None,
            });
        }
        results.tables.push(accuracy);
        results.tables.push(guidance);
        Ok(())
    }

    fn accuracy(&self, lab: &Lab, guide: &dyn Discriminate, data: &Dataset) -> Outcome<Vec<Score>> {
        let (n, count) = (lab.config.side, self.accuracy_pairs);
        // A step beyond those of any training: pairs that are drawn alike and not the same.
        let pairs = data.batch_pairs(u32::MAX - 1, count, HISTORY, &self.pairs, false);
        let device = lab.device();
        let history = tensor(pairs.history, HISTORY, n, device);
        let conditioned = guide.condition(&history, Context::history(HISTORY - 1));
        let (yes, no) = (
            tensor(pairs.positive, 1, n, device),
            tensor(pairs.negative, 1, n, device),
        );
        let mut out = Vec::new();
        for (i, &sigma) in self.sigmas.iter().enumerate() {
            lab.check()?;
            let judge = |x: &burn::tensor::Tensor<4>, what: usize| {
                let z = noise(lab.seed, count, 0x2000 + 2 * i + what, 0, n, device);
                let x = x.clone() + z.mul_scalar(sigma as f32);
                to_vec(conditioned.judge(&x, sigma, &x).logit)
            };
            let logits: Vec<f64> = judge(&yes, 0)
                .into_iter()
                .chain(judge(&no, 1).into_iter().map(|l| -l))
                .map(f64::from)
                .collect();
            let all = logits.len().max(1) as f64;
            out.push(Score {
                sigma,
                accuracy: logits.iter().filter(|l| **l > 0.0).count() as f64 / all,
                loss: logits
                    .iter()
                    .map(|l| (-l.abs()).exp().ln_1p() + (-l).max(0.0))
                    .sum::<f64>()
                    / all,
            });
        }
        Ok(out)
    }
}
