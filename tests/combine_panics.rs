//! What the combinators do when a function, a drop or a handle of the user's misbehaves.
#![cfg(not(any(gristmill_shuttle, gristmill_loom)))]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use gristmill::combine::{self, after, as_completed, first_ok, race, wait_all, wait_first};
use gristmill::waitable::ready;
use gristmill::{
    AttemptBudget, CancelKind, CancellationToken, Shutdown, Signal, TaskHandle, ThreadPool, Waitable,
};

#[path = "support/gate.rs"]
mod gate;
use gate::{LONG, Log, ended};

type Boxed<O> = Box<dyn Waitable<Output = O>>;
type Racers = [Boxed<Result<u8, Bomb>>; 2];

/// Panics when it is dropped, while another panic unwinds too.
#[derive(Debug)]
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("a bomb");
    }
}

fn pool(workers: usize) -> ThreadPool {
    ThreadPool::builder().workers(workers).build().expect("good settings")
}

/// The text of the panic that `run` ends with.
#[track_caller]
fn panic_of<T>(run: impl FnOnce() -> T) -> String {
    let Err(payload) = catch_unwind(AssertUnwindSafe(run)) else { panic!("it does not panic") };
    payload
        .downcast_ref::<&str>()
        .map_or_else(|| payload.downcast_ref::<String>().expect("a text").clone(), |text| (*text).to_owned())
}

/// A task that runs until it is told to stop, and what it sends then.
fn polite<T: Send + 'static>(pool: &ThreadPool, output: T) -> (TaskHandle<T>, Receiver<CancelKind>) {
    let (sender, receiver) = mpsc::channel();
    let (started, start) = mpsc::channel();
    let handle = pool.task().submit(move |context| {
        started.send(()).expect("the test listens");
        let _ = sender.send(context.token().wait().kind());
        output
    });
    start.recv_timeout(LONG).expect("it starts");
    (handle.expect("open"), receiver)
}

#[track_caller]
fn was_cancelled(told: &Receiver<CancelKind>) {
    assert_eq!(told.recv_timeout(LONG), Ok(CancelKind::Cancelled), "the loser is told");
}

/// Something that runs on, and something that has ended and whose function panics.
fn racers(pool: &ThreadPool) -> (Racers, Receiver<CancelKind>) {
    let (loser, told) = polite(pool, 1);
    let mapped = ready(2).map(|_| panic!("mapped"));
    ([Box::new(loser.map(|output| output.map_err(|_| Bomb))), Box::new(mapped)], told)
}

#[test]
fn panic_of_a_mapped_winner_cancels_the_losers_of_every_race() {
    let (pool, token) = (pool(1), CancellationToken::new());
    let forms: [&dyn Fn(Racers); 8] = [
        &|racers| drop(race(racers)),
        &|racers| drop(combine::try_race(racers)),
        &|racers| drop(combine::race_timeout(racers, LONG)),
        &|racers| drop(combine::race_with(racers, &token)),
        &|racers| drop(first_ok(racers)),
        &|racers| drop(combine::try_first_ok(racers)),
        &|racers| drop(combine::first_ok_timeout(racers, LONG)),
        &|racers| drop(combine::first_ok_with(racers, &token)),
    ];
    for form in forms {
        let (racers, told) = racers(&pool);
        assert_eq!(panic_of(|| form(racers)), "mapped");
        was_cancelled(&told);
    }
}

#[test]
fn panic_of_a_mapped_second_attempt_cancels_the_first_of_a_hedge() {
    let (pool, budget) = (pool(1), AttemptBudget::new(0, 1));
    let ([first, second], told) = racers(&pool);
    assert_eq!(panic_of(|| combine::hedge(first, Duration::ZERO, &budget, || second)), "mapped");
    was_cancelled(&told);
}

