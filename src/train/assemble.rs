//! From trained weights to a model folder: calibration, truth's figures, card.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use burn::tensor::Device;
use serde_json::Value;

use crate::data::dataset::Part;
use crate::diffusion::global_mean::Sensitivity;
use crate::diffusion::seasonal::SeasonalCycle;
use crate::diffusion::two_tower::Calibration;
use crate::diffusion::wavelet_tower::{WaveletCalibration, WaveletTower};
use crate::error::{Result, UserError};
use crate::model::card::{
    CARD_VERSION, DataCard, DenoiserCard, EncoderCard, GlobeCard, ModelCard, TrainingCard,
    TruthCard, TwoTowerCard, VideoCard,
};
use crate::model::{CARD_FILE, Fields, Model};
use crate::nn::{Denoiser, HistoryTower, weights};
use crate::rollout::engine::GlobeTower;
use crate::rollout::settings::{self, SamplerSettings};
use crate::sim::{Params, Solver};

use super::adjust::Adjustment;
use super::calibrate::Subject;
use super::calibrate_globe::GlobeSubject;
use super::config::{Adjust, GlobeData};
use super::{Source, TrainConfig, globe as globe_data, load_data, load_days, truth, truth_globe};

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
    /// Weights of the video model, if there is one.
    pub video: Option<&'a Path>,
    /// Suggested strength of guidance on top of the video model.
    pub video_strength: f32,
    /// File with the data instead of a simulation.
    pub data: &'a Source,
    /// Suggested and usable strength of the encoder.
    pub encoder_strength: (f32, f32),
    /// Suggested and usable strength of the two-tower discriminator.
    pub two_tower_strength: (f32, f32),
    /// Suggested history length of the two-tower discriminator.
    pub history: usize,
}

/// Calibrates and writes the folder: weights, tables and card. Returns the model.
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
    let denoiser_bytes = read(parts.denoiser)?;
    let tower_bytes = read(parts.tower)?;
    let encoder_bytes = parts.encoder.map(read).transpose()?;
    let video_bytes = parts.video.map(read).transpose()?;
    let networks = Networks {
        denoiser: weights::load(
            Denoiser::new(&config.denoiser.network, SIGMA_DATA, device),
            &denoiser_bytes,
            &parts.denoiser.display().to_string(),
            device,
        )?,
        tower: weights::load(
            HistoryTower::new(&config.tower.network, device),
            &tower_bytes,
            &parts.tower.display().to_string(),
            device,
        )?,
    };
    let work = Work {
        config: &config,
        networks: &networks,
        strength: parts.two_tower_strength.0,
        device,
        stop,
        progress,
    };
    let measured = match &config.data.globe {
        None => work.on_the_box(parts.data)?,
        Some(globe) => work.on_the_globe(globe, parts.data)?,
    };
    let text = &config.model;
    let file = parts.config.display();
    let data = if parts.data.files.is_empty() {
        ""
    } else {
        " --data FILES"
    };
    let card = ModelCard {
        version: CARD_VERSION,
        name: text.name.clone(),
        description: text.description.clone(),
        quantity: text.quantity.clone(),
        units: text.units.clone(),
        licence: text.licence.clone(),
        closed_form: None,
        data: measured.data,
        denoiser: DenoiserCard {
            weights: "denoiser.safetensors".into(),
            parameters: weights::count(&networks.denoiser),
            sigma_data: SIGMA_DATA,
            network: config.denoiser.network.clone(),
            training: training(
                parts.denoiser,
                &format!("eddyscope train denoiser --config {file}{data}"),
            )?,
        },
        two_tower: Some(TwoTowerCard {
            weights: "tower.safetensors".into(),
            parameters: weights::count(&networks.tower),
            suggested_strength: parts.two_tower_strength.0,
            suggested_history: parts.history,
            usable_strength: parts.two_tower_strength.1,
            season: networks.tower.knows_season(),
            anomalies: config.tower.anomalies,
            network: config.tower.network.clone(),
            training: training(
                parts.tower,
                &format!("eddyscope train discriminator --kind two-tower --config {file}{data}"),
            )?,
            calibration: measured.calibration,
            wavelet: measured.wavelet,
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
                    &format!("eddyscope train discriminator --kind encoder --config {file}{data}"),
                )?,
            }),
            None => None,
        },
        video: match parts.video {
            Some(path) => Some(video_card(parts, path, &config, data)?),
            None => None,
        },
        truth: measured.truth,
        quality: Vec::new(),
        samplers: Vec::new(),
    };
    std::fs::create_dir_all(folder).map_err(|e| {
        UserError::new(
            format!("Cannot make the folder {}", folder.display()),
            e,
            "choose another folder with --out",
        )
    })?;
    let written = [
        ("denoiser.safetensors", Some(denoiser_bytes)),
        ("tower.safetensors", Some(tower_bytes)),
        ("encoder.safetensors", encoder_bytes),
        ("video.safetensors", video_bytes),
    ];
    for (name, bytes) in written {
        if let Some(bytes) = bytes {
            weights::write_atomically(&folder.join(name), &bytes)?;
        }
    }
    if let (Some(tables), Some(globe)) = (&measured.tables, &card.data.globe) {
        tables.write(&folder.join(&globe.fields))?;
    }
    write_card(&card, folder)?;
    Model::from_folder(folder)
}

