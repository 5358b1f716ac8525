//! What is written of one finished task: its identity, its head, its payload, and the checksums over them.

use std::fmt;
use std::sync::Arc;

use crate::sync::atomic::{AtomicBool, Ordering};

/// The longest key, in bytes: keys are names, and each is read at every opening.
pub(super) const LONGEST_KEY: usize = 4096;

/// The hash of an encoded input: BLAKE3, its first 16 bytes.
pub(super) type InputHash = [u8; 16];

/// Hashes an encoded input.
pub(super) fn input_hash(encoded: &[u8]) -> InputHash {
    let mut hash = [0; 16];
    hash.copy_from_slice(&blake3::hash(encoded).as_bytes()[..16]);
    hash
}

/// Which task: scope, handler, version and key, as one number.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Identity {
    // In halves, and so aligned as its neighbours in the index are: 16 bytes there, not 16 bytes and a gap.
    pub(super) low: u64,
    high: u64,
}

impl Identity {
    pub(super) fn from_u128(number: u128) -> Self {
        // The halves are meant to be cut off.
        #[allow(clippy::cast_possible_truncation)]
        Self { low: number as u64, high: (number >> 64) as u64 }
    }

    pub(super) fn as_u128(self) -> u128 {
        u128::from(self.low) | u128::from(self.high) << 64
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:032x}", self.as_u128())
    }
}

/// A handler in a scope at a version; clones are the same.
#[derive(Clone)]
pub(super) struct Job(Arc<JobInner>);

struct JobInner {
    id: u32,
    scope: Box<str>,
    handler: Box<str>,
    version: u32,
    /// What the identities of its keys are hashed with.
    prefix: [u8; 32],
    is_written: AtomicBool,
}

impl Job {
    pub(super) fn new(id: u32, scope: &str, handler: &str, version: u32, is_written: bool) -> Self {
        // Each part with its length, so that ("ab", "c") is not ("a", "bc").
        let mut hasher = blake3::Hasher::new();
        for part in [scope, handler] {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
        hasher.update(&version.to_le_bytes());
        Self(Arc::new(JobInner {
            id,
            scope: scope.into(),
            handler: handler.into(),
            version,
            prefix: *hasher.finalize().as_bytes(),
            is_written: AtomicBool::new(is_written),
        }))
    }

    pub(super) fn id(&self) -> u32 {
        self.0.id
    }

    pub(super) fn scope(&self) -> &str {
        &self.0.scope
    }

    pub(super) fn handler(&self) -> &str {
        &self.0.handler
    }

    pub(super) fn version(&self) -> u32 {
        self.0.version
    }

    /// The identity of one of its keys.
    ///
    /// The keyed hash under the hash of the other parts: as good as one hash over all, without hashing the others for every key.
    pub(super) fn identity(&self, key: &str) -> Identity {
        let hash = blake3::keyed_hash(&self.0.prefix, key.as_bytes());
        let mut first = [0; 16];
        first.copy_from_slice(&hash.as_bytes()[..16]);
        Identity::from_u128(u128::from_le_bytes(first))
    }

    /// Whether the file knows it. Only the committer asks, and sets it.
    pub(super) fn is_written(&self) -> bool {
        self.0.is_written.load(Ordering::Relaxed)
    }

    pub(super) fn set_written(&self) {
        self.0.is_written.store(true, Ordering::Relaxed);
    }

    /// The checksum of its row.
    pub(super) fn checksum(&self) -> u32 {
        let mut sum = crc32fast::Hasher::new();
        sum.update(&self.0.id.to_le_bytes());
        sum.update(&self.0.prefix);
        sum.finalize()
    }
}

impl fmt::Debug for Job {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{} version {}", self.0.scope, self.0.handler, self.0.version)
    }
}

/// How the task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Kind {
    /// With a value: the payload is the value.
    Value = 0,
    /// With an error that is not to be tried again: the payload is the error.
    Failed = 1,
    /// With a panic: the payload is what it said.
    Panicked = 2,
    /// Never: it was running in too many crashes in a row.
    CrashLoop = 3,
    /// A timer that was set: the payload says for when.
    TimerSet = 4,
    /// A timer that fired.
    TimerFired = 5,
}

impl Kind {
    pub(super) fn from_number(number: i64) -> Option<Self> {
        Some(match number {
            0 => Self::Value,
            1 => Self::Failed,
            2 => Self::Panicked,
            3 => Self::CrashLoop,
            4 => Self::TimerSet,
            5 => Self::TimerFired,
            _ => return None,
        })
    }
}

/// A record without its payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// The place in the order of completion, from 1; never used again.
    pub(super) seq: u64,
    /// The number of its [`Job`].
    pub(super) job: u32,
    pub(super) key: Arc<str>,
    pub(super) input: InputHash,
    pub(super) kind: Kind,
    pub(super) attempts: u32,
    /// Milliseconds since 1970 began (UTC).
    pub(super) ended: u64,
    /// Microseconds.
    pub(super) took: u64,
    /// The payload's length in bytes.
    pub(super) length: u64,
}

/// A record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) head: Head,
    pub(super) payload: Vec<u8>,
}

/// What the worker gives of a finished task; the committer makes a [`Row`] of it.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) kind: Kind,
    pub(super) attempts: u32,
    /// Microseconds.
    pub(super) took: u64,
    pub(super) payload: Vec<u8>,
}

impl Row {
    /// The checksum of its row in the file: see [`Checksum`].
    pub(super) fn checksum(&self) -> Checksum {
        let payload = crc32fast::hash(&self.payload);
        Checksum { head: self.head.sum(payload), payload }
    }
}

impl Head {
    /// The head's checksum, which is over the payload's too: a payload cannot come from another row.
    pub(super) fn sum(&self, payload: u32) -> u32 {
        let mut fixed = [0; 62];
        let mut rest = &mut fixed[..];
        let mut put = |bytes: &[u8]| {
            let (place, after) = std::mem::take(&mut rest).split_at_mut(bytes.len());
            place.copy_from_slice(bytes);
            rest = after;
        };
        put(&self.seq.to_le_bytes());
        put(&self.job.to_le_bytes());
        put(&self.input);
        put(&[self.kind as u8, 0]);
        put(&self.attempts.to_le_bytes());
        put(&self.ended.to_le_bytes());
        put(&self.took.to_le_bytes());
        put(&self.length.to_le_bytes());
        put(&payload.to_le_bytes());
        let mut sum = crc32fast::Hasher::new();
        sum.update(&fixed);
        sum.update(self.key.as_bytes());
        sum.finalize()
    }
}

/// The two checksums of a record, each a CRC32, kept in one number: the head can be checked without reading the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Checksum {
    /// Over every column but the payload, and over the payload's checksum.
    pub(super) head: u32,
    pub(super) payload: u32,
}

impl Checksum {
    pub(super) fn as_number(self) -> i64 {
        (u64::from(self.head) << 32 | u64::from(self.payload)).cast_signed()
    }

    pub(super) fn from_number(number: i64) -> Self {
        let number = number.cast_unsigned();
        // The halves are meant to be cut off.
        #[allow(clippy::cast_possible_truncation)]
        Self { head: (number >> 32) as u32, payload: number as u32 }
    }
}
