//! The heart of a journal: keys are claimed here, and finished tasks handed to the committer.
//!
//! # Invariants
//! 1. One order at a time for a key, and one record for an identity: see [`index`](super::index).
//! 2. What [`Core::record`] takes is told once: recorded, or failed.
//! 3. The last user of a core stops the committer after it has written what is queued, and waits for it, unless that is the
//!    committer's own thread, in a delivery that held the last reference: it then ends by itself.
//!
//! Locks: `jobs` and `thread`; under `jobs` nothing is called, and under `thread` the committer is waited for, which never takes it. They are never
//! held together.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::committer::{Committer, Desk, Request};
use super::error::{JournalError, JournalErrorKind};
use super::index::{Claimed, Index, Taken};
use super::marks::Marks;
use super::queue::{Manner, Queue, Wait};
use super::record::LONGEST_KEY;
use super::shared::Shared;
use super::store::Store;
use crate::panics;
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicU32, Ordering};
use crate::sync::channel::{self, RecvTimeoutError};
use crate::sync::thread::{self, JoinHandle, ThreadId};
use crate::sync::time::{self, Instant};

pub(super) use super::delivery::{Delivered, Delivery};
pub(super) use super::order::{Claim, ClaimRefusal, Order, Recorded};
pub(super) use super::record::{Entry, InputHash, Job};

/// How much payload may wait in the queue, in bytes.
const QUEUED_BYTES: usize = 16 << 20;

/// What a journal is opened with, besides its store.
pub(super) struct Opened {
    pub(super) path: PathBuf,
    pub(super) store: Box<dyn Store>,
    pub(super) index: Index,
    pub(super) marks: Marks,
    pub(super) jobs: Vec<Job>,
    /// The last number that was given.
    pub(super) last: u64,
    /// How many records may wait to be written.
    pub(super) queue: usize,
    /// The longest payload, in bytes.
    pub(super) longest: usize,
}

/// See the module.
pub(super) struct Core {
    shared: Arc<Shared>,
    queue: Arc<Queue<Request>>,
    jobs: Mutex<Jobs>,
    runs: AtomicU32,
    longest: usize,
    committer: ThreadId,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Default)]
struct Jobs {
    known: HashMap<(Box<str>, Box<str>, u32), Job>,
    last_id: u32,
}

impl Core {
    /// Starts the committer.
    pub(super) fn start(opened: Opened) -> Result<Arc<Self>, JournalError> {
        let Opened { path, store, index, marks, jobs: known, last, queue, longest } = opened;
        let mut jobs = Jobs::default();
        for job in known {
            jobs.last_id = jobs.last_id.max(job.id());
            jobs.known.insert((job.scope().into(), job.handler().into(), job.version()), job);
        }
        let queue = Arc::new(Queue::new(queue, QUEUED_BYTES));
        let pressed = Arc::clone(&queue);
        let press = Box::new(move |is_urgent| pressed.press(is_urgent));
        let shared = Arc::new(Shared::new(path, index, marks, press));
        let committer =
            Committer { store, shared: Arc::clone(&shared), queue: Arc::clone(&queue), last, longest };
        panics::note_locations();
        let started = thread::Builder::new().name("journal".to_owned()).spawn(move || committer.run());
        let thread = started.map_err(|error| {
            // It is advice for the next opening: nobody was killed. The reason that is told is the thread's.
            let _ = shared.marks.close();
            let cure = "let the process have more threads, and run again";
            JournalError::new(
                JournalErrorKind::Thread,
                shared.path(),
                "its thread could not be started",
                cure,
            )
            .because(error)
        })?;
        let committer = thread.thread().id();
        let (jobs, thread, runs) = (Mutex::new(jobs), Mutex::new(Some(thread)), AtomicU32::new(0));
        Ok(Arc::new(Self { shared, queue, jobs, runs, longest, committer, thread }))
    }

    pub(super) fn path(&self) -> &Path {
        self.shared.path()
    }

    /// The longest payload of a value that is taken, in bytes.
    pub(super) fn longest_payload(&self) -> usize {
        self.longest
    }

    /// The job of that name; written with the first commit that needs it.
    pub(super) fn job(&self, scope: &str, handler: &str, version: u32) -> Result<Job, JournalError> {
        if let Some(error) = self.failure() {
            return Err(error);
        }
        let mut jobs = self.jobs.lock();
        let name = (scope.into(), handler.into(), version);
        if let Some(job) = jobs.known.get(&name) {
            return Ok(job.clone());
        }
        jobs.last_id += 1;
        let job = Job::new(jobs.last_id, scope, handler, version, false);
        jobs.known.insert(name, job.clone());
        Ok(job)
    }

