//! Compression: blocks with the dictionaries that they need, deflated on all workers, and put behind each other.

use std::io::{self, Read, Write};

use flate2::{Compress, Crc, FlushCompress};
use gristmill::{CancellationToken, Pipeline, PipelineError, Report};

use crate::input::Input;
use crate::level::Level;

/// What `pigz` takes. Smaller ones would spend more time on their dictionaries, which is 6 % as it is; larger ones need more memory
/// and more of a file until all cores are busy.
const BLOCK: usize = 128 * 1024;
/// How far back a compressed byte can refer.
const DICTIONARY: usize = 32 * 1024;
/// Blocks in memory for each worker: one being compressed, one being read or written, and room for those that wait for a
/// slower one.
pub(crate) const WINDOW_PER_WORKER: usize = 4;

pub(crate) fn compress(
    input: Input<'_>,
    level: Level,
    workers: usize,
    output: &mut (dyn Write + Send),
    token: &CancellationToken,
) -> Result<Report, PipelineError<io::Error>> {
    let mut member = Member::new(level, output);
    Pipeline::from_try_iter(Blocks::new(input))
        .workers(workers)
        .window(workers * WINDOW_PER_WORKER)
        .try_map("deflate", |block| deflate(&block, level))
        .try_for_each("write", |part| member.write(&part))
        .run(token)
}

/// Some of the file, behind what may be its dictionary.
#[derive(Debug)]
struct Block {
    bytes: Vec<u8>,
    dictionary: usize,
    is_last: bool,
}

/// The blocks of a file; the last one may be empty, and is so for an empty file.
#[derive(Debug)]
struct Blocks<'token> {
    input: Input<'token>,
    dictionary: Vec<u8>,
    finished: bool,
}

impl<'token> Blocks<'token> {
    fn new(input: Input<'token>) -> Self {
        Self { input, dictionary: Vec::with_capacity(DICTIONARY), finished: false }
    }

    fn read(&mut self) -> io::Result<Block> {
        let mut bytes = Vec::with_capacity(DICTIONARY + BLOCK);
        bytes.extend_from_slice(&self.dictionary);
        let dictionary = bytes.len();
        let length = self.input.by_ref().take(BLOCK as u64).read_to_end(&mut bytes)?;
        let start = bytes.len().saturating_sub(DICTIONARY);
        self.dictionary.clear();
        self.dictionary.extend_from_slice(&bytes[start..]);
        Ok(Block { bytes, dictionary, is_last: length < BLOCK })
    }
}

impl Iterator for Blocks<'_> {
    type Item = io::Result<Block>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.finished {
            return None;
        }
        let block = self.read();
        self.finished = block.as_ref().map_or(true, |block| block.is_last);
        Some(block)
    }
}

/// A compressed block.
#[derive(Debug)]
struct Part {
    bytes: Vec<u8>,
    crc: Crc,
    length: usize,
    is_last: bool,
}

/// A compressor for each block, not one for each worker: after a block with a dictionary, `zlib-rs` 0.6 now and then finds other
/// matches than a new one would, and the same file would not always give the same bytes. It costs nothing that can be measured.
///
/// `zlib-rs`, because it needs nothing but a Rust compiler and is as fast as those that are not written in Rust.
fn deflate(block: &Block, level: Level) -> io::Result<Part> {
    let (dictionary, data) = block.bytes.split_at(block.dictionary);
    let mut compressor = Compress::new(level.compression(), false);
    if !dictionary.is_empty() {
        compressor.set_dictionary(dictionary)?;
    }
    let mut crc = Crc::new();
    crc.update(data);
    // All but the last end with an empty stored block, which fills the last byte up.
    let flush = if block.is_last { FlushCompress::Finish } else { FlushCompress::Sync };
    let mut bytes = Vec::with_capacity(BLOCK / 2);
    loop {
        let done = usize::try_from(compressor.total_in()).map_err(io::Error::other)?;
        compressor.compress_vec(&data[done..], &mut bytes, flush)?;
        // Room that is left is how the compressor says that nothing else is.
        if bytes.len() < bytes.capacity() {
            return Ok(Part { bytes, crc, length: data.len(), is_last: block.is_last });
        }
        bytes.reserve(BLOCK / 2);
    }
}

/// The one member that is written.
struct Member<'output> {
    output: &'output mut (dyn Write + Send),
    level: Level,
    started: bool,
    crc: Crc,
    /// Modulo 2^32, as the format has it.
    length: u32,
}

impl<'output> Member<'output> {
    fn new(level: Level, output: &'output mut (dyn Write + Send)) -> Self {
        Self { output, level, started: false, crc: Crc::new(), length: 0 }
    }

    fn write(&mut self, part: &Part) -> io::Result<()> {
        if !self.started {
            self.started = true;
            // RFC 1952: magic, deflate, no flags, no time, how it was compressed, Unix.
            self.output.write_all(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, self.level.header_flags(), 3])?;
        }
        self.output.write_all(&part.bytes)?;
        self.crc.combine(&part.crc);
        #[allow(clippy::cast_possible_truncation)] // a block is small
        let length = part.length as u32;
        self.length = self.length.wrapping_add(length);
        if part.is_last {
            self.output.write_all(&self.crc.sum().to_le_bytes())?;
            self.output.write_all(&self.length.to_le_bytes())?;
        }
        Ok(())
    }
}
