//! Handles whose place in an order of completion outlasts the process are reported in that order.

#![cfg(not(any(gristmill_shuttle, gristmill_loom)))]

use std::sync::{Arc, Mutex, PoisonError};

use gristmill::combine::{after, as_completed, first_ok, try_race, try_wait_first, wait_all, wait_first};
use gristmill::{Signal, Waitable};
use proptest::prelude::*;

#[derive(Default)]
struct State {
    stamp: Option<u64>,
    has_ended: bool,
    signal: Option<Signal>,
}

/// Ends when told to, with its own name.
#[derive(Clone)]
struct Promise {
    name: usize,
    state: Arc<Mutex<State>>,
}

impl Promise {
    fn new(name: usize, stamp: Option<u64>) -> Self {
        Self { name, state: Arc::new(Mutex::new(State { stamp, ..State::default() })) }
    }

    fn end(&self, stamp: Option<u64>) {
        let signal = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.stamp = state.stamp.or(stamp);
            state.has_ended = true;
            state.signal.take()
        };
        if let Some(signal) = signal {
            signal.send();
        }
    }
}

impl Waitable for Promise {
    type Output = Result<usize, usize>;

    fn is_finished(&self) -> bool {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).has_ended
    }

    fn watch(&self, signal: Signal) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.has_ended {
            drop(state);
            signal.send();
        } else {
            state.signal = Some(signal);
        }
    }

    fn unwatch(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).signal = None;
    }

    fn take(&mut self) -> Option<Self::Output> {
        self.is_finished().then_some(Ok(self.name))
    }

    fn stamp(&self) -> Option<u64> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).stamp
    }
}

/// Promises of these stamps, named by their places, and none of them ended.
fn stamped<const N: usize>(stamps: [u64; N]) -> [Promise; N] {
    let mut name = 0;
    stamps.map(|stamp| {
        name += 1;
        Promise::new(name - 1, Some(stamp))
    })
}

#[test]
fn those_that_have_ended_come_in_the_order_of_their_stamps() {
    let promises = stamped([30, 10, 20]);
    for promise in &promises {
        promise.end(None);
    }
    let order: Vec<_> = as_completed(promises).map(|(index, _)| index).collect();
    assert_eq!(order, [1, 2, 0]);
}

#[test]
fn one_that_is_to_come_holds_back_those_after_it_and_nobody_else() {
    let promises = stamped([30, 10, 20]);
    let free = Promise::new(3, None);
    let mut ends = as_completed(promises.iter().cloned().chain([free.clone()]));
    promises[0].end(None);
    promises[2].end(None);
    assert_eq!(ends.try_next().unwrap_err().pending, 4);
    free.end(None);
    assert_eq!(ends.try_next().unwrap(), Some((3, Ok(3))));
    assert_eq!(ends.try_next().unwrap_err().pending, 3);
    promises[1].end(None);
    assert_eq!(ends.by_ref().map(|(index, _)| index).collect::<Vec<_>>(), [1, 2, 0]);
    assert_eq!(ends.try_next().unwrap(), None);
}

#[test]
fn first_is_the_one_with_the_smallest_stamp() {
    let promises = stamped([3, 2, 1]);
    promises[0].end(None);
    promises[1].end(None);
    std::thread::scope(|scope| {
        let last = promises[2].clone();
        scope.spawn(move || last.end(None));
        let first = wait_first(promises.clone()).unwrap();
        assert_eq!((first.index, first.output), (2, Ok(2)));
    });
    assert_eq!(
        first_ok(promises.map(|promise| promise.map(|name| name.map_err(|_| "none")))).unwrap().index,
        2
    );
}

#[test]
fn order_of_the_handles_is_kept_where_it_is_asked_for() {
    let promises = stamped([3, 1, 2]);
    for promise in &promises {
        promise.end(None);
    }
    assert_eq!(wait_all(promises), [Ok(0), Ok(1), Ok(2)]);
}

