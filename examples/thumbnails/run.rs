//! The whole run: stages, what is said of each image, and the exit status.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use gristmill::{CancellationToken, Cancelled, Pipeline, PipelineError, PipelineErrorKind};

use crate::arguments::Arguments;
use crate::folders::{images, write};
use crate::input;
use crate::picture::{Picture, Thumbnail, decode};
use crate::reason::reason;
use crate::signals::Interrupted;
use crate::walk::Failure;

/// The number that the process leaves behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Status(u8);

const SUCCESS: Status = Status(0);
pub(crate) const FAILED: Status = Status(1);

impl From<Status> for ExitCode {
    fn from(status: Status) -> Self {
        Self::from(status.0)
    }
}

/// Decoded images are large: so many may be there at once, those included that wait for one before them.
const WINDOW: usize = 16;

pub(crate) fn run(arguments: &Arguments, token: &CancellationToken) -> Status {
    let (source, output) = match (folder(&arguments.source, false), folder(&arguments.output, true)) {
        (Ok(source), Ok(output)) => (source, output),
        (Err(failure), _) | (_, Err(failure)) => {
            say(&failure.path, &failure.error);
            return FAILED;
        }
    };
    let root = [OsString::from(&source)];
    let mut tally = Tally::default();

    let mut pipeline = Pipeline::from_iter(images(&root, &output, token)).window(WINDOW);
    if let Some(workers) = arguments.workers {
        pipeline = pipeline.workers(workers.get());
    }
    let run = pipeline
        .map("decode", |found| found.and_then(|found| decode(found, token)))
        .map("resize", |picture| picture.map(|picture| picture.resize(arguments.size)))
        .map("encode", |picture| picture.and_then(Picture::encode))
        .try_for_each("write", |thumbnail| tally.write(thumbnail, &source, &output))
        .run(token);

    println!("{}", run.as_ref().unwrap_or_else(PipelineError::report));
    println!("{} thumbnails written, {} images could not be read", tally.written, tally.broken);
    match run {
        Ok(_) if tally.broken == 0 => SUCCESS,
        Ok(_) => FAILED,
        Err(error) => match error.into_kind() {
            PipelineErrorKind::Cancelled(cancelled) => interrupted(&cancelled),
            PipelineErrorKind::Failed { source: Failure { path, error }, .. } => {
                if let Some(cancelled) = input::cancellation(&error) {
                    return interrupted(cancelled);
                }
                say(&path, &error);
                FAILED
            }
            other => {
                eprintln!("thumbnails: {other}");
                FAILED
            }
        },
    }
}

/// How many images came to what.
#[derive(Debug, Default)]
struct Tally {
    written: u64,
    broken: u64,
}

impl Tally {
    /// A broken image is said and passed over; only the token and the output itself end the run.
    fn write(
        &mut self,
        thumbnail: Result<Thumbnail, Failure>,
        source: &Path,
        output: &Path,
    ) -> Result<(), Failure> {
        match thumbnail {
            Ok(Thumbnail { found, bytes }) => {
                let path = output.join(below(&found.path, source));
                write(&path, &bytes).map_err(|error| Failure { path, error })?;
                self.written += 1;
            }
            Err(failure) if input::cancellation(&failure.error).is_some() => return Err(failure),
            Err(Failure { path, error }) => {
                self.broken += 1;
                say(below(&path, source), &error);
            }
        }
        Ok(())
    }
}

/// As the source folder's own files are named in messages.
fn below<'path>(path: &'path Path, source: &Path) -> &'path Path {
    path.strip_prefix(source).unwrap_or(path)
}

/// The folder's full name, by which the one is known to lie in the other.
fn folder(path: &Path, create: bool) -> Result<PathBuf, Failure> {
    let found = || {
        if create {
            fs::create_dir_all(path)?;
        }
        let path = path.canonicalize()?;
        if path.is_dir() { Ok(path) } else { Err(io::ErrorKind::NotADirectory.into()) }
    };
    found().map_err(|error| Failure { path: path.to_owned(), error })
}

fn say(path: &Path, error: &io::Error) {
    eprintln!("thumbnails: {}: {}", path.display(), reason(error));
}

fn interrupted(cancelled: &Cancelled) -> Status {
    eprintln!("thumbnails: interrupted");
    let signal = cancelled.cause().and_then(|cause| cause.downcast_ref::<Interrupted>());
    signal.map_or(FAILED, |interrupted| Status(interrupted.status()))
}
