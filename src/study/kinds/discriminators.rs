//! The paper's encoder beside the two-tower discriminator, for the same time of training: how near do rollouts come, what
//! strength does each need, how good are forecasts, and can one believe its probability?

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::character::Figures;
use crate::data::Dataset;
use crate::data::dataset::Part;
use crate::data::pairs::PairSettings;
use crate::diffusion::encoder::EncoderGuide;
use crate::diffusion::{Context, Denoise, Discriminate, to_vec};
use crate::error::Result;
use crate::metrics::{Reliability, SpreadSkill, crps};
use crate::nn::HISTORY;
use crate::study::config::refuse;
use crate::study::law::undefined;
use crate::study::results::{Curve, Plot, Results, Table, short};
use crate::study::roll::{Maker, noise, starts, tensor, truth};
use crate::study::worlds::{Flow, World};
use crate::study::{Lab, Outcome};

/// What is varied.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Study {
    /// The turbulence.
    pub flow: Flow,
    /// False successors that the encoder learns from.
    pub pairs: PairSettings,
    /// Guidance strengths of the two-tower discriminator.
    pub two_tower_strengths: Vec<f32>,
    /// Guidance strengths of the encoder.
    pub encoder_strengths: Vec<f32>,
    /// Noise levels at which probabilities are judged.
    pub sigmas: Vec<f64>,
    /// Members and frames of a rollout.
    pub members: usize,
    /// See `members`.
    pub frames: usize,
    /// Starts of the forecasts, members of each, frames.
    pub forecasts: [usize; 3],
}

/// Scores of forecasts by lead, from 1.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Forecasts {
    crps: Vec<Option<f64>>,
    spread_skill: Vec<Option<f64>>,
}

/// How far a probability can be believed at a noise level.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Belief {
    sigma: f64,
    /// Expected calibration error.
    #[serde(with = "undefined")]
    error: f64,
    /// Share of right judgements.
    accuracy: f64,
    /// Factor on the logit of the smallest cross-entropy.
    #[serde(with = "undefined")]
    factor: f64,
}

const BINS: usize = 10;
const JUDGED: usize = 96;

impl Study {
    pub(super) fn validate(&self) -> Result<()> {
        World::Flow(self.flow.clone()).validate()?;
        let strengths = self
            .two_tower_strengths
            .iter()
            .chain(&self.encoder_strengths);
        refuse(
            strengths.clone().all(|s| s.is_finite() && *s >= 0.0)
                && !self.two_tower_strengths.is_empty()
                && !self.encoder_strengths.is_empty(),
            "study needs strengths of both discriminators, not below 0",
        )?;
        refuse(
            self.sigmas.iter().all(|s| s.is_finite() && *s > 0.0),
            "study.sigmas are above 0",
        )?;
        let [starts, members, leads] = self.forecasts;
        refuse(
            (1..=64).contains(&self.members)
                && self.frames >= 12
                && starts >= 1
                && (2..=64).contains(&members)
                && (1..=50).contains(&leads),
            "study.members, frames (at least 12) and forecasts (starts, at least 2 members, 1 to 50 leads) are sizes",
        )
    }