#[test]
fn one_whose_signal_is_lost_holds_nobody_back() {
    let promises = stamped([1, 2]);
    let mut ends = as_completed(promises.clone());
    promises[1].end(None);
    assert!(ends.try_next().is_err());
    promises[0].unwatch();
    assert_eq!(ends.try_next().unwrap(), Some((1, Ok(1))));
}

#[test]
fn what_is_left_is_handed_back_with_those_that_wait_for_their_turn() {
    let promises = stamped([1, 2, 3]);
    let mut ends = as_completed(promises.clone());
    promises[1].end(None);
    assert!(ends.try_next().is_err());
    assert_eq!(ends.len(), 3);
    assert_eq!(ends.into_rest().iter().map(|(index, _)| *index).collect::<Vec<_>>(), [0, 1, 2]);
}

#[test]
fn timer_is_told_while_stamps_wait_for_their_turn() {
    let promises = stamped([1, 2]);
    promises[1].end(None);
    let timer = after(std::time::Duration::ZERO).map(|fired| fired.map(|()| 7_usize).map_err(|_| 8_usize));
    let handles = promises
        .into_iter()
        .map(|promise| Box::new(promise) as Box<dyn Waitable<Output = Result<usize, usize>>>);
    let mut ends = as_completed(handles.chain([Box::new(timer) as Box<_>]));
    assert_eq!(ends.next(), Some((2, Ok(7_usize))));
}

proptest! {
    /// Some have stamps from the start and end in any order, the others get the next larger ones as they end; whatever the interleaving with whoever
    /// waits, they come by their stamps.
    #[test]
    fn whoever_ends_when_they_come_by_their_stamps(
        kinds in prop::collection::vec(any::<bool>(), 1..40),
        seed in any::<u64>(),
        early in 0..40_usize,
    ) {
        let shuffle = |list: &mut Vec<usize>, salt: u64| {
            list.sort_by_key(|&index| (index as u64 ^ seed ^ salt).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(23));
        };
        let mut known: Vec<usize> = (0..kinds.len()).filter(|&index| kinds[index]).collect();
        shuffle(&mut known, 1);
        let mut fresh: Vec<usize> = (0..kinds.len()).filter(|&index| !kinds[index]).collect();
        shuffle(&mut fresh, 2);
        let promises: Vec<_> = (0..kinds.len())
            .map(|index| Promise::new(index, known.iter().position(|&place| place == index).map(|place| place as u64)))
            .collect();
        // In which order those with stamps end, those without among them in their own order.
        let mut ends: Vec<usize> = (0..kinds.len()).collect();
        shuffle(&mut ends, 3);
        let mut in_order = fresh.iter();
        let ends: Vec<_> = ends
            .into_iter()
            .map(|index| if kinds[index] { index } else { *in_order.next().expect("as many") })
            .collect();
        let mut next = known.len() as u64;
        let mut end = |index: usize| {
            promises[index].end(Some(next));
            next += u64::from(!kinds[index]);
        };
        let early = early.min(ends.len());
        ends[..early].iter().for_each(|&index| end(index));
        let handles = promises.clone();
        let order: Vec<usize> = std::thread::scope(|scope| {
            let waiter = scope.spawn(move || as_completed(handles).map(|(index, _)| index).collect());
            ends[early..].iter().for_each(|&index| end(index));
            waiter.join().expect("it waits")
        });
        known.extend(fresh);
        prop_assert_eq!(order, known);
    }
}

#[test]
fn question_for_the_first_does_not_wait_for_one_that_is_to_come_before_it() {
    let promises = stamped([2, 1]);
    promises[0].end(None);
    assert_eq!(try_wait_first(promises.clone()).err().map(|all| all.len()), Some(2));
    assert_eq!(try_race(promises.clone()).err().map(|all| all.len()), Some(2));
    promises[1].end(None);
    assert_eq!(try_wait_first(promises.clone()).ok().flatten().unwrap().index, 1);
    assert_eq!(try_race(promises).ok().flatten().unwrap().index, 1);
}
