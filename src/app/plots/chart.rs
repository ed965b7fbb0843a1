//! One quiet chart: fixed bounds, lines named at their end, a band, marks, values under the pointer.

use std::sync::Arc;

use egui::{Align2, Color32, RichText, Ui};
use egui_plot::{
    AxisHints, FilledArea, GridMark, HPlacement, HoverPosition, Line, LineStyle, Plot, PlotPoints,
    Points, VLine,
};

use super::super::series::{decimate, pieces};
use super::super::theme::{self, palette};
use super::super::widgets::number;

/// Width kept free for the names at the ends of lines, points.
const NAMES: f32 = 58.0;

/// A line of the chart.
pub struct Curve {
    /// Name at its end.
    pub name: String,
    /// Colour of the method.
    pub color: Color32,
    /// Dashed, to be told apart without colour.
    pub dashed: bool,
    /// A dot at every point.
    pub dots: bool,
    /// Points, x ascending.
    pub points: Vec<[f64; 2]>,
}

/// What stands at an x of the axis.
pub type XText = Arc<dyn Fn(f64) -> String + Send + Sync>;

/// A chart to be drawn.
#[derive(Default)]
pub struct Chart<'a> {
    /// Unique name.
    pub id: &'a str,
    /// What is shown, above it.
    pub title: &'a str,
    /// What it says, on hover.
    pub about: &'a str,
    /// Unit of x for the values under the pointer ("lag", "t").
    pub x_name: &'a str,
    /// Height, points.
    pub height: f32,
    /// Range of x of the data.
    pub x: (f64, f64),
    /// Range of y.
    pub y: (f64, f64),
    /// Decimals of y values.
    pub decimals: usize,
    /// x is -log10 of what its axis shows.
    pub log_x: bool,
    /// Lines.
    pub curves: Vec<Curve>,
    /// x, lower and upper edge of a band.
    pub band: Option<(Vec<f64>, Vec<f64>, Vec<f64>)>,
    /// A line that marks an x.
    pub mark: Option<f64>,
    /// Text of the axis and of the values under the pointer, instead of numbers.
    pub x_text: Option<XText>,
    /// Step of the marks of x; 0 = one that fits.
    pub x_step: f64,
}

impl Chart<'_> {
    /// Draws it over the available width.
    pub fn show(self, ui: &mut Ui) {
        let p = palette(ui);
        let title = ui.label(RichText::new(self.title).small().color(p.text));
        if !self.about.is_empty() {
            title.on_hover_text(self.about);
        }
        let width = (ui.available_width() - NAMES).max(60.0);
        let columns = width as usize;
        let (decimals, log_x) = (self.decimals, self.log_x);
        let hover_name = self.x_name.to_owned();
        let axis = |hints: AxisHints<'static>| {
            hints
                .label_spacing(1.0..=2.0)
                .tick_label_font(theme::small())
                .tick_label_color(p.weak)
        };
        let x_text = self.x_text.clone();
        let x_axis = axis(AxisHints::new_x()).formatter(move |mark: GridMark, _: &_| {
            if let Some(text) = &x_text {
                text(mark.value)
            } else if log_x {
                power_of_ten(-mark.value)
            } else {
                plain(mark.value)
            }
        });
        let y_axis = axis(AxisHints::new_y())
            .placement(HPlacement::Left)
            .min_thickness(28.0)
            .formatter(|mark: GridMark, _: &_| plain(mark.value));
        let x_step = if log_x {
            1.0
        } else if self.x_step > 0.0 {
            self.x_step
        } else {
            nice_step(self.x, width / 56.0)
        };
        let y_step = nice_step(self.y, self.height / 40.0);
        let x_text = self.x_text.clone();
        let plot = Plot::new(self.id)
            .width(width)
            .height(self.height)
            .show_background(false)
            .allow_zoom(false)
            .allow_drag(false)
            .allow_scroll(false)
            .allow_boxed_zoom(false)
            .allow_double_click_reset(false)
            .show_crosshair(false)
            .set_margin_fraction(egui::Vec2::ZERO)
            .grid_color(p.line)
            .grid_fade(0.0)
            .grid_spacing(1.0..=2.0)
            .x_grid_spacer(move |input| marks(input.bounds, x_step))
            .y_grid_spacer(move |input| marks(input.bounds, y_step))
            .custom_x_axes(vec![x_axis])
            .custom_y_axes(vec![y_axis])
            .label_formatter(move |at| match at {
                HoverPosition::NearDataPoint {
                    plot_name,
                    position,
                    ..
                } if !plot_name.is_empty() => {
                    let x = if let Some(text) = &x_text {
                        text(position.x)
                    } else if log_x {
                        format!("{:.3}", 10f64.powf(-position.x))
                    } else {
                        plain((position.x * 100.0).round() / 100.0)
                    };
                    Some(format!(
                        "{plot_name}   {}\n{hover_name} {x}",
                        number(position.y, decimals)
                    ))
                }
                _ => None,
            });
        let shown = plot.show(ui, |plot| {
            plot.set_plot_bounds_x(self.x.0..=self.x.1);
            plot.set_plot_bounds_y(self.y.0..=self.y.1);
            if let Some((x, lo, hi)) = &self.band
                && !x.is_empty()
            {
                let fill = p.text.gamma_multiply(0.12);
                plot.add(
                    FilledArea::new("", x, lo, hi)
                        .fill_color(fill)
                        .allow_hover(false),
                );
            }
            if let Some(x) = self.mark {
                let color = p.weak.gamma_multiply(0.6);
                plot.vline(VLine::new("", x).color(color).width(1.0).allow_hover(false));
            }
            let lines = self.curves.iter().flat_map(|curve| {
                let all = curve.points.len().max(1);
                // Each piece of an interrupted line gets its share of the columns.
                let share = move |n: usize| (columns * n / all).max(1);
                pieces(&curve.points).map(move |p| (curve, decimate(p, share(p.len()))))
            });
            for (curve, points) in lines {
                let style = if curve.dashed {
                    LineStyle::Dashed { length: 5.0 }
                } else {
                    LineStyle::Solid
                };
                plot.line(
                    Line::new(curve.name.clone(), PlotPoints::from(points.clone()))
                        .color(curve.color)
                        .width(1.6)
                        .style(style),
                );
                if curve.dots {
                    plot.points(
                        Points::new("", PlotPoints::from(points))
                            .color(curve.color)
                            .radius(2.0)
                            .allow_hover(false),
                    );
                }
            }
        });
        // Names stand right of the plot, each at the height of its line's end.
        let frame = shown.transform.frame();
        let per_point = (self.y.1 - self.y.0) / f64::from(frame.height().max(1.0));
        for (name, color, y) in end_names(&self.curves, self.y, 13.0 * per_point) {
            let at = egui::pos2(
                frame.right() + 5.0,
                shown.transform.position_from_point_y(y),
            );
            ui.painter()
                .text(at, Align2::LEFT_CENTER, name, theme::small(), color);
        }
    }
}

