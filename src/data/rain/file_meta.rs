//! What one file says of itself: variable, grid, times.

use std::path::Path;

use netcdf_reader::{NcFile, NcVariable};

use super::axes::{Placed, place};
use super::layout::{Dimension, Role, dimensions, text};
use super::source::{damaged, numbers};
use super::times::TimeUnit;
use crate::data::files::cannot_read;
use crate::error::Result;

/// The metadata of one file.
#[derive(Debug, Clone)]
pub(super) struct FileMeta {
    pub long_name: Option<String>,
    pub units: Option<String>,
    /// Distance of two packed values, in the file's unit.
    pub packing: Option<f64>,
    pub dimensions: Vec<Dimension>,
    pub placed: Placed,
    /// First and last longitude, as the file has them.
    pub longitudes: (f64, f64),
    pub time: TimeUnit,
    /// Seconds since 0001-01-01.
    pub stamps: Vec<i64>,
    /// Ends of the interval of each stamp, seconds.
    pub bounds: Option<Vec<(i64, i64)>>,
}

/// Where to get data that this reader takes.
pub(super) const NEEDED: &str = "Give NetCDF files with daily (or finer) precipitation on a latitude-longitude grid that covers the globe";

/// Reads the metadata.
pub(super) fn read(path: &Path, file: &NcFile, name: &str) -> Result<FileMeta> {
    let variables = file.variables().map_err(|e| damaged(path, &e))?;
    let Some(variable) = variables.iter().find(|v| v.name() == name) else {
        let names: Vec<&str> = variables.iter().map(NcVariable::name).collect();
        return Err(cannot_read(
            path,
            format!(
                "it has no variable named {name}; it has: {}",
                names.join(", ")
            ),
            "Name another variable with --variable, or leave out the file",
        ));
    };
    let dimensions = dimensions(variables, variable);
    check_dimensions(path, name, &dimensions)?;

    let coordinate = |role: Role, what: &str| -> Result<(String, Vec<f64>)> {
        let found = dimensions.iter().find(|d| d.role == role);
        let name = found.and_then(|d| d.coordinate.clone()).ok_or_else(|| {
            cannot_read(
                path,
                format!("{name} has no coordinate for its {what}"),
                "Write the file with coordinate variables (lat, lon, time)",
            )
        })?;
        let values = numbers(path, file, &name)?;
        if found.is_some_and(|d| d.size != values.len()) {
            return Err(damaged(
                path,
                &format!("{name} has {} values", values.len()),
            ));
        }
        Ok((name, values))
    };
    let (lat_name, lat) = coordinate(Role::Lat, "rows")?;
    let (_, lon) = coordinate(Role::Lon, "columns")?;
    let bounds_of = |name: &str| -> Option<Vec<f64>> {
        let of = variables.iter().find(|v| v.name() == name)?;
        let bounds = text(of, "bounds")?;
        let shape = variables.iter().find(|v| v.name() == bounds)?.shape();
        let whole = shape.len() == 2 && shape[0] == of.shape().first().copied()? && shape[1] == 2;
        if !whole {
            return None;
        }
        numbers(path, file, &bounds).ok()
    };
    let placed = place(&lat, bounds_of(&lat_name).as_deref(), &lon)
        .map_err(|cause| cannot_read(path, cause, NEEDED))?;

    let time_name = time_variable(path, variables, &dimensions)?;
    let (time, stamps, bounds) = times(path, file, variables, &time_name, bounds_of(&time_name))?;
    let number = |attribute: &str| variable.attribute(attribute).and_then(|a| a.value.as_f64());
    let longitudes = (
        lon.first().copied().unwrap_or(f64::NAN),
        lon.last().copied().unwrap_or(f64::NAN),
    );
    Ok(FileMeta {
        long_name: text(variable, "long_name").or_else(|| text(variable, "standard_name")),
        units: text(variable, "units").or_else(|| text(variable, "GRIB_units")),
        packing: number("scale_factor")
            .map(f64::abs)
            .filter(|s| s.is_finite() && *s > 0.0),
        dimensions,
        placed,
        longitudes,
        time,
        stamps,
        bounds,
    })
}

