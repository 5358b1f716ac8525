//! How a durable task ends otherwise: refused, cancelled, handed back.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::time::Duration;

use gristmill::journal::{CallRefusal, DurableErrorKind, Handler, HandlerError, Journal, JournalErrorKind};
use gristmill::{CancelOutcome, CancellationToken, Refusal, Shutdown, TaskError, ThreadPool};

use serde::{Deserialize, Serialize};

use crate::gate::{Gate, LONG, occupy};
use crate::{Place, Runs, pool, square};

#[test]
fn key_is_used_once_in_a_run_and_the_input_comes_back() {
    let (place, pool) = (Place::new(), pool(1));
    let journal = place.open();
    let (handler, runs) = square(&journal.scope("s"), 1);
    let (gate, _running) = occupy(&pool);
    let first = handler.submit(&pool, "key", 3).unwrap();
    for _ in 0..2 {
        let refused = handler.submit(&pool, "key", 4).unwrap_err();
        assert!(matches!(refused.refusal(), CallRefusal::Duplicate), "{refused}");
        assert!(refused.to_string().contains(&refused.refusal().to_string()), "{refused}");
        assert!(refused.refusal().to_string().contains("used"), "{refused}");
        assert_eq!(refused.key(), "key");
        assert_eq!(refused.into_input(), 4);
    }
    gate.open();
    assert_eq!(first.wait().unwrap(), 9);
    assert_eq!((handler.name(), handler.version()), ("square", 1));
    assert!(matches!(handler.submit(&pool, "key", 3).unwrap_err().refusal(), CallRefusal::Duplicate));
    assert_eq!(runs.since(), 1);
}

#[test]
fn key_that_another_run_works_on_is_refused_until_it_has_ended() {
    let (place, pool) = (Place::new(), pool(1));
    let journal = place.open();
    let (handler, runs) = square(&journal.scope("s"), 1);
    let (other, more) = square(&journal.scope("s"), 1);
    let (gate, _running) = occupy(&pool);
    let first = handler.submit(&pool, "key", 3).unwrap();
    let refused = other.submit(&pool, "key", 3).unwrap_err();
    assert!(matches!(refused.refusal(), CallRefusal::InUse), "{refused}");
    gate.open();
    assert_eq!(first.wait().unwrap(), 9);
    let second = other.submit(&pool, "key", 3).unwrap();
    assert!(second.is_replayed());
    assert_eq!(second.wait().unwrap(), 9);
    assert_eq!((runs.since(), more.since()), (1, 0));
}

/// Cannot be written.
#[derive(serde::Deserialize)]
struct Never;

impl serde::Serialize for Never {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("never"))
    }
}

#[test]
fn long_key_and_input_that_cannot_be_encoded_are_refused() {
    let (place, pool) = (Place::new(), pool(1));
    let journal = place.open();
    let (handler, _) = square(&journal.scope("s"), 1);
    let long = "k".repeat(4096);
    assert!(handler.submit(&pool, &long, 1).unwrap().wait().is_ok());
    let refused = handler.submit(&pool, format!("{long}k"), 1).unwrap_err();
    assert!(matches!(refused.refusal(), CallRefusal::KeyTooLong), "{refused}");
    let never = journal.scope("s").handler("never", 1, |_, _: &Never| Ok(1_u32));
    let refused = never.submit(&pool, "key", Never).unwrap_err();
    assert!(matches!(refused.refusal(), CallRefusal::Unencodable(_)), "{refused}");
    let unwritable = journal.scope("s").handler("value", 1, |_, (): &()| Ok(Never));
    let error = unwritable.submit(&pool, "key", ()).unwrap().wait().err().expect("no value");
    assert!(matches!(error.kind(), DurableErrorKind::Unrecordable { .. }), "{error}");
}

