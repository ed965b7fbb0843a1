//! The paper's discriminator as a guide: the gradient of a U-Net encoder's logit, by automatic differentiation.

use std::rc::Rc;

use burn::tensor::{Tensor, TensorData};

use super::{Conditioned, Context, Discriminate, Judgement};
use crate::nn::Encoder;

/// An encoder that can guide.
pub struct EncoderGuide {
    net: Rc<Encoder>,
}

impl EncoderGuide {
    /// Wraps a trained encoder.
    pub fn new(net: Encoder) -> Self {
        Self { net: Rc::new(net) }
    }
}

impl Discriminate for EncoderGuide {
    fn condition(&self, history: &Tensor<4>, context: Context) -> Box<dyn Conditioned> {
        Box::new(Prepared {
            net: Rc::clone(&self.net),
            history: history.clone(),
            m: context.m.min(3),
        })
    }
}

struct Prepared {
    net: Rc<Encoder>,
    history: Tensor<4>,
    m: usize,
}

impl Conditioned for Prepared {
    fn judge(&self, x: &Tensor<4>, sigma: f64, _denoised: &Tensor<4>) -> Judgement {
        let rows = x.dims()[0];
        let sigma_rows = Tensor::<1>::from_data(
            TensorData::new(vec![sigma as f32; rows], [rows]),
            &x.device(),
        );
        let (logit, gradient) = self.net.logits_and_gradient(
            x.clone(),
            self.history.clone(),
            &vec![self.m; rows],
            sigma_rows,
        );
        Judgement {
            logit,
            shift: gradient.mul_scalar((sigma * sigma) as f32),
            correction: None,
        }
    }
}
