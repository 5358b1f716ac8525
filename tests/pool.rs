//! The worker pool's promises, one claim per test; each runs over the owned and over the scoped pool.
#![cfg(not(any(gristmill_shuttle, gristmill_loom)))]

use std::panic::panic_any;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::{self, ThreadId};
use std::time::Duration;

use gristmill::sync::time;
use gristmill::{
    BuildError, CancelKind, CancelOutcome, CancellationToken, Refusal, Shutdown, TaskError, ThreadPool,
    ThreadPoolBuilder, WaitError,
};

/// Long enough never to be waited out, short enough for a hang to end.
const LONG: Duration = Duration::from_secs(60);

/// The same claim over an owned and over a scoped pool.
macro_rules! claims {
    ($($(#[$attribute:meta])* fn $name:ident($builder:expr, |$pool:ident| $body:block))*) => {
        mod owned {
            use super::*;
            $($(#[$attribute])* #[test] fn $name() {
                let owner = $builder.build().expect("the settings are good");
                let $pool = &owner;
                $body
            })*
        }
        mod scoped {
            use super::*;
            $($(#[$attribute])* #[test] fn $name() {
                $builder.scope(|$pool| $body).expect("the settings are good");
            })*
        }
    };
}

fn workers<'env>(workers: usize, bound: usize) -> ThreadPoolBuilder<'env> {
    ThreadPool::builder().workers(workers).queue_bound(bound)
}

/// Holds workers until it is opened (or dropped), and tells when one has come.
struct Gate {
    open: mpsc::Sender<()>,
    came: mpsc::Receiver<ThreadId>,
}

impl Gate {
    /// The gate, and what a task calls to come to it.
    fn new() -> (Self, impl FnOnce() + Send + 'static) {
        let (open, opened) = mpsc::channel();
        let (coming, came) = mpsc::channel();
        let pass = move || {
            coming.send(thread::current().id()).expect("the test waits for it");
            let _ = opened.recv();
        };
        (Self { open, came }, pass)
    }

    fn wait(&self) -> ThreadId {
        self.came.recv_timeout(LONG).expect("a worker comes to the gate")
    }

    fn open(self) {
        let _ = self.open.send(());
    }
}

/// Counts how often it was dropped.
struct Dropped(Arc<AtomicUsize>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Panics when dropped, unless that thread panics already.
struct Grenade;

impl Drop for Grenade {
    fn drop(&mut self) {
        assert!(thread::panicking(), "dropped");
    }
}

claims! {
    fn results_come_back_through_the_handles(workers(2, 8), |pool| {
        let handles: Vec<_> = (0..100_u64).map(|i| pool.submit(move || i * i).expect("open")).collect();
        let sum: u64 = handles.into_iter().map(|handle| handle.wait().expect("it succeeds")).sum();
        assert_eq!(sum, (0..100).map(|i| i * i).sum::<u64>());
        let report = pool.shutdown(Shutdown::Drain);
        assert!(report.is_complete());
        assert_eq!((report.submitted(), report.succeeded(), report.pending()), (100, 100, 0));
    })

    fn full_queue_gives_the_task_back_and_it_is_unchanged(workers(1, 1), |pool| {
        let (gate, pass) = Gate::new();
        let running = pool.submit(pass).expect("open");
        gate.wait();
        let queued = pool.submit(|| 1).expect("there is one place");
        let refused = pool.try_submit(|| 2).unwrap_err();
        assert!(refused.is_full());
        assert_eq!(refused.into_task()(), 2);
        let refused = pool.submit_timeout(|| 3, Duration::ZERO).unwrap_err();
        assert!(refused.is_timed_out());
        assert!(pool.submit_timeout(|| 3, Duration::from_millis(1)).unwrap_err().is_timed_out());
        gate.open();
        running.wait().expect("it succeeds");
        assert_eq!(queued.wait().expect("it succeeds"), 1);
        assert_eq!(pool.submit_timeout(refused.into_task(), Duration::MAX).expect("open").wait().expect("it succeeds"), 3);
        assert_eq!(pool.shutdown(Shutdown::Drain).submitted(), 3, "refused tasks do not count");
    })

    fn blocked_submit_goes_on_when_there_is_space(workers(1, 1), |pool| {
        let (gate, pass) = Gate::new();
        let running = pool.submit(pass).expect("open");
        gate.wait();
        let queued = pool.submit(|| 1).expect("there is one place");
        thread::scope(|scope| {
            let blocked = scope.spawn(|| pool.submit(|| 2).expect("open").wait().expect("it succeeds"));
            gate.open();
            assert_eq!(blocked.join().expect("it does not panic"), 2);
        });
        running.wait().expect("it succeeds");
        assert_eq!(queued.wait().expect("it succeeds"), 1);
    })

    fn close_refuses_new_tasks_and_runs_the_queued_ones(workers(1, 4), |pool| {
        let (gate, pass) = Gate::new();
        let running = pool.submit(pass).expect("open");
        gate.wait();
        let queued = pool.submit(|| 1).expect("open");
        pool.close();
        pool.close();
        assert!(pool.is_closed());
        let refused = pool.submit(|| 2).unwrap_err();
        assert!(refused.is_closed());
        assert_eq!(refused.to_string(), "the task was not accepted: the pool is closed");
        assert!(pool.try_submit(|| 2).unwrap_err().is_closed());
        assert!(pool.submit_timeout(|| 2, LONG).unwrap_err().is_closed());
        gate.open();
        running.wait().expect("it succeeds");
        assert_eq!(queued.wait().expect("it succeeds"), 1);
    })

    fn close_ends_a_blocked_submit_with_the_task(workers(1, 1), |pool| {
        let (gate, pass) = Gate::new();
        let _running = pool.submit(pass).expect("open");
        gate.wait();
        let _queued = pool.submit(|| 1).expect("there is one place");
        thread::scope(|scope| {
            let blocked = scope.spawn(|| pool.submit(|| 2).unwrap_err());
            pool.close();
            let refused = blocked.join().expect("it does not panic");
            assert!(refused.is_closed());
            assert_eq!(refused.into_task()(), 2);
        });
        gate.open();
    })

    fn task_token_ends_a_blocked_submit_with_the_task(workers(1, 1), |pool| {
        let (gate, pass) = Gate::new();
        let _running = pool.submit(pass).expect("open");
        gate.wait();
        let _queued = pool.submit(|| 1).expect("there is one place");
        let token = CancellationToken::new();
        thread::scope(|scope| {
            let blocked = scope.spawn(|| pool.task().token(&token).submit(|_| 2).map(drop).unwrap_err());
            token.cancel();
            assert!(matches!(blocked.join().expect("it does not panic").refusal(), Refusal::Cancelled(_)));
        });
        gate.open();
    })

    fn task_with_a_cancelled_token_is_refused(workers(1, 1), |pool| {
        let token = CancellationToken::new();
        token.cancel_with("no grain");
        let refused = pool.task().token(&token).try_submit(|_| 2).map(drop).unwrap_err();
        assert!(refused.is_cancelled());
        let Refusal::Cancelled(cause) = refused.refusal() else { panic!("it says why") };
        assert_eq!(cause.cause().map(ToString::to_string).as_deref(), Some("no grain"));
        assert_eq!(pool.shutdown(Shutdown::Drain).submitted(), 0);
    })

    fn queued_task_whose_token_is_cancelled_never_starts(workers(1, 4), |pool| {
        let (gate, pass) = Gate::new();
        let _running = pool.submit(pass).expect("open");
        gate.wait();
        let (token, drops) = (CancellationToken::new(), Arc::new(AtomicUsize::new(0)));
        let guard = Dropped(Arc::clone(&drops));
        let waited = pool.task().name("late").token(&token).submit(move |_| drop(guard)).expect("open");
        let looked_at = pool.task().token(&token).submit(|_| panic!("it ran")).expect("open");
        token.cancel();
        // Its worker is still held: the wait itself ends the task.
        let error = waited.wait().unwrap_err();
        assert!(error.is_cancelled());
        assert_eq!((error.name(), error.to_string().as_str()), ("late", "late was cancelled before it started"));
        assert_eq!(drops.load(Ordering::SeqCst), 1);
        assert!(looked_at.is_finished());
        gate.open();
        let report = pool.shutdown(Shutdown::Drain);
        assert_eq!((report.succeeded(), report.cancelled()), (1, 2));
    })

    fn token_of_a_running_task_is_cancelled_by_its_handle(workers(1, 1), |pool| {
        let (started, start) = mpsc::channel();
        let handle = pool.task().submit(move |context| {
            let token = context.token();
            started.send(()).expect("the test waits for it");
            token.wait().kind()
        }).expect("open");
        start.recv_timeout(LONG).expect("it starts");
        assert_eq!(handle.cancel(), CancelOutcome::Requested);
        assert_eq!(handle.wait().expect("it returns what it saw"), CancelKind::Cancelled);
    })

    fn token_of_a_running_task_is_cancelled_with_the_one_it_was_given(workers(1, 1), |pool| {
        let given = CancellationToken::new();
        let handle = pool.task().token(&given).submit(|context| context.token().wait()).expect("open");
        given.cancel_with("enough");
        match handle.wait() {
            Ok(cause) => assert_eq!(cause.cause().map(ToString::to_string).as_deref(), Some("enough")),
            Err(error) => assert!(error.is_cancelled(), "it may not have started"),
        }
    })

    fn token_of_a_running_task_with_a_given_one_is_cancelled_when_the_pool_stops(workers(1, 1), |pool| {
        let (given, (started, start)) = (CancellationToken::new(), mpsc::channel());
        let handle = pool.task().token(&given).submit(move |context| {
            started.send(()).expect("the test waits for it");
            context.token().wait();
        }).expect("open");
        start.recv_timeout(LONG).expect("it starts");
        assert!(pool.shutdown(Shutdown::Abort).is_complete());
        assert!(!given.is_cancelled());
        handle.wait().expect("it returned by itself");
    })

    fn cancelled_task_never_runs_and_its_closure_is_dropped_at_once(workers(1, 2), |pool| {
        let (gate, pass) = Gate::new();
        let running = pool.submit(pass).expect("open");
        gate.wait();
        let drops = Arc::new(AtomicUsize::new(0));
        let guard = Dropped(Arc::clone(&drops));
        let queued = pool.submit(move || drop(guard)).expect("open");
        assert_eq!(queued.cancel(), CancelOutcome::Prevented);
        assert_eq!(drops.load(Ordering::SeqCst), 1, "at once, though the worker is held");
        assert!(queued.is_finished());
        assert_eq!(queued.cancel(), CancelOutcome::Finished);
        assert_eq!(pool.queued(), 1, "its place counts until a worker comes to it");
        let Err(TaskError::Cancelled { cause, .. }) = queued.wait() else { panic!("it was cancelled") };
        assert_eq!(cause.location().file(), file!());
        assert_eq!(running.cancel(), CancelOutcome::RunsOn, "it has no token to look at");
        gate.open();
        running.wait().expect("it succeeds");
        let report = pool.shutdown(Shutdown::Drain);
        assert_eq!((report.submitted(), report.succeeded(), report.cancelled()), (2, 1, 1));
        assert_eq!(drops.load(Ordering::SeqCst), 1);
    })

    fn panic_is_an_error_and_the_worker_lives_on(workers(1, 4), |pool| {
        let before = pool.submit(|| thread::current().id()).expect("open").wait().expect("it succeeds");
        let panicking = pool.task().name("crack").submit(|_| -> () { panic!("stone {}", 7) }).expect("open");
        let error = panicking.wait().unwrap_err();
        let TaskError::Panicked(panic) = error else { panic!("it panicked") };
        assert_eq!((panic.name(), panic.message()), ("crack", "stone 7"));
        assert!(panic.location().is_some_and(|at| at.file().ends_with("pool.rs")));
        let error = pool.submit(|| panic_any(42_u8)).expect("open").wait().map(|(): ()| ()).unwrap_err();
        assert_eq!(error.name(), "task");
        let TaskError::Panicked(panic) = error else { panic!("it panicked") };
        assert_eq!(panic.into_payload().downcast_ref::<u8>(), Some(&42));
        let after = pool.submit(|| thread::current().id()).expect("open").wait().expect("it succeeds");
        assert_eq!(before, after);
        let report = pool.shutdown(Shutdown::Drain);
        assert_eq!((report.succeeded(), report.panicked()), (2, 2));
    })

    fn panics_in_drops_kill_no_worker(workers(1, 8), |pool| {
        let before = pool.submit(|| thread::current().id()).expect("open").wait().expect("it succeeds");
        pool.pause(); // the handles go first, so that it is the worker who drops what they leave
        drop(pool.submit(|| Grenade).expect("open")); // a result nobody wants
        drop(pool.submit(|| -> () { panic_any(Grenade) }).expect("open")); // a payload nobody wants
        pool.resume();
        let captured = Grenade;
        let error = pool.submit(move || drop(captured)).expect("open").wait().unwrap_err();
        assert!(error.is_panicked());
        let (gate, pass) = Gate::new();
        let held = pool.submit(pass).expect("open");
        gate.wait();
        let captured = Grenade;
        let token = CancellationToken::new();
        let queued = pool.task().token(&token).submit(move |_| drop(captured)).expect("open");
        drop(queued);
        token.cancel(); // the worker drops the closure
        let captured = Grenade;
        let queued = pool.submit(move || drop(captured)).expect("open");
        assert_eq!(queued.cancel(), CancelOutcome::Prevented); // this thread does
        gate.open();
        held.wait().expect("it succeeds");
        let after = pool.submit(|| thread::current().id()).expect("open").wait().expect("it succeeds");
        assert_eq!(before, after);
        let report = pool.shutdown(Shutdown::Drain);
        assert_eq!((report.submitted(), report.succeeded(), report.panicked(), report.cancelled()), (8, 4, 2, 2));
    })

    fn wait_gives_the_handle_back_when_it_ends_early(workers(1, 1), |pool| {
        let (gate, pass) = Gate::new();
        let handle = pool.submit(|| { pass(); 5 }).expect("open");
        gate.wait();
        let handle = handle.try_wait().unwrap_err();
        let handle = handle.wait_timeout(Duration::ZERO).unwrap_err();
        let handle = handle.wait_timeout(Duration::from_millis(1)).unwrap_err();
        let token = CancellationToken::new();
        let handle = thread::scope(|scope| {
            let waiter = scope.spawn(|| handle.wait_with(&token).unwrap_err());
            token.cancel_with("tired");
            waiter.join().expect("it does not panic")
        });
        assert_eq!(handle.cause().cause().map(ToString::to_string).as_deref(), Some("tired"));
        let handle = handle.into_handle();
        assert!(!handle.is_finished());
        gate.open();
        assert_eq!(handle.wait_timeout(Duration::MAX).expect("in time").expect("it succeeds"), 5);
    })

    fn handle_of_a_finished_task_gives_its_value_though_the_token_is_cancelled(workers(1, 1), |pool| {
        let handle = pool.submit(|| 5).expect("open");
        pool.wait().expect("no token");
        let token = CancellationToken::new();
        token.cancel();
        assert_eq!(handle.wait_with(&token).expect("it has ended").expect("it succeeds"), 5);
    })

    fn dropped_handle_detaches_the_task(workers(1, 4), |pool| {
        let ran = Arc::new(AtomicUsize::new(0));
        for _ in 0..4 {
            let ran = Arc::clone(&ran);
            drop(pool.submit(move || ran.fetch_add(1, Ordering::SeqCst)).expect("open"));
        }
        pool.wait().expect("no token");
        assert_eq!(ran.load(Ordering::SeqCst), 4);
    })

    fn nested_submit_and_wait_needs_one_worker_and_one_place(workers(1, 1), |pool| {
        fn sum(pool: &gristmill::Submitter<'static>, low: u64, high: u64) -> u64 {
            if high - low == 1 {
                return low;
            }
            let middle = low.midpoint(high);
            let (left, right) = (pool.clone(), pool.clone());
            let left = pool.submit(move || sum(&left, low, middle)).expect("open");
            let right = pool.submit(move || sum(&right, middle, high)).expect("open");
            left.wait().expect("it succeeds") + right.wait().expect("it succeeds")
        }
        let submitter = pool.submitter().clone();
        let total = pool.submit(move || sum(&submitter, 0, 256)).expect("open").wait().expect("it succeeds");
        assert_eq!(total, 255 * 256 / 2);
        let report = pool.shutdown(Shutdown::Drain);
        assert_eq!((report.submitted(), report.succeeded()), (511, 511));
    })

    fn worker_runs_a_task_inline_when_its_own_queue_is_full(workers(1, 1), |pool| {
        let submitter = pool.submitter().clone();
        let outer = pool.submit(move || {
            let queued = submitter.submit(|| thread::current().id()).expect("open");
            assert!(submitter.try_submit(|| ()).unwrap_err().is_full(), "try_submit says so instead");
            let inline = submitter.submit(|| thread::current().id()).expect("open");
            assert!(inline.is_finished() && !queued.is_finished());
            (thread::current().id(), inline.wait().expect("it succeeds"))
        }).expect("open");
        let (worker, inline) = outer.wait().expect("it succeeds");
        assert_eq!(worker, inline);
    })

    fn waiting_task_runs_no_unrelated_task(workers(2, 8), |pool| {
        let (gate, pass) = Gate::new();
        let awaited = pool.submit(pass).expect("open");
        gate.wait();
        let (waiting, about_to_wait) = mpsc::channel();
        let waited = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&waited);
        let nested = pool.submit(move || {
            waiting.send(()).expect("the test waits for it");
            awaited.wait().expect("it succeeds");
            told.store(true, Ordering::SeqCst);
        }).expect("open");
        about_to_wait.recv_timeout(LONG).expect("the other worker takes it");
        let stranger = pool.submit(move || waited.load(Ordering::SeqCst)).expect("open");
        // Both workers are held. A waiter that helped itself to strangers would take it now.
        let stranger = stranger.wait_timeout(Duration::from_millis(20)).expect_err("nobody may run it");
        gate.open();
        nested.wait().expect("it succeeds");
        stranger.wait().expect("it succeeds");
    })

    fn task_that_waits_for_itself_panics_instead_of_hanging(workers(1, 1), |pool| {
        let (give, take) = mpsc::channel::<gristmill::TaskHandle<()>>();
        let seen = Arc::new(Mutex::new(None));
        let noted = Arc::clone(&seen);
        let handle = pool.task().name("ouroboros").submit(move |_| {
            let own = take.recv().expect("the test sends it");
            let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| own.wait().is_ok()));
            *noted.lock().expect("not poisoned") = Some(caught.is_err());
        }).expect("open");
        give.send(handle).expect("the task receives it");
        pool.wait().expect("no token");
        assert_eq!(*seen.lock().expect("not poisoned"), Some(true));
    })

    fn wait_returns_when_all_accepted_tasks_have_ended(workers(2, 8), |pool| {
        assert!(pool.try_wait().is_ok() && pool.wait().is_ok(), "nothing to wait for");
        let (gate, pass) = Gate::new();
        let handle = pool.submit(pass).expect("open");
        gate.wait();
        assert!(matches!(pool.try_wait(), Err(WaitError::TimedOut)));
        assert!(matches!(pool.wait_timeout(Duration::from_millis(1)), Err(WaitError::TimedOut)));
        let token = CancellationToken::new();
        token.cancel();
        assert!(matches!(pool.wait_with(&token), Err(WaitError::Cancelled(_))));
        gate.open();
        pool.wait_timeout(LONG).expect("in time");
        assert!(handle.is_finished());
    })

    fn wait_from_an_own_task_is_refused(workers(1, 1), |pool| {
        let submitter = pool.submitter().clone();
        let handle = pool.submit(move || submitter.wait()).expect("open");
        assert!(matches!(handle.wait(), Ok(Err(WaitError::OwnTask))));
    })

    fn abort_hands_back_what_never_started_and_it_can_still_run(workers(1, 8), |pool| {
        let (started, start) = mpsc::channel();
        let running = pool.task().submit(move |context| {
            started.send(()).expect("the test waits for it");
            context.token().wait();
        }).expect("open");
        start.recv_timeout(LONG).expect("it starts");
        let ran = Arc::new(AtomicUsize::new(0));
        let queued: Vec<_> = (0..4).map(|i| {
            let ran = Arc::clone(&ran);
            pool.task().name(format!("sack {i}")).submit(move |_| ran.fetch_add(1, Ordering::SeqCst)).expect("open")
        }).collect();
        let report = pool.shutdown(Shutdown::Abort);
        assert!(report.is_complete());
        assert_eq!((report.submitted(), report.succeeded(), report.returned()), (5, 1, 4));
        for handle in queued {
            let error = handle.wait().unwrap_err();
            assert!(error.is_returned() && error.name().starts_with("sack"));
        }
        running.wait().expect("it succeeds");
        let mut tasks = report.into_tasks();
        // The worker may have one in its hand, which then comes last.
        tasks.sort_by_cached_key(|task| task.name().to_string());
        let names: Vec<_> = tasks.iter().map(|task| task.name().to_string()).collect();
        assert_eq!(names, ["sack 0", "sack 1", "sack 2", "sack 3"]);
        drop(tasks.pop());
        for task in tasks {
            task.run().expect("it does not panic");
        }
        assert_eq!(ran.load(Ordering::SeqCst), 3);
        assert_eq!(pool.shutdown(Shutdown::Drain).tasks().len(), 0, "given out once");
    })

    fn drain_for_names_what_would_not_stop(workers(1, 8).stop_grace(Duration::ZERO), |pool| {
        let (gate, pass) = Gate::new();
        let start = time::now();
        let stubborn = pool.task().name("stubborn").submit(|_| pass()).expect("open");
        gate.wait();
        let queued = pool.submit(|| ()).expect("open");
        let time = Duration::from_millis(20);
        let report = pool.shutdown(Shutdown::DrainFor(time));
        assert!(!report.is_complete());
        assert_eq!((report.submitted(), report.returned(), report.pending()), (2, 1, 1));
        let [stuck] = report.stuck() else { panic!("one task is stuck") };
        assert_eq!((stuck.name(), stuck.worker()), ("stubborn", Some(0)));
        assert!(time <= stuck.elapsed() && stuck.elapsed() <= time::now() - start);
        assert!(report.to_string().contains("stubborn still runs on worker 0"));
        assert!(queued.wait().unwrap_err().is_returned());
        gate.open();
        let report = pool.shutdown(Shutdown::Drain);
        assert!(report.is_complete() && report.stuck().is_empty());
        assert_eq!((report.submitted(), report.succeeded(), report.returned()), (2, 1, 1));
        stubborn.wait().expect("it succeeds");
    })

    fn drain_for_long_enough_is_a_drain(workers(2, 8), |pool| {
        let handles: Vec<_> = (0..20).map(|i| pool.submit(move || i).expect("open")).collect();
        let report = pool.shutdown(Shutdown::DrainFor(Duration::MAX));
        assert_eq!((report.succeeded(), report.returned()), (20, 0));
        assert!(handles.into_iter().all(|handle| handle.wait().is_ok()));
    })

    fn shutdown_from_an_own_task_returns_at_once(workers(2, 8), |pool| {
        // Through a channel: the pool itself cannot go into its own task.
        let submitter = pool.submitter().clone();
        pool.submit(move || submitter.close()).expect("open").wait().expect("it succeeds");
        assert!(pool.submit(|| ()).unwrap_err().is_closed());
        assert!(pool.shutdown(Shutdown::Drain).is_complete());
    })

    fn shutdown_twice_gives_the_same_counts(workers(2, 8), |pool| {
        drop(pool.submit(|| 1).expect("open"));
        let first = pool.shutdown(Shutdown::Drain);
        let second = pool.shutdown(Shutdown::Abort);
        assert_eq!((first.submitted(), first.succeeded()), (1, 1));
        assert_eq!((second.submitted(), second.succeeded(), second.is_complete()), (1, 1, true));
    })

    fn submissions_that_race_a_close_are_run_or_given_back(workers(2, 2), |pool| {
        let ran = Arc::new(AtomicUsize::new(0));
        let (accepted, refused) = thread::scope(|scope| {
            let submitters: Vec<_> = (0..4).map(|_| {
                let ran = &ran;
                scope.spawn(move || {
                    let (mut handles, mut refused) = (Vec::new(), 0);
                    while refused == 0 {
                        let ran = Arc::clone(ran);
                        match pool.submit(move || { ran.fetch_add(1, Ordering::SeqCst); }) {
                            Ok(handle) => handles.push(handle),
                            Err(error) => { assert!(error.is_closed()); refused += 1; }
                        }
                    }
                    let accepted = handles.len();
                    for handle in handles { handle.wait().expect("it succeeds"); }
                    (accepted, refused)
                })
            }).collect();
            while ran.load(Ordering::SeqCst) < 100 {
                thread::yield_now();
            }
            pool.close();
            submitters.into_iter().map(|thread| thread.join().expect("it does not panic"))
                .fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
        });
        assert_eq!((ran.load(Ordering::SeqCst), refused), (accepted, 4));
        let report = pool.shutdown(Shutdown::Drain);
        assert_eq!((report.submitted(), report.succeeded()), (accepted as u64, accepted as u64));
    })

    fn closures_and_results_are_dropped_exactly_once(workers(2, 4), |pool| {
        let (closures, results) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let mut handles = Vec::new();
        for i in 0..60 {
            let (closure, result) = (Dropped(Arc::clone(&closures)), Dropped(Arc::clone(&results)));
            let handle = pool.submit(move || { let _closure = &closure; assert!(i % 3 != 0, "crack"); result }).expect("open");
            match i % 4 {
                0 => drop(handle),
                1 => { handle.cancel(); handles.push(handle); }
                2 => drop(handle.wait()),
                _ => handles.push(handle),
            }
        }
        assert_eq!(pool.shutdown(Shutdown::Drain).pending(), 0);
        drop(handles);
        assert_eq!((closures.load(Ordering::SeqCst), results.load(Ordering::SeqCst)), (60, 60));
    })

    fn unnamed_settings_have_names_in_errors(workers(1, 3).name("mill"), |pool| {
        assert_eq!((pool.name(), pool.queue_bound()), ("mill", 3));
        let name = pool.submit(|| thread::current().name().map(str::to_owned)).expect("open").wait();
        assert_eq!(name.expect("it succeeds").as_deref(), Some("mill-0"));
    })
}

