//! The page of a study, and its files.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::json;

use super::config::StudyConfig;
use super::figure;
use super::lab::make_folder;
use super::results::{Results, short};
use crate::error::Result;
use crate::nn::weights::write_atomically;

/// Writes `NAME.md`, `NAME.svg`, `results.json` and a CSV a table into a folder.
///
/// # Errors
/// A folder that cannot be written.
pub fn write(
    out: &Path,
    name: &str,
    config: &StudyConfig,
    results: &Results,
    quick: bool,
) -> Result<()> {
    make_folder(&out.join("results.json"))?;
    let json = json!({
        "study": name,
        "version": env!("CARGO_PKG_VERSION"),
        "quick": quick,
        "config": config,
        "results": results,
    });
    let text = serde_json::to_string_pretty(&json).unwrap_or_default();
    write_atomically(&out.join("results.json"), text.as_bytes())?;
    for table in &results.tables {
        let file = out.join(format!("{}.csv", table.name));
        write_atomically(&file, table.csv().as_bytes())?;
    }
    let picture = figure::svg(name, results);
    if let Some(svg) = &picture {
        write_atomically(&out.join(format!("{name}.svg")), svg.as_bytes())?;
    }
    let page = markdown(name, config, results, quick, picture.is_some());
    write_atomically(&out.join(format!("{name}.md")), page.as_bytes())
}

/// The page.
pub fn markdown(
    name: &str,
    config: &StudyConfig,
    results: &Results,
    quick: bool,
    figure: bool,
) -> String {
    let mut page = format!(
        "# {}\n\n{}\n\n## What was found\n\n",
        results.title, results.question
    );
    if quick {
        page.push_str("A quick look: a twelfth of the training, few and short rollouts.\n\n");
    }
    for finding in &results.findings {
        let _ = writeln!(page, "- {finding}");
    }
    if figure {
        let _ = writeln!(page, "\n![{}]({name}.svg)", results.title);
    }
    for table in &results.tables {
        let _ = write!(
            page,
            "\n## {}\n\n{}\n\n{}",
            heading(&table.name),
            table.caption,
            table.markdown()
        );
    }
    if !results.trainings.is_empty() {
        page.push_str("\n## Trainings\n\n| network | parameters | steps | seconds | validation loss |\n|---|---|---|---|---|\n");
        for f in &results.trainings {
            let _ = writeln!(
                page,
                "| {} | {} | {} | {:.0} | {} |",
                f.name,
                f.parameters,
                f.steps,
                f.seconds,
                short(f.validation_loss)
            );
        }
    }
    match (&config.lab, &results.made_of) {
        (Some(lab), _) => {
            let d = lab.data;
            let _ = write!(
                page,
                "\nGrid {0} x {0}, {1} runs of {2} frames ({3} of the runs kept from training), seed {4}, one seed of each network",
                lab.side, d.runs, d.frames, d.validation_runs, config.seed,
            );
        }
        (None, Some(what)) => {
            let _ = write!(page, "\n{what}");
        }
        (None, None) => {
            let _ = write!(page, "\nSeed {}", config.seed);
        }
    }
    let _ = write!(
        page,
        ": differences of a few percent are not evidence.\n\nMade by\n\n    eddyscope study {name}{} --out DIR\n",
        if quick { " --quick" } else { "" },
    );
    page
}

fn heading(name: &str) -> String {
    let mut letters = name.chars();
    let first = letters.next().map(|c| c.to_uppercase().to_string());
    format!(
        "{}{}",
        first.unwrap_or_default(),
        letters.as_str().replace('-', " ")
    )
}
