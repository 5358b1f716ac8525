//! What the files share.

use std::thread::{self, JoinHandle};
use std::time::Duration;

use crossbeam_channel::{Receiver, bounded};
use gristmill::fan::{Lane, ReceiveError, RouteError, Router};

/// So long that only a hang reaches it.
pub(crate) const LONG: Duration = Duration::from_secs(60);
/// So short that every wait for what does not come ends soon.
pub(crate) const MOMENT: Duration = Duration::from_millis(2);

pub(crate) fn spawn<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    thread::Builder::new().spawn(run).expect("a thread")
}

/// What is queued now.
pub(crate) fn queued<T>(lane: &Lane<T>) -> Vec<T> {
    lane.receiver().try_iter().collect()
}

pub(crate) fn add_lanes<T>(router: &Router<T>, lanes: usize) -> Vec<Lane<T>> {
    (0..lanes).map(|_| router.add_lane()).collect()
}

#[track_caller]
pub(crate) fn send_all<T>(router: &Router<T>, items: impl IntoIterator<Item = T>) {
    for item in items {
        router.try_send(item).expect("there is room");
    }
}

/// A channel with the items in it, and no sender left.
pub(crate) fn ended<T>(items: impl IntoIterator<Item = T>) -> Receiver<T> {
    let items: Vec<T> = items.into_iter().collect();
    let (sender, receiver) = bounded(items.len().max(1));
    for item in items {
        sender.send(item).unwrap();
    }
    receiver
}

/// A thread that sends, once it waits for room in `lane`, which is full.
pub(crate) fn waiting_sender<T: Send + 'static>(
    router: &Router<T>,
    item: T,
) -> JoinHandle<Result<(), RouteError<T>>> {
    let router = router.clone();
    spawn(move || router.send_timeout(item, LONG))
}

#[track_caller]
#[allow(clippy::needless_pass_by_value)] // what a call gave, and that is all
pub(crate) fn assert_ended<T: std::fmt::Debug>(received: Result<T, ReceiveError>) {
    assert!(received.as_ref().is_err_and(ReceiveError::is_ended), "{received:?}");
}
