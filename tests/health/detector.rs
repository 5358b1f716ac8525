//! The detector: who is told, and how often.

use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use gristmill::pipeline::PipelineMonitor;
use gristmill::{CancellationToken, Health, Pipeline, Runner, StuckCall, ThreadPool, Watch, WatchError};

use crate::gate::{Gate, LONG, ended};

const THRESHOLD: Duration = Duration::from_millis(4);

fn detector(look: impl FnMut(Duration) -> Health + Send + 'static) -> (Watch, Receiver<StuckCall>) {
    let (say, told) = mpsc::channel();
    let watch = Watch::stuck(THRESHOLD, look, move |call| say.send(call.clone()).unwrap()).unwrap();
    (watch, told)
}

#[test]
fn stuck_task_is_told_of_once_and_the_next_one_of_its_worker_too() {
    let pool = ThreadPool::builder().workers(2).build().unwrap();
    let submitter = pool.submitter().clone();
    let (looked, looks) = mpsc::channel();
    let (watch, told) = detector(move |threshold| {
        let health = submitter.health(threshold);
        looked.send(()).unwrap();
        health
    });
    let hold = |name: &str| {
        let (gate, pass) = Gate::new();
        let task = pool.task().name(name).submit(|_| pass()).unwrap();
        gate.wait();
        (gate, task)
    };
    let mut workers = Vec::new();
    for name in ["first", "second", "third"] {
        let (gate, task) = hold(name);
        let call = told.recv_timeout(LONG).unwrap();
        assert_eq!(call.name(), name);
        assert!(call.elapsed() >= THRESHOLD);
        // It is looked at again, and nobody is told again.
        looks.try_iter().for_each(drop);
        (0..3).for_each(|_| looks.recv_timeout(LONG).unwrap());
        workers.push(call.runner());
        gate.open();
        ended(task).unwrap();
    }
    assert!(workers.iter().all(|runner| matches!(runner, Runner::Worker(0 | 1))), "{workers:?}");
    watch.stop().unwrap();
    assert_eq!(told.try_iter().count(), 0, "once each");
}

#[test]
fn pipeline_of_which_every_thread_is_stuck_is_seen() {
    let monitor = PipelineMonitor::new();
    let watched = monitor.clone();
    let (watch, told) = detector(move |threshold| watched.health(threshold));
    let (open, opened) = crossbeam_channel::unbounded::<()>();
    std::thread::scope(|scope| {
        let run = scope.spawn(|| {
            Pipeline::from_iter(0..2)
                .workers(2)
                .monitored_by(&monitor)
                .map("resize", |_| opened.recv().is_ok())
                .for_each("sink", drop)
                .run(&CancellationToken::new())
        });
        let calls = [told.recv_timeout(LONG).unwrap(), told.recv_timeout(LONG).unwrap()];
        assert!(calls.iter().all(|call| call.name() == "resize"), "{calls:?}");
        assert_ne!(calls[0].runner(), calls[1].runner());
        drop(open);
        run.join().unwrap().unwrap();
    });
    watch.stop().unwrap();
    assert_eq!(told.try_iter().count(), 0);
}

#[test]
fn last_look_tells_what_has_become_stuck_since_the_one_before() {
    let (say, told) = mpsc::channel();
    let pool = ThreadPool::builder().workers(1).build().unwrap();
    let (gate, pass) = Gate::new();
    let task = pool.task().name("late").submit(|_| pass()).unwrap();
    gate.wait();
    let submitter = pool.submitter().clone();
    let (limit, look) = (Duration::from_secs(3600), move |threshold| {
        assert_eq!(threshold, Duration::from_secs(3600));
        submitter.health(Duration::ZERO)
    });
    let watch = Watch::stuck(limit, look, move |call| say.send(call.name().to_owned()).unwrap()).unwrap();
    assert_eq!(told.try_iter().count(), 0);
    watch.stop().unwrap();
    assert_eq!(told.iter().collect::<Vec<_>>(), ["late"]);
    gate.open();
    ended(task).unwrap();
}

#[test]
fn zero_is_refused_and_the_longest_threshold_never_tells() {
    let refused = Watch::stuck(Duration::ZERO, |_| Health::default(), |_| ());
    let error = refused.unwrap_err();
    assert!(matches!(error, WatchError::ZeroThreshold));
    assert_eq!(error.to_string(), "a threshold of zero would find every call stuck");
    let pool = ThreadPool::builder().workers(1).build().unwrap();
    let (gate, task) = crate::gate::occupy(&pool);
    let (submitter, before) = (pool.submitter().clone(), Instant::now());
    let watch = Watch::stuck(Duration::MAX, move |limit| submitter.health(limit), |call| panic!("{call}"));
    watch.unwrap().stop().unwrap();
    assert!(before.elapsed() < LONG);
    gate.open();
    ended(task).unwrap();
}

#[test]
fn panic_of_the_callback_ends_the_watching_and_is_given_back() {
    let pool = ThreadPool::builder().workers(1).build().unwrap();
    let (gate, task) = crate::gate::occupy(&pool);
    let submitter = pool.submitter().clone();
    let watch = Watch::stuck(THRESHOLD, move |limit| submitter.health(limit), |_| panic!("told"));
    let watch = watch.unwrap();
    while !watch.has_ended() {
        std::thread::yield_now();
    }
    assert_eq!(watch.stop().unwrap_err().message(), "told");
    gate.open();
    ended(task).unwrap();
}
