//! Presenter mode: the lanes alone on black (on white in the light theme), large, with λ and how alike neighbouring frames
//! are; for a projector and the back row. Every key works as usual.

use egui::{
    Align2, Color32, CornerRadius, FontFamily, FontId, Key, Modifiers, Rect, RichText, Ui,
    UiBuilder, pos2, vec2,
};

use crate::rollout::settings::LaneKind;

use super::actions;
use super::panels::{lane, viewport};
use super::plots;
use super::stage::Stage;
use super::state::State;
use super::theme::{GRID, palette, small};
use super::widgets::number;

/// How much larger everything is.
pub const ZOOM: f32 = 1.4;
/// Height of the line of figures, points.
pub const FOOT: f32 = 64.0;
const KEYS: &str =
    "Space play   [ ] λ down, up   0 1 λ off, on   M history   A plot   F11 or Esc leave";

/// State of the mode.
#[derive(Debug, Clone, Copy, Default)]
pub struct Presenter {
    /// Whether it is on.
    pub on: bool,
    /// The stage that is shown again when it is left.
    stage: Stage,
    /// Whether the autocorrelation is shown beside the lanes.
    pub plot: bool,
}

/// Keys of the mode; before all others, since Esc means something else outside of it.
pub fn keyboard(ctx: &egui::Context, state: &mut State) {
    let pressed = |modifiers, key| ctx.input_mut(|i| i.consume_key(modifiers, key));
    let typing = ctx.egui_wants_keyboard_input();
    let switched =
        pressed(Modifiers::NONE, Key::F11) || (!typing && pressed(Modifiers::SHIFT, Key::P));
    let on = state.presenter.on;
    // An open list or window closes first.
    let free = on && !typing && !state.has_window() && !egui::Popup::is_any_open(ctx);
    let left = free && pressed(Modifiers::NONE, Key::Escape);
    if switched || left {
        set(ctx, state, !on);
    } else if on && !typing && pressed(Modifiers::NONE, Key::A) {
        state.presenter.plot = !state.presenter.plot;
    }
}

/// Leaves the mode where another stage was asked for: it needs the whole window.
pub fn give_way(ctx: &egui::Context, state: &mut State) {
    if state.presenter.on && state.stage != Stage::Lanes {
        state.presenter.stage = state.stage;
        set(ctx, state, false);
    }
}

/// Begins or leaves the mode.
pub fn set(ctx: &egui::Context, state: &mut State, on: bool) {
    // Keys mean what the screen shows: the lanes.
    match (state.presenter.on, on) {
        (false, true) => state.presenter.stage = std::mem::take(&mut state.stage),
        (true, false) => state.stage = std::mem::take(&mut state.presenter.stage),
        _ => {}
    }
    state.presenter.on = on;
    state.help_open = false;
    state.lessons.list_open = false;
    ctx.send_viewport_cmd(egui::ViewportCommand::Fullscreen(on));
    match on {
        true => ctx.set_theme(egui::ThemePreference::Dark),
        false => actions::apply_theme(ctx, state.prefs.dark),
    }
    ctx.set_zoom_factor(zoom(state));
}

/// Size of everything in the window: the person's own, and larger in this mode.
pub fn zoom(state: &State) -> f32 {
    match state.presenter.on {
        true => ZOOM * state.prefs.scale,
        false => state.prefs.scale,
    }
}

/// The whole window.
pub fn show(ui: &mut Ui, state: &mut State) {
    let whole = ui.max_rect();
    let wall = match ui.visuals().dark_mode {
        true => Color32::BLACK,
        false => Color32::WHITE,
    };
    ui.painter().rect_filled(whole, CornerRadius::ZERO, wall);
    state.hover = None;
    let foot = Rect::from_min_max(pos2(whole.left(), whole.bottom() - FOOT), whole.max);
    let mut room = Rect::from_min_max(whole.min, pos2(whole.right(), foot.top()));
    if state.presenter.plot && !state.archive.frames.is_empty() {
        let width = (0.36 * whole.width()).clamp(220.0, 420.0);
        let rect = Rect::from_min_max(pos2(room.right() - width, room.top()), room.max);
        room.max.x = rect.left();
        let inner = rect.shrink2(vec2(3.0 * GRID, 4.0 * GRID));
        ui.scope_builder(UiBuilder::new().max_rect(inner), |ui| {
            ui.set_clip_rect(inner.expand(4.0));
            match state.globe().is_some() {
                true => plots::rain_time::show(ui, state),
                false => plots::time::show(ui, state),
            }
        });
    }
    lanes(ui, state, room.shrink(3.0 * GRID));
    figures(ui, state, foot.shrink2(vec2(4.0 * GRID, GRID)));
}

