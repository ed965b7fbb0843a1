//! NumPy's `.npy`: 2 to 4 dimensions, float32 or float64, little endian, C order.

use std::path::Path;

use super::files::cannot_read;
use super::netcdf_read::four_dimensions;
use super::series::Series;
use crate::error::Result;
use crate::field::Grid;

/// First bytes of such a file.
pub(super) const MAGIC: &[u8] = b"\x93NUMPY";

/// Reads `(y, x)`, `(time, y, x)` or `(member, time, y, x)`.
///
/// # Errors
/// Another type, order or shape, or a truncated file.
pub(super) fn series_from_bytes(path: &Path, bytes: &[u8]) -> Result<Series> {
    let save_again = "In Python: numpy.save(name, numpy.ascontiguousarray(array, dtype=\"<f4\"))";
    let truncated = || {
        cannot_read(
            path,
            "the .npy file is truncated or its header is damaged",
            "Copy or write the file again",
        )
    };
    let (header, data) = split(bytes).ok_or_else(truncated)?;
    let kind = entry(header, "descr").ok_or_else(truncated)?;
    let kind = kind.trim_matches(['\'', '"']);
    let size = match kind {
        "<f4" => 4,
        "<f8" => 8,
        _ => {
            return Err(cannot_read(
                path,
                format!(
                    "its numbers are of type {kind}; float32 or float64, little endian, are needed"
                ),
                save_again,
            ));
        }
    };
    if entry(header, "fortran_order") != Some("False") {
        return Err(cannot_read(
            path,
            "its array is stored column by column (Fortran order)",
            save_again,
        ));
    }
    let shape: Vec<usize> = entry(header, "shape")
        .ok_or_else(truncated)?
        .trim_matches(['(', ')'])
        .split(',')
        .map(str::trim)
        .filter(|n| !n.is_empty())
        .map(|n| n.parse().map_err(|_| truncated()))
        .collect::<Result<_>>()?;
    let [members, frames, ny, nx] = four_dimensions(path, "the array", &shape, &[])?;
    let count = members * frames * ny * nx;
    if data.len() / size < count {
        return Err(cannot_read(
            path,
            format!(
                "the file is truncated: {} values of {count} are there",
                data.len() / size
            ),
            "Copy or write the file again",
        ));
    }
    let values = if size == 4 {
        let (quads, _) = data.as_chunks::<4>();
        quads[..count]
            .iter()
            .map(|&b| f32::from_le_bytes(b))
            .collect()
    } else {
        let (octets, _) = data.as_chunks::<8>();
        octets[..count]
            .iter()
            .map(|&b| f64::from_le_bytes(b) as f32)
            .collect()
    };
    Ok(Series {
        grid: Grid {
            ny,
            nx,
            length: std::f64::consts::TAU,
        },
        members,
        frames,
        frame_interval: f64::NAN,
        t0: 0.0,
        values,
        variable: "vorticity".into(),
        units: "1".into(),
        start_frames: 0,
        recipe: None,
        history: None,
    })
}

/// Header text and data.
fn split(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let major = *bytes.get(6)?;
    let (length, start) = if major == 1 {
        (
            usize::from(u16::from_le_bytes([*bytes.get(8)?, *bytes.get(9)?])),
            10,
        )
    } else {
        let field = bytes.get(8..12)?;
        let length = u32::from_le_bytes([field[0], field[1], field[2], field[3]]);
        (usize::try_from(length).ok()?, 12)
    };
    let end = length.checked_add(start)?;
    let header = std::str::from_utf8(bytes.get(start..end)?).ok()?;
    Some((header, bytes.get(end..)?))
}

/// Value of `'key': value` in the header, a Python dict with three known keys.
fn entry<'a>(header: &'a str, key: &str) -> Option<&'a str> {
    let after = header.split_once(&format!("'{key}'"))?.1;
    let value = after.trim_start().strip_prefix(':')?.trim_start();
    let end = if value.starts_with('(') {
        value.find(')')? + 1
    } else {
        value.find([',', '}'])?
    };
    Some(value[..end].trim_end())
}
