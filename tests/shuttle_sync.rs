//! The shuttle backend itself: what it adds to shuttle happens, and does not happen when it must not.
#![cfg(gristmill_shuttle)]

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize as PlainUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex as PlainMutex};

use gristmill::sync::atomic::{AtomicBool, AtomicUsize};
use gristmill::sync::channel::{RecvTimeoutError, bounded};
use gristmill::sync::thread::{self, Builder, JoinHandle};
use gristmill::sync::time::{self, Duration};
use gristmill::sync::{Condvar, Mutex, fault, model as execution};

#[path = "support/model.rs"]
mod model;
use model::{Outcomes, check, failure};

const SECOND: Duration = Duration::from_secs(1);

fn spawn<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    Builder::new().spawn(run).expect("no fault is asked for")
}

#[derive(Default)]
struct Flag {
    set: Mutex<bool>,
    changed: Condvar,
}

impl Flag {
    fn set(&self) {
        *self.set.lock() = true;
        self.changed.notify_all();
    }

    fn wait(&self) {
        let mut set = self.set.lock();
        while !*set {
            self.changed.wait(&mut set);
        }
    }
}

#[test]
fn untimed_wait_ends_notified_or_spuriously() {
    let outcomes = Outcomes::default();
    let seen = outcomes.clone();
    check("untimed_wait_ends_notified_or_spuriously", move || {
        let flag = Arc::new(Flag::default());
        let setter = {
            let flag = Arc::clone(&flag);
            spawn(move || flag.set())
        };
        let mut set = flag.set.lock();
        if !*set {
            flag.changed.wait(&mut set);
            seen.add(*set);
        }
        drop(set);
        setter.join().unwrap();
    });
    assert_eq!(outcomes.all(), [false, true]);
}

#[test]
fn timeout_moves_the_clock_to_the_deadline() {
    check("timeout_moves_the_clock_to_the_deadline", || {
        let start = time::now();
        let (mutex, condvar) = (Mutex::new(()), Condvar::new());
        let mut guard = mutex.lock();
        while !condvar.wait_for(&mut guard, SECOND).timed_out() {}
        assert!(time::now() - start >= SECOND);
        thread::park_timeout(SECOND);
        thread::yield_now();
        assert!(condvar.wait_until(&mut guard, start).timed_out(), "the deadline has passed");
    });
}

#[test]
fn timeout_fires_early_late_or_not_at_all() {
    let outcomes = Outcomes::default();
    let seen = outcomes.clone();
    check("timeout_fires_early_late_or_not_at_all", move || {
        let (sender, receiver) = bounded(1);
        let steps = Arc::new(AtomicUsize::new(0));
        let worker = {
            let steps = Arc::clone(&steps);
            spawn(move || {
                for _ in 0..4 {
                    steps.fetch_add(1, SeqCst);
                }
                sender.send(7).is_ok()
            })
        };
        let answer = receiver.recv_timeout(SECOND);
        if answer == Err(RecvTimeoutError::Timeout) {
            seen.add(steps.load(SeqCst));
        } else {
            seen.add(usize::MAX);
        }
        drop(receiver);
        worker.join().unwrap();
    });
    assert_eq!(outcomes.all(), [0, 1, 2, 3, 4, usize::MAX]);
}

// The seeded bug: the flag is looked at outside of the lock, so the notification may come before the wait.
fn wait_with_lost_wakeup() {
    let flag = Arc::new(AtomicBool::new(false));
    let gate = Arc::new((Mutex::new(()), Condvar::new()));
    let setter = {
        let (flag, gate) = (Arc::clone(&flag), Arc::clone(&gate));
        spawn(move || {
            flag.store(true, SeqCst);
            gate.1.notify_all();
        })
    };
    while !flag.load(SeqCst) {
        let mut guard = gate.0.lock();
        gate.1.wait_for(&mut guard, SECOND);
    }
    setter.join().expect("it does not panic");
}

#[test]
fn timeout_heals_a_lost_wakeup() {
    check("timeout_heals_a_lost_wakeup", wait_with_lost_wakeup);
}

