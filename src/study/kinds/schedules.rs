//! Other noise schedules: the variance-preserving cosine schedule and its loss beside those of EDM.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::character::Figures;
use crate::data::Dataset;
use crate::diffusion::{Denoise, Discriminate};
use crate::error::Result;
use crate::metrics::{shell_power, spectrum_error};
use crate::nn::HISTORY;
use crate::rollout::settings::{SamplerSettings, Schedule};
use crate::study::config::{LabConfig, refuse};
use crate::study::law::undefined;
use crate::study::results::{Curve, Plot, Results, Table, short};
use crate::study::roll::{Maker, starts, truth, views};
use crate::study::vp::VpObjective;
use crate::study::worlds::{Flow, World};
use crate::study::{Lab, Outcome};

/// How an image model is parametrised and trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// Preconditioning, loss and noise levels of Karras et al. 2022.
    Edm,
    /// Variance-preserving: estimates the noise, cosine schedule.
    VpCosine,
}

/// What is varied.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Study {
    /// The turbulence.
    pub flow: Flow,
    /// Image models.
    pub forms: Vec<Form>,
    /// How the sampler's noise levels lie.
    pub schedules: Vec<Schedule>,
    /// Numbers of sampler steps.
    pub steps: Vec<usize>,
    /// Members and frames of a rollout.
    pub members: usize,
    /// See `members`.
    pub frames: usize,
}

/// A rollout in figures.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Measured {
    figures: Figures,
    #[serde(with = "undefined")]
    spectrum_error: f64,
}

/// Image model, spacing of noise levels, steps, whether guided, and what came of it.
type Found = (&'static str, &'static str, usize, bool, Measured);

impl Study {
    pub(super) fn validate(&self) -> Result<()> {
        World::Flow(self.flow.clone()).validate()?;
        refuse(
            !self.forms.is_empty()
                && !self.schedules.is_empty()
                && !self.steps.is_empty()
                && self.steps.iter().all(|s| (2..=1000).contains(s)),
            "study needs forms, schedules and numbers of steps from 2 to 1000",
        )?;
        refuse(
            (1..=64).contains(&self.members) && self.frames >= 12,
            "study.members lies between 1 and 64, study.frames is at least 12",
        )
    }

