//! Whole frames, and what guidance adds to them.

use std::hint::black_box;
use std::time::Instant;

use super::Timing;
use crate::error::Result;
use crate::rollout::engine::{Engine, HISTORY};
use crate::rollout::lanes::Lanes;
use crate::rollout::sampled::FrameInProgress;
use crate::rollout::settings::{DiscriminatorKind, LaneKind, RolloutSpec, Settings};
use crate::rollout::suggested::suggested;

/// Times of frames, and guidance's share of a guided one.
pub(super) struct Frames {
    pub timings: Vec<Timing>,
    /// `1 - (frame without a discriminator) / (guided frame)`, both made in turn: quartiles and median of the rounds.
    pub share: [f64; 3],
}

/// Makes frames in turn.
///
/// # Errors
/// A model without the two-tower discriminator.
pub(super) fn frames(engine: &mut Engine, repeats: usize) -> Result<Frames> {
    let settings = suggested(&engine.card, DiscriminatorKind::TwoTower);
    let lanes = Lanes::start(engine, &RolloutSpec::default(), HISTORY - 1)?;
    let mut timings: Vec<Timing> = [
        "frame without a discriminator",
        "guided frame, default setting",
        "unconditional + guided frame, as in the window",
    ]
    .map(|name| Timing {
        name,
        seconds: Vec::new(),
    })
    .into();
    let kinds = [
        &[LaneKind::Unconditional][..],
        &[LaneKind::Guided],
        &[LaneKind::Unconditional, LaneKind::Guided],
    ];
    // The first two rounds are not counted.
    for round in 0..repeats + 2 {
        // Who comes first, changes.
        for i in (0..kinds.len()).map(|k| (k + round) % kinds.len()) {
            let seconds = one(engine, &lanes, kinds[i], &settings)?;
            if round >= 2 {
                timings[i].seconds.push(seconds);
            }
        }
    }
    let pairs = timings[0].seconds.iter().zip(&timings[1].seconds);
    let mut shares: Vec<f64> = pairs.map(|(without, with)| 1.0 - without / with).collect();
    shares.sort_by(f64::total_cmp);
    let last = shares.len().saturating_sub(1) as f64;
    let at = |part: f64| {
        let i = (part * last).round() as usize;
        shares.get(i).copied().unwrap_or(f64::NAN)
    };
    let share = [0.25, 0.5, 0.75].map(at);
    Ok(Frames { timings, share })
}

/// Seconds that a frame of the given lanes takes, with what the window shows of the discriminator.
fn one(engine: &Engine, lanes: &Lanes, kinds: &[LaneKind], settings: &Settings) -> Result<f64> {
    let began = Instant::now();
    let watch = kinds.contains(&LaneKind::Guided);
    if let Some(mut f) = FrameInProgress::begin(engine, lanes, kinds, settings, watch) {
        while !f.is_done() {
            f.step(engine, lanes, settings)?;
        }
        black_box(f.finish(engine).len());
    }
    Ok(began.elapsed().as_secs_f64())
}
