//! A model on a device, ready to make frames: networks, discriminators, what goes on as truth.

use std::rc::Rc;
use std::sync::Arc;

use burn::tensor::{Tensor, TensorData};

use crate::closed_form::{ClosedForm, Given, SIDE};
use crate::data::recording::Recording;
use crate::data::{Amounts, Normaliser};
use crate::device::{self, ComputeDevice, DeviceRequest};
use crate::diffusion::encoder::EncoderGuide;
use crate::diffusion::flow::Flow;
use crate::diffusion::global_mean::Sensitivity;
use crate::diffusion::seasonal::{HARMONICS, SeasonalCycle};
use crate::diffusion::two_tower::{Forecast, TwoTower};
use crate::diffusion::wavelet::WaveletBasis;
use crate::diffusion::wavelet_tower::{
    ForecastSpread, SpreadForecast, WaveletTables, WaveletTower, log_variance,
};
use crate::diffusion::{Context, Control, Denoise, DenoiseGiven, Discriminate};
use crate::error::{Result, UserError};
use crate::model::{Fields, Model, ModelCard, closed_form};
use crate::nn::{Cost, Denoiser, Encoder, HistoryTower, VideoDenoiser, weights};
use crate::sim;

use super::climate::Climate;
use super::protocol::{GlobeFacts, ModelFacts};
use super::settings::{
    DiscriminatorKind, GuidanceSettings, RolloutSpec, SamplerSettings, Settings,
};
use super::suggested::suggested_history;
use super::why::why;
use super::world::{World, shipped_recording};

/// Frames of history that the discriminators can look at: the last one and m <= 3 before it.
pub const HISTORY: usize = 4;

/// A model on a device. Not `Send`: it lives on the thread that owns all burn calls.
pub struct Engine {
    /// The model's card.
    pub card: ModelCard,
    /// sha256 of the model, hex.
    pub model_hash: String,
    /// Where it computes.
    pub compute: ComputeDevice,
    /// The image model.
    pub denoiser: Box<dyn Denoise>,
    /// The two-tower discriminator, if the model has it.
    pub two_tower: Option<Box<dyn Control>>,
    /// The paper's discriminator, if the model has it.
    pub encoder: Option<EncoderGuide>,
    /// The video model, if there is one; in a world with known answers, the exact law of the next frame.
    pub video: Option<Box<dyn DenoiseGiven>>,
    /// What goes on as truth: the solver, or the recording that the rollout in progress began with.
    pub world: World,
    /// Physical values to normalised ones and back.
    pub normaliser: Normaliser,
    /// What is known of rain, on the globe.
    pub climate: Option<Rc<Climate>>,
    /// The recording that comes with the program, on the globe.
    pub(super) shipped: Option<Rc<dyn Recording>>,
}

impl Denoise for Denoiser {
    fn denoise(&self, x: &Tensor<4>, sigma: f64) -> Tensor<4> {
        Denoiser::denoise(self, x.clone(), sigma as f32)
    }

    fn cost(&self, field: [usize; 2]) -> Option<Cost> {
        Denoiser::cost(self, field)
    }
}

/// A video model, shared by the frames on their way.
struct Video(Rc<VideoDenoiser>);

/// A video model that has seen its history.
struct VideoGiven {
    network: Rc<VideoDenoiser>,
    seen: Tensor<4>,
}

impl DenoiseGiven for Video {
    fn given(&self, history: &Tensor<4>, context: Context) -> Rc<dyn Denoise> {
        Rc::new(VideoGiven {
            seen: self
                .0
                .condition(history.clone(), &[context.m], &[context.season]),
            network: Rc::clone(&self.0),
        })
    }
}

impl Denoise for VideoGiven {
    fn denoise(&self, x: &Tensor<4>, sigma: f64) -> Tensor<4> {
        self.network
            .denoise(x.clone(), sigma as f32, self.seen.clone())
    }
}

impl Forecast for HistoryTower {
    fn forecast(&self, history: &Tensor<4>, m: usize) -> Tensor<4> {
        let rows = history.dims()[0];
        self.forward(history.clone(), &vec![m; rows])
    }
}

/// A tower on the globe, and the year's cycle that it measures anomalies from when it is told the date.
pub struct GlobeTower {
    /// The tower.
    pub tower: HistoryTower,
    /// The cycle; `None` for a tower that cannot be told the date.
    pub cycle: Option<SeasonalCycle>,
    /// Whether it forecasts anomalies from the cycle, out of anomalies.
    pub anomalies: bool,
}

