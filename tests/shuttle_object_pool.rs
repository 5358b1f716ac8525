//! The object pool under seeded random schedules: never too many alive, nobody waits for nothing, whatever the hooks do.
#![cfg(gristmill_shuttle)]
#![allow(clippy::unwrap_used)] // helpers are test code too

use std::panic::resume_unwind;
use std::sync::Arc;

use gristmill::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use gristmill::sync::model as execution;
use gristmill::sync::thread::{self, Builder, JoinHandle};
use gristmill::sync::time::Duration;
use gristmill::{CancellationToken, ManualClock, ObjectPool, OwnedPooled, Pooled, TakeError};

#[path = "support/model.rs"]
mod model;
use model::check;

const SECOND: Duration = Duration::from_secs(1);

fn spawn<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    Builder::new().spawn(run).expect("no fault is asked for")
}

/// How many objects live, by the objects' own account.
#[derive(Default)]
struct Alive {
    now: AtomicUsize,
    most: AtomicUsize,
    made: AtomicUsize,
    dropped: AtomicUsize,
}

impl Alive {
    fn object(self: &Arc<Self>) -> Object {
        let now = self.now.fetch_add(1, SeqCst) + 1;
        self.most.fetch_max(now, SeqCst);
        self.made.fetch_add(1, SeqCst);
        Object { alive: Arc::clone(self), uses: 0 }
    }
}

struct Object {
    alive: Arc<Alive>,
    uses: usize,
}

impl Drop for Object {
    fn drop(&mut self) {
        thread::yield_now(); // while it is dropped, others look for a place
        self.alive.now.fetch_sub(1, SeqCst);
        self.alive.dropped.fetch_add(1, SeqCst);
    }
}

fn pool(capacity: usize) -> (Arc<ObjectPool<Object>>, Arc<Alive>) {
    let alive = Arc::new(Alive::default());
    let make = Arc::clone(&alive);
    (Arc::new(ObjectPool::builder(capacity, move || make.object()).build().unwrap()), alive)
}

fn all_of(pool: &ObjectPool<Object>, objects: usize) -> Vec<OwnedPooled<Object>> {
    (0..objects).map(|_| pool.take_owned().unwrap()).collect()
}

fn until_waiting<E>(pool: &ObjectPool<Object, E>, callers: usize) {
    while pool.report().waiting < callers {
        thread::yield_now();
    }
}

/// All places are free, none too many was made, and after the end of the pool none is left.
#[track_caller]
fn assert_whole<E>(pool: Arc<ObjectPool<Object, E>>, alive: &Arc<Alive>) {
    let report = pool.report();
    assert_eq!((report.in_use, report.waiting), (0, 0));
    assert_eq!(report.idle, alive.now.load(SeqCst));
    assert_eq!(report.created, report.idle as u64 + report.detached + report.discarded.total());
    assert!(alive.most.load(SeqCst) <= report.capacity, "{} lived", alive.most.load(SeqCst));
    if !report.is_closed {
        let all: Vec<_> = (0..report.capacity).filter_map(|_| pool.try_take().ok()).collect();
        assert_eq!(all.len(), report.capacity, "a place is lost");
        assert!(pool.try_take().is_err());
    }
    assert!(alive.most.load(SeqCst) <= report.capacity);
    drop(Arc::into_inner(pool).expect("the only one left"));
    assert_eq!(alive.now.load(SeqCst), 0);
    assert_eq!(alive.made.load(SeqCst), alive.dropped.load(SeqCst));
}

