//! What a sweep varies, and the points that follow from it.

use std::fmt;
use std::str::FromStr;

use clap::ValueEnum;

use crate::error::{Result, UserError};
use crate::rollout::settings::{DiscriminatorKind, Settings, Solver};

/// A setting that can be varied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Knob {
    /// Guidance strength.
    Lambda,
    /// History length.
    History,
    /// Noise levels of the sampler.
    Steps,
    /// Integrator.
    Solver,
    /// Interval of noise levels in which guidance acts.
    Interval,
    /// S_churn of the Heun solvers.
    Churn,
    /// Largest noise level.
    SigmaMax,
    /// Smallest noise level.
    SigmaMin,
    /// Noise level of the first evaluation of the solver that follows a law.
    SigmaFirst,
    /// Which discriminator guides.
    Discriminator,
}

impl Knob {
    const ALL: [(Self, &'static str); 10] = [
        (Self::Lambda, "lambda"),
        (Self::History, "m"),
        (Self::Steps, "steps"),
        (Self::Solver, "solver"),
        (Self::Interval, "interval"),
        (Self::Churn, "churn"),
        (Self::SigmaMax, "sigma-max"),
        (Self::SigmaMin, "sigma-min"),
        (Self::SigmaFirst, "sigma-first"),
        (Self::Discriminator, "discriminator"),
    ];

    /// Name on the command line and in files.
    pub fn name(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(knob, _)| *knob == self)
            .map_or("", |(_, name)| name)
    }

    /// Puts a value, as written, into settings.
    ///
    /// # Errors
    /// A text that is no value of this setting.
    pub fn set(self, value: &str, settings: &mut Settings) -> std::result::Result<(), String> {
        fn number<T: FromStr>(text: &str) -> std::result::Result<T, String> {
            text.parse()
                .map_err(|_| format!("{text} is no number that fits"))
        }
        let (g, s) = (&mut settings.guidance, &mut settings.sampler);
        match self {
            Self::Lambda => g.strength = number(value)?,
            Self::History => g.history = number(value)?,
            Self::Steps => s.steps = number(value)?,
            Self::Solver => s.solver = Solver::from_str(value, true)?,
            Self::Churn => s.churn = number(value)?,
            Self::SigmaMax => s.sigma_max = number(value)?,
            Self::SigmaFirst => s.sigma_first = number(value)?,
            Self::SigmaMin => s.sigma_min = number(value)?,
            Self::Discriminator => g.discriminator = DiscriminatorKind::from_str(value, true)?,
            Self::Interval => {
                let (low, high) = value
                    .split_once(':')
                    .ok_or_else(|| format!("{value} is no interval; write it as 0.1:10"))?;
                (g.sigma_lo, g.sigma_hi) = (number(low)?, number(high)?);
                if g.sigma_lo > g.sigma_hi {
                    return Err(format!("{value} runs downwards"));
                }
            }
        }
        Ok(())
    }
}

/// A setting and the values that it takes, as written.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    /// Which setting.
    pub knob: Knob,
    /// Its values, in the order given.
    pub values: Vec<String>,
}

impl FromStr for Axis {
    type Err = String;

    /// `lambda=0,0.5,1`, or `lambda=0..2/0.25` for equal steps, both ends included.
    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let names = || Knob::ALL.map(|(_, name)| name).join(", ");
        let (name, values) = text
            .split_once('=')
            .ok_or("write it as NAME=VALUE,VALUE,... or NAME=FIRST..LAST/STEP")?;
        let knob = Knob::ALL
            .iter()
            .find(|(_, n)| *n == name.trim())
            .map(|(knob, _)| *knob)
            .ok_or_else(|| format!("{name} cannot be varied; use one of: {}", names()))?;
        let values = match values.split_once("..") {
            Some((first, rest)) => equal_steps(first, rest)?,
            None => values.split(',').map(|v| v.trim().to_owned()).collect(),
        };
        let mut settings = Settings::default();
        for (i, value) in values.iter().enumerate() {
            knob.set(value, &mut settings)?;
            if values[..i].contains(value) {
                return Err(format!("{value} is there twice"));
            }
        }
        settings
            .validate()
            .map_err(|e| format!("{}: {}", e.headline, e.cause))?;
        Ok(Self { knob, values })
    }
}

