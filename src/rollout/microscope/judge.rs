//! A discriminator's answer about frames that nobody sampled.

use std::sync::Arc;

use crate::data::{Calendar, Date, NORMALISED_STD};
use crate::diffusion::schedule::geometric_levels;
use crate::diffusion::{Context, to_vec};
use crate::error::{Result, UserError};
use crate::random::{NoiseKey, Stream};

use super::super::engine::{Engine, HISTORY};
use super::super::settings::GuidanceSettings;

/// Noise levels at which it is asked.
pub const LEVELS: usize = 8;
const HIGHEST: f64 = 10.0;
const LOWEST: f64 = 0.02;
/// Draws of the noise that each answer is the mean of.
const DRAWS: usize = 2;

/// Standard deviations of the data from which on a value lies outside of what a model knows.
pub const FAR: f32 = 6.0;

/// "Does the first frame follow from the ones behind it?", of two series of frames.
#[derive(Debug, Clone)]
pub struct Question {
    /// As they were: the candidate, then the frames before it, newest first; up to five, two at least. Physical units.
    pub original: Vec<Arc<[f32]>>,
    /// As they are now, as many.
    pub edited: Vec<Arc<[f32]>>,
    /// Discriminator, history length, whether the date is told.
    pub guidance: GuidanceSettings,
    /// Date of the candidate, on the globe.
    pub date: Option<(Calendar, Date)>,
    /// Seed of the noise that the candidates are given.
    pub seed: u64,
}

/// The answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// Noise levels, descending, normalised units.
    pub sigma: Vec<f64>,
    /// Logit of the original at each.
    pub original: Vec<f64>,
    /// Logit of the edited frames at each.
    pub edited: Vec<f64>,
    /// Largest departure from the mean among the values that were edited, in standard deviations of the data.
    pub extreme: f32,
    /// Edited values beyond [`FAR`].
    pub far: usize,
}

/// Asks the discriminator. Both candidates get the same noise, so that what differs is the edit.
///
/// # Errors
/// Frames of another model, fewer than two of them, a discriminator that the model does not have.
pub fn judge(engine: &Engine, question: &Question) -> Result<Verdict> {
    let cells = engine.cells();
    let count = question.original.len();
    let all = || question.original.iter().chain(&question.edited);
    if count < 2 || question.edited.len() != count || all().any(|f| f.len() != cells) {
        return Err(UserError::new(
            "The discriminator cannot be asked",
            "it needs a frame and at least one before it, both of this model",
            "go to a later frame",
        ));
    }
    let discriminator = engine.discriminator(question.guidance.discriminator)?;
    let normalised = |frame: &[f32]| {
        let mut out = Vec::with_capacity(cells);
        engine.normaliser.normalise(frame, &mut out);
        out
    };
    let sides = [&question.original, &question.edited];
    let mut history = Vec::with_capacity(2 * DRAWS * HISTORY * cells);
    let mut candidates = Vec::with_capacity(2 * DRAWS * cells);
    let mut noise = Vec::with_capacity(2 * DRAWS * cells);
    for frames in sides {
        for draw in 0..DRAWS {
            for past in 1..=HISTORY {
                match frames.get(past) {
                    Some(frame) => history.extend(normalised(frame)),
                    None => history.extend(std::iter::repeat_n(0.0, cells)),
                }
            }
            candidates.extend(normalised(&frames[0]));
            let key = NoiseKey {
                seed: question.seed,
                stream: Stream::Question,
                member: draw as u32,
                frame: 0,
                step: 0,
            };
            noise.extend(key.normal_f32(cells));
        }
    }
    let rows = 2 * DRAWS;
    let told = question
        .date
        .filter(|_| engine.told_season(&question.guidance));
    let context = Context {
        m: question.guidance.history.min(count - 2).min(HISTORY - 1),
        season: told.map(|(calendar, date)| calendar.year_fraction(date)),
        belief: question.guidance.belief,
    };
    let conditioned = discriminator.condition(&engine.tensor(history, rows, HISTORY), context);
    let candidates = engine.tensor(candidates, rows, 1);
    let noise = engine.tensor(noise, rows, 1);
    let mut verdict = Verdict {
        sigma: geometric_levels(LEVELS, LOWEST, HIGHEST),
        original: Vec::with_capacity(LEVELS),
        edited: Vec::with_capacity(LEVELS),
        extreme: 0.0,
        far: 0,
    };
    verdict.sigma.truncate(LEVELS);
    for &sigma in &verdict.sigma {
        let x = candidates.clone() + noise.clone().mul_scalar(sigma as f32);
        // The answer does not depend on the image model's estimate, only the correction of the guidance does.
        let logits = to_vec(conditioned.judge(&x, sigma, &x).logit);
        let mean = |part: &[f32]| part.iter().map(|&l| f64::from(l)).sum::<f64>() / DRAWS as f64;
        verdict.original.push(mean(&logits[..DRAWS]));
        verdict.edited.push(mean(&logits[DRAWS..]));
    }
    for (frame, was) in question.edited.iter().zip(&question.original) {
        // What was there before is the model's own.
        let edited = normalised(frame)
            .into_iter()
            .zip(frame.iter().zip(was.iter()));
        for (v, _) in edited.filter(|(_, (now, was))| now != was) {
            let std = v.abs() / NORMALISED_STD as f32;
            verdict.extreme = verdict.extreme.max(std);
            verdict.far += usize::from(std > FAR);
        }
    }
    Ok(verdict)
}

