//! What the topics share: the grid, a limit for tests that could hang, counted items, gates.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use gristmill::Report;

/// So long that only a hang reaches it.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// Runs `body` on a thread of its own; panics if it hangs.
#[track_caller]
pub(crate) fn within_limit<R: Send + 'static>(body: impl FnOnce() -> R + Send + 'static) -> R {
    let (done, finished) = mpsc::channel();
    let thread = std::thread::Builder::new()
        .spawn(move || {
            let _ = done.send(body());
        })
        .expect("one thread more");
    match finished.recv_timeout(LIMIT) {
        Ok(value) => value,
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("the run hangs"),
        Err(mpsc::RecvTimeoutError::Disconnected) => std::panic::resume_unwind(thread.join().unwrap_err()),
    }
}

/// Workers and windows: alone, as many as cores, more than cores; nothing to spare, and plenty.
pub(crate) fn grid() -> impl Iterator<Item = (usize, usize)> {
    [1, 2, 4, 16]
        .into_iter()
        .flat_map(|workers| [1, 2, 16, 256, 4096].into_iter().map(move |window| (workers, window)))
}

/// Work that the compiler cannot leave out.
pub(crate) fn grind(rounds: u64) -> u64 {
    (0..rounds).fold(0x9E37_79B9, |state, round| std::hint::black_box((state ^ round).rotate_left(7)))
}

/// Counts the items that exist.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger(Arc<(AtomicUsize, AtomicUsize, AtomicUsize)>);

impl Ledger {
    pub(crate) fn item(&self, number: u64) -> Item {
        self.0.0.fetch_add(1, Ordering::SeqCst);
        let live = self.0.1.fetch_add(1, Ordering::SeqCst) + 1;
        self.0.2.fetch_max(live, Ordering::SeqCst);
        Item { number, ledger: self.clone() }
    }

    /// How many were made.
    pub(crate) fn made(&self) -> usize {
        self.0.0.load(Ordering::SeqCst)
    }

    /// How many exist now.
    pub(crate) fn live(&self) -> usize {
        self.0.1.load(Ordering::SeqCst)
    }

    /// The most that existed at once.
    pub(crate) fn peak(&self) -> usize {
        self.0.2.load(Ordering::SeqCst)
    }
}

/// An item on the heap whose end is counted.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) number: u64,
    ledger: Ledger,
}

impl Drop for Item {
    fn drop(&mut self) {
        self.ledger.0.1.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Hides how many items are left, as `lines()` does: such a source is taken to wait for somebody.
pub(crate) fn vague<I: Iterator>(source: I) -> impl Iterator<Item = I::Item> {
    source.filter(|_| true)
}

/// What leaves a stage comes to the next, and nothing that came is lost count of. `passed` underflows, and panics, if more ended than came.
#[track_caller]
pub(crate) fn counts_close(report: &Report) {
    for pair in report.stages().windows(2) {
        assert_eq!(pair[0].items_out(), pair[1].items_in(), "{report}");
        assert!(pair[1].passed() <= pair[1].items_in(), "{report}");
    }
    let sink = report.stages().last().expect("a pipeline has a sink");
    assert_eq!(sink.passed(), sink.items_out(), "{report}");
}
