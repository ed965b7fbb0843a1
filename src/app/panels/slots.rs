//! How the diagnostics are laid out: one slot with tabs, or several below and beside each other, each with a tab of its own.
//! Splitting, resizing and dragging are egui_tiles'; every tab stands in one slot at most.

use egui::{Context, CursorIcon, Id, Rect, ScrollArea, Sense, Stroke, Style, Ui, WidgetText, vec2};
use egui_tiles::{
    Behavior, Container, ContainerKind, Linear, LinearDir, ResizeState, Tile, TileId, Tiles, Tree,
    UiResponse,
};
use serde::{Deserialize, Serialize};

use super::super::prefs::Tab;
use super::super::state::State;
use super::super::theme::{GRID, palette};
use super::diagnostics;

/// Slots at most: more would leave no room for a chart.
pub const MOST: usize = 4;
/// Room between two slots, points.
const BETWEEN: f32 = 4.0 * GRID;
/// Height below which a slot is scrolled, points.
const LEAST: f32 = 340.0;

/// The slots, as they persist.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Slots {
    tree: Tree<Tab>,
    /// The tab that was chosen last: its slot takes the next one that is asked for by name.
    last: Tab,
}

impl Default for Slots {
    fn default() -> Self {
        let mut tiles = Tiles::default();
        let root = tiles.insert_pane(Tab::Time);
        Self {
            tree: Tree::new(Id::unique("diagnostics slots"), root, tiles),
            last: Tab::Time,
        }
    }
}

/// What a slot is asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Ask {
    /// Another tab.
    Choose(Tab),
    /// Another slot below it.
    Split,
    /// Away with it.
    Close,
}

impl Slots {
    /// Tabs that are shown, top to bottom and left to right.
    pub fn tabs(&self) -> Vec<Tab> {
        self.panes().into_iter().map(|(_, tab)| tab).collect()
    }

    fn panes(&self) -> Vec<(TileId, Tab)> {
        let mut out = Vec::new();
        // A stack rather than a recursion; a tile is never followed twice, whatever a file says.
        let mut todo: Vec<TileId> = self.tree.root.into_iter().collect();
        let mut seen = Vec::new();
        while let Some(id) = todo.pop() {
            if seen.contains(&id) {
                continue;
            }
            seen.push(id);
            match self.tree.tiles.get(id) {
                Some(Tile::Pane(tab)) => out.push((id, *tab)),
                Some(Tile::Container(c)) => todo.extend(c.children_vec().into_iter().rev()),
                None => {}
            }
        }
        out
    }

    /// Whether it can be shown: saved layouts come from files.
    pub fn is_valid(&self) -> bool {
        let panes = self.panes();
        let mut tabs = self.tabs();
        tabs.sort_by_key(|t| *t as usize);
        tabs.dedup();
        let held = self.tree.tiles.tiles().filter(|t| t.is_pane()).count();
        // Each tile but the root is the child of one, and is there.
        let mut children: Vec<TileId> = self
            .tree
            .tiles
            .tiles()
            .flat_map(|tile| match tile {
                Tile::Pane(_) => Vec::new(),
                Tile::Container(c) => c.children_vec(),
            })
            .chain(self.tree.root)
            .collect();
        let inside = children.iter().all(|id| self.tree.tiles.get(*id).is_some());
        let count = children.len();
        children.sort_by_key(|id| id.0);
        children.dedup();
        let inside = inside && children.len() == count;
        (1..=MOST).contains(&panes.len())
            && held == panes.len()
            && tabs.len() == panes.len()
            && inside
    }

    fn pane_of(&self, tab: Tab) -> Option<TileId> {
        self.panes().into_iter().find(|p| p.1 == tab).map(|p| p.0)
    }

    fn put(&mut self, id: TileId, tab: Tab) {
        if let Some(Tile::Pane(pane)) = self.tree.tiles.get_mut(id) {
            *pane = tab;
        }
    }

    /// Makes `chosen` one of the tabs shown, in the slot that was used last, and gives slots whose tab the model does not
    /// have another one.
    pub fn follow(&mut self, chosen: Tab, all: &[(Tab, &str)]) {
        let panes = self.panes();
        if self.pane_of(chosen).is_none()
            && let Some(id) = self
                .pane_of(self.last)
                .or_else(|| panes.first().map(|p| p.0))
        {
            self.put(id, chosen);
        }
        self.last = chosen;
        for (id, tab) in self.panes() {
            if all.iter().any(|(t, _)| *t == tab) {
                continue;
            }
            match self.unused(all) {
                Some(other) => self.put(id, other),
                None => self.close(id),
            }
        }
    }

    fn unused(&self, all: &[(Tab, &str)]) -> Option<Tab> {
        let shown = self.tabs();
        let mut tabs = all.iter().map(|(tab, _)| *tab);
        tabs.find(|tab| !shown.contains(tab))
    }

