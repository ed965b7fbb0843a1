//! Figures of ensemble forecasts: CRPS, spread and skill, rank histograms.

use crate::metrics::Band;
use crate::report::axis::plain;
use crate::report::chart::Layer;
use crate::report::style::FRAME;
use crate::report::{Axis, Chart, Figure, Grid, Numbers, Stroke, Style};
use crate::rollout::settings::LaneKind;

use super::{Evaluation, Plate, line_with_band, reach};
use crate::evaluate::forecasts::{Forecasts, Score, Start};
use crate::evaluate::measure::bootstrap;
use crate::evaluate::method::Method;

/// Scores of the starts that reach a lead (from 1).
fn at_lead(starts: &[&Start], lead: usize) -> Vec<Score> {
    starts
        .iter()
        .filter_map(|s| s.leads.get(lead - 1).cloned())
        .collect()
}

fn over_starts(
    f: &Forecasts,
    seed: u64,
    mut of: impl FnMut(&[&Start]) -> Option<Vec<f64>>,
) -> Option<Vec<Band>> {
    bootstrap(seed).bands(f.starts.len(), |pick| {
        let drawn: Vec<&Start> = pick.iter().filter_map(|i| f.starts.get(*i)).collect();
        of(&drawn)
    })
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, n) = values.fold((0.0, 0.0), |(s, n), v| (s + v, n + 1.0));
    sum / n
}

/// Spread-skill ratio of some starts at a lead; NaN of single members.
fn ratio(scores: &[Score], members: usize) -> f64 {
    let b = members as f64;
    let spread2 = mean(scores.iter().map(|s| s.spread2.unwrap_or(f64::NAN)));
    let skill2 = mean(scores.iter().map(|s| s.skill2));
    ((b + 1.0) / b * spread2 / skill2).sqrt()
}

impl Forecasts {
    fn members(&self) -> usize {
        self.starts.first().map_or(1, |s| s.members)
    }

    /// CRPS at each lead from 1.
    pub fn crps(&self, leads: usize, seed: u64) -> Option<Vec<Band>> {
        over_starts(self, seed, |starts| {
            let of = |lead| mean(at_lead(starts, lead).iter().map(|s| s.crps));
            Some((1..=leads).map(of).collect())
        })
    }

    /// Spread-skill ratio at each lead from 1.
    pub fn spread_skill(&self, leads: usize, seed: u64) -> Option<Vec<Band>> {
        let members = self.members();
        over_starts(self, seed, |starts| {
            let of = |lead| ratio(&at_lead(starts, lead), members);
            Some((1..=leads).map(of).collect())
        })
    }

    /// CRPS divided by another method's over the same starts, at each lead from 1.
    pub fn relative(&self, other: &Self, leads: usize, seed: u64) -> Option<Vec<Band>> {
        let same = |s: &Start| other.starts.iter().find(|o| o.at == s.at);
        let pairs: Vec<(&Start, &Start)> = self
            .starts
            .iter()
            .filter_map(|s| Some((s, same(s)?)))
            .collect();
        bootstrap(seed).bands(pairs.len(), |pick| {
            let drawn: Vec<_> = pick.iter().filter_map(|i| pairs.get(*i)).collect();
            let of = |lead: usize| {
                let crps = |s: &Start| s.leads.get(lead - 1).map_or(f64::NAN, |s| s.crps);
                mean(drawn.iter().map(|p| crps(p.0))) / mean(drawn.iter().map(|p| crps(p.1)))
            };
            Some((1..=leads).map(of).collect())
        })
    }
}

fn legend(e: &Evaluation<'_>) -> Vec<(String, Style)> {
    let all = e.forecasts.iter().map(|f| f.method);
    all.map(|m| (m.label().to_owned(), m.style())).collect()
}

