//! A thread that looks now and then: when it looks, how it is stopped, and what becomes of a closure that panics.
#![cfg(not(any(gristmill_shuttle, gristmill_loom)))]

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use gristmill::watch::Alerts;
use gristmill::{Watch, WatchError};

/// So long that only a hang reaches it.
const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(1);

/// Tells when it is dropped.
struct Last(mpsc::Sender<&'static str>);

impl Drop for Last {
    fn drop(&mut self) {
        let _ = self.0.send("dropped");
    }
}

#[test]
fn closure_is_called_again_and_again_until_the_stop_and_once_more() {
    let (send, looks) = mpsc::channel();
    let mut number = 0;
    let watch = Watch::every(SHORT, move || {
        number += 1;
        let _ = send.send(number);
    });
    let watch = watch.expect("a thread");
    for look in 1..=3 {
        assert_eq!(looks.recv_timeout(LONG), Ok(look));
    }
    assert!(!watch.has_ended());
    watch.stop().expect("it does not panic");
    let rest: Vec<_> = looks.iter().collect(); // ends: the closure is gone
    assert!(!rest.is_empty(), "the last call comes after the stop");
    assert!(rest.iter().copied().eq(4..4 + rest.len()));
}

#[test]
fn stop_and_drop_end_a_wait_of_any_length_and_look_exactly_once() {
    for (interval, stops) in [(LONG, true), (LONG, false), (Duration::MAX, true), (Duration::MAX, false)] {
        let looks = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&looks);
        let watch = Watch::every(interval, move || _ = seen.fetch_add(1, SeqCst)).expect("a thread");
        if stops {
            watch.stop().expect("it does not panic");
        } else {
            drop(watch);
        }
        assert_eq!(looks.load(SeqCst), 1, "{interval:?}, {stops}");
        assert_eq!(Arc::strong_count(&looks), 1, "the closure is gone with the thread");
    }
}

#[test]
fn stop_lets_a_call_end_and_then_comes_the_last() {
    let (coming, came) = mpsc::channel();
    let (open, opened) = mpsc::channel::<()>();
    let watch = Watch::every(SHORT, move || {
        let _ = coming.send(());
        let _ = opened.recv();
    });
    let watch = watch.expect("a thread");
    came.recv_timeout(LONG).expect("the first call");
    let stopper = std::thread::Builder::new().spawn(move || watch.stop()).expect("a thread");
    assert!(!stopper.is_finished(), "the first call is still held");
    drop(open);
    stopper.join().expect("it does not panic").expect("nor does the closure");
    assert!(came.iter().count() >= 1);
}

#[test]
fn panic_ends_it_and_is_given_back() {
    let looks = Arc::new(AtomicUsize::new(0));
    let (send, gone) = mpsc::channel();
    let (seen, last) = (Arc::clone(&looks), Last(send));
    let watch = Watch::every(SHORT, move || {
        let _held = &last;
        assert!(seen.fetch_add(1, SeqCst) < 1, "the second look is one too many");
    });
    let watch = watch.expect("a thread");
    assert_eq!(gone.recv_timeout(LONG), Ok("dropped"));
    let panic = watch.stop().unwrap_err();
    assert_eq!((panic.name(), panic.message()), ("watch", "the second look is one too many"));
    assert!(panic.location().is_some_and(|at| at.file().ends_with("watch.rs")));
    assert_eq!(looks.load(SeqCst), 2, "it was not called again");
}

#[test]
fn panic_of_the_last_call_is_given_back_and_drop_keeps_it_quiet() {
    let ends: [fn(Watch); 2] = [|watch| assert!(watch.stop().is_err()), drop];
    for end in ends {
        end(Watch::every(LONG, || panic!("at last")).expect("a thread"));
    }
}

#[test]
fn panic_in_the_drop_of_the_closure_goes_nowhere() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("bomb");
        }
    }
    for panics in [false, true] {
        let bomb = Bomb;
        let watch = Watch::every(LONG, move || {
            let _held = &bomb;
            assert!(!panics, "look");
        });
        let message = watch.expect("a thread").stop().err().map(|panic| panic.message().to_owned());
        assert_eq!(message.as_deref(), panics.then_some("look"));
    }
}

/// The closure holds its own watch, and ends it so.
fn end_from_inside(end: fn(Watch)) -> usize {
    let own: Arc<Mutex<Option<Watch>>> = Arc::default();
    let (send, gone) = mpsc::channel();
    let looks = Arc::new(AtomicUsize::new(0));
    let (seen, held, last) = (Arc::clone(&looks), Arc::clone(&own), Last(send));
    // A look that comes before the watch is in its place waits for it.
    let mut place = own.lock().expect("not poisoned");
    let watch = Watch::every(SHORT, move || {
        let _held = &last;
        seen.fetch_add(1, SeqCst);
        let own = held.lock().expect("not poisoned").take();
        if let Some(own) = own {
            end(own);
            seen.fetch_add(10, SeqCst); // it has not panicked
        }
    });
    *place = Some(watch.expect("a thread"));
    drop(place);
    assert_eq!(gone.recv_timeout(LONG), Ok("dropped"));
    looks.load(SeqCst)
}

#[test]
fn stopped_or_dropped_inside_its_own_closure_it_ends_with_that_call() {
    assert_eq!(end_from_inside(drop), 11);
    assert_eq!(end_from_inside(|watch| watch.stop().expect("nothing is told")), 11);
}

#[test]
fn watch_that_only_its_closure_owns_goes_with_it() {
    let own: Arc<Mutex<Option<Watch>>> = Arc::default();
    let (send, gone) = mpsc::channel();
    let (go, stored) = mpsc::channel::<()>();
    let (held, last) = (Arc::clone(&own), Last(send));
    let watch = Watch::every(SHORT, move || {
        let _held = (&held, &last);
        let _ = stored.recv();
        panic!("and so the closure is dropped, by its own thread");
    });
    *own.lock().expect("not poisoned") = Some(watch.expect("a thread"));
    drop(own);
    drop(go);
    assert_eq!(gone.recv_timeout(LONG), Ok("dropped"));
}

#[test]
fn interval_of_zero_is_refused_with_a_reason() {
    let (send, gone) = mpsc::channel();
    let last = Last(send);
    let refused = Watch::every(Duration::ZERO, move || {
        let _ = last.0.send("called");
    });
    let error = refused.unwrap_err();
    assert!(matches!(error, WatchError::ZeroInterval));
    assert_eq!(error.to_string(), "an interval of zero would leave no time between two looks");
    assert_eq!(gone.recv_timeout(LONG), Ok("dropped"));
}

#[test]
fn rules_whose_closures_panic_in_their_drops_are_all_dropped() {
    struct Brittle(Arc<AtomicUsize>);
    impl Drop for Brittle {
        fn drop(&mut self) {
            self.0.fetch_add(1, SeqCst);
            panic!("brittle");
        }
    }
    let drops = Arc::<AtomicUsize>::default();
    let alerts = Alerts::<u32>::new();
    for rule in ["asked", "added"] {
        let (raise, clear) = (Brittle(Arc::clone(&drops)), Brittle(Arc::clone(&drops)));
        alerts.when(
            rule,
            move |_| Arc::strong_count(&raise.0) == 0,
            move |_| Arc::strong_count(&clear.0) == 0,
            |_| (),
        );
        if rule == "asked" {
            alerts.check(&1);
        }
    }
    drop(alerts);
    assert_eq!(drops.load(SeqCst), 4);
}
