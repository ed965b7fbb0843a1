//! A film through an installed ffmpeg: the pictures go into its standard input, nothing else lies on the disk.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::error::{Result, UserError};

use super::canvas::{Canvas, Rgb};
use super::carry::UUID;
use super::film::Film;
use super::plan::Watch;

/// How often it is looked whether ffmpeg has ended, or the film is no longer wanted.
const LOOK: Duration = Duration::from_millis(20);
/// A longer recipe does not go on the command line, but into a box at the end of the file.
const LONGEST_COMMENT: usize = 24_000;
/// What is kept of what ffmpeg says.
const SAID: usize = 4000;
/// Codecs, the best first; every ffmpeg has the last one.
const CODECS: [(&str, &[&str]); 3] = [
    ("libx264", &["-crf", "16", "-preset", "medium"]),
    ("libopenh264", &["-b:v", "12M"]),
    ("mpeg4", &["-q:v", "2"]),
];

/// An ffmpeg that was found, and the codec that it will use.
#[derive(Debug, Clone)]
pub struct Ffmpeg {
    program: PathBuf,
    codec: usize,
}

impl Ffmpeg {
    /// Looks for it in the folders of PATH.
    ///
    /// # Errors
    /// There is none, or it cannot be run.
    pub fn find() -> Result<Self> {
        let folders = std::env::var_os("PATH").unwrap_or_default();
        Self::find_in(&folders)
    }

    /// Looks for it in the folders of a list like PATH.
    ///
    /// # Errors
    /// As [`Self::find`].
    pub fn find_in(folders: &OsString) -> Result<Self> {
        let name = format!("ffmpeg{}", std::env::consts::EXE_SUFFIX);
        let headline = "Cannot make an MP4 film";
        let remedy = "Install ffmpeg (ffmpeg.org; on Debian: apt install ffmpeg) so that it is found on the PATH, or \
                      export WebP or GIF, which need no other program";
        let program = std::env::split_paths(folders)
            .map(|folder| folder.join(&name))
            .find(|p| p.is_file())
            .ok_or_else(|| {
                let cause = "it needs the program ffmpeg, which is in no folder of the PATH";
                UserError::new(headline, cause, remedy)
            })?;
        let cannot_run = |cause: String| {
            let cause = format!("{} cannot be run: {cause}", program.display());
            UserError::new(headline, cause, remedy)
        };
        let asked = Command::new(&program)
            .args(["-hide_banner", "-encoders"])
            .stdin(Stdio::null())
            .output()
            .map_err(|e| cannot_run(e.to_string()))?;
        if !asked.status.success() {
            return Err(cannot_run(asked.status.to_string()));
        }
        let known = String::from_utf8_lossy(&asked.stdout);
        let has = |codec: &str| known.split_whitespace().any(|word| word == codec);
        let codec = CODECS.iter().position(|(name, _)| has(name));
        Ok(Self {
            codec: codec.unwrap_or(CODECS.len() - 1),
            program,
        })
    }
}

/// A film on its way.
pub(super) struct Mp4 {
    child: Child,
    pictures: Option<ChildStdin>,
    said: Option<JoinHandle<String>>,
    /// File and recipe, where the recipe is too long for the comment.
    later: Option<(PathBuf, String)>,
    watch: Watch,
}

