//! Compiled networks against burn's result.

use std::borrow::Cow;

use burn::tensor::{Device, Tensor};

use super::networks::awake;
use super::{distance, noise, values};
use crate::nn::{
    Denoiser, Encoder, EncoderConfig, HistoryTower, Padding, Skips, UNetConfig, VideoDenoiser,
    weights,
};

/// What the compiled result may differ by, relative to the result.
const AGREEMENT: f32 = 1e-5;

fn field(shape: [usize; 4], seed: u32) -> Tensor<4> {
    Tensor::from_data(noise(shape, seed), &Device::flex())
}

fn agrees(what: &str, compiled: Tensor<4>, plain: Tensor<4>) {
    let d = distance(&values(compiled), &values(plain));
    println!("{what}: {d:.2e}");
    assert!(d < AGREEMENT, "{what}: differs by {d}");
}

fn denoisers_agree(what: &str, config: &UNetConfig, [rows, ny, nx]: [usize; 3]) {
    let device = Device::flex();
    let net = awake(Denoiser::new(config, 0.5, &device), &device);
    let x = field([rows, 1, ny, nx], 5);
    let plain = net.denoise(x.clone(), 0.7);
    agrees(what, net.compiled(config).denoise(x, 0.7), plain);
}

#[test]
fn denoisers_of_many_shapes_agree() {
    let small = UNetConfig {
        channels: vec![16, 24, 40],
        groups: 4,
        ..UNetConfig::vorticity(1, 32)
    };
    for (padding, [ny, nx]) in [
        ([Padding::Circular; 2], [16, 16]),
        ([Padding::Pole, Padding::Circular], [24, 40]),
        ([Padding::Zeros, Padding::Circular], [8, 56]),
        ([Padding::Replicate, Padding::Zeros], [40, 24]),
    ] {
        let config = UNetConfig {
            padding,
            ..small.clone()
        };
        for rows in [1, 6] {
            denoisers_agree(
                &format!("{padding:?} {ny}x{nx} {rows}"),
                &config,
                [rows, ny, nx],
            );
        }
    }
    for patch in [1, 4] {
        let config = UNetConfig {
            patch,
            ..small.clone()
        };
        denoisers_agree(&format!("patch {patch}"), &config, [1, 32, 16]);
    }
    let position = Some([16, 24]);
    let config = UNetConfig {
        position,
        ..small.clone()
    };
    denoisers_agree("position", &config, [2, 16, 24]);
    let config = UNetConfig {
        attention: vec![false, true, true],
        up_blocks: vec![2, 1],
        blocks: vec![2, 2, 3],
        ..small.clone()
    };
    denoisers_agree("more blocks", &config, [2, 16, 16]);
}

#[test]
fn a_network_like_the_papers_agrees() {
    let config = UNetConfig {
        channels: vec![32, 64, 64],
        embedding: 64,
        patch: 1,
        skips: Skips::Block,
        blocks: vec![2; 3],
        groups: 8,
        ..UNetConfig::paper(2, [Padding::Pole, Padding::Circular])
    };
    denoisers_agree("block skips", &config, [1, 12, 20]);
}

#[test]
fn towers_and_video_models_agree() {
    let device = Device::flex();
    let config = UNetConfig {
        out_channels: 6,
        ..UNetConfig::vorticity(HistoryTower::in_channels(true), 0)
    };
    let net = awake(HistoryTower::new(&config, &device), &device);
    let history = field([2, 4, 16, 16], 3);
    let season = [Some(0.3)];
    let plain = net.forecast(history.clone(), &[2], &season, None);
    let fast = net
        .compiled(&config)
        .forecast(history.clone(), &[2], &season, None);
    agrees("tower", fast.mean, plain.mean);
    agrees("maps", fast.maps.expect("maps"), plain.maps.expect("maps"));

    let config = UNetConfig::vorticity(8, 64);
    let net = awake(VideoDenoiser::new(&config, 0.5, &device), &device);
    let x = field([2, 1, 16, 16], 4);
    let seen = net.condition(history, &[1], &[None]);
    let plain = net.denoise(x.clone(), 2.0, seen.clone());
    agrees("video", net.compiled(&config).denoise(x, 2.0, seen), plain);
}

