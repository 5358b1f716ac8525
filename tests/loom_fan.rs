//! The two places of the fan where a flag goes before a wake-up, in every interleaving: an input that is added to a merge that falls asleep, and a
//! lane of a shared queue that is removed while it does. All else there is under a lock or in a channel, which shuttle runs.
#![cfg(gristmill_loom)]

use gristmill::fan::{Merge, Router};
use gristmill::sync::channel::{Receiver, bounded};
use gristmill::sync::thread::{Builder, JoinHandle};

#[path = "support/model.rs"]
mod model;
use model::check;

fn spawn<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    Builder::new().spawn(run).expect("no fault is asked for")
}

#[test]
fn input_that_is_added_is_heard_by_a_merge_that_falls_asleep() {
    check("input_that_is_added_is_heard_by_a_merge_that_falls_asleep", || {
        let mut merge = Merge::fair(Vec::<Receiver<u32>>::new());
        let handle = merge.handle();
        let (sender, receiver) = bounded(1);
        sender.send(7).expect("there is room");
        // The handle stays until the end: its going would wake the merge too.
        let adder = spawn(move || {
            handle.add(receiver).expect("the merge is there");
            handle
        });
        assert_eq!(merge.recv().expect("it was added"), 7); // a deadlock if the bell is lost
        drop(adder.join().expect("no panic"));
    });
}

#[test]
fn input_for_a_merge_that_goes_comes_back_or_went_in() {
    check("input_for_a_merge_that_goes_comes_back_or_went_in", || {
        let mut merge = Merge::fair(Vec::<Receiver<u32>>::new());
        let handle = merge.handle();
        let (_sender, receiver) = bounded(1);
        let adder = spawn(move || handle.add(receiver).is_err());
        let inside = merge.into_inputs().len();
        let is_refused = adder.join().expect("no panic");
        assert_eq!(inside + usize::from(is_refused), 1);
    });
}

#[test]
fn lane_of_a_shared_queue_hears_of_its_removal_while_it_falls_asleep() {
    check("lane_of_a_shared_queue_hears_of_its_removal_while_it_falls_asleep", || {
        let router = Router::<u32>::shared_queue(1).expect("a capacity");
        let lane = router.add_lane();
        let id = lane.id();
        let receiver = spawn(move || lane.recv().is_err_and(|error| error.is_ended()));
        router.remove_lane(id).expect("it was there");
        assert!(receiver.join().expect("no panic"), "a deadlock if it does not hear");
        drop(router);
    });
}
