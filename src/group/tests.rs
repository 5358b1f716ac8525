//! What the group's line answers, step by step, where threads would have to meet at one moment.

use super::line::{Line, Next};
use super::waits::Wait;

fn hired(next: &Next<u64>) -> usize {
    let Next::Run { hire, .. } = next else { panic!("there is a task: {next:?}") };
    *hire
}

/// A line whose runner has come, found nothing, and lingers.
fn lingering(limit: usize) -> (Line<u64>, bool) {
    let line = Line::new(limit, 100);
    assert!(line.push(|index| index).expect("there is room"));
    assert!(line.start());
    let mut lingering = false;
    assert_eq!(hired(&line.next(0, false, &mut lingering)), 0);
    assert!(matches!(line.next(1, true, &mut lingering), Next::Linger));
    (line, lingering)
}

#[test]
fn runner_back_from_its_linger_has_all_hired_that_may_be() {
    let (line, mut lingers) = lingering(3);
    for _ in 0..3 {
        assert!(!line.push(|index| index).expect("there is room"));
    }
    assert_eq!(hired(&line.next(0, true, &mut lingers)), 2, "the tasks may wait for each other");
}

#[test]
fn runner_back_from_its_linger_lingers_no_more_though_another_has_refilled() {
    let (line, mut lingers) = lingering(3);
    for _ in 0..40 {
        line.push(|index| index).expect("there is room");
    }
    line.hire_one_more();
    assert!(line.start());
    assert_eq!(hired(&line.next(0, true, &mut false)), 0, "who lingers is about to come");
    assert_eq!(hired(&line.next(0, true, &mut lingers)), 1);
    assert!(line.start());
    line.hire_one_more();
    assert!(!line.start(), "three run");
}

#[test]
fn runner_stays_if_who_was_to_take_its_place_has_come_and_gone() {
    let line = Line::new(2, 10);
    for _ in 0..4 {
        line.push(|index| index).expect("there is room");
    }
    assert!(line.start() && line.start());
    assert_eq!(hired(&line.next(0, false, &mut false)), 0);
    line.hire_one_more();
    assert!(!line.start(), "two run");
    assert!(!line.steps_back(), "tasks are queued, and nobody is about to come");
    line.hire_one_more();
    assert!(line.steps_back());
    assert!(line.start(), "the place is free");
    assert_eq!(line.wait_for_quiet(false, false), Wait::Park);
}
