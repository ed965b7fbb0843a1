//! A model on the globe with first weights: small, untrained, but with real statistics of rain, so that what it makes has
//! the right amounts. Tests of the engine need no trained weights.

#![allow(dead_code)]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use eddyscope::data::recording::{Recording, shipped_clip};
use eddyscope::data::regrid::Regrid;
use eddyscope::data::{Calendar, Transform};
use eddyscope::diffusion::wavelet::band_count;
use eddyscope::diffusion::wavelet_tower::WaveletCalibration;
use eddyscope::field::Globe;
use eddyscope::model::card::{
    CARD_VERSION, DataCard, DenoiserCard, GlobeCard, ModelCard, RainTruth, TrainingCard, TruthCard,
    TwoTowerCard, VideoCard,
};
use eddyscope::model::{Fields, Model};
use eddyscope::nn::{Denoiser, HistoryTower, Padding, Skips, UNetConfig, VideoDenoiser, weights};
use eddyscope::train::assemble::write_card;

pub const NY: usize = 16;
pub const NX: usize = 32;

/// The days of the shipped clip on the model's grid.
pub fn days(globe: &Globe) -> Vec<Arc<[f32]>> {
    let clip = shipped_clip().unwrap();
    let regrid = Regrid::new(clip.globe(), globe);
    (0..clip.days())
        .map(|i| regrid.apply(&clip.day(i).unwrap()).into())
        .collect()
}

pub fn globe() -> Globe {
    Globe::cell_centred(NY, NX).unwrap()
}

fn network(in_channels: usize, out_channels: usize, embedding: usize) -> UNetConfig {
    UNetConfig {
        in_channels,
        out_channels,
        patch: 2,
        channels: vec![8],
        blocks: vec![1],
        up_blocks: vec![],
        attention: vec![false],
        heads: 1,
        groups: 4,
        embedding,
        padding: [Padding::Pole, Padding::Circular],
        skips: Skips::Level,
        position: Some([NY, NX]),
    }
}

/// Writes the model folder `folder/rain` and returns its path.
pub fn write(folder: &Path) -> PathBuf {
    write_with(folder, true)
}

/// The same, with a discriminator that can be told the day of the year, or not.
pub fn write_with(folder: &Path, season: bool) -> PathBuf {
    let out = folder.join(if season { "rain" } else { "rain-no-season" });
    std::fs::create_dir_all(&out).unwrap();
    let device = eddyscope::device::cpu().device;
    let bands = band_count(NY, NX);
    let denoiser = network(1, 1, 16);
    let tower = network(HistoryTower::in_channels(season), 1 + bands, 0);
    // A network begins as nothing: its last weights are zero. A little of everything makes it do something.
    let stir = |flat: Vec<f32>| -> Vec<f32> {
        let stirred = flat.iter().enumerate();
        stirred.map(|(i, w)| w + 0.01 * (i as f32).sin()).collect()
    };
    let image = Denoiser::seeded(&denoiser, 0.5, 1, &device);
    let flat = stir(weights::flat(&image));
    let image = weights::with_flat(image, &flat, &device);
    weights::save_f16(&image, &out.join("denoiser.safetensors")).unwrap();
    let history = HistoryTower::seeded(&tower, 2, &device);
    let flat = stir(weights::flat(&history));
    let history = weights::with_flat(history, &flat, &device);
    weights::save_f16(&history, &out.join("tower.safetensors")).unwrap();

    let film = network(VideoDenoiser::in_channels(season), 1, 16);
    let video = VideoDenoiser::seeded(&film, 0.5, 3, &device);
    let flat = stir(weights::flat(&video));
    let video = weights::with_flat(video, &flat, &device);
    weights::save_f16(&video, &out.join("video.safetensors")).unwrap();

    let globe = globe();
    let days = days(&globe);
    fields(&globe, &days)
        .write(&out.join("fields.safetensors"))
        .unwrap();
    let card = ModelCard {
        closed_form: None,
        version: CARD_VERSION,
        name: "rain".into(),
        description: "a model with first weights, for tests".into(),
        quantity: "precipitation".into(),
        units: "mm/day".into(),
        licence: "none".into(),
        data: DataCard {
            source: "the shipped clip".into(),
            preset: String::new(),
            seed: 0,
            train_runs: 1,
            validation_runs: 1,
            frames: days.len(),
            scale: 1.0,
            globe: Some(GlobeCard {
                adjust: Vec::new(),
                rows: Vec::new(),
                terms: "none".into(),
                training: ["2059-01-01".into(), "2059-12-31".into()],
                validation: ["2060-01-01".into(), "2060-12-31".into()],
                calendar: Calendar::NoLeap,
                dry: 0.001,
                fields: "fields.safetensors".into(),
                transform: Transform::CubeRoot,
                grid: globe.clone(),
            }),
        },
        denoiser: DenoiserCard {
            weights: "denoiser.safetensors".into(),
            parameters: weights::count(&image),
            sigma_data: 0.5,
            network: denoiser,
            training: TrainingCard::default(),
        },
        two_tower: Some(TwoTowerCard {
            weights: "tower.safetensors".into(),
            parameters: weights::count(&history),
            suggested_strength: 1.0,
            suggested_history: 3,
            usable_strength: 1.5,
            network: tower,
            training: TrainingCard::default(),
            calibration: None,
            wavelet: Some(WaveletCalibration {
                missed: Vec::new(),
                keep: eddyscope::diffusion::wavelet_tower::Keep::default(),
                global: None,
                shape: [NY, NX],
                spread_limit: 1.0,
                gain_log_sigma: vec![-4.0, 0.0],
                gain: vec![vec![1.0; bands], vec![0.0; bands]],
            }),
            season,
            anomalies: false,
        }),
        encoder: None,
        video: Some(VideoCard {
            weights: "video.safetensors".into(),
            parameters: weights::count(&video),
            suggested_strength: 0.25,
            network: film,
            training: TrainingCard::default(),
        }),
        truth: truth(&globe, &days),
        quality: Vec::new(),
        samplers: Vec::new(),
    };
    write_card(&card, &out).unwrap();
    Model::from_folder(&out).unwrap();
    out
}