    pub(super) fn run(&self, lab: &Lab, results: &mut Results) -> Outcome<()> {
        let world = World::Flow(self.flow.clone());
        let data = lab.data(&world)?;
        let about = json!({ "world": world, "amount": lab.config.data });
        let image = lab.denoiser("denoiser", &data, &about)?;
        let tower = lab.tower("tower", &data, &about)?;
        let encoder = lab.encoder("encoder", &data, self.pairs, None, &about)?;
        for facts in [&image.facts, &tower.facts, &encoder.facts] {
            results.trained(facts);
        }
        let seconds = [tower.facts.seconds, encoder.facts.seconds];
        let image: &dyn Denoise = &image.net;
        let two_tower = lab.two_tower(tower.net, image, &data, lab.config.side / 3)?;
        let encoder = EncoderGuide::new(encoder.net);
        let bench = Bench {
            study: self,
            lab,
            data: &data,
            image,
            about,
        };
        let exact = Figures::of(&truth(&data), &data, Some(&self.flow), 10, None)?;
        let mut rollouts = Table::new(
            "rollouts",
            &format!(
                "Rollouts of {:?} (members, frames), m = 3; truth has a dynamics skill of {}.",
                lab.rollout(self.members, self.frames),
                short(exact.skill.unwrap_or(f64::NAN))
            ),
            &[
                "discriminator",
                "lambda",
                "autocorrelation error, lags 1-10",
                "dynamics skill",
                "std ratio",
                "kurtosis",
                "blew up at frame",
            ],
        );
        let mut forecasts = Table::new(
            "forecasts",
            &format!(
                "Forecasts at the strength of the smallest autocorrelation error: {} starts, {} members; CRPS in standard \
                 deviations of the data.",
                self.forecasts[0], self.forecasts[1]
            ),
            &[
                "discriminator",
                "lambda",
                "lead, frames",
                "CRPS",
                "spread-skill ratio",
            ],
        );
        let mut beliefs = Table::new(
            "calibration",
            "True next frames against random ones, both with noise: can the probability be believed? The factor is the one on \
             the logit that gives the smallest cross-entropy; above 1 the discriminator is under-confident.",
            &[
                "discriminator",
                "noise level",
                "accuracy",
                "expected calibration error",
                "factor on the logit",
            ],
        );
        let mut crps_curves = Vec::new();
        let mut factor_curves = Vec::new();
        let guides: [(&str, &dyn Discriminate, &[f32]); 2] = [
            ("two-tower", &two_tower, &self.two_tower_strengths),
            ("encoder", &encoder, &self.encoder_strengths),
        ];
        let mut words = vec![format!(
            "Trained for {:.0} s (history tower) and {:.0} s (encoder).",
            seconds[0], seconds[1]
        )];
        for (name, guide, strengths) in guides {
            let mut best: Option<(f32, Figures)> = None;
            for &strength in strengths {
                let f = bench.roll(name, guide, strength)?;
                rollouts.row(vec![
                    name.into(),
                    f64::from(strength).into(),
                    f.acf_error(&exact).into(),
                    f.skill.into(),
                    (f.std / exact.std).into(),
                    f.kurtosis.into(),
                    f.blow_up
                        .map_or_else(|| "-".to_owned(), |b| (b + 1).to_string())
                        .into(),
                ]);
                let miss = |f: &Figures| match f.blow_up {
                    Some(_) => f64::INFINITY,
                    None => f.acf_error(&exact),
                };
                if best.as_ref().is_none_or(|(_, b)| miss(&f) < miss(b)) {
                    best = Some((strength, f));
                }
            }
            let Some((strength, f)) = best else { continue };
            let scores = bench.forecast(name, guide, strength)?;
            let mut line = Vec::new();
            for (lead, (c, s)) in scores.crps.iter().zip(&scores.spread_skill).enumerate() {
                let lead = (lead + 1) as f64;
                forecasts.row(vec![
                    name.into(),
                    f64::from(strength).into(),
                    lead.into(),
                    (*c).into(),
                    (*s).into(),
                ]);
                line.extend(c.map(|c| [lead, c]));
            }
            let mean_crps = line.iter().map(|p| p[1]).sum::<f64>() / line.len().max(1) as f64;
            crps_curves.push(Curve::made(name, line));
            let judged = bench.belief(name, guide)?;
            for b in &judged {
                beliefs.row(vec![
                    name.into(),
                    b.sigma.into(),
                    b.accuracy.into(),
                    b.error.into(),
                    b.factor.into(),
                ]);
            }
            let points = judged.iter().map(|b| [b.sigma, b.factor]).collect();
            factor_curves.push(Curve::made(name, points));
            let errors: Vec<f64> = judged
                .iter()
                .map(|b| b.error)
                .filter(|e| e.is_finite())
                .collect();
            words.push(format!(
                "{name}: smallest autocorrelation error {} at lambda {strength}, there dynamics skill {} (truth {}), std {} of \
                 truth's; CRPS {} over the leads 1 to {} (standard deviations of the data); mean calibration error {}.",
                short(f.acf_error(&exact)),
                short(f.skill.unwrap_or(f64::NAN)),
                short(exact.skill.unwrap_or(f64::NAN)),
                short(f.std / exact.std),
                short(mean_crps),
                scores.crps.len(),
                short(errors.iter().sum::<f64>() / errors.len().max(1) as f64)
            ));
        }
        results.findings = words;
        results.plots.push(Plot {
            title: "(a) forecasts".into(),
            x: "lead, frames".into(),
            y: "CRPS, std of the data".into(),
            log: [false, false],
            range: None,
            curves: crps_curves,
            upright: None,
        });
        results.plots.push(Plot {
            title: "(b) what the logit must be multiplied by".into(),
            x: "noise level".into(),
            y: "factor".into(),
            log: [true, true],
            range: None,
            curves: factor_curves,
            upright: None,
        });
        results.tables.extend([rollouts, forecasts, beliefs]);
        Ok(())
    }
}

