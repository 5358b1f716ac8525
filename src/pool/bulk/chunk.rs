//! Up to 64 tasks in one entry of the queue.
//!
//! A chunk pays once for what each task pays alone: the allocation, the way through the queue, the wake-up. What stays per task is
//! one short lock, or a share of one: while tasks take less than four microseconds, a worker takes several in its hand.
//!
//! # Invariants
//! 1. As long as tasks have not started, an entry is in sight: in the queue, in a worker's list (the worker that takes the entry
//!    lays it open again before it runs the first task, and so does one that gives tasks back), or in the hands of a worker that is
//!    about to do so. So a long task keeps nothing from idle workers but what is in the same hand, and a stopping pool finds what has not
//!    started. After each task a worker gives its hand back if others are idle or the tasks are not to start.
//! 2. The entry and `places` together are at least the places of the tasks that have not been taken into a hand.
//! 3. The end of a chunk's last task is counted under the batch's lock; see there.
//!
//! Lock order: `slots`, then the batch's. No code of the user runs under either.

use std::ops::Range;
use std::ptr;
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::super::control::Control;
use super::super::core::Core;
use super::super::counters::Outcome;
use super::super::error::{TaskError, UNNAMED};
use super::super::gate::Gate;
use super::super::seat::Seat;
use super::super::site::Site;
use super::super::task::{Run, drop_quietly};
use super::batch::Batch;
use super::slots::{self, HAND, Hand, Slots};
use crate::cancel::Cancelled;
use crate::panics::{self, Panic};
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::thread::Thread;
use crate::sync::time::{self, Instant};
use crate::trace::TaskSpan;

/// What a worker takes at most once it knows that tasks are short: the first alone, then more.
const HANDS: [usize; 3] = [1, 6, HAND];
/// Shorter tasks are taken several at once.
const SHORT: Duration = Duration::from_micros(1);
/// Shorter tasks than this are taken a few at once: the step in the middle.
const MEDIUM: Duration = Duration::from_micros(4);
/// About what it takes to wake a worker.
const WAKE: Duration = Duration::from_micros(20);

pub(super) struct Chunk<'env, F, T> {
    batch: Arc<Batch>,
    // Weak, both: the queue holds chunks, and so does the list of what was handed back.
    core: Weak<Core<'env>>,
    me: Weak<Self>,
    slots: Mutex<Slots<F, T>>,
    /// Asks who has tasks in hand to give them back; a hint, the rest is done under the lock.
    recalled: AtomicBool,
}

/// A chunk as the handle sees it.
pub(super) trait Part<T>: Run {
    /// Runs what has not started, on a worker that waits for it; whether there was anything.
    fn work_off(&self, site: Site<'_>) -> bool;
    /// Appends the results, once all are there.
    fn collect(&self, into: &mut Vec<Result<T, TaskError>>);
}

impl<'env, F: FnOnce() -> T + Send + 'env, T: Send + 'env> Chunk<'env, F, T> {
    /// `places`: how many places of the queue's bound the chunk takes.
    pub(super) fn new(core: &Arc<Core<'env>>, batch: &Arc<Batch>, tasks: Vec<F>, places: usize) -> Arc<Self> {
        batch.add();
        let slots = Mutex::new(Slots::new(tasks, places));
        Arc::new_cyclic(|me| Self {
            batch: Arc::clone(batch),
            core: Arc::downgrade(core),
            me: Weak::clone(me),
            slots,
            recalled: AtomicBool::new(false),
        })
    }

    /// The closures of a chunk that was not accepted, so that nobody else can have touched it.
    pub(super) fn reclaim(&self) -> Vec<F> {
        self.batch.end(|| ());
        self.slots.lock().reclaim()
    }

    fn entry(&self) -> Option<Arc<dyn Run + 'env>> {
        self.me.upgrade().map(|me| me as Arc<dyn Run + 'env>)
    }