#[test]
fn forbidden_timeouts_turn_a_lost_wakeup_into_a_deadlock() {
    let failure = failure("forbidden_timeouts_turn_a_lost_wakeup_into_a_deadlock (meant to fail)", || {
        execution::forbid_timeouts();
        wait_with_lost_wakeup();
    });
    let failure = failure.expect("a schedule loses the wake-up");
    assert!(failure.contains("deadlock"), "{failure}");
}

#[test]
fn forbidden_timeouts_stay_with_their_execution() {
    let executions = PlainUsize::new(0);
    check("forbidden_timeouts_stay_with_their_execution", move || {
        let (mutex, condvar) = (Mutex::new(()), Condvar::new());
        if executions.fetch_add(1, SeqCst) % 2 == 0 {
            execution::forbid_timeouts();
            let zero = condvar.wait_for(&mut mutex.lock(), Duration::ZERO);
            assert!(zero.timed_out(), "a wait of no length needs no time-out to fire");
        } else {
            while !condvar.wait_for(&mut mutex.lock(), SECOND).timed_out() {}
        }
        spawn(|| ()).join().unwrap();
    });
}

#[test]
fn wait_without_end_is_a_deadlock_whatever_the_time() {
    for timeout in [None, Some(Duration::MAX)] {
        let failure =
            failure("wait_without_end_is_a_deadlock_whatever_the_time (meant to fail)", move || {
                let (mutex, condvar) = (Mutex::new(()), Condvar::new());
                let mut guard = mutex.lock();
                loop {
                    match timeout {
                        None => condvar.wait(&mut guard),
                        Some(timeout) => assert!(!condvar.wait_for(&mut guard, timeout).timed_out()),
                    }
                }
            });
        assert!(failure.expect("nobody notifies").contains("deadlock"));
    }
}

#[test]
fn same_seed_gives_the_same_outcomes() {
    let trace = |seed| {
        let trace = Arc::new(PlainMutex::new(Vec::new()));
        let log = Arc::clone(&trace);
        model::run_random(seed, 50, move || {
            let start = time::now();
            let (sender, receiver) = bounded(1);
            let senders: Vec<_> = (0..3)
                .map(|number| {
                    let sender = sender.clone();
                    spawn(move || sender.send_timeout(number, SECOND).is_ok())
                })
                .collect();
            drop(sender);
            let taken: Vec<i32> = receiver.iter().collect();
            let sent: Vec<bool> = senders.into_iter().map(|sender| sender.join().unwrap()).collect();
            log.lock().unwrap().push((taken, sent, time::now() - start));
        });
        Arc::try_unwrap(trace).unwrap().into_inner().unwrap()
    };
    assert_eq!(trace(1), trace(1));
    assert_ne!(trace(1), trace(2), "the seed decides something");
}

#[test]
fn notify_one_wakes_any_one() {
    let outcomes = Outcomes::default();
    let seen = outcomes.clone();
    check("notify_one_wakes_any_one", move || {
        // Permits, and who took the first.
        let state = Arc::new((Mutex::new((0, None, 0)), Condvar::new()));
        let waiters: Vec<_> = (0..2)
            .map(|number| {
                let state = Arc::clone(&state);
                spawn(move || {
                    let mut guard = state.0.lock();
                    guard.2 += 1;
                    while guard.0 == 0 {
                        state.1.wait(&mut guard);
                    }
                    guard.0 -= 1;
                    guard.1.get_or_insert(number);
                })
            })
            .collect();
        for _ in 0..2 {
            state.0.lock().0 += 1;
            state.1.notify_one();
        }
        for waiter in waiters {
            waiter.join().unwrap();
        }
        seen.add(state.0.lock().1);
    });
    assert_eq!(outcomes.all(), [Some(0), Some(1)]);
}

#[test]
fn park_token_survives_locks_waits_and_joins() {
    check("park_token_survives_locks_waits_and_joins", || {
        execution::forbid_timeouts();
        let main = thread::current();
        let flag = Arc::new(Flag::default());
        let unparked = Arc::new(AtomicBool::new(false));
        let other = {
            let (flag, unparked) = (Arc::clone(&flag), Arc::clone(&unparked));
            spawn(move || {
                unparked.store(true, SeqCst);
                main.unpark();
                flag.set();
            })
        };
        flag.wait();
        other.join().unwrap();
        while !unparked.load(SeqCst) {
            thread::park();
        }
        thread::current().unpark();
        thread::park_timeout(Duration::MAX);
    });
}

