//! Log lines by a field, as a stream.

use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::slice;

use gristmill::{CancellationToken, Pipeline, PipelineError};

use crate::arguments::Arguments;
use crate::counts::{Counts, Unreadable};
use crate::ending::Stopped;
use crate::field::Field;
use crate::input::Input;

/// So many bytes of whole lines are one item: about a tenth of a millisecond of counting, for which a worker is worth asking.
const BLOCK: usize = 64 * 1024;
/// What of a line is looked at, so that one without an end does not fill the memory.
const LONGEST_LINE: u64 = 1024 * 1024;
/// Blocks in memory at once.
const WINDOW: usize = 64;

pub(crate) fn count(
    field: Field,
    arguments: &Arguments,
    token: &CancellationToken,
) -> Result<Counts, Stopped> {
    let standard_input = [OsString::from("-")];
    let paths = if arguments.paths.is_empty() { &standard_input[..] } else { &arguments.paths };
    let mut pipeline = Pipeline::from_iter(Blocks::new(paths, token)).window(WINDOW);
    if let Some(workers) = arguments.workers {
        pipeline = pipeline.workers(workers.get());
    }
    let run = pipeline
        .map("count", |block| match block {
            Ok(lines) => count_lines(&lines, field),
            Err(Unreadable { path, error }) => Counts::of_unreadable(path, error),
        })
        .fold("merge", Counts::default(), Counts::merge)
        .run(token);
    if arguments.report {
        let report = run.as_ref().map_or_else(PipelineError::report, |(_, report)| report);
        eprintln!("{report}");
    }
    Ok(run?.0)
}

fn count_lines(lines: &[u8], field: Field) -> Counts {
    let mut counts = Counts::default();
    for line in lines.split_inclusive(|byte| *byte == b'\n') {
        match field.find(&String::from_utf8_lossy(line)) {
            Some(value) => counts.add(value),
            None if line.trim_ascii().is_empty() => {}
            None => counts.without += 1,
        }
    }
    counts
}

/// The lines of all files, one file after the other, in blocks.
struct Blocks<'run> {
    paths: slice::Iter<'run, OsString>,
    token: &'run CancellationToken,
    file: Option<(&'run Path, BufReader<Input<'run>>)>,
}

impl<'run> Blocks<'run> {
    fn new(paths: &'run [OsString], token: &'run CancellationToken) -> Self {
        Self { paths: paths.iter(), token, file: None }
    }

    fn open(&self, path: &Path) -> io::Result<BufReader<Input<'run>>> {
        let from_standard_input = path == Path::new("-");
        let input = if from_standard_input {
            Input::standard_input(self.token)
        } else {
            Input::open(path, self.token)
        };
        Ok(BufReader::with_capacity(BLOCK, input?))
    }
}

impl Iterator for Blocks<'_> {
    type Item = Result<Vec<u8>, Unreadable>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let Some((path, input)) = &mut self.file else {
                let path = Path::new(self.paths.next()?);
                match self.open(path) {
                    Ok(input) => self.file = Some((path, input)),
                    Err(error) => return Some(Err(Unreadable { path: path.to_owned(), error })),
                }
                continue;
            };
            match read_block(input) {
                Ok(block) if block.is_empty() => self.file = None,
                Ok(block) => return Some(Ok(block)),
                Err(error) => {
                    let path = path.to_owned();
                    self.file = None;
                    return Some(Err(Unreadable { path, error }));
                }
            }
        }
    }
}

/// Whole lines, more than a block by at most one of them; nothing at the end.
fn read_block(input: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut block = Vec::with_capacity(BLOCK + BLOCK / 8);
    while block.len() < BLOCK {
        let length = input.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut block)?;
        if length == 0 {
            break;
        }
        if !block.ends_with(b"\n") {
            block.push(b'\n');
            input.skip_until(b'\n')?;
        }
    }
    Ok(block)
}
