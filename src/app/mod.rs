//! The window: what a person sees.
//!
//! The window never waits for the worker: once a frame it reads the latest progress, the events, and the list of kept
//! frames (shared arrays), and draws. It is drawn again only when something changed: the worker asks for it after each
//! solver step, the pointer and the keyboard do, playback does at its own rate; an idle window costs nothing.
//!
//! | file | what is in it |
//! |---|---|
//! | `window` | arranges the panels, keeps the clock |
//! | `state` | everything that the panels read and change |
//! | `beginning` | how a rollout begins, and what is taken back where it cannot |
//! | `source` | where frames come from: the worker |
//! | `stage` | what the middle of the window shows |
//! | `edit` | stage: the last frames changed by hand |
//! | `microscope` | stage: one frame's denoising, step by step |
//! | `answers` | the thread that answers microscope and editor |
//! | `wall` | the lambda wall: linked rollouts, and the map of what was explored |
//! | `twin` | what the real world would have done from a frame of the model |
//! | `tile` | a picture of a stage: field, lines, pointer |
//! | `world` | the model in use: switching it, how its values become colours |
//! | `playback` | which frame is shown |
//! | `tree`, `difference` | branches, the one beside, the difference of two pictures |
//! | `undo` | undo and redo of settings |
//! | `panels` | top bar, controls, lanes, timeline, diagnostics, status, help |
//! | `plots` | the charts and space-time diagrams of the diagnostics |
//! | `paint`, `globe_lines` | from a rectangle to the field shader; lines on the globe |
//! | `lessons` | guided tours; where named controls lie on the screen |
//! | `presenter` | the lanes alone, large, for a projector |
//! | `series`, `followed`, `trace` | time series beside the archive, each frame read once, drawn in constant time |
//! | `spotlight` | which control to look at, with a ring around it |
//! | `files`, `saving` | dialogs, typed paths, exports |
//! | `restoring`, `opening` | files that are opened: sessions, recipes, starts; reading them |
//! | `keeping` | a copy in case of a crash, the question before closing |
//! | `commands` | everything that can be asked by name: keyboard, menus and palette read it |
//! | `rain_files` | a person's files of precipitation, before they are used |
//! | `notices` | errors and news |
//! | `prefs` | what persists |
//! | `theme`, `widgets`, `words`, `actions` | colours, small widgets, names, keyboard |
//! | `smoke` | the scripted run of continuous integration |

mod actions;
mod answers;
mod beginning;
pub mod commands;
mod difference;
mod edit;
mod files;
mod followed;
mod globe_lines;
mod keeping;
mod lessons;
mod microscope;
mod notices;
mod opening;
pub mod paint;
mod panels;
mod playback;
mod plots;
mod prefs;
mod presenter;
mod rain_files;
mod restoring;
mod saving;
mod series;
mod smoke;
mod source;
mod spotlight;
mod stage;
mod state;
pub(crate) mod theme;
mod tile;
mod trace;
mod tree;
pub mod twin;
mod undo;
pub mod wall;
mod widgets;
mod window;
mod words;
mod world;

use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use crate::device::DeviceRequest;
use crate::error::{Result, UserError};
use crate::rollout::worker::{Wake, Worker, WorkerOptions};

pub use lessons::format::Lesson;
pub use lessons::marks::{Marks, NAMES as CONTROLS};
pub use lessons::{Guess, Lessons, Phase, Taken, Tour};
pub use prefs::{GlobePrefs, Prefs, Tab};
pub use smoke::SmokePlan;
pub use source::{Launch, RolloutSource, Start};
pub use stage::Stage;
pub use state::State;
pub use window::{EddyApp, GpuErrors};

/// What the window is started with.
#[derive(Debug, Clone, Default)]
pub struct AppOptions {
    /// Model name or folder; `None` = the shipped vorticity model.
    pub model: Option<String>,
    /// Device that computes.
    pub device: DeviceRequest,
    /// A start file.
    pub open: Option<PathBuf>,
    /// A file to open: session, recipe, start or model folder.
    pub file: Option<PathBuf>,
    /// Scripted run: the window drives itself, writes what it saw and closes.
    pub smoke: Option<SmokePlan>,
    /// Folder of more lessons.
    pub lessons: Option<PathBuf>,
    /// Memory for kept frames, MiB; 0 = 1024.
    pub memory_mib: usize,
}

