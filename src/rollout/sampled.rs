//! How the next frame of a lane is made: through the sampler, or by the forecaster alone.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use burn::tensor::Tensor;

use crate::diffusion::flow::Flow;
use crate::diffusion::sampler::{Evaluation, Follow, Sampler, StepContext, Wanted};
use crate::diffusion::{Conditioned, Context, Control, Denoise, to_vec};
use crate::error::{Result, UserError};
use crate::random::{NoiseKey, Stream};

use super::engine::{Engine, HISTORY};
use super::frame::DenoisingTrace;
use super::lanes::Lanes;
use super::settings::{DiscriminatorKind, GuidanceSettings, LaneKind, Settings, Solver, Start};

/// A frame of the sampled lanes on its way.
pub struct FrameInProgress {
    sampler: Sampler,
    rows: Vec<(LaneKind, u32)>,
    history: Tensor<4>,
    conditioned: Option<Box<dyn Conditioned>>,
    conditioned_for: Option<(DiscriminatorKind, Context)>,
    /// The law of any frame, for [`Solver::Flow`] where no history is looked at; and whether that solver is in force.
    unconditional: Option<Box<dyn Flow>>,
    follows: bool,
    /// What guided the step before: the settings, what was told, each row's strength.
    steered: Option<(GuidanceSettings, Context, Vec<f32>)>,
    /// Rows of the image model; the ones behind them are the video model's.
    image_rows: usize,
    /// The video model with the history, and what it was told.
    video: Option<(Rc<dyn Denoise>, Context)>,
    frame: usize,
    seed: u64,
    evaluations: Vec<Trace>,
    watch: bool,
    wanted: Wanted,
    /// Seconds spent in the discriminator (tower or encoder, and closed form); measured where asked. What it does in the
    /// solver's own pass ([`Flow::advance_judged`]) cannot be told apart there and is not counted: `eddyscope bench` makes
    /// frames with and without a discriminator in turn.
    pub guidance_seconds: f64,
}

struct Trace {
    sigma: f64,
    logit: Option<Tensor<1>>,
    ratio: Option<Tensor<1>>,
}

/// One sampled frame of one lane.
pub struct SampledLane {
    /// Which lane.
    pub kind: LaneKind,
    /// One array a member, physical units.
    pub members: Vec<Arc<[f32]>>,
    /// How the discriminator saw member 0.
    pub trace: DenoisingTrace,
}

impl FrameInProgress {
    /// Begins the next frame of the given lanes ([`LaneKind::SAMPLED`]). `None` when there is no lane. With
    /// `watch` the discriminator is asked even where its strength is 0, so that its answer can be shown.
    pub fn begin(
        engine: &Engine,
        lanes: &Lanes,
        kinds: &[LaneKind],
        settings: &Settings,
        watch: bool,
    ) -> Option<Self> {
        let first = lanes.spec.number(0);
        Self::begin_member(engine, lanes, kinds, settings, watch, first)
    }

    /// The same where the lanes' first member is number `first_member` of its rollout: its noise is that member's.
    pub(super) fn begin_member(
        engine: &Engine,
        lanes: &Lanes,
        kinds: &[LaneKind],
        settings: &Settings,
        watch: bool,
        first_member: u32,
    ) -> Option<Self> {
        let mut rows = Vec::new();
        let mut history = Vec::new();
        for &kind in &LaneKind::SAMPLED {
            if kinds.contains(&kind) && lanes.append_history(engine, kind, &mut history) {
                let members = (0..lanes.members() as u32).map(|member| first_member + member);
                rows.extend(members.map(|member| (kind, member)));
            }
        }
        if rows.is_empty() {
            return None;
        }
        let image_rows = rows.iter().filter(|(kind, _)| !kind.is_video()).count();
        let history = engine.tensor(history, rows.len(), HISTORY);
        let frame = lanes.next;
        let noise = noise_rows(engine, &rows, lanes.spec.seed, frame, 0);
        let warm = match settings.sampler.start {
            Start::Noise => None,
            Start::Warm { sigma } => Some((history.clone().narrow(1, 0, 1), sigma)),
        };
        let sampler = engine.sampler(settings);
        let follows = sampler.solver == Solver::Flow;
        Some(Self {
            sampler: Sampler::new(&sampler, noise, warm),
            unconditional: follows.then(|| engine.unconditional_flow()).flatten(),
            follows,
            rows,
            history,
            conditioned: None,
            conditioned_for: None,
            steered: None,
            image_rows,
            video: None,
            frame,
            seed: lanes.spec.seed,
            evaluations: Vec::new(),
            watch,
            wanted: if watch {
                Wanted::Figures
            } else {
                Wanted::Nothing
            },
            guidance_seconds: 0.0,
        })
    }

