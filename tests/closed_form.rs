//! Worlds with known answers, through the engine: exact guidance gives truth's statistics, no guidance gives none of time.

// Helpers outside of a #[test] function may unwrap here too.
#![allow(clippy::unwrap_used)]

use std::ops::ControlFlow;
use std::sync::Arc;

use burn::tensor::{Tensor, TensorData};
use eddyscope::closed_form::{Belief, ClosedForm, GaussianProcess, SIDE, TravellingWave, Way};
use eddyscope::device::{self, DeviceRequest};
use eddyscope::diffusion::{Context, to_vec};
use eddyscope::model::Model;
use eddyscope::random::{NoiseKey, Stream};
use eddyscope::rollout::diagnostics::LaneStream;
use eddyscope::rollout::engine::Engine;
use eddyscope::rollout::headless::{self, HeadlessRun, Job};
use eddyscope::rollout::lanes::Lanes;
use eddyscope::rollout::sampled::FrameInProgress;
use eddyscope::rollout::settings::{LaneKind, RolloutSpec, Settings, Solver};
use eddyscope::study::worlds::wave::travel;

fn engine(name: &str) -> Engine {
    let compute = device::select(DeviceRequest::Cpu).unwrap();
    Engine::new(&Model::open(name).unwrap(), compute).unwrap()
}

fn spec(world: ClosedForm, members: usize) -> RolloutSpec {
    RolloutSpec {
        seed: 4,
        members,
        closed_form: Some(world),
        ..Default::default()
    }
}

fn run(engine: &mut Engine, spec: &RolloutSpec, settings: &Settings, frames: usize) -> HeadlessRun {
    let job = Job {
        spec,
        settings,
        lane: LaneKind::Guided,
        frames,
    };
    headless::run_lane(engine, &job, &mut |_| ControlFlow::Continue(())).unwrap()
}

fn steps(steps: usize) -> Settings {
    let mut settings = Settings::default();
    settings.sampler.steps = steps;
    settings
}

/// Truth's figures over runs of 100 frames: the closed form of autocorrelation and bands against the simulation.
#[test]
fn the_known_figures_are_those_of_truth() {
    let worlds = [
        ClosedForm::GaussianProcess(GaussianProcess::default()),
        ClosedForm::GaussianProcess(GaussianProcess {
            correlation: 0.8,
            inertia: 0.0,
            speed: 3.0,
            direction: -70.0,
            ..Default::default()
        }),
        ClosedForm::TravellingWave(TravellingWave {
            noise: 0.4,
            ..Default::default()
        }),
        ClosedForm::TravellingWave(TravellingWave {
            across: 3,
            up: 0,
            way: Way::Either,
            ..Default::default()
        }),
    ];
    for world in worlds {
        let mut engine = engine(world.name());
        let members = 16;
        let spec = spec(world.clone(), members);
        let mut lanes = Lanes::start(&mut engine, &spec, 3).unwrap();
        let truth = engine.card.truth.clone();
        let mut streams = vec![LaneStream::default(); members];
        let (mut inside, mut of_std, mut of_rmse) = (0, 0, 0);
        let mut last = lanes.last(LaneKind::Truth).unwrap().clone();
        let mut sums = [0.0f64; 2];
        for _ in 0..100 {
            let next = lanes.next_truth(&mut engine).unwrap().members;
            for ((stream, x), before) in streams.iter_mut().zip(&next).zip(&last) {
                // As the recorder does it.
                let forecast = match &engine.world {
                    eddyscope::rollout::world::World::Process(p) => {
                        let g = p.forecast(&engine.normaliser.normalised(before));
                        engine.normaliser.physical(&g).0
                    }
                    _ => unreachable!("a known law"),
                };
                if stream.figures(1.0).frames == 0 {
                    stream.push_start(std::slice::from_ref(before));
                }
                let stats = stream.push(std::slice::from_ref(x), &[forecast]);
                let within = |v: f64, [lo, hi]: [f64; 2]| usize::from((lo..=hi).contains(&v));
                of_std += within(stats.std, truth.std_band);
                of_rmse += within(stats.rmse_to_previous, truth.rmse_band);
                sums[0] += stats.std * stats.std;
                sums[1] += stats.rmse_to_previous.powi(2);
            }
            lanes.push(LaneKind::Truth, next.clone());
            lanes.advance();
            last = next;
        }
        let figures: Vec<_> = streams.iter().map(|s| s.figures(truth.std)).collect();
        let mean = |of: &dyn Fn(usize) -> f64| (0..members).map(of).sum::<f64>() / members as f64;
        for lag in 1..=10 {
            let r = mean(&|m| figures[m].acf[lag]);
            let half = 0.5 * (truth.acf_hi[lag] - truth.acf_lo[lag]);
            // The mean of all runs, and a bias of an estimate from 100 frames.
            let room = 4.0 * half / 1.645 / (members as f64).sqrt() + 0.01 * half + 2e-4;
            assert!(
                (r - truth.acf[lag]).abs() < room,
                "{world:?} lag {lag}: {r} {}",
                truth.acf[lag]
            );
            inside += (0..members)
                .filter(|m| (truth.acf_lo[lag]..=truth.acf_hi[lag]).contains(&figures[*m].acf[lag]))
                .count();
        }
        let share = inside as f64 / (10 * members) as f64;
        let frames = (100 * members) as f64;
        let (std, rmse) = (of_std as f64 / frames, of_rmse as f64 / frames);
        println!(
            "{}: in the bands acf {share:.2}, std {std:.2}, rmse {rmse:.2}",
            world.name()
        );
        for (what, share) in [("acf", share), ("std", std), ("rmse", rmse)] {
            // Bands hold 90 %; the lags of one run are alike, so that a share of 16 runs may be off by some hundredths.
            assert!((0.84..=0.96).contains(&share), "{world:?} {what}: {share}");
        }
        assert!(((sums[0] / frames).sqrt() / truth.std - 1.0).abs() < 0.03);
        let skill = mean(&|m| figures[m].dynamics_skill);
        assert!(
            (skill - truth.dynamics_skill).abs() < 0.02,
            "{world:?} {skill}"
        );
        assert!((mean(&|m| figures[m].residual) - truth.residual).abs() < 0.02);
        assert!((mean(&|m| figures[m].a) - 1.0).abs() < 0.05);
    }
}

