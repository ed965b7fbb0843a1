//! Units of precipitation: what a unit text means, in mm/day.

/// What a unit measures.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Unit {
    /// An amount per time; the factor makes it mm/day.
    Rate(f64),
    /// An amount (a depth or a mass per area) that fell in some time; the factor makes it mm.
    Amount(f64),
}

/// Seconds in a day.
pub(super) const DAY: f64 = 86_400.0;

/// Kilograms per square metre and metres to millimetres of water.
const MM_PER_M: f64 = 1000.0;

impl Unit {
    /// Reads a unit text as CF and GRIB write it: `kg m-2 s-1`, `kg m**-2 s**-1`, `mm/day`, `mm d-1`, `m s-1`, `m`,
    /// `m of water equivalent`, … `None` for what is not a precipitation unit.
    pub fn parse(text: &str) -> Option<Self> {
        let (factor, [kg, m, s]) = si(text)?;
        match (kg, m, s) {
            (1, -2, -1) => Some(Self::Rate(factor * DAY)),
            (0, 1, -1) => Some(Self::Rate(factor * DAY * MM_PER_M)),
            (1, -2, 0) => Some(Self::Amount(factor)),
            (0, 1, 0) => Some(Self::Amount(factor * MM_PER_M)),
            _ => None,
        }
        .filter(|unit| match unit {
            Self::Rate(f) | Self::Amount(f) => f.is_finite() && *f > 0.0,
        })
    }
}

/// Words that describe the substance, not the unit.
const WORDS: [&str; 8] = [
    "of",
    "water",
    "equivalent",
    "w.e.",
    "we",
    "lwe",
    "h2o",
    "rain",
];

/// Factor to SI base units and the exponents of kilogram, metre and second.
fn si(text: &str) -> Option<(f64, [i32; 3])> {
    // Exponents as Fortran, as mathematics and in brackets become "m-2"; slashes and stars stand alone.
    let plain = text
        .trim()
        .replace("**", "")
        .replace('^', "")
        .replace(['(', ')', '[', ']'], " ")
        .replace("⁻¹", "-1")
        .replace("⁻²", "-2")
        .replace('²', "2")
        .replace('/', " / ")
        .replace(['*', '·'], " ");
    let mut factor = 1.0;
    let mut exponents = [0; 3];
    let mut below = false;
    let mut seen = false;
    for token in plain.split_whitespace() {
        if token == "/" || token.eq_ignore_ascii_case("per") {
            below = true;
            continue;
        }
        if WORDS.contains(&token.to_ascii_lowercase().as_str()) {
            continue;
        }
        let digits = token
            .find(|c: char| !(c.is_ascii_digit() || c == '.'))
            .unwrap_or(token.len());
        let (number, rest) = token.split_at(digits);
        let letters = rest
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(rest.len());
        let (symbol, power) = rest.split_at(letters);
        let sign = if below { -1 } else { 1 };
        if !number.is_empty() {
            factor *= number.parse::<f64>().ok()?.powi(sign);
        }
        // A slash holds for one unit: "kg/m2/s", "mm/day".
        if symbol.is_empty() {
            if number.is_empty() || !power.is_empty() {
                return None;
            }
            continue;
        }
        below = false;
        let power = match power {
            "" => 1,
            p => p.parse::<i32>().ok().filter(|p| (-9..=9).contains(p))?,
        } * sign;
        let (scale, base) = symbol_in_si(symbol)?;
        factor *= f64::powi(scale, power);
        exponents[base] += power;
        seen = true;
    }
    seen.then_some((factor, exponents))
}

/// Factor and base (0 kilogram, 1 metre, 2 second) of a symbol.
fn symbol_in_si(symbol: &str) -> Option<(f64, usize)> {
    Some(match symbol {
        "kg" => (1.0, 0),
        "g" => (1e-3, 0),
        "mm" | "millimeter" | "millimeters" | "millimetre" | "millimetres" => (1e-3, 1),
        "cm" => (1e-2, 1),
        "m" | "meter" | "meters" | "metre" | "metres" => (1.0, 1),
        "in" | "inch" | "inches" => (0.0254, 1),
        "s" | "sec" | "secs" | "second" | "seconds" => (1.0, 2),
        "min" | "mins" | "minute" | "minutes" => (60.0, 2),
        "h" | "hr" | "hrs" | "hour" | "hours" => (3600.0, 2),
        "d" | "day" | "days" | "Day" | "D" => (DAY, 2),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_as_they_are_written() {
        let rate = |text: &str, expected: f64| match Unit::parse(text) {
            Some(Unit::Rate(f)) => assert!((f / expected - 1.0).abs() < 1e-12, "{text} {f}"),
            other => panic!("{text}: {other:?}"),
        };
        let amount = |text: &str, expected: f64| match Unit::parse(text) {
            Some(Unit::Amount(f)) => assert!((f / expected - 1.0).abs() < 1e-12, "{text} {f}"),
            other => panic!("{text}: {other:?}"),
        };
        for text in [
            "kg m-2 s-1",
            "kg m**-2 s**-1",
            "kg/m^2/s",
            "kg/m2/s",
            "mm s-1",
            "mm/s",
            "kg m^-2 s^-1",
            "kg m⁻² s⁻¹",
        ] {
            rate(text, 86_400.0);
        }
        for text in [
            "mm/day",
            "mm day-1",
            "mm d-1",
            "mm/d",
            "mm/24h",
            "kg m-2 day-1",
            "mm per day",
            "mm day^-1",
            "kg m-2 d-1",
        ] {
            rate(text, 1.0);
        }
        rate("mm/hr", 24.0);
        rate("mm h-1", 24.0);
        rate("m s-1", 86.4e6);
        rate("m s**-1", 86.4e6);
        rate("0.1 mm/day", 0.1);
        rate("cm/day", 10.0);
        for text in ["m", "m of water equivalent", "metres"] {
            amount(text, 1000.0);
        }
        for text in ["mm", "kg m-2", "kg m**-2", "kg/m2"] {
            amount(text, 1.0);
        }
        for text in [
            "K", "", "1", "%", "m2", "furlong", "kg", "m s-2", "3", "/", "m--2", "mm/0day",
        ] {
            assert_eq!(Unit::parse(text), None, "{text}");
        }
    }
}
