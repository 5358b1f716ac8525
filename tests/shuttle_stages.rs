//! Three stages between a source and a sink, and at every place of every one of them the end of the stream, an error, a panic or a
//! cancellation: one table, each cell in every order of events that the scheduler finds.
//!
//! Whatever happens, no stage sees an item twice, no more items are inside than the window lets in, keys and serial stages exclude and
//! keep the order as they promise, the result is complete or the ending is exactly the one that was asked for, the counts of every stage
//! close and are the calls that were made, and nothing of any item is left.
//!
//! Time-outs are switched off, so whatever nobody wakes or passes on is a deadlock.
#![cfg(gristmill_shuttle)]
#![allow(clippy::unwrap_used)] // helpers are test code too, though not inside of a `#[test]`

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use gristmill::pipeline::Results;
use gristmill::sync::{atomic as scheduled, model as execution, thread};
use gristmill::{CancellationToken, Pipeline, PipelineError, PipelineErrorKind, Report};

#[path = "support/model.rs"]
mod model;

const ITEMS: usize = 5;
const COPIES: usize = 2;
const KEYS: usize = 2;
/// The number of the sink, as the source's is 0.
const SINK: usize = 4;
const WORKERS: usize = 2;
/// Of 10 000 executions each cell that has threads gets as many as let the file take about a minute on two cores.
const SHARE: usize = 200;
/// And the others this.
const ALONE: usize = 10_000;
/// What a blocking stage has.
const THREADS: usize = 2;

/// What a stage promises.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Parallel,
    /// Drops every third item.
    Filter,
    /// Makes two of each item, and of the second none.
    FlatMap,
    SerialUnordered,
    Serial,
    Keyed,
    KeyedUnordered,
    /// On threads of its own.
    BlockingUnordered,
    /// Gathers two items.
    Batch,
    /// Takes a batch apart.
    Open,
}
use Kind::{
    Batch, BlockingUnordered, Filter, FlatMap, Keyed, KeyedUnordered, Open, Parallel, Serial, SerialUnordered,
};

impl Kind {
    /// Whether its closure may return an error.
    fn can_fail(self) -> bool {
        !matches!(self, Filter | FlatMap | SerialUnordered | Batch | Open)
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Event {
    EndOfStream,
    Fails,
    Panics,
    Cancels,
    /// The caller drops the iterator over the results.
    Leaves,
}

/// Who takes the results.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Taker {
    AnyWorker,
    OwnThread,
    Borrowed,
    Owned,
}

/// One row of the table: a shape, a setting, and an event with its place.
#[derive(Clone, Copy)]
struct Cell {
    stages: [Kind; 3],
    workers: usize,
    window: usize,
    ordered: bool,
    may_block: bool,
    taker: Taker,
    event: Event,
    /// 0 is the source.
    stage: usize,
    item: usize,
    /// Another stage and item, at which there is a panic.
    also: Option<(usize, usize)>,
}

impl fmt::Display for Cell {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stages: [first, second, third], workers, window, event, stage, item, taker, .. } = self;
        write!(formatter, "{first:?}-{second:?}-{third:?}, {taker:?}")?;
        write!(formatter, ", {workers} workers, window {window}")?;
        write!(formatter, ", {}", if self.ordered { "ordered" } else { "unordered" })?;
        write!(formatter, ", {}", if self.may_block { "may block" } else { "ready" })?;
        write!(formatter, ", {event:?} at {stage}.{item}")?;
        self.also.map_or(Ok(()), |(stage, item)| write!(formatter, ", panics at {stage}.{item}"))
    }
}

impl Cell {
    fn kind(&self, stage: usize) -> Kind {
        if (1..=3).contains(&stage) { self.stages[stage - 1] } else { Serial }
    }

    fn has_before(&self, stage: usize, kind: Kind) -> bool {
        self.stages[..(stage.max(1) - 1).min(3)].contains(&kind)
    }

