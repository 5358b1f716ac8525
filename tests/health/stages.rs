//! A call that does not return is named whatever kind of stage it is of, and no longer once it has.

use std::sync::mpsc::{self, Receiver, Sender};
use std::time::{Duration, Instant};

use gristmill::pipeline::PipelineMonitor;
use gristmill::{CancellationToken, Health, Pipeline};

use crate::gate::LONG;

/// Where items 3 and 7 are held.
#[derive(Clone)]
struct Hold(crossbeam_channel::Receiver<()>);

impl Hold {
    fn pass(&self, number: u32) -> u32 {
        if number % 4 == 3 {
            let _ = self.0.recv();
        }
        number
    }
}

fn until(monitor: &PipelineMonitor, what: &str, is_so: impl Fn(&Health) -> bool) -> Health {
    let limit = Instant::now() + LONG;
    loop {
        let health = monitor.health(Duration::from_millis(1));
        if is_so(&health) {
            return health;
        }
        assert!(Instant::now() < limit, "{what}: {health}, {:?}", monitor.snapshot());
        std::thread::yield_now();
    }
}

/// Runs a pipeline of nine items in which `held` holds two; one after the other if it is `alone`, and otherwise perhaps both at once.
fn check(held: &str, alone: bool, run: impl FnOnce(&PipelineMonitor, Hold) + Send) {
    let monitor = PipelineMonitor::new();
    let (open, opened) = crossbeam_channel::unbounded();
    std::thread::scope(|scope| {
        scope.spawn(|| run(&monitor, Hold(opened)));
        let only = |health: &Health| {
            !health.stuck().is_empty() && health.stuck().iter().all(|call| call.name() == held)
        };
        // A call that is slow, but not held, may have returned by the second look.
        let lasts = |health: &Health| {
            let again = monitor.health(Duration::ZERO);
            again.stuck().iter().any(|call| call.since() == health.stuck()[0].since() && call.name() == held)
        };
        let first = until(&monitor, held, |health| only(health) && lasts(health));
        let since = first.stuck()[0].since();
        // Which of two goes on is not known.
        if alone && first.stuck().len() == 1 {
            open.send(()).unwrap();
            let other =
                |health: &Health| only(health) && health.stuck().iter().any(|call| call.since() > since);
            _ = until(&monitor, held, other);
        }
        drop(open);
    });
    assert!(monitor.snapshot().has_ended(), "{held}");
    assert!(monitor.health(Duration::ZERO).is_healthy(), "{held}");
}

fn items() -> impl Iterator<Item = u32> + Send {
    0..9
}

macro_rules! stuck_in {
    ($($test:ident: $held:literal, |$pipeline:ident, $hold:ident| $rest:expr;)+) => {$(
        #[test]
        fn $test() {
            for workers in [1, 3] {
                check($held, workers == 1, |monitor, $hold| {
                    let $pipeline = Pipeline::from_iter(items()).workers(workers).monitored_by(monitor);
                    $rest.run(&CancellationToken::new()).unwrap();
                });
            }
        }
    )+};
}

stuck_in! {
    map: "here", |pipeline, hold| pipeline.map("here", move |n| hold.pass(n)).for_each("sink", drop);
    filter: "here", |pipeline, hold| pipeline.filter("here", move |n| hold.pass(*n) > 1).for_each("sink", drop);
    flat_map: "here", |pipeline, hold| pipeline.flat_map("here", move |n| [hold.pass(n); 2]).for_each("sink", drop);
    iterator_of_flat_map: "here", |pipeline, hold| pipeline
        .flat_map("here", move |n| { let hold = hold.clone(); (0..2).map(move |index| if index == 0 { hold.pass(n) } else { n }) })
        .for_each("sink", drop);
    map_init: "here", |pipeline, hold| pipeline.map_init("here", || 0, move |_, n| hold.pass(n)).for_each("sink", drop);
    fused: "before + here + after", |pipeline, hold| pipeline
        .map("before", |n| n).map("here", move |n| hold.pass(n)).map("after", |n| n).for_each("sink", drop);
    serial: "here", |pipeline, hold| pipeline.serial("here", move |n| hold.pass(n)).for_each("sink", drop);
    serial_unordered: "here", |pipeline, hold| pipeline.serial_unordered("here", move |n| hold.pass(n)).for_each("sink", drop);
    keyed: "here", |pipeline, hold| pipeline.keyed("here", |n| n % 2, move |n| hold.pass(n)).for_each("sink", drop);
    keyed_unordered: "here", |pipeline, hold| pipeline
        .keyed_unordered("here", |n| n % 2, move |n| hold.pass(n)).for_each("sink", drop);
    blocking: "here", |pipeline, hold| pipeline.blocking("here", 1, move |n| hold.pass(n)).for_each("sink", drop);
    blocking_unordered: "here", |pipeline, hold| pipeline
        .blocking_unordered("here", 1, move |n| hold.pass(n)).for_each("sink", drop);
    flat_map_bounded: "here", |pipeline, hold| pipeline
        .flat_map_bounded("here", 4, move |n| [hold.pass(n); 2]).for_each("sink", drop);
    iterator_of_flat_map_bounded: "here", |pipeline, hold| pipeline
        .flat_map_bounded("here", 4, move |n| { let hold = hold.clone(); (0..2).map(move |index| if index == 0 { hold.pass(n) } else { n }) })
        .for_each("sink", drop);
    weights_of_a_batch: "batch", |pipeline, hold| pipeline
        .batch_by_weight(2, move |n| { hold.pass(*n); 1 }).for_each("sink", drop);
    handler_of_errors: "fails", |pipeline, hold| pipeline
        .try_map("fails", Err::<u32, u32>)
        .handle_errors(move |failed| { hold.pass(failed.error); Ok(()) })
        .for_each("sink", drop);
    sink: "here", |pipeline, hold| pipeline.for_each("here", move |n| _ = hold.pass(n));
    sink_of_the_caller: "here", |pipeline, hold| pipeline.for_each_local("here", move |n| _ = hold.pass(n));
    fold: "here", |pipeline, hold| pipeline.fold("here", 0, move |sum, n| sum + hold.pass(n));
    sink_without_order: "here", |pipeline, hold| pipeline.unordered().for_each("here", move |n| _ = hold.pass(n));
}

/// A channel of no room behind the pipeline, whose receiver takes an item for each that is let through.
fn slow_receiver<T: Send + 'static>(hold: Hold) -> (crossbeam_channel::Sender<T>, Receiver<usize>) {
    let (sender, receiver) = crossbeam_channel::bounded::<T>(0);
    let (count, counted): (Sender<usize>, _) = mpsc::channel();
    std::thread::spawn(move || {
        let mut taken = 0;
        while let Ok(item) = receiver.recv() {
            drop(item);
            taken += 1;
            if taken == 3 || taken == 6 {
                let _ = hold.0.recv();
            }
        }
        count.send(taken).unwrap();
    });
    (sender, counted)
}

#[test]
fn wait_for_a_full_channel_behind_a_tee_or_the_sink() {
    for (held, is_tee) in [("copy", true), ("send", false)] {
        check(held, true, |monitor, hold| {
            let (sender, counted) = slow_receiver(hold);
            let pipeline = Pipeline::from_iter(items()).workers(2).monitored_by(monitor);
            let token = CancellationToken::new();
            if is_tee {
                pipeline.tee("copy", sender).for_each("sink", drop).run(&token).unwrap();
            } else {
                pipeline.send(sender).run(&token).unwrap();
            }
            assert_eq!(counted.recv(), Ok(9));
        });
    }
}
