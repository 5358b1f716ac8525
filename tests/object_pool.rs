//! What the object pool promises, on real threads.
#![cfg(not(any(gristmill_shuttle, gristmill_loom)))]

use std::convert::Infallible;
use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use gristmill::{
    AcquireError, CancellationToken, Cancelled, ManualClock, ObjectPool, ObjectPoolBuilder, ObjectPoolError,
    OwnedPooled, Pooled, Semaphore, TakeError,
};

const LONG: Duration = Duration::from_secs(60);
const MOMENT: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

fn spawn<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    thread::Builder::new().spawn(run).expect("a thread")
}

/// Numbers objects, and counts those that live.
#[derive(Clone, Debug, Default)]
struct Mint(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    made: AtomicUsize,
    alive: AtomicUsize,
    most: AtomicUsize,
}

#[derive(Debug)]
struct Object {
    number: usize,
    mint: Mint,
}

impl Mint {
    fn object(&self) -> Object {
        self.0.most.fetch_max(self.0.alive.fetch_add(1, SeqCst) + 1, SeqCst);
        Object { number: self.0.made.fetch_add(1, SeqCst), mint: self.clone() }
    }

    fn builder(&self, capacity: usize) -> ObjectPoolBuilder<Object> {
        let mint = self.clone();
        ObjectPool::builder(capacity, move || mint.object())
    }

    fn alive(&self) -> usize {
        self.0.alive.load(SeqCst)
    }

    fn most(&self) -> usize {
        self.0.most.load(SeqCst)
    }
}

impl Drop for Object {
    fn drop(&mut self) {
        self.mint.0.alive.fetch_sub(1, SeqCst);
    }
}

fn minted(capacity: usize) -> (Arc<ObjectPool<Object>>, Mint) {
    let mint = Mint::default();
    (Arc::new(mint.builder(capacity).build().expect("not of zero objects")), mint)
}

fn until_waiting<T, E>(pool: &ObjectPool<T, E>, callers: usize) {
    while pool.report().waiting != callers {
        thread::yield_now();
    }
}

/// All that are to be had, and no more than the capacity.
#[track_caller]
fn assert_whole<T, E>(pool: &ObjectPool<T, E>) {
    let report = pool.report();
    assert_eq!((report.in_use, report.waiting), (0, 0));
    assert_eq!(report.created, report.idle as u64 + report.detached + report.discarded.total());
    let all: Vec<_> = (0..report.capacity).filter_map(|_| pool.try_take().ok()).collect();
    assert_eq!(all.len(), report.capacity, "no place is lost");
    assert!(pool.try_take().is_err_and(|error| error.is_not_now()), "and none won");
}

