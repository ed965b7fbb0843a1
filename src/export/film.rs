//! Pictures one after another into a film: GIF, animated WebP.

use std::borrow::Cow;
use std::io::{self, Seek, SeekFrom, Write};

use super::canvas::Canvas;
use super::carry::{KEYWORD, XMP, escape};
use super::palette::Palette;

/// Takes the pictures of a film, all of one size.
pub(super) trait Film {
    /// The next picture.
    fn frame(&mut self, canvas: &Canvas) -> io::Result<()>;
    /// The end.
    fn finish(&mut self) -> io::Result<()>;
}

fn too_large(_: impl Sized) -> io::Error {
    io::Error::other("the picture is too large for this kind of file: use a smaller scale")
}

/// A GIF that repeats for ever, with one table of colours; of each picture only what changed is stored.
pub(super) struct Gif<W: Write> {
    encoder: Option<gif::Encoder<W>>,
    palette: Palette,
    /// Hundredths of a second.
    delay: u16,
    size: (usize, usize),
    before: Vec<u8>,
}

impl<W: Write> Gif<W> {
    /// `rate`: pictures a second.
    pub(super) fn new(
        out: W,
        (width, height): (usize, usize),
        rate: f32,
        palette: Palette,
        recipe: &str,
    ) -> io::Result<Self> {
        let size = (
            u16::try_from(width).map_err(too_large)?,
            u16::try_from(height).map_err(too_large)?,
        );
        let mut encoder =
            gif::Encoder::new(out, size.0, size.1, palette.bytes()).map_err(io::Error::other)?;
        encoder
            .set_repeat(gif::Repeat::Infinite)
            .map_err(io::Error::other)?;
        let comment = format!("{KEYWORD}{recipe}");
        let blocks: Vec<&[u8]> = comment.as_bytes().chunks(255).collect();
        encoder
            .write_raw_extension(gif::AnyExtension(0xFE), &blocks)
            .map_err(io::Error::other)?;
        Ok(Self {
            encoder: Some(encoder),
            palette,
            delay: (100.0 / rate).round().clamp(2.0, 6000.0) as u16,
            size: (width, height),
            before: Vec::new(),
        })
    }
}

impl<W: Write> Film for Gif<W> {
    fn frame(&mut self, canvas: &Canvas) -> io::Result<()> {
        let now = self.palette.indices(&canvas.pixels);
        let (width, height) = self.size;
        let (left, top, right, bottom) = changed(&self.before, &now, width, height);
        let cells: Vec<u8> = (top..bottom)
            .filter_map(|y| now.get(y * width + left..y * width + right))
            .flatten()
            .copied()
            .collect();
        let frame = gif::Frame {
            delay: self.delay,
            left: left as u16,
            top: top as u16,
            width: (right - left) as u16,
            height: (bottom - top) as u16,
            dispose: gif::DisposalMethod::Keep,
            buffer: Cow::Owned(cells),
            ..gif::Frame::default()
        };
        self.before = now;
        match &mut self.encoder {
            Some(encoder) => encoder.write_frame(&frame).map_err(io::Error::other),
            None => Ok(()),
        }
    }

    fn finish(&mut self) -> io::Result<()> {
        match self.encoder.take() {
            Some(encoder) => encoder.into_inner().map_err(io::Error::other)?.flush(),
            None => Ok(()),
        }
    }
}

/// The smallest rectangle outside of which nothing changed, one pixel at least: left, top, right, bottom.
fn changed(before: &[u8], now: &[u8], width: usize, height: usize) -> (usize, usize, usize, usize) {
    if before.len() != now.len() {
        return (0, 0, width, height);
    }
    let (mut left, mut top, mut right, mut bottom) = (width, height, 0, 0);
    let rows = before.chunks_exact(width).zip(now.chunks_exact(width));
    for (y, (a, b)) in rows.enumerate() {
        let differs = |(p, q): (&u8, &u8)| p != q;
        let Some(first) = a.iter().zip(b).position(differs) else {
            continue;
        };
        let last = a.iter().zip(b).rposition(differs).unwrap_or(first);
        left = left.min(first);
        right = right.max(last + 1);
        top = top.min(y);
        bottom = y + 1;
    }
    match bottom {
        0 => (0, 0, 1, 1),
        _ => (left, top, right, bottom),
    }
}

