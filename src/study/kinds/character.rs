//! Data of other temporal character: turbulence saved at other intervals, a rotating star, returns with stochastic
//! volatility. Where does guidance by the two-tower discriminator reach, and where does it end?

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::data::Dataset;
use crate::data::pairs::PairSettings;
use crate::diffusion::Denoise;
use crate::diffusion::encoder::EncoderGuide;
use crate::error::Result;
use crate::metrics::{Dynamics, kurtosis, mean_absolute_error, pooled_acf};
use crate::nn::HISTORY;
use crate::sim::Solver;
use crate::study::config::refuse;
use crate::study::law::undefined;
use crate::study::results::{Cell, Curve, Plot, Results, Table, short};
use crate::study::roll::{Ensemble, Maker, starts, std, truth, views};
use crate::study::worlds::star::peak;
use crate::study::worlds::volatility::acf_of_size;
use crate::study::worlds::{Flow, World};
use crate::study::{Lab, Outcome};

/// What is varied.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Study {
    /// The worlds. All flows share the image model of the first one: single frames have the same law at any interval.
    pub worlds: Vec<World>,
    /// Guidance strengths of an encoder in the world of volatility; none trains no encoder.
    pub encoder_strengths: Vec<f32>,
    /// False successors that it learns from.
    pub pairs: PairSettings,
    /// Lags of the autocorrelation that is kept.
    pub lags: usize,
    /// Members and frames of a rollout.
    pub members: usize,
    /// See `members`.
    pub frames: usize,
}

/// A series in figures.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Figures {
    pub acf: Vec<Option<f64>>,
    /// Autocorrelation of the sizes of values.
    pub size: Vec<Option<f64>>,
    #[serde(with = "undefined")]
    pub std: f64,
    #[serde(with = "undefined")]
    pub kurtosis: f64,
    /// Dynamics skill, where there is a solver.
    pub skill: Option<f64>,
    pub blow_up: Option<usize>,
}

impl Figures {
    /// Figures of an ensemble; `flow` gives the solver.
    pub fn of(
        members: &Ensemble,
        data: &Dataset,
        flow: Option<&Flow>,
        lags: usize,
        blow_up: Option<usize>,
    ) -> Outcome<Self> {
        let views = views(members);
        let all: Vec<&[f32]> = views.iter().flatten().copied().collect();
        let known = |v: Vec<f64>| {
            v.into_iter()
                .map(|v| Some(v).filter(|v| v.is_finite()))
                .collect()
        };
        let skill = match flow {
            Some(flow) => {
                let mut solver = Solver::new(&flow.params(data.grid().nx))?;
                let scale = data.normalisation().scale as f32;
                let mut sums = Dynamics::default();
                for member in members {
                    let physical: Vec<Vec<f32>> = member
                        .iter()
                        .map(|f| f.iter().map(|v| v * scale).collect())
                        .collect();
                    for pair in physical.windows(2) {
                        sums.push(&pair[0], &pair[1], &solver.unforced_frame(&pair[0]));
                    }
                }
                sums.skill()
            }
            None => None,
        };
        Ok(Self {
            acf: known(pooled_acf(&views, lags).unwrap_or_default()),
            size: known(acf_of_size(members, lags)),
            std: std(members),
            kurtosis: kurtosis(&all).unwrap_or(f64::NAN),
            skill,
            blow_up,
        })
    }

    fn lag(&self, lag: usize) -> f64 {
        self.acf.get(lag).copied().flatten().unwrap_or(f64::NAN)
    }

    pub fn acf_error(&self, truth: &Self) -> f64 {
        let plain = |v: &[Option<f64>]| v.iter().map(|v| v.unwrap_or(f64::NAN)).collect::<Vec<_>>();
        mean_absolute_error(&plain(&self.acf), &plain(&truth.acf)).unwrap_or(f64::NAN)
    }

    fn size_at(&self, lag: usize) -> f64 {
        self.size.get(lag).copied().flatten().unwrap_or(f64::NAN)
    }
}

impl Study {
    pub(super) fn validate(&self) -> Result<()> {
        self.worlds.iter().try_for_each(World::validate)?;
        refuse(
            !self.worlds.is_empty(),
            "study.worlds names at least one world",
        )?;
        refuse(
            (10..=200).contains(&self.lags) && self.frames > self.lags,
            "study.lags lies between 10 and 200, below study.frames",
        )?;
        refuse(
            (1..=64).contains(&self.members)
                && self
                    .encoder_strengths
                    .iter()
                    .all(|s| s.is_finite() && *s >= 0.0),
            "study.members lies between 1 and 64, study.encoder_strengths are not below 0",
        )
    }

