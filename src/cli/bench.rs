//! `eddyscope bench`: how fast the parts are on this machine.

mod frames;
mod serve;
mod solver;
mod worker;

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use clap::Args;

use crate::device::{self, DeviceRequest};
use crate::diffusion::{Conditioned, Context, to_vec};
use crate::error::Result;
use crate::field::Grid;
use crate::model::{DEFAULT_MODEL, Model};
use crate::nn;
use crate::random::{NoiseKey, Stream};
use crate::render::globe::{self, Rows};
use crate::render::{ColorMap, GlobeView, Look, ValueRange, View, cpu};
use crate::rollout::engine::{Engine, HISTORY};
use crate::rollout::lanes::Lanes;
use crate::rollout::settings::{DiscriminatorKind, LaneKind, RolloutSpec};
use crate::sim::{Params, Solver};
use crate::train::timing::TimedTraining;

/// Time the networks, the guided frame and the solver.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  eddyscope bench
  eddyscope bench --repeats 50 --json
  RAYON_NUM_THREADS=1 eddyscope bench --device cpu
  eddyscope bench --frames 20000      # is frame 20,000 made as fast as the first, and in the same memory?")]
pub struct BenchArgs {
    /// Model by name or folder
    #[arg(long, default_value = DEFAULT_MODEL)]
    pub model: String,
    /// Timed repeats of each part (after two that are not timed)
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(3..=10_000))]
    pub repeats: u32,
    /// Where to compute
    #[arg(long, value_enum, default_value = "auto")]
    pub device: DeviceRequest,
    /// Print one JSON object on standard output
    #[arg(long)]
    pub json: bool,
    /// Instead of the parts: a long run of this many guided frames; time of a frame and memory held, by tenths, and the
    /// last frames in turn with those of a fresh rollout
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(10..=100_000_000))]
    pub frames: Option<u64>,
    /// Noise levels of the sampler in the long run; with few of them everything but the networks weighs more [default: 6]
    #[arg(long, requires = "frames", value_parser = clap::value_parser!(u16).range(2..=1000))]
    pub steps: Option<u16>,
    /// Memory for kept frames of the long run, in MiB; older ones go to disk
    #[arg(long, default_value_t = 64, value_name = "MIB", requires = "frames")]
    pub memory_mib: usize,
    /// Run one part for each line of standard input and leave its arrays in this folder (see benches/pytorch.py)
    #[arg(long, value_name = "DIR", hide = true)]
    pub serve: Option<std::path::PathBuf>,
    /// Make unforced steps of the solver with this many cells a side, and print the first and the last field as JSON (see
    /// benches/solver.py)
    #[arg(long, value_name = "CELLS", hide = true)]
    pub solver: Option<usize>,
}

/// Frames of a training step, as in the shipped training file.
const TRAINING_BATCH: usize = 16;

struct Timing {
    name: &'static str,
    seconds: Vec<f64>,
}

impl Timing {
    /// Minimum, median and maximum in milliseconds.
    fn spread(&self) -> [f64; 3] {
        let mut v = self.seconds.clone();
        v.sort_by(f64::total_cmp);
        let at = |i: usize| v.get(i).copied().unwrap_or(f64::NAN) * 1e3;
        [at(0), at(v.len() / 2), at(v.len().saturating_sub(1))]
    }
}

/// Runs the command; returns the exit code.
///
/// # Errors
/// A model or device that cannot be used.
pub fn run(args: &BenchArgs) -> Result<u8> {
    let model = Model::open(&args.model)?;
    if let Some(frames) = args.frames {
        return worker::long(args, frames as usize);
    }
    let mut engine = Engine::new(&model, device::select(args.device)?)?;
    if let Some(side) = args.solver {
        return solver::run(side, args.repeats as usize);
    }
    if let Some(folder) = &args.serve {
        return serve::serve(&model, &engine, folder);
    }
    let repeats = args.repeats as usize;
    let mut all = Vec::new();
    let cells = engine.cells();
    let key = NoiseKey {
        seed: 0,
        stream: Stream::Test,
        member: 0,
        frame: 0,
        step: 0,
    };
    let noise = |engine: &Engine, rows: usize, channels: usize| {
        engine.tensor(key.normal_f32(rows * channels * cells), rows, channels)
    };
    for (name, rows) in [
        ("denoiser forward, batch 1", 1),
        ("denoiser forward, batch 4", 4),
        ("denoiser forward, batch 16", 16),
    ] {
        let x = noise(&engine, rows, 1);
        all.push(time(name, repeats, || {
            black_box(to_vec(engine.denoiser.denoise(&x, 1.0)));
        }));
    }
    let x = noise(&engine, 1, 1);
    let history = noise(&engine, 1, HISTORY);
    let denoised = engine.denoiser.denoise(&x, 1.0);
    let judge = |c: &dyn Conditioned| {
        let j = c.judge(&x, 1.0, &denoised);
        black_box(to_vec(j.shift));
    };
    if let Ok(d) = engine.discriminator(DiscriminatorKind::TwoTower) {
        all.push(time("two-tower, history (once a frame)", repeats, || {
            let c = d.condition(&history, Context::history(HISTORY - 1));
            judge(c.as_ref());
        }));
        let c = d.condition(&history, Context::history(HISTORY - 1));
        all.push(time("two-tower, gradient", repeats, || judge(c.as_ref())));
    }
    if let Ok(d) = engine.discriminator(DiscriminatorKind::Encoder) {
        let c = d.condition(&history, Context::history(HISTORY - 1));
        all.push(time("encoder, gradient", repeats, || judge(c.as_ref())));
    }
    let made = frames::frames(&mut engine, repeats)?;
    all.extend(made.timings);
    let lanes = Lanes::start(&mut engine, &RolloutSpec::default(), HISTORY - 1)?;
    all.extend(pictures(&engine, lanes.last(LaneKind::Truth), repeats));
    all.extend(worker::waits(args, repeats)?);
    if model.card.data.globe.is_none() {
        let network = &model.card.denoiser.network;
        let grid = Grid::periodic(engine.shape()[0]);
        let device = &engine.compute.device;
        let mut training = TimedTraining::new(network, grid, TRAINING_BATCH, device)?;
        let mut failed = None;
        all.push(time("training step, denoiser, batch 16", repeats, || {
            failed = failed.take().or(training.step().err());
        }));
        if let Some(e) = failed {
            return Err(e);
        }
    }
    for (name, preset) in [
        ("solver step, 64 x 64", "vorticity-64"),
        ("solver step, 256 x 256", "vorticity-256"),
    ] {
        let mut solver = Solver::new(&Params::preset(preset)?)?;
        let mut state = solver.random_state(0, 0);
        all.push(time(name, repeats, || {
            solver.step(&mut state, 0, 0);
        }));
    }
    print(args, &engine, &all, made.share);
    Ok(0)
}

