//! What the semaphore promises, on real threads.
#![cfg(not(any(gristmill_shuttle, gristmill_loom)))]

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Barrier, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use gristmill::{
    AcquireError, CancellationToken, LimitedError, OwnedPermit, Permit, Semaphore, SemaphoreSnapshot,
};

const LONG: Duration = Duration::from_secs(60);
const MOMENT: Duration = Duration::from_millis(1);

fn spawn<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    thread::Builder::new().spawn(run).expect("a thread")
}

fn until_waiting(semaphore: &Semaphore, callers: usize) {
    while semaphore.snapshot().waiting != callers {
        thread::yield_now();
    }
}

/// Capacity, available, held, waiting.
fn counts(semaphore: &Semaphore) -> (usize, usize, usize, usize) {
    let SemaphoreSnapshot { capacity, available, held, waiting, .. } = semaphore.snapshot();
    (capacity, available, held, waiting)
}

/// A thread that queues with that weight, once it does.
fn queued(semaphore: &Arc<Semaphore>, weight: usize) -> JoinHandle<Result<OwnedPermit, AcquireError>> {
    let before = semaphore.snapshot().waiting;
    let waiter = {
        let semaphore = Arc::clone(semaphore);
        spawn(move || semaphore.acquire_owned(weight))
    };
    until_waiting(semaphore, before + 1);
    waiter
}

#[test]
fn semaphore_and_its_permits_cross_threads_and_unwinding() {
    fn check<T: Send + Sync + std::panic::UnwindSafe + std::panic::RefUnwindSafe>() {}
    check::<Semaphore>();
    check::<Permit<&Semaphore>>();
    check::<OwnedPermit>();
}

#[test]
fn semaphore_lives_in_a_static() {
    static COURTEOUS: Semaphore = Semaphore::new(2);
    static STRICT: Semaphore = Semaphore::strict(usize::MAX);
    let permit: Permit<&'static Semaphore> = COURTEOUS.acquire().unwrap();
    spawn(move || drop(permit)).join().unwrap();
    assert_eq!((COURTEOUS.available(), STRICT.capacity()), (2, Semaphore::MAX_CAPACITY));
}

#[test]
fn permits_are_taken_and_given_back() {
    let semaphore = Semaphore::new(3);
    let two = semaphore.acquire_many(2).unwrap();
    let one = semaphore.try_acquire().unwrap();
    assert_eq!((two.permits(), one.permits(), counts(&semaphore)), (2, 1, (3, 0, 3, 0)));
    assert!(semaphore.try_acquire().unwrap_err().is_not_now());
    drop(two);
    assert_eq!((semaphore.available(), semaphore.capacity()), (2, 3));
    assert!(semaphore.try_acquire_many(3).unwrap_err().is_not_now());
    drop(one);
    assert_eq!(semaphore.try_acquire_many(3).unwrap().semaphore().available(), 0);
}

#[test]
fn more_than_the_capacity_fails_at_once_in_every_form() {
    let semaphore = Arc::new(Semaphore::new(3));
    let _held = semaphore.acquire().unwrap();
    let token = CancellationToken::new();
    for result in [
        semaphore.try_acquire_many(4).map(drop),
        semaphore.acquire_many(4).map(drop),
        semaphore.acquire_many(usize::MAX).map(drop),
        semaphore.acquire_many_timeout(4, Duration::MAX).map(drop),
        semaphore.acquire_many_with(4, &token).map(drop),
        semaphore.try_acquire_owned(4).map(drop),
        semaphore.acquire_owned(4).map(drop),
        semaphore.acquire_owned_timeout(usize::MAX, Duration::MAX).map(drop),
        semaphore.acquire_owned_with(4, &token).map(drop),
    ] {
        assert!(result.unwrap_err().is_exceeds_capacity());
    }
    assert_eq!(
        semaphore.acquire_many(4).unwrap_err().to_string(),
        "4 permits at once are more than the capacity of 3"
    );
}

#[test]
fn zero_permits_are_granted_at_once_whoever_waits_but_not_after_close() {
    let semaphore = Arc::new(Semaphore::strict(1));
    let held = semaphore.acquire().unwrap();
    let waiter = queued(&semaphore, 1);
    for permit in [
        semaphore.try_acquire_many(0),
        semaphore.acquire_many(0),
        semaphore.acquire_many_timeout(0, Duration::ZERO),
        semaphore.acquire_many_with(0, &CancellationToken::new()),
    ] {
        let permit = permit.unwrap();
        assert_eq!(permit.permits(), 0);
        permit.forget();
    }
    drop(held);
    drop(waiter.join().unwrap().unwrap());
    assert_eq!(counts(&semaphore), (1, 1, 0, 0));
    semaphore.close();
    assert!(semaphore.try_acquire_many(0).unwrap_err().is_closed());
    assert!(semaphore.acquire_many(0).unwrap_err().is_closed());
}

