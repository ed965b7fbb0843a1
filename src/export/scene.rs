//! How frames become pictures: what is the same in all pictures of a film.

use std::sync::Arc;

use crate::field::Globe;
use crate::render::{Look, View};
use crate::rollout::frame::FrameSet;
use crate::rollout::settings::LaneKind;

use super::canvas::Rgb;
use super::picture::{GlobePicture, Panel, Paper, Picture};

/// One lane of the pictures.
#[derive(Debug, Clone)]
pub struct SceneLane {
    /// Which one.
    pub kind: LaneKind,
    /// Colour of the method.
    pub color: Rgb,
}

/// One of the two pictures of a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SceneSide {
    /// Of the branch beside rather than of the one that is exported.
    pub beside: bool,
    /// Which lane.
    pub kind: LaneKind,
}

/// The difference of two lanes, as a picture of its own behind the lanes.
#[derive(Debug, Clone)]
pub struct SceneDifference {
    /// What is subtracted from, and what is subtracted.
    pub sides: [SceneSide; 2],
    /// Its name ("guided − truth").
    pub title: String,
    /// Colour of the name.
    pub color: Rgb,
    /// Its own colours.
    pub look: Look,
    /// The globe, whose rows count by their area.
    pub globe: Option<Globe>,
}

impl SceneDifference {
    /// Difference of the member, cell by cell, and its root mean square; `None` where a side is not there.
    fn values(
        &self,
        frame: &FrameSet,
        beside: Option<&FrameSet>,
        member: usize,
    ) -> Option<(Arc<[f32]>, f64)> {
        let side = |s: SceneSide| {
            let set = if s.beside { beside? } else { frame };
            member_of(set, s.kind, member)
        };
        let (a, b) = (side(self.sides[0])?, side(self.sides[1])?);
        let values: Arc<[f32]> = a.iter().zip(b.iter()).map(|(a, b)| a - b).collect();
        let squares: Vec<f32> = values.iter().map(|v| v * v).collect();
        let mean = match &self.globe {
            Some(globe) => globe.mean(&squares),
            None => {
                squares.iter().map(|v| f64::from(*v)).sum::<f64>() / squares.len().max(1) as f64
            }
        };
        Some((values, mean.max(0.0).sqrt()))
    }
}

/// A member of a lane; of fewer members, the last.
fn member_of(frame: &FrameSet, kind: LaneKind, member: usize) -> Option<Arc<[f32]>> {
    let lane = frame.lanes[kind.index()].as_ref()?;
    let last = lane.members.len().checked_sub(1)?;
    lane.members.get(member.min(last)).cloned()
}

/// What frames are drawn with.
#[derive(Debug, Clone)]
pub struct Scene {
    /// Lanes, left to right.
    pub lanes: Vec<SceneLane>,
    /// The difference, if it is in the pictures.
    pub difference: Option<SceneDifference>,
    /// Member shown.
    pub member: usize,
    /// Columns and rows.
    pub size: (usize, usize),
    /// What part of the box is seen.
    pub view: View,
    /// How values become colours.
    pub look: Look,
    /// Name of the field.
    pub quantity: String,
    /// Its unit.
    pub units: String,
    /// What made a frame of a lane, as written beside its name.
    pub made_by: fn(LaneKind, &FrameSet) -> String,
    /// First words of the line under the lanes: which frame.
    pub when: fn(&FrameSet) -> String,
    /// The other words of that line.
    pub caption: String,
    /// Surroundings.
    pub paper: Paper,
    /// Width of a lane, pixels.
    pub side: usize,
    /// The globe, if the lanes lie on it.
    pub globe: Option<GlobePicture>,
}

impl Scene {
    /// The picture of a frame; `beside` is the frame of that number of the branch beside. A lane that the frame does not have
    /// is left empty, so that all pictures are of one size.
    pub fn picture(&self, frame: &FrameSet, beside: Option<&FrameSet>) -> Picture {
        let (nx, ny) = self.size;
        let empty = || -> Arc<[f32]> { vec![f32::NAN; nx * ny].into() };
        let panels = self.lanes.iter().map(|lane| {
            let member = member_of(frame, lane.kind, self.member);
            let values = member.filter(|v| v.len() == nx * ny);
            Panel {
                title: lane.kind.label().to_owned(),
                made_by: match values {
                    Some(_) => (self.made_by)(lane.kind, frame),
                    None => "off".to_owned(),
                },
                color: lane.color,
                values: values.unwrap_or_else(empty),
                size: self.size,
                look: None,
            }
        });
        let difference = self.difference.iter().map(|d| {
            let found = d.values(frame, beside, self.member);
            let found = found.filter(|(values, _)| values.len() == nx * ny);
            Panel {
                title: d.title.clone(),
                made_by: match &found {
                    Some((_, rms)) => {
                        // Three digits that count.
                        let places = (2.0 - rms.max(1e-6).log10().floor()).clamp(0.0, 6.0) as usize;
                        format!("±{} · rms {rms:.places$} {}", d.look.range.hi, self.units)
                    }
                    None => "no frame".to_owned(),
                },
                color: d.color,
                values: found.map_or_else(empty, |f| f.0),
                size: self.size,
                look: Some(d.look),
            }
        });
        Picture {
            panels: panels.chain(difference).collect(),
            view: self.view,
            look: self.look,
            quantity: self.quantity.clone(),
            units: self.units.clone(),
            caption: format!("{} · {}", (self.when)(frame), self.caption),
            paper: self.paper,
            side: self.side,
            globe: self.globe.clone(),
        }
    }
}
