//! Questions to the person who opens the files, and the answers.

use serde::{Deserialize, Serialize};

/// Answers to the questions that files may leave open; all optional.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Choices {
    /// Name of the variable (`--variable`).
    pub variable: Option<String>,
    /// Unit of the variable, in place of the files' own (`--units`).
    pub units: Option<String>,
    /// What the stamps of the time axis stand for (`--stamp`).
    pub stamp: Option<Stamp>,
    /// The time in which an amount fell (`--accumulated`).
    pub accumulated: Option<Accumulated>,
    /// Index of the ensemble member (`--member`).
    pub member: Option<usize>,
    /// Take the guess where a question is left (`--guess`).
    pub guess: bool,
}

/// What a stamp stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stamp {
    /// The interval begins at the stamp.
    Begin,
    /// The stamp is the middle of the interval.
    Middle,
    /// The interval ends at the stamp.
    End,
}

impl Stamp {
    /// All, in the order of the options.
    pub const ALL: [Self; 3] = [Self::Begin, Self::Middle, Self::End];

    /// As the command line writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Begin => "begin",
            Self::Middle => "middle",
            Self::End => "end",
        }
    }
}

/// The time in which an amount fell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Accumulated {
    /// From one stamp to the next.
    Step,
    /// One hour, whatever the distance of the stamps (ERA5, thinned out or averaged).
    Hour,
}

impl Accumulated {
    /// As the command line writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Step => "step",
            Self::Hour => "hour",
        }
    }
}

/// What a question is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Topic {
    /// [`Choices::variable`].
    Variable,
    /// [`Choices::units`].
    Units,
    /// [`Choices::stamp`].
    Stamp,
    /// [`Choices::accumulated`].
    Accumulated,
    /// [`Choices::member`].
    Member,
}

impl Topic {
    /// The option of the command line that answers it.
    pub fn flag(self) -> &'static str {
        match self {
            Self::Variable => "--variable",
            Self::Units => "--units",
            Self::Stamp => "--stamp",
            Self::Accumulated => "--accumulated",
            Self::Member => "--member",
        }
    }
}

/// A guess that could be wrong: it is asked before the data are used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Question {
    /// What it is about.
    pub topic: Topic,
    /// The question, a whole sentence.
    pub text: String,
    /// Answers to choose from, as [`Choices::answer`] takes them.
    pub options: Vec<String>,
    /// The answer that the preview uses; one of `options`.
    pub guess: String,
}

impl Choices {
    /// Puts an answer in; `false` where it is none.
    pub fn answer(&mut self, topic: Topic, answer: &str) -> bool {
        let answer = answer.trim();
        match topic {
            Topic::Variable => self.variable = Some(answer.to_owned()),
            Topic::Units => match super::units::Unit::parse(answer) {
                Some(_) => self.units = Some(answer.to_owned()),
                None => return false,
            },
            Topic::Stamp => match Stamp::ALL.into_iter().find(|s| s.name() == answer) {
                Some(stamp) => self.stamp = Some(stamp),
                None => return false,
            },
            Topic::Accumulated => {
                self.accumulated = match answer {
                    "step" => Some(Accumulated::Step),
                    "hour" => Some(Accumulated::Hour),
                    _ => return false,
                };
            }
            Topic::Member => match answer.parse() {
                Ok(index) => self.member = Some(index),
                Err(_) => return false,
            },
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_checked() {
        let mut c = Choices::default();
        assert!(c.answer(Topic::Units, "kg m-2 s-1") && !c.answer(Topic::Units, "K"));
        assert!(c.answer(Topic::Stamp, "end") && !c.answer(Topic::Stamp, "noon"));
        assert!(c.answer(Topic::Accumulated, "hour") && !c.answer(Topic::Accumulated, "week"));
        assert!(c.answer(Topic::Member, "3") && !c.answer(Topic::Member, "-1"));
        assert!(c.answer(Topic::Variable, "tp"));
        assert_eq!((c.stamp, c.member), (Some(Stamp::End), Some(3)));
        assert_eq!(c.units.as_deref(), Some("kg m-2 s-1"));
    }
}