#[test]
fn capacity_of_zero_refuses_until_it_is_raised() {
    let semaphore = Semaphore::new(0);
    assert!(semaphore.acquire().unwrap_err().is_exceeds_capacity());
    assert!(semaphore.try_acquire().unwrap_err().is_exceeds_capacity());
    assert!(semaphore.acquire_timeout(LONG).unwrap_err().is_exceeds_capacity());
    semaphore.raise_capacity(1);
    drop(semaphore.acquire().unwrap());
}

#[test]
fn largest_capacity_is_as_good_as_no_limit() {
    let semaphore = Semaphore::new(usize::MAX);
    assert_eq!(semaphore.capacity(), Semaphore::MAX_CAPACITY);
    let most = semaphore.acquire_many(Semaphore::MAX_CAPACITY).unwrap();
    assert!(semaphore.try_acquire().unwrap_err().is_not_now());
    semaphore.raise_capacity(usize::MAX);
    semaphore.set_capacity(usize::MAX);
    assert_eq!(counts(&semaphore), (Semaphore::MAX_CAPACITY, 0, Semaphore::MAX_CAPACITY, 0));
    semaphore.set_capacity(0);
    assert_eq!(counts(&semaphore), (0, 0, Semaphore::MAX_CAPACITY, 0));
    semaphore.raise_capacity(usize::MAX);
    assert_eq!(semaphore.available(), 0);
    drop(most);
    assert_eq!(semaphore.available(), Semaphore::MAX_CAPACITY);
}

#[test]
fn turns_come_in_the_order_of_the_queue_whatever_the_weight() {
    for semaphore in [Semaphore::new(3), Semaphore::strict(3)] {
        let semaphore = Arc::new(semaphore);
        let mut held = semaphore.acquire_owned(3).unwrap();
        let served = Arc::new(Mutex::new(Vec::new()));
        let waiters: Vec<_> = [2, 3, 1]
            .into_iter()
            .enumerate()
            .map(|(number, weight)| {
                let (own, served) = (semaphore.clone(), served.clone());
                let waiter = spawn(move || {
                    let permit = own.acquire_owned(weight).unwrap();
                    served.lock().unwrap().push(number);
                    permit
                });
                until_waiting(&semaphore, number + 1);
                waiter
            })
            .collect();
        drop(held.split(1));
        assert_eq!(counts(&semaphore), (3, 1, 2, 3), "one is free, and nobody's turn");
        drop(held);
        let mut waiters = waiters.into_iter();
        let two = waiters.next().unwrap().join().unwrap();
        assert_eq!(counts(&semaphore), (3, 1, 2, 2), "the small one waits behind the large one");
        assert!(semaphore.try_acquire().unwrap_err().is_not_now());
        drop(two);
        for waiter in waiters {
            drop(waiter.join().unwrap());
        }
        assert_eq!(*served.lock().unwrap(), [0, 1, 2]);
        assert_eq!(counts(&semaphore), (3, 3, 0, 0));
    }
}

#[test]
fn large_request_is_not_starved_by_small_ones() {
    let semaphore = Semaphore::new(4);
    let done = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while done.load(SeqCst) == 0 {
                    drop(semaphore.acquire().unwrap());
                }
            });
        }
        for _ in 0..20 {
            drop(semaphore.acquire_many(4).unwrap());
        }
        done.store(1, SeqCst);
    });
}

#[test]
fn one_whose_time_is_over_leaves_and_those_behind_go_on() {
    let semaphore = Arc::new(Semaphore::new(2));
    let held = semaphore.acquire_owned(1).unwrap();
    let token = CancellationToken::new();
    let large = {
        let (semaphore, token) = (semaphore.clone(), token.clone());
        spawn(move || semaphore.acquire_owned_with(2, &token))
    };
    until_waiting(&semaphore, 1);
    let small = queued(&semaphore, 1);
    assert!(semaphore.acquire_timeout(MOMENT).unwrap_err().is_timed_out(), "behind both");
    assert!(semaphore.acquire_owned_timeout(2, MOMENT).unwrap_err().is_timed_out());
    token.cancel_with("enough");
    let error = large.join().unwrap().unwrap_err();
    let AcquireError::Cancelled(cancelled) = &error else { panic!("{error}") };
    assert!(error.is_cancelled());
    assert_eq!(cancelled.cause().unwrap().to_string(), "enough");
    drop(small.join().unwrap().unwrap());
    drop(held);
    assert_eq!(counts(&semaphore), (2, 2, 0, 0));
}

