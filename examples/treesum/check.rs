//! `--check`: the files on a list against their checksums.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use gristmill::{CancellationToken, Pipeline};

use crate::arguments::Arguments;
use crate::ending::{self, FAILED, SUCCESS, Status};
use crate::hash::{Content, Hasher};
use crate::input::{self, Input};
use crate::list::{Line, List, Listed};
use crate::name;
use crate::output::Output;
use crate::progress::Progress;
use crate::reason::reason;

pub(crate) fn check(list_path: &Path, arguments: &Arguments, token: &CancellationToken) -> Status {
    let progress = Progress::new(arguments.progress);
    let mut output = Output::new(progress.clone());
    let from_standard_input = list_path == Path::new("-");
    let list_name = if from_standard_input { Path::new("standard input") } else { list_path };
    let list = match open(list_path, token) {
        Ok(input) => List::new(input, from_standard_input),
        Err(error) => {
            output.complain(list_name, &reason(&error));
            return FAILED;
        }
    };
    let mut tally = Tally::default();

    // A list may come through a pipe, and what it has named so far should not wait for the rest.
    let run = ending::configure(Pipeline::from_iter(list).source_may_block(), arguments)
        .map_init(
            "hash",
            || Hasher::new(progress.clone()),
            |hasher, line| {
                Ok(match line? {
                    Line::Malformed => Verdict::Malformed,
                    Line::Listed(Listed { path, digest }) => {
                        match open(&path, token).and_then(|input| hasher.hash(input)) {
                            Ok(content) if content.digest == digest => Verdict::Matches { path, content },
                            Ok(content) => Verdict::Differs { path, content },
                            Err(error) => Verdict::Unreadable { path, error },
                        }
                    }
                })
            },
        )
        .try_for_each("print", |verdict| print(verdict, list_name, &mut output, &mut tally))
        .run(token);

    let early = ending::conclude(&run, &output, arguments);
    early.unwrap_or_else(|| tally.conclude(list_name, &output))
}

/// Opens a file, or standard input for `-`, in the list's own place as in a line of it.
fn open<'token>(path: &Path, token: &'token CancellationToken) -> io::Result<Input<'token>> {
    if path == Path::new("-") { Input::standard_input(token) } else { Input::open(path, token) }
}

enum Verdict {
    Malformed,
    Matches { path: PathBuf, content: Content },
    Differs { path: PathBuf, content: Content },
    Unreadable { path: PathBuf, error: io::Error },
}

/// How many lines came to what.
#[derive(Debug, Default)]
struct Tally {
    malformed: u64,
    matching: u64,
    differing: u64,
    unreadable: u64,
    list_failed: bool,
}

fn print(
    verdict: io::Result<Verdict>,
    list_name: &Path,
    output: &mut Output,
    tally: &mut Tally,
) -> io::Result<()> {
    let (path, text) = match verdict {
        Ok(Verdict::Malformed) => {
            tally.malformed += 1;
            return Ok(());
        }
        Ok(Verdict::Matches { path, content }) => {
            output.count(content.bytes);
            tally.matching += 1;
            (path, ": OK")
        }
        Ok(Verdict::Differs { path, content }) => {
            output.count(content.bytes);
            tally.differing += 1;
            (path, ": FAILED")
        }
        Err(error) | Ok(Verdict::Unreadable { error, .. }) if input::cancellation(&error).is_some() => {
            return Err(error);
        }
        Ok(Verdict::Unreadable { path, error }) => {
            tally.unreadable += 1;
            output.complain(&path, &reason(&error));
            (path, ": FAILED open or read")
        }
        Err(_) => {
            tally.list_failed = true;
            output.complain(list_name, "read error");
            return Ok(());
        }
    };
    output.print(|line| {
        push_name(line, path.as_os_str().as_bytes());
        line.extend_from_slice(text.as_bytes());
    })
}

/// As it is, unless a newline in it would break the line.
fn push_name(line: &mut Vec<u8>, name: &[u8]) {
    if name.contains(&b'\n') {
        line.push(b'\\');
        name::push_escaped(line, name);
    } else {
        line.extend_from_slice(name);
    }
}

impl Tally {
    /// Says what was wrong with the list as a whole; malformed lines alone do not fail it.
    fn conclude(&self, list_name: &Path, output: &Output) -> Status {
        if self.list_failed {
            return FAILED;
        }
        if self.matching + self.differing + self.unreadable == 0 {
            output.complain(list_name, "no properly formatted checksum lines found");
            return FAILED;
        }
        warn(output, self.malformed, "line is improperly formatted", "lines are improperly formatted");
        warn(output, self.unreadable, "listed file could not be read", "listed files could not be read");
        warn(output, self.differing, "computed checksum did NOT match", "computed checksums did NOT match");
        if self.differing + self.unreadable == 0 { SUCCESS } else { FAILED }
    }
}

fn warn(output: &Output, count: u64, one: &str, many: &str) {
    match count {
        0 => {}
        1 => output.say(format!("WARNING: 1 {one}").as_bytes()),
        _ => output.say(format!("WARNING: {count} {many}").as_bytes()),
    }
}
