use super::*;

#[test]
fn what_a_crash_left_is_found_and_a_living_programs_copy_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let first = Keeper::in_folder(folder.path());
    assert_eq!(first.recovered, None);
    let own = first.path.clone().unwrap();
    fs::write(&own, "a").unwrap();
    fs::write(folder.path().join(".kept-0.eddyscope.17.part"), "half").unwrap();

    let mut second = Keeper::in_folder(folder.path());
    assert_eq!(second.recovered, None, "the first program lives");
    let other = second.path.clone().unwrap();
    assert_ne!(other, own);
    fs::write(&other, "b").unwrap();

    // The first one dies, the second one ends as it should.
    drop(first);
    second.end();
    assert!(!other.is_file());
    let third = Keeper::in_folder(folder.path());
    let left = third.recovered.clone().unwrap();
    assert_eq!(fs::read_to_string(&left).unwrap(), "a");
    assert!(!own.is_file() && third.path.is_some());
    let parts = fs::read_dir(folder.path()).unwrap().flatten();
    let parts = parts.filter(|e| e.file_name().to_string_lossy().ends_with(".part"));
    assert_eq!(parts.count(), 0, "what was half written is gone");
    drop(third);

    // Put off, it is offered again; another crash does not overwrite it.
    fs::write(&own, "c").unwrap();
    let mut fourth = Keeper::in_folder(folder.path());
    assert!(left.is_file() && folder.path().join("recovered-1.eddyscope").is_file());
    fourth.recovered = Some(left.clone());
    fourth.opened(&left, &Archive::default());
    fourth.end();
    assert!(!left.is_file(), "what was taken up is not offered again");
    let mut fifth = Keeper::in_folder(folder.path());
    assert!(fifth.recovered.is_some());
    fifth.discard();
    drop(fifth);
    assert_eq!(Keeper::in_folder(folder.path()).recovered, None);
}

#[test]
fn a_folder_that_cannot_be_made_keeps_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let keeper = Keeper::in_folder(&file);
    assert!(keeper.path.is_none() && keeper.recovered.is_none());
}

#[test]
fn a_file_holds_what_was_there_when_it_was_written() {
    let of = |rollout, branches: &[(BranchId, usize)]| Extent {
        rollout,
        branches: branches.iter().copied().collect(),
        edited: false,
    };
    let saved = of(1, &[(0, 5000), (1, 300)]);
    assert!(saved.is_in(&saved));
    assert!(
        of(1, &[(0, 5100)]).is_in(&saved),
        "a little more, and a branch less"
    );
    assert!(!of(1, &[(0, 5000 + WORTH_ASKING)]).is_in(&saved));
    assert!(
        !of(1, &[(0, 5000), (2, 300)]).is_in(&saved),
        "another branch"
    );
    assert!(!of(2, &[(0, 5000)]).is_in(&saved), "another rollout");
    assert_eq!(saved.frames(), 5001);
}
