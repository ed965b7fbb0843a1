//! How frames become pictures: what is the same in all pictures of a film.

use std::sync::Arc;

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

/// What frames are drawn with.
#[derive(Debug, Clone)]
pub struct Scene {
    /// Lanes, left to right.
    pub lanes: Vec<SceneLane>,
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
    /// The picture of a frame. A lane that the frame does not have is left empty, so that all pictures are of one size.
    pub fn picture(&self, frame: &FrameSet) -> Picture {
        let (nx, ny) = self.size;
        let empty = || -> Arc<[f32]> { vec![f32::NAN; nx * ny].into() };
        let panels = self.lanes.iter().map(|lane| {
            let there = frame.lanes[lane.kind.index()].as_ref();
            let member = there.and_then(|l| {
                let last = l.members.len().checked_sub(1)?;
                l.members.get(self.member.min(last))
            });
            let values = member.filter(|v| v.len() == nx * ny).cloned();
            Panel {
                title: lane.kind.label().to_owned(),
                made_by: match values {
                    Some(_) => (self.made_by)(lane.kind, frame),
                    None => "off".to_owned(),
                },
                color: lane.color,
                values: values.unwrap_or_else(empty),
                size: self.size,
            }
        });
        Picture {
            panels: panels.collect(),
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
