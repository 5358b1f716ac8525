//! What a token leaves behind when it goes: nothing. Counted by an allocator that is in this process only.

use std::time::Duration;

use allocation_counter::measure;
use gristmill::CancellationToken;

const HOUR: Duration = Duration::from_secs(3600);
/// What a parent may keep for its next children, and a thread for itself.
const KEPT: i64 = 4096;

#[track_caller]
fn leaves_nothing(run: impl FnOnce()) {
    let left = measure(run).bytes_current;
    assert!(left <= KEPT, "{left} bytes left");
}

#[test]
fn million_children_one_after_the_other_leave_nothing() {
    let root = CancellationToken::new();
    let most = measure(|| {
        for _ in 0..1_000_000 {
            drop(root.child());
        }
    });
    assert!(most.bytes_current <= KEPT, "{} bytes left", most.bytes_current);
    assert!(most.bytes_max <= 2 * KEPT.unsigned_abs(), "{} bytes at the most", most.bytes_max);
}

#[test]
fn million_children_at_once_leave_nothing_in_any_order_of_going() {
    let root = CancellationToken::new();
    let family = |count: u32| -> Vec<_> { (0..count).map(|_| root.child()).collect() };
    leaves_nothing(|| drop(family(1_000_000)));
    leaves_nothing(|| family(100_000).into_iter().rev().for_each(drop));
    leaves_nothing(|| {
        let mut family = family(100_000);
        let mut state = 7_usize;
        while !family.is_empty() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let chosen = (state >> 33) % family.len();
            family.swap_remove(chosen);
        }
    });
}

#[test]
fn child_that_stays_does_not_keep_the_memory_of_those_that_went() {
    let root = CancellationToken::new();
    for stays in [0, 50_000, 99_999] {
        leaves_nothing(|| {
            let mut family: Vec<_> = (0..100_000).map(|_| Some(root.child())).collect();
            let kept = family[stays].take();
            drop(family);
            std::mem::forget(kept);
        });
    }
}

#[test]
fn cancelled_children_leave_nothing() {
    let root = CancellationToken::new();
    leaves_nothing(|| {
        for number in 0..100_000 {
            root.child().cancel_with(format!("cause {number}"));
        }
    });
}

#[test]
fn children_with_deadlines_callbacks_and_receivers_leave_nothing() {
    let root = CancellationToken::new();
    let _keeps_the_helper = CancellationToken::with_timeout(HOUR);
    leaves_nothing(|| {
        for _ in 0..100_000 {
            let child = root.child_with_timeout_cause(HOUR, "an hour");
            let _receiver = child.cancelled();
            let registration = child.on_cancel(|_| ());
            drop(child);
            drop(registration);
        }
    });
    leaves_nothing(|| {
        let family: Vec<_> = (0..100_000).map(|_| root.child_with_timeout(HOUR)).collect();
        drop(family);
    });
}

#[test]
fn registrations_leave_nothing_in_a_token_that_lives_on() {
    let root = CancellationToken::new();
    leaves_nothing(|| {
        for _ in 0..1_000_000 {
            let captured = [0_u64; 4];
            drop(root.on_cancel(move |_| assert_eq!(captured, [0; 4])));
        }
    });
    leaves_nothing(|| {
        let registrations: Vec<_> =
            (0..100_000_u64).map(|number| root.on_cancel(move |_| assert!(number > 0))).collect();
        drop(registrations);
    });
}

#[test]
fn callback_that_holds_its_own_token_leaves_nothing_once_cancelled() {
    leaves_nothing(|| {
        for _ in 0..10_000 {
            let token = CancellationToken::new();
            let held = token.clone();
            token.on_cancel(move |_| drop(held)).detach();
            token.cancel();
        }
    });
}
