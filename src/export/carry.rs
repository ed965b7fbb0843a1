//! The recipe back out of a file, whatever its kind. Nothing in the file is believed: lengths are held against what is
//! there, and no text of more than [`LARGEST`] bytes is taken in.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use crate::error::{Result, UserError};

use super::plan::Watch;
use super::recipe::Reading;
use super::session_file::{self, SessionFile};

/// Keyword before the recipe: in PNG chunks, GIF comments, CSV lines.
pub(super) const KEYWORD: &str = "eddyscope-recipe";
/// Name of the element in XMP, before and after the recipe.
pub(super) const XMP: (&str, &str) = ("<eddyscope:recipe>", "</eddyscope:recipe>");
/// Name of the box at the end of an MP4 file that carries a recipe too long for the comment.
pub(super) const UUID: [u8; 16] = *b"eddyscope-recipe";
/// A longer recipe is not read.
const LARGEST: u64 = 64 << 20;
/// Boxes, chunks and blocks of a file that are looked at before giving up.
const MOST_PARTS: usize = 1_000_000;

/// What a file holds.
#[derive(Debug, Clone)]
pub enum Carried {
    /// How it was made.
    Recipe(Reading),
    /// A session: also the frames.
    Session(Box<SessionFile>),
}

/// Reads what a file carries.
///
/// # Errors
/// The file cannot be read, carries no recipe, or is damaged.
pub fn read(path: &Path) -> Result<Carried> {
    read_watched(path, &Watch::default())
}

/// As [`read`], with progress and cancel.
///
/// # Errors
/// As [`read`]; the end was asked for.
pub fn read_watched(path: &Path, watch: &Watch) -> Result<Carried> {
    if path.is_dir() {
        return Err(fail(path, "it is a folder, not a file"));
    }
    let file = File::open(path).map_err(|e| fail(path, e))?;
    let mut file = BufReader::new(file);
    let mut head = [0; 16];
    let count = read_up_to(&mut file, &mut head).map_err(|e| fail(path, e))?;
    file.rewind().map_err(|e| fail(path, e))?;
    let head = head.get(..count).unwrap_or_default();
    if head.starts_with(session_file::MAGIC) {
        return Ok(Carried::Session(Box::new(session_file::read(path, watch)?)));
    }
    let found = match head {
        [0x89, b'P', b'N', b'G', ..] => from_png(&mut file),
        [b'G', b'I', b'F', ..] => from_gif(&mut file),
        [b'R', b'I', b'F', b'F', ..] => from_webp(&mut file),
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => from_mp4(&mut file),
        [b'C', b'D', b'F', _, ..] => from_netcdf(&mut file),
        [0x93, b'N', b'U', b'M', b'P', b'Y', ..] => from_text(&sidecar(path)),
        [b'{', ..] => from_text(path),
        [b'#', ..] => from_csv(&mut file),
        _ => Ok(None),
    };
    let text = found.map_err(|e| fail(path, e))?.ok_or_else(|| {
        fail(
            path,
            "it carries no recipe: it was not written by eddyscope, or another program has changed it",
        )
    })?;
    Reading::from_json(&text)
        .map(Carried::Recipe)
        .map_err(|e| UserError {
            headline: format!("{} {}", e.headline, path.display()),
            ..e
        })
}

fn fail(path: &Path, cause: impl std::fmt::Display) -> UserError {
    UserError::new(
        format!("Cannot read a recipe from {}", path.display()),
        cause,
        "Use a file that was saved by eddyscope and not changed by another program",
    )
}

/// File beside an array that holds its recipe.
pub fn sidecar(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".json");
    PathBuf::from(name)
}

type Found = io::Result<Option<String>>;

