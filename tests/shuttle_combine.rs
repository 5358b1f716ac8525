//! Handles combined, in seeded schedules: the inbox against everything that races it.
//!
//! Time-outs are forbidden: a lost wake-up is then a deadlock.
#![cfg(gristmill_shuttle)]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use gristmill::combine::{after, as_completed, race, wait_all, wait_all_with, wait_first, with_timeout};
use gristmill::sync::{fault, model as execution};
use gristmill::{
    CancelKind, CancellationToken, Cancelled, ManualClock, ManyHandle, Shutdown, Signal, TaskError,
    TaskHandle, ThreadPool, Timer, WaitError, Waitable,
};

#[path = "support/model.rs"]
mod model;
use model::{Outcomes, check};
#[path = "support/model_pool.rs"]
mod model_pool;
use model_pool::{pool, spawn};

fn submit(pool: &ThreadPool, count: usize) -> Vec<TaskHandle<usize>> {
    (0..count).map(|i| pool.submit(move || i).expect("open")).collect()
}

#[test]
fn every_end_is_heard_of_once() {
    check("every_end_is_heard_of_once", || {
        execution::forbid_timeouts();
        let pool = pool(2, 8);
        let mut seen = BTreeSet::new();
        for (index, output) in as_completed(submit(&pool, 3)) {
            assert_eq!(output.expect("no panic"), index);
            assert!(seen.insert(index));
        }
        assert_eq!(seen.len(), 3);
    });
}

#[test]
fn ends_that_one_thread_has_seen_in_an_order_come_in_that_order() {
    check("ends_that_one_thread_has_seen_in_an_order_come_in_that_order", || {
        execution::forbid_timeouts();
        let pool = pool(2, 8);
        let (sender, receiver) = gristmill::sync::channel::bounded::<()>(1);
        let early = pool.submit(|| ()).expect("open");
        let late = pool.submit(move || _ = receiver.recv()).expect("open");
        // The late one cannot have ended yet.
        let ends = as_completed([late, early]);
        let opener = {
            let pool = Arc::clone(&pool);
            spawn(move || {
                // Whoever has seen the counts has seen the end.
                while pool.snapshot().succeeded() == 0 {
                    gristmill::sync::thread::yield_now();
                }
                drop(sender);
            })
        };
        let order: Vec<_> = ends.map(|(index, _)| index).collect();
        assert_eq!(order, [1, 0]);
        opener.join().expect("no panic");
    });
}

#[test]
fn those_left_over_by_the_first_can_be_waited_for_in_every_way() {
    check("those_left_over_by_the_first_can_be_waited_for_in_every_way", || {
        execution::forbid_timeouts();
        let pool = pool(2, 8);
        let first = wait_first(submit(&pool, 3)).expect("there are three");
        let mut left: BTreeSet<_> = (0..3).collect();
        assert!(left.remove(&first.output.expect("no panic")));
        let mut others = first.others;
        let last = others.pop().expect("there are two");
        assert!(left.remove(&last.wait().expect("no panic")), "by itself");
        assert!(left.remove(&wait_all(others).remove(0).expect("no panic")), "in a set again");
    });
}

#[test]
fn cancelled_wait_loses_nothing_and_no_wake_up() {
    let outcomes = Outcomes::default();
    let inner = outcomes.clone();
    check("cancelled_wait_loses_nothing_and_no_wake_up", move || {
        execution::forbid_timeouts();
        let pool = pool(1, 8);
        let token = CancellationToken::new();
        let stopper = {
            let token = token.clone();
            spawn(move || token.cancel())
        };
        let handles = submit(&pool, 2);
        let outputs = match wait_all_with(handles, &token) {
            Ok(outputs) => {
                inner.add("waited");
                outputs
            }
            Err(cancelled) => {
                inner.add("cancelled");
                wait_all(cancelled.into_handle())
            }
        };
        let outputs: Vec<_> = outputs.into_iter().map(|output| output.expect("no panic")).collect();
        assert_eq!(outputs, [0, 1]);
        stopper.join().expect("no panic");
    });
    assert_eq!(outcomes.all(), ["cancelled", "waited"]);
}

