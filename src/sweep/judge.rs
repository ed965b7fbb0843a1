//! How a point of a sweep is judged, and which guidance strength follows.

use serde::{Deserialize, Serialize};

use crate::metrics;
use crate::model::card::TruthCard;
use crate::rollout::headless::{HeadlessRun, RunRecipe};
use crate::rollout::headless_rain::RainRun;

/// Errors at which one point of the score is lost: of turbulence the autocorrelation (mean absolute error at lags 1-10), the
/// standard deviation (ratio to the data's) and the dynamics skill (difference from truth's).
const BOX: [f64; 3] = [0.012, 0.03, 0.03];
/// Of rain the autocorrelation (lags 1-10), the standard deviation and the wet share of the area.
const GLOBE: [f64; 3] = [0.03, 0.03, 0.03];

/// What the criterion is, for people.
pub fn criterion(globe: bool) -> String {
    let [acf, std, third] = if globe { GLOBE } else { BOX };
    let what = if globe {
        "|wet share of the area - truth's|"
    } else {
        "|dynamics skill - truth's|"
    };
    format!(
        "score = (mean |autocorrelation - truth's| at lags 1-10) / {acf} + |std ratio - 1| / {std} + {what} / {third}; \
         the smallest is the best; a run that blew up has none"
    )
}

/// Figures of one point.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Figures {
    /// Autocorrelation at lag 1.
    pub acf1: Option<f64>,
    /// Mean absolute error of the autocorrelation, lags 1-10.
    pub acf_error: Option<f64>,
    /// Standard deviation divided by the data's.
    pub std_ratio: Option<f64>,
    /// Spectrum error.
    pub spectrum_error: Option<f64>,
    /// Dynamics skill minus truth's (box).
    pub skill_difference: Option<f64>,
    /// Regression on the solver's step (box).
    pub a: Option<f64>,
    /// What that regression leaves, in std (box).
    pub residual: Option<f64>,
    /// Global mean divided by truth's (globe).
    pub mean_ratio: Option<f64>,
    /// Wet share of the area minus truth's (globe).
    pub wet_difference: Option<f64>,
    /// Frames made, of each member.
    pub frames: usize,
    /// Median of the seconds of a frame, all members together.
    pub seconds_per_frame: Option<f64>,
    /// The fastest frame: what one costs where nothing else runs.
    pub fastest_frame: Option<f64>,
}

fn finite(v: f64) -> Option<f64> {
    v.is_finite().then_some(v)
}

fn median(values: &[f64]) -> Option<f64> {
    let mut v = values.to_vec();
    v.sort_by(f64::total_cmp);
    v.get(v.len() / 2).copied()
}

impl Figures {
    /// Of a run of turbulence.
    pub fn of_box(run: &HeadlessRun, truth: &TruthCard) -> Self {
        let f = &run.figures;
        Self {
            acf1: f.acf.get(1).copied().and_then(finite),
            acf_error: finite(run.acf_mae(&truth.acf)),
            std_ratio: finite(f.std_ratio),
            spectrum_error: finite(run.spectrum_error),
            skill_difference: finite(f.dynamics_skill - truth.dynamics_skill),
            a: finite(f.a),
            residual: finite(f.residual),
            frames: run.frame_seconds.len(),
            seconds_per_frame: median(&run.frame_seconds),
            fastest_frame: run.frame_seconds.iter().copied().reduce(f64::min),
            ..Self::default()
        }
    }

    /// Of a run of rain.
    pub fn of_globe(run: &RainRun, truth: &TruthCard) -> Self {
        let f = &run.figures;
        let rain = f.rain.as_deref().zip(truth.rain.as_ref());
        Self {
            acf1: f.acf.get(1).copied().and_then(finite),
            acf_error: metrics::mean_absolute_error(&f.acf, &truth.acf).and_then(finite),
            std_ratio: finite(f.std_ratio),
            spectrum_error: finite(run.spectrum_error),
            mean_ratio: rain.and_then(|(r, t)| finite(r.global_mean / t.global_mean)),
            wet_difference: rain.and_then(|(r, t)| finite(r.wet_fraction - t.wet_fraction)),
            frames: run.days,
            seconds_per_frame: median(&run.outcome.frame_seconds),
            fastest_frame: run.outcome.frame_seconds.iter().copied().reduce(f64::min),
            ..Self::default()
        }
    }

