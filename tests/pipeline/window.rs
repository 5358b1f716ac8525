//! The source is never read more than the window ahead of what has left: asserted inside its `next`.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use gristmill::pipeline::PipelineMonitor;
use gristmill::{CancellationToken, Pipeline};

use super::support::{LIMIT, Ledger, grid, grind, vague, within_limit};

const ITEMS: usize = 3000;

/// What has been taken from the source, and what has left through the sink.
#[derive(Default)]
struct Gauge {
    taken: AtomicUsize,
    left: AtomicUsize,
}

impl Gauge {
    /// `most`: the window, and what a stage may have dropped behind the last item that the sink saw.
    fn source(&self, most: usize) -> impl ExactSizeIterator<Item = usize> {
        (0..ITEMS).inspect(move |_| {
            let ahead = self.taken.fetch_add(1, Ordering::SeqCst) + 1 - self.left.load(Ordering::SeqCst);
            assert!(ahead <= most, "{ahead} items between source and sink, at most {most} allowed");
        })
    }

    /// Everything up to `number` has left.
    fn passed(&self, number: usize) {
        self.left.fetch_max(number + 1, Ordering::SeqCst);
    }

    fn count(&self) {
        self.left.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn window_holds_for_one_row_of_stages() {
    for (workers, window) in grid() {
        for unordered in [false, true] {
            let gauge = Gauge::default();
            let pipeline = Pipeline::from_iter(gauge.source(window)).workers(workers).window(window);
            let pipeline = if unordered { pipeline.unordered() } else { pipeline };
            pipeline
                .map("grind", |number| grind(number as u64 % 50))
                .for_each("count", |_| gauge.count())
                .run(&CancellationToken::new())
                .unwrap();
        }
    }
}

#[test]
fn window_holds_for_a_source_that_may_block_and_for_one_that_is_slow() {
    for (workers, window) in grid() {
        let gauge = Gauge::default();
        Pipeline::from_iter(vague(gauge.source(window)).inspect(|number| {
            grind(if number % 500 == 0 { 100_000 } else { 0 });
        }))
        .workers(workers)
        .window(window)
        .map("pass", |number| number)
        .for_each("count", |_| gauge.count())
        .run(&CancellationToken::new())
        .unwrap();
    }
}

#[test]
fn window_holds_for_a_slow_sink() {
    for (workers, window) in grid() {
        let gauge = Gauge::default();
        Pipeline::from_iter(gauge.source(window))
            .workers(workers)
            .window(window)
            .map("pass", |number| number)
            .for_each("count", |number| {
                grind(if number % 100 == 0 { 50_000 } else { 10 });
                gauge.count();
            })
            .run(&CancellationToken::new())
            .unwrap();
    }
}

#[test]
fn window_holds_across_serial_stages() {
    for (workers, window) in grid() {
        let gauge = Gauge::default();
        Pipeline::from_iter(gauge.source(window))
            .workers(workers)
            .window(window)
            .serial("first", |number| number)
            .map("grind", |number| {
                grind(number as u64 % 300);
                number
            })
            .serial("second", |number| number)
            .map("pass", |number| number)
            .for_each("count", |_| gauge.count())
            .run(&CancellationToken::new())
            .unwrap();
    }
}

#[test]
fn window_counts_what_a_stage_drops_until_the_sink_has_passed_its_place() {
    for (workers, window) in grid() {
        let gauge = Gauge::default();
        Pipeline::from_iter(gauge.source(window + 6))
            .workers(workers)
            .window(window)
            .filter("one in seven", |number| number % 7 == 0)
            .for_each("pass", |number| gauge.passed(number))
            .run(&CancellationToken::new())
            .unwrap();
    }
}

#[test]
fn window_holds_for_items_that_multiply() {
    for (workers, window) in grid() {
        let gauge = Gauge::default();
        Pipeline::from_iter(gauge.source(window))
            .workers(workers)
            .window(window)
            .flat_map("three", |number| (0..3).map(move |copy| (number, copy)))
            .serial("number", |pair| pair)
            .map("pass", |pair| pair)
            .for_each("last", |(number, copy)| {
                if copy == 2 {
                    gauge.passed(number);
                }
            })
            .run(&CancellationToken::new())
            .unwrap();
    }
}

#[test]
fn window_holds_where_a_stage_gives_as_many_as_it_took_but_from_other_items() {
    // Eight of the first, none of the seven after it: the first is not through before the last of the eight is.
    for (workers, window) in grid() {
        let ledger = Ledger::default();
        Pipeline::from_iter((0..ITEMS as u64).map(|number| ledger.item(number)))
            .workers(workers)
            .window(window)
            .flat_map("eight or none", |item| {
                let copies = if item.number % 8 == 0 { 8 } else { 0 };
                std::iter::repeat_n(Arc::new(item), copies)
            })
            .serial("pass", |shared| shared)
            .map("grind", |shared| {
                grind(if shared.number % 64 == 0 { 20_000 } else { 10 });
                shared
            })
            .for_each("drop", drop)
            .run(&CancellationToken::new())
            .unwrap();
        assert!(ledger.peak() <= window, "{} source items alive, {window} allowed", ledger.peak());
    }
}

#[test]
fn window_holds_for_a_sink_on_the_callers_thread() {
    for (workers, window) in grid() {
        let gauge = Gauge::default();
        Pipeline::from_iter(gauge.source(window))
            .workers(workers)
            .window(window)
            .map("grind", |number| grind(number as u64 % 50))
            .for_each_local("count", |_| gauge.count())
            .run(&CancellationToken::new())
            .unwrap();
    }
}

#[test]
fn window_holds_while_a_lazy_iterator_is_pulled() {
    for (workers, window) in grid() {
        let gauge = Gauge::default();
        let (_, outcome) = Pipeline::from_iter(gauge.source(window))
            .workers(workers)
            .window(window)
            .map("pass", |number| number)
            .with_iter(&CancellationToken::new(), |numbers| {
                for number in numbers {
                    grind(if number % 100 == 0 { 20_000 } else { 10 });
                    gauge.count();
                }
            });
        outcome.unwrap();
    }
}

#[test]
fn window_holds_for_an_iterator_with_threads_of_its_own() {
    for (workers, window) in grid() {
        let gauge: &'static Gauge = Box::leak(Box::default());
        let numbers = Pipeline::from_iter(gauge.source(window))
            .workers(workers)
            .window(window)
            .map("pass", |number| number)
            .into_iter_with(&CancellationToken::new())
            .unwrap();
        for number in numbers {
            number.unwrap();
            gauge.count();
        }
    }
}

#[test]
fn window_bounds_what_is_taken_from_a_channel_and_what_is_alive() {
    for (workers, window) in grid() {
        let ledger = Ledger::default();
        let peak = ledger.clone();
        within_limit(move || {
            let (sender, receiver) = crossbeam_channel::bounded(ITEMS);
            (0..ITEMS as u64).for_each(|number| sender.send(number).unwrap());
            drop(sender);
            let channel = receiver.clone();
            let mut through = 0;
            Pipeline::from_receiver(receiver)
                .workers(workers)
                .window(window)
                .map("make", |number| ledger.item(number))
                .for_each("drop", |item| {
                    drop(item);
                    through += 1;
                    let ahead = ITEMS - channel.len() - through;
                    // This one is through for us, and not yet for the pipeline.
                    assert!(ahead <= window, "{ahead} items taken");
                })
                .run(&CancellationToken::new())
                .unwrap();
        });
        assert_eq!((peak.made(), peak.live()), (ITEMS, 0));
        assert!(peak.peak() <= window, "{} alive with a window of {window}", peak.peak());
    }
}

/// The third item is read while the first is being worked on, because the second has been dropped in between.
#[test]
fn item_that_no_batch_sees_makes_room_though_the_one_before_it_is_still_inside() {
    within_limit(|| {
        let (open, gate) = mpsc::channel();
        let gate = Mutex::new(gate);
        let source = (0..3).inspect(move |number| {
            if *number == 2 {
                open.send(()).unwrap();
            }
        });
        let report = Pipeline::from_iter(source)
            .workers(2)
            .window(2)
            .filter("not the second", |number| *number != 1)
            .batch(1)
            .map("wait", |batch| {
                if batch == [0] {
                    gate.lock().unwrap().recv_timeout(LIMIT).expect("there is room for the third");
                }
                batch
            })
            .for_each("drop", drop)
            .run(&CancellationToken::new())
            .unwrap();
        assert_eq!((report.read(), report.finished()), (3, 3));
    });
}

/// One item becomes two, which go on one by one; the second is dropped while the first is still inside.
#[test]
fn item_is_not_through_by_the_last_of_its_results_while_an_earlier_one_is_inside() {
    within_limit(|| {
        let monitor = PipelineMonitor::new();
        let (open, gate) = mpsc::channel();
        let gate = Mutex::new(gate);
        let report = Pipeline::from_iter(0..2)
            .workers(2)
            .window(2)
            .monitored_by(&monitor)
            .flat_map("two", |number| [(number, true), (number, false)])
            .serial("cut", |pair| pair)
            .filter("first", |(_, is_first)| *is_first)
            .serial("pass", |pair| pair)
            .inspect("hold", |(number, _)| {
                if *number == 0 {
                    gate.lock().unwrap().recv_timeout(LIMIT).expect("the next item comes here");
                } else {
                    // It comes behind all of the first one, in order.
                    let finished = monitor.snapshot().finished();
                    open.send(()).unwrap();
                    assert_eq!(finished, 0, "the first one is held");
                }
            })
            .for_each("drop", drop)
            .run(&CancellationToken::new())
            .unwrap();
        assert_eq!((report.read(), report.finished()), (2, 2));
    });
}