#[test]
fn token_of_a_queued_task_ends_it_for_the_set() {
    check("token_of_a_queued_task_ends_it_for_the_set", || {
        execution::forbid_timeouts();
        let pool = pool(1, 8);
        let (sender, receiver) = gristmill::sync::channel::bounded::<()>(1);
        let busy = pool.submit(move || _ = receiver.recv()).expect("open");
        let token = CancellationToken::new();
        let queued = pool.task().token(&token).submit(|_| ()).expect("open");
        let stopper = spawn(move || token.cancel());
        // The worker is not free before the queued task has ended: only the waiter can end it.
        let mut ends = as_completed([busy, queued]);
        let (index, output) = ends.next().expect("there are two");
        if index == 1 {
            assert!(output.expect_err("it never started").is_cancelled());
            drop(sender);
            assert_eq!(ends.next().expect("one more").0, 0);
        } else {
            unreachable!("the gate is closed");
        }
        stopper.join().expect("no panic");
    });
}

#[test]
fn pool_that_is_aborted_ends_every_wait() {
    check("pool_that_is_aborted_ends_every_wait", || {
        execution::forbid_timeouts();
        let pool = pool(1, 8);
        let handles = submit(&pool, 3);
        let stopper = {
            let pool = Arc::clone(&pool);
            spawn(move || {
                let report = pool.shutdown(Shutdown::Abort);
                (report.succeeded(), report.returned())
            })
        };
        let (mut ran, mut returned) = (0, 0);
        for (_, output) in as_completed(handles) {
            match output {
                Ok(_) => ran += 1,
                Err(TaskError::Returned { .. }) => returned += 1,
                Err(error) => unreachable!("{error}"),
            }
        }
        assert_eq!(ran + returned, 3);
        stopper.join().expect("no panic");
    });
}

#[test]
fn worker_that_waits_for_any_runs_them_itself() {
    check("worker_that_waits_for_any_runs_them_itself", || {
        execution::forbid_timeouts();
        let pool = pool(1, 2);
        let inner = Arc::clone(&pool);
        let outer = pool.submit(move || {
            let first = wait_first(submit(&inner, 2)).expect("there are two");
            let rest: usize = as_completed(first.others).map(|(_, output)| output.expect("no panic")).sum();
            first.output.expect("no panic") + rest
        });
        assert_eq!(outer.expect("open").wait().expect("no panic"), 1);
    });
}

#[test]
fn workers_of_two_that_wait_for_each_others_children_do_not_deadlock() {
    check("workers_of_two_that_wait_for_each_others_children_do_not_deadlock", || {
        execution::forbid_timeouts();
        let pool = pool(2, 4);
        let outer: Vec<_> = (0..2)
            .map(|_| {
                let inner = Arc::clone(&pool);
                pool.submit(move || wait_all(submit(&inner, 2)).len()).expect("open")
            })
            .collect();
        let lens: Vec<_> = wait_all(outer).into_iter().map(|output| output.expect("no panic")).collect();
        assert_eq!(lens, [2, 2]);
    });
}

#[test]
fn losers_of_a_race_end_as_cancelled_or_by_themselves() {
    check("losers_of_a_race_end_as_cancelled_or_by_themselves", || {
        execution::forbid_timeouts();
        let pool = pool(2, 8);
        let first = race(submit(&pool, 3)).expect("there are three");
        assert!(first.output.is_ok());
        for output in wait_all(first.others) {
            assert!(output.map_or_else(|error| error.is_cancelled(), |_| true));
        }
    });
}

#[test]
fn keyed_children_of_a_worker_are_run_in_turn() {
    check("keyed_children_of_a_worker_are_run_in_turn", || {
        execution::forbid_timeouts();
        let pool = Arc::new(
            ThreadPool::builder().workers(2).queue_bound(8).key_bound(8).build().expect("good settings"),
        );
        let inner = Arc::clone(&pool);
        let outer = pool.submit(move || {
            let children: Vec<_> =
                (0..3).map(|i| inner.task().key(1).submit(move |_| i).expect("open")).collect();
            let order: Vec<usize> =
                as_completed(children).map(|(_, output)| output.expect("no panic")).collect();
            order
        });
        assert_eq!(outer.expect("open").wait().expect("no panic"), [0, 1, 2]);
    });
}

