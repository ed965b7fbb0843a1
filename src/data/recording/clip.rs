//! A clip: days of one grid, quantised, in a PNG.
//!
//! The cube roots of the amounts stand in steps of about 0.004 (10 of the 16 bits of a grey value), frames one below the
//! other, rows south to north; 0 is exactly no rain. An `iTXt` chunk holds [`ClipInfo`] as JSON.

use std::io::Cursor;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Recording;
use crate::data::calendar::{Calendar, Date};
use crate::error::{Result, UserError};
use crate::field::Globe;

/// Keyword of the chunk with the description.
const KEYWORD: &str = "eddyscope-clip";

/// Largest grey value that is used.
const LARGEST: u16 = 1023;

/// Values that a clip may hold (2 GB as grey values), so that a damaged file asks for no more.
const MOST: usize = 1 << 30;

/// What a clip holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClipInfo {
    /// What the days are, for people.
    pub title: String,
    /// Where they come from.
    pub source: String,
    /// Terms under which they may be used.
    pub terms: String,
    /// The grid.
    pub globe: Globe,
    /// The calendar.
    pub calendar: Calendar,
    /// Date of the first day; the others follow without a gap.
    pub first: Date,
    /// Step of the cube root of the amount, (mm/day)^(1/3).
    pub step: f64,
}

/// Days held quantised in memory.
#[derive(Debug, Clone, PartialEq)]
pub struct Clip {
    info: ClipInfo,
    codes: Vec<u16>,
    /// Amount of each code.
    amounts: Vec<f32>,
}

fn damaged(cause: impl std::fmt::Display) -> UserError {
    UserError::new(
        "Cannot read the clip of recorded days",
        cause,
        "Write the clip again: eddyscope data FILES --clip OUT.png",
    )
}

impl Clip {
    /// Decodes a clip.
    ///
    /// # Errors
    /// Bytes that are not a clip, or damaged.
    pub fn read(bytes: &[u8]) -> Result<Self> {
        let limits = png::Limits { bytes: 64 << 20 };
        let decoder = png::Decoder::new_with_limits(Cursor::new(bytes), limits);
        let mut reader = decoder.read_info().map_err(damaged)?;
        let header = reader.info();
        let (width, height) = (header.width as usize, header.height as usize);
        let grey = header.color_type == png::ColorType::Grayscale
            && header.bit_depth == png::BitDepth::Sixteen;
        let text = header
            .utf8_text
            .iter()
            .find(|c| c.keyword == KEYWORD)
            .ok_or_else(|| damaged("the picture carries no description of a clip"))?
            .get_text()
            .map_err(damaged)?;
        let info: ClipInfo = serde_json::from_str(&text).map_err(damaged)?;
        info.globe.validate()?;
        let fits = grey
            && width == info.globe.nx
            && height.is_multiple_of(info.globe.ny())
            && width.checked_mul(height).is_some_and(|n| n <= MOST)
            && info.step.is_finite()
            && info.step > 0.0
            && info.calendar.has(info.first);
        if !fits {
            return Err(damaged("the picture does not fit its description"));
        }
        let mut buffer = vec![0; width * height * 2];
        if reader.output_buffer_size() != Some(buffer.len()) {
            return Err(damaged("the picture does not fit its description"));
        }
        reader.next_frame(&mut buffer).map_err(damaged)?;
        let codes: Vec<u16> = buffer
            .chunks_exact(2)
            .map(|b| u16::from_be_bytes([b[0], b[1]]))
            .collect();
        let top = codes.iter().copied().max().unwrap_or(0);
        let amounts = (0..=top)
            .map(|c| (f64::from(c) * info.step).powi(3) as f32)
            .collect();
        Ok(Self {
            info,
            codes,
            amounts,
        })
    }

    /// Encodes days (mm/day, each of the globe's cells) as a clip; `info.step` is chosen here, so that the largest amount
    /// fits and the step is 0.004 at least.
    ///
    /// # Errors
    /// No day, days of another size, values that are no amounts.
    pub fn write(info: &ClipInfo, days: &[Arc<[f32]>]) -> Result<Vec<u8>> {
        let cells = info.globe.len();
        let bad = |cause: &str| {
            UserError::new("Cannot write a clip", cause, "Choose days that are there")
        };
        if days.is_empty() || days.iter().any(|d| d.len() != cells) {
            return Err(bad("there is no day, or one does not fit the grid"));
        }
        let values = || days.iter().flat_map(|d| d.iter().copied());
        if values().any(|v| !v.is_finite() || v < 0.0) {
            return Err(bad("a value is missing or below zero"));
        }
        let largest = f64::from(values().fold(0.0_f32, f32::max)).cbrt();
        let step = (largest / f64::from(LARGEST)).max(0.004);
        let info = ClipInfo {
            step,
            ..info.clone()
        };
        let bytes: Vec<u8> = values()
            .flat_map(|v| ((f64::from(v).cbrt() / step).round() as u16).to_be_bytes())
            .collect();
        let height = u32::try_from(days.len() * info.globe.ny())
            .map_err(|_| bad("there are too many days"))?;
        let width = u32::try_from(info.globe.nx).map_err(|_| bad("the grid is too large"))?;
        let mut out = Vec::new();
        let failed =
            |e: png::EncodingError| UserError::new("Cannot write a clip", e, "Choose fewer days");
        let mut encoder = png::Encoder::new(&mut out, width, height);
        encoder.set_color(png::ColorType::Grayscale);
        encoder.set_depth(png::BitDepth::Sixteen);
        encoder.set_compression(png::Compression::High);
        let json = serde_json::to_string(&info).map_err(|e| bad(&e.to_string()))?;
        encoder
            .add_itxt_chunk(KEYWORD.into(), json)
            .map_err(failed)?;
        let mut writer = encoder.write_header().map_err(failed)?;
        writer.write_image_data(&bytes).map_err(failed)?;
        writer.finish().map_err(failed)?;
        Ok(out)
    }

