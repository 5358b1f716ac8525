//! The hand-over between what ends and who waits for several, in all schedules up to a preemption bound. A lost wake-up shows as a deadlock.
#![cfg(gristmill_loom)]

use std::sync::Arc;

use gristmill::combine::{as_completed, wait_all, wait_first};
use gristmill::sync::Mutex;
use gristmill::sync::thread::{Builder, JoinHandle};
use gristmill::{CancellationToken, Signal, Waitable};

#[path = "support/model.rs"]
mod model;
use model::check;

fn spawn<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    Builder::new().spawn(run).expect("no fault is asked for")
}

/// Something that others end.
#[derive(Clone)]
struct Promise(Arc<Mutex<(Option<u32>, Option<Signal>)>>);

impl Promise {
    fn new() -> Self {
        Self(Arc::new(Mutex::new((None, None))))
    }

    fn keep(&self, value: u32) {
        let mut inner = self.0.lock();
        inner.0 = Some(value);
        let signal = inner.1.take();
        drop(inner);
        if let Some(signal) = signal {
            signal.send();
        }
    }
}

impl Waitable for Promise {
    type Output = u32;

    fn is_finished(&self) -> bool {
        self.0.lock().0.is_some()
    }

    fn watch(&self, signal: Signal) {
        let mut inner = self.0.lock();
        if inner.0.is_some() {
            drop(inner);
            signal.send();
        } else {
            inner.1 = Some(signal);
        }
    }

    fn unwatch(&self) {
        let signal = self.0.lock().1.take();
        drop(signal);
    }

    fn take(&mut self) -> Option<u32> {
        self.0.lock().0.take()
    }
}

#[test]
fn two_ends_at_once_are_both_heard_of() {
    check("two_ends_at_once_are_both_heard_of", || {
        let promises = [Promise::new(), Promise::new()];
        let keepers = [(&promises[0], 1), (&promises[1], 2)].map(|(promise, value)| {
            let promise = promise.clone();
            spawn(move || promise.keep(value))
        });
        assert_eq!(wait_all(promises), [1, 2]);
        for keeper in keepers {
            keeper.join().expect("it does not panic");
        }
    });
}

#[test]
fn first_of_two_is_one_that_has_ended_and_the_other_comes_back_whole() {
    check("first_of_two_is_one_that_has_ended_and_the_other_comes_back_whole", || {
        let promises = [Promise::new(), Promise::new()];
        let others = promises.clone();
        let keeper = spawn(move || {
            others[1].keep(2);
            others[0].keep(1);
        });
        let first = wait_first(promises).expect("there are two");
        assert!(first.index == 0 && first.output == 1 || first.index == 1 && first.output == 2);
        let rest = first.others;
        let rest: Vec<_> = as_completed(rest).map(|(_, value)| value).collect();
        assert_eq!(rest, [3 - first.output]);
        keeper.join().expect("it does not panic");
    });
}

#[test]
fn cancelled_wait_returns_with_what_has_ended_or_the_handles() {
    check("cancelled_wait_returns_with_what_has_ended_or_the_handles", || {
        let promise = Promise::new();
        let token = CancellationToken::new();
        let (kept, cancelled) = (promise.clone(), token.clone());
        let other = spawn(move || {
            cancelled.cancel();
            kept.keep(1);
        });
        let mut completed = as_completed([promise]);
        let mut heard = completed.next_with(&token).unwrap_or_else(|_| completed.next());
        assert_eq!(heard.take(), Some((0, 1)));
        other.join().expect("it does not panic");
    });
}
