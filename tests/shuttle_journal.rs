//! Workers, committer and deliveries of a journal under seeded random schedules: journal before deliver, whatever fails.
#![cfg(gristmill_shuttle)]
#![allow(clippy::unwrap_used)] // helpers are test code too

use std::sync::Arc;

use gristmill::combine::as_completed;
use gristmill::journal::probe::{self, Claimed, Memory, Probe, Told};
use gristmill::journal::{DurableErrorKind, Journal, JournalErrorKind};
use gristmill::sync::atomic::{AtomicUsize, Ordering};
use gristmill::sync::model as execution;
use gristmill::sync::thread::{Builder, JoinHandle};
use gristmill::{CancellationToken, ThreadPool};

#[path = "support/model.rs"]
mod model;
use model::check;

fn spawn<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    Builder::new().spawn(run).expect("no fault is asked for")
}

fn open(memory: &Memory, queue: usize) -> Journal {
    probe::open(Journal::builder().queue(queue), memory).unwrap()
}

fn run(journal: &Journal) -> Probe {
    Probe::new(journal, "handler", 1, 16).unwrap()
}

/// Claims a key and records it; whether it was this run's to do, and was handed in.
fn record(probe: &Probe, key: &str) -> bool {
    match probe.claim(key, b"") {
        Claimed::Fresh(work) => {
            probe.begin(&work, false);
            probe.record(work, key.as_bytes().to_vec());
            true
        }
        Claimed::Failed(_) | Claimed::Refused(_) | Claimed::Recorded(_) => false,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_delivered_is_in_the_journal_and_in_the_order_of_its_numbers() {
    check("what_is_delivered_is_in_the_journal_and_in_the_order_of_its_numbers", || {
        execution::forbid_timeouts();
        let memory = Memory::new(true);
        let journal = open(&memory, 2);
        let probe = Arc::new(run(&journal));
        let workers: Vec<_> = ["a", "b", "c"]
            .map(|name| {
                let probe = Arc::clone(&probe);
                spawn(move || (0..2).filter(|number| record(&probe, &format!("{name}{number}"))).count())
            })
            .into();
        for expected in 1..=6 {
            let (seq, _) = probe.told().outcome.unwrap();
            assert_eq!(seq, expected);
            assert!(memory.holds(seq), "delivered before it is in the journal");
        }
        assert_eq!(workers.into_iter().map(|worker| worker.join().unwrap()).sum::<usize>(), 6);
        drop(probe);
        journal.close().unwrap();
        assert_eq!(open(&memory, 2).opening().records, 6);
    });
}

#[test]
fn nothing_is_delivered_after_a_failure_and_everything_is_told_once() {
    for k in 1..8 {
        check(
            &format!("nothing_is_delivered_after_a_failure_and_everything_is_told_once: call {k}"),
            move || {
                execution::forbid_timeouts();
                let memory = Memory::new(true);
                let journal = open(&memory, 1);
                memory.fail_at(k, k % 2 == 0);
                let probe = Arc::new(run(&journal));
                let workers: Vec<_> = ["a", "b"]
                    .map(|name| {
                        let probe = Arc::clone(&probe);
                        spawn(move || {
                            (0..2).filter(|number| record(&probe, &format!("{name}{number}"))).count()
                        })
                    })
                    .into();
                let handed: usize = workers.into_iter().map(|worker| worker.join().unwrap()).sum();
                let told: Vec<Told> = (0..handed).map(|_| probe.told()).collect();
                let whole = told.iter().take_while(|told| told.outcome.is_ok()).count();
                for told in &told[..whole] {
                    assert!(memory.holds(told.outcome.as_ref().unwrap().0));
                }
                for told in &told[whole..] {
                    assert_eq!(told.outcome.as_ref().unwrap_err().kind(), JournalErrorKind::Io);
                }
                drop(probe);
                let _ = journal.close();
                memory.fail_at(usize::MAX, false);
                let journal = open(&memory, 1);
                assert!(journal.opening().records >= whole as u64);
            },
        );
    }
}

#[test]
fn one_of_two_runs_gets_a_key() {
    check("one_of_two_runs_gets_a_key", || {
        execution::forbid_timeouts();
        let memory = Memory::new(true);
        let journal = open(&memory, 4);
        let runs: Vec<_> = (0..2)
            .map(|_| {
                let probe = run(&journal);
                spawn(move || (record(&probe, "key"), probe))
            })
            .collect();
        let mut handed = 0;
        for run in runs {
            let (is_mine, probe) = run.join().unwrap();
            if is_mine {
                handed += 1;
                probe.told().outcome.unwrap();
            }
        }
        assert_eq!(handed, 1);
        journal.close().unwrap();
        assert_eq!(open(&memory, 4).opening().records, 1);
    });
}

#[test]
fn last_user_may_be_dropped_by_a_delivery() {
    check("last_user_may_be_dropped_by_a_delivery", || {
        execution::forbid_timeouts();
        let memory = Memory::new(true);
        let journal = open(&memory, 4);
        let probe = run(&journal);
        drop(journal);
        let Claimed::Fresh(work) = probe.claim("key", b"") else { panic!("it is fresh") };
        let told = probe.record_and_leave(work, Vec::new());
        let (seq, _) = told.recv().unwrap().outcome.unwrap();
        assert!(memory.holds(seq));
    });
}

#[test]
fn flush_returns_after_what_was_handed_in_before() {
    check("flush_returns_after_what_was_handed_in_before", || {
        execution::forbid_timeouts();
        let memory = Memory::new(true);
        let journal = open(&memory, 2);
        let probe = Arc::new(run(&journal));
        let other = spawn({
            let probe = Arc::clone(&probe);
            move || record(&probe, "other")
        });
        assert!(record(&probe, "mine"));
        journal.flush().unwrap();
        let told: Vec<String> = std::iter::from_fn(|| probe.told_so_far()).map(|told| told.key).collect();
        assert!(told.contains(&"mine".to_owned()), "{told:?}");
        assert!(other.join().unwrap());
    });
}

/// Hands three tasks in, and says in which order they came; every one that gave a value is in the journal when it does.
fn batch(journal: &Journal, memory: &Memory) -> (Vec<usize>, usize) {
    let runs = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&runs);
    let next = journal.scope("batch").handler("next", 1, move |_, number: &usize| {
        counter.fetch_add(1, Ordering::Relaxed);
        Ok(number + 1)
    });
    let pool = ThreadPool::builder().workers(2).build().unwrap();
    let started: Vec<_> = (0..3).filter_map(|number| next.submit(&pool, number, number).ok()).collect();
    let mut order = Vec::new();
    for (index, end) in as_completed(started) {
        match end {
            Ok(value) => {
                assert_eq!(value, index + 1);
                order.push(index);
                assert!(memory.holds(order.len() as u64), "told before it is in the journal");
            }
            Err(error) => assert!(matches!(error.kind(), DurableErrorKind::Journal(_)), "{error}"),
        }
    }
    drop(pool);
    (order, runs.load(Ordering::Relaxed))
}

#[test]
fn handles_on_a_pool_end_after_their_records_and_in_that_order_again() {
    check("handles_on_a_pool_end_after_their_records_and_in_that_order_again", || {
        execution::forbid_timeouts();
        let memory = Memory::new(true);
        let journal = open(&memory, 1);
        let (order, runs) = batch(&journal, &memory);
        assert_eq!((order.len(), runs), (3, 3));
        journal.close().unwrap();
        let journal = open(&memory, 2);
        assert_eq!(batch(&journal, &memory), (order, 0));
        journal.close().unwrap();
    });
}

#[test]
fn handles_that_gave_a_value_before_a_failure_give_it_again_and_the_rest_runs() {
    for k in 1..6 {
        check(&format!("handles_that_gave_a_value_before_a_failure_give_it_again: call {k}"), move || {
            execution::forbid_timeouts();
            let memory = Memory::new(true);
            let journal = open(&memory, 2);
            memory.fail_at(k, k % 2 == 0);
            let (told, _) = batch(&journal, &memory);
            let _ = journal.close();
            memory.fail_at(usize::MAX, false);
            let journal = open(&memory, 2);
            let (order, runs) = batch(&journal, &memory);
            assert_eq!(order[..told.len()], told[..]);
            assert!(order.len() == 3 && runs <= 3 - told.len());
            journal.close().unwrap();
        });
    }
}

#[test]
fn cancelled_task_is_recorded_whole_or_not_at_all() {
    check("cancelled_task_is_recorded_whole_or_not_at_all", || {
        execution::forbid_timeouts();
        let memory = Memory::new(true);
        let journal = open(&memory, 2);
        let next = journal.scope("batch").handler("next", 1, |_, number: &usize| Ok(number + 1));
        let pool = ThreadPool::builder().workers(1).build().unwrap();
        let handle = next.submit(&pool, "key", 1).unwrap();
        let token = CancellationToken::new();
        let by_token = next.submit_with(pool.task().token(&token), "other", 2).unwrap();
        let canceller = spawn(move || token.cancel());
        let _ = handle.cancel();
        for (key, number, handle) in [("key", 1, handle), ("other", 2, by_token)] {
            match handle.wait() {
                Ok(value) => assert_eq!(value, number + 1),
                Err(error) => {
                    assert!(error.is_cancelled(), "{error}");
                    // Its key is free.
                    assert_eq!(next.submit(&pool, key, number).unwrap().wait().unwrap(), number + 1);
                }
            }
        }
        canceller.join().unwrap();
        drop(pool);
        drop(next);
        journal.close().unwrap();
        assert_eq!(open(&memory, 2).opening().records, 2);
    });
}