#[test]
fn timeout_of_zero_asks_once_and_the_longest_waits() {
    let semaphore = Arc::new(Semaphore::new(1));
    drop(semaphore.acquire_timeout(Duration::ZERO).unwrap());
    let held = semaphore.acquire_owned(1).unwrap();
    assert!(semaphore.acquire_timeout(Duration::ZERO).unwrap_err().is_timed_out());
    let waiter = {
        let semaphore = semaphore.clone();
        spawn(move || semaphore.acquire_owned_timeout(1, Duration::MAX).map(drop))
    };
    until_waiting(&semaphore, 1);
    drop(held);
    waiter.join().unwrap().unwrap();
}

#[test]
fn token_that_was_cancelled_before_takes_nothing() {
    let semaphore = Semaphore::new(1);
    let token = CancellationToken::new();
    token.cancel();
    assert!(semaphore.acquire_with(&token).unwrap_err().is_cancelled());
    assert!(semaphore.acquire_many_with(0, &token).unwrap_err().is_cancelled());
    assert_eq!(counts(&semaphore), (1, 1, 0, 0));
}

#[test]
fn deadline_of_a_token_ends_the_wait() {
    let semaphore = Semaphore::new(1);
    let _held = semaphore.acquire().unwrap();
    assert!(semaphore.acquire_with(&CancellationToken::with_timeout(MOMENT)).unwrap_err().is_cancelled());
    assert_eq!(semaphore.snapshot().waiting, 0);
}

#[test]
fn callback_of_a_token_may_use_the_semaphore() {
    let semaphore = Arc::new(Semaphore::new(1));
    let held = Mutex::new(Some(semaphore.acquire_owned(1).unwrap()));
    let token = CancellationToken::with_timeout(MOMENT);
    let own = semaphore.clone();
    token
        .on_cancel(move |_| {
            held.lock().unwrap().take();
            assert!(format!("{own:?}").contains("capacity: 1"));
        })
        .detach();
    match semaphore.acquire_with(&token) {
        Ok(permit) => drop(permit), // what the callback gave back came first
        Err(error) => assert!(error.is_cancelled()),
    }
    drop(semaphore.acquire().unwrap());
}

#[test]
fn split_and_merge_move_permits_and_lose_none() {
    let (semaphore, other) = (Semaphore::new(5), Semaphore::new(5));
    let mut permit = semaphore.acquire_many(4).unwrap();
    assert!(permit.split(5).is_none() && permit.split(usize::MAX).is_none());
    let mut part = permit.split(4).unwrap();
    assert_eq!((permit.permits(), part.permits()), (0, 4));
    permit.merge(part.split(1).unwrap()).unwrap();
    let error = permit.merge(other.acquire_many(2).unwrap()).unwrap_err();
    assert_eq!(error.to_string(), "permits of different semaphores cannot be merged");
    let stranger = error.into_permit();
    assert_eq!((stranger.permits(), permit.permits(), other.available()), (2, 1, 3));
    drop((stranger, part));
    assert_eq!((semaphore.available(), other.available()), (4, 5));
    drop(permit);
    assert_eq!(counts(&semaphore), (5, 5, 0, 0));
}

#[test]
fn owned_permit_keeps_the_semaphore_alive() {
    let semaphore = Arc::new(Semaphore::new(2));
    let weak = Arc::downgrade(&semaphore);
    let mut permit = semaphore.try_acquire_owned(2).unwrap();
    let part = permit.split(1).unwrap();
    drop(semaphore);
    spawn(move || drop(permit)).join().unwrap();
    assert_eq!(part.semaphore().available(), 1);
    drop(part);
    assert!(weak.upgrade().is_none(), "nothing else holds it");
}

#[test]
fn permit_comes_back_from_a_panic() {
    let semaphore = Semaphore::new(1);
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let _permit = semaphore.acquire().unwrap();
        panic!("under the permit");
    }));
    assert!(panicked.is_err());
    assert_eq!(semaphore.available(), 1);
}

#[test]
fn leaked_permit_stays_held() {
    let semaphore = Semaphore::new(2);
    std::mem::forget(semaphore.acquire().unwrap());
    assert_eq!(counts(&semaphore), (2, 1, 1, 0));
}

#[test]
fn forgotten_permits_are_gone_and_whoever_would_need_them_is_refused() {
    let semaphore = Arc::new(Semaphore::new(3));
    let mut held = semaphore.acquire_owned(2).unwrap();
    let all = queued(&semaphore, 3);
    let two = queued(&semaphore, 2);
    held.split(1).unwrap().forget();
    assert!(all.join().unwrap().unwrap_err().is_exceeds_capacity());
    assert_eq!(counts(&semaphore), (2, 1, 1, 1));
    drop(held);
    drop(two.join().unwrap().unwrap());
    assert_eq!(counts(&semaphore), (2, 2, 0, 0));
    semaphore.raise_capacity(1);
    drop(semaphore.try_acquire_many(3).unwrap());
}

