//! One file: opening it lazily, its axes, and slabs of its values.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use netcdf_reader::{FileStorage, NcFile, NcOpenOptions, NcSliceInfo, NcSliceInfoElem};

use super::layout::{Dimension, Role};
use crate::data::files::{cannot_read, read_error};
use crate::error::{Result, UserError};

/// Decoded chunks that one open file may keep, bytes: a map of ERA5 in the chunks that the NetCDF library chooses by itself
/// (some 80 hours deep) is 350 MB. Files in smaller chunks keep less.
const CHUNK_CACHE: usize = 384 << 20;

/// Files that are open at the same time.
const OPEN_FILES: usize = 2;

/// Values read at once, at most (256 MB in double precision).
const SLAB: usize = 32 << 20;

/// Runs what touches the NetCDF crate: anything may be in a file, and a panic in a young crate must become a message.
pub(super) fn guarded<T>(path: &Path, work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        Err(cannot_read(
            path,
            "the file is damaged: its structure contradicts itself",
            "Copy or download the file again, or convert it with: nccopy -k classic old.nc new.nc",
        ))
    })
}

/// The error of a file whose structure does not hold.
pub(super) fn damaged(path: &Path, error: &dyn std::fmt::Display) -> UserError {
    cannot_read(
        path,
        format!("the file is truncated or damaged ({error})"),
        "Copy or download the file again",
    )
}

/// Opens a file without reading its values.
pub(super) fn open(path: &Path) -> Result<NcFile> {
    if path.is_dir() {
        return Err(cannot_read(
            path,
            "it is a folder, not a file",
            "Name the files in it, for instance 'folder/*.nc'",
        ));
    }
    let file = File::open(path).map_err(|e| read_error(path, &e))?;
    let length = file.metadata().map_err(|e| read_error(path, &e))?.len();
    if length == 0 {
        return Err(cannot_read(
            path,
            "the file is empty",
            "Check that the program that wrote it had finished",
        ));
    }
    let mut magic = [0_u8; 8];
    let known = std::io::Read::read(&mut &file, &mut magic).is_ok()
        && (magic.starts_with(b"CDF") || magic.starts_with(b"\x89HDF\r\n\x1a\n"));
    let options = NcOpenOptions {
        chunk_cache_bytes: CHUNK_CACHE,
        // A file may not ask for more than it could hold if deflate did its best (about 1000 to 1).
        max_read_bytes: usize::try_from(length.saturating_mul(1032))
            .unwrap_or(usize::MAX)
            .max(1 << 26),
        ..NcOpenOptions::default()
    };
    let storage = FileStorage::from_file(file).map_err(|e| damaged(path, &e))?;
    NcFile::from_storage_with_options(Arc::new(storage), options).map_err(|error| {
        if known {
            damaged(path, &error)
        } else if magic.starts_with(b"GRIB") {
            cannot_read(
                path,
                "it is GRIB, not NetCDF",
                "Convert it, for instance with: grib_to_netcdf -o out.nc in.grib, or download NetCDF",
            )
        } else {
            cannot_read(
                path,
                "it is not NetCDF (classic or 4)",
                "Name a NetCDF file with daily precipitation on a latitude-longitude grid",
            )
        }
    })
}

/// The values of a 1-D coordinate or of bounds.
pub(super) fn numbers(path: &Path, file: &NcFile, name: &str) -> Result<Vec<f64>> {
    file.read_variable_unpacked_masked(name)
        .map(|values| values.iter().copied().collect())
        .map_err(|e| damaged(path, &e))
}

/// How the values of one file are found.
#[derive(Debug, Clone)]
pub(super) struct Reading {
    pub path: PathBuf,
    pub variable: String,
    pub dimensions: Vec<Dimension>,
    /// Rows and columns of the globe.
    pub ny: usize,
    pub nx: usize,
    pub flip_rows: bool,
    pub flip_columns: bool,
    /// Columns that the file's first one lies east of the globe's first one.
    pub shift: usize,
    /// Member to read.
    pub member: usize,
}

