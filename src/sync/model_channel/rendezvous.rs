//! Sending and receiving at capacity 0: the calls of a channel that holds no values. See [`Meeting`](super::meeting::Meeting).

use super::super::MutexGuard;
use super::channel::{Channel, State};
use super::limit::Limit;
use crossbeam_channel::{RecvTimeoutError, SendTimeoutError};

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