fn damaged(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

fn read_up_to(file: &mut impl Read, out: &mut [u8]) -> io::Result<usize> {
    let mut count = 0;
    while let Some(rest) = out.get_mut(count..).filter(|r| !r.is_empty()) {
        match file.read(rest)? {
            0 => break,
            n => count += n,
        }
    }
    Ok(count)
}

/// Exactly `length` bytes, of a size that is believable.
fn take(file: &mut impl Read, length: u64) -> io::Result<Vec<u8>> {
    if length > LARGEST {
        return Err(damaged("a part of it claims an impossible length"));
    }
    let mut out = Vec::new();
    file.take(length).read_to_end(&mut out)?;
    match out.len() as u64 == length {
        true => Ok(out),
        false => Err(damaged("the file is truncated")),
    }
}

fn array<const N: usize>(file: &mut impl Read) -> io::Result<[u8; N]> {
    let mut out = [0; N];
    file.read_exact(&mut out)?;
    Ok(out)
}

fn utf8(bytes: Vec<u8>) -> Found {
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Some(text)),
        Err(_) => Err(damaged("its recipe is not text")),
    }
}

fn from_text(path: &Path) -> Found {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    utf8(take(&mut BufReader::new(file), length)?)
}

fn from_csv(file: &mut impl io::BufRead) -> Found {
    let mut line = Vec::new();
    file.take(LARGEST).read_until(b'\n', &mut line)?;
    let text = utf8(line)?.unwrap_or_default();
    let text = text.trim_start_matches('#').trim();
    Ok(text.strip_prefix(KEYWORD).map(|t| t.trim().to_owned()))
}

fn from_png(file: &mut (impl io::BufRead + Seek)) -> Found {
    let reader = png::Decoder::new(file)
        .read_info()
        .map_err(|e| damaged(&e.to_string()))?;
    let chunks = &reader.info().utf8_text;
    let Some(mut chunk) = chunks.iter().find(|c| c.keyword == KEYWORD).cloned() else {
        return Ok(None);
    };
    // It may be compressed, by another program, and then be of any length.
    let text = chunk
        .decompress_text_with_limit(LARGEST as usize)
        .and_then(|()| chunk.get_text());
    text.map(Some).map_err(|e| damaged(&e.to_string()))
}

/// Comment extensions of a GIF, up to the first frame.
fn from_gif(file: &mut impl Read) -> Found {
    let head: [u8; 13] = array(file)?;
    if head[10] & 0x80 != 0 {
        take(file, 3 << ((head[10] & 7) + 1))?;
    }
    for _ in 0..MOST_PARTS {
        let [kind] = array(file)?;
        if kind != 0x21 {
            break;
        }
        let [label] = array(file)?;
        let mut bytes = Vec::new();
        loop {
            let [length] = array(file)?;
            if length == 0 {
                break;
            }
            let part = take(file, u64::from(length))?;
            if label == 0xFE {
                bytes.extend(part);
            }
            if bytes.len() as u64 > LARGEST {
                return Err(damaged("a comment of impossible length"));
            }
        }
        if let Some(text) = bytes.strip_prefix(KEYWORD.as_bytes()) {
            return utf8(text.to_vec());
        }
    }
    Ok(None)
}

/// The XMP chunk of a WebP file.
fn from_webp(file: &mut (impl Read + Seek)) -> Found {
    let head: [u8; 12] = array(file)?;
    if !head.ends_with(b"WEBP") {
        return Ok(None);
    }
    for _ in 0..MOST_PARTS {
        let mut name = [0; 4];
        if read_up_to(file, &mut name)? < 4 {
            break;
        }
        let length = u64::from(u32::from_le_bytes(array(file)?));
        if name == *b"XMP " {
            let text = utf8(take(file, length)?)?.unwrap_or_default();
            let inner = text
                .split_once(XMP.0)
                .and_then(|(_, rest)| rest.split_once(XMP.1));
            return Ok(inner.map(|(json, _)| unescape(json)));
        }
        file.seek(SeekFrom::Current((length + length % 2) as i64))?;
    }
    Ok(None)
}

/// Text for XML.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

fn unescape(text: &str) -> String {
    text.replace("&gt;", ">")
        .replace("&lt;", "<")
        .replace("&amp;", "&")
}

