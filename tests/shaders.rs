//! WGSL: every shader is valid, and draws what its twin in Rust draws.

use std::sync::Arc;

use eddyscope::field::Globe;
use eddyscope::render::globe::{self, Rows};
use eddyscope::render::gpu::{Drawing, FieldPainter};
use eddyscope::render::{
    ColorMap, GlobeView, Look, Projection, RainLook, Tone, ValueRange, View, cpu,
};

#[test]
fn all_shaders_are_valid() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/shaders");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).expect("the folder of shaders") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|e| e != "wgsl") {
            continue;
        }
        let source = std::fs::read_to_string(&path).expect("a shader");
        let module = naga::front::wgsl::parse_str(&source).unwrap_or_else(|e| {
            panic!(
                "{}",
                e.emit_to_string_with_path(&source, &path.display().to_string())
            )
        });
        naga::valid::Validator::new(
            naga::valid::ValidationFlags::all(),
            naga::valid::Capabilities::empty(),
        )
        .validate(&module)
        .unwrap_or_else(|e| panic!("{}: {e:?}", path.display()));
        seen += 1;
    }
    assert!(seen > 0);
}

fn device() -> Option<(wgpu::Device, wgpu::Queue)> {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    let adapter =
        pollster::block_on(instance.request_adapter(&wgpu::RequestAdapterOptions::default()))
            .ok()?;
    pollster::block_on(adapter.request_device(&wgpu::DeviceDescriptor::default())).ok()
}

/// Draws with the shader into `side` x `side` pixels and reads them back.
fn draw(device: &wgpu::Device, queue: &wgpu::Queue, drawing: &Drawing, side: u32) -> Vec<u8> {
    let format = wgpu::TextureFormat::Rgba8Unorm;
    let mut painter = FieldPainter::new(device, queue, format);
    painter.prepare(device, queue, 2, drawing);
    let size = wgpu::Extent3d {
        width: side,
        height: side,
        depth_or_array_layers: 1,
    };
    let target = device.create_texture(&wgpu::TextureDescriptor {
        label: None,
        size,
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format,
        usage: wgpu::TextureUsages::RENDER_ATTACHMENT | wgpu::TextureUsages::COPY_SRC,
        view_formats: &[],
    });
    let buffer = device.create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size: u64::from(side * side * 4),
        usage: wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ,
        mapped_at_creation: false,
    });
    let mut encoder = device.create_command_encoder(&Default::default());
    {
        let view = target.create_view(&Default::default());
        let mut pass = encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
            color_attachments: &[Some(wgpu::RenderPassColorAttachment {
                view: &view,
                depth_slice: None,
                resolve_target: None,
                ops: wgpu::Operations {
                    load: wgpu::LoadOp::Clear(wgpu::Color::BLACK),
                    store: wgpu::StoreOp::Store,
                },
            })],
            ..Default::default()
        });
        painter.paint(&mut pass, 2);
    }
    encoder.copy_texture_to_buffer(
        target.as_image_copy(),
        wgpu::TexelCopyBufferInfo {
            buffer: &buffer,
            layout: wgpu::TexelCopyBufferLayout {
                offset: 0,
                bytes_per_row: Some(side * 4),
                rows_per_image: None,
            },
        },
        size,
    );
    queue.submit([encoder.finish()]);
    buffer
        .slice(..)
        .map_async(wgpu::MapMode::Read, |r| r.expect("mapped"));
    device
        .poll(wgpu::PollType::wait_indefinitely())
        .expect("polled");
    buffer
        .slice(..)
        .get_mapped_range()
        .expect("mapped range")
        .to_vec()
}

