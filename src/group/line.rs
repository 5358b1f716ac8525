//! The group's own queue: who may enter, who runs, who waits.
//!
//! Two lists under two locks. Spawners put tasks into `inbox`; runners take them from `outbox`, one by one, and move the whole inbox over
//! when it is empty. So a spawner and the runners meet once per refill and not once per task, and every task that has not
//! started is in sight of all runners. Rejected: one list, whose cache lines move with every task; a list for each runner, from which
//! the others would have to steal, or tasks that talk to each other would never meet.
//!
//! # Invariants
//! 1. `spawned` counts the tasks that came in, `ended` those that have ended, in whatever way. A task's end is counted after its outcome
//!    was recorded. `ended <= spawned`, and whoever holds both locks and sees them equal knows that the group is quiet.
//! 2. `active <= limit`: a runner is counted from before it takes its first task until it has found both lists empty, under both locks.
//! 3. While a task is queued, some runner is hired or active, or [`Line::unhired`] and [`Line::push`] have told a caller that none
//!    is; or a helper has [left](Line::leave), who looks again or [asks for a runner](Line::is_short_handed).
//! 4. Whoever parks has put itself into `waiters`, under both locks, after it saw that it has to, and has set `wake_at` to no more than the
//!    number of ends that it waits for. The runner that counts that end unparks all waiters.
//! 5. `seen` is a number of ends that was true once; so what a spawner takes for room is room.
//!
//! Lock order: `outbox`, `inbox`, then those of the ledger, which are leaves. No code of the user runs under either.

use std::collections::VecDeque;
use std::mem;

use crate::sync::thread::Thread;
use crate::sync::{Mutex, MutexGuard, Padded};

/// From here on tasks are taken at once, although more may be about to come.
const REFILL: usize = 32;

#[derive(Debug)]
pub(super) struct Inbox<J> {
    jobs: VecDeque<J>,
    pub(super) spawned: u64,
    /// What `ended` was when it was last looked at.
    pub(super) seen: u64,
    /// Runners that were asked for and have not started.
    hired: usize,
    pub(super) active: usize,
    /// Whether a runner is about to come back.
    lingering: bool,
    /// Whether the group has given its answer.
    pub(super) closed: bool,
    /// Threads that wait for the group and can run its tasks.
    pub(super) helpers: Vec<Thread>,
}

impl<J> Inbox<J> {
    /// The runners that there are, or are about to be.
    fn runners(&self) -> usize {
        self.hired.saturating_add(self.active)
    }
}

#[derive(Debug)]
pub(super) struct Outbox<J> {
    jobs: VecDeque<J>,
    pub(super) ended: u64,
    /// Tasks that were taken out to be dropped, and are not counted among the ended yet.
    given_up: u64,
    /// How many tasks must have ended for somebody to look again.
    pub(super) wake_at: u64,
    pub(super) waiters: Vec<Thread>,
}

#[derive(Debug)]
pub(super) struct Line<J> {
    pub(super) limit: usize,
    pub(super) queue_bound: usize,
    inbox: Padded<Mutex<Inbox<J>>>,
    pub(super) outbox: Padded<Mutex<Outbox<J>>>,
}

/// Why a task did not get in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotIn {
    Full,
    Closed,
}

/// What a runner does next.
#[derive(Debug)]
pub(super) enum Next<J> {
    /// Runs this. `refill`: how many there were in the inbox, if it was asked. `hire`: so many more runners, counted as hired already.
    Run { job: J, refill: Option<usize>, hire: usize },
    /// Waits a moment and asks again.
    Linger,
    /// Goes: it is not counted any more.
    Leave,
}

impl<J> Line<J> {
    pub(super) fn new(limit: usize, queue_bound: usize) -> Self {
        let inbox = Inbox {
            jobs: VecDeque::new(),
            spawned: 0,
            seen: 0,
            hired: 0,
            active: 0,
            lingering: false,
            closed: false,
            helpers: Vec::new(),
        };
        let outbox =
            Outbox { jobs: VecDeque::new(), ended: 0, given_up: 0, wake_at: u64::MAX, waiters: Vec::new() };
        Self { limit, queue_bound, inbox: Padded(Mutex::new(inbox)), outbox: Padded(Mutex::new(outbox)) }
    }

    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    pub(super) fn queue_bound(&self) -> usize {
        self.queue_bound
    }

    /// Tasks that came in, and tasks that have ended.
    pub(super) fn counts(&self) -> (u64, u64) {
        let (outbox, inbox) = self.both();
        (inbox.spawned, outbox.ended)
    }

