//! Consumers that stop taking, go on, are cancelled or leave: what is in flight stays within its bound, and everything has an end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;

use gristmill::pipeline::FailedItem;
use gristmill::sync::channel::{Receiver, bounded};
use gristmill::{
    CancellationToken, ErrorGroup, Merge, Pipeline, PipelineError, PipelineErrorKind, Router, Shutdown,
    SpawnError, ThreadPool,
};

use super::script::Fault;
use super::support::{Counted, Ledger, alone, step, threads, until};

/// More than any bound lets in.
const ITEMS: u64 = 24;
const WINDOW: usize = 4;
/// Of the channels.
const ROOM: usize = 2;

/// What a consumer does when it has stopped.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Then {
    GoesOn,
    IsCancelled,
    /// Without having stopped before.
    Leaves,
}

/// How it came to its end.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Over {
    Finished,
    Cancelled,
    /// The producer was told that nobody receives any more.
    Refused,
}

/// One run.
#[derive(Clone)]
struct Flow(Arc<Inner>);

struct Inner {
    /// The most items that may exist at once.
    bound: usize,
    /// How many do, at least, when the consumer has stopped and nothing moves any more.
    full: usize,
    /// After so many items.
    after: usize,
    then: Then,
    token: CancellationToken,
    ledger: Ledger,
    taken: AtomicUsize,
}

impl Flow {
    fn token(&self) -> &CancellationToken {
        &self.0.token
    }

    fn item(&self, number: u64) -> Counted {
        let item = self.0.ledger.item(number);
        self.hold();
        item
    }

    fn numbers(&self) -> impl Iterator<Item = Counted> + Send + use<> {
        let flow = self.clone();
        (0..ITEMS).map(move |number| flow.item(number))
    }

    #[track_caller]
    fn hold(&self) {
        let live = self.0.ledger.live();
        assert!(live <= self.0.bound, "{live} items in flight, and {} are let in", self.0.bound);
    }

    /// The consumer has an item; whether it takes another.
    fn take<T>(&self, item: T) -> bool {
        drop(item);
        let taken = self.0.taken.fetch_add(1, SeqCst) + 1;
        taken != self.0.after || self.stop()
    }

    /// The consumer begins; whether it takes anything.
    fn begins(&self) -> bool {
        self.0.after != 0 || self.stop()
    }

    fn stop(&self) -> bool {
        if self.0.then == Then::Leaves {
            return false;
        }
        until("all that may be in flight is", || self.0.ledger.live() >= self.0.full);
        // Whoever would go beyond it has the time to.
        for _ in 0..3 {
            thread::yield_now();
            self.hold();
        }
        if self.0.then == Then::IsCancelled {
            self.0.token.cancel_with("the consumer");
        }
        true
    }

    /// Takes what comes until it ends or the consumer leaves.
    fn consume<T>(&self, items: impl IntoIterator<Item = T>) {
        if self.begins() {
            let mut items = items.into_iter();
            while items.next().is_some_and(|item| self.take(item)) {}
        }
    }

    /// A consumer of a channel, on a thread of its own.
    fn receives<'scope, T: Send + 'scope>(
        &self,
        scope: &'scope thread::Scope<'scope, '_>,
        items: Receiver<T>,
    ) {
        let flow = self.clone();
        scope.spawn(move || flow.consume(items));
    }
}

/// One row: something with a producer and a consumer.
struct Row {
    name: &'static str,
    bound: usize,
    full: usize,
    /// Whether its consumer is one of its own, which can leave.
    leaves: bool,
    run: fn(&Flow) -> Over,
}

#[track_caller]
fn over<K, E: std::fmt::Debug>(outcome: Result<K, PipelineError<E>>) -> Over {
    let Err(error) = outcome else { return Over::Finished };
    match error.into_kind() {
        PipelineErrorKind::Cancelled(cancelled) => {
            assert_eq!(cancelled.cause().expect("given").to_string(), "the consumer");
            Over::Cancelled
        }
        PipelineErrorKind::ReceiverGone { .. } | PipelineErrorKind::NotRouted { .. } => Over::Refused,
        other => panic!("{other:?}"),
    }
}

