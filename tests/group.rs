//! The error group's promises, one claim per test; each runs on its own threads and on a pool, with owned and with borrowed data.
#![cfg(not(any(gristmill_shuttle, gristmill_loom)))]

use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use gristmill::{
    CancelKind, CancellationToken, Done, ErrorGroup, ErrorGroupBuilder, FailureKind, GroupBuildError,
    GroupErrorKind, GroupRefusal, Saturation, Shutdown, ThreadPool, Verdict,
};

#[path = "support/gate.rs"]
mod gate;
use gate::{Gate, LONG, Log, occupy};

type Group<'env, T = u32> = ErrorGroup<'env, T, String>;

/// The same claim over every kind of group. The pools have as many workers as the largest limit of a test.
macro_rules! claims {
    ($($(#[$attribute:meta])* fn $name:ident($builder:expr, |$group:ident| $body:block))*) => {
        mod own_threads_owned {
            use super::*;
            $($(#[$attribute])* #[test] fn $name() {
                let $group = $builder.build().expect("the settings are good");
                $body
            })*
        }
        mod own_threads_scoped {
            use super::*;
            $($(#[$attribute])* #[test] fn $name() {
                $builder.scope(|$group| $body).expect("the settings are good");
            })*
        }
        mod on_owned_pool {
            use super::*;
            $($(#[$attribute])* #[test] fn $name() {
                let pool = ThreadPool::builder().workers(4).build().expect("good settings");
                let $group = $builder.on(&pool).expect("the settings are good");
                $body
            })*
        }
        mod on_scoped_pool {
            use super::*;
            $($(#[$attribute])* #[test] fn $name() {
                ThreadPool::builder().workers(4).scope(|pool| {
                    let $group = $builder.on(pool).expect("the settings are good");
                    $body
                }).expect("good settings");
            })*
        }
        mod on_pool_with_no_space {
            use super::*;
            // Its queue takes one runner at a time.
            $($(#[$attribute])* #[test] fn $name() {
                let pool = ThreadPool::builder().workers(4).queue_bound(1).build().expect("good settings");
                let $group = $builder.on(&pool).expect("the settings are good");
                $body
            })*
        }
    };
}

fn limit<'env, T: Send + 'env>(limit: usize) -> ErrorGroupBuilder<'env, T, String> {
    ErrorGroup::builder().limit(limit)
}

claims! {
    fn results_come_in_the_order_of_spawning(limit(3), |group| {
        for index in 0..500_u32 {
            group.spawn(move || {
                if index % 7 == 0 { thread::yield_now() }
                Ok(index * 2)
            }).expect("open");
        }
        let results: Vec<u32> = group.into_results().expect("all succeed");
        assert!(results.into_iter().eq((0..500).map(|index| index * 2)));
    })

    fn empty_group_succeeds(limit::<u32>(1), |group| {
        assert!(group.wait().is_ok());
        assert_eq!(group.into_results().expect("success").len(), 0);
    })

    fn first_failure_cancels_the_others_and_is_the_answer(limit::<u32>(2), |group| {
        let (gate, pass) = Gate::new();
        group.task().name("waits").spawn(move |context| {
            pass();
            let cancelled = context.token().wait();
            Err(format!("told to stop: {}", cancelled.cause().expect("the failure")))
        }).expect("open");
        gate.wait();
        group.task().name("fails").spawn(|_| Err("no water".to_owned())).expect("open");
        // The gate is not opened before the failure has happened: dropping it opens it.
        group.token().clone().wait();
        gate.open();
        let error = group.wait().expect_err("one failed");
        assert_eq!((error.kind(), error.index(), error.name()), (GroupErrorKind::Failed, Some(1), Some("fails")));
        assert_eq!(error.cause().and_then(|cause| cause.error()).map(String::as_str), Some("no water"));
        assert_eq!(error.to_string(), "fails (task 1) failed: no water");
        assert_eq!(error.failures().len(), 1);
        let reactions: Vec<_> = error.reactions().iter().map(ToString::to_string).collect();
        assert_eq!(reactions, [
            "waits (task 0) failed: told to stop: the group is done: fails (task 1) failed",
        ]);
        assert!(error.cancelled().is_none(), "nobody cancelled it from outside");
    })

    fn panic_cancels_siblings_when_it_happens_and_is_the_answer(limit::<u32>(2), |group| {
        group.task().name("bad").spawn(|_| panic_any(42_u64)).expect("open");
        // Nobody waits for the group: the panic itself is what cancels.
        let cause = group.token().clone().wait();
        assert_eq!(cause.cause().expect("given").to_string(), "the group is done: bad (task 0) failed");
        let error = group.wait().expect_err("one panicked");
        assert_eq!((error.kind(), error.index(), error.name()), (GroupErrorKind::Panicked, Some(0), Some("bad")));
        let panic = error.cause().and_then(|cause| cause.panic()).expect("a panic");
        assert_eq!(panic.name(), "bad");
        assert!(panic.location().is_some());
    })

    fn panic_is_resumed_if_chosen_with_its_payload_and_later_with_its_text(
        limit::<u32>(2).done(Done::all_finished()).resume_panics(), |group| {
        group.task().name("bad").spawn(|_| panic_any(42_u64)).expect("open");
        group.token().clone().wait();
        assert!(group.spawn(|| Ok(1)).expect_err("over").is_cancelled());
        let payload = catch_unwind(AssertUnwindSafe(|| group.wait())).expect_err("it is resumed");
        assert_eq!(payload.downcast_ref::<u64>(), Some(&42));
        let payload = catch_unwind(AssertUnwindSafe(|| group.wait())).expect_err("it panics again");
        let text = payload.downcast_ref::<String>().expect("a text");
        assert!(text.starts_with("bad panicked at "), "{text}");
    })

    fn all_tasks_may_panic(limit::<u32>(2).done(Done::all_finished()), |group| {
        for index in 0..20 {
            group.spawn(move || panic!("stone {index}")).expect("open");
        }
        let error = group.wait().expect_err("all panicked");
        assert_eq!((error.kind(), error.failures().len()), (GroupErrorKind::Panicked, 20));
        let report = group.into_report();
        assert_eq!((report.spawned(), report.panicked(), report.failed()), (20, 20, 0));
    })

    fn collect_all_runs_everything_and_has_every_error(limit(2).done(Done::all_finished()), |group| {
        for index in 0..30_u32 {
            group.spawn(move || if index % 3 == 0 { Err(format!("{index}")) } else { Ok(index) }).expect("open");
        }
        let error = group.wait().expect_err("some failed");
        let mut failed: Vec<u64> = error.failures().iter().map(gristmill::TaskFailure::index).collect();
        assert_eq!(error.index(), Some(failed[0]), "the first that happened");
        failed.sort_unstable();
        assert!(failed.into_iter().eq((0..30).step_by(3)));
        assert!(error.reactions().is_empty() && !group.token().is_cancelled());
        let report = group.into_report();
        assert_eq!(report.to_string(), "30 tasks: 20 succeeded, 10 failed, 0 panicked, 0 cancelled");
        assert!(report.indices().iter().copied().eq((0..30).filter(|index| index % 3 > 0)));
        assert!(report.values().iter().map(|value| u64::from(*value)).eq(report.indices().iter().copied()));
    })

    fn any_success_ends_the_group(limit::<u32>(3).done(Done::any_succeeded()), |group| {
        group.spawn(|| Err("broken mirror".to_owned())).expect("open");
        while group.pending() > 0 { thread::yield_now() }
        let (gate, pass) = Gate::new();
        group.task().spawn(|context| { pass(); context.token().wait(); Err("loser".to_owned()) }).expect("open");
        gate.wait();
        gate.open();
        group.spawn(|| Ok(7)).expect("open");
        assert!(group.wait().is_ok());
        assert!(group.token().is_cancelled());
        let report = group.into_report();
        assert_eq!((report.decided_by(), report.values()), (Some(2), &[7][..]));
        assert_eq!(report.failures().len() + report.reactions().len(), 2, "kept, although the group succeeded");
        assert!(report.reactions().iter().any(|failure| failure.index() == 1));
        assert!(report.result().is_ok());
    })

    fn success_after_a_cancellation_is_a_success(limit::<u32>(2).done(Done::any_succeeded()), |group| {
        let (gate, pass) = Gate::new();
        group.spawn(move || { pass(); Ok(7) }).expect("open");
        gate.wait();
        let (second, pass) = Gate::new();
        group.spawn(move || { pass(); Err("cancelled".to_owned()) }).expect("open");
        second.wait();
        group.cancel();
        second.open();
        while group.pending() > 1 { thread::yield_now() }
        gate.open();
        assert!(group.wait().is_ok());
        let report = group.into_report();
        assert_eq!((report.decided_by(), report.values(), report.reactions().len()), (Some(0), &[7][..], 1));
    })

    fn any_success_of_none_is_every_failure(limit::<u32>(1).done(Done::any_succeeded()), |group| {
        for index in 0..3 {
            group.spawn(move || Err(format!("{index}"))).expect("open");
        }
        let error = group.wait().expect_err("none succeeded");
        let all: Vec<_> = error.failures().iter().filter_map(|failure| failure.error().cloned()).collect();
        assert_eq!((all.join(" "), error.index()), ("0 1 2".to_owned(), Some(0)));
        assert_eq!(error.to_string(), "task 0 failed: 0 (and 2 more failed)");
    })

    fn any_success_of_an_empty_group_is_none(limit::<u32>(1).done(Done::any_succeeded()), |group| {
        assert_eq!(group.wait().expect_err("none").kind(), GroupErrorKind::NothingSucceeded);
    })

    fn rule_of_the_user_decides_until_when(
        limit(1).done(Done::by(|end| match end.result() {
            Ok(20) => Verdict::Succeed,
            Err(FailureKind::Failed(_)) if end.name() == Some("vital") => Verdict::Fail,
            _ => Verdict::GoOn,
        })), |group| {
        for value in [10, 20, 30] {
            let refused = group.spawn(move || if value == 10 { Err("10".to_owned()) } else { Ok(value) });
            assert!(refused.is_ok() || group.token().is_cancelled());
        }
        assert!(group.wait().is_ok(), "the failure of 10 does not count");
        let report = group.into_report();
        assert_eq!((report.decided_by(), report.failures().len(), report.values().len()), (Some(1), 1, 1));
    })

    fn rule_that_fails_the_group_names_the_task(
        limit::<u32>(1).done(Done::by(|end| match end.name() {
            Some("vital") => Verdict::Fail,
            _ => Verdict::GoOn,
        })), |group| {
        group.spawn(|| Err("not vital".to_owned())).expect("open");
        group.task().name("vital").spawn(|_| Err("vital".to_owned())).expect("open");
        let error = group.wait().expect_err("it failed");
        assert_eq!((error.name(), error.index(), error.failures().len()), (Some("vital"), Some(1), 2));
    })

    fn rule_that_panics_fails_the_group(
        limit::<u32>(1).done(Done::by(|_| panic!("no rule"))), |group| {
        group.spawn(|| Ok(1)).expect("open");
        let error = group.wait().expect_err("it failed");
        assert_eq!(error.cause().and_then(|cause| cause.panic()).map(gristmill::Panic::message), Some("no rule"));
        assert_eq!(group.into_report().succeeded(), 0);
    })

    fn never_more_than_the_limit_run(limit(2), |group| {
        let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        for index in 0..200_u32 {
            let (running, most) = (Arc::clone(&running), Arc::clone(&most));
            group.spawn(move || {
                let now = running.fetch_add(1, SeqCst) + 1;
                most.fetch_max(now, SeqCst);
                assert!(now <= 2, "{now} run");
                thread::yield_now();
                running.fetch_sub(1, SeqCst);
                Ok(index)
            }).expect("open");
        }
        group.wait().expect("no more than two ran");
        assert!((1..=2).contains(&most.load(SeqCst)));
    })

    fn tasks_up_to_the_limit_run_together(limit::<u32>(3), |group| {
        // Each waits for all others to come: with fewer at a time they would wait for ever.
        let barrier = Arc::new(std::sync::Barrier::new(3));
        for _ in 0..9 {
            let barrier = Arc::clone(&barrier);
            group.spawn(move || { barrier.wait(); Ok(0) }).expect("open");
        }
        group.wait().expect("all meet");
    })

    fn try_spawn_refuses_when_limit_and_queue_are_full(limit(1).queue_bound(1), |group| {
        let (gate, pass) = Gate::new();
        group.spawn(move || { pass(); Ok(0) }).expect("room to run");
        gate.wait();
        group.try_spawn(|| Ok(1)).expect("room to wait");
        let refused = group.try_spawn(|| Ok(2)).expect_err("full");
        assert!(refused.is_full());
        let task = refused.into_task();
        let refused = group.spawn_timeout(task, Duration::from_millis(2)).expect_err("full all the time");
        assert!(refused.is_timed_out());
        assert_eq!(group.pending(), 2);
        gate.open();
        group.spawn(refused.into_task()).expect("there will be room");
        assert_eq!(group.into_results().expect("all succeed"), [0, 1, 2]);
    })

    fn spawn_without_queue_waits_for_a_place_to_run(limit(2).queue_bound(0), |group| {
        let (gates, passes): (Vec<_>, Vec<_>) = (0..2).map(|_| Gate::new()).unzip();
        for pass in passes {
            group.spawn(move || { pass(); Ok(0) }).expect("a place to run");
        }
        for gate in &gates {
            gate.wait();
        }
        assert!(group.try_spawn(|| Ok(1)).expect_err("both places are taken").is_full());
        let mut gates = gates.into_iter();
        gates.next().expect("two").open();
        group.spawn(|| Ok(1)).expect("one ends, whatever the other does");
        drop(gates);
        assert_eq!(group.into_results().expect("all succeed"), [0, 0, 1]);
    })

    fn spawn_that_waits_gives_up_when_the_group_is_cancelled(limit::<u32>(1).queue_bound(0), |group| {
        let (gate, pass) = Gate::new();
        group.spawn(move || { pass(); Ok(0) }).expect("open");
        gate.wait();
        let spawner = group.spawner().clone();
        thread::scope(|scope| {
            let token = group.token().clone();
            scope.spawn(move || token.cancel_with("enough"));
            let refused = spawner.spawn(|| Ok(5)).expect_err("cancelled while it waits, or before");
            let (task, refusal) = refused.into_parts();
            assert_eq!(task(), Ok(5), "unchanged");
            let GroupRefusal::Cancelled(cause) = refusal else { panic!("{refusal}") };
            assert_eq!(cause.cause().expect("given").to_string(), "enough");
        });
        gate.open();
        let error = group.wait().expect_err("a task was refused");
        assert_eq!(error.kind(), GroupErrorKind::Cancelled);
        assert_eq!(error.cancelled().and_then(|cause| cause.cause()).expect("given").to_string(), "enough");
    })

    fn cancel_keeps_queued_tasks_from_starting_and_drops_them(limit::<u32>(1), |group| {
        let (gate, pass) = Gate::new();
        let started = Arc::new(AtomicUsize::new(0));
        group.spawn(move || { pass(); Ok(0) }).expect("open");
        gate.wait();
        for _ in 0..50 {
            let started = Arc::clone(&started);
            group.spawn(move || { started.fetch_add(1, SeqCst); Ok(0) }).expect("room");
        }
        assert!(group.cancel() && !group.cancel());
        assert_eq!((group.pending(), Arc::strong_count(&started)), (1, 1), "dropped at once");
        assert!(group.try_wait().is_none(), "one still runs");
        gate.open();
        let error = group.wait().expect_err("tasks never started");
        assert_eq!((error.kind(), error.cause().is_none()), (GroupErrorKind::Cancelled, true));
        let report = group.into_report();
        assert_eq!((report.spawned(), report.succeeded(), report.cancelled()), (51, 1, 50));
        assert_eq!(started.load(SeqCst), 0);
    })

    fn cancelled_group_that_did_all_it_was_given_has_succeeded(limit(1), |group| {
        group.spawn(|| Ok(1)).expect("open");
        while group.pending() > 0 { thread::yield_now() }
        group.cancel();
        assert!(group.wait().is_ok());
    })

    fn token_cancelled_before_refuses_all(
        limit::<u32>(1).token(&{ let token = CancellationToken::new(); token.cancel(); token }), |group| {
        assert!(group.spawn(|| Ok(1)).expect_err("cancelled").is_cancelled());
        assert_eq!(group.wait().expect_err("it did not do it").kind(), GroupErrorKind::Cancelled);
    })

    fn deadline_of_the_token_ends_the_group(
        limit::<u32>(2).token(&CancellationToken::with_timeout(Duration::from_millis(5))), |group| {
        let spawned = group.task().spawn(|context| {
            context.token().wait();
            Err("in time, no".to_owned())
        });
        let error = group.wait().expect_err("over time");
        assert_eq!(error.kind(), GroupErrorKind::Cancelled);
        assert_eq!(error.cancelled().map(gristmill::Cancelled::kind), Some(CancelKind::DeadlineExceeded));
        // On a busy machine the time may be over before the task is spawned, or before it starts.
        let refused = u64::from(spawned.is_err());
        let text = error.to_string();
        assert!(text.starts_with("the group was ended early: deadline set at "), "{text}");
        assert_eq!(error.reactions().len() as u64 + group.into_report().cancelled() + refused, 1);
    })

    fn waiting_twice_gives_the_same_answer_and_spawning_after_it_is_refused(limit::<u32>(1), |group| {
        group.spawn(|| Err("once".to_owned())).expect("open");
        let texts = [group.wait(), group.wait()].map(|answer| answer.expect_err("failed").to_string());
        assert_eq!(texts[0], texts[1]);
        assert_eq!(group.try_wait().expect("over").expect_err("failed").to_string(), texts[0]);
        assert_eq!(group.wait_timeout(Duration::ZERO).expect("over").expect_err("failed").to_string(), texts[0]);
        let refused = group.spawn(|| Ok(1)).expect_err("over");
        assert!(refused.is_cancelled() || refused.is_closed());
        assert_eq!(group.wait().expect_err("failed").to_string(), texts[0]);
    })

    fn spawning_after_a_wait_that_succeeded_is_refused_as_closed(limit(1), |group| {
        group.spawn(|| Ok(1)).expect("open");
        group.wait().expect("success");
        assert!(group.spawn(|| Ok(2)).expect_err("closed").is_closed());
        assert!(group.try_spawn(|| Ok(2)).expect_err("closed").is_closed());
        assert_eq!(group.into_results().expect("success"), [1]);
    })

    fn wait_that_ends_early_leaves_the_group_open(limit(1), |group| {
        let (gate, pass) = Gate::new();
        group.spawn(move || { pass(); Ok(1) }).expect("open");
        gate.wait();
        assert!(group.wait_timeout(Duration::from_millis(1)).is_none());
        let token = CancellationToken::new();
        token.cancel_with("lunch");
        let cause = group.wait_with(&token).expect_err("cancelled");
        assert_eq!(cause.cause().expect("given").to_string(), "lunch");
        group.spawn(|| Ok(2)).expect("still open");
        gate.open();
        group.wait_with(&CancellationToken::new()).expect("not cancelled").expect("success");
        assert_eq!(group.into_results().expect("success"), [1, 2]);
    })

    fn task_may_spawn_into_its_own_full_group(limit(1).queue_bound(0), |group| {
        group.task().spawn(|context| {
            let inner = context.group();
            assert!(inner.try_spawn(|| Ok(9)).expect_err("this task has the place").is_full());
            inner.spawn(|| Ok(1)).map_err(|refused| refused.to_string())?;
            inner.spawn_timeout(|| Ok(2), Duration::ZERO).map_err(|refused| refused.to_string())?;
            Ok(0)
        }).expect("open");
        assert_eq!(group.into_results().expect("all succeed"), [0, 1, 2]);
    })

    fn chain_of_tasks_that_spawn_their_successor_ends_before_the_stack(limit(1).queue_bound(0), |group| {
        fn next(context: &gristmill::GroupContext<'_, '_, u32, String>) -> Result<u32, String> {
            match context.group().task().spawn(next) {
                Ok(()) => Ok(1),
                Err(refused) if refused.is_full() => Ok(0),
                Err(refused) => Err(refused.to_string()),
            }
        }
        group.task().spawn(next).expect("open");
        let results = group.into_results().expect("all succeed");
        assert_eq!((results.len(), results.iter().sum::<u32>()), (65, 64));
    })

    fn tasks_spawned_while_somebody_waits_are_waited_for(limit(2), |group| {
        let (gate, pass) = Gate::new();
        group.task().spawn(move |context| {
            pass();
            for value in 0..100 {
                context.group().spawn(move || Ok(value)).map_err(|refused| refused.to_string())?;
            }
            Ok(1000)
        }).expect("open");
        gate.wait();
        let opener = gate::spawn(move || gate.open());
        let results = group.into_results().expect("all succeed");
        assert_eq!((results.len(), results[0]), (101, 1000));
        opener.join().expect("no panic");
    })

    fn nested_groups_cancel_downward_only(limit::<u32>(2), |group| {
        let (done, first_is_done) = mpsc::channel();
        group.task().spawn(move |context| {
            let inner = Group::<u32>::builder().limit(1).token(&context.token()).build().expect("a thread");
            inner.spawn(|| Err("inner".to_owned())).expect("open");
            let error = inner.wait().expect_err("it failed");
            assert_eq!(error.index(), Some(0));
            assert!(inner.token().is_cancelled() && !context.token().is_cancelled());
            done.send(()).expect("awaited");
            Ok(1)
        }).expect("open");
        let (gate, pass) = Gate::new();
        group.task().spawn(|context| {
            let inner = Group::<u32>::builder().limit(1).token(&context.token()).build().expect("a thread");
            inner.task().spawn(|context| { pass(); context.token().wait(); Err("told".to_owned()) }).expect("open");
            assert_eq!(inner.wait().expect_err("cancelled from above").kind(), GroupErrorKind::Cancelled);
            Ok(2)
        }).expect("open");
        gate.wait();
        gate.open();
        first_is_done.recv_timeout(LONG).expect("nothing cancels it");
        group.cancel();
        drop(group.wait());
        assert_eq!(group.into_report().values(), [1, 2]);
    })

    fn drop_without_wait_cancels_and_waits(limit::<u32>(2), |group| {
        let ended = Arc::new(AtomicBool::new(false));
        let (gate, pass) = Gate::new();
        let end = Arc::clone(&ended);
        group.task().spawn(move |context| {
            pass();
            let cause = context.token().wait();
            assert_eq!(cause.cause().expect("given").to_string(), "the group was dropped before anybody waited for it");
            end.store(true, SeqCst);
            Ok(0)
        }).expect("open");
        gate.wait();
        gate.open();
        let spawner = group.spawner().clone();
        drop(group);
        assert!(ended.load(SeqCst), "it was waited for");
        assert!(spawner.spawn(|| Ok(1)).is_err(), "a spawner outlives its group harmlessly");
    })

    fn drop_of_a_result_that_panics_harms_nobody(limit::<Bomb>(2), |group| {
        for _ in 0..3 {
            group.spawn(|| Ok(Bomb)).expect("open");
        }
        group.wait().expect("the tasks succeed");
        drop(group);
    })

    fn drop_of_errors_that_panic_harms_nobody(
        ErrorGroup::<u32, Bomb>::builder().limit(2).done(Done::all_finished()), |group| {
        for _ in 0..3 {
            group.spawn(|| Err(Bomb)).expect("open");
        }
        let error = group.wait().expect_err("all fail");
        assert_eq!(error.failures().len(), 3);
        drop(group);
        drop(error);
    })

    fn errors_can_be_taken_out_once_nobody_else_has_them(limit::<u32>(1).done(Done::all_finished()), |group| {
        for name in ["first", "second"] {
            group.task().name(name).spawn(move |_| Err(format!("{name} error"))).expect("open");
        }
        let shared = group.wait().expect_err("both fail").into_cause().expect_err("the group has it too");
        let clone = shared.clone();
        drop(group);
        let error = shared.into_failures().expect_err("the clone");
        drop(error);
        let failures = clone.into_failures().expect("nobody else has it");
        let errors: Vec<_> = failures.into_iter().filter_map(gristmill::TaskFailure::into_error).collect();
        assert_eq!(errors, ["first error", "second error"]);
    })

    fn refused_task_keeps_its_name(limit::<u32>(1), |group| {
        group.cancel();
        let refused = group.task().name("late").spawn(|_| Ok(1)).expect_err("cancelled");
        assert_eq!((refused.name(), refused.to_string()), (Some("late"), "late was not spawned: the group was cancelled".to_owned()));
        assert!(matches!(refused.into_refusal(), GroupRefusal::Cancelled(_)));
    })

    fn drop_of_a_task_that_panics_harms_nobody(limit::<u32>(1), |group| {
        let (gate, pass) = Gate::new();
        group.spawn(move || { pass(); Ok(0) }).expect("open");
        gate.wait();
        for _ in 0..3 {
            let bomb = Bomb;
            group.spawn(move || { let _bomb = &bomb; Ok(1) }).expect("room");
        }
        group.cancel();
        gate.open();
        assert_eq!(group.wait().expect_err("cancelled").kind(), GroupErrorKind::Cancelled);
        assert_eq!(group.into_report().cancelled(), 3);
    })

    fn every_task_ends_in_one_count_whoever_spawns_and_cancels(limit::<()>(3).queue_bound(2), |group| {
        let (accepted, ran) = (AtomicU64::new(0), Arc::new(AtomicU64::new(0)));
        let spawner = group.spawner().clone();
        thread::scope(|scope| {
            for _ in 0..3 {
                let (accepted, ran, spawner) = (&accepted, Arc::clone(&ran), spawner.clone());
                scope.spawn(move || {
                    for index in 0..200 {
                        let ran = Arc::clone(&ran);
                        let answer = spawner.spawn(move || {
                            ran.fetch_add(1, SeqCst);
                            if index == 150 { Err("150".to_owned()) } else { Ok(()) }
                        });
                        accepted.fetch_add(u64::from(answer.is_ok()), SeqCst);
                    }
                });
            }
        });
        assert_eq!(group.wait().expect_err("150 fails").kind(), GroupErrorKind::Failed);
        let report = group.into_report();
        assert_eq!(report.spawned(), accepted.load(SeqCst), "{report}");
        assert_eq!(report.succeeded() + report.failed(), ran.load(SeqCst), "{report}");
    })
}

struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(thread::panicking(), "a drop that panics");
    }
}

