//! `eddyscope devices`: what can compute and draw here.

use clap::Args;

use crate::device::{self, DeviceRequest};
use crate::error::Result;

/// List the graphics adapters, and say where a rollout would compute.
#[derive(Debug, Clone, Args)]
pub struct DevicesArgs {
    /// Print one JSON object on standard output
    #[arg(long)]
    pub json: bool,
}

/// Runs the command; returns the exit code.
///
/// # Errors
/// None: a machine without adapters is an answer.
pub fn run(args: &DevicesArgs) -> Result<u8> {
    let adapters = device::adapters();
    let chosen = device::select(DeviceRequest::Auto)?;
    if args.json {
        println!(
            "{}",
            serde_json::json!({
                "adapters": adapters,
                "auto": chosen.name,
                "auto_is_gpu": chosen.is_gpu,
                "note": chosen.note,
            })
        );
        return Ok(0);
    }
    if adapters.is_empty() {
        println!("no graphics adapter found");
    }
    for a in &adapters {
        println!("{}  ({}, {}, {})", a.name, a.kind, a.backend, a.driver);
    }
    println!("--device auto computes on: {}", chosen.name);
    if let Some(note) = &chosen.note {
        println!("  because {note}");
    }
    Ok(0)
}