/// Exact guidance in the Gaussian process: autocorrelation, spread and dynamics of truth; without it no memory at all.
#[test]
fn exact_guidance_gives_the_gaussian_process_its_time() {
    let world = ClosedForm::GaussianProcess(GaussianProcess {
        correlation: 0.9,
        ..Default::default()
    });
    let mut engine = engine(world.name());
    let spec = spec(world, 4);
    let settings = steps(30);
    let made = run(&mut engine, &spec, &settings, 60);
    let truth = &engine.card.truth.clone();
    println!("acf {:?}\ntruth {:?}", made.figures.acf, truth.acf);
    println!(
        "std {} skill {} truth {}",
        made.figures.std_ratio, made.figures.dynamics_skill, truth.dynamics_skill
    );
    println!("spectrum {}", made.spectrum_error);
    for lag in 1..=4 {
        let half = 0.5 * (truth.acf_hi[lag] - truth.acf_lo[lag]);
        // Four members of 60 frames.
        let room = 2.0 * half * (100.0f64 / 240.0).sqrt() + 0.01;
        assert!(
            (made.figures.acf[lag] - truth.acf[lag]).abs() < room,
            "lag {lag}"
        );
    }
    assert!((made.figures.std_ratio - 1.0).abs() < 0.05);
    assert!((made.figures.dynamics_skill - truth.dynamics_skill).abs() < 0.03);
    assert!(made.spectrum_error < 0.05);

    let mut free = settings.clone();
    free.guidance.strength = 0.0;
    let free = run(&mut engine, &spec, &free, 40);
    for lag in 1..=4 {
        assert!(
            free.figures.acf[lag].abs() < 0.06,
            "lag {lag}: {:?}",
            free.figures.acf
        );
    }
    assert!((free.figures.std_ratio - 1.0).abs() < 0.06);

    // A discriminator that believes in another correlation makes that one.
    let mut wrong = settings;
    wrong.guidance.belief = Some(Belief {
        correlation: 0.5,
        velocity: 1.0,
    });
    let wrong = run(&mut engine, &spec, &wrong, 40);
    println!("wrong acf {:?}", wrong.figures.acf);
    assert!((wrong.figures.acf[1] - 0.5 * truth.acf[1] / 0.9).abs() < 0.06);
}

