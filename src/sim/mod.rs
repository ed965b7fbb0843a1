//! The Navier-Stokes solver: vorticity on a doubly periodic box.
//!
//! `d omega/dt + u . grad omega = -mu omega - nu (-lap)^p omega + F`, `lap psi = omega`, `u = -dpsi/dy`,
//! `v = dpsi/dx`. Pseudo-spectral in f64 with 2/3 dealiasing; integrating-factor Runge-Kutta of fourth order; drag and
//! hyperviscosity are exact. Nothing here knows of networks: the solver makes the data, the truth lane, and the `G` of
//! the dynamics skill. A passive tracer can be carried along ([`StirredSolver`]).

mod budget;
mod ensemble;
mod fft;
mod forcing;
mod modes;
mod params;
mod solver;
mod square;
#[cfg(test)]
mod tests;
mod tracer;

pub use budget::{Budget, Invariants};
pub use ensemble::{Progress, simulate, simulate_from};
pub use params::{Forcing, PRESETS, Params, Ring};
pub use solver::{Solver, State};
pub use tracer::{Stirred, StirredSolver, Tracer, simulate_stirred};