macro_rules! source {
    ($flow:ident) => {
        Pipeline::from_iter($flow.numbers()).workers(2).window(WINDOW)
    };
}

/// A pipeline into a channel.
macro_rules! sent {
    ($flow:ident, $pipeline:expr) => {{
        let (sender, receiver) = bounded(ROOM);
        thread::scope(|scope| {
            $flow.receives(scope, receiver);
            over($pipeline.send(sender).run($flow.token()))
        })
    }};
}

/// What is in a channel, in the window, and in the hand of the consumer.
const IN_PIPELINE: usize = WINDOW + ROOM + 1;

const fn row(name: &'static str, bound: usize, full: usize, run: fn(&Flow) -> Over) -> Row {
    Row { name, bound, full, leaves: true, run }
}

fn pipelines() -> Vec<Row> {
    vec![
        row("pipeline: map, send", IN_PIPELINE, WINDOW + ROOM, |f| {
            sent!(f, source!(f).map("map", |item| item))
        }),
        row("pipeline: serial, send", IN_PIPELINE, WINDOW + ROOM, |f| {
            sent!(f, source!(f).serial("serial", |item| item))
        }),
        row("pipeline: keyed, send", IN_PIPELINE, WINDOW + ROOM, |f| {
            sent!(f, source!(f).keyed("keyed", |item| item.number % 3, |item| item))
        }),
        row("pipeline: blocking, send", IN_PIPELINE, WINDOW + ROOM, |f| {
            sent!(f, source!(f).blocking("blocking", 2, |item| item))
        }),
        row("pipeline: from a channel", IN_PIPELINE + ROOM + 1, WINDOW + 2 * ROOM, |f| {
            let (sender, receiver) = bounded(ROOM);
            thread::scope(|scope| {
                let items = f.numbers();
                scope.spawn(move || {
                    for item in items {
                        if sender.send(item).is_err() {
                            return;
                        }
                    }
                });
                let from = Pipeline::from_receiver(receiver).workers(2).window(WINDOW);
                sent!(f, from.map("map", |item| item))
            })
        }),
        row("pipeline: flat_map_bounded, send", 1 + WINDOW + 3 + ROOM + 2, ROOM + 1, |f| {
            let copies = |item: Counted| {
                drop(item);
                f.numbers()
            };
            let all = Pipeline::from_iter([f.item(0)]).workers(2).window(WINDOW);
            sent!(f, all.flat_map_bounded("copies", 3, copies))
        }),
        row("pipeline: tee", 2 * WINDOW + ROOM + 1, WINDOW + ROOM, |f| {
            let (sender, receiver) = bounded(ROOM);
            thread::scope(|scope| {
                f.receives(scope, receiver);
                over(source!(f).tee("tee", sender).for_each("sink", drop).run(f.token()))
            })
        }),
        row("pipeline: divert_errors", 2 * WINDOW + ROOM + 1, ROOM + 1, |f| {
            let (sender, receiver) = bounded::<FailedItem<Counted, Fault>>(ROOM);
            thread::scope(|scope| {
                f.receives(scope, receiver);
                let fail = |_: Counted| Err::<Counted, _>(Fault(0));
                over(
                    source!(f)
                        .try_map("fail", fail)
                        .divert_errors(sender)
                        .for_each("sink", drop)
                        .run(f.token()),
                )
            })
        }),
        row("pipeline: route", IN_PIPELINE, WINDOW + ROOM, |f| {
            let router = Router::round_robin(ROOM).expect("a capacity");
            let lane = router.add_lane();
            thread::scope(|scope| {
                let flow = f.clone();
                scope.spawn(move || flow.consume(lane.iter()));
                let end = over(source!(f).map("map", |item| item).route("route", &router).run(f.token()));
                drop(router);
                end
            })
        }),
        row("pipeline: with_iter", WINDOW + 1, WINDOW - 1, |f| {
            let pipeline = source!(f).map("map", |item| item);
            over(pipeline.with_iter(f.token(), |items| f.consume(items)).1)
        }),
        row("pipeline: into_iter_with", WINDOW + 1, WINDOW - 1, |f| {
            let mut items = source!(f).map("map", |item| item).into_iter_with(f.token()).expect("settings");
            let mut error = None;
            f.consume(std::iter::from_fn(|| match items.next()? {
                Ok(item) => Some(item),
                Err(end) => {
                    error = Some(end);
                    None
                }
            }));
            // Dropped midway if the consumer has left.
            drop(items);
            error.map_or(Over::Finished, |error| over::<(), _>(Err(error)))
        }),
        Row {
            leaves: false,
            ..row("pipeline: sink of the calling thread", WINDOW + 1, WINDOW - 1, |f| {
                over(
                    source!(f)
                        .map("map", |item| item)
                        .for_each_local("sink", |item| _ = f.take(item))
                        .run(f.token()),
                )
            })
        },
    ]
}

