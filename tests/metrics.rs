//! The figures of all parts in one form: the table and what the parts give say the same, counters only grow, and derived figures are what they say.
#![cfg(not(any(gristmill_shuttle, gristmill_loom, gristmill_model_std)))]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use gristmill::fan::{InputSnapshot, Merge, Router};
use gristmill::observe::{METRICS, Measured, MetricKind, MetricValue, Unit};
use gristmill::pipeline::PipelineMonitor;
use gristmill::{
    Backoff, CancellationToken, CircuitBreaker, Done, ErrorGroup, KeyedRateLimiter, LaneRule, ManualClock,
    ObjectPool, Pipeline, Policy, RateLimiter, ReceiveError, Report, Retry, Semaphore, Snapshot, ThreadPool,
};

#[path = "support/gate.rs"]
mod gate;

/// All measurements, by name and labels; none comes twice.
#[track_caller]
fn figures(measured: &impl Measured) -> BTreeMap<String, (MetricKind, MetricValue)> {
    let mut all = BTreeMap::new();
    measured.measure(&mut |measurement| {
        let name = measurement.to_string();
        let name = name[..name.rfind(' ').expect("a number comes last")].to_owned();
        let before = all.insert(name.clone(), (measurement.metric.kind, measurement.value));
        assert_eq!(before, None, "{name} comes twice");
    });
    all
}

#[track_caller]
fn assert_counters_grew(earlier: &impl Measured, later: &impl Measured) {
    let later = figures(later);
    for (name, (kind, value)) in figures(earlier) {
        if kind == MetricKind::Counter {
            let now = later.get(&name).unwrap_or_else(|| panic!("{name} is gone")).1;
            assert!(now.as_f64() >= value.as_f64(), "{name}: from {value} to {now}");
        }
    }
}

/// A pool that has done of everything: two succeeded, one failed, one panicked, one cancelled; one runs and one is queued.
fn with_busy_pool(body: impl FnOnce(&Snapshot)) {
    let pool = ThreadPool::builder().workers(1).build().expect("threads");
    pool.submit(|| ()).expect("open").wait().expect("it succeeds");
    let failed = pool.task().fallible().submit(|_| Err::<(), _>("no")).expect("open");
    assert!(failed.wait().expect("it does not panic").is_err());
    assert!(pool.submit(|| panic!("on purpose")).expect("open").wait().is_err());
    pool.submit(|| ()).expect("open").wait().expect("it succeeds");
    let (gate, running) = gate::occupy(&pool);
    let cancelled = pool.submit(|| ()).expect("open");
    cancelled.cancel();
    let queued = pool.task().priority(3).submit(|_| ()).expect("open");
    body(&pool.snapshot());
    gate.open();
    running.wait().expect("it succeeds");
    queued.wait().expect("it succeeds");
}

/// A run with a failure, and what was seen of it in the middle.
fn run_pipeline() -> (gristmill::pipeline::PipelineSnapshot, Report) {
    let monitor = PipelineMonitor::new();
    let seen = Arc::new(std::sync::Mutex::new(None));
    let (watch, place) = (monitor.clone(), Arc::clone(&seen));
    let report = Pipeline::from_iter(0..100_u32)
        .workers(1)
        .monitored_by(&monitor)
        .map("double", |number| 2 * number)
        .filter("sieve", |number| number % 4 == 0)
        .for_each("look", move |number| {
            if number == 100 {
                *place.lock().expect("not poisoned") = Some(watch.snapshot());
            }
        })
        .run(&CancellationToken::new())
        .expect("nothing fails");
    let seen = seen.lock().expect("not poisoned").take();
    (seen.expect("100 came by"), report)
}

