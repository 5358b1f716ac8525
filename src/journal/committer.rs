//! The thread that owns the store: it takes what is queued, commits it as one, and then tells.
//!
//! # Invariants
//! 1. Journal before deliver: `Recorded` is told only after [`Store::apply`] has returned without an error for that record, in the order
//!    of the numbers, and with no lock held.
//! 2. After an error of the store nothing is applied any more: everything that is queued then, and all that comes later, is told
//!    `Failed`. What was told before is in the store.
//! 3. Everything that enters the queue is told once, whatever happens: a panic of the store is an error of it, and one of a delivery is
//!    the delivery's own affair.
//! 4. While one commit runs, the next one's batch gathers, and goes on to [`PACE`] after that one began while more is on its way and nobody
//!    is known to wait for one of it (`commit_delay` and `commit_siblings` of `PostgreSQL`): a commit for every task of 100 microseconds
//!    would cost a tenth of it. Nobody waits longer than that, and not for what is far: when nothing has come for [`QUIET`], it goes on.
//!
//! Locks: those of [`Shared`] and [`Queue`], each for a moment, never two at once.

use std::sync::Arc;

use super::delivery::{Delivered, Delivery};
use super::error::{JournalError, JournalErrorKind};
use super::index::Index;
use super::order::{Order, Recorded};
use super::queue::{Patience, Queue};
use super::record::{Entry, Head, Identity, Kind, Row};
use super::shared::Shared;
use super::store::{Change, Damage, Store, StoreError};
use crate::panics;
use crate::sync::MutexGuard;
use crate::sync::time::{self, Duration};

/// How far apart commits begin where nothing presses: enough for a hundred tasks of 100 microseconds on two workers.
pub(super) const PACE: Duration = Duration::from_millis(5);

/// After how long without a record a commit waits for no more: a short task beside a long one is not told 5 ms late.
const QUIET: Duration = Duration::from_millis(1);

/// What lies in the queue.
pub(super) enum Request {
    Record { order: Order, entry: Entry, ended: u64, delivery: Arc<dyn Delivery> },
    Read { recorded: Recorded, delivery: Arc<dyn Delivery> },
    Call(Call),
}

/// Something to be done by who owns the store.
pub(super) type Call = Box<dyn FnOnce(&mut Desk<'_>) + Send>;

/// What a [`Call`] works at.
pub(super) struct Desk<'a> {
    store: &'a mut dyn Store,
    shared: &'a Shared,
}

impl Desk<'_> {
    /// The store, for reading and upkeep. What is written goes through [`Desk::apply`].
    pub(super) fn store(&mut self) -> &mut dyn Store {
        self.store
    }

    /// The index, locked: nothing may be called while it is.
    pub(super) fn index(&self) -> MutexGuard<'_, Index> {
        self.shared.index()
    }

    /// An error for the user; if it is not damage that was found while reading, nothing is written any more.
    pub(super) fn failed(&self, error: StoreError) -> JournalError {
        let is_fatal = !matches!(error, StoreError::Damaged(_));
        let error = error.at(self.shared.path());
        if is_fatal {
            self.shared.fail(error.clone());
        }
        error
    }

    /// Why nothing may be written any more, if so: asked here, where nothing can fail in between.
    pub(super) fn may_write(&self) -> Result<(), JournalError> {
        self.shared.failure().map_or(Ok(()), Err)
    }

    /// Applies changes, all or none; after an error nothing is written any more.
    pub(super) fn apply(&mut self, changes: &[Change]) -> Result<(), JournalError> {
        self.may_write()?;
        self.store.apply(changes).map_err(|error| {
            let error = error.at(self.shared.path());
            self.shared.fail(error.clone());
            error
        })
    }
}

/// See the module.
pub(super) struct Committer {
    pub(super) store: Box<dyn Store>,
    pub(super) shared: Arc<Shared>,
    pub(super) queue: Arc<Queue<Request>>,
    /// The last number that was given.
    pub(super) last: u64,
    /// The longest payload of a value, in bytes.
    pub(super) longest: usize,
}

/// A record of a batch, once its payload is with the changes.
struct Pending {
    order: Order,
    delivery: Arc<dyn Delivery>,
    outcome: Outcome,
}

enum Outcome {
    /// Its number, if the commit succeeds.
    Number(u64),
    /// It is not even tried.
    Refused(JournalError),
}

enum Step {
    Told(Pending),
    Read(Recorded, Arc<dyn Delivery>),
}

