//! A [`Series`] to a NetCDF file (classic format; CF conventions).
//!
//! Dimensions `member, time, y, x`; one float32 variable; coordinates `member`, `time`, `y`, `x`. The solver's world has
//! no SI units: values are in powers of the solver's time unit, so `units` is "1", and `long_name` says so.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use netcdf_writer::{NcAttrValue, NcFileBuilder, NcWriteOptions, VariableId};

use super::files::write_atomically;
use super::series::Series;
use crate::error::{Result, UserError};

/// Writes a run file. The same series gives the same bytes.
///
/// # Errors
/// A series without frames or of the wrong length, or a place that cannot be written.
pub fn write_series(path: &Path, series: &Series) -> Result<()> {
    let failed = |cause: String| {
        UserError::new(
            format!("Cannot write {}", path.display()),
            cause,
            "Write fewer frames, or report this with the command you used",
        )
    };
    let expected = series.members * series.frames * series.grid.len();
    if expected == 0 || series.values.len() != expected {
        return Err(failed(format!(
            "the series has {} values for {} members of {} frames of {} x {} cells",
            series.values.len(),
            series.members,
            series.frames,
            series.grid.ny,
            series.grid.nx
        )));
    }
    // The crate is young: a panic in it must not take the window along.
    let builder = catch_unwind(AssertUnwindSafe(|| build(series)))
        .map_err(|_| failed("the NetCDF encoder failed".into()))?
        .map_err(|error| failed(error.to_string()))?;
    write_file(path, &builder)
}

/// Writes a file that was put together.
///
/// # Errors
/// A place that cannot be written.
pub(crate) fn write_file(path: &Path, builder: &NcFileBuilder) -> Result<()> {
    write_atomically(path, |file| {
        let written = catch_unwind(AssertUnwindSafe(|| {
            builder.write(file, NcWriteOptions::default())
        }));
        match written {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(netcdf_writer::Error::Io(error))) => Err(error),
            Ok(Err(error)) => Err(io::Error::other(error.to_string())),
            Err(_) => Err(io::Error::other("the NetCDF encoder failed")),
        }
    })
}

fn text(value: &str) -> NcAttrValue {
    NcAttrValue::Chars(value.to_owned())
}

fn build(series: &Series) -> netcdf_writer::Result<NcFileBuilder> {
    let grid = series.grid;
    let mut file = NcFileBuilder::new();
    let member = file.add_dimension("member", series.members as u64)?;
    let time = file.add_dimension("time", series.frames as u64)?;
    let y = file.add_dimension("y", grid.ny as u64)?;
    let x = file.add_dimension("x", grid.nx as u64)?;

    let version = env!("CARGO_PKG_VERSION");
    let command = series.history.as_deref().unwrap_or("eddyscope");
    for (name, value) in [
        ("Conventions", "CF-1.11".to_owned()),
        (
            "title",
            format!(
                "{} of two-dimensional turbulence on a doubly periodic box",
                series.variable
            ),
        ),
        ("source", format!("eddyscope {version}")),
        ("history", format!("eddyscope {version}: {command}")),
    ] {
        file.add_attribute(name, text(&value))?;
    }
    if let Some(recipe) = &series.recipe {
        file.add_attribute("recipe", text(recipe))?;
    }
    let start_frames = NcAttrValue::Ints(vec![series.start_frames as i32]);
    file.add_attribute("start_frames", start_frames.clone())?;

    let describe = |file: &mut NcFileBuilder, variable: VariableId, attributes: &[(&str, &str)]| {
        attributes
            .iter()
            .try_for_each(|&(name, value)| file.add_variable_attribute(variable, name, text(value)))
    };

    let values = file.add_variable::<f32>(&series.variable, &[member, time, y, x])?;
    let long_name = match series.units.as_str() {
        "1" => format!("{}, in 1 / (time unit of the solver)", series.variable),
        _ => series.variable.clone(),
    };
    describe(
        &mut file,
        values,
        &[("long_name", &long_name), ("units", &series.units)],
    )?;
    file.write_variable(values, &series.values)?;

    let members = file.add_variable::<i32>("member", &[member])?;
    describe(
        &mut file,
        members,
        &[
            ("standard_name", "realization"),
            ("long_name", "ensemble member"),
            ("units", "1"),
        ],
    )?;
    let numbers: Vec<i32> = (0..series.members as i32).collect();
    file.write_variable(members, &numbers)?;

    let times = file.add_variable::<f64>("time", &[time])?;
    describe(
        &mut file,
        times,
        &[
            ("long_name", "time, in the solver's unit"),
            ("units", "1"),
            ("axis", "T"),
        ],
    )?;
    file.add_variable_attribute(times, "start_frames", start_frames)?;
    // Without a known interval the frames are counted.
    let step = if series.frame_interval.is_finite() {
        series.frame_interval
    } else {
        1.0
    };
    let numbers: Vec<f64> = (0..series.frames)
        .map(|n| series.t0 + step * n as f64)
        .collect();
    file.write_variable(times, &numbers)?;

    for (name, dimension, size, axis) in [("y", y, grid.ny, "Y"), ("x", x, grid.nx, "X")] {
        let coordinate = file.add_variable::<f64>(name, &[dimension])?;
        describe(
            &mut file,
            coordinate,
            &[
                (
                    "long_name",
                    &format!("{name} coordinate, in the solver's unit (box side 2 pi)"),
                ),
                ("units", "1"),
                ("axis", axis),
            ],
        )?;
        let numbers: Vec<f64> = (0..size).map(|i| grid.coordinate(i)).collect();
        file.write_variable(coordinate, &numbers)?;
    }
    Ok(file)
}
