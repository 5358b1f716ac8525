//! The bounded queue in front of the committer.
//!
//! # Invariants
//! 1. `places` counts what waits and what was taken and is not [`Queue::done`]: so what a crash can undo, being neither committed nor refused,
//!    is bounded by the limit, and not by the limit twice.
//! 2. An item that is larger than `most_bytes` enters once nothing else has a place: no size waits for ever.
//! 3. After [`Queue::close`], nothing enters, and what has entered is taken.
//! 4. The taker waits for more only while more is coming, nobody who gives waits, nothing urgent lies here and half of the places are free;
//!    and never beyond the instant that it named, nor after nothing has come for the time that it named. Whoever changes one of these wakes it; for a promise that comes to nothing there is
//!    [`Queue::press`].
//!
//! Locks: `state`, a leaf: nothing is called under it but `more`, which reads a counter.

use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::time::{self, Duration, Instant};
use crate::sync::{Condvar, Mutex};

/// See the module.
pub(super) struct Queue<T> {
    state: Mutex<State<T>>,
    /// What the taker waits for is there, or the queue is closed.
    is_wanted: Condvar,
    /// There is room again, or it is closed.
    has_room: Condvar,
    most_places: usize,
    most_bytes: usize,
    /// As in the state, for a look without the lock; it may come late.
    is_closed: AtomicBool,
}

struct State<T> {
    waiting: Vec<T>,
    places: usize,
    bytes: usize,
    is_closed: bool,
    /// Whether something that waits is not to wait for more.
    is_urgent: bool,
    taker: Taker,
    givers_asleep: usize,
}

/// What the taker does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Taker {
    /// It is not here.
    Works,
    /// It waits for something.
    Sleeps,
    /// There is something, and it waits for more.
    Gathers,
}

/// How long a taker waits for more.
#[derive(Clone, Copy)]
pub(super) struct Patience {
    pub(super) until: Instant,
    /// It ends when nothing has come for so long: what is on its way may be far.
    pub(super) quiet: Duration,
}

/// How long whoever puts an item waits while there is no room.
#[derive(Clone, Copy)]
pub(super) enum Wait {
    /// It goes in all the same.
    Never,
    Until(Instant),
    Endless,
}

/// How an item is put.
#[derive(Clone, Copy)]
pub(super) struct Manner {
    pub(super) wait: Wait,
    /// Whether somebody waits for this one.
    pub(super) is_urgent: bool,
}

impl<T> Queue<T> {
    pub(super) fn new(most_places: usize, most_bytes: usize) -> Self {
        let state = State {
            waiting: Vec::new(),
            places: 0,
            bytes: 0,
            is_closed: false,
            is_urgent: false,
            taker: Taker::Works,
            givers_asleep: 0,
        };
        let (is_wanted, has_room) = (Condvar::new(), Condvar::new());
        Self {
            state: Mutex::new(state),
            is_wanted,
            has_room,
            most_places,
            most_bytes,
            is_closed: AtomicBool::new(false),
        }
    }

    /// Puts an item of that many bytes, after waiting for room if it may; gives it back if the queue is closed or there was no room in time. `more`
    /// says whether more is coming than so many items.
    pub(super) fn put(
        &self,
        item: T,
        bytes: usize,
        manner: Manner,
        more: impl Fn(usize) -> bool,
    ) -> Result<(), T> {
        let mut state = self.state.lock();
        while !matches!(manner.wait, Wait::Never) && !state.is_closed && self.is_full(&state, bytes) {
            if matches!(manner.wait, Wait::Until(until) if until <= time::now()) {
                return Err(item);
            }
            state.givers_asleep += 1;
            if state.taker == Taker::Gathers {
                self.is_wanted.notify_one();
            }
            match manner.wait {
                Wait::Until(until) => _ = self.has_room.wait_until(&mut state, until),
                _ => self.has_room.wait(&mut state),
            }
            state.givers_asleep -= 1;
        }
        if state.is_closed {
            return Err(item);
        }
        state.places += 1;
        state.bytes += bytes;
        state.is_urgent |= manner.is_urgent;
        state.waiting.push(item);
        let wakes = match state.taker {
            Taker::Works => false,
            Taker::Sleeps => true,
            Taker::Gathers => self.is_enough(&state, more),
        };
        if wakes {
            // Once is enough.
            state.taker = Taker::Works;
        }
        drop(state);
        if wakes {
            self.is_wanted.notify_one();
        }
        Ok(())
    }

