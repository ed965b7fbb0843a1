use super::*;

const GOOD: &str = r#"
format = 1
title = "A lesson"
about = "of two steps"
minutes = 1
model = "vorticity"

[[step]]
title = "One"
text = "Look at {guided.r1}"
highlight = "strength"
set = { strength = 0.5, warm-start = 1.0 }
ask = "What?"
choices = ["this", "that"]
right = 2
wait_for = ["guided.r1 > 0.9", "strength <= suggested"]
goal = "Do it"
answer = "It is {guided.r1}"

[[step]]
title = "Two"
text = "Guess"
ask = "How much?"
slider = [0.0, 1.0]
right = "truth.r1"
"#;

#[test]
fn a_lesson_is_read() {
    let lesson = Lesson::parse("mine", GOOD, "mine.toml").unwrap();
    assert_eq!((lesson.name.as_str(), lesson.steps.len()), ("mine", 2));
    let [one, two] = &lesson.steps[..] else {
        panic!("two steps")
    };
    assert_eq!(one.highlight, Some("strength"));
    assert_eq!(one.goals.len(), 2);
    assert!(matches!(&one.ask.as_ref().unwrap().how, How::Choices(c, 1) if c.len() == 2));
    assert!(
        matches!(&two.ask.as_ref().unwrap().how, How::Slider { right, .. } if right == "truth.r1")
    );
    let (mut settings, mut spec) = (Settings::default(), RolloutSpec::default());
    assert!(!one.set.apply(&mut settings, &mut spec));
    assert_eq!(settings.guidance.strength, 0.5);
    assert_eq!(settings.sampler.start, Start::Warm { sigma: 1.0 });
}

/// Each fault names the file, the line and what is possible.
#[test]
fn faults_name_file_line_and_remedy() {
    let faults = [
        ("format = 1", "format = 7", 2, "format 7"),
        ("title = \"A lesson\"", "titel = \"A lesson\"", 3, "titel"),
        ("minutes = 1", "minutes = \"one\"", 5, "expected u32"),
        (
            "highlight = \"strength\"",
            "highlight = \"strenght\"",
            11,
            "there is no control named strenght",
        ),
        (
            "strength = 0.5",
            "strength = -0.5",
            12,
            "guidance strength cannot be -0.5",
        ),
        ("strength = 0.5", "power = 0.5", 12, "power"),
        (
            "choices = [\"this\", \"that\"]",
            "",
            13,
            "a question needs choices or a slider",
        ),
        ("right = 2", "right = 3", 14, "number of the right choice"),
        ("guided.r1 > 0.9", "guided.r1 0.9", 16, "is no condition"),
        (
            "guided.r1 > 0.9",
            "guided.r9 > 0.9",
            16,
            "there is no figure named guided.r9",
        ),
        ("goal = \"Do it\"", "", 16, "needs a goal in words"),
        (
            "answer = \"It is {guided.r1}\"",
            "answer = \"It is {r1}\"",
            18,
            "there is no figure named r1",
        ),
        (
            "slider = [0.0, 1.0]",
            "slider = [1.0, 0.0]",
            24,
            "from a smaller to a larger",
        ),
        (
            "right = \"truth.r1\"",
            "right = 1",
            24,
            "the figure that the slider is a guess of",
        ),
    ];
    for (from, to, line, said) in faults {
        let text = GOOD.replacen(from, to, 1);
        assert_ne!(text, GOOD, "{from}");
        let error = Lesson::parse("mine", &text, "folder/mine.toml").unwrap_err();
        assert!(error.headline.contains("folder/mine.toml"), "{error}");
        assert!(error.cause.contains(said), "{to}: {error}");
        assert!(
            error.cause.starts_with(&format!("line {line}:")),
            "{to}: {error}"
        );
        assert!(!error.remedy.is_empty());
    }
    let none = GOOD.split("[[step]]").next().unwrap();
    assert!(
        Lesson::parse("mine", none, "mine.toml")
            .unwrap_err()
            .cause
            .contains("no [[step]]")
    );
    assert!(Lesson::parse("mine", "format = ", "mine.toml").is_err());
}

#[test]
fn the_shipped_lessons_are_lessons() {
    let all: Vec<Lesson> = shipped().into_iter().map(|l| l.unwrap()).collect();
    assert_eq!(all.len(), 6);
    for lesson in &all {
        assert!(
            crate::model::Model::is_built_in(&lesson.model),
            "{}",
            lesson.name
        );
        assert!(
            lesson.steps.iter().any(|s| s.ask.is_some()),
            "{}",
            lesson.name
        );
        assert!(
            lesson.steps.iter().any(|s| !s.goals.is_empty()),
            "{}",
            lesson.name
        );
    }
}

#[test]
fn every_documented_figure_and_control_is_one() {
    let readme = include_str!("../../../assets/lessons/README.md");
    for name in marks::NAMES {
        assert!(readme.contains(&format!("`{name}`")), "{name}");
    }
    for figure in figure_names() {
        let (_, short) = figure.split_once('.').unwrap_or(("", &figure));
        assert!(readme.contains(short), "{figure}");
    }
}

#[test]
fn a_folder_gives_its_lessons_and_its_faults() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("b.toml"), GOOD).unwrap();
    std::fs::write(folder.path().join("a.toml"), "format = 1").unwrap();
    std::fs::write(folder.path().join("notes.txt"), "no lesson").unwrap();
    let read = of_folder(folder.path());
    assert_eq!(read.len(), 2);
    assert!(read[0].as_ref().unwrap_err().headline.contains("a.toml"));
    assert_eq!(read[1].as_ref().unwrap().name, "b");
    assert!(of_folder(&folder.path().join("none"))[0].is_err());
}