#[test]
fn timer_fires_or_is_cancelled_once_whatever_races() {
    let outcomes = Outcomes::default();
    let inner = outcomes.clone();
    check("timer_fires_or_is_cancelled_once_whatever_races", move || {
        execution::forbid_timeouts();
        let clock = ManualClock::new();
        let second = Duration::from_secs(1);
        let timer = Arc::new(Timer::after_on(second, clock.clone()));
        let mover = spawn(move || clock.advance(second));
        let stopper = {
            let timer = Arc::clone(&timer);
            spawn(move || timer.cancel())
        };
        assert_eq!(wait_all([Shared(Arc::clone(&timer))]).len(), 1);
        mover.join().expect("no panic");
        let cancelled = stopper.join().expect("no panic");
        let timer = Arc::into_inner(timer).expect("the others have dropped theirs");
        assert_eq!(timer.wait().is_err(), cancelled);
        inner.add(cancelled);
    });
    assert_eq!(outcomes.all(), [false, true]);
}

#[test]
fn timer_on_the_systems_clock_fires_with_a_helper_and_without() {
    check("timer_on_the_systems_clock_fires_with_a_helper_and_without", || {
        let moment = Duration::from_millis(1);
        let no_helper = fault::fail_spawn_at(1);
        assert!(after(moment).wait().is_ok(), "the waiting thread looks at the clock");
        drop(no_helper);
        let pool = pool(1, 2);
        let token = CancellationToken::new();
        let endless = pool.task().submit(move |context| context.token().wait()).expect("open");
        let late = with_timeout(endless, moment).expect_err("it does not end by itself");
        let told = late.into_handle().wait();
        assert!(
            told.map_or_else(|error| error.is_cancelled(), |cause| cause.kind() == CancelKind::Cancelled)
        );
        assert!(after(moment).wait_with(&token).expect("nobody cancels").is_ok());
    });
}

/// The thread that waits cannot start one either: it has to look at the clock itself.
#[test]
fn deadline_that_no_thread_watches_ends_every_wait() {
    check("deadline_that_no_thread_watches_ends_every_wait", || {
        let pool = pool(1, 8);
        let (sender, receiver) = gristmill::sync::channel::bounded::<()>(1);
        let busy = pool.submit(move || _ = receiver.recv()).expect("open");
        let _fault = fault::fail_every_spawn();
        let token = || CancellationToken::with_timeout(Duration::from_millis(1));
        let exceeded = |cause: &Cancelled| assert_eq!(cause.kind(), CancelKind::DeadlineExceeded);
        exceeded(wait_all_with([after(Duration::MAX)], &token()).expect_err("it never ends").cause());
        let early = busy.wait_with(&token()).expect_err("it is held");
        exceeded(early.cause());
        let many = pool.submit_many((0..2).map(|i| move || i)).expect("open");
        exceeded(many.wait_with(&token()).expect_err("the worker is held").cause());
        let Err(WaitError::Cancelled(cause)) = pool.wait_with(&token()) else { unreachable!("it is held") };
        exceeded(&cause);
        // The token is not that of the wait, but of the task, which has not started.
        let queued = || pool.task().token(&token()).submit(|_| ()).expect("open");
        assert!(queued().wait().expect_err("it never starts").is_cancelled());
        let (_, output) = as_completed([queued()]).next().expect("one");
        assert!(output.expect_err("it never starts").is_cancelled());
        drop(sender);
        early.into_handle().wait().expect("no panic");
    });
}

#[test]
fn batches_end_once_among_tasks_whoever_runs_them() {
    check("batches_end_once_among_tasks_whoever_runs_them", || {
        execution::forbid_timeouts();
        let pool = pool(2, 8);
        let inner = Arc::clone(&pool);
        let batches =
            move || (0..2).map(move |_| inner.submit_many((0..3).map(|i| move || i)).expect("open"));
        let sum = |handles: &mut dyn Iterator<Item = ManyHandle<'static, usize>>| -> usize {
            let outputs = wait_all(handles).into_iter().flatten();
            outputs.map(|output| output.expect("no panic")).sum()
        };
        let on_a_worker = {
            let batches = batches.clone();
            pool.submit(move || sum(&mut batches())).expect("open")
        };
        assert_eq!(sum(&mut batches()), 6);
        assert_eq!(on_a_worker.wait().expect("no panic"), 6);
    });
}

/// A timer that somebody else can cancel.
struct Shared(Arc<Timer>);

impl Waitable for Shared {
    type Output = ();

    fn is_finished(&self) -> bool {
        self.0.is_finished()
    }

    fn watch(&self, signal: Signal) {
        Waitable::watch(&*self.0, signal);
    }

    fn unwatch(&self) {
        Waitable::unwatch(&*self.0);
    }

    fn take(&mut self) -> Option<()> {
        self.0.is_finished().then_some(())
    }
}
