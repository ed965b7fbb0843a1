//! What differs between the tiles of a wall, and the settings that follow.

use crate::rollout::protocol::ModelFacts;
use crate::rollout::settings::Settings;

/// Numbers of tiles on offer.
pub const COUNTS: [usize; 5] = [4, 6, 9, 12, 16];

/// The quantity that differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Vary {
    /// Guidance strength.
    #[default]
    Strength,
    /// Strength along, history length down.
    StrengthAndHistory,
    /// History length.
    History,
    /// Solver steps a frame.
    Steps,
    /// Noise level from which guidance acts.
    SigmaLo,
    /// Noise level up to which guidance acts.
    SigmaHi,
}

impl Vary {
    /// All, in the order in which they are offered.
    pub const ALL: [Self; 6] = [
        Self::Strength,
        Self::StrengthAndHistory,
        Self::History,
        Self::Steps,
        Self::SigmaLo,
        Self::SigmaHi,
    ];

    /// Name in the window.
    pub fn label(self) -> &'static str {
        match self {
            Self::Strength => "λ",
            Self::StrengthAndHistory => "λ and m",
            Self::History => "m",
            Self::Steps => "steps",
            Self::SigmaLo => "σ from",
            Self::SigmaHi => "σ to",
        }
    }

    /// What it is.
    pub fn about(self) -> &'static str {
        match self {
            Self::Strength => "Guidance strength",
            Self::StrengthAndHistory => {
                "Guidance strength from left to right, history length from top to bottom"
            }
            Self::History => {
                "History length: frames before the last one that the discriminator sees"
            }
            Self::Steps => {
                "Solver steps a frame. Tiles with other numbers of steps cannot share a batch."
            }
            Self::SigmaLo => "Smallest noise level at which guidance acts",
            Self::SigmaHi => "Largest noise level at which guidance acts",
        }
    }

    /// Whether the ends can be chosen.
    pub fn has_range(self) -> bool {
        self != Self::History
    }

    /// Range that suits a model.
    pub fn usual(self, base: &Settings, facts: &ModelFacts) -> (f32, f32) {
        match self {
            Self::Strength | Self::StrengthAndHistory => {
                let kind = base.guidance.discriminator as usize;
                (0.0, 2.0 * facts.suggested_strength[kind])
            }
            Self::History => (0.0, 3.0),
            Self::Steps => (5.0, 40.0),
            Self::SigmaLo => (0.01, 10.0),
            Self::SigmaHi => (0.1, base.sampler.sigma_max),
        }
    }

    /// What the ends may be.
    pub fn limits(self) -> (f32, f32) {
        match self {
            Self::Strength | Self::StrengthAndHistory => (0.0, 1000.0),
            Self::History => (0.0, 3.0),
            Self::Steps => (2.0, 200.0),
            Self::SigmaLo | Self::SigmaHi => (0.001, 1000.0),
        }
    }
}

/// A tile as planned.
#[derive(Debug, Clone, PartialEq)]
pub struct Planned {
    /// What differs, as its title says it.
    pub label: String,
    /// Its settings.
    pub settings: Settings,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Ask {
    /// What differs.
    pub vary: Vary,
    /// Ends; `None` = usual ones.
    pub range: Option<(f32, f32)>,
    /// Number of tiles, one of [`COUNTS`].
    pub count: usize,
}

impl Default for Ask {
    fn default() -> Self {
        Self {
            vary: Vary::Strength,
            range: None,
            count: 9,
        }
    }
}

impl Ask {
    /// The ends in force.
    pub fn ends(&self, base: &Settings, facts: &ModelFacts) -> (f32, f32) {
        self.range.unwrap_or_else(|| self.vary.usual(base, facts))
    }

    /// Columns and rows where two quantities differ.
    pub fn table(&self) -> Option<(usize, usize)> {
        if self.vary != Vary::StrengthAndHistory {
            return None;
        }
        Some(match self.count {
            0..=4 => (2, 2),
            5..=6 => (3, 2),
            7..=9 => (3, 3),
            10..=12 => (3, 4),
            _ => (4, 4),
        })
    }

