//! What a rate limiter may give, as an oracle: in every window at most the burst and what the rate gives meanwhile.

use std::time::Instant;

use proptest::prelude::*;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    pub(crate) permits: u32,
    /// In nanoseconds.
    pub(crate) per: u64,
    pub(crate) burst: u32,
}

impl Limit {
    /// The most that may be taken in a window of so many nanoseconds, its end excluded.
    pub(crate) fn most(self, window: u128) -> u128 {
        u128::from(self.burst) + (window * u128::from(self.permits)).div_ceil(self.per.into()) - 1
    }
}

/// Permits that were taken and kept, with their instants.
#[derive(Debug, Default)]
pub(crate) struct Kept(pub(crate) Vec<(Instant, u32)>);

impl Kept {
    /// Every window that begins with one take and ends just after another.
    pub(crate) fn check(&mut self, limit: Limit) -> Result<(), TestCaseError> {
        self.0.sort();
        for (first, (start, _)) in self.0.iter().enumerate() {
            let mut taken = 0;
            for (end, permits) in &self.0[first..] {
                taken += u128::from(*permits);
                let window = (*end - *start).as_nanos() + 1;
                prop_assert!(
                    taken <= limit.most(window),
                    "{taken} in {window} ns, with {limit:?}: {:?}",
                    self.0
                );
            }
        }
        Ok(())
    }
}
