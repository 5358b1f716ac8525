//! Who waits at a channel of capacity 0, where a value passes only when a sender and a receiver meet.
//!
//! Whoever comes first leaves a ticket and waits: a sender with its value (an offer), a receiver without (a demand).
//! Whoever comes second serves the oldest ticket of the other side. So a call that does not wait succeeds exactly
//! when somebody waits on the other side.

use std::collections::VecDeque;

pub(super) struct Meeting<T> {
    next_ticket: u64,
    // Senders that wait, oldest first.
    pub(super) offers: VecDeque<(u64, T)>,
    // Receivers that wait, oldest first.
    pub(super) demands: VecDeque<u64>,
    // Values for receivers that were served and have not woken yet.
    pub(super) deliveries: Vec<(u64, T)>,
}

impl<T> Default for Meeting<T> {
    fn default() -> Self {
        Self { next_ticket: 0, offers: VecDeque::new(), demands: VecDeque::new(), deliveries: Vec::new() }
    }
}

impl<T> Meeting<T> {
    pub(super) fn sender_waits(&self) -> bool {
        !self.offers.is_empty()
    }

    pub(super) fn receiver_waits(&self) -> bool {
        !self.demands.is_empty()
    }

    pub(super) fn ticket(&mut self) -> u64 {
        self.next_ticket += 1;
        self.next_ticket
    }

    pub(super) fn withdraw_offer(&mut self, ticket: u64) -> Option<T> {
        let at = self.offers.iter().position(|(other, _)| *other == ticket)?;
        self.offers.remove(at).map(|(_, value)| value)
    }

    pub(super) fn delivered(&mut self, ticket: u64) -> Option<T> {
        let at = self.deliveries.iter().position(|(other, _)| *other == ticket)?;
        Some(self.deliveries.swap_remove(at).1)
    }
}
