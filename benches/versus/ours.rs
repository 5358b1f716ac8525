//! The library's own cases: for each group a function that adds them.

use super::{
    blocking, expand, fused,
    grind::{any_order, grind, in_order, ordered_sum, unordered_sum, work},
    harness::Group,
    keyed,
    lone::{self, Arrivals, Lone},
    memory,
    nested::Fork,
    over_slice::{self, Kept},
    plain::{SOUND, in_one_call, in_window, pool, with_handles},
    start_stop::Meeting,
    uneven::{Point, Shape},
};
use crossbeam_channel::Receiver;
use gristmill::pipeline::PipelineMonitor;
use gristmill::{CancellationToken, Pipeline, Submitter, ThreadPool};

/// Ordered map, in every form that the library offers.
pub(crate) fn map(group: &mut Group<'_>, items: u32, rounds: u32, workers: usize) {
    let ordered = ordered_sum(items, rounds);
    group.case("gristmill, default window", ordered, move || in_window(items, rounds, workers, None));
    for window in [1024, 256] {
        let name = format!("gristmill, window {window}");
        group.case(name, ordered, move || in_window(items, rounds, workers, Some(window)));
    }
    group.case("gristmill, source may block", ordered, move || {
        let mut sum = 0;
        Pipeline::from_iter(0..u64::from(items))
            .source_may_block()
            .workers(workers)
            .map("grind", |index| work(index, rounds))
            .for_each("sum", |value| sum = in_order(sum, value))
            .run(&CancellationToken::new())
            .expect(SOUND);
        sum
    });
    group.case("gristmill, lazy iterator", ordered, move || {
        let (sum, outcome) = Pipeline::from_iter(0..u64::from(items))
            .workers(workers)
            .map("grind", |index| work(index, rounds))
            .with_iter(&CancellationToken::new(), |values| values.fold(0, in_order));
        outcome.expect(SOUND);
        sum.unwrap_or(0)
    });
    group.case("gristmill, unordered", unordered_sum(items, rounds), move || {
        let mut sum = 0;
        Pipeline::from_iter(0..u64::from(items))
            .workers(workers)
            .map("grind", |index| work(index, rounds))
            .unordered()
            .for_each("sum", |value| sum = any_order(sum, value))
            .run(&CancellationToken::new())
            .expect(SOUND);
        sum
    });
}

/// Ordered map, looked at in every way.
pub(crate) fn observed(group: &mut Group<'_>, items: u32, rounds: u32, workers: usize) {
    let ordered = ordered_sum(items, rounds);
    let run = move |timeline: bool, monitor: Option<PipelineMonitor>| {
        let mut source = Pipeline::from_iter(0..u64::from(items)).workers(workers);
        if timeline {
            source = source.record_timeline();
        }
        if let Some(monitor) = &monitor {
            source = source.monitored_by(monitor);
        }
        let mut sum = 0;
        source
            .map("grind", |index| work(index, rounds))
            .for_each("sum", |value| sum = in_order(sum, value))
            .run(&CancellationToken::new())
            .expect(SOUND);
        sum
    };
    group.case("gristmill, report only", ordered, move || run(false, None)).as_yardstick();
    group.case("gristmill, with a timeline", ordered, move || run(true, None));
    group.case("gristmill, monitored", ordered, move || run(false, Some(PipelineMonitor::new())));
    #[cfg(feature = "progress")]
    group.case("gristmill, with a progress bar", ordered, move || {
        use indicatif::{InMemoryTerm, ProgressBar, ProgressDrawTarget};
        let target = ProgressDrawTarget::term_like(Box::new(InMemoryTerm::new(24, 80)));
        let (monitor, bar) = (PipelineMonitor::new(), ProgressBar::with_draw_target(None, target));
        let shown = gristmill::Progress::of_pipeline(&monitor, &bar).expect(SOUND);
        let sum = run(false, Some(monitor));
        shown.stop().expect(SOUND);
        assert_eq!(bar.position(), u64::from(items));
        sum
    });
}

