//! Router and merge against sequential models, for any sequence of calls that do not wait.
#![cfg(not(any(gristmill_shuttle, gristmill_loom, gristmill_model_std)))]

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crossbeam_channel::{Receiver, Sender, bounded};
use gristmill::fan::{Lane, LaneId, LaneRule, Merge, MergeInput, ReceiveError, RouteErrorKind, Router};
use proptest::prelude::*;

const CAPACITY: usize = 3;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Policy {
    Shared,
    RoundRobin,
    LeastLoaded,
    Priority,
    Broadcast,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Send,
    /// With a time-out of zero, which must not leave a trace.
    SendInTime,
    /// From the i-th of the lanes that exist.
    Receive(usize),
    Add,
    /// The i-th of the lanes that exist.
    Remove(usize),
    Drop(usize),
    TakeUndelivered,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let which = any::<usize>;
    let step = prop_oneof![
        12 => Just(Step::Send),
        2 => Just(Step::SendInTime),
        8 => which().prop_map(Step::Receive),
        2 => Just(Step::Add),
        1 => which().prop_map(Step::Remove),
        1 => which().prop_map(Step::Drop),
        1 => Just(Step::TakeUndelivered),
    ];
    prop::collection::vec(step, 0..120)
}

fn rules() -> impl Strategy<Value = LaneRule> {
    prop_oneof![Just(LaneRule::Wait), Just(LaneRule::Skip), Just(LaneRule::Refuse)]
}

fn policies() -> impl Strategy<Value = Policy> {
    prop_oneof![
        Just(Policy::Shared),
        Just(Policy::RoundRobin),
        Just(Policy::LeastLoaded),
        Just(Policy::Priority),
        Just(Policy::Broadcast),
    ]
}

struct ModelLane {
    id: LaneId,
    queue: VecDeque<u32>,
    is_alive: bool,
}

/// What must happen, written down without a thought for speed.
struct Model {
    policy: Policy,
    slow: LaneRule,
    dead: LaneRule,
    lanes: Vec<ModelLane>,
    shared: VecDeque<u32>,
    turn: usize,
}

#[derive(Debug, PartialEq)]
enum Answer {
    Sent,
    Full,
    NoLanes,
    Dead(LaneId),
}

impl Model {
    fn send(&mut self, item: u32) -> Answer {
        match self.policy {
            Policy::Shared => {
                if self.lanes.is_empty() {
                    return Answer::NoLanes;
                }
                if self.shared.len() == CAPACITY {
                    return Answer::Full;
                }
                self.shared.push_back(item);
                Answer::Sent
            }
            Policy::Broadcast => self.send_to_all(item),
            _ => self.send_to_one(item),
        }
    }

    fn send_to_all(&mut self, item: u32) -> Answer {
        if let Some(dead) = self.lanes.iter().find(|lane| !lane.is_alive) {
            match self.dead {
                LaneRule::Wait => return Answer::Full,
                LaneRule::Refuse => return Answer::Dead(dead.id),
                LaneRule::Skip => {}
            }
        }
        let alive = || self.lanes.iter().filter(|lane| lane.is_alive);
        let full = alive().filter(|lane| lane.queue.len() == CAPACITY).count();
        if alive().count() == 0 {
            return Answer::NoLanes;
        }
        if full > 0 && (self.slow != LaneRule::Skip || full == alive().count()) {
            return Answer::Full;
        }
        for lane in self.lanes.iter_mut().filter(|lane| lane.is_alive && lane.queue.len() < CAPACITY) {
            lane.queue.push_back(item);
        }
        Answer::Sent
    }