#[test]
fn closed_pool_and_full_queue_give_the_input_back_and_free_the_key() {
    let place = Place::new();
    let journal = place.open();
    let (handler, runs) = square(&journal.scope("s"), 1);
    let full = ThreadPool::builder().workers(1).queue_bound(1).build().unwrap();
    let (gate, _running) = occupy(&full);
    let queued = handler.try_submit(&full, 0, 0).unwrap();
    let refused = handler.try_submit(&full, 1, 1).unwrap_err();
    assert!(matches!(refused.refusal(), CallRefusal::Pool(Refusal::Full)), "{refused}");
    let refused =
        handler.submit_timeout(&full, 1, refused.into_input(), Duration::from_millis(1)).unwrap_err();
    assert!(matches!(refused.refusal(), CallRefusal::Pool(Refusal::TimedOut)), "{refused}");
    gate.open();
    assert_eq!(queued.wait().unwrap(), 0);
    assert_eq!(handler.submit_timeout(&full, 1, refused.into_input(), LONG).unwrap().wait().unwrap(), 1);
    full.close();
    let refused = handler.submit(&full, 2, 2).unwrap_err();
    assert!(matches!(refused.refusal(), CallRefusal::Pool(Refusal::Closed)), "{refused}");
    assert_eq!(handler.submit(&pool(1), 2, refused.into_input()).unwrap().wait().unwrap(), 4);
    assert_eq!(runs.since(), 3);
}

#[test]
fn cancelled_tasks_are_not_recorded() {
    let (place, pool) = (Place::new(), pool(1));
    {
        let journal = place.open();
        let scope = journal.scope("s");
        let (handler, runs) = square(&scope, 1);
        let (gate, _running) = occupy(&pool);
        let queued = handler.submit(&pool, "queued", 3).unwrap();
        let line = line!() + 1;
        assert_eq!(queued.cancel(), CancelOutcome::Prevented);
        let error = queued.wait().unwrap_err();
        let DurableErrorKind::NotRun(TaskError::Cancelled { cause, .. }) = error.kind() else {
            panic!("{error}")
        };
        assert_eq!((cause.location().file(), cause.location().line()), (file!(), line));
        assert!(error.is_cancelled());
        // By a token, though no worker is free.
        let token = CancellationToken::new();
        let queued = handler.submit_with(pool.task().token(&token), "by token", 3).unwrap();
        token.cancel();
        assert!(queued.wait().unwrap_err().is_cancelled());
        gate.open();
        assert_eq!(runs.since(), 0);

        let (gate, pass) = Gate::new();
        let pass = std::sync::Mutex::new(Some(pass));
        let looks = scope.handler("looks", 1, move |context, (): &()| -> Result<(), HandlerError> {
            let token = context.token();
            let pass = pass.lock().unwrap().take().expect("once");
            pass();
            Ok(token.check()?)
        });
        let running = looks.submit(&pool, "running", ()).unwrap();
        gate.wait();
        assert_eq!(running.cancel(), CancelOutcome::Requested);
        gate.open();
        let error = running.wait().unwrap_err();
        assert!(matches!(error.kind(), DurableErrorKind::Cancelled(_)) && error.is_cancelled(), "{error}");
        let source = std::error::Error::source(&error).expect("who cancelled it");
        assert!(source.downcast_ref::<gristmill::Cancelled>().is_some(), "{error:?}");
        // The keys are free again.
        assert_eq!(handler.submit(&pool, "queued", 3).unwrap().wait().unwrap(), 9);
    }
    let journal = place.open();
    let (handler, runs) = square(&journal.scope("s"), 1);
    assert!(handler.submit(&pool, "queued", 3).unwrap().is_replayed());
    let by_token = handler.submit(&pool, "by token", 3).unwrap();
    assert!(!by_token.is_replayed());
    by_token.wait().unwrap();
    assert_eq!(runs.since(), 1);
}

#[test]
fn task_that_ends_after_the_journal_was_closed_is_counted_as_not_recorded() {
    let (place, pool) = (Place::new(), pool(1));
    let journal = place.open();
    let scope = journal.scope("s");
    let (gate, pass) = Gate::new();
    let pass = std::sync::Mutex::new(Some(pass));
    let handler = scope.handler("late", 1, move |_, (): &()| {
        let pass = pass.lock().unwrap().take().expect("once");
        pass();
        Ok(())
    });
    let running = handler.submit(&pool, "key", ()).unwrap();
    gate.wait();
    journal.close().unwrap();
    gate.open();
    let error = running.wait().unwrap_err();
    assert!(matches!(error.kind(), DurableErrorKind::Journal(_)) && !error.is_recorded(), "{error}");
    let report = scope.report();
    assert_eq!((report.replayed, report.run, report.unrecorded), (0, 0, 1));
}