    /// The jobs of the file and those that have been asked for since, which may have no row yet.
    pub(super) fn known_jobs(&self) -> Vec<Job> {
        self.jobs.lock().known.values().cloned().collect()
    }

    /// A number for a run of a scope, from 1.
    pub(super) fn begin_run(&self) -> u32 {
        self.runs.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Claims the key for this run. A key that this run has claimed already, or that another run is working on, is refused.
    pub(super) fn claim(
        &self,
        run: u32,
        job: &Job,
        key: &Arc<str>,
        input: InputHash,
    ) -> Result<Claim, ClaimRefusal> {
        if key.len() > LONGEST_KEY {
            return Err(ClaimRefusal::KeyTooLong);
        }
        if let Some(error) = self.refusing() {
            return Err(ClaimRefusal::Failed(error));
        }
        let identity = job.identity(key);
        let (claimed, crashes) = {
            let mut index = self.shared.index();
            (index.claim(run, identity, input).map_err(refusal)?, index.crashes(identity))
        };
        let recorded = |seq| Recorded { seq, identity, job: job.clone(), key: Arc::clone(key), input };
        let order = |replaces| {
            let shared = Arc::clone(&self.shared);
            Order::new(shared, job.clone(), Arc::clone(key), identity, input, replaces, crashes)
        };
        Ok(match claimed {
            Claimed::Fresh => Claim::Fresh(order(0)),
            Claimed::Changed(seq) => Claim::Changed(order(seq), recorded(seq)),
            Claimed::Recorded(seq) => Claim::Recorded(recorded(seq)),
        })
    }

    /// An order to do what is recorded all the same. Refused if another run is working on it.
    pub(super) fn again(&self, recorded: Recorded) -> Result<Order, ClaimRefusal> {
        let Recorded { identity, job, key, input, .. } = recorded;
        let (replaces, crashes) = {
            let mut index = self.shared.index();
            (index.again(identity).map_err(refusal)?, index.crashes(identity))
        };
        Ok(Order::new(Arc::clone(&self.shared), job, key, identity, input, replaces, crashes))
    }

    /// Takes back the claim of a recorded key, of which nothing has come: the same run can claim it again.
    pub(super) fn release(&self, run: u32, recorded: &Recorded) {
        self.shared.index().release(run, recorded.identity);
    }

    /// The task is about to run on this thread: its mark is in the side file when this returns.
    ///
    /// With `exact` the mark is its own, for a write of its own: for tasks of more than half a millisecond. Without, the first of 64 in line
    /// writes the marks of all, which makes them suspects after a crash, marked one by one from then on. If the mark cannot be written, the
    /// journal has failed, and so will the record.
    pub(super) fn begin(&self, order: &Order, exact: bool) {
        let Some(mark) = order.mark() else { return };
        if let Err(error) = self.shared.marks.begin(mark, exact) {
            let what = "the mark of a running task cannot be written";
            let cure = "what was recorded before is kept: give the side file space, and run again";
            let error = JournalError::new(JournalErrorKind::Io, self.path(), what, cure).because(error);
            self.shared.fail(error);
        }
    }

    /// Hands a finished task in. Waits while the queue is full, but not on the committer's own thread, in a delivery.
    ///
    /// With `is_urgent` it is written at once: who gives it waits for it. Without, commits begin at least [`PACE`](super::committer::PACE)
    /// apart while more is on its way.
    pub(super) fn record(&self, order: Order, entry: Entry, is_urgent: bool, delivery: Arc<dyn Delivery>) {
        let ended = u64::try_from(time::since_unix_epoch().as_millis()).unwrap_or(u64::MAX);
        self.put(Request::Record { order, entry, ended, delivery }, is_urgent);
    }

    /// Asks for a record, after all that was handed in before. Waits as [`Core::record`] does.
    pub(super) fn read(&self, recorded: &Recorded, delivery: Arc<dyn Delivery>) {
        self.put(Request::Read { recorded: recorded.clone(), delivery }, true);
    }

    /// A thread that could do other work waits for what has been handed in.
    pub(super) fn hurry(&self) {
        self.shared.hurry();
    }

    fn put(&self, request: Request, is_urgent: bool) {
        let wait = if self.is_committer() { Wait::Never } else { Wait::Endless };
        let (bytes, manner) = (request.bytes(), Manner { wait, is_urgent });
        let Err(refused) = self.queue.put(request, bytes, manner, self.more()) else { return };
        let error = self.failure().unwrap_or_else(|| self.shared.closed());
        match refused {
            Request::Record { order, delivery, .. } => {
                drop(order);
                delivery.deliver(Delivered::Failed(error));
            }
            Request::Read { delivery, .. } => delivery.deliver(Delivered::Failed(error)),
            Request::Call(_) => {}
        }
    }

    /// Whether more is coming than so many requests.
    fn more(&self) -> impl Fn(usize) -> bool + '_ {
        |waiting| self.shared.at_work() > waiting
    }

