//! The program in the menu of a freedesktop desktop: desktop file, icon and kind of file, in the user's own folders.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::data::files::write_atomically;
use crate::error::{Result, UserError};

const DESKTOP: &str = include_str!("../../assets/eddyscope.desktop");
const MIME: &str = include_str!("../../assets/eddyscope-mime.xml");
const ICON: &[u8] = include_bytes!("../../assets/icon.png");

/// Where to put the files.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  eddyscope desktop              put eddyscope into the menu of the desktop (Linux, BSD)
  eddyscope desktop --remove     take it out again")]
pub struct DesktopArgs {
    /// Folder for data files; without it $XDG_DATA_HOME or ~/.local/share
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Remove the files again
    #[arg(long)]
    remove: bool,
}

/// Writes or removes the files.
///
/// # Errors
/// No home folder, or a folder that cannot be written.
pub fn run(args: &DesktopArgs) -> Result<u8> {
    let folder = match &args.folder {
        Some(folder) => folder.clone(),
        None => data_folder()?,
    };
    let program = std::env::current_exe().map_err(|e| {
        UserError::new(
            "Cannot tell where this program lies",
            e,
            "Copy assets/eddyscope.desktop by hand",
        )
    })?;
    let files = [
        (
            "applications/eddyscope.desktop",
            entry(&program).into_bytes(),
        ),
        ("icons/hicolor/256x256/apps/eddyscope.png", ICON.to_vec()),
        ("mime/packages/eddyscope.xml", MIME.as_bytes().to_vec()),
    ];
    for (name, bytes) in files {
        let path = folder.join(name);
        if args.remove {
            match std::fs::remove_file(&path) {
                Ok(()) => println!("removed {}", path.display()),
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
                Err(e) => {
                    return Err(UserError::new(
                        format!("Cannot remove {}", path.display()),
                        e,
                        "Remove it by hand",
                    ));
                }
            }
            continue;
        }
        let parent = path.parent().unwrap_or(&folder);
        std::fs::create_dir_all(parent).map_err(|e| {
            UserError::new(
                format!("Cannot make the folder {}", parent.display()),
                e,
                "Choose another folder with --folder",
            )
        })?;
        write_atomically(&path, |out| out.write_all(&bytes))?;
        println!("wrote {}", path.display());
    }
    Ok(0)
}

fn data_folder() -> Result<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty());
    set("XDG_DATA_HOME")
        .map(PathBuf::from)
        .or_else(|| set("HOME").map(|h| PathBuf::from(h).join(".local/share")))
        .ok_or_else(|| {
            UserError::new(
                "Cannot tell where to put the files",
                "neither XDG_DATA_HOME nor HOME is set",
                "Name a folder with --folder",
            )
        })
}

/// The desktop file with the whole path of the program, in quotes as its format wants them.
fn entry(program: &Path) -> String {
    let mut quoted = String::from("\"");
    for c in program.display().to_string().chars() {
        if matches!(c, '"' | '`' | '$' | '\\') {
            // Once for the argument, once for the string.
            quoted.push_str("\\\\");
        }
        if c == '%' {
            quoted.push('%');
        }
        quoted.push(c);
    }
    quoted.push('"');
    DESKTOP
        .lines()
        .filter(|line| !line.starts_with("TryExec="))
        .map(|line| match line.strip_prefix("Exec=eddyscope") {
            Some(rest) => format!("Exec={quoted}{rest}\n"),
            None => format!("{line}\n"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_put_and_removed() {
        let folder = tempfile::tempdir().unwrap();
        let args = |remove| DesktopArgs {
            folder: Some(folder.path().to_owned()),
            remove,
        };
        assert_eq!(run(&args(false)).unwrap(), 0);
        let file = folder.path().join("applications/eddyscope.desktop");
        let text = std::fs::read_to_string(&file).unwrap();
        let program = std::env::current_exe().unwrap();
        assert!(text.contains(&format!("Exec=\"{}\" open %f", program.display())));
        assert_eq!(run(&args(true)).unwrap(), 0);
        assert!(!file.exists());
        assert!(entry(Path::new("/a 100%/b")).contains("Exec=\"/a 100%%/b\" open %f"));
    }
}
