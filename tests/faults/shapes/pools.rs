//! Pools: single tasks, and how a pool is brought to its end.

use std::sync::Arc;

use gristmill::{
    Attempt, Nest, Refusal, Retry, Semaphore, Shutdown, ShutdownReport, SubmitError, TaskContext, TaskError,
    ThreadPool, ThreadPoolBuilder,
};

use super::super::script::{End, Fault, Reason, Script};
use super::super::support::{Counted, LONG};
use super::{Shape, shape};

/// What independent tasks ended with.
pub(super) struct Ends(pub(super) End);

impl Ends {
    pub(super) fn new() -> Self {
        Self(End::Finished)
    }

    pub(super) fn add(&mut self, end: End) {
        if matches!((&self.0, &end), (End::Finished, _)) {
            self.0 = end;
        }
    }

    pub(super) fn task<T>(&mut self, result: Result<Result<T, Fault>, TaskError>) {
        match result {
            Ok(Ok(_)) => {}
            Ok(Err(fault)) => self.add(End::Failed(fault)),
            Err(TaskError::Cancelled { cause, .. }) => self.add(End::Cancelled(cause)),
            Err(other) => panic!("{other:?}"),
        }
    }

    pub(super) fn refusal(&mut self, refusal: &Refusal) {
        let Refusal::Cancelled(cause) = refusal else { panic!("{refusal:?}") };
        self.add(End::Cancelled(cause.clone()));
    }

    /// Keeps the handle, or why there is none.
    pub(super) fn submitted<H, F>(&mut self, submitted: Result<H, SubmitError<F>>) -> Option<H> {
        submitted.map_err(|error| self.refusal(error.refusal())).ok()
    }
}

pub(super) fn builder<'env>(script: &Script) -> ThreadPoolBuilder<'env> {
    let (starts, stops) = (script.clone(), script.clone());
    ThreadPool::builder()
        .workers(script.workers())
        .queue_bound(2)
        .on_worker_start(move |_| _ = starts.hook())
        .on_worker_stop(move |_| _ = stops.hook())
}

pub(super) fn task(script: &Script, item: Counted) -> impl FnOnce() -> Result<Counted, Fault> + Send + use<> {
    let script = script.clone();
    move || {
        script.step()?;
        Ok(item)
    }
}

#[track_caller]
pub(super) fn counts_close(report: &ShutdownReport<'_>) {
    let ended =
        report.succeeded() + report.failed() + report.panicked() + report.cancelled() + report.returned();
    assert_eq!((report.submitted(), report.pending()), (ended, 0), "{report:?}");
    assert!(report.stuck().is_empty() && report.worker_panics().is_empty(), "{report:?}");
}

pub(super) fn rows() -> Vec<Shape> {
    // The hook of the worker that stops is a step, too.
    [single(), nested(), shut()].concat().into_iter().map(|shape| shape.tail(2)).collect()
}