    /// Steps return the fields of their evaluations from now on.
    pub(super) fn show_fields(&mut self) {
        self.wanted = Wanted::Fields;
    }

    /// Steps done and their number.
    pub fn progress(&self) -> (usize, usize) {
        self.sampler.progress()
    }

    /// Whether all steps are done.
    pub fn is_done(&self) -> bool {
        self.sampler.is_done()
    }

    /// Does one solver step under the settings of this moment.
    ///
    /// # Errors
    /// A discriminator that the model does not have.
    pub fn step(
        &mut self,
        engine: &Engine,
        lanes: &Lanes,
        settings: &Settings,
    ) -> Result<Vec<Evaluation>> {
        let g = &settings.guidance;
        let wanted = (g.discriminator, context(engine, lanes, settings));
        let strengths: Vec<f32> = self
            .rows
            .iter()
            .map(|(kind, _)| match kind {
                LaneKind::Guided => g.strength,
                LaneKind::GuidedVideo => g.video_strength,
                _ => 0.0,
            })
            .collect();
        self.tell_what_changed(g, wanted.1, &strengths);
        let video = self.image_rows < self.rows.len();
        let asked = self.watch || strengths.iter().any(|&s| s != 0.0) || (self.follows && video);
        if !asked {
            self.conditioned = None;
            self.conditioned_for = None;
        } else if self.conditioned_for != Some(wanted) {
            let began = Instant::now();
            let discriminator = engine.discriminator(wanted.0)?;
            self.conditioned = Some(discriminator.condition(&self.history, wanted.1));
            self.conditioned_for = Some(wanted);
            self.guidance_seconds += began.elapsed().as_secs_f64();
        }
        let denoiser = self.denoiser(engine, wanted.1)?;
        let (rows, seed, frame) = (&self.rows, self.seed, self.frame);
        let noise = |i: usize| noise_rows(engine, rows, seed, frame, i as u16 + 1);
        let timed = self.conditioned.as_deref().map(|inner| Timed {
            inner,
            seconds: std::cell::Cell::new(0.0),
        });
        let conditioned = self.conditioned.as_deref();
        let (flow, forecast) = match conditioned.and_then(|c| c.flow()) {
            Some(flow) => (Some(flow), true),
            None => (self.unconditional.as_deref(), false),
        };
        // The video model knows the forecast; the discriminator's law stands for that.
        let known: Vec<f32> = (0..self.rows.len())
            .map(|row| f32::from(u8::from(forecast && row >= self.image_rows)))
            .collect();
        let evaluations = self.sampler.step(&StepContext {
            denoiser: &denoiser,
            discriminator: timed.as_ref().map(|t| t as &dyn Conditioned),
            guidance: g,
            strengths: &strengths,
            flow: flow.map(|flow| Follow {
                flow,
                known: &known,
                trace: self.watch,
                judges: forecast,
            }),
            noise: &noise,
            wanted: self.wanted,
        });
        self.guidance_seconds += timed.map_or(0.0, |t| t.seconds.get());
        for e in &evaluations {
            self.evaluations.push(Trace {
                sigma: e.sigma,
                logit: e.logit.clone(),
                ratio: e.ratio.clone(),
            });
        }
        Ok(evaluations)
    }

