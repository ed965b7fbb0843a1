//! The stamps of all files as one series of days.

use super::choices::Stamp;
use super::times::DAY;

/// Where the values of one interval stand: file and position on its time axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Slot {
    pub file: u32,
    pub at: u32,
}

/// The days that the files hold whole.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Index {
    /// Intervals in a day.
    pub per_day: usize,
    /// Days since 0001-01-01, ascending.
    pub days: Vec<i64>,
    /// `per_day` slots a day.
    pub slots: Vec<Slot>,
    /// A second slot for the same interval: position in `slots`, and the slot that is not used.
    pub duplicates: Vec<(usize, Slot)>,
    /// Days left out, with the number of their intervals that are there.
    pub incomplete: Vec<(i64, usize)>,
    /// `i` where day `i` does not follow day `i - 1`.
    pub breaks: Vec<usize>,
}

/// Stamps closer than this (seconds) are equal: times in single precision are off by seconds.
const NEAR: i64 = 90;

/// The commonest distance of the stamps of a file, seconds; `None` for fewer than two different stamps.
pub(super) fn step(stamps: &[i64]) -> Option<i64> {
    let mut sorted = stamps.to_vec();
    sorted.sort_unstable();
    let mut steps: Vec<i64> = sorted
        .windows(2)
        .map(|w| (w[1] - w[0] + 30).div_euclid(60) * 60)
        .filter(|&d| d > NEAR)
        .collect();
    steps.sort_unstable();
    steps
        .chunk_by(|a, b| a == b)
        // The shorter of equally common ones.
        .max_by_key(|run| (run.len(), std::cmp::Reverse(run[0])))
        .map(|run| run[0])
}

/// Says why a step of the time axis cannot be read, if so.
pub(super) fn unfit_step(step: i64) -> Option<String> {
    let days = step as f64 / DAY as f64;
    if step > DAY {
        return Some(if (27.5..31.5).contains(&days) {
            "it holds monthly values".into()
        } else {
            format!("it holds one value in {days:.1} days")
        });
    }
    (DAY % step != 0).then(|| {
        format!(
            "its stamps are {:.2} hours apart, which does not divide a day",
            step as f64 / 3600.0
        )
    })
}

/// Where in their interval the stamps of a file stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// At whole intervals: begin or end.
    Edge,
    /// Elsewhere in the interval.
    Inside,
    /// Some so and some otherwise.
    Mixed,
}

pub(super) fn standing(stamps: &[i64], step: i64) -> Standing {
    let at_edge = |t: &i64| {
        let rest = t.rem_euclid(step);
        rest <= NEAR.min(step / 4) || step - rest <= NEAR.min(step / 4)
    };
    match stamps.iter().filter(|t| at_edge(t)).count() {
        0 => Standing::Inside,
        n if n == stamps.len() => Standing::Edge,
        _ => Standing::Mixed,
    }
}

/// The middle of each interval, seconds, from its stamp.
pub(super) fn middles(stamps: &[i64], step: i64, standing: Standing, stamp: Stamp) -> Vec<i64> {
    let shift = match (standing, stamp) {
        (Standing::Edge, Stamp::Begin) => step / 2,
        (Standing::Edge, Stamp::End) => -step / 2,
        // A stamp inside of an interval tells which one it is.
        _ => 0,
    };
    stamps.iter().map(|t| t + shift).collect()
}

/// Puts the intervals of all files in order.
pub(super) fn build(middles: &[Vec<i64>], step: i64) -> Index {
    let per_day = (DAY / step).max(1);
    let mut entries: Vec<(i64, Slot)> = Vec::with_capacity(middles.iter().map(Vec::len).sum());
    for (file, of_file) in middles.iter().enumerate() {
        entries.extend(of_file.iter().enumerate().map(|(at, middle)| {
            let slot = Slot {
                file: file as u32,
                at: at as u32,
            };
            (middle.div_euclid(step), slot)
        }));
    }
    entries.sort_unstable();

    let mut index = Index {
        per_day: per_day as usize,
        ..Index::default()
    };
    for day in entries.chunk_by(|a, b| a.0.div_euclid(per_day) == b.0.div_euclid(per_day)) {
        let number = day[0].0.div_euclid(per_day);
        let different = day.chunk_by(|a, b| a.0 == b.0);
        let found = different.clone().count();
        if found < index.per_day {
            index.incomplete.push((number, found));
            continue;
        }
        if index.days.last().is_some_and(|last| number - last != 1) {
            index.breaks.push(index.days.len());
        }
        index.days.push(number);
        for interval in different {
            let position = index.slots.len();
            index.slots.push(interval[0].1);
            index
                .duplicates
                .extend(interval[1..].iter().map(|&(_, slot)| (position, slot)));
        }
    }
    index
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3600;

    #[test]
    fn era5_hours_end_at_their_stamps() {
        // Two days and an hour, stamps 00 of the first day to 00 of the third.
        let stamps: Vec<i64> = (0..49).map(|h| h * HOUR).collect();
        let step = step(&stamps).unwrap();
        assert_eq!(step, HOUR);
        assert_eq!(standing(&stamps, step), Standing::Edge);
        let index = build(&[middles(&stamps, step, Standing::Edge, Stamp::End)], step);
        assert_eq!(
            (index.days.as_slice(), index.per_day),
            ([0, 1].as_slice(), 24)
        );
        assert_eq!(index.slots[0], Slot { file: 0, at: 1 });
        assert_eq!(index.slots[47], Slot { file: 0, at: 48 });
        assert_eq!(index.incomplete, [(-1, 1)]);
    }

    #[test]
    fn days_in_any_order_with_gaps_and_duplicates() {
        let noon = |d: &[i64]| -> Vec<i64> { d.iter().map(|d| d * DAY + DAY / 2).collect() };
        let files = [noon(&[7, 8, 9]), noon(&[2, 1, 3, 3])];
        assert_eq!(step(&files[1]), Some(DAY));
        assert_eq!(standing(&files[1], DAY), Standing::Inside);
        let index = build(&files, DAY);
        assert_eq!(index.days, [1, 2, 3, 7, 8, 9]);
        assert_eq!(index.breaks, [3]);
        assert_eq!(index.slots[0], Slot { file: 1, at: 1 });
        assert_eq!(index.duplicates, [(2, Slot { file: 1, at: 3 })]);
    }

    #[test]
    fn steps_that_cannot_be_read() {
        assert!(unfit_step(30 * DAY).unwrap().contains("monthly"));
        assert!(unfit_step(5 * DAY).unwrap().contains("5.0 days"));
        assert!(unfit_step(5 * HOUR).unwrap().contains("5.00 hours"));
        assert!(unfit_step(3 * HOUR).is_none() && unfit_step(DAY).is_none());
        assert_eq!(step(&[5]), None);
        assert_eq!(standing(&[0, DAY / 2], DAY), Standing::Mixed);
        assert_eq!(standing(&[3, DAY - 3], DAY), Standing::Edge, "seconds off");
    }
}