/// A step of 1, 2 or 5 times a power of ten that gives about `count` intervals.
fn nice_step((lo, hi): (f64, f64), count: f32) -> f64 {
    let raw = (hi - lo).max(1e-9) / f64::from(count.max(1.0));
    let decade = 10f64.powf(raw.log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|m| m * decade)
        .find(|s| *s >= raw * 0.999)
        .unwrap_or(10.0 * decade)
}

/// Multiples of `step` within the bounds.
fn marks((lo, hi): (f64, f64), step: f64) -> Vec<GridMark> {
    let first = (lo / step - 1e-6).ceil() as i64;
    let last = (hi / step + 1e-6).floor() as i64;
    (first..=last.min(first + 100))
        .map(|i| GridMark {
            value: i as f64 * step,
            step_size: step,
        })
        .collect()
}

/// Places of the names at the ends of the lines, moved apart until none covers another.
fn end_names(curves: &[Curve], (lo, hi): (f64, f64), apart: f64) -> Vec<(String, Color32, f64)> {
    let mut ends: Vec<_> = curves
        .iter()
        .filter_map(|c| {
            let [_, y] = c.points.iter().rev().find(|p| p[1].is_finite())?;
            Some((c.name.clone(), c.color, y.clamp(lo, hi)))
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
fn plain(value: f64) -> String {
    let text = number(value, 3);
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// A decade of a logarithmic axis; nothing between decades.
fn power_of_ten(exponent: f64) -> String {
    if (exponent - exponent.round()).abs() > 1e-6 {
        return String::new();
    }
    match exponent.round() as i32 {
        e @ -3..=0 => format!("{:.*}", (-e) as usize, 10f64.powi(e)),
        e => format!("{}", 10f64.powi(e)),
    }
}

/// A range of y that holds all points, from a given one on.
pub fn range_of<'a>(
    points: impl Iterator<Item = &'a [f64; 2]>,
    (mut lo, mut hi): (f64, f64),
) -> (f64, f64) {
    for [_, y] in points.filter(|p| p[1].is_finite()) {
        lo = lo.min(*y);
        hi = hi.max(*y);
    }
    let air = 0.06 * (hi - lo).max(1e-6);
    (lo - air, hi + air)
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
    }
}
