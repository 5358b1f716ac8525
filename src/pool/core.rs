//! The queue of a pool, and the moves of a task into it and out of it.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use super::control::Control;
use super::desk::Desk;
use super::distribution::Distribution;
use super::error::Refusal;
use super::gate::{Gate, Phase};
use super::key_lines::Keys;
use super::lanes::{Lanes, Ready};
use super::queue::{Crew, Next, Queue, Taken};
use super::rules::Rules;
use super::saturation::Saturation;
use super::seat::{Guest, Inline, Seat};
use super::site::{PanicHook, Site};
use super::task::{Entry, Queued, Run, drop_quietly, take_up};
use crate::cancel::CancellationToken;
use crate::policy::RateLimiter;
use crate::sync::Mutex;
use crate::sync::atomic::AtomicU32;
use crate::sync::hint;
use crate::sync::time::{self, Instant};
use crate::wakeup::Until;

/// How long a submitter looks for space before it sleeps, where tasks are short.
const SPACE_SPIN: Duration = Duration::from_micros(10);

/// What an entry of the queue stands for.
#[derive(Clone, Copy)]
pub(super) struct Load {
    pub(super) tasks: usize,
    pub(super) places: usize,
}

impl Load {
    pub(super) const ONE: Self = Self { tasks: 1, places: 1 };
    /// A task that is let in although the queue is full.
    pub(super) const BEYOND: Self = Self { tasks: 1, places: 0 };
}

/// Apart from other allocations' lines: handles count their references to it, while workers read what is inside.
#[repr(align(128))]
pub(super) struct Core<'env> {
    pub(super) gate: Arc<Gate>,
    pub(super) queue: Queue<Entry<'env>>,
    pub(super) saturation: Saturation,
    pub(super) on_panic: Option<Arc<PanicHook<'env>>>,
    /// Whether the end of a task may let another one start, because of a cap.
    has_caps: bool,
    pub(super) keys: Keys<'env>,
    /// The rate of the whole pool.
    pub(super) rate: Option<RateLimiter>,
    /// Held from taking a task that has a rate until it may start or is back in its place: a worker with a later one must not ask for a
    /// permit in between. Before the queue's lock.
    turn: Mutex<()>,
    /// By limiter: what is called when its clock is moved by hand. Only limiters in tests have such clocks.
    pub(super) listeners: Mutex<HashMap<u64, Arc<dyn Fn() + Send + Sync>>>,
    /// `None` once nobody can ask for them.
    pub(super) returned: Mutex<Option<Vec<Queued<'env>>>>,
    /// How many waits in a row ended only when the waiter gave its core away, see `handle`.
    pub(super) yielded: AtomicU32,
}

/// Why a task is not in the queue.
pub(super) enum NotIn<'env> {
    /// There is no space for it.
    Full(Queued<'env>, Refusal),
    /// The pool does not take it.
    Refused(Refusal),
}

impl<'env> Core<'env> {
    pub(super) fn new(gate: Gate, rules: Rules<'env>) -> Self {
        let Rules { saturation, distribution, ageing, caps, key_bound, on_key_failure, on_panic, rate } =
            rules;
        let has_caps = !caps.is_empty();
        let crew = (distribution != Distribution::Shared).then(|| Crew::new(distribution, ageing));
        Self {
            keys: Keys::new(key_bound.unwrap_or(gate.bound.div_ceil(4)), on_key_failure),
            queue: Queue::new(gate.bound, Lanes::new(ageing, caps), crew, has_caps || rate.is_some()),
            rate,
            turn: Mutex::new(()),
            listeners: Mutex::new(HashMap::new()),
            gate: Arc::new(gate),
            saturation,
            on_panic,
            has_caps,
            returned: Mutex::new(Some(Vec::new())),
            yielded: AtomicU32::new(0),
        }
    }

    /// Where a task runs: on that worker, or on a thread that is none.
    pub(super) fn site<'a>(&'a self, seat: Option<&'a Seat>) -> Site<'a> {
        let line = seat.map(|seat| self.gate.counters.line(seat.worker()));
        Site {
            gate: &self.gate,
            seat,
            line,
            running: None,
            on_panic: self.on_panic.as_deref().map(|hook| hook as &PanicHook<'a>),
        }
    }

    /// Offers a task to the queue. `control`: the task's; whoever made the task has it without asking.
    #[inline]
    pub(super) fn offer(
        &self,
        task: Queued<'env>,
        control: Option<&Control>,
        load: Load,
    ) -> Result<(), NotIn<'env>> {
        if control.is_some_and(|control| control.key().is_some()) {
            return self.offer_keyed(task);
        }
        let place = control.map(Control::place);
        let queued_at = self.gate.stamp();
        let mut store = self.queue.lock();
        if self.gate.phase() != Phase::Open {
            return Err(NotIn::Refused(Refusal::Closed));
        }
        if load.places > 0 && !self.queue.has_room(&mut store, load.places) {
            return Err(NotIn::Full(task, Refusal::Full));
        }
        let number = self.gate.counters.submit(load.tasks as u64);
        if load.places > 1 {
            self.queue.reserve(load.places - 1);
        }
        let owner = self.queue.push(&mut store, place, || None, number, Entry { task, queued_at });
        drop(store);
        self.gate.bells.ring(owner);
        Ok(())
    }

