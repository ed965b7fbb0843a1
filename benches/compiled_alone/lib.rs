//! The compiled inference of eddyscope alone; `check.sh` says what for.
#![allow(dead_code, unused_imports)]

#[path = "../../src/error.rs"]
mod error;
mod nn;
#[path = "../../src/random.rs"]
mod random;