pub(super) fn scores(e: &Evaluation<'_>) -> Option<Plate> {
    let (leads, seed) = (e.plan.sizes.leads, e.plan.seed);
    let xs: Vec<f64> = (1..=leads).map(|l| l as f64).collect();
    let mut numbers = Numbers::default();
    let (mut absolute, mut against, mut reliable) = (Vec::new(), Vec::new(), Vec::new());
    let (mut far, mut near, mut ratios) = (vec![0.0], vec![0.98, 1.02], vec![0.9, 1.1]);
    let guided = e.forecast(Method::Lane(LaneKind::Guided))?;
    let baseline = e
        .forecast(Method::Lane(LaneKind::Video))
        .or(e.forecast(Method::Lane(LaneKind::Forecaster)));
    for f in &e.forecasts {
        let (style, name) = (f.method.style(), f.method.label());
        if let Some(crps) = f.crps(leads, seed) {
            for (x, b) in xs.iter().zip(&crps) {
                numbers.band(name, &format!("CRPS, {}", e.world.units), Some(*x), b);
            }
            far.extend(crps.iter().map(|b| b.estimate));
            absolute.extend(line_with_band(&xs, &crps, style, true));
        }
        if let Some(base) = baseline
            && let Some(relative) = f.relative(base, leads, seed)
        {
            for (x, b) in xs.iter().zip(&relative) {
                let what = format!(
                    "CRPS divided by that of {}",
                    base.method.label().to_lowercase()
                );
                numbers.band(name, &what, Some(*x), b);
            }
            let close = matches!(
                f.method,
                Method::Lane(
                    LaneKind::Guided
                        | LaneKind::Video
                        | LaneKind::GuidedVideo
                        | LaneKind::Forecaster
                )
            );
            if close {
                near.extend(reach(&relative));
                against.extend(line_with_band(&xs, &relative, style, true));
            }
        }
        if f.members() > 1
            && let Some(ssr) = f.spread_skill(leads, seed)
        {
            for (x, b) in xs.iter().zip(&ssr) {
                numbers.band(name, "spread-skill ratio", Some(*x), b);
            }
            ratios.extend(reach(&ssr));
            reliable.extend(line_with_band(&xs, &ssr, style, true));
        }
    }
    let x = || Axis::linear(format!("lead, {}", e.world.step()), 0.6, leads as f64 + 0.4);
    let one = Layer::Level(1.0, Stroke::solid(FRAME, 1.0));
    let asked = if e.world.globe.is_some() {
        (0.9, 1.1)
    } else {
        (0.95, 1.05)
    };
    let mut charts = vec![Chart {
        layers: absolute,
        ..Chart::new(
            "(a) CRPS",
            x(),
            Axis::around(format!("CRPS, {}", e.world.units), far),
        )
    }];
    if let Some(base) = baseline {
        charts.push(
            Chart {
                layers: against,
                ..Chart::new(
                    format!("(b) relative to {}", base.method.label().to_lowercase()),
                    x(),
                    Axis::around("CRPS ratio", near),
                )
            }
            .with(one.clone()),
        );
    }
    let mut last = Chart::new(
        if charts.len() > 1 {
            "(c) spread-skill ratio"
        } else {
            "(b) spread-skill ratio"
        },
        x(),
        Axis::around("spread / skill", ratios),
    );
    last.layers = vec![Layer::Asked(asked.0, asked.1), one];
    last.layers.extend(reliable);
    charts.push(last);
    let columns = charts.len();
    let (sentence, agrees) = judge(e, guided, leads);
    Some(Plate {
        id: "forecasts",
        title: "Skill and reliability of ensemble forecasts".into(),
        caption: format!(
            "{} starts, {} members. CRPS: the fair one (of the single frame of persistence its mean absolute error). \
             Spread-skill ratio: variances averaged over starts before the root, with (B + 1)/B; shaded: what is asked for. \
             Bands: 95 % of bootstraps over starts.",
            guided.starts.len(),
            guided.members()
        ),
        sentence,
        agrees,
        scene: Figure {
            charts,
            grid: Grid {
                columns,
                aspect: 1.05,
                gap: 12.0,
            },
            legend: legend(e),
            color_bar: None,
        }
        .scene(),
        numbers,
    })
}

/// Ratios of CRPS this near to 1 say that two are even.
const EVEN: f64 = 0.005;

