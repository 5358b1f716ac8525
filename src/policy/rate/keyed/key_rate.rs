//! One key of a limiter, to be put around work.

use std::fmt;

use super::limiter::KeyedRateLimiter;

/// The rate of one key, as a [`Policy`](crate::Policy): each run takes a permit of the key first, and waits for its turn.
///
/// Made by [`KeyedRateLimiter::key`].
///
/// ```
/// use std::time::Duration;
/// use gristmill::{KeyedRateLimiter, Policy};
///
/// let tenants = KeyedRateLimiter::<String>::new(1000, Duration::from_secs(1), 10_000)?;
/// let north = tenants.key("north".to_owned());
/// assert_eq!(north.key(), "north");
/// assert_eq!(north.call(|_| "42".parse::<u32>())?, 42);
/// assert_eq!(north.limiter().report().rate.acquired, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct KeyRate<K> {
    limiter: KeyedRateLimiter<K>,
    key: K,
}

impl<K> KeyRate<K> {
    /// The limiter of all keys.
    pub fn limiter(&self) -> &KeyedRateLimiter<K> {
        &self.limiter
    }

    /// Whose rate it is.
    pub fn key(&self) -> &K {
        &self.key
    }
}

impl<K> KeyedRateLimiter<K> {
    /// The rate of one key, to be put around work.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use gristmill::{KeyedRateLimiter, Nest, Policy, Semaphore};
    ///
    /// let tenants = KeyedRateLimiter::<String>::new(1000, Duration::from_secs(1), 10_000)?;
    /// let policy = tenants.key("north".to_string()).around(Semaphore::new(4)); // a turn first, then a place
    /// assert_eq!(policy.call(|_| "42".parse::<u32>())?, 42);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn key(&self, key: K) -> KeyRate<K> {
        KeyRate { limiter: self.clone(), key }
    }
}

impl<K: Clone> Clone for KeyRate<K> {
    fn clone(&self) -> Self {
        Self { limiter: self.limiter.clone(), key: self.key.clone() }
    }
}

// By hand: keys need not be shown.
impl<K> fmt::Debug for KeyRate<K> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("KeyRate").field("limiter", &self.limiter).finish_non_exhaustive()
    }
}