/// Opens the window and runs until it is closed.
///
/// # Errors
/// No display, no graphics adapter, or the window system refused the window; a scripted run that did not come to its
/// end.
pub fn run(options: AppOptions) -> Result<()> {
    let began = Instant::now();
    let outcome = smoke::Outcome::default();
    let native = native_options(&options);
    let opened = Arc::new(AtomicBool::new(false));
    let result = {
        let (options, outcome) = (options.clone(), Arc::clone(&outcome));
        let opened = Arc::clone(&opened);
        std::panic::catch_unwind(AssertUnwindSafe(|| {
            eframe::run_native(
                "eddyscope",
                native,
                Box::new(move |cc| {
                    let app = create(cc, options, began, outcome);
                    opened.store(true, Ordering::Relaxed);
                    Ok(Box::new(app))
                }),
            )
        }))
    };
    match result {
        Ok(Ok(())) => {}
        Ok(Err(error)) => return Err(window_error(&error)),
        Err(_) if opened.load(Ordering::Relaxed) => {
            return Err(UserError::new(
                "The window was closed by an internal error",
                "it stands above; frames that were not saved are lost",
                "start again, and please report what you did with the lines above",
            ));
        }
        Err(_) => {
            return Err(UserError::new(
                "The window cannot be opened",
                "the window system's library stopped with an internal error (above)",
                WITHOUT_WINDOW,
            ));
        }
    }
    if options.smoke.is_some() {
        let outcome = outcome.lock().unwrap_or_else(PoisonError::into_inner);
        return outcome.clone().unwrap_or_else(|| {
            Err(UserError::new(
                "The scripted run did not come to its end",
                "the window was closed before",
                "Run it again and leave the window alone",
            ))
        });
    }
    Ok(())
}

const WITHOUT_WINDOW: &str = "The same engine runs without a window: eddyscope rollout --model vorticity --frames 100 --out run.nc";

fn create(
    cc: &eframe::CreationContext<'_>,
    options: AppOptions,
    began: Instant,
    outcome: smoke::Outcome,
) -> EddyApp {
    let gpu_errors = GpuErrors::default();
    if let Some(render_state) = &cc.wgpu_render_state {
        paint::install(render_state);
        listen(&render_state.device, &gpu_errors, &cc.egui_ctx);
    }
    let saved = cc
        .storage
        .filter(|_| options.smoke.is_none())
        .and_then(|s| s.get_string(prefs::KEY));
    let (mut prefs, unusable) = match saved.as_deref().map(Prefs::from_json) {
        Some(Ok(prefs)) => (prefs, None),
        Some(Err(error)) => (Prefs::default(), Some(error)),
        None => (Prefs::default(), None),
    };
    if options.smoke.is_some() {
        // The same picture on every machine.
        prefs.dark = Some(true);
    }
    let software = cc
        .wgpu_render_state
        .as_ref()
        .map(|r| r.adapter.get_info())
        .filter(|info| info.device_type == wgpu::DeviceType::Cpu)
        .map(|info| info.name);
    // A software adapter draws with the cores that compute: not at every solver step then.
    let pause = if software.is_some() {
        Duration::from_millis(120)
    } else {
        Duration::ZERO
    };
    let ctx = cc.egui_ctx.clone();
    let wake: Wake = Arc::new(move || ctx.request_repaint_after(pause));
    let device = options.device;
    let wake_aside = Arc::clone(&wake);
    let worker = WorkerOptions {
        device,
        memory_mib: if options.memory_mib == 0 {
            1024
        } else {
            options.memory_mib
        },
        ..WorkerOptions::default()
    };
    let launch: Launch = Box::new(move |start| {
        let options = WorkerOptions {
            model: start.model,
            suggest: start.suggest,
            resume: start.resume,
            ..worker.clone()
        };
        let wake = Arc::clone(&wake);
        Box::new(Worker::spawn(options, start.settings, start.spec, wake))
    });
    let known = match &options.model {
        Some(model) if model != prefs.model_name() => prefs.switch(model),
        _ => {
            prefs.forget_lost_model();
            saved.is_some() && unusable.is_none()
        }
    };
    let mut state = State::new(launch, prefs, known, options.open);
    if let Some(error) = unusable {
        state.notices.warn(error);
    }
    state.software = software;
    state.device = device;
    state.lessons_given = options.lessons;
    state.wake = wake_aside;
    let smoke = options
        .smoke
        .map(|plan| smoke::Smoke::new(plan, began, outcome));
    if smoke.is_none()
        && let Some(folder) = eframe::storage_dir("eddyscope")
    {
        state.keep_copies_in(&folder, options.file.is_some());
    }
    if let Some(file) = options.file {
        state.open_argument(&cc.egui_ctx, file);
    }
    EddyApp::new(&cc.egui_ctx, state, smoke, gpu_errors)
}

