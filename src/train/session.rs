//! The training loop: steps, log, validation, checkpoints, stop and resume.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Gradients, Tensor};

use super::checkpoint::Checkpoint;
use super::config::{OptimizerConfig, TrainConfig};
use super::objective::Objective;
use super::optimizer::{State, learning_rate};
use crate::data::Dataset;
use crate::error::{Result, UserError};
use crate::nn::{HISTORY, weights};

/// What a training is told besides its objective.
pub struct Options<'a> {
    /// Optimizer.
    pub optimizer: &'a OptimizerConfig,
    /// Steps of the whole training.
    pub steps: usize,
    /// Seed of weights and draws.
    pub seed: u64,
    /// Folder of checkpoint, log and weights.
    pub out: &'a Path,
    /// Go on from the checkpoint in `out`.
    pub resume: bool,
    /// Weights to begin with instead of drawn ones.
    pub init: Option<&'a Init>,
    /// The compute device, without autodiff.
    pub device: Device,
    /// Steps between two rows of the log (each with a validation).
    pub log_every: usize,
    /// Time between two checkpoints.
    pub checkpoint_every: Duration,
    /// Everything else that must be the same when a training goes on, as JSON.
    pub recipe: serde_json::Value,
    /// Asks for an early end: the state is saved.
    pub stop: &'a (dyn Fn() -> bool + Sync),
    /// Told after every step.
    pub progress: &'a mut dyn FnMut(Report),
}

/// Weights that a training begins with.
#[derive(Debug, Clone)]
pub struct Init {
    /// The safetensors file.
    pub bytes: Vec<u8>,
    /// Its name, for errors.
    pub name: String,
}

/// Where a training stands.
#[derive(Debug, Clone, Copy)]
pub struct Report {
    /// Steps done.
    pub step: usize,
    /// Steps of the whole training.
    pub steps: usize,
    /// Seconds until the end at the present speed.
    pub seconds_left: f64,
    /// Mean training loss, validation loss and learning rate, after a row of the log.
    pub logged: Option<[f64; 3]>,
}

/// How a training ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// All steps done; the weights are in this file.
    Finished(PathBuf),
    /// Stopped after this many steps; `--resume` goes on.
    Stopped(usize),
}

/// Name of the checkpoint in the folder of a training.
pub const CHECKPOINT: &str = "checkpoint.safetensors";
/// Name of the log.
pub const LOG: &str = "log.csv";

/// Trains a network and writes its averaged weights as `NAME.safetensors`, with the facts of the training beside it as
/// `NAME.json`.
///
/// # Errors
/// A folder that cannot be written, data that do not fit the network, a checkpoint of another training, or a loss that
/// is not finite.
pub fn train<O: Objective>(
    objective: &O,
    data: &Dataset,
    divisor: usize,
    options: Options,
) -> Result<Outcome> {
    check_data(data, divisor)?;
    objective.check(data.grid(), data.is_globe())?;
    std::fs::create_dir_all(options.out).map_err(|e| {
        UserError::new(
            format!("Cannot make the folder {}", options.out.display()),
            e,
            "choose another folder with --out",
        )
    })?;
    let plain = options.device.clone();
    let module = objective.network(options.seed, &plain);
    let recipe = recipe(&options);
    let path = options.out.join(CHECKPOINT);
    let (mut state, before) = if options.resume {
        let saved = Checkpoint::read(&path)?;
        check_same(&saved, &recipe, weights::count(&module), &path)?;
        (saved.state, saved.seconds)
    } else {
        let first = match options.init {
            Some(init) => weights::load(module.clone(), &init.bytes, &init.name, &plain)?,
            None => module.clone(),
        };
        (State::new(weights::flat(&first)), 0.0)
    };
    let mut log = open_log(&options.out.join(LOG), options.resume.then_some(state.step))?;
    let (begin, first) = (Instant::now(), state.step);
    let mut saved_at = Instant::now();
    let (mut sum, mut count, mut validation) = (0.0, 0usize, f64::NAN);
    let checkpoint = |state: &State| {
        Checkpoint {
            state: state.clone(),
            seconds: before + begin.elapsed().as_secs_f64(),
            recipe: recipe.clone(),
        }
        .write(&path)
    };
    let one = OneStep {
        objective,
        module: &module,
        data,
        seed: options.seed,
        steps: options.steps,
        optimizer: options.optimizer,
        device: plain.clone().autodiff(),
    };
    while state.step < options.steps {
        if (options.stop)() {
            checkpoint(&state)?;
            return Ok(Outcome::Stopped(state.step));
        }
        let rate = learning_rate(state.step, options.steps, options.optimizer);
        sum += one.make(&mut state)?;
        count += 1;
        let mut logged = None;
        if state.step % options.log_every == 0 || state.step == options.steps {
            let served = weights::with_flat(module.clone(), &state.average, &plain);
            validation = objective.validation(&served, data, &plain);
            let mean = sum / count as f64;
            let seconds = before + begin.elapsed().as_secs_f64();
            writeln!(
                log,
                "{},{mean:.6},{validation:.6},{rate:.3e},{seconds:.1}",
                state.step
            )
            .map_err(|e| unwritable_log(&options.out.join(LOG), e))?;
            logged = Some([mean, validation, rate]);
            (sum, count) = (0.0, 0);
        }
        let per_step = begin.elapsed().as_secs_f64() / (state.step - first) as f64;
        (options.progress)(Report {
            step: state.step,
            steps: options.steps,
            seconds_left: per_step * (options.steps - state.step) as f64,
            logged,
        });
        if saved_at.elapsed() >= options.checkpoint_every {
            checkpoint(&state)?;
            saved_at = Instant::now();
        }
    }
    checkpoint(&state)?;
    let served = weights::with_flat(module, &state.average, &plain);
    let file = options
        .out
        .join(format!("{}.safetensors", objective.name()));
    weights::save_f16(&served, &file)?;
    let facts = serde_json::json!({
        "network": objective.name(),
        "parameters": state.parameters.len(),
        "steps": state.step,
        "seed": options.seed,
        "seconds": before + begin.elapsed().as_secs_f64(),
        "validation_loss": validation,
        "init": options.init.map(|i| i.name.clone()),
        "scale": data.normalisation().scale,
        "recipe": options.recipe,
    });
    let text = serde_json::to_string_pretty(&facts).unwrap_or_default();
    weights::write_atomically(&file.with_extension("json"), text.as_bytes())?;
    Ok(Outcome::Finished(file))
}