/// An animated WebP that repeats for ever, without loss. The container is written here, the pictures by `image-webp`.
pub(super) struct WebP<W: Write + Seek> {
    out: W,
    size: (u32, u32),
    /// Milliseconds.
    delay: u32,
    begun: u64,
    xmp: String,
}

impl<W: Write + Seek> WebP<W> {
    /// `rate`: pictures a second.
    pub(super) fn new(
        mut out: W,
        (width, height): (usize, usize),
        rate: f32,
        recipe: &str,
    ) -> io::Result<Self> {
        let side = |n: usize| {
            u32::try_from(n)
                .ok()
                .filter(|n| (1..=16384).contains(n))
                .ok_or_else(|| too_large(()))
        };
        let size = (side(width)?, side(height)?);
        let begun = out.stream_position()?;
        out.write_all(b"RIFF\0\0\0\0WEBP")?;
        // Animation and XMP.
        let mut head = vec![0x02 | 0x04, 0, 0, 0];
        head.extend(three(size.0 - 1));
        head.extend(three(size.1 - 1));
        chunk(&mut out, b"VP8X", &head)?;
        // Background white, loops for ever.
        chunk(&mut out, b"ANIM", &[255, 255, 255, 255, 0, 0])?;
        let xmp = format!(
            "<x:xmpmeta xmlns:x=\"adobe:ns:meta/\"><rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">\
             <rdf:Description xmlns:eddyscope=\"urn:eddyscope\">{}{}{}</rdf:Description></rdf:RDF></x:xmpmeta>",
            XMP.0,
            escape(recipe),
            XMP.1
        );
        Ok(Self {
            out,
            size,
            delay: (1000.0 / rate).round().clamp(10.0, 60_000.0) as u32,
            begun,
            xmp,
        })
    }
}

impl<W: Write + Seek> Film for WebP<W> {
    fn frame(&mut self, canvas: &Canvas) -> io::Result<()> {
        let rgb: Vec<u8> = canvas
            .pixels
            .chunks_exact(4)
            .flat_map(|p| [p[0], p[1], p[2]])
            .collect();
        let mut still = Vec::new();
        image_webp::WebPEncoder::new(&mut still)
            .encode(&rgb, self.size.0, self.size.1, image_webp::ColorType::Rgb8)
            .map_err(io::Error::other)?;
        // RIFF header, then the one chunk of a still picture.
        let picture = still
            .get(12..)
            .filter(|c| c.starts_with(b"VP8L"))
            .ok_or_else(|| io::Error::other("the WebP encoder made another kind of picture"))?;
        let mut body = Vec::with_capacity(picture.len() + 16);
        for value in [0, 0, self.size.0 - 1, self.size.1 - 1, self.delay] {
            body.extend(three(value));
        }
        // Replaces what is there.
        body.push(0x02);
        body.extend(picture);
        chunk(&mut self.out, b"ANMF", &body)
    }

    fn finish(&mut self) -> io::Result<()> {
        chunk(&mut self.out, b"XMP ", self.xmp.as_bytes())?;
        let end = self.out.stream_position()?;
        let length = u32::try_from(end - self.begun - 8)
            .map_err(|_| io::Error::other("the film is larger than 4 GiB: export fewer frames"))?;
        self.out.seek(SeekFrom::Start(self.begun + 4))?;
        self.out.write_all(&length.to_le_bytes())?;
        self.out.seek(SeekFrom::Start(end))?;
        self.out.flush()
    }
}

fn three(value: u32) -> [u8; 3] {
    let [a, b, c, _] = value.to_le_bytes();
    [a, b, c]
}

fn chunk(out: &mut impl Write, name: &[u8; 4], body: &[u8]) -> io::Result<()> {
    let length = u32::try_from(body.len()).map_err(too_large)?;
    out.write_all(name)?;
    out.write_all(&length.to_le_bytes())?;
    out.write_all(body)?;
    match body.len() % 2 {
        1 => out.write_all(&[0]),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_changed_is_stored() {
        let before = [0; 12];
        let mut now = before;
        now[5] = 1;
        now[10] = 1;
        assert_eq!(changed(&before, &now, 4, 3), (1, 1, 3, 3));
        assert_eq!(changed(&before, &before, 4, 3), (0, 0, 1, 1));
        assert_eq!(changed(&[], &now, 4, 3), (0, 0, 4, 3));
    }
}