    /// The score of [`criterion`]; `None` where a part is not known.
    pub fn score(&self) -> Option<f64> {
        let (third, [acf, std, last]) = match (self.skill_difference, self.wet_difference) {
            (Some(skill), _) => (skill, BOX),
            (None, Some(wet)) => (wet, GLOBE),
            _ => return None,
        };
        Some(self.acf_error? / acf + (self.std_ratio? - 1.0).abs() / std + third.abs() / last)
    }
}

/// A finished point, as its file holds it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finished {
    /// Values of the axes, as written.
    pub values: Vec<(String, String)>,
    /// Everything that made it.
    pub recipe: RunRecipe,
    /// What came of it.
    pub figures: Figures,
    /// First frame that had left the data, and what was seen.
    pub blow_up: Option<(usize, String)>,
    /// [`Figures::score`]; `None` after a blow-up.
    pub score: Option<f64>,
}

impl Finished {
    /// Guidance strength of this point.
    pub fn strength(&self) -> f32 {
        self.recipe.settings.guidance.strength
    }
}

/// The best of some points.
pub fn best<'a>(points: impl IntoIterator<Item = &'a Finished>) -> Option<&'a Finished> {
    points
        .into_iter()
        .filter(|p| p.score.is_some())
        .min_by(|a, b| {
            let of = |p: &Finished| p.score.unwrap_or(f64::INFINITY);
            of(a).total_cmp(&of(b))
        })
}

/// The largest strength below which no point blew up, if one above it did: where the red end of the slider belongs.
pub fn usable<'a>(points: impl IntoIterator<Item = &'a Finished> + Clone) -> Option<f32> {
    let first_bad = points
        .clone()
        .into_iter()
        .filter(|p| p.blow_up.is_some())
        .map(Finished::strength)
        .min_by(f32::total_cmp)?;
    points
        .into_iter()
        .map(Finished::strength)
        .filter(|&s| s < first_bad)
        .max_by(f32::total_cmp)
}

/// What [`ladder`] asks, for people.
pub const LADDER: &str = "samplers: \"fine\" has the smallest score of all, \"fast\" the fewest network evaluations of those \
     with at most 1.5 times its score, \"draft\" of those with at most 4 times its score; with lambda=0,... in the sweep, the score of a \
     sampler also has |std ratio - 1| / 0.03 + spectrum error / 0.03 of the frames that it makes without guidance";

/// Error of the spectrum at which a sampler loses a point of its score without guidance; that of the standard deviation is the
/// one of [`criterion`].
const ALONE_SPECTRUM: f64 = 0.03;

/// A sampler of [`ladder`].
#[derive(Debug, Clone, Copy)]
pub struct Rung<'a> {
    /// "draft", "fast" or "fine".
    pub name: &'static str,
    /// The guided rollout that it made.
    pub point: &'a Finished,
    /// Figures of what it made without guidance, where that was asked.
    pub alone: Option<&'a Figures>,
    /// Its score; smaller is better.
    pub score: f64,
}

impl<'a> Rung<'a> {
    /// A guided point with what the same sampler made without guidance.
    fn of(point: &'a Finished, all: impl IntoIterator<Item = &'a Finished>) -> Option<Self> {
        let sampler = &point.recipe.settings.sampler;
        let alone = all
            .into_iter()
            .find(|p| p.strength() == 0.0 && p.recipe.settings.sampler == *sampler)
            .map(|p| &p.figures);
        let without = match alone {
            Some(f) => (f.std_ratio? - 1.0).abs() / BOX[1] + f.spectrum_error? / ALONE_SPECTRUM,
            None => 0.0,
        };
        let score = point.score? + without;
        Some(Self {
            name: "",
            point,
            alone,
            score,
        })
    }

    fn cost(&self) -> usize {
        let s = &self.point.recipe.settings.sampler;
        s.solver.evaluations(s.steps)
    }
}