/// The comment of an MP4 file, or the box of our own at its end.
fn from_mp4(file: &mut (impl Read + Seek)) -> Found {
    let end = file.seek(SeekFrom::End(0))?;
    file.rewind()?;
    let mut parts = 0;
    find_box(file, (0, end), &[], &mut parts)
}

/// Ways to what is looked for.
const COMMENT: [&[u8; 4]; 5] = [b"moov", b"udta", b"meta", b"ilst", b"\xA9cmt"];

fn find_box(
    file: &mut (impl Read + Seek),
    (mut at, end): (u64, u64),
    way: &[[u8; 4]],
    parts: &mut usize,
) -> Found {
    while at.checked_add(8).is_some_and(|next| next <= end) {
        *parts += 1;
        if *parts > MOST_PARTS {
            break;
        }
        file.seek(SeekFrom::Start(at))?;
        let short = u64::from(u32::from_be_bytes(array(file)?));
        let name: [u8; 4] = array(file)?;
        let (length, header) = match short {
            0 => (end - at, 8),
            1 => (u64::from_be_bytes(array(file)?), 16),
            n => (n, 8),
        };
        let next = at.checked_add(length).filter(|n| *n <= end);
        let Some(next) = next.filter(|_| length >= header) else {
            return Err(damaged("a part of it claims an impossible length"));
        };
        let body = at + header;
        let wanted = COMMENT.get(way.len()).is_some_and(|w| **w == name);
        if way.is_empty() && name == *b"uuid" && next - body >= 16 {
            if array::<16>(file)? == UUID {
                return utf8(take(file, next - body - 16)?);
            }
        } else if way.len() == COMMENT.len() && name == *b"data" && next - body >= 8 {
            array::<8>(file)?;
            let text = utf8(take(file, next - body - 8)?)?;
            return Ok(text.filter(|t| t.starts_with('{')));
        } else if wanted {
            // `meta` has a version before its boxes.
            let skip = if name == *b"meta" { 4 } else { 0 };
            let mut deeper = way.to_vec();
            deeper.push(name);
            let inner = (body.saturating_add(skip).min(next), next);
            if let Some(found) = find_box(file, inner, &deeper, parts)? {
                return Ok(Some(found));
            }
        }
        at = next;
    }
    Ok(None)
}

/// The global attribute `recipe` of a classic NetCDF file.
fn from_netcdf(file: &mut (impl Read + Seek)) -> Found {
    let [_, _, _, version]: [u8; 4] = array(file)?;
    let wide = version == 5;
    let number = |file: &mut dyn Read| -> io::Result<u64> {
        let mut bytes = [0; 8];
        let part = if wide {
            &mut bytes[..]
        } else {
            &mut bytes[4..]
        };
        file.read_exact(part)?;
        Ok(u64::from_be_bytes(bytes))
    };
    let text = |file: &mut dyn Read| -> io::Result<Vec<u8>> {
        let length = number(file)?;
        let mut bytes = take(&mut &mut *file, length.next_multiple_of(4))?;
        bytes.truncate(length as usize);
        Ok(bytes)
    };
    number(file)?;
    // Dimensions.
    array::<4>(file)?;
    for _ in 0..number(file)?.min(MOST_PARTS as u64) {
        text(file)?;
        number(file)?;
    }
    // Attributes.
    array::<4>(file)?;
    for _ in 0..number(file)?.min(MOST_PARTS as u64) {
        let name = text(file)?;
        let size = match u32::from_be_bytes(array(file)?) {
            1 | 2 | 7 => 1,
            3 | 8 => 2,
            4 | 5 | 9 => 4,
            6 | 10 | 11 => 8,
            _ => return Err(damaged("its header is damaged")),
        };
        let count = number(file)?;
        let bytes = count
            .checked_mul(size)
            .and_then(|n| n.checked_next_multiple_of(4));
        let Some(bytes) = bytes.filter(|b| *b <= LARGEST) else {
            return Err(damaged("a part of it claims an impossible length"));
        };
        let mut value = take(file, bytes)?;
        if name == b"recipe" {
            value.truncate(count as usize);
            return utf8(value);
        }
    }
    Ok(None)
}
