//! Looking into a journal and tidying it up: entries, figures, exports, checks, salvage, forgetting.
//!
//! What an open journal is asked goes through its committer, a page at a time, so that a running batch can be looked at and nobody
//! but the committer ever touches the store.

mod count;
mod entries;
mod entry;
mod export;
mod file;
mod filter;
mod forget;
mod keep;
mod mend;
mod page;
mod salvage;
mod selection;
mod statistics;
mod survey;
mod verification;
mod verify;

pub use entries::Entries;
pub use entry::{EntryKind, JournalEntry};
pub use export::ExportError;
pub use forget::Forgotten;
pub use keep::Keep;
pub use salvage::Salvaged;
pub use selection::Selection;
pub use statistics::{EntryCounts, JobStatistics, Statistics};
pub use verification::{JournalDamage, Verification};
