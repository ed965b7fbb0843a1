//! Errors as a person meets them: a headline, a cause and a remedy.

use std::fmt;

/// What went wrong, why, and what to do about it. Exit code 2 on the command line.
///
/// The three parts are whole sentences without a newline; the window shows them as headline, detail and hint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserError {
    /// What could not be done ("Cannot read the start file run.nc").
    pub headline: String,
    /// Why ("The file has no variable named vorticity; it has: temp, lat, lon").
    pub cause: String,
    /// What to do ("Write one with: eddyscope simulate --out start.nc").
    pub remedy: String,
}

/// Result with a [`UserError`].
pub type Result<T> = std::result::Result<T, UserError>;

impl UserError {
    /// Builds an error from its three parts.
    pub fn new(
        headline: impl Into<String>,
        cause: impl fmt::Display,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            headline: headline.into(),
            cause: cause.to_string(),
            remedy: remedy.into(),
        }
    }
}

impl fmt::Display for UserError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}\n  cause:  {}\n  remedy: {}",
            self.headline, self.cause, self.remedy
        )
    }
}

impl std::error::Error for UserError {}
