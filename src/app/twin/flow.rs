//! The twin in the box: model, solver without and with forcing, differences, and how they part.

use std::sync::Arc;

use egui::{Rect, Ui, pos2, vec2};

use crate::rollout::twin::{FlowTwin, LONGEST};

use super::super::panels::color_bar;
use super::super::plots::chart::{Chart, Curve};
use super::super::state::State;
use super::super::theme::{GRID, palette};
use super::super::tile::{self, TWIN_SLOT, Tile};
use super::super::widgets::{note, number, picture_title};
use super::{empty, values, waiting};

const GAP: f32 = 3.0 * GRID;
const TITLE: f32 = 24.0;

/// Rms differences divided by the data's standard deviation, by frames after the start.
#[derive(Debug, Default)]
pub struct Growth {
    /// Model and solver without forcing.
    unforced: Vec<f64>,
    /// Model and solver with forcing; mean over the runs.
    forced: Vec<f64>,
    /// The solver with one forcing and with another.
    own: Vec<f64>,
    /// Solver with and without forcing.
    forcing: Vec<f64>,
}

/// Difference fields of the frame shown, kept while it is shown.
#[derive(Debug, Default)]
pub struct Differences {
    of: Option<(Arc<[f32]>, usize, u64)>,
    unforced: Option<Arc<[f32]>>,
    forced: Option<Arc<[f32]>>,
}

impl Growth {
    /// Model and solver with forcing.
    pub(super) fn forced(&self) -> &[f64] {
        &self.forced
    }
}

fn rms(a: &[f32], b: &[f32]) -> f64 {
    let sum: f64 = a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum();
    (sum / a.len().max(1) as f64).sqrt()
}

fn minus(a: &[f32], b: &[f32]) -> Arc<[f32]> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

