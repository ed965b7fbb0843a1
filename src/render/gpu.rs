//! The pipeline of `shaders/field.wgsl`.
//!
//! A [`FieldPainter`] lives as long as its device. It keeps one slot per place on the screen: an R32Float texture
//! that is written only when its data change (told by the identity of the shared arrays), a small uniform buffer and a
//! bind group. `textureLoad` needs no filtering of floats, so any adapter will do.

use std::sync::Arc;

use super::globe::Rows;
use super::tone::KNOTS;
use super::{ColorMap, GlobeView, Look, Projection};

/// Source of the shader, also for the tests.
pub const SHADER: &str = include_str!("../../shaders/field.wgsl");

/// Uniforms of the shader; layout as `Params` in `field.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
pub struct Params {
    origin: [f32; 2],
    span: [f32; 2],
    lo: f32,
    inverse_width: f32,
    smooth: u32,
    y_up: u32,
    linear_target: u32,
    projection: u32,
    tone: u32,
    flip: u32,
    centre: f32,
    west: f32,
    dry_below: f32,
    knot_count: u32,
    dry: [f32; 4],
    knots: [[f32; 4]; KNOTS],
}

impl Params {
    fn new(drawing: &Drawing, linear_target: bool) -> Self {
        let look = &drawing.look;
        let mut params = Self {
            origin: drawing.origin,
            span: drawing.span,
            lo: look.range.lo,
            inverse_width: look.range.inverse_width(),
            smooth: u32::from(look.smooth),
            y_up: u32::from(drawing.y_up),
            linear_target: u32::from(linear_target),
            ..bytemuck::Zeroable::zeroed()
        };
        if let Some(globe) = &drawing.globe {
            params.projection = match globe.rows.projection {
                Projection::Equirectangular => 1,
                Projection::EqualEarth => 2,
            };
            params.centre = globe.view.lon as f32;
            params.west = globe.rows.west;
        }
        if let Some(rain) = &look.rain {
            params.tone = 1 + u32::from(rain.tone.log);
            params.flip = u32::from(rain.flip);
            params.dry_below = rain.dry_below;
            let [r, g, b] = rain.dry.map(|c| f32::from(c) / 255.0);
            params.dry = [r, g, b, 1.0];
            params.knot_count = rain.tone.knots().len() as u32;
            for (slot, [x, t]) in params.knots.iter_mut().zip(rain.tone.knots()) {
                *slot = [*x, *t, 0.0, 0.0];
            }
        }
        params
    }
}

/// The globe that a drawing shows.
#[derive(Debug, Clone)]
pub struct OnGlobe {
    /// Where the rows and columns lie.
    pub rows: Arc<Rows>,
    /// Projection and what is seen of it.
    pub view: GlobeView,
}

/// What a slot shows: small values and shared arrays.
#[derive(Debug, Clone)]
pub struct Drawing {
    /// Row-major rows, each with its place in the texture; a whole frame is one entry at row 0.
    pub rows: Vec<(u32, Arc<[f32]>)>,
    /// Columns and rows of the texture.
    pub size: (u32, u32),
    /// Lower left corner (or upper left, if not `y_up`) of what is seen, in cells; on the globe, on its map.
    pub origin: [f32; 2],
    /// Extent of what is seen, in the same unit.
    pub span: [f32; 2],
    /// Whether row 0 is at the bottom.
    pub y_up: bool,
    /// How values become colours.
    pub look: Look,
    /// Projection of the cells, if they lie on the globe.
    pub globe: Option<OnGlobe>,
}

impl Drawing {
    /// A whole frame on the globe.
    pub fn on_globe(
        values: Arc<[f32]>,
        nx: usize,
        rows: Arc<Rows>,
        view: GlobeView,
        look: Look,
    ) -> Self {
        let (origin, span) = view.window();
        Self {
            size: (nx as u32, (values.len() / nx.max(1)) as u32),
            rows: vec![(0, values)],
            origin: origin.map(|v| v as f32),
            span: span.map(|v| v as f32),
            y_up: true,
            look,
            globe: Some(OnGlobe { rows, view }),
        }
    }
}

struct Slot {
    size: (u32, u32),
    map: ColorMap,
    /// Rows of the globe that the bind group holds.
    globe: Option<Arc<Rows>>,
    texture: wgpu::Texture,
    uniforms: wgpu::Buffer,
    bind_group: wgpu::BindGroup,
    params: Option<Params>,
    written: Vec<Option<Arc<[f32]>>>,
}

/// Draws scalar fields into a render pass.
pub struct FieldPainter {
    pipeline: wgpu::RenderPipeline,
    layout: wgpu::BindGroupLayout,
    tables: Vec<(ColorMap, wgpu::TextureView)>,
    slots: Vec<Option<Slot>>,
    linear_target: bool,
}

