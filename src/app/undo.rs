//! Undo and redo of settings, lanes, what a rollout starts from, and deleted branches. The window is watched rather than its
//! widgets: what differs once no button is held down is one entry, so that a drag of a slider is one.

use crate::rollout::branch::BranchId;
use crate::rollout::protocol::Command;
use crate::rollout::settings::{RolloutSpec, Settings};

use super::prefs::Prefs;
use super::state::State;
use super::words;

/// Entries kept.
const MOST: usize = 200;

/// Changes of the same settings within this time are one entry: a key that is pressed again and again.
const TOGETHER_SECS: f64 = 0.7;

/// What can be undone.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// Settings, lanes among them.
    pub settings: Settings,
    /// Seed, members, start.
    pub spec: RolloutSpec,
}

#[derive(Debug, Clone)]
enum Entry {
    Set(Box<Change>),
    /// A branch that was deleted.
    Deleted {
        id: BranchId,
        name: String,
    },
}

#[derive(Debug, Clone)]
struct Change {
    before: Snapshot,
    after: Snapshot,
}

/// What taking back, or doing again, comes to.
#[derive(Debug, PartialEq)]
enum Act {
    Put(Box<Snapshot>),
    Recall(BranchId),
    Delete(BranchId),
}

impl Entry {
    /// What changed, from what to what.
    fn what(&self) -> String {
        let (a, b) = match self {
            Self::Set(change) => (&change.before, &change.after),
            Self::Deleted { name, .. } => return format!("the deletion of {name}"),
        };
        let mut parts = words::changes(&a.settings, &b.settings);
        if parts.is_empty() && a.settings != b.settings {
            parts.push(words::Changed {
                detail: "sampler".into(),
                short: None,
            });
        }
        let mut text = words::listed(&parts);
        let mut also = |what: String| {
            if !text.is_empty() {
                text.push_str(", ");
            }
            text.push_str(&what);
        };
        if a.spec.seed != b.spec.seed {
            also(format!("seed {} → {}", a.spec.seed, b.spec.seed));
        }
        if a.spec.members != b.spec.members {
            also(format!("members {} → {}", a.spec.members, b.spec.members));
        }
        let rest = |s: &RolloutSpec| RolloutSpec {
            seed: 0,
            members: 1,
            ..s.clone()
        };
        if rest(&a.spec) != rest(&b.spec) {
            also("start".into());
        }
        text
    }

    /// Which settings changed, whatever their values.
    fn kind(&self) -> String {
        let number = |c: char| c.is_ascii_digit() || c == '.' || c == '-';
        self.what().chars().filter(|c| !number(*c)).collect()
    }
}

/// The history of settings.
#[derive(Debug, Default)]
pub struct Undo {
    model: String,
    known: Option<Snapshot>,
    past: Vec<Entry>,
    future: Vec<Entry>,
    last_secs: f64,
}

impl Undo {
    /// Takes note of what is set; `held`: a button is held down or a text is being typed.
    pub fn watch(&mut self, prefs: &Prefs, held: bool, now_secs: f64) {
        let now = Snapshot {
            settings: prefs.settings.clone(),
            spec: prefs.spec.clone(),
        };
        if self.model != prefs.model_name() {
            *self = Self {
                model: prefs.model_name().to_owned(),
                ..Self::default()
            };
        }
        let Some(known) = &self.known else {
            self.known = Some(now);
            return;
        };
        if held || *known == now {
            return;
        }
        let entry = Entry::Set(Box::new(Change {
            before: known.clone(),
            after: now.clone(),
        }));
        self.known = Some(now.clone());
        self.future.clear();
        let soon = now_secs - self.last_secs < TOGETHER_SECS;
        self.last_secs = now_secs;
        let kind = entry.kind();
        let last = self.past.last_mut();
        match last.filter(|last| soon && last.kind() == kind) {
            Some(Entry::Set(change)) => {
                change.after = now;
                if change.before == change.after {
                    self.past.pop();
                }
            }
            _ => self.past.push(entry),
        }
        self.limit();
    }

    /// Takes note of a branch that was deleted.
    pub fn deleted(&mut self, id: BranchId, name: String) {
        self.future.clear();
        self.past.push(Entry::Deleted { id, name });
        self.last_secs = 0.0;
        self.limit();
    }

    /// The branches of the rollout are no more.
    pub fn forget_branches(&mut self) {
        let kept = |e: &Entry| matches!(e, Entry::Set(_));
        self.past.retain(kept);
        self.future.retain(kept);
    }

    fn limit(&mut self) {
        let over = self.past.len().saturating_sub(MOST);
        self.past.drain(..over);
    }

    /// What is set now was not set by a person: it is where the next change begins. Settings that could be taken back before
    /// belong to another branch, run or lesson and would come here; deleted branches still come back.
    pub fn start_from_here(&mut self) {
        let deleted = |e: &Entry| matches!(e, Entry::Deleted { .. });
        self.past.retain(deleted);
        *self = Self {
            model: std::mem::take(&mut self.model),
            past: std::mem::take(&mut self.past),
            ..Self::default()
        };
    }

    /// What would be undone.
    pub fn undoes(&self) -> Option<String> {
        self.past.last().map(Entry::what)
    }

    /// What would be done again.
    pub fn redoes(&self) -> Option<String> {
        self.future.last().map(Entry::what)
    }

    fn back(&mut self) -> Option<Act> {
        let entry = self.past.pop()?;
        let act = match &entry {
            Entry::Set(change) => self.known_as(&change.before),
            Entry::Deleted { id, .. } => Act::Recall(*id),
        };
        self.future.push(entry);
        Some(act)
    }

