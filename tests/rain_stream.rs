//! The growing NetCDF file of a run: read by our reader and by xarray, whole after a kill, resumed bit for bit, in constant
//! memory.

#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use eddyscope::data::rain::{Choices, RainFiles};
use eddyscope::data::rain_stream::{RainStream, RainStreamInfo};
use eddyscope::data::{Calendar, Date};
use eddyscope::field::Globe;

fn info(members: usize, ny: usize, nx: usize) -> RainStreamInfo {
    RainStreamInfo {
        globe: Globe::cell_centred(ny, nx).unwrap(),
        members,
        calendar: Calendar::NoLeap,
        first: Date {
            year: 2059,
            month: 12,
            day: 30,
        },
        start_frames: 2,
        title: "Test of a run — days that were made up".into(),
        history: "eddyscope rollout --frames 10".into(),
        recipe: Some("{\"seed\": 7}".into()),
    }
}

fn frame(info: &RainStreamInfo, t: usize) -> Vec<f32> {
    let n = info.members * info.globe.len();
    (0..n)
        .map(|i| ((i * 31 + t * 17) % 97) as f32 * 0.0625)
        .collect()
}

fn choose(member: usize) -> Choices {
    Choices {
        member: Some(member),
        ..Choices::default()
    }
}

#[test]
fn read_back_by_the_reader() {
    let folder = tempfile::tempdir().unwrap();
    for members in [1, 3] {
        let path = folder.path().join(format!("run{members}.nc"));
        let info = info(members, 6, 12);
        let mut stream = RainStream::create(&path, &info).unwrap();
        for t in 0..10 {
            stream.append(&frame(&info, t)).unwrap();
            // Readable while it is written.
            let files = RainFiles::open(std::slice::from_ref(&path), &choose(members - 1)).unwrap();
            assert_eq!(files.days(), t + 1);
        }
        let files = RainFiles::open(std::slice::from_ref(&path), &choose(members - 1)).unwrap();
        assert_eq!(
            files.questions(),
            [],
            "nothing is left to ask in a file of ours"
        );
        assert_eq!(files.globe(), &info.globe);
        assert_eq!(files.calendar(), Calendar::NoLeap);
        assert_eq!(files.date(2).to_string(), "2060-01-01");
        for t in 0..10 {
            let cells = info.globe.len();
            let all = frame(&info, t);
            assert_eq!(
                files.day(t).unwrap(),
                all[(members - 1) * cells..members * cells]
            );
            assert_eq!(stream.frame(t).unwrap(), all);
        }
        assert!(stream.frame(10).is_err() && stream.append(&[1.0]).is_err());
        assert_eq!(stream.frames(), 10);
    }
}

#[test]
fn gaps_are_written_and_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gap.nc");
    let info = RainStreamInfo {
        calendar: Calendar::Standard,
        ..info(1, 4, 8)
    };
    let mut stream = RainStream::create(&path, &info).unwrap();
    let date = |day| Date {
        year: 2060,
        month: 2,
        day,
    };
    stream.append_on(date(28), &frame(&info, 0)).unwrap();
    stream.append_on(date(29), &frame(&info, 1)).unwrap();
    assert!(stream.append_on(date(29), &frame(&info, 2)).is_err());
    stream
        .append_on(
            Date {
                year: 2060,
                month: 3,
                day: 3,
            },
            &frame(&info, 2),
        )
        .unwrap();
    let files = RainFiles::open(&[path], &Choices::default()).unwrap();
    assert_eq!(files.breaks(), [2]);
    assert_eq!(files.date(2).to_string(), "2060-03-03");
}

