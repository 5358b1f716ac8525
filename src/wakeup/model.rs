//! The protocol in every interleaving: no work is left lying while a worker sleeps.
//!
//! The work itself is counted with relaxed operations, so nothing but the protocol's fences orders it against the counters. A lost
//! wake-up shows as a deadlock.

use std::sync::Arc;

use super::{Until, WakeUp};
use crate::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::sync::thread::{Builder, JoinHandle};

#[path = "../../tests/support/model.rs"]
mod harness;
use harness::check;

struct Yard {
    wakeup: WakeUp,
    work: AtomicUsize,
    closed: AtomicBool,
    done: AtomicUsize,
}

impl Yard {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            wakeup: WakeUp::new(),
            work: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
            done: AtomicUsize::new(0),
        })
    }

    fn publish(&self) {
        self.work.fetch_add(1, Ordering::Relaxed);
        self.wakeup.wake_one();
    }

    fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        self.wakeup.wake_all();
    }

    fn take(&self) -> bool {
        self.work.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| count.checked_sub(1)).is_ok()
    }

    fn worker(&self) {
        loop {
            if self.take() {
                self.done.fetch_add(1, Ordering::Relaxed);
                continue;
            }
            self.wakeup.start_searching();
            while self.work.load(Ordering::Relaxed) == 0 && !self.closed.load(Ordering::SeqCst) {
                self.wakeup.park_until(|| {
                    let nothing =
                        self.work.load(Ordering::Relaxed) == 0 && !self.closed.load(Ordering::SeqCst);
                    nothing.then_some(Until::Woken)
                });
            }
            let took = self.take();
            self.wakeup.found(|| self.work.load(Ordering::Relaxed) > 0);
            if took {
                self.done.fetch_add(1, Ordering::Relaxed);
            } else if self.closed.load(Ordering::SeqCst) {
                return;
            }
        }
    }
}

fn spawn(run: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
    Builder::new().spawn(run).expect("no fault is asked for")
}

#[test]
fn published_work_is_found_or_rings() {
    check("one worker, two publications", || {
        let yard = Yard::new();
        let worker = spawn({
            let yard = Arc::clone(&yard);
            move || yard.worker()
        });
        yard.publish();
        yard.publish();
        yard.close();
        worker.join().unwrap();
        assert_eq!(yard.done.load(Ordering::Relaxed), 2);
        assert_eq!((yard.wakeup.idle(), yard.wakeup.counts.searching.load(Ordering::SeqCst)), (0, 0));
    });
}

/// The publisher waits for its work to be done before it closes: nothing but `wake_one` can wake the worker for it.
#[test]
fn work_is_done_without_a_further_event() {
    check("one worker, one publication, no close", || {
        let yard = Yard::new();
        let worker = spawn({
            let yard = Arc::clone(&yard);
            move || {
                while !yard.take() {
                    yard.wakeup.start_searching();
                    yard.wakeup
                        .park_until(|| (yard.work.load(Ordering::Relaxed) == 0).then_some(Until::Woken));
                    yard.wakeup.found(|| false);
                }
            }
        });
        yard.publish();
        worker.join().unwrap();
    });
}

#[test]
fn searcher_that_takes_one_piece_passes_the_ring_on() {
    check("two workers that take one piece each", || {
        let yard = Yard::new();
        let workers: Vec<_> = (0..2)
            .map(|_| {
                let yard = Arc::clone(&yard);
                spawn(move || {
                    yard.wakeup.start_searching();
                    while !yard.take() {
                        yard.wakeup
                            .park_until(|| (yard.work.load(Ordering::Relaxed) == 0).then_some(Until::Woken));
                    }
                    yard.wakeup.found(|| yard.work.load(Ordering::Relaxed) > 0);
                })
            })
            .collect();
        yard.publish();
        yard.publish();
        for worker in workers {
            worker.join().unwrap();
        }
        assert_eq!(yard.wakeup.idle(), 0);
    });
}
