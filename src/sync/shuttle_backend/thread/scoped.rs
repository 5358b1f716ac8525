//! Threads that borrow from the code that starts them.
//!
//! Shuttle's scope does not wait for its threads when its closure unwinds, and a caught panic would leave them with
//! dangling borrows. So every open scope counts its threads here, and a guard waits for them on both ways out. The
//! count is found by the scope's address: the scope's type is shuttle's, because a scope of one's own would need
//! `unsafe` to live long enough.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::super::waiter::Waiter;
use super::super::{execution, patience};
use super::{Packet, Scope, Thread};

#[derive(Debug, Default)]
struct Count {
    threads: usize,
    // Present while the scope waits for the last thread.
    last: Option<Arc<Waiter>>,
}

/// The threads of one open scope.
#[derive(Debug, Default)]
pub(in super::super) struct Live {
    count: Mutex<Count>,
}

impl Live {
    fn count(&self) -> MutexGuard<'_, Count> {
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait(&self) {
        let last = Arc::new(Waiter::default());
        {
            let mut count = self.count();
            if count.threads == 0 {
                return;
            }
            count.last = Some(Arc::clone(&last));
        }
        last.block();
    }
}

/// One thread of a scope; uncounted when it has ended.
struct Counted(Arc<Live>);

impl Counted {
    fn new(live: Arc<Live>) -> Self {
        live.count().threads += 1;
        Self(live)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut count = self.0.count();
        count.threads -= 1;
        if count.threads == 0 {
            if let Some(last) = count.last.take() {
                last.notify();
            }
        }
    }
}

fn scopes() -> MutexGuard<'static, std::collections::BTreeMap<usize, Arc<Live>>> {
    let execution = execution::current().expect("scopes are opened inside an execution");
    execution.scopes.lock().unwrap_or_else(PoisonError::into_inner)
}

fn address(scope: &Scope<'_, '_>) -> usize {
    std::ptr::from_ref(scope).addr()
}

/// Waits for all threads of a scope when its closure has returned or unwinds.
struct Guard<'scope, 'env> {
    scope: &'scope Scope<'scope, 'env>,
    live: Arc<Live>,
}

impl<'scope, 'env> Guard<'scope, 'env> {
    fn new(scope: &'scope Scope<'scope, 'env>) -> Self {
        let live = Arc::new(Live::default());
        scopes().insert(address(scope), Arc::clone(&live));
        Self { scope, live }
    }
}

impl Drop for Guard<'_, '_> {
    fn drop(&mut self) {
        self.live.wait();
        scopes().remove(&address(self.scope));
        // Shuttle waits for the last steps of its threads only when the closure returned; they still use the scope.
        // Its debug form is the only way to see how many there are.
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
        let _guard = Guard::new(scope);
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
    let live = scopes().get(&address(scope)).cloned().expect("the scope is open");
    let counted = Counted::new(live);
    let thread = Thread::new(name);
    let packet = Packet::new();
    let body = {
        let (packet, thread) = (Arc::clone(&packet), thread.clone());
        move || {
            let _counted = counted;
            packet.run(thread, run);
        }
    };
    Ok(ScopedJoinHandle { inner: scope.spawn(body), packet, thread })
}
