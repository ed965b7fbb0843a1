//! What goes wrong with the rollout, in words: the figure that shows it, and the control that mends it.

use egui::{Align2, Label, RichText, Sense, Ui, pos2, vec2};

use crate::rollout::settings::{LaneKind, Start};
use crate::rollout::signatures::{Sign, Signature};

use super::super::prefs::Tab;
use super::super::spotlight::Control;
use super::super::state::State;
use super::super::theme::{self, GRID, palette};
use super::super::widgets::number;

/// Signatures that are listed before "more".
const LISTED: usize = 2;

/// A line of the strip.
struct Line {
    lane: LaneKind,
    /// What happens ("flickers").
    what: String,
    /// The figure that shows it.
    figure: String,
    tab: Tab,
    /// What to do, and where.
    remedy: &'static str,
    control: Control,
    /// Nothing is wrong: it is what the lane is there to show.
    expected: bool,
}

/// The strip; nothing where nothing is wrong.
pub fn show(ui: &mut Ui, state: &mut State) {
    let lines = lines(state);
    if lines.is_empty() {
        return;
    }
    let count = match state.plots.all_signs {
        true => lines.len(),
        false => LISTED.min(lines.len()),
    };
    for line in &lines[..count] {
        ui.scope(|ui| one(ui, state, line));
    }
    if lines.len() > LISTED {
        let text = match state.plots.all_signs {
            true => "fewer".to_owned(),
            false => format!("{} more", lines.len() - LISTED),
        };
        if link(ui, &text, "Show all that is seen, or the gravest").clicked() {
            state.plots.all_signs = !state.plots.all_signs;
        }
    }
    ui.add_space(2.0 * GRID);
}

fn link(ui: &mut Ui, text: &str, tip: &str) -> egui::Response {
    let weak = palette(ui).weak;
    ui.add(egui::Link::new(RichText::new(text).small().color(weak)))
        .on_hover_text(tip)
}

fn one(ui: &mut Ui, state: &mut State, line: &Line) {
    let p = palette(ui);
    let spacing = ui.spacing_mut();
    spacing.item_spacing.y = 0.0;
    spacing.interact_size.y = 0.0;
    ui.horizontal(|ui| {
        let (mark, _) = ui.allocate_exact_size(vec2(10.0, 18.0), Sense::hover());
        let color = if line.expected { p.weak } else { p.alarm };
        let at = pos2(mark.left() + 1.0, mark.center().y);
        let sign = if line.expected { "·" } else { "!" };
        ui.painter()
            .text(at, Align2::LEFT_CENTER, sign, theme::body(), color);
        let name = RichText::new(line.lane.label())
            .small()
            .color(p.lane(line.lane));
        ui.add(Label::new(name));
        ui.add(Label::new(RichText::new(&line.what).small().color(p.text)).truncate());
    });
    ui.horizontal(|ui| {
        ui.add_space(18.0);
        if link(ui, &line.figure, "Show the plot that tells it").clicked() {
            state.prefs.tab = line.tab;
            if line.tab == Tab::Space {
                state.plots.space = super::space::View::Spectra;
            }
        }
        let tip = format!("Show the control: {}", line.control.label());
        if link(ui, line.remedy, &tip).clicked() {
            state.point_at(line.control);
        }
    });
    ui.add_space(GRID);
}

/// All lines, lanes that are meant to be good first.
fn lines(state: &State) -> Vec<Line> {
    let mut out = Vec::new();
    let lanes = state.lanes();
    let order = [
        LaneKind::Guided,
        LaneKind::GuidedVideo,
        LaneKind::Video,
        LaneKind::Forecaster,
        LaneKind::Unconditional,
    ];
    for lane in order.into_iter().filter(|k| lanes.contains(k)) {
        if let Some(blow_up) = &state.blow_ups[lane.index()] {
            out.push(Line {
                lane,
                what: "blew up and was stopped".to_owned(),
                figure: format!("frame {}", blow_up.frame),
                tab: Tab::Time,
                remedy: "lower λ",
                control: Control::Strength,
                expected: false,
            });
            continue;
        }
        let signs = &state.archive.diagnostics[lane.index()].signs;
        out.extend(signs.iter().map(|sign| line(state, lane, sign)));
    }
    // Stable: what a lane is there to show comes last.
    out.sort_by_key(|l| l.expected);
    out
}

