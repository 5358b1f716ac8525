//! Results of tasks without handles, added up where that costs next to nothing.
//!
//! A pool without handles has no way to return results. A sum that all its workers share would charge it for a cache
//! line that they fight for, which is no fault of the pool: here each thread adds to a line of its own, and the caller
//! adds up the lines when all tasks have ended. Per task that is a plain load and store of two words.

use super::grind::any_order;
use std::{
    cell::OnceCell,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

/// What the tasks of one thread came to. Only that thread writes while tasks run, hence no read-modify-write.
#[derive(Default)]
#[repr(align(128))]
struct Line {
    sum: AtomicU64,
    tasks: AtomicU64,
}

/// The lines of all threads that ever ran such a task: ended ones included, whose results still count.
static LINES: Mutex<Vec<Arc<Line>>> = Mutex::new(Vec::new());

thread_local! {
    static MINE: OnceCell<Arc<Line>> = const { OnceCell::new() };
}

/// Adds the result of a task, on the thread that ran it.
pub(crate) fn add(value: u64) {
    MINE.with(|mine| {
        let line = mine.get_or_init(|| {
            let line = Arc::<Line>::default();
            lines(|lines| lines.push(Arc::clone(&line)));
            line
        });
        line.sum.store(any_order(line.sum.load(Relaxed), value), Relaxed);
        line.tasks.store(line.tasks.load(Relaxed) + 1, Relaxed);
    });
}

/// How many results were added since the last [`take`]. Exact once all tasks are known to have ended.
pub(crate) fn tasks() -> u64 {
    lines(|lines| lines.iter().map(|line| line.tasks.load(Relaxed)).sum())
}

/// The sum of all results, leaving none. The caller knows that all tasks have ended.
pub(crate) fn take() -> u64 {
    lines(|lines| {
        let mut sum = 0;
        for line in &*lines {
            sum = any_order(sum, line.sum.swap(0, Relaxed));
            line.tasks.store(0, Relaxed);
        }
        // Those of ended threads: nobody else holds them.
        lines.retain(|line| Arc::strong_count(line) > 1);
        sum
    })
}

fn lines<R>(body: impl FnOnce(&mut Vec<Arc<Line>>) -> R) -> R {
    body(&mut LINES.lock().unwrap_or_else(PoisonError::into_inner))
}
