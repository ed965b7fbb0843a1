//! A series of frames of several members: what a run file holds.

use crate::error::{Result, UserError};
use crate::field::Grid;

/// A series larger than this is refused instead of driving the machine out of memory.
const LARGEST_BYTES: u64 = 8 << 30;

/// Frames at equal time steps for one or more members.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Where the values sit.
    pub grid: Grid,
    /// Number of members.
    pub members: usize,
    /// Number of frames of each member, start frames included.
    pub frames: usize,
    /// Time between two frames, in the solver's unit; NaN where a file does not say.
    pub frame_interval: f64,
    /// Time of the first frame.
    pub t0: f64,
    /// `[member][time][y][x]`, physical units.
    pub values: Vec<f32>,
    /// Name of the variable in a file.
    pub variable: String,
    /// Unit of the values, as CF writes it.
    pub units: String,
    /// How many of the first frames were given rather than generated.
    pub start_frames: usize,
    /// JSON text that says how the run was made.
    pub recipe: Option<String>,
    /// The command that made it, for the file's `history`.
    pub history: Option<String>,
}

impl Series {
    /// A vorticity series of zeros, starting at time 0.
    ///
    /// # Errors
    /// More values than fit into memory.
    pub fn zeros(grid: Grid, members: usize, frames: usize, frame_interval: f64) -> Result<Self> {
        let too_large = |cause: String| {
            UserError::new(
                format!(
                    "There is no room for {members} members of {frames} frames of {} x {} cells",
                    grid.ny, grid.nx
                ),
                cause,
                "Ask for fewer frames or members; a run can be continued from its file with --start",
            )
        };
        let count = [members, frames, grid.ny, grid.nx]
            .iter()
            .try_fold(1_usize, |product, &n| product.checked_mul(n))
            .filter(|&count| count as u64 <= LARGEST_BYTES / 4)
            .ok_or_else(|| too_large("a series of more than 8 GiB is not kept in memory".into()))?;
        let mut values: Vec<f32> = Vec::new();
        values
            .try_reserve_exact(count)
            .map_err(|_| too_large(format!("it would take {} MiB", (count >> 18).max(1))))?;
        values.resize(count, 0.0);
        Ok(Self {
            grid,
            members,
            frames,
            frame_interval,
            t0: 0.0,
            values,
            variable: "vorticity".into(),
            units: "1".into(),
            start_frames: 0,
            recipe: None,
            history: None,
        })
    }

    /// One frame, row-major `(y, x)`; `None` out of range.
    pub fn frame(&self, member: usize, frame: usize) -> Option<&[f32]> {
        if member >= self.members || frame >= self.frames {
            return None;
        }
        let cells = self.grid.len();
        let start = (member * self.frames + frame) * cells;
        self.values.get(start..start + cells)
    }

    /// The frames of one member, oldest first; empty out of range.
    pub fn member_frames(&self, member: usize) -> impl Iterator<Item = &[f32]> {
        let size = self.frames * self.grid.len();
        let values = self
            .values
            .get(member * size..(member + 1) * size)
            .unwrap_or_default();
        values.chunks_exact(self.grid.len().max(1))
    }

    /// Time of a frame.
    pub fn time(&self, frame: usize) -> f64 {
        self.t0 + self.frame_interval * frame as f64
    }
}