#[test]
fn wait_for_a_queued_task_ends_by_its_token_though_no_worker_is_free() {
    let (place, pool) = (Place::new(), pool(1));
    let journal = place.open();
    let (handler, _) = square(&journal.scope("s"), 1);
    let (gate, _running) = occupy(&pool);
    let token = CancellationToken::new();
    let queued = handler.submit_with(pool.task().token(&token), "key", 3).unwrap();
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| queued.wait());
        token.cancel();
        assert!(waiter.join().unwrap().unwrap_err().is_cancelled());
    });
    gate.open();
}

#[test]
fn handed_back_task_ends_its_handle_and_is_recorded_if_it_is_run_all_the_same() {
    let place = Place::new();
    let journal = place.open();
    let (handler, runs) = square(&journal.scope("s"), 1);
    let pool = ThreadPool::builder().workers(1).build().unwrap();
    let (gate, _running) = occupy(&pool);
    let started: Vec<_> = (0..2).map(|number| handler.submit(&pool, number, number).unwrap()).collect();
    let mut returned = std::thread::scope(|scope| {
        let shutdown = scope.spawn(|| pool.shutdown(Shutdown::Abort));
        // Their ends come while those who have the tasks still hold them.
        for handle in started {
            let error = handle.wait().unwrap_err();
            let DurableErrorKind::NotRun(cause) = error.kind() else { panic!("{error}") };
            assert!(cause.is_returned());
        }
        gate.open();
        shutdown.join().unwrap().into_tasks()
    });
    let first = returned.remove(0);
    assert!(first.run().is_ok());
    drop(returned);
    assert_eq!(runs.since(), 1);
    drop((journal, handler));
    let journal = place.open();
    let (handler, runs) = square(&journal.scope("s"), 1);
    let pool = crate::pool(1);
    assert!(handler.submit(&pool, 0, 0).unwrap().is_replayed());
    assert_eq!(handler.submit(&pool, 1, 1).unwrap().wait().unwrap(), 1);
    assert_eq!(runs.since(), 1);
}

#[test]
fn wait_that_ends_early_gives_the_handle_back() {
    let (place, pool) = (Place::new(), pool(1));
    let journal = place.open();
    let (handler, _) = square(&journal.scope("s"), 1);
    let (gate, _running) = occupy(&pool);
    let handle = handler.submit(&pool, "key", 3).unwrap();
    let handle = handle.try_wait().unwrap_err();
    let handle = handle.wait_timeout(Duration::from_millis(1)).unwrap_err();
    let token = CancellationToken::new();
    token.cancel();
    let handle = handle.wait_with(&token).unwrap_err().into_handle();
    assert!(!handle.is_finished() && handle.sequence().is_none());
    gate.open();
    assert_eq!(handle.wait_timeout(Duration::MAX).unwrap().unwrap(), 9);
}

#[test]
fn task_whose_handle_is_dropped_is_recorded() {
    let (place, pool) = (Place::new(), pool(2));
    {
        let journal = place.open();
        let (handler, _) = square(&journal.scope("s"), 1);
        (0..100).for_each(|number| drop(handler.submit(&pool, number, number).unwrap()));
        pool.wait().unwrap();
    }
    let journal = place.open();
    let (handler, runs) = square(&journal.scope("s"), 1);
    (0..100).for_each(|number| assert!(handler.submit(&pool, number, number).unwrap().is_replayed()));
    assert_eq!(runs.since(), 0);
}

/// An input that is counted.
struct Held(Arc<()>);

impl serde::Serialize for Held {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bool(Arc::strong_count(&self.0) > 0)
    }
}

#[test]
fn inputs_and_values_are_dropped_once_each() {
    let (place, pool) = (Place::new(), pool(2));
    let journal = place.open();
    let alive = Arc::new(());
    let handler = journal.scope("s").handler("held", 1, |_, _: &Held| Ok(()));
    let started: Vec<_> =
        (0..50).map(|key| handler.submit(&pool, key, Held(Arc::clone(&alive))).unwrap()).collect();
    for end in gristmill::combine::wait_all(started) {
        end.unwrap();
    }
    let (gate, _running) = occupy(&pool);
    let (second, _other) = occupy(&pool);
    let cancelled = handler.submit(&pool, "cancelled", Held(Arc::clone(&alive))).unwrap();
    assert_eq!(Arc::strong_count(&alive), 2);
    cancelled.cancel();
    assert_eq!(Arc::strong_count(&alive), 1);
    gate.open();
    second.open();
}

