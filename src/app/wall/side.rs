//! The panel on the right of the wall: what varies, the chosen tile, the map.

use egui::{ComboBox, DragValue, RichText, Ui};

use super::super::state::State;
use super::super::theme::{GRID, palette};
use super::super::widgets::{note, number, row, segmented};
use super::vary::{COUNTS, Vary};
use super::{map, take, truth_acf};

/// The panel.
pub fn side(ui: &mut Ui, state: &mut State) {
    ui.add_space(2.0 * GRID);
    ui.label(RichText::new("Wall").strong());
    note(
        ui,
        "Rollouts from the same start and with the same noise; only what varies differs. All else is as set on the left.",
    );
    ui.add_space(GRID);
    ask(ui, state);
    ui.add_space(2.0 * GRID);
    work(ui, state);
    ui.add_space(2.0 * GRID);
    chosen(ui, state);
    ui.add_space(3.0 * GRID);
    map::show(ui, state);
}

fn ask(ui: &mut Ui, state: &mut State) {
    let Some(facts) = state.facts.clone() else {
        return;
    };
    let mut ask = state.wall.ask.clone();
    row(ui, "What varies", ask.vary.about(), |ui| {
        ComboBox::from_id_salt("what varies")
            .width(112.0)
            .selected_text(ask.vary.label())
            .show_ui(ui, |ui| {
                for vary in Vary::ALL {
                    let response = ui.selectable_label(ask.vary == vary, vary.label());
                    if response.on_hover_text(vary.about()).clicked() && ask.vary != vary {
                        (ask.vary, ask.range) = (vary, None);
                    }
                }
            });
    });
    if ask.vary.has_range() {
        let usual = ask.ends(&state.prefs.settings, &facts);
        let (lo, hi) = ask.vary.limits();
        let (mut from, mut to) = usual;
        let whole = ask.vary == Vary::Steps;
        let drag = |ui: &mut Ui, value: &mut f32| {
            let speed = if whole {
                0.2
            } else {
                0.01 * f64::from(usual.1 - usual.0).max(0.1)
            };
            let decimals = if whole { 0 } else { 3 };
            ui.add(
                DragValue::new(value)
                    .speed(speed)
                    .range(lo..=hi)
                    .max_decimals(decimals),
            );
        };
        row(ui, "from", "First tile", |ui| drag(ui, &mut from));
        row(
            ui,
            "to",
            "Last tile; the values between are spread evenly",
            |ui| {
                drag(ui, &mut to);
            },
        );
        if (from, to) != usual {
            ask.range = Some((from, to));
        }
        ui.add_space(GRID);
        ui.label("Tiles")
            .on_hover_text("How many rollouts; each costs about as much as a lane");
        let choices = COUNTS.map(|n| {
            (
                n,
                ["4", "6", "9", "12", "16"][COUNTS.partition_point(|c| *c < n)],
                "",
            )
        });
        segmented(ui, "Tiles", &mut ask.count, &choices);
    }
    state.wall.ask = ask;
}

/// What the thread does.
fn work(ui: &mut Ui, state: &mut State) {
    let value = state.wall.value();
    let frames = value.generated();
    let mut text = format!("{frames} frames");
    if value.frame_seconds > 0.0 {
        text += &format!(", {} s a frame", number(value.frame_seconds, 1));
    }
    match value.batches {
        0 => {}
        1 => text += ", one batch",
        n => text += &format!(", {n} batches"),
    }
    let response = note(ui, text);
    response.on_hover_text(
        "Tiles with the same sampler go through the networks together. Each tile draws the noise of the main lane's first \
         member: on the CPU it gives the same frames bit for bit, on a GPU the size of the batch may change last digits.",
    );
}

/// The tile that the keyboard is at.
fn chosen(ui: &mut Ui, state: &mut State) {
    let Some(facts) = state.facts.clone() else {
        return;
    };
    let at = state.wall.chosen;
    let Some(planned) = state.wall.tiles().get(at).cloned() else {
        return;
    };
    let value = state.wall.value();
    let acf = truth_acf(&facts);
    let figures = value.tiles.get(at);
    let cell = |v: Option<f64>, decimals| number(v.unwrap_or(f64::NAN), decimals);
    let globe = state.globe().is_some();
    let accent = palette(ui).accent;
    egui::Grid::new("chosen tile")
        .num_columns(3)
        .spacing([16.0, 4.0])
        .min_col_width(72.0)
        .show(ui, |ui| {
            let weak = |text: &str| RichText::new(text).small().weak();
            ui.label("");
            ui.label(RichText::new(&planned.label).small().color(accent));
            ui.label(weak("truth here"))
                .on_hover_text("Truth over the same frames: what a run as short as this shows by chance");
            ui.end_row();
            let error = |f: Option<&crate::rollout::wall::TileFigures>| f.and_then(|f| f.acf_error(acf));
            ui.label(weak("ACF error")).on_hover_text(
                "Mean of |autocorrelation − truth's| over lags 1 to 10; truth's is of long runs. On the globe of anomalies \
                 between 20° S and 20° N.",
            );
            ui.label(cell(error(figures), 3));
            ui.label(cell(error(Some(&value.truth)), 3));
            ui.end_row();
            if globe {
                ui.label(weak("mean [mm/day]"));
                ui.label(cell(figures.and_then(|f| f.global_mean), 2));
                ui.label(cell(value.truth.global_mean, 2));
            } else {
                ui.label(weak("dynamics skill")).on_hover_text(
                    "1 − ⟨(x − G)²⟩ / ⟨(x − x before)²⟩, G the solver's answer without forcing: 0 for frames that do not \
                     follow, about truth's for frames that do",
                );
                ui.label(cell(figures.map(|f| f.dynamics_skill), 2));
                ui.label(cell(Some(value.truth.dynamics_skill), 2));
            }
            ui.end_row();
            ui.label(weak("std ratio"))
                .on_hover_text("Standard deviation of the frames divided by the data's");
            ui.label(cell(figures.map(|f| f.std_ratio), 2));
            ui.label(cell(Some(value.truth.std_ratio), 2));
            ui.end_row();
        });
    ui.add_space(GRID);
    let button = ui.button("Make it the main lane").on_hover_text(
        "Its settings become the settings, and the rollout begins again from the same start (Enter, or a click on the tile)",
    );
    if button.clicked() {
        take(state, at);
    }
}
