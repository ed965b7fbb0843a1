//! The tree of branches below the rail of the timeline: one row a branch, with the frame at which it left its parent.

use egui::{
    Align2, Button, CornerRadius, Id, Key, Modifiers, Painter, Rect, Role, ScrollArea, Sense,
    Stroke, Ui, UiBuilder, WidgetInfo, pos2, vec2,
};

use crate::rollout::branch::{Branch, BranchId};
use crate::rollout::protocol::Command;

use super::super::state::State;
use super::super::theme::{self, GRID, palette};
use super::super::words;

/// Height of a row, points.
const ROW: f32 = 4.5 * GRID;

/// Rows that are seen at once; more scroll.
const MOST: usize = 8;

/// Where frames lie from left to right.
#[derive(Debug, Clone, Copy)]
pub struct Axis {
    /// x of the first frame.
    pub left: f32,
    /// x of frame `first + span`.
    pub right: f32,
    /// First frame of all branches.
    pub first: usize,
    /// Frames from left to right.
    pub span: f32,
}

impl Axis {
    /// x of a frame.
    pub fn x(&self, frame: usize) -> f32 {
        self.left + (self.right - self.left) * frame.saturating_sub(self.first) as f32 / self.span
    }

    /// The frame at x.
    pub fn frame(&self, x: f32) -> usize {
        let t = ((x - self.left) / (self.right - self.left).max(1.0)).clamp(0.0, 1.0);
        self.first + (t * self.span).round() as usize
    }
}

/// Height that the tree takes; none while there is one branch.
pub fn height(state: &State) -> f32 {
    match state.archive.branches.len() {
        0 | 1 => 0.0,
        n => n.min(MOST) as f32 * ROW + 1.5 * GRID,
    }
}

/// The rows, in `rect`.
pub fn show(ui: &mut Ui, state: &mut State, rect: Rect, axis: Axis) {
    let branches = ordered(&state.archive.branches);
    if branches.len() < 2 {
        return;
    }
    let rows = Rect::from_min_max(rect.min, pos2(rect.right(), rect.bottom() - 1.5 * GRID));
    ui.scope_builder(UiBuilder::new().max_rect(rows), |ui| {
        ui.spacing_mut().item_spacing.y = 0.0;
        let scroll = ScrollArea::vertical()
            .id_salt("branches")
            .min_scrolled_height(0.0);
        scroll.auto_shrink([false, false]).show(ui, |ui| {
            let size = vec2(ui.available_width(), ROW * branches.len() as f32);
            let (all, _) = ui.allocate_exact_size(size, Sense::hover());
            let row = |i: usize| {
                let min = pos2(all.left(), all.top() + i as f32 * ROW);
                Rect::from_min_size(min, vec2(all.width(), ROW))
            };
            // Under the rows: where each left its parent.
            let painter = ui.painter().clone();
            for (i, branch) in branches.iter().enumerate() {
                let parent = branches.iter().position(|b| Some(b.id) == branch.parent);
                if let Some(parent) = parent {
                    leave(
                        &painter,
                        state,
                        branch,
                        row(parent),
                        row(i),
                        axis,
                        palette(ui),
                    );
                }
            }
            for (i, branch) in branches.iter().enumerate() {
                one(ui, state, branch, row(i), axis);
            }
            let here = axis.x(state.play.shown(state.first(), state.last()));
            let line = Stroke::new(1.0, palette(ui).accent.gamma_multiply(0.7));
            painter.vline(here, all.y_range(), line);
        });
    });
}

/// Each branch below its parent, the one that left first first.
fn ordered(branches: &[Branch]) -> Vec<Branch> {
    fn below(all: &[Branch], parent: Option<BranchId>, out: &mut Vec<Branch>) {
        let mut children: Vec<&Branch> = all.iter().filter(|b| b.parent == parent).collect();
        children.sort_by_key(|b| (std::cmp::Reverse(b.fork), b.id));
        for child in children {
            // A tree that does not hold together shows each branch once all the same.
            if out.iter().all(|b| b.id != child.id) {
                out.push(child.clone());
                below(all, Some(child.id), out);
            }
        }
    }
    let mut out = Vec::with_capacity(branches.len());
    below(branches, None, &mut out);
    for b in branches {
        if out.iter().all(|o| o.id != b.id) {
            out.push(b.clone());
        }
    }
    out
}

fn leave(
    painter: &Painter,
    state: &State,
    branch: &Branch,
    parent: Rect,
    own: Rect,
    axis: Axis,
    p: &theme::Palette,
) {
    let x = axis.x(branch.fork);
    let active = branch.id == state.archive.active;
    let color = if active { p.accent } else { p.weak };
    let stroke = Stroke::new(1.2, color);
    let (from, to) = (parent.center().y, own.center().y);
    painter.vline(x, from.min(to)..=from.max(to), stroke);
    painter.circle_filled(pos2(x, from), 2.5, color);
}

