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
        is_over = match end.token().unwatched_deadline() {
            None => select.ready() != send,
            // Nobody gives the signal then: this side looks.
            Some(at) => select.ready_deadline(at).map_or_else(|_| end.is_seen(), |ready| ready != send),
        };
    }
}

/// Sends through a channel of capacity 0. Who only looks whether the other side is ready is not found by one that does the same, as a pipeline that receives does: so this side
/// waits in a send.
fn hand_over<T>(sender: &Sender<T>, mut item: T, end: &RunEnd) -> Result<(), NotSent<T>> {
    loop {
        let is_over = end.is_seen();
        item = match sender.send_timeout(item, MEETING) {
            Ok(()) => return Ok(()),
            Err(SendTimeoutError::Disconnected(item)) => return Err(NotSent::ReceiverGone(item)),
            Err(SendTimeoutError::Timeout(item)) if is_over => return Err(NotSent::RunEnded(item)),
            Err(SendTimeoutError::Timeout(item)) => item,
        };
    }
}

#[cfg(all(test, not(any(gristmill_shuttle, gristmill_loom))))]
mod tests {
    use super::*;
    use crate::CancellationToken;
    use crate::sync::channel::bounded;

    #[test]
    fn send_that_waits_for_room_ends_at_a_deadline_that_nobody_watches() {
        let token = CancellationToken::unwatched(Duration::from_millis(1));
        let end = RunEnd::new(&token.child(), &token, &token);
        let (sender, receiver) = bounded(1);
        assert!(send(&sender, 1, &end).is_ok());
        assert!(matches!(send(&sender, 2, &end), Err(NotSent::RunEnded(2))));
        assert!(token.is_cancelled());
        drop(receiver);
    }
}