impl Committer {
    /// Serves until the queue is closed and empty, then closes in order.
    pub(super) fn run(mut self) {
        let mut taken = Vec::new();
        let (shared, mut next) = (Arc::clone(&self.shared), None);
        while self.queue.take(&mut taken, next, |waiting| shared.at_work() > waiting) {
            next = Some(Patience { until: time::now() + PACE, quiet: QUIET });
            let (places, bytes) = (taken.len(), taken.iter().map(Request::bytes).sum());
            let mut rest = taken.drain(..).peekable();
            while let Some(request) = rest.next() {
                if let Request::Call(call) = request {
                    self.call(call);
                    continue;
                }
                let mut group = vec![request];
                while let Some(request) = rest.next_if(|next| !matches!(next, Request::Call(_))) {
                    group.push(request);
                }
                self.serve(group);
            }
            drop(rest);
            self.queue.done(places, bytes);
            self.tidy();
        }
        let failed = self.shared.failure().is_some();
        let closed = guarded(|| self.store.close(failed));
        if let Err(error) = closed {
            self.shared.fail(error.at(self.shared.path()));
        }
        // It is advice for the next opening, which goes on without it.
        let _ = self.shared.marks.close();
    }

    /// Commits the records of a group, and then tells, reading what was asked for in its place.
    fn serve(&mut self, group: Vec<Request>) {
        let mut changes = Vec::with_capacity(group.len());
        let first = self.last + 1;
        let steps: Vec<Step> = group.into_iter().filter_map(|it| self.step(it, &mut changes)).collect();
        let committed = self.commit(&changes);
        let mut jobs = changes.iter().filter_map(|change| match change {
            Change::Job(job) => Some(job),
            _ => None,
        });
        if committed.is_ok() {
            jobs.by_ref().for_each(super::record::Job::set_written);
            let mut index = self.shared.index();
            for step in &steps {
                if let Step::Told(Pending { order, outcome: Outcome::Number(seq), .. }) = step {
                    index.recorded(order.identity(), *seq, order.input());
                }
            }
        } else {
            // The numbers were never told to anybody.
            self.last = first - 1;
        }
        if committed.is_ok()
            && self.last >= first
            && let Err(error) = self.shared.marks.committed(self.last)
        {
            // These are committed and told; whatever comes later is not.
            self.shared.fail(StoreError::Failed(error.into()).at(self.shared.path()));
        }
        let reads_many = steps.iter().filter(|step| matches!(step, Step::Read(..))).count() > 1;
        let is_begun = reads_many && self.read_together(true);
        for step in steps {
            self.tell(step, &committed);
        }
        if is_begun {
            self.read_together(false);
        }
    }

    fn read_together(&mut self, is_begun: bool) -> bool {
        if self.shared.failure().is_some() && is_begun {
            return false;
        }
        let done = guarded(|| self.store.read_together(is_begun));
        done.map_err(|error| self.shared.fail(error.at(self.shared.path()))).is_ok()
    }

    /// Takes a request apart: its changes, and what is to be told.
    fn step(&mut self, request: Request, changes: &mut Vec<Change>) -> Option<Step> {
        let (order, entry, ended, delivery) = match request {
            Request::Record { order, entry, ended, delivery } => (order, entry, ended, delivery),
            Request::Read { recorded, delivery } => return Some(Step::Read(recorded, delivery)),
            Request::Call(_) => return None,
        };
        // What is no value is short: a message was cut, and a timer or a crash loop is a few bytes.
        if entry.kind == Kind::Value && entry.payload.len() > self.longest {
            let outcome = Outcome::Refused(self.too_long(&order, entry.payload.len()));
            return Some(Step::Told(Pending { order, delivery, outcome }));
        }
        self.last += 1;
        let seq = self.last;
        let job = order.job();
        let is_in_batch = |changes: &[Change]| {
            changes.iter().any(|it| matches!(it, Change::Job(other) if other.id() == job.id()))
        };
        if !job.is_written() && !is_in_batch(changes) {
            changes.push(Change::Job(job.clone()));
        }
        if order.is_suspected() {
            changes.push(Change::NoCrashes(order.identity()));
        }
        let Entry { kind, attempts, took, payload } = entry;
        let (key, input, length) = (Arc::clone(order.key()), order.input(), payload.len() as u64);
        let head = Head { seq, job: job.id(), key, input, kind, attempts, ended, took, length };
        changes.push(Change::Record { row: Row { head, payload }, replaces: order.replaces() });
        Some(Step::Told(Pending { order, delivery, outcome: Outcome::Number(seq) }))
    }

