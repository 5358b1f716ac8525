//! Shuttle's tasks as threads.
//!
//! The order in which a thread ends: its closure returns, its result is stored, it is finished.

use std::any::Any;
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

pub use shuttle::thread::{Scope, yield_now};
pub use std::thread::panicking;

use super::execution;
use super::patience;
use super::time;
use super::waiter::Waiter;

mod scoped;
pub(in crate::sync) use scoped::start_scoped;
pub use scoped::{ScopedJoinHandle, scope};

/// The number of cores that the model pretends to have.
const CORES: usize = 2;

/// The number of cores: the same on every machine, so that a seed means the same everywhere.
pub fn available_cores() -> usize {
    CORES
}

/// The number of physical cores: the same on every machine.
pub fn physical_cores() -> usize {
    CORES
}

/// Tells threads of one execution apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ThreadId(u64);

#[derive(Debug)]
struct Inner {
    id: ThreadId,
    name: Option<String>,
    parker: Waiter,
}

/// A handle to a thread.
#[derive(Clone, Debug)]
pub struct Thread {
    inner: Arc<Inner>,
}

impl Thread {
    fn new(name: Option<String>) -> Self {
        let id = execution::current()
            .map_or(0, |execution| execution.next_thread.fetch_add(1, Ordering::Relaxed) + 1);
        Self { inner: Arc::new(Inner { id: ThreadId(id), name, parker: Waiter::default() }) }
    }

    /// Lets the thread's next or present [`park`] return.
    pub fn unpark(&self) {
        patience::switch();
        self.inner.parker.notify();
    }

    /// The thread's number in this execution.
    pub fn id(&self) -> ThreadId {
        self.inner.id
    }

    /// The thread's name.
    pub fn name(&self) -> Option<&str> {
        self.inner.name.as_deref()
    }
}

crate::sync::thread_local! {
    static CURRENT: std::cell::OnceCell<Thread> = std::cell::OnceCell::new();
}

/// The thread that asks.
pub fn current() -> Thread {
    CURRENT
        .try_with(|thread| thread.get_or_init(|| Thread::new(None)).clone())
        // The thread is being torn down: a handle that nobody else has.
        .unwrap_or_else(|_| Thread::new(None))
}

/// Waits for [`Thread::unpark`]; may return without it.
pub fn park() {
    park_to(None);
}

/// [`park`], at most for `timeout`; one too long for the clock is none.
pub fn park_timeout(timeout: Duration) {
    park_to(time::now().checked_add(timeout).map(|deadline| (deadline, timeout)));
}

fn park_to(limit: Option<(Instant, Duration)>) {
    let thread = current();
    let parker = &thread.inner.parker;
    if limit.is_some_and(|(_, timeout)| timeout.is_zero()) {
        patience::switch();
    } else {
        patience::wait(parker, limit.map(|(deadline, _)| deadline));
    }
    parker.take_notification();
}

/// What a thread leaves for whoever joins it.
#[derive(Debug)]
struct Packet<T> {
    result: Mutex<Option<T>>,
    finished: AtomicBool,
    joiner: Waiter,
}

/// Marks the end of a thread, also when it unwinds.
struct Finish<T>(Arc<Packet<T>>);

impl<T> Drop for Finish<T> {
    fn drop(&mut self) {
        self.0.finished.store(true, Ordering::Relaxed);
        self.0.joiner.notify();
    }
}

impl<T> Packet<T> {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            result: Mutex::new(None),
            finished: AtomicBool::new(false),
            joiner: Waiter::default(),
        })
    }

    /// The body of the thread that leaves this packet.
    fn run(self: Arc<Self>, thread: Thread, run: impl FnOnce() -> T) {
        let finish = Finish(self);
        CURRENT.with(|current| {
            let _ = current.set(thread);
        });
        let result = run();
        *finish.0.result.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
    }

    fn take(&self) -> Result<T, Box<dyn Any + Send>> {
        let result = self.result.lock().unwrap_or_else(PoisonError::into_inner).take();
        result.ok_or_else(|| Box::new("the thread panicked, which fails the execution") as _)
    }
}

/// Waits for a thread; dropping it leaves the thread running.
pub struct JoinHandle<T> {
    inner: shuttle::thread::JoinHandle<()>,
    packet: Arc<Packet<T>>,
    thread: Thread,
}

impl<T> JoinHandle<T> {
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
        self.packet.finished.load(Ordering::Relaxed)
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("JoinHandle").field("thread", &self.thread).finish_non_exhaustive()
    }
}

/// See [`Builder::spawn`](crate::sync::thread::Builder::spawn). Stack sizes are the runner's affair.
pub(in crate::sync) fn start<F, T>(
    name: Option<String>,
    _stack_size: Option<usize>,
    run: F,
) -> io::Result<JoinHandle<T>>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let mut builder = shuttle::thread::Builder::new();
    if let Some(name) = &name {
        builder = builder.name(name.clone());
    }
    let thread = Thread::new(name);
    let packet = Packet::new();
    let body = {
        let (packet, thread) = (Arc::clone(&packet), thread.clone());
        move || packet.run(thread, run)
    };
    Ok(JoinHandle { inner: builder.spawn(body)?, packet, thread })
}