/// Extends the curves to what both have reached.
pub(super) fn measure(state: &mut State) {
    let (Some(origin), Some(facts)) = (state.twin.origin.clone(), state.facts.clone()) else {
        return;
    };
    let Some(flow) = state.twin.value.flow.clone() else {
        return;
    };
    if state.twin.value.number != state.twin.number {
        return;
    }
    let std = facts.data_std.max(1e-12);
    let mut growth = std::mem::take(&mut state.twin.growth);
    for k in growth.own.len()..=flow.frames() {
        let (Some(still), Some(forced)) = (flow.unforced.get(k), flow.forced.get(k)) else {
            break;
        };
        let pairs: Vec<f64> = (0..forced.len())
            .flat_map(|i| (0..i).map(move |j| (i, j)))
            .map(|(i, j)| rms(&forced[i], &forced[j]))
            .collect();
        growth.own.push(mean(&pairs) / std);
        let with: Vec<f64> = forced.iter().map(|f| rms(f, still)).collect();
        growth.forcing.push(mean(&with) / std);
    }
    for k in growth.forced.len()..growth.own.len() {
        let Some(model) = values(state, state.twin.lane, origin.frame + k) else {
            break;
        };
        growth.unforced.push(rms(&model, &flow.unforced[k]) / std);
        let with: Vec<f64> = flow.forced[k].iter().map(|f| rms(&model, f)).collect();
        growth.forced.push(mean(&with) / std);
    }
    state.twin.growth = growth;
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// The tiles.
pub(super) fn show(ui: &mut Ui, state: &mut State, whole: Rect) {
    let (Some(origin), Some(flow), Some(facts)) = (
        state.twin.origin.clone(),
        state.twin.value.flow.clone(),
        state.facts.clone(),
    ) else {
        return waiting(ui, state, whole);
    };
    let area = whole.shrink(GAP);
    let room = vec2(area.width() - color_bar::WIDTH - GAP, area.height());
    let side = ((room.x - 2.0 * GAP) / 3.0)
        .min((room.y - GAP) / 2.0 - TITLE)
        .floor()
        .max(16.0);
    let grid = vec2(3.0 * side + 2.0 * GAP, 2.0 * (side + TITLE) + GAP);
    let all = grid + vec2(GAP + color_bar::WIDTH, 0.0);
    let corner = (area.center() - all / 2.0).round();
    let place = |column: usize, row: usize| {
        let min = corner
            + vec2(
                column as f32 * (side + GAP),
                row as f32 * (side + TITLE + GAP),
            );
        (
            Rect::from_min_size(min, vec2(side, TITLE)),
            Rect::from_min_size(min + vec2(0.0, TITLE), vec2(side, side)),
        )
    };
    let shown = state.play.shown(state.first(), state.last());
    // The model may be faster than the solver: whoever follows the newest frame sees the newest that both have.
    let both = origin.frame + flow.frames();
    let waits = state.play.at_end() && shown > both && !flow.broke && flow.frames() < LONGEST;
    let shown = if waits { both } else { shown };
    let k = shown.checked_sub(origin.frame);
    let frame = match waits {
        true => state.frame(shown),
        false => state.shown(),
    };
    let model = frame.and_then(|f| {
        let lane = f.lanes[state.twin.lane.index()].as_ref()?;
        state.values(lane).cloned()
    });
    let (unforced, forced) = match k {
        Some(k) => (at(&flow, k, false), at(&flow, k, true)),
        None => (None, None),
    };
    differences(state, model.as_ref(), k, unforced.as_ref(), forced.as_ref());
    let kept = &state.twin.differences;
    let (less_unforced, less_forced) = (kept.unforced.clone(), kept.forced.clone());

    let p = palette(ui);
    let lane = state.twin.lane;
    let std = facts.data_std.max(1e-12);
    let off = |d: &Option<Arc<[f32]>>| match d {
        Some(d) => format!("{} std", number(rms(d, &vec![0.0; d.len()]) / std, 2)),
        None => String::new(),
    };
    let seed = format!("seed {}", state.twin.seed);
    let (first, second) = (off(&less_unforced), off(&less_forced));
    let tiles = [
        (0, 0, lane.label(), p.lane(lane), "the model", model),
        (1, 0, "Solver", p.text, "without forcing", unforced),
        (2, 0, "Solver", p.text, seed.as_str(), forced),
        (1, 1, "Difference", p.weak, first.as_str(), less_unforced),
        (2, 1, "Difference", p.weak, second.as_str(), less_forced),
    ];
    let look = state.look(ui.visuals().dark_mode);
    let before = state.twin.hover;
    let mut hover = None;
    let mut drawn = Vec::new();
    for (i, (column, row, name, color, more, values)) in tiles.into_iter().enumerate() {
        let (head, picture) = place(column, row);
        picture_title(ui, head, name, color, more);
        let Some(values) = values else {
            let why = match k {
                None => format!("the twin begins at frame {}", origin.frame),
                Some(k) if k > flow.frames() && flow.broke => {
                    "the solver cannot go on: this frame's flow is too fast for its time step"
                        .to_owned()
                }
                Some(k) if k > LONGEST => format!("the twin ends {LONGEST} frames after its start"),
                Some(k) if k > flow.frames() => "the solver is on its way".to_owned(),
                Some(_) => "no frame of the model here".to_owned(),
            };
            empty(ui, picture, &why);
            continue;
        };
        let what = match (i, row) {
            (0, _) => "Model on the twin".to_owned(),
            (_, 0) => format!("Solver {more}"),
            (1 | 3, _) => "Model less solver without forcing".to_owned(),
            _ => "Model less solver with forcing".to_owned(),
        };
        let tile = Tile {
            slot: TWIN_SLOT + i,
            name: what,
            rect: picture,
            values: &values,
            look,
            pale: false,
        };
        let _ = tile::show(ui, state, &mut hover, tile);
        drawn.push((TWIN_SLOT + i, picture, values));
    }
    for (slot, rect, values) in &drawn {
        tile::mark(ui, state, hover.or(before), *slot, *rect, values);
    }
    let hovered = hover.and_then(|(slot, column, row)| {
        let (_, _, values) = drawn.iter().find(|d| d.0 == slot)?;
        values.get(row * state.size().0 + column).copied()
    });
    state.twin.hover = hover;
    let bar = Rect::from_min_max(
        pos2(corner.x + grid.x + GAP, corner.y + TITLE),
        pos2(corner.x + all.x, corner.y + grid.y),
    );
    color_bar::show(ui, bar, &look, &facts.quantity, &facts.units, hovered);
    let (head, below) = place(0, 1);
    let words = Rect::from_min_max(head.min, below.max);
    ui.scope_builder(egui::UiBuilder::new().max_rect(words), |ui| {
        ui.add_space(TITLE);
        let after = k.map_or(0.0, |k| k as f64 * facts.frame_interval);
        ui.label(format!(
            "{} frames (t {}) after the start",
            k.unwrap_or(0),
            number(after, 2)
        ));
        ui.add_space(GRID);
        note(
            ui,
            "Scrub the timeline to see the two part; play makes further frames. The difference has the colours of the fields.",
        );
    });
}

fn at(flow: &FlowTwin, k: usize, forced: bool) -> Option<Arc<[f32]>> {
    match forced {
        true => flow.forced.get(k)?.first().cloned(),
        false => flow.unforced.get(k).cloned(),
    }
}

fn differences(
    state: &mut State,
    model: Option<&Arc<[f32]>>,
    k: Option<usize>,
    unforced: Option<&Arc<[f32]>>,
    forced: Option<&Arc<[f32]>>,
) {
    let (Some(model), Some(k)) = (model, k) else {
        state.twin.differences = Differences::default();
        return;
    };
    let number = state.twin.value.number;
    let known = &state.twin.differences;
    let same = known
        .of
        .as_ref()
        .is_some_and(|(v, at, n)| Arc::ptr_eq(v, model) && *at == k && *n == number);
    if same && known.unforced.is_some() == unforced.is_some() {
        return;
    }
    let less = |truth: Option<&Arc<[f32]>>| truth.map(|t| minus(model, t));
    state.twin.differences = Differences {
        of: Some((Arc::clone(model), k, number)),
        unforced: less(unforced),
        forced: less(forced),
    };
}

/// The curves.
pub(super) fn side(ui: &mut Ui, state: &mut State) {
    let Some(facts) = state.facts.clone() else {
        return;
    };
    let p = palette(ui);
    let growth = &state.twin.growth;
    let step = facts.frame_interval;
    let points = |values: &[f64]| -> Vec<[f64; 2]> {
        values
            .iter()
            .enumerate()
            .map(|(k, v)| [k as f64 * step, *v])
            .collect()
    };
    let end = growth.own.len().max(2) as f64 * step - step;
    let curve = |name: &str, color, dashed, values: &[f64]| Curve {
        name: name.to_owned(),
        color,
        dashed,
        dots: false,
        points: points(values),
    };
    let limit = std::f64::consts::SQRT_2;
    let curves = vec![
        Curve {
            name: "√2".into(),
            color: p.weak.gamma_multiply(0.7),
            dashed: true,
            dots: false,
            points: vec![[0.0, limit], [end, limit]],
        },
        curve("solver", p.text, false, &growth.own),
        curve("forcing", p.weak, true, &growth.forcing),
        curve("forced", p.accent, false, &growth.forced),
        curve("unforced", p.unconditional, false, &growth.unforced),
    ];
    let shown = state.play.shown(state.first(), state.last());
    let origin = state.twin.origin.as_ref().map_or(0, |o| o.frame);
    Chart {
        id: "twin growth",
        title: "How they part [rms difference / std]",
        about: "Model against the solver with forcing (mean over four runs) and without it; the solver against itself with other \
                noise in its forcing; the solver with forcing against itself without. Unrelated fields lie √2 apart.",
        x_name: "t",
        height: 220.0,
        x: (0.0, end),
        y: (0.0, 1.6),
        decimals: 3,
        curves,
        mark: shown.checked_sub(origin).map(|k| k as f64 * step),
        ..Default::default()
    }
    .show(ui);
    ui.add_space(GRID);
    note(
        ui,
        "solver: two runs of the solver with other forcing. A model as good as the solver parts from it no faster than that.",
    );
    let reached = growth.forced.len().min(growth.own.len());
    if let Some(k) = reached.checked_sub(1).filter(|k| *k > 0) {
        let (model, own) = (growth.forced[k], growth.own[k]);
        note(
            ui,
            format!(
                "At t {}: model {} std from the forced solver, solver {} std from itself.",
                number(k as f64 * step, 2),
                number(model, 2),
                number(own, 2)
            ),
        );
    }
}
