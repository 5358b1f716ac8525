//! What became of the group's tasks, and the answer that follows from it.
//!
//! # Invariants
//! 1. A failure is recorded before it cancels the group's token. So whoever fails because of that token is recorded after the cause, and
//!    as a reaction: `decision` is set, or the token is cancelled.
//! 2. `decision` is set once. `answer` is set once, by whoever has seen the group quiet and closed, and never changes.
//! 3. No code of the user runs under a lock.
//!
//! Lock order: every lock in here is a leaf.

use std::fmt;
use std::mem;
use std::sync::Arc;

use super::done::{Done, Kind, TaskEnd, Verdict};
use super::error::{Called, FailureKind, GroupError, GroupErrorKind, Record, TaskFailure};
use crate::cancel::{CancellationToken, Cancelled};
use crate::panics::{self, Panic};
use crate::pool::drop_quietly;
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Mutex, Padded};

/// Values are kept in as many lists, so that those who end tasks at the same time do not meet.
const SHARDS: usize = 8;

crate::sync::thread_local! {
    static SHARD: std::cell::Cell<usize> = const { std::cell::Cell::new(usize::MAX) };
}

crate::sync::process_static! {
    static NEXT_SHARD: AtomicUsize = AtomicUsize::new(0);
}

/// The list that the calling thread uses.
fn shard() -> usize {
    let own = |shard: &std::cell::Cell<usize>| {
        if shard.get() == usize::MAX {
            shard.set(NEXT_SHARD.fetch_add(1, Ordering::Relaxed) % SHARDS);
        }
        shard.get()
    };
    SHARD.try_with(own).unwrap_or(0)
}

/// The end of a group before its last task's.
#[derive(Clone, Copy, Debug)]
struct Decision {
    succeeded: bool,
    index: u64,
}

#[derive(Debug)]
struct Book<E> {
    failures: Vec<TaskFailure<E>>,
    reactions: Vec<TaskFailure<E>>,
    /// How many of both there were, wherever they are now.
    failed: u64,
    panicked: u64,
    /// Tasks that never started.
    unrun: u64,
    /// Why a task was refused, if it was because the group had ended or its pool had.
    refused: Option<Cancelled>,
    decision: Option<Decision>,
    answer: Option<Answer<E>>,
}

#[derive(Debug)]
struct Answer<E> {
    result: Result<(), GroupError<E>>,
    /// What is to be resumed: the panic once, and then its text.
    resume: Option<(Option<Panic>, String)>,
}

/// How tasks have ended so far; only grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) succeeded: u64,
    pub(super) failed: u64,
    pub(super) panicked: u64,
    pub(super) unrun: u64,
}

/// The values of tasks that some threads ran. Where values take no room the indices are left out, and then the list takes none either:
/// such values are all alike.
struct Values<T> {
    indices: Vec<u64>,
    list: Vec<T>,
    /// Values that were here and have been taken out.
    taken: u64,
}

impl<T> Values<T> {
    fn push(&mut self, index: u64, value: T) {
        if size_of::<T>() > 0 {
            self.indices.push(index);
        }
        self.list.push(value);
    }

    fn take(&mut self) -> (Vec<u64>, Vec<T>) {
        self.taken += self.list.len() as u64;
        (mem::take(&mut self.indices), mem::take(&mut self.list))
    }
}

pub(super) struct Ledger<'env, T, E> {
    done: Done<'env, T, E>,
    resumes: bool,
    values: [Padded<Mutex<Values<T>>>; SHARDS],
    book: Mutex<Book<E>>,
}

impl<'env, T, E> Ledger<'env, T, E> {
    pub(super) fn new(done: Done<'env, T, E>, resumes: bool) -> Self {
        let book = Book {
            failures: Vec::new(),
            reactions: Vec::new(),
            failed: 0,
            panicked: 0,
            unrun: 0,
            refused: None,
            decision: None,
            answer: None,
        };
        let empty = |_| Padded(Mutex::new(Values { indices: Vec::new(), list: Vec::new(), taken: 0 }));
        Self { done, resumes, values: std::array::from_fn(empty), book: Mutex::new(book) }
    }

