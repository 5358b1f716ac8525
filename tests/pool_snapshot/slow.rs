//! Tasks that take long, and who is told.

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gristmill::{BuildError, Shutdown, Submitter, ThreadPool, WaitError};

use crate::gate::{Gate, LONG, Log, ended, spawn};
use crate::until;

const LIMIT: Duration = Duration::from_millis(4);

/// A task of that name, at a gate.
fn held(pool: &Submitter<'static>, name: &str) -> (Gate, gristmill::TaskHandle<()>) {
    let (gate, pass) = Gate::new();
    let task = pool.task().name(name).submit(|_| pass()).expect("open");
    gate.wait();
    (gate, task)
}

#[test]
fn slow_task_is_told_of_once_by_name_and_worker_and_short_ones_are_not() {
    let (told, slow) = mpsc::channel();
    let builder = ThreadPool::builder().workers(1).slow_task(LIMIT, move |task| {
        assert!(task.elapsed() >= LIMIT);
        told.send((task.name().to_owned(), task.worker())).expect("awaited");
    });
    let pool = builder.build().expect("good settings");
    let next = || slow.recv_timeout(LONG).expect("it is told of");
    let (first, _a) = held(&pool, "first");
    assert_eq!(next(), ("first".to_owned(), Some(0)));
    // Each of these waits for looks after the one before was told of.
    pool.resize(4).expect("open");
    let mut workers = Vec::new();
    let mut gates = vec![first];
    for name in ["second", "third"] {
        gates.push(held(&pool, name).0);
        let (slow, worker) = next();
        assert_eq!(slow, name);
        workers.extend(worker);
    }
    assert!(workers.iter().all(|worker| (1..4).contains(worker)) && workers[0] != workers[1], "{workers:?}");
    gates.into_iter().for_each(Gate::open);
    let report = pool.shutdown(Shutdown::Drain);
    assert_eq!(report.worker_panics().len(), 0, "{report}");
    assert_eq!(slow.try_iter().count(), 0, "once each");
}

#[test]
fn plain_closure_is_told_of_and_its_successor_on_the_same_worker_too() {
    let (told, slow) = mpsc::channel();
    let builder = ThreadPool::builder().workers(1).slow_task(LIMIT, move |task| {
        told.send(task.name().to_owned()).expect("awaited");
    });
    let pool = builder.build().expect("good settings");
    for _ in 0..3 {
        let (gate, running) = crate::gate::occupy(&pool);
        assert_eq!(slow.recv_timeout(LONG).as_deref(), Ok("task"));
        gate.open();
        ended(running).expect("it succeeds");
    }
    drop(pool);
    assert_eq!(slow.try_iter().count(), 0);
}

#[test]
fn panic_of_the_hook_costs_nothing_but_a_line_in_the_report() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let builder = ThreadPool::builder().workers(1).name("mill").slow_task(LIMIT, move |task| {
        counted.fetch_add(1, Ordering::SeqCst);
        panic!("told of {}", task.name());
    });
    let pool = builder.build().expect("good settings");
    for round in 1..=2 {
        let (gate, running) = held(&pool, "grind");
        until("it is told", || calls.load(Ordering::SeqCst) == round);
        gate.open();
        ended(running).expect("the task is none the worse for it");
    }
    let report = pool.shutdown(Shutdown::Drain);
    assert!(report.is_complete());
    let panics: Vec<_> = report.worker_panics().iter().map(ToString::to_string).collect();
    assert_eq!(panics.len(), 2, "{report}");
    assert!(panics[0].contains("hook of slow tasks of pool mill") && panics[0].contains("told of grind"));
}

/// A pool whose slow tasks are told to `hook`, which gets the pool.
fn with_pool(
    builder: gristmill::ThreadPoolBuilder<'static>,
    hook: impl Fn(&Arc<ThreadPool>) + Send + Sync + 'static,
) -> Arc<ThreadPool> {
    let slot: Arc<Mutex<Option<Arc<ThreadPool>>>> = Arc::default();
    let filled = Arc::clone(&slot);
    let builder = builder.slow_task(LIMIT, move |_| {
        let pool = slot.lock().expect("not poisoned").take();
        if let Some(pool) = pool {
            hook(&pool);
        }
    });
    let pool = Arc::new(builder.build().expect("good settings"));
    *filled.lock().expect("not poisoned") = Some(Arc::clone(&pool));
    pool
}