#[test]
fn never_more_alive_than_the_capacity_and_everybody_gets_one() {
    check("never_more_alive_than_the_capacity_and_everybody_gets_one", || {
        execution::forbid_timeouts();
        let (pool, alive) = pool(2);
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let pool = Arc::clone(&pool);
                spawn(move || {
                    for _ in 0..2 {
                        let mut object = pool.take().unwrap();
                        object.uses += 1;
                        thread::yield_now();
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        assert_whole(pool, &alive);
    });
}

#[test]
fn waiter_gets_what_comes_back_whoever_returns_it() {
    check("waiter_gets_what_comes_back_whoever_returns_it", || {
        execution::forbid_timeouts();
        let (pool, alive) = pool(2);
        // Both are in use; each holder returns on its own thread, into its own cache if nothing speaks against it.
        let holders: Vec<_> =
            all_of(&pool, 2).into_iter().map(|object| spawn(move || drop(object))).collect();
        let waiters: Vec<_> = (0..2)
            .map(|_| {
                let pool = Arc::clone(&pool);
                spawn(move || pool.take().map(drop).unwrap())
            })
            .collect();
        for thread in holders.into_iter().chain(waiters) {
            thread.join().unwrap();
        }
        assert_eq!(alive.made.load(SeqCst), 2, "nothing is made while one is idle");
        assert_whole(pool, &alive);
    });
}

#[test]
fn object_in_the_cache_of_a_thread_that_is_gone_is_found() {
    check("object_in_the_cache_of_a_thread_that_is_gone_is_found", || {
        execution::forbid_timeouts();
        let (pool, alive) = pool(3);
        let threads: Vec<_> =
            all_of(&pool, 3).into_iter().map(|object| spawn(move || drop(object))).collect();
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(pool.report().idle, 3);
        let all: Vec<_> = (0..3).map(|_| pool.try_take().expect("three are idle")).collect();
        assert!(pool.try_take().is_err());
        assert_eq!(alive.made.load(SeqCst), 3);
        drop(all);
        assert_whole(pool, &alive);
    });
}

#[test]
fn turns_come_in_the_order_of_the_queue_and_nobody_passes() {
    check("turns_come_in_the_order_of_the_queue_and_nobody_passes", || {
        execution::forbid_timeouts();
        let (pool, alive) = pool(1);
        let held = pool.take_owned().unwrap();
        let served = Arc::new(gristmill::sync::Mutex::new(Vec::new()));
        let waiters: Vec<_> = (0..2)
            .map(|number| {
                until_waiting(&pool, number);
                let (pool, served) = (Arc::clone(&pool), Arc::clone(&served));
                spawn(move || {
                    let _object = pool.take().unwrap();
                    served.lock().push(number); // with one object, the order of the log is that of the turns
                })
            })
            .collect();
        until_waiting(&pool, 2);
        let rival = {
            let (pool, served) = (Arc::clone(&pool), Arc::clone(&served));
            spawn(move || {
                let taken = pool.try_take();
                assert!(taken.is_err() || served.lock().len() == 2);
            })
        };
        let returner = spawn(move || drop(held));
        for thread in waiters.into_iter().chain([rival, returner]) {
            thread.join().unwrap();
        }
        assert_eq!(*served.lock(), [0, 1]);
        assert_whole(pool, &alive);
    });
}

#[test]
fn create_that_fails_or_panics_gives_its_place_to_the_next() {
    check("create_that_fails_or_panics_gives_its_place_to_the_next", || {
        execution::forbid_timeouts();
        let alive = Arc::new(Alive::default());
        let (calls, make) = (AtomicUsize::new(0), Arc::clone(&alive));
        let pool = ObjectPool::try_builder(1, move || match calls.fetch_add(1, SeqCst) {
            0 => Err("refused"),
            1 => resume_unwind(Box::new("torn")),
            _ => Ok(make.object()),
        });
        let pool = Arc::new(pool.build().unwrap());
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let pool = Arc::clone(&pool);
                spawn(move || match pool.take() {
                    Ok(_) => 0,
                    Err(TakeError::Create("refused")) => 1,
                    Err(TakeError::CreatePanicked(_)) => 2,
                    Err(other) => panic!("{other:?}"),
                })
            })
            .collect();
        let mut ends: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
        ends.sort_unstable();
        assert_eq!(ends, [0, 0, 1, 2], "those who wait go on behind a failure");
        assert_eq!(pool.report().create_failures, 2);
        assert_whole(pool, &alive);
    });
}

#[test]
fn hooks_that_refuse_and_panic_cost_no_place_and_hold_up_nobody() {
    check("hooks_that_refuse_and_panic_cost_no_place_and_hold_up_nobody", || {
        execution::forbid_timeouts();
        let alive = Arc::new(Alive::default());
        let make = Arc::clone(&alive);
        let (checks, resets, ends) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
        let fails = |calls: &AtomicUsize| match calls.fetch_add(1, SeqCst) {
            1 => false,
            2 => resume_unwind(Box::new("torn")),
            _ => true,
        };
        let builder = ObjectPool::builder(2, move || make.object())
            .check(move |_| fails(&checks))
            .reset(move |_| fails(&resets))
            .dispose(move |object| {
                drop(object);
                fails(&ends); // its answer is nobody's
            });
        let pool = Arc::new(builder.build().unwrap());
        let threads: Vec<_> = (0..3)
            .map(|_| {
                let pool = Arc::clone(&pool);
                spawn(move || (0..3).for_each(|_| drop(pool.take().unwrap())))
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        let discarded = pool.report().discarded;
        assert!(discarded.failed_check <= 2 && discarded.failed_reset == 2, "{discarded:?}");
        assert_whole(pool, &alive);
    });
}

#[test]
fn close_meets_everybody_and_leaves_nothing_idle() {
    check("close_meets_everybody_and_leaves_nothing_idle", || {
        execution::forbid_timeouts();
        let (pool, alive) = pool(2);
        let held = pool.take_owned().unwrap();
        let mut threads: Vec<_> = (0..3)
            .map(|_| {
                let pool = Arc::clone(&pool);
                spawn(move || {
                    while let Ok(object) = pool.take() {
                        drop(object);
                        thread::yield_now();
                    }
                    assert!(pool.take().is_err_and(|error| error.is_closed()));
                })
            })
            .collect();
        threads.push(spawn(move || drop(held)));
        threads.push({
            let pool = Arc::clone(&pool);
            spawn(move || assert!(pool.prefill(2).is_ok_and(|made| made <= 1) || pool.is_closed()))
        });
        assert!(pool.close());
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!((pool.report().idle, alive.now.load(SeqCst)), (0, 0));
        assert_whole(pool, &alive);
    });
}

#[test]
fn cancel_and_return_have_one_winner_and_the_object_is_not_lost() {
    check("cancel_and_return_have_one_winner_and_the_object_is_not_lost", || {
        execution::forbid_timeouts();
        let (pool, alive) = pool(1);
        let held = pool.take_owned().unwrap();
        let token = CancellationToken::new();
        let first = {
            let (pool, token) = (Arc::clone(&pool), token.clone());
            spawn(move || pool.take_with(&token).map(drop))
        };
        let second = {
            let pool = Arc::clone(&pool);
            spawn(move || pool.take().map(drop))
        };
        let returner = spawn(move || drop(held));
        token.cancel();
        let first = first.join().unwrap();
        assert!(first.is_ok() || first.is_err_and(|error| error.is_cancelled()));
        second.join().unwrap().expect("its turn comes");
        returner.join().unwrap();
        assert_whole(pool, &alive);
    });
}

#[test]
fn waits_that_time_out_leave_no_trace() {
    check("waits_that_time_out_leave_no_trace", || {
        let (pool, alive) = pool(1);
        let threads: Vec<_> = (0..3)
            .map(|_| {
                let pool = Arc::clone(&pool);
                spawn(move || match pool.take_timeout(SECOND) {
                    Ok(_object) => thread::yield_now(),
                    Err(error) => assert!(error.is_timed_out()),
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        assert_whole(pool, &alive);
    });
}

#[test]
fn clearing_and_filling_keep_to_the_capacity() {
    check("clearing_and_filling_keep_to_the_capacity", || {
        execution::forbid_timeouts();
        let (pool, alive) = pool(2);
        let mut threads: Vec<_> = (0..2)
            .map(|_| {
                let pool = Arc::clone(&pool);
                spawn(move || (0..2).for_each(|_| drop(pool.take().unwrap())))
            })
            .collect();
        threads.push({
            let pool = Arc::clone(&pool);
            spawn(move || _ = (pool.clear(), pool.clear()))
        });
        threads.push({
            let pool = Arc::clone(&pool);
            spawn(move || _ = (pool.prefill(2).unwrap(), pool.prefill(2).unwrap()))
        });
        for thread in threads {
            thread.join().unwrap();
        }
        assert_whole(pool, &alive);
    });
}

#[test]
fn objects_expire_while_others_take_and_return() {
    check("objects_expire_while_others_take_and_return", || {
        execution::forbid_timeouts();
        let (clock, alive) = (ManualClock::new(), Arc::new(Alive::default()));
        let make = Arc::clone(&alive);
        let builder = ObjectPool::builder(2, move || make.object()).max_idle(SECOND).clock(clock.clone());
        let pool = Arc::new(builder.build().unwrap());
        assert_eq!(pool.prefill(2).unwrap(), 2);
        let mut threads: Vec<_> = (0..3)
            .map(|_| {
                let pool = Arc::clone(&pool);
                spawn(move || (0..2).for_each(|_| drop(pool.take().unwrap())))
            })
            .collect();
        threads.push({
            let pool = Arc::clone(&pool);
            spawn(move || _ = pool.evict_expired())
        });
        for _ in 0..3 {
            clock.advance(SECOND);
            thread::yield_now();
        }
        for thread in threads {
            thread.join().unwrap();
        }
        clock.advance(SECOND);
        pool.evict_expired();
        assert_eq!((pool.report().idle, alive.now.load(SeqCst)), (0, 0));
        assert_whole(pool, &alive);
    });
}

#[test]
fn object_that_outlives_its_pool_is_dropped_when_it_comes_back() {
    check("object_that_outlives_its_pool_is_dropped_when_it_comes_back", || {
        execution::forbid_timeouts();
        let (pool, alive) = pool(2);
        let held = pool.take_owned().unwrap();
        let other = {
            let pool = Arc::clone(&pool);
            spawn(move || drop(pool.take().unwrap()))
        };
        let returner = spawn(move || drop(held));
        drop(pool);
        other.join().unwrap();
        returner.join().unwrap();
        assert_eq!(alive.now.load(SeqCst), 0);
        assert_eq!(alive.made.load(SeqCst), alive.dropped.load(SeqCst));
    });
}

#[test]
fn object_is_detached_and_its_place_goes_to_who_waits() {
    check("object_is_detached_and_its_place_goes_to_who_waits", || {
        execution::forbid_timeouts();
        let alive = Arc::new(Alive::default());
        let make = Arc::clone(&alive);
        let pool = Arc::new(ObjectPool::builder(1, move || make.object()).build().unwrap());
        let held = pool.take_owned().unwrap();
        let waiters: Vec<_> = (0..2)
            .map(|_| {
                let pool = Arc::clone(&pool);
                spawn(move || Pooled::discard(pool.take().unwrap()))
            })
            .collect();
        let object = Pooled::detach(held);
        for waiter in waiters {
            waiter.join().unwrap();
        }
        assert_eq!((alive.now.load(SeqCst), pool.report().detached), (1, 1), "the one that left the pool");
        drop(object);
        assert_eq!(pool.report().discarded.by_holder, 2);
        assert!(pool.try_take().is_ok());
    });
}
