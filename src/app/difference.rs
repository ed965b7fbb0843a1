//! The difference of two pictures: any lane of the branch on screen or of the one beside, minus another.

use std::sync::Arc;

use crate::render::ValueRange;
use crate::render::{ColorMap, Look};
use crate::rollout::branch::BranchId;
use crate::rollout::frame::FrameSet;
use crate::rollout::protocol::Archive;
use crate::rollout::settings::LaneKind;

use super::followed::Followed;
use super::state::State;
use super::trace::Trace;
use super::words;

/// Values whose difference is taken in one go, over all members: the window does not wait for a long rollout.
const AT_ONCE: usize = 1 << 21;

/// One of the two pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Side {
    /// Of the branch beside rather than of the one on screen.
    pub beside: bool,
    /// Which lane.
    pub lane: LaneKind,
}

/// The two pictures, what is shown of them, and their rms difference over time.
#[derive(Debug)]
pub struct Difference {
    /// Whether it is shown.
    pub on: bool,
    /// What is subtracted from.
    pub a: Side,
    /// What is subtracted.
    pub b: Side,
    /// End of the colours as set by a person; `None` = one that holds the rollout so far.
    pub range: Option<f32>,
    shown: Option<Shown>,
    /// Rms difference over all members, over time.
    series: Followed<(Side, Side, Option<BranchId>)>,
}

#[derive(Debug)]
struct Shown {
    of: [Arc<[f32]>; 2],
    values: Arc<[f32]>,
    rms: f64,
}

impl Default for Difference {
    fn default() -> Self {
        let side = |lane| Side {
            beside: false,
            lane,
        };
        Self {
            on: false,
            a: side(LaneKind::Guided),
            b: side(LaneKind::Truth),
            range: None,
            shown: None,
            series: Followed::default(),
        }
    }
}

impl Difference {
    /// A branch is compared with from now on (or no longer): the difference is that of the two branches then.
    pub fn follow(&mut self, compared: bool, lane: LaneKind) {
        if compared {
            self.on = true;
            self.a = Side {
                beside: false,
                lane,
            };
            self.b = Side { beside: true, lane };
        } else if self.a.beside || self.b.beside {
            *self = Self::default();
        }
    }

    /// Values of the difference shown, and their rms.
    pub fn values(&self) -> Option<(&Arc<[f32]>, f64)> {
        self.shown.as_ref().map(|s| (&s.values, s.rms))
    }

    /// Rms difference over time; `None` before it was read.
    pub fn trace(&self) -> Option<&Trace> {
        self.series.lines.first()
    }

    /// End of the colours: as set, or 1, 2 or 5 times a power of ten that holds three times the largest rms so far.
    pub fn limit(&self, data_std: f64) -> f32 {
        let usual = match self.trace().and_then(Trace::largest) {
            Some(r) if r > 0.0 => 3.0 * r,
            _ => 3.0 * data_std,
        };
        let decade = 10f64.powf(usual.max(1e-9).log10().floor());
        let steps = [1.0, 2.0, 5.0, 10.0].map(|m| m * decade);
        let fits = steps.into_iter().find(|s| *s >= usual * 0.999);
        self.range.unwrap_or(fits.unwrap_or(10.0 * decade) as f32)
    }
}

/// Root mean square difference of two fields; each row of the globe counts by its area.
fn rms(state: &State, a: &[f32], b: &[f32]) -> f64 {
    let squares = a.iter().zip(b).map(|(a, b)| (a - b) * (a - b));
    let mean = match state.grid() {
        Some(grid) => grid.mean(&squares.collect::<Vec<f32>>()),
        None => squares.map(f64::from).sum::<f64>() / a.len().min(b.len()).max(1) as f64,
    };
    mean.max(0.0).sqrt()
}

/// Frames that are read in one go where each has so many values.
fn at_once(values: usize) -> usize {
    (AT_ONCE / values.max(1)).max(1)
}

impl State {
    /// Name of a side ("Guided", "branch 2 · Guided").
    pub fn side_name(&self, side: Side) -> String {
        match self.compared().filter(|_| side.beside) {
            Some(id) => format!("{} · {}", self.branch_name(id), side.lane.label()),
            None => side.lane.label().to_owned(),
        }
    }

    /// Short name of a side ("guided", "guided of branch 2").
    pub fn side_short(&self, side: Side) -> String {
        match self.compared().filter(|_| side.beside) {
            Some(id) => format!("{} of {}", words::lane(side.lane), self.branch_name(id)),
            None => words::lane(side.lane).to_owned(),
        }
    }

