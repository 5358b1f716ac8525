//! The group's line in every schedule: no task is left lying when its runner goes, nobody who waits sleeps on, and never more than the
//! limit run. A lost wake-up shows as a deadlock.

use std::sync::Arc;

use super::line::{Line, Next, NotIn};
use super::waits::Wait;
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::thread::{self, Builder, JoinHandle};

#[path = "../../tests/support/model.rs"]
mod harness;
use harness::check;

const LIMIT: usize = 1;

struct Yard {
    line: Line<()>,
    inside: AtomicUsize,
    done: AtomicUsize,
}

impl Yard {
    fn new(queue_bound: usize) -> Arc<Self> {
        Arc::new(Self {
            line: Line::new(LIMIT, queue_bound),
            inside: AtomicUsize::new(0),
            done: AtomicUsize::new(0),
        })
    }

    /// The life of a runner that was hired.
    fn run(&self) {
        if !self.line.start() {
            return;
        }
        let (mut ended, mut lingering) = (0, false);
        while let Next::Run { job: (), hire, .. } = self.line.next(ended, false, &mut lingering) {
            assert_eq!(hire, 0, "there is one runner at most");
            assert_eq!(self.inside.fetch_add(1, Ordering::Relaxed), 0, "one task at a time");
            self.inside.fetch_sub(1, Ordering::Relaxed);
            self.done.fetch_add(1, Ordering::Relaxed);
            ended = 1;
        }
    }

    /// Puts a task in, and starts the runner that it may need.
    fn push(self: &Arc<Self>) -> Result<Option<JoinHandle<()>>, NotIn> {
        let hire = self.line.push(|_| ())?;
        let hired = hire.then(|| {
            let yard = Arc::clone(self);
            Builder::new().spawn(move || yard.run()).expect("no fault is asked for")
        });
        Ok(hired)
    }

    fn wait_until_quiet(&self) {
        while self.line.wait_for_quiet(false, true) != Wait::Quiet {
            thread::park();
        }
        self.line.forget();
    }
}

fn join(runners: impl IntoIterator<Item = Option<JoinHandle<()>>>) {
    for runner in runners.into_iter().flatten() {
        runner.join().expect("it does not panic");
    }
}

#[test]
fn task_that_comes_while_the_runner_goes_is_run() {
    check("task_that_comes_while_the_runner_goes_is_run", || {
        let yard = Yard::new(1);
        let runners = [yard.push(), yard.push()].map(|pushed| pushed.expect("there is room for two"));
        yard.wait_until_quiet();
        assert_eq!(yard.done.load(Ordering::Relaxed), 2);
        assert_eq!(yard.push().err(), Some(NotIn::Closed), "the answer was given");
        join(runners);
    });
}

#[test]
fn spawner_that_waits_for_room_gets_it() {
    check("spawner_that_waits_for_room_gets_it", || {
        let yard = Yard::new(0);
        let first = yard.push().expect("there is room for one");
        let second = loop {
            match yard.push() {
                Ok(second) => break second,
                Err(refused) => assert_eq!(refused, NotIn::Full),
            }
            if yard.line.wait_for_room(false) == Wait::Park {
                thread::park();
            }
        };
        yard.line.forget();
        yard.wait_until_quiet();
        assert_eq!(yard.done.load(Ordering::Relaxed), 2);
        join([first, second]);
    });
}
