//! Figures of the scripted frames, read off them as the worker reads them.

use std::rc::Rc;
use std::sync::Arc;

use eddyscope::metrics::{RainGrid, Reliability, shell_power};
use eddyscope::model::card::TruthCard;
use eddyscope::rollout::figures::{Frame, LaneFigures};
use eddyscope::rollout::frame::{FrameSet, LaneDiagnostics, PairFigures};
use eddyscope::rollout::protocol::ModelFacts;
use eddyscope::rollout::settings::{LANES, LaneKind};
use eddyscope::rollout::yardstick::Yardstick;

use super::{N, rain, uniform};

/// Fills in what frames and figures leave open.
pub fn read(sets: &mut [FrameSet], figures: &mut [LaneDiagnostics; LANES], globe: bool) {
    let facts = if globe { rain::facts() } else { super::facts() };
    let truth: Vec<Arc<[f32]>> = sets
        .iter()
        .filter_map(|s| Some(s.lanes[0].as_ref()?.members[0].clone()))
        .collect();
    let yardstick = Rc::new(yardstick(&facts, &truth));
    for kind in LaneKind::ALL {
        let i = kind.index();
        let mut lane = LaneFigures::new(kind, &yardstick);
        for (n, set) in sets.iter_mut().enumerate().filter(|(n, _)| *n > 3) {
            let Some(frame) = &mut set.lanes[i] else {
                continue;
            };
            let (members, trace) = (frame.members.clone(), Arc::clone(&frame.trace));
            let frame_seen = Frame {
                index: n,
                members: &members,
                truth: truth.get(n),
                trace: &trace,
            };
            lane.push(frame_seen, &mut frame.stats);
        }
        lane.fill(&mut figures[i]);
    }
    figures[0].pairs = Some(Arc::new(pairs()));
}

fn yardstick(facts: &ModelFacts, truth: &[Arc<[f32]>]) -> Yardstick {
    let views: Vec<&[f32]> = truth.iter().map(|f| &f[..]).collect();
    let std = |frame: &&[f32]| eddyscope::metrics::std(&[*frame]).unwrap_or(f64::NAN);
    // The scripted truth has a spread of its own.
    let all: Vec<f64> = views.iter().map(std).collect();
    let (lo, hi) = all.iter().fold((f64::INFINITY, 0.0f64), |(lo, hi), s| {
        (lo.min(*s), hi.max(*s))
    });
    let (std, std_band) = match facts.globe {
        Some(_) => (facts.data_std, facts.std_band.into()),
        None => (0.5 * (lo + hi), [0.9 * lo, 1.1 * hi]),
    };
    let mut card = TruthCard {
        std,
        std_band,
        rmse_band: facts.rmse_band.into(),
        ..TruthCard::default()
    };
    match &facts.globe {
        Some(globe) => {
            let grid = RainGrid::new(&globe.grid);
            let all: Vec<Vec<f64>> = views.iter().filter_map(|v| grid.zonal_power(v)).collect();
            card.spectrum = (0..=globe.grid.nx / 2)
                .map(|k| all.iter().map(|p| p[k]).sum::<f64>() / all.len() as f64)
                .collect();
            card.rain = Some(globe.truth.clone());
            Yardstick::globe(&globe.grid, card)
        }
        None => {
            card.spectrum = shell_power(&views, N).expect("frames");
            card.spectrum.retain(|p| p.is_finite());
            Yardstick::square(N, card)
        }
    }
}

/// Answers that get surer as the noise gets less.
fn pairs() -> PairFigures {
    let sigmas = vec![0.03, 0.1, 0.3, 1.0, 3.0, 10.0];
    let levels = sigmas.iter().enumerate().map(|(level, _)| {
        let mut out = Reliability::new(10);
        for draw in uniform(70, level as u32, 400).chunks_exact(2) {
            let p = 0.5 + (draw[0] - 0.5) * (1.0 - 0.15 * level as f64);
            out.push(p, draw[1] < p);
        }
        out
    });
    PairFigures {
        levels: levels.collect(),
        sigmas,
    }
}