#[test]
fn table_and_parts_give_the_same_metrics() {
    let mut given = BTreeSet::new();
    let mut look = |measured: &dyn Measured| {
        figures(&measured);
        measured.measure(&mut |measurement| {
            assert!(METRICS.iter().any(|metric| std::ptr::eq(*metric, measurement.metric)), "{measurement}");
            given.insert(measurement.metric.name);
        });
    };
    with_busy_pool(|snapshot| look(snapshot));
    let (snapshot, report) = run_pipeline();
    look(&snapshot);
    look(&report);

    let group = ErrorGroup::<(), String>::builder().build().expect("threads");
    look(&group.snapshot());
    look(&group.into_report());
    look(&Semaphore::new(3).snapshot());
    look(&RateLimiter::builder(1, Duration::from_secs(1)).build().expect("a rate").report());
    look(&KeyedRateLimiter::<u8>::new(1, Duration::from_secs(1), 2).expect("a rate").report());
    let breaker = CircuitBreaker::builder()
        .count_window(2)
        .minimum_calls(1)
        .slow_calls(Duration::from_secs(1), 1.0)
        .build()
        .expect("settings");
    breaker.call(|_| Ok::<_, ()>(())).expect("it is closed");
    look(&breaker.report());
    look(&Retry::builder().build().expect("settings").report());
    look(&ObjectPool::builder(2, || 0_u8).build().expect("settings").report());
    let router = Router::<u8>::round_robin(1).expect("room");
    let _lane = router.add_lane();
    look(&router.snapshot());
    let (_sender, receiver) = crossbeam_channel::bounded::<u8>(1);
    look(&Merge::fair([receiver]).monitor().snapshot());

    let table: BTreeSet<_> = METRICS.iter().map(|metric| metric.name).collect();
    assert_eq!(table.len(), METRICS.len(), "a name stands twice in the table");
    assert_eq!(given, table);
}

#[test]
fn names_are_as_prometheus_wants_them() {
    for metric in METRICS {
        let name = metric.name;
        assert!(name.starts_with("gristmill_"), "{name}");
        assert!(name.chars().all(|letter| letter.is_ascii_lowercase() || letter == '_'), "{name}");
        let is_total = name.ends_with("_total") || name.ends_with("_seconds_count");
        assert_eq!(is_total, metric.kind == MetricKind::Counter, "{name}");
        assert_eq!(name.ends_with("_ratio"), metric.unit == Unit::Ratio, "{name}");
        assert_eq!(name.ends_with("_per_second"), metric.unit == Unit::PerSecond, "{name}");
        let is_time = name.contains("_seconds") && !name.ends_with("_count");
        assert_eq!(is_time, metric.unit == Unit::Seconds, "{name}");
        assert!(metric.help.ends_with('.') && !metric.help.ends_with(".."), "{name}: {}", metric.help);
    }
}

#[test]
fn figures_of_a_pool_are_those_of_its_snapshot() {
    with_busy_pool(|now| {
        let of = |outcome| now.measured("gristmill_pool_tasks_total", &[("outcome", outcome)]);
        assert_eq!(of("succeeded"), Some(2.0));
        assert_eq!((of("failed"), of("panicked"), of("cancelled")), (Some(1.0), Some(1.0), Some(1.0)));
        assert_eq!(now.measured("gristmill_pool_tasks_running", &[]), Some(1.0));
        assert_eq!(now.measured("gristmill_pool_tasks_queued", &[]), Some(1.0));
        assert_eq!(now.measured("gristmill_pool_queue_length", &[("priority", "3")]), Some(1.0));
        assert_eq!(
            now.measured("gristmill_pool_queue_length", &[]),
            None,
            "without its label it is not there"
        );
        assert_eq!((now.finished(), now.error_rate()), (4, 0.5));
        assert_eq!(now.workers()[0].idle_for(), None, "it works");
        let utilisation = now.utilisation();
        assert!((0.0..=1.0).contains(&utilisation), "{utilisation}");
    });
}

