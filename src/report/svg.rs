//! A scene as SVG. Words are outlines: the file needs no font. Each outline is defined once.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use skrifa::outline::OutlinePen;

use crate::export::canvas::Rgb;
use crate::export::text::Typeface;

use super::scene::{Anchor, Item, Picture, Scene, Text};

/// Height of an em of the defined outlines.
const EM: f32 = 100.0;

/// The scene as an SVG document. `id` keeps its outlines apart from those of other scenes on one page; `title` is read
/// out.
pub fn svg(scene: &Scene, id: &str, title: &str) -> String {
    let mut writer = Writer {
        face: Typeface::default(),
        id,
        outlines: BTreeMap::new(),
        body: String::new(),
    };
    for item in &scene.items {
        writer.item(item);
    }
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" xmlns:xlink=\"http://www.w3.org/1999/xlink\" width=\"{w}\" \
         height=\"{h}\" viewBox=\"0 0 {w} {h}\" role=\"img\"><title>{}</title>\n",
        escape(title),
        w = short(scene.width),
        h = short(scene.height)
    );
    out.push_str("<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n<defs>\n");
    for (number, path) in writer.outlines.values() {
        let _ = writeln!(out, "<path id=\"{id}-{number}\" d=\"{path}\"/>");
    }
    out.push_str("</defs>\n");
    out.push_str(&writer.body);
    out.push_str("</svg>\n");
    out
}

/// A text with the characters that mean something in XML replaced.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// Bytes as base64.
pub fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let word = chunk
            .iter()
            .enumerate()
            .fold(0u32, |word, (i, b)| word | u32::from(*b) << (16 - 8 * i));
        for i in 0..4 {
            if i <= chunk.len() {
                out.push(DIGITS[(word >> (18 - 6 * i)) as usize & 63] as char);
            } else {
                out.push('=');
            }
        }
    }
    out
}

/// A number with two decimals at most.
fn short(value: f32) -> String {
    let text = format!("{value:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" {
        "0".into()
    } else {
        text.into()
    }
}

fn hex([r, g, b]: Rgb) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}

fn path(points: &[[f32; 2]]) -> String {
    let mut d = String::new();
    for (i, p) in points.iter().enumerate() {
        let _ = write!(
            d,
            "{}{} {}",
            if i == 0 { "M" } else { "L" },
            short(p[0]),
            short(p[1])
        );
    }
    d
}

struct Writer<'a> {
    face: Typeface,
    id: &'a str,
    outlines: BTreeMap<char, (usize, String)>,
    body: String,
}

impl Writer<'_> {
    fn item(&mut self, item: &Item) {
        let body = &mut self.body;
        // Writing to a String does not fail.
        let _ = match item {
            Item::Line { points, stroke } => {
                let dash = if stroke.dash.is_empty() {
                    String::new()
                } else {
                    let lengths: Vec<String> = stroke.dash.iter().map(|v| short(*v)).collect();
                    format!(" stroke-dasharray=\"{}\"", lengths.join(" "))
                };
                writeln!(
                    body,
                    "<path d=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"{}\" stroke-opacity=\"{}\" \
                     stroke-linejoin=\"round\"{dash}/>",
                    path(points),
                    hex(stroke.color),
                    short(stroke.width),
                    short(stroke.alpha)
                )
            }
            Item::Area {
                points,
                color,
                alpha,
            } => writeln!(
                body,
                "<path d=\"{}Z\" fill=\"{}\" fill-opacity=\"{}\"/>",
                path(points),
                hex(*color),
                short(*alpha)
            ),
            Item::Picture(picture) => {
                let [x, y, w, h] = picture.area.map(short);
                writeln!(
                    body,
                    "<image x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" preserveAspectRatio=\"none\" \
                     style=\"image-rendering:pixelated\" xlink:href=\"data:image/png;base64,{}\"/>",
                    base64(&png_of(picture))
                )
            }
            Item::Text(text) => {
                self.text(text);
                Ok(())
            }
        };
    }

    fn text(&mut self, text: &Text) {
        let width = self.face.width(&text.text, text.size);
        let shift = match text.anchor {
            Anchor::Start => 0.0,
            Anchor::Middle => -0.5 * width,
            Anchor::End => -width,
        };
        let turn = if text.upwards { " rotate(-90)" } else { "" };
        let scale = text.size / EM;
        let mut pen = shift / scale;
        let _ = write!(
            self.body,
            "<g fill=\"{}\" aria-label=\"{}\" transform=\"translate({} {}){turn} scale({scale})\">",
            hex(text.color),
            escape(&text.text),
            short(text.at[0]),
            short(text.at[1])
        );
        for c in text.text.chars() {
            let line = self.face.layout(c.encode_utf8(&mut [0; 4]), EM);
            let Some(glyph) = line.first() else { continue };
            if !c.is_whitespace() {
                let next = self.outlines.len();
                let face = &self.face;
                let (number, _) = self.outlines.entry(c).or_insert_with(|| {
                    let mut pen = Pen::default();
                    face.outline(glyph.id, EM, &mut pen);
                    (next, pen.0)
                });
                let _ = write!(
                    self.body,
                    "<use xlink:href=\"#{}-{number}\" x=\"{}\"/>",
                    self.id,
                    short(pen)
                );
            }
            pen += self.face.width(c.encode_utf8(&mut [0; 4]), EM);
        }
        self.body.push_str("</g>\n");
    }
}

/// A picture as the bytes of a PNG file; empty where its pixels do not fit its size.
fn png_of(picture: &Picture) -> Vec<u8> {
    super::raster::png(picture.columns, picture.rows, &picture.rgba, &[]).unwrap_or_default()
}

/// Outlines as the commands of a path, y downwards.
#[derive(Default)]
struct Pen(String);

impl Pen {
    fn push(&mut self, command: char, numbers: &[f32]) {
        self.0.push(command);
        for (i, v) in numbers.iter().enumerate() {
            let v = if i % 2 == 1 { -v } else { *v };
            if i > 0 {
                self.0.push(' ');
            }
            let _ = write!(self.0, "{}", short((v * 10.0).round() / 10.0));
        }
    }
}

impl OutlinePen for Pen {
    fn move_to(&mut self, x: f32, y: f32) {
        self.push('M', &[x, y]);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        self.push('L', &[x, y]);
    }

    fn quad_to(&mut self, cx: f32, cy: f32, x: f32, y: f32) {
        self.push('Q', &[cx, cy, x, y]);
    }

    fn curve_to(&mut self, cx0: f32, cy0: f32, cx1: f32, cy1: f32, x: f32, y: f32) {
        self.push('C', &[cx0, cy0, cx1, cy1, x, y]);
    }

    fn close(&mut self) {
        self.0.push('Z');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::scene::Stroke;

    #[test]
    fn base64_has_the_published_values() {
        for (plain, coded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foob", "Zm9vYg=="),
        ] {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
    }

    #[test]
    fn outlines_are_defined_once_and_words_are_escaped() {
        let mut scene = Scene::new(100.0, 50.0);
        scene.text([10.0, 10.0], Anchor::Start, 12.0, [0; 3], "a<a & a");
        scene.line(
            vec![[0.0, 0.0], [1.5, 2.0]],
            Stroke::solid([255, 0, 0], 1.0),
        );
        let text = svg(&scene, "f", "a & b");
        assert_eq!(text.matches("<path id=").count(), 3, "{text}");
        assert_eq!(text.matches("<use").count(), 5);
        assert!(text.contains("aria-label=\"a&lt;a &amp; a\"") && text.contains("M0 0L1.5 2"));
        assert!(text.contains("<title>a &amp; b</title>"));
    }
}