    fn send_to_one(&mut self, item: u32) -> Answer {
        let count = self.lanes.len();
        let load = |at: &usize| {
            let lane = &self.lanes[*at];
            if lane.is_alive { lane.queue.len() } else { usize::MAX }
        };
        let first = match self.policy {
            Policy::Priority => 0,
            Policy::LeastLoaded => {
                (0..count).map(|step| (self.turn + step) % count).min_by_key(load).unwrap_or(0)
            }
            _ => self.turn,
        };
        let mut some_alive = false;
        for at in (0..count).map(|step| (first + step) % count) {
            let lane = &mut self.lanes[at];
            if !lane.is_alive {
                match self.dead {
                    LaneRule::Skip => continue,
                    LaneRule::Wait => return Answer::Full,
                    LaneRule::Refuse => return Answer::Dead(lane.id),
                }
            }
            some_alive = true;
            if lane.queue.len() < CAPACITY {
                lane.queue.push_back(item);
                self.turn = (at + 1) % count;
                return Answer::Sent;
            }
            if self.slow != LaneRule::Skip {
                return Answer::Full;
            }
        }
        if some_alive { Answer::Full } else { Answer::NoLanes }
    }

    fn remove(&mut self, at: usize) -> Vec<u32> {
        let lane = self.lanes.remove(at);
        if at < self.turn {
            self.turn -= 1;
        }
        lane.queue.into()
    }

    fn remove_by_id(&mut self, id: LaneId) -> Option<Vec<u32>> {
        let at = self.lanes.iter().position(|lane| lane.id == id)?;
        Some(self.remove(at))
    }

    fn drop_lane(&mut self, id: LaneId) {
        let Some(at) = self.lanes.iter().position(|lane| lane.id == id) else { return };
        self.lanes[at].is_alive = false;
        let is_forgotten = self.dead == LaneRule::Skip && self.lanes[at].queue.is_empty();
        if is_forgotten || self.policy == Policy::Shared {
            self.remove(at);
        }
    }

    fn take_undelivered(&mut self) -> Vec<u32> {
        if self.policy == Policy::Shared {
            return if self.lanes.is_empty() { self.shared.drain(..).collect() } else { Vec::new() };
        }
        let mut left = Vec::new();
        for lane in self.lanes.iter_mut().filter(|lane| !lane.is_alive) {
            left.extend(lane.queue.drain(..));
        }
        if self.dead == LaneRule::Skip {
            while let Some(at) = self.lanes.iter().position(|lane| !lane.is_alive) {
                self.remove(at);
            }
        }
        left
    }
}

fn answer(result: Result<(), gristmill::fan::RouteError<u32>>, item: u32) -> Answer {
    let Err(error) = result else { return Answer::Sent };
    let (back, kind) = error.into_parts();
    assert_eq!(back, item);
    match kind {
        RouteErrorKind::Full | RouteErrorKind::TimedOut => Answer::Full,
        RouteErrorKind::NoLanes => Answer::NoLanes,
        RouteErrorKind::LaneDead(id) => Answer::Dead(id),
        other => panic!("{other}"),
    }
}

fn pick<T>(list: &[T], which: usize) -> Option<usize> {
    (!list.is_empty()).then(|| which % list.len())
}

