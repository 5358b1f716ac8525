//! Batches that go on once their first item has waited for long enough.

use std::time::Duration;

use crossbeam_channel::{Receiver, bounded};
use gristmill::{CancellationToken, Pipeline};

use super::support::{LIMIT, counts_close, grid, within_limit};

const SHORT: Duration = Duration::from_millis(2);

/// Sends an item at a time, and the next one once all before it have gone through.
fn feed(sender: &crossbeam_channel::Sender<u64>, seen: &Receiver<Vec<u64>>, items: std::ops::Range<u64>) {
    for item in items {
        sender.send(item).unwrap();
        assert_eq!(seen.recv_timeout(LIMIT).expect("the batch goes on"), [item]);
    }
}

#[test]
fn batch_goes_on_though_the_source_pauses() {
    for (workers, window) in grid().filter(|(workers, _)| *workers < 16) {
        let (sender, receiver) = bounded(4);
        let (results, seen) = bounded(4);
        std::thread::scope(|scope| {
            scope.spawn(move || feed(&sender, &seen, 0..4));
            let report = Pipeline::from_receiver(receiver)
                .workers(workers)
                .window(window)
                .batch(100)
                .batch_timeout(SHORT)
                .send(results)
                .run(&CancellationToken::new())
                .unwrap();
            counts_close(&report);
            assert_eq!((report.finished(), report.stage("batch").unwrap().items_out()), (4, 4));
        });
    }
}

#[test]
fn batch_goes_on_though_a_plain_iterator_waits_for_the_next_item() {
    for workers in [2, 4] {
        let (sender, receiver) = bounded(4);
        let (results, seen) = bounded(4);
        std::thread::scope(|scope| {
            scope.spawn(move || feed(&sender, &seen, 0..4));
            Pipeline::from_iter(receiver)
                .workers(workers)
                .batch_by_weight(1000, |_| 1)
                .batch_timeout(SHORT)
                .send(results)
                .run(&CancellationToken::new())
                .unwrap();
        });
    }
}

#[test]
fn batches_of_several_stages_each_have_their_time() {
    for workers in [1, 2, 4] {
        let (sender, receiver) = bounded(4);
        let (results, seen) = bounded(4);
        std::thread::scope(|scope| {
            scope.spawn(move || {
                for item in 0..4 {
                    sender.send(item).unwrap();
                    assert_eq!(seen.recv_timeout(LIMIT).expect("the batch goes on"), [[item]]);
                }
            });
            Pipeline::from_receiver(receiver)
                .workers(workers)
                .filter("all", |_| true)
                .batch_by_key(100, |_| ())
                .batch_timeout(SHORT)
                .map("same", |batch| batch)
                .batch(100)
                .batch_timeout(SHORT)
                .for_each_local("send", move |batch| results.send(batch).unwrap())
                .run(&CancellationToken::new())
                .unwrap();
        });
    }
}

#[test]
fn time_that_never_comes_is_none() {
    for (workers, window) in grid() {
        let (batches, _) = Pipeline::from_iter(0..100)
            .workers(workers)
            .window(window)
            .batch(40)
            .batch_timeout(Duration::MAX)
            .map("count", |batch| batch.len())
            .collect::<Vec<_>>()
            .run(&CancellationToken::new())
            .unwrap();
        assert_eq!(batches, [40, 40, 20]);
    }
}

#[test]
fn nothing_is_lost_or_reordered_with_times_that_are_over_at_once() {
    for longest in [Duration::ZERO, Duration::from_nanos(1), Duration::from_micros(20)] {
        for (workers, window) in grid() {
            let (batches, report) = within_limit(move || {
                Pipeline::from_iter(0..3000_u64)
                    .workers(workers)
                    .window(window)
                    .filter("odd", |number| number % 2 == 1)
                    .batch_by_weight(7, |_| 1)
                    .batch_timeout(longest)
                    .map("same", |batch| batch)
                    .collect::<Vec<_>>()
                    .run(&CancellationToken::new())
                    .unwrap()
            });
            assert!(batches.iter().all(|batch| (1..=7).contains(&batch.len())));
            assert!(batches.into_iter().flatten().eq((0..3000).filter(|number| number % 2 == 1)));
            assert_eq!(report.finished(), 3000);
            counts_close(&report);
        }
    }
}

#[test]
fn cancellation_ends_a_wait_for_a_batch_that_is_not_due() {
    for workers in [1, 2] {
        let (sender, receiver) = bounded(4);
        let token = CancellationToken::new();
        within_limit(move || {
            sender.send(1).unwrap();
            let stop = token.clone();
            let error = Pipeline::from_receiver(receiver)
                .workers(workers)
                .inspect("stop", move |_| _ = stop.cancel())
                .batch(100)
                .batch_timeout(Duration::from_secs(3600))
                .for_each("drop", drop)
                .run(&token)
                .unwrap_err();
            assert!(error.to_string().contains("cancelled"), "{error}");
            drop(sender);
        });
    }
}
