//! Pipelines: each kind of stage, several in a row, each kind of source and of end.

use std::time::Duration;

use gristmill::pipeline::{ErrorLog, FailedItem, ItemError};
use gristmill::sync::channel::bounded;
use gristmill::{LaneRule, Merge, Pipeline, PipelineError, PipelineErrorKind, Report, Retry, Router};

use super::super::script::{COUNT, End, Fault, ITEMS, Reason, Script};
use super::super::support::Counted;
use super::{Shape, shape};

/// What a run that came to its end gives.
trait Told {
    fn report(&self) -> &Report;
}

impl Told for Report {
    fn report(&self) -> &Report {
        self
    }
}

impl<T> Told for (T, Report) {
    fn report(&self) -> &Report {
        &self.1
    }
}

/// What leaves a stage comes to the next, and nothing that came is lost count of.
#[track_caller]
fn counts_close(report: &Report) {
    for pair in report.stages().windows(2) {
        assert_eq!(pair[0].items_out(), pair[1].items_in(), "{report}");
        assert!(pair[1].passed() <= pair[1].items_in(), "{report}");
    }
    let sink = report.stages().last().expect("a pipeline has a sink");
    assert_eq!(sink.passed(), sink.items_out(), "{report}");
    assert!(report.read() <= ITEMS && report.unfinished() <= report.read(), "{report}");
}

#[track_caller]
fn end<K: Told, E: Reason>(outcome: Result<K, PipelineError<E>>) -> End {
    match outcome {
        Ok(told) => {
            counts_close(told.report());
            assert_eq!(told.report().read(), ITEMS, "{}", told.report());
            assert_eq!(told.report().unfinished(), 0, "{}", told.report());
            End::Finished
        }
        Err(error) => {
            counts_close(error.report());
            let at = (error.stage().is_some(), error.index().is_some());
            match error.into_kind() {
                PipelineErrorKind::Cancelled(cancelled) => {
                    assert_eq!(at, (false, false), "a cancellation has no place");
                    End::Cancelled(cancelled)
                }
                PipelineErrorKind::Failed { index, source, .. } => {
                    assert_eq!(at, (true, true));
                    assert!(index < ITEMS);
                    source.end()
                }
                kind => panic!("{:?}", std::mem::discriminant(&kind)),
            }
        }
    }
}

fn numbers(script: &Script) -> impl Iterator<Item = Counted> + Send + use<> {
    let script = script.clone();
    (0..ITEMS).map(move |number| {
        script.pass();
        script.item(number)
    })
}

fn pass(script: &Script, item: Counted) -> Counted {
    script.pass();
    item
}

fn attempt(script: &Script, item: Counted) -> Result<Counted, Fault> {
    script.step()?;
    Ok(item)
}

fn copies(script: &Script, item: Counted) -> impl Iterator<Item = Counted> + Send + use<> {
    let script = script.clone();
    script.pass();
    (0..2).map(move |_| {
        script.pass();
        item.clone()
    })
}

/// With a window that matters.
macro_rules! source {
    ($script:ident) => {
        Pipeline::from_iter(numbers($script)).workers($script.workers()).window(3)
    };
}

/// Puts a sink behind it and runs it.
macro_rules! sunk {
    ($script:ident, $pipeline:expr) => {
        end($pipeline.try_for_each("sink", |item| attempt_to_eat($script, item)).run($script.token()))
    };
}

fn attempt_to_eat<T>(script: &Script, item: T) -> Result<(), Fault> {
    script.step()?;
    drop(item);
    Ok(())
}

pub(super) fn rows() -> Vec<Shape> {
    let all = [computing(), waiting(), gathering(), failing(), several(), sources(), ends()].concat();
    // The token is looked at now and then, between chunks: one item with all that becomes of it, and one for each other thread.
    all.into_iter()
        .map(|shape| shape.late(8))
        .map(|shape| match shape.name {
            name if name.contains("blocking") || name.contains("handle_errors") => shape.threads(),
            _ => shape,
        })
        .collect()
}

