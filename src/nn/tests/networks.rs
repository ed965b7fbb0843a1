//! Whole networks: sizes, independence of batch and threads, gradients, the reference experiment.

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};

use super::super::{
    Denoiser, Encoder, EncoderConfig, HistoryTower, Padding, UNet, UNetConfig, VideoDenoiser,
    reference, weights,
};
use super::{distance, noise, values};

/// Fills every parameter with small noise, so that no branch is silent as it is at the start of training.
pub(super) fn awake<M: Module>(module: M, device: &Device) -> M {
    let n = weights::count(&module);
    let first = weights::flat(&module);
    let flat: Vec<f32> = noise([n], 77)
        .iter::<f32>()
        .zip(first)
        .map(|(z, w)| w + 0.03 * z)
        .collect();
    weights::with_flat(module, &flat, device)
}

fn denoiser(device: &Device) -> Denoiser {
    awake(
        Denoiser::new(&UNetConfig::vorticity(1, 128), 0.5, device),
        device,
    )
}

fn tower(device: &Device) -> HistoryTower {
    awake(
        HistoryTower::new(&UNetConfig::vorticity(7, 0), device),
        device,
    )
}

fn encoder(device: &Device) -> Encoder {
    awake(Encoder::new(&EncoderConfig::vorticity(), device), device)
}

fn sigma(value: f32, device: &Device) -> Tensor<1> {
    Tensor::from_data(TensorData::new(vec![value], [1]), device)
}

/// A row of the video model does not depend on the rows beside it, frames beyond a row's history length do not count, and
/// those within it do.
#[test]
fn the_video_model_sees_its_own_history() {
    let device = Device::flex();
    let net = VideoDenoiser::new(&UNetConfig::vorticity(8, 128), 0.5, &device);
    let net = awake(net, &device);
    let tensor = |shape, seed| Tensor::<4>::from_data(noise(shape, seed), &device);
    let (x, h) = (tensor([3, 1, 32, 32], 1), tensor([3, 4, 32, 32], 2));
    let all = net.condition(h.clone(), &[0, 1, 3], &[None]);
    assert_eq!(all.dims(), [3, 7, 32, 32]);
    let together = values(net.denoise(x.clone(), 0.7, all));
    for (row, m) in [0, 1, 3].into_iter().enumerate() {
        let (x, h) = (x.clone().narrow(0, row, 1), h.clone().narrow(0, row, 1));
        let alone = |h| values(net.denoise(x.clone(), 0.7, net.condition(h, &[m], &[None])));
        let cells = 32 * 32;
        assert_eq!(alone(h.clone()), together[row * cells..(row + 1) * cells]);
        for age in 0..4 {
            let parts = (0..4).map(|a| {
                let frame = h.clone().narrow(1, a, 1);
                if a == age { frame + 1.0 } else { frame }
            });
            let changed = alone(Tensor::cat(parts.collect(), 1));
            let same = changed == together[row * cells..(row + 1) * cells];
            assert_eq!(same, age > m, "m {m}, frame {age} back");
        }
    }
}

#[test]
fn shipped_sizes() {
    let device = Device::flex();
    let d = weights::count(&Denoiser::new(&UNetConfig::vorticity(1, 128), 0.5, &device));
    let t = weights::count(&HistoryTower::new(&UNetConfig::vorticity(7, 0), &device));
    let e = weights::count(&Encoder::new(&EncoderConfig::vorticity(), &device));
    assert!((840_000..850_000).contains(&d), "{d}");
    assert!((700_000..900_000).contains(&t), "{t}");
    assert!(e < 900_000, "{e}");
    assert!(2 * (d + t + e) < 8_000_000);
}