    /// Counts a task that does not go through the queue; its number.
    pub(super) fn admit(&self) -> Result<u64, Refusal> {
        let _store = self.queue.lock();
        if self.gate.phase() == Phase::Open { Ok(self.gate.counters.submit(1)) } else { Err(Refusal::Closed) }
    }

    /// Moves on to `phase`, if the pool is not there yet. Under the queue's lock: see `gate`, invariant 2.
    pub(super) fn advance(&self, phase: Phase) {
        let store = self.queue.lock();
        self.gate.raise(phase);
        drop(store);
        self.hand_back_held();
        self.gate.announce();
    }

    /// Waits for space in the queue, until `given` is cancelled.
    #[cold]
    pub(super) fn wait_for_space(
        &self,
        task: Queued<'env>,
        load: Load,
        deadline: Option<Instant>,
        given: Option<&CancellationToken>,
    ) -> Result<(), Refusal> {
        let _registration = given.map(|token| {
            let gate = Arc::clone(&self.gate);
            token.wake_on_cancel(move || gate.space.offer_all())
        });
        if self.gate.tasks_are_short() {
            self.spin_for_space();
        }
        let mut held = Some(task);
        let cancelled = || self.gate.cancelled().or_else(|| given.and_then(CancellationToken::cause));
        let mut offer = || {
            let task = held.take()?;
            if let Some(cause) = cancelled() {
                return Some(Err(Refusal::Cancelled(cause)));
            }
            let control = Arc::clone(&task);
            match self.offer(task, control.control(), load) {
                Ok(()) => Some(Ok(())),
                Err(NotIn::Refused(refusal)) => Some(Err(refusal)),
                Err(NotIn::Full(task, _)) => {
                    held = Some(task);
                    None
                }
            }
        };
        loop {
            let until = deadline.into_iter().chain(given.and_then(CancellationToken::wake_at)).min();
            if let Some(answer) = self.gate.space.wait(until, &mut offer) {
                return answer;
            }
            if deadline.is_some_and(|deadline| deadline <= time::now()) {
                return Err(Refusal::TimedOut);
            }
        }
    }

    /// Runs a task on the thread that submits it, instead of queueing it; refuses if that thread is in too many such runs, or if its rate
    /// does not let it start before `deadline`, or before `given` is cancelled, which is a token beside its own.
    #[cold]
    pub(super) fn run_inline(
        &self,
        task: &Queued<'env>,
        seat: Option<&Seat>,
        deadline: Option<Instant>,
        given: Option<&CancellationToken>,
    ) -> Result<(), Refusal> {
        let Some(_inline) = Inline::enter() else { return Err(Refusal::Full) };
        if self.is_rated(task.control()) {
            self.admit_in_time(task, deadline, given)?;
        } else {
            self.admit_inline(task)?;
        }
        let name = task.control().and_then(|control| control.name());
        let caller = seat.is_none().then(|| (Guest::of(&self.gate), self.gate.running.call(name)));
        self.run_here(&**task, seat);
        drop(caller);
        self.gate.settle();
        Ok(())
    }

    pub(super) fn admit_inline(&self, task: &Queued<'env>) -> Result<(), Refusal> {
        if task.control().is_some_and(|control| control.key().is_some()) {
            self.admit_keyed(task)
        } else {
            self.admit().map(drop)
        }
    }

    /// Ends or runs a task on the calling thread, and lets the next one of its key go on; false if it was not queued any more.
    pub(super) fn run_here(&self, task: &(impl Run + ?Sized), seat: Option<&Seat>) -> bool {
        let ran = take_up(task, task.control(), self.site(seat));
        self.leave_key(task);
        ran
    }

    /// Short tasks make room sooner than a thread can go to sleep.
    fn spin_for_space(&self) {
        let until = time::now() + SPACE_SPIN;
        while !self.queue.is_roomy() && time::now() < until {
            hint::spin_loop();
        }
    }