fn numbers(objects: &[Pooled<'_, Object>]) -> Vec<usize> {
    objects.iter().map(|object| object.number).collect()
}

#[test]
fn pool_and_its_objects_cross_threads_and_unwinding() {
    fn crosses<T: Send + Sync>() {}
    fn unwinds<T: std::panic::UnwindSafe + std::panic::RefUnwindSafe>() {}
    crosses::<ObjectPool<Vec<u8>>>();
    crosses::<ObjectPool<std::cell::Cell<u8>, std::rc::Rc<u8>>>();
    unwinds::<ObjectPool<Vec<u8>>>();
    crosses::<Pooled<'_, Vec<u8>>>();
    crosses::<OwnedPooled<Vec<u8>>>();
    crosses::<TakeError<Infallible>>();
}

#[test]
fn capacity_of_zero_is_refused() {
    let refused = ObjectPool::builder(0, Vec::<u8>::new).build().unwrap_err();
    assert_eq!(refused, ObjectPoolError::ZeroCapacity);
    assert_eq!(refused.to_string(), "a pool of zero objects would never give one");
}

#[test]
fn largest_capacity_is_as_good_as_no_limit_and_takes_no_memory() {
    // The first one in a process asks for the number of cores, which takes memory.
    drop(ObjectPool::builder(1000, Vec::<u8>::new).build());
    let small = allocation_counter::measure(|| drop(ObjectPool::builder(1000, Vec::<u8>::new).build()));
    let large = allocation_counter::measure(|| {
        let pool = ObjectPool::builder(usize::MAX, Vec::<u8>::new).build().unwrap();
        assert_eq!(pool.capacity(), Semaphore::MAX_CAPACITY);
        drop(pool);
    });
    assert_eq!(small.bytes_max, large.bytes_max);
    let (pool, _) = minted(usize::MAX);
    let many: Vec<_> = (0..100).map(|_| pool.try_take().unwrap()).collect();
    assert_eq!((many.len(), pool.report().in_use), (100, 100));
}

#[test]
fn object_is_used_again_and_one_is_made_only_if_none_is_idle() {
    let (pool, _) = minted(3);
    for _ in 0..5 {
        assert_eq!(pool.take().unwrap().number, 0);
    }
    let both = [pool.take().unwrap(), pool.take().unwrap()];
    assert_eq!(numbers(&both), [0, 1]);
    let report = pool.report();
    assert_eq!((report.created, report.reused, report.in_use, report.idle), (2, 5, 2, 0));
    drop(both);
    assert_whole(&pool);
}

#[test]
fn most_recently_returned_one_is_taken_first() {
    let (pool, _) = minted(4);
    let mut objects: Vec<_> = (0..4).map(|_| pool.take().unwrap()).collect();
    for number in [2, 0, 3, 1] {
        let at = objects.iter().position(|object| object.number == number).unwrap();
        drop(objects.remove(at));
    }
    let again: Vec<_> = (0..4).map(|_| pool.take().unwrap()).collect();
    assert_eq!(numbers(&again), [1, 3, 0, 2]);
}

#[test]
fn object_stays_where_it_is_and_a_turn_allocates_nothing() {
    let pool = ObjectPool::builder(2, || [0_u8; 4096]).build().unwrap();
    let place = pool.take().unwrap().as_ptr();
    let info = allocation_counter::measure(|| {
        for _ in 0..100 {
            assert_eq!(pool.take().unwrap().as_ptr(), place);
        }
    });
    assert_eq!(info.count_total, 0);
}

#[test]
fn everything_in_use_refuses_who_does_not_wait_and_times_out_who_does() {
    let (pool, _) = minted(2);
    let held = [pool.take().unwrap(), pool.take_owned().unwrap()];
    assert!(pool.try_take().is_err_and(|error| error.is_not_now()));
    assert!(pool.try_take_owned().is_err_and(|error| error.is_not_now()));
    for timeout in [Duration::ZERO, MOMENT] {
        assert!(pool.take_timeout(timeout).is_err_and(|error| error.is_timed_out()));
        assert!(pool.take_owned_timeout(timeout).is_err_and(|error| error.is_timed_out()));
    }
    drop(held);
    assert_eq!(pool.report().waited, 4);
    for timeout in [Duration::ZERO, Duration::MAX] {
        drop(pool.take_timeout(timeout).unwrap());
    }
    assert_whole(&pool);
}

#[test]
fn unlimited_time_out_waits_until_one_comes_back() {
    let (pool, _) = minted(1);
    let held = pool.take().unwrap();
    let waiter = {
        let pool = Arc::clone(&pool);
        spawn(move || pool.take_owned_timeout(Duration::MAX).unwrap().number)
    };
    until_waiting(&pool, 1);
    drop(held);
    assert_eq!(waiter.join().unwrap(), 0);
    assert_whole(&pool);
}

#[test]
fn token_cancelled_before_the_call_refuses_even_with_an_idle_object() {
    let (pool, _) = minted(1);
    drop(pool.take().unwrap());
    let token = CancellationToken::new();
    drop(pool.take_with(&token).unwrap());
    token.cancel();
    assert!(pool.take_with(&token).is_err_and(|error| error.is_cancelled()));
    assert!(pool.take_owned_with(&token).is_err_and(|error| error.is_cancelled()));
    assert_eq!(pool.report().reused, 1);
    assert_whole(&pool);
}

#[test]
fn cancelled_waiter_leaves_and_the_next_one_moves_up() {
    let (pool, _) = minted(1);
    let (held, token) = (pool.take().unwrap(), CancellationToken::new());
    let cancelled = {
        let (pool, token) = (Arc::clone(&pool), token.clone());
        spawn(move || pool.take_with(&token).map(drop))
    };
    until_waiting(&pool, 1);
    let next = {
        let pool = Arc::clone(&pool);
        spawn(move || pool.take().map(drop))
    };
    until_waiting(&pool, 2);
    token.cancel();
    let Err(TakeError::Cancelled(cause)) = cancelled.join().unwrap() else { panic!("it was cancelled") };
    assert_eq!(Some(cause.kind()), token.cause().map(|cause| cause.kind()));
    until_waiting(&pool, 1);
    let report = pool.report();
    assert_eq!((report.waited, report.cancelled, report.timed_out), (1, 1, 0), "one wait has ended, and why");
    drop(held);
    next.join().unwrap().unwrap();
    assert_whole(&pool);
}

#[test]
fn turns_come_in_the_order_of_the_queue_and_nobody_passes() {
    let (pool, _) = minted(1);
    let held = pool.take().unwrap();
    let served = Arc::new(Mutex::new(Vec::new()));
    let waiters: Vec<_> = (0..4)
        .map(|number| {
            let (theirs, served) = (Arc::clone(&pool), Arc::clone(&served));
            let waiter = spawn(move || {
                let _object = theirs.take().unwrap();
                served.lock().unwrap().push(number); // with one object, the order of the log is that of the turns
            });
            until_waiting(&pool, number + 1);
            waiter
        })
        .collect();
    drop(held);
    if let Ok(taken) = pool.try_take() {
        assert_eq!(served.lock().unwrap().len(), 4, "it passed one who queues");
        drop(taken);
    }
    for waiter in waiters {
        waiter.join().unwrap();
    }
    assert_eq!(*served.lock().unwrap(), [0, 1, 2, 3]);
    assert_whole(&pool);
}

#[test]
fn object_returned_on_another_thread_is_found_from_here() {
    let (pool, mint) = minted(8);
    let threads: Vec<_> = (0..8).map(|_| pool.take_owned().unwrap()).collect();
    for object in threads {
        spawn(move || drop(object)).join().unwrap(); // into a cache of a thread that is gone
    }
    let all: Vec<_> = (0..8).map(|_| pool.try_take().unwrap()).collect();
    assert_eq!((all.len(), mint.most()), (8, 8), "none was made anew, and nobody would have had to wait");
    thread::scope(|scope| {
        for object in all {
            scope.spawn(move || drop(object));
        }
    });
    assert_whole(&pool);
    assert_eq!(mint.most(), 8);
}

#[test]
fn create_that_fails_gives_its_error_and_its_place_back() {
    let refuses = Arc::new(AtomicBool::new(true));
    let asked = Arc::clone(&refuses);
    let pool = ObjectPool::try_builder(1, move || {
        if asked.load(SeqCst) { "x".parse::<u8>().map(|_| 0) } else { "7".parse::<u8>() }
    });
    let pool = pool.build().unwrap();
    for _ in 0..3 {
        let error = pool.take().unwrap_err();
        assert_eq!(error.to_string(), "no object could be made: invalid digit found in string");
        assert!(error.create().is_some() && error.source().is_none());
    }
    assert!(matches!(pool.prefill(1), Err(TakeError::Create(_))));
    assert!(matches!(pool.take_owned(), Err(TakeError::Create(_))));
    refuses.store(false, SeqCst);
    assert_eq!(*pool.take().unwrap(), 7);
    assert_eq!((pool.report().create_failures, pool.report().created), (5, 1));
    assert_whole(&pool);
}

#[test]
fn error_of_the_create_hook_is_in_the_text_and_what_is_behind_it_the_source() {
    let token = CancellationToken::new();
    token.cancel();
    let cause = token.cause().expect("just now");
    let create = move || Err::<u8, _>(AcquireError::Cancelled(cause.clone()));
    let pool = ObjectPool::try_builder(1, create).build().unwrap();
    let error = pool.take().unwrap_err();
    assert_eq!(error.to_string(), "no object could be made: the wait for permits was cancelled");
    assert!(error.source().is_some_and(<dyn std::error::Error>::is::<Cancelled>));
}

#[test]
fn create_that_panics_is_an_error_and_gives_its_place_back() {
    let pool = ObjectPool::builder(1, || -> u8 { panic!("no stone") }).build().unwrap();
    for _ in 0..3 {
        let error = pool.try_take().unwrap_err();
        assert!(error.to_string().starts_with("no object could be made: the create hook of an object pool"));
        let TakeError::CreatePanicked(panic) = error else { panic!("{error}") };
        assert_eq!(panic.message(), "no stone");
        assert!(panic.location().is_some_and(|at| at.file().ends_with("object_pool.rs")));
    }
    assert!(matches!(pool.prefill(1), Err(TakeError::CreatePanicked(_))));
    let report = pool.report();
    assert_eq!((report.create_failures, report.created, report.in_use), (4, 0, 0));
}

#[test]
fn waiter_whose_create_fails_lets_the_next_one_try() {
    let calls = AtomicUsize::new(0);
    let pool = ObjectPool::try_builder(
        1,
        move || if calls.fetch_add(1, SeqCst) == 1 { Err("twice") } else { Ok(5) },
    );
    let pool = Arc::new(pool.build().unwrap());
    let held = pool.take().unwrap();
    let waiters: Vec<_> = (0..2)
        .map(|number| {
            let theirs = Arc::clone(&pool);
            let waiter = spawn(move || theirs.take().map(|object| *object));
            until_waiting(&pool, number + 1);
            waiter
        })
        .collect();
    Pooled::discard(held);
    let ends: Vec<_> = waiters.into_iter().map(|waiter| waiter.join().unwrap()).collect();
    assert!(matches!(ends[..], [Err(TakeError::Create("twice")), Ok(5)]), "{ends:?}");
    assert_whole(&pool);
}

#[test]
fn object_that_fails_its_check_is_dropped_and_the_next_one_is_tried() {
    let mint = Mint::default();
    let pool = mint.builder(3).check(|object| match object.number {
        1 => false,
        2 => panic!("checked"),
        _ => true,
    });
    let pool = pool.build().unwrap();
    let mut three: Vec<_> = (0..3).map(|_| pool.take().unwrap()).collect();
    assert_eq!(numbers(&three), [0, 1, 2], "new ones are not checked");
    three.drain(..).for_each(drop);
    assert_eq!(pool.take().unwrap().number, 0, "behind the two that came back later");
    let report = pool.report();
    assert_eq!((report.discarded.failed_check, report.reused, mint.alive()), (2, 1, 1));
    assert_whole(&pool);
}

#[test]
fn check_that_always_fails_makes_a_new_one_each_time() {
    let mint = Mint::default();
    let pool = mint.builder(1).check(|_| false).build().unwrap();
    for number in 0..4 {
        assert_eq!(pool.take().unwrap().number, number);
    }
    assert_eq!((mint.alive(), mint.most(), pool.report().reused), (1, 1, 0));
    assert_whole(&pool);
}

#[test]
fn reset_makes_it_new_or_says_that_it_is_broken() {
    let pool = ObjectPool::builder(1, Vec::<u8>::new).reset(|bytes| {
        assert!(bytes.len() < 3, "too many");
        let is_good = bytes.len() < 2;
        bytes.clear();
        is_good
    });
    let pool = pool.build().unwrap();
    pool.take().unwrap().push(1);
    assert!(pool.take().unwrap().is_empty(), "the same one");
    pool.take().unwrap().extend([1, 2]);
    pool.take().unwrap().extend([1, 2, 3]);
    let report = pool.report();
    assert_eq!((report.created, report.discarded.failed_reset, report.idle), (2, 2, 0));
    assert_whole(&pool);
}

#[test]
fn dispose_gets_every_object_that_the_pool_gives_up() {
    let (mint, ended) = (Mint::default(), Arc::new(Mutex::new(Vec::new())));
    let log = Arc::clone(&ended);
    let pool = mint.builder(4).reset(|object| object.number != 0).dispose(move |object| {
        log.lock().unwrap().push(object.number);
        assert!(object.number != 1, "disposed");
    });
    let pool = pool.build().unwrap();
    let mut objects: Vec<_> = (0..4).map(|_| pool.take().unwrap()).collect();
    let detached = Pooled::detach(objects.pop().unwrap());
    Pooled::discard(objects.remove(1)); // its dispose panics
    drop(objects); // the first is refused, the other one idle
    assert_eq!(*ended.lock().unwrap(), [1, 0]);
    assert_eq!(pool.clear(), 1);
    assert_eq!((ended.lock().unwrap().as_slice(), mint.alive()), (&[1, 0, 2][..], 1), "not the detached one");
    drop(detached);
    drop(pool.take().unwrap());
    drop(pool);
    assert_eq!((ended.lock().unwrap().len(), mint.alive()), (4, 0));
}

#[test]
fn drop_of_an_object_that_panics_costs_nothing() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("dropped");
        }
    }
    let pool = ObjectPool::builder(2, || Bomb).build().unwrap();
    Pooled::discard(pool.take().unwrap());
    let _ = catch_unwind(AssertUnwindSafe(|| {
        let _object = pool.take().unwrap();
        panic!("with it in hand");
    }));
    drop((pool.take().unwrap(), pool.take().unwrap()));
    assert_eq!(pool.clear(), 2);
    let held = (pool.take().unwrap(), pool.take().unwrap());
    pool.close();
    drop(held);
    let report = pool.report();
    assert_eq!((report.created, report.discarded.total(), report.in_use), (6, 6, 0));
    drop(pool);
    let pool = ObjectPool::builder(2, || Bomb).build().unwrap();
    drop(pool.take().unwrap());
    drop(pool);
}

