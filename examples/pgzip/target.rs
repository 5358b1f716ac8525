//! Where the result goes: standard output, nowhere, or a file that appears when it is complete.

use std::fs::{FileTimes, Metadata};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tempfile::NamedTempFile;

/// The file that is being written, if there is one: the second Ctrl-C, after which nothing is dropped, removes it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scratch(Arc<Mutex<Option<PathBuf>>>);

impl Scratch {
    pub(crate) fn remove(&self) {
        if let Some(path) = self.path().take() {
            // There is nobody left to tell.
            let _ = std::fs::remove_file(path);
        }
    }

    fn path(&self) -> MutexGuard<'_, Option<PathBuf>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A file without its final name; it is gone if it is dropped before it gets it.
#[derive(Debug)]
pub(crate) struct NewFile {
    file: NamedTempFile,
    path: PathBuf,
    scratch: Scratch,
}

impl NewFile {
    /// In the folder of `path`, so that it need not be copied to get its name.
    pub(crate) fn new(path: PathBuf, scratch: &Scratch) -> io::Result<Self> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        // Locked first: there is no moment in which the file is there and not known.
        let mut known = scratch.path();
        let file =
            tempfile::Builder::new().prefix(".pgzip-").tempfile_in(folder.unwrap_or(Path::new(".")))?;
        *known = Some(file.path().to_owned());
        drop(known);
        Ok(Self { file, path, scratch: scratch.clone() })
    }

    /// Gives it owner, mode and times of the file that it replaces, and its name.
    pub(crate) fn finish(self, like: &Metadata, replace: bool) -> io::Result<()> {
        let file = self.file.as_file();
        // Only root can give files away; a file of the caller's is what it is otherwise, and a file that runs as its owner must not
        // run as another.
        let is_given = fchown(file, Some(like.uid()), Some(like.gid())).is_ok();
        let mask = if is_given { 0o7777 } else { 0o777 };
        file.set_permissions(PermissionsExt::from_mode(like.mode() & mask))?;
        let times = FileTimes::new().set_accessed(like.accessed()?).set_modified(like.modified()?);
        file.set_times(times)?;
        let named =
            if replace { self.file.persist(&self.path) } else { self.file.persist_noclobber(&self.path) };
        *self.scratch.path() = None;
        named.map(drop).map_err(|refused| refused.error)
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
