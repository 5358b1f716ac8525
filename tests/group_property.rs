//! A group that runs one task at a time against a sequential model of it: whatever is spawned, however it ends, wherever it is cancelled.
//!
//! The only runner is held while tasks are spawned, so the model can say exactly who gets in, in which order they run, and what the answer is.
#![cfg(not(any(gristmill_shuttle, gristmill_loom)))]

use gristmill::{CancellationToken, Done, ErrorGroup, GroupErrorKind, GroupReport, ThreadPool, Verdict};
use proptest::prelude::*;

#[path = "support/gate.rs"]
mod gate;
use gate::Gate;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Task {
    Succeeds,
    Fails,
    Panics,
    /// Cancels the token above the group, and succeeds.
    Cancels,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Until {
    AllSucceeded,
    AnySucceeded,
    AllFinished,
    /// Until the task of this index has ended in whatever way.
    Ended(u64),
}

/// What is to be expected.
#[derive(Debug, Default, PartialEq)]
struct Expected {
    values: Vec<u64>,
    failures: Vec<u64>,
    reactions: Vec<u64>,
    cancelled: u64,
    decided_by: Option<u64>,
    kind: Option<GroupErrorKind>,
}

fn model(tasks: &[Task], until: Until) -> Expected {
    let mut expected = Expected::default();
    let (mut over, mut failed_by) = (false, None);
    for (index, task) in (0_u64..).zip(tasks) {
        if over {
            expected.cancelled += 1;
            continue;
        }
        let succeeds = matches!(task, Task::Succeeds | Task::Cancels);
        over = *task == Task::Cancels;
        if succeeds {
            expected.values.push(index);
        } else {
            expected.failures.push(index);
        }
        let decides = match until {
            Until::AllSucceeded => !succeeds,
            Until::AnySucceeded => succeeds,
            Until::AllFinished => false,
            Until::Ended(last) => index == last,
        };
        // Who fails after a cancellation from outside has not decided; in here the one that cancels succeeds.
        if decides {
            over = true;
            expected.decided_by = Some(index);
            if until == Until::AllSucceeded {
                failed_by = Some(index);
            }
        }
    }
    let kind = |index: u64| match tasks[usize::try_from(index).expect("small")] {
        Task::Panics => GroupErrorKind::Panicked,
        _ => GroupErrorKind::Failed,
    };
    expected.kind = match (failed_by, expected.failures.first()) {
        (Some(index), _) => Some(kind(index)),
        (None, _) if expected.decided_by.is_some() => None,
        (None, Some(first)) => Some(kind(*first)),
        (None, None) if expected.cancelled > 0 => Some(GroupErrorKind::Cancelled),
        (None, None) if until == Until::AnySucceeded => Some(GroupErrorKind::NothingSucceeded),
        (None, None) => None,
    };
    expected
}

fn run(
    group: ErrorGroup<'_, u64, String>,
    above: &CancellationToken,
    tasks: &[Task],
) -> GroupReport<u64, String> {
    let (gate, pass) = Gate::new();
    let mut pass = Some(pass);
    for (index, task) in tasks.iter().enumerate() {
        let (task, above, pass) = (*task, above.clone(), pass.take());
        let body = move |context: &gristmill::GroupContext<'_, '_, u64, String>| {
            if let Some(pass) = pass {
                pass();
            }
            match task {
                Task::Succeeds => Ok(context.index()),
                Task::Fails => Err("fails".to_owned()),
                Task::Panics => std::panic::panic_any("panics"),
                Task::Cancels => {
                    above.cancel();
                    Ok(context.index())
                }
            }
        };
        group.task().spawn(body).expect("nothing has ended yet");
        if index == 0 {
            gate.wait();
        }
    }
    gate.open();
    group.into_report()
}

fn check(report: &GroupReport<u64, String>, tasks: &[Task], until: Until) {
    let indices = |failures: &[gristmill::TaskFailure<String>]| {
        failures.iter().map(gristmill::TaskFailure::index).collect()
    };
    let seen = Expected {
        values: report.values().to_vec(),
        failures: indices(report.failures()),
        reactions: indices(report.reactions()),
        cancelled: report.cancelled(),
        decided_by: report.decided_by(),
        kind: report.result().err().map(gristmill::GroupError::kind),
    };
    assert_eq!(seen, model(tasks, until), "{tasks:?} until {until:?}");
    assert_eq!(report.spawned(), tasks.len() as u64);
    assert_eq!(report.indices(), report.values());
}

fn done(until: Until) -> Done<'static, u64, String> {
    match until {
        Until::AllSucceeded => Done::all_succeeded(),
        Until::AnySucceeded => Done::any_succeeded(),
        Until::AllFinished => Done::all_finished(),
        Until::Ended(last) => {
            Done::by(move |end| if end.index() == last { Verdict::Succeed } else { Verdict::GoOn })
        }
    }
}

fn tasks() -> impl Strategy<Value = Vec<Task>> {
    let task = prop_oneof![
        6 => Just(Task::Succeeds),
        3 => Just(Task::Fails),
        1 => Just(Task::Panics),
        1 => Just(Task::Cancels),
    ];
    prop::collection::vec(task, 0..20)
}

fn endings() -> impl Strategy<Value = Until> {
    prop_oneof![
        Just(Until::AllSucceeded),
        Just(Until::AnySucceeded),
        Just(Until::AllFinished),
        (0_u64..20).prop_map(Until::Ended),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_kind_of_group_does_what_the_model_says(tasks in tasks(), until in endings()) {
        let builder = |token: &CancellationToken| {
            ErrorGroup::builder().limit(1).queue_bound(20).token(token).done(done(until))
        };
        let above = CancellationToken::new();
        check(&run(builder(&above).build().expect("a thread"), &above, &tasks), &tasks, until);
        let above = CancellationToken::new();
        let report = builder(&above).scope(|group| run(group, &above, &tasks)).expect("a thread");
        check(&report, &tasks, until);
        let pool = ThreadPool::builder().workers(2).build().expect("two workers");
        let above = CancellationToken::new();
        check(&run(builder(&above).on(&pool).expect("a limit"), &above, &tasks), &tasks, until);
    }
}