    /// Tasks that came in, how many of them have not been started by anybody, and what `outcomes` says before one more can be.
    pub(super) fn waiting<R>(&self, outcomes: impl FnOnce() -> R) -> (u64, u64, R) {
        let (outbox, inbox) = self.both();
        let outcomes = outcomes();
        (inbox.spawned, (outbox.jobs.len() + inbox.jobs.len()) as u64 + outbox.given_up, outcomes)
    }

    /// Takes in the task that `make` makes with its index, if there is room; whether it needs one more runner, which is counted as hired
    /// already. `make` runs under a lock.
    pub(super) fn push(&self, make: impl FnOnce(u64) -> J) -> Result<bool, NotIn> {
        let mut inbox = self.inbox.lock();
        self.admit(&inbox)?;
        let hire = !inbox.lingering && inbox.runners() < self.limit;
        let index = inbox.spawned;
        inbox.spawned += 1;
        inbox.jobs.push_back(make(index));
        inbox.hired += usize::from(hire);
        let helpers = mem::take(&mut inbox.helpers);
        drop(inbox);
        unpark(helpers);
        Ok(hire)
    }

    pub(super) fn admit(&self, inbox: &Inbox<J>) -> Result<(), NotIn> {
        let capacity = self.limit.saturating_add(self.queue_bound) as u64;
        match inbox.closed {
            true => Err(NotIn::Closed),
            false if inbox.spawned - inbox.seen >= capacity => Err(NotIn::Full),
            false => Ok(()),
        }
    }

    /// Counts a task that its spawner runs itself, whatever the room; its index.
    pub(super) fn admit_inline(&self) -> Result<u64, NotIn> {
        let mut inbox = self.inbox.lock();
        if inbox.closed {
            return Err(NotIn::Closed);
        }
        inbox.spawned += 1;
        Ok(inbox.spawned - 1)
    }

    /// Learns how many have ended; true if there is room now, or none for ever.
    pub(super) fn refresh(&self) -> bool {
        let (outbox, mut inbox) = self.both();
        inbox.seen = outbox.ended;
        self.admit(&inbox) != Err(NotIn::Full)
    }

    /// A hired runner starts; false if there are enough, and it is not counted any more.
    pub(super) fn start(&self) -> bool {
        let mut inbox = self.inbox.lock();
        inbox.hired -= 1;
        let starts = inbox.active < self.limit;
        inbox.active += usize::from(starts);
        starts
    }

    /// Counts one more hired runner, whatever the limit: it takes the place of one that goes.
    pub(super) fn hire_one_more(&self) {
        self.inbox.lock().hired += 1;
    }

    /// An active runner goes although tasks are queued; false if nobody is about to come, and it has to stay.
    pub(super) fn steps_back(&self) -> bool {
        let (outbox, mut inbox) = self.both();
        // The one that takes its place may have come and gone already.
        let stays = inbox.hired == 0 && !is_empty(&outbox, &inbox);
        inbox.active -= usize::from(!stays);
        let helpers = if stays { Vec::new() } else { mem::take(&mut inbox.helpers) };
        drop((outbox, inbox));
        unpark(helpers); // the place is theirs to take, while the runner that comes back is behind others
        !stays
    }

    /// A hired runner will never start; true if tasks are queued and nobody else is there to run them.
    pub(super) fn unhired(&self) -> bool {
        let (outbox, mut inbox) = self.both();
        inbox.hired -= 1;
        inbox.runners() == 0 && !is_empty(&outbox, &inbox)
    }

    /// Asks for a runner if tasks are queued and there may be one more; it is counted as hired then.
    pub(super) fn is_short_handed(&self) -> bool {
        let (outbox, mut inbox) = self.both();
        let short = inbox.runners() < self.limit && !inbox.lingering && !is_empty(&outbox, &inbox);
        inbox.hired += usize::from(short);
        short
    }

    /// Whether the group has given its answer.
    pub(super) fn is_closed(&self) -> bool {
        self.inbox.lock().closed
    }

