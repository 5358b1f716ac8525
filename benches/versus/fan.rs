//! One sender to many receivers and many to one, against the loops over crossbeam channels that they replace.

use super::{
    goals::Goal,
    grind::{any_order, unordered_sum, work},
    harness::{Bench, Group},
};
use crossbeam_channel::{Receiver, Select, Sender, bounded};
use gristmill::fan::{Merge, Router};
use std::{cmp::Reverse, collections::BinaryHeap, thread};

const ITEMS: u32 = 1_000_000;
/// What a receiver does with an item. With nothing to do, the figures are those of threads that wake each other.
const ROUNDS: [u32; 2] = [0, 100];
const LANES: usize = 2;
const PRODUCERS: u32 = 8;
const CAPACITY: usize = 256;

pub(crate) fn run(bench: &mut Bench) {
    for rounds in ROUNDS {
        out(bench, rounds);
        all(bench, rounds);
    }
    into_one(bench);
    sorted(bench);
}

fn sum(items: impl Iterator<Item = u64>) -> u64 {
    items.fold(0, u64::wrapping_add)
}

fn sum_below(items: u32) -> u64 {
    u64::from(items) * u64::from(items - 1) / 2
}

fn worked(items: impl Iterator<Item = u64>, rounds: u32) -> u64 {
    items.map(|item| work(item, rounds)).fold(0, any_order)
}

/// Receivers on threads of their own while `send` sends; the sum of all they got.
fn with_receivers(receivers: Vec<Receiver<u64>>, rounds: u32, send: impl FnOnce()) -> u64 {
    thread::scope(|scope| {
        let threads: Vec<_> = receivers
            .into_iter()
            .map(|receiver| scope.spawn(move || worked(receiver.iter(), rounds)))
            .collect();
        send();
        sum(threads.into_iter().map(|thread| thread.join().expect("it only adds")))
    })
}

fn by_hand(rounds: u32, send: impl FnOnce(Vec<Sender<u64>>)) -> u64 {
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..LANES).map(|_| bounded(CAPACITY)).unzip();
    with_receivers(receivers, rounds, || send(senders))
}

fn routed(router: Router<u64>, items: u64, rounds: u32) -> u64 {
    let lanes: Vec<_> = (0..LANES).map(|_| router.add_lane()).collect();
    with_receivers(lanes.iter().map(|lane| lane.receiver().clone()).collect(), rounds, || {
        for item in 0..items {
            router.send(item).expect("the lanes are there");
        }
        drop(router);
    })
}

/// As [`routed`], where the lanes receive by themselves: of a shared queue, they can be removed.
fn routed_to_lanes(router: Router<u64>, items: u64, rounds: u32) -> u64 {
    let lanes: Vec<_> = (0..LANES).map(|_| router.add_lane()).collect();
    thread::scope(|scope| {
        let threads: Vec<_> =
            lanes.into_iter().map(|lane| scope.spawn(move || worked(lane.iter(), rounds))).collect();
        for item in 0..items {
            router.send(item).expect("the lanes are there");
        }
        drop(router);
        sum(threads.into_iter().map(|thread| thread.join().expect("it only adds")))
    })
}

fn out(bench: &mut Bench, rounds: u32) {
    let title = format!("fan-out to {LANES} lanes of {CAPACITY}, {rounds} rounds per item");
    if !bench.wants(&title) {
        return;
    }
    let items = bench.items(ITEMS);
    let (count, expected) = (u64::from(items), unordered_sum(items, rounds));
    let mut group = Group::new(title, items, "item");
    group.case("crossbeam, in turn", expected, move || {
        by_hand(rounds, |senders| {
            for (item, sender) in (0..count).zip(senders.iter().cycle()) {
                sender.send(item).expect("it is received");
            }
        })
    });
    group.case("gristmill `round_robin`", expected, move || {
        routed(Router::round_robin(CAPACITY).expect("a capacity"), count, rounds)
    });
    group.case("crossbeam, cloned receiver", expected, move || {
        let (sender, receiver) = bounded(CAPACITY);
        with_receivers(vec![receiver; LANES], rounds, move || {
            for item in 0..count {
                sender.send(item).expect("it is received");
            }
        })
    });
    group.case("gristmill `shared_queue`", expected, move || {
        routed_to_lanes(Router::shared_queue(CAPACITY).expect("a capacity"), count, rounds)
    });
    group.case("crossbeam, shortest queue", expected, move || {
        by_hand(rounds, |senders| {
            for item in 0..count {
                let sender = senders.iter().min_by_key(|sender| sender.len()).expect("there are lanes");
                sender.send(item).expect("it is received");
            }
        })
    });
    group.case("gristmill `least_loaded`", expected, move || {
        routed(Router::least_loaded(CAPACITY).expect("a capacity"), count, rounds)
    });
    group.case("crossbeam, hash of the key", expected, move || {
        by_hand(rounds, |senders| {
            use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
            let hasher = BuildHasherDefault::<DefaultHasher>::default();
            for item in 0..count {
                let lane = hasher.hash_one(item % 1000) % LANES as u64;
                senders[usize::try_from(lane).expect("a lane")].send(item).expect("it is received");
            }
        })
    });
    group.case("gristmill `by_key`, 1000 keys", expected, move || {
        routed(Router::by_key(CAPACITY, |item: &u64| item % 1000).expect("a capacity"), count, rounds)
    });
    bench.run(group);
}

