//! The microscope: one frame's denoising, made again exactly, and a discriminator's answer about edited frames.
//!
//! Nothing is stored while a rollout runs. A frame is a pure function of its recipe (seed, member, frame number, settings,
//! and the frames before it), so its denoising can be made again at any time, with and without guidance from the same
//! noise. It runs on a thread of its own ([`Aside`]) with networks of its own: the rollout goes on meanwhile.
//!
//! | file | what it does |
//! |---|---|
//! | `specimen` | what a frame was made from, out of the archive |
//! | `denoise` | its denoising, evaluation by evaluation |
//! | `judge` | how likely a frame follows from the frames before it, before anything is sampled |
//! | `thread` | the thread: newest question first, progress, cancel |

mod denoise;
mod judge;
mod specimen;
mod thread;

pub use denoise::{Agreement, Denoising, MOST_STOPS, Seen, Stop, Unit, denoise};
pub use judge::{FAR, LEVELS, Question, Verdict, judge};
pub use specimen::{Refusal, Specimen};
pub use thread::{Answer, Aside, AsideOptions, AsideProgress, Job};
