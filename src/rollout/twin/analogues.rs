//! Nearest recorded days (Lorenz 1969, "Atmospheric predictability as revealed by naturally occurring analogues").
//!
//! Distance: amounts become `ln(1 + p / (1 mm/day))`, so that a few downpours do not decide; each cell is divided by its
//! standard deviation over the recorded days of the season (within 30 days of the year's day, all years); the distance of
//! two days is the area-weighted rms of the difference. Two unrelated days lie about `sqrt(2)` apart, as in the box.

use std::sync::Arc;

use crate::data::recording::Recording;
use crate::data::{Calendar, Date};
use crate::error::{Result, UserError};
use crate::field::Globe;

use super::super::settings::RolloutSpec;

/// Analogues that are shown.
pub const NEAREST: usize = 3;

/// Days after each of them.
pub const FOLLOWING: usize = 3;

/// Half-width of the season, days.
const SEASON: i64 = 30;

/// Days that lie so near in time belong to the same weather and do not count as analogues of one another.
const SAME_WEATHER: usize = 5;

/// Recorded days that are looked at, at most; the newest of the season.
const MOST: usize = 3000;

/// True days whose own nearest day is looked for, at most.
const JUDGED: usize = 120;

/// Spread below which a cell says nothing (deserts).
const LEAST_SPREAD: f64 = 0.02;

/// A question.
#[derive(Debug, Clone)]
pub struct AnaloguesAsk {
    /// Names the question in [`super::TwinState::number`].
    pub number: u64,
    /// Whose recording.
    pub spec: RolloutSpec,
    /// The day, mm/day.
    pub day: Arc<[f32]>,
    /// Its date: the season that is looked at.
    pub date: Date,
    /// The recorded day that truth shows beside it: it and its neighbours do not count, the day may have begun there.
    pub beside: Option<Date>,
}

/// A recorded day and those that followed it.
#[derive(Debug, Clone)]
pub struct Analogue {
    /// Distance of the first day from the day asked for.
    pub distance: f64,
    /// Dates and amounts, mm/day: the day itself and up to [`FOLLOWING`] more.
    pub days: Vec<(Date, Arc<[f32]>)>,
}

/// Standard deviation of each cell in the season, with the area's weight.
#[derive(Debug, Clone)]
pub struct Scaling {
    /// `sqrt(area weight) / spread`, 0 where a cell says nothing.
    factor: Vec<f32>,
}

/// The answer.
#[derive(Debug, Clone)]
pub struct Analogues {
    /// Nearest first.
    pub nearest: Vec<Analogue>,
    /// Distance of true days of the season to the nearest other one, ascending.
    pub of_truth: Vec<f64>,
    /// Distance of true days and their nearest ones, so many days later: mean.
    pub growth_of_truth: Vec<f64>,
    /// Recorded days of the season.
    pub searched: usize,
    /// To measure further days with.
    pub scaling: Arc<Scaling>,
}

impl Analogues {
    /// Share of the true days that have a nearer one than the day asked for, percent; `None` without any.
    pub fn nearer_true_days(&self) -> Option<f64> {
        let distance = self.nearest.first()?.distance;
        let below = self.of_truth.partition_point(|d| *d < distance);
        (!self.of_truth.is_empty()).then(|| 100.0 * below as f64 / self.of_truth.len() as f64)
    }
}

/// A day as distances are measured.
fn log_amount(p: f32) -> f32 {
    p.max(0.0).ln_1p()
}

impl Scaling {
    /// From the days of a season.
    fn new(globe: &Globe, days: &[Vec<f32>]) -> Self {
        let n = days.len().max(1) as f64;
        let cells = globe.len();
        let (mut mean, mut square) = (vec![0.0f64; cells], vec![0.0f64; cells]);
        for day in days {
            for ((m, s), v) in mean.iter_mut().zip(&mut square).zip(day) {
                let v = f64::from(*v);
                *m += v / n;
                *s += v * v / n;
            }
        }
        let rows = globe.row_weights();
        let spread = |i: usize| (square[i] - mean[i] * mean[i]).max(0.0).sqrt();
        let weight = |i: usize| match spread(i) > LEAST_SPREAD {
            true => rows.get(i / globe.nx.max(1)).copied().unwrap_or(0.0),
            false => 0.0,
        };
        let total: f64 = (0..cells).map(weight).sum();
        let factor = |i: usize| match weight(i) {
            w if w > 0.0 => ((w / total).sqrt() / spread(i)) as f32,
            _ => 0.0,
        };
        Self {
            factor: (0..cells).map(factor).collect(),
        }
    }

