//! `eddyscope data` from the outside.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use assert_cmd::Command;
use eddyscope::data::rain::{Choices, RainFiles};
use eddyscope::data::recording::{Clip, Recording};

fn rain(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/rain")
        .join(name)
}

fn data(arguments: &[&str]) -> (i32, String, String) {
    let output = Command::cargo_bin("eddyscope")
        .unwrap()
        .arg("data")
        .args(arguments)
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (
        output.status.code().unwrap(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[test]
fn shows_writes_and_asks() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let named = |name: &str| rain(name).display().to_string();

    let (code, out, _) = data(&[&named("cdf1.nc"), "--statistics"]);
    assert_eq!(code, 0);
    assert!(
        out.contains("mm/day as it is") && out.contains("percentiles"),
        "{out}"
    );

    // A question does not stop the show, but the use of the days.
    let (code, out, _) = data(&[&named("midnight.nc")]);
    assert_eq!(code, 0);
    assert!(out.contains("--stamp begin | middle | end"), "{out}");
    let (code, _, err) = data(&[&named("midnight.nc"), "--out", &at("x.nc")]);
    assert_eq!(code, 2);
    assert!(
        err.contains("--stamp begin") && !Path::new(&at("x.nc")).exists(),
        "{err}"
    );

    let (code, out, _) = data(&[&named("midnight.nc"), "--stamp", "end", "--json"]);
    let object: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (code, &object["facts"]["first"]["day"]),
        (0, &31.into()),
        "{object}"
    );
    assert_eq!(object["questions"], serde_json::json!([]));

    // Regridded by a pattern of files, and the clip of some days of it.
    let parts = named("part?.nc");
    let (code, _, err) = data(&[&parts, "--regrid", "4x8", "--out", &at("coarse.nc")]);
    assert_eq!(code, 0, "{err}");
    let fine = RainFiles::open(
        &[rain("part0.nc"), rain("part1.nc"), rain("part2.nc")],
        &Choices::default(),
    )
    .unwrap();
    let coarse = RainFiles::open(&[at("coarse.nc").into()], &Choices::default()).unwrap();
    assert_eq!(coarse.days(), 8);
    for i in 0..8 {
        let (a, b) = (
            fine.globe().mean(&fine.day(i).unwrap()),
            coarse.globe().mean(&coarse.day(i).unwrap()),
        );
        assert!((a / b - 1.0).abs() < 1e-6, "{a} {b}");
    }
    let (code, _, err) = data(&[
        &at("coarse.nc"),
        "--clip",
        &at("c.png"),
        "--from",
        "2010-06-03",
        "--days",
        "4",
        "--source",
        "made up",
        "--terms",
        "none",
    ]);
    assert_eq!(code, 0, "{err}");
    let clip = Clip::read(&std::fs::read(at("c.png")).unwrap()).unwrap();
    assert_eq!(
        (clip.days(), clip.date(0).to_string().as_str()),
        (4, "2010-06-03")
    );
    assert_eq!(clip.info().source, "made up");

    for (arguments, piece) in [
        (vec![at("no.nc")], "there is no such file"),
        (vec![at("*.grb")], "no file fits"),
        (
            vec![at("coarse.nc"), "--out".into(), at("coarse.nc")],
            "one of the files that are read",
        ),
        (
            vec![
                at("coarse.nc"),
                "--clip".into(),
                at("d.png"),
                "--from".into(),
                "1999-01-01".into(),
            ],
            "not among the days",
        ),
        (
            vec![named("land-nan.nc"), "--out".into(), at("l.nc")],
            "always missing",
        ),
        (
            vec![named("gap.nc"), "--clip".into(), at("g.png")],
            "have a gap",
        ),
        (
            vec![
                at("coarse.nc"),
                "--regrid".into(),
                "vorticity".into(),
                "--out".into(),
                at("v.nc"),
            ],
            "does not stand on the globe",
        ),
    ] {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let (code, _, err) = data(&arguments);
        assert_eq!(code, 2, "{err}");
        assert!(err.contains(piece), "{piece:?} is not in\n{err}");
    }
}
