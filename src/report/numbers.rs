//! The numbers behind a figure, one a row: what the CSV files and the JSON hold.

use serde_json::{Value, json};

use crate::metrics::Band;

/// A number with its place in a figure.
#[derive(Debug, Clone, PartialEq)]
pub struct Number {
    /// Which method.
    pub method: String,
    /// What it is, with its unit.
    pub quantity: String,
    /// Where on the horizontal axis, if the figure has one.
    pub x: Option<f64>,
    /// The number; NaN where it is undefined.
    pub value: f64,
    /// Ends of its confidence interval, if it has one.
    pub band: Option<[f64; 2]>,
}

/// The numbers of a figure.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Numbers {
    /// In the order in which they were added.
    pub rows: Vec<Number>,
}

impl Numbers {
    /// Adds a number.
    pub fn push(&mut self, method: &str, quantity: &str, x: Option<f64>, value: f64) {
        self.rows.push(Number {
            method: method.into(),
            quantity: quantity.into(),
            x,
            value,
            band: None,
        });
    }

    /// Adds a number with its confidence interval.
    pub fn band(&mut self, method: &str, quantity: &str, x: Option<f64>, band: &Band) {
        self.rows.push(Number {
            method: method.into(),
            quantity: quantity.into(),
            x,
            value: band.estimate,
            band: Some([band.low, band.high]),
        });
    }

    /// The value of a method, by quantity and place.
    pub fn get(&self, method: &str, quantity: &str, x: Option<f64>) -> Option<&Number> {
        self.rows
            .iter()
            .find(|n| n.method == method && n.quantity == quantity && n.x == x)
    }

    /// As comma-separated values with a header; an undefined number is an empty field.
    pub fn csv(&self) -> String {
        let quoted = |text: &str| match text.contains([',', '"', '\n']) {
            true => format!("\"{}\"", text.replace('"', "\"\"")),
            false => text.to_owned(),
        };
        let number = |v: Option<f64>| {
            v.filter(|v| v.is_finite())
                .map(|v| v.to_string())
                .unwrap_or_default()
        };
        let mut out = String::from("method,quantity,x,value,low,high\n");
        for n in &self.rows {
            let fields = [
                quoted(&n.method),
                quoted(&n.quantity),
                number(n.x),
                number(Some(n.value)),
                number(n.band.map(|b| b[0])),
                number(n.band.map(|b| b[1])),
            ];
            out.push_str(&fields.join(","));
            out.push('\n');
        }
        out
    }

    /// As JSON: a list of objects; an undefined number is null.
    pub fn json(&self) -> Value {
        let number = |v: f64| if v.is_finite() { json!(v) } else { Value::Null };
        let rows = self.rows.iter().map(|n| {
            let mut row = json!({"method": n.method, "quantity": n.quantity});
            if let Some(x) = n.x {
                row["x"] = number(x);
            }
            row["value"] = number(n.value);
            if let Some([low, high]) = n.band {
                row["low"] = number(low);
                row["high"] = number(high);
            }
            row
        });
        rows.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn undefined_numbers_are_empty_and_null() {
        let mut numbers = Numbers::default();
        numbers.push("guided", "power, \"shell\"", Some(2.0), f64::NAN);
        numbers.push("truth", "a", None, 1.5);
        assert_eq!(
            numbers.csv(),
            "method,quantity,x,value,low,high\nguided,\"power, \"\"shell\"\"\",2,,,\ntruth,a,,1.5,,\n"
        );
        let json = numbers.json();
        assert!(
            json[0]["value"].is_null() && json[1]["value"] == 1.5 && json[1].get("x").is_none()
        );
    }
}