#[test]
fn limit_of_zero_is_refused() {
    let pool = ThreadPool::builder().workers(1).build().expect("a worker");
    assert!(matches!(limit::<u32>(0).build(), Err(GroupBuildError::Limit)));
    assert!(matches!(limit::<u32>(0).scope(|_| ()), Err(GroupBuildError::Limit)));
    assert!(matches!(limit::<u32>(0).on(&pool), Err(GroupBuildError::Limit)));
}

#[test]
fn limit_without_end_is_the_pools_and_refused_for_threads() {
    let pool = ThreadPool::builder().workers(2).build().expect("two workers");
    let group = limit::<u32>(usize::MAX).queue_bound(usize::MAX).on(&pool).expect("the pool bounds it");
    for index in 0..100 {
        group.spawn(move || Ok(index)).expect("open");
    }
    assert_eq!(group.into_results().expect("all succeed").len(), 100);
    let error = limit::<u32>(usize::MAX).build().expect_err("more than there may be");
    assert!(matches!(error, GroupBuildError::Threads(_)), "{error}");
}

#[test]
fn many_tasks_that_return_nothing_take_no_memory() {
    let group = ErrorGroup::<(), Infallible>::builder().limit(2).queue_bound(1024).build().expect("threads");
    let spawn = |count| (0..count).for_each(|_| group.spawn(|| Ok(())).expect("open"));
    spawn(1_000);
    let measured = allocation_counter::measure(|| spawn(100_000));
    // Half of what a list of indices would take. What other threads give back does not count, so this is more than is in use.
    assert!(measured.bytes_max < 400_000, "{} bytes", measured.bytes_max);
    assert_eq!(group.into_report().values().len(), 101_000);
}

