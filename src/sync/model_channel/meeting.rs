//! Capacity 0: a value passes only when a sender and a receiver meet.
//!
//! Whoever comes first leaves a ticket and waits: a sender with its value (an offer), a receiver without (a demand).
//! Whoever comes second serves the oldest ticket of the other side. So a call that does not wait succeeds exactly
//! when somebody waits on the other side.

use std::collections::VecDeque;

use super::{Channel, Limit, MutexGuard, RecvTimeoutError, SendTimeoutError, State};

pub(super) struct Meeting<T> {
    next_ticket: u64,
    // Senders that wait, oldest first.
    offers: VecDeque<(u64, T)>,
    // Receivers that wait, oldest first.
    demands: VecDeque<u64>,
    // Values for receivers that were served and have not woken yet.
    deliveries: Vec<(u64, T)>,
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

    fn ticket(&mut self) -> u64 {
        self.next_ticket += 1;
        self.next_ticket
    }

    fn withdraw_offer(&mut self, ticket: u64) -> Option<T> {
        let at = self.offers.iter().position(|(other, _)| *other == ticket)?;
        self.offers.remove(at).map(|(_, value)| value)
    }

    fn delivered(&mut self, ticket: u64) -> Option<T> {
        let at = self.deliveries.iter().position(|(other, _)| *other == ticket)?;
        Some(self.deliveries.swap_remove(at).1)
    }
}

impl<T> Channel<T> {
    pub(super) fn hand_over(
        &self,
        mut state: MutexGuard<'_, State<T>>,
        value: T,
        limit: Limit,
    ) -> Result<(), SendTimeoutError<T>> {
        if state.receivers == 0 {
            return Err(SendTimeoutError::Disconnected(value));
        }
        if let Some(ticket) = state.meeting.demands.pop_front() {
            state.meeting.deliveries.push((ticket, value));
            self.announce(&mut state);
            return Ok(());
        }
        if matches!(limit, Limit::Now) {
            return Err(SendTimeoutError::Timeout(value));
        }
        let ticket = state.meeting.ticket();
        state.meeting.offers.push_back((ticket, value));
        self.announce(&mut state);
        loop {
            let timed_out = self.wait(&mut state, limit);
            if timed_out || state.receivers == 0 {
                return match state.meeting.withdraw_offer(ticket) {
                    None => Ok(()),
                    Some(value) if state.receivers == 0 => Err(SendTimeoutError::Disconnected(value)),
                    Some(value) => Err(SendTimeoutError::Timeout(value)),
                };
            }
            if state.meeting.offers.iter().all(|(other, _)| *other != ticket) {
                return Ok(());
            }
        }
    }

    pub(super) fn receive_from_hand(
        &self,
        mut state: MutexGuard<'_, State<T>>,
        limit: Limit,
    ) -> Result<T, RecvTimeoutError> {
        if let Some((_, value)) = state.meeting.offers.pop_front() {
            self.announce(&mut state);
            return Ok(value);
        }
        if state.senders == 0 {
            return Err(RecvTimeoutError::Disconnected);
        }
        if matches!(limit, Limit::Now) {
            return Err(RecvTimeoutError::Timeout);
        }
        let ticket = state.meeting.ticket();
        state.meeting.demands.push_back(ticket);
        self.announce(&mut state);
        loop {
            let timed_out = self.wait(&mut state, limit);
            if let Some(value) = state.meeting.delivered(ticket) {
                return Ok(value);
            }
            if timed_out || state.senders == 0 {
                state.meeting.demands.retain(|other| *other != ticket);
                return Err(if state.senders == 0 {
                    RecvTimeoutError::Disconnected
                } else {
                    RecvTimeoutError::Timeout
                });
            }
        }
    }
}
