//! The semaphore under seeded random schedules: never too many inside, no permit lost whoever leaves, nobody passes.
#![cfg(gristmill_shuttle)]

use std::sync::Arc;

use gristmill::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use gristmill::sync::thread::{self, Builder, JoinHandle};
use gristmill::sync::time::{self, Duration};
use gristmill::sync::{Mutex, model as execution};
use gristmill::{AcquireError, CancellationToken, LimitedError, Semaphore};

#[path = "support/model.rs"]
mod model;
use model::check;

const SECOND: Duration = Duration::from_secs(1);

fn spawn<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    Builder::new().spawn(run).expect("no fault is asked for")
}

fn both_modes(name: &str, body: impl Fn(fn(usize) -> Semaphore) + Clone + Send + Sync + 'static) {
    for (mode, make) in
        [("courteous", Semaphore::new as fn(usize) -> Semaphore), ("strict", Semaphore::strict)]
    {
        let body = body.clone();
        check(&format!("{name}, {mode}"), move || body(make));
    }
}

fn until_waiting(semaphore: &Semaphore, callers: usize) {
    while semaphore.snapshot().waiting < callers {
        thread::yield_now();
    }
}

/// What is inside, counted by those inside: the oracle of the critical section.
#[derive(Default)]
struct Inside {
    held: AtomicUsize,
    most: usize,
}

impl Inside {
    fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { held: AtomicUsize::new(0), most })
    }

    fn with(&self, permits: usize, run: impl FnOnce()) {
        let held = self.held.fetch_add(permits, SeqCst) + permits;
        assert!(held <= self.most, "{held} inside");
        run();
        self.held.fetch_sub(permits, SeqCst);
    }
}

fn assert_idle(semaphore: &Semaphore, capacity: usize) {
    let end = semaphore.snapshot();
    assert_eq!((end.capacity, end.available, end.held, end.waiting), (capacity, capacity, 0, 0));
    drop(semaphore.try_acquire_many(capacity).expect("the fast path is open again"));
}

