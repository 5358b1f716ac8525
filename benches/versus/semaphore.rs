//! Permits taken and given back: by one thread that has no rival, and by eight threads that share two.

use super::{
    goals::{Goal, Row},
    grind::{any_order, work},
    harness::{Bench, Group},
    peers,
    table::Table,
};
use gristmill::Semaphore;
use std::{
    hint::black_box,
    sync::{Barrier, Condvar, Mutex},
    thread,
    time::{Duration, Instant},
};

const PERMITS: usize = 2;
const THREADS: u32 = 8;
/// Rounds of work under a permit.
const ROUNDS: u32 = 50;
const ENDLESS: Duration = Duration::from_millis(500);

/// Whatever lets two threads in at once.
trait Gate: Sync {
    fn pass(&self, work: impl FnOnce() -> u64) -> u64;
}

impl Gate for Semaphore {
    fn pass(&self, work: impl FnOnce() -> u64) -> u64 {
        let _permit = self.acquire().expect("it is open");
        work()
    }
}

struct Tokio(tokio::sync::Semaphore, tokio::runtime::Runtime);

impl Gate for Tokio {
    fn pass(&self, work: impl FnOnce() -> u64) -> u64 {
        let _permit = self.1.block_on(self.0.acquire()).expect("it is open");
        work()
    }
}

impl Gate for async_lock::Semaphore {
    fn pass(&self, work: impl FnOnce() -> u64) -> u64 {
        let _permit = self.acquire_blocking();
        work()
    }
}

/// A bounded channel: a message is a permit that is held.
struct Channel(crossbeam_channel::Sender<()>, crossbeam_channel::Receiver<()>);

impl Gate for Channel {
    fn pass(&self, work: impl FnOnce() -> u64) -> u64 {
        self.0.send(()).expect("its receiver lives");
        let result = work();
        self.1.recv().expect("its sender lives");
        result
    }
}

/// A count under a lock, with a condition variable: no order among those who wait.
struct Counted(Mutex<usize>, Condvar);

impl Gate for Counted {
    fn pass(&self, work: impl FnOnce() -> u64) -> u64 {
        let mut free = self.0.lock().expect("no panic under it");
        while *free == 0 {
            free = self.1.wait(free).expect("no panic under it");
        }
        *free -= 1;
        drop(free);
        let result = work();
        *self.0.lock().expect("no panic under it") += 1;
        self.1.notify_one();
        result
    }
}

fn tokio_gate() -> Tokio {
    Tokio(tokio::sync::Semaphore::new(PERMITS), peers::tokio(1))
}

fn channel() -> Channel {
    let (sender, receiver) = crossbeam_channel::bounded(PERMITS);
    Channel(sender, receiver)
}

fn counted() -> Counted {
    Counted(Mutex::new(PERMITS), Condvar::new())
}

pub(crate) fn run(bench: &mut Bench) {
    uncontended(bench);
    contended(bench);
    longest_wait(bench);
}

fn uncontended(bench: &mut Bench) {
    let title = "semaphore, one thread";
    if !bench.wants(title) {
        return;
    }
    let passes = bench.items(5_000_000);
    let expected = u64::from(passes);
    let semaphore = Semaphore::new(PERMITS);
    let mut group = Group::new(title, passes, "turn");
    group.case("gristmill `acquire`", expected, || {
        (0..passes).filter(|_| semaphore.acquire().is_ok()).count() as u64
    });
    group.case("gristmill `try_acquire`", expected, || {
        (0..passes).filter(|_| semaphore.try_acquire().is_ok()).count() as u64
    });
    let peer = tokio::sync::Semaphore::new(PERMITS);
    group.case("tokio `try_acquire`", expected, move || {
        (0..passes).filter(|_| peer.try_acquire().is_ok()).count() as u64
    });
    let peer = async_lock::Semaphore::new(PERMITS);
    group.case("async-lock `try_acquire`", expected, move || {
        (0..passes).filter(|_| peer.try_acquire().is_some()).count() as u64
    });
    let peer = channel();
    group.case("a bounded channel, `try_send` and `try_recv`", expected, move || {
        (0..passes).filter(|_| peer.0.try_send(()).is_ok() && peer.1.try_recv().is_ok()).count() as u64
    });
    let peer = counted();
    group.case("`Mutex` and `Condvar`", expected, move || (0..passes).map(|_| peer.pass(|| 1)).sum());
    group.goal("gristmill `acquire`", Goal::Nanoseconds(15.0));
    bench.run(group);
}

