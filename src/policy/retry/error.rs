//! What can be wrong with the settings of a retry.

/// Why the settings of a [`Retry`](super::Retry) were refused; nothing was made.
///
/// ```
/// use gristmill::{Retry, RetryBuildError};
///
/// let error = Retry::new(0).unwrap_err();
/// assert!(matches!(error, RetryBuildError::ZeroAttempts));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RetryBuildError {
    /// No attempts: the first one counts.
    #[error("zero attempts would run nothing, ever: the first one counts")]
    ZeroAttempts,
    /// A time of zero for the whole call.
    #[error("a total time of zero would run nothing, ever")]
    ZeroTotalTimeout,
    /// A factor that is infinite or not a number.
    #[error("a backoff cannot grow by the factor {factor}: it is not a finite number")]
    FactorNotFinite {
        /// The factor that was asked for.
        factor: f64,
    },
    /// A factor below 1, negative ones included.
    #[error("a backoff cannot grow by the factor {factor}: it is below 1")]
    FactorBelowOne {
        /// The factor that was asked for.
        factor: f64,
    },
}
