//! What waits for tasks until a token is cancelled: every combinator, and the handles of pools and groups.

use gristmill::combine::{self, AllFailed, AttemptError, FirstOk, Unsettled, after, as_completed};
use gristmill::{
    AttemptBudget, CancellationToken, Cancelled, ErrorGroup, Shutdown, TaskError, TaskHandle, ThreadPool,
    WaitError, Waitable,
};

use super::super::script::{End, Fault, Script};
use super::super::support::Counted;
use super::pools::{Ends, builder, counts_close};
use super::{Shape, shape};
use std::time::Duration;

type Task = TaskHandle<Result<Counted, Fault>>;
type Attempted = combine::Attempted<Task, Counted, Fault>;

/// A pool with tasks. One under which the token has been cancelled goes on when the wait is over, and so there is something to wait for.
struct Crew<'a> {
    script: &'a Script,
    pool: ThreadPool,
    over: CancellationToken,
}

impl<'a> Crew<'a> {
    fn new(script: &'a Script) -> Self {
        let pool = builder(script).queue_bound(9).build().expect("settings");
        Self { script, pool, over: CancellationToken::new() }
    }

    fn body(&self, item: Counted, fails: bool) -> impl FnOnce() -> Result<Counted, Fault> + Send + use<> {
        let (script, over) = (self.script.clone(), self.over.clone());
        move || {
            let result = script.step();
            if script.token().is_cancelled() {
                over.wait();
            }
            result?;
            if fails { Err(Fault(usize::MAX)) } else { Ok(item) }
        }
    }

    fn task(&self, item: Counted, fails: bool) -> Task {
        self.pool.submit(self.body(item, fails)).expect("open, with room")
    }

    fn tasks(&self) -> Vec<Task> {
        self.script.items().into_iter().map(|item| self.task(item, false)).collect()
    }

    fn attempts(&self) -> Vec<Attempted> {
        self.tasks().into_iter().map(combine::attempt).collect()
    }

    /// The wait is over, with `rest` left.
    fn finish<W: Waitable>(self, end: End, rest: Vec<W>) -> End {
        self.over.cancel();
        drop(combine::wait_all(rest));
        counts_close(&self.pool.shutdown(Shutdown::Drain));
        end
    }
}

fn result<T>(result: Result<Result<T, Fault>, TaskError>) -> End {
    let mut ends = Ends::new();
    ends.task(result);
    ends.0
}

fn results<T>(all: Vec<Result<Result<T, Fault>, TaskError>>) -> End {
    let mut ends = Ends::new();
    for result in all {
        ends.task(result);
    }
    ends.0
}

fn attempted(error: AttemptError<Fault>) -> End {
    match error {
        AttemptError::Failed(fault) => End::Failed(fault),
        AttemptError::Task(error) => result::<()>(Err(error)),
    }
}

pub(super) fn rows() -> Vec<Shape> {
    let each = [handles(), combined(), answers()].concat().into_iter();
    // The tasks are not what is cancelled.
    each.map(|shape| shape.each_alone().late(usize::MAX).unasked(usize::MAX)).collect()
}

fn handles() -> Vec<Shape> {
    vec![
        shape("wait: one handle", |s| {
            let crew = Crew::new(s);
            let mut rest = crew.tasks();
            let last = rest.pop().expect("several");
            match last.wait_with(s.token()) {
                Ok(output) => crew.finish(result(output), rest),
                Err(early) => {
                    let end = End::Cancelled(early.cause().clone());
                    rest.push(early.into_handle());
                    crew.finish(end, rest)
                }
            }
        }),
        shape("wait: all of a pool", |s| {
            let crew = Crew::new(s);
            let tasks = crew.tasks();
            let end = match crew.pool.wait_with(s.token()) {
                Ok(()) => End::Finished,
                Err(WaitError::Cancelled(cancelled)) => End::Cancelled(cancelled),
                Err(other) => panic!("{other:?}"),
            };
            crew.finish(end, tasks)
        }),
        shape("wait: many", |s| {
            let crew = Crew::new(s);
            let many = crew.pool.submit_many(s.items().into_iter().map(|item| crew.body(item, false)));
            match many.unwrap_or_else(|_| panic!("it has room")).wait_with(s.token()) {
                Ok(outputs) => crew.finish(results(outputs), Vec::<Task>::new()),
                Err(early) => {
                    let end = End::Cancelled(early.cause().clone());
                    crew.over.cancel();
                    drop(early.into_handle().wait());
                    crew.finish(end, Vec::<Task>::new())
                }
            }
        }),
        shape("wait: a group", |s| {
            let crew = Crew::new(s);
            let group = ErrorGroup::builder().on(&crew.pool).expect("settings");
            for item in s.items() {
                assert!(group.spawn(crew.body(item, false)).is_ok(), "open");
            }
            let end = match group.wait_with(s.token()) {
                Ok(Ok(())) => End::Finished,
                Ok(Err(failed)) => panic!("{failed:?}"),
                Err(cancelled) => End::Cancelled(cancelled),
            };
            crew.over.cancel();
            assert_eq!(group.into_report().succeeded(), s.items().len() as u64);
            crew.finish(end, Vec::<Task>::new())
        }),
    ]
}

