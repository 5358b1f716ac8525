//! Threads that borrow from the code that starts them.
//!
//! Shuttle's scope does not wait for its threads when its closure unwinds, and a caught panic would leave them with
//! dangling borrows. So a guard waits for them on that way out. How many are left shows only in the debug form of
//! shuttle's scope; a count of our own would have to be found by the scope, whose type cannot be ours without `unsafe`.

use std::fmt;
use std::io;
use std::sync::Arc;

use super::super::patience;
use super::{Packet, Scope, Thread};

/// Waits for all threads of a scope when its closure unwinds.
struct Guard<'scope, 'env> {
    scope: &'scope Scope<'scope, 'env>,
}

impl Drop for Guard<'_, '_> {
    fn drop(&mut self) {
        while std::thread::panicking() && !format!("{:?}", self.scope).contains("num_running_threads: 0") {
            shuttle::thread::yield_now();
        }
    }
}

/// Runs `run` with a scope, and returns when all threads started in it have ended.
pub fn scope<'env, F, T>(run: F) -> T
where
    F: for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> T,
{
    shuttle::thread::scope(|scope| {
        let _guard = Guard { scope };
        run(scope)
    })
}

/// Waits for a thread of a scope.
pub struct ScopedJoinHandle<'scope, T> {
    inner: shuttle::thread::ScopedJoinHandle<'scope, ()>,
    packet: Arc<Packet<T>>,
    thread: Thread,
}

impl<T> ScopedJoinHandle<'_, T> {
    /// Waits until the thread has ended, its thread locals included.
    ///
    /// # Errors
    /// The thread panicked. Seen only on the way out of a failing execution: a panic that leaves a thread fails it.
    pub fn join(self) -> std::thread::Result<T> {
        self.packet.joiner.block();
        let _ = self.inner.join();
        self.packet.take()
    }

    /// The thread.
    pub fn thread(&self) -> &Thread {
        &self.thread
    }

    /// Whether the thread's closure has ended.
    pub fn is_finished(&self) -> bool {
        patience::switch();
        self.packet.finished.load(std::sync::atomic::Ordering::Relaxed)
    }
}

impl<T> fmt::Debug for ScopedJoinHandle<'_, T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ScopedJoinHandle").field("thread", &self.thread).finish_non_exhaustive()
    }
}

/// See [`Builder::spawn_scoped`](crate::sync::thread::Builder::spawn_scoped).
#[allow(clippy::unnecessary_wraps)] // the same signature in every backend
pub(in crate::sync) fn start_scoped<'scope, F, T>(
    name: Option<String>,
    _stack_size: Option<usize>,
    scope: &'scope Scope<'scope, '_>,
    run: F,
) -> io::Result<ScopedJoinHandle<'scope, T>>
where
    F: FnOnce() -> T + Send + 'scope,
    T: Send + 'scope,
{
    let thread = Thread::new(name);
    let packet = Packet::new();
    let body = {
        let (packet, thread) = (Arc::clone(&packet), thread.clone());
        move || packet.run(thread, run)
    };
    Ok(ScopedJoinHandle { inner: scope.spawn(body), packet, thread })
}