    /// What a worker has at hand while it works.
    pub(super) fn desk<'a>(&'a self, seat: &'a Seat) -> Desk<'a, 'env> {
        let worker = seat.worker();
        let running = self.gate.running.line(worker);
        Desk {
            site: Site { running: Some(running), ..self.site(Some(seat)) },
            worker,
            running,
            rest: self.queue.rest(worker),
        }
    }

    /// The next task for a worker that has no rest of a batch, which may start as far as rates go; makes room known to blocked submitters. Ends the worker's search
    /// if it finds something.
    pub(super) fn next(&self, worker: usize, searching: &mut bool) -> Option<Taken<Entry<'env>>> {
        let mut turn = self.rate.is_some().then(|| self.turn.lock());
        loop {
            let next = self.queue.take(worker, turn.is_some(), || {
                if mem::replace(searching, false) {
                    self.gate.bells.of(worker).stop_searching();
                }
            });
            let taken = match next {
                Next::Task(taken) => taken,
                Next::Nothing => return None,
                Next::Rated => {
                    turn = Some(self.turn.lock());
                    continue;
                }
            };
            if taken.visit.more {
                self.gate.bells.ring(None);
            }
            let taken = if self.is_rated(taken.task.task.control()) {
                let Some(cleared) = self.clear(taken, worker) else { continue };
                cleared
            } else {
                taken
            };
            if turn.is_some() {
                self.queue.release(1); // the place that `take` kept; put back, it is the queue's again
            }
            self.gate.space.offer(|| taken.visit.roomy);
            return Some(taken);
        }
    }

    /// Ends a task that a worker took from the queue.
    pub(super) fn execute(&self, taken: Taken<Entry<'env>>, desk: &Desk<'_, 'env>) {
        let Taken { task, number, place, .. } = taken;
        self.run(number, task, desk);
        if let Some(place) = place.filter(|_| self.has_caps) {
            let mut store = self.queue.lock();
            let more = self.queue.ended(&mut store, place);
            drop(store);
            if more {
                self.gate.bells.ring(None);
            }
        }
    }

    /// Ends a task that no rate holds up: runs it, or what the pool's phase and the tokens say instead.
    #[inline]
    pub(super) fn run(&self, number: u64, entry: Entry<'env>, desk: &Desk<'_, 'env>) {
        let Entry { task, queued_at } = entry;
        let gate = &*self.gate;
        let phase = gate.phase();
        if phase == Phase::Stopping {
            self.hand_back(task, Some(desk.worker));
            return;
        }
        let control = task.control();
        let name = control.and_then(|control| control.name());
        let is_timed = gate.is_timed(number) && task.is_single();
        let is_stamped = is_timed || control.is_some() || phase != Phase::Open;
        let start = is_stamped.then(|| gate.running.now());
        desk.running.begin(start, name);
        let ran = take_up(&*task, control, desk.site);
        desk.running.end(name.is_some());
        if let Some(start) = start.filter(|_| is_timed && ran) {
            let waited = (queued_at != 0).then(|| start.saturating_sub(queued_at));
            gate.meters.record(desk.worker, waited, gate.running.now().saturating_sub(start));
        }
        if control.is_some() {
            self.leave_key(&*task);
        }
        // A detached task's result goes with it.
        drop_quietly(task);
    }

    /// What is in the queue and in the workers' batches, by priority.
    pub(super) fn queued_by_priority(&self) -> BTreeMap<i8, usize> {
        self.queue.levels(&mut self.queue.lock())
    }

    pub(super) fn queued(&self) -> usize {
        self.queue.places(&mut self.queue.lock())
    }

    /// How many tasks could start if there were more workers: none in a pause, and not those that wait for their key; none if all that is
    /// left waits for a rate or for a cap.
    pub(super) fn takeable(&self) -> usize {
        let mut store = self.queue.lock();
        store.reopen(self.gate.rates_version());
        // Where tasks belong to one worker each, a worker more gets those that come.
        let is_open = self.gate.bells.are_own() || matches!(self.queue.ready(&mut store, 0), Ready::Now);
        if self.gate.is_paused() || !is_open {
            return 0;
        }
        self.queue.places(&mut store) - store.reserved
    }

    /// Until when a worker may park: `None`, not at all, because there is something that it may take or has to see.
    pub(super) fn may_park(&self, worker: usize) -> Option<Until> {
        let mut store = self.queue.lock();
        let gate = &self.gate;
        if gate.is_crowded() || gate.is_finished() {
            return None;
        }
        if gate.is_paused() {
            return Some(Until::Woken);
        }
        store.reopen(gate.rates_version());
        match self.queue.ready(&mut store, worker) {
            Ready::Now => None,
            Ready::Never => Some(Until::Woken),
            Ready::At(instant) => Some(Until::Instant(instant)),
        }
    }

    /// Whether there is nothing for a worker, as far as can be seen without the lock.
    pub(super) fn looks_empty(&self) -> bool {
        self.gate.bells.are_own() || self.queue.is_empty()
    }
}

impl fmt::Debug for Core<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Core").field("gate", &self.gate).finish_non_exhaustive()
    }
}
