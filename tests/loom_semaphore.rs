//! The semaphore's protocol in all schedules, and with all values that its atomics may show, up to a preemption bound.
//!
//! What is done under a permit is relaxed: only the permits order it. A lost wake-up shows as a deadlock.
#![cfg(gristmill_loom)]

use std::sync::Arc;

use gristmill::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use gristmill::sync::thread::{Builder, JoinHandle};
use gristmill::{CancellationToken, Semaphore};

#[path = "support/model.rs"]
mod model;
use model::check;

fn spawn<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    Builder::new().spawn(run).expect("no fault is asked for")
}

/// A count that loses steps unless each is seen by the next.
fn step(counter: &AtomicUsize) {
    let seen = counter.load(Relaxed);
    counter.store(seen + 1, Relaxed);
}

fn idle(semaphore: &Semaphore, capacity: usize) {
    let end = semaphore.snapshot();
    assert_eq!((end.available, end.held, end.waiting), (capacity, 0, 0));
    drop(semaphore.try_acquire_many(capacity).expect("the fast path is open again"));
}

fn one_permit_orders(make: fn(usize) -> Semaphore) {
    let semaphore = Arc::new(make(1));
    let counter = Arc::new(AtomicUsize::new(0));
    let threads: Vec<_> = (0..2)
        .map(|_| {
            let (semaphore, counter) = (semaphore.clone(), counter.clone());
            spawn(move || {
                let _permit = semaphore.acquire().expect("it is open");
                step(&counter);
            })
        })
        .collect();
    {
        let _permit = semaphore.acquire().expect("it is open");
        step(&counter);
    }
    for thread in threads {
        thread.join().expect("it does not panic");
    }
    assert_eq!(counter.load(Relaxed), 3);
    idle(&semaphore, 1);
}

#[test]
fn each_under_the_one_permit_sees_what_was_done_before() {
    check("each_under_the_one_permit_sees_what_was_done_before", || one_permit_orders(Semaphore::new));
}

#[test]
fn each_under_the_one_permit_sees_what_was_done_before_strict() {
    check("each_under_the_one_permit_sees_what_was_done_before_strict", || {
        one_permit_orders(Semaphore::strict);
    });
}

#[test]
fn grant_through_another_thread_passes_on_what_was_done() {
    check("grant_through_another_thread_passes_on_what_was_done", || {
        // Two give one each, and whichever comes second grants both: the waiter sees the work of both.
        let semaphore = Arc::new(Semaphore::strict(2));
        let notes = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
        let mut both = semaphore.acquire_owned(2).unwrap();
        let givers: Vec<_> = [both.split(1).unwrap(), both]
            .into_iter()
            .enumerate()
            .map(|(number, permit)| {
                let notes = notes.clone();
                spawn(move || {
                    notes[number].store(1, Relaxed);
                    drop(permit);
                })
            })
            .collect();
        let permit = semaphore.acquire_many(2).unwrap();
        assert!(notes.iter().all(|note| note.load(Relaxed) == 1));
        drop(permit);
        for giver in givers {
            giver.join().unwrap();
        }
        idle(&semaphore, 2);
    });
}

#[test]
fn cancel_and_grant_lose_no_permit() {
    check("cancel_and_grant_lose_no_permit", || {
        let semaphore = Arc::new(Semaphore::strict(1));
        let held = semaphore.acquire_owned(1).unwrap();
        let token = CancellationToken::new();
        let waiter = {
            let (semaphore, token) = (semaphore.clone(), token.clone());
            spawn(move || semaphore.acquire_with(&token).map(drop))
        };
        let canceller = spawn(move || token.cancel());
        drop(held);
        semaphore.acquire().map(drop).unwrap(); // hangs if the permit is lost with the one who left
        let ended = waiter.join().unwrap();
        assert!(ended.is_ok() || ended.unwrap_err().is_cancelled());
        canceller.join().unwrap();
        idle(&semaphore, 1);
    });
}

#[test]
fn close_and_grant_have_one_winner() {
    check("close_and_grant_have_one_winner", || {
        let semaphore = Arc::new(Semaphore::strict(1));
        let held = semaphore.acquire_owned(1).unwrap();
        let waiter = {
            let semaphore = semaphore.clone();
            spawn(move || semaphore.acquire().map(drop))
        };
        let giver = spawn(move || drop(held));
        semaphore.close();
        let ended = waiter.join().unwrap();
        assert!(ended.is_ok() || ended.unwrap_err().is_closed());
        giver.join().unwrap();
        assert_eq!(semaphore.snapshot().available, 1);
    });
}

#[test]
fn capacity_raised_reaches_one_who_is_about_to_queue() {
    check("capacity_raised_reaches_one_who_is_about_to_queue", || {
        let semaphore = Arc::new(Semaphore::new(1));
        let held = semaphore.acquire().unwrap();
        let waiter = {
            let semaphore = semaphore.clone();
            spawn(move || semaphore.acquire().map(drop))
        };
        semaphore.raise_capacity(1);
        waiter.join().unwrap().unwrap();
        drop(held);
        idle(&semaphore, 2);
    });
}

#[test]
fn one_who_comes_and_finds_permits_makes_nobody_fail() {
    check("one_who_comes_and_finds_permits_makes_nobody_fail", || {
        let semaphore = Arc::new(Semaphore::strict(2));
        let held = semaphore.acquire_many(2).unwrap();
        let other = {
            let semaphore = semaphore.clone();
            spawn(move || semaphore.acquire().map(drop))
        };
        drop(held); // grants if the other one queues; from here on it never has to
        drop(semaphore.try_acquire().expect("there are two permits, and two who want one each"));
        other.join().unwrap().unwrap();
        idle(&semaphore, 2);
    });
}

#[test]
fn one_who_was_served_is_not_in_the_way_of_its_next_call() {
    check("one_who_was_served_is_not_in_the_way_of_its_next_call", || {
        let semaphore = Arc::new(Semaphore::strict(2));
        let held = semaphore.acquire_owned(2).unwrap();
        let giver = spawn(move || drop(held));
        let first = semaphore.acquire().unwrap();
        let second = semaphore.try_acquire().expect("the other one is free, and nobody queues");
        drop((first, second));
        giver.join().unwrap();
        idle(&semaphore, 2);
    });
}
