//! Failure signatures: what goes wrong with a rollout, named from its streams as it happens.
//!
//! Each signature compares a figure, averaged over a window or a block of frames, with the range that truth's card
//! gives for single frames (5 to 95 %, half-width h about 1.6 standard deviations). A signature is named where the
//! figure leaves truth's range by so much that truth itself never comes near it (the tests run truth through the
//! detector for thousands of frames), and is withdrawn only where it is well inside again, so that the line on screen
//! does not flutter.
//!
//! | signature | figure | named beyond |
//! |---|---|---|
//! | flicker, frozen | log of the change from frame to frame, mean of [`WINDOW`] frames | [`CHANGE`] h above (a factor of [`MORE`] at least), [`FROZEN`] h below |
//! | over-smoothing | log10 of the power at fine scales over truth's, mean of [`WINDOW`] frames | [`FINE`] below |
//! | noise | the same at the finest scales, where the spectrum is lowest | [`FINE`] above |
//! | drift of variance | standard deviation, mean of a block of [`BLOCK`] frames | [`SPREAD`] h |
//! | drift of mean | mean of a block; in the box, where truth's is 0, against the data's std | [`SPREAD`] h; [`MEAN`] std |
//! | blow-up | standard deviation of two frames in a row | [`GROWTH`] times the data's |
//! | D undecided | most decided abs(2 D - 1) over noise levels, mean of [`WINDOW`] frames | below [`DECIDED`] |

use std::collections::VecDeque;

use crate::model::card::TruthCard;

/// Frames of a window.
pub const WINDOW: usize = 12;
/// Frames of a block.
pub const BLOCK: usize = 40;
/// See the table above.
pub const CHANGE: f64 = 1.6;
/// See the table above.
pub const MORE: f64 = 1.35;
/// See the table above.
pub const FROZEN: f64 = 2.5;
/// See the table above: a factor of 2.5.
pub const FINE: f64 = 0.4;
/// See the table above.
pub const SPREAD: f64 = 1.6;
/// See the table above.
pub const MEAN: f64 = 0.15;
/// See the table above; truth's own frames stay below 1.4, and a lane is stopped at 2.
pub const GROWTH: f64 = 1.5;
/// See the table above.
pub const DECIDED: f64 = 0.25;
/// A signature is withdrawn where its figure falls below this share of what names it.
pub const WITHDRAWN: f64 = 0.75;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Signature {
    /// The values grow beyond the data's.
    BlowUp,
    /// Frames do not follow each other.
    Flicker,
    /// Frames hardly change.
    Frozen,
    /// Fine scales have too much power.
    Noise,
    /// Fine scales have lost their power.
    Smooth,
    /// The spread has left truth's range.
    VarianceDrift,
    /// The mean has left truth's range.
    MeanDrift,
    /// The discriminator cannot tell what follows.
    Undecided,
}

impl Signature {
    /// All, the gravest first.
    pub const ALL: [Self; 8] = [
        Self::BlowUp,
        Self::Flicker,
        Self::Frozen,
        Self::Noise,
        Self::Smooth,
        Self::VarianceDrift,
        Self::MeanDrift,
        Self::Undecided,
    ];
}

/// A signature that is seen now.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sign {
    /// Which.
    pub what: Signature,
    /// The figure now: in the field's units (change, spread, mean), as a factor (fine scales: power over truth's; blow-up:
    /// std over the data's), or as the largest abs(2 D - 1).
    pub value: f64,
    /// Truth's range of it.
    pub truth: (f64, f64),
}

/// A range of single frames, as its middle and half-width.
#[derive(Debug, Clone, Copy)]
struct Range {
    middle: f64,
    half: f64,
}

impl Range {
    fn of((lo, hi): (f64, f64)) -> Self {
        Self {
            middle: 0.5 * (lo + hi),
            half: 0.5 * (hi - lo),
        }
    }

    /// Distance from the middle, in half-widths; NaN where a card gives no range.
    fn distance(&self, value: f64) -> f64 {
        match self.half > 0.0 {
            true => (value - self.middle) / self.half,
            false => f64::NAN,
        }
    }
}

/// Truth's ranges.
#[derive(Debug, Clone)]
struct Limits {
    /// Of the log of the change.
    change: Range,
    change_band: (f64, f64),
    /// How many half-widths of it count as flicker.
    change_reach: f64,
    std: Range,
    std_band: (f64, f64),
    mean: Range,
    mean_band: (f64, f64),
    /// How many half-widths of the mean count.
    mean_reach: f64,
    data_std: f64,
}

impl Limits {
    fn of(card: &TruthCard) -> Self {
        let pair = |v: [f64; 2]| (v[0], v[1]);
        let change_band = pair(card.rmse_band);
        let std_band = pair(card.std_band);
        // In the box the mean of vorticity is 0.
        let (mean_band, mean_reach) = match &card.rain {
            Some(rain) => (pair(rain.global_mean_band), SPREAD),
            None => ((-card.std, card.std), MEAN),
        };
        let change = Range::of((change_band.0.ln(), change_band.1.ln()));
        Self {
            change_reach: CHANGE.max(MORE.ln() / change.half),
            change,
            change_band,
            std: Range::of(std_band),
            std_band,
            mean: Range::of(mean_band),
            mean_band: match card.rain {
                Some(_) => mean_band,
                None => (0.0, 0.0),
            },
            mean_reach,
            data_std: card.std,
        }
    }
}

