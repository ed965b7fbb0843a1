//! From trained weights to a model folder: calibration, truth's figures, card.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use burn::tensor::Device;
use serde_json::Value;

use crate::diffusion::two_tower::Calibration;
use crate::error::{Result, UserError};
use crate::model::card::{
    CARD_VERSION, DataCard, DenoiserCard, EncoderCard, ModelCard, TrainingCard, TwoTowerCard,
};
use crate::model::{CARD_FILE, Model};
use crate::nn::{Denoiser, HistoryTower, weights};
use crate::sim::{Params, Solver};

use super::calibrate::Subject;
use super::{TrainConfig, load_data, truth};

/// Standard deviation of the normalised data.
const SIGMA_DATA: f32 = 0.5;

/// Where the parts of a model are.
pub struct Parts<'a> {
    /// Training file.
    pub config: &'a Path,
    /// Weights of the image model.
    pub denoiser: &'a Path,
    /// Weights of the history tower.
    pub tower: &'a Path,
    /// Weights of the encoder, if there is one.
    pub encoder: Option<&'a Path>,
    /// File with the data instead of a simulation.
    pub data: &'a [PathBuf],
    /// Suggested and usable strength of the encoder.
    pub encoder_strength: (f32, f32),
    /// Suggested and usable strength of the two-tower discriminator.
    pub two_tower_strength: (f32, f32),
}

/// Calibrates and writes the folder: weights and card. Returns the model.
///
/// # Errors
/// Files that cannot be read or do not fit the training file, a folder that cannot be written.
pub fn assemble(
    parts: &Parts<'_>,
    folder: &Path,
    device: &Device,
    stop: &AtomicBool,
    progress: &(dyn Fn(&str, usize, usize) + Sync),
) -> Result<Model> {
    let config = TrainConfig::read(parts.config)?;
    let preset = Params::preset(&config.data.preset)?;
    let mut solver = Solver::new(&preset)?;
    let denoiser_bytes = read(parts.denoiser)?;
    let tower_bytes = read(parts.tower)?;
    let encoder_bytes = parts.encoder.map(read).transpose()?;
    let denoiser = weights::load(
        Denoiser::new(&config.denoiser.network, SIGMA_DATA, device),
        &denoiser_bytes,
        &parts.denoiser.display().to_string(),
        device,
    )?;
    let tower = weights::load(
        HistoryTower::new(&config.tower.network, device),
        &tower_bytes,
        &parts.tower.display().to_string(),
        device,
    )?;
    let data = load_data(
        &config.data,
        parts.data,
        0,
        &|| stop.load(Ordering::Relaxed),
        &|f| {
            progress("simulating the data", (1000.0 * f) as usize, 1000);
        },
    )?;
    let calibration: Calibration = Subject {
        tower: &tower,
        denoiser: &denoiser,
        data: &data,
        // 2/3 dealiasing of the solver.
        resolved: (preset.n - 1) / 3,
        device,
    }
    .calibrate(config.data.seed, &|done, all| {
        progress("calibrating", done, all)
    })?;
    let truth = truth::measure(&data, &mut solver, &|done, all| {
        progress("measuring truth", done, all);
    })?;
    let file = parts.config.display();
    let card = ModelCard {
        version: CARD_VERSION,
        name: "vorticity".into(),
        description: "two-dimensional turbulence, 64 x 64, one frame every 0.16 time units".into(),
        quantity: "vorticity".into(),
        units: "1 / time unit".into(),
        licence: "MIT OR Apache-2.0".into(),
        data: DataCard {
            source: "simulated by eddyscope's own Navier-Stokes solver".into(),
            preset: config.data.preset.clone(),
            seed: config.data.seed,
            train_runs: config.data.runs - config.data.validation_runs,
            validation_runs: config.data.validation_runs,
            frames: config.data.frames,
            scale: data.normalisation().scale,
            globe: None,
        },
        denoiser: DenoiserCard {
            weights: "denoiser.safetensors".into(),
            parameters: weights::count(&denoiser),
            sigma_data: SIGMA_DATA,
            network: config.denoiser.network.clone(),
            training: training(
                parts.denoiser,
                &format!("eddyscope train denoiser --config {file}"),
            )?,
        },
        two_tower: Some(TwoTowerCard {
            weights: "tower.safetensors".into(),
            parameters: weights::count(&tower),
            suggested_strength: parts.two_tower_strength.0,
            usable_strength: parts.two_tower_strength.1,
            network: config.tower.network.clone(),
            training: training(
                parts.tower,
                &format!("eddyscope train discriminator --kind two-tower --config {file}"),
            )?,
            calibration: Some(calibration),
            wavelet: None,
            season: false,
        }),
        encoder: match parts.encoder {
            Some(path) => Some(EncoderCard {
                weights: "encoder.safetensors".into(),
                parameters: facts(path)?["parameters"].as_u64().unwrap_or(0) as usize,
                suggested_strength: parts.encoder_strength.0,
                usable_strength: parts.encoder_strength.1,
                network: config.encoder.network.clone(),
                training: training(
                    path,
                    &format!("eddyscope train discriminator --kind encoder --config {file}"),
                )?,
            }),
            None => None,
        },
        truth,
        quality: Vec::new(),
    };
    let written = [
        ("denoiser.safetensors", Some(denoiser_bytes)),
        ("tower.safetensors", Some(tower_bytes)),
        ("encoder.safetensors", encoder_bytes),
    ];
    std::fs::create_dir_all(folder).map_err(|e| {
        UserError::new(
            format!("Cannot make the folder {}", folder.display()),
            e,
            "choose another folder with --out",
        )
    })?;
    for (name, bytes) in written {
        if let Some(bytes) = bytes {
            weights::write_atomically(&folder.join(name), &bytes)?;
        }
    }
    write_card(&card, folder)?;
    Model::from_folder(folder)
}

/// Writes a card into a model folder.
///
/// # Errors
/// A folder that cannot be written.
pub fn write_card(card: &ModelCard, folder: &Path) -> Result<()> {
    weights::write_atomically(&folder.join(CARD_FILE), card.to_toml()?.as_bytes())
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|e| {
        UserError::new(
            format!("Cannot read the weights {}", path.display()),
            e,
            "train the network first: eddyscope train --help",
        )
    })
}

/// The facts that the training wrote beside its weights.
fn facts(weights: &Path) -> Result<Value> {
    let path: PathBuf = weights.with_extension("json");
    let fail = |e: String| {
        UserError::new(
            format!("Cannot read how {} was trained", weights.display()),
            format!("{}: {e}", path.display()),
            "keep the .json file that the training wrote beside the weights",
        )
    };
    let text = std::fs::read_to_string(&path).map_err(|e| fail(e.to_string()))?;
    serde_json::from_str(&text).map_err(|e| fail(e.to_string()))
}

fn training(weights: &Path, command: &str) -> Result<TrainingCard> {
    let f = facts(weights)?;
    let number = |name: &str| f[name].as_f64().unwrap_or(f64::NAN);
    Ok(TrainingCard {
        command: command.into(),
        steps: number("steps") as usize,
        batch: f["recipe"]["section"]["batch"].as_u64().unwrap_or(16) as usize,
        seed: number("seed") as u64,
        device: f["device"].as_str().unwrap_or("CPU").into(),
        hours: (number("seconds") / 36.0).round() / 100.0,
        validation_loss: number("validation_loss"),
    })
}
