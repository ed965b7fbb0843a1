//! The kernels of [`super::cpu`] as operations of burn, with their backward steps.
//!
//! The operations exist for the Flex backend alone; [`super::ops`] composes the same mathematics from burn's own
//! operations on every other device.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Flex, backend_extension};

use super::cpu::{conv, join, norm};

/// Fused operations of the networks.
#[backend_extension(Flex, Autodiff)]
pub(crate) trait NetworkOps: Backend {
    /// Convolution; see [`conv::forward`].
    fn convolution(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        plan: conv::Plan,
    ) -> FloatTensor<Self>;

    /// Group normalisation, scale, shift and SiLU; see [`norm::forward`].
    fn normalisation(
        x: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        plan: norm::Plan,
    ) -> FloatTensor<Self>;

    /// Doubling and concatenation; see [`join::forward`].
    fn joining(coarse: FloatTensor<Self>, fine: FloatTensor<Self>) -> FloatTensor<Self>;
}

impl NetworkOps for Flex {
    fn convolution(
        x: FlexTensor,
        weight: FlexTensor,
        bias: FlexTensor,
        plan: conv::Plan,
    ) -> FlexTensor {
        conv::forward(&x, &weight, &bias, plan)
    }

    fn normalisation(
        x: FlexTensor,
        scale: FlexTensor,
        shift: FlexTensor,
        plan: norm::Plan,
    ) -> FlexTensor {
        norm::forward(&x, &scale, &shift, plan)
    }

    fn joining(coarse: FlexTensor, fine: FlexTensor) -> FlexTensor {
        join::forward(&coarse, &fine)
    }
}

#[derive(Debug)]
struct ConvolutionBackward;

impl Backward<Flex, 3> for ConvolutionBackward {
    type State = (FlexTensor, FlexTensor, conv::Plan);

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let [x_node, weight_node, bias_node] = ops.parents;
        let grad = grads.consume::<Flex>(&ops.node);
        let (x, weight, plan) = ops.state;
        let dims = |t: &FlexTensor| {
            let s = t.layout().shape();
            [s[0], s[1], s[2], s[3]]
        };
        if let Some(node) = x_node {
            let value = conv::backward_input(&grad, &weight, dims(&x), plan);
            grads.register::<Flex>(node.id, value);
        }
        if let Some(node) = weight_node {
            let value = conv::backward_weight(&x, &grad, dims(&weight), plan);
            grads.register::<Flex>(node.id, value);
        }
        if let Some(node) = bias_node {
            grads.register::<Flex>(node.id, conv::backward_bias(&grad));
        }
    }
}

#[derive(Debug)]
struct NormalisationBackward;

impl Backward<Flex, 3> for NormalisationBackward {
    type State = (FlexTensor, FlexTensor, FlexTensor, norm::Plan);

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<Flex>(&ops.node);
        let (x, scale, shift, plan) = ops.state;
        let values = norm::backward(&x, &scale, &shift, &grad, plan);
        for (node, value) in ops.parents.into_iter().zip(values) {
            if let Some(node) = node {
                grads.register::<Flex>(node.id, value);
            }
        }
    }
}

#[derive(Debug)]
struct JoiningBackward;

impl Backward<Flex, 2> for JoiningBackward {
    /// Channels of the coarse tensor.
    type State = usize;

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<Flex>(&ops.node);
        let values = join::backward(&grad, ops.state);
        for (node, value) in ops.parents.into_iter().zip(values) {
            if let Some(node) = node {
                grads.register::<Flex>(node.id, value);
            }
        }
    }
}

impl<C: CheckpointStrategy> NetworkOps for Autodiff<Flex, C> {
    fn convolution(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        plan: conv::Plan,
    ) -> FloatTensor<Self> {
        let out = conv::forward(x.primitive(), weight.primitive(), bias.primitive(), plan);
        match ConvolutionBackward
            .prepare::<C>([x.node(), weight.node(), bias.node()])
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(prep) => {
                prep.finish((x.into_primitive(), weight.into_primitive(), plan), out)
            }
            OpsKind::UnTracked(prep) => prep.finish(out),
        }
    }

    fn normalisation(
        x: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        plan: norm::Plan,
    ) -> FloatTensor<Self> {
        let out = norm::forward(x.primitive(), scale.primitive(), shift.primitive(), plan);
        match NormalisationBackward
            .prepare::<C>([x.node(), scale.node(), shift.node()])
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(prep) => prep.finish(
                (
                    x.into_primitive(),
                    scale.into_primitive(),
                    shift.into_primitive(),
                    plan,
                ),
                out,
            ),
            OpsKind::UnTracked(prep) => prep.finish(out),
        }
    }

    fn joining(coarse: FloatTensor<Self>, fine: FloatTensor<Self>) -> FloatTensor<Self> {
        let out = join::forward(coarse.primitive(), fine.primitive());
        let channels = coarse.primitive().layout().shape()[1];
        match JoiningBackward
            .prepare::<C>([coarse.node(), fine.node()])
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(prep) => prep.finish(channels, out),
            OpsKind::UnTracked(prep) => prep.finish(out),
        }
    }
}
