//! A pool under everything at once: submitters of all kinds of tasks, resizes, pauses, purges, held keys, an end at any moment.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use gristmill::{
    CancelOutcome, CancellationToken, Distribution, KeyFailure, RateLimiter, Saturation, Shutdown, Submitter,
    TaskError, TaskHandle, ThreadPool,
};

use crate::dice::Dice;
use crate::ledger::{Item, Ledger};
use crate::planned::planned_panic;
use crate::{LONG, Turn, spawn};

const KEYS: usize = 4;

#[derive(Clone, Debug)]
struct Plan {
    workers: usize,
    bound: usize,
    saturation: Saturation,
    distribution: Distribution,
    on_key_failure: KeyFailure,
    ageing: u64,
    key_bound: Option<usize>,
    cap: Option<usize>,
    burst: Option<u32>,
    submitters: usize,
    tasks: u64,
    meddles: bool,
    ending: Ending,
    /// Whether the end comes while the submitters are still at it.
    ends_early: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Ending {
    Drain,
    DrainFor(Duration),
    Abort,
    Token,
    Drop,
}

impl Plan {
    fn draw(turn: &mut Turn<'_>) -> Self {
        let workers = turn.draw_workers();
        let dice = &mut turn.dice;
        let meddles = dice.one_in(2);
        let distributions =
            [Distribution::Shared, Distribution::RoundRobin, Distribution::LeastLoaded, Distribution::ByKey];
        let distribution = dice.pick(&distributions);
        // Somebody has to look after held keys.
        let failures = [KeyFailure::Continue, KeyFailure::DropRest, KeyFailure::Hold];
        let in_time = Duration::from_micros(dice.below(2000));
        let endings = [Ending::Drain, Ending::DrainFor(in_time), Ending::Abort, Ending::Token, Ending::Drop];
        Self {
            workers,
            bound: dice.pick(&[1, 2, 7, 64, 1024]),
            saturation: dice.pick(&[Saturation::Block, Saturation::Reject, Saturation::CallerRuns]),
            distribution,
            on_key_failure: dice.pick(&failures[..if meddles { 3 } else { 2 }]),
            ageing: dice.pick(&[0, 1, 1024, u64::MAX]),
            key_bound: dice.one_in(2).then(|| dice.within(1..=9)),
            cap: (distribution == Distribution::Shared && dice.one_in(3)).then(|| dice.within(1..=3)),
            burst: dice.one_in(4).then(|| dice.pick(&[1, 10, 100])),
            submitters: dice.within(1..=4),
            tasks: dice.below(150),
            meddles,
            ending: dice.pick(&endings),
            ends_early: dice.one_in(3),
        }
    }

    fn build(&self, token: &CancellationToken) -> ThreadPool {
        let mut builder = ThreadPool::builder()
            .workers(self.workers)
            .queue_bound(self.bound)
            .saturation(self.saturation)
            .distribution(self.distribution)
            .on_key_failure(self.on_key_failure)
            .ageing(self.ageing)
            .stop_grace(LONG)
            .token(token);
        if let Some(tasks) = self.key_bound {
            builder = builder.key_bound(tasks);
        }
        if let Some(tasks) = self.cap {
            builder = builder.priority_cap(1, tasks);
        }
        if let Some(burst) = self.burst {
            let limiter = RateLimiter::builder(400_000, Duration::from_secs(1)).burst(burst).build();
            builder = builder.rate(&limiter.expect("good settings"));
        }
        builder.build().expect("good settings")
    }
}

/// What a task gives: an `Err` is a failure if it was submitted as one that can fail.
type Output = Result<Item, Item>;

/// What all threads share.
struct Yard {
    ledger: Ledger,
    /// By how it ended: succeeded, failed, panicked, cancelled, handed back.
    ends: [AtomicU64; 5],
    accepted: AtomicU64,
    keys: [Lane; KEYS],
}

/// What tasks of one key see.
#[derive(Default)]
struct Lane {
    is_busy: AtomicBool,
    /// The last number of each submitter.
    last: [AtomicI64; 4],
}

impl Lane {
    fn pass(&self, submitter: usize, number: u64) {
        assert!(!self.is_busy.swap(true, Ordering::SeqCst), "two tasks of a key at once");
        let number = i64::try_from(number).expect("small");
        let before = self.last[submitter].swap(number + 1, Ordering::SeqCst);
        assert!(before <= number, "{number} after {before}: tasks of a key out of order");
        std::thread::yield_now();
        self.is_busy.store(false, Ordering::SeqCst);
    }
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Plain,
    Panics,
    Fails,
    Nests,
    Keyed(u64),
    KeyedFails(u64),
    KeyedPanics(u64),
}

/// An accepted task, and what is to come of it if it is run.
struct Accepted {
    handle: TaskHandle<Output>,
    number: u64,
    kind: Kind,
}

impl Yard {
    fn new() -> Self {
        Self {
            ledger: Ledger::default(),
            ends: Default::default(),
            accepted: AtomicU64::new(0),
            keys: Default::default(),
        }
    }

