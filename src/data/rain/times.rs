//! Time axes: `days since 2001-01-01` and the like to seconds of a calendar.

use crate::data::calendar::{Calendar, Date};

/// A time unit with its reference: what a stamp counts from, and in which steps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct TimeUnit {
    pub calendar: Calendar,
    /// The calendar is Julian before 1582-10-15 (CF's `standard`).
    pub mixed: bool,
    /// Seconds in one unit.
    pub seconds: f64,
    /// Seconds from 0001-01-01 00:00 to the reference.
    pub reference: i64,
}

/// Seconds in a day.
pub(super) const DAY: i64 = 86_400;

/// First day of the Gregorian calendar, counted from 0001-01-01 in it.
const REFORM: i64 = 577_735;

/// Stamps beyond this (seconds, 3 million years) are damage, not dates.
const FAR: f64 = 1e14;

impl TimeUnit {
    /// Reads the `units` and `calendar` of a time axis; the error says what does not fit.
    pub fn parse(units: &str, calendar_name: Option<&str>) -> Result<Self, String> {
        let name = calendar_name.unwrap_or("standard");
        let calendar = Calendar::from_cf(name).ok_or_else(|| {
            format!("its calendar is {name}; standard, gregorian, proleptic_gregorian, noleap, 365_day and 360_day are read")
        })?;
        let unreadable = || format!("its time unit \"{units}\" cannot be read");
        let (step, since) = units.split_once(" since ").ok_or_else(|| {
            format!("its time unit is \"{units}\", not for instance \"days since 2000-01-01\"")
        })?;
        let seconds = match step.trim().to_ascii_lowercase().as_str() {
            "day" | "days" | "d" => 86_400.0,
            "hour" | "hours" | "hr" | "hrs" | "h" => 3600.0,
            "minute" | "minutes" | "min" | "mins" => 60.0,
            "second" | "seconds" | "sec" | "secs" | "s" => 1.0,
            "millisecond" | "milliseconds" | "ms" | "msec" => 1e-3,
            "month" | "months" | "year" | "years" => {
                return Err(format!(
                    "its time unit is \"{units}\": months and years have no fixed length"
                ));
            }
            _ => return Err(unreadable()),
        };
        let (date, clock) = reference(since).ok_or_else(unreadable)?;
        // The mixed Gregorian/Julian calendar of CF's `standard`: references before the reform are Julian dates.
        let mixed = calendar == Calendar::Standard
            && !name.trim().eq_ignore_ascii_case("proleptic_gregorian");
        let before = (date.year, date.month, date.day) < (1582, 10, 15);
        let day = if mixed && before {
            julian_days(date).ok_or_else(unreadable)?
        } else if calendar.has(date) {
            calendar.days_from_date(date)
        } else {
            return Err(format!(
                "its time unit counts from {date}, which the calendar {name} does not have"
            ));
        };
        Ok(Self {
            calendar,
            mixed,
            seconds,
            reference: day * DAY + clock,
        })
    }

    /// Seconds from 0001-01-01 00:00 of a stamp, to the nearest second; `None` for one that is no date.
    pub fn seconds_of(&self, stamp: f64) -> Option<i64> {
        let seconds = stamp * self.seconds;
        (seconds.is_finite() && seconds.abs() < FAR)
            .then(|| self.reference + seconds.round() as i64)
    }

    /// Whether an instant lies before the Gregorian calendar began (where `standard` means another calendar).
    pub fn before_reform(&self, seconds: i64) -> bool {
        self.mixed && seconds.div_euclid(DAY) < REFORM
    }
}

/// Days from 0001-01-01 (Gregorian) to a date of the Julian calendar.
fn julian_days(date: Date) -> Option<i64> {
    const MONTHS: [u8; 12] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let length = *MONTHS.get(usize::from(date.month).checked_sub(1)?)?;
    if date.day == 0 || date.day > length {
        return None;
    }
    let y = i64::from(date.year) - 1;
    let leap = date.year.rem_euclid(4) == 0;
    let months: i64 = MONTHS[..usize::from(date.month) - 1]
        .iter()
        .map(|&d| i64::from(d))
        .sum();
    let short = i64::from(date.month > 2 && !leap);
    // 0001-01-01 of the Julian calendar is two days before that of the Gregorian one.
    Some(365 * y + y.div_euclid(4) + months - short + i64::from(date.day) - 1 - 2)
}