    /// A tab into a slot; the slot that showed it gets this one's.
    fn choose(&mut self, id: TileId, tab: Tab) {
        let Some(&old) = self.tree.tiles.get_pane(&id) else {
            return;
        };
        if let Some(other) = self.pane_of(tab) {
            self.put(other, old);
        }
        self.put(id, tab);
        self.last = tab;
    }

    /// Another slot below the one that shows `tab`; the tab it shows. `None` where there are enough.
    pub fn split(&mut self, tab: Tab, all: &[(Tab, &str)]) -> Option<Tab> {
        let id = self.pane_of(tab)?;
        if self.panes().len() >= MOST {
            return None;
        }
        let new = self.unused(all)?;
        let tiles = &mut self.tree.tiles;
        let pane = tiles.insert_pane(new);
        let parent = tiles.parent_of(id);
        if let Some(Tile::Container(c)) = parent.and_then(|p| tiles.get_mut(p))
            && matches!(c.kind(), ContainerKind::Tabs | ContainerKind::Grid)
        {
            c.set_kind(ContainerKind::Vertical);
        }
        let below = parent.is_some_and(|p| {
            tiles.get_container(p).map(Container::kind) == Some(ContainerKind::Vertical)
        });
        match parent {
            Some(parent) if below => {
                if let Some(Tile::Container(Container::Linear(line))) = tiles.get_mut(parent) {
                    let at = line.children.iter().position(|c| *c == id);
                    line.children
                        .insert(at.map_or(line.children.len(), |i| i + 1), pane);
                }
            }
            parent => {
                let both = tiles.insert_container(Linear::new(LinearDir::Vertical, vec![id, pane]));
                match parent.and_then(|p| tiles.get_mut(p)) {
                    Some(Tile::Container(Container::Linear(line))) => {
                        for child in line.children.iter_mut().filter(|c| **c == id) {
                            *child = both;
                        }
                        line.shares.replace_with(id, both);
                    }
                    _ => self.tree.root = Some(both),
                }
            }
        }
        self.last = new;
        Some(new)
    }

    /// Closes the slot of a tab; the tab that is the chosen one then. `None` where it is the only one.
    pub fn close_tab(&mut self, tab: Tab) -> Option<Tab> {
        let id = self.pane_of(tab)?;
        self.close(id);
        let left = self.tabs();
        let next = left.contains(&self.last).then_some(self.last);
        self.last = next.or(left.first().copied())?;
        Some(self.last)
    }

    fn close(&mut self, id: TileId) {
        if self.panes().len() > 1 {
            self.tree.remove_recursively(id);
            self.tree.simplify(&Default::default());
        }
    }

    /// Tiles that were dropped onto another one stand below it: the tabs are drawn by the slots themselves.
    fn without_tabs(&mut self) {
        for tile in self.tree.tiles.tiles_mut() {
            if let Tile::Container(c) = tile
                && matches!(c.kind(), ContainerKind::Tabs | ContainerKind::Grid)
            {
                c.set_kind(ContainerKind::Vertical);
            }
        }
    }
}

/// Draws the slots.
pub fn show(ui: &mut Ui, state: &mut State) {
    let chosen = state.tab();
    let mut slots = std::mem::take(&mut state.prefs.slots);
    slots.follow(chosen, state.tabs());
    let panes = slots.panes();
    let mut shown = Shown {
        first: panes.first().map(|p| p.0),
        many: panes.len() > 1,
        full: panes.len() >= MOST,
        chosen,
        asked: None,
        state,
    };
    slots.tree.ui(&mut shown, ui);
    slots.without_tabs();
    let asked = shown.asked;
    state.prefs.slots = slots;
    let slots = &mut state.prefs.slots;
    let tab_of = |slots: &Slots, id| slots.tree.tiles.get_pane(&id).copied();
    match asked {
        Some((id, Ask::Choose(tab))) => {
            slots.choose(id, tab);
            state.prefs.tab = tab;
        }
        Some((id, Ask::Split)) => {
            if let Some(tab) = tab_of(slots, id) {
                split(state, tab);
            }
        }
        Some((id, Ask::Close)) => {
            if let Some(tab) = tab_of(slots, id) {
                close(state, tab);
            }
        }
        None => {}
    }
}

/// Another slot below the one that shows `tab`.
pub fn split(state: &mut State, tab: Tab) {
    let all = state.tabs();
    if let Some(new) = state.prefs.slots.split(tab, all) {
        state.prefs.tab = new;
    }
}

/// Closes the slot that shows `tab`, if it is not the only one.
pub fn close(state: &mut State, tab: Tab) {
    if state.prefs.slots.tabs().len() > 1
        && let Some(next) = state.prefs.slots.close_tab(tab)
    {
        state.prefs.tab = next;
    }
}

/// The slots while they are drawn.
struct Shown<'a> {
    state: &'a mut State,
    first: Option<TileId>,
    many: bool,
    full: bool,
    chosen: Tab,
    asked: Option<(TileId, Ask)>,
}

