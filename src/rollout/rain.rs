//! Figures of one lane of rain: of each day, and over the rollout so far.

use std::rc::Rc;
use std::sync::Arc;

use crate::data::Date;
use crate::metrics::rain::PastDay;
use crate::metrics::{RainGrid, RainStream, RainSummary};

use super::climate::Climate;
use super::frame::{LaneDiagnostics, LaneStats, RainFigures, RainStats};
use super::settings::LaneKind;

/// A day of a lane by its frame number.
pub(super) type DayOf<'a> = &'a dyn Fn(usize) -> Option<PastDay>;

/// Days that are read again at once where settings that were changed are gone back to.
const READ_AGAIN: usize = 1500;

/// Sums over members and days, beside those of [`RainStream`].
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    frames: f64,
    mean: f64,
    square: f64,
    capped: f64,
}

/// The figures of one lane; start days are seen as history but add nothing.
#[derive(Clone)]
pub struct RainLane {
    climate: Rc<Climate>,
    grid: RainGrid,
    stream: RainStream,
    /// Number of the first frame that entered.
    begun: usize,
    /// The same of the whole rollout, and the frames with which the figures began anew.
    first: usize,
    begins: Vec<usize>,
    sums: Sums,
    last: Option<Vec<Arc<[f32]>>>,
    /// Recorded days are never held at a cap.
    counts_caps: bool,
}

/// Month of a date, 0 for January.
pub(super) fn month0(date: Date) -> usize {
    usize::from(date.month.clamp(1, 12)) - 1
}

fn views(members: &[Arc<[f32]>]) -> Vec<&[f32]> {
    members.iter().map(|m| &m[..]).collect()
}

impl RainLane {
    /// A lane without a day.
    pub fn new(climate: &Rc<Climate>, kind: LaneKind) -> Self {
        Self {
            grid: RainGrid::new(&climate.globe),
            stream: stream(climate),
            climate: Rc::clone(climate),
            begun: 0,
            first: 0,
            begins: Vec::new(),
            sums: Sums::default(),
            last: None,
            counts_caps: kind != LaneKind::Truth,
        }
    }

    /// Forgets everything; `last` is the frame before the next one.
    pub fn begin(&mut self, last: Option<&Vec<Arc<[f32]>>>) {
        self.stream = stream(&self.climate);
        self.sums = Sums::default();
        self.begins.clear();
        self.last = last.cloned();
    }

    /// The figures begin with frame number `frame`, the next one: those before it were made under other settings.
    pub fn begin_anew(&mut self, frame: usize) {
        if self.stream.days() > 0 {
            self.begins.push(frame);
            self.stream = stream(&self.climate);
            self.sums = Sums::default();
        }
    }

    /// Takes a start day.
    pub fn push_start(&mut self, members: &[Arc<[f32]>]) -> (LaneStats, Option<Arc<RainStats>>) {
        let stats = self.day(members);
        self.last = Some(members.to_vec());
        stats
    }

    /// The next day does not follow from the last one.
    pub fn begin_again(&mut self) {
        self.last = None;
    }

    /// Takes frame number `frame`, of the day `date`.
    pub fn push(
        &mut self,
        members: &[Arc<[f32]>],
        frame: usize,
        date: Date,
    ) -> (LaneStats, Option<Arc<RainStats>>) {
        let stats = self.day(members);
        self.add(members, frame, date);
        self.last = Some(members.to_vec());
        stats
    }

    /// The same without the figures of the day.
    pub fn add(&mut self, members: &[Arc<[f32]>], frame: usize, date: Date) {
        if self.stream.days() == 0 && self.begins.is_empty() {
            self.first = frame;
        }
        self.add_of_month(members, frame, month0(date));
    }

    fn add_of_month(&mut self, members: &[Arc<[f32]>], frame: usize, month0: usize) {
        if self.stream.days() == 0 {
            self.begun = frame;
        }
        if self.stream.push(&views(members), month0) {
            self.count(members, 1.0);
        }
    }

    /// What members add to the sums, or take from them.
    fn count(&mut self, members: &[Arc<[f32]>], sign: f64) {
        for m in members {
            let (mean, square) = self.moments(m);
            self.sums.frames += sign;
            self.sums.mean += sign * mean;
            self.sums.square += sign * square;
        }
        self.sums.capped += sign * self.capped(members) as f64;
    }

