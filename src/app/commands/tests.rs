use super::super::prefs::Tab;
use super::*;

#[test]
fn no_key_does_two_things_and_no_name_comes_twice() {
    let mut keys: Vec<_> = COMMANDS
        .iter()
        .flat_map(|c| c.keys)
        .map(|k| format!("{:?} {:?}", k.modifiers, k.logical_key))
        .collect();
    let mut names: Vec<_> = COMMANDS.iter().map(|c| c.name).collect();
    let counts = (keys.len(), names.len());
    keys.sort();
    keys.dedup();
    names.sort_unstable();
    names.dedup();
    assert_eq!((keys.len(), names.len()), counts);
}

#[test]
fn letters_in_order_find_a_command() {
    let best = |typed: &str| {
        let fits = COMMANDS
            .iter()
            .filter_map(|c| Some((fit(typed, c.name)?, c.name)));
        fits.max_by_key(|(score, _)| *score).map(|(_, name)| name)
    };
    assert_eq!(best("sess"), Some("Save the session…"));
    assert_eq!(best("session"), Some("Save the session…"));
    assert_eq!(best("exp film"), Some("Export a film…"));
    assert_eq!(best("smaller"), Some("Everything smaller"));
    assert_eq!(best("rst lay"), Some("Reset layout"));
    assert_eq!(best("hov"), Some("Plots: Hovmöller"));
    assert_eq!(best("lane gui"), Some("Lane on or off: guided"));
    assert_eq!(best("xyzzy"), None);
    assert!(best("").is_some());
}

#[test]
fn the_scale_moves_in_steps_and_ends() {
    let mut prefs = Prefs::default();
    prefs.scale = 2.0;
    prefs.recent.push("a".into());
    prefs.slots.split(Tab::Time, &Tab::FLAT).unwrap();
    reset_layout(&mut prefs);
    assert_eq!((prefs.scale, prefs.recent.len()), (1.0, 1));
    assert_eq!(prefs.slots.tabs(), [Tab::Time]);
}