/// Ordered map with more workers than cores.
pub(crate) fn crowd(group: &mut Group<'_>, items: u32, rounds: u32, workers: usize) {
    let ordered = ordered_sum(items, rounds);
    group.case("gristmill, default window", ordered, move || in_window(items, rounds, workers, None));
    group.case("gristmill, window 1024", ordered, move || in_window(items, rounds, workers, Some(1024)));
}

/// The items by key, each key one at a time.
pub(crate) fn keyed(items: u32, rounds: u32, workers: usize) -> u64 {
    let mut sum = 0;
    Pipeline::from_iter(0..u64::from(items))
        .workers(workers)
        .keyed("grind", |index| index % keyed::KEYS, |index| work(index, rounds))
        .for_each("sum", |value| sum = in_order(sum, value))
        .run(&CancellationToken::new())
        .expect(SOUND);
    sum
}

/// The same without an order of the results.
pub(crate) fn keyed_unordered(items: u32, rounds: u32, workers: usize) -> u64 {
    let mut sum = 0;
    Pipeline::from_iter(0..u64::from(items))
        .workers(workers)
        .keyed_unordered("grind", |index| index % keyed::KEYS, |index| work(index, rounds))
        .unordered()
        .for_each("sum", |value| sum = any_order(sum, value))
        .run(&CancellationToken::new())
        .expect(SOUND);
    sum
}

/// Calls that wait, on threads of their own.
pub(crate) fn blocking(items: u32, workers: usize, threads: usize) -> u64 {
    let mut sum = 0;
    Pipeline::from_iter(0..u64::from(items))
        .workers(workers)
        .blocking("ask", threads, blocking::ask)
        .for_each("sum", |value| sum = in_order(sum, value))
        .run(&CancellationToken::new())
        .expect(SOUND);
    sum
}

/// The same calls in a parallel stage of so many workers.
pub(crate) fn waiting_workers(items: u32, workers: usize) -> u64 {
    let mut sum = 0;
    Pipeline::from_iter(0..u64::from(items))
        .workers(workers)
        .map("ask", blocking::ask)
        .for_each("sum", |value| sum = in_order(sum, value))
        .run(&CancellationToken::new())
        .expect(SOUND);
    sum
}

/// Two stages that fuse.
pub(crate) fn fused(group: &mut Group<'_>, items: u64, workers: usize, expected: u64) {
    for (name, window) in [("gristmill, default window", None), ("gristmill, window 256", Some(256))] {
        group.case(name, expected, move || {
            let mut source = Pipeline::from_iter(0..items).workers(workers);
            if let Some(window) = window {
                source = source.window(window);
            }
            let mut sum = 0;
            source
                .map("first", fused::first)
                .map("second", fused::second)
                .for_each("sum", |value| sum = in_order(sum, value))
                .run(&CancellationToken::new())
                .expect(SOUND);
            sum
        });
    }
}

/// Items that become many others, each of so many rounds.
pub(crate) fn expand(
    group: &mut Group<'_>,
    items: u64,
    (many, rounds): (u32, u32),
    workers: usize,
    expected: u64,
) {
    group.case("gristmill, flat_map", expected, move || {
        let mut sum = 0;
        Pipeline::from_iter(0..items)
            .workers(workers)
            .flat_map("expand", move |index| expand::results(index, many))
            .map("grind", move |value| work(value, rounds))
            .for_each("sum", |value| sum = in_order(sum, value))
            .run(&CancellationToken::new())
            .expect(SOUND);
        sum
    });
    group.case("gristmill, flat_map_bounded", expected, move || {
        let mut sum = 0;
        Pipeline::from_iter(0..items)
            .workers(workers)
            .flat_map_bounded("expand", 4096, move |index| expand::results(index, many))
            .map("grind", move |value| work(value, rounds))
            .for_each("sum", |value| sum = in_order(sum, value))
            .run(&CancellationToken::new())
            .expect(SOUND);
        sum
    });
}

