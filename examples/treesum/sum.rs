//! The main job: a line for every file below the given paths.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use gristmill::{CancellationToken, Pipeline};

use crate::arguments::Arguments;
use crate::ending::{self, FAILED, SUCCESS, Status};
use crate::hash::{Content, Hasher};
use crate::input::{self, Input};
use crate::name;
use crate::output::Output;
use crate::progress::Progress;
use crate::reason::reason;
use crate::walk::{Failure, Walk};

pub(crate) fn sum(arguments: &Arguments, token: &CancellationToken) -> Status {
    let progress = Progress::new(arguments.progress);
    let mut output = Output::new(progress.clone());
    let mut status = SUCCESS;

    let run = ending::configure(Pipeline::from_iter(Walk::new(&arguments.paths, token.clone())), arguments)
        .map_init(
            "hash",
            || Hasher::new(progress.clone()),
            |hasher, found| {
                let path = found?;
                match Input::open(&path, token).and_then(|input| hasher.hash(input)) {
                    Ok(content) => Ok((path, content)),
                    Err(error) => Err(Failure { path, error }),
                }
            },
        )
        .try_for_each("print", |summed| print(summed, &mut output, &mut status))
        .run(token);

    ending::conclude(&run, &output, arguments).unwrap_or(status)
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