    /// Area-weighted mean and mean square.
    fn moments(&self, frame: &[f32]) -> (f64, f64) {
        let (mut mean, mut square) = (0.0, 0.0);
        let nx = self.climate.globe.nx;
        for (row, w) in frame.chunks_exact(nx).zip(self.grid.row_weights()) {
            for &v in row {
                let v = f64::from(v);
                mean += w * v;
                square += w * v * v;
            }
        }
        let n = frame.len().max(1) as f64;
        (mean / n, square / n)
    }

    /// Area-weighted mean square difference.
    fn change(&self, a: &[f32], b: &[f32]) -> f64 {
        let nx = self.climate.globe.nx;
        let mut sum = 0.0;
        for ((a, b), w) in a
            .chunks_exact(nx)
            .zip(b.chunks_exact(nx))
            .zip(self.grid.row_weights())
        {
            let row: f64 = a
                .iter()
                .zip(b)
                .map(|(&x, &y)| (f64::from(x) - f64::from(y)).powi(2))
                .sum();
            sum += w * row;
        }
        sum / a.len().max(1) as f64
    }

    fn capped(&self, members: &[Arc<[f32]>]) -> usize {
        if !self.counts_caps {
            return 0;
        }
        members.iter().map(|m| self.climate.capped(m)).sum()
    }

    /// Figures of one day.
    pub fn day(&self, members: &[Arc<[f32]>]) -> (LaneStats, Option<Arc<RainStats>>) {
        let n = members.len().max(1) as f64;
        let (mut mean, mut square) = (0.0, 0.0);
        for m in members {
            let (a, b) = self.moments(m);
            mean += a / n;
            square += b / n;
        }
        let change = self.last.as_ref().map_or(f64::NAN, |last| {
            let sum: f64 = members
                .iter()
                .zip(last)
                .map(|(a, b)| self.change(a, b))
                .sum();
            (sum / n).sqrt()
        });
        let rain = self.grid.day(&views(members)).map(|day| {
            Arc::new(RainStats {
                global_mean: day.global_mean,
                wet_fraction: day.wet_fraction,
                percentiles: day.percentiles,
                zonal_mean: day.zonal_mean,
                capped: self.capped(members),
            })
        });
        let stats = LaneStats {
            mean,
            std: (square - mean * mean).max(0.0).sqrt(),
            rmse_to_previous: change,
            // No solver that could say what should have followed.
            dynamics_skill: f64::NAN,
            ..LaneStats::UNKNOWN
        };
        (stats, rain)
    }

    /// Hovmoeller row of a frame: area-weighted mean over 10S-10N.
    pub fn hovmoeller(&self, frame: &[f32]) -> Vec<f32> {
        self.grid.hovmoeller(frame)
    }

    /// Forgets the frames from number `next` on; `day` gives the days before and after it. Where one is gone, the
    /// figures begin anew.
    pub fn go_back(&mut self, next: usize, day: DayOf<'_>) {
        let known = self.begins.len();
        self.begins.retain(|begin| *begin < next);
        let cut = next <= self.begun && next > self.first && self.begins.is_empty();
        if self.begins.len() < known || cut {
            self.read_again(next, day);
            return;
        }
        let kept = next.saturating_sub(self.begun);
        for i in kept..self.stream.days() {
            if let Some((members, _)) = day(self.begun + i) {
                self.count(&members, -1.0);
            }
        }
        let begun = self.begun;
        if kept == 0 || !self.stream.truncate(kept, &|i| day(begun + i)) {
            self.begin(None);
        }
        self.last = next
            .checked_sub(1)
            .and_then(day)
            .map(|(members, _)| members);
    }

    /// Takes the days before number `next` in again, since the figures began anew last: at most the last
    /// [`READ_AGAIN`] of them.
    fn read_again(&mut self, next: usize, day: DayOf<'_>) {
        let since = self.begins.last().copied().unwrap_or(self.first);
        self.stream = stream(&self.climate);
        self.sums = Sums::default();
        for frame in since.max(next.saturating_sub(READ_AGAIN))..next {
            match day(frame) {
                Some((members, month0)) => self.add_of_month(&members, frame, month0),
                None => {
                    self.stream = stream(&self.climate);
                    self.sums = Sums::default();
                }
            }
        }
        self.last = next
            .checked_sub(1)
            .and_then(day)
            .map(|(members, _)| members);
    }

    /// The figures so far, as [`RainStream`] gives them.
    pub fn summary(&self) -> RainSummary {
        self.stream.figures()
    }

