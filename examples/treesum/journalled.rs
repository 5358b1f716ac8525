//! The main job with a journal: what a killed run has summed is not read again.
//!
//! A file is known by its path, and is the same as before if its size, its times and its identity are. A file that was changed so lately that a
//! further change might leave its times as they are is summed and not recorded, and so is one that changes while it is read. (git calls an entry of
//! its index in that state racy.)

use std::cell::RefCell;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use gristmill::CancellationToken;
use gristmill::journal::{
    CallContext, CallRefusal, DurableErrorKind, DurableHandle, Handler, HandlerError, HandlerOptions,
    Journal, Scope,
};
use serde::{Deserialize, Serialize};

use crate::arguments::Arguments;
use crate::hash::{Content, Digest, Hasher};
use crate::input::Input;
use crate::progress::Progress;
use crate::walk::Failure;

/// Coarser than the times of the file systems in use, which tick with the kernel's clock, every 1 to 10 milliseconds.
const FRESH: Duration = Duration::from_millis(20);

/// What is taken for the same file with the same content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

#[derive(Debug, Serialize)]
struct File {
    path: Vec<u8>,
    stamp: Stamp,
}

/// A sum that is there, or that will be once it is recorded.
pub(crate) enum Sum {
    Known(Content),
    Recorded(DurableHandle<(Digest, u64)>),
    /// The journal has failed, and the run with it.
    Failed(io::Error),
}

pub(crate) struct Journalled {
    scope: Scope,
    handler: Handler<File, (Digest, u64)>,
}

thread_local! {
    static HASHER: RefCell<Option<Hasher>> = const { RefCell::new(None) };
}

impl Journalled {
    pub(crate) fn open(file: &Path, arguments: &Arguments, progress: &Progress) -> io::Result<Self> {
        let journal = Journal::open(file).map_err(io::Error::other)?;
        let scope = journal.scope("treesum");
        let (progress, paranoid) = (progress.clone(), arguments.paranoid);
        let mut options = HandlerOptions::new();
        if paranoid {
            options = options.accept_if(|_| false);
        }
        let handler =
            scope.handler_with(options, "sha256", 1, move |context, file| read(&progress, context, file));
        Ok(Self { scope, handler })
    }

    /// Sums a file, unless that is recorded.
    pub(crate) fn sum(
        &self,
        hasher: &mut Hasher,
        path: PathBuf,
        token: &CancellationToken,
    ) -> Result<(PathBuf, Sum), Failure> {
        let sum = fs::symlink_metadata(&path).and_then(|metadata| {
            let known = match Stamp::of(&metadata) {
                Some(stamp) => self.recorded(&path, stamp, token),
                None => None,
            };
            match known {
                Some(sum) => Ok(sum),
                None => Ok(Sum::Known(Input::open(&path, token).and_then(|input| hasher.hash(input))?)),
            }
        });
        match sum {
            Ok(sum) => Ok((path, sum)),
            Err(error) => Err(Failure { path, error }),
        }
    }

    /// Nothing if it cannot be recorded, for whatever reason but that of the journal itself.
    fn recorded(&self, path: &Path, stamp: Stamp, token: &CancellationToken) -> Option<Sum> {
        let bytes = path.as_os_str().as_bytes();
        // No path has a zero byte in it, so this is nobody else's key.
        let key = String::from_utf8(bytes.to_vec()).unwrap_or_else(|_| format!("\0{}", hex::encode(bytes)));
        let file = File { path: bytes.to_vec(), stamp };
        match self.handler.run_with(token, key, file) {
            Ok(handle) => match handle.try_wait() {
                Err(handle) => Some(Sum::Recorded(handle)),
                Ok(Ok((digest, bytes))) => Some(Sum::Known(Content { digest, bytes })),
                Ok(Err(error)) => match error.kind() {
                    DurableErrorKind::Journal(_) => Some(Sum::Failed(io::Error::other(error))),
                    _ => None,
                },
            },
            // The same path twice, say.
            Err(refused) => match refused.refusal() {
                CallRefusal::Journal(error) => Some(Sum::Failed(io::Error::other(error.clone()))),
                _ => None,
            },
        }
    }

    /// What was done, for a person.
    pub(crate) fn report(&self) -> String {
        let report = self.scope.report();
        format!("{} files replayed from the journal, {} read and recorded", report.replayed, report.run)
    }
}

impl Sum {
    /// Waits until it is recorded.
    pub(crate) fn settle(self) -> io::Result<Content> {
        match self {
            Self::Known(content) => Ok(content),
            Self::Failed(error) => Err(error),
            Self::Recorded(handle) => {
                let (digest, bytes) = handle.wait().map_err(io::Error::other)?;
                Ok(Content { digest, bytes })
            }
        }
    }
}

impl Stamp {
    /// Nothing for a file whose times do not tell it from one that was changed a moment later.
    fn of(metadata: &Metadata) -> Option<Self> {
        let stamp = Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        };
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok()?;
        let is_old = |(seconds, nanos): (i64, i64)| {
            let at = Duration::new(u64::try_from(seconds).unwrap_or(0), u32::try_from(nanos).unwrap_or(0));
            at + FRESH < now
        };
        (is_old(stamp.modified) && is_old(stamp.changed)).then_some(stamp)
    }
}

fn read(progress: &Progress, context: &CallContext<'_>, file: &File) -> Result<(Digest, u64), HandlerError> {
    let path = PathBuf::from(std::ffi::OsString::from_vec(file.path.clone()));
    let token = context.token();
    let summed = HASHER.with_borrow_mut(|hasher| {
        let hasher = hasher.get_or_insert_with(|| Hasher::new(progress.clone()));
        hasher.hash(Input::open(&path, &token)?)
    })?;
    // Not what was read, if it is another one now.
    if Stamp::of(&fs::symlink_metadata(&path)?) != Some(file.stamp) {
        return Err(HandlerError::retryable("the file changed while it was read"));
    }
    Ok((summed.digest, summed.bytes))
}
