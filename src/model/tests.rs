//! Cards that are not what the program writes.

use super::ModelCard;

/// The card of a shipped model with a change of its first place where `from` stands.
fn changed(name: &str, from: &str, to: &str) -> Result<ModelCard, String> {
    let path = format!("{}/models/{name}/model.toml", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{name} {from}");
    ModelCard::parse(&text.replacen(from, to, 1), "here").map_err(|e| e.cause)
}

#[test]
fn sizes_that_no_network_can_have_are_refused() {
    for (from, to, word) in [
        ("patch = 2", "patch = 3", "denoiser: patch"),
        ("groups = 8", "groups = 7", "groups"),
        ("heads = 4", "heads = 0", "heads"),
        ("embedding = 128", "embedding = 0", "noise level"),
        ("embedding = 128", "embedding = 1000000", "channels"),
        ("embedding = 0", "embedding = 8", "two_tower"),
        ("hidden = 128", "hidden = 0", "hidden"),
        ("in_channels = 1", "in_channels = 2", "inputs"),
        ("in_channels = 7", "in_channels = 8", "inputs"),
        ("in_channels = 1", "in_channels = 0", "channels"),
        (
            "in_channels = 1\n",
            "in_channels = 1\nposition = [4611686018427387904, 64]\n",
            "position",
        ),
    ] {
        let cause = changed("vorticity", from, to).expect_err(to);
        assert!(cause.contains(word), "{to}: {cause}");
    }
}

#[test]
fn a_network_for_another_grid_is_refused() {
    let globe = changed("precipitation", "", "").unwrap();
    let [ny, nx] = globe.denoiser.network.position.expect("a position");
    globe.check_grid([ny, nx]).unwrap();
    let error = globe.check_grid([2 * ny, nx]).expect_err("another grid");
    assert!(error.cause.contains("denoiser"), "{error}");
    let box_ = changed("vorticity", "", "").unwrap();
    box_.check_grid([64, 64]).unwrap();
    let error = box_.check_grid([64, 60]).expect_err("a side of 60");
    assert!(error.cause.contains("multiples of 8"), "{error}");
}