    fn count_end(&self, number: u64, kind: Kind, end: &Result<Output, TaskError>) {
        let place = match (end, kind) {
            (Ok(Ok(item)), Kind::Plain | Kind::Nests | Kind::Keyed(_)) if item.number == number => 0,
            (Ok(Err(item)), Kind::Fails | Kind::KeyedFails(_)) if item.number == number => 1,
            (Err(TaskError::Panicked(panic)), Kind::Panics | Kind::KeyedPanics(_)) => {
                assert!(panic.location().is_some(), "{panic}");
                2
            }
            (Err(TaskError::Cancelled { .. }), _) => 3,
            (Err(TaskError::Returned { .. }), _) => 4,
            (end, kind) => panic!("{kind:?} {number} ended as {end:?}"),
        };
        self.ends[place].fetch_add(1, Ordering::SeqCst);
    }

    fn wait(&self, accepted: Accepted) {
        let Accepted { handle, number, kind } = accepted;
        self.count_end(number, kind, &handle.wait());
    }
}

/// A task that submits to its own pool and waits; what it may not submit it leaves.
fn nest(pool: &Submitter<'static>, yard: &Yard, item: &Item) {
    let inner: Vec<_> = (0..item.number % 4)
        .filter_map(|number| {
            let item = yard.ledger.item(number);
            let handle = pool.submit(move || Ok(item)).ok()?;
            yard.accepted.fetch_add(1, Ordering::SeqCst);
            Some(Accepted { handle, number, kind: Kind::Plain })
        })
        .collect();
    for accepted in inner {
        yard.wait(accepted);
    }
}

struct Producer {
    pool: Submitter<'static>,
    yard: Arc<Yard>,
    dice: Dice,
    index: usize,
}

impl Producer {
    fn draw(&mut self) -> Kind {
        let key = self.dice.below(KEYS as u64);
        let kinds = [
            Kind::Plain,
            Kind::Plain,
            Kind::Plain,
            Kind::Panics,
            Kind::Fails,
            Kind::Nests,
            Kind::Nests,
            Kind::Keyed(key),
            Kind::Keyed(key),
            Kind::KeyedFails(key),
            Kind::KeyedPanics(key),
        ];
        self.dice.pick(&kinds)
    }

    /// `None` if the pool does not take it.
    fn submit(&mut self, number: u64, token: &CancellationToken) -> Option<Accepted> {
        let kind = self.draw();
        let item = self.yard.ledger.item(number);
        let (yard, pool, index) = (Arc::clone(&self.yard), self.pool.clone(), self.index);
        let work = move || -> Output {
            match kind {
                Kind::Plain => Ok(item),
                Kind::Fails => Err(item),
                Kind::Panics => planned_panic(number),
                Kind::Nests => {
                    nest(&pool, &yard, &item);
                    Ok(item)
                }
                Kind::Keyed(key) | Kind::KeyedFails(key) | Kind::KeyedPanics(key) => {
                    yard.keys[usize::try_from(key).expect("small")].pass(index, number);
                    match kind {
                        Kind::KeyedFails(_) => Err(item),
                        Kind::KeyedPanics(_) => planned_panic(number),
                        _ => Ok(item),
                    }
                }
            }
        };
        let options = self.pool.task().priority(self.dice.pick(&[-1, 0, 0, 1])).name(match kind {
            Kind::Keyed(_) | Kind::KeyedFails(_) | Kind::KeyedPanics(_) => "keyed",
            Kind::Nests => "nesting",
            _ => "loose",
        });
        let options = if self.dice.one_in(6) { options.token(token) } else { options };
        let way = self.dice.below(6);
        let patience = Duration::from_micros(self.dice.below(300));
        let submitted = match kind {
            // Without options, the way that most go.
            Kind::Plain | Kind::Panics | Kind::Nests if way > 2 => match way {
                3 => self.pool.try_submit(work).ok(),
                4 => self.pool.submit_timeout(work, patience).ok(),
                _ => self.pool.submit(work).ok(),
            },
            Kind::Plain | Kind::Panics | Kind::Nests => match way {
                0 => options.try_submit(|_| work()).ok(),
                1 => options.submit_timeout(|_| work(), patience).ok(),
                _ => options.submit(|_| work()).ok(),
            },
            Kind::Fails => options.fallible().submit(|_| work()).ok(),
            Kind::Keyed(key) | Kind::KeyedFails(key) | Kind::KeyedPanics(key) => {
                let options = options.key(key).fallible();
                match way {
                    0 => options.try_submit(|_| work()).ok(),
                    1 => options.submit_timeout(|_| work(), patience).ok(),
                    _ => options.submit(|_| work()).ok(),
                }
            }
        };
        let handle = submitted?;
        self.yard.accepted.fetch_add(1, Ordering::SeqCst);
        Some(Accepted { handle, number, kind })
    }