#[test]
fn threads_are_joined_when_wait_returns() {
    let group = Group::<u32>::builder().limit(3).name("mill").build().expect("threads");
    let alive = Arc::new(());
    let (sender, names) = mpsc::channel();
    for _ in 0..3 {
        let (alive, sender) = (Arc::clone(&alive), sender.clone());
        group
            .spawn(move || {
                LOCAL.set(Some(alive));
                sender.send(thread::current().name().map(str::to_owned)).expect("awaited");
                Ok(0)
            })
            .expect("open");
    }
    group.wait().expect("success");
    assert_eq!(Arc::strong_count(&alive), 1, "thread locals are gone with their threads");
    assert!(names.try_iter().all(|name| name.is_some_and(|name| name.starts_with("mill-"))));
}

std::thread_local! {
    static LOCAL: std::cell::Cell<Option<Arc<()>>> = const { std::cell::Cell::new(None) };
}

#[test]
fn waiting_from_an_own_task_is_refused() {
    let pool = ThreadPool::builder().workers(1).build().expect("a worker");
    for group in [limit(1).build().expect("a thread"), limit(1).on(&pool).expect("a limit")] {
        let group = Arc::new(group);
        let inner = Arc::clone(&group);
        group
            .spawn(move || {
                let error = inner.wait().expect_err("refused");
                assert_eq!(error.kind(), GroupErrorKind::OwnTask);
                assert!(inner.try_wait().expect("refused").is_err());
                drop(inner);
                Ok(1)
            })
            .expect("open");
        group.wait().expect("the refusal is no answer of the group");
    }
}

