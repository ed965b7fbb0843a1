//! From raw lanes to a [`FrameSet`]: figures, Hovmoeller row, blow-up watch.

use std::rc::Rc;
use std::sync::Arc;

use crate::data::Date;
use crate::metrics::hovmoeller_row;

use super::climate::Climate;
use super::diagnostics::{Again, RewindingStream};
use super::engine::Engine;
use super::figures::{Frame, LaneFigures, Rewinding};
use super::frame::{DenoisingTrace, FrameSet, LaneDiagnostics, LaneFrame, LaneStats};
use super::lanes::Lanes;
use super::pairs::Pairs;
use super::rain::{RainLane, month0};
use super::settings::{GuidanceSettings, LANES, LaneKind, Settings};
use super::world::World;
use super::yardstick::Yardstick;

/// A frame whose std exceeds the data's by this factor has left the data: the rollout is blowing up. Truth's own frames
/// stay below 1.4.
pub const BLOW_UP_STD: f64 = 2.0;

/// The streams of all lanes.
#[derive(Clone)]
pub struct Recorder {
    streams: Streams,
    last: [Option<Vec<Arc<[f32]>>>; LANES],
    /// Settings of each lane's last frame.
    under: [Option<Arc<Settings>>; LANES],
    figures: [Rewinding; LANES],
    /// The day of the recording that truth showed last.
    recorded: Option<Date>,
    /// Whether the members began from the same frame, so that they are an ensemble.
    one_start: bool,
    /// Truth's first member at the frame in progress.
    truth: Option<Arc<[f32]>>,
    pairs: Pairs,
    yardstick: Rc<Yardstick>,
}

#[derive(Clone)]
enum Streams {
    Turbulence(Box<[RewindingStream; LANES]>),
    Rain(Box<[RainLane; LANES]>),
}

/// Why a lane was stopped.
pub struct BlowUp {
    /// What was seen.
    pub what: String,
}

/// A frame of a lane as it was made.
pub struct Made {
    /// Which lane.
    pub kind: LaneKind,
    /// Number of the frame.
    pub index: usize,
    /// One array a member, physical units.
    pub members: Vec<Arc<[f32]>>,
    /// How the discriminator saw it.
    pub trace: DenoisingTrace,
    /// Date of the frame, on the globe.
    pub date: Option<Date>,
    /// Day that a recording shows, in the truth lane on the globe.
    pub recorded: Option<Date>,
    /// The settings that made it.
    pub settings: Arc<Settings>,
}

impl Recorder {
    /// For the lanes of a model.
    pub fn new(engine: &Engine) -> Self {
        let streams = match &engine.climate {
            None => Streams::Turbulence(Default::default()),
            Some(climate) => Streams::Rain(Box::new(
                LaneKind::ALL.map(|kind| RainLane::new(climate, kind)),
            )),
        };
        let truth = engine.card.truth.clone();
        let yardstick = Rc::new(match &engine.climate {
            Some(climate) => Yardstick::globe(&climate.globe, truth),
            None => Yardstick::square(engine.shape()[1], truth),
        });
        Self {
            streams,
            last: Default::default(),
            under: Default::default(),
            figures: LaneKind::ALL.map(|kind| Rewinding::new(kind, &yardstick)),
            recorded: None,
            one_start: false,
            truth: None,
            pairs: Pairs::default(),
            yardstick,
        }
    }

    /// Takes a start frame of a lane.
    pub fn start(&mut self, engine: &Engine, made: Made) -> LaneFrame {
        let i = made.kind.index();
        let members = &made.members;
        let (stats, rain) = match &mut self.streams {
            Streams::Turbulence(streams) => {
                streams[i].push_start(members);
                (plain_stats(members), None)
            }
            Streams::Rain(lanes) => lanes[i].push_start(members),
        };
        self.last[i] = Some(members.clone());
        if made.kind == LaneKind::Truth {
            self.one_start = members.windows(2).all(|pair| pair[0] == pair[1]);
            members.iter().take(1).for_each(|m| self.pairs.remember(m));
        }
        self.lane_frame(engine, made, stats, rain)
    }

