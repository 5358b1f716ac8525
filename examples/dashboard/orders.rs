//! The batch: orders that ask the bureau, under policies, and are rated.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use gristmill::pipeline::{ErrorLog, PipelineMonitor};
use gristmill::{
    Backoff, CancellationToken, CircuitBreaker, Jitter, Nest, Pipeline, PipelineError, PolicyError,
    RateLimiter, Report, Retry,
};

use crate::bureau::{self, Bureau, Trouble};

/// Calls under way at once, at most.
const THREADS: usize = 8;

/// With more failures than that something else is wrong, and the run ends.
const MOST_FAILURES: usize = 1000;

/// The parts that can be looked at; clones show the same.
#[derive(Clone, Debug)]
pub(crate) struct Batch {
    pub(crate) monitor: PipelineMonitor,
    pub(crate) limiter: RateLimiter,
    pub(crate) breaker: CircuitBreaker,
    pub(crate) retry: Retry,
}

/// What came of all orders.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// How many got each rating, 0 to 4.
    pub(crate) ratings: [u64; 5],
    /// Whose customer is not known.
    pub(crate) unknown: usize,
    /// For which all attempts failed.
    pub(crate) given_up: usize,
    pub(crate) report: Report,
}

impl Batch {
    pub(crate) fn new() -> Result<Self, Box<dyn Error>> {
        Ok(Self {
            monitor: PipelineMonitor::new(),
            // What the bureau's owner asked for.
            limiter: RateLimiter::builder(2500, Duration::from_secs(1)).burst(25).build()?,
            breaker: CircuitBreaker::builder()
                .count_window(40)
                .minimum_calls(20)
                .failure_rate(0.5)
                .slow_calls(Duration::from_millis(10), 0.5)
                .open_time(Duration::from_millis(50))
                .probes(4)
                .build()?,
            retry: Retry::builder()
                .attempts(12)
                .backoff(Backoff::Exponential { first: Duration::from_millis(5), factor: 2.0 })
                .longest_delay(Duration::from_millis(100))
                .jitter(Jitter::Equal)
                .build()?,
        })
    }

    /// Runs so many orders.
    pub(crate) fn run(
        &self,
        orders: u64,
        token: &CancellationToken,
    ) -> Result<Outcome, PipelineError<PolicyError<Trouble>>> {
        let bureau = Arc::new(Bureau::open());
        let log = ErrorLog::new(MOST_FAILURES);
        // An attempt waits for the rate, asks the breaker, and calls.
        let policy = self
            .retry
            .clone()
            .around(self.limiter.clone())
            .around(self.breaker.counting(Trouble::is_failure))
            .terminal_if(Trouble::is_terminal);
        let (ratings, report) = Pipeline::from_iter(0..orders)
            .monitored_by(&self.monitor)
            .try_blocking_under("ask", THREADS, policy, move |order: &u64, attempt| {
                Ok((*order, bureau.score(*order, attempt)?))
            })
            .collect_errors(&log)
            .map("rate", |(order, score)| bureau::rate(order, score))
            .fold("count", [0; 5], |mut ratings: [u64; 5], rating| {
                ratings[usize::try_from(rating).unwrap_or(0)] += 1;
                ratings
            })
            .run(token)?;
        let failed = log.take();
        let unknown = failed.iter().filter(|failed| failed.error.work().is_some_and(Trouble::is_terminal));
        let unknown = unknown.count();
        Ok(Outcome { ratings, unknown, given_up: failed.len() - unknown, report })
    }
}