proptest! {
    #[test]
    fn router_does_what_the_model_does(policy in policies(), slow in rules(), dead in rules(), steps in steps()) {
        let router = match policy {
            Policy::Shared => Router::shared_queue(CAPACITY),
            Policy::RoundRobin => Router::round_robin(CAPACITY),
            Policy::LeastLoaded => Router::least_loaded(CAPACITY),
            Policy::Priority => Router::by_priority(CAPACITY),
            Policy::Broadcast => Router::broadcast(CAPACITY),
        };
        let router = router.unwrap().slow_lanes(slow).dead_lanes(dead);
        let mut model =
            Model { policy, slow, dead, lanes: Vec::new(), shared: VecDeque::new(), turn: 0 };
        let mut lanes: Vec<Lane<u32>> = Vec::new();
        for (item, step) in (0..).zip(steps) {
            match step {
                Step::Send => prop_assert_eq!(answer(router.try_send(item), item), model.send(item)),
                Step::SendInTime => {
                    let result = router.send_timeout(item, std::time::Duration::ZERO);
                    prop_assert_eq!(answer(result, item), model.send(item));
                }
                Step::Receive(which) => {
                    let Some(at) = pick(&lanes, which) else { continue };
                    let id = lanes[at].id();
                    let known = model.lanes.iter_mut().find(|lane| lane.id == id);
                    let expected = match known {
                        Some(_) if policy == Policy::Shared => model.shared.pop_front(),
                        Some(lane) => lane.queue.pop_front(),
                        None => None,
                    };
                    let is_known = model.lanes.iter().any(|lane| lane.id == id);
                    match lanes[at].try_recv() {
                        Ok(item) => prop_assert_eq!(Some(item), expected),
                        Err(ReceiveError::Empty) => prop_assert!(is_known && expected.is_none()),
                        Err(ReceiveError::Ended) => prop_assert!(!is_known),
                        Err(other) => panic!("{other}"),
                    }
                }
                Step::Add => {
                    let lane = router.add_lane();
                    model.lanes.push(ModelLane { id: lane.id(), queue: VecDeque::new(), is_alive: true });
                    lanes.push(lane);
                }
                Step::Remove(which) => {
                    let Some(at) = pick(&lanes, which) else { continue };
                    let id = lanes[at].id();
                    prop_assert_eq!(router.remove_lane(id), model.remove_by_id(id));
                }
                Step::Drop(which) => {
                    let Some(at) = pick(&lanes, which) else { continue };
                    let lane = lanes.remove(at);
                    model.drop_lane(lane.id());
                }
                Step::TakeUndelivered => {
                    prop_assert_eq!(router.take_undelivered(), model.take_undelivered());
                }
            }
            let seen: Vec<_> = router.lanes().iter().map(|lane| (lane.id, lane.queued, lane.is_alive)).collect();
            let queued = |lane: &ModelLane| {
                if policy == Policy::Shared { model.shared.len() } else { lane.queue.len() }
            };
            let expected: Vec<_> = model.lanes.iter().map(|lane| (lane.id, queued(lane), lane.is_alive)).collect();
            prop_assert_eq!(seen, expected);
        }
    }

    /// By key there is a promise and not a place: so the promise is checked, whatever lane it is.
    #[test]
    fn keys_in_flight_stay_in_one_lane_and_in_order(
        keys in 1..6_u32,
        in_hand in 0..4_usize,
        slow in rules(),
        steps in steps(),
    ) {
        let router = Router::by_key(CAPACITY, move |item: &u32| item % keys).unwrap().slow_lanes(slow).in_hand(in_hand);
        let mut lanes: Vec<Lane<u32>> = Vec::new();
        let mut sent: BTreeSet<u32> = BTreeSet::new();
        // What each lane has taken lately, newest last, and the last item that came of each key.
        let mut hands: BTreeMap<LaneId, Vec<u32>> = BTreeMap::new();
        let mut last: BTreeMap<u32, u32> = BTreeMap::new();
        for (item, step) in (0..).zip(steps) {
            let key = item % keys;
            match step {
                Step::Send | Step::SendInTime => {
                    let before = router.lanes();
                    if router.try_send(item).is_err() {
                        continue;
                    }
                    sent.insert(item);
                    let after = router.lanes();
                    let place = before.iter().zip(&after).find(|(old, new)| old.sent < new.sent).unwrap().1.id;
                    for lane in &lanes {
                        let taken = &hands[&lane.id()];
                        let recent = &taken[taken.len().saturating_sub(in_hand)..];
                        prop_assert!(lane.id() == place || recent.iter().all(|other| other % keys != key));
                    }
                }
                Step::Receive(which) => {
                    let Some(at) = pick(&lanes, which) else { continue };
                    if let Ok(item) = lanes[at].try_recv() {
                        prop_assert!(sent.remove(&item));
                        let before = last.insert(item % keys, item);
                        prop_assert!(before.is_none_or(|before| before < item));
                        hands.get_mut(&lanes[at].id()).unwrap().push(item);
                    }
                }
                // Lanes go only when they are empty and all is finished: that is where the promise ends.
                Step::Drop(which) | Step::Remove(which) => {
                    let Some(at) = pick(&lanes, which) else { continue };
                    if lanes[at].receiver().is_empty() {
                        let lane = lanes.remove(at);
                        hands.remove(&lane.id());
                    }
                }
                Step::Add => {
                    let lane = router.add_lane();
                    hands.insert(lane.id(), Vec::new());
                    lanes.push(lane);
                }
                Step::TakeUndelivered => prop_assert_eq!(router.take_undelivered(), Vec::<u32>::new()),
            }
        }
        for lane in &lanes {
            for item in lane.receiver().try_iter() {
                prop_assert!(sent.remove(&item));
            }
        }
        prop_assert!(sent.is_empty());
    }

    #[test]
    fn fair_merge_and_one_by_priority_do_what_their_models_do(
        turn in 0..4_usize,
        is_fair in any::<bool>(),
        steps in merge_steps(),
    ) {
        let mut model: Vec<(Option<Sender<u32>>, VecDeque<u32>)> = Vec::new();
        let mut merge = Merge::fair(Vec::<Receiver<u32>>::new()).turn(turn);
        if !is_fair {
            merge = Merge::by_priority(Vec::<Receiver<u32>>::new());
        }
        let (mut at, mut left) = (0, turn.max(1));
        for (item, step) in (0..).zip(steps) {
            match step {
                MergeStep::Add => {
                    let (sender, receiver) = bounded(100);
                    merge.add(receiver);
                    model.push((Some(sender), VecDeque::new()));
                }
                MergeStep::Send(which) => {
                    let Some(at) = pick(&model, which) else { continue };
                    let (sender, queue) = &mut model[at];
                    if let Some(sender) = sender {
                        sender.try_send(item).unwrap();
                        queue.push_back(item);
                    }
                }
                MergeStep::End(which) => {
                    let Some(at) = pick(&model, which) else { continue };
                    model[at].0 = None;
                }
                MergeStep::Receive => {
                    let mut expected = None;
                    if is_fair {
                        for _ in 0..=model.len() {
                            if let Some(item) = model.get_mut(at).filter(|_| left > 0).and_then(|line| line.1.pop_front()) {
                                left -= 1;
                                expected = Some(item);
                                break;
                            }
                            (at, left) = ((at + 1) % model.len().max(1), turn.max(1));
                        }
                    } else {
                        expected = model.iter_mut().find_map(|line| line.1.pop_front());
                    }
                    let result = merge.try_recv();
                    if expected.is_none() {
                        let before = model.iter().take(at).filter(|line| line.0.is_none()).count();
                        at -= before;
                        model.retain(|line| line.0.is_some());
                        at %= model.len().max(1);
                        prop_assert_eq!(result.as_ref().is_err_and(ReceiveError::is_ended), model.is_empty());
                    }
                    prop_assert_eq!(result.ok(), expected);
                }
            }
        }
        // What is left is in the channels.
        let mut left: Vec<u32> = merge.into_inputs().iter().flat_map(|input| input.receiver().try_iter()).collect();
        let mut expected: Vec<u32> = model.into_iter().flat_map(|line| line.1).collect();
        left.sort_unstable();
        expected.sort_unstable();
        prop_assert_eq!(left, expected);
    }

    #[test]
    fn sorted_merge_is_a_stable_sort_and_what_is_left_goes_back(
        inputs in prop::collection::vec(prop::collection::vec(0..9_u8, 0..12), 0..9),
        taken in 0..80_usize,
    ) {
        let mut inputs = inputs;
        let mut all = Vec::new();
        let mut channels = Vec::new();
        for (at, input) in inputs.iter_mut().enumerate() {
            input.sort_unstable();
            let (sender, receiver) = bounded(20);
            for item in input {
                all.push((*item, at));
                sender.send((*item, at)).unwrap();
            }
            channels.push(MergeInput::from(receiver));
        }
        all.sort_unstable(); // of equal items, the earlier input first
        let taken = taken.min(all.len());
        let merge = Merge::sorted_by(channels.clone(), |a: &(u8, usize), b: &(u8, usize)| a.0.cmp(&b.0));
        let got: Vec<_> = merge.take(taken).collect();
        prop_assert_eq!(&got[..], &all[..taken]);
        for (at, channel) in channels.into_iter().enumerate() {
            let (mut left, receiver) = channel.into_parts();
            left.extend(receiver.try_iter());
            let expected: Vec<_> = all[taken..].iter().copied().filter(|item| item.1 == at).collect();
            prop_assert_eq!(left, expected);
        }
    }

    #[test]
    fn merge_by_sequence_delivers_what_is_there_in_order_and_names_each_gap(
        window in prop_oneof![0..6_usize, Just(64)],
        places in prop::collection::vec(prop::option::weighted(0.9, 0..4_usize), 0..40),
        swaps in prop::collection::vec((0..4_usize, any::<usize>()), 0..6),
        taken in 0..40_usize,
    ) {
        // Number i is in the input that `places` says, if it is anywhere; a few neighbours are swapped.
        let mut inputs = vec![Vec::new(); 4];
        for (number, place) in (0_u64..).zip(&places) {
            if let Some(place) = place {
                inputs[*place].push(number);
            }
        }
        for (input, which) in swaps {
            if let Some(at) = pick(&inputs[input], which).filter(|at| *at > 0) {
                inputs[input].swap(at - 1, at);
            }
        }
        let channels: Vec<_> = inputs
            .iter()
            .map(|numbers| {
                let (sender, receiver) = bounded(50);
                for number in numbers {
 sender.send(*number).unwrap();
}
                MergeInput::from(receiver)
            })
            .collect();
        let mut merge = Merge::by_sequence(channels.clone(), window, |number: &u64| *number);
        let mut got = Vec::new();
        let mut late = Vec::new();
        while got.len() < taken {
            match merge.try_recv() {
                Ok(number) => {
                    prop_assert!(got.last().is_none_or(|before| *before < number));
                    got.push(number);
                }
                Err(ReceiveError::Gap { missing, found }) => {
                    prop_assert!(missing < found && got.last().is_none_or(|before| *before < missing));
                    // With a small window, what is missing may lie behind what waits at the window.
                    let is_there = |number: u64| places[usize::try_from(number).unwrap()].is_some();
                    prop_assert!(window < 64 || !(missing..found).any(is_there), "{missing} to {found}");
                    merge.skip_to(found);
                }
                Err(ReceiveError::Late { number }) => {
                    prop_assert_eq!(merge.take_late(), Some(number));
                    late.push(number);
                }
                Err(end) => {
                    prop_assert!(end.is_ended());
                    break;
                }
            }
        }
        drop(merge);
        let mut all: Vec<u64> = got.into_iter().chain(late).collect();
        for (channel, sent) in channels.into_iter().zip(&inputs) {
            let (mut left, receiver) = channel.into_parts();
            left.extend(receiver.try_iter());
            // Each input's own order is kept by what goes back.
            prop_assert!(left.iter().map(|number| sent.iter().position(|other| other == number)).is_sorted());
            all.extend(left);
        }
        all.sort_unstable();
        let expected: Vec<u64> = (0..).zip(&places).filter(|(_, place)| place.is_some()).map(|(number, _)| number).collect();
        prop_assert_eq!(all, expected);
    }
}

#[derive(Clone, Copy, Debug)]
enum MergeStep {
    Add,
    Send(usize),
    End(usize),
    Receive,
}

fn merge_steps() -> impl Strategy<Value = Vec<MergeStep>> {
    let which = any::<usize>;
    let step = prop_oneof![
        1 => Just(MergeStep::Add),
        8 => which().prop_map(MergeStep::Send),
        1 => which().prop_map(MergeStep::End),
        8 => Just(MergeStep::Receive),
    ];
    prop::collection::vec(step, 0..120)
}
