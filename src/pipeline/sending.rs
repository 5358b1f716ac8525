//! Sending into a channel, for as long as the run is on.

use std::convert::Infallible;

use crate::sync::channel::{Receiver, Select, Sender, TrySendError};

/// Why something was not sent; gives it back.
#[derive(Debug)]
pub(super) enum NotSent<T> {
    /// The channel has no receiver left.
    ReceiverGone(T),
    /// The token was cancelled while the channel was full.
    Cancelled(T),
}

/// Sends, and waits while the channel is full and `cancelled` is connected; asks for `cancelled` only if it has to wait.
pub(super) fn send<T>(
    sender: &Sender<T>,
    item: T,
    cancelled: impl FnOnce() -> Receiver<Infallible>,
) -> Result<(), NotSent<T>> {
    let item = match sender.try_send(item) {
        Ok(()) => return Ok(()),
        Err(TrySendError::Disconnected(item)) => return Err(NotSent::ReceiverGone(item)),
        Err(TrySendError::Full(item)) => item,
    };
    let cancelled = cancelled();
    let mut item = item;
    let mut is_over = false;
    loop {
        if is_over {
            break Err(NotSent::Cancelled(item));
        }
        let mut select = Select::new();
        let send = select.send(sender);
        select.recv(&cancelled);
        // One more try after a cancellation: the channel may have room by now.
        is_over = select.ready() != send;
        item = match sender.try_send(item) {
            Ok(()) => break Ok(()),
            Err(TrySendError::Disconnected(item)) => break Err(NotSent::ReceiverGone(item)),
            Err(TrySendError::Full(item)) => item,
        };
    }
}
