//! Sending to all: all lanes get an item, or none does.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use gristmill::CancellationToken;
use gristmill::fan::{LaneRule, RouteErrorKind, Router};

use crate::support::{MOMENT, add_lanes, queued, send_all, spawn, waiting_sender};

#[test]
fn every_lane_gets_every_item_in_the_order_of_the_sends() {
    let router = Router::broadcast(3).unwrap();
    let lanes = add_lanes(&router, 3);
    send_all(&router, ["a", "b", "c"].map(str::to_owned));
    for lane in &lanes {
        assert_eq!(queued(lane), ["a", "b", "c"]);
    }
}

#[test]
fn item_is_cloned_once_less_than_there_are_lanes() {
    #[derive(Debug)]
    struct Counted(Arc<AtomicUsize>);
    impl Clone for Counted {
        fn clone(&self) -> Self {
            self.0.fetch_add(1, SeqCst);
            Self(self.0.clone())
        }
    }
    let clones = Arc::new(AtomicUsize::new(0));
    let router = Router::broadcast(1).unwrap();
    let lanes = add_lanes(&router, 4);
    send_all(&router, [Counted(clones.clone())]);
    assert_eq!(clones.load(SeqCst), 3);
    assert_eq!(Arc::strong_count(&clones), 5, "one for each lane, none beside");
    drop(lanes);
}

#[test]
fn one_slow_lane_holds_the_item_back_from_all_and_nobody_has_it_when_the_wait_ends() {
    let router = Router::broadcast(1).unwrap();
    let lanes = add_lanes(&router, 3);
    send_all(&router, [0]);
    queued(&lanes[0]);
    queued(&lanes[2]);
    assert!(router.try_send(1).unwrap_err().is_full());
    assert!(router.send_timeout(1, MOMENT).unwrap_err().is_timed_out());
    let token = CancellationToken::new();
    let waiter = {
        let (router, token) = (router.clone(), token.clone());
        spawn(move || router.send_with(1, &token))
    };
    token.cancel();
    assert_eq!(waiter.join().unwrap().unwrap_err().into_value(), 1);
    assert_eq!(lanes.iter().map(|lane| lane.receiver().len()).collect::<Vec<_>>(), [0, 1, 0]);
    let waiter = waiting_sender(&router, 1);
    assert_eq!(lanes[1].recv().unwrap(), 0);
    waiter.join().unwrap().unwrap();
    assert!(lanes.iter().all(|lane| queued(lane) == [1]));
}

#[test]
fn slow_lane_misses_the_item_if_that_is_chosen_and_the_miss_is_counted() {
    let router = Router::broadcast(1).unwrap().slow_lanes(LaneRule::Skip);
    let lanes = add_lanes(&router, 2);
    send_all(&router, [0]);
    assert_eq!(queued(&lanes[0]), [0]);
    send_all(&router, [1]);
    assert_eq!(
        router.lanes().iter().map(|lane| (lane.sent, lane.missed)).collect::<Vec<_>>(),
        [(2, 0), (1, 1)]
    );
    assert!(router.try_send(2).unwrap_err().is_full(), "to nobody at all is not to be sent");
    let waiter = waiting_sender(&router, 2);
    assert_eq!(lanes[1].recv().unwrap(), 0); // no more: who waits may fill the place at once
    waiter.join().unwrap().unwrap();
    assert_eq!((queued(&lanes[0]), queued(&lanes[1])), (vec![1], vec![2]));
}

#[test]
fn slow_lane_is_an_error_if_that_is_chosen_and_nobody_has_the_item() {
    let router = Router::broadcast(1).unwrap().slow_lanes(LaneRule::Refuse);
    let lanes = add_lanes(&router, 2);
    send_all(&router, [0]);
    assert_eq!(queued(&lanes[0]), [0]);
    assert!(router.send(1).unwrap_err().is_full());
    assert!(queued(&lanes[0]).is_empty());
}

#[test]
fn dead_lane_is_skipped_refused_or_waited_for() {
    for rule in [LaneRule::Skip, LaneRule::Refuse, LaneRule::Wait] {
        let router = Router::broadcast(2).unwrap().dead_lanes(rule);
        let mut lanes = add_lanes(&router, 2);
        let dead = lanes.remove(0);
        let id = dead.id();
        send_all(&router, [0]);
        drop(dead);
        match rule {
            LaneRule::Skip => send_all(&router, [1]),
            LaneRule::Refuse => {
                let error = router.send(1).unwrap_err();
                assert!(matches!(error.kind(), RouteErrorKind::LaneDead(dead) if *dead == id));
                assert_eq!(lanes[0].receiver().len(), 1);
                assert_eq!(router.remove_lane(id), Some(vec![0]));
                send_all(&router, [1]);
            }
            LaneRule::Wait => {
                let waiter = waiting_sender(&router, 1);
                assert_eq!(router.remove_lane(id), Some(vec![0]));
                waiter.join().unwrap().unwrap();
            }
        }
        assert_eq!(queued(&lanes[0]), [0, 1]);
    }
}

#[test]
fn several_senders_are_seen_in_one_order_by_all_lanes() {
    let router = Router::broadcast(2).unwrap();
    let lanes = add_lanes(&router, 2);
    let readers: Vec<_> =
        lanes.into_iter().map(|lane| spawn(move || lane.iter().collect::<Vec<u32>>())).collect();
    let senders: Vec<_> = (0..3)
        .map(|sender| {
            let router = router.clone();
            spawn(move || (0..200).for_each(|item| router.send(sender * 1000 + item).unwrap()))
        })
        .collect();
    for sender in senders {
        sender.join().unwrap();
    }
    drop(router);
    let seen: Vec<_> = readers.into_iter().map(|reader| reader.join().unwrap()).collect();
    assert_eq!((seen[0].len(), &seen[0]), (600, &seen[1]));
}