#[test]
fn parked_thread_is_unparked() {
    check("parked_thread_is_unparked", || {
        let go = Arc::new(AtomicBool::new(false));
        let sleeper = {
            let go = Arc::clone(&go);
            spawn(move || {
                while !go.load(SeqCst) {
                    thread::park();
                }
            })
        };
        go.store(true, SeqCst);
        sleeper.thread().unpark();
        sleeper.join().unwrap();
    });
}

gristmill::sync::thread_local! {
    static OWN: Cell<u32> = const { Cell::new(1) };
    static ALSO: Cell<u32> = Cell::new(2);
}

gristmill::sync::process_static! {
    static COMMON: Mutex<u32> = Mutex::new(0);
}

#[test]
fn thread_local_is_per_task_and_static_per_execution() {
    check("thread_local_is_per_task_and_static_per_execution", || {
        let threads: Vec<_> = (0..2)
            .map(|_| {
                spawn(|| {
                    OWN.with(|own| own.set(own.get() + 1));
                    *COMMON.lock() += 1;
                    thread::yield_now();
                    OWN.with(Cell::get) + ALSO.with(Cell::get)
                })
            })
            .collect();
        for thread in threads {
            assert_eq!(thread.join().unwrap(), 4);
        }
        assert_eq!(OWN.with(Cell::get), 1);
        assert_eq!(*COMMON.lock(), 2);
    });
    assert!(OWN.try_with(Cell::get).is_err(), "no task runs");
}

#[test]
fn scope_joins_its_threads_when_it_unwinds() {
    check("scope_joins_its_threads_when_it_unwinds", || {
        let ended = AtomicUsize::new(0);
        let unwound = catch_unwind(AssertUnwindSafe(|| {
            thread::scope(|scope| {
                for _ in 0..2 {
                    let run = || {
                        thread::yield_now();
                        ended.fetch_add(1, SeqCst);
                    };
                    Builder::new().spawn_scoped(scope, run).unwrap();
                }
                std::panic::resume_unwind(Box::new("the scope's own panic"));
            });
        }));
        assert!(unwound.is_err());
        assert_eq!(ended.load(SeqCst), 2);
    });
}

#[test]
fn scoped_threads_borrow_have_names_and_answer() {
    check("scoped_threads_borrow_have_names_and_answer", || {
        let numbers = [1, 2, 3];
        let total: i32 = thread::scope(|scope| {
            let threads: Vec<_> = numbers
                .iter()
                .map(|number| {
                    let builder = Builder::new().name(format!("number {number}"));
                    let run = move || (thread::current().name().map(str::to_owned), *number);
                    let handle = builder.spawn_scoped(scope, run).unwrap();
                    assert_eq!(handle.thread().name(), Some(format!("number {number}").as_str()));
                    handle
                })
                .collect();
            threads
                .into_iter()
                .map(|thread| {
                    let id = thread.thread().id();
                    assert_ne!(id, thread::current().id());
                    let (name, number) = thread.join().unwrap();
                    assert_eq!(name, Some(format!("number {number}")));
                    number
                })
                .sum()
        });
        assert_eq!(total, 6);
    });
}

#[test]
fn is_finished_says_when_the_closure_has_ended() {
    let outcomes = Outcomes::default();
    let seen = outcomes.clone();
    check("is_finished_says_when_the_closure_has_ended", move || {
        let done = Arc::new(AtomicBool::new(false));
        let handle = {
            let done = Arc::clone(&done);
            spawn(move || done.store(true, SeqCst))
        };
        let finished = handle.is_finished();
        assert!(!finished || done.load(SeqCst));
        seen.add(finished);
        handle.join().unwrap();
    });
    assert_eq!(outcomes.all(), [false, true]);
}

#[test]
fn fault_fails_the_kth_thread_of_the_caller_only() {
    check("fault_fails_the_kth_thread_of_the_caller_only", || {
        let fault = fault::fail_spawn_at(2);
        let first = spawn(|| spawn(|| ()).join().is_ok());
        assert!(Builder::new().spawn(|| ()).is_err());
        drop(fault);
        assert!(first.join().unwrap());
    });
}