#[test]
fn forgetting_more_than_a_lowered_capacity_leaves_zero() {
    let semaphore = Semaphore::new(5);
    let held = semaphore.acquire_many(5).unwrap();
    semaphore.set_capacity(2);
    held.forget();
    assert_eq!(counts(&semaphore), (0, 0, 0, 0));
    semaphore.set_capacity(1);
    drop(semaphore.try_acquire().unwrap());
}

#[test]
fn raised_capacity_lets_those_who_wait_in() {
    let semaphore = Arc::new(Semaphore::new(2));
    let held = semaphore.acquire_owned(2).unwrap();
    let waiters = [queued(&semaphore, 2), queued(&semaphore, 1)];
    semaphore.set_capacity(5);
    let permits = waiters.map(|waiter| waiter.join().unwrap().unwrap());
    assert_eq!(counts(&semaphore), (5, 0, 5, 0));
    drop((held, permits));
    assert_eq!(counts(&semaphore), (5, 5, 0, 0));
}

#[test]
fn lowered_capacity_refuses_who_waits_for_more_and_those_behind_move_up() {
    let semaphore = Arc::new(Semaphore::new(4));
    let held = semaphore.acquire_owned(2).unwrap();
    let large = queued(&semaphore, 4);
    let small = queued(&semaphore, 1);
    semaphore.lower_capacity(1);
    assert_eq!(
        large.join().unwrap().unwrap_err().to_string(),
        "4 permits at once are more than the capacity of 3"
    );
    let permit = small.join().unwrap().unwrap();
    assert_eq!(counts(&semaphore), (3, 0, 3, 0));
    drop((held, permit));
    semaphore.lower_capacity(usize::MAX);
    assert_eq!(counts(&semaphore), (0, 0, 0, 0));
}

#[test]
fn lowered_below_what_is_held_takes_nothing_away_and_gives_nothing_out() {
    let semaphore = Arc::new(Semaphore::new(3));
    let mut held = semaphore.acquire_owned(3).unwrap();
    semaphore.set_capacity(1);
    let waiter = queued(&semaphore, 1);
    assert_eq!(counts(&semaphore), (1, 0, 3, 1));
    drop(held.split(2));
    assert_eq!(counts(&semaphore), (1, 0, 1, 1), "one is held, and one is all there are");
    drop(held);
    drop(waiter.join().unwrap().unwrap());
    assert_eq!(counts(&semaphore), (1, 1, 0, 0));
}

#[test]
fn close_wakes_all_and_refuses_from_then_on() {
    let semaphore = Arc::new(Semaphore::new(2));
    let held = semaphore.acquire_owned(1).unwrap();
    let waiters = [queued(&semaphore, 2), queued(&semaphore, 1)];
    assert!(semaphore.close() && !semaphore.close() && semaphore.is_closed());
    for waiter in waiters {
        assert_eq!(waiter.join().unwrap().unwrap_err().to_string(), "the semaphore is closed");
    }
    let token = CancellationToken::new();
    for result in [
        semaphore.try_acquire(),
        semaphore.acquire(),
        semaphore.acquire_many(9),
        semaphore.acquire_timeout(LONG),
        semaphore.acquire_with(&token),
    ] {
        assert!(result.unwrap_err().is_closed());
    }
    semaphore.raise_capacity(1);
    held.forget();
    assert_eq!(counts(&semaphore), (2, 2, 0, 0));
    assert!(semaphore.snapshot().is_closed);
}

#[test]
fn close_ends_every_kind_of_wait() {
    type Form = fn(&Semaphore) -> Result<(), AcquireError>;
    for strict in [false, true] {
        let semaphore = Arc::new(if strict { Semaphore::strict(1) } else { Semaphore::new(1) });
        let held = semaphore.acquire_owned(1).unwrap();
        let forms: [Form; 4] = [
            |semaphore| semaphore.acquire_timeout(LONG).map(drop),
            |semaphore| semaphore.acquire_timeout(Duration::MAX).map(drop),
            |semaphore| semaphore.acquire_with(&CancellationToken::new()).map(drop),
            |semaphore| semaphore.acquire_with(&CancellationToken::with_timeout(LONG)).map(drop),
        ];
        let waiters = forms.map(|form| {
            let semaphore = semaphore.clone();
            spawn(move || form(&semaphore))
        });
        until_waiting(&semaphore, 4);
        assert!(semaphore.close());
        for waiter in waiters {
            assert!(waiter.join().unwrap().unwrap_err().is_closed());
        }
        drop(held);
        assert_eq!(counts(&semaphore), (1, 1, 0, 0));
    }
}

