//! Sending through a router.

use super::attempt::Attempt;
use super::core::Core;
use super::error::{RouteError, RouteErrorKind};
use super::patience::Patience;
use super::policy::{Policy, Wish};
use super::router::Router;
use crate::cancel::CancellationToken;
use crate::sync::atomic::Ordering;
use crate::sync::channel::Select;
use crate::sync::time::Duration;

impl<T> Router<T> {
    /// Sends without waiting.
    ///
    /// # Errors
    /// [`RouteErrorKind::Full`], or there is no hope: [`NoLanes`](RouteErrorKind::NoLanes),
    /// [`LaneDead`](RouteErrorKind::LaneDead), [`NoSuchLane`](RouteErrorKind::NoSuchLane). The item comes back; no lane has it.
    pub fn try_send(&self, item: T) -> Result<(), RouteError<T>> {
        self.core.count(self.core.send(item, &Patience::None))
    }

    /// Sends; waits for room.
    ///
    /// # Errors
    /// At once or during the wait: [`RouteErrorKind::NoLanes`], [`LaneDead`](RouteErrorKind::LaneDead),
    /// [`NoSuchLane`](RouteErrorKind::NoSuchLane); [`Full`](RouteErrorKind::Full) if slow lanes are [refused](super::LaneRule::Refuse). The item comes back; no lane has it.
    pub fn send(&self, item: T) -> Result<(), RouteError<T>> {
        self.core.count(self.core.send(item, &Patience::Endless))
    }

    /// Sends; waits at most `timeout`. Zero asks once; `Duration::MAX` waits without limit.
    ///
    /// # Errors
    /// [`RouteErrorKind::TimedOut`], or as for [`send`](Self::send).
    pub fn send_timeout(&self, item: T, timeout: Duration) -> Result<(), RouteError<T>> {
        self.core.count(self.core.send(item, &Patience::timeout(timeout)))
    }

    /// Sends; waits until `token` is cancelled.
    ///
    /// # Errors
    /// [`RouteErrorKind::Cancelled`], also if there was room but the token was cancelled before; or as for [`send`](Self::send).
    ///
    /// # Cancellation
    /// The item comes back; no lane has it, of a broadcast neither.
    pub fn send_with(&self, item: T, token: &CancellationToken) -> Result<(), RouteError<T>> {
        let outcome = match Patience::token(token) {
            Ok(patience) => self.core.send(item, &patience),
            Err(cause) => Err(RouteError::new(item, RouteErrorKind::Cancelled(cause))),
        };
        self.core.count(outcome)
    }
}

impl<T> Core<T> {
    /// What succeeds is counted where it is sent.
    #[inline]
    fn count(&self, outcome: Result<(), RouteError<T>>) -> Result<(), RouteError<T>> {
        if outcome.is_err() {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
        outcome
    }

    fn send(&self, item: T, patience: &Patience<'_>) -> Result<(), RouteError<T>> {
        // The user's code runs here, without the lock; what it decides holds for all attempts, but for a closure that looks at the lanes.
        match &self.policy {
            Policy::SharedQueue | Policy::Priority => self.send_as(item, patience, Wish::First),
            Policy::RoundRobin => self.send_as(item, patience, Wish::Next),
            Policy::LeastLoaded => self.send_as(item, patience, Wish::LeastLoaded),
            Policy::ByKey(key) => {
                let hash = key(&item);
                self.send_as(item, patience, Wish::Key(hash))
            }
            Policy::Custom(choose) => repeat(item, patience, |item, waits| {
                let lanes = self.table.lock().snapshot();
                match choose(&item, &lanes) {
                    None => Attempt::Refused(item, RouteErrorKind::NoLanes),
                    Some(id) if lanes.iter().all(|lane| lane.id != id) => {
                        Attempt::Refused(item, RouteErrorKind::NoSuchLane(id))
                    }
                    Some(id) => self.table.lock().send_to_one(item, Wish::Lane(id), waits),
                }
            }),
            Policy::Broadcast(clone) => {
                let mut copies = Vec::new();
                repeat(item, patience, |mut item, waits| {
                    loop {
                        let attempt = self.table.lock().send_to_all(item, &mut copies, waits);
                        match attempt {
                            Ok(attempt) => return attempt,
                            Err((back, needed)) => {
                                item = back;
                                while copies.len() < needed {
                                    copies.push(clone(&item));
                                }
                            }
                        }
                    }
                })
            }
        }
    }

    #[inline]
    fn send_as(&self, item: T, patience: &Patience<'_>, wish: Wish) -> Result<(), RouteError<T>> {
        repeat(item, patience, |item, waits| self.table.lock().send_to_one(item, wish, waits))
    }
}

/// Makes attempts until one is the last.
#[inline]
fn repeat<T>(
    mut item: T,
    patience: &Patience<'_>,
    mut attempt: impl FnMut(T, bool) -> Attempt<T>,
) -> Result<(), RouteError<T>> {
    let mut step = 0;
    let mut waits = false;
    loop {
        let waiting = match attempt(item, waits) {
            Attempt::Sent => return Ok(()),
            Attempt::Refused(back, kind) => return Err(RouteError::new(back, kind)),
            Attempt::Again(back) => {
                item = back;
                continue;
            }
            Attempt::Wait(back, waiting) => {
                item = back;
                waiting
            }
        };
        if let Some(waiting) = waiting {
            if let Err(end) = patience.check() {
                return Err(RouteError::new(item, end.into()));
            }
            let mut select = Select::new();
            for sender in &waiting.room {
                select.send(sender);
            }
            select.recv(&waiting.on_change);
            patience.watch(&mut select);
            patience.wait(&mut select);
            (step, waits) = (0, false);
        } else if matches!(patience, Patience::None) {
            return Err(RouteError::new(item, RouteErrorKind::Full));
        } else {
            waits = !Patience::linger(step);
            step += 1;
        }
    }
}
