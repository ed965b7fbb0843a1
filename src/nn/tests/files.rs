//! Weights to files and back, and files that do not fit.

use burn::tensor::Device;

use super::super::{HistoryTower, UNetConfig, weights};

fn small() -> UNetConfig {
    UNetConfig {
        channels: vec![8, 16],
        blocks: vec![1, 1],
        up_blocks: vec![1],
        attention: vec![false, true],
        ..UNetConfig::vorticity(7, 0)
    }
}

#[test]
fn half_precision_round_trip() {
    let device = Device::flex();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("tower.safetensors");
    let net = HistoryTower::seeded(&small(), 3, &device);
    weights::save_f16(&net, &path).expect("saved");
    let bytes = std::fs::read(&path).expect("read");
    let loaded = weights::load(
        HistoryTower::new(&small(), &device),
        &bytes,
        "tower",
        &device,
    )
    .expect("loaded");
    let rounded: Vec<f32> = weights::flat(&net)
        .into_iter()
        .map(|v| half::f16::from_f32(v).to_f32())
        .collect();
    assert_eq!(weights::flat(&loaded), rounded);
    let names: Vec<String> = weights::parameters(&net)
        .into_iter()
        .map(|p| p.name)
        .collect();
    assert!(
        names.contains(&"unet.trunk.levels.1.blocks.0.conv1.weight".to_owned()),
        "{names:?}"
    );
}

#[test]
fn files_that_do_not_fit_are_refused() {
    let device = Device::flex();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("tower.safetensors");
    weights::save_f16(&HistoryTower::new(&small(), &device), &path).expect("saved");
    let bytes = std::fs::read(&path).expect("read");
    let refuse = |config: &UNetConfig, bytes: &[u8], word: &str| {
        let error = weights::load(HistoryTower::new(config, &device), bytes, "tower", &device)
            .expect_err(word);
        assert!(error.cause.contains(word), "{error}");
    };
    refuse(&small(), &bytes[..bytes.len() / 2], "whole safetensors");
    refuse(&small(), b"", "whole safetensors");
    let wider = UNetConfig {
        channels: vec![8, 24],
        ..small()
    };
    refuse(&wider, &bytes, "shape");
    let more = UNetConfig {
        blocks: vec![1, 2],
        ..small()
    };
    refuse(&more, &bytes, "no tensor named");
    let fewer = UNetConfig {
        attention: vec![false, false],
        ..small()
    };
    refuse(&fewer, &bytes, "does not have");
    let missing = weights::save_f16(
        &HistoryTower::new(&small(), &device),
        &folder.path().join("none/x"),
    );
    assert!(missing.is_err());
}
