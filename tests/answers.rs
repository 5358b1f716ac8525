//! What can be asked and taken apart besides: names, settings, sources of errors, the parts of a report. Each answers with what went in.
#![cfg(not(any(gristmill_shuttle, gristmill_loom)))]
// The pools have real threads.
#![allow(clippy::disallowed_methods)]

use std::error::Error;
use std::panic::Location;
use std::time::{Duration, Instant};

use gristmill::combine::{self, Timer, after, try_first_ok};
use gristmill::{
    CancellationToken, ErrorGroup, FailureKind, Jitter, ManualClock, Merge, Policy, PolicyError, Refusal,
    Retry, Router, Saturation, Shutdown, TaskError, ThreadPool, TimeLimit, Waitable,
};

#[path = "support/gate.rs"]
mod gate;
use gate::occupy;

type Group = ErrorGroup<'static, u32, String>;

fn cancelled(reason: &'static str) -> CancellationToken {
    let token = CancellationToken::new();
    token.cancel_with(reason);
    token
}

/// Where the one who cancelled said why, at the end of the chain of sources.
fn last_source(error: &(dyn Error + 'static)) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}

/// Panics in the name of its caller, and says where that is.
#[track_caller]
fn fall() {
    let here = Location::caller();
    panic!("{} {}:{}", here.file(), here.line(), here.column());
}

#[test]
fn panic_says_file_line_and_column() {
    let pool = ThreadPool::builder().workers(1).build().expect("good settings");
    // In a block, so that its caller is in this file.
    let fallen = pool.submit(|| {
        fall();
    });
    let TaskError::Panicked(panic) = fallen.expect("open").wait().unwrap_err() else { panic!("it fell") };
    let location = panic.location().expect("it was noted");
    assert_eq!(panic.message(), format!("{} {}:{}", location.file(), location.line(), location.column()));
}

#[test]
#[allow(clippy::redundant_closure_for_method_calls)] // the method by itself is not general enough
fn task_knows_its_name() {
    let pool = ThreadPool::builder().workers(1).build().expect("good settings");
    let named = pool.task().name("mill").submit(|context| context.name()).expect("open");
    assert_eq!(&*named.wait().expect("it succeeds"), "mill");
    let unnamed = pool.task().submit(|context| context.name()).expect("open");
    assert_eq!(&*unnamed.wait().expect("it succeeds"), "task");
}

#[test]
fn refusals_of_a_pool_name_the_cause_as_their_source() {
    let token = cancelled("no grain");
    let pool = ThreadPool::builder().workers(1).queue_bound(1).saturation(Saturation::Reject).build();
    let pool = pool.expect("good settings");
    let refused = pool.task().token(&token).submit(|_| ()).map(drop).unwrap_err();
    assert_eq!(refused.source().map(last_source).as_deref(), Some("no grain"));
    let (gate, running) = occupy(&pool);
    let waited = running.wait_with(&token).map(drop).unwrap_err();
    assert_eq!(waited.source().map(last_source).as_deref(), Some("no grain"));
    let queued = pool.submit(|| ()).expect("there is one place");
    let full = pool.submit(|| ()).map(drop).unwrap_err();
    assert!(full.source().is_none());
    gate.open();
    queued.wait().expect("it succeeds");
    let submitter = pool.submitter();
    drop(pool.shutdown(Shutdown::Drain));
    let many = submitter.submit_many((0..3).map(|number| move || number)).map(drop).unwrap_err();
    assert!(matches!(many.refusal(), Refusal::Closed) && many.source().is_none());
    let pool = ThreadPool::builder().workers(1).token(&token).build().expect("good settings");
    let many = pool.submit_many((0..3).map(|number| move || number)).map(drop).unwrap_err();
    assert_eq!(many.source().map(last_source).as_deref(), Some("no grain"));
}

#[test]
fn group_says_what_it_was_built_with_and_gives_its_values_away() {
    let group = Group::builder().limit(2).queue_bound(3).build().expect("good settings");
    assert_eq!((group.limit(), group.queue_bound()), (2, 3));
    group
        .task()
        .name("mill")
        .try_spawn(|context| Ok(u32::from(context.name() == Some("mill"))))
        .expect("room");
    let unnamed = group.task();
    unnamed.spawn_timeout(|context| Ok(7 + u32::from(context.name().is_some())), gate::LONG).expect("room");
    assert!(group.wait().is_ok());
    assert_eq!(group.into_report().into_values(), [1, 7]);
}

#[test]
fn failed_group_gives_values_and_failures_with_their_sources() {
    let group = Group::builder().limit(1).build().expect("good settings");
    group.spawn(|| Ok(5)).expect("open");
    group.spawn(|| Err("no grain".to_owned())).expect("open");
    assert!(group.wait().is_err());
    let refused = group.spawn(|| Ok(6)).map(drop).unwrap_err();
    let (values, result) = group.into_report().into_parts();
    assert_eq!(values, [5]);
    let error = result.unwrap_err();
    assert!(error.source().is_none(), "the task's error is in the text");
    let failure = error.into_cause().expect("nobody else has it");
    assert!(failure.source().is_none());
    let FailureKind::Failed(text) = failure.into_kind() else { panic!("it did not panic") };
    assert_eq!(text, "no grain");
    assert_eq!(refused.source().is_some(), refused.is_cancelled());

    let group = Group::builder().limit(1).build().expect("good settings");
    group.spawn(|| panic!("no water")).expect("open");
    let error = group.wait().unwrap_err();
    assert!(error.source().expect("the panic").to_string().ends_with("no water"));

    let token = cancelled("no miller");
    let group = Group::builder().limit(1).token(&token).build().expect("good settings");
    let refused = group.spawn(|| Ok(1)).map(drop).unwrap_err();
    assert_eq!(refused.source().map(last_source).as_deref(), Some("no miller"));
    assert_eq!(group.wait().unwrap_err().source().map(last_source).as_deref(), Some("no miller"));
}

#[test]
fn timers_are_made_of_durations_and_of_instants_on_any_clock() {
    let clock = ManualClock::new();
    let timer = Timer::at_on(gristmill::Clock::now(&clock) + Duration::from_secs(5), clock.clone());
    clock.advance(Duration::from_secs(4));
    assert!(!timer.is_finished());
    clock.advance(Duration::from_secs(1));
    assert!(timer.wait().is_ok());
    assert!(Timer::from(Duration::ZERO).wait().is_ok());
    assert!(!Timer::from(Duration::MAX).is_finished());
    assert!(Timer::from(Instant::now()).wait().is_ok());
    assert!(!Timer::from(Instant::now() + Duration::from_secs(3600)).is_finished());
}

#[test]
fn what_has_not_ended_can_be_cancelled_and_errors_are_given_away_in_order() {
    let pending = || Box::new(after(Duration::MAX).map(|end| end.map(drop)));
    let unsettled = try_first_ok([pending(), pending()]).map(drop).unwrap_err();
    assert!(unsettled.pending.iter().all(|(_, timer)| !timer.is_finished()));
    unsettled.cancel();
    assert!(unsettled.pending.iter().all(|(_, timer)| timer.is_finished()));
    let failed = |text: &'static str| gristmill::waitable::ready(Err::<(), _>(text));
    let errors =
        combine::first_ok([failed("no grain"), failed("no water")]).map(drop).unwrap_err().into_errors();
    assert_eq!(errors, ["no grain", "no water"]);
}

#[test]
fn item_that_was_not_sent_comes_back_with_the_reason() {
    let router = Router::round_robin(1).expect("a capacity");
    let (item, kind) = router.send(7).unwrap_err().into_parts();
    assert_eq!((item, kind.to_string().as_str()), (7, "there is no lane"));
    let _lane = router.add_lane();
    router.send(7).expect("there is room");
    let error = router.send_with(8, &cancelled("no grain")).unwrap_err();
    assert_eq!(error.source().map(last_source).as_deref(), Some("no grain"));
    let mut nothing = Merge::<u32>::fair(Vec::<gristmill::sync::channel::Receiver<u32>>::new());
    assert!(nothing.recv().unwrap_err().source().is_none());
}

#[test]
fn policies_say_their_settings_and_give_the_last_error_away() {
    assert_eq!(TimeLimit::new(Duration::from_secs(5)).limit(), Duration::from_secs(5));
    let retry = Retry::builder().attempts(3).longest_delay(Duration::ZERO).jitter(Jitter::None).build();
    let error = retry.expect("good settings").call(|attempt| Err::<(), _>(attempt.number())).unwrap_err();
    let PolicyError::GaveUp(gave_up) = error else { panic!("{error}") };
    assert!(matches!(gave_up.into_last(), PolicyError::Work(3)));
}
