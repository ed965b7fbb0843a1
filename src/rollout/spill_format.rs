//! A frame set as bytes (little-endian), for the file of older frames. Every value keeps its bits.

use std::sync::Arc;

use super::frame::{DenoisingTrace, FrameSet, LaneFrame, LaneStats, RainStats};
use super::settings::Settings;
use crate::data::Date;

/// Appends a frame set; its settings are put into the caller's list, and named by their place in it.
pub(crate) fn encode(frame: &FrameSet, settings: &mut Vec<Arc<Settings>>, out: &mut Vec<u8>) {
    let mut number = |wanted: &Arc<Settings>| {
        let known = settings.iter().rposition(|s| s == wanted);
        known.unwrap_or_else(|| {
            settings.push(Arc::clone(wanted));
            settings.len() - 1
        }) as u64
    };
    let mut w = Writer(out);
    w.u64(frame.index as u64);
    w.f64(frame.time);
    w.date(frame.date);
    w.u64(number(&frame.settings));
    w.u64(frame.steps.len() as u64);
    for (step, settings) in &frame.steps {
        w.u64(*step as u64);
        w.u64(number(settings));
    }
    frame.edited.iter().for_each(|e| w.flag(*e));
    w.u64(frame.generation);
    w.f64(frame.seconds);
    for lane in &frame.lanes {
        w.flag(lane.is_some());
        if let Some(lane) = lane {
            w.lane(lane);
        }
    }
}

/// Reads a frame set; `None` where the bytes are none.
pub(crate) fn decode(bytes: &[u8], settings: &[Arc<Settings>]) -> Option<FrameSet> {
    let mut r = Reader(bytes);
    let mut frame = r.head(settings)?;
    for lane in &mut frame.lanes {
        if r.flag()? {
            *lane = Some(r.lane()?);
        }
    }
    r.0.is_empty().then_some(frame)
}

/// Reads what stands before the lanes, out of the first bytes of a frame set; `None` where they are too few.
pub(crate) fn decode_head(bytes: &[u8], settings: &[Arc<Settings>]) -> Option<FrameSet> {
    Reader(bytes).head(settings)
}

struct Writer<'a>(&'a mut Vec<u8>);

impl Writer<'_> {
    fn flag(&mut self, value: bool) {
        self.0.push(u8::from(value));
    }

    fn u64(&mut self, value: u64) {
        self.0.extend(value.to_le_bytes());
    }

    fn f64(&mut self, value: f64) {
        self.u64(value.to_bits());
    }

    fn f32s(&mut self, values: &[f32]) {
        self.u64(values.len() as u64);
        // In one go: a frame has some thousand of them.
        let begin = self.0.len();
        self.0.resize(begin + size_of_val(values), 0);
        let (places, _) = self.0[begin..].as_chunks_mut();
        for (place, value) in places.iter_mut().zip(values) {
            *place = value.to_le_bytes();
        }
    }

    fn date(&mut self, date: Option<Date>) {
        self.flag(date.is_some());
        if let Some(d) = date {
            self.0.extend(d.year.to_le_bytes());
            self.0.extend([d.month, d.day]);
        }
    }

    fn lane(&mut self, lane: &LaneFrame) {
        self.u64(lane.members.len() as u64);
        for member in &lane.members {
            self.f32s(member);
        }
        self.f32s(&lane.hovmoeller);
        let s = lane.stats;
        for v in [
            s.mean,
            s.std,
            s.rmse_to_previous,
            s.dynamics_skill,
            s.energy,
            s.enstrophy,
            s.fine,
            s.crps,
            s.spread,
            s.skill,
        ] {
            self.f64(v);
        }
        self.flag(lane.rain.is_some());
        if let Some(rain) = &lane.rain {
            self.f64(rain.global_mean);
            self.f64(rain.wet_fraction);
            rain.percentiles.iter().for_each(|p| self.f64(*p));
            self.f32s(&rain.zonal_mean);
            self.u64(rain.capped as u64);
        }
        self.date(lane.recorded);
        for values in [
            &lane.trace.sigma,
            &lane.trace.logit,
            &lane.trace.guidance_ratio,
        ] {
            self.f32s(values);
        }
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(head)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn flag(&mut self) -> Option<bool> {
        Some(self.array::<1>()? != [0])
    }

    fn u64(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.array()?))
    }

    fn f64(&mut self) -> Option<f64> {
        Some(f64::from_bits(self.u64()?))
    }

    fn f32s(&mut self) -> Option<Vec<f32>> {
        let n = usize::try_from(self.u64()?).ok()?;
        let bytes = self.take(n.checked_mul(4)?)?;
        Some(
            bytes
                .chunks_exact(4)
                .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
                .collect(),
        )
    }

    fn date(&mut self) -> Option<Option<Date>> {
        if !self.flag()? {
            return Some(None);
        }
        let year = i32::from_le_bytes(self.array()?);
        let [month, day] = self.array()?;
        Some(Some(Date { year, month, day }))
    }

    /// A frame set without its lanes.
    fn head(&mut self, settings: &[Arc<Settings>]) -> Option<FrameSet> {
        let named = |number: u64| settings.get(usize::try_from(number).ok()?).cloned();
        let mut frame = FrameSet {
            index: usize::try_from(self.u64()?).ok()?,
            time: self.f64()?,
            date: self.date()?,
            settings: named(self.u64()?)?,
            ..FrameSet::default()
        };
        frame.steps = (0..self.u64()?)
            .map(|_| Some((usize::try_from(self.u64()?).ok()?, named(self.u64()?)?)))
            .collect::<Option<_>>()?;
        for edited in &mut frame.edited {
            *edited = self.flag()?;
        }
        frame.generation = self.u64()?;
        frame.seconds = self.f64()?;
        Some(frame)
    }

    fn lane(&mut self) -> Option<LaneFrame> {
        let count = self.u64()?;
        let members = (0..count)
            .map(|_| Some(self.f32s()?.into()))
            .collect::<Option<Vec<_>>>()?;
        let hovmoeller = self.f32s()?.into();
        let stats = LaneStats {
            mean: self.f64()?,
            std: self.f64()?,
            rmse_to_previous: self.f64()?,
            dynamics_skill: self.f64()?,
            energy: self.f64()?,
            enstrophy: self.f64()?,
            fine: self.f64()?,
            crps: self.f64()?,
            spread: self.f64()?,
            skill: self.f64()?,
        };
        let rain = if self.flag()? {
            let (global_mean, wet_fraction) = (self.f64()?, self.f64()?);
            let mut percentiles = [0.0; 5];
            for p in &mut percentiles {
                *p = self.f64()?;
            }
            Some(Arc::new(RainStats {
                global_mean,
                wet_fraction,
                percentiles,
                zonal_mean: self.f32s()?,
                capped: self.u64()? as usize,
            }))
        } else {
            None
        };
        let recorded = self.date()?;
        let trace = DenoisingTrace {
            sigma: self.f32s()?,
            logit: self.f32s()?,
            guidance_ratio: self.f32s()?,
        };
        Some(LaneFrame {
            members,
            hovmoeller,
            stats,
            rain,
            recorded,
            trace: Arc::new(trace),
        })
    }
}
