//! Figures of the equations, on the box: dynamics skill, budgets of energy and enstrophy.

use crate::metrics::{Band, Dynamics};
use crate::report::axis::plain;
use crate::report::chart::Layer;
use crate::report::style::{FRAME, INK};
use crate::report::{Axis, Chart, Figure, Grid, Numbers, Stroke};

use super::{Evaluation, Plate, listed};
use crate::evaluate::measure::{Measured, Unit};

/// Dynamics of some blocks.
fn dynamics_of(units: &[&Unit]) -> Option<Dynamics> {
    let mut all = Dynamics::default();
    for unit in units {
        all.merge(unit.dynamics.as_ref()?);
    }
    Some(all)
}

impl Measured {
    /// Dynamics over all blocks, on the box.
    pub fn dynamics(&self) -> Option<Dynamics> {
        dynamics_of(&self.units.iter().collect::<Vec<_>>())
    }
}

/// One bar a method with its interval.
fn bars(
    title: &str,
    label: &str,
    of: &[(&Measured, Band)],
    asked: Option<(f64, f64)>,
    level: Option<f64>,
) -> Chart {
    let ends = of.iter().flat_map(|(_, b)| [b.estimate, b.low, b.high]);
    let ends = ends.chain([0.0]).chain(level).chain(asked.map(|a| a.1));
    let mut y = Axis::around(label, ends);
    if of
        .iter()
        .all(|(_, b)| b.estimate >= 0.0 && b.low.is_nan() || b.low >= 0.0)
    {
        y = Axis::linear(label, 0.0, y.hi);
    }
    let n = of.len() as f64;
    let mut chart = Chart::new(title, Axis::bare(""), y);
    chart.x.hi = n;
    if let Some((lo, hi)) = asked {
        chart.layers.push(Layer::Asked(lo, hi));
    }
    for (k, (m, band)) in of.iter().enumerate() {
        let x = k as f64 + 0.5;
        let bar = [x - 0.32, x + 0.32, 0.0, band.estimate];
        chart.layers.push(Layer::Bars {
            bars: vec![bar],
            color: m.method.style().color,
            alpha: 0.85,
        });
        chart.layers.push(Layer::Whiskers {
            points: vec![[x, band.low, band.high]],
            color: INK,
        });
    }
    chart
        .layers
        .push(Layer::Level(0.0, Stroke::solid(FRAME, 1.0)));
    if let Some(level) = level {
        let stroke = Stroke {
            dash: &[4.0, 3.0],
            ..Stroke::solid(INK, 1.0)
        };
        chart.layers.push(Layer::Level(level, stroke));
    }
    chart
}

pub(super) fn dynamics(e: &Evaluation<'_>) -> Option<Plate> {
    let truth = e.truth()?.dynamics()?;
    let mut numbers = Numbers::default();
    let mut charts = Vec::new();
    let std = e.world.std;
    type Of = fn(&Dynamics, f64) -> Option<f64>;
    let all: [(&str, &str, Of); 3] = [
        ("(a) dynamics skill", "dynamics skill", |d, _| d.skill()),
        ("(b) regression a", "a", |d, _| d.a()),
        ("(c) residual", "residual / std", |d, std| {
            Some(d.residual()? / std)
        }),
    ];
    for (title, label, of) in all {
        let level = of(&truth, std);
        let found: Vec<(&Measured, Band)> = e
            .measured
            .iter()
            .filter_map(|m| {
                let bands =
                    m.over_units(e.plan.seed, |u| Some(vec![of(&dynamics_of(u)?, std)?]))?;
                Some((m, *bands.first()?))
            })
            .collect();
        for (m, band) in &found {
            numbers.band(m.method.label(), label, None, band);
        }
        let asked = match (label, level) {
            ("dynamics skill", Some(t)) => Some((t - 0.03, t + 0.03)),
            ("a", _) => Some((0.97, 1.03)),
            _ => None,
        };
        charts.push(bars(title, label, &found, asked, level));
    }
    let base = truth.skill()?;
    let parts: Vec<String> = e
        .models()
        .filter_map(|m| {
            Some(format!(
                "{} {}",
                m.method.label().to_lowercase(),
                plain(m.dynamics()?.skill()?, 3)
            ))
        })
        .collect();
    Some(Plate {
        id: "dynamics",
        title: "Dynamics: does the next frame follow from the last one?".into(),
        caption: "How much better the solver without forcing predicts a method's next frame than persistence does; a: regression of \
                  the step on the solver's; residual: what the regression leaves. Dashed: truth; shaded: what is asked for. \
                  Whiskers: 95 % of block bootstraps."
            .into(),
        sentence: format!(
            "Truth has a dynamics skill of {} (the rest is forcing that nobody can predict); {}.",
            plain(base, 3),
            listed(&parts)
        ),
        agrees: None,
        scene: Figure {
            charts,
            grid: Grid { columns: 3, aspect: 0.9, gap: 14.0 },
            legend: e.legend(),
            color_bar: None,
        }
        .scene(),
        numbers,
    })
}

