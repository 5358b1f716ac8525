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
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

use crate::sync::Mutex;

/// Where a panic happened.
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
/// It is an [`Error`](std::error::Error), `Send` and `Sync`. To go on panicking instead, call [`Panic::resume`].
pub struct Panic(
    // In a box: results carry it by value, and most of them are not one.
    Box<Caught>,
);

struct Caught {
    name: String,
    message: String,
    location: Option<PanicLocation>,
    // Payloads are `Send` only; the lock makes the whole `Sync`, so that errors holding it pass through `?`.
    payload: Mutex<Box<dyn Any + Send>>,
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
        let (name, payload) = (name.to_owned(), Mutex::new(payload));
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
    pub fn into_payload(self) -> Box<dyn Any + Send> {
        self.0.payload.into_inner()
    }

    /// Takes the payload out into a panic of its own, for a later [`resume`](Self::resume); text, name and location stay here, too.
    pub(crate) fn split_payload(&mut self) -> Self {
        let nothing: Box<dyn Any + Send> = Box::new(());
        let payload = Mutex::new(std::mem::replace(self.0.payload.get_mut(), nothing));
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
    if let Err(panic) = catch(|| "drop", || drop(value)) {
        // The payload may panic in its own drop; whatever comes out of that is not given another chance.
        if let Err(again) = catch(|| "drop", || drop(panic)) {
            std::mem::forget(again);
        }
    }
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
