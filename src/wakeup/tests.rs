//! The ring itself: who is woken, how many, and what is counted meanwhile.

use std::sync::Arc;

use super::{Until, WakeUp};
use crate::sync::atomic::Ordering;
use crate::sync::channel::{Receiver, Sender, bounded};
use crate::sync::thread::{self, Builder, JoinHandle};
use crate::sync::time::{self, Duration};

/// Who has gone on after a park, and the word that it has found something.
struct Parked {
    woken: Receiver<usize>,
    go: Sender<()>,
    threads: Vec<JoinHandle<()>>,
}

fn counts(wakeup: &WakeUp) -> (usize, usize) {
    (wakeup.idle(), wakeup.counts.searching.load(Ordering::SeqCst))
}

/// So many workers that park, and say so when they are woken; told to go on, each has found what it looked for, and no more is there.
fn park(wakeup: &Arc<WakeUp>, workers: usize) -> Parked {
    let (say, woken) = bounded(workers);
    let (go, told) = bounded(workers);
    let spawn = |number| {
        let (wakeup, say, told) = (Arc::clone(wakeup), say.clone(), told.clone());
        let worker = move || {
            wakeup.start_searching();
            wakeup.park_until(|| Some(Until::Woken));
            say.send(number).expect("it is awaited");
            told.recv().expect("it is told");
            wakeup.found(|| false);
        };
        Builder::new().spawn(worker).expect("a thread")
    };
    let threads = (0..workers).map(spawn).collect();
    while wakeup.idle() < workers {
        thread::yield_now();
    }
    Parked { woken, go, threads }
}

impl Parked {
    fn wait_for_one(&self) {
        self.woken.recv_timeout(Duration::from_secs(60)).expect("one was woken");
    }

    /// All of them go on, and none is left.
    fn end(self) {
        for _ in &self.threads {
            self.go.send(()).expect("it listens");
        }
        for thread in self.threads {
            thread.join().expect("it does not panic");
        }
    }
}

#[test]
fn nobody_is_rung_where_nobody_is_parked() {
    let wakeup = WakeUp::new();
    assert!(!wakeup.wake_one() && !wakeup.wake_one_after_lock() && !wakeup.wake_parked());
    wakeup.wake_all();
    assert_eq!(counts(&wakeup), (0, 0));
}

#[test]
fn while_one_searches_no_other_is_rung() {
    let wakeup = Arc::new(WakeUp::new());
    let parked = park(&wakeup, 3);
    assert_eq!(counts(&wakeup), (3, 0));
    assert!(wakeup.wake_one());
    assert_eq!(counts(&wakeup), (2, 1));
    parked.wait_for_one();
    assert!(!wakeup.wake_one() && !wakeup.wake_one_after_lock() && !wakeup.wake_parked());
    assert_eq!(counts(&wakeup), (2, 1));
    assert!(parked.woken.is_empty(), "one ring wakes one");
    wakeup.wake_all();
    assert_eq!(counts(&wakeup), (0, 3));
    parked.wait_for_one();
    parked.wait_for_one();
    parked.end();
    assert_eq!((counts(&wakeup), *wakeup.granted.lock()), ((0, 0), 0));
}

#[test]
fn one_that_has_found_something_rings_the_next_if_there_is_more() {
    let wakeup = Arc::new(WakeUp::new());
    let parked = park(&wakeup, 1);
    for (more, expected) in [(false, (1, 0)), (true, (0, 1))] {
        wakeup.start_searching();
        wakeup.found(|| more);
        assert_eq!(counts(&wakeup), expected);
    }
    parked.wait_for_one();
    wakeup.start_searching();
    wakeup.stop_searching();
    assert_eq!(counts(&wakeup), (0, 1));
    parked.end();
}

#[test]
fn one_that_finds_work_before_it_parks_or_whose_time_is_over_searches_on() {
    let wakeup = WakeUp::new();
    wakeup.start_searching();
    wakeup.park_until(|| None);
    assert_eq!(counts(&wakeup), (0, 1));
    wakeup.park_until(|| {
        assert_eq!(counts(&wakeup), (1, 0), "whoever rings from here on must see it");
        Some(Until::Instant(time::now()))
    });
    assert_eq!(counts(&wakeup), (0, 1));
    assert!(!wakeup.wake_one(), "it searches");
    wakeup.stop_searching();
    assert_eq!((counts(&wakeup), *wakeup.granted.lock()), ((0, 0), 0));
}
