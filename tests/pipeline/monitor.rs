//! A running pipeline looked at from outside: what shows before, during and after the run, and the rules that call back.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};

use gristmill::pipeline::{PipelineMonitor, PipelineSnapshot};
use gristmill::{CancellationToken, Pipeline, Report};

use super::support::within_limit;

/// Looks until what is seen is so.
fn wait_for(monitor: &PipelineMonitor, what: impl Fn(&PipelineSnapshot) -> bool) -> PipelineSnapshot {
    loop {
        let now = monitor.snapshot();
        if what(&now) {
            return now;
        }
        std::thread::yield_now();
    }
}

/// Ten items through two workers and a window of four, the sink held at the first item while `meanwhile` runs.
fn held<R: Send + 'static>(
    monitor: &PipelineMonitor,
    meanwhile: impl FnOnce() -> R + Send + 'static,
) -> (Report, R) {
    let monitor = monitor.clone();
    within_limit(move || {
        let (open, opened) = mpsc::channel::<()>();
        std::thread::scope(|scope| {
            let run = scope.spawn(|| {
                Pipeline::from_iter(0..10)
                    .workers(2)
                    .window(4)
                    .monitored_by(&monitor)
                    .map("parse", |number| number + 1)
                    .filter("keep", |_| true)
                    .for_each("sink", move |_| _ = opened.recv())
                    .run(&CancellationToken::new())
                    .unwrap()
            });
            let result = meanwhile();
            drop(open);
            (run.join().unwrap(), result)
        })
    })
}

#[test]
fn snapshot_shows_nothing_before_what_is_held_during_and_all_after_the_run() {
    let monitor = PipelineMonitor::new();
    let before = monitor.snapshot();
    assert!(!before.has_begun() && !before.has_ended() && before.rows().is_empty());
    assert_eq!((before.read(), before.in_flight(), before.rate().to_bits()), (0, 0, 0));
    let watch = monitor.clone();
    let (report, during) = held(&monitor, move || {
        // All that is asserted below: the parts of it become true one after the other.
        let is_full = |now: &PipelineSnapshot| {
            now.read() == 4
                && now.row("parse + keep").unwrap().items() == 4
                && now.row("sink").unwrap().queued() == 3
                && now.workers().flatten().any(|(row, _)| row.name() == "sink")
        };
        wait_for(&watch, is_full)
    });
    assert!(during.has_begun() && !during.has_ended());
    assert_eq!((during.read(), during.finished(), during.in_flight()), (4, 0, 4));
    let names: Vec<&str> = during.rows().iter().map(gristmill::pipeline::RowSnapshot::name).collect();
    assert_eq!(names, ["source", "parse + keep", "sink"]);
    assert_eq!(during.row("parse + keep").unwrap().items(), 4);
    assert!(during.workers().flatten().any(|(row, _)| row.name() == "sink"), "{during:?}");
    assert_eq!(during.workers().count(), 2);
    let text = during.to_string();
    assert!(
        text.starts_with("4 items read, 0 finished, 4 in flight after ")
            && text.ends_with("\nsink: 0 items, 3 waiting")
    );

    let after = monitor.snapshot();
    assert!(after.has_ended() && after.elapsed() <= report.elapsed() && after.rate() > 0.0);
    assert_eq!((after.read(), after.finished(), after.in_flight()), (10, 10, 0));
    assert!(after.rows().iter().all(|row| (row.items(), row.queued()) == (10, 0)), "{after}");
    assert!(after.workers().all(|worker| worker.is_none()), "{after:?}");
}