#[test]
fn settings_out_of_range_are_refused_at_build() {
    for bad in [0, usize::MAX] {
        assert!(matches!(workers(bad, 1).build(), Err(BuildError::Workers { workers }) if workers == bad));
        assert!(matches!(workers(1, bad).build(), Err(BuildError::QueueBound { bound }) if bound == bad));
    }
    assert!(matches!(workers(1, 1).stack_size(usize::MAX).build(), Err(BuildError::StackSize { .. })));
    assert!(matches!(workers(1, 1).name("m\0").build(), Err(BuildError::Name { .. })));
    assert_eq!(
        workers(0, 1).scope(|_| panic!("the body runs with a pool only")).unwrap_err().to_string(),
        "a pool needs 1 to 65536 workers, not 0"
    );
}

#[cfg(target_pointer_width = "64")]
#[test]
fn thread_that_cannot_be_created_is_an_error_of_build() {
    use std::error::Error;
    let error = workers(2, 1).stack_size(1 << 46).build().map(drop).unwrap_err();
    assert!(matches!(error, BuildError::Thread { worker: 0, .. }));
    assert!(error.source().and_then(|source| source.downcast_ref::<std::io::Error>()).is_some());
}

#[test]
fn dropped_pool_has_run_all_it_accepted() {
    let ran = Arc::new(AtomicUsize::new(0));
    let pool = workers(2, 64).build().expect("good settings");
    for _ in 0..50 {
        let ran = Arc::clone(&ran);
        drop(pool.submit(move || ran.fetch_add(1, Ordering::SeqCst)).expect("open"));
    }
    let submitter = pool.submitter().clone();
    drop(pool);
    assert_eq!(ran.load(Ordering::SeqCst), 50);
    assert!(submitter.submit(|| ()).unwrap_err().is_closed(), "a submitter may outlive its pool");
}