/// The flow with its image model.
struct Bench<'a> {
    study: &'a Study,
    lab: &'a Lab<'a>,
    data: &'a Dataset,
    image: &'a dyn Denoise,
    about: serde_json::Value,
}

impl Bench<'_> {
    fn maker<'b>(&'b self, guide: &'b dyn Discriminate, strength: f32) -> Maker<'b> {
        Maker::Sampled {
            denoiser: self.image,
            guide: Some((guide, strength)),
        }
    }

    fn roll(&self, name: &str, guide: &dyn Discriminate, strength: f32) -> Outcome<Figures> {
        let (lab, study) = (self.lab, self.study);
        let (members, frames) = lab.rollout(study.members, study.frames);
        let recipe =
            json!({ "about": self.about, "pairs": study.pairs, "size": [members, frames] });
        lab.once(&format!("rollout-{name}-{strength}"), &recipe, || {
            let starts = starts(self.data, members, 0);
            let rolled = lab.roll(self.maker(guide, strength), &starts, HISTORY - 1, frames)?;
            Figures::of(
                &rolled.members,
                self.data,
                Some(&study.flow),
                10,
                rolled.blow_up,
            )
        })
    }

    fn forecast(&self, name: &str, guide: &dyn Discriminate, strength: f32) -> Outcome<Forecasts> {
        let (lab, study) = (self.lab, self.study);
        let [count, members, leads] = study.forecasts;
        let count = if lab.quick { count.min(2) } else { count };
        let recipe =
            json!({ "about": self.about, "pairs": study.pairs, "size": [count, members, leads] });
        lab.once(&format!("forecast-{name}-{strength}"), &recipe, || {
            let first = starts(self.data, count, leads);
            let all: Vec<_> = first
                .iter()
                .flat_map(|s| std::iter::repeat_n(s.clone(), members))
                .collect();
            let rolled = lab.roll(self.maker(guide, strength), &all, HISTORY - 1, leads)?;
            let mut scores = vec![(0.0, 0.0, SpreadSkill::default()); leads];
            for (((run, end), _), ensemble) in first.iter().zip(rolled.members.chunks(members)) {
                for (lead, (sum, count, ratio)) in scores.iter_mut().enumerate() {
                    let made: Vec<&[f32]> = ensemble
                        .iter()
                        .filter_map(|m| Some(&m.get(lead)?[..]))
                        .collect();
                    let Some(truth) = self.data.frame(*run, end + 1 + lead) else {
                        continue;
                    };
                    if let Some(fair) = crps(&made, truth).and_then(|c| c.fair) {
                        *sum += fair / crate::data::dataset::NORMALISED_STD;
                        *count += 1.0;
                        ratio.push(&made, truth);
                    }
                }
            }
            Ok(Forecasts {
                crps: scores
                    .iter()
                    .map(|(s, n, _)| (*n > 0.0).then(|| s / n))
                    .collect(),
                spread_skill: scores.iter().map(|(.., r)| r.ratio()).collect(),
            })
        })
    }

    fn belief(&self, name: &str, guide: &dyn Discriminate) -> Outcome<Vec<Belief>> {
        let (lab, study) = (self.lab, self.study);
        let recipe = json!({ "about": self.about, "pairs": study.pairs, "sigmas": study.sigmas });
        lab.once(&format!("belief-{name}"), &recipe, || {
            let (n, device) = (lab.config.side, lab.device());
            let window = tensor(
                self.data.validation_windows(JUDGED, HISTORY),
                HISTORY + 1,
                n,
                device,
            );
            let history = window.clone().narrow(1, 1, HISTORY);
            // Frames of other runs and times stand for random ones.
            let runs = self.data.runs(Part::Validation);
            let frames = self.data.frames();
            let other: Vec<f32> = (0..JUDGED)
                .flat_map(|i| {
                    let run = runs.start + (i + 1 + i / runs.len().max(1)) % runs.len().max(1);
                    self.data
                        .frame(run, (i * 37 + 11) % frames.max(1))
                        .unwrap_or(&[])
                        .to_vec()
                })
                .collect();
            let candidates = [window.narrow(1, 0, 1), tensor(other, 1, n, device)];
            let conditioned = guide.condition(&history, Context::history(HISTORY - 1));
            let mut out = Vec::new();
            for (i, &sigma) in study.sigmas.iter().enumerate() {
                lab.check()?;
                let mut judged: Vec<(f64, bool)> = Vec::new();
                for (what, candidate) in candidates.iter().enumerate() {
                    let z: Tensor<4> = noise(lab.seed, JUDGED, 0x3000 + 2 * i + what, 0, n, device);
                    let x = candidate.clone() + z.mul_scalar(sigma as f32);
                    let denoised = self.image.denoise(&x, sigma);
                    let logits = to_vec(conditioned.judge(&x, sigma, &denoised).logit);
                    judged.extend(logits.into_iter().map(|l| (f64::from(l), what == 0)));
                }
                let mut reliability = Reliability::new(BINS);
                for (logit, label) in &judged {
                    reliability.push(1.0 / (1.0 + (-logit).exp()), *label);
                }
                let right = judged.iter().filter(|(l, yes)| (*l > 0.0) == *yes).count();
                out.push(Belief {
                    sigma,
                    error: reliability.ece().unwrap_or(f64::NAN),
                    accuracy: right as f64 / judged.len().max(1) as f64,
                    factor: factor(&judged),
                });
            }
            Ok(out)
        })
    }
}