/// What the detector is told of one frame; NaN where there is nothing to tell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Seen {
    /// Rms change from the frame before.
    pub change: f64,
    /// Mean.
    pub mean: f64,
    /// Standard deviation.
    pub std: f64,
    /// log10 of the power at fine scales over truth's.
    pub fine: f64,
    /// The same at the finest.
    pub finest: f64,
    /// Largest abs(2 D - 1) over the noise levels of the frame's denoising.
    pub decided: f64,
}

/// The newest values.
#[derive(Debug, Clone)]
struct Window {
    values: VecDeque<f64>,
    length: usize,
}

impl Window {
    fn new(length: usize) -> Self {
        Self {
            values: VecDeque::new(),
            length,
        }
    }

    fn push(&mut self, value: f64) {
        if value.is_finite() {
            self.values.push_back(value);
            if self.values.len() > self.length {
                self.values.pop_front();
            }
        } else {
            // What is not known now says nothing of now.
            self.values.clear();
        }
    }

    fn mean(&self) -> Option<f64> {
        let n = self.values.len();
        (n == self.length).then(|| self.values.iter().sum::<f64>() / n as f64)
    }

    fn least(&self) -> Option<f64> {
        let full = self.values.len() == self.length;
        full.then(|| self.values.iter().copied().fold(f64::INFINITY, f64::min))
    }
}

/// Watches one lane.
#[derive(Debug, Clone)]
pub struct Detector {
    limits: Limits,
    change: Window,
    fine: Window,
    finest: Window,
    decided: Window,
    std: Window,
    mean: Window,
    newest: Window,
    named: [bool; Signature::ALL.len()],
}

impl Detector {
    /// With the ranges of a card.
    pub fn new(card: &TruthCard) -> Self {
        Self {
            limits: Limits::of(card),
            change: Window::new(WINDOW),
            fine: Window::new(WINDOW),
            finest: Window::new(WINDOW),
            decided: Window::new(WINDOW),
            std: Window::new(BLOCK),
            mean: Window::new(BLOCK),
            newest: Window::new(2),
            named: Default::default(),
        }
    }

    /// Takes the next frame.
    pub fn push(&mut self, seen: Seen) {
        self.change.push(match seen.change {
            // Not a single value changed.
            0.0 => 1e-12f64.ln(),
            change => change.ln(),
        });
        self.fine.push(seen.fine);
        self.finest.push(seen.finest);
        self.decided.push(seen.decided);
        self.std.push(seen.std);
        self.mean.push(seen.mean);
        self.newest.push(seen.std);
        for (i, what) in Signature::ALL.into_iter().enumerate() {
            let excess = self.figure(what).map_or(0.0, |f| f.1);
            self.named[i] = match self.named[i] {
                false if excess >= 1.0 => true,
                true if excess < WITHDRAWN => false,
                same => same,
            };
        }
    }

    /// The figure of a signature, how far it is beyond what names it, and truth's range.
    fn figure(&self, what: Signature) -> Option<(f64, f64, (f64, f64))> {
        let l = &self.limits;
        let factor = (10f64.powf(-FINE), 10f64.powf(FINE));
        Some(match what {
            Signature::BlowUp => {
                let growth = self.newest.least()? / l.data_std;
                (growth, growth / GROWTH, (0.0, 1.4))
            }
            Signature::Flicker => {
                let log = self.change.mean()?;
                (
                    log.exp(),
                    l.change.distance(log) / l.change_reach,
                    l.change_band,
                )
            }
            Signature::Frozen => {
                let log = self.change.mean()?;
                (log.exp(), -l.change.distance(log) / FROZEN, l.change_band)
            }
            Signature::Noise => {
                let finest = self.finest.mean()?;
                (10f64.powf(finest), finest / FINE, factor)
            }
            Signature::Smooth => {
                let fine = self.fine.mean()?;
                (10f64.powf(fine), -fine / FINE, factor)
            }
            Signature::VarianceDrift => {
                let std = self.std.mean()?;
                (std, l.std.distance(std).abs() / SPREAD, l.std_band)
            }
            Signature::MeanDrift => {
                let mean = self.mean.mean()?;
                let excess = l.mean.distance(mean).abs() / l.mean_reach;
                (mean, excess, l.mean_band)
            }
            Signature::Undecided => {
                let decided = self.decided.mean()?;
                (decided, DECIDED / decided.max(1e-9), (DECIDED, 1.0))
            }
        })
    }

    /// Distance of each figure from what names it.
    #[cfg(test)]
    pub fn excess(&self, what: Signature) -> f64 {
        self.figure(what).map_or(0.0, |f| f.1)
    }

    /// What is seen now, the gravest first.
    pub fn signs(&self) -> Vec<Sign> {
        let named = Signature::ALL.into_iter().zip(self.named);
        named
            .filter(|(_, named)| *named)
            .filter_map(|(what, _)| {
                let (value, _, truth) = self.figure(what)?;
                Some(Sign { what, value, truth })
            })
            .collect()
    }
}

#[cfg(test)]
#[path = "signatures_tests.rs"]
mod tests;