impl Reading {
    /// Rows south to north and columns from the globe's first one of `count` times from `start` on, in the file's units;
    /// NaN where missing.
    pub fn slab(&self, file: &NcFile, start: usize, count: usize) -> Result<Vec<f64>> {
        let span = |start: usize, end: usize| NcSliceInfoElem::Slice {
            start: start as u64,
            end: end as u64,
            step: 1,
        };
        let mut shape = Vec::with_capacity(self.dimensions.len());
        let selections = self
            .dimensions
            .iter()
            .map(|d| {
                let (from, to) = match d.role {
                    Role::Time => (start, start + count),
                    Role::Lat | Role::Version => (0, d.size),
                    // A repeated last column is not read.
                    Role::Lon => (0, self.nx),
                    Role::Member => (self.member, self.member + 1),
                    Role::Other => (0, 1),
                };
                shape.push(to - from);
                span(from, to)
            })
            .collect();
        let values = file
            .read_variable_slice_unpacked_masked(&self.variable, &NcSliceInfo { selections })
            .map_err(|e| damaged(&self.path, &e))?;
        let flat: Vec<f64> = values.iter().copied().collect();
        if flat.len() != shape.iter().product::<usize>() {
            return Err(damaged(&self.path, &"fewer values than announced"));
        }
        self.place(&flat, &shape, count)
            .ok_or_else(|| damaged(&self.path, &"fewer values than announced"))
    }

    /// Orders the values of a slab as the globe has them.
    fn place(&self, flat: &[f64], shape: &[usize], count: usize) -> Option<Vec<f64>> {
        let mut strides = vec![1; shape.len()];
        for d in (1..shape.len()).rev() {
            strides[d - 1] = strides[d] * shape[d];
        }
        let of = |role: Role| {
            let at = self.dimensions.iter().position(|d| d.role == role);
            at.map_or((0, 1), |at| (strides[at], shape[at]))
        };
        let (time, lat, lon) = (of(Role::Time).0, of(Role::Lat).0, of(Role::Lon).0);
        let (version, versions) = of(Role::Version);
        let (ny, nx) = (self.ny, self.nx);
        let mut out = Vec::with_capacity(count * ny * nx);
        for t in 0..count {
            for j in 0..ny {
                let row = if self.flip_rows { ny - 1 - j } else { j };
                for i in 0..nx {
                    let i = (i + nx - self.shift) % nx;
                    let column = if self.flip_columns { nx - 1 - i } else { i };
                    let at = t * time + row * lat + column * lon;
                    // Final and preliminary data side by side: the one that is there.
                    let mut value = f64::NAN;
                    for v in 0..versions {
                        value = *flat.get(at + v * version)?;
                        if present(value) {
                            break;
                        }
                    }
                    out.push(if present(value) { value } else { f64::NAN });
                }
            }
        }
        Some(out)
    }

    /// Times that may be read at once.
    pub fn at_once(&self) -> usize {
        (SLAB / (self.ny * self.nx).max(1)).max(1)
    }
}

/// A value, not a mark for none: NaN, and the default fill values of NetCDF and of GRIB converters, are none.
fn present(value: f64) -> bool {
    !value.is_nan() && value.abs() < 1e19
}

/// The files that are open now; the ones not used for longest are closed.
#[derive(Default)]
pub(super) struct Handles {
    open: Mutex<Vec<(usize, Arc<NcFile>)>>,
}

impl Handles {
    /// The open file of an index.
    pub fn get(&self, index: usize, path: &Path) -> Result<Arc<NcFile>> {
        let mut files = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = files.iter().position(|(i, _)| *i == index) {
            let entry = files.remove(at);
            let file = entry.1.clone();
            files.push(entry);
            return Ok(file);
        }
        let file = Arc::new(open(path)?);
        if files.len() >= OPEN_FILES {
            files.remove(0);
        }
        files.push((index, file.clone()));
        Ok(file)
    }
}
