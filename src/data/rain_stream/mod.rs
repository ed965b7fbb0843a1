//! A NetCDF file that grows day by day: runs of any length in constant memory.
//!
//! Classic format with 64-bit offsets, `time` unlimited, CF metadata: `pr(time, lat, lon)`, or `pr(time, member, lat, lon)`
//! for several members. Each frame is written as soon as it comes, and then the number of records in the header: what was
//! written stays readable when the program is stopped in any way, and the run can be resumed from the file.

mod header;
mod resume;

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub use resume::Resumed;

use super::calendar::{Calendar, Date};
use super::files::{write_atomically, write_error};
use crate::error::{Result, UserError};
use crate::field::Globe;
use header::{Attribute, Encoded, Header, Kind, Variable};

/// Frames that are on their way to the disk are given to it after this time at the latest.
const SYNC: Duration = Duration::from_secs(5);

/// Largest record: what every reader of the format takes.
const LARGEST_RECORD: u64 = (1 << 31) - 4;

/// Bytes of `time` and `time_bnds` in a record.
const TIMES: u64 = 24;

/// What a file says beside its frames.
#[derive(Debug, Clone, PartialEq)]
pub struct RainStreamInfo {
    /// The grid.
    pub globe: Globe,
    /// Number of members.
    pub members: usize,
    /// The calendar.
    pub calendar: Calendar,
    /// Date of the first frame.
    pub first: Date,
    /// How many of the first frames are given rather than generated.
    pub start_frames: usize,
    /// A title for people.
    pub title: String,
    /// The command that makes the file.
    pub history: String,
    /// JSON text that says how the run is made.
    pub recipe: Option<String>,
}

impl RainStreamInfo {
    /// Whether the format takes such frames.
    fn fits(&self) -> bool {
        let cells = (self.globe.ny() as u64).checked_mul(self.globe.nx as u64);
        let values = cells.and_then(|n| n.checked_mul(self.members as u64));
        let record = values.and_then(|n| n.checked_mul(4)?.checked_add(TIMES));
        self.members > 0
            && record.is_some_and(|bytes| bytes <= LARGEST_RECORD)
            && self.calendar.has(self.first)
    }
}

/// An open file that takes frames.
#[derive(Debug)]
pub struct RainStream {
    path: PathBuf,
    file: File,
    info: RainStreamInfo,
    layout: Encoded,
    frames: usize,
    /// Day after the last frame, counted from the first.
    next_day: i64,
    buffer: Vec<u8>,
    synced: Instant,
}

impl RainStream {
    /// Begins a file; one of that name is replaced.
    ///
    /// # Errors
    /// A place that cannot be written, a grid that does not hold, frames too large for the format.
    pub fn create(path: &Path, info: &RainStreamInfo) -> Result<Self> {
        info.globe.validate()?;
        let source = format!("eddyscope {}", env!("CARGO_PKG_VERSION"));
        if !info.fits() {
            return Err(UserError::new(
                format!("Cannot write {}", path.display()),
                format!(
                    "{} members of {} x {} cells from {} on do not fit the format",
                    info.members,
                    info.globe.ny(),
                    info.globe.nx,
                    info.first
                ),
                "Ask for fewer members",
            ));
        }
        let layout = describe(info, &source).encode();
        let fixed = fixed_values(info);
        write_atomically(path, |file| {
            file.write_all(&layout.bytes)?;
            file.write_all(&fixed)
        })?;
        let file = open_to_write(path)?;
        Ok(Self {
            path: path.to_owned(),
            file,
            info: info.clone(),
            layout,
            frames: 0,
            next_day: 0,
            buffer: Vec::new(),
            synced: Instant::now(),
        })
    }

    /// Number of frames in the file.
    pub fn frames(&self) -> usize {
        self.frames
    }