#[test]
fn rates_of_a_pool_since_an_earlier_look_leave_out_what_was_before() {
    let pool = ThreadPool::builder().workers(2).build().expect("threads");
    assert!(pool.submit(|| panic!("on purpose")).expect("open").wait().is_err());
    let earlier = pool.snapshot();
    assert_eq!((earlier.error_rate(), earlier.error_rate_since(&earlier)), (1.0, 0.0));
    assert!(earlier.throughput_since(&earlier).abs() < f64::EPSILON, "no time has passed");
    for _ in 0..3 {
        pool.submit(|| ()).expect("open").wait().expect("it succeeds");
    }
    assert!(pool.submit(|| panic!("on purpose")).expect("open").wait().is_err());
    let now = pool.snapshot();
    assert_eq!((now.error_rate(), now.error_rate_since(&earlier)), (0.4, 0.25));
    let rate = 4.0 / now.at().duration_since(earlier.at()).as_secs_f64();
    assert!((now.throughput_since(&earlier) - rate).abs() < 1e-6 * rate);
    assert!((0.0..=1.0).contains(&now.utilisation_since(&earlier)));
    assert_counters_grew(&earlier, &now);
}

#[test]
fn worker_in_the_place_of_another_counts_since_it_came_however_long_it_has_been_there() {
    let pool = ThreadPool::builder().workers(2).build().expect("threads");
    let earlier = pool.snapshot();
    pool.resize(1).expect("open");
    let stays = pool.snapshot().workers()[0].worker();
    pool.resize(2).expect("threads");
    let held = [(); 2].map(|()| gate::occupy(&pool));
    let times = |snapshot: &Snapshot, index: usize| {
        let worker = &snapshot.workers()[index];
        (worker.there().as_secs_f64(), worker.idle().as_secs_f64())
    };
    let now = loop {
        let now = pool.snapshot();
        if times(&now, 1 - stays).0 > times(&earlier, 1 - stays).0 {
            break now;
        }
        std::thread::yield_now();
    };
    let (before, at_stays, at_new) = (times(&earlier, stays), times(&now, stays), times(&now, 1 - stays));
    let there = at_stays.0 - before.0 + at_new.0;
    let idle = at_stays.1 - before.1 + at_new.1;
    let utilisation = now.utilisation_since(&earlier);
    assert!((utilisation - (1.0 - idle / there)).abs() < 1e-6, "{utilisation}");
    for (gate, task) in held {
        gate.open();
        task.wait().expect("it succeeds");
    }
}

#[test]
fn counters_of_a_working_pool_only_grow() {
    let pool = ThreadPool::builder().workers(2).build().expect("threads");
    let stop = Arc::new(AtomicBool::new(false));
    let feeder = {
        let (pool, stop) = (pool.submitter().clone(), Arc::clone(&stop));
        gate::spawn(move || {
            while !stop.load(SeqCst) {
                drop(pool.submit(|| ()));
            }
        })
    };
    let mut before = pool.snapshot();
    for _ in 0..200 {
        let now = pool.snapshot();
        assert_counters_grew(&before, &now);
        before = now;
    }
    stop.store(true, SeqCst);
    feeder.join().expect("it does not panic");
}

#[test]
fn pipeline_in_figures_while_it_runs_and_at_its_end() {
    let (middle, report) = run_pipeline();
    let read = |measured: &dyn Measured| measured.measured("gristmill_pipeline_items_read_total", &[]);
    assert_eq!(read(&report), Some(100.0));
    assert!(read(&middle).is_some_and(|read| (51.0..=100.0).contains(&read)));
    assert!(middle.utilisation() > 0.0, "the thread that looked is at the sink");
    assert!(report.workers_utilisation() > 0.0, "the only worker has done it all");
    assert!(middle.throughput_since(&PipelineMonitor::new().snapshot()) > 0.0, "some have left by now");
    let sieve = [("position", "2"), ("stage", "sieve"), ("outcome", "filtered")];
    assert_eq!(report.measured("gristmill_pipeline_stage_items_total", &sieve), Some(50.0));
    assert_eq!(report.error_rate().to_bits(), 0.0_f64.to_bits());
    assert!((0.0..=1.0).contains(&report.workers_utilisation()));
    assert!(figures(&PipelineMonitor::new().snapshot()).is_empty(), "nothing has begun");
    for name in ["gristmill_pipeline_items_read_total", "gristmill_pipeline_items_finished_total"] {
        assert!(report.measured(name, &[]) >= middle.measured(name, &[]), "{name}");
    }
}

