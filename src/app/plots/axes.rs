//! Axes of a chart: steps, marks, numbers, places of names.

use egui::Color32;
use egui_plot::GridMark;

use super::super::widgets::number;
use super::chart::Curve;

/// A step of 1, 2 or 5 times a power of ten that gives about `count` intervals.
pub(super) fn nice_step((lo, hi): (f64, f64), count: f32) -> f64 {
    let raw = (hi - lo).max(1e-9) / f64::from(count.max(1.0));
    let decade = 10f64.powf(raw.log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|m| m * decade)
        .find(|s| *s >= raw * 0.999)
        .unwrap_or(10.0 * decade)
}

/// Multiples of `step` within the bounds.
pub(super) fn marks((lo, hi): (f64, f64), step: f64) -> Vec<GridMark> {
    let first = (lo / step - 1e-6).ceil() as i64;
    let last = (hi / step + 1e-6).floor() as i64;
    (first..=last.min(first.saturating_add(100)))
        .map(|i| GridMark {
            value: i as f64 * step,
            step_size: step,
        })
        .collect()
}

/// Places of the names at the ends of the lines, moved apart until none covers another.
pub(super) fn end_names(
    curves: &[Curve],
    (lo, hi): (f64, f64),
    apart: f64,
) -> Vec<(String, Color32, f64)> {
    let mut ends: Vec<_> = curves
        .iter()
        .filter(|c| !c.name.is_empty())
        .filter_map(|c| {
            let [_, y] = c.points.iter().rev().find(|p| p[1].is_finite())?;
            Some((c.name.clone(), c.color, y.max(lo).min(hi)))
        })
        .collect();
    ends.sort_by(|a, b| a.2.total_cmp(&b.2));
    let mut floor = lo + apart / 2.0;
    for end in &mut ends {
        end.2 = end.2.max(floor);
        floor = end.2 + apart;
    }
    let mut ceiling = hi - apart / 2.0;
    for end in ends.iter_mut().rev() {
        end.2 = end.2.min(ceiling);
        ceiling = end.2 - apart;
    }
    ends
}

/// A number of an axis, without needless zeros.
pub(super) fn plain(value: f64) -> String {
    plain_with(value, 3)
}

/// A decade of a logarithmic axis; nothing between decades.
pub(super) fn power_of_ten(exponent: f64) -> String {
    if (exponent - exponent.round()).abs() > 1e-6 {
        return String::new();
    }
    match exponent.round() as i32 {
        e @ -3..=0 => format!("{:.*}", (-e) as usize, 10f64.powi(e)),
        e @ 1..=4 => format!("{}", 10f64.powi(e)),
        e if e < 0 => format!("1e−{}", -e),
        e => format!("1e{e}"),
    }
}

/// The number whose logarithm is given, with two digits.
pub(super) fn any_power_of_ten(exponent: f64) -> String {
    let value = 10f64.powf(exponent);
    let decimals = (1.0 - exponent.floor()).max(0.0) as usize;
    plain_with(value, decimals)
}

fn plain_with(value: f64, decimals: usize) -> String {
    let text = number(value, decimals);
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(name: &str, y: f64) -> Curve {
        Curve {
            name: name.into(),
            color: Color32::WHITE,
            dashed: false,
            dots: false,
            points: vec![[0.0, 0.0], [1.0, y]],
        }
    }

    #[test]
    fn names_do_not_cover_each_other() {
        let ends = end_names(
            &[
                curve("a", 0.5),
                curve("b", 0.5),
                curve("c", 0.51),
                curve("d", 0.99),
            ],
            (0.0, 1.0),
            0.1,
        );
        let y: Vec<f64> = ends.iter().map(|e| e.2).collect();
        assert!(y.windows(2).all(|w| w[1] - w[0] > 0.0999), "{y:?}");
        assert!(y.iter().all(|v| (0.0..=1.0).contains(v)));
    }

    #[test]
    fn axis_numbers() {
        assert_eq!(plain(0.5), "0.5");
        assert_eq!(plain(-10.0), "−10");
        assert_eq!(power_of_ten(-2.0), "0.01");
        assert_eq!(power_of_ten(1.0), "10");
        assert_eq!(power_of_ten(0.5), "");
        assert_eq!(power_of_ten(-5.0), "1e−5");
    }
}