fn all(bench: &mut Bench, rounds: u32) {
    let title = format!("fan-out to all of {LANES} lanes of {CAPACITY}, {rounds} rounds per item");
    if !bench.wants(&title) {
        return;
    }
    let items = bench.items(ITEMS);
    let (count, expected) = (u64::from(items), unordered_sum(items, rounds).wrapping_mul(LANES as u64));
    let mut group = Group::new(title, items, "item");
    group.case("crossbeam, a loop", expected, move || {
        by_hand(rounds, |senders| {
            for item in 0..count {
                for sender in &senders {
                    sender.send(item).expect("it is received");
                }
            }
        })
    });
    group.case("gristmill `broadcast`", expected, move || {
        routed(Router::broadcast(CAPACITY).expect("a capacity"), count, rounds)
    });
    bench.run(group);
}

/// Producers on threads of their own, each of which sends its share of the items in ascending order, while `receive` receives.
fn with_producers(count: u64, receive: impl FnOnce(Vec<Receiver<u64>>) -> u64) -> u64 {
    let producers = u64::from(PRODUCERS);
    thread::scope(|scope| {
        let receivers = (0..producers)
            .map(|producer| {
                let (sender, receiver) = bounded(CAPACITY);
                scope.spawn(move || {
                    for item in
                        (0..count).skip(usize::try_from(producer).expect("few")).step_by(PRODUCERS as usize)
                    {
                        sender.send(item).expect("it is received");
                    }
                });
                receiver
            })
            .collect();
        receive(receivers)
    })
}

fn into_one(bench: &mut Bench) {
    let title = format!("fan-in of {PRODUCERS} producers, channels of {CAPACITY}");
    if !bench.wants(&title) {
        return;
    }
    let items = bench.items(ITEMS);
    let (count, expected) = (u64::from(items), sum_below(items));
    let mut group = Group::new(title, items, "item");
    group.case("crossbeam `Select`", expected, move || {
        with_producers(count, |receivers| selected(&receivers))
    });
    group.case("crossbeam, a forwarding thread each", expected, move || {
        with_producers(count, |receivers| {
            let (sender, receiver) = bounded(CAPACITY);
            thread::scope(|scope| {
                for input in receivers {
                    let sender = sender.clone();
                    scope.spawn(move || {
                        for item in input {
                            sender.send(item).expect("it is received");
                        }
                    });
                }
                drop(sender);
                sum(receiver.iter())
            })
        })
    });
    group.case("crossbeam, one channel for all", expected, move || {
        let (sender, receiver) = bounded(CAPACITY);
        thread::scope(|scope| {
            for producer in 0..PRODUCERS {
                let sender = sender.clone();
                scope.spawn(move || {
                    for item in (0..count).skip(producer as usize).step_by(PRODUCERS as usize) {
                        sender.send(item).expect("it is received");
                    }
                });
            }
            drop(sender);
            sum(receiver.iter())
        })
    });
    group.case("gristmill `Merge::fair`", expected, move || {
        with_producers(count, |receivers| sum(Merge::fair(receivers)))
    });
    group.case("gristmill `Merge::fair`, turns of 1", expected, move || {
        with_producers(count, |receivers| sum(Merge::fair(receivers).turn(1)))
    });
    group.case("gristmill `Merge::by_priority`", expected, move || {
        with_producers(count, |receivers| sum(Merge::by_priority(receivers)))
    });
    group.case("gristmill `Merge::by_sequence`, window 1024", expected, move || {
        with_producers(count, |receivers| sum(Merge::by_sequence(receivers, 1024, |item| *item)))
    });
    group.goal("gristmill `Merge::fair`", Goal::Nanoseconds(45.0));
    bench.run(group);
}

/// As crossbeam's documentation has it: an input that has ended is taken out.
fn selected(receivers: &[Receiver<u64>]) -> u64 {
    let mut total = 0_u64;
    let mut select = Select::new();
    for receiver in receivers {
        select.recv(receiver);
    }
    let mut open = receivers.len();
    while open > 0 {
        let operation = select.select();
        let at = operation.index();
        if let Ok(item) = operation.recv(&receivers[at]) {
            total = total.wrapping_add(item);
        } else {
            select.remove(at);
            open -= 1;
        }
    }
    total
}

fn sorted(bench: &mut Bench) {
    let title = format!("fan-in of {PRODUCERS} sorted inputs, channels of {CAPACITY}");
    if !bench.wants(&title) {
        return;
    }
    let items = bench.items(ITEMS);
    let (count, expected) = (u64::from(items), sum_below(items));
    let mut group = Group::new(title, items, "item");
    group.case("crossbeam `recv` and a `BinaryHeap`", expected, move || {
        with_producers(count, |receivers| {
            let first = |(at, receiver): (usize, &Receiver<u64>)| Some(Reverse((receiver.recv().ok()?, at)));
            let mut heads: BinaryHeap<_> = receivers.iter().enumerate().filter_map(first).collect();
            let mut total = 0_u64;
            while let Some(Reverse((item, at))) = heads.pop() {
                total = total.wrapping_add(item);
                heads.extend(first((at, &receivers[at])));
            }
            total
        })
    });
    group.case("gristmill `Merge::sorted`", expected, move || {
        with_producers(count, |receivers| sum(Merge::sorted(receivers)))
    });
    bench.run(group);
}
