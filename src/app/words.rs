//! Names of settings as the window writes them.

use crate::render::projection::half_turn;
use crate::rollout::frame::FrameSet;
use crate::rollout::settings::{
    DiscriminatorKind, LaneKind, SamplerSettings, Schedule, Settings, Solver, Start,
};

use super::state::State;
use super::widgets::number;

/// Short name of a solver.
pub fn solver(solver: Solver) -> &'static str {
    match solver {
        Solver::Heun => "heun",
        Solver::AsPrinted => "as printed",
        Solver::Dpm => "dpm",
        Solver::Dpm3 => "dpm3",
        Solver::UniPc => "unipc",
        Solver::Flow => "flow",
    }
}

/// Short name of a discriminator.
pub fn discriminator(kind: DiscriminatorKind) -> &'static str {
    match kind {
        DiscriminatorKind::TwoTower => "two-tower",
        DiscriminatorKind::Encoder => "encoder",
    }
}

/// As [`State::made_by`], for networks.
fn made_by(kind: LaneKind, frame: &FrameSet) -> String {
    let recorded = kind == LaneKind::Truth && frame.date.is_some();
    if frame.index <= 3 && !recorded {
        return "start frame".to_owned();
    }
    let Settings {
        guidance, sampler, ..
    } = frame.settings.as_ref();
    let warm = match sampler.start {
        Start::Noise => "",
        Start::Warm { .. } => " · warm start",
    };
    let how = format!("{} {}{warm}", solver(sampler.solver), sampler.steps);
    match kind {
        LaneKind::Truth => match frame.lanes[kind.index()].as_ref().and_then(|l| l.recorded) {
            Some(date) => format!("recorded {date}"),
            None if frame.date.is_some() => "recorded".to_owned(),
            None => "solver".to_owned(),
        },
        LaneKind::Unconditional => format!("λ 0 · {how}"),
        LaneKind::Guided => format!(
            "λ {:.2} · m {} · {how}",
            guidance.strength, guidance.history
        ),
        LaneKind::Forecaster => format!("m {}", guidance.history),
        LaneKind::Video => format!("m {} · {how}", guidance.history),
        LaneKind::GuidedVideo => format!(
            "λ {:.2} · m {} · {how}",
            guidance.video_strength, guidance.history
        ),
    }
}

impl State {
    /// What made a frame of a lane: the line beside the lane's name.
    pub fn made_by(&self, kind: LaneKind, frame: &FrameSet) -> String {
        self.maker()(kind, frame)
    }

    /// As [`Self::made_by`], to be taken to another thread.
    pub fn maker(&self) -> fn(LaneKind, &FrameSet) -> String {
        match self.facts.as_ref().is_some_and(|f| f.closed_form.is_some()) {
            true => |kind, frame| match kind {
                LaneKind::Truth if frame.index > 3 => "known law".to_owned(),
                _ => made_or_mistaken(kind, frame),
            },
            false => made_or_mistaken,
        }
    }
}

fn made_or_mistaken(kind: LaneKind, frame: &FrameSet) -> String {
    match kind {
        LaneKind::Guided | LaneKind::Forecaster if frame.settings.guidance.belief.is_some() => {
            format!("{} · mistaken D", made_by(kind, frame))
        }
        _ => made_by(kind, frame),
    }
}

/// Name of a lane that can be pointed at.
pub fn mark(kind: LaneKind) -> &'static str {
    match kind {
        LaneKind::Truth => "truth",
        LaneKind::Unconditional => "unconditional",
        LaneKind::Guided => "guided",
        LaneKind::Forecaster => "forecaster",
        LaneKind::Video => "video",
        LaneKind::GuidedVideo => "guided-video",
    }
}

/// Name of a model as the window writes it: built-in worlds in words, others as they are called.
pub fn model(name: &str) -> &str {
    match name {
        "gaussian-process" => "Gaussian process",
        "travelling-wave" => "Travelling wave",
        other => other,
    }
}

/// A setting that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// From what to what ("λ 1.00 → 0.50").
    pub detail: String,
    /// What is new ("λ 0.50"); `None` for what makes no frame differ (lanes).
    pub short: Option<String>,
}