fn month(i: usize) -> usize {
    let clip_start = Calendar::NoLeap.days_from_date(eddyscope::data::Date {
        year: 2059,
        month: 1,
        day: 1,
    });
    let date = Calendar::NoLeap.date_from_days(clip_start + i as i64);
    usize::from(date.month) - 1
}

fn fields(globe: &Globe, days: &[Arc<[f32]>]) -> Fields {
    let n = globe.len();
    let cell = |i: usize| -> Vec<f64> { days.iter().map(|d| f64::from(d[i]).cbrt()).collect() };
    let (mut mean, mut std, mut cap) = (Vec::new(), Vec::new(), Vec::new());
    for i in 0..n {
        let mut v = cell(i);
        let m = v.iter().sum::<f64>() / v.len() as f64;
        let var = v.iter().map(|x| (x - m).powi(2)).sum::<f64>() / v.len() as f64;
        v.sort_by(f64::total_cmp);
        mean.push(m as f32);
        std.push(var.sqrt().max(0.05) as f32);
        cap.push((1.2 * v[v.len() - 1]).max(0.2) as f32);
    }
    let (mut climatology, mut p90) = (Vec::new(), Vec::new());
    for m in 0..12 {
        for i in 0..n {
            let mut v: Vec<f32> = (0..days.len())
                .filter(|d| month(*d) == m)
                .map(|d| days[d][i])
                .collect();
            climatology.push(v.iter().sum::<f32>() / v.len() as f32);
            v.sort_by(f32::total_cmp);
            p90.push(v[v.len() * 9 / 10]);
        }
    }
    let shape = [globe.ny(), globe.nx];
    let mut fields = Fields::default();
    fields.insert("mean", &shape, mean);
    fields.insert("std", &shape, std);
    fields.insert("cap", &shape, cap);
    fields.insert("climatology", &[12, shape[0], shape[1]], climatology);
    fields.insert("climatology_p90", &[12, shape[0], shape[1]], p90);
    fields.insert("power", &shape, vec![0.25; n]);
    fields.insert("beta", &[4, shape[0], shape[1]], vec![1.0; 4 * n]);
    fields.insert("seasonal", &[4, shape[0], shape[1]], vec![0.0; 4 * n]);
    fields.insert("spread", &[4, shape[0], shape[1]], vec![1.0; 4 * n]);
    fields
}

fn truth(globe: &Globe, days: &[Arc<[f32]>]) -> TruthCard {
    let means: Vec<f64> = days.iter().map(|d| globe.mean(d)).collect();
    let mean = means.iter().sum::<f64>() / means.len() as f64;
    TruthCard {
        acf: vec![0.5; 11],
        acf_lo: vec![0.4; 11],
        acf_hi: vec![0.6; 11],
        std: 4.0,
        std_band: [3.0, 5.0],
        rmse_band: [3.0, 5.0],
        rain: Some(RainTruth {
            global_mean: mean,
            global_mean_band: [0.9 * mean, 1.1 * mean],
            wet_fraction: 0.5,
            percentiles: [1.3, 6.4, 12.5, 25.0, 38.0],
            tropics_acf: vec![0.6; 11],
            global_acf: vec![0.8; 11],
            zonal_mean: vec![mean; globe.ny()],
            ..RainTruth::default()
        }),
        ..TruthCard::default()
    }
}
