//! A tree of tokens that grows, is cancelled and is listened to by many threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use gristmill::CancellationToken;

use crate::Turn;
use crate::dice::Dice;
use crate::ledger::Ledger;

#[derive(Debug)]
struct Plan {
    threads: usize,
    rounds: usize,
    deadline: Option<Duration>,
}

/// Listens to tokens below `root`: each callback is called once, or taken back before that.
fn grow(
    root: &CancellationToken,
    rounds: usize,
    calls: &Arc<AtomicU64>,
    ledger: &Ledger,
    dice: &mut Dice,
) -> u64 {
    let mut expected = 0;
    let (mut token, mut kept) = (root.child(), Vec::new());
    for _ in 0..rounds {
        token = match dice.below(6) {
            0 => root.child(),
            1 => token.child_with_timeout(Duration::from_micros(dice.below(300))),
            2 => {
                let child = token.child();
                token.cancel();
                assert!(child.is_cancelled(), "who cancels finds all below cancelled");
                root.child()
            }
            _ => token.child(),
        };
        let (calls, item) = (Arc::clone(calls), ledger.item(0));
        let registration = token.on_cancel(move |_| {
            drop(item);
            calls.fetch_add(1, Ordering::SeqCst);
        });
        if dice.one_in(3) {
            // True if it will never be called.
            expected += u64::from(!registration.unregister());
        } else {
            kept.push((token.clone(), registration));
        }
        if dice.one_in(4) {
            let woken = token.child_with_timeout(Duration::from_micros(dice.below(200)));
            woken.wait();
            assert!(woken.is_cancelled());
        }
    }
    for (token, registration) in kept {
        token.cancel();
        registration.detach();
        expected += 1;
    }
    expected
}

pub(crate) fn storm(turn: &mut Turn<'_>) {
    let plan = Plan {
        threads: turn.draw_workers().min(16),
        rounds: turn.dice.within(1..=40),
        deadline: turn.dice.one_in(3).then(|| Duration::from_micros(turn.dice.below(3000))),
    };
    turn.plan(&plan);
    let (root, ledger, calls) = (CancellationToken::new(), Ledger::default(), Arc::new(AtomicU64::new(0)));
    let root = plan.deadline.map_or_else(|| root.child(), |limit| root.child_with_timeout(limit));
    let expected: u64 = thread::scope(|threads| {
        let growers: Vec<_> = (0..plan.threads)
            .map(|_| {
                let (root, calls, ledger, mut dice) = (&root, &calls, &ledger, turn.dice.split());
                threads.spawn(move || grow(root, plan.rounds, calls, ledger, &mut dice))
            })
            .collect();
        if turn.dice.one_in(2) {
            (0..turn.dice.below(300)).for_each(|_| thread::yield_now());
            root.cancel();
        }
        growers.into_iter().map(|grower| grower.join().expect("no claim fails")).sum()
    });
    root.cancel();
    // A callback that a deadline has begun may still be at it, on the thread of the deadlines.
    while calls.load(Ordering::SeqCst) < expected {
        thread::yield_now();
    }
    assert_eq!(calls.load(Ordering::SeqCst), expected);
    ledger.is_closed();
}
