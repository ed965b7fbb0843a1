//! Resuming gives the same bits; a short training learns; what cannot be resumed is refused.

mod gpu;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use burn::tensor::{Device, Tensor};

use super::checkpoint::Checkpoint;
use super::config::{DataConfig, NoiseLaw, OptimizerConfig};
use super::config::{DenoiserTraining, EncoderTraining, TowerTraining, VideoTraining};
use super::objective::{
    DenoiserObjective, EncoderObjective, Objective, TowerObjective, VideoObjective,
};
use super::session::{CHECKPOINT, Init, LOG, Options, Outcome, train};
use super::{Source, TrainConfig, load_data};
use crate::data::{Dataset, PairSettings, Series};
use crate::field::Grid;
use crate::nn::{Denoiser, EncoderConfig, HistoryTower, UNetConfig, weights};
use crate::random::{NoiseKey, Stream};

/// Smooth random waves that travel: small, and there is something to learn.
fn data() -> Dataset {
    let (side, members, frames) = (16usize, 3usize, 12usize);
    let mut values = Vec::new();
    for run in 0..members {
        let key = NoiseKey {
            seed: 5,
            stream: Stream::Test,
            member: run as u32,
            frame: 0,
            step: 0,
        };
        let u = key.uniform(2);
        for frame in 0..frames {
            for cell in 0..side * side {
                let (y, x) = ((cell / side) as f64, (cell % side) as f64);
                let wave = |k: f64, l: f64, phase: f64| {
                    let turns = (k * x + l * y) / side as f64 + phase + 0.05 * frame as f64;
                    (std::f64::consts::TAU * turns).sin()
                };
                values.push((wave(1.0, 1.0, u[0]) + wave(2.0, -1.0, u[1])) as f32);
            }
        }
    }
    let series = Series {
        grid: Grid::periodic(side),
        members,
        frames,
        frame_interval: 0.1,
        t0: 0.0,
        values,
        variable: "vorticity".into(),
        units: "1".into(),
        start_frames: 0,
        recipe: None,
        history: None,
    };
    Dataset::new(series, 1, None, 3).expect("a dataset")
}

fn small(in_channels: usize, embedding: usize) -> UNetConfig {
    UNetConfig {
        channels: vec![8, 16],
        blocks: vec![1, 1],
        up_blocks: vec![1],
        attention: vec![false, true],
        ..UNetConfig::vorticity(in_channels, embedding)
    }
}

fn law() -> NoiseLaw {
    NoiseLaw {
        mean: -1.2,
        std: 1.2,
        wide_share: 0.2,
        wide: [0.5, 80.0],
    }
}

fn denoiser() -> DenoiserTraining {
    DenoiserTraining {
        steps: 6,
        batch: 3,
        seed: 2,
        noise: law(),
        network: small(1, 16),
    }
}

fn tower() -> TowerTraining {
    TowerTraining {
        departure: 0.0,
        season_shift: 0.0,
        season_share: 0.0,
        anomalies: false,
        keep: Default::default(),
        global_ratio: None,
        missed_factor: 1.0,
        spread_weight: 0.1,
        steps: 6,
        batch: 3,
        seed: 2,
        history_noise: 0.03,
        network: small(7, 0),
    }
}

fn encoder() -> EncoderTraining {
    EncoderTraining {
        steps: 6,
        batch: 2,
        seed: 2,
        noise: law(),
        history_noise: 0.01,
        pairs: PairSettings::default(),
        network: EncoderConfig {
            channels: vec![8, 16],
            blocks: vec![1, 1],
            attention: vec![false, true],
            embedding: 16,
            hidden: 16,
            ..EncoderConfig::vorticity()
        },
    }
}

fn video() -> VideoTraining {
    VideoTraining {
        steps: 6,
        batch: 2,
        seed: 2,
        noise: law(),
        history_noise: 0.03,
        season_share: 0.0,
        network: small(8, 16),
    }
}

