//! The states, and the one word that holds the state and its number.

use std::fmt;

/// What a [`CircuitBreaker`](super::CircuitBreaker) does with calls.
///
/// ```
/// use gristmill::{BreakerState, CircuitBreaker};
///
/// let breaker = CircuitBreaker::new();
/// assert_eq!(breaker.state(), BreakerState::Closed);
/// breaker.force_open();
/// assert_eq!(breaker.state(), BreakerState::ForcedOpen);
/// breaker.reset();
/// assert_eq!(breaker.state(), BreakerState::Closed);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BreakerState {
    /// Lets all calls through, and watches how they end.
    Closed,
    /// Refuses all calls until its time is over; the first one after that makes it half-open.
    Open,
    /// Lets its probes through, and refuses the rest until they decide.
    HalfOpen,
    /// Refuses all calls, until it is told otherwise.
    ForcedOpen,
    /// Lets all calls through, and counts nothing.
    Disabled,
    /// Lets all calls through and counts them, and never opens.
    ObserveOnly,
}

impl fmt::Display for BreakerState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half-open",
            Self::ForcedOpen => "forced open",
            Self::Disabled => "disabled",
            Self::ObserveOnly => "observe-only",
        })
    }
}

/// A state, and which one it is since the breaker was made: the generation, which no later state shares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Word(u64);

/// The low bits, which hold the state; 2^61 changes fit above them.
const BITS: u32 = 3;

impl Word {
    pub(super) const fn first() -> Self {
        Self(code(BreakerState::Closed))
    }

    /// That of the next generation.
    pub(super) const fn next(self, state: BreakerState) -> Self {
        Self((((self.0 >> BITS) + 1) << BITS) | code(state))
    }

    pub(super) const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    pub(super) const fn bits(self) -> u64 {
        self.0
    }

    #[inline]
    pub(super) const fn state(self) -> BreakerState {
        match self.0 & ((1 << BITS) - 1) {
            0 => BreakerState::Closed,
            1 => BreakerState::Open,
            2 => BreakerState::HalfOpen,
            3 => BreakerState::ForcedOpen,
            4 => BreakerState::Disabled,
            _ => BreakerState::ObserveOnly,
        }
    }
}

const fn code(state: BreakerState) -> u64 {
    match state {
        BreakerState::Closed => 0,
        BreakerState::Open => 1,
        BreakerState::HalfOpen => 2,
        BreakerState::ForcedOpen => 3,
        BreakerState::Disabled => 4,
        BreakerState::ObserveOnly => 5,
    }
}