    /// Runs tasks until none is left to start; false if none was. `in_sight`: whether the caller has the entry, and has to lay it open.
    fn run_all(&self, site: Site<'_>, in_sight: bool) -> bool {
        // A worker of the pool holds the core for as long as it lives.
        let Some(core) = self.core.upgrade() else { return false };
        let gate = site.gate;
        let (mut hand, mut results) = (Hand::with_capacity(HAND), Vec::with_capacity(HAND));
        let (mut open, mut step, mut any) = (false, 0, false);
        let mut start = time::now();
        while let Some(rest) = self.turn(&mut hand, &mut results, HANDS[step], &core, site) {
            if !any && in_sight && rest > 0 {
                open = self.lay_open(&core, site);
            } else if let (true, 0, Some(worker)) = (open, rest, site.worker()) {
                core.take_back(worker, |entry| ptr::addr_eq(Arc::as_ptr(entry), self));
                open = false;
            }
            any = true;
            let is_held = || in_sight && gate.is_paused() && !gate.bells.are_own();
            while let Some((index, work)) = hand.pop() {
                if let Some((_, result)) = results.last() {
                    let outcome = outcome_of(result);
                    gate.counters.end(outcome, site.line);
                    self.batch.span.count(1, || outcome.into());
                }
                gate.counters.start(site.line);
                if let Some(running) = site.running {
                    running.next();
                }
                let result = panics::catch(|| UNNAMED, work);
                if let Err(panic) = &result {
                    site.panicked(panic);
                }
                results.push((index, result.map_err(|panic| Box::new(TaskError::Panicked(panic)))));
                if !hand.is_empty() && self.is_wanted(gate, start) {
                    self.give_back(&mut hand, &core, site);
                }
            }
            if rest > 0 && is_held() {
                // The pool is paused: the results go down, and what has not started waits in sight.
                self.turn(&mut hand, &mut results, 0, &core, site);
                if !open {
                    self.lay_open(&core, site);
                }
                return true;
            }
            let end = time::now();
            let tasks = u32::try_from(results.len()).unwrap_or(u32::MAX).max(1);
            let took = end.saturating_duration_since(start) / tasks;
            if let Some(worker) = site.worker() {
                // One for all of the hand: they are short, or it is one.
                gate.meters.record(worker, None, u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
            }
            step = if took < SHORT { (step + 1).min(HANDS.len() - 1) } else { usize::from(took < MEDIUM) };
            start = end;
        }
        any
    }

    /// Whether somebody else wants what is left in a worker's hand: the tasks are not to start, or they have turned out longer than it
    /// takes to wake one of those who have nothing to do.
    fn is_wanted(&self, gate: &Gate, start: Instant) -> bool {
        self.recalled.load(Ordering::Relaxed)
            || gate.stop.is_cancelled()
            || (gate.bells.idle() > 0 && time::now().saturating_duration_since(start) > WAKE)
    }

    #[cold]
    fn give_back(&self, hand: &mut Hand<F>, core: &Core<'env>, site: Site<'_>) {
        let mut slots = self.slots.lock();
        slots.give_back(hand, site.worker());
        let (rest, cause) = (slots.rest(), slots.cause.clone());
        drop(slots);
        if let Some(cause) = cause {
            self.cancel(site.gate, site.worker(), cause);
        } else if rest > 0 {
            self.lay_open(core, site);
        }
    }

    /// Puts the entry into sight; false if the pool is stopping, and takes the tasks back instead.
    fn lay_open(&self, core: &Core<'env>, site: Site<'_>) -> bool {
        // On a thread that is no worker there is no list to lay it in: it goes through the tasks alone.
        let Some(worker) = site.worker() else { return false };
        let open = self.entry().is_some_and(|entry| core.lay_open(entry, worker));
        if !open {
            self.stop(core, site);
        }
        open
    }

    /// Puts down results and takes the next tasks, unless the rest is to be cancelled or handed back; how many are left in sight.
    fn turn(
        &self,
        hand: &mut Hand<F>,
        results: &mut Vec<(usize, slots::Outcome<T>)>,
        most: usize,
        core: &Core<'env>,
        site: Site<'_>,
    ) -> Option<usize> {
        let (gate, worker) = (site.gate, site.worker());
        let mut wake = None;
        // Before the lock: whoever sees a deadline pass that nobody watches may have to run the callbacks, which may ask for this batch.
        let stopped = gate.stop.is_cancelled();
        let mut slots = self.slots.lock();
        // The ends of all but the last were counted already.
        if let Some((_, last)) = results.last() {
            let outcome = outcome_of(last);
            slots.pending -= results.len() - 1;
            slots.put(results, worker);
            wake = self.count(&mut slots, 1, gate, outcome, worker);
        }
        if !stopped {
            slots.take(hand, most, worker);
        }
        let (rest, surplus) = (slots.rest(), slots.surplus());
        drop(slots);
        if let Some(thread) = wake {
            thread.unpark();
        }
        core.release(surplus);
        if stopped && rest > 0 {
            self.stop(core, site);
        }
        (!hand.is_empty()).then_some(rest)
    }

    /// Ends what has not started: the pool's token is cancelled, or the pool is stopping.
    #[cold]
    fn stop(&self, core: &Core<'env>, site: Site<'_>) {
        match site.gate.cancelled() {
            Some(cause) => _ = self.cancel(site.gate, site.worker(), cause),
            None => {
                if let Some(entry) = self.entry() {
                    core.hand_back(entry, site.worker());
                }
            }
        }
    }

    /// Counts the ends of `tasks`; whom to unpark.
    fn count(
        &self,
        slots: &mut Slots<F, T>,
        tasks: usize,
        gate: &Gate,
        outcome: Outcome,
        worker: Option<usize>,
    ) -> Option<Thread> {
        slots.pending -= tasks;
        self.batch.span.count(tasks, || outcome.into());
        let line = worker.map(|worker| gate.counters.line(worker));
        let count = || (0..tasks).for_each(|_| gate.counters.end(outcome, line));
        if slots.pending > 0 {
            count();
            return None;
        }
        self.batch.end(count)
    }

    /// Ends what has not started; `end` says how many that were.
    fn end_rest<R>(
        &self,
        gate: &Gate,
        worker: Option<usize>,
        outcome: Outcome,
        end: impl FnOnce(&mut Slots<F, T>) -> (usize, R),
    ) -> (usize, R) {
        self.recalled.store(true, Ordering::Relaxed);
        let mut slots = self.slots.lock();
        let (count, kept) = end(&mut slots);
        if count > 0 {
            let wake = self.count(&mut slots, count, gate, outcome, worker);
            let surplus = slots.surplus();
            drop(slots);
            if let Some(thread) = wake {
                thread.unpark();
            }
            if let Some(core) = self.core.upgrade() {
                core.release(surplus);
            }
        }
        (count, kept)
    }
}

impl<'env, F: FnOnce() -> T + Send + 'env, T: Send + 'env> Run for Chunk<'env, F, T> {
    fn run(&self, site: Site<'_>) -> bool {
        self.batch.span.run(|| self.run_all(site, true))
    }

