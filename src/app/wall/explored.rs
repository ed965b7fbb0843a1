//! What has been tried in this session: figures by strength and history length, from walls and from the lanes.

use std::sync::{Arc, Weak};

use crate::metrics::RainStream;
use crate::rollout::diagnostics::LaneStream;
use crate::rollout::frame::FrameSet;
use crate::rollout::protocol::{Archive, ModelFacts};
use crate::rollout::settings::{LaneKind, Settings};
use crate::rollout::wall::{TileFigures, figures::acf_error};

/// Runs that are remembered.
const MOST: usize = 2048;

/// A stretch of the lanes is cut here, so that its sums stay short.
const LONGEST_STRETCH: usize = 1000;

/// Frames of the lanes that are read at a time: the window does not wait.
const AT_A_TIME: usize = 8;

/// Settings without what the map shows, and without what does not touch the guided lane.
fn under(settings: &Settings) -> Settings {
    let mut s = settings.clone();
    s.lanes = Settings::default().lanes;
    s.guidance.strength = 0.0;
    s.guidance.history = 0;
    s.guidance.video_strength = 0.0;
    s
}

/// Where figures come from; each source counts once.
#[derive(Debug, Clone)]
enum Source {
    /// Plan and tile of a wall.
    Wall(u64, usize),
    /// First frame of a stretch of the guided lane.
    Lanes(Weak<FrameSet>),
}

impl PartialEq for Source {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Wall(a, i), Self::Wall(b, j)) => (a, i) == (b, j),
            (Self::Lanes(a), Self::Lanes(b)) => a.ptr_eq(b),
            _ => false,
        }
    }
}

/// Figures of one run under constant settings.
#[derive(Debug, Clone)]
struct Run {
    source: Source,
    model: String,
    under: Settings,
    strength: f32,
    history: usize,
    frames: usize,
    acf: Vec<f64>,
    stopped: bool,
}

/// All runs under one strength and history length.
#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    /// Guidance strength.
    pub strength: f32,
    /// History length.
    pub history: usize,
    /// Frames of all runs together.
    pub frames: usize,
    /// Error of the autocorrelation, mean over runs with their frames as weights; `None` where frames are too few.
    pub error: Option<f64>,
    /// Whether a run left the data.
    pub stopped: bool,
}

/// The memory of a session.
#[derive(Debug, Default)]
pub struct Explored {
    runs: Vec<Run>,
    lanes: Stretches,
}

impl Explored {
    fn put(&mut self, run: Run) {
        match self.runs.iter_mut().find(|r| r.source == run.source) {
            Some(known) => *known = run,
            None => {
                if self.runs.len() >= MOST {
                    self.runs.remove(0);
                }
                self.runs.push(run);
            }
        }
    }

    /// Takes the figures of a tile of a wall.
    pub fn wall(
        &mut self,
        model: &str,
        (plan, tile): (u64, usize),
        settings: &Settings,
        figures: &TileFigures,
        stopped: bool,
    ) {
        if figures.frames > 0 || stopped {
            self.put(Run {
                source: Source::Wall(plan, tile),
                model: model.to_owned(),
                under: under(settings),
                strength: settings.guidance.strength,
                history: settings.guidance.history,
                frames: figures.frames,
                acf: figures.acf.clone(),
                stopped,
            });
        }
    }

    /// Reads what is new in the guided lane; cheap, once a window frame.
    pub fn listen(&mut self, archive: &Archive, facts: &ModelFacts) {
        for run in self.lanes.read(archive, facts) {
            self.put(run);
        }
    }

    /// The cells of a model under the settings in force but strength and history length.
    pub fn cells(&self, model: &str, settings: &Settings, truth: &[f64]) -> Vec<Cell> {
        let wanted = under(settings);
        let mut groups: Vec<Vec<&Run>> = Vec::new();
        for run in &self.runs {
            if run.model != model || run.under != wanted {
                continue;
            }
            let same = |g: &&mut Vec<&Run>| {
                g.first()
                    .is_some_and(|r| r.strength == run.strength && r.history == run.history)
            };
            match groups.iter_mut().find(same) {
                Some(group) => group.push(run),
                None => groups.push(vec![run]),
            }
        }
        let cell = |group: Vec<&Run>| {
            let first = group.first()?;
            Some(Cell {
                strength: first.strength,
                history: first.history,
                frames: group.iter().map(|r| r.frames).sum(),
                error: acf_error(&mean_acf(&group), truth),
                stopped: group.iter().any(|r| r.stopped),
            })
        };
        groups.into_iter().filter_map(cell).collect()
    }

    /// Number of runs that other settings hide.
    pub fn hidden(&self, model: &str, settings: &Settings) -> usize {
        let wanted = under(settings);
        let other = |r: &&Run| r.model == model && r.under != wanted;
        self.runs.iter().filter(other).count()
    }
}

/// Mean by lag, weighted with the frames; of the runs that know the lag.
fn mean_acf(runs: &[&Run]) -> Vec<f64> {
    let lags = runs.iter().map(|r| r.acf.len()).max().unwrap_or(0);
    let mean = |lag: usize| {
        let (mut sum, mut weight) = (0.0, 0.0);
        for run in runs {
            if let Some(v) = run.acf.get(lag).filter(|v| v.is_finite()) {
                sum += v * run.frames as f64;
                weight += run.frames as f64;
            }
        }
        sum / weight
    };
    (0..lags).map(mean).collect()
}

