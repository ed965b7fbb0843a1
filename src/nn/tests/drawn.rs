//! Compiled networks of drawn sizes against burn's result.

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use super::{distance, noise, values};
use crate::nn::compiled::tests::drawn::{drawn, drawn_trunk, encoder, unet};
use crate::nn::compiled::{Output, Weights};
use crate::nn::fast::Compiled;
use crate::nn::{Encoder, EncoderConfig, UNet, UNetConfig, weights};

/// Networks that are drawn.
const NETWORKS: u64 = 24;

/// What the compiled result may differ by, relative to the result.
const AGREEMENT: f32 = 1e-5;

/// The module with these weights; they must be exactly its own.
fn filled<M: Module>(module: M, mut all: Weights, device: &Device) -> M {
    let mut flat = Vec::new();
    for own in weights::parameters(&module) {
        let values = all.remove(&own.name).expect(&own.name);
        assert_eq!(values.len(), own.values.len(), "{}", own.name);
        flat.extend(values);
    }
    assert!(all.is_empty(), "{:?}", all.keys());
    weights::with_flat(module, &flat, device)
}

/// As [`AGREEMENT`], for gradients: those of norms over a handful of values are differences of larger numbers.
const SLOPES: f32 = 3e-5;

fn check(what: &str, compiled: &[f32], plain: &[f32]) {
    within(AGREEMENT, what, compiled, plain);
}

fn within(room: f32, what: &str, compiled: &[f32], plain: &[f32]) {
    let d = distance(compiled, plain);
    assert!(d < room, "{what}: differs by {d}");
}

#[test]
fn networks_of_any_size_agree_with_burn() {
    let device = Device::flex();
    for seed in 0..NETWORKS {
        let d = drawn(seed);
        let [ny, nx] = d.field;
        let net = filled(UNet::new(&d.config, &device), unet(&d.config), &device);
        let x = noise([d.rows, d.config.in_channels, ny, nx], seed as u32);
        let x = Tensor::<4>::from_data(x, &device);
        let c_noise = (d.config.embedding > 0).then_some(-0.4f32);
        let told = c_noise.map(|c| Tensor::<1>::full([1], c, &device));
        let plain = values(net.forward(x.clone(), told));
        let net = net.compiled(&d.config);
        let compiled = net.fast(&x).expect("compiled");
        let finish = Output {
            keep: 0.0,
            scale: 1.0,
        };
        let fast = compiled.forward(vec![(x, 1.0)], c_noise, finish);
        check(&format!("{d:?}"), &values(fast.expect("fits")), &plain);
    }
}

/// Encoders, whose trunk's inputs are given by what they look at.
#[test]
fn encoders_of_any_size_agree_with_burn() {
    let device = Device::flex();
    for seed in 0..NETWORKS {
        let d = drawn_trunk(seed);
        let [ny, nx] = d.field;
        let (c, increments) = (&d.config, seed % 2 == 0);
        let config = EncoderConfig {
            channels: c.channels.clone(),
            blocks: c.blocks.clone(),
            attention: c.attention.clone(),
            patch: c.patch,
            heads: c.heads,
            groups: c.groups,
            embedding: c.embedding,
            hidden: 5 + seed as usize,
            padding: c.padding,
            increments,
            sigma_data: 0.5,
        };
        let trunk = config.trunk();
        let net = Encoder::new(&config, &device);
        let net = filled(net, encoder(&trunk, config.hidden), &device);
        let tensor =
            |channels, tag| Tensor::<4>::from_data(noise([d.rows, channels, ny, nx], tag), &device);
        let (x, history) = (tensor(1, 3), tensor(4, 4));
        let sigma = Tensor::<1>::full([1], 0.6, &device);
        let plain = net.logits_and_gradient(x.clone(), history.clone(), &[2], sigma.clone());
        let net = net.compiled(&config);
        let fast = net.fast(&x, &history, &[2], &sigma).expect("compiled");
        check(&format!("logits {d:?}"), &values(fast.0), &values(plain.0));
        let what = format!("slopes {d:?}");
        within(SLOPES, &what, &values(fast.1), &values(plain.1));
    }
}

/// An encoder whose padding has no compiled way back is left to burn from the beginning, and so is a call that its
/// compiled form does not take.
#[test]
fn what_cannot_be_compiled_is_left_to_burn() {
    use crate::nn::Padding;
    let device = Device::flex();
    let field = |channels, side| {
        Tensor::<4>::from_data(noise([2, channels, side, 16], channels as u32), &device)
    };
    let (x, history) = (field(1, 16), field(4, 16));
    let level = |values: [f32; 2]| Tensor::<1>::from_data(values, &device);
    for (padding, possible) in [
        (Padding::Circular, true),
        (Padding::Zeros, true),
        (Padding::Pole, false),
        (Padding::Replicate, false),
    ] {
        let config = EncoderConfig {
            padding: [padding, Padding::Circular],
            channels: vec![8, 16],
            blocks: vec![1, 1],
            attention: vec![false, true],
            embedding: 16,
            hidden: 8,
            ..EncoderConfig::vorticity()
        };
        let plain = Encoder::new(&config, &device);
        let net = plain.clone().compiled(&config);
        let same = level([0.5, 0.5]);
        let fast = net.fast(&x, &history, &[3], &same);
        assert_eq!(fast.is_some(), possible, "{padding:?}");
        let two = level([0.5, 0.7]);
        assert!(net.fast(&x, &history, &[3], &two).is_none(), "two levels");
        for sigma in [same, two] {
            let judge = |net: &Encoder| {
                net.logits_and_gradient(x.clone(), history.clone(), &[3], sigma.clone())
            };
            let (own, burn) = (judge(&net), judge(&plain));
            check("logits", &values(own.0), &values(burn.0));
            check("slopes", &values(own.1), &values(burn.1));
        }
    }
    // A compiled U-Net that is not told a noise level, where it has an embedding, and one that is told without.
    for (embedding, c_noise) in [(16, None), (0, Some(0.3))] {
        let config = UNetConfig {
            channels: vec![8, 16, 16],
            embedding,
            ..UNetConfig::vorticity(1, 0)
        };
        let compiled = Compiled::unet(&config, &UNet::new(&config, &device));
        let finish = Output {
            keep: 0.0,
            scale: 1.0,
        };
        let ask = |x: &Tensor<4>, c| compiled.forward(vec![(x.clone(), 1.0)], c, finish);
        assert!(ask(&x, c_noise).is_none(), "embedding {embedding}");
        let c_noise = (embedding > 0).then_some(0.3);
        assert!(ask(&x, c_noise).is_some(), "embedding {embedding}");
        assert!(ask(&history, c_noise).is_none(), "four channels");
        assert!(ask(&field(1, 12), c_noise).is_none(), "a side of 12");
    }
}