/// Samplers from quick to good: see [`LADDER`]. A sampler that would stand twice stands once, under its better name.
pub fn ladder<'a>(points: impl IntoIterator<Item = &'a Finished> + Clone) -> Vec<Rung<'a>> {
    let guided = points.clone().into_iter().filter(|p| p.strength() != 0.0);
    let rungs: Vec<Rung<'_>> = guided.filter_map(|p| Rung::of(p, points.clone())).collect();
    let Some(fine) = rungs.iter().min_by(|a, b| a.score.total_cmp(&b.score)) else {
        return Vec::new();
    };
    let quickest = |times: f64| {
        let able = rungs.iter().filter(|r| r.score <= times * fine.score);
        able.min_by(|a, b| a.cost().cmp(&b.cost()).then(a.score.total_cmp(&b.score)))
    };
    let named = |name, rung: &Rung<'a>| Rung { name, ..*rung };
    let mut out = vec![named("fine", fine)];
    for (name, times) in [("fast", 1.5), ("draft", 4.0)] {
        if let Some(rung) = quickest(times)
            && out.iter().all(|r| r.cost() > rung.cost())
        {
            out.push(named(name, rung));
        }
    }
    out.reverse();
    out
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::rollout::settings::{LaneKind, RolloutSpec, Settings};

    /// A point as a test needs it.
    pub fn point(strength: f32, acf: f64, std: f64, skill: f64, blown: bool) -> Finished {
        let mut settings = Settings::default();
        settings.guidance.strength = strength;
        let figures = Figures {
            acf1: Some(0.9),
            acf_error: Some(acf),
            std_ratio: Some(std),
            skill_difference: Some(skill),
            frames: 10,
            ..Figures::default()
        };
        Finished {
            values: vec![("lambda".into(), strength.to_string())],
            recipe: RunRecipe {
                program: "eddyscope".into(),
                version: "0".into(),
                model: "vorticity".into(),
                model_hash: "00".into(),
                device: "CPU".into(),
                frames: 10,
                lane: LaneKind::Guided,
                settings,
                rollout: RolloutSpec::default(),
            },
            score: figures.score().filter(|_| !blown),
            figures,
            blow_up: blown.then(|| (3, "std 9".into())),
        }
    }

    #[test]
    fn the_score_weighs_its_three_parts() {
        assert!((point(1.0, 0.012, 1.0, 0.0, false).score.unwrap() - 1.0).abs() < 1e-12);
        assert!((point(1.0, 0.0, 0.97, 0.0, false).score.unwrap() - 1.0).abs() < 1e-12);
        assert!((point(1.0, 0.0, 1.0, -0.06, false).score.unwrap() - 2.0).abs() < 1e-12);
        let rain = Figures {
            acf_error: Some(0.03),
            std_ratio: Some(1.03),
            wet_difference: Some(-0.03),
            ..Figures::default()
        };
        assert!((rain.score().unwrap() - 3.0).abs() < 1e-9);
        assert_eq!(Figures::default().score(), None);
    }

    #[test]
    fn samplers_go_from_quick_to_good() {
        let with = |steps: usize, acf: f64| {
            let mut p = point(1.0, acf, 1.0, 0.0, false);
            p.recipe.settings.sampler.steps = steps;
            p
        };
        let all = [
            with(3, 0.2),
            with(5, 0.04),
            with(6, 0.036),
            with(8, 0.014),
            with(10, 0.013),
            with(20, 0.012),
        ];
        let named: Vec<_> = ladder(&all)
            .iter()
            .map(|r| (r.name, r.point.recipe.settings.sampler.steps))
            .collect();
        assert_eq!(named, [("draft", 5), ("fast", 8), ("fine", 20)]);
        // One sampler for all.
        assert_eq!(ladder(&all[..1]).len(), 1);
        assert!(ladder(&[point(1.0, 0.1, 1.0, 0.0, true)]).is_empty());
        // What a sampler makes without guidance counts too.
        let alone = |steps: usize, std: f64| {
            let mut p = point(0.0, 0.4, std, -0.5, false);
            p.recipe.settings.sampler.steps = steps;
            p.figures.spectrum_error = Some(0.0);
            p
        };
        let both: Vec<Finished> = all
            .iter()
            .cloned()
            .chain([3, 5, 6, 8].map(|n| alone(n, 1.3)))
            .chain([10, 20].map(|n| alone(n, 1.0)))
            .collect();
        let named: Vec<_> = ladder(&both)
            .iter()
            .map(|r| (r.name, r.point.recipe.settings.sampler.steps))
            .collect();
        assert_eq!(named, [("fast", 10), ("fine", 20)]);
    }

    #[test]
    fn the_best_point_did_not_blow_up() {
        // A run that blew up may have had a fine autocorrelation until then.
        let all = [
            point(0.5, 0.1, 0.9, -0.2, false),
            point(1.0, 0.003, 1.0, 0.01, false),
            point(1.5, 0.001, 1.0, 0.0, true),
            point(2.0, 0.5, 1.9, 0.4, true),
        ];
        assert_eq!(best(&all).unwrap().strength(), 1.0);
        assert_eq!(usable(&all), Some(1.0));
        assert_eq!(usable(&all[..2]), None, "no point blew up");
        assert!(best(&all[2..]).is_none());
    }
}