impl Mp4 {
    /// Starts ffmpeg, which writes to `out`; `rate`: pictures a second. When `watch` is cancelled it ends, wherever it is.
    pub(super) fn new(
        ffmpeg: &Ffmpeg,
        out: &Path,
        (width, height): (usize, usize),
        rate: f32,
        background: Rgb,
        recipe: &str,
        watch: &Watch,
    ) -> io::Result<Self> {
        let [r, g, b] = background;
        // H.264 wants even sides.
        let filter = format!(
            "pad=ceil(iw/2)*2:ceil(ih/2)*2:color=0x{r:02x}{g:02x}{b:02x},scale=out_color_matrix=bt709,format=yuv420p"
        );
        let (size, rate) = (format!("{width}x{height}"), rate.to_string());
        let (codec, quality) = CODECS.get(ffmpeg.codec).copied().unwrap_or(("mpeg4", &[]));
        let mut command = Command::new(&ffmpeg.program);
        command.args(["-hide_banner", "-loglevel", "error", "-y"]);
        command.args(["-f", "rawvideo", "-pix_fmt", "rgba", "-video_size", &size]);
        command.args(["-framerate", &rate, "-i", "-", "-an", "-vf", &filter]);
        command.args(["-c:v", codec]).args(quality);
        command.args(["-colorspace", "bt709", "-color_primaries", "bt709"]);
        command.args(["-color_trc", "bt709", "-movflags", "+faststart"]);
        let short = recipe.len() <= LONGEST_COMMENT;
        if short {
            command.arg("-metadata").arg(format!("comment={recipe}"));
        }
        command.args(["-f", "mp4"]).arg(out);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let said = child.stderr.take().map(|mut err| {
            std::thread::spawn(move || {
                let mut bytes = Vec::new();
                // What cannot be read is only missing in the message.
                let _ = err.read_to_end(&mut bytes);
                let from = bytes.len().saturating_sub(SAID);
                String::from_utf8_lossy(bytes.get(from..).unwrap_or_default()).into_owned()
            })
        });
        Ok(Self {
            pictures: child.stdin.take(),
            child,
            said,
            later: (!short).then(|| (out.to_owned(), recipe.to_owned())),
            watch: watch.clone(),
        })
    }

    /// The error of an ffmpeg that gave up, with its last words.
    fn gave_up(&mut self, cause: &str) -> io::Error {
        let said = self.said.take().and_then(|s| s.join().ok());
        let said = said.unwrap_or_default();
        let last = said.lines().rfind(|l| !l.trim().is_empty());
        io::Error::other(format!(
            "ffmpeg {cause}: {}",
            last.unwrap_or("it said nothing")
        ))
    }
}

impl Film for Mp4 {
    fn frame(&mut self, canvas: &Canvas) -> io::Result<()> {
        let written = match &mut self.pictures {
            Some(pipe) => pipe.write_all(&canvas.pixels),
            None => Ok(()),
        };
        written.map_err(|_| {
            self.pictures = None;
            let _ = self.child.wait();
            self.gave_up("stopped")
        })
    }

    fn finish(&mut self) -> io::Result<()> {
        // The end of its input.
        self.pictures = None;
        // What is left to encode, and moving the index to the front, may take long.
        let status = loop {
            if let Some(status) = self.child.try_wait()? {
                break status;
            }
            if self.watch.is_cancelled() {
                return Err(io::Error::other("cancelled"));
            }
            std::thread::sleep(LOOK);
        };
        if !status.success() {
            return Err(self.gave_up(&format!("ended with {status}")));
        }
        if let Some((path, recipe)) = &self.later {
            let mut file = std::fs::OpenOptions::new().append(true).open(path)?;
            let length = u32::try_from(recipe.len() + 24).map_err(io::Error::other)?;
            file.write_all(&length.to_be_bytes())?;
            file.write_all(b"uuid")?;
            file.write_all(&UUID)?;
            file.write_all(recipe.as_bytes())?;
        }
        Ok(())
    }
}

impl Drop for Mp4 {
    /// A film that is not wanted any more: ffmpeg ends before its file is removed.
    fn drop(&mut self) {
        self.pictures = None;
        if !matches!(self.child.try_wait(), Ok(Some(_))) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// An ffmpeg that takes its pictures and then never ends.
    #[test]
    fn a_film_is_cancelled_while_ffmpeg_finishes_it() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("ffmpeg");
        let script =
            "#!/bin/sh\n[ \"$2\" = -encoders ] && exit 0\ncat > /dev/null\nexec sleep 600\n";
        std::fs::write(&program, script).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let ffmpeg = Ffmpeg::find_in(&folder.path().as_os_str().to_owned()).unwrap();
        let watch = Watch::default();
        let out = folder.path().join("film.mp4");
        let mut film = Mp4::new(&ffmpeg, &out, (2, 1), 10.0, [0; 3], "{}", &watch).unwrap();
        film.frame(&Canvas::new(2, 1, [0; 3])).unwrap();
        std::thread::scope(|scope| {
            let finishing = scope.spawn(|| film.finish());
            watch.cancel();
            assert!(finishing.join().unwrap().is_err());
        });
        drop(film);
    }
}