fn check_dimensions(path: &Path, name: &str, dimensions: &[Dimension]) -> Result<()> {
    let count = |role: Role| dimensions.iter().filter(|d| d.role == role).count();
    if count(Role::Lat) != 1 || count(Role::Lon) != 1 || count(Role::Time) > 1 {
        let names: Vec<&str> = dimensions.iter().map(|d| d.name.as_str()).collect();
        return Err(cannot_read(
            path,
            format!(
                "{name} does not stand on a latitude-longitude grid; its dimensions are ({})",
                names.join(", ")
            ),
            "Regrid it to a regular latitude-longitude grid first, for instance with: cdo remapcon,r360x180 in.nc out.nc",
        ));
    }
    for d in dimensions {
        if d.size == 0 {
            return Err(cannot_read(
                path,
                format!("its dimension {} has length zero: it holds no day", d.name),
                "Check that the program that wrote the file had finished, or leave the file out",
            ));
        }
        let many = d.size > 1 && (d.role == Role::Other || (d.role == Role::Version && d.size > 4));
        if many {
            return Err(cannot_read(
                path,
                format!("{name} has a dimension {} with {} entries", d.name, d.size),
                format!(
                    "Select one entry first, in Python with xarray: ds.isel({}=0)",
                    d.name
                ),
            ));
        }
    }
    let count = dimensions
        .iter()
        .try_fold(1_usize, |p, d| p.checked_mul(d.size));
    if count.is_none_or(|n| n > isize::MAX as usize / 8)
        || dimensions.iter().any(|d| d.size > u32::MAX as usize)
    {
        return Err(damaged(path, &format!("{name} has an impossible size")));
    }
    Ok(())
}

/// Name of the variable with the times: the coordinate of the time dimension, or a scalar where there is no such dimension.
fn time_variable(
    path: &Path,
    variables: &[NcVariable],
    dimensions: &[Dimension],
) -> Result<String> {
    let without = |cause: &str| {
        cannot_read(
            path,
            cause,
            "Write the file with a time coordinate that has units, for instance \"days since 2000-01-01\"",
        )
    };
    match dimensions.iter().find(|d| d.role == Role::Time) {
        Some(d) => d
            .coordinate
            .clone()
            .ok_or_else(|| without("it has no time coordinate")),
        None => variables
            .iter()
            .find(|v| v.ndim() == 0 && text(v, "units").is_some_and(|u| u.contains(" since ")))
            .map(|v| v.name().to_owned())
            .ok_or_else(|| without("it has no time dimension")),
    }
}

type Times = (TimeUnit, Vec<i64>, Option<Vec<(i64, i64)>>);

fn times(
    path: &Path,
    file: &NcFile,
    variables: &[NcVariable],
    name: &str,
    bounds: Option<Vec<f64>>,
) -> Result<Times> {
    let bad =
        |cause: String| cannot_read(path, cause, "Correct the time axis, or leave out the file");
    let variable = variables.iter().find(|v| v.name() == name);
    let attribute = |a: &str| variable.and_then(|v| text(v, a));
    if attribute("climatology").is_some() {
        return Err(cannot_read(
            path,
            "its times are those of a climatology, not of days",
            NEEDED,
        ));
    }
    let units = attribute("units")
        .ok_or_else(|| bad(format!("its time coordinate {name} has no units")))?;
    let unit = TimeUnit::parse(&units, attribute("calendar").as_deref()).map_err(&bad)?;
    let stamps = numbers(path, file, name)?
        .into_iter()
        .enumerate()
        .map(|(i, t)| {
            unit.seconds_of(t).ok_or_else(|| {
                bad(format!(
                    "time {i} of its time axis is {t}, which is no date"
                ))
            })
        })
        .collect::<Result<Vec<i64>>>()?;
    if stamps.is_empty() {
        return Err(bad("its time axis is empty: it holds no day".into()));
    }
    if stamps.iter().any(|&t| unit.before_reform(t)) {
        return Err(bad(
            "it has dates before 1582-10-15 in the mixed Gregorian and Julian calendar".into(),
        ));
    }
    let ends = |b: &[f64]| Some((unit.seconds_of(b[0])?, unit.seconds_of(b[1])?));
    let bounds = bounds.and_then(|b| b.chunks_exact(2).map(ends).collect());
    Ok((unit, stamps, bounds))
}
