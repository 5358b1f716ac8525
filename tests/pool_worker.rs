//! What each worker of a pool does besides tasks: hooks and state, once per worker and on its own thread.
#![cfg(not(any(gristmill_shuttle, gristmill_loom)))]

use std::cell::Cell;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::{self, ThreadId};

use gristmill::{BuildError, Shutdown, TaskError, ThreadPool};

#[test]
fn state_is_made_and_finished_once_per_worker_on_its_thread() {
    let (made, finished) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    let note = |log: &Mutex<Vec<(usize, ThreadId)>>, worker| {
        log.lock().expect("not poisoned").push((worker, thread::current().id()));
    };
    let tasks = ThreadPool::builder()
        .workers(3)
        .worker_state(
            |worker| {
                note(&made, worker);
                Rc::new(Cell::new(0)) // neither `Send` nor `Sync`
            },
            |worker, tasks| {
                note(&finished, worker);
                assert_eq!(Rc::strong_count(&tasks), 1);
            },
        )
        .scope(|pool| {
            assert_eq!(made.lock().expect("not poisoned").len(), 3, "before the pool is there");
            for _ in 0..100 {
                let handle = pool.task().submit(|context| {
                    let tasks = context.state();
                    tasks.set(tasks.get() + 1);
                    (context.worker(), thread::current().id())
                });
                let (worker, id) = handle.expect("open").wait().expect("it succeeds");
                let made = made.lock().expect("not poisoned");
                assert!(made.contains(&(worker.expect("a worker runs it"), id)));
            }
            pool.shutdown(Shutdown::Drain).succeeded()
        })
        .expect("good settings");
    let sorted = |log: Mutex<Vec<(usize, ThreadId)>>| {
        let mut log = log.into_inner().expect("not poisoned");
        log.sort_by_key(|(worker, _)| *worker);
        log
    };
    let (made, finished) = (sorted(made), sorted(finished));
    assert_eq!(tasks, 100);
    assert_eq!(made, finished);
    assert_eq!(made.iter().map(|(worker, _)| *worker).collect::<Vec<_>>(), [0, 1, 2]);
}

#[test]
fn state_that_cannot_be_made_is_an_error_of_build_and_the_others_are_finished() {
    let (made, finished, stopped) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    let error = ThreadPool::builder()
        .workers(3)
        .on_worker_stop(|_| {
            stopped.fetch_add(1, Ordering::SeqCst);
        })
        .worker_state(
            |worker| {
                assert_ne!(worker, 1, "no stone");
                made.fetch_add(1, Ordering::SeqCst)
            },
            |_, _| {
                finished.fetch_add(1, Ordering::SeqCst);
            },
        )
        .scope(|_| unreachable!("there is no pool"))
        .map(|(): ()| ())
        .unwrap_err();
    assert!(error.to_string().contains("no stone"), "{error}");
    let BuildError::State { worker, source } = error else { panic!("it says what failed: {error}") };
    assert_eq!(worker, 1);
    assert!(source.message().contains("no stone"));
    let counts = [&made, &finished, &stopped].map(|count| count.load(Ordering::SeqCst));
    assert_eq!(counts, [2, 2, 3]);
}

#[test]
fn hooks_run_once_per_worker_on_its_thread_and_their_panics_are_reported() {
    let ids = Arc::new(Mutex::new(Vec::new()));
    let (started, stopped) = (Arc::clone(&ids), Arc::clone(&ids));
    let pool = ThreadPool::builder()
        .workers(2)
        .name("mill")
        .on_worker_start(move |worker| {
            started.lock().expect("not poisoned").push((worker, thread::current().id()));
            assert_ne!(worker, 1, "bad start");
        })
        .on_worker_stop(move |worker| {
            stopped.lock().expect("not poisoned").push((worker, thread::current().id()));
            panic!("bad stop");
        })
        .worker_state(|_| (), |_, ()| panic!("bad end"))
        .build()
        .expect("a hook's panic is no error of build");
    assert_eq!(pool.submit(|| 1).expect("open").wait().expect("workers live on"), 1);
    let report = pool.shutdown(Shutdown::Drain);
    let mut texts: Vec<_> =
        report.worker_panics().iter().map(|panic| format!("{}: {}", panic.name(), panic.message())).collect();
    texts.sort();
    assert_eq!(texts.len(), 5);
    assert_eq!(texts[0], "end of the state of worker 0 of pool mill: bad end");
    assert!(texts[2].starts_with("start hook of worker 1 of pool mill: "));
    assert_eq!(texts[3], "stop hook of worker 0 of pool mill: bad stop");
    let mut ids = ids.lock().expect("not poisoned").clone();
    ids.sort_by_key(|(worker, _)| *worker);
    assert_eq!(ids.len(), 4);
    assert!(ids[0] == ids[1] && ids[2] == ids[3] && ids[0].1 != ids[2].1);
}

#[test]
fn waiting_task_lends_its_state_unless_it_holds_the_guard() {
    let pool =
        ThreadPool::builder().workers(1).worker_state(|_| 0, |_, _| ()).build().expect("good settings");
    let submitter = pool.submitter().clone();
    let outer = pool.task().submit(move |context| {
        *context.state() += 1;
        let inner = submitter.task().submit(|context| *context.state() += 1).expect("open");
        inner.wait().expect("the state is free");
        let guard = context.state();
        let inner = submitter.task().submit(|context| *context.state() += 1).expect("open");
        let Err(TaskError::Panicked(panic)) = inner.wait() else { panic!("the state is in use") };
        assert!(panic.message().contains("the worker's state is in use"));
        *guard
    });
    assert_eq!(outer.expect("open").wait().expect("it succeeds"), 2);
}

#[test]
fn thread_locals_are_gone_when_shutdown_returns() {
    struct Told(mpsc::Sender<()>);
    impl Drop for Told {
        fn drop(&mut self) {
            let _ = self.0.send(());
        }
    }
    thread_local! { static LOCAL: std::cell::RefCell<Option<Told>> = const { std::cell::RefCell::new(None) }; }
    let (told, gone) = mpsc::channel();
    let pool = ThreadPool::builder().workers(1).build().expect("good settings");
    let setting = pool.submit(move || LOCAL.with(|local| *local.borrow_mut() = Some(Told(told))));
    setting.expect("open").wait().expect("it succeeds");
    assert!(gone.try_recv().is_err());
    assert!(pool.shutdown(Shutdown::Drain).is_complete());
    gone.try_recv().expect("its destructor has run");
}

#[test]
fn returned_task_finds_a_state_in_another_pool_of_the_same_type() {
    let pool = || ThreadPool::builder().workers(1).worker_state(|_| 5, |_, _: i32| ()).build().expect("good");
    let (first, second) = (pool(), pool());
    let (started, start) = mpsc::channel();
    let held = first.task().submit(move |context| {
        started.send(()).expect("awaited");
        context.token().wait();
    });
    start.recv().expect("it starts");
    let (send, receive) = mpsc::channel();
    for _ in 0..2 {
        let send = send.clone();
        drop(first.task().submit(move |context| send.send(*context.state())).expect("open"));
    }
    let mut tasks = first.shutdown(Shutdown::Abort).into_tasks().into_iter();
    held.expect("open").wait().expect("it saw its token");
    let (one, other) = (tasks.next().expect("two came back"), tasks.next().expect("two came back"));
    second.submit(move || one.run()).expect("open").wait().expect("it ran").expect("it found the state");
    assert_eq!(receive.try_recv(), Ok(5));
    let panic = other.run().expect_err("this thread has no such state");
    assert!(panic.message().contains("without this worker state"));
}
