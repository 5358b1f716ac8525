//! The spans of a run and of its stages.

use std::collections::HashSet;
use std::sync::Barrier;

use gristmill::{CancellationToken, Pipeline, PipelineErrorKind, ThreadPool};
use tracing::{info, info_span};

use crate::collector::{Collector, Seen};

fn token() -> CancellationToken {
    CancellationToken::new()
}

/// The names of the spans that the event lies in, the innermost first: the fields `name`, or what the span is.
#[track_caller]
fn scope_of(seen: &Collector, message: &str) -> Vec<String> {
    let spans = seen.spans();
    let name = |span: &Seen| span.fields.get("name").cloned().unwrap_or_else(|| span.name.to_owned());
    seen.said(message).spans.iter().map(|&place| name(&spans[place])).collect()
}

#[test]
fn run_has_a_span_and_below_it_each_stage_with_its_counts() {
    let (here, seen) = Collector::during(|| {
        let order = info_span!("order", name = "order");
        let _in = order.enter();
        Pipeline::from_iter(0..100_u32)
            .workers(2)
            .filter("even", |number| number % 2 == 0)
            .serial("number", |number| number)
            .for_each("sink", drop)
            .run(&token())
            .unwrap();
        order.id().is_some()
    });
    assert!(here);
    let (order, _) = seen.called("order");
    let spans = seen.spans();
    let pipeline = spans.iter().position(|span| span.name == "pipeline").unwrap();
    assert_eq!(spans[pipeline].parent, Some(order));
    for (field, value) in [("workers", "2"), ("read", "100"), ("finished", "100"), ("outcome", "ok")] {
        assert_eq!(spans[pipeline].field(field), value);
    }
    let stages = seen.named("stage");
    let figures = |stage: &Seen| {
        let text = |field: &str| stage.field(field).to_owned();
        (text("name"), text("kind"), stage.number("items_in"), stage.number("items_out"))
    };
    let expected = [
        ("source", "source", 100, 100),
        ("even", "parallel", 100, 50),
        ("number", "serial", 50, 50),
        ("sink", "sink", 50, 50),
    ];
    let expected = expected.map(|(name, kind, came, went)| (name.to_owned(), kind.to_owned(), came, went));
    assert_eq!(stages.iter().map(figures).collect::<Vec<_>>(), expected);
    for stage in &stages {
        assert_eq!((stage.parent, stage.number("failed"), stage.number("panicked")), (Some(pipeline), 0, 0));
        assert!(stage.fields.contains_key("busy_ns") && !stage.entered.is_empty(), "{stage:?}");
    }
    seen.assert_all_closed();
}

#[test]
fn events_lie_in_the_span_of_their_stage_also_where_stages_run_fused() {
    let (_, seen) = Collector::during(|| {
        Pipeline::from_iter((0..4_u32).inspect(|number| info!("source {number}")))
            .workers(3)
            .map("first", |number| {
                info!("first {number}");
                number
            })
            .inspect("second", |number| info!("second {number}"))
            .flat_map("third", |number| {
                info!("third {number}");
                [number]
            })
            .keyed(
                "keyed",
                |number| {
                    info!("key {number}");
                    number % 2
                },
                |number| {
                    info!("keyed {number}");
                    number
                },
            )
            .blocking("blocking", 2, |number| {
                info!("blocking {number}");
                number
            })
            .flat_map_bounded("bounded", 100, |number| {
                info!("bounded {number}");
                [number]
            })
            .serial("serial", |number| {
                info!("serial {number}");
                number
            })
            .serial_unordered("any order", |number| {
                info!("any order {number}");
                number
            })
            .for_each("sink", |number| info!("sink {number}"))
            .run(&token())
            .unwrap()
    });
    let stages =
        ["source", "first", "second", "third", "keyed", "blocking", "bounded", "serial", "any order", "sink"];
    for number in 0..4 {
        for stage in stages {
            assert_eq!(scope_of(&seen, &format!("{stage} {number}")), [stage, "pipeline"]);
        }
        assert_eq!(scope_of(&seen, &format!("key {number}")), ["keyed", "pipeline"]);
    }
    seen.assert_all_closed();
}

