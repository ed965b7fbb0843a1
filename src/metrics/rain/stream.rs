//! The figures of a rollout, day by day: the cost of a day and the memory do not grow with the length.

use std::sync::Arc;

use crate::field::Globe;

use super::amounts::AmountCounts;
use super::anomalies::AnomalySums;
use super::day::{PERCENTILES, RainGrid};
use super::monthly::MonthlyMeans;

/// A day that was pushed: its members, mm/day, and its month, 0 for January.
pub type PastDay = (Vec<Arc<[f32]>>, usize);

/// Anomalies of each member.
type Anomalies = Vec<Vec<f32>>;

/// Largest lag of the autocorrelation, days.
pub const MAX_LAG: usize = 10;

/// Variance below this share of the square of the mean is what rounding leaves of a constant (f32 climatology).
const ROUNDING: f64 = 1e-12;

/// Figures over all days and members so far. NaN where there are none.
#[derive(Debug, Clone, PartialEq)]
pub struct RainSummary {
    /// Number of days.
    pub days: usize,
    /// Global mean, mm/day.
    pub global_mean: f64,
    /// Share of the area with at least [`super::WET`].
    pub wet_fraction: f64,
    /// Share of the cells with at least [`super::WET`], each cell counting 1.
    pub wet_cells: f64,
    /// [`PERCENTILES`] over cells and days, mm/day.
    pub percentiles: [f64; 5],
    /// Autocorrelation of anomalies at lags `0..=MAX_LAG`, mean over cells. NaN at lags without a pair, where no cell
    /// varies, and without a climatology; so are the two below.
    pub acf: Vec<f64>,
    /// The same, mean over 20S-20N.
    pub tropics_acf: Vec<f64>,
    /// The same of the global mean.
    pub global_acf: Vec<f64>,
    /// Zonal mean, mm/day, south to north.
    pub zonal_mean: Vec<f64>,
    /// Mean power of each zonal wavenumber, (mm/day)^2 ([`RainGrid::zonal_power`]).
    pub spectrum: Vec<f64>,
}

/// Sums that every day adds to.
#[derive(Debug, Clone, Default)]
struct Totals {
    count: f64,
    global_mean: f64,
    wet_area: f64,
    wet_cells: f64,
    zonal_mean: Vec<f64>,
    spectrum: Vec<f64>,
}

/// Monthly climatology whose anomalies are correlated.
#[derive(Debug, Clone)]
struct Climatology {
    months: Arc<Vec<Vec<f32>>>,
    /// Global mean of each month; NaN where the month has none.
    global: Vec<f64>,
}

/// Figures of one or several members under one law, in constant memory. Members count as series of their own whose sums
/// are pooled.
#[derive(Debug, Clone)]
pub struct RainStream {
    grid: RainGrid,
    climatology: Option<Climatology>,
    days: usize,
    members: usize,
    broken: bool,
    totals: Totals,
    amounts: AmountCounts,
    monthly: MonthlyMeans,
    cells: AnomalySums,
    global: AnomalySums,
}

impl RainStream {
    /// For days on a grid; without a climatology there is no autocorrelation.
    pub fn new(globe: &Globe) -> Self {
        Self::of(RainGrid::new(globe), None)
    }

    /// With the monthly climatology that is subtracted, `[12][cells]`, mm/day; a month of NaN is one that never comes.
    /// `None` where the shape does not fit.
    pub fn with_climatology(globe: &Globe, climatology: &[impl AsRef<[f32]>]) -> Option<Self> {
        let grid = RainGrid::new(globe);
        let months: Vec<Vec<f32>> = climatology.iter().map(|m| m.as_ref().to_vec()).collect();
        if months.len() != 12 || months.iter().any(|m| m.len() != globe.len()) {
            return None;
        }
        let global = months.iter().map(|m| grid.mean(m)).collect();
        let climatology = Climatology {
            months: Arc::new(months),
            global,
        };
        Some(Self::of(grid, Some(climatology)))
    }