fn computing() -> Vec<Shape> {
    vec![
        shape("pipeline: map", |s| sunk!(s, source!(s).map("map", |item| pass(s, item)))),
        shape("pipeline: try_map", |s| sunk!(s, source!(s).try_map("try_map", |item| attempt(s, item)))),
        shape("pipeline: filter", |s| {
            sunk!(
                s,
                source!(s).filter("filter", |item| {
                    s.pass();
                    item.number % 2 == 0
                })
            )
        }),
        shape("pipeline: filter_map", |s| {
            sunk!(
                s,
                source!(s)
                    .filter_map("filter_map", |item| Some(pass(s, item)).filter(|item| item.number != 1))
            )
        }),
        shape("pipeline: flat_map", |s| sunk!(s, source!(s).flat_map("flat_map", |item| copies(s, item)))),
        shape("pipeline: flat_map_bounded", |s| {
            sunk!(s, source!(s).flat_map_bounded("flat_map_bounded", 2, |item| copies(s, item)))
        }),
        shape("pipeline: inspect", |s| sunk!(s, source!(s).inspect("inspect", |_| s.pass()))),
        shape("pipeline: map_init", |s| {
            // No work: not every worker comes to begin.
            sunk!(s, source!(s).map_init("map_init", || _ = s.hook(), |(), item| pass(s, item)))
        }),
        shape("pipeline: try_map_init", |s| {
            sunk!(s, source!(s).try_map_init("try_map_init", || s.item(0), |_, item| attempt(s, item)))
        }),
        shape("pipeline: serial", |s| sunk!(s, source!(s).serial("serial", |item| pass(s, item)))),
        shape("pipeline: try_serial", |s| {
            sunk!(s, source!(s).try_serial("try_serial", |item| attempt(s, item)))
        }),
        shape("pipeline: serial_unordered", |s| {
            sunk!(s, source!(s).serial_unordered("serial_unordered", |item| pass(s, item)))
        }),
        shape("pipeline: unordered", |s| sunk!(s, source!(s).map("map", |item| pass(s, item)).unordered())),
    ]
}

fn waiting() -> Vec<Shape> {
    vec![
        shape("pipeline: blocking", |s| sunk!(s, source!(s).blocking("blocking", 2, |item| pass(s, item)))),
        shape("pipeline: try_blocking", |s| {
            sunk!(s, source!(s).try_blocking("try_blocking", 2, |item| attempt(s, item)))
        }),
        shape("pipeline: blocking_unordered", |s| {
            sunk!(s, source!(s).blocking_unordered("blocking_unordered", 2, |item| pass(s, item)))
        }),
        shape("pipeline: keyed", |s| {
            let key = |item: &Counted| {
                s.pass();
                item.number % 2
            };
            sunk!(s, source!(s).keyed("keyed", key, |item| pass(s, item)))
        }),
        shape("pipeline: try_keyed", |s| {
            sunk!(s, source!(s).try_keyed("try_keyed", |item| item.number % 2, |item| attempt(s, item)))
        }),
        shape("pipeline: keyed_unordered", |s| {
            sunk!(
                s,
                source!(s).keyed_unordered("keyed_unordered", |item| item.number % 2, |item| pass(s, item))
            )
        }),
        shape("pipeline: try_map_under", |s| {
            let retry = Retry::builder().attempts(2).longest_delay(Duration::ZERO).build().expect("settings");
            let work = |item: &Counted, attempt: gristmill::Attempt<'_>| {
                s.pass();
                if item.number == 1 && attempt.number() == 1 {
                    Err(Fault(usize::MAX))
                } else {
                    Ok(item.clone())
                }
            };
            end(source!(s)
                .try_map_under("try_map_under", retry, work)
                .for_each("sink", |_| s.pass())
                .run(s.token()))
        }),
        shape("pipeline: try_blocking_under", |s| {
            let limit = gristmill::Semaphore::new(1);
            let work = |item: &Counted, _: gristmill::Attempt<'_>| s.step().map(|()| item.clone());
            end(source!(s)
                .try_blocking_under("try_blocking_under", 2, &limit, work)
                .for_each("sink", |_| s.pass())
                .run(s.token()))
        }),
    ]
}