    pub(super) fn run(&self, lab: &Lab, results: &mut Results) -> Outcome<()> {
        let world = World::Flow(self.flow.clone());
        let data = lab.data(&world)?;
        let about = json!({ "world": world, "amount": lab.config.data });
        let tower = lab.tower("tower", &data, &about)?;
        results.trained(&tower.facts);
        let exact = truth(&data);
        let spectrum = spectrum(&exact, &data);
        let exact = Figures::of(&exact, &data, Some(&self.flow), 10, None)?;
        let mut table = Table::new(
            "rollouts",
            &format!(
                "Rollouts of {:?} (members, frames), without guidance and guided by the two-tower discriminator at lambda 1, \
                 calibrated with each image model.",
                lab.rollout(self.members, self.frames)
            ),
            &[
                "image model",
                "noise levels",
                "steps",
                "guided",
                "std ratio",
                "spectrum error",
                "kurtosis",
                "autocorrelation error, lags 1-10",
                "dynamics skill",
                "blew up at frame",
            ],
        );
        let mut found: Vec<Found> = Vec::new();
        for &form in &self.forms {
            let (image, name): (Box<dyn Denoise>, _) = match form {
                Form::Edm => {
                    let trained = lab.denoiser("denoiser-edm", &data, &about)?;
                    results.trained(&trained.facts);
                    (Box::new(trained.net), "EDM")
                }
                Form::VpCosine => {
                    let training = lab.config.denoiser(lab.seed);
                    let objective = VpObjective {
                        network: training.network.clone(),
                        batch: training.batch,
                    };
                    let size = (training.network.divisor(), training.steps);
                    let recipe = json!({ "training": training, "data": about, "form": form });
                    let trained = lab.network("denoiser-vp", &objective, &data, size, recipe)?;
                    results.trained(&trained.facts);
                    (Box::new(trained.net), "VP, cosine")
                }
            };
            // The tower is calibrated with each image model: its gain depends on what that model knows.
            let again = lab.tower("tower", &data, &about)?;
            let guide = lab.two_tower(again.net, image.as_ref(), &data, lab.config.side / 3)?;
            for &schedule in &self.schedules {
                for &steps in &self.steps {
                    for guided in [false, true] {
                        let config = LabConfig {
                            sampler_steps: steps,
                            ..lab.config.clone()
                        };
                        let own = Lab {
                            config: &config,
                            ..*lab
                        };
                        let sampler = SamplerSettings {
                            schedule,
                            ..config.sampler()
                        };
                        let guide: Option<(&dyn Discriminate, f32)> =
                            guided.then_some((&guide, 1.0));
                        let maker = Maker::Sampled {
                            denoiser: image.as_ref(),
                            guide,
                        };
                        let label = levels(schedule);
                        let file =
                            format!("{name}-{label}-{steps}-{guided}").replace([' ', ','], "-");
                        let recipe = json!({ "about": about, "form": form, "sampler": sampler });
                        let m: Measured = own.once(&file, &recipe, || {
                            let (members, frames) = own.rollout(self.members, self.frames);
                            let first = starts(&data, members, 0);
                            let rolled =
                                own.roll_with(maker, &first, HISTORY - 1, frames, &sampler)?;
                            let own_spectrum = self::spectrum(&rolled.members, &data);
                            Ok(Measured {
                                spectrum_error: spectrum_error(&own_spectrum, &spectrum)
                                    .unwrap_or(f64::NAN),
                                figures: Figures::of(
                                    &rolled.members,
                                    &data,
                                    Some(&self.flow),
                                    10,
                                    rolled.blow_up,
                                )?,
                            })
                        })?;
                        let f = &m.figures;
                        table.row(vec![
                            name.into(),
                            label.into(),
                            steps.to_string().into(),
                            if guided { "yes" } else { "no" }.into(),
                            (f.std / exact.std).into(),
                            m.spectrum_error.into(),
                            f.kurtosis.into(),
                            f.acf_error(&exact).into(),
                            f.skill.into(),
                            f.blow_up
                                .map_or_else(|| "-".to_owned(), |b| (b + 1).to_string())
                                .into(),
                        ]);
                        found.push((name, label, steps, guided, m));
                    }
                }
            }
        }
        for guided in [false, true] {
            let miss = |m: &Measured| match m.figures.blow_up {
                None if m.spectrum_error.is_finite() => m.spectrum_error,
                _ => f64::INFINITY,
            };
            let mine: Vec<_> = found.iter().filter(|f| f.3 == guided).collect();
            for &form in &["EDM", "VP, cosine"] {
                let best = mine
                    .iter()
                    .filter(|f| f.0 == form)
                    .min_by(|a, b| miss(&a.4).total_cmp(&miss(&b.4)));
                let Some((_, label, steps, _, m)) = best else {
                    continue;
                };
                let how = if guided { "guided" } else { "without guidance" };
                if let Some(frame) = m.figures.blow_up {
                    results.findings.push(format!(
                        "{form}, {how}: every rollout leaves the data, the one with {label} levels and {steps} steps at frame {}.",
                        frame + 1
                    ));
                    continue;
                }
                results.findings.push(format!(
                    "{form}, {how}: smallest spectrum error {} with {label} levels and {steps} steps (std {} of truth's, \
                     autocorrelation error {}, dynamics skill {}, truth's {}).",
                    short(m.spectrum_error),
                    short(m.figures.std / exact.std),
                    short(m.figures.acf_error(&exact)),
                    short(m.figures.skill.unwrap_or(f64::NAN)),
                    short(exact.skill.unwrap_or(f64::NAN))
                ));
            }
        }
        results.plots = plots(&found, exact.std);
        results.tables.push(table);
        Ok(())
    }
}

/// Spectrum error and spread over the number of steps, a curve for each image model and spacing of noise levels.
fn plots(found: &[Found], std: f64) -> Vec<Plot> {
    let mut out = Vec::new();
    for (guided, words) in [(true, "guided"), (false, "without guidance")] {
        type Read<'a> = &'a dyn Fn(&Measured) -> f64;
        let readings: [(&str, Read); 2] = [
            ("spectrum error", &|m| m.spectrum_error),
            ("std ratio", &|m| m.figures.std / std),
        ];
        for (name, read) in readings {
            let mut curves: Vec<Curve> = Vec::new();
            for (form, label, steps, _, m) in found.iter().filter(|f| f.3 == guided) {
                if m.figures.blow_up.is_some() {
                    continue;
                }
                let title = format!("{form}, {label}");
                let point = [*steps as f64, read(m)];
                match curves.iter_mut().find(|c| c.name == title) {
                    Some(curve) => curve.points.push(point),
                    None => curves.push(Curve::made(title, vec![point])),
                }
            }
            let letter = char::from(b'a' + out.len() as u8);
            out.push(Plot {
                title: format!("({letter}) {words}"),
                x: "sampler steps".into(),
                y: name.into(),
                log: [false, false],
                range: None,
                curves,
                upright: None,
            });
        }
    }
    out
}

fn levels(schedule: Schedule) -> &'static str {
    match schedule {
        Schedule::Geometric => "geometric",
        Schedule::Karras => "Karras",
        Schedule::Cosine => "cosine",
    }
}

/// Power by shell, as far as the data are resolved.
fn spectrum(members: &[Vec<Vec<f32>>], data: &Dataset) -> Vec<f64> {
    let owned = members.to_vec();
    let all: Vec<&[f32]> = views(&owned).into_iter().flatten().collect();
    shell_power(&all, data.grid().nx)
        .unwrap_or_default()
        .into_iter()
        .take_while(|p| p.is_finite())
        .collect()
}
