//! A NetCDF (classic or 4) or .npy file to a [`Series`].

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use netcdf_reader::{NcFile, NcOpenOptions, NcType};

use super::files::{cannot_read, read_all};
use super::npy;
use super::series::Series;
use crate::error::{Result, UserError};
use crate::field::Grid;

/// Values above this are taken for a missing-value mark (NetCDF's own is 9.97e36), not for data.
const LARGEST: f32 = 1e30;

/// What a program that cannot write such a file may do.
const MAKE_ONE: &str = "Make a start file with: eddyscope simulate --frames 8 --out start.nc";

/// Reads frames from a file: `(member, time, y, x)`, `(time, y, x)` or `(y, x)`, f32 or f64 or packed by CF's rules, in
/// NetCDF or .npy. Without a name the variable is `vorticity`, or else the only one with two dimensions or more.
///
/// # Errors
/// Every way in which a file can be unfit, with the file's name and what to do.
pub fn read_series(path: &Path, variable: Option<&str>) -> Result<Series> {
    let bytes = read_all(path)?;
    let mut series = if bytes.starts_with(npy::MAGIC) {
        npy::series_from_bytes(path, &bytes)?
    } else {
        // Anything may be in the file, and the crate is young: a panic in it must become a message.
        catch_unwind(AssertUnwindSafe(|| netcdf(path, bytes, variable))).unwrap_or_else(|_| {
            Err(cannot_read(
                path,
                "the file is damaged: its structure contradicts itself",
                "Write the file again, or convert it with: nccopy -k classic old.nc new.nc",
            ))
        })?
    };
    check_values(path, &series)?;
    series.start_frames = series.start_frames.min(series.frames);
    Ok(series)
}

fn netcdf(path: &Path, bytes: Vec<u8>, name: Option<&str>) -> Result<Series> {
    let truncated = |error: &dyn std::fmt::Display| {
        cannot_read(
            path,
            format!("the file is truncated or damaged ({error})"),
            "Copy or write the file again",
        )
    };
    let size = bytes.len();
    let options = NcOpenOptions {
        max_read_bytes: size.saturating_mul(64).max(1 << 28),
        ..NcOpenOptions::default()
    };
    let known = bytes.starts_with(b"CDF") || bytes.starts_with(b"\x89HDF\r\n\x1a\n");
    let file = NcFile::from_owner(bytes, options).map_err(|error| {
        if known {
            truncated(&error)
        } else {
            cannot_read(
                path,
                "it is neither NetCDF (classic or 4) nor .npy",
                MAKE_ONE,
            )
        }
    })?;
    let variables = file.variables().map_err(|error| truncated(&error))?;
    let fields: Vec<&str> = variables
        .iter()
        .filter(|v| v.ndim() >= 2)
        .map(|v| v.name())
        .collect();
    let listed = || match variables {
        [] => "it has no variables".to_owned(),
        _ => format!(
            "it has: {}",
            variables
                .iter()
                .map(|v| v.name())
                .collect::<Vec<_>>()
                .join(", ")
        ),
    };
    let chosen = match name {
        Some(name) => name,
        None if fields.contains(&"vorticity") => "vorticity",
        None => match fields[..] {
            [only] => only,
            _ => "vorticity",
        },
    };
    let Some(variable) = variables.iter().find(|v| v.name() == chosen) else {
        return Err(cannot_read(
            path,
            format!("the file has no variable named {chosen}; {}", listed()),
            format!(
                "Rename the variable to {chosen}, or make a start file with: eddyscope simulate"
            ),
        ));
    };

    let shape: Vec<usize> = variable
        .shape()
        .iter()
        .map(|&n| usize::try_from(n).unwrap_or(usize::MAX))
        .collect();
    let names: Vec<&str> = variable
        .dimensions()
        .iter()
        .map(|d| d.name.as_str())
        .collect();
    check_order(path, chosen, &names)?;
    let [members, frames, ny, nx] = four_dimensions(path, chosen, &shape, &names)?;

    let marked = ["scale_factor", "add_offset", "_FillValue", "missing_value"]
        .iter()
        .chain(&["valid_min", "valid_max", "valid_range", "_Unsigned"])
        .any(|a| variable.attribute(a).is_some());
    let values: Vec<f32> = match variable.dtype() {
        NcType::Float if !marked => file
            .read_variable::<f32>(chosen)
            .map_err(|error| truncated(&error))?
            .iter()
            .copied()
            .collect(),
        NcType::Char | NcType::String => {
            return Err(cannot_read(
                path,
                format!("the variable {chosen} holds text, not numbers"),
                "Name a variable with numbers, or rename it to vorticity",
            ));
        }
        _ => file
            .read_variable_unpacked_masked(chosen)
            .map_err(|error| truncated(&error))?
            .iter()
            .map(|&v| v as f32)
            .collect(),
    };
    if values.len() != members * frames * ny * nx {
        return Err(truncated(&format!(
            "{} values where {} were announced",
            values.len(),
            members * frames * ny * nx
        )));
    }

    let coordinate = |name: &str| -> Result<Option<Vec<f64>>> {
        match file.variable(name) {
            Ok(v) if v.ndim() == 1 && !matches!(v.dtype(), NcType::Char | NcType::String) => file
                .read_variable_as_f64(name)
                .map(|numbers| Some(numbers.iter().copied().collect()))
                .map_err(|error| truncated(&error)),
            _ => Ok(None),
        }
    };
    let text = |name: &str| file.global_attribute(name).ok()?.value.as_string();
    let time = match shape.len() {
        2 => None,
        _ => coordinate(names[names.len() - 3])?.filter(|t| t.len() == frames),
    };
    let (t0, frame_interval) = time_axis(path, time.as_deref())?;
    let start_frames = file
        .global_attribute("start_frames")
        .ok()
        .and_then(|a| a.value.as_f64())
        .unwrap_or(0.0);
    let units = variable
        .attribute("units")
        .and_then(|a| a.value.as_string())
        .unwrap_or_else(|| "1".into());
    Ok(Series {
        grid: Grid {
            ny,
            nx,
            length: coordinate(names[names.len() - 1])?
                .and_then(|x| side(&x))
                .unwrap_or(std::f64::consts::TAU),
        },
        members,
        frames,
        frame_interval,
        t0,
        values,
        variable: chosen.to_owned(),
        units,
        start_frames: start_frames.clamp(0.0, 1e9) as usize,
        recipe: text("recipe"),
        history: text("history"),
    })
}

