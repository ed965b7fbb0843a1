//! Datasets to models: the training of the denoiser, the history tower and the encoder.
//!
//! | file | what it does |
//! |---|---|
//! | [`config`] | `train.toml`: data, networks, optimizer |
//! | [`globe`] | days of precipitation to training data |
//! | [`objective`] | what each network learns: batches, losses, validation |
//! | [`optimizer`] | AdamW, schedule, clipping and moving average over flat vectors |
//! | [`calibrate`] | the closed form's numbers, measured on data |
//! | [`calibrate_globe`] | the same on the globe |
//! | [`adjust`] | the marginal law of rain, corrected |
//! | [`truth`] | what truth looks like: the figures rollouts are compared with |
//! | [`assemble`] | weights to a model folder with its card |
//! | [`checkpoint`] | state to disk and back, bit for bit |
//! | [`session`] | the loop: log, validation, checkpoints, stop, resume |
//! | [`timing`] | a step for the stopwatch |
//!
//! All draws of a step are a pure function of (seed, step), and the state between two steps is four flat vectors: a
//! resumed training gives the same bits as one that was never interrupted (on the CPU).

pub mod adjust;
pub mod assemble;
pub mod calibrate;
pub mod calibrate_globe;
pub mod checkpoint;
pub mod config;
mod data;
pub mod globe;
pub mod objective;
pub mod optimizer;
pub mod session;
pub mod timing;
pub mod truth;
pub mod truth_globe;

pub use config::TrainConfig;
pub use data::{Source, load_data, load_days};
pub use session::{Options, Outcome, train};

#[cfg(test)]
mod tests;