#[test]
fn logits_and_gradients_of_encoders_agree() {
    let device = Device::flex();
    for (padding, increments, [ny, nx]) in [
        ([Padding::Circular; 2], true, [16, 16]),
        ([Padding::Zeros, Padding::Circular], false, [24, 40]),
        ([Padding::Pole, Padding::Circular], true, [8, 16]),
    ] {
        let config = EncoderConfig {
            padding,
            increments,
            channels: vec![16, 24, 40],
            groups: 4,
            ..EncoderConfig::vorticity()
        };
        let net = awake(Encoder::new(&config, &device), &device);
        let (x, history) = (field([3, 1, ny, nx], 1), field([3, 4, ny, nx], 2));
        let sigma = Tensor::<1>::full([3], 0.6, &device);
        let judge = |net: &Encoder| {
            let (logits, gradient) =
                net.logits_and_gradient(x.clone(), history.clone(), &[0, 2, 3], sigma.clone());
            (logits.reshape([3, 1, 1, 1]), gradient)
        };
        let plain = judge(&net);
        let compiled = judge(&net.compiled(&config));
        agrees(&format!("logits {padding:?}"), compiled.0, plain.0);
        agrees(&format!("gradient {padding:?}"), compiled.1, plain.1);
    }
}

/// The shipped networks themselves, on the grids that they were trained on.
#[test]
fn shipped_networks_agree() {
    let device = Device::flex();
    for name in ["vorticity", "precipitation"] {
        let model = crate::model::Model::open(name).expect("a shipped model");
        let card = &model.card;
        let [ny, nx] = card.denoiser.network.position.unwrap_or([64, 64]);
        let (x, history) = (field([1, 1, ny, nx], 1), field([1, 4, ny, nx], 2));
        let load = |bytes: &Option<Cow<'static, [u8]>>| bytes.clone().expect("weights");
        let fresh = Denoiser::new(&card.denoiser.network, 0.5, &device);
        let net = weights::load(fresh, &model.denoiser, name, &device).expect("loads");
        let plain = net.denoise(x.clone(), 0.5);
        let fast = net.compiled(&card.denoiser.network);
        agrees(
            &format!("{name} denoiser"),
            fast.denoise(x.clone(), 0.5),
            plain,
        );

        let t = card.two_tower.as_ref().expect("a tower");
        let fresh = HistoryTower::new(&t.network, &device);
        let net = weights::load(fresh, &load(&model.tower), name, &device).expect("loads");
        let plain = net.forward(history.clone(), &[3]);
        let fast = net.compiled(&t.network).forward(history.clone(), &[3]);
        agrees(&format!("{name} tower"), fast, plain);

        let v = card.video.as_ref().expect("a video model");
        let fresh = VideoDenoiser::new(&v.network, 0.5, &device);
        let net = weights::load(fresh, &load(&model.video), name, &device).expect("loads");
        let seen = net.condition(history.clone(), &[3], &[None]);
        let plain = net.denoise(x.clone(), 2.0, seen.clone());
        let fast = net.compiled(&v.network).denoise(x.clone(), 2.0, seen);
        agrees(&format!("{name} video"), fast, plain);

        let e = card.encoder.as_ref().expect("an encoder");
        let net = Encoder::new(&e.network, &device);
        let net = weights::load(net, &load(&model.encoder), name, &device).expect("loads");
        let judge = |net: &Encoder| {
            let sigma = Tensor::<1>::full([1], 0.5, &device);
            let (l, g) = net.logits_and_gradient(x.clone(), history.clone(), &[3], sigma);
            (l.reshape([1, 1, 1, 1]), g)
        };
        let plain = judge(&net);
        let fast = judge(&net.compiled(&e.network));
        agrees(&format!("{name} logit"), fast.0, plain.0);
        agrees(&format!("{name} gradient"), fast.1, plain.1);
    }
}
