//! A lone item through an idle pipeline: how long from its sending to its arrival at the sink.

use super::{
    by_hand,
    goals::Row,
    grind::work,
    harness::Bench,
    ours,
    table::{Table, at_quantile, quantile_cells},
};
use crossbeam_channel::{Receiver, Sender, bounded};
use pariter::IteratorExt as _;
use std::{
    hint::black_box,
    thread,
    time::{Duration, Instant},
};

/// Items per case and round, each sent when the one before has arrived.
const ITEMS: u32 = 1000;
/// Idle time before each item: long enough for every peer to have parked its threads.
const PAUSE: Duration = Duration::from_millis(2);
/// After this long without it an item counts as held back.
const PATIENCE: Duration = Duration::from_secs(1);

/// An item: when it was sent. Its way out is how long it took.
pub(crate) type Lone = Instant;

/// A pipeline of one stage that takes lone items and hands each to [`Arrivals::arrived`].
pub(crate) type Way<'a> = Box<dyn FnMut(Receiver<Lone>, Arrivals) + Send + 'a>;

/// The sink's side of the stopwatch.
pub(crate) struct Arrivals(Sender<Duration>);

impl Arrivals {
    pub(crate) fn arrived(&self, item: Lone) {
        // Nobody listens any more once an item was given up as held back.
        let _ = self.0.send(item.elapsed());
    }
}

/// The stage: ten rounds of work that leave the item as it was.
pub(crate) fn stage(item: Lone) -> Lone {
    black_box(work(1, 10));
    item
}

pub(crate) fn run(bench: &mut Bench) {
    let title = "lone item through an idle pipeline";
    if !bench.wants(title) {
        return;
    }
    let workers = bench.workers();
    let mut ways: Vec<(&str, Way)> = vec![
        (
            "loop over the receiver",
            Box::new(|items, arrivals| {
                items.into_iter().map(stage).for_each(|item| arrivals.arrived(item));
            }),
        ),
        (
            "pariter",
            Box::new(move |items, arrivals| {
                items
                    .into_iter()
                    .parallel_map_custom(|options| options.threads(workers), stage)
                    .for_each(|item| arrivals.arrived(item));
            }),
        ),
        (
            "pariter, buffer of 1",
            Box::new(move |items, arrivals| {
                items
                    .into_iter()
                    .parallel_map_custom(|options| options.threads(workers).buffer_size(1), stage)
                    .for_each(|item| arrivals.arrived(item));
            }),
        ),
        (
            "crossbeam by hand, per item",
            Box::new(move |items, arrivals| {
                let (sender, receiver) = bounded(1024);
                thread::scope(|scope| {
                    scope.spawn(move || (0..).zip(items).try_for_each(|numbered| sender.send(numbered)));
                    by_hand::reorder(by_hand::map(scope, receiver, workers, &stage), |item| {
                        arrivals.arrived(item);
                    });
                });
            }),
        ),
        (
            "gristmill, from a receiver",
            Box::new(move |items, arrivals| ours::lone_from_receiver(items, &arrivals, workers)),
        ),
        (
            "gristmill, from an iterator that may block",
            Box::new(move |items, arrivals| ours::lone_from_iterator(&items, &arrivals, workers)),
        ),
    ];

    let mut table = Table::new(format!("{title}, microseconds"), &["case", "p50", "p99", "largest"]);
    eprintln!("{title} ...");
    let mut samples = vec![Some(Vec::new()); ways.len()];
    for round in 0..=bench.rounds() {
        for ((_, way), samples) in ways.iter_mut().zip(&mut samples) {
            let Some(all) = samples else { continue };
            match delays(way, bench.items(ITEMS)) {
                Some(delays) if round > 0 => all.extend(delays),
                Some(_) => {}
                None => *samples = None,
            }
        }
    }
    for ((name, _), samples) in ways.iter().zip(&mut samples) {
        let cells = match samples {
            Some(samples) => {
                let cells = quantile_cells(samples);
                if name.starts_with("gristmill") {
                    let p50 = at_quantile(samples, 0.5);
                    bench.goal(Row::at_most(title, *name, (50.0, p50), 1, "us at p50"));
                }
                cells
            }
            None => ["held back until more items come", "", ""].map(String::from),
        };
        table.row([vec![(*name).to_owned()], cells.to_vec()].concat());
    }
    table.print();
}

/// The delays of `items` lone items in microseconds, or nothing when one did not arrive before the next was sent.
fn delays(way: &mut Way, items: u32) -> Option<Vec<f64>> {
    let (sender, receiver) = bounded(1024);
    let (arrivals, arrived) = bounded(1024);
    thread::scope(|scope| {
        scope.spawn(move || way(receiver, Arrivals(arrivals)));
        // Moved into this closure, so that the pipeline ends before the scope waits for it.
        let sender = sender;
        (0..items)
            .map(|_| {
                thread::sleep(PAUSE);
                sender.send(Instant::now()).expect("the pipeline reads until its source ends");
                arrived.recv_timeout(PATIENCE).ok().map(|delay| delay.as_secs_f64() * 1e6)
            })
            .collect()
    })
}
