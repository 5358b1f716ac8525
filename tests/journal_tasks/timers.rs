//! Timers that go on after a restart.

use std::time::Duration;

use gristmill::combine::as_completed;
use gristmill::journal::{CallRefusal, DurableErrorKind};
use gristmill::{CancellationToken, Waitable};

use crate::{Place, pool, square};

const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn timer_that_has_fired_has_fired_after_a_restart() {
    let place = Place::new();
    {
        let journal = place.open();
        let timer = journal.scope("s").after("soon", Duration::from_millis(1)).unwrap();
        assert!(!timer.is_replayed());
        timer.wait().unwrap();
    }
    let journal = place.open();
    // The instant is the one of the first time, whatever is asked for now.
    let timer = journal.scope("s").after("soon", HOUR).unwrap();
    assert!(timer.is_replayed() && timer.is_finished());
    assert!(timer.try_wait().unwrap().is_ok());
}

#[test]
fn only_what_remains_is_waited_for() {
    let place = Place::new();
    drop(place.open().scope("s").after("due", Duration::ZERO).unwrap());
    drop(place.open().scope("s").after("hour", HOUR).unwrap());
    let journal = place.open();
    let scope = journal.scope("s");
    let due = scope.after("due", HOUR).unwrap();
    assert!(due.is_replayed());
    due.wait().unwrap();
    let hour = scope.after("hour", Duration::ZERO).unwrap();
    assert!(hour.is_replayed());
    assert!(hour.try_wait().is_err());
}

#[test]
fn firing_has_its_place_in_the_order() {
    let (place, pool) = (Place::new(), pool(1));
    let mut first = None;
    for _ in 0..3 {
        let journal = place.open();
        let scope = journal.scope("s");
        let (handler, _) = square(&scope, 1);
        let timer = scope.after("now", Duration::ZERO).unwrap();
        let started = (0..5_u64).map(|number| handler.submit(&pool, number, number).unwrap());
        let tasks =
            started.map(|handle| Box::new(handle.map(|end| end.is_ok())) as Box<dyn Waitable<Output = bool>>);
        let timer: Box<dyn Waitable<Output = bool>> = Box::new(timer.map(|end| end.is_ok()));
        let order: Vec<_> = as_completed(tasks.chain([timer])).collect();
        assert!(order.iter().all(|(_, is_ok)| *is_ok) && order.len() == 6);
        assert_eq!(*first.get_or_insert(order.clone()), order);
    }
}

#[test]
fn timer_that_is_cancelled_goes_on_the_next_time() {
    let place = Place::new();
    let journal = place.open();
    let scope = journal.scope("s");
    let timer = scope.after("hour", HOUR).unwrap();
    let refused = scope.after("hour", HOUR).unwrap_err();
    assert!(matches!(refused.refusal(), CallRefusal::Duplicate));
    assert_eq!(refused.into_input(), HOUR);
    let token = CancellationToken::new();
    token.cancel();
    let timer = timer.wait_with(&token).unwrap_err().into_handle();
    let line = line!() + 1;
    assert!(timer.cancel() && timer.is_finished() && !timer.cancel());
    let error = timer.wait().unwrap_err();
    let DurableErrorKind::Cancelled(cause) = error.kind() else { panic!("{error}") };
    assert_eq!((cause.location().file(), cause.location().line()), (file!(), line));
    let again = journal.scope("s").after("hour", Duration::ZERO).unwrap();
    assert!(again.is_replayed() && !again.is_finished());
}

#[test]
fn timer_that_never_fires_and_one_of_no_time() {
    let place = Place::new();
    for round in 0..2 {
        let journal = place.open();
        let scope = journal.scope("s");
        let never = scope.after("never", Duration::MAX).unwrap();
        assert_eq!(never.is_replayed(), round == 1);
        assert!(never.wait_timeout(Duration::from_millis(1)).is_err());
        scope.after("now", Duration::ZERO).unwrap().wait().unwrap();
    }
}

#[test]
fn timer_that_was_refused_can_be_asked_for_again() {
    let place = Place::new();
    let journal = place.open();
    let first = journal.scope("s").after("hour", HOUR).unwrap();
    let scope = journal.scope("s");
    let refused = scope.after("hour", HOUR).unwrap_err();
    assert!(matches!(refused.refusal(), CallRefusal::InUse), "{refused}");
    drop(first);
    assert!(scope.after("hour", HOUR).unwrap().is_replayed());
    let refused = scope.after("hour", HOUR).unwrap_err();
    assert!(matches!(refused.refusal(), CallRefusal::Duplicate), "{refused}");
}
