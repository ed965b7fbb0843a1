//! What is read off the frames of a method: sums of blocks of frames, from which figures and their confidence intervals
//! follow.

use rayon::prelude::*;

use crate::metrics::{
    self, Band, Bootstrap, BudgetStream, Dynamics, EofMatch, Eofs, FrameBudget, MapMoments,
    RowDistances, TopValues, ValueCounts, WaitingTimes, eofs, match_eofs, pooled_acf,
};
use crate::sim::Solver;

use super::method::Method;
use super::plan::Sizes;
use super::sample::{Frame, Sample, World};

/// Largest lag of the autocorrelation.
pub const MAX_LAG: usize = 10;

/// The percentile of truth above which a value is an extreme.
pub const EXTREME: f64 = 95.0;

/// EOFs that are looked at, and those that are computed so that degenerate ones find their partners.
pub const MODES: usize = 3;
const COMPUTED: usize = 24;

/// Frames that EOFs are computed from at most.
const EOF_FRAMES: usize = 2000;

/// Rows of a Hovmoeller diagram that is shown.
pub const ROWS: usize = 160;

/// Draws of the bootstrap.
const RESAMPLES: usize = 400;

/// What a block of frames adds.
pub struct Unit {
    /// Number of frames.
    pub frames: usize,
    /// Mean and variance by cell.
    pub moments: MapMoments,
    /// All values.
    pub values: ValueCounts,
    /// Distances between consecutive Hovmoeller rows.
    pub distances: RowDistances,
    /// Mean power by shell (box) or zonal wavenumber (globe).
    pub spectrum: Vec<f64>,
    /// Frame steps against the solver's, on the box.
    pub dynamics: Option<Dynamics>,
    /// Energy and enstrophy, on the box.
    pub budget: Option<FrameBudget>,
    /// Autocorrelation of the block alone, lags 0..=[`MAX_LAG`].
    acf: Vec<f64>,
    /// Variance along truth's EOFs, and in all.
    along: Vec<f64>,
}

/// What is read off one run.
pub struct RunFigures {
    /// Mean over cells, frame by frame.
    pub mean: Vec<f64>,
    /// Standard deviation over cells, frame by frame.
    pub std: Vec<f64>,
    /// Times between extremes.
    pub waiting: WaitingTimes,
}

/// What is read off a method.
pub struct Measured {
    /// Which method.
    pub method: Method,
    /// Block by block.
    pub units: Vec<Unit>,
    /// Run by run.
    pub runs: Vec<RunFigures>,
    /// Autocorrelation, lags 0..=[`MAX_LAG`].
    pub acf: Option<Vec<Band>>,
    /// EOFs of anomalies.
    pub eofs: Option<Eofs>,
    /// How they fit truth's; of truth how those of its halves fit each other.
    pub matches: Option<Vec<EofMatch>>,
    /// Shares of the variance that truth's first EOFs explain of this method's.
    pub explained: Option<Vec<Band>>,
    /// Hovmoeller rows of the first run.
    pub rows: Vec<Vec<f32>>,
    /// First frames of the first run.
    pub first: Vec<Frame>,
    /// Why it ended early, where it did.
    pub ended: Option<String>,
}

/// What truth gives to the others.
pub struct Reference {
    /// Local percentile of extremes.
    threshold: Vec<f64>,
    /// Truth's EOFs.
    eofs: Option<Eofs>,
    /// Independent frames in truth.
    independent: f64,
}

impl Reference {
    /// Reads it off truth.
    pub fn of(truth: &Sample, world: &World) -> Self {
        let cells = world.shape[0] * world.shape[1];
        let mut top = TopValues::new(cells, EXTREME, truth.frames());
        for frame in truth.all() {
            top.push(frame);
        }
        let anomalies = truth.anomalies();
        let eofs = eofs(&anomalies.thinned(EOF_FRAMES), world.weights(), COMPUTED);
        let independent = independent(&anomalies, eofs.as_ref());
        Self {
            threshold: top.percentile().unwrap_or_default(),
            eofs,
            independent,
        }
    }
}

/// Independent frames, by the memory of the leading EOF.
fn independent(anomalies: &Sample, eofs: Option<&Eofs>) -> f64 {
    let Some(eofs) = eofs else { return 1.0 };
    let of_run = |frames: Vec<&[f32]>| {
        let along: Vec<f64> = frames
            .iter()
            .filter_map(|f| eofs.project(f)?.first().copied())
            .collect();
        metrics::independent_samples(&along).unwrap_or(1.0)
    };
    anomalies.pieces().into_iter().map(of_run).sum()
}

/// The bootstrap of an evaluation.
pub fn bootstrap(seed: u64) -> Bootstrap {
    Bootstrap {
        seed: seed.wrapping_add(1),
        resamples: RESAMPLES,
        level: 0.95,
    }
}

