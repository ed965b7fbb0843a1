//! What is held against truth.

use crate::report::Style;
use crate::rollout::settings::LaneKind;

/// Where frames come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// A lane of a rollout.
    Lane(LaneKind),
    /// The last known frame, unchanged.
    Persistence,
    /// Frames of other times.
    Climatology,
}

impl Method {
    /// Truth.
    pub const TRUTH: Self = Self::Lane(LaneKind::Truth);

    /// The lanes that are made, in the order in which they are shown.
    pub fn made() -> Vec<Self> {
        let lanes = LaneKind::ALL.into_iter();
        lanes
            .filter(|k| *k != LaneKind::Truth)
            .map(Self::Lane)
            .collect()
    }

    /// Name in figures.
    pub fn label(self) -> &'static str {
        match self {
            Self::Lane(kind) => kind.label(),
            Self::Persistence => "Persistence",
            Self::Climatology => "Climatology",
        }
    }

    /// Name in files.
    pub fn slug(self) -> String {
        let words = self.label().to_lowercase();
        let parts: Vec<&str> = words
            .split(|c: char| !c.is_ascii_alphanumeric())
            .filter(|p| !p.is_empty())
            .collect();
        parts.join("-")
    }

    /// How it is drawn.
    pub fn style(self) -> Style {
        match self {
            Self::Lane(kind) => Style::lane(kind),
            Self::Persistence => Style::PERSISTENCE,
            Self::Climatology => Style::CLIMATOLOGY,
        }
    }

    /// Whether its frames know those before them.
    pub fn follows(self) -> bool {
        !matches!(
            self,
            Self::Lane(LaneKind::Unconditional) | Self::Climatology
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_are_plain_and_differ() {
        let mut names: Vec<String> = Method::made().into_iter().map(Method::slug).collect();
        names.push(Method::TRUTH.slug());
        assert!(names.contains(&"forecaster-noise".to_owned()) && names.contains(&"truth".into()));
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