#[test]
fn journal_that_is_dropped_before_its_tasks_is_closed_by_the_last_of_them() {
    let (place, pool) = (Place::new(), pool(1));
    let journal = place.open();
    let (handler, _) = square(&journal.scope("s"), 1);
    let (gate, _running) = occupy(&pool);
    let handle = handler.submit(&pool, "key", 3).unwrap();
    drop((journal, handler));
    gate.open();
    assert_eq!(handle.wait().unwrap(), 9);
    pool.wait().unwrap();
    let runs = Runs::default();
    let journal = place.open();
    let (handler, _) = square(&journal.scope("s"), 1);
    assert!(handler.submit(&pool, "key", 3).unwrap().is_replayed());
    assert_eq!(runs.since(), 0);
}

#[test]
fn closed_journal_frees_its_file_while_handlers_live_and_refuses_their_calls() {
    let (place, pool) = (Place::new(), pool(1));
    let journal = place.open();
    let (handler, runs) = square(&journal.scope("s"), 1);
    let (gate, _running) = occupy(&pool);
    let done = handler.call("done", 2).unwrap();
    let late = handler.submit(&pool, "late", 3).unwrap();
    journal.close().unwrap();
    assert_eq!((done, runs.since()), (4, 1));
    let refused = handler.submit(&pool, "new", 4).unwrap_err();
    let CallRefusal::Journal(error) = refused.refusal() else { panic!("{refused}") };
    assert_eq!(error.kind(), JournalErrorKind::Closed, "{error}");
    assert_eq!(refused.into_input(), 4);
    // Another one has the file now, and what was handed in before is not recorded.
    let journal = place.open();
    gate.open();
    let error = late.wait().unwrap_err();
    assert!(
        matches!(error.kind(), DurableErrorKind::Journal(error) if error.kind() == JournalErrorKind::Closed),
        "{error}"
    );
    drop(handler);
    let (handler, _) = square(&journal.scope("s"), 1);
    assert!(handler.submit(&pool, "done", 2).unwrap().is_replayed());
    assert!(!handler.submit(&pool, "late", 3).unwrap().is_replayed());
}

/// A value whose drop panics.
#[derive(Serialize, Deserialize)]
struct Explosive(Vec<u8>);

impl Drop for Explosive {
    fn drop(&mut self) {
        assert!(std::thread::panicking(), "its drop");
    }
}

#[test]
fn too_large_a_value_whose_drop_panics_ends_its_handle_all_the_same() {
    let (place, pool) = (Place::new(), pool(1));
    let journal = Journal::builder().longest_payload(100).open(place.path()).unwrap();
    let handler = journal.scope("s").handler("explosive", 1, |_, (): &()| Ok(Explosive(vec![0; 1000])));
    let handle = handler.submit(&pool, "key", ()).unwrap();
    pool.wait().unwrap();
    let Ok(Err(error)) = handle.try_wait() else { panic!("it has ended without a value") };
    assert!(matches!(error.kind(), DurableErrorKind::Unrecordable { .. }), "{error}");
}

#[test]
fn whoever_closes_a_journal_that_is_being_closed_waits_for_it_too() {
    let (place, pool) = (Place::new(), pool(1));
    let journal = place.open();
    // The journal's own thread drops the value that nobody has taken, and is held there.
    let (gate, pass) = Gate::new();
    let pass: Pass = Arc::new(Mutex::new(Some(Box::new(pass))));
    let handler =
        journal.scope("s").handler("slow", 1, move |_, (): &()| Ok(Slow { pass: Some(Arc::clone(&pass)) }));
    drop_before_it_runs(&handler, &pool);
    gate.wait();
    let (is_open, both) = (Arc::new(AtomicBool::new(false)), Arc::new(Barrier::new(3)));
    let closers = [(); 2].map(|()| {
        let (journal, is_open, both) = (journal.clone(), Arc::clone(&is_open), Arc::clone(&both));
        std::thread::spawn(move || {
            both.wait();
            journal.close().unwrap();
            assert!(is_open.load(Ordering::SeqCst), "it returned, and the file is not free");
        })
    });
    both.wait();
    (0..1000).for_each(|_| std::thread::yield_now());
    is_open.store(true, Ordering::SeqCst);
    gate.open();
    for closer in closers {
        closer.join().unwrap();
    }
    Journal::open(place.path()).unwrap();
}

