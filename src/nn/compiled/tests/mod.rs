//! The same network with the kernels of every processor, in other batches and threads; what it allocates; what is refused.
//!
//! Nothing here needs burn: these tests also run without the rest of the program, see `benches/compiled_alone`.

mod batch;
pub(in crate::nn) mod drawn;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use drawn::{Drawn, drawn, drawn_trunk, values};

use super::plan::{Convolution, Op, Plan};
use super::{IMAGES, Input, Kernels, Kind, Output, Program, Weights, build, kernels};
use crate::nn::config::{Padding, Skips, UNetConfig};

/// Drawn networks that each test looks at.
const NETWORKS: u64 = 24;
/// Width of the hidden layer of encoders: no multiple of 16.
const HIDDEN: usize = 21;

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

fn small() -> UNetConfig {
    UNetConfig {
        channels: vec![16, 24, 40],
        groups: 4,
        ..UNetConfig::vorticity(2, 32)
    }
}

fn compiled(kernels: &'static Kernels, c: &UNetConfig, w: &Weights, field: [usize; 2]) -> Program {
    Program::for_processor(kernels, c, w, Kind::UNet, field).expect("fits")
}

/// The output for rows `from..to` of fixed inputs, and the logits of an encoder.
fn run(program: &mut Program, config: &UNetConfig, [from, to]: [usize; 2]) -> [Vec<f32>; 2] {
    let [ny, nx] = program.field();
    let one = config.in_channels * ny * nx;
    let all = values(to * one, 1000);
    let plan = &program.0.plan;
    let mut out = vec![f32::NAN; (to - from) * plan.out_channels * ny * nx];
    let mut logits = vec![f32::NAN; to - from];
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
    let judged = plan.logit.is_some().then_some(&mut logits[..]);
    program.run(&[input], to - from, c_noise, &[finish], &mut out, judged);
    if program.0.plan.logit.is_none() {
        logits.clear();
    }
    [out, logits]
}

/// With all kernels that this processor has, against the best of them.
fn agree(what: &str, d: &Drawn, w: &Weights, kind: Kind) {
    let all = kernels::available();
    let on = |k| {
        let mut program = Program::for_processor(k, &d.config, w, kind, d.field).expect("fits");
        run(&mut program, &d.config, [0, d.rows])
    };
    let best = on(all[0]);
    for k in &all[1..] {
        for (best, other) in best.iter().zip(on(k)) {
            let top = best.iter().fold(0.0f32, |m, v| m.max(v.abs()));
            assert!(best.iter().all(|v| v.is_finite()), "{what} {d:?}");
            let off = best.iter().zip(&other);
            let off = off.fold(0.0f32, |m, (a, b)| m.max((a - b).abs()));
            assert!(off <= 1e-5 * top, "{what} {} {d:?}: {off} of {top}", k.name);
        }
    }
}

#[test]
fn kernels_of_all_processors_agree() {
    for seed in 0..NETWORKS {
        let d = drawn(seed);
        agree("network", &d, &drawn::unet(&d.config), Kind::UNet);
        let d = drawn_trunk(seed);
        let w = drawn::encoder(&d.config, HIDDEN);
        agree("encoder", &d, &w, Kind::Encoder(1));
    }
}

#[test]
fn rows_do_not_depend_on_batch_or_threads() {
    let config = small();
    let w = drawn::unet(&config);
    let rows = IMAGES + 3;
    let on = |threads: usize, range: [usize; 2]| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        pool.expect("a pool").install(|| {
            let mut program = compiled(kernels::best(), &config, &w, [16, 32]);
            let [out, _] = run(&mut program, &config, range);
            out
        })
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
    const ROWS: usize = IMAGES + 2;
    const CELLS: usize = 16 * 16;
    let config = small();
    let network = compiled(kernels::best(), &config, &drawn::unet(&config), [16, 16]);
    let w = drawn::encoder(&config, HIDDEN);
    let encoder = Program::encoder(&config, &w, [16, 16], 1).expect("fits");
    let input = values(config.in_channels * CELLS * ROWS, 1);
    let inputs = [Input {
        values: &input,
        channels: config.in_channels,
        scale: 1.0,
    }];
    let finish = [Output {
        keep: 0.3,
        scale: 1.0,
    }];
    for (mut program, judges) in [(network, false), (encoder, true)] {
        let (mut out, mut logits) = (vec![0.0; CELLS * ROWS], vec![0.0; ROWS]);
        for threads in [1, 2] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            pool.expect("a pool").install(|| {
                let mut once = |c: f32| {
                    let judged = judges.then_some(&mut logits[..]);
                    program.run(&inputs, ROWS, Some(c), &finish, &mut out, judged);
                };
                once(0.1);
                let before = ALLOCATIONS.with(Cell::get);
                for _ in 0..3 {
                    once(0.2);
                }
                let n = ALLOCATIONS.with(Cell::get) - before;
                assert_eq!(n, 0, "{threads} threads, judges: {judges}");
            });
        }
    }
    let before = ALLOCATIONS.with(Cell::get);
    drop(std::hint::black_box(vec![1u8; 100]));
    assert_eq!(
        ALLOCATIONS.with(Cell::get) - before,
        1,
        "the counter counts"
    );
}