/// The lane of the exact law is what exact guidance of strength 1 gives, from the same noise; it does not follow a
/// discriminator that is made to believe something false.
#[test]
fn the_exact_law_stands_beside_a_mistaken_discriminator() {
    for (name, world) in [
        (
            "gaussian-process",
            ClosedForm::GaussianProcess(Default::default()),
        ),
        (
            "travelling-wave",
            ClosedForm::TravellingWave(Default::default()),
        ),
    ] {
        let mut engine = engine(name);
        let spec = spec(world, 2);
        let mut frame = |belief: Option<Belief>| {
            let mut settings = steps(10);
            settings.guidance.belief = belief;
            let lanes = Lanes::start(&mut engine, &spec, 3).unwrap();
            let kinds = [LaneKind::Guided, LaneKind::Video];
            let begun = FrameInProgress::begin(&engine, &lanes, &kinds, &settings, false);
            let mut frame = begun.unwrap();
            while !frame.is_done() {
                frame.step(&engine, &lanes, &settings).unwrap();
            }
            let lanes = frame.finish(&engine);
            kinds.map(|kind| {
                let lane = lanes.iter().find(|l| l.kind == kind).unwrap();
                lane.members
                    .iter()
                    .flat_map(|m| m.to_vec())
                    .collect::<Vec<f32>>()
            })
        };
        let far = |a: &[f32], b: &[f32]| {
            let power = |v: f32| f64::from(v).powi(2);
            let off: f64 = a.iter().zip(b).map(|(a, b)| power(a - b)).sum();
            (off / b.iter().map(|b| power(*b)).sum::<f64>()).sqrt()
        };
        let [guided, exact] = frame(None);
        assert!(
            far(&guided, &exact) < 1e-4,
            "{name}: {}",
            far(&guided, &exact)
        );
        let [wrong, still] = frame(Some(Belief {
            velocity: -1.0,
            ..Belief::default()
        }));
        assert_eq!(still, exact, "{name}");
        assert!(far(&wrong, &exact) > 0.1, "{name}: {}", far(&wrong, &exact));
    }
}

/// The strength may be pulled up or down at any step of a frame: what comes out is never far outside of the data.
#[test]
fn a_strength_that_jumps_within_a_frame_blows_nothing_up() {
    let mut engine = engine("gaussian-process");
    let spec = spec(ClosedForm::GaussianProcess(Default::default()), 4);
    let truth = engine.card.truth.std;
    let mut worst = (0.0f64, String::new());
    for solver in [Solver::Dpm, Solver::Heun] {
        for count in [10, 18, 30] {
            let mut settings = steps(count);
            settings.sampler.solver = solver;
            let lanes = Lanes::start(&mut engine, &spec, 3).unwrap();
            for at in 1..count {
                for (before, after) in [(0.0, 1.0), (0.0, 2.0), (1.0, 0.0), (2.0, 0.5)] {
                    settings.guidance.strength = before;
                    let kinds = &[LaneKind::Guided];
                    let mut frame =
                        FrameInProgress::begin(&engine, &lanes, kinds, &settings, true).unwrap();
                    for step in 0..count {
                        if step == at {
                            settings.guidance.strength = after;
                        }
                        frame.step(&engine, &lanes, &settings).unwrap();
                    }
                    assert!(frame.is_done());
                    for member in &frame.finish(&engine)[0].members {
                        let n = member.len() as f64;
                        let mean = member.iter().map(|&v| f64::from(v)).sum::<f64>() / n;
                        let square = |&v: &f32| (f64::from(v) - mean).powi(2);
                        let std = (member.iter().map(square).sum::<f64>() / n).sqrt() / truth;
                        if std > worst.0 {
                            let what = format!("{solver:?} {count}, {before} to {after} at {at}");
                            worst = (std, what);
                        }
                    }
                }
            }
        }
    }
    println!("largest std over truth's: {:.2} ({})", worst.0, worst.1);
    assert!(worst.0 < 1.5, "{} {}", worst.0, worst.1);
}

