//! Dynamics skill: does physics predict the next frame?

use egui::{Align2, CornerRadius, Rect, RichText, Sense, Stroke, Ui, pos2, vec2};

use crate::rollout::settings::LaneKind;

use super::super::state::State;
use super::super::theme::{self, GRID, palette};
use super::super::widgets::{note, number};
use super::chart::{Chart, range_of};
use super::time::{curve, time_range};

/// The tab.
pub fn show(ui: &mut Ui, state: &State) {
    let Some(facts) = state.facts.as_deref() else {
        return;
    };
    bars(ui, state, facts.dynamics_skill_truth);
    ui.add_space(2.0 * GRID);
    table(ui, state);
    ui.add_space(2.0 * GRID);
    let columns = ui.available_width().max(60.0) as usize;
    let lanes = state.lanes();
    let skill = |kind: &LaneKind| &state.series.lanes[kind.index()].skill;
    let curves: Vec<_> = lanes
        .iter()
        .filter(|kind| !skill(kind).is_empty())
        .map(|kind| curve(ui, *kind, skill(kind).thinned(columns), false))
        .collect();
    let raw = lanes.iter().map(|kind| &skill(kind)[..]);
    let raw = raw.filter(|points| !points.is_empty()).collect();
    let y = range_of(
        curves
            .iter()
            .flat_map(|c| &c.points)
            .filter(|p| p[1] > -1.0),
        (0.0, 0.8),
    );
    Chart {
        id: "skill",
        title: "Dynamics skill of single steps",
        about: "Below −1 the line leaves the chart.",
        x_name: "t",
        height: (ui.available_height() - 140.0).clamp(90.0, 200.0),
        x: time_range(state),
        y: (y.0.max(-1.05), y.1),
        decimals: 2,
        log_x: false,
        curves,
        raw,
        band: None,
        mark: (!state.play.at_end())
            .then(|| state.shown().map(|f| f.time))
            .flatten(),
        ..Default::default()
    }
    .show(ui);
    let known = state.world_asked().is_some();
    let who = if known {
        "the best forecast G from the last frame"
    } else {
        "the solver G"
    };
    note(
        ui,
        format!(
            "How much better {who} predicts the model's next frame than \"nothing changes\" does: 1 − mean (x' − G x)² / mean (x' − x)². \
         Frozen or unrelated frames score 0 or less. A right autocorrelation alone is no evidence of dynamics."
        ),
    );
}

fn bars(ui: &mut Ui, state: &State, truth: f64) {
    let p = palette(ui);
    ui.label(
        RichText::new("Dynamics skill, since the last change")
            .small()
            .color(p.text),
    );
    let lanes = state.lanes();
    let line = 24.0;
    let (rect, _) = ui.allocate_exact_size(
        vec2(ui.available_width(), line * lanes.len() as f32 + 14.0),
        Sense::hover(),
    );
    let (left, right) = (rect.left() + 84.0, rect.right() - 48.0);
    let x_of = |v: f64| left + (right - left) * v.clamp(0.0, 1.0) as f32;
    for (i, kind) in lanes.iter().enumerate() {
        let y = rect.top() + line * (i as f32 + 0.5);
        let d = &state.archive.diagnostics[kind.index()];
        let painter = ui.painter();
        painter.text(
            pos2(rect.left(), y),
            Align2::LEFT_CENTER,
            super::super::words::lane(*kind),
            theme::small(),
            p.lane(*kind),
        );
        let rail = |to: f32| Rect::from_min_max(pos2(left, y - 4.0), pos2(to, y + 4.0));
        painter.rect_filled(rail(right), CornerRadius::same(2), p.raised);
        let skill = if d.frames > 0 {
            d.dynamics_skill
        } else {
            f64::NAN
        };
        if skill.is_finite() {
            painter.rect_filled(rail(x_of(skill)), CornerRadius::same(2), p.lane(*kind));
        }
        painter.text(
            pos2(rect.right(), y),
            Align2::RIGHT_CENTER,
            number(skill, 3),
            theme::body(),
            p.text,
        );
    }
    let x = x_of(truth);
    let bottom = rect.top() + line * lanes.len() as f32;
    ui.painter()
        .vline(x, rect.top() + 2.0..=bottom, Stroke::new(1.2, p.text));
    ui.painter().text(
        pos2(x, bottom),
        Align2::CENTER_TOP,
        format!("truth's own {}", number(truth, 3)),
        theme::small(),
        p.weak,
    );
}

fn table(ui: &mut Ui, state: &State) {
    let p = palette(ui);
    let heads = [
        (
            "a",
            "Regression of the frame's change on the forecast one; truth has 1",
        ),
        (
            "residual",
            "What the regression leaves, in the data's standard deviations; truth has what nobody can know from the last frame",
        ),
        (
            "std ratio",
            "Standard deviation over all frames divided by the data's; truth has 1",
        ),
        ("frames", "Generated frames that entered"),
    ];
    egui::Grid::new("dynamics")
        .num_columns(5)
        .spacing([14.0, 6.0])
        .show(ui, |ui| {
            ui.label("");
            for (head, tip) in heads {
                ui.label(RichText::new(head).small().weak())
                    .on_hover_text(tip);
            }
            ui.end_row();
            for kind in LaneKind::ALL {
                let d = &state.archive.diagnostics[kind.index()];
                if !state.prefs.settings.lanes[kind.index()] {
                    continue;
                }
                ui.label(
                    RichText::new(super::super::words::lane(kind))
                        .small()
                        .color(p.lane(kind)),
                );
                let known = |v: f64| if d.frames > 0 { v } else { f64::NAN };
                for (value, decimals) in [(d.a, 3), (d.residual, 3), (d.std_ratio, 3)] {
                    ui.label(number(known(value), decimals));
                }
                ui.label(format!("{}", d.frames));
                ui.end_row();
            }
        });
}
