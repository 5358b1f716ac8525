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
//! 3. While a task is queued, some runner is hired or active, or [`Line::unhired`] and [`Line::push`] have told a caller that none is.
//! 4. Whoever parks has put itself into `waiters`, under both locks, after it saw that it has to, and has set `wake_at` to no more than the
//!    number of ends that it waits for. The runner that counts that end unparks all waiters.
//! 5. `seen` is a number of ends that was true once; so what a spawner takes for room is room.
//!
//! Lock order: `outbox`, `inbox`. No code of the user runs under either.

use std::collections::VecDeque;
use std::mem;

use crate::sync::thread::{self, Thread};
use crate::sync::{Mutex, MutexGuard, Padded};

/// From here on tasks are taken at once, although more may be about to come.
const REFILL: usize = 32;

#[derive(Debug)]
struct Inbox<J> {
    jobs: VecDeque<J>,
    spawned: u64,
    /// What `ended` was when it was last looked at.
    seen: u64,
    /// Runners that were asked for and have not started.
    hired: usize,
    active: usize,
    /// Whether a runner is about to come back.
    lingering: bool,
    /// Whether the group has given its answer.
    closed: bool,
    /// Threads that wait for the group and can run its tasks.
    helpers: Vec<Thread>,
}

#[derive(Debug)]
struct Outbox<J> {
    jobs: VecDeque<J>,
    ended: u64,
    /// How many tasks must have ended for somebody to look again.
    wake_at: u64,
    waiters: Vec<Thread>,
}

#[derive(Debug)]
pub(super) struct Line<J> {
    limit: usize,
    queue_bound: usize,
    inbox: Padded<Mutex<Inbox<J>>>,
    outbox: Padded<Mutex<Outbox<J>>>,
}

/// Why a task did not get in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotIn {
    Full,
    Closed,
}

/// What a task that got in needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hire {
    Nobody,
    /// One more runner, which is counted as hired already.
    OneMore,
    /// As [`OneMore`](Self::OneMore), and there is no other.
    TheOnly,
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

