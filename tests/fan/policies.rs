//! Which lane gets an item, and what a slow or a dead lane does to it.

use gristmill::CancellationToken;
use gristmill::fan::{CapacityError, LaneRule, RouteErrorKind, Router};

use crate::support::{MOMENT, add_lanes, assert_ended, queued, send_all, spawn, waiting_sender};

#[test]
fn router_and_its_lanes_cross_threads() {
    fn check<T: Send + Sync>() {}
    check::<Router<std::cell::Cell<u8>>>();
    check::<gristmill::fan::Lane<std::cell::Cell<u8>>>();
}

#[test]
fn capacity_of_zero_or_beyond_reason_is_a_clear_error() {
    for capacity in [0, CapacityError::LARGEST + 1, usize::MAX] {
        let errors = [
            Router::<u8>::shared_queue(capacity).unwrap_err(),
            Router::<u8>::round_robin(capacity).unwrap_err(),
            Router::<u8>::least_loaded(capacity).unwrap_err(),
            Router::<u8>::by_priority(capacity).unwrap_err(),
            Router::<u8>::broadcast(capacity).unwrap_err(),
            Router::by_key(capacity, |item: &u8| *item).unwrap_err(),
            Router::<u8>::custom(capacity, |_, _| None).unwrap_err(),
        ];
        for error in errors {
            assert_eq!(error.to_string(), format!("a queue holds 1 to 1048576 items, not {capacity}"));
        }
    }
    let router = Router::round_robin(CapacityError::LARGEST).unwrap();
    let lane = router.add_lane();
    router.send(1_u8).unwrap();
    assert_eq!(lane.recv().unwrap(), 1);
}

#[test]
fn without_a_lane_every_send_fails_at_once_and_gives_the_item_back() {
    let all = [
        Router::shared_queue(1).unwrap(),
        Router::round_robin(1).unwrap(),
        Router::least_loaded(1).unwrap(),
        Router::by_priority(1).unwrap(),
        Router::broadcast(1).unwrap(),
        Router::by_key(1, String::clone).unwrap(),
        Router::custom(1, |_, lanes| lanes.first().map(|lane| lane.id)).unwrap(),
    ];
    for router in all {
        for rule in [LaneRule::Wait, LaneRule::Skip, LaneRule::Refuse] {
            let router = router.clone().slow_lanes(rule).dead_lanes(rule);
            let item = || "grain".to_owned();
            for error in [
                router.try_send(item()).unwrap_err(),
                router.send(item()).unwrap_err(),
                router.send_timeout(item(), std::time::Duration::MAX).unwrap_err(),
                router.send_with(item(), &CancellationToken::new()).unwrap_err(),
            ] {
                assert!(error.is_no_lanes(), "{router:?}, {rule:?}: {error}");
                assert_eq!(error.into_value(), "grain");
            }
        }
    }
}

#[test]
fn round_robin_gives_item_i_to_lane_i() {
    let router = Router::round_robin(4).unwrap();
    let lanes = add_lanes(&router, 3);
    send_all(&router, 0..12);
    for (index, lane) in lanes.iter().enumerate() {
        let expected: Vec<_> = (0..4).map(|round| round * 3 + index).collect();
        assert_eq!(queued(lane), expected);
    }
}

#[test]
fn round_robin_waits_for_the_lane_whose_turn_it_is_and_a_failed_send_leaves_the_turn() {
    let router = Router::round_robin(1).unwrap();
    let lanes = add_lanes(&router, 2);
    send_all(&router, [0, 1]);
    assert_eq!(queued(&lanes[1]), [1], "the second lane has room, and it is not its turn");
    assert!(router.try_send(2).unwrap_err().is_full());
    assert!(router.send_timeout(2, MOMENT).unwrap_err().is_timed_out());
    let waiter = waiting_sender(&router, 2);
    assert_eq!(lanes[0].recv().unwrap(), 0);
    waiter.join().unwrap().unwrap();
    assert_eq!((queued(&lanes[0]), queued(&lanes[1])), (vec![2], vec![]));
}