impl ForecastSpread for GlobeTower {
    fn forecast(
        &self,
        history: &Tensor<4>,
        context: Context,
        basis: &WaveletBasis,
    ) -> SpreadForecast {
        let season = [context.season];
        let usual = match (&self.cycle, context.season) {
            (Some(cycle), Some(_)) => Some(cycle.at(&season)),
            _ => None,
        };
        let out = self.tower.forecast(
            history.clone(),
            &[context.m],
            &season,
            usual.clone().filter(|_| self.anomalies),
        );
        SpreadForecast {
            log_variance: log_variance(out.maps, &out.mean, basis),
            mean: out.mean,
            usual,
        }
    }
}

/// The normalisation of a model.
///
/// # Errors
/// Tables that do not fit the card.
pub fn normaliser(card: &ModelCard, fields: Option<&Fields>) -> Result<Normaliser> {
    let (Some(globe), Some(fields)) = (&card.data.globe, fields) else {
        return Ok(Normaliser::Scale(card.data.scale as f32));
    };
    let shape = [globe.grid.ny(), globe.grid.nx];
    let table = |name: &str| Ok(fields.get(name, &shape)?.to_vec());
    let amounts = Amounts {
        transform: globe.transform,
        dry: globe.dry,
        mean: table("mean")?,
        std: table("std")?,
        cap: table("cap")?,
        adjust: globe.adjust.clone(),
        rows: globe.rows.clone(),
    };
    amounts.validate(globe.grid.len())?;
    Ok(Normaliser::Amounts(Arc::new(amounts)))
}

/// The tables of the wavelet closed form.
fn wavelet_tables(fields: &Fields, [ny, nx]: [usize; 2]) -> Result<WaveletTables> {
    let by_length = |name: &str| -> Result<Vec<Vec<f32>>> {
        let all = fields.get(name, &[HISTORY, ny, nx])?;
        Ok(all.chunks_exact(ny * nx).map(<[f32]>::to_vec).collect())
    };
    Ok(WaveletTables {
        power: fields.get("power", &[ny, nx])?.to_vec(),
        beta: by_length("beta")?,
        spread: by_length("spread")?,
    })
}

impl Engine {
    /// Puts a model on a device.
    ///
    /// # Errors
    /// Weights that do not fit the card, an unknown solver preset, an unusable calibration.
    pub fn new(model: &Model, compute: ComputeDevice) -> Result<Self> {
        let card = model.card.clone();
        if let Some(world) = &card.closed_form {
            return Self::closed_form(&world.clone(), model.hash(), compute);
        }
        // On the globe the card has been checked against its own grid.
        if card.data.globe.is_none() {
            card.check_grid([sim::Params::preset(&card.data.preset)?.n; 2])?;
        }
        let device = &compute.device;
        let fields = match &model.fields {
            Some(bytes) => Some(Fields::read(bytes, &format!("of the model {}", card.name))?),
            None => None,
        };
        let normaliser = normaliser(&card, fields.as_ref())?;
        let denoiser = weights::load(
            Denoiser::new(&card.denoiser.network, card.denoiser.sigma_data, device),
            &model.denoiser,
            &card.denoiser.weights,
            device,
        )?
        .compiled(&card.denoiser.network);
        let two_tower = match (&card.two_tower, &model.tower) {
            (Some(t), Some(bytes)) => {
                let tower = weights::load(
                    HistoryTower::new(&t.network, device),
                    bytes,
                    &t.weights,
                    device,
                )?
                .compiled(&t.network);
                let control: Box<dyn Control> = match (&t.calibration, &t.wavelet, &fields) {
                    (Some(c), _, _) => Box::new(TwoTower::new(tower, c.clone(), device)?),
                    (None, Some(w), Some(f)) => {
                        let tables = wavelet_tables(f, w.shape)?;
                        let cycle = if tower.knows_season() {
                            let [ny, nx] = w.shape;
                            let values = f.get("seasonal", &[HARMONICS, ny, nx])?;
                            SeasonalCycle::new(values, w.shape, device)
                        } else {
                            None
                        };
                        let tower = GlobeTower {
                            tower,
                            cycle,
                            anomalies: t.anomalies,
                        };
                        let sensitivity = match (&normaliser, &card.data.globe) {
                            (Normaliser::Amounts(a), Some(g)) => {
                                Some(Sensitivity::new(a, &g.grid, device))
                            }
                            _ => None,
                        };
                        let law = w.clone();
                        Box::new(WaveletTower::new(tower, law, &tables, sensitivity, device)?)
                    }
                    _ => {
                        return Err(UserError::new(
                            format!("The model {} cannot be used", card.name),
                            "its two-tower discriminator has no calibration",
                            "run `eddyscope train calibrate` again for this model",
                        ));
                    }
                };
                Some(control)
            }
            _ => None,
        };
        let encoder = match (&card.encoder, &model.encoder) {
            (Some(e), Some(bytes)) => {
                let net =
                    weights::load(Encoder::new(&e.network, device), bytes, &e.weights, device)?;
                Some(EncoderGuide::new(net.compiled(&e.network)))
            }
            _ => None,
        };
        let video = match (&card.video, &model.video) {
            (Some(v), Some(bytes)) => {
                let fresh = VideoDenoiser::new(&v.network, card.denoiser.sigma_data, device);
                let video = weights::load(fresh, bytes, &v.weights, device)?;
                let video = Rc::new(video.compiled(&v.network));
                Some(Box::new(Video(video)) as Box<dyn DenoiseGiven>)
            }
            _ => None,
        };
        let truth = card.truth.rain.clone().unwrap_or_default();
        let (world, climate, shipped) = match (&card.data.globe, &fields) {
            (Some(globe), Some(fields)) => {
                let climate = Climate::new(&globe.grid, fields, &normaliser, truth)?;
                let shipped = shipped_recording(&globe.grid)?;
                let world = World::Recorded(Rc::clone(&shipped));
                (world, Some(Rc::new(climate)), Some(shipped))
            }
            _ => {
                let solver = sim::Solver::new(&sim::Params::preset(&card.data.preset)?)?;
                (World::Solver(Box::new(solver)), None, None)
            }
        };
        Ok(Self {
            model_hash: model.hash(),
            world,
            normaliser,
            climate,
            shipped,
            card,
            compute,
            denoiser: Box::new(denoiser),
            two_tower,
            encoder,
            video,
        })
    }

