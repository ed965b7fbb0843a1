//! How near the solvers come to the exact end of the same noise, with the shipped vorticity model.

// Helpers outside of a #[test] function may unwrap here too.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::Command;

use eddyscope::data::read_series;

/// The first frames of four members from one seed.
fn frames(folder: &Path, strength: &str, solver: &str, steps: &str, more: &[&str]) -> Vec<f32> {
    let out = Command::new(env!("CARGO_BIN_EXE_eddyscope"))
        .current_dir(folder)
        .args(["rollout", "--frames", "1", "--members", "4", "--seed", "3"])
        .args(["--guidance", strength, "--solver", solver, "--steps", steps])
        .args(more)
        .args(["--model", "vorticity", "--device", "cpu", "--out", "run.nc"])
        .output()
        .unwrap();
    let err = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{err}");
    let run = read_series(&folder.join("run.nc"), None).unwrap();
    (0..run.members)
        .flat_map(|member| run.frame(member, run.frames - 1).unwrap().to_vec())
        .collect()
}

/// In units of the spread of the next frame: the standard deviation of what the two-tower cannot forecast, .27 of the data's.
const SPREAD: f64 = 0.27 * 3.28;

/// Root mean square difference in units of [`SPREAD`].
fn apart(a: &[f32], b: &[f32]) -> f64 {
    let squares = a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2));
    (squares.sum::<f64>() / a.len() as f64).sqrt() / SPREAD
}

/// A frame is a function of its noise, whatever the solver.
#[test]
fn the_flow_with_six_evaluations_is_nearer_than_dpm_with_ten() {
    let dir = tempfile::tempdir().unwrap();
    println!("distance to the exact frame | flow 3, 4, 6, 8 | dpm 6, 10, 20 | dpm3 10 | unipc 10");
    for strength in ["0", "0.5", "1", "1.5", "2"] {
        let of = |solver: &str, steps: &str| frames(dir.path(), strength, solver, steps, &[]);
        let exact = of("flow", "60");
        // Another solver comes to the same place.
        let other = apart(&of("dpm", "200"), &exact);
        assert!(other < 0.04, "lambda {strength}: {other}");
        let distance = |solver: &str, steps: &str| apart(&of(solver, steps), &exact);
        let flow = ["3", "4", "6", "8"].map(|n| distance("flow", n));
        let dpm = ["6", "10", "20"].map(|n| distance("dpm", n));
        let [dpm3, unipc] = ["dpm3", "unipc"].map(|solver| distance(solver, "10"));
        println!(
            "lambda {strength} (dpm 200: {other:.4}) | {flow:.4?} | {dpm:.4?} | {dpm3:.4} | {unipc:.4}"
        );
        assert!(flow[2] < dpm[1], "lambda {strength}: {flow:?} {dpm:?}");
        assert!(
            flow[3] < 0.5 * dpm[1],
            "lambda {strength}: {flow:?} {dpm:?}"
        );
    }
}

/// Where the six levels of a frame lie: the default is as good as any other choice, but for a factor of two.
#[test]
fn the_default_levels_are_as_good_as_others() {
    let dir = tempfile::tempdir().unwrap();
    for strength in ["0", "1"] {
        let exact = frames(dir.path(), strength, "flow", "60", &[]);
        let mut best = f64::INFINITY;
        println!("lambda {strength}: distance at sigma-min .003, .006, .012, .024");
        for first in ["2", "4", "8", "16", "32"] {
            let row = ["0.003", "0.006", "0.012", "0.024"].map(|min| {
                let more = ["--sigma-first", first, "--sigma-min", min];
                apart(&frames(dir.path(), strength, "flow", "6", &more), &exact)
            });
            println!("sigma-first {first}: {row:.4?}");
            best = row.into_iter().fold(best, f64::min);
        }
        let usual = apart(&frames(dir.path(), strength, "flow", "6", &[]), &exact);
        assert!(usual < 2.0 * best, "lambda {strength}: {usual} {best}");
    }
}
