//! The paper's sanity case: does guidance recover how fast and which way a wave travels, and does D punish the wrong way?

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::data::Dataset;
use crate::data::dataset::Part;
use crate::data::pairs::PairSettings;
use crate::diffusion::encoder::EncoderGuide;
use crate::diffusion::{Context, Denoise, Discriminate, to_vec};
use crate::error::Result;
use crate::nn::HISTORY;
use crate::study::config::refuse;
use crate::study::law::undefined;
use crate::study::results::{Curve, Plot, Results, Table, short};
use crate::study::roll::{Maker, noise, starts, tensor};
use crate::study::worlds::wave::{Travel, Ways, travel};
use crate::study::worlds::{Wave, World};
use crate::study::{Lab, Outcome};

/// What is varied.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Study {
    /// The wave; both forms of `ways` are made.
    pub wave: Wave,
    /// False successors that the encoder learns from.
    pub pairs: PairSettings,
    /// Guidance strengths of the encoder.
    pub encoder_strengths: Vec<f32>,
    /// History lengths.
    pub histories: Vec<usize>,
    /// Noise levels at which candidates are judged.
    pub sigmas: Vec<f64>,
    /// Members and frames of a rollout.
    pub members: usize,
    /// See `members`.
    pub frames: usize,
}

/// A rollout in figures, speeds in the direction of its start.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Measured {
    #[serde(with = "undefined")]
    speed: f64,
    #[serde(with = "undefined")]
    steadiness: f64,
    #[serde(with = "undefined")]
    right_way: f64,
    #[serde(with = "undefined")]
    amplitude: f64,
    #[serde(with = "undefined")]
    off_wave: f64,
    blow_up: Option<usize>,
}

/// Mean logit of each candidate at a noise level.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Judged {
    sigma: f64,
    next: f64,
    standing: f64,
    backward: f64,
    /// Share of candidates pairs in which the true next frame is judged higher than the one of the wrong way.
    preferred: f64,
}

const CANDIDATES: usize = 32;

impl Study {
    pub(super) fn validate(&self) -> Result<()> {
        World::Wave(self.wave.clone()).validate()?;
        refuse(
            self.histories.iter().all(|m| *m < HISTORY) && !self.histories.is_empty(),
            "study.histories holds history lengths from 0 to 3",
        )?;
        refuse(
            (1..=64).contains(&self.members) && self.frames >= 4,
            "study.members lies between 1 and 64, study.frames is at least 4",
        )?;
        refuse(
            self.sigmas.iter().all(|s| s.is_finite() && *s > 0.0)
                && self
                    .encoder_strengths
                    .iter()
                    .all(|s| s.is_finite() && *s >= 0.0),
            "study.sigmas are above 0, study.encoder_strengths not below",
        )
    }