    fn forward(&mut self) -> Option<Act> {
        let entry = self.future.pop()?;
        let act = match &entry {
            Entry::Set(change) => self.known_as(&change.after),
            Entry::Deleted { id, .. } => Act::Delete(*id),
        };
        self.past.push(entry);
        Some(act)
    }

    fn known_as(&mut self, to: &Snapshot) -> Act {
        self.known = Some(to.clone());
        self.last_secs = 0.0;
        Act::Put(Box::new(to.clone()))
    }
}

impl State {
    /// Takes back the last change of settings, or the deletion of a branch.
    pub fn undo(&mut self) {
        if let Some(act) = self.undo.back() {
            self.act(act);
        }
    }

    /// Makes it again.
    pub fn redo(&mut self) {
        if let Some(act) = self.undo.forward() {
            self.act(act);
        }
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Put(to) => self.put(*to),
            Act::Recall(id) => {
                self.source.send(Command::RecallBranch(id));
            }
            Act::Delete(id) => self.forget_branch(id),
        }
    }

    fn put(&mut self, to: Snapshot) {
        if to.settings != self.prefs.settings {
            self.prefs.settings = to.settings;
            self.publish();
        }
        if to.spec != self.prefs.spec {
            self.prefs.spec = to.spec;
            self.files.show_start(&self.prefs.spec);
            self.restart();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(act: Option<Act>) -> Snapshot {
        match act {
            Some(Act::Put(to)) => *to,
            other => panic!("{other:?}"),
        }
    }

    fn strength(prefs: &mut Prefs, value: f32) {
        prefs.settings.guidance.strength = value;
    }

    #[test]
    fn a_drag_is_one_entry_and_both_ways_lead_back() {
        let (mut undo, mut prefs) = (Undo::default(), Prefs::default());
        undo.watch(&prefs, false, 0.0);
        for v in [0.9, 0.7, 0.5] {
            strength(&mut prefs, v);
            undo.watch(&prefs, true, 1.0);
        }
        undo.watch(&prefs, false, 2.0);
        prefs.settings.guidance.history = 1;
        prefs.spec.seed = 7;
        undo.watch(&prefs, false, 5.0);
        assert_eq!(undo.past.len(), 2);
        assert_eq!(undo.undoes().as_deref(), Some("m 3 → 1, seed 0 → 7"));
        let first = put(undo.back());
        assert_eq!((first.settings.guidance.history, first.spec.seed), (3, 0));
        assert_eq!(undo.undoes().as_deref(), Some("λ 1.00 → 0.50"));
        assert_eq!(put(undo.back()).settings, Settings::default());
        assert!(undo.back().is_none() && undo.undoes().is_none());
        assert_eq!(put(undo.forward()).settings.guidance.strength, 0.5);
        assert_eq!(undo.redoes().as_deref(), Some("m 3 → 1, seed 0 → 7"));
        // Another change ends what could be done again.
        prefs.settings = undo.known.clone().unwrap().settings;
        prefs.spec.seed = 0;
        strength(&mut prefs, 0.25);
        undo.watch(&prefs, false, 9.0);
        assert!(undo.redoes().is_none());
    }

    #[test]
    fn keys_in_a_row_are_one_entry_and_the_oldest_are_forgotten() {
        let (mut undo, mut prefs) = (Undo::default(), Prefs::default());
        undo.watch(&prefs, false, 0.0);
        for i in 0..5 {
            strength(&mut prefs, 0.9 - 0.05 * i as f32);
            undo.watch(&prefs, false, 1.0 + 0.1 * f64::from(i));
        }
        assert_eq!(undo.undoes().as_deref(), Some("λ 1.00 → 0.70"));
        for i in 0..300 {
            prefs.settings.sampler.steps = 10 + i % 2;
            strength(&mut prefs, i as f32 / 100.0);
            undo.watch(&prefs, false, 10.0 + f64::from(i as u32));
        }
        assert_eq!(undo.past.len(), MOST);
    }

    #[test]
    fn a_deleted_branch_comes_back_in_its_turn_and_outlives_a_change_of_branch() {
        let (mut undo, mut prefs) = (Undo::default(), Prefs::default());
        undo.watch(&prefs, false, 0.0);
        strength(&mut prefs, 0.5);
        undo.watch(&prefs, false, 1.0);
        undo.deleted(3, "calm".into());
        strength(&mut prefs, 0.25);
        undo.watch(&prefs, false, 1.1);
        assert_eq!(undo.past.len(), 3, "what came before and after is apart");
        assert_eq!(put(undo.back()).settings.guidance.strength, 0.5);
        assert_eq!(undo.undoes().as_deref(), Some("the deletion of calm"));
        assert_eq!(undo.back(), Some(Act::Recall(3)));
        assert_eq!(undo.forward(), Some(Act::Delete(3)));
        undo.start_from_here();
        assert_eq!(undo.past.len(), 1);
        assert_eq!(undo.back(), Some(Act::Recall(3)));
        undo.forget_branches();
        assert!(undo.undoes().is_none() && undo.redoes().is_none());
    }

    #[test]
    fn settings_of_another_model_or_branch_are_no_entry() {
        let (mut undo, mut prefs) = (Undo::default(), Prefs::default());
        undo.watch(&prefs, false, 0.0);
        strength(&mut prefs, 0.5);
        undo.start_from_here();
        undo.watch(&prefs, false, 1.0);
        assert!(undo.undoes().is_none());
        strength(&mut prefs, 0.25);
        undo.watch(&prefs, false, 2.0);
        assert!(undo.undoes().is_some());
        // What was set there does not come back here.
        let _ = undo.back();
        assert!(undo.redoes().is_some());
        undo.start_from_here();
        assert!(undo.undoes().is_none() && undo.redoes().is_none());
        prefs.switch("precipitation");
        undo.watch(&prefs, false, 3.0);
        assert!(undo.undoes().is_none());
    }
}
