//! Everything needed to make a file again, and to go on from it.

use std::ffi::OsStr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::data::Date;
use crate::error::{Result, UserError};
use crate::render::{ColorMap, GlobeView, Scale, ValueRange, View};
use crate::rollout::headless::RunRecipe;
use crate::rollout::protocol::Scripted;
use crate::rollout::settings::{RolloutSpec, Settings};

use super::plan::hex;

/// Version of the recipe's format that this program writes. 1 had no list of changes.
pub const FORMAT: u32 = 2;
/// Frame numbers above this are not believed.
pub(super) const MOST_FRAMES: usize = 100_000_000;
/// Names and paths that are longer are not believed either, in bytes.
const LONGEST_NAME: usize = 4096;
/// Key of the last entry: sha256 of the text without it, so that a byte that changed on the way is told.
const SEAL: &str = ",\"sha256\":\"";
/// Files of a start.
const MOST_FILES: usize = 10_000;
/// Parts of a recipe of a newer format that are tried, and how deep they may lie.
const MOST_TRIED: usize = 1000;
const DEEPEST: usize = 4;

/// What made a picture, a film, a data file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    /// Version of this format.
    #[serde(default = "first_format")]
    pub format: u32,
    /// Program that wrote it: `eddyscope`.
    pub program: String,
    /// Version of the program.
    pub version: String,
    /// Name of the model.
    pub model: String,
    /// Its folder, where it is not one of the shipped ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_folder: Option<PathBuf>,
    /// sha256 of the model's weights, hex.
    pub model_hash: String,
    /// Device that computed the frames.
    pub device: String,
    /// Its kind: `cpu` or `gpu`; frames come again bit for bit on the same kind.
    #[serde(default)]
    pub device_kind: String,
    /// Settings in force when the frame was made.
    pub settings: Settings,
    /// Settings over time: each with the frame and the solver step from which it was in force.
    #[serde(default)]
    pub changes: Vec<Scripted>,
    /// The first frames were no longer kept when it was written: the settings before the first change are a guess.
    #[serde(default, skip_serializing_if = "is_false")]
    pub incomplete: bool,
    /// First frame that was edited by hand, if one was: the recipe leads only up to the one before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edited: Option<usize>,
    /// Seed, members, start file.
    pub rollout: RolloutSpec,
    /// Frame number: of a picture the one shown, else the last one in the file.
    pub frame: usize,
    /// First and last frame in the file, and the step between them, where there are several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frames: Option<[usize; 3]>,
    /// sha256 of the values of that frame (all lanes and members, little-endian), hex: whether it came again bit for bit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frame_hash: Option<String>,
    /// Time of the frame, the solver's unit.
    pub time: f64,
    /// Member shown.
    pub member: usize,
    /// Colour map.
    pub color_map: ColorMap,
    /// Values of the first and the last colour, physical units.
    pub range: ValueRange,
    /// What part of the box is seen.
    pub view: View,
    /// What belongs to the globe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub globe: Option<GlobeRecipe>,
}

fn first_format() -> u32 {
    1
}

fn is_false(value: &bool) -> bool {
    !value
}

/// What made a picture of the globe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GlobeRecipe {
    /// Date of the frame.
    pub date: Option<Date>,
    /// Recording that gave the start and the truth lane.
    pub recording: String,
    /// Projection and what is seen.
    pub view: GlobeView,
    /// Scale of the colours.
    pub scale: Scale,
    /// Coastlines.
    pub coast: bool,
    /// Meridians and parallels.
    pub graticule: bool,
    /// The last colour of the map is that of the smallest amount.
    pub flipped: bool,
}

/// What could be read of a recipe.
#[derive(Debug, Clone, PartialEq)]
pub enum Reading {
    /// All of it.
    Whole(Box<Recipe>),
    /// It is of a newer format: what of it is understood.
    Newer(Box<Newer>),
}

/// What is understood of a recipe of a newer format.
#[derive(Debug, Clone, PartialEq)]
pub struct Newer {
    /// Its format.
    pub format: u32,
    /// Version of the program that wrote it.
    pub version: String,
    /// Name of the model.
    pub model: String,
    /// Its settings, where they are understood; the defaults elsewhere.
    pub settings: Settings,
    /// Seed, members and start, likewise.
    pub rollout: RolloutSpec,
}

