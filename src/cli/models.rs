//! `eddyscope models`: what is shipped, and what a model's card says.

use clap::Args;

use crate::error::Result;
use crate::model::Model;

/// List the shipped models, or show a model's card.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  eddyscope models
  eddyscope models --card vorticity
  eddyscope models --card ./my-model --json")]
pub struct ModelsArgs {
    /// Print the whole card of this model (name or folder)
    #[arg(long, value_name = "NAME|FOLDER")]
    pub card: Option<String>,
    /// Print JSON on standard output
    #[arg(long)]
    pub json: bool,
}

/// Runs the command; returns the exit code.
///
/// # Errors
/// A model that cannot be opened.
pub fn run(args: &ModelsArgs) -> Result<u8> {
    if let Some(name) = &args.card {
        let model = Model::open(name)?;
        if args.json {
            println!(
                "{}",
                serde_json::json!({"origin": model.origin, "hash": model.hash(), "card": model.card})
            );
        } else {
            print!("{}", model.card.to_toml()?);
        }
        return Ok(0);
    }
    let mut list = Vec::new();
    for name in Model::shipped_names() {
        let model = Model::open(name)?;
        let card = &model.card;
        if args.json {
            list.push(serde_json::json!({
                "name": card.name,
                "description": card.description,
                "hash": model.hash(),
                "weight_bytes": model.weight_bytes(),
                "parameters": card.denoiser.parameters,
                "suggested_history": card.two_tower.as_ref().map(|t| t.suggested_history),
                "suggested_guidance": card.two_tower.as_ref().map(|t| t.suggested_strength),
            }));
            continue;
        }
        println!("{}  {}", card.name, card.description);
        println!(
            "    {} parameters in the image model, {:.1} MB of weights, sha256 {}",
            card.denoiser.parameters,
            model.weight_bytes() as f64 / 1e6,
            &model.hash()[..16]
        );
        if let Some(t) = &card.two_tower {
            println!(
                "    two-tower discriminator: suggested guidance {}, usable up to {}, history length {}",
                t.suggested_strength, t.usable_strength, t.suggested_history
            );
        }
        if let Some(e) = &card.encoder {
            println!(
                "    encoder discriminator: suggested guidance {}",
                e.suggested_strength
            );
        }
        if let Some(v) = &card.video {
            println!(
                "    video model: {} parameters, suggested guidance on top {}",
                v.parameters, v.suggested_strength
            );
        }
        for q in &card.quality {
            if !q.figures.is_empty() {
                let asked: Vec<bool> = q.figures.iter().filter_map(|f| f.holds).collect();
                let held = asked.iter().filter(|h| **h).count();
                println!("    {}: {held} of {} figures hold", q.setting, asked.len());
                for f in q.figures.iter().filter(|f| f.holds.is_some()) {
                    let mark = if f.holds == Some(true) { ' ' } else { '!' };
                    println!(
                        "      {mark} {}: {:.3}, truth {:.3}",
                        f.name, f.run, f.truth
                    );
                }
                continue;
            }
            let figures: Vec<String> = [
                ("acf error", q.acf_mae),
                ("std ratio", q.std_ratio),
                ("a", q.a),
                ("dynamics skill", q.dynamics_skill),
                ("spectrum error", q.spectrum_error),
            ]
            .into_iter()
            .filter_map(|(name, v)| Some(format!("{name} {:.3}", v?)))
            .collect();
            println!("    {}: {}", q.setting, figures.join(", "));
        }
    }
    if args.json {
        println!("{}", serde_json::Value::Array(list));
    }
    Ok(0)
}