/// What is sent to one lane, whose consumer stops.
fn routed(flow: &Flow, router: Router<Counted>) -> Over {
    let lane = router.add_lane();
    thread::scope(|scope| {
        let consumer = flow.clone();
        scope.spawn(move || consumer.consume(lane.iter()));
        let sent = flow.numbers().try_for_each(|item| router.send_with(item, flow.token()));
        router.take_undelivered().into_iter().for_each(drop);
        drop(router);
        match sent {
            Ok(()) => Over::Finished,
            Err(error) if error.is_cancelled() => Over::Cancelled,
            Err(_) => Over::Refused,
        }
    })
}

/// Two senders, and one merge of their channels whose consumer stops.
fn merged(flow: &Flow, merge: impl FnOnce([Receiver<Counted>; 2]) -> Merge<Counted>) -> Over {
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..2).map(|_| bounded(ROOM)).unzip();
    let mut merge = merge(receivers.try_into().expect("two"));
    thread::scope(|scope| {
        for (half, sender) in (0..).zip(senders) {
            let flow = flow.clone();
            scope.spawn(move || {
                let mut numbers = (0..ITEMS).filter(|number| number % 2 == half);
                while numbers.next().is_some_and(|number| sender.send(flow.item(number)).is_ok()) {}
            });
        }
        flow.consume(merge.until(flow.token()));
        let is_finished = flow.0.taken.load(SeqCst) == usize::try_from(ITEMS).expect("small");
        drop(merge);
        if is_finished {
            Over::Finished
        } else if flow.token().is_cancelled() {
            Over::Cancelled
        } else {
            Over::Refused
        }
    })
}

fn fans() -> Vec<Row> {
    let lane = ROOM + 2;
    let merge = 2 * (ROOM + 1);
    vec![
        row("router: shared queue", lane, ROOM + 1, |f| {
            routed(f, Router::shared_queue(ROOM).expect("a capacity"))
        }),
        row("router: round robin", lane, ROOM + 1, |f| {
            routed(f, Router::round_robin(ROOM).expect("a capacity"))
        }),
        row("router: least loaded", lane, ROOM + 1, |f| {
            routed(f, Router::least_loaded(ROOM).expect("a capacity"))
        }),
        row("router: by priority", lane, ROOM + 1, |f| {
            routed(f, Router::by_priority(ROOM).expect("a capacity"))
        }),
        row("router: by key", lane, ROOM + 1, |f| {
            routed(f, Router::by_key(ROOM, |item: &Counted| item.number).expect("a capacity"))
        }),
        row("router: broadcast", lane + 1, ROOM + 1, |f| {
            routed(f, Router::broadcast(ROOM).expect("a capacity"))
        }),
        row("merge: fair", merge + 1, merge, |f| merged(f, Merge::fair)),
        row("merge: by priority", merge + 1, merge, |f| merged(f, Merge::by_priority)),
        row("merge: sorted", merge + 3, merge, |f| {
            merged(f, |inputs| {
                Merge::sorted_by(inputs, |one: &Counted, other: &Counted| one.number.cmp(&other.number))
            })
        }),
        row("merge: by sequence", merge + 5, merge, |f| {
            merged(f, |inputs| Merge::by_sequence(inputs, 4, |item: &Counted| item.number))
        }),
    ]
}

