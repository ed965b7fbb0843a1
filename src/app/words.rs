//! Names of settings as the window writes them.

use crate::rollout::frame::FrameSet;
use crate::rollout::settings::{DiscriminatorKind, LaneKind, Settings, Solver, Start};

/// Short name of a solver.
pub fn solver(solver: Solver) -> &'static str {
    match solver {
        Solver::Heun => "heun",
        Solver::AsPrinted => "as printed",
        Solver::Dpm => "dpm",
    }
}

/// Short name of a discriminator.
pub fn discriminator(kind: DiscriminatorKind) -> &'static str {
    match kind {
        DiscriminatorKind::TwoTower => "two-tower",
        DiscriminatorKind::Encoder => "encoder",
    }
}

/// What made a frame of a lane: the line beside the lane's name.
pub fn made_by(kind: LaneKind, frame: &FrameSet) -> String {
    if frame.index <= 3 {
        return "start frame".to_owned();
    }
    let Settings {
        guidance, sampler, ..
    } = frame.settings.as_ref();
    let warm = match sampler.start {
        Start::Noise => "",
        Start::Warm { .. } => " · warm start",
    };
    let how = format!("{} {}{warm}", solver(sampler.solver), sampler.steps);
    match kind {
        LaneKind::Truth => "solver".to_owned(),
        LaneKind::Unconditional => format!("λ 0 · {how}"),
        LaneKind::Guided => format!(
            "λ {:.2} · m {} · {how}",
            guidance.strength, guidance.history
        ),
        LaneKind::Forecaster => format!("no diffusion · m {}", guidance.history),
    }
}

/// Short name of a lane, for the ends of lines.
pub fn lane(kind: LaneKind) -> &'static str {
    match kind {
        LaneKind::Truth => "truth",
        LaneKind::Unconditional => "uncond.",
        LaneKind::Guided => "guided",
        LaneKind::Forecaster => "forecaster",
    }
}
