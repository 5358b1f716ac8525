//! A thread that cannot be created, whichever it is: no hang, nothing is left, and what is said is true.

#[cfg(target_os = "linux")]
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use gristmill::{BuildError, CancellationToken, Pipeline, Shutdown, ThreadPool};

use crate::support::{step, threads, until};

const WORKERS: usize = 4;
const ITEMS: u64 = 50;

/// What starts threads: whether all of them could be created, with nothing left in either case.
#[cfg_attr(not(any(target_os = "linux", gristmill_model_std)), allow(dead_code))]
type Start = fn() -> bool;

/// As many workers as asked for, or an error that names one of them, and all threads gone.
fn pool() -> bool {
    match ThreadPool::builder().workers(WORKERS).build() {
        Ok(pool) => {
            assert_eq!(pool.submit(|| 7).expect("open").wait().expect("no panic"), 7);
            assert!(pool.shutdown(Shutdown::Drain).is_complete());
            true
        }
        Err(BuildError::Thread { worker, source }) => {
            assert!(worker < WORKERS);
            assert_eq!(source.kind(), std::io::ErrorKind::WouldBlock);
            false
        }
        Err(error) => panic!("{error}"),
    }
}

/// The caller's thread is a worker, so the run succeeds, and its report says what was missing.
fn pipeline() -> bool {
    let (sum, report) = Pipeline::from_iter(0..ITEMS)
        .workers(WORKERS)
        .map("map", |number| number)
        .blocking("wait", 2, |number| number)
        .serial("serial", |number| number)
        .map("again", |number| number)
        .fold("add", 0, |sum, number| sum + number)
        .run(&CancellationToken::new())
        .expect("fewer threads do the same work");
    assert_eq!((sum, report.finished()), ((0..ITEMS).sum::<u64>(), ITEMS));
    let blocking = report.stage("wait").expect("it is there");
    assert_eq!(report.workers() + report.missing_workers(), WORKERS);
    assert_eq!(blocking.threads() + blocking.missing_threads(), 2);
    report.missing_workers() + blocking.missing_threads() == 0
}

/// The same for an iterator, which may have no thread at all.
fn iterator() -> bool {
    let items = Pipeline::from_iter(0..ITEMS).workers(WORKERS).blocking("wait", 2, |number| number);
    let mut items = items.into_iter_with(&CancellationToken::new()).expect("good settings");
    let sum: u64 = items.by_ref().map(|item| item.expect("nothing fails")).sum();
    let report = items.finish().expect("nothing fails");
    assert_eq!(sum, (0..ITEMS).sum::<u64>());
    let blocking = report.stage("wait").expect("it is there");
    report.missing_workers() + blocking.missing_threads() == 0
}

#[cfg(gristmill_model_std)]
mod exactly {
    //! The k-th one, for every k: in the configuration that can count them.

    use std::time::Duration;

    use gristmill::sync::fault::fail_spawn_at;
    use gristmill::{
        AdaptiveSize, CircuitBreaker, ErrorGroup, GroupBuildError, Policy, ResizeError, Semaphore, Watch,
        WatchError,
    };

    use super::*;
    use crate::support::{LONG, alone};

    /// A pool that grows, with the fault from then on: it goes on with those that it has.
    fn resize(k: usize) -> bool {
        let pool = ThreadPool::builder().workers(1).build().expect("no fault yet");
        let fault = fail_spawn_at(k);
        let resized = pool.resize(WORKERS);
        drop(fault);
        let started = match &resized {
            Ok(()) => WORKERS,
            Err(ResizeError::Thread { worker, .. }) => *worker,
            Err(error) => panic!("{error}"),
        };
        assert_eq!(pool.workers(), started);
        assert_eq!(pool.submit(|| 7).expect("open").wait().expect("no panic"), 7);
        assert!(pool.resize(WORKERS).is_ok(), "the next call has its threads");
        assert!(pool.shutdown(Shutdown::Drain).is_complete());
        resized.is_ok()
    }