/// One row: name, line, in what it differs.
fn one(ui: &mut Ui, state: &mut State, branch: &Branch, row: Rect, axis: Axis) {
    let p = palette(ui);
    let id = branch.id;
    let (active, beside) = (id == state.archive.active, state.compared() == Some(id));
    let (first, last) = state.archive.of(id).map_or((0, 0), |a| {
        (a.oldest(), a.frames.last().map_or(0, |f| f.index))
    });
    let frames = last.saturating_sub(branch.fork);
    let response = ui.interact(row, Id::unique(("branch", id)), Sense::click());
    let told = format!("Branch {}", branch.name);
    response.widget_info(|| WidgetInfo::selected(Role::RadioButton, true, active, told.clone()));
    let painter = ui.painter_at(row);
    if response.hovered() || response.has_focus() {
        painter.rect_filled(row, CornerRadius::same(4), p.raised.gamma_multiply(0.6));
    }
    let color = if active { p.accent } else { p.weak };
    let y = row.center().y;
    let dot = pos2(row.left() + 6.0, y);
    if active {
        painter.circle_filled(dot, 3.5, color);
    } else {
        painter.circle_stroke(dot, 3.0, Stroke::new(1.2, color));
    }

    let begin = if branch.parent.is_some() {
        branch.fork.max(first)
    } else {
        first
    };
    let (from, to) = (axis.x(begin), axis.x(last));
    let rail = Rect::from_min_max(pos2(from, y - 1.5), pos2(to.max(from + 1.0), y + 1.5));
    painter.rect_filled(rail, CornerRadius::same(1), color);
    painter.circle_filled(pos2(to, y), 2.5, color);

    // Beside the bar, on the right: in what it differs from its parent.
    let mut text = state.branch_words(id);
    if beside {
        let apart = if text.is_empty() { "" } else { " · " };
        text = format!("beside{apart}{text}");
    }
    let room = row.right() - axis.right - 24.0;
    let galley = truncated(&painter, &text, room, p.weak);
    painter.galley(
        pos2(axis.right + 20.0, y - galley.size().y / 2.0),
        galley,
        p.weak,
    );

    let name_at = Rect::from_min_max(
        pos2(row.left() + 16.0, row.top()),
        pos2(axis.left - 12.0, row.bottom()),
    );
    if rename(ui, state, id, name_at) {
        return;
    }
    let text_color = if active { p.text } else { p.weak };
    let name = truncated(&painter, &branch.name, name_at.width(), text_color);
    painter.galley(
        pos2(name_at.left(), y - name.size().y / 2.0),
        name,
        text_color,
    );

    if response.double_clicked() {
        state.tree.renaming = Some((id, branch.name.clone()));
    } else if response.clicked() {
        let on_line = response
            .interact_pointer_pos()
            .filter(|at| at.x >= axis.left - 4.0 && at.x <= axis.right + 4.0)
            .map(|at| axis.frame(at.x).clamp(first, last));
        if !active {
            state.switch_branch(id, on_line);
        } else if let Some(frame) = on_line {
            let order = state.play.go_to(frame, last);
            state.obey(order);
        }
    }
    menu(&response, state, branch, frames);
    if response.has_focus() {
        by_key(ui, state, branch);
    }
    let parent = branch.parent.map(|parent| {
        let left = format!(
            "left {} at frame {}",
            state.branch_name(parent),
            branch.fork
        );
        format!("{left}, {}\n", state.branch_words(id))
    });
    let tip = format!(
        "{}\n{}{frames} frames of its own\nClick to {}, right-click for more; by keyboard Enter, C compares, R renames, Del deletes",
        branch.name,
        parent.unwrap_or_default(),
        if active {
            "move in it"
        } else {
            "go on with it"
        },
    );
    response.on_hover_text(tip);
}

/// The same with the keyboard, where the branch has it; Enter goes on with it.
fn by_key(ui: &Ui, state: &mut State, branch: &Branch) {
    let id = branch.id;
    let active = id == state.archive.active;
    let pressed = |key| ui.input_mut(|i| i.consume_key(Modifiers::NONE, key));
    if pressed(Key::C) && !active {
        let compared = state.compared() == Some(id);
        state.compare_with((!compared).then_some(id));
    }
    if pressed(Key::R) {
        state.tree.renaming = Some((id, branch.name.clone()));
    }
    if pressed(Key::Delete) && !active {
        state.delete_branch(id);
    }
}