    fn cancel(&self, gate: &Gate, worker: Option<usize>, cause: Cancelled) -> bool {
        let name: Arc<str> = Arc::from(UNNAMED);
        let (count, closures) = self.end_rest(gate, worker, Outcome::Cancelled, |slots| {
            let cause = slots.cause.get_or_insert(cause).clone();
            let closures =
                slots.refuse(|| TaskError::Cancelled { name: Arc::clone(&name), cause: cause.clone() });
            (closures.len(), closures)
        });
        closures.into_iter().for_each(drop_quietly);
        count > 0
    }

    fn hand_back(&self, gate: &Gate, worker: Option<usize>) -> Option<TaskSpan> {
        let (count, ()) = self.end_rest(gate, worker, Outcome::Returned, |slots| (slots.hand_back(), ()));
        (count > 0).then_some(TaskSpan::NONE) // the batch's goes on
    }

    fn run_returned(&self, part: usize, _seat: Option<&Seat>) -> Result<(), Panic> {
        let work = self.slots.lock().returned.get_mut(part).and_then(|(_, work)| work.take());
        work.map_or(Ok(()), |work| panics::catch(|| UNNAMED, || drop(work())))
    }

    fn discard_returned(&self, part: usize) {
        let work = self.slots.lock().returned.get_mut(part).and_then(|(_, work)| work.take());
        drop_quietly(work);
    }