impl Recipe {
    /// The recipe as JSON in one line.
    ///
    /// # Errors
    /// None in practice: every part can be written as JSON.
    pub fn to_json(&self) -> Result<String> {
        let text = serde_json::to_string(self).map_err(|e| {
            UserError::new(
                "Cannot write the recipe",
                e,
                "Please report this with the settings that were used",
            )
        })?;
        let open = text.strip_suffix('}').unwrap_or(&text);
        Ok(format!("{open}{SEAL}{}\"}}", seal(&text)))
    }

    /// Reads a recipe of this format or an older one.
    ///
    /// # Errors
    /// As [`Reading::from_json`]; a recipe of a newer format.
    pub fn from_json(json: &str) -> Result<Self> {
        match Reading::from_json(json)? {
            Reading::Whole(recipe) => Ok(*recipe),
            Reading::Newer(newer) => Err(not_understood(
                format!(
                    "its format is {}, and this version knows {FORMAT}",
                    newer.format
                ),
                format!("Use eddyscope {} or newer", newer.version),
            )),
        }
    }

    fn check(&self) -> Result<()> {
        let bad = |what: &str| {
            Err(not_understood(
                what,
                "The file is damaged or was changed by hand: use one that eddyscope wrote",
            ))
        };
        self.settings.validate()?;
        for change in &self.changes {
            change.settings.validate()?;
        }
        if !is_possible(&self.rollout) {
            return bad("its members or its start are impossible");
        }
        let recording = self.globe.iter().map(|g| g.recording.as_ref());
        let folder = self.model_folder.iter().map(|f| f.as_os_str());
        let names = [&self.version, &self.model, &self.device].map(|n| n.as_ref());
        if !names
            .into_iter()
            .chain(recording)
            .chain(folder)
            .all(is_short)
        {
            return bad("a name in it is too long");
        }
        let ends = self.frames.unwrap_or([0, self.frame, 1]);
        if self.frame > MOST_FRAMES || ends[0] > ends[1] || ends[1] > MOST_FRAMES {
            return bad("it has an impossible frame number");
        }
        let numbers = [
            self.range.lo,
            self.range.hi,
            self.view.centre[0],
            self.view.centre[1],
        ];
        let zoomed = (1.0..=View::MAX_ZOOM).contains(&self.view.zoom);
        if !numbers.iter().all(|v| v.is_finite()) || !zoomed {
            return bad("its view or colours are impossible");
        }
        match &self.globe {
            Some(globe) if !globe.view.is_valid() => bad("its view is beside the globe"),
            _ => Ok(()),
        }
    }
}

fn not_understood(cause: impl std::fmt::Display, remedy: impl Into<String>) -> UserError {
    UserError::new("Cannot use the recipe in the file", cause, remedy)
}

fn is_short(name: &OsStr) -> bool {
    name.len() <= LONGEST_NAME
}

/// Whether a rollout can begin so, as far as that can be told without its files.
fn is_possible(rollout: &RolloutSpec) -> bool {
    let mut files = rollout.start_file.iter().chain(&rollout.more_files);
    (1..=64).contains(&rollout.members)
        && rollout.more_files.len() <= MOST_FILES
        && files.all(|f| is_short(f.as_os_str()))
}

/// sha256 of a recipe's text, hex.
fn seal(text: &str) -> String {
    hex(&Sha256::digest(text))
}

/// The text of a recipe without its seal, if it has one.
fn unsealed(text: &str) -> Result<String> {
    let Some((open, given)) = text.trim_end().rsplit_once(SEAL) else {
        return Ok(text.to_owned());
    };
    let inner = format!("{open}}}");
    match given == format!("{}\"}}", seal(&inner)) {
        true => Ok(inner),
        false => Err(not_understood(
            "it was changed after it was written: its hash is not that of its text",
            "Use another copy of the file",
        )),
    }
}

impl Reading {
    /// Reads a recipe of any version: also that of a file of `eddyscope rollout`.
    ///
    /// # Errors
    /// The text is no recipe, was changed after it was written, or its values are impossible.
    pub fn from_json(json: &str) -> Result<Self> {
        let remedy = "Use a file that eddyscope wrote and no other program changed";
        let json = unsealed(json)?;
        let value: Value = serde_json::from_str(&json).map_err(|e| not_understood(e, remedy))?;
        let text = |key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
        if text("program").as_deref() != Some("eddyscope") {
            return Err(not_understood("it is not one of eddyscope", remedy));
        }
        let format = value.get("format").and_then(Value::as_u64).unwrap_or(1);
        if format > u64::from(FORMAT) {
            let name = |key: &str| text(key).filter(|n| is_short(n.as_ref()));
            return Ok(Self::Newer(Box::new(Newer {
                format: u32::try_from(format).unwrap_or(u32::MAX),
                version: name("version").unwrap_or_default(),
                model: name("model").unwrap_or_default(),
                settings: understood(value.get("settings"), |s: &Settings| s.validate().is_ok()),
                rollout: understood(value.get("rollout"), is_possible),
            })));
        }
        if value.get("frame").is_none()
            && let Ok(run) = serde_json::from_value::<RunRecipe>(value.clone())
        {
            let recipe = from_run(run);
            recipe.check()?;
            return Ok(Self::Whole(Box::new(recipe)));
        }
        let recipe: Recipe =
            serde_json::from_value(value).map_err(|e| not_understood(e, remedy))?;
        recipe.check()?;
        Ok(Self::Whole(Box::new(recipe)))
    }
}