fn contended(bench: &mut Bench) {
    let title = format!("semaphore, {THREADS} threads on {PERMITS} permits, {ROUNDS} rounds inside");
    if !bench.wants(&title) {
        return;
    }
    let each = bench.items(THREADS * 75_000) / THREADS;
    let mine = (0..u64::from(each)).map(|index| work(index, ROUNDS)).fold(0, any_order);
    let expected = (0..THREADS).fold(0, |sum, _| any_order(sum, mine));
    let mut group = Group::new(title, each * THREADS, "turn");
    group.case("gristmill", expected, || crowd(&Semaphore::new(PERMITS), each));
    group.case("gristmill, strict", expected, || crowd(&Semaphore::strict(PERMITS), each));
    group.case("tokio, `block_on`", expected, || crowd(&tokio_gate(), each));
    group.case("async-lock", expected, || crowd(&async_lock::Semaphore::new(PERMITS), each));
    group.case("a bounded channel", expected, || crowd(&channel(), each));
    group.case("`Mutex` and `Condvar` (no order)", expected, || crowd(&counted(), each));
    group.goal("gristmill", Goal::Nanoseconds(100.0));
    group.goal("gristmill, strict", Goal::Nanoseconds(900.0));
    bench.run(group);
}

/// All threads pass so often each, beginning together.
fn crowd(gate: &impl Gate, each: u32) -> u64 {
    let start = Barrier::new(THREADS as usize);
    let one = || {
        start.wait();
        (0..u64::from(each)).map(|index| gate.pass(|| work(index, ROUNDS))).fold(0, any_order)
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(one)).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).fold(0, any_order)
    })
}

/// The other side of throughput: threads that come again and again for half a second, and the one who waited longest.
fn longest_wait(bench: &mut Bench) {
    let title = format!("semaphore, longest wait of {THREADS} threads on {PERMITS} permits in {ENDLESS:?}");
    if !bench.wants(&title) || !bench.measures() {
        return;
    }
    let mut table = Table::new(&title, &["case", "longest wait in ms", "passes", "of the busiest thread"]);
    let rounds = bench.rounds();
    let longest = row(&mut table, "gristmill", rounds, || Semaphore::new(PERMITS));
    row(&mut table, "gristmill, strict", rounds, || Semaphore::strict(PERMITS));
    row(&mut table, "tokio, `block_on`", rounds, tokio_gate);
    row(&mut table, "async-lock", rounds, || async_lock::Semaphore::new(PERMITS));
    row(&mut table, "a bounded channel", rounds, channel);
    row(&mut table, "`Mutex` and `Condvar` (no order)", rounds, counted);
    table.print();
    bench.goal(Row::at_most(title, "gristmill", (50.0, longest.as_secs_f64() * 1e3), 1, "ms"));
}

/// The worst of the rounds for the wait, which is returned, their sums for the passes.
fn row<G: Gate>(table: &mut Table, name: &str, rounds: u32, gate: impl Fn() -> G) -> Duration {
    let (mut longest, mut all, mut busiest) = (Duration::ZERO, 0, 0);
    for _ in 0..rounds {
        let threads = endless(&gate());
        longest = longest.max(threads.iter().map(|(wait, _)| *wait).max().unwrap_or_default());
        all += threads.iter().map(|(_, passes)| passes).sum::<u64>();
        busiest += threads.iter().map(|(_, passes)| *passes).max().unwrap_or_default();
    }
    table.row(vec![
        name.to_owned(),
        format!("{:.1}", longest.as_secs_f64() * 1e3),
        (all / u64::from(rounds)).to_string(),
        format!("{} %", busiest * 100 / all.max(1)),
    ]);
    longest
}

/// The longest wait and the number of passes of each thread.
fn endless(gate: &impl Gate) -> Vec<(Duration, u64)> {
    let start = Barrier::new(THREADS as usize);
    let one = || {
        start.wait();
        let end = Instant::now() + ENDLESS;
        let (mut longest, mut passes, mut came) = (Duration::ZERO, 0, Instant::now());
        while came < end {
            black_box(gate.pass(|| {
                longest = longest.max(came.elapsed());
                work(passes, ROUNDS)
            }));
            passes += 1;
            came = Instant::now();
        }
        (longest, passes)
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(one)).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    })
}
