//! Files that tasks make: there when they are whole, and recorded with length and hash.

mod error;
mod part;
#[cfg(all(test, not(any(gristmill_shuttle, gristmill_loom))))]
mod tests;
mod written;

use std::fs;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

pub use error::OutputError;
use part::Part;
pub use written::WrittenFile;

/// What is gathered before the file and the hash see it.
const BUFFER: usize = 64 * 1024;

/// A file that appears under its name only when it is whole.
///
/// It is written beside its target, under a temporary name (`.NAME.0.gristmill-part`), and [`finish`](Self::finish) brings it to the disk and
/// renames it. Until then, what was at the path before is there unchanged; a process that is killed in between leaves it so, and its temporary
/// file is used again by the next [`create`](Self::create) for that path. A file that is dropped unfinished is removed.
///
/// [`finish`](Self::finish) returns a [`WrittenFile`], for the journal. A task that makes a file returns that as its result, and when the
/// result is replayed later, [`WrittenFile::check`] tells whether the file is still there and the same: so a file that was half written, or
/// deleted since, never counts as made.
///
/// Writes are gathered; there is no need for a [`BufWriter`] around it. It has no `Seek`, since its hash is computed as it is written.
/// Several may be written for one path at once: each is whole, and the last to finish stays. A symbolic link at the path is replaced, not
/// followed, and the new file has the permissions of a new file.
///
/// # Examples
/// ```
/// use std::io::Write;
///
/// use gristmill::journal::OutputFile;
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("report.txt");
/// std::fs::write(&path, "the old one")?;
///
/// let mut output = OutputFile::create(&path)?;
/// for line in 1..=3 {
///     writeln!(output, "line {line}")?;
/// }
/// assert_eq!(std::fs::read_to_string(&path)?, "the old one");
/// let written = output.finish()?;
/// assert_eq!(std::fs::read_to_string(&path)?, "line 1\nline 2\nline 3\n");
/// assert_eq!(written.length(), 21);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "it is removed when dropped unfinished"]
pub struct OutputFile {
    path: PathBuf,
    /// Absolute, so that the process may change its directory.
    target: PathBuf,
    writer: BufWriter<Hashed>,
    /// Whether a write has failed, and something is missing.
    failed: bool,
}

impl OutputFile {
    /// Begins a file that will be at this path.
    ///
    /// # Errors
    /// The path ends in no name, something that is not a file is there, or no file can be created beside it (the directory is missing, full or
    /// read-only). What is at the path is untouched.
    pub fn create(path: impl AsRef<Path>) -> Result<Self, OutputError> {
        let path = path.as_ref().to_owned();
        let ends_in_separator = || {
            let last = path.as_os_str().as_encoded_bytes().last();
            last.is_some_and(|byte| std::path::is_separator(char::from(*byte)))
        };
        if path.file_name().is_none() || ends_in_separator() {
            return Err(OutputError::NoName { path });
        }
        if fs::metadata(&path).is_ok_and(|metadata| !metadata.is_file()) {
            return Err(OutputError::NotAFile { path });
        }
        let claimed = std::path::absolute(&path).and_then(|target| Ok((Part::claim(&target)?, target)));
        match claimed {
            Ok((part, target)) => {
                let hashed = Hashed { part, hasher: blake3::Hasher::new(), length: 0 };
                let writer = BufWriter::with_capacity(BUFFER, hashed);
                Ok(Self { path, target, writer, failed: false })
            }
            Err(source) => Err(OutputError::Create { path, source }),
        }
    }

    /// The path that it will be at, as it was given.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Brings the file to the disk, gives it its name in place of what was there, and brings the directory to the disk (on Unix).
    ///
    /// # Errors
    /// Something could not be written, now or earlier: then what was at the path before is untouched, and the temporary file is removed. Only
    /// [`OutputError::Directory`] comes after the renaming: the new file is in place, but might not survive a power loss.
    ///
    /// # Cost
    /// Waits for the disk, twice.
    pub fn finish(self) -> Result<WrittenFile, OutputError> {
        let Self { path, target, writer, failed } = self;
        if failed {
            return Err(OutputError::Incomplete { path });
        }
        let hashed = match writer.into_inner() {
            Ok(hashed) => hashed,
            Err(error) => return Err(OutputError::Write { path, source: error.into_error() }),
        };
        let Hashed { part, hasher, length } = hashed;
        if let Err(source) = part.file().sync_all().and_then(|()| part.rename(&target)) {
            return Err(OutputError::Finish { path, source });
        }
        match sync_directory(&target) {
            Ok(()) => Ok(WrittenFile::new(path, length, hasher.finalize().into())),
            Err(source) => Err(OutputError::Directory { path, source }),
        }
    }

    /// Notes a failure, and names the file in it.
    fn note<T>(&mut self, outcome: io::Result<T>) -> io::Result<T> {
        outcome.map_err(|source| {
            if source.kind() == ErrorKind::Interrupted {
                return source;
            }
            self.failed = true;
            io::Error::new(source.kind(), OutputError::Write { path: self.path.clone(), source })
        })
    }
}

/// Gathers what is written. An error is an [`OutputError::Write`] inside; after one the file can no longer be finished.
impl Write for OutputFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let outcome = self.writer.write(bytes);
        self.note(outcome)
    }

    fn flush(&mut self) -> io::Result<()> {
        let outcome = self.writer.flush();
        self.note(outcome)
    }
}

/// Hashes and counts what the file took.
#[derive(Debug)]
struct Hashed {
    part: Part,
    hasher: blake3::Hasher,
    length: u64,
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.part.file().write(bytes)?;
        self.hasher.update(&bytes[..taken]);
        self.length += taken as u64;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Brings the target's name to the disk. Elsewhere than on Unix a directory cannot be opened for that.
fn sync_directory(target: &Path) -> io::Result<()> {
    match target.parent() {
        Some(directory) if cfg!(unix) => fs::File::open(directory)?.sync_all(),
        _ => Ok(()),
    }
}