#[test]
fn slow_lane_is_passed_over_if_that_is_chosen_and_the_send_waits_only_if_all_are_full() {
    let router = Router::round_robin(2).unwrap().slow_lanes(LaneRule::Skip);
    let lanes = add_lanes(&router, 2);
    send_all(&router, 0..4);
    assert_eq!(queued(&lanes[1]), [1, 3]);
    send_all(&router, [4, 5]);
    assert_eq!(lanes[1].receiver().len(), 2, "the first is full");
    assert!(router.try_send(6).unwrap_err().is_full());
    let waiter = waiting_sender(&router, 6);
    assert_eq!(lanes[1].recv().unwrap(), 4);
    waiter.join().unwrap().unwrap();
    assert_eq!((queued(&lanes[0]), queued(&lanes[1])), (vec![0, 2], vec![5, 6]));
}

#[test]
fn slow_lane_is_an_error_if_that_is_chosen_in_the_waiting_forms_too() {
    let router = Router::round_robin(1).unwrap().slow_lanes(LaneRule::Refuse);
    let _lanes = add_lanes(&router, 2);
    send_all(&router, [0, 1]);
    for error in [
        router.try_send(2).unwrap_err(),
        router.send(2).unwrap_err(),
        router.send_with(2, &CancellationToken::new()).unwrap_err(),
    ] {
        assert!(error.is_full());
        assert_eq!(error.to_string(), "the lane is full");
    }
}

#[test]
fn least_loaded_takes_the_shortest_queue_and_turns_among_equals() {
    let router = Router::least_loaded(4).unwrap();
    let lanes = add_lanes(&router, 3);
    send_all(&router, 0..3);
    assert!(lanes.iter().all(|lane| lane.receiver().len() == 1));
    send_all(&router, 3..6);
    assert_eq!(queued(&lanes[1]), [1, 4]);
    send_all(&router, [6, 7]);
    assert_eq!(queued(&lanes[1]), [6, 7], "both to the empty one");
}

#[test]
fn shared_queue_gives_each_item_to_one_lane_whichever_asks() {
    let router = Router::shared_queue(4).unwrap();
    let lanes = add_lanes(&router, 2);
    send_all(&router, 0..4);
    assert!(router.try_send(4).unwrap_err().is_full());
    let taken: Vec<_> = [0, 1, 1, 0].iter().map(|lane: &usize| lanes[*lane].try_recv().unwrap()).collect();
    assert_eq!(taken, [0, 1, 2, 3]);
    assert!(lanes.iter().all(|lane| lane.try_recv().unwrap_err().is_empty()));
}

#[test]
fn lower_lane_gets_what_the_first_cannot_take() {
    let router = Router::by_priority(2).unwrap();
    let lanes = add_lanes(&router, 3);
    send_all(&router, 0..5);
    assert_eq!(lanes[0].recv().unwrap(), 0);
    send_all(&router, [5]);
    let all: Vec<_> = lanes.iter().map(queued).collect();
    assert_eq!(all, [vec![1, 5], vec![2, 3], vec![4]]);
}

#[test]
fn reserve_lane_gets_nothing_before_the_first_is_dead() {
    let router = Router::by_priority(1).unwrap().slow_lanes(LaneRule::Wait);
    let mut lanes = add_lanes(&router, 2);
    send_all(&router, [0]);
    assert!(router.try_send(1).unwrap_err().is_full());
    let waiter = waiting_sender(&router, 1);
    drop(lanes.remove(0));
    waiter.join().unwrap().unwrap();
    assert_eq!(queued(&lanes[0]), [1]);
    assert_eq!(router.take_undelivered(), [0]);
}

#[test]
fn closure_names_the_lane_and_what_it_names_wrongly_is_refused() {
    let strangers = Router::<u8>::round_robin(1).unwrap();
    let strange = add_lanes(&strangers, 3)[2].id();
    let router = Router::custom(2, move |item: &u8, lanes| match item {
        0..=1 => lanes.get(usize::from(*item)).map(|lane| lane.id),
        2 => Some(strange),
        _ => None,
    })
    .unwrap();
    let lanes = add_lanes(&router, 2);
    send_all(&router, [1, 0, 1]);
    assert!(router.try_send(1).unwrap_err().is_full());
    assert!(router.send_timeout(1, MOMENT).unwrap_err().is_timed_out());
    let error = router.send(2).unwrap_err();
    assert!(matches!(error.kind(), RouteErrorKind::NoSuchLane(id) if *id == strange));
    assert_eq!(error.to_string(), "the closure named lane 2, which is not among the lanes");
    assert!(router.send(3).unwrap_err().is_no_lanes());
    assert_eq!((queued(&lanes[0]), queued(&lanes[1])), (vec![0], vec![1, 1]));
}