    /// How the difference becomes colours.
    pub fn difference_look(&self, dark: bool) -> Look {
        let std = self.facts.as_ref().map_or(1.0, |f| f.data_std);
        let limit = self.tree.difference.limit(std);
        let diverging = self.prefs.color_map.filter(|m| m.is_diverging());
        let usual = if dark {
            ColorMap::Berlin
        } else {
            ColorMap::Vik
        };
        let map = diverging.unwrap_or(usual);
        Look::plain(map, ValueRange::symmetric(limit), self.prefs.smooth)
    }

    fn side_values(&self, side: Side) -> Option<Arc<[f32]>> {
        let set = if side.beside {
            self.beside()?
        } else {
            self.shown()?
        };
        let lane = set.lanes[side.lane.index()].as_ref()?;
        self.values(lane).cloned()
    }

    /// Brings the difference up to date with the frame shown; `true` while more of the rollout waits to be read.
    pub(super) fn refresh_difference(&mut self) -> bool {
        let d = &self.tree.difference;
        if !d.on {
            self.tree.difference.shown = None;
            return false;
        }
        let both = self.side_values(d.a).zip(self.side_values(d.b));
        let known = d
            .shown
            .as_ref()
            .zip(both.as_ref())
            .is_some_and(|(s, (a, b))| Arc::ptr_eq(&s.of[0], a) && Arc::ptr_eq(&s.of[1], b));
        if !known {
            let shown = both
                .filter(|(a, b)| a.len() == b.len())
                .map(|(a, b)| Shown {
                    rms: rms(self, &a, &b),
                    values: a.iter().zip(b.iter()).map(|(a, b)| a - b).collect(),
                    of: [a, b],
                });
            self.tree.difference.shown = shown;
        }
        let mut series = std::mem::take(&mut self.tree.difference.series);
        let more = self.extend(&mut series);
        self.tree.difference.series = series;
        more
    }

    fn extend(&self, series: &mut Followed<(Side, Side, Option<BranchId>)>) -> bool {
        let d = &self.tree.difference;
        let unread = series.unread((d.a, d.b, self.compared()), 1, &self.archive);
        let other = self.compared().and_then(|id| self.archive.of(id));
        let (nx, ny) = self.size();
        let values = nx * ny * self.spec().members;
        let now = unread.len().min(at_once(values));
        for set in &unread[..now] {
            let value = self.rms_of(set, other, d.a, d.b).unwrap_or(f64::NAN);
            series.took(set, std::iter::once(value));
        }
        now < unread.len()
    }

    fn rms_of(
        &self,
        set: &Arc<FrameSet>,
        other: Option<&Archive>,
        a: Side,
        b: Side,
    ) -> Option<f64> {
        let of = |side: Side| {
            let set = if side.beside {
                let other = other?;
                let first = other.frames.first()?.index;
                other.frames.get(set.index.checked_sub(first)?)?
            } else {
                set
            };
            set.lanes[side.lane.index()].as_ref()
        };
        let (a, b) = (of(a)?, of(b)?);
        let squares = a.members.iter().zip(&b.members).map(|(a, b)| {
            let r = rms(self, a, b);
            r * r
        });
        let squares: Vec<f64> = squares.collect();
        Some((squares.iter().sum::<f64>() / squares.len().max(1) as f64).sqrt())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_end_at_a_round_number_that_holds_the_rollout() {
        let mut d = Difference::default();
        assert_eq!(d.limit(3.3), 10.0);
        let of = |rms: f64| {
            let mut trace = Trace::default();
            trace.push([0.0, rms]);
            trace
        };
        d.series.lines = vec![of(0.6)];
        assert_eq!(d.limit(3.3), 2.0);
        d.series.lines = vec![of(0.33)];
        assert_eq!(d.limit(3.3), 1.0);
        d.range = Some(0.25);
        assert_eq!(d.limit(3.3), 0.25);
    }

    /// The more members, the fewer frames: the work of one window frame stays the same.
    #[test]
    fn the_work_of_one_go_does_not_grow_with_the_members() {
        for members in [1, 8, 64] {
            let values = members * 64 * 64;
            assert!(at_once(values) * values <= AT_ONCE, "{members}");
        }
        assert_eq!((at_once(0), at_once(usize::MAX)), (AT_ONCE, 1));
    }

    #[test]
    fn the_sides_follow_the_branch_beside() {
        let mut d = Difference::default();
        d.follow(true, LaneKind::Guided);
        assert!(d.on && d.b.beside && !d.a.beside);
        d.follow(false, LaneKind::Guided);
        assert!(!d.on && !d.b.beside);
    }
}
