//! Two variables at once: vorticity and a tracer that it stirs, one image model of both. Does guidance keep them together,
//! and what must the discriminator see for it?

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::diffusion::{Denoise, Discriminate};
use crate::error::Result;
use crate::nn::HISTORY;
use crate::study::config::refuse;
use crate::study::pair::calibrate::Subject;
use crate::study::pair::figures::PairFigures;
use crate::study::pair::law::{Judged, PairTwoTower};
use crate::study::pair::nets::{PairDenoiserObjective, PairTowerObjective, Seer};
use crate::study::pair::{PairData, StirredFlow, VARIABLES};
use crate::study::results::{Curve, Plot, Results, Table, short};
use crate::study::roll::Maker;
use crate::study::{Lab, Outcome};

/// What is made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Study {
    /// The turbulence and its tracer.
    pub world: StirredFlow,
    /// Guidance strength.
    pub strength: f32,
    /// Lags of the autocorrelations.
    pub lags: usize,
    /// Members and frames of a rollout.
    pub members: usize,
    /// See `members`.
    pub frames: usize,
}

const ALONE: &str = "image model alone";
const BOTH: &str = "guided by both";
const CONTROL: &str = "forecaster + noise";

impl Study {
    pub(super) fn validate(&self) -> Result<()> {
        self.world.validate()?;
        refuse(
            self.strength.is_finite() && self.strength >= 0.0,
            "study.strength is not below 0",
        )?;
        refuse(
            (1..=64).contains(&self.members)
                && (1..=200).contains(&self.lags)
                && self.frames > self.lags,
            "study.members lies between 1 and 64, study.lags between 1 and 200, below study.frames",
        )
    }

    pub(super) fn run(&self, lab: &Lab, results: &mut Results) -> Outcome<()> {
        (lab.progress)("frames of vorticity and tracer", 0.0);
        let config = lab.config;
        let data = self
            .world
            .data(config.side, config.data, lab.seed, lab.stop)?;
        let about = json!({ "stirred": self.world, "amount": config.data });

        let training = config.pair_denoiser(lab.seed);
        let objective = PairDenoiserObjective {
            training: &training,
            data: &data,
        };
        let size = (training.network.divisor(), training.steps);
        let recipe = json!({ "training": training, "data": about });
        let image = lab.network("denoiser", &objective, &data.of[0], size, recipe)?;
        results.trained(&image.facts);

        let pair_tower = || {
            let training = config.pair_tower(lab.seed);
            let objective = PairTowerObjective {
                training: &training,
                data: &data,
            };
            let size = (training.network.divisor(), training.steps);
            let recipe = json!({ "training": training, "data": about });
            lab.network("tower-both", &objective, &data.of[0], size, recipe)
        };
        let mut seers = Vec::new();
        for (v, name) in VARIABLES.iter().enumerate() {
            let about = json!({ "variable": v, "of": about });
            let tower = lab.tower(&format!("tower-{name}"), &data.of[v], &about)?;
            results.trained(&tower.facts);
            seers.push((
                format!("guided by the {name} alone"),
                Seer::Alone(tower.net, v),
                Judged::Alone(v),
            ));
        }
        let tower = pair_tower()?;
        results.trained(&tower.facts);
        seers.push((BOTH.into(), Seer::Both(tower.net), Judged::Both));
        let tower = pair_tower()?;
        seers.push((
            "guided by both, laws apart".into(),
            Seer::Both(tower.net),
            Judged::Apart,
        ));

        let bench = Bench {
            study: self,
            lab,
            data: &data,
            image: &image.net,
            about: &about,
        };
        let truth = PairFigures::of(lab, &data.truth(), &data, &self.world, self.lags, None)?;
        let mut made = vec![(ALONE.to_owned(), bench.roll(ALONE, None)?)];
        let mut control = None;
        for (name, seer, judged) in seers {
            let subject = Subject {
                lab,
                seer: &seer,
                denoiser: &image.net,
                data: &data,
                judged,
            };
            let numbers = subject.calibrate()?;
            let guide = PairTwoTower::new(seer, numbers, lab.device());
            made.push((name.clone(), bench.roll(&name, Some(&guide))?));
            if judged == Judged::Both {
                control = Some(bench.measure(CONTROL, Maker::Forecaster(&guide))?);
            }
        }
        made.extend(control.map(|c| (CONTROL.to_owned(), c)));
        results.tables = vec![self.table(lab, &truth, &made), by_wavenumber(&truth, &made)];
        results.findings = self.findings(&truth, &made);
        results.plots = plots(&truth, &made);
        Ok(())
    }

