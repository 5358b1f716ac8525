//! Starting a pool, running one task on each of its workers, and stopping it.

use super::{
    goals::Goal,
    harness::{Bench, Group},
    ours,
};
use std::{
    sync::{
        Arc, Barrier,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
};

/// One task per worker: none returns before all have met, so that every worker has to run one.
#[derive(Clone)]
pub(crate) struct Meeting {
    place: Arc<Barrier>,
    arrived: Arc<AtomicU64>,
}

impl Meeting {
    pub(crate) fn of(workers: usize) -> Self {
        Self { place: Arc::new(Barrier::new(workers)), arrived: Arc::default() }
    }

    pub(crate) fn attend(&self) {
        self.arrived.fetch_add(1, Relaxed);
        self.place.wait();
    }

    pub(crate) fn attended(&self) -> u64 {
        self.arrived.load(Relaxed)
    }
}

pub(crate) fn run(bench: &mut Bench) {
    let workers = bench.workers();
    let title = format!("start and stop {workers} workers");
    if !bench.wants(&title) {
        return;
    }
    let cycles = bench.items(500);
    let expected = u64::from(cycles) * workers as u64;
    let repeat = move |mut cycle: Box<dyn FnMut(&Meeting)>| {
        move || {
            let each = |_| {
                let meeting = Meeting::of(workers);
                cycle(&meeting);
                meeting.attended()
            };
            (0..cycles).map(each).sum()
        }
    };

    let mut group = Group::new(title, cycles, "cycle");
    group.case(
        "`std::thread` spawn and join",
        expected,
        repeat(Box::new(move |meeting| {
            thread::scope(|scope| {
                for _ in 0..workers {
                    scope.spawn(|| meeting.attend());
                }
            });
        })),
    );
    group.case(
        "rayon (drop does not wait for its threads)",
        expected,
        repeat(Box::new(move |meeting| {
            let pool =
                rayon::ThreadPoolBuilder::new().num_threads(workers).build().expect("rayon's pool starts");
            pool.broadcast(|_| meeting.attend());
        })),
    );
    group.case(
        "threadpool (drop does not wait for its threads)",
        expected,
        repeat(Box::new(move |meeting| {
            let pool = threadpool::ThreadPool::new(workers);
            for _ in 0..workers {
                let meeting = meeting.clone();
                pool.execute(move || meeting.attend());
            }
            pool.join();
        })),
    );
    group.case(
        "gristmill (drop waits for its threads)",
        expected,
        repeat(Box::new(move |meeting| ours::start_stop(meeting, workers))),
    );
    let rayon = "rayon (drop does not wait for its threads)";
    group.goal("gristmill (drop waits for its threads)", Goal::Of(rayon, 1.0));
    bench.run(group);
}
