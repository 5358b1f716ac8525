//! The order of starts, the bound, the caps and the classes one by one.

mod property;

use super::*;
use crate::sync::time::{self, Duration};

/// A million; less where that takes long: unoptimized, interpreted.
const MANY: u64 = if cfg!(miri) {
    1_000
} else if cfg!(debug_assertions) {
    100_000
} else {
    1_000_000
};

fn at(level: i8) -> Place {
    Place { level, class: None }
}

fn of_class(level: i8, class: u64) -> Place {
    Place { level, class: Some(class) }
}

fn lanes(ageing: u64, caps: &[(i8, usize)]) -> Lanes<u64> {
    Lanes::new(ageing, caps.iter().copied().collect())
}

fn no_clock() -> Instant {
    panic!("the clock is asked though nothing is closed")
}

/// The number of the task that starts now; it is also its entry.
fn started(pick: &Pick<u64>) -> Option<u64> {
    match pick {
        Pick::Task { number, entry, .. } => {
            assert_eq!(number, entry);
            Some(*number)
        }
        _ => None,
    }
}

fn order(lanes: &mut Lanes<u64>) -> Vec<u64> {
    std::iter::from_fn(|| started(&lanes.pop(no_clock))).collect()
}

#[test]
fn higher_levels_start_first_and_equal_ones_in_submission_order_across_classes() {
    let mut lanes = lanes(u64::MAX, &[]);
    for (number, level) in [0, 1, -1, 1, 0, i8::MIN, i8::MAX, 1, 0].into_iter().enumerate() {
        let number = number as u64;
        lanes.push(Place { level, class: (number % 3 > 0).then_some(number % 3) }, number, number);
    }
    assert!(lanes.levels().eq([(i8::MAX, 1), (1, 3), (0, 3), (-1, 1), (i8::MIN, 1)]));
    assert_eq!(order(&mut lanes), [6, 1, 3, 7, 0, 4, 8, 2, 5]);
    assert_eq!(lanes.pop(no_clock), Pick::Empty);
}

#[test]
fn without_weight_of_levels_the_order_is_that_of_submission() {
    let mut lanes = lanes(0, &[]);
    for number in 0..100 {
        lanes.push(at(i8::try_from(number % 7).unwrap()), number, number);
    }
    assert!(order(&mut lanes).into_iter().eq(0..100));
}

#[test]
fn low_task_under_a_steady_stream_of_high_ones_starts_at_the_stated_bound() {
    let much = if cfg!(miri) { 2 } else { 100 };
    for (ageing, difference) in [(1, 1), (10, 1), (10, 3), (much, 255)] {
        let low = i8::MIN;
        let high = i8::try_from(i16::from(low) + difference).unwrap();
        let mut lanes = lanes(ageing, &[]);
        lanes.push(at(low), 0, 0);
        // One comes and one starts, for ever.
        let overtakers = (1..).take_while(|&number| {
            lanes.push(at(high), number, number);
            started(&lanes.pop(no_clock)) != Some(0)
        });
        assert_eq!(overtakers.count() as u64, u64::try_from(difference).unwrap() * ageing);
    }
}

#[test]
fn largest_ageing_never_lets_a_lower_level_pass_and_does_not_overflow() {
    let mut lanes = lanes(u64::MAX, &[]);
    lanes.push(at(i8::MIN), 0, 0);
    lanes.push(at(-1), 1, 1);
    lanes.push(at(0), u64::MAX - 1, u64::MAX - 1);
    lanes.push(at(i8::MAX), u64::MAX, u64::MAX);
    assert_eq!(order(&mut lanes), [u64::MAX, u64::MAX - 1, 1, 0]);
}

#[test]
fn level_at_its_cap_is_skipped_and_goes_on_when_one_of_it_has_ended() {
    let mut lanes = lanes(u64::MAX, &[(5, 2)]);
    for (number, level) in [5, 5, 5, 5, 0].into_iter().enumerate() {
        lanes.push(at(level), number as u64, number as u64);
    }
    assert_eq!(order(&mut lanes), [0, 1, 4], "two of level 5, then what is below it");
    assert_eq!(lanes.pop(no_clock), Pick::Held);
    assert!(!lanes.ended(0), "what ends in another level frees nothing");
    assert!(!lanes.ended(-7), "nor in one that never was used");
    assert!(lanes.ended(5));
    assert!(!lanes.ended(5), "a second place is free: nobody waits who was not told of the first");
    assert_eq!(order(&mut lanes), [2, 3]);
    assert!(!lanes.ended(5), "nothing of the level is queued");
    assert_eq!(lanes.pop(no_clock), Pick::Empty);
}

#[test]
fn level_with_a_cap_of_zero_holds_all_it_has_and_nothing_else() {
    let mut lanes = lanes(1, &[(3, 0)]);
    lanes.push(at(3), 0, 0);
    lanes.push(at(0), 1, 1);
    assert_eq!(order(&mut lanes), [1]);
    assert_eq!(lanes.pop(no_clock), Pick::Held);
    assert_eq!(lanes.drain(), [(0, 0)]);
}