    /// Records how a task ended, and cancels the group's `token` if that ends it. `is_cancelled`: whether anybody has.
    #[inline]
    pub(super) fn record(
        &self,
        index: u64,
        name: Option<&Arc<str>>,
        result: Result<Result<T, E>, Panic>,
        token: &CancellationToken,
        is_cancelled: impl FnOnce() -> bool,
    ) {
        let result = match result {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(FailureKind::Failed(error)),
            Err(panic) => Err(FailureKind::Panicked(panic)),
        };
        match (result, &self.done.0) {
            (Ok(value), Kind::AllSucceeded | Kind::AllFinished) => self.keep(index, value),
            (result, _) => self.judge(index, name, result, token, is_cancelled),
        }
    }

    fn keep(&self, index: u64, value: T) {
        self.values[shard()].0.lock().push(index, value);
    }

    /// Records an end that may decide.
    #[cold]
    fn judge(
        &self,
        index: u64,
        name: Option<&Arc<str>>,
        mut result: Result<T, FailureKind<E>>,
        token: &CancellationToken,
        is_cancelled: impl FnOnce() -> bool,
    ) {
        let verdict = match (&self.done.0, &result) {
            (Kind::AllSucceeded, Err(_)) => Verdict::Fail,
            (Kind::AnySucceeded, Ok(_)) => Verdict::Succeed,
            (Kind::By(rule), _) => {
                let end = TaskEnd { index, name: name.map(|name| &**name), result: result.as_ref() };
                match panics::catch(|| "rule of the group", || rule(&end)) {
                    Ok(verdict) => verdict,
                    Err(panic) => {
                        drop_quietly(mem::replace(&mut result, Err(FailureKind::Panicked(panic))));
                        Verdict::Fail
                    }
                }
            }
            _ => Verdict::GoOn,
        };
        let panicked = matches!(result, Err(FailureKind::Panicked(_)));
        let decided = match verdict {
            _ if self.resumes && panicked => Some(false),
            Verdict::GoOn => None,
            Verdict::Succeed => Some(true),
            Verdict::Fail => Some(result.is_ok()),
        };
        let failure = match result {
            Ok(value) => {
                self.keep(index, value);
                None
            }
            Err(kind) => Some(TaskFailure { index, name: name.cloned(), kind }),
        };
        // Outside of the lock: looking at a token may call what is registered with it.
        let cancelled = is_cancelled();
        let mut book = self.book.lock();
        let decided_before = book.decision.is_some();
        let over = decided_before || cancelled;
        if let Some(failure) = failure {
            *(if panicked { &mut book.panicked } else { &mut book.failed }) += 1;
            if over { book.reactions.push(failure) } else { book.failures.push(failure) }
        }
        // A failure after a cancellation is a reaction to it; a success is one all the same.
        let decided = decided.filter(|succeeded| if *succeeded { !decided_before } else { !over });
        if let Some(succeeded) = decided {
            book.decision = Some(Decision { succeeded, index });
        }
        drop(book);
        if let Some(succeeded) = decided {
            token.cancel_with(Ended { succeeded, index, name: name.cloned() });
        }
    }

    /// Counts tasks that never started.
    pub(super) fn unrun(&self, tasks: u64) {
        self.book.lock().unrun += tasks;
    }

    /// Notes that a task was refused, and why.
    pub(super) fn refused(&self, cause: Cancelled) {
        self.book.lock().refused.get_or_insert(cause);
    }

    /// The answer of a group that is quiet and closed: always the same. `cause`: who has cancelled it.
    ///
    /// # Panics
    /// Resumes the panic that is the answer, if the group was made so.
    pub(super) fn answer(&self, cause: Option<Cancelled>) -> Result<(), GroupError<E>> {
        let mut book = self.book.lock();
        if book.answer.is_none() {
            let answer = conclude(&mut book, &self.done, self.resumes, cause);
            book.answer = Some(answer);
        }
        let Some(answer) = &mut book.answer else { unreachable!("it was made just now") };
        match &mut answer.resume {
            None => answer.result.clone(),
            Some((panic, text)) => {
                let (panic, text) = (panic.take(), text.clone());
                drop(book);
                match panic {
                    Some(panic) => panic.resume(),
                    None => panic!("{text}"),
                }
            }
        }
    }

    pub(super) fn counts(&self) -> Counts {
        let in_shard = |shard: &Padded<Mutex<Values<T>>>| {
            let shard = shard.0.lock();
            shard.taken + shard.list.len() as u64
        };
        let succeeded = self.values.iter().map(in_shard).sum();
        let book = self.book.lock();
        Counts { succeeded, failed: book.failed, panicked: book.panicked, unrun: book.unrun }
    }