/// Two stages of uneven cost with a serial point between or in them; the sink takes the results in order.
pub(crate) fn uneven(group: &mut Group<'_>, items: u64, workers: usize, shape: Shape, expected: u64) {
    let Shape { first, second, point } = shape;
    let name = match point {
        Point::SerialUnordered => format!("gristmill, {first}, serial_unordered, {second}"),
        Point::Serial => format!("gristmill, {first}, serial, {second}"),
        Point::SecondIsSerial => format!("gristmill, {first}, then {second} in a serial stage"),
    };
    group.case(name, expected, move || {
        let (mut sum, mut passed) = (0, 0);
        let add = |value| sum = any_order(sum, value);
        let mut count = |value| {
            passed += 1;
            value
        };
        let token = CancellationToken::new();
        let source = Pipeline::from_iter(0..items).workers(workers).map("first", |index| work(index, first));
        let report = match point {
            Point::SerialUnordered => {
                let cut = source.serial_unordered("count", &mut count);
                cut.map("second", |value| grind(value, second)).for_each("sum", add).run(&token)
            }
            Point::Serial => {
                let cut = source.serial("count", &mut count);
                cut.map("second", |value| grind(value, second)).for_each("sum", add).run(&token)
            }
            Point::SecondIsSerial => {
                source.serial("second", |value| grind(count(value), second)).for_each("sum", add).run(&token)
            }
        };
        assert_eq!((report.expect(SOUND).finished(), passed), (items, items));
        sum
    });
}

/// A lone item out of a channel.
pub(crate) fn lone_from_receiver(items: Receiver<Lone>, arrivals: &Arrivals, workers: usize) {
    Pipeline::from_receiver(items)
        .workers(workers)
        .map("grind", lone::stage)
        .for_each("arrive", |item| arrivals.arrived(item))
        .run(&CancellationToken::new())
        .expect(SOUND);
}

/// A lone item out of an iterator that blocks.
pub(crate) fn lone_from_iterator(items: &Receiver<Lone>, arrivals: &Arrivals, workers: usize) {
    Pipeline::from_iter(items.iter())
        .source_may_block()
        .workers(workers)
        .map("grind", lone::stage)
        .for_each("arrive", |item| arrivals.arrived(item))
        .run(&CancellationToken::new())
        .expect(SOUND);
}

/// The memory group's work through a window of 1024.
pub(crate) fn memory(items: u64, workers: usize) -> u64 {
    let mut sum = 0;
    Pipeline::from_iter(0..items)
        .window(1024)
        .workers(workers)
        .map("grind", memory::stage)
        .for_each("sum", |value| sum = in_order(sum, value))
        .run(&CancellationToken::new())
        .expect(SOUND);
    sum
}

/// A pool started, met by all its workers, and stopped; the drop waits until its threads have ended.
pub(crate) fn start_stop(meeting: &Meeting, workers: usize) {
    let pool = pool(workers);
    let submit = |_| {
        let meeting = meeting.clone();
        pool.submit(move || meeting.attend()).expect(SOUND)
    };
    let handles: Vec<_> = (0..workers).map(submit).collect();
    for handle in handles {
        handle.wait().expect(SOUND);
    }
}

/// Many tasks, all their handles kept and waited for in order.
pub(crate) fn flood(group: &mut Group<'_>, tasks: u32, rounds: u32, workers: usize) {
    let (expected, count) = (unordered_sum(tasks, rounds), u64::from(tasks));
    let pool = pool(workers);
    group.case("gristmill, with handles", expected, move || with_handles(&pool, count, rounds));
    let pool = self::pool(workers);
    group.case("gristmill `submit_many`", expected, move || in_one_call(&pool, count, rounds));
}

