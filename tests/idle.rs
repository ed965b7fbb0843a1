//! Idle costs nothing: alone in its own process, so that only this worker's thread is counted.

// Helpers outside of a #[test] function may unwrap here too.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use eddyscope::device::DeviceRequest;
use eddyscope::rollout::protocol::Command;
use eddyscope::rollout::settings::{RolloutSpec, Settings};
use eddyscope::rollout::worker::{Worker, WorkerOptions};

#[test]
fn an_idle_worker_uses_no_processor_and_leaves_at_once() {
    let options = WorkerOptions {
        model: std::env::var("EDDYSCOPE_TEST_MODEL").ok(),
        device: DeviceRequest::Cpu,
        ..Default::default()
    };
    let w = Worker::spawn(
        options,
        Settings::default(),
        RolloutSpec::default(),
        Arc::new(|| {}),
    );
    assert!(w.send(Command::Step(1)));
    let began = Instant::now();
    while w.archive().frames.len() < 5 || w.progress().running {
        assert!(began.elapsed() < Duration::from_secs(120));
        std::thread::sleep(Duration::from_millis(5));
    }
    let before = cpu_ticks();
    std::thread::sleep(Duration::from_secs(2));
    match (before, cpu_ticks()) {
        // A tick is 10 ms: at most 0.5 % of a core.
        (Some(a), Some(b)) => assert!(b - a <= 1, "{} ticks in two idle seconds", b - a),
        _ => println!("skipped: this system does not tell the processor time of a thread"),
    }
    let began = Instant::now();
    drop(w);
    assert!(began.elapsed() < Duration::from_secs(2));
}

/// Clock ticks that the worker's thread has used.
fn cpu_ticks() -> Option<u64> {
    for task in std::fs::read_dir("/proc/self/task").ok()?.flatten() {
        let stat = std::fs::read_to_string(task.path().join("stat")).unwrap_or_default();
        let Some((head, tail)) = stat.rsplit_once(')') else {
            continue;
        };
        if head.contains("eddyscope-worke") {
            let fields: Vec<&str> = tail.split_whitespace().collect();
            return Some(
                fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?,
            );
        }
    }
    None
}
