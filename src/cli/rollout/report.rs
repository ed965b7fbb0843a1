//! What is said of a finished run.

use serde_json::{Value, json};

use crate::error::{Result, UserError};
use crate::rollout::engine::Engine;
use crate::rollout::headless::HeadlessRun;

use super::args::RolloutArgs;

/// A number, or null where there is none.
pub(super) fn number(v: f64) -> Value {
    if v.is_finite() { json!(v) } else { Value::Null }
}

/// A list of numbers.
pub(super) fn list(values: &[f64]) -> Vec<Value> {
    values.iter().map(|v| number(*v)).collect()
}

/// A blow-up as JSON.
pub(super) fn blow_up(found: &Option<(usize, String)>) -> Value {
    match found {
        None => Value::Null,
        Some((frame, what)) => json!({"frame": frame, "what": what}),
    }
}

/// Prints the figures of turbulence; returns the exit code.
pub(super) fn report(args: &RolloutArgs, engine: &Engine, run: &HeadlessRun) -> Result<u8> {
    let generated = run.frame_seconds.len();
    let seconds = median(&run.frame_seconds);
    let truth = &engine.card.truth;
    let f = &run.figures;
    let object = json!({
        "frames": generated,
        "members": run.series.members,
        "guidance": run.strength,
        "frames_per_second": number(1.0 / seconds),
        "seconds_per_frame": number(seconds),
        "guidance_share": number(run.guidance_share),
        "device": engine.compute.name,
        "acf": list(&f.acf),
        "acf_truth": list(&truth.acf),
        "acf_mae": number(run.acf_mae(&truth.acf)),
        "std_ratio": number(f.std_ratio),
        "spectrum_error": number(run.spectrum_error),
        "dynamics_skill": number(f.dynamics_skill),
        "dynamics_skill_truth": number(truth.dynamics_skill),
        "a": number(f.a),
        "residual": number(f.residual),
        "residual_truth": number(truth.residual),
        "kurtosis": number(run.kurtosis),
        "kurtosis_truth": number(truth.kurtosis),
        "blow_up": blow_up(&run.blow_up),
        "interrupted": run.interrupted,
        "out": args.out,
    });
    if args.json {
        println!("{object}");
    } else {
        println!(
            "{generated} frames of {} members in {}",
            run.series.members,
            args.out.display()
        );
        speed(seconds, &engine.compute.name, run.guidance_share);
        println!("                       run    truth");
        let row = |name: &str, a: f64, b: f64| println!("  {name:<17} {a:>7.3}  {b:>7.3}");
        row("autocorr. lag 1", f.acf[1], truth.acf[1]);
        row("dynamics skill", f.dynamics_skill, truth.dynamics_skill);
        row("a", f.a, 1.0);
        row("residual", f.residual, truth.residual);
        row("std ratio", f.std_ratio, 1.0);
        println!(
            "  acf error {:.4} (lags 1-10), spectrum error {:.4} (shells 1-20)",
            run.acf_mae(&truth.acf),
            run.spectrum_error
        );
    }
    Ok(code(args, run.strength, &run.blow_up, run.interrupted))
}

/// The line that says how fast it went, if anything was made.
pub(super) fn speed(seconds: f64, device: &str, guidance_share: f64) {
    if seconds.is_nan() {
        return;
    }
    println!(
        "  {:.2} frames/s on {device} ({:.0} % of it in the discriminator)",
        1.0 / seconds,
        100.0 * guidance_share
    );
}

/// Exit code; says on standard error why a run ended early.
pub(super) fn code(
    args: &RolloutArgs,
    strength: f32,
    blow_up: &Option<(usize, String)>,
    interrupted: bool,
) -> u8 {
    let out = args.out.display();
    if let Some((frame, what)) = blow_up {
        let error = UserError::new(
            format!("The rollout blew up at generated frame {}", frame + 1),
            format!("guidance strength {strength}: {what}"),
            format!("the frames before it are in {out}; use a smaller --guidance"),
        );
        eprintln!("{error}");
        return 3;
    }
    if interrupted {
        eprintln!("stopped; the frames made so far are in {out}");
        return 3;
    }
    0
}

/// Median; NaN of nothing.
pub(super) fn median(values: &[f64]) -> f64 {
    let mut v = values.to_vec();
    v.sort_by(f64::total_cmp);
    match v.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => v[n / 2],
        n => 0.5 * (v[n / 2 - 1] + v[n / 2]),
    }
}
