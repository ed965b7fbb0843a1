//! `eddyscope rollout`: guided frames to a NetCDF file, with the figures they are judged by.

mod args;
mod rain;
mod report;
mod world;

use std::ops::ControlFlow;

use crate::data;
use crate::device::{self, DeviceRequest};
use crate::error::{Result, UserError};
use crate::model::Model;
use crate::rollout::engine::Engine;
use crate::rollout::headless::{self, Job};
use crate::rollout::settings::DiscriminatorKind;

pub use args::{Lane, RolloutArgs};

use super::progress::{Interrupt, bar};
use super::settings::check_season;
use args::{DEFAULT_FRAMES, Plan};

/// Runs the command; returns the exit code.
///
/// # Errors
/// See [`UserError`]; nothing is written then.
pub fn run(args: &RolloutArgs) -> Result<u8> {
    if args.resume {
        return rain::resume(args);
    }
    data::check_writable(&args.out)?;
    let model = Model::open(args.model_name())?;
    let discriminator = args.discriminator.unwrap_or(DiscriminatorKind::TwoTower);
    let mut plan = Plan::of_model(&model.card, discriminator).with(args);
    plan = plan.with_world(&model.card, args)?;
    plan.settings.validate()?;
    check_season(&model.card, args.season)?;
    if model.card.data.globe.is_some() {
        return rain::begin(args, &model, &plan.expand(args)?);
    }
    if let Some(second) = plan.spec.more_files.first() {
        return Err(UserError::new(
            "A start of turbulence is one file",
            format!("{} was given as well", second.display()),
            "name one file after --start",
        ));
    }
    if let (None, Some(path)) = (args.members, &plan.spec.start_file) {
        plan.spec.members = data::read_series(path, None)?.members;
    }
    let mut engine = engine(args, &model)?;
    let interrupt = Interrupt::install();
    let frames = args.frames.map_or(DEFAULT_FRAMES, |f| f as usize);
    let progress = bar(frames as u64, "frames");
    let job = Job {
        spec: &plan.spec,
        settings: &plan.settings,
        lane: plan.lane,
        frames,
    };
    let run = headless::run_lane(&mut engine, &job, &mut |done| {
        progress.set_position(done as u64);
        if interrupt.asked() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    })?;
    progress.finish_and_clear();
    data::write_series(&args.out, &run.series)?;
    report::report(args, &engine, &run)
}

/// The model on the device that was asked for.
fn engine(args: &RolloutArgs, model: &Model) -> Result<Engine> {
    let compute = device::select(match model.card.closed_form {
        // Without networks there is nothing for a GPU to do.
        Some(_) => DeviceRequest::Cpu,
        None => args.device,
    })?;
    if let Some(note) = &compute.note {
        log::info!("computing on the CPU: {note}");
    }
    Engine::new(model, compute)
}