    /// What the file says beside its frames.
    pub fn info(&self) -> &RainStreamInfo {
        &self.info
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds the next day: values of all members one after the other, mm/day, rows south to north.
    ///
    /// # Errors
    /// A frame of another size, a full disk. The frames before stay readable.
    pub fn append(&mut self, frame: &[f32]) -> Result<()> {
        self.append_day(self.next_day, frame)
    }

    /// Adds a day that may leave a gap after the last one.
    ///
    /// # Errors
    /// As [`RainStream::append`]; a date that does not lie after the last one.
    pub fn append_on(&mut self, date: Date, frame: &[f32]) -> Result<()> {
        let calendar = self.info.calendar;
        let day = calendar.days_from_date(date) - calendar.days_from_date(self.info.first);
        if day < self.next_day || !calendar.has(date) {
            return Err(self.unfit(format!(
                "{date} does not lie after the days that are written"
            )));
        }
        self.append_day(day, frame)
    }

    fn append_day(&mut self, day: i64, frame: &[f32]) -> Result<()> {
        let expected = self.info.members * self.info.globe.len();
        if frame.len() != expected {
            return Err(self.unfit(format!(
                "a frame has {} values where {expected} belong",
                frame.len()
            )));
        }
        let Some(count) = u32::try_from(self.frames + 1)
            .ok()
            .filter(|&n| n < u32::MAX)
        else {
            return Err(self.unfit("it is full: the format counts no more frames".into()));
        };
        let begin = day as f64;
        self.buffer.clear();
        for time in [begin + 0.5, begin, begin + 1.0] {
            self.buffer.extend(time.to_be_bytes());
        }
        self.buffer
            .extend(frame.iter().flat_map(|v| v.to_be_bytes()));
        let at = self.layout.records_at + self.layout.record * self.frames as u64;
        let written = (|| {
            self.file.seek(SeekFrom::Start(at))?;
            self.file.write_all(&self.buffer)?;
            // Only a whole record is counted.
            self.file.seek(SeekFrom::Start(4))?;
            self.file.write_all(&count.to_be_bytes())?;
            if self.synced.elapsed() >= SYNC {
                self.synced = Instant::now();
                self.file.sync_data()?;
            }
            Ok(())
        })();
        written.map_err(|e: io::Error| write_error(&self.path, &e))?;
        self.frames += 1;
        self.next_day = day + 1;
        Ok(())
    }

    /// Reads a frame back: values of all members, mm/day.
    ///
    /// # Errors
    /// A frame that is not there, or a file that cannot be read any more.
    pub fn frame(&mut self, i: usize) -> Result<Vec<f32>> {
        if i >= self.frames {
            return Err(self.unfit(format!(
                "it has {} frames, there is no frame {i}",
                self.frames
            )));
        }
        read_frame(&mut self.file, &self.layout, &self.info, i)
            .map_err(|e| super::files::read_error(&self.path, &e))
    }

    /// Date of frame `i` of a file without gaps.
    pub fn date(&self, i: usize) -> Date {
        let calendar = self.info.calendar;
        calendar.date_from_days(calendar.days_from_date(self.info.first) + i as i64)
    }

    /// Gives everything to the disk.
    ///
    /// # Errors
    /// A full or failing disk.
    pub fn sync(&mut self) -> Result<()> {
        self.synced = Instant::now();
        self.file
            .sync_data()
            .map_err(|e| write_error(&self.path, &e))
    }

    fn unfit(&self, cause: String) -> UserError {
        UserError::new(
            format!("Cannot add to {}", self.path.display()),
            cause,
            "Report this with the command you used",
        )
    }
}

impl Drop for RainStream {
    fn drop(&mut self) {
        // A failure here has no one to be told to; the frames are with the operating system.
        let _ = self.file.sync_data();
    }
}

/// Opens for reading and writing, and keeps other runs away from the file while it is open.
fn open_to_write(path: &Path) -> Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .map_err(|e| write_error(path, &e))?;
    // Where locks are only advice, others can read meanwhile.
    #[cfg(unix)]
    if !locked(&file) {
        return Err(UserError::new(
            format!("Cannot write {}", path.display()),
            "another run is writing it",
            "Wait until it has finished, or write to another file",
        ));
    }
    Ok(file)
}