    /// The fault is on the supervisor's thread, where an adaptive pool grows: the pool goes on, and grows the next time.
    fn growth(k: usize) -> bool {
        let size =
            AdaptiveSize::between(1, 3).tick(Duration::from_millis(1)).grow_after(Duration::from_millis(1));
        let pool = ThreadPool::builder()
            .adaptive(size)
            .slow_task(Duration::from_millis(1), move |_| std::mem::forget(fail_spawn_at(k)))
            .build()
            .expect("no fault yet");
        let (release, held) = gristmill::sync::channel::bounded::<()>(0);
        let tasks: Vec<_> = (0..20)
            .map(|_| {
                let held = held.clone();
                pool.submit(move || held.recv().is_err()).expect("there is room")
            })
            .collect();
        until("it has grown all the same", || pool.workers() > 1);
        drop(release);
        assert!(tasks.into_iter().all(|task| task.wait().expect("no panic")));
        assert!(pool.shutdown(Shutdown::Drain).is_complete());
        k >= 3
    }

    fn supervised() -> bool {
        match ThreadPool::builder().workers(WORKERS).slow_task(LONG, |_| ()).build() {
            Ok(pool) => pool.shutdown(Shutdown::Drain).is_complete(),
            Err(BuildError::Thread { .. } | BuildError::Supervisor { .. }) => false,
            Err(error) => panic!("{error}"),
        }
    }

    fn scoped() -> bool {
        match ThreadPool::builder().workers(WORKERS).scope(|pool| pool.submit(|| 7).map(drop).is_ok()) {
            Ok(done) => done,
            Err(BuildError::Thread { .. }) => false,
            Err(error) => panic!("{error}"),
        }
    }

    fn group() -> bool {
        let group = match ErrorGroup::<u64, &str>::builder().limit(3).build() {
            Ok(group) => group,
            Err(GroupBuildError::Threads(BuildError::Thread { .. })) => return false,
            Err(error) => panic!("{error}"),
        };
        for number in 0..6 {
            group.spawn(move || Ok(number)).expect("open");
        }
        assert_eq!(group.into_results().expect("nothing fails"), [0, 1, 2, 3, 4, 5]);
        true
    }

    fn semaphore() -> bool {
        let made = Semaphore::new(3).map(0..6_u64, |number| number).expect("fewer threads do the same work");
        assert_eq!(made, [0, 1, 2, 3, 4, 5]);
        true
    }

    fn watch() -> bool {
        match Watch::every(LONG, || ()) {
            Ok(watch) => watch.stop().is_ok(),
            Err(WatchError::Thread(_)) => false,
            Err(error) => panic!("{error}"),
        }
    }

    /// A deadline without its helper is seen by whoever asks.
    fn deadline() -> bool {
        let token = CancellationToken::with_timeout(Duration::from_millis(1));
        until("its time has come", || token.is_cancelled());
        true
    }

    fn breaker() -> bool {
        let (told, is_told) = gristmill::sync::channel::bounded(9);
        let breaker = CircuitBreaker::builder().on_change(move |_| _ = told.send(())).build();
        let breaker = breaker.expect("good settings");
        breaker.force_open();
        breaker.reset();
        assert!(Policy::<&str>::call(&breaker, |_| Ok(1)).is_ok());
        for _ in 0..2 {
            is_told.recv_timeout(LONG).expect("it is told, by whatever thread");
        }
        true
    }

    #[cfg(feature = "journal")]
    fn journal() -> bool {
        use gristmill::journal::{Journal, JournalErrorKind};

        let folder = tempfile::tempdir().expect("a folder");
        match Journal::open(folder.path().join("batch.journal")) {
            Ok(journal) => {
                let square =
                    journal.scope("batch").handler("square", 1, |_, number: &u64| Ok(number * number));
                assert_eq!(square.call("seven", 7).expect("a value"), 49);
                drop(square);
                journal.close().expect("nothing is lost");
                true
            }
            Err(error) => {
                assert_eq!(error.kind(), JournalErrorKind::Thread, "{error}");
                false
            }
        }
    }

