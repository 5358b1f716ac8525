//! Router and merge under seeded random schedules: every item is received once or handed back, whoever comes, goes, waits or gives up.
#![cfg(gristmill_shuttle)]
// Helpers and closures are test code too, though not inside of a `#[test]`.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use gristmill::CancellationToken;
use gristmill::fan::{Lane, LaneRule, Merge, MergeInput, Router};
use gristmill::sync::channel::{Receiver, bounded};
use gristmill::sync::model as execution;
use gristmill::sync::thread::{self, Builder, JoinHandle};
use gristmill::sync::time::Duration;

#[path = "support/model.rs"]
mod model;
use model::check;

const SECOND: Duration = Duration::from_secs(1);

fn spawn<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    Builder::new().spawn(run).expect("no fault is asked for")
}

type Make = fn() -> Router<u32>;

fn every_policy(name: &str, body: impl Fn(Make) + Clone + Send + Sync + 'static) {
    let policies: [(&str, Make); 6] = [
        ("shared queue", || Router::shared_queue(1).unwrap()),
        ("round robin", || Router::round_robin(1).unwrap()),
        ("round robin, skip", || Router::round_robin(1).unwrap().slow_lanes(LaneRule::Skip)),
        ("least loaded", || Router::least_loaded(1).unwrap()),
        ("priority", || Router::by_priority(1).unwrap()),
        ("by key", || Router::by_key(1, |item: &u32| item % 2).unwrap()),
    ];
    for (policy, make) in policies {
        let body = body.clone();
        check(&format!("{name}, {policy}"), move || body(make));
    }
}

fn receiver(lane: Lane<u32>) -> JoinHandle<Vec<u32>> {
    spawn(move || lane.iter().collect())
}

fn assert_all(mut items: Vec<u32>, count: u32) {
    items.sort_unstable();
    assert_eq!(items, (0..count).collect::<Vec<_>>());
}

#[test]
fn every_item_is_received_once() {
    every_policy("every_item_is_received_once", |make| {
        execution::forbid_timeouts();
        let router = make();
        let lanes = [router.add_lane(), router.add_lane()].map(receiver);
        let other = router.clone();
        let sender = spawn(move || (0..2).for_each(|item| other.send(item).unwrap()));
        (2..4).for_each(|item| router.send(item).unwrap());
        drop(router);
        sender.join().unwrap();
        assert_all(lanes.into_iter().flat_map(|lane| lane.join().unwrap()).collect(), 4);
    });
}

#[test]
fn sender_that_waits_for_its_turn_sees_the_turn_of_another_move_on() {
    check("sender_that_waits_for_its_turn_sees_the_turn_of_another_move_on", || {
        execution::forbid_timeouts();
        let router = Router::round_robin(1).unwrap();
        let lanes = [router.add_lane(), router.add_lane()];
        (0..2).for_each(|item| router.send(item).unwrap());
        assert_eq!(lanes[1].recv().unwrap(), 1);
        // The turn is the first lane's, which is full; the second has room, and its turn comes with the one that gets in first.
        let senders = [2, 3].map(|item| {
            let router = router.clone();
            spawn(move || router.send(item).unwrap())
        });
        assert_eq!(lanes[0].recv().unwrap(), 0);
        for sender in senders {
            sender.join().unwrap();
        }
    });
}

#[test]
fn removed_lane_and_its_receiver_share_the_items_between_them() {
    every_policy("removed_lane_and_its_receiver_share_the_items_between_them", |make| {
        execution::forbid_timeouts();
        let router = make();
        let (lane, keep) = (router.add_lane(), router.add_lane());
        let id = lane.id();
        let receivers = [lane, keep].map(receiver);
        let other = router.clone();
        let sender = spawn(move || (0..4).for_each(|item| other.send(item).unwrap()));
        let mut all = router.remove_lane(id).expect("it was there");
        sender.join().unwrap();
        drop(router);
        all.extend(receivers.into_iter().flat_map(|receiver| receiver.join().unwrap()));
        assert_all(all, 4);
    });
}

