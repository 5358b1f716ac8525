//! Pipelines.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use gristmill::pipeline::{PipelineMonitor, PipelineSnapshot};
use gristmill::{CancellationToken, Degradation, Health, HealthStatus, Pipeline, Runner};

use crate::gate::LONG;

/// Looks until what is seen is so.
fn wait_for(monitor: &PipelineMonitor, what: impl Fn(&PipelineSnapshot) -> bool) -> PipelineSnapshot {
    let limit = Instant::now() + LONG;
    loop {
        let now = monitor.snapshot();
        if what(&now) {
            return now;
        }
        assert!(Instant::now() < limit, "{now}");
        std::thread::yield_now();
    }
}

fn at(now: &PipelineSnapshot, row: &str) -> usize {
    now.workers().flatten().filter(|(at, _)| at.name() == row).count()
}

#[test]
fn pipeline_is_healthy_before_and_after_its_run() {
    let monitor = PipelineMonitor::new();
    assert_eq!(monitor.health(Duration::ZERO), Health::default());
    let run = Pipeline::from_iter(0..10).monitored_by(&monitor).for_each("sink", drop);
    run.run(&CancellationToken::new()).unwrap();
    assert_eq!(monitor.health(Duration::ZERO), Health::default());
    let failing = Pipeline::from_iter(0..10).monitored_by(&monitor).try_for_each("sink", Err::<(), _>);
    failing.run(&CancellationToken::new()).unwrap_err();
    assert_eq!(monitor.health(Duration::ZERO), Health::default());
}

#[test]
fn sink_that_does_not_return_is_named_with_who_holds_it_and_nobody_else_is() {
    let monitor = PipelineMonitor::new();
    let (open, opened) = mpsc::channel::<()>();
    let before = Instant::now();
    std::thread::scope(|scope| {
        let watched = monitor.clone();
        let run = scope.spawn(move || {
            Pipeline::from_iter(0..10)
                .workers(2)
                .window(4)
                .monitored_by(&watched)
                .map("parse", |number| number + 1)
                .for_each("sink", move |_| _ = opened.recv())
                .run(&CancellationToken::new())
        });
        // The window is full: who does not hold the sink has nothing to do.
        let full = |now: &PipelineSnapshot| {
            now.read() == 4
                && now.row("sink").unwrap().queued() == 3
                && now.workers().filter(Option::is_none).count() == 1
        };
        let now = wait_for(&monitor, full);
        let health = now.health(Duration::ZERO);
        let [call] = health.stuck() else { panic!("{health}") };
        let holder = now.workers().position(|worker| worker.is_some()).unwrap();
        assert_eq!((call.runner(), call.name()), (Runner::Worker(holder), "sink"));
        assert!(call.since() >= before && call.since() <= Instant::now());
        assert_eq!((health.status(), health.degradations()), (HealthStatus::Stuck, [].as_slice()));
        assert!(health.to_string().starts_with(&format!("stuck: worker {holder} runs \"sink\" for ")));
        // The same call, later.
        let again = monitor.health(call.elapsed());
        assert_eq!(again.stuck()[0].since(), call.since());
        assert!(again.stuck()[0].elapsed() >= call.elapsed());
        assert!(monitor.health(LONG * 1000).is_healthy() && monitor.health(Duration::MAX).is_healthy());
        // The next one.
        open.send(()).unwrap();
        let next = wait_for(&monitor, |now| now.finished() == 1 && full_again(now)).health(Duration::ZERO);
        assert!(next.stuck()[0].since() > call.since(), "{next}");
        drop(open);
        run.join().unwrap().unwrap();
    });
    assert!(monitor.health(Duration::ZERO).is_healthy());
}

fn full_again(now: &PipelineSnapshot) -> bool {
    now.in_flight() == 4 && at(now, "sink") == 1 && now.workers().filter(Option::is_none).count() == 1
}

#[test]
fn pipeline_whose_source_waits_is_healthy() {
    let monitor = PipelineMonitor::new();
    let (sender, receiver) = crossbeam_channel::unbounded::<u32>();
    let (give, given) = mpsc::channel::<u32>();
    std::thread::scope(|scope| {
        let (watched, watching) = (monitor.clone(), PipelineMonitor::new());
        let second = watching.clone();
        let channel = scope.spawn(move || {
            let run = Pipeline::from_receiver(receiver).workers(2).monitored_by(&watched);
            run.for_each("sink", drop).run(&CancellationToken::new())
        });
        let iterator = scope.spawn(move || {
            let run = Pipeline::from_iter(given).workers(2).monitored_by(&second);
            run.for_each("sink", drop).run(&CancellationToken::new())
        });
        sender.send(1).unwrap();
        give.send(1).unwrap();
        for monitor in [&monitor, &watching] {
            let waits = |now: &PipelineSnapshot| now.finished() == 1 && at(now, "source") == 1;
            let now = wait_for(monitor, waits);
            assert!(now.health(Duration::ZERO).is_healthy(), "{now:?}");
        }
        drop((sender, give));
        channel.join().unwrap().unwrap();
        iterator.join().unwrap().unwrap();
    });
}