struct Run<'a> {
    steps: usize,
    stop_after: usize,
    resume: bool,
    init: Option<&'a Init>,
    seed: u64,
    out: &'a Path,
}

fn run<O: Objective>(objective: &O, data: &Dataset, run: Run) -> crate::error::Result<Outcome> {
    let stop = AtomicBool::new(false);
    let optimizer = OptimizerConfig {
        warm_up: 2,
        ..OptimizerConfig::default()
    };
    train(
        objective,
        data,
        4,
        Options {
            optimizer: &optimizer,
            steps: run.steps,
            seed: run.seed,
            out: run.out,
            resume: run.resume,
            init: run.init,
            device: Device::flex(),
            log_every: 2,
            checkpoint_every: Duration::from_secs(3600),
            recipe: serde_json::json!("test"),
            stop: &|| stop.load(Ordering::Relaxed),
            progress: &mut |report| stop.store(report.step >= run.stop_after, Ordering::Relaxed),
        },
    )
}

fn resumed_equals_straight<O: Objective>(objective: &O) {
    let data = data();
    let folder = tempfile::tempdir().expect("a folder");
    let (a, b) = (folder.path().join("a"), folder.path().join("b"));
    let options = |out, stop_after, resume| Run {
        steps: 6,
        stop_after,
        resume,
        init: None,
        seed: 2,
        out,
    };
    let straight = run(objective, &data, options(&a, 99, false)).expect("trained");
    assert!(matches!(straight, Outcome::Finished(_)));
    let half = run(objective, &data, options(&b, 3, false)).expect("stopped");
    assert_eq!(half, Outcome::Stopped(3));
    run(objective, &data, options(&b, 99, true)).expect("resumed");
    let state = |folder: &Path| {
        let saved = Checkpoint::read(&folder.join(CHECKPOINT)).expect("a checkpoint");
        saved.state
    };
    let (one, two) = (state(&a), state(&b));
    assert_eq!(one.step, 6);
    assert!(one == two, "the states differ");
    let weights = |folder: &Path| {
        std::fs::read(folder.join(format!("{}.safetensors", objective.name()))).expect("weights")
    };
    assert!(weights(&a) == weights(&b), "the weights differ");
    let rows = |folder: &Path| {
        let text = std::fs::read_to_string(folder.join(LOG)).expect("a log");
        text.lines().count()
    };
    assert_eq!((rows(&a), rows(&b)), (4, 4));
}

#[test]
fn denoiser_resumes_bit_for_bit() {
    resumed_equals_straight(&DenoiserObjective(&denoiser()));
}

#[test]
fn tower_resumes_bit_for_bit() {
    resumed_equals_straight(&TowerObjective(&tower()));
}

#[test]
fn encoder_resumes_bit_for_bit() {
    resumed_equals_straight(&EncoderObjective(&encoder()));
}

#[test]
fn video_resumes_bit_for_bit() {
    resumed_equals_straight(&VideoObjective(&video()));
}

/// What the history tells of the next frame is learnt: with it the loss falls below the best that the image model reaches
/// without, and a history of another run makes it worse.
#[test]
fn video_learns_from_the_history() {
    let (data, mut config) = (data(), video());
    // At high noise the frame itself tells nothing: only the history can help.
    config.noise = NoiseLaw {
        mean: 1.0,
        std: 0.3,
        wide_share: 0.0,
        wide: [0.5, 80.0],
    };
    config.batch = 4;
    let objective = VideoObjective(&config);
    let folder = tempfile::tempdir().expect("a folder");
    let device = Device::flex();
    let before = objective.validation(&objective.network(2, &device), &data, &device);
    let options = Run {
        steps: 150,
        stop_after: 999,
        resume: false,
        init: None,
        seed: 2,
        out: folder.path(),
    };
    let Outcome::Finished(file) = run(&objective, &data, options).expect("trained") else {
        panic!("not finished");
    };
    let bytes = std::fs::read(file).expect("weights");
    let net =
        weights::load(objective.network(0, &device), &bytes, "video", &device).expect("loaded");
    let after = objective.validation(&net, &data, &device);
    assert!(after < 0.6 * before, "{before} to {after}");
}

