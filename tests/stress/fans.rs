//! One stream for many receivers that may leave, and many streams as one: nothing lost, nothing twice, and in order where that is promised.

use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};
use gristmill::CancellationToken;
use gristmill::fan::{Lane, LaneRule, Merge, ReceiveError, Router};

use crate::Turn;
use crate::dice::Dice;
use crate::ledger::{Item, Ledger};

/// So that an item's number says who sent it.
const SHARE: u64 = 1_000_000;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Policy {
    Shared,
    RoundRobin,
    LeastLoaded,
    Priority,
    ByKey,
    Broadcast,
}

#[derive(Debug)]
struct Plan {
    policy: Policy,
    capacity: usize,
    lanes: usize,
    senders: u64,
    items: u64,
    /// Whether full lanes are passed over.
    skips: bool,
    /// Whether all lanes but the first leave after a few items.
    leave: bool,
}

/// What one lane has received, in order: `most` items, or what comes before `stop`, or all.
fn receive(lane: &Lane<Item>, most: usize, stop: &CancellationToken, dice: &mut Dice) -> Vec<u64> {
    let mut seen = Vec::new();
    while seen.len() < most && !stop.is_cancelled() {
        let received = match dice.below(4) {
            0 => lane.try_recv(),
            1 => lane.recv_timeout(Duration::from_micros(50)),
            _ => lane.recv_with(stop),
        };
        match received {
            Ok(item) => seen.push(item.number),
            Err(ReceiveError::Empty | ReceiveError::TimedOut) => thread::yield_now(),
            Err(ReceiveError::Ended | ReceiveError::Cancelled(_)) => break,
            Err(error) => panic!("{error}"),
        }
    }
    seen
}

/// What was accepted.
fn send(router: &Router<Item>, sender: u64, items: u64, ledger: &Ledger, dice: &mut Dice) -> Vec<u64> {
    let sent = (0..items).filter_map(|place| {
        let number = sender * SHARE + place;
        let item = ledger.item(number);
        let end = match dice.below(4) {
            0 => router.try_send(item),
            1 => router.send_timeout(item, Duration::from_micros(dice.below(200))),
            _ => router.send(item),
        };
        if let Err(error) = &end {
            assert!(error.is_full() || error.is_timed_out(), "{error:?}");
        }
        end.is_ok().then_some(number)
    });
    sent.collect()
}

/// What came of each sender came in the order in which it was sent.
#[track_caller]
fn in_order_of_senders(seen: &[u64]) {
    let mut last = [None; 8];
    for number in seen {
        let before = last[usize::try_from(number / SHARE).expect("small")].replace(*number);
        assert!(before < Some(*number), "{number} after {before:?}");
    }
}

