//! Field -> files, and back: what is on screen as picture, film, numbers or session; each file carries its recipe.
//!
//! The pictures are composed on the CPU ([`picture`]) with the same arithmetic as the shader (`render::cpu`), so that a
//! file can be made without a graphics adapter. A file is written whole or not at all. [`read`] finds the recipe again:
//!
//! | file | where the recipe stands |
//! |---|---|
//! | PNG | `iTXt` chunk with the keyword `eddyscope-recipe` |
//! | GIF | comment extension that begins with that word |
//! | animated WebP | XMP, element `eddyscope:recipe` |
//! | MP4 | the comment; a long one in a box `uuid` at the end |
//! | NetCDF | global attribute `recipe` |
//! | npy | file beside it, with `.json` added to its name |
//! | CSV | first line, after `#` and that word |
//! | session | [`session_file`] |
//!
//! A recipe ([`Recipe`]) has a version of its own. It lists the settings over time, each with the frame and the solver
//! step from which it was in force, so that the worker can make the same frames again. The hash of its text stands at its
//! end: a byte that changed on the way is told.

pub mod canvas;
mod carry;
mod film;
mod mp4;
mod palette;
pub mod picture;
mod plan;
mod png_file;
mod recipe;
pub mod scene;
pub mod session_file;
mod strokes;
mod tables;
pub mod text;

pub use carry::{Carried, read, read_watched, sidecar};
pub use mp4::Ffmpeg;
pub use plan::{Format, Plan, Watch, hash};
pub use recipe::{FORMAT, GlobeRecipe, Newer, Reading, Recipe, kind_of};
pub use scene::{Scene, SceneDifference, SceneLane, SceneSide};
pub use session_file::SessionFile;