#[test]
fn object_whose_holder_panicked_is_dropped_and_its_place_is_free() {
    let (mint, resets) = (Mint::default(), Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&resets);
    let pool = mint.builder(1).reset(move |_| count.fetch_add(1, SeqCst) < usize::MAX).build().unwrap();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let _object = pool.take().unwrap();
        panic!("with it in hand");
    }));
    assert!(panicked.is_err());
    assert_eq!((pool.report().discarded.panicked, mint.alive(), resets.load(SeqCst)), (1, 0, 0));
    assert_eq!(pool.try_take().unwrap().number, 1);
    assert_whole(&pool);
}

#[test]
fn object_that_is_taken_and_returned_during_an_unwinding_is_used_again() {
    struct Cleanup<'a>(&'a ObjectPool<Object>);
    impl Drop for Cleanup<'_> {
        fn drop(&mut self) {
            assert!(thread::panicking());
            drop(self.0.take().unwrap());
        }
    }
    let (pool, mint) = minted(1);
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let _cleanup = Cleanup(&pool);
        panic!("and clean up");
    }));
    assert!(panicked.is_err());
    assert_eq!((pool.report().idle, pool.report().discarded.total(), mint.alive()), (1, 0, 1));
}

#[test]
fn idle_object_expires_at_its_time_and_not_before() {
    let (clock, mint) = (ManualClock::new(), Mint::default());
    let pool = mint.builder(2).max_idle(SECOND * 10).clock(clock.clone()).build().unwrap();
    drop(pool.take().unwrap());
    clock.advance((SECOND * 10).saturating_sub(Duration::from_nanos(1)));
    assert_eq!(pool.evict_expired(), 0);
    assert_eq!(pool.take().unwrap().number, 0, "and its time starts anew");
    clock.advance(SECOND * 10);
    assert_eq!(pool.take().unwrap().number, 1);
    assert_eq!((pool.report().discarded.expired, pool.report().reused, mint.alive()), (1, 1, 1));
    clock.advance(SECOND * 10);
    assert_eq!((pool.evict_expired(), pool.evict_expired(), mint.alive()), (1, 0, 0));
    assert_whole(&pool);
}