/// Reads everything off the frames of a method.
pub fn measure(
    sample: &Sample,
    world: &World,
    reference: &Reference,
    sizes: &Sizes,
    seed: u64,
) -> Measured {
    let globe = world.globe.is_some();
    let blocks = sample.blocks(sizes.block(globe));
    let anomalies = sample.anomalies();
    let solver = world.params.as_ref().and_then(|p| Solver::new(p).ok());
    let units: Vec<Unit> = blocks
        .par_iter()
        .map(|block| {
            let plain = sample.of(block);
            let mut unit = unit(&plain, world, solver.clone());
            let without = anomalies.of(block);
            unit.along = along(&without, world, reference.eofs.as_ref());
            unit
        })
        .collect();
    let standard;
    let correlated = match globe {
        true => {
            standard = sample.standardised(world.weights());
            &standard
        }
        false => sample,
    };
    let mut units = units;
    for (unit, block) in units.iter_mut().zip(&blocks) {
        unit.acf = pooled_acf(&[correlated.of(block)], MAX_LAG).unwrap_or_default();
    }
    let own = eofs(&anomalies.thinned(EOF_FRAMES), world.weights(), COMPUTED);
    let matches = match (&reference.eofs, &own) {
        (Some(_), _) if sample.method == Method::TRUTH => halves(&anomalies, world, reference),
        (Some(truth), Some(model)) => match_eofs(truth, model, MODES, reference.independent),
        _ => None,
    };
    let mut measured = Measured {
        method: sample.method,
        acf: None,
        matches,
        explained: None,
        eofs: own,
        runs: runs(sample, world, reference),
        rows: sample
            .runs
            .first()
            .map(|r| r.frames.iter().take(ROWS).map(|f| row(f, world)).collect())
            .unwrap_or_default(),
        first: sample
            .runs
            .first()
            .map(|r| r.frames.iter().take(64).cloned().collect())
            .unwrap_or_default(),
        ended: sample.ended.clone(),
        units,
    };
    measured.acf = pooled_acf(&correlated.pieces(), MAX_LAG)
        .and_then(|acf| measured.around(seed, &acf, |u| &u.acf));
    measured.explained = measured.over_units(seed, |units| {
        let total: f64 = units.iter().filter_map(|u| u.along.last()).sum();
        let of = |mode: usize| units.iter().filter_map(|u| u.along.get(mode)).sum::<f64>() / total;
        (total > 0.0).then(|| (0..MODES).map(of).collect())
    });
    measured
}

/// How the EOFs of one half of a sample fit those of the other: what no model can be asked to exceed.
fn halves(anomalies: &Sample, world: &World, reference: &Reference) -> Option<Vec<EofMatch>> {
    let frames = anomalies.thinned(EOF_FRAMES);
    let (one, other) = frames.split_at(frames.len() / 2);
    let of = |half: &[&[f32]]| eofs(half, world.weights(), COMPUTED);
    match_eofs(&of(one)?, &of(other)?, MODES, 0.5 * reference.independent)
}

/// The row of a Hovmoeller diagram.
pub fn row(frame: &[f32], world: &World) -> Vec<f32> {
    let [ny, nx] = world.shape;
    match &world.globe {
        Some(globe) => globe.hovmoeller(frame),
        None => metrics::hovmoeller_column(frame, ny, nx),
    }
}

fn unit(frames: &[&[f32]], world: &World, solver: Option<Solver>) -> Unit {
    let mut unit = Unit {
        frames: frames.len(),
        moments: MapMoments::default(),
        values: ValueCounts::default(),
        distances: RowDistances::default(),
        spectrum: Vec::new(),
        dynamics: None,
        budget: None,
        acf: Vec::new(),
        along: Vec::new(),
    };
    for frame in frames {
        unit.moments.push(frame);
        unit.values.add(frame);
        unit.distances.push(&row(frame, world));
    }
    unit.spectrum = match &world.globe {
        None => metrics::shell_power(frames, world.shape[0]).unwrap_or_default(),
        Some(globe) => {
            let all: Vec<Vec<f64>> = frames.iter().filter_map(|f| globe.zonal_power(f)).collect();
            mean_of(&all.iter().collect::<Vec<_>>()).unwrap_or_default()
        }
    };
    if let Some(mut solver) = solver {
        let mut budget = BudgetStream::new(solver.clone());
        for frame in frames {
            budget.push(frame);
        }
        unit.budget = budget.figures();
        unit.dynamics = Some(Dynamics::of(frames, |x| solver.unforced_frame(x)));
    }
    unit
}