fn equal_steps(first: &str, rest: &str) -> std::result::Result<Vec<String>, String> {
    let (last, step) = rest
        .split_once('/')
        .ok_or("a range needs its step: NAME=FIRST..LAST/STEP")?;
    let number = |text: &str| -> std::result::Result<f64, String> {
        let value: f64 = text
            .trim()
            .parse()
            .map_err(|_| format!("{text} is no number"))?;
        value
            .is_finite()
            .then_some(value)
            .ok_or_else(|| format!("{text} is not finite"))
    };
    let (first, last, step) = (number(first)?, number(last)?, number(step)?);
    let count = ((last - first) / step + 1e-9).floor();
    if !(step > 0.0 && (0.0..1000.0).contains(&count)) {
        return Err("a range ascends, with at most 1000 steps above 0".into());
    }
    // A value has the digits of its parts, not of their sum in binary.
    let digits = |v: f64| format!("{v}").split_once('.').map_or(0, |(_, d)| d.len());
    let places = digits(first).max(digits(step));
    Ok((0..=count as usize)
        .map(|i| {
            let text = format!("{:.places$}", first + i as f64 * step);
            match text.contains('.') {
                true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
                false => text,
            }
        })
        .collect())
}

/// One combination of values.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// A value, as written, for each axis.
    pub values: Vec<(Knob, String)>,
    /// The settings that follow.
    pub settings: Settings,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (knob, value)) in self.values.iter().enumerate() {
            let comma = if i == 0 { "" } else { ", " };
            write!(f, "{comma}{} {value}", knob.name())?;
        }
        Ok(())
    }
}

impl Point {
    /// Name of its file.
    pub fn file_name(&self) -> String {
        let parts: Vec<String> = self
            .values
            .iter()
            .map(|(knob, value)| format!("{}={}", knob.name(), value.replace(':', "-")))
            .collect();
        format!("{}.json", parts.join(","))
    }
}

/// All combinations, the last axis fastest.
///
/// # Errors
/// No axis, the same setting twice, more than 10,000 points, or values that do not go together.
pub fn points(axes: &[Axis], base: &Settings) -> Result<Vec<Point>> {
    let refuse = |cause: String| {
        UserError::new(
            "The sweep cannot be made",
            cause,
            "give each setting once, as in --over lambda=0..2/0.25 --over m=0,3",
        )
    };
    for (i, axis) in axes.iter().enumerate() {
        if axes[..i].iter().any(|a| a.knob == axis.knob) {
            return Err(refuse(format!("{} is varied twice", axis.knob.name())));
        }
    }
    let count = axes
        .iter()
        .fold(1usize, |n, a| n.saturating_mul(a.values.len()));
    if axes.is_empty() || count > 10_000 {
        return Err(refuse(match axes.is_empty() {
            true => "nothing is varied".to_owned(),
            false => format!("it has {count} points, and 10000 are the most"),
        }));
    }
    let mut out = vec![Point {
        values: Vec::new(),
        settings: base.clone(),
    }];
    for axis in axes {
        let mut next = Vec::with_capacity(out.len() * axis.values.len());
        for point in &out {
            for value in &axis.values {
                let mut point = point.clone();
                axis.knob.set(value, &mut point.settings).map_err(refuse)?;
                point.values.push((axis.knob, value.clone()));
                next.push(point);
            }
        }
        out = next;
    }
    for point in &out {
        point.settings.validate()?;
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(text: &str) -> Axis {
        text.parse().unwrap()
    }

    #[test]
    fn values_and_ranges() {
        assert_eq!(axis("lambda=0,0.5,1").values, ["0", "0.5", "1"]);
        let range = axis("lambda=0..1/0.1");
        assert_eq!(range.values.len(), 11);
        assert_eq!(range.values[3], "0.3");
        assert_eq!(range.values[10], "1");
        assert_eq!(axis("m=0..3/1").values, ["0", "1", "2", "3"]);
        assert_eq!(axis("steps=10..30/10").values, ["10", "20", "30"]);
        assert_eq!(axis("interval=0.1:10,0:1000").values.len(), 2);
        for bad in [
            "lambda",
            "speed=1",
            "m=4",
            "lambda=0..2",
            "lambda=2..0/0.5",
            "lambda=0..1/0",
            "lambda=nan",
            "steps=1.5",
            "solver=euler",
            "interval=3",
            "interval=3:1",
            "m=1,1",
        ] {
            assert!(bad.parse::<Axis>().is_err(), "{bad}");
        }
    }

    #[test]
    fn all_combinations_once() {
        let base = Settings::default();
        let axes = [axis("lambda=0,1"), axis("m=0,3"), axis("solver=dpm,heun")];
        let all = points(&axes, &base).unwrap();
        assert_eq!(all.len(), 8);
        assert_eq!(all[1].to_string(), "lambda 0, m 0, solver heun");
        assert_eq!(all[5].settings.guidance.strength, 1.0);
        assert_eq!(all[5].settings.sampler.solver, Solver::Heun);
        let names: std::collections::BTreeSet<_> = all.iter().map(Point::file_name).collect();
        assert_eq!(names.len(), 8);
        assert!(points(&[], &base).is_err());
        assert!(points(&[axis("m=0"), axis("m=1")], &base).is_err());
    }
}