#[test]
fn rule_calls_once_for_each_crossing() {
    let monitor = PipelineMonitor::new();
    let (high, low) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let (calls, asked) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (raise, clear, count) = (Arc::clone(&high), Arc::clone(&low), Arc::clone(&calls));
    let [raises, clears] = [(); 2].map(|()| Arc::clone(&asked));
    monitor.when(
        "level",
        move |_| {
            raises.fetch_add(1, Ordering::SeqCst);
            raise.load(Ordering::SeqCst)
        },
        move |_| {
            clears.fetch_add(1, Ordering::SeqCst);
            clear.load(Ordering::SeqCst)
        },
        move |now| {
            assert!(now.has_begun());
            count.fetch_add(1, Ordering::SeqCst);
        },
    );
    high.store(true, Ordering::SeqCst);
    monitor.snapshot();
    assert_eq!(calls.load(Ordering::SeqCst), 0, "there is no run yet");
    let (watch, called) = (monitor.clone(), Arc::clone(&calls));
    held(&monitor, move || {
        let calls = |expected| {
            // Somebody else may just be asking.
            wait_for(&watch, |_| called.load(Ordering::SeqCst) >= expected);
            // Of two that are asked from now on, the first has come to its end.
            let before = asked.load(Ordering::SeqCst);
            wait_for(&watch, |_| asked.load(Ordering::SeqCst) >= before + 2);
            assert_eq!(called.load(Ordering::SeqCst), expected);
        };
        calls(1);
        // Between the two conditions nothing happens, and it is not armed again.
        high.store(false, Ordering::SeqCst);
        calls(1);
        high.store(true, Ordering::SeqCst);
        calls(1);
        high.store(false, Ordering::SeqCst);
        low.store(true, Ordering::SeqCst);
        calls(1);
        low.store(false, Ordering::SeqCst);
        high.store(true, Ordering::SeqCst);
        calls(2);
    });
    assert_eq!(calls.load(Ordering::SeqCst), 2);
}

#[test]
fn rule_is_asked_without_anybody_looking_and_may_end_the_run() {
    let monitor = PipelineMonitor::new();
    let token = CancellationToken::new();
    let stop = token.clone();
    monitor.when("enough", |now| now.finished() >= 100, |_| false, move |_| _ = stop.cancel());
    let outcome = within_limit(move || {
        Pipeline::from_iter(0..).monitored_by(&monitor).for_each("sink", drop).run(&token)
    });
    assert!(outcome.unwrap_err().is_cancelled());
}

#[test]
fn rule_that_panics_is_kept_and_not_asked_again_and_the_run_goes_on() {
    let monitor = PipelineMonitor::new();
    let calls = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&calls);
    monitor.when("torn", |_| true, |_| false, |now| assert!(!now.has_begun(), "a torn page"));
    monitor.when(
        "bad",
        move |_| {
            assert_ne!(count.fetch_add(1, Ordering::SeqCst), 0, "a bad condition");
            true
        },
        |_| false,
        |_| {},
    );
    let report = Pipeline::from_iter(0..100)
        .monitored_by(&monitor)
        .for_each("sink", drop)
        .run(&CancellationToken::new());
    assert_eq!(report.unwrap().finished(), 100);
    let panics = monitor.take_panics();
    let kept: Vec<_> = panics.iter().map(|panic| (panic.name(), panic.message())).collect();
    assert_eq!((kept.len(), kept[0]), (2, ("torn", "a torn page")));
    assert!(kept[1].0 == "bad" && kept[1].1.contains("a bad condition"), "{kept:?}");
    monitor.snapshot();
    assert_eq!((calls.load(Ordering::SeqCst), monitor.take_panics().len()), (1, 0));
}

#[test]
fn callback_may_look_and_add_rules() {
    let monitor = PipelineMonitor::new();
    let (inner, calls) = (monitor.clone(), Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&calls);
    monitor.when(
        "first",
        |_| true,
        |_| false,
        move |_| {
            assert!(inner.snapshot().has_begun());
            let count = Arc::clone(&count);
            inner.when("second", |_| true, |_| false, move |_| _ = count.fetch_add(1, Ordering::SeqCst));
        },
    );
    within_limit({
        let monitor = monitor.clone();
        move || {
            let pipeline = Pipeline::from_iter(0..10).monitored_by(&monitor);
            pipeline.for_each("sink", drop).run(&CancellationToken::new()).unwrap();
        }
    });
    monitor.snapshot();
    assert_eq!((calls.load(Ordering::SeqCst), monitor.take_panics().len()), (1, 0));
}