/// Speed of each member's wave over the generated frames, cells a frame along the wave vector, and its amplitude.
fn travels(run: &HeadlessRun, wavenumber: usize) -> Vec<(f64, f64, f64)> {
    let s = &run.series;
    let cells = SIDE * SIDE;
    (0..s.members)
        .map(|m| {
            let frames: Vec<Vec<f32>> = (s.start_frames..s.frames)
                .map(|t| s.values[(m * s.frames + t) * cells..][..cells].to_vec())
                .collect();
            let t = travel(&frames, SIDE, wavenumber, 1.0).unwrap();
            (t.speed, t.amplitude, t.steadiness)
        })
        .collect()
}

/// The paper's sanity case with the exact discriminator: speed, direction and amplitude; and what the history tells.
#[test]
fn exact_guidance_carries_the_wave_and_two_frames_tell_its_way() {
    let wave = TravellingWave {
        across: 2,
        up: 0,
        speed: 3.0,
        way: Way::Forward,
        noise: 0.1,
    };
    let mut engine = engine("travelling-wave");
    let settings = steps(20);
    let asked = spec(ClosedForm::TravellingWave(wave.clone()), 4);
    let made = run(&mut engine, &asked, &settings, 40);
    for (speed, amplitude, steadiness) in travels(&made, 2) {
        println!("forward: speed {speed:.3} amplitude {amplitude:.4} steadiness {steadiness:.4}");
        assert!((speed - 3.0).abs() < 0.05, "{speed}");
        assert!((amplitude - 1.0).abs() < 0.01, "{amplitude}");
        assert!(steadiness > 0.999);
    }
    let truth = &engine.card.truth;
    assert!((made.figures.acf[1] - truth.acf[1]).abs() < 0.01);
    assert!((made.figures.std_ratio - 1.0).abs() < 0.02);
    // What it believes of the speed is what comes out.
    let mut wrong = settings.clone();
    wrong.guidance.belief = Some(Belief {
        velocity: -0.5,
        ..Default::default()
    });
    for (speed, ..) in travels(&run(&mut engine, &asked, &wrong, 30), 2) {
        assert!((speed + 1.5).abs() < 0.1, "{speed}");
    }

    let either = TravellingWave {
        way: Way::Either,
        ..wave
    };
    let asked = spec(ClosedForm::TravellingWave(either), 8);
    let made = run(&mut engine, &asked, &settings, 30);
    let ways: Vec<f64> = travels(&made, 2).iter().map(|t| t.0).collect();
    println!("either, m 3: {ways:?}");
    let mut lanes = Lanes::start(&mut engine, &asked, 3).unwrap();
    let before = lanes.last(LaneKind::Truth).unwrap().clone();
    let next = lanes.next_truth(&mut engine).unwrap().members;
    for (m, speed) in ways.iter().enumerate() {
        let pair = [before[m].to_vec(), next[m].to_vec()];
        let true_way = travel(&pair, SIDE, 2, 1.0).unwrap().speed;
        assert!((speed - true_way).abs() < 0.2, "{speed} {true_way}");
    }
    assert!(ways.iter().any(|v| *v > 0.0) && ways.iter().any(|v| *v < 0.0));
    let mut blind = settings;
    blind.guidance.history = 0;
    let made = run(&mut engine, &asked, &blind, 40);
    let mut turns = 0;
    for (speed, amplitude, _) in travels(&made, 2) {
        println!("either, m 0: speed {speed:.2} amplitude {amplitude:.3}");
        assert!((amplitude - 1.0).abs() < 0.03);
        turns += usize::from(speed.abs() < 2.5);
    }
    assert!(turns >= 7, "one frame cannot tell the way: {turns} of 8");
}