#[test]
fn group_dropped_by_its_own_task_is_cancelled() {
    let group = Arc::new(limit::<u32>(1).build().expect("a thread"));
    let (sender, receiver) = mpsc::channel();
    let inner = Arc::clone(&group);
    let (gate, pass) = Gate::new();
    group
        .task()
        .spawn(move |context| {
            pass();
            drop(inner);
            sender.send(context.token().is_cancelled()).expect("awaited");
            Ok(1)
        })
        .expect("open");
    gate.wait();
    drop(group);
    gate.open();
    assert_eq!(receiver.recv_timeout(LONG), Ok(true));
}

#[test]
fn task_of_the_pool_may_spawn_and_wait_for_a_group_on_its_only_worker() {
    let pool = ThreadPool::builder().workers(1).queue_bound(1).build().expect("a worker");
    let submitter = pool.submitter().clone();
    let outer = pool.submit(move || {
        let group = limit(1).queue_bound(1).on(&submitter).expect("a limit");
        for index in 0..20 {
            group.spawn(move || Ok(index)).expect("open");
        }
        group.into_results().expect("all succeed").len()
    });
    assert_eq!(gate::ended(outer.expect("open")).expect("no panic"), 20);
}

#[test]
fn groups_in_groups_on_one_worker_do_not_deadlock() {
    fn descend(pool: &gristmill::Submitter<'static>, depth: u32) -> Result<u32, String> {
        if depth == 0 {
            return Ok(1);
        }
        let group = limit(2).queue_bound(1).on(pool).map_err(|error| error.to_string())?;
        for _ in 0..3 {
            let below = pool.clone();
            group.spawn(move || descend(&below, depth - 1)).map_err(|refused| refused.to_string())?;
        }
        Ok(group.into_results().map_err(|error| error.to_string())?.iter().sum())
    }
    let pool = ThreadPool::builder().workers(1).queue_bound(1).build().expect("a worker");
    assert_eq!(descend(&pool, 4), Ok(81));
}

