//! Decompression: inflated by one worker at a time, written by another.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};

use flate2::bufread::GzDecoder;
use gristmill::{CancellationToken, Pipeline, PipelineError, Report};

use crate::input::{self, Input};

const BLOCK: usize = 128 * 1024;

/// How the input ended, or how the run did.
pub(crate) struct Decompressed {
    pub(crate) run: Result<Report, PipelineError<io::Error>>,
    /// Something that is not compressed stands behind what is.
    pub(crate) has_garbage: bool,
}

pub(crate) fn decompress(
    input: Input<'_>,
    workers: usize,
    output: &mut (dyn Write + Send),
    token: &CancellationToken,
) -> Decompressed {
    let mut members = Members::new(input);
    // Only these two steps exist: a third worker would have nothing to do.
    let run = Pipeline::from_try_iter(&mut members)
        .workers(workers.min(2))
        .window(4)
        .try_for_each("write", |bytes: Vec<u8>| output.write_all(&bytes))
        .run(token);
    Decompressed { run, has_garbage: members.has_garbage }
}

/// What the members of a gzip file hold, one after the other.
struct Members<'token> {
    state: State<BufReader<Input<'token>>>,
    has_garbage: bool,
}

enum State<R> {
    /// Before a member; with `true`, before the first.
    Between(R, bool),
    Inside(Box<GzDecoder<R>>),
    Ended,
}

impl<'token> Members<'token> {
    fn new(input: Input<'token>) -> Self {
        let input = BufReader::with_capacity(BLOCK, input);
        Self { state: State::Between(input, true), has_garbage: false }
    }

    /// Up to a block, or nothing at the end.
    fn read(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            // An error leaves it ended.
            self.state = match std::mem::replace(&mut self.state, State::Ended) {
                State::Ended => return Ok(None),
                State::Between(mut input, is_first) => match next(&mut input, is_first)? {
                    Next::Member => State::Inside(Box::new(GzDecoder::new(input))),
                    Next::End => State::Ended,
                    Next::Garbage => {
                        self.has_garbage = true;
                        State::Ended
                    }
                },
                State::Inside(mut decoder) => {
                    let mut bytes = Vec::with_capacity(BLOCK);
                    let length = decoder.by_ref().take(BLOCK as u64).read_to_end(&mut bytes).map_err(say)?;
                    if length == 0 {
                        State::Between(decoder.into_inner(), false)
                    } else {
                        self.state = State::Inside(decoder);
                        return Ok(Some(bytes));
                    }
                }
            }
        }
    }
}

impl Iterator for Members<'_> {
    type Item = io::Result<Vec<u8>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

enum Next {
    Member,
    End,
    Garbage,
}

/// What stands at the place where a member may begin. Zeroes behind a member fill up a tape or disk block, and are passed over.
fn next(input: &mut impl BufRead, is_first: bool) -> io::Result<Next> {
    loop {
        let bytes = match input.fill_buf() {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        return match bytes {
            [] if is_first => Err(io::Error::new(ErrorKind::UnexpectedEof, "is empty: not in gzip format")),
            [] => Ok(Next::End),
            // A second byte that is not there is for the decoder to miss.
            [0x1f] | [0x1f, 0x8b, ..] => Ok(Next::Member),
            _ if is_first => Err(io::Error::new(ErrorKind::InvalidData, "not in gzip format")),
            [0, ..] => {
                let zeroes = bytes.iter().take_while(|byte| **byte == 0).count();
                input.consume(zeroes);
                continue;
            }
            _ => Ok(Next::Garbage),
        };
    }
}

/// An error of the decoder in words for somebody who has a file, not a decoder.
fn say(error: io::Error) -> io::Error {
    if error.raw_os_error().is_some() || input::cancellation(&error).is_some() {
        return error;
    }
    let text = match error.kind() {
        ErrorKind::UnexpectedEof => "unexpected end of file: the compressed data is cut off".to_owned(),
        _ => format!("the compressed data is damaged: {error}"),
    };
    io::Error::new(error.kind(), text)
}