    /// A day (mm/day) in the space where distances are Euclidean.
    fn place(&self, day: &[f32]) -> Vec<f32> {
        let scaled = |(p, f): (&f32, &f32)| log_amount(*p) * f;
        day.iter().zip(&self.factor).map(scaled).collect()
    }

    /// Distance of two days, mm/day.
    pub fn distance(&self, a: &[f32], b: &[f32]) -> f64 {
        apart(&self.place(a), &self.place(b))
    }
}

fn apart(a: &[f32], b: &[f32]) -> f64 {
    let sum: f32 = a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum();
    f64::from(sum).sqrt()
}

/// Days between two dates within their years, going round.
fn apart_in_year(calendar: Calendar, a: Date, b: Date) -> i64 {
    let length = i64::from(calendar.year_length(a.year));
    let day = |d: Date| i64::from(calendar.day_of_year(d));
    let d = (day(a) - day(b)).rem_euclid(length);
    d.min(length - d)
}

/// The nearest recorded days; `None` when told to `stop`.
pub(super) fn find(
    recording: &dyn Recording,
    ask: &AnaloguesAsk,
    stop: &dyn Fn() -> bool,
) -> Result<Option<Analogues>> {
    let calendar = recording.calendar();
    let mut season: Vec<usize> = (0..recording.days())
        .filter(|&i| apart_in_year(calendar, recording.date(i), ask.date) <= SEASON)
        .collect();
    season.drain(..season.len().saturating_sub(MOST));
    if season.len() <= 2 * SAME_WEATHER + NEAREST {
        return Err(UserError::new(
            "There are too few recorded days to look for analogues",
            format!(
                "{} holds {} day(s) within {SEASON} days of {}",
                recording.name(),
                season.len(),
                ask.date
            ),
            "use a recording of a year or more",
        ));
    }
    let mut days: Vec<Vec<f32>> = Vec::with_capacity(season.len());
    for &i in &season {
        let day = recording.day(i)?;
        days.push(day.iter().map(|p| log_amount(*p)).collect());
        if stop() {
            return Ok(None);
        }
    }
    let scaling = Scaling::new(recording.globe(), &days);
    for day in &mut days {
        for (v, f) in day.iter_mut().zip(&scaling.factor) {
            *v *= f;
        }
    }

    let beside = ask.beside.and_then(|d| recording.index_of(d));
    let here = scaling.place(&ask.day);
    let mut by_distance: Vec<(f64, usize)> = season
        .iter()
        .zip(&days)
        .filter(|(i, _)| beside.is_none_or(|b| i.abs_diff(b) > SAME_WEATHER))
        .map(|(i, day)| (apart(day, &here), *i))
        .collect();
    by_distance.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut chosen: Vec<(f64, usize)> = Vec::new();
    for (distance, i) in by_distance {
        if chosen.len() < NEAREST && chosen.iter().all(|c| c.1.abs_diff(i) > SAME_WEATHER) {
            chosen.push((distance, i));
        }
    }
    let nearest = chosen
        .into_iter()
        .map(|(distance, i)| {
            let days = following(recording, i)
                .map(|i| Ok((recording.date(i), recording.day(i)?)))
                .collect::<Result<Vec<_>>>()?;
            Ok(Analogue { distance, days })
        })
        .collect::<Result<Vec<_>>>()?;

    let mut of_truth = Vec::new();
    let mut growth = [(0.0, 0usize); FOLLOWING + 1];
    let every = season.len().div_ceil(JUDGED);
    for (a, i) in season.iter().enumerate().step_by(every) {
        if stop() {
            return Ok(None);
        }
        let others = season.iter().enumerate();
        let found = others
            .filter(|(_, j)| j.abs_diff(*i) > SAME_WEATHER)
            .map(|(b, j)| (apart(&days[a], &days[b]), *j))
            .min_by(|x, y| x.0.total_cmp(&y.0));
        let Some((distance, j)) = found else {
            continue;
        };
        of_truth.push(distance);
        let pairs = following(recording, *i).zip(following(recording, j));
        for ((sum, count), (i, j)) in growth.iter_mut().zip(pairs) {
            *sum += scaling.distance(&recording.day(i)?, &recording.day(j)?);
            *count += 1;
        }
    }
    of_truth.sort_by(f64::total_cmp);
    Ok(Some(Analogues {
        nearest,
        of_truth,
        growth_of_truth: growth.iter().map(|(s, n)| s / *n as f64).collect(),
        searched: season.len(),
        scaling: Arc::new(scaling),
    }))
}