/// What every step of a training stands on.
pub(crate) struct OneStep<'a, O: Objective> {
    pub objective: &'a O,
    /// The network with any weights.
    pub module: &'a O::Network,
    pub data: &'a Dataset,
    pub seed: u64,
    /// Steps of the whole training.
    pub steps: usize,
    pub optimizer: &'a OptimizerConfig,
    /// With autodiff.
    pub device: Device,
}

impl<O: Objective> OneStep<'_, O> {
    /// Makes one step; returns the loss before it.
    ///
    /// # Errors
    /// A loss that is not finite; the state is then as before.
    pub fn make(&self, state: &mut State) -> Result<f64> {
        let network = weights::with_flat(self.module.clone(), &state.parameters, &self.device);
        let loss = self.objective.loss(
            &network,
            self.data,
            self.seed,
            state.step as u32,
            &self.device,
        );
        let gradient = gradient(&network, loss.backward());
        let loss = f64::from(loss.into_scalar::<f32>());
        if !loss.is_finite() {
            return Err(UserError::new(
                format!("The training diverged at step {}", state.step),
                format!("the loss is {loss}"),
                "lower learning_rate in the training file, or resume from the last checkpoint with --resume",
            ));
        }
        state.update(&gradient, self.optimizer, self.steps);
        Ok(loss)
    }
}

/// The part of a training's recipe that a training which goes on must share.
fn recipe(options: &Options) -> String {
    serde_json::json!({
        "steps": options.steps,
        "seed": options.seed,
        "optimizer": options.optimizer,
        "init": options.init.map(|i| weights::sha256(&[&i.bytes])),
        "rest": options.recipe,
    })
    .to_string()
}

fn check_data(data: &Dataset, divisor: usize) -> Result<()> {
    let (ny, nx) = (data.grid().ny, data.grid().nx);
    let cause = if ny % divisor != 0 || nx % divisor != 0 {
        format!("the fields are {ny} x {nx} and the network halves them to a {divisor}th")
    } else if data.frames() < HISTORY + 2 {
        format!(
            "the runs have {} frames, a window needs {}",
            data.frames(),
            HISTORY + 2
        )
    } else {
        return Ok(());
    };
    Err(UserError::new(
        "These data do not fit the network",
        cause,
        "use longer runs, or a grid whose sides can be halved often enough",
    ))
}

fn check_same(saved: &Checkpoint, recipe: &str, parameters: usize, path: &Path) -> Result<()> {
    if saved.recipe == recipe && saved.state.parameters.len() == parameters {
        return Ok(());
    }
    Err(UserError::new(
        format!("Cannot resume from {}", path.display()),
        "the training file, the seed or the number of steps is not the one that this training began with",
        "give the same ones as before, or begin anew without --resume",
    ))
}

/// The gradient of every parameter, one after another, in the module's order, read from the device at once.
pub(crate) fn gradient<M: Module>(module: &M, gradients: Gradients) -> Vec<f32> {
    struct Collect {
        gradients: Gradients,
        parts: Vec<Tensor<1>>,
    }
    impl ModuleVisitor for Collect {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let value = param.val();
            let own = value
                .grad_remove(&mut self.gradients)
                // A parameter that the loss does not depend on.
                .unwrap_or_else(|| value.inner().zeros_like());
            let n = own.shape().num_elements();
            self.parts.push(own.reshape([n]));
        }
    }
    let mut collect = Collect {
        gradients,
        parts: Vec::new(),
    };
    module.visit(&mut collect);
    weights::tensor_values(Tensor::cat(collect.parts, 0))
}

fn unwritable_log(path: &Path, e: std::io::Error) -> UserError {
    UserError::new(
        format!("Cannot write the log {}", path.display()),
        e,
        "choose another folder with --out",
    )
}

/// Opens the log: anew, or, for a training that goes on after `resumed` steps, without the rows beyond them.
fn open_log(path: &Path, resumed: Option<usize>) -> Result<File> {
    let failed = |e| unwritable_log(path, e);
    let mut text = "step,loss,validation_loss,learning_rate,seconds\n".to_owned();
    if let Some(step) = resumed
        && let Ok(old) = std::fs::read_to_string(path)
    {
        for line in old.lines().skip(1) {
            let own = line.split(',').next().and_then(|s| s.parse::<usize>().ok());
            if own.is_some_and(|s| s <= step) {
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    std::fs::write(path, text).map_err(failed)?;
    OpenOptions::new().append(true).open(path).map_err(failed)
}

impl TrainConfig {
    /// The JSON of one section and the data, for [`Options::recipe`].
    pub fn recipe<T: serde::Serialize>(&self, section: &T, files: &[PathBuf]) -> serde_json::Value {
        serde_json::json!({
            "section": section,
            "data": self.data,
            "files": files,
        })
    }
}
