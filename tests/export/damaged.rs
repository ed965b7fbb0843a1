//! Files that were cut or changed on the way, and such as never were files of ours.

use std::path::{Path, PathBuf};

use eddyscope::export::{Carried, Format, Reading, Recipe, read};
use eddyscope::rollout::settings::LaneKind;

use super::{one_of_each, synthetic, whole};

/// Places in a file where something is done to it: all of its beginning and end, and so many between.
fn places(length: usize) -> impl Iterator<Item = usize> {
    const EDGE: usize = 1200;
    const BETWEEN: usize = 600;
    let step = (length / BETWEEN).max(1);
    (0..length).filter(move |at| *at < EDGE || at + EDGE > length || at % step == 0)
}

/// One file of each kind, with a recipe that stands in it; of an array that is the file beside it.
fn files(folder: &Path) -> Vec<(Format, PathBuf, Recipe)> {
    let archive = synthetic(5);
    let files = one_of_each(folder, &archive, &[LaneKind::Guided]);
    let with_recipe = |(format, path): (Format, PathBuf)| {
        let recipe = whole(&path);
        match format {
            Format::Npy => (format, eddyscope::export::sidecar(&path), recipe),
            _ => (format, path, recipe),
        }
    };
    files.into_iter().map(with_recipe).collect()
}

/// A changed byte is met with an error that says what to do, or does not touch the recipe.
#[test]
fn a_changed_byte_is_told_or_harmless() {
    let folder = tempfile::tempdir().unwrap();
    for (format, path, recipe) in files(folder.path()) {
        let bytes = std::fs::read(&path).unwrap();
        let path = path.with_file_name(format!("changed.{}", path.extension().unwrap().display()));
        let mut told = 0;
        for (n, at) in places(bytes.len()).enumerate() {
            let mut changed = bytes.clone();
            changed[at] ^= [0x01, 0x10, 0x20, 0xFF][n % 4];
            std::fs::write(&path, &changed).unwrap();
            match read(&path) {
                Ok(Carried::Recipe(Reading::Whole(read))) => {
                    assert_eq!(*read, recipe, "{format:?} at {at}");
                }
                Ok(other) => panic!("{format:?} at {at}: {other:?}"),
                Err(error) => {
                    told += 1;
                    assert!(!error.cause.is_empty() && !error.remedy.is_empty());
                }
            }
        }
        assert!(told > 100, "{format:?}: {told} told");
    }
}

#[test]
fn a_cut_file_is_told() {
    let folder = tempfile::tempdir().unwrap();
    for (format, path, recipe) in files(folder.path()) {
        let bytes = std::fs::read(&path).unwrap();
        let path = path.with_file_name(format!("cut.{}", path.extension().unwrap().display()));
        for cut in places(bytes.len()) {
            std::fs::write(&path, &bytes[..cut]).unwrap();
            match read(&path) {
                Ok(Carried::Recipe(Reading::Whole(read))) if cut > 64 => {
                    assert_eq!(*read, recipe, "{format:?} cut at {cut}");
                }
                Ok(other) => panic!("{format:?} cut at {cut}: {other:?}"),
                Err(_) => {}
            }
        }
    }
    let alone = folder.path().join("alone.npy");
    std::fs::copy(folder.path().join("run.npy"), &alone).unwrap();
    assert!(read(&alone).is_err(), "an array without its recipe");
}

/// Never a panic, and no large allocation.
#[test]
fn files_that_claim_too_much_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in [
        ("empty.png", Vec::new()),
        ("text.eddyscope", b"hello".to_vec()),
        ("head.eddyscope", b"EDDYSCOPE\r\n\x1a\x01\0\0\0".to_vec()),
        ("long.webp", b"RIFF\xff\xff\xff\xffWEBPXMP \xff\xff\xff\xff{".to_vec()),
        ("long.mp4", b"\0\0\0\x10ftypisom\0\0\0\0\0\0\0\x01moov\xff\xff\xff\xff\xff\xff\xff\xff".to_vec()),
        ("zero.mp4", b"\0\0\0\x08ftyp\0\0\0\x01moov\0\0\0\0\0\0\0\0".to_vec()),
        ("long.nc", b"CDF\x05\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff".to_vec()),
        ("loop.gif", [b"GIF89a\x01\0\x01\0\0\0\0".as_slice(), &[0x21, 0xFE]].concat()),
        ("other.json", b"{\"program\": \"other\"}".to_vec()),
    ] {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let error = read(&path).unwrap_err();
        assert!(!error.cause.is_empty() && !error.remedy.is_empty(), "{name}");
    }
    assert!(read(folder.path()).is_err() && read(&folder.path().join("none.png")).is_err());
}
