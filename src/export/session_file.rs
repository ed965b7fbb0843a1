//! The session file, `.eddyscope`: a rollout with its frames, to go on with.
//!
//! ```text
//! 12 bytes   "EDDYSCOPE" CR LF 0x1A
//!  4 bytes   version of the container, little-endian u32 (1)
//! frames     one after the other: length (u64), then the frame as `rollout::spill_format` writes it
//! head       JSON: the recipe, the list of settings that frames name by number, the branches with the places of their
//!            frames in the list above (frames that branches share are stored once), what the window keeps beside them
//!  8 bytes   length of the head, u64
//! 32 bytes   sha256 of everything before
//! ```
//!
//! The head stands at the end because the list of settings is known only then. A file is written under a temporary name
//! and moved into place: killed at any moment, the old one is whole. A file that was cut or changed is told by its hash.

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::data::files::write_atomically;
use crate::error::{Result, UserError};
use crate::rollout::branch::{Branch, BranchId};
use crate::rollout::frame::FrameSet;
use crate::rollout::protocol::Archive;
use crate::rollout::settings::Settings;
use crate::rollout::spill_format;

use super::plan::{Plan, Watch};
use super::recipe::{MOST_FRAMES, Reading, Recipe};

/// First bytes of the file.
pub(super) const MAGIC: &[u8] = b"EDDYSCOPE\r\n\x1a";
/// Version of the container.
const VERSION: u32 = 1;
/// Length of the head, and the hash.
const TAIL: u64 = 8 + 32;
/// A head larger than this is not read.
const LARGEST_HEAD: u64 = 256 << 20;
/// Larger sessions are neither written nor read: all their frames are in memory for a while.
const LARGEST_BYTES: u64 = 4 << 30;
/// More branches than anybody makes.
const MOST_BRANCHES: usize = 10_000;

#[derive(Serialize, Deserialize)]
struct Head {
    recipe: serde_json::Value,
    settings: Vec<Settings>,
    /// Rows and columns.
    shape: (usize, usize),
    /// Number of frames stored.
    frames: usize,
    branches: Vec<BranchHead>,
    /// Which branch is on screen.
    active: usize,
    #[serde(default)]
    extra: serde_json::Value,
}

#[derive(Serialize, Deserialize)]
struct BranchHead {
    id: usize,
    name: String,
    parent: Option<usize>,
    fork: usize,
    edited: usize,
    /// Settings with which it goes on.
    settings: Settings,
    truth_from: Option<usize>,
    /// Its frames, oldest first: their places among the stored ones.
    frames: Vec<usize>,
}

/// What a session file holds.
#[derive(Debug, Clone)]
pub struct SessionFile {
    /// How it was made.
    pub recipe: Recipe,
    /// The frames.
    pub archive: Archive,
    /// Rows and columns.
    pub shape: (usize, usize),
    /// What the window kept beside them.
    pub extra: serde_json::Value,
}

