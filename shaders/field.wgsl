// A scalar field as pixels: texel -> fixed range -> entry of a 256-colour table.
// The same arithmetic in Rust: src/render/cpu.rs; tests/shaders.rs holds the two together.

struct Params {
    // Lower left corner of what is seen and its extent, in cells. The field is periodic: any value is allowed.
    origin: vec2f,
    span: vec2f,
    // Value of the first colour, and 1 / (value of the last - value of the first).
    lo: f32,
    inverse_width: f32,
    // 1: bilinear between cell centres, 0: nearest cell.
    smooth_cells: u32,
    // 1: row 0 at the bottom (a field), 0: row 0 at the top (a Hovmoeller diagram).
    y_up: u32,
    // 1: the target stores linear light and encodes by itself.
    linear_target: u32,
    pad0: u32,
    pad1: u32,
    pad2: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var field: texture_2d<f32>;
@group(0) @binding(2) var table: texture_2d<f32>;

struct Vertex {
    @builtin(position) position: vec4f,
    @location(0) uv: vec2f,
}

// One triangle that covers the viewport; uv has its origin at the upper left corner.
@vertex
fn vertex_main(@builtin(vertex_index) index: u32) -> Vertex {
    let corner = vec2f(f32((index << 1u) & 2u), f32(index & 2u));
    var out: Vertex;
    out.position = vec4f(corner * 2.0 - 1.0, 0.0, 1.0);
    out.uv = vec2f(corner.x, 1.0 - corner.y);
    return out;
}

fn wrapped(cell: vec2i) -> f32 {
    let size = vec2i(textureDimensions(field));
    return textureLoad(field, ((cell % size) + size) % size, 0).r;
}

fn nearest(place: vec2f) -> f32 {
    return wrapped(vec2i(floor(place)));
}

fn bilinear(place: vec2f) -> f32 {
    let centred = place - 0.5;
    let cell = vec2i(floor(centred));
    let f = centred - floor(centred);
    let lower = mix(wrapped(cell), wrapped(cell + vec2i(1, 0)), f.x);
    let upper = mix(wrapped(cell + vec2i(0, 1)), wrapped(cell + vec2i(1, 1)), f.x);
    return mix(lower, upper, f.y);
}

// Not a number and infinities: told by their bits, since comparisons may be optimised away.
fn is_finite(value: f32) -> bool {
    return (bitcast<u32>(value) & 0x7f800000u) != 0x7f800000u;
}

fn linear_from_srgb(c: vec3f) -> vec3f {
    return select(pow((c + 0.055) / 1.055, vec3f(2.4)), c / 12.92, c <= vec3f(0.04045));
}

@fragment
fn fragment_main(in: Vertex) -> @location(0) vec4f {
    let up = select(in.uv.y, 1.0 - in.uv.y, params.y_up == 1u);
    let place = params.origin + vec2f(in.uv.x, up) * params.span;
    var value: f32;
    if params.smooth_cells == 1u {
        value = bilinear(place);
    } else {
        value = nearest(place);
    }
    var color = vec3f(0.5, 0.5, 0.5);
    if is_finite(value) {
        let t = clamp((value - params.lo) * params.inverse_width, 0.0, 1.0);
        color = textureLoad(table, vec2i(i32(floor(t * 255.0 + 0.5)), 0), 0).rgb;
    }
    if params.linear_target == 1u {
        color = linear_from_srgb(color);
    }
    return vec4f(color, 1.0);
}
