//! The window: arranges the panels, keeps the clock, saves what persists.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use egui::{Frame, Margin, Panel, Ui};

use crate::error::UserError;

use super::actions;
use super::edit;
use super::keeping;
use super::lessons;
use super::panels::{
    controls, export_dialog, help, model_menu, palette, rain_dialog, restore_dialog, slots, status,
    timeline, top_bar,
};
use super::playback::BASE_RATE;
use super::plots;
use super::prefs;
use super::presenter;
use super::smoke::Smoke;
use super::stage::{self, Stage};
use super::state::State;
use super::theme::{self, GRID};

/// Errors of the graphics device, each once.
pub type GpuErrors = Arc<Mutex<Vec<String>>>;

/// The application.
pub struct EddyApp {
    /// What the panels share.
    pub state: State,
    /// The scripted run, if this is one.
    pub smoke: Option<Smoke>,
    gpu_errors: GpuErrors,
    gpu_errors_shown: usize,
    last_time: Option<f64>,
}

impl EddyApp {
    /// Dresses the window and begins.
    pub fn new(
        ctx: &egui::Context,
        state: State,
        smoke: Option<Smoke>,
        gpu_errors: GpuErrors,
    ) -> Self {
        theme::install(ctx);
        // Kept with the other settings instead.
        ctx.options_mut(|o| o.zoom_with_keyboard = false);
        actions::apply_theme(ctx, state.prefs.dark);
        Self {
            state,
            smoke,
            gpu_errors,
            gpu_errors_shown: 0,
            last_time: None,
        }
    }

    /// One frame of the window.
    pub fn show(&mut self, ui: &mut Ui) {
        let ctx = ui.ctx().clone();
        let now = ctx.input(|i| i.time);
        let dt = self.last_time.map_or(0.0, |t| (now - t) as f32);
        self.last_time = Some(now);

        let state = &mut self.state;
        if state.poll(dt) {
            let wait = 1.0 / (BASE_RATE * state.prefs.speed);
            ctx.request_repaint_after(Duration::from_secs_f32(wait.min(0.1)));
        }
        if state.series.is_behind() {
            ctx.request_repaint();
        }
        super::wall::update(&ctx, state);
        super::twin::update(state);
        state.poll_files(&ctx);
        state.keep_copy(&ctx);
        state.before_closing(&ctx);
        state.poll_restoring(&ctx);
        let dropped = dropped(&ctx);
        match dropped.first() {
            Some(drawing) if edit::takes(state, &dropped) => state.feed(drawing),
            _ => state.open_files(&ctx, dropped),
        }
        presenter::keyboard(&ctx, state);
        actions::keyboard(&ctx, state);
        presenter::give_way(&ctx, state);
        state.marks.clear();
        let below = if state.presenter.on {
            state.fetch_shown();
            presenter::show(ui, state);
            presenter::FOOT + 4.0 * GRID
        } else {
            panels(ui, state);
            STATUS + timeline::height(state) + GRID
        };
        windows(&ctx, state, below);
        let held = ctx.input(|i| i.pointer.any_down()) || ctx.egui_wants_keyboard_input();
        let state = &mut self.state;
        state.undo.watch(&state.prefs, held, now);
        self.hear_gpu();
    }

    /// Shows each kind of graphics error once.
    fn hear_gpu(&mut self) {
        let errors = self
            .gpu_errors
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        for error in errors.iter().skip(self.gpu_errors_shown) {
            self.state.notices.warn(UserError::new(
                "The graphics adapter reports an error",
                error,
                "The rollout goes on; if the picture is wrong, restart the program",
            ));
        }
        self.gpu_errors_shown = errors.len();
    }
}

/// Height of the status bar, points.
const STATUS: f32 = 24.0;