#[test]
fn objects_that_nobody_needs_expire_while_others_are_in_use_all_the_time() {
    let (clock, mint) = (ManualClock::new(), Mint::default());
    let pool = mint.builder(5).max_idle(SECOND * 10).clock(clock.clone()).build().unwrap();
    drop([pool.take().unwrap(), pool.take().unwrap(), pool.take().unwrap(), pool.take().unwrap()]);
    let hot = pool.take().unwrap().number;
    for _ in 0..20 {
        clock.advance(SECOND);
        assert_eq!(pool.take().unwrap().number, hot, "the most recently used one never grows old");
    }
    assert_eq!((mint.alive(), pool.report().discarded.expired), (1, 3));
}

#[test]
fn longest_idle_time_is_for_ever_and_zero_keeps_nothing() {
    let (clock, mint) = (ManualClock::new(), Mint::default());
    let for_ever = mint.builder(1).max_idle(Duration::MAX).clock(clock.clone()).build().unwrap();
    drop(for_ever.take().unwrap());
    clock.advance(SECOND * 1_000_000_000);
    assert_eq!((for_ever.evict_expired(), for_ever.take().unwrap().number), (0, 0));
    let never = mint.builder(1).max_idle(Duration::ZERO).clock(clock).build().unwrap();
    for number in 1..4 {
        assert_eq!(never.take().unwrap().number, number);
    }
    assert_eq!((mint.most(), mint.alive()), (2, 1), "swept at the return");
    assert_whole(&never);
}

