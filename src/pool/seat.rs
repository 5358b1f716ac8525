//! A worker's place: which pool and which worker the current thread is, and the worker's state.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::ptr;
use std::rc::Rc;
use std::sync::Arc;

use super::gate::Gate;
use super::limits::MAX_INLINE;

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
    // How many submissions, each inside the other, this thread runs itself.
    static INLINE: Cell<usize> = const { Cell::new(0) };
    // The pools whose tasks the thread runs without being their worker, the innermost last.
    static GUEST: RefCell<Vec<Arc<Gate>>> = const { RefCell::new(Vec::new()) };
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

/// Whether the current thread is a worker of any pool.
#[cfg(feature = "journal")]
pub(crate) fn is_worker() -> bool {
    SEAT.try_with(|seat| seat.borrow().is_some()).unwrap_or(false)
}

/// For as long as it lives, the current thread runs a task of a pool whose worker it is not.
pub(super) struct Guest;

impl Guest {
    pub(super) fn of(gate: &Arc<Gate>) -> Self {
        let _ = GUEST.try_with(|guest| guest.borrow_mut().push(Arc::clone(gate)));
        Self
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        // Outside of the borrow: it may be the last reference to the pool, which drops what is the user's.
        let gate = GUEST.try_with(|guest| guest.borrow_mut().pop());
        drop(gate);
    }
}

/// Whether the current thread is inside a task of that pool, as its worker or as a guest: then it cannot wait for the pool.
pub(super) fn is_inside(gate: &Gate) -> bool {
    let is_guest =
        |guest: &RefCell<Vec<Arc<Gate>>>| guest.borrow().iter().any(|at| ptr::eq(Arc::as_ptr(at), gate));
    Seat::current_of(gate).is_some() || GUEST.try_with(is_guest).unwrap_or(false)
}

/// For as long as it lives, the current thread runs a task inside its submission.
pub(super) struct Inline;

impl Inline {
    /// `None` if there are [`MAX_INLINE`] around it already: a task that submits its own successor would go on to the end of the stack.
    pub(super) fn enter() -> Option<Self> {
        let deeper = |depth: &Cell<usize>| {
            let fits = depth.get() < MAX_INLINE;
            depth.set(depth.get() + usize::from(fits));
            fits
        };
        INLINE.try_with(deeper).unwrap_or(false).then(|| Self) // not `then_some`: it would drop one that never entered
    }
}

impl Drop for Inline {
    fn drop(&mut self) {
        let _ = INLINE.try_with(|depth| depth.set(depth.get() - 1));
    }
}