#[test]
fn lane_that_is_dropped_leaves_its_items_and_lets_senders_go_on() {
    every_policy("lane_that_is_dropped_leaves_its_items_and_lets_senders_go_on", |make| {
        execution::forbid_timeouts();
        let router = make();
        let (lane, keep) = (router.add_lane(), router.add_lane());
        // It takes one item at most, and goes.
        let quitter = spawn(move || lane.try_recv().ok());
        let keeper = receiver(keep);
        (0..4).for_each(|item| router.send(item).unwrap());
        let mut all = Vec::from_iter(quitter.join().unwrap());
        all.extend(router.take_undelivered());
        drop(router);
        all.extend(keeper.join().unwrap());
        assert_all(all, 4);
    });
}

#[test]
fn last_lane_that_dies_gives_the_waiting_sender_its_item_back() {
    every_policy("last_lane_that_dies_gives_the_waiting_sender_its_item_back", |make| {
        execution::forbid_timeouts();
        let router = make();
        let lane = router.add_lane();
        let other = router.clone();
        let sender = spawn(move || {
            let results = (0..3).map(|item| other.send(item));
            results
                .filter_map(Result::err)
                .map(|error| {
                    assert!(error.is_no_lanes());
                    error.into_value()
                })
                .collect::<Vec<_>>()
        });
        let mut all = Vec::from_iter(lane.try_recv().ok());
        drop(lane);
        all.extend(sender.join().unwrap());
        all.extend(router.take_undelivered());
        assert_all(all, 3);
    });
}

#[test]
fn lane_that_comes_is_seen_by_a_sender_that_waits() {
    check("lane_that_comes_is_seen_by_a_sender_that_waits", || {
        execution::forbid_timeouts();
        let router = Router::least_loaded(1).unwrap();
        let full = router.add_lane();
        router.send(0).unwrap();
        let other = router.clone();
        let sender = spawn(move || other.send(1).unwrap());
        let lane = router.add_lane();
        sender.join().unwrap(); // hangs if the wake-up is lost
        assert_eq!((full.try_recv().unwrap(), lane.try_recv().unwrap()), (0, 1));
    });
}

#[test]
fn token_and_room_have_one_winner() {
    check("token_and_room_have_one_winner", || {
        execution::forbid_timeouts();
        let router = Router::broadcast(1).unwrap();
        let lanes = [router.add_lane(), router.add_lane()];
        router.send(0).unwrap();
        let token = CancellationToken::new();
        let sender = {
            let (router, token) = (router.clone(), token.clone());
            spawn(move || router.send_with(1, &token))
        };
        let canceller = spawn(move || token.cancel());
        let receivers = lanes.map(|lane| spawn(move || (lane.recv().unwrap(), lane)));
        canceller.join().unwrap();
        let result = sender.join().unwrap();
        let expected = if result.is_ok() { vec![1] } else { vec![] };
        if let Err(error) = result {
            assert!(error.is_cancelled() && error.into_value() == 1);
        }
        for receiver in receivers {
            let (first, lane) = receiver.join().unwrap();
            assert_eq!(
                (first, lane.receiver().try_iter().collect::<Vec<_>>()),
                (0, expected.clone()),
                "all or none"
            );
        }
    });
}

#[test]
fn broadcasts_of_two_senders_are_seen_in_one_order_and_whole() {
    check("broadcasts_of_two_senders_are_seen_in_one_order_and_whole", || {
        execution::forbid_timeouts();
        let router = Router::broadcast(1).unwrap();
        let lanes = [router.add_lane(), router.add_lane()].map(receiver);
        let other = router.clone();
        let sender = spawn(move || (0..2).for_each(|item| other.send(item).unwrap()));
        (2..4).for_each(|item| router.send(item).unwrap());
        drop(router);
        sender.join().unwrap();
        let [one, two] = lanes.map(|lane| lane.join().unwrap());
        assert_eq!(one, two);
        assert_all(one, 4);
    });
}