#[test]
fn flush_ends_with_its_time_while_the_journal_is_held_up() {
    let pool = pool(1);
    for bound in [1, 256] {
        let place = Place::new();
        let journal = Journal::builder().queue_bound(bound).open(place.path()).unwrap();
        let (gate, pass) = Gate::new();
        let pass: Pass = Arc::new(Mutex::new(Some(Box::new(pass))));
        let handler = journal
            .scope("s")
            .handler("slow", 1, move |_, (): &()| Ok(Slow { pass: Some(Arc::clone(&pass)) }));
        drop_before_it_runs(&handler, &pool);
        gate.wait();
        // With the bound of 1 the first of them finds room at most, and the others wait for that.
        for timeout in [Duration::ZERO, Duration::from_millis(5), Duration::from_millis(5)] {
            assert!(journal.flush_timeout(timeout).is_none());
        }
        gate.open();
        journal.flush_timeout(Duration::MAX).expect("no end of time").expect("it is well");
        journal.flush_timeout(LONG).expect("it goes on").expect("it is well");
        let other = journal.clone();
        journal.close().unwrap();
        let closed = other.flush_timeout(LONG).expect("it is told at once");
        assert_eq!(closed.unwrap_err().kind(), JournalErrorKind::Closed);
    }
}

/// Of the two owners of the value, the handle and the journal's thread, the handle goes first.
fn drop_before_it_runs(handler: &Handler<(), Slow>, pool: &ThreadPool) {
    pool.pause();
    drop(handler.submit(pool, "key", ()).expect("open"));
    pool.resume();
}

type Pass = Arc<Mutex<Option<Box<dyn FnOnce() + Send>>>>;

/// A value whose drop takes its time.
#[derive(Serialize, Deserialize)]
struct Slow {
    #[serde(skip)]
    pass: Option<Pass>,
}

impl Drop for Slow {
    fn drop(&mut self) {
        let pass = self.pass.take().and_then(|pass| pass.lock().expect("not poisoned").take());
        if let Some(pass) = pass {
            pass();
        }
    }
}

/// Whoever drops one calls another task and waits for it.
#[derive(serde::Serialize, serde::Deserialize)]
struct WaitsInItsDrop(u64);

/// What is called then, and where its end is told.
type Called = (Handler<u64, u64>, mpsc::Sender<std::thread::Result<u64>>);
static CALLED: Mutex<Option<Called>> = Mutex::new(None);

impl Drop for WaitsInItsDrop {
    fn drop(&mut self) {
        let called = CALLED.lock().expect("nobody panics under it").take();
        if let Some((handler, told)) = called {
            let call = || handler.call("in the drop", 3).expect("it succeeds");
            told.send(catch_unwind(AssertUnwindSafe(call))).expect("it is waited for");
        }
    }
}

#[test]
fn drop_of_a_result_on_the_thread_of_the_journal_cannot_wait_for_it_and_panics_instead_of_hanging() {
    let (place, pool) = (Place::new(), pool(1));
    let journal = place.open();
    let scope = journal.scope("s");
    let (inner, _) = square(&scope, 1);
    let outer = scope.handler("outer", 1, |_, input: &u64| Ok(WaitsInItsDrop(*input)));
    let (sender, receiver) = mpsc::channel();
    let (gate, _running) = occupy(&pool);
    let handle = outer.submit(&pool, "out", 1).unwrap();
    *CALLED.lock().unwrap() = Some((inner.clone(), sender));
    // Nobody takes the result: who tells of its record is the last to have it.
    drop(handle);
    gate.open();
    let panic = receiver.recv().unwrap().expect_err("it would wait for ever");
    let said =
        panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(|it| &**it));
    assert_eq!(said, Some("the thread of the journal may not wait for the journal"));
    // The journal goes on, and both are recorded.
    assert!(inner.submit(&pool, "in the drop", 3).is_err(), "the key was used in this run");
    journal.close().unwrap();
    assert_eq!(place.open().opening().records, 2);
}

