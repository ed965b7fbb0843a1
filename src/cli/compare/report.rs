//! The table as text and as JSON.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::judge::{Bar, Row};
use super::survey::Survey;

/// The table for people.
pub fn text(rows: &[Row], run: &Survey, truth: &Survey, names: &[String; 2]) -> String {
    let mut out = String::new();
    let side = |s: &Survey, name: &str| {
        let members = if s.members == 1 { "" } else { " each" };
        let count = if s.members == 1 {
            String::new()
        } else {
            format!("{} members, ", s.members)
        };
        format!(
            "{name}: {count}{} days{members}, {} to {}",
            s.days, s.span[0], s.span[1]
        )
    };
    let _ = writeln!(out, "run    {}", side(run, &names[0]));
    let _ = writeln!(out, "truth  {}", side(truth, &names[1]));
    let mut group = "";
    for row in rows {
        if row.group != group {
            group = row.group;
            let _ = writeln!(out, "\n{group}");
            let _ = writeln!(
                out,
                "  {:<62} {:>8} {:>8} {:>8}  {:<9}",
                "", "run", "truth", "differs", "asked"
            );
        }
        let verdict = match row.holds() {
            None => "",
            Some(true) => "pass",
            Some(false) => "FAIL",
        };
        let line = format!(
            "  {:<62} {:>8} {:>8} {:>8}  {:<9} {verdict}",
            row.name,
            number(row.run),
            number(row.truth),
            number(row.difference),
            row.bar.map_or_else(String::new, bar),
        );
        let _ = writeln!(out, "{}", line.trim_end());
    }
    let (held, asked) = score(rows);
    let _ = writeln!(out, "\n{held} of {asked} hold");
    out
}

fn score(rows: &[Row]) -> (usize, usize) {
    let verdicts: Vec<bool> = rows.iter().filter_map(Row::holds).collect();
    (verdicts.iter().filter(|v| **v).count(), verdicts.len())
}

/// Three digits after the point, four where the number is small.
fn number(v: f64) -> String {
    if v.is_nan() {
        "-".into()
    } else if v.abs() < 0.0995 {
        format!("{v:.4}")
    } else if v.abs() < 99.5 {
        format!("{v:.3}")
    } else {
        format!("{v:.1}")
    }
}

fn bar(bar: Bar) -> String {
    match bar {
        Bar::Within(d) => format!("+-{d}"),
        Bar::Share(s) => format!("+-{} %", 100.0 * s),
        Bar::AtMost(m) => format!("<= {}", number(m)),
    }
}

/// Everything, for programs. Undefined figures are null.
pub fn json(rows: &[Row], run: &Survey, truth: &Survey, names: &[String; 2]) -> Value {
    let row = |r: &Row| {
        let bar = r.bar.map(|b| match b {
            Bar::Within(d) => json!({"within": d}),
            Bar::Share(s) => json!({"within_share": s}),
            Bar::AtMost(m) => json!({"at_most": m}),
        });
        json!({
            "group": r.group,
            "name": r.name,
            "run": finite(r.run),
            "truth": finite(r.truth),
            "difference": finite(r.difference),
            "asked": bar,
            "holds": r.holds(),
        })
    };
    let (held, asked) = score(rows);
    json!({
        "run": side(run, &names[0]),
        "truth": side(truth, &names[1]),
        "rows": rows.iter().map(row).collect::<Vec<_>>(),
        "hold": held,
        "asked": asked,
    })
}

fn side(survey: &Survey, name: &str) -> Value {
    let s = &survey.summary;
    json!({
        "name": name,
        "members": survey.members,
        "days": survey.days,
        "first": survey.span[0],
        "last": survey.span[1],
        "global_mean": finite(s.global_mean),
        "wet_cells": finite(s.wet_cells),
        "wet_fraction": finite(s.wet_fraction),
        "percentiles": list(&s.percentiles),
        "acf": list(&s.acf),
        "tropics_acf": list(&s.tropics_acf),
        "global_acf": list(&s.global_acf),
        "zonal_mean": list(&s.zonal_mean),
        "spectrum": list(&s.spectrum),
        "years": survey.years.iter().map(|y| list(&y.values)).collect::<Vec<_>>(),
    })
}

fn finite(v: f64) -> Value {
    if v.is_finite() { json!(v) } else { Value::Null }
}

fn list(v: &[f64]) -> Vec<Value> {
    v.iter().map(|x| finite(*x)).collect()
}
