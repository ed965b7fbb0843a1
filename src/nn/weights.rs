//! Weights as files: safetensors in half precision, checked name by name and shape by shape.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor, TensorData};
use half::f16;
use safetensors::tensor::{Dtype, TensorView};
use sha2::{Digest, Sha256};

use crate::error::{Result, UserError};

/// One parameter of a network.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    /// Path in the module, joined by dots: `unet.trunk.levels.0.blocks.0.conv1.weight`.
    pub name: String,
    /// Dimensions.
    pub shape: Vec<usize>,
    /// Values, row-major.
    pub values: Vec<f32>,
}

/// All parameters of a module, in its own order.
pub fn parameters<M: Module>(module: &M) -> Vec<Parameter> {
    struct Collect {
        path: Vec<String>,
        found: Vec<Parameter>,
    }
    impl ModuleVisitor for Collect {
        fn enter_module(&mut self, name: &str, _container: &str) {
            self.path.push(name.to_owned());
        }
        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.path.pop();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let tensor = param.val();
            self.found.push(Parameter {
                name: self.path.join("."),
                shape: tensor.dims().to_vec(),
                values: tensor_values(tensor),
            });
        }
    }
    let mut collect = Collect {
        path: Vec::new(),
        found: Vec::new(),
    };
    module.visit(&mut collect);
    collect.found
}

/// Values of a float tensor, row-major.
pub fn tensor_values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    let data = tensor.into_data();
    match data.as_slice::<f32>() {
        Ok(values) => values.to_vec(),
        Err(_) => data.iter::<f32>().collect(),
    }
}

/// Number of parameters of a module.
pub fn count<M: Module>(module: &M) -> usize {
    module.num_params()
}

/// The module with its parameters replaced, in its own order, by consecutive pieces of `flat`, on `device`. On a device
/// with autodiff the new parameters require gradients.
///
/// # Panics
/// If `flat` is shorter than the module's parameters.
pub fn with_flat<M: Module>(module: M, flat: &[f32], device: &Device) -> M {
    struct Fill<'a> {
        flat: &'a [f32],
        device: &'a Device,
    }
    impl ModuleMapper for Fill<'_> {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let shape = param.lazy_shape();
            let (own, rest) = self.flat.split_at(shape.num_elements());
            self.flat = rest;
            let data = TensorData::new(own.to_vec(), shape);
            let tensor = Tensor::from_data(data, self.device);
            let tensor = if self.device.is_autodiff() {
                tensor.require_grad()
            } else {
                tensor
            };
            Param::initialized(param.id, tensor)
        }
    }
    module.map(&mut Fill { flat, device })
}

/// The module's parameters one after another, in its own order.
pub fn flat<M: Module>(module: &M) -> Vec<f32> {
    parameters(module)
        .into_iter()
        .flat_map(|p| p.values)
        .collect()
}

/// Writes a module's weights as half-precision safetensors, by a temporary file and a rename.
///
/// # Errors
/// If the file cannot be written.
pub fn save_f16<M: Module>(module: &M, path: &Path) -> Result<()> {
    let bytes = to_bytes(module).map_err(|e| unwritable(path, e))?;
    write_atomically(path, &bytes)
}

fn to_bytes<M: Module>(module: &M) -> std::result::Result<Vec<u8>, safetensors::SafeTensorError> {
    let halves: Vec<(String, Vec<usize>, Vec<u8>)> = parameters(module)
        .into_iter()
        .map(|p| {
            let bytes = p
                .values
                .iter()
                .flat_map(|v| f16::from_f32(*v).to_le_bytes())
                .collect();
            (p.name, p.shape, bytes)
        })
        .collect();
    let views = halves
        .iter()
        .map(|(name, shape, bytes)| {
            TensorView::new(Dtype::F16, shape.clone(), bytes).map(|view| (name.as_str(), view))
        })
        .collect::<std::result::Result<Vec<_>, _>>()?;
    safetensors::serialize(views, None)
}

/// Writes `bytes` to `path` so that a reader sees the old file or the new one, never a part.
///
/// # Errors
/// If the file cannot be written.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    crate::data::files::write_atomically(path, |file| file.write_all(bytes))
}

fn unwritable(path: &Path, cause: impl std::fmt::Display) -> UserError {
    UserError::new(
        format!("Cannot write {}", path.display()),
        cause,
        "check that the folder exists, is writable and has space, or choose another one with --out",
    )
}

/// Loads weights into a module. `bytes` is a safetensors file in half or single precision that holds exactly the
/// module's parameters; `what` names it in errors ("denoiser.safetensors").
///
/// # Errors
/// If the bytes are not a whole safetensors file, or a tensor is missing, unknown, of the wrong shape or not finite.
pub fn load<M: Module>(module: M, bytes: &[u8], what: &str, device: &Device) -> Result<M> {
    let file = read(bytes, what)?;
    assign(module, file, what, device)
}

/// Tensors of a file by name.
pub(crate) type Tensors = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

/// Reads all tensors of a safetensors file as f32.
pub(crate) fn read(bytes: &[u8], what: &str) -> Result<Tensors> {
    let file = safetensors::SafeTensors::deserialize(bytes)
        .map_err(|e| broken(what, format!("it is not a whole safetensors file: {e}")))?;
    file.iter()
        .map(|(name, view)| {
            let data = view.data();
            let values: Vec<f32> = match view.dtype() {
                Dtype::F16 => data
                    .chunks_exact(2)
                    .map(|b| f16::from_le_bytes([b[0], b[1]]).to_f32())
                    .collect(),
                Dtype::F32 => data
                    .chunks_exact(4)
                    .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
                    .collect(),
                other => {
                    return Err(broken(
                        what,
                        format!("its tensor {name} has the type {other:?}"),
                    ));
                }
            };
            if values.iter().all(|v| v.is_finite()) {
                Ok((name.to_owned(), (view.shape().to_vec(), values)))
            } else {
                Err(broken(
                    what,
                    format!("its tensor {name} holds numbers that are not finite"),
                ))
            }
        })
        .collect()
}

/// Puts named tensors into a module; all of them must be used.
pub(crate) fn assign<M: Module>(
    module: M,
    mut file: Tensors,
    what: &str,
    device: &Device,
) -> Result<M> {
    let mut all = Vec::new();
    for own in parameters(&module) {
        let Some((shape, values)) = file.remove(&own.name) else {
            return Err(broken(what, format!("it has no tensor named {}", own.name)));
        };
        if shape != own.shape {
            return Err(broken(
                what,
                format!(
                    "its tensor {} has the shape {shape:?}, the network's is {:?}",
                    own.name, own.shape
                ),
            ));
        }
        all.extend(values);
    }
    if let Some(name) = file.keys().next() {
        return Err(broken(
            what,
            format!("it holds a tensor {name} that the network does not have"),
        ));
    }
    Ok(with_flat(module, &all, device))
}

fn broken(what: &str, cause: String) -> UserError {
    UserError::new(
        format!("Cannot use the weights {what}"),
        cause,
        "use weights written by `eddyscope train` for the architecture in model.toml",
    )
}

/// SHA-256 of several pieces one after another, in hexadecimal: the hash of a model's weights.
pub fn sha256(pieces: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    for piece in pieces {
        hash.update(piece);
    }
    hash.finalize().iter().map(|b| format!("{b:02x}")).collect()
}