    pub(super) fn run(&self, lab: &Lab, results: &mut Results) -> Outcome<()> {
        let (members, frames) = lab.rollout(self.members, self.frames);
        let mut table = Table::new(
            "rollouts",
            &format!(
                "Rollouts of {members} members over {frames} frames (m = 3) against the validation runs. Sizes are absolute \
                 values about their mean."
            ),
            &[
                "world",
                "made by",
                "autocorrelation at lag 1",
                "at lag 5",
                "at lag 10",
                "its error, lags 1-10",
                "autocorrelation of sizes at lag 1",
                "at lag 5",
                "std ratio",
                "kurtosis",
                "dynamics skill",
                "blew up at frame",
            ],
        );
        let mut flow = None;
        let mut scale = None;
        for world in &self.worlds {
            let of_flow = match world {
                World::Flow(f) => Some(f),
                _ => None,
            };
            let given = scale.filter(|_| of_flow.is_some());
            let data = lab.data_of(world, lab.config.data, lab.seed, given)?;
            let about = json!({ "world": world, "amount": lab.config.data });
            let name = world.name();
            let trained = match (flow.take(), of_flow) {
                (Some(shared), Some(_)) => shared,
                (kept, None) => {
                    flow = kept;
                    lab.denoiser(&format!("denoiser-{name}"), &data, &about)?
                }
                (None, Some(_)) => {
                    scale = Some(data.normalisation());
                    lab.denoiser(&format!("denoiser-{name}"), &data, &about)?
                }
            };
            results.trained(&trained.facts);
            let tower = lab.tower(&format!("tower-{name}"), &data, &about)?;
            results.trained(&tower.facts);
            let image: &dyn Denoise = &trained.net;
            let resolved = if of_flow.is_some() {
                lab.config.side / 3
            } else {
                lab.config.side / 2
            };
            let guide = lab.two_tower(tower.net, image, &data, resolved)?;
            let sampled = |guide| Maker::Sampled {
                denoiser: image,
                guide,
            };
            let mut lanes: Vec<(String, Maker)> = vec![
                ("image model alone".into(), sampled(None)),
                ("guided, two-tower".into(), sampled(Some((&guide, 1.0)))),
                ("forecaster + noise".into(), Maker::Forecaster(&guide)),
            ];
            let encoder = match world {
                World::Volatility(_) if !self.encoder_strengths.is_empty() => {
                    let e =
                        lab.encoder(&format!("encoder-{name}"), &data, self.pairs, None, &about)?;
                    results.trained(&e.facts);
                    Some(EncoderGuide::new(e.net))
                }
                _ => None,
            };
            if let Some(encoder) = &encoder {
                for strength in &self.encoder_strengths {
                    lanes.push((
                        format!("guided, encoder, lambda {strength}"),
                        sampled(Some((encoder, *strength))),
                    ));
                }
            }
            let exact = Figures::of(&truth(&data), &data, of_flow, self.lags, None)?;
            let mut made = Vec::new();
            let first = starts(&data, members, 0);
            for (lane, maker) in lanes {
                let recipe =
                    json!({ "about": about, "size": [members, frames], "lags": self.lags });
                let file = format!("{name}-{}", lane.replace([' ', ','], "-"));
                let figures: Figures = lab.once(&file, &recipe, || {
                    let rolled = lab.roll(maker, &first, HISTORY - 1, frames)?;
                    Figures::of(&rolled.members, &data, of_flow, self.lags, rolled.blow_up)
                })?;
                made.push((lane, figures));
            }
            table.row(row(&name, "truth", &exact, &exact));
            for (lane, f) in &made {
                table.row(row(&name, lane, f, &exact));
            }
            results.findings.push(sentence(world, &exact, &made));
            results
                .plots
                .push(plot(world, &exact, &made, results.plots.len()));
            if of_flow.is_some() {
                flow = Some(trained);
            }
        }
        results.tables.push(table);
        Ok(())
    }
}

fn row(world: &str, lane: &str, f: &Figures, truth: &Figures) -> Vec<Cell> {
    vec![
        world.into(),
        lane.into(),
        f.lag(1).into(),
        f.lag(5).into(),
        f.lag(10).into(),
        f.acf_error(truth).into(),
        f.size_at(1).into(),
        f.size_at(5).into(),
        (f.std / truth.std).into(),
        f.kurtosis.into(),
        f.skill.into(),
        f.blow_up
            .map_or_else(|| "-".to_owned(), |b| (b + 1).to_string())
            .into(),
    ]
}

