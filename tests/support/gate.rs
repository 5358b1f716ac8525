//! What tests of pools share: a gate that holds a worker, a log, limits for tests that could hang.
#![allow(dead_code)] // each test file uses a part

use std::fmt::Debug;
use std::sync::{Arc, Mutex, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use gristmill::{Submitter, TaskHandle};

/// So long that only a hang reaches it.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// Holds tasks until it is opened (or dropped), and tells when one has come.
pub(crate) struct Gate {
    open: mpsc::Sender<()>,
    came: mpsc::Receiver<()>,
}

impl Gate {
    /// The gate, and what a task calls to come to it.
    pub(crate) fn new() -> (Self, impl FnOnce() + Send + 'static) {
        let (open, opened) = mpsc::channel();
        let (coming, came) = mpsc::channel();
        let pass = move || {
            let _ = coming.send(());
            let _ = opened.recv();
        };
        (Self { open, came }, pass)
    }

    /// Returns when a task has come.
    #[track_caller]
    pub(crate) fn wait(&self) {
        self.came.recv_timeout(LONG).expect("a task comes to the gate");
    }

    /// Whether a task has come.
    pub(crate) fn has_come(&self) -> bool {
        self.came.try_recv().is_ok()
    }

    pub(crate) fn open(self) {
        let _ = self.open.send(());
    }
}

/// Occupies one worker of the pool until the gate is opened; returns once it does.
#[track_caller]
pub(crate) fn occupy<S: 'static>(pool: &Submitter<'static, S>) -> (Gate, TaskHandle<()>) {
    let (gate, pass) = Gate::new();
    let running = pool.submit(pass).expect("open");
    gate.wait();
    (gate, running)
}

/// What happened, in order; shared by whoever holds a clone.
#[derive(Debug)]
pub(crate) struct Log<T>(Arc<Mutex<Vec<T>>>);

impl<T> Clone for Log<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: Clone + Debug> Log<T> {
    pub(crate) fn new() -> Self {
        Self(Arc::default())
    }

    pub(crate) fn add(&self, entry: T) {
        self.0.lock().expect("not poisoned").push(entry);
    }

    pub(crate) fn all(&self) -> Vec<T> {
        self.0.lock().expect("not poisoned").clone()
    }
}

/// Waits for a task of which the test knows that it ends.
#[track_caller]
pub(crate) fn ended<T>(handle: TaskHandle<T>) -> Result<T, gristmill::TaskError> {
    let Ok(result) = handle.wait_timeout(LONG) else { panic!("the task does not end") };
    result
}

pub(crate) fn spawn<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    thread::Builder::new().spawn(run).expect("one thread more")
}
