//! Lessons as text: TOML files that anybody can write. `assets/lessons/README.md` says how.

use std::path::Path;

use serde::Deserialize;
use toml::Spanned;

use super::figures::{Condition, figure_names, placeholders};
use super::marks;
use crate::closed_form::{Belief, ClosedForm};
use crate::error::{Result, UserError};
use crate::rollout::settings::{RolloutSpec, Settings, Solver, Start};

/// Version of the format.
const FORMAT: u32 = 1;

/// A guided tour.
#[derive(Debug, Clone)]
pub struct Lesson {
    /// Name of the file without its ending: what progress is kept under.
    pub name: String,
    /// Title.
    pub title: String,
    /// A sentence for the list.
    pub about: String,
    /// Minutes that it takes.
    pub minutes: u32,
    /// Model that it is about.
    pub model: String,
    /// Parameters of a world with known answers.
    pub world: Option<ClosedForm>,
    /// Its steps.
    pub steps: Vec<Step>,
}

/// One step.
#[derive(Debug, Clone)]
pub struct Step {
    /// Title.
    pub title: String,
    /// What is said at first.
    pub text: String,
    /// Control that is pointed at.
    pub highlight: Option<&'static str>,
    /// What is set when the step begins.
    pub set: Set,
    /// A prediction to make before anything else.
    pub ask: Option<Ask>,
    /// What the learner is to reach, all of them.
    pub goals: Vec<Condition>,
    /// The goal in words.
    pub goal: Option<String>,
    /// What is said when it is reached.
    pub answer: Option<String>,
}

/// A prediction.
#[derive(Debug, Clone)]
pub struct Ask {
    /// The question.
    pub question: String,
    /// How it is answered.
    pub how: How,
}

/// How a prediction is made.
#[derive(Debug, Clone)]
pub enum How {
    /// One of several, and which is right.
    Choices(Vec<String>, usize),
    /// A number from `lo` to `hi`; `right` is a figure of the rollout.
    Slider {
        /// Ends of the slider.
        range: [f64; 2],
        /// The figure that it is a guess of.
        right: String,
    },
}

/// Settings that a step applies; what is not named stays.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Set {
    /// Guidance strength.
    pub strength: Option<f32>,
    /// History length.
    pub history: Option<usize>,
    /// Integrator.
    pub solver: Option<Solver>,
    /// Steps of the sampler; without them a new integrator has its usual ones.
    pub steps: Option<usize>,
    /// 0 = every frame begins from pure noise; above, from the last frame plus noise of this level.
    pub warm_start: Option<f32>,
    /// What D believes.
    pub belief: Option<Belief>,
    /// Takes a belief back.
    pub exact: bool,
    /// Seed: begins a new rollout.
    pub seed: Option<u64>,
    /// Begins a new rollout.
    pub restart: bool,
    /// Tab of the diagnostics.
    pub tab: Option<super::super::prefs::Tab>,
    /// Whether the rollout runs.
    pub play: Option<bool>,
}

