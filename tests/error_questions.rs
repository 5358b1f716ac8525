//! Errors that can be asked what they are: each says yes to its own question and to no other.
#![cfg(not(any(gristmill_shuttle, gristmill_loom)))]
// The pools have real threads.
#![allow(clippy::disallowed_methods)]

use std::time::{Duration, Instant};

use gristmill::fan::LaneRule;
use gristmill::{
    AcquireError, CancellationToken, Cancelled, ErrorGroup, Pipeline, PipelineErrorKind, PolicyError,
    RateLimited, ReceiveError, Router, Saturation, Shutdown, TakeError, TaskError, ThreadPool,
};

#[path = "support/gate.rs"]
mod gate;
use gate::{Gate, occupy};

/// The questions that an error says yes to.
macro_rules! said_yes {
    ($error:expr, $($question:ident),+) => {{
        let error = &$error;
        let answers = [$((stringify!($question), error.$question())),+];
        answers.into_iter().filter(|(_, answer)| *answer).map(|(question, _)| question).collect::<Vec<_>>()
    }};
}

fn cancelled() -> Cancelled {
    let token = CancellationToken::new();
    token.cancel();
    token.cause().expect("it was cancelled")
}

#[test]
fn refused_permits_say_one_thing() {
    for (error, own) in [
        (AcquireError::NotNow, "is_not_now"),
        (AcquireError::TimedOut, "is_timed_out"),
        (AcquireError::Cancelled(cancelled()), "is_cancelled"),
        (AcquireError::ExceedsCapacity { permits: 2, capacity: 1 }, "is_exceeds_capacity"),
        (AcquireError::Closed, "is_closed"),
    ] {
        let yes = said_yes!(error, is_not_now, is_timed_out, is_cancelled, is_exceeds_capacity, is_closed);
        assert_eq!(yes, [own], "{error}");
    }
}

#[test]
fn object_that_was_not_had_says_one_thing_or_why_none_could_be_made() {
    for (error, own) in [
        (TakeError::NotNow, Some("is_not_now")),
        (TakeError::TimedOut, Some("is_timed_out")),
        (TakeError::Cancelled(cancelled()), Some("is_cancelled")),
        (TakeError::Closed, Some("is_closed")),
        (TakeError::Create("no disk"), None),
    ] {
        let yes = said_yes!(error, is_not_now, is_timed_out, is_cancelled, is_closed);
        assert_eq!(yes, Vec::from_iter(own), "{error}");
        assert_eq!(error.create().is_some(), own.is_none());
    }
}

#[test]
fn refused_start_says_one_thing_and_when_to_come_again() {
    let (not_before, wait) = (Instant::now(), Duration::from_secs(1));
    for (error, own, says_when) in [
        (RateLimited::NotYet { not_before, wait }, "is_not_yet", true),
        (RateLimited::TooManyKeys { most_keys: 1, not_before, wait }, "is_too_many_keys", true),
        (RateLimited::TimedOut { not_before, wait }, "is_timed_out", true),
        (RateLimited::Cancelled(cancelled()), "is_cancelled", false),
        (RateLimited::ExceedsBurst { permits: 2, burst: 1 }, "is_exceeds_burst", false),
    ] {
        let yes =
            said_yes!(error, is_not_yet, is_too_many_keys, is_timed_out, is_cancelled, is_exceeds_burst);
        assert_eq!((yes, error.not_before()), (vec![own], says_when.then_some(not_before)), "{error}");
    }
}

#[test]
fn policy_that_gave_an_error_says_whether_time_or_a_token_ended_it() {
    let overdue = || {
        let token = CancellationToken::with_timeout(Duration::ZERO);
        token.cause().expect("its time is over")
    };
    let time_limit =
        PolicyError::TimedOut { limit: Duration::ZERO, error: Box::new(PolicyError::Work("slow")) };
    let late = RateLimited::TimedOut { not_before: Instant::now(), wait: Duration::ZERO };
    for (error, own) in [
        (PolicyError::Work("failed"), &[][..]),
        (PolicyError::Terminal("failed for good"), &[]),
        (PolicyError::Rate(RateLimited::ExceedsBurst { permits: 2, burst: 1 }), &[]),
        (PolicyError::Permits(AcquireError::Closed), &[]),
        (time_limit, &["is_timed_out"]),
        (PolicyError::Rate(late), &["is_timed_out"]),
        (PolicyError::Permits(AcquireError::TimedOut), &["is_timed_out"]),
        (PolicyError::Cancelled(cancelled()), &["is_cancelled"]),
        (PolicyError::Permits(AcquireError::Cancelled(cancelled())), &["is_cancelled"]),
        (PolicyError::Rate(RateLimited::Cancelled(cancelled())), &["is_cancelled"]),
        (PolicyError::Cancelled(overdue()), &["is_timed_out", "is_cancelled"]),
    ] {
        assert_eq!(said_yes!(error, is_timed_out, is_cancelled), own, "{error}");
    }
}

#[test]
fn item_that_was_not_received_says_one_thing_or_which_number_is_amiss() {
    for (error, own) in [
        (ReceiveError::Empty, Some("is_empty")),
        (ReceiveError::TimedOut, Some("is_timed_out")),
        (ReceiveError::Cancelled(cancelled()), Some("is_cancelled")),
        (ReceiveError::Ended, Some("is_ended")),
        (ReceiveError::Gap { missing: 1, found: 2 }, None),
        (ReceiveError::Late { number: 1 }, None),
    ] {
        assert_eq!(
            said_yes!(error, is_empty, is_timed_out, is_cancelled, is_ended),
            Vec::from_iter(own),
            "{error}"
        );
    }
}

