//! How a run ends: what is said about it on standard error, and the exit status.

use std::io;
use std::process::ExitCode;

use gristmill::{Cancelled, Pipeline, PipelineError, PipelineErrorKind, Report};

use crate::arguments::Arguments;
use crate::input;
use crate::output::Output;
use crate::reason::reason;
use crate::signals::Interrupted;

/// The number that the process leaves behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Status(u8);

pub(crate) const SUCCESS: Status = Status(0);
pub(crate) const FAILED: Status = Status(1);
/// What `timeout(1)` exits with.
const TIMED_OUT: Status = Status(124);
/// What a shell makes of a program that a closed pipe killed, which is what happens to `sha256sum`.
const STDOUT_CLOSED: Status = Status(128 + 13);

impl From<Status> for ExitCode {
    fn from(status: Status) -> Self {
        Self::from(status.0)
    }
}

/// Applies what the command line says of the run itself.
pub(crate) fn configure<P, S, T, M>(
    mut pipeline: Pipeline<P, S, T, M>,
    arguments: &Arguments,
) -> Pipeline<P, S, T, M> {
    if let Some(workers) = arguments.workers {
        pipeline = pipeline.workers(workers.get());
    }
    if let Some(window) = arguments.window {
        pipeline = pipeline.window(window.get());
    }
    if arguments.unordered { pipeline.unordered() } else { pipeline }
}

/// Says how the run ended, if it ended before its work was done; what was printed until then stands.
pub(crate) fn conclude(
    run: &Result<Report, PipelineError<io::Error>>,
    output: &Output,
    arguments: &Arguments,
) -> Option<Status> {
    output.finish();
    let status = run.as_ref().err().map(|error| match error.kind() {
        PipelineErrorKind::Cancelled(cancelled) => say_cancelled(cancelled, output),
        PipelineErrorKind::Failed { source, .. } => say_stopped(source, output),
        _ => {
            output.say(error.to_string().as_bytes());
            FAILED
        }
    });
    if arguments.report {
        output.print_report(&run.as_ref().unwrap_or_else(PipelineError::report).to_string());
    }
    status
}

/// Only the output's own errors stop a run; the token shows up among them when a read saw it first.
fn say_stopped(error: &io::Error, output: &Output) -> Status {
    if let Some(cancelled) = input::cancellation(error) {
        return say_cancelled(cancelled, output);
    }
    if error.kind() == io::ErrorKind::BrokenPipe {
        return STDOUT_CLOSED;
    }
    output.say(format!("write error: {}", reason(error)).as_bytes());
    FAILED
}

fn say_cancelled(cancelled: &Cancelled, output: &Output) -> Status {
    let signal = cancelled.cause().and_then(|cause| cause.downcast_ref::<Interrupted>());
    let (what, status) = match signal {
        Some(interrupted) => ("interrupted", Status(interrupted.status())),
        None => ("timed out", TIMED_OUT),
    };
    output.say(format!("{what}: {}", output.done()).as_bytes());
    status
}