    /// Which copies of which items come to a stage when nothing happens, in order.
    fn coming_to(&self, stage: usize) -> Vec<(usize, usize)> {
        let mut coming: Vec<_> = (0..ITEMS).map(|number| (number, 0)).collect();
        if self.has_before(stage, Filter) {
            coming.retain(|(number, _)| is_kept(*number));
        }
        if self.has_before(stage, FlatMap) {
            coming = coming.into_iter().flat_map(|(number, _)| copies_of(number)).collect();
        }
        coming
    }

    /// Whether the order of the source is kept as far as `stage`.
    fn keeps_order(&self, stage: usize) -> bool {
        let lets_pass = self.has_before(stage, KeyedUnordered) || self.has_before(stage, BlockingUnordered);
        !lets_pass && (stage != SINK || self.ordered)
    }

    /// Stage and item of the event, and of the other one.
    fn events(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        std::iter::once((self.stage, self.item)).chain(self.also)
    }

    /// Whether something has an item to happen at, if nothing happens before.
    fn happens(&self, (stage, item): (usize, usize)) -> bool {
        self.coming_to(stage).contains(&(item, 0))
    }

    /// Which of two failures has to be the ending: that of the earlier item, where everything goes in order.
    fn first(&self) -> Option<(usize, usize)> {
        let in_order = self.keeps_order(SINK) && !self.stages.contains(&Batch);
        let first =
            self.events().filter(|event| self.happens(*event)).min_by_key(|(stage, item)| (*item, *stage));
        if in_order { first } else { None }
    }

    /// How many source items there may be something of: those in the window, those in the batch that is being filled, and where no order
    /// is kept what the other workers have in hand.
    fn most_inside(&self) -> usize {
        let drops = |stage| self.has_before(stage, FlatMap) || self.has_before(stage, Filter);
        let cuts = |kind: &Kind| matches!(kind, Serial | Keyed | KeyedUnordered | BlockingUnordered | Batch);
        let mut in_hand = 0;
        for (at, kind) in self.stages.iter().enumerate() {
            let passes = matches!(kind, Batch | KeyedUnordered | BlockingUnordered);
            if !self.ordered && (passes || cuts(kind) && drops(at + 1)) {
                let chunk = (self.window / (2 * self.workers)).max(1);
                let others = self.workers - 1 + if *kind == BlockingUnordered { THREADS } else { 0 };
                in_hand = others * chunk * if self.stages.contains(&Batch) { 2 } else { 1 };
            }
        }
        self.window + usize::from(self.stages.contains(&Batch)) + in_hand
    }
}

fn is_kept(number: usize) -> bool {
    number % 3 != 1
}

fn copies_of(number: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..if number == 1 { 0 } else { COPIES }).map(move |copy| (number, copy))
}

/// An error of the closures, with the place that it comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Injected(usize, usize);

#[derive(Default)]
struct Lane {
    busy: scheduled::AtomicUsize,
    last: AtomicUsize,
}

/// What the closures of one execution see, and what they do.
struct Watch {
    cell: Cell,
    token: CancellationToken,
    /// Source items of which there is something.
    inside: AtomicUsize,
    /// How much there is of each.
    live: [AtomicUsize; ITEMS],
    seen: [[AtomicUsize; ITEMS * COPIES]; 5],
    /// Calls of each stage that did return.
    calls: [AtomicUsize; 5],
    lanes: [[Lane; KEYS]; 5],
    /// The index that the error of each event has to name, from 1 on.
    struck: [AtomicUsize; 2],
}

/// A copy of an item, which is counted as long as it exists.
struct Item {
    watch: Arc<Watch>,
    number: usize,
    copy: usize,
    /// The source index that it goes by: of the first of the batch that it was in, if it was in one.
    index: usize,
}

impl Item {
    fn new(watch: &Arc<Watch>, number: usize, copy: usize) -> Self {
        if watch.live[number].fetch_add(1, SeqCst) == 0 {
            let inside = watch.inside.fetch_add(1, SeqCst) + 1;
            assert!(inside <= watch.cell.most_inside(), "{inside} inside: {}", watch.cell);
        }
        Self { watch: Arc::clone(watch), number, copy, index: number }
    }