    fn table(&self, lab: &Lab, truth: &PairFigures, made: &[(String, PairFigures)]) -> Table {
        let (members, frames) = lab.rollout(self.members, self.frames);
        let mut table = Table::new(
            "rollouts",
            &format!(
                "Rollouts of {members} members over {frames} frames (lambda {}, m = 3) against the validation runs. Vorticity, \
                 tracer; errors are means, of the autocorrelation over the lags 1 to {}, of the correlation by wavenumber over all \
                 resolved ones, of the lagged correlation (vorticity now, tracer later) over the lags.",
                self.strength, self.lags
            ),
            &[
                "made by",
                "lag 1, vorticity",
                "lag 1, tracer",
                "autocorrelation error, vorticity",
                "tracer",
                "std ratio, vorticity",
                "tracer",
                "spectrum error, vorticity",
                "tracer",
                "dynamics skill, vorticity",
                "tracer",
                "correlation by wavenumber, error",
                "lagged correlation, error",
                "blew up at frame",
            ],
        );
        let with_truth = std::iter::once(("truth", truth))
            .chain(made.iter().map(|(name, f)| (name.as_str(), f)));
        for (name, f) in with_truth {
            table.row(vec![
                name.into(),
                f.lag(0, 1).into(),
                f.lag(1, 1).into(),
                f.acf_error(truth, 0).into(),
                f.acf_error(truth, 1).into(),
                f.std_ratio(truth, 0).into(),
                f.std_ratio(truth, 1).into(),
                f.spectrum_error(truth, 0).into(),
                f.spectrum_error(truth, 1).into(),
                f.skill[0].into(),
                f.skill[1].into(),
                f.correlation_error(truth).into(),
                f.lagged_error(truth).into(),
                f.blow_up
                    .map_or_else(|| "-".to_owned(), |b| (b + 1).to_string())
                    .into(),
            ]);
        }
        table
    }

    fn findings(&self, truth: &PairFigures, made: &[(String, PairFigures)]) -> Vec<String> {
        let pair = |a: f64, b: f64| format!("{} and {}", short(a), short(b));
        let skills = |f: &PairFigures| {
            let [a, b] = f.skill.map(|s| s.unwrap_or(f64::NAN));
            pair(a, b)
        };
        let mut out = vec![format!(
            "Truth: the tracer's source has a correlation of {} with the stirring; the vorticity tells {} of the tracer's variance \
             linearly; lag 1 is {} (vorticity and tracer), dynamics skill {}.",
            self.world.correlation,
            short(truth.told),
            pair(truth.lag(0, 1), truth.lag(1, 1)),
            skills(truth)
        )];
        for (name, f) in made {
            out.push(match f.blow_up {
                Some(frame) => format!("{name}: leaves the data at frame {}.", frame + 1),
                None => format!(
                    "{name}: lag 1 is {}, the autocorrelation is off by {}, dynamics skill {}; the correlation of vorticity and \
                     tracer is off by {} by wavenumber, and by {} with the tracer later.",
                    pair(f.lag(0, 1), f.lag(1, 1)),
                    pair(f.acf_error(truth, 0), f.acf_error(truth, 1)),
                    skills(f),
                    short(f.correlation_error(truth)),
                    short(f.lagged_error(truth))
                ),
            });
        }
        out
    }
}