    /// Tells the sampler which rows are guided by something else than at the step before: a slider may move within a frame.
    fn tell_what_changed(&mut self, g: &GuidanceSettings, told: Context, strengths: &[f32]) {
        if let Some((before, told_before, strengths_before)) = &self.steered {
            let but_for_strengths = GuidanceSettings {
                strength: before.strength,
                video_strength: before.video_strength,
                ..g.clone()
            };
            let settings = *before != but_for_strengths;
            let context = *told_before != told;
            // The video model has no discriminator that could be made to believe something.
            let seen = without_belief(*told_before) != without_belief(told);
            let changed: Vec<bool> = strengths
                .iter()
                .zip(strengths_before)
                .enumerate()
                .map(|(row, (now, then))| {
                    let video = row >= self.image_rows;
                    now != then || (*now != 0.0 && (settings || context)) || (video && seen)
                })
                .collect();
            self.sampler.guided_anew(&changed);
        }
        self.steered = Some((g.clone(), told, strengths.to_vec()));
    }

    /// The networks of this frame's rows. The video model looks at the history when it is told something new.
    fn denoiser<'a>(&mut self, engine: &'a Engine, context: Context) -> Result<Rows<'a>> {
        let behind = self.rows.len() - self.image_rows;
        let context = without_belief(context);
        let video = if behind == 0 {
            None
        } else {
            let network = engine.video()?;
            Some(match &self.video {
                Some((given, told)) if *told == context => Rc::clone(given),
                _ => {
                    let history = self.history.clone().narrow(0, self.image_rows, behind);
                    let given = network.given(&history, context);
                    self.video = Some((Rc::clone(&given), context));
                    given
                }
            })
        };
        Ok(Rows {
            image: engine.denoiser.as_ref(),
            image_rows: self.image_rows,
            video,
        })
    }

    /// The finished frames, physical units, and how the discriminator saw them.
    pub fn finish(self, engine: &Engine) -> Vec<SampledLane> {
        let cells = engine.cells();
        let rows = self.rows.len();
        // Read in one go: each read waits for the device.
        let mut parts = vec![self.sampler.state().clone().reshape([rows * cells])];
        for trace in &self.evaluations {
            parts.extend(trace.ratio.clone());
            parts.extend(trace.logit.clone());
        }
        let all = to_vec(Tensor::cat(parts, 0));
        let (values, figures) = all.split_at(rows * cells);
        let mut figures = figures.chunks_exact(rows);
        let mut ratios = Vec::with_capacity(self.evaluations.len());
        let mut logits = Vec::with_capacity(self.evaluations.len());
        for trace in &self.evaluations {
            let mut next = |there: bool| there.then(|| figures.next().unwrap_or_default());
            ratios.push(next(trace.ratio.is_some()));
            logits.push(next(trace.logit.is_some()));
        }
        let mut out: Vec<SampledLane> = Vec::new();
        for (row, (kind, _)) in self.rows.iter().enumerate() {
            let normalised = &values[row * cells..(row + 1) * cells];
            let frame: Arc<[f32]> = engine.normaliser.physical(normalised).0.into();
            match out.iter_mut().find(|l| l.kind == *kind) {
                Some(lane) => lane.members.push(frame),
                None => out.push(SampledLane {
                    kind: *kind,
                    members: vec![frame],
                    trace: DenoisingTrace {
                        sigma: self.evaluations.iter().map(|t| t.sigma as f32).collect(),
                        logit: logits
                            .iter()
                            .map(|l| l.and_then(|l| l.get(row)).copied().unwrap_or(f32::NAN))
                            .collect(),
                        guidance_ratio: ratios
                            .iter()
                            .map(|r| r.and_then(|r| r.get(row)).copied().unwrap_or(f32::NAN))
                            .collect(),
                    },
                }),
            }
        }
        out
    }
}