/// Errors that nobody else catches are kept, each kind once, and shown.
fn listen(device: &wgpu::Device, errors: &GpuErrors, ctx: &egui::Context) {
    let note = {
        let (errors, ctx) = (Arc::clone(errors), ctx.clone());
        move |text: String| {
            log::error!("graphics: {text}");
            let mut known = errors.lock().unwrap_or_else(PoisonError::into_inner);
            if known.len() < 16 && !known.contains(&text) {
                known.push(text);
            }
            ctx.request_repaint();
        }
    };
    let lost = note.clone();
    device.on_uncaptured_error(Arc::new(move |e: wgpu::Error| note(e.to_string())));
    device.set_device_lost_callback(move |reason, message| {
        if reason != wgpu::DeviceLostReason::Destroyed {
            lost(format!("the device was lost: {message}"));
        }
    });
}

fn native_options(options: &AppOptions) -> eframe::NativeOptions {
    let mut viewport = egui::ViewportBuilder::default()
        .with_title("eddyscope")
        .with_app_id("eddyscope")
        .with_inner_size([1280.0, 800.0])
        .with_min_inner_size([960.0, 640.0])
        .with_drag_and_drop(true);
    if let Ok(icon) = eframe::icon_data::from_png_bytes(include_bytes!("../../assets/icon.png")) {
        viewport = viewport.with_icon(icon);
    }
    let mut native = eframe::NativeOptions {
        viewport,
        renderer: eframe::Renderer::Wgpu,
        // A colour of the map stays the colour of the map.
        dithering: false,
        persist_window: options.smoke.is_none(),
        ..Default::default()
    };
    if let Some(plan) = &options.smoke {
        native.persistence_path = Some(plan.folder.join("state.ron"));
    }
    if let egui_wgpu::WgpuSetup::CreateNew(setup) = &mut native.wgpu_options.wgpu_setup {
        // As cubecl would ask for it, so that drawing and computing can share the device.
        setup.device_descriptor = Arc::new(|adapter| wgpu::DeviceDescriptor {
            label: Some("eddyscope"),
            required_features: adapter
                .features()
                .difference(wgpu::Features::MAPPABLE_PRIMARY_BUFFERS)
                .difference(wgpu::Features::all_experimental_mask()),
            required_limits: adapter.limits(),
            ..Default::default()
        });
    }
    native
}

fn window_error(error: &eframe::Error) -> UserError {
    let (headline, remedy) = match error {
        eframe::Error::Winit(_) | eframe::Error::WinitEventLoop(_) => (
            "The window cannot be opened: there is no display",
            "On a machine without a screen use: eddyscope rollout --model vorticity --frames 100 --out run.nc",
        ),
        eframe::Error::Wgpu(_) => (
            "The window cannot be opened: no graphics adapter can draw into it",
            "Install a Vulkan driver (on Debian: mesa-vulkan-drivers), or use eddyscope rollout without a window",
        ),
        _ => ("The window cannot be opened", WITHOUT_WINDOW),
    };
    UserError::new(headline, error, remedy)
}
