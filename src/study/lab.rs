//! The laboratory: trains, calibrates and remembers. What is finished is not made again.

use std::path::{Path, PathBuf};
use std::time::Duration;

use burn::tensor::Device;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::config::LabConfig;
use super::worlds::{Amount, World};
use super::{Halt, Outcome};
use crate::data::pairs::PairSettings;
use crate::data::{Dataset, Normalisation};
use crate::device::ComputeDevice;
use crate::diffusion::Denoise;
use crate::diffusion::two_tower::TwoTower;
use crate::error::{Result, UserError};
use crate::nn::weights::{self, write_atomically};
use crate::nn::{Denoiser, Encoder, HistoryTower};
use crate::train::calibrate::Subject;
use crate::train::checkpoint::Checkpoint;
use crate::train::config::{OptimizerConfig, TowerTraining};
use crate::train::objective::{DenoiserObjective, EncoderObjective, Objective, TowerObjective};
use crate::train::session::{CHECKPOINT, Report};
use crate::train::{self, Options};

/// Where a study works.
pub struct Lab<'a> {
    /// Folder of everything that it makes.
    pub out: &'a Path,
    /// Sizes.
    pub config: &'a LabConfig,
    /// Seed of everything.
    pub seed: u64,
    /// Whether this is only a look: a twelfth of the training, few and short rollouts.
    pub quick: bool,
    /// Where to compute.
    pub compute: &'a ComputeDevice,
    /// Asks for an early end.
    pub stop: &'a (dyn Fn() -> bool + Sync),
    /// Told what is being done, and how far it is (0..=1).
    pub progress: &'a dyn Fn(&str, f64),
}

/// A network, and what its training was.
pub struct Trained<N> {
    /// With its averaged weights.
    pub net: N,
    /// What the training was.
    pub facts: Facts,
}

/// What a training was.
#[derive(Debug, Clone, PartialEq, Serialize, serde::Deserialize)]
pub struct Facts {
    /// Name in the study.
    pub name: String,
    /// Number of parameters.
    pub parameters: usize,
    /// Steps.
    pub steps: usize,
    /// Seconds that it took.
    pub seconds: f64,
    /// Loss on the frames that were kept from it.
    pub validation_loss: f64,
}

