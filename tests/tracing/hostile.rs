//! Subscribers that panic, and subscribers that call back.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use gristmill::{CancellationToken, ErrorGroup, Pipeline, Shutdown, Submitter, ThreadPool};
use tracing::Subscriber;
use tracing::span::{Attributes, Id, Record};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::{LookupSpan, Registry};

/// Does that at each of its calls.
struct Does<F>(F);

impl<F, S> Layer<S> for Does<F>
where
    F: Fn(&str) + 'static,
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, _: &Attributes<'_>, _: &Id, _: Context<'_, S>) {
        (self.0)("new");
    }

    fn on_record(&self, _: &Id, _: &Record<'_>, _: Context<'_, S>) {
        (self.0)("record");
    }

    fn on_enter(&self, _: &Id, _: Context<'_, S>) {
        (self.0)("enter");
    }

    fn on_exit(&self, _: &Id, _: Context<'_, S>) {
        (self.0)("exit");
    }

    fn on_close(&self, _: Id, _: Context<'_, S>) {
        (self.0)("close");
    }
}

/// Tasks of all kinds, and a run; each comes to what it comes to without a subscriber.
fn work_of_all_kinds(pool: &ThreadPool) {
    assert_eq!(pool.submit(|| 7).unwrap().wait().unwrap(), 7);
    assert!(pool.submit(|| resume_unwind(Box::new("chaff"))).unwrap().wait().map(|(): ()| ()).is_err());
    for key in [1, 1, 2] {
        assert_eq!(pool.task().key(key).submit(move |_| key).unwrap().wait().unwrap(), key);
    }
    let cancelled = pool.submit(|| 7).unwrap();
    cancelled.cancel();
    drop(cancelled.wait());
    let many = pool.submit_many((0..100).map(|i| move || i)).unwrap().wait();
    assert_eq!(many.into_iter().map(Result::unwrap).sum::<u32>(), 4950);
    let group: ErrorGroup<'_, u32, String> = ErrorGroup::builder().on(pool).unwrap();
    group.spawn(|| Ok(1)).unwrap();
    group.spawn(|| Ok(2)).unwrap();
    group.wait().unwrap();
    let mut sum = 0;
    Pipeline::from_iter(0..1000_u64)
        .workers(2)
        .map("first", |number| number)
        .map("second", |number| number)
        .serial("serial", |number| number)
        .keyed("keyed", |number| number % 3, |number| number)
        .for_each("sink", |number| sum += number)
        .run(&CancellationToken::new())
        .unwrap();
    assert_eq!(sum, 499_500);
    let panicking = Pipeline::from_iter(0..1000_u64)
        .map("bad", |_| -> u64 { resume_unwind(Box::new("chaff")) })
        .for_each("sink", drop)
        .run(&CancellationToken::new());
    assert_eq!(panicking.unwrap_err().stage(), Some("bad"));
}

#[test]
fn subscriber_that_panics_at_any_call_costs_nobody_anything() {
    for bad in ["new", "record", "enter", "exit", "close"] {
        let panics = move |call: &str| {
            if call == bad {
                resume_unwind(Box::new("the subscriber"));
            }
        };
        let pool = ThreadPool::builder().workers(2).build().unwrap();
        let subscriber = Registry::default().with(Does(panics));
        tracing::subscriber::with_default(subscriber, || work_of_all_kinds(&pool));
        let report = pool.shutdown(Shutdown::Drain);
        assert_eq!(report.pending(), 0, "{bad}");
    }
}

#[test]
fn subscriber_may_call_the_pool_that_calls_it() {
    let pool = ThreadPool::builder().workers(2).build().unwrap();
    let place: Arc<OnceLock<Submitter<'static>>> = Arc::default();
    let (asks, submissions) = (Arc::clone(&place), AtomicUsize::new(0));
    let calls_back = move |_: &str| {
        let Some(submitter) = asks.get() else { return };
        // Each of these takes locks; held by the caller, this would be for ever.
        assert!(submitter.queued() <= submitter.queue_bound());
        assert!(submitter.held_keys().is_empty());
        drop(submitter.snapshot());
        // What is submitted has a span, too, of which this is told.
        if submissions.fetch_add(1, Ordering::Relaxed) < 20 {
            drop(submitter.try_submit(|| ()));
        }
    };
    place.set(pool.submitter().clone()).unwrap();
    let subscriber = Registry::default().with(Does(calls_back));
    tracing::subscriber::with_default(subscriber, || work_of_all_kinds(&pool));
    assert_eq!(pool.shutdown(Shutdown::Drain).pending(), 0);
}
