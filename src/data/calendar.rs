//! Dates in the calendars of climate data (CF conventions, section 4.4.1).

use std::fmt;

use serde::{Deserialize, Serialize};

/// A calendar. All count days from the first of January of the year 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Calendar {
    /// Gregorian, extended backwards (CF `standard`, `gregorian`, `proleptic_gregorian`: equal since 1582-10-15).
    Standard,
    /// 365 days in every year (CF `noleap`, `365_day`).
    #[serde(rename = "noleap")]
    NoLeap,
    /// Twelve months of 30 days (CF `360_day`).
    #[serde(rename = "360_day")]
    Day360,
}

/// A day of a calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Date {
    /// Year.
    pub year: i32,
    /// Month, 1..=12.
    pub month: u8,
    /// Day of the month, from 1.
    pub day: u8,
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

const MONTHS: [u32; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

fn is_leap(year: i32) -> bool {
    (year % 4 == 0 && year % 100 != 0) || year % 400 == 0
}

impl Calendar {
    /// The calendar of a CF name; `None` for one that is not supported (`julian`, `366_day`, `none`, …).
    pub fn from_cf(name: &str) -> Option<Self> {
        match name.trim().to_ascii_lowercase().as_str() {
            "standard" | "gregorian" | "proleptic_gregorian" => Some(Self::Standard),
            "noleap" | "365_day" => Some(Self::NoLeap),
            "360_day" => Some(Self::Day360),
            _ => None,
        }
    }

    /// Its CF name.
    pub fn cf_name(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::NoLeap => "noleap",
            Self::Day360 => "360_day",
        }
    }

    /// Days in a month of a year.
    pub fn month_length(self, year: i32, month: u8) -> u32 {
        let index = usize::from(month.clamp(1, 12)) - 1;
        match self {
            Self::Day360 => 30,
            Self::Standard if index == 1 && is_leap(year) => 29,
            _ => MONTHS[index],
        }
    }

    /// Days in a year.
    pub fn year_length(self, year: i32) -> u32 {
        match self {
            Self::Day360 => 360,
            Self::NoLeap => 365,
            Self::Standard => 365 + u32::from(is_leap(year)),
        }
    }

    /// Whether the date exists in this calendar.
    pub fn has(self, date: Date) -> bool {
        (1..=12).contains(&date.month)
            && (1..=self.month_length(date.year, date.month)).contains(&u32::from(date.day))
    }

    /// Day of the year, from 0.
    pub fn day_of_year(self, date: Date) -> u32 {
        let months: u32 = (1..date.month)
            .map(|m| self.month_length(date.year, m))
            .sum();
        months + u32::from(date.day.max(1)) - 1
    }

    /// Where the date stands in its year, in `[0, 1)`.
    pub fn year_fraction(self, date: Date) -> f64 {
        f64::from(self.day_of_year(date)) / f64::from(self.year_length(date.year))
    }

    /// Days from 0001-01-01 to the first of January of a year.
    fn days_before(self, year: i32) -> i64 {
        let y = i64::from(year) - 1;
        match self {
            Self::Day360 => 360 * y,
            Self::NoLeap => 365 * y,
            Self::Standard => 365 * y + y.div_euclid(4) - y.div_euclid(100) + y.div_euclid(400),
        }
    }

    /// Days from 0001-01-01 to a date.
    pub fn days_from_date(self, date: Date) -> i64 {
        self.days_before(date.year) + i64::from(self.day_of_year(date))
    }

    /// The date so many days after 0001-01-01.
    pub fn date_from_days(self, days: i64) -> Date {
        let mean = match self {
            Self::Day360 => 360.0,
            Self::NoLeap => 365.0,
            Self::Standard => 365.2425,
        };
        let mut year = (days as f64 / mean).floor() as i32 + 1;
        while self.days_before(year) > days {
            year -= 1;
        }
        while self.days_before(year + 1) <= days {
            year += 1;
        }
        let mut rest = (days - self.days_before(year)) as u32;
        let mut month = 1;
        while rest >= self.month_length(year, month) && month < 12 {
            rest -= self.month_length(year, month);
            month += 1;
        }
        Date {
            year,
            month,
            day: rest as u8 + 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Calendar; 3] = [Calendar::Standard, Calendar::NoLeap, Calendar::Day360];

    #[test]
    fn there_and_back() {
        for calendar in ALL {
            let mut before = None;
            for days in (-1000..800_000).step_by(7).chain(700_000..702_000) {
                let date = calendar.date_from_days(days);
                assert!(calendar.has(date), "{calendar:?} {days} {date}");
                assert_eq!(calendar.days_from_date(date), days, "{calendar:?} {date}");
                if let Some((d, earlier)) = before {
                    assert!(days < d || date > earlier);
                }
                before = Some((days, date));
            }
        }
    }

    #[test]
    fn known_dates() {
        let date = |year, month, day| Date { year, month, day };
        // Unix epoch, as the proleptic Gregorian calendar has it.
        assert_eq!(Calendar::Standard.days_from_date(date(1970, 1, 1)), 719_162);
        assert_eq!(
            Calendar::Standard.date_from_days(719_162 + 59 + 730),
            date(1972, 2, 29)
        );
        assert_eq!(Calendar::NoLeap.day_of_year(date(2000, 12, 31)), 364);
        assert_eq!(Calendar::Day360.days_from_date(date(2, 2, 30)), 360 + 59);
        assert!(!Calendar::NoLeap.has(date(2000, 2, 29)));
        assert_eq!(Calendar::from_cf("365_day"), Some(Calendar::NoLeap));
        assert_eq!(Calendar::from_cf("julian"), None);
    }
}
