//! Going on with a file that a run has begun.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::panic::catch_unwind;
use std::path::Path;
use std::time::Instant;

use netcdf_reader::{NcFile, NcOpenOptions, NcVariable};

use super::{RainStream, RainStreamInfo, describe, fixed_values, open_to_write, read_frame};
use crate::data::calendar::{Calendar, Date};
use crate::data::files::{cannot_read, read_error};
use crate::error::{Result, UserError};
use crate::field::Globe;

/// Header and coordinates end before this.
const HEAD: u64 = 8 << 20;

/// A file that goes on.
#[derive(Debug)]
pub struct Resumed {
    /// Takes the next frames.
    pub stream: RainStream,
    /// The last frames, oldest first: values of all members, mm/day.
    pub last: Vec<Vec<f32>>,
}

impl RainStream {
    /// Opens a file written by [`RainStream::create`] to go on after its last whole frame, with its last `keep` frames.
    ///
    /// # Errors
    /// Another kind of file, one that was changed, or that another run is writing.
    pub fn open_for_resume(path: &Path, keep: usize) -> Result<Resumed> {
        // What cannot be read is told as such, before it is opened for writing.
        File::open(path).map_err(|e| read_error(path, &e))?;
        let mut file = open_to_write(path)?;
        let (info, source) = read_head(path, &mut file)?;
        let layout = describe(&info, &source).encode();
        let mut head = vec![0; layout.records_at as usize];
        file.seek(SeekFrom::Start(0))
            .and_then(|_| file.read_exact(&mut head))
            .map_err(|e| read_error(path, &e))?;
        let counted = u32::from_be_bytes([head[4], head[5], head[6], head[7]]);
        head[4..8].fill(0);
        let (header, fixed) = head.split_at(layout.bytes.len().min(head.len()));
        if header != layout.bytes || fixed != fixed_values(&info) {
            return Err(not_ours(
                path,
                "its header was changed, or written by another program",
            ));
        }
        // A copy may have lost its end: only whole records count.
        let length = file.metadata().map_err(|e| read_error(path, &e))?.len();
        let whole = length.saturating_sub(layout.records_at) / layout.record;
        let frames = usize::try_from(whole.min(u64::from(counted))).unwrap_or(usize::MAX);

        let read = |file: &mut File| -> io::Result<(Vec<Vec<f32>>, i64)> {
            let last = (frames.saturating_sub(keep)..frames)
                .map(|i| read_frame(file, &layout, &info, i))
                .collect::<io::Result<_>>()?;
            let Some(at) = frames.checked_sub(1) else {
                return Ok((last, 0));
            };
            file.seek(SeekFrom::Start(
                layout.records_at + layout.record * at as u64 + 8,
            ))?;
            let mut bytes = [0; 8];
            file.read_exact(&mut bytes)?;
            Ok((last, f64::from_be_bytes(bytes) as i64 + 1))
        };
        let (last, next_day) = read(&mut file).map_err(|e| read_error(path, &e))?;
        Ok(Resumed {
            stream: RainStream {
                path: path.to_owned(),
                file,
                info,
                layout,
                frames,
                next_day,
                buffer: Vec::new(),
                synced: Instant::now(),
            },
            last,
        })
    }
}

/// Reads what the file says beside its frames, from a copy of its head that counts no frame: a file that lost its end is
/// read, too.
fn read_head(path: &Path, file: &mut File) -> Result<(RainStreamInfo, String)> {
    let mut head = Vec::new();
    file.take(HEAD)
        .read_to_end(&mut head)
        .map_err(|e| read_error(path, &e))?;
    if let Some(count) = head.get_mut(4..8) {
        count.fill(0);
    }
    let found = catch_unwind(|| {
        let file = NcFile::from_owner(head, NcOpenOptions::default()).ok()?;
        read_info(&file)
    });
    found.ok().flatten().ok_or_else(|| {
        not_ours(
            path,
            "it does not describe a run of days as this program writes it",
        )
    })
}

fn not_ours(path: &Path, cause: &str) -> UserError {
    cannot_read(
        path,
        cause,
        "Resume from a file that a rollout of this program has written and nothing has changed",
    )
}

/// Information and source as the header has them; `None` where something is not as this program writes it.
fn read_info(file: &NcFile) -> Option<(RainStreamInfo, String)> {
    let variables = file.variables().ok()?;
    let find = |name: &str| variables.iter().find(|v| v.name() == name);
    let global = |name: &str| file.global_attribute(name).ok()?.value.as_string();
    let numbers = |name: &str| -> Option<Vec<f64>> {
        let values = file.read_variable_as_f64(name).ok()?;
        Some(values.iter().copied().collect())
    };
    let lat = numbers("lat")?;
    let bounds = numbers("lat_bnds")?;
    let lon = numbers("lon")?;
    if bounds.len() != 2 * lat.len() {
        return None;
    }
    let mut lat_bounds = vec![*bounds.first()?];
    lat_bounds.extend(bounds.chunks_exact(2).map(|b| b[1]));
    let globe = Globe {
        lat,
        lat_bounds,
        lon0: *lon.first()?,
        nx: lon.len(),
    };
    globe.validate().ok()?;
    let time = find("time")?;
    let attribute = |v: &NcVariable, name: &str| v.attribute(name)?.value.as_string();
    let since = attribute(time, "units")?;
    let date = since
        .strip_prefix("days since ")?
        .strip_suffix(" 00:00:00")?;
    let mut parts = date.rsplitn(3, '-');
    let day = parts.next()?.parse().ok()?;
    let month = parts.next()?.parse().ok()?;
    let year = parts.next()?.parse().ok()?;
    let start = file.global_attribute("start_frames").ok()?.value.as_f64()?;
    let info = RainStreamInfo {
        globe,
        members: match find("member") {
            None => 1,
            Some(v) => usize::try_from(*v.shape().first()?).ok()?,
        },
        calendar: Calendar::from_cf(&attribute(time, "calendar")?)?,
        first: Date { year, month, day },
        start_frames: start as usize,
        title: global("title")?,
        history: global("history")?,
        recipe: global("recipe"),
    };
    info.fits().then_some((info, global("source")?))
}
