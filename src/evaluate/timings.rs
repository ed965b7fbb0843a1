//! How long a frame takes, with and without guidance.

use std::time::Instant;

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::error::Result;
use crate::rollout::engine::Engine;
use crate::rollout::headless::{self, Job};
use crate::rollout::settings::LaneKind;

use super::forecasts::Experiment;
use super::runs::Tick;

/// Seconds of frames of one member.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Timing {
    /// Which lane.
    pub lane: LaneKind,
    /// Seconds of each frame.
    pub seconds: Vec<f64>,
    /// Of them, seconds in the discriminator, as [`crate::rollout::sampled::FrameInProgress::guidance_seconds`] has it.
    pub guidance: Vec<f64>,
}

/// Times frames of all lanes by turns, so that what else the machine does meets all of them alike. A result of the same
/// recipe and device is read from its file. `None` where the work was stopped.
///
/// # Errors
/// A place that cannot be written.
pub fn timings(
    engine: &mut Engine,
    experiment: &Experiment<'_>,
    lanes: &[LaneKind],
    tick: Tick<'_>,
) -> Result<Option<Vec<Timing>>> {
    let plan = experiment.plan;
    let mut recipe = plan.recipe(engine, None, "timings", 1);
    recipe["device"] = json!(engine.compute.name);
    recipe["lanes"] = json!(lanes);
    recipe["repeats"] = json!(plan.sizes.repeats);
    // Since 2 the closed form counts in the step of the solver where it is part of it.
    recipe["version"] = json!(2);
    let path = plan.out.join("runs").join("timings.json");
    super::store::cached(&path, &recipe, || {
        let mut all: Vec<Timing> = lanes
            .iter()
            .map(|lane| Timing {
                lane: *lane,
                seconds: Vec::new(),
                guidance: Vec::new(),
            })
            .collect();
        let history = experiment.lanes(engine, 0, 1)?;
        for repeat in 0..=plan.sizes.repeats {
            for timing in &mut all {
                let job = Job {
                    spec: &history.spec,
                    settings: &plan.settings,
                    lane: timing.lane,
                    frames: 1,
                };
                let began = Instant::now();
                let (_, guidance) = headless::next_frame(engine, &history, &job)?;
                // The first of each warms up.
                if repeat > 0 {
                    timing.seconds.push(began.elapsed().as_secs_f64());
                    timing.guidance.push(guidance);
                }
            }
            if tick("timings", repeat, plan.sizes.repeats).is_break() {
                return Ok(None);
            }
        }
        Ok(Some(all))
    })
}

/// Median; NaN without values.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        n => 0.5 * (sorted[(n - 1) / 2] + sorted[n / 2]),
    }
}
