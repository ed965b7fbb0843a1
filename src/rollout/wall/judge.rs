//! The discriminator of a batch, whose rows may have other history lengths and intervals of guidance.

use burn::tensor::{Tensor, TensorData};

use super::super::engine::Engine;
use super::super::settings::DiscriminatorKind;
use super::batch::Row;
use crate::diffusion::flow::{Advance, Flow, Guide, Judged};
use crate::diffusion::sampler::leap_stops;
use crate::diffusion::{Conditioned, Judgement};
use crate::error::Result;

/// The discriminator for rows with several contexts.
pub(super) struct Judge {
    groups: Vec<Group>,
    /// Interval of each row, noise levels; `None` = a row without guidance.
    intervals: Vec<Option<(f64, f64)>>,
    /// Whether every group has a law whose flow can be followed.
    pub flows: bool,
}

/// Rows with one context.
struct Group {
    rows: usize,
    /// The discriminator that has seen their history; `None` where no row has guidance.
    seen: Option<Box<dyn Conditioned>>,
    /// The law of any frame, where it is `None`.
    unconditional: Option<Box<dyn Flow>>,
}

impl Group {
    fn flow(&self) -> Option<&dyn Flow> {
        match &self.seen {
            Some(seen) => seen.flow(),
            None => self.unconditional.as_deref(),
        }
    }
}

impl Judge {
    /// Looks at the histories of rows that lie side by side where their contexts are the same.
    ///
    /// # Errors
    /// A discriminator that the model does not have.
    pub fn new(
        engine: &Engine,
        kind: DiscriminatorKind,
        rows: &[Row<'_>],
        history: &Tensor<4>,
    ) -> Result<Self> {
        let discriminator = engine.discriminator(kind)?;
        let guided = |row: &Row<'_>| row.settings.guidance.strength != 0.0;
        let mut groups = Vec::new();
        let mut at = 0;
        for group in rows.chunk_by(|a, b| a.context == b.context) {
            let first = group.iter().find(|row| guided(row));
            groups.push(Group {
                rows: group.len(),
                unconditional: match first {
                    Some(_) => None,
                    None => discriminator.unconditional_flow(),
                },
                seen: first.map(|row| {
                    let seen = history.clone().narrow(0, at, group.len());
                    discriminator.condition(&seen, row.context)
                }),
            });
            at += group.len();
        }
        let interval = |row: &Row<'_>| {
            let g = &row.settings.guidance;
            guided(row).then_some((f64::from(g.sigma_lo), f64::from(g.sigma_hi)))
        };
        Ok(Self {
            flows: groups.iter().all(|g| g.flow().is_some()),
            groups,
            intervals: rows.iter().map(interval).collect(),
        })
    }
}

impl Conditioned for Judge {
    /// Groups without a row that uses the answer at this noise level are not asked: their part is zero.
    fn judge(&self, x: &Tensor<4>, sigma: f64, denoised: &Tensor<4>) -> Judgement {
        let uses = |i: &Option<(f64, f64)>| i.is_some_and(|(lo, hi)| (lo..=hi).contains(&sigma));
        let used: Vec<bool> = self.intervals.iter().map(uses).collect();
        let mut at = 0;
        let (mut logit, mut shift, mut correction) = (Vec::new(), Vec::new(), Vec::new());
        for group in &self.groups {
            let part = |t: &Tensor<4>| t.clone().narrow(0, at, group.rows);
            let nothing = || part(x).zeros_like();
            let wanted = used[at..at + group.rows].contains(&true);
            let said = (group.seen.as_ref().filter(|_| wanted))
                .map(|seen| seen.judge(&part(x), sigma, &part(denoised)));
            match said {
                Some(said) => {
                    logit.push(said.logit);
                    shift.push(said.shift);
                    correction.push(said.correction);
                }
                None => {
                    logit.push(Tensor::zeros([group.rows], &x.device()));
                    shift.push(nothing());
                    correction.push(None);
                }
            }
            at += group.rows;
        }
        // All groups are of one discriminator: those that were asked have a correction, or none has.
        let corrected = correction.iter().any(Option::is_some);
        let correction = corrected.then(|| {
            let parts = correction.into_iter().zip(&shift);
            let parts = parts.map(|(c, shift)| c.unwrap_or_else(|| shift.zeros_like()));
            Tensor::cat(parts.collect(), 0)
        });
        let (logit, shift) = (Tensor::cat(logit, 0), Tensor::cat(shift, 0));
        if !used.contains(&false) {
            return Judgement {
                logit,
                shift,
                correction,
            };
        }
        let weights: Vec<f32> = used.iter().map(|u| f32::from(u8::from(*u))).collect();
        let data = TensorData::new(weights, [used.len(), 1, 1, 1]);
        let weights = Tensor::<4>::from_data(data, &x.device());
        Judgement {
            logit,
            shift: shift * weights.clone(),
            correction: correction.map(|c| c * weights),
        }
    }
}