    /// The tiles: `base` with one quantity (or two) varied.
    pub fn tiles(&self, base: &Settings, facts: &ModelFacts) -> Vec<Planned> {
        let base = Settings {
            lanes: Settings::default().lanes,
            ..base.clone()
        };
        let (from, to) = self.ends(&base, facts);
        let suggested = facts.suggested_strength[base.guidance.discriminator as usize];
        let with = |label: String, change: &dyn Fn(&mut Settings)| {
            let mut settings = base.clone();
            change(&mut settings);
            Planned { label, settings }
        };
        match self.vary {
            Vary::Strength => strengths(from, to, suggested, self.count)
                .into_iter()
                .map(|v| with(lambda(v), &|s| s.guidance.strength = v))
                .collect(),
            Vary::StrengthAndHistory => {
                let (columns, rows) = self.table().unwrap_or((2, 2));
                let values = strengths(from, to, suggested, columns);
                let lengths: &[usize] = match rows {
                    2 => &[0, 3],
                    3 => &[0, 1, 3],
                    _ => &[0, 1, 2, 3],
                };
                let pairs = lengths
                    .iter()
                    .flat_map(|m| values.iter().map(move |v| (*v, *m)));
                let tile = |(v, m): (f32, usize)| {
                    with(format!("{}  m {m}", lambda(v)), &|s| {
                        (s.guidance.strength, s.guidance.history) = (v, m);
                    })
                };
                pairs.map(tile).collect()
            }
            Vary::History => (0..4)
                .map(|m| with(format!("m {m}"), &|s| s.guidance.history = m))
                .collect(),
            Vary::Steps => {
                let mut steps: Vec<usize> = geometric(from, to, self.count)
                    .into_iter()
                    .map(|v| (v.round() as usize).max(2))
                    .collect();
                steps.dedup();
                steps
                    .into_iter()
                    .map(|n| with(format!("{n} steps"), &|s| s.sampler.steps = n))
                    .collect()
            }
            Vary::SigmaLo => geometric(from, to, self.count)
                .into_iter()
                .map(|v| {
                    let hi = base.guidance.sigma_hi;
                    with(format!("σ ≥ {}", short(v)), &|s| {
                        s.guidance.sigma_lo = v.min(hi);
                    })
                })
                .collect(),
            Vary::SigmaHi => geometric(from, to, self.count)
                .into_iter()
                .map(|v| {
                    let lo = base.guidance.sigma_lo;
                    with(format!("σ ≤ {}", short(v)), &|s| {
                        s.guidance.sigma_hi = v.max(lo);
                    })
                })
                .collect(),
        }
    }
}

fn lambda(value: f32) -> String {
    format!("λ {}", strength(value))
}

/// A strength with the decimals that it has: two at least.
pub fn strength(value: f32) -> String {
    let three = (value * 1000.0).round() as i64;
    match three % 10 {
        0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

/// Three digits.
fn short(value: f32) -> String {
    match value {
        v if v >= 99.5 => format!("{v:.0}"),
        v if v >= 9.95 => format!("{v:.1}"),
        v if v >= 0.995 => format!("{v:.2}"),
        v => format!("{v:.3}"),
    }
}

/// Equal steps below the suggested value and above it, so that it is one of them; values as they are shown.
fn strengths(from: f32, to: f32, suggested: f32, count: usize) -> Vec<f32> {
    let count = count.max(2);
    let (from, to) = (from.min(to), from.max(to));
    let intervals = count - 1;
    let raw: Vec<f32> = if suggested > from && suggested < to && count > 2 {
        let share = (suggested - from) / (to - from) * intervals as f32;
        // A half counts up: finer below the suggested value, where more happens.
        let below = ((share + 0.5).floor() as usize).clamp(1, intervals - 1);
        let above = intervals - below;
        (0..=below)
            .map(|i| from + (suggested - from) * i as f32 / below as f32)
            .chain((1..=above).map(|i| suggested + (to - suggested) * i as f32 / above as f32))
            .collect()
    } else {
        (0..count)
            .map(|i| from + (to - from) * i as f32 / intervals as f32)
            .collect()
    };
    let wide = (to - from) / intervals as f32 >= 0.02;
    let grain = if wide { 100.0 } else { 1000.0 };
    raw.into_iter()
        .map(|v| {
            // What was asked for stays exact.
            let exact = v == from || v == to || v == suggested;
            if exact {
                v
            } else {
                (v * grain).round() / grain
            }
        })
        .collect()
}

/// Equal ratios.
fn geometric(from: f32, to: f32, count: usize) -> Vec<f32> {
    let count = count.max(2);
    let (from, to) = (from.min(to).max(1e-6), from.max(to).max(1e-6));
    let step = (to / from).ln() / (count - 1) as f32;
    (0..count)
        .map(|i| match i {
            0 => from,
            i if i + 1 == count => to,
            i => from * (step * i as f32).exp(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_suggested_strength_is_a_tile() {
        assert_eq!(strengths(0.0, 2.0, 1.0, 4), [0.0, 0.5, 1.0, 2.0]);
        assert_eq!(
            strengths(0.0, 2.0, 1.0, 9),
            [0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0]
        );
        for count in COUNTS {
            let values = strengths(0.0, 28.0, 14.0, count);
            assert!(
                values.contains(&14.0) && values.len() == count,
                "{values:?}"
            );
            assert!(values.windows(2).all(|w| w[1] > w[0]));
        }
        // Elsewhere equal steps; a narrow range keeps its tiles apart.
        let narrow = strengths(0.9, 0.95, 1.0, 16);
        assert!(narrow.windows(2).all(|w| w[1] > w[0]), "{narrow:?}");
        assert_eq!(strengths(2.0, 0.0, 3.0, 3), [0.0, 1.0, 2.0]);
    }

    #[test]
    fn ratios_are_equal_and_ends_exact() {
        let v = geometric(0.1, 400.0, 6);
        assert_eq!((v[0], v[5]), (0.1, 400.0));
        assert!((v[1] / v[0] - v[4] / v[3]).abs() < 1e-3);
    }
}