    fn of(grid: RainGrid, climatology: Option<Climatology>) -> Self {
        let cells = grid.globe().len();
        let correlated = if climatology.is_some() { cells } else { 0 };
        Self {
            climatology,
            days: 0,
            members: 0,
            broken: false,
            totals: Totals {
                zonal_mean: vec![0.0; grid.globe().ny()],
                spectrum: vec![0.0; grid.globe().nx / 2 + 1],
                ..Totals::default()
            },
            amounts: AmountCounts::default(),
            monthly: MonthlyMeans::new(cells),
            cells: AnomalySums::new(correlated, MAX_LAG),
            global: AnomalySums::new(1, MAX_LAG),
            grid,
        }
    }

    /// The grid.
    pub fn grid(&self) -> &RainGrid {
        &self.grid
    }

    /// Number of days so far.
    pub fn days(&self) -> usize {
        self.days
    }

    /// Counts of all amounts so far.
    pub fn amounts(&self) -> &AmountCounts {
        &self.amounts
    }

    /// Means of the calendar months so far.
    pub fn monthly(&self) -> &MonthlyMeans {
        &self.monthly
    }

    /// Takes the next day of all members, mm/day; `month0` is its month, 0 for January. `false`, and ignored: no members
    /// or another number than before, frames that do not fit the grid or hold a value that is not finite, a month that
    /// is none or that the climatology does not have.
    pub fn push(&mut self, frames: &[&[f32]], month0: usize) -> bool {
        let fits = !frames.is_empty()
            && (self.days == 0 || frames.len() == self.members)
            && month0 < 12
            && frames.iter().all(|f| self.grid.fits(f));
        if !fits || !self.has_month(month0) {
            return false;
        }
        self.members = frames.len();
        self.days += 1;
        self.count(frames, month0, 1.0);
        if let Some((cells, global)) = self.anomalies(frames, month0) {
            self.cells.push(cells);
            self.global.push(global);
        }
        true
    }

    fn has_month(&self, month0: usize) -> bool {
        let Some(c) = &self.climatology else {
            return true;
        };
        c.global.get(month0).is_some_and(|g| g.is_finite())
    }

    /// What a day adds to everything but the autocorrelation.
    fn count(&mut self, frames: &[&[f32]], month0: usize, sign: f64) {
        let totals = &mut self.totals;
        for frame in frames {
            let (area, cells) = self.grid.wet(frame);
            totals.count += sign;
            totals.global_mean += sign * self.grid.mean(frame);
            totals.wet_area += sign * area;
            totals.wet_cells += sign * cells;
            let power = self.grid.zonal_power(frame).unwrap_or_default();
            for (s, p) in totals.spectrum.iter_mut().zip(power) {
                *s += sign * p;
            }
            let rows = self.grid.zonal_mean(frame);
            for (s, z) in totals.zonal_mean.iter_mut().zip(rows) {
                *s += sign * z;
            }
            if sign > 0.0 {
                self.amounts.add(frame);
                self.monthly.push(frame, month0);
            } else {
                self.amounts.remove(frame);
                self.monthly.remove(frame, month0);
            }
        }
    }

    /// Anomalies of each member by cell, and of its global mean. `None` without a climatology.
    fn anomalies(&self, frames: &[&[f32]], month0: usize) -> Option<(Anomalies, Anomalies)> {
        let climatology = self.climatology.as_ref()?;
        let month = climatology.months.get(month0)?;
        let normal = climatology.global.get(month0)?;
        let by_cell = |frame: &&[f32]| frame.iter().zip(month).map(|(x, m)| x - m).collect();
        let global = |frame: &&[f32]| vec![(self.grid.mean(frame) - normal) as f32];
        Some((
            frames.iter().map(by_cell).collect(),
            frames.iter().map(global).collect(),
        ))
    }

