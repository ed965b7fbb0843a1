//! The same network with the kernels of every processor, in other batches and threads, and what it allocates.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use super::{IMAGES, Input, Kernels, Output, Program, Weights, kernels};
use crate::nn::config::{Padding, Skips, UNetConfig};
use crate::nn::{UNet, weights};
use crate::random::{NoiseKey, Stream};

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

/// The system's allocator; counts what each thread asks for.
struct Counting;

// SAFETY: hands everything on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|n| n.set(n.get() + 1));
        // SAFETY: the caller's promise is handed on.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn values(n: usize, frame: u32) -> Vec<f32> {
    let key = NoiseKey {
        seed: 5,
        stream: Stream::Test,
        member: 0,
        frame,
        step: 0,
    };
    key.normal_f32(n)
}

fn awake(config: &UNetConfig) -> Weights {
    let net = UNet::new(config, &burn::tensor::Device::flex());
    weights::parameters(&net)
        .into_iter()
        .enumerate()
        .map(|(i, p)| {
            let noise = values(p.values.len(), i as u32);
            let values = p.values.iter().zip(noise).map(|(w, z)| w + 0.03 * z);
            (p.name, values.collect())
        })
        .collect()
}

fn small() -> UNetConfig {
    UNetConfig {
        channels: vec![16, 24, 40],
        groups: 4,
        ..UNetConfig::vorticity(2, 32)
    }
}

/// The output for rows `from..to` of fixed inputs.
fn run(program: &mut Program, config: &UNetConfig, [from, to]: [usize; 2]) -> Vec<f32> {
    let [ny, nx] = program.field();
    let one = config.in_channels * ny * nx;
    let all = values(to * one, 1000);
    let mut out = vec![f32::NAN; (to - from) * config.out_channels * ny * nx];
    let input = Input {
        values: &all[from * one..],
        channels: config.in_channels,
        scale: 0.9,
    };
    let finish = Output {
        keep: 0.0,
        scale: 1.5,
    };
    let c_noise = (config.embedding > 0).then_some(-0.3);
    program.run(&[input], to - from, c_noise, &[finish], &mut out, None);
    out
}

fn with(k: &'static Kernels, config: &UNetConfig, w: &Weights, field: [usize; 2]) -> Vec<f32> {
    run(
        &mut Program::for_processor(k, config, w, field),
        config,
        [0, 2],
    )
}

#[test]
fn kernels_of_all_processors_agree() {
    let block = UNetConfig {
        skips: Skips::Block,
        padding: [Padding::Pole, Padding::Circular],
        ..small()
    };
    let tower = UNetConfig {
        embedding: 0,
        out_channels: 5,
        padding: [Padding::Zeros, Padding::Replicate],
        ..small()
    };
    for config in [small(), block, tower] {
        let w = awake(&config);
        for field in [[16, 16], [8, 8], [24, 40], [8, 56]] {
            let all = kernels::available();
            let best = with(all[0], &config, &w, field);
            let top = best.iter().fold(0.0f32, |m, v| m.max(v.abs()));
            assert!(top > 0.01 && top.is_finite(), "{top}");
            for k in &all[1..] {
                let other = with(k, &config, &w, field);
                let off = best.iter().zip(&other);
                let off = off.fold(0.0f32, |m, (a, b)| m.max((a - b).abs()));
                assert!(off < 1e-5 * top, "{} {field:?}: {off} of {top}", k.name);
            }
        }
    }
}

#[test]
fn rows_do_not_depend_on_batch_or_threads() {
    let config = small();
    let w = awake(&config);
    let rows = IMAGES + 3;
    let on = |threads: usize, range: [usize; 2]| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        pool.expect("a pool")
            .install(|| run(&mut Program::unet(&config, &w, [16, 32]), &config, range))
    };
    let all = on(1, [0, rows]);
    assert!(all == on(2, [0, rows]), "1 and 2 threads");
    for row in [1, IMAGES, rows - 1] {
        let alone = on(2, [row, row + 1]);
        assert!(alone == all[row * 512..(row + 1) * 512], "row {row}");
    }
}

/// Whichever thread does a task, it is the same code: alone, this thread does all of them.
#[test]
fn a_run_allocates_nothing() {
    let config = small();
    let w = awake(&config);
    let mut program = Program::unet(&config, &w, [32, 32]);
    let input = values(config.in_channels * 1024 * 6, 1);
    let mut out = vec![0.0; 1024 * 6];
    let inputs = [Input {
        values: &input,
        channels: config.in_channels,
        scale: 1.0,
    }];
    let finish = Output {
        keep: 0.3,
        scale: 1.0,
    };
    for threads in [1, 2] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        pool.expect("a pool").install(|| {
            program.run(&inputs, 6, Some(0.1), &[finish], &mut out, None);
            let before = ALLOCATIONS.with(Cell::get);
            for _ in 0..3 {
                program.run(&inputs, 6, Some(0.2), &[finish], &mut out, None);
            }
            assert_eq!(ALLOCATIONS.with(Cell::get) - before, 0, "{threads} threads");
        });
    }
    let before = ALLOCATIONS.with(Cell::get);
    drop(std::hint::black_box(vec![1u8; 100]));
    assert_eq!(
        ALLOCATIONS.with(Cell::get) - before,
        1,
        "the counter counts"
    );
}
