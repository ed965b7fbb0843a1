//! Time series of the diagnostics, kept beside the archive and extended as it grows.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use crate::rollout::frame::FrameSet;
use crate::rollout::protocol::Archive;
use crate::rollout::settings::Settings;

use super::trace::Trace;
use super::words;

/// Points `[time, value]` of one lane.
#[derive(Debug, Clone, Default)]
pub struct LaneSeries {
    /// Spatial standard deviation.
    pub std: Trace,
    /// Difference from the previous frame.
    pub rmse: Trace,
    /// Dynamics skill of single steps.
    pub skill: Trace,
    /// Global mean of rain, mm/day.
    pub global_mean: Trace,
    /// Its change from the day before.
    pub global_mean_change: Trace,
    /// Share of the area where it rains, percent.
    pub wet: Trace,
    /// Kinetic energy per unit area.
    pub energy: Trace,
    /// Its change from the frame before.
    pub energy_change: Trace,
    /// Enstrophy per unit area.
    pub enstrophy: Trace,
    /// Its change from the frame before.
    pub enstrophy_change: Trace,
    /// Power at fine scales over truth's, as a factor.
    pub fine: Trace,
    /// Fair CRPS of the members.
    pub crps: Trace,
    /// Spread among the members.
    pub spread: Trace,
    /// Error of the members' mean.
    pub skill_of_mean: Trace,
}

/// Where settings changed in the rollout.
#[derive(Debug, Clone)]
pub struct Change {
    /// First frame made with the new settings.
    pub frame: usize,
    /// What is new ("λ 0.50", "m 1").
    pub what: String,
    /// From what to what ("λ 1.00 → 0.50").
    pub detail: String,
}

/// Frames read back from disk in one go: the window does not wait for a long rollout.
const AT_ONCE: usize = 48;

/// What is remembered of a frame whose points are in the series.
#[derive(Debug, Clone)]
struct Known {
    /// See [`print`]; `None` where the frame could not be read.
    print: Option<u64>,
    time: f64,
    settings: Option<Arc<Settings>>,
}

/// What tells a frame from another one with its number, in memory and read back from disk alike: above all how long it
/// took to make.
fn print(set: &FrameSet) -> u64 {
    let mut hasher = DefaultHasher::new();
    (set.index, set.generation, set.edited, bits(set.seconds)).hash(&mut hasher);
    for lane in &set.lanes {
        let stats = lane
            .as_ref()
            .map(|l| (bits(l.stats.mean), bits(l.stats.std)));
        stats.hash(&mut hasher);
    }
    hasher.finish()
}

/// Equal for all values that are no number.
fn bits(value: f64) -> Option<u64> {
    (!value.is_nan()).then(|| value.to_bits())
}

/// All series.
#[derive(Debug, Default)]
pub struct Series {
    /// Number of the first frame in `known`.
    start: usize,
    /// The frames whose points are here, in order and without gap.
    known: Vec<Known>,
    /// Frames in memory when last looked at, to see at once whether the archive only grew.
    seen: Vec<Arc<FrameSet>>,
    /// Frames on disk are still to be read.
    behind: bool,
    /// Whether a frame that could not be read was told of.
    told: bool,
    /// By lane.
    pub lanes: [LaneSeries; crate::rollout::settings::LANES],
    /// In order.
    pub changes: Vec<Change>,
}

impl Series {
    /// Whether frames on disk are still to be read: [`Self::update`] then goes on, whether or not the archive changed.
    pub fn is_behind(&self) -> bool {
        self.behind
    }

    /// Brings the series up to date with the archive: what it has in common with the frames known so far stays (another
    /// branch of the same tree, a rollout that went back), the rest is read anew. Returns a frame on disk that could not be
    /// read, once.
    pub fn update(&mut self, archive: &Archive) -> Option<usize> {
        let Some(first) = archive.frames.first().map(|f| f.index) else {
            *self = Self::default();
            return None;
        };
        if !self.grew(archive, first) {
            self.cut(self.common(archive, first), archive.oldest());
        }
        self.seen.clone_from(&archive.frames);
        let lost = self.catch_up(archive, first);
        if !self.behind {
            let next = self.next();
            for set in archive.frames.iter().skip(next.saturating_sub(first)) {
                self.push(set);
            }
        }
        lost.filter(|_| !std::mem::replace(&mut self.told, true))
    }

    /// Number of the next frame.
    fn next(&self) -> usize {
        self.start + self.known.len()
    }

    /// Whether the archive has the frames seen last, but for the oldest ones, which leave the memory.
    fn grew(&self, archive: &Archive, first: usize) -> bool {
        let before = self.seen.first().map_or(first, |f| f.index);
        let Some(seen) = first
            .checked_sub(before)
            .and_then(|gone| self.seen.get(gone..))
        else {
            return false;
        };
        let mut pairs = seen.iter().zip(&archive.frames);
        !seen.is_empty()
            && seen.len() <= archive.frames.len()
            && pairs.all(|(a, b)| Arc::ptr_eq(a, b))
    }

    /// Number of the first frame that differs from the one known. Frames are made one from another: where one is the same,
    /// so are all before it.
    fn common(&self, archive: &Archive, first: usize) -> usize {
        let same = |set: &FrameSet| {
            let at = set.index.checked_sub(self.start);
            let known = at.and_then(|at| self.known.get(at)?.print);
            known == Some(print(set))
        };
        let in_memory = archive.frames.iter().take_while(|set| same(set)).count();
        if in_memory > 0 {
            return first + in_memory;
        }
        let (mut from, mut to) = (archive.oldest(), first);
        while from < to {
            let middle = usize::midpoint(from, to);
            match archive.load(middle) {
                Some(set) if same(&set) => from = middle + 1,
                _ => to = middle,
            }
        }
        from
    }