#[test]
fn paper_sizes_can_be_built() {
    let device = Device::flex();
    let vorticity = UNetConfig::paper(3, [Padding::Circular; 2]);
    let globe = UNetConfig::paper(2, [Padding::Pole, Padding::Circular]);
    for (config, published) in [(vorticity, 33.8e6), (globe, 25.7e6)] {
        config.validate().expect("the paper's sizes fit");
        let net = UNet::new(&config, &device);
        let n = weights::count(&net) as f64;
        assert!((n / published - 1.0).abs() < 0.035, "{n} of {published}");
        let x = Tensor::from_data(noise([1, 1, 8, 16], 1), &device);
        let y = net.forward(x, Some(sigma(0.1, &device)));
        assert_eq!(y.dims(), [1, 1, 8, 16]);
    }
}

#[test]
fn sizes_that_do_not_fit_are_named() {
    let good = UNetConfig::vorticity(1, 128);
    good.validate().expect("the shipped sizes fit");
    for (bad, word) in [
        (
            UNetConfig {
                patch: 3,
                ..good.clone()
            },
            "patch",
        ),
        (
            UNetConfig {
                blocks: vec![1],
                ..good.clone()
            },
            "blocks",
        ),
        (
            UNetConfig {
                up_blocks: vec![],
                ..good.clone()
            },
            "up_blocks",
        ),
        (
            UNetConfig {
                groups: 5,
                ..good.clone()
            },
            "groups",
        ),
        (
            UNetConfig {
                heads: 7,
                ..good.clone()
            },
            "heads",
        ),
    ] {
        let error = bad.validate().expect_err(word);
        assert!(error.cause.contains(word), "{error}");
    }
}

/// Runs `f` on 1 and on 2 threads.
fn on_threads(f: impl Fn() -> Vec<f32> + Sync) -> [Vec<f32>; 2] {
    [1, 2].map(|n| {
        rayon::ThreadPoolBuilder::new()
            .num_threads(n)
            .build()
            .expect("a thread pool")
            .install(&f)
    })
}

/// Asserts that row 1 of a batch of 3 has the same bits as the same row alone, on 1 and on 2 threads.
fn row_alone_equals_row_in_batch(f: impl Fn(std::ops::Range<usize>) -> Vec<f32> + Sync) {
    let [one, two] = on_threads(|| f(0..3));
    assert!(one == two, "1 and 2 threads");
    assert!(one.iter().any(|v| v.abs() > 1e-3), "nothing was computed");
    let [alone, alone_two] = on_threads(|| f(1..2));
    assert!(alone == alone_two, "1 and 2 threads, alone");
    let n = alone.len();
    assert!(alone == one[n..2 * n], "alone and in a batch");
}

#[test]
fn denoiser_rows_do_not_depend_on_batch_or_threads() {
    let device = Device::flex();
    let net = denoiser(&device);
    let x = Tensor::<4>::from_data(noise([3, 1, 64, 64], 1), &device);
    row_alone_equals_row_in_batch(|rows| values(net.denoise(x.clone().slice([rows]), 0.7)));
}

#[test]
fn tower_rows_do_not_depend_on_batch_or_threads() {
    let device = Device::flex();
    let net = tower(&device);
    let h = Tensor::<4>::from_data(noise([3, 4, 64, 64], 1), &device);
    row_alone_equals_row_in_batch(|rows| values(net.forward(h.clone().slice([rows]), &[2])));
}

#[test]
fn encoder_rows_do_not_depend_on_batch_or_threads() {
    let device = Device::flex();
    let net = encoder(&device);
    let x = Tensor::<4>::from_data(noise([3, 1, 64, 64], 1), &device);
    let h = Tensor::<4>::from_data(noise([3, 4, 64, 64], 2), &device);
    let both = |rows: std::ops::Range<usize>| {
        let (x, h) = (x.clone().slice([rows.clone()]), h.clone().slice([rows]));
        net.logits_and_gradient(x, h, &[3], sigma(0.7, &device))
    };
    row_alone_equals_row_in_batch(|rows| values(both(rows).0));
    row_alone_equals_row_in_batch(|rows| {
        values(both(rows).1)
            .into_iter()
            .map(|v| v * 100.0)
            .collect()
    });
}

