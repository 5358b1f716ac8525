//! Workers, committer and deliveries of a journal under seeded random schedules: journal before deliver, whatever fails.
#![cfg(gristmill_shuttle)]
#![allow(clippy::unwrap_used)] // helpers are test code too

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gristmill::combine::as_completed;
use gristmill::journal::probe::{self, Claimed, MarkInMemory, MarksInMemory, Memory, Probe, Told};
use gristmill::journal::{DurableErrorKind, HandlerError, Journal, JournalErrorKind, Selection};
use gristmill::sync::Mutex;
use gristmill::sync::atomic::{AtomicUsize, Ordering};
use gristmill::sync::model as execution;
use gristmill::sync::thread::{Builder, JoinHandle};
use gristmill::{CancellationToken, ThreadPool};
use shuttle::rand::{Rng, thread_rng};

#[path = "support/model.rs"]
mod model;
use model::{check, check_share};

fn spawn<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    Builder::new().spawn(run).expect("no fault is asked for")
}

fn open(memory: &Memory, queue: usize) -> Journal {
    probe::open(Journal::builder().queue_bound(queue), memory).unwrap()
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
        check_share(
            &format!("nothing_is_delivered_after_a_failure_and_everything_is_told_once: call {k}"),
            7,
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
        check_share(
            &format!("handles_that_gave_a_value_before_a_failure_give_it_again: call {k}"),
            5,
            move || {
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
            },
        );
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

/// Numbers of the tasks that were begun and not told to rest or end, and of those that are not to be named any more.
#[derive(Default)]
struct Seen {
    running: BTreeSet<u128>,
    gone: BTreeSet<u128>,
}

/// Who runs is named and who was given up is not, at this moment.
fn look(marks: &MarksInMemory, seen: &Mutex<Seen>) {
    let seen = seen.lock();
    let named: BTreeSet<u128> = marks.named().into_iter().collect();
    assert!(seen.running.is_subset(&named), "{:?} run, and {named:?} are named", seen.running);
    assert!(seen.gone.is_disjoint(&named), "{:?} are gone, and {named:?} are named", seen.gone);
}

/// Runs one announced task, and ends it in some way.
fn run_marked(marks: &MarksInMemory, seen: &Mutex<Seen>, number: u128, mark: MarkInMemory) {
    let way = thread_rng().gen_range(0..4);
    if way == 0 {
        marks.withdraw(mark);
        seen.lock().gone.insert(number);
        return;
    }
    marks.begin(&mark, thread_rng().gen_bool(0.5));
    seen.lock().running.insert(number);
    look(marks, seen);
    seen.lock().running.remove(&number);
    match way {
        1 => marks.end(mark),
        2 => {
            marks.rest(&mark);
            marks.end(mark);
        }
        _ => {
            marks.withdraw(mark);
            seen.lock().gone.insert(number);
        }
    }
}

#[test]
fn who_runs_is_named_at_any_time_and_who_was_given_up_is_not() {
    check("who_runs_is_named_at_any_time_and_who_was_given_up_is_not", || {
        let (marks, seen) = (Arc::new(MarksInMemory::new()), Arc::new(Mutex::new(Seen::default())));
        let announced = Arc::new(Mutex::new(Vec::new()));
        let workers: Vec<_> = (0..3)
            .map(|worker| {
                let (marks, seen, announced) =
                    (Arc::clone(&marks), Arc::clone(&seen), Arc::clone(&announced));
                spawn(move || {
                    for number in 0..3 {
                        // Who announces is not who runs it: whatever lies there is taken, the first or the last.
                        let number = worker * 10 + number + 1;
                        let mark = marks.announce(number, thread_rng().gen_bool(0.2));
                        announced.lock().push((number, mark));
                        let (number, mark) = {
                            let mut announced = announced.lock();
                            let place = thread_rng().gen_range(0..announced.len());
                            announced.swap_remove(place)
                        };
                        run_marked(&marks, &seen, number, mark);
                    }
                })
            })
            .collect();
        for _ in 0..3 {
            look(&marks, &seen);
        }
        for worker in workers {
            worker.join().unwrap();
        }
        look(&marks, &seen);
        // All have ended: all places are free, and a new block takes one of them.
        let slots = marks.slots();
        for number in 100..103 {
            let mark = marks.announce(number, true);
            marks.begin(&mark, true);
            assert!(marks.named().contains(&number));
            marks.end(mark);
        }
        assert_eq!(marks.slots(), slots.max(1));
    });
}

/// A folder that is gone when this is dropped.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let shared = Path::new("/dev/shm");
        let folder = if shared.is_dir() { shared.to_owned() } else { std::env::temp_dir() };
        let folder = folder.join(format!("gristmill-shuttle-{}-{number}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn journal(&self) -> PathBuf {
        self.0.join("batch.journal")
    }

    /// What is there if the process dies now: no other thread of a model runs while files are copied.
    fn as_killed(&self) -> Self {
        let copy = Self::new();
        for end in ["", "-wal", ".lock"] {
            let name = format!("batch.journal{end}");
            if self.0.join(&name).exists() {
                fs::copy(self.0.join(&name), copy.0.join(&name)).unwrap();
            }
        }
        copy
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Keys of tasks that run, and of those that ran and rest.
#[derive(Default)]
struct Keys {
    running: Vec<String>,
    resting: Vec<String>,
}

/// Opens what a kill would leave now: who runs is counted as having crashed, and who rests is not.
fn die(folder: &Folder, keys: &Mutex<Keys>, is_exact: bool) {
    let keys = keys.lock();
    let copy = folder.as_killed();
    let journal = Journal::open(copy.journal()).unwrap();
    assert!(journal.opening().was_killed);
    assert!(!is_exact || journal.opening().crashed >= keys.running.len() as u64, "{:?}", keys.running);
    let probe = run(&journal);
    for key in &keys.running {
        let Claimed::Fresh(work) = probe.claim(key, b"") else { panic!("{key} is recorded") };
        assert!(work.crashes() == 1 || !is_exact, "{key} ran, and {} crashes are counted", work.crashes());
    }
    for key in &keys.resting {
        match probe.claim(key, b"") {
            Claimed::Fresh(work) => assert_eq!(work.crashes(), 0, "{key} did not run"),
            Claimed::Recorded(_) => {}
            other => panic!("{key}: {other:?}"),
        }
    }
    drop(probe);
    journal.close().unwrap();
}

#[test]
fn process_that_dies_leaves_the_marks_of_those_that_ran() {
    // With real files, which take their time.
    check_share("process_that_dies_leaves_the_marks_of_those_that_ran", 50, || {
        let folder = Arc::new(Folder::new());
        let journal = Journal::builder().queue_bound(4).open(folder.journal()).unwrap();
        let (probe, keys) = (Arc::new(run(&journal)), Arc::new(Mutex::new(Keys::default())));
        // The first of a block decides for all of it.
        let is_exact = thread_rng().gen_bool(0.5);
        let workers: Vec<_> = ["a", "b", "c"]
            .map(|name| {
                let (probe, keys) = (Arc::clone(&probe), Arc::clone(&keys));
                spawn(move || {
                    let mut recorded = 0;
                    for number in 0..2 {
                        let key = format!("{name}{number}");
                        let Claimed::Fresh(work) = probe.claim(&key, b"") else { panic!("it is fresh") };
                        if thread_rng().gen_bool(0.2) {
                            continue; // given up
                        }
                        probe.begin(&work, is_exact);
                        keys.lock().running.push(key.clone());
                        keys.lock().running.retain(|running| *running != key);
                        probe.rest(&work);
                        keys.lock().resting.push(key);
                        if thread_rng().gen_bool(0.7) {
                            probe.record(work, Vec::new());
                            recorded += 1;
                        }
                    }
                    recorded
                })
            })
            .into();
        for _ in 0..2 {
            die(&folder, &keys, is_exact);
        }
        let recorded: usize = workers.into_iter().map(|worker| worker.join().unwrap()).sum();
        die(&folder, &keys, is_exact);
        (0..recorded).for_each(|_| drop(probe.told().outcome.unwrap()));
        drop(probe);
        journal.close().unwrap();
        assert_eq!(Journal::open(folder.journal()).unwrap().opening().records, recorded as u64);
    });
}

/// Claims the key in a run of its own, and does what that calls for.
fn claim_and_record(journal: &Journal) {
    let probe = run(journal);
    let input: &[u8] = if thread_rng().gen_bool(0.5) { b"one" } else { b"other" };
    let work = match probe.claim("key", input) {
        Claimed::Fresh(work) | Claimed::Changed(work, _) => work,
        Claimed::Recorded(again) if thread_rng().gen_bool(0.5) => {
            probe.read(&again);
            match probe.told().outcome {
                Ok((seq, payload)) => assert_eq!((seq, payload.as_deref()), (again.seq(), Some(input))),
                Err(error) => assert_eq!(error.kind(), JournalErrorKind::Gone, "{error}"),
            }
            return;
        }
        Claimed::Recorded(again) => match probe.again(again) {
            Ok(work) => work,
            Err(_) => return,
        },
        Claimed::Refused(true) => return,
        other => panic!("{other:?}"),
    };
    probe.begin(&work, false);
    if thread_rng().gen_bool(0.2) {
        return; // given up
    }
    probe.record(work, input.to_vec());
    probe.told().outcome.unwrap();
}

#[test]
fn forgetting_beside_runs_of_the_same_key_leaves_the_index_as_the_records_are() {
    check("forgetting_beside_runs_of_the_same_key_leaves_the_index_as_the_records_are", || {
        execution::forbid_timeouts();
        let memory = Memory::new(true);
        let journal = open(&memory, 2);
        let workers: Vec<_> = (0..2)
            .map(|_| {
                let journal = journal.clone();
                spawn(move || (0..3).for_each(|_| claim_and_record(&journal)))
            })
            .collect();
        let all = Selection::all();
        for _ in 0..3 {
            let forgotten = journal.forget(&all).unwrap();
            assert!(forgotten.entries + forgotten.in_use <= 1, "{forgotten:?}");
        }
        for worker in workers {
            worker.join().unwrap();
        }
        assert!(journal.failure().is_none());
        let entries: Vec<u64> = journal.entries(&all).map(|entry| entry.unwrap().sequence()).collect();
        let probe = run(&journal);
        match (probe.claim("key", b"one"), &*entries) {
            (Claimed::Fresh(_), []) => {}
            (Claimed::Recorded(again), [seq]) => {
                assert_eq!(again.seq(), *seq);
                probe.read(&again);
                assert!(probe.told().outcome.is_ok());
            }
            (Claimed::Changed(_, replaced), [seq]) => assert_eq!(replaced, *seq),
            (claimed, entries) => panic!("{claimed:?}, and {entries:?} are there"),
        }
        assert!(journal.verify().unwrap().is_sound());
        drop(probe);
        journal.close().unwrap();
        assert_eq!(open(&memory, 2).opening().records, entries.len() as u64);
    });
}

#[test]
fn key_of_a_task_that_is_told_to_have_failed_is_free() {
    check("key_of_a_task_that_is_told_to_have_failed_is_free", || {
        execution::forbid_timeouts();
        let memory = Memory::new(true);
        let journal = open(&memory, 2);
        let runs = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&runs);
        let handler = journal.scope("batch").handler("second time", 1, move |_, number: &usize| {
            if counter.fetch_add(1, Ordering::Relaxed) == 0 {
                return Err(HandlerError::retryable("not yet"));
            }
            Ok(number + 1)
        });
        let pool = ThreadPool::builder().workers(1).build().unwrap();
        let error = handler.submit(&pool, "key", 1).unwrap().wait().unwrap_err();
        assert!(matches!(error.kind(), DurableErrorKind::Retryable { .. }), "{error}");
        // At once, while the worker may still be on its way out of the first.
        assert_eq!(handler.submit(&pool, "key", 1).unwrap().wait().unwrap(), 2);
        drop((pool, handler));
        journal.close().unwrap();
        assert_eq!(open(&memory, 2).opening().records, 1);
    });
}

/// The task that waits is at work itself, so that more may always come: only its worker's standing still ends the gathering.
#[test]
fn worker_that_waits_for_a_durable_task_has_it_recorded_at_once() {
    check("worker_that_waits_for_a_durable_task_has_it_recorded_at_once", || {
        execution::forbid_timeouts();
        let memory = Memory::new(true);
        let journal = open(&memory, 8);
        let pool = Arc::new(ThreadPool::builder().workers(1).build().unwrap());
        let scope = journal.scope("nested");
        let inner = scope.handler("inner", 1, |_, number: &usize| Ok(number + 1));
        let within = Arc::clone(&pool);
        let outer = scope.handler("outer", 1, move |_, number: &usize| {
            Ok(inner.submit(&within, "inner", *number).unwrap().wait().unwrap() * 2)
        });
        // One commit before, so that the next one is not the first.
        assert_eq!(scope.handler("first", 1, |_, (): &()| Ok(7)).call("first", ()).unwrap(), 7);
        assert_eq!(outer.submit(&pool, "outer", 1).unwrap().wait().unwrap(), 4);
        drop(outer);
        drop(pool);
        journal.close().unwrap();
        assert_eq!(open(&memory, 2).opening().records, 3);
    });
}
