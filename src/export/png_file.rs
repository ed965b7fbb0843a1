//! PNG out with the recipe in an `iTXt` chunk, and the recipe back in.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use crate::data::files::{check_writable, write_atomically};
use crate::error::{Result, UserError};

use super::Recipe;
use super::carry::KEYWORD;
use super::picture::Picture;

/// Draws a picture and writes it to `path` as PNG with its recipe.
///
/// The file is written under a temporary name beside its place and then moved, so that a failure leaves what was there.
///
/// # Errors
/// The folder does not exist or cannot be written, or the disk is full.
pub fn save_picture(path: &Path, picture: &Picture, recipe: &Recipe) -> Result<()> {
    // A bad path fails before the picture is drawn.
    check_writable(path)?;
    let json = recipe.to_json()?;
    let canvas = picture.draw();
    write_atomically(path, |out| {
        let mut encoder = png::Encoder::new(&mut *out, canvas.width as u32, canvas.height as u32);
        encoder.set_color(png::ColorType::Rgba);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.add_itxt_chunk(KEYWORD.into(), json)?;
        encoder.add_text_chunk("Software".into(), format!("eddyscope {}", recipe.version))?;
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&canvas.pixels)?;
        writer.finish()?;
        Ok(())
    })
}

/// Reads the recipe of a picture written by [`save_picture`].
///
/// # Errors
/// The file cannot be read, is not a PNG, or carries no recipe.
pub fn read_recipe(path: &Path) -> Result<Recipe> {
    let fail = |cause: &dyn std::fmt::Display| {
        UserError::new(
            format!("Cannot read a recipe from {}", path.display()),
            cause,
            "Use a PNG that was saved by eddyscope and not re-encoded by another program",
        )
    };
    let file = File::open(path).map_err(|e| fail(&e))?;
    let reader = png::Decoder::new(BufReader::new(file))
        .read_info()
        .map_err(|e| fail(&e))?;
    let chunk = reader
        .info()
        .utf8_text
        .iter()
        .find(|c| c.keyword == KEYWORD)
        .ok_or_else(|| fail(&"the picture carries no recipe"))?;
    let json = chunk.get_text().map_err(|e| fail(&e))?;
    Recipe::from_json(&json)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::picture::{Panel, Paper};
    use crate::render::{ColorMap, Look, ValueRange, View};

    fn example() -> (Picture, Recipe) {
        let look = Look::plain(ColorMap::Vik, ValueRange::symmetric(10.0), false);
        let picture = Picture {
            panels: vec![Panel {
                title: "Truth".into(),
                made_by: "solver".into(),
                color: [255; 3],
                values: (0..64).map(|i| i as f32 - 32.0).collect::<Vec<_>>().into(),
                size: (8, 8),
            }],
            view: View::default(),
            look,
            quantity: "vorticity".into(),
            units: "1/T".into(),
            caption: "frame 4, λ = 1".into(),
            paper: Paper::LIGHT,
            side: 96,
            globe: None,
        };
        let recipe = crate::export::recipe::tests::example();
        (picture, recipe)
    }

    #[test]
    fn recipe_comes_back() -> std::result::Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("a.png");
        let (picture, recipe) = example();
        save_picture(&path, &picture, &recipe)?;
        assert_eq!(read_recipe(&path)?, recipe);
        assert_eq!(
            std::fs::read_dir(folder.path())?.count(),
            1,
            "no part file left"
        );
        Ok(())
    }

    #[test]
    fn a_bad_path_is_an_error_with_a_remedy() {
        let (picture, recipe) = example();
        let error = save_picture(Path::new("/no/such/folder/a.png"), &picture, &recipe);
        assert!(error.is_err_and(|e| e.remedy.contains("folder")));
    }

    #[test]
    fn foreign_files_have_no_recipe() -> std::result::Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("b.png");
        std::fs::write(&path, b"not a picture")?;
        assert!(read_recipe(&path).is_err());
        Ok(())
    }
}
