//! Coastlines, graticule and the edge of the map over a lane.
//!
//! They are cut into triangles once for each place, view and size, and kept: a frame that only shows other values draws
//! the same triangles.

use std::collections::BTreeMap;
use std::sync::Arc;

use egui::epaint::{Mesh, PathShape, TessellationOptions, Tessellator};
use egui::{Color32, Pos2, Rect, Shape, Stroke, Ui, pos2};

use crate::render::lines::{self, Path, Pen};
use crate::render::{GlobeView, Projection};

use super::prefs::GlobePrefs;

/// What the triangles were made for.
#[derive(Debug, Clone, PartialEq)]
struct Key {
    rect: Rect,
    view: GlobeView,
    coast: bool,
    graticule: bool,
    dark: bool,
    scale: f32,
}

/// Triangles of each picture, by its slot.
#[derive(Debug, Default)]
pub struct GlobeLines {
    kept: BTreeMap<usize, (Key, Arc<Mesh>)>,
}

impl GlobeLines {
    /// Draws the lines of place `slot` (as in [`super::paint::field`]) over `rect`.
    pub fn paint(&mut self, ui: &Ui, slot: usize, rect: Rect, prefs: &GlobePrefs) {
        let key = Key {
            rect,
            view: prefs.view,
            coast: prefs.coast,
            graticule: prefs.graticule,
            dark: ui.visuals().dark_mode,
            scale: ui.pixels_per_point(),
        };
        let mesh = match self.kept.get(&slot) {
            Some((known, mesh)) if *known == key => Arc::clone(mesh),
            _ => {
                let mesh = Arc::new(triangles(&key));
                self.kept.insert(slot, (key, Arc::clone(&mesh)));
                mesh
            }
        };
        ui.painter_at(rect).add(Shape::Mesh(mesh));
    }
}

fn triangles(key: &Key) -> Mesh {
    let rect = key.rect;
    let size = (rect.width() * key.scale, rect.height() * key.scale);
    let (coast, graticule) = lines::pens(key.dark);
    let grey = |v: u8, a: u8| Color32::from_rgba_unmultiplied(v, v, v, a);
    let color = |pen: &Pen| grey(pen.line, pen.alpha);
    let mut mesh = Mesh::default();
    let mut pen = Tessellator::new(
        key.scale,
        TessellationOptions::default(),
        [1, 1],
        Vec::new(),
    );
    let mut stroke = |paths: &[Path], color: Color32, width: f32| {
        for path in paths {
            let points = path.iter().map(|p| on_screen(rect, *p)).collect();
            let shape = PathShape::line(points, Stroke::new(width, color));
            pen.tessellate_shape(shape.into(), &mut mesh);
        }
    };
    if key.graticule {
        let paths = lines::in_picture(&lines::graticule(), &key.view, size, 0.0);
        stroke(&paths, color(&graticule), graticule.width);
    }
    if key.coast {
        // Points that are closer than half a pixel would only cost.
        let paths = lines::in_picture(lines::coastlines(), &key.view, size, 0.6);
        let (halo, alpha, width) = coast.halo;
        stroke(&paths, grey(halo, alpha), width);
        stroke(&paths, color(&coast), coast.width);
    }
    if key.view.projection != Projection::Equirectangular {
        stroke(&[lines::edge(&key.view)], color(&graticule), 1.0);
    }
    mesh
}

/// A point of the picture on the screen.
pub fn on_screen(rect: Rect, [u, v]: [f32; 2]) -> Pos2 {
    pos2(
        rect.left() + u * rect.width(),
        rect.bottom() - v * rect.height(),
    )
}
