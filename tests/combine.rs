//! What the combinators promise over tasks and timers.
#![cfg(not(any(gristmill_shuttle, gristmill_loom)))]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use gristmill::combine::{
    self, AsCompleted, StillPending, after, as_completed, at, first_ok, race, settle, wait_all,
    wait_all_with, wait_first,
};
use gristmill::waitable::ready;
use gristmill::{
    AttemptBudget, CancelKind, CancellationToken, Clock, ManualClock, Shutdown, SystemClock, TaskError,
    TaskHandle, ThreadPool, Timer, Waitable,
};

#[path = "support/gate.rs"]
mod gate;
use gate::{Gate, LONG, occupy, spawn};

fn pool(workers: usize) -> ThreadPool {
    ThreadPool::builder().workers(workers).build().expect("good settings")
}

fn cancelled() -> CancellationToken {
    let token = CancellationToken::new();
    token.cancel();
    token
}

/// A task that ends with a number when its gate is opened.
fn gated(pool: &ThreadPool, number: usize) -> (Gate, TaskHandle<usize>) {
    let (gate, pass) = Gate::new();
    let handle = pool.submit(move || {
        pass();
        number
    });
    (gate, handle.expect("open"))
}

type Values = Vec<Result<usize, TaskError>>;

fn values(outputs: Values) -> Vec<usize> {
    outputs.into_iter().map(|output| output.expect("no panic")).collect()
}

#[test]
fn outputs_of_all_are_in_start_order_however_they_end() {
    let pool = pool(2);
    let (slow, first) = gated(&pool, 0);
    let second = pool.submit(|| 1).expect("open");
    let handles = combine::wait_all_timeout([first, second], Duration::ZERO).expect_err("one is held");
    slow.open();
    assert_eq!(values(wait_all(handles)), [0, 1]);
}

#[test]
fn completed_tasks_come_as_they_end_with_their_index() {
    let pool = pool(3);
    let (gates, handles): (Vec<_>, Vec<_>) = (0..3).map(|i| gated(&pool, i)).unzip();
    let mut gates: Vec<_> = gates.into_iter().map(Some).collect();
    let mut ends = as_completed(handles);
    assert_eq!(ends.try_next().expect_err("none").to_string(), "3 of 3 are still pending");
    for index in [1, 2, 0] {
        gates[index].take().expect("each once").open();
        let (at, output) = ends.next_timeout(LONG).expect("it ends").expect("there are some");
        assert_eq!((at, output.expect("no panic")), (index, index));
    }
    assert!(ends.next().is_none() && ends.is_empty());
    assert!(ends.try_next().expect("that is an answer").is_none());
}

#[test]
fn first_to_end_leaves_the_others_usable() {
    let pool = pool(2);
    let (held, first) = gated(&pool, 7);
    let second = pool.submit(|| 8).expect("open");
    let won = wait_first([first, second]).expect("two");
    assert_eq!((won.index, won.output.expect("no panic")), (1, 8));
    held.open();
    assert_eq!(values(wait_all(won.others)), [7]);
}

#[test]
fn nothing_to_wait_for_is_an_answer_at_once() {
    let none = Vec::<TaskHandle<u8>>::new;
    let token = cancelled();
    assert!(wait_all(none()).is_empty());
    assert!(wait_all_with(none(), &token).expect("there is nothing to wait for").is_empty());
    assert!(combine::try_wait_all(none()).expect("all have ended").is_empty());
    assert!(wait_first(none()).is_none() && race(none()).is_none());
    assert!(combine::wait_first_with(none(), &token).expect("nothing to wait for").is_none());
    assert!(combine::try_wait_first(none()).expect("nothing to wait for").is_none());
    assert!(as_completed(none()).next().is_none());
    let error = first_ok(none()).expect_err("nothing succeeded");
    assert_eq!((error.errors().len(), error.to_string().as_str()), (0, "there was nothing to succeed"));
    let settled = settle(none()).expect("nothing failed");
    assert!(settled.successes.is_empty() && settled.is_complete());
}