fn ends<T: Send + 'static>(what: &str, run: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, ended) = mpsc::channel();
    spawn(move || drop(done.send(run())));
    ended.recv_timeout(LONG).unwrap_or_else(|_| panic!("{what} does not end"))
}

#[test]
fn hook_may_look_submit_and_resize_and_cannot_wait_for_the_pool() {
    let (say, said) = mpsc::channel();
    let pool = with_pool(ThreadPool::builder().workers(1), move |pool| {
        pool.resize(2).expect("open"); // a worker for what the slow task holds up
        let helped = pool.submit(|| 7).expect("open").wait().expect("it runs");
        say.send((helped, pool.snapshot().running(), pool.wait())).expect("awaited");
    });
    let (gate, _running) = held(&pool, "slow");
    let (helped, running, waited) = said.recv_timeout(LONG).expect("the hook ends");
    assert_eq!((helped, running), (7, 1));
    assert!(matches!(waited, Err(WaitError::OwnTask)));
    assert_eq!(pool.workers(), 2);
    gate.open();
    let report = ends("the pool", move || pool.shutdown(Shutdown::Drain));
    assert!(report.is_complete() && report.worker_panics().is_empty(), "{report}");
}

#[test]
fn hook_that_resizes_a_pool_which_ends_holds_nobody_up() {
    let (came, comes) = mpsc::channel();
    let (go, goes): (Sender<()>, Receiver<()>) = mpsc::channel();
    let goes = Mutex::new(goes);
    let refused = Log::new();
    let log = refused.clone();
    let pool = with_pool(ThreadPool::builder().workers(2), move |pool| {
        came.send(()).expect("awaited");
        let _ = goes.lock().expect("not poisoned").recv_timeout(LONG);
        // Again and again, so that one call falls into the joining.
        for _ in 0..20_000 {
            let _ = pool.resize(3);
        }
        log.add(pool.resize(3).unwrap_err().to_string());
    });
    let (gate, _running) = held(&pool, "slow");
    comes.recv_timeout(LONG).expect("it is told of");
    gate.open();
    let report = ends("the pool", move || {
        let ending = {
            let pool = Arc::clone(&pool);
            spawn(move || pool.shutdown(Shutdown::Drain))
        };
        until("its workers have left", || pool.workers() == 0);
        go.send(()).expect("the hook is there");
        ending.join().expect("it does not panic")
    });
    assert!(report.is_complete());
    assert_eq!(refused.all(), ["the pool is closed"]);
}

#[test]
fn hook_may_end_the_pool_and_drop_it() {
    for drops in [false, true] {
        let (stopped, stops) = mpsc::channel();
        let (gate, pass) = Gate::new();
        let (say, said) = mpsc::channel();
        let builder = ThreadPool::builder().workers(2).on_worker_stop(move |worker| {
            let _ = stopped.send(worker);
        });
        let pool = with_pool(builder, move |pool| {
            let report = if drops { None } else { Some(pool.shutdown(Shutdown::Drain)) };
            say.send(report.map(|report| (report.is_complete(), report.pending()))).expect("awaited");
        });
        let running = pool.task().name("slow").submit(|_| pass()).expect("open");
        gate.wait();
        if drops {
            drop(pool); // the hook has the last one
            assert_eq!(said.recv_timeout(LONG).expect("the hook ends"), None);
        } else {
            assert_eq!(said.recv_timeout(LONG).expect("the hook ends"), Some((false, 1)));
            assert!(pool.is_closed());
            gate.open();
            let report = ends("the pool", move || pool.shutdown(Shutdown::Drain));
            assert!(report.is_complete() && report.worker_panics().is_empty(), "{report}");
            ended(running).expect("it succeeds");
            continue;
        }
        gate.open();
        ended(running).expect("it succeeds");
        let mut workers = [0, 1].map(|_| stops.recv_timeout(LONG).expect("the threads end by themselves"));
        workers.sort_unstable();
        assert_eq!(workers, [0, 1]);
    }
}

