//! Says which turn failed, and ends the process if one hangs.

use std::io::{Write, stderr};
use std::process;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::{LONG, spawn};

struct Current {
    scenario: &'static str,
    seed: u64,
    workers: usize,
    plan: String,
    start: Instant,
}

impl Current {
    /// Not through the harness, which keeps what is printed and loses it when the process ends.
    fn tell(&self, what: &str) {
        let Self { scenario, seed, workers, plan, start } = self;
        let _ = writeln!(
            stderr(),
            "stress: {what} after {:?}: {scenario}, again by GRISTMILL_SEED={seed} GRISTMILL_STRESS_WORKERS={workers}\n{plan}",
            start.elapsed()
        );
    }
}

pub(crate) struct Watchdog {
    current: Arc<Mutex<Option<Current>>>,
    stop: Option<mpsc::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Watchdog {
    pub(crate) fn start() -> Self {
        let current = Arc::new(Mutex::new(None::<Current>));
        let (stop, stopped) = mpsc::channel();
        let watched = Arc::clone(&current);
        let thread = spawn(move || {
            while stopped.recv_timeout(Duration::from_secs(1)) == Err(RecvTimeoutError::Timeout) {
                let current = watched.lock().expect("not poisoned");
                if let Some(current) = current.as_ref().filter(|current| current.start.elapsed() > LONG * 2) {
                    current.tell("hangs");
                    process::abort();
                }
            }
        });
        Self { current, stop: Some(stop), thread: Some(thread) }
    }

    pub(crate) fn begin(&self, scenario: &'static str, seed: u64, workers: usize) {
        let start = Instant::now();
        let current = Current { scenario, seed, workers, plan: String::new(), start };
        *self.current.lock().expect("not poisoned") = Some(current);
    }

    pub(crate) fn plan(&self, plan: String) {
        if let Some(current) = self.current.lock().expect("not poisoned").as_mut() {
            current.plan = plan;
        }
    }

    pub(crate) fn end(&self) {
        *self.current.lock().expect("not poisoned") = None;
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            thread.join().expect("it does not panic");
        }
        if let Some(current) = self.current.lock().expect("not poisoned").as_ref() {
            current.tell("failed");
        }
    }
}
