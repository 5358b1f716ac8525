//! Lanes come and go while items are sent.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use gristmill::fan::{LaneRule, ReceiveError, Router};

use crate::support::{LONG, add_lanes, assert_ended, queued, send_all, spawn, waiting_sender};

#[test]
fn removed_lane_hands_back_what_is_queued_and_ends_at_once() {
    let router = Router::round_robin(4).unwrap();
    let lanes = add_lanes(&router, 2);
    send_all(&router, 0..6);
    assert_eq!(lanes[0].recv().unwrap(), 0);
    assert_eq!(router.remove_lane(lanes[0].id()), Some(vec![2, 4]));
    assert_ended(lanes[0].recv());
    assert_eq!(router.remove_lane(lanes[0].id()), None, "it is gone");
    send_all(&router, [6]);
    assert_eq!(queued(&lanes[1]), [1, 3, 5, 6]);
}

#[test]
fn receiver_that_waits_is_woken_by_the_removal_of_its_lane() {
    for router in [Router::<u8>::round_robin(1).unwrap(), Router::shared_queue(1).unwrap()] {
        let (lane, other) = (router.add_lane(), router.add_lane());
        let id = lane.id();
        let receiver = spawn(move || lane.recv_timeout(LONG));
        assert_eq!(router.remove_lane(id), Some(vec![]));
        assert_ended(receiver.join().unwrap());
        router.send(1).unwrap();
        assert_eq!(other.recv().unwrap(), 1);
    }
}

#[test]
fn lane_of_a_shared_queue_is_removed_without_the_queue() {
    let router = Router::shared_queue(4).unwrap();
    let lanes = add_lanes(&router, 2);
    send_all(&router, 0..3);
    assert_eq!(router.remove_lane(lanes[0].id()), Some(vec![]));
    assert_ended(lanes[0].try_recv());
    drop(router);
    assert_ended(lanes[0].try_recv());
    assert_eq!(lanes[1].iter().collect::<Vec<_>>(), [0, 1, 2]);
}

#[test]
fn dropped_lane_leaves_what_is_queued_to_be_taken_once() {
    let router = Router::round_robin(4).unwrap();
    let mut lanes = add_lanes(&router, 3);
    send_all(&router, 0..9);
    lanes.truncate(1);
    assert_eq!(lanes[0].recv().unwrap(), 0);
    assert_eq!(router.lanes().iter().map(|lane| lane.queued).collect::<Vec<_>>(), [2, 3, 3]);
    assert_eq!(router.take_undelivered(), [1, 4, 7, 2, 5, 8]);
    assert!(router.take_undelivered().is_empty());
    assert_eq!(router.lanes().len(), 1, "nothing keeps the dead ones");
    assert_eq!(queued(&lanes[0]), [3, 6]);
}

#[test]
fn dead_lane_with_items_is_handed_back_by_its_name_too() {
    let router = Router::round_robin(4).unwrap().dead_lanes(LaneRule::Refuse);
    let lanes = add_lanes(&router, 1);
    let id = lanes[0].id();
    send_all(&router, 0..3);
    drop(lanes);
    assert_eq!(router.take_undelivered(), [0, 1, 2]);
    assert_eq!(router.lanes().len(), 1, "it is refused until it is removed");
    assert_eq!(router.remove_lane(id), Some(vec![]));
    assert!(router.send(3).unwrap_err().is_no_lanes());
}

#[test]
fn shared_queue_without_a_lane_keeps_its_items_for_the_next_one() {
    let router = Router::shared_queue(4).unwrap();
    let lanes = add_lanes(&router, 2);
    send_all(&router, 0..3);
    drop(lanes);
    assert!(router.send(3).unwrap_err().is_no_lanes());
    let lane = router.add_lane();
    assert_eq!(lane.recv().unwrap(), 0);
    assert!(router.take_undelivered().is_empty(), "there is a lane");
    drop(lane);
    assert_eq!(router.take_undelivered(), [1, 2]);
}

#[test]
fn lanes_that_come_and_go_without_items_leave_nothing_behind() {
    for router in [Router::<u8>::round_robin(1).unwrap(), Router::shared_queue(1).unwrap()] {
        for _ in 0..100 {
            drop(router.add_lane());
        }
        assert!(router.lanes().is_empty());
    }
}

#[test]
fn new_lane_takes_part_from_the_next_item() {
    let router = Router::round_robin(4).unwrap();
    let mut lanes = add_lanes(&router, 1);
    send_all(&router, [0, 1]);
    lanes.extend(add_lanes(&router, 1));
    send_all(&router, [2, 3, 4]);
    assert_eq!((queued(&lanes[0]), queued(&lanes[1])), (vec![0, 1, 2, 4], vec![3]));
}

#[test]
fn sender_that_waits_for_a_lane_that_is_removed_goes_on_with_another() {
    let router = Router::round_robin(1).unwrap();
    let lanes = add_lanes(&router, 2);
    send_all(&router, [0, 1]);
    let waiter = waiting_sender(&router, 2);
    assert_eq!(queued(&lanes[1]), [1]);
    assert_eq!(router.remove_lane(lanes[0].id()), Some(vec![0]));
    waiter.join().unwrap().unwrap();
    assert_eq!(queued(&lanes[1]), [2]);
}

