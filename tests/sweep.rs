//! `eddyscope sweep` as a person calls it, on the shipped model.

// Helpers outside of a #[test] function may unwrap here too.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::Output;

use assert_cmd::cargo::cargo_bin_cmd;

fn sweep(out: &Path, more: &[&str]) -> Output {
    cargo_bin_cmd!("eddyscope")
        .args([
            "sweep",
            "--frames",
            "14",
            "--members",
            "2",
            "--device",
            "cpu",
        ])
        .arg("--out")
        .arg(out)
        .args(more)
        .output()
        .unwrap()
}

fn json(output: &Output) -> serde_json::Value {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn figure(found: &serde_json::Value, values: [&str; 2], name: &str) -> f64 {
    let points = found["points"].as_array().unwrap();
    let point = points
        .iter()
        .find(|p| p["values"][0][1] == values[0] && p["values"][1][1] == values[1])
        .unwrap();
    point["figures"][name].as_f64().unwrap()
}

/// Shares make what the whole makes, nothing is made twice, and a point says what a rollout with its settings says.
#[test]
fn shares_are_collected_and_points_are_what_rollouts_are() {
    let dir = tempfile::tempdir().unwrap();
    let axes = ["--over", "lambda=0,1", "--over", "m=0,3"];
    fn with<'a>(axes: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
        [axes, more].concat()
    }
    let out = dir.path().join("shares");
    let first = json(&sweep(&out, &with(&axes, &["--part", "1/2", "--json"])));
    assert_eq!(
        (first["points"].as_array().unwrap().len(), &first["missing"]),
        (2, &2.into())
    );
    assert!(!out.join("sweep.json").exists(), "a share is not the whole");
    json(&sweep(&out, &with(&axes, &["--part", "2/2", "--json"])));
    let kept = out.join("points").join("lambda=1,m=3.json");
    let before = std::fs::metadata(&kept).unwrap().modified().unwrap();
    let whole = json(&sweep(&out, &with(&axes, &["--json"])));
    assert_eq!(whole["missing"], 0);
    assert_eq!(
        std::fs::metadata(&kept).unwrap().modified().unwrap(),
        before
    );
    let saved = std::fs::read_to_string(out.join("sweep.json")).unwrap();
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&saved).unwrap(),
        whole
    );
    let rows = std::fs::read_to_string(out.join("sweep.csv")).unwrap();
    assert_eq!(rows.lines().count(), 5, "{rows}");

    // Unrelated frames have no autocorrelation; guided ones truth's.
    assert!(figure(&whole, ["0", "3"], "acf1").abs() < 0.25);
    assert!(figure(&whole, ["1", "3"], "acf1") > 0.6);
    let score = |v: usize| {
        whole["points"].as_array().unwrap()[v]["score"]
            .as_f64()
            .unwrap()
    };
    assert!(score(0) > 2.0 * score(3));
    assert_eq!(whole["best"]["values"][0][1], "1");

    let run = cargo_bin_cmd!("eddyscope")
        .args([
            "rollout",
            "--frames",
            "14",
            "--members",
            "2",
            "--device",
            "cpu",
            "--json",
        ])
        .args([
            "--seed",
            "1000",
            "--guidance",
            "1",
            "--history",
            "3",
            "--out",
        ])
        .arg(dir.path().join("run.nc"))
        .output()
        .unwrap();
    let run = json(&run);
    for (here, there) in [
        ("acf_error", "acf_mae"),
        ("std_ratio", "std_ratio"),
        ("a", "a"),
    ] {
        assert_eq!(
            Some(figure(&whole, ["1", "3"], here)),
            run[there].as_f64(),
            "{here}"
        );
    }

    // Other settings are other points, though the names are the same.
    let other = json(&sweep(&out, &with(&axes, &["--seed", "7", "--json"])));
    assert_ne!(
        figure(&other, ["1", "3"], "acf_error"),
        figure(&whole, ["1", "3"], "acf_error")
    );
}

/// The strength that was found goes into the card of a folder; a shipped model has no card to write into.
#[test]
fn the_suggested_strength_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/vorticity");
    let model = dir.path().join("model");
    std::fs::create_dir(&model).unwrap();
    for entry in std::fs::read_dir(shipped).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), model.join(entry.file_name())).unwrap();
    }
    let folder = model.to_str().unwrap();
    let before = eddyscope::model::Model::from_folder(&model).unwrap().card;
    let out = dir.path().join("sweep");
    let args = ["--model", folder, "--over", "lambda=0,0.75", "--write-card"];
    let output = sweep(&out, &args);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("suggested strength 0.75"), "{said}");
    let card = eddyscope::model::Model::from_folder(&model).unwrap().card;
    let tower = card.two_tower.unwrap();
    assert_eq!(tower.suggested_strength, 0.75);
    assert_eq!(
        tower.usable_strength,
        before.two_tower.unwrap().usable_strength,
        "no run blew up: the limit is not known"
    );

    let refused = sweep(&out, &["--over", "lambda=0,1", "--write-card"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("name a model folder"));
    let wrong = sweep(&out, &["--over", "lambda=x"]);
    assert!(!wrong.status.success());
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("x is no number"));
}
