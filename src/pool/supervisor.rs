//! The thread that watches a pool: it applies the adaptive size, and tells of tasks that take too long.
//!
//! A pool has one only if its builder asked for either; it sleeps between its looks and ends with the pool.
//!
//! It only tries the roster: whoever has it is changing the size, or ends the pool. The hook may wait for it, so nobody joins this thread
//! with the roster in hand.

use std::sync::Arc;
use std::time::Duration;

use super::adaptive::{AdaptiveSize, Controller, Sample};
use super::core::Core;
use super::seat::Guest;
use super::snapshot::RunningTask;
use super::threads::Threads;
use crate::panics;
use crate::sync::time::{self, Instant};

/// How often tasks are looked at within the time that they may take.
const LOOKS: u32 = 4;

/// Tasks are not looked at more often than this.
const SHORTEST_TICK: Duration = Duration::from_millis(1);

/// Called with a task that takes longer than it should.
pub(super) type SlowHook<'env> = dyn Fn(&RunningTask) + Send + Sync + 'env;

/// What is watched.
#[derive(Clone, Default)]
pub(super) struct Watch<'env> {
    pub(super) size: Option<AdaptiveSize>,
    pub(super) slow: Option<(Duration, Arc<SlowHook<'env>>)>,
}

impl Watch<'_> {
    pub(super) fn is_needed(&self) -> bool {
        self.size.is_some() || self.slow.is_some()
    }

    fn tick(&self) -> Duration {
        let slow = self.slow.as_ref().map(|(limit, _)| (*limit / LOOKS).max(SHORTEST_TICK));
        let size = self.size.as_ref().map(|size| size.tick);
        slow.into_iter().chain(size).min().unwrap_or(Duration::MAX)
    }
}

/// The whole life of the supervisor. `workers`: how many the pool was built with; it may have been resized since.
pub(super) fn supervise(core: &Core<'_>, threads: &Threads<'_>, watch: &Watch<'_>, workers: usize) {
    let controller = watch.size.and_then(|size| Controller::new(size).ok()).map(|mut controller| {
        controller.decide(&Sample { workers, ..Sample::default() });
        controller
    });
    let mut sizing = controller.map(|controller| Sizing::new(core, controller));
    let mut told = Vec::new();
    let tick = watch.tick();
    loop {
        let until = time::now().checked_add(tick);
        if core.gate.leavers.wait(until, || core.gate.is_finished()) {
            return;
        }
        if let Some(sizing) = &mut sizing {
            sizing.look(core, threads);
        }
        if let Some((limit, hook)) = &watch.slow {
            tell(core, *limit, hook, &mut told);
        }
    }
}

/// Calls the hook for each task that runs for longer than `limit` and was not told of.
fn tell(core: &Core<'_>, limit: Duration, hook: &Arc<SlowHook<'_>>, told: &mut Vec<(Option<usize>, u64)>) {
    let slow: Vec<_> = core.running().into_iter().filter(|(task, _)| task.elapsed() >= limit).collect();
    told.retain(|before| slow.iter().any(|(task, since)| *before == (task.worker(), *since)));
    for (task, since) in slow {
        let this = (task.worker(), since);
        if told.contains(&this) {
            continue;
        }
        told.push(this);
        let name = || format!("hook of slow tasks of pool {}", core.gate.name);
        // It cannot wait for the pool or join its threads: this is one of them.
        let _guest = Guest::of(&core.gate);
        if let Err(panic) = panics::catch(name, || hook(&task)) {
            core.gate.note_panic(panic);
        }
    }
}

/// The adaptive size: measures, asks, applies.
struct Sizing {
    controller: Controller,
    at: Instant,
    idle: Duration,
    there: Duration,
    started: u64,
}

impl Sizing {
    fn new(core: &Core<'_>, controller: Controller) -> Self {
        let (there, idle) = core.gate.meters.sums(core.gate.running.now());
        let started = core.gate.counters.totals().started;
        Self { controller, at: time::now(), idle, there, started }
    }

    fn look(&mut self, core: &Core<'_>, threads: &Threads<'_>) {
        let measured = self.measure(core);
        let target = self.controller.decide(&measured);
        if target != measured.workers {
            // Whoever holds it is changing the size, or ends the pool: then this look is one too many.
            if let Some(mut roster) = threads.try_roster() {
                // A thread that cannot be had is seen at the next look, and the controller gives up on it.
                let _ = threads.apply(&mut roster, core, target);
            }
        } else if let Some(mut roster) = threads.try_roster() {
            Threads::collect(&mut roster, core);
            core.gate.want(0); // it has what it wants, also where it has given up on more
        }
    }

    /// What happened since the last time.
    fn measure(&mut self, core: &Core<'_>) -> Sample {
        let now = time::now();
        let elapsed = now.saturating_duration_since(self.at);
        let (there, idle) = core.gate.meters.sums(core.gate.running.now());
        let started = core.gate.counters.totals().started;
        // Workers that left took their times along: what is missing then counts as not busy.
        let busy = there.saturating_sub(self.there).saturating_sub(idle.saturating_sub(self.idle));
        let busy_milli = busy.as_nanos() * 1000 / elapsed.as_nanos().max(1);
        let measurement = Sample {
            elapsed,
            workers: core.workers(),
            queued: core.takeable(),
            busy_milli: u64::try_from(busy_milli).unwrap_or(u64::MAX),
            started: started.saturating_sub(self.started),
        };
        (self.at, self.there, self.idle, self.started) = (now, there, idle, started);
        measurement
    }
}