/// Sets of tasks, none of which starts before all of its set are waited for: in order, by a channel of one's own, and in the order of their ends.
pub(crate) fn completed(group: &mut Group<'_>, expected: u64, sets: u32, at_once: u32, workers: usize) {
    let pool = || ThreadPool::builder().workers(workers).queue_bound(at_once as usize).build().expect(SOUND);
    let each_set = move |one: &dyn Fn() -> u64| (0..sets).map(|_| one()).fold(0, any_order);
    let in_order = pool();
    group.case("gristmill, waiting in order", expected, move || {
        each_set(&|| {
            in_order.pause();
            let submit = |index| in_order.submit(move || work(index, 0)).expect(SOUND);
            let handles: Vec<_> = (0..u64::from(at_once)).map(submit).collect();
            in_order.resume();
            handles.into_iter().map(|handle| handle.wait().expect(SOUND)).fold(0, any_order)
        })
    });
    let sending = pool();
    group.case("gristmill, tasks that send to a channel", expected, move || {
        each_set(&|| {
            let (sender, results) = crossbeam_channel::bounded(at_once as usize);
            sending.pause();
            for index in 0..u64::from(at_once) {
                let sender = sender.clone();
                let task = move || sender.send((index, work(index, 0))).expect("there is room for all");
                drop(sending.submit(task).expect(SOUND));
            }
            sending.resume();
            drop(sender);
            results.into_iter().map(|(_, value)| value).fold(0, any_order)
        })
    });
    let pool = pool();
    group.case("gristmill `as_completed`", expected, move || {
        each_set(&|| {
            pool.pause();
            let submit = |index| pool.submit(move || work(index, 0)).expect(SOUND);
            let ends = gristmill::combine::as_completed((0..u64::from(at_once)).map(submit));
            pool.resume();
            ends.map(|(_, value)| value.expect(SOUND)).fold(0, any_order)
        })
    });
}

/// One empty task at a time.
pub(crate) fn round_trip(group: &mut Group<'_>, trips: u32, workers: usize) {
    let pool = pool(workers);
    group.case("gristmill, submit and wait", unordered_sum(trips, 0), move || {
        let trip = |index| pool.submit(move || work(index, 0)).expect(SOUND).wait().expect(SOUND);
        (0..u64::from(trips)).map(trip).fold(0, any_order)
    });
}

/// A tree of forks: each a task that submits two and waits for both through their handles.
pub(crate) fn nested(group: &mut Group<'_>, root: Fork, expected: u64, workers: usize) {
    let pool = pool(workers);
    group.case("gristmill, two handles", expected, move || {
        let submitter = pool.submitter().clone();
        pool.submit(move || fork(&submitter, root)).expect(SOUND).wait().expect(SOUND)
    });
}

fn fork(submitter: &Submitter<'static>, node: Fork) -> u64 {
    let submit = |below| {
        let inner = submitter.clone();
        submitter.submit(move || fork(&inner, below)).expect(SOUND)
    };
    match node.split() {
        Ok(both) => both.map(submit).map(|handle| handle.wait().expect(SOUND)).into_iter().fold(0, any_order),
        Err(leaf) => leaf,
    }
}

/// A map over a slice into a new `Vec`. What tasks borrow has to outlive the pool, so one that maps what a caller has for a while
/// starts a pool each time; the other one is kept, as the peers' are.
pub(crate) fn slice_collected(group: &mut Group<'_>, slice: &'static [u64], rounds: u32, workers: usize) {
    let expected = ordered_sum(u32::try_from(slice.len()).expect(SOUND), rounds);
    let stage = move |&index: &u64| work(index, rounds);
    let map = move || {
        let results = ThreadPool::builder().workers(workers).scope(|pool| pool.map(slice, stage));
        results.expect(SOUND).expect(SOUND)
    };
    group.checked("gristmill `map`, with the start of its pool", expected, map, over_slice::sum);
    let pool = pool(workers);
    group.checked("gristmill `map`", expected, move || pool.map(slice, stage).expect(SOUND), over_slice::sum);
}

/// A map over a slice into the kept buffer; as above.
pub(crate) fn slice_kept<'a>(
    group: &mut Group<'a>,
    slice: &'a [u64],
    kept: &'a Kept,
    rounds: u32,
    workers: usize,
) {
    let expected = ordered_sum(u32::try_from(slice.len()).expect(SOUND), rounds);
    let map = move || {
        let stage = move |&index: &u64| work(index, rounds);
        let mut kept = kept.borrow_mut();
        let out = &mut kept[..];
        let done = ThreadPool::builder().workers(workers).scope(|pool| pool.map_into(slice, out, stage));
        done.expect(SOUND).expect(SOUND);
    };
    let wipe = |()| over_slice::sum_and_wipe(kept);
    group.checked("gristmill `map_into`, with the start of its pool", expected, map, wipe);
}
