//! Whether a thread is inside of a bulkhead: what it runs besides must not wait for a permit that it holds itself.

use std::cell::Cell;

crate::sync::thread_local! {
    static PERMITS: Cell<usize> = const { Cell::new(0) };
}

/// Whether this thread runs work for which a [`Semaphore`](crate::semaphore::Semaphore), as a policy, has taken a permit.
///
/// For those who would run a stranger's guarded work on this thread, on top of its own.
pub(crate) fn holds_permits() -> bool {
    PERMITS.with(Cell::get) > 0
}

/// This thread is inside of one bulkhead more until it is dropped.
pub(super) struct Held(());

impl Held {
    pub(super) fn enter() -> Self {
        PERMITS.with(|permits| permits.set(permits.get() + 1));
        Self(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        PERMITS.with(|permits| permits.set(permits.get() - 1));
    }
}
