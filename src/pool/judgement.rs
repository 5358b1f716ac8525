//! Which results count as failures.

/// Says which results count as failed, in the counts of a pool and for the keys of its tasks. Sealed: [`AnyResult`] and
/// [`ErrFails`] are all there are.
pub trait Judgement<T>: sealed::Sealed {
    /// Whether that result is a failure.
    #[doc(hidden)]
    fn is_failure(result: &T) -> bool;
}

/// Whatever a task returns is a success.
#[derive(Clone, Copy, Debug)]
pub struct AnyResult;

/// A task that returns `Err` has failed; see [`TaskOptions::fallible`](super::TaskOptions::fallible).
#[derive(Clone, Copy, Debug)]
pub struct ErrFails;

impl<T> Judgement<T> for AnyResult {
    fn is_failure(_: &T) -> bool {
        false
    }
}

impl<T, E> Judgement<Result<T, E>> for ErrFails {
    fn is_failure(result: &Result<T, E>) -> bool {
        result.is_err()
    }
}

mod sealed {
    /// What users cannot name.
    pub trait Sealed {}
    impl Sealed for super::AnyResult {}
    impl Sealed for super::ErrFails {}
}
