//! One span for many tasks that were submitted together.

use gristmill::{Shutdown, ThreadPool};
use tracing::{info, info_span};

use crate::collector::Collector;
use crate::gate::occupy;

#[test]
fn batch_has_one_span_around_the_events_of_all_its_tasks() {
    let ((), seen) = Collector::during(|| {
        let pool = ThreadPool::builder().workers(3).build().unwrap();
        let order = info_span!("order", name = "order");
        let _in = order.enter();
        let tasks = (0..200).map(|i| {
            move || {
                info!("task {i}");
                assert!(i != 17, "chaff");
            }
        });
        let results = pool.submit_many(tasks).unwrap().wait();
        assert_eq!(results.iter().filter(|result| result.is_err()).count(), 1);
        assert!(pool.shutdown(Shutdown::Drain).is_complete());
    });
    let (order, _) = seen.called("order");
    let batches = seen.named("batch");
    assert_eq!(batches.len(), 1);
    let batch = &batches[0];
    assert_eq!((batch.parent, batch.number("succeeded"), batch.number("panicked")), (Some(order), 199, 1));
    assert!(batch.number("run_ns") > 0 && batch.fields.contains_key("wait_ns"));
    let events = seen.events();
    assert_eq!(events.len(), 200);
    assert!(events.iter().all(|event| seen.spans()[event.spans[0]].name == "batch"));
    seen.assert_all_closed();
}

#[test]
fn tasks_of_a_batch_that_never_start_are_counted() {
    let ((), seen) = Collector::during(|| {
        let pool = ThreadPool::builder().workers(1).build().unwrap();
        let (gate, running) = occupy(&pool);
        let batch = pool.submit_many((0..10).map(|i| move || i)).unwrap();
        batch.cancel();
        assert!(batch.wait().iter().all(Result::is_err));
        gate.open();
        running.wait().unwrap();
        assert!(pool.shutdown(Shutdown::Drain).is_complete());
    });
    let batch = &seen.named("batch")[0];
    assert_eq!((batch.number("succeeded"), batch.number("cancelled")), (0, 10));
    seen.assert_all_closed();
}

#[test]
fn loop_has_one_span() {
    let ((), seen) = Collector::during(|| {
        let pool = ThreadPool::builder().workers(2).build().unwrap();
        let numbers: Vec<u64> = (0..1000).collect();
        let square = |number: &u64| {
            if *number == 500 {
                info!("half way");
            }
            number * number
        };
        let sum = ThreadPool::scope(|pool| pool.map_reduce(&numbers, square, |a, b| a + b).unwrap());
        assert_eq!(sum.unwrap(), Some(332_833_500));
        assert!(pool.shutdown(Shutdown::Drain).is_complete());
    });
    assert_eq!(seen.spans().len(), 1);
    assert_eq!(seen.said("half way").spans, [0]);
    seen.assert_all_closed();
}
