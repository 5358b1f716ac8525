//! Cancellation under seeded random schedules; the clock is virtual and time-outs fire at any step.
#![cfg(gristmill_shuttle)]

use std::sync::Arc;

use gristmill::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use gristmill::sync::thread::{self, Builder, JoinHandle};
use gristmill::sync::time::{self, Duration};
use gristmill::sync::{Mutex, fault, model as execution};
use gristmill::{CancelKind, CancellationToken};

#[path = "support/model.rs"]
mod model;
use model::check;

const SECOND: Duration = Duration::from_secs(1);

fn spawn<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    Builder::new().spawn(run).expect("no fault is asked for")
}

fn cause_text(token: &CancellationToken) -> String {
    token.cause().expect("it is cancelled").cause().expect("with a cause").to_string()
}

#[test]
fn child_made_during_a_cancel_is_cancelled_after_it() {
    check("child_made_during_a_cancel_is_cancelled_after_it", || {
        let root = CancellationToken::new();
        let middle = root.child();
        let over = Arc::new(AtomicBool::new(false));
        let maker = {
            let (middle, over) = (middle.clone(), over.clone());
            spawn(move || {
                let child = middle.child();
                let grandchild = child.child();
                if over.load(SeqCst) {
                    assert!(child.is_cancelled() && grandchild.is_cancelled());
                }
                (child, grandchild)
            })
        };
        assert!(root.cancel());
        over.store(true, SeqCst);
        let (child, grandchild) = maker.join().unwrap();
        assert!(child.is_cancelled() && grandchild.is_cancelled());
        assert_eq!(grandchild.cause().unwrap().location(), root.cause().unwrap().location());
    });
}

#[test]
fn every_cancel_returns_with_its_subtree_cancelled_and_one_record_each() {
    check("every_cancel_returns_with_its_subtree_cancelled_and_one_record_each", || {
        let root = CancellationToken::new();
        let left = root.child();
        let leaf = left.child();
        let wins = Arc::new(AtomicUsize::new(0));
        let cancellers: Vec<_> = [(0, "root"), (1, "left"), (1, "left again")]
            .into_iter()
            .map(|(from, cause)| {
                let nodes = [root.clone(), left.clone(), leaf.clone()];
                let (receivers, wins) = (nodes.each_ref().map(CancellationToken::cancelled), wins.clone());
                spawn(move || {
                    if nodes[from].cancel_with(cause) {
                        wins.fetch_add(1, SeqCst);
                    }
                    for (node, receiver) in nodes.iter().zip(receivers).skip(from) {
                        assert!(node.is_cancelled(), "winner or loser");
                        assert!(receiver.try_recv().unwrap_err().is_disconnected());
                    }
                })
            })
            .collect();
        for canceller in cancellers {
            canceller.join().unwrap();
        }
        assert_eq!(cause_text(&root), "root");
        assert_eq!(cause_text(&left), cause_text(&leaf));
        let expected = if cause_text(&left) == "root" { 1 } else { 2 };
        assert_eq!(wins.load(SeqCst), expected, "whoever answers true is in the record");
    });
}

#[test]
fn unregister_answers_whether_the_callback_runs() {
    check("unregister_answers_whether_the_callback_runs", || {
        let root = CancellationToken::new();
        let child = root.child();
        let runs = Arc::new(AtomicUsize::new(0));
        let registrations: Vec<_> = [&root, &child, &child]
            .into_iter()
            .map(|token| {
                let runs = runs.clone();
                token.on_cancel(move |_| _ = runs.fetch_add(1, SeqCst))
            })
            .collect();
        let canceller = spawn(move || root.cancel());
        let rival = spawn(move || child.cancel());
        let mut prevented = 0;
        for registration in registrations {
            prevented += usize::from(registration.unregister());
        }
        assert!(canceller.join().unwrap());
        rival.join().unwrap();
        assert_eq!(prevented + runs.load(SeqCst), 3, "each either ran once or never will");
    });
}

#[test]
fn callback_registered_during_a_cancel_runs_exactly_once() {
    check("callback_registered_during_a_cancel_runs_exactly_once", || {
        let root = CancellationToken::new();
        let child = root.child();
        let canceller = spawn(move || root.cancel());
        let runs = Arc::new(AtomicUsize::new(0));
        let counted = runs.clone();
        let seen = child.clone();
        child
            .on_cancel(move |_| {
                assert!(seen.is_cancelled());
                counted.fetch_add(1, SeqCst);
            })
            .detach();
        assert!(canceller.join().unwrap());
        assert_eq!(runs.load(SeqCst), 1);
    });
}

