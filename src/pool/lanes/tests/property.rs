//! Random runs against a plain list of what is queued, and against the stated bound.

use std::cell::Cell;
use std::cmp::Reverse;

use proptest::prelude::*;

use super::*;

/// One step of a random run; the numbers choose among what there is.
#[derive(Clone, Copy, Debug)]
enum Step {
    Push(Place),
    /// Takes a submission number, and pushes under it at a later step.
    Number(Place),
    PushNumbered(usize),
    Pop,
    PutBack(usize, u64),
    Ended(usize),
    Pass(u64),
    Drain,
}

fn place() -> impl Strategy<Value = Place> {
    (
        prop_oneof![4 => -1..3_i8, 1 => any::<i8>()],
        prop_oneof![2 => Just(None), 3 => (0..4_u64).prop_map(Some)],
    )
        .prop_map(|(level, class)| Place { level, class })
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        12 => place().prop_map(Step::Push),
        2 => place().prop_map(Step::Number),
        2 => any::<usize>().prop_map(Step::PushNumbered),
        12 => Just(Step::Pop),
        4 => (any::<usize>(), 0..6_u64).prop_map(|(which, ticks)| Step::PutBack(which, ticks)),
        6 => any::<usize>().prop_map(Step::Ended),
        3 => (0..4_u64).prop_map(Step::Pass),
        1 => Just(Step::Drain),
    ];
    prop::collection::vec(step, 0..120)
}

/// The same by the letter of the module's doc: a list, and a search through all of it.
struct Model {
    ageing: u64,
    caps: BTreeMap<i8, usize>,
    queued: Vec<(Place, u64)>,
    running: Vec<(Place, u64)>,
    closed: BTreeMap<Option<u64>, Instant>,
}

impl Model {
    fn has_room(&self, level: i8) -> bool {
        let running = self.running.iter().filter(|(place, _)| place.level == level).count();
        self.caps.get(&level).is_none_or(|cap| running < *cap)
    }

    fn pop(&mut self, now: Instant) -> Pick<u64> {
        if self.queued.is_empty() {
            return Pick::Empty;
        }
        self.closed.retain(|_, until| *until > now);
        let eligible = self
            .queued
            .iter()
            .filter(|(place, _)| self.has_room(place.level) && !self.closed.contains_key(&place.class));
        let rank = |(place, number): &(Place, u64)| {
            i128::from(*number) - i128::from(place.level) * i128::from(self.ageing)
        };
        let first = eligible.min_by_key(|task| (rank(task), Reverse(task.0.level)));
        let Some(&(place, number)) = first else {
            return self.closed.values().min().map_or(Pick::Held, |until| Pick::Until(*until));
        };
        self.queued.retain(|task| task.1 != number);
        self.running.push((place, number));
        Pick::Task { place, number, entry: number }
    }

    /// Ends a running task after `requeue` with it; returns whether that let an open task start that a cap held.
    fn end(&mut self, which: usize, requeue: impl FnOnce(&mut Self, (Place, u64))) -> ((Place, u64), bool) {
        let task = self.running[which];
        let had_room = self.has_room(task.0.level);
        self.running.remove(which);
        requeue(self, task);
        let is_eligible = |(place, _): &(Place, u64)| {
            place.level == task.0.level && !self.closed.contains_key(&place.class)
        };
        (task, !had_room && self.has_room(task.0.level) && self.queued.iter().any(is_eligible))
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_answer_is_that_of_a_search_through_a_plain_list(
        ageing in prop_oneof![Just(0), Just(1), Just(4), Just(u64::MAX)],
        caps in prop::collection::btree_map(-1..3_i8, 0..3_usize, 0..3),
        steps in steps(),
    ) {
        let mut lanes = Lanes::new(ageing, caps.clone());
        let (queued, running, closed) = (Vec::new(), Vec::new(), BTreeMap::new());
        let mut model = Model { ageing, caps, queued, running, closed };
        let (mut now, mut next, mut numbered) = (time::now(), 0, Vec::new());
        for step in steps {
            match step {
                Step::Push(place) => {
                    lanes.push(place, next, next);
                    model.queued.push((place, next));
                    next += 1;
                }
                Step::Number(place) => {
                    numbered.push((place, next));
                    next += 1;
                }
                Step::PushNumbered(which) => if !numbered.is_empty() {
                    let (place, number) = numbered.swap_remove(which % numbered.len());
                    lanes.push(place, number, number);
                    model.queued.push((place, number));
                }
                Step::Pop => {
                    let is_any_closed = !model.closed.is_empty() && !model.queued.is_empty();
                    let is_asked = Cell::new(false);
                    let pick = lanes.pop(|| { is_asked.set(true); now });
                    prop_assert_eq!(pick, model.pop(now));
                    prop_assert_eq!(is_asked.get(), is_any_closed);
                }
                Step::PutBack(which, ticks) => if !model.running.is_empty() {
                    let until = now + Duration::from_millis(ticks);
                    let ((place, number), freed) = model.end(which % model.running.len(), |model, task| {
                        model.queued.push(task);
                        let end = model.closed.entry(task.0.class).or_insert(until);
                        *end = until.max(*end);
                    });
                    prop_assert_eq!(lanes.put_back(place, number, number, until), freed);
                }
                Step::Ended(which) => if !model.running.is_empty() {
                    let ((place, _), freed) = model.end(which % model.running.len(), |_, _| {});
                    prop_assert_eq!(lanes.ended(place.level), freed);
                }
                Step::Pass(ticks) => now += Duration::from_millis(ticks),
                Step::Drain => {
                    let mut all: Vec<u64> = model.queued.drain(..).map(|(_, number)| number).collect();
                    all.sort_unstable();
                    model.closed.clear();
                    prop_assert_eq!(lanes.drain(), all.into_iter().map(|number| (number, number)).collect::<Vec<_>>());
                }
            }
            prop_assert_eq!(lanes.len(), model.queued.len());
            prop_assert_eq!(lanes.is_empty(), model.queued.is_empty());
            for (level, queued) in lanes.levels() {
                prop_assert_eq!(lanes.queued(level), queued);
                prop_assert_eq!(model.queued.iter().filter(|(place, _)| place.level == level).count(), queued);
            }
            prop_assert_eq!(lanes.levels().map(|(_, queued)| queued).sum::<usize>(), lanes.len());
        }
    }

    /// The bound of the module's doc, counted and not computed.
    #[test]
    fn no_task_is_overtaken_by_more_later_submissions_than_stated(
        ageing in 0..6_u64,
        steps in prop::collection::vec(prop_oneof![(0..4_i8).prop_map(Some), Just(None)], 0..300),
    ) {
        let mut lanes = Lanes::new(ageing, BTreeMap::new());
        let (mut levels, mut starts): (Vec<i8>, Vec<u64>) = (Vec::new(), Vec::new());
        for step in steps {
            if let Some(level) = step {
                lanes.push(at(level), levels.len() as u64, levels.len() as u64);
                levels.push(level);
            } else {
                starts.extend(started(&lanes.pop(no_clock)));
            }
        }
        starts.extend(order(&mut lanes));
        for (place, &number) in starts.iter().enumerate() {
            let level = levels[usize::try_from(number).unwrap()];
            for difference in 0..4 {
                let overtook = starts[..place].iter().filter(|&&other| {
                    other > number && levels[usize::try_from(other).unwrap()] <= level.saturating_add(difference)
                });
                prop_assert!(overtook.count() as u64 <= u64::from(difference.unsigned_abs()) * ageing);
            }
        }
    }
}