#[test]
fn stage_that_fails_shows_in_the_error_rates() {
    let report = Pipeline::from_iter(0..10)
        .workers(1)
        .try_map("odd", |number: u32| if number % 2 == 1 { Ok(number) } else { Err("even") })
        .skip_errors()
        .for_each("drop", drop)
        .run(&CancellationToken::new())
        .expect("failures are skipped");
    let stage = report.stage("odd").expect("it is there");
    assert_eq!((stage.error_rate(), report.error_rate()), (0.5, 0.5));
}

#[test]
fn group_shows_what_waits_runs_and_has_ended_and_the_counts_close() {
    let group = ErrorGroup::<u32, &str>::builder().limit(1).build().expect("threads");
    let spawner = group.spawner().clone();
    let (gate, pass) = gate::Gate::new();
    let hold = move || {
        pass();
        Ok(1)
    };
    assert!(group.spawn(hold).is_ok());
    gate.wait();
    assert!(group.spawn(|| Ok(2)).is_ok());
    assert!(group.spawn(|| Err("no")).is_ok());
    assert!(group.spawn(|| Ok(3)).is_ok());
    let now = group.snapshot();
    assert_eq!((now.spawned(), now.waiting(), now.running(), now.succeeded()), (4, 3, 1, 0));
    assert_eq!((now.limit(), now.utilisation(), now.error_rate()), (1, 1.0, 0.0));
    gate.open();
    let report = group.into_report();
    let end = spawner.snapshot();
    assert_eq!((end.spawned(), end.waiting(), end.running()), (4, 0, 0));
    assert_eq!((end.succeeded(), end.failed(), end.panicked(), end.cancelled()), (2, 1, 0, 1));
    assert_eq!((report.succeeded(), report.failed(), report.cancelled()), (2, 1, 1), "values taken count on");
    assert_eq!((report.error_rate(), end.error_rate()), (1.0 / 3.0, 1.0 / 3.0));
    assert_counters_grew(&now, &end);
    assert_counters_grew(&report, &end);
    assert_eq!(
        end.to_string(),
        "4 tasks: 0 waiting, 0 running, 2 succeeded, 1 failed, 0 panicked, 1 cancelled"
    );
    drop(report);
}

#[test]
fn panics_of_a_group_are_errors_and_its_report_says_what_its_snapshot_says() {
    let group = ErrorGroup::<u32, &str>::builder().limit(1).done(Done::all_finished()).build();
    let group = group.expect("threads");
    let spawner = group.spawner().clone();
    let gate = gate::Gate::new();
    let hold = move || {
        gate.1();
        Ok(1)
    };
    assert!(group.spawn(hold).is_ok() && group.spawn(|| Err("no")).is_ok());
    assert!((0..2).all(|_| group.spawn(|| panic!("on purpose")).is_ok()));
    gate.0.wait();
    gate.0.open();
    let report = group.into_report();
    let end = spawner.snapshot();
    assert_eq!((end.succeeded(), end.failed(), end.panicked()), (1, 1, 2));
    assert_eq!((end.error_rate(), report.error_rate()), (0.75, 0.75));
    let (shown, reported) = (figures(&end), figures(&report));
    assert!(!reported.is_empty());
    for (name, value) in &reported {
        assert_eq!(shown.get(name), Some(value), "{name}");
    }
    let by_reference: &dyn Measured = &&report;
    assert_eq!(by_reference.measured("gristmill_group_tasks_spawned_total", &[]), Some(4.0));
}

#[test]
fn kinds_of_metrics_have_the_names_that_prometheus_has_for_them() {
    assert_eq!([MetricKind::Counter, MetricKind::Gauge].map(|kind| kind.to_string()), ["counter", "gauge"]);
}

