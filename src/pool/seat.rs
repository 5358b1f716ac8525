//! A worker's place: which pool and which worker the current thread is, and the worker's state.

use std::any::Any;
use std::cell::RefCell;
use std::ptr;
use std::rc::Rc;
use std::sync::Arc;

use super::gate::Gate;

/// The place of one worker, on its own thread only.
pub(super) struct Seat {
    gate: Arc<Gate>,
    worker: usize,
    /// A `RefCell<S>`. Behind `dyn Any`, so that a task which runs inside the wait of another one finds it here, although
    /// the handle that is waited on knows nothing of `S`.
    state: Rc<dyn Any>,
}

crate::sync::thread_local! {
    static SEAT: RefCell<Option<Rc<Seat>>> = const { RefCell::new(None) };
}

impl Seat {
    pub(super) fn new(gate: Arc<Gate>, worker: usize, state: Rc<dyn Any>) -> Rc<Self> {
        Rc::new(Self { gate, worker, state })
    }

    pub(super) fn gate(&self) -> &Gate {
        &self.gate
    }

    pub(super) fn worker(&self) -> usize {
        self.worker
    }

    pub(super) fn state<S: 'static>(&self) -> Option<&RefCell<S>> {
        self.state.downcast_ref()
    }

    /// Makes this the current thread's place.
    pub(super) fn take(self: &Rc<Self>) {
        SEAT.with(|seat| *seat.borrow_mut() = Some(Rc::clone(self)));
    }

    /// Gives the current thread's place up.
    pub(super) fn leave() {
        SEAT.with(|seat| seat.borrow_mut().take());
    }

    /// The current thread's place, if it is a worker of any pool.
    pub(super) fn current() -> Option<Rc<Self>> {
        SEAT.try_with(|seat| seat.borrow().clone()).ok().flatten()
    }

    /// The current thread's place, if it is a worker of that pool.
    pub(super) fn current_of(gate: &Gate) -> Option<Rc<Self>> {
        Self::current().filter(|seat| ptr::eq(seat.gate(), gate))
    }
}
