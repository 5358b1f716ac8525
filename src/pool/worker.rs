//! The life of one worker: start hook, state, tasks, state's end, stop hook.

use std::any::Any;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use super::core::Core;
use super::gate::Gate;
use super::pace::Pace;
use super::seat::Seat;
use super::task::drop_quietly;
use crate::panics::{self, Panic};
use crate::sync::{hint, thread};

/// How often a worker without work gives its core away before it parks. A parked worker costs a wake-up of several
/// microseconds, a spinning one takes tasks singly and fights for the queue: four yields were the best of what was
/// measured with two workers and with sixteen.
const YIELDS: u32 = 4;
/// How often it looks before that where one task comes at a time: then yielding may keep a worker and who waits for it on one core.
const SPINS: u32 = 128;

/// A hook that is told the worker's index.
pub(super) type Hook<'env> = Arc<dyn Fn(usize) + Send + Sync + 'env>;

/// What each worker does besides running tasks.
pub(super) struct Plan<'env, S> {
    pub(super) on_start: Option<Hook<'env>>,
    pub(super) on_stop: Option<Hook<'env>>,
    pub(super) make: Arc<dyn Fn(usize) -> S + Send + Sync + 'env>,
    pub(super) finish: Option<Arc<dyn Fn(usize, S) + Send + Sync + 'env>>,
}

impl<S> Clone for Plan<'_, S> {
    fn clone(&self) -> Self {
        Self {
            on_start: self.on_start.clone(),
            on_stop: self.on_stop.clone(),
            make: Arc::clone(&self.make),
            finish: self.finish.clone(),
        }
    }
}

/// The whole life of worker `worker`; `ready` is told once whether its state could be made.
pub(super) fn live<S: 'static>(
    core: &Arc<Core<'_>>,
    worker: usize,
    plan: Plan<'_, S>,
    ready: impl FnOnce(Result<(), Panic>),
) {
    let Plan { on_start, on_stop, make, finish } = plan;
    let name = |what: &str| format!("{what} of worker {worker} of pool {}", core.gate.name);
    let note = |outcome: Result<(), Panic>| {
        if let Err(panic) = outcome {
            core.gate.note_panic(panic);
        }
    };
    if let Some(hook) = &on_start {
        note(panics::catch(|| name("start hook"), || hook(worker)));
    }
    match panics::catch(|| name("state"), || make(worker)) {
        Err(panic) => {
            core.leave(worker);
            ready(Err(panic));
        }
        Ok(state) => {
            ready(Ok(()));
            let state = Rc::new(RefCell::new(state));
            let seat = Seat::new(Arc::clone(&core.gate), worker, Rc::clone(&state) as Rc<dyn Any>);
            seat.take();
            core.gate.meters.rested(worker, core.gate.running.now());
            work(core, &seat);
            Seat::leave();
            drop(seat);
            // Nobody else can hold the state: contexts only borrow it.
            if let Some(state) = Rc::into_inner(state).map(RefCell::into_inner) {
                note(panics::catch(
                    || name("end of the state"),
                    || match &finish {
                        Some(finish) => finish(worker, state),
                        None => drop(state),
                    },
                ));
            }
        }
    }
    if let Some(hook) = &on_stop {
        note(panics::catch(|| name("stop hook"), || hook(worker)));
    }
    // The closures may end here, and what they captured with them.
    drop_quietly((on_start, on_stop, make, finish));
}

/// Runs tasks until the pool is closed and every task has ended.
fn work(core: &Core<'_>, seat: &Seat) {
    let gate = &*core.gate;
    let mut searching = false;
    let mut pace = Pace::new();
    let desk = core.desk(seat);
    loop {
        if gate.is_special() {
            if core.dismiss(seat.worker()) {
                // As in `rest`: its last task may be what somebody waits for, and nobody else looks.
                gate.space.offer_all();
                gate.settle();
                break;
            }
            if gate.is_paused() && !gate.is_finished() {
                rest(core, seat.worker(), &mut searching, &mut pace);
                continue;
            }
        }
        if let Some((number, entry)) = desk.rest.pop() {
            if searching {
                // It parked in a pause, with these at hand. Whoever counted on its search has to look for somebody else.
                searching = false;
                gate.bells.of(seat.worker()).found(|| core.may_park(seat.worker()).is_none());
            }
            core.run(number, entry, &desk);
            pace.ran();
            continue;
        }
        if pace.lingers() {
            search(gate, seat.worker(), &mut searching);
            let lingered = pace.linger();
            gate.meters.lingered(seat.worker(), u64::try_from(lingered.as_nanos()).unwrap_or(u64::MAX));
        }
        if let Some(taken) = core.next(seat.worker(), &mut searching) {
            pace.visited(taken.visit.seen);
            gate.note_length(pace.length);
            core.execute(taken, &desk);
            pace.ran();
            continue;
        }
        search(gate, seat.worker(), &mut searching);
        if gate.is_finished() {
            core.leave(seat.worker());
            break;
        }
        rest(core, seat.worker(), &mut searching, &mut pace);
    }
    if searching {
        // Somebody may have counted on this search.
        let bell = gate.bells.of(seat.worker());
        bell.stop_searching();
        if core.may_park(seat.worker()).is_none() {
            bell.wake_one();
        }
    }
}

fn search(gate: &Gate, worker: usize, searching: &mut bool) {
    if !*searching {
        *searching = true;
        gate.bells.of(worker).start_searching();
    }
}

/// Looks for work a little longer, and then parks until there is some.
fn rest(core: &Core<'_>, worker: usize, searching: &mut bool, pace: &mut Pace) {
    let gate = &*core.gate;
    search(gate, worker, searching);
    gate.meters.rests(worker, gate.running.now());
    // The looks that other files' protocols rely on: the second half of what was done without a fence per task.
    gate.space.offer_all();
    gate.settle();
    let spins = if pace.one_at_a_time { SPINS } else { 0 };
    for _ in 0..spins {
        if !core.looks_empty() {
            break;
        }
        hint::spin_loop();
    }
    for _ in 0..YIELDS {
        if !core.looks_empty() {
            break;
        }
        thread::yield_now();
    }
    if core.looks_empty() || gate.is_paused() {
        gate.bells.of(worker).park_until(|| core.may_park(worker));
    }
    gate.meters.rested(worker, gate.running.now());
    pace.rested();
}