/// Takes the lock, or `false` if somebody else has it for longer than a moment: a program that is just being started from
/// this process holds every lock of ours until it runs, those that were given back among them.
#[cfg(unix)]
fn locked(file: &File) -> bool {
    const MOMENT: Duration = Duration::from_millis(500);
    let began = Instant::now();
    // A system that knows no locks answers something else.
    while matches!(file.try_lock(), Err(std::fs::TryLockError::WouldBlock)) {
        if began.elapsed() > MOMENT {
            return false;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    true
}

fn read_frame(
    file: &mut File,
    layout: &Encoded,
    info: &RainStreamInfo,
    i: usize,
) -> io::Result<Vec<f32>> {
    let mut bytes = vec![0; info.members * info.globe.len() * 4];
    file.seek(SeekFrom::Start(
        layout.records_at + layout.record * i as u64 + TIMES,
    ))?;
    file.read_exact(&mut bytes)?;
    Ok(bytes
        .chunks_exact(4)
        .map(|b| f32::from_be_bytes([b[0], b[1], b[2], b[3]]))
        .collect())
}

/// Name of the calendar: the Gregorian one extended backwards, also where CF's `standard` would turn Julian.
fn calendar_name(calendar: Calendar) -> &'static str {
    match calendar {
        Calendar::Standard => "proleptic_gregorian",
        other => other.cf_name(),
    }
}

/// The header of a file. The same information gives the same bytes.
fn describe(info: &RainStreamInfo, source: &str) -> Header {
    let (ny, nx, members) = (
        info.globe.ny() as u32,
        info.globe.nx as u32,
        info.members as u32,
    );
    let text = |name, value: &str| Attribute::Text(name, value.to_owned());
    let texts =
        |list: &[(&'static str, &str)]| list.iter().map(|&(n, v)| text(n, v)).collect::<Vec<_>>();
    let mut dimensions = vec![("time", 0), ("lat", ny), ("lon", nx), ("bnds", 2)];
    let several = members > 1;
    if several {
        dimensions.push(("member", members));
    }
    let mut attributes = texts(&[
        ("Conventions", "CF-1.11"),
        ("title", &info.title),
        ("source", source),
        ("history", &info.history),
    ]);
    if let Some(recipe) = &info.recipe {
        attributes.push(text("recipe", recipe));
    }
    attributes.push(Attribute::Int(
        "start_frames",
        info.start_frames.min(i32::MAX as usize) as i32,
    ));

    let variable = |name, dimensions: &[u32], kind: Kind, count: u32, attributes| Variable {
        name,
        dimensions: dimensions.to_vec(),
        attributes,
        kind,
        bytes: u64::from(count) * if kind == Kind::Double { 8 } else { 4 },
    };
    let mut variables = vec![
        variable(
            "lat",
            &[1],
            Kind::Double,
            ny,
            texts(&[
                ("standard_name", "latitude"),
                ("long_name", "latitude"),
                ("units", "degrees_north"),
                ("axis", "Y"),
                ("bounds", "lat_bnds"),
            ]),
        ),
        variable("lat_bnds", &[1, 3], Kind::Double, 2 * ny, Vec::new()),
        variable(
            "lon",
            &[2],
            Kind::Double,
            nx,
            texts(&[
                ("standard_name", "longitude"),
                ("long_name", "longitude"),
                ("units", "degrees_east"),
                ("axis", "X"),
            ]),
        ),
    ];
    if several {
        variables.push(variable(
            "member",
            &[4],
            Kind::Int,
            members,
            texts(&[
                ("standard_name", "realization"),
                ("long_name", "member"),
                ("units", "1"),
            ]),
        ));
    }
    let since = format!("days since {} 00:00:00", info.first);
    variables.push(variable(
        "time",
        &[0],
        Kind::Double,
        1,
        texts(&[
            ("standard_name", "time"),
            ("long_name", "middle of the day"),
            ("units", &since),
            ("calendar", calendar_name(info.calendar)),
            ("axis", "T"),
            ("bounds", "time_bnds"),
        ]),
    ));
    variables.push(variable("time_bnds", &[0, 3], Kind::Double, 2, Vec::new()));
    let mut of_rain = texts(&[
        ("standard_name", "lwe_precipitation_rate"),
        ("long_name", "daily precipitation"),
        ("units", "mm day-1"),
        ("cell_methods", "time: mean"),
    ]);
    of_rain.push(Attribute::Float("_FillValue", 9.969_21e36));
    let shape: &[u32] = if several { &[0, 4, 1, 2] } else { &[0, 1, 2] };
    variables.push(variable(
        "pr",
        shape,
        Kind::Float,
        members * ny * nx,
        of_rain,
    ));
    Header {
        dimensions,
        attributes,
        variables,
    }
}

/// The values that do not grow, in the order of the header.
fn fixed_values(info: &RainStreamInfo) -> Vec<u8> {
    let globe = &info.globe;
    let bounds = globe.lat_bounds.windows(2).flatten().copied();
    // Not folded into 0..360: longitudes must ascend.
    let lon = (0..globe.nx).map(|i| globe.lon0 + globe.dlon() * i as f64);
    let mut out: Vec<u8> = globe
        .lat
        .iter()
        .copied()
        .chain(bounds)
        .chain(lon)
        .flat_map(f64::to_be_bytes)
        .collect();
    if info.members > 1 {
        out.extend((0..info.members as i32).flat_map(i32::to_be_bytes));
    }
    out
}
