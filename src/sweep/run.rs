//! One point of a sweep: its rollout, and what comes of it.

use std::ops::ControlFlow;
use std::path::Path;

use super::grid::Point;
use super::judge::{Figures, Finished};
use crate::error::Result;
use crate::rollout::engine::Engine;
use crate::rollout::headless::{self, Job, RunRecipe};
use crate::rollout::headless_rain;
use crate::rollout::settings::{LaneKind, RolloutSpec};

/// Makes the guided rollout of a point and judges it; `None` if it was stopped. Rain passes through a file beside
/// `scratch` (a name with another ending), which is removed; turbulence needs none. `go_on` is asked before every frame.
///
/// # Errors
/// Settings that the model cannot follow, or a file that cannot be written.
pub fn make(
    engine: &mut Engine,
    point: &Point,
    spec: &RolloutSpec,
    frames: usize,
    scratch: &Path,
    go_on: &dyn Fn() -> ControlFlow<()>,
) -> Result<Option<Finished>> {
    let job = Job {
        spec,
        settings: &point.settings,
        lane: LaneKind::Guided,
        frames,
    };
    let (figures, blow_up, interrupted) = if engine.climate.is_some() {
        let file = scratch.with_extension("nc");
        let run = headless_rain::run(engine, &job, &file, &mut |_, _| go_on())?;
        // Only the figures are kept: the days of a large sweep fill a disk.
        if let Err(e) = std::fs::remove_file(&file) {
            log::warn!("cannot remove {}: {e}", file.display());
        }
        let figures = Figures::of_globe(&run, &engine.card.truth);
        (figures, run.outcome.blow_up, run.outcome.interrupted)
    } else {
        let run = headless::run_lane(engine, &job, &mut |_| go_on())?;
        let figures = Figures::of_box(&run, &engine.card.truth);
        (figures, run.blow_up, run.interrupted)
    };
    if interrupted {
        return Ok(None);
    }
    Ok(Some(Finished {
        values: point
            .values
            .iter()
            .map(|(knob, value)| (knob.name().to_owned(), value.clone()))
            .collect(),
        recipe: RunRecipe::new(engine, &job),
        score: figures.score().filter(|_| blow_up.is_none()),
        figures,
        blow_up,
    }))
}
