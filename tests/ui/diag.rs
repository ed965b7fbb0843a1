//! The diagnostics as somebody uses them: tabs, what goes wrong, an ensemble, a plot as a file.

use std::sync::Arc;
use std::time::{Duration, Instant};

use eddyscope::app::{EddyApp, Tab};
use eddyscope::rollout::frame::SpaceFigures;
use eddyscope::rollout::protocol::Command;
use eddyscope::rollout::settings::LaneKind;
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT as _, Queryable as _};

use super::support::{rain_script, script};
use super::{Setup, state};

/// Vorticity (or rain) with members that are an ensemble, and all that the worker reads off the frames.
fn setup(globe: bool, members: usize) -> Setup {
    let mut script = if globe { rain_script(60) } else { script(78) };
    script.figures = true;
    script.members = members;
    let mut setup = Setup::new(script);
    setup.prefs.tips_dismissed = true;
    setup.prefs.spec.one_start = true;
    setup
}

fn click(harness: &mut Harness<'_, Option<EddyApp>>, label: &str) {
    harness.get_by_label(label).click();
    harness.run_steps(3);
}

/// Every tab opens, and its plots can be saved.
#[test]
fn every_tab_shows_its_plots() {
    let tabs: [(&str, &[&str]); 6] = [
        (
            "Space",
            &[
                "Save Power by wavenumber [1/T²]",
                "Save Values, share of cells in each bin [%], by 1/T",
            ],
        ),
        (
            "D",
            &["Save D, probability of following in time, against noise σ"],
        ),
        ("Dynamics", &["Save Dynamics skill of single steps"]),
        (
            "Ensemble",
            &[
                "Save CRPS [1/T]",
                "Save Rank of truth among the members [% of cells]",
            ],
        ),
        (
            "Budget",
            &[
                "Save Energy per unit area [L²/T²]",
                "Save Change of enstrophy from frame to frame [1/T²]",
            ],
        ),
        ("Time", &["Save Change from frame to frame [1/T]"]),
    ];
    let Some((mut harness, _)) = setup(false, 4).open() else {
        return;
    };
    for (tab, plots) in tabs {
        click(&mut harness, tab);
        for plot in plots {
            harness.get_by_label(plot);
        }
    }
    click(&mut harness, "Ensemble");
    click(&mut harness, "Ensemble members");
    harness.get_by_label("Map of spread among members");
    click(&mut harness, "D");
    click(&mut harness, "Discriminator plots reliability");
    harness.get_by_label("Save Share that follows, against D, by noise level σ");
    click(&mut harness, "Space");
}

#[test]
fn every_tab_of_rain_shows_its_plots() {
    let tabs: [(&str, &str); 4] = [
        ("Budget", "Save Area with at least 0.1 mm/day [%]"),
        ("Time", "Save Change from day to day [mm/day]"),
        ("Ensemble", "Save CRPS [mm/day]"),
        ("Space", "Save Zonal mean by latitude [mm/day]"),
    ];
    let Some((mut harness, _)) = setup(true, 3).open() else {
        return;
    };
    for (tab, plot) in tabs {
        click(&mut harness, tab);
        harness.get_by_label(plot);
    }
    click(&mut harness, "Space spectrum and values");
    harness.get_by_label("Save Power by zonal wavenumber [(mm/day)²]");
}

/// One member is no ensemble: the tab says so and starts one.
#[test]
fn an_ensemble_is_started_from_its_tab() {
    let mut setup = setup(false, 1);
    setup.prefs.tab = Tab::Ensemble;
    let Some((mut harness, commands)) = setup.open() else {
        return;
    };
    click(&mut harness, "Start 8 members");
    let heard = commands.lock().unwrap().clone();
    let started = heard.iter().find_map(|c| match c {
        Command::Restart(spec) => Some((spec.members, spec.one_start)),
        _ => None,
    });
    assert_eq!(started, Some((8, true)));
}

/// What goes wrong is said above the tabs' plots; its links lead to the plot that shows it and to the control that mends it.
#[test]
fn a_signature_leads_to_its_plot_and_its_control() {
    let mut setup = setup(false, 1);
    setup.prefs.tab = Tab::Budget;
    let Some((mut harness, _)) = setup.open() else {
        return;
    };
    harness.get_by_label("flickers: nothing links its frames");
    let sign = state(&mut harness).archive.diagnostics[LaneKind::Unconditional.index()].signs[0];
    let link = format!(
        "change {:.1}, truth {:.1}–{:.1}",
        sign.value, sign.truth.0, sign.truth.1
    );
    click(&mut harness, &link);
    assert_eq!(state(&mut harness).prefs.tab, Tab::Time);
    click(&mut harness, "guidance mends it");
    assert!(state(&mut harness).spotlight.control().is_some());
}

