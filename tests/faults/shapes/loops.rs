//! Loops and groups: many tasks as one.

use std::fmt::Debug;

use gristmill::{
    BulkError, ErrorGroup, ErrorGroupBuilder, GroupError, GroupErrorKind, GroupReport, LimitedError, Refusal,
    Semaphore, Shutdown, SpawnError,
};

use super::super::script::{COUNT, End, Fault, Reason, Script};
use super::super::support::Counted;
use super::pools::{Ends, builder, counts_close, task};
use super::{Shape, shape};

fn looped<T>(outcome: Result<T, BulkError>) -> End {
    match outcome {
        Ok(_) => End::Finished,
        Err(
            BulkError::Cancelled { source, .. } | BulkError::Refused { refusal: Refusal::Cancelled(source) },
        ) => End::Cancelled(source),
        Err(other) => panic!("{other:?}"),
    }
}

fn limited<T, E: Reason + Debug>(outcome: Result<T, LimitedError<E>>) -> End {
    match outcome {
        Ok(_) => End::Finished,
        Err(LimitedError::Cancelled { source, .. }) => End::Cancelled(source),
        Err(LimitedError::Failed { source, .. }) => source.end(),
        Err(other) => panic!("{other:?}"),
    }
}

fn pass(script: &Script, item: &Counted) -> Counted {
    script.pass();
    item.clone()
}

fn later(script: &Script, _: Counted, item: Counted) -> Counted {
    script.pass();
    item
}

/// A loop over a slice, on a scoped pool: `$call` with the pool, the items, and the script.
macro_rules! over_slice {
    ($script:ident, |$pool:ident, $items:ident| $call:expr) => {{
        let items = $script.items();
        let $items = &items;
        builder($script).scope(|$pool| looped($call)).expect("settings")
    }};
}

pub(super) fn rows() -> Vec<Shape> {
    // The ranges that are being worked on are finished, and all that there is may be one.
    let loops =
        [slices(), iterators()].concat().into_iter().map(|shape| shape.late(usize::MAX).tail(usize::MAX));
    loops.chain(singly()).chain(groups()).collect()
}

fn slices() -> Vec<Shape> {
    vec![
        shape("pool: map, token of the pool", |s| {
            let items = s.items();
            let outcome =
                builder(s).token(s.token()).scope(|pool| looped(pool.map(&items, |item| pass(s, item))));
            outcome.expect("settings")
        }),
        shape("pool: map_with", |s| {
            over_slice!(s, |pool, items| pool.map_with(s.token(), items, |item| pass(s, item)))
        }),
        shape("pool: for_each_with", |s| {
            over_slice!(s, |pool, items| pool.for_each_with(s.token(), items, |item| drop(pass(s, item))))
        }),
        shape("pool: map_into", |s| {
            let items = s.items();
            let mut out = s.items();
            let filled = builder(s)
                .token(s.token())
                .scope(|pool| looped(pool.map_into(&items, &mut out, |item| pass(s, item))));
            filled.expect("settings")
        }),
        shape("pool: map_reduce_with", |s| {
            over_slice!(s, |pool, items| pool.map_reduce_with(
                s.token(),
                items,
                |item| pass(s, item),
                |one, other| later(s, one, other)
            ))
        }),
    ]
}

fn numbers(script: &Script) -> impl Iterator<Item = Counted> + Send + use<> {
    let script = script.clone();
    script.items().into_iter().inspect(move |_| script.pass())
}

fn iterators() -> Vec<Shape> {
    vec![
        shape("pool: map_reduce_iter_with", |s| {
            let outcome = builder(s).scope(|pool| {
                looped(pool.map_reduce_iter_with(
                    s.token(),
                    numbers(s),
                    |item| pass(s, &item),
                    |one, other| later(s, one, other),
                ))
            });
            outcome.expect("settings")
        }),
        shape("pool: map_iter", |s| {
            let outcome = builder(s)
                .token(s.token())
                .scope(|pool| looped(pool.map_iter(numbers(s), |item| pass(s, &item))));
            outcome.expect("settings")
        }),
        shape("pool: for_each_iter", |s| {
            let outcome = builder(s)
                .token(s.token())
                .scope(|pool| looped(pool.for_each_iter(numbers(s), |item| drop(pass(s, &item)))));
            outcome.expect("settings")
        }),
    ]
}

