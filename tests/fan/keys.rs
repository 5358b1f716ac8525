//! Routing by key: what is promised for the items of one key.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use gristmill::fan::{Lane, LaneId, LaneRule, Router};

use crate::support::{add_lanes, queued, send_all, waiting_sender};

fn by_key(capacity: usize) -> Router<(u32, u32)> {
    Router::by_key(capacity, |item: &(u32, u32)| item.0).unwrap()
}

/// The lane of each key that has something queued; asserts that no key is in two.
fn places(lanes: &[Lane<(u32, u32)>]) -> HashMap<u32, LaneId> {
    let mut places = HashMap::new();
    for lane in lanes {
        for (key, _) in queued(lane) {
            let other = *places.entry(key).or_insert(lane.id());
            assert_eq!(other, lane.id(), "key {key} is in two lanes");
        }
    }
    places
}

#[test]
fn key_stays_with_its_lane_as_long_as_the_lanes_stay_the_same() {
    let router = by_key(100);
    let lanes = add_lanes(&router, 4);
    let mut first = None;
    for round in 0..3 {
        send_all(&router, (0..100).map(|key| (key, round)));
        let now = places(&lanes); // takes all out
        assert_eq!(now, *first.get_or_insert(now.clone()));
    }
    let used: BTreeSet<_> = first.unwrap().into_values().collect();
    assert_eq!(used.len(), 4, "a hundred keys are spread over all lanes");
}

#[test]
fn dead_lane_that_is_kept_keeps_its_keys() {
    for rule in [LaneRule::Wait, LaneRule::Refuse] {
        let router = by_key(1000).dead_lanes(rule);
        let old = router.add_lane();
        send_all(&router, (0..100).map(|key| (key, 0)));
        let new = router.add_lane();
        drop(old);
        // Some of the keys belong to the new lane; but their items lie in the old one.
        assert!((0..100).all(|key| router.try_send((key, 1)).is_err()));
        assert_eq!(queued(&new), []);
    }
}

#[test]
fn items_of_a_key_arrive_in_the_order_in_which_they_were_sent() {
    let router = by_key(100);
    let lanes = add_lanes(&router, 3);
    send_all(&router, (0..100).map(|number| (number % 5, number)));
    for lane in &lanes {
        let mut last = BTreeMap::new();
        for (key, number) in queued(lane) {
            assert!(last.insert(key, number).is_none_or(|before| before < number));
        }
    }
}

#[test]
fn key_moves_to_a_new_lane_only_once_nothing_of_it_is_in_flight() {
    let twin = by_key(4);
    let both = add_lanes(&twin, 2);
    // A key that belongs to the second of two lanes, and one that belongs to the first.
    let mut keys = (0..).map(|key| {
        send_all(&twin, [(key, 0)]);
        (key, places(&both)[&key])
    });
    let key = keys.find(|(_, lane)| *lane == both[1].id()).unwrap().0;
    let other = keys.find(|(_, lane)| *lane == both[0].id()).unwrap().0;

    let router = by_key(4);
    let old = router.add_lane();
    send_all(&router, [(key, 1), (key, 2)]);
    let new = router.add_lane();
    assert_eq!(old.recv().unwrap(), (key, 1));
    send_all(&router, [(key, 3)]);
    assert_eq!(queued(&old), [(key, 2), (key, 3)], "2 was queued");
    send_all(&router, [(key, 4)]);
    assert_eq!(queued(&old), [(key, 4)], "3 was in the hands of the receiver");
    send_all(&router, [(other, 0)]);
    assert_eq!(queued(&old), [(other, 0)], "it has taken another item, so it is through with 4");
    send_all(&router, [(key, 5)]);
    assert_eq!((queued(&old), queued(&new)), (vec![], vec![(key, 5)]));
}

#[test]
fn items_in_hand_are_as_many_as_the_receiver_says() {
    let router = by_key(8).in_hand(3);
    let mut lanes = add_lanes(&router, 1);
    send_all(&router, (0..20).map(|key| (key, 0)).take(4));
    queued(&lanes[0]);
    lanes.extend(add_lanes(&router, 7));
    // Key 0 is out of the three last ones, 1 to 3 are in hand.
    send_all(&router, (0..4).map(|key| (key, 1)));
    let stayed: Vec<_> = queued(&lanes[0]).into_iter().map(|(key, _)| key).collect();
    assert!(stayed.ends_with(&[1, 2, 3]), "{stayed:?}");
}

