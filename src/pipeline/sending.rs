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
pub(super) fn send<T>(sender: &Sender<T>, mut item: T, end: &RunEnd) -> Result<(), NotSent<T>> {
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