#[test]
fn object_that_may_be_idle_for_ever_outlasts_the_pools_count_of_time() {
    let (clock, mint) = (ManualClock::new(), Mint::default());
    let pool = mint.builder(1).max_idle(Duration::MAX).clock(clock.clone()).build().unwrap();
    drop(pool.take().unwrap());
    clock.advance(Duration::from_secs(600 * 365 * 24 * 3600)); // in nanoseconds more than 64 bits hold
    assert_eq!((pool.evict_expired(), pool.take().unwrap().number), (0, 0));
}

#[test]
fn thread_is_given_back_what_it_returned_once_nobody_waits_any_more() {
    let (pool, _) = minted(2);
    let (own, other) = (pool.take().unwrap(), pool.take().unwrap());
    assert!(
        pool.take_timeout(Duration::ZERO).is_err_and(|error| error.is_timed_out()),
        "this one has waited"
    );
    Pooled::discard(other);
    drop(own);
    assert_eq!(pool.prefill(2).unwrap(), 1, "a later one, for all threads");
    assert_eq!(pool.take().unwrap().number, 0);
}

#[test]
fn pool_is_filled_in_advance_up_to_its_capacity_and_cleared() {
    let (pool, mint) = minted(3);
    assert_eq!(pool.prefill(0).unwrap(), 0);
    assert_eq!(pool.prefill(2).unwrap(), 2);
    let held = pool.take().unwrap();
    assert_eq!(
        (pool.prefill(2).unwrap(), pool.prefill(usize::MAX).unwrap(), pool.prefill(9).unwrap()),
        (0, 1, 0)
    );
    assert_eq!((mint.alive(), pool.report().idle, pool.report().in_use), (3, 2, 1));
    assert_eq!((pool.clear(), pool.clear(), mint.alive()), (2, 0, 1), "what is held stays");
    drop(held);
    assert_eq!(pool.report().idle, 1);
    assert_whole(&pool);
    assert!(mint.most() <= 3);
}

