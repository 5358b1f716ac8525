//! Loom's threads. Scopes exist so that library code compiles, and start nothing.

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use loom::sync::atomic::{AtomicBool, Ordering};
pub use loom::thread::{ThreadId, yield_now};
pub use std::thread::panicking;

use super::parker::Parker;

/// The number of cores that the model pretends to have.
const CORES: usize = 2;

/// The number of cores: the same on every machine.
pub fn available_cores() -> usize {
    CORES
}

/// The number of physical cores: the same on every machine.
pub fn physical_cores() -> usize {
    CORES
}

/// A handle to a thread.
#[derive(Clone)]
pub struct Thread {
    inner: loom::thread::Thread,
    parker: Arc<Parker>,
}

impl Thread {
    /// Lets the thread's next or present [`park`] return.
    pub fn unpark(&self) {
        self.parker.unpark();
    }

    /// The thread's identity.
    pub fn id(&self) -> ThreadId {
        self.inner.id()
    }

    /// The thread's name.
    pub fn name(&self) -> Option<&str> {
        self.inner.name()
    }
}

impl fmt::Debug for Thread {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.inner, formatter)
    }
}

loom::thread_local! {
    // Made before the thread it belongs to is, where this module starts the thread.
    static PARKER: std::cell::OnceCell<Arc<Parker>> = std::cell::OnceCell::new();
}

/// The thread that asks.
pub fn current() -> Thread {
    // The parker's parts are loom objects: they are made outside of the access to the thread local.
    let known = PARKER.with(|parker| parker.get().cloned());
    let parker = known.unwrap_or_else(|| {
        let made = Arc::new(Parker::new());
        PARKER.with(|parker| Arc::clone(parker.get_or_init(|| made)))
    });
    Thread { inner: loom::thread::current(), parker }
}

/// Waits for [`Thread::unpark`].
pub fn park() {
    current().parker.park();
}

/// [`park`], since loom has no time-outs; but one of zero only takes the token if it is there.
pub fn park_timeout(timeout: Duration) {
    if timeout.is_zero() {
        current().parker.poll();
    } else {
        park();
    }
}

/// Waits for a thread; dropping it leaves the thread running.
pub struct JoinHandle<T> {
    inner: loom::thread::JoinHandle<T>,
    finished: Arc<AtomicBool>,
    thread: Thread,
}

impl<T> JoinHandle<T> {
    /// Waits until the thread has ended.
    ///
    /// # Errors
    /// Never: a panic that leaves a thread fails the model.
    pub fn join(self) -> std::thread::Result<T> {
        self.inner.join()
    }

    /// The thread.
    pub fn thread(&self) -> &Thread {
        &self.thread
    }

    /// Whether the thread's closure has ended.
    pub fn is_finished(&self) -> bool {
        // Pairs with the release store at the end of the thread: what the closure did is visible.
        self.finished.load(Ordering::Acquire)
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("JoinHandle").field("thread", &self.thread).finish_non_exhaustive()
    }
}

/// See [`Builder::spawn`](crate::sync::thread::Builder::spawn). Stack sizes are loom's affair.
pub(in crate::sync) fn start<F, T>(
    name: Option<String>,
    _stack_size: Option<usize>,
    run: F,
) -> io::Result<JoinHandle<T>>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let mut builder = loom::thread::Builder::new();
    if let Some(name) = name {
        builder = builder.name(name);
    }
    let finished = Arc::new(AtomicBool::new(false));
    let parker = Arc::new(Parker::new());
    let body = {
        let (finished, parker) = (Arc::clone(&finished), Arc::clone(&parker));
        move || {
            PARKER.with(|own| {
                let _ = own.set(parker);
            });
            let result = run();
            // Pairs with the acquire load of `is_finished`.
            finished.store(true, Ordering::Release);
            result
        }
    };
    let inner = builder.spawn(body)?;
    let thread = Thread { inner: inner.thread().clone(), parker };
    Ok(JoinHandle { inner, finished, thread })
}

/// A scope that starts nothing.
#[derive(Debug)]
pub struct Scope<'scope, 'env: 'scope> {
    scope: PhantomData<&'scope mut &'scope ()>,
    env: PhantomData<&'env mut &'env ()>,
}

/// Runs `run` with a scope in which no thread can be started.
pub fn scope<'env, F, T>(run: F) -> T
where
    F: for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> T,
{
    run(&Scope { scope: PhantomData, env: PhantomData })
}

/// Of this type there is no value: loom has no scoped threads.
pub struct ScopedJoinHandle<'scope, T> {
    never: Infallible,
    result: PhantomData<(&'scope (), T)>,
}

impl<T> ScopedJoinHandle<'_, T> {
    /// Cannot be called.
    ///
    /// # Errors
    /// Never.
    pub fn join(self) -> std::thread::Result<T> {
        match self.never {}
    }

    /// Cannot be called.
    pub fn thread(&self) -> &Thread {
        match self.never {}
    }

    /// Cannot be called.
    pub fn is_finished(&self) -> bool {
        match self.never {}
    }
}

impl<T> fmt::Debug for ScopedJoinHandle<'_, T> {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.never {}
    }
}

/// See [`Builder::spawn_scoped`](crate::sync::thread::Builder::spawn_scoped): always refuses.
pub(in crate::sync) fn start_scoped<'scope, F, T>(
    _name: Option<String>,
    _stack_size: Option<usize>,
    _scope: &'scope Scope<'scope, '_>,
    _run: F,
) -> io::Result<ScopedJoinHandle<'scope, T>>
where
    F: FnOnce() -> T + Send + 'scope,
    T: Send + 'scope,
{
    Err(io::Error::new(io::ErrorKind::Unsupported, "loom has no scoped threads"))
}
