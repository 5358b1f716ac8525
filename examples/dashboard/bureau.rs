//! The service that every order asks: slow now and then, busy now and then, and down for a while.

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use gristmill::{Attempt, Cancelled};

/// What a usual answer takes, and a slow one.
const USUAL: Duration = Duration::from_millis(1);
const SLOW: Duration = Duration::from_millis(15);
/// It is down from the first of these on until the second, in every period.
const OUTAGE: (Duration, Duration) = (Duration::from_millis(400), Duration::from_millis(700));
const PERIOD: Duration = Duration::from_secs(2);
/// How long a cancelled call may take to notice.
const STEP: Duration = Duration::from_millis(5);

/// Why there was no score.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Trouble {
    /// Nothing to be done about: the customer is not known.
    #[error("customer {0} is not known")]
    Unknown(u64),
    /// Worth another attempt.
    #[error("the bureau is busy")]
    Busy,
    /// Worth another attempt, and worth leaving it alone.
    #[error("the bureau is down")]
    Down,
    /// Told to end.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

impl Trouble {
    /// Whether asking again cannot help.
    pub(crate) fn is_terminal(&self) -> bool {
        matches!(self, Self::Unknown(_))
    }

    /// Whether it says something about the bureau's health.
    pub(crate) fn is_failure(&self) -> bool {
        matches!(self, Self::Busy | Self::Down)
    }
}

#[derive(Debug)]
pub(crate) struct Bureau {
    opened: Instant,
    calls: AtomicU64,
}

impl Bureau {
    pub(crate) fn open() -> Self {
        Self { opened: Instant::now(), calls: AtomicU64::new(0) }
    }

    fn is_down(&self) -> bool {
        let into = self.opened.elapsed().as_millis() % PERIOD.as_millis();
        (OUTAGE.0.as_millis()..OUTAGE.1.as_millis()).contains(&into)
    }

    /// Customers that it does not know: one in 401.
    pub(crate) fn knows(order: u64) -> bool {
        order % 401 != 400
    }

    /// The credit score of who gave the order.
    pub(crate) fn score(&self, order: u64, attempt: Attempt<'_>) -> Result<u64, Trouble> {
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        rest(if call % 90 == 45 { SLOW } else { USUAL }, attempt)?;
        match call {
            _ if self.is_down() => Err(Trouble::Down),
            _ if call % 23 == 7 => Err(Trouble::Busy),
            _ if Self::knows(order) => Ok(order * 37 % 1000),
            _ => Err(Trouble::Unknown(order)),
        }
    }
}

/// Waits as an answer of the network is waited for, and ends when it is told to.
fn rest(time: Duration, attempt: Attempt<'_>) -> Result<(), Cancelled> {
    let mut left = time;
    while !left.is_zero() {
        attempt.check()?;
        let step = left.min(STEP);
        thread::sleep(step);
        left -= step;
    }
    Ok(())
}

/// What an order takes to be rated, on a core: some ten microseconds, and a millisecond for one in two hundred.
pub(crate) fn rate(order: u64, score: u64) -> u64 {
    let rounds = if order % 200 == 0 { 300_000 } else { 3_000 };
    (0..rounds).fold(score, |state, round| black_box(state.wrapping_mul(6_364_136_223_846_793_005) ^ round))
        % 5
}