#[test]
fn close_refuses_everybody_drops_what_is_idle_and_lets_holders_finish() {
    let (pool, mint) = minted(2);
    let held = [pool.take().unwrap(), pool.take().unwrap()];
    let waiters: Vec<_> = (0..2)
        .map(|_| {
            let pool = Arc::clone(&pool);
            spawn(move || pool.take().map(drop))
        })
        .collect();
    until_waiting(&pool, 2);
    assert!(pool.close() && !pool.close() && pool.is_closed());
    for waiter in waiters {
        assert!(waiter.join().unwrap().is_err_and(|error| error.is_closed()));
    }
    assert!(pool.try_take().is_err_and(|error| error.is_closed()));
    assert!(pool.take_timeout(LONG).is_err_and(|error| error.is_closed()));
    assert!(pool.take_owned_with(&CancellationToken::new()).is_err_and(|error| error.is_closed()));
    assert!(pool.prefill(1).is_err_and(|error| error.is_closed()));
    assert_eq!((numbers(&held), mint.alive()), (vec![0, 1], 2));
    drop(held);
    let report = pool.report();
    assert_eq!((report.idle, report.discarded.cleared, mint.alive()), (0, 2, 0));
    assert!(report.is_closed);
}

#[test]
fn close_drops_what_is_idle_wherever_it_is() {
    let (pool, mint) = minted(4);
    let objects: Vec<_> = (0..4).map(|_| pool.take_owned().unwrap()).collect();
    for object in objects {
        spawn(move || drop(object)).join().unwrap();
    }
    assert_eq!(pool.report().idle, 4);
    assert!(pool.close());
    assert_eq!((mint.alive(), pool.report().discarded.cleared), (0, 4));
}

