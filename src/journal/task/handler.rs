//! A handler: a function whose results are recorded.

use std::fmt;
use std::sync::Arc;

use super::context::CallContext;
use super::failure::HandlerError;
use super::options::HandlerOptions;
use super::shared::{Pace, Shared};
use crate::journal::scope_run::ScopeRun;

/// A function whose results are recorded, with its name and version; made by [`Scope::handler`](crate::journal::Scope::handler). Clones are the same
/// handler.
///
/// [`submit`](Self::submit) has a pool run it, [`call`](Self::call) runs it here.
///
/// A task may run more than once: a process that dies after the function has returned and before the result is recorded leaves no trace of it. So its
/// effects, other than its result, must be such that doing them twice is the same as once.
pub struct Handler<I, T> {
    pub(super) shared: Arc<Shared<I, T>>,
}

impl<I, T> Handler<I, T> {
    pub(in crate::journal) fn new(
        scope: &Arc<ScopeRun>,
        options: HandlerOptions<T>,
        name: &str,
        version: u32,
        function: impl Fn(&CallContext<'_>, &I) -> Result<T, HandlerError> + Send + Sync + 'static,
    ) -> Self {
        let job = scope.core.job(&scope.name, name, version);
        let (scope, function) = (Arc::clone(scope), Box::new(function));
        Self {
            shared: Arc::new(Shared {
                scope,
                name: name.into(),
                version,
                job,
                function,
                options,
                pace: Pace::default(),
            }),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// Its version.
    pub fn version(&self) -> u32 {
        self.shared.version
    }
}

impl<I, T> Clone for Handler<I, T> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<I, T> fmt::Debug for Handler<I, T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Handler")
            .field("name", &self.shared.name)
            .field("version", &self.shared.version)
            .finish_non_exhaustive()
    }
}
