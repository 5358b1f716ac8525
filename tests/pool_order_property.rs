//! The order in which one worker starts tasks with priorities and keys, against a sequential model of the queue.
//!
//! The worker is held while the test acts, so the model can say exactly what is queued; the runs in between are compared
//! with the model's, task by task.
#![cfg(not(any(gristmill_shuttle, gristmill_loom)))]

use std::collections::BTreeMap;

use gristmill::{KeyFailure, Shutdown, TaskError, TaskHandle, ThreadPool};
use proptest::prelude::*;

#[path = "support/gate.rs"]
mod gate;
use gate::{LONG, Log, ended};

#[derive(Clone, Copy, Debug)]
enum Act {
    Submit {
        priority: i8,
        key: Option<u8>,
        fails: bool,
    },
    Cancel(prop::sample::Index),
    /// Lets the worker run all that may run.
    Run,
    Purge,
    Release(u8),
    Take(u8),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let submit =
        (prop_oneof![3 => -2_i8..=2, 1 => any::<i8>()], prop::option::of(0_u8..3), prop::bool::weighted(0.2));
    let act = prop_oneof![
        20 => submit.prop_map(|(priority, key, fails)| Act::Submit { priority, key, fails }),
        4 => any::<prop::sample::Index>().prop_map(Act::Cancel),
        3 => Just(Act::Run),
        1 => Just(Act::Purge),
        1 => (0_u8..3).prop_map(Act::Release),
        1 => (0_u8..3).prop_map(Act::Take),
    ];
    prop::collection::vec(act, 0..80)
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Succeeded,
    Failed,
    Cancelled,
    /// Cancelled, with the key's failure as the cause.
    Dropped,
    Returned,
}

/// What the model knows of one accepted task; its index is its number.
struct Modelled {
    priority: i8,
    key: Option<u8>,
    fails: bool,
    end: Option<End>,
}

/// The naive model: a list of all tasks, looked through from the start for every question.
struct Model {
    ageing: u64,
    on_failure: KeyFailure,
    tasks: Vec<Modelled>,
    /// Numbers of the tasks that wait in the queue or for their key, those included that were cancelled there and that the worker
    /// has not come to.
    waiting: Vec<usize>,
    held: Vec<u8>,
}

impl Model {
    /// A key's turn is that of its oldest waiting task, cancelled or not, unless the key is held.
    fn may_start(&self, number: usize) -> bool {
        let Some(key) = self.tasks[number].key else { return true };
        let oldest = self.waiting.iter().find(|other| self.tasks[**other].key == Some(key));
        oldest == Some(&number) && !self.held.contains(&key)
    }

    /// The lowest number less what the priority is worth; of equals the higher priority.
    fn next(&self) -> Option<usize> {
        let ready = self.waiting.iter().copied().filter(|number| self.may_start(*number));
        ready.min_by_key(|number| {
            let level = self.tasks[*number].priority;
            (*number as i128 - i128::from(level) * i128::from(self.ageing), std::cmp::Reverse(level))
        })
    }

    fn run(&mut self) -> Vec<usize> {
        let mut ran = Vec::new();
        while let Some(number) = self.next() {
            self.waiting.retain(|other| *other != number);
            let Modelled { key, fails, end, .. } = &mut self.tasks[number];
            if end.is_some() {
                continue;
            }
            ran.push(number);
            *end = Some(if *fails { End::Failed } else { End::Succeeded });
            if let (Some(key), true) = (*key, *fails) {
                match self.on_failure {
                    KeyFailure::Hold => self.held.push(key),
                    KeyFailure::DropRest => {
                        self.take(Some(key), End::Dropped);
                    }
                    _ => {}
                }
            }
        }
        ran
    }

    /// Ends what waits, of one key or all; the numbers of those that had not ended before.
    fn take(&mut self, key: Option<u8>, end: End) -> Vec<usize> {
        let fits = |task: &Modelled| key.is_none() || task.key == key;
        let (taken, rest): (Vec<_>, Vec<_>) =
            self.waiting.drain(..).partition(|number| fits(&self.tasks[*number]));
        self.waiting = rest;
        let unended: Vec<_> = taken.into_iter().filter(|number| self.tasks[*number].end.is_none()).collect();
        for number in &unended {
            self.tasks[*number].end = Some(end);
        }
        unended
    }
}