/// The factor on the logits, from 1/1000 to 1000, that gives the smallest cross-entropy; NaN where it is at an end of that
/// range, as it is where every judgement is right.
fn factor(judged: &[(f64, bool)]) -> f64 {
    let loss = |f: f64| -> f64 {
        judged
            .iter()
            .map(|(l, yes)| {
                let l = if *yes { f * l } else { -f * l };
                (-l.abs()).exp().ln_1p() + (-l).max(0.0)
            })
            .sum()
    };
    // Convex in the factor, so that a search by thirds of its logarithm finds the minimum.
    let (mut lo, mut hi) = (1e-3f64.ln(), 1e3f64.ln());
    for _ in 0..80 {
        let (a, b) = (lo + (hi - lo) / 3.0, hi - (hi - lo) / 3.0);
        if loss(a.exp()) < loss(b.exp()) {
            hi = b
        } else {
            lo = a
        }
    }
    let found = (0.5 * (lo + hi)).exp();
    if (1.1e-3..900.0).contains(&found) {
        found
    } else {
        f64::NAN
    }
}

#[cfg(test)]
mod tests {
    use super::factor;
    use crate::random::{NoiseKey, Stream};

    /// Labels drawn with the probability of `2 logit`: the logit is too small by half.
    #[test]
    fn the_factor_finds_how_much_too_small_a_logit_is() {
        let key = NoiseKey {
            seed: 1,
            stream: Stream::Test,
            member: 0,
            frame: 0,
            step: 0,
        };
        let judged: Vec<(f64, bool)> = key
            .uniform(40_000)
            .chunks_exact(2)
            .map(|u| {
                let logit = 4.0 * u[0] - 2.0;
                (logit, u[1] < 1.0 / (1.0 + (-2.0 * logit).exp()))
            })
            .collect();
        let found = factor(&judged);
        assert!((found - 2.0).abs() < 0.1, "{found}");
        assert!(factor(&[(1.0, true), (-1.0, false)]).is_nan());
    }
}