    pub(super) fn run(&self, lab: &Lab, results: &mut Results) -> Outcome<()> {
        let mut travels = Table::new(
            "rollouts",
            &format!(
                "Rollouts of {} members over {} frames; truth travels {} cells a frame. Speed and way are those of each \
                 member's start.",
                lab.rollout(self.members, self.frames).0,
                lab.rollout(self.members, self.frames).1,
                self.wave.speed
            ),
            &[
                "waves go",
                "made by",
                "m",
                "speed, cells/frame",
                "steadiness (truth 1)",
                "steps the right way",
                "amplitude (truth 1)",
                "power off the wave",
                "blew up at frame",
            ],
        );
        let mut judged = Table::new(
            "judgement",
            "Mean logit of candidates with noise: the next frame, the last frame again, and the frame that a wave going \
             the other way would show.",
            &[
                "waves go",
                "discriminator",
                "m",
                "noise level",
                "next frame",
                "standing still",
                "wrong way",
                "next above wrong way",
            ],
        );
        let mut denoiser = None;
        let mut found = Found::default();
        for ways in [Ways::One, Ways::Both] {
            let wave = Wave {
                ways,
                ..self.wave.clone()
            };
            let world = World::Wave(wave.clone());
            let data = lab.data(&world)?;
            let about = json!({ "world": world, "amount": lab.config.data });
            // Single frames of both worlds have the same law: one image model serves both.
            let trained = match denoiser.take() {
                Some(trained) => trained,
                None => lab.denoiser("denoiser", &data, &about)?,
            };
            results.trained(&trained.facts);
            let tower = lab.tower(&format!("tower-{}", world.name()), &data, &about)?;
            results.trained(&tower.facts);
            let encoder = lab.encoder(
                &format!("encoder-{}", world.name()),
                &data,
                self.pairs,
                None,
                &about,
            )?;
            results.trained(&encoder.facts);
            let image: &dyn Denoise = &trained.net;
            let two_tower = lab.two_tower(tower.net, image, &data, lab.config.side / 2)?;
            let encoder = EncoderGuide::new(encoder.net);
            let way = match ways {
                Ways::One => "one way",
                Ways::Both => "both ways",
            };
            let bench = Bench {
                study: self,
                lab,
                wave: &wave,
                data: &data,
                image,
                about: about.clone(),
            };
            let mut add = |name: &str, m: Option<usize>, t: &Measured| {
                travels.row(vec![
                    way.into(),
                    name.into(),
                    m.map_or_else(|| "-".to_owned(), |m| m.to_string()).into(),
                    t.speed.into(),
                    t.steadiness.into(),
                    t.right_way.into(),
                    t.amplitude.into(),
                    t.off_wave.into(),
                    t.blow_up
                        .map_or_else(|| "-".to_owned(), |f| (f + 1).to_string())
                        .into(),
                ]);
            };
            let free = bench.measure("unconditional", None, 0)?;
            add("image model alone", None, &free);
            for &m in &self.histories {
                let guide: &dyn Discriminate = &two_tower;
                let t = bench.measure(&format!("two-tower-m{m}"), Some((guide, 1.0)), m)?;
                add("two-tower, lambda 1", Some(m), &t);
                found.two_tower.push((ways, m, t));
                let mut best: Option<(f32, Measured)> = None;
                for &strength in &self.encoder_strengths {
                    let guide: &dyn Discriminate = &encoder;
                    let name = format!("encoder-{strength}-m{m}");
                    let t = bench.measure(&name, Some((guide, strength)), m)?;
                    add(&format!("encoder, lambda {strength}"), Some(m), &t);
                    if best
                        .as_ref()
                        .is_none_or(|(_, b)| bench.miss(&t) < bench.miss(b))
                    {
                        best = Some((strength, t));
                    }
                }
                if let Some((strength, t)) = best {
                    found.encoder.push((ways, m, strength, t));
                }
                for (name, guide) in [
                    ("two-tower", &two_tower as &dyn Discriminate),
                    ("encoder", &encoder as &dyn Discriminate),
                ] {
                    let about = format!("judged-{name}-m{m}");
                    for j in bench.judge(&about, guide, m)? {
                        judged.row(vec![
                            way.into(),
                            name.into(),
                            m.to_string().into(),
                            j.sigma.into(),
                            j.next.into(),
                            j.standing.into(),
                            j.backward.into(),
                            j.preferred.into(),
                        ]);
                        found.judged.push((ways, name, m, j));
                    }
                }
            }
            found.free.push(free);
            denoiser = Some(trained);
        }
        found.plots(results);
        results.findings = found.words(self.wave.speed);
        results.tables.push(travels);
        results.tables.push(judged);
        Ok(())
    }
}

/// One world with its networks.
struct Bench<'a> {
    study: &'a Study,
    lab: &'a Lab<'a>,
    wave: &'a Wave,
    data: &'a Dataset,
    image: &'a dyn Denoise,
    about: serde_json::Value,
}

