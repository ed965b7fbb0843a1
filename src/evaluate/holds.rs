//! What must hold: the figures that a model is asked for, with thresholds and verdicts.

use serde_json::{Value, json};

use crate::metrics::{Drift, EofMatch};
use crate::report::axis::{plain, significant};
use crate::report::page::Table;
use crate::rollout::settings::LaneKind;

use super::measure::Measured;
use super::method::Method;
use super::plates::Evaluation;
use super::plates::{acf_error, correlation, distance};

/// Frames after which the standard deviation is asked for.
const LONG: usize = 1000;

/// Frames over which a run must not drift.
const CENTURY: usize = 10_000;

/// A figure that is asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// What it is.
    pub name: String,
    /// What is asked of it.
    pub asked: String,
    /// What was found, in words.
    pub found: String,
    /// What was found; NaN where it was not measured.
    pub value: f64,
    /// Whether it holds; `None` where it was not measured.
    pub holds: Option<bool>,
}

impl Asked {
    fn missing(name: &str, asked: &str, why: &str) -> Self {
        Self {
            name: name.into(),
            asked: asked.into(),
            found: why.into(),
            value: f64::NAN,
            holds: None,
        }
    }

    fn new(name: &str, asked: &str, value: f64, found: String, holds: bool) -> Self {
        Self {
            name: name.into(),
            asked: asked.into(),
            found,
            value,
            holds: Some(holds && value.is_finite()),
        }
    }

    /// Its verdict in words.
    pub fn verdict(&self) -> &'static str {
        match self.holds {
            Some(true) => "holds",
            Some(false) => "falls short",
            None => "not measured",
        }
    }

    /// As JSON.
    pub fn json(&self) -> Value {
        json!({
            "name": self.name,
            "asked": self.asked,
            "found": self.found,
            "value": if self.value.is_finite() { json!(self.value) } else { Value::Null },
            "holds": self.holds,
        })
    }
}

/// A figure that is to be at most so much.
fn at_most(name: &str, value: Option<f64>, most: f64, digits: usize) -> Asked {
    let asked = format!("at most {most}");
    match value {
        Some(v) => Asked::new(name, &asked, v, plain(v, digits), v <= most),
        None => Asked::missing(name, &asked, "undefined"),
    }
}

/// A figure that is to lie within a range.
fn within(name: &str, value: Option<f64>, lo: f64, hi: f64) -> Asked {
    let asked = format!("{lo} to {hi}");
    match value {
        Some(v) => Asked::new(name, &asked, v, plain(v, 3), (lo..=hi).contains(&v)),
        None => Asked::missing(name, &asked, "undefined"),
    }
}

/// All of them, for the guided lane.
pub fn all(e: &Evaluation<'_>) -> Vec<Asked> {
    let (Some(truth), Some(guided)) = (e.truth(), e.of(LaneKind::Guided)) else {
        return Vec::new();
    };
    let globe = e.world.globe.is_some();
    let pick = |b: f64, g: f64| if globe { g } else { b };
    let mut rows = vec![
        at_most(
            "autocorrelation, mean absolute error at lags 1-10",
            acf_error(guided, truth),
            pick(0.012, 0.03),
            4,
        ),
        at_most(
            "spectrum error, mean |log10 ratio|",
            distance(e, guided),
            pick(0.03, 0.05),
            4,
        ),
    ];
    if let (Some(t), Some(g)) = (truth.dynamics(), guided.dynamics()) {
        let difference = g.skill().zip(t.skill()).map(|(g, t)| g - t);
        rows.push(within(
            "dynamics skill, model minus truth",
            difference,
            -0.03,
            0.03,
        ));
        rows.push(within(
            "regression a of the frame step on the solver's",
            g.a(),
            0.97,
            1.03,
        ));
    }
    rows.push(std_ratio(e, guided, truth));
    rows.extend(forecasts(
        e,
        pick(0.95, 0.9),
        pick(1.05, 1.1),
        pick(1.02, 1.05),
    ));
    rows.push(drift(e, guided, truth));
    rows.push(waiting(e, truth));
    rows.push(match guided.matches.as_ref() {
        Some(found) => {
            let worst = found.iter().map(correlation).fold(f64::INFINITY, f64::min);
            let words = |found: &[EofMatch]| {
                let all: Vec<String> = found.iter().map(|m| plain(correlation(m), 3)).collect();
                all.join(", ")
            };
            let own = truth
                .matches
                .as_ref()
                .map(|m| format!("; halves of truth {}", words(m)));
            let text = format!("{}{}", words(found), own.unwrap_or_default());
            let name = "EOFs 1-3, pattern correlation with truth";
            Asked::new(name, "at least 0.95", worst, text, worst >= 0.95)
        }
        None => Asked::missing(
            "EOFs 1-3, pattern correlation with truth",
            "at least 0.95",
            "undefined",
        ),
    });
    rows
}

