//! Ticks of a colour bar.

use super::Look;

/// Ticks that fit a scale: place in 0..=1 and label.
pub fn of(look: &Look) -> Vec<(f32, String)> {
    match &look.rain {
        None => even(look.range.lo, look.range.hi),
        Some(rain) if !rain.tone.log => {
            let mut ticks = even(0.0, look.range.hi);
            for tick in &mut ticks {
                tick.0 = rain.tone.place(tick.0 * look.range.hi);
            }
            ticks
        }
        Some(rain) => {
            // 1, 2 and 5 times each power of ten, where there is room: decades first.
            let mut ticks: Vec<(f32, String)> = Vec::new();
            for step in [1.0f32, 5.0, 2.0] {
                for decade in -2..=3i32 {
                    let value = step * 10f32.powi(decade);
                    let place = rain.tone.place(value);
                    let within = value >= look.range.lo * 0.999 && value <= look.range.hi * 1.001;
                    // A logarithmic scale keeps to its decades.
                    let wanted = step == 1.0 || rain.tone.knots().len() > 2;
                    if within && wanted && ticks.iter().all(|t| (t.0 - place).abs() > 0.06) {
                        ticks.push((place, plain(value)));
                    }
                }
            }
            ticks.sort_by(|a, b| a.0.total_cmp(&b.0));
            ticks
        }
    }
}

fn plain(value: f32) -> String {
    if value < 0.995 {
        format!("{value:.2}").trim_end_matches('0').to_owned()
    } else {
        format!("{value:.0}")
    }
}

/// Five ticks in equal steps.
pub fn even(lo: f32, hi: f32) -> Vec<(f32, String)> {
    let step = (hi - lo) / 4.0;
    let decimals = if step >= 10.0 || step.fract() == 0.0 {
        0
    } else if (step * 10.0).fract().abs() < 1e-4 {
        1
    } else {
        2
    };
    (0..5)
        .map(|i| {
            let t = i as f32 / 4.0;
            let value = lo + t * (hi - lo);
            let digits = format!("{:.decimals$}", value.abs());
            let sign = if value < 0.0 && digits.bytes().any(|b| (b'1'..=b'9').contains(&b)) {
                "−"
            } else {
                ""
            };
            (t, format!("{sign}{digits}"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::{ColorMap, RainLook, Tone, ValueRange};

    fn labels(ticks: Vec<(f32, String)>) -> Vec<String> {
        ticks.into_iter().map(|t| t.1).collect()
    }

    #[test]
    fn even_steps() {
        let labels = |lo, hi| labels(even(lo, hi));
        assert_eq!(labels(-10.0, 10.0), ["−10", "−5", "0", "5", "10"]);
        assert_eq!(
            labels(-1.5, 1.5),
            ["−1.50", "−0.75", "0.00", "0.75", "1.50"]
        );
        assert_eq!(labels(0.0, 2.0), ["0.0", "0.5", "1.0", "1.5", "2.0"]);
    }

    #[test]
    fn decades_of_rain() {
        let range = ValueRange { lo: 0.1, hi: 100.0 };
        let look = |tone| Look {
            rain: Some(RainLook {
                tone,
                dry_below: 0.1,
                dry: [0; 3],
                flip: false,
            }),
            ..Look::plain(ColorMap::Navia, range, false)
        };
        assert_eq!(
            labels(of(&look(Tone::log(range)))),
            ["0.1", "1", "10", "100"]
        );
        let quantiles = of(&look(Tone::quantiles(
            range,
            0.475,
            &[(0.75, 1.27), (0.9, 6.3), (0.95, 12.5), (0.99, 25.4)],
        )));
        assert!(quantiles.windows(2).all(|w| w[1].0 - w[0].0 > 0.06));
        assert_eq!(labels(quantiles).first().map(String::as_str), Some("0.1"));
        let linear = of(&look(Tone::linear(ValueRange { lo: 0.0, hi: 40.0 })));
        assert_eq!(linear.len(), 5);
    }
}