#[test]
fn dropping_children_during_a_cancel_of_their_parent_loses_and_leaves_nothing() {
    check("dropping_children_during_a_cancel_of_their_parent_loses_and_leaves_nothing", || {
        let root = CancellationToken::new();
        let held = Arc::new(());
        let runs = Arc::new(AtomicUsize::new(0));
        let family: Vec<_> = (0..2).map(|_| root.child().child()).collect();
        for token in &family {
            let (held, runs) = (held.clone(), runs.clone());
            token
                .on_cancel(move |_| {
                    runs.fetch_add(1, SeqCst);
                    drop(held);
                })
                .detach();
        }
        let dropper = spawn(move || drop(family));
        let live = root.child();
        assert!(root.cancel());
        dropper.join().unwrap();
        assert!(live.is_cancelled());
        assert!(runs.load(SeqCst) <= 2);
        assert_eq!(Arc::strong_count(&held), 1, "run or not, the callbacks are gone");
    });
}

#[test]
fn no_wake_up_of_a_wait_is_lost() {
    check("no_wake_up_of_a_wait_is_lost", || {
        execution::forbid_timeouts();
        let root = CancellationToken::new();
        let child = root.child();
        let waits = [
            spawn({
                let root = root.clone();
                move || root.wait()
            }),
            spawn({
                let child = child.clone();
                move || child.wait_timeout(SECOND).expect("time-outs do not fire")
            }),
            spawn(move || child.sleep(SECOND).expect_err("time-outs do not fire")),
        ];
        root.cancel_with("up");
        for wait in waits {
            assert_eq!(wait.join().unwrap().cause().unwrap().to_string(), "up");
        }
    });
}

#[test]
fn sleep_ends_by_time_or_by_cancel_and_says_which() {
    check("sleep_ends_by_time_or_by_cancel_and_says_which", || {
        let token = CancellationToken::new();
        let sleeper = {
            let token = token.clone();
            spawn(move || {
                let start = time::now();
                let outcome = token.sleep(SECOND);
                assert!(outcome.is_err() || time::now() - start >= SECOND);
                assert!(outcome.is_ok() || token.is_cancelled());
            })
        };
        token.cancel();
        sleeper.join().unwrap();
    });
}

#[test]
fn deadline_and_cancel_have_one_winner() {
    check("deadline_and_cancel_have_one_winner", || {
        let root = CancellationToken::new();
        let token = root.child_with_timeout(SECOND);
        let below = token.child();
        let kinds = Arc::new(Mutex::new(Vec::new()));
        let seen = kinds.clone();
        let registration = below.on_cancel(move |cancelled| seen.lock().push(cancelled.kind()));
        let canceller = {
            let token = token.clone();
            spawn(move || token.cancel())
        };
        let kind = below.wait().kind();
        let won = canceller.join().unwrap();
        assert_eq!(won, kind == CancelKind::Cancelled);
        assert_eq!(token.cause().unwrap().kind(), kind);
        if kind == CancelKind::DeadlineExceeded {
            assert!(time::now() >= token.deadline().unwrap());
        }
        let prevented = registration.unregister();
        let kinds = kinds.lock();
        assert!(kinds.len() + usize::from(prevented) <= 1);
        assert!(kinds.iter().all(|seen| *seen == kind));
    });
}

#[test]
fn deadlines_fire_whatever_the_helper_is_doing_when_they_come() {
    check("deadlines_fire_whatever_the_helper_is_doing_when_they_come", || {
        let makers: Vec<_> = (1..3)
            .map(|seconds| {
                spawn(move || {
                    for _ in 0..2 {
                        let token = CancellationToken::with_timeout(SECOND * seconds);
                        drop(CancellationToken::with_timeout(3 * SECOND));
                        // Nobody polls or waits with a limit: only the helper can end this.
                        assert!(token.cancelled().recv().is_err());
                        assert_eq!(token.cause().unwrap().kind(), CancelKind::DeadlineExceeded);
                        assert!(time::now() >= token.deadline().unwrap());
                    }
                })
            })
            .collect();
        for maker in makers {
            maker.join().unwrap();
        }
    });
}

#[test]
fn deadline_set_during_a_cancel_is_not_left_with_the_helper() {
    check("deadline_set_during_a_cancel_is_not_left_with_the_helper", || {
        execution::forbid_timeouts();
        let start = time::now();
        let root = CancellationToken::new();
        let maker = {
            let root = root.clone();
            spawn(move || root.child_with_timeout(1000 * SECOND))
        };
        root.cancel();
        let child = maker.join().unwrap();
        assert_eq!(child.cause().unwrap().kind(), CancelKind::Cancelled);
        // From here the helper sleeps with time-outs. Each moves the clock to what it slept for, so a deadline that was
        // left behind shows on the clock.
        execution::allow_timeouts();
        assert!(CancellationToken::with_timeout(SECOND / 1000).cancelled().recv().is_err());
        for _ in 0..200 {
            thread::yield_now();
        }
        assert!(time::now() - start < 500 * SECOND);
    });
}

/// A token whose deadline no thread watches.
fn unwatched() -> CancellationToken {
    let _fault = fault::fail_spawn_at(1);
    CancellationToken::new().child_with_timeout(SECOND)
}

