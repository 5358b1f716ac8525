//! The temporary file beside a target, under a name of its own.
//!
//! Its name is that of the target with a number, `.NAME.0.gristmill-part`, so that what a killed process left is found again without a look
//! through the directory. Who writes one holds the system's lock on it, so that a file without a lock is known to be left over.
//!
//! # Invariants
//! 1. A part is emptied, removed or renamed only by who holds its lock, and only after seeing, with the lock held, that the name is still
//!    that of the locked file: it may have been renamed between the opening and the locking, and be a finished target by then.
//! 2. A part whose lock is held is never taken by another.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// How many may write to one target at once.
const AT_ONCE: u32 = 1000;
/// A name may have 255 bytes nearly everywhere, and what comes around this has less than 35.
const LONGEST_NAME: usize = 220;

/// A temporary file that is removed when dropped, unless it was renamed.
#[derive(Debug)]
pub(super) struct Part {
    file: File,
    path: PathBuf,
    is_renamed: bool,
}

impl Part {
    /// An empty one for a target whose path is absolute; one that was left over is used again.
    pub(super) fn claim(target: &Path) -> io::Result<Self> {
        for number in 0..AT_ONCE {
            if let Some(part) = Self::try_claim(part_path(target, number), true)? {
                part.file.set_len(0)?;
                remove_left_over(target, number + 1);
                return Ok(part);
            }
        }
        Err(io::Error::new(
            ErrorKind::ResourceBusy,
            format!("{AT_ONCE} files are being written for this one path"),
        ))
    }

    /// The file there if nobody writes it, or a new one where that is wanted.
    fn try_claim(path: PathBuf, create: bool) -> io::Result<Option<Self>> {
        let (file, is_new) = match open(&path, create) {
            Ok(file) => (file, create),
            Err(error) if create && error.kind() == ErrorKind::AlreadyExists => match open(&path, false) {
                Ok(file) => (file, false),
                // It has just gone, or is not ours.
                Err(_) => return Ok(None),
            },
            Err(error) => return Err(error),
        };
        #[allow(clippy::incompatible_msrv)] // the feature needs 1.89
        let is_ours = match file.try_lock() {
            Ok(()) => is_named(&file, &path),
            Err(TryLockError::WouldBlock) => false,
            // There are no locks here: then what exists is left alone, and only what is new is used.
            Err(TryLockError::Error(_)) => is_new,
        };
        // Not made where it is not ours: its drop removes the file.
        Ok(is_ours.then(|| Self { file, path, is_renamed: false }))
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Gives it the name of the target, whose file it replaces.
    pub(super) fn rename(mut self, target: &Path) -> io::Result<()> {
        fs::rename(&self.path, target)?;
        self.is_renamed = true;
        Ok(())
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.is_renamed {
            // What stays is used again by the next one for this target.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Removes what several killed at once have left.
fn remove_left_over(target: &Path, first: u32) {
    for number in first..AT_ONCE {
        match Part::try_claim(part_path(target, number), false) {
            Ok(part) => drop(part),
            Err(_) => break,
        }
    }
}

/// The path of the part with that number.
pub(super) fn part_path(target: &Path, number: u32) -> PathBuf {
    let name = target.file_name().unwrap_or_default();
    let mut part = OsString::from(".");
    if name.len() > LONGEST_NAME {
        part.push(&blake3::hash(name.as_encoded_bytes()).to_hex()[..32]);
    } else {
        part.push(name);
    }
    part.push(format!(".{number}.gristmill-part"));
    target.with_file_name(part)
}

/// Opens it for writing without changing it, or makes a new one.
fn open(path: &Path, create: bool) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(create);
    // Nobody else may open it while it is open here, but it may be renamed.
    #[cfg(windows)]
    std::os::windows::fs::OpenOptionsExt::share_mode(&mut options, 4);
    options.open(path)
}

/// Whether the path is a name of that very file.
#[cfg(unix)]
fn is_named(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let identity = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
    let (Ok(here), Ok(there)) = (file.metadata(), fs::symlink_metadata(path)) else { return false };
    here.is_file() && identity(here) == identity(there)
}

/// Whether the path is a name of that very file: it cannot have been open elsewhere, so nobody has renamed it.
#[cfg(windows)]
fn is_named(file: &File, _path: &Path) -> bool {
    file.metadata().is_ok_and(|metadata| metadata.is_file())
}
