//! PNG out with the recipe in an `iTXt` chunk.

use std::path::Path;

use crate::data::files::{check_writable, write_atomically};
use crate::error::Result;

use super::Recipe;
use super::carry::KEYWORD;
use super::picture::Picture;

/// Draws a picture and writes it to `path` as PNG with its recipe.
///
/// The file is written under a temporary name beside its place and then moved, so that a failure leaves what was there.
///
/// # Errors
/// The folder does not exist or cannot be written, or the disk is full.
pub(super) fn save_picture(path: &Path, picture: &Picture, recipe: &Recipe) -> Result<()> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::picture::{Panel, Paper};
    use crate::export::{Carried, Reading, read};
    use crate::render::{ColorMap, Look, ValueRange, View};

    fn example() -> (Picture, Recipe) {
        let look = Look::plain(ColorMap::Vik, ValueRange::symmetric(10.0), false);
        let picture = Picture {
            panels: vec![Panel {
                look: None,
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
        let Carried::Recipe(Reading::Whole(back)) = read(&path)? else {
            panic!("it is a recipe");
        };
        assert_eq!(*back, recipe);
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
    fn a_foreign_or_endless_text_is_refused() -> std::result::Result<(), Box<dyn std::error::Error>>
    {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("b.png");
        std::fs::write(&path, b"not a picture")?;
        assert!(read(&path).is_err());
        // A small file whose text is 80 MiB long.
        let mut encoder = png::Encoder::new(std::fs::File::create(&path)?, 1, 1);
        encoder.set_color(png::ColorType::Grayscale);
        let mut writer = encoder.write_header()?;
        let mut text = png::text_metadata::ITXtChunk::new(KEYWORD, " ".repeat(80 << 20));
        text.compressed = true;
        writer.write_text_chunk(&text)?;
        writer.write_image_data(&[0])?;
        writer.finish()?;
        assert!(path.metadata()?.len() < 1 << 20);
        let error = read(&path).unwrap_err();
        assert!(error.cause.contains("space"), "{error}");
        Ok(())
    }
}