#[test]
fn tower_learns_the_waves() {
    let (data, config) = (data(), tower());
    let objective = TowerObjective(&config);
    let folder = tempfile::tempdir().expect("a folder");
    let device = Device::flex();
    let before = objective.validation(&objective.network(2, &device), &data, &device);
    let options = Run {
        steps: 150,
        stop_after: 999,
        resume: false,
        init: None,
        seed: 2,
        out: folder.path(),
    };
    let Outcome::Finished(file) = run(&objective, &data, options).expect("trained") else {
        panic!("not finished");
    };
    let bytes = std::fs::read(file).expect("weights");
    let net = crate::nn::weights::load(objective.network(0, &device), &bytes, "tower", &device)
        .expect("loaded");
    let after = objective.validation(&net, &data, &device);
    assert!(after < 0.5 * before, "{before} to {after}");
}

#[test]
fn another_training_cannot_be_resumed() {
    let (data, config) = (data(), tower());
    let objective = TowerObjective(&config);
    let folder = tempfile::tempdir().expect("a folder");
    let options = |steps, seed, resume| Run {
        steps,
        stop_after: 2,
        resume,
        init: None,
        seed,
        out: folder.path(),
    };
    let missing = run(&objective, &data, options(6, 2, true)).expect_err("nothing there");
    assert!(missing.headline.contains("Cannot resume"), "{missing}");
    run(&objective, &data, options(6, 2, false)).expect("stopped");
    for other in [options(7, 2, true), options(6, 3, true)] {
        let error = run(&objective, &data, other).expect_err("another training");
        assert!(error.headline.contains("Cannot resume"), "{error}");
    }
    let path = folder.path().join(CHECKPOINT);
    let bytes = std::fs::read(&path).expect("a checkpoint");
    std::fs::write(&path, &bytes[..bytes.len() / 3]).expect("cut");
    let error = run(&objective, &data, options(6, 2, true)).expect_err("cut file");
    assert!(error.cause.contains("whole checkpoint"), "{error}");
}

#[test]
fn the_shipped_training_file_is_read_and_bad_values_are_named() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/vorticity/train.toml");
    let good = TrainConfig::read(&path).expect("the shipped training file");
    assert_eq!(good.denoiser.network, UNetConfig::vorticity(1, 128));
    assert_eq!(good.tower.network.in_channels, 7);
    assert_eq!(good.tower.network.embedding, 0);
    let mut bad = good.clone();
    bad.encoder.noise.std = -1.0;
    assert!(bad.validate().expect_err("std").cause.contains("std"));
    let mut bad = good;
    bad.data.validation_runs = bad.data.runs;
    assert!(
        bad.validate()
            .expect_err("runs")
            .cause
            .contains("validation_runs")
    );
    let error = TrainConfig::read(Path::new("/nowhere/train.toml")).expect_err("no file");
    assert!(error.headline.contains("train.toml"));
}

/// A training that begins with given weights begins where they are, and is not one that began elsewhere.
#[test]
fn a_training_goes_on_from_given_weights() {
    let (data, config) = (data(), tower());
    let objective = TowerObjective(&config);
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path();
    let options = |steps, init, resume| Run {
        steps,
        stop_after: if resume { 99 } else { steps.min(3) },
        resume,
        init,
        seed: 2,
        out,
    };
    // Weights of another seed than the training's own.
    let device = Device::flex();
    let file = out.join("first.safetensors");
    weights::save_f16(&objective.network(9, &device), &file).expect("saved");
    let init = Init {
        bytes: std::fs::read(&file).expect("weights"),
        name: "tower".into(),
    };
    run(&objective, &data, options(6, Some(&init), false)).expect("stopped");
    let saved = Checkpoint::read(&out.join(CHECKPOINT)).expect("a checkpoint");
    let net = weights::load(objective.network(0, &device), &init.bytes, "tower", &device)
        .expect("loaded");
    let distance = |a: &[f32], b: &[f32]| -> f32 {
        a.iter()
            .zip(b)
            .map(|(a, b)| (a - b).abs())
            .fold(0.0, f32::max)
    };
    let drawn = weights::flat(&objective.network(2, &device));
    let moved = distance(&saved.state.parameters, &weights::flat(&net));
    assert!(
        moved < 0.01 && moved < 0.5 * distance(&saved.state.parameters, &drawn),
        "{moved}"
    );
    assert!(
        run(&objective, &data, options(6, None, true)).is_err(),
        "it began with other weights"
    );
    run(&objective, &data, options(6, Some(&init), true)).expect("resumed");
}

