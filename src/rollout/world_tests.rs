//! Dates of a rollout, and the recorded day that truth shows for each.

use super::*;

/// One cell in each of four; the amount is the number of the day.
struct Made {
    globe: Globe,
    calendar: Calendar,
    days: Vec<i64>,
    breaks: Vec<usize>,
}

fn made(calendar: Calendar, runs: &[(Date, usize)]) -> Rc<dyn Recording> {
    let (mut days, mut breaks) = (Vec::new(), Vec::new());
    for (first, n) in runs {
        if !days.is_empty() {
            breaks.push(days.len());
        }
        let first = calendar.days_from_date(*first);
        days.extend(first..first + *n as i64);
    }
    Rc::new(Made {
        globe: Globe::cell_centred(2, 2).unwrap(),
        calendar,
        days,
        breaks,
    })
}

impl Recording for Made {
    fn globe(&self) -> &Globe {
        &self.globe
    }
    fn calendar(&self) -> Calendar {
        self.calendar
    }
    fn days(&self) -> usize {
        self.days.len()
    }
    fn date(&self, i: usize) -> Date {
        self.calendar.date_from_days(self.days[i])
    }
    fn day(&self, i: usize) -> Result<Arc<[f32]>> {
        Ok(vec![i as f32; 4].into())
    }
    fn index_of(&self, date: Date) -> Option<usize> {
        self.days
            .binary_search(&self.calendar.days_from_date(date))
            .ok()
    }
    fn breaks(&self) -> &[usize] {
        &self.breaks
    }
    fn name(&self) -> String {
        "made".into()
    }
}

fn date(year: i32, month: u8, day: u8) -> Date {
    Date { year, month, day }
}

fn from(recording: &Rc<dyn Recording>, start: Option<Date>, seed: u64) -> Result<(Days, usize)> {
    let spec = RolloutSpec {
        seed,
        start_date: start,
        ..RolloutSpec::default()
    };
    Days::begin(Rc::clone(recording), &spec, 3)
}

#[test]
fn truth_goes_round_by_whole_years() {
    let recording = made(Calendar::NoLeap, &[(date(2059, 1, 1), 730)]);
    let (days, frames) = from(&recording, Some(date(2060, 12, 30)), 0).unwrap();
    assert_eq!(frames, 4);
    assert_eq!(days.date(3), date(2060, 12, 30));
    let shown = |n: usize| days.truth(3 + n).unwrap().0;
    assert_eq!(shown(1), date(2060, 12, 31));
    assert_eq!(days.date(5), date(2061, 1, 1));
    assert_eq!(shown(2), date(2059, 1, 1));
    // No leap day: 59 days on is the first of March.
    assert_eq!(shown(2 + 59), date(2059, 3, 1));
    assert_eq!(shown(2 + 365), date(2060, 1, 1));
    assert_eq!(shown(2 + 730), date(2059, 1, 1));
    assert_eq!(shown(2 + 36_500), date(2059, 1, 1));
    assert_eq!(days.date(5 + 36_500), date(2161, 1, 1));
    assert_eq!(days.season(5), 0.0);
}

#[test]
fn years_that_begin_within_a_year_gaps_and_leap_days() {
    // From March to March: five whole years.
    let recording = made(Calendar::Standard, &[(date(2000, 3, 1), 1826)]);
    let (days, _) = from(&recording, Some(date(2005, 2, 28)), 0).unwrap();
    assert_eq!(days.truth(4).unwrap().0, date(2000, 3, 1));
    // 2008 has a 29 February, 2003 has none.
    let leap = (1..2000)
        .find(|n| days.date(*n) == date(2008, 2, 29))
        .unwrap();
    assert_eq!(days.truth(leap).unwrap().0, date(2003, 2, 28));
    // A gap in a year: the day of another year.
    let recording = made(
        Calendar::NoLeap,
        &[(date(2000, 1, 1), 365), (date(2001, 6, 1), 300)],
    );
    let (days, _) = from(&recording, Some(date(2000, 12, 31)), 0).unwrap();
    assert_eq!(days.truth(4).unwrap().0, date(2000, 1, 1));
    assert_eq!(days.truth(3 + 151).unwrap().0, date(2000, 5, 31));
    assert_eq!(days.truth(3 + 152).unwrap().0, date(2001, 6, 1));
    // Ten days only.
    let recording = made(Calendar::NoLeap, &[(date(2000, 1, 1), 10)]);
    let (days, _) = from(&recording, Some(date(2000, 1, 10)), 0).unwrap();
    assert_eq!(days.truth(4).unwrap().0, date(2000, 1, 1));
    assert_eq!(days.truth(14).unwrap().0, date(2000, 1, 1));
}

#[test]
fn the_seed_chooses_a_day_with_enough_before_it() {
    let recording = made(
        Calendar::NoLeap,
        &[
            (date(2000, 1, 1), 3),
            (date(2000, 2, 1), 6),
            (date(2000, 3, 1), 4),
        ],
    );
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..200 {
        let (days, frames) = from(&recording, None, seed).unwrap();
        assert_eq!(frames, 4);
        assert_eq!(from(&recording, None, seed).unwrap().0.first, days.first);
        for f in 0..frames {
            assert_eq!(days.truth(f).unwrap().0, days.date(f));
        }
        seen.insert(days.date(3));
    }
    let expected = [
        date(2000, 2, 4),
        date(2000, 2, 5),
        date(2000, 2, 6),
        date(2000, 3, 4),
    ];
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), expected);
}

#[test]
fn starts_that_cannot_be() {
    let recording = made(Calendar::NoLeap, &[(date(2000, 1, 1), 30)]);
    for (start, word) in [
        (date(2000, 2, 29), "calendar"),
        (date(2001, 1, 1), "2000-01-01 to 2000-01-30"),
        (date(2000, 1, 2), "needs 4 days in a row"),
    ] {
        let error = from(&recording, Some(start), 0).err().unwrap();
        assert!(error.to_string().contains(word), "{error}");
    }
    let short = made(Calendar::NoLeap, &[(date(2000, 1, 1), 2)]);
    assert!(from(&short, None, 0).is_err());
    // A short history needs fewer days.
    let spec = RolloutSpec::default();
    let (_, frames) = Days::begin(short, &spec, 0).unwrap();
    assert!((1..=2).contains(&frames));
}