    /// A world with known answers: no networks.
    fn closed_form(world: &ClosedForm, model_hash: String, compute: ComputeDevice) -> Result<Self> {
        // There is nothing for a GPU to do.
        let compute = match compute.is_gpu {
            true => device::select(DeviceRequest::Cpu)?,
            false => compute,
        };
        let exact = world.on(&compute.device)?;
        let again = world.on(&compute.device)?;
        let card = closed_form::card(world);
        Ok(Self {
            model_hash,
            world: World::Process(exact.process),
            normaliser: Normaliser::Scale(card.data.scale as f32),
            climate: None,
            shipped: None,
            card,
            compute,
            denoiser: exact.denoiser,
            two_tower: Some(exact.discriminator),
            encoder: None,
            video: Some(Box::new(Given::new(again.denoiser, again.discriminator))),
        })
    }

    /// Takes on the parameters that a rollout asks for, in a world with known answers; elsewhere nothing is done.
    ///
    /// # Errors
    /// Parameters of another world or out of range; the engine is then as before.
    pub fn adopt(&mut self, spec: &RolloutSpec) -> Result<()> {
        let asked = match (&self.card.closed_form, &spec.closed_form) {
            (None, None) => return Ok(()),
            (Some(_), None) => ClosedForm::named(&self.card.name),
            (_, Some(asked)) => Some(asked.clone()),
        };
        if self.card.closed_form == asked {
            return Ok(());
        }
        match asked {
            Some(world) if self.card.closed_form.is_some() && world.name() == self.card.name => {
                *self = Self::closed_form(&world, self.model_hash.clone(), self.compute.clone())?;
                Ok(())
            }
            other => Err(UserError::new(
                format!("The model {} has no such parameters", self.card.name),
                format!(
                    "the rollout asks for those of {}",
                    other.map_or("another world", |w| w.name())
                ),
                "open that model, or leave the parameters out",
            )),
        }
    }

    /// Rows and columns of a frame.
    pub fn shape(&self) -> [usize; 2] {
        match (&self.climate, &self.world) {
            (Some(climate), _) => [climate.globe.ny(), climate.globe.nx],
            (None, World::Solver(solver)) => [solver.params().n; 2],
            (None, World::Recorded(recording)) => [recording.globe().ny(), recording.globe().nx],
            (None, World::Process(_)) => [SIDE; 2],
        }
    }

    /// Cells of a frame.
    pub fn cells(&self) -> usize {
        let [ny, nx] = self.shape();
        ny * nx
    }

    /// Time between frames: in the solver's unit, or a day.
    pub fn frame_interval(&self) -> f64 {
        self.world.frame_interval()
    }

    /// Whether the discriminator is told the day of the year under these settings.
    pub fn told_season(&self, guidance: &GuidanceSettings) -> bool {
        guidance.season && self.card.two_tower.as_ref().is_some_and(|t| t.season)
    }

    /// The sampler of the settings, or what stands for it where this discriminator has no law whose flow could be followed.
    pub fn sampler(&self, settings: &Settings) -> SamplerSettings {
        let two_tower = settings.guidance.discriminator == DiscriminatorKind::TwoTower;
        match two_tower && self.unconditional_flow().is_some() {
            true => settings.sampler.clone(),
            false => settings.sampler.without_law(),
        }
    }