#[test]
fn object_may_outlive_its_pool_and_is_dropped_when_it_comes_back() {
    let (pool, mint) = minted(2);
    let held: OwnedPooled<Object> = pool.take_owned().unwrap();
    drop(pool.take().unwrap());
    drop(pool);
    assert_eq!((held.number, mint.alive()), (0, 1), "what was idle is gone");
    drop(held);
    assert_eq!(mint.alive(), 0);
}

#[test]
fn detached_and_discarded_objects_free_their_places() {
    let (pool, mint) = minted(1);
    let detached = Pooled::detach(pool.take().unwrap());
    Pooled::discard(pool.try_take().unwrap());
    let report = pool.report();
    assert_eq!((report.detached, report.discarded.by_holder, report.in_use), (1, 1, 0));
    assert_eq!((detached.number, mint.alive()), (0, 1));
    assert_whole(&pool);
}

#[test]
fn waiter_gets_the_place_of_what_was_detached_or_broken() {
    let mint = Mint::default();
    let pool = Arc::new(mint.builder(1).reset(|_| false).build().unwrap());
    // A detached object is no longer one of the pool's: it may live beside the next one.
    for (ends, most) in [(drop as fn(_), 1), (Pooled::discard, 1), (|object| drop(Pooled::detach(object)), 2)]
    {
        let held = pool.take().unwrap();
        let waiter = {
            let pool = Arc::clone(&pool);
            spawn(move || pool.take().map(|object| object.number))
        };
        until_waiting(&pool, 1);
        ends(held);
        waiter.join().unwrap().unwrap();
        assert!(mint.most() <= most);
    }
}

#[test]
fn leaked_object_keeps_its_place() {
    let (pool, _) = minted(1);
    std::mem::forget(pool.take().unwrap());
    assert!(pool.try_take().is_err_and(|error| error.is_not_now()));
    assert_eq!(pool.report().in_use, 1);
}

#[test]
fn create_that_takes_from_its_own_pool_has_a_place_of_its_own() {
    let cell: Arc<OnceLock<ObjectPool<usize>>> = Arc::default();
    let (inside, depth) = (Arc::clone(&cell), AtomicUsize::new(0));
    let pool = ObjectPool::builder(3, move || {
        let depth = depth.fetch_add(1, SeqCst);
        let pool = inside.get().expect("it is set before the first call");
        match pool.try_take() {
            Ok(other) => *other + 1,
            Err(error) => {
                assert!(error.is_not_now());
                assert_eq!(depth, 2, "the third is being made, and there is no fourth place");
                0
            }
        }
    });
    let pool = cell.get_or_init(|| pool.build().unwrap());
    assert_eq!(*pool.take().unwrap(), 2, "the outermost of three");
    assert_eq!((pool.report().created, pool.report().idle, pool.report().in_use), (3, 3, 0));
}

#[test]
fn hooks_and_drops_may_call_the_pool() {
    static POOL: OnceLock<ObjectPool<Caller>> = OnceLock::new();
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    struct Caller;
    impl Drop for Caller {
        fn drop(&mut self) {
            call();
        }
    }
    // Whatever lock was held in a hook would make one of these wait for ever.
    fn call() -> bool {
        let pool = POOL.get().expect("set before its first use");
        CALLS.fetch_add(1, SeqCst);
        let _ = (pool.report(), pool.clear(), pool.evict_expired(), format!("{pool:?}"));
        drop(pool.take_timeout(Duration::ZERO));
        drop(pool.try_take());
        true
    }
    // Each hook makes others run: so many times only.
    let once_more = |_: &mut Caller| CALLS.load(SeqCst) > 200 || call();
    let builder = ObjectPool::builder(2, || {
        let _ = CALLS.load(SeqCst) > 200 || call();
        Caller
    });
    let builder = builder.check(once_more).reset(once_more).max_idle(Duration::MAX).dispose(|object| {
        if CALLS.load(SeqCst) > 200 {
            std::mem::forget(object);
        } else {
            drop(object);
        }
    });
    let pool = POOL.get_or_init(|| builder.build().unwrap());
    drop(pool.take());
    drop((pool.take(), pool.take()));
    pool.clear();
    assert!(CALLS.load(SeqCst) > 5);
    assert_eq!(pool.report().in_use, 0);
}