    /// The figures so far; `data_std` is the data's standard deviation.
    pub fn figures(&self, data_std: f64) -> LaneDiagnostics {
        let s = self.stream.figures();
        let t = &self.sums;
        let mean = t.mean / t.frames;
        let cells = self.climate.globe.len() as f64;
        LaneDiagnostics {
            acf: s.acf,
            dynamics_skill: f64::NAN,
            a: f64::NAN,
            residual: f64::NAN,
            std_ratio: if s.days == 0 {
                f64::NAN
            } else {
                (t.square / t.frames - mean * mean).max(0.0).sqrt() / data_std
            },
            frames: s.days,
            rain: (s.days > 0).then(|| {
                Arc::new(RainFigures {
                    global_mean: s.global_mean,
                    wet_fraction: s.wet_fraction,
                    percentiles: s.percentiles,
                    tropics_acf: s.tropics_acf,
                    global_acf: s.global_acf,
                    zonal_mean: s.zonal_mean,
                    capped: t.capped / (t.frames * cells),
                })
            }),
            ..LaneDiagnostics::default()
        }
    }
}

/// A stream with the model's climatology; without autocorrelation where that does not fit (tables are checked before).
fn stream(climate: &Climate) -> RainStream {
    RainStream::with_climatology(&climate.globe, &climate.mean)
        .unwrap_or_else(|| RainStream::new(&climate.globe))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::{self, DeviceRequest};
    use crate::model::Model;
    use crate::rollout::engine::Engine;

    /// Figures tell of the days since the settings changed; gone back before that change, of the days before it.
    #[test]
    fn figures_begin_anew_and_going_back_finds_the_ones_before() {
        let compute = device::select(DeviceRequest::Cpu).unwrap();
        let engine = Engine::new(&Model::open("precipitation").unwrap(), compute).unwrap();
        let climate = engine.climate.as_ref().unwrap();
        let recording = engine.world.recording().unwrap();
        let days: Vec<_> = (0..12)
            .map(|i| (vec![recording.day(i).unwrap()], recording.date(i)))
            .collect();
        let day = |i: usize| days.get(i).map(|(m, date)| (m.clone(), month0(*date)));
        let of = |range: std::ops::Range<usize>| {
            let mut lane = RainLane::new(climate, LaneKind::Guided);
            for i in range {
                lane.push(&days[i].0, i, days[i].1);
            }
            lane.figures(1.0)
        };
        let same_within = |within: f64, a: &LaneDiagnostics, b: &LaneDiagnostics| {
            assert_eq!(a.frames, b.frames);
            let close = |x: f64, y: f64| (x - y).abs() < within || x.is_nan() && y.is_nan();
            for (lag, (x, y)) in a.acf.iter().zip(&b.acf).enumerate() {
                assert!(close(*x, *y), "lag {lag}: {x} {y}");
            }
            assert!(close(a.std_ratio, b.std_ratio));
            let (a, b) = (a.rain.as_ref().unwrap(), b.rain.as_ref().unwrap());
            assert!(close(a.global_mean, b.global_mean) && close(a.wet_fraction, b.wet_fraction));
        };
        let same = |a: &LaneDiagnostics, b: &LaneDiagnostics| same_within(1e-9, a, b);
        let mut lane = RainLane::new(climate, LaneKind::Guided);
        let add = |lane: &mut RainLane, range: std::ops::Range<usize>| {
            for (i, (members, date)) in days.iter().enumerate().skip(range.start).take(range.len())
            {
                lane.push(members, i, *date);
            }
        };
        add(&mut lane, 0..5);
        lane.begin_anew(5);
        add(&mut lane, 5..10);
        same(&lane.figures(1.0), &of(5..10));
        let mut back = lane.clone();
        back.go_back(8, &day);
        // Days that are dropped leave rounding behind, which decides whether cells that stayed dry count.
        same_within(2e-3, &back.figures(1.0), &of(5..8));
        back.go_back(4, &day);
        same(&back.figures(1.0), &of(0..4));
        // And on from there.
        back.push(&days[4].0, 4, days[4].1);
        same(&back.figures(1.0), &of(0..5));
        // A day that is gone: from the next one on.
        let gone = |i: usize| (i != 2).then(|| day(i)).flatten();
        lane.go_back(5, &gone);
        same(&lane.figures(1.0), &of(3..5));
    }
}