    /// # Panics
    /// On the committer's own thread, which cannot wait for itself: it drops results whose handles are gone, and that is code of the user.
    pub(super) fn may_wait(&self) {
        assert!(!self.is_committer(), "the thread of the journal may not wait for the journal");
    }

    fn is_committer(&self) -> bool {
        thread::current().id() == self.committer
    }

    /// Has the committer do something with the store, after all that was handed in before, and waits for it.
    ///
    /// # Errors
    /// The journal is closed. (After a failure it can still be looked at.)
    ///
    /// # Panics
    /// If `work` does, and on the committer's own thread, which cannot wait for itself.
    pub(super) fn with_store<R: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Desk<'_>) -> R + Send + 'static,
    ) -> Result<R, JournalError> {
        self.may_wait();
        let (answer, answered) = channel::bounded(1);
        let call = move |desk: &mut Desk<'_>| {
            // Whoever asked waits for it.
            let _ = answer.send(panics::catch(|| "a call at the journal", || work(desk)));
        };
        self.put(Request::Call(Box::new(call)), true);
        match answered.recv() {
            Ok(Ok(result)) => Ok(result),
            Ok(Err(panic)) => panic.resume(),
            Err(_) => Err(self.failure().unwrap_or_else(|| self.shared.closed())),
        }
    }

    /// Waits until all that was handed in before is committed and told.
    pub(super) fn flush(&self) -> Result<(), JournalError> {
        self.with_store(|_| ())?;
        self.failure().map_or(Ok(()), Err)
    }

    /// As [`Core::flush`], until then; `None` if it is still not so.
    ///
    /// # Panics
    /// As [`Core::with_store`] does.
    pub(super) fn flush_until(&self, until: Instant) -> Option<Result<(), JournalError>> {
        self.may_wait();
        let (answer, answered) = channel::bounded(1);
        // Nobody may be there to be told any more.
        let call = move |_: &mut Desk<'_>| _ = answer.send(());
        let manner = Manner { wait: Wait::Until(until), is_urgent: true };
        let was_refused = self.queue.put(Request::Call(Box::new(call)), 0, manner, self.more()).is_err();
        if was_refused && !self.queue.is_closed() {
            return None;
        }
        match answered.recv_deadline(until) {
            Ok(()) => Some(self.failure().map_or(Ok(()), Err)),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => {
                Some(Err(self.failure().unwrap_or_else(|| self.shared.closed())))
            }
        }
    }

    /// Why nothing can be recorded any more, if so.
    pub(super) fn refusing(&self) -> Option<JournalError> {
        self.failure().or_else(|| self.queue.is_closed().then(|| self.shared.closed()))
    }

    /// Why nothing is written any more.
    pub(super) fn failure(&self) -> Option<JournalError> {
        self.shared.failure()
    }

    /// Takes nothing in any more, and waits until what is queued is written, unless that is the committer's own thread.
    pub(super) fn close(&self) -> Result<(), JournalError> {
        self.queue.close();
        if !self.is_committer() {
            // Under the lock, so that whoever closes it at the same time waits as well: the file is free when this returns.
            let mut thread = self.thread.lock();
            if let Some(thread) = thread.take() {
                // It catches all that it calls: there is no panic of its own to hand on.
                let _ = thread.join();
            }
        }
        self.failure().map_or(Ok(()), Err)
    }
}

fn refusal(taken: Taken) -> ClaimRefusal {
    match taken {
        Taken::Duplicate => ClaimRefusal::Duplicate,
        Taken::InUse => ClaimRefusal::InUse,
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        // Whoever cares about the last failure has asked for it.
        let _ = self.close();
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Core").field("path", &self.path()).finish_non_exhaustive()
    }
}