#[test]
fn full_group_leaves_the_pools_other_workers_free() {
    let pool = ThreadPool::builder().workers(2).build().expect("two workers");
    let group = limit(1).on(&pool).expect("a limit");
    let (gate, pass) = Gate::new();
    group
        .spawn(move || {
            pass();
            Ok(0)
        })
        .expect("open");
    gate.wait();
    for index in 1..100 {
        group.spawn(move || Ok(index)).expect("room");
    }
    assert_eq!(gate::ended(pool.submit(|| 7).expect("open")).expect("no panic"), 7);
    gate.open();
    assert_eq!(group.into_results().expect("all succeed").len(), 100);
}

#[test]
fn long_group_lets_others_in_the_pools_queue_pass() {
    let pool = ThreadPool::builder().workers(1).build().expect("a worker");
    let (log, group) = (Log::new(), limit(1).on(&pool).expect("a limit"));
    let (gate, running) = occupy(&pool);
    for index in 0..200 {
        let log = log.clone();
        group
            .spawn(move || {
                log.add(index);
                Ok(index)
            })
            .expect("room");
    }
    let other = {
        let log = log.clone();
        pool.submit(move || log.add(1000)).expect("open")
    };
    gate.open();
    gate::ended(running).expect("no panic");
    gate::ended(other).expect("no panic");
    assert!(log.all().iter().position(|entry| *entry == 1000).expect("it ran") < 100);
    assert_eq!(group.into_results().expect("all succeed").len(), 200);
}

