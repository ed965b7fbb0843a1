//! Saving a chart: the menu at its title, the window that asks where, the files.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use egui::{Align, Color32, Layout, Popup, Rect, RichText, Role, Sense, Ui, WidgetInfo, pos2};

use crate::data::files::write_atomically;
use crate::error::{Result, UserError};
use crate::render::Look;
use crate::render::cpu::color_of;
use crate::report::raster::png_of_scene;
use crate::report::scene::Stroke;
use crate::report::svg::svg;
use crate::report::{Axis, Chart, Figure, Grid, Layer, Marker, Numbers, Style};
use crate::rollout::settings::LaneKind;

use super::super::files::Purpose;
use super::super::state::State;
use super::super::theme::{GRID, palette};
use super::super::widgets;
use super::super::words;
use super::axes::{marks, nice_step, plain, power_of_ten};
use super::chart::XText;

/// A line of a saved chart.
#[derive(Clone)]
pub struct SavedCurve {
    /// Its name.
    pub name: String,
    /// Its colour on the screen.
    pub color: Color32,
    /// The points drawn.
    pub drawn: Vec<[f64; 2]>,
    /// All points.
    pub all: Vec<[f64; 2]>,
}

/// A chart as it was when it was saved.
#[derive(Clone, Default)]
pub struct Saved {
    /// For the name of the file.
    pub name: String,
    /// What it shows.
    pub title: String,
    /// What x is.
    pub x_name: String,
    /// Range of x.
    pub x: (f64, f64),
    /// Range of y.
    pub y: (f64, f64),
    /// x is -log10 of what is meant.
    pub log_x: bool,
    /// y is log10 of what is meant.
    pub log_y: bool,
    /// Text of the marks of x.
    pub x_text: Option<XText>,
    /// Lines.
    pub curves: Vec<SavedCurve>,
    /// x, lower and upper edge of a band.
    pub band: Option<(Vec<f64>, Vec<f64>, Vec<f64>)>,
    /// A level and its name.
    pub level: Option<(f64, String)>,
    /// Space-time diagrams instead of lines.
    pub maps: Vec<SavedMap>,
}

/// A space-time diagram, time downwards.
#[derive(Clone)]
pub struct SavedMap {
    /// Its name.
    pub name: String,
    /// Time and values of each row.
    pub rows: Vec<(f64, Arc<[f32]>)>,
    /// How values become colours.
    pub look: Look,
}

/// What kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Comma-separated values.
    Table,
    /// SVG or PNG, by the name of the file.
    Picture,
}

/// A chart on its way into a file.
#[derive(Default)]
pub struct PlotSave {
    /// Path that is typed.
    pub path: String,
    asked: Option<(Arc<Saved>, Form)>,
    focus: bool,
}

impl PlotSave {
    /// Closes the window.
    pub fn close(&mut self) {
        self.asked = None;
    }

    /// Whether the window is open.
    pub fn is_open(&self) -> bool {
        self.asked.is_some()
    }
}

fn slot() -> egui::Id {
    egui::Id::unique("a plot to save")
}

/// Three dots that open the menu of a chart; `saved` is called when something is chosen.
pub fn menu(ui: &mut Ui, place: Rect, title: &str, saved: impl FnOnce() -> Saved) {
    let response = ui.interact(place, ui.scope_id().with(("save", title)), Sense::click());
    let name = format!("Save {title}");
    response.widget_info(|| WidgetInfo::labeled(Role::Button, ui.is_enabled(), &name));
    let p = palette(ui);
    let strong = response.hovered() || response.has_focus();
    for dx in [-4.0, 0.0, 4.0] {
        let at = pos2(place.center().x + dx, place.center().y);
        let color = if strong { p.text } else { p.weak };
        ui.painter().circle_filled(at, 1.2, color);
    }
    let mut form = None;
    Popup::menu(&response).show(|ui| {
        if ui.button("Save as CSV…").clicked() {
            form = Some(Form::Table);
        }
        if ui.button("Save as picture…").clicked() {
            form = Some(Form::Picture);
        }
    });
    if let Some(form) = form {
        ui.data_mut(|d| d.insert_temp(slot(), Some((Arc::new(saved()), form))));
    }
    response.on_hover_text("Save this plot as a table or a picture");
}