#[test]
fn sender_that_waits_learns_that_the_last_lane_is_gone() {
    let router = Router::round_robin(1).unwrap();
    let lane = router.add_lane();
    send_all(&router, [0]);
    let waiter = waiting_sender(&router, 1);
    drop(lane);
    let error = waiter.join().unwrap().unwrap_err();
    assert!(error.is_no_lanes());
    assert_eq!((error.into_value(), router.take_undelivered()), (1, vec![0]));
}

#[test]
fn new_lane_has_room_for_a_sender_that_waits_and_may_go_to_any() {
    let router = Router::least_loaded(1).unwrap();
    let _full = add_lanes(&router, 1);
    send_all(&router, [0]);
    let waiter = waiting_sender(&router, 1);
    let lane = router.add_lane();
    waiter.join().unwrap().unwrap();
    assert_eq!(lane.recv().unwrap(), 1);
}

#[test]
fn sender_to_the_least_loaded_goes_to_whichever_lane_has_room_first() {
    for first in [0, 1] {
        let router = Router::least_loaded(1).unwrap();
        let lanes = add_lanes(&router, 2);
        send_all(&router, [0, 1]);
        let waiter = waiting_sender(&router, 2);
        assert_eq!(lanes[first].recv().unwrap(), first);
        waiter.join().unwrap().unwrap();
        assert_eq!(lanes[first].recv().unwrap(), 2);
    }
}

#[test]
fn sender_that_waits_for_a_dead_lane_also_waits_for_the_full_one_before_it() {
    let router = Router::by_priority(1).unwrap().dead_lanes(LaneRule::Wait);
    let mut lanes = add_lanes(&router, 2);
    send_all(&router, [0]);
    drop(lanes.pop());
    let waiter = waiting_sender(&router, 1);
    assert_eq!(lanes[0].recv().unwrap(), 0);
    waiter.join().unwrap().unwrap();
    assert_eq!(lanes[0].recv().unwrap(), 1);
}

#[test]
fn rule_that_is_changed_on_a_clone_reaches_those_who_wait() {
    let router = Router::round_robin(1).unwrap().dead_lanes(LaneRule::Wait);
    let mut lanes = add_lanes(&router, 2);
    drop(lanes.remove(0));
    let waiter = waiting_sender(&router, 7);
    drop(router.clone().dead_lanes(LaneRule::Skip));
    waiter.join().unwrap().unwrap();
    assert_eq!(lanes[0].recv().unwrap(), 7);
}

#[test]
fn snapshot_says_what_was_sent_where() {
    let router = Router::round_robin(2).unwrap();
    let lanes = add_lanes(&router, 2);
    send_all(&router, 0..3);
    let seen = router.lanes();
    assert_eq!(
        seen.iter().map(|lane| (lane.id, lane.queued, lane.sent)).collect::<Vec<_>>(),
        [(lanes[0].id(), 2, 2), (lanes[1].id(), 1, 1)]
    );
    assert_eq!(
        (lanes[0].id().to_string(), format!("{:?}", lanes[0])),
        ("lane 0".to_owned(), "Lane { id: LaneId(0), .. }".to_owned())
    );
}

/// Senders, receivers that give up, a thread that removes lanes: what went in came out or back.
#[test]
fn counts_close_while_lanes_come_and_go() {
    const ITEMS: usize = 2_000;
    for (name, router) in [
        ("shared", Router::shared_queue(3).unwrap()),
        ("round robin", Router::round_robin(3).unwrap()),
        ("least loaded", Router::least_loaded(3).unwrap()),
        ("priority", Router::by_priority(3).unwrap()),
        ("by key", Router::by_key(3, |item: &usize| item % 7).unwrap()),
        ("skip", Router::round_robin(3).unwrap().slow_lanes(LaneRule::Skip)),
    ] {
        let received = AtomicUsize::new(0);
        let refused = AtomicUsize::new(0);
        let handed_back = AtomicUsize::new(0);
        let keep = router.add_lane();
        std::thread::scope(|scope| {
            let senders: Vec<_> = (0..2)
                .map(|_| {
                    let (router, refused) = (router.clone(), &refused);
                    scope.spawn(move || {
                        for item in 0..ITEMS {
                            if let Err(error) = router.send(item) {
                                assert_eq!(error.into_value(), item);
                                refused.fetch_add(1, SeqCst);
                            }
                        }
                    })
                })
                .collect();
            let steady = scope.spawn(|| keep.iter().for_each(|_| _ = received.fetch_add(1, SeqCst)));
            let (other, received, handed_back) = (router.clone(), &received, &handed_back);
            let changes = scope.spawn(move || {
                let router = other;
                for turn in 0..200 {
                    let lane = router.add_lane();
                    for _ in 0..turn % 5 {
                        if lane.try_recv().is_ok() {
                            received.fetch_add(1, SeqCst);
                        }
                    }
                    if turn % 2 == 0 {
                        let left = router.remove_lane(lane.id()).expect("nobody else removes it");
                        handed_back.fetch_add(left.len(), SeqCst);
                    }
                    drop(lane);
                    handed_back.fetch_add(router.take_undelivered().len(), SeqCst);
                }
            });
            for sender in senders {
                sender.join().unwrap();
            }
            changes.join().unwrap();
            drop(router);
            steady.join().unwrap();
        });
        assert!(matches!(keep.try_recv(), Err(ReceiveError::Ended)));
        let counted = [&received, &refused, &handed_back].map(|count| count.load(SeqCst));
        assert_eq!(counted.iter().sum::<usize>(), 2 * ITEMS, "{name}: {counted:?}");
        assert_eq!(counted[1], 0, "{name}: one lane was always there");
    }
}