/// Counts and hashes what passes.
struct Hashed<W> {
    inner: W,
    sha: Sha256,
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.inner.write(bytes)?;
        self.sha.update(bytes.get(..n).unwrap_or_default());
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Writes all frames of all branches.
pub(super) fn write(plan: &Plan, recipe: &Recipe, watch: &Watch) -> Result<()> {
    let all = branches_of(&plan.archive);
    let count: usize = all.iter().map(|(_, a)| frames_of(a).count()).sum();
    let mut failed = None;
    let written = write_atomically(&plan.path, |file| {
        let mut out = Hashed {
            inner: file,
            sha: Sha256::new(),
        };
        out.write_all(MAGIC)?;
        out.write_all(&VERSION.to_le_bytes())?;
        let (mut settings, mut bytes) = (Vec::new(), Vec::new());
        let (mut stored, mut size) = (0, 0);
        // By the branch whose own they are, and their number: frames that branches share are stored once.
        let mut places: HashMap<(BranchId, usize), usize> = HashMap::new();
        let mut heads = Vec::new();
        let mut stop = |error: UserError| {
            failed = Some(error);
            io::Error::other("stopped")
        };
        let mut done = 0;
        for (branch, archive) in &all {
            let mut frames = Vec::new();
            for index in frames_of(archive) {
                watch.step(done, count).map_err(&mut stop)?;
                done += 1;
                let own = (plan.archive.owner(branch.id, index), index);
                if let Some(place) = places.get(&own) {
                    frames.push(*place);
                    continue;
                }
                let Some(set) = archive.load(index) else {
                    let text = format!("frame {index} can no longer be read");
                    return Err(io::Error::other(text));
                };
                bytes.clear();
                spill_format::encode(&set, &mut settings, &mut bytes);
                size += bytes.len() as u64;
                if size > LARGEST_BYTES {
                    return Err(io::Error::other(
                        "the frames are larger than a session may be (4 GiB): export them as NetCDF, or delete branches",
                    ));
                }
                out.write_all(&(bytes.len() as u64).to_le_bytes())?;
                out.write_all(&bytes)?;
                places.insert(own, stored);
                frames.push(stored);
                stored += 1;
            }
            heads.push(BranchHead {
                id: branch.id,
                name: branch.name.clone(),
                parent: branch.parent,
                fork: branch.fork,
                edited: branch.edited,
                settings: branch.settings.as_ref().clone(),
                truth_from: branch.truth_from,
                frames,
            });
        }
        let head = Head {
            recipe: serde_json::to_value(recipe)?,
            settings: settings.iter().map(|s| s.as_ref().clone()).collect(),
            shape: plan.facts.shape,
            frames: stored,
            branches: heads,
            active: plan.archive.active,
            extra: plan.extra.clone(),
        };
        let head = serde_json::to_vec(&head)?;
        out.write_all(&head)?;
        out.write_all(&(head.len() as u64).to_le_bytes())?;
        let hash = out.sha.clone().finalize();
        out.write_all(&hash)
    });
    written.map_err(|e| failed.unwrap_or(e))
}

/// The branches with their frames; a rollout that knows none is one.
fn branches_of(archive: &Archive) -> Vec<(Branch, Archive)> {
    if archive.branch(archive.active).is_none() {
        let settings = archive.frames.last().map(|f| Arc::clone(&f.settings));
        let mut main = Branch::main(settings.unwrap_or_default());
        main.id = archive.active;
        return vec![(main, archive.clone())];
    }
    let frames = |branch: &Branch| match &branch.rest {
        Some(rest) => rest.as_ref().clone(),
        None => archive.clone(),
    };
    archive
        .branches
        .iter()
        .map(|b| (b.clone(), frames(b)))
        .collect()
}

/// Numbers of the frames of a branch.
fn frames_of(archive: &Archive) -> Range<usize> {
    let end = archive.frames.last().map_or(0, |f| f.index + 1);
    archive.oldest()..end
}

/// Reads a session file.
///
/// # Errors
/// The file cannot be read, is cut or changed, or of a newer version; the end was asked for.
pub fn read(path: &Path, watch: &Watch) -> Result<SessionFile> {
    let fail = |cause: String| {
        UserError::new(
            format!("Cannot open the session {}", path.display()),
            cause,
            "Use another copy of the file; pictures and films of the same run carry its recipe too",
        )
    };
    let broken = |e: io::Error| match e.kind() {
        io::ErrorKind::UnexpectedEof => fail("the file is truncated".to_owned()),
        _ => fail(e.to_string()),
    };
    let file = File::open(path).map_err(broken)?;
    let length = file.metadata().map_err(broken)?.len();
    let mut file = BufReader::with_capacity(1 << 20, file);
    let body = (MAGIC.len() + 4) as u64;
    if length < body + TAIL {
        return Err(fail("the file is truncated".to_owned()));
    }
    let mut begin = vec![0; body as usize];
    file.read_exact(&mut begin).map_err(broken)?;
    let version = begin.split_off(MAGIC.len());
    if begin != MAGIC {
        return Err(fail("it is no session of eddyscope".to_owned()));
    }
    let version = version.iter().rev().fold(0, |v, b| v << 8 | u32::from(*b));
    if version != VERSION {
        return Err(UserError {
            remedy: "Open it with a newer eddyscope".to_owned(),
            ..fail(format!(
                "its version is {version}, and this program knows {VERSION}"
            ))
        });
    }
    if !is_whole(&mut file, length, watch).map_err(broken)? {
        return Err(fail(
            "the file was cut or changed: its hash is not that of its contents".to_owned(),
        ));
    }
    let head_length = number_at(&mut file, length - TAIL).map_err(broken)?;
    if head_length > LARGEST_HEAD || head_length > length - TAIL - body {
        return Err(fail("its head claims an impossible length".to_owned()));
    }
    let head_at = length - TAIL - head_length;
    file.seek(SeekFrom::Start(head_at)).map_err(broken)?;
    let mut head = vec![0; head_length as usize];
    file.read_exact(&mut head).map_err(broken)?;
    let head: Head = serde_json::from_slice(&head).map_err(|e| fail(e.to_string()))?;
    let recipe = match Reading::from_json(&head.recipe.to_string())? {
        Reading::Whole(recipe) => *recipe,
        Reading::Newer(newer) => {
            return Err(fail(format!(
                "its recipe is of format {}, of a newer eddyscope ({})",
                newer.format, newer.version
            )));
        }
    };
    for settings in &head.settings {
        settings.validate()?;
    }
    file.seek(SeekFrom::Start(body)).map_err(broken)?;
    let members = recipe.rollout.members;
    let frames = frames(&mut file, &head, members, head_at - body, watch).map_err(broken)?;
    let archive = assemble(&head, &frames).ok_or_else(|| {
        fail("its branches name frames that are not in it, or not in their order".to_owned())
    })?;
    Ok(SessionFile {
        recipe,
        archive,
        shape: head.shape,
        extra: head.extra,
    })
}

fn number_at(file: &mut (impl Read + Seek), at: u64) -> io::Result<u64> {
    file.seek(SeekFrom::Start(at))?;
    number(file)
}

fn number(file: &mut impl Read) -> io::Result<u64> {
    let mut bytes = [0; 8];
    file.read_exact(&mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}

/// Whether the hash at the end is that of what stands before it.
fn is_whole(file: &mut (impl Read + Seek), length: u64, watch: &Watch) -> io::Result<bool> {
    file.rewind()?;
    let mut sha = Sha256::new();
    let mut left = length - 32;
    let mut bytes = vec![0; 1 << 20];
    while left > 0 {
        // Its frames are read after that.
        watch.read(length - left, 2 * length)?;
        let n = left.min(bytes.len() as u64) as usize;
        let part = bytes.get_mut(..n).unwrap_or_default();
        file.read_exact(part)?;
        sha.update(&*part);
        left -= n as u64;
    }
    let mut hash = [0; 32];
    file.read_exact(&mut hash)?;
    Ok(sha.finalize().as_slice() == hash)
}

/// Reads the stored frames, which take `length` bytes.
fn frames(
    file: &mut impl Read,
    head: &Head,
    members: usize,
    length: u64,
    watch: &Watch,
) -> io::Result<Vec<Arc<FrameSet>>> {
    let damaged = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    if length > LARGEST_BYTES.saturating_mul(2) {
        return Err(damaged("it is larger than a session can be"));
    }
    let settings: Vec<Arc<Settings>> = head.settings.iter().cloned().map(Arc::new).collect();
    let (mut left, mut bytes, mut out) = (length, Vec::new(), Vec::new());
    while left > 0 {
        watch.read(2 * length - left, 2 * length)?;
        let count = number(file)?;
        if count.saturating_add(8) > left {
            return Err(damaged("a frame claims an impossible length"));
        }
        left -= count + 8;
        bytes.resize(count as usize, 0);
        file.read_exact(&mut bytes)?;
        let set = spill_format::decode(&bytes, &settings)
            .filter(|f| f.index <= MOST_FRAMES && f.fits(head.shape, members))
            .ok_or_else(|| damaged("one of its frames is not what it should be"))?;
        out.push(Arc::new(set));
    }
    match out.len() == head.frames {
        true => Ok(out),
        false => Err(damaged("it does not hold as many frames as it says")),
    }
}

/// Branches with their frames. `None` where they do not hold together.
fn assemble(head: &Head, stored: &[Arc<FrameSet>]) -> Option<Archive> {
    if head.branches.is_empty() || head.branches.len() > MOST_BRANCHES {
        return None;
    }
    let mut archive = Archive {
        active: head.active,
        ..Archive::default()
    };
    let mut known = BTreeSet::new();
    for b in &head.branches {
        b.settings.validate().ok()?;
        let frames = b.frames.iter().map(|place| stored.get(*place).cloned());
        let frames = frames.collect::<Option<Vec<_>>>()?;
        let in_order = frames.windows(2).all(|w| w[0].index + 1 == w[1].index);
        let last = frames.last()?.index;
        // A branch stands behind the one that it left.
        let rooted = b.parent.is_none_or(|parent| known.contains(&parent));
        let new = b.id <= MOST_FRAMES && known.insert(b.id);
        let began = b.fork <= last && b.edited <= b.fork + 1;
        if !in_order || !rooted || !new || !began || b.truth_from.is_some_and(|f| f > last) {
            return None;
        }
        let rest = if b.id == head.active {
            archive.frames = frames;
            None
        } else {
            Some(Arc::new(Archive {
                frames,
                ..Archive::default()
            }))
        };
        archive.branches.push(Branch {
            id: b.id,
            name: b.name.clone(),
            parent: b.parent,
            fork: b.fork,
            edited: b.edited,
            settings: Arc::new(b.settings.clone()),
            truth_from: b.truth_from,
            rest,
        });
    }
    (!archive.frames.is_empty()).then_some(archive)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rollout::frame::LaneFrame;

    fn head(change: impl FnOnce(&mut Vec<BranchHead>)) -> Head {
        let branch = |id, parent, frames: std::ops::Range<usize>| BranchHead {
            id,
            name: String::new(),
            parent,
            fork: 3 * id,
            edited: id,
            settings: Settings::default(),
            truth_from: Some(3),
            frames: frames.collect(),
        };
        let mut branches = vec![branch(0, None, 0..6), branch(1, Some(0), 0..5)];
        change(&mut branches);
        Head {
            recipe: serde_json::Value::Null,
            settings: Vec::new(),
            shape: (1, 2),
            frames: 6,
            branches,
            active: 0,
            extra: serde_json::Value::Null,
        }
    }

    #[test]
    fn branches_that_cannot_be_are_refused() {
        let frames: Vec<_> = (0..6)
            .map(|index| {
                Arc::new(FrameSet {
                    index,
                    ..FrameSet::default()
                })
            })
            .collect();
        let fits = |change: fn(&mut Vec<BranchHead>)| assemble(&head(change), &frames).is_some();
        assert!(fits(|_| ()));
        assert!(fits(|b| (b[1].fork, b[1].truth_from) = (4, Some(4))));
        assert!(!fits(|b| b[1].fork = 5));
        assert!(!fits(
            |b| (b[1].fork, b[1].edited) = (usize::MAX, usize::MAX)
        ));
        assert!(!fits(|b| b[1].edited = 5));
        assert!(!fits(|b| b[1].truth_from = Some(5)));
        assert!(!fits(|b| b[1].truth_from = Some(usize::MAX)));
        assert!(!fits(|b| b[0].parent = Some(1)), "a ring");
        assert!(!fits(|b| b[1].parent = Some(7)));
        assert!(!fits(|b| b[1].id = 0));
        assert!(!fits(|b| b[1].frames = vec![0, 2]));
        assert!(!fits(|b| b[1].frames = vec![99]));
        assert!(!fits(|b| b[0].frames.clear()));
    }

    #[test]
    fn frames_of_another_size_do_not_fit() {
        let lane = |cells: usize, members: usize| LaneFrame {
            members: vec![vec![0.0; cells].into(); members],
            hovmoeller: vec![0.0; 2].into(),
            stats: Default::default(),
            rain: None,
            recorded: None,
            trace: Arc::default(),
        };
        let frame = |truth: Option<LaneFrame>, guided| FrameSet {
            lanes: [truth, None, Some(guided), None, None, None],
            ..FrameSet::default()
        };
        let good = || Some(lane(6, 2));
        assert!(frame(good(), lane(6, 2)).fits((3, 2), 2));
        assert!(!frame(good(), lane(6, 2)).fits((2, 3), 2));
        assert!(!frame(good(), lane(5, 2)).fits((3, 2), 2));
        assert!(!frame(good(), lane(6, 1)).fits((3, 2), 2));
        assert!(!frame(None, lane(6, 2)).fits((3, 2), 2));
        assert!(!frame(good(), lane(6, 2)).fits((usize::MAX, 2), 2));
    }
}
