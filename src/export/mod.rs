//! Field -> files: the picture on screen as a PNG that carries its recipe.
//!
//! The picture is composed on the CPU ([`picture`]) with the same arithmetic as the shader (`render::cpu`), so that a
//! file can be made without a graphics adapter. The recipe (settings, seed, model hash, version, frame) goes into an
//! `iTXt` chunk with the keyword `eddyscope-recipe` and is read back by [`read_recipe`].

pub mod canvas;
pub mod picture;
mod png_file;
mod recipe;
mod strokes;
pub mod text;

pub use png_file::{read_recipe, save_picture};
pub use recipe::{GlobeRecipe, Recipe};
