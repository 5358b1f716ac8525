//! What whoever waits and what is waited for owe each other.

use std::fmt;

use super::inbox::Signal;
use crate::sync::time::Instant;

/// What [`Waitable::help`] did.
///
/// ```
/// use gristmill::waitable::ready;
/// use gristmill::{Help, Waitable};
///
/// let done = ready(42);
/// assert!(matches!(done.help(), Help::Nothing)); // nothing that a waiter could run
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Help {
    /// Something, which may have ended it. Ask again.
    Helped,
    /// Nothing, and it will not be otherwise on this thread: it is over, or others work on it.
    Nothing,
    /// Nothing for the moment. Ask again when this thread has been unparked, or at that instant of the system's clock. All handles that answer
    /// this are asked each time, so it is for those that have to.
    Later(Option<Instant>),
}

/// Something that ends once, with an output, and can be waited for together with others.
///
/// [`TaskHandle`](crate::TaskHandle) and [`Timer`](crate::Timer) are. The trait is open, so that handles of your own can stand among them; it asks for no
/// thread and no clock. It can be made into an object: `Box<dyn Waitable<Output = O>>` is waitable, for sets of different kinds.
///
/// # The protocol
/// 1. [`is_finished`](Self::is_finished) turns true once and stays so. From then on [`take`](Self::take) gives the output, once.
/// 2. A signal left by [`watch`](Self::watch) is [sent](Signal::send) once it has ended: when `is_finished` answers true, and not before. If it has
///    ended already, `watch` sends it at once. A signal that is kept and never sent is a wait that never ends; one that is dropped unsent before
///    the end is a wait that panics once nothing else is left to wait for.
/// 3. Only the last signal counts; an earlier one, and the one there at [`unwatch`](Self::unwatch), is dropped. So a handle is waited for in one
///    place at a time.
/// 4. A panic of `take` (of a function given to [`map`](Self::map), say) ends the wait that called it, as each combinator says.
/// 5. A [`stamp`](Self::stamp) that is there stays as it is. Handles whose stamps are not known when they are watched end in the order of their
///    stamps, each with its signal sent before the next one ends; and with larger stamps than any that was known.
///
/// No lock of the waiting side is held while any of these is called.
///
/// # Examples
/// A promise that somebody keeps:
///
/// ```
/// use std::sync::{Arc, Mutex};
/// use gristmill::combine::wait_all;
/// use gristmill::{Signal, Waitable};
///
/// #[derive(Clone, Default)]
/// struct Promise(Arc<Mutex<(Option<u32>, Option<Signal>)>>);
///
/// impl Promise {
///     fn keep(&self, value: u32) {
///         let signal = {
///             let mut inner = self.0.lock().unwrap();
///             inner.0 = Some(value);
///             inner.1.take()
///         };
///         if let Some(signal) = signal {
///             signal.send();
///         }
///     }
/// }
///
/// impl Waitable for Promise {
///     type Output = u32;
///     fn is_finished(&self) -> bool {
///         self.0.lock().unwrap().0.is_some()
///     }
///     fn watch(&self, signal: Signal) {
///         let mut inner = self.0.lock().unwrap();
///         if inner.0.is_none() {
///             inner.1 = Some(signal);
///         } else {
///             drop(inner);
///             signal.send();
///         }
///     }
///     fn unwatch(&self) {
///         self.0.lock().unwrap().1 = None;
///     }
///     fn take(&mut self) -> Option<u32> {
///         self.0.lock().unwrap().0
///     }
/// }
///
/// let promises = [Promise::default(), Promise::default()];
/// let keeper = promises.clone();
/// std::thread::spawn(move || keeper.iter().zip([1, 2]).for_each(|(promise, value)| promise.keep(value)));
/// assert_eq!(wait_all(promises), [1, 2]);
/// ```
pub trait Waitable {
    /// What it ends with.
    type Output;

    /// Whether it has ended, in whatever way.
    fn is_finished(&self) -> bool;

    /// Has `signal` sent when it ends; at once if it has. An earlier signal is dropped.
    fn watch(&self, signal: Signal);

    /// Drops the signal. One that is being sent meanwhile may still arrive.
    fn unwatch(&self);

    /// The output, once it has ended; `None` before, and after it was taken.
    fn take(&mut self) -> Option<Self::Output>;

    /// Asks it to end early, where it can; without effect once it has ended.
    #[track_caller]
    fn cancel(&self) {}

    /// Its place in an order of completion that outlasts the process, as soon as that is known: perhaps long before it has ended, or with its end.
    ///
    /// Waits for several report those with a stamp in the order of the stamps: one that was known from the start holds back those with larger ones
    /// until it has ended. Handles without one are reported as they end.
    fn stamp(&self) -> Option<u64> {
        None
    }

    /// Does some of its work on the calling thread, which has nothing to do until it ends.
    ///
    /// This is what keeps workers of a pool that wait for their own pool from waiting for ever.
    fn help(&self) -> Help {
        Help::Nothing
    }

    /// The same with its output put through `map`, on the thread that takes it.
    fn map<F, T>(self, map: F) -> Mapped<Self, F>
    where
        Self: Sized,
        F: FnOnce(Self::Output) -> T,
    {
        Mapped { inner: self, map: Some(map) }
    }
}

impl<W: Waitable + ?Sized> Waitable for Box<W> {
    type Output = W::Output;

    fn is_finished(&self) -> bool {
        (**self).is_finished()
    }

    fn watch(&self, signal: Signal) {
        (**self).watch(signal);
    }

    fn unwatch(&self) {
        (**self).unwatch();
    }

    fn take(&mut self) -> Option<Self::Output> {
        (**self).take()
    }

    #[track_caller]
    fn cancel(&self) {
        (**self).cancel();
    }

    fn stamp(&self) -> Option<u64> {
        (**self).stamp()
    }

    fn help(&self) -> Help {
        (**self).help()
    }
}

/// A waitable with its output put through a function: what [`Waitable::map`] gives.
///
/// ```
/// use gristmill::{ThreadPool, Waitable};
/// use gristmill::combine::wait_all;
///
/// let pool = ThreadPool::new()?;
/// let text = pool.submit(|| 42)?.map(|end| end.map(|n| n.to_string()));
/// let other = pool.submit(|| "43")?.map(|end| end.map(str::to_owned));
/// assert_eq!(text.into_inner().wait()?, 42); // the handle as it was
/// assert_eq!(wait_all([other]).remove(0)?, "43");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "dropping it drops the handle in it"]
pub struct Mapped<W, F> {
    inner: W,
    map: Option<F>,
}

impl<W, F> Mapped<W, F> {
    /// The waitable without the function.
    pub fn into_inner(self) -> W {
        self.inner
    }
}

impl<W: Waitable, T, F: FnOnce(W::Output) -> T> Waitable for Mapped<W, F> {
    type Output = T;

    fn is_finished(&self) -> bool {
        self.inner.is_finished()
    }

    fn watch(&self, signal: Signal) {
        self.inner.watch(signal);
    }

    fn unwatch(&self) {
        self.inner.unwatch();
    }

    fn take(&mut self) -> Option<T> {
        let output = self.inner.take()?;
        self.map.take().map(|map| map(output))
    }

    #[track_caller]
    fn cancel(&self) {
        self.inner.cancel();
    }

    fn stamp(&self) -> Option<u64> {
        self.inner.stamp()
    }

    fn help(&self) -> Help {
        self.inner.help()
    }
}

impl<W: fmt::Debug, F> fmt::Debug for Mapped<W, F> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Mapped").field(&self.inner).finish()
    }
}
