//! One panic in one callback: the driver that makes it happen at each call in turn, and what is asked after it.

use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use gristmill::{BulkError, LimitedError, Panic, TaskError};

use super::support::{Counted, Ledger, step, threads, until};

/// What every deliberate panic says.
pub(crate) const TEXT: &str = "a charge went off";

/// Every call panics.
const EVERY: usize = usize::MAX;
/// No call panics any more, and none counts.
const DEFUSED: usize = usize::MAX - 1;
/// Of callbacks that are called more often than this, the panic is tried at these first calls, and at the last.
const FIRST_CALLS: usize = 6;

/// A row of the table: a callback, and what a panic in it comes to.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// The public functions that take this callback, as `listed` names them.
    pub(crate) of: &'static [&'static str],
    pub(crate) told: Told,
    /// Uses the thing with the callback, and afterwards once more without; gives the panic that it was told of.
    pub(crate) run: fn(&Trial) -> Option<Heard>,
}

/// Who is told of a panic.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Told {
    /// It comes back as a value, and the name in it holds this.
    Error(&'static str),
    /// It goes through to the caller.
    Caller,
    /// One of the two, as the moment has it.
    CallerOr(&'static str),
    /// Nobody but the panic hook, as the documentation says.
    Hook,
}

/// A panic as somebody was told of it.
#[derive(Debug)]
pub(crate) struct Heard {
    /// Whose it is, if it came as a value.
    name: Option<String>,
    text: String,
}

impl Heard {
    /// Of something that is no [`Panic`] any more: a record.
    #[cfg(feature = "journal")]
    pub(crate) fn named(name: &str, text: &str) -> Self {
        Self { name: Some(name.to_owned()), text: text.to_owned() }
    }
}

impl From<&Panic> for Heard {
    fn from(panic: &Panic) -> Self {
        Self { name: Some(panic.name().to_owned()), text: panic.message().to_owned() }
    }
}

/// What a callback of a row panics with, and the items that it handles.
#[derive(Clone, Default)]
pub(crate) struct Trial {
    pub(crate) ledger: Ledger,
    pub(crate) workers: usize,
    charge: Arc<Charge>,
}

#[derive(Default)]
struct Charge {
    /// The call that panics, from 1; none if 0.
    at: AtomicUsize,
    calls: AtomicUsize,
    panics: AtomicUsize,
    /// Whether the payload of the panic panics in its turn, when it is dropped.
    bursts: AtomicBool,
}

/// A payload that panics when it is dropped, unless that would end the process.
struct Grenade;

impl Drop for Grenade {
    fn drop(&mut self) {
        assert!(thread::panicking(), "{TEXT}");
    }
}

impl Trial {
    /// Called by the callback of the row: the place of the panic.
    pub(crate) fn touch(&self) {
        if self.charge.at.load(Ordering::SeqCst) == DEFUSED {
            return;
        }
        let call = self.charge.calls.fetch_add(1, Ordering::SeqCst) + 1;
        let at = self.charge.at.load(Ordering::SeqCst);
        if call == at || at == EVERY {
            self.charge.panics.fetch_add(1, Ordering::SeqCst);
            if self.charge.bursts.load(Ordering::SeqCst) {
                panic::panic_any(Grenade);
            }
            panic!("{TEXT}");
        }
    }

    pub(crate) fn item(&self, number: u64) -> Counted {
        self.ledger.item(number)
    }

    /// What touches when it is dropped, unless a panic is under way already: that would end the process.
    pub(crate) fn fragile(&self) -> Fragile {
        Fragile { item: self.item(0), trial: self.clone() }
    }

    /// From now on no call panics: what is used once more after the fault is not to fail again.
    pub(crate) fn defuse(&self) {
        self.charge.at.store(DEFUSED, Ordering::SeqCst);
    }

    pub(crate) fn panics(&self) -> usize {
        self.charge.panics.load(Ordering::SeqCst)
    }
}

/// What `run` unwinds with, if it does; `run` may also say that it heard of a panic in another way.
pub(crate) fn caught(run: impl FnOnce() -> Option<Heard>) -> Option<Heard> {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(heard) => heard,
        Err(payload) if payload.is::<Grenade>() => {
            // What the row does with it is nobody's fault.
            std::mem::forget(payload);
            Some(Heard { name: None, text: TEXT.to_owned() })
        }
        Err(payload) => {
            let text = payload.downcast_ref::<&str>().map(ToString::to_string);
            let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
            Some(Heard { name: None, text: text.expect("a text") })
        }
    }
}

/// [`caught`], for what says nothing else.
pub(crate) fn thrown<R>(run: impl FnOnce() -> R) -> Option<Heard> {
    caught(|| {
        drop(run());
        None
    })
}

/// Panics in its drop when the charge says so.
pub(crate) struct Fragile {
    pub(crate) item: Counted,
    trial: Trial,
}

impl Fragile {
    pub(crate) fn number(&self) -> u64 {
        self.item.number
    }
}

impl Drop for Fragile {
    fn drop(&mut self) {
        if !thread::panicking() {
            self.trial.touch();
        }
    }
}

