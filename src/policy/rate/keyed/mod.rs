//! The same rate for each of many keys, in bounded memory.

mod builder;
mod core;
mod entry;
mod key_rate;
mod limiter;
mod report;
mod room;
mod state;
mod table;

pub use builder::KeyedRateLimiterBuilder;
pub use key_rate::KeyRate;
pub use limiter::KeyedRateLimiter;
pub use report::KeyedRateReport;
