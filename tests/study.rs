//! Studies from the command line: a tiny one from its file to its page, stopped, taken up again and refused.

#![allow(clippy::unwrap_used)]

use std::path::Path;

use assert_cmd::Command;

/// A study of a few training steps on a tiny grid.
fn tiny(name: &str, into: &Path) -> std::path::PathBuf {
    let text = std::fs::read_to_string(format!("models/studies/{name}.toml")).unwrap();
    let mut table: toml::Table = toml::from_str(&text).unwrap();
    let lab = table["lab"].as_table_mut().unwrap();
    for key in ["denoiser_steps", "tower_steps", "encoder_steps"] {
        lab.insert(key.into(), 6.into());
    }
    for (key, value) in [
        ("side", 8),
        ("batch", 4),
        ("sampler_steps", 4),
        ("embedding", 8),
    ] {
        lab.insert(key.into(), value.into());
    }
    lab.insert(
        "channels".into(),
        toml::Value::Array(vec![8.into(), 8.into()]),
    );
    let data: toml::Table = toml::from_str("runs = 4\nvalidation_runs = 2\nframes = 16").unwrap();
    lab.insert("data".into(), data.into());
    let study = table["study"].as_table_mut().unwrap();
    for (key, value) in [
        ("members", 2),
        ("frames", 12),
        ("histories", 2),
        ("draws", 1),
    ] {
        if study.get(key).is_some_and(toml::Value::is_integer) {
            study.insert(key.into(), value.into());
        }
    }
    let file = into.join(format!("{name}.toml"));
    std::fs::write(&file, toml::to_string(&table).unwrap()).unwrap();
    file
}

fn study(args: &[&str]) -> assert_cmd::assert::Assert {
    Command::new(env!("CARGO_BIN_EXE_eddyscope"))
        .arg("study")
        .args(args)
        .assert()
}

#[test]
fn a_study_writes_its_page_and_the_same_numbers_again() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["wave", "gaussian"] {
        let file = tiny(name, folder.path());
        let out = folder.path().join(name);
        let args = [
            file.to_str().unwrap(),
            "--device",
            "cpu",
            "--out",
            out.to_str().unwrap(),
        ];
        study(&args).success();
        let read = |file: &str| std::fs::read_to_string(out.join(file)).unwrap();
        let page = read(&format!("{name}.md"));
        assert!(
            page.contains("## What was found") && page.contains("| network |"),
            "{page}"
        );
        let json: serde_json::Value = serde_json::from_str(&read("results.json")).unwrap();
        let findings = json["results"]["findings"].as_array().unwrap();
        assert!(!findings.is_empty());
        assert!(findings.iter().all(|f| page.contains(f.as_str().unwrap())));
        assert!(read(&format!("{name}.svg")).starts_with("<svg"));
        assert!(read("rollouts.csv").lines().count() > 2);

        // Taken up again: nothing is trained (the seconds of a training would differ), the page is the same.
        let trained = match name {
            "wave" => "networks/denoiser/denoiser.json",
            _ => "networks/tower/tower.json",
        };
        let facts = read(trained);
        study(&args).success();
        assert_eq!(read(trained), facts);
        assert_eq!(read(&format!("{name}.md")), page);
        // Other folder, same seed: the same numbers.
        let other = folder.path().join(format!("{name}-again"));
        let again = [args[0], "--device", "cpu", "--out", other.to_str().unwrap()];
        study(&again).success();
        assert_eq!(
            std::fs::read_to_string(other.join("rollouts.csv")).unwrap(),
            read("rollouts.csv")
        );
    }
}