#[test]
fn encoder_gradient_agrees_with_finite_differences() {
    let device = Device::flex();
    let net = encoder(&device);
    let x = Tensor::<4>::from_data(noise([2, 1, 16, 16], 1), &device);
    let h = Tensor::<4>::from_data(noise([2, 4, 16, 16], 2), &device);
    let s = sigma(0.5, &device);
    let (_, gradient) = net.logits_and_gradient(x.clone(), h.clone(), &[3, 1], s.clone());
    for tag in 5..8 {
        let direction = Tensor::<4>::from_data(noise([2, 1, 16, 16], tag), &device);
        let step = 1e-2;
        let at = |sign: f32| {
            let moved = x.clone() + direction.clone() * (sign * step);
            values(net.logits(moved, h.clone(), &[3, 1], s.clone()))
        };
        let (plus, minus) = (at(1.0), at(-1.0));
        let slope = values((gradient.clone() * direction).sum_dims(&[1, 2, 3]));
        let scale = values(gradient.clone().square().sum_dims(&[1, 2, 3]));
        for row in 0..2 {
            let numeric = (plus[row] - minus[row]) / (2.0 * step);
            let error = (numeric - slope[row]).abs() / scale[row].sqrt();
            assert!(error < 1e-3, "row {row}: {numeric} against {}", slope[row]);
        }
    }
}

#[test]
fn frames_beyond_the_history_length_are_not_looked_at() {
    let device = Device::flex();
    let net = tower(&device);
    let h = Tensor::<4>::from_data(noise([1, 4, 16, 16], 1), &device);
    let changed = h.clone().slice_assign(
        [0..1, 2..4],
        Tensor::from_data(noise([1, 2, 16, 16], 9), &device),
    );
    let same =
        |m| values(net.forward(h.clone(), &[m])) == values(net.forward(changed.clone(), &[m]));
    assert!(same(1));
    assert!(!same(2));
}

#[test]
fn network_commutes_with_a_shift_of_the_torus() {
    let device = Device::flex();
    let net = denoiser(&device);
    let x = Tensor::<4>::from_data(noise([1, 1, 32, 32], 1), &device);
    let roll = |t: Tensor<4>| {
        let n = t.dims()[3];
        Tensor::cat(vec![t.clone().narrow(3, 8, n - 8), t.narrow(3, 0, 8)], 3)
    };
    let a = values(roll(net.denoise(x.clone(), 0.4)));
    let b = values(net.denoise(roll(x), 0.4));
    assert!(distance(&a, &b) < 1e-5);
}

/// Compares with an earlier PyTorch experiment where its folder is at hand (`EDDYSCOPE_REFERENCE`).
#[test]
fn reference_experiment() {
    let Some(folder) = std::env::var_os("EDDYSCOPE_REFERENCE") else {
        println!("skipped: EDDYSCOPE_REFERENCE is not set");
        return;
    };
    let folder = std::path::PathBuf::from(folder);
    let read = |name| std::fs::read(folder.join(name)).expect("a file of the reference");
    let device = Device::flex();
    let (denoiser, tower) =
        reference::load(&read("weights.safetensors"), &device).expect("the reference's weights");
    let check =
        weights::read(&read("check.safetensors"), "check.safetensors").expect("check vectors");
    let tensor = |name: &str| {
        let (shape, values) = check[name].clone();
        Tensor::<4>::from_data(TensorData::new(values, shape), &device)
    };
    for s in ["20.0", "1.0", "0.1"] {
        let out = denoiser.denoise(tensor(&format!("x_{s}")), s.parse().expect("a number"));
        let d = distance(&values(out), &check[&format!("denoised_{s}")].1);
        println!("denoised_{s}: {d:e}");
        assert!(d < 1e-5, "sigma {s}: {d}");
    }
    for m in [0, 3] {
        let out = tower.forward(tensor("history"), &[m]);
        let d = distance(&values(out), &check[&format!("mu_m{m}")].1);
        println!("mu_m{m}: {d:e}");
        assert!(d < 1e-5, "m {m}: {d}");
    }
}
