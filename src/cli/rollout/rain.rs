//! Runs of daily rain: to a file that grows, and on from it.

use std::ops::ControlFlow;

use serde_json::json;

use crate::data::rain_stream::RainStream;
use crate::error::{Result, UserError};
use crate::model::Model;
use crate::model::card::RainTruth;
use crate::rollout::engine::Engine;
use crate::rollout::frame::RainFigures;
use crate::rollout::headless::Job;
use crate::rollout::headless_rain::{self, NEEDED, RainRun};

use super::super::progress::{Interrupt, bar};
use super::args::{DEFAULT_FRAMES, Plan, RolloutArgs};
use super::report::{blow_up, code, list, median, number, speed};

/// A new run.
pub(super) fn begin(args: &RolloutArgs, model: &Model, plan: &Plan) -> Result<u8> {
    let mut engine = super::engine(args, model)?;
    let frames = args.frames.map_or(DEFAULT_FRAMES, |f| f as usize);
    let run = with_progress(frames, |progress| {
        headless_rain::run(&mut engine, &job(plan, frames), &args.out, progress)
    })?;
    report(args, &engine, plan, &run)
}

/// A run that goes on.
pub(super) fn resume(args: &RolloutArgs) -> Result<u8> {
    let resumed = RainStream::open_for_resume(&args.out, NEEDED)?;
    let recipe = headless_rain::recipe_of(&resumed)?;
    let begun = Plan::of_recipe(&recipe);
    let plan = begun.clone().with(args).expand(args)?;
    plan.must_equal(&begun, args)?;
    let name = args.model.as_deref().unwrap_or(&recipe.model);
    let model = Model::open(name)?;
    if model.hash() != recipe.model_hash {
        return Err(UserError::new(
            format!("{} was made with another model", args.out.display()),
            format!(
                "its model {} has the hash {:.12}, {name} has {:.12}",
                recipe.model,
                recipe.model_hash,
                model.hash()
            ),
            "name the folder of that model with --model",
        ));
    }
    let mut engine = super::engine(args, &model)?;
    // The number of threads changes no bit.
    let kind = |device: &str| device.split(',').next().map(str::to_owned);
    if kind(&engine.compute.name) != kind(&recipe.device) {
        eprintln!(
            "note: begun on {}, goes on on {}; another kind of device gives other last digits",
            recipe.device, engine.compute.name
        );
    }
    let frames = args.frames.map_or(recipe.frames, |f| f as usize);
    let run = with_progress(frames, |progress| {
        headless_rain::go_on(&mut engine, &job(&plan, frames), resumed, progress)
    })?;
    report(args, &engine, &plan, &run)
}

fn job(plan: &Plan, frames: usize) -> Job<'_> {
    Job {
        spec: &plan.spec,
        settings: &plan.settings,
        lane: plan.lane,
        frames,
    }
}