/// Vorticity and a tracer at once: from the file to the page, and the same numbers again.
#[test]
fn two_variables_are_made_together() {
    let folder = tempfile::tempdir().unwrap();
    let file = tiny("tracer", folder.path());
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("side = 8", "side = 16")).unwrap();
    let run = |name: &str| {
        let out = folder.path().join(name);
        let to = out.to_str().unwrap();
        study(&[file.to_str().unwrap(), "--device", "cpu", "--out", to]).success();
        let read = |file: &str| std::fs::read_to_string(out.join(file)).unwrap();
        (
            read("rollouts.csv"),
            read("correlation.csv"),
            read("tracer.svg"),
        )
    };
    let (rollouts, correlation, figure) = run("one");
    assert_eq!(rollouts.lines().count(), 8, "{rollouts}");
    assert!(correlation.lines().count() > 4 && figure.starts_with("<svg"));
    // Truth: the correlation of the sources is that of the fields, in the energetic wavenumbers at least.
    let row = |k: usize| -> f64 {
        let line = correlation.lines().nth(k).unwrap();
        line.split(',').nth(1).unwrap().parse().unwrap()
    };
    assert!((row(4) - 0.6).abs() < 0.2, "{correlation}");
    assert_eq!(run("two").0, rollouts);
}

/// A study of a shipped model: axes that cross share their point, and the best is marked.
#[test]
fn settings_of_a_shipped_model_are_swept() {
    let folder = tempfile::tempdir().unwrap();
    let text = r#"
title = "Steps"
question = "How many?"
seed = 3
[study]
kind = "ablation"
model = "vorticity"
members = 1
frames = 12
[[study.sweeps]]
title = "steps"
over = "steps=3,4"
paper = "50"
[[study.sweeps]]
title = "history"
over = "m=2"
fixed = ["steps=4"]
paper = "1"
"#;
    let file = folder.path().join("steps.toml");
    std::fs::write(&file, text).unwrap();
    let out = folder.path().join("out");
    let to = out.to_str().unwrap();
    study(&[file.to_str().unwrap(), "--device", "cpu", "--out", to]).success();
    let read = |file: &str| std::fs::read_to_string(out.join(file)).unwrap();
    let measured = std::fs::read_dir(out.join("measured")).unwrap();
    // Two rollouts, and the two that are timed.
    assert_eq!(measured.count(), 4);
    let cells = |line: &str| {
        line.split(',')
            .skip(1)
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let (steps, history) = (read("steps.csv"), read("history.csv"));
    assert_eq!(
        cells(steps.lines().nth(2).unwrap()),
        cells(history.lines().nth(1).unwrap())
    );
    let page = read("steps.md");
    assert!(page.contains("The paper: 50."), "{page}");
    // The other sweep has a row of its own that is marked.
    let section = |title: &str| {
        let sections = page.split("\n## ");
        let mut own = sections.filter(|s| s.to_lowercase().starts_with(title));
        own.next().unwrap().to_owned()
    };
    let marked = |text: &str| text.lines().filter(|l| l.starts_with("| **")).count();
    let steps = section("steps");
    assert_eq!(marked(&steps), 1, "{steps}");
    assert!(
        steps.contains("| **3** |") != steps.contains("| **4** |"),
        "{steps}"
    );
    assert_eq!(marked(&section("history")), 1, "{page}");
    let broken = text.replace("steps=3,4", "steps=many");
    std::fs::write(&file, broken).unwrap();
    study(&[file.to_str().unwrap(), "--out", to]).code(2);
}

#[test]
fn shipped_studies_are_listed_and_unknown_ones_refused() {
    let list = study(&["--list"]).success();
    let text = String::from_utf8_lossy(&list.get_output().stdout).into_owned();
    assert!(text.contains("wave") && text.contains("gaussian"), "{text}");
    let error = study(&["no-such-study"]).code(2);
    let text = String::from_utf8_lossy(&error.get_output().stderr).into_owned();
    assert!(text.contains("remedy") && text.contains("wave"), "{text}");
}

/// Ctrl-C ends a training with exit code 3 and a checkpoint.
#[cfg(unix)]
#[test]
fn a_study_that_is_stopped_keeps_what_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_eddyscope"))
        .args(["study", "gaussian", "--device", "cpu", "--out"])
        .arg(&out)
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let log = out.join("networks/tower/log.csv");
    let begin = std::time::Instant::now();
    while !log.exists() {
        assert!(begin.elapsed().as_secs() < 300, "no training began");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let kill = std::process::Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(kill.unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(3));
    assert!(out.join("networks/tower/checkpoint.safetensors").exists());
    assert!(!out.join("results.json").exists());
}
