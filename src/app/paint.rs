//! From a lane's rectangle to the field shader: egui's paint callback, with small values only.

use egui::{PaintCallbackInfo, Rect};
use egui_wgpu::{CallbackResources, CallbackTrait, RenderState, ScreenDescriptor};

use crate::render::gpu::{Drawing, FieldPainter};

/// Puts the field pipeline where the callbacks find it. Once, at the start.
pub fn install(state: &RenderState) {
    let painter = FieldPainter::new(&state.device, &state.queue, state.target_format);
    state.renderer.write().callback_resources.insert(painter);
}

/// Draws `drawing` over `rect` and returns the whole pixels that it covers. Each place on the screen has its own `slot`.
pub fn field(ui: &egui::Ui, rect: Rect, slot: usize, drawing: Drawing) -> Rect {
    // Whole pixels: otherwise the edge cells of the picture would differ in size.
    let scale = ui.pixels_per_point();
    let snap = |p: egui::Pos2| (p.to_vec2() * scale).round() / scale;
    let rect = Rect::from_min_max(snap(rect.min).to_pos2(), snap(rect.max).to_pos2());
    ui.painter().add(egui_wgpu::Callback::new_paint_callback(
        rect,
        FieldCallback { slot, drawing },
    ));
    rect
}

struct FieldCallback {
    slot: usize,
    drawing: Drawing,
}

impl CallbackTrait for FieldCallback {
    fn prepare(
        &self,
        device: &wgpu::Device,
        queue: &wgpu::Queue,
        _screen: &ScreenDescriptor,
        _encoder: &mut wgpu::CommandEncoder,
        resources: &mut CallbackResources,
    ) -> Vec<wgpu::CommandBuffer> {
        if let Some(painter) = resources.get_mut::<FieldPainter>() {
            painter.prepare(device, queue, self.slot, &self.drawing);
        }
        Vec::new()
    }

    fn paint(
        &self,
        _info: PaintCallbackInfo,
        pass: &mut wgpu::RenderPass<'static>,
        resources: &CallbackResources,
    ) {
        if let Some(painter) = resources.get::<FieldPainter>() {
            painter.paint(pass, self.slot);
        }
    }
}
