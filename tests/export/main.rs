//! Exports and what they carry: every kind of file there and back, hostile files, a session killed while it is written, and
//! a run that is made again from its recipe.

// Helpers outside of a #[test] function may unwrap here too.
#![allow(clippy::unwrap_used)]

mod damaged;
mod killed;
mod on_disk;
mod replay;
#[path = "../support/mod.rs"]
mod support;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use eddyscope::app::RolloutSource as _;
use eddyscope::data::rain::{Choices, RainFiles};
use eddyscope::data::read_series;
use eddyscope::export::picture::Paper;
use eddyscope::export::{
    Carried, FORMAT, Ffmpeg, Format, Plan, Reading, Recipe, Scene, SceneDifference, SceneLane,
    SceneSide, Watch, hash, read, sidecar,
};
use eddyscope::render::{ColorMap, Look, ValueRange, View};
use eddyscope::rollout::branch::Branch;
use eddyscope::rollout::protocol::Archive;
use eddyscope::rollout::settings::{LaneKind, RolloutSpec};
use support::{Synthetic, facts, rain_script, script};

const SIDE: usize = 96;

fn recipe(archive: &Archive, spec: &RolloutSpec) -> Recipe {
    let last = archive.frames.last().unwrap();
    Recipe {
        format: FORMAT,
        program: "eddyscope".into(),
        version: env!("CARGO_PKG_VERSION").into(),
        model: "vorticity".into(),
        model_folder: None,
        model_hash: "0".into(),
        device: "CPU, 2 threads".into(),
        device_kind: "cpu".into(),
        settings: last.settings.as_ref().clone(),
        changes: Vec::new(),
        incomplete: false,
        edited: None,
        rollout: spec.clone(),
        frame: last.index,
        frames: None,
        frame_hash: None,
        time: last.time,
        member: 0,
        color_map: ColorMap::Vik,
        range: ValueRange::symmetric(10.0),
        view: View::default(),
        globe: None,
    }
}

fn plan(format: Format, path: PathBuf, archive: &Archive, lanes: &[LaneKind]) -> Plan {
    let lane = |kind: &LaneKind| SceneLane {
        kind: *kind,
        color: [200, 120, 0],
    };
    Plan {
        format,
        path,
        first: archive.oldest(),
        last: archive.frames.last().unwrap().index,
        every: 1,
        lanes: lanes.to_vec(),
        scene: Scene {
            lanes: lanes.iter().map(lane).collect(),
            difference: None,
            member: 0,
            size: (support::N, support::N),
            view: View::default(),
            look: Look::plain(ColorMap::Vik, ValueRange::symmetric(10.0), false),
            quantity: "vorticity".into(),
            units: "1/T".into(),
            made_by: |_, frame| format!("frame {}", frame.index),
            when: |frame| format!("t = {:.2}", frame.time),
            caption: "seed 0".into(),
            paper: Paper::DARK,
            side: SIDE,
            globe: None,
        },
        rate: 10.0,
        recipe: recipe(archive, &RolloutSpec::default()),
        facts: Arc::new(facts()),
        archive: archive.clone(),
        beside: None,
        extra: serde_json::json!({ "pin": [3, 4] }),
    }
}

fn synthetic(frames: usize) -> Archive {
    Synthetic::new(&script(frames)).archive()
}