#[test]
fn waits_are_counted_with_their_time_on_the_pools_clock() {
    let (clock, mint) = (ManualClock::new(), Mint::default());
    let pool = Arc::new(mint.builder(1).clock(clock.clone()).build().unwrap());
    let held = pool.take().unwrap();
    let waiter = {
        let pool = Arc::clone(&pool);
        spawn(move || pool.take().map(drop))
    };
    until_waiting(&pool, 1);
    assert_eq!(pool.report().waited, 0);
    clock.advance(SECOND * 3);
    drop(held);
    waiter.join().unwrap().unwrap();
    let report = pool.report();
    assert_eq!((report.waited, report.wait_time, report.reused), (1, SECOND * 3, 1));
}

#[test]
fn crowd_never_has_more_than_the_capacity_and_all_are_served() {
    let (threads, turns): (u64, u64) = if cfg!(miri) { (3, 5) } else { (8, 300) };
    let mint = Mint::default();
    let pool = mint.builder(3).reset(|object| object.number % 7 != 3).check(|object| object.number % 5 != 4);
    let pool = pool.build().unwrap();
    let one_at_a_time = Mutex::new(());
    thread::scope(|scope| {
        for thread in 0..threads {
            let (pool, one_at_a_time) = (&pool, &one_at_a_time);
            scope.spawn(move || {
                for turn in 0..turns {
                    let object = pool.take().unwrap();
                    match (thread + turn) % 50 {
                        0 => Pooled::discard(object),
                        1 => {
                            // It lives beside those of the pool until it is dropped.
                            let _one = one_at_a_time.lock().unwrap();
                            drop(Pooled::detach(object));
                        }
                        2 => _ = pool.clear(),
                        _ => drop(object),
                    }
                }
            });
        }
    });
    let report = pool.report();
    assert_eq!(report.created + report.reused, threads * turns, "each turn had an object");
    assert_eq!(report.idle, mint.alive());
    assert!(mint.most() <= 4, "{} lived, one of them detached", mint.most());
    assert_whole(&pool);
}

#[test]
fn errors_say_what_is_true() {
    let (pool, _) = minted(1);
    let held = pool.take().unwrap();
    let token = CancellationToken::new();
    token.cancel();
    assert_eq!(pool.try_take().unwrap_err().to_string(), "no object is free now");
    assert_eq!(pool.take_timeout(MOMENT).unwrap_err().to_string(), "no object was free in time");
    let cancelled = pool.take_with(&token).unwrap_err();
    assert_eq!(cancelled.to_string(), "the wait for an object was cancelled");
    assert!(cancelled.source().is_some() && cancelled.create().is_none());
    pool.close();
    assert_eq!(pool.take().unwrap_err().to_string(), "the object pool is closed");
    assert_eq!(format!("{pool:?}"), "ObjectPool { capacity: 1, closed: true, .. }");
    drop(held);
    let texts = ObjectPool::builder(1, || 7).build().unwrap();
    assert_eq!(format!("{:?}", texts.take().unwrap()), "7");
}

#[test]
fn object_that_outlives_its_pool_drops_hooks_that_panic_quietly() {
    struct Brittle;
    impl Drop for Brittle {
        fn drop(&mut self) {
            panic!("brittle");
        }
    }
    let (reset, check) = (Brittle, Brittle);
    let pool = ObjectPool::builder(1, || 7_u8)
        .reset(move |_| {
            let _ = &reset;
            true
        })
        .check(move |_| {
            let _ = &check;
            true
        })
        .build()
        .unwrap();
    let object = pool.take_owned().unwrap();
    drop(pool);
    drop(object);
}
