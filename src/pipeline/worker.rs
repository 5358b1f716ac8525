//! One worker's loop: take the work that is furthest downstream, look again for a moment, sleep.

use std::ops::ControlFlow;
use std::sync::Arc;

use crate::sync::atomic::Ordering;
use crate::sync::time::{self, Duration, Instant};
use crate::sync::{hint, thread};

use super::logbook::Logbook;
use super::run::Run;
use super::run_end::RunEnd;
use super::step::StepContext;
use crate::trace::RunSpans;
use crate::wakeup::Until;

/// Looks for work before parking; every eighth gives the core away. (Measured: 1, 64 and 1000 looks cost 10.7, 10.1 and 9.5 ns
/// per item for ten-nanosecond items on two cores; on one core 64 do no harm.)
/// Under a model checker every look is a step, and two show all that many would.
const LOOKS: u32 = if cfg!(any(gristmill_shuttle, gristmill_loom)) { 2 } else { 64 };

/// The look at which an idle worker notes why: not at the first, so that one that finds work at once pays nothing.
const LOOK_AROUND: u32 = if LOOKS < 8 { 1 } else { 8 };

/// What one worker keeps for a run.
#[derive(Debug)]
pub struct Worker {
    names: Arc<[String]>,
    /// The thread that owns a thread-bound sink; it parks in a place of its own.
    owner: bool,
    searching: bool,
    /// The last reading of the clock; passed on so that the clock is read once per event.
    pub(super) now: Instant,
    pub(super) idle: Duration,
    /// When something is to be done that waits for its time, as the worker saw it on its way to the source; and how many stirs it
    /// can have seen.
    pub(super) due: Option<Instant>,
    stirs: usize,
    /// How many there had been when it last looked everywhere in vain.
    seen: usize,
    /// It knows that something is to be done that waits for its time, and would see to it.
    pub(super) minds: bool,
    pub(super) step: StepContext,
    /// Failures by stage.
    pub(super) failed: Vec<u64>,
    /// Panics by stage.
    pub(super) panicked: Vec<u64>,
    pub(super) log: Logbook,
}

impl Worker {
    pub(super) fn new(names: Arc<[String]>, owner: bool, end: RunEnd, spans: RunSpans, log: Logbook) -> Self {
        let stages = names.len();
        Self {
            names,
            owner,
            searching: false,
            now: time::now(),
            idle: Duration::ZERO,
            due: None,
            stirs: 0,
            seen: 0,
            minds: false,
            step: StepContext::new(stages, end, spans),
            failed: vec![0; stages],
            panicked: vec![0; stages],
            log,
        }
    }

    /// Whether this thread alone runs the sink.
    pub(super) fn is_owner(&self) -> bool {
        self.owner
    }

    pub(super) fn stage_name(&self, stage: usize) -> String {
        self.names[stage].clone()
    }

    /// Notes that something is to be done then.
    pub(super) fn is_due(&mut self, due: Instant) {
        self.due = Some(self.due.map_or(due, |earliest| earliest.min(due)));
    }

    /// Whether something has stirred since it began to look: it may not know what is due.
    pub(super) fn is_behind<E>(&self, run: &Run<E>) -> bool {
        run.stirs.load(Ordering::SeqCst) != self.stirs
    }

    /// Called with work in hand, before user code runs: from here on nobody may count on this worker to look for work.
    #[inline]
    pub(super) fn found<E>(&mut self, run: &Run<E>) {
        if self.searching {
            self.end_search(run);
        } else if self.minds {
            self.leave_to_others(run);
        }
    }

    /// It will not see in time to what is due: another one is to look at everything, and finds out when that is.
    pub(super) fn leave_to_others<E>(&mut self, run: &Run<E>) {
        self.minds = false;
        run.call_one();
    }

    fn end_search<E>(&mut self, run: &Run<E>) {
        self.searching = false;
        let now = time::now();
        self.idle += now.saturating_duration_since(self.now);
        self.now = now;
        self.log.end_idle(now);
        let place = if self.owner { &run.owner } else { &run.sleepers };
        place.found(|| false);
        // Who saw it search has not called anybody out of the source.
        run.call_for_work();
        // And what it should have looked for may have rung nobody, because it was searching.
        if self.minds || run.stirs.load(Ordering::SeqCst) != self.seen {
            self.leave_to_others(run);
        }
    }

    /// Works until the run has ended, or until `work` breaks off. `work` says whether it did something; `ready` says whether there
    /// is something that only this worker can do.
    pub(super) fn work<E, R>(
        &mut self,
        run: &Run<E>,
        mut work: impl FnMut(&mut Self) -> ControlFlow<R, bool>,
        ready: impl Fn() -> bool,
    ) -> Option<R> {
        let mut looks = 0;
        let mut result = None;
        while !run.finished() && !run.stopped() {
            self.log.sample(run, self.now);
            (self.due, self.stirs) = (None, run.stirs.load(Ordering::SeqCst));
            match work(self) {
                ControlFlow::Continue(true) => {
                    looks = 0;
                    // Not while it searches: others count on it to look for work.
                    if !self.searching && self.log.check(run, self.now) {
                        self.now = time::now(); // no stage's time
                    }
                    continue;
                }
                ControlFlow::Continue(false) => (self.seen, self.minds) = (self.stirs, self.due.is_some()),
                ControlFlow::Break(value) => {
                    result = Some(value);
                    break;
                }
            }
            let place = if self.owner { &run.owner } else { &run.sleepers };
            if !self.searching {
                self.searching = true;
                place.start_searching();
            }
            looks += 1;
            if looks == LOOK_AROUND {
                self.log.look_around(run, self.now, time::now());
            }
            if looks < LOOKS {
                if looks % 8 == 0 {
                    thread::yield_now();
                } else {
                    for _ in 0..16 {
                        hint::spin_loop();
                    }
                }
                continue;
            }
            looks = 0;
            place.park_until(|| {
                let work = if self.owner { run.has_work_for_owner() } else { run.has_work() };
                let nothing =
                    !run.must_stop() && !run.finished() && !work && !self.is_behind(run) && !ready();
                nothing.then(|| {
                    run.hungry.store(true, Ordering::Relaxed);
                    self.due.map_or(Until::Woken, Until::Instant)
                })
            });
        }
        if self.searching {
            self.end_search(run);
        }
        result
    }
}