#[test]
fn without_a_helper_thread_polls_read_the_clock() {
    check("without_a_helper_thread_polls_read_the_clock", || {
        let token = unwatched();
        let below = token.child();
        assert!(!below.is_cancelled() && below.check().is_ok());
        let polls = spawn({
            let token = token.clone();
            move || {
                while !token.is_cancelled() {
                    thread::yield_now();
                }
            }
        });
        execution::advance(2 * SECOND);
        assert!(below.is_cancelled());
        assert_eq!(token.cause().unwrap().kind(), CancelKind::DeadlineExceeded);
        polls.join().unwrap();
    });
}

#[test]
fn without_a_helper_thread_waits_and_sleeps_end_on_time() {
    check("without_a_helper_thread_waits_and_sleeps_end_on_time", || {
        let token = unwatched();
        let below = token.child();
        let sleeper = spawn(move || below.sleep(3 * SECOND).unwrap_err());
        assert_eq!(token.wait().kind(), CancelKind::DeadlineExceeded);
        assert_eq!(sleeper.join().unwrap().kind(), CancelKind::DeadlineExceeded);
        assert!(time::now() >= token.deadline().unwrap());
    });
}

#[test]
fn without_a_helper_thread_who_asks_after_the_deadline_is_told_at_once() {
    check("without_a_helper_thread_who_asks_after_the_deadline_is_told_at_once", || {
        let (heard, called) = (unwatched(), unwatched());
        execution::advance(2 * SECOND);
        let _fault = fault::fail_every_spawn();
        assert!(heard.cancelled().try_recv().unwrap_err().is_disconnected());
        let runs = Arc::new(AtomicUsize::new(0));
        let counted = runs.clone();
        let registration = called.on_cancel(move |_| _ = counted.fetch_add(1, SeqCst));
        assert_eq!(runs.load(SeqCst), 1);
        assert!(!registration.unregister());
    });
}

#[test]
fn deadline_without_callbacks_takes_no_thread_of_its_own() {
    check("deadline_without_callbacks_takes_no_thread_of_its_own", || {
        let token = unwatched();
        execution::advance(2 * SECOND);
        let _fault = fault::fail_spawn_at(1);
        assert!(token.is_cancelled());
        assert!(Builder::new().spawn(|| ()).is_err(), "this is the first one that is asked for");
    });
}

#[test]
fn wait_sees_a_deadline_that_has_passed_although_the_helper_is_late() {
    check("wait_sees_a_deadline_that_has_passed_although_the_helper_is_late", || {
        execution::forbid_timeouts(); // a helper that begins to sleep now sleeps on
        let token = CancellationToken::new().child_with_timeout(SECOND).child();
        thread::yield_now();
        execution::allow_timeouts();
        execution::advance(2 * SECOND);
        let cancelled = token.wait_timeout(Duration::ZERO).expect("it asks once, and the time is over");
        assert_eq!(cancelled.kind(), CancelKind::DeadlineExceeded);
    });
}

#[test]
fn helper_that_could_not_start_is_started_by_the_next_who_needs_it() {
    check("helper_that_could_not_start_is_started_by_the_next_who_needs_it", || {
        let (first, second, third) = (unwatched(), unwatched(), unwatched());
        // The call starts the helper, which then serves all three.
        assert!(first.cancelled().recv().is_err());
        assert!(second.cancelled().recv().is_err());
        assert_eq!(third.wait().kind(), CancelKind::DeadlineExceeded);

        let fourth = unwatched();
        let fifth = CancellationToken::with_timeout(3 * SECOND);
        assert!(fifth.cancelled().recv().is_err(), "a new deadline starts it too");
        assert!(fourth.is_cancelled());
    });
}

#[test]
fn deadline_that_equals_the_one_above_leaves_it_in_force() {
    check("deadline_that_equals_the_one_above_leaves_it_in_force", || {
        let at = time::now() + SECOND;
        let unwatched = |make: &dyn Fn() -> CancellationToken| {
            let _fault = fault::fail_spawn_at(1);
            make()
        };
        let above = unwatched(&|| CancellationToken::with_deadline(at));
        let below = unwatched(&|| above.child_with_deadline(at));
        execution::advance(2 * SECOND);
        let (first, second) = (below.cause().unwrap(), above.cause().unwrap());
        assert_eq!(first.location(), second.location(), "one record for both");
    });
}

#[test]
fn without_a_thread_for_callbacks_they_run_where_the_deadline_was_seen() {
    check("without_a_thread_for_callbacks_they_run_where_the_deadline_was_seen", || {
        let token = unwatched();
        let runs = Arc::new(AtomicUsize::new(0));
        let counted = runs.clone();
        let registration = {
            let _fault = fault::fail_spawn_at(1); // the callback's attempt to start the helper fails as well
            token.on_cancel(move |_| _ = counted.fetch_add(1, SeqCst))
        };
        let poll = {
            let token = token.clone();
            move || {
                let _fault = fault::fail_spawn_at(1);
                token.is_cancelled()
            }
        };
        execution::advance(2 * SECOND);
        let other = spawn(poll.clone());
        assert!(poll());
        assert!(other.join().unwrap());
        assert_eq!(runs.load(SeqCst), 1);
        assert!(!registration.unregister());
    });
}
