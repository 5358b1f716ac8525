//! The hooks of workers and of panics: when they are called, where, and what they may do.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, OnceLock};
use std::thread::{self, ThreadId};

use gristmill::{Saturation, Shutdown, Submitter, TaskError, ThreadPool, ThreadPoolBuilder};

use crate::gate::{LONG, Log, ended, occupy, spawn};
use crate::until;

/// Start or stop, the worker's index, its thread.
type Calls = Log<(&'static str, usize, ThreadId)>;

fn logging(builder: ThreadPoolBuilder<'static>, calls: &Calls) -> ThreadPoolBuilder<'static> {
    let (start, stop) = (calls.clone(), calls.clone());
    let name = |worker: usize| assert_eq!(thread::current().name(), Some(&*format!("hook-{worker}")));
    builder
        .name("hook")
        .on_worker_start(move |worker| {
            name(worker);
            start.add(("start", worker, thread::current().id()));
        })
        .on_worker_stop(move |worker| {
            name(worker);
            stop.add(("stop", worker, thread::current().id()));
        })
}

/// By thread, the calls on it; all of them have started and stopped once, with the same index.
#[track_caller]
fn one_start_and_one_stop_each(calls: &Calls, threads: usize) {
    let mut by_thread: BTreeMap<String, Vec<(&str, usize)>> = BTreeMap::new();
    for (what, worker, thread) in calls.all() {
        by_thread.entry(format!("{thread:?}")).or_default().push((what, worker));
    }
    assert_eq!(by_thread.len(), threads, "{by_thread:?}");
    for calls in by_thread.values() {
        let [(start, first), (stop, second)] = calls[..] else { panic!("two calls each: {by_thread:?}") };
        assert_eq!((start, stop, first), ("start", "stop", second));
    }
}

fn stops(calls: &Calls) -> usize {
    calls.all().iter().filter(|(what, ..)| *what == "stop").count()
}

#[test]
fn worker_starts_and_stops_once_on_its_own_thread_however_the_pool_ends() {
    let end: [fn(ThreadPool); 4] = [
        |pool| assert!(pool.shutdown(Shutdown::Drain).is_complete()),
        |pool| assert!(pool.shutdown(Shutdown::Abort).is_complete()),
        drop,
        ThreadPool::detach,
    ];
    for end in end {
        let calls = Calls::new();
        let pool = logging(ThreadPool::builder().workers(2), &calls).build().expect("good settings");
        pool.resize(4).expect("open");
        assert_eq!(stops(&calls), 0);
        pool.resize(1).expect("open");
        assert_eq!(stops(&calls), 3, "those who left have stopped when `resize` returns");
        pool.resize(3).expect("open");
        drop(pool.submit(|| 7).expect("open"));
        end(pool);
        until("all have stopped", || stops(&calls) == 6);
        one_start_and_one_stop_each(&calls, 6);
    }
}

#[test]
fn stop_has_been_called_when_an_end_returns() {
    let end: [fn(ThreadPool); 3] =
        [|pool| drop(pool.shutdown(Shutdown::Drain)), |pool| drop(pool.shutdown(Shutdown::Abort)), drop];
    for end in end {
        let calls = Calls::new();
        end(logging(ThreadPool::builder().workers(3), &calls).build().expect("good settings"));
        one_start_and_one_stop_each(&calls, 3);
    }
}

#[test]
fn hooks_that_panic_kill_no_worker_and_no_build() {
    let builder = ThreadPool::builder().workers(2).name("mill");
    let builder = builder.on_worker_start(|worker| panic!("start {worker}"));
    let pool = builder.on_worker_stop(|worker| panic!("stop {worker}")).build().expect("it is built");
    let both: Vec<_> = (0..2).map(|_| occupy(&pool)).collect();
    assert_eq!(pool.workers(), 2, "both work");
    for (gate, running) in both {
        gate.open();
        ended(running).expect("it succeeds");
    }
    pool.resize(3).expect("the third starts in the same way");
    pool.resize(1).expect("open");
    let report = pool.shutdown(Shutdown::Drain);
    assert!(report.is_complete());
    let mut texts: Vec<_> = report.worker_panics().iter().map(|panic| panic.message().to_owned()).collect();
    texts.sort();
    assert_eq!(texts, ["start 0", "start 1", "start 2", "stop 0", "stop 1", "stop 2"]);
    assert!(report.worker_panics().iter().any(|panic| panic.name() == "start hook of worker 0 of pool mill"));
}

#[test]
fn hooks_of_workers_may_look_and_submit() {
    let pool_of: Arc<OnceLock<Submitter<'static>>> = Arc::default();
    let ran = Arc::new(AtomicUsize::new(0));
    let looks = Log::new();
    let hook = |what: &'static str| {
        let (pool_of, ran, looks) = (Arc::clone(&pool_of), Arc::clone(&ran), looks.clone());
        move |_| {
            if let Some(pool) = pool_of.get() {
                looks.add((what, pool.snapshot().submitted() <= 5, pool.workers() > 0));
                let ran = Arc::clone(&ran);
                drop(pool.submit(move || ran.fetch_add(1, Ordering::SeqCst)).expect("open"));
            }
        }
    };
    let builder = ThreadPool::builder().workers(1);
    let pool = builder.on_worker_start(hook("start")).on_worker_stop(hook("stop")).build().expect("good");
    ended(pool.submit(|| ()).expect("open")).expect("the first worker is past its start");
    pool_of.set(pool.submitter().clone()).expect("once");
    pool.resize(3).expect("open");
    until("both have started", || looks.all().len() == 2);
    pool.resize(1).expect("open");
    assert_eq!(looks.all().len(), 4);
    assert!(looks.all().iter().all(|(_, few, there)| *few && *there), "{:?}", looks.all());
    pool.wait().expect("nothing is cancelled");
    assert_eq!(ran.load(Ordering::SeqCst), 4);
    // From here on the hook of the last one is refused, and that costs nothing.
    assert_eq!(pool.shutdown(Shutdown::Drain).worker_panics().len(), 1, "it expects an open pool");
}

#[test]
fn panic_hook_is_called_on_the_thread_of_the_panic_before_the_handle_sees_it() {
    let (called, calls) = mpsc::channel();
    let (go, goes) = mpsc::channel::<()>();
    let goes = std::sync::Mutex::new(goes);
    let builder = ThreadPool::builder().workers(1).on_task_panic(move |panic| {
        let told = (panic.name().to_owned(), panic.message().to_owned(), thread::current().id());
        called.send(told).expect("awaited");
        let _ = goes.lock().expect("not poisoned").recv_timeout(LONG);
    });
    let pool = builder.build().expect("good settings");
    let worker = ended(pool.submit(|| thread::current().id()).expect("open")).expect("it succeeds");
    let task = pool.task().name("resize 17.png").submit(|_| -> u8 { panic!("a bad record") }).expect("open");
    let (name, text, on) = calls.recv_timeout(LONG).expect("the hook is called");
    assert_eq!((name.as_str(), text.as_str(), on), ("resize 17.png", "a bad record", worker));
    assert!(!task.is_finished(), "not before the hook has returned");
    assert_eq!((pool.snapshot().running(), pool.snapshot().panicked()), (1, 0));
    go.send(()).expect("the hook waits");
    let Err(TaskError::Panicked(panic)) = ended(task) else { panic!("it panicked") };
    assert_eq!(panic.message(), "a bad record");
    assert_eq!(pool.snapshot().panicked(), 1);
}

#[test]
fn panic_hook_hears_of_every_task_wherever_it_runs() {
    let names = Log::new();
    let log = names.clone();
    let builder = ThreadPool::builder().workers(1).queue_bound(1).saturation(Saturation::CallerRuns);
    let builder =
        builder.on_task_panic(move |panic| log.add((panic.name().to_owned(), thread::current().id())));
    let pool = builder.build().expect("good settings");
    let worker = ended(pool.submit(|| thread::current().id()).expect("open")).expect("it succeeds");
    let (gate, running) = occupy(&pool);
    drop(pool.submit(|| ()).expect("one place"));
    let mine = pool.task().name("mine").submit(|_| -> () { panic!("on the caller") }).expect("it runs here");
    assert!(ended(mine).is_err_and(|error| error.is_panicked()));
    gate.open();
    ended(running).expect("it succeeds");
    pool.wait().expect("nothing is cancelled");
    let submitter = pool.submitter().clone();
    let outer = pool.task().name("outer").submit(move |_| {
        submitter.task().name("inner").submit(|_| -> () { panic!("inside") }).expect("open").wait().is_err()
    });
    assert!(ended(outer.expect("open")).expect("it succeeds"));
    let many = pool.submit_many((0..3).map(|i| move || assert_ne!(i, 1))).expect("open").wait();
    assert_eq!(many.iter().filter(|result| result.is_err()).count(), 1);
    let heard = names.all();
    let told: Vec<_> = heard.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(told, ["mine", "inner", "task"]);
    assert_eq!((heard[0].1, heard[1].1), (thread::current().id(), worker));
    assert_eq!(pool.shutdown(Shutdown::Drain).panicked(), 3);
}

#[test]
fn panic_of_the_panic_hook_is_contained() {
    let builder = ThreadPool::builder().workers(1).name("mill");
    let pool = builder.on_task_panic(|panic| panic!("hook of {}", panic.message())).build().expect("good");
    for _ in 0..2 {
        let task = pool.submit(|| -> () { panic!("task") }).expect("open");
        let Err(TaskError::Panicked(panic)) = ended(task) else { panic!("it panicked") };
        assert_eq!(panic.message(), "task", "its own panic, not that of the hook");
    }
    assert_eq!(ended(pool.submit(|| 7).expect("open")).expect("the worker lives on"), 7);
    let report = pool.shutdown(Shutdown::Drain);
    assert_eq!((report.panicked(), report.succeeded()), (2, 1));
    let texts: Vec<_> = report.worker_panics().iter().map(|panic| (panic.name(), panic.message())).collect();
    assert_eq!(texts, [("panic hook of pool mill", "hook of task"); 2]);
}

#[test]
fn panic_hook_may_look_submit_and_resize() {
    let pool_of: Arc<OnceLock<Arc<ThreadPool>>> = Arc::default();
    let (say, said) = mpsc::channel();
    let pool = {
        let pool_of = Arc::clone(&pool_of);
        let builder = ThreadPool::builder().workers(1).on_task_panic(move |_| {
            let pool = pool_of.get().expect("set before the task");
            pool.resize(2).expect("open");
            let helped = pool.submit(|| 7).expect("open").wait().expect("it runs");
            pool.resize(1).expect("open, and not waited for");
            say.send((helped, pool.snapshot().running())).expect("awaited");
        });
        Arc::new(builder.build().expect("good settings"))
    };
    pool_of.set(Arc::clone(&pool)).expect("once");
    let task = pool.submit(|| -> () { panic!("task") }).expect("open");
    assert_eq!(said.recv_timeout(LONG).expect("the hook ends"), (7, 1));
    assert!(ended(task).is_err());
    let ending = {
        let pool = Arc::clone(&pool);
        spawn(move || pool.shutdown(Shutdown::Drain))
    };
    let report = ending.join().expect("it does not panic");
    assert!(report.is_complete() && report.worker_panics().is_empty(), "{report}");
}
