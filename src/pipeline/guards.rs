//! The stages whose closures run under policies: retry, breaker, rate, bulkhead, time limit.

use std::borrow::Cow;

use crate::policy::{Attempt, Policy, PolicyError};

use super::blocks::Blocking;
use super::builder::Pipeline;
use super::calls::Fallible;
use super::error_policy::Stop;
use super::guarded::Guarded;
use super::plan::Also;
use super::report::StageKind;
use super::step::{Judged, Then};

impl<P, S, T, M> Pipeline<P, S, T, M> {
    /// As [`try_map`](Self::try_map), with each item's calls under `policy`.
    ///
    /// The closure borrows the item, so that it can be called again. What comes out of the policy in the end is the stage's error, a
    /// [`PolicyError`]: an [error policy](Self::skip_errors) that follows says what becomes of the item. As all stages of a pipeline share one error
    /// type, others bring theirs to it by `map_err(PolicyError::Work)`.
    ///
    /// Not for policies that wait: the worker waits with them, while it could compute. Such calls belong in
    /// [`try_blocking_under`](Self::try_blocking_under).
    ///
    /// # Examples
    /// ```
    /// use gristmill::{CancellationToken, Pipeline, Semaphore};
    ///
    /// let two_at_once = Semaphore::new(2); // such calls take much memory
    /// let (numbers, _) = Pipeline::from_iter(["1", "2", "3"])
    ///     .try_map_under("parse", two_at_once, |text, _| text.parse::<u32>())
    ///     .collect::<Vec<_>>()
    ///     .run(&CancellationToken::new())?;
    /// assert_eq!(numbers, [1, 2, 3]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Cancellation
    /// A wait of the policy ends when the run does, whatever ended it; the stage counts the item as failed then, and the run's error is what ended
    /// it. The closure finds the run's token in its attempt.
    #[allow(clippy::type_complexity)] // like an iterator adaptor's
    pub fn try_map_under<Q, U, E, F>(
        self,
        name: impl Into<Cow<'static, str>>,
        policy: Q,
        call: F,
    ) -> Pipeline<P, Then<S, Judged<Guarded<Q, F>>>, U, M::With>
    where
        Q: Policy<E> + Send + Sync,
        F: Fn(&T, Attempt<'_>) -> Result<U, E> + Send + Sync,
        M: Also<PolicyError<E>>,
    {
        self.then(name, StageKind::Parallel, |stage| Judged {
            stage,
            attempt: Guarded { policy, call },
            policy: Stop,
        })
    }

    /// As [`try_blocking`](Self::try_blocking), with each item's calls under `policy`: what talks to others, and has to wait and try again.
    ///
    /// As for [`try_map_under`](Self::try_map_under), the closure borrows the item and the stage's error is a [`PolicyError`].
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use gristmill::{CancellationToken, Nest, Pipeline, RateLimiter, Semaphore};
    ///
    /// let polite = RateLimiter::builder(1000, Duration::from_secs(1)).burst(10).build()?.around(Semaphore::new(2));
    /// let (lengths, _) = Pipeline::from_iter(["a", "bb"])
    ///     .try_blocking_under("ask", 4, polite, |word, _| Ok::<_, std::io::Error>(word.len()))
    ///     .collect::<Vec<_>>()
    ///     .run(&CancellationToken::new())?;
    /// assert_eq!(lengths, [1, 2]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Cancellation
    /// As for [`try_map_under`](Self::try_map_under).
    #[allow(clippy::type_complexity)] // like an iterator adaptor's
    pub fn try_blocking_under<Q, U, E, F>(
        self,
        name: impl Into<Cow<'static, str>>,
        threads: usize,
        policy: Q,
        call: F,
    ) -> Blocking<P, S, Fallible<Guarded<Q, F>>, U, M::With>
    where
        Q: Policy<E> + Send + Sync,
        F: Fn(&T, Attempt<'_>) -> Result<U, E> + Send + Sync,
        M: Also<PolicyError<E>>,
    {
        let call = Fallible { call: Guarded { policy, call }, policy: Stop };
        self.block_on("try_blocking_under", name, threads, call, true)
    }

    /// As [`try_blocking_under`](Self::try_blocking_under), but a result goes on as soon as it is there: an item that is tried again holds up
    /// no other.
    ///
    /// # Cancellation
    /// As for [`try_map_under`](Self::try_map_under).
    #[allow(clippy::type_complexity)] // like an iterator adaptor's
    pub fn try_blocking_unordered_under<Q, U, E, F>(
        self,
        name: impl Into<Cow<'static, str>>,
        threads: usize,
        policy: Q,
        call: F,
    ) -> Blocking<P, S, Fallible<Guarded<Q, F>>, U, M::With>
    where
        Q: Policy<E> + Send + Sync,
        F: Fn(&T, Attempt<'_>) -> Result<U, E> + Send + Sync,
        M: Also<PolicyError<E>>,
    {
        let call = Fallible { call: Guarded { policy, call }, policy: Stop };
        self.block_on("try_blocking_unordered_under", name, threads, call, false)
    }
}