    /// The next day does not follow the last one (a gap in a recording, or the next series): no lag reaches across.
    pub fn end_series(&mut self) {
        self.broken |= self.days > 0;
        self.cells.end_series();
        self.global.end_series();
    }

    /// Goes back to the first `kept` days. `frame(i)` gives day `i` (members, month) of those pushed; asked for are the
    /// dropped days and the [`MAX_LAG`] + 1 before them, or the kept ones where these are fewer. `false`, with the stream
    /// begun anew and empty, where one of them is gone or the stream holds more than one series.
    pub fn truncate(&mut self, kept: usize, frame: &dyn Fn(usize) -> Option<PastDay>) -> bool {
        if kept >= self.days {
            return true;
        }
        let done = if kept <= self.days - kept {
            self.rebuild(kept, frame)
        } else {
            self.drop_newest(kept, frame)
        };
        if done.is_none() {
            *self = Self::of(self.grid.clone(), self.climatology.clone());
        }
        done.is_some()
    }

    fn rebuild(&mut self, kept: usize, frame: &dyn Fn(usize) -> Option<PastDay>) -> Option<()> {
        if self.broken {
            return None;
        }
        *self = Self::of(self.grid.clone(), self.climatology.clone());
        for i in 0..kept {
            let (members, month0) = frame(i)?;
            let views: Vec<&[f32]> = members.iter().map(|m| &m[..]).collect();
            self.push(&views, month0).then_some(())?;
        }
        Some(())
    }

    fn drop_newest(&mut self, kept: usize, frame: &dyn Fn(usize) -> Option<PastDay>) -> Option<()> {
        if self.broken {
            return None;
        }
        while self.days > kept {
            let last = self.days - 1;
            let (members, month0) = frame(last)?;
            let views: Vec<&[f32]> = members.iter().map(|m| &m[..]).collect();
            let fits = views.len() == self.members && month0 < 12;
            (fits && views.iter().all(|f| self.grid.fits(f))).then_some(())?;
            self.count(&views, month0, -1.0);
            let older = match last.checked_sub(MAX_LAG + 1) {
                None => None,
                Some(i) => {
                    let (members, month0) = frame(i)?;
                    let views: Vec<&[f32]> = members.iter().map(|m| &m[..]).collect();
                    self.anomalies(&views, month0)
                }
            };
            let (cells, global) = older.unzip();
            self.cells.pop(cells);
            self.global.pop(global);
            self.days = last;
        }
        Some(())
    }

    /// The figures so far.
    pub fn figures(&self) -> RainSummary {
        let t = &self.totals;
        let n = if self.days == 0 { f64::NAN } else { t.count };
        let nx = self.grid.globe().nx;
        let correlation = |rows: &[f64]| {
            let weight = |cell: usize| rows.get(cell / nx).copied().unwrap_or(0.0);
            let floor = |cell: usize| ROUNDING * self.monthly.mean(cell).powi(2);
            self.cells.acf(weight, floor)
        };
        let floor = ROUNDING * (t.global_mean / n).powi(2);
        let global = self.global.acf(|_| 1.0, |_| floor);
        let undefined = || vec![f64::NAN; MAX_LAG + 1];
        RainSummary {
            days: self.days,
            global_mean: t.global_mean / n,
            wet_fraction: t.wet_area / n,
            wet_cells: t.wet_cells / n,
            percentiles: PERCENTILES.map(|p| self.amounts.percentile(p)),
            acf: correlation(self.grid.row_weights()).unwrap_or_else(undefined),
            tropics_acf: correlation(&self.grid.tropical_weights()).unwrap_or_else(undefined),
            global_acf: global.unwrap_or_else(undefined),
            zonal_mean: t.zonal_mean.iter().map(|z| z / n).collect(),
            spectrum: t.spectrum.iter().map(|p| p / n).collect(),
        }
    }
}
