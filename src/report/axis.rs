//! Axes: where a value stands, and which values are named.

/// How values lie along an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// Equal steps of the value.
    Linear,
    /// Equal ratios of the value.
    Log,
}

/// An axis.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    /// What stands along it, with its unit.
    pub label: String,
    /// Value at its begin.
    pub lo: f64,
    /// Value at its end.
    pub hi: f64,
    /// How values lie along it.
    pub scale: Scale,
    /// Values that are named.
    pub ticks: Vec<(f64, String)>,
    /// Whether ticks and hairlines are left out.
    pub bare: bool,
}

impl Axis {
    /// Equal steps from `lo` to `hi`.
    pub fn linear(label: impl Into<String>, lo: f64, hi: f64) -> Self {
        let (lo, hi) = sane(lo, hi);
        Self {
            label: label.into(),
            lo,
            hi,
            scale: Scale::Linear,
            ticks: linear_ticks(lo, hi, 5),
            bare: false,
        }
    }

    /// Equal ratios from `lo` to `hi`, both above 0; from right to left where `lo` is the larger.
    pub fn log(label: impl Into<String>, lo: f64, hi: f64) -> Self {
        let fits = lo.is_finite() && hi.is_finite() && lo > 0.0 && hi > 0.0 && lo != hi;
        let (lo, hi) = if fits { (lo, hi) } else { (0.1, 10.0) };
        Self {
            label: label.into(),
            lo,
            hi,
            scale: Scale::Log,
            ticks: log_ticks(lo.min(hi), lo.max(hi)),
            bare: false,
        }
    }

    /// Equal steps over values, with a margin of 6 % on both sides. Values that are not finite do not count.
    pub fn around(label: impl Into<String>, values: impl IntoIterator<Item = f64>) -> Self {
        let (mut lo, mut hi) = (f64::INFINITY, f64::NEG_INFINITY);
        for v in values.into_iter().filter(|v| v.is_finite()) {
            lo = lo.min(v);
            hi = hi.max(v);
        }
        let margin = 0.06 * (hi - lo);
        Self::linear(label, lo - margin, hi + margin)
    }

    /// Equal ratios over the values above 0.
    pub fn log_around(label: impl Into<String>, values: impl IntoIterator<Item = f64>) -> Self {
        let (mut lo, mut hi) = (f64::INFINITY, 0.0f64);
        for v in values.into_iter().filter(|v| v.is_finite() && *v > 0.0) {
            lo = lo.min(v);
            hi = hi.max(v);
        }
        Self::log(label, lo / 1.3, hi * 1.3)
    }

    /// An axis without ticks, from 0 to 1.
    pub fn bare(label: impl Into<String>) -> Self {
        Self {
            label: label.into(),
            lo: 0.0,
            hi: 1.0,
            scale: Scale::Linear,
            ticks: Vec::new(),
            bare: true,
        }
    }

    /// Names these values in place of round ones.
    #[must_use]
    pub fn with_ticks(mut self, ticks: Vec<(f64, String)>) -> Self {
        self.ticks = ticks;
        self
    }

    /// Where a value stands, 0 at the begin and 1 at the end; NaN for one that the scale does not have.
    pub fn place(&self, value: f64) -> f64 {
        match self.scale {
            Scale::Linear => (value - self.lo) / (self.hi - self.lo),
            Scale::Log if value > 0.0 => (value / self.lo).ln() / (self.hi / self.lo).ln(),
            Scale::Log => f64::NAN,
        }
    }
}

fn sane(lo: f64, hi: f64) -> (f64, f64) {
    if !(lo.is_finite() && hi.is_finite()) {
        (0.0, 1.0)
    } else if lo == hi {
        let margin = (0.05 * lo.abs()).max(1e-3);
        (lo - margin, hi + margin)
    } else {
        (lo, hi)
    }
}

/// A number with a true minus sign.
pub fn plain(value: f64, decimals: usize) -> String {
    let digits = format!("{:.decimals$}", value.abs());
    let zero = digits.bytes().all(|b| matches!(b, b'0' | b'.'));
    if value < 0.0 && !zero {
        format!("−{digits}")
    } else {
        digits
    }
}

/// A number with about three significant digits.
pub fn significant(value: f64) -> String {
    if !value.is_finite() {
        return "-".into();
    }
    let size = if value == 0.0 {
        0.0
    } else {
        value.abs().log10().floor()
    };
    plain(value, (2.0 - size).clamp(0.0, 6.0) as usize)
}

