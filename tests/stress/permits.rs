//! Permits and objects that are held by many threads and given back in every way.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use gristmill::{CancellationToken, ObjectPool, Pooled, Semaphore};

use crate::Turn;
use crate::dice::Dice;
use crate::ledger::{Item, Ledger};
use crate::planned::planned_panic;

#[derive(Debug)]
struct Plan {
    threads: usize,
    capacity: usize,
    rounds: usize,
    is_strict: bool,
    meddles: bool,
    closes: bool,
}

impl Plan {
    fn draw(turn: &mut Turn<'_>) -> Self {
        let plan = Self {
            threads: turn.draw_workers(),
            capacity: turn.dice.within(1..=6),
            rounds: turn.dice.within(1..=100),
            is_strict: turn.dice.one_in(2),
            meddles: turn.dice.one_in(2),
            closes: turn.dice.one_in(6),
        };
        turn.plan(&plan);
        plan
    }
}

/// What is held at once, and never more than so many.
struct Gauge {
    held: AtomicUsize,
    most: usize,
}

impl Gauge {
    fn new(most: usize) -> Self {
        Self { held: AtomicUsize::new(0), most }
    }

    fn hold(&self, permits: usize) {
        let held = self.held.fetch_add(permits, Ordering::SeqCst) + permits;
        assert!(held <= self.most, "{held} of {} are held", self.most);
        thread::yield_now();
        self.held.fetch_sub(permits, Ordering::SeqCst);
    }
}

fn hold_permits(semaphore: &Arc<Semaphore>, plan: &Plan, gauge: &Gauge, dice: &mut Dice) {
    for _ in 0..plan.rounds {
        let permits = dice.within(0..=plan.capacity);
        let time = Duration::from_micros(dice.below(200));
        match dice.below(6) {
            0 => {
                if let Ok(permit) = semaphore.try_acquire_many(permits) {
                    gauge.hold(permit.permits());
                }
            }
            1 => {
                if let Ok(permit) = semaphore.acquire_many_timeout(permits, time) {
                    gauge.hold(permit.permits());
                }
            }
            2 => {
                let token = CancellationToken::new().child_with_timeout(time);
                if let Ok(permit) = semaphore.acquire_many_with(permits, &token) {
                    gauge.hold(permit.permits());
                }
            }
            3 => {
                if let Ok(mut permit) = semaphore.acquire_owned(permits) {
                    gauge.hold(permit.permits());
                    let part = permit.split(permits / 2).expect("it holds as many");
                    drop(part);
                    gauge.hold(permit.permits());
                    let mut none = semaphore.try_acquire_owned(0).ok();
                    if let Some(none) = &mut none {
                        none.merge(permit).expect("the same semaphore");
                    }
                }
            }
            _ => {
                if let Ok(permit) = semaphore.acquire_many(permits) {
                    gauge.hold(permit.permits());
                }
            }
        }
    }
}

pub(crate) fn semaphore(turn: &mut Turn<'_>) {
    let plan = Plan::draw(turn);
    let semaphore = Arc::new(if plan.is_strict {
        Semaphore::strict(plan.capacity)
    } else {
        Semaphore::new(plan.capacity)
    });
    let gauge = Gauge::new(plan.capacity);
    thread::scope(|threads| {
        let holders: Vec<_> = (0..plan.threads)
            .map(|_| {
                let (semaphore, plan, gauge, mut dice) = (&semaphore, &plan, &gauge, turn.dice.split());
                threads.spawn(move || hold_permits(semaphore, plan, gauge, &mut dice))
            })
            .collect();
        let mut closes_after = turn.dice.below(50);
        while (plan.meddles || plan.closes) && !holders.iter().all(thread::ScopedJoinHandle::is_finished) {
            if plan.meddles {
                semaphore.set_capacity(turn.dice.within(0..=plan.capacity));
                thread::yield_now();
                semaphore.set_capacity(plan.capacity);
            }
            if plan.closes && closes_after == 0 {
                semaphore.close();
            }
            closes_after = closes_after.saturating_sub(1);
            thread::yield_now();
        }
    });
    let now = semaphore.snapshot();
    assert_eq!((now.capacity, now.available, now.held, now.waiting), (plan.capacity, plan.capacity, 0, 0));
}

fn use_object(object: &mut Pooled<'_, Item>, gauge: &Gauge) {
    object.number += 1;
    gauge.hold(1);
}

fn hold_objects(pool: &ObjectPool<Item>, rounds: usize, gauge: &Gauge, dice: &mut Dice) {
    for _ in 0..rounds {
        let time = Duration::from_micros(dice.below(200));
        let taken = match dice.below(4) {
            0 => pool.try_take(),
            1 => pool.take_timeout(time),
            2 => pool.take_with(&CancellationToken::new().child_with_timeout(time)),
            _ => pool.take(),
        };
        let Ok(mut object) = taken else { continue };
        use_object(&mut object, gauge);
        match dice.below(20) {
            0 => Pooled::discard(object),
            1 => drop(Pooled::detach(object)),
            2 => {
                let body = std::panic::AssertUnwindSafe(move || {
                    let _held = object;
                    planned_panic(0)
                });
                let end: Result<(), _> = std::panic::catch_unwind(body);
                assert!(end.is_err());
            }
            3 => _ = pool.clear(),
            _ => drop(object),
        }
    }
}

pub(crate) fn objects(turn: &mut Turn<'_>) {
    let plan = Plan::draw(turn);
    let ledger = Ledger::default();
    let (mint, gauge) = (ledger.clone(), Gauge::new(plan.capacity));
    let pool = ObjectPool::builder(plan.capacity, move || mint.item(0))
        .check(|object| object.number % 17 != 16)
        .reset(|object| object.number % 13 != 12)
        .build()
        .expect("good settings");
    thread::scope(|threads| {
        for _ in 0..plan.threads {
            let (pool, plan, gauge, mut dice) = (&pool, &plan, &gauge, turn.dice.split());
            threads.spawn(move || hold_objects(pool, plan.rounds, gauge, &mut dice));
        }
        if plan.closes {
            (0..turn.dice.below(100)).for_each(|_| thread::yield_now());
            pool.close();
        }
    });
    let now = pool.report();
    assert_eq!((now.in_use, now.waiting), (0, 0), "{now:?}");
    assert_eq!(now.created, now.idle as u64 + now.detached + now.discarded.total(), "{now:?}");
    assert_eq!(usize::try_from(ledger.live()).ok(), Some(now.idle), "{now:?}");
    drop(pool);
    ledger.is_closed();
}
