//! Whether a thread is inside of a bulkhead: what it runs besides must not wait for a permit that it holds itself.

use std::cell::RefCell;
use std::ptr;

use super::contract::Policy;
use crate::panics;
use crate::semaphore::Semaphore;

crate::sync::thread_local! {
    /// The addresses of the semaphores: they stay where they are while they are borrowed. Where the thread's locals are being destroyed nobody is inside: the
    /// destructor of another one may run work, and must not panic.
    static PERMITS: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

/// Whether this thread runs work for which a [`Semaphore`], as a policy, has taken a permit.
///
/// For those who would run a stranger's guarded work on this thread, on top of its own.
pub(crate) fn holds_permits() -> bool {
    PERMITS.try_with(|held| !held.borrow().is_empty()).unwrap_or(false)
}

/// Whether work under that policy would wait now for what this thread holds.
pub(crate) fn would_wait_for_itself<E, P: Policy<E>>(policy: &P) -> bool {
    holds_permits() && panics::catch(|| "a policy", || policy.would_wait_for_itself()).unwrap_or(false)
}

/// Whether so many permits of that semaphore would be waited for now, by a thread that holds some of them itself.
pub(super) fn would_wait_for_own(semaphore: &Semaphore, permits: usize) -> bool {
    let address = ptr::from_ref(semaphore).addr();
    PERMITS.try_with(|held| held.borrow().contains(&address)).unwrap_or(false) && {
        let now = semaphore.snapshot();
        // The others are answered at once.
        let is_waited_for = permits > 0 && permits <= now.capacity && !now.is_closed;
        is_waited_for && (now.available < permits || now.waiting > 0)
    }
}

/// This thread is inside of one bulkhead more until it is dropped.
pub(super) struct Held(());

impl Held {
    pub(super) fn enter(semaphore: &Semaphore) -> Self {
        _ = PERMITS.try_with(|held| held.borrow_mut().push(ptr::from_ref(semaphore).addr()));
        Self(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // They are left in the reverse order: each lives on the stack.
        _ = PERMITS.try_with(|held| held.borrow_mut().pop());
    }
}
