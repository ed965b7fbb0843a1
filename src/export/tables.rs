//! Frames as numbers: NetCDF (CF), npy, and the figures as CSV.

use std::io::Write;

use netcdf_writer::{NcAttrValue, NcFileBuilder};

use crate::data::files::write_atomically;
use crate::data::netcdf_write::write_file;
use crate::error::{Result, UserError};
use crate::field::Grid;
use crate::rollout::frame::{FrameSet, LaneFrame};
use crate::rollout::protocol::ModelFacts;
use crate::rollout::settings::LaneKind;

use super::carry::{KEYWORD, sidecar};
use super::plan::{Plan, Watch};

/// A file in memory larger than this is refused.
const LARGEST_BYTES: usize = 2 << 30;

/// Name of a lane in files.
pub fn slug(kind: LaneKind) -> &'static str {
    match kind {
        LaneKind::Truth => "truth",
        LaneKind::Unconditional => "unconditional",
        LaneKind::Guided => "guided",
        LaneKind::Forecaster => "forecaster",
        LaneKind::Video => "video",
        LaneKind::GuidedVideo => "guided_video",
    }
}

/// Values of all members of a lane, NaN where there are none.
fn append(lane: Option<&LaneFrame>, members: usize, cells: usize, out: &mut Vec<f32>) {
    for member in 0..members {
        match lane.and_then(|l| l.members.get(member)) {
            Some(values) if values.len() == cells => out.extend_from_slice(values),
            _ => out.extend(std::iter::repeat_n(f32::NAN, cells)),
        }
    }
}

/// `[lane][member][time][y][x]`, as files hold it.
fn values(plan: &Plan, watch: &Watch) -> Result<Vec<Vec<f32>>> {
    let (facts, members) = (&plan.facts, plan.recipe.rollout.members);
    let cells = facts.shape.0 * facts.shape.1;
    let frames = plan.count();
    let all = plan.lanes.len() * members * frames * cells;
    if all.saturating_mul(4) > LARGEST_BYTES {
        return Err(UserError::new(
            format!("Cannot write {}", plan.path.display()),
            format!("{} MiB of values are too many for one file", all >> 18),
            "Export fewer frames or lanes, or make long runs with: eddyscope rollout --out run.nc",
        ));
    }
    let mut lanes = vec![vec![0.0; members * frames * cells]; plan.lanes.len()];
    let mut row = Vec::new();
    for (n, frame) in plan.numbers().enumerate() {
        watch.step(n, frames)?;
        let set = plan.load(frame)?;
        for (out, kind) in lanes.iter_mut().zip(&plan.lanes) {
            row.clear();
            append(set.lanes[kind.index()].as_ref(), members, cells, &mut row);
            for (member, values) in row.chunks_exact(cells.max(1)).enumerate() {
                let at = (member * frames + n) * cells;
                if let Some(slot) = out.get_mut(at..at + cells) {
                    slot.copy_from_slice(values);
                }
            }
        }
    }
    Ok(lanes)
}

/// A NetCDF file: one variable a lane, `(member, time, y, x)` or `(member, time, lat, lon)`.
pub(super) fn netcdf(plan: &Plan, recipe: &str, watch: &Watch) -> Result<()> {
    let lanes = values(plan, watch)?;
    let first = plan.load(plan.first)?;
    // The crate is young: a panic in it must not take the window along.
    let built = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        build(plan, recipe, &first, &lanes)
    }));
    let failed = |cause: String| {
        UserError::new(
            format!("Cannot write {}", plan.path.display()),
            cause,
            "Export fewer frames, or as npy; if it happens again, report this",
        )
    };
    let builder = built
        .map_err(|_| failed("the NetCDF encoder failed".into()))?
        .map_err(|e| failed(e.to_string()))?;
    drop(lanes);
    write_file(&plan.path, &builder)
}

fn text(value: impl Into<String>) -> NcAttrValue {
    NcAttrValue::Chars(value.into())
}

