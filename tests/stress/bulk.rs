//! Loops and batches on one pool from several threads at once: results in order, or the panic that ended them, or the cancellation.

use std::ops::Range;
use std::thread;

use gristmill::{BulkError, CancellationToken, Submitter, ThreadPool};

use crate::Turn;
use crate::dice::Dice;
use crate::ledger::Ledger;
use crate::planned::planned_panic;

#[derive(Debug)]
struct Plan {
    workers: usize,
    bound: usize,
    callers: usize,
    items: usize,
    rounds: usize,
}

/// Two neighbouring ranges as one; nothing else may ever be joined.
fn join(left: Range<u64>, right: Range<u64>) -> Range<u64> {
    assert_eq!(left.end, right.start, "joined out of order");
    left.start..right.end
}

fn one_round<'env>(pool: &Submitter<'env>, items: &'env [u64], ledger: &Ledger, dice: &mut Dice) {
    let count = items.len() as u64;
    let bad = dice.below(2 * count + 1);
    let pick = dice.below(8);
    match pick {
        0 => {
            assert!(
                pool.map(items, |item| item * 3).expect("open").into_iter().eq((0..count).map(|i| i * 3))
            );
        }
        1 => {
            let made = ledger.clone();
            let whole = pool.map_iter(0..count, move |number| made.item(number)).expect("open");
            assert!(whole.iter().map(|item| item.number).eq(0..count));
        }
        2 => {
            let made = ledger.clone();
            let counted = ledger.clone();
            let end = pool.map_iter((0..count).map(move |i| made.item(i)), move |item| {
                if item.number == bad {
                    planned_panic(bad);
                }
                counted.item(item.number)
            });
            match end {
                Ok(whole) => {
                    assert!(bad >= count && whole.iter().map(|item| item.number).eq(0..count));
                }
                Err(BulkError::Panicked { index, done, .. }) => {
                    assert!(index as u64 == bad && (done as u64) < count);
                }
                Err(error) => panic!("{error}"),
            }
        }
        3 => {
            let range = pool.map_reduce_iter(0..count, |i| i..i + 1, join).expect("open");
            assert_eq!(range, (count > 0).then_some(0..count));
        }
        4 => {
            let range = pool.map_reduce(items, |i| *i..*i + 1, join).expect("open");
            assert_eq!(range, (count > 0).then_some(0..count));
        }
        5 => {
            let made = ledger.clone();
            let tasks = (0..count).map(move |number| {
                let item = made.item(number);
                move || if item.number == bad { planned_panic(bad) } else { item }
            });
            let ends = pool.submit_many(tasks).expect("open").wait();
            assert_eq!(ends.len() as u64, count);
            for (number, end) in (0..).zip(ends) {
                assert_eq!(end.ok().map(|item| item.number), (number != bad).then_some(number));
            }
        }
        6 => {
            let token = CancellationToken::new();
            let ends = token.clone();
            let end = pool.for_each_with(&token, items, move |item| {
                if *item == bad {
                    ends.cancel();
                }
            });
            match end {
                Ok(()) => {}
                Err(BulkError::Cancelled { done, .. }) => assert!(bad < count && done as u64 <= count),
                Err(error) => panic!("{error}"),
            }
        }
        _ => {
            // A loop in a task of the pool.
            let (inner, made) = (pool.clone(), ledger.clone());
            let task = pool.submit(move || {
                let item = made.item(count);
                let sum: u64 = inner.map(items, |item| *item).expect("open").into_iter().sum();
                drop(item);
                sum
            });
            assert_eq!(task.expect("open").wait().expect("no panic"), items.iter().sum::<u64>());
        }
    }
}

pub(crate) fn storm(turn: &mut Turn<'_>) {
    let plan = Plan {
        workers: turn.draw_workers(),
        bound: turn.dice.pick(&[1, 2, 16, 1024]),
        callers: turn.dice.within(1..=3),
        items: turn.dice.pick(&[0, 1, 2, 100, 1000]),
        rounds: turn.dice.within(1..=6),
    };
    turn.plan(&plan);
    let (items, ledger): (Vec<u64>, _) = ((0..plan.items as u64).collect(), Ledger::default());
    let builder = ThreadPool::builder().workers(plan.workers).queue_bound(plan.bound);
    let scope = builder.scope(|pool| {
        thread::scope(|callers| {
            for _ in 0..plan.callers {
                let (mut dice, items, ledger, pool) = (turn.dice.split(), &items, &ledger, pool.submitter());
                callers.spawn(move || {
                    for _ in 0..plan.rounds {
                        one_round(pool, items, ledger, &mut dice);
                    }
                });
            }
        });
    });
    scope.expect("good settings");
    ledger.is_closed();
}
