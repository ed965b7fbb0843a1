//! What is to be exported, and how it is done: on a thread of the caller's, with progress and cancel, whole or not at all.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use sha2::{Digest as _, Sha256};

use crate::data::files::{check_writable, write_atomically, write_beside};
use crate::error::{Result, UserError};
use crate::rollout::branch::BranchId;
use crate::rollout::frame::FrameSet;
use crate::rollout::protocol::{Archive, ModelFacts};
use crate::rollout::replay::Script;
use crate::rollout::settings::LaneKind;

use super::film::{Film, Gif, WebP};
use super::mp4::{Ffmpeg, Mp4};
use super::palette::Palette;
use super::picture::Picture;
use super::recipe::Recipe;
use super::scene::Scene;
use super::{png_file, session_file, tables};

/// Kinds of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// One picture.
    Png,
    /// A film of at most 256 colours.
    Gif,
    /// A film without loss.
    WebP,
    /// A film, through an installed ffmpeg.
    Mp4,
    /// Values, CF conventions.
    NetCdf,
    /// Values as a numpy array.
    Npy,
    /// Figures of each frame.
    Csv,
    /// Frames, settings and marks: a run to go on with.
    Session,
}

impl Format {
    /// All of them with their names.
    pub const ALL: [(Self, &'static str); 8] = [
        (Self::Png, "PNG"),
        (Self::Gif, "GIF"),
        (Self::WebP, "WebP"),
        (Self::Mp4, "MP4"),
        (Self::NetCdf, "NetCDF"),
        (Self::Npy, "npy"),
        (Self::Csv, "CSV"),
        (Self::Session, "Session"),
    ];

    /// Ending of the file name.
    pub fn ending(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Gif => "gif",
            Self::WebP => "webp",
            Self::Mp4 => "mp4",
            Self::NetCdf => "nc",
            Self::Npy => "npy",
            Self::Csv => "csv",
            Self::Session => "eddyscope",
        }
    }

    /// Whether it is a film.
    pub fn is_film(self) -> bool {
        matches!(self, Self::Gif | Self::WebP | Self::Mp4)
    }

    /// Whether it holds a range of frames that can be chosen.
    pub fn has_range(self) -> bool {
        !matches!(self, Self::Png | Self::Session)
    }
}

/// What is to be exported.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Kind of file.
    pub format: Format,
    /// The file.
    pub path: PathBuf,
    /// Frames.
    pub archive: Archive,
    /// The branch that the difference is taken with, if it is another one.
    pub beside: Option<BranchId>,
    /// First frame in the file.
    pub first: usize,
    /// Last frame in the file.
    pub last: usize,
    /// Every so many frames.
    pub every: usize,
    /// Lanes in the file.
    pub lanes: Vec<LaneKind>,
    /// How frames become pictures.
    pub scene: Scene,
    /// Pictures a second.
    pub rate: f32,
    /// How it was made; settings over time are added here.
    pub recipe: Recipe,
    /// Facts about the model.
    pub facts: Arc<ModelFacts>,
    /// What the window keeps beside the frames, for a session.
    pub extra: serde_json::Value,
}

/// Progress and cancel of an export, or of reading a file.
#[derive(Debug, Clone, Default)]
pub struct Watch(Arc<Watched>);

#[derive(Debug, Default)]
struct Watched {
    done: AtomicUsize,
    all: AtomicUsize,
    cancel: AtomicBool,
}

impl Watch {
    /// Frames done and their number.
    pub fn progress(&self) -> (usize, usize) {
        let load = |n: &AtomicUsize| n.load(Ordering::Relaxed);
        (load(&self.0.done), load(&self.0.all))
    }

    /// Asks for the end.
    pub fn cancel(&self) {
        self.0.cancel.store(true, Ordering::Relaxed);
    }

    /// Whether the end was asked for.
    pub fn is_cancelled(&self) -> bool {
        self.0.cancel.load(Ordering::Relaxed)
    }

    /// Notes how many of the bytes to be read were.
    ///
    /// # Errors
    /// The end was asked for.
    pub(super) fn read(&self, bytes: u64, of: u64) -> io::Result<()> {
        let mib = |n: u64| (n >> 20) as usize;
        self.0.done.store(mib(bytes), Ordering::Relaxed);
        self.0.all.store(mib(of), Ordering::Relaxed);
        match self.is_cancelled() {
            true => Err(io::Error::other("reading it was stopped, as asked")),
            false => Ok(()),
        }
    }

    /// Notes progress.
    ///
    /// # Errors
    /// The end was asked for.
    pub(super) fn step(&self, done: usize, all: usize) -> Result<()> {
        self.0.done.store(done, Ordering::Relaxed);
        self.0.all.store(all, Ordering::Relaxed);
        match self.is_cancelled() {
            true => Err(UserError::new(
                "The export was cancelled",
                "as asked; no file was written",
                "Start it again when you want it",
            )),
            false => Ok(()),
        }
    }
}

impl Plan {
    /// Numbers of the frames in the file.
    pub fn numbers(&self) -> impl Iterator<Item = usize> + Clone {
        (self.first..=self.last).step_by(self.every.max(1))
    }

    /// How many they are.
    pub fn count(&self) -> usize {
        (self.last.saturating_sub(self.first)) / self.every.max(1) + 1
    }

    pub(super) fn load(&self, frame: usize) -> Result<Arc<FrameSet>> {
        self.archive.load(frame).ok_or_else(|| {
            UserError::new(
                format!("Cannot write {}", self.path.display()),
                format!("frame {frame} is no longer kept"),
                "Choose frames that the timeline still shows",
            )
        })
    }

