//! Catching panics: the only module that catches or resumes an unwind.
//!
//! A panic in a task, a stage, a hook or a callback is caught at its edge and becomes a [`Panic`]: a value that keeps
//! the payload, the text, the name of what ran and the source location. The thread that ran it lives on.
//!
//! The location is known only to the process's panic hook, so the first pool or pipeline installs one that notes the
//! location and then calls the hook that was there before. A hook that the program installs later replaces it: the
//! location is then absent, and nothing else changes.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::mem;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

use crate::sync::Mutex;

/// Where a panic happened.
///
/// ```
/// use gristmill::{TaskError, ThreadPool};
///
/// let pool = ThreadPool::new()?;
/// let line = line!() + 1;
/// let task = pool.submit(|| panic!("no flour"))?;
/// let Err(TaskError::Panicked(panic)) = task.wait() else { unreachable!("it panics") };
/// let location = panic.location().expect("the pool keeps it");
/// assert_eq!((location.file(), location.line()), (file!(), line));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PanicLocation {
    file: String,
    line: u32,
    column: u32,
}

impl PanicLocation {
    /// The source file, as the compiler named it.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The line, from 1.
    pub fn line(&self) -> u32 {
        self.line
    }

    /// The column, from 1.
    pub fn column(&self) -> u32 {
        self.column
    }
}

impl fmt::Display for PanicLocation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// A caught panic: payload, text, name of what ran, and location.
///
/// It is an [`Error`](std::error::Error), `Send` and `Sync`. To go on panicking instead, call [`Panic::resume`]. Dropping it never panics: if the drop of
/// the payload does, that goes to the panic hook and no further.
///
/// ```
/// use gristmill::{TaskError, ThreadPool};
///
/// let pool = ThreadPool::new()?;
/// let task = pool.task().name("grind").submit(|_| std::panic::panic_any(42))?;
/// let Err(TaskError::Panicked(panic)) = task.wait() else { unreachable!("it panics") };
/// assert_eq!(panic.name(), "grind");
/// assert_eq!(panic.into_payload().downcast_ref(), Some(&42));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Panic(
    // In a box: results carry it by value, and most of them are not one.
    Box<Caught>,
);

struct Caught {
    name: String,
    message: String,
    location: Option<PanicLocation>,
    // Payloads are `Send` only; the lock makes the whole `Sync`, so that errors holding it pass through `?`.
    payload: Mutex<Payload>,
}

struct Payload(Box<dyn Any + Send>);

impl Payload {
    fn take(&mut self) -> Box<dyn Any + Send> {
        mem::replace(&mut self.0, Box::new(()))
    }
}

/// A payload is the user's, and its drop may panic as well. Panics are dropped by workers, by the helper of the deadlines, by the committer of a journal and
/// in the midst of protocols, and each of them would have to think of it: so it ends here.
impl Drop for Payload {
    fn drop(&mut self) {
        let mut payload = self.take();
        for _ in 0..2 {
            match panic::catch_unwind(AssertUnwindSafe(|| drop(payload))) {
                Ok(()) => return,
                Err(again) => payload = again,
            }
        }
        mem::forget(payload); // it would only go on like that
    }
}

impl Panic {
    fn new(name: &str, payload: Box<dyn Any + Send>, location: Option<PanicLocation>) -> Self {
        let message = if let Some(text) = payload.downcast_ref::<&'static str>() {
            (*text).to_owned()
        } else if let Some(text) = payload.downcast_ref::<String>() {
            text.clone()
        } else {
            "a payload that is not text".to_owned()
        };
        let (name, payload) = (name.to_owned(), Mutex::new(Payload(payload)));
        Self(Box::new(Caught { name, message, location, payload }))
    }

    /// The name of the task, stage or callback that panicked.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The panic's text; a fixed phrase if the payload is not text.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Where it panicked; `None` if the program replaced the panic hook after the first pool or pipeline started.
    pub fn location(&self) -> Option<&PanicLocation> {
        self.0.location.as_ref()
    }

    /// The payload given to `panic!` or `panic_any`.
    pub fn into_payload(mut self) -> Box<dyn Any + Send> {
        self.0.payload.get_mut().take()
    }

    /// Takes the payload out into a panic of its own, for a later [`resume`](Self::resume); text, name and location stay here, too.
    pub(crate) fn split_payload(&mut self) -> Self {
        let payload = Mutex::new(Payload(self.0.payload.get_mut().take()));
        let Caught { name, message, location, .. } = &*self.0;
        let (name, message, location) = (name.clone(), message.clone(), location.clone());
        Self(Box::new(Caught { name, message, location, payload }))
    }

    /// Goes on unwinding with the original payload, without calling the panic hook again.
    ///
    /// # Panics
    /// Always: that is what it does.
    pub fn resume(self) -> ! {
        panic::resume_unwind(self.into_payload())
    }
}

