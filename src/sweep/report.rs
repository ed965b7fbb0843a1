//! What a sweep found: table, CSV, JSON.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::grid::{Axis, Knob};
use super::judge::{Finished, LADDER, best, criterion, ladder, usable};

/// A figure of the table: its heading and how it is read off a point.
type Column = (&'static str, fn(&Finished) -> Option<f64>);

fn columns(globe: bool) -> Vec<Column> {
    let mut out: Vec<Column> = vec![
        ("score", |p| p.score),
        ("ACF 1", |p| p.figures.acf1),
        ("ACF error", |p| p.figures.acf_error),
        ("std ratio", |p| p.figures.std_ratio),
        ("spectrum", |p| p.figures.spectrum_error),
    ];
    if globe {
        out.push(("wet -truth", |p| p.figures.wet_difference));
        out.push(("mean ratio", |p| p.figures.mean_ratio));
    } else {
        out.push(("skill -truth", |p| p.figures.skill_difference));
        out.push(("a", |p| p.figures.a));
        out.push(("residual", |p| p.figures.residual));
    }
    out.push(("s/frame", |p| p.figures.seconds_per_frame));
    out
}

/// The table for people. The best point is marked.
pub fn text(points: &[Finished], axes: &[Axis], globe: bool) -> String {
    let columns = columns(globe);
    let mut out = String::new();
    for axis in axes {
        let _ = write!(out, "{:>13}", axis.knob.name());
    }
    for (name, _) in &columns {
        let _ = write!(out, "{name:>13}");
    }
    out.push('\n');
    let winner = best(points).map(|p| &p.values);
    for point in points {
        for (_, value) in &point.values {
            let _ = write!(out, "{value:>13}");
        }
        for (_, read) in &columns {
            let _ = match read(point) {
                Some(v) => write!(out, "{v:>13.4}"),
                None => write!(out, "{:>13}", "-"),
            };
        }
        if let Some((frame, what)) = &point.blow_up {
            let _ = write!(out, "  blew up at frame {}: {what}", frame + 1);
        } else if winner == Some(&point.values) {
            out.push_str("  best");
        }
        out.push('\n');
    }
    let _ = writeln!(out, "{}", criterion(globe));
    if axes
        .iter()
        .any(|a| matches!(a.knob, Knob::Steps | Knob::Solver))
    {
        let _ = writeln!(out, "{LADDER}");
        for rung in ladder(points) {
            let s = &rung.point.recipe.settings.sampler;
            let evaluations = s.solver.evaluations(s.steps);
            let _ = writeln!(
                out,
                "  {}: {:?}, {} steps, {evaluations} evaluations a frame, score {:.2}",
                rung.name, s.solver, s.steps, rung.score
            );
        }
    }
    if let Some(limit) = usable(points) {
        let _ = writeln!(out, "no run blew up at strengths up to {limit}");
    }
    out
}

/// The same as comma-separated values.
pub fn csv(points: &[Finished], axes: &[Axis], globe: bool) -> String {
    let columns = columns(globe);
    let names = axes.iter().map(|a| a.knob.name());
    let mut out = names
        .chain(columns.iter().map(|(name, _)| *name))
        .chain(["blew up at frame"])
        .collect::<Vec<_>>()
        .join(",");
    out.push('\n');
    for point in points {
        let values = point.values.iter().map(|(_, v)| v.clone());
        let figures = columns
            .iter()
            .map(|(_, read)| read(point).map_or(String::new(), |v| v.to_string()));
        let blown = point.blow_up.as_ref();
        let row: Vec<String> = values
            .chain(figures)
            .chain([blown.map_or(String::new(), |(frame, _)| (frame + 1).to_string())])
            .collect();
        out.push_str(&row.join(","));
        out.push('\n');
    }
    out
}

/// Everything, for programs.
pub fn json(points: &[Finished], axes: &[Axis], globe: bool, missing: usize) -> Value {
    let axes: Vec<Value> = axes
        .iter()
        .map(|a| json!({"name": a.knob.name(), "values": a.values}))
        .collect();
    json!({
        "axes": axes,
        "criterion": criterion(globe),
        "best": best(points).map(|p| json!({"values": p.values, "score": p.score})),
        "usable_strength": usable(points),
        "missing": missing,
        "points": points,
    })
}

#[cfg(test)]
mod tests {
    use super::super::judge::tests::point;
    use super::*;

    #[test]
    fn the_best_is_marked_and_a_blow_up_is_said() {
        let axes = ["lambda=0.5,1,2".parse().unwrap()];
        let points = [
            point(0.5, 0.1, 0.9, -0.2, false),
            point(1.0, 0.003, 1.0, 0.01, false),
            point(2.0, 0.001, 1.0, 0.0, true),
        ];
        let table = text(&points, &axes, false);
        let lines: Vec<&str> = table.lines().collect();
        assert!(lines[2].ends_with("best"), "{table}");
        assert!(!lines[1].contains("best") && lines[3].contains("blew up at frame 4"));
        assert!(table.contains("up to 1\n"), "{table}");
        let rows = csv(&points, &axes, false);
        let fields = |i: usize| rows.lines().nth(i).unwrap().split(',').count();
        assert!((0..4).all(|i| fields(i) == fields(0)), "{rows}");
        let all = json(&points, &axes, false, 2);
        assert_eq!(all["best"]["values"][0][1], "1");
        assert_eq!(all["usable_strength"], 1.0);
        assert_eq!(all["missing"], 2);
    }
}