    fn key(&self) -> usize {
        self.number % KEYS
    }
}

impl Drop for Item {
    fn drop(&mut self) {
        let left = self.watch.live[self.number].fetch_sub(1, SeqCst);
        assert!((1..=COPIES + 1).contains(&left), "dropped twice"); // the one that they are made of is the last
        if left == 1 {
            self.watch.inside.fetch_sub(1, SeqCst);
        }
    }
}

impl Watch {
    /// An item comes to a stage.
    fn pass(&self, stage: usize, item: &Item) -> Result<(), Injected> {
        let Cell { event, .. } = self.cell;
        let copy = item.number * COPIES + item.copy;
        assert_eq!(self.seen[stage][copy].fetch_add(1, SeqCst), 0, "seen twice at {stage}");
        let kind = self.cell.kind(stage);
        let lane = match kind {
            Serial | SerialUnordered | Batch => Some(&self.lanes[stage][0]),
            Keyed | KeyedUnordered => Some(&self.lanes[stage][item.key()]),
            _ => None,
        };
        if let Some(lane) = lane {
            assert_eq!(lane.busy.fetch_add(1, scheduled::Ordering::SeqCst), 0, "two at once at {stage}");
            let is_early = lane.last.swap(copy + 1, SeqCst) <= copy;
            assert!(is_early || kind == SerialUnordered || !self.cell.keeps_order(stage), "order at {stage}");
            assert_eq!(lane.busy.fetch_sub(1, scheduled::Ordering::SeqCst), 1);
        } else {
            self.lanes[stage][0].busy.load(scheduled::Ordering::SeqCst); // others may come in between
        }
        if (stage, item.number, 0) == (self.cell.stage, self.cell.item, item.copy) {
            self.struck[0].store(item.index + 1, SeqCst);
            match event {
                Event::Fails => return Err(Injected(stage, item.number)),
                Event::Panics => panic!("{:?}", Injected(stage, item.number)),
                Event::Cancels => _ = self.token.cancel(),
                Event::EndOfStream | Event::Leaves => {}
            }
        }
        if self.cell.also == Some((stage, item.number)) && item.copy == 0 {
            self.struck[1].store(item.index + 1, SeqCst);
            panic!("{:?}", Injected(stage, item.number));
        }
        Ok(())
    }

    /// What is the closure of most stages.
    fn attempt(self: &Arc<Self>, stage: usize) -> impl Fn(Item) -> Result<Item, Injected> + Clone + use<> {
        let watch = Arc::clone(self);
        move |item| {
            watch.calls[stage].fetch_add(1, SeqCst);
            watch.pass(stage, &item).map(|()| item)
        }
    }

    /// The closure of a stage that cannot fail.
    fn sure(self: &Arc<Self>, stage: usize) -> impl Fn(&Item) + Clone + use<> {
        let watch = Arc::clone(self);
        move |item| {
            watch.calls[stage].fetch_add(1, SeqCst);
            watch.pass(stage, item).expect("not asked to");
        }
    }

    fn keep(self: &Arc<Self>, stage: usize) -> impl Fn(&Item) -> bool + Clone + use<> {
        let see = self.sure(stage);
        move |item| {
            see(item);
            is_kept(item.number)
        }
    }

    fn multiply(self: &Arc<Self>, stage: usize) -> impl Fn(Item) -> Vec<Item> + Clone + use<> {
        let (see, watch) = (self.sure(stage), Arc::clone(self));
        move |item| {
            see(&item);
            copies_of(item.number).map(|(number, copy)| Item::new(&watch, number, copy)).collect()
        }
    }

    /// The closure of a stage that works on batches.
    fn attempt_all(
        self: &Arc<Self>,
        stage: usize,
    ) -> impl Fn(Vec<Item>) -> Result<Vec<Item>, Injected> + Clone + use<> {
        let watch = Arc::clone(self);
        move |mut batch| {
            watch.calls[stage].fetch_add(1, SeqCst);
            let index = batch[0].index;
            for item in &mut batch {
                item.index = index;
                watch.pass(stage, item)?;
            }
            Ok(batch)
        }
    }

