//! Changes of state, and how they are told.

use std::fmt;
use std::sync::Arc;

use super::state::BreakerState;
use crate::panics;
use crate::sync::time::Instant;

/// A change of a [`CircuitBreaker`](super::CircuitBreaker)'s state.
///
/// ```
/// use gristmill::{BreakerState, CircuitBreaker};
///
/// let (tell, told) = std::sync::mpsc::channel();
/// let breaker = CircuitBreaker::builder()
///     .on_change(move |change| {
///         let _ = tell.send((change.from, change.to));
///     })
///     .build()?;
/// breaker.force_open();
/// assert_eq!(told.recv()?, (BreakerState::Closed, BreakerState::ForcedOpen));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BreakerChange {
    /// The state before.
    pub from: BreakerState,
    /// The state after.
    pub to: BreakerState,
    /// When, on the breaker's clock.
    pub at: Instant,
}

/// What is called for each change.
#[derive(Clone)]
pub(super) struct OnChange(Arc<dyn Fn(&BreakerChange) + Send + Sync>);

impl OnChange {
    pub(super) fn new(callback: impl Fn(&BreakerChange) + Send + Sync + 'static) -> Self {
        Self(Arc::new(callback))
    }

    /// Calls it; its panic goes to the panic hook and no further.
    pub(super) fn call(&self, change: &BreakerChange) {
        let _ = panics::catch(|| "on_change of a circuit breaker", || (self.0)(change));
    }
}

impl fmt::Debug for OnChange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("OnChange")
    }
}