    /// What the clip holds.
    pub fn info(&self) -> &ClipInfo {
        &self.info
    }
}

impl Recording for Clip {
    fn globe(&self) -> &Globe {
        &self.info.globe
    }

    fn calendar(&self) -> Calendar {
        self.info.calendar
    }

    fn days(&self) -> usize {
        self.codes.len() / self.info.globe.len().max(1)
    }

    fn date(&self, i: usize) -> Date {
        let first = self.info.calendar.days_from_date(self.info.first);
        self.info.calendar.date_from_days(first + i as i64)
    }

    fn day(&self, i: usize) -> Result<Arc<[f32]>> {
        let cells = self.info.globe.len();
        let codes = i
            .checked_mul(cells)
            .and_then(|at| self.codes.get(at..at + cells));
        let codes = codes.ok_or_else(|| {
            UserError::new(
                format!("The clip has no day {i}"),
                format!("it holds {} days, counted from 0", self.days()),
                "Ask for a day that is there",
            )
        })?;
        let amount = |c: &u16| self.amounts.get(usize::from(*c)).copied().unwrap_or(0.0);
        Ok(codes.iter().map(amount).collect())
    }

    fn index_of(&self, date: Date) -> Option<usize> {
        if !self.info.calendar.has(date) {
            return None;
        }
        let first = self.info.calendar.days_from_date(self.info.first);
        let i = usize::try_from(self.info.calendar.days_from_date(date) - first).ok()?;
        (i < self.days()).then_some(i)
    }

    fn breaks(&self) -> &[usize] {
        &[]
    }

    fn name(&self) -> String {
        self.info.title.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> (ClipInfo, Vec<Arc<[f32]>>) {
        let info = ClipInfo {
            title: "Test".into(),
            source: "Made up".into(),
            terms: "None".into(),
            globe: Globe::cell_centred(4, 8).unwrap(),
            calendar: Calendar::NoLeap,
            first: Date {
                year: 2000,
                month: 2,
                day: 27,
            },
            step: 0.0,
        };
        let day = |d: i32| {
            (0..32)
                .map(|i| {
                    if i % 3 == 0 {
                        0.0
                    } else {
                        ((i + d) as f32 * 0.13).powi(3)
                    }
                })
                .collect()
        };
        (info, (0..5).map(day).collect())
    }

    #[test]
    fn there_and_back() {
        let (info, days) = example();
        let bytes = Clip::write(&info, &days).unwrap();
        let clip = Clip::read(&bytes).unwrap();
        assert_eq!(
            (clip.days(), clip.globe(), clip.calendar()),
            (5, &info.globe, Calendar::NoLeap)
        );
        assert_eq!(clip.date(2).to_string(), "2000-03-01");
        assert_eq!(clip.index_of(clip.date(4)), Some(4));
        let step = clip.info().step as f32;
        for (i, day) in days.iter().enumerate() {
            for (a, b) in day.iter().zip(clip.day(i).unwrap().iter()) {
                assert_eq!(*a == 0.0, *b == 0.0);
                assert!((a.cbrt() - b.cbrt()).abs() <= 0.501 * step, "{a} {b}");
            }
        }
        assert!(clip.day(5).is_err() && clip.day(usize::MAX).is_err());
        // What was read is written to the same values.
        let again: Vec<_> = (0..5).map(|i| clip.day(i).unwrap()).collect();
        assert_eq!(
            Clip::read(&Clip::write(&info, &again).unwrap())
                .unwrap()
                .codes,
            clip.codes
        );
    }

    #[test]
    fn damage_is_an_error() {
        let (info, days) = example();
        let bytes = Clip::write(&info, &days).unwrap();
        for cut in [0, 8, 40, bytes.len() / 2, bytes.len() - 20] {
            assert!(Clip::read(&bytes[..cut]).is_err(), "cut at {cut}");
        }
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 0x55;
            // Either an error or a clip; never a panic.
            let _ = Clip::read(&flipped);
        }
        assert!(Clip::write(&info, &[]).is_err());
        assert!(Clip::write(&info, &[vec![f32::NAN; 32].into()]).is_err());
        assert!(Clip::write(&info, &[vec![1.0; 31].into()]).is_err());
    }
}