/// Side of the periodic box from the coordinate of its equally spaced columns.
fn side(x: &[f64]) -> Option<f64> {
    let (first, last) = (x.first()?, x.last()?);
    let side = (last - first) * x.len() as f64 / (x.len() as f64 - 1.0);
    (side.is_finite() && side > 0.0).then_some(side)
}

/// First time and interval; the interval is NaN where it is not known.
fn time_axis(path: &Path, time: Option<&[f64]>) -> Result<(f64, f64)> {
    let Some(&[first, .., last]) = time else {
        let t0 = time.and_then(|t| t.first().copied());
        return Ok((t0.filter(|t| t.is_finite()).unwrap_or(0.0), f64::NAN));
    };
    let count = time.map_or(0, <[f64]>::len);
    let interval = (last - first) / (count as f64 - 1.0);
    let even = time.unwrap_or_default().windows(2).all(|pair| {
        let step = pair[1] - pair[0];
        step.is_finite() && step > 0.0 && (step - interval).abs() <= 0.01 * interval
    });
    if even {
        Ok((first, interval))
    } else {
        Err(cannot_read(
            path,
            "its times are not equally spaced and increasing",
            "Give frames at equal steps of time, oldest first",
        ))
    }
}

/// What a dimension of this name stands for, as a position in `(member, time, y, x)`.
fn rank(name: &str) -> Option<usize> {
    match name.to_ascii_lowercase().as_str() {
        "member" | "members" | "ensemble" | "realization" | "number" => Some(0),
        "time" | "t" => Some(1),
        "y" | "lat" | "latitude" => Some(2),
        "x" | "lon" | "longitude" => Some(3),
        _ => None,
    }
}

fn check_order(path: &Path, variable: &str, names: &[&str]) -> Result<()> {
    let ranks: Vec<usize> = names.iter().filter_map(|name| rank(name)).collect();
    if ranks.is_sorted() {
        return Ok(());
    }
    let mut sorted = names.to_vec();
    sorted.sort_by_key(|name| rank(name).unwrap_or(0));
    Err(cannot_read(
        path,
        format!(
            "the dimensions of {variable} are ({}), not in the order member, time, y, x",
            names.join(", ")
        ),
        format!(
            "Transpose it, in Python with xarray: ds.transpose({})",
            sorted
                .iter()
                .map(|n| format!("\"{n}\""))
                .collect::<Vec<_>>()
                .join(", ")
        ),
    ))
}

/// Fills up with 1 to `(member, time, y, x)`.
pub(super) fn four_dimensions(
    path: &Path,
    variable: &str,
    shape: &[usize],
    names: &[&str],
) -> Result<[usize; 4]> {
    let four = match *shape {
        [y, x] => [1, 1, y, x],
        [members, y, x] if names.first().and_then(|n| rank(n)) == Some(0) => [members, 1, y, x],
        [time, y, x] => [1, time, y, x],
        [member, time, y, x] => [member, time, y, x],
        _ => {
            return Err(cannot_read(
                path,
                format!(
                    "{variable} has {} dimensions; 2 (y, x), 3 (time, y, x) or 4 (member, time, y, x) are needed",
                    shape.len()
                ),
                "Select the missing or superfluous dimensions before writing the file",
            ));
        }
    };
    let count = four.iter().try_fold(1_usize, |p, &n| p.checked_mul(n));
    if four.contains(&0) {
        return Err(cannot_read(
            path,
            format!("{variable} has no values: its shape is {shape:?}"),
            "Check that the program that wrote the file had finished",
        ));
    }
    if count.is_none_or(|count| count > isize::MAX as usize / 8) {
        return Err(cannot_read(
            path,
            format!("{variable} says it has the shape {shape:?}, which no memory can hold"),
            "The file is damaged: write it again",
        ));
    }
    Ok(four)
}

fn check_values(path: &Path, series: &Series) -> Result<()> {
    let Some(bad) = series
        .values
        .iter()
        .position(|v| !v.is_finite() || v.abs() > LARGEST)
    else {
        return Ok(());
    };
    let cells = series.grid.len();
    let (frame, cell) = (bad / cells, bad % cells);
    let count = series
        .values
        .iter()
        .filter(|v| !v.is_finite() || v.abs() > LARGEST)
        .count();
    Err(UserError::new(
        format!("Cannot use {}", path.display()),
        format!(
            "{count} of its values are missing or not finite, the first at member {}, time {}, row {}, column {}",
            frame / series.frames,
            frame % series.frames,
            cell / series.grid.nx,
            cell % series.grid.nx
        ),
        "Fill the gaps, or leave out the frames that have them",
    ))
}