/// One after the other, each under the token.
fn singly() -> Vec<Shape> {
    vec![
        shape("pool: submit_many", |s| {
            let pool = builder(s).token(s.token()).build().expect("settings");
            let mut ends = Ends::new();
            let handle = match pool.submit_many(s.items().into_iter().map(|item| task(s, item))) {
                Ok(handle) => handle,
                Err(error) => {
                    let (accepted, rest, refusal) = error.into_parts();
                    drop(rest);
                    ends.refusal(&refusal);
                    accepted
                }
            };
            handle.wait().into_iter().for_each(|result| ends.task(result));
            counts_close(&pool.shutdown(Shutdown::Drain));
            ends.0
        })
        .each_alone()
        .tail(2),
        shape("semaphore: map_with", |s| {
            let limit = Semaphore::new(s.workers());
            let end = limited(limit.map_with(s.token(), numbers(s), |item| pass(s, &item)));
            assert_eq!(limit.available(), s.workers());
            end
        })
        .late(COUNT)
        .unasked(COUNT),
        shape("semaphore: try_map_with", |s| {
            let limit = Semaphore::strict(s.workers());
            let end = limited(limit.try_map_with(s.token(), s.items(), |item| s.step().map(|()| item)));
            assert_eq!(limit.available(), s.workers());
            end
        }),
    ]
}

type Group<'env> = ErrorGroup<'env, Counted, Fault>;

fn group<'env>(script: &Script) -> ErrorGroupBuilder<'env, Counted, Fault> {
    Group::builder().limit(script.workers()).queue_bound(1).token(script.token())
}

fn spawn_all(script: &Script, group: &Group<'_>) {
    for item in script.items() {
        // Refused once the group is done: its report says why.
        let _: Result<(), SpawnError<_>> = group.spawn(task(script, item));
    }
}

fn error(error: &GroupError<Fault>) -> End {
    match error.kind() {
        GroupErrorKind::Failed => {
            let cause = error.cause().expect("what failed");
            End::Failed(*cause.error().expect("an error"))
        }
        GroupErrorKind::Cancelled => End::Cancelled(error.cancelled().expect("who cancelled").clone()),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn reported(report: &GroupReport<Counted, Fault>) -> End {
    let ended = report.succeeded() + report.failed() + report.panicked() + report.cancelled();
    assert_eq!(report.spawned(), ended, "{report:?}");
    report.result().map_or_else(error, |()| End::Finished)
}

fn groups() -> Vec<Shape> {
    vec![
        shape("group: threads of its own", |s| {
            let group = group(s).build().expect("settings");
            spawn_all(s, &group);
            reported(&group.into_report())
        }),
        shape("group: results in order", |s| {
            let group = group(s).build().expect("settings");
            spawn_all(s, &group);
            match group.into_results() {
                Ok(values) => {
                    assert!(values.iter().map(|item| item.number).eq(0..values.len() as u64));
                    End::Finished
                }
                Err(failed) => error(&failed),
            }
        }),
        shape("group: scope", |s| {
            let scope = group(s).scope(|group| {
                spawn_all(s, &group);
                let waited = group.wait();
                let end = reported(&group.into_report());
                assert_eq!(waited.is_ok(), matches!(end, End::Finished));
                end
            });
            scope.expect("settings")
        }),
        shape("group: on a pool", |s| {
            let pool = builder(s).build().expect("settings");
            let end = {
                let group = group(s).on(&pool).expect("settings");
                spawn_all(s, &group);
                reported(&group.into_report())
            };
            counts_close(&pool.shutdown(Shutdown::Drain));
            end
        })
        .tail(2),
        shape("group: of groups", |s| {
            let outer = ErrorGroup::<(), Fault>::builder().limit(s.workers()).token(s.token()).build();
            let outer = outer.expect("settings");
            for _ in 0..2 {
                let (script, spawner) = (s.clone(), outer.spawner().token().clone());
                let inner = move || {
                    script.step()?;
                    let inner = Group::builder().limit(1).token(&spawner).build().expect("settings");
                    spawn_all(&script, &inner);
                    match inner.into_results() {
                        Ok(_) => Ok(()),
                        Err(failed) => Err(failed
                            .cause()
                            .and_then(|cause| cause.error().copied())
                            .unwrap_or(Fault(usize::MAX))),
                    }
                };
                let _: Result<(), SpawnError<_>> = outer.spawn(inner);
            }
            outer.wait().map_or_else(|failed| error(&failed), |()| End::Finished)
        }),
    ]
}
