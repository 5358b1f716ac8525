//! A pool of one worker against a sequential model of it: whatever is submitted, cancelled and shut down in whatever order.
//!
//! The worker is held while the test acts, so the model can say exactly what the queue holds and how each task ends.
#![cfg(not(any(gristmill_shuttle, gristmill_loom)))]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use gristmill::{CancelOutcome, CancellationToken, Shutdown, Submitter, TaskError, TaskHandle, ThreadPool};
use proptest::prelude::*;

#[derive(Clone, Copy, Debug)]
enum Act {
    Submit { panics: bool, timed: bool },
    Cancel(prop::sample::Index),
    CancelToken(prop::sample::Index),
    Flush,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Succeeded,
    Panicked,
    Cancelled,
    Returned,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        6 => (any::<bool>(), any::<bool>()).prop_map(|(panics, timed)| Act::Submit { panics, timed }),
        2 => any::<prop::sample::Index>().prop_map(Act::Cancel),
        2 => any::<prop::sample::Index>().prop_map(Act::CancelToken),
        1 => Just(Act::Flush),
    ];
    prop::collection::vec(act, 0..40)
}

/// Occupies the worker until `released` or until the pool stops; returns once it does.
fn hold(pool: &Submitter<'static>, released: &CancellationToken) {
    let (came, arrival) = mpsc::channel();
    let holding = pool.task().token(released).submit(move |context| {
        came.send(()).expect("awaited");
        context.token().wait();
    });
    drop(holding.expect("the queue is empty"));
    arrival.recv().expect("the worker is free");
}

/// What the model knows of one accepted task.
struct Modelled {
    handle: TaskHandle<usize>,
    token: CancellationToken,
    panics: bool,
    end: Option<End>,
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn pool_does_what_its_sequential_model_does(bound in 1_usize..5, acts in acts(), abort in any::<bool>()) {
        let pool = ThreadPool::builder().workers(1).queue_bound(bound).build().expect("good settings");
        let log = Arc::new(Mutex::new(Vec::new()));
        let (mut tasks, mut queue, mut ran, mut holders) = (Vec::<Modelled>::new(), VecDeque::new(), Vec::new(), 1);
        // Cancelled also where a claim fails: the drop of the pool waits for the task that holds the worker.
        let end = CancellationToken::new();
        let _end = end.clone().cancel_on_drop();
        let mut released = end.child();
        hold(&pool, &released);

        let run_queue = |tasks: &mut Vec<Modelled>, queue: &mut VecDeque<usize>, ran: &mut Vec<usize>| {
            for i in queue.drain(..) {
                let task = &mut tasks[i];
                if task.end.is_none() {
                    ran.push(i);
                    task.end = Some(if task.panics { End::Panicked } else { End::Succeeded });
                }
            }
        };
        for act in acts {
            match act {
                Act::Submit { panics, timed } => {
                    let (i, log, token) = (tasks.len(), Arc::clone(&log), CancellationToken::new());
                    let task = move |_: &gristmill::TaskContext<'_, ()>| {
                        log.lock().expect("not poisoned").push(i);
                        assert!(!panics, "as planned");
                        i
                    };
                    let options = pool.task().token(&token);
                    let submitted = if timed { options.submit_timeout(task, Duration::ZERO) } else { options.try_submit(task) };
                    match submitted {
                        Ok(handle) => {
                            prop_assert!(queue.len() < bound);
                            queue.push_back(i);
                            tasks.push(Modelled { handle, token, panics, end: None });
                        }
                        Err(refused) => {
                            prop_assert_eq!(queue.len(), bound);
                            prop_assert_eq!((refused.is_timed_out(), refused.is_full()), (timed, !timed));
                        }
                    }
                }
                Act::Cancel(index) if !tasks.is_empty() => {
                    let task = index.get_mut(&mut tasks);
                    let outcome = task.handle.cancel();
                    let expected = if task.end.is_none() { CancelOutcome::Prevented } else { CancelOutcome::Finished };
                    prop_assert_eq!(outcome, expected);
                    task.end = task.end.or(Some(End::Cancelled));
                }
                Act::CancelToken(index) if !tasks.is_empty() => {
                    let task = index.get_mut(&mut tasks);
                    task.token.cancel();
                    task.end = task.end.or(Some(End::Cancelled));
                }
                Act::Flush => {
                    released.cancel();
                    pool.wait().expect("no token");
                    run_queue(&mut tasks, &mut queue, &mut ran);
                    released = end.child();
                    hold(&pool, &released);
                    holders += 1;
                }
                Act::Cancel(_) | Act::CancelToken(_) => {}
            }
            prop_assert_eq!(pool.queued(), queue.len());
        }

        let report = if abort {
            // Both ends are right for a task whose token is cancelled: look at it first, and it is cancelled.
            prop_assert!(tasks.iter().all(|task| task.handle.is_finished() == task.end.is_some()));
            for i in &queue {
                tasks[*i].end = tasks[*i].end.or(Some(End::Returned));
            }
            pool.shutdown(Shutdown::Abort)
        } else {
            released.cancel();
            run_queue(&mut tasks, &mut queue, &mut ran);
            pool.shutdown(Shutdown::Drain)
        };
        prop_assert!(report.is_complete());
        prop_assert_eq!(&*log.lock().expect("not poisoned"), &ran, "in submission order");
        let count = |end| tasks.iter().filter(|task| task.end == Some(end)).count() as u64;
        prop_assert_eq!(report.submitted(), tasks.len() as u64 + holders);
        prop_assert_eq!(report.succeeded(), count(End::Succeeded) + holders);
        prop_assert_eq!(report.panicked(), count(End::Panicked));
        prop_assert_eq!(report.cancelled(), count(End::Cancelled));
        prop_assert_eq!(report.returned(), count(End::Returned));
        prop_assert_eq!(report.tasks().len() as u64, count(End::Returned));
        for (i, task) in tasks.into_iter().enumerate() {
            let end = match task.handle.wait() {
                Ok(value) => {
                    prop_assert_eq!(value, i);
                    End::Succeeded
                }
                Err(TaskError::Panicked(_)) => End::Panicked,
                Err(TaskError::Cancelled { .. }) => End::Cancelled,
                Err(TaskError::Returned { .. }) => End::Returned,
                Err(other) => panic!("{other}"),
            };
            prop_assert_eq!(Some(end), task.end);
        }
    }
}
