//! Sending into a channel, for as long as the run is on.

use crate::sync::channel::{Select, SendTimeoutError, Sender, TrySendError};
use crate::sync::time::Duration;

use super::run_end::RunEnd;

/// Why something was not sent; gives it back.
#[derive(Debug)]
pub(super) enum NotSent<T> {
    /// The channel has no receiver left.
    ReceiverGone(T),
    /// The run ended while the channel was full.
    RunEnded(T),
}

/// How long a send without a buffer waits between two looks at the run's end.
const MEETING: Duration = Duration::from_millis(5);

/// Sends; waits while the channel is full, until the run's `end`.
pub(super) fn send<T>(sender: &Sender<T>, mut item: T, end: &RunEnd) -> Result<(), NotSent<T>> {
    if sender.capacity() == Some(0) {
        return hand_over(sender, item, end);
    }
    let mut signal = None;
    let mut is_over = false;
    loop {
        item = match sender.try_send(item) {
            Ok(()) => return Ok(()),
            Err(TrySendError::Disconnected(item)) => return Err(NotSent::ReceiverGone(item)),
            Err(TrySendError::Full(item)) if is_over => return Err(NotSent::RunEnded(item)),
            Err(TrySendError::Full(item)) => item,
        };
        let mut select = Select::new();
        let send = select.send(sender);
        select.recv(signal.get_or_insert_with(|| end.signal()));
        // One more try after the end: the channel may have room by now.
        is_over = select.ready() != send;
    }
}

/// Sends through a channel of capacity 0. Who only looks whether the other side is ready is not found by one that does the same, as a pipeline that receives does: so this side
/// waits in a send.
fn hand_over<T>(sender: &Sender<T>, mut item: T, end: &RunEnd) -> Result<(), NotSent<T>> {
    loop {
        let is_over = end.has_come();
        item = match sender.send_timeout(item, MEETING) {
            Ok(()) => return Ok(()),
            Err(SendTimeoutError::Disconnected(item)) => return Err(NotSent::ReceiverGone(item)),
            Err(SendTimeoutError::Timeout(item)) if is_over => return Err(NotSent::RunEnded(item)),
            Err(SendTimeoutError::Timeout(item)) => item,
        };
    }
}
