//! One quiet chart: fixed bounds, lines named at their end, a band, marks, values under the pointer.

use std::sync::Arc;

use egui::{Align2, Color32, RichText, Ui};
use egui_plot::{
    AxisHints, FilledArea, GridMark, HLine, HPlacement, HoverPosition, Line, LineStyle, Plot,
    PlotPoints, Points, VLine,
};

use super::super::series::{decimate, pieces};
use super::super::theme::{self, palette};
use super::super::widgets::number;
use super::axes::{end_names, marks, nice_step, plain, power_of_ten};
use super::save;

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
    /// y is log10 of what its axis shows.
    pub log_y: bool,
    /// All points of the curves, where those drawn are fewer: for the file.
    pub raw: Vec<&'a [[f64; 2]]>,
    /// A level that is drawn across, with its name: what is asked for, or expected.
    pub level: Option<(f64, &'a str)>,
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
        self.head(ui);
        let width = (ui.available_width() - NAMES).max(60.0);
        let columns = width as usize;
        let (decimals, log_x, log_y) = (self.decimals, self.log_x, self.log_y);
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
            .formatter(move |mark: GridMark, _: &_| match log_y {
                true => power_of_ten(mark.value),
                false => plain(mark.value),
            });
        let x_step = if log_x {
            1.0
        } else if self.x_step > 0.0 {
            self.x_step
        } else {
            nice_step(self.x, width / 56.0)
        };
        let y_step = match log_y {
            true => nice_step(self.y, self.height / 30.0).max(1.0),
            false => nice_step(self.y, self.height / 40.0),
        };
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
                    let y = match log_y {
                        true => significant(10f64.powf(position.y)),
                        false => number(position.y, decimals),
                    };
                    Some(format!("{plot_name}   {y}\n{hover_name} {x}"))
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
            if let Some((y, name)) = self.level {
                let color = p.weak.gamma_multiply(0.8);
                let line = HLine::new(name, y).color(color).width(1.0);
                plot.hline(
                    line.style(LineStyle::Dashed { length: 3.0 })
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
        let mut named = end_names(&self.curves, self.y, 13.0 * per_point);
        if let Some((y, name)) = self.level {
            let near = |other: &(String, Color32, f64)| (other.2 - y).abs() < 12.0 * per_point;
            if !named.iter().any(near) {
                named.push((name.to_owned(), p.weak, y));
            }
        }
        for (name, color, y) in named {
            let at = egui::pos2(
                frame.right() + 5.0,
                shown.transform.position_from_point_y(y),
            );
            ui.painter()
                .text(at, Align2::LEFT_CENTER, name, theme::small(), color);
        }
    }

    /// The title, and the menu that saves the chart.
    fn head(&self, ui: &mut Ui) {
        let p = palette(ui);
        let (width, button) = (ui.available_width(), 18.0);
        let row = ui.horizontal(|ui| {
            ui.set_width(width);
            let title = RichText::new(self.title).small().color(p.text);
            ui.scope(|ui| {
                ui.set_max_width(width - button - 4.0);
                let title = ui.add(egui::Label::new(title).truncate());
                if !self.about.is_empty() {
                    title.on_hover_text(self.about);
                }
            });
        });
        let row = row.response.rect;
        let place = egui::Rect::from_center_size(
            egui::pos2(row.left() + width - 0.5 * button, row.center().y),
            egui::vec2(button, 18.0),
        );
        save::menu(ui, place, self.title, || self.saved());
    }

    /// What the file of the chart holds.
    fn saved(&self) -> save::Saved {
        let curves = self.curves.iter().enumerate();
        save::Saved {
            name: self.id.replace(' ', "-"),
            title: self.title.to_owned(),
            x_name: self.x_name.to_owned(),
            x: self.x,
            y: self.y,
            log_x: self.log_x,
            log_y: self.log_y,
            x_text: self.x_text.clone(),
            curves: curves
                .map(|(i, c)| save::SavedCurve {
                    name: c.name.clone(),
                    color: c.color,
                    drawn: c.points.clone(),
                    all: self
                        .raw
                        .get(i)
                        .map_or_else(|| c.points.clone(), |r| r.to_vec()),
                })
                .collect(),
            band: self.band.clone(),
            level: self.level.map(|(y, name)| (y, name.to_owned())),
            maps: Vec::new(),
        }
    }
}

/// Three digits of a number of any size.
fn significant(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        a if (1e-3..1e5).contains(&a) => {
            let decimals = (2 - a.log10().floor() as i32).max(0) as usize;
            number(value, decimals)
        }
        _ => format!("{value:.2e}").replace('-', "−"),
    }
}

/// A range of y that holds all points, from a given one on; 0 to 1 where there is nothing to hold.
pub fn range_of<'a>(
    points: impl Iterator<Item = &'a [f64; 2]>,
    (mut lo, mut hi): (f64, f64),
) -> (f64, f64) {
    for [_, y] in points.filter(|p| p[1].is_finite()) {
        lo = lo.min(*y);
        hi = hi.max(*y);
    }
    if !(lo <= hi && lo.is_finite() && hi.is_finite()) {
        return (0.0, 1.0);
    }
    let air = 0.06 * (hi - lo).max(1e-6);
    (lo - air, hi + air)
}