    /// Takes the values out, in the order of spawning; each with its task's index, if values take room.
    pub(super) fn take_values(&self) -> (Vec<u64>, Vec<T>) {
        if size_of::<T>() == 0 {
            let values = self.values.iter().map(|shard| shard.0.lock().take().1);
            return (Vec::new(), values.reduce(append).unwrap_or_default());
        }
        let mut all = Vec::new();
        for shard in &self.values {
            let (indices, values) = shard.0.lock().take();
            let mut indices = indices.into_iter();
            all.extend(values.into_iter().map(|value| (indices.next().unwrap_or(0), value)));
        }
        all.sort_by_key(|(index, _)| *index);
        all.into_iter().unzip()
    }

    /// Failures that are in no error, because the group succeeded all the same: those before its end, and those after.
    pub(super) fn take_failures(&self) -> (Vec<TaskFailure<E>>, Vec<TaskFailure<E>>) {
        let mut book = self.book.lock();
        (mem::take(&mut book.failures), mem::take(&mut book.reactions))
    }

    /// Nobody will ask for the answer again: those who have it can take it apart.
    pub(super) fn forget_answer(&self) {
        let answer = self.book.lock().answer.take();
        drop_quietly(answer);
    }

    /// The task that ended the group early.
    pub(super) fn decided_by(&self) -> Option<u64> {
        self.book.lock().decision.map(|decision| decision.index)
    }
}

impl<T, E> Drop for Ledger<'_, T, E> {
    fn drop(&mut self) {
        let (failures, reactions) = self.take_failures();
        failures.into_iter().chain(reactions).for_each(drop_quietly);
        self.take_values().1.into_iter().for_each(drop_quietly);
        self.forget_answer();
    }
}

fn append<T>(mut values: Vec<T>, mut more: Vec<T>) -> Vec<T> {
    values.append(&mut more);
    values
}

fn conclude<T, E>(
    book: &mut Book<E>,
    done: &Done<'_, T, E>,
    resumes: bool,
    cause: Option<Cancelled>,
) -> Answer<E> {
    let cut_short = book.unrun > 0 || book.refused.is_some() || !book.reactions.is_empty();
    // A decision is what cancels the token, or it came first.
    let cancelled = if book.decision.is_none() && cut_short { cause.or(book.refused.take()) } else { None };
    let by = book.decision.map(|decision| decision.index);
    let cause = book.failures.iter().position(|failure| Some(failure.index) == by).unwrap_or(0);
    let any = matches!(done.0, Kind::AnySucceeded);
    let succeeded = match book.decision {
        Some(decision) => decision.succeeded,
        None => book.failures.is_empty() && cancelled.is_none() && !any,
    };
    if succeeded {
        return Answer { result: Ok(()), resume: None };
    }
    let resume = if resumes { take_panic(&mut book.failures, cause) } else { None };
    let kind = match book.failures.get(cause).map(TaskFailure::kind) {
        Some(FailureKind::Failed(_)) => GroupErrorKind::Failed,
        Some(FailureKind::Panicked(_)) => GroupErrorKind::Panicked,
        None if cancelled.is_some() => GroupErrorKind::Cancelled,
        None => GroupErrorKind::NothingSucceeded,
    };
    let (failures, reactions) = (mem::take(&mut book.failures), mem::take(&mut book.reactions));
    let result = Err(GroupError::new(Record { kind, failures, cause, reactions, cancelled }));
    Answer { result, resume }
}

/// Takes the panic that ended the group out of its failure, to be resumed; a failure without payload stays in its place.
fn take_panic<E>(failures: &mut [TaskFailure<E>], cause: usize) -> Option<(Option<Panic>, String)> {
    let FailureKind::Panicked(panic) = &mut failures.get_mut(cause)?.kind else { return None };
    let text = panic.to_string();
    Some((Some(panic.split_payload()), text))
}

/// Why the tasks of a group that is done are cancelled.
#[derive(Debug)]
struct Ended {
    succeeded: bool,
    index: u64,
    name: Option<Arc<str>>,
}

impl fmt::Display for Ended {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = if self.succeeded { "succeeded" } else { "failed" };
        write!(formatter, "the group is done: {} {how}", Called(self.name.as_deref(), self.index))
    }
}

impl std::error::Error for Ended {}
