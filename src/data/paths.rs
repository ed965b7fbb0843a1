//! Names of files as they are typed: files, folders and patterns.

use std::path::{Path, PathBuf};

use crate::error::{Result, UserError};

/// Endings of NetCDF files in a folder.
const ENDINGS: [&str; 4] = ["nc", "nc4", "cdf", "netcdf"];

/// Files from names: a file itself, the NetCDF files of a folder, or what a pattern (`*`, `?`, `[…]`) fits, each in the order
/// of names; a file named twice comes once.
///
/// # Errors
/// A pattern or a folder without files.
pub fn expand_paths<S: AsRef<str>>(names: &[S]) -> Result<Vec<PathBuf>> {
    let mut out: Vec<PathBuf> = Vec::new();
    for name in names {
        let name = name.as_ref();
        let path = Path::new(name);
        let found = if path.is_dir() {
            in_folder(path)?
        } else if path.exists() || !name.contains(['*', '?', '[']) {
            // A file that is not there is told when it is opened.
            vec![path.to_owned()]
        } else {
            by_pattern(name)?
        };
        for file in found {
            if !out.contains(&file) {
                out.push(file);
            }
        }
    }
    Ok(out)
}

fn nothing(name: &str, cause: &str) -> UserError {
    UserError::new(
        format!("Cannot find files for {name}"),
        cause,
        "Check the name; put a pattern into quotes, for instance 'era5/tp_*.nc'",
    )
}

fn in_folder(folder: &Path) -> Result<Vec<PathBuf>> {
    let name = folder.display().to_string();
    let entries = std::fs::read_dir(folder).map_err(|e| nothing(&name, &e.to_string()))?;
    let is_netcdf = |p: &PathBuf| {
        let ending = p.extension().unwrap_or_default().to_string_lossy();
        p.is_file() && ENDINGS.contains(&ending.to_ascii_lowercase().as_str())
    };
    let mut files: Vec<PathBuf> = entries
        .filter_map(|e| Some(e.ok()?.path()))
        .filter(is_netcdf)
        .collect();
    files.sort();
    match files.is_empty() {
        true => Err(nothing(&name, "the folder holds no NetCDF file")),
        false => Ok(files),
    }
}

fn by_pattern(pattern: &str) -> Result<Vec<PathBuf>> {
    let entries = glob::glob(pattern).map_err(|e| nothing(pattern, e.msg))?;
    let mut files: Vec<PathBuf> = entries
        .filter_map(|e| e.ok())
        .filter(|p| p.is_file())
        .collect();
    files.sort();
    match files.is_empty() {
        true => Err(nothing(pattern, "no file fits the pattern")),
        false => Ok(files),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_folders_and_patterns() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.nc", "a.nc", "c.txt", "d[1].nc"] {
            std::fs::write(folder.path().join(name), "x").unwrap();
        }
        let at = |name: &str| folder.path().join(name);
        let text = |name: &str| at(name).display().to_string();
        assert_eq!(
            expand_paths(&[text("")]).unwrap(),
            [at("a.nc"), at("b.nc"), at("d[1].nc")]
        );
        assert_eq!(
            expand_paths(&[text("?.nc"), text("a.nc")]).unwrap(),
            [at("a.nc"), at("b.nc")]
        );
        assert_eq!(
            expand_paths(&[text("d[1].nc")]).unwrap(),
            [at("d[1].nc")],
            "a file whose name looks like a pattern"
        );
        assert_eq!(expand_paths(&[text("no.nc")]).unwrap(), [at("no.nc")]);
        assert!(
            expand_paths(&[text("x*.nc")])
                .unwrap_err()
                .cause
                .contains("no file fits")
        );
        let empty = tempfile::tempdir().unwrap();
        assert!(expand_paths(&[empty.path().display().to_string()]).is_err());
    }
}