#[test]
fn dead_lane_is_skipped_or_an_error_or_waited_for_until_it_is_removed() {
    let skipping = Router::round_robin(1).unwrap();
    let mut lanes = add_lanes(&skipping, 2);
    drop(lanes.remove(0));
    send_all(&skipping, [0]);
    assert_eq!(queued(&lanes[0]), [0]);
    drop(lanes);
    assert!(skipping.send(1).unwrap_err().is_no_lanes(), "all are dead");

    let refusing = Router::round_robin(1).unwrap().dead_lanes(LaneRule::Refuse);
    let mut lanes = add_lanes(&refusing, 2);
    let dead = lanes.remove(0);
    let id = dead.id();
    drop(dead);
    let error = refusing.send(0).unwrap_err();
    assert!(matches!(error.kind(), RouteErrorKind::LaneDead(dead) if *dead == id));
    assert_eq!(error.to_string(), "nobody receives from lane 0 any more");
    assert_eq!(refusing.lanes().iter().map(|lane| lane.is_alive).collect::<Vec<_>>(), [false, true]);
    assert_eq!(refusing.remove_lane(id), Some(vec![]));
    send_all(&refusing, [0]);
    assert_eq!(queued(&lanes[0]), [0]);

    let waiting = Router::round_robin(1).unwrap().dead_lanes(LaneRule::Wait);
    let mut lanes = add_lanes(&waiting, 2);
    let dead = lanes.remove(0);
    let id = dead.id();
    drop(dead);
    assert!(waiting.try_send(0).unwrap_err().is_full());
    let waiter = waiting_sender(&waiting, 0);
    assert_eq!(waiting.remove_lane(id), Some(vec![]));
    waiter.join().unwrap().unwrap();
    assert_eq!(queued(&lanes[0]), [0]);
}

#[test]
fn token_ends_the_wait_for_room_and_the_item_comes_back() {
    let router = Router::round_robin(1).unwrap();
    let lanes = add_lanes(&router, 1);
    send_all(&router, ["first"]);
    let token = CancellationToken::new();
    let waiter = {
        let (router, token) = (router.clone(), token.clone());
        spawn(move || router.send_with("second", &token))
    };
    token.cancel();
    let error = waiter.join().unwrap().unwrap_err();
    assert!(error.is_cancelled() && std::error::Error::source(&error).is_some());
    assert_eq!(error.into_value(), "second");
    assert_eq!(queued(&lanes[0]), ["first"]);
    assert!(router.send_with("third", &token).unwrap_err().is_cancelled(), "though there is room");
    let late = CancellationToken::with_timeout(MOMENT);
    send_all(&router, ["fourth"]);
    assert!(router.send_with("fifth", &late).unwrap_err().is_cancelled());
}

#[test]
fn lanes_give_what_is_queued_and_end_when_the_last_router_is_gone() {
    for router in [Router::round_robin(4).unwrap(), Router::shared_queue(4).unwrap()] {
        let lanes = add_lanes(&router, 1);
        let clone = router.clone();
        send_all(&router, [0, 1]);
        drop(router);
        send_all(&clone, [2]);
        drop(clone);
        assert_eq!(lanes[0].iter().collect::<Vec<_>>(), [0, 1, 2]);
        assert_ended(lanes[0].recv());
        assert_ended(lanes[0].try_recv());
        assert_ended(lanes[0].recv_timeout(MOMENT));
        assert_ended(lanes[0].recv_with(&CancellationToken::new()));
    }
}

#[test]
fn every_form_of_receiving_from_a_lane_has_its_end() {
    for router in [Router::round_robin(1).unwrap(), Router::shared_queue(1).unwrap()] {
        let lane = router.add_lane();
        assert!(lane.try_recv().unwrap_err().is_empty());
        assert!(lane.recv_timeout(MOMENT).unwrap_err().is_timed_out());
        let token = CancellationToken::with_timeout(MOMENT);
        assert!(lane.recv_with(&token).unwrap_err().is_cancelled());
        send_all(&router, [1]);
        assert!(lane.recv_with(&token).unwrap_err().is_cancelled(), "though an item is there");
        assert_eq!(lane.until(&token).next(), None);
        assert_eq!(lane.until(&CancellationToken::new()).next(), Some(1));
        send_all(&router, [1]);
        assert_eq!(lane.recv_timeout(std::time::Duration::MAX).unwrap(), 1);
        let receiver = spawn(move || lane.recv());
        router.send(2).unwrap();
        assert_eq!(receiver.join().unwrap().unwrap(), 2);
    }
}
