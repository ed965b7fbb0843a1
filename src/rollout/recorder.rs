//! From raw lanes to a [`FrameSet`]: figures, Hovmoeller row, blow-up watch.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::metrics::hovmoeller_row;

use super::diagnostics::{LaneStream, MAX_LAG};
use super::engine::Engine;
use super::frame::{DenoisingTrace, FrameSet, LaneDiagnostics, LaneFrame, LaneStats};
use super::settings::LaneKind;

/// A frame whose std exceeds the data's by this factor has left the data: the rollout is blowing up. Truth's own frames
/// stay below 1.4.
pub const BLOW_UP_STD: f64 = 2.0;

/// The streams of all lanes.
#[derive(Default)]
pub struct Recorder {
    streams: [LaneStream; 4],
    last: [Option<Vec<Arc<[f32]>>>; 4],
}

/// Why a lane was stopped.
pub struct BlowUp {
    /// What was seen.
    pub what: String,
}

impl Recorder {
    /// Takes a start frame of a lane.
    pub fn start(&mut self, kind: LaneKind, members: &[Arc<[f32]>], nx: usize) -> LaneFrame {
        self.streams[kind.index()].push_start(members);
        self.last[kind.index()] = Some(members.to_vec());
        LaneFrame {
            members: members.to_vec(),
            hovmoeller: hovmoeller_row(&members[0], members[0].len() / nx, nx).into(),
            stats: LaneStats {
                rmse_to_previous: f64::NAN,
                dynamics_skill: f64::NAN,
                ..plain_stats(members)
            },
            rain: None,
            recorded: None,
            trace: Arc::default(),
        }
    }

    /// Takes a generated frame of a lane; tells if it has blown up (then nothing enters the figures).
    pub fn generated(
        &mut self,
        engine: &mut Engine,
        kind: LaneKind,
        members: Vec<Arc<[f32]>>,
        trace: DenoisingTrace,
    ) -> (LaneFrame, Option<BlowUp>) {
        let i = kind.index();
        let data_std = engine.card.truth.std;
        let blow_up = blow_up(&members, data_std);
        let stats = if blow_up.is_some() {
            plain_stats(&members)
        } else {
            let unforced: Vec<Vec<f32>> = self.last[i]
                .iter()
                .flatten()
                .map(|x| engine.solver.unforced_frame(x))
                .collect();
            self.last[i] = Some(members.clone());
            self.streams[i].push(&members, &unforced)
        };
        let frame = LaneFrame {
            hovmoeller: hovmoeller_row(&members[0], engine.side(), engine.side()).into(),
            members,
            stats,
            rain: None,
            recorded: None,
            trace: Arc::new(trace),
        };
        (frame, blow_up)
    }

    /// A lane that was switched on in mid-rollout: its history is that of another lane.
    pub fn begin_lane(&mut self, kind: LaneKind, last: Option<&Vec<Arc<[f32]>>>) {
        self.streams[kind.index()] = LaneStream::default();
        self.last[kind.index()] = last.cloned();
        if let Some(members) = last {
            self.streams[kind.index()].push_start(members);
        }
    }

    /// Forgets the frames from number `next` on; `kept` are the frames before it.
    pub fn go_back(&mut self, kept: &[Arc<FrameSet>], start_frames: usize, next: usize) {
        for kind in LaneKind::ALL {
            let i = kind.index();
            let lane = |f: &Arc<FrameSet>| f.lanes[i].as_ref().map(|l| l.members.clone());
            let recent: VecDeque<_> = kept
                .iter()
                .rev()
                .take(MAX_LAG + 1)
                .map_while(lane)
                .collect();
            self.last[i] = recent.front().cloned();
            self.streams[i].truncate(next.saturating_sub(start_frames), recent);
        }
    }

    /// Streaming figures of all lanes.
    pub fn figures(&self, data_std: f64) -> [LaneDiagnostics; 4] {
        std::array::from_fn(|i| self.streams[i].figures(data_std))
    }
}

fn plain_stats(members: &[Arc<[f32]>]) -> LaneStats {
    let n: usize = members.iter().map(|m| m.len()).sum();
    let all = || members.iter().flat_map(|m| m.iter()).map(|&v| f64::from(v));
    let mean = all().sum::<f64>() / n as f64;
    let var = all().map(|v| (v - mean) * (v - mean)).sum::<f64>() / n as f64;
    LaneStats {
        mean,
        std: var.sqrt(),
        rmse_to_previous: f64::NAN,
        dynamics_skill: f64::NAN,
    }
}

pub(super) fn blow_up(members: &[Arc<[f32]>], data_std: f64) -> Option<BlowUp> {
    members.iter().find_map(|m| {
        let std = plain_stats(std::slice::from_ref(m)).std;
        if !std.is_finite() {
            Some(BlowUp {
                what: "values are no longer finite".into(),
            })
        } else if std > BLOW_UP_STD * data_std {
            Some(BlowUp {
                what: format!("its std is {:.1} times the data's", std / data_std),
            })
        } else {
            None
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blow_up_is_seen_and_truth_is_not() {
        let calm: Arc<[f32]> = (0..100).map(|i| ((i % 10) as f32 - 4.5) / 2.87).collect();
        assert!(blow_up(std::slice::from_ref(&calm), 1.0).is_none());
        let loud: Arc<[f32]> = calm.iter().map(|v| v * 2.5).collect();
        let broken: Arc<[f32]> = calm.iter().map(|v| v / 0.0).collect();
        assert!(blow_up(&[calm, loud], 1.0).is_some());
        assert!(blow_up(&[broken], 1.0).is_some());
    }
}
