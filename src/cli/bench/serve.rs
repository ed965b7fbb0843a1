//! One timed run of a network for each line of standard input: so that another program can take turns with this one.

use std::io::{BufRead, Write};
use std::path::Path;
use std::time::Instant;

use burn::tensor::{Tensor, TensorData};

use crate::diffusion::{Context, Denoise, to_vec};
use crate::error::{Result, UserError};
use crate::field::Grid;
use crate::model::Model;
use crate::nn::{HistoryTower, weights};
use crate::random::{NoiseKey, Stream};
use crate::rollout::engine::{Engine, HISTORY};
use crate::rollout::settings::DiscriminatorKind;
use crate::train::timing::TimedTraining;

/// Noise level of every run.
const SIGMA: f64 = 1.0;

/// Answers lines of a part's name and a number of rows, `denoiser 8`, with one line of JSON: the grid, and the seconds that
/// the second of two runs took. `training 16` makes two training steps of the denoiser. The arrays `x`, `history` and `out` lie in `folder` then, as little-endian f32.
pub(super) fn serve(model: &Model, engine: &Engine, folder: &Path) -> Result<u8> {
    let tower = tower(model, engine)?;
    let mut training: Option<(usize, TimedTraining)> = None;
    for line in std::io::stdin().lock().lines() {
        let line = line.map_err(|e| failed("the next line cannot be read", e))?;
        let mut words = line.split_whitespace();
        let part = words.next().unwrap_or_default();
        let rows = words.next().and_then(|w| w.parse().ok()).unwrap_or(1);
        if part == "training" {
            let timed = match &mut training {
                Some((n, timed)) if *n == rows => timed,
                slot => {
                    let [ny, nx] = engine.shape();
                    let grid = Grid {
                        ny,
                        nx,
                        ..Grid::periodic(ny)
                    };
                    let network = &model.card.denoiser.network;
                    let made = TimedTraining::new(network, grid, rows, &engine.compute.device)?;
                    &mut slot.insert((rows, made)).1
                }
            };
            timed.step()?;
            let began = Instant::now();
            timed.step()?;
            answer(engine, began.elapsed().as_secs_f64())?;
            continue;
        }
        let x = noise(engine, 0, rows, 1);
        let history = noise(engine, 1, rows, HISTORY);
        run(engine, tower.as_ref(), part, &x, &history)?;
        let began = Instant::now();
        let out = run(engine, tower.as_ref(), part, &x, &history)?;
        let seconds = began.elapsed().as_secs_f64();
        for (name, values) in [("x", to_vec(x)), ("history", to_vec(history)), ("out", out)] {
            let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
            let path = folder.join(name);
            std::fs::write(&path, bytes).map_err(|e| failed(&path.display().to_string(), e))?;
        }
        answer(engine, seconds)?;
    }
    Ok(0)
}

fn answer(engine: &Engine, seconds: f64) -> Result<()> {
    let answer = serde_json::json!({"shape": engine.shape(), "seconds": seconds});
    let mut out = std::io::stdout().lock();
    writeln!(out, "{answer}")
        .and_then(|()| out.flush())
        .map_err(|e| failed("the answer cannot be written", e))
}

/// What the part makes of the inputs.
fn run(
    engine: &Engine,
    tower: Option<&HistoryTower>,
    part: &str,
    x: &Tensor<4>,
    history: &Tensor<4>,
) -> Result<Vec<f32>> {
    let m = HISTORY - 1;
    Ok(match (part, tower) {
        ("denoiser", _) => to_vec(Denoise::denoise(engine.denoiser.as_ref(), x, SIGMA)),
        ("tower", Some(tower)) => to_vec(tower.forward(history.clone(), &[m])),
        ("encoder", _) => {
            let encoder = engine.discriminator(DiscriminatorKind::Encoder)?;
            let judged = encoder
                .condition(history, Context::history(m))
                .judge(x, SIGMA, x);
            to_vec(judged.shift.div_scalar((SIGMA * SIGMA) as f32))
        }
        (other, _) => {
            return Err(UserError::new(
                format!("There is no part {other}"),
                "it was read from standard input",
                "denoiser, tower, encoder and training can be run",
            ));
        }
    })
}

/// The network of the history tower by itself.
fn tower(model: &Model, engine: &Engine) -> Result<Option<HistoryTower>> {
    let (Some(card), Some(bytes)) = (&model.card.two_tower, &model.tower) else {
        return Ok(None);
    };
    let device = &engine.compute.device;
    let fresh = HistoryTower::new(&card.network, device);
    let tower = weights::load(fresh, bytes, &card.weights, device)?;
    Ok(Some(tower.compiled(&card.network)))
}

fn noise(engine: &Engine, member: u32, rows: usize, channels: usize) -> Tensor<4> {
    let key = NoiseKey {
        seed: 0,
        stream: Stream::Test,
        member,
        frame: 0,
        step: 0,
    };
    let [ny, nx] = engine.shape();
    let values = key.normal_f32(rows * channels * ny * nx);
    Tensor::from_data(
        TensorData::new(values, [rows, channels, ny, nx]),
        &engine.compute.device,
    )
}

fn failed(what: &str, cause: std::io::Error) -> UserError {
    UserError::new(
        format!("Benchmark interrupted: {what}"),
        cause,
        "benches/pytorch.py keeps both ends open",
    )
}