/// Variance of frames along EOFs, and in all.
fn along(frames: &[&[f32]], world: &World, eofs: Option<&Eofs>) -> Vec<f64> {
    let Some(eofs) = eofs else { return Vec::new() };
    let mut sums = vec![0.0; MODES + 1];
    let weights = world.weights();
    for frame in frames {
        for (sum, c) in sums
            .iter_mut()
            .zip(eofs.project(frame).unwrap_or_default().iter().take(MODES))
        {
            *sum += c * c;
        }
        sums[MODES] += frame
            .iter()
            .zip(&eofs.mean)
            .enumerate()
            .map(|(cell, (v, m))| weights.of(cell) * (f64::from(*v) - m).powi(2))
            .sum::<f64>();
    }
    sums
}

fn runs(sample: &Sample, world: &World, reference: &Reference) -> Vec<RunFigures> {
    sample
        .runs
        .par_iter()
        .map(|run| {
            let mut waiting = WaitingTimes::new(reference.threshold.clone());
            for (i, frame) in run.frames.iter().enumerate() {
                if run.breaks.binary_search(&i).is_ok() {
                    waiting.end_series();
                }
                waiting.push(frame);
            }
            waiting.end_series();
            RunFigures {
                mean: run.frames.iter().map(|f| world.mean(f)).collect(),
                std: run.frames.iter().map(|f| world.std(f)).collect(),
                waiting,
            }
        })
        .collect()
}

/// Mean of lists of one length; `None` of none.
pub fn mean_of(lists: &[&Vec<f64>]) -> Option<Vec<f64>> {
    let mut sum = vec![0.0; lists.first()?.len()];
    for list in lists {
        for (s, v) in sum.iter_mut().zip(*list) {
            *s += v / lists.len() as f64;
        }
    }
    Some(sum)
}

/// Intervals of a single unit say nothing: they are NaN.
fn honest(bands: Vec<Band>, units: usize) -> Vec<Band> {
    let of = |b: Band| match units {
        0 | 1 => Band {
            low: f64::NAN,
            high: f64::NAN,
            ..b
        },
        _ => b,
    };
    bands.into_iter().map(of).collect()
}

impl Measured {
    /// Figures of all blocks together, with intervals from blocks drawn again and again.
    pub fn over_units(
        &self,
        seed: u64,
        mut figures: impl FnMut(&[&Unit]) -> Option<Vec<f64>>,
    ) -> Option<Vec<Band>> {
        let n = self.units.len();
        let bands = bootstrap(seed).bands(n, |pick| {
            let drawn: Vec<&Unit> = pick.iter().filter_map(|i| self.units.get(*i)).collect();
            figures(&drawn)
        })?;
        Some(honest(bands, n))
    }

    /// Figures of all runs together, with intervals from runs drawn again and again.
    pub fn over_runs(
        &self,
        seed: u64,
        mut figures: impl FnMut(&[&RunFigures]) -> Option<Vec<f64>>,
    ) -> Option<Vec<Band>> {
        let n = self.runs.len();
        let bands = bootstrap(seed).bands(n, |pick| {
            let drawn: Vec<&RunFigures> = pick.iter().filter_map(|i| self.runs.get(*i)).collect();
            figures(&drawn)
        })?;
        Some(honest(bands, n))
    }

    /// Figures that were made of all frames, with the scatter of their means over blocks around them.
    fn around(
        &self,
        seed: u64,
        estimates: &[f64],
        of: impl Fn(&Unit) -> &Vec<f64>,
    ) -> Option<Vec<Band>> {
        let scatter = self.over_units(seed, |units| {
            mean_of(&units.iter().map(|u| of(u)).collect::<Vec<_>>())
        })?;
        let bands = estimates.iter().zip(scatter);
        Some(
            bands
                .map(|(estimate, s)| Band {
                    estimate: *estimate,
                    low: estimate + s.low - s.estimate,
                    high: estimate + s.high - s.estimate,
                })
                .collect(),
        )
    }

    /// Mean and variance by cell over all frames.
    pub fn moments(&self) -> MapMoments {
        merged(&self.units.iter().collect::<Vec<_>>())
    }

    /// All values.
    pub fn values(&self) -> ValueCounts {
        let mut all = ValueCounts::default();
        for unit in &self.units {
            all.merge(&unit.values);
        }
        all
    }

    /// Mean spectrum.
    pub fn spectrum(&self) -> Option<Vec<f64>> {
        mean_of(&self.units.iter().map(|u| &u.spectrum).collect::<Vec<_>>())
    }

    /// Times between extremes, all runs together.
    pub fn waiting(&self) -> Option<WaitingTimes> {
        waiting_of(&self.runs.iter().collect::<Vec<_>>())
    }
}

/// Mean and variance by cell of some blocks.
pub fn merged(units: &[&Unit]) -> MapMoments {
    let mut all = MapMoments::default();
    for unit in units {
        all.merge(&unit.moments);
    }
    all
}

/// Times between extremes of some runs.
pub fn waiting_of(runs: &[&RunFigures]) -> Option<WaitingTimes> {
    let (first, rest) = runs.split_first()?;
    let mut all = first.waiting.clone();
    for run in rest {
        all.merge(&run.waiting);
    }
    Some(all)
}