/// What somebody who waits for the group does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    Quiet,
    /// Runs tasks; it is counted as active already.
    Help,
    /// Parks; it will be unparked.
    Park,
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
        let outbox = Outbox { jobs: VecDeque::new(), ended: 0, wake_at: u64::MAX, waiters: Vec::new() };
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

    /// Takes in the task that `make` makes with its index, if there is room. `make` runs under a lock.
    pub(super) fn push(&self, make: impl FnOnce(u64) -> J) -> Result<Hire, NotIn> {
        let mut inbox = self.inbox.lock();
        self.admit(&inbox)?;
        let index = inbox.spawned;
        inbox.spawned += 1;
        inbox.jobs.push_back(make(index));
        let hire = match inbox.hired.saturating_add(inbox.active) {
            _ if inbox.lingering => Hire::Nobody,
            0 => Hire::TheOnly,
            there if there < self.limit => Hire::OneMore,
            _ => Hire::Nobody,
        };
        inbox.hired += usize::from(hire != Hire::Nobody);
        let helpers = mem::take(&mut inbox.helpers);
        drop(inbox);
        unpark(helpers);
        Ok(hire)
    }

    fn admit(&self, inbox: &Inbox<J>) -> Result<(), NotIn> {
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

    /// What a spawner that found no room does. `helps`: it may run tasks.
    pub(super) fn wait_for_room(&self, helps: bool) -> Wait {
        let (mut outbox, mut inbox) = self.both();
        inbox.seen = outbox.ended;
        if self.admit(&inbox) != Err(NotIn::Full) {
            return Wait::Quiet;
        }
        if helps && self.takes_helper(&outbox, &mut inbox) {
            return Wait::Help;
        }
        // A wake-up per task costs more than the task: all spawners are woken when the queue is half empty.
        let roomy = self.limit.saturating_add(self.queue_bound / 2) as u64;
        let at = inbox.spawned.saturating_sub(roomy).max(outbox.ended + 1);
        watch(&mut outbox, &mut inbox, at, helps);
        Wait::Park
    }

    /// Whether a wait for room may have to be looked at in between, because it is woken late on purpose.
    pub(super) fn naps(&self) -> bool {
        self.queue_bound > 1
    }

    /// What somebody who waits for the end of all tasks does; closes the group if that has come.
    pub(super) fn wait_for_quiet(&self, helps: bool, parks: bool) -> Wait {
        let (mut outbox, mut inbox) = self.both();
        if outbox.ended == inbox.spawned {
            inbox.closed = true;
            return Wait::Quiet;
        }
        if helps && self.takes_helper(&outbox, &mut inbox) {
            return Wait::Help;
        }
        if parks {
            let at = inbox.spawned;
            watch(&mut outbox, &mut inbox, at, helps);
        }
        Wait::Park
    }

    fn takes_helper(&self, outbox: &Outbox<J>, inbox: &mut Inbox<J>) -> bool {
        let helps = inbox.active < self.limit && !is_empty(outbox, inbox);
        inbox.active += usize::from(helps);
        helps
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
        inbox.hired + inbox.active == 0 && !is_empty(&outbox, &inbox)
    }

    /// Asks for a runner if tasks are queued and there may be one more; it is counted as hired then.
    pub(super) fn is_short_handed(&self) -> bool {
        let (outbox, mut inbox) = self.both();
        let short = self.wants_more(&outbox, &inbox);
        inbox.hired += usize::from(short);
        short
    }

    /// As [`is_short_handed`](Self::is_short_handed), and nobody is hired.
    pub(super) fn remains_short_handed(&self) -> bool {
        let (outbox, inbox) = self.both();
        self.wants_more(&outbox, &inbox)
    }

    fn wants_more(&self, outbox: &Outbox<J>, inbox: &Inbox<J>) -> bool {
        inbox.hired.saturating_add(inbox.active) < self.limit && !inbox.lingering && !is_empty(outbox, inbox)
    }

    /// Whether the group has given its answer.
    pub(super) fn is_closed(&self) -> bool {
        self.inbox.lock().closed
    }

    /// Whether there is no runner.
    pub(super) fn is_unmanned(&self) -> bool {
        let inbox = self.inbox.lock();
        inbox.hired + inbox.active == 0
    }

    /// Has all who wait look again.
    pub(super) fn nudge(&self) {
        let mut outbox = self.outbox.lock();
        outbox.wake_at = u64::MAX;
        let waiters = mem::take(&mut outbox.waiters);
        drop(outbox);
        unpark(waiters);
    }

    /// The next task of an active runner that has ended `ended` tasks since it asked last. `lingers`: it may wait for more to come.
    /// `lingering`: it has been told so, and nobody else is meanwhile.
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
            let free = self.limit.saturating_sub(inbox.hired.saturating_add(inbox.active));
            let hire = if inbox.lingering { 0 } else { free.min(outbox.jobs.len() + inbox.jobs.len()) };
            inbox.hired += hire;
            Next::Run { job, refill: Some(there), hire }
        });
        inbox.active -= usize::from(matches!(next, Next::Leave));
        drop(inbox);
        drop(outbox);
        unpark(waiters);
        next
    }

    /// Counts ends of tasks that no runner ran.
    pub(super) fn end(&self, ended: u64) {
        let waiters = count(&mut self.outbox.lock(), ended);
        unpark(waiters);
    }

    /// Takes out all tasks that have not started. They are to be dropped, and then counted by [`end`](Self::end).
    pub(super) fn purge(&self) -> VecDeque<J> {
        let (mut outbox, mut inbox) = self.both();
        let mut jobs = mem::take(&mut outbox.jobs);
        jobs.append(&mut inbox.jobs);
        jobs
    }

    /// The calling thread does not wait any more.
    pub(super) fn forget(&self) {
        let me = thread::current().id();
        let (mut outbox, mut inbox) = self.both();
        outbox.waiters.retain(|waiter| waiter.id() != me);
        inbox.helpers.retain(|helper| helper.id() != me);
    }

    fn both(&self) -> (MutexGuard<'_, Outbox<J>>, MutexGuard<'_, Inbox<J>>) {
        let outbox = self.outbox.lock();
        (outbox, self.inbox.lock())
    }
}

fn is_empty<J>(outbox: &Outbox<J>, inbox: &Inbox<J>) -> bool {
    inbox.jobs.is_empty() && outbox.jobs.is_empty()
}

/// Has the calling thread unparked when `at` tasks have ended; a helper also when a task comes in.
fn watch<J>(outbox: &mut Outbox<J>, inbox: &mut Inbox<J>, at: u64, helps: bool) {
    let me = thread::current();
    outbox.wake_at = outbox.wake_at.min(at);
    if helps {
        inbox.helpers.retain(|helper| helper.id() != me.id());
        inbox.helpers.push(me.clone());
    }
    outbox.waiters.retain(|waiter| waiter.id() != me.id());
    outbox.waiters.push(me);
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

fn unpark(threads: Vec<Thread>) {
    for thread in threads {
        thread.unpark();
    }
}
