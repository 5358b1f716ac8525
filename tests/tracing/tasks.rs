//! The span of a task: where it hangs, what it shows, when it ends.

use std::time::Duration;

use gristmill::{
    Backoff, CancellationToken, ErrorGroup, Retry, Saturation, Shutdown, ThreadPool, ThreadPoolBuilder,
};
use tracing::{info, info_span};

use crate::collector::Collector;
use crate::gate::{Gate, ended, occupy};

fn builder(workers: usize) -> ThreadPoolBuilder<'static> {
    ThreadPool::builder().name("mill").workers(workers)
}

fn pool(workers: usize) -> ThreadPool {
    builder(workers).build().unwrap()
}

#[test]
fn parent_is_the_span_in_which_the_task_was_submitted() {
    let (here, seen) = Collector::during(|| {
        let pool = pool(2);
        let order = info_span!("order", name = "order");
        let grind = order.in_scope(|| pool.task().name("grind").submit(|_| info!("grinding")).unwrap());
        let other = pool.task().name("other").submit(|_| ()).unwrap();
        ended(grind).unwrap();
        ended(other).unwrap();
        std::thread::current().id()
    });
    let (order, _) = seen.called("order");
    let (grind, span) = seen.called("grind");
    assert_eq!((span.name, span.parent), ("task", Some(order)));
    assert_eq!(seen.called("other").1.parent, None);
    let event = seen.said("grinding");
    assert_eq!(event.spans, [grind, order]);
    assert_ne!(event.thread, here);
    assert_eq!(span.entered, [event.thread]);
    seen.assert_all_closed();
}

#[test]
fn span_shows_what_the_task_was_given_and_what_became_of_it() {
    let ((), seen) = Collector::during(|| {
        let pool = pool(1);
        let task = pool.task().name("grind").key("account 7").priority(-3);
        ended(task.submit(|_| ()).unwrap()).unwrap();
        ended(pool.submit(|| ()).unwrap()).unwrap();
        ended(pool.task().name("bad").fallible().submit(|_| Err::<(), _>("chaff")).unwrap())
            .unwrap()
            .unwrap_err();
    });
    let (_, grind) = seen.called("grind");
    for (field, value) in
        [("pool", "mill"), ("key", "account 7"), ("priority", "-3"), ("worker", "0"), ("outcome", "ok")]
    {
        assert_eq!(grind.field(field), value);
    }
    let plain = &seen.named("task")[1];
    assert_eq!((plain.field("priority"), plain.field("outcome")), ("0", "ok"));
    assert!(!plain.fields.contains_key("name") && !plain.fields.contains_key("key"));
    assert_eq!(seen.called("bad").1.field("outcome"), "failed");
}

#[test]
fn wait_and_run_times_are_in_nanoseconds_and_those_of_the_task() {
    const MOMENT: Duration = Duration::from_millis(2);
    let ((), seen) = Collector::during(|| {
        let pool = pool(1);
        let (gate, running) = occupy(&pool);
        let late =
            pool.task().name("late").submit(|_| CancellationToken::new().sleep(MOMENT).unwrap()).unwrap();
        CancellationToken::new().sleep(MOMENT).unwrap();
        gate.open();
        ended(running).unwrap();
        ended(late).unwrap();
    });
    let (_, late) = seen.called("late");
    let least = u64::try_from(MOMENT.as_nanos()).unwrap();
    assert!(late.number("wait_ns") >= least && late.number("run_ns") >= least, "{late:?}");
    assert!(seen.spans()[0].number("run_ns") >= least, "it held the worker meanwhile");
}

#[test]
fn span_is_closed_before_the_result_can_be_had() {
    let ((), _) = Collector::during(|| {
        let pool = pool(2);
        for _ in 0..100 {
            let (value, seen) = Collector::during(|| pool.submit(|| 7).unwrap().wait());
            assert_eq!(value.unwrap(), 7);
            let task = &seen.named("task")[0];
            assert!(task.is_closed && task.field("outcome") == "ok", "{task:?}");
        }
    });
}

#[test]
fn nested_tasks_hang_below_each_other_whoever_runs_them() {
    // One worker: it runs the inner task itself, inside its wait for it.
    for workers in [1, 3] {
        let ((), seen) = Collector::during(|| {
            let pool = pool(workers);
            let submitter = pool.submitter().clone();
            let outer = pool.task().name("outer").submit(move |_| {
                let inner = submitter.task().name("inner").submit(|_| info!("inside")).unwrap();
                inner.wait().unwrap();
                info!("outside");
            });
            ended(outer.unwrap()).unwrap();
        });
        let ((outer, _), (inner, span)) = (seen.called("outer"), seen.called("inner"));
        assert_eq!(span.parent, Some(outer));
        assert_eq!(seen.said("inside").spans, [inner, outer]);
        assert_eq!(seen.said("outside").spans, [outer], "it is back in its own span");
        seen.assert_all_closed();
    }
}

#[test]
fn task_that_its_submitter_runs_has_no_worker_and_leaves_the_submitter_where_it_was() {
    let (here, seen) = Collector::during(|| {
        let pool = builder(1).queue_bound(1).saturation(Saturation::CallerRuns).build().unwrap();
        let (gate, running) = occupy(&pool);
        let queued = pool.submit(|| ()).unwrap();
        let order = info_span!("order", name = "order");
        order.in_scope(|| {
            pool.task().name("inline").submit(|_| info!("inside")).unwrap().wait().unwrap();
            info!("outside");
        });
        gate.open();
        ended(running).unwrap();
        ended(queued).unwrap();
        std::thread::current().id()
    });
    let ((order, _), (inline, span)) = (seen.called("order"), seen.called("inline"));
    assert!(!span.fields.contains_key("worker"), "{span:?}");
    let event = seen.said("inside");
    assert_eq!((event.spans, event.thread), (vec![inline, order], here));
    assert_eq!(seen.said("outside").spans, [order]);
}