#[test]
fn group_seen_from_outside_closes_at_every_look() {
    let group = ErrorGroup::<u32, String>::builder().limit(2).build().expect("threads");
    let stop = Arc::new(AtomicBool::new(false));
    let looker = {
        let (spawner, stop) = (group.spawner().clone(), Arc::clone(&stop));
        gate::spawn(move || {
            let mut before = spawner.snapshot();
            while !stop.load(SeqCst) {
                let now = spawner.snapshot(); // panics in a debug build if a difference is below zero
                let ended = now.succeeded() + now.failed() + now.panicked() + now.cancelled();
                assert_eq!(now.spawned(), now.waiting() + now.running() + ended);
                assert_counters_grew(&before, &now);
                before = now;
            }
        })
    };
    for number in 0..2000 {
        group.spawn(move || Ok(number)).expect("it goes on");
    }
    assert_eq!(group.into_results().expect("all succeed").len(), 2000);
    stop.store(true, SeqCst);
    looker.join().expect("the counts close");
}

#[test]
fn merge_is_seen_by_another_thread_while_one_receives() {
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..2).map(|_| crossbeam_channel::bounded(8)).unzip();
    let mut merge = Merge::fair(receivers);
    let monitor = merge.monitor();
    let handle = merge.handle();
    let _sent = [1, 2, 3].map(|item| senders[0].send(item).expect("room"));
    senders[1].send(4).expect("room");
    let now = monitor.snapshot();
    assert_eq!((now.received, now.added, now.ended, now.queued()), (0, 2, 0, 4));
    assert_eq!(
        now.inputs.iter().map(|input| (input.input, input.queued)).collect::<Vec<_>>(),
        [(0, 3), (1, 1)]
    );
    assert_eq!(merge.by_ref().take(2).count(), 2);
    assert_eq!((monitor.snapshot().received, handle.snapshot().queued()), (2, 2));

    let (third, receiver) = crossbeam_channel::bounded(8);
    handle.add(receiver).expect("the merge is there");
    drop(handle);
    let receiver = gate::spawn(move || merge.by_ref().count());
    third.send(5).expect("room");
    drop((senders, third));
    assert_eq!(receiver.join().expect("it does not panic"), 3);
    let end = monitor.snapshot();
    assert_eq!((end.received, end.added, end.ended, end.inputs.len()), (5, 3, 3, 0));
    assert_counters_grew(&now, &end);
}

#[test]
fn monitor_keeps_neither_the_merge_nor_its_channels() {
    let (sender, receiver) = crossbeam_channel::bounded(4);
    let mut merge = Merge::sorted([receiver]);
    let monitor = merge.monitor();
    let _sent = [1, 2].map(|item| sender.send(item).expect("room"));
    assert_eq!(merge.try_recv().ok(), Some(1));
    let InputSnapshot { queued, .. } = monitor.snapshot().inputs[0];
    assert!(queued <= 1);
    drop(merge);
    assert!(sender.send(3).is_err(), "nobody receives any more");
    let end = monitor.snapshot();
    assert_eq!((end.received, end.added, end.ended, end.inputs.len()), (1, 1, 0, 0));

    let (sender, receiver) = crossbeam_channel::bounded::<u8>(4);
    let mut merge = Merge::fair([receiver]);
    let _monitor = merge.monitor();
    drop(sender);
    assert!(matches!(merge.recv(), Err(ReceiveError::Ended)), "a monitor does not keep it from ending");
}

#[test]
fn router_counts_what_it_sent_refused_and_could_not_deliver() {
    let router = Router::broadcast(1).expect("room").slow_lanes(LaneRule::Skip);
    let (one, other) = (router.add_lane(), router.add_lane());
    router.send("first").expect("room");
    assert_eq!(one.try_recv().ok(), Some("first"));
    router.send("second").expect("one has room"); // the other misses it
    assert!(router.try_send("third").is_err());
    let now = router.snapshot();
    assert_eq!((now.sent, now.refused, now.missed, now.queued, now.undelivered), (2, 1, 1, 2, 0));
    let id = other.id();
    drop(other);
    let now = router.snapshot();
    assert_eq!((now.queued, now.undelivered, now.lanes.len()), (2, 1, 2));
    assert_eq!(now.measured("gristmill_router_lanes", &[("state", "dead")]), Some(1.0));
    assert_eq!(router.remove_lane(id), Some(vec!["first"]));
    let end = router.snapshot();
    assert_eq!((end.sent, end.refused, end.missed, end.queued), (2, 1, 1, 1), "totals stay when lanes go");
}