#[test]
fn pool_that_aborts_cancels_the_group_and_hangs_nobody() {
    let pool = ThreadPool::builder().workers(1).build().expect("a worker");
    let group = limit::<u32>(2).on(&pool).expect("a limit");
    let (gate, pass) = Gate::new();
    group
        .task()
        .spawn(|context| {
            pass();
            context.token().wait();
            Err("told".to_owned())
        })
        .expect("open");
    gate.wait();
    for _ in 0..5 {
        group.spawn(|| Ok(1)).expect("room");
    }
    gate.open();
    let report = pool.shutdown(Shutdown::Abort);
    assert!(report.is_complete());
    let error = group.wait().expect_err("it was not done");
    assert_eq!((error.kind(), error.reactions().len()), (GroupErrorKind::Cancelled, 1));
    assert!(group.spawn(|| Ok(1)).is_err());
    let ends = group.into_report();
    assert_eq!((ends.spawned(), ends.cancelled(), ends.failed()), (6, 5, 1));
}

#[test]
fn pool_that_drains_runs_what_the_group_has_taken() {
    let pool = ThreadPool::builder().workers(1).build().expect("a worker");
    let group = limit(1).on(&pool).expect("a limit");
    for index in 0..200 {
        group.spawn(move || Ok(index)).expect("room");
    }
    assert!(pool.shutdown(Shutdown::Drain).is_complete());
    assert!(group.spawn(|| Ok(1)).expect_err("closed").is_pool_closed());
    let error = group.wait().expect_err("one was refused");
    assert_eq!((error.kind(), error.failures().len()), (GroupErrorKind::Cancelled, 0));
    let text = error.cancelled().and_then(|cause| cause.cause()).expect("given").to_string();
    assert_eq!(text, "the group's pool was closed before all tasks had started");
    assert_eq!(group.into_report().values().len(), 200);
}

#[test]
fn purge_of_the_pool_hangs_nobody() {
    let pool = ThreadPool::builder().workers(1).build().expect("a worker");
    let (gate, running) = occupy(&pool);
    let group = limit(1).on(&pool).expect("a limit");
    group.spawn(|| Ok(1)).expect("room");
    let purged = pool.purge();
    assert_eq!(purged.len(), 1, "the runner");
    drop(purged);
    gate.open();
    gate::ended(running).expect("no panic");
    assert_eq!(group.into_results().expect("it is hired anew"), [1]);
}

#[test]
fn runner_that_was_purged_and_is_kept_holds_its_place_until_it_is_dropped() {
    let pool = ThreadPool::builder().workers(1).build().expect("a worker");
    let (gate, running) = occupy(&pool);
    let group = limit(1).on(&pool).expect("a limit");
    group.spawn(|| Ok(1)).expect("room");
    let kept = pool.purge();
    gate.open();
    gate::ended(running).expect("no panic");
    assert!(group.wait_timeout(Duration::from_millis(2)).is_none());
    drop(kept);
    assert!(group.wait_timeout(LONG).expect("another is hired").is_ok());
    assert_eq!(group.into_results().expect("success"), [1]);
}

#[test]
fn runner_that_a_closed_pool_gives_up_ends_the_group() {
    let pool = ThreadPool::builder().workers(1).build().expect("a worker");
    let (gate, running) = occupy(&pool);
    let group = limit::<u32>(1).on(&pool).expect("a limit");
    group.spawn(|| Ok(1)).expect("room");
    pool.close(); // its token is not cancelled, and what is queued would still run
    drop(pool.purge());
    gate.open();
    gate::ended(running).expect("no panic");
    let error = group.wait().expect_err("no other runner is to be had");
    assert_eq!(error.kind(), GroupErrorKind::Cancelled);
    let text = error.cancelled().and_then(|cause| cause.cause()).expect("given").to_string();
    assert_eq!(text, "the group's pool was closed before all tasks had started");
    let ends = group.into_report();
    assert_eq!((ends.spawned(), ends.cancelled(), ends.succeeded()), (1, 1, 0));
}