/// A day and those that follow it without a gap.
fn following(recording: &dyn Recording, i: usize) -> std::ops::Range<usize> {
    let end = (i + FOLLOWING + 1).min(recording.days());
    let gap = recording.breaks().iter().find(|b| **b > i).copied();
    i..end.min(gap.unwrap_or(end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::recording::shipped_clip;

    fn ask(recording: &dyn Recording, i: usize, beside: bool) -> AnaloguesAsk {
        AnaloguesAsk {
            number: 1,
            spec: RolloutSpec::default(),
            day: recording.day(i).unwrap(),
            date: recording.date(i),
            beside: beside.then(|| recording.date(i)),
        }
    }

    #[test]
    fn a_recorded_day_finds_itself_unless_truth_stands_beside_it() {
        let clip = shipped_clip().unwrap();
        let found = find(&clip, &ask(&clip, 200, false), &|| false)
            .unwrap()
            .unwrap();
        assert_eq!(found.nearest.len(), NEAREST);
        assert_eq!(found.nearest[0].days[0].0, clip.date(200));
        assert!(found.nearest[0].distance < 1e-3);
        assert_eq!(found.nearest[0].days[1].1, clip.day(201).unwrap());
        assert_eq!(found.nearer_true_days(), Some(0.0));
        // Its neighbours in time are left out, and so are those of the other analogues.
        let other = find(&clip, &ask(&clip, 200, true), &|| false)
            .unwrap()
            .unwrap();
        let at = |a: &Analogue| clip.index_of(a.days[0].0).unwrap();
        assert!(
            other
                .nearest
                .iter()
                .all(|a| at(a).abs_diff(200) > SAME_WEATHER)
        );
        assert!(at(&other.nearest[0]).abs_diff(at(&other.nearest[1])) > SAME_WEATHER);
        // A true day is as near as true days are.
        let share = other.nearer_true_days().unwrap();
        assert!((0.0..=100.0).contains(&share));
        let [lo, hi] = [other.of_truth[0], other.of_truth[other.of_truth.len() - 1]];
        assert!((lo..=hi).contains(&other.nearest[0].distance));
        // Analogues part, towards the distance of unrelated days.
        let g = &other.growth_of_truth;
        assert!(g[3] > g[0] && g[3] < 1.6, "{g:?}");
        // All within the season, of two years.
        assert_eq!(other.searched, 122);
    }

    #[test]
    fn a_day_of_noise_is_farther_than_any_true_day() {
        let clip = shipped_clip().unwrap();
        let mut strange = ask(&clip, 200, true);
        let key = crate::random::NoiseKey {
            seed: 1,
            stream: crate::random::Stream::Test,
            member: 0,
            frame: 0,
            step: 0,
        };
        let noise = key.normal_f32(clip.globe().len());
        strange.day = noise
            .iter()
            .map(|z| 5.0 * z.abs())
            .collect::<Vec<_>>()
            .into();
        let found = find(&clip, &strange, &|| false).unwrap().unwrap();
        assert_eq!(found.nearer_true_days(), Some(100.0));
    }
}
