//! Thread creation that fails on demand, at an exact call. Not part of what ships.
//!
//! The count belongs to the calling thread: tests that run side by side do not disturb each other, and a pool that is
//! built by one thread fails where the test says, whatever its workers do meanwhile.

use std::cell::Cell;
use std::io;

super::thread_local! {
    // How many more calls until the one that fails, or `EVERY`; `None` when none is to fail.
    static CALLS_LEFT: Cell<Option<usize>> = const { Cell::new(None) };
}

/// Every call fails.
const EVERY: usize = usize::MAX;

/// Ends the fault of [`fail_spawn_at`] when dropped.
#[derive(Debug)]
#[must_use = "dropping it ends the fault"]
pub struct SpawnFault {
    // A fault belongs to the thread that asked for it, so it must not be dropped by another.
    not_send: std::marker::PhantomData<*const ()>,
}

impl Drop for SpawnFault {
    fn drop(&mut self) {
        let _ = CALLS_LEFT.try_with(|left| left.set(None));
    }
}

/// Makes the `k`-th thread that this thread starts from now on, counted from 1, fail to be created.
///
/// The call returns an error of kind [`io::ErrorKind::WouldBlock`], which is what the platform's `EAGAIN` maps to.
/// Calls before and after it do their work. A second fault replaces the first.
///
/// # Panics
/// If `k` is 0.
pub fn fail_spawn_at(k: usize) -> SpawnFault {
    assert!(k > 0, "calls are counted from 1");
    CALLS_LEFT.with(|left| left.set(Some(k)));
    SpawnFault { not_send: std::marker::PhantomData }
}

/// Makes every thread that this thread starts from now on fail to be created, as [`fail_spawn_at`] does for one.
pub fn fail_every_spawn() -> SpawnFault {
    fail_spawn_at(EVERY)
}

/// Counts one call that starts a thread; an error if it is the one to fail.
pub(super) fn count_spawn() -> io::Result<()> {
    let now_left = CALLS_LEFT.try_with(|left| {
        if left.get() == Some(EVERY) {
            return Some(0);
        }
        let now_left = left.get().map(|calls| calls - 1);
        left.set(now_left.filter(|calls| *calls > 0));
        now_left
    });
    if matches!(now_left, Ok(Some(0))) {
        return Err(io::Error::new(io::ErrorKind::WouldBlock, "no thread: the test asked for this failure"));
    }
    Ok(())
}

#[cfg(all(test, not(any(gristmill_shuttle, gristmill_loom))))]
mod tests {
    use super::*;
    use crate::sync::thread::{Builder, scope};

    fn start() -> io::Result<()> {
        Builder::new().spawn(|| ()).map(|handle| handle.join().expect("it does not panic"))
    }

    #[test]
    fn only_the_kth_call_fails_and_scoped_calls_count() {
        let _fault = fail_spawn_at(3);
        assert!(start().is_ok());
        scope(|scope| {
            assert!(Builder::new().spawn_scoped(scope, || ()).is_ok());
            let refused = Builder::new().spawn_scoped(scope, || ()).map(drop).unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::WouldBlock);
        });
        assert!(start().is_ok());
    }

    #[test]
    fn every_call_fails_until_the_fault_is_dropped() {
        let fault = fail_every_spawn();
        assert!((0..5).all(|_| start().is_err()));
        drop(fault);
        assert!(start().is_ok());
    }

    #[test]
    fn dropped_fault_fails_nothing() {
        drop(fail_spawn_at(1));
        assert!(start().is_ok());
    }

    #[test]
    fn fault_belongs_to_the_calling_thread() {
        let _fault = fail_spawn_at(2);
        let other = Builder::new().spawn(|| (start().is_ok(), start().is_ok())).expect("the first call");
        assert_eq!(other.join().expect("it does not panic"), (true, true));
        assert!(start().is_err());
    }
}
