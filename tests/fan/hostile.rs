//! Closures, clones and drops that panic: nothing but what was looked at is affected.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use gristmill::fan::{Merge, MergeInput, Router};

use crate::support::{add_lanes, ended, queued, send_all};

/// What `run` panics with is swallowed; whether it did.
fn panics<T>(run: impl FnOnce() -> T) -> bool {
    catch_unwind(AssertUnwindSafe(run)).is_err()
}

/// Panics if it is armed, and disarms itself.
#[derive(Clone, Default)]
struct Trap(Arc<AtomicBool>);

impl Trap {
    fn arm(&self) {
        self.0.store(true, SeqCst);
    }

    fn spring(&self) {
        assert!(!self.0.swap(false, SeqCst), "sprung");
    }
}

#[test]
fn panic_of_the_key_function_sends_nothing_and_the_router_goes_on() {
    let router = Router::by_key(4, |item: &u32| {
        assert!(*item != 13, "unlucky");
        *item
    })
    .unwrap();
    let lane = router.add_lane();
    send_all(&router, [1]);
    assert!(panics(|| router.send(13)));
    send_all(&router, [2]);
    assert_eq!(queued(&lane), [1, 2]);
}

#[test]
fn panic_of_the_choice_sends_nothing_and_the_router_goes_on() {
    let trap = Trap::default();
    let armed = trap.clone();
    let router = Router::custom(4, move |_: &u32, lanes| {
        armed.spring();
        lanes.first().map(|lane| lane.id)
    })
    .unwrap();
    let lane = router.add_lane();
    trap.arm();
    assert!(panics(|| router.send(1)));
    send_all(&router, [2]);
    assert_eq!(queued(&lane), [2]);
}

#[test]
fn closures_and_clones_may_use_the_router() {
    #[derive(Debug)]
    struct Looks(Arc<std::sync::OnceLock<Router<Looks>>>);
    impl Clone for Looks {
        fn clone(&self) -> Self {
            assert_eq!(self.0.get().unwrap().lanes().len(), 2, "no lock is held");
            Self(self.0.clone())
        }
    }
    let own = Arc::new(std::sync::OnceLock::new());
    let router = Router::broadcast(1).unwrap();
    own.set(router.clone()).unwrap();
    let lanes = add_lanes(&router, 2);
    send_all(&router, [Looks(own)]);
    // The circle is opened, so that nothing leaks.
    assert_eq!(lanes.iter().map(|lane| queued(lane).len()).sum::<usize>(), 2);
}

#[test]
fn panic_of_a_clone_reaches_no_lane() {
    #[derive(Debug)]
    struct Fragile(Arc<AtomicUsize>);
    impl Clone for Fragile {
        fn clone(&self) -> Self {
            assert!(self.0.fetch_add(1, SeqCst) != 1, "the second clone");
            Self(self.0.clone())
        }
    }
    let clones = Arc::new(AtomicUsize::new(0));
    let router = Router::broadcast(4).unwrap();
    let lanes = add_lanes(&router, 3);
    assert!(panics(|| router.send(Fragile(clones.clone()))));
    assert_eq!(Arc::strong_count(&clones), 1, "no copy is left anywhere");
    assert!(lanes.iter().all(|lane| lane.try_recv().unwrap_err().is_empty()));
    send_all(&router, [Fragile(clones)]);
    assert!(lanes.iter().all(|lane| queued(lane).len() == 1));
}

#[test]
fn item_whose_drop_uses_the_router_can_be_left_in_a_lane() {
    struct Looks(Arc<std::sync::OnceLock<Router<Looks>>>, Arc<AtomicUsize>);
    impl Drop for Looks {
        fn drop(&mut self) {
            let lanes = self.0.get().map_or(0, |router| router.lanes().len());
            self.1.fetch_add(1 + lanes * 100, SeqCst);
        }
    }
    let own = Arc::new(std::sync::OnceLock::new());
    let drops = Arc::new(AtomicUsize::new(0));
    let router = Router::round_robin(4).unwrap();
    assert!(own.set(router.clone()).is_ok());
    let mut lanes = add_lanes(&router, 2);
    for _ in 0..4 {
        assert!(router.send(Looks(own.clone(), drops.clone())).is_ok());
    }
    let removed = lanes.remove(0);
    drop(router.remove_lane(removed.id()));
    assert_eq!(drops.load(SeqCst), 2 + 200, "each saw the other lane");
    drop(lanes);
    drop(router.take_undelivered());
    assert_eq!(drops.load(SeqCst), 4 + 200);
}

#[test]
fn panic_of_the_comparison_loses_nothing_and_the_next_call_goes_on() {
    // At each comparison in turn.
    for sprung_at in 0..40 {
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = calls.clone();
        let inputs: Vec<_> = (0..6).map(|input| ended((0..4).map(move |step| step * 6 + input))).collect();
        let mut merge = Merge::sorted_by(inputs, move |a: &u32, b: &u32| {
            assert!(counted.fetch_add(1, SeqCst) != sprung_at, "sprung");
            a.cmp(b)
        });
        let mut got = Vec::new();
        let mut panicked = 0;
        loop {
            match catch_unwind(AssertUnwindSafe(|| merge.recv())) {
                Ok(Ok(item)) => got.push(item),
                Ok(Err(end)) => break assert!(end.is_ended()),
                Err(_) => panicked += 1,
            }
        }
        assert_eq!((panicked, got), (1, (0..24).collect::<Vec<_>>()), "at {sprung_at}");
    }
}

#[test]
fn merge_dropped_by_the_panic_of_its_comparison_gives_all_back() {
    let inputs = [ended([1, 4]), ended([2, 3])].map(MergeInput::from);
    let mine = inputs.clone();
    assert!(panics(move || Merge::sorted_by(mine, |_: &u32, _: &u32| panic!("sprung")).next()));
    let mut left: Vec<u32> = Vec::new();
    for input in inputs {
        let (held, receiver) = input.into_parts();
        left.extend(held);
        left.extend(receiver.try_iter());
    }
    assert_eq!(left, [1, 4, 2, 3]);
}

#[test]
fn panic_of_the_number_function_loses_nothing_and_the_next_call_asks_again() {
    for sprung_at in 0..6 {
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = calls.clone();
        let mut merge = Merge::by_sequence([ended([1, 0, 4]), ended([2, 3, 5])], 3, move |item: &u64| {
            assert!(counted.fetch_add(1, SeqCst) != sprung_at, "sprung");
            *item
        });
        let mut got = Vec::new();
        let mut panicked = 0;
        loop {
            match catch_unwind(AssertUnwindSafe(|| merge.recv())) {
                Ok(Ok(item)) => got.push(item),
                Ok(Err(end)) => break assert!(end.is_ended()),
                Err(_) => panicked += 1,
            }
        }
        assert_eq!((panicked, got), (1, vec![0, 1, 2, 3, 4, 5]));
        assert_eq!(calls.load(SeqCst), 7, "each was asked for once, and one once more");
    }
}