/// The gradient is that of the logit, and the denoised estimate that of the law: against finite differences.
#[test]
fn gradients_of_the_wave_are_those_of_its_logit() {
    let mut engine = engine("travelling-wave");
    let wave = TravellingWave {
        way: Way::Either,
        noise: 0.5,
        ..Default::default()
    };
    let spec = spec(ClosedForm::TravellingWave(wave), 1);
    let lanes = Lanes::start(&mut engine, &spec, 3).unwrap();
    let mut history = Vec::new();
    assert!(lanes.append_history(&engine, LaneKind::Guided, &mut history));
    let history = engine.tensor(history, 1, 4);
    let discriminator = engine.two_tower.as_deref().unwrap();
    let noise = |frame: u32| -> Tensor<4> {
        let key = NoiseKey {
            seed: 1,
            stream: Stream::Test,
            member: 0,
            frame,
            step: 0,
        };
        Tensor::from_data(
            TensorData::new(key.normal_f32(SIDE * SIDE), [1, 1, SIDE, SIDE]),
            &engine.compute.device,
        )
    };
    for (m, sigma) in [(0, 0.3), (1, 2.0), (3, 20.0)] {
        let conditioned = discriminator.condition(&history, Context::history(m));
        let x = history.clone().narrow(1, 0, 1) + noise(1).mul_scalar(sigma as f32);
        let gradient = conditioned
            .judge(&x, sigma, &x)
            .shift
            .div_scalar((sigma * sigma) as f32);
        // Along the wave itself, where the logit changes.
        let along = history.clone().narrow(1, 1, 1);
        let h = 0.02 * sigma as f32;
        let logit = |sign: f32| {
            let moved = x.clone() + along.clone().mul_scalar(sign * h);
            f64::from(to_vec(conditioned.judge(&moved, sigma, &x).logit)[0])
        };
        let difference = (logit(1.0) - logit(-1.0)) / (2.0 * f64::from(h));
        let exact: f64 = to_vec(gradient * along).iter().map(|v| f64::from(*v)).sum();
        assert!(
            (difference - exact).abs() < 0.02 * exact.abs().max(1.0),
            "m {m} sigma {sigma}: {difference} {exact}"
        );
    }
    // A clean frame is its own estimate; pure noise gives nearly nothing.
    let clean = history.clone().narrow(1, 0, 1);
    let same = to_vec(engine.denoiser.denoise(&clean, 1e-4) - clean.clone());
    assert!(same.iter().all(|v| v.abs() < 1e-3));
    let far = to_vec(engine.denoiser.denoise(&noise(5).mul_scalar(1e4), 1e4));
    assert!(far.iter().all(|v| v.abs() < 0.1));
}

/// Frames are functions of seed and number: going back gives the same truth, and parameters of another world are refused.
#[test]
fn truth_goes_back_and_other_parameters_are_refused() {
    for name in ClosedForm::NAMES {
        let mut engine = engine(name);
        let asked = RolloutSpec {
            members: 2,
            ..Default::default()
        };
        let mut lanes = Lanes::start(&mut engine, &asked, 3).unwrap();
        let mut kept: Vec<Vec<Arc<[f32]>>> = lanes.start_history(LaneKind::Truth);
        for _ in 0..6 {
            let next = lanes.next_truth(&mut engine).unwrap().members;
            lanes.push(LaneKind::Truth, next.clone());
            lanes.advance();
            kept.push(next);
        }
        lanes.go_back(&mut engine, 6, &|_, f| kept.get(f).cloned());
        for frame in &kept[6..] {
            let again = lanes.next_truth(&mut engine).unwrap().members;
            assert_eq!(&again, frame);
            lanes.push(LaneKind::Truth, again);
            lanes.advance();
        }
        let other = ClosedForm::NAMES.iter().find(|n| **n != name).unwrap();
        let wrong = RolloutSpec {
            closed_form: ClosedForm::named(other),
            ..Default::default()
        };
        let error = Lanes::start(&mut engine, &wrong, 3).err().unwrap();
        assert!(error.headline.contains(name), "{error}");
        assert_eq!(engine.card.name, name);
    }
    let strange = ClosedForm::TravellingWave(TravellingWave {
        speed: f32::NAN,
        ..Default::default()
    });
    assert!(Lanes::start(&mut engine("travelling-wave"), &spec(strange, 1), 3).is_err());
    // A model with weights has no such parameters.
    let with = RolloutSpec {
        closed_form: ClosedForm::named("gaussian-process"),
        ..Default::default()
    };
    assert!(Lanes::start(&mut engine("vorticity"), &with, 3).is_err());
}
