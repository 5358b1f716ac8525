//! A run has as many threads as workers, the caller's among them, whatever its stages: none of them has one of its own. A deadline takes
//! one more in the process. Alone in its process, so that it can count.
#![cfg(all(target_os = "linux", not(any(gristmill_shuttle, gristmill_loom, gristmill_model_std))))]
#![allow(clippy::unwrap_used)] // helpers are test code too

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::ThreadId;
use std::time::Duration;

use gristmill::{CancellationToken, Pipeline};

const ITEMS: usize = 200;

fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}

/// Who came by, and how many threads there were.
struct Watch {
    before: usize,
    workers: usize,
    came: Mutex<HashSet<ThreadId>>,
    peak: AtomicUsize,
}

impl Watch {
    /// Once the threads of the run before are gone: the system may show one that is joined for a moment longer.
    fn new(before: usize, deadline: bool, workers: usize) -> Arc<Self> {
        while threads() > before + usize::from(deadline) {
            std::thread::yield_now();
        }
        Arc::new(Self { before, workers, came: Mutex::default(), peak: AtomicUsize::new(0) })
    }

    fn look(&self) {
        self.came.lock().unwrap().insert(std::thread::current().id());
        self.peak.fetch_max(threads(), Ordering::SeqCst);
    }

    /// Called with each item by the source: the first one waits until all threads are there.
    fn read(&self, item: usize) -> usize {
        while item == 0 && threads() < self.before + self.workers - 1 {
            std::thread::yield_now();
        }
        self.pass(item)
    }

    fn pass(&self, item: usize) -> usize {
        self.look();
        item
    }
}

/// What runs the stages, and how many of them take one item at a time.
const SHAPES: [(&str, usize); 7] = [
    ("parallel", 0),
    ("serial", 3),
    ("keyed, batch, thread-bound sink", 3),
    ("keyed without order, borrowed iterator", 0),
    ("owned iterator", 1),
    ("channels", 0),
    ("pipeline in a stage", 0),
];

fn run(shape: &str, workers: usize, watch: &Arc<Watch>, token: &CancellationToken) -> u64 {
    let source =
        Pipeline::from_iter((0..ITEMS).map(|item| watch.read(item))).workers(workers).window(4 * workers);
    let pass = |item| watch.pass(item);
    match shape {
        "parallel" => {
            source.map("map", pass).map("again", pass).for_each("sink", |_| watch.look()).run(token)
        }
        "serial" => source
            .serial("first", pass)
            .map("map", pass)
            .serial("second", pass)
            .serial_unordered("third", pass)
            .for_each("sink", |_| watch.look())
            .run(token),
        "keyed, batch, thread-bound sink" => source
            .keyed("keyed", |item| item % 5, pass)
            .serial("serial", pass)
            .batch(3)
            .map("map", |batch| batch.into_iter().map(pass).max().unwrap_or(0))
            .serial("after", pass)
            .for_each_local("sink", |_| watch.look())
            .run(token),
        "keyed without order, borrowed iterator" => {
            let keyed = source.keyed_unordered("keyed", |item| item % 5, pass).unordered();
            keyed.with_iter(token, |items| items.for_each(|_| watch.look())).1
        }
        "owned iterator" => {
            // It outlives this call, for all that the compiler knows, so it owns what it uses.
            let [first, second, third] = [(); 3].map(|()| Arc::clone(watch));
            let source = Pipeline::from_iter((0..ITEMS).map(move |item| first.read(item)));
            let source = source.workers(workers).window(4 * workers);
            let stages = source.map("map", move |item| second.pass(item));
            let stages = stages.serial("serial", move |item| third.pass(item));
            let mut items = stages.into_iter_with(token).unwrap();
            items.by_ref().for_each(|item| _ = watch.pass(item.unwrap()));
            items.finish()
        }
        "channels" => {
            let (sender, receiver) = crossbeam_channel::bounded(ITEMS);
            (0..ITEMS).for_each(|item| sender.send(item).unwrap());
            drop(sender);
            let (out, results) = crossbeam_channel::bounded(ITEMS);
            let source = Pipeline::from_receiver(receiver).workers(workers);
            let report = source.map("map", |item| watch.read(item)).send(out).run(token);
            assert_eq!(results.len(), ITEMS);
            report
        }
        _ => {
            // The thread that runs the inner one is a worker of both.
            let inner = |item| {
                let (sum, _) = Pipeline::from_iter(0..3)
                    .workers(1)
                    .map("map", pass)
                    .fold("add", 0, |sum, item| sum + item)
                    .run(token)
                    .unwrap();
                item + sum
            };
            source.map("inner", inner).for_each("sink", |_| watch.look()).run(token)
        }
    }
    .unwrap()
    .finished()
}

#[test]
fn run_has_no_more_threads_than_workers_whatever_its_stages() {
    let before = threads();
    for deadline in [false, true] {
        for workers in [1, 2, 3, 8] {
            for (shape, serial) in SHAPES {
                let said = format!("{shape}, {workers} workers, deadline: {deadline}");
                let token = if deadline {
                    CancellationToken::with_timeout(Duration::from_secs(3600))
                } else {
                    CancellationToken::new()
                };
                let watch = Watch::new(before, deadline, workers);
                assert_eq!(run(shape, workers, &watch, &token), ITEMS as u64, "{said}");
                let came = watch.came.lock().unwrap().len();
                assert!(came <= workers, "{came} threads ran stages: {said}");
                let more = watch.peak.load(Ordering::SeqCst) - watch.before;
                // The thread of the deadlines is the one that is allowed for.
                assert!(more >= workers - 1, "the count sees them: {said}");
                assert!(more < workers + usize::from(deadline), "{more} more threads: {said}");
                assert!(more <= workers + serial + 1, "what is promised in any case");
            }
        }
    }
}
