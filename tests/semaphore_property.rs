//! The semaphore against a sequential model, for any sequence of calls that do not wait.
#![cfg(not(any(gristmill_shuttle, gristmill_loom)))]

use gristmill::{AcquireError, Permit, Semaphore};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Take(usize),
    /// With a time-out of zero, which must not leave a trace.
    TakeInTime(usize),
    Drop(usize),
    Forget(usize),
    /// Splits so many off the i-th permit.
    Split(usize, usize),
    /// Merges the second into the first.
    Merge(usize, usize),
    SetCapacity(usize),
    Raise(usize),
    Lower(usize),
    Close,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let which = any::<usize>;
    let step = prop_oneof![
        8 => (0..7_usize).prop_map(Step::Take),
        2 => (0..7_usize).prop_map(Step::TakeInTime),
        6 => which().prop_map(Step::Drop),
        1 => which().prop_map(Step::Forget),
        2 => (which(), 0..5_usize).prop_map(|(permit, permits)| Step::Split(permit, permits)),
        2 => (which(), which()).prop_map(|(into, from)| Step::Merge(into, from)),
        1 => (0..10_usize).prop_map(Step::SetCapacity),
        1 => (0..4_usize).prop_map(Step::Raise),
        1 => (0..4_usize).prop_map(Step::Lower),
        1 => prop::bool::weighted(0.1).prop_map(|closes| if closes { Step::Close } else { Step::Take(1) }),
    ];
    prop::collection::vec(step, 0..150)
}

/// What is true, in two numbers and a flag; the permits themselves say what is held.
struct Model {
    capacity: usize,
    closed: bool,
}

impl Model {
    /// What a call that does not wait must answer: its place among the errors, 0 being success.
    fn answer(&self, permits: usize, held: usize) -> u8 {
        if self.closed {
            3
        } else if permits > self.capacity {
            2
        } else {
            u8::from(permits > 0 && held + permits > self.capacity)
        }
    }
}

fn place(result: &Result<Permit<&Semaphore>, AcquireError>) -> u8 {
    match result {
        Ok(_) => 0,
        Err(AcquireError::NotNow | AcquireError::TimedOut) => 1,
        Err(AcquireError::ExceedsCapacity { .. }) => 2,
        Err(AcquireError::Closed) => 3,
        Err(error) => panic!("nobody cancels: {error}"),
    }
}

fn run(semaphore: &Semaphore, steps: Vec<Step>) -> Result<(), TestCaseError> {
    let mut model = Model { capacity: semaphore.capacity(), closed: false };
    let mut permits: Vec<Permit<&Semaphore>> = Vec::new();
    for step in steps {
        let held: usize = permits.iter().map(Permit::permits).sum();
        let count = permits.len();
        match step {
            Step::Take(weight) => {
                let result = semaphore.try_acquire_many(weight);
                prop_assert_eq!(place(&result), model.answer(weight, held));
                permits.extend(result);
            }
            Step::TakeInTime(weight) => {
                let result = semaphore.acquire_many_timeout(weight, std::time::Duration::ZERO);
                prop_assert_eq!(place(&result), model.answer(weight, held));
                permits.extend(result);
            }
            Step::Close => {
                prop_assert_eq!(semaphore.close(), !model.closed);
                model.closed = true;
            }
            Step::SetCapacity(capacity) => {
                semaphore.set_capacity(capacity);
                model.capacity = capacity;
            }
            Step::Raise(by) => {
                semaphore.raise_capacity(by);
                model.capacity += by;
            }
            Step::Lower(by) => {
                semaphore.lower_capacity(by);
                model.capacity = model.capacity.saturating_sub(by);
            }
            _ if count == 0 => {}
            Step::Drop(which) => drop(permits.swap_remove(which % count)),
            Step::Forget(which) => {
                let permit = permits.swap_remove(which % count);
                model.capacity = model.capacity.saturating_sub(permit.permits());
                permit.forget();
            }
            Step::Split(which, weight) => {
                let permit = &mut permits[which % count];
                let before = permit.permits();
                let part = permit.split(weight);
                prop_assert_eq!(part.is_some(), weight <= before);
                permits.extend(part);
            }
            Step::Merge(into, from) => {
                let other = permits.swap_remove(from % count);
                match permits.len() {
                    0 => permits.push(other),
                    left => permits[into % left].merge(other).expect("there is one semaphore"),
                }
            }
        }
        let held = permits.iter().map(Permit::permits).sum::<usize>();
        let now = semaphore.snapshot();
        prop_assert_eq!((now.capacity, now.held, now.waiting), (model.capacity, held, 0));
        prop_assert_eq!(now.available, model.capacity.saturating_sub(held));
        prop_assert_eq!(now.is_closed, model.closed);
    }
    drop(permits);
    prop_assert_eq!(semaphore.available(), model.capacity);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn every_call_answers_as_the_model_does(capacity in 0..8_usize, strict: bool, steps in steps()) {
        let semaphore = if strict { Semaphore::strict(capacity) } else { Semaphore::new(capacity) };
        run(&semaphore, steps)?;
    }
}
