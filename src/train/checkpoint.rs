//! The state of a training on disk, in full precision.

use std::collections::HashMap;
use std::path::Path;

use safetensors::tensor::{Dtype, TensorView};

use super::optimizer::State;
use crate::error::{Result, UserError};
use crate::nn::weights::write_atomically;

/// Name of the entry that says what is being trained.
const RECIPE: &str = "recipe";
const STEP: &str = "step";
const SECONDS: &str = "seconds";

/// A saved training.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    /// Parameters, average, moments, step.
    pub state: State,
    /// Seconds trained so far.
    pub seconds: f64,
    /// JSON text of everything that must be the same for the training to go on.
    pub recipe: String,
}

fn parts(state: &State) -> [(&'static str, &Vec<f32>); 4] {
    [
        ("parameters", &state.parameters),
        ("average", &state.average),
        ("moment1", &state.moment1),
        ("moment2", &state.moment2),
    ]
}

impl Checkpoint {
    /// Writes the file, by a temporary file and a rename.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let failed = |e: safetensors::SafeTensorError| {
            UserError::new(
                format!("Cannot write {}", path.display()),
                e,
                "report this as a bug",
            )
        };
        let views = parts(&self.state)
            .into_iter()
            .map(|(name, values)| {
                let bytes = bytemuck::cast_slice(values);
                TensorView::new(Dtype::F32, vec![values.len()], bytes).map(|view| (name, view))
            })
            .collect::<std::result::Result<Vec<_>, _>>()
            .map_err(failed)?;
        let facts = HashMap::from([
            (RECIPE.to_owned(), self.recipe.clone()),
            (STEP.to_owned(), self.state.step.to_string()),
            (SECONDS.to_owned(), self.seconds.to_string()),
        ]);
        let bytes = safetensors::serialize(views, Some(facts)).map_err(failed)?;
        write_atomically(path, &bytes)
    }

    /// Reads a file.
    ///
    /// # Errors
    /// If it is missing or not a whole checkpoint.
    pub fn read(path: &Path) -> Result<Self> {
        let error = |cause: String| {
            UserError::new(
                format!("Cannot resume from {}", path.display()),
                cause,
                "begin anew without --resume, or give the folder of an interrupted training with --out",
            )
        };
        let bytes = std::fs::read(path).map_err(|e| error(e.to_string()))?;
        let broken =
            |e: safetensors::SafeTensorError| error(format!("it is not a whole checkpoint: {e}"));
        let file = safetensors::SafeTensors::deserialize(&bytes).map_err(broken)?;
        let (_, header) = safetensors::SafeTensors::read_metadata(&bytes).map_err(broken)?;
        let facts = header.metadata().clone().unwrap_or_default();
        let fact = |name: &str| {
            facts
                .get(name)
                .cloned()
                .ok_or_else(|| error(format!("it has no entry {name}")))
        };
        let number = |name: &str| {
            fact(name)?
                .parse::<f64>()
                .map_err(|e| error(format!("its entry {name} is not a number: {e}")))
        };
        let vector = |name: &str| {
            let view = file.tensor(name).map_err(broken)?;
            if view.dtype() != Dtype::F32 {
                return Err(error(format!(
                    "its tensor {name} is not in single precision"
                )));
            }
            Ok(view
                .data()
                .chunks_exact(4)
                .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
                .collect::<Vec<f32>>())
        };
        let state = State {
            step: number(STEP)? as usize,
            parameters: vector("parameters")?,
            average: vector("average")?,
            moment1: vector("moment1")?,
            moment2: vector("moment2")?,
        };
        let n = state.parameters.len();
        if parts(&state).iter().any(|(_, v)| v.len() != n) {
            return Err(error("its tensors have different lengths".into()));
        }
        Ok(Self {
            state,
            seconds: number(SECONDS)?,
            recipe: fact(RECIPE)?,
        })
    }
}
