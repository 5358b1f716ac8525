//! A disk that fails at the k-th call, for every k, while durable tasks run: what was told is recorded, the rest is told why not, and all handles end.

use gristmill::combine::as_completed;
use gristmill::journal::probe::{self, Memory};
use gristmill::journal::{
    CallError, CallRefusal, DurableErrorKind, HandlerError, Journal, JournalError, JournalErrorKind,
    Selection,
};
use gristmill::{ThreadPool, Waitable};

use crate::{Runs, pool};

/// On a pool, as many by `run` and by `call`, and a timer: all together.
const EACH: u64 = 6;
const ALL: usize = 19;

fn open(memory: &Memory) -> Result<Journal, JournalError> {
    probe::open(Journal::builder().queue_bound(4), memory)
}

/// It says where and what helps, in one line.
#[track_caller]
fn assert_told_well(error: &JournalError) {
    let text = error.to_string();
    assert_eq!(error.kind(), JournalErrorKind::Io, "{text}");
    assert!(
        text.contains(&*error.path().to_string_lossy()) && !error.path().as_os_str().is_empty(),
        "{text}"
    );
    assert!(text.contains(error.cure()) && !error.cure().is_empty() && !text.contains('\n'), "{text}");
}

#[track_caller]
fn assert_refused_well(refusal: &CallRefusal) {
    match refusal {
        CallRefusal::Journal(error) => assert_told_well(error),
        other => panic!("{other}"),
    }
}

/// What a task gives: most a value, some a failure for good, which is recorded as well.
fn result(number: u64) -> Result<u64, HandlerError> {
    if number % 5 == 3 { Err(HandlerError::terminal(format!("no {number}"))) } else { Ok(number * number) }
}

fn shown(number: u64) -> String {
    result(number).map_or_else(|error| error.message().to_owned(), |value| value.to_string())
}

/// How a batch went.
#[derive(Debug, Default)]
struct Went {
    /// What was told as recorded, in order.
    recorded: Vec<(u64, String)>,
    /// How many ended otherwise, or were not taken.
    failed: usize,
    /// Whether a call was told as recorded although the journal had failed before.
    is_mixed: bool,
}

impl Went {
    fn note(&mut self, number: u64, end: Result<String, DurableErrorKind>) {
        match end {
            Ok(what) => self.recorded.push((number, what)),
            Err(DurableErrorKind::Failed { message, .. }) => self.recorded.push((number, message)),
            Err(DurableErrorKind::Journal(error)) => {
                assert_told_well(&error);
                self.failed += 1;
            }
            Err(other) => panic!("{number}: {other}"),
        }
    }
}

type Told = (u64, Result<String, DurableErrorKind>);

/// Submits, runs, waits for all at once, and then calls; says what it was told, and how often a handler was run.
fn batch(journal: &Journal, pool: &ThreadPool) -> (Went, u64) {
    let scope = journal.scope("batch");
    let runs = Runs::default();
    let counter = runs.clone();
    let square = scope.handler("square", 1, move |_, number: &u64| {
        counter.add();
        result(*number)
    });
    let mut handles: Vec<Box<dyn Waitable<Output = Told>>> = Vec::new();
    let mut went = Went::default();
    for number in 0..2 * EACH {
        let taken =
            if number % 2 == 0 { square.submit(pool, number, number) } else { square.run(number, number) };
        match taken {
            Ok(handle) => handles.push(Box::new(handle.map(move |end| {
                (
                    number,
                    end.map(|value| value.to_string()).map_err(gristmill::journal::DurableError::into_kind),
                )
            }))),
            Err(refused) => {
                assert_refused_well(refused.refusal());
                assert_eq!(refused.into_input(), number);
                went.failed += 1;
            }
        }
    }
    match scope.after("timer", std::time::Duration::ZERO) {
        Ok(timer) => handles.push(Box::new(timer.map(|end| {
            (u64::MAX, end.map(|()| "fired".to_owned()).map_err(gristmill::journal::DurableError::into_kind))
        }))),
        Err(refused) => {
            assert_refused_well(refused.refusal());
            went.failed += 1;
        }
    }
    for (_, (number, end)) in as_completed(handles) {
        went.note(number, end);
    }
    for number in 2 * EACH..3 * EACH {
        let (has_failed, before) = (went.failed > 0, went.recorded.len());
        match square.call(number, number) {
            Ok(value) => went.note(number, Ok(value.to_string())),
            Err(CallError::Ended(error)) => went.note(number, Err(error.into_kind())),
            Err(CallError::Refused(refused)) => {
                assert_refused_well(refused.refusal());
                went.failed += 1;
            }
            Err(other) => panic!("{other}"),
        }
        went.is_mixed |= has_failed && went.recorded.len() > before;
    }
    (went, runs.since())
}

/// After a failure the journal says so to everybody.
fn assert_stopped(journal: Journal, pool: &ThreadPool) {
    assert_told_well(&journal.failure().expect("it has failed"));
    assert_told_well(&journal.flush().expect_err("it has failed"));
    let handler = journal.scope("later").handler("later", 1, |_, (): &()| Ok(()));
    assert_refused_well(handler.submit(pool, "key", ()).expect_err("refused").refusal());
    assert_refused_well(handler.run("key", ()).expect_err("refused").refusal());
    for forgotten in [
        journal.forget(&Selection::all()).map(drop),
        journal.retry_failed(&Selection::all()).map(drop),
        journal.compact().map(drop),
    ] {
        if let Err(error) = forgotten {
            assert_told_well(&error);
        }
    }
    drop(handler);
    assert_told_well(&journal.close().expect_err("it has failed"));
}