#[test]
fn router_with_a_shared_queue_counts_it_once() {
    let router = Router::shared_queue(4).expect("room");
    let token = CancellationToken::new();
    token.cancel();
    let lanes = [router.add_lane(), router.add_lane()];
    router.send(1).expect("room");
    router.send(2).expect("room");
    assert!(router.send_with(3, &token).is_err());
    let now = router.snapshot();
    assert_eq!((now.sent, now.refused, now.queued, now.undelivered), (2, 1, 2, 0));
    drop(lanes);
    assert_eq!(router.snapshot().undelivered, 2);
    assert_eq!(router.take_undelivered(), [1, 2]);
    assert_eq!(router.snapshot().queued, 0);
}

#[test]
fn permits_that_are_given_back_do_not_make_a_counter_fall() {
    let clock = ManualClock::new();
    let limiter =
        RateLimiter::builder(1, Duration::from_secs(1)).burst(4).clock(clock).build().expect("a rate");
    let reservation = limiter.try_reserve(3).expect("the burst is there");
    let before = limiter.report();
    drop(reservation);
    let after = limiter.report();
    assert!(after.acquired < before.acquired, "the permits are back");
    assert_counters_grew(&before, &after);
    assert_eq!(after.measured("gristmill_limiter_permits_taken_total", &[]), Some(3.0));
    assert_eq!(after.measured("gristmill_limiter_permits_given_back_total", &[]), Some(3.0));
}

/// The sum of the measurements of that name.
fn sum(measured: &impl Measured, name: &str) -> u64 {
    let mut sum = 0;
    measured.measure(&mut |measurement| match measurement.value {
        MetricValue::Count(count) if measurement.metric.name == name => sum += count,
        _ => {}
    });
    sum
}

#[test]
fn every_call_of_a_breaker_is_in_one_outcome_the_abandoned_ones_too() {
    let (clock, second) = (ManualClock::new(), Duration::from_secs(1));
    let breaker =
        CircuitBreaker::builder().slow_calls(second, 1.0).clock(clock.clone()).build().expect("settings");
    breaker.call(|_| Ok::<_, &str>(())).expect("it is closed");
    for time in [Duration::ZERO, 2 * second] {
        let token = CancellationToken::new();
        let lost = breaker.call_with(&token, |attempt| {
            clock.advance(time);
            token.cancel();
            attempt.check().map_err(|_| "stopped")
        });
        assert!(lost.is_err());
    }
    let report = breaker.report();
    assert_eq!((report.calls, report.abandoned, report.ignored), (3, 1, 1));
    assert_eq!(sum(&report, "gristmill_breaker_calls_total"), report.calls);
}

#[test]
fn calls_that_got_no_object_are_counted_by_reason() {
    let objects = ObjectPool::builder(1, || 0_u8).build().expect("settings");
    let token = CancellationToken::new();
    token.cancel();
    let held = objects.take().expect("there is one");
    assert!(objects.try_take().is_err());
    assert!(objects.take_timeout(Duration::ZERO).is_err());
    assert!(objects.take_with(&token).is_err());
    drop(held);
    let report = objects.report();
    for reason in ["refused", "timed_out", "cancelled"] {
        let denied = report.measured("gristmill_object_pool_calls_denied_total", &[("reason", reason)]);
        assert_eq!(denied, Some(1.0), "{reason}");
    }
}