    fn is_full(&self, state: &State<T>, bytes: usize) -> bool {
        state.places >= self.most_places
            || (state.places > 0 && state.bytes.saturating_add(bytes) > self.most_bytes)
    }

    /// Whether what waits is not to wait for more.
    fn is_enough(&self, state: &State<T>, more: impl Fn(usize) -> bool) -> bool {
        state.is_urgent
            || state.is_closed
            || state.givers_asleep > 0
            || state.places > self.most_places / 2
            || state.bytes > self.most_bytes / 2
            || !more(state.waiting.len())
    }

    /// Takes all that waits, in order, into an empty list; waits for something, and with patience for enough. `false` if it is closed and
    /// nothing is left.
    pub(super) fn take(
        &self,
        into: &mut Vec<T>,
        patience: Option<Patience>,
        more: impl Fn(usize) -> bool,
    ) -> bool {
        let mut state = self.state.lock();
        let mut is_late = false;
        loop {
            if state.waiting.is_empty() {
                if state.is_closed {
                    return false;
                }
                state.taker = Taker::Sleeps;
                self.is_wanted.wait(&mut state);
                continue;
            }
            let patience = patience.filter(|_| !is_late && !self.is_enough(&state, &more));
            let Some(Patience { until, quiet }) = patience else { break };
            let before = state.waiting.len();
            state.taker = Taker::Gathers;
            let look = time::now().checked_add(quiet).map_or(until, |look| look.min(until));
            let is_over = self.is_wanted.wait_until(&mut state, look).timed_out();
            is_late = is_over && (look == until || state.waiting.len() == before);
        }
        state.taker = Taker::Works;
        state.is_urgent = false;
        std::mem::swap(&mut state.waiting, into);
        true
    }

    /// Gives the places of what was taken to others.
    pub(super) fn done(&self, places: usize, bytes: usize) {
        let mut state = self.state.lock();
        state.places -= places;
        state.bytes -= bytes;
        let wake = state.givers_asleep > 0;
        drop(state);
        if wake {
            self.has_room.notify_all();
        }
    }

    /// Has a taker that gathers look again; if it `is_urgent`, it gathers no more this time.
    pub(super) fn press(&self, is_urgent: bool) {
        let mut state = self.state.lock();
        state.is_urgent |= is_urgent;
        let wakes = state.taker == Taker::Gathers;
        drop(state);
        if wakes {
            self.is_wanted.notify_one();
        }
    }

    /// Whether nothing enters any more.
    pub(super) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Acquire)
    }

    /// Nothing enters from now on.
    pub(super) fn close(&self) {
        let mut state = self.state.lock();
        state.is_closed = true;
        // Under the lock: who is refused finds it closed.
        self.is_closed.store(true, Ordering::Release);
        drop(state);
        self.is_wanted.notify_all();
        self.has_room.notify_all();
    }
}

