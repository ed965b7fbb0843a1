//! Figures for print: charts, maps and the page that holds them. Knows nothing of networks.
//!
//! A figure is a [`Scene`] of lines, areas, words and pictures, in points. [`svg`] writes it as vectors, [`raster`] as
//! pixels from the same outlines (text is the window's own font, drawn as outlines in both, so that a figure looks the same
//! everywhere). [`chart`] turns numbers into a scene: axes, ticks, lines with bands, markers, bars, pictures; [`figure`] puts
//! charts side by side under one legend that never covers data; [`page`] is the self-contained HTML report.

pub mod axis;
pub mod chart;
pub mod figure;
pub mod numbers;
pub mod page;
pub mod raster;
pub mod scene;
pub mod style;
pub mod svg;

pub use axis::{Axis, Scale};
pub use chart::{Chart, Layer};
pub use figure::{ColorBar, Figure, Grid};
pub use numbers::{Number, Numbers};
pub use scene::{Anchor, Item, Picture, Scene, Stroke};
pub use style::{Marker, Style};