/// Date and seconds of the day of `2001-01-01`, `1900-1-1 00:00:00.0`, `2001-01-01T12:00:00Z`, `… +01:00`.
fn reference(text: &str) -> Option<(Date, i64)> {
    let text = text.trim().trim_end_matches("UTC").trim_end();
    let (date, rest) = match text.find(['T', ' ']) {
        Some(at) => (&text[..at], text[at + 1..].trim()),
        None => (text, ""),
    };
    let mut parts = date.rsplitn(3, '-');
    let day = parts.next()?.parse::<u8>().ok()?;
    let month = parts.next()?.parse::<u8>().ok()?;
    let year = parts.next()?.parse::<i32>().ok()?;
    if !(1..=12).contains(&month) || !(-100_000..=100_000).contains(&year) {
        return None;
    }
    let rest = rest.trim_end_matches('Z').trim_end();
    let (clock, zone) = match rest.rfind(['+', '-']) {
        Some(at) => (rest[..at].trim_end(), Some(&rest[at..])),
        None => (rest, None),
    };
    let seconds = if clock.is_empty() {
        0
    } else {
        clock_seconds(clock)?
    };
    let shift = match zone {
        None => 0,
        Some(z) => {
            let sign = if z.starts_with('-') { -1 } else { 1 };
            let digits = &z[1..];
            let (h, m) = match digits.split_once(':') {
                Some((h, m)) => (h, m),
                None if digits.len() == 4 && digits.is_ascii() => digits.split_at(2),
                None => (digits, "0"),
            };
            let (h, m) = (h.parse::<i64>().ok()?, m.parse::<i64>().ok()?);
            if h > 24 || m > 59 {
                return None;
            }
            sign * (h * 3600 + m * 60)
        }
    };
    Some((Date { year, month, day }, seconds - shift))
}

/// Seconds of `12`, `12:30`, `12:30:15`, `00:00:0.0`.
fn clock_seconds(text: &str) -> Option<i64> {
    let mut total = 0.0;
    let mut unit = 3600.0;
    for part in text.split(':') {
        let value = part.parse::<f64>().ok()?;
        if !(0.0..=60.0).contains(&value) || unit < 1.0 {
            return None;
        }
        total += value * unit;
        unit /= 60.0;
    }
    Some(f64::round(total) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(units: &str, calendar: Option<&str>, stamp: f64) -> String {
        let unit = TimeUnit::parse(units, calendar).unwrap();
        let seconds = unit.seconds_of(stamp).unwrap();
        let date = unit.calendar.date_from_days(seconds.div_euclid(DAY));
        format!("{date} {:.2}", seconds.rem_euclid(DAY) as f64 / 3600.0)
    }

    #[test]
    fn known_instants() {
        assert_eq!(
            day("days since 2001-01-01 00:00:00", Some("noleap"), 59.5),
            "2001-03-01 12.00"
        );
        assert_eq!(
            day("hours since 1900-01-01 00:00:00.0", None, 1_051_896.0),
            "2020-01-01 0.00"
        );
        assert_eq!(
            day(
                "seconds since 1970-01-01",
                Some("proleptic_gregorian"),
                1.7e9
            ),
            "2023-11-14 22.22"
        );
        // The mixed calendar: two days between the Julian and the Gregorian year 1 (a file of NOAA: 1948-01-01).
        assert_eq!(
            day(
                "hours since 1-1-1 00:00:0.0",
                Some("standard"),
                17_067_072.0
            ),
            "1948-01-01 0.00"
        );
        assert_eq!(
            day("days since 0001-01-01", Some("proleptic_gregorian"), 0.0),
            "0001-01-01 0.00"
        );
        assert_eq!(
            day("days since 1850-02-30", Some("360_day"), 1.0),
            "1850-03-01 0.00"
        );
        assert_eq!(
            day("days since 2000-01-01T12:00:00Z", None, 0.0),
            "2000-01-01 12.00"
        );
        assert_eq!(
            day("hours since 2000-01-01 00:00 +01:00", None, 1.0),
            "2000-01-01 0.00"
        );
        assert_eq!(
            REFORM,
            Calendar::Standard.days_from_date(Date {
                year: 1582,
                month: 10,
                day: 15
            })
        );
    }

    #[test]
    fn what_is_refused() {
        for (units, calendar, why) in [
            (
                "days since 2000-01-01",
                Some("julian"),
                "calendar is julian",
            ),
            ("months since 2000-01-01", None, "no fixed length"),
            ("day as %Y%m%d.%f", None, "not for instance"),
            ("days since yesterday", None, "cannot be read"),
            ("days since 2001-02-29", Some("noleap"), "does not have"),
            ("days since 2001-13-01", None, "cannot be read"),
            ("days since ü-01-01", None, "cannot be read"),
            ("days since 2000-01-01 1:2:3:4", None, "cannot be read"),
        ] {
            let error = TimeUnit::parse(units, calendar).unwrap_err();
            assert!(error.contains(why), "{units}: {error}");
        }
        let unit = TimeUnit::parse("days since 2000-01-01", None).unwrap();
        assert_eq!(unit.seconds_of(f64::NAN), None);
        assert_eq!(unit.seconds_of(1e30), None);
    }
}