    /// The flow of the law of any frame, if the two-tower discriminator has one.
    pub fn unconditional_flow(&self) -> Option<Box<dyn Flow>> {
        self.two_tower.as_ref()?.unconditional_flow()
    }

    /// The discriminator of that kind.
    ///
    /// # Errors
    /// A model without it.
    pub fn discriminator(&self, kind: DiscriminatorKind) -> Result<&dyn Discriminate> {
        let found: Option<&dyn Discriminate> = match kind {
            DiscriminatorKind::TwoTower => {
                self.two_tower.as_deref().map(|d| d as &dyn Discriminate)
            }
            DiscriminatorKind::Encoder => self.encoder.as_ref().map(|d| d as _),
        };
        found.ok_or_else(|| {
            UserError::new(
                format!("The model {} has no such discriminator", self.card.name),
                format!("{kind:?} was asked for and its weights are not in the model folder"),
                "choose the other discriminator, or train this one: eddyscope train discriminator",
            )
        })
    }

    /// The video model.
    ///
    /// # Errors
    /// A model without it.
    pub fn video(&self) -> Result<&dyn DenoiseGiven> {
        self.video.as_deref().ok_or_else(|| {
            UserError::new(
                format!("The model {} has no video model", self.card.name),
                "its lanes need weights that are not in the model folder",
                "train one: eddyscope train video, then eddyscope train calibrate --video",
            )
        })
    }

    /// Arrays (one a row, each of one channel or more) as a tensor `[rows, channels, y, x]` on the device.
    pub fn tensor(&self, values: Vec<f32>, rows: usize, channels: usize) -> Tensor<4> {
        let [ny, nx] = self.shape();
        Tensor::from_data(
            TensorData::new(values, [rows, channels, ny, nx]),
            &self.compute.device,
        )
    }

    /// Facts for the window; on the globe of the recording in use.
    pub fn facts(&self) -> ModelFacts {
        let card = &self.card;
        let t = &card.truth;
        let (tt, en) = (card.two_tower.as_ref(), card.encoder.as_ref());
        let [ny, nx] = self.shape();
        let known = || {
            let world = card.closed_form.as_ref();
            world.map_or(1.5, |w| w.known().usable_strength)
        };
        let suggested_strength = [
            tt.map_or(1.0, |c| c.suggested_strength),
            en.map_or(1.0, |c| c.suggested_strength),
        ];
        let usable_strength = [
            tt.map_or_else(known, |c| c.usable_strength),
            en.map_or(1.5, |c| c.usable_strength),
        ];
        let why =
            |i: usize, family: &str| why(card, family, suggested_strength[i], usable_strength[i]);
        ModelFacts {
            suggested_why: [why(0, "two-tower"), why(1, "encoder")],
            suggested_strength,
            suggested_history: [DiscriminatorKind::TwoTower, DiscriminatorKind::Encoder]
                .map(|kind| suggested_history(card, kind)),
            usable_strength,
            name: card.name.clone(),
            quantity: card.quantity.clone(),
            units: card.units.clone(),
            shape: (ny, nx),
            frame_interval: self.frame_interval(),
            samplers: card.samplers.clone(),
            law: self.unconditional_flow().is_some(),
            video: self.video.is_some(),
            video_strength: card.video.as_ref().map_or_else(
                || GuidanceSettings::default().video_strength,
                |v| v.suggested_strength,
            ),
            data_std: t.std,
            acf_truth: t.acf.clone(),
            acf_lo: t.acf_lo.clone(),
            acf_hi: t.acf_hi.clone(),
            dynamics_skill_truth: t.dynamics_skill,
            std_band: (t.std_band[0], t.std_band[1]),
            rmse_band: (t.rmse_band[0], t.rmse_band[1]),
            device: self.compute.name.clone(),
            model_hash: self.model_hash.clone(),
            globe: self.globe_facts().map(Arc::new),
            closed_form: card.closed_form.clone(),
        }
    }

    fn globe_facts(&self) -> Option<GlobeFacts> {
        let climate = self.climate.as_ref()?;
        let recording = self.world.recording()?;
        let last = recording.days().saturating_sub(1);
        Some(GlobeFacts {
            grid: climate.globe.clone(),
            calendar: recording.calendar(),
            climatology: climate.mean.clone(),
            climatology_p90: climate.p90.clone(),
            truth: climate.truth.clone(),
            knows_season: self.card.two_tower.as_ref().is_some_and(|t| t.season),
            recording: recording.name(),
            recorded: (recording.date(0), recording.date(last)),
        })
    }
}