/// The control lane: the tower's forecast plus Gaussian noise, physical units.
///
/// # Errors
/// A model without the two-tower discriminator.
pub fn forecaster_frame(
    engine: &Engine,
    lanes: &Lanes,
    settings: &Settings,
) -> Result<Vec<Arc<[f32]>>> {
    let two_tower = forecaster(engine)?;
    let mut history = Vec::new();
    if !lanes.append_history(engine, LaneKind::Forecaster, &mut history) {
        return Ok(Vec::new());
    }
    let cells = engine.cells();
    let mut noise = Vec::with_capacity(lanes.members() * cells);
    for member in 0..lanes.members() {
        let key = NoiseKey {
            seed: lanes.spec.seed,
            stream: Stream::Forecaster,
            member: lanes.spec.number(member),
            frame: lanes.next as u32,
            step: 0,
        };
        noise.extend(key.normal_f32(cells));
    }
    let rows = lanes.members();
    let out = two_tower.forecast_with_noise(
        &engine.tensor(history, rows, HISTORY),
        context(engine, lanes, settings),
        engine.tensor(noise, rows, 1),
    );
    Ok(to_vec(out)
        .chunks_exact(cells)
        .map(|c| engine.normaliser.physical(c).0.into())
        .collect())
}

/// The part of a model that the control lane is drawn from.
///
/// # Errors
/// A model without the two-tower discriminator.
pub(super) fn forecaster(engine: &Engine) -> Result<&dyn Control> {
    engine.two_tower.as_deref().ok_or_else(|| {
        UserError::new(
            "There is no forecaster in this model",
            "the lane \"forecaster + noise\" needs the two-tower discriminator",
            "switch the lane off, or open a model with a two-tower discriminator",
        )
    })
}

/// What a discriminator is told besides the frames when it judges the next one.
pub(super) fn context(engine: &Engine, lanes: &Lanes, settings: &Settings) -> Context {
    let guidance = &settings.guidance;
    Context {
        m: lanes.history_length(guidance.history),
        season: engine
            .told_season(guidance)
            .then(|| lanes.days().map(|d| d.season(lanes.next)))
            .flatten(),
        belief: guidance.belief,
    }
}

fn without_belief(context: Context) -> Context {
    Context {
        belief: None,
        ..context
    }
}

/// The noise of one step: the same for a member in every lane, so that what differs is the method.
fn noise_rows(
    engine: &Engine,
    rows: &[(LaneKind, u32)],
    seed: u64,
    frame: usize,
    step: u16,
) -> Tensor<4> {
    let cells = engine.cells();
    let mut values = Vec::with_capacity(rows.len() * cells);
    for (_, member) in rows {
        let key = NoiseKey {
            seed,
            stream: Stream::Sampler,
            member: *member,
            frame: frame as u32,
            step,
        };
        values.extend(key.normal_f32(cells));
    }
    engine.tensor(values, rows.len(), 1)
}

/// The image model for the first rows, the video model for the others.
struct Rows<'a> {
    image: &'a dyn Denoise,
    image_rows: usize,
    video: Option<Rc<dyn Denoise>>,
}

impl Denoise for Rows<'_> {
    fn denoise(&self, x: &Tensor<4>, sigma: f64) -> Tensor<4> {
        let Some(video) = &self.video else {
            return self.image.denoise(x, sigma);
        };
        let behind = x.dims()[0] - self.image_rows;
        let last = x.clone().narrow(0, self.image_rows, behind);
        let last = video.denoise(&last, sigma);
        if self.image_rows == 0 {
            return last;
        }
        let first = x.clone().narrow(0, 0, self.image_rows);
        Tensor::cat(vec![self.image.denoise(&first, sigma), last], 0)
    }
}

/// Measures the time that a discriminator takes to judge. Exact on the CPU, where calls finish before they return.
struct Timed<'a> {
    inner: &'a dyn Conditioned,
    seconds: std::cell::Cell<f64>,
}

impl Conditioned for Timed<'_> {
    fn judge(
        &self,
        x: &Tensor<4>,
        sigma: f64,
        denoised: &Tensor<4>,
    ) -> crate::diffusion::Judgement {
        let began = Instant::now();
        let out = self.inner.judge(x, sigma, denoised);
        self.seconds
            .set(self.seconds.get() + began.elapsed().as_secs_f64());
        out
    }
}