    #[test]
    fn kth_thread_that_cannot_be_created_hangs_and_leaks_nothing() {
        const STARTS: &[(&str, Start)] = &[
            ("pool", pool),
            ("pool with a supervisor", supervised),
            ("scoped pool", scoped),
            ("pipeline", pipeline),
            ("iterator", iterator),
            ("group", group),
            ("limited loop", semaphore),
            ("watch", watch),
            ("deadline", deadline),
            #[cfg(feature = "journal")]
            ("journal", journal),
        ];
        alone("spawns::exactly::kth_thread_that_cannot_be_created_hangs_and_leaks_nothing", || {
            let before = threads();
            let gone = |said: &str| until(&format!("all are gone: {said}"), || threads() <= before);
            for &(name, start) in STARTS {
                let mut failed = 0;
                for k in 1..12 {
                    let said = format!("{name}, thread {k} fails");
                    step(&said);
                    let fault = fail_spawn_at(k);
                    failed += usize::from(!start());
                    drop(fault);
                    gone(&said);
                }
                assert!(start(), "{name}: the next one has its threads");
                gone(name);
                let may_do_without = ["limited loop", "deadline"].contains(&name);
                assert!(failed > 0 || may_do_without, "{name}: none of its threads was missed");
            }
            for k in 1..5 {
                step(&format!("resize and growth, thread {k} fails"));
                assert_eq!(resize(k), k >= WORKERS);
                growth(k);
                gone("resize and growth");
            }
            for k in 1..3 {
                step(&format!("breaker, thread {k} fails"));
                let fault = fail_spawn_at(k);
                breaker();
                drop(fault);
                gone("breaker");
            }
        });
    }
}

/// Takes address space away, so that there is room for `stacks` stacks; gives what the limit was.
#[cfg(target_os = "linux")]
fn leave_room_for(stacks: u64, each: u64) -> Rlimit {
    let status = std::fs::read_to_string("/proc/self/status").expect("this is Linux");
    let size = status.lines().find_map(|line| line.strip_prefix("VmSize:")).expect("it has a size");
    let kilobytes: u64 = size.trim().trim_end_matches(" kB").parse().expect("a number");
    let before = getrlimit(Resource::As);
    let room = kilobytes * 1024 + stacks * each + each / 2;
    setrlimit(Resource::As, Rlimit { current: Some(room), maximum: before.maximum })
        .expect("less is allowed");
    before
}

#[cfg(target_os = "linux")]
#[test]
fn threads_for_which_there_is_no_memory_are_done_without_or_are_an_error() {
    const STACK: u64 = 256 << 20;
    const STARTS: [(&str, Start); 3] = [("pool", pool), ("pipeline", pipeline), ("iterator", iterator)];
    let name = "spawns::threads_for_which_there_is_no_memory_are_done_without_or_are_an_error";
    crate::support::alone_with(
        &[("RUST_MIN_STACK", &STACK.to_string()), ("MALLOC_ARENA_MAX", "1")],
        name,
        || {
            let before = threads();
            for (name, start) in STARTS {
                assert!(start(), "{name}: there is room for all");
                let mut failed = 0;
                for stacks in 0..8 {
                    step(&format!("{name}, room for {stacks} stacks"));
                    until("all are gone", || threads() <= before);
                    let limit = leave_room_for(stacks, STACK);
                    failed += usize::from(!start());
                    setrlimit(Resource::As, limit).expect("it was so before");
                }
                assert!(failed > 2, "{name}: its threads were missed {failed} times");
                assert!(failed < 8, "{name}: there was room in the end");
            }
        },
    );
}
