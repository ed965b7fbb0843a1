//! A field: values on a grid, with units and time.
//!
//! Arrays are row-major `(y, x)`: `values[j * nx + i]` is row `j` (y index), column `i` (x index). In physical units
//! unless a name says `normalised`.

pub mod edit;
pub mod globe;

use std::sync::Arc;

pub use globe::Globe;

/// Where the values sit.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Grid {
    /// Number of rows (y).
    pub ny: usize,
    /// Number of columns (x).
    pub nx: usize,
    /// Side of the doubly periodic box, in the solver's length unit (2 pi).
    pub length: f64,
}

impl Grid {
    /// A doubly periodic square box of side 2 pi with `n` points a side.
    pub fn periodic(n: usize) -> Self {
        Self {
            ny: n,
            nx: n,
            length: std::f64::consts::TAU,
        }
    }

    /// Number of cells.
    pub fn len(&self) -> usize {
        self.ny * self.nx
    }

    /// Whether the grid has no cell.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Coordinate of column `i` (or row `i`): the grid starts at 0.
    pub fn coordinate(&self, i: usize) -> f64 {
        self.length * i as f64 / self.nx as f64
    }
}

/// One frame of one member: values on a grid at a time.
#[derive(Debug, Clone)]
pub struct Field {
    /// Where the values sit.
    pub grid: Grid,
    /// `ny * nx` values, row-major, in `units`.
    pub values: Arc<[f32]>,
    /// Unit of the values, as CF writes it.
    pub units: &'static str,
    /// Time of the frame, in the solver's time unit.
    pub time: f64,
}