pub(crate) fn router(turn: &mut Turn<'_>) {
    let dice = &mut turn.dice;
    let policies = [
        Policy::Shared,
        Policy::RoundRobin,
        Policy::LeastLoaded,
        Policy::Priority,
        Policy::ByKey,
        Policy::Broadcast,
    ];
    let plan = Plan {
        policy: dice.pick(&policies),
        capacity: dice.pick(&[1, 2, 8, 64]),
        lanes: dice.within(1..=5),
        senders: 1 + dice.below(4),
        items: dice.below(200),
        skips: dice.one_in(3),
        leave: dice.one_in(3),
    };
    turn.plan(&plan);
    let ledger = Ledger::default();
    let router = match plan.policy {
        Policy::Shared => Router::shared_queue(plan.capacity),
        Policy::RoundRobin => Router::round_robin(plan.capacity),
        Policy::LeastLoaded => Router::least_loaded(plan.capacity),
        Policy::Priority => Router::by_priority(plan.capacity),
        Policy::ByKey => Router::by_key(plan.capacity, |item: &Item| item.number % 7),
        Policy::Broadcast => Router::broadcast(plan.capacity),
    };
    // A broadcast that passes over a lane leaves it without the item.
    let skips = plan.skips && plan.policy != Policy::Broadcast;
    let mut router = router.expect("a good capacity").dead_lanes(LaneRule::Skip);
    if skips {
        router = router.slow_lanes(LaneRule::Skip);
    }
    let lanes: Vec<_> = (0..plan.lanes).map(|_| router.add_lane()).collect();
    let (stays, leaves) = (CancellationToken::new(), CancellationToken::new());
    let (received, left, mut sent) = thread::scope(|threads| {
        let receivers: Vec<_> = lanes
            .into_iter()
            .enumerate()
            .map(|(index, lane)| {
                let mut dice = turn.dice.split();
                let (most, stop) = if plan.leave && index > 0 {
                    (dice.within(0..=20), &leaves)
                } else {
                    (usize::MAX, &stays)
                };
                threads.spawn(move || receive(&lane, most, stop, &mut dice))
            })
            .collect();
        let senders: Vec<_> = (0..plan.senders)
            .map(|sender| {
                let (router, ledger, mut dice) = (router.clone(), &ledger, turn.dice.split());
                threads.spawn(move || send(&router, sender, plan.items, ledger, &mut dice))
            })
            .collect();
        let sent: Vec<u64> =
            senders.into_iter().flat_map(|sender| sender.join().expect("no claim fails")).collect();
        let mut receivers = receivers.into_iter();
        let first = receivers.next().expect("there is one that stays");
        leaves.cancel();
        let (mut others, mut left) = (Vec::new(), Vec::new());
        if plan.leave {
            others.extend(receivers.by_ref().map(|receiver| receiver.join().expect("no claim fails")));
            // What the dead lanes had; the others end with the last router.
            left.extend(router.take_undelivered().iter().map(|item| item.number));
        }
        drop(router);
        others.extend(receivers.map(|receiver| receiver.join().expect("no claim fails")));
        others.insert(0, first.join().expect("no claim fails"));
        (others, left, sent)
    });
    sent.sort_unstable();
    ledger.is_closed();
    for seen in &received {
        in_order_of_senders(seen);
    }
    if plan.policy == Policy::Broadcast {
        let whole = &received[0];
        assert_eq!(whole.len(), sent.len());
        // All lanes see the same order, those that leave the beginning of it.
        assert!(received.iter().all(|seen| whole.starts_with(seen)));
        assert!(plan.leave || received.iter().all(|seen| seen.len() == whole.len()));
    } else {
        let mut all: Vec<u64> = received.into_iter().flatten().chain(left).collect();
        all.sort_unstable();
        assert_eq!(all, sent);
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Order {
    Fair,
    Priority,
    Sorted,
    Sequence,
}

#[derive(Debug)]
struct MergePlan {
    order: Order,
    capacity: usize,
    inputs: u64,
    items: u64,
    window: usize,
    /// How many are taken.
    most: usize,
}

/// Sends its share of the numbers, in order, for as long as somebody receives.
fn feed(sender: &Sender<Item>, first: u64, plan: &MergePlan, ledger: &Ledger) {
    let step = usize::try_from(plan.inputs).expect("small");
    for number in (first..plan.items).step_by(step) {
        if sender.send(ledger.item(number)).is_err() {
            break;
        }
    }
}

fn merged(merge: &mut Merge<Item>, plan: &MergePlan, dice: &mut Dice) -> Vec<u64> {
    let mut seen = Vec::new();
    while seen.len() < plan.most {
        let received = match dice.below(4) {
            0 => merge.try_recv(),
            1 => merge.recv_timeout(Duration::from_micros(50)),
            _ => merge.recv(),
        };
        match received {
            Ok(item) => seen.push(item.number),
            Err(ReceiveError::Empty | ReceiveError::TimedOut) => thread::yield_now(),
            Err(error) => {
                assert!(error.is_ended(), "{error}");
                break;
            }
        }
    }
    seen
}

pub(crate) fn merge(turn: &mut Turn<'_>) {
    let dice = &mut turn.dice;
    let plan = MergePlan {
        order: dice.pick(&[Order::Fair, Order::Priority, Order::Sorted, Order::Sequence]),
        capacity: dice.pick(&[1, 2, 16]),
        inputs: 1 + dice.below(7),
        items: dice.below(500),
        window: dice.pick(&[1, 2, 64]),
        most: if dice.one_in(3) { dice.within(0..=100) } else { usize::MAX },
    };
    turn.plan(&plan);
    let ledger = Ledger::default();
    let seen = thread::scope(|threads| {
        let inputs: Vec<Receiver<Item>> = (0..plan.inputs)
            .map(|first| {
                let ((sender, receiver), plan, ledger) = (bounded(plan.capacity), &plan, &ledger);
                threads.spawn(move || feed(&sender, first, plan, ledger));
                receiver
            })
            .collect();
        let mut merge = match plan.order {
            Order::Fair => Merge::fair(inputs),
            Order::Priority => Merge::by_priority(inputs),
            Order::Sorted => Merge::sorted_by(inputs, |left: &Item, right| left.number.cmp(&right.number)),
            Order::Sequence => Merge::by_sequence(inputs, plan.window, |item: &Item| item.number),
        };
        merged(&mut merge, &plan, &mut turn.dice)
    });
    ledger.is_closed();
    if matches!(plan.order, Order::Sorted | Order::Sequence) {
        assert!(seen.is_sorted());
    }
    let mut last = vec![None; usize::try_from(plan.inputs).expect("small")];
    for number in &seen {
        let before = last[usize::try_from(number % plan.inputs).expect("small")].replace(*number);
        assert!(before < Some(*number), "{number} after {before:?} of the same input");
    }
    if plan.most == usize::MAX {
        assert_eq!(seen.len() as u64, plan.items);
    } else {
        assert_eq!(seen.len(), plan.most.min(usize::try_from(plan.items).expect("small")));
    }
}
