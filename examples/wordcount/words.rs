//! Words by map-reduce.

use std::ffi::OsString;

use gristmill::{CancellationToken, ThreadPool};

use crate::arguments::Arguments;
use crate::counts::Counts;
use crate::ending::Stopped;
use crate::pieces::{Piece, Pieces, separates};
use crate::walk::{Failure, Walk};

pub(crate) fn count(arguments: &Arguments, token: &CancellationToken) -> Result<Counts, Stopped> {
    let here = [OsString::from(".")];
    let roots = if arguments.paths.is_empty() { &here[..] } else { &arguments.paths };
    let pieces = Pieces::new(Walk::new(roots, token.clone()));
    let mut builder = ThreadPool::builder();
    if let Some(workers) = arguments.workers {
        builder = builder.workers(workers.get());
    }
    let counted = builder.scope(|pool| {
        pool.map_reduce_iter_with(token, pieces, |piece| count_piece(piece, token), Counts::merge)
    });
    Ok(counted??.unwrap_or_default())
}

/// The map step: a file that cannot be read is a result too, so that the others go on.
fn count_piece(piece: Result<Piece, Failure>, token: &CancellationToken) -> Counts {
    let read = piece.and_then(|piece| match piece.read(token) {
        Ok(bytes) => Ok(bytes),
        Err(error) => Err(Failure { path: piece.path.to_path_buf(), error }),
    });
    match read {
        Ok(bytes) => {
            let mut counts = Counts::default();
            count_words(&bytes, &mut counts);
            counts
        }
        Err(Failure { path, error }) => Counts::of_unreadable(path, error),
    }
}

fn count_words(bytes: &[u8], counts: &mut Counts) {
    let mut lower = String::new();
    for run in bytes.split(|byte| separates(*byte)) {
        // What is no UTF-8 becomes a character that is in no word.
        for word in String::from_utf8_lossy(run).split(|character: char| !is_part(character)) {
            let word = word.trim_matches('\'');
            if word.is_empty() {
                continue;
            }
            lower.clear();
            if word.is_ascii() {
                lower.push_str(word);
                lower.make_ascii_lowercase();
            } else {
                lower = word.to_lowercase();
            }
            counts.add(&lower);
        }
    }
}

fn is_part(character: char) -> bool {
    character.is_alphanumeric() || character == '\''
}