/// The window as it is without presenter mode: panels around the stage.
fn panels(ui: &mut Ui, state: &mut State) {
    let ctx = ui.ctx().clone();
    let fill = ui.visuals().panel_fill;
    let frame = |x: i8, y: i8| {
        Frame::new()
            .fill(fill)
            .inner_margin(Margin::symmetric(x, y))
    };
    Panel::top("top bar")
        .exact_size(40.0)
        .resizable(false)
        .show_separator_line(false)
        .frame(frame(16, 0))
        .show(ui, |ui| top_bar::show(ui, state));
    Panel::bottom("status")
        .exact_size(STATUS)
        .resizable(false)
        .show_separator_line(false)
        .frame(frame(16, 0))
        .show(ui, |ui| status::show(ui, state));
    Panel::bottom("timeline")
        .exact_size(timeline::height(state))
        .resizable(false)
        .show_separator_line(false)
        .frame(frame(12, 0))
        .show(ui, |ui| {
            state.marks.set("timeline", ui.max_rect());
            stage::bottom(ui, state);
        });
    state.fetch_shown();
    if state.refresh_difference() {
        ctx.request_repaint();
    }
    Panel::left("controls")
        .exact_size(232.0)
        .resizable(false)
        .show_separator_line(false)
        .frame(frame(16, 0))
        .show(ui, |ui| controls::show(ui, state));
    // In a narrow window these stages need the room, and have plots of their own.
    let narrow = ctx.content_rect().width() < NARROW;
    if !(narrow && matches!(state.stage, Stage::Edit | Stage::Microscope)) {
        diagnostics(ui, state, frame(16, 0));
    } else {
        state.source.watch_pairs(false);
    }
    lessons::panel::strip(ui, state);
    egui::CentralPanel::no_frame().show(ui, |ui| stage::show(ui, state));
    lessons::panel::ring(&ctx, state);
}

/// Width below which the stages of one frame take the place of the diagnostics, points.
const NARROW: f32 = 1180.0;

fn diagnostics(ui: &mut Ui, state: &mut State, frame: Frame) {
    let widest = slots::widest(ui.ctx());
    Panel::right("diagnostics")
        .default_size(320.0)
        .size_range(300.0..=widest)
        .show_separator_line(false)
        .frame(frame)
        .show(ui, |ui| {
            state.marks.set("diagnostics", ui.max_rect());
            stage::side(ui, state);
        });
}

/// What lies over the panels, and over the lanes of presenter mode; notices above the lowest `below` points.
fn windows(ctx: &egui::Context, state: &mut State, below: f32) {
    lessons::panel::list(ctx, state);
    help::sheet(ctx, state);
    plots::save::window(ctx, state);
    export_dialog::window(ctx, state);
    keeping::window(ctx, state);
    restore_dialog::ask(ctx, state);
    restore_dialog::window(ctx, state);
    palette::window(ctx, state);
    model_menu::window(ctx, state);
    rain_dialog::window(ctx, state);
    state.notices.list(ctx);
    let quiet = state.has_window();
    state.notices.show(ctx, below, quiet);
    if state.notices.fatal_card(ctx) {
        state.start_again();
    }
    actions::show_focus(ctx);
}

/// Files dropped on the window.
fn dropped(ctx: &egui::Context) -> Vec<std::path::PathBuf> {
    ctx.input(|i| {
        i.raw
            .dropped_files
            .iter()
            .map(|f| f.path().to_owned())
            .filter(|p| !p.as_os_str().is_empty())
            .collect()
    })
}

impl eframe::App for EddyApp {
    fn ui(&mut self, ui: &mut Ui, frame: &mut eframe::Frame) {
        let begin = Instant::now();
        if let Some(smoke) = &mut self.smoke {
            smoke.record(frame.info().cpu_usage);
        }
        self.show(ui);
        if let Some(smoke) = &mut self.smoke {
            smoke.drive(ui.ctx(), &mut self.state);
        }
        log::trace!("window frame built in {:?}", begin.elapsed());
    }

    fn raw_input_hook(&mut self, _ctx: &egui::Context, input: &mut egui::RawInput) {
        if let Some(smoke) = &mut self.smoke {
            input.events.append(&mut smoke.events);
        }
    }

    fn save(&mut self, storage: &mut dyn eframe::Storage) {
        if self.smoke.is_some() {
            return;
        }
        match self.state.prefs_to_keep().to_json() {
            Ok(json) => storage.set_string(prefs::KEY, json),
            Err(error) => self.state.notices.warn(error),
        }
    }

    fn on_exit(&mut self) {
        self.state.keeper.end();
    }

    fn persist_egui_memory(&self) -> bool {
        self.smoke.is_none()
    }
}