fn combined() -> Vec<Shape> {
    vec![
        shape("combine: wait_all_with", |s| {
            let crew = Crew::new(s);
            match combine::wait_all_with(crew.tasks(), s.token()) {
                Ok(outputs) => crew.finish(results(outputs), Vec::<Task>::new()),
                Err(early) => crew.finish(End::Cancelled(early.cause().clone()), early.into_handle()),
            }
        }),
        shape("combine: settle_with", |s| {
            let crew = Crew::new(s);
            match combine::settle_with(crew.attempts(), s.token()) {
                Ok(settled) => {
                    let failures = settled.unwrap_or_else(|_| panic!("one succeeds")).failures;
                    let end =
                        failures.into_iter().next().map_or(End::Finished, |(_, error)| attempted(error));
                    crew.finish(end, Vec::<Task>::new())
                }
                Err(early) => crew.finish(End::Cancelled(early.cause().clone()), early.into_handle()),
            }
        }),
        shape("combine: as_completed", |s| {
            let crew = Crew::new(s);
            let mut ends = as_completed(crew.tasks());
            let end = loop {
                match ends.next_with(s.token()) {
                    Ok(Some((_, output))) => drop(output),
                    Ok(None) => break End::Finished,
                    Err(cancelled) => break End::Cancelled(cancelled),
                }
            };
            crew.finish(end, ends.into_rest().into_iter().map(|(_, task)| task).collect())
        }),
        shape("combine: wait_first_with", |s| {
            let crew = Crew::new(s);
            match combine::wait_first_with(crew.tasks(), s.token()) {
                Ok(first) => {
                    let first = first.expect("several");
                    crew.finish(result(first.output), first.others)
                }
                Err(early) => crew.finish(End::Cancelled(early.cause().clone()), early.into_handle()),
            }
        })
        .tail(usize::MAX),
        shape("combine: race_with", |s| {
            let crew = Crew::new(s);
            match combine::race_with(crew.tasks(), s.token()) {
                Ok(first) => {
                    let first = first.expect("several");
                    crew.finish(result(first.output), first.others)
                }
                Err(early) => crew.finish(End::Cancelled(early.cause().clone()), early.into_handle()),
            }
        })
        .tail(usize::MAX),
        shape("combine: with_timeout_with", |s| {
            let crew = Crew::new(s);
            let task = crew.tasks().pop().expect("several");
            match combine::with_timeout_with(task, after(Duration::MAX), s.token()) {
                Ok(output) => {
                    crew.finish(result(output.unwrap_or_else(|_| panic!("in time"))), Vec::<Task>::new())
                }
                Err(early) => crew.finish(End::Cancelled(early.cause().clone()), vec![early.into_handle()]),
            }
        }),
    ]
}

/// What a wait for one that succeeds gives.
fn answered(
    answer: Result<FirstOk<Attempted, Counted, AttemptError<Fault>>, AllFailed<AttemptError<Fault>>>,
) -> (End, Vec<Attempted>) {
    match answer {
        Ok(first) => (End::Finished, first.others.into_iter().map(|(_, task)| task).collect()),
        Err(failed) => (attempted(failed.into_errors().pop().expect("several")), Vec::new()),
    }
}

fn unsettled<S>(
    cause: &Cancelled,
    left: Unsettled<Attempted, AttemptError<Fault>, S>,
) -> (End, Vec<Attempted>) {
    (End::Cancelled(cause.clone()), left.pending.into_iter().map(|(_, task)| task).collect())
}

fn answers() -> Vec<Shape> {
    vec![
        shape("combine: first_ok_with", |s| {
            let crew = Crew::new(s);
            let (end, rest) = match combine::first_ok_with(crew.attempts(), s.token()) {
                Ok(answer) => answered(answer),
                Err(early) => unsettled(&early.cause().clone(), early.into_handle()),
            };
            crew.finish(end, rest)
        })
        .tail(usize::MAX),
        shape("combine: fallback_with", |s| {
            let crew = Crew::new(s);
            let first = combine::attempt(crew.task(s.item(0), true));
            let second = || {
                s.hook();
                combine::attempt(crew.task(s.item(1), false))
            };
            let (end, rest) = match combine::fallback_with(first, second, s.token()) {
                Ok(answer) => answered(answer),
                Err(early) => {
                    let cause = early.cause().clone();
                    let left = early.into_handle();
                    (End::Cancelled(cause), left.pending.into_iter().map(|(_, task)| task).collect())
                }
            };
            crew.finish(end, rest)
        }),
        shape("combine: hedge_with", |s| {
            let crew = Crew::new(s);
            let budget = AttemptBudget::new(0, 4);
            let first = combine::attempt(crew.task(s.item(0), false));
            let second = || {
                s.hook();
                combine::attempt(crew.task(s.item(1), false))
            };
            let (end, rest) = match combine::hedge_with(first, Duration::ZERO, &budget, second, s.token()) {
                Ok(answer) => answered(answer),
                Err(early) => {
                    let cause = early.cause().clone();
                    let left = early.into_handle();
                    (End::Cancelled(cause), left.pending.into_iter().map(|(_, task)| task).collect())
                }
            };
            crew.finish(end, rest)
        })
        .tail(usize::MAX),
    ]
}
