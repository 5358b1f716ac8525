//! The clock of a limiter.

use std::sync::Arc;

use crate::clock::{Clock, SystemClock};
use crate::sync::time::{self, Instant};

/// A clock, of which the system's is read without a call through a table: that call, and what the compiler does not see through for it, was
/// a fifth of all that a permit costs.
#[derive(Clone, Debug)]
pub(super) struct Time {
    clock: Arc<dyn Clock>,
    is_system: bool,
}

impl Time {
    pub(super) fn system() -> Self {
        Self { clock: Arc::new(SystemClock), is_system: true }
    }

    pub(super) fn of(clock: impl Clock + 'static) -> Self {
        Self { clock: Arc::new(clock), is_system: false }
    }

    #[inline]
    pub(super) fn now(&self) -> Instant {
        if self.is_system { time::now() } else { self.clock.now() }
    }

    pub(super) fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }
}
