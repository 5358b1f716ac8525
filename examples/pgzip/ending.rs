//! What can go wrong with a file, what is said about it, and the exit status.

use std::ffi::OsStr;
use std::io;
use std::process::ExitCode;

use gristmill::{Cancelled, PipelineError, PipelineErrorKind};

use crate::input;
use crate::reason::reason;
use crate::signals::Interrupted;

/// The number that the process leaves behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Status(u8);

pub(crate) const SUCCESS: Status = Status(0);
pub(crate) const FAILED: Status = Status(1);
/// What `gzip` exits with where it has only warned.
const PASSED_OVER: Status = Status(2);
/// What a shell makes of a program that a closed pipe killed, which is what happens to `gzip`.
const STDOUT_CLOSED: Status = Status(128 + 13);

impl Status {
    /// The status of two files: an error counts more than a warning, and what ended the run most.
    pub(crate) fn and(self, other: Self) -> Self {
        let rank = |status| match status {
            SUCCESS => 0,
            PASSED_OVER => 1,
            FAILED => 2,
            _ => 3,
        };
        if rank(other) > rank(self) { other } else { self }
    }
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> Self {
        Self::from(status.0)
    }
}

/// Why a file is not done.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It cannot be done.
    Failed(String),
    /// It should not be done, or is done but there is more in it.
    PassedOver(String),
    /// Neither can what comes after it.
    Interrupted(Interrupted),
    StdoutClosed,
}

impl Failure {
    pub(crate) fn of(error: &io::Error) -> Self {
        Self::Failed(reason(error))
    }

    /// Of a run in which the stage `write` is the sink, and everything else reads.
    pub(crate) fn of_run(error: PipelineError<io::Error>, to_stdout: bool) -> Self {
        let is_written = error.stage() == Some("write");
        match error.into_kind() {
            PipelineErrorKind::Cancelled(cancelled) => Self::cancelled(&cancelled),
            PipelineErrorKind::Failed { source, .. } => match input::cancellation(&source) {
                Some(cancelled) => Self::cancelled(cancelled),
                None if is_written => Self::of_write(&source, to_stdout),
                None => Self::of(&source),
            },
            other => Self::Failed(other.to_string()),
        }
    }

    pub(crate) fn of_write(error: &io::Error, to_stdout: bool) -> Self {
        if to_stdout && error.kind() == io::ErrorKind::BrokenPipe {
            return Self::StdoutClosed;
        }
        Self::Failed(format!("write error: {}", reason(error)))
    }

    fn cancelled(cancelled: &Cancelled) -> Self {
        let signal = cancelled.cause().and_then(|cause| cause.downcast_ref::<Interrupted>());
        signal.map_or_else(|| Self::Failed(cancelled.to_string()), |signal| Self::Interrupted(*signal))
    }

    pub(crate) fn status(&self) -> Status {
        match self {
            Self::Failed(_) => FAILED,
            Self::PassedOver(_) => PASSED_OVER,
            Self::Interrupted(interrupted) => Status(interrupted.status()),
            Self::StdoutClosed => STDOUT_CLOSED,
        }
    }

    /// Whether the files that come after are not to be tried.
    pub(crate) fn ends_all(&self) -> bool {
        matches!(self, Self::Interrupted(_) | Self::StdoutClosed)
    }

    pub(crate) fn say(&self, name: &OsStr) {
        let name = if name == "-" { "standard input".into() } else { name.to_string_lossy() };
        match self {
            Self::Failed(text) | Self::PassedOver(text) => eprintln!("pgzip: {name}: {text}"),
            Self::Interrupted(_) => eprintln!("pgzip: {name}: interrupted"),
            Self::StdoutClosed => {}
        }
    }
}
