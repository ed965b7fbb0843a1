//! Whether the discriminator means what it says: of the pairs to which it gave 70 %, do 70 % follow each other?

use egui::{Color32, Ui};

use super::super::state::State;
use super::super::theme::{GRID, palette};
use super::super::widgets::{note, number};
use super::chart::{Chart, Curve, range_of};

/// Pairs that a noise level needs before its line is drawn.
const ENOUGH: u64 = 12;

/// The page.
pub fn show(ui: &mut Ui, state: &State) {
    let truth = &state.archive.diagnostics[crate::rollout::settings::LaneKind::Truth.index()];
    let Some(pairs) = truth.pairs.as_deref() else {
        note(
            ui,
            "While frames are made, D is asked of truth's next frame and of a frame of another time, one noise level a frame. \
             The first answers come after some frames.",
        );
        return;
    };
    let p = palette(ui);
    let count = pairs.sigmas.len().max(2) as f32 - 1.0;
    let color = |i: usize| -> Color32 {
        // From the text's colour (little noise) to the accent (much).
        let share = i as f32 / count;
        let mix = |a: u8, b: u8| (f32::from(a) + share * (f32::from(b) - f32::from(a))) as u8;
        let (a, b) = (p.unconditional, p.accent);
        Color32::from_rgb(mix(a.r(), b.r()), mix(a.g(), b.g()), mix(a.b(), b.b()))
    };
    let room = ui.available_height() - 170.0;
    let mut curves = vec![Curve {
        name: "calibrated".into(),
        color: p.weak,
        dashed: true,
        dots: false,
        points: vec![[0.0, 0.0], [1.0, 1.0]],
    }];
    let enough = |i: &usize| pairs.levels.get(*i).is_some_and(|l| l.total() >= ENOUGH);
    for i in (0..pairs.sigmas.len()).filter(enough) {
        curves.push(Curve {
            name: format!("σ {}", pairs.sigmas[i]),
            color: color(i),
            dashed: false,
            dots: true,
            points: pairs.levels[i]
                .bins()
                .iter()
                .map(|b| [b.predicted, b.observed])
                .collect(),
        });
    }
    Chart {
        id: "reliability",
        title: "Share that follows, against D, by noise level σ",
        about: "Pairs in ten bins of D: how many of them were truth's own next frame. On the diagonal D means what it says. \
                With few pairs the points scatter.",
        x_name: "D",
        height: (room * 0.55).clamp(140.0, 300.0),
        x: (0.0, 1.0),
        y: (-0.04, 1.04),
        decimals: 2,
        curves,
        ..Default::default()
    }
    .show(ui);
    ui.add_space(GRID);
    let line = |name: &str, color: Color32, of: &dyn Fn(usize) -> Option<f64>| Curve {
        name: name.to_owned(),
        color,
        dashed: false,
        dots: true,
        points: (0..pairs.sigmas.len())
            .filter(enough)
            .filter_map(|i| Some([-pairs.sigmas[i].log10(), of(i)?]))
            .rev()
            .collect(),
    };
    let curves = vec![
        line("Brier", p.accent, &|i| pairs.levels[i].brier()),
        line("ECE", p.text, &|i| pairs.levels[i].ece()),
    ];
    let y = range_of(curves.iter().flat_map(|c| &c.points), (0.0, 0.25));
    Chart {
        id: "calibration error",
        title: "Brier score and calibration error, by noise level σ",
        about: "Brier: mean square of D minus what is true; 0.25 is a coin's. ECE: mean distance from the diagonal.",
        x_name: "σ",
        height: (room * 0.45).clamp(90.0, 200.0),
        x: (-1.05, 1.6),
        y: (0.0, y.1),
        decimals: 3,
        log_x: true,
        curves,
        level: Some((0.25, "a coin")),
        ..Default::default()
    }
    .show(ui);
    let total: u64 = pairs.levels.iter().map(|l| l.total()).sum();
    note(
        ui,
        format!(
            "{} pairs, half of them truth's own next frames. {} a level are needed for a line.",
            number(total as f64, 0),
            ENOUGH
        ),
    );
}