fn gathering() -> Vec<Shape> {
    vec![
        shape("pipeline: batch", |s| {
            sunk!(s, source!(s).batch(2).inspect("batch", |_: &Vec<Counted>| s.pass()))
        }),
        shape("pipeline: batch_by_weight", |s| {
            let weigh = |item: &Counted| {
                s.pass();
                item.number
            };
            sunk!(s, source!(s).batch_by_weight(3, weigh).inspect("batch", |_: &Vec<Counted>| s.pass()))
        }),
        shape("pipeline: batch_by_key", |s| {
            let key = |item: &Counted| {
                s.pass();
                item.number / 2
            };
            sunk!(s, source!(s).batch_by_key(2, key).inspect("batch", |_: &Vec<Counted>| s.pass()))
        }),
        shape("pipeline: batch_timeout", |s| {
            sunk!(s, source!(s).batch(2).batch_timeout(Duration::from_secs(3600)))
        }),
        shape("pipeline: window_by_weight", |s| {
            let weigh = |item: &Counted| {
                s.pass();
                item.number
            };
            sunk!(s, source!(s).window_by_weight(3, weigh).map("map", |item| pass(s, item)))
        }),
        shape("pipeline: tee", |s| {
            let (sender, receiver) = bounded(COUNT);
            let end = sunk!(s, source!(s).tee("tee", sender).map("map", |item| pass(s, item)));
            assert!(receiver.into_iter().count() <= COUNT);
            end
        }),
    ]
}

fn failing() -> Vec<Shape> {
    vec![
        shape("pipeline: skip_errors", |s| {
            let fail = |item: Counted| if item.number == 1 { Err(Fault(0)) } else { Ok(pass(s, item)) };
            sunk!(s, source!(s).try_map("fail", fail).skip_errors())
        }),
        shape("pipeline: collect_errors", |s| {
            let log = ErrorLog::new(9);
            let fail = |item: Counted| if item.number == 1 { Err(Fault(0)) } else { Ok(pass(s, item)) };
            sunk!(s, source!(s).try_serial("fail", fail).collect_errors(&log))
        }),
        shape("pipeline: divert_errors", |s| {
            let (sender, receiver) = bounded::<FailedItem<Counted, Fault>>(COUNT);
            let fail = |item: Counted| if item.number == 1 { Err(Fault(0)) } else { Ok(pass(s, item)) };
            let end = sunk!(s, source!(s).try_map("fail", fail).divert_errors(sender));
            assert!(receiver.into_iter().count() <= 1);
            end
        }),
        shape("pipeline: handle_errors", |s| {
            let fail = |item: Counted| if item.number % 2 == 1 { Err(Fault(0)) } else { Ok(pass(s, item)) };
            let decide = |_: ItemError<Fault>| s.step();
            sunk!(s, source!(s).try_blocking("fail", 2, fail).handle_errors(decide))
        }),
    ]
}

fn several() -> Vec<Shape> {
    vec![
        shape("pipeline: map, serial, map", |s| {
            sunk!(
                s,
                source!(s)
                    .map("one", |item| pass(s, item))
                    .serial("two", |item| pass(s, item))
                    .try_map("three", |item| attempt(s, item))
            )
        }),
        shape("pipeline: flat_map, keyed, batch, blocking", |s| {
            sunk!(
                s,
                source!(s)
                    .flat_map("one", |item| copies(s, item))
                    .keyed("two", |item| item.number % 2, |item| pass(s, item))
                    .batch(3)
                    .blocking("three", 1, |items: Vec<Counted>| {
                        s.pass();
                        items
                    })
            )
        }),
        shape("pipeline: bounded, serial, bounded", |s| {
            sunk!(
                s,
                source!(s)
                    .flat_map_bounded("one", 2, |item| copies(s, item))
                    .try_serial("two", |item| attempt(s, item))
                    .flat_map_bounded("three", 2, |item| copies(s, item))
            )
        }),
        shape("pipeline: within a stage of another", |s| {
            sunk!(
                s,
                source!(s).try_map("outer", |item| {
                    Pipeline::from_iter([item])
                        .map("inner", |item| pass(s, item))
                        .reduce("one", |item, _| item)
                        .run(s.token())
                        .map(|(item, _)| item)
                        .map_err(|_| Fault(usize::MAX))
                })
            )
        }),
    ]
}