    fn commit(&mut self, changes: &[Change]) -> Result<(), JournalError> {
        if let Some(error) = self.shared.failure() {
            return Err(error);
        }
        if changes.is_empty() {
            return Ok(());
        }
        guarded(|| self.store.apply(changes)).map_err(|error| {
            let error = error.at(self.shared.path());
            self.shared.fail(error.clone());
            error
        })
    }

    fn tell(&mut self, step: Step, committed: &Result<(), JournalError>) {
        let (delivery, delivered) = match step {
            Step::Told(Pending { order, delivery, outcome }) => match (outcome, committed) {
                (Outcome::Number(seq), Ok(())) => {
                    order.recorded();
                    (delivery, Delivered::Recorded { seq })
                }
                // Its key is free before it is told, so that it can be claimed again at once.
                (Outcome::Number(_), Err(error)) => (delivery, Delivered::Failed(error.clone())),
                (Outcome::Refused(error), _) => (delivery, Delivered::Failed(error)),
            },
            Step::Read(recorded, delivery) => {
                let delivered = match self.read(&recorded) {
                    Ok(row) => Delivered::Read(row),
                    Err(error) => Delivered::Failed(error),
                };
                (delivery, delivered)
            }
        };
        // Its panic is reported by the panic hook; the others are told all the same.
        let _ = panics::catch(|| "the delivery of a record", || delivery.deliver(delivered));
    }

    fn read(&mut self, recorded: &Recorded) -> Result<Row, JournalError> {
        if let Some(error) = self.shared.failure() {
            return Err(error);
        }
        let path = self.shared.path();
        let damaged = |what: &str| {
            let (seq, key) = (recorded.seq, Some(recorded.key.clone()));
            Damage { seq, key, what: what.to_owned() }.at(path)
        };
        match guarded(|| self.store.row(recorded.seq)) {
            Ok(Some(Ok(row))) => {
                let is_the_one = row.head.job == recorded.job.id()
                    && identity_of(recorded, &row.head) == recorded.identity;
                if is_the_one { Ok(row) } else { Err(damaged("the record is another task's")) }
            }
            Ok(Some(Err(damage))) | Err(StoreError::Damaged(damage)) => Err(damage.at(path)),
            Ok(None) => {
                let now = self.shared.index().look(recorded.identity);
                if now.is_some_and(|(seq, _)| seq == recorded.seq) {
                    return Err(damaged("the record is not there"));
                }
                let what = "the record was replaced or forgotten while somebody waited for it";
                let error = JournalError::new(JournalErrorKind::Gone, path, what, "submit the task again");
                Err(error.about(recorded.seq, Some(&recorded.key)))
            }
            Err(error) => {
                let error = error.at(path);
                self.shared.fail(error.clone());
                Err(error)
            }
        }
    }

    fn too_long(&self, order: &Order, length: usize) -> JournalError {
        let what = format!("a payload of {length} bytes, and {} are allowed", self.longest);
        let cure = "write it to a file of its own and record where that is, or allow more at the opening";
        JournalError::new(JournalErrorKind::TooLong, self.shared.path(), what, cure)
            .about(0, Some(order.key()))
    }

    fn call(&mut self, call: Call) {
        let desk = &mut Desk { store: &mut *self.store, shared: &self.shared };
        // A call carries its own panic back to who asked; this is for one that panics on its way.
        let _ = panics::catch(|| "a call at the journal", || call(desk));
    }

    fn tidy(&mut self) {
        if self.shared.failure().is_some() {
            return;
        }
        if let Err(error) = guarded(|| self.store.tidy()) {
            self.shared.fail(error.at(self.shared.path()));
        }
    }
}

impl Request {
    /// How many bytes of payload it holds.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Record { entry, .. } => entry.payload.len(),
            _ => 0,
        }
    }
}

fn identity_of(recorded: &Recorded, head: &Head) -> Identity {
    recorded.job.identity(&head.key)
}

/// The store's answer; a panic of it is an error like others, so that whoever waits is told.
fn guarded<R>(body: impl FnOnce() -> Result<R, StoreError>) -> Result<R, StoreError> {
    panics::catch(|| "the store of the journal", body)
        .unwrap_or_else(|panic| Err(StoreError::Failed(panic.message().to_owned().into())))
}
