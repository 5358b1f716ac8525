//! So many starts in so much time: a limiter that is exact, first come first served, and can be left at any time.

mod builder;
mod core;
mod error;
mod gcra;
mod keyed;
mod limiter;
mod line;
mod queue;
mod report;
mod reservation;
mod setting;
mod time;
mod wait;

pub use builder::RateLimiterBuilder;
pub use error::{RateError, RateLimited};
pub use keyed::{KeyRate, KeyedRateLimiter, KeyedRateLimiterBuilder, KeyedRateReport};
pub use limiter::RateLimiter;
pub use report::RateReport;
pub use reservation::Reservation;