#[test]
fn what_has_ended_beats_a_cancelled_token_and_no_time() {
    let pool = pool(1);
    let handles: Vec<_> = (0..3).map(|i| pool.submit(move || i).expect("open")).collect();
    pool.wait().expect("nothing ends this wait");
    let token = cancelled();
    let mut ends = as_completed(handles);
    assert_eq!(ends.next_with(&token).expect("ended").expect("three").0, 0);
    assert_eq!(ends.next_timeout(Duration::ZERO).expect("ended").expect("two").0, 1);
    let rest = ends.into_rest();
    assert_eq!(rest.len(), 1);
    let rest = rest.into_iter().map(|(index, handle)| {
        assert_eq!(index, 2);
        handle
    });
    assert_eq!(values(wait_all_with(rest, &token).expect("ended")), [2]);
}

#[test]
fn cancelled_wait_gives_every_handle_back() {
    let pool = pool(2);
    let (held, handle) = gated(&pool, 0);
    let done = pool.submit(|| 1).expect("open");
    while !done.is_finished() {
        std::hint::spin_loop();
    }
    let token = CancellationToken::new();
    let waiter = {
        let token = token.clone();
        spawn(move || wait_all_with([handle, done], &token))
    };
    held.wait();
    token.cancel_with("enough");
    let early = waiter.join().expect("no panic").expect_err("one is held");
    assert_eq!(early.cause().kind(), CancelKind::Cancelled);
    held.open();
    assert_eq!(values(wait_all(early.into_handle())), [0, 1]);
}

#[test]
fn race_prevents_what_has_not_started_and_tells_what_runs() {
    let pool = pool(2);
    let (sender, runs) = mpsc::channel();
    let polite = pool.task().submit(move |context| {
        sender.send(()).expect("the test listens");
        context.token().wait();
        "stopped"
    });
    runs.recv_timeout(LONG).expect("it runs");
    let (gate, running) = occupy(&pool);
    let queued = pool.submit(|| "queued").expect("open");
    let polite = polite.expect("open");
    let quick = Box::new(ready(Ok("quick"))) as Box<dyn Waitable<Output = Result<&str, TaskError>>>;
    let won = race([Box::new(polite), Box::new(queued), quick]).expect("three");
    assert_eq!((won.index, won.output.expect("no panic")), (2, "quick"));
    let [polite, queued] = <[_; 2]>::try_from(wait_all(won.others)).expect("two");
    assert_eq!(polite.expect("it was told, and has ended"), "stopped");
    assert!(queued.expect_err("it never started").is_cancelled());
    gate.open();
    running.wait().expect("no panic");
}

#[test]
fn panic_in_one_is_the_output_of_that_one() {
    let pool = pool(2);
    let task = |i: usize| pool.submit(move || if i == 1 { panic!("number one") } else { i }).expect("open");
    let outputs = wait_all((0..3).map(task));
    let errors: Vec<_> =
        outputs.iter().map(|output| output.as_ref().is_err_and(TaskError::is_panicked)).collect();
    assert_eq!(errors, [false, true, false]);
    assert_eq!(settle((0..3).map(task)).expect("two succeed").failures[0].0, 1);
    let all = first_ok([task(1), task(1)]).expect_err("both panic");
    assert_eq!(all.to_string().matches("number one").count(), 2);
}

#[test]
fn pool_that_stops_or_is_purged_ends_the_wait() {
    let pool = pool(1);
    let (gate, running) = occupy(&pool);
    let mut ends = as_completed((0..2).map(|i| pool.submit(move || i).expect("open")));
    let purged = pool.purge();
    assert_eq!(purged.len(), 2);
    for _ in 0..2 {
        assert!(ends.next().expect("two").1.expect_err("it never ran").is_returned());
    }
    drop(purged);
    let late = pool.submit(|| ()).expect("open");
    let stopper = spawn(move || pool.shutdown(Shutdown::Abort).returned());
    assert!(wait_first([late]).expect("one").output.expect_err("it never ran").is_returned());
    gate.open();
    running.wait().expect("no panic");
    assert_eq!(stopper.join().expect("no panic"), 3);
}

