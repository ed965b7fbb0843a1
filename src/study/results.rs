//! What a study found: tables, curves and sentences.

use std::fmt::Write as _;

use serde::Serialize;

use super::lab::Facts;

/// Everything that a study found.
#[derive(Debug, Clone, Serialize)]
pub struct Results {
    /// Headline.
    pub title: String,
    /// What was asked.
    pub question: String,
    /// What was found, computed from the numbers.
    pub findings: Vec<String>,
    /// Numbers.
    pub tables: Vec<Table>,
    /// Curves.
    pub plots: Vec<Plot>,
    /// Networks that were trained.
    pub trainings: Vec<Facts>,
    /// What a study that trains nothing was made of: model, seed, sizes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub made_of: Option<String>,
}

/// Numbers in rows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Table {
    /// Short name, of its file too.
    pub name: String,
    /// What it shows.
    pub caption: String,
    /// Names of the columns, with units.
    pub columns: Vec<String>,
    /// Rows.
    pub rows: Vec<Vec<Cell>>,
}

/// One place of a table.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Cell {
    /// Words.
    Text(String),
    /// A number; one that is not finite stands for "undefined".
    Number(f64),
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<f64> for Cell {
    fn from(value: f64) -> Self {
        Self::Number(value)
    }
}

impl From<Option<f64>> for Cell {
    fn from(value: Option<f64>) -> Self {
        Self::Number(value.unwrap_or(f64::NAN))
    }
}

/// Curves in one chart.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plot {
    /// What it shows.
    pub title: String,
    /// Horizontal axis, with its unit.
    pub x: String,
    /// Vertical axis.
    pub y: String,
    /// Whether the axes have equal ratios.
    pub log: [bool; 2],
    /// Range of the vertical axis; `None` = that of the curves.
    pub range: Option<[f64; 2]>,
    /// The curves.
    pub curves: Vec<Curve>,
    /// A value of the horizontal axis that is marked.
    pub upright: Option<f64>,
}

/// A curve.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Curve {
    /// Name in the legend.
    pub name: String,
    /// `x`, `y`.
    pub points: Vec<[f64; 2]>,
    /// Whether this is truth or the exact answer.
    pub truth: bool,
}

impl Curve {
    /// A curve of something made.
    pub fn made(name: impl Into<String>, points: Vec<[f64; 2]>) -> Self {
        Self {
            name: name.into(),
            points,
            truth: false,
        }
    }

    /// A curve of truth.
    pub fn truth(name: impl Into<String>, points: Vec<[f64; 2]>) -> Self {
        Self {
            truth: true,
            ..Self::made(name, points)
        }
    }
}

impl Results {
    /// Nothing yet.
    pub fn new(title: &str, question: &str) -> Self {
        Self {
            title: title.into(),
            question: question.into(),
            findings: Vec::new(),
            tables: Vec::new(),
            plots: Vec::new(),
            trainings: Vec::new(),
            made_of: None,
        }
    }

    /// Adds a training, once.
    pub fn trained(&mut self, facts: &Facts) {
        if !self.trainings.contains(facts) {
            self.trainings.push(facts.clone());
        }
    }
}

impl Table {
    /// A table without rows.
    pub fn new(name: &str, caption: &str, columns: &[&str]) -> Self {
        Self {
            name: name.into(),
            caption: caption.into(),
            columns: columns.iter().map(|c| (*c).to_owned()).collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: Vec<Cell>) {
        self.rows.push(cells);
    }

    /// The table as CSV, numbers with all their digits; undefined ones are empty.
    pub fn csv(&self) -> String {
        let quote = |text: &str| match text.contains([',', '"', '\n']) {
            true => format!("\"{}\"", text.replace('"', "\"\"")),
            false => text.to_owned(),
        };
        let mut out = self
            .columns
            .iter()
            .map(|c| quote(c))
            .collect::<Vec<_>>()
            .join(",");
        out.push('\n');
        for row in &self.rows {
            let cells: Vec<String> = row
                .iter()
                .map(|cell| match cell {
                    Cell::Text(text) => quote(text),
                    Cell::Number(v) if v.is_finite() => v.to_string(),
                    Cell::Number(_) => String::new(),
                })
                .collect();
            out.push_str(&cells.join(","));
            out.push('\n');
        }
        out
    }

    /// The table as Markdown, numbers with three significant digits.
    pub fn markdown(&self) -> String {
        let mut out = format!(
            "| {} |\n|{}\n",
            self.columns.join(" | "),
            "---|".repeat(self.columns.len())
        );
        for row in &self.rows {
            let cells: Vec<String> = row
                .iter()
                .map(|cell| match cell {
                    Cell::Text(text) => text.replace('|', "\\|"),
                    Cell::Number(v) => short(*v),
                })
                .collect();
            let _ = writeln!(out, "| {} |", cells.join(" | "));
        }
        out
    }
}

/// A number with about three significant digits.
pub fn short(value: f64) -> String {
    if !value.is_finite() {
        return "-".into();
    }
    if value == 0.0 {
        return "0".into();
    }
    let size = value.abs().log10().floor();
    if (-4.0..6.0).contains(&size) {
        let places = (2.0 - size).clamp(0.0, 6.0) as usize;
        format!("{value:.places$}")
    } else {
        format!("{value:.2e}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_become_csv_and_markdown() {
        let mut t = Table::new("t", "caption", &["name, unit", "value"]);
        t.row(vec!["a|b".into(), 0.123_456.into()]);
        t.row(vec!["c".into(), None.into()]);
        assert_eq!(t.csv(), "\"name, unit\",value\na|b,0.123456\nc,\n");
        assert_eq!(
            t.markdown(),
            "| name, unit | value |\n|---|---|\n| a\\|b | 0.123 |\n| c | - |\n"
        );
    }

    #[test]
    fn three_digits() {
        for (value, text) in [
            (0.0, "0"),
            (1234.5, "1234"),
            (12.345, "12.3"),
            (-0.98765, "-0.988"),
            (3.2e-7, "3.20e-7"),
            (f64::NAN, "-"),
        ] {
            assert_eq!(short(value), text);
        }
    }
}