    /// The next task of an active runner that has ended `ended` tasks since it asked last. `lingers`: it may wait for more to come.
    /// `lingering`: it has been told so, and nobody else is meanwhile.
    #[inline]
    pub(super) fn next(&self, ended: u64, lingers: bool, lingering: &mut bool) -> Next<J> {
        let mut outbox = self.outbox.lock();
        let waiters = count(&mut outbox, ended);
        let lingered = mem::take(lingering);
        if !lingered {
            if let Some(job) = outbox.jobs.pop_front() {
                drop(outbox);
                unpark(waiters);
                return Next::Run { job, refill: None, hire: 0 };
            }
        }
        let mut inbox = self.inbox.lock();
        inbox.seen = outbox.ended;
        let there = inbox.jobs.len();
        let next = if lingered {
            inbox.lingering = false;
            None
        } else if there < REFILL && inbox.lingering {
            Some(Next::Leave) // who lingers comes for them
        } else if there < REFILL && lingers {
            inbox.lingering = true;
            *lingering = true;
            Some(Next::Linger)
        } else {
            None
        };
        let next = next.unwrap_or_else(|| {
            if outbox.jobs.is_empty() {
                mem::swap(&mut outbox.jobs, &mut inbox.jobs);
            }
            let Some(job) = outbox.jobs.pop_front() else { return Next::Leave };
            // Nobody was hired for what came while a runner lingered, so all that may be are, at once: the tasks may wait for each other.
            let free = self.limit.saturating_sub(inbox.runners());
            let hire = if inbox.lingering { 0 } else { free.min(outbox.jobs.len() + inbox.jobs.len()) };
            inbox.hired += hire;
            Next::Run { job, refill: Some(there), hire }
        });
        inbox.active -= usize::from(matches!(next, Next::Leave));
        // Who lingers may not come for long, and who is hired may lie behind what others have queued: the place is a helper's to take.
        let is_one_free = match &next {
            Next::Leave => !is_empty(&outbox, &inbox),
            Next::Run { hire, .. } => *hire > 0,
            Next::Linger => false,
        };
        let helpers = if is_one_free { mem::take(&mut inbox.helpers) } else { Vec::new() };
        drop(inbox);
        drop(outbox);
        unpark(waiters);
        unpark(helpers);
        next
    }

    /// An active helper that has ended a task goes; who waits will see whether there is more.
    pub(super) fn leave(&self) {
        let (mut outbox, mut inbox) = self.both();
        inbox.active -= 1;
        let waiters = count(&mut outbox, 1);
        // Its place is theirs to take, should it not come back.
        let helpers = if is_empty(&outbox, &inbox) { Vec::new() } else { mem::take(&mut inbox.helpers) };
        drop((outbox, inbox));
        unpark(waiters);
        unpark(helpers);
    }

    /// An active helper goes, and puts back the task that it took and may not run.
    pub(super) fn put_back(&self, job: J) {
        let (mut outbox, mut inbox) = self.both();
        outbox.jobs.push_front(job);
        inbox.active -= 1;
        // They may hold no permit of the kind, and its place is theirs to take.
        let helpers = mem::take(&mut inbox.helpers);
        drop((outbox, inbox));
        unpark(helpers);
    }

    /// Counts ends of tasks that no runner ran.
    pub(super) fn end(&self, ended: u64) {
        let waiters = count(&mut self.outbox.lock(), ended);
        unpark(waiters);
    }

    /// Takes out all tasks that have not started. They are to be dropped, and then counted by [`end_unrun`](Self::end_unrun).
    pub(super) fn purge(&self) -> VecDeque<J> {
        let (mut outbox, mut inbox) = self.both();
        let mut jobs = mem::take(&mut outbox.jobs);
        jobs.append(&mut inbox.jobs);
        outbox.given_up += jobs.len() as u64;
        jobs
    }

    /// Counts the ends of tasks that were taken out to be dropped; `record` says so where outcomes are kept, at the same moment for
    /// whoever asks what is [waiting](Self::waiting).
    pub(super) fn end_unrun(&self, tasks: u64, record: impl FnOnce()) {
        let mut outbox = self.outbox.lock();
        record();
        outbox.given_up -= tasks;
        let waiters = count(&mut outbox, tasks);
        drop(outbox);
        unpark(waiters);
    }

    pub(super) fn both(&self) -> (MutexGuard<'_, Outbox<J>>, MutexGuard<'_, Inbox<J>>) {
        let outbox = self.outbox.lock();
        (outbox, self.inbox.lock())
    }
}

pub(super) fn is_empty<J>(outbox: &Outbox<J>, inbox: &Inbox<J>) -> bool {
    inbox.jobs.is_empty() && outbox.jobs.is_empty()
}

/// Counts ends; who is to be unparked.
fn count<J>(outbox: &mut Outbox<J>, ended: u64) -> Vec<Thread> {
    outbox.ended += ended;
    if outbox.ended < outbox.wake_at {
        return Vec::new();
    }
    outbox.wake_at = u64::MAX;
    mem::take(&mut outbox.waiters)
}

pub(super) fn unpark(threads: Vec<Thread>) {
    for thread in threads {
        thread.unpark();
    }
}
