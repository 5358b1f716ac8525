//! Thread locals per task, and process statics per execution.

use std::fmt;

/// The value of a thread local cannot be had: it is destroyed, or no task runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccessError;

impl fmt::Display for AccessError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the thread local is destroyed, or no task runs")
    }
}

impl std::error::Error for AccessError {}

/// A value of which every task has its own.
///
/// Unlike shuttle's own key, [`try_with`](Self::try_with) answers an error outside of an execution instead of
/// panicking: the process's panic hook asks, and it runs there too.
pub struct LocalKey<T: 'static> {
    inner: &'static shuttle::thread::LocalKey<T>,
}

impl<T: 'static> LocalKey<T> {
    #[doc(hidden)]
    pub const fn new(inner: &'static shuttle::thread::LocalKey<T>) -> Self {
        Self { inner }
    }

    /// Runs `look` on this task's value.
    ///
    /// # Panics
    /// Outside of an execution, and when the value is already destroyed.
    pub fn with<R>(&'static self, look: impl FnOnce(&T) -> R) -> R {
        self.inner.with(look)
    }

    /// Runs `look` on this task's value.
    ///
    /// # Errors
    /// There is none: the value is already destroyed, or no task runs.
    pub fn try_with<R>(&'static self, look: impl FnOnce(&T) -> R) -> Result<R, AccessError> {
        if shuttle::current::try_get_current_task().is_none() {
            return Err(AccessError);
        }
        self.inner.try_with(look).map_err(|_| AccessError)
    }
}

impl<T: 'static> fmt::Debug for LocalKey<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("LocalKey").finish_non_exhaustive()
    }
}

/// `std::thread_local!`, per task.
#[macro_export]
#[doc(hidden)]
macro_rules! __shuttle_thread_local {
    () => {};
    ($(#[$attribute:meta])* $visibility:vis static $name:ident: $type:ty = const $init:block $(; $($rest:tt)*)?) => {
        $crate::__shuttle_thread_local!($(#[$attribute])* $visibility static $name: $type = $init $(; $($rest)*)?);
    };
    ($(#[$attribute:meta])* $visibility:vis static $name:ident: $type:ty = $init:expr $(; $($rest:tt)*)?) => {
        $(#[$attribute])*
        $visibility static $name: $crate::sync::LocalKey<$type> = {
            ::shuttle::thread_local!(static KEY: $type = $init);
            $crate::sync::LocalKey::new(&KEY)
        };
        $($crate::__shuttle_thread_local!($($rest)*);)?
    };
}

/// A value of which every execution has its own, made on first use.
#[macro_export]
#[doc(hidden)]
macro_rules! __process_static {
    ($(#[$attribute:meta])* static $name:ident: $type:ty = $init:expr;) => {
        ::shuttle::lazy_static! {
            $(#[$attribute])*
            static ref $name: $type = $init;
        }
    };
}