    fn open(self: &Arc<Self>, stage: usize) -> impl Fn(Vec<Item>) -> Vec<Item> + Clone + use<> {
        let see = self.attempt_all(stage);
        move |batch| see(batch).expect("not asked to")
    }

    fn weigh(self: &Arc<Self>, stage: usize) -> impl Fn(&Item) -> u64 + Clone + use<> {
        let see = self.sure(stage);
        move |item| {
            see(item);
            1
        }
    }

    fn source(self: &Arc<Self>) -> impl ExactSizeIterator<Item = Result<Item, Injected>> + use<> {
        let watch = Arc::clone(self);
        (0..ITEMS).map(move |number| {
            watch.calls[0].fetch_add(1, SeqCst);
            let item = Item::new(&watch, number, 0);
            watch.pass(0, &item).map(|()| item)
        })
    }
}

/// Fuses a stage of a kind to a pipeline.
macro_rules! add {
    ($pipeline:ident, $watch:ident, $stage:literal, Parallel) => {
        $pipeline.try_map(concat!("stage ", $stage), $watch.attempt($stage))
    };
    ($pipeline:ident, $watch:ident, $stage:literal, ParallelBatches) => {
        $pipeline.try_map(concat!("stage ", $stage), $watch.attempt_all($stage))
    };
    ($pipeline:ident, $watch:ident, $stage:literal, Serial) => {
        $pipeline.try_serial(concat!("stage ", $stage), $watch.attempt($stage))
    };
    ($pipeline:ident, $watch:ident, $stage:literal, SerialBatches) => {
        $pipeline.try_serial(concat!("stage ", $stage), $watch.attempt_all($stage))
    };
    ($pipeline:ident, $watch:ident, $stage:literal, Keyed) => {
        $pipeline.try_keyed(concat!("stage ", $stage), Item::key, $watch.attempt($stage))
    };
    ($pipeline:ident, $watch:ident, $stage:literal, KeyedUnordered) => {
        $pipeline.try_keyed_unordered(concat!("stage ", $stage), Item::key, $watch.attempt($stage))
    };
    ($pipeline:ident, $watch:ident, $stage:literal, Blocking) => {
        $pipeline.try_blocking(concat!("stage ", $stage), THREADS, $watch.attempt($stage))
    };
    ($pipeline:ident, $watch:ident, $stage:literal, BlockingUnordered) => {
        $pipeline.try_blocking_unordered(concat!("stage ", $stage), THREADS, $watch.attempt($stage))
    };
    ($pipeline:ident, $watch:ident, $stage:literal, Expanding) => {
        $pipeline.flat_map_bounded(concat!("stage ", $stage), 1, $watch.multiply($stage))
    };
    ($pipeline:ident, $watch:ident, $stage:literal, SerialUnordered) => {{
        let see = $watch.sure($stage);
        $pipeline.serial_unordered(concat!("stage ", $stage), move |item| {
            see(&item);
            item
        })
    }};
    ($pipeline:ident, $watch:ident, $stage:literal, Filter) => {
        $pipeline.filter(concat!("stage ", $stage), $watch.keep($stage))
    };
    ($pipeline:ident, $watch:ident, $stage:literal, FlatMap) => {
        $pipeline.flat_map(concat!("stage ", $stage), $watch.multiply($stage))
    };
    ($pipeline:ident, $watch:ident, $stage:literal, Batch) => {
        $pipeline.batch_by_weight(2, $watch.weigh($stage))
    };
    ($pipeline:ident, $watch:ident, $stage:literal, Open) => {
        $pipeline.flat_map(concat!("stage ", $stage), $watch.open($stage))
    };
}

/// How a run went.
type Outcome = Result<Report, PipelineError<Injected>>;
/// Runs the pipeline of a shape, and notes which copies of which items the sink takes.
type Run = fn(&Arc<Watch>, &mut Vec<(usize, usize)>) -> Outcome;