#[test]
fn stage_is_entered_on_every_worker_that_runs_it() {
    const WORKERS: usize = 3;
    let (_, seen) = Collector::during(|| {
        let all_here = Barrier::new(WORKERS);
        Pipeline::from_iter(0..WORKERS)
            .workers(WORKERS)
            .map("meet", |number| {
                all_here.wait();
                info!("met {number}");
            })
            .for_each("sink", drop)
            .run(&token())
            .unwrap()
    });
    let threads: HashSet<_> = seen.events().iter().map(|event| event.thread).collect();
    assert_eq!(threads.len(), WORKERS);
    let (meet, span) = seen.called("meet");
    assert_eq!(span.entered.iter().copied().collect::<HashSet<_>>(), threads);
    assert!(seen.events().iter().all(|event| event.spans[0] == meet));
}

#[test]
fn sink_of_the_callers_own_thread_is_in_its_span() {
    let (_, seen) = Collector::during(|| {
        Pipeline::from_iter(0..3)
            .workers(2)
            .for_each_local("sink", |number| info!("local {number}"))
            .run(&token())
            .unwrap()
    });
    for number in 0..3 {
        assert_eq!(scope_of(&seen, &format!("local {number}")), ["sink", "pipeline"]);
    }
}

#[test]
fn run_that_does_not_succeed_says_how() {
    let ((), seen) = Collector::during(|| {
        let run = |name: &'static str, token: &CancellationToken| {
            let run = info_span!("run", name);
            let _in = run.enter();
            Pipeline::from_iter(0..10)
                .workers(1)
                .try_map("work", |number| match name {
                    "failing" if number == 3 => Err("chaff"),
                    "panicking" if number == 3 => panic!("chaff"),
                    _ => Ok(number),
                })
                .for_each("sink", drop)
                .run(token)
                .map(drop)
        };
        let cancelled = token();
        cancelled.cancel();
        assert!(matches!(run("failing", &token()).unwrap_err().kind(), PipelineErrorKind::Failed { .. }));
        assert!(matches!(run("panicking", &token()).unwrap_err().kind(), PipelineErrorKind::Panicked { .. }));
        assert!(matches!(run("cancelled", &cancelled).unwrap_err().kind(), PipelineErrorKind::Cancelled(_)));
        let left = info_span!("run", name = "left");
        left.in_scope(|| {
            let numbers = Pipeline::from_iter(0..).map("work", |number: u32| number);
            let mut numbers = numbers.into_iter_with(&token()).unwrap();
            assert_eq!(numbers.next().map(Result::unwrap), Some(0));
        });
    });
    let outcomes = [
        ("failing", "failed", (1, 0)),
        ("panicking", "panicked", (0, 1)),
        ("cancelled", "cancelled", (0, 0)),
        ("left", "abandoned", (0, 0)),
    ];
    for (name, outcome, (failed, panicked)) in outcomes {
        let (run, _) = seen.called(name);
        let spans = seen.spans();
        let pipeline = spans.iter().position(|span| span.parent == Some(run)).unwrap();
        assert_eq!(spans[pipeline].field("outcome"), outcome, "{name}");
        let is_work = |span: &&Seen| span.parent == Some(pipeline) && span.field("name") == "work";
        let work = spans.iter().find(is_work).unwrap();
        assert_eq!((work.number("failed"), work.number("panicked")), (failed, panicked), "{name}");
    }
    seen.assert_all_closed();
}

#[test]
fn task_of_a_stage_hangs_below_the_stage() {
    let ((), seen) = Collector::during(|| {
        let pool = ThreadPool::builder().workers(1).build().unwrap();
        Pipeline::from_iter(0..1)
            .map("order", |_: u32| {
                pool.task().name("help").submit(|_| info!("helping")).unwrap().wait().unwrap();
            })
            .for_each("sink", drop)
            .run(&token())
            .unwrap();
    });
    let (order, _) = seen.called("order");
    assert_eq!(seen.called("help").1.parent, Some(order));
    assert_eq!(scope_of(&seen, "helping"), ["help", "order", "pipeline"]);
}

#[test]
fn run_within_a_task_hangs_below_the_task() {
    let ((), seen) = Collector::during(|| {
        let pool = ThreadPool::builder().workers(1).build().unwrap();
        let task = pool.task().name("outer").submit(|_| {
            let run = Pipeline::from_iter(0..1).map("work", |_: u32| info!("working"));
            run.for_each("sink", drop).run(&token()).unwrap();
        });
        task.unwrap().wait().unwrap();
    });
    assert_eq!(scope_of(&seen, "working"), ["work", "pipeline", "outer"]);
    seen.assert_all_closed();
}
