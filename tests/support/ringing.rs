//! A thread and the bell that it rings whenever something has changed: what is waited for is looked at when it rings, not
//! after a guessed time.

use std::ops::Deref;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use eddyscope::rollout::worker::Wake;

/// Longer than anything that is waited for takes on a slow machine.
const LONGEST: Duration = Duration::from_secs(240);

/// A window's end of a thread, with its bell.
pub struct Ringing<T> {
    /// The window's end.
    pub inner: T,
    bell: Arc<(Mutex<u64>, Condvar)>,
    /// What to say when it was waited for in vain.
    says: fn(&T) -> String,
}

impl<T> Ringing<T> {
    /// Starts a thread.
    pub fn new(says: fn(&T) -> String, spawn: impl FnOnce(Wake) -> T) -> Self {
        let bell = Arc::new((Mutex::new(0), Condvar::new()));
        let rung = Arc::clone(&bell);
        let inner = spawn(Arc::new(move || {
            *rung.0.lock().unwrap() += 1;
            rung.1.notify_all();
        }));
        Self { inner, bell, says }
    }

    /// Waits until `done` has something to say.
    pub fn wait<R>(&self, mut done: impl FnMut(&T) -> Option<R>) -> R {
        let ends = Instant::now() + LONGEST;
        let (count, changed) = &*self.bell;
        loop {
            // What changes while it is looked at rings again.
            let seen = *count.lock().unwrap();
            if let Some(found) = done(&self.inner) {
                return found;
            }
            let left = ends.saturating_duration_since(Instant::now());
            let now = count.lock().unwrap();
            let silent = changed
                .wait_timeout_while(now, left, |now| *now == seen)
                .unwrap();
            let late = silent.1.timed_out();
            drop(silent);
            assert!(!late, "waited too long: {}", (self.says)(&self.inner));
        }
    }
}

impl<T> Deref for Ringing<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.inner
    }
}
