//! Where the named controls lie on the screen: filled by the panels as they draw, read by whoever points at one.

use egui::Rect;

/// Names of controls that can be pointed at.
pub const NAMES: [&str; 18] = [
    "model",
    "strength",
    "history",
    "discriminator",
    "sampler",
    "start",
    "rollout",
    "lanes",
    "world",
    "truth",
    "unconditional",
    "guided",
    "timeline",
    "play",
    "diagnostics",
    "stage",
    "lessons",
    "help",
];

/// Rectangles by name, of this window frame.
#[derive(Debug, Clone, Default)]
pub struct Marks {
    rects: Vec<(&'static str, Rect)>,
}

impl Marks {
    /// Begins a window frame.
    pub fn clear(&mut self) {
        self.rects.clear();
    }

    /// Says where a control lies.
    pub fn set(&mut self, name: &'static str, rect: Rect) {
        self.rects.push((name, rect));
    }

    /// Where a control lies; `None` if it is not on the screen.
    pub fn get(&self, name: &str) -> Option<Rect> {
        let found = self.rects.iter().rev().find(|(n, _)| *n == name);
        found.map(|(_, rect)| *rect).filter(|r| r.is_positive())
    }
}

/// The name of a control as it is kept; `None` if there is none of that name.
pub fn name(name: &str) -> Option<&'static str> {
    NAMES.into_iter().find(|n| *n == name)
}
