//! The loom backend and the model channel, in all schedules within the preemption bound.
#![cfg(gristmill_loom)]

use std::sync::Arc;

use gristmill::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};
use gristmill::sync::channel::{RecvError, Select, SendError, bounded};
use gristmill::sync::thread::{self, Builder, JoinHandle};
use gristmill::sync::time::{self, Duration};
use gristmill::sync::{Condvar, Mutex};

#[path = "support/model.rs"]
mod model;
use model::check;

fn spawn<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    Builder::new().spawn(run).expect("no fault is asked for")
}

#[test]
fn channel_hands_values_over_in_order() {
    check("channel_hands_values_over_in_order", || {
        let (sender, receiver) = bounded(1);
        let worker = spawn(move || (0..2).for_each(|value| sender.send(value).unwrap()));
        assert_eq!(receiver.recv(), Ok(0));
        assert_eq!(receiver.recv(), Ok(1));
        assert_eq!(receiver.recv(), Err(RecvError));
        worker.join().unwrap();
    });
}

#[test]
fn meeting_hands_a_value_over() {
    check("meeting_hands_a_value_over", || {
        let (sender, receiver) = bounded(0);
        let worker = spawn(move || (sender.send(1), sender.send(2)));
        assert_eq!(receiver.recv(), Ok(1));
        drop(receiver);
        assert_eq!(worker.join().unwrap(), (Ok(()), Err(SendError(2))));
    });
}

#[test]
fn select_is_woken_by_the_second_of_two_channels() {
    check("select_is_woken_by_the_second_of_two_channels", || {
        let (_idle, empty) = bounded::<()>(1);
        let (sender, receiver) = bounded(1);
        let worker = spawn(move || sender.send(1).unwrap());
        let mut select = Select::new();
        select.recv(&empty);
        select.recv(&receiver);
        assert_eq!(select.ready(), 1);
        assert_eq!(receiver.try_recv(), Ok(1));
        worker.join().unwrap();
    });
}

#[test]
fn condvar_loses_no_wakeup() {
    check("condvar_loses_no_wakeup", || {
        let gate = Arc::new((Mutex::new(0), Condvar::new()));
        let waiters: Vec<_> = (0..2)
            .map(|_| {
                let gate = Arc::clone(&gate);
                spawn(move || {
                    let mut permits = gate.0.lock();
                    while *permits == 0 {
                        // The time-out is none under loom: only the notification can end the wait.
                        assert!(!gate.1.wait_for(&mut permits, Duration::from_secs(1)).timed_out());
                    }
                    *permits -= 1;
                })
            })
            .collect();
        for _ in 0..2 {
            *gate.0.lock() += 1;
            gate.1.notify_one();
        }
        for waiter in waiters {
            waiter.join().unwrap();
        }
        let mut permits = gate.0.lock();
        assert_eq!(*permits, 0);
        assert!(gate.1.wait_until(&mut permits, time::now()).timed_out(), "the deadline has passed");
    });
}

#[test]
fn fences_on_both_sides_let_one_see_the_other() {
    check("fences_on_both_sides_let_one_see_the_other", || {
        let flags = Arc::new([AtomicBool::new(false), AtomicBool::new(false)]);
        let look = |flags: &[AtomicBool; 2], own: usize| {
            flags[own].store(true, Ordering::Relaxed);
            // Pairs with the same fence of the other thread: one of the two loads sees the other's store.
            fence(Ordering::SeqCst);
            flags[1 - own].load(Ordering::Relaxed)
        };
        let other = {
            let flags = Arc::clone(&flags);
            spawn(move || look(&flags, 1))
        };
        let here = look(&flags, 0);
        assert!(other.join().unwrap() || here, "both looked before the other stored");
    });
}

#[test]
#[should_panic(expected = "both looked before the other stored")]
fn without_fences_neither_may_see_the_other() {
    check("without_fences_neither_may_see_the_other (meant to fail)", || {
        let flags = Arc::new([AtomicBool::new(false), AtomicBool::new(false)]);
        let look = |flags: &[AtomicBool; 2], own: usize| {
            flags[own].store(true, Ordering::Release);
            flags[1 - own].load(Ordering::Acquire)
        };
        let other = {
            let flags = Arc::clone(&flags);
            spawn(move || look(&flags, 1))
        };
        let here = look(&flags, 0);
        assert!(other.join().unwrap() || here, "both looked before the other stored");
    });
}

#[test]
fn unpark_before_or_after_park_is_seen_and_publishes() {
    check("unpark_before_or_after_park_is_seen_and_publishes", || {
        let value = Arc::new(AtomicUsize::new(0));
        let main = thread::current();
        let worker = {
            let value = Arc::clone(&value);
            spawn(move || {
                value.store(1, Ordering::Relaxed);
                main.unpark();
            })
        };
        thread::park();
        assert_eq!(value.load(Ordering::Relaxed), 1);
        worker.join().unwrap();
    });
}

#[test]
fn unpark_does_not_disturb_a_thread_that_waits_for_a_lock() {
    check("unpark_does_not_disturb_a_thread_that_waits_for_a_lock", || {
        let main = thread::current();
        let count = Arc::new(Mutex::new(0));
        let worker = {
            let count = Arc::clone(&count);
            spawn(move || {
                let mut count = count.lock();
                main.unpark();
                *count += 1;
            })
        };
        *count.lock() += 1;
        thread::park();
        worker.join().unwrap();
        assert_eq!(*count.lock(), 2);
    });
}

#[test]
fn is_finished_publishes_what_the_thread_did() {
    check("is_finished_publishes_what_the_thread_did", || {
        let value = Arc::new(AtomicUsize::new(0));
        let worker = {
            let value = Arc::clone(&value);
            spawn(move || value.store(1, Ordering::Relaxed))
        };
        assert!(!worker.is_finished() || value.load(Ordering::Relaxed) == 1);
        worker.join().unwrap();
    });
}

#[test]
fn scoped_threads_are_refused() {
    check("scoped_threads_are_refused", || {
        thread::scope(|scope| {
            let refused = Builder::new().spawn_scoped(scope, || ()).map(drop).unwrap_err();
            assert_eq!(refused.kind(), std::io::ErrorKind::Unsupported);
        });
    });
}