fn tasks() -> Vec<Row> {
    // Queued, running, and in the hand of who submits.
    let all = [
        row("pool: submit", ROOM + 2, ROOM + 1, |f| {
            let pool = ThreadPool::builder()
                .workers(1)
                .queue_bound(ROOM)
                .token(f.token())
                .build()
                .expect("settings");
            let mut over = Over::Finished;
            for item in f.numbers() {
                let flow = f.clone();
                // The handle is dropped: nobody waits for it.
                if let Err(refused) = pool.submit(move || flow.take(item)) {
                    assert!(refused.is_cancelled(), "{:?}", refused.refusal());
                    over = Over::Cancelled;
                    break;
                }
            }
            let report = pool.shutdown(Shutdown::Drain);
            let ended = report.succeeded() + report.cancelled();
            assert_eq!((report.submitted(), report.panicked()), (ended, 0), "{report:?}");
            over
        }),
        row("group: spawn", ROOM + 2, ROOM + 1, |f| {
            let group =
                ErrorGroup::<(), Fault>::builder().limit(1).queue_bound(ROOM).token(f.token()).build();
            let group = group.expect("settings");
            for item in f.numbers() {
                let flow = f.clone();
                let spawned: Result<(), SpawnError<_>> = group.spawn(move || {
                    flow.take(item);
                    Ok(())
                });
                if spawned.is_err() {
                    break;
                }
            }
            match group.wait() {
                Ok(()) => Over::Finished,
                Err(error) => {
                    assert!(error.cancelled().is_some(), "{error:?}");
                    Over::Cancelled
                }
            }
        }),
    ];
    all.into_iter().map(|row| Row { leaves: false, ..row }).collect()
}

fn rows() -> impl Iterator<Item = Row> {
    pipelines().into_iter().chain(fans()).chain(tasks())
}

/// Runs it, and asks what is asked after every fault.
fn run(row: &Row, after: usize, then: Then) {
    let what = format!("{}, {then:?} after {after}", row.name);
    step(&what);
    let before = threads();
    let flow = Flow(Arc::new(Inner {
        bound: row.bound,
        full: row.full,
        after,
        then,
        token: CancellationToken::new(),
        ledger: Ledger::default(),
        taken: AtomicUsize::default(),
    }));
    let over = (row.run)(&flow);
    let (taken, items) = (flow.0.taken.load(SeqCst), usize::try_from(ITEMS).expect("small"));
    match then {
        Then::GoesOn => assert_eq!((over, taken), (Over::Finished, items), "{what}"),
        Then::IsCancelled => {
            assert_eq!(over, Over::Cancelled, "{what}");
            assert!(taken < items, "{what}: it has taken all");
        }
        Then::Leaves => {
            assert_ne!(over, Over::Cancelled, "{what}");
            assert_eq!(taken, after, "{what}");
        }
    }
    until("no thread is left", || threads() <= before);
    until("everything is dropped", || flow.0.ledger.live() == 0);
}

#[test]
fn consumer_that_stops_holds_its_producers_within_the_bound_and_goes_on_to_the_end() {
    alone(
        "consumers::consumer_that_stops_holds_its_producers_within_the_bound_and_goes_on_to_the_end",
        || {
            for row in rows() {
                // What has no consumer but its own callback cannot stop before that is called.
                for after in [0, 1, 2, 7].into_iter().skip(usize::from(!row.leaves)) {
                    run(&row, after, Then::GoesOn);
                }
            }
        },
    );
}

#[test]
fn cancel_ends_what_a_stopped_consumer_holds() {
    alone("consumers::cancel_ends_what_a_stopped_consumer_holds", || {
        for row in rows() {
            // What has no consumer but its own callback cannot stop before that is called.
            for after in [0, 1, 2, 7].into_iter().skip(usize::from(!row.leaves)) {
                run(&row, after, Then::IsCancelled);
            }
        }
    });
}

#[test]
fn consumer_may_leave_after_any_item() {
    alone("consumers::consumer_may_leave_after_any_item", || {
        let items = usize::try_from(ITEMS).expect("small");
        for row in rows().filter(|row| row.leaves) {
            for after in (0..=items).filter(|after| *after < 8 || items - after < 2) {
                run(&row, after, Then::Leaves);
            }
        }
    });
}
