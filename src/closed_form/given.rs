//! The exact law of the next frame as a model of its own: what guidance by a discriminator that knows the world comes to.

use std::rc::Rc;

use burn::tensor::Tensor;

use crate::diffusion::{Conditioned, Context, Control, Denoise, DenoiseGiven};

/// The image model and the exact discriminator, joined: `E[frame | noised frame, history]`.
///
/// The score of `p(x)` and the gradient of `log p(x | h) - log p(x)` give the score of `p(x | h)`, so that this is the
/// best video model that the world can have. It believes the truth whatever the discriminator of another lane is made to
/// believe.
pub struct Given {
    image: Rc<dyn Denoise>,
    exact: Box<dyn Control>,
}

impl Given {
    /// Joins the two of one world.
    pub fn new(image: Box<dyn Denoise>, exact: Box<dyn Control>) -> Self {
        Self {
            image: Rc::from(image),
            exact,
        }
    }
}

impl DenoiseGiven for Given {
    fn given(&self, history: &Tensor<4>, context: Context) -> Rc<dyn Denoise> {
        let truth = Context {
            belief: None,
            ..context
        };
        Rc::new(Seen {
            image: Rc::clone(&self.image),
            exact: self.exact.condition(history, truth),
        })
    }
}

/// With a history.
struct Seen {
    image: Rc<dyn Denoise>,
    exact: Box<dyn Conditioned>,
}

impl Denoise for Seen {
    fn denoise(&self, x: &Tensor<4>, sigma: f64) -> Tensor<4> {
        let denoised = self.image.denoise(x, sigma);
        let judged = self.exact.judge(x, sigma, &denoised);
        let whole = denoised + judged.shift;
        match judged.correction {
            Some(correction) => whole + correction,
            None => whole,
        }
    }
}
