//! No item waits for company: the source gives the next item only when the sink has seen the one before.

use std::sync::mpsc;

use gristmill::{CancellationToken, Pipeline};

use super::support::{LIMIT, grid, grind, vague, within_limit};

/// Fast items that go before, so that chunks and trust have grown.
const FAST: u64 = 100_000;
const SLOW: u64 = FAST + 200;

/// Gives the first items at once, and each later one when the one before has been seen.
fn answering(fast: u64, seen: mpsc::Receiver<u64>) -> impl Iterator<Item = u64> + Send {
    (0..fast + 200).inspect(move |&number| {
        if number > fast {
            while seen.recv_timeout(LIMIT).expect("the item before is held back") + 1 < number {}
        }
    })
}

#[test]
fn item_of_a_source_that_may_block_goes_through_before_the_next_is_there() {
    for declared in [false, true] {
        for (workers, window) in grid().filter(|&(_, window)| window != 2) {
            for fast in [0, if window < 256 { 1000 } else { FAST }] {
                within_limit(move || {
                    let (see, seen) = mpsc::channel();
                    let report = if declared {
                        Pipeline::from_iter(answering(fast, seen))
                            .source_may_block()
                            .workers(workers)
                            .window(window)
                            .map("pass", |number| number)
                            .for_each("see", |number| see.send(number).unwrap_or(()))
                            .run(&CancellationToken::new())
                    } else {
                        Pipeline::from_iter(vague(answering(fast, seen)))
                            .workers(workers)
                            .window(window)
                            .map("pass", |number| number)
                            .serial("order", |number| number)
                            .map("pass", |number| number)
                            .for_each("see", |number| see.send(number).unwrap_or(()))
                            .run(&CancellationToken::new())
                    };
                    assert_eq!(report.unwrap().finished(), fast + 200);
                });
            }
        }
    }
}

/// A channel that is fed one item for each that has been seen, after `FAST` that were there before.
fn feedback(run: impl FnOnce(crossbeam_channel::Receiver<u64>, mpsc::Sender<u64>) + Send + 'static) {
    within_limit(|| {
        let (sender, receiver) = crossbeam_channel::bounded(64);
        let (see, seen) = mpsc::channel();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                for number in 0..SLOW {
                    if number > FAST {
                        while seen.recv_timeout(LIMIT).expect("the item before is held back") + 1 < number {}
                    }
                    sender.send(number).expect("it is received");
                }
            });
            run(receiver, see);
        });
    });
}

#[test]
fn item_of_a_channel_goes_through_before_the_next_is_there() {
    for (workers, window) in grid().filter(|&(_, window)| window > 2) {
        feedback(move |receiver, see| {
            let report = Pipeline::from_receiver(receiver)
                .workers(workers)
                .window(window)
                .map("pass", |number| number)
                .serial("order", |number| number)
                .for_each("see", |number| see.send(number).unwrap_or(()))
                .run(&CancellationToken::new())
                .unwrap();
            assert_eq!(report.finished(), SLOW);
        });
    }
}

#[test]
fn item_of_a_channel_reaches_a_sink_on_the_callers_thread_before_the_next_is_there() {
    for (workers, window) in [(1, 256), (2, 256), (4, 256)] {
        feedback(move |receiver, see| {
            Pipeline::from_receiver(receiver)
                .workers(workers)
                .window(window)
                .map("grind", |number| (number, grind(if number > FAST { 20_000 } else { 1 })).0)
                .for_each_local("see", |number| see.send(number).unwrap_or(()))
                .run(&CancellationToken::new())
                .unwrap();
        });
    }
}

#[test]
fn item_of_a_channel_reaches_a_lazy_iterator_before_the_next_is_there() {
    for (workers, window) in [(1, 256), (2, 256), (4, 256)] {
        feedback(move |receiver, see| {
            let (_, outcome) = Pipeline::from_receiver(receiver)
                .workers(workers)
                .window(window)
                .map("grind", |number| (number, grind(if number > FAST { 20_000 } else { 1 })).0)
                .with_iter(&CancellationToken::new(), |numbers| {
                    numbers.for_each(|number| see.send(number).unwrap_or(()));
                });
            outcome.unwrap();
        });
    }
}

#[test]
fn results_of_the_head_are_delivered_although_a_later_item_is_slow() {
    within_limit(|| {
        for workers in [1, 2, 4] {
            let (see, seen) = mpsc::channel();
            let seen = std::sync::Mutex::new(seen);
            Pipeline::from_iter(0..FAST)
                .workers(workers)
                .map("last waits for the one before", |number| {
                    if number == FAST - 1 && workers > 1 {
                        let seen = seen.lock().unwrap();
                        // All of another chunk: those of its own may wait for it, about 50 microseconds' worth.
                        while seen.recv_timeout(LIMIT).unwrap() + 5000 < number {}
                    }
                    number
                })
                .for_each("see", |number| see.send(number).unwrap())
                .run(&CancellationToken::new())
                .unwrap();
        }
    });
}
