//! The source: every regular file below the roots, in order, holding little more than the names still to come.

use std::ffi::{OsStr, OsString};
use std::fs::{self, FileType};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::slice;

use gristmill::CancellationToken;

/// Something that could not be read, on the way or at its end.
#[derive(Debug, thiserror::Error)]
#[error("{}: {error}", path.display())]
pub(crate) struct Failure {
    pub(crate) path: PathBuf,
    pub(crate) error: io::Error,
}

/// Yields paths as `find -P ROOT... -type f` does, except that each directory's entries are sorted by their bytes.
///
/// Own code beside the `walkdir` crate because of memory: to sort, `walkdir` holds a directory as a list of full paths,
/// 140 MB for a directory of a million files. Here its names lie side by side in one buffer, some 30 MB.
/// Only one directory is open at a time, however deep the tree.
#[derive(Debug)]
pub(crate) struct Walk<'roots> {
    roots: slice::Iter<'roots, OsString>,
    levels: Vec<Directory>,
    token: CancellationToken,
}

impl<'roots> Walk<'roots> {
    pub(crate) fn new(roots: &'roots [OsString], token: CancellationToken) -> Self {
        Self { roots: roots.iter(), levels: Vec::new(), token }
    }

    fn step(&mut self) -> Result<Step, Failure> {
        let (path, kind) = if let Some(directory) = self.levels.last_mut() {
            let Some(entry) = directory.next() else {
                self.levels.pop();
                return Ok(Step::Passed);
            };
            entry
        } else {
            let Some(root) = self.roots.next() else { return Ok(Step::Finished) };
            match fs::symlink_metadata(root) {
                Ok(metadata) => (root.into(), Kind::of(metadata.file_type())),
                Err(error) => return Err(Failure { path: root.into(), error }),
            }
        };
        match kind {
            Some(Kind::File) => Ok(Step::Found(path)),
            Some(Kind::Directory) => {
                let (directory, failure) = Directory::read(path, &self.token);
                let failed = failure.map(|error| Failure { path: directory.path.clone(), error });
                self.levels.push(directory);
                failed.map_or(Ok(Step::Passed), Err)
            }
            None => Ok(Step::Passed),
        }
    }
}

enum Step {
    Found(PathBuf),
    Passed,
    Finished,
}

impl Iterator for Walk<'_> {
    type Item = Result<PathBuf, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            // A tree of a million empty directories yields nothing for long, so the walk looks at the token itself.
            if let Err(cancelled) = self.token.check() {
                return Some(Err(Failure { path: PathBuf::new(), error: io::Error::other(cancelled) }));
            }
            match self.step() {
                Ok(Step::Found(path)) => return Some(Ok(path)),
                Ok(Step::Passed) => {}
                Ok(Step::Finished) => return None,
                Err(failure) => return Some(Err(failure)),
            }
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    File,
    Directory,
}

impl Kind {
    /// Nothing for links and special files, which the walk passes over.
    fn of(kind: FileType) -> Option<Self> {
        if kind.is_file() {
            Some(Self::File)
        } else if kind.is_dir() {
            Some(Self::Directory)
        } else {
            None
        }
    }
}

/// The files and directories directly in one directory, sorted, and how far the walk has come in them.
#[derive(Debug)]
struct Directory {
    path: PathBuf,
    names: Vec<u8>,
    /// In descending order, so that the next entry is popped off the end.
    entries: Vec<Entry>,
}

/// Where a name lies in [`Directory::names`].
#[derive(Clone, Copy, Debug)]
struct Entry {
    start: u32,
    length: u16,
    kind: Kind,
}

impl Entry {
    fn name(self, names: &[u8]) -> &[u8] {
        &names[self.start as usize..][..usize::from(self.length)]
    }
}

impl Directory {
    /// An error half-way leaves what was read before it.
    fn read(path: PathBuf, token: &CancellationToken) -> (Self, Option<io::Error>) {
        let mut directory = Self { path, names: Vec::new(), entries: Vec::new() };
        let failure = directory.fill(token).err();
        let Self { names, entries, .. } = &mut directory;
        entries.sort_unstable_by(|left, right| right.name(names).cmp(left.name(names)));
        (directory, failure)
    }

    fn fill(&mut self, token: &CancellationToken) -> io::Result<()> {
        for entry in fs::read_dir(&self.path)? {
            token.check().map_err(io::Error::other)?;
            let entry = entry?;
            // What has vanished since is reported by whoever tries to open it.
            let Some(kind) = entry.file_type().map_or(Some(Kind::File), Kind::of) else { continue };
            let name = entry.file_name();
            let start = u32::try_from(self.names.len()).map_err(io::Error::other)?;
            let length = u16::try_from(name.len()).map_err(io::Error::other)?;
            self.names.extend_from_slice(name.as_bytes());
            self.entries.push(Entry { start, length, kind });
        }
        Ok(())
    }

    fn next(&mut self) -> Option<(PathBuf, Option<Kind>)> {
        let entry = self.entries.pop()?;
        Some((self.path.join(OsStr::from_bytes(entry.name(&self.names))), Some(entry.kind)))
    }
}