/// The paper: video has the lower CRPS at leads 1 and 2, guided after; guided's spread-skill ratio is the nearer to 1.
fn judge(e: &Evaluation<'_>, guided: &Forecasts, leads: usize) -> (String, Option<bool>) {
    let seed = e.plan.seed;
    let ssr = |f: &Forecasts| f.spread_skill(leads, seed);
    let distance = |f: &Forecasts| Some(mean(ssr(f)?.iter().map(|b| (b.estimate - 1.0).abs())));
    let range = ssr(guided).map(|all| {
        let ends = all.iter().map(|b| b.estimate);
        let (lo, hi) = (
            ends.clone().fold(f64::MAX, f64::min),
            ends.fold(f64::MIN, f64::max),
        );
        format!(
            "Guided has a spread-skill ratio of {} to {}",
            plain(lo, 2),
            plain(hi, 2)
        )
    });
    let range = range.unwrap_or_default();
    let Some(video) = e.forecast(Method::Lane(LaneKind::Video)) else {
        return (
            format!("{range}; there is no video model to compare it with."),
            None,
        );
    };
    let Some(relative) = guided.relative(video, leads, seed) else {
        return (format!("{range}."), None);
    };
    let part = |from: usize, upto: usize| {
        let some = relative.iter().skip(from - 1).take(upto + 1 - from);
        mean(some.map(|b| b.estimate))
    };
    let (early, late) = (part(1, 2), part(3, leads));
    let (g, v) = (distance(guided), distance(video));
    let apart = match (g, v) {
        (Some(g), Some(v)) => format!(
            " and is {} away from 1 on average, video {}",
            plain(g, 3),
            plain(v, 3)
        ),
        _ => String::new(),
    };
    let text = format!(
        "The CRPS of guided is {} times that of video at leads 1-2 and {} times at leads 3-{leads}. {range}{apart}.",
        plain(early, 3),
        plain(late, 3)
    );
    let agrees = g
        .zip(v)
        .map(|(g, v)| early >= 1.0 - EVEN && late <= 1.0 + EVEN && g <= v);
    (text, agrees)
}

pub(super) fn ranks(e: &Evaluation<'_>) -> Option<Plate> {
    let leads = e.plan.sizes.leads;
    let mut shown: Vec<usize> = [1, leads.div_ceil(2), leads].to_vec();
    shown.dedup();
    let mut numbers = Numbers::default();
    let mut charts = Vec::new();
    let mut apart: Vec<(Method, f64)> = Vec::new();
    let judged = |m: Method| m != Method::Persistence && m != Method::Lane(LaneKind::Unconditional);
    let all: Vec<&Forecasts> = e
        .forecasts
        .iter()
        .filter(|f| f.members() > 1 && judged(f.method))
        .collect();
    for (k, lead) in shown.iter().enumerate() {
        let (mut layers, mut values) = (Vec::new(), vec![0.5, 1.5]);
        for f in &all {
            let ranks = f.members() + 1;
            let Some(bands) = over_starts(f, e.plan.seed, |starts| {
                let scores = at_lead(starts, *lead);
                let of = |r: usize| {
                    // Relative to a flat histogram.
                    ranks as f64
                        * mean(
                            scores
                                .iter()
                                .map(|s| s.ranks.get(r).copied().unwrap_or(f64::NAN)),
                        )
                };
                Some((0..ranks).map(of).collect())
            }) else {
                continue;
            };
            let xs: Vec<f64> = (0..ranks).map(|r| r as f64 / (ranks - 1) as f64).collect();
            for (x, b) in xs.iter().zip(&bands) {
                numbers.band(
                    f.method.label(),
                    &format!("frequency of ranks, lead {lead}"),
                    Some(*x),
                    b,
                );
            }
            values.extend(bands.iter().map(|b| b.estimate));
            if k == 0 {
                apart.push((
                    f.method,
                    mean(bands.iter().map(|b| (b.estimate - 1.0).abs())),
                ));
            }
            layers.extend(line_with_band(&xs, &bands, f.method.style(), false));
        }
        let title = format!("({}) lead {lead}", char::from(b'a' + k as u8));
        charts.push(
            Chart {
                layers,
                ..Chart::new(
                    title,
                    Axis::linear("rank of truth / members", 0.0, 1.0),
                    Axis::around(if k == 0 { "frequency / flat" } else { "" }, values),
                )
            }
            .with(Layer::Level(1.0, Stroke::solid(FRAME, 1.0))),
        );
    }
    let columns = charts.len().max(1);
    let parts: Vec<String> = apart
        .iter()
        .map(|(m, v)| format!("{} {} %", m.label().to_lowercase(), plain(100.0 * v, 0)))
        .collect();
    (!all.is_empty()).then(|| Plate {
        id: "ranks",
        title: "Rank histograms".into(),
        caption: "How often truth has so many members below it, relative to a flat histogram; the ends high: too little \
                  spread. Bands: 95 % of bootstraps over starts."
            .into(),
        sentence: format!(
            "A reliable ensemble is flat at 1. Mean departure at lead 1: {}.",
            super::listed(&parts)
        ),
        agrees: None,
        scene: Figure {
            charts,
            grid: Grid { columns, aspect: 0.95, gap: 12.0 },
            legend: all.iter().map(|f| (f.method.label().to_owned(), f.method.style())).collect(),
            color_bar: None,
        }
        .scene(),
        numbers,
    })
}