/// The words of a signature.
fn line(state: &State, lane: LaneKind, sign: &Sign) -> Line {
    let (mut remedy, mut control) = mends(state, lane, sign.what);
    let expected = lane == LaneKind::Unconditional && sign.what == Signature::Flicker;
    if expected {
        (remedy, control) = ("guidance mends it", Control::Strength);
    }
    let budget = state.globe().is_some();
    let (lo, hi) = sign.truth;
    let beside = |what: &str, decimals: usize| {
        format!(
            "{what} {}, truth {}–{}",
            number(sign.value, decimals),
            number(lo, decimals),
            number(hi, decimals)
        )
    };
    let (what, figure, tab) = match sign.what {
        Signature::BlowUp => (
            "grows: it is about to blow up",
            format!("spread {} × the data's", number(sign.value, 2)),
            Tab::Time,
        ),
        Signature::Flicker if expected => (
            "flickers: nothing links its frames",
            beside("change", 1),
            Tab::Time,
        ),
        Signature::Flicker => (
            "flickers: frames do not follow each other",
            beside("change", 1),
            Tab::Time,
        ),
        Signature::Frozen => (
            "is frozen: frames hardly change",
            beside("change", 2),
            Tab::Time,
        ),
        Signature::Noise => (
            "is noisy at fine scales",
            format!("fine power {} × truth's", number(sign.value, 1)),
            Tab::Space,
        ),
        Signature::Smooth => (
            "is too smooth: fine scales are lost",
            format!("fine power {} × truth's", number(sign.value, 2)),
            Tab::Space,
        ),
        Signature::VarianceDrift => (
            "has drifted: its spread left truth's range",
            beside("spread", 2),
            Tab::Time,
        ),
        Signature::MeanDrift if budget => (
            "has drifted: its mean left truth's range",
            beside("mean", 2),
            Tab::Budget,
        ),
        Signature::MeanDrift => (
            "has drifted: its mean is not 0",
            format!("mean {}", number(sign.value, 2)),
            Tab::Space,
        ),
        Signature::Undecided => (
            "is judged by a D that cannot tell",
            format!("surest |2D − 1| {}", number(sign.value, 2)),
            Tab::Discriminator,
        ),
    };
    Line {
        lane,
        what: what.to_owned(),
        figure,
        tab,
        remedy,
        control,
        expected,
    }
}

/// What mends a signature under the settings in force.
fn mends(state: &State, lane: LaneKind, what: Signature) -> (&'static str, Control) {
    let settings = &state.prefs.settings;
    let (suggested, _) = state.strength_marks();
    let strength = settings.guidance.strength;
    let warm = matches!(settings.sampler.start, Start::Warm { .. });
    let few = settings.sampler.steps < 10;
    let guided = lane == LaneKind::Guided;
    match what {
        Signature::Flicker if guided && strength < 0.95 * suggested => {
            ("raise λ", Control::Strength)
        }
        Signature::Flicker if guided => ("try the other discriminator", Control::Discriminator),
        Signature::Flicker => ("more steps", Control::Sampler),
        Signature::Frozen if warm => ("start from noise", Control::Sampler),
        _ if guided && strength > 1.05 * suggested => ("lower λ", Control::Strength),
        Signature::Frozen | Signature::Noise | Signature::Smooth if few => {
            ("more steps", Control::Sampler)
        }
        Signature::Noise | Signature::Smooth => ("other solver or steps", Control::Sampler),
        Signature::Frozen => ("lower λ", Control::Strength),
        Signature::BlowUp if lane == LaneKind::Unconditional => ("more steps", Control::Sampler),
        Signature::BlowUp => ("lower λ", Control::Strength),
        Signature::VarianceDrift | Signature::MeanDrift => ("more steps", Control::Sampler),
        Signature::Undecided => ("another discriminator", Control::Discriminator),
    }
}
