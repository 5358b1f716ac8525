//! What model tests of pools share: pools and threads that run in a model, and the sum that every report has to make.
#![allow(dead_code)] // each test file uses a part

use std::sync::Arc;

use gristmill::sync::thread::{Builder, JoinHandle};
use gristmill::{ShutdownReport, ThreadPool};

pub(crate) fn spawn<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    Builder::new().spawn(run).expect("no fault is asked for")
}

pub(crate) fn pool(workers: usize, bound: usize) -> Arc<ThreadPool> {
    Arc::new(ThreadPool::builder().workers(workers).queue_bound(bound).build().expect("good settings"))
}

/// Every task that was accepted has ended, in one way.
pub(crate) fn closes(report: &ShutdownReport<'_>) {
    assert!(report.is_complete());
    let ran = report.succeeded() + report.failed() + report.panicked();
    assert_eq!(report.submitted(), ran + report.cancelled() + report.returned(), "{report}");
    assert_eq!(report.pending(), 0);
}
