//! Sending into a channel, for as long as the run is on.

use crate::sync::channel::{Select, Sender, TrySendError};

use super::run_end::RunEnd;

/// Why something was not sent; gives it back.
#[derive(Debug)]
pub(super) enum NotSent<T> {
    /// The channel has no receiver left.
    ReceiverGone(T),
    /// The run ended while the channel was full.
    RunEnded(T),
}

/// Sends; waits while the channel is full, until the run's `end`.
pub(super) fn send<T>(sender: &Sender<T>, item: T, end: &RunEnd) -> Result<(), NotSent<T>> {
    let item = match sender.try_send(item) {
        Ok(()) => return Ok(()),
        Err(TrySendError::Disconnected(item)) => return Err(NotSent::ReceiverGone(item)),
        Err(TrySendError::Full(item)) => item,
    };
    let end = end.signal();
    let mut item = item;
    let mut is_over = false;
    loop {
        if is_over {
            break Err(NotSent::RunEnded(item));
        }
        let mut select = Select::new();
        let send = select.send(sender);
        select.recv(&end);
        // One more try after the end: the channel may have room by now.
        is_over = select.ready() != send;
        item = match sender.try_send(item) {
            Ok(()) => break Ok(()),
            Err(TrySendError::Disconnected(item)) => break Err(NotSent::ReceiverGone(item)),
            Err(TrySendError::Full(item)) => item,
        };
    }
}