#[test]
fn fields_and_sizes_that_do_not_fit_are_not_compiled() {
    let config = UNetConfig {
        position: Some([16, 24]),
        ..small()
    };
    let w = drawn::unet(&config);
    assert!(Program::unet(&config, &w, [16, 24]).is_some());
    for field in [[24, 16], [32, 48], [16, 20], [0, 24]] {
        assert!(Program::unet(&config, &w, field).is_none(), "{field:?}");
    }
    let strange = UNetConfig {
        groups: 7,
        ..small()
    };
    assert!(Program::unet(&strange, &w, [16, 24]).is_none());
    for padding in [Padding::Pole, Padding::Replicate] {
        let config = UNetConfig {
            padding: [padding, Padding::Circular],
            ..small()
        };
        let w = drawn::encoder(&config, HIDDEN);
        assert!(Program::encoder(&config, &w, [16, 24], 1).is_none());
    }
}

fn panics(f: impl FnOnce()) -> bool {
    catch_unwind(AssertUnwindSafe(f)).is_err()
}

/// Weights of other sizes than the network's are found before anything runs.
#[test]
fn weights_of_another_network_are_refused() {
    let config = UNetConfig {
        position: Some([16, 24]),
        skips: Skips::Block,
        ..small()
    };
    let good = drawn::unet(&config);
    for name in [
        "trunk.positions.1",
        "trunk.embedding.linear1.weight",
        "trunk.embedding.linear2.weight",
        "middle.attention.qkv.bias",
        "output.bias",
        "trunk.stem.weight",
    ] {
        let mut cut = good.clone();
        let values = cut.get_mut(name).expect(name);
        values.truncate(values.len() / 3);
        assert!(
            panics(|| drop(Program::unet(&config, &cut, [16, 24]))),
            "{name}"
        );
    }
}

/// Plans in which one number is wrong.
#[test]
fn a_step_that_leaves_its_place_is_found() {
    const FAR: usize = 1 << 24;
    /// Changes a step, if it is of the kind that it changes.
    type Change = fn(&mut Op) -> Option<()>;
    fn conv(op: &mut Op) -> Option<&mut Convolution> {
        match op {
            Op::Conv(c) => Some(c),
            _ => None,
        }
    }
    let changes: [Change; 11] = [
        |op| {
            match op {
                Op::Load { to, .. } | Op::Activate { to, .. } | Op::Dilate { to, .. } => *to += FAR,
                Op::Conv(c) => c.terms[0].at += FAR,
                Op::Coefficients { places, .. } => places[0].slot += FAR,
                Op::Attend { scratch, .. } => *scratch += FAR,
                Op::AttendBack { points, .. } => *points += FAR,
                Op::Head { hidden, .. } => *hidden += FAR,
                Op::Slopes { to, state, .. } => *to = state.at,
                Op::NormBack { places, .. } => places[0].group += FAR,
                Op::Combine { du, .. } => *du += FAR,
                Op::Store { from } => from.width += 1,
            }
            Some(())
        },
        |op| conv(op).map(|c| c.terms[0].pitch /= 2),
        |op| conv(op).map(|c| c.terms[0].plane /= 2),
        |op| conv(op).map(|c| c.terms[0].weights[0] += FAR),
        |op| conv(op).map(|c| c.tiles[0].1 += 1),
        |op| conv(op).map(|c| c.bias += FAR),
        |op| conv(op).map(|c| c.to.at = c.terms[0].at),
        |op| conv(op).map(|c| c.pieces.rows -= 1),
        |op| match op {
            Op::Coefficients { film, .. } => film.as_mut().map(|f| f[1] += FAR),
            _ => None,
        },
        |op| match op {
            Op::Activate { sources, .. } => sources.last_mut().map(|s| s.at += FAR),
            _ => None,
        },
        |op| match op {
            Op::Attend { heads, .. } | Op::AttendBack { heads, .. } => {
                *heads = 7;
                Some(())
            }
            _ => None,
        },
    ];
    let config = UNetConfig {
        position: Some([16, 16]),
        ..small()
    };
    let w = drawn::unet(&config);
    let network = || build::Builder::new(&config, &w, kernels::best()).unet([16, 16]);
    let trunk = small();
    let w = drawn::encoder(&trunk, HIDDEN);
    let encoder = || build::Builder::new(&trunk, &w, kernels::best()).encoder([16, 16], 1);
    for make in [&network as &dyn Fn() -> Plan, &encoder] {
        make().check();
        for (number, change) in changes.into_iter().enumerate() {
            for phase in 0..make().phases.len() {
                let mut plan = make();
                if change(&mut plan.phases[phase][0]).is_some() {
                    assert!(panics(|| plan.check()), "change {number} of phase {phase}");
                }
            }
        }
    }
    let mut plan = network();
    plan.common -= 16;
    assert!(panics(|| plan.check()));
    let mut plan = network();
    plan.image = 16;
    assert!(panics(|| plan.check()));
}