#[test]
fn wait_for_the_longest_time_ends_with_its_token() {
    let semaphore = Arc::new(Semaphore::new(1));
    let _held = semaphore.acquire().unwrap();
    let job = CancellationToken::new();
    let waiter = {
        let (semaphore, limited) = (semaphore.clone(), job.child_with_timeout(Duration::MAX));
        spawn(move || semaphore.acquire_owned_with(1, &limited).map(drop))
    };
    until_waiting(&semaphore, 1);
    job.cancel();
    assert!(waiter.join().unwrap().unwrap_err().is_cancelled());
    assert_eq!(semaphore.snapshot().waiting, 0);
    let expired = job.child_with_timeout(Duration::ZERO);
    assert!(Semaphore::new(1).acquire_with(&expired).unwrap_err().is_cancelled());
}

#[test]
fn largest_permit_is_split_merged_and_forgotten_without_an_overflow() {
    const MOST: usize = Semaphore::MAX_CAPACITY;
    let semaphore = Semaphore::new(MOST);
    let mut all = semaphore.acquire_many(MOST).unwrap();
    let mut nothing = semaphore.acquire_many(0).unwrap();
    assert!(all.split(usize::MAX).is_none());
    nothing.merge(all.split(MOST).unwrap()).unwrap();
    assert_eq!((all.permits(), nothing.permits()), (0, MOST));
    semaphore.set_capacity(0);
    semaphore.set_capacity(MOST);
    nothing.split(1).unwrap().forget();
    assert_eq!(counts(&semaphore), (MOST - 1, 0, MOST - 1, 0));
    semaphore.set_capacity(1);
    nothing.split(2).unwrap().forget(); // more than the capacity, and still more are held
    assert_eq!(counts(&semaphore), (0, 0, MOST - 3, 0));
    semaphore.set_capacity(MOST);
    assert_eq!(semaphore.available(), 3);
    drop((all, nothing));
    assert_eq!(counts(&semaphore), (MOST, MOST, 0, 0));
}

#[test]
fn lowered_and_raised_again_while_held_gives_out_exactly_what_is_there() {
    let semaphore = Arc::new(Semaphore::strict(4));
    let held = semaphore.acquire_owned(4).unwrap();
    semaphore.set_capacity(2);
    let two = queued(&semaphore, 2);
    semaphore.raise_capacity(3);
    assert_eq!(counts(&semaphore), (5, 1, 4, 1), "one is free, and two are wanted");
    semaphore.raise_capacity(1);
    let two = two.join().unwrap().unwrap();
    assert_eq!(counts(&semaphore), (6, 0, 6, 0));
    drop((held, two));
    assert_eq!(counts(&semaphore), (6, 6, 0, 0));
}

#[test]
fn debug_shows_the_state_without_waiting() {
    let semaphore = Arc::new(Semaphore::new(2));
    let permit = semaphore.acquire().unwrap();
    assert_eq!(
        format!("{semaphore:?}"),
        "Semaphore { capacity: 2, available: 1, queued: false, closed: false, .. }"
    );
    assert_eq!(format!("{permit:?}"), "Permit { permits: 1, .. }");
    let waiter = queued(&semaphore, 2);
    assert_eq!(
        format!("{semaphore:?}"),
        "Semaphore { capacity: 2, available: 1, queued: true, closed: false, .. }"
    );
    semaphore.close();
    assert!(waiter.join().unwrap().is_err());
    assert_eq!(
        format!("{semaphore:?}"),
        "Semaphore { capacity: 2, available: 1, queued: false, closed: true, .. }"
    );
}

/// Threads of all kinds at once; inside, the weights never sum up to more than the capacity.
fn storm(semaphore: &Semaphore) {
    let (capacity, rounds) = (semaphore.capacity(), 300);
    let inside = AtomicUsize::new(0);
    let enter = |permit: &Permit<&Semaphore>| {
        let now = inside.fetch_add(permit.permits(), SeqCst) + permit.permits();
        assert!(now <= capacity, "{now} inside");
        thread::yield_now();
        inside.fetch_sub(permit.permits(), SeqCst);
    };
    thread::scope(|scope| {
        for number in 0..8 {
            scope.spawn(move || {
                for round in 0..rounds {
                    let weight = 1 + (number + round) % capacity;
                    let token = CancellationToken::with_timeout(Duration::from_micros(50));
                    let outcome = match (number + round) % 4 {
                        0 => semaphore.acquire_many(weight),
                        1 => semaphore.acquire_many_timeout(weight, Duration::from_micros(20)),
                        2 => semaphore.acquire_many_with(weight, &token),
                        _ => semaphore.try_acquire_many(weight),
                    };
                    match outcome {
                        Ok(permit) => enter(&permit),
                        Err(error) => assert!(!error.is_closed() && !error.is_exceeds_capacity()),
                    }
                }
            });
        }
    });
    assert_eq!(counts(semaphore), (capacity, capacity, 0, 0));
    drop(semaphore.try_acquire_many(capacity).expect("all came back"));
}