fn single() -> Vec<Shape> {
    vec![
        shape("pool: submit and wait, token of the pool", |s| {
            let pool = builder(s).token(s.token()).build().expect("settings");
            let mut ends = Ends::new();
            let submitted = s.items().into_iter().map(|item| pool.submit(task(s, item)));
            let handles: Vec<_> = submitted.filter_map(|handle| ends.submitted(handle)).collect();
            for handle in handles {
                ends.task(handle.wait());
            }
            counts_close(&pool.shutdown(Shutdown::Drain));
            ends.0
        })
        .each_alone(),
        shape("pool: submit and wait, token of the tasks", |s| {
            let pool = builder(s).build().expect("settings");
            let mut ends = Ends::new();
            let submitted = s.items().into_iter().map(|item| {
                let run = task(s, item);
                pool.task().token(s.token()).name("task").submit(move |_: &TaskContext<'_, ()>| run())
            });
            let handles: Vec<_> = submitted.filter_map(|handle| ends.submitted(handle)).collect();
            for handle in handles {
                ends.task(handle.wait());
            }
            counts_close(&pool.shutdown(Shutdown::Drain));
            ends.0
        })
        .each_alone(),
        shape("pool: by priority and key", |s| {
            let pool = builder(s).token(s.token()).build().expect("settings");
            let mut ends = Ends::new();
            let handles: Vec<_> = s
                .items()
                .into_iter()
                .filter_map(|item| {
                    let (key, priority) = (item.number % 2, i8::try_from(item.number % 3).expect("small"));
                    let options = pool.task().key(key).priority(priority).fallible();
                    let run = task(s, item);
                    ends.submitted(options.submit(move |_: &TaskContext<'_, ()>| run()))
                })
                .collect();
            for handle in handles {
                ends.task(handle.wait());
            }
            counts_close(&pool.shutdown(Shutdown::Drain));
            ends.0
        })
        .each_alone(),
        shape("pool: under a policy", |s| {
            let pool = builder(s).token(s.token()).build().expect("settings");
            let mut ends = Ends::new();
            let policy = Arc::new(Retry::new(1).expect("settings").around(Semaphore::new(1)));
            let handles: Vec<_> = s
                .items()
                .into_iter()
                .filter_map(|item| {
                    let script = s.clone();
                    let work =
                        move |_: &TaskContext<'_, ()>, _: Attempt<'_>| script.step().map(|()| item.clone());
                    ends.submitted(pool.task().under(Arc::clone(&policy)).submit(work))
                })
                .collect();
            for handle in handles {
                match handle.wait() {
                    Ok(Ok(_)) => {}
                    Ok(Err(error)) => ends.add(Reason::end(error)),
                    Err(TaskError::Cancelled { cause, .. }) => ends.add(End::Cancelled(cause)),
                    Err(other) => panic!("{other:?}"),
                }
            }
            counts_close(&pool.shutdown(Shutdown::Drain));
            ends.0
        })
        .each_alone(),
    ]
}

fn nested() -> Vec<Shape> {
    vec![
        shape("pool: hook of a panic", |s| {
            let hook = s.clone();
            let pool = builder(s).token(s.token()).on_task_panic(move |_| _ = hook.hook());
            let pool = pool.build().expect("settings");
            let mut ends = Ends::new();
            let submitted = s.items().into_iter().map(|item| {
                let run = task(s, item);
                pool.submit(move || run().map(|item| assert_ne!(item.number, 2, "asked for")))
            });
            let handles: Vec<_> = submitted.filter_map(|handle| ends.submitted(handle)).collect();
            for (number, handle) in handles.into_iter().enumerate() {
                match handle.wait() {
                    Err(TaskError::Panicked(_)) => assert_eq!(number, 2),
                    result => ends.task(result),
                }
            }
            counts_close(&pool.shutdown(Shutdown::Drain));
            ends.0
        })
        .each_alone(),
        shape("pool: tasks that submit and wait", |s| {
            let ends = builder(s).token(s.token()).scope(|pool| {
                let mut ends = Ends::new();
                let mut handles = Vec::new();
                for item in s.items() {
                    let (script, pool_again) = (s.clone(), pool.submitter().clone());
                    let outer = move || {
                        script.step()?;
                        let Ok(inner) = pool_again.submit(task(&script, item)) else { return Ok(None) };
                        Ok::<_, Fault>(Some(inner.wait()))
                    };
                    handles.extend(ends.submitted(pool.submit(outer)));
                }
                for handle in handles {
                    match handle.wait() {
                        Ok(Ok(Some(inner))) => ends.task(inner),
                        Ok(Ok(None)) => {
                            ends.add(End::Cancelled(s.token().cause().expect("why it was refused")));
                        }
                        Ok(Err(fault)) => ends.add(End::Failed(fault)),
                        Err(error) => ends.task::<()>(Err(error)),
                    }
                }
                ends.0
            });
            ends.expect("settings")
        })
        .each_alone(),
    ]
}

/// How pools are brought to an end while tasks are under way.
fn shut() -> Vec<Shape> {
    fn shut(script: &Script, mode: Shutdown) -> End {
        let pool = builder(script).queue_bound(9).token(script.token()).build().expect("settings");
        let mut ends = Ends::new();
        let submitted = script.items().into_iter().map(|item| pool.submit(task(script, item)));
        let handles: Vec<_> = submitted.filter_map(|handle| ends.submitted(handle)).collect();
        let report = pool.shutdown(mode);
        counts_close(&report);
        for handle in handles {
            match handle.try_wait().unwrap_or_else(|_| panic!("the pool has ended")) {
                Err(TaskError::Returned { .. }) => {}
                result => ends.task(result),
            }
        }
        // What comes back can still be run, and is work like any other.
        for returned in report.into_tasks() {
            returned.run().expect("no panic");
        }
        ends.0
    }
    vec![
        shape("pool: drain", |s| shut(s, Shutdown::Drain)).each_alone(),
        shape("pool: drain for a while", |s| shut(s, Shutdown::DrainFor(LONG))).each_alone(),
        shape("pool: drop with handles dropped", |s| {
            let pool = builder(s).token(s.token()).build().expect("settings");
            let mut ends = Ends::new();
            for item in s.items() {
                drop(ends.submitted(pool.submit(task(s, item))));
            }
            drop(pool);
            // Nobody is told of those that had been accepted.
            if matches!(ends.0, End::Finished) && s.work_done() < s.ledger().made() {
                ends.add(s.token().cause().map_or(End::Finished, End::Cancelled));
            }
            ends.0
        })
        .each_alone(),
    ]
}