fn sources() -> Vec<Shape> {
    vec![
        shape("pipeline: from_try_iter", |s| {
            let source = numbers(s).map(|item| attempt(s, item));
            sunk!(s, Pipeline::from_try_iter(source).workers(s.workers()).window(3))
        }),
        shape("pipeline: from_slice", |s| {
            let items = s.items();
            let from = Pipeline::from_slice(&items).workers(s.workers()).window(3);
            sunk!(s, from.map("map", |item| pass(s, item.clone())))
        }),
        shape("pipeline: source that may block", |s| sunk!(s, source!(s).source_may_block())),
        shape("pipeline: from_receiver", |s| {
            let (sender, receiver) = bounded(COUNT);
            s.items().into_iter().for_each(|item| sender.send(item).expect("room"));
            drop(sender);
            let from = Pipeline::from_receiver(receiver).workers(s.workers()).window(3);
            sunk!(s, from.map("map", |item| pass(s, item)))
        }),
        shape("pipeline: from_merge", |s| {
            let inputs = [0, 1].map(|half| {
                let (sender, receiver) = bounded(COUNT);
                s.items().into_iter().filter(|item| item.number % 2 == half).for_each(|item| {
                    sender.send(item).expect("room");
                });
                receiver
            });
            let script = s.clone();
            let compare = move |one: &Counted, other: &Counted| {
                script.pass();
                one.number.cmp(&other.number)
            };
            let merge = Merge::sorted_by(inputs, compare);
            sunk!(s, Pipeline::from_merge(merge).workers(s.workers()).window(3))
        }),
    ]
}

fn ends() -> Vec<Shape> {
    vec![
        shape("pipeline: for_each", |s| end(source!(s).for_each("sink", |_| s.pass()).run(s.token()))),
        shape("pipeline: try_for_each_local", |s| {
            end(source!(s).try_for_each_local("sink", |item| attempt_to_eat(s, item)).run(s.token()))
        }),
        shape("pipeline: collect", |s| {
            end(source!(s).map("map", |item| pass(s, item)).collect::<Vec<_>>().run(s.token()))
        }),
        shape("pipeline: fold", |s| {
            let add = |sum: u64, item: Counted| {
                s.pass();
                sum + item.number
            };
            end(source!(s).fold("sum", 0, add).run(s.token()))
        }),
        shape("pipeline: reduce", |s| {
            let last = |_: Counted, item: Counted| pass(s, item);
            end(source!(s).reduce("last", last).run(s.token()))
        }),
        shape("pipeline: send", |s| {
            let (sender, receiver) = bounded(COUNT);
            let end = end(source!(s).map("map", |item| pass(s, item)).send(sender).run(s.token()));
            assert!(receiver.into_iter().count() <= COUNT);
            end
        }),
        shape("pipeline: route", |s| {
            let script = s.clone();
            let key = move |item: &Counted| {
                script.pass();
                item.number % 2
            };
            let router = Router::by_key(COUNT, key).expect("a capacity").slow_lanes(LaneRule::Wait);
            let lanes = [router.add_lane(), router.add_lane()];
            let end = end(source!(s).map("map", |item| pass(s, item)).route("route", &router).run(s.token()));
            drop(router);
            let received: usize = lanes.into_iter().map(|lane| lane.iter().count()).sum();
            assert!(received <= COUNT);
            end
        }),
        shape("pipeline: with_iter", |s| {
            let pipeline = source!(s).map("map", |item| pass(s, item));
            let (count, outcome) = pipeline.with_iter(s.token(), |items| items.inspect(|_| s.pass()).count());
            assert!(count.is_some_and(|count| count <= COUNT));
            end(outcome)
        }),
        shape("pipeline: into_iter_with", |s| {
            let script = s.clone();
            let pipeline = source!(s).map("map", move |item| pass(&script, item));
            let mut items = pipeline.into_iter_with(s.token()).expect("settings");
            for item in &mut items {
                match item {
                    Ok(_) => s.pass(),
                    Err(error) => return end::<Report, _>(Err(error)),
                }
            }
            end(items.finish())
        }),
    ]
}