impl fmt::Debug for Panic {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Panic")
            .field("name", &self.0.name)
            .field("message", &self.0.message)
            .field("location", &self.0.location)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Panic {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} panicked", self.0.name)?;
        if let Some(location) = &self.0.location {
            write!(formatter, " at {location}")?;
        }
        write!(formatter, ": {}", self.0.message)
    }
}

// What holds it is as safe as one without: the payload can only be taken out of it, or be thrown again.
impl panic::UnwindSafe for Panic {}
impl panic::RefUnwindSafe for Panic {}

impl std::error::Error for Panic {}

crate::sync::thread_local! {
    // Which `catch` call this thread is inside of: the hook notes locations only for panics that we will catch.
    static INSIDE: Inside = const { Inside { current: Cell::new(0), last: Cell::new(0) } };
    // The location of the last panic, and the call in which it was.
    static LOCATION: RefCell<Option<(u64, PanicLocation)>> = const { RefCell::new(None) };
}

/// The `catch` calls of one thread, numbered from 1; 0 is none.
struct Inside {
    current: Cell<u64>,
    last: Cell<u64>,
}

impl Inside {
    /// Begins a call; its number, and that of the one around it.
    fn enter(&self) -> (u64, u64) {
        let me = self.last.get() + 1;
        self.last.set(me);
        (me, self.current.replace(me))
    }
}

/// Makes panics caught from now on carry their location. Called by whatever starts threads.
pub(crate) fn note_locations() {
    static INSTALL: Once = Once::new();
    if crate::sync::thread::panicking() {
        return; // the hook cannot be changed from a panicking thread
    }
    if cfg!(gristmill_loom) {
        return; // loom's thread locals cannot be asked outside of a model, and the hook runs there too
    }
    INSTALL.call_once(|| {
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let inside = INSIDE.try_with(|inside| inside.current.get()).unwrap_or(0);
            if inside > 0 {
                let location = info.location().map(|at| {
                    let file = at.file().to_owned();
                    (inside, PanicLocation { file, line: at.line(), column: at.column() })
                });
                let _ = LOCATION.try_with(|noted| noted.replace(location));
            }
            previous(info);
        }));
    });
}

/// Runs `body`; a panic becomes a [`Panic`] that carries the name which `name` gives.
///
/// State that `body` borrows may be left half-changed by a panic: callers drop it or do not look at it again.
pub(crate) fn catch<R, N: AsRef<str>>(
    name: impl FnOnce() -> N,
    body: impl FnOnce() -> R,
) -> Result<R, Panic> {
    // `try_with`: a thread-local's destructor may run tasks while the others are gone already.
    let (me, around) = INSIDE.try_with(Inside::enter).unwrap_or((0, 0));
    let outcome = panic::catch_unwind(AssertUnwindSafe(body));
    let _ = INSIDE.try_with(|inside| inside.current.set(around));
    outcome.map_err(|payload| {
        // A panic that the user caught in an earlier call has left its location there; it is not that of this one.
        let noted = LOCATION.try_with(|noted| noted.borrow_mut().take()).ok().flatten();
        let location = noted.and_then(|(call, location)| (call == me).then_some(location));
        Panic::new(name().as_ref(), payload, location)
    })
}

/// Drops what belongs to the user; a panic goes to the panic hook and no further.
pub(crate) fn drop_quietly<T>(value: T) {
    let _ = catch(|| "drop", || drop(value));
}

