// A scalar field as pixels: texel -> fixed range -> entry of a 256-colour table.
// Flat, or on the globe through the inverse of a projection.
// The same arithmetic in Rust: src/render/{cpu,globe,projection,tone}.rs; tests/shaders.rs holds the two together.

struct Params {
    // Lower left corner of what is seen and its extent. Flat: in cells; the field is periodic, any value is allowed.
    // Globe: on the map, -1..1 in both directions.
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
    // 0: flat, 1: equirectangular, 2: Equal Earth.
    projection: u32,
    // 0: lo and inverse_width, 1: knots in the value, 2: knots in its logarithm.
    tone: u32,
    // 1: the table runs backwards.
    flip: u32,
    // Longitude in the middle of the map, and of the western edge of column 0, degrees east.
    centre: f32,
    west: f32,
    // With a tone: values below have a colour of their own.
    dry_below: f32,
    knot_count: u32,
    dry: vec4f,
    // x: value or logarithm, y: place on the table.
    knots: array<vec4f, 8>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var field: texture_2d<f32>;
@group(0) @binding(2) var table: texture_2d<f32>;
// Row 0: edges of the rows of latitude, row 1: their middles; y on the map, ascending.
@group(0) @binding(3) var rows: texture_2d<f32>;

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

// Equal Earth (Savric, Patterson and Jenny 2019).
const A1: f32 = 1.340264;
const A2: f32 = -0.081106;
const A3: f32 = 0.000893;
const A4: f32 = 0.003796;
const Y_END: f32 = 1.3173628;

// Longitude relative to the central one (degrees), and 1 within the globe. No function is called that a device may
// approximate: the edges of cells would move.
fn inverse(place: vec2f) -> vec2f {
    var lon = 180.0 * place.x;
    if params.projection == 2u {
        let goal = place.y * Y_END;
        var theta = goal / A1;
        var slope = A1;
        for (var i = 0; i < 6; i++) {
            let t2 = theta * theta;
            let t6 = t2 * t2 * t2;
            slope = A1 + 3.0 * A2 * t2 + t6 * (7.0 * A3 + 9.0 * A4 * t2);
            theta -= (theta * (A1 + A2 * t2 + t6 * (A3 + A4 * t2)) - goal) / slope;
        }
        // The cosine's series; |theta| is below pi / 3.
        let s = theta * theta;
        let cosine = 1.0 - s / 2.0 * (1.0 - s / 12.0 * (1.0 - s / 30.0 * (1.0 - s / 56.0 * (1.0 - s / 90.0 * (1.0 - s / 132.0)))));
        lon = place.x * (180.0 / A1) * slope / cosine;
    }
    let inside = abs(place.y) <= 1.0 && abs(lon) <= 180.0;
    return vec2f(lon, select(0.0, 1.0, inside));
}

// Index of the last entry of a row of `rows` that is not above `y`, among `count` ascending ones; -1 before the first.
fn last_not_above(line: i32, count: i32, y: f32) -> i32 {
    var low = -1;
    var high = count;
    for (var i = 0; i < 16 && high - low > 1; i++) {
        let middle = (low + high) / 2;
        if textureLoad(rows, vec2i(middle, line), 0).r <= y {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

// Place in cells of a longitude (degrees east) and a y on the map; rows end at the poles.
fn cell_place(lon: f32, y: f32) -> vec2f {
    let size = vec2i(textureDimensions(field));
    let turn = (lon - params.west) / 360.0;
    let x = (turn - floor(turn)) * f32(size.x);
    if params.smooth_cells == 0u {
        let row = clamp(last_not_above(0, size.y + 1, y), 0, size.y - 1);
        return vec2f(x, f32(row) + 0.5);
    }
    let below = last_not_above(1, size.y, y);
    if below < 0 || below >= size.y - 1 {
        return vec2f(x, f32(clamp(below, 0, size.y - 1)) + 0.5);
    }
    let a = textureLoad(rows, vec2i(below, 1), 0).r;
    let b = textureLoad(rows, vec2i(below + 1, 1), 0).r;
    return vec2f(x, f32(below) + 0.5 + (y - a) / (b - a));
}

fn table_place(value: f32) -> f32 {
    if params.tone == 0u {
        return clamp((value - params.lo) * params.inverse_width, 0.0, 1.0);
    }
    var x = value;
    if params.tone == 2u {
        x = log(max(value, 1e-30));
    }
    var t = 0.0;
    for (var i = 1u; i < min(params.knot_count, 8u); i++) {
        let a = params.knots[i - 1u];
        let b = params.knots[i];
        if x >= a.x && b.x > a.x {
            t = a.y + (b.y - a.y) * min((x - a.x) / (b.x - a.x), 1.0);
        }
    }
    return clamp(t, 0.0, 1.0);
}

@fragment
fn fragment_main(in: Vertex) -> @location(0) vec4f {
    let up = select(in.uv.y, 1.0 - in.uv.y, params.y_up == 1u);
    var place = params.origin + vec2f(in.uv.x, up) * params.span;
    if params.projection != 0u {
        let at = inverse(place);
        if at.y == 0.0 {
            discard;
        }
        place = cell_place(params.centre + at.x, place.y);
    }
    var value: f32;
    if params.smooth_cells == 1u {
        value = bilinear(place);
    } else {
        value = nearest(place);
    }
    var color = vec3f(0.5, 0.5, 0.5);
    if is_finite(value) {
        var t = table_place(value);
        if params.flip == 1u {
            t = 1.0 - t;
        }
        color = textureLoad(table, vec2i(i32(floor(t * 255.0 + 0.5)), 0), 0).rgb;
        if params.tone != 0u && value < params.dry_below {
            color = params.dry.rgb;
        }
    }
    if params.linear_target == 1u {
        color = linear_from_srgb(color);
    }
    return vec4f(color, 1.0);
}
