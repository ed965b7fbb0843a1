//! Weights of an earlier PyTorch experiment, for comparing the networks number by number.
//!
//! Its file holds both networks under the prefixes `denoiser.` and `tower.`, with short names; nothing of it is shipped.

use burn::module::Module;
use burn::tensor::Device;

use super::config::UNetConfig;
use super::denoiser::Denoiser;
use super::tower::HistoryTower;
use super::weights::{self, Tensors, assign};
use crate::error::Result;

/// Both networks from the bytes of `weights.safetensors`.
///
/// # Errors
/// If the file is not complete or has other names.
pub fn load(bytes: &[u8], device: &Device) -> Result<(Denoiser, HistoryTower)> {
    let what = "weights.safetensors";
    let file = weights::read(bytes, what)?;
    let denoiser = Denoiser::new(&UNetConfig::vorticity(1, 128), 0.5, device);
    let tower = HistoryTower::new(&UNetConfig::vorticity(7, 0), device);
    Ok((
        fill(denoiser, &file, "denoiser", what, device)?,
        fill(tower, &file, "tower", what, device)?,
    ))
}

fn fill<M: Module>(
    module: M,
    file: &Tensors,
    prefix: &str,
    what: &str,
    device: &Device,
) -> Result<M> {
    let renamed = weights::parameters(&module)
        .iter()
        .filter_map(|p| {
            let theirs = format!("{prefix}.{}", rename(&p.name));
            file.get(&theirs).map(|t| (p.name.clone(), t.clone()))
        })
        .collect();
    assign(module, renamed, what, device)
}

/// Our name of a parameter to the experiment's.
fn rename(name: &str) -> String {
    const NAMES: [(&str, &str); 20] = [
        ("unet.trunk.embedding.linear1", "u.m.0"),
        ("unet.trunk.embedding.linear2", "u.m.2"),
        ("unet.trunk.stem", "u.i"),
        ("unet.trunk.levels.0.blocks.0", "u.d1"),
        ("unet.trunk.levels.1.enter", "u.p1"),
        ("unet.trunk.levels.1.blocks.0", "u.d2"),
        ("unet.trunk.levels.2.enter", "u.p2"),
        ("unet.trunk.levels.2.blocks.0", "u.d3"),
        ("unet.trunk.levels.2.blocks.1", "u.d4"),
        ("unet.trunk.levels.2.attention.norm", "u.at.n"),
        ("unet.trunk.levels.2.attention.qkv", "u.at.q"),
        ("unet.trunk.levels.2.attention.out", "u.at.o"),
        ("unet.up.0.blocks.0", "u.u1"),
        ("unet.up.1.blocks.0", "u.u2"),
        ("unet.norm", "u.on"),
        ("unet.output", "u.o"),
        (".modulation", ".e"),
        (".skip", ".sk"),
        (".scale", ".weight"),
        (".shift", ".bias"),
    ];
    let mut out = name.to_owned();
    for (ours, theirs) in NAMES {
        out = out.replace(ours, theirs);
    }
    for i in ["1", "2"] {
        out = out
            .replace(&format!(".norm{i}"), &format!(".n{i}"))
            .replace(&format!(".conv{i}"), &format!(".c{i}"));
    }
    out
}
