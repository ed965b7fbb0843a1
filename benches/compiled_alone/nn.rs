//! What the compiled inference needs of its neighbours.

#[path = "../../src/nn/compiled/mod.rs"]
mod compiled;
#[path = "../../src/nn/config.rs"]
mod config;