#[test]
fn new_lane_moves_only_the_keys_that_it_gets() {
    let router = by_key(1000);
    let mut lanes = add_lanes(&router, 4);
    send_all(&router, (0..1000).map(|key| (key, 0)));
    let before = places(&lanes);
    // One item more of a key for each lane, so that no other key is in hand.
    lanes.extend(add_lanes(&router, 1));
    send_all(&router, (0..1000).map(|key| (key, 1)));
    let after = places(&lanes);
    let moved: Vec<_> = (0..1000).filter(|key| before[key] != after[key]).collect();
    assert!(moved.iter().all(|key| after[key] == lanes[4].id()), "those that move go to the new lane");
    assert!((100..300).contains(&moved.len()), "a fifth of them, about: {}", moved.len());
}

#[test]
fn keys_of_a_removed_lane_are_spread_over_the_others_and_no_other_key_moves() {
    let router = by_key(1000);
    let mut lanes = add_lanes(&router, 4);
    send_all(&router, (0..1000).map(|key| (key, 0)));
    let before = places(&lanes);
    let gone = lanes.remove(1);
    assert_eq!(router.remove_lane(gone.id()), Some(vec![]));
    send_all(&router, (0..1000).map(|key| (key, 1)));
    let after = places(&lanes);
    for key in 0..1000 {
        assert!(before[&key] == after[&key] || before[&key] == gone.id());
    }
    let heirs: BTreeSet<_> =
        (0..1000).filter(|key| before[key] == gone.id()).map(|key| after[&key]).collect();
    assert_eq!(heirs.len(), 3);
}

#[test]
fn key_in_flight_waits_for_its_lane_though_full_lanes_are_skipped() {
    let router = by_key(1).slow_lanes(LaneRule::Skip);
    let lanes = add_lanes(&router, 2);
    send_all(&router, [(7, 0)]);
    assert!(router.try_send((7, 1)).unwrap_err().is_full(), "the other lane has room");
    let waiter = waiting_sender(&router, (7, 1));
    let its = usize::from(lanes[0].receiver().is_empty());
    assert_eq!(lanes[its].recv().unwrap(), (7, 0));
    waiter.join().unwrap().unwrap();
    assert_eq!(queued(&lanes[its]), [(7, 1)]);
    assert_eq!(queued(&lanes[1 - its]), []);
}

#[test]
fn key_that_is_not_in_flight_goes_past_a_full_lane_if_that_is_chosen() {
    let router = by_key(1).slow_lanes(LaneRule::Skip);
    let lanes = add_lanes(&router, 2);
    // Two lanes of one place each: two keys always find room, whatever their homes are.
    for first in 0..20 {
        send_all(&router, [(first, 0), (first + 100, 0)]);
        assert_eq!(lanes.iter().map(|lane| queued(lane).len()).collect::<Vec<_>>(), [1, 1]);
    }
}

#[test]
fn memory_of_keys_does_not_grow_with_their_number() {
    let router = Router::by_key(2, |item: &u64| *item).unwrap();
    let lane = router.add_lane();
    let mut largest = 0;
    for chunk in 0..100 {
        let growth = allocation_counter::measure(|| {
            for key in chunk * 1000..(chunk + 1) * 1000 {
                router.send(key).unwrap();
                lane.recv().unwrap();
            }
        });
        if chunk > 0 {
            largest = largest.max(growth.bytes_max);
        }
    }
    assert!(largest < 1024, "{largest} bytes more for a thousand new keys");
}

#[test]
fn lane_that_is_dead_when_dead_lanes_come_to_be_skipped_keeps_no_keys() {
    let router = by_key(1000).dead_lanes(LaneRule::Wait);
    let old = router.add_lane();
    send_all(&router, (0..100).map(|key| (key, 0)));
    let new = router.add_lane();
    drop(old);
    let router = router.dead_lanes(LaneRule::Skip);
    send_all(&router, (0..100).map(|key| (key, 1)));
    assert_eq!(queued(&new).len(), 100);
    assert_eq!(router.take_undelivered().len(), 100);
}
