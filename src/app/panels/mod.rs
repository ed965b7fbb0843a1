//! The panels of the window, one file each.

pub mod color_bar;
pub mod controls;
pub mod diagnostics;
pub mod help;
pub mod lane;
pub mod options;
pub mod status;
pub mod strength;
pub mod timeline;
pub mod top_bar;
pub mod viewport;
