//! Starting threads: the only place that does, whatever the configuration.

use std::io;

use super::backend::thread::{self as backend, JoinHandle, Scope, ScopedJoinHandle};

/// Starts threads, and says when it cannot.
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

    /// Sets the stack size in bytes; models ignore it and take their own.
    #[must_use]
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.stack_size = Some(bytes);
        self
    }

    /// Starts a thread that owns all it uses.
    ///
    /// # Errors
    /// The thread could not be created; the closure is dropped.
    ///
    /// # Panics
    /// If the name holds a NUL byte, as `std` does.
    pub fn spawn<F, T>(self, run: F) -> io::Result<JoinHandle<T>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        #[cfg(any(test, gristmill_shuttle, gristmill_loom, gristmill_model_std))]
        super::fault::count_spawn()?;
        backend::start(self.name, self.stack_size, run)
    }

    /// Starts a thread that may borrow from outside the scope.
    ///
    /// # Errors
    /// The thread could not be created (under loom: always, since loom has no scopes); the closure is dropped.
    ///
    /// # Panics
    /// If the name holds a NUL byte, as `std` does.
    pub fn spawn_scoped<'scope, 'env, F, T>(
        self,
        scope: &'scope Scope<'scope, 'env>,
        run: F,
    ) -> io::Result<ScopedJoinHandle<'scope, T>>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        #[cfg(any(test, gristmill_shuttle, gristmill_loom, gristmill_model_std))]
        super::fault::count_spawn()?;
        backend::start_scoped(self.name, self.stack_size, scope, run)
    }
}
