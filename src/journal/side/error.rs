//! Why a journal's side file could not be had.

use std::io;
use std::path::PathBuf;

/// Why the lock was not given; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub(in crate::journal) enum SideError {
    /// Somebody has it: another process, or another journal of this one.
    #[error("it is in use by {holder}")]
    Held {
        /// Process, program and since when; "another process" where that could not be read.
        holder: String,
    },
    /// A file of something else is where the lock is to be.
    #[error("{} is not the lock file of a journal: move it away, or give the journal another name", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The file was written by a later version.
    #[error("{} has the format {format}, and this version of gristmill knows none above {known}: use the newer one", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        format: u32,
        /// The newest that is known here.
        known: u32,
    },
    /// The system refused.
    #[error("{} could not be {doing}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What was tried, as a participle.
        doing: &'static str,
        /// Why not.
        #[source]
        source: io::Error,
    },
}