impl Set {
    /// Puts the settings in; whether a new rollout begins.
    pub fn apply(&self, settings: &mut Settings, spec: &mut RolloutSpec) -> bool {
        let g = &mut settings.guidance;
        g.strength = self.strength.unwrap_or(g.strength);
        g.history = self.history.unwrap_or(g.history);
        if self.exact {
            g.belief = None;
        }
        g.belief = self.belief.or(g.belief);
        let s = &mut settings.sampler;
        if let Some(solver) = self.solver {
            (s.solver, s.steps) = (solver, solver.usual_steps());
        }
        s.steps = self.steps.unwrap_or(s.steps);
        match self.warm_start {
            Some(sigma) if sigma > 0.0 => s.start = Start::Warm { sigma },
            Some(_) => s.start = Start::Noise,
            None => {}
        }
        spec.seed = self.seed.unwrap_or(spec.seed);
        self.restart || self.seed.is_some()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: Spanned<u32>,
    title: String,
    about: String,
    minutes: u32,
    model: Spanned<String>,
    world: Option<Spanned<ClosedForm>>,
    #[serde(default, rename = "step")]
    steps: Vec<StepText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StepText {
    title: Spanned<String>,
    text: Spanned<String>,
    highlight: Option<Spanned<String>>,
    #[serde(default)]
    set: Option<Spanned<Set>>,
    ask: Option<Spanned<String>>,
    choices: Option<Spanned<Vec<String>>>,
    slider: Option<Spanned<[f64; 2]>>,
    right: Option<Spanned<Right>>,
    #[serde(default)]
    wait_for: Vec<Spanned<String>>,
    goal: Option<Spanned<String>>,
    answer: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Right {
    Choice(usize),
    Figure(String),
}

/// What is wrong, and at which byte of the text.
type Fault = (usize, String);

impl Lesson {
    /// Reads a lesson; `name` is its file's without the ending, `origin` names it in errors.
    ///
    /// # Errors
    /// Text that is not a lesson: says which line, what is wrong and what to do.
    pub fn parse(name: &str, text: &str, origin: &str) -> Result<Self> {
        let fail = |(at, cause): Fault| {
            let line = text.get(..at).map_or(1, |t| t.matches('\n').count() + 1);
            UserError::new(
                format!("The lesson {origin} cannot be used"),
                format!("line {line}: {cause}"),
                "correct the line; assets/lessons/README.md describes the format, and the lessons beside it are examples",
            )
        };
        let file: File = toml::from_str(text).map_err(|e| {
            let at = e.span().map_or(0, |s| s.start);
            fail((at, e.message().trim().replace('\n', " ")))
        })?;
        build(name, file).map_err(fail)
    }

    /// Reads a lesson from a file.
    ///
    /// # Errors
    /// As [`Self::parse`], and files that cannot be read.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|e| {
            UserError::new(
                format!("The lesson {} cannot be read", path.display()),
                e,
                "check the file, or take it out of the folder of lessons",
            )
        })?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        Self::parse(&name, &text, &path.display().to_string())
    }
}

fn build(name: &str, file: File) -> std::result::Result<Lesson, Fault> {
    let at = file.format.span().start;
    if *file.format.get_ref() != FORMAT {
        return Err((
            at,
            format!(
                "format {}: this version knows {FORMAT}",
                file.format.get_ref()
            ),
        ));
    }
    if file.steps.is_empty() {
        return Err((at, "it has no [[step]]".into()));
    }
    let model = file.model.get_ref().clone();
    let world = match file.world {
        Some(world) => {
            let at = world.span().start;
            let world = world.into_inner();
            if world.name() != model {
                return Err((
                    at,
                    format!(
                        "the parameters are those of {}, not of {model}",
                        world.name()
                    ),
                ));
            }
            world
                .validate()
                .map_err(|e| (at, format!("{}: {}", e.headline, e.cause)))?;
            Some(world)
        }
        None => None,
    };
    let steps = file.steps.into_iter().map(step);
    Ok(Lesson {
        name: name.to_owned(),
        title: file.title,
        about: file.about,
        minutes: file.minutes,
        model,
        world,
        steps: steps.collect::<std::result::Result<_, Fault>>()?,
    })
}