/// What rollouts share.
struct Bench<'a> {
    study: &'a Study,
    lab: &'a Lab<'a>,
    data: &'a PairData,
    image: &'a dyn Denoise,
    about: &'a serde_json::Value,
}

impl Bench<'_> {
    fn roll(&self, name: &str, guide: Option<&dyn Discriminate>) -> Outcome<PairFigures> {
        let maker = Maker::Sampled {
            denoiser: self.image,
            guide: guide.map(|g| (g, self.study.strength)),
        };
        self.measure(name, maker)
    }

    fn measure(&self, name: &str, maker: Maker) -> Outcome<PairFigures> {
        let (lab, study) = (self.lab, self.study);
        let (members, frames) = lab.rollout(study.members, study.frames);
        let recipe = json!({ "about": self.about, "size": [members, frames, study.lags], "strength": study.strength });
        lab.once(&name.replace([' ', ','], "-"), &recipe, || {
            let starts = self.data.starts(members, 0);
            let rolled = lab.roll(maker, &starts, HISTORY - 1, frames)?;
            PairFigures::of(
                lab,
                &rolled.members,
                self.data,
                &study.world,
                study.lags.min(frames.saturating_sub(2)),
                rolled.blow_up,
            )
        })
    }
}

fn by_wavenumber(truth: &PairFigures, made: &[(String, PairFigures)]) -> Table {
    let mut columns = vec!["wavenumber", "truth"];
    columns.extend(made.iter().map(|(name, _)| name.as_str()));
    let mut table = Table::new(
        "correlation",
        "Correlation of vorticity and tracer by wavenumber.",
        &columns,
    );
    for k in 1..truth.correlation.len() {
        let at = |f: &PairFigures| f.correlation.get(k).copied().flatten();
        let mut row = vec![k.to_string().into(), at(truth).into()];
        row.extend(made.iter().map(|(_, f)| at(f).into()));
        table.row(row);
    }
    table
}

fn plots(truth: &PairFigures, made: &[(String, PairFigures)]) -> Vec<Plot> {
    type Read = fn(&PairFigures) -> Vec<[f64; 2]>;
    fn line(values: &[Option<f64>], from: usize) -> Vec<[f64; 2]> {
        let all = values.iter().enumerate().skip(from);
        all.filter_map(|(i, v)| Some([i as f64, (*v)?])).collect()
    }
    fn power(values: &[f64]) -> Vec<[f64; 2]> {
        let all = values.iter().enumerate().skip(1);
        all.filter(|(_, p)| **p > 0.0)
            .map(|(k, p)| [k as f64, *p])
            .collect()
    }
    let kinds: [(&str, &str, &str, bool, Read); 6] = [
        (
            "vorticity in time",
            "lag, frames",
            "autocorrelation",
            false,
            |f| line(&f.acf[0], 0),
        ),
        (
            "tracer in time",
            "lag, frames",
            "autocorrelation",
            false,
            |f| line(&f.acf[1], 0),
        ),
        ("vorticity", "wavenumber", "power", true, |f| {
            power(&f.power[0])
        }),
        ("tracer", "wavenumber", "power", true, |f| {
            power(&f.power[1])
        }),
        (
            "vorticity with tracer",
            "wavenumber",
            "correlation",
            false,
            |f| line(&f.correlation, 1),
        ),
        (
            "vorticity with the tracer later",
            "lag, frames",
            "correlation",
            false,
            |f| line(&f.lagged, 0),
        ),
    ];
    kinds
        .into_iter()
        .enumerate()
        .map(|(i, (title, x, y, log, read))| {
            let mut curves = vec![Curve::truth("truth", read(truth))];
            curves.extend(
                made.iter()
                    .filter(|(_, f)| f.blow_up.is_none())
                    .map(|(name, f)| Curve::made(name, read(f))),
            );
            Plot {
                title: format!("({}) {title}", char::from(b'a' + i as u8)),
                x: x.into(),
                y: y.into(),
                log: [log, log],
                range: None,
                curves,
                upright: None,
            }
        })
        .collect()
}
