use super::*;

const ALL: &[(Tab, &str)] = &Tab::FLAT;

#[test]
fn every_tab_stands_in_one_slot_at_most() {
    let mut slots = Slots::default();
    assert_eq!(slots.split(Tab::Time, ALL), Some(Tab::Space));
    assert_eq!(slots.tabs(), [Tab::Time, Tab::Space]);
    assert_eq!(slots.split(Tab::Time, ALL), Some(Tab::Hovmoeller));
    assert_eq!(slots.tabs(), [Tab::Time, Tab::Hovmoeller, Tab::Space]);
    let id = slots.pane_of(Tab::Hovmoeller).unwrap();
    slots.choose(id, Tab::Space);
    assert_eq!(slots.tabs(), [Tab::Time, Tab::Space, Tab::Hovmoeller]);
    slots.split(Tab::Time, ALL).unwrap();
    assert_eq!(slots.split(Tab::Time, ALL), None, "there are enough");
    assert!(slots.is_valid());
}

#[test]
fn a_tab_asked_for_by_name_comes_into_the_slot_used_last() {
    let mut slots = Slots::default();
    slots.split(Tab::Time, ALL).unwrap();
    slots.follow(Tab::Budget, ALL);
    assert_eq!(slots.tabs(), [Tab::Time, Tab::Budget]);
    // Asking for one that is there changes nothing, but for which is used.
    slots.follow(Tab::Time, ALL);
    slots.follow(Tab::Probe, ALL);
    assert_eq!(slots.tabs(), [Tab::Probe, Tab::Budget]);
    assert_eq!(slots.close_tab(Tab::Probe), Some(Tab::Budget));
    assert_eq!(slots.tabs(), [Tab::Budget]);
    slots.close_tab(Tab::Budget);
    assert_eq!(slots.tabs(), [Tab::Budget], "the last one stays");
}

#[test]
fn a_tab_without_meaning_gives_way() {
    let mut slots = Slots::default();
    slots.follow(Tab::Dynamics, ALL);
    slots.split(Tab::Dynamics, ALL).unwrap();
    assert_eq!(slots.tabs(), [Tab::Dynamics, Tab::Time]);
    slots.follow(Tab::Time, &Tab::GLOBE);
    assert_eq!(slots.tabs(), [Tab::Space, Tab::Time]);
}

#[test]
fn a_saved_layout_comes_back_and_a_damaged_one_is_refused() {
    let mut slots = Slots::default();
    slots.split(Tab::Time, ALL).unwrap();
    let json = serde_json::to_string(&slots).unwrap();
    let back: Slots = serde_json::from_str(&json).unwrap();
    assert_eq!(back, slots);
    assert!(back.is_valid());
    let twice = json.replace("\"space\"", "\"time\"");
    assert_ne!(twice, json);
    assert!(!serde_json::from_str::<Slots>(&twice).unwrap().is_valid());
    let mut lost = slots.clone();
    lost.tree.root = None;
    assert!(!lost.is_valid());
    // A container within itself.
    let mut round = slots.clone();
    let root = round.tree.root.unwrap();
    if let Some(Tile::Container(Container::Linear(line))) = round.tree.tiles.get_mut(root) {
        line.children.push(root);
    }
    assert!(!round.is_valid());
    let mut dangling = slots;
    let id = dangling.pane_of(Tab::Space).unwrap();
    dangling.tree.tiles.remove(id);
    assert!(!dangling.is_valid());
}

#[test]
fn a_slot_dropped_onto_another_stands_below_it() {
    let mut slots = Slots::default();
    slots.split(Tab::Time, ALL).unwrap();
    let root = slots.tree.root.unwrap();
    if let Some(Tile::Container(c)) = slots.tree.tiles.get_mut(root) {
        c.set_kind(ContainerKind::Tabs);
    }
    slots.without_tabs();
    let kind = slots.tree.tiles.get_container(root).unwrap().kind();
    assert_eq!(kind, ContainerKind::Vertical);
    assert_eq!(slots.tabs(), [Tab::Time, Tab::Space]);
}