#[test]
fn never_more_inside_than_the_capacity_whoever_leaves_early() {
    storm(&Semaphore::new(3));
    storm(&Semaphore::strict(3));
}

#[test]
fn map_keeps_the_order_and_the_limit_and_shares_it() {
    let semaphore = Semaphore::new(3);
    let (inside, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let run = |item: usize| {
        let now = inside.fetch_add(1, SeqCst) + 1;
        assert!(now <= 3, "{now} inside");
        most.fetch_max(now, SeqCst);
        thread::yield_now();
        inside.fetch_sub(1, SeqCst);
        item * 2
    };
    thread::scope(|scope| {
        let loops: Vec<_> = (0..2).map(|_| scope.spawn(|| semaphore.map(0..100, run).unwrap())).collect();
        for results in loops {
            assert_eq!(results.join().unwrap(), (0..100).map(|item| item * 2).collect::<Vec<_>>());
        }
    });
    assert!(most.load(SeqCst) <= 3);
    assert_eq!(counts(&semaphore), (3, 3, 0, 0));
}

#[test]
fn map_runs_as_many_at_once_as_there_are_permits_and_no_more_threads() {
    let meeting = Barrier::new(4);
    let threads = Mutex::new(BTreeSet::new());
    Semaphore::new(4)
        .map(0..4, |_| {
            threads.lock().unwrap().insert(format!("{:?}", thread::current().id()));
            meeting.wait(); // hangs unless four are there at once
        })
        .unwrap();
    assert_eq!(threads.lock().unwrap().len(), 4);
    let here = thread::current().id();
    let alone = Semaphore::new(1).map(0..3, |_| thread::current().id() == here).unwrap();
    assert_eq!(alone, [true; 3], "one at a time needs no thread");
    let one = Semaphore::new(usize::MAX).map([7], |_| thread::current().id() == here).unwrap();
    assert_eq!(one, [true], "one item needs no thread either");
    assert_eq!(Semaphore::new(0).map([0; 0], |item| item).unwrap(), [0; 0]);
}

#[test]
fn map_borrows_and_takes_what_is_not_shared() {
    let words = ["grist", "mill"];
    let owned = vec![words[0].to_owned(), words[1].to_owned()];
    let lengths = Semaphore::new(2).map(owned, |word| words.iter().position(|known| *known == word)).unwrap();
    assert_eq!(lengths, [Some(0), Some(1)]);
}

#[test]
fn first_failure_stops_the_rest_and_is_reported_with_its_item() {
    let semaphore = Semaphore::new(1);
    let started = AtomicUsize::new(0);
    let failed = semaphore.try_map(0..10, |item| {
        started.fetch_add(1, SeqCst);
        if item == 3 { Err("rotten") } else { Ok(item) }
    });
    assert!(matches!(failed.unwrap_err(), LimitedError::Failed { index: 3, source: "rotten" }));
    assert_eq!(started.load(SeqCst), 4);
    assert_eq!(counts(&semaphore), (1, 1, 0, 0));
}

#[test]
fn of_failures_at_once_the_lowest_item_is_reported() {
    let meeting = Barrier::new(3);
    let failed = Semaphore::new(3).try_map([2, 1, 0], |item| {
        meeting.wait();
        Err::<(), _>(item)
    });
    assert!(matches!(failed.unwrap_err(), LimitedError::Failed { index: 0, source: 2 }));
}

#[test]
fn lowest_item_that_failed_is_reported_whichever_failed_first() {
    for late in [0, 1] {
        let (semaphore, meeting) = (Semaphore::new(2), Barrier::new(2));
        let failed = semaphore.try_map(0..2, |item| {
            meeting.wait(); // both have their permits
            while item == late && semaphore.available() == 0 {
                thread::yield_now(); // until the other one has failed, and its permit is back
            }
            Err::<(), _>(item)
        });
        assert!(
            matches!(failed.unwrap_err(), LimitedError::Failed { index: 0, source: 0 }),
            "{late} is late"
        );
    }
}

#[test]
fn panic_of_an_item_is_an_error_with_its_text() {
    let semaphore = Semaphore::new(2);
    let failed = semaphore.map(0..10, |item| assert!(item != 5, "stone in the grain"));
    let error = failed.unwrap_err();
    assert_eq!(error.to_string(), "item 5 panicked: stone in the grain");
    let LimitedError::Panicked { source, .. } = error else { panic!("{error}") };
    assert_eq!(source.message(), "stone in the grain");
    assert_eq!(counts(&semaphore), (2, 2, 0, 0));
}

/// Panics when it is dropped, and counts that.
struct Bomb<'a>(&'a AtomicUsize);

impl Drop for Bomb<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, SeqCst);
        panic!("a drop");
    }
}