#[test]
fn resumed_bit_for_bit_from_any_cut() {
    let folder = tempfile::tempdir().unwrap();
    let info = info(2, 4, 8);
    let whole = folder.path().join("whole.nc");
    let mut stream = RainStream::create(&whole, &info).unwrap();
    let mut lengths = Vec::new();
    for t in 0..8 {
        lengths.push(std::fs::metadata(&whole).unwrap().len() as usize);
        stream.append(&frame(&info, t)).unwrap();
    }
    drop(stream);
    let bytes = std::fs::read(&whole).unwrap();
    // A copy that lost its end, and a file whose last record was not counted yet.
    for (kept, cut, counted) in [
        (8, bytes.len(), 8),
        (5, lengths[5], 5),
        (5, lengths[5] + 100, 8),
        (3, bytes.len(), 3),
        (0, lengths[0], 0),
    ] {
        let part = folder.path().join("part.nc");
        let mut copy = bytes[..cut].to_vec();
        copy[4..8].copy_from_slice(&(counted as u32).to_be_bytes());
        std::fs::write(&part, &copy).unwrap();
        let resumed = RainStream::open_for_resume(&part, 3).unwrap();
        let mut stream = resumed.stream;
        assert_eq!(stream.frames(), kept, "cut at {cut}");
        assert_eq!(stream.info(), &info);
        let expected: Vec<_> = (kept.saturating_sub(3)..kept)
            .map(|t| frame(&info, t))
            .collect();
        assert_eq!(resumed.last, expected);
        for t in kept..8 {
            stream.append(&frame(&info, t)).unwrap();
        }
        drop(stream);
        assert_eq!(
            std::fs::read(&part).unwrap(),
            bytes,
            "resumed from {kept} frames"
        );
    }
}

#[test]
fn other_files_are_not_resumed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.nc");
    let info = info(1, 4, 8);
    let mut stream = RainStream::create(&path, &info).unwrap();
    stream.append(&frame(&info, 0)).unwrap();
    #[cfg(unix)]
    {
        let error = RainStream::open_for_resume(&path, 1).unwrap_err();
        assert!(error.cause.contains("another run"), "{error}");
    }
    drop(stream);
    let mut bytes = std::fs::read(&path).unwrap();
    let at = bytes.windows(4).position(|w| w == b"2059").unwrap();
    bytes[at] = b'1';
    // Another first date is still one of ours; another attribute is not.
    std::fs::write(&path, &bytes).unwrap();
    assert!(RainStream::open_for_resume(&path, 1).is_ok());
    let at = bytes.windows(8).position(|w| w == b"mm day-1").unwrap();
    bytes[at] = b'k';
    std::fs::write(&path, &bytes).unwrap();
    let error = RainStream::open_for_resume(&path, 1).unwrap_err();
    assert!(error.cause.contains("header was changed"), "{error}");
    let foreign = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rain/cdf1.nc");
    let error = RainStream::open_for_resume(&foreign, 1).unwrap_err();
    assert!(error.cause.contains("does not describe a run"), "{error}");
    let error = RainStream::open_for_resume(&folder.path().join("no.nc"), 1).unwrap_err();
    assert!(error.cause.contains("no such file"), "{error}");
    let mut wide = info.clone();
    wide.members = 1 << 40;
    assert!(RainStream::create(&path, &wide).is_err());
    assert!(RainStream::create(Path::new("/no/such/folder/run.nc"), &info).is_err());
}

/// Not a test of its own: the child that [`whole_after_a_kill`] kills.
#[test]
fn child_that_writes_until_killed() {
    let Ok(path) = std::env::var("RAIN_STREAM_CHILD") else {
        return;
    };
    let info = info(1, 12, 24);
    let mut stream = RainStream::create(Path::new(&path), &info).unwrap();
    for t in 0.. {
        stream.append(&frame(&info, t)).unwrap();
    }
}