fn with_progress(
    frames: usize,
    work: impl FnOnce(headless_rain::Progress<'_>) -> Result<RainRun>,
) -> Result<RainRun> {
    let interrupt = Interrupt::install();
    let progress = bar(frames as u64, "days");
    let run = work(&mut |doing, done| {
        progress.set_message(doing.to_owned());
        progress.set_position(done as u64);
        if interrupt.asked() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    progress.finish_and_clear();
    run
}

/// Prints the figures; returns the exit code.
fn report(args: &RolloutArgs, engine: &Engine, plan: &Plan, run: &RainRun) -> Result<u8> {
    let none = RainFigures::default();
    let figures = &run.figures;
    let rain = figures.rain.as_deref().unwrap_or(&none);
    let card = &engine.card.truth;
    let unknown = RainTruth::default();
    let truth = card.rain.as_ref().unwrap_or(&unknown);
    let outcome = &run.outcome;
    let seconds = median(&outcome.frame_seconds);
    let zonal = zonal_error(engine, &rain.zonal_mean, &truth.zonal_mean);
    let strength = plan.settings.guidance.strength;
    if args.json {
        let object = json!({
            "frames": run.days,
            "members": plan.spec.members,
            "lane": plan.lane,
            "guidance": strength,
            "frames_per_second": number(1.0 / seconds),
            "seconds_per_frame": number(seconds),
            "guidance_share": number(outcome.guidance_share),
            "device": engine.compute.name,
            "global_mean": number(rain.global_mean),
            "global_mean_truth": number(truth.global_mean),
            "wet_fraction": number(rain.wet_fraction),
            "wet_fraction_truth": number(truth.wet_fraction),
            "wet_cells": number(run.wet_cells),
            "percentiles": list(&rain.percentiles),
            "percentiles_truth": list(&truth.percentiles),
            "acf": list(&figures.acf),
            "acf_truth": list(&card.acf),
            "tropics_acf": list(&rain.tropics_acf),
            "tropics_acf_truth": list(&truth.tropics_acf),
            "global_acf": list(&rain.global_acf),
            "global_acf_truth": list(&truth.global_acf),
            "zonal_mean": list(&rain.zonal_mean),
            "zonal_mean_truth": list(&truth.zonal_mean),
            "zonal_mean_rmse": number(zonal),
            "std_ratio": number(figures.std_ratio),
            "spectrum_error": number(run.spectrum_error),
            "capped": number(rain.capped),
            "blow_up": blow_up(&outcome.blow_up),
            "interrupted": outcome.interrupted,
            "out": args.out,
        });
        println!("{object}");
    } else {
        println!(
            "{} days of {} members in {}",
            run.days,
            plan.spec.members,
            args.out.display()
        );
        speed(seconds, &engine.compute.name, outcome.guidance_share);
        table(run, rain, truth, &card.acf);
        println!(
            "  zonal mean off by {zonal:.2} mm/day (rms), spectrum error {:.4} (zonal wavenumbers 1-40), {:.4} % of cells capped",
            run.spectrum_error,
            100.0 * rain.capped
        );
    }
    Ok(code(args, strength, &outcome.blow_up, outcome.interrupted))
}

fn table(run: &RainRun, rain: &RainFigures, truth: &RainTruth, acf: &[f64]) {
    println!("                                      run    truth");
    let row = |name: &str, a: f64, b: f64| println!("  {name:<32} {a:>7.3}  {b:>7.3}");
    let at = |values: &[f64], i: usize| values.get(i).copied().unwrap_or(f64::NAN);
    row("global mean, mm/day", rain.global_mean, truth.global_mean);
    row(
        "wet share of the area",
        rain.wet_fraction,
        truth.wet_fraction,
    );
    for (i, name) in ["75th", "90th", "95th", "99th", "99.9th"]
        .iter()
        .enumerate()
    {
        row(
            &format!("{name} percentile, mm/day"),
            at(&rain.percentiles, i),
            at(&truth.percentiles, i),
        );
    }
    for lag in 1..=3 {
        row(
            &format!("autocorr. lag {lag}, cells"),
            at(&run.figures.acf, lag),
            at(acf, lag),
        );
    }
    for lag in 1..=3 {
        row(
            &format!("autocorr. lag {lag}, 20S-20N"),
            at(&rain.tropics_acf, lag),
            at(&truth.tropics_acf, lag),
        );
    }
    row(
        "autocorr. lag 1, global mean",
        at(&rain.global_acf, 1),
        at(&truth.global_acf, 1),
    );
}

/// Area-weighted rms difference of two zonal means; NaN where one is not there.
fn zonal_error(engine: &Engine, run: &[f64], truth: &[f64]) -> f64 {
    let Some(climate) = &engine.climate else {
        return f64::NAN;
    };
    let weights = climate.globe.row_weights();
    if run.len() != weights.len() || truth.len() != weights.len() {
        return f64::NAN;
    }
    let sum: f64 = weights
        .iter()
        .zip(run.iter().zip(truth))
        .map(|(w, (a, b))| w * (a - b).powi(2))
        .sum();
    (sum / weights.len() as f64).sqrt()
}