#[test]
fn task_that_owns_the_group_may_be_dropped_by_its_purge() {
    let pool = ThreadPool::builder().workers(1).build().expect("a worker");
    let group = Arc::new(limit::<u32>(1).on(&pool).expect("a limit"));
    let (gate, pass) = Gate::new();
    let first = move || {
        pass();
        Ok(1)
    };
    group.spawn(first).expect("open");
    gate.wait();
    let (spawner, owner) = (group.spawner().clone(), Arc::clone(&group));
    let task = move || {
        drop(owner);
        Ok(2)
    };
    group.spawn(task).expect("room");
    drop(group);
    let (sender, receiver) = mpsc::channel();
    let canceller = gate::spawn(move || {
        spawner.cancel(); // drops the task, and with it the group
        sender.send(()).expect("awaited");
    });
    assert_eq!(receiver.recv_timeout(LONG), Ok(()));
    gate.open();
    canceller.join().expect("no panic");
}

#[test]
fn place_that_is_freed_while_the_only_runner_is_busy_again_is_used() {
    let group = limit::<u32>(1).queue_bound(4).build().expect("a limit");
    let gates: Vec<_> = (0..5).map(|_| Gate::new()).collect();
    let (mut opens, mut passes): (Vec<_>, Vec<_>) = gates.into_iter().unzip();
    for pass in passes.drain(..) {
        let held = move || {
            pass();
            Ok(0)
        };
        group.spawn(held).expect("room for five");
    }
    opens[0].wait();
    assert!(group.try_spawn(|| Ok(1)).is_err(), "it is full");
    let first = opens.remove(0);
    let spawner = group.spawner().clone();
    let blocked = gate::spawn(move || spawner.spawn_timeout(|| Ok(2), LONG).is_ok());
    first.open();
    // The queue is far from half empty, and stays so.
    assert!(blocked.join().expect("no panic"), "there was room for one");
    opens.into_iter().for_each(Gate::open);
    assert_eq!(group.into_results().expect("all succeed"), [0, 0, 0, 0, 0, 2]);
}

/// Asks the group how it is doing when it is dropped.
struct Asks<'a>(gristmill::Spawner<'a, u32, String>, mpsc::Sender<gristmill::GroupSnapshot>);

impl Drop for Asks<'_> {
    fn drop(&mut self) {
        let _ = self.1.send(self.0.snapshot());
    }
}

#[test]
fn tasks_that_are_given_up_wait_until_they_are_dropped_and_never_seem_to_run() {
    let group = limit::<u32>(1).build().expect("a limit");
    let (gate, pass) = Gate::new();
    let first = move || {
        pass();
        Ok(0)
    };
    group.spawn(first).expect("open");
    gate.wait();
    let (sender, receiver) = mpsc::channel();
    for number in 1..=20 {
        let asks = Asks(group.spawner().clone(), sender.clone());
        let task = move || {
            drop(asks);
            Ok(number)
        };
        group.spawn(task).expect("room");
    }
    drop(sender);
    group.cancel();
    for now in receiver {
        assert_eq!((now.spawned(), now.waiting(), now.running(), now.cancelled()), (21, 20, 1, 0), "{now}");
    }
    let now = group.snapshot();
    assert_eq!((now.spawned(), now.waiting(), now.running(), now.cancelled()), (21, 0, 1, 20), "{now}");
    gate.open();
}

#[test]
fn tasks_of_a_group_get_in_though_the_pools_queue_is_full_whatever_its_saturation() {
    for saturation in [Saturation::Block, Saturation::Reject, Saturation::CallerRuns] {
        let settings = ThreadPool::builder().workers(1).queue_bound(1).saturation(saturation);
        let pool = settings.build().expect("a worker");
        let (gate, running) = occupy(&pool);
        let filler = pool.submit(|| ()).expect("one place");
        let group = limit(1).queue_bound(1).on(&pool).expect("a limit");
        let here = thread::current().id();
        let elsewhere = move || Ok(u32::from(thread::current().id() != here));
        group.try_spawn(elsewhere).expect("a place to run");
        group.spawn_timeout(elsewhere, Duration::ZERO).expect("a place to wait");
        assert!(group.try_spawn(elsewhere).expect_err("limit and queue are full").is_full());
        assert!(pool.try_submit(|| ()).is_err(), "for others the pool is full all the same");
        gate.open();
        assert_eq!(group.into_results().expect("a worker ran them"), [1, 1]);
        gate::ended(running).expect("no panic");
        gate::ended(filler).expect("no panic");
    }
}

#[test]
fn cancelled_runner_in_the_pools_queue_leaves_no_task_behind() {
    let pool = ThreadPool::builder().workers(1).build().expect("a worker");
    let (gate, running) = occupy(&pool);
    let above = CancellationToken::new();
    let group = limit::<u32>(1).token(&above).on(&pool).expect("a limit");
    let (sender, receiver) = mpsc::channel::<()>();
    group
        .spawn(move || {
            drop(sender);
            Ok(1)
        })
        .expect("room");
    above.cancel();
    gate.open();
    gate::ended(running).expect("no panic");
    // Nobody waits for the group, and the task is dropped all the same.
    assert_eq!(receiver.recv_timeout(LONG), Err(mpsc::RecvTimeoutError::Disconnected));
    assert_eq!(group.wait().expect_err("it never ran").kind(), GroupErrorKind::Cancelled);
}

#[test]
fn purged_runner_is_hired_anew_though_nobody_waits() {
    let pool = ThreadPool::builder().workers(1).build().expect("a worker");
    let (gate, running) = occupy(&pool);
    let group = limit(1).on(&pool).expect("a limit");
    let (sender, receiver) = mpsc::channel();
    group.spawn(move || sender.send(7).map_err(|_| "nobody listens".to_owned())).expect("room");
    drop(pool.purge());
    gate.open();
    gate::ended(running).expect("no panic");
    assert_eq!(receiver.recv_timeout(LONG), Ok(7));
}

#[test]
fn helper_leaves_a_runner_behind() {
    let pool = ThreadPool::builder().workers(1).queue_bound(1).build().expect("a worker");
    let submitter = pool.submitter().clone();
    let (sender, receiver) = mpsc::channel();
    let outer = pool.submit(move || {
        let filler = submitter.submit(|| ()).expect("one place");
        let group = limit(1).on(&submitter).expect("a limit");
        let token = CancellationToken::new();
        let stop = token.clone();
        let first = move || {
            stop.cancel();
            Ok(())
        };
        group.spawn(first).expect("room");
        for number in 0..3 {
            let sender = sender.clone();
            group.spawn(move || sender.send(number).map_err(|_| "nobody listens".to_owned())).expect("room");
        }
        drop(sender);
        group.wait_with(&token).expect_err("the first task ends the wait");
        drop(filler);
        group
    });
    let group = gate::ended(outer.expect("open")).expect("no panic");
    for number in 0..3 {
        assert_eq!(receiver.recv_timeout(LONG), Ok(number), "nobody waits for the group");
    }
    group.wait().expect("all succeed");
}

