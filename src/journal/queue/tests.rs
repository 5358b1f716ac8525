//! The queue alone.

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
fn item_that_waits_for_its_bytes_is_not_overtaken_by_smaller_ones() {
    let queue = Arc::new(Queue::new(8, 800));
    let at_once = || Manner { wait: Wait::Until(time::now()), is_urgent: false };
    queue.put(0, 500, at_once(), |_| true).expect("room");
    let into = Arc::clone(&queue);
    let giver = thread::Builder::new().spawn(move || into.put(1, 400, LATER, |_| true));
    while queue.state.lock().givers_asleep == 0 {
        thread::yield_now();
    }
    assert_eq!(queue.put(2, 1, at_once(), |_| true), Err(2), "it is the other's turn");
    let never = Manner { wait: Wait::Never, is_urgent: false };
    queue.put(3, 1, never, |_| true).expect("it may not wait");
    let mut taken = Vec::new();
    assert!(queue.take(&mut taken, None, |_| true));
    queue.done(2, 501);
    giver.expect("a thread").join().expect("no panic").expect("room");
    queue.put(4, 1, at_once(), |_| true).expect("nobody waits");
    taken.clear();
    assert!(queue.take(&mut taken, None, |_| true));
    assert_eq!(taken, [1, 4]);
}

#[test]
fn item_that_waits_for_its_bytes_no_more_leaves_the_room_to_others() {
    let queue = Queue::new(8, 800);
    let until = |time| Manner { wait: Wait::Until(time::now() + time), is_urgent: false };
    queue.put(0, 500, LATER, |_| true).expect("room");
    assert_eq!(queue.put(1, 400, until(SOON), |_| true), Err(1));
    queue.put(2, 300, until(Duration::ZERO), |_| true).expect("room");
    // An item without bytes waits for a place, and not in front of others.
    let full = Queue::new(1, 800);
    full.put(0, 500, LATER, |_| true).expect("room");
    assert_eq!(full.put(1, 400, until(SOON), |_| true), Err(1));
    assert!(!full.state.lock().is_reserved);
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
