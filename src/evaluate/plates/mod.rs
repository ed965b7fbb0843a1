//! The figures of the report, each with its numbers, one sentence on what is to be seen, and whether that agrees with the
//! paper (Hess et al. 2025). The sentence and the verdict follow from the numbers.

mod discriminator;
mod eofs;
mod fields;
mod forecast;
mod maps;
mod motion;
mod physics;
mod power;
mod speed;
mod time;
mod waiting;

use crate::metrics::Band;
use crate::report::chart::Layer;
use crate::report::{Numbers, Scene, Style};
use crate::rollout::settings::LaneKind;

use super::discriminator::Discriminators;
use super::forecasts::Forecasts;
use super::measure::Measured;
use super::method::Method;
use super::plan::Plan;
use super::sample::World;
use super::timings::Timing;

pub use eofs::correlation;
pub use power::distance;
pub use time::acf_error;

/// Everything that figures are drawn from.
pub struct Evaluation<'a> {
    /// What was evaluated.
    pub plan: &'a Plan,
    /// The world.
    pub world: &'a World,
    /// Long runs, truth first.
    pub measured: Vec<Measured>,
    /// Forecasts.
    pub forecasts: Vec<Forecasts>,
    /// The discriminators.
    pub discriminators: Discriminators,
    /// Seconds of frames.
    pub timings: Vec<Timing>,
}

/// A figure with its numbers.
pub struct Plate {
    /// Name in files.
    pub id: &'static str,
    /// Heading.
    pub title: String,
    /// What is shown.
    pub caption: String,
    /// What is to be seen.
    pub sentence: String,
    /// Whether it agrees with the paper; `None` where it says nothing of the kind or there is nothing to judge.
    pub agrees: Option<bool>,
    /// The figure.
    pub scene: Scene,
    /// Its numbers.
    pub numbers: Numbers,
}

impl Evaluation<'_> {
    /// Truth.
    pub fn truth(&self) -> Option<&Measured> {
        self.of(LaneKind::Truth)
    }

    /// A lane, where it was made.
    pub fn of(&self, kind: LaneKind) -> Option<&Measured> {
        self.measured
            .iter()
            .find(|m| m.method == Method::Lane(kind))
    }

    /// Forecasts of a method, where they were made.
    pub fn forecast(&self, method: Method) -> Option<&Forecasts> {
        self.forecasts.iter().find(|f| f.method == method)
    }

    /// All but truth.
    pub fn models(&self) -> impl Iterator<Item = &Measured> {
        self.measured.iter().filter(|m| m.method != Method::TRUTH)
    }

    fn legend(&self) -> Vec<(String, Style)> {
        let methods = self.measured.iter().map(|m| m.method);
        methods.map(|m| (m.label().to_owned(), m.style())).collect()
    }

    /// The figures, in the order of the report. One without data is left out.
    pub fn plates(&self) -> Vec<Plate> {
        type Draw = fn(&Evaluation<'_>) -> Option<Plate>;
        let all: [Draw; 17] = [
            fields::strips,
            discriminator::denoising,
            time::acf,
            motion::hovmoeller,
            motion::distances,
            forecast::scores,
            forecast::ranks,
            time::running,
            fields::bias,
            waiting::waiting,
            eofs::eofs,
            power::spectrum,
            power::extremes,
            physics::dynamics,
            physics::budget,
            discriminator::reliability,
            speed::speed,
        ];
        all.iter().filter_map(|f| f(self)).collect()
    }
}

/// A line with its confidence band; a band that is not finite is left out.
fn line_with_band(xs: &[f64], bands: &[Band], style: Style, marks: bool) -> [Layer; 2] {
    let points = xs.iter().zip(bands);
    [
        Layer::Band {
            points: points.clone().map(|(x, b)| [*x, b.low, b.high]).collect(),
            color: style.color,
        },
        Layer::Line {
            points: points.map(|(x, b)| [*x, b.estimate]).collect(),
            style,
            marks,
        },
    ]
}

/// Ends of all bands, for the range of an axis.
fn reach(bands: &[Band]) -> impl Iterator<Item = f64> + '_ {
    bands.iter().flat_map(|b| [b.estimate, b.low, b.high])
}

/// A statement of which both halves must hold; `None` where one is not known.
fn both(a: Option<bool>, b: Option<bool>) -> Option<bool> {
    Some(a? && b?)
}

/// A list of words as English writes it.
fn listed(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [rest @ .., last] => format!("{} and {last}", rest.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        let list = |n: usize| listed(&["a", "b", "c"].map(str::to_owned)[..n]);
        assert_eq!((list(0), list(1)), (String::new(), "a".into()));
        assert_eq!((list(2), list(3)), ("a and b".into(), "a, b and c".into()));
        assert_eq!(both(Some(true), None), None);
        assert_eq!(both(Some(true), Some(false)), Some(false));
    }
}