impl FieldPainter {
    /// Builds the pipeline for a colour target of `format`.
    pub fn new(device: &wgpu::Device, queue: &wgpu::Queue, format: wgpu::TextureFormat) -> Self {
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some("field.wgsl"),
            source: wgpu::ShaderSource::Wgsl(SHADER.into()),
        });
        let texture = |binding| wgpu::BindGroupLayoutEntry {
            binding,
            visibility: wgpu::ShaderStages::FRAGMENT,
            ty: wgpu::BindingType::Texture {
                sample_type: wgpu::TextureSampleType::Float { filterable: false },
                view_dimension: wgpu::TextureViewDimension::D2,
                multisampled: false,
            },
            count: None,
        };
        let layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: Some("field"),
            entries: &[
                wgpu::BindGroupLayoutEntry {
                    binding: 0,
                    visibility: wgpu::ShaderStages::FRAGMENT,
                    ty: wgpu::BindingType::Buffer {
                        ty: wgpu::BufferBindingType::Uniform,
                        has_dynamic_offset: false,
                        min_binding_size: None,
                    },
                    count: None,
                },
                texture(1),
                texture(2),
                texture(3),
            ],
        });
        let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some("field"),
            bind_group_layouts: &[Some(&layout)],
            immediate_size: 0,
        });
        let pipeline = device.create_render_pipeline(&wgpu::RenderPipelineDescriptor {
            label: Some("field"),
            layout: Some(&pipeline_layout),
            vertex: wgpu::VertexState {
                module: &module,
                entry_point: Some("vertex_main"),
                compilation_options: Default::default(),
                buffers: &[],
            },
            primitive: wgpu::PrimitiveState::default(),
            depth_stencil: None,
            multisample: wgpu::MultisampleState::default(),
            fragment: Some(wgpu::FragmentState {
                module: &module,
                entry_point: Some("fragment_main"),
                compilation_options: Default::default(),
                targets: &[Some(format.into())],
            }),
            multiview_mask: None,
            cache: None,
        });
        let tables = ColorMap::ALL
            .into_iter()
            .map(|map| (map, table_texture(device, queue, map)))
            .collect();
        Self {
            pipeline,
            layout,
            tables,
            slots: Vec::new(),
            linear_target: format.is_srgb(),
        }
    }

    /// Brings slot `index` up to date: writes what changed, nothing else.
    pub fn prepare(
        &mut self,
        device: &wgpu::Device,
        queue: &wgpu::Queue,
        index: usize,
        drawing: &Drawing,
    ) {
        let (width, height) = drawing.size;
        let limit = device.limits().max_texture_dimension_2d;
        if width == 0 || height == 0 || width > limit || height > limit {
            return;
        }
        while self.slots.len() <= index {
            self.slots.push(None);
        }
        let fits = self.slots[index].as_ref().is_some_and(|s| {
            s.size == drawing.size && s.map == drawing.look.map && s.stands_on(drawing)
        });
        if !fits {
            self.slots[index] = self.new_slot(device, queue, drawing);
        }
        let linear_target = self.linear_target;
        let Some(slot) = self.slots[index].as_mut() else {
            return;
        };
        for (row, values) in &drawing.rows {
            slot.write(queue, *row, values);
        }
        let params = Params::new(drawing, linear_target);
        if slot.params != Some(params) {
            queue.write_buffer(&slot.uniforms, 0, bytemuck::bytes_of(&params));
            slot.params = Some(params);
        }
    }

    /// Draws slot `index` over the whole viewport of the pass.
    pub fn paint(&self, pass: &mut wgpu::RenderPass<'_>, index: usize) {
        let Some(Some(slot)) = self.slots.get(index) else {
            return;
        };
        pass.set_pipeline(&self.pipeline);
        pass.set_bind_group(0, &slot.bind_group, &[]);
        pass.draw(0..3, 0..1);
    }

    fn new_slot(
        &self,
        device: &wgpu::Device,
        queue: &wgpu::Queue,
        drawing: &Drawing,
    ) -> Option<Slot> {
        let map = drawing.look.map;
        let (_, table) = self.tables.iter().find(|(m, _)| *m == map)?;
        let texture = device.create_texture(&wgpu::TextureDescriptor {
            label: Some("field values"),
            size: wgpu::Extent3d {
                width: drawing.size.0,
                height: drawing.size.1,
                depth_or_array_layers: 1,
            },
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            format: wgpu::TextureFormat::R32Float,
            usage: wgpu::TextureUsages::TEXTURE_BINDING | wgpu::TextureUsages::COPY_DST,
            view_formats: &[],
        });
        let uniforms = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("field params"),
            size: size_of::<Params>() as u64,
            usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let view = texture.create_view(&Default::default());
        let globe = drawing.globe.as_ref().map(|g| Arc::clone(&g.rows));
        let rows = rows_texture(device, queue, globe.as_deref());
        let bind_group = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("field"),
            layout: &self.layout,
            entries: &[
                wgpu::BindGroupEntry {
                    binding: 0,
                    resource: uniforms.as_entire_binding(),
                },
                wgpu::BindGroupEntry {
                    binding: 1,
                    resource: wgpu::BindingResource::TextureView(&view),
                },
                wgpu::BindGroupEntry {
                    binding: 2,
                    resource: wgpu::BindingResource::TextureView(table),
                },
                wgpu::BindGroupEntry {
                    binding: 3,
                    resource: wgpu::BindingResource::TextureView(&rows),
                },
            ],
        });
        Some(Slot {
            size: drawing.size,
            map,
            globe,
            texture,
            uniforms,
            bind_group,
            params: None,
            written: vec![None; drawing.size.1 as usize],
        })
    }
}

