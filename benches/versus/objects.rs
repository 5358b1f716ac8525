//! Objects taken and returned: by one thread that has no rival, and by as many threads as there are workers.

use super::{
    goals::Goal,
    harness::{Bench, Group},
};
use gristmill::{ObjectPool, Semaphore};
use std::{hint::black_box, sync::Mutex, thread, time::Duration};

const SIZE: usize = 1 << 16;

/// Whatever lends a buffer.
trait Lends: Sync {
    fn with(&self, use_it: impl FnOnce(&mut Vec<u8>));
}

impl Lends for ObjectPool<Vec<u8>> {
    fn with(&self, use_it: impl FnOnce(&mut Vec<u8>)) {
        use_it(&mut self.take().expect("it is open and makes one"));
    }
}

/// A stack under a lock, and as many permits as there may be buffers.
struct Stack(Mutex<Vec<Vec<u8>>>, Semaphore);

impl Lends for Stack {
    fn with(&self, use_it: impl FnOnce(&mut Vec<u8>)) {
        let _permit = self.1.acquire().expect("it is open");
        let idle = self.0.lock().expect("no panic under it").pop();
        let mut buffer = idle.unwrap_or_else(|| Vec::with_capacity(SIZE));
        use_it(&mut buffer);
        self.0.lock().expect("no panic under it").push(buffer);
    }
}

/// A bounded channel full of buffers: who finds none waits, and none is made later.
struct Channel(crossbeam_channel::Sender<Vec<u8>>, crossbeam_channel::Receiver<Vec<u8>>);

impl Lends for Channel {
    fn with(&self, use_it: impl FnOnce(&mut Vec<u8>)) {
        let mut buffer = self.1.recv().expect("its sender lives");
        use_it(&mut buffer);
        self.0.send(buffer).expect("its receiver lives");
    }
}

/// A new one each time.
struct Allocation;

impl Lends for Allocation {
    fn with(&self, use_it: impl FnOnce(&mut Vec<u8>)) {
        use_it(&mut Vec::with_capacity(SIZE));
    }
}

fn ours(capacity: usize) -> ObjectPool<Vec<u8>> {
    ObjectPool::builder(capacity, || Vec::with_capacity(SIZE)).build().expect("not of zero objects")
}

fn with_reset(capacity: usize) -> ObjectPool<Vec<u8>> {
    let builder = ObjectPool::builder(capacity, || Vec::with_capacity(SIZE)).reset(|buffer| {
        buffer.clear();
        true
    });
    builder.build().expect("not of zero objects")
}

fn with_expiry(capacity: usize) -> ObjectPool<Vec<u8>> {
    let builder =
        ObjectPool::builder(capacity, || Vec::with_capacity(SIZE)).max_idle(Duration::from_secs(60));
    builder.build().expect("not of zero objects")
}

fn stack(capacity: usize) -> Stack {
    Stack(Mutex::default(), Semaphore::new(capacity))
}

fn channel(capacity: usize) -> Channel {
    let (sender, receiver) = crossbeam_channel::bounded(capacity);
    for _ in 0..capacity {
        sender.send(Vec::with_capacity(SIZE)).expect("its receiver lives");
    }
    Channel(sender, receiver)
}

fn turns(lends: &impl Lends, turns: u32) -> u64 {
    for _ in 0..turns {
        lends.with(|buffer| _ = black_box(buffer));
    }
    u64::from(turns)
}

/// As many threads as workers, with so many turns each.
fn crowd(lends: &impl Lends, threads: usize, each: u32) -> u64 {
    thread::scope(|scope| {
        let others: Vec<_> = (0..threads).map(|_| scope.spawn(|| turns(lends, each))).collect();
        others.into_iter().map(|other| other.join().expect("no panic")).sum()
    })
}

pub(crate) fn run(bench: &mut Bench) {
    let passes = bench.items(5_000_000);
    alone(bench, passes);
    both(bench, passes);
}

fn alone(bench: &mut Bench, passes: u32) {
    let title = "object pool, one thread";
    if !bench.wants(title) {
        return;
    }
    let expected = u64::from(passes);
    let mut group = Group::new(title, passes, "turn");
    let pool = ours(4);
    group.case("gristmill", expected, move || turns(&pool, passes));
    let pool = ours(4);
    group.case("gristmill, owned", expected, move || {
        (0..passes).filter(|_| black_box(pool.take_owned()).is_ok()).count() as u64
    });
    let pool = with_reset(4);
    group.case("gristmill, with a reset hook", expected, move || turns(&pool, passes));
    let pool = with_expiry(4);
    group.case("gristmill, with a longest idle time", expected, move || turns(&pool, passes));
    let peer = stack(4);
    group.case("a locked stack and a semaphore", expected, move || turns(&peer, passes));
    let peer = channel(4);
    group.case("a bounded channel of buffers", expected, move || turns(&peer, passes));
    group.case("an allocation of 64 KiB each time", expected, move || turns(&Allocation, passes));
    group.goal("gristmill", Goal::Nanoseconds(20.0));
    bench.run(group);
}

fn both(bench: &mut Bench, passes: u32) {
    let threads = bench.workers();
    let title = format!("object pool, {threads} threads");
    if !bench.wants(&title) {
        return;
    }
    let each = passes / 5;
    let items = each * u32::try_from(threads).expect("not so many workers");
    let expected = u64::from(items);
    let mut group = Group::new(title, items, "turn");
    let pool = ours(threads);
    group.case("gristmill", expected, move || crowd(&pool, threads, each));
    let peer = stack(threads);
    group.case("a locked stack and a semaphore", expected, move || crowd(&peer, threads, each));
    let peer = channel(threads);
    group.case("a bounded channel of buffers", expected, move || crowd(&peer, threads, each));
    group.case("an allocation of 64 KiB each time", expected, move || crowd(&Allocation, threads, each));
    bench.run(group);
}