#[test]
fn whole_after_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("killed.nc");
    let info = info(1, 12, 24);
    for _ in 0..3 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_that_writes_until_killed"])
            .env("RAIN_STREAM_CHILD", &path)
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(150));
        child.kill().unwrap();
        child.wait().unwrap();
        let files = RainFiles::open(std::slice::from_ref(&path), &Choices::default()).unwrap();
        let days = files.days();
        assert!(days > 20, "{days}");
        for t in [0, days / 2, days - 1] {
            assert_eq!(files.day(t).unwrap(), frame(&info, t));
        }
        let mut stream = RainStream::open_for_resume(&path, 2).unwrap().stream;
        assert_eq!(stream.frames(), days);
        stream.append(&frame(&info, days)).unwrap();
        std::fs::remove_file(&path).unwrap();
    }
}

/// Resident memory, MB.
#[cfg(target_os = "linux")]
fn resident() -> f64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find(|l| l.starts_with("VmRSS")).unwrap();
    line.split_whitespace()
        .nth(1)
        .unwrap()
        .parse::<f64>()
        .unwrap()
        / 1024.0
}

#[cfg(target_os = "linux")]
#[test]
fn a_long_run_takes_constant_memory() {
    // Alone in a process of its own: the memory of other tests is not to be counted.
    if std::env::var("RAIN_STREAM_ALONE").is_err() {
        let alone = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "a_long_run_takes_constant_memory"])
            .env("RAIN_STREAM_ALONE", "1")
            .output()
            .unwrap();
        assert!(
            alone.status.success(),
            "{}",
            String::from_utf8_lossy(&alone.stdout)
        );
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("long.nc");
    let info = info(1, 48, 96);
    let mut stream = RainStream::create(&path, &info).unwrap();
    let values = frame(&info, 3);
    for _ in 0..100 {
        stream.append(&values).unwrap();
    }
    let before = resident();
    for _ in 0..12_000 {
        stream.append(&values).unwrap();
    }
    let after = resident();
    // 221 MB were written meanwhile.
    assert!(after - before < 20.0, "{before:.1} MB, then {after:.1} MB");
    let files = RainFiles::open(&[path], &Choices::default()).unwrap();
    assert_eq!(files.days(), 12_100);
    assert_eq!(files.day(12_099).unwrap(), values);
}

#[test]
fn xarray_reads_it() {
    let folder = tempfile::tempdir().unwrap();
    for members in [1, 2] {
        let path = folder.path().join(format!("run{members}.nc"));
        let info = info(members, 6, 12);
        let mut stream = RainStream::create(&path, &info).unwrap();
        (0..5).for_each(|t| stream.append(&frame(&info, t)).unwrap());
        let script = "
import sys, json
try:
    import xarray as xr, cftime, netCDF4
except ImportError:
    print('none'); sys.exit()
ds = xr.open_dataset(sys.argv[1], decode_times=xr.coders.CFDatetimeCoder(use_cftime=True))
p = ds.pr.isel(time=3)
print(json.dumps([str(ds.time.values[3]), ds.pr.dims, float(p.sum()), float(ds.lat[0]), float(ds.lon[1]), ds.attrs['recipe'], int(ds.attrs['start_frames']), ds.pr.units, ds.time.dt.calendar]))
";
        let output = match Command::new("python3")
            .args(["-c", script])
            .arg(&path)
            .output()
        {
            Ok(output) => output,
            Err(_) => {
                println!("skipped: no python3");
                return;
            }
        };
        let text = String::from_utf8(output.stdout).unwrap();
        if text.trim() == "none" {
            println!("skipped: no xarray");
            return;
        }
        let sum: f64 = frame(&info, 3).iter().map(|&v| f64::from(v)).sum();
        let dims = if members == 1 {
            r#"["time", "lat", "lon"]"#
        } else {
            r#"["time", "member", "lat", "lon"]"#
        };
        let expected = format!(
            r#"["2060-01-02 12:00:00", {dims}, {sum:?}, -75.0, 45.0, "{{\"seed\": 7}}", 2, "mm day-1", "noleap"]"#
        );
        assert_eq!(
            text.trim(),
            expected,
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}
