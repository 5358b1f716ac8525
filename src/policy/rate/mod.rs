//! So many starts in so much time: a limiter that is exact, first come first served, and can be left at any time.

mod builder;
mod core;
mod error;
mod gcra;
mod limiter;
mod report;
mod reservation;

pub use builder::RateLimiterBuilder;
pub use error::{RateError, RateLimited};
pub use limiter::RateLimiter;
pub use report::RateReport;
pub use reservation::Reservation;