#[test]
fn drops_that_panic_neither_abort_nor_hide_the_first_failure() {
    let (semaphore, drops) = (Semaphore::new(1), AtomicUsize::new(0));
    let items = (0..6).map(|index| (index, Bomb(&drops)));
    let mut kept = Vec::new();
    let captured = Bomb(&drops);
    let failed = semaphore.try_map(items, |(index, item)| {
        let _moved = &captured;
        std::mem::forget(item);
        if index == 2 { Err("rotten") } else { Ok(Bomb(&drops)) }
    });
    kept.extend(failed.err());
    assert!(matches!(kept[..], [LimitedError::Failed { index: 2, source: "rotten" }]));
    assert_eq!(drops.load(SeqCst), 2 + 3, "the results of two items, and three that were not started");
    std::mem::forget(captured);
    assert_eq!(counts(&semaphore), (1, 1, 0, 0));
}

#[test]
fn error_that_gives_way_to_a_lower_one_drops_without_a_trace() {
    let (semaphore, drops) = (Semaphore::new(2), AtomicUsize::new(0));
    let meeting = Barrier::new(2);
    let failed = semaphore.try_map(0..2, |_| {
        meeting.wait();
        Err::<(), _>(Bomb(&drops))
    });
    let Err(LimitedError::Failed { index: 0, source }) = failed else { panic!("the lower one counts") };
    assert_eq!(drops.load(SeqCst), 1);
    std::mem::forget(source);
    assert_eq!(counts(&semaphore), (2, 2, 0, 0));
}

#[test]
fn items_refused_by_a_semaphore_or_a_token_drop_without_a_trace() {
    let drops = AtomicUsize::new(0);
    let items = || (0..3).map(|_| Bomb(&drops));
    let closed = Semaphore::new(2);
    closed.close();
    let error = closed.map(items(), std::mem::forget).unwrap_err();
    assert!(matches!(error, LimitedError::Refused { done: 0, source: AcquireError::Closed }));
    assert_eq!(drops.load(SeqCst), 3);
    let token = CancellationToken::new();
    token.cancel();
    let error = Semaphore::new(2).map_with(&token, items(), std::mem::forget).unwrap_err();
    assert!(matches!(error, LimitedError::Cancelled { done: 0, .. }));
    let all: Vec<_> = items().take(2).collect();
    let error = Semaphore::new(2).map_with(&token, all, std::mem::forget).unwrap_err();
    assert!(matches!(error, LimitedError::Cancelled { done: 0, .. }));
    assert_eq!(drops.swap(4, SeqCst), 4 + 2, "that at which it was seen, and the one behind it");
    let failed = Semaphore::new(1).try_map_with(&CancellationToken::new(), items(), |item| {
        std::mem::forget(item);
        token.cancel();
        Err::<(), _>(Bomb(&drops))
    });
    let Err(LimitedError::Failed { source, .. }) = failed else { panic!("another token") };
    std::mem::forget(source);
    assert_eq!(drops.load(SeqCst), 3 + 1 + 2, "of those under a cancelled token one was looked at");
}

#[test]
fn panic_of_the_iterator_comes_out_whatever_the_drops_of_its_items_do() {
    let (semaphore, drops) = (Semaphore::new(2), AtomicUsize::new(0));
    let items = (0..4).map(|index| {
        assert!(index < 3, "the harvest failed");
        Bomb(&drops)
    });
    let outcome =
        catch_unwind(AssertUnwindSafe(|| semaphore.map(items, |_| unreachable!("none is started"))));
    let payload = outcome.unwrap_err();
    assert_eq!(payload.downcast_ref::<&str>(), Some(&"the harvest failed"));
    assert_eq!(drops.load(SeqCst), 3);
}

#[test]
fn closure_whose_drop_panics_leaves_the_results_alone() {
    let drops = AtomicUsize::new(0);
    let captured = Bomb(&drops);
    let results = Semaphore::new(2).map(0..3, move |item| {
        let _captured = &captured;
        item
    });
    assert_eq!((results.unwrap(), drops.load(SeqCst)), (vec![0, 1, 2], 1));
}

#[test]
fn nothing_starts_under_the_permit_of_a_failed_item() {
    for panics in [false, true] {
        let semaphore = Semaphore::new(2);
        let _other = semaphore.acquire().unwrap(); // one is left for two threads
        let started = AtomicUsize::new(0);
        let failed = semaphore.try_map(0..2, |_| {
            started.fetch_add(1, SeqCst);
            until_waiting(&semaphore, 1); // the other thread is the next
            assert!(!panics, "stone in the grain");
            Err::<(), _>("rotten")
        });
        assert!(matches!(failed, Err(LimitedError::Failed { .. } | LimitedError::Panicked { .. })));
        assert_eq!(started.load(SeqCst), 1);
    }
}

