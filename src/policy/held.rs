//! Whether a thread is inside of a bulkhead: what it runs besides must not wait for a permit that it holds itself.

use std::cell::RefCell;
use std::ptr;

use super::contract::Policy;
use crate::panics;
use crate::semaphore::Semaphore;

crate::sync::thread_local! {
    /// The addresses of the semaphores: they stay where they are while they are borrowed.
    static PERMITS: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

/// Whether this thread runs work for which a [`Semaphore`], as a policy, has taken a permit.
///
/// For those who would run a stranger's guarded work on this thread, on top of its own.
pub(crate) fn holds_permits() -> bool {
    PERMITS.with(|held| !held.borrow().is_empty())
}

/// Whether work under that policy would wait now for what this thread holds.
pub(crate) fn would_wait_for_itself<E, P: Policy<E>>(policy: &P) -> bool {
    holds_permits() && panics::catch(|| "a policy", || policy.would_wait_for_itself()).unwrap_or(false)
}

/// Whether so many permits of that semaphore would be waited for now, by a thread that holds some of them itself.
pub(super) fn would_wait_for_own(semaphore: &Semaphore, permits: usize) -> bool {
    PERMITS.with(|held| held.borrow().contains(&ptr::from_ref(semaphore).addr())) && {
        let now = semaphore.snapshot();
        now.available < permits || now.waiting > 0
    }
}

/// This thread is inside of one bulkhead more until it is dropped.
pub(super) struct Held(());

impl Held {
    pub(super) fn enter(semaphore: &Semaphore) -> Self {
        PERMITS.with(|held| held.borrow_mut().push(ptr::from_ref(semaphore).addr()));
        Self(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // They are left in the reverse order: each lives on the stack.
        _ = PERMITS.try_with(|held| held.borrow_mut().pop());
    }
}