#[test]
fn helper_sees_the_end_of_its_wait_between_two_tasks() {
    let pool = ThreadPool::builder().workers(1).build().expect("a worker");
    let submitter = pool.submitter().clone();
    let outer = pool.submit(move || {
        let group = limit(1).on(&submitter).expect("a limit");
        let (token, ran) = (CancellationToken::new(), Arc::new(AtomicU32::new(0)));
        for _ in 0..3 {
            let (token, ran) = (token.clone(), Arc::clone(&ran));
            let task = move || {
                token.cancel();
                Ok(ran.fetch_add(1, SeqCst))
            };
            group.spawn(task).expect("room");
        }
        group.wait_with(&token).expect_err("the first task cancels the wait");
        let then = ran.load(SeqCst);
        (then, group.into_results().expect("all succeed"))
    });
    assert_eq!(gate::ended(outer.expect("open")).expect("no panic"), (1, vec![0, 1, 2]));
}

#[test]
fn group_that_leaves_its_scope_or_is_forgotten_is_cancelled() {
    let (gate, pass) = Gate::new();
    let group = limit::<u32>(1).scope(|group| {
        let task = group.task().spawn(|context| {
            pass();
            Err(context.token().wait().cause().expect("given").to_string())
        });
        task.expect("open");
        gate.wait();
        gate.open();
        group
    });
    let group = group.expect("a thread");
    assert!(group.spawn(|| Ok(2)).expect_err("over").is_cancelled());
    let error = group.wait().expect_err("it was cut short");
    let text = "the scope of the group ended before anybody waited for it";
    assert_eq!(error.to_string(), format!("the group was ended early: {text}"));
    assert_eq!(error.reactions()[0].error().map(String::as_str), Some(text));
    let forgotten = limit::<u32>(1).scope(|group| {
        group.task().spawn(|context| Err(context.token().wait().to_string())).expect("open");
        std::mem::forget(group);
    });
    assert!(forgotten.is_ok(), "and its thread is joined");
    let answered = limit(1).scope(|group| {
        group.spawn(|| Ok(1)).expect("open");
        group.wait().expect("success");
        group
    });
    assert_eq!(answered.expect("a thread").into_results().expect("it has its answer"), [1]);
}

#[test]
fn into_results_of_an_own_task_is_refused_and_cancels() {
    let group = Arc::new(Mutex::new(None));
    let inner = Arc::clone(&group);
    let (sender, receiver) = mpsc::channel();
    let (gate, pass) = Gate::new();
    let own = limit::<u32>(1).build().expect("a thread");
    own.task()
        .spawn(move |context| {
            pass();
            let group: Group<'static> = inner.lock().expect("not poisoned").take().expect("it is there");
            let error = group.into_results().expect_err("it would wait for itself");
            sender.send((error.kind(), context.token().is_cancelled())).expect("awaited");
            Ok(1)
        })
        .expect("open");
    gate.wait();
    *group.lock().expect("not poisoned") = Some(own);
    gate.open();
    assert_eq!(receiver.recv_timeout(LONG), Ok((GroupErrorKind::OwnTask, true)));
}

#[test]
fn borrowed_data_is_borrowed() {
    let (words, found) = (vec!["grist".to_owned(), "mill".to_owned()], Mutex::new(Vec::new()));
    ErrorGroup::<(), Infallible>::builder()
        .limit(2)
        .scope(|group| {
            for word in &words {
                group
                    .spawn(|| {
                        found.lock().expect("not poisoned").push(word.as_str());
                        Ok(())
                    })
                    .expect("open");
            }
            group.wait().expect("success");
        })
        .expect("threads");
    let mut found = found.into_inner().expect("not poisoned");
    found.sort_unstable();
    assert_eq!(found, ["grist", "mill"]);
}

#[test]
fn scope_whose_body_panics_cancels_and_waits() {
    let ended = AtomicBool::new(false);
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        limit::<u32>(1).scope(|group| {
            let (gate, pass) = Gate::new();
            let ended = &ended;
            group
                .task()
                .spawn(move |context| {
                    pass();
                    context.token().wait();
                    ended.store(true, SeqCst);
                    Ok(0)
                })
                .expect("open");
            gate.wait();
            gate.open();
            panic!("the body");
        })
    }));
    assert!(outcome.is_err() && ended.load(SeqCst));
}

/// A runner lingers while tasks are short. Nobody is hired for what comes meanwhile, until it is back; then all that may run do.
#[test]
fn tasks_that_come_while_a_runner_lingers_run_together() {
    for _ in 0..50 {
        let group = ErrorGroup::<(), String>::builder().limit(3).build().expect("good settings");
        for _ in 0..300 {
            group.spawn(|| Ok(())).expect("open");
        }
        while group.pending() > 0 {
            std::hint::spin_loop();
        }
        let meet = std::sync::Arc::new(std::sync::Barrier::new(3));
        for _ in 0..3 {
            let meet = std::sync::Arc::clone(&meet);
            group
                .spawn(move || {
                    meet.wait();
                    Ok(())
                })
                .expect("open");
        }
        group.wait().expect("all succeed");
    }
}

#[test]
fn purged_runner_is_hired_anew_though_another_runs() {
    let pool = ThreadPool::builder().workers(2).build().expect("two workers");
    let group = limit(2).on(&pool).expect("a limit");
    let (sender, receiver) = mpsc::channel();
    let (gate, pass) = Gate::new();
    let first = move || {
        pass();
        receiver.recv().map_err(|_| "the second never ran".to_owned())
    };
    group.spawn(first).expect("room");
    gate.wait();
    let (other, running) = occupy(&pool);
    group.spawn(move || sender.send(7).map(|()| 8).map_err(|_| "nobody listens".to_owned())).expect("room");
    let purged = pool.purge();
    assert_eq!(purged.len(), 1, "the second runner");
    drop(purged);
    gate.open();
    other.open();
    gate::ended(running).expect("no panic");
    assert!(group.wait_timeout(LONG).expect("another is hired").is_ok());
    assert_eq!(group.into_results().expect("success"), [7, 8]);
}
