//! How long a call may wait, and what ends its wait.

use std::convert::Infallible;

use crate::cancel::{CancellationToken, Cancelled};
use crate::sync::channel::{Receiver, Select};
use crate::sync::thread;
use crate::sync::time::{self, Duration, Instant};

/// Under a model every step is a branch: one shows all there is.
const YIELDS: u32 = if cfg!(any(gristmill_shuttle, gristmill_loom)) { 1 } else { 4 };

/// Why a call waits no longer.
#[derive(Debug)]
pub(super) enum End {
    NotNow,
    TimedOut,
    Cancelled(Cancelled),
}

/// What one call may wait for besides what it wants.
#[derive(Debug)]
pub(super) enum Patience<'t> {
    None,
    Endless,
    Until(Instant),
    Token(&'t CancellationToken, Receiver<Infallible>),
    /// Of a source: until the token, or a time, or a nudge.
    Source(&'t CancellationToken, Receiver<Infallible>, Option<Instant>, Option<&'t Receiver<()>>),
}

impl<'t> Patience<'t> {
    /// A time too long for the clock is no limit.
    pub(super) fn timeout(timeout: Duration) -> Self {
        time::now().checked_add(timeout).map_or(Self::Endless, Self::Until)
    }

    /// Refused if the token is cancelled already.
    pub(super) fn token(token: &'t CancellationToken) -> Result<Self, Cancelled> {
        token.check()?;
        Ok(Self::Token(token, token.cancelled()))
    }

    /// Whether there is still time; asked after each attempt, so that what came in the last moment counts.
    pub(super) fn check(&self) -> Result<(), End> {
        match self {
            Self::None => Err(End::NotNow),
            Self::Until(at) if *at <= time::now() => Err(End::TimedOut),
            Self::Source(token, ..) if token.is_cancelled() => {
                token.cause().map_or(Ok(()), |cause| Err(End::Cancelled(cause)))
            }
            Self::Source(_, _, Some(at), _) if *at <= time::now() => Err(End::TimedOut),
            // Taken here, so that each ends one wait.
            Self::Source(_, _, _, Some(nudges)) if nudges.try_recv().is_ok() => Err(End::TimedOut),
            Self::Endless | Self::Until(_) | Self::Source(..) => Ok(()),
            // Zero asks once, and sees a deadline that has passed even if the thread that watches it is late.
            Self::Token(token, _) => {
                token.wait_timeout(Duration::ZERO).map_or(Ok(()), |it| Err(End::Cancelled(it)))
            }
        }
    }

    /// Lets others go on for a moment; false if it is time to sleep.
    ///
    /// By yielding only, without the busy steps that crossbeam's channels take before: each attempt of a merge or a router looks at several channels, and takes the lines
    /// that the other side writes to away from it. Who comes later finds more to do.
    pub(super) fn linger(step: u32) -> bool {
        if step >= YIELDS {
            return false;
        }
        thread::yield_now();
        true
    }

    /// Adds what ends the wait to what is waited for.
    pub(super) fn watch<'a>(&'a self, select: &mut Select<'a>) {
        if let Self::Token(_, cancelled) | Self::Source(_, cancelled, ..) = self {
            select.recv(cancelled);
        }
        if let Self::Source(.., Some(nudges)) = self {
            select.recv(nudges);
        }
    }

    /// Waits until something of `select` is ready or the time is over; the caller looks which.
    pub(super) fn wait(&self, select: &mut Select<'_>) {
        let limit = match self {
            Self::None => return,
            Self::Endless => None,
            Self::Until(at) => Some(*at),
            // If nobody watches the deadline, the next `check` has to see it.
            Self::Source(token, _, until, _) => until.iter().copied().chain(token.unwatched_deadline()).min(),
            Self::Token(token, _) => token.deadline(),
        };
        match limit {
            Some(at) => drop(select.ready_deadline(at)),
            None => drop(select.ready()),
        }
    }
}

#[cfg(all(test, not(any(gristmill_shuttle, gristmill_loom))))]
mod tests {
    use super::*;
    use crate::sync::channel::bounded;

    #[test]
    fn each_nudge_ends_one_wait_of_a_source_and_without_one_it_goes_on() {
        let token = CancellationToken::new();
        let (nudge, nudges) = bounded(2);
        let patience = Patience::Source(&token, token.cancelled(), None, Some(&nudges));
        assert!(patience.check().is_ok(), "nobody has nudged");
        for _ in 0..2 {
            nudge.send(()).expect("there is room");
        }
        for _ in 0..2 {
            assert!(matches!(patience.check(), Err(End::TimedOut)));
        }
        assert!(patience.check().is_ok(), "both are used up");
    }

    #[test]
    fn source_waits_until_its_time_is_over_or_its_token_is_cancelled() {
        let (token, now) = (CancellationToken::new(), time::now());
        let until = |at| Patience::Source(&token, token.cancelled(), Some(at), None);
        let (over, ahead) = (until(now), until(now + Duration::from_secs(3600)));
        assert!(matches!(over.check(), Err(End::TimedOut)));
        assert!(ahead.check().is_ok());
        token.cancel();
        for patience in [over, ahead] {
            assert!(matches!(patience.check(), Err(End::Cancelled(_))), "whatever the time");
        }
    }
}
