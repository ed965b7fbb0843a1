//! An evaluation to files: pictures, vectors, tables, JSON, and the page that holds them all.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::data::files::write_atomically;
use crate::error::Result;
use crate::report::page::{Page, Plate as PagePlate};
use crate::report::{raster, svg};

use super::holds::{self, Asked};
use super::plates::Plate;
use super::store::create;

/// Pixels a point in PNG files: about 290 a figure's inch where it is printed 7.5 inches wide.
const SCALE: f32 = 2.85;

/// What is written.
pub struct Results {
    /// Heading of the page.
    pub title: String,
    /// First paragraph of the page.
    pub intro: String,
    /// The figures.
    pub plates: Vec<Plate>,
    /// What must hold.
    pub asked: Vec<Asked>,
    /// What was left out, and why.
    pub notes: Vec<String>,
    /// How it was made.
    pub recipe: Value,
}

impl Results {
    /// Everything but the pictures, for programs.
    pub fn json(&self) -> Value {
        let plate = |p: &Plate| {
            json!({
                "id": p.id,
                "title": p.title,
                "caption": p.caption,
                "sentence": p.sentence,
                "agrees_with_the_paper": p.agrees,
                "numbers": p.numbers.json(),
            })
        };
        json!({
            "recipe": self.recipe,
            "what_must_hold": self.asked.iter().map(Asked::json).collect::<Vec<_>>(),
            "figures": self.plates.iter().map(plate).collect::<Vec<_>>(),
            "notes": self.notes,
        })
    }

    fn page(&self) -> Page {
        let text = |v: &Value| match v {
            Value::String(s) => s.clone(),
            other => other.to_string(),
        };
        let recipe = self.recipe.as_object().into_iter().flatten();
        Page {
            title: self.title.clone(),
            intro: self.intro.clone(),
            tables: vec![holds::table(&self.asked)],
            plates: self
                .plates
                .iter()
                .map(|p| PagePlate {
                    id: p.id.into(),
                    title: p.title.clone(),
                    caption: p.caption.clone(),
                    sentence: p.sentence.clone(),
                    agrees: p.agrees,
                    svg: svg::svg(&p.scene, p.id, &p.title),
                })
                .collect(),
            notes: self.notes.clone(),
            recipe: recipe
                .map(|(k, v)| (k.replace('_', " "), text(v)))
                .collect(),
        }
    }

    /// Writes all files into a folder; returns the path of the page.
    ///
    /// # Errors
    /// A place that cannot be written.
    pub fn write(&self, folder: &Path) -> Result<PathBuf> {
        let (figures, data) = (folder.join("figures"), folder.join("data"));
        create(&figures)?;
        create(&data)?;
        let recipe = self.recipe.to_string();
        for p in &self.plates {
            let png = raster::png_of_scene(&p.scene, SCALE, &recipe)?;
            put(&figures.join(format!("{}.png", p.id)), &png)?;
            let svg = svg::svg(&p.scene, p.id, &p.title);
            put(&figures.join(format!("{}.svg", p.id)), svg.as_bytes())?;
            put(
                &data.join(format!("{}.csv", p.id)),
                p.numbers.csv().as_bytes(),
            )?;
        }
        let json = format!("{:#}\n", self.json());
        put(&folder.join("evaluation.json"), json.as_bytes())?;
        let page = folder.join("report.html");
        put(&page, self.page().html().as_bytes())?;
        Ok(page)
    }
}

fn put(path: &Path, bytes: &[u8]) -> Result<()> {
    write_atomically(path, |file| file.write_all(bytes))
}