impl Bench<'_> {
    /// How wrong a rollout is, for the choice of a strength.
    fn miss(&self, t: &Measured) -> f64 {
        let off = (t.speed / self.wave.speed - 1.0).abs()
            + (1.0 - t.steadiness)
            + (t.amplitude - 1.0).abs();
        if off.is_finite() && t.blow_up.is_none() {
            off
        } else {
            f64::INFINITY
        }
    }

    fn measure(
        &self,
        name: &str,
        guide: Option<(&dyn Discriminate, f32)>,
        m: usize,
    ) -> Outcome<Measured> {
        let lab = self.lab;
        let (members, frames) = lab.rollout(self.study.members, self.study.frames);
        let recipe = json!({ "about": self.about, "members": members, "frames": frames });
        let name = format!("{}-{name}", World::Wave(self.wave.clone()).name());
        lab.once(&name, &recipe, || {
            let starts = starts(self.data, members, 0);
            let maker = Maker::Sampled {
                denoiser: self.image,
                guide,
            };
            let rolled = lab.roll(maker, &starts, m, frames)?;
            let unit = std::f64::consts::SQRT_2 / self.data.normalisation().scale;
            let k = self.wave.wavenumber;
            let all: Vec<(f64, Travel)> = rolled
                .members
                .iter()
                .zip(&starts)
                .filter_map(|(frames, ((run, _), past))| {
                    let sign = self.wave.velocity(*run).signum();
                    // The step out of the start counts as well.
                    let mut all = vec![past.first()?.clone()];
                    all.extend(frames.iter().cloned());
                    Some((sign, travel(&all, lab.config.side, k, unit)?))
                })
                .collect();
            let mean = |f: &dyn Fn(&(f64, Travel)) -> f64| {
                all.iter().map(f).sum::<f64>() / all.len() as f64
            };
            Ok(Measured {
                speed: mean(&|(sign, t)| sign * t.speed),
                steadiness: mean(&|(_, t)| t.steadiness),
                right_way: mean(&|(sign, t)| match *sign > 0.0 {
                    true => t.to_the_right,
                    false => 1.0 - t.to_the_right,
                }),
                amplitude: mean(&|(_, t)| t.amplitude),
                off_wave: mean(&|(_, t)| t.off_wave),
                blow_up: rolled.blow_up,
            })
        })
    }

    fn judge(&self, name: &str, guide: &dyn Discriminate, m: usize) -> Outcome<Vec<Judged>> {
        let lab = self.lab;
        let name = format!("{}-{name}", World::Wave(self.wave.clone()).name());
        let recipe = json!({ "about": self.about, "sigmas": self.study.sigmas });
        lab.once(&name, &recipe, || {
            let n = lab.config.side;
            let runs = self.data.runs(Part::Validation);
            let (mut past, mut next, mut standing, mut backward) =
                (Vec::new(), Vec::new(), Vec::new(), Vec::new());
            for i in 0..CANDIDATES {
                let run = runs.start + i % runs.len().max(1);
                let span = self.data.frames().saturating_sub(HISTORY + 1).max(1);
                let end = HISTORY - 1 + (i * 7) % span;
                let frame = |at: usize| self.data.frame(run, at).unwrap_or(&[]).to_vec();
                past.extend((0..HISTORY).flat_map(|back| frame(end - back)));
                next.extend(frame(end + 1));
                standing.extend(frame(end));
                backward.extend(frame(end - 1));
            }
            let device = lab.device();
            let history = tensor(past, HISTORY, n, device);
            let conditioned = guide.condition(&history, Context::history(m));
            let candidates = [next, standing, backward].map(|v| tensor(v, 1, n, device));
            let mut out = Vec::new();
            for (i, &sigma) in self.study.sigmas.iter().enumerate() {
                lab.check()?;
                let z = noise(lab.seed, CANDIDATES, 0x1000 + i, 0, n, device);
                let logits = candidates.clone().map(|c: Tensor<4>| {
                    let x = c + z.clone().mul_scalar(sigma as f32);
                    let denoised = self.image.denoise(&x, sigma);
                    to_vec(conditioned.judge(&x, sigma, &denoised).logit)
                });
                let mean = |v: &[f32]| {
                    v.iter().map(|v| f64::from(*v)).sum::<f64>() / v.len().max(1) as f64
                };
                let [next, standing, backward] = &logits;
                let above = next.iter().zip(backward).filter(|(a, b)| a > b).count();
                out.push(Judged {
                    sigma,
                    next: mean(next),
                    standing: mean(standing),
                    backward: mean(backward),
                    preferred: above as f64 / next.len().max(1) as f64,
                });
            }
            Ok(out)
        })
    }
}