fn std_ratio(e: &Evaluation<'_>, guided: &Measured, truth: &Measured) -> Asked {
    let name = format!("std ratio after {LONG} {}", e.world.step());
    let asked = "0.97 to 1.03";
    let frames = guided.runs.iter().map(|r| r.std.len()).min().unwrap_or(0);
    if frames < LONG {
        return Asked::missing(
            &name,
            asked,
            &format!("the runs have {frames} {}", e.world.step()),
        );
    }
    let rms = |m: &Measured, skip: usize| {
        let all: Vec<f64> = m
            .runs
            .iter()
            .flat_map(|r| r.std.iter().skip(skip))
            .map(|v| v * v)
            .collect();
        (all.iter().sum::<f64>() / all.len() as f64).sqrt()
    };
    // The last frames of the first thousand, and all after it.
    let ratio = rms(guided, LONG - 100) / rms(truth, 0);
    within(&name, Some(ratio), 0.97, 1.03)
}

fn forecasts(e: &Evaluation<'_>, lo: f64, hi: f64, early: f64) -> Vec<Asked> {
    let leads = e.plan.sizes.leads;
    let guided = e.forecast(Method::Lane(LaneKind::Guided));
    let video = e.forecast(Method::Lane(LaneKind::Video));
    let mut rows = Vec::new();
    let name = format!("spread-skill ratio, leads 1-{leads}");
    let asked = format!("{lo} to {hi}");
    rows.push(
        match guided.and_then(|f| f.spread_skill(leads, e.plan.seed)) {
            Some(all) => {
                let (least, most) = all
                    .iter()
                    .fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| {
                        (a.min(v.estimate), b.max(v.estimate))
                    });
                let far = if 1.0 - least > most - 1.0 {
                    least
                } else {
                    most
                };
                let found = format!("{} to {}", plain(least, 3), plain(most, 3));
                Asked::new(&name, &asked, far, found, least >= lo && most <= hi)
            }
            None => Asked::missing(&name, &asked, "there are no forecasts"),
        },
    );
    let ratio = guided
        .zip(video)
        .and_then(|(g, v)| g.relative(v, leads, e.plan.seed));
    for (from, upto, most) in [(1, 2.min(leads), early), (3, leads, 1.0)] {
        let name = format!("CRPS of guided / video, leads {from}-{upto}");
        let asked = format!("at most {most}");
        rows.push(match &ratio {
            Some(all) if upto >= from => {
                let part = all.get(from - 1..upto).unwrap_or_default();
                let worst = part
                    .iter()
                    .map(|b| b.estimate)
                    .fold(f64::NEG_INFINITY, f64::max);
                let found = format!("up to {}", plain(worst, 3));
                Asked::new(&name, &asked, worst, found, worst <= most)
            }
            _ => Asked::missing(
                &name,
                &asked,
                "there are no forecasts of a video model so far ahead",
            ),
        });
    }
    rows
}