fn names(returned: &[gristmill::ReturnedTask<'_>]) -> Vec<usize> {
    returned.iter().map(|task| task.name().parse().expect("a number")).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn one_worker_starts_tasks_in_the_order_of_the_model(
        acts in acts(),
        ageing in prop_oneof![Just(0), 1_u64..20, Just(1024), Just(u64::MAX)],
        on_failure in prop::sample::select(vec![KeyFailure::Continue, KeyFailure::DropRest, KeyFailure::Hold]),
        abort in any::<bool>(),
    ) {
        // The cap that limits nothing has tasks taken one by one, so that the order is exact from the first one on.
        let builder = ThreadPool::builder().workers(1).queue_bound(256).key_bound(256).ageing(ageing);
        let pool = builder.on_key_failure(on_failure).priority_cap(0, 9).build().expect("good settings");
        let mut model = Model { ageing, on_failure, tasks: Vec::new(), waiting: Vec::new(), held: Vec::new() };
        let mut handles: Vec<TaskHandle<Result<(), ()>>> = Vec::new();
        let log = Log::new();
        pool.pause();
        // Lets the worker run until it finds nothing more: then it is held again, with nothing running.
        let run = |model: &mut Model, handles: &[TaskHandle<Result<(), ()>>]| {
            let before = log.all().len();
            let expected = model.run();
            pool.resume();
            for (handle, task) in handles.iter().zip(&model.tasks) {
                let limit = gristmill::sync::time::now() + LONG;
                while task.end.is_some() && !handle.is_finished() {
                    assert!(gristmill::sync::time::now() < limit, "a task does not end");
                    std::thread::yield_now();
                }
            }
            // The end of a task is seen before its key goes on and before what was cancelled has left the queue.
            while pool.queued() != model.waiting.len() || pool.held_keys().len() != model.held.len() {
                std::thread::yield_now();
            }
            pool.pause();
            (log.all().split_off(before), expected)
        };
        for act in acts {
            match act {
                Act::Submit { priority, key, fails } => {
                    let number = handles.len();
                    let log = log.clone();
                    let mut task = pool.task().name(number.to_string()).priority(priority).fallible();
                    if let Some(key) = key {
                        task = task.key(key);
                    }
                    let submitted = task.submit(move |_| {
                        log.add(number);
                        if fails { Err(()) } else { Ok(()) }
                    });
                    handles.push(submitted.expect("open"));
                    model.tasks.push(Modelled { priority, key, fails, end: None });
                    model.waiting.push(number);
                }
                Act::Cancel(index) if !handles.is_empty() => {
                    let number = index.index(handles.len());
                    let end = &mut model.tasks[number].end;
                    let expected = if end.is_none() { gristmill::CancelOutcome::Prevented } else { gristmill::CancelOutcome::Finished };
                    prop_assert_eq!(handles[number].cancel(), expected);
                    *end = end.or(Some(End::Cancelled));
                }
                Act::Run => {
                    let (ran, expected) = run(&mut model, &handles);
                    prop_assert_eq!(ran, expected);
                }
                Act::Purge => {
                    let returned = pool.purge();
                    prop_assert_eq!(names(&returned), model.take(None, End::Returned));
                }
                Act::Release(key) => {
                    let was_held = model.held.contains(&key);
                    prop_assert_eq!(pool.release_key(key), was_held);
                    model.held.retain(|held| *held != key);
                }
                Act::Take(key) => {
                    let returned = pool.take_key(key);
                    let expected = if model.held.contains(&key) { model.take(Some(key), End::Returned) } else { Vec::new() };
                    prop_assert_eq!(names(&returned), expected);
                    model.held.retain(|held| *held != key);
                }
                Act::Cancel(_) => {}
            }
            prop_assert_eq!(pool.queued(), model.waiting.len());
            let held: Vec<u8> = pool.held_keys().iter().map(|key| *key.downcast_ref().expect("a number")).collect();
            let sorted = |mut keys: Vec<u8>| { keys.sort_unstable(); keys };
            prop_assert_eq!(sorted(held), sorted(model.held.clone()));
        }
        let before = log.all().len();
        let report = if abort {
            model.take(None, End::Returned);
            pool.shutdown(Shutdown::Abort)
        } else {
            // What waits for a held key comes back as soon as the pool is closed, and the rest of a key that fails afterwards.
            for key in model.held.clone() {
                model.take(Some(key), End::Returned);
            }
            model.held.clear();
            let mut expected = Vec::new();
            while model.next().is_some() {
                expected.extend(model.run());
                for key in std::mem::take(&mut model.held) {
                    model.take(Some(key), End::Returned);
                }
            }
            let report = pool.shutdown(Shutdown::Drain);
            prop_assert_eq!(log.all().split_off(before), expected);
            report
        };
        prop_assert!(report.is_complete());
        let mut ends = BTreeMap::new();
        for (number, handle) in handles.into_iter().enumerate() {
            let end = match ended(handle) {
                Ok(Ok(())) => End::Succeeded,
                Ok(Err(())) => End::Failed,
                Err(TaskError::Cancelled { cause, .. }) => {
                    let dropped = cause.cause().is_some_and(<dyn std::error::Error + Send + Sync>::is::<gristmill::pool::KeyFailed>);
                    if dropped { End::Dropped } else { End::Cancelled }
                }
                Err(TaskError::Returned { .. }) => End::Returned,
                Err(other) => panic!("{other}"),
            };
            prop_assert_eq!(Some(end), model.tasks[number].end, "task {}", number);
            *ends.entry(end as u8).or_insert(0) += 1;
        }
        let count = |end: End| ends.get(&(end as u8)).copied().unwrap_or(0_u64);
        prop_assert_eq!(report.succeeded(), count(End::Succeeded));
        prop_assert_eq!(report.failed(), count(End::Failed));
        prop_assert_eq!(report.cancelled(), count(End::Cancelled) + count(End::Dropped));
        prop_assert_eq!(report.returned(), count(End::Returned));
        prop_assert_eq!(report.submitted(), ends.values().sum::<u64>());
    }
}
