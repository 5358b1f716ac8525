//! A key of any type, with its hash.
//!
//! # Invariants
//! 1. Equal keys have equal hashes: one random state for the whole process, and the type is hashed too.
//! 2. The user's `Hash` runs in [`Key::new`] only, so never under a lock. The user's `Eq` runs in [`Key::eq`] only.

use std::any::{Any, TypeId, type_name};
use std::fmt;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::Arc;

crate::sync::process_static! {
    static STATE: RandomState = RandomState::new();
}

/// A key of tasks: two keys are equal if they were made of values of the same type that are equal.
///
/// Keys of different types are different, also if their hashes are equal: `1_u32` is not `1_u64`, and a `String` is not a `&str`.
/// A clone is cheap, and shares the value.
///
/// ```
/// use gristmill::pool::Key;
///
/// let key = Key::new("alice".to_owned());
/// assert_eq!(key, Key::new("alice".to_owned()));
/// assert_ne!(key, Key::new("alice"));
/// assert_eq!(key.downcast_ref::<String>().map(String::as_str), Some("alice"));
/// ```
///
/// # Panics
/// Making a key panics if the value's `Hash` panics, comparing two if its `Eq` panics.
#[derive(Clone)]
pub struct Key {
    hash: u64,
    value: Arc<dyn Value>,
}

/// What a key can do whatever its type.
trait Value: Any + Send + Sync {
    fn equals(&self, other: &dyn Value) -> bool;
    // `dyn Value` to `dyn Any` by itself needs Rust 1.86.
    fn as_any(&self) -> &dyn Any;
    fn type_name(&self) -> &'static str;
}

impl<K: Eq + Send + Sync + 'static> Value for K {
    fn equals(&self, other: &dyn Value) -> bool {
        other.as_any().downcast_ref::<K>().is_some_and(|other| self == other)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn type_name(&self) -> &'static str {
        type_name::<K>()
    }
}

impl Key {
    /// Makes a key of a value, and hashes it, once.
    ///
    /// # Panics
    /// If the value's `Hash` panics.
    pub fn new<K: Hash + Eq + Send + Sync + 'static>(value: K) -> Self {
        Self { hash: STATE.hash_one((TypeId::of::<K>(), &value)), value: Arc::new(value) }
    }

    /// The value, if it is of this type.
    pub fn downcast_ref<K: 'static>(&self) -> Option<&K> {
        (*self.value).as_any().downcast_ref()
    }

    pub(super) fn type_name(&self) -> &'static str {
        (*self.value).type_name()
    }

    pub(in crate::pool) fn hash(&self) -> u64 {
        self.hash
    }

    /// The same value under another hash: for two types to collide.
    #[cfg(all(test, not(any(gristmill_shuttle, gristmill_loom))))]
    pub(super) fn with_hash(self, hash: u64) -> Self {
        Self { hash, ..self }
    }
}

impl PartialEq for Key {
    /// A key is always equal to its own clones, whatever its `Eq` says: what was found once (a held key) is found again.
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash
            && (Arc::ptr_eq(&self.value, &other.value) || (*self.value).equals(&*other.value))
    }
}

impl Eq for Key {}

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Key").field("type", &self.type_name()).finish_non_exhaustive()
    }
}