/// Round values within a range, about `count` of them.
pub fn linear_ticks(lo: f64, hi: f64, count: usize) -> Vec<(f64, String)> {
    let (low, high) = (lo.min(hi), lo.max(hi));
    let rough = (high - low) / count.max(1) as f64;
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 2.5, 5.0, 10.0]
        .iter()
        .map(|m| m * power)
        .find(|s| *s >= rough * 0.8)
        .unwrap_or(power * 10.0);
    let decimals = (0..9usize)
        .find(|d| {
            let scaled = step * 10f64.powi(*d as i32);
            (scaled - scaled.round()).abs() < 1e-6 * scaled
        })
        .unwrap_or(9);
    let first = (low / step - 1e-9).ceil() as i64;
    let last = (high / step + 1e-9).floor() as i64;
    (first..=last.min(first + 40))
        .map(|i| i as f64 * step)
        .map(|v| (v, plain(v, decimals)))
        .collect()
}

/// Powers of ten within a range, with 2 and 5 times where there are few.
fn log_ticks(lo: f64, hi: f64) -> Vec<(f64, String)> {
    let decades = (hi / lo).log10();
    let steps: &[f64] = match decades {
        d if d < 1.2 => &[1.0, 2.0, 3.0, 5.0, 7.0],
        d if d < 2.5 => &[1.0, 2.0, 5.0],
        _ => &[1.0],
    };
    let every = ((decades / 6.0).ceil() as i32).max(1);
    let (first, last) = (lo.log10().floor() as i32, hi.log10().ceil() as i32);
    let mut ticks = Vec::new();
    for decade in (first..=last).filter(|d| d.rem_euclid(every) == 0) {
        for step in steps {
            let value = step * 10f64.powi(decade);
            if value >= lo * 0.999 && value <= hi * 1.001 {
                ticks.push((value, power_label(*step, decade)));
            }
        }
    }
    ticks
}

fn power_label(step: f64, decade: i32) -> String {
    if (-3..=4).contains(&decade) {
        return plain(step * 10f64.powi(decade), (-decade).max(0) as usize);
    }
    let exponent: String = decade
        .to_string()
        .chars()
        .map(|c| match c {
            '-' => '⁻',
            '1' => '¹',
            '2' => '²',
            '3' => '³',
            '0' => '⁰',
            d => char::from_u32(0x2070 + d.to_digit(10).unwrap_or(0)).unwrap_or(d),
        })
        .collect();
    if step == 1.0 {
        format!("10{exponent}")
    } else {
        format!("{step}·10{exponent}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::text::Typeface;

    fn labels(ticks: &[(f64, String)]) -> Vec<&str> {
        ticks.iter().map(|t| t.1.as_str()).collect()
    }

    #[test]
    fn round_values() {
        assert_eq!(
            labels(&Axis::linear("", 0.0, 10.0).ticks),
            ["0", "2", "4", "6", "8", "10"]
        );
        assert_eq!(
            labels(&Axis::linear("", -0.13, 0.11).ticks),
            ["−0.10", "−0.05", "0.00", "0.05", "0.10"]
        );
        assert_eq!(
            labels(&Axis::log("", 0.05, 200.0).ticks),
            ["0.1", "1", "10", "100"]
        );
        assert_eq!(labels(&Axis::log("", 1e-9, 1e-5).ticks)[0], "10⁻⁹");
        assert!(Typeface::default().covers("10⁻⁹ 10⁴⁵⁶⁷⁸²³¹⁰ −"));
    }

    #[test]
    fn places() {
        let axis = Axis::log("", 400.0, 0.004);
        assert!((axis.place(0.004) - 1.0).abs() < 1e-12 && axis.place(400.0).abs() < 1e-12);
        assert!((axis.place(4.0) - 0.4).abs() < 1e-12);
        assert!(axis.place(-1.0).is_nan());
        let empty = Axis::around("", [f64::NAN]);
        assert!(empty.place(0.5).is_finite());
        let constant = Axis::around("", [3.0, 3.0]);
        assert!((constant.place(3.0) - 0.5).abs() < 1e-9);
    }

    #[test]
    fn significant_digits() {
        assert_eq!(significant(0.012345), "0.0123");
        assert_eq!(significant(-123.4), "−123");
        assert_eq!(significant(1.0), "1.00");
        assert_eq!(significant(f64::NAN), "-");
    }
}
