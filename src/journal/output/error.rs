//! Why an output file was not written, or is not what was written.

use std::io;
use std::path::{Path, PathBuf};

/// Why an output file was not written, or does not count as written.
///
/// ```
/// use gristmill::journal::{OutputError, OutputFile};
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("report.txt");
/// let written = OutputFile::create(&path)?.finish()?;
/// std::fs::remove_file(&path)?;
/// let error = written.check().unwrap_err();
/// assert!(matches!(error, OutputError::Missing { .. }));
/// assert_eq!((error.path(), error.is_changed()), (&*path, true));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OutputError {
    /// The path does not end in a name. Nothing was touched.
    #[error("{} does not end in the name of a file", path.display())]
    NoName {
        /// The path.
        path: PathBuf,
    },
    /// A directory, a device or the like is there, which is not to be replaced. It is as it was.
    #[error("{} is there, and is not a file", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// The temporary file beside it could not be created. What was at the path before is untouched.
    #[error("no file could be created beside {}, which is as it was", path.display())]
    Create {
        /// The path.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A write failed, as on a full disk. What was at the path before is untouched, and the file can no longer be finished.
    #[error("what was to become {} could not be written; it is as it was", path.display())]
    Write {
        /// The path.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A write had failed before, so something is missing. What was at the path before is untouched.
    #[error("{} was not finished, since a write to it had failed; it is as it was", path.display())]
    Incomplete {
        /// The path.
        path: PathBuf,
    },
    /// What was written could not be brought to the disk, or not be given its name. What was at the path before is untouched.
    #[error("{} could not be put in place; it is as it was", path.display())]
    Finish {
        /// The path.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The new file is in place and whole, but its name may be lost if the power fails.
    #[error("{} is in place, but its directory could not be brought to the disk", path.display())]
    Directory {
        /// The path.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A file that was written is not there any more.
    #[error("{} is missing", path.display())]
    Missing {
        /// The path.
        path: PathBuf,
    },
    /// A file that was written has another length by now.
    #[error("{} has {found} bytes, and had {recorded} when it was written", path.display())]
    OtherLength {
        /// The path.
        path: PathBuf,
        /// Its length when it was written.
        recorded: u64,
        /// Its length now.
        found: u64,
    },
    /// A file that was written has the same length, and other content by now.
    #[error("{} is not what was written: its content has changed", path.display())]
    OtherContent {
        /// The path.
        path: PathBuf,
    },
    /// A file that was written could not be read, so nothing is known of it.
    #[error("{} could not be read", path.display())]
    Read {
        /// The path.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

impl OutputError {
    /// The path of the file that it is about, as it was given.
    pub fn path(&self) -> &Path {
        match self {
            Self::NoName { path }
            | Self::NotAFile { path }
            | Self::Create { path, .. }
            | Self::Write { path, .. }
            | Self::Incomplete { path }
            | Self::Finish { path, .. }
            | Self::Directory { path, .. }
            | Self::Missing { path }
            | Self::OtherLength { path, .. }
            | Self::OtherContent { path }
            | Self::Read { path, .. } => path,
        }
    }

    /// Whether a file that was written is missing or has changed, so that it is to be written again. Not where it could not be read.
    pub fn is_changed(&self) -> bool {
        matches!(
            self,
            Self::Missing { .. }
                | Self::OtherLength { .. }
                | Self::OtherContent { .. }
                | Self::NotAFile { .. }
        )
    }
}