#[test]
fn shader_and_rust_agree() {
    let Some((device, queue)) = device() else {
        eprintln!("skipped: there is no graphics adapter, not even a software one");
        return;
    };
    let (nx, ny) = (16usize, 12usize);
    let mut field: Vec<f32> = (0..nx * ny)
        .map(|i| ((i * 37 % 101) as f32 - 50.0) / 20.0)
        .collect();
    field[5] = f32::NAN;
    field[77] = f32::INFINITY;
    let values: Arc<[f32]> = field.into();
    // 64 pixels a side: rows of 256 bytes, as a copy into a buffer needs.
    let side = 64;
    let mut view = View::default();
    view.pan(0.31, -0.17);
    view.zoom_at(2.3, 0.2, 0.6);
    for map in ColorMap::ALL {
        for smooth in [false, true] {
            for view in [View::default(), view] {
                let look = Look::plain(map, ValueRange { lo: -2.0, hi: 1.5 }, smooth);
                let (origin, span) = view.window(nx, ny);
                let drawing = Drawing {
                    rows: vec![(0, Arc::clone(&values))],
                    size: (nx as u32, ny as u32),
                    origin,
                    span,
                    y_up: true,
                    look,
                    globe: None,
                };
                let gpu = draw(&device, &queue, &drawing, side);
                let cpu = cpu::rasterise(
                    &values,
                    (nx, ny),
                    &view,
                    &look,
                    (side as usize, side as usize),
                );
                // A pixel that falls on the edge of a cell or of a colour may go either way.
                let far = gpu
                    .chunks_exact(4)
                    .zip(cpu.chunks_exact(4))
                    .filter(|(a, b)| a.iter().zip(*b).any(|(x, y)| x.abs_diff(*y) > 6))
                    .count();
                let allowed = (side * side / 200) as usize;
                assert!(
                    far <= allowed,
                    "{map:?} smooth {smooth} {view:?}: {far} pixels differ"
                );
            }
        }
    }
}

#[test]
fn shader_and_rust_agree_on_the_globe() {
    let Some((device, queue)) = device() else {
        eprintln!("skipped: there is no graphics adapter, not even a software one");
        return;
    };
    // Uneven rows that reach the poles; the first column is centred on Greenwich.
    let lat: Vec<f64> = (0..24)
        .map(|j| -88.0 + 176.0 * (f64::from(j) / 23.0) + 1.5 * f64::from(j % 2))
        .collect();
    let grid = Globe::new(lat, 0.0, 40).expect("a globe");
    let mut field: Vec<f32> = (0..grid.len())
        .map(|i| 10f32.powf(((i * 37 % 101) as f32 - 50.0) / 25.0))
        .collect();
    field[5] = f32::NAN;
    let values: Arc<[f32]> = field.into();
    let range = ValueRange { lo: 0.1, hi: 100.0 };
    let known = [(0.75, 1.27), (0.9, 6.3), (0.95, 12.5), (0.99, 25.4)];
    let side = 128;
    for projection in Projection::ALL {
        let rows = Arc::new(Rows::of(&grid, projection));
        for (smooth, tone, flip) in [
            (false, Tone::log(range), false),
            (true, Tone::quantiles(range, 0.475, &known), true),
            (true, Tone::linear(ValueRange { lo: 0.0, hi: 40.0 }), false),
        ] {
            let mut turned = GlobeView {
                projection,
                lon: -73.0,
                ..GlobeView::default()
            };
            turned.zoom_at(2.5, 0.3, 0.8);
            for view in [turned.whole(), turned] {
                let look = Look {
                    rain: Some(RainLook {
                        tone,
                        dry_below: 0.1,
                        dry: [31, 33, 37],
                        flip,
                    }),
                    ..Look::plain(ColorMap::Navia, range, smooth)
                };
                let drawing = Drawing::on_globe(values.clone(), grid.nx, rows.clone(), view, look);
                let gpu = draw(&device, &queue, &drawing, side);
                let size = (side as usize, side as usize);
                let cpu = globe::rasterise(&values, &rows, &view, &look, size);
                // Beside the globe the shader leaves the black ground. A pixel on the edge of a cell may go either way.
                let far = gpu
                    .chunks_exact(4)
                    .zip(cpu.chunks_exact(4))
                    .filter(|(a, b)| (0..3).any(|i| a[i].abs_diff(b[i]) > 6))
                    .count();
                let allowed = (side * side / 200) as usize;
                assert!(far <= allowed, "{tone:?} {view:?}: {far} pixels differ");
            }
        }
    }
}