    /// Forgets the frames from `from` on; all of them where nothing is in common with an archive whose first frame is
    /// `oldest`.
    fn cut(&mut self, from: usize, oldest: usize) {
        if from <= oldest.max(self.start) {
            *self = Self {
                start: oldest,
                ..Self::default()
            };
        } else if let Some(first_gone) = self.known.get(from - self.start) {
            let time = first_gone.time;
            self.known.truncate(from - self.start);
            for series in &mut self.lanes {
                for points in series.all() {
                    points.cut(time);
                }
            }
            self.changes.retain(|c| c.frame < from);
            self.told = false;
        }
    }

    /// Reads frames back from disk, as far as they come before those in memory.
    fn catch_up(&mut self, archive: &Archive, first: usize) -> Option<usize> {
        let mut lost = None;
        let end = first.min(self.next() + AT_ONCE);
        for index in self.next()..end {
            if let Some(set) = archive.load(index) {
                self.push(&set);
                continue;
            }
            lost = lost.or(Some(index));
            let time = self.known.last().map_or(f64::NEG_INFINITY, |k| k.time);
            self.known.push(Known {
                print: None,
                time: time.next_up(),
                settings: None,
            });
        }
        self.behind = self.next() < first;
        lost
    }

    fn push(&mut self, frame: &FrameSet) {
        let before = self.known.last();
        let unread = before.is_some_and(|k| k.print.is_none());
        for (series, lane) in self.lanes.iter_mut().zip(&frame.lanes) {
            if unread {
                series.interrupt(frame.time);
            }
            let Some(lane) = lane else {
                series.interrupt(frame.time);
                continue;
            };
            let s = &lane.stats;
            for (points, value) in [
                (&mut series.std, s.std),
                (&mut series.rmse, s.rmse_to_previous),
                (&mut series.skill, s.dynamics_skill),
                (&mut series.fine, 10f64.powf(s.fine)),
                (&mut series.crps, s.crps),
                (&mut series.spread, s.spread),
                (&mut series.skill_of_mean, s.skill),
            ] {
                if value.is_finite() {
                    points.push([frame.time, value]);
                }
            }
            for (points, changes, value) in [
                (&mut series.energy, &mut series.energy_change, s.energy),
                (
                    &mut series.enstrophy,
                    &mut series.enstrophy_change,
                    s.enstrophy,
                ),
            ] {
                with_change(points, changes, frame.time, value);
            }
        }
        for (series, lane) in self.lanes.iter_mut().zip(&frame.lanes) {
            let Some(rain) = lane.as_ref().and_then(|l| l.rain.as_ref()) else {
                continue;
            };
            with_change(
                &mut series.global_mean,
                &mut series.global_mean_change,
                frame.time,
                rain.global_mean,
            );
            series.wet.push([frame.time, 100.0 * rain.wet_fraction]);
        }
        if let Some(before) = before.and_then(|k| k.settings.as_ref())
            && frame.index >= 4
            && *before != frame.settings
        {
            let parts = words::changes(before, &frame.settings);
            let short: Vec<&str> = parts.iter().filter_map(|c| c.short.as_deref()).collect();
            if !short.is_empty() {
                self.changes.push(Change {
                    frame: frame.index,
                    what: short.join(", "),
                    detail: words::listed(&parts),
                });
            }
        }
        self.known.push(Known {
            print: Some(print(frame)),
            time: frame.time,
            settings: Some(Arc::clone(&frame.settings)),
        });
    }
}

/// A value, and its change from the last one.
fn with_change(points: &mut Trace, changes: &mut Trace, time: f64, value: f64) {
    if !value.is_finite() {
        return;
    }
    if let Some([_, last]) = points.last().filter(|p| p[1].is_finite()) {
        changes.push([time, value - last]);
    }
    points.push([time, value]);
}

impl LaneSeries {
    /// A lane that is off: its lines end here, and begin anew when it is on again.
    fn interrupt(&mut self, time: f64) {
        for points in self.all() {
            if points.last().is_some_and(|p| p[1].is_finite()) {
                points.push([time, f64::NAN]);
            }
        }
    }

    fn all(&mut self) -> [&mut Trace; 14] {
        [
            &mut self.std,
            &mut self.rmse,
            &mut self.skill,
            &mut self.global_mean,
            &mut self.global_mean_change,
            &mut self.wet,
            &mut self.energy,
            &mut self.energy_change,
            &mut self.enstrophy,
            &mut self.enstrophy_change,
            &mut self.fine,
            &mut self.crps,
            &mut self.spread,
            &mut self.skill_of_mean,
        ]
    }
}

/// The unbroken pieces of a line: it is interrupted where a value is missing.
pub fn pieces(points: &[[f64; 2]]) -> impl Iterator<Item = &[[f64; 2]]> {
    let split = points.split(|p| !p[1].is_finite());
    split.filter(|piece| !piece.is_empty())
}

/// At most two points a column of pixels: the smallest and the largest, in the order in which they came.
pub fn decimate(points: &[[f64; 2]], columns: usize) -> Vec<[f64; 2]> {
    if points.len() <= 2 * columns || columns == 0 {
        return points.to_vec();
    }
    let per = points.len().div_ceil(columns);
    points
        .chunks(per)
        .flat_map(|chunk| {
            let by = |a: &&[f64; 2], b: &&[f64; 2]| a[1].total_cmp(&b[1]);
            let (lo, hi) = (chunk.iter().min_by(by), chunk.iter().max_by(by));
            let mut pair: Vec<[f64; 2]> = lo.into_iter().chain(hi).copied().collect();
            pair.sort_by(|a, b| a[0].total_cmp(&b[0]));
            pair
        })
        .collect()
}

#[cfg(test)]
mod tests;