#[test]
fn panic_of_a_mapped_one_leaves_the_others_of_a_plain_wait_running() {
    let pool = pool(1);
    let ([loser, mapped], told) = racers(&pool);
    assert_eq!(panic_of(|| wait_first([loser, mapped])), "mapped");
    assert!(told.try_recv().is_err(), "nobody tells it");
    drop(pool.shutdown(Shutdown::Abort));
    was_cancelled(&told);
}

#[test]
fn all_functions_of_a_set_are_called_though_one_panics() {
    let (pool, called) = (pool(1), Log::new());
    let handles = (0..4).map(|i| {
        let called = called.clone();
        pool.submit(move || i).expect("open").map(move |output| {
            called.add(output.expect("no panic"));
            assert!(!(1..3).contains(&i), "number {i}");
            Bomb
        })
    });
    let handles: Vec<_> = handles.collect();
    // The outputs of the two that succeed are bombs both.
    assert_eq!(panic_of(|| wait_all(handles)), "number 1");
    assert_eq!(called.all(), [0, 1, 2, 3]);
}

#[test]
fn completed_go_on_behind_one_whose_function_panics() {
    let function = |i: u8| move |()| if i == 0 { panic!("mapped") } else { i };
    let mut ends = as_completed([0, 1].map(|i| ready(()).map(function(i))));
    assert_eq!(panic_of(|| ends.next()), "mapped");
    assert_eq!(ends.len(), 1);
    assert_eq!(ends.next(), Some((1, 1)));
    assert_eq!(ends.next(), None);
}

#[test]
fn errors_that_panic_in_their_drops_do_not_abort_a_wait_that_panics() {
    let failing = || Box::new(ready(Err(Bomb))) as Boxed<Result<u8, Bomb>>;
    let mapped = || Box::new(ready(()).map(|()| panic_or(Ok(1_u8)))) as Boxed<Result<u8, Bomb>>;
    assert_eq!(panic_of(|| first_ok([failing(), failing(), mapped()])), "mapped");
    assert_eq!(panic_of(|| combine::settle([failing(), mapped(), failing()])), "mapped");
    assert_eq!(panic_of(|| combine::fallback(failing(), mapped)), "mapped");
    let bomb = Bomb;
    let second = move || {
        let _bomb = bomb;
        failing()
    };
    assert_eq!(panic_of(|| combine::fallback(mapped(), second)), "mapped", "the closure is dropped unused");
}

fn panic_or<T>(output: T) -> T {
    assert!(std::hint::black_box(false), "mapped");
    output
}

#[test]
fn iterator_that_panics_over_results_that_panic_does_not_abort() {
    let pool = pool(1);
    let handles = || {
        let handles: Vec<_> = (0..3).map(|_| pool.submit(|| Bomb).expect("open")).collect();
        pool.wait().expect("nothing ends this wait");
        let end = std::iter::once_with(|| panic!("the iterator"));
        handles.into_iter().chain(end)
    };
    let token = CancellationToken::new();
    assert_eq!(panic_of(|| combine::try_wait_all(handles())), "the iterator");
    assert_eq!(panic_of(|| combine::try_race(handles())), "the iterator");
    assert_eq!(panic_of(|| combine::wait_all_with(handles(), &token)), "the iterator");
    assert_eq!(panic_of(|| as_completed(handles())), "the iterator");
}

#[test]
fn attempt_that_could_not_be_started_goes_back_into_the_budget() {
    let (pool, budget) = (pool(1), AttemptBudget::new(0, 1));
    let (first, told) = polite(&pool, 1);
    let panics = || -> TaskHandle<u8> { panic!("refused") };
    assert_eq!(panic_of(|| combine::hedge(first, Duration::ZERO, &budget, panics)), "refused");
    assert_eq!(budget.available(), 1, "handed back");
    drop(pool.shutdown(Shutdown::Abort));
    was_cancelled(&told);
}