/// The recipe of a run from the command line: one lane under one set of settings.
fn from_run(run: RunRecipe) -> Recipe {
    let mut settings = run.settings;
    settings.lanes[run.lane.index()] = true;
    Recipe {
        format: FORMAT,
        program: run.program,
        version: run.version,
        model: run.model,
        model_folder: None,
        model_hash: run.model_hash,
        device_kind: kind_of(&run.device).to_owned(),
        device: run.device,
        changes: vec![Scripted {
            frame: 0,
            step: 0,
            settings: settings.clone(),
        }],
        incomplete: false,
        edited: None,
        settings,
        rollout: run.rollout,
        frame: run.frames.saturating_add(3),
        frames: None,
        frame_hash: None,
        time: 0.0,
        member: 0,
        color_map: ColorMap::Vik,
        range: ValueRange::symmetric(1.0),
        view: View::default(),
        globe: None,
    }
}

/// Kind of a device by its name as shown.
pub fn kind_of(device: &str) -> &'static str {
    if device.starts_with("CPU") {
        "cpu"
    } else {
        "gpu"
    }
}

/// What is understood of a value: the defaults, with every part of `given` in its place that is `possible` there.
fn understood<T>(given: Option<&Value>, possible: impl Fn(&T) -> bool) -> T
where
    T: Default + Serialize + for<'de> Deserialize<'de>,
{
    let mut known = serde_json::to_value(T::default()).unwrap_or_default();
    let mut understood = T::default();
    let mut waiting: Vec<(Vec<&str>, &Value)> =
        given.map(|g| (Vec::new(), g)).into_iter().collect();
    // The whole first, then the parts of what does not fit.
    for _ in 0..MOST_TRIED {
        let Some((way, part)) = waiting.pop() else {
            break;
        };
        let mut tried = known.clone();
        if let Some(place) = place(&mut tried, &way) {
            *place = part.clone();
            let read = serde_json::from_value::<T>(tried.clone());
            if let Some(fits) = read.ok().filter(|t| possible(t)) {
                (known, understood) = (tried, fits);
                continue;
            }
        }
        let parts = part.as_object().filter(|_| way.len() < DEEPEST);
        let room = MOST_TRIED.saturating_sub(waiting.len());
        for (key, inner) in parts.into_iter().flatten().take(room) {
            let mut deeper = way.clone();
            deeper.push(key.as_str());
            waiting.push((deeper, inner));
        }
    }
    understood
}