fn files_in(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

fn whole(path: &Path) -> Recipe {
    match read(path).unwrap() {
        Carried::Recipe(Reading::Whole(recipe)) => *recipe,
        Carried::Session(session) => session.recipe,
        Carried::Recipe(Reading::Newer(_)) => panic!("it is of this format"),
    }
}

/// Writes one file of each kind that this machine can.
fn one_of_each(folder: &Path, archive: &Archive, lanes: &[LaneKind]) -> Vec<(Format, PathBuf)> {
    let formats = Format::ALL.into_iter().map(|(format, _)| format);
    let mut out = Vec::new();
    for format in formats {
        if format == Format::Mp4 && Ffmpeg::find().is_err() {
            eprintln!("skipped MP4: there is no ffmpeg");
            continue;
        }
        let path = folder.join(format!("run.{}", format.ending()));
        plan(format, path.clone(), archive, lanes)
            .run(&Watch::default())
            .unwrap();
        out.push((format, path));
    }
    out
}

#[test]
fn every_kind_of_file_carries_its_recipe_and_its_frames() {
    let folder = tempfile::tempdir().unwrap();
    // Settings change at frame 24.
    let archive = synthetic(30);
    let lanes = [LaneKind::Truth, LaneKind::Guided];
    let files = one_of_each(folder.path(), &archive, &lanes);
    for (format, path) in &files {
        let got = whole(path);
        assert_eq!((got.format, got.frame), (FORMAT, 29), "{format:?}");
        assert_eq!(got.changes.len(), 2, "{format:?}");
        assert_eq!(got.changes[1].frame, 24, "{format:?}");
        assert_eq!(got.changes[1].settings.guidance.strength, 0.0);
        assert_eq!(got.frame_hash, Some(hash(&archive.frames[29])));
        let range = format.has_range().then_some([0, 29, 1]);
        assert_eq!(got.frames, range, "{format:?}");
    }
    let names = files_in(folder.path());
    assert_eq!(
        names.len(),
        files.len() + 1,
        "only they and the array's recipe: {names:?}"
    );
    gif_is_a_film(&folder.path().join("run.gif"), &archive, &lanes);
    webp_is_a_film(&folder.path().join("run.webp"), &archive, &lanes);
    let csv = std::fs::read_to_string(folder.path().join("run.csv")).unwrap();
    assert_eq!(csv.lines().count(), 2 + 30);
    let header = csv.lines().nth(1).unwrap();
    assert!(header.starts_with("frame,time,truth_mean,truth_std") && header.contains("guided_std"));
    let columns = header.split(',').count();
    assert!(csv.lines().skip(2).all(|l| l.split(',').count() == columns));
    // The recipe beside an array is also read alone.
    let npy = folder.path().join("run.npy");
    assert_eq!(whole(&sidecar(&npy)), whole(&npy));
}

fn gif_is_a_film(path: &Path, archive: &Archive, lanes: &[LaneKind]) {
    let mut options = gif::DecodeOptions::new();
    options.set_color_output(gif::ColorOutput::RGBA);
    let file = std::fs::File::open(path).unwrap();
    let mut decoder = options.read_info(std::io::BufReader::new(file)).unwrap();
    let (mut frames, mut first) = (0, Vec::new());
    while let Some(frame) = decoder.read_next_frame().unwrap() {
        assert_eq!(frame.delay, 10);
        if frames == 0 {
            first = frame.buffer.to_vec();
        }
        frames += 1;
    }
    assert_eq!(frames, 30);
    let scene = plan(Format::Gif, PathBuf::new(), archive, lanes).scene;
    let canvas = scene.picture(&archive.frames[0], None).draw();
    assert_eq!(first.len(), canvas.pixels.len());
    let off = first
        .iter()
        .zip(&canvas.pixels)
        .map(|(a, b)| f64::from(a.abs_diff(*b)))
        .sum::<f64>()
        / first.len() as f64;
    assert!(off < 2.0, "colours are off by {off} of 255 on average");
}

fn webp_is_a_film(path: &Path, archive: &Archive, lanes: &[LaneKind]) {
    let file = std::io::BufReader::new(std::fs::File::open(path).unwrap());
    let mut decoder = image_webp::WebPDecoder::new(file).unwrap();
    assert!(decoder.is_animated());
    assert_eq!((decoder.num_frames(), decoder.loop_duration()), (30, 3000));
    assert!(decoder.xmp_metadata().unwrap().is_some());
    let scene = plan(Format::WebP, PathBuf::new(), archive, lanes).scene;
    let mut pixels = vec![0; decoder.output_buffer_size().unwrap()];
    for frame in &archive.frames[..3] {
        decoder.read_frame(&mut pixels).unwrap();
        let canvas = scene.picture(frame, None).draw();
        let channels = pixels.len() / (canvas.width * canvas.height);
        let same = pixels
            .chunks_exact(channels)
            .zip(canvas.pixels.chunks_exact(4))
            .all(|(a, b)| a[..3] == b[..3]);
        assert!(same, "frame {} is there without loss", frame.index);
    }
}

#[test]
fn values_of_one_lane_are_read_as_a_start() {
    let folder = tempfile::tempdir().unwrap();
    let archive = synthetic(12);
    for format in [Format::NetCdf, Format::Npy] {
        let path = folder.path().join(format!("one.{}", format.ending()));
        let mut plan = plan(format, path.clone(), &archive, &[LaneKind::Guided]);
        (plan.first, plan.last, plan.every) = (5, 11, 2);
        plan.run(&Watch::default()).unwrap();
        let series = read_series(&path, None).unwrap();
        assert_eq!((series.members, series.frames), (1, 4));
        let expected: Vec<f32> = [5, 7, 9, 11]
            .into_iter()
            .flat_map(|i: usize| {
                let lane = archive.frames[i].lanes[LaneKind::Guided.index()].as_ref();
                lane.unwrap().members[0].to_vec()
            })
            .collect();
        assert_eq!(series.values, expected, "{format:?}");
        assert_eq!(whole(&path).frames, Some([5, 11, 2]));
    }
}

#[test]
fn rain_comes_back_as_a_recording() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rain.nc");
    let archive = Synthetic::new(&rain_script(8)).archive();
    let facts = support::rain::facts();
    let mut plan = plan(Format::NetCdf, path.clone(), &archive, &[LaneKind::Guided]);
    plan.scene.size = (facts.shape.1, facts.shape.0);
    plan.facts = Arc::new(facts);
    plan.run(&Watch::default()).unwrap();
    let files = RainFiles::open(&[path], &Choices::default()).unwrap();
    assert!(files.questions().is_empty(), "{:?}", files.questions());
    let facts = files.facts().to_string();
    let first = archive.frames[0].date.unwrap().to_string();
    assert!(facts.contains(&first), "{facts}");
}