impl Verdict {
    /// D at a noise level: the probability that the frame follows.
    pub fn chance(logit: f64) -> f64 {
        1.0 / (1.0 + (-logit).exp())
    }

    /// The noise level at which the edited frame is least believed, and D there.
    pub fn worst(&self) -> Option<(f64, f64)> {
        worst(&self.sigma, &self.edited)
    }

    /// The same for the original.
    pub fn worst_of_original(&self) -> Option<(f64, f64)> {
        worst(&self.sigma, &self.original)
    }

    /// In plain words.
    pub fn words(&self) -> String {
        let say = |chance: f64| match chance {
            c if c < 0.1 => "implausible",
            c if c < 0.4 => "doubtful",
            c if c <= 0.6 => "undecided",
            _ => "plausible",
        };
        let (Some((sigma, edited)), Some((_, original))) = (self.worst(), self.worst_of_original())
        else {
            return "D gives no answer.".into();
        };
        let before = say(original);
        match say(edited) {
            now @ ("implausible" | "doubtful") => {
                format!(
                    "As a next frame D finds this {now}, most of all at σ {sigma:.2}. The original: {before}."
                )
            }
            "undecided" => {
                format!("As a next frame D is undecided about this. The original: {before}.")
            }
            now => format!(
                "As a next frame D finds this {now} at every noise level. The original: {before}."
            ),
        }
    }
}

fn worst(sigma: &[f64], logits: &[f64]) -> Option<(f64, f64)> {
    let pairs = sigma.iter().zip(logits).filter(|(_, l)| l.is_finite());
    let (sigma, logit) = pairs.min_by(|a, b| a.1.total_cmp(b.1))?;
    Some((*sigma, Verdict::chance(*logit)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(edited: &[f64]) -> Verdict {
        Verdict {
            sigma: vec![10.0, 1.0, 0.1],
            original: vec![0.5, 20.0, 60.0],
            edited: edited.to_vec(),
            extreme: 2.0,
            far: 0,
        }
    }

    #[test]
    fn the_sentence_follows_the_weakest_level() {
        let said = |edited: &[f64]| verdict(edited).words();
        assert!(said(&[0.5, 20.0, 60.0]).contains("plausible at every"));
        assert!(said(&[0.1, -9.0, 60.0]).contains("implausible, most of all at σ 1.00"));
        assert!(said(&[0.1, 3.0, -1.0]).contains("doubtful, most of all at σ 0.10"));
        assert!(said(&[0.0, 0.1, 0.2]).contains("undecided"));
        assert!(said(&[0.0, 0.1, 0.2]).contains("The original: plausible"));
    }
}
