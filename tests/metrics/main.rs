//! Every family of figures against the field's own libraries (`tests/reference/families.py`), streams against batches,
//! and input for which a figure is undefined.

#![allow(clippy::unwrap_used)]

mod degenerate;
mod reference;
mod streams;
mod support;