#[test]
fn a_session_keeps_all_branches_and_shares_their_frames() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.eddyscope");
    let mut archive = synthetic(10);
    let settings = archive.frames[0].settings.clone();
    let rest = Archive {
        frames: archive.frames[..7].to_vec(),
        ..Archive::default()
    };
    archive.branches = vec![
        Branch {
            rest: Some(Arc::new(rest)),
            ..Branch::main(settings.clone())
        },
        Branch {
            id: 3,
            name: "stronger".into(),
            parent: Some(0),
            fork: 6,
            ..Branch::main(settings)
        },
    ];
    archive.active = 3;
    let lanes = [LaneKind::Guided];
    plan(Format::Session, path.clone(), &archive, &lanes)
        .run(&Watch::default())
        .unwrap();
    let Carried::Session(back) = read(&path).unwrap() else {
        panic!("it is a session");
    };
    let text = |frames: &[Arc<eddyscope::rollout::frame::FrameSet>]| format!("{frames:?}");
    assert_eq!(text(&back.archive.frames), text(&archive.frames));
    assert_eq!(back.extra["pin"], serde_json::json!([3, 4]));
    assert_eq!((back.archive.active, back.archive.branches.len()), (3, 2));
    let branch = back.archive.branch(3).unwrap();
    assert_eq!(
        (branch.name.as_str(), branch.parent, branch.fork),
        ("stronger", Some(0), 6)
    );
    let main = back.archive.of(0).unwrap();
    assert_eq!(main.frames.len(), 7);
    assert!(Arc::ptr_eq(&main.frames[6], &back.archive.frames[6]));
}

#[test]
fn cancelled_and_failed_exports_leave_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let archive = synthetic(8);
    for (format, _) in Format::ALL {
        let path = folder.path().join(format!("old.{}", format.ending()));
        std::fs::write(&path, "what was there").unwrap();
        let watch = Watch::default();
        watch.cancel();
        let plan = plan(format, path.clone(), &archive, &[LaneKind::Guided]);
        assert!(plan.run(&watch).is_err(), "{format:?}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "what was there");
    }
    assert_eq!(files_in(folder.path()).len(), Format::ALL.len());
    let nowhere = PathBuf::from("/no/such/folder/run.gif");
    let error = plan(Format::Gif, nowhere, &archive, &[LaneKind::Guided])
        .run(&Watch::default())
        .unwrap_err();
    assert!(error.cause.contains("no folder"), "{error}");
}

