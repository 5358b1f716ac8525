//! Durable tasks: what is recorded is told again and not run again, in the order in which it was recorded.

#![cfg(not(any(gristmill_shuttle, gristmill_loom)))]
// Children are killed by the real clock, and read on threads of the test's own; waits have limits on it.
#![allow(clippy::disallowed_methods)]

#[path = "../support/gate.rs"]
mod gate;

mod calls;
mod crashes;
mod ends;
mod faults;
mod pools;
mod replay;
mod resumed;
mod timers;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use gristmill::journal::{Handler, HandlerError, Journal, JournalErrorKind, Scope};
use gristmill::{Submitter, ThreadPool};
use tempfile::TempDir;

/// A place for a journal.
pub(crate) struct Place(TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.0.path().join("batch.journal")
    }

    /// Opens it; the worker that ran the last task may be about to let go of it.
    #[track_caller]
    pub(crate) fn open(&self) -> Journal {
        let limit = Instant::now() + gate::LONG;
        loop {
            match Journal::open(self.path()) {
                Err(error) if error.kind() == JournalErrorKind::Held && Instant::now() < limit => {
                    std::thread::yield_now();
                }
                opened => return opened.expect("it opens"),
            }
        }
    }
}

/// How often something was run.
#[derive(Clone, Default)]
pub(crate) struct Runs(Arc<AtomicU64>);

impl Runs {
    pub(crate) fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// How often since the last look.
    pub(crate) fn since(&self) -> u64 {
        self.0.swap(0, Ordering::Relaxed)
    }
}

/// A handler that squares, and says how often it was run.
pub(crate) fn square(scope: &Scope, version: u32) -> (Handler<u64, u64>, Runs) {
    let runs = Runs::default();
    let counter = runs.clone();
    let handler = scope.handler("square", version, move |_, number: &u64| -> Result<u64, HandlerError> {
        counter.add();
        Ok(number * number)
    });
    (handler, runs)
}

pub(crate) fn pool(workers: usize) -> ThreadPool {
    ThreadPool::builder().workers(workers).build().expect("a pool")
}

/// Submits so many tasks of the handler; the order in which they come, with what they give.
pub(crate) fn batch(handler: &Handler<u64, u64>, pool: &Submitter<'static>, count: u64) -> Vec<(usize, u64)> {
    let started: Vec<_> =
        (0..count).map(|number| handler.submit(pool, number, number).expect("it is taken")).collect();
    gristmill::combine::as_completed(started)
        .map(|(index, result)| (index, result.expect("a value")))
        .collect()
}