/// A value and a payload whose drops panic, as long as nothing else does.
#[derive(serde::Serialize, serde::Deserialize)]
struct Grenade;

impl Drop for Grenade {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            std::panic::panic_any(Self);
        }
    }
}

#[test]
fn journal_outlives_a_value_whose_drop_panics_with_what_panics_in_its_drop() {
    let (place, pool) = (Place::new(), pool(1));
    let journal = place.open();
    let scope = journal.scope("s");
    let handler = scope.handler("grenade", 1, |_, (): &()| Ok(Grenade));
    pool.pause();
    drop(handler.submit(&pool, "nobody wants it", ()).unwrap());
    pool.resume();
    let (square, _) = square(&scope, 1);
    assert_eq!(square.submit(&pool, "next", 3).unwrap().wait().unwrap(), 9);
    journal.flush().unwrap();
    assert_eq!(journal.statistics().unwrap().total().values, 2);
}

/// Encoded by what it shows, in two pieces.
struct Shown(String);

impl std::fmt::Display for Shown {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (first, second) = self.0.split_at(self.0.len() / 2);
        formatter.write_str(first)?;
        formatter.write_str(second)
    }
}

impl Serialize for Shown {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[test]
fn input_that_is_encoded_by_what_it_shows_is_taken_at_every_length() {
    let place = Place::new();
    let journal = place.open();
    let handler = journal.scope("s").handler("length", 1, |_, shown: &Shown| Ok(shown.0.len()));
    // Around what is encoded without an allocation.
    for length in (0..4).chain(120..132).chain(248..264).chain(510..516) {
        let handle = handler.run(length, Shown("x".repeat(length))).expect("it is taken");
        assert_eq!(handle.wait().unwrap(), length);
    }
}

#[test]
fn failures_panics_and_timers_are_recorded_however_short_a_value_has_to_be() {
    let place = Place::new();
    // Of two bytes each, behind one: the last is cut off in its midst.
    let long = format!("a{}", "µ".repeat(40_000));
    let mut told = Vec::new();
    for round in 0..2 {
        let journal = Journal::builder().longest_payload(1).open(place.path()).unwrap();
        let scope = journal.scope("s");
        let handler = scope.handler("fails", 1, |_, (panics, says): &(bool, String)| {
            assert!(!panics, "{says}");
            Err::<(), _>(HandlerError::terminal(says.as_str()))
        });
        let timer = scope.after("timer", Duration::ZERO).unwrap();
        assert_eq!(timer.is_replayed(), round == 1);
        timer.wait().unwrap();
        for (panics, says) in [(false, "too long"), (true, "too long"), (false, &*long), (true, &*long)] {
            let key = format!("{panics} {}", says.len());
            let handle = handler.run(key, (panics, says.to_owned())).unwrap();
            assert_eq!(handle.is_replayed(), round == 1);
            let (DurableErrorKind::Failed { message, .. } | DurableErrorKind::Panicked { message }) =
                handle.wait().unwrap_err().into_kind()
            else {
                panic!("it is recorded")
            };
            assert!(says.starts_with(&message) && message.len() == says.len().min((64 << 10) - 1), "{says}");
            told.push(message);
        }
        drop((handler, scope));
        journal.close().unwrap();
    }
    assert_eq!(told[..4], told[4..]);
}

#[test]
fn handed_back_task_whose_value_panics_in_its_drop_is_recorded_if_it_is_run_all_the_same() {
    let place = Place::new();
    let journal = place.open();
    let explosive = |journal: &Journal| {
        journal.scope("s").handler("explosive", 1, |_, (): &()| Ok(Explosive(vec![0; 10])))
    };
    let handler = explosive(&journal);
    let pool = pool(1);
    let (gate, _running) = occupy(&pool);
    let handle = handler.submit(&pool, "key", ()).unwrap();
    let mut returned = std::thread::scope(|scope| {
        let shutdown = scope.spawn(|| pool.shutdown(Shutdown::Abort));
        assert!(matches!(handle.wait().err().unwrap().kind(), DurableErrorKind::NotRun(_)));
        gate.open();
        shutdown.join().unwrap().into_tasks()
    });
    assert!(returned.remove(0).run().is_ok());
    drop((journal, handler));
    let journal = place.open();
    assert!(explosive(&journal).run("key", ()).unwrap().is_replayed());
}