/// Takes up what a menu asked for, and shows the window that asks where.
pub fn window(ctx: &egui::Context, state: &mut State) {
    let asked = ctx.data_mut(|d| d.remove_temp::<Option<(Arc<Saved>, Form)>>(slot()));
    if let Some(asked) = asked.flatten() {
        let ending = match asked.1 {
            Form::Table => "csv",
            Form::Picture => "svg",
        };
        let model = state.facts.as_ref().map_or("run", |f| f.name.as_str());
        let name = format!("{model}-{}-frame{:04}.{ending}", asked.0.name, state.last());
        let folder = state.prefs.save_folder.clone();
        let folder = folder.or_else(|| std::env::current_dir().ok());
        let save = &mut state.plots.save;
        save.path = folder.unwrap_or_default().join(name).display().to_string();
        (save.asked, save.focus) = (Some(asked), true);
    }
    let Some((saved, form)) = state.plots.save.asked.clone() else {
        return;
    };
    let mut open = true;
    let title = match form {
        Form::Table => "Save the plot as CSV",
        Form::Picture => "Save the plot as a picture",
    };
    let shown = egui::Window::new(title)
        .open(&mut open)
        .collapsible(false)
        .resizable(false)
        .anchor(egui::Align2::CENTER_CENTER, [0.0, -40.0])
        .show(ctx, |ui| {
            ui.set_width(440.0);
            let about = match form {
                Form::Table => "All points of each line, with its name; the first line is the recipe of the run.",
                Form::Picture => "SVG or PNG, by the end of the name. The recipe of the run goes into the file.",
            };
            ui.label(RichText::new(format!("{}. {about}", saved.title)).weak());
            ui.add_space(GRID);
            let label = ui.label("File");
            let edit = egui::TextEdit::singleline(&mut state.plots.save.path)
                .desired_width(f32::INFINITY)
                .margin(egui::Margin::symmetric(8, 6));
            let response = ui.add(edit).labelled_by(label.id);
            if std::mem::take(&mut state.plots.save.focus) {
                response.request_focus();
            }
            let entered = response.lost_focus() && ui.input(|i| i.key_pressed(egui::Key::Enter));
            ui.add_space(GRID);
            ui.horizontal(|ui| {
                let browse = egui::Button::new("Browse…");
                if ui.add_enabled(!state.files.waiting(), browse).clicked() {
                    let near = PathBuf::from(&state.plots.save.path);
                    state.files.open_dialog(ui.ctx(), Purpose::Plot, &near);
                }
                ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                    let typed = state.plots.save.path.trim().to_owned();
                    let ready = !typed.is_empty() && !state.files.is_writing();
                    let button = ui.add_enabled(ready, egui::Button::new("Save"));
                    if button.clicked() || (entered && ready) {
                        state.save_plot(ui.ctx(), PathBuf::from(typed), saved, form);
                    }
                    if ui.button("Cancel").clicked() {
                        state.plots.save.close();
                    }
                });
            });
        });
    widgets::modal(ctx, shown.as_ref());
    if !open {
        state.plots.save.close();
    }
}

impl State {
    /// Writes a chart on a thread of its own.
    fn save_plot(&mut self, ctx: &egui::Context, path: PathBuf, saved: Arc<Saved>, form: Form) {
        let Some(recipe) = self.recipe(false) else {
            return self.nothing_to_write(&path);
        };
        let path = match (path.extension().is_none(), form) {
            (true, Form::Table) => path.with_extension("csv"),
            (true, Form::Picture) => path.with_extension("svg"),
            _ => path,
        };
        self.prefs.save_folder = path.parent().map(Path::to_owned);
        self.write_aside(ctx, path.clone(), move |_| {
            let recipe = recipe.to_json()?;
            let bytes = match form {
                Form::Table => saved.csv(&recipe).into_bytes(),
                Form::Picture => saved.picture(&path, &recipe)?,
            };
            write_atomically(&path, |file| file.write_all(&bytes))
        });
    }
}

impl Saved {
    fn meant(&self, [x, y]: [f64; 2]) -> [f64; 2] {
        [
            if self.log_x { 10f64.powf(-x) } else { x },
            if self.log_y { 10f64.powf(y) } else { y },
        ]
    }

    /// As comma-separated values, one row a point.
    pub fn csv(&self, recipe: &str) -> String {
        let mut out = Numbers::default();
        for curve in &self.curves {
            for point in &curve.all {
                let [x, y] = self.meant(*point);
                out.push(&curve.name, &self.title, Some(x), y);
            }
        }
        for map in &self.maps {
            for (time, row) in &map.rows {
                let quantity = format!("t {time}");
                for (x, value) in row.iter().enumerate() {
                    out.push(&map.name, &quantity, Some(x as f64), f64::from(*value));
                }
            }
        }
        if let Some((x, lo, hi)) = &self.band {
            for ((x, lo), hi) in x.iter().zip(lo).zip(hi) {
                let [at, lo] = self.meant([*x, *lo]);
                let hi = self.meant([*x, *hi])[1];
                out.push("truth, 5 %", &self.title, Some(at), lo);
                out.push("truth, 95 %", &self.title, Some(at), hi);
            }
        }
        format!("# {recipe}\n{}", out.csv())
    }

