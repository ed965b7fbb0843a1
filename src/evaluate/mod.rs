//! The paper's figures and tables from ensembles of all methods.
//!
//! | file | what it does |
//! |---|---|
//! | [`plan`] | how much is made, and with what |
//! | [`method`] | what is held against truth |
//! | [`runs`], [`store`] | long runs: made, kept, gone on with, or taken as they are |
//! | [`forecasts`], [`starts`], [`ledger`] | ensemble forecasts from the same starts, scored |
//! | [`discriminator`], [`timings`] | the discriminator watched and judged; seconds a frame |
//! | [`sample`], [`mod@measure`] | frames in memory, and what is read off them block by block |
//! | [`plates`] | the figures, with a sentence and a verdict each |
//! | [`holds`] | what must hold |
//! | [`write`](mod@write) | files |
//!
//! Everything that costs time is written to `runs` in the folder of the evaluation as it is made; the same call goes on
//! with it.

pub mod discriminator;
pub mod forecasts;
pub mod holds;
pub mod ledger;
pub mod measure;
pub mod method;
pub mod plan;
pub mod plates;
pub mod runs;
pub mod sample;
pub mod starts;
pub mod store;
pub mod timings;
pub mod write;

use serde_json::json;

use crate::error::Result;
use crate::rollout::engine::Engine;
use crate::rollout::settings::LaneKind;

use forecasts::{Experiment, Forecasts};
use measure::{Measured, Reference, measure};
use method::Method;
use plan::Plan;
use plates::Evaluation;
use runs::{Tick, Truth};
use sample::World;
use write::Results;

/// Days of a year without a leap day.
const YEAR: usize = 365;

/// Makes what is missing, reads everything off it and draws the figures. `None` where the work was stopped: what was made
/// is kept.
///
/// # Errors
/// Files that cannot be read or written, or that were made with other settings; too few frames of truth for the starts.
pub fn run(
    engine: &mut Engine,
    plan: &Plan,
    command: &str,
    tick: Tick<'_>,
) -> Result<Option<Results>> {
    let world = World::of(engine);
    let mut notes = Vec::new();
    let Some(truth) = runs::truth(engine, plan, tick)? else {
        return Ok(None);
    };
    let Some(measured) = long_runs(engine, plan, &world, &truth, &mut notes, tick)? else {
        return Ok(None);
    };
    let experiment = Experiment::new(plan, &world, &truth)?;
    let lanes: Vec<LaneKind> = Method::made()
        .into_iter()
        .filter_map(|m| match m {
            Method::Lane(kind) => runs::can_make(engine, plan, kind).is_ok().then_some(kind),
            _ => None,
        })
        .collect();
    let Some(forecasts) = all_forecasts(engine, &experiment, &lanes, &mut notes, tick)? else {
        return Ok(None);
    };
    let Some(discriminators) = discriminator::discriminators(engine, &experiment, tick)? else {
        return Ok(None);
    };
    let Some(timings) = timings::timings(engine, &experiment, &lanes, tick)? else {
        return Ok(None);
    };
    let evaluation = Evaluation {
        plan,
        world: &world,
        measured,
        forecasts,
        discriminators,
        timings,
    };
    let plates = evaluation.plates();
    let sizes = &plan.sizes;
    Ok(Some(Results {
        title: format!("Evaluation of the model {}", engine.card.name),
        intro: format!(
            "{} runs of {} {} of each method beside truth, and {} forecasts of {} members. The claims are those of Hess et al. \
             2025 (arXiv 2505.09089); whether they hold here follows from the numbers. Lines and bands have the same meaning \
             everywhere: estimates from all frames, 95 % bootstrap intervals.",
            sizes.series,
            sizes.frames,
            world.step(),
            sizes.starts,
            sizes.members
        ),
        asked: holds::all(&evaluation),
        plates,
        notes,
        recipe: json!({
            "program": "eddyscope",
            "version": env!("CARGO_PKG_VERSION"),
            "command": command,
            "model": engine.card.name,
            "model_hash": engine.model_hash,
            "device": engine.compute.name,
            "seed": plan.seed,
            "sizes": sizes,
            "settings": plan.settings,
            "recording": truth.recording.as_ref().map(|r| r.name()),
            "runs_taken_from": plan.runs,
        }),
    }))
}

fn long_runs(
    engine: &mut Engine,
    plan: &Plan,
    world: &World,
    truth: &Truth,
    notes: &mut Vec<String>,
    tick: Tick<'_>,
) -> Result<Option<Vec<Measured>>> {
    let reference = Reference::of(&truth.sample, world);
    let counted = plan.sizes.frames - plan.sizes.spin_up(world.globe.is_some());
    if world.globe.is_some() && counted < 3 * YEAR && !counted.is_multiple_of(YEAR) {
        notes.push(format!(
            "The runs count {counted} days, no whole years: means differ from truth's by the season as well."
        ));
    }
    let mut all = vec![measure(
        &truth.sample,
        world,
        &reference,
        &plan.sizes,
        plan.seed,
    )];
    for method in Method::made() {
        let Method::Lane(kind) = method else { continue };
        if let Err(e) = runs::available(engine, plan, kind) {
            notes.push(format!("{}: {}; {}.", method.label(), e.headline, e.cause));
            continue;
        }
        let Some(sample) = runs::lane(engine, plan, truth, kind, tick)? else {
            return Ok(None);
        };
        if let Some(why) = &sample.ended {
            notes.push(format!("{}: the run ended early, {why}.", method.label()));
        }
        if sample.frames() > 0 {
            all.push(measure(&sample, world, &reference, &plan.sizes, plan.seed));
        }
    }
    Ok(Some(all))
}

fn all_forecasts(
    engine: &mut Engine,
    experiment: &Experiment<'_>,
    lanes: &[LaneKind],
    notes: &mut Vec<String>,
    tick: Tick<'_>,
) -> Result<Option<Vec<Forecasts>>> {
    let mut all = Vec::new();
    let methods = lanes.iter().map(|k| Method::Lane(*k));
    for method in methods.chain([Method::Climatology, Method::Persistence]) {
        let Some(forecasts) = experiment.of(engine, method, tick)? else {
            return Ok(None);
        };
        let ended = forecasts
            .starts
            .iter()
            .filter(|s| s.ended.is_some())
            .count();
        if ended > 0 {
            let total = forecasts.starts.len();
            notes.push(format!(
                "{}: {ended} of {total} forecasts ended early.",
                method.label()
            ));
        }
        all.push(forecasts);
    }
    Ok(Some(all))
}