#[test]
fn token_of_a_queued_task_ends_its_wait_though_no_worker_is_free() {
    let pool = pool(1);
    let (gate, running) = occupy(&pool);
    let token = CancellationToken::new();
    let queued = pool.task().token(&token).submit(|_| ()).expect("open");
    let waiter = spawn(move || wait_first([queued]).expect("one").output);
    token.cancel();
    assert!(waiter.join().expect("no panic").expect_err("it never ran").is_cancelled());
    gate.open();
    running.wait().expect("no panic");
}

#[test]
fn dropping_the_set_detaches_its_tasks() {
    let pool = pool(1);
    let ran = Arc::new(AtomicUsize::new(0));
    let (gate, running) = occupy(&pool);
    let handles = (0..3).map(|_| {
        let ran = Arc::clone(&ran);
        pool.submit(move || ran.fetch_add(1, SeqCst)).expect("open")
    });
    let mut ends = as_completed(handles);
    assert_eq!(ends.try_next().expect_err("the worker is busy"), pending(&ends));
    drop(ends);
    gate.open();
    running.wait().expect("no panic");
    pool.wait().expect("nothing ends this wait");
    assert_eq!(ran.load(SeqCst), 3);
}

fn pending<W: Waitable>(ends: &AsCompleted<W>) -> StillPending {
    let text = format!("{ends:?}");
    assert!(text.contains("pending: 3") && text.contains("total: 3"), "{text}");
    let Err(pending) = as_completed((0..3).map(|_| after(Duration::MAX))).try_next() else {
        unreachable!("they never fire")
    };
    pending
}

#[test]
fn results_whose_drops_panic_do_not_abort_a_set_that_is_dropped() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("dropped");
        }
    }
    let pool = pool(1);
    let handles: Vec<_> = (0..3).map(|_| pool.submit(|| Bomb).expect("open")).collect();
    pool.wait().expect("nothing ends this wait");
    drop(as_completed(handles));
    assert_eq!(pool.submit(|| 1).expect("open").wait().expect("the pool is well"), 1);
}

#[test]
fn iterator_that_panics_detaches_what_it_gave() {
    let pool = pool(1);
    let handles = (0..3).map(|i| {
        assert!(i < 2, "the third");
        pool.submit(move || i).expect("open")
    });
    assert!(catch_unwind(AssertUnwindSafe(|| wait_all(handles))).is_err());
    let report = pool.shutdown(Shutdown::Drain);
    assert_eq!(report.succeeded(), 2);
}

#[test]
fn one_worker_that_combines_its_own_tasks_does_not_deadlock() {
    let pool = Arc::new(pool(1));
    let inner = Arc::clone(&pool);
    let outer = pool.submit(move || {
        let submit = || (1..=4).map(|i| inner.submit(move || i).expect("open"));
        let all: usize = values(wait_all(submit())).into_iter().sum();
        let first = wait_first(submit()).expect("four");
        let rest: usize = as_completed(first.others).map(|(_, output)| output.expect("no panic")).sum();
        let raced = race(submit()).expect("four").output.expect("no panic");
        let sound = first_ok(submit()).expect("all succeed").value;
        let limited = combine::with_timeout(submit().next().expect("four"), Duration::MAX);
        let second = || inner.submit(|| 9).expect("open");
        let failing = inner.submit(|| panic!("the first")).expect("open");
        let fallen = combine::fallback(failing, second).expect("the second succeeds").value;
        (
            all,
            first.output.expect("no panic") + rest,
            raced,
            sound,
            limited.expect("no limit").expect("no panic"),
            fallen,
        )
    });
    let outer = outer.expect("open").wait_timeout(LONG).unwrap_or_else(|_| panic!("it hangs"));
    assert_eq!(outer.expect("no panic"), (10, 10, 1, 1, 1, 9));
}