    /// What it has accepted and did not wait for.
    fn run(mut self, tasks: u64) -> Vec<Accepted> {
        let token = CancellationToken::new();
        let mut pending = Vec::new();
        for number in 0..tasks {
            let Some(accepted) = self.submit(number, &token) else {
                if self.pool.is_closed() {
                    break;
                }
                continue;
            };
            if self.dice.one_in(8) {
                let outcome = accepted.handle.cancel();
                assert!(outcome != CancelOutcome::Prevented || accepted.handle.is_finished());
            }
            let is_keyed =
                matches!(accepted.kind, Kind::Keyed(_) | Kind::KeyedFails(_) | Kind::KeyedPanics(_));
            match self.dice.below(8) {
                // One behind a held key waits for whoever looks after those.
                0 if !is_keyed => self.yard.wait(accepted),
                1 => match accepted.handle.try_wait() {
                    Ok(end) => self.yard.count_end(accepted.number, accepted.kind, &end),
                    Err(handle) => pending.push(Accepted { handle, ..accepted }),
                },
                2 => match accepted.handle.wait_timeout(Duration::from_micros(self.dice.below(200))) {
                    Ok(end) => self.yard.count_end(accepted.number, accepted.kind, &end),
                    Err(handle) => pending.push(Accepted { handle, ..accepted }),
                },
                _ => pending.push(accepted),
            }
            if self.dice.one_in(64) {
                token.cancel();
            }
        }
        pending
    }
}

/// Changes whatever can be changed until the others are through.
fn meddle(pool: &ThreadPool, plan: &Plan, dice: &mut Dice, most: usize, is_over: impl Fn() -> bool) {
    loop {
        let is_last = is_over();
        match dice.below(5) {
            0 => {
                pool.pause();
                std::thread::yield_now();
                pool.resume();
            }
            1 => _ = pool.resize(dice.within(1..=most)),
            2 => {
                for task in pool.purge() {
                    let may_run = match &*task.name() {
                        // Out of the pool nobody keeps those of a key apart.
                        "keyed" => false,
                        "loose" => true,
                        // It may wait for room, which nobody makes while tasks behind held keys fill the queue: this thread releases them.
                        _ => plan.on_key_failure != KeyFailure::Hold,
                    };
                    if may_run && dice.one_in(2) {
                        _ = task.run();
                    }
                }
            }
            3 => {
                let now = pool.snapshot();
                let ended =
                    now.succeeded() + now.failed() + now.panicked() + now.cancelled() + now.returned();
                assert_eq!(now.submitted(), ended + now.queued() + now.running(), "{now}");
            }
            _ => std::thread::yield_now(),
        }
        for key in pool.held_keys() {
            let key = *key.downcast_ref::<u64>().expect("as submitted");
            if dice.one_in(2) {
                pool.release_key(key);
            } else {
                drop(pool.take_key(key));
            }
        }
        if is_last {
            break;
        }
    }
}

pub(crate) fn storm(turn: &mut Turn<'_>) {
    let plan = Plan::draw(turn);
    turn.plan(&plan);
    let token = CancellationToken::new();
    let (pool, yard) = (Arc::new(plan.build(&token)), Arc::new(Yard::new()));
    let producers: Vec<_> = (0..plan.submitters)
        .map(|index| {
            let producer = Producer {
                pool: pool.submitter().clone(),
                yard: Arc::clone(&yard),
                dice: turn.dice.split(),
                index,
            };
            let tasks = plan.tasks;
            spawn(move || producer.run(tasks))
        })
        .collect();
    if plan.meddles {
        let early = turn.dice.below(20);
        let rounds = AtomicU64::new(0);
        let is_over = || {
            let is_early = plan.ends_early && rounds.fetch_add(1, Ordering::Relaxed) >= early;
            // What ends the pool looks after held keys too.
            is_early || producers.iter().all(std::thread::JoinHandle::is_finished)
        };
        meddle(&pool, &plan, &mut turn.dice, turn.workers, is_over);
    }
    let mut pending = Vec::new();
    let mut producers = producers.into_iter();
    if !plan.ends_early {
        producers.by_ref().for_each(|producer| pending.extend(producer.join().expect("no claim fails")));
    }
    let report = match plan.ending {
        Ending::Drain => Some(pool.shutdown(Shutdown::Drain)),
        Ending::DrainFor(time) => Some(pool.shutdown(Shutdown::DrainFor(time))),
        Ending::Abort => Some(pool.shutdown(Shutdown::Abort)),
        Ending::Token => {
            token.cancel();
            Some(pool.shutdown(Shutdown::Drain))
        }
        Ending::Drop => None,
    };
    if report.is_none() {
        // The last of the two drops it, and that drains it.
        drop(pool);
    }
    producers.for_each(|producer| pending.extend(producer.join().expect("no claim fails")));
    for accepted in pending {
        yard.wait(accepted);
    }
    if let Some(report) = report {
        let ends = yard.ends.each_ref().map(|count| count.load(Ordering::SeqCst));
        let said =
            [report.succeeded(), report.failed(), report.panicked(), report.cancelled(), report.returned()];
        assert!(report.is_complete() && report.worker_panics().is_empty(), "{report}");
        assert_eq!((said, report.submitted()), (ends, yard.accepted.load(Ordering::SeqCst)), "{report}");
        assert_eq!(said.iter().sum::<u64>(), report.submitted(), "{report}");
        drop(report);
    }
    yard.ledger.is_closed();
}