/// The menu of a plot, a typed path, and the file: all points of all lanes.
#[test]
fn a_plot_is_saved_as_a_table_and_as_a_picture() {
    let Some((mut harness, _)) = setup(false, 1).open() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    for (choice, name) in [
        ("Save as CSV…", "change.csv"),
        ("Save as picture…", "change.svg"),
        ("Save as picture…", "change.png"),
    ] {
        click(&mut harness, "Save Change from frame to frame [1/T]");
        click(&mut harness, choice);
        let path = folder.path().join(name);
        state(&mut harness).plots.save.path = path.display().to_string();
        harness.run_steps(2);
        click(&mut harness, "Save");
        let began = Instant::now();
        while state(&mut harness).plots.save.is_open() {
            assert!(began.elapsed() < Duration::from_secs(120), "{name}");
            std::thread::sleep(Duration::from_millis(20));
            harness.run_steps(1);
        }
        assert!(path.exists(), "{name}");
    }
    let table = std::fs::read_to_string(folder.path().join("change.csv")).unwrap();
    let mut lines = table.lines();
    assert!(lines.next().unwrap().contains("\"model\":\"vorticity\""));
    assert_eq!(lines.next(), Some("method,quantity,x,value,low,high"));
    let rows = |name: &str| table.lines().filter(|l| l.starts_with(name)).count();
    assert_eq!((rows("guided,"), rows("truth,")), (77, 77), "{table}");
    let picture = std::fs::read_to_string(folder.path().join("change.svg")).unwrap();
    assert!(picture.contains("<metadata>") && picture.trim_end().ends_with("</svg>"));
}

/// A hundred thousand frames are drawn with as few points as some: at most two a column of pixels, from summaries.
#[test]
fn a_long_run_is_drawn_with_few_points() {
    let mut setup = setup(false, 1);
    setup.prefs.tab = Tab::Time;
    let Some((mut harness, _)) = setup.open() else {
        return;
    };
    state(&mut harness).tree.difference.on = true;
    harness.run_steps(3);
    let short = points_drawn(&harness);
    assert!(short > 100, "{short}");
    for lane in &mut state(&mut harness).series.lanes {
        for i in 0..100_000 {
            let time = f64::from(i) * 0.16;
            lane.std.push([time, 3.3 + (time * 7.0).sin()]);
            lane.rmse.push([time, 1.3 + (time * 3.0).cos()]);
        }
    }
    harness.run_steps(2);
    let long = points_drawn(&harness);
    // Three lanes in two charts, each chart narrower than the panel.
    let most = short + 3 * 2 * 2 * 320;
    assert!(long < most, "{short} {long}");
}

/// Points of all lines on the screen.
fn points_drawn(harness: &Harness<'_, Option<EddyApp>>) -> usize {
    fn of(shape: &egui::Shape) -> usize {
        match shape {
            egui::Shape::Vec(shapes) => shapes.iter().map(of).sum(),
            egui::Shape::Path(path) => path.points.len(),
            egui::Shape::LineSegment { .. } => 2,
            _ => 0,
        }
    }
    let shapes = harness.output().shapes.iter();
    shapes.map(|clipped| of(&clipped.shape)).sum()
}

/// A spectrum that is empty, short, zero or not finite leaves its chart empty, and the window as it is.
#[test]
fn odd_spectra_leave_the_charts_empty() {
    let Some((mut harness, _)) = setup(false, 1).open() else {
        return;
    };
    click(&mut harness, "Space");
    let nothing = SpaceFigures::default();
    let of = |power: Vec<f64>| SpaceFigures {
        truth: power.clone(),
        power_lo: power.clone(),
        power_hi: power.clone(),
        power,
        ..SpaceFigures::default()
    };
    let odd = [f64::NAN, 0.0, f64::INFINITY, -1.0, f64::NEG_INFINITY];
    for figures in [
        nothing,
        of(vec![1.0]),
        of(vec![1.0, 2.0]),
        of(vec![0.0; 33]),
        of(odd.iter().copied().cycle().take(33).collect()),
        SpaceFigures {
            edges: vec![f64::NAN; 5],
            shares: vec![f64::NAN; 4],
            shares_lo: vec![0.0; 4],
            ..of(vec![1.0; 33])
        },
    ] {
        for lane in &mut state(&mut harness).archive.diagnostics {
            lane.space = Some(Arc::new(figures.clone()));
        }
        harness.run_steps(2);
        harness.get_by_label("Save Power by wavenumber [1/T²]");
    }
}

/// A frame of another rollout with the same number has its own map of spread.
#[test]
fn the_map_of_spread_is_that_of_the_frame_shown() {
    let mut setup = setup(false, 4);
    setup.prefs.tab = Tab::Ensemble;
    let Some((mut harness, _)) = setup.open() else {
        return;
    };
    click(&mut harness, "Ensemble members");
    let said = |harness: &Harness<'_, Option<EddyApp>>| {
        let note = harness.get_by_label_contains("Spread among members, t");
        note.accesskit_node().value().unwrap()
    };
    let before = said(&harness);
    for frame in &mut state(&mut harness).archive.frames {
        let mut other = (**frame).clone();
        for lane in other.lanes.iter_mut().flatten() {
            for member in &mut lane.members {
                *member = member.iter().map(|v| 3.0 * v).collect();
            }
        }
        *frame = Arc::new(other);
    }
    harness.run_steps(2);
    assert_ne!(said(&harness), before);
}
