//! From a cancellation to the return of the run that it ends: how long somebody who presses Ctrl-C waits.
//!
//! The peer is written by hand, with a flag for loops and a channel that is closed for waits, and `select!` wherever a thread may wait: every
//! wait has to be thought of. pariter and rayon have nothing that ends a wait.

use super::{
    harness::Bench,
    table::{Table, quantile_cells},
};
use crossbeam_channel::{Receiver, Sender, bounded, select};
use gristmill::{CancellationToken, Pipeline, PipelineErrorKind};
use std::{
    hint::spin_loop,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

/// Cancellations per case and round, each of a run of its own.
const TURNS: u32 = 1000;
/// From the first item in the stage to the cancellation: long enough for all threads to get to where they stay.
const PAUSE: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3600);
/// Items on their way in each channel of the hand-written pipeline.
const BOUND: usize = 1024;

/// Where all threads of a run are when it is cancelled.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The source waits for an item.
    Idle,
    /// The stage computes and polls.
    Polling,
    /// The sink waits for room in a channel.
    SinkFull,
    /// The stage waits for something, on threads of its own, and would for an hour.
    Waiting,
}

/// A pipeline by name: run to that place by so many workers and cancelled; how long its end took.
type Way = (&'static str, fn(Place, usize) -> Duration);

pub(crate) fn run(bench: &mut Bench) {
    for (place, title) in [
        (Place::Idle, "source waits for an item"),
        (Place::Polling, "stage polls"),
        (Place::SinkFull, "sink waits for room"),
        (Place::Waiting, "blocking stage waits"),
    ] {
        let title = format!("latency of a cancellation, {title}");
        if bench.wants(&title) {
            cancellations(bench, place, &title);
        }
    }
}

fn cancellations(bench: &Bench, place: Place, title: &str) {
    let workers = bench.workers();
    let ways: [Way; 2] = [("crossbeam by hand", by_hand), ("gristmill", ours)];
    eprintln!("{title} ...");
    let mut samples = [const { Vec::new() }; 2];
    for round in 0..=bench.rounds() {
        for ((_, way), samples) in ways.iter().zip(&mut samples) {
            let delays = (0..bench.items(TURNS)).map(|_| way(place, workers).as_secs_f64() * 1e6);
            if round == 0 {
                delays.for_each(drop); // warms up
            } else {
                samples.extend(delays);
            }
        }
    }
    let mut table = Table::new(format!("{title}, microseconds"), &["case", "p50", "p99", "largest"]);
    for ((name, _), samples) in ways.iter().zip(&mut samples) {
        table.row([vec![(*name).to_owned()], quantile_cells(samples).to_vec()].concat());
    }
    table.print();
}

/// How long after the begin of `cancel` the call of `run`, which would not end by itself, returns on another thread. An item in the stage is told
/// through `there`.
fn delay(run: impl FnOnce() + Send, there: &Receiver<()>, cancel: impl FnOnce()) -> Duration {
    thread::scope(|scope| {
        let running = scope.spawn(move || {
            run();
            Instant::now()
        });
        there.recv().expect("an item comes to the stage");
        thread::sleep(PAUSE);
        let start = Instant::now();
        cancel();
        let end = running.join().expect("no panic");
        end.checked_duration_since(start).expect("it goes on until it is cancelled")
    })
}

fn ours(place: Place, workers: usize) -> Duration {
    let token = CancellationToken::new();
    let (arrived, there) = bounded(1);
    let arrive = |item: u64| {
        // Full once the first has come.
        _ = arrived.try_send(());
        item
    };
    let (_items, source) = one_item();
    let (sink, _results) = bounded(1);
    let run = || {
        let endless = Pipeline::from_iter(0_u64..).workers(workers);
        let outcome = match place {
            Place::Idle => {
                let pipeline = Pipeline::from_receiver(source).workers(workers).map("pass", arrive);
                pipeline.for_each("drop", drop).run(&token)
            }
            Place::Polling => {
                let poll = |item| {
                    arrive(item);
                    while !token.is_cancelled() {
                        spin_loop();
                    }
                    item
                };
                endless.map("poll", poll).for_each("drop", drop).run(&token)
            }
            Place::SinkFull => endless.map("pass", arrive).send(sink).run(&token),
            Place::Waiting => {
                let wait = |item| {
                    arrive(item);
                    let _ = token.sleep(HOUR);
                    item
                };
                endless.blocking("wait", workers, wait).for_each("drop", drop).run(&token)
            }
        };
        let error = outcome.expect_err("it is cancelled");
        assert!(matches!(error.kind(), PipelineErrorKind::Cancelled(_)), "{error}");
    };
    delay(run, &there, || _ = token.cancel())
}

/// A channel with one item, after which no other comes as long as both ends are kept.
fn one_item() -> (Sender<u64>, Receiver<u64>) {
    let (items, source) = bounded(1);
    items.send(0).expect("the other end is here");
    (items, source)
}

/// What a hand-written pipeline is told to stop by.
struct Stop {
    flag: AtomicBool,
    /// Closed when it is over.
    over: Receiver<()>,
}

impl Stop {
    /// Sends an item, unless it is over.
    fn send(&self, sender: &Sender<u64>, item: u64) -> bool {
        select! {
            send(sender, item) -> sent => sent.is_ok(),
            recv(self.over) -> _ => false,
        }
    }
}

fn by_hand(place: Place, workers: usize) -> Duration {
    let (cancel, over) = bounded(0);
    let stop = Stop { flag: AtomicBool::new(false), over };
    let (arrived, there) = bounded(1);
    let run = || pipeline_by_hand(place, workers, &stop, &arrived);
    delay(run, &there, || {
        stop.flag.store(true, Relaxed);
        drop(cancel);
    })
}

/// A feeding thread, `workers` threads, and the sink in the caller, until it is over; without order, which has no part in this.
fn pipeline_by_hand(place: Place, workers: usize, stop: &Stop, arrived: &Sender<()>) {
    let (_items, source) = one_item();
    let (full, _results) = bounded(1);
    let (feed, work) = bounded(BOUND);
    let (done, sink) = bounded(BOUND);
    thread::scope(|scope| {
        scope.spawn(move || {
            let next = |number| match place {
                Place::Idle => select! {
                    recv(source) -> item => item.ok(),
                    recv(stop.over) -> _ => None,
                },
                _ => Some(number),
            };
            (0..).map_while(next).all(|item| stop.send(&feed, item));
        });
        for _ in 0..workers {
            let (work, done) = (work.clone(), done.clone());
            scope.spawn(move || {
                work.iter().take_while(|_| !stop.flag.load(Relaxed)).all(|item| {
                    _ = arrived.try_send(());
                    match place {
                        Place::Polling => {
                            while !stop.flag.load(Relaxed) {
                                spin_loop();
                            }
                        }
                        Place::Waiting => _ = stop.over.recv_timeout(HOUR),
                        Place::Idle | Place::SinkFull => {}
                    }
                    stop.send(&done, item)
                })
            });
        }
        // Held by the workers alone from here on.
        drop((work, done));
        sink.into_iter().all(|item| place != Place::SinkFull || stop.send(&full, item));
    });
}
