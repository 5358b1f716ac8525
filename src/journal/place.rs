//! Where a journal really is: one path for a file, by whichever path it is asked for.
//!
//! The lock and the log lie beside the file under names of their own. Two paths to one file would be two locks, and two logs of which each process
//! reads its own: so links are followed before either is looked for. A file with two names (hard links) cannot be followed to one, and is refused.

use std::fs::{self, Metadata};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::error::{JournalError, JournalErrorKind};

/// Whether a file is there; an error if none could be.
pub(super) fn look(path: &Path) -> Result<bool, JournalError> {
    if path.as_os_str().is_empty() {
        return Err(unfit(path, "is no path", "name a file"));
    }
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => Err(unfit(path, "is a directory", "name a file in it")),
        Ok(metadata) if !metadata.is_file() => Err(unfit(path, "is not a file", "name a file")),
        Ok(metadata) if has_other_names(&metadata) => Err(unfit(
            path,
            "the file has another name as well, a hard link, and under each it would have a log of its own",
            "remove the other name, or copy the journal with its log (-wal)",
        )),
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => nothing_there(path).map(|()| false),
        Err(error) => {
            Err(unfit(path, "cannot be looked at", "give the right to read and write").because(error))
        }
    }
}

/// Whether a file can be made where there is none.
fn nothing_there(path: &Path) -> Result<(), JournalError> {
    if fs::symlink_metadata(path).is_ok() {
        return Err(unfit(
            path,
            "is a link to a file that is not there",
            "remove the link, or make it lead to a journal",
        ));
    }
    // `name/` has a file name for `Path`, and none for the system.
    let is_of_a_directory = path.as_os_str().as_encoded_bytes().last().is_some_and(|last| *last == b'/');
    if is_of_a_directory || path.file_name().is_none() {
        return Err(unfit(path, "is the name of a directory that is not there", "name a file"));
    }
    match path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) if !parent.is_dir() => {
            Err(unfit(path, "the directory that it is to be in is not there", "make the directory first"))
        }
        _ => Ok(()),
    }
}

/// The absolute path without links: the same for every way to the file, and wherever the process goes.
pub(super) fn real(path: &Path) -> Result<PathBuf, JournalError> {
    let found = fs::canonicalize(path).or_else(|error| match (path.parent(), path.file_name()) {
        (Some(folder), Some(name)) if error.kind() == ErrorKind::NotFound => {
            let here = folder.as_os_str().is_empty();
            Ok(fs::canonicalize(if here { Path::new(".") } else { folder })?.join(name))
        }
        _ => Err(error),
    });
    found.map_err(|error| {
        unfit(path, "cannot be found", "give the right to read its directory").because(error)
    })
}

pub(super) fn unfit(path: &Path, what: &str, cure: &'static str) -> JournalError {
    JournalError::new(JournalErrorKind::Place, path, what, cure)
}

#[cfg(unix)]
fn has_other_names(metadata: &Metadata) -> bool {
    std::os::unix::fs::MetadataExt::nlink(metadata) > 1
}

#[cfg(not(unix))]
fn has_other_names(_: &Metadata) -> bool {
    false
}

/// Which file it is that has a path, where the system says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileId(u64, u64);

impl FileId {
    /// Of the file at that path now.
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        fs::metadata(path).map(|metadata| Self::from(&metadata))
    }
}

#[cfg(unix)]
impl From<&Metadata> for FileId {
    fn from(metadata: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        Self(metadata.dev(), metadata.ino())
    }
}

// Elsewhere a file that is open cannot be removed or replaced.
#[cfg(not(unix))]
impl From<&Metadata> for FileId {
    fn from(_: &Metadata) -> Self {
        Self(0, 0)
    }
}

#[cfg(all(test, not(any(gristmill_shuttle, gristmill_loom))))]
mod tests {
    use super::*;

    #[test]
    fn what_can_hold_no_journal_is_refused_for_what_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let said = |path: &Path| look(path).unwrap_err().to_string();
        let of_folder = said(folder.path());
        assert!(of_folder.ends_with(": is a directory; name a file in it"), "{of_folder}");
        if cfg!(unix) {
            let of_device = said(Path::new("/dev/null"));
            assert!(of_device.ends_with(": is not a file; name a file"), "{of_device}");
        }
        let file = folder.path().join("batch.journal");
        assert!(!look(&file).unwrap(), "one can be made there");
        fs::write(&file, "").unwrap();
        assert!(look(&file).unwrap());
    }
}
