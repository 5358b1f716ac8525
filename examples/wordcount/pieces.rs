//! Pieces of files: one large file keeps all cores as busy as many small ones.

use std::fs;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gristmill::CancellationToken;

use crate::input::Input;
use crate::walk::{Failure, Walk};

/// A few milliseconds of counting; what the workers read at once is in memory.
pub(crate) const PIECE: u64 = 1024 * 1024;

/// The part of a file in which the words of one piece begin.
#[derive(Debug)]
pub(crate) struct Piece {
    pub(crate) path: Arc<Path>,
    start: u64,
}

impl Piece {
    /// All words that begin in the piece, the last one to its end.
    ///
    /// Every word belongs to the piece it begins in: the one that runs into this piece from the one before is left to that one, and what
    /// stands in front of `start` says whether there is one.
    pub(crate) fn read(&self, token: &CancellationToken) -> io::Result<Vec<u8>> {
        let mut input = Input::open(&self.path, token)?;
        let mut length = PIECE;
        if self.start > 0 {
            input.seek(SeekFrom::Start(self.start - 1))?;
            length += 1;
        }
        let mut bytes = Vec::new();
        input.by_ref().take(length).read_to_end(&mut bytes)?;
        if self.start > 0 {
            let begin = bytes.iter().position(|byte| separates(*byte)).unwrap_or(bytes.len());
            bytes.drain(..begin);
        }
        // In an empty piece no word begins, so none goes on behind it.
        while bytes.last().is_some_and(|byte| !separates(*byte)) {
            let end = bytes.len();
            if input.by_ref().take(512).read_to_end(&mut bytes)? == 0 {
                break;
            }
            if let Some(found) = bytes[end..].iter().position(|byte| separates(*byte)) {
                bytes.truncate(end + found);
                break;
            }
        }
        Ok(bytes)
    }
}

/// Whether no word has this byte in it. Only of ASCII, where a byte is a character: what else is between words is found later.
pub(crate) fn separates(byte: u8) -> bool {
    byte.is_ascii() && !byte.is_ascii_alphanumeric() && byte != b'\''
}

/// The pieces of all files of a walk.
#[derive(Debug)]
pub(crate) struct Pieces<'roots> {
    walk: Walk<'roots>,
    /// The file that is being cut, where its next piece begins, and where it ends.
    file: Option<(Arc<Path>, u64, u64)>,
}

impl<'roots> Pieces<'roots> {
    pub(crate) fn new(walk: Walk<'roots>) -> Self {
        Self { walk, file: None }
    }
}

impl Iterator for Pieces<'_> {
    type Item = Result<Piece, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some((path, start, end)) = &mut self.file {
            if start < end {
                let piece = Piece { path: Arc::clone(path), start: *start };
                *start += PIECE;
                return Some(Ok(piece));
            }
        }
        let path: PathBuf = match self.walk.next()? {
            Ok(path) => path,
            Err(failure) => return Some(Err(failure)),
        };
        let size = match fs::metadata(&path) {
            Ok(metadata) => metadata.len(),
            Err(error) => return Some(Err(Failure { path, error })),
        };
        let path: Arc<Path> = path.into();
        self.file = Some((Arc::clone(&path), PIECE, size));
        // Also of an empty file, so that one that cannot be opened is noticed.
        Some(Ok(Piece { path, start: 0 }))
    }
}
