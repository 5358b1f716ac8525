//! The life of one worker: start hook, state, tasks, state's end, stop hook.

use std::any::Any;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use super::core::Core;
use super::seat::Seat;
use super::task::drop_quietly;
use crate::panics::{self, Panic};
use crate::sync::thread;

/// How often a worker without work gives its core away before it parks. A parked worker costs a wake-up of several
/// microseconds, a spinning one takes tasks singly and fights for the queue: four yields were the best of what was
/// measured with two workers and with sixteen.
const YIELDS: u32 = 4;

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
        Err(panic) => ready(Err(panic)),
        Ok(state) => {
            ready(Ok(()));
            let state = Rc::new(RefCell::new(state));
            let seat = Seat::new(Arc::clone(&core.gate), worker, Rc::clone(&state) as Rc<dyn Any>);
            seat.take();
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
    loop {
        if let Some(task) = core.next() {
            if searching {
                searching = false;
                gate.wakeup.found(|| !core.is_empty());
            }
            core.execute(task, seat);
            continue;
        }
        if !searching {
            searching = true;
            gate.wakeup.start_searching();
        }
        // The looks that other files' protocols rely on: the second half of what was done without a fence per task.
        gate.space.offer_all();
        gate.settle();
        if gate.is_finished() {
            gate.wakeup.found(|| false);
            return;
        }
        for _ in 0..YIELDS {
            if !core.is_empty() {
                break;
            }
            thread::yield_now();
        }
        if core.is_empty() {
            gate.wakeup.park(|| core.is_empty() && !gate.is_finished());
        }
    }
}