/// A test of one shape, over all its cells.
macro_rules! shape {
    ($name:ident: $first:ident, $second:ident $(as $second_kind:ident)?, $third:ident) => {
        #[test]
        fn $name() {
            fn run(watch: &Arc<Watch>, seen: &mut Vec<(usize, usize)>) -> Outcome {
                let Cell { workers, window, ordered, may_block, taker, .. } = watch.cell;
                let token = &watch.token.clone();
                let pipeline = Pipeline::from_try_iter(watch.source()).workers(workers).window(window);
                let pipeline = if may_block { pipeline.source_may_block() } else { pipeline };
                let pipeline = if ordered { pipeline } else { pipeline.unordered() };
                let pipeline = add!(pipeline, watch, 1, $first);
                let pipeline = add!(pipeline, watch, 2, $second);
                let pipeline = add!(pipeline, watch, 3, $third);
                let attempt = watch.attempt(SINK);
                let mut take = |item| {
                    let item = attempt(item)?;
                    seen.push((item.number, item.copy));
                    Ok(())
                };
                match taker {
                    Taker::AnyWorker => pipeline.try_for_each("sink", take).run(token),
                    Taker::OwnThread => pipeline.try_for_each_local("sink", take).run(token),
                    Taker::Borrowed => {
                        let leaves = watch.cell.event == Event::Leaves;
                        let body = |mut results: Results<'_, Item>| {
                            while let Some(item) = results.next() {
                                let stays = !leaves || (item.number, item.copy) != (watch.cell.item, 0);
                                take(item).expect("an iterator has no errors");
                                if !stays {
                                    break;
                                }
                            }
                        };
                        pipeline.with_iter(token, body).1
                    }
                    Taker::Owned => {
                        let mut results = pipeline.into_iter_with(token).unwrap();
                        while let Some(result) = results.next() {
                            let item = result?;
                            let leaves = watch.cell.event == Event::Leaves;
                            let stays = !leaves || (item.number, item.copy) != (watch.cell.item, 0);
                            take(item).expect("an iterator has no errors");
                            if !stays {
                                break;
                            }
                        }
                        results.finish()
                    }
                }
            }
            table([$first, shape!(@kind $second $($second_kind)?), $third], run);
        }
    };
    (@kind $second:ident) => { $second };
    (@kind $second:ident $kind:ident) => { $kind };
}

fn table(stages: [Kind; 3], run: Run) {
    for ordered in [true, false] {
        // The first two run on the caller's thread alone: in one order only.
        for (workers, window, share) in
            [(1, 3, ALONE), (WORKERS, 1, ALONE), (WORKERS, 3, SHARE), (WORKERS, 12, SHARE)]
        {
            for cell in cells(stages, workers, window, ordered) {
                model::check_share(&cell.to_string(), share, move || {
                    execution::forbid_timeouts();
                    // The PCT scheduler refuses what has no concurrency.
                    let other = thread::Builder::new().spawn(|| ()).expect("no fault is asked for");
                    run_cell(cell, run);
                    other.join().expect("it does nothing");
                });
            }
        }
    }
}