#[test]
fn worker_runs_no_task_that_it_does_not_wait_for() {
    let pool = Arc::new(pool(1));
    let inner = Arc::clone(&pool);
    let outer = pool.submit(move || {
        let stranger = inner.submit(|| ()).expect("open");
        let mine = inner.submit(|| ()).expect("open");
        assert_eq!(wait_all([mine]).len(), 1);
        stranger.is_finished()
    });
    assert!(!outer.expect("open").wait().expect("no panic"));
}

#[test]
fn task_that_waits_for_itself_in_a_set_panics() {
    let pool = pool(1);
    let (sender, receiver) = mpsc::channel::<TaskHandle<()>>();
    let (ended, end) = mpsc::channel();
    let task = pool.submit(move || {
        let me = receiver.recv().expect("it is sent");
        let waits = catch_unwind(AssertUnwindSafe(|| wait_all([me])));
        ended.send(waits.is_err()).expect("the test listens");
    });
    sender.send(task.expect("open")).expect("the task listens");
    assert!(end.recv_timeout(LONG).expect("it does not hang"));
}

#[test]
fn scoped_tasks_can_be_combined() {
    let words = ["grist".to_owned(), "mill".to_owned()];
    let lengths = ThreadPool::builder()
        .workers(2)
        .scope(|pool| values(wait_all(words.iter().map(|word| pool.submit(|| word.len()).expect("open")))))
        .expect("good settings");
    assert_eq!(lengths, [5, 4]);
}

#[test]
fn hundred_thousand_handles_are_fine() {
    let count: usize = if cfg!(miri) { 100 } else { 100_000 };
    let pool = ThreadPool::builder().workers(2).queue_bound(count).build().expect("good settings");
    pool.pause();
    let handles: Vec<_> = (0..count).map(|i| pool.submit(move || i).expect("open")).collect();
    let ends = as_completed(handles);
    pool.resume();
    let mut seen = vec![false; count];
    for (index, output) in ends {
        assert_eq!(output.expect("no panic"), index);
        assert!(!std::mem::replace(&mut seen[index], true));
    }
    assert!(seen.into_iter().all(|is_seen| is_seen));
}

#[test]
fn timers_of_no_time_have_fired_and_those_of_all_time_never_do() {
    assert!(after(Duration::ZERO).is_finished());
    assert!(after(Duration::ZERO).wait().is_ok());
    assert!(at(SystemClock.now()).try_wait().expect("it has fired").is_ok());
    let never = after(Duration::MAX);
    assert_eq!(never.instant(), None);
    let never = never.wait_timeout(Duration::from_millis(1)).expect_err("it never fires");
    let early = never.wait_with(&cancelled()).expect_err("it never fires");
    let never = early.into_handle().try_wait().expect_err("it never fires");
    assert!(never.cancel() && !never.cancel());
    assert_eq!(never.wait().expect_err("cancelled").kind(), CancelKind::Cancelled);
    assert!(Timer::after_on(Duration::MAX, ManualClock::new()).try_wait().is_err());
}

#[test]
fn timer_fires_on_the_systems_clock_and_not_before() {
    let (short, long) = (Duration::from_millis(5), Duration::from_secs(3600));
    let start = SystemClock.now();
    let mut ends = as_completed([long, short, Duration::MAX].map(after));
    let (index, end) = ends.next().expect("three");
    assert!(end.is_ok() && index == 1);
    assert!(SystemClock.now().duration_since(start) >= short);
    ends.cancel();
    assert!(ends.by_ref().all(|(_, end)| end.is_err()));
}

