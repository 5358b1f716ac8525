//! How long those who wait for a group sleep.

use std::time::Duration;

use crate::cancel::CancellationToken;
use crate::sync::thread;
use crate::sync::time::{self, Instant};

/// How long a task waits for room.
#[derive(Clone, Copy)]
pub(super) enum Patience {
    None,
    /// `None`: without limit.
    Until(Option<Instant>),
}

impl Patience {
    pub(super) fn timeout(timeout: Duration) -> Self {
        Self::Until(time::now().checked_add(timeout))
    }
}

/// The naps of one who waits and may have to look again without being woken: a millisecond, and then longer up to 16.
pub(super) struct Naps(Duration);

impl Naps {
    const LONGEST: Duration = Duration::from_millis(16);

    pub(super) fn new() -> Self {
        Self(Duration::from_millis(1))
    }

    fn next(&mut self) -> Duration {
        let nap = self.0;
        self.0 = (nap * 2).min(Self::LONGEST);
        nap
    }
}

/// Parks until it is unparked, at most until `until`, for a nap if there are any, or until the deadline of a token: no thread may have
/// been had to watch that. Once it has passed, whoever watches it is about to unpark.
pub(super) fn park<'a>(
    until: Option<Instant>,
    naps: Option<&mut Naps>,
    tokens: impl IntoIterator<Item = &'a CancellationToken>,
) {
    let at = tokens.into_iter().filter_map(CancellationToken::wake_at).chain(until).min();
    let left = at.map(|at| at.saturating_duration_since(time::now()));
    match left.into_iter().chain(naps.map(Naps::next)).min() {
        None => thread::park(),
        Some(time) => thread::park_timeout(time),
    }
}