fn cells(stages: [Kind; 3], workers: usize, window: usize, ordered: bool) -> Vec<Cell> {
    let mut cells = Vec::new();
    for taker in [Taker::AnyWorker, Taker::OwnThread, Taker::Borrowed, Taker::Owned] {
        let event = Event::EndOfStream;
        let mut cell = Cell {
            stages,
            workers,
            window,
            ordered,
            may_block: false,
            taker,
            event,
            stage: 0,
            item: 0,
            also: None,
        };
        cells.push(cell);
        let pulled = matches!(taker, Taker::Borrowed | Taker::Owned);
        // The first, the middle and the last item; only the middle one where somebody else than a worker takes the results.
        let items: &[usize] = if taker == Taker::AnyWorker { &[0, 2, ITEMS - 1] } else { &[2] };
        for &item in items {
            for stage in 0..=SINK {
                let can_fail = cell.kind(stage).can_fail() && !(stage == SINK && pulled);
                let events: &[Event] = match (can_fail, stage == SINK && pulled) {
                    (true, _) => &[Event::Fails, Event::Panics, Event::Cancels],
                    (_, true) => &[Event::Cancels, Event::Leaves],
                    _ => &[Event::Panics, Event::Cancels],
                };
                for &event in events {
                    cell.may_block = !cell.may_block;
                    cells.push(Cell { event, stage, item, ..cell });
                }
                if can_fail && taker == Taker::AnyWorker && item == 2 {
                    // A second one further up or down, at an earlier and at a later item.
                    for also in [((stage + 2) % 5, 1), ((stage + 4) % 5, 3), ((stage + 1) % 5, 3)] {
                        cells.push(Cell { event: Event::Fails, stage, item, also: Some(also), ..cell });
                    }
                }
            }
        }
    }
    cells
}

/// One execution of one cell.
fn run_cell(cell: Cell, run: Run) {
    let watch = Arc::new(Watch {
        cell,
        token: CancellationToken::new(),
        inside: AtomicUsize::new(0),
        live: Default::default(),
        seen: Default::default(),
        calls: Default::default(),
        lanes: Default::default(),
        struck: Default::default(),
    });
    let mut seen = Vec::new();
    let outcome = run(&watch, &mut seen);
    assert_eq!(watch.inside.load(SeqCst), 0, "{cell}: something is left");
    assert_eq!(Arc::strong_count(&watch), 1, "{cell}: a closure is left");
    let report = match &outcome {
        Ok(report) => report,
        Err(error) => error.report(),
    };
    check_counts(&watch, report);
    let complete = cell.coming_to(SINK);
    if !cell.keeps_order(SINK) {
        seen.sort_unstable();
    }
    let (stage, item, index) = match (&outcome, cell.event) {
        (Ok(report), Event::EndOfStream | Event::Cancels) => {
            assert_eq!(seen, complete, "{cell}");
            assert_eq!((report.read(), report.finished()), (ITEMS as u64, ITEMS as u64), "{cell}\n{report}");
            return;
        }
        (Ok(report), Event::Fails | Event::Panics) => {
            assert!(!cell.events().any(|event| cell.happens(event)), "{cell}: no error\n{report}");
            assert_eq!((seen, report.finished()), (complete, ITEMS as u64), "{cell}\n{report}");
            return;
        }
        (Err(error), Event::Fails | Event::Panics) => {
            let is_other = error.is_panic() && cell.event != Event::Panics;
            let (stage, item) = if is_other { cell.also.unwrap() } else { (cell.stage, cell.item) };
            let struck = watch.struck[usize::from(is_other)].load(SeqCst);
            assert!(
                struck > 0 && cell.first().is_none_or(|first| first == (stage, item)),
                "{cell}: {error:?}"
            );
            let (index, name) = (struck as u64 - 1, report.stages()[stage].name());
            assert_eq!((error.stage(), error.index()), (Some(name), Some(index)), "{cell}");
            match error.kind() {
                PipelineErrorKind::Failed { source, .. } => assert_eq!(*source, Injected(stage, item)),
                PipelineErrorKind::Panicked { panic, .. } => {
                    assert_eq!(panic.message(), format!("{:?}", Injected(stage, item)));
                }
                other => panic!("{cell}: {other:?}"),
            }
            (stage, item, index)
        }
        (Ok(_), Event::Leaves) => (SINK, ITEMS, 0),
        (Err(error), event) => {
            assert!(error.is_cancelled() && event == Event::Cancels, "{cell}: {error:?}");
            (SINK, ITEMS, 0)
        }
    };
    // An early end: the sink has seen a part.
    if !cell.keeps_order(SINK) {
        let mut expected = complete.iter();
        assert!(seen.iter().all(|one| expected.any(|other| other == one)), "{cell}: {seen:?}");
        return;
    }
    assert!(complete.starts_with(&seen), "{cell}: {seen:?}");
    if matches!(cell.event, Event::Fails | Event::Panics) {
        // Nothing of a batch comes out before its last item is through a stage that works on it as a whole.
        let first = if stage == SINK { item } else { usize::try_from(index).unwrap() };
        let before = complete.iter().filter(|(number, _)| *number < first).count();
        assert_eq!(seen.len(), before, "{cell}");
        assert!((index..=first as u64).contains(&report.finished()), "{cell}\n{report}");
    }
}