#[test]
fn batches_are_waited_for_like_tasks() {
    let pool = pool(2);
    let batch =
        |values: std::ops::Range<usize>| pool.submit_many(values.map(|value| move || value)).expect("open");
    let sums: Vec<usize> = wait_all([batch(0..3), batch(3..5), batch(0..0)].map(|many| many.map(values)))
        .into_iter()
        .map(|values| values.into_iter().sum())
        .collect();
    assert_eq!(sums, [3, 7, 0]);
    let (gate, pass) = Gate::new();
    let mut pass = Some(pass);
    let held = pool.submit_many(std::iter::once(move || {
        pass.take().expect("once")();
        9
    }));
    // It runs: before that, the time that is over would end it.
    gate.wait();
    let held = combine::with_timeout(held.expect("open"), Duration::from_millis(1)).expect_err("it is held");
    let mut held = held.into_handle();
    assert!(held.take().is_none(), "it has not ended");
    gate.open();
    while !held.is_finished() {
        std::thread::yield_now();
    }
    assert_eq!(held.take().map(|outputs| outputs.len()), Some(1));
    assert!(held.take().is_none(), "once");
    assert!(catch_unwind(AssertUnwindSafe(|| held.wait())).is_err());
}

#[test]
fn batch_that_its_own_worker_waits_for_in_a_set_runs_there() {
    let pool = Arc::new(pool(1));
    let inner = Arc::clone(&pool);
    let outer = pool.submit(move || {
        let batches = [0..3, 3..5].map(|values: std::ops::Range<usize>| {
            inner.submit_many(values.map(|value| move || value)).expect("open")
        });
        as_completed(batches).map(|(_, outputs)| values(outputs).len()).sum::<usize>()
    });
    let outer = outer.expect("open").wait_timeout(LONG).unwrap_or_else(|_| panic!("it hangs"));
    assert_eq!(outer.expect("no panic"), 5);
}

#[test]
fn timers_and_tasks_join_in_one_set() {
    type Either = Box<dyn Waitable<Output = Option<usize>>>;
    let pool = pool(1);
    let (gate, held) = gated(&pool, 3);
    let clock = ManualClock::new();
    let minute = Duration::from_secs(60);
    let task: Either = Box::new(held.map(Result::ok));
    let timer: Either = Box::new(Timer::after_on(minute, clock.clone()).map(|_| None));
    let mut ends = as_completed([task, timer]);
    assert!(ends.try_next().is_err());
    clock.advance(minute);
    assert_eq!(ends.next(), Some((1, None)));
    gate.open();
    assert_eq!(ends.next(), Some((0, Some(3))));
}

#[test]
fn time_limit_tells_what_runs_and_gives_its_handle() {
    let pool = pool(1);
    let (sender, runs) = mpsc::channel();
    let polite = pool.task().submit(move |context| {
        sender.send(()).expect("the test listens");
        context.token().wait().kind()
    });
    let polite = polite.expect("open");
    runs.recv_timeout(LONG).expect("it runs");
    let clock = ManualClock::new();
    let limit = Timer::after_on(Duration::from_secs(1), clock.clone());
    let waiter = spawn(move || combine::with_timeout(polite, limit));
    clock.advance(Duration::from_secs(1));
    let error = waiter.join().expect("no panic").expect_err("it does not end by itself");
    assert_eq!(
        error.to_string(),
        "it had not ended when the time was over; it was cancelled, and may still run"
    );
    assert_eq!(error.into_handle().wait().expect("it was told"), CancelKind::Cancelled);
    let (gate, held) = gated(&pool, 1);
    let early = combine::with_timeout_with(held, Duration::MAX, &cancelled()).expect_err("it is held");
    gate.open();
    let limit = after(Duration::MAX);
    limit.cancel();
    assert_eq!(combine::with_timeout(early.into_handle(), limit).expect("no limit").expect("no panic"), 1);
}

#[test]
fn hedge_answers_though_the_first_attempt_hangs() {
    let pool = pool(2);
    let budget = AttemptBudget::new(0, 1);
    let hang = || pool.task().submit(|context| context.token().sleep(Duration::MAX).is_ok()).expect("open");
    let quick = || pool.submit(|| true).expect("open");
    let answer = combine::hedge(hang(), Duration::ZERO, &budget, quick).expect("the second succeeds");
    assert_eq!((answer.index, answer.value, answer.others.len()), (1, true, 1));
    // The budget is spent: the second attempt does not start.
    let limit = Duration::from_millis(1);
    let early = combine::hedge_timeout(hang(), Duration::ZERO, &budget, quick, limit).expect_err("it hangs");
    assert!(early.second.is_some() && early.failed.is_empty());
    for (_, handle) in early.pending {
        handle.cancel();
        assert!(!matches!(handle.wait(), Ok(true)), "it was told, or never started");
    }
}

