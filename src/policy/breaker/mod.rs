//! Calls to something that may be down: a breaker that refuses them for a while when too many fail, and then tries a few.

mod builder;
mod call;
mod change;
mod circuit_breaker;
mod core;
mod counting;
mod error;
mod permit;
mod probes;
mod report;
mod settings;
mod state;
mod tally;
mod teller;
mod window;

pub use builder::CircuitBreakerBuilder;
pub use change::BreakerChange;
pub use circuit_breaker::CircuitBreaker;
pub use counting::CountingBreaker;
pub use error::{BreakerError, BreakerOpen};
pub use permit::BreakerPermit;
pub use report::BreakerReport;
pub use state::BreakerState;