/// Each item that came to a stage is counted once more, and each call of it.
fn check_counts(watch: &Watch, report: &Report) {
    let cell = &watch.cell;
    let stages = report.stages();
    assert_eq!((stages.len(), stages[0].items_in()), (5, report.read()), "{cell}\n{report}");
    assert!(report.finished() <= report.read(), "{cell}\n{report}");
    for (number, stage) in stages.iter().enumerate() {
        if number > 0 {
            assert_eq!(stages[number - 1].items_out(), stage.items_in(), "{cell}\n{report}");
        }
        let ended = [stage.filtered(), stage.failed(), stage.panicked(), stage.undone()].iter().sum::<u64>();
        assert!(ended <= stage.items_in(), "{cell}, {number}\n{report}");
        let kind = cell.kind(number);
        if !matches!(kind, FlatMap | Batch | Open) {
            assert_eq!(stage.passed(), stage.items_out(), "{cell}, {number}\n{report}");
        }
        let struck = |which: usize| watch.struck[which].load(SeqCst) > 0;
        let here = cell.stage == number && struck(0);
        let other_here = cell.also.is_some_and(|(stage, _)| stage == number) && struck(1);
        let failed = u64::from(here && cell.event == Event::Fails);
        let panicked = u64::from(here && cell.event == Event::Panics) + u64::from(other_here);
        assert_eq!((stage.failed(), stage.panicked()), (failed, panicked), "{cell}, {number}\n{report}");
        let calls = watch.calls[number].load(SeqCst) as u64;
        let pulled = number == SINK && matches!(cell.taker, Taker::Borrowed | Taker::Owned);
        let begun = stage.items_in() - stage.undone();
        match kind {
            // What waits for company when the run ends is undone, and its weight has been asked for.
            Batch => assert!((begun..=stage.items_in()).contains(&calls), "{cell}, {number}\n{report}"),
            _ => assert!(pulled || begun == calls, "{cell}, {number}\n{report}"),
        }
    }
}

shape!(parallel_serial_parallel: Parallel, Serial, Parallel);
shape!(parallel_keyed_parallel: Parallel, Keyed, Parallel);
shape!(parallel_keyed_unordered_serial: Parallel, KeyedUnordered, Serial);
shape!(parallel_keyed_unordered_parallel: Parallel, KeyedUnordered, Parallel);
shape!(keyed_unordered_keyed_parallel: KeyedUnordered, Keyed, Parallel);
shape!(parallel_serial_unordered_parallel: Parallel, SerialUnordered, Parallel);
shape!(batch_parallel_open: Batch, ParallelBatches as Parallel, Open);
shape!(batch_serial_open: Batch, SerialBatches as Serial, Open);
shape!(keyed_batch_open: Keyed, Batch, Open);
shape!(keyed_unordered_batch_open: KeyedUnordered, Batch, Open);
shape!(filter_serial_keyed: Filter, Serial, Keyed);
shape!(flat_map_serial_keyed: FlatMap, Serial, Keyed);
shape!(flat_map_serial_keyed_unordered: FlatMap, Serial, KeyedUnordered);
shape!(serial_expanding_serial: Serial, Expanding as FlatMap, Serial);
shape!(serial_expanding_keyed_unordered: Serial, Expanding as FlatMap, KeyedUnordered);
shape!(parallel_blocking_parallel: Parallel, Blocking as Parallel, Parallel);
shape!(parallel_blocking_unordered_serial: Parallel, BlockingUnordered, Serial);
shape!(flat_map_serial_blocking_unordered: FlatMap, Serial, BlockingUnordered);
