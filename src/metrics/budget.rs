//! Where energy and enstrophy come from and go to: of any frames, and of a simulation, whose forcing is known.
//!
//! Content and losses are those of [`Solver::budget`]; the work of the forcing is in Stratonovich form, as
//! [`Solver::step`] gives it.

use std::fmt;

use crate::sim::{Forcing, Invariants, Solver, State};

/// Mean budget of frames; all but the content per unit of time. The forcing of a model is not known: `input` is what
/// closes the budget.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FrameBudget {
    /// Number of frames.
    pub frames: usize,
    /// Mean energy and enstrophy.
    pub content: Invariants,
    /// Rate of change by drag.
    pub drag: Invariants,
    /// Rate of change by hyperviscosity.
    pub hyperviscosity: Invariants,
    /// Rate of change from the first to the last frame of each series; NaN where no series has two frames.
    pub storage: Invariants,
    /// `storage - drag - hyperviscosity`: what the frames imply.
    pub input: Invariants,
}

/// [`FrameBudget`] frame by frame.
#[derive(Clone)]
pub struct BudgetStream {
    solver: Solver,
    frames: usize,
    content: Invariants,
    drag: Invariants,
    hyperviscosity: Invariants,
    /// Change and number of steps between frames, of all series so far.
    stored: Invariants,
    steps: usize,
    /// Content of the newest frame of the series in progress.
    last: Option<Invariants>,
}

impl fmt::Debug for BudgetStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BudgetStream")
            .field("frames", &self.frames)
            .finish_non_exhaustive()
    }
}

impl BudgetStream {
    /// For frames of vorticity of a solver's grid, physical units, at its frame interval; drag and viscosity are its.
    pub fn new(solver: Solver) -> Self {
        Self {
            solver,
            frames: 0,
            content: Invariants::default(),
            drag: Invariants::default(),
            hyperviscosity: Invariants::default(),
            stored: Invariants::default(),
            steps: 0,
            last: None,
        }
    }

    /// Takes the next frame. `false`, and ignored, where it has another size or holds a value that is not finite.
    pub fn push(&mut self, frame: &[f32]) -> bool {
        let Ok(state) = self.solver.state_from_field(frame) else {
            return false;
        };
        let budget = self.solver.budget(&state);
        self.frames += 1;
        self.content = self.content + budget.content;
        self.drag = self.drag + budget.drag;
        self.hyperviscosity = self.hyperviscosity + budget.hyperviscosity;
        if let Some(before) = self.last.replace(budget.content) {
            self.stored = self.stored + budget.content + before * -1.0;
            self.steps += 1;
        }
        true
    }

    /// The next frame does not follow the last one.
    pub fn end_series(&mut self) {
        self.last = None;
    }

    /// The budget so far; `None` without frames.
    pub fn figures(&self) -> Option<FrameBudget> {
        if self.frames == 0 {
            return None;
        }
        let mean = 1.0 / self.frames as f64;
        let time = self.steps as f64 * self.solver.params().frame_interval();
        let storage = Invariants {
            energy: self.stored.energy / time,
            enstrophy: self.stored.enstrophy / time,
        };
        let (drag, hyperviscosity) = (self.drag * mean, self.hyperviscosity * mean);
        Some(FrameBudget {
            frames: self.frames,
            content: self.content * mean,
            drag,
            hyperviscosity,
            storage,
            input: storage + (drag + hyperviscosity) * -1.0,
        })
    }
}

/// Budget of a forced simulation; all but the content per unit of time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ForcedBudget {
    /// Mean energy and enstrophy.
    pub content: Invariants,
    /// Work of the forcing.
    pub input: Invariants,
    /// Rate of change by drag.
    pub drag: Invariants,
    /// Rate of change by hyperviscosity.
    pub hyperviscosity: Invariants,
    /// Rate of change from the first to the last state.
    pub storage: Invariants,
    /// `|storage - input - drag - hyperviscosity|` as share of the input; NaN without forcing.
    pub residual: Invariants,
}

/// Runs the solver for `steps` steps and integrates every term of the budget (trapezoidal rule). `None` for 0 steps, or
/// where a term is not finite.
pub fn forced_budget(
    solver: &mut Solver,
    state: &mut State,
    steps: usize,
    seed: u64,
    member: u32,
) -> Option<ForcedBudget> {
    let kicked = matches!(solver.params().forcing, Forcing::White(_));
    let dt = solver.params().dt;
    let first = solver.budget(state).content;
    let mut sums = [Invariants::default(); 4];
    for _ in 0..steps {
        let before = solver.budget(state);
        let mut coasting = state.clone();
        let work = solver.step(state, seed, member);
        // White forcing kicks at the end of the step: the losses act before it.
        let after = if kicked {
            solver.step_unforced(&mut coasting);
            solver.budget(&coasting)
        } else {
            solver.budget(state)
        };
        let terms = [
            (before.content + after.content) * (0.5 * dt),
            work,
            (before.drag + after.drag) * (0.5 * dt),
            (before.hyperviscosity + after.hyperviscosity) * (0.5 * dt),
        ];
        for (sum, term) in sums.iter_mut().zip(terms) {
            *sum = *sum + term;
        }
    }
    let time = steps as f64 * dt;
    let [content, input, drag, hyperviscosity] = sums.map(|s| s * (1.0 / time));
    let storage = (solver.budget(state).content + first * -1.0) * (1.0 / time);
    let left = storage + (input + drag + hyperviscosity) * -1.0;
    let budget = ForcedBudget {
        content,
        input,
        drag,
        hyperviscosity,
        storage,
        residual: Invariants {
            energy: (left.energy / input.energy).abs(),
            enstrophy: (left.enstrophy / input.enstrophy).abs(),
        },
    };
    let finite = left.energy.is_finite() && left.enstrophy.is_finite();
    (steps > 0 && finite).then_some(budget)
}
