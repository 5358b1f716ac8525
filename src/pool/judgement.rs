//! Which results count as failures.

/// Says which results count as failed, in the counts of a pool and for the keys of its tasks. Sealed: [`AnyResult`] and
/// [`ErrFails`] are all there are.
///
/// ```
/// use gristmill::pool::Judgement;
/// use gristmill::{SubmitError, TaskHandle, TaskOptions, ThreadPool};
///
/// fn answer<J: Judgement<Option<u32>> + 'static>(options: TaskOptions<'_, 'static, (), J>) -> Option<u32> {
///     options.submit(|_| Some(42)).ok()?.wait().ok()?
/// }
/// let pool = ThreadPool::new()?;
/// assert_eq!(answer(pool.task()), Some(42));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Judgement<T>: sealed::Sealed {
    /// Whether that result is a failure.
    #[doc(hidden)]
    fn is_failure(result: &T) -> bool;
}

/// Whatever a task returns is a success.
///
/// ```
/// use gristmill::pool::AnyResult;
/// use gristmill::{TaskOptions, ThreadPool};
///
/// let pool = ThreadPool::new()?;
/// let options: TaskOptions<'_, 'static, (), AnyResult> = pool.task();
/// assert!(options.submit(|_| "x".parse::<u32>())?.wait()?.is_err());
/// pool.wait()?;
/// assert_eq!((pool.snapshot().succeeded(), pool.snapshot().failed()), (1, 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct AnyResult;

/// A task that returns `Err` has failed; see [`TaskOptions::fallible`](super::TaskOptions::fallible).
///
/// ```
/// use gristmill::pool::ErrFails;
/// use gristmill::{TaskOptions, ThreadPool};
///
/// let pool = ThreadPool::new()?;
/// let options: TaskOptions<'_, 'static, (), ErrFails> = pool.task().fallible();
/// assert!(options.submit(|_| "x".parse::<u32>())?.wait()?.is_err());
/// pool.wait()?;
/// assert_eq!((pool.snapshot().succeeded(), pool.snapshot().failed()), (0, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
