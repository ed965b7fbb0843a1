//! Without a command: the window.

use std::path::PathBuf;

use clap::CommandFactory as _;

use crate::app::{self, AppOptions, SmokePlan};
use crate::device::DeviceRequest;
use crate::error::{Result, UserError};

/// What the window is started with.
#[derive(Debug, clap::Args)]
pub struct WindowArgs {
    /// Session, picture, film or data file whose run is restored; frames to start from; or a model folder
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Model name or folder
    #[arg(long)]
    model: Option<String>,
    /// Where the networks run
    #[arg(long, value_enum, default_value = "auto")]
    device: DeviceRequest,
    /// File with start frames
    #[arg(long, value_name = "FILE")]
    start: Option<PathBuf>,
    /// Folder of more lessons (assets/lessons/README.md in the source says how they are written)
    #[arg(long, value_name = "DIR")]
    lessons: Option<PathBuf>,
    /// The window drives itself, writes what it saw into this folder and closes
    #[arg(long, value_name = "DIR", hide = true)]
    smoke: Option<PathBuf>,
    /// Time limit of --smoke, seconds
    #[arg(long, value_name = "SECS", default_value = "180", hide = true)]
    smoke_timeout: u64,
}

/// The command that a word was probably meant to be.
fn near_command(word: &str) -> Option<String> {
    let cli = super::Cli::command();
    let names = cli.get_subcommands().map(|c| c.get_name().to_owned());
    names
        .map(|name| (strsim::jaro_winkler(&name, word), name))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

/// Opens the window and waits until it is closed.
///
/// # Errors
/// A file that is not there; those of [`app::run`].
pub fn run(args: WindowArgs) -> Result<u8> {
    if let Some(file) = args.file.as_ref().filter(|f| !f.exists()) {
        let remedy = match near_command(&file.to_string_lossy()) {
            Some(name) => {
                format!("Did you mean the command: eddyscope {name} (see eddyscope {name} --help)?")
            }
            None => "Check the name; eddyscope --help lists the commands".to_owned(),
        };
        return Err(UserError::new(
            format!("Cannot open {}", file.display()),
            "there is no such file or folder",
            remedy,
        ));
    }
    app::run(AppOptions {
        model: args.model,
        device: args.device,
        open: args.start,
        file: args.file,
        smoke: args.smoke.map(|folder| SmokePlan {
            folder,
            timeout_secs: args.smoke_timeout,
        }),
        lessons: args.lessons,
        memory_mib: 0,
    })
    .map(|()| 0)
}

#[cfg(test)]
mod tests {
    use super::near_command;

    #[test]
    fn a_misspelt_command_is_recognised() {
        for (typed, meant) in [
            ("rolout", Some("rollout")),
            ("simulat", Some("simulate")),
            ("evalute", Some("evaluate")),
            ("benchmark", Some("bench")),
            ("run.nc", None),
            ("/data/x.eddyscope", None),
        ] {
            assert_eq!(near_command(typed).as_deref(), meant, "{typed}");
        }
    }
}
