//! The table of scores, as text and as JSON.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::score::{Mean, Method, Start, advantage, mean};

/// Leads at which the guided forecast is asked to beat all three of the others.
const EARLY: usize = 2;

/// What guided forecasts are held against.
const OTHERS: [Method; 3] = [
    Method::Persistence,
    Method::Climatology,
    Method::Unconditional,
];

/// Whether what is asked holds at a lead: a lower CRPS than persistence, climatology and the unconditional model at leads 1
/// and 2, no higher one than climatology's at the others. `None` where one has no score.
pub fn holds(starts: &[Start], lead: usize) -> Option<bool> {
    let worse = |other: Method| Some(advantage(starts, Method::Guided, other, lead)?.0);
    if lead > EARLY {
        return Some(worse(Method::Climatology)? <= 0.0);
    }
    OTHERS
        .into_iter()
        .try_fold(true, |all, other| Some(all && worse(other)? < 0.0))
}

/// The table for people.
pub fn text(starts: &[Start], leads: usize) -> String {
    let mut out = String::new();
    let head: String = Method::ALL
        .iter()
        .map(|m| format!("{:>14}", m.label()))
        .collect();
    let mut table = |title: &str, of: &dyn Fn(&Mean) -> f64, verdict: bool| {
        let _ = writeln!(out, "{title}\n  lead{head}");
        for lead in 1..=leads {
            let _ = write!(out, "  {lead:>4}");
            for method in Method::ALL {
                let value = mean(starts, method, lead).map_or(f64::NAN, |m| of(&m));
                let _ = match value.is_finite() {
                    true => write!(out, "{value:>14.3}"),
                    false => write!(out, "{:>14}", "-"),
                };
            }
            let mark = match holds(starts, lead) {
                Some(true) if verdict => "  pass",
                Some(false) if verdict => "  FAIL",
                _ => "",
            };
            let _ = writeln!(out, "{mark}");
        }
    };
    table(
        "Fair CRPS, mm/day (lower is better; of the single day of persistence: mean absolute error)",
        &|m| m.crps,
        true,
    );
    table("Spread-skill ratio (1 is reliable)", &|m| m.ratio, false);
    table(
        "Root mean square error of the ensemble mean, mm/day",
        &|m| m.rmse,
        false,
    );
    let _ = writeln!(
        out,
        "CRPS of guided minus the others', with its standard error"
    );
    for lead in 1..=leads {
        let _ = write!(out, "  {lead:>4}");
        for other in OTHERS {
            if let Some((d, e)) = advantage(starts, Method::Guided, other, lead) {
                let _ = write!(out, "  {} {d:+.3} +- {e:.3}", other.label());
            }
        }
        out.push('\n');
    }
    for s in starts {
        if let Some(what) = &s.blow_up {
            let _ = writeln!(out, "the forecast from {} ended early, {what}", s.date);
        }
    }
    out
}

/// Everything, for programs. Undefined figures are null.
pub fn json(starts: &[Start], leads: usize, recipe: &Value) -> Value {
    let number = |v: f64| if v.is_finite() { json!(v) } else { Value::Null };
    let of_lead = |lead: usize| {
        let methods: serde_json::Map<String, Value> = Method::ALL
            .iter()
            .filter_map(|&method| {
                let m = mean(starts, method, lead)?;
                let figures = json!({
                    "crps": number(m.crps),
                    "spread": number(m.spread),
                    "rmse": number(m.rmse),
                    "spread_skill_ratio": number(m.ratio),
                    "starts": m.starts,
                });
                Some((method.label().to_owned(), figures))
            })
            .collect();
        let against: serde_json::Map<String, Value> = OTHERS
            .iter()
            .filter_map(|&other| {
                let (d, e) = advantage(starts, Method::Guided, other, lead)?;
                let pair = json!({"difference": number(d), "standard_error": number(e)});
                Some((other.label().to_owned(), pair))
            })
            .collect();
        json!({
            "lead": lead,
            "scores": methods,
            "guided_against": against,
            "holds": holds(starts, lead),
        })
    };
    json!({
        "recipe": recipe,
        "starts": starts.len(),
        "blow_ups": starts.iter().filter(|s| s.blow_up.is_some()).count(),
        "leads": (1..=leads).map(of_lead).collect::<Vec<_>>(),
    })
}