impl Flow for Judge {
    /// Each group along its own law; rows outside of their interval along that of any frame.
    fn advance(&self, step: &Advance<'_>) -> (Tensor<4>, Option<Tensor<4>>) {
        let (mut next, mut remainder) = (Vec::new(), Vec::new());
        self.by_group(step, |group, step, intervals| {
            // `flows` says that every group has one.
            let flow = group.flow()?;
            let (x, r) = match step.estimate {
                Some(_) => flow.advance(&Advance {
                    strengths: &acting(intervals, step.strengths, step.from),
                    ..*step
                }),
                None if step.to > 0.0 => (leap(flow, step, intervals), None),
                None => flow.advance(step),
            };
            next.push(x);
            remainder.extend(r);
            Some(())
        });
        (Tensor::cat(next, 0), cat(remainder))
    }

    /// Each group through its own discriminator; there is no answer where a group has none that can.
    fn advance_judged(&self, step: &Advance<'_>, guide: &Guide<'_>) -> Option<Judged> {
        // What is wanted of the way down to the first evaluation is nothing but its end.
        step.estimate?;
        let mut at = 0;
        let (mut next, mut beyond) = (Vec::new(), Vec::new());
        let (mut logit, mut ratio) = (Vec::new(), Vec::new());
        self.by_group(step, |group, step, intervals| {
            let rows = at..at + group.rows;
            at = rows.end;
            let Some(seen) = &group.seen else {
                let ends = step.estimate.filter(|_| step.to == 0.0);
                let (x, r) = match ends {
                    Some(estimate) => (estimate.clone(), None),
                    None => group.flow()?.advance(step),
                };
                let nothing = || Tensor::zeros([group.rows], &step.x.device());
                next.push(x);
                beyond.extend(r);
                logit.push(nothing());
                ratio.push(nothing());
                return Some(());
            };
            let of = |all: &[f32]| acting(intervals, all, step.from);
            let guided = Guide {
                strengths: &of(guide.strengths.get(rows.clone())?),
                known: guide.known.get(rows)?,
            };
            let step = Advance {
                strengths: &of(step.strengths),
                ..*step
            };
            let judged = seen.flow()?.advance_judged(&step, &guided)?;
            next.push(judged.x);
            beyond.extend(judged.beyond);
            logit.push(judged.logit);
            ratio.push(judged.ratio);
            Some(())
        })?;
        Some(Judged {
            x: Tensor::cat(next, 0),
            beyond: cat(beyond).filter(|_| step.to > 0.0),
            logit: Tensor::cat(logit, 0),
            ratio: Tensor::cat(ratio, 0),
        })
    }
}

/// Intervals of a group's rows.
type Intervals<'a> = &'a [Option<(f64, f64)>];

impl Judge {
    /// Hands each group its part of a step, with the intervals of its rows; ends where one has no answer.
    fn by_group(
        &self,
        step: &Advance<'_>,
        mut each: impl FnMut(&Group, &Advance<'_>, Intervals<'_>) -> Option<()>,
    ) -> Option<()> {
        let mut row = 0;
        for group in &self.groups {
            let rows = row..row + group.rows;
            row = rows.end;
            let part = |t: &Tensor<4>| t.clone().narrow(0, rows.start, group.rows);
            let (x, estimate) = (part(step.x), step.estimate.map(part));
            let before = step.before.map(|(r, sigma)| (part(r), sigma));
            let step = Advance {
                x: &x,
                estimate: estimate.as_ref(),
                before: before.as_ref().map(|(r, sigma)| (r, *sigma)),
                usable: step.usable.get(rows.clone()).unwrap_or(&[]),
                strengths: step.strengths.get(rows.clone()).unwrap_or(&[]),
                ..*step
            };
            each(group, &step, &self.intervals[rows])?;
        }
        Some(())
    }
}

