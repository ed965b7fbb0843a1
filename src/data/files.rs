//! Writing a file whole or not at all, and what file errors mean to a person.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

use crate::error::{Result, UserError};

/// The error of a file that could not be read.
pub(super) fn cannot_read(
    path: &Path,
    cause: impl std::fmt::Display,
    remedy: impl Into<String>,
) -> UserError {
    UserError::new(format!("Cannot read {}", path.display()), cause, remedy)
}

/// Reads a whole file.
///
/// # Errors
/// Missing, a folder, no permission, empty: each with its own remedy.
pub(super) fn read_all(path: &Path) -> Result<Vec<u8>> {
    if path.is_dir() {
        return Err(cannot_read(
            path,
            "it is a folder, not a file",
            "Name a file in it",
        ));
    }
    let bytes = fs::read(path).map_err(|error| read_error(path, &error))?;
    if bytes.is_empty() {
        return Err(cannot_read(
            path,
            "the file is empty",
            "Check that the program that wrote it had finished, or write it again",
        ));
    }
    Ok(bytes)
}

/// An input/output error while reading, as a person meets it.
pub(super) fn read_error(path: &Path, error: &io::Error) -> UserError {
    match error.kind() {
        ErrorKind::NotFound => cannot_read(
            path,
            "there is no such file",
            "Check the name and the folder",
        ),
        ErrorKind::PermissionDenied => cannot_read(
            path,
            "you have no permission to read it",
            "Change its permissions, or copy it to a folder of your own",
        ),
        ErrorKind::OutOfMemory => cannot_read(
            path,
            "it does not fit into memory",
            "Cut it down to the frames that are needed",
        ),
        _ => cannot_read(path, error, "Check the disk, or copy the file elsewhere"),
    }
}

pub(super) fn write_error(path: &Path, error: &io::Error) -> UserError {
    let headline = format!("Cannot write {}", path.display());
    let parent = folder_of(path);
    match error.kind() {
        ErrorKind::NotFound => UserError::new(
            headline,
            format!("there is no folder {}", parent.display()),
            "Create the folder first, or write to another one",
        ),
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => UserError::new(
            headline,
            format!(
                "you have no permission to write in the folder {}",
                parent.display()
            ),
            "Write to a folder of your own, for instance with --out",
        ),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => UserError::new(
            headline,
            "the disk is full",
            "Free some space, or write to another disk",
        ),
        _ => UserError::new(headline, error, "Write to another folder"),
    }
}

/// The folder that a path lies in.
fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
        _ => PathBuf::from("."),
    }
}

/// Name of the unfinished file beside `path`.
fn part_of(path: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}.part", std::process::id()));
    folder_of(path).join(name)
}

/// Says before long work whether a file can be written at `path`; leaves nothing behind.
///
/// # Errors
/// No such folder, no permission, or `path` is a folder or a file that must not be changed.
pub fn check_writable(path: &Path) -> Result<()> {
    let headline = || format!("Cannot write {}", path.display());
    if path.file_name().is_none() || path.is_dir() {
        return Err(UserError::new(
            headline(),
            "it is a folder, not a file",
            "Add a file name, for instance run.nc",
        ));
    }
    if fs::metadata(path).is_ok_and(|m| m.permissions().readonly()) {
        return Err(UserError::new(
            headline(),
            "a file of that name is there and is write-protected",
            "Choose another name, or remove the protection",
        ));
    }
    let part = part_of(path);
    File::create(&part).map_err(|error| write_error(path, &error))?;
    fs::remove_file(&part).map_err(|error| write_error(path, &error))
}

/// Writes a file through `write` to a temporary name in the same folder, then renames it: a reader never sees half a
/// file, and an interrupted write leaves the old one.
///
/// # Errors
/// As [`check_writable`], a full disk, or what `write` says.
pub fn write_atomically(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> Result<()> {
    write_beside(path, |part| {
        let mut file = BufWriter::new(File::create(part)?);
        write(&mut file)?;
        file.flush()
    })
}

/// As [`write_atomically`], for writers that open the file themselves: they are given its temporary name.
///
/// # Errors
/// As [`write_atomically`].
pub fn write_beside(path: &Path, write: impl FnOnce(&Path) -> io::Result<()>) -> Result<()> {
    check_writable(path)?;
    let part = part_of(path);
    // What has the name is on the disk.
    let sync = |()| OpenOptions::new().write(true).open(&part)?.sync_all();
    let written = write(&part)
        .and_then(sync)
        .and_then(|()| fs::rename(&part, path));
    written.map_err(|error| {
        // The write error is what matters; that the remains could not be removed adds nothing.
        let _ = fs::remove_file(&part);
        write_error(path, &error)
    })
}
