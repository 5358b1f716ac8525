//! Chance in the pauses, so that those who failed together do not come back together.

use std::hash::{BuildHasher, Hasher, RandomState};

use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::time::Duration;

/// How much of a pause is left to chance.
///
/// Callers that failed at the same moment otherwise come back at the same moment, and fail again. The names are those of
/// Marc Brooker's "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015), which found that full jitter needs the
/// fewest attempts.
///
/// ```
/// use std::time::Duration;
/// use gristmill::{Backoff, Jitter, Policy, Retry};
///
/// let retry = Retry::builder()
///     .attempts(2)
///     .backoff(Backoff::Constant(Duration::from_micros(10)))
///     .jitter(Jitter::None) // exactly so long, for all callers
///     .build()?;
/// let _ = retry.call(|_| Err::<(), _>("busy"));
/// assert_eq!(retry.report().retries, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Jitter {
    /// The pause as it is.
    None,
    /// Half of the pause, and up to half of it on top: where an attempt at once would be of no use.
    Equal,
    /// Anything from nothing to the whole pause.
    Full,
}

impl Jitter {
    /// A pause of at most `delay`. What chance decides about counts as 584 years (2^64 nanoseconds) if it is longer.
    pub(super) fn apply(self, delay: Duration, random: &Random) -> Duration {
        match self {
            Self::None => delay,
            Self::Equal => delay.saturating_sub(random.up_to(delay / 2)),
            Self::Full => random.up_to(delay),
        }
    }
}

/// Random numbers that several threads draw from, each number once.
///
/// `SplitMix64` of Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators" (OOPSLA 2014): its state only
/// counts up, so that it can be shared without a lock. It passes `BigCrush`, and is nothing for secrets.
#[derive(Debug)]
pub(super) struct Random {
    state: AtomicU64,
}

/// The odd number next to 2^64 divided by the golden ratio.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

impl Random {
    pub(super) fn seeded(seed: u64) -> Self {
        Self { state: AtomicU64::new(seed) }
    }

    /// With another seed each time, of what the standard library seeds its hash maps with. Model runs have to give a seed, or a
    /// replay draws other numbers.
    pub(super) fn new() -> Self {
        Self::seeded(RandomState::new().build_hasher().finish())
    }

    fn next(&self) -> u64 {
        // Relaxed: the number is all there is to it.
        let state = self.state.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Between zero and `most`, both included, each nanosecond alike.
    fn up_to(&self, most: Duration) -> Duration {
        let most = u64::try_from(most.as_nanos()).unwrap_or(u64::MAX);
        // The upper half of a product, so no number of nanoseconds needs a division (Lemire, "Fast Random Integer
        // Generation in an Interval", 2019). Without his rejection: 2^-64 of a bias is nothing to a pause.
        let product = (u128::from(most) + 1) * u128::from(self.next());
        Duration::from_nanos(u64::try_from(product >> 64).unwrap_or(most))
    }
}

#[cfg(all(test, not(any(gristmill_shuttle, gristmill_loom))))]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_paper() {
        // The first outputs of the reference implementation, Vigna's splitmix64.c, for the seed 1234567.
        let random = Random::seeded(1_234_567);
        let numbers = [(); 3].map(|()| random.next());
        assert_eq!(
            numbers,
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]
        );
    }

    #[test]
    fn generators_without_a_seed_differ() {
        assert_ne!(Random::new().next(), Random::new().next());
    }

    #[test]
    fn every_pause_within_the_bounds_occurs_and_no_other() {
        let random = Random::seeded(1);
        let delay = Duration::from_nanos(5);
        for (jitter, least) in [(Jitter::None, 5), (Jitter::Equal, 3), (Jitter::Full, 0)] {
            let mut counts = [0; 6];
            for _ in 0..600 {
                let pause = jitter.apply(delay, &random);
                counts[usize::try_from(pause.as_nanos()).expect("it is small")] += 1;
            }
            assert!(counts[..least].iter().all(|count| *count == 0), "{jitter:?}: {counts:?}");
            assert!(counts[least..].iter().all(|count| *count > 60), "{jitter:?}: {counts:?}");
        }
    }

    #[test]
    fn longest_pauses_do_not_overflow() {
        let random = Random::seeded(1);
        assert_eq!(Jitter::None.apply(Duration::MAX, &random), Duration::MAX);
        assert!(Jitter::Equal.apply(Duration::MAX, &random) >= Duration::MAX / 2);
        assert!(Jitter::Full.apply(Duration::MAX, &random) > Duration::from_nanos(u64::MAX >> 20));
        for jitter in [Jitter::None, Jitter::Equal, Jitter::Full] {
            assert_eq!(jitter.apply(Duration::ZERO, &random), Duration::ZERO);
        }
    }
}