/// What was told is told again, first, in that order, and is not run; the rest runs.
fn assert_goes_on(memory: &Memory, told: &[(u64, String)], pool: &ThreadPool, case: &str) {
    memory.fail_at(usize::MAX, false);
    let journal = open(memory).unwrap_or_else(|error| panic!("{case}: {error}"));
    let records = usize::try_from(journal.opening().records).expect("few");
    // The timer is two: when it is to fire, and that it did.
    assert!(records >= told.len(), "{case}: {records} records, and {} were told", told.len());
    let verification = journal.verify().expect("it is well");
    assert!(verification.is_sound(), "{case}: {verification}");
    let (went, runs) = batch(&journal, pool);
    assert_eq!(went.failed, 0, "{case}");
    let (calls, others): (Vec<_>, Vec<_>) =
        told.iter().cloned().partition(|(number, _)| (2 * EACH..3 * EACH).contains(number));
    assert_eq!(went.recorded[..others.len()], others, "{case}");
    assert_eq!(went.recorded[2 * usize::try_from(EACH).expect("few") + 1..][..calls.len()], calls, "{case}");
    assert_eq!(went.recorded.len(), ALL, "{case}");
    for (number, what) in &went.recorded {
        let expected = if *number == u64::MAX { "fired".to_owned() } else { shown(*number) };
        assert_eq!(*what, expected, "{case}");
    }
    assert!(runs <= 3 * EACH - told.iter().filter(|(number, _)| *number < u64::MAX).count() as u64, "{case}");
    journal.close().expect("it closes");
}

#[test]
fn every_call_fails_once_and_every_handle_ends_with_what_is_recorded_or_why_not() {
    let pool = pool(2);
    for is_kept in [false, true] {
        for k in 1.. {
            let case = format!("call {k}, kept: {is_kept}");
            let memory = Memory::new(true);
            memory.fail_at(k, is_kept);
            let went = match open(&memory) {
                Err(error) => {
                    assert_told_well(&error);
                    Went::default()
                }
                Ok(journal) => {
                    let (went, _) = batch(&journal, &pool);
                    assert_eq!(went.recorded.len() + went.failed, ALL, "{case}: each ends once");
                    assert!(!went.is_mixed, "{case}: told as recorded after a failure: {went:?}");
                    if went.failed > 0 {
                        assert_stopped(journal, &pool);
                    } else if journal.close().is_err() {
                        assert!(memory.calls() >= k, "{case}");
                    }
                    went
                }
            };
            let is_over = memory.calls() < k;
            assert_goes_on(&memory, &went.recorded, &pool, &case);
            if is_over {
                assert_eq!(went.recorded.len(), ALL);
                break;
            }
        }
    }
}

#[test]
fn every_call_fails_once_while_half_is_told_again_and_half_is_run() {
    let pool = pool(2);
    let half = || {
        let memory = Memory::new(true);
        let journal = open(&memory).expect("it is well");
        let handler = journal.scope("batch").handler("square", 1, |_, number: &u64| result(*number));
        for number in 0..EACH {
            let _ = handler.call(number, number);
        }
        drop(handler);
        journal.close().expect("it is well");
        memory
    };
    for k in 1.. {
        let case = format!("call {k}");
        let memory = half();
        let journal = open(&memory).expect("it is well");
        memory.fail_at(k, k % 2 == 0);
        let (went, _) = batch(&journal, &pool);
        assert_eq!(went.recorded.len() + went.failed, ALL, "{case}: each ends once");
        if went.failed > 0 {
            assert_stopped(journal, &pool);
        } else if journal.close().is_err() {
            assert!(memory.calls() >= k, "{case}");
        }
        let is_over = memory.calls() < k;
        memory.fail_at(usize::MAX, false);
        // All that was told is there, and what was there before.
        let journal = open(&memory).expect("it opens again");
        assert!(journal.opening().records >= EACH);
        let (again, runs) = batch(&journal, &pool);
        assert_eq!((again.failed, again.recorded.len()), (0, ALL), "{case}");
        let tasks = went.recorded.iter().filter(|(number, _)| (EACH..u64::MAX).contains(number)).count();
        assert!(runs <= 2 * EACH - tasks as u64, "{case}: {runs} are run, and {tasks} were told");
        journal.close().expect("it closes");
        if is_over {
            break;
        }
    }
}

#[test]
fn every_call_fails_once_while_others_forget_and_compact_beside_the_batch() {
    let pool = pool(2);
    for k in 1.. {
        let case = format!("call {k}");
        let memory = Memory::new(true);
        let journal = open(&memory).expect("it is well");
        let old = journal.scope("old").handler("old", 1, |_, number: &u64| Ok(*number));
        for number in 0..EACH {
            old.call(number, number).expect("a value");
        }
        memory.fail_at(k, k % 2 == 0);
        let went = std::thread::scope(|threads| {
            let journal = &journal;
            let forgetting = threads.spawn(move || {
                let old = Selection::all().scope("old");
                let done = [
                    journal.forget(&old.clone().key("1")).map(drop),
                    journal.retry_failed(&old).map(drop),
                    journal.compact().map(drop),
                    journal.forget(&old).map(drop),
                ];
                done.into_iter().filter_map(Result::err).for_each(|error| assert_told_well(&error));
            });
            let (went, _) = batch(journal, &pool);
            forgetting.join().expect("no panic");
            went
        });
        assert_eq!(went.recorded.len() + went.failed, ALL, "{case}: each ends once");
        assert!(!went.is_mixed, "{case}: told as recorded after a failure: {went:?}");
        drop(old);
        if journal.failure().is_some() {
            assert_stopped(journal, &pool);
        } else {
            let _ = journal.close();
        }
        let is_over = memory.calls() < k;
        assert_goes_on(&memory, &went.recorded, &pool, &case);
        if is_over {
            break;
        }
    }
}