#[test]
fn pool_dropped_by_its_own_task_does_not_hang() {
    let (ended, end) = mpsc::channel();
    let pool = Arc::new(
        workers(1, 4).on_worker_stop(move |_| ended.send(()).expect("awaited")).build().expect("good"),
    );
    let (gate, pass) = Gate::new();
    let last = Arc::clone(&pool);
    let dropping = pool.submit(move || {
        pass();
        drop(last);
    });
    let queued = pool.submit(|| 7).expect("open");
    gate.wait();
    drop(pool);
    gate.open();
    dropping.expect("open").wait().expect("it succeeds");
    assert_eq!(queued.wait().expect("the queue is drained"), 7);
    end.recv_timeout(LONG).expect("the thread ends by itself");
}

#[test]
fn shutdown_by_an_own_task_says_what_is_still_running() {
    let pool = Arc::new(workers(1, 4).build().expect("good settings"));
    let own = Arc::clone(&pool);
    let (queued, submitter) = (Arc::new(Mutex::new(None)), pool.submitter().clone());
    let noted = Arc::clone(&queued);
    let asking = pool.task().name("asking").submit(move |_| {
        *noted.lock().expect("not poisoned") = submitter.submit(|| ()).ok();
        let report = own.shutdown(Shutdown::Abort);
        (report.is_complete(), report.returned(), report.stuck()[0].name().to_owned())
    });
    let answer = asking.expect("open").wait().expect("it succeeds");
    assert_eq!(answer, (false, 1, "asking".to_owned()));
    let queued = queued.lock().expect("not poisoned").take().expect("it was accepted");
    assert!(queued.wait().unwrap_err().is_returned());
    assert!(pool.shutdown(Shutdown::Drain).is_complete());
}