fn sentence(world: &World, truth: &Figures, made: &[(String, Figures)]) -> String {
    let plain = |f: &Figures| {
        f.acf
            .iter()
            .map(|v| v.unwrap_or(f64::NAN))
            .collect::<Vec<_>>()
    };
    let guided = made.iter().find(|(lane, _)| lane == "guided, two-tower");
    let control = made.iter().find(|(lane, _)| lane == "forecaster + noise");
    let (Some((_, g)), Some((_, c))) = (guided, control) else {
        return String::new();
    };
    if let Some(frame) = g.blow_up {
        return format!(
            "{}: the guided rollout blows up at frame {}.",
            world.name(),
            frame + 1
        );
    }
    match world {
        World::Flow(f) => format!(
            "Turbulence every {} solver steps (lag 1 of truth {}): guided, the autocorrelation is off by {} (forecaster + \
             noise {}), dynamics skill {} (truth {}), std {} of truth's.",
            f.steps_per_frame,
            short(truth.lag(1)),
            short(g.acf_error(truth)),
            short(c.acf_error(truth)),
            short(g.skill.unwrap_or(f64::NAN)),
            short(truth.skill.unwrap_or(f64::NAN)),
            short(g.std / truth.std)
        ),
        World::Star(s) => {
            let turn = s.period.round() as usize;
            let around = |f: &Figures| peak(&plain(f), turn.saturating_sub(4).max(1), turn + 4);
            let (t, g_peak) = (around(truth), around(g));
            let words = |p: Option<(usize, f64)>| {
                p.map_or_else(
                    || "none".into(),
                    |(lag, v)| format!("{} at lag {lag}", short(v)),
                )
            };
            format!(
                "The star turns in {} frames; the peak of the autocorrelation is {} for truth, {} guided; the autocorrelation is \
                 off by {} at lags 1-10 (forecaster + noise {}).",
                short(s.period),
                words(t),
                words(g_peak),
                short(g.acf_error(truth)),
                short(c.acf_error(truth))
            )
        }
        World::Volatility(v) => {
            let encoder = made
                .iter()
                .filter(|(lane, f)| lane.contains("encoder") && f.blow_up.is_none())
                .map(|(lane, f)| format!("{} with {lane}", short(f.size_at(1))))
                .collect::<Vec<_>>()
                .join(", ");
            format!(
                "Returns have memory in their sizes alone (lag 1: formula {}, truth {}); guided by the two-tower, whose closed form \
                 knows a mean and one spread, it is {}, with {} for the image model alone{}. Kurtosis: formula {}, truth {}, guided {}, \
                 forecaster + noise {}.",
                short(v.acf_of_size(1)),
                short(truth.size_at(1)),
                short(g.size_at(1)),
                short(made.first().map_or(f64::NAN, |(_, f)| f.size_at(1))),
                if encoder.is_empty() {
                    String::new()
                } else {
                    format!(", {encoder}")
                },
                short(v.kurtosis()),
                short(truth.kurtosis),
                short(g.kurtosis),
                short(c.kurtosis)
            )
        }
        _ => format!(
            "{}: guided, the autocorrelation is off by {} (forecaster + noise {}), std {} of truth's.",
            world.name(),
            short(g.acf_error(truth)),
            short(c.acf_error(truth)),
            short(g.std / truth.std)
        ),
    }
}

fn plot(world: &World, truth: &Figures, made: &[(String, Figures)], number: usize) -> Plot {
    let sizes = matches!(world, World::Volatility(_));
    let line = |f: &Figures| {
        let values = if sizes { &f.size } else { &f.acf };
        values
            .iter()
            .enumerate()
            .filter_map(|(lag, v)| Some([lag as f64, (*v)?]))
            .collect()
    };
    let mut curves = vec![Curve::truth("truth", line(truth))];
    curves.extend(made.iter().map(|(lane, f)| Curve::made(lane, line(f))));
    let letter = char::from(b'a' + (number % 26) as u8);
    let what = match world {
        World::Flow(f) if f.steps_per_frame == 1 => "turbulence, every solver step".into(),
        World::Flow(f) => format!("turbulence, every {} solver steps", f.steps_per_frame),
        World::Star(_) => "rotating star".into(),
        World::Volatility(_) => "sizes of returns".into(),
        _ => world.name(),
    };
    Plot {
        title: format!("({letter}) {what}"),
        x: "lag, frames".into(),
        y: "autocorrelation".into(),
        log: [false, false],
        range: None,
        curves,
        upright: None,
    }
}