#[test]
fn items_of_a_key_are_never_in_two_lanes_while_lanes_come() {
    check("items_of_a_key_are_never_in_two_lanes_while_lanes_come", || {
        execution::forbid_timeouts();
        let router = Router::by_key(2, |item: &u32| item % 3).unwrap();
        let last = Arc::new(gristmill::sync::Mutex::new([None; 3]));
        let busy = Arc::new(gristmill::sync::Mutex::new([false; 3]));
        let work = {
            let (last, busy) = (last.clone(), busy.clone());
            move |lane: Lane<u32>| {
                let (last, busy) = (last.clone(), busy.clone());
                spawn(move || {
                    for item in lane.iter() {
                        let key = (item % 3) as usize;
                        assert!(!std::mem::replace(&mut busy.lock()[key], true), "one at a time");
                        let before = last.lock()[key].replace(item);
                        assert!(before.is_none_or(|before| before < item), "in order");
                        // Until it asks for the next one, the item is in its hands.
                        thread::yield_now();
                        busy.lock()[key] = false;
                    }
                })
            }
        };
        let mut workers = vec![work(router.add_lane())];
        for item in 0..9 {
            if item == 3 || item == 5 {
                workers.push(work(router.add_lane()));
            }
            router.send(item).unwrap();
        }
        drop(router);
        for worker in workers {
            worker.join().unwrap();
        }
        assert_eq!(*last.lock(), [Some(6), Some(7), Some(8)]);
    });
}

#[test]
fn shared_lanes_end_when_the_router_goes_while_they_wait() {
    check("shared_lanes_end_when_the_router_goes_while_they_wait", || {
        execution::forbid_timeouts();
        let router = Router::shared_queue(2).unwrap();
        let lanes = [router.add_lane(), router.add_lane()].map(receiver);
        (0..2).for_each(|item| router.send(item).unwrap());
        drop(router);
        assert_all(lanes.into_iter().flat_map(|lane| lane.join().unwrap()).collect(), 2);
    });
}

#[test]
fn time_outs_at_any_step_lose_nothing() {
    every_policy("time_outs_at_any_step_lose_nothing", |make| {
        let router = make();
        let lanes = [router.add_lane(), router.add_lane()].map(|lane| {
            spawn(move || {
                let got: Vec<_> = (0..3).filter_map(|_| lane.recv_timeout(SECOND).ok()).collect();
                got
            })
        });
        let mut all: Vec<_> = (0..4)
            .filter_map(|item| {
                let error = router.send_timeout(item, SECOND).err()?;
                assert!(error.is_timed_out() || error.is_no_lanes());
                Some(error.into_value())
            })
            .collect();
        all.extend(lanes.into_iter().flat_map(|lane| lane.join().unwrap()));
        all.extend(router.take_undelivered());
        assert_all(all, 4);
    });
}

fn feed(items: impl Iterator<Item = u32> + Send + 'static) -> (Receiver<u32>, JoinHandle<()>) {
    let (sender, receiver) = bounded(1);
    // A merge that was dropped reads no more.
    (receiver, spawn(move || items.into_iter().for_each(|item| _ = sender.send(item))))
}

type MakeMerge = fn(Vec<MergeInput<u32>>) -> Merge<u32>;

fn every_merge(name: &str, body: impl Fn(MakeMerge) + Clone + Send + Sync + 'static) {
    let kinds: [(&str, MakeMerge); 4] = [
        ("fair", |inputs| Merge::fair(inputs).turn(2)),
        ("priority", |inputs| Merge::by_priority(inputs)),
        ("sorted", |inputs| Merge::sorted(inputs)),
        ("sequence", |inputs| Merge::by_sequence(inputs, 2, |item| u64::from(*item))),
    ];
    for (kind, make) in kinds {
        let body = body.clone();
        check(&format!("{name}, {kind}"), move || body(make));
    }
}

#[test]
fn merge_delivers_every_item_once_and_ends() {
    every_merge("merge_delivers_every_item_once_and_ends", |make| {
        execution::forbid_timeouts();
        let (evens, even) = feed((0..5).step_by(2));
        let (odds, odd) = feed((1..5).step_by(2));
        let merge = make(vec![evens.into(), odds.into()]);
        assert_all(merge.collect(), 5);
        even.join().unwrap();
        odd.join().unwrap();
    });
}

