//! What ships: `parking_lot`, `crossbeam_channel`, the standard library's atomics and threads.

pub use parking_lot::{Condvar, Mutex, MutexGuard};

/// Atomics and fences.
pub mod atomic {
    pub use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence};
}

/// Multi-producer multi-consumer channels.
pub mod channel {
    pub use crossbeam_channel::{
        Receiver, RecvError, RecvTimeoutError, Select, SendError, SendTimeoutError, Sender, TryRecvError,
        TrySendError, bounded,
    };
}

/// Busy-wait hint.
pub mod hint {
    pub use std::hint::spin_loop;
}

/// The clock.
pub mod time {
    pub use std::time::{Duration, Instant};

    /// The current instant.
    #[allow(clippy::disallowed_methods)] // this is the door that the lint points to
    pub fn now() -> Instant {
        Instant::now()
    }
}

/// Threads.
pub mod thread {
    use std::io;
    pub use std::thread::{
        JoinHandle, Scope, ScopedJoinHandle, Thread, ThreadId, current, panicking, park, park_timeout, scope,
        yield_now,
    };

    /// The number of cores this process may use: affinity mask and cgroup quota included, at least 1.
    pub fn available_cores() -> usize {
        num_cpus::get().max(1)
    }

    /// The number of physical cores of the machine, at least 1.
    pub fn physical_cores() -> usize {
        num_cpus::get_physical().max(1)
    }

    /// Starts threads; the only place that does.
    #[derive(Debug, Default)]
    pub struct Builder {
        name: Option<String>,
        stack_size: Option<usize>,
    }

    impl Builder {
        /// A thread without a name and with the platform's stack size.
        pub fn new() -> Self {
            Self::default()
        }

        /// Names the thread.
        #[must_use]
        pub fn name(mut self, name: String) -> Self {
            self.name = Some(name);
            self
        }

        #[must_use]
        /// Sets the stack size in bytes.
        pub fn stack_size(mut self, bytes: usize) -> Self {
            self.stack_size = Some(bytes);
            self
        }

        fn into_std(self) -> std::thread::Builder {
            let mut builder = std::thread::Builder::new();
            if let Some(name) = self.name {
                builder = builder.name(name);
            }
            if let Some(bytes) = self.stack_size {
                builder = builder.stack_size(bytes);
            }
            builder
        }

        /// Starts a thread that owns all it uses.
        ///
        /// # Errors
        /// The platform refused to create the thread; the closure is dropped.
        pub fn spawn<F, T>(self, run: F) -> io::Result<JoinHandle<T>>
        where
            F: FnOnce() -> T + Send + 'static,
            T: Send + 'static,
        {
            self.into_std().spawn(run)
        }

        /// Starts a thread that may borrow from outside the scope.
        ///
        /// # Errors
        /// The platform refused to create the thread; the closure is dropped.
        pub fn spawn_scoped<'scope, 'env, F, T>(
            self,
            scope: &'scope Scope<'scope, 'env>,
            run: F,
        ) -> io::Result<ScopedJoinHandle<'scope, T>>
        where
            F: FnOnce() -> T + Send + 'scope,
            T: Send + 'scope,
        {
            self.into_std().spawn_scoped(scope, run)
        }
    }
}

/// A process-wide value, made on first use (per execution under a model checker).
#[macro_export]
#[doc(hidden)]
macro_rules! __process_static {
    ($(#[$attribute:meta])* static $name:ident: $type:ty = $init:expr;) => {
        $(#[$attribute])*
        static $name: std::sync::LazyLock<$type> = std::sync::LazyLock::new(|| $init);
    };
}
pub use crate::__process_static as process_static;

pub use std::thread_local;