/// Says when it goes: with the locals of its thread.
struct Last(Arc<AtomicBool>);

impl Drop for Last {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

thread_local! {
    static LAST: RefCell<Option<Last>> = const { RefCell::new(None) };
}

#[test]
fn watching_thread_is_gone_when_the_pool_is() {
    let end: [fn(ThreadPool); 4] = [
        |pool| assert!(pool.shutdown(Shutdown::Drain).is_complete()),
        |pool| assert!(pool.shutdown(Shutdown::Abort).is_complete()),
        |pool| assert!(pool.shutdown(Shutdown::DrainFor(LONG)).is_complete()),
        drop,
    ];
    for end in end {
        let gone = Arc::new(AtomicBool::new(false));
        let (told, slow) = mpsc::channel();
        let sentinel = Arc::clone(&gone);
        let builder = ThreadPool::builder().workers(2).slow_task(LIMIT, move |_| {
            LAST.with(|last| *last.borrow_mut() = Some(Last(Arc::clone(&sentinel))));
            told.send(()).expect("awaited");
        });
        let pool = builder.build().expect("good settings");
        let (gate, _running) = held(&pool, "slow");
        slow.recv_timeout(LONG).expect("it is told of");
        assert!(!gone.load(Ordering::SeqCst));
        gate.open();
        end(pool);
        assert!(gone.load(Ordering::SeqCst), "its thread-locals are destroyed");
        assert_eq!(Arc::strong_count(&gone), 1, "and the hook is dropped");
    }
}

#[test]
fn watching_thread_of_a_detached_pool_ends_by_itself() {
    let gone = Arc::new(AtomicBool::new(false));
    let last = Mutex::new(Last(Arc::clone(&gone)));
    let builder = ThreadPool::builder().workers(1).slow_task(LONG, move |_| drop(last.lock()));
    let pool = builder.build().expect("good settings");
    let (gate, running) = held(&pool, "held");
    pool.detach();
    assert!(!gone.load(Ordering::SeqCst), "while it runs the hook is there");
    gate.open();
    ended(running).expect("it succeeds");
    until("the hook is dropped", || gone.load(Ordering::SeqCst));
}

/// Its drop panics.
struct Sharp;

impl Drop for Sharp {
    fn drop(&mut self) {
        panic!("dropped");
    }
}

#[test]
fn hook_whose_drop_panics_ends_with_the_pool() {
    let sharp = Mutex::new(Sharp);
    let pool = ThreadPool::builder().workers(1).slow_task(LONG, move |_| drop(sharp.lock()));
    let pool = pool.build().expect("good settings");
    assert_eq!(ended(pool.submit(|| 7).expect("open")).expect("it succeeds"), 7);
    assert!(pool.shutdown(Shutdown::Drain).is_complete());
    let text = ThreadPool::builder().slow_task(LONG, |_| ()).scope(|pool| {
        drop(pool.submit(|| 7));
        "the scope ends"
    });
    assert_eq!(text.expect("good settings"), "the scope ends");
}

#[cfg(target_os = "linux")]
#[test]
fn only_a_pool_that_is_watched_has_a_thread_for_it() {
    // The system cuts names at 15 bytes.
    let plain = ThreadPool::builder().workers(2).name("bare").build().expect("good settings");
    let watched = ThreadPool::builder().workers(2).name("seen").slow_task(LONG, |_| ());
    let watched = watched.build().expect("good settings");
    until("they have started", || crate::threads("seen-") == 3 && crate::threads("bare-") == 2);
    assert_eq!((crate::threads("seen-superv"), crate::threads("bare-superv")), (1, 0));
    drop((plain, watched));
    until("they have ended", || crate::threads("seen-") + crate::threads("bare-") == 0);
}

#[test]
fn time_without_length_is_refused() {
    let built = ThreadPool::builder().slow_task(Duration::ZERO, |_| ()).build();
    assert!(matches!(built.map(drop), Err(BuildError::SlowTask)));
    let forever = ThreadPool::builder().workers(1).slow_task(Duration::MAX, |_| ()).build().expect("never");
    assert!(ends("the pool", move || forever.shutdown(Shutdown::Drain)).is_complete());
}