/// Drops values of the user's one by one, each in spite of what the others do: where two destructors panic, dropping what holds them whole would end the
/// process. Gives the first panic; the others go to the panic hook and no further.
pub(crate) fn drop_each<T>(values: impl IntoIterator<Item = T>) -> Result<(), Panic> {
    let mut values = values.into_iter();
    let mut dropped = Ok(());
    // Where all goes well there is nothing: that costs nothing.
    if values.size_hint() == (0, Some(0)) {
        return dropped;
    }
    loop {
        match catch(|| "drop", || values.by_ref().for_each(drop)) {
            Ok(()) => return dropped,
            Err(panic) => dropped = dropped.and(Err(panic)),
        }
    }
}

/// As [`drop_each`], where nobody is to hear of the first panic either.
pub(crate) fn drop_each_quietly<T>(values: impl IntoIterator<Item = T>) {
    let _ = drop_each(values);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caught_panic_keeps_text_name_location_and_payload() {
        note_locations();
        let line = line!() + 1;
        let panic = catch(|| "grind", || panic!("stone {}", std::hint::black_box(7))).unwrap_err();
        assert_eq!((panic.name(), panic.message()), ("grind", "stone 7"));
        let location = panic.location().expect("the hook was installed");
        assert!(location.file().ends_with("panics.rs"));
        assert_eq!(location.line(), line);
        assert!(panic.to_string().starts_with("grind panicked at "));
        assert_eq!(panic.into_payload().downcast_ref::<String>().map(String::as_str), Some("stone 7"));
    }

    #[test]
    fn payload_that_is_not_text_comes_back_whole() {
        let panic = catch(|| "grind", || std::panic::panic_any(42_u64)).unwrap_err();
        assert_eq!(panic.message(), "a payload that is not text");
        assert_eq!(panic.into_payload().downcast_ref::<u64>(), Some(&42));
    }

    #[test]
    fn resumed_panic_has_the_original_payload() {
        let panic = catch(|| "grind", || std::panic::panic_any(42_u64)).unwrap_err();
        let payload = std::panic::catch_unwind(AssertUnwindSafe(|| panic.resume())).unwrap_err();
        assert_eq!(payload.downcast_ref::<u64>(), Some(&42));
    }

    #[test]
    #[cfg_attr(miri, ignore = "what panics again is given up, and its memory with it")]
    fn quiet_drop_keeps_a_payload_that_panics_in_its_own_drop_to_itself() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                if !crate::sync::thread::panicking() {
                    panic::panic_any(Bomb);
                }
            }
        }
        drop_quietly(Bomb);
        drop(catch(|| "grind", || panic::panic_any(Bomb)));
    }

    #[test]
    fn each_of_several_values_is_dropped_whichever_panic() {
        struct Counted<'a>(&'a Cell<u32>);
        impl Drop for Counted<'_> {
            fn drop(&mut self) {
                self.0.set(self.0.get() + 1);
                assert!(self.0.get() % 2 == 0, "{}", self.0.get());
            }
        }
        let count = Cell::new(0);
        let values = |number| (0..number).map(|_| Counted(&count)).collect::<Vec<_>>();
        let panic = drop_each(values(5)).unwrap_err();
        assert_eq!((panic.message(), count.get()), ("1", 5));
        drop_each(values(1)).expect("the sixth");
        drop_each_quietly(values(4));
        assert_eq!(count.get(), 10);
    }

    #[test]
    fn location_of_an_earlier_panic_is_not_reused() {
        note_locations();
        let _ = catch(|| "first", || panic!("one"));
        let resumed = catch(|| "second", || std::panic::resume_unwind(Box::new("two"))).unwrap_err();
        assert_eq!(resumed.location(), None, "resume_unwind does not call the hook");
    }

    #[test]
    fn location_of_a_panic_that_the_user_caught_is_not_that_of_a_later_one() {
        note_locations();
        let handled = catch(|| "first", || drop(panic::catch_unwind(|| panic!("handled"))));
        assert!(handled.is_ok());
        let resumed = catch(|| "second", || panic::resume_unwind(Box::new("other"))).unwrap_err();
        assert_eq!(resumed.location(), None);
        let again = catch(
            || "third",
            || {
                let payload = panic::catch_unwind(|| panic!("caught, and gone on with")).unwrap_err();
                panic::resume_unwind(payload)
            },
        );
        assert!(again.unwrap_err().location().is_some());
    }
}
