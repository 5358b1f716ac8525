//! The main job: a line for every file below the given paths.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use gristmill::{CancellationToken, Pipeline};

use crate::arguments::Arguments;
use crate::ending::{self, FAILED, SUCCESS, Status};
use crate::hash::{Content, Hasher};
use crate::input::{self, Input};
#[cfg(feature = "journal")]
use crate::journalled::{Journalled, Sum};
use crate::name;
use crate::output::Output;
use crate::progress::Progress;
use crate::reason::reason;
use crate::walk::{Failure, Walk};

pub(crate) fn sum(arguments: &Arguments, token: &CancellationToken) -> Status {
    let progress = Progress::new(arguments.progress);
    let mut output = Output::new(progress.clone());
    #[cfg(feature = "journal")]
    if let Some(file) = &arguments.journal {
        let journalled = match Journalled::open(file, arguments, &progress) {
            Ok(journalled) => journalled,
            Err(error) => {
                output.say(reason(&error).as_bytes());
                return FAILED;
            }
        };
        let read = |hasher: &mut Hasher, path: PathBuf| journalled.sum(hasher, path, token);
        let status = run(arguments, token, &progress, &mut output, read, Sum::settle);
        output.say(journalled.report().as_bytes());
        return status;
    }
    let read = |hasher: &mut Hasher, path: PathBuf| match Input::open(&path, token)
        .and_then(|input| hasher.hash(input))
    {
        Ok(content) => Ok((path, content)),
        Err(error) => Err(Failure { path, error }),
    };
    run(arguments, token, &progress, &mut output, read, Ok)
}

/// Walks, has every file read, and prints what `settle` makes of what came out.
fn run<S: Send>(
    arguments: &Arguments,
    token: &CancellationToken,
    progress: &Progress,
    output: &mut Output,
    read: impl Fn(&mut Hasher, PathBuf) -> Result<(PathBuf, S), Failure> + Sync,
    mut settle: impl FnMut(S) -> io::Result<Content> + Send,
) -> Status {
    let mut status = SUCCESS;
    let run = ending::configure(Pipeline::from_iter(Walk::new(&arguments.paths, token.clone())), arguments)
        .map_init("hash", || Hasher::new(progress.clone()), |hasher, found| read(hasher, found?))
        .try_for_each("print", |summed| {
            let summed = match summed {
                Ok((path, sum)) => Ok((path, settle(sum)?)),
                Err(failure) => Err(failure),
            };
            print(summed, output, &mut status)
        })
        .run(token);
    ending::conclude(&run, output, arguments).unwrap_or(status)
}

/// A file that could not be read is said and passed over; only the token and the output itself end the run.
fn print(
    summed: Result<(PathBuf, Content), Failure>,
    output: &mut Output,
    status: &mut Status,
) -> io::Result<()> {
    match summed {
        Ok((path, content)) => {
            output.count(content.bytes);
            output.print(|line| push_line(line, path.as_os_str().as_bytes(), &content))
        }
        Err(Failure { error, .. }) if input::cancellation(&error).is_some() => Err(error),
        Err(Failure { path, error }) => {
            *status = FAILED;
            output.complain(&path, &reason(&error));
            Ok(())
        }
    }
}

fn push_line(line: &mut Vec<u8>, name: &[u8], content: &Content) {
    let escaped = name::needs_escape(name);
    if escaped {
        line.push(b'\\');
    }
    line.extend_from_slice(hex::encode(content.digest).as_bytes());
    line.extend_from_slice(b"  ");
    if escaped {
        name::push_escaped(line, name);
    } else {
        line.extend_from_slice(name);
    }
}
