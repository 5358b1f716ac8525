//! A scope: one batch by its name, and one run of it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::builder::Journal;
use super::counts::Counts;
use super::scope_run::ScopeRun;
use super::task::{CallContext, DurableTimer, Handler, HandlerError, HandlerOptions, RefusedCall};
use crate::sync::atomic::Ordering;

/// One batch in a journal, by its name, and one run of it: made by [`Journal::scope`]. Clones are the same run.
///
/// Within a run every key is used once for each handler. Asking the journal for the scope again begins another run, in which what is recorded is told
/// again, as it is after a restart.
#[derive(Clone)]
pub struct Scope {
    shared: Arc<ScopeRun>,
}

/// What a run of a scope has done so far.
///
/// ```
/// use gristmill::journal::Journal;
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("squares.journal");
/// let journal = Journal::open(path)?;
/// for is_first in [true, false] {
///     let scope = journal.scope("squares"); // each is a run of its own
///     scope.handler("square", 1, |_, number: &u64| Ok(number * number)).call("seven", 7)?;
///     let report = scope.report();
///     assert_eq!((report.run, report.replayed), if is_first { (1, 0) } else { (0, 1) });
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ScopeReport {
    /// Tasks whose record was read and told, without running anything.
    pub replayed: u64,
    /// Tasks that came to something that is recorded now: they ran, or were set aside for their crashes.
    pub run: u64,
    /// Tasks that were begun and left no record: they failed in a way that may be tried again, were cancelled, or have a result that cannot be
    /// recorded; or the journal had failed or was closed, before they ran or after.
    pub unrecorded: u64,
}

impl fmt::Display for ScopeReport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} replayed, {} run", self.replayed, self.run)?;
        if self.unrecorded > 0 {
            write!(formatter, ", {} not recorded", self.unrecorded)?;
        }
        Ok(())
    }
}

impl Journal {
    /// Begins a run of the batch of that name.
    pub fn scope(&self, name: impl Into<Arc<str>>) -> Scope {
        let core = Arc::clone(self.core());
        let run = core.begin_run();
        Scope { shared: Arc::new(ScopeRun { core, name: name.into(), run, counts: Arc::default() }) }
    }
}

impl Scope {
    /// A handler: a function whose results are recorded. Raise `version` when the code's meaning has changed: tasks recorded with another version run
    /// again.
    ///
    /// The input and the result are encoded with `postcard`: their types must decode to what was encoded, which rules out
    /// `#[serde(untagged)]`, `#[serde(flatten)]` and `skip_serializing_if`. An input that holds a `HashMap` changes its encoding from run to run; use
    /// a `BTreeMap`.
    ///
    /// ```
    /// use gristmill::ThreadPool;
    /// use gristmill::journal::Journal;
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("lengths.journal");
    /// let pool = ThreadPool::new()?;
    /// for is_first in [true, false] {
    ///     let journal = Journal::open(&path)?;
    ///     let scope = journal.scope("lengths");
    ///     let length = scope.handler("length", 1, |_, word: &String| Ok(word.len()));
    ///     let handle = length.submit(&pool, "first", "grist".to_owned())?;
    ///     assert_eq!(handle.is_replayed(), !is_first);
    ///     assert_eq!(handle.wait()?, 5);
    ///     journal.close()?;
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn handler<I, T>(
        &self,
        name: &str,
        version: u32,
        function: impl Fn(&CallContext<'_>, &I) -> Result<T, HandlerError> + Send + Sync + 'static,
    ) -> Handler<I, T>
    where
        I: Serialize + Send + 'static,
        T: Serialize + DeserializeOwned + Send + 'static,
    {
        self.handler_with(HandlerOptions::new(), name, version, function)
    }

    /// As [`handler`](Self::handler), with options.
    ///
    /// ```
    /// use std::io::Write;
    ///
    /// use gristmill::ThreadPool;
    /// use gristmill::journal::{HandlerOptions, Journal, OutputFile, WrittenFile};
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("reports.journal");
    /// # let output = folder.path().join("report.txt");
    /// let pool = ThreadPool::new()?;
    /// let journal = Journal::open(path)?;
    /// let scope = journal.scope("reports");
    /// // A report that was changed or deleted since is written again.
    /// let options = HandlerOptions::new().accept_if(WrittenFile::is_intact);
    /// let report = scope.handler_with(options, "report", 1, move |_, lines: &u32| {
    ///     let mut file = OutputFile::create(&output)?;
    ///     for line in 1..=*lines {
    ///         writeln!(file, "line {line}")?;
    ///     }
    ///     Ok(file.finish()?)
    /// });
    /// assert_eq!(report.submit(&pool, "first", 3)?.wait()?.length(), 21);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn handler_with<I, T>(
        &self,
        options: HandlerOptions<T>,
        name: &str,
        version: u32,
        function: impl Fn(&CallContext<'_>, &I) -> Result<T, HandlerError> + Send + Sync + 'static,
    ) -> Handler<I, T>
    where
        I: Serialize + Send + 'static,
        T: Serialize + DeserializeOwned + Send + 'static,
    {
        Handler::new(&self.shared, options, name, version, function)
    }

    /// A timer that fires once, `duration` from when it was first asked for: after a restart only what remains is waited for, and one that has fired
    /// has fired. The instant is kept as time of day; if the clock was set back since, no more than the duration that was first given is waited for.
    ///
    /// # Errors
    /// The name was used before in this run, or the journal has failed. The duration is in the error.
    ///
    /// # Cost
    /// The first call waits for a commit, later ones until the record is read.
    pub fn after(&self, name: &str, duration: Duration) -> Result<DurableTimer, RefusedCall<Duration>> {
        DurableTimer::new(&self.shared, name, duration)
    }

    /// The name of the batch.
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// What this run has done so far.
    pub fn report(&self) -> ScopeReport {
        let Counts { replayed, run, unrecorded } = &*self.shared.counts;
        let [replayed, run, unrecorded] =
            [replayed, run, unrecorded].map(|count| count.load(Ordering::Relaxed));
        ScopeReport { replayed, run, unrecorded }
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Scope")
            .field("name", &self.shared.name)
            .field("report", &self.report())
            .finish_non_exhaustive()
    }
}
