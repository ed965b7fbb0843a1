//! Errors and news: a card each, counted, kept in a list.

use std::time::{Duration, Instant};

use egui::{Align, Layout, RichText, Ui};

use crate::error::UserError;

use super::theme::{GRID, palette};
use super::widgets::{Icon, icon_button};

/// How long good news stay on the screen.
const NEWS_SECS: f32 = 5.0;

/// How long a warning does; the list, opened from the status bar, keeps it.
const WARNING_SECS: f32 = 20.0;

/// Something that went wrong, with how often.
#[derive(Debug, Clone)]
pub struct Warning {
    /// What, why, what to do.
    pub error: UserError,
    /// How often it came.
    pub count: usize,
    /// Whether its card is on the screen.
    pub shown: bool,
    /// When it came last.
    since: Instant,
}

/// All notices.
#[derive(Debug, Default)]
pub struct Notices {
    warnings: Vec<Warning>,
    news: Option<(String, Instant)>,
    /// The worker ended: only a new one helps.
    pub fatal: Option<UserError>,
    /// Whether the list is open.
    pub list_open: bool,
}

impl Notices {
    /// Number of different warnings.
    pub fn count(&self) -> usize {
        self.warnings.len()
    }

    /// Adds a warning; the same one again only counts.
    pub fn warn(&mut self, error: UserError) {
        log::warn!("{error}");
        if let Some(known) = self.warnings.iter_mut().find(|w| w.error == error) {
            known.count += 1;
            known.shown = true;
            known.since = Instant::now();
        } else {
            self.warnings.push(Warning {
                error,
                count: 1,
                shown: true,
                since: Instant::now(),
            });
        }
    }

    /// Says something good for a few seconds.
    pub fn news(&mut self, text: impl Into<String>) {
        self.news = Some((text.into(), Instant::now()));
    }

    /// Cards over the viewport; `bottom` is the height of what lies below it. While a window is open (`quiet`) they wait
    /// in the list.
    pub fn show(&mut self, ctx: &egui::Context, bottom: f32, quiet: bool) {
        if let Some((_, since)) = &self.news {
            let left = NEWS_SECS - since.elapsed().as_secs_f32();
            if left <= 0.0 {
                self.news = None;
            } else {
                ctx.request_repaint_after(Duration::from_secs_f32(left));
            }
        }
        for warning in self.warnings.iter_mut().filter(|w| w.shown) {
            let left = WARNING_SECS - warning.since.elapsed().as_secs_f32();
            warning.shown = left > 0.0;
            if warning.shown {
                ctx.request_repaint_after(Duration::from_secs_f32(left));
            }
        }
        let open: Vec<usize> = (0..self.warnings.len())
            .rev()
            .filter(|i| self.warnings[*i].shown)
            .take(2)
            .collect();
        if quiet || open.is_empty() && self.news.is_none() {
            return;
        }
        egui::Area::new(egui::Id::unique("notices"))
            .anchor(egui::Align2::CENTER_BOTTOM, [0.0, -(bottom + 3.0 * GRID)])
            .order(egui::Order::Foreground)
            .show(ctx, |ui| {
                ui.set_max_width(420.0);
                for i in open {
                    if card(ui, &self.warnings[i]) {
                        self.warnings[i].shown = false;
                    }
                }
                if let Some((text, _)) = &self.news {
                    egui::Frame::popup(ui.style()).show(ui, |ui| ui.label(text));
                }
            });
    }

    /// The list of all warnings, opened from the status bar.
    pub fn list(&mut self, ctx: &egui::Context) {
        if !self.list_open {
            return;
        }
        let mut open = true;
        egui::Window::new("Warnings")
            .open(&mut open)
            .collapsible(false)
            .default_width(440.0)
            .anchor(egui::Align2::CENTER_CENTER, [0.0, 0.0])
            .show(ctx, |ui| {
                if self.warnings.is_empty() {
                    ui.label("Nothing went wrong so far.");
                }
                egui::ScrollArea::vertical()
                    .max_height(360.0)
                    .show(ui, |ui| {
                        for warning in &self.warnings {
                            body(ui, warning);
                            ui.add_space(2.0 * GRID);
                        }
                    });
            });
        self.list_open = open;
    }

    /// The card of a worker that ended. Returns whether "Start again" was pressed.
    pub fn fatal_card(&self, ctx: &egui::Context) -> bool {
        let Some(error) = &self.fatal else {
            return false;
        };
        let mut again = false;
        egui::Window::new("fatal")
            .order(egui::Order::Foreground)
            .title_bar(false)
            .resizable(false)
            .anchor(egui::Align2::CENTER_CENTER, [0.0, 0.0])
            .fixed_size([400.0, 0.0])
            .show(ctx, |ui| {
                ui.label(
                    RichText::new(&error.headline)
                        .heading()
                        .color(palette(ui).alarm),
                );
                ui.add_space(GRID);
                ui.label(&error.cause);
                ui.label(RichText::new(&error.remedy).weak());
                ui.add_space(2.0 * GRID);
                ui.label(
                    RichText::new("Settings and frames are kept: it goes on from the last one.")
                        .small()
                        .weak(),
                );
                ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                    again = ui.button("Start again").clicked();
                });
            });
        again
    }
}

fn body(ui: &mut Ui, warning: &Warning) {
    let times = if warning.count > 1 {
        format!("  ({} times)", warning.count)
    } else {
        String::new()
    };
    ui.label(RichText::new(format!("{}{times}", warning.error.headline)).color(palette(ui).alarm));
    ui.label(&warning.error.cause);
    ui.label(RichText::new(&warning.error.remedy).weak());
}

/// One card; returns whether it was closed.
fn card(ui: &mut Ui, warning: &Warning) -> bool {
    let mut closed = false;
    egui::Frame::popup(ui.style())
        .inner_margin(12)
        .show(ui, |ui| {
            ui.horizontal_top(|ui| {
                ui.vertical(|ui| {
                    ui.set_width(360.0);
                    body(ui, warning);
                });
                closed = icon_button(ui, Icon::Cross, 20.0, "Dismiss").clicked();
            });
        });
    closed
}