#[test]
fn panic_of_the_second_start_comes_out_and_loses_no_task() {
    let pool = pool(1);
    let failing = pool.submit(|| panic!("first")).expect("open");
    let fall = || combine::fallback::<TaskHandle<u8>, _, _>(failing, || panic!("second"));
    assert!(catch_unwind(AssertUnwindSafe(fall)).is_err());
    assert_eq!(pool.shutdown(Shutdown::Drain).panicked(), 1);
}

#[test]
fn waits_of_the_handle_itself_say_that_the_output_was_taken() {
    let pool = pool(1);
    let mut handle = pool.submit(|| 1).expect("open");
    pool.wait().expect("nothing ends this wait");
    assert!(handle.take().expect("it has ended").is_ok());
    assert!(handle.take().is_none());
    assert!(catch_unwind(AssertUnwindSafe(|| handle.wait())).is_err());
}

/// The worker runs the first attempt itself, and the delay is over meanwhile.
#[test]
fn attempt_that_the_waiting_worker_ran_itself_is_neither_hedged_nor_out_of_time() {
    let pool = Arc::new(ThreadPool::builder().workers(1).build().expect("good settings"));
    let inner = Arc::clone(&pool);
    let outer = pool.submit(move || {
        let clock = ManualClock::new();
        let attempt = |value: u32| {
            let clock = clock.clone();
            inner.submit(move || {
                clock.advance(Duration::from_secs(1));
                value
            })
        };
        let (budget, delay) = (AttemptBudget::new(100, 10), Duration::from_secs(1));
        let first = attempt(1).expect("open");
        let second = || unreachable!("the first has ended");
        let hedged = combine::hedge(first, Timer::after_on(delay, clock.clone()), &budget, second);
        let hedged = hedged.expect("it succeeds").value;
        let timed = combine::with_timeout(attempt(2).expect("open"), Timer::after_on(delay, clock.clone()));
        (hedged, timed.ok().and_then(Result::ok))
    });
    assert_eq!(outer.expect("open").wait().expect("it does not panic"), (1, Some(2)));
}

#[test]
fn wait_that_is_over_starts_no_second_attempt() {
    let pool = ThreadPool::builder().workers(1).build().expect("good settings");
    pool.pause();
    let token = CancellationToken::new();
    token.cancel();
    let budget = AttemptBudget::new(100, 10);
    let first = pool.submit(|| 1).expect("open");
    let second = || pool.submit(|| 2).expect("open");
    let cut =
        combine::hedge_with(first, Duration::ZERO, &budget, second, &token).map(drop).expect_err("cancelled");
    assert_eq!(pool.queued(), 1, "the first alone");
    drop(cut);
    pool.resume();
}

/// What waited first could not help; the worker that it is handed to can, and is the only one.
#[test]
fn set_that_moves_to_the_only_worker_is_helped_there() {
    let pool = ThreadPool::builder().workers(1).build().expect("good settings");
    let (hand, handed) = mpsc::channel::<AsCompleted<TaskHandle<u32>>>();
    let worker = pool
        .submit(move || handed.recv().expect("it comes").map(|(_, value)| value.expect("it succeeds")).sum());
    let worker: TaskHandle<u32> = worker.expect("open");
    let handles: Vec<_> = (1..=2).map(|value| pool.submit(move || value).expect("open")).collect();
    let mut completed = as_completed(handles);
    completed.next_timeout(Duration::from_millis(1)).expect_err("the worker waits for the set");
    hand.send(completed).expect("the worker waits");
    assert_eq!(worker.wait_timeout(LONG).expect("in time").expect("it does not panic"), 3);
}
