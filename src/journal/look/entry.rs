//! One entry of a journal, as it is shown.

use std::fmt;

use crate::journal::record::{Head, Job, Kind};
use crate::sync::time::{Duration, TimeOfDay};

/// How a task ended, as its journal says.
///
/// ```
/// use gristmill::journal::{EntryKind, HandlerError, Journal, Selection};
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("parse.journal");
/// let journal = Journal::open(path)?;
/// let scope = journal.scope("parse");
/// let parse = scope.handler("parse", 1, |_, text: &String| {
///     text.parse::<u32>().map_err(|error| HandlerError::terminal(error.to_string()))
/// });
/// assert!(parse.call("first", "x".to_owned()).is_err());
/// let entry = journal.entries(&Selection::all().failed()).next().expect("it is recorded")?;
/// assert_eq!((entry.kind(), entry.kind().name()), (EntryKind::Failed, "failed"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum EntryKind {
    /// With a value: the payload is the value, encoded.
    Value,
    /// With an error that was final: the payload is the error, encoded.
    Failed,
    /// With a panic: the payload is what it said.
    Panicked,
    /// It was set aside, because it was running in several crashes in a row.
    CrashLoop,
    /// A durable timer was set.
    TimerSet,
    /// A durable timer fired.
    TimerFired,
}

impl EntryKind {
    pub(super) fn of(kind: Kind) -> Self {
        match kind {
            Kind::Value => Self::Value,
            Kind::Failed => Self::Failed,
            Kind::Panicked => Self::Panicked,
            Kind::CrashLoop => Self::CrashLoop,
            Kind::TimerSet => Self::TimerSet,
            Kind::TimerFired => Self::TimerFired,
        }
    }

    /// Whether it is a failure, and so forgotten by [`Journal::retry_failed`](crate::journal::Journal::retry_failed).
    #[must_use]
    pub fn is_failure(self) -> bool {
        matches!(self, Self::Failed | Self::Panicked | Self::CrashLoop)
    }

    /// The name that an export has for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Value => "value",
            Self::Failed => "failed",
            Self::Panicked => "panicked",
            Self::CrashLoop => "crash_loop",
            Self::TimerSet => "timer_set",
            Self::TimerFired => "timer_fired",
        }
    }
}

impl fmt::Display for EntryKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// One entry of a journal: a task that ended, and how; see [`Journal::entries`](crate::journal::Journal::entries).
///
/// ```
/// use gristmill::journal::{EntryKind, Journal, Selection};
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("squares.journal");
/// let journal = Journal::open(path)?;
/// let square = journal.scope("squares").handler("square", 1, |_, number: &u64| Ok(number * number));
/// square.call("seven", 7)?;
/// let entry = journal.entries(&Selection::all().key("seven")).next().expect("it is recorded")?;
/// assert_eq!((entry.scope(), entry.handler(), entry.version()), ("squares", "square", 1));
/// assert_eq!((entry.kind(), entry.sequence(), entry.attempts()), (EntryKind::Value, 1, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct JournalEntry {
    pub(super) job: Job,
    pub(super) head: Head,
    pub(super) payload: Option<Vec<u8>>,
}

impl JournalEntry {
    /// Its place in the order of completion, from 1. No number is ever used again, so what was replaced or forgotten leaves a gap.
    pub fn sequence(&self) -> u64 {
        self.head.seq
    }

    /// The scope of its task.
    pub fn scope(&self) -> &str {
        self.job.scope()
    }

    /// The handler of its task.
    pub fn handler(&self) -> &str {
        self.job.handler()
    }

    /// The handler's version.
    pub fn version(&self) -> u32 {
        self.job.version()
    }

    /// The key of its task.
    pub fn key(&self) -> &str {
        &self.head.key
    }

    /// How it ended.
    pub fn kind(&self) -> EntryKind {
        EntryKind::of(self.head.kind)
    }

    /// How often it was tried, in the process that ended it.
    pub fn attempts(&self) -> u32 {
        self.head.attempts
    }

    /// When it ended, by the clock of the machine, to the millisecond.
    pub fn ended(&self) -> TimeOfDay {
        std::time::UNIX_EPOCH + Duration::from_millis(self.head.ended)
    }

    /// When it ended, in milliseconds since 1970 began (UTC).
    pub fn ended_unix_ms(&self) -> u64 {
        self.head.ended
    }

    /// How long it ran, to the microsecond: all of its attempts, in the process that ended it, with the pauses between them.
    pub fn took(&self) -> Duration {
        Duration::from_micros(self.head.took)
    }

    /// The hash of the input that it had: BLAKE3, the first 16 bytes.
    pub fn input_hash(&self) -> &[u8; 16] {
        &self.head.input
    }

    /// How long its payload is, in bytes, whether that was asked for or not.
    pub fn payload_length(&self) -> u64 {
        self.head.length
    }

    /// Its payload, if that was asked for; see [`Journal::entries_with_payload`](crate::journal::Journal::entries_with_payload).
    pub fn payload(&self) -> Option<&[u8]> {
        self.payload.as_deref()
    }

    /// The payload by itself, if it was asked for.
    pub fn into_payload(self) -> Option<Vec<u8>> {
        self.payload
    }
}