    fn returned_parts(&self) -> Range<usize> {
        self.slots.lock().give_out()
    }

    fn control(&self) -> Option<&Control> {
        None
    }

    fn is_single(&self) -> bool {
        false
    }

    fn is_over(&self) -> bool {
        self.slots.lock().pending == 0
    }

    fn is_queued(&self) -> bool {
        self.slots.lock().rest() > 0
    }

    fn runs_on(&self, worker: usize) -> bool {
        self.slots.lock().is_held_by(worker)
    }
}

impl<'env, F: FnOnce() -> T + Send + 'env, T: Send + 'env> Part<T> for Chunk<'env, F, T> {
    fn work_off(&self, site: Site<'_>) -> bool {
        match site.gate.cancelled() {
            Some(cause) => self.cancel(site.gate, site.worker(), cause),
            None => self.batch.span.run(|| self.run_all(site, false)),
        }
    }

    fn collect(&self, into: &mut Vec<Result<T, TaskError>>) {
        into.extend(self.slots.lock().collect(|| TaskError::Returned { name: Arc::from(UNNAMED) }));
    }
}

fn outcome_of<T>(result: &slots::Outcome<T>) -> Outcome {
    if result.is_ok() { Outcome::Succeeded } else { Outcome::Panicked }
}

#[cfg(all(test, not(any(gristmill_shuttle, gristmill_loom))))]
mod tests {
    use std::rc::Rc;

    use super::super::super::Submitter;
    use super::super::super::rules::Rules;
    use super::*;
    use crate::CancellationToken;
    use crate::sync::{fault, thread};

    #[test]
    fn callback_of_a_deadline_that_a_worker_sees_between_two_tasks_may_cancel_the_batch() {
        let _fault = fault::fail_every_spawn(); // so callbacks run in the thread that sees the deadline
        // Where time passes faster than this thread gets on, with more of it.
        let submitted = (0..10).find_map(|attempt| {
            let token = CancellationToken::unwatched(Duration::from_millis(20 << attempt));
            let at = token.deadline().expect("it has one");
            let gate = Gate::new(Arc::from("unmanned"), 64, Duration::ZERO, Some(token.clone()), false);
            let core = Arc::new(Core::new(gate, Rules::default()));
            core.seat(0);
            let until_late = move || {
                while time::now() < at {
                    thread::yield_now();
                }
            };
            let batch = Submitter::<()>::new(Arc::clone(&core)).submit_many(vec![until_late; 3]).ok()?;
            Some((token, core, batch))
        });
        let (token, core, batch) = submitted.expect("ten seconds are enough");
        let batch = Arc::new(batch);
        let same = Arc::clone(&batch);
        token.on_cancel(move |_| _ = same.cancel()).detach();
        let chunk = core.next(0, &mut false).expect("it was queued");
        let seat = Seat::new(Arc::clone(&core.gate), 0, Rc::new(()));
        core.execute(chunk, &core.desk(&seat));
        let results = Arc::into_inner(batch).expect("it was called").wait();
        assert!(matches!(results[2], Err(TaskError::Cancelled { .. })));
    }
}
