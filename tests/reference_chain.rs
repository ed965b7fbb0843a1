//! The whole chain of one guided frame against an independent implementation (PyTorch), where its weights and vectors
//! are at hand: set EDDYSCOPE_REFERENCE to their folder. Says so when it is skipped.

// Helpers outside of a #[test] function may unwrap here too.
#![allow(clippy::unwrap_used)]

use burn::tensor::{Device, Tensor, TensorData};
use eddyscope::diffusion::basis::Shells;
use eddyscope::diffusion::sampler::{Sampler, StepContext, Wanted};
use eddyscope::diffusion::two_tower::{Calibration, TwoTower};
use eddyscope::diffusion::{Denoise, Discriminate, to_vec};
use eddyscope::nn::reference;
use eddyscope::rollout::settings::{GuidanceSettings, SamplerSettings, Schedule};
use safetensors::SafeTensors;

const N: usize = 64;
/// Columns of a half-plane array.
const HALF: usize = N / 2 + 1;

fn numbers(file: &SafeTensors<'_>, name: &str) -> Vec<f64> {
    let t = file.tensor(name).unwrap();
    match t.dtype() {
        safetensors::Dtype::F32 => t
            .data()
            .chunks_exact(4)
            .map(|b| f64::from(f32::from_le_bytes(b.try_into().unwrap())))
            .collect(),
        safetensors::Dtype::F64 => t
            .data()
            .chunks_exact(8)
            .map(|b| f64::from_le_bytes(b.try_into().unwrap()))
            .collect(),
        other => panic!("{name} is {other:?}"),
    }
}

/// A shell-constant array in half-plane layout, by shell group.
fn by_group(shells: &Shells, values: &[f64]) -> Vec<f32> {
    let mut out = vec![0.0; shells.count()];
    for i in 0..N {
        for j in 0..HALF {
            out[shells.groups()[i * N + j]] = values[i * HALF + j] as f32;
        }
    }
    out
}

#[test]
fn one_guided_frame_agrees_with_the_reference() {
    let Some(folder) = std::env::var_os("EDDYSCOPE_REFERENCE") else {
        println!("skipped: EDDYSCOPE_REFERENCE is not set");
        return;
    };
    let folder = std::path::PathBuf::from(folder);
    let weights = std::fs::read(folder.join("weights.safetensors")).unwrap();
    let check = std::fs::read(folder.join("check.safetensors")).unwrap();
    let (w, c) = (
        SafeTensors::deserialize(&weights).unwrap(),
        SafeTensors::deserialize(&check).unwrap(),
    );
    let device = Device::flex();
    let (denoiser, tower) = reference::load(&weights, &device).unwrap();

    let shells = Shells::new(N, 21);
    let table = |name: &str| by_group(&shells, &numbers(&w, name));
    let log_sigma: Vec<f32> = numbers(&w, "cal.gain.log_sigma")
        .iter()
        .map(|v| *v as f32)
        .collect();
    let raw: Vec<Vec<f32>> = numbers(&w, "cal.gain.g")
        .chunks_exact(N * HALF)
        .zip(&log_sigma)
        .map(|(g, l)| {
            if *l > 0.9f32.ln() {
                vec![0.0; shells.count()]
            } else {
                by_group(&shells, g)
            }
        })
        .collect();
    let last = raw.len() - 1;
    let gain = (0..=last)
        .map(|i| {
            if i == 0 || i == last {
                return raw[i].clone();
            }
            (0..shells.count())
                .map(|g| (raw[i - 1][g] + 2.0 * raw[i][g] + raw[i + 1][g]) / 4.0)
                .collect()
        })
        .collect();
    let calibration = Calibration {
        n: N,
        resolved: 21,
        c: table("cal.m3.C"),
        beta: (0..4).map(|m| table(&format!("cal.m{m}.beta"))).collect(),
        s: (0..4).map(|m| table(&format!("cal.m{m}.S"))).collect(),
        gain_log_sigma: log_sigma,
        gain,
    };
    let discriminator = TwoTower::new(tower, calibration, &device).unwrap();

    let tensor = |name: &str, channels: usize| {
        let v: Vec<f32> = numbers(&c, name).iter().map(|v| *v as f32).collect();
        let rows = v.len() / (channels * N * N);
        Tensor::<4>::from_data(TensorData::new(v, [rows, channels, N, N]), &device)
    };
    let close = |name: &str, got: Tensor<4>, expected: Tensor<4>, tolerance: f32| {
        let (a, b) = (to_vec(got), to_vec(expected));
        let scale = b.iter().fold(0.0f32, |m, v| m.max(v.abs()));
        let worst = a
            .iter()
            .zip(&b)
            .map(|(a, b)| (a - b).abs())
            .fold(0.0, f32::max);
        println!("{name}: largest error {worst:.2e} of {scale:.2}");
        assert!(worst <= tolerance * scale, "{name}: {worst} of {scale}");
    };
    let history = tensor("history", 4);
    let conditioned = discriminator.condition(&history, eddyscope::diffusion::Context::history(3));
    for sigma in ["20.0", "1.0", "0.1"] {
        let s: f64 = sigma.parse().unwrap();
        let x = tensor(&format!("x_{sigma}"), 1);
        let denoised = denoiser.denoise(x.clone(), s as f32);
        close(
            "denoised",
            denoised.clone(),
            tensor(&format!("denoised_{sigma}"), 1),
            2e-4,
        );
        let j = conditioned.judge(&x, s, &denoised);
        let guided = denoised + j.shift + j.correction.unwrap();
        close(
            "guided",
            guided,
            tensor(&format!("guided_{sigma}"), 1),
            5e-4,
        );
    }
    let start = tensor("sample_noise", 1);
    let rows = start.dims()[0];
    let settings = SamplerSettings {
        schedule: Schedule::Karras,
        sigma_min: 0.01,
        sigma_max: 80.0,
        ..Default::default()
    };
    let mut sampler = Sampler::new(&settings, start, None);
    let none = |_: usize| -> Tensor<4> { unreachable!("DPM adds no noise") };
    while !sampler.is_done() {
        sampler.step(&StepContext {
            denoiser: &denoiser as &dyn Denoise,
            discriminator: Some(conditioned.as_ref()),
            guidance: &GuidanceSettings::default(),
            strengths: &vec![1.0; rows],
            flow: None,
            noise: &none,
            wanted: Wanted::Nothing,
        });
    }
    close(
        "sample",
        sampler.state().clone(),
        tensor("sample_dpm10", 1),
        2e-3,
    );
}