impl Slot {
    /// Whether the slot's rows of latitude are the drawing's.
    fn stands_on(&self, drawing: &Drawing) -> bool {
        match (&self.globe, &drawing.globe) {
            (None, None) => true,
            (Some(a), Some(b)) => Arc::ptr_eq(a, &b.rows),
            _ => false,
        }
    }

    /// Writes whole rows starting at `row`, unless the very same array lies there already.
    fn write(&mut self, queue: &wgpu::Queue, row: u32, values: &Arc<[f32]>) {
        let (width, height) = self.size;
        let rows = values.len() as u32 / width;
        if rows == 0 || row + rows > height || values.len() as u32 != rows * width {
            return;
        }
        let known = &mut self.written[row as usize];
        if known.as_ref().is_some_and(|old| Arc::ptr_eq(old, values)) {
            return;
        }
        queue.write_texture(
            wgpu::TexelCopyTextureInfo {
                texture: &self.texture,
                mip_level: 0,
                origin: wgpu::Origin3d { x: 0, y: row, z: 0 },
                aspect: wgpu::TextureAspect::All,
            },
            bytemuck::cast_slice(values),
            wgpu::TexelCopyBufferLayout {
                offset: 0,
                bytes_per_row: Some(width * 4),
                rows_per_image: None,
            },
            wgpu::Extent3d {
                width,
                height: rows,
                depth_or_array_layers: 1,
            },
        );
        *known = Some(Arc::clone(values));
    }
}

/// Edges of the rows (texture row 0) and their middles (texture row 1) on the map; one texel where there is no globe.
fn rows_texture(
    device: &wgpu::Device,
    queue: &wgpu::Queue,
    rows: Option<&Rows>,
) -> wgpu::TextureView {
    let (mut data, width) = match rows {
        Some(rows) => (rows.bounds.clone(), rows.bounds.len()),
        None => (vec![0.0], 1),
    };
    data.extend(rows.map_or(&[][..], |r| &r.middles));
    data.resize(2 * width, 0.0);
    let size = wgpu::Extent3d {
        width: width as u32,
        height: 2,
        depth_or_array_layers: 1,
    };
    let texture = device.create_texture(&wgpu::TextureDescriptor {
        label: Some("rows of the globe"),
        size,
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format: wgpu::TextureFormat::R32Float,
        usage: wgpu::TextureUsages::TEXTURE_BINDING | wgpu::TextureUsages::COPY_DST,
        view_formats: &[],
    });
    queue.write_texture(
        texture.as_image_copy(),
        bytemuck::cast_slice(&data),
        wgpu::TexelCopyBufferLayout {
            offset: 0,
            bytes_per_row: Some(width as u32 * 4),
            rows_per_image: None,
        },
        size,
    );
    texture.create_view(&Default::default())
}

fn table_texture(device: &wgpu::Device, queue: &wgpu::Queue, map: ColorMap) -> wgpu::TextureView {
    let size = wgpu::Extent3d {
        width: 256,
        height: 1,
        depth_or_array_layers: 1,
    };
    let texture = device.create_texture(&wgpu::TextureDescriptor {
        label: Some(map.label()),
        size,
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format: wgpu::TextureFormat::Rgba8Unorm,
        usage: wgpu::TextureUsages::TEXTURE_BINDING | wgpu::TextureUsages::COPY_DST,
        view_formats: &[],
    });
    queue.write_texture(
        texture.as_image_copy(),
        &map.rgba(),
        wgpu::TexelCopyBufferLayout {
            offset: 0,
            bytes_per_row: Some(256 * 4),
            rows_per_image: None,
        },
        size,
    );
    texture.create_view(&Default::default())
}