fn build(
    plan: &Plan,
    recipe: &str,
    first: &FrameSet,
    lanes: &[Vec<f32>],
) -> netcdf_writer::Result<NcFileBuilder> {
    let facts = &plan.facts;
    let (ny, nx) = facts.shape;
    let mut file = NcFileBuilder::new();
    let names = match facts.globe {
        Some(_) => ("lat", "lon"),
        None => ("y", "x"),
    };
    let member = file.add_dimension("member", plan.recipe.rollout.members as u64)?;
    let time = file.add_dimension("time", plan.count() as u64)?;
    let y = file.add_dimension(names.0, ny as u64)?;
    let x = file.add_dimension(names.1, nx as u64)?;
    let version = env!("CARGO_PKG_VERSION");
    for (name, value) in [
        ("Conventions", "CF-1.11".to_owned()),
        (
            "title",
            format!("{} of the model {}", facts.quantity, facts.name),
        ),
        ("source", format!("eddyscope {version}")),
        (
            "history",
            format!("eddyscope {version}: exported from the window"),
        ),
        ("recipe", recipe.to_owned()),
    ] {
        file.add_attribute(name, text(value))?;
    }
    for (kind, values) in plan.lanes.iter().zip(lanes) {
        // A file of one lane can be read as a start.
        let name = match plan.lanes.len() {
            1 => facts.quantity.clone(),
            _ => format!("{}_{}", facts.quantity, slug(*kind)),
        };
        let variable = file.add_variable::<f32>(&name, &[member, time, y, x])?;
        let units = match facts.globe {
            Some(_) => "mm day-1",
            None => "1",
        };
        for (name, value) in [
            ("long_name", long_name(facts, *kind)),
            ("units", units.to_owned()),
        ] {
            file.add_variable_attribute(variable, name, text(value))?;
        }
        file.write_variable(variable, values)?;
    }
    let members = file.add_variable::<i32>("member", &[member])?;
    file.add_variable_attribute(members, "standard_name", text("realization"))?;
    let numbers: Vec<i32> = (0..plan.recipe.rollout.members as i32).collect();
    file.write_variable(members, &numbers)?;

    let times = file.add_variable::<f64>("time", &[time])?;
    let dated = facts.globe.as_ref().zip(first.date);
    let (units, step) = match dated {
        Some((_, date)) => (format!("days since {date} 00:00:00"), 1.0),
        None => ("1".to_owned(), facts.frame_interval),
    };
    file.add_variable_attribute(times, "units", text(units))?;
    file.add_variable_attribute(times, "axis", text("T"))?;
    match dated {
        Some((globe, _)) => {
            file.add_variable_attribute(times, "standard_name", text("time"))?;
            let calendar = globe.calendar.cf_name();
            file.add_variable_attribute(times, "calendar", text(calendar))?;
        }
        None => {
            let name = "time, in the solver's unit";
            file.add_variable_attribute(times, "long_name", text(name))?;
        }
    }
    let begin = if dated.is_some() { 0.0 } else { first.time };
    let numbers: Vec<f64> = plan
        .numbers()
        .map(|n| begin + (n - plan.first) as f64 * step)
        .collect();
    file.write_variable(times, &numbers)?;
    if dated.is_some() {
        // Each frame is the day that begins there.
        let ends = file.add_dimension("bnds", 2)?;
        file.add_variable_attribute(times, "bounds", text("time_bnds"))?;
        let bounds = file.add_variable::<f64>("time_bnds", &[time, ends])?;
        let numbers: Vec<f64> = numbers.iter().flat_map(|t| [*t, t + 1.0]).collect();
        file.write_variable(bounds, &numbers)?;
    }
    coordinates(&mut file, facts, (y, x))?;
    Ok(file)
}

fn long_name(facts: &ModelFacts, kind: LaneKind) -> String {
    let lane = kind.label().to_lowercase();
    match facts.globe {
        Some(_) => format!("{}, {lane} lane", facts.quantity),
        None => format!(
            "{}, {lane} lane, in {} of the solver",
            facts.quantity, facts.units
        ),
    }
}

fn coordinates(
    file: &mut NcFileBuilder,
    facts: &ModelFacts,
    (y, x): (netcdf_writer::DimensionId, netcdf_writer::DimensionId),
) -> netcdf_writer::Result<()> {
    let (ny, nx) = facts.shape;
    let (rows, columns, words) = match &facts.globe {
        Some(globe) => {
            let lon: Vec<f64> = (0..nx).map(|i| globe.grid.lon(i)).collect();
            let words = [
                ("lat", "latitude", "degrees_north", "Y"),
                ("lon", "longitude", "degrees_east", "X"),
            ];
            (globe.grid.lat.clone(), lon, words)
        }
        None => {
            let side = |n: usize| -> Vec<f64> {
                let grid = Grid::periodic(n.max(1));
                (0..n).map(|i| grid.coordinate(i)).collect()
            };
            let words = [
                (
                    "y",
                    "y coordinate, in the solver's unit (box side 2 pi)",
                    "1",
                    "Y",
                ),
                (
                    "x",
                    "x coordinate, in the solver's unit (box side 2 pi)",
                    "1",
                    "X",
                ),
            ];
            (side(ny), side(nx), words)
        }
    };
    for ((dimension, numbers), (name, long, units, axis)) in
        [(y, rows), (x, columns)].into_iter().zip(words)
    {
        let variable = file.add_variable::<f64>(name, &[dimension])?;
        if facts.globe.is_some() {
            file.add_variable_attribute(variable, "standard_name", text(long))?;
        } else {
            file.add_variable_attribute(variable, "long_name", text(long))?;
        }
        file.add_variable_attribute(variable, "units", text(units))?;
        file.add_variable_attribute(variable, "axis", text(axis))?;
        file.write_variable(variable, &numbers)?;
    }
    Ok(())
}