pub(super) fn budget(e: &Evaluation<'_>) -> Option<Plate> {
    let ring = e.world.params.as_ref()?.forcing.ring();
    let mut numbers = Numbers::default();
    let mut charts = Vec::new();
    // Of energy and of enstrophy: content, losses, and the input that closes the budget.
    type Of = fn(&crate::metrics::FrameBudget) -> [f64; 2];
    let rows: [(&str, Of); 4] = [
        ("content", |b| [b.content.energy, b.content.enstrophy]),
        ("lost by drag", |b| [-b.drag.energy, -b.drag.enstrophy]),
        ("lost by hyperviscosity", |b| {
            [-b.hyperviscosity.energy, -b.hyperviscosity.enstrophy]
        }),
        ("input implied", |b| [b.input.energy, b.input.enstrophy]),
    ];
    let mut implied: Vec<(&Measured, f64)> = Vec::new();
    for (quantity, name) in ["energy", "enstrophy"].into_iter().enumerate() {
        for (what, of) in rows {
            let found: Vec<(&Measured, Band)> = e
                .measured
                .iter()
                .filter_map(|m| {
                    let bands = m.over_units(e.plan.seed, |units| {
                        let all: Vec<f64> = units
                            .iter()
                            .filter_map(|u| u.budget.as_ref())
                            .map(|b| of(b)[quantity])
                            .filter(|v| v.is_finite())
                            .collect();
                        (!all.is_empty()).then(|| vec![all.iter().sum::<f64>() / all.len() as f64])
                    })?;
                    Some((m, *bands.first()?))
                })
                .collect();
            for (m, band) in &found {
                numbers.band(m.method.label(), &format!("{name}, {what}"), None, band);
                if what == "input implied" && name == "energy" {
                    implied.push((m, band.estimate));
                }
            }
            let level = found
                .iter()
                .find(|(m, _)| m.method == crate::evaluate::method::Method::TRUTH)
                .map(|(_, b)| b.estimate);
            let title = format!("({}) {what}", char::from(b'a' + charts.len() as u8));
            // Vorticity is 1 / time unit, the box is 2 pi wide.
            let label = match (what, name) {
                ("content", "energy") => "energy, length² / time²",
                ("content", _) => "enstrophy, 1 / time²",
                _ => "",
            };
            charts.push(bars(&title, label, &found, None, level));
        }
    }
    let input = ring.map(|r| r.energy_input);
    let parts: Vec<String> = implied
        .iter()
        .map(|(m, v)| format!("{} {}", m.method.label().to_lowercase(), plain(*v, 3)))
        .collect();
    Some(Plate {
        id: "budget",
        title: "Budgets of energy and enstrophy".into(),
        caption: "Content per unit area, in units of the solver (the box is 2π wide); losses per time unit; and the input that \
                  closes the budget. Above energy, below enstrophy. Dashed: truth. Whiskers: 95 % of block bootstraps."
            .into(),
        sentence: format!(
            "The energy input that the frames imply: {}{}.",
            listed(&parts),
            input.map(|v| format!("; the solver's forcing puts in {}", plain(v, 3))).unwrap_or_default()
        ),
        agrees: None,
        scene: Figure {
            charts,
            grid: Grid { columns: 4, aspect: 0.95, gap: 8.0 },
            legend: e.legend(),
            color_bar: None,
        }
        .scene(),
        numbers,
    })
}
