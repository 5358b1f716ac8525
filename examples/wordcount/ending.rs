//! How a run ends: what is printed, and the exit status.

use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::process::ExitCode;

use gristmill::{BuildError, BulkError, Cancelled, PipelineError, PipelineErrorKind};

use crate::arguments::Arguments;
use crate::counts::{Counts, Unreadable};
use crate::input;
use crate::reason::reason;
use crate::signals::Interrupted;

/// The number that the process leaves behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Status(u8);

const SUCCESS: Status = Status(0);
pub(crate) const FAILED: Status = Status(1);
/// What a shell makes of a program that a closed pipe killed.
const STDOUT_CLOSED: Status = Status(128 + 13);

impl From<Status> for ExitCode {
    fn from(status: Status) -> Self {
        Self::from(status.0)
    }
}

/// Why there are no counts.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Stopped {
    #[error(transparent)]
    Pool(#[from] BuildError),
    #[error(transparent)]
    Words(#[from] BulkError),
    #[error(transparent)]
    Log(#[from] PipelineError),
}

impl Stopped {
    fn cancelled(&self) -> Option<&Cancelled> {
        match self {
            Self::Words(BulkError::Cancelled { source, .. }) => Some(source),
            Self::Log(error) => match error.kind() {
                PipelineErrorKind::Cancelled(cancelled) => Some(cancelled),
                _ => None,
            },
            _ => None,
        }
    }
}

/// Prints what was counted.
pub(crate) fn conclude(counted: Result<Counts, Stopped>, arguments: &Arguments) -> Status {
    let mut counts = match counted {
        Ok(counts) => counts,
        Err(stopped) => return say_stopped(&stopped),
    };
    let mut status = SUCCESS;
    // Each piece of a file fails by itself.
    counts.unreadable.dedup_by(|later, earlier| later.path == earlier.path);
    for Unreadable { path, error } in &counts.unreadable {
        // The last read may have seen the token when everything else was done.
        if let Some(cancelled) = input::cancellation(error) {
            return say_cancelled(cancelled);
        }
        let name = if path == Path::new("-") { "standard input".into() } else { path.to_string_lossy() };
        eprintln!("wordcount: {name}: {}", reason(error));
        status = FAILED;
    }
    match print(&counts, arguments.top) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => return STDOUT_CLOSED,
        Err(error) => {
            eprintln!("wordcount: write error: {}", reason(&error));
            return FAILED;
        }
        Ok(()) => {}
    }
    let (total, different) = counts.totals();
    match arguments.log {
        None => eprintln!("wordcount: {total} words, {different} different"),
        Some(field) => {
            let (name, without) = (field.name(), counts.without);
            eprintln!("wordcount: {total} lines with a {name}, {different} different; {without} without");
        }
    }
    status
}

/// Aligned as `uniq --count` does it.
fn print(counts: &Counts, top: usize) -> io::Result<()> {
    let mut stdout = io::BufWriter::new(io::stdout().lock());
    for (key, count) in counts.top(top) {
        writeln!(stdout, "{count:>7} {key}")?;
    }
    stdout.flush()
}

fn say_stopped(stopped: &Stopped) -> Status {
    if let Some(cancelled) = stopped.cancelled() {
        return say_cancelled(cancelled);
    }
    eprintln!("wordcount: {stopped}");
    FAILED
}

fn say_cancelled(cancelled: &Cancelled) -> Status {
    eprintln!("wordcount: interrupted: nothing was counted");
    let signal = cancelled.cause().and_then(|cause| cause.downcast_ref::<Interrupted>());
    signal.map_or(FAILED, |interrupted| Status(interrupted.status()))
}