fn cat(parts: Vec<Tensor<4>>) -> Option<Tensor<4>> {
    (!parts.is_empty()).then(|| Tensor::cat(parts, 0))
}

/// Strengths of rows at a noise level.
fn acting(intervals: &[Option<(f64, f64)>], strengths: &[f32], sigma: f64) -> Vec<f32> {
    let acts = |i: &Option<(f64, f64)>| i.is_some_and(|(lo, hi)| (lo..=hi).contains(&sigma));
    let rows = intervals.iter().zip(strengths);
    rows.map(|(i, &s)| if acts(i) { s } else { 0.0 }).collect()
}

/// From pure noise along the law alone: each row stops where its interval begins or ends, as the main lane does.
fn leap(flow: &dyn Flow, step: &Advance<'_>, intervals: &[Option<(f64, f64)>]) -> Tensor<4> {
    let mut kinds: Vec<Option<(f64, f64)>> = Vec::new();
    for interval in intervals {
        if !kinds.contains(interval) {
            kinds.push(*interval);
        }
    }
    let mut ends: Vec<Tensor<4>> = Vec::with_capacity(kinds.len());
    for kind in &kinds {
        let stops = leap_stops(kind.unwrap_or((0.0, f64::MAX)), step.from, step.to);
        let (mut x, mut from) = (step.x.clone(), step.from);
        for to in stops {
            let strengths = acting(intervals, step.strengths, (from * to).sqrt());
            (x, _) = flow.advance(&Advance::law(&x, from, to, &strengths));
            from = to;
        }
        ends.push(x);
    }
    if let [only] = &ends[..] {
        return only.clone();
    }
    let kind_of = |i: &Option<(f64, f64)>| kinds.iter().position(|k| k == i).unwrap_or(0);
    let rows = intervals.iter().enumerate();
    let rows = rows.map(|(row, i)| ends[kind_of(i)].clone().narrow(0, row, 1));
    Tensor::cat(rows.collect(), 0)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use burn::tensor::Device;

    use super::*;
    use crate::diffusion::to_vec;

    /// Says 2 and remembers how many rows it was asked about.
    struct Asked(Rc<RefCell<Vec<usize>>>);

    impl Conditioned for Asked {
        fn judge(&self, x: &Tensor<4>, _: f64, _: &Tensor<4>) -> Judgement {
            let rows = x.dims()[0];
            self.0.borrow_mut().push(rows);
            Judgement {
                logit: Tensor::full([rows], 2.0, &x.device()),
                shift: x.full_like(2.0),
                correction: Some(x.full_like(-2.0)),
            }
        }
    }

    #[test]
    fn only_groups_that_use_the_answer_are_asked() {
        let asked = Rc::new(RefCell::new(Vec::new()));
        let group = |rows, guided: bool| Group {
            rows,
            unconditional: None,
            seen: guided.then(|| Box::new(Asked(Rc::clone(&asked))) as Box<dyn Conditioned>),
        };
        let judge = Judge {
            groups: vec![group(2, true), group(1, false), group(1, true)],
            flows: false,
            intervals: vec![Some((0.0, 1.0)), Some((0.0, 4.0)), None, Some((2.0, 9.0))],
        };
        let x = Tensor::<4>::ones([4, 1, 1, 1], &Device::flex());
        for (sigma, rows, shift) in [
            (0.5, vec![2], [2.0, 2.0, 0.0, 0.0]),
            (3.0, vec![2, 1], [0.0, 2.0, 0.0, 2.0]),
            (5.0, vec![1], [0.0, 0.0, 0.0, 2.0]),
            (10.0, vec![], [0.0; 4]),
        ] {
            asked.borrow_mut().clear();
            let said = judge.judge(&x, sigma, &x);
            assert_eq!(*asked.borrow(), rows, "sigma {sigma}");
            assert_eq!(to_vec(said.shift), shift, "sigma {sigma}");
            assert_eq!(to_vec(said.logit).len(), 4);
            match said.correction {
                Some(c) => assert_eq!(to_vec(c), shift.map(|v| -v), "sigma {sigma}"),
                None => assert!(rows.is_empty()),
            }
        }
    }
}