#[cfg(all(test, not(any(gristmill_shuttle, gristmill_loom))))]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::sync::{channel, thread};

    const LATER: Manner = Manner { wait: Wait::Endless, is_urgent: false };
    const URGENT: Manner = Manner { wait: Wait::Endless, is_urgent: true };

    const HOUR: Duration = Duration::from_secs(3600);
    const SOON: Duration = Duration::from_millis(2);

    fn patience(time: Duration, quiet: Duration) -> Patience {
        Patience { until: time::now() + time, quiet }
    }

    /// A queue of eight, from which a thread takes with a patience of an hour while more is promised; what it takes comes out of the receiver.
    fn taken(promised: usize) -> (Arc<Queue<u32>>, channel::Receiver<Vec<u32>>) {
        let queue = Arc::new(Queue::new(8, 800));
        let (sender, receiver) = channel::bounded(16);
        let from = Arc::clone(&queue);
        let taker = move || {
            let mut taken = Vec::new();
            while from.take(&mut taken, Some(patience(HOUR, HOUR)), |waiting| promised > waiting) {
                let places = taken.len();
                sender.send(std::mem::take(&mut taken)).expect("it is waited for");
                from.done(places, 0);
            }
        };
        thread::Builder::new().spawn(taker).expect("a thread");
        (queue, receiver)
    }

    fn put(queue: &Queue<u32>, items: std::ops::Range<u32>, promised: usize) {
        items.for_each(|item| queue.put(item, 0, LATER, |waiting| promised > waiting).expect("open"));
    }

    /// Whether the taker keeps what it finds for more, once it has found it.
    fn gathers(queue: &Queue<u32>) -> bool {
        loop {
            let state = queue.state.lock();
            if state.taker == Taker::Gathers || state.waiting.is_empty() {
                return state.taker == Taker::Gathers;
            }
            drop(state);
            thread::yield_now();
        }
    }

    #[test]
    fn taker_gathers_while_more_is_promised_and_takes_when_that_has_come() {
        let (queue, receiver) = taken(3);
        put(&queue, 0..1, 3);
        assert!(gathers(&queue), "two more are promised");
        put(&queue, 1..3, 3);
        assert_eq!(receiver.recv(), Ok(vec![0, 1, 2]));
        queue.close();
    }

    #[test]
    fn what_just_fits_has_room_and_one_byte_more_has_not() {
        let queue = Queue::new(8, 800);
        let at_once = || Manner { wait: Wait::Until(time::now()), is_urgent: false };
        queue.put(0, 500, at_once(), |_| true).expect("room");
        assert_eq!(queue.put(1, 301, at_once(), |_| true), Err(1));
        queue.put(2, 300, at_once(), |_| true).expect("room");
        assert_eq!(queue.put(3, 1, at_once(), |_| true), Err(3));
    }

    #[test]
    fn who_never_waits_goes_into_a_full_queue_and_nobody_into_a_closed_one() {
        let queue = Queue::new(1, 800);
        let never = || Manner { wait: Wait::Never, is_urgent: false };
        queue.put(0, 1, LATER, |_| true).expect("room");
        queue.put(1, 1, never(), |_| true).expect("it is open");
        queue.close();
        assert_eq!(queue.put(2, 1, LATER, |_| true), Err(2));
        assert_eq!(queue.put(3, 1, never(), |_| true), Err(3));
    }

    #[test]
    fn urgent_one_ends_the_gathering() {
        let (queue, receiver) = taken(100);
        put(&queue, 0..2, 100);
        queue.put(2, 0, URGENT, |_| true).expect("open");
        assert_eq!(receiver.recv(), Ok(vec![0, 1, 2]));
        queue.close();
    }

    #[test]
    fn half_of_the_places_or_of_the_bytes_is_enough() {
        let (queue, receiver) = taken(100);
        put(&queue, 0..5, 100);
        assert_eq!(receiver.recv(), Ok(vec![0, 1, 2, 3, 4]));
        queue.put(5, 401, LATER, |_| true).expect("open");
        assert_eq!(receiver.recv(), Ok(vec![5]));
        queue.close();
    }

    #[test]
    fn who_waits_for_room_ends_the_gathering() {
        let (queue, receiver) = taken(100);
        queue.put(0, 400, LATER, |_| true).expect("open");
        // There is no room for this one beside the first.
        queue.put(1, 500, LATER, |_| true).expect("open");
        assert_eq!(receiver.recv(), Ok(vec![0]));
        queue.close();
    }

    #[test]
    fn end_ends_the_gathering() {
        let (queue, receiver) = taken(100);
        put(&queue, 0..1, 100);
        queue.close();
        assert_eq!(receiver.recv(), Ok(vec![0]));
        assert!(receiver.recv().is_err(), "and it has ended");
    }

    #[test]
    fn pressing_ends_the_gathering() {
        let (queue, receiver) = taken(100);
        put(&queue, 0..1, 100);
        queue.press(true);
        assert_eq!(receiver.recv(), Ok(vec![0]));
        queue.close();
    }

    #[test]
    fn gathering_is_limited_and_ends_when_nothing_comes() {
        for patience in [patience(SOON, HOUR), patience(HOUR, SOON), patience(SOON, Duration::MAX)] {
            let queue = Queue::new(8, 800);
            put(&queue, 0..1, 100);
            let mut taken = Vec::new();
            assert!(queue.take(&mut taken, Some(patience), |_| true));
            assert_eq!(taken, [0]);
        }
    }
}
