//! Error groups of every kind, whose tasks succeed, fail, panic, spawn more, or cancel.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use gristmill::{
    CancellationToken, Done, ErrorGroup, ErrorGroupBuilder, GroupContext, GroupErrorKind, GroupReport,
    ThreadPool,
};

use crate::Turn;
use crate::dice::Dice;
use crate::ledger::{Item, Ledger};
use crate::planned::planned_panic;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Until {
    AllSucceeded,
    AnySucceeded,
    AllFinished,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Home {
    Scope,
    Pool,
}

#[derive(Debug)]
struct Plan {
    home: Home,
    until: Until,
    limit: usize,
    queue: usize,
    spawners: usize,
    tasks: u64,
    /// One in so many fails; 0 for none.
    failing: u64,
    panicking: u64,
    spawning: u64,
    cancels: bool,
}

type Group<'env> = ErrorGroup<'env, Item, Item>;

/// What was accepted and what was run.
#[derive(Default)]
struct Counts {
    ledger: Ledger,
    accepted: AtomicU64,
    begun: AtomicU64,
}

fn hits(number: u64, one_in: u64) -> bool {
    one_in > 0 && number % one_in == one_in - 1
}

fn work(
    plan: &Plan,
    counts: &Counts,
    item: Item,
    context: &GroupContext<'_, '_, Item, Item>,
) -> Result<Item, Item> {
    counts.begun.fetch_add(1, Ordering::SeqCst);
    let number = item.number;
    if hits(number, plan.spawning) {
        let spawner = context.group();
        for child in 0..2 {
            let item = counts.ledger.item(child);
            if spawner.try_spawn(move || Ok(item)).is_ok() {
                counts.accepted.fetch_add(1, Ordering::SeqCst);
            }
        }
    }
    if hits(number, plan.panicking) {
        planned_panic(number);
    }
    if hits(number, plan.failing) { Err(item) } else { Ok(item) }
}

fn spawn_all<'env>(group: &Group<'env>, plan: &'env Plan, counts: &'env Counts, dice: &mut Dice) {
    for number in 0..plan.tasks {
        let item = counts.ledger.item(number);
        let task = move |context: &GroupContext<'_, '_, Item, Item>| work(plan, counts, item, context);
        let options = group.task().name("task");
        let accepted = match dice.below(3) {
            0 => options.try_spawn(task).is_ok(),
            1 => options.spawn_timeout(task, Duration::from_micros(dice.below(300))).is_ok(),
            _ => options.spawn(task).is_ok(),
        };
        counts.accepted.fetch_add(u64::from(accepted), Ordering::SeqCst);
    }
}

fn run<'env>(
    group: Group<'env>,
    plan: &'env Plan,
    counts: &'env Counts,
    above: &CancellationToken,
    dice: &mut Dice,
) -> GroupReport<Item, Item> {
    thread::scope(|threads| {
        for _ in 0..plan.spawners {
            let (group, mut dice) = (&group, dice.split());
            threads.spawn(move || spawn_all(group, plan, counts, &mut dice));
        }
        if plan.cancels {
            (0..dice.below(200)).for_each(|_| thread::yield_now());
            above.cancel();
        }
        if dice.one_in(2) {
            let now = group.snapshot();
            assert!(now.running() <= now.limit() as u64, "{now:?}");
        }
    });
    group.into_report()
}

fn check(plan: &Plan, counts: &Counts, report: &GroupReport<Item, Item>) {
    let (accepted, begun) = (counts.accepted.load(Ordering::SeqCst), counts.begun.load(Ordering::SeqCst));
    let ends = [report.succeeded(), report.failed(), report.panicked(), report.cancelled()];
    assert_eq!((report.spawned(), ends.iter().sum::<u64>()), (accepted, accepted), "{ends:?}");
    // Children are not counted among those that have begun.
    assert!(begun <= accepted && begun >= report.failed() + report.panicked());
    assert_eq!(report.values().len() as u64, report.succeeded());
    let failures = report.failures().len() + report.reactions().len();
    assert_eq!(failures as u64, report.failed() + report.panicked());
    let indices = report.indices();
    assert!(indices.is_sorted() && indices.len() == report.values().len(), "{indices:?}");
    let is_clean = plan.failing == 0 && plan.panicking == 0 && !plan.cancels;
    if is_clean && plan.until != Until::AnySucceeded {
        assert!(report.result().is_ok() && report.cancelled() == 0, "{report:?}");
    }
    match (report.result(), plan.until) {
        (Ok(()), Until::AllSucceeded | Until::AllFinished) => {
            assert_eq!((report.succeeded(), report.cancelled()), (accepted, 0));
        }
        (Ok(()), Until::AnySucceeded) => assert!(report.succeeded() > 0),
        (Err(error), until) => match error.kind() {
            GroupErrorKind::Failed => assert!(report.failed() > 0),
            GroupErrorKind::Panicked => assert!(report.panicked() > 0),
            GroupErrorKind::NothingSucceeded => {
                assert_eq!((until, report.succeeded()), (Until::AnySucceeded, 0));
            }
            GroupErrorKind::Cancelled => assert!(plan.cancels, "{error:?}"),
            other => panic!("{other:?}: {error:?}"),
        },
    }
}

pub(crate) fn storm(turn: &mut Turn<'_>) {
    let limit = turn.draw_workers();
    let dice = &mut turn.dice;
    let plan = Plan {
        home: dice.pick(&[Home::Scope, Home::Pool]),
        until: dice.pick(&[Until::AllSucceeded, Until::AnySucceeded, Until::AllFinished]),
        limit,
        queue: dice.pick(&[0, 1, 16, 256]),
        spawners: dice.within(1..=3),
        tasks: dice.below(100),
        failing: dice.pick(&[0, 0, 1, 7, 50]),
        panicking: dice.pick(&[0, 0, 9, 60]),
        spawning: dice.pick(&[0, 2, 5]),
        cancels: dice.one_in(4),
    };
    turn.plan(&plan);
    let (counts, above) = (Counts::default(), CancellationToken::new());
    let report = {
        let (plan, counts, above, dice) = (&plan, &counts, &above, &mut turn.dice);
        match plan.home {
            Home::Scope => builder(plan, above)
                .scope(|group| run(group, plan, counts, above, dice))
                .expect("good settings"),
            Home::Pool => {
                let pool = ThreadPool::builder().workers(plan.limit).queue_bound(4);
                let scope = pool.scope(|pool| {
                    let group = builder(plan, above).on(pool.submitter()).expect("good settings");
                    run(group, plan, counts, above, dice)
                });
                scope.expect("good settings")
            }
        }
    };
    check(&plan, &counts, &report);
    drop(report);
    counts.ledger.is_closed();
}

fn builder<'env>(plan: &Plan, above: &CancellationToken) -> ErrorGroupBuilder<'env, Item, Item> {
    let done = match plan.until {
        Until::AllSucceeded => Done::all_succeeded(),
        Until::AnySucceeded => Done::any_succeeded(),
        Until::AllFinished => Done::all_finished(),
    };
    ErrorGroup::builder().limit(plan.limit).queue_bound(plan.queue).token(above).done(done)
}