/// A lane as a picture for a file, on the CPU; the window's are drawn by a shader (`--smoke` measures them).
fn pictures(engine: &Engine, frame: Option<&Vec<Arc<[f32]>>>, repeats: usize) -> Vec<Timing> {
    let Some(values) = frame.and_then(|members| members.first()) else {
        return Vec::new();
    };
    let [ny, nx] = engine.shape();
    let mut out = Vec::new();
    match &engine.climate {
        Some(climate) => {
            let view = GlobeView::default();
            let rows = Rows::of(&climate.globe, view.projection);
            let look = Look::plain(ColorMap::Navia, ValueRange { lo: 0.1, hi: 100.0 }, false);
            let size = (960, (960.0 / view.projection.aspect()).round() as usize);
            out.push(time("picture of a lane, 960 wide", repeats, || {
                black_box(globe::rasterise(values, &rows, &view, &look, size));
            }));
        }
        None => {
            let range = ValueRange::for_std(engine.card.truth.std);
            for (name, smooth) in [
                ("picture of a lane, 512 x 512", false),
                ("the same, smooth", true),
            ] {
                let look = Look::plain(ColorMap::Vik, range, smooth);
                out.push(time(name, repeats, || {
                    let view = View::default();
                    black_box(cpu::rasterise(values, (nx, ny), &view, &look, (512, 512)));
                }));
            }
        }
    }
    out
}

fn time(name: &'static str, repeats: usize, mut work: impl FnMut()) -> Timing {
    work();
    work();
    let seconds = (0..repeats)
        .map(|_| {
            let began = Instant::now();
            work();
            began.elapsed().as_secs_f64()
        })
        .collect();
    Timing { name, seconds }
}

fn print(args: &BenchArgs, engine: &Engine, all: &[Timing], share: [f64; 3]) {
    if args.json {
        let rows: Vec<_> = all
            .iter()
            .map(|t| {
                let [min, median, max] = t.spread();
                serde_json::json!({"name": t.name, "min_ms": min, "median_ms": median, "max_ms": max})
            })
            .collect();
        println!(
            "{}",
            serde_json::json!({
                "device": engine.compute.name,
                "threads": rayon::current_num_threads(),
                "repeats": args.repeats,
                "model_hash": engine.model_hash,
                "peak_flop_s_one_thread": nn::peak(),
                "denoiser": engine.denoiser.cost(engine.shape()).map(|c| serde_json::json!({
                    "kernels": c.kernels,
                    "flop": c.flops,
                    "weight_bytes": c.weight_bytes,
                    "state_bytes": c.state_bytes,
                })),
                "timings": rows,
                "guidance_share": { "quartiles": [share[0], share[2]], "median": share[1] },
            })
        );
        return;
    }
    println!("{}, {} repeats", engine.compute.name, args.repeats);
    if let Some(c) = engine.denoiser.cost(engine.shape()) {
        println!(
            "denoiser: {:.0} MFLOP, {:.2} MB of weights, {:.2} MB between layers; {} kernels, at most {:.0} GFLOP/s a thread",
            c.flops as f64 / 1e6,
            c.weight_bytes as f64 / 1e6,
            c.state_bytes as f64 / 1e6,
            c.kernels,
            nn::peak() / 1e9
        );
    }
    println!(
        "{:<48} {:>9} {:>9} {:>9}",
        "milliseconds", "min", "median", "max"
    );
    for t in all {
        let [min, median, max] = t.spread();
        println!("{:<48} {min:>9.2} {median:>9.2} {max:>9.2}", t.name);
    }
    let [lo, median, hi] = share.map(|s| 100.0 * s);
    println!(
        "guidance's share of a guided frame, with and without in turn: {median:.1} % (quartiles {lo:.1} to {hi:.1})"
    );
}
