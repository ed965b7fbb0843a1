//! A thread beside the rollout on screen: commands in, one latest value out.
//!
//! The window copies the value when its version changed and never waits; the thread is told to end when its handle goes,
//! and does so after the step in progress, without anybody waiting for it.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use crate::error::{Result, UserError};

use super::worker::Wake;

/// Commands that may wait.
const CHANNEL: usize = 64;

/// A value that can say that its thread has failed.
pub trait Latest: Clone + Send + 'static {
    /// Takes the error that ended the thread.
    fn failed(&mut self, error: UserError);
}

/// The thread's end.
pub struct Inside<S> {
    value: Mutex<S>,
    version: AtomicU64,
    quit: AtomicBool,
    wake: Wake,
}

/// A lock is only ever held for a copy or a small change, so a poisoned one still holds whole values.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<S: Latest> Inside<S> {
    /// Reads the value.
    pub fn with<T>(&self, read: impl FnOnce(&S) -> T) -> T {
        read(&lock(&self.value))
    }

    /// Whether the window has gone: end after the step in progress.
    pub fn quit(&self) -> bool {
        self.quit.load(Ordering::Relaxed)
    }

    /// Changes the value. The window is not told.
    pub fn change<T>(&self, change: impl FnOnce(&mut S) -> T) -> T {
        change(&mut lock(&self.value))
    }

    /// Changes the value and tells the window.
    pub fn update(&self, change: impl FnOnce(&mut S)) {
        self.change(change);
        self.version.fetch_add(1, Ordering::Release);
        (self.wake)();
    }
}

/// The window's end.
pub struct Aside<C, S> {
    inside: Arc<Inside<S>>,
    commands: Option<SyncSender<C>>,
    thread: Option<JoinHandle<()>>,
}

impl<C: Send + 'static, S: Latest> Aside<C, S> {
    /// Starts a thread that runs `body` until it returns. An error or a panic of it is put into the value.
    pub fn spawn(
        name: &str,
        first: S,
        wake: Wake,
        body: impl FnOnce(&Inside<S>, &Receiver<C>) -> Result<()> + Send + 'static,
    ) -> Self {
        let (sender, receiver) = sync_channel(CHANNEL);
        let inside = Arc::new(Inside {
            value: Mutex::new(first),
            version: AtomicU64::new(1),
            quit: AtomicBool::new(false),
            wake,
        });
        let own = Arc::clone(&inside);
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                let run = AssertUnwindSafe(|| body(&own, &receiver));
                match std::panic::catch_unwind(run) {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => own.update(|s| s.failed(error)),
                    Err(_) => own.update(|s| {
                        s.failed(UserError::new(
                            "The computation stopped unexpectedly",
                            "the thread beside the rollout ended with an internal error",
                            "go back to the lanes and open this view again; if it happens again, use the CPU (--device cpu)",
                        ));
                    }),
                }
            });
        let thread = match thread {
            Ok(handle) => Some(handle),
            Err(e) => {
                inside.update(|s| {
                    s.failed(UserError::new(
                        "No further thread could be started",
                        e,
                        "close other programs, go back to the lanes and open this view again",
                    ));
                });
                None
            }
        };
        Self {
            inside,
            commands: Some(sender),
            thread,
        }
    }

    /// Sends a command; never blocks. `false` when the thread is gone or has too many waiting.
    pub fn send(&self, command: C) -> bool {
        self.commands
            .as_ref()
            .is_some_and(|c| c.try_send(command).is_ok())
    }

    /// A copy of the value.
    pub fn value(&self) -> S {
        self.inside.with(S::clone)
    }

    /// Changes the value from the window's side; the window is not told.
    pub fn change<T>(&self, change: impl FnOnce(&mut S) -> T) -> T {
        self.inside.change(change)
    }

    /// Changes whenever [`Self::value`] would.
    pub fn version(&self) -> u64 {
        self.inside.version.load(Ordering::Acquire)
    }

    /// Whether the thread still works.
    pub fn is_alive(&self) -> bool {
        self.thread.as_ref().is_some_and(|t| !t.is_finished())
    }

    /// Ends the thread and waits for it.
    pub fn stop(mut self) {
        self.release();
        if let Some(thread) = self.thread.take() {
            // A panic was already put into the value.
            let _ = thread.join();
        }
    }

    fn release(&mut self) {
        self.inside.quit.store(true, Ordering::Relaxed);
        self.commands = None;
    }
}

impl<C, S> Drop for Aside<C, S> {
    fn drop(&mut self) {
        // Nobody waits: the thread ends by itself after the step in progress.
        self.inside.quit.store(true, Ordering::Relaxed);
        self.commands = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Default)]
    struct Sum {
        value: i32,
        error: Option<UserError>,
    }

    impl Latest for Sum {
        fn failed(&mut self, error: UserError) {
            self.error = Some(error);
        }
    }

    fn adding() -> Aside<i32, Sum> {
        Aside::spawn(
            "test",
            Sum::default(),
            Arc::new(|| {}),
            |inside, commands| {
                while let Ok(n) = commands.recv() {
                    assert!(n != 13, "thirteen");
                    inside.update(|s| s.value += n);
                }
                Ok(())
            },
        )
    }

    fn wait(done: impl Fn() -> bool) {
        for _ in 0..2000 {
            if done() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        panic!("waited too long");
    }

    #[test]
    fn values_arrive_and_the_thread_ends_with_its_handle() {
        let aside = adding();
        let before = aside.version();
        assert!(aside.send(2) && aside.send(3));
        wait(|| aside.value().value == 5);
        assert!(aside.version() > before && aside.is_alive());
        let inside = Arc::clone(&aside.inside);
        aside.stop();
        assert!(inside.quit() && Arc::strong_count(&inside) == 1);
    }

    #[test]
    fn a_panic_is_an_error_of_the_value() {
        let aside = adding();
        assert!(aside.send(13));
        wait(|| aside.value().error.is_some());
        wait(|| !aside.is_alive());
        assert!(!aside.send(1));
    }
}