/// The stretches of constant settings of the guided lane.
#[derive(Debug, Default)]
struct Stretches {
    epoch: u64,
    last: Option<Arc<FrameSet>>,
    current: Option<Stretch>,
}

#[derive(Debug)]
struct Stretch {
    first: Weak<FrameSet>,
    settings: Settings,
    sums: Sums,
    frames: usize,
}

#[derive(Debug)]
enum Sums {
    Flow(Box<LaneStream>),
    Rain(Box<RainStream>),
}

impl Stretches {
    fn read(&mut self, archive: &Archive, facts: &ModelFacts) -> Vec<Run> {
        let grew = self.epoch == archive.epoch
            && self.last.as_ref().is_some_and(|last| {
                let first = archive.frames.first().map_or(0, |f| f.index);
                let at = last.index.checked_sub(first);
                at.and_then(|i| archive.frames.get(i))
                    .is_some_and(|f| Arc::ptr_eq(f, last))
            });
        if !grew {
            *self = Self {
                epoch: archive.epoch,
                ..Self::default()
            };
        }
        let from = match (&self.last, archive.frames.first()) {
            (Some(last), Some(first)) => last.index + 1 - first.index,
            _ => 0,
        };
        let mut out: Vec<Run> = Vec::new();
        for frame in archive.frames.iter().skip(from).take(AT_A_TIME) {
            if let Some(run) = self.push(frame, facts) {
                out.retain(|r| r.source != run.source);
                out.push(run);
            }
            self.last = Some(Arc::clone(frame));
        }
        out
    }

    /// Takes a frame; gives the stretch that it belongs to.
    fn push(&mut self, frame: &Arc<FrameSet>, facts: &ModelFacts) -> Option<Run> {
        let lane = frame.lanes[LaneKind::Guided.index()].as_ref();
        // Start frames were not sampled.
        let Some(lane) = lane.filter(|l| !l.trace.sigma.is_empty()) else {
            self.current = None;
            return None;
        };
        let settings = Settings {
            lanes: Settings::default().lanes,
            ..(*frame.settings).clone()
        };
        let goes_on = self.current.as_ref().is_some_and(|s| {
            under(&s.settings) == under(&settings)
                && s.settings.guidance.strength == settings.guidance.strength
                && s.settings.guidance.history == settings.guidance.history
                && s.frames < LONGEST_STRETCH
        });
        if !goes_on {
            let sums = match &facts.globe {
                Some(g) => Sums::Rain(Box::new(RainStream::with_climatology(
                    &g.grid,
                    &g.climatology,
                )?)),
                None => Sums::Flow(Box::default()),
            };
            self.current = Some(Stretch {
                first: Arc::downgrade(frame),
                settings,
                sums,
                frames: 0,
            });
        }
        let stretch = self.current.as_mut()?;
        stretch.frames += 1;
        let acf = match &mut stretch.sums {
            Sums::Flow(s) => {
                s.push(&lane.members, &[]);
                s.figures(facts.data_std).acf
            }
            Sums::Rain(s) => {
                let month = usize::from(frame.date?.month.clamp(1, 12)) - 1;
                let views: Vec<&[f32]> = lane.members.iter().map(|m| &m[..]).collect();
                s.push(&views, month);
                s.figures().tropics_acf
            }
        };
        Some(Run {
            source: Source::Lanes(stretch.first.clone()),
            model: facts.name.clone(),
            under: under(&stretch.settings),
            strength: stretch.settings.guidance.strength,
            history: stretch.settings.guidance.history,
            frames: stretch.frames,
            acf,
            stopped: false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(frames: usize, value: f64) -> TileFigures {
        TileFigures {
            frames,
            acf: vec![value; 11],
            ..TileFigures::default()
        }
    }

    #[test]
    fn runs_of_one_cell_are_pooled_and_each_source_counts_once() {
        let mut map = Explored::default();
        let s = Settings::default();
        map.wall("v", (1, 0), &s, &figures(10, 0.5), false);
        map.wall("v", (1, 0), &s, &figures(30, 0.5), false);
        map.wall("v", (2, 3), &s, &figures(10, 0.9), false);
        let truth = vec![0.5; 11];
        let cells = map.cells("v", &s, &truth);
        assert_eq!(cells.len(), 1);
        assert_eq!((cells[0].frames, cells[0].history), (40, 3));
        assert!((cells[0].error.unwrap() - 0.1).abs() < 1e-12);
        // Strength and history are the map's axes; everything else must be alike.
        let mut other = s.clone();
        (other.guidance.strength, other.guidance.history) = (0.2, 1);
        map.wall("v", (3, 0), &other, &figures(5, 0.5), true);
        assert_eq!(map.cells("v", &s, &truth).len(), 2);
        other.sampler.steps = 20;
        map.wall("v", (4, 0), &other, &figures(5, 0.5), false);
        assert_eq!(map.cells("v", &s, &truth).len(), 2);
        assert_eq!(map.hidden("v", &s), 1);
        assert!(map.cells("w", &s, &truth).is_empty());
    }
}
