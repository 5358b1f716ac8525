//! A watch under seeded random schedules: stop against tick, and the drop from inside its own closure.
#![cfg(gristmill_shuttle)]

use std::sync::Arc;

use gristmill::Watch;
use gristmill::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use gristmill::sync::thread::{self, Builder};
use gristmill::sync::time::{self, Duration};
use gristmill::sync::{Mutex, model as execution};

#[path = "support/model.rs"]
mod model;
use model::{Outcomes, check};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn stop_against_tick_looks_once_more_and_then_never() {
    let outcomes = Outcomes::default();
    let seen = outcomes.clone();
    check("stop_against_tick_looks_once_more_and_then_never", move || {
        let looks = Arc::new(AtomicUsize::new(0));
        let inside = Arc::new(AtomicUsize::new(0));
        let watch = {
            let (looks, inside) = (looks.clone(), inside.clone());
            Watch::every(SECOND, move || {
                assert_eq!(inside.fetch_add(1, SeqCst), 0, "one look at a time");
                thread::yield_now();
                looks.fetch_add(1, SeqCst);
                inside.fetch_sub(1, SeqCst);
            })
        };
        let watch = watch.expect("no fault is asked for");
        let before = looks.load(SeqCst);
        watch.stop().expect("it does not panic");
        let after = looks.load(SeqCst);
        assert!(after > before, "what happened until the stop is seen");
        thread::yield_now();
        assert_eq!((looks.load(SeqCst), Arc::strong_count(&looks)), (after, 1));
        seen.add(after.min(3));
    });
    assert!(outcomes.all().len() > 1, "the timer never fired, or always: {:?}", outcomes.all());
}

#[test]
fn looks_keep_their_times_and_those_that_come_due_during_one_are_left_out() {
    check("looks_keep_their_times_and_those_that_come_due_during_one_are_left_out", || {
        let start = time::now();
        let times = Arc::new(Mutex::new(Vec::new()));
        let seen = times.clone();
        let watch = Watch::every(SECOND, move || {
            let mut times = seen.lock();
            times.push((time::now() - start).as_millis());
            match times.len() {
                1 => execution::advance(SECOND / 2),
                2 => execution::advance(5 * SECOND / 2),
                _ => {}
            }
        });
        let watch = watch.expect("no fault is asked for");
        while times.lock().len() < 3 {
            thread::yield_now();
        }
        watch.stop().expect("it does not panic");
        // The second comes although the first took half of the time between them. During the second, two come due: neither is made up for.
        assert_eq!(times.lock()[..3], [1000, 2000, 5500]);
    });
}

#[test]
fn stop_is_not_missed_by_a_watch_that_begins_to_wait() {
    check("stop_is_not_missed_by_a_watch_that_begins_to_wait", || {
        execution::forbid_timeouts();
        let looks = Arc::new(AtomicUsize::new(0));
        let seen = looks.clone();
        let watch = Watch::every(SECOND, move || _ = seen.fetch_add(1, SeqCst));
        drop(watch.expect("no fault is asked for")); // hangs if the order is lost
        assert_eq!(looks.load(SeqCst), 1);
    });
}

#[test]
fn drop_inside_the_closure_against_one_from_outside_ends_it_and_joins_at_most_once() {
    check("drop_inside_the_closure_against_one_from_outside_ends_it_and_joins_at_most_once", || {
        let own: Arc<Mutex<Option<Watch>>> = Arc::default();
        let looks = Arc::new(AtomicUsize::new(0));
        let (held, seen) = (own.clone(), looks.clone());
        let watch = Watch::every(SECOND, move || {
            seen.fetch_add(1, SeqCst);
            let own = held.lock().take();
            drop(own);
        });
        *own.lock() = Some(watch.expect("no fault is asked for"));
        let outside = {
            let own = own.clone();
            Builder::new().spawn(move || {
                let watch = own.lock().take();
                watch.is_some_and(|watch| watch.stop().is_ok())
            })
        };
        let joined = outside.expect("no fault is asked for").join().unwrap();
        if joined {
            assert!(looks.load(SeqCst) >= 1);
        }
        // Whoever ended it, the thread lets go of the closure.
        while Arc::strong_count(&looks) > 1 {
            thread::yield_now();
        }
        assert!(own.lock().is_none());
    });
}

#[test]
fn panic_against_stop_is_given_back_whichever_comes_first() {
    check("panic_against_stop_is_given_back_whichever_comes_first", || {
        let looks = Arc::new(AtomicUsize::new(0));
        let seen = looks.clone();
        let watch = Watch::every(SECOND, move || {
            seen.fetch_add(1, SeqCst);
            std::panic::panic_any(7_u32);
        });
        let panic = watch.expect("no fault is asked for").stop().unwrap_err();
        assert_eq!(panic.into_payload().downcast_ref::<u32>(), Some(&7));
        assert_eq!(looks.load(SeqCst), 1, "it is not called again");
    });
}
