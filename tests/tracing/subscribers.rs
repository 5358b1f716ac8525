//! Which subscriber is told: the one of the thread that submitted the task or started the run.

use std::sync::Barrier;

use gristmill::{CancellationToken, Pipeline, ThreadPool};
use tracing::{info, info_span};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;

use crate::collector::Collector;

#[test]
fn two_subscribers_share_a_pool_and_each_hears_of_its_own_tasks() {
    let pool = ThreadPool::builder().workers(1).build().unwrap();
    let [first, second] = ["first", "second"].map(|name| {
        let body = || pool.task().name(name).submit(move |_| info!("{name}")).unwrap().wait().unwrap();
        Collector::during(body).1
    });
    pool.submit(|| info!("nobody's")).unwrap().wait().unwrap();
    for (seen, name) in [(&first, "first"), (&second, "second")] {
        assert_eq!(seen.spans().len(), 1);
        assert_eq!(seen.said(name).spans, [seen.called(name).0]);
        assert_eq!(seen.events().len(), 1);
    }
}

#[test]
fn subscriber_of_a_run_hears_its_workers_though_it_wants_no_spans_of_ours() {
    const WORKERS: usize = 3;
    let seen = Collector::default();
    let quiet = tracing_subscriber::filter::filter_fn(|metadata| !metadata.target().starts_with("gristmill"));
    let subscriber = tracing_subscriber::registry().with(quiet).with(seen.clone());
    tracing::subscriber::with_default(subscriber, || {
        let order = info_span!("order", name = "order");
        let _in = order.enter();
        let all_here = Barrier::new(WORKERS);
        Pipeline::from_iter(0..WORKERS)
            .workers(WORKERS)
            .map("work", |number| {
                all_here.wait();
                info!("working on {number}");
            })
            .for_each("sink", drop)
            .run(&CancellationToken::new())
            .unwrap();
    });
    assert_eq!(seen.spans().len(), 1);
    assert_eq!(seen.events().len(), WORKERS);
}

#[test]
fn subscriber_that_wants_no_information_gets_no_spans() {
    let seen = Collector::default();
    let subscriber = tracing_subscriber::registry().with(LevelFilter::WARN).with(seen.clone());
    tracing::subscriber::with_default(subscriber, || {
        let pool = ThreadPool::builder().workers(1).build().unwrap();
        pool.submit(|| ()).unwrap().wait().unwrap();
        pool.submit_many([|| ()]).unwrap().wait();
        let run = Pipeline::from_iter(0..3).map("work", |number: u32| number).for_each("sink", drop);
        run.run(&CancellationToken::new()).unwrap();
    });
    assert!(seen.spans().is_empty(), "{:?}", seen.spans());
}