    /// As the bytes of an SVG or PNG file.
    fn picture(&self, path: &Path, recipe: &str) -> Result<Vec<u8>> {
        let scene = self.figure().scene();
        let ending = path.extension().and_then(|e| e.to_str()).unwrap_or("svg");
        match ending.to_ascii_lowercase().as_str() {
            "png" => png_of_scene(&scene, 2.0, recipe),
            "svg" => {
                let text = svg(&scene, "plot", &self.title);
                let metadata = format!(
                    "<metadata>{}</metadata></svg>",
                    crate::report::svg::escape(recipe)
                );
                Ok(text.replacen("</svg>", &metadata, 1).into_bytes())
            }
            other => Err(UserError::new(
                format!("Cannot save a picture as .{other}"),
                "plots are written as SVG or PNG",
                "End the name of the file with .svg or .png",
            )),
        }
    }

    fn figure(&self) -> Figure {
        if !self.maps.is_empty() {
            return Figure {
                charts: self.maps.iter().map(SavedMap::chart).collect(),
                grid: Grid {
                    columns: self.maps.len(),
                    aspect: 2.2,
                    gap: 16.0,
                },
                legend: Vec::new(),
                color_bar: None,
            };
        }
        let x_step = match self.log_x {
            true => 1.0,
            false => nice_step(self.x, 8.0),
        };
        let y_step = match self.log_y {
            true => nice_step(self.y, 6.0).max(1.0),
            false => nice_step(self.y, 6.0),
        };
        let ticks = |range, step, text: &dyn Fn(f64) -> String| {
            marks(range, step)
                .into_iter()
                .map(|m| (m.value, text(m.value)))
                .collect()
        };
        let x_of = |v: f64| match (&self.x_text, self.log_x) {
            (Some(text), _) => text(v),
            (None, true) => power_of_ten(-v),
            (None, false) => plain(v),
        };
        let y_of = |v: f64| {
            if self.log_y {
                power_of_ten(v)
            } else {
                plain(v)
            }
        };
        let x = Axis::linear(self.x_name.clone(), self.x.0, self.x.1)
            .with_ticks(ticks(self.x, x_step, &x_of));
        let y = Axis::linear("", self.y.0, self.y.1).with_ticks(ticks(self.y, y_step, &y_of));
        let mut chart = Chart::new(self.title.clone(), x, y);
        if let Some((x, lo, hi)) = &self.band {
            let points = x.iter().zip(lo).zip(hi).map(|((x, lo), hi)| [*x, *lo, *hi]);
            let (points, color) = (points.collect(), [0xd4, 0xd4, 0xd0]);
            chart = chart.with(Layer::Band { points, color });
        }
        if let Some((y, _)) = &self.level {
            chart = chart.with(Layer::Level(*y, Stroke::solid([0x8b, 0x8f, 0x96], 1.0)));
        }
        let mut legend = Vec::new();
        for curve in &self.curves {
            let style = curve.style();
            chart = chart.with(Layer::Line {
                points: curve.drawn.clone(),
                style,
                marks: curve.drawn.len() <= 24,
            });
            legend.push((curve.name.clone(), style));
        }
        Figure {
            charts: vec![chart],
            grid: Grid {
                columns: 1,
                aspect: 0.55,
                gap: 0.0,
            },
            legend,
            color_bar: None,
        }
    }
}

impl SavedMap {
    fn chart(&self) -> Chart {
        let columns = self.rows.first().map_or(0, |r| r.1.len());
        // More rows than this are no longer told apart.
        let every = self.rows.len().div_ceil(1500).max(1);
        let whole = || {
            self.rows
                .iter()
                .step_by(every)
                .filter(|r| r.1.len() == columns)
        };
        let rows = whole().count();
        let pixels: Vec<u8> = whole()
            .flat_map(|(_, row)| row.iter())
            .flat_map(|v| {
                let [r, g, b] = color_of(*v, &self.look);
                [r, g, b, 255]
            })
            .collect();
        let time = |at: Option<&(f64, Arc<[f32]>)>| at.map_or(0.0, |r| r.0);
        let (first, last) = (time(self.rows.first()), time(self.rows.last()));
        let ticks = [(1.0, first), (0.0, last)].map(|(y, t)| (y, plain(t)));
        let y = Axis::linear("", 0.0, 1.0).with_ticks(ticks.to_vec());
        let chart = Chart::new(self.name.clone(), Axis::bare("x"), y);
        match pixels.len() == 4 * rows * columns && !pixels.is_empty() {
            true => chart.with(Layer::Pixels(columns, rows, pixels)),
            false => chart,
        }
    }
}

impl SavedCurve {
    /// How it is drawn on paper: a lane as everywhere, another one in a darker shade of its colour.
    fn style(&self) -> Style {
        let lane = LaneKind::ALL
            .into_iter()
            .find(|k| words::lane(*k) == self.name);
        let [r, g, b, _] = self.color.to_array();
        let bright = u16::from(r) + u16::from(g) + u16::from(b) > 420;
        let shade = |v: u8| if bright { v / 2 } else { v };
        lane.map_or(
            Style {
                color: [shade(r), shade(g), shade(b)],
                dash: &[],
                marker: Marker::Disc,
                width: 1.4,
            },
            Style::lane,
        )
    }
}