/// The place of a part; `None` where something on the way to it is no object.
fn place<'a>(value: &'a mut Value, way: &[&str]) -> Option<&'a mut Value> {
    way.iter().try_fold(value, |value, key| {
        let inner = value.as_object_mut()?;
        Some(inner.entry(*key).or_insert(Value::Null))
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn example() -> Recipe {
        let settings = Settings::default();
        Recipe {
            format: FORMAT,
            program: "eddyscope".into(),
            version: "0.1.0".into(),
            model: "vorticity".into(),
            model_folder: None,
            model_hash: "abc".into(),
            device: "CPU, 2 threads".into(),
            device_kind: "cpu".into(),
            changes: vec![Scripted {
                frame: 0,
                step: 0,
                settings: settings.clone(),
            }],
            incomplete: false,
            edited: None,
            settings,
            rollout: RolloutSpec::default(),
            frame: 4,
            frames: None,
            frame_hash: None,
            time: 0.16,
            member: 0,
            color_map: ColorMap::Vik,
            range: ValueRange::symmetric(10.0),
            view: View::default(),
            globe: None,
        }
    }

    #[test]
    fn a_recipe_of_the_first_format_is_read() {
        let mut value = serde_json::to_value(example()).unwrap();
        for key in ["format", "changes", "device_kind"] {
            value.as_object_mut().unwrap().remove(key);
        }
        let old = Recipe::from_json(&value.to_string()).unwrap();
        assert_eq!((old.format, old.changes.len()), (1, 0));
    }

    #[test]
    fn of_a_newer_format_what_is_understood_is_kept() {
        let mut value = serde_json::to_value(example()).unwrap();
        value["format"] = 9.into();
        value["version"] = "3.1.0".into();
        value["settings"]["guidance"]["strength"] = 0.5.into();
        value["settings"]["guidance"]["telepathy"] = true.into();
        value["settings"]["sampler"]["steps"] = "many".into();
        value["rollout"]["seed"] = 7.into();
        let text = value.to_string();
        let Reading::Newer(newer) = Reading::from_json(&text).unwrap() else {
            panic!("it is newer");
        };
        assert_eq!((newer.format, newer.rollout.seed), (9, 7));
        assert_eq!(newer.settings.guidance.strength, 0.5);
        assert_eq!(
            newer.settings.sampler.steps,
            Settings::default().sampler.steps
        );
        assert!(
            Recipe::from_json(&text)
                .unwrap_err()
                .remedy
                .contains("3.1.0")
        );
    }

    /// With a part where none can be, of a newer format: it is left out, and the rest is kept.
    #[test]
    fn parts_below_what_has_none_are_left_out() {
        let mut value = serde_json::to_value(example()).unwrap();
        value["format"] = 9.into();
        value["settings"]["sampler"] =
            serde_json::json!({"steps": {"first": {"a": 1}}, "rho": 5.0});
        value["settings"]["lanes"] = serde_json::json!({"0": true});
        value["rollout"]["seed"] = serde_json::json!({"low": 7});
        value["rollout"]["start_file"] = "f".repeat(LONGEST_NAME + 1).into();
        value["rollout"]["members"] = 2.into();
        value["model"] = "m".repeat(LONGEST_NAME + 1).into();
        let Reading::Newer(newer) = Reading::from_json(&value.to_string()).unwrap() else {
            panic!("it is newer");
        };
        assert_eq!(newer.settings.sampler.rho, 5.0);
        assert_eq!(newer.settings.lanes, Settings::default().lanes);
        assert_eq!((newer.rollout.seed, newer.rollout.members), (0, 2));
        assert!(newer.rollout.start_file.is_none() && newer.model.is_empty());
    }

    /// Whatever happens to a byte, or to the end of the text: an error or the same recipe, never a panic. Of a newer
    /// format, whose parts are tried one by one, at least never a panic.
    #[test]
    fn mutated_recipes_never_panic() {
        let whole = example();
        let text = whole.to_json().unwrap();
        let mut newer = serde_json::to_value(&whole).unwrap();
        newer["format"] = 9.into();
        newer["settings"]["telepathy"] = true.into();
        let newer = newer.to_string();
        for (text, sealed) in [(&text, true), (&newer, false)] {
            let hear = |changed: &[u8], what: String| {
                let Ok(changed) = std::str::from_utf8(changed) else {
                    return;
                };
                if let Ok(Reading::Whole(read)) = Reading::from_json(changed)
                    && sealed
                {
                    assert_eq!(*read, whole, "{what}");
                }
            };
            for at in 0..text.len() {
                hear(&text.as_bytes()[..at], format!("cut at {at}"));
                for flip in [1, 2, 4, 8, 16, 32, 64] {
                    let mut changed = text.clone().into_bytes();
                    changed[at] ^= flip;
                    hear(&changed, format!("byte {at} ^ {flip}"));
                }
                for byte in *b"{}[]\"," {
                    let mut changed = text.clone().into_bytes();
                    changed[at] = byte;
                    hear(&changed, format!("byte {at} = {byte}"));
                }
            }
        }
    }

    #[test]
    fn impossible_values_are_refused() {
        let change = |key: &str, to: Value| {
            let mut value = serde_json::to_value(example()).unwrap();
            value[key] = to;
            Reading::from_json(&value.to_string())
        };
        assert!(change("frame", 4.into()).is_ok());
        assert!(change("frame", 1e12.into()).is_err());
        assert!(change("frame", (1_u64 << 60).into()).is_err());
        assert!(change("program", "other".into()).is_err());
        assert!(change("frames", serde_json::json!([9, 3, 1])).is_err());
        assert!(change("rollout", serde_json::json!({"members": 0})).is_err());
        assert!(change("model_folder", "f".repeat(LONGEST_NAME + 1).into()).is_err());
        assert!(Reading::from_json("[]").is_err() && Reading::from_json("{").is_err());
    }
}