#[test]
fn thread_of_a_blocking_stage_is_named_after_its_stage() {
    let monitor = PipelineMonitor::new();
    let (open, opened) = crossbeam_channel::unbounded::<()>();
    std::thread::scope(|scope| {
        let watched = monitor.clone();
        let run = scope.spawn(move || {
            Pipeline::from_iter(0..4)
                .workers(2)
                .window(8)
                .monitored_by(&watched)
                .blocking("look up", 1, |number| number)
                .blocking("fetch", 2, move |number| (number, opened.recv().is_ok()))
                .for_each("sink", drop)
                .run(&CancellationToken::new())
        });
        let now = wait_for(&monitor, |now| at(now, "fetch") == 2 && now.workers().flatten().count() == 2);
        let health = now.health(Duration::ZERO);
        let mut runners: Vec<_> = health.stuck().iter().map(|call| (call.name(), call.runner())).collect();
        runners.sort_by_key(|(_, runner)| runner.to_string());
        assert_eq!(runners, [("fetch", Runner::StageThread(1)), ("fetch", Runner::StageThread(2))]);
        drop(open);
        run.join().unwrap().unwrap();
    });
}

#[test]
fn caller_who_takes_no_results_is_named_once_others_wait_for_him() {
    let monitor = PipelineMonitor::new();
    let pipeline = || Pipeline::from_iter(0..100).workers(2).window(8).monitored_by(&monitor);
    let full = |now: &PipelineSnapshot| now.row("iterator").unwrap().queued() > 0 && at(now, "source") == 0;
    let held = || {
        let health = wait_for(&monitor, full).health(Duration::ZERO);
        let call = health.stuck().iter().find(|call| call.name() == "iterator").cloned();
        let call = call.unwrap_or_else(|| panic!("{health}"));
        assert_eq!(call.runner(), Runner::Worker(0));
        call.since()
    };
    let mut results = pipeline().into_iter_with(&CancellationToken::new()).unwrap();
    let before_the_first = held();
    assert_eq!(results.next().unwrap().unwrap(), 0);
    assert!(held() > before_the_first);
    assert_eq!(results.count(), 99);
    assert!(monitor.health(Duration::ZERO).is_healthy());
    let (first, outcome) = pipeline().with_iter(&CancellationToken::new(), |mut results| {
        held();
        results.next()
    });
    outcome.unwrap();
    assert_eq!(first, Some(Some(0)));
}

#[test]
fn caller_for_whom_nobody_waits_may_take_his_time() {
    let monitor = PipelineMonitor::new();
    let (sender, receiver) = crossbeam_channel::unbounded();
    let pipeline = Pipeline::from_receiver(receiver).workers(2).monitored_by(&monitor);
    let mut results = pipeline.into_iter_with(&CancellationToken::new()).unwrap();
    let waits = |now: &PipelineSnapshot| at(now, "source") == 1;
    assert!(wait_for(&monitor, waits).health(Duration::ZERO).is_healthy());
    sender.send(7).unwrap();
    assert_eq!(results.next().unwrap().unwrap(), 7);
    let now = wait_for(&monitor, |now| waits(now) && at(now, "iterator") == 1);
    assert!(now.health(Duration::ZERO).is_healthy(), "{now:?}");
    drop(sender);
    assert!(results.next().is_none());
}

#[test]
fn rule_that_has_panicked_shows_also_after_its_panic_was_taken() {
    let monitor = PipelineMonitor::new();
    monitor.when("torn", |_| panic!("a torn page"), |_| false, |_| ());
    let run = Pipeline::from_iter(0..10).monitored_by(&monitor).for_each("sink", drop);
    run.run(&CancellationToken::new()).unwrap();
    assert_eq!(monitor.take_panics().len(), 1);
    let health = monitor.health(LONG);
    let [Degradation::HookPanicked { panics: 1, first }] = health.degradations() else { panic!("{health}") };
    assert!(first.contains("torn") && first.contains("a torn page"), "{first}");
    assert_eq!(health.status(), HealthStatus::Degraded);
}

#[test]
fn source_says_how_many_items_it_will_give_if_it_knows() {
    let expected = |run: &dyn Fn(&PipelineMonitor)| {
        let monitor = PipelineMonitor::new();
        assert_eq!(monitor.snapshot().expected(), None);
        run(&monitor);
        monitor.snapshot().expected()
    };
    let token = CancellationToken::new;
    let slice = expected(&|monitor| {
        let run = Pipeline::from_slice(&[1, 2, 3]).monitored_by(monitor).filter("none", |_| false);
        run.for_each("sink", drop).run(&token()).unwrap();
    });
    assert_eq!(slice, Some(3));
    let results = expected(&|monitor| {
        let run = Pipeline::from_try_iter([Ok(1), Err("bad"), Ok(3)]).monitored_by(monitor);
        run.for_each("sink", drop).run(&token()).unwrap_err();
    });
    assert_eq!(results, Some(3));
    let weighed = expected(&|monitor| {
        let run = Pipeline::from_iter(0..4).window_by_weight(9, |_| 1).monitored_by(monitor);
        run.for_each("sink", drop).run(&token()).unwrap();
    });
    assert_eq!(weighed, Some(4));
    let none = expected(&|monitor| {
        let run = Pipeline::from_iter(std::iter::empty::<u8>()).monitored_by(monitor);
        run.for_each("sink", drop).run(&token()).unwrap();
    });
    assert_eq!(none, Some(0));
    let unknown = expected(&|monitor| {
        let run = Pipeline::from_iter((0..4).filter(|_| true)).monitored_by(monitor);
        run.for_each("sink", drop).run(&token()).unwrap();
    });
    assert_eq!(unknown, None);
    let channel = expected(&|monitor| {
        let (sender, receiver) = crossbeam_channel::bounded(1);
        sender.send(1).unwrap();
        drop(sender);
        Pipeline::from_receiver(receiver).monitored_by(monitor).for_each("sink", drop).run(&token()).unwrap();
    });
    assert_eq!(channel, None);
}
