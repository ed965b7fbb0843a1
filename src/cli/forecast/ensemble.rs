//! Ensembles from one start day: guided, forecaster + noise, unconditional, climatology, persistence.

use std::sync::Arc;

use super::score::{Method, Score, Start};
use crate::data::recording::Recording;
use crate::error::Result;
use crate::evaluate::starts::climatological;
use crate::metrics::Weights;
use crate::rollout::engine::Engine;
use crate::rollout::lanes::Lanes;
use crate::rollout::sampled::{FrameInProgress, forecaster_frame};
use crate::rollout::settings::{LaneKind, RolloutSpec, Settings};

/// What all starts have in common.
pub struct Experiment<'a> {
    /// The recorded days.
    pub recording: &'a dyn Recording,
    /// How frames are made.
    pub settings: &'a Settings,
    /// Seed, members and files; each start has its own seed and date.
    pub spec: &'a RolloutSpec,
    /// Days ahead.
    pub leads: usize,
}

/// One member a row.
type Members = Vec<Arc<[f32]>>;

impl Experiment<'_> {
    /// The seed of a start: another for each, and for each seed of the experiment.
    fn seed(&self, start: usize) -> u64 {
        self.spec
            .seed
            .wrapping_mul(0x9E37_79B9_7F4A_7C15)
            .wrapping_add(start as u64)
    }

    /// Makes and scores the forecasts from day `day`, which is start number `start`. `None` where `stop` says so.
    ///
    /// # Errors
    /// Days that cannot be read, a discriminator that the model does not have.
    pub fn start(
        &self,
        engine: &mut Engine,
        start: usize,
        day: usize,
        stop: &dyn Fn() -> bool,
    ) -> Result<Option<Start>> {
        let spec = RolloutSpec {
            seed: self.seed(start),
            start_date: Some(self.recording.date(day)),
            ..self.spec.clone()
        };
        let mut lanes = Lanes::start(engine, &spec, self.settings.guidance.history)?;
        let mut result = Start {
            start,
            date: self.recording.date(day).to_string(),
            scores: Vec::new(),
            blow_up: None,
        };
        let globe = self.recording.globe();
        let rows = globe.row_weights();
        let weights = Weights::rows(&rows, globe.nx);
        let persistent: Members = vec![self.recording.day(day)?];
        let mut unconditional: Option<Members> = None;
        for lead in 1..=self.leads {
            // The unconditional law does not depend on the lead: its members are made once a start.
            let kinds: &[LaneKind] = match unconditional {
                None => &[LaneKind::Guided, LaneKind::Unconditional],
                Some(_) => &[LaneKind::Guided],
            };
            let Some(made) = self.frame(engine, &lanes, kinds, stop)? else {
                return Ok(None);
            };
            let mut guided = Members::new();
            for (kind, members) in made {
                match kind {
                    LaneKind::Guided => guided = members,
                    _ => unconditional = Some(members),
                }
            }
            let forecaster = match engine.two_tower {
                Some(_) => Some(forecaster_frame(engine, &lanes, self.settings)?),
                None => None,
            };
            let climatology = climatological(self.recording, day + lead, spec.members, spec.seed)?;
            let truth = self.recording.day(day + lead)?;
            for (method, members) in [
                (Method::Guided, Some(&guided)),
                (Method::Forecaster, forecaster.as_ref()),
                (Method::Unconditional, unconditional.as_ref()),
                (Method::Climatology, climatology.as_ref()),
                (Method::Persistence, Some(&persistent)),
            ] {
                let views: Vec<&[f32]> = members.into_iter().flatten().map(|m| &m[..]).collect();
                result
                    .scores
                    .extend(Score::of(lead, method, &views, &truth, weights));
            }
            let climate = engine.climate.as_ref();
            let bad = guided
                .iter()
                .find_map(|m| climate.and_then(|c| c.blow_up(m)));
            if let Some(what) = bad {
                result.blow_up = Some(format!("lead {lead}: {what}"));
                break;
            }
            lanes.push(LaneKind::Guided, guided);
            if let Some(members) = forecaster {
                lanes.push(LaneKind::Forecaster, members);
            }
            lanes.advance();
        }
        Ok(Some(result))
    }

    /// One frame of the sampled lanes, all members in one pass through the networks.
    fn frame(
        &self,
        engine: &Engine,
        lanes: &Lanes,
        kinds: &[LaneKind],
        stop: &dyn Fn() -> bool,
    ) -> Result<Option<Vec<(LaneKind, Members)>>> {
        let Some(mut frame) = FrameInProgress::begin(engine, lanes, kinds, self.settings, false)
        else {
            return Ok(None);
        };
        while !frame.is_done() {
            if stop() {
                return Ok(None);
            }
            frame.step(engine, lanes, self.settings)?;
        }
        let made = frame.finish(engine);
        Ok(Some(
            made.into_iter().map(|l| (l.kind, l.members)).collect(),
        ))
    }
}
