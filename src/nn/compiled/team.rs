//! A few threads that share the tasks of one small image.
//!
//! A network on a small image is some forty short phases of tens of microseconds each; between them everybody must be
//! done. Tasks are claimed one by one, so a helper that the system has put aside delays nobody, and the caller can do a
//! phase alone. The caller claims from the front, helpers by turns from the back and the front: neighbouring tasks, and the
//! tasks of the next phase that read what they made, so meet the same processor's cache more often than not. Which thread
//! does a task changes nothing in its result. Nothing is allocated.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, TryLockError};
use std::thread::Thread;

/// Turns of the waiting loop (some 40 ns each) before a helper goes to sleep: longer than what a sampler does between two
/// evaluations, since waking a helper takes as long as a layer.
const PATIENCE: u32 = 10_000;
/// Turns of the waiting loop before the caller lets others use its processor.
const CALLER_PATIENCE: u32 = 2000;
/// Tasks in one phase at most: their number fits 16 bits.
const MOST: usize = u16::MAX as usize;

/// What one phase does: task number `i` of it.
type Task<'a> = dyn Fn(usize) + Sync + 'a;

#[derive(Default)]
struct Shared {
    /// Number of the phase (upper 32 bits), the first task that is left (16 bits), the one after the last (16 bits). A claim
    /// replaces the whole word, so it fails when the phase it was made for is over.
    state: AtomicU64,
    /// The task of this phase: a `*const &Task`, valid until `done` reaches the number of tasks.
    task: AtomicPtr<()>,
    done: AtomicUsize,
    failed: AtomicBool,
}

fn parts(state: u64) -> (u64, usize, usize) {
    (
        state >> 32,
        (state >> 16 & 0xffff) as usize,
        (state & 0xffff) as usize,
    )
}

impl Shared {
    /// Claims and does one task, the last or the first that is left; `false` when there is none.
    fn help(&self, from_the_back: bool) -> bool {
        let state = self.state.load(Ordering::Acquire);
        let (_, first, end) = parts(state);
        if first >= end {
            return false;
        }
        let (number, claimed) = if from_the_back {
            (end - 1, state - 1)
        } else {
            (first, state + (1 << 16))
        };
        if self
            .state
            .compare_exchange_weak(state, claimed, Ordering::AcqRel, Ordering::Relaxed)
            .is_err()
        {
            return true;
        }
        let task = self.task.load(Ordering::Relaxed).cast::<&Task<'_>>();
        // SAFETY: the claim succeeded, so the phase of `state` is not over: its caller waits until all claimed tasks are
        // counted in `done`, and until then the reference that `task` points to lives on its stack. The pointer was
        // written before the phase's number was published.
        let task = unsafe { *task };
        if catch_unwind(AssertUnwindSafe(|| task(number))).is_err() {
            self.failed.store(true, Ordering::Relaxed);
        }
        self.done.fetch_add(1, Ordering::Release);
        true
    }
}

struct Helper {
    thread: Thread,
    asleep: Arc<AtomicBool>,
}

/// Threads that help whoever calls them first.
pub(super) struct Team {
    shared: Arc<Shared>,
    helpers: Vec<Helper>,
    /// Number of the last phase; whoever holds it has the helpers.
    phase: Mutex<u64>,
}

impl Team {
    /// A team of so many threads beside the caller.
    fn new(helpers: usize) -> Self {
        let shared = Arc::new(Shared::default());
        let helpers = (0..helpers)
            .filter_map(|i| {
                let asleep = Arc::new(AtomicBool::new(false));
                let (shared, flag) = (Arc::clone(&shared), Arc::clone(&asleep));
                let thread = std::thread::Builder::new()
                    .name(format!("network {i}"))
                    .spawn(move || help_forever(&shared, &flag, i % 2 == 0))
                    .ok()?;
                Some(Helper {
                    thread: thread.thread().clone(),
                    asleep,
                })
            })
            .collect();
        Self {
            shared,
            helpers,
            phase: Mutex::new(0),
        }
    }

    /// The team of this process: as many threads as rayon's, the caller among them.
    pub fn shared() -> &'static Self {
        static TEAM: OnceLock<Team> = OnceLock::new();
        TEAM.get_or_init(|| Self::new(rayon::current_num_threads().saturating_sub(1)))
    }

    /// Takes the helpers for a while. If somebody else has them, or rayon's pool of the caller has one thread, the caller
    /// works alone.
    pub fn enter(&self) -> Session<'_> {
        let alone = self.helpers.is_empty() || rayon::current_num_threads() < 2;
        Session {
            team: self,
            phase: if alone {
                None
            } else {
                match self.phase.try_lock() {
                    Ok(phase) => Some(phase),
                    // A task failed in a phase whose tasks were all done or counted: the helpers are as before.
                    Err(TryLockError::Poisoned(phase)) => Some(phase.into_inner()),
                    Err(TryLockError::WouldBlock) => None,
                }
            },
        }
    }
}