#[test]
fn a_film_is_cancelled_in_the_middle() {
    let folder = tempfile::tempdir().unwrap();
    let archive = synthetic(40);
    let mut formats = vec![Format::Gif, Format::WebP];
    formats.extend(Ffmpeg::find().is_ok().then_some(Format::Mp4));
    for format in formats {
        let path = folder.path().join(format!("film.{}", format.ending()));
        let plan = plan(format, path, &archive, &[LaneKind::Guided]);
        let watch = Watch::default();
        let inside = watch.clone();
        let thread = std::thread::spawn(move || plan.run(&inside));
        while watch.progress().0 < 3 {
            assert!(!thread.is_finished(), "it was not cancelled yet");
            std::thread::sleep(Duration::from_millis(1));
        }
        watch.cancel();
        assert!(thread.join().unwrap().is_err());
        assert_eq!(files_in(folder.path()).len(), 0, "{format:?}");
    }
}

#[test]
fn without_ffmpeg_it_is_said_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let error = Ffmpeg::find_in(&folder.path().as_os_str().to_owned()).unwrap_err();
    assert!(
        error.cause.contains("PATH") && error.remedy.contains("WebP"),
        "{error}"
    );
    // One that cannot be run is told too.
    let name = format!("ffmpeg{}", std::env::consts::EXE_SUFFIX);
    std::fs::write(folder.path().join(name), "no program").unwrap();
    let error = Ffmpeg::find_in(&folder.path().as_os_str().to_owned()).unwrap_err();
    assert!(error.cause.contains("cannot be run"), "{error}");
}

/// The difference stands behind the lanes, cell by cell, with its own colours; a side that is not there leaves it empty.
#[test]
fn the_difference_is_a_picture_of_its_own() {
    let archive = synthetic(6);
    let lanes = [LaneKind::Truth, LaneKind::Guided];
    let mut plan = plan(Format::Png, PathBuf::new(), &archive, &lanes);
    let side = |kind, beside| SceneSide { beside, kind };
    let difference = SceneDifference {
        sides: [side(LaneKind::Guided, false), side(LaneKind::Truth, false)],
        title: "guided − truth".into(),
        color: [255; 3],
        look: Look::plain(ColorMap::Gray, ValueRange::symmetric(2.0), false),
        globe: None,
    };
    plan.scene.difference = Some(difference.clone());
    let frame = archive.frames.last().unwrap();
    let picture = plan.scene.picture(frame, None);
    let value =
        |kind: LaneKind, i: usize| frame.lanes[kind.index()].as_ref().unwrap().members[0][i];
    let panel = &picture.panels[2];
    let mut sum = 0.0;
    for (i, v) in panel.values.iter().enumerate() {
        let wanted = value(LaneKind::Guided, i) - value(LaneKind::Truth, i);
        assert_eq!(*v, wanted);
        sum += f64::from(wanted * wanted);
    }
    let rms = (sum / panel.values.len() as f64).sqrt();
    let told: f64 = panel.made_by["±2 · rms ".len()..]
        .trim_end_matches(" 1/T")
        .parse()
        .unwrap();
    assert!((told - rms).abs() < 0.01 * rms, "{} {rms}", panel.made_by);
    assert_eq!(panel.look.unwrap().range.hi, 2.0);

    // Against another branch: the same frame of the same rollout has no difference; without one there is none.
    plan.scene.difference = Some(SceneDifference {
        sides: [side(LaneKind::Guided, false), side(LaneKind::Guided, true)],
        ..difference
    });
    let same = plan.scene.picture(frame, Some(frame));
    assert!(same.panels[2].values.iter().all(|v| *v == 0.0));
    let none = plan.scene.picture(frame, None);
    assert!(none.panels[2].values.iter().all(|v| v.is_nan()));
    assert_eq!(none.panels[2].made_by, "no frame");
}