#[test]
fn detached_pool_lets_a_stubborn_task_go() {
    let pool = workers(1, 1).stop_grace(Duration::ZERO).build().expect("good settings");
    let (gate, pass) = Gate::new();
    let stubborn = pool.submit(pass).expect("open");
    gate.wait();
    assert!(!pool.shutdown(Shutdown::Abort).is_complete());
    pool.detach();
    gate.open();
    stubborn.wait().expect("it ends by itself");
}

#[test]
fn pool_token_ends_queued_tasks_waits_and_submissions() {
    let token = CancellationToken::new();
    workers(1, 2)
        .token(&token)
        .scope(|pool| {
            let (gate, pass) = Gate::new();
            let running = pool.task().submit(move |context| {
                let token = context.token();
                pass();
                token.is_cancelled()
            });
            gate.wait();
            let waited =
                pool.submit(|| panic!("it ran")).map(|handle: gristmill::ScopedTaskHandle<'_, ()>| handle);
            let detached =
                pool.submit(|| panic!("it ran")).map(|handle: gristmill::ScopedTaskHandle<'_, ()>| handle);
            drop(detached.expect("open"));
            thread::scope(|scope| {
                let ended = scope.spawn(|| waited.expect("open").wait().unwrap_err());
                let submitter = scope.spawn(|| pool.submit(|| 1).map(drop).unwrap_err());
                let idle = scope.spawn(|| pool.wait());
                token.cancel_with("flood");
                assert!(ended.join().expect("it does not panic").is_cancelled());
                assert!(submitter.join().expect("it does not panic").is_cancelled());
                assert!(matches!(idle.join().expect("it does not panic"), Err(WaitError::Cancelled(_))));
            });
            assert!(pool.try_submit(|| ()).unwrap_err().is_cancelled());
            gate.open();
            assert!(running.expect("open").wait().expect("a running task is waited for"));
            let report = pool.shutdown(Shutdown::Drain);
            assert_eq!((report.submitted(), report.succeeded(), report.cancelled()), (3, 1, 2));
        })
        .expect("good settings");
}

#[test]
fn borrowed_data_outlives_all_tasks() {
    let words = vec!["grist".to_owned(), "mill".to_owned()];
    let lengths = Mutex::new(0);
    ThreadPool::scope(|pool| {
        for word in &words {
            drop(pool.submit(|| *lengths.lock().expect("not poisoned") += word.len()).expect("open"));
        }
    })
    .expect("good settings");
    assert_eq!(*lengths.lock().expect("not poisoned"), 9, "the scope waits for detached tasks");
}

#[test]
fn scope_whose_body_panics_ends_its_threads_first() {
    let ran = AtomicUsize::new(0);
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _ = workers(2, 8).scope(|pool| {
            for _ in 0..8 {
                drop(pool.submit(|| ran.fetch_add(1, Ordering::SeqCst)).expect("open"));
            }
            panic!("the body")
        });
    }));
    assert_eq!(caught.unwrap_err().downcast_ref::<&str>(), Some(&"the body"));
    assert_eq!(ran.load(Ordering::SeqCst), 8);
}
