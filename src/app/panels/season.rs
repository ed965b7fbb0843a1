//! Months and seasons below the rail of the timeline.

use egui::{Align2, Color32, CornerRadius, Painter, Rect, Stroke, pos2};

use crate::data::{Calendar, Date};

use super::super::theme::{self, Palette};
use super::super::words;

/// A stretch of days on the screen.
pub struct Span {
    /// Calendar of the days.
    pub calendar: Calendar,
    /// Day at the left end, counted as the calendar does.
    pub first: i64,
    /// Days from the left to the right end.
    pub days: f32,
    /// Left end, points.
    pub left: f32,
    /// Width, points.
    pub width: f32,
}

impl Span {
    fn x(&self, day: f32) -> f32 {
        self.left + self.width * (day - self.first as f32) / self.days.max(1.0)
    }

    /// First days of months with their names: as many as have room.
    pub fn marks(&self) -> Vec<(f32, Date, Option<String>)> {
        const ROOM: f32 = 36.0;
        let month = self.width * 30.4 / self.days.max(1.0);
        let every = [1, 3, 12]
            .into_iter()
            .find(|n| month * *n as f32 >= ROOM)
            .unwrap_or_else(|| 12 * (ROOM / (month * 12.0)).ceil().max(1.0) as i32);
        let begin = self.calendar.date_from_days(self.first);
        let mut date = Date { day: 1, ..begin };
        let mut marks = Vec::new();
        // A century of months is more than a screen can show.
        for _ in 0..(self.days / 28.0) as usize + 2 {
            let number = date.year * 12 + i32::from(date.month) - 1;
            let x = self.x(self.calendar.days_from_date(date) as f32);
            let named = number % every == 0;
            let ticked = named || month >= 8.0;
            if ticked && x >= self.left - 0.5 && x <= self.left + self.width + 0.5 {
                let name = match date.month {
                    1 => date.year.to_string(),
                    m => words::month_short(m).to_owned(),
                };
                marks.push((x, date, named.then_some(name)));
            }
            date = match date.month {
                12 => Date {
                    year: date.year + 1,
                    month: 1,
                    ..date
                },
                m => Date {
                    month: m + 1,
                    ..date
                },
            };
        }
        marks
    }

    /// Draws the band between `y` and the names of the months below it: bright in northern summer.
    pub fn paint(&self, painter: &Painter, y: f32, p: &Palette) {
        let pieces = (self.width / 6.0).max(1.0) as i32;
        for i in 0..pieces {
            let at = |i: i32| self.left + self.width * i as f32 / pieces as f32;
            let day = self.first + (self.days * (i as f32 + 0.5) / pieces as f32) as i64;
            let warmth = summer(self.calendar, self.calendar.date_from_days(day));
            let rect = Rect::from_min_max(pos2(at(i), y), pos2(at(i + 1), y + 3.0));
            painter.rect_filled(rect, CornerRadius::ZERO, mix(p.raised, p.weak, warmth));
        }
        for (x, _, name) in self.marks() {
            let length = if name.is_some() { 6.0 } else { 4.0 };
            painter.vline(x, y..=(y + length), Stroke::new(1.0, p.weak));
            if let Some(name) = name {
                let at = pos2(x, y + 6.0);
                painter.text(at, Align2::CENTER_TOP, name, theme::small(), p.weak);
            }
        }
    }
}

/// 1 at the height of northern summer, 0 at that of winter.
fn summer(calendar: Calendar, date: Date) -> f32 {
    let turn = (calendar.day_of_year(date) as f32 - 200.0) / calendar.year_length(date.year) as f32;
    0.5 + 0.5 * (turn * std::f32::consts::TAU).cos()
}

/// The season's name, by the northern hemisphere.
pub fn name(date: Date) -> &'static str {
    match date.month {
        12 | 1 | 2 => "northern winter",
        3..=5 => "northern spring",
        6..=8 => "northern summer",
        _ => "northern autumn",
    }
}

fn mix(a: Color32, b: Color32, t: f32) -> Color32 {
    let (a, b) = (a.to_array(), b.to_array());
    let [r, g, b] = [0, 1, 2].map(|i| {
        let v = f32::from(a[i]) * (1.0 - t) + f32::from(b[i]) * t;
        v.round() as u8
    });
    Color32::from_rgb(r, g, b)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(days: f32) -> Span {
        let calendar = Calendar::NoLeap;
        let date = Date {
            year: 2059,
            month: 7,
            day: 14,
        };
        Span {
            calendar,
            first: calendar.days_from_date(date),
            days,
            left: 100.0,
            width: 600.0,
        }
    }

    #[test]
    fn names_have_room() {
        for days in [10.0, 40.0, 200.0, 800.0, 5000.0, 36500.0] {
            let marks = span(days).marks();
            let named: Vec<f32> = marks
                .iter()
                .filter(|m| m.2.is_some())
                .map(|m| m.0)
                .collect();
            assert!(named.windows(2).all(|w| w[1] - w[0] >= 33.0), "{days}");
            assert!(marks.iter().all(|m| m.1.day == 1));
            assert!(days < 60.0 || named.len() >= 2, "{days}: {named:?}");
        }
        let first = &span(200.0).marks()[0];
        assert_eq!((first.1.month, first.2.as_deref()), (8, Some("Aug")));
        // The 1st of August is 18 days after the 14th of July.
        assert!((first.0 - (100.0 + 600.0 * 18.0 / 200.0)).abs() < 0.5);
    }

    #[test]
    fn seasons() {
        let date = |month| Date {
            year: 2059,
            month,
            day: 20,
        };
        assert!(summer(Calendar::NoLeap, date(7)) > 0.99);
        assert!(summer(Calendar::NoLeap, date(1)) < 0.01);
        assert_eq!(name(date(12)), "northern winter");
    }
}