#[test]
fn object_that_is_being_checked_is_not_counted_as_reused_before_it_is_found_fit() {
    let objects = Arc::new(std::sync::OnceLock::<ObjectPool<u8>>::new());
    let (inside, seen) = (Arc::clone(&objects), Arc::new(std::sync::Mutex::new(Vec::new())));
    let reports = Arc::clone(&seen);
    let built = ObjectPool::builder(1, || 0_u8).check(move |object| {
        let report = inside.get().expect("it was built").report();
        reports.lock().expect("not poisoned").push(report);
        *object += 1;
        *object < 2
    });
    let pool = objects.get_or_init(|| built.build().expect("settings"));
    let mut before = pool.report();
    for reused in [0, 1, 1, 2] {
        drop(pool.take().expect("it is there"));
        for now in seen.lock().expect("not poisoned").drain(..).chain([pool.report()]) {
            assert_counters_grew(&before, &now);
            before = now;
        }
        assert_eq!(before.reused, reused);
    }
}

#[test]
fn limiter_by_keys_says_what_one_without_says_and_its_keys() {
    let limiter = KeyedRateLimiter::new(1, Duration::from_secs(3600), 2).expect("a rate");
    for key in ["north", "south", "west", "north"] {
        let _ = limiter.try_acquire(key);
    }
    let report = limiter.report();
    let of = |name| report.measured(name, &[]);
    assert_eq!(of("gristmill_limiter_permits_taken_total"), Some(2.0));
    assert_eq!(of("gristmill_limiter_keys"), Some(2.0));
    assert_eq!(of("gristmill_limiter_keys_refused_total"), Some(1.0));
    assert_eq!(report.measured("gristmill_limiter_calls_denied_total", &[("reason", "refused")]), Some(2.0));
}

#[test]
fn report_of_a_shutdown_goes_on_with_the_counts_of_the_snapshots() {
    let pool = ThreadPool::builder().workers(1).build().expect("threads");
    let (gate, running) = gate::occupy(&pool);
    let queued = pool.submit(|| panic!("on purpose")).expect("open");
    let before = pool.snapshot();
    gate.open();
    assert!(running.wait().is_ok() && queued.wait().is_err());
    let report = pool.shutdown(gristmill::Shutdown::Drain);
    let before_counts = figures(&before);
    for (name, (kind, value)) in figures(&report) {
        let (_, earlier) = before_counts[&name];
        assert!(kind != MetricKind::Counter || value.as_f64() >= earlier.as_f64(), "{name}");
    }
    assert_eq!(report.measured("gristmill_pool_tasks_total", &[("outcome", "panicked")]), Some(1.0));
    assert_eq!(report.measured("gristmill_pool_error_ratio", &[]), Some(0.5));
}

#[test]
fn policies_say_their_error_rates() {
    let retry =
        Retry::builder().attempts(2).backoff(Backoff::Constant(Duration::ZERO)).build().expect("settings");
    assert!(retry.call(|_| Err::<(), _>("no")).is_err());
    assert!(retry.call(|_| Ok::<_, &str>(())).is_ok());
    assert_eq!(retry.report().error_rate().to_bits(), 0.5_f64.to_bits());
    let outcome = |outcome| retry.report().measured("gristmill_retry_calls_total", &[("outcome", outcome)]);
    assert_eq!((outcome("attempts_used_up"), outcome("succeeded_at_first")), (Some(1.0), Some(1.0)));

    let breaker = CircuitBreaker::builder().build().expect("settings");
    assert!(breaker.call(|_| Err::<(), _>("no")).is_err());
    let report = breaker.report();
    assert_eq!(report.error_rate().to_bits(), 1.0_f64.to_bits());
    assert_eq!(report.measured("gristmill_breaker_state", &[("state", "closed")]), Some(1.0));
    assert_eq!(report.measured("gristmill_breaker_state", &[("state", "open")]), Some(0.0));
    assert_eq!(report.measured("gristmill_breaker_failure_ratio", &[]), None, "too few calls");
}

#[test]
fn utilisations_without_anything_to_use_are_zero() {
    assert_eq!(Semaphore::new(0).snapshot().utilisation().to_bits(), 0.0_f64.to_bits());
    let semaphore = Semaphore::new(2);
    let _permits = semaphore.acquire_many(2).expect("they are there");
    semaphore.set_capacity(1);
    assert_eq!(semaphore.snapshot().utilisation().to_bits(), 2.0_f64.to_bits());
}
