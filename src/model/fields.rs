//! Tables on the model's grid that lie beside the card: `fields.safetensors`.
//!
//! | name | shape | what |
//! |---|---|---|
//! | `mean`, `std`, `cap` | `[ny, nx]` | normalisation of each cell ([`crate::data::amounts`]) |
//! | `climatology` | `[12, ny, nx]` | mean amount of each calendar month, mm/day |
//! | `climatology_p90` | `[12, ny, nx]` | 90th percentile of each calendar month, mm/day |
//! | `seasonal` | `[4, ny, nx]` | two harmonics of the year, normalised ([`crate::diffusion::seasonal`]) |
//! | `power` | `[ny, nx]` | power of each wavelet coefficient |
//! | `beta` | `[4, ny, nx]` | regression on the forecast, by history length |
//! | `spread` | `[4, ny, nx]` | factor on the tower's variance, by history length |

use std::collections::BTreeMap;
use std::path::Path;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use crate::error::{Result, UserError};

/// Named tables of f32.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Fields {
    tables: BTreeMap<String, (Vec<usize>, Vec<f32>)>,
}

impl Fields {
    /// Reads a file's bytes; `what` names it in errors.
    ///
    /// # Errors
    /// Not a safetensors file, or a table that is not f32.
    pub fn read(bytes: &[u8], what: &str) -> Result<Self> {
        let fail = |cause: String| {
            UserError::new(
                format!("Cannot read the tables {what}"),
                cause,
                "restore the model folder, or assemble the model again: eddyscope train calibrate",
            )
        };
        let file = SafeTensors::deserialize(bytes).map_err(|e| fail(e.to_string()))?;
        let mut tables = BTreeMap::new();
        for (name, view) in file.iter() {
            if view.dtype() != Dtype::F32 {
                return Err(fail(format!("{name} is {:?}, not F32", view.dtype())));
            }
            let values = view
                .data()
                .chunks_exact(4)
                .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
                .collect();
            tables.insert(name.to_owned(), (view.shape().to_vec(), values));
        }
        Ok(Self { tables })
    }

    /// Adds a table.
    pub fn insert(&mut self, name: &str, shape: &[usize], values: Vec<f32>) {
        debug_assert_eq!(shape.iter().product::<usize>(), values.len());
        self.tables.insert(name.into(), (shape.to_vec(), values));
    }

    /// A table of the given shape.
    ///
    /// # Errors
    /// It is not there, has another shape, or holds a number that is not finite.
    pub fn get(&self, name: &str, shape: &[usize]) -> Result<&[f32]> {
        let fail = |cause: String| {
            UserError::new(
                "The model's tables cannot be used",
                cause,
                "restore the model folder, or assemble the model again: eddyscope train calibrate",
            )
        };
        let Some((found, values)) = self.tables.get(name) else {
            return Err(fail(format!("there is no table {name}")));
        };
        if found != shape {
            return Err(fail(format!(
                "{name} has the shape {found:?}, not {shape:?}"
            )));
        }
        if values.iter().any(|v| !v.is_finite()) {
            return Err(fail(format!("{name} holds a number that is not finite")));
        }
        Ok(values)
    }

    /// The file's bytes; the same tables give the same bytes.
    ///
    /// # Errors
    /// Tables that the format cannot hold (a fault of the program).
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let fail = |e: safetensors::SafeTensorError| {
            UserError::new(
                "Cannot write the model's tables",
                e,
                "this is a fault of the program; please report it",
            )
        };
        let raw: Vec<(&str, &[usize], Vec<u8>)> = self
            .tables
            .iter()
            .map(|(name, (shape, values))| {
                let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
                (name.as_str(), shape.as_slice(), bytes)
            })
            .collect();
        let views = raw
            .iter()
            .map(|(name, shape, bytes)| {
                Ok((*name, TensorView::new(Dtype::F32, shape.to_vec(), bytes)?))
            })
            .collect::<std::result::Result<Vec<_>, _>>()
            .map_err(fail)?;
        safetensors::serialize(views, None).map_err(fail)
    }

    /// Writes the file whole or not at all.
    ///
    /// # Errors
    /// A place that cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        crate::nn::weights::write_atomically(path, &self.to_bytes()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let mut fields = Fields::default();
        fields.insert("b", &[2, 2], vec![1.0, 2.0, 3.0, -4.5]);
        fields.insert("a", &[1], vec![f32::NAN]);
        let bytes = fields.to_bytes().unwrap();
        let back = Fields::read(&bytes, "test").unwrap();
        assert_eq!(back.get("b", &[2, 2]).unwrap(), &[1.0, 2.0, 3.0, -4.5]);
        assert!(back.get("b", &[4]).is_err(), "shape");
        assert!(back.get("a", &[1]).is_err(), "not finite");
        assert!(back.get("c", &[1]).is_err(), "not there");
        assert!(Fields::read(&bytes[..bytes.len() - 3], "cut").is_err());
    }
}
