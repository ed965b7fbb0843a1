//! From data to models.

pub mod calibrate;
