//! What the window looks like: a dark and a light theme, one accent, one colour a method.
//!
//! The frames are the brightest thing on the screen; everything around them is neutral. The accent is the colour of
//! the guided lane, because guidance is what this program is about. Distances are multiples of 4 points.

use egui::{Color32, CornerRadius, FontFamily, FontId, Margin, Stroke, TextStyle, Theme, vec2};

use crate::rollout::settings::LaneKind;

/// One step of the grid, points.
pub const GRID: f32 = 4.0;

/// Colours that egui's own visuals have no place for.
#[derive(Debug, Clone, Copy)]
pub struct Palette {
    /// Behind the lanes: the darkest (or lightest) surface.
    pub canvas: Color32,
    /// Panels around it.
    pub panel: Color32,
    /// A surface that can be pressed.
    pub raised: Color32,
    /// Text and truth.
    pub text: Color32,
    /// Text of lesser weight.
    pub weak: Color32,
    /// Hairlines between panels and in plots.
    pub line: Color32,
    /// The accent: guided.
    pub accent: Color32,
    /// Unconditional.
    pub unconditional: Color32,
    /// Forecaster + noise.
    pub forecaster: Color32,
    /// The video model.
    pub video: Color32,
    /// The video model, guided.
    pub guided_video: Color32,
    /// Something is wrong.
    pub alarm: Color32,
}

const DARK: Palette = Palette {
    canvas: Color32::from_rgb(0x10, 0x11, 0x13),
    panel: Color32::from_rgb(0x19, 0x1a, 0x1d),
    raised: Color32::from_rgb(0x2a, 0x2c, 0x31),
    text: Color32::from_rgb(0xea, 0xeb, 0xee),
    weak: Color32::from_rgb(0xa2, 0xa6, 0xaf),
    line: Color32::from_rgb(0x2e, 0x30, 0x35),
    accent: Color32::from_rgb(0xf0, 0xa0, 0x30),
    unconditional: Color32::from_rgb(0x8f, 0xac, 0xc8),
    forecaster: Color32::from_rgb(0xcf, 0xc4, 0x5e),
    video: Color32::from_rgb(0x2f, 0xb8, 0x98),
    guided_video: Color32::from_rgb(0xc0, 0x96, 0xe8),
    alarm: Color32::from_rgb(0xf0, 0x70, 0x5c),
};

const LIGHT: Palette = Palette {
    canvas: Color32::from_rgb(0xff, 0xff, 0xff),
    panel: Color32::from_rgb(0xf5, 0xf5, 0xf3),
    raised: Color32::from_rgb(0xe4, 0xe4, 0xe1),
    text: Color32::from_rgb(0x1b, 0x1c, 0x1f),
    weak: Color32::from_rgb(0x5e, 0x62, 0x6a),
    line: Color32::from_rgb(0xdc, 0xdc, 0xd8),
    accent: Color32::from_rgb(0xb8, 0x62, 0x00),
    unconditional: Color32::from_rgb(0x4f, 0x70, 0x92),
    forecaster: Color32::from_rgb(0x76, 0x6a, 0x00),
    video: Color32::from_rgb(0x00, 0x7a, 0x62),
    guided_video: Color32::from_rgb(0x7a, 0x42, 0xb4),
    alarm: Color32::from_rgb(0xb8, 0x32, 0x20),
};

impl Palette {
    /// The palette of a theme.
    pub fn of(theme: Theme) -> &'static Self {
        match theme {
            Theme::Dark => &DARK,
            Theme::Light => &LIGHT,
        }
    }

    /// Colour of a method, the same in titles, lines and marks.
    pub fn lane(&self, kind: LaneKind) -> Color32 {
        match kind {
            LaneKind::Truth => self.text,
            LaneKind::Unconditional => self.unconditional,
            LaneKind::Guided => self.accent,
            LaneKind::Forecaster => self.forecaster,
            LaneKind::Video => self.video,
            LaneKind::GuidedVideo => self.guided_video,
        }
    }
}

/// The palette in force.
pub fn palette(ui: &egui::Ui) -> &'static Palette {
    Palette::of(if ui.visuals().dark_mode {
        Theme::Dark
    } else {
        Theme::Light
    })
}

/// Small text.
pub fn small() -> FontId {
    FontId::new(11.5, FontFamily::Proportional)
}

/// Normal text.
pub fn body() -> FontId {
    FontId::new(13.5, FontFamily::Proportional)
}

/// Installs both themes.
pub fn install(ctx: &egui::Context) {
    for theme in [Theme::Dark, Theme::Light] {
        ctx.style_mut_of(theme, |style| dress(style, theme));
    }
}

