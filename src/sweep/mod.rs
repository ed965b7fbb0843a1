//! Rollouts of a model over settings, judged; the suggested guidance strength.
//!
//! The command `sweep` and the study `ablation` stand on this.
//!
//! | file | what it does |
//! |---|---|
//! | [`grid`] | what can be varied, and the points that follow |
//! | [`judge`] | how a point is judged, which strength follows |
//! | [`run`] | one point made and judged |
//! | [`report`], [`figure`] | table, CSV, JSON, curves, heat map |

pub mod figure;
pub mod grid;
pub mod judge;
pub mod report;
pub mod run;

pub use grid::{Axis, Knob, Point, points};
pub use judge::{Figures, Finished, LADDER, best, criterion, ladder, usable};