/// A history in another season, or with a departure, changes what the tower learns, and only on the globe's terms.
#[test]
fn departures_are_drawn_from_seed_and_step() {
    let data = data();
    let device = Device::flex();
    let mut config = tower();
    let plain = TowerObjective(&config).loss(
        &TowerObjective(&config).network(2, &device),
        &data,
        2,
        0,
        &device,
    );
    config.departure = 1.0;
    let objective = TowerObjective(&config);
    let net = objective.network(2, &device);
    let loss = |step| {
        objective
            .loss(&net, &data, 2, step, &device)
            .into_scalar::<f32>()
    };
    assert_eq!(loss(0), loss(0));
    assert_ne!(loss(0), plain.into_scalar::<f32>());
}

/// The training files of the globe: the shipped one, and the paper's sizes at 180 x 360, whose networks are built and run.
#[test]
fn the_globes_training_files_build_their_networks() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/precipitation");
    let device = Device::flex();
    let shipped = TrainConfig::read(&root.join("train.toml")).expect("the shipped training file");
    let paper = TrainConfig::read(&root.join("paper.toml")).expect("the paper's sizes");
    let globe = |ny, nx| Grid {
        ny,
        nx,
        ..Grid::periodic(nx)
    };
    for (config, ny, nx) in [(&shipped, 48, 96), (&paper, 180, 360)] {
        DenoiserObjective(&config.denoiser)
            .check(globe(ny, nx), true)
            .expect("denoiser fits");
        TowerObjective(&config.tower)
            .check(globe(ny, nx), true)
            .expect("tower fits");
        assert!(
            TowerObjective(&config.tower)
                .check(globe(32, 64), true)
                .is_err()
        );
        let tower = HistoryTower::new(&config.tower.network, &device);
        assert!(tower.knows_season());
        let history = Tensor::<4>::zeros([1, 4, ny, nx], &device);
        let out = tower.forecast(history, &[3], &[Some(0.5)], None);
        assert_eq!(out.mean.dims(), [1, 1, ny, nx]);
        let maps = crate::diffusion::wavelet::band_count(ny, nx);
        assert_eq!(out.maps.expect("maps").dims(), [1, maps, ny, nx]);
    }
    let denoiser = Denoiser::new(&paper.denoiser.network, 0.5, &device);
    let parameters = weights::count(&denoiser) as f64;
    assert!((parameters / 25.7e6 - 1.0).abs() < 0.035, "{parameters}");
    let x = Tensor::<4>::zeros([1, 1, 12, 24], &device);
    assert_eq!(denoiser.denoise(x, 1.0).dims(), [1, 1, 12, 24]);
}

#[test]
fn data_are_simulated_and_a_stop_is_heard() {
    let config = DataConfig {
        globe: None,
        preset: "vorticity-64".into(),
        runs: 2,
        validation_runs: 1,
        frames: 2,
        seed: 1,
    };
    assert!(load_data(&config, &Source::default(), 0, &|| true, &|_| ()).is_err());
    let missing = Source {
        files: vec![Path::new("/nowhere/run.nc").to_path_buf()],
        ..Source::default()
    };
    assert!(load_data(&config, &missing, 0, &|| false, &|_| ()).is_err());
}