    /// Takes a generated frame of a lane; tells if it has blown up (then nothing enters the figures).
    pub fn generated(&mut self, engine: &mut Engine, made: Made) -> (LaneFrame, Option<BlowUp>) {
        let i = made.kind.index();
        let blow_up = blow_up(engine, made.kind, &made.members);
        let under = self.under[i].replace(Arc::clone(&made.settings));
        let anew = under.is_some_and(|u| made_otherwise(made.kind, &u, &made.settings));
        if let Streams::Rain(lanes) = &mut self.streams
            && anew
        {
            lanes[i].begin_anew(made.index);
        }
        if made.kind == LaneKind::Truth {
            self.truth = made.members.first().cloned();
            made.members
                .iter()
                .take(1)
                .for_each(|m| self.pairs.remember(m));
        }
        let (mut stats, rain) = match &mut self.streams {
            Streams::Turbulence(streams) if blow_up.is_some() => {
                streams[i].skip(made.index, anew);
                (plain_stats(&made.members), None)
            }
            Streams::Turbulence(streams) => {
                let unforced = unforced(engine, self.last[i].as_deref().unwrap_or_default());
                let stats = streams[i].push(made.index, &made.members, &unforced, anew);
                (stats, None)
            }
            Streams::Rain(lanes) => {
                if made.recorded.is_some_and(|r| self.recorded > Some(r)) {
                    // The recording has begun again: that is no step from one day to the next.
                    lanes[i].begin_again();
                }
                match made.recorded.or(made.date) {
                    Some(date) if blow_up.is_none() => {
                        lanes[i].push(&made.members, made.index, date)
                    }
                    _ => lanes[i].day(&made.members),
                }
            }
        };
        if made.recorded.is_some() {
            self.recorded = made.recorded;
        }
        if blow_up.is_none() {
            self.last[i] = Some(made.members.clone());
            let frame = Frame {
                index: made.index,
                members: &made.members,
                truth: self.truth.as_ref().filter(|_| self.one_start),
                trace: &made.trace,
            };
            self.figures[i].push(frame, &mut stats);
        }
        (self.lane_frame(engine, made, stats, rain), blow_up)
    }

    fn lane_frame(
        &self,
        engine: &Engine,
        made: Made,
        stats: LaneStats,
        rain: Option<Arc<super::frame::RainStats>>,
    ) -> LaneFrame {
        let first = made.members.first().map_or(&[] as &[f32], |m| m);
        let hovmoeller = match &self.streams {
            Streams::Turbulence(_) => {
                let [ny, nx] = engine.shape();
                hovmoeller_row(first, ny, nx)
            }
            Streams::Rain(lanes) => lanes[made.kind.index()].hovmoeller(first),
        };
        LaneFrame {
            hovmoeller: hovmoeller.into(),
            members: made.members,
            stats,
            rain,
            recorded: made.recorded,
            trace: Arc::new(made.trace),
        }
    }

    /// A lane that was switched on in mid-rollout: its history is that of another lane.
    pub fn begin_lane(&mut self, kind: LaneKind, last: Option<&Vec<Arc<[f32]>>>) {
        let i = kind.index();
        self.last[i] = last.cloned();
        self.under[i] = None;
        self.figures[i] = Rewinding::new(kind, &self.yardstick);
        match &mut self.streams {
            Streams::Turbulence(streams) => {
                streams[i] = RewindingStream::begin(last);
            }
            Streams::Rain(lanes) => lanes[i].begin(last),
        }
    }

    /// Forgets the frames from number `next` on; `frame` gives the frames before and after it, as far as they are kept.
    pub fn go_back(
        &mut self,
        engine: &mut Engine,
        frame: &dyn Fn(usize) -> Option<Arc<FrameSet>>,
        next: usize,
    ) {
        let truths = (0..next).rev().map_while(|f| {
            let set = frame(f)?;
            let truth = set.lanes[LaneKind::Truth.index()].as_ref()?;
            truth.members.first().cloned()
        });
        self.pairs.go_back(truths);
        let before = next.checked_sub(1).and_then(frame);
        let truth = before.and_then(|set| set.lanes[LaneKind::Truth.index()].as_ref()?.recorded);
        self.recorded = truth;
        for kind in LaneKind::ALL {
            let i = kind.index();
            let lane = |f: usize| frame(f)?.lanes[i].as_ref().map(|l| l.members.clone());
            let one_start = self.one_start;
            let before = next.checked_sub(1).and_then(frame);
            self.under[i] = before.map(|set| Arc::clone(&set.settings));
            self.figures[i].go_back(next, |figures, from| {
                for set in (from..next).filter_map(frame) {
                    read_again(engine, figures, &set, kind, one_start);
                }
            });
            match &mut self.streams {
                Streams::Turbulence(streams) => {
                    let std = engine.card.truth.std;
                    let blown = |members: &[Arc<[f32]>]| turbulence_blow_up(members, std).is_some();
                    let entered = |f: usize| {
                        let members = lane(f)?;
                        Some((!blown(&members)).then_some(members))
                    };
                    // The frame read last, and its settings.
                    let mut read: Option<(usize, Arc<Settings>)> = None;
                    streams[i].go_back(next, entered, |f, before| {
                        let Some(set) = frame(f) else {
                            return Again::Lost;
                        };
                        let under = match read.take() {
                            Some((last, under)) if last + 1 == f => Some(under),
                            _ => f.checked_sub(1).and_then(frame).map(|s| s.settings.clone()),
                        };
                        let anew = under.is_some_and(|u| made_otherwise(kind, &u, &set.settings));
                        read = Some((f, Arc::clone(&set.settings)));
                        match &set.lanes[i] {
                            Some(lane) if !blown(&lane.members) => Again::Enter {
                                members: lane.members.clone(),
                                unforced: unforced(engine, before.unwrap_or_default()),
                                anew,
                            },
                            _ => Again::Skip { anew },
                        }
                    });
                    self.last[i] = streams[i].last().cloned();
                }
                Streams::Rain(lanes) => {
                    lanes[i].go_back(next, &|f| {
                        let set = frame(f)?;
                        let lane = set.lanes[i].as_ref()?;
                        let date = lane.recorded.or(set.date)?;
                        Some((lane.members.clone(), month0(date)))
                    });
                    self.last[i] = next.checked_sub(1).and_then(lane);
                }
            }
        }
    }

