//! Files in and out, and data for training.

mod series;

pub use series::Series;
