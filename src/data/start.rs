//! The frames a rollout starts from.

use std::path::Path;

use super::netcdf_read::read_series;
use super::series::Series;
use crate::error::{Result, UserError};
use crate::field::Grid;

/// Start frames of every member.
#[derive(Debug, Clone, PartialEq)]
pub struct StartFrames {
    /// `[member][frame]`, oldest first, each `ny * nx` values in physical units.
    pub members: Vec<Vec<Vec<f32>>>,
    /// Time between the frames as the file says; NaN where it does not.
    pub frame_interval: f64,
    /// Whether one member of the file starts all members: an ensemble from one state.
    pub shared: bool,
}

/// The last `history + 1` frames of the first `members` members of a file. A file with one member starts all members
/// from the same frames.
///
/// # Errors
/// An unfit file ([`read_series`]), another grid, too few frames or too few members. Nothing is repeated or cut to fit.
pub fn start_from_file(
    path: &Path,
    grid: Grid,
    history: usize,
    members: usize,
) -> Result<StartFrames> {
    let series = read_series(path, None)?;
    start_from_series(&path.display().to_string(), &series, grid, history, members)
}

/// The same from frames in memory; `name` is how errors call them.
///
/// # Errors
/// See [`start_from_file`].
pub fn start_from_series(
    name: &str,
    series: &Series,
    grid: Grid,
    history: usize,
    members: usize,
) -> Result<StartFrames> {
    let headline = format!("Cannot start from {name}");
    let found = series.grid;
    if (found.ny, found.nx) != (grid.ny, grid.nx) {
        return Err(UserError::new(
            headline,
            format!(
                "its frames have {} x {} cells, the model works on {} x {}",
                found.ny, found.nx, grid.ny, grid.nx
            ),
            format!(
                "Give frames of {} x {} cells, for instance from: eddyscope simulate --out start.nc. Daily precipitation is a start for \
                 the model of precipitation: choose that first (--model precipitation)",
                grid.ny, grid.nx
            ),
        ));
    }
    let needed = history + 1;
    if series.frames < needed {
        return Err(UserError::new(
            headline,
            format!(
                "it has {} frame(s), and a history length of {history} needs {needed}",
                series.frames
            ),
            format!(
                "Use a history length of {}, or give a file with more frames",
                series.frames.saturating_sub(1)
            ),
        ));
    }
    let shared = series.members == 1 && members > 1;
    if !shared && series.members < members {
        return Err(UserError::new(
            headline,
            format!("it has {} members, {members} are asked for", series.members),
            format!(
                "Ask for {} members, or give a file with one member to start them all from the same frames",
                series.members
            ),
        ));
    }
    let of_member = |member: usize| {
        series
            .member_frames(if shared { 0 } else { member })
            .skip(series.frames - needed)
            .map(<[f32]>::to_vec)
            .collect()
    };
    Ok(StartFrames {
        members: (0..members).map(of_member).collect(),
        frame_interval: series.frame_interval,
        shared,
    })
}