fn dress(style: &mut egui::Style, theme: Theme) {
    let p = Palette::of(theme);
    style.text_styles = [
        (TextStyle::Small, small()),
        (TextStyle::Body, body()),
        (TextStyle::Button, body()),
        (
            TextStyle::Monospace,
            FontId::new(12.0, FontFamily::Monospace),
        ),
        (
            TextStyle::Heading,
            FontId::new(17.0, FontFamily::Proportional),
        ),
    ]
    .into();
    // Panels do not move while sampling, and nothing repaints for the sake of a fade.
    style.animation_time = 0.0;
    style.interaction.selectable_labels = false;
    style.interaction.tooltip_delay = 0.4;

    let s = &mut style.spacing;
    s.item_spacing = vec2(2.0 * GRID, 1.5 * GRID);
    s.button_padding = vec2(2.0 * GRID, GRID);
    s.interact_size = vec2(32.0, 24.0);
    s.slider_width = 120.0;
    s.slider_rail_height = 4.0;
    s.menu_margin = Margin::same(8);
    s.window_margin = Margin::same(16);
    s.icon_width = 16.0;
    s.icon_width_inner = 9.0;
    s.combo_width = 88.0;
    s.tooltip_width = 320.0;

    let v = &mut style.visuals;
    v.override_text_color = None;
    v.weak_text_color = Some(p.weak);
    v.panel_fill = p.panel;
    v.window_fill = p.panel;
    v.window_stroke = Stroke::new(1.0, p.line);
    v.extreme_bg_color = p.canvas;
    v.text_edit_bg_color = Some(p.canvas);
    v.faint_bg_color = p.raised;
    v.hyperlink_color = p.accent;
    v.warn_fg_color = p.accent;
    v.error_fg_color = p.alarm;
    v.selection.bg_fill = p
        .accent
        .gamma_multiply(if theme == Theme::Dark { 0.45 } else { 0.35 });
    v.selection.stroke = Stroke::new(1.0, p.text);
    v.window_corner_radius = CornerRadius::same(8);
    v.menu_corner_radius = CornerRadius::same(8);
    v.slider_trailing_fill = true;
    v.handle_shape = egui::style::HandleShape::Circle;
    v.striped = false;
    v.indent_has_left_vline = false;
    v.window_shadow = egui::Shadow {
        offset: [0, 8],
        blur: 24,
        spread: 0,
        color: Color32::from_black_alpha(if theme == Theme::Dark { 110 } else { 40 }),
    };
    v.popup_shadow = v.window_shadow;

    let hover = if theme == Theme::Dark {
        Color32::from_rgb(0x38, 0x3a, 0x41)
    } else {
        Color32::from_rgb(0xd6, 0xd6, 0xd2)
    };
    let w = &mut v.widgets;
    for (visuals, fill, text) in [
        (&mut w.noninteractive, p.panel, p.text),
        (&mut w.inactive, p.raised, p.text),
        (&mut w.hovered, hover, p.text),
        (&mut w.active, hover, p.text),
        (&mut w.open, p.raised, p.text),
    ] {
        visuals.bg_fill = fill;
        visuals.weak_bg_fill = fill;
        visuals.bg_stroke = Stroke::NONE;
        visuals.fg_stroke = Stroke::new(1.0, text);
        visuals.corner_radius = CornerRadius::same(5);
        visuals.expansion = 0.0;
    }
    w.noninteractive.bg_stroke = Stroke::new(1.0, p.line);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn luminance(c: Color32) -> f32 {
        let [r, g, b, _] = egui::Rgba::from(c).to_array();
        0.2126 * r + 0.7152 * g + 0.0722 * b
    }

    fn contrast(a: Color32, b: Color32) -> f32 {
        let (a, b) = (luminance(a) + 0.05, luminance(b) + 0.05);
        a.max(b) / a.min(b)
    }

    #[test]
    fn text_and_method_colours_are_readable() {
        // WCAG 2 AA: 4.5 for text.
        for theme in [Theme::Dark, Theme::Light] {
            let p = Palette::of(theme);
            for surface in [p.panel, p.canvas] {
                for c in [
                    p.text,
                    p.weak,
                    p.accent,
                    p.unconditional,
                    p.forecaster,
                    p.video,
                    p.guided_video,
                    p.alarm,
                ] {
                    let got = contrast(c, surface);
                    // Light accent on the panel is used for lines and short titles.
                    assert!(got >= 4.0, "{theme:?} {c:?} on {surface:?}: {got}");
                }
                assert!(contrast(p.weak, surface) >= 4.5);
            }
        }
    }
}