impl Lab<'_> {
    /// burn's handle of the device.
    pub fn device(&self) -> &Device {
        &self.compute.device
    }

    /// Steps of a training, members and frames of a rollout: fewer for a quick look.
    pub fn steps(&self, full: usize) -> usize {
        if self.quick { (full / 12).max(4) } else { full }
    }

    /// See [`Self::steps`].
    pub fn rollout(&self, members: usize, frames: usize) -> (usize, usize) {
        if self.quick {
            (members.min(2), (frames / 4).max(14).min(frames))
        } else {
            (members, frames)
        }
    }

    /// Ends where an end is asked for.
    ///
    /// # Errors
    /// [`Halt::Stopped`].
    pub fn check(&self) -> Outcome<()> {
        if (self.stop)() {
            Err(Halt::Stopped)
        } else {
            Ok(())
        }
    }

    /// The frames of a world.
    ///
    /// # Errors
    /// A stop, or a world that cannot be made.
    pub fn data(&self, world: &World) -> Outcome<Dataset> {
        self.data_of(world, self.config.data, self.seed, None)
    }

    /// As [`Self::data`], another amount, seed or scale.
    ///
    /// # Errors
    /// As [`Self::data`].
    pub fn data_of(
        &self,
        world: &World,
        amount: Amount,
        seed: u64,
        scale: Option<Normalisation>,
    ) -> Outcome<Dataset> {
        (self.progress)(&format!("frames of {}", world.name()), 0.0);
        world.dataset(self.config.side, amount, seed, scale, self.stop)
    }

    /// The image model of some frames. `about` is what the frames depend on.
    ///
    /// # Errors
    /// A stop, or a training that failed.
    pub fn denoiser(
        &self,
        name: &str,
        data: &Dataset,
        about: &Value,
    ) -> Outcome<Trained<Denoiser>> {
        let training = self.config.denoiser(self.seed);
        let divisor = training.network.divisor();
        let recipe = json!({ "training": training, "data": about });
        let objective = DenoiserObjective(&training);
        self.network(name, &objective, data, (divisor, training.steps), recipe)
    }

    /// The history tower of some frames.
    ///
    /// # Errors
    /// As [`Self::denoiser`].
    pub fn tower(
        &self,
        name: &str,
        data: &Dataset,
        about: &Value,
    ) -> Outcome<Trained<HistoryTower>> {
        let training: TowerTraining = self.config.tower(self.seed);
        let divisor = training.network.divisor();
        let recipe = json!({ "training": training, "data": about });
        let objective = TowerObjective(&training);
        self.network(name, &objective, data, (divisor, training.steps), recipe)
    }

    /// The paper's encoder of some frames, with these false successors.
    ///
    /// # Errors
    /// As [`Self::denoiser`].
    pub fn encoder(
        &self,
        name: &str,
        data: &Dataset,
        pairs: PairSettings,
        steps: Option<usize>,
        about: &Value,
    ) -> Outcome<Trained<Encoder>> {
        let mut training = self.config.encoder(pairs, self.seed);
        training.steps = steps.unwrap_or(training.steps);
        let divisor = training.network.trunk().divisor();
        let recipe = json!({ "training": training, "data": about });
        let objective = EncoderObjective(&training);
        self.network(name, &objective, data, (divisor, training.steps), recipe)
    }

    /// Trains a network, goes on with one that was stopped, or takes the finished one.
    ///
    /// # Errors
    /// A stop, or a training that failed.
    pub fn network<O: Objective>(
        &self,
        name: &str,
        objective: &O,
        data: &Dataset,
        (divisor, steps): (usize, usize),
        recipe: Value,
    ) -> Outcome<Trained<O::Network>> {
        self.check()?;
        let folder = self.out.join("networks").join(name);
        let steps = self.steps(steps);
        let recipe = json!({ "steps": steps, "seed": self.seed, "is": recipe });
        let file = folder.join(format!("{}.safetensors", objective.name()));
        if let Some(found) = self.finished(name, objective, &file, &recipe) {
            return Ok(found);
        }
        let optimizer = OptimizerConfig {
            warm_up: (steps / 10).clamp(1, 100),
            learning_rate: self.config.learning_rate,
            ..OptimizerConfig::default()
        };
        let resume = Checkpoint::read(&folder.join(CHECKPOINT)).is_ok();
        let run = |resume: bool| {
            let mut report = |r: Report| {
                let done = r.step as f64 / r.steps.max(1) as f64;
                (self.progress)(&format!("training {name}"), done);
            };
            train::train(
                objective,
                data,
                divisor,
                Options {
                    optimizer: &optimizer,
                    steps,
                    seed: self.seed,
                    out: &folder,
                    init: None,
                    resume,
                    device: self.device().clone(),
                    log_every: (steps / 4).max(1),
                    checkpoint_every: Duration::from_secs(60),
                    recipe: recipe.clone(),
                    stop: self.stop,
                    progress: &mut report,
                },
            )
        };
        // A checkpoint of other settings is of no use: then it begins anew.
        let outcome = match resume.then(|| run(true)) {
            Some(Ok(outcome)) => outcome,
            _ => run(false)?,
        };
        if let train::Outcome::Stopped(_) = outcome {
            return Err(Halt::Stopped);
        }
        self.finished(name, objective, &file, &recipe)
            .ok_or_else(|| unreadable(&file).into())
    }

    /// A network that was trained before with the same recipe.
    fn finished<O: Objective>(
        &self,
        name: &str,
        objective: &O,
        file: &Path,
        recipe: &Value,
    ) -> Option<Trained<O::Network>> {
        let text = std::fs::read_to_string(file.with_extension("json")).ok()?;
        let facts: Value = serde_json::from_str(&text).ok()?;
        if facts.get("recipe") != Some(recipe) {
            return None;
        }
        let bytes = std::fs::read(file).ok()?;
        let fresh = objective.network(self.seed, self.device());
        let net = weights::load(fresh, &bytes, name, self.device()).ok()?;
        let number = |key: &str| facts.get(key).and_then(Value::as_f64);
        Some(Trained {
            net,
            facts: Facts {
                name: name.into(),
                parameters: number("parameters")? as usize,
                steps: number("steps")? as usize,
                seconds: number("seconds")?,
                validation_loss: number("validation_loss")?,
            },
        })
    }

    /// Joins a tower with the closed form, whose numbers are measured on the frames.
    ///
    /// # Errors
    /// Numbers that cannot be used.
    pub fn two_tower(
        &self,
        tower: HistoryTower,
        denoiser: &dyn Denoise,
        data: &Dataset,
        resolved: usize,
    ) -> Outcome<TwoTower<HistoryTower>> {
        let subject = Subject {
            tower: &tower,
            denoiser,
            data,
            resolved,
            missed_factor: 1.0,
            device: self.device(),
        };
        let tell = |done: usize, all: usize| {
            (self.progress)("calibration", done as f64 / all.max(1) as f64);
        };
        let calibration = subject.calibrate(self.seed, &tell)?;
        Ok(TwoTower::new(tower, calibration, self.device())?)
    }

    /// A measurement: made, and kept in the study's folder under `name`; taken from there when its recipe is the same.
    ///
    /// # Errors
    /// Those of the measurement, or a folder that cannot be written.
    pub fn once<T: Serialize + DeserializeOwned>(
        &self,
        name: &str,
        recipe: &Value,
        make: impl FnOnce() -> Outcome<T>,
    ) -> Outcome<T> {
        let file = self.out.join("measured").join(format!("{name}.json"));
        let recipe =
            json!({ "seed": self.seed, "quick": self.quick, "lab": self.config, "is": recipe });
        if let Some(found) = kept(&file, &recipe) {
            return Ok(found);
        }
        self.check()?;
        (self.progress)(name, 0.0);
        let made = make()?;
        let text = json!({ "recipe": recipe, "result": made }).to_string();
        make_folder(&file)?;
        write_atomically(&file, text.as_bytes())?;
        // What is kept is what is told: the same numbers whether made or taken.
        kept(&file, &recipe).ok_or_else(|| unreadable(&file).into())
    }
}

fn kept<T: DeserializeOwned>(file: &Path, recipe: &Value) -> Option<T> {
    let text = std::fs::read_to_string(file).ok()?;
    let mut found: Value = serde_json::from_str(&text).ok()?;
    if found.get("recipe") != Some(recipe) {
        return None;
    }
    serde_json::from_value(found.get_mut("result")?.take()).ok()
}

/// Makes the folder that a file stands in.
pub(super) fn make_folder(file: &Path) -> Result<()> {
    let folder = file.parent().map_or_else(PathBuf::new, Path::to_path_buf);
    std::fs::create_dir_all(&folder).map_err(|e| {
        UserError::new(
            format!("Cannot make the folder {}", folder.display()),
            e,
            "choose another folder with --out",
        )
    })
}

fn unreadable(file: &Path) -> UserError {
    UserError::new(
        format!("Cannot read back {}", file.display()),
        "it is not what was written, or its numbers are not finite",
        "start the command again with another folder, or with longer trainings",
    )
}