#[test]
fn never_more_inside_than_the_capacity_and_everybody_gets_in() {
    both_modes("never_more_inside_than_the_capacity_and_everybody_gets_in", |make| {
        execution::forbid_timeouts();
        let (semaphore, inside) = (Arc::new(make(3)), Inside::new(3));
        let threads: Vec<_> = [1, 2, 3, 1, 2]
            .into_iter()
            .map(|weight| {
                let (semaphore, inside) = (semaphore.clone(), inside.clone());
                spawn(move || {
                    for _ in 0..2 {
                        let permit = semaphore.acquire_many(weight).unwrap();
                        inside.with(weight, thread::yield_now);
                        drop(permit);
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        assert_idle(&semaphore, 3);
    });
}

#[test]
fn permit_makes_visible_what_was_done_under_it_before() {
    both_modes("permit_makes_visible_what_was_done_under_it_before", |make| {
        execution::forbid_timeouts();
        let semaphore = Arc::new(make(1));
        let counter = Arc::new(AtomicUsize::new(0));
        let threads: Vec<_> = (0..3)
            .map(|_| {
                let (semaphore, counter) = (semaphore.clone(), counter.clone());
                spawn(move || {
                    let _permit = semaphore.acquire().unwrap();
                    // Two steps: lost if two are inside.
                    let seen = counter.load(SeqCst);
                    counter.store(seen + 1, SeqCst);
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(counter.load(SeqCst), 3);
    });
}

#[test]
fn turns_come_in_the_order_of_the_queue_whatever_the_weights() {
    both_modes("turns_come_in_the_order_of_the_queue_whatever_the_weights", |make| {
        execution::forbid_timeouts();
        let semaphore = Arc::new(make(3));
        let all = semaphore.acquire_owned(3).unwrap();
        let served = Arc::new(Mutex::new(Vec::new()));
        let waiters: Vec<_> = [2, 3, 3]
            .into_iter()
            .enumerate()
            .map(|(number, weight)| {
                until_waiting(&semaphore, number);
                let (semaphore, served) = (semaphore.clone(), served.clone());
                spawn(move || {
                    let permit = semaphore.acquire_many(weight).unwrap();
                    served.lock().push(number);
                    drop(permit);
                })
            })
            .collect();
        until_waiting(&semaphore, 3);
        // No two of them fit in together, so the order of the log is the order of the grants.
        let rivals: Vec<_> = (0..2)
            .map(|_| {
                let semaphore = semaphore.clone();
                spawn(move || {
                    let before = semaphore.snapshot().waiting;
                    let taken = semaphore.try_acquire();
                    assert!(taken.is_err() || before < 3 || semaphore.snapshot().waiting == 0);
                })
            })
            .collect();
        drop(all);
        for thread in waiters.into_iter().chain(rivals) {
            thread.join().unwrap();
        }
        assert_eq!(*served.lock(), [0, 1, 2]);
        assert_idle(&semaphore, 3);
    });
}

#[test]
fn nobody_passes_one_who_queues() {
    both_modes("nobody_passes_one_who_queues", |make| {
        execution::forbid_timeouts();
        let semaphore = Arc::new(make(2));
        let mut held = semaphore.acquire_owned(2).unwrap();
        let large = {
            let semaphore = semaphore.clone();
            spawn(move || semaphore.acquire_many(2).map(drop))
        };
        until_waiting(&semaphore, 1);
        drop(held.split(1));
        let small = {
            let semaphore = semaphore.clone();
            spawn(move || semaphore.try_acquire().map(drop))
        };
        assert!(
            small.join().unwrap().unwrap_err().is_not_now(),
            "one is free, and it is not for late comers"
        );
        drop(held);
        large.join().unwrap().unwrap();
        assert_idle(&semaphore, 2);
    });
}

#[test]
fn cancel_and_grant_have_one_winner_and_the_next_gets_what_is_left() {
    both_modes("cancel_and_grant_have_one_winner_and_the_next_gets_what_is_left", |make| {
        execution::forbid_timeouts();
        let semaphore = Arc::new(make(2));
        let held = semaphore.acquire_owned(2).unwrap();
        let token = CancellationToken::new();
        let first = {
            let (semaphore, token) = (semaphore.clone(), token.clone());
            spawn(move || semaphore.acquire_owned_with(2, &token))
        };
        until_waiting(&semaphore, 1);
        let second = {
            let semaphore = semaphore.clone();
            spawn(move || semaphore.acquire().map(drop))
        };
        let canceller = spawn(move || token.cancel());
        drop(held);
        canceller.join().unwrap();
        match first.join().unwrap() {
            Ok(permit) => assert_eq!(permit.permits(), 2),
            Err(error) => assert!(error.is_cancelled()),
        }
        second.join().unwrap().unwrap(); // hangs if a permit or the wake-up is lost
        assert_idle(&semaphore, 2);
    });
}

#[test]
fn cancelled_head_lets_those_behind_it_go_on_with_what_is_free() {
    both_modes("cancelled_head_lets_those_behind_it_go_on_with_what_is_free", |make| {
        execution::forbid_timeouts();
        let semaphore = Arc::new(make(2));
        let held = semaphore.acquire().unwrap();
        let token = CancellationToken::new();
        let large = {
            let (semaphore, token) = (semaphore.clone(), token.clone());
            spawn(move || semaphore.acquire_many_with(2, &token).map(drop))
        };
        until_waiting(&semaphore, 1);
        let small = {
            let semaphore = semaphore.clone();
            spawn(move || semaphore.acquire().map(drop))
        };
        until_waiting(&semaphore, 2);
        token.cancel();
        assert!(large.join().unwrap().unwrap_err().is_cancelled());
        small.join().unwrap().unwrap();
        drop(held);
        assert_idle(&semaphore, 2);
    });
}

#[test]
fn time_outs_at_any_step_lose_no_permit() {
    both_modes("time_outs_at_any_step_lose_no_permit", |make| {
        let (semaphore, inside) = (Arc::new(make(2)), Inside::new(2));
        let threads: Vec<_> = [(1, 1), (2, 2), (2, 1), (1, 3)]
            .into_iter()
            .map(|(weight, seconds)| {
                let (semaphore, inside) = (semaphore.clone(), inside.clone());
                spawn(move || {
                    for _ in 0..2 {
                        let limit = time::now() + SECOND * seconds;
                        match semaphore.acquire_many_timeout(weight, SECOND * seconds) {
                            Ok(_permit) => inside.with(weight, thread::yield_now),
                            Err(error) => assert!(error.is_timed_out() && time::now() >= limit),
                        }
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        assert_idle(&semaphore, 2);
    });
}

#[test]
fn deadline_of_a_token_ends_the_wait() {
    check("deadline_of_a_token_ends_the_wait", || {
        let semaphore = Semaphore::new(1);
        let _held = semaphore.acquire().unwrap();
        let token = CancellationToken::with_timeout(SECOND);
        assert!(semaphore.acquire_with(&token).unwrap_err().is_cancelled());
        assert!(time::now() >= token.deadline().unwrap());
        assert_eq!(semaphore.snapshot().waiting, 0);
    });
}

#[test]
fn deadline_that_no_thread_watches_ends_the_wait() {
    check("deadline_that_no_thread_watches_ends_the_wait", || {
        let _fault = gristmill::sync::fault::fail_spawn_at(1);
        let token = CancellationToken::with_timeout(SECOND);
        let semaphore = Semaphore::strict(1);
        let _held = semaphore.acquire().unwrap();
        assert!(semaphore.acquire_with(&token).unwrap_err().is_cancelled());
    });
}

#[test]
fn capacity_moves_under_those_who_wait_and_who_hold() {
    both_modes("capacity_moves_under_those_who_wait_and_who_hold", |make| {
        execution::forbid_timeouts();
        let (semaphore, inside) = (Arc::new(make(2)), Inside::new(3));
        let threads: Vec<_> = [1, 3, 2]
            .into_iter()
            .map(|weight| {
                let (semaphore, inside) = (semaphore.clone(), inside.clone());
                spawn(move || match semaphore.acquire_many(weight) {
                    Ok(_permit) => inside.with(weight, thread::yield_now),
                    Err(error) => {
                        let AcquireError::ExceedsCapacity { permits, capacity } = error else {
                            panic!("{error}")
                        };
                        assert!(permits == weight && capacity < weight);
                    }
                })
            })
            .collect();
        for capacity in [3, 1, 2] {
            semaphore.set_capacity(capacity);
            let now = semaphore.snapshot();
            assert_eq!(now.available, now.capacity.saturating_sub(now.held));
        }
        for thread in threads {
            thread.join().unwrap();
        }
        assert_idle(&semaphore, 2);
    });
}

#[test]
fn lowered_below_what_is_held_gives_nothing_out_before_enough_came_back() {
    both_modes("lowered_below_what_is_held_gives_nothing_out_before_enough_came_back", |make| {
        execution::forbid_timeouts();
        let (semaphore, inside) = (Arc::new(make(3)), Inside::new(1));
        let mut held = semaphore.acquire_owned(3).unwrap();
        let parts = [held.split(1).unwrap(), held.split(1).unwrap(), held];
        semaphore.set_capacity(1);
        let waiters: Vec<_> = (0..2)
            .map(|_| {
                let (semaphore, inside) = (semaphore.clone(), inside.clone());
                spawn(move || {
                    let _permit = semaphore.acquire().unwrap();
                    inside.with(1, || assert_eq!(semaphore.snapshot().held, 1, "all three came back before"));
                })
            })
            .collect();
        let droppers: Vec<_> = parts.into_iter().map(|part| spawn(move || drop(part))).collect();
        for thread in waiters.into_iter().chain(droppers) {
            thread.join().unwrap();
        }
        assert_idle(&semaphore, 1);
    });
}

#[test]
fn close_wakes_all_and_every_call_ends_one_way() {
    both_modes("close_wakes_all_and_every_call_ends_one_way", |make| {
        execution::forbid_timeouts();
        let semaphore = Arc::new(make(1));
        let held = semaphore.acquire_owned(1).unwrap();
        let waiters: Vec<_> = (0..3)
            .map(|_| {
                let semaphore = semaphore.clone();
                spawn(move || match semaphore.acquire() {
                    Ok(permit) => drop(permit),
                    Err(error) => assert!(error.is_closed()),
                })
            })
            .collect();
        let closer = {
            let semaphore = semaphore.clone();
            spawn(move || assert!(semaphore.close()))
        };
        drop(held);
        for thread in waiters.into_iter().chain([closer]) {
            thread.join().unwrap();
        }
        assert!(semaphore.try_acquire().unwrap_err().is_closed() && !semaphore.close());
        let end = semaphore.snapshot();
        assert_eq!((end.available, end.held, end.waiting), (1, 0, 0));
    });
}

#[test]
fn forgotten_permit_lets_nobody_wait_for_what_never_comes() {
    both_modes("forgotten_permit_lets_nobody_wait_for_what_never_comes", |make| {
        execution::forbid_timeouts();
        let semaphore = Arc::new(make(2));
        let held = semaphore.acquire_owned(1).unwrap();
        let both = {
            let semaphore = semaphore.clone();
            spawn(move || semaphore.acquire_many(2).map(drop))
        };
        let one = {
            let semaphore = semaphore.clone();
            spawn(move || semaphore.acquire().map(drop))
        };
        held.forget();
        assert!(both.join().unwrap().unwrap_err().is_exceeds_capacity());
        one.join().unwrap().unwrap();
        assert_idle(&semaphore, 1);
    });
}

#[test]
fn loop_keeps_order_and_limit_beside_another_user() {
    check("loop_keeps_order_and_limit_beside_another_user", || {
        execution::forbid_timeouts();
        let (semaphore, inside) = (Arc::new(Semaphore::new(2)), Inside::new(2));
        let other = {
            let (semaphore, inside) = (semaphore.clone(), inside.clone());
            spawn(move || {
                let _both = semaphore.acquire_many(2).unwrap();
                inside.with(2, thread::yield_now);
            })
        };
        let results = semaphore.map(0..4, |item| {
            inside.with(1, thread::yield_now);
            item
        });
        assert_eq!(results.unwrap(), [0, 1, 2, 3]);
        other.join().unwrap();
        assert_idle(&semaphore, 2);
    });
}

#[test]
fn loop_waits_for_no_permit_once_its_items_are_given_out() {
    check("loop_waits_for_no_permit_once_its_items_are_given_out", || {
        execution::forbid_timeouts();
        let semaphore = Arc::new(Semaphore::new(2));
        let (ran, over) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let other = {
            let (semaphore, ran, over) = (semaphore.clone(), ran.clone(), over.clone());
            spawn(move || {
                while ran.load(SeqCst) < 3 {
                    thread::yield_now();
                }
                // Its turn comes, since the loop needs no more permits; and it holds them until the loop is over.
                let _both = semaphore.acquire_many(2).unwrap();
                while over.load(SeqCst) == 0 {
                    thread::yield_now();
                }
            })
        };
        semaphore.map(0..3, |_| ran.fetch_add(1, SeqCst)).unwrap();
        over.store(1, SeqCst);
        other.join().unwrap();
        assert_idle(&semaphore, 2);
    });
}

#[test]
fn nothing_starts_after_a_failure_whose_permit_it_has() {
    check("nothing_starts_after_a_failure_whose_permit_it_has", || {
        execution::forbid_timeouts();
        let semaphore = Semaphore::new(2);
        let other = semaphore.acquire().unwrap(); // one is left for two threads
        let started = AtomicUsize::new(0);
        let failed = semaphore.try_map(0..3, |item| {
            started.fetch_add(1, SeqCst);
            thread::yield_now();
            Err::<(), _>(item)
        });
        assert!(matches!(failed, Err(LimitedError::Failed { .. })));
        assert_eq!(started.load(SeqCst), 1);
        drop(other);
        assert_idle(&semaphore, 2);
    });
}

#[test]
fn loop_ends_with_one_reason_whatever_comes_at_once() {
    check("loop_ends_with_one_reason_whatever_comes_at_once", || {
        execution::forbid_timeouts();
        let semaphore = Arc::new(Semaphore::new(2));
        let token = CancellationToken::new();
        let closer = {
            let semaphore = semaphore.clone();
            spawn(move || semaphore.close())
        };
        let canceller = {
            let token = token.clone();
            spawn(move || token.cancel())
        };
        let done = AtomicUsize::new(0);
        let ended = semaphore.try_map_with(&token, 0..3, |item| {
            if item == 2 {
                return Err(item);
            }
            done.fetch_add(1, SeqCst);
            Ok(())
        });
        match ended.expect_err("the last item fails if it is started") {
            LimitedError::Failed { index, source } => assert_eq!((index, source), (2, 2)),
            LimitedError::Cancelled { done: reported, .. } => {
                assert!(token.is_cancelled() && reported == done.load(SeqCst));
            }
            LimitedError::Refused { done: reported, source } => {
                assert!(source.is_closed() && reported == done.load(SeqCst));
            }
            other => panic!("{other}"),
        }
        closer.join().unwrap();
        canceller.join().unwrap();
        let end = semaphore.snapshot();
        assert_eq!((end.available, end.held, end.waiting), (2, 0, 0));
    });
}

#[test]
fn loop_does_without_threads_that_cannot_be_created() {
    check("loop_does_without_threads_that_cannot_be_created", || {
        execution::forbid_timeouts();
        for failing in 1..3 {
            let _fault = gristmill::sync::fault::fail_spawn_at(failing);
            let results = Semaphore::new(3).map(0..4, |item| item * 2);
            assert_eq!(results.unwrap(), [0, 2, 4, 6]);
        }
    });
}

// A call that does not wait fails for one who queues or for lack of permits, and for nothing else. In these three both are ruled out by what has
// happened before the call; only one who enters the queue, or has left it, is still about.

#[test]
fn one_who_comes_and_finds_permits_makes_nobody_fail() {
    both_modes("one_who_comes_and_finds_permits_makes_nobody_fail", |make| {
        execution::forbid_timeouts();
        let semaphore = Arc::new(make(2));
        let held = semaphore.acquire_many(2).unwrap();
        let other = {
            let semaphore = semaphore.clone();
            spawn(move || semaphore.acquire_owned(1))
        };
        drop(held); // grants if the other one queues; from here on it never has to
        let mine = semaphore.try_acquire().expect("there are two permits, and two who want one each");
        let _ = (mine, other.join().unwrap().unwrap());
    });
}

#[test]
fn one_who_was_served_is_not_in_the_way_of_its_next_call() {
    both_modes("one_who_was_served_is_not_in_the_way_of_its_next_call", |make| {
        execution::forbid_timeouts();
        let semaphore = Arc::new(make(2));
        let held = semaphore.acquire_owned(2).unwrap();
        let waiter = {
            let semaphore = semaphore.clone();
            spawn(move || {
                let _first = semaphore.acquire().unwrap();
                let _second = semaphore.try_acquire().expect("the other one is free, and nobody queues");
            })
        };
        drop(held);
        waiter.join().unwrap();
        assert_idle(&semaphore, 2);
    });
}

#[test]
fn one_who_was_refused_is_not_in_the_way_of_its_next_call() {
    both_modes("one_who_was_refused_is_not_in_the_way_of_its_next_call", |make| {
        execution::forbid_timeouts();
        let semaphore = Arc::new(make(3));
        let held = semaphore.acquire_owned(1).unwrap();
        let waiter = {
            let semaphore = semaphore.clone();
            spawn(move || {
                assert!(semaphore.acquire_many(3).unwrap_err().is_exceeds_capacity());
                let _one = semaphore.try_acquire().expect("one of two is free, and nobody queues");
            })
        };
        semaphore.set_capacity(2);
        waiter.join().unwrap();
        drop(held);
        assert_idle(&semaphore, 2);
    });
}
