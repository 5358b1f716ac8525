//! How much of what is in a journal.

use std::fmt;

use crate::sync::time::Duration;

/// How many entries of each kind there are, what they take and how long they took.
///
/// ```
/// use gristmill::journal::Journal;
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("squares.journal");
/// let journal = Journal::open(path)?;
/// let square = journal.scope("squares").handler("square", 1, |_, number: &u64| Ok(number * number));
/// square.call("seven", 7)?;
/// let counts = journal.statistics()?.total();
/// assert_eq!((counts.entries(), counts.values, counts.failures()), (1, 1, 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct EntryCounts {
    /// Tasks that succeeded.
    pub values: u64,
    /// Tasks that ended in an error that was final.
    pub failed: u64,
    /// Tasks that panicked.
    pub panicked: u64,
    /// Tasks that were set aside because they were running in several crashes in a row.
    pub crash_loops: u64,
    /// Timers, set or fired.
    pub timers: u64,
    /// What the payloads take, in bytes.
    pub payload_bytes: u64,
    /// What the keys take, in bytes.
    pub key_bytes: u64,
    /// How long the tasks ran, all together: each with all of its attempts and the pauses between them.
    pub took: Duration,
}

impl EntryCounts {
    /// All entries.
    pub fn entries(&self) -> u64 {
        self.values + self.failed + self.panicked + self.crash_loops + self.timers
    }

    /// What [`retry_failed`](crate::journal::Journal::retry_failed) would forget: failures, panics and crash loops.
    pub fn failures(&self) -> u64 {
        self.failed + self.panicked + self.crash_loops
    }

    fn add(&mut self, other: &Self) {
        let Self { values, failed, panicked, crash_loops, timers, payload_bytes, key_bytes, took } = *other;
        self.values += values;
        self.failed += failed;
        self.panicked += panicked;
        self.crash_loops += crash_loops;
        self.timers += timers;
        self.payload_bytes += payload_bytes;
        self.key_bytes += key_bytes;
        self.took = self.took.saturating_add(took);
    }
}

/// The entries of one version of a handler in a scope.
///
/// ```
/// use gristmill::journal::Journal;
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("squares.journal");
/// let journal = Journal::open(path)?;
/// for version in [1, 2] {
///     let square = journal.scope("squares").handler("square", version, |_, number: &u64| Ok(number * number));
///     square.call("seven", 7)?;
/// }
/// let statistics = journal.statistics()?;
/// let jobs: Vec<_> = statistics.jobs.iter().map(|job| (&*job.handler, job.version, job.counts.values)).collect();
/// assert_eq!(jobs, [("square", 1, 1), ("square", 2, 1)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct JobStatistics {
    /// The scope.
    pub scope: String,
    /// The handler.
    pub handler: String,
    /// Its version.
    pub version: u32,
    /// Its entries.
    pub counts: EntryCounts,
}

/// What is in a journal, by scope, handler and version; printed, it is a table.
///
/// Counted page by page, so while a batch runs the jobs are those of slightly different moments.
///
/// ```
/// use gristmill::journal::Journal;
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("squares.journal");
/// let journal = Journal::open(path)?;
/// let square = journal.scope("squares").handler("square", 1, |_, number: &u64| Ok(number * number));
/// square.call("seven", 7)?;
/// let statistics = journal.statistics()?;
/// assert_eq!((statistics.jobs.len(), statistics.total().values, statistics.crashed), (1, 1, 0));
/// println!("{statistics}"); // a table
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// Each version of each handler that has entries, in the order of scope, handler and version.
    pub jobs: Vec<JobStatistics>,
    /// Tasks that were running in a crash and have not ended since.
    pub crashed: u64,
    /// What the file takes, with what is still beside it in the write-ahead log, in bytes.
    pub file_bytes: u64,
}

impl Statistics {
    /// All jobs together.
    pub fn total(&self) -> EntryCounts {
        let mut total = EntryCounts::default();
        self.jobs.iter().for_each(|job| total.add(&job.counts));
        total
    }
}

const HEADINGS: [&str; 11] = [
    "scope",
    "handler",
    "version",
    "entries",
    "values",
    "failed",
    "panicked",
    "crash loops",
    "timers",
    "bytes",
    "time",
];

/// The columns of words, which stand left; figures stand right.
const WORDS: usize = 2;

fn row(scope: &str, handler: &str, version: &str, counts: &EntryCounts) -> [String; HEADINGS.len()] {
    [
        scope.escape_debug().to_string(),
        handler.escape_debug().to_string(),
        version.to_owned(),
        counts.entries().to_string(),
        counts.values.to_string(),
        counts.failed.to_string(),
        counts.panicked.to_string(),
        counts.crash_loops.to_string(),
        counts.timers.to_string(),
        counts.payload_bytes.to_string(),
        format!("{:.3} s", counts.took.as_secs_f64()),
    ]
}

impl fmt::Display for Statistics {
    /// A line for each job and one for all, in columns; then what the file takes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rows = vec![HEADINGS.map(str::to_owned)];
        for job in &self.jobs {
            rows.push(row(&job.scope, &job.handler, &job.version.to_string(), &job.counts));
        }
        rows.push(row("total", "", "", &self.total()));
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: [usize; HEADINGS.len()] = std::array::from_fn(width);
        for row in &rows {
            for (column, (text, width)) in row.iter().zip(widths).enumerate() {
                let gap = if column == 0 { "" } else { "  " };
                if column < WORDS {
                    write!(f, "{gap}{text:<width$}")?;
                } else {
                    write!(f, "{gap}{text:>width$}")?;
                }
            }
            writeln!(f)?;
        }
        write!(f, "file: {} bytes; running in a crash and not ended since: {}", self.file_bytes, self.crashed)
    }
}
