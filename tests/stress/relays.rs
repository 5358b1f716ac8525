//! Pipelines with channels between them: one that is closed from outside, and one whose results are read by whoever goes away.

use std::thread;

use gristmill::{CancellationToken, Pipeline, PipelineControl};

use crate::Turn;
use crate::ledger::{Item, Ledger};

#[derive(Debug)]
struct Plan {
    items: u64,
    capacity: usize,
    window: usize,
    workers: usize,
    /// After so many yields of another thread.
    closes: Option<u64>,
    /// How many are taken of an iterator on threads of its own.
    taken: Option<usize>,
}

pub(crate) fn storm(turn: &mut Turn<'_>) {
    let workers = turn.draw_workers();
    let dice = &mut turn.dice;
    let plan = Plan {
        items: dice.below(600),
        capacity: dice.pick(&[1, 2, 50]),
        window: dice.pick(&[1, 3, 256]),
        workers,
        closes: dice.one_in(3).then(|| dice.below(300)),
        taken: dice.one_in(2).then(|| dice.within(0..=300)),
    };
    turn.plan(&plan);
    let ledger = Ledger::default();
    if let Some(taken) = plan.taken {
        read(&plan, &ledger, taken);
    } else {
        relay(&plan, &ledger);
    }
    ledger.is_closed();
}

/// From a channel through two pipelines; what was not read when the first was closed is still in its channel.
fn relay(plan: &Plan, ledger: &Ledger) {
    let (into, first) = crossbeam_channel::bounded::<Item>(plan.capacity);
    let (between, second) = crossbeam_channel::bounded::<Item>(plan.capacity);
    let control = PipelineControl::new();
    let (sent, seen) = thread::scope(|threads| {
        let left = first.clone();
        let feeder = threads.spawn(move || {
            let sent = (0..plan.items).take_while(|number| into.send(ledger.item(*number)).is_ok());
            sent.count() as u64
        });
        let (closing, passed) = (control.clone(), between);
        let halves = threads.spawn(move || {
            let pipeline = Pipeline::from_receiver(first).controlled_by(&closing);
            let pipeline = pipeline.workers(plan.workers).window(plan.window);
            let ended = pipeline.map("pass", |item| item).send(passed).run(&CancellationToken::new());
            ended.expect("the second pipeline reads to the end");
            // Whoever still sends finds nobody once what is left is taken.
            left.iter().map(|item| item.number).collect::<Vec<_>>()
        });
        if let Some(yields) = plan.closes {
            let control = control.clone();
            threads.spawn(move || {
                (0..yields).for_each(|_| thread::yield_now());
                control.close();
            });
        }
        let pipeline = Pipeline::from_receiver(second).workers(plan.workers).window(plan.window);
        let numbers = pipeline.map("number", |item: Item| item.number).collect::<Vec<_>>();
        let (mut seen, _) = numbers.run(&CancellationToken::new()).expect("nothing fails");
        seen.extend(halves.join().expect("no claim fails"));
        (feeder.join().expect("no claim fails"), seen)
    });
    assert_eq!(sent, plan.items);
    assert!(seen.into_iter().eq(0..plan.items));
}

/// On threads of its own, with a reader that may go away.
fn read(plan: &Plan, ledger: &Ledger, taken: usize) {
    let (stop, made) = (CancellationToken::new(), ledger.clone());
    let pipeline = Pipeline::from_iter((0..plan.items).map(move |number| made.item(number)));
    let pipeline = pipeline.workers(plan.workers).window(plan.window).map("pass", |item| item);
    let mut results = pipeline.into_iter_with(&stop).expect("good settings");
    let seen: Vec<u64> =
        results.by_ref().take(taken).map(|item| item.expect("nothing fails").number).collect();
    assert!(seen.iter().copied().eq((0..plan.items).take(taken)));
    if plan.closes.is_some() {
        stop.cancel();
        for result in results {
            if result.is_err_and(|error| error.is_cancelled()) {
                break;
            }
        }
    } else {
        let report = results.finish().expect("to stop it is no error");
        assert!(report.read() >= seen.len() as u64);
    }
}
