//! Hand-written kernels for the Flex (CPU) backend.
//!
//! Flex converts layouts in scalar loops at every convolution and runs normalisation and SiLU as separate serial passes;
//! these kernels do the same mathematics two to four times faster and keep two promises that sampling relies on: the
//! result of one sample depends neither on the batch it is in nor on the number of threads.

pub(super) mod conv;
pub(super) mod join;
pub(super) mod norm;

use burn::backend::flex::{FlexTensor, Layout};
use burn::tensor::{Bytes, DType, Shape};

/// Wraps values into a contiguous tensor.
fn tensor(values: Vec<f32>, shape: &[usize]) -> FlexTensor {
    FlexTensor::new(
        Bytes::from_elems(values),
        Layout::contiguous(Shape::from(shape.to_vec())),
        DType::F32,
    )
}

/// All values of a contiguous f32 tensor.
fn values(tensor: &FlexTensor) -> &[f32] {
    let n = tensor.layout().num_elements();
    &tensor.storage::<f32>()[..n]
}

/// The dimensions of a rank-4 tensor.
fn dims4(tensor: &FlexTensor) -> [usize; 4] {
    let shape = tensor.layout().shape();
    [shape[0], shape[1], shape[2], shape[3]]
}