/// What differs between two settings.
pub fn changes(a: &Settings, b: &Settings) -> Vec<Changed> {
    let mut parts = Vec::new();
    let mut say = |name: &str, from: String, to: String| {
        if from != to {
            let spaced = |text: &str| match name {
                "" => text.to_owned(),
                name => format!("{name} {text}"),
            };
            parts.push(Changed {
                detail: format!("{} → {to}", spaced(&from)),
                short: Some(spaced(&to)),
            });
        }
    };
    let (ga, gb) = (&a.guidance, &b.guidance);
    let plain = |v: f32| format!("{v:.2}");
    say("λ", plain(ga.strength), plain(gb.strength));
    say("m", ga.history.to_string(), gb.history.to_string());
    let season = |on: bool| if on { "with date" } else { "no date" }.to_owned();
    say("", season(ga.season), season(gb.season));
    let kind = |k| discriminator(k).to_owned();
    say("", kind(ga.discriminator), kind(gb.discriminator));
    let ends = |lo: f32, hi: f32| format!("{lo}…{hi}");
    say(
        "σ",
        ends(ga.sigma_lo, ga.sigma_hi),
        ends(gb.sigma_lo, gb.sigma_hi),
    );
    say(
        "video λ",
        plain(ga.video_strength),
        plain(gb.video_strength),
    );
    let (sa, sb) = (&a.sampler, &b.sampler);
    say("", solver(sa.solver).into(), solver(sb.solver).into());
    say("steps", sa.steps.to_string(), sb.steps.to_string());
    let levels = |s: Schedule| match s {
        Schedule::Geometric => "geometric",
        Schedule::Karras => "Karras",
        Schedule::Cosine => "cosine",
    };
    say(
        "levels",
        levels(sa.schedule).into(),
        levels(sb.schedule).into(),
    );
    say(
        "churn",
        format!("{:.1}", sa.churn),
        format!("{:.1}", sb.churn),
    );
    let start = |s: Start| match s {
        Start::Noise => "noise".to_owned(),
        Start::Warm { sigma } => format!("warm σ {sigma:.2}"),
    };
    say("start", start(sa.start), start(sb.start));
    say("σ max", sa.sigma_max.to_string(), sb.sigma_max.to_string());
    let first = |s: &SamplerSettings| match s.solver {
        Solver::Flow => s.sigma_first.to_string(),
        _ => "-".to_owned(),
    };
    if sa.solver == sb.solver {
        say("first σ", first(sa), first(sb));
    }
    for lane in LaneKind::ALL {
        let on = |s: &Settings| s.lanes[lane.index()];
        if on(a) != on(b) {
            let how = if on(b) { "on" } else { "off" };
            parts.push(Changed {
                detail: format!("{} {how}", lane.label()),
                short: None,
            });
        }
    }
    parts
}

/// Changes as one line.
pub fn listed(changes: &[Changed]) -> String {
    let details: Vec<&str> = changes.iter().map(|c| c.detail.as_str()).collect();
    details.join(", ")
}

/// Months, for sentences.
pub const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// Three letters of a month, 1..=12.
pub fn month_short(month: u8) -> &'static str {
    &MONTHS[usize::from(month.clamp(1, 12)) - 1][..3]
}

/// An amount of rain in mm/day, with the decimals that mean something.
pub fn amount(value: f64) -> String {
    let decimals = match value {
        v if v >= 99.95 => 0,
        v if v >= 9.995 => 1,
        _ => 2,
    };
    number(value, decimals)
}

/// A place on the globe ("42.5° N 12.0° E").
pub fn place(lon: f64, lat: f64) -> String {
    let lon = half_turn(lon);
    let side = |v: f64, plus: &'static str, minus: &'static str| match v {
        v if v > 0.049 => plus,
        v if v < -0.049 => minus,
        _ => "",
    };
    format!(
        "{:.1}°{} {:.1}°{}",
        lat.abs(),
        side(lat, " N", " S"),
        lon.abs(),
        side(lon, " E", " W")
    )
}

/// Short name of a lane, for the ends of lines.
pub fn lane(kind: LaneKind) -> &'static str {
    match kind {
        LaneKind::Truth => "truth",
        LaneKind::Unconditional => "uncond.",
        LaneKind::Guided => "guided",
        LaneKind::Forecaster => "forecaster",
        LaneKind::Video => "video",
        LaneKind::GuidedVideo => "guided video",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_say_from_what_to_what() {
        let a = Settings::default();
        assert!(changes(&a, &a).is_empty());
        let mut b = a.clone();
        b.guidance.strength = 0.5;
        b.sampler.steps = 20;
        b.lanes[1] = false;
        let parts = changes(&a, &b);
        assert_eq!(
            listed(&parts),
            "λ 1.00 → 0.50, steps 6 → 20, Unconditional off"
        );
        let short: Vec<_> = parts.iter().filter_map(|c| c.short.as_deref()).collect();
        assert_eq!(short, ["λ 0.50", "steps 20"]);
    }

    #[test]
    fn places_and_amounts() {
        assert_eq!(place(348.75, -42.46), "42.5° S 11.2° W");
        assert_eq!(place(0.0, 0.0), "0.0° 0.0°");
        assert_eq!(
            (amount(0.123), amount(12.34), amount(123.4)),
            ("0.12".into(), "12.3".into(), "123".into())
        );
    }
}