fn step(text: StepText) -> std::result::Result<Step, Fault> {
    let highlight = match &text.highlight {
        None => None,
        Some(name) => Some(marks::name(name.get_ref()).ok_or_else(|| {
            (
                name.span().start,
                format!(
                    "there is no control named {}; there are: {}",
                    name.get_ref(),
                    marks::NAMES.join(", ")
                ),
            )
        })?),
    };
    for words in [&text.text]
        .into_iter()
        .chain(&text.answer)
        .chain(&text.goal)
    {
        for figure in placeholders(words.get_ref()) {
            known(figure, words.span().start)?;
        }
    }
    let goals = text
        .wait_for
        .iter()
        .map(|c| Condition::parse(c.get_ref()).map_err(|cause| (c.span().start, cause)))
        .collect::<std::result::Result<Vec<_>, Fault>>()?;
    let set = match text.set {
        None => Set::default(),
        Some(set) => {
            let at = set.span().start;
            let set = set.into_inner();
            let (mut settings, mut spec) = (Settings::default(), RolloutSpec::default());
            set.apply(&mut settings, &mut spec);
            settings
                .validate()
                .map_err(|e| (at, format!("{}: {}", e.headline, e.cause)))?;
            set
        }
    };
    let at = text.title.span().start;
    let ask = match (text.ask, text.choices, text.slider) {
        (None, None, None) => None,
        (None, ..) => return Err((at, "choices or a slider need a question: ask".into())),
        (Some(ask), None, None) => {
            return Err((
                ask.span().start,
                "a question needs choices or a slider".into(),
            ));
        }
        (Some(ask), Some(choices), None) => {
            let right = match text.right.as_ref().map(Spanned::get_ref) {
                Some(Right::Choice(n)) if (1..=choices.get_ref().len()).contains(n) => n - 1,
                _ => {
                    return Err((
                        choices.span().start,
                        "right is the number of the right choice, counted from 1".into(),
                    ));
                }
            };
            Some(Ask {
                question: ask.into_inner(),
                how: How::Choices(choices.into_inner(), right),
            })
        }
        (Some(ask), None, Some(slider)) => {
            let at = slider.span().start;
            let range = slider.into_inner();
            let right = match text.right.map(Spanned::into_inner) {
                Some(Right::Figure(name)) => {
                    known(&name, at)?;
                    name
                }
                _ => {
                    return Err((
                        at,
                        "right is the figure that the slider is a guess of".into(),
                    ));
                }
            };
            if !(range[0] < range[1] && range[0].is_finite() && range[1].is_finite()) {
                return Err((at, "a slider goes from a smaller to a larger number".into()));
            }
            Some(Ask {
                question: ask.into_inner(),
                how: How::Slider { range, right },
            })
        }
        (Some(ask), Some(_), Some(_)) => {
            return Err((ask.span().start, "choices and a slider at once".into()));
        }
    };
    if !goals.is_empty() && text.goal.is_none() {
        let at = text.wait_for.first().map_or(0, |c| c.span().start);
        return Err((at, "wait_for needs a goal in words: goal".into()));
    }
    Ok(Step {
        title: text.title.into_inner(),
        text: flowing(text.text.get_ref()),
        highlight,
        set,
        ask,
        goals,
        goal: text.goal.map(|t| flowing(t.get_ref())),
        answer: text.answer.map(|t| flowing(t.get_ref())),
    })
}

/// Text as paragraphs: a line break is a space, an empty line begins a paragraph.
fn flowing(text: &str) -> String {
    let paragraphs: Vec<String> = text
        .trim()
        .split("\n\n")
        .map(|p| p.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    paragraphs.join("\n\n")
}

fn known(figure: &str, at: usize) -> std::result::Result<(), Fault> {
    if figure_names().iter().any(|n| n == figure) {
        return Ok(());
    }
    Err((
        at,
        format!(
            "there is no figure named {figure}; there are: {}",
            figure_names().join(", ")
        ),
    ))
}

/// The lessons that come with the program, in order.
pub fn shipped() -> Vec<Result<Lesson>> {
    macro_rules! lesson {
        ($name:literal) => {
            Lesson::parse(
                $name,
                include_str!(concat!("../../../assets/lessons/", $name, ".toml")),
                concat!("assets/lessons/", $name, ".toml"),
            )
        };
    }
    vec![
        lesson!("1-diffusion"),
        lesson!("2-flicker"),
        lesson!("3-what-d-sees"),
        lesson!("4-strength"),
        lesson!("5-memory"),
        lesson!("6-warm-start"),
    ]
}

/// The lessons of a folder, by name; what cannot be read is an error of its own.
pub fn of_folder(folder: &Path) -> Vec<Result<Lesson>> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) => {
            return vec![Err(UserError::new(
                format!("The folder of lessons {} cannot be read", folder.display()),
                e,
                "name a folder with lessons: --lessons DIR",
            ))];
        }
    };
    let mut paths: Vec<_> = entries
        .filter_map(|e| Some(e.ok()?.path()))
        .filter(|p| p.extension().is_some_and(|e| e == "toml"))
        .collect();
    paths.sort();
    paths.iter().map(|p| Lesson::read(p)).collect()
}

#[cfg(test)]
#[path = "format_tests.rs"]
mod tests;