#[test]
fn class_put_back_is_closed_in_all_levels_until_its_instant_and_keeps_its_order() {
    let (base, second) = (time::now(), Duration::from_secs(1));
    let mut lanes = lanes(u64::MAX, &[]);
    let places = [of_class(1, 7), of_class(1, 7), of_class(0, 7), of_class(1, 8), at(0)];
    for (number, place) in places.into_iter().enumerate() {
        lanes.push(place, number as u64, number as u64);
    }
    let Pick::Task { place, number: 0, entry } = lanes.pop(no_clock) else { panic!("the first of class 7") };
    assert!(!lanes.put_back(place, 0, entry, base + second), "no cap");
    assert_eq!(lanes.len(), 5);
    assert_eq!(started(&lanes.pop(|| base)), Some(3));
    assert_eq!(started(&lanes.pop(|| base)), Some(4), "not 2, which is of class 7");
    assert_eq!(lanes.pop(|| base), Pick::Until(base + second));
    let new_level = of_class(5, 7);
    lanes.push(new_level, 5, 5);
    assert_eq!(lanes.pop(|| base), Pick::Until(base + second), "what comes for a closed class waits");
    assert_eq!(started(&lanes.pop(|| base + second)), Some(5));
    assert_eq!(order(&mut lanes), [0, 1, 2], "open: the clock is not asked any more");
}

#[test]
fn tasks_without_a_class_can_be_closed_too_and_a_level_that_comes_later_with_them() {
    let (base, second) = (time::now(), Duration::from_secs(1));
    let mut lanes = lanes(0, &[]);
    lanes.push(at(0), 0, 0);
    let Pick::Task { place, number, entry } = lanes.pop(no_clock) else { panic!("one is queued") };
    lanes.put_back(place, number, entry, base + second);
    lanes.push(at(9), 1, 1);
    lanes.push(of_class(9, 1), 2, 2);
    assert_eq!(started(&lanes.pop(|| base)), Some(2));
    assert_eq!(lanes.pop(|| base), Pick::Until(base + second));
    assert_eq!(started(&lanes.pop(|| base + second)), Some(0));
}

#[test]
fn two_workers_that_put_back_in_either_order_leave_the_submission_order_and_the_later_instant() {
    let (base, second) = (time::now(), Duration::from_secs(1));
    for (first, then) in [(0, 1), (1, 0)] {
        let mut lanes = lanes(0, &[]);
        for number in 0..3 {
            lanes.push(of_class(0, 1), number, number);
        }
        assert_eq!([0, 1].map(|_| started(&lanes.pop(no_clock))), [Some(0), Some(1)]);
        let until = [base + second, base + second * 2];
        for number in [first, then] {
            lanes.put_back(of_class(0, 1), number, number, until[usize::try_from(number).unwrap()]);
        }
        assert_eq!(lanes.pop(|| base + second), Pick::Until(base + second * 2));
        assert_eq!(started(&lanes.pop(|| base + second * 2)), Some(0));
        assert_eq!(order(&mut lanes), [1, 2]);
    }
}

#[test]
fn task_put_back_gives_its_place_under_the_cap_to_another() {
    let (base, second) = (time::now(), Duration::from_secs(1));
    let mut lanes = lanes(0, &[(0, 1)]);
    lanes.push(of_class(0, 1), 0, 0);
    assert_eq!(started(&lanes.pop(no_clock)), Some(0));
    assert!(!lanes.put_back(of_class(0, 1), 0, 0, base + second), "it is closed itself");
    assert_eq!(started(&lanes.pop(|| base + second)), Some(0));
    lanes.push(at(0), 1, 1);
    assert_eq!(lanes.pop(no_clock), Pick::Held);
    assert!(lanes.put_back(of_class(0, 1), 0, 0, base + second));
    assert_eq!(started(&lanes.pop(|| base)), Some(1));
    assert_eq!(lanes.pop(|| base), Pick::Until(base + second));
}

#[test]
fn million_classes_leave_nothing_behind() {
    let base = time::now();
    let mut lanes = lanes(1, &[]);
    for number in 0..MANY {
        lanes.push(of_class(0, number), number, number);
        lanes.push(at(0), MANY + number, MANY + number);
    }
    // Every class is closed once.
    for number in 0..MANY {
        let Pick::Task { place, number: popped, entry } = lanes.pop(|| base) else { panic!("all are open") };
        assert_eq!(popped, number);
        lanes.put_back(place, popped, entry, base + Duration::from_secs(1));
    }
    for _ in 0..2 * MANY {
        assert!(started(&lanes.pop(|| base + Duration::from_secs(1))).is_some());
    }
    assert_eq!(lanes.pop(no_clock), Pick::Empty);
    let (room, left, open) = lanes.levels[0].sizes();
    assert!(room <= super::super::fifo::KEPT, "room for {room}");
    assert_eq!((left, open, lanes.closed.is_empty(), lanes.levels.len()), (0, 0, true, 1));
}