fn lanes(ui: &mut Ui, state: &mut State, room: Rect) {
    let kinds = state.lanes();
    if state.archive.frames.is_empty() || kinds.is_empty() {
        let p = palette(ui);
        let text = state.progress.activity.clone();
        ui.painter().text(
            room.center(),
            Align2::CENTER_CENTER,
            text,
            large(20.0),
            p.weak,
        );
        return;
    }
    let aspect = state.aspect();
    let gap = 3.0 * GRID;
    let (columns, side) = viewport::tiling(kinds.len(), room.size(), aspect);
    let high = (side / aspect).round() + lane::TITLE;
    let rows = kinds.len().div_ceil(columns);
    let all = vec2(
        columns as f32 * (side + gap) - gap,
        rows as f32 * (high + gap) - gap,
    );
    let corner = (room.center() - all / 2.0).round();
    for (i, kind) in kinds.into_iter().enumerate() {
        let (column, row) = ((i % columns) as f32, (i / columns) as f32);
        let at = pos2(
            corner.x + column * (side + gap),
            corner.y + row * (high + gap),
        );
        lane::show(ui, state, kind, Rect::from_min_size(at, vec2(side, high)));
    }
}

fn large(size: f32) -> FontId {
    FontId::new(size, FontFamily::Proportional)
}

/// λ, m, and the lag-1 correlation of each lane.
fn figures(ui: &mut Ui, state: &State, rect: Rect) {
    let p = palette(ui);
    let painter = ui.painter_at(rect.expand(4.0));
    let g = &state.prefs.settings.guidance;
    let base = rect.top() + 18.0;
    let mut x = rect.left();
    let mut write = |text: String, size: f32, color: Color32, gap: f32| {
        let galley = painter.layout_no_wrap(text, large(size), color);
        let at = pos2(x, base - galley.size().y / 2.0);
        x += galley.size().x + gap;
        painter.galley(at, galley, color);
    };
    write(
        format!("λ {}", number(g.strength.into(), 2)),
        32.0,
        p.accent,
        24.0,
    );
    write(format!("m {}", g.history), 22.0, p.text, 24.0);
    if !state.applied() && state.progress.running {
        write("…".into(), 22.0, p.weak, 24.0);
    }
    if let Some(frame) = state.shown() {
        let at = match frame.date {
            Some(date) => date.to_string(),
            None => format!("frame {}", frame.index),
        };
        let paused = if state.play.playing { "" } else { " · paused" };
        write(format!("{at}{paused}"), 22.0, p.weak, 24.0);
    }
    // From the right: how alike neighbours are.
    let mut x = rect.right();
    let lanes = [LaneKind::Guided, LaneKind::Unconditional, LaneKind::Truth];
    for kind in lanes
        .into_iter()
        .filter(|k| state.prefs.settings.lanes[k.index()])
    {
        let figures = &state.archive.diagnostics[kind.index()];
        let r = match &figures.rain {
            Some(rain) => rain.tropics_acf.get(1).copied().unwrap_or(f64::NAN),
            None => figures.acf.get(1).copied().unwrap_or(f64::NAN),
        };
        let text = number(r, 2);
        let galley = painter.layout_no_wrap(text, large(22.0), p.lane(kind));
        x -= galley.size().x;
        painter.galley(pos2(x, base - galley.size().y / 2.0), galley, p.text);
        x -= 16.0;
    }
    if x < rect.right() {
        let at = pos2(x, base);
        painter.text(
            at,
            Align2::RIGHT_CENTER,
            match state.globe() {
                Some(_) => "lag-1 correlation, 20S-20N",
                None => "lag-1 correlation",
            },
            large(13.0),
            p.weak,
        );
    }
    let line = RichText::new(KEYS).font(small()).color(p.weak);
    let hint = Rect::from_min_max(pos2(rect.left(), rect.bottom() - 18.0), rect.max);
    ui.scope_builder(UiBuilder::new().max_rect(hint), |ui| {
        ui.add(egui::Label::new(line).truncate());
    });
}