    /// Asks the discriminator of truth's next frame and of another one ([`Pairs::judge`]); before the frame is taken in.
    pub fn judge_pair(
        &mut self,
        engine: &Engine,
        lanes: &Lanes,
        truth: &[Arc<[f32]>],
        settings: &Settings,
    ) {
        if let Some(next) = truth.first() {
            self.pairs.judge(engine, lanes, next, settings);
        }
    }

    /// Streaming figures of all lanes.
    pub fn figures(&self, data_std: f64) -> [LaneDiagnostics; LANES] {
        std::array::from_fn(|i| {
            let mut out = match &self.streams {
                Streams::Turbulence(streams) => streams[i].figures(data_std),
                Streams::Rain(lanes) => lanes[i].figures(data_std),
            };
            self.figures[i].now.fill(&mut out);
            if i == LaneKind::Truth.index() {
                out.pairs = self.pairs.figures().map(Arc::new);
            }
            out
        })
    }
}

/// Whether a lane's frames are made otherwise under the second settings than under the first: its autocorrelation and dynamics
/// then begin anew, so that they tell of what is set and not of a mixture.
fn made_otherwise(kind: LaneKind, a: &Settings, b: &Settings) -> bool {
    let (g, h) = (&a.guidance, &b.guidance);
    let guidance = || {
        let of_this = match kind {
            LaneKind::GuidedVideo => GuidanceSettings {
                strength: g.strength,
                ..h.clone()
            },
            _ => GuidanceSettings {
                video_strength: g.video_strength,
                ..h.clone()
            },
        };
        *g != of_this
    };
    match kind {
        LaneKind::Truth => false,
        LaneKind::Unconditional => a.sampler != b.sampler,
        LaneKind::Video => a.sampler != b.sampler || g.history != h.history,
        LaneKind::Guided | LaneKind::GuidedVideo | LaneKind::Forecaster => {
            a.sampler != b.sampler || guidance()
        }
    }
}

/// Takes a kept frame into the figures again, if it entered them.
fn read_again(
    engine: &Engine,
    figures: &mut LaneFigures,
    set: &FrameSet,
    kind: LaneKind,
    one_start: bool,
) {
    let lane = set.lanes[kind.index()].as_ref();
    let Some(lane) = lane.filter(|l| blow_up(engine, kind, &l.members).is_none()) else {
        return;
    };
    let truth = set.lanes[LaneKind::Truth.index()].as_ref();
    let frame = Frame {
        index: set.index,
        members: &lane.members,
        truth: truth.and_then(|t| t.members.first()).filter(|_| one_start),
        trace: &lane.trace,
    };
    figures.push(frame, &mut lane.stats.clone());
}

/// The best forecast of each member's next frame (the solver's without forcing, or the known mean); none where truth is
/// recorded.
pub(super) fn unforced(engine: &mut Engine, members: &[Arc<[f32]>]) -> Vec<Vec<f32>> {
    match &mut engine.world {
        World::Solver(solver) => members.iter().map(|x| solver.unforced_frame(x)).collect(),
        World::Recorded(_) => Vec::new(),
        World::Process(process) => members
            .iter()
            .map(|x| {
                let next = process.forecast(&engine.normaliser.normalised(x));
                engine.normaliser.physical(&next).0
            })
            .collect(),
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
        ..LaneStats::UNKNOWN
    }
}

/// Whether a frame of a lane has left the data. Recorded days never do: they may be another climate's.
pub(crate) fn blow_up(engine: &Engine, kind: LaneKind, members: &[Arc<[f32]>]) -> Option<BlowUp> {
    match &engine.climate {
        Some(_) if kind == LaneKind::Truth => None,
        Some(climate) => rain_blow_up(climate, members),
        None => turbulence_blow_up(members, engine.card.truth.std),
    }
}

fn rain_blow_up(climate: &Rc<Climate>, members: &[Arc<[f32]>]) -> Option<BlowUp> {
    let what = members.iter().find_map(|m| climate.blow_up(m))?;
    Some(BlowUp { what })
}

fn turbulence_blow_up(members: &[Arc<[f32]>], data_std: f64) -> Option<BlowUp> {
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
        assert!(turbulence_blow_up(std::slice::from_ref(&calm), 1.0).is_none());
        let loud: Arc<[f32]> = calm.iter().map(|v| v * 2.5).collect();
        let broken: Arc<[f32]> = calm.iter().map(|v| v / 0.0).collect();
        assert!(turbulence_blow_up(&[calm, loud], 1.0).is_some());
        assert!(turbulence_blow_up(&[broken], 1.0).is_some());
    }
}