#[test]
fn call_that_is_cut_off_and_made_again_counts_once() {
    let (pool, budget) = (pool(1), AttemptBudget::new(50, 1));
    assert!(budget.try_spend(), "the reserve");
    let (mut first, told) = polite(&pool, 1);
    for _ in 0..10 {
        let second = || unreachable!("there is no budget");
        let early = combine::hedge_timeout(first, Duration::ZERO, &budget, second, Duration::from_millis(1));
        let mut early = early.expect_err("it is held");
        assert_eq!(budget.available(), 0, "ten halves would make five");
        first = early.pending.pop().expect("it runs").1;
    }
    first.cancel();
    was_cancelled(&told);
    let never = || unreachable!("the first has ended");
    let answer = combine::hedge(first, Duration::MAX, &budget, never).expect("it ends");
    assert_eq!((answer.value, budget.available()), (1, 0));
    budget.count_call();
    assert_eq!(budget.available(), 1, "two halves");
}

/// Drops its signal, or keeps it until told otherwise.
struct Careless {
    has_ended: bool,
}

impl Waitable for Careless {
    type Output = ();

    fn is_finished(&self) -> bool {
        self.has_ended
    }

    fn watch(&self, signal: Signal) {
        drop(signal);
    }

    fn unwatch(&self) {}

    fn take(&mut self) -> Option<()> {
        self.has_ended.then_some(())
    }
}

#[test]
fn signal_that_is_dropped_is_no_hang() {
    let lost = || Careless { has_ended: false };
    let ended = || Careless { has_ended: true };
    assert_eq!(wait_all([ended(), ended()]).len(), 2, "what has ended is found");
    let text = panic_of(|| wait_all([ended(), lost(), lost()]));
    assert!(text.contains("would never end"), "{text}");
    assert_eq!(wait_first([lost(), ended()]).expect("two").index, 1);
    let first: [Boxed<()>; 2] = [Box::new(lost()), Box::new(after(Duration::from_millis(1)).map(drop))];
    assert_eq!(wait_first(first).expect("two").index, 1, "the other one is waited for");
    let back = combine::wait_all_timeout([lost(), ended()], Duration::ZERO).expect_err("one has not ended");
    assert_eq!(back.len(), 2);
    let mut ends = as_completed([lost()]);
    assert!(ends.try_next().is_err());
    assert!(panic_of(|| ends.next()).contains("would never end"));
}

#[test]
fn signal_that_its_keeper_drops_later_ends_the_wait() {
    struct Kept(mpsc::Sender<Signal>);
    impl Waitable for Kept {
        type Output = ();
        fn is_finished(&self) -> bool {
            false
        }
        fn watch(&self, signal: Signal) {
            self.0.send(signal).expect("the keeper listens");
        }
        fn unwatch(&self) {}
        fn take(&mut self) -> Option<()> {
            None
        }
    }
    let (sender, signals) = mpsc::channel();
    let waiter = gate::spawn(move || panic_of(|| wait_all([Kept(sender)])));
    drop(signals.recv_timeout(LONG).expect("it is watched"));
    assert!(waiter.join().expect("the panic is caught").contains("would never end"));
}

#[test]
fn output_of_a_task_that_was_handed_back_is_taken_once() {
    let pool = pool(1);
    let (gate, running) = gate::occupy(&pool);
    let (sender, ran) = mpsc::channel();
    let mut handle = pool.submit(move || sender.send(()).expect("the test listens")).expect("open");
    let purged = pool.purge();
    assert!(handle.take().expect("it has ended").expect_err("it never ran").is_returned());
    assert!(handle.take().is_none(), "once");
    assert!(handle.is_finished());
    let text = panic_of(|| handle.wait());
    assert!(text.contains("taken before"), "{text}");
    for task in purged {
        task.run().expect("no panic");
    }
    assert_eq!(ran.recv_timeout(LONG), Ok(()), "the closure is there all the same");
    gate.open();
    ended(running).expect("no panic");
}