/// What can be done with a branch.
fn menu(response: &egui::Response, state: &mut State, branch: &Branch, frames: usize) {
    let id = branch.id;
    let active = id == state.archive.active;
    response.context_menu(|ui| {
        ui.set_min_width(168.0);
        let tip = "Show its lane beside this one's, at the same frame number, and their difference";
        let compared = state.compared() == Some(id);
        let text = if compared {
            "Stop comparing"
        } else {
            "Compare with this"
        };
        let button = ui.add_enabled(!active, Button::new(text));
        if button.on_hover_text(tip).clicked() {
            state.compare_with((!compared).then_some(id));
            ui.close();
        }
        if ui.button("Rename").clicked() {
            state.tree.renaming = Some((id, branch.name.clone()));
            ui.close();
        }
        if active {
            let button = Button::new("Branch from the frame shown").shortcut_text("B");
            if ui.add(button).clicked() {
                state.branch_here();
                ui.close();
            }
            ui.add_enabled(false, Button::new("Delete"))
                .on_disabled_hover_text("The branch on screen stays; go to another one first");
        } else {
            ui.menu_button("Delete", |ui| {
                let text = format!("Forget its {frames} frames");
                let tip = "Undo (Ctrl+Z) brings them back, until a new rollout begins";
                if ui.button(text).on_hover_text(tip).clicked() {
                    state.delete_branch(id);
                    ui.close();
                }
            });
        }
    });
}

/// The field in which a branch gets another name; `false` where it gets none.
fn rename(ui: &mut Ui, state: &mut State, id: BranchId, rect: Rect) -> bool {
    let Some((_, text)) = state.tree.renaming.as_mut().filter(|r| r.0 == id) else {
        return false;
    };
    let edit = egui::TextEdit::singleline(text)
        .id(Id::unique(("name of branch", id)))
        .font(theme::small())
        .margin(vec2(4.0, 0.0))
        .char_limit(40);
    let response = ui.put(rect, edit);
    response.widget_info(|| WidgetInfo::labeled(Role::TextInput, true, "Name of the branch"));
    if response.lost_focus() {
        let name = text.clone();
        state.tree.renaming = None;
        if !ui.input(|i| i.key_pressed(Key::Escape)) {
            state.source.send(Command::RenameBranch(id, name));
        }
    } else if !response.has_focus() {
        response.request_focus();
    }
    true
}

/// Text that ends in "…" where it has no room.
fn truncated(
    painter: &Painter,
    text: &str,
    width: f32,
    color: egui::Color32,
) -> std::sync::Arc<egui::Galley> {
    let mut job = egui::text::LayoutJob::simple_singleline(text.to_owned(), theme::small(), color);
    job.wrap.max_width = width.max(8.0);
    job.wrap.max_rows = 1;
    job.wrap.break_anywhere = true;
    painter.layout_job(job)
}

/// Above the timeline while an older frame is shown and a setting was changed: the way on.
pub fn offer(ui: &Ui, state: &mut State, at: egui::Pos2, within: Rect) {
    let Some(changes) = state.changed_in_the_past() else {
        return;
    };
    let p = palette(ui);
    let what = words::listed(&changes);
    // In a timeline that is narrower than the button the middle has to do.
    let reach = (within.width() / 2.0 - 130.0).max(0.0);
    let middle = within.center().x;
    let x = at.x.max(middle - reach).min(middle + reach);
    let area = egui::Area::new(Id::unique("branch offer"))
        .order(egui::Order::Middle)
        .pivot(Align2::CENTER_BOTTOM)
        .fixed_pos(pos2(x.round(), at.y))
        .constrain(true);
    let clicked = area
        .show(ui.ctx(), |ui| {
            let text = egui::RichText::new("Branch from here").color(p.canvas);
            let button = Button::new(text).fill(p.accent).shortcut_text("B");
            let tip = format!(
                "{what}: go on from this frame with these settings, in a branch of its own. What was made after it stays."
            );
            ui.add(button).on_hover_text(tip).clicked()
        })
        .inner;
    if clicked {
        state.branch_here();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn branch(id: BranchId, parent: Option<BranchId>, fork: usize) -> Branch {
        Branch {
            id,
            parent,
            fork,
            ..Branch::main(Default::default())
        }
    }

    #[test]
    fn rows_stand_below_their_parents_and_lines_do_not_cross() {
        let all = [
            branch(0, None, 0),
            branch(1, Some(0), 10),
            branch(2, Some(0), 20),
            branch(3, Some(1), 15),
            branch(4, Some(9), 1),
        ];
        let order: Vec<BranchId> = ordered(&all).iter().map(|b| b.id).collect();
        assert_eq!(order, [0, 2, 1, 3, 4]);
    }

    #[test]
    fn frames_and_places_agree() {
        let axis = Axis {
            left: 100.0,
            right: 500.0,
            first: 7,
            span: 40.0,
        };
        for frame in [7, 20, 47] {
            assert_eq!(axis.frame(axis.x(frame)), frame);
        }
        assert_eq!((axis.frame(0.0), axis.frame(9e9)), (7, 47));
    }
}