/// A numpy array, `(member, time, y, x)`, with the lanes before that where there are several; its recipe lies beside it.
pub(super) fn npy(plan: &Plan, recipe: &str, watch: &Watch) -> Result<()> {
    let lanes = values(plan, watch)?;
    let (ny, nx) = plan.facts.shape;
    let mut shape = vec![plan.recipe.rollout.members, plan.count(), ny, nx];
    if lanes.len() > 1 {
        shape.insert(0, lanes.len());
    }
    write_atomically(&sidecar(&plan.path), |out| out.write_all(recipe.as_bytes()))?;
    write_atomically(&plan.path, |out| {
        out.write_all(&npy_header(&shape))?;
        for value in lanes.iter().flatten() {
            out.write_all(&value.to_le_bytes())?;
        }
        Ok(())
    })
}

fn npy_header(shape: &[usize]) -> Vec<u8> {
    let shape: Vec<String> = shape.iter().map(usize::to_string).collect();
    let mut text = format!(
        "{{'descr': '<f4', 'fortran_order': False, 'shape': ({}), }}",
        shape.join(", ")
    );
    // The data begin at a multiple of 64 bytes.
    let length = (10 + text.len() + 1).next_multiple_of(64) - 10;
    while text.len() + 1 < length {
        text.push(' ');
    }
    text.push('\n');
    let mut out = b"\x93NUMPY\x01\x00".to_vec();
    out.extend((text.len() as u16).to_le_bytes());
    out.extend(text.as_bytes());
    out
}

/// The figures of each frame, a line a frame.
pub(super) fn csv(plan: &Plan, recipe: &str, watch: &Watch) -> Result<()> {
    let rain = plan.facts.globe.is_some();
    let mut sets = Vec::with_capacity(plan.count());
    for (n, frame) in plan.numbers().enumerate() {
        watch.step(n, plan.count())?;
        sets.push(line(plan, plan.load(frame)?.as_ref()));
    }
    write_atomically(&plan.path, |out| {
        writeln!(out, "# {KEYWORD} {recipe}")?;
        writeln!(out, "{}", header(plan, rain))?;
        sets.iter().try_for_each(|line| writeln!(out, "{line}"))
    })
}

/// Figures of one lane, in the order of the columns.
const FIGURES: [&str; 4] = ["mean", "std", "rmse_to_previous", "dynamics_skill"];
const RAIN_FIGURES: [&str; 8] = [
    "global_mean",
    "wet_share",
    "p75",
    "p90",
    "p95",
    "p99",
    "p99.9",
    "cells_at_cap",
];

fn header(plan: &Plan, rain: bool) -> String {
    let mut columns = vec!["frame".to_owned(), "time".to_owned()];
    if rain {
        columns.push("date".to_owned());
    }
    for kind in &plan.lanes {
        let more = if rain { RAIN_FIGURES.as_slice() } else { &[] };
        for figure in FIGURES.iter().chain(more) {
            columns.push(format!("{}_{figure}", slug(*kind)));
        }
    }
    for name in ["strength", "history", "steps"] {
        columns.push(name.to_owned());
    }
    columns.join(",")
}

fn line(plan: &Plan, set: &FrameSet) -> String {
    let rain = plan.facts.globe.is_some();
    let number = |v: f64| {
        if v.is_finite() {
            v.to_string()
        } else {
            String::new()
        }
    };
    let mut cells = vec![set.index.to_string(), number(set.time)];
    if rain {
        cells.push(set.date.map(|d| d.to_string()).unwrap_or_default());
    }
    for kind in &plan.lanes {
        let lane = set.lanes[kind.index()].as_ref();
        let s = lane.map(|l| l.stats);
        let plain = s.map_or([f64::NAN; 4], |s| {
            [s.mean, s.std, s.rmse_to_previous, s.dynamics_skill]
        });
        cells.extend(plain.map(number));
        if rain {
            let figures = lane.and_then(|l| l.rain.as_ref());
            let values = figures.map_or([f64::NAN; 8], |r| {
                let p = r.percentiles;
                let (mean, wet) = (r.global_mean, r.wet_fraction);
                [mean, wet, p[0], p[1], p[2], p[3], p[4], r.capped as f64]
            });
            cells.extend(values.map(number));
        }
    }
    let s = &set.settings;
    cells.push(s.guidance.strength.to_string());
    cells.push(s.guidance.history.to_string());
    cells.push(s.sampler.steps.to_string());
    cells.join(",")
}
