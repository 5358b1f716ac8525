//! Router, merge and pipeline as one machine.

use gristmill::fan::{LaneRule, Merge, Router};
use gristmill::{CancellationToken, Pipeline};

use crate::support::{add_lanes, spawn};

/// Out to the lanes, through a pipeline each, and back in order.
#[test]
fn items_go_out_through_pipelines_and_come_back_in_order() {
    const ITEMS: u64 = 3_000;
    for router in [
        Router::round_robin(8).unwrap(),
        Router::shared_queue(8).unwrap(),
        Router::least_loaded(8).unwrap(),
        Router::by_priority(8).unwrap(),
        Router::by_key(8, |item: &u64| item % 13).unwrap().in_hand(16),
    ] {
        let lanes = add_lanes(&router, 3);
        let mut merge = Merge::by_sequence(Vec::<crossbeam_channel::Receiver<u64>>::new(), 64, |item| *item);
        let handle = merge.handle();
        let stages: Vec<_> = lanes
            .into_iter()
            .map(|lane| {
                let (sender, receiver) = crossbeam_channel::bounded(8);
                handle.add(receiver).unwrap();
                spawn(move || {
                    let pipeline = Pipeline::from_receiver(lane.receiver().clone()).workers(1).window(16);
                    pipeline.map("pass", |item| item).send(sender).run(&CancellationToken::new()).unwrap();
                })
            })
            .collect();
        drop(handle);
        let feeder = spawn(move || (0..ITEMS).for_each(|item| router.send(item).unwrap()));
        assert_eq!(merge.by_ref().collect::<Vec<_>>(), (0..ITEMS).collect::<Vec<_>>());
        feeder.join().unwrap();
        for stage in stages {
            stage.join().unwrap();
        }
    }
}

#[test]
fn consumer_that_fails_loses_nothing_that_it_did_not_take() {
    const ITEMS: u32 = 200;
    let router = Router::round_robin(4).unwrap().slow_lanes(LaneRule::Skip);
    let lanes = add_lanes(&router, 2);
    let consumers: Vec<_> = lanes
        .into_iter()
        .enumerate()
        .map(|(index, lane)| {
            // The first gives up after as many as its lane holds, which it gets for certain; its lane goes with it.
            spawn(move || lane.iter().take(if index == 0 { 4 } else { usize::MAX }).collect::<Vec<_>>())
        })
        .collect();
    (0..ITEMS).for_each(|item| router.send(item).unwrap());
    let mut consumers = consumers.into_iter();
    let mut all = consumers.next().unwrap().join().unwrap();
    // What the dead lane had goes to the other one.
    for item in router.take_undelivered() {
        router.send(item).unwrap();
    }
    drop(router);
    all.extend(consumers.next().unwrap().join().unwrap());
    all.sort_unstable();
    assert_eq!(all, (0..ITEMS).collect::<Vec<_>>());
}
