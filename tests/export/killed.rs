//! A session whose writer is killed.

use std::time::{Duration, Instant};

use eddyscope::export::{Carried, Format, Watch, read};
use eddyscope::rollout::settings::LaneKind;

use super::{files_in, plan, synthetic};

/// Not a test of its own: the process that [`a_killed_writer_leaves_the_old_session_whole`] kills.
#[test]
fn write_sessions_until_killed() {
    let Some(path) = std::env::var_os("EDDYSCOPE_TEST_SESSION") else {
        return;
    };
    let archive = synthetic(60);
    let plan = plan(Format::Session, path.into(), &archive, &[LaneKind::Guided]);
    loop {
        plan.run(&Watch::default()).unwrap();
    }
}

#[test]
fn a_killed_writer_leaves_the_old_session_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.eddyscope");
    for round in 0..6 {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "killed::write_sessions_until_killed"])
            .env("EDDYSCOPE_TEST_SESSION", &path)
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        // In the midst of writing: its own unfinished file lies there, not that of one that was killed before.
        let own = format!(".{}.part", child.id());
        let began = Instant::now();
        while !(path.exists() && files_in(folder.path()).iter().any(|f| f.ends_with(&own))) {
            assert!(
                child.try_wait().unwrap().is_none(),
                "it writes until killed"
            );
            assert!(began.elapsed() < Duration::from_secs(60));
        }
        std::thread::sleep(Duration::from_millis(round * 7));
        child.kill().unwrap();
        child.wait().unwrap();
        let Carried::Session(session) = read(&path).unwrap() else {
            panic!("it is a session");
        };
        assert_eq!(session.archive.frames.len(), 60);
    }
}
