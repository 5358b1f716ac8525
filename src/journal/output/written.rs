//! What was written to a file, to be recorded and compared later.

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::OutputError;

/// A file as it was when it was written: path, length and hash of the content (BLAKE3).
///
/// It is what a task that makes a file returns, so that the journal keeps it; when the task is replayed, [`check`](Self::check) tells whether
/// the file is still that.
///
/// The path is the one given to [`OutputFile::create`](super::OutputFile::create): a relative one belongs to the directory that the process
/// is in. A path that is not Unicode cannot be serialized, which serde reports as an error.
///
/// # Examples
/// ```
/// use std::io::Write;
///
/// use gristmill::journal::OutputFile;
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("numbers.txt");
/// let mut output = OutputFile::create(&path)?;
/// output.write_all(b"1 2 3")?;
/// let written = output.finish()?;
/// assert_eq!((written.path(), written.length()), (path.as_path(), 5));
/// assert!(written.is_intact());
///
/// std::fs::write(&path, "1 2 4")?;
/// let changed = written.check().unwrap_err();
/// assert!(changed.to_string().ends_with("numbers.txt is not what was written: its content has changed"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct WrittenFile {
    path: PathBuf,
    length: u64,
    #[serde(with = "hash")]
    hash: [u8; 32],
}

impl WrittenFile {
    pub(super) fn new(path: PathBuf, length: u64, hash: [u8; 32]) -> Self {
        Self { path, length, hash }
    }

    /// The path, as it was given.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many bytes were written.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// The hash of the content, BLAKE3.
    pub fn hash(&self) -> &[u8; 32] {
        &self.hash
    }

    /// The hash of the content in hexadecimal digits, as the program `b3sum` prints it.
    pub fn hash_hex(&self) -> String {
        blake3::Hash::from_bytes(self.hash).to_hex().to_string()
    }

    /// Compares the file that is there now with what was written.
    ///
    /// # Errors
    /// It is missing, is no file, has another length or other content ([`OutputError::is_changed`]), or could not be read. Nothing was
    /// changed.
    ///
    /// # Cost
    /// Reads the file; one of another length is not read.
    pub fn check(&self) -> Result<(), OutputError> {
        let path = || self.path.clone();
        let unreadable = |source| OutputError::Read { path: path(), source };
        // Before it is opened: a pipe would wait for its other end.
        let metadata = std::fs::metadata(&self.path).map_err(|source| match source.kind() {
            ErrorKind::NotFound => OutputError::Missing { path: path() },
            _ => unreadable(source),
        })?;
        if !metadata.is_file() {
            return Err(OutputError::NotAFile { path: path() });
        }
        if metadata.len() != self.length {
            return Err(OutputError::OtherLength {
                path: path(),
                recorded: self.length,
                found: metadata.len(),
            });
        }
        let file = File::open(&self.path).map_err(unreadable)?;
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(file).map_err(unreadable)?;
        if hasher.finalize() == blake3::Hash::from_bytes(self.hash) {
            Ok(())
        } else {
            Err(OutputError::OtherContent { path: path() })
        }
    }

    /// Whether the file is there and is what was written. One that cannot be read is not.
    ///
    /// # Cost
    /// As [`check`](Self::check).
    pub fn is_intact(&self) -> bool {
        self.check().is_ok()
    }
}

/// The hash as text where people read it, and as bytes elsewhere.
mod hash {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

    pub(super) fn serialize<S: Serializer>(hash: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.serialize_str(&blake3::Hash::from_bytes(*hash).to_hex())
        } else {
            hash.serialize(serializer)
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 32], D::Error> {
        if deserializer.is_human_readable() {
            let text = String::deserialize(deserializer)?;
            let hash = blake3::Hash::from_hex(text.as_bytes());
            hash.map(Into::into)
                .map_err(|_| de::Error::custom("the hash of a file has 64 hexadecimal digits"))
        } else {
            <[u8; 32]>::deserialize(deserializer)
        }
    }
}