impl Behavior<Tab> for Shown<'_> {
    fn pane_ui(&mut self, ui: &mut Ui, id: TileId, tab: &mut Tab) -> UiResponse {
        let head = diagnostics::Head {
            many: self.many,
            full: self.full,
            used: self.many && *tab == self.chosen,
        };
        let (ask, dragged) = diagnostics::head(ui, self.state.tabs(), *tab, head);
        if let Some(ask) = ask {
            self.asked = Some((id, ask));
        }
        let before = self.state.prefs.tab;
        ui.add_space(2.0 * GRID);
        let first = self.first == Some(id);
        let room = ui.available_size();
        let mut inside = |ui: &mut Ui| diagnostics::plot(ui, self.state, *tab, first);
        if self.many && room.y < LEAST {
            ScrollArea::vertical()
                .auto_shrink([false, false])
                .show(ui, |ui| {
                    let size = vec2(ui.available_width(), LEAST);
                    let (_, rect) = ui.allocate_space(size);
                    ui.scope_builder(egui::UiBuilder::new().max_rect(rect), inside);
                });
        } else {
            inside(ui);
        }
        // A line about what goes wrong may lead to another tab: into this slot.
        let after = self.state.prefs.tab;
        if after != before {
            self.asked = Some((id, Ask::Choose(after)));
        }
        match dragged {
            true => UiResponse::DragStarted,
            false => UiResponse::None,
        }
    }

    fn tab_title_for_pane(&mut self, tab: &Tab) -> WidgetText {
        let named = self.state.tabs().iter().find(|(t, _)| t == tab);
        named.map_or("", |(_, name)| name).into()
    }

    fn gap_width(&self, _style: &Style) -> f32 {
        BETWEEN
    }

    fn min_size(&self) -> f32 {
        96.0
    }

    fn resize_stroke(&self, style: &Style, resize: ResizeState) -> Stroke {
        match resize {
            ResizeState::Idle => style.visuals.widgets.noninteractive.bg_stroke,
            ResizeState::Hovering => style.visuals.widgets.hovered.fg_stroke,
            ResizeState::Dragging => style.visuals.widgets.active.fg_stroke,
        }
    }
}

/// A slot's own buttons, right to left from `right`: grip, closing, splitting. What was asked for, and whether a drag began.
pub fn buttons(ui: &mut Ui, right: Rect, many: bool, full: bool) -> (Option<Ask>, bool) {
    let p = palette(ui);
    let side = BUTTON;
    let mut at = Rect::from_min_max(right.max - vec2(side, side), right.max);
    let mut next = || {
        let rect = at;
        at = at.translate(vec2(-side, 0.0));
        rect
    };
    let (mut ask, mut dragged) = (None, false);
    let color = |r: &egui::Response| match r.hovered() || r.has_focus() {
        true => p.text,
        false => p.weak,
    };
    if many {
        let rect = next();
        let close = button(ui, rect, "Close this plot", Sense::click());
        let c = rect.shrink(7.0);
        let stroke = Stroke::new(1.2, color(&close));
        ui.painter()
            .line_segment([c.left_top(), c.right_bottom()], stroke);
        ui.painter()
            .line_segment([c.right_top(), c.left_bottom()], stroke);
        if close.clicked() {
            ask = Some(Ask::Close);
        }
    }
    if !full {
        let rect = next();
        let split = button(ui, rect, "Another plot below", Sense::click());
        let stroke = Stroke::new(1.2, color(&split));
        let frame = rect.shrink2(vec2(6.0, 5.5));
        ui.painter()
            .rect_stroke(frame, 1.5, stroke, egui::StrokeKind::Middle);
        ui.painter()
            .hline(frame.x_range(), frame.center().y, stroke);
        if split.clicked() {
            ask = Some(Ask::Split);
        }
    }
    if many {
        let rect = next();
        let grip = button(ui, rect, "Move this plot", Sense::click_and_drag())
            .on_hover_text("Drag it beside or below another plot")
            .on_hover_cursor(CursorIcon::Grab);
        for (dx, dy) in (0..6).map(|i| ((i % 2) as f32, (i / 2) as f32)) {
            let dot = rect.center() + vec2(dx * 4.0 - 2.0, dy * 4.0 - 4.0);
            ui.painter().circle_filled(dot, 1.2, color(&grip));
        }
        dragged = grip.drag_started();
    }
    (ask, dragged)
}

/// Side of a slot's buttons, points.
pub const BUTTON: f32 = 22.0;

fn button(ui: &mut Ui, rect: Rect, name: &str, sense: Sense) -> egui::Response {
    let response = ui.interact(rect, ui.scope_id().with(name), sense);
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, name));
    if response.has_focus() {
        let stroke = Stroke::new(1.0, palette(ui).weak);
        ui.painter()
            .rect_stroke(rect.shrink(2.0), 3.0, stroke, egui::StrokeKind::Inside);
    }
    response.on_hover_text(name)
}

/// Largest width of the panel: the lanes keep theirs.
pub fn widest(ctx: &Context) -> f32 {
    (ctx.content_rect().width() - 232.0 - 400.0).clamp(320.0, 900.0)
}

#[cfg(test)]
mod tests;
