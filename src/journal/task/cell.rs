//! Where the end of a durable task is told, and who waits for it.
//!
//! # Invariants
//! 1. It ends once: by what the committer delivers, or, where nothing is to be recorded, by whoever had the task. Later ends are ignored: a task
//!    that was handed back unstarted may still be run by whoever has it.
//! 2. What has run is kept aside (`Ran`) until the committer says that it is recorded: nobody sees it before.
//! 3. Whoever ends it takes the signal out under the same lock and sends it outside, before it returns. So the committer, which delivers in the
//!    order of the numbers, has told of one before the next one ends: rule 5 of [`Waitable`](crate::Waitable).
//!
//! Lock order: `state` is a leaf.

use std::mem;
use std::sync::Arc;

use super::error::DurableErrorKind;
use crate::journal::core::{Delivered, Delivery};
use crate::journal::counts::Counts;
use crate::journal::record::Row;
use crate::pool::drop_quietly;
use crate::sync::Mutex;
use crate::waitable::Signal;

/// How a task ended.
pub(super) type Outcome<T> = Result<T, DurableErrorKind>;

pub(super) struct Cell<T> {
    state: Mutex<State<T>>,
    /// Where it is counted when its record is told, or that there is none.
    counts: Option<Arc<Counts>>,
    /// Whether nothing is run, and a record is read.
    is_replay: bool,
}

struct State<T> {
    phase: Phase<T>,
    stamp: Option<u64>,
    signal: Option<Signal>,
    /// Whether a thread that could do other work waits for it.
    is_awaited: bool,
}

enum Phase<T> {
    Open,
    /// Not recorded yet.
    Ran(Outcome<T>),
    Over(Ended<T>),
    Taken,
}

/// How it ended, as whoever takes it finds it.
pub(super) enum Ended<T> {
    /// In this run.
    Here(Outcome<T>),
    /// In an earlier one, still encoded.
    Before(Box<Row>),
    /// The task was dropped before it started; the pool knows why.
    NotRun,
}

impl<T> Cell<T> {
    /// `stamp`: the number of the record that is going to be read.
    pub(super) fn new(stamp: Option<u64>) -> Arc<Self> {
        Self::in_phase(Phase::Open, stamp, None)
    }

    /// One of a record that is going to be read, and to be counted.
    pub(super) fn replayed(counts: &Arc<Counts>, stamp: u64) -> Arc<Self> {
        Self::in_phase(Phase::Open, Some(stamp), Some(Arc::clone(counts)))
    }

    /// One of a task that is to run, and to be counted.
    pub(super) fn counted(counts: &Arc<Counts>) -> Arc<Self> {
        Self::in_phase(Phase::Open, None, Some(Arc::clone(counts)))
    }

    /// One that has ended already.
    pub(super) fn ended(outcome: Outcome<T>, stamp: u64) -> Arc<Self> {
        Self::in_phase(Phase::Over(Ended::Here(outcome)), Some(stamp), None)
    }

    fn in_phase(phase: Phase<T>, stamp: Option<u64>, counts: Option<Arc<Counts>>) -> Arc<Self> {
        let state = State { phase, stamp, signal: None, is_awaited: false };
        Arc::new(Self { state: Mutex::new(state), counts, is_replay: stamp.is_some() })
    }

    /// Keeps what came out until it is recorded; whether that is awaited. Gives it back if the handle was ended before: dropping it is code of the
    /// user, and the record is still to be made.
    pub(super) fn ran(&self, outcome: Outcome<T>) -> (bool, Option<Outcome<T>>) {
        let mut state = self.state.lock();
        if matches!(state.phase, Phase::Open) {
            state.phase = Phase::Ran(outcome);
            return (state.is_awaited, None);
        }
        (state.is_awaited, Some(outcome))
    }

    /// A thread that could do other work waits for it; whether it has run, and waits for the committer.
    pub(super) fn await_now(&self) -> bool {
        let mut state = self.state.lock();
        state.is_awaited = true;
        matches!(state.phase, Phase::Ran(_))
    }

    /// Counts one that was begun, or whose record was read: before its end is told, so that the counts are right for whoever hears of that. Also
    /// where the handle was ended before. A record that cannot be read is neither.
    fn count(&self, is_well: bool) {
        match &self.counts {
            Some(counts) if !self.is_replay => counts.count_run(is_well),
            Some(counts) if is_well => counts.count_replay(),
            _ => {}
        }
    }

    /// Ends one that was begun and has nothing to be recorded.
    pub(super) fn end_unrecorded(&self, why: DurableErrorKind) {
        self.count(false);
        self.end(Ended::Here(Err(why)));
    }

    /// Ends it, with nothing recorded.
    pub(super) fn end(&self, ended: Ended<T>) {
        self.end_by(|_| (ended, None));
    }

    fn end_by(&self, end: impl FnOnce(Option<Outcome<T>>) -> (Ended<T>, Option<u64>)) {
        let mut state = self.state.lock();
        if matches!(state.phase, Phase::Over(_) | Phase::Taken) {
            return;
        }
        let ran = match mem::replace(&mut state.phase, Phase::Taken) {
            Phase::Ran(outcome) => Some(outcome),
            _ => None,
        };
        let (ended, stamp) = end(ran);
        state.phase = Phase::Over(ended);
        state.stamp = state.stamp.or(stamp);
        let signal = state.signal.take();
        drop(state);
        if let Some(signal) = signal {
            signal.send();
        }
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(self.state.lock().phase, Phase::Over(_) | Phase::Taken)
    }

    /// The number of its record, if it has one and that is known.
    pub(super) fn stamp(&self) -> Option<u64> {
        self.state.lock().stamp
    }

    /// How it ended, once.
    pub(super) fn take(&self) -> Option<Ended<T>> {
        let mut state = self.state.lock();
        if !matches!(state.phase, Phase::Over(_)) {
            return None;
        }
        match mem::replace(&mut state.phase, Phase::Taken) {
            Phase::Over(ended) => Some(ended),
            _ => None,
        }
    }

    /// As [`Waitable::watch`](crate::Waitable::watch).
    pub(super) fn watch(&self, signal: Signal) {
        let mut state = self.state.lock();
        if matches!(state.phase, Phase::Over(_) | Phase::Taken) {
            drop(state);
            signal.send();
            return;
        }
        let old = state.signal.replace(signal);
        drop(state);
        drop(old);
    }

    pub(super) fn unwatch(&self) {
        let signal = self.state.lock().signal.take();
        drop(signal);
    }
}

impl<T: Send> Delivery for Cell<T> {
    fn deliver(self: Arc<Self>, delivered: Delivered) {
        self.count(!matches!(delivered, Delivered::Failed(_)));
        // What ran and cannot be told is dropped outside of the lock: that is code of the user.
        let mut untold = None;
        self.end_by(|ran| match delivered {
            Delivered::Recorded { seq } => match ran {
                Some(outcome) => (Ended::Here(outcome), Some(seq)),
                None => (Ended::NotRun, None),
            },
            Delivered::Read(row) => (Ended::Before(Box::new(row)), None),
            Delivered::Failed(error) => {
                untold = ran;
                (Ended::Here(Err(DurableErrorKind::Journal(error))), None)
            }
        });
        // Where the record was refused, this is the thread that ran it.
        drop_quietly(untold);
    }
}