fn drift(e: &Evaluation<'_>, guided: &Measured, truth: &Measured) -> Asked {
    let name = format!("drift of mean and std over {CENTURY} {}", e.world.step());
    let asked = "within truth's own block spread";
    let frames = guided.runs.iter().map(|r| r.mean.len()).min().unwrap_or(0);
    if frames < CENTURY {
        return Asked::missing(
            &name,
            asked,
            &format!("the runs have {frames} {}", e.world.step()),
        );
    }
    let length = e.plan.sizes.block(e.world.globe.is_some());
    let blocks = |series: &[f64]| -> Vec<f64> {
        let whole = series.chunks_exact(length);
        whole
            .map(|c| c.iter().sum::<f64>() / length as f64)
            .collect()
    };
    type Of = fn(&super::measure::RunFigures) -> &Vec<f64>;
    let all: [(&str, Of); 2] = [("mean", |r| &r.mean), ("std", |r| &r.std)];
    let (mut worst, mut words) = (0.0_f64, Vec::new());
    for (what, of) in all {
        let known: Vec<f64> = truth.runs.iter().flat_map(|r| blocks(of(r))).collect();
        let shares = guided.runs.iter().filter_map(|r| {
            let drift = Drift::of(&blocks(of(r)), &known)?;
            // Truth's mean on a torus is 0 to rounding: a thousandth of the std is as good.
            Some(drift.change.abs() / drift.spread.max(1e-3 * e.world.std))
        });
        let share = shares.fold(0.0, f64::max);
        worst = worst.max(share);
        words.push(format!("{what} {} of it", plain(share, 2)));
    }
    Asked::new(&name, asked, worst, words.join(", "), worst <= 1.0)
}

fn waiting(e: &Evaluation<'_>, truth: &Measured) -> Asked {
    let name = "waiting times, W1 against truth";
    let asked = "at most the video model's";
    let w1 = |k: LaneKind| e.of(k)?.waiting()?.w1(&truth.waiting()?);
    match (w1(LaneKind::Guided), w1(LaneKind::Video)) {
        (Some(g), Some(v)) => {
            let found = format!(
                "{} {}, video {}",
                significant(g),
                e.world.step(),
                significant(v)
            );
            Asked::new(name, asked, g, found, g <= v)
        }
        _ => Asked::missing(name, asked, "there are no runs of a video model"),
    }
}

/// The table of the report.
pub fn table(rows: &[Asked]) -> Table {
    let count = |v: Option<bool>| rows.iter().filter(|r| r.holds == v).count();
    Table {
        id: "holds".into(),
        title: "What must hold".into(),
        intro: format!(
            "Of the guided lane: {} hold, {} fall short, {} were not measured at this size.",
            count(Some(true)),
            count(Some(false)),
            count(None)
        ),
        head: ["Figure", "Asked", "Found", "Verdict"]
            .map(str::to_owned)
            .to_vec(),
        rows: rows
            .iter()
            .map(|r| {
                vec![
                    r.name.clone(),
                    r.asked.clone(),
                    r.found.clone(),
                    r.verdict().into(),
                ]
            })
            .collect(),
    }
}

/// The table for a terminal.
pub fn text(rows: &[Asked]) -> String {
    let width = |of: fn(&Asked) -> &str| {
        rows.iter()
            .map(|r| of(r).chars().count())
            .max()
            .unwrap_or(0)
    };
    let (a, b, c) = (width(|r| &r.name), width(|r| &r.asked), width(|r| &r.found));
    let line = |r: &Asked| {
        format!(
            "  {:a$}  {:b$}  {:c$}  {}\n",
            r.name,
            r.asked,
            r.found,
            r.verdict()
        )
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts() {
        assert_eq!(at_most("x", Some(0.012), 0.012, 4).verdict(), "holds");
        assert_eq!(
            at_most("x", Some(0.0121), 0.012, 4).verdict(),
            "falls short"
        );
        assert_eq!(
            at_most("x", Some(f64::NAN), 0.012, 4).verdict(),
            "falls short"
        );
        assert_eq!(at_most("x", None, 0.012, 4).verdict(), "not measured");
        assert_eq!(within("x", Some(0.96), 0.97, 1.03).holds, Some(false));
        let table = table(&[within("x", Some(1.0), 0.97, 1.03)]);
        assert!(
            table.intro.contains("1 hold, 0 fall short"),
            "{}",
            table.intro
        );
    }
}