    /// The picture of a frame that was loaded.
    fn picture(&self, set: &FrameSet) -> Picture {
        let other = self.beside.and_then(|id| self.archive.of(id));
        let beside = other.and_then(|archive| archive.load(set.index));
        self.scene.picture(set, beside.as_deref())
    }

    /// The recipe with what only a walk through the frames can tell.
    fn whole_recipe(&self, watch: &Watch) -> Result<Recipe> {
        let mut recipe = self.recipe.clone();
        let first = self.archive.oldest();
        let mut script = Script::default();
        for frame in first..=self.last {
            if frame % 64 == 0 {
                watch.step(0, self.count())?;
            }
            if let Some(set) = self.archive.head(frame) {
                script.push(&set);
                if set.edited.contains(&true) {
                    recipe.edited = recipe.edited.or(Some(frame));
                }
            }
        }
        recipe.changes = script.0;
        recipe.incomplete = first > 0;
        if self.format.has_range() {
            recipe.frames = Some([self.first, self.last, self.every.max(1)]);
        }
        let last = self.load(self.last)?;
        recipe.frame = last.index;
        recipe.time = last.time;
        recipe.settings = last.settings.as_ref().clone();
        recipe.frame_hash = Some(hash(&last));
        Ok(recipe)
    }

    /// Does it.
    ///
    /// # Errors
    /// A place that cannot be written, a full disk, no ffmpeg for MP4, frames that are no longer kept, cancelled.
    pub fn run(&self, watch: &Watch) -> Result<()> {
        check_writable(&self.path)?;
        watch.step(0, self.count())?;
        let recipe = self.whole_recipe(watch)?;
        let json = recipe.to_json()?;
        match self.format {
            Format::Png => {
                let picture = self.picture(self.load(self.last)?.as_ref());
                png_file::save_picture(&self.path, &picture, &recipe)
            }
            Format::Gif => {
                let palette = self.palette(watch)?;
                self.film(watch, |file, size| {
                    Gif::new(file, size, self.rate, palette.clone(), &json)
                })
            }
            Format::WebP => self.film(watch, |file, size| WebP::new(file, size, self.rate, &json)),
            Format::Mp4 => self.mp4(watch, &json),
            Format::NetCdf => tables::netcdf(self, &json, watch),
            Format::Npy => tables::npy(self, &json, watch),
            Format::Csv => tables::csv(self, &json, watch),
            Format::Session => session_file::write(self, &recipe, watch),
        }
    }

    /// Colours of some pictures from the whole of the film.
    fn palette(&self, watch: &Watch) -> Result<Palette> {
        const LOOKED_AT: usize = 6;
        let numbers: Vec<usize> = self.numbers().collect();
        let step = numbers.len().div_ceil(LOOKED_AT).max(1);
        let mut pictures = Vec::new();
        for frame in numbers.into_iter().step_by(step) {
            watch.step(0, self.count())?;
            let set = self.load(frame)?;
            pictures.push(self.picture(&set).draw().pixels);
        }
        Ok(Palette::of(pictures.iter().map(Vec::as_slice)))
    }

    /// Draws the pictures into a film, which `begin` starts with the size of the first one.
    fn draw<F: Film>(
        &self,
        watch: &Watch,
        failed: &mut Option<UserError>,
        begin: impl FnOnce((usize, usize)) -> io::Result<F>,
    ) -> io::Result<()> {
        let mut begin = Some(begin);
        let mut film: Option<F> = None;
        for (n, frame) in self.numbers().enumerate() {
            let loaded = watch.step(n, self.count()).and_then(|()| self.load(frame));
            let set = loaded.map_err(|error| {
                *failed = Some(error);
                io::Error::other("stopped")
            })?;
            let canvas = self.picture(&set).draw();
            if let Some(begin) = begin.take() {
                film = Some(begin((canvas.width, canvas.height))?);
            }
            if let Some(film) = &mut film {
                film.frame(&canvas)?;
            }
        }
        let Some(mut film) = film else {
            return Ok(());
        };
        film.finish().inspect_err(|_| {
            *failed = watch.step(self.count(), self.count()).err();
        })
    }

    fn film<F: Film>(
        &self,
        watch: &Watch,
        begin: impl FnOnce(BufWriter<File>, (usize, usize)) -> io::Result<F>,
    ) -> Result<()> {
        let mut failed = None;
        let written = write_atomically(&self.path, |file| {
            file.flush()?;
            let own = BufWriter::new(file.get_ref().try_clone()?);
            self.draw(watch, &mut failed, |size| begin(own, size))
        });
        written.map_err(|e| failed.unwrap_or(e))
    }

    fn mp4(&self, watch: &Watch, json: &str) -> Result<()> {
        let ffmpeg = Ffmpeg::find()?;
        let mut failed = None;
        let written = write_beside(&self.path, |part| {
            self.draw(watch, &mut failed, |size| {
                let background = self.scene.paper.background;
                Mp4::new(&ffmpeg, part, size, self.rate, background, json, watch)
            })
        });
        written.map_err(|e| failed.unwrap_or(e))
    }
}

/// sha256 of the values of a frame: all lanes and members, little-endian, hex.
pub fn hash(frame: &FrameSet) -> String {
    let mut sha = Sha256::new();
    for (index, lane) in frame.lanes.iter().enumerate() {
        let Some(lane) = lane else { continue };
        for member in &lane.members {
            sha.update([index as u8]);
            for value in member.iter() {
                sha.update(value.to_le_bytes());
            }
        }
    }
    hex(&sha.finalize())
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