#[test]
fn panic_ends_the_span_as_panicked_and_the_hook_is_told_inside_it() {
    let ((), seen) = Collector::during(|| {
        let pool = builder(1).on_task_panic(|panic| info!("{}", panic.message())).build().unwrap();
        ended(pool.task().name("bad").submit(|_| panic!("chaff")).unwrap()).unwrap_err();
        ended(pool.submit(|| info!("after")).unwrap()).unwrap();
    });
    let (bad, span) = seen.called("bad");
    assert_eq!(span.field("outcome"), "panicked");
    assert_eq!(seen.said("chaff").spans, [bad]);
    assert!(!seen.said("after").spans.contains(&bad));
    seen.assert_all_closed();
}

#[test]
fn task_that_never_starts_has_a_span_that_says_why() {
    let ((), seen) = Collector::during(|| {
        let pool = builder(1).queue_bound(3).build().unwrap();
        let (gate, running) = occupy(&pool);
        let token = CancellationToken::new();
        let cancelled = pool.task().name("cancelled").submit(|_| ()).unwrap();
        let by_token = pool.task().name("by token").token(&token).submit(|_| ()).unwrap();
        let returned = pool.task().name("returned").submit(|_| ()).unwrap();
        assert!(pool.task().name("refused").try_submit(|_| ()).is_err());
        cancelled.cancel();
        token.cancel();
        assert!(by_token.is_finished());
        let stopping = std::thread::scope(|scope| {
            let shutdown = scope.spawn(|| pool.shutdown(Shutdown::Abort));
            while !returned.is_finished() {
                std::thread::yield_now();
            }
            gate.open();
            shutdown.join().unwrap()
        });
        drop(stopping);
        drop(running);
        ended(returned).unwrap_err();
    });
    for (name, outcome) in [
        ("cancelled", "cancelled"),
        ("by token", "cancelled"),
        ("returned", "returned"),
        ("refused", "refused"),
    ] {
        let (_, span) = seen.called(name);
        assert_eq!(span.field("outcome"), outcome);
        assert!(span.entered.is_empty() && !span.fields.contains_key("run_ns"), "{span:?}");
        assert!(span.fields.contains_key("wait_ns"));
    }
    seen.assert_all_closed();
}

#[test]
fn tasks_of_a_group_have_spans_and_its_runners_none() {
    let ((), seen) = Collector::during(|| {
        let pool = pool(2);
        let order = info_span!("order", name = "order");
        let _in = order.enter();
        let group: ErrorGroup<'_, u32, String> = ErrorGroup::builder().on(&pool).unwrap();
        group.spawn(|| Ok(1)).unwrap();
        group.wait().unwrap();
        let group: ErrorGroup<'_, u32, String> = ErrorGroup::builder().limit(1).on(&pool).unwrap();
        let (gate, pass) = Gate::new();
        group
            .task()
            .name("bad")
            .spawn(move |_| {
                pass();
                info!("failing");
                Err("chaff".to_owned())
            })
            .unwrap();
        gate.wait();
        group.task().name("after it").spawn(|_| Ok(2)).unwrap();
        gate.open();
        group.wait().unwrap_err();
    });
    let (order, _) = seen.called("order");
    assert_eq!(seen.named("task").len(), 3, "{:?}", seen.spans());
    assert!(seen.named("task").iter().all(|task| task.parent == Some(order)));
    assert_eq!(seen.named("task")[0].field("outcome"), "ok");
    let (bad, span) = seen.called("bad");
    assert_eq!((span.field("outcome"), span.field("pool")), ("failed", "mill"));
    assert!(span.fields.contains_key("worker"));
    assert_eq!(seen.said("failing").spans, [bad, order]);
    assert_eq!(seen.called("after it").1.field("outcome"), "cancelled");
    seen.assert_all_closed();
}

#[test]
fn attempts_of_a_guarded_task_lie_in_its_one_span() {
    let ((), seen) = Collector::during(|| {
        let pool = pool(1);
        let retry = Retry::builder().attempts(3).backoff(Backoff::Constant(Duration::ZERO)).build().unwrap();
        let task = pool.task().name("guarded").under(retry).submit(|_, attempt| {
            info!("attempt {}", attempt.number());
            if attempt.number() < 2 { Err("chaff") } else { Ok(()) }
        });
        ended(task.unwrap()).unwrap().unwrap();
    });
    let (guarded, _) = seen.called("guarded");
    assert_eq!(seen.said("attempt 1").spans, [guarded]);
    assert_eq!(seen.said("attempt 2").spans, [guarded]);
    assert_eq!(seen.spans().len(), 1);
}

#[test]
fn tasks_of_a_scope_have_spans_too() {
    let ((), seen) = Collector::during(|| {
        let text = "borrowed".to_owned();
        ThreadPool::scope(|pool| {
            drop(pool.task().name("scoped").submit(|_| info!("{text}")));
        })
        .unwrap();
    });
    let (scoped, _) = seen.called("scoped");
    assert_eq!(seen.said("borrowed").spans, [scoped]);
    seen.assert_all_closed();
}
