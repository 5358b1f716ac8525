//! What a competent person writes with crossbeam channels and scoped threads: the peer that matters most.

use super::grind::{any_order, in_order};
use crossbeam_channel::{Receiver, bounded};
use std::{collections::VecDeque, thread};

/// Items on their way in each channel of the per-item forms, where nothing else is said.
pub(crate) const ITEMS_BOUND: usize = 1024;
/// Chunks on their way in each channel of the chunked form.
const CHUNKS_BOUND: usize = 8;

/// Ordered map over `0..items`, one message per item: a feeding thread, `workers` threads, reordering in the caller.
pub(crate) fn per_item(items: u64, bound: usize, workers: usize, stage: impl Fn(u64) -> u64 + Sync) -> u64 {
    workers_per_stage(items, bound, workers, &[stage])
}

/// Like [`per_item`], with messages of `chunk` items that the workers change in place.
pub(crate) fn in_chunks(items: u64, chunk: u64, workers: usize, stage: impl Fn(u64) -> u64 + Sync) -> u64 {
    let (sender, receiver) = bounded(CHUNKS_BOUND);
    let map_chunk = |mut values: Vec<u64>| {
        for value in &mut values {
            *value = stage(*value);
        }
        values
    };
    thread::scope(|scope| {
        scope.spawn(move || {
            (0..items.div_ceil(chunk)).try_for_each(|number| {
                let first = number * chunk;
                sender.send((number, (first..items.min(first + chunk)).collect()))
            })
        });
        let mut sum = 0;
        reorder(map(scope, receiver, workers, &map_chunk), |values: Vec<u64>| {
            sum = values.into_iter().fold(sum, in_order);
        });
        sum
    })
}

/// Two stages with a thread and a channel each: order keeps itself, every item crosses three threads.
pub(crate) fn thread_per_stage(
    items: u64,
    first: impl Fn(u64) -> u64 + Send,
    second: impl Fn(u64) -> u64 + Send,
) -> u64 {
    let (source, to_first) = bounded(ITEMS_BOUND);
    let (from_first, to_second) = bounded(ITEMS_BOUND);
    let (from_second, sink) = bounded(ITEMS_BOUND);
    thread::scope(|scope| {
        scope.spawn(move || (0..items).try_for_each(|index| source.send(index)));
        scope.spawn(move || to_first.iter().try_for_each(|value| from_first.send(first(value))));
        scope.spawn(move || to_second.iter().try_for_each(|value| from_second.send(second(value))));
        sink.iter().fold(0, in_order)
    })
}

/// Stages of `workers` threads each with channels of `bound` items between them, reordering once, in the caller.
pub(crate) fn workers_per_stage(
    items: u64,
    bound: usize,
    workers: usize,
    stages: &[impl Fn(u64) -> u64 + Sync],
) -> u64 {
    let (sender, receiver) = bounded(bound);
    thread::scope(|scope| {
        scope.spawn(move || (0..items).try_for_each(|index| sender.send((index, index))));
        let mut sum = 0;
        let results = stages.iter().fold(receiver, |items, stage| map(scope, items, workers, stage));
        reorder(results, |value| sum = in_order(sum, value));
        sum
    })
}

/// Starts `workers` threads that map numbered messages, with a channel as wide as the one they read from.
pub(crate) fn map<'scope, T, U>(
    scope: &'scope thread::Scope<'scope, '_>,
    receiver: Receiver<(u64, T)>,
    workers: usize,
    stage: &'scope (impl Fn(T) -> U + Sync),
) -> Receiver<(u64, U)>
where
    T: Send + 'scope,
    U: Send + 'scope,
{
    let (sender, results) = bounded(receiver.capacity().unwrap_or(ITEMS_BOUND));
    for _ in 0..workers {
        let (receiver, sender) = (receiver.clone(), sender.clone());
        scope.spawn(move || {
            receiver.iter().try_for_each(|(number, message)| sender.send((number, stage(message))))
        });
    }
    // Held by the workers alone from here on: if they all panic, whoever feeds them learns it.
    drop(receiver);
    results
}

/// Hands on numbered messages in the order of their numbers, parking those that come early.
pub(crate) fn reorder<T>(messages: Receiver<(u64, T)>, mut sink: impl FnMut(T)) {
    let mut next = 0;
    let mut parked: VecDeque<Option<T>> = VecDeque::new();
    for (number, message) in messages {
        let place = usize::try_from(number - next).expect("fewer messages than addresses are parked");
        if place >= parked.len() {
            parked.resize_with(place + 1, || None);
        }
        parked[place] = Some(message);
        while let Some(Some(_)) = parked.front() {
            let message = parked.pop_front().flatten().expect("the front was just looked at");
            next += 1;
            sink(message);
        }
    }
}

/// As many threads as workers, each with its part of the items from the start: what work of equal items takes at best.
pub(crate) fn static_split(items: u64, workers: usize, stage: impl Fn(u64) -> u64 + Sync) -> u64 {
    let (stage, workers) = (&stage, workers as u64);
    let part = |worker: u64| worker * items / workers..(worker + 1) * items / workers;
    thread::scope(|scope| {
        let spawn = |worker| scope.spawn(move || part(worker).map(stage).fold(0, any_order));
        let threads: Vec<_> = (1..workers).map(spawn).collect();
        let own = part(0).map(stage).fold(0, any_order);
        threads.into_iter().map(|thread| thread.join().expect("no panic")).fold(own, any_order)
    })
}