#[test]
fn cancelled_loop_says_how_far_it_came_and_why() {
    let semaphore = Semaphore::new(1);
    let token = CancellationToken::new();
    let run = |item| {
        if item == 4 {
            token.cancel_with("enough");
        }
    };
    let error = semaphore.map_with(&token, 0..10, run).unwrap_err();
    assert_eq!(error.to_string(), "cancelled when 5 items were done");
    let LimitedError::Cancelled { done: 5, source } = error else { panic!("{error}") };
    assert_eq!(source.cause().unwrap().to_string(), "enough");
    assert!(semaphore.map_with(&token, 0..10, run).is_err(), "cancelled before: nothing is started");
    assert_eq!(semaphore.map_with(&token, [0; 0], run).unwrap(), []);
}

#[test]
fn error_after_a_cancel_is_a_reaction_and_one_before_is_the_cause() {
    let semaphore = Semaphore::new(1);
    let token = CancellationToken::new();
    let failed = semaphore.try_map_with(&token, 0..3, |_| {
        token.cancel();
        Err::<(), _>("interrupted")
    });
    assert!(matches!(failed.unwrap_err(), LimitedError::Cancelled { done: 0, .. }));
    let token = CancellationToken::new();
    let failed = semaphore.try_map_with(&token, 0..3, |_| Err::<(), _>("rotten"));
    assert!(matches!(failed.unwrap_err(), LimitedError::Failed { index: 0, .. }));
    assert!(!token.is_cancelled(), "the caller's token is the caller's");
}

#[test]
fn loop_ends_when_the_semaphore_is_closed_or_lowered_to_zero() {
    let semaphore = Semaphore::new(2);
    let error = semaphore
        .map(0..10, |item| {
            if item == 4 {
                semaphore.set_capacity(0);
            } else if item > 4 {
                while semaphore.capacity() > 0 {
                    thread::yield_now();
                }
            }
        })
        .unwrap_err();
    let LimitedError::Refused { source, .. } = &error else { panic!("{error}") };
    assert!(source.is_exceeds_capacity());
    semaphore.set_capacity(2);
    let error = semaphore.map(0..10, |_| semaphore.close()).unwrap_err();
    assert!(matches!(error, LimitedError::Refused { source: AcquireError::Closed, .. }));
}

#[test]
fn list_is_not_taken_any_further_once_the_token_is_cancelled() {
    let (semaphore, token) = (Semaphore::new(2), CancellationToken::new());
    let looked_at = AtomicUsize::new(0);
    // Without end: only the token ends it.
    let items = (0_u64..).inspect(|number| {
        looked_at.fetch_add(1, SeqCst);
        if *number == 99 {
            token.cancel();
        }
    });
    let error =
        semaphore.map_with(&token, items, |_| panic!("nothing is started")).map(|_: Vec<()>| ()).unwrap_err();
    assert!(matches!(error, LimitedError::Cancelled { done: 0, .. }), "{error}");
    assert_eq!((looked_at.load(SeqCst), semaphore.available()), (100, 2));
}

#[test]
fn texts_of_a_loop_say_why() {
    let semaphore = Semaphore::new(1);
    let failed = semaphore.try_map([1], |_| Err::<(), _>("no flour".to_owned())).unwrap_err();
    assert_eq!(failed.to_string(), "item 0 failed: no flour");
    let panicked = semaphore.map([1], |_: u8| -> u8 { panic!("no mill") }).unwrap_err();
    assert_eq!(panicked.to_string(), "item 0 panicked: no mill");
}

#[test]
fn items_may_wait_for_what_their_iterator_held() {
    let (held, gone) = std::sync::mpsc::channel::<()>();
    let gone = Mutex::new(gone);
    let items = (0..3).inspect(move |_| _ = &held);
    let ends = Semaphore::new(2).map(items, |item| (item, gone.lock().unwrap().recv().is_err())).unwrap();
    assert_eq!(ends, [(0, true), (1, true), (2, true)]);
}

#[test]
fn drop_of_a_function_that_panics_changes_no_answer_where_nothing_is_started() {
    struct Brittle;
    impl Drop for Brittle {
        fn drop(&mut self) {
            panic!("brittle");
        }
    }
    let (token, brittle) = (CancellationToken::new(), Brittle);
    token.cancel();
    let answer = Semaphore::new(1).map_with(&token, 0..3, move |_| _ = &brittle);
    assert!(matches!(answer, Err(LimitedError::Cancelled { done: 0, .. })), "{answer:?}");
    // Nor does it add to a panic of the iterator.
    let brittle = Brittle;
    let items = (0..3).inspect(|item| assert!(*item < 1, "iterator"));
    let outcome = catch_unwind(AssertUnwindSafe(|| Semaphore::new(1).map(items, move |_| _ = &brittle)));
    assert_eq!(outcome.unwrap_err().downcast_ref(), Some(&"iterator"));
}