#[test]
fn item_that_was_not_sent_says_one_thing() {
    let router = Router::round_robin(1).expect("a capacity").dead_lanes(LaneRule::Refuse);
    let no_lanes = router.send(0).unwrap_err();
    let lane = router.add_lane();
    router.send(0).expect("there is room");
    let token = CancellationToken::new();
    token.cancel();
    let full = router.try_send(1).unwrap_err();
    let timed_out = router.send_timeout(1, Duration::from_millis(1)).unwrap_err();
    let cancelled = router.send_with(1, &token).unwrap_err();
    drop(lane);
    let dead = router.send(1).unwrap_err();
    for (error, own) in [
        (no_lanes, Some("is_no_lanes")),
        (full, Some("is_full")),
        (timed_out, Some("is_timed_out")),
        (cancelled, Some("is_cancelled")),
        (dead, None),
    ] {
        let yes = said_yes!(error, is_full, is_timed_out, is_cancelled, is_no_lanes);
        assert_eq!(yes, Vec::from_iter(own), "{error}");
    }
}

#[test]
fn task_without_a_result_says_one_thing() {
    let pool = ThreadPool::builder().workers(1).queue_bound(4).build().expect("good settings");
    let panicked = pool.submit(|| panic!("no grain")).expect("open").wait().unwrap_err();
    for (error, own) in [
        (panicked, "is_panicked"),
        (TaskError::Cancelled { name: "late".into(), cause: cancelled() }, "is_cancelled"),
        (TaskError::Returned { name: "spare".into() }, "is_returned"),
    ] {
        assert_eq!(said_yes!(error, is_panicked, is_cancelled, is_returned), [own], "{error}");
    }
}

#[test]
fn refused_submission_says_one_thing() {
    let builder = ThreadPool::builder().workers(1).queue_bound(1).saturation(Saturation::Reject);
    let pool = builder.build().expect("good settings");
    let (gate, running) = occupy(&pool);
    let queued = pool.submit(|| 1).expect("there is one place");
    let token = CancellationToken::new();
    token.cancel();
    let full = pool.try_submit(|| 2).map(drop).unwrap_err();
    let timed_out = pool.submit_timeout(|| 2, Duration::from_millis(1)).map(drop).unwrap_err();
    assert_eq!(said_yes!(full, is_full, is_timed_out, is_closed, is_cancelled), ["is_full"]);
    assert_eq!(said_yes!(timed_out, is_full, is_timed_out, is_closed, is_cancelled), ["is_timed_out"]);
    let cancelled = pool.task().token(&token).try_submit(|_| 2).map(drop).unwrap_err();
    assert_eq!(said_yes!(cancelled, is_full, is_timed_out, is_closed, is_cancelled), ["is_cancelled"]);
    gate.open();
    drop((running, queued));
    let submitter = pool.submitter();
    drop(pool.shutdown(Shutdown::Drain));
    let closed = submitter.try_submit(|| 2).map(drop).unwrap_err();
    assert_eq!(said_yes!(closed, is_full, is_timed_out, is_closed, is_cancelled), ["is_closed"]);
}

#[test]
fn refused_task_of_a_group_says_one_thing() {
    macro_rules! yes {
        ($error:expr) => {
            said_yes!($error, is_full, is_timed_out, is_closed, is_cancelled, is_pool_closed)
        };
    }
    let pool = ThreadPool::builder().workers(1).build().expect("a worker");
    let group = ErrorGroup::<u32, String>::builder().limit(1).queue_bound(0).on(&pool).expect("a limit");
    let (gate, pass) = Gate::new();
    group
        .spawn(move || {
            pass();
            Ok(0)
        })
        .expect("a place to run");
    gate.wait();
    assert_eq!(yes!(group.try_spawn(|| Ok(1)).unwrap_err()), ["is_full"]);
    assert_eq!(yes!(group.spawn_timeout(|| Ok(1), Duration::from_millis(1)).unwrap_err()), ["is_timed_out"]);
    gate.open();
    assert!(group.wait().is_ok());
    assert_eq!(yes!(group.spawn(|| Ok(1)).unwrap_err()), ["is_closed"]);
    let ended = ErrorGroup::<u32, String>::builder().limit(1).on(&pool).expect("a limit");
    ended.cancel();
    assert_eq!(yes!(ended.spawn(|| Ok(1)).unwrap_err()), ["is_cancelled"]);
    let orphan = ErrorGroup::<u32, String>::builder().limit(1).on(&pool).expect("a limit");
    assert!(pool.shutdown(Shutdown::Drain).is_complete());
    assert_eq!(yes!(orphan.spawn(|| Ok(1)).unwrap_err()), ["is_pool_closed"]);
}

#[test]
fn failed_run_says_whether_a_token_or_a_panic_ended_it() {
    let run = |what: &'static str| {
        let token = CancellationToken::new();
        let mapped = Pipeline::from_iter(0..3).workers(1).try_map("mill", {
            let token = token.clone();
            move |number: u32| match what {
                "is_cancelled" => {
                    token.cancel();
                    Ok(number)
                }
                "is_panic" => panic!("no grain"),
                _ => Err("no grain"),
            }
        });
        mapped.for_each("sink", |_| ()).run(&token).map(drop).unwrap_err()
    };
    for own in ["is_cancelled", "is_panic"] {
        assert_eq!(said_yes!(run(own), is_cancelled, is_panic), [own]);
    }
    let failed = run("neither");
    assert!(said_yes!(failed, is_cancelled, is_panic).is_empty());
    assert!(matches!(failed.kind(), PipelineErrorKind::Failed { index: 0, .. }));
}