/// The card's part on the video model.
fn video_card(
    parts: &Parts<'_>,
    path: &Path,
    config: &TrainConfig,
    data: &str,
) -> Result<VideoCard> {
    let file = parts.config.display();
    Ok(VideoCard {
        weights: "video.safetensors".into(),
        parameters: facts(path)?["parameters"].as_u64().unwrap_or(0) as usize,
        suggested_strength: parts.video_strength,
        network: config.video().network,
        training: training(
            path,
            &format!("eddyscope train video --config {file}{data}"),
        )?,
    })
}

/// Trained networks on a device.
struct Networks {
    denoiser: Denoiser,
    tower: HistoryTower,
}

/// What is measured on the data.
struct Measured {
    data: DataCard,
    calibration: Option<Calibration>,
    wavelet: Option<WaveletCalibration>,
    tables: Option<Fields>,
    truth: TruthCard,
}

struct Work<'a> {
    config: &'a TrainConfig,
    networks: &'a Networks,
    /// Guidance strength that the card suggests.
    strength: f32,
    device: &'a Device,
    stop: &'a AtomicBool,
    progress: &'a (dyn Fn(&str, usize, usize) + Sync),
}

impl Work<'_> {
    fn on_the_box(&self, source: &Source) -> Result<Measured> {
        let config = self.config;
        let preset = Params::preset(&config.data.preset)?;
        let mut solver = Solver::new(&preset)?;
        let data = load_data(
            &config.data,
            source,
            0,
            &|| self.stop.load(Ordering::Relaxed),
            &|f| (self.progress)("simulating the data", (1000.0 * f) as usize, 1000),
        )?;
        let calibration: Calibration = Subject {
            tower: &self.networks.tower,
            denoiser: &self.networks.denoiser,
            data: &data,
            // 2/3 dealiasing of the solver.
            resolved: (preset.n - 1) / 3,
            missed_factor: f64::from(self.config.tower.missed_factor),
            device: self.device,
        }
        .calibrate(config.data.seed, &|done, all| {
            (self.progress)("calibrating", done, all)
        })?;
        let truth = truth::measure(&data, &mut solver, &|done, all| {
            (self.progress)("measuring truth", done, all);
        })?;
        Ok(Measured {
            data: DataCard {
                source: config.model.source.clone(),
                preset: config.data.preset.clone(),
                seed: config.data.seed,
                train_runs: config.data.runs - config.data.validation_runs,
                validation_runs: config.data.validation_runs,
                frames: config.data.frames,
                scale: data.normalisation().scale,
                globe: None,
            },
            calibration: Some(calibration),
            wavelet: None,
            tables: None,
            truth,
        })
    }

    fn on_the_globe(&self, globe: &GlobeData, source: &Source) -> Result<Measured> {
        let config = self.config;
        let days = load_days(globe, source, &|| self.stop.load(Ordering::Relaxed), &|f| {
            (self.progress)("reading the days", (1000.0 * f) as usize, 1000)
        })?;
        let amounts = Arc::new(globe_data::statistics(&days, globe)?);
        let data = globe_data::dataset(&days, &amounts, globe, 0)?;
        let shape = [days.grid.ny(), days.grid.nx];
        let cycle = data.seasonal_cycle().unwrap_or_default();
        let tower = || GlobeTower {
            tower: self.networks.tower.clone(),
            cycle: SeasonalCycle::new(cycle, shape, self.device)
                .filter(|_| self.networks.tower.knows_season()),
            anomalies: config.tower.anomalies,
        };
        let sensitivity = Sensitivity::new(&amounts, &days.grid, self.device);
        let (wavelet, tables) = GlobeSubject {
            tower: &tower(),
            denoiser: &self.networks.denoiser,
            data: &data,
            keep: config.tower.keep.clone(),
            sensitivity: Some(&sensitivity),
            global_ratio: config.tower.global_ratio,
            device: self.device,
        }
        .calibrate(config.data.seed, &|done, all| {
            (self.progress)("calibrating", done, all)
        })?;
        let (adjust, rows) = if globe.adjust != Adjust::Off {
            let tower = WaveletTower::new(
                tower(),
                wavelet.clone(),
                &tables,
                Some(sensitivity),
                self.device,
            )?;
            Adjustment {
                denoiser: &self.networks.denoiser,
                discriminator: &tower,
                data: &data,
                amounts: &amounts,
                strength: self.strength,
                told: globe.adjust == Adjust::Told,
                sampler: SamplerSettings::of(settings::Solver::Dpm),
                device: self.device,
            }
            .fit(config.data.seed, &mut |done, all| {
                (self.progress)("correcting the law of the amounts", done, all);
                if self.stop.load(Ordering::Relaxed) {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            })?
        } else {
            (Vec::new(), Vec::new())
        };
        let by_length = |v: &[Vec<f32>]| v.concat();
        let mut fields = Fields::default();
        fields.insert("mean", &shape, amounts.mean.clone());
        fields.insert("std", &shape, amounts.std.clone());
        fields.insert("cap", &shape, amounts.cap.clone());
        fields.insert("seasonal", &[4, shape[0], shape[1]], cycle.to_vec());
        fields.insert("power", &shape, tables.power.clone());
        let stacked = |n: usize| [n, shape[0], shape[1]];
        fields.insert("beta", &stacked(4), by_length(&tables.beta));
        fields.insert("spread", &stacked(4), by_length(&tables.spread));
        let [mean, p90] = globe_data::climatology(&days, globe);
        fields.insert("climatology", &stacked(12), mean.concat());
        fields.insert("climatology_p90", &stacked(12), p90.concat());
        let truth = truth_globe::measure(&days, &mean, globe, &|done, all| {
            (self.progress)("measuring truth", done, all);
        })?;
        let split = days.split(globe);
        let date = |i: usize| days.dates.get(i).map_or(String::new(), ToString::to_string);
        let last = days.dates.len().saturating_sub(1);
        Ok(Measured {
            data: DataCard {
                source: if config.model.source.is_empty() {
                    days.source.clone()
                } else {
                    config.model.source.clone()
                },
                preset: String::new(),
                seed: config.data.seed,
                train_runs: data.runs(Part::Training).len(),
                validation_runs: data.runs(Part::Validation).len(),
                frames: data.frames(),
                scale: 1.0,
                globe: Some(GlobeCard {
                    terms: config.model.terms.clone(),
                    training: [date(0), date(split.saturating_sub(1))],
                    validation: [date(split), date(last)],
                    calendar: days.calendar,
                    dry: globe.dry,
                    fields: "fields.safetensors".into(),
                    adjust,
                    rows,
                    transform: globe.transform,
                    grid: days.grid.clone(),
                }),
            },
            calibration: None,
            wavelet: Some(wavelet),
            tables: Some(fields),
            truth,
        })
    }
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
    let begun = f["init"].as_str();
    let begun = begun.map_or(String::new(), |name| format!(" --init {name}"));
    Ok(TrainingCard {
        command: format!("{command}{begun}"),
        steps: number("steps") as usize,
        batch: f["recipe"]["section"]["batch"].as_u64().unwrap_or(16) as usize,
        seed: number("seed") as u64,
        device: f["device"].as_str().unwrap_or("CPU").into(),
        hours: (number("seconds") / 36.0).round() / 100.0,
        validation_loss: number("validation_loss"),
    })
}
