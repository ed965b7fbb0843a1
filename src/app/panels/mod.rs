//! The panels of the window, one file each.

pub mod branches;
pub mod color_bar;
mod compare;
pub mod controls;
pub mod diagnostics;
pub mod export_dialog;
pub mod file_menu;
mod globe_lane;
pub mod help;
pub mod known_world;
pub mod lane;
pub mod model_menu;
pub mod options;
pub mod palette;
mod quality;
pub mod rain_dialog;
pub mod rain_options;
pub mod restore_dialog;
mod season;
pub mod slots;
pub mod status;
pub mod strength;
pub mod timeline;
pub mod top_bar;
pub mod viewport;
