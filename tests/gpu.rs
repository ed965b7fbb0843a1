//! A frame sampled on a GPU is the frame sampled on the CPU, to rounding.
//!
//! Needs an adapter that computes. A software adapter counts where EDDYSCOPE_SOFTWARE_ADAPTER is set, as in continuous
//! integration; it takes about a minute there. Says so when it is skipped.

// Helpers outside of a #[test] function may unwrap here too.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::Command;

use eddyscope::data::read_series;

fn rollout(folder: &Path, device: &str, out: &str) -> std::process::Output {
    Command::new(env!("CARGO_BIN_EXE_eddyscope"))
        .current_dir(folder)
        .args([
            "rollout", "--frames", "1", "--steps", "3", "--seed", "4", "--json",
        ])
        .args(["--device", device, "--out", out])
        .output()
        .unwrap()
}

#[test]
fn a_frame_from_the_gpu_is_the_frame_from_the_cpu() {
    let dir = tempfile::tempdir().unwrap();
    let gpu = rollout(dir.path(), "gpu", "gpu.nc");
    let err = String::from_utf8_lossy(&gpu.stderr);
    if gpu.status.code() == Some(2) {
        assert!(err.contains("Cannot compute on a GPU"), "{err}");
        println!("skipped: no adapter here computes\n{err}");
        return;
    }
    assert!(gpu.status.success(), "{err}");
    let cpu = rollout(dir.path(), "cpu", "cpu.nc");
    assert!(cpu.status.success());
    let read = |name: &str| read_series(&dir.path().join(name), None).unwrap();
    let (a, b) = (read("gpu.nc"), read("cpu.nc"));
    assert_eq!(a.values.len(), b.values.len());
    let worst = a
        .values
        .iter()
        .zip(&b.values)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f32::max);
    // The data's std is 3.3.
    assert!(worst < 1e-2, "largest difference {worst}");
    println!("largest difference {worst:.1e}");
}