#[test]
fn what_a_dropped_merge_did_not_deliver_is_in_its_inputs() {
    every_merge("what_a_dropped_merge_did_not_deliver_is_in_its_inputs", |make| {
        execution::forbid_timeouts();
        let (evens, even) = feed((0..6).step_by(2));
        let (odds, odd) = feed((1..6).step_by(2));
        let inputs = [evens, odds].map(MergeInput::from);
        let token = CancellationToken::new();
        let merger = {
            let (inputs, token) = (inputs.to_vec(), token.clone());
            spawn(move || make(inputs).until(&token).collect::<Vec<_>>())
        };
        token.cancel();
        let mut all = merger.join().unwrap();
        for input in inputs {
            let (held, receiver) = input.into_parts();
            all.extend(held);
            all.extend(receiver.iter());
        }
        assert_all(all, 6);
        even.join().unwrap();
        odd.join().unwrap();
    });
}

#[test]
fn input_that_is_added_wakes_a_merge_that_waits_and_the_last_handle_ends_it() {
    every_merge("input_that_is_added_wakes_a_merge_that_waits_and_the_last_handle_ends_it", |make| {
        execution::forbid_timeouts();
        let mut merge = make(Vec::new());
        let handle = merge.handle();
        let adders: Vec<_> = (0..2)
            .map(|item| {
                let handle = handle.clone();
                spawn(move || {
                    let (sender, receiver) = bounded(1);
                    handle.add(receiver).unwrap();
                    drop(handle);
                    sender.send(item).unwrap();
                })
            })
            .collect();
        drop(handle);
        assert_all(merge.by_ref().collect(), 2);
        for adder in adders {
            adder.join().unwrap();
        }
    });
}

#[test]
fn input_that_is_added_wakes_a_merge_that_waits_though_the_handle_stays() {
    every_merge("input_that_is_added_wakes_a_merge_that_waits_though_the_handle_stays", |make| {
        execution::forbid_timeouts();
        let mut merge = make(Vec::new());
        let handle = merge.handle();
        let merger = spawn(move || [merge.recv().unwrap(), merge.recv().unwrap()]);
        for item in 0..2 {
            let (sender, receiver) = bounded(1);
            sender.send(item).unwrap();
            handle.add(receiver).unwrap();
        }
        assert_all(merger.join().unwrap().to_vec(), 2); // hangs if the wake-up is lost
    });
}

#[test]
fn input_for_a_merge_that_goes_comes_back_or_went_in() {
    check("input_for_a_merge_that_goes_comes_back_or_went_in", || {
        execution::forbid_timeouts();
        let mut merge = Merge::fair(Vec::<Receiver<u32>>::new());
        let handle = merge.handle();
        let (sender, receiver) = bounded(1);
        sender.send(0).unwrap();
        let adder = spawn(move || handle.add(receiver).err());
        let got = merge.try_recv().ok();
        let inside = merge.into_inputs();
        let refused = adder.join().unwrap();
        assert_eq!(usize::from(refused.is_some()) + inside.len(), 1);
        let input = refused.into_iter().chain(inside).next().unwrap();
        assert_eq!(got.or_else(|| input.into_parts().1.try_recv().ok()), Some(0));
        drop(sender);
    });
}

#[test]
fn rendezvous_inputs_are_merged() {
    check("rendezvous_inputs_are_merged", || {
        execution::forbid_timeouts();
        let ends = [0, 2].map(|first| {
            let (sender, receiver) = bounded(0);
            (receiver, spawn(move || (first..first + 2).for_each(|item| sender.send(item).unwrap())))
        });
        let (receivers, senders): (Vec<_>, Vec<_>) = ends.into_iter().unzip();
        assert_all(Merge::fair(receivers).collect(), 4);
        for sender in senders {
            sender.join().unwrap();
        }
    });
}

#[test]
fn out_and_back_in_order() {
    check("out_and_back_in_order", || {
        execution::forbid_timeouts();
        let router = Router::least_loaded(1).unwrap();
        let mut workers = Vec::new();
        let mut outputs = Vec::new();
        for _ in 0..2 {
            let lane = router.add_lane();
            let (sender, receiver) = bounded(1);
            outputs.push(receiver);
            workers.push(spawn(move || lane.iter().for_each(|item| sender.send(item).unwrap())));
        }
        let feeder = spawn(move || (0..5).for_each(|item| router.send(item).unwrap()));
        let merge = Merge::by_sequence(outputs, 3, |item: &u32| u64::from(*item));
        assert_eq!(merge.collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
        feeder.join().unwrap();
        for worker in workers {
            worker.join().unwrap();
        }
    });
}
