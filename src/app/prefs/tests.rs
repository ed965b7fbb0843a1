use super::*;

#[test]
fn round_trip() {
    let mut prefs = Prefs::default();
    prefs.settings.guidance.strength = 0.35;
    prefs.color_map = Some(ColorMap::RdBu);
    let json = prefs.to_json().unwrap();
    assert_eq!(Prefs::from_json(&json).unwrap(), prefs);
}

#[test]
fn each_model_has_settings_of_its_own() {
    let mut prefs = Prefs::default();
    prefs.settings.guidance.strength = 0.35;
    prefs.smooth = true;
    assert!(!prefs.switch("precipitation"));
    assert_eq!(
        (prefs.settings.guidance.strength, prefs.smooth),
        (1.0, false)
    );
    prefs.color_map = Some(ColorMap::Batlow);
    assert!(prefs.switch("vorticity"));
    assert_eq!(
        (prefs.settings.guidance.strength, prefs.smooth),
        (0.35, true)
    );
    assert_eq!(prefs.color_map, None);
    assert!(prefs.switch("precipitation"));
    assert_eq!(prefs.rain_map(), ColorMap::Batlow);
    let json = prefs.to_json().unwrap();
    assert_eq!(Prefs::from_json(&json).unwrap(), prefs);
}

#[test]
fn a_lesson_changes_its_settings_and_nothing_else() {
    for own in ["vorticity", "precipitation"] {
        let mut prefs = Prefs::default();
        prefs.settings.guidance.strength = 0.35;
        if own != prefs.model_name() {
            prefs.switch(own);
        }
        prefs.settings.guidance.history = 1;
        let before = prefs.clone();
        let learner = prefs.begin_lesson("vorticity", Settings::default(), RolloutSpec::default());
        assert_eq!(prefs.settings, Settings::default());
        prefs.settings.guidance.strength = 0.0;
        // What is the window's own.
        prefs.scale = 1.3;
        prefs.speed = 2.0;
        prefs.recent = vec!["a.nc".into()];
        prefs.dark = Some(true);
        prefs.end_lesson(learner);
        let mut expected = before;
        (expected.scale, expected.speed, expected.dark) = (1.3, 2.0, Some(true));
        expected.recent = vec!["a.nc".into()];
        assert_eq!(prefs, expected);
    }
    // A model that a lesson opened first is as good as never opened.
    let mut prefs = Prefs::default();
    let learner = prefs.begin_lesson("travelling-wave", Settings::default(), Default::default());
    prefs.end_lesson(learner);
    assert_eq!(prefs, Prefs::default());
}

#[test]
fn unreadable_or_impossible_state_is_refused() {
    let old = Prefs {
        version: 0,
        ..Prefs::default()
    };
    let mut bad = Prefs::default();
    bad.settings.guidance.strength = -3.0;
    for json in [
        "".to_owned(),
        "{}".to_owned(),
        "nonsense".to_owned(),
        old.to_json().unwrap(),
        bad.to_json().unwrap(),
    ] {
        assert!(Prefs::from_json(&json).is_err(), "{json}");
    }
}
