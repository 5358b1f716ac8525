//! How a run ends: what is said, and the exit status.

use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use gristmill::journal::{ExportError, JournalError, JournalErrorKind};

/// Why it ended without being done.
#[derive(Debug)]
pub(crate) enum Ended {
    /// The journal could not be used.
    Journal(JournalError),
    /// There is none.
    Missing(PathBuf),
    /// It was told already what is damaged.
    Damaged,
    /// Standard output refused.
    Write(Arc<io::Error>),
}

impl From<JournalError> for Ended {
    fn from(error: JournalError) -> Self {
        Self::Journal(error)
    }
}

impl From<io::Error> for Ended {
    fn from(error: io::Error) -> Self {
        Self::Write(error.into())
    }
}

impl From<ExportError> for Ended {
    fn from(error: ExportError) -> Self {
        match error {
            ExportError::Write(error) => Self::Write(error),
            ExportError::Journal(error) => Self::Journal(error),
            _ => Self::Write(io::Error::other(error.to_string()).into()),
        }
    }
}

const FAILED: u8 = 1;
const DAMAGED: u8 = 3;
/// What a shell makes of a program that a closed pipe killed.
const STDOUT_CLOSED: u8 = 128 + 13;

/// Says what has to be said.
pub(crate) fn conclude(run: Result<(), Ended>) -> ExitCode {
    let status = match run {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Ended::Damaged) => DAMAGED,
        Err(Ended::Write(error)) if error.kind() == ErrorKind::BrokenPipe => STDOUT_CLOSED,
        Err(Ended::Write(error)) => {
            eprintln!("journal_tool: write error: {error}");
            FAILED
        }
        Err(Ended::Missing(path)) => {
            eprintln!("journal_tool: {}: there is no such journal", path.display());
            FAILED
        }
        Err(Ended::Journal(error)) => {
            eprintln!("journal_tool: {error}");
            if error.kind() == JournalErrorKind::Damaged { DAMAGED } else { FAILED }
        }
    };
    ExitCode::from(status)
}