fn help_forever(shared: &Shared, asleep: &AtomicBool, from_the_back: bool) {
    let mut idle = 0;
    loop {
        if shared.help(from_the_back) {
            idle = 0;
        } else if idle < PATIENCE {
            idle += 1;
            std::hint::spin_loop();
        } else {
            asleep.store(true, Ordering::SeqCst);
            let (_, first, end) = parts(shared.state.load(Ordering::SeqCst));
            if first >= end {
                std::thread::park();
            }
            asleep.store(false, Ordering::SeqCst);
            idle = 0;
        }
    }
}

/// The helpers, taken.
pub(super) struct Session<'a> {
    team: &'a Team,
    phase: Option<MutexGuard<'a, u64>>,
}

impl Session<'_> {
    /// Does tasks `0..total` and returns when all are done.
    ///
    /// # Panics
    /// If a task did.
    pub fn run(&mut self, total: usize, task: &Task<'_>) {
        let Some(phase) = self
            .phase
            .as_deref_mut()
            .filter(|_| (2..=MOST).contains(&total))
        else {
            (0..total).for_each(task);
            return;
        };
        *phase = (*phase + 1) & 0xffff_ffff;
        let shared = &self.team.shared;
        let task: &&Task<'_> = &task;
        let pointer = std::ptr::from_ref(task).cast::<()>().cast_mut();
        shared.done.store(0, Ordering::Relaxed);
        shared.task.store(pointer, Ordering::Relaxed);
        shared
            .state
            .store(*phase << 32 | total as u64, Ordering::SeqCst);
        for helper in &self.team.helpers {
            if helper.asleep.swap(false, Ordering::SeqCst) {
                helper.thread.unpark();
            }
        }
        while shared.help(false) {}
        let mut turns = 0;
        while shared.done.load(Ordering::Acquire) < total {
            turns += 1;
            if turns < CALLER_PATIENCE {
                std::hint::spin_loop();
            } else {
                std::thread::yield_now();
            }
        }
        assert!(
            !shared.failed.swap(false, Ordering::Relaxed),
            "a task of a network failed"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_task_is_done_once_in_every_phase() {
        let team = Team::new(3);
        let mut session = team.enter();
        let counts: Vec<AtomicUsize> = (0..37).map(|_| AtomicUsize::new(0)).collect();
        for phase in 1..=2000 {
            let n = phase % 37 + 1;
            let before: Vec<usize> = counts.iter().map(|c| c.load(Ordering::Relaxed)).collect();
            session.run(n, &|i| {
                counts[i].fetch_add(1, Ordering::Relaxed);
            });
            for (i, (count, before)) in counts.iter().zip(before).enumerate() {
                let expected = before + usize::from(i < n);
                assert_eq!(
                    count.load(Ordering::Relaxed),
                    expected,
                    "task {i} of phase {phase}"
                );
            }
        }
    }

    #[test]
    fn two_callers_do_not_wait_for_each_other() {
        let team = Team::new(1);
        let mut first = team.enter();
        let mut second = team.enter();
        let count = AtomicUsize::new(0);
        first.run(3, &|_| {
            count.fetch_add(1, Ordering::Relaxed);
        });
        second.run(4, &|_| {
            count.fetch_add(1, Ordering::Relaxed);
        });
        assert_eq!(count.load(Ordering::Relaxed), 7);
    }

    #[test]
    #[should_panic(expected = "a task of a network failed")]
    fn a_failing_task_is_reported() {
        let team = Team::new(1);
        team.enter().run(8, &|i| assert!(i != 5));
    }

    /// Who comes after a failure has the helpers again, and they do their share.
    #[test]
    fn a_failure_costs_nobody_the_helpers() {
        let team = Team::new(2);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build();
        pool.expect("a pool").install(|| {
            for total in [1, 8] {
                let failing = || team.enter().run(total, &|i| assert!(i + 1 < total));
                assert!(catch_unwind(AssertUnwindSafe(failing)).is_err());
                let mut session = team.enter();
                assert!(session.phase.is_some(), "after {total} tasks");
                let count = AtomicUsize::new(0);
                session.run(100, &|_| {
                    count.fetch_add(1, Ordering::Relaxed);
                });
                assert_eq!(count.load(Ordering::Relaxed), 100);
            }
        });
    }
}
