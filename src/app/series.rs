//! Time series of the diagnostics, kept beside the archive and extended as it grows.

use std::sync::Arc;

use crate::rollout::frame::FrameSet;
use crate::rollout::protocol::Archive;

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

/// All series.
#[derive(Debug, Default)]
pub struct Series {
    epoch: u64,
    /// Frames that have been read, to see whether the archive only grew.
    read: Vec<Arc<FrameSet>>,
    /// By lane.
    pub lanes: [LaneSeries; crate::rollout::settings::LANES],
    /// In order.
    pub changes: Vec<Change>,
}

impl Series {
    /// Brings the series up to date with the archive.
    pub fn update(&mut self, archive: &Archive) {
        // The oldest frames of a long run leave the memory; their points stay.
        let gone = match (self.read.first(), archive.frames.first()) {
            (Some(a), Some(b)) => b.index.saturating_sub(a.index),
            _ => 0,
        };
        let known = self.read.get(gone..).unwrap_or_default();
        let grew = self.epoch == archive.epoch
            && !(known.is_empty() && gone > 0)
            && known.len() <= archive.frames.len()
            && known
                .iter()
                .zip(&archive.frames)
                .all(|(a, b)| Arc::ptr_eq(a, b));
        if grew {
            self.read.drain(..gone);
        } else {
            *self = Self {
                epoch: archive.epoch,
                ..Self::default()
            };
        }
        for frame in &archive.frames[self.read.len()..] {
            self.push(frame);
            self.read.push(Arc::clone(frame));
        }
    }

    fn push(&mut self, frame: &Arc<FrameSet>) {
        for (series, lane) in self.lanes.iter_mut().zip(&frame.lanes) {
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
        if let Some(before) = self.read.last()
            && before.index >= 3
            && before.settings != frame.settings
        {
            let parts = words::changes(&before.settings, &frame.settings);
            let short: Vec<&str> = parts.iter().filter_map(|c| c.short.as_deref()).collect();
            if !short.is_empty() {
                self.changes.push(Change {
                    frame: frame.index,
                    what: short.join(", "),
                    detail: words::listed(&parts),
                });
            }
        }
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
        for points in [
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
        ] {
            if points.last().is_some_and(|p| p[1].is_finite()) {
                points.push([time, f64::NAN]);
            }
        }
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
mod tests {
    use super::*;

    fn frames(range: std::ops::Range<usize>) -> Vec<Arc<FrameSet>> {
        let settings = Arc::new(crate::rollout::settings::Settings::default());
        let frame = |index| FrameSet {
            index,
            time: index as f64,
            date: None,
            lanes: [const { None }; crate::rollout::settings::LANES],
            settings: Arc::clone(&settings),
            steps: Vec::new(),
            generation: 1,
            seconds: 0.1,
            ..FrameSet::default()
        };
        range.map(|i| Arc::new(frame(i))).collect()
    }

    #[test]
    fn points_of_frames_that_left_the_memory_stay() {
        let all = frames(0..30);
        let archive = |from: usize, to: usize| Archive {
            frames: all[from..to].to_vec(),
            epoch: 1,
            ..Archive::default()
        };
        let mut series = Series::default();
        series.update(&archive(0, 20));
        series.lanes[0].std.push([0.0, 1.0]);
        series.update(&archive(8, 25));
        // The point, and the end of its line: the lane is off in the frames after it.
        assert_eq!((series.lanes[0].std.len(), series.read.len()), (2, 17));
        // Frames made anew after going back, and a new rollout, begin from nothing.
        let mut other = archive(8, 12);
        other.frames.extend(frames(12..15));
        series.update(&other);
        assert!(series.lanes[0].std.is_empty());
    }

    #[test]
    fn a_lane_that_is_off_interrupts_its_lines() {
        let mut all = frames(0..6);
        for (i, frame) in all.iter_mut().enumerate().filter(|(i, _)| *i < 2 || *i > 3) {
            let mut on = FrameSet::clone(frame);
            on.lanes[0] = Some(crate::rollout::frame::LaneFrame {
                members: Vec::new(),
                hovmoeller: Vec::new().into(),
                stats: crate::rollout::frame::LaneStats {
                    std: i as f64,
                    ..Default::default()
                },
                rain: None,
                recorded: None,
                trace: Arc::default(),
            });
            *frame = Arc::new(on);
        }
        let mut series = Series::default();
        series.update(&Archive {
            frames: all,
            epoch: 1,
            ..Archive::default()
        });
        let lines: Vec<_> = pieces(&series.lanes[0].std).collect();
        assert_eq!(lines, [[[0.0, 0.0], [1.0, 1.0]], [[4.0, 4.0], [5.0, 5.0]]]);
        assert!(series.lanes[1].std.is_empty());
    }

    #[test]
    fn decimation_keeps_extremes() {
        let mut points: Vec<[f64; 2]> = (0..10_000).map(|i| [i as f64, 0.0]).collect();
        points[4321][1] = 7.0;
        points[8765][1] = -3.0;
        let few = decimate(&points, 100);
        assert!(few.len() <= 200);
        assert!(few.contains(&[4321.0, 7.0]) && few.contains(&[8765.0, -3.0]));
        assert!(few.windows(2).all(|w| w[0][0] <= w[1][0]));
    }
}
