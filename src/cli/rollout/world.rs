//! Parameters of the worlds with known answers, as `NAME=VALUE`.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::args::{Plan, RolloutArgs};
use crate::error::{Result, UserError};
use crate::model::ModelCard;

impl Plan {
    /// Puts in the parameters and the belief that were given.
    ///
    /// # Errors
    /// A model without them, an unknown name, a value out of range.
    pub(super) fn with_world(mut self, card: &ModelCard, args: &RolloutArgs) -> Result<Self> {
        if args.parameters.is_empty() && args.beliefs.is_empty() {
            return Ok(self);
        }
        let Some(world) = &card.closed_form else {
            return Err(UserError::new(
                format!("The model {} has no parameters", card.name),
                "--parameter and --believe are for worlds whose law is known",
                "use --model gaussian-process or --model travelling-wave, or leave them out",
            ));
        };
        if !args.parameters.is_empty() {
            let world = with_values("--parameter", world, &args.parameters)?;
            world.validate()?;
            self.spec.closed_form = Some(world);
        }
        if !args.beliefs.is_empty() {
            let belief = crate::closed_form::Belief::default();
            self.settings.guidance.belief = Some(with_values("--believe", &belief, &args.beliefs)?);
        }
        Ok(self)
    }
}

/// A value with some of its fields replaced.
fn with_values<T: Serialize + DeserializeOwned>(
    option: &str,
    value: &T,
    given: &[String],
) -> Result<T> {
    let mut fields = match serde_json::to_value(value) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    };
    let names: Vec<String> = fields.keys().filter(|k| *k != "world").cloned().collect();
    let fail = |text: &str, cause: String| {
        let example = names.first().map_or("NAME", String::as_str);
        UserError::new(
            format!("Cannot use {option} {text}"),
            cause,
            format!(
                "write {option} {example}=VALUE; there are: {}",
                names.join(", ")
            ),
        )
    };
    for text in given {
        let Some((name, new)) = text.split_once('=') else {
            return Err(fail(text, "it has no =".into()));
        };
        if !names.iter().any(|n| n == name) {
            return Err(fail(text, format!("there is no {name}")));
        }
        let new = serde_json::from_str::<Value>(new).unwrap_or_else(|_| Value::String(new.into()));
        fields.insert(name.into(), new);
        serde_json::from_value::<T>(Value::Object(fields.clone()))
            .map_err(|e| fail(text, e.to_string()))?;
    }
    serde_json::from_value(Value::Object(fields)).map_err(|e| fail(&given.join(" "), e.to_string()))
}
