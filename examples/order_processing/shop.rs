//! The services that the shop asks: simulated calls, which wait and can be stopped.

use std::sync::Arc;
use std::time::Duration;

use gristmill::{CancellationToken, Cancelled, TaskError};

use crate::journal::Journal;

/// How long a call takes that nobody should wait for.
pub(crate) const SLOW: Duration = Duration::from_secs(30);

/// A service, how long a call of it takes, and what it answers.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) name: &'static str,
    pub(crate) takes: Duration,
    pub(crate) answer: Result<u32, &'static str>,
}

/// Why a call gave no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    #[error("{service}: {problem}")]
    Failed { service: &'static str, problem: &'static str },
    #[error("{service} had not answered")]
    Stopped { service: &'static str, source: Cancelled },
    #[error("{service} was not asked: {reason}")]
    NotAsked { service: &'static str, reason: Arc<str> },
    /// The call panicked, or its task never started.
    #[error(transparent)]
    Task(#[from] TaskError),
}

impl Service {
    fn new(name: &'static str, milliseconds: u64, answer: u32) -> Self {
        Self { name, takes: Duration::from_millis(milliseconds), answer: Ok(answer) }
    }

    pub(crate) fn fails(&mut self, problem: &'static str) {
        self.answer = Err(problem);
    }

    /// Asks the service; ends early when the token is cancelled.
    pub(crate) fn call(&self, journal: &Journal, token: &CancellationToken) -> Result<u32, CallError> {
        let service = self.name;
        journal.record(service, || {
            token.sleep(self.takes).map_err(|source| CallError::Stopped { service, source })?;
            self.answer.map_err(|problem| CallError::Failed { service, problem })
        })
    }
}

/// All services: warehouses answer how many units they have, payment the number of a receipt, the fraud check a
/// suspicion from 0 to 100, carriers a price in cents.
#[derive(Debug)]
pub(crate) struct Shop {
    pub(crate) warehouses: [Service; 3],
    pub(crate) payment: Service,
    pub(crate) fraud: Service,
    /// In the order of preference.
    pub(crate) carriers: [Service; 2],
}

impl Shop {
    pub(crate) fn on_a_good_day() -> Self {
        Self {
            warehouses: [
                Service::new("north", 50, 3),
                Service::new("south", 80, 4),
                Service::new("west", 60, 2),
            ],
            payment: Service::new("payment", 90, 7042),
            fraud: Service::new("fraud", 70, 12),
            carriers: [Service::new("swift", 40, 490), Service::new("steady", 50, 350)],
        }
    }

    /// How many calls of one order run at once: all but that of the second carrier, which stands in for the first.
    pub(crate) fn calls_at_once(&self) -> usize {
        self.services().count() - 1
    }

    pub(crate) fn services(&self) -> impl Iterator<Item = &Service> + Clone {
        self.warehouses.iter().chain([&self.payment, &self.fraud]).chain(&self.carriers)
    }

    pub(crate) fn everybody_is_slow(&mut self) {
        let singles = [&mut self.payment, &mut self.fraud];
        for service in self.warehouses.iter_mut().chain(singles).chain(&mut self.carriers) {
            service.takes = SLOW;
        }
    }
}