/// What was found.
#[derive(Default)]
struct Found {
    free: Vec<Measured>,
    two_tower: Vec<(Ways, usize, Measured)>,
    encoder: Vec<(Ways, usize, f32, Measured)>,
    judged: Vec<(Ways, &'static str, usize, Judged)>,
}

impl Found {
    fn plots(&self, results: &mut Results) {
        for (name, title) in [
            ("encoder", "(a) encoder, waves of one way, m = 3"),
            ("two-tower", "(b) two-tower, waves of one way, m = 3"),
        ] {
            let rows: Vec<&Judged> = self
                .judged
                .iter()
                .filter(|(w, n, m, _)| *w == Ways::One && *n == name && *m == HISTORY - 1)
                .map(|(_, _, _, j)| j)
                .collect();
            // The logits of the closed form reach millions: shown as what a probability would be read from.
            let line = |f: &dyn Fn(&Judged) -> f64| {
                rows.iter()
                    .map(|j| [j.sigma, 1.0 / (1.0 + (-f(j)).exp())])
                    .collect::<Vec<_>>()
            };
            results.plots.push(Plot {
                title: title.into(),
                x: "noise level".into(),
                y: "D of the mean logit".into(),
                log: [true, false],
                range: Some([-0.03, 1.03]),
                curves: vec![
                    Curve::truth("the next frame", line(&|j| j.next)),
                    Curve::made("standing still", line(&|j| j.standing)),
                    Curve::made("the wrong way", line(&|j| j.backward)),
                ],
                upright: None,
            });
        }
    }

    fn words(&self, speed: f64) -> Vec<String> {
        let mut out = Vec::new();
        if let Some(free) = self.free.first() {
            out.push(format!(
                "Without guidance the wave jumps: steadiness {} (truth 1), {} % of the steps go the right way.",
                short(free.steadiness),
                percent(free.right_way)
            ));
        }
        for ways in [Ways::One, Ways::Both] {
            let of = match ways {
                Ways::One => "Where all waves go one way",
                Ways::Both => "Where waves go both ways",
            };
            for (_, m, t) in self.two_tower.iter().filter(|(w, ..)| *w == ways) {
                out.push(format!(
                    "{of}, two-tower at lambda 1 and m = {m} {}.",
                    verdict(t, speed)
                ));
            }
            for (_, m, strength, t) in self.encoder.iter().filter(|(w, ..)| *w == ways) {
                out.push(format!(
                    "{of}, the encoder at m = {m} and its best strength of those tried, {strength}, {}.",
                    verdict(t, speed)
                ));
            }
        }
        for name in ["two-tower", "encoder"] {
            let with = |ways, blind: bool| {
                let all: Vec<f64> = self
                    .judged
                    .iter()
                    .filter(|(w, n, m, j)| {
                        *w == ways && *n == name && (*m == 0) == blind && j.sigma <= 1.0
                    })
                    .map(|(.., j)| j.preferred)
                    .collect();
                (!all.is_empty()).then(|| all.iter().sum::<f64>() / all.len() as f64)
            };
            if let Some(share) = with(Ways::One, false) {
                out.push(format!(
                    "The {name} discriminator judges the next frame above the one of the wrong way in {} % of pairs \
                     (noise levels up to 1, waves of one way).",
                    percent(share)
                ));
            }
            if let (Some(blind), Some(seeing)) = (with(Ways::Both, true), with(Ways::Both, false)) {
                out.push(format!(
                    "Of waves that go both ways it does so in {} % with m = 0, where nothing tells the way, and in {} % \
                     with earlier frames in sight.",
                    percent(blind),
                    percent(seeing)
                ));
            }
        }
        out
    }
}

fn percent(share: f64) -> String {
    format!("{:.0}", 100.0 * share)
}

fn verdict(t: &Measured, speed: f64) -> String {
    if let Some(frame) = t.blow_up {
        return format!("blows up at frame {}", frame + 1);
    }
    let right = (t.speed / speed - 1.0).abs() < 0.1 && t.steadiness > 0.9;
    format!(
        "{} speed and way: {} cells a frame ({speed}), steadiness {}, {} % of the steps the right way, amplitude {}",
        if right {
            "recovers"
        } else {
            "does not recover"
        },
        short(t.speed),
        short(t.steadiness),
        percent(t.right_way),
        short(t.amplitude)
    )
}