/// The panic in a result, if there is one.
pub(crate) trait Hear {
    fn hear(self) -> Option<Heard>;
}

impl<T> Hear for Result<T, TaskError> {
    fn hear(self) -> Option<Heard> {
        match self {
            Err(TaskError::Panicked(panic)) => Some((&panic).into()),
            Err(error) => panic!("{error}"),
            Ok(_) => None,
        }
    }
}

impl<T> Hear for Result<T, BulkError> {
    fn hear(self) -> Option<Heard> {
        match self {
            Err(BulkError::Panicked { source, .. }) => Some((&source).into()),
            Err(error) => panic!("{error}"),
            Ok(_) => None,
        }
    }
}

impl<T, E: std::fmt::Debug> Hear for Result<T, LimitedError<E>> {
    fn hear(self) -> Option<Heard> {
        match self {
            Err(LimitedError::Panicked { source, .. }) => Some((&source).into()),
            Err(error) => panic!("{error:?}"),
            Ok(_) => None,
        }
    }
}

impl<T> Hear for Result<T, Panic> {
    fn hear(self) -> Option<Heard> {
        self.as_ref().err().map(Heard::from)
    }
}

/// Keeps the deliberate panics out of the output: there are thousands of them.
pub(crate) fn hush() {
    let shown = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let text = info.payload().downcast_ref::<String>();
        if text.is_none_or(|text| text != TEXT) && !info.payload().is::<Grenade>() {
            shown(info);
        }
    }));
}

/// Tries every row, and fails at the end if one of them failed.
pub(crate) fn drive(tables: &[&[Row]]) {
    let fails = |row: &&Row| catch_unwind(AssertUnwindSafe(|| try_out(row))).is_err();
    let failed: Vec<_> = tables.iter().copied().flatten().filter(fails).map(|row| row.name).collect();
    assert!(failed.is_empty(), "the rows that failed: {failed:?}");
}

/// A row without a panic, then with one at each call in turn, then with one at every call, then without again.
fn try_out(row: &Row) {
    for workers in [1, 3] {
        let calls = attempt(row, workers, 0);
        assert!(calls > 0, "{}: the callback is never called", row.name);
        for at in (1..=calls.min(FIRST_CALLS)).chain([calls, EVERY]) {
            attempt(row, workers, at);
        }
        for at in [1, EVERY] {
            attempt_with_grenades(row, workers, at);
        }
        attempt(row, workers, 0);
    }
}

/// The same with payloads that panic in their drop. Whoever is told drops one sooner or later, the row itself as well: so it may end anywhere, but nothing
/// may hang or be left.
fn attempt_with_grenades(row: &Row, workers: usize, at: usize) {
    let said = format!("{}, {workers} workers, a payload that panics in its drop ({at})", row.name);
    step(&said);
    let before = threads();
    let trial = Trial { workers, ..Trial::default() };
    trial.charge.at.store(at, Ordering::SeqCst);
    trial.charge.bursts.store(true, Ordering::SeqCst);
    let ended = catch_unwind(AssertUnwindSafe(|| drop((row.run)(&trial))));
    std::mem::forget(ended);
    assert!(trial.panics() > 0, "{said}: it never happened");
    nothing_is_left(&said, &trial, before);
}

fn nothing_is_left(said: &str, trial: &Trial, threads_before: usize) {
    until(&format!("all threads are gone: {said}"), || threads() <= threads_before);
    until(&format!("all is dropped: {said}, {} are left", trial.ledger.live()), || trial.ledger.live() == 0);
}

/// Runs the row with a panic at the call `at`, and asks what there is to ask; gives how often the callback was called.
fn attempt(row: &Row, workers: usize, at: usize) -> usize {
    let said = match at {
        0 => format!("{}, {workers} workers, no panic", row.name),
        EVERY => format!("{}, {workers} workers, a panic at every call", row.name),
        at => format!("{}, {workers} workers, a panic at call {at}", row.name),
    };
    step(&said);
    let before = threads();
    let trial = Trial { workers, ..Trial::default() };
    trial.charge.at.store(at, Ordering::SeqCst);
    let heard = (row.run)(&trial);
    nothing_is_left(&said, &trial, before);
    let calls = trial.charge.calls.load(Ordering::SeqCst);
    let panics = trial.panics();
    // Beyond the first one a call may come or not: the panic before has ended what made it.
    assert!(panics > 0 || at == 0 || (at > 1 && at != EVERY && calls < at), "{said}: it never happened");
    match (row.told, heard) {
        (_, None) if panics == 0 => {}
        (_, Some(heard)) if panics == 0 => panic!("{said}: nobody panicked, but somebody heard {heard:?}"),
        (Told::Error(name) | Told::CallerOr(name), Some(Heard { name: Some(whose), text })) => {
            assert!(whose.contains(name), "{said}: {name:?} panicked and not {whose:?}");
            assert_eq!(text, TEXT, "{said}");
        }
        (Told::Caller | Told::CallerOr(_), Some(Heard { name: None, text })) => {
            assert_eq!(text, TEXT, "{said}");
        }
        (Told::Hook, None) => {}
        (told, heard) => panic!("{said}: {told:?} was to be told, and {heard:?} was"),
    }
    calls
}
